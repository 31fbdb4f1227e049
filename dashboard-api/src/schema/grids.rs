//! Micro-grids: who looks after them, who lives there, and where nothing watches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The captain of a micro-grid.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Captain {
    pub person: String,
    pub name: String,
    /// The log-in name; without one they cannot claim what is given out in their micro-grid.
    pub login: Option<String>,
    /// Telephone, radio; null for callers without need of it.
    pub contact: Option<String>,
    /// Whether the registry says how to reach them.
    pub has_contact: bool,
}

/// Devices of one class.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GridClass {
    /// `fire_sensor`, `barrier`, …
    pub class: String,
    pub count: u32,
    /// Of them: offline, or silent for two heartbeats.
    pub away: u32,
}

/// A zone or a device of a micro-grid.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GridPlace {
    pub id: String,
    pub name: String,
    /// A zone's kind, a device's class.
    pub kind: String,
    pub building: Option<String>,
    pub floor: Option<i16>,
}

/// The first of a list, and how many there are.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GridPlaces {
    pub count: u32,
    /// At most 30.
    pub first: Vec<GridPlace>,
}

/// A micro-grid as far as it lies in the caller's places.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    pub id: String,
    pub name: String,
    pub committee: String,
    pub committee_name: String,
    /// Null while nobody has been found.
    pub captain: Option<Captain>,
    /// Quarters in which it has zones.
    pub sites: Vec<String>,
    /// Buildings in which it has zones.
    pub buildings: Vec<String>,
    pub zones: u32,
    /// Flats that the registry knows.
    pub dwellings: u32,
    pub households: u32,
    pub residents: u32,
    pub devices: Vec<GridClass>,
    /// Open incidents by severity, of those that the caller sees.
    pub incidents: BTreeMap<String, u32>,
    /// Devices that are offline or silent.
    pub away: GridPlaces,
    /// Floors, e-bike sheds and shops without a fire detector.
    pub without_fire_sensor: GridPlaces,
    /// Zones without any device; flats are not counted.
    pub without_device: GridPlaces,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GridPage {
    pub items: Vec<Grid>,
    pub next: Option<String>,
    pub revision: u64,
}
