//! What a department's quarter is worth: response, solving and satisfaction, adjusted for what it had to deal with.
//!
//! - **Case mix** (indirect standardisation): a department's cases are compared with what the whole station makes of cases of the same
//!   severity, device class and step. `adjusted = station rate × observed ÷ expected`, at most 1000, where `expected` is the sum over
//!   its cases of the station's rate in the case's stratum.
//! - **Few cases** (empirical Bayes with the station as the prior): what is missing to [`FULL_SAMPLE`] cases is filled up with cases of
//!   the station's mean: `(n × adjusted + (10 − n) × station) ÷ 10`. From ten cases on a department stands for itself.
//! - **Score**: the weighted mean of the parts. A part of which the whole station has no case is left out, the others count for more.
//!
//! All rates are thousandths, rounded half up, once, at the end of each line above.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::case::{Case, Timed};
use super::{Scoring, permille};
use crate::incident::{Satisfaction, words};
use crate::{DepartmentId, DeviceClass, Severity};

/// From so many cases on a department stands for itself.
pub const FULL_SAMPLE: u64 = 10;
/// One case, where parts of cases are summed up.
const ONE: u128 = 1_000_000_000;

/// How much each part counts, in hundredths; together 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Claimed and on the scene in time.
    pub response: u8,
    /// Done in time.
    pub solve: u8,
    /// Those concerned are satisfied.
    pub satisfaction: u8,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            response: 30,
            solve: 35,
            satisfaction: 35,
        }
    }
}

/// Where praise begins and where it ends, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on: the red list (红榜), praise.
    pub red_from: u16,
    /// Below: the black list (黑榜).
    pub black_below: u16,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            red_from: 850,
            black_below: 600,
        }
    }
}

words!(
    /// The list that a department is on.
    Rating, "rating":
    /// 红榜: praise.
    Red = "red",
    /// 黄榜: between.
    Yellow = "yellow",
    /// 黑榜: to be explained.
    Black = "black",
);

/// One part of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Cases that are decided.
    pub n: u64,
    /// Those that went well.
    pub good: u64,
    /// As it is.
    pub raw: Option<u64>,
    /// Adjusted for what the department had to deal with.
    pub adjusted: Option<u64>,
    /// What counts: filled up with cases of the station's mean where there are few; none when the station has none.
    pub counted: Option<u64>,
}

/// What a department is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// The same for the same score.
    pub rank: u64,
    /// Which.
    pub department: String,
    /// 0 to 1000; none when nothing can be said.
    pub score: Option<u64>,
    /// The list it is on.
    pub rating: Option<Rating>,
    /// Claimed and on the scene in time.
    pub response: Component,
    /// Done in time.
    pub solve: Component,
    /// Satisfied of answered.
    pub satisfaction: Component,
}

/// What is comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stratum {
    severity: Severity,
    class: DeviceClass,
    /// Claim or arrival are different things.
    step: u8,
}

/// Cases and good ones.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    n: u64,
    good: u64,
}

impl Tally {
    fn add(&mut self, is_good: bool) {
        self.n += 1;
        self.good += u64::from(is_good);
    }
}

/// One part of the score for all departments.
#[derive(Default)]
struct Part {
    strata: BTreeMap<Stratum, Tally>,
    departments: BTreeMap<DepartmentId, BTreeMap<Stratum, Tally>>,
    all: Tally,
}

impl Part {
    fn add(&mut self, department: &DepartmentId, stratum: Stratum, is_good: Option<bool>) {
        let Some(is_good) = is_good else { return };
        self.all.add(is_good);
        self.strata.entry(stratum).or_default().add(is_good);
        let own = self.departments.entry(department.clone()).or_default();
        own.entry(stratum).or_default().add(is_good);
    }

    fn component(&self, department: &DepartmentId) -> Component {
        let (mut own, mut expected) = (Tally::default(), 0_u128);
        for (stratum, tally) in self.departments.get(department).into_iter().flatten() {
            own.n += tally.n;
            own.good += tally.good;
            let station = self.strata.get(stratum).copied().unwrap_or_default();
            let share = u128::from(tally.n) * u128::from(station.good) * ONE;
            expected += half_up(share, u128::from(station.n));
        }
        let raw = permille(own.good, own.n);
        let station = permille(self.all.good, self.all.n);
        let adjusted = raw.map(|raw| {
            if expected == 0 {
                return raw;
            }
            let observed = u128::from(own.good) * ONE * 1000 * u128::from(self.all.good);
            let adjusted = half_up(observed, expected * u128::from(self.all.n));
            u64::try_from(adjusted).unwrap_or(1000).min(1000)
        });
        let counted = station.map(|station| match adjusted {
            Some(adjusted) if own.n >= FULL_SAMPLE => adjusted,
            Some(adjusted) => {
                let filled = own.n * adjusted + (FULL_SAMPLE - own.n) * station;
                (2 * filled + FULL_SAMPLE) / (2 * FULL_SAMPLE)
            }
            None => station,
        });
        Component {
            n: own.n,
            good: own.good,
            raw,
            adjusted,
            counted,
        }
    }
}

fn half_up(part: u128, whole: u128) -> u128 {
    if whole == 0 {
        return 0;
    }
    (part + whole / 2) / whole
}

/// All departments that had a turn or led an incident, the best first.
pub(super) fn score(cases: &[Case], scoring: Scoring) -> Vec<Score> {
    let (mut response, mut solve, mut satisfaction) =
        (Part::default(), Part::default(), Part::default());
    let mut departments: BTreeSet<&DepartmentId> = BTreeSet::new();
    for case in cases {
        let stratum = |step| Stratum {
            severity: case.severity,
            class: case.class,
            step,
        };
        departments.insert(&case.lead);
        for turn in &case.turns {
            departments.insert(&turn.department);
            for (step, timed) in [(0, turn.claim), (1, turn.arrive)] {
                response.add(&turn.department, stratum(step), Timed::in_time(timed));
            }
            solve.add(&turn.department, stratum(0), turn.finish.in_time());
        }
        let is_good = case.answer.map(|said| said == Satisfaction::Satisfied);
        satisfaction.add(&case.lead, stratum(0), is_good);
    }
    let mut scores: Vec<Score> = departments
        .into_iter()
        .map(|department| {
            let parts = [
                response.component(department),
                solve.component(department),
                satisfaction.component(department),
            ];
            let score = weigh(&parts, scoring.weights);
            let [response, solve, satisfaction] = parts;
            Score {
                rank: 0,
                department: department.to_string(),
                score,
                rating: score.map(|score| rating(score, scoring.thresholds)),
                response,
                solve,
                satisfaction,
            }
        })
        .collect();
    scores.sort_by(|a, b| (b.score, &a.department).cmp(&(a.score, &b.department)));
    for position in 0..scores.len() {
        scores[position].rank = match position.checked_sub(1).map(|before| &scores[before]) {
            Some(before) if before.score == scores[position].score => before.rank,
            _ => position as u64 + 1,
        };
    }
    scores
}

fn weigh(parts: &[Component; 3], weights: Weights) -> Option<u64> {
    let weights = [weights.response, weights.solve, weights.satisfaction].map(u64::from);
    let counted = parts.iter().zip(weights);
    let counted: Vec<(u64, u64)> = counted
        .filter_map(|(part, weight)| Some((part.counted?, weight)))
        .collect();
    let whole: u64 = counted.iter().map(|(_, weight)| weight).sum();
    let sum: u64 = counted.iter().map(|(part, weight)| part * weight).sum();
    (whole > 0).then(|| (2 * sum + whole) / (2 * whole))
}

fn rating(score: u64, thresholds: Thresholds) -> Rating {
    if score >= u64::from(thresholds.red_from) {
        Rating::Red
    } else if score < u64::from(thresholds.black_below) {
        Rating::Black
    } else {
        Rating::Yellow
    }
}
