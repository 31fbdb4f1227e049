//! One department's part in an incident, with its own clocks.

use crate::incident::TaskState;
use crate::rule::Clocks;
use crate::{DepartmentId, IncidentId, TaskId, Timestamp, UserId};

/// When the steps of a task are overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskDue {
    /// Claimed by then.
    pub claim: Timestamp,
    /// On the scene by then.
    pub arrive: Timestamp,
    /// Resolved by then.
    pub resolve: Timestamp,
}

/// One department's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id, made from the incident's.
    pub id: TaskId,
    /// Whose it is; an incident has at most one task of a department.
    pub department: DepartmentId,
    /// This department leads: when it is done the incident is resolved.
    pub lead: bool,
    /// Where it stands.
    pub state: TaskState,
    /// The one person who has it, or had it last.
    pub holder: Option<UserId>,
    /// When the department was told.
    pub dispatched_at: Timestamp,
    /// When somebody took it.
    pub claimed_at: Option<Timestamp>,
    /// When they were there.
    pub arrived_at: Option<Timestamp>,
    /// When they were done.
    pub resolved_at: Option<Timestamp>,
    /// Its deadlines, from [`dispatched_at`](Self::dispatched_at).
    pub due: TaskDue,
}

impl Task {
    /// The `ordinal`-th task of an incident, given to a department at `at`.
    pub(super) fn dispatched(
        incident: IncidentId,
        ordinal: usize,
        department: DepartmentId,
        lead: bool,
        at: Timestamp,
        clocks: Clocks,
        resolve_due: Timestamp,
    ) -> Self {
        Self {
            id: id_of(incident, ordinal),
            department,
            lead,
            state: TaskState::Dispatched,
            holder: None,
            dispatched_at: at,
            claimed_at: None,
            arrived_at: None,
            resolved_at: None,
            due: TaskDue {
                claim: after(at, clocks.claim_s),
                arrive: after(at, clocks.arrive_s),
                resolve: resolve_due,
            },
        }
    }
}

/// An incident's id with the task's ordinal folded into its random tail: unique within the incident, and no dice are needed.
fn id_of(incident: IncidentId, ordinal: usize) -> TaskId {
    let fold = (ordinal as u128 + 1) & 0xffff;
    TaskId::new(uuid::Uuid::from_u128(incident.uuid().as_u128() ^ fold))
}

/// `seconds` after `at`; the end of time instead of an overflow.
pub(super) fn after(at: Timestamp, seconds: u32) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(Timestamp::MAX)
}
