//! What the record says of one incident, up to a row of the audit trail.

use std::collections::BTreeMap;

use super::{Fact, IncidentRecord, Observed, Part};
use crate::incident::{Act, Satisfaction, Verdict, verdict};
use crate::{DepartmentId, DeviceClass, RuleId, Severity, SiteId, Timestamp, ZoneId};

/// A P1 that no person acknowledged within so many milliseconds was missed.
pub(super) const MISSED_AFTER_MS: i64 = 60_000;

/// A step that was waited for, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) seen: Observed,
    /// It was due after so long.
    due_ms: i64,
}

impl Timed {
    fn new(from: Timestamp, end: Option<Timestamp>, seen_until: Timestamp, due: Timestamp) -> Self {
        let seen = match end {
            Some(at) => Observed::Ended(ms_between(from, at)),
            None => Observed::Censored(ms_between(from, seen_until)),
        };
        Self {
            seen,
            due_ms: ms_between(from, due),
        }
    }

    /// Whether it was in time; none while that is open.
    pub(super) fn in_time(self) -> Option<bool> {
        match self.seen {
            Observed::Ended(ms) => Some(ms <= self.due_ms),
            Observed::Censored(ms) => (ms > self.due_ms).then_some(false),
        }
    }
}

/// Whole milliseconds; a clock that was set back makes none.
fn ms_between(from: Timestamp, to: Timestamp) -> i64 {
    (to.as_microsecond() - from.as_microsecond()).max(0) / 1000
}

/// Whether an incident counts, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Counted,
    Drill,
    Cancelled,
    Merged,
    /// Resolved as test, drill or duplicate.
    Void,
}

/// One turn of a department: from being told to being done, handed back or released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) department: DepartmentId,
    pub(super) claim: Timed,
    pub(super) arrive: Timed,
    pub(super) finish: Timed,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) number: u64,
    pub(super) standing: Standing,
    pub(super) severity: Severity,
    pub(super) rule: RuleId,
    pub(super) class: DeviceClass,
    pub(super) site: SiteId,
    pub(super) zone: Option<ZoneId>,
    pub(super) lead: DepartmentId,
    pub(super) acknowledge: Timed,
    pub(super) resolve: Timed,
    pub(super) turns: Vec<Turn>,
    /// How long a P1 went without a person, where that was too long; not ended when nobody ever came.
    pub(super) missed: Option<Observed>,
    pub(super) is_resolved: bool,
    /// Whether it was one; none when the cause does not say.
    pub(super) verdict: Option<Verdict>,
    pub(super) is_by_reminder: bool,
    pub(super) reopened: u64,
    pub(super) hand_backs: BTreeMap<DepartmentId, u64>,
    pub(super) lapses: BTreeMap<DepartmentId, u64>,
    pub(super) is_asked: bool,
    pub(super) answer: Option<Satisfaction>,
}

impl Case {
    /// None when the incident opened after the row.
    pub(super) fn of(record: &IncidentRecord, as_of: i64, as_of_at: Timestamp) -> Option<Self> {
        let mut facts: Vec<&Fact> = record.facts.iter().filter(|f| f.audit <= as_of).collect();
        facts.sort_by_key(|fact| fact.audit);
        let mut steps: Vec<_> = record.steps.iter().filter(|s| s.audit <= as_of).collect();
        steps.sort_by_key(|step| step.audit);
        let mut parts: Vec<&Part> = record.parts.iter().filter(|p| p.audit <= as_of).collect();
        parts.sort_by_key(|part| (part.audit, part.department.clone()));
        let (first, last) = (facts.first()?, facts.last()?);

        let ended = steps.iter().find(|s| is_end(s.act) && s.to == "resolved");
        let known_until = ended.map_or(as_of_at, |end| end.at);
        let reopened_from = steps.iter().find(|s| s.act == Act::Reopen).map(|s| s.audit);
        // dues of the first round: what was true when it happened, or last before it began anew
        let fact_at = |row: Option<i64>| {
            let before = |f: &&&Fact| match (row, reopened_from) {
                (Some(row), _) => f.audit <= row,
                (None, Some(reopened)) => f.audit < reopened,
                (None, None) => true,
            };
            facts.iter().rev().find(before).unwrap_or(first)
        };
        let seen = steps.iter().find(|s| s.by_person && is_sight(s.act));
        let acknowledge = Timed::new(
            record.opened_at,
            seen.map(|s| s.at),
            known_until,
            fact_at(seen.map(|s| s.audit)).acknowledge_due,
        );
        let resolve = Timed::new(
            record.opened_at,
            ended.map(|s| s.at),
            as_of_at,
            fact_at(ended.map(|s| s.audit)).resolve_due,
        );
        let became_p1 = if first.severity == Severity::P1 {
            Some(record.opened_at)
        } else {
            let raise = steps.iter().find(|s| s.act == Act::Raise && s.to == "P1");
            raise.map(|s| s.at)
        };
        let missed = became_p1.and_then(|since| {
            let waited = Timed::new(since, seen.map(|s| s.at), known_until, since).seen;
            (waited.ms() > MISSED_AFTER_MS).then_some(waited)
        });
        let merged = steps
            .iter()
            .rev()
            .find(|s| matches!(s.act, Act::Merge | Act::Unmerge));
        let said = last.cause.as_deref().filter(|_| ended.is_some());
        let verdict = said
            .filter(|cause| *cause != crate::incident::CAUSE_UNSPECIFIED)
            .and_then(verdict);
        let standing = if steps.iter().any(|s| s.act == Act::Cancel) {
            Standing::Cancelled
        } else if merged.is_some_and(|s| s.act == Act::Merge) {
            Standing::Merged
        } else if facts.iter().any(|f| f.is_drill) {
            Standing::Drill
        } else if verdict == Some(Verdict::Void) {
            Standing::Void
        } else {
            Standing::Counted
        };
        let count = |act: Act| {
            let mut counts = BTreeMap::new();
            for step in steps.iter().filter(|s| s.act == act) {
                if let Some(department) = &step.department {
                    *counts.entry(department.clone()).or_insert(0) += 1;
                }
            }
            counts
        };
        let answer = steps.iter().rev().find(|s| s.act == Act::Answer);
        Some(Self {
            number: record.number,
            standing,
            severity: last.severity,
            rule: last.rule.clone(),
            class: last.class,
            site: last.site.clone(),
            zone: facts.iter().rev().find_map(|f| f.zone.clone()),
            lead: last.lead.clone(),
            acknowledge,
            resolve,
            turns: turns(&parts, as_of_at),
            missed,
            is_resolved: ended.is_some(),
            verdict,
            is_by_reminder: said == Some("resolved_by_reminder"),
            reopened: steps.iter().filter(|s| s.act == Act::Reopen).count() as u64,
            hand_backs: count(Act::HandBack),
            lapses: count(Act::Lapse),
            is_asked: facts.iter().any(|f| f.is_asked),
            answer: answer.and_then(|s| s.to.parse().ok()),
        })
    }
}

/// What a person does only after having seen the incident.
const fn is_sight(act: Act) -> bool {
    matches!(
        act,
        Act::Acknowledge
            | Act::Verify
            | Act::Dismiss
            | Act::Dispatch
            | Act::Assign
            | Act::Claim
            | Act::ForceClose
    )
}

const fn is_end(act: Act) -> bool {
    matches!(act, Act::Resolve | Act::Dismiss | Act::ForceClose)
}

/// The turns of all departments: a department that gets its task anew begins another.
fn turns(parts: &[&Part], as_of_at: Timestamp) -> Vec<Turn> {
    let mut by_turn: BTreeMap<(&DepartmentId, Timestamp), Vec<&Part>> = BTreeMap::new();
    for part in parts {
        let turn = (&part.department, part.dispatched_at);
        by_turn.entry(turn).or_default().push(part);
    }
    let turn = |((department, told_at), parts): ((&DepartmentId, Timestamp), Vec<&Part>)| {
        let over = parts.iter().find(|p| !p.state.is_open()).map(|p| p.at);
        let known_until = over.unwrap_or(as_of_at);
        let step = |at: fn(&Part) -> Option<Timestamp>, due: fn(&Part) -> Timestamp| {
            let done = parts.iter().find(|p| at(p).is_some());
            let due = done.or(parts.last()).map_or(told_at, |p| due(p));
            Timed::new(told_at, done.and_then(|p| at(p)), known_until, due)
        };
        Turn {
            department: department.clone(),
            claim: step(|p| p.claimed_at, |p| p.claim_due),
            arrive: step(|p| p.arrived_at, |p| p.arrive_due),
            finish: step(|p| p.resolved_at, |p| p.resolve_due),
        }
    };
    by_turn.into_iter().map(turn).collect()
}
