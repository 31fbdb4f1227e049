//! The duty book, as the API answers it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyLog {
    /// The newest first.
    pub lines: Vec<DutyLine>,
    /// Hours between two lines that have none: from, to.
    pub gaps: Vec<(String, String)>,
    pub notes: Vec<DutyNote>,
}

/// A line, written when its hours were over.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyLine {
    pub from: String,
    pub to: String,
    pub written_at: String,
    /// Made up for, more than five minutes after its hours.
    pub is_late: bool,
    pub line: DutyLineText,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyLineText {
    /// At the end, by severity.
    pub open: BTreeMap<String, u64>,
    pub opened: u64,
    pub resolved: u64,
    pub rung: u64,
    /// None of a late line.
    pub shelved: Option<u64>,
    /// None of a late line.
    pub devices_away: Option<u64>,
    pub maintenance: u64,
    /// Post and person.
    pub on_duty: Vec<(String, String)>,
    /// Changes of shift at the desk.
    pub changes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyNote {
    pub at: String,
    pub author: String,
    pub note: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Handovers {
    pub items: Vec<Handover>,
}

/// A handover from one shift to the next.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    pub number: i64,
    /// `prepared`, `signed` or `complete`.
    pub state: String,
    pub prepared_at: String,
    pub prepared_by: String,
    /// What is handed over, frozen by the first signature.
    pub text: HandoverText,
    /// SHA-256 over the text as canonical JSON.
    pub sha256: String,
    pub outgoing: Option<String>,
    pub outgoing_at: Option<String>,
    pub incoming: Option<String>,
    pub incoming_at: Option<String>,
    pub is_on_time: Option<bool>,
}

/// What one shift hands over to the next; of each list the first 500.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoverText {
    /// The row of the audit trail up to which it was read.
    pub as_of: i64,
    pub at: String,
    /// When the last handover was complete.
    pub since: Option<String>,
    pub open: Vec<HandedIncident>,
    pub shelved: Vec<HandedShelf>,
    pub held_back: Vec<HandedHold>,
    /// Ids of devices that do not speak.
    pub devices_away: Vec<String>,
    pub maintenance: Vec<HandedWindow>,
    pub notes: Vec<DutyNote>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedIncident {
    pub number: u64,
    pub severity: String,
    pub state: String,
    pub rule: String,
    pub zone: Option<String>,
    pub acknowledged_by: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedShelf {
    pub rule: String,
    pub subject: String,
    pub until: String,
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedHold {
    pub rule: String,
    pub subject: String,
    pub held_back: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedWindow {
    pub id: String,
    pub site: String,
    pub ends_at: String,
    pub reason: String,
}
