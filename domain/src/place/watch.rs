//! What somebody looks for (plates, cards, persons), and how plates are compared.

use serde::Deserialize;

use crate::id::PersonId;
use crate::privacy::{Personal, masked};

/// A number plate, a card or a person somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct WatchEntry {
    /// What it is.
    pub class: Personal,
    /// As it was written: the plate; the reference to the card; the person by reference or by name, as devices give them.
    pub name: String,
    /// Why it is listed.
    pub reason: String,
    /// Flagged violent: a hit is P1.
    pub violent: bool,
    /// Who answers for the entry.
    pub owner: PersonId,
    /// Last day on which it counts.
    pub expires_on: jiff::civil::Date,
}

/// An entry as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    plate: Option<String>,
    credential: Option<String>,
    person: Option<String>,
    reason: String,
    #[serde(default)]
    violent: bool,
    owner: PersonId,
    expires_on: jiff::civil::Date,
}

/// An entry is about one thing.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a watched item names one of `plate`, `credential` and `person`")]
pub struct NotOne;

impl TryFrom<Written> for WatchEntry {
    type Error = NotOne;

    fn try_from(written: Written) -> Result<Self, NotOne> {
        let named = [
            (Personal::Plate, written.plate),
            (Personal::Credential, written.credential),
            (Personal::Person, written.person),
        ];
        let (class, name) = one_of(named)?;
        Ok(Self {
            class,
            name,
            reason: written.reason,
            violent: written.violent,
            owner: written.owner,
            expires_on: written.expires_on,
        })
    }
}

/// The one that is given; an empty text is none.
pub(in crate::place) fn one_of(
    named: impl IntoIterator<Item = (Personal, Option<String>)>,
) -> Result<(Personal, String), NotOne> {
    let mut given = named.into_iter().filter_map(|(class, name)| {
        let name = name.filter(|name| !name.trim().is_empty())?;
        Some((class, name))
    });
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(NotOne),
    }
}

impl WatchEntry {
    /// What it is known by: see [`watch_key`].
    pub fn key(&self) -> String {
        watch_key(self.class, &self.name)
    }
}

/// What is watched, as it is looked up: a plate as plates are compared, `credential:c-12` and `person:王小明` as they are.
pub fn watch_key(class: Personal, name: &str) -> String {
    let name = class.normal(name);
    match class {
        Personal::Plate => name,
        Personal::Credential | Personal::Person => format!("{class}:{name}"),
    }
}

/// A key as everybody may read it.
pub fn masked_watch_key(key: &str) -> String {
    let of_class = |(class, name): (&str, &str)| {
        class.parse::<Personal>().ok()?;
        Some(format!("{class}:{}", masked(name)))
    };
    let named = key.split_once(':').and_then(of_class);
    named.unwrap_or_else(|| masked(key))
}

/// A plate as it is compared: NFKC-like folding of full-width letters and digits, upper case, without space, dot and dash.
pub fn normal_plate(plate: &str) -> String {
    plate
        .chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .filter(|c| !c.is_whitespace() && !matches!(c, '·' | '•' | '.' | '-'))
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_about_one_thing() {
        let read = |named: &str| {
            let text =
                format!("{named}\nreason = \"r\"\nowner = \"p1\"\nexpires_on = \"2030-01-01\"");
            toml::from_str::<WatchEntry>(&text)
        };
        for (named, key) in [
            ("plate = \"浙g·12345\"", "浙G12345"),
            ("credential = \" c-12 \"", "credential:c-12"),
            ("person = \"王小明\"", "person:王小明"),
        ] {
            assert_eq!(read(named).expect("good").key(), key);
        }
        for named in [
            "",
            "plate = \"\"",
            "plate = \"A\"\nperson = \"B\"",
            "card = \"c-12\"",
        ] {
            assert!(read(named).is_err(), "{named}");
        }
    }

    #[test]
    fn what_is_watched_is_masked_and_its_class_is_not() {
        for (key, shown) in [
            ("浙G12345", "浙G12***"),
            ("credential:c-00ff12", "credential:c-00***"),
            ("person:欧阳小明明", "person:欧阳小明***"),
        ] {
            assert_eq!(masked_watch_key(key), shown);
        }
    }
}
