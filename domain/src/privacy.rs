//! What of a device's message is about a person, and how far somebody sees who asked to see it in full.
//!
//! Plates, card references and persons are masked for everybody. Whoever needs one in full says for what, for which incident and for
//! how long: then the incident itself, and what happened in its quarter around it, is shown to them and to nobody else.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::SiteId;
use crate::event::{Kind, UnknownWord};
use crate::place::normal_plate;

/// Characters of a masked text that stay, as on a parking receipt.
const SHOWN_CHARS: usize = 4;

/// A class of personal data in events, alarms and incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// A number plate.
    Plate,
    /// A reference to a card, a code or another credential; never its number.
    Credential,
    /// A person, by reference or by name.
    Person,
}

impl Personal {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Plate, Self::Credential, Self::Person];

    /// The word as it stands in tables, files and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plate => "plate",
            Self::Credential => "credential",
            Self::Person => "person",
        }
    }

    /// The event's attributes that hold it, the one that is searched first.
    pub const fn attrs(self) -> &'static [&'static str] {
        match self {
            Self::Plate => &["plate", "plate_raw"],
            Self::Credential => &["credential_ref"],
            Self::Person => &["person_ref", "person_name"],
        }
    }

    /// What an attribute of this name holds.
    pub fn of_attr(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|class| class.attrs().contains(&name))
    }

    /// Whether events of a kind can hold it.
    pub fn is_in(self, kind: Kind) -> bool {
        let kind = kind.as_str();
        match self {
            Self::Plate => kind.starts_with("vehicle.") || kind.starts_with("barrier."),
            Self::Credential | Self::Person => kind.starts_with("access.") || kind == "camera.face",
        }
    }

    /// As it is compared: plates without dot, space and case.
    #[must_use]
    pub fn normal(self, text: &str) -> String {
        match self {
            Self::Plate => normal_plate(text),
            Self::Credential | Self::Person => text.trim().to_owned(),
        }
    }
}

impl fmt::Display for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Personal {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL
            .iter()
            .copied()
            .find(|class| class.as_str() == text);
        found.ok_or_else(|| UnknownWord::new("class of personal data", text))
    }
}

/// `浙G12345` → `浙G12***`
#[must_use]
pub fn masked(text: &str) -> String {
    let start: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{start}***")
}

/// A subject without the personal data in it: `plate:浙G12345@q1` → `plate:浙G12***@q1`, also behind the rule of a work order.
/// None when there is none in it.
#[must_use]
pub fn masked_subject(subject: &str) -> Option<String> {
    for class in [Personal::Plate, Personal::Credential] {
        let word = format!("{class}:");
        let Some(at) = subject.find(&word) else {
            continue;
        };
        let (before, rest) = subject.split_at(at + word.len());
        let (text, place) = match rest.find(['@', ',']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        return Some(format!("{before}{}{place}", masked(text)));
    }
    None
}

/// What somebody needs it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To handle the incident now.
    Handling,
    /// To compare it with a picture, a paper or a person.
    Verification,
    /// To find a vehicle or a person.
    Tracing,
    /// To look at it afterwards: a complaint, an inspection, a request by the person concerned.
    Review,
}

impl Purpose {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Handling,
        Self::Verification,
        Self::Tracing,
        Self::Review,
    ];

    /// The word as it stands in tables and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handling => "handling",
            Self::Verification => "verification",
            Self::Tracing => "tracing",
            Self::Review => "review",
        }
    }

    /// Whether the purpose alone does not say enough.
    pub const fn needs_reason(self) -> bool {
        !matches!(self, Self::Handling)
    }
}

impl FromStr for Purpose {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL
            .iter()
            .copied()
            .find(|purpose| purpose.as_str() == text);
        found.ok_or_else(|| UnknownWord::new("purpose", text))
    }
}

/// For how long somebody may see in full, in minutes: long enough for a call, not longer than a shift.
pub const UNMASKED_MINUTES: std::ops::RangeInclusive<u16> = 5..=480;

/// How long before an incident opened, and after it ended, its quarter's events are shown with it.
pub const REACH: SignedDuration = SignedDuration::from_hours(2);

/// Which events belong to an incident for whoever may see it in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Where it is.
    pub site: SiteId,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
}

impl Surroundings {
    /// Whether an event of a site, received at a time, belongs to it.
    pub fn covers(&self, site: &SiteId, received_at: Timestamp) -> bool {
        let from = self.opened_at.saturating_sub(REACH);
        let until = self.ended_at.map(|ended| ended.saturating_add(REACH));
        self.site == *site
            && from.is_ok_and(|from| received_at >= from)
            && until.is_none_or(|until| until.is_ok_and(|until| received_at <= until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_loses_what_is_about_a_person_and_keeps_the_place() {
        for (subject, shown) in [
            ("plate:浙G12345@q1", Some("plate:浙G12***@q1")),
            ("B1/plate:浙G12345@q1", Some("B1/plate:浙G12***@q1")),
            (
                "plate:浙G00001@q1,zone:fire-lane",
                Some("plate:浙G00***@q1,zone:fire-lane"),
            ),
            ("credential:c-00ff12@q1", Some("credential:c-00***@q1")),
            ("plate:", Some("plate:***")),
            ("device:smoke-1", None),
            ("zone:q1-e2", None),
        ] {
            assert_eq!(masked_subject(subject).as_deref(), shown, "{subject}");
        }
    }

    #[test]
    fn words_survive_the_way_through_text() {
        for &class in Personal::ALL {
            assert_eq!(class.as_str().parse::<Personal>().ok(), Some(class));
            for attr in class.attrs() {
                assert_eq!(Personal::of_attr(attr), Some(class));
            }
        }
        for &purpose in Purpose::ALL {
            assert_eq!(purpose.as_str().parse::<Purpose>().ok(), Some(purpose));
        }
        assert_eq!(Personal::of_attr("plate_color"), None);
        assert_eq!(Personal::Plate.normal("浙g·123 45"), "浙G12345");
    }

    #[test]
    fn an_incident_reaches_its_own_quarter_around_its_own_time() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let site = |text: &str| text.parse::<SiteId>().expect("a site");
        let mut reach = Surroundings {
            site: site("q1"),
            opened_at: at("2026-11-23T12:00:00Z"),
            ended_at: None,
        };
        let covers =
            |reach: &Surroundings, place: &str, time: &str| reach.covers(&site(place), at(time));
        assert!(covers(&reach, "q1", "2026-11-23T10:00:00Z"));
        assert!(covers(&reach, "q1", "2026-11-25T10:00:00Z"));
        assert!(!covers(&reach, "q1", "2026-11-23T09:59:59Z"));
        assert!(!covers(&reach, "q2", "2026-11-23T12:00:00Z"));
        reach.ended_at = Some(at("2026-11-23T13:00:00Z"));
        assert!(covers(&reach, "q1", "2026-11-23T15:00:00Z"));
        assert!(!covers(&reach, "q1", "2026-11-23T15:00:01Z"));
    }
}
