//! What people report.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What can be reported.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportKind {
    pub r#type: String,
    pub title_zh: String,
    pub title_en: String,
}

/// A place that the caller may name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportZone {
    pub id: String,
    pub name_zh: String,
    pub name_en: String,
}

/// A quarter with the places that the caller may name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSite {
    pub id: String,
    pub name_zh: String,
    pub name_en: String,
    pub zones: Vec<ReportZone>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportLimits {
    pub text_chars: u32,
    pub photos: u32,
    pub photo_bytes: u64,
}

/// What a form for reports needs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportForm {
    pub types: Vec<ReportKind>,
    pub sites: Vec<ReportSite>,
    pub limits: ReportLimits,
    /// To be shown first: this does not replace the emergency call.
    pub emergency_zh: String,
    pub emergency_en: String,
    /// To be shown beside the contact: what it is for, and how long it is kept.
    pub contact_zh: String,
    pub contact_en: String,
}

/// Whom to call back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportContact {
    /// At most 60 characters.
    pub name: String,
    /// At most 60 characters.
    pub phone: String,
}

/// A photo is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhotoKept {
    /// Its name: the hash of what was sent.
    pub sha256: String,
    /// The hash of what is kept of it.
    pub stored_sha256: String,
    /// Bytes that are kept.
    pub bytes: u64,
    /// Its media type.
    pub kind: String,
}

/// A report was taken.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportTaken {
    pub id: String,
    /// The short number of its incident.
    pub number: u64,
    /// The incident's id, for those who are logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    pub state: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportStep {
    pub at: String,
    /// `received`, `acknowledged`, `dispatched`, `on_scene`, `resolved`, `review`, `closed`, `reopened`.
    pub state: String,
}

/// A report for whoever made it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub id: String,
    pub number: u64,
    pub r#type: String,
    pub site: String,
    pub zone: Option<String>,
    pub place: Option<String>,
    pub text: String,
    /// Names of its photos.
    pub photos: Vec<String>,
    pub created_at: String,
    pub occurred_at: String,
    /// It came more than ten minutes after it was sent.
    pub is_late: bool,
    pub progress: Vec<ReportStep>,
    /// The last step's.
    pub state: String,
    /// The reporter is asked whether it is settled.
    pub asks: bool,
    /// `satisfied`, `dissatisfied`.
    pub satisfaction: Option<String>,
}

/// A report beside its incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentReport {
    pub id: String,
    pub r#type: String,
    pub zone: Option<String>,
    pub place: Option<String>,
    pub text: String,
    /// Names of its photos; none for whoever is not shown them.
    pub photos: Vec<String>,
    pub created_at: String,
    pub occurred_at: String,
    pub is_late: bool,
    /// The user who reported it; none of residents.
    pub reporter: Option<String>,
    /// In full for operators, station leads and whoever has the incident; for others the beginning and the end.
    pub contact: Option<ReportContact>,
}
