//! What whoever empties a building has to know of a household: who cannot walk, who is on oxygen.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest note in characters.
const CHARS_MAX: usize = 200;

/// It is about somebody's health. It never prints: whoever shows it asks for it by [`EvacuationNote::reveal`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EvacuationNote(String);

/// Why a text is no such note; the text is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an evacuation note is empty, too long or has control characters (hint: what helpers must know, in at most {CHARS_MAX} characters)"
)]
pub struct BadNote;

impl EvacuationNote {
    /// The text, for those who go in.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EvacuationNote {
    type Error = BadNote;
    fn try_from(text: String) -> Result<Self, BadNote> {
        let text = text.trim();
        let is_good =
            (1..=CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        is_good.then(|| Self(text.to_owned())).ok_or(BadNote)
    }
}

impl std::str::FromStr for EvacuationNote {
    type Err = BadNote;
    fn from_str(text: &str) -> Result<Self, BadNote> {
        text.to_owned().try_into()
    }
}

impl From<EvacuationNote> for String {
    fn from(note: EvacuationNote) -> Self {
        note.0
    }
}

impl fmt::Debug for EvacuationNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EvacuationNote(…)")
    }
}
