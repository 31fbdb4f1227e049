//! How the work has gone so far: what the machine remembers of an incident beside its state. One value, kept as one JSON text.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Evidence, IncidentState, Satisfaction, Stage, TaskState};
use crate::{DepartmentId, Severity, Timestamp, UserId};

/// Most pieces of evidence of one incident.
pub const EVIDENCE_MAX: usize = 32;
/// Longest reference of a piece of evidence, in characters.
pub const EVIDENCE_CHARS_MAX: usize = 200;
/// How often departments may say "not ours" before the station lead decides (rule catalogue, incident machine).
pub const HAND_BACKS_MAX: u8 = 2;
/// How long merging can be undone, in seconds.
pub const UNMERGE_S: u32 = 600;
/// How long the first of two people who close by force is waited with before it happens all the same, marked: one person alone at
/// night must not be stuck. Judgement.
pub const FORCE_ALONE_S: u32 = 600;
/// From resolved to review: time to take a hasty "resolved" back before anybody is asked. Judgement.
pub const REVIEW_AFTER_S: u32 = 600;
/// A word from the scene of a P1 at least this often, in seconds.
pub const PROGRESS_S: u32 = 300;
/// Most steps of a procedure that can be ticked off.
pub const STEPS_MAX: u8 = 64;
/// One of so many incidents that only sensors know of is reviewed by sampling.
pub const SAMPLED_ONE_IN: u64 = 10;

/// How the work has gone so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Somebody is finding out whether it is real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifying: Option<Verifying>,
    /// An acknowledgement after which nothing follows ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge_expires_at: Option<Timestamp>,
    /// What shows how it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// How often departments said "not ours" in this round.
    #[serde(default)]
    pub hand_backs: u8,
    /// 1, and one more with every reopening.
    pub round: u32,
    /// How often those concerned were dissatisfied.
    #[serde(default)]
    pub dissatisfied: u32,
    /// The first of two people has closed it by force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<Force>,
    /// What undoing a merge needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
    /// Once resolved: what happens by itself, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// What those concerned said.
    #[serde(default = "not_asked")]
    pub satisfaction: Satisfaction,
    /// Resolved as nothing: counts as a false alarm.
    #[serde(default)]
    pub is_false: bool,
    /// Closed by force: by whom, the second one too if there was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced_by: Vec<UserId>,
    /// What started it goes on until a device says its end (see [`Finding::lasting`](crate::rule::Finding)).
    #[serde(default)]
    pub lasting: bool,
    /// Steps of the procedure that are done in this round, from 1.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ticked: BTreeSet<u8>,
    /// Where on the ladder it stands.
    pub escalation: Escalation,
}

fn not_asked() -> Satisfaction {
    Satisfaction::NotAsked
}

impl Course {
    /// At the beginning.
    pub fn begin(at: Timestamp) -> Self {
        Self {
            verifying: None,
            acknowledge_expires_at: None,
            evidence: Vec::new(),
            hand_backs: 0,
            round: 1,
            dissatisfied: 0,
            force: None,
            merged: None,
            review: None,
            satisfaction: Satisfaction::NotAsked,
            is_false: false,
            forced_by: Vec::new(),
            lasting: false,
            ticked: BTreeSet::new(),
            escalation: Escalation::idle(at),
        }
    }
}

/// Somebody is finding out whether it is real.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifying {
    /// Who.
    pub by: UserId,
    /// Since when.
    pub since: Timestamp,
    /// They say so by then.
    pub due: Timestamp,
}

/// The first of two people has closed it by force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Force {
    /// Who.
    pub by: UserId,
    /// Without a second person it happens then.
    pub alone_at: Timestamp,
    /// What it was.
    pub cause: String,
    /// Why.
    pub note: String,
}

/// Where an incident stood when it was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// When.
    pub at: Timestamp,
    /// Its state before.
    pub state: IncidentState,
    /// Its open tasks before.
    pub tasks: Vec<(DepartmentId, TaskState)>,
}

/// What happens by itself after an incident is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Those concerned are asked from then on.
    pub begins_at: Timestamp,
    /// It closes then, also without an answer; reopening is possible until then.
    pub ends_at: Timestamp,
    /// Whether anybody is asked: the reporter, the household, or the station lead by sample.
    pub is_asked: bool,
}

/// Where on the ladder an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// What is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Since when.
    pub since: Timestamp,
    /// Rungs told in this stage: 0 none but the duty person, up to 4.
    #[serde(default)]
    pub level: u8,
    /// The highest rung told in any stage.
    #[serde(default)]
    pub highest: u8,
    /// Everybody has been told in vain.
    #[serde(default)]
    pub is_exhausted: bool,
}

impl Escalation {
    fn idle(at: Timestamp) -> Self {
        Self {
            stage: None,
            since: at,
            level: 0,
            highest: 0,
            is_exhausted: false,
        }
    }
}

/// How long an acknowledgement holds when nothing follows it, in seconds; P4 has all the time that its clocks give.
pub const fn acknowledge_expiry_s(severity: Severity) -> Option<u32> {
    match severity {
        Severity::P1 => Some(60),
        Severity::P2 => Some(5 * 60),
        Severity::P3 => Some(3600),
        Severity::P4 => None,
    }
}

/// How long finding out may take, in seconds. P4: judgement.
pub const fn verify_s(severity: Severity) -> u32 {
    match severity {
        Severity::P1 => 60,
        Severity::P2 => 3 * 60,
        Severity::P3 => 30 * 60,
        Severity::P4 => 24 * 3600,
    }
}

/// How long a claim holds without a word, in seconds.
pub const fn lease_s(severity: Severity) -> u32 {
    match severity {
        Severity::P1 => 3 * 60,
        Severity::P2 => 10 * 60,
        Severity::P3 => 4 * 3600,
        Severity::P4 => 2 * 24 * 3600,
    }
}

/// How long those concerned may answer, and an incident be reopened, in seconds.
pub const fn review_s(severity: Severity) -> u32 {
    match severity {
        Severity::P1 | Severity::P2 => 72 * 3600,
        Severity::P3 | Severity::P4 => 7 * 24 * 3600,
    }
}
