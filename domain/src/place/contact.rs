//! How somebody is reached: a telephone number, or the reference under which somebody else keeps it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest contact in bytes.
const BYTES_MAX: usize = 64;

/// A telephone number or a reference to one. It never prints: whoever shows it asks for it by [`Contact::reveal`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Contact(String);

/// What stands in a file: a text, or a number that somebody did not put in quotes. Anything else is no contact either, and the
/// mistake does not repeat it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(u64),
    Other(serde::de::IgnoredAny),
}

impl TryFrom<Written> for Contact {
    type Error = BadContact;
    fn try_from(written: Written) -> Result<Self, BadContact> {
        match written {
            Written::Text(text) => text.try_into(),
            Written::Number(number) => number.to_string().try_into(),
            Written::Other(_) => Err(BadContact),
        }
    }
}

/// Why a text is no contact; the text is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a contact is empty, too long or has control characters (hint: a telephone number, or where it is kept, in at most 64 bytes)"
)]
pub struct BadContact;

impl Contact {
    /// The text, for somebody with a reason to reach them.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Contact {
    type Error = BadContact;
    fn try_from(text: String) -> Result<Self, BadContact> {
        let text = text.trim();
        let good = (1..=BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        good.then(|| Self(text.to_owned())).ok_or(BadContact)
    }
}

impl std::str::FromStr for Contact {
    type Err = BadContact;
    fn from_str(text: &str) -> Result<Self, BadContact> {
        text.to_owned().try_into()
    }
}

impl From<Contact> for String {
    fn from(contact: Contact) -> Self {
        contact.0
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(…)")
    }
}
