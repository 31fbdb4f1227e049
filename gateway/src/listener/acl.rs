//! Who somebody is, and what they may say and hear. Nothing is allowed that no pattern grants.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use domain::{DeviceId, SiteId};
use tokio_util::sync::CancellationToken;

/// What kind of client it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A registered device; its client id is its id.
    Device {
        /// Its site.
        site: SiteId,
        /// Its id.
        device: DeviceId,
    },
    /// Another system that listens.
    Integration,
    /// Something that speaks for several devices.
    Bridge,
}

/// An authenticated client.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Device id or account name; what the journal keeps as the sender.
    pub id: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Where it may publish.
    pub publish: Vec<Pattern>,
    /// What it may subscribe to.
    pub subscribe: Vec<Pattern>,
    /// Cancelled when the account, or what it may do, is no longer so: its connections end at once.
    pub revoked: CancellationToken,
}

impl Principal {
    /// Whether it may publish on a topic.
    pub fn may_publish(&self, topic: &str) -> bool {
        self.publish.iter().any(|pattern| pattern.matches(topic))
    }
    /// Whether it may subscribe to a filter: one pattern must cover all that the filter can match.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        self.subscribe.iter().any(|pattern| pattern.covers(filter))
    }
}

/// Knows the accounts.
pub trait Directory: Send + Sync {
    /// The principal with this log-in and secret. Takes the same time whether the log-in exists or not.
    fn authenticate(&self, login: &str, secret: &[u8]) -> Option<Arc<Principal>>;
    /// The principal that a client certificate stands for; the handshake has verified it against the authority and the revocation list.
    fn of_certificate(&self, certificate: &PeerCertificate) -> Option<Arc<Principal>>;
}

/// What a verified client certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject's common name: the log-in of the account.
    pub common_name: String,
    /// SHA-256 over the DER bytes, as 64 hexadecimal characters.
    pub fingerprint: String,
}

/// A topic filter as grants use it: literal levels, `+` for one level, `#` at the end for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// A text that is no topic filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a topic filter (hint: `+` stands alone in its level, `#` alone in the last)")]
pub struct BadPattern(String);

impl FromStr for Pattern {
    type Err = BadPattern;
    fn from_str(text: &str) -> Result<Self, BadPattern> {
        if is_filter(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadPattern(text.to_owned()))
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether a topic is granted. Topics that start with `$` need a pattern that does.
    pub fn matches(&self, topic: &str) -> bool {
        self.covers(topic)
    }

    /// Whether everything that `filter` can match is granted.
    pub fn covers(&self, filter: &str) -> bool {
        let wild_start = self.0.starts_with(['+', '#']);
        if wild_start && filter.starts_with('$') {
            return false;
        }
        let mut ours = self.0.split('/');
        let mut theirs = filter.split('/');
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some(_), None | Some("#")) | (None, Some(_)) => return false,
                (Some("+"), Some(_)) => {}
                (Some(a), Some(b)) if a == b => {}
                _ => return false,
            }
        }
    }
}

/// Whether a text is a topic filter of MQTT 5.0 §4.7.
pub(super) fn is_filter(text: &str) -> bool {
    if text.is_empty() || text.contains('\0') {
        return false;
    }
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_last = levels.peek().is_none();
        let fits = match level {
            "#" => is_last,
            "+" => true,
            other => !other.contains(['+', '#']),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Whether a text is a topic name of MQTT 5.0 §4.7: one that can be published on.
pub(super) fn is_topic(text: &str) -> bool {
    !text.is_empty() && !text.contains(['+', '#', '\0', '\u{fffe}', '\u{ffff}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_grants_what_lies_below_it_and_no_more() {
        for (pattern, filter, granted) in [
            ("ssg/v1/+/_gw/#", "ssg/v1/q1/_gw/evt/camera/x", true),
            ("ssg/v1/+/_gw/#", "ssg/v1/+/_gw/evt/#", true),
            ("ssg/v1/+/_gw/#", "ssg/v1/+/_gw", true),
            ("ssg/v1/+/_gw/#", "ssg/v1/+/+/evt/#", false),
            ("ssg/v1/+/_gw/#", "#", false),
            ("ssg/v1/+/_gw/#", "ssg/v1/#", false),
            ("a/+", "a/#", false),
            ("a/b", "a/+", false),
            ("a/b", "a/b/c", false),
            ("#", "$SYS/broker", false),
            ("+/x", "$SYS/x", false),
            ("a/#", "$share/g/a/b", false),
        ] {
            let pattern: Pattern = pattern.parse().expect("a filter");
            assert_eq!(pattern.covers(filter), granted, "{pattern} {filter}");
        }
    }

    #[test]
    fn filters_and_topics_have_the_shape_of_the_standard() {
        for (text, filter, topic) in [
            ("a/b", true, true),
            ("烟感/01", true, true),
            ("+", true, false),
            ("a/#", true, false),
            ("", false, false),
            ("a/#/b", false, false),
            ("a+/b", false, false),
            ("a\0", false, false),
        ] {
            assert_eq!((is_filter(text), is_topic(text)), (filter, topic), "{text}");
        }
    }
}
