//! Leave to see what is about people in full.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// How it stands with what is about people in an incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// Something of it is masked for the caller.
    pub is_masked: bool,
    /// By leave it is shown in full until then.
    pub shown_until: Option<String>,
    /// The leave.
    pub unmasking: Option<String>,
    /// It holds something about people, and the caller may ask to see it in full.
    pub may_unmask: bool,
}

/// Leave to see an incident, and its quarter's events around it, in full.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unmasking {
    pub id: String,
    /// Whose.
    pub login: String,
    pub incident: String,
    /// The incident's short number.
    pub number: u64,
    #[schema(value_type = words::Purpose)]
    pub purpose: String,
    /// In their words.
    pub reason: Option<String>,
    pub asked_at: String,
    pub expires_at: String,
    /// Given back before that.
    pub ended_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnmaskingPage {
    pub items: Vec<Unmasking>,
    pub next: Option<String>,
}

/// Somebody's word that what is about people around an incident stays until a day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    pub id: String,
    pub incident: String,
    /// The incident's short number.
    pub number: u64,
    /// The incident's quarter.
    pub site: String,
    /// What for.
    pub reason: String,
    /// Who answers for it: whoever placed or renewed it last.
    pub placed_by: String,
    pub placed_at: String,
    pub expires_at: String,
    /// Who ended it before that.
    pub ended_by: Option<String>,
    pub ended_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldPage {
    pub items: Vec<Hold>,
    pub next: Option<String>,
}
