//! Incidents: the work of the station because of one or more alarms, or of what a person reported.
//!
//! A machine without memory of its own: [`Incident::apply`] takes what a person asks, [`Incident::open`], [`Incident::refresh`],
//! [`Incident::take_over`], [`Incident::merge_into`] and [`Incident::set_condition`] what rules found, [`Incident::on_time`] the
//! passing of time. Each gives the incident that is true from now on and the [`Effect`]s that must be kept with it.
//!
//! ```text
//! open ─► acknowledged ─► verifying ─► dispatched ─► resolved ─► review ─► closed     each department's task:
//!   └─────────┴───────────────┴─────────►┘ ▲ (P1 at once)  └───────┴─────────┘        dispatched ─► claimed ─► on scene ─► resolved
//!                                          └──────────── reopened ◄─────┘                  ▲────────┘ lapse    └► released, handed back
//! any open state ─► merged (undone within 10 min) | cancelled (test, drill, duplicate)
//! ```
//!
//! Dramatis personae: `work.rs` an incident on its way to the next version; `desk.rs` what the station's desk asks; `duty.rs` what
//! departments ask; `ending.rs` how it ends, and begins again; `found.rs` what rules bring; `clock.rs` what time brings.

mod apply;
#[cfg(test)]
mod apply_tests;
mod cause;
mod clock;
#[cfg(test)]
mod clock_tests;
mod command;
mod course;
mod desk;
mod duty;
mod ending;
mod found;
#[cfg(test)]
mod joint_duty_tests;
mod office;
mod task;
mod words;
mod work;

pub use cause::{CAUSE_UNSPECIFIED, CAUSES, Verdict, verdict};
pub use clock::LEVELS;
pub use command::{Actor, By, Command, Effect, Evidence, Notice, Reason, Refused, Step};
pub use course::{
    Course, EVIDENCE_CHARS_MAX, EVIDENCE_MAX, Escalation, FORCE_ALONE_S, Force, HAND_BACKS_MAX,
    Merged, PROGRESS_S, REVIEW_AFTER_S, Review, SAMPLED_ONE_IN, STEPS_MAX, UNMERGE_S, Verifying,
    acknowledge_expiry_s, lease_s, review_s, verify_s,
};
pub use office::in_working_time;
pub use task::{Task, TaskDue};
pub(crate) use words::words;
pub use words::{
    Act, Condition, EvidenceKind, IncidentState, Satisfaction, Stage, TaskState, Verb,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rule::{Clocks, RuleMeta};
use crate::{
    DepartmentId, DeviceClass, DeviceId, IncidentId, ReportId, RuleId, Severity, SiteId, StormId,
    Timestamp, UserId, ZoneId,
};

/// The number of the first incident; people say it aloud, and four digits sound like a number.
pub const FIRST_NUMBER: u64 = 1001;
/// Most departments of one incident.
pub const DEPARTMENTS_MAX: usize = 16;
/// Most keys of an incident's detail; further ones are left out.
pub const DETAIL_KEYS_MAX: usize = 32;

/// Who is to deal with it and how fast: from the rule, kept with the incident so that a reload of rules changes nothing that is
/// under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Department that leads.
    pub lead: DepartmentId,
    /// Departments that help.
    pub co: Vec<DepartmentId>,
    /// How long each step may take.
    pub clocks: Clocks,
    /// A person looks before anybody is sent.
    pub verify: bool,
}

impl Plan {
    /// The rule's plan for a severity.
    pub fn of(meta: &RuleMeta, severity: Severity) -> Self {
        Self {
            lead: meta.lead.clone(),
            co: meta
                .co
                .iter()
                .filter(|d| **d != meta.lead)
                .cloned()
                .collect(),
            clocks: meta.clocks_for(severity),
            verify: meta.verify,
        }
    }
    /// Lead and helpers, the lead first.
    pub fn departments(&self) -> impl Iterator<Item = &DepartmentId> {
        std::iter::once(&self.lead).chain(&self.co)
    }
}

/// Deadlines of the incident as a whole; those of claim and arrival are its tasks'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Acknowledged by then.
    pub acknowledge: Timestamp,
    /// Resolved by then.
    pub resolve: Timestamp,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The short number that people say.
    pub number: u64,
    /// Counts the steps of the work: a command names the version that it was decided on. Repeats of the alarm do not count, so
    /// that a detector that goes on sounding never turns an operator away.
    pub version: i64,
    /// How urgent.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// Whether what started it is still so.
    pub condition: Condition,
    /// The rule that it is about; with [`subject`](Self::subject) the key of an open incident.
    pub rule: RuleId,
    /// What it is about.
    pub subject: String,
    /// Class of the device that made the difference.
    pub class: DeviceClass,
    /// The quarter.
    pub site: SiteId,
    /// The zone, where known.
    pub zone: Option<ZoneId>,
    /// The device that made the difference, where there is one.
    pub device: Option<DeviceId>,
    /// Who is to deal with it and how fast.
    pub plan: Plan,
    /// Hub time of the first finding: clocks run from here.
    pub opened_at: Timestamp,
    /// When it happened: shown.
    pub occurred_at: Timestamp,
    /// Hub time of the latest finding.
    pub last_event_at: Timestamp,
    /// Findings, from 1.
    pub count: u64,
    /// When a person first said that they have seen it, and who.
    pub acknowledged: Option<(Timestamp, UserId)>,
    /// When the lead department was done.
    pub resolved_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// What it was, once resolved.
    pub cause: Option<String>,
    /// The incident under whose number it goes on, if merged.
    pub parent: Option<IncidentId>,
    /// Deadlines; they stand still once passed or met.
    pub due: Due,
    /// Words for texts, from the findings.
    pub detail: BTreeMap<String, String>,
    /// The departments' parts, in the order in which they were given out; empty before dispatch.
    pub tasks: Vec<Task>,
    /// Who reported it, where a person did; they are asked whether it is settled.
    pub reporter: Option<Reporter>,
    /// How the work has gone so far.
    pub course: Course,
    /// The card that it is folded into on the board, since a flood; never while it is urgent.
    pub storm: Option<StormId>,
}

/// How an incident stands by what its alarms say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// At least one is active.
    pub condition: Condition,
    /// At least one active one goes on until a device says its end.
    pub lasting: bool,
}

/// Who reported an incident: a user, or somebody without an account, known by their report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reporter {
    /// A grid worker, an operator at the telephone.
    User(UserId),
    /// A resident: what they reported.
    Report(ReportId),
}

impl Reporter {
    /// They, as the timeline names them.
    pub fn by(&self) -> By {
        match self {
            Self::User(user) => By::User(user.clone()),
            Self::Report(report) => By::Report(*report),
        }
    }
}

impl Incident {
    /// The lead department's task, once dispatched.
    pub fn lead_task(&self) -> Option<&Task> {
        self.tasks.iter().find(|task| task.lead)
    }
    /// A department's task.
    pub fn task_of(&self, department: &DepartmentId) -> Option<&Task> {
        self.tasks
            .iter()
            .find(|task| task.department == *department)
    }
    /// Who has the lead department's task.
    pub fn holder(&self) -> Option<&UserId> {
        self.lead_task()?.holder.as_ref()
    }
    /// Who leads: by task once dispatched, by plan before.
    pub fn lead(&self) -> &DepartmentId {
        self.lead_task()
            .map_or(&self.plan.lead, |task| &task.department)
    }
    /// Who takes part, the lead first: by task once dispatched, by plan before.
    pub fn departments(&self) -> Vec<&DepartmentId> {
        if self.tasks.is_empty() {
            return self.plan.departments().collect();
        }
        let lead = self.tasks.iter().filter(|task| task.lead);
        let co = self.tasks.iter().filter(|task| !task.lead);
        lead.chain(co).map(|task| &task.department).collect()
    }
}
