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

/// A day of the community's calendar.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterDay {
    pub date: String,
    pub is_working_day: bool,
    /// The holiday that it is part of.
    pub holiday: Option<String>,
    /// The holiday for which this weekend day is worked.
    pub makes_up_for: Option<String>,
}

/// Somebody is on a post without a break. Times are of the community's wall clock: `2026-11-23T08:00`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stint {
    pub person: String,
    /// The shift's begin, unless the week begins or an absence ends later.
    pub from: String,
    pub until: String,
    /// When the shift begins and ends as it is planned; a swap names its day and hour.
    pub shift_from: String,
    pub shift_until: String,
    /// Whose shift it was before a swap or an absence.
    pub instead_of: Option<String>,
    /// Whose shift it is after all swaps: who gives it in another one.
    pub gives: String,
}

/// Hours in which nobody is on a post that must be covered, of the community's wall clock.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeekGap {
    pub from: String,
    pub until: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeekPost {
    pub id: String,
    pub name: String,
    pub name_en: String,
    /// `desk`, `duty`, `deputy`, `station_lead`, `head`, `secretary`, `sub_district`.
    pub kind: String,
    pub department: Option<String>,
    /// When somebody must be there: `always`, `office_hours`, `never`.
    pub cover: String,
    pub stints: Vec<Stint>,
    pub gaps: Vec<WeekGap>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeekPerson {
    pub id: String,
    pub name: String,
    pub department: Option<String>,
    pub login: Option<String>,
    /// Telephone, radio; null for callers without need of it.
    pub contact: Option<String>,
    /// Whether the registry says how to reach them.
    pub has_contact: bool,
}

/// A rung of a department's ladder as it stands now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LadderRung {
    /// The rung that is asked, 0 to 4.
    pub level: u8,
    /// The rung on which those stand who are told.
    pub told_level: u8,
    pub people: Vec<String>,
    /// Others are told than those that stand on the rung.
    pub fell_through: bool,
    /// Nobody of the ladder is on duty.
    pub is_off_duty: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    pub department: String,
    pub rungs: Vec<LadderRung>,
}

/// A week of the roster.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterWeek {
    pub at: String,
    pub time_zone: String,
    /// The day that it is now.
    pub today: String,
    /// Whether holidays are known for the year of its days; without them every Monday to Friday counts as worked.
    pub knows_holidays: bool,
    /// Monday to Sunday.
    pub days: Vec<RosterDay>,
    pub posts: Vec<WeekPost>,
    /// Everybody who is named, and everybody who may take a shift.
    pub people: Vec<WeekPerson>,
    /// Whom an incident that opens now would be told to, rung by rung.
    pub ladders: Vec<Ladder>,
}
