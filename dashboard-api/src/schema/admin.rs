//! Bodies of the administration: audit trail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A row of the audit trail.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditItem {
    /// Its number: gap-free, in the order in which things were done.
    pub id: String,
    pub at: String,
    /// A log-in name, `hub`, or a rule.
    pub actor: String,
    pub act: String,
    /// An incident's id, `account:…`, `credential:…`.
    pub object: String,
    pub department: Option<String>,
    pub from: String,
    pub to: String,
    pub note: Option<String>,
    /// There were words, and they were deleted: the chain holds all the same.
    pub is_note_deleted: bool,
    /// What chains the next row to this one.
    pub hash: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditPage {
    pub items: Vec<AuditItem>,
    pub next: Option<String>,
    pub revision: u64,
}

/// The first row that is not as it was written.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditBreak {
    pub id: String,
    /// `the row was changed`, `the note was changed`, `a row before it is missing`, `the end of the chain is missing`.
    pub what: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditVerification {
    /// Rows that were read up to the first break.
    pub rows: u64,
    /// None when the whole chain holds.
    pub broken: Option<AuditBreak>,
    pub verified_at: String,
}
