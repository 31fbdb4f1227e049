//! ONVIF events, whatever wraps them: XML notifications, JSON of the event broker, JSON of Axis. No format of its own: three formats
//! bring a [`Notice`], and one table says what its topic means.
//!
//! Layout: ONVIF Core, clause 9 (topics, Source, Key, Data, `PropertyOperation`); the topics are those of the Core, Analytics, Device IO,
//! Imaging, Access Control and Door Control specifications (onvif/specs@doc) and those that cameras send besides
//! (`Kane610/axis@tests/event_fixtures.py`; home-assistant/core@homeassistant/components/onvif/parsers.py).

mod access;
mod topics;

use domain::{DeviceClass, Kind, Phase};

use super::clock::DeviceTime;
use super::draft::{Draft, Told};
use super::text;

/// Most items of a source, key or data that are kept.
pub const ITEMS_MAX: usize = 100;

/// Names and values, in the order in which they came.
pub type Items = Vec<(String, String)>;

/// What the sender says of a property. What has none is a fact without duration, or comes from a sender that does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Operation {
    /// Not said: it has changed, or happened.
    #[default]
    Unsaid,
    /// Not said, and kept for whoever asks: it stands.
    Stands,
    /// It is replayed to a new subscriber.
    Initialized,
    /// It has changed.
    Changed,
    /// It is there no more.
    Deleted,
}

impl Operation {
    /// Of a message that has none: a camera that connects sends all of its properties, retained.
    pub fn of_retain(is_retained: bool) -> Self {
        if is_retained {
            Self::Stands
        } else {
            Self::Unsaid
        }
    }

    /// From the attribute `PropertyOperation`.
    pub fn of(word: &str) -> Self {
        match word {
            "Initialized" => Self::Initialized,
            "Changed" => Self::Changed,
            "Deleted" => Self::Deleted,
            _ => Self::Unsaid,
        }
    }
}

/// One event.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// The device, in the sender's words; empty for the sender itself.
    pub address: String,
    /// The levels of the topic without name spaces: `RuleEngine`, `LineDetector`, `Crossed`.
    pub topic: Vec<String>,
    /// The part of the device, where the envelope says it; else the values of the source do.
    pub component: Option<String>,
    /// Where it happened.
    pub source: Items,
    /// What it happened to.
    pub key: Items,
    /// What happened.
    pub data: Items,
    /// When.
    pub at: Option<DeviceTime>,
    /// Whether it is news.
    pub operation: Operation,
}

/// The levels of a topic without name spaces: `tns1:Device/tnsaxis:Sensor/PIR` and `tns:onvif/Device/tns:axis/Sensor/PIR` are the same.
pub fn levels(topic: &str) -> Vec<String> {
    topic
        .split('/')
        .filter(|level| !level.starts_with("tns:"))
        .map(|level| level.rsplit(':').next().unwrap_or(level).trim())
        .filter(|level| !level.is_empty())
        .take(16)
        .map(str::to_owned)
        .collect()
}

/// Items that say whether something is so.
const TRUTHS: &[&str] = &[
    "State",
    "active",
    "LogicalState",
    "triggered",
    "tampering",
    "AlarmActive",
    "Failed",
    "lost",
    "open",
    "alert",
];

impl Notice {
    /// What it means, as drafts; none where it is nothing that anybody is called for.
    pub fn drafts(&self) -> Vec<Draft> {
        let levels: Vec<&str> = self.topic.iter().map(String::as_str).collect();
        match levels.first() {
            Some(&("AccessControl" | "AccessPoint" | "Door" | "Credential")) => {
                access::drafts(self, &levels)
            }
            _ => topics::drafts(self, &levels),
        }
    }

    /// The first item of one of these names, in source, key and data.
    fn item(&self, names: &[&str]) -> Option<&str> {
        let of_source = || first(&self.source, names);
        of_source().or_else(|| self.thing(names))
    }

    /// The first item of one of these names, in key and data.
    fn thing(&self, names: &[&str]) -> Option<&str> {
        first(&self.key, names).or_else(|| first(&self.data, names))
    }

    /// Whether the condition is there: the item that says so, by its name, else the only one that can.
    fn truth(&self) -> Option<bool> {
        if self.operation == Operation::Deleted {
            return Some(false);
        }
        let named = TRUTHS.iter().find_map(|name| {
            self.data
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        let is = || self.data.iter().find(|(key, _)| is_name(key));
        let only = || match self.data.as_slice() {
            [(name, _)] if !topics::is_object_id(name) => self.data.first(),
            _ => None,
        };
        truth(&named.or_else(is).or_else(only)?.1)
    }

    /// Whether an item is there that says whether something is so, in whatever words.
    fn has_truth(&self) -> bool {
        let is_named = |name: &str| TRUTHS.iter().any(|own| own.eq_ignore_ascii_case(name));
        let mut names = self.data.iter().map(|(name, _)| name.as_str());
        names.any(|name| is_named(name) || is_name(name))
    }

    /// The part of the device: what the envelope says, else the values of the source.
    fn part(&self) -> Option<String> {
        let part = self.component.clone().unwrap_or_else(|| {
            // a source that says everything of itself: token and rule tell it apart
            let is_long = self.source.len() > 3;
            let is_token = |name: &str| name.contains("Token") || name.contains("Rule");
            let named = |(name, value): &(String, String)| {
                (!is_long || is_token(name)).then(|| value.clone())
            };
            let values: Vec<String> = self.source.iter().filter_map(named).collect();
            values.join("/")
        });
        (!part.is_empty()).then(|| text::clip(&part, 64))
    }

    fn told(&self) -> Told {
        match self.operation {
            Operation::Unsaid | Operation::Changed => Told::Change,
            Operation::Initialized => Told::Replay,
            Operation::Deleted | Operation::Stands => Told::State,
        }
    }

    fn is_news(&self) -> bool {
        !matches!(self.operation, Operation::Initialized | Operation::Deleted)
    }

    fn draft(&self, class: DeviceClass, kind: Kind, phase: Phase) -> Draft {
        let mut draft = Draft::new(self.address.clone(), class, kind, phase).at(self.at.clone());
        draft.component = self.part();
        draft
    }

    /// A fact without duration. One that is replayed is none.
    fn fact(&self, class: DeviceClass, kind: Kind) -> Option<Draft> {
        self.is_news()
            .then(|| self.draft(class, kind, Phase::Instant))
    }

    /// The value of a property.
    fn state(&self, class: DeviceClass, kind: Kind, phase: Phase, value: impl ToString) -> Draft {
        let property = self.topic.join("/");
        self.draft(class, kind, phase)
            .edge(&property, value)
            .told(self.told())
    }

    /// A condition that is there or not, by [`truth`](Self::truth).
    fn condition(&self, class: DeviceClass, kind: Kind) -> Option<Draft> {
        let is_there = self.truth()?;
        self.condition_is(class, kind, is_there)
    }

    /// An alarm that is there or not; where nothing says whether, that it was told is the alarm.
    fn alarm(&self, class: DeviceClass, kind: Kind) -> Option<Draft> {
        match self.truth() {
            Some(is_there) => self.condition_is(class, kind, is_there),
            None if self.has_truth() => None,
            None => self.fact(class, kind),
        }
    }

    /// A condition that is there or not. That of one object among several is not remembered: objects are without number.
    fn condition_is(&self, class: DeviceClass, kind: Kind, is_there: bool) -> Option<Draft> {
        let phase = if is_there {
            Phase::Raised
        } else {
            Phase::Cleared
        };
        if self.key.is_empty() {
            return Some(self.state(class, kind, phase, is_there));
        }
        (self.operation != Operation::Initialized).then(|| self.draft(class, kind, phase))
    }
}

/// The first item of one of these names that says something.
fn first<'a>(items: &'a Items, names: &[&str]) -> Option<&'a str> {
    let of = |name: &&str| items.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    let mut values = names.iter().filter_map(of).map(|(_, value)| value.trim());
    values.find(|value| !value.is_empty())
}

/// `IsMotion`, `isInside`; not `Issue`.
fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let is = (chars.next(), chars.next());
    matches!(is, (Some('I' | 'i'), Some('s'))) && chars.next().is_some_and(char::is_uppercase)
}

/// `true`, `1`, `active`, `ON`; `false`, `0`, `inactive`, `OFF`.
fn truth(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "active" => Some(true),
        "inactive" => Some(false),
        word => text::boolean(&word.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_spaces_of_a_topic_do_not_matter() {
        for topic in [
            "tns1:Device/tnsaxis:Sensor/PIR",
            "onvif:Device/axis:Sensor/PIR",
            "tns:onvif/Device/tns:axis/Sensor/PIR",
            "Device/Sensor/PIR",
        ] {
            assert_eq!(levels(topic), ["Device", "Sensor", "PIR"], "{topic}");
        }
    }

    #[test]
    fn the_item_that_says_whether_is_found() {
        let of = |items: &[(&str, &str)]| {
            let data = items
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            Notice {
                data: data.collect(),
                ..Notice::default()
            }
            .truth()
        };
        assert_eq!(of(&[("IsMotion", "true")]), Some(true));
        assert_eq!(of(&[("classTypes", "human"), ("active", "0")]), Some(false));
        assert_eq!(of(&[("LogicalState", "inactive")]), Some(false));
        assert_eq!(of(&[("ObjectId", "1")]), None);
        assert_eq!(of(&[("sensor_level", "1")]), Some(true));
        assert_eq!(of(&[("Issue", "1"), ("other", "0")]), None);
    }
}
