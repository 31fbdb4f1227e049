//! Who lives where, as far as the station has to know: households, and how many tenants a landlord has declared.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Contact, EvacuationNote};
use crate::ZoneId;
use crate::id::HouseholdId;

/// A household (户). Names stay with the community; the station knows a flat, a count and what was consented to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Household {
    /// Its id.
    pub id: HouseholdId,
    /// Its flat: a zone of kind `unit`.
    pub zone: ZoneId,
    /// How many people live in it.
    pub residents: u16,
    /// An elder who lives alone.
    #[serde(default)]
    pub elder_alone: bool,
    /// They agreed that the absence of door activity is watched and somebody looks after them.
    #[serde(default)]
    pub consent_care: bool,
    /// They agreed to be called or written to by the station.
    #[serde(default)]
    pub consent_contact: bool,
    /// In which language to speak to them: a tag such as `zh`, `en`, `ar`.
    pub language: String,
    /// How to reach them, or where that is kept.
    #[serde(default)]
    pub contact: Option<Contact>,
    /// What whoever empties the building has to know of them.
    #[serde(default)]
    pub evacuation: Option<EvacuationNote>,
}

impl Household {
    /// Whether its door may be watched for an elder who lives alone: both have to be true, the need and the consent.
    pub fn is_in_elder_care(&self) -> bool {
        self.elder_alone && self.consent_care
    }

    /// Whether somebody has to come for them when the building is emptied.
    pub fn needs_help_out(&self) -> bool {
        self.evacuation.is_some() || self.elder_alone
    }
}

/// A landlord's declaration of how many people rent a flat (租赁申报).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rental {
    /// The flat: a zone of kind `unit`.
    pub zone: ZoneId,
    /// How many tenants are registered.
    pub registered: u16,
    /// First day on which it counts.
    pub from: Date,
    /// Last day on which it counts.
    pub until: Date,
    /// When it was declared; of two that count on a day, the later one holds.
    pub declared_on: Date,
}

impl Rental {
    /// Whether it counts on a day.
    pub fn counts_on(&self, day: Date) -> bool {
        (self.from..=self.until).contains(&day)
    }
}

/// Whether a text has the shape of a language tag: a language of two or three letters, and parts of up to eight after it.
pub(super) fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts
        .next()
        .is_some_and(|p| matches!(p.len(), 2 | 3) && p.bytes().all(|b| b.is_ascii_lowercase()));
    language
        && text.len() <= 35
        && parts.all(|p| matches!(p.len(), 1..=8) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}
