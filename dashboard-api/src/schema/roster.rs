//! Who is on duty, with what, and swaps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody on duty.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    pub person: String,
    pub name: String,
    pub post: String,
    /// The log-in name, for those who have one.
    pub login: Option<String>,
    /// Telephone, radio; null for callers without need of it.
    pub contact: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    /// Whose shift it was before a swap or an absence.
    pub instead_of: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Post {
    pub id: String,
    pub name: String,
    pub name_en: String,
    /// `desk`, `duty`, `deputy`, `station_lead`, `head`, `secretary`, `sub_district`.
    pub kind: String,
    pub department: Option<String>,
    pub on_duty: Vec<Duty>,
    /// When somebody else is on; null when that is more than two months away.
    pub next_change_at: Option<String>,
}

/// Hours in which nobody is on a post that must be covered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub post: String,
    pub from: Option<String>,
    pub until: Option<String>,
}

/// Somebody who may take a shift.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterPerson {
    pub id: String,
    pub name: String,
    pub department: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    pub at: String,
    pub time_zone: String,
    /// Whether the day is worked.
    pub is_working_day: bool,
    /// Whether holidays are known for the year; without them every Monday to Friday counts as worked.
    pub knows_holidays: bool,
    pub posts: Vec<Post>,
    /// In the seven days that follow.
    pub gaps: Vec<Gap>,
    /// Everybody who may take a shift.
    pub people: Vec<RosterPerson>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub id: String,
    /// `vehicle` or `equipment`.
    pub kind: String,
    pub name: String,
    pub name_en: String,
    pub count: u16,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DepartmentResources {
    pub department: String,
    pub on_duty: Vec<Duty>,
    pub resources: Vec<Resource>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    pub at: String,
    pub departments: Vec<DepartmentResources>,
}

/// Somebody does a shift for somebody else.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSwap {
    pub post: String,
    /// The day on which the shift begins, by the community's clock.
    pub on: String,
    /// When it begins, where it is not all shifts of that day: `20:00`.
    pub from: Option<String>,
    /// Whose shift it is.
    pub gives: String,
    /// Who does it.
    pub takes: String,
    /// Why; for the audit trail.
    pub note: Option<String>,
}

/// A swap as it was agreed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    pub post: String,
    pub on: String,
    pub from: Option<String>,
    pub gives: String,
    pub takes: String,
    pub by: String,
    pub at: String,
}
