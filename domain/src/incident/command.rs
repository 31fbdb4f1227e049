//! What goes into the machine (commands) and what comes out of it (effects, refusals).

use std::fmt;

use super::{Act, IncidentState, Verb};
use crate::{DepartmentId, RuleId, Timestamp, UserId};

/// The person who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Their log-in name.
    pub user: UserId,
    /// The department they serve in; none for operators of the station.
    pub department: Option<DepartmentId>,
}

/// What a person asks of an incident. Whether they may is decided before, by role; here only whether it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What to do.
    pub verb: Verb,
    /// Who asks.
    pub actor: Actor,
    /// Hub time.
    pub at: Timestamp,
    /// In their words.
    pub note: Option<String>,
    /// For `resolve`: what it was, such as `cooking`; [`CAUSE_UNSPECIFIED`](super::CAUSE_UNSPECIFIED) when none is given.
    pub cause: Option<String>,
    /// For `dispatch`: who; empty for those of the rule.
    pub departments: Vec<DepartmentId>,
    /// For `claim`, `arrive`, `resolve`: whose task; none for the actor's own, or the lead's.
    pub department: Option<DepartmentId>,
}

impl Command {
    /// The verb with nothing besides.
    pub fn new(verb: Verb, actor: Actor, at: Timestamp) -> Self {
        Self {
            verb,
            actor,
            at,
            note: None,
            cause: None,
            departments: Vec::new(),
            department: None,
        }
    }
}

/// Who brought a step about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A person.
    User(UserId),
    /// A rule.
    Rule(RuleId),
}

impl fmt::Display for By {
    /// The log-in name, or `rule:` and the rule's id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Rule(rule) => write!(f, "rule:{rule}"),
        }
    }
}

/// One line of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What happened.
    pub act: Act,
    /// Who did it.
    pub by: By,
    /// When.
    pub at: Timestamp,
    /// Whose task, if it is about one.
    pub department: Option<DepartmentId>,
    /// What was before: a state, severity, rule or number.
    pub from: String,
    /// What is now.
    pub to: String,
    /// In the person's words.
    pub note: Option<String>,
}

/// What has to be done besides keeping the new incident, in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write a line into the timeline.
    Record(Step),
    /// Acknowledge the attached alarms.
    AcknowledgeAlarms,
}

/// Why a command cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The verb does not fit the incident's state.
    WrongState,
    /// Somebody has acknowledged it already.
    AlreadyAcknowledged,
    /// Somebody else has the task.
    HeldByOther,
    /// The actor has the task already.
    HeldAlready,
    /// Nobody has claimed the task yet.
    NotClaimed,
    /// The step was taken before, or the task is over.
    AlreadyDone,
    /// The department takes no part in this incident.
    NoTask,
    /// All the departments have their tasks already.
    NothingToDispatch,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongState => "not possible in this state",
            Self::AlreadyAcknowledged => "already acknowledged",
            Self::HeldByOther => "somebody else has it",
            Self::HeldAlready => "you have it already",
            Self::NotClaimed => "nobody has claimed it (hint: claim it first)",
            Self::AlreadyDone => "already done",
            Self::NoTask => "that department takes no part in it (hint: dispatch it first)",
            Self::NothingToDispatch => "these departments have their tasks already",
        })
    }
}

/// The machine's no, with what the person needs to know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: the incident is {state}")]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Where the incident stands.
    pub state: IncidentState,
    /// Who was faster: who holds the task that was asked for, or who acknowledged.
    pub holder: Option<UserId>,
}
