//! Commands to devices and fire mode, as the document shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// A command to a device.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCommand {
    pub id: String,
    pub device: String,
    pub site: String,
    #[schema(value_type = words::DeviceAction)]
    pub command: String,
    #[schema(value_type = words::CommandPurpose)]
    pub purpose: String,
    #[schema(value_type = words::CommandStage)]
    pub stage: String,
    /// Whether it is over.
    pub is_over: bool,
    /// What became of it: a word of the hub such as `not_connected`, or the device's own.
    pub detail: Option<String>,
    /// A log-in name, or `rule:S2`.
    pub asked_by: String,
    pub asked_at: String,
    pub reason: String,
    /// The second person.
    pub confirmed_by: Option<String>,
    /// When it is void.
    pub expires_at: String,
    pub sent_at: Option<String>,
    pub answered_at: Option<String>,
    /// The device's state has shown it.
    pub effect_seen: bool,
    pub ended_at: Option<String>,
    pub incident: Option<String>,
    pub fire_mode: Option<String>,
}

/// Fire mode of a building.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FireMode {
    pub id: String,
    #[schema(value_type = words::FireModeState)]
    pub state: String,
    pub drill: bool,
    /// Doors and barriers were told to open; of a drill only if somebody wanted that.
    pub with_devices: bool,
    pub site: String,
    pub building: Option<String>,
    /// Where the fire was found.
    pub zone: String,
    /// A log-in name, or `rule:S2`.
    pub started_by: String,
    pub started_at: String,
    pub reason: String,
    pub incident: Option<String>,
    pub confirmed_by: Option<String>,
    pub ended_by: Option<String>,
    pub ended_at: Option<String>,
    pub end_reason: Option<String>,
    /// What has to be open.
    pub devices: Vec<String>,
    /// What each was told, and what became of it.
    pub commands: Vec<DeviceCommand>,
}

/// Fire modes, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FireModeList {
    pub items: Vec<FireMode>,
}
