//! What a screen needs to know once: places, departments, rules, people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::load;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Community {
    pub name: String,
    pub name_en: String,
    pub station: String,
    pub station_en: String,
    pub time_zone: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Department {
    pub id: String,
    pub name: String,
    pub name_en: String,
    pub chip: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub id: String,
    pub name: String,
    pub name_en: String,
    pub width_m: f64,
    pub height_m: f64,
    pub x_m: f64,
    pub y_m: f64,
}

/// In site-local metres: x to the east, y to the north.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Outline {
    pub x_m: f64,
    pub y_m: f64,
    pub width_m: f64,
    pub height_m: f64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Building {
    pub id: String,
    pub site: String,
    pub name: String,
    pub floors: u16,
    pub outline: Outline,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub id: String,
    pub site: String,
    pub building: Option<String>,
    /// Its floor, or the lowest of several.
    pub floor: Option<i16>,
    /// The highest, when it goes over several.
    pub floor_to: Option<i16>,
    pub kind: String,
    pub name: String,
    pub grid: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    pub lead: String,
    pub co: Vec<String>,
    pub sop_zh: Vec<String>,
    pub sop_en: Vec<String>,
    /// For a rule that compares a reading with a limit.
    pub threshold: Option<Threshold>,
}

/// The number that a rule compares a reading with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The name of the reading among the attributes of an event.
    pub reading: String,
    pub limit: f64,
    /// `below` or `above`: on which side of the limit it rings.
    pub rings: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub version: String,
    pub ui_hash: String,
    pub server_time: String,
    pub time_zone: String,
    pub community: Option<Community>,
    pub departments: Vec<Department>,
    pub sites: Vec<Site>,
    pub buildings: Vec<Building>,
    pub zones: Vec<Zone>,
    pub rules: Vec<Rule>,
    pub causes: Vec<Cause>,
    /// Whom the log-ins in incidents and tasks stand for.
    pub staff: Vec<Staff>,
}

/// Somebody of the registry who logs in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    pub login: String,
    pub name: String,
}

/// What the live feed says every two seconds, as event `hb`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The latest.
    pub revision: u64,
    pub server_time: String,
    pub version: String,
    /// Changes with the dashboard's files.
    pub ui_hash: String,
    /// How much rings in the whole compound; none for whoever sees a part of it.
    pub rate: Option<load::Rate>,
}

/// What an incident can have been.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    pub cause: String,
    /// `genuine`, `false` or `void`.
    pub verdict: String,
}
