//! Alarms, what shelves them, and maintenance windows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// A person has put an alarm aside.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    pub until: String,
    pub reason: String,
    pub by: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    pub id: String,
    /// Counts what people did to it.
    pub version: i64,
    /// None of notices, shadows and what is held back.
    pub incident: Option<String>,
    pub rule: String,
    pub subject: String,
    #[schema(value_type = words::Mode)]
    pub mode: String,
    #[schema(value_type = words::Severity)]
    pub severity: String,
    #[schema(value_type = words::AlarmState)]
    pub state: String,
    #[schema(value_type = Vec<words::AlarmFlag>)]
    pub flags: Vec<String>,
    /// The flag that keeps an open alarm from ringing; never of a P1.
    #[schema(value_type = Option<words::AlarmFlag>)]
    pub held_back: Option<String>,
    pub site: String,
    pub zone: Option<String>,
    pub zone_name: Option<String>,
    pub building: Option<String>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub device: Option<String>,
    pub device_name: Option<String>,
    pub raised_at: String,
    pub active_at: String,
    pub last_event_at: String,
    pub cleared_at: Option<String>,
    pub annunciated_at: Option<String>,
    pub count: u64,
    /// How often it held for less than 30 s.
    pub fleeting: u64,
    pub shelved: Option<Shelf>,
    /// The alarm that is its cause.
    pub suppressed_by: Option<String>,
    /// The maintenance window that goes over it.
    pub out_of_service: Option<String>,
    /// Its device is offline: nobody knows since then.
    pub unknown_since: Option<String>,
    pub chattering_since: Option<String>,
    /// It rings no sooner than this.
    pub quiet_until: Option<String>,
}

/// When and where somebody works, so that P3 and P4 do not ring.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    pub id: String,
    #[schema(value_type = words::WindowState)]
    pub state: String,
    pub site: String,
    pub building: Option<String>,
    pub zone: Option<String>,
    pub device: Option<String>,
    /// All rules when empty.
    pub rules: Vec<String>,
    pub starts_at: String,
    pub ends_at: String,
    pub reason: String,
    pub planned_by: String,
    pub planned_at: String,
    pub started_at: Option<String>,
    pub ended_at: Option<String>,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
}
