//! Key figures of the station, computed from the record and from nothing else: no clock, no floats, no order of arrival.
//!
//! What goes in are incidents as the record has them up to one row of the audit trail ([`Record`]); what comes out are tables
//! ([`Ranking`]) whose canonical bytes are the same whoever computes them, whenever, from the same rows. Figures per person are not
//! made: of departments, rules and places only.
//!
//! Dramatis personae: `case.rs` what the record says of one incident; `survival.rs` percentiles when not everything has ended;
//! `table.rs` the figures of a group; `score.rs` what a department's quarter is worth; `load.rs` how much rang; `duty.rs` the duty
//! book; `held.rs` what was held back; `period.rs` from when until when; `canonical.rs` the same bytes; `missing.rs` what the record cannot answer; `sheet.rs` the same as a table for a spreadsheet.

mod canonical;
mod case;
mod duty;
mod held;
mod load;
mod missing;
mod period;
mod score;
mod sheet;
mod survival;
mod table;
#[cfg(test)]
mod tests;

pub use canonical::canonical;
pub use duty::{Duty, DutyRecord, LogLine};
pub use held::{Held, HeldRecord, Shelving};
pub use load::{Figure, Load, PERIOD_MIN, Rung, Step};
pub use missing::{NOT_ANSWERED, NotAnswered};
pub use period::{BadMoment, moment};
pub use score::{Component, FULL_SAMPLE, Rating, Score, Thresholds, Weights};
pub use sheet::{cells, harmless, sheet, sheet_of};
pub use survival::{Curve, Observed, Percentile};
pub use table::{Group, Measured, Missed, Quality, Ranking, Stage, rank};

use serde::{Deserialize, Serialize};

use crate::incident::{Act, TaskState, words};
use crate::{DepartmentId, DeviceClass, RuleId, Severity, SiteId, Timestamp, ZoneId};

words!(
    /// What is compared with each other.
    By, "grouping":
    /// Departments: what each did with the tasks that it got, and with the incidents that it led.
    Department = "department",
    /// Micro-grids, by the zone of the incident.
    MicroGrid = "micro_grid",
    /// Quarters: the compounds of the community.
    Quarter = "quarter",
    /// Rules.
    Rule = "rule",
);

/// What is asked for: incidents that opened in the half-open span, and how they are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Opened then or later.
    pub from: Timestamp,
    /// Opened before.
    pub to: Timestamp,
    /// What is compared.
    pub by: By,
}

/// How departments are scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scoring {
    /// How much each part counts.
    pub weights: Weights,
    /// From where on a score is praised or blamed.
    pub thresholds: Thresholds,
}

/// The incidents of a span as they stood when a row of the audit trail was the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The last row of the audit trail that counts.
    pub as_of: i64,
    /// When it was written: until then is known what has not ended.
    pub as_of_at: Timestamp,
    /// In any order.
    pub incidents: Vec<IncidentRecord>,
}

/// One incident with everything that the record has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRecord {
    /// Its number.
    pub number: u64,
    /// When it opened.
    pub opened_at: Timestamp,
    /// What it was, each from a row of the audit trail on.
    pub facts: Vec<Fact>,
    /// What each department had to do, each from a row of the audit trail on.
    pub parts: Vec<Part>,
    /// What happened.
    pub steps: Vec<Line>,
}

/// What an incident is, from one row of the audit trail on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// True from this row on.
    pub audit: i64,
    /// How urgent.
    pub severity: Severity,
    /// Which rule.
    pub rule: RuleId,
    /// Which class of device made the difference.
    pub class: DeviceClass,
    /// The quarter.
    pub site: SiteId,
    /// The zone, where known.
    pub zone: Option<ZoneId>,
    /// Who leads.
    pub lead: DepartmentId,
    /// Acknowledged by then.
    pub acknowledge_due: Timestamp,
    /// Resolved by then.
    pub resolve_due: Timestamp,
    /// What it was, once resolved.
    pub cause: Option<String>,
    /// Opened in a declared drill.
    pub is_drill: bool,
    /// Somebody is asked whether it is settled.
    pub is_asked: bool,
}

/// What one department has to do, from one row of the audit trail on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// True from this row on.
    pub audit: i64,
    /// When that row was written.
    pub at: Timestamp,
    /// Whose.
    pub department: DepartmentId,
    /// Where it stands.
    pub state: TaskState,
    /// Given to it then; given anew, it is another turn.
    pub dispatched_at: Timestamp,
    /// Taken then.
    pub claimed_at: Option<Timestamp>,
    /// On the scene then.
    pub arrived_at: Option<Timestamp>,
    /// Done then.
    pub resolved_at: Option<Timestamp>,
    /// Taken by then.
    pub claim_due: Timestamp,
    /// On the scene by then.
    pub arrive_due: Timestamp,
    /// Done by then.
    pub resolve_due: Timestamp,
}

/// A row of the audit trail about the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub audit: i64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub act: Act,
    /// Whether a person did it; rules and clocks do the rest.
    pub by_person: bool,
    /// Whose task, if it is about one.
    pub department: Option<DepartmentId>,
    /// What is now.
    pub to: String,
}

/// Thousandths of a share, rounded half up; none of nothing.
pub fn permille(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| (u64::saturating_mul(part, 2000) + whole) / (2 * whole))
}
