//! How the hub itself is doing. Sizes are bytes, everything is of now or, where it says so, of the last look.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The hub as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Status)]
pub struct Status {
    pub version: String,
    /// Hash of the dashboard's files; none when there are none.
    pub ui_hash: Option<String>,
    /// Where notifications go. The board's live feed (`live`) is the only channel so far.
    pub channels: Vec<Channel>,
    /// Log-ins that are not over.
    pub sessions: u64,
    /// Uplinks in quarantine.
    pub quarantine: u64,
    /// Version of the registry that is at work.
    pub registry_version: Option<String>,
    /// Rules of the hub about itself (HUB1 …) whose alarms have not ended.
    pub hub_alarms: Vec<String>,
    /// What waits in the API, and how much may.
    pub places: Vec<Queue>,
    #[serde(flatten)]
    pub hub: Hub,
}

/// What the hub counts outside the API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = HubStatus)]
pub struct Hub {
    pub started_at: String,
    pub uptime_s: u64,
    pub journal: Journal,
    pub listener: Listener,
    pub uplinks: Uplinks,
    /// Alarms opened since the start.
    pub alarms: u64,
    /// Incidents opened since the start.
    pub incidents: u64,
    /// Journal position up to which rules have run.
    pub detected_seq: u64,
    /// Journal position up to which history is written.
    pub projected_seq: u64,
    /// Readers of the journal.
    pub cursors: Vec<Cursor>,
    /// From an event to the live feed; none before the first.
    pub feed_latency_ms: Option<Percentiles>,
    /// None before the first look, and when the disk cannot be looked at.
    pub storage: Option<Storage>,
    pub queues: Vec<Queue>,
    pub clock: Clock,
    /// Of ports that speak TLS.
    pub certificates: Vec<Certificate>,
    pub rules: Rules,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusChannel)]
pub struct Channel {
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusJournal)]
pub struct Journal {
    pub seq: u64,
    pub oldest_seq: u64,
    /// When the oldest record came in; none while there is none.
    pub oldest_at: Option<String>,
    pub segments: u64,
    pub bytes: u64,
    /// Why its disk failed.
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusListener)]
pub struct Listener {
    pub connections: u64,
    pub connections_max: u64,
    pub received: u64,
    pub acknowledged: u64,
    pub denied: u64,
    pub refused: u64,
    pub shed: u64,
}

/// received = committed + duplicates + quarantined + refused, since the start.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusUplinks)]
pub struct Uplinks {
    pub received: u64,
    pub committed: u64,
    pub duplicates: u64,
    pub quarantined: u64,
    pub refused: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusCursor)]
pub struct Cursor {
    /// `detect`, `project` or `exchange`.
    pub name: String,
    pub seq: u64,
    /// Records behind the journal.
    pub lag: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusPercentiles)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

/// What lies below the data directory, as a look every two seconds finds it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusStorage)]
pub struct Storage {
    pub looked_at: String,
    /// `ok`, `filling` (from 80 % of the budget) or `full` (from 90 %: telemetry is refused).
    pub level: String,
    pub used_bytes: u64,
    /// What may be used: all that is free besides, or less by `data.budget_bytes`.
    pub budget_bytes: u64,
    pub available_bytes: u64,
    pub journal_bytes: u64,
    pub state_bytes: u64,
    pub history_bytes: u64,
    /// Days of history that are kept.
    pub history_days: u64,
    /// The first of them.
    pub history_from: Option<String>,
    /// History goes after so many days; 0: never.
    pub history_days_max: u64,
    pub photos_bytes: u64,
    /// Sessions of devices, what goes to InfluxDB, the reserve.
    pub other_bytes: u64,
}

/// Something that waits, and how much of it may.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusQueue)]
pub struct Queue {
    /// `alarm_lane`, `telemetry_lane`, `exchange`; `streams`, `histories`, `uploads`.
    pub name: String,
    pub used: u64,
    pub bound: u64,
    /// `bytes` or `items`.
    pub unit: String,
}

/// The hub's clock beside the system's.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusClock)]
pub struct Clock {
    pub now: String,
    /// The system's clock less the hub's.
    pub off_ms: i64,
    /// By more than a second: HUB7 rings.
    pub is_off: bool,
    /// By how much the hub has followed the system's clock since the start.
    pub followed_ms: i64,
    /// The last time that somebody set the system's clock, since the start.
    pub last_step: Option<Step>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusClockStep)]
pub struct Step {
    pub at: String,
    pub step_ms: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusCertificate)]
pub struct Certificate {
    /// `https`, `mqtt` or `client_authority`.
    pub of: String,
    pub subject: String,
    pub not_before: String,
    pub not_after: String,
    /// Whole days from now to its end; less than zero once it is over.
    pub days_left: i64,
    /// `good`, `soon` (fewer than 30 days) or `over` (also before its beginning).
    pub state: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusRules)]
pub struct Rules {
    pub count: u64,
    /// A word that is another for every other content of the rules at work.
    pub version: String,
}
