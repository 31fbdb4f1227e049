//! Number plates somebody looks for, and how plates are compared.

use serde::{Deserialize, Serialize};

use crate::id::PersonId;

/// A number plate somebody looks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchEntry {
    /// The plate, normalised (upper case, no dot).
    pub plate: String,
    /// Why it is listed.
    pub reason: String,
    /// Flagged violent: a hit is P1.
    #[serde(default)]
    pub violent: bool,
    /// Who answers for the entry.
    pub owner: PersonId,
    /// Last day on which it counts.
    pub expires_on: jiff::civil::Date,
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
