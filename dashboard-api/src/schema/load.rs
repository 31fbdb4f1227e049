//! The load of the seats, and storm cards.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much rings, and how busy the seats have been.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    pub rate: Rate,
    pub metrics: AlarmMetrics,
}

/// How much rings now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Alarms that rang in the last ten minutes, at all seats.
    pub alarms: u64,
    /// Operators' seats.
    pub seats: u64,
    /// From so many alarms on it is a flood.
    pub flood_from: u64,
    /// A flood has gone on since.
    pub flood_since: Option<String>,
}

/// `AlarmMetricsType` of OPC 10000-9, clause 9.2. Rates are alarms in 10 minutes at one seat, times seconds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmMetrics {
    pub alarm_count: u64,
    pub start_time: String,
    pub maximum_active_state: f64,
    pub maximum_un_ack: f64,
    pub current_alarm_rate: f64,
    pub maximum_alarm_rate: f64,
    pub average_alarm_rate: f64,
    pub maximum_re_alarm_count: u64,
}

/// Incidents of one rule in one building that a flood has folded: P3 and P4 only.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    pub id: String,
    /// The flood it belongs to, counted from 1.
    pub flood: u64,
    pub rule: String,
    pub site: String,
    pub building: Option<String>,
    pub building_name: Option<String>,
    pub opened_at: String,
    /// When the latest incident was folded into it.
    pub last_at: String,
    /// Incidents that were folded, those that are over by now among them.
    pub incidents: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Storms {
    pub items: Vec<Storm>,
}

/// What acknowledging a card came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StormAcknowledged {
    /// Incidents that are acknowledged now and were not before.
    pub acknowledged: u64,
}
