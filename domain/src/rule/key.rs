//! What an alarm is about, made from an event: `device:smoke-1`, `zone:q1-e2-f6`, `plate:浙G12345@q1`.

use std::fmt::Write as _;

use super::view::View;
use crate::Kind;
use crate::place::{Zone, ZoneKind};
use crate::privacy::Personal;

/// Longest subject in bytes, as [`Finding::subject`](super::Finding) promises.
pub const SUBJECT_BYTES_MAX: usize = 200;
/// Longest part that comes from a payload, in bytes; ids of the registry are at most 64.
const FOREIGN_BYTES_MAX: usize = 110;

/// How to make a subject, or a value to tell apart, from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// `device:{device}`.
    Device,
    /// `door:{device}/{component, or attrs.door}`, `door:{device}` when the event names neither.
    Door,
    /// `zone:{zone}`; none while the device's zone is unknown.
    Zone,
    /// `building:{building}`; none where the device stands in none.
    Building,
    /// `site:{site}`.
    Site,
    /// `grid:{grid}`: the micro-grid of the zone.
    Grid,
    /// `household:{zone}`; none where the zone is no flat.
    Household,
    /// `rule:{rule}@{grid}`: for a rule that listens to rules, each of them in each micro-grid.
    RuleGrid,
    /// Several at once, `zone:lane-1,plate:浙G12345@q1`; none when one of them is.
    All(Vec<Key>),
    /// `plate:{attrs.plate, normalised}@{site}`.
    Plate,
    /// What is on the watch list, by its class: `plate:…@{site}`, `credential:…@{site}`, `person:…@{site}`.
    Watched,
    /// `{last word of the path, or the class of personal data}:{value}@{site}` of an attribute.
    Attr(Vec<String>),
}

impl Key {
    /// The words for rule files; any other is `attrs.` and a path, optionally followed by `@site`.
    pub const WORDS: &'static [(&'static str, Key)] = &[
        ("device", Key::Device),
        ("door", Key::Door),
        ("zone", Key::Zone),
        ("building", Key::Building),
        ("site", Key::Site),
        ("grid", Key::Grid),
        ("household", Key::Household),
        ("rule@grid", Key::RuleGrid),
        ("plate@site", Key::Plate),
        ("watched@site", Key::Watched),
    ];

    /// From its word in a rule file.
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some((_, key)) = Self::WORDS.iter().find(|(known, _)| *known == word) {
            return Some(key.clone());
        }
        if word == "credential@site" {
            return Some(Self::Attr(vec!["credential_ref".to_owned()]));
        }
        let path = word.strip_suffix("@site").unwrap_or(word);
        let path: Vec<String> = path
            .strip_prefix("attrs.")?
            .split('.')
            .map(str::to_owned)
            .collect();
        path.iter()
            .all(|part| !part.is_empty())
            .then_some(Self::Attr(path))
    }

    /// What it is made of: itself, or the parts of a list.
    pub(super) fn parts(&self) -> &[Key] {
        match self {
            Self::All(keys) => keys,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether it is a place: what one device says there, another cannot take back.
    pub(super) fn is_place(&self) -> bool {
        matches!(
            self,
            Self::Device
                | Self::Door
                | Self::Zone
                | Self::Building
                | Self::Site
                | Self::Grid
                | Self::Household
                | Self::RuleGrid
        )
    }

    /// The subject that a zone belongs to, for keys that are places.
    pub(super) fn of_zone(&self, zone: &Zone) -> Option<String> {
        Some(match self {
            Self::Zone => format!("zone:{}", zone.id),
            Self::Building => format!("building:{}", zone.building.as_ref()?),
            Self::Site => format!("site:{}", zone.site),
            Self::Grid => format!("grid:{}", zone.grid),
            Self::Household if zone.kind == ZoneKind::Unit => format!("household:{}", zone.id),
            _ => return None,
        })
    }

    /// The subject of this event, or nothing when the event lacks what it is made of.
    pub(super) fn of(&self, view: &View<'_>) -> Option<String> {
        let event = view.event;
        Some(match self {
            Self::Device => format!("device:{}", event.device),
            Self::Door => {
                let door = event.component.clone().or_else(|| match event.kind {
                    // there it is not the door's name but how it stands: open, closed
                    Kind::AccessDoorState | Kind::AccessLockState => None,
                    _ => view.attr_text(&["door"]),
                });
                match door {
                    Some(door) => format!("door:{}/{}", event.device, foreign(&door)),
                    None => format!("door:{}", event.device),
                }
            }
            Self::Zone | Self::Building | Self::Grid | Self::Household => {
                self.of_zone(view.zone?)?
            }
            Self::Site => format!("site:{}", event.site),
            Self::RuleGrid => format!("rule:{}@{}", view.heard?.rule, view.zone?.grid),
            Self::All(keys) => {
                let parts: Option<Vec<String>> = keys.iter().map(|key| key.of(view)).collect();
                parts?.join(",")
            }
            Self::Plate => format!("plate:{}@{}", personal(view.plate()?), event.site),
            Self::Watched => {
                let entry = view.watched()?;
                let name = personal(&entry.class.normal(&entry.name));
                format!("{}:{name}@{}", entry.class, event.site)
            }
            Self::Attr(path) => {
                let value = view.attr_text(path)?;
                let last = path.last()?;
                // what is about people is known by its class, so that it is masked and destroyed
                match Personal::of_attr(last) {
                    Some(class) => format!("{class}:{}@{}", personal(&value), event.site),
                    None => format!("{}:{}@{}", foreign(last), foreign(&value), event.site),
                }
            }
        })
        .filter(|subject| subject.len() <= SUBJECT_BYTES_MAX)
    }
}

/// What is about people, without what ends it in a subject: a mask would stop there.
fn personal(text: &str) -> String {
    foreign(text).replace(['@', ','], "_")
}

/// Text from a payload, fit for a key: without control characters, short; what is cut off goes into a check sum, so that two
/// long texts stay two.
pub(super) fn foreign(text: &str) -> String {
    let clean: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    if clean.len() <= FOREIGN_BYTES_MAX {
        return clean;
    }
    let mut end = FOREIGN_BYTES_MAX - 17;
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    // FNV-1a, 64 bit: no secret, only a difference
    let sum = clean.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, b| {
        (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut short = clean[..end].to_owned();
    write!(short, "~{sum:016x}").expect("writing into a String cannot fail");
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_dirty_texts_become_short_keys_that_still_differ() {
        assert_eq!(foreign(" a\u{0}b\n"), "a_b");
        let (a, b) = (
            foreign(&"浙".repeat(90)),
            foreign(&("浙".repeat(89) + "苏")),
        );
        assert!(a.len() <= FOREIGN_BYTES_MAX && b.len() <= FOREIGN_BYTES_MAX);
        assert_ne!(a, b);
        assert_eq!(personal("浙G,12345@x"), "浙G_12345_x");
    }

    #[test]
    fn words_of_rule_files_name_keys() {
        assert_eq!(Key::from_word("zone"), Some(Key::Zone));
        assert_eq!(
            Key::from_word("credential@site"),
            Some(Key::Attr(vec!["credential_ref".into()]))
        );
        assert_eq!(
            Key::from_word("attrs.vehicle.type@site"),
            Some(Key::Attr(vec!["vehicle".into(), "type".into()]))
        );
        for bad in ["", "attrs.", "attrs..x", "plate", "zones"] {
            assert_eq!(Key::from_word(bad), None, "{bad}");
        }
    }
}
