//! What goes into the machine (commands) and what comes out of it (effects, refusals).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Act, EvidenceKind, IncidentState, Satisfaction, Stage, Verb};
use crate::{DepartmentId, IncidentId, ReportId, RuleId, Timestamp, UserId};

/// The person who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Their log-in name.
    pub user: UserId,
    /// The department they serve in; none for operators of the station.
    pub department: Option<DepartmentId>,
}

/// Something that shows how it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// Where it is kept, or who said it; at most [`EVIDENCE_CHARS_MAX`](super::EVIDENCE_CHARS_MAX) characters.
    pub reference: String,
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
    /// For `resolve`, `dismiss`, `force_close`, `cancel`: what it was, a word of [`CAUSES`](super::CAUSES).
    pub cause: Option<String>,
    /// For `dispatch`: who; empty for those of the rule.
    pub departments: Vec<DepartmentId>,
    /// For verbs of tasks: whose; none for the actor's own, or the lead's. For `assign`: who leads.
    pub department: Option<DepartmentId>,
    /// For verbs of tasks: the fencing token that the claim gave. One that has been overtaken is refused.
    pub fence: Option<i64>,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// For `merge`: the incident that goes on, and its number.
    pub into: Option<(IncidentId, u64)>,
    /// For `answer`: `satisfied` or `dissatisfied`.
    pub answer: Option<Satisfaction>,
    /// For `tick` and `untick`: which step of the procedure, from 1 to [`STEPS_MAX`](super::STEPS_MAX).
    pub step: Option<u8>,
    /// For `escalate`: up to which rung of the ladder people are told; none for the next one.
    pub level: Option<u8>,
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
            fence: None,
            evidence: Vec::new(),
            into: None,
            answer: None,
            step: None,
            level: None,
        }
    }
}

/// Who brought a step about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A person.
    User(UserId),
    /// A resident without an account, known by what they reported.
    Report(ReportId),
    /// A rule.
    Rule(RuleId),
    /// A clock that ran out.
    Clock,
}

impl fmt::Display for By {
    /// The log-in name, `report:` and the report's id, `rule:` and the rule's id, or `clock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Report(report) => write!(f, "report:{report}"),
            Self::Rule(rule) => write!(f, "rule:{rule}"),
            Self::Clock => f.write_str("clock"),
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
    /// Tell people.
    Notify(Notice),
    /// Everybody on the ladder has been told in vain: that is an alarm of its own.
    Exhausted(Stage),
    /// What had been waited for in vain has come after all.
    Recovered,
}

/// Whom to tell, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whose ladder.
    pub department: DepartmentId,
    /// Which rung of it: 0 the duty person, 1 deputy and station lead, 2 head of department, 3 community secretary, 4 sub-district
    /// duty office.
    pub level: u8,
    /// What is waited for.
    pub stage: Stage,
    /// When the clock that ran out, or now runs, is due.
    pub due: Timestamp,
    /// Since when there is something to tell.
    pub at: Timestamp,
}

/// Why a command cannot be carried out. As a word it is stable, for programs; printed it is a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The rule wants a person to look first.
    NeedsVerification,
    /// What was found must be shown.
    NeedsEvidence,
    /// A false fire alarm must be shown by somebody on the scene or a picture.
    NeedsProof,
    /// What it was must be said.
    NeedsCause,
    /// The cause does not fit: a real one where a false one is asked for, or none that is known.
    WrongCause,
    /// Words are needed.
    NeedsNote,
    /// What started it is still so.
    ConditionActive,
    /// Somebody else has to agree.
    NeedsSecondPerson,
    /// Two departments have given it back already.
    HandedBackTwice,
    /// The token belongs to a claim that has been overtaken.
    FenceStale,
    /// An incident cannot be merged into itself or into one that is over.
    WrongParent,
    /// The time for it is over.
    TooLate,
    /// Another incident about the same is open.
    OpenElsewhere,
    /// Nothing was said that could be written down.
    NeedsAnswer,
    /// The procedure has no such step.
    NeedsStep,
    /// The ladder has no such rung above those that were told.
    NoRung,
    /// Nothing is waited for, so that there is nothing to tell more people of.
    NothingAwaited,
}

impl Reason {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::WrongState,
        Self::AlreadyAcknowledged,
        Self::HeldByOther,
        Self::HeldAlready,
        Self::NotClaimed,
        Self::AlreadyDone,
        Self::NoTask,
        Self::NothingToDispatch,
        Self::NeedsVerification,
        Self::NeedsEvidence,
        Self::NeedsProof,
        Self::NeedsCause,
        Self::WrongCause,
        Self::NeedsNote,
        Self::ConditionActive,
        Self::NeedsSecondPerson,
        Self::HandedBackTwice,
        Self::FenceStale,
        Self::WrongParent,
        Self::TooLate,
        Self::OpenElsewhere,
        Self::NeedsAnswer,
        Self::NeedsStep,
        Self::NoRung,
        Self::NothingAwaited,
    ];
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
            Self::NeedsVerification => "a person has to look first (hint: verify it)",
            Self::NeedsEvidence => "nothing shows it (hint: say in `note` or `evidence` what was found)",
            Self::NeedsProof => {
                "a fire alarm is false only if somebody was there or saw it (hint: `evidence` of kind `on_site`, `photo` or `video`)"
            }
            Self::NeedsCause => "`cause` is missing",
            Self::WrongCause => "this `cause` does not fit here (hint: the causes are listed under meta)",
            Self::NeedsNote => "`note` is missing: say why",
            Self::ConditionActive => {
                "what started it is still so (hint: make it normal, or close it by force)"
            }
            Self::NeedsSecondPerson => "a second person has to agree",
            Self::HandedBackTwice => "it was handed back twice: the station lead decides (hint: assign it)",
            Self::FenceStale => "somebody else has claimed it since",
            Self::WrongParent => "it cannot be merged into that incident",
            Self::TooLate => "the time for that is over",
            Self::OpenElsewhere => "another incident about the same is open",
            Self::NeedsAnswer => "`answer` must be `satisfied` or `dissatisfied`",
            Self::NeedsStep => "`step` is missing, or the procedure has no such step",
            Self::NoRung => "everybody up to there has been told",
            Self::NothingAwaited => "nothing is waited for (hint: verify, dispatch or claim it)",
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
