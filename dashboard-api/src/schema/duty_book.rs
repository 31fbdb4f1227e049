//! The duty book, as the API answers it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
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
    /// What is handed over: `open`, `shelved`, `held_back`, `devices_away`, `maintenance`, `notes`; frozen by the first signature.
    pub text: Map<String, Value>,
    /// SHA-256 over the text as canonical JSON.
    pub sha256: String,
    pub outgoing: Option<String>,
    pub outgoing_at: Option<String>,
    pub incoming: Option<String>,
    pub incoming_at: Option<String>,
    pub is_on_time: Option<bool>,
}
