//! The figures of a group, and all groups together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::case::{Case, Standing, Timed, Turn};
use super::score::{Score, score};
use super::{By, Curve, Observed, Percentile, Query, Record, Scoring, permille};
use crate::incident::{Satisfaction, Verdict, words};
use crate::{DepartmentId, Severity, Timestamp, ZoneId};

/// The group of what has no zone, or one that the registry does not know.
const UNKNOWN: &str = "unknown";

words!(
    /// What is timed.
    Stage, "timed stage":
    /// An incident: from opening to the first person who saw it.
    Acknowledge = "acknowledge",
    /// A department's turn: from being told to somebody taking it.
    Claim = "claim",
    /// A department's turn: from being told to somebody on the scene.
    Arrive = "arrive",
    /// A department's turn: from being told to done.
    Finish = "finish",
    /// An incident: from opening to resolved, of the first round.
    Resolve = "resolve",
);

/// How long one step took, and how often in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Which.
    pub stage: Stage,
    /// Of this severity only; of all where none is said.
    pub severity: Option<Severity>,
    /// Steps.
    pub n: u64,
    /// Those that had not ended.
    pub censored: u64,
    /// The area under the curve.
    pub mean: Option<Percentile>,
    /// Half of them.
    pub p50: Option<Percentile>,
    /// Nine of ten.
    pub p90: Option<Percentile>,
    /// Nineteen of twenty.
    pub p95: Option<Percentile>,
    /// In time.
    pub in_time: u64,
    /// Too late, or due and not done.
    pub late: u64,
    /// Neither yet.
    pub undecided: u64,
    /// In time of those that are decided.
    pub in_time_permille: Option<u64>,
}

impl Measured {
    fn of(stage: Stage, severity: Option<Severity>, timed: &[Timed]) -> Self {
        let curve = Curve::of(timed.iter().map(|t| t.seen).collect());
        let (n, censored) = curve.counts();
        let count =
            |verdict: Option<bool>| timed.iter().filter(|t| t.in_time() == verdict).count() as u64;
        let (in_time, late) = (count(Some(true)), count(Some(false)));
        Self {
            stage,
            severity,
            n,
            censored,
            mean: curve.mean(),
            p50: curve.percentile(50),
            p90: curve.percentile(90),
            p95: curve.percentile(95),
            in_time,
            late,
            undecided: count(None),
            in_time_permille: permille(in_time, in_time + late),
        }
    }
}

/// How it ended and what was said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Quality {
    /// Incidents that were resolved at least once.
    pub resolved: u64,
    /// Those that were something.
    pub genuine: u64,
    /// Those that were nothing.
    pub false_alarms: u64,
    /// Those of which nobody said what they were: in neither.
    pub cause_unknown: u64,
    /// False of those with a cause.
    pub false_permille: Option<u64>,
    /// With a cause of those that were resolved.
    pub cause_known_permille: Option<u64>,
    /// Opened again at least once.
    pub reopened: u64,
    /// Of those that were resolved.
    pub reopened_permille: Option<u64>,
    /// "Not ours".
    pub hand_backs: u64,
    /// Claims that lapsed.
    pub lapses: u64,
    /// Those that put it right after a reminder, nobody had to make them.
    pub self_corrected: u64,
    /// Of those that were something.
    pub self_corrected_permille: Option<u64>,
    /// Whose people were asked whether it is settled.
    pub asked: u64,
    /// Who answered; the last answer counts.
    pub answered: u64,
    /// Who was satisfied.
    pub satisfied: u64,
    /// Answered of asked.
    pub answered_permille: Option<u64>,
    /// Satisfied of answered.
    pub satisfied_permille: Option<u64>,
}

/// What one department, place or rule came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its id; `unknown` for what has no such place.
    pub name: String,
    /// Incidents that count; of a department, those that it led.
    pub incidents: u64,
    /// Of those, by severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Turns of departments in the group.
    pub turns: u64,
    /// Times, of all severities and of each.
    pub times: Vec<Measured>,
    /// How it ended.
    pub quality: Quality,
}

/// A P1 that no person acknowledged in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Its number.
    pub number: u64,
    /// Which rule.
    pub rule: String,
    /// Who led.
    pub lead: String,
    /// So long until a person saw it, or so long nobody did.
    pub waited: Percentile,
}

/// What does not count, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Opened in a declared drill.
    pub drill: u64,
    /// Cancelled: test, drill, duplicate.
    pub cancelled: u64,
    /// Went on under another number.
    pub merged: u64,
    /// Resolved as test, drill or duplicate.
    pub void: u64,
}

/// Everything that is computed from the record. Its canonical bytes are the same for the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ranking {
    /// The last row of the audit trail that counts.
    pub as_of: i64,
    /// When it was written.
    pub as_of_at: String,
    /// Opened then or later.
    pub from: String,
    /// Opened before.
    pub to: String,
    /// What is compared.
    pub by: By,
    /// All groups together.
    pub total: Group,
    /// By name.
    pub groups: Vec<Group>,
    /// What does not count.
    pub left_out: LeftOut,
    /// By number.
    pub missed_p1: Vec<Missed>,
    /// Of departments: the best first.
    pub scores: Vec<Score>,
    /// How they were scored.
    pub scoring: Scoring,
    /// By micro-grid: which zones were in which, as a hash that whoever knows the registry sets.
    pub places_sha256: Option<String>,
}

/// Computes everything. `grid_of` says which micro-grid a zone belongs to; it is asked for nothing else.
pub fn rank(
    record: &Record,
    query: Query,
    scoring: Scoring,
    grid_of: impl Fn(&ZoneId) -> Option<String>,
) -> Ranking {
    let in_span = |at: Timestamp| at >= query.from && at < query.to;
    let mut cases: Vec<Case> = record
        .incidents
        .iter()
        .filter(|incident| in_span(incident.opened_at))
        .filter_map(|incident| Case::of(incident, record.as_of, record.as_of_at))
        .collect();
    cases.sort_by_key(|case| case.number);
    let mut left_out = LeftOut::default();
    for case in &cases {
        match case.standing {
            Standing::Counted => {}
            Standing::Drill => left_out.drill += 1,
            Standing::Cancelled => left_out.cancelled += 1,
            Standing::Merged => left_out.merged += 1,
            Standing::Void => left_out.void += 1,
        }
    }
    cases.retain(|case| case.standing == Standing::Counted);

    let mut heaps: BTreeMap<String, Heap<'_>> = BTreeMap::new();
    let mut all = Heap::default();
    for case in &cases {
        let name = match query.by {
            By::Department => case.lead.to_string(),
            By::MicroGrid => {
                let grid = case.zone.as_ref().and_then(&grid_of);
                grid.unwrap_or_else(|| UNKNOWN.to_owned())
            }
            By::Quarter => case.site.to_string(),
            By::Rule => case.rule.to_string(),
        };
        for turn in &case.turns {
            let whose = match query.by {
                By::Department => turn.department.to_string(),
                _ => name.clone(),
            };
            let (heap, item) = (heaps.entry(whose).or_default(), (case, turn));
            heap.turns.push(item);
            all.turns.push(item);
        }
        heaps.entry(name).or_default().cases.push(case);
        all.cases.push(case);
    }
    let moment = |at: Timestamp| format!("{at:.3}");
    Ranking {
        as_of: record.as_of,
        as_of_at: moment(record.as_of_at),
        from: moment(query.from),
        to: moment(query.to),
        by: query.by,
        total: all.group("", None),
        groups: heaps
            .iter()
            .map(|(name, heap)| {
                let only = (query.by == By::Department).then_some(name.as_str());
                heap.group(name, only)
            })
            .collect(),
        left_out,
        missed_p1: cases.iter().filter_map(missed).collect(),
        scores: match query.by {
            By::Department => score(&cases, scoring),
            _ => Vec::new(),
        },
        scoring,
        places_sha256: None,
    }
}

fn missed(case: &Case) -> Option<Missed> {
    Some(Missed {
        number: case.number,
        rule: case.rule.to_string(),
        lead: case.lead.to_string(),
        waited: match case.missed? {
            Observed::Ended(ms) => Percentile::Ms(ms),
            Observed::Censored(ms) => Percentile::MoreThanMs(ms),
        },
    })
}

/// What belongs to a group.
#[derive(Default)]
struct Heap<'a> {
    cases: Vec<&'a Case>,
    turns: Vec<(&'a Case, &'a Turn)>,
}

impl Heap<'_> {
    /// `only`: hand-backs and lapses are counted of this department, else of all.
    fn group(&self, name: &str, only: Option<&str>) -> Group {
        let mut by_severity = BTreeMap::new();
        for case in &self.cases {
            *by_severity.entry(case.severity).or_insert(0) += 1;
        }
        let mut times = Vec::new();
        for stage in Stage::ALL {
            let timed = self.timed(*stage);
            let each = [Severity::P1, Severity::P2, Severity::P3, Severity::P4].map(Some);
            for severity in std::iter::once(None).chain(each) {
                let of_it = timed
                    .iter()
                    .filter(|(s, _)| severity.is_none_or(|severity| severity == *s));
                let of_it: Vec<Timed> = of_it.map(|(_, timed)| *timed).collect();
                if !of_it.is_empty() {
                    times.push(Measured::of(*stage, severity, &of_it));
                }
            }
        }
        Group {
            name: name.to_owned(),
            incidents: self.cases.len() as u64,
            by_severity,
            turns: self.turns.len() as u64,
            times,
            quality: self.quality(only),
        }
    }

    fn timed(&self, stage: Stage) -> Vec<(Severity, Timed)> {
        let of_case = |get: fn(&Case) -> Timed| {
            let timed = self.cases.iter().map(|case| (case.severity, get(case)));
            timed.collect()
        };
        let of_turn = |get: fn(&Turn) -> Timed| {
            let timed = self
                .turns
                .iter()
                .map(|(case, turn)| (case.severity, get(turn)));
            timed.collect()
        };
        match stage {
            Stage::Acknowledge => of_case(|case| case.acknowledge),
            Stage::Resolve => of_case(|case| case.resolve),
            Stage::Claim => of_turn(|turn| turn.claim),
            Stage::Arrive => of_turn(|turn| turn.arrive),
            Stage::Finish => of_turn(|turn| turn.finish),
        }
    }

    fn quality(&self, only: Option<&str>) -> Quality {
        let count =
            |is: &dyn Fn(&Case) -> bool| self.cases.iter().filter(|case| is(case)).count() as u64;
        // a department's hand-backs are mostly of incidents that others lead in the end
        let with_turn: BTreeMap<u64, &Case> = self
            .turns
            .iter()
            .map(|(case, _)| (case.number, *case))
            .collect();
        let sum = |get: fn(&Case) -> &BTreeMap<DepartmentId, u64>| {
            let of = with_turn.values().flat_map(|case| get(case));
            of.filter(|(department, _)| only.is_none_or(|only| department.as_str() == only))
                .map(|(_, n)| n)
                .sum()
        };
        let resolved = count(&|c| c.is_resolved);
        let genuine = count(&|c| c.verdict == Some(Verdict::Genuine));
        let false_alarms = count(&|c| c.verdict == Some(Verdict::False));
        let reopened = count(&|c| c.reopened > 0);
        let self_corrected = count(&|c| c.is_by_reminder);
        let asked = count(&|c| c.is_asked || c.answer.is_some());
        let answered = count(&|c| c.answer.is_some());
        let satisfied = count(&|c| c.answer == Some(Satisfaction::Satisfied));
        Quality {
            resolved,
            genuine,
            false_alarms,
            cause_unknown: resolved - genuine - false_alarms,
            false_permille: permille(false_alarms, genuine + false_alarms),
            cause_known_permille: permille(genuine + false_alarms, resolved),
            reopened,
            reopened_permille: permille(reopened, resolved),
            hand_backs: sum(|case| &case.hand_backs),
            lapses: sum(|case| &case.lapses),
            self_corrected,
            self_corrected_permille: permille(self_corrected, genuine),
            asked,
            answered,
            satisfied,
            answered_permille: permille(answered, asked),
            satisfied_permille: permille(satisfied, answered),
        }
    }
}
