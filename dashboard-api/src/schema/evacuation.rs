//! Who needs help out of a building.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A household for which somebody has to come.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HouseholdToHelp {
    /// The flat.
    pub zone: String,
    pub zone_name: String,
    pub floor: Option<i16>,
    pub residents: u16,
    pub elder_alone: bool,
    /// What helpers must know.
    pub note: Option<String>,
    /// In which language to speak to them.
    pub language: String,
    /// How to reach them; null for callers without need of it.
    pub contact: Option<String>,
}

/// Households that need help, while there is a reason to show them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evacuation {
    /// Why they are shown: `fire`, or `evacuation` for a P1 whose procedure has people leave; null when they are not.
    pub ground: Option<String>,
    /// The building that is looked through; null when it is the incident's zone alone.
    pub building_name: Option<String>,
    /// The floor of the incident first, then those above it from below, then those below it.
    pub households: Vec<HouseholdToHelp>,
    /// How many more there are than are listed.
    pub more: u32,
}
