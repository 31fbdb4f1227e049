//! What of a device's message is about a person, and how far somebody sees who asked to see it in full.
//!
//! Plates, card references and persons are masked for everybody. Whoever needs one in full says for what, for which incident and for
//! how long: then the incident itself, and what happened in its quarter around it, is shown to them and to nobody else.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
            Self::Plate => &["plate", "plate_raw", "plates"],
            Self::Credential => &["credential_ref"],
            // what a camera calls an object that it has recognised: a person, or whose car it is
            Self::Person => &["person_ref", "person_name", "sub_label", "sub_labels"],
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
            Self::Credential => kind.starts_with("access.") || kind == "camera.face",
            Self::Person => {
                kind.starts_with("access.") || matches!(kind, "camera.face" | "camera.object")
            }
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

/// What stands in place of a value whose time is over; in a subject it is followed by what keeps subjects apart.
pub const DELETED: &str = "deleted-by-retention";

/// Whether a value was taken away when its time was over.
pub fn is_deleted(text: &str) -> bool {
    text.starts_with(DELETED)
}

/// Takes away values of these classes wherever they stand in an event's attributes, an incident or a list of them: what a mask would cover.
/// Says whether there were any. Subjects are kept apart by `apart`.
pub fn destroy(value: &mut Value, classes: &[Personal], apart: &str) -> bool {
    match value {
        Value::Array(items) => {
            let destroyed = items.iter_mut().map(|item| destroy(item, classes, apart));
            destroyed.fold(false, |any, one| any | one)
        }
        Value::Object(members) => {
            let mut any = false;
            for (name, member) in members {
                let is_named = Personal::of_attr(name).is_some_and(|of| classes.contains(&of));
                any |= match member {
                    Value::Null | Value::Bool(_) => false,
                    Value::String(text) if is_named && is_deleted(text) => false,
                    given if is_named => {
                        *given = DELETED.into();
                        true
                    }
                    Value::String(text) if name == "subject" => {
                        let destroyed = destroyed_subject(text, classes, apart);
                        let is_new = destroyed.is_some();
                        if let Some(destroyed) = destroyed {
                            *text = destroyed;
                        }
                        is_new
                    }
                    other => destroy(other, classes, apart),
                };
            }
            any
        }
        _ => false,
    }
}

/// A subject that names nobody: `plate:浙G12345@q1` → `plate:deleted-by-retention-1a2b@q1`. None when there is nothing to take away.
#[must_use]
pub fn destroyed_subject(subject: &str, classes: &[Personal], apart: &str) -> Option<String> {
    let mut now = subject.to_owned();
    for class in classes {
        let word = format!("{class}:");
        let Some(at) = now.find(&word) else {
            continue;
        };
        let (before, rest) = now.split_at(at + word.len());
        let end = rest.find(['@', ',']).unwrap_or(rest.len());
        if is_deleted(rest) {
            continue;
        }
        let dash = if apart.is_empty() { "" } else { "-" };
        now = format!("{before}{DELETED}{dash}{apart}{}", &rest[end..]);
    }
    (now != subject).then_some(now)
}

/// `浙G12345` → `浙G12***`. What was taken away says so.
#[must_use]
pub fn masked(text: &str) -> String {
    if is_deleted(text) {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{start}***")
}

/// A subject without the personal data in it: `plate:浙G12345@q1` → `plate:浙G12***@q1`, also behind the rule of a work order.
/// None when there is none in it.
#[must_use]
pub fn masked_subject(subject: &str) -> Option<String> {
    for class in Personal::ALL {
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
    /// From when to when; without an end as long as it goes on.
    pub fn span(&self) -> (Timestamp, Option<Timestamp>) {
        let from = self.opened_at.saturating_sub(REACH);
        let until = self.ended_at.map(|ended| ended.saturating_add(REACH));
        (
            from.unwrap_or(Timestamp::MIN),
            until.map(|until| until.unwrap_or(Timestamp::MAX)),
        )
    }

    /// Whether an event of a site, received at a time, belongs to it.
    pub fn covers(&self, site: &SiteId, received_at: Timestamp) -> bool {
        let (from, until) = self.span();
        self.site == *site && received_at >= from && until.is_none_or(|until| received_at <= until)
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
            ("person:王小明的访客@q1", Some("person:王小明的***@q1")),
            ("plate:", Some("plate:***")),
            ("device:smoke-1", None),
            ("zone:q1-e2", None),
        ] {
            assert_eq!(masked_subject(subject).as_deref(), shown, "{subject}");
        }
    }

    #[test]
    fn what_is_destroyed_is_gone_wherever_it_stands_and_names_nobody() {
        let given = serde_json::json!({"items": [
            {"subject": "plate:浙G12345@q1", "detail": {"plate": "浙G12345", "count": "2"}},
            {"subject": "B1/plate:浙G12345@q1,zone:lane"},
            {"attrs": {"plate": "浙GD12345", "vehicle": {"plate_raw": ["浙G12345"]}, "plate_color": "blue"}},
            {"attrs": {"credential_ref": "c-0012345", "person_name": "王12345", "person_ref": 12345, "plate": null}},
        ]});
        let mut value = given.clone();
        assert!(destroy(&mut value, &[Personal::Plate], "7"));
        let text = value.to_string();
        assert!(!text.contains("浙G"), "{text}");
        for kept in [
            "c-0012345",
            "王12345",
            r#""plate":null"#,
            r#""count":"2""#,
            "blue",
            "plate:deleted-by-retention-7@q1\"",
            "B1/plate:deleted-by-retention-7@q1,zone:lane",
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
        assert!(!destroy(&mut value, &[Personal::Plate], "8"), "once");
        assert!(destroy(&mut value, Personal::ALL, ""));
        assert!(!value.to_string().contains("12345"), "{value}");
        // and no mask hides what it is
        assert_eq!(masked(DELETED), DELETED);
        let subject = "plate:deleted-by-retention-7@q1";
        assert_eq!(masked_subject(subject).as_deref(), Some(subject));
        let card = destroyed_subject("credential:c-1@q1", &[Personal::Plate], "7");
        assert_eq!(card, None);
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
