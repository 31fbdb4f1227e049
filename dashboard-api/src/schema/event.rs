//! What devices say: events, devices, and what could not be read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::words;

/// An event; `id` is the sender's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub event_id: String,
    pub id: String,
    pub seq: u64,
    pub site: String,
    pub device: String,
    pub class: String,
    pub component: Option<String>,
    pub kind: String,
    pub phase: String,
    pub occurred_at: String,
    pub received_at: String,
    pub clock: String,
    /// The kind's own fields. Number plates are shortened for those who may not see them.
    pub attrs: Map<String, Value>,
    pub count: u64,
    pub last_received_at: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub id: String,
    pub name: String,
    pub site: String,
    pub zone: String,
    pub zone_name: Option<String>,
    pub building: Option<String>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub class: String,
    pub model: String,
    pub x_m: f64,
    pub y_m: f64,
    pub online: Option<bool>,
    pub last_seen: Option<String>,
    pub battery_percent: Option<f64>,
    #[schema(value_type = words::DeviceState)]
    pub state: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    pub id: String,
    pub seq: u64,
    pub received_at: String,
    pub topic: String,
    pub principal: String,
    /// Stable word, such as `bad_json`.
    pub reason: String,
    pub detail: String,
    pub raw_base64: String,
    pub bytes: u64,
    /// What came of reading it again.
    pub rerun: Option<Rerun>,
}

/// What came of reading an uplink in quarantine again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// A log-in name.
    pub by: String,
    pub at: String,
    /// `waiting`, `read` (rules have seen it), `history` (read, and too old for rules), `known` (it had come in another way), `rejected`.
    pub outcome: String,
    /// The events that it is.
    pub detail: String,
}

/// An event that an uplink in quarantine would be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunEvent {
    pub kind: String,
    pub phase: String,
    pub device: String,
    pub component: Option<String>,
    pub occurred_at: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunLine {
    pub id: String,
    /// `reads`, `rejected`, `done` (read before) or `no_message` (refused at the door).
    pub outcome: String,
    /// Whether rules see it; otherwise it is too old and goes to history only.
    pub rings: bool,
    pub events: Vec<RerunEvent>,
    /// Why it still cannot be read.
    pub reason: Option<String>,
    pub detail: Option<String>,
}

/// What uplinks in quarantine would be, and how many are on their way.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunOutcome {
    pub items: Vec<RerunLine>,
    /// There are more than 500.
    pub has_more: bool,
    /// Those that were put to the adapters again; 0 when it was only asked.
    pub started: u32,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    pub bucket_start: String,
    pub key: String,
    pub n: u64,
}
