//! One department's part in an incident, with its own clocks.

use crate::incident::{PROGRESS_S, Stage, TaskState, lease_s};
use crate::rule::Clocks;
use crate::{DepartmentId, IncidentId, Severity, TaskId, Timestamp, UserId};

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
    /// How often it was claimed: the holder's fencing token. Whoever acts with an older one is refused.
    pub fence: i64,
    /// The claim lapses then, unless a word comes before.
    pub lease_until: Option<Timestamp>,
    /// A word is expected by then from those on the scene (P1).
    pub progress_due: Option<Timestamp>,
    /// The furthest step of which the department has been told that it is overdue.
    pub overdue: Option<Stage>,
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
            fence: 0,
            lease_until: None,
            progress_due: None,
            overdue: None,
        }
    }

    /// Given to its department anew at `at`; who has an old token has none any more.
    pub(super) fn dispatch_again(&mut self, at: Timestamp, clocks: Clocks, resolve_due: Timestamp) {
        *self = Self {
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
            lease_until: None,
            progress_due: None,
            overdue: None,
            ..self.clone()
        };
    }

    /// A word from the holder, or a new one: the lease, or the time to the next word from the scene, begins anew.
    pub(super) fn renew(&mut self, at: Timestamp, severity: Severity) {
        self.lease_until = (self.state == TaskState::Claimed).then(|| after(at, lease_s(severity)));
        let is_watched = self.state == TaskState::OnScene && severity == Severity::P1;
        self.progress_due = is_watched.then(|| after(at, PROGRESS_S));
    }

    /// Nobody has it any more.
    pub(super) fn let_go(&mut self, state: TaskState) -> TaskState {
        self.holder = None;
        self.lease_until = None;
        self.progress_due = None;
        std::mem::replace(&mut self.state, state)
    }

    /// What this department is waited for, and by when.
    pub fn awaits(&self) -> Option<(Stage, Timestamp)> {
        match self.state {
            TaskState::Dispatched => Some((Stage::Claim, self.due.claim)),
            TaskState::Claimed => Some((Stage::Arrive, self.due.arrive)),
            TaskState::OnScene => Some((Stage::Resolve, self.due.resolve)),
            TaskState::Resolved | TaskState::Released | TaskState::HandedBack => None,
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
