//! How much rang: the load of a seat, after ISA-18.2 / IEC 62682 and EEMUA 191.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;

use super::permille;
use crate::alarm::flood::FLOOD_ABOVE;
use crate::alarm::{busiest, peak};
use crate::{RuleId, Severity, Timestamp};

/// Minutes over which a peak and a flood are measured.
pub const PERIOD_MIN: i64 = 10;
/// An alarm that goes on for so long is stale.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Sources that are named.
const SOURCES_MAX: usize = 10;
/// More alarms at a seat within an hour are a busy hour.
const BUSY_ABOVE: u64 = 30;
/// A span of up to so many hours is told hour by hour, a longer one by days.
const HOURLY_MAX_H: u64 = 48;
/// Parts of a span; what has more days has longer parts.
const STEPS_MAX: u64 = 400;
const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * HOUR_S;
const MONITORING: &str = "ISA-18.2-2016 / IEC 62682:2014, 16";
const PRIORITIES: &str = "EEMUA 191; ISA-18.2-2016 / IEC 62682:2014, 16";

/// An alarm that rang.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// When it rang.
    pub at: Timestamp,
    /// Its rule.
    pub rule: RuleId,
    /// What it is about.
    pub subject: String,
    /// How urgent.
    pub severity: Severity,
    /// Its condition has held since.
    pub active_at: Timestamp,
    /// When it returned.
    pub cleared_at: Option<Timestamp>,
}

/// The load of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Counted up to then: the end of the span, or now while it lasts.
    pub until: Timestamp,
    /// Alarms that rang.
    pub rung: u64,
    /// Seats that they were spread over.
    pub seats: u64,
    /// Thousandths of an alarm an hour and seat.
    pub per_hour_and_seat_milli: u64,
    /// Thousandths of an alarm a day and seat.
    pub per_day_and_seat_milli: u64,
    /// Thousandths of an alarm in 10 minutes at a seat.
    pub per_10_min_and_seat_milli: u64,
    /// Most in any 10 minutes, at all seats together.
    pub peak_10_min: u64,
    /// When the first of those rang.
    pub peak_10_min_at: Option<Timestamp>,
    /// Whole hours from the start of the span, the last cut off.
    pub hours: u64,
    /// Those with more than 30 alarms a seat.
    pub busy_hours: u64,
    /// Of all hours.
    pub busy_hours_permille: Option<u64>,
    /// Whole 10 minutes from the start of the span, the last cut off.
    pub periods: u64,
    /// Those with more than 10 alarms a seat.
    pub flood_periods: u64,
    /// Of all periods.
    pub flood_permille: Option<u64>,
    /// Those that held for more than 24 hours at a stretch.
    pub stale: u64,
    /// Of those that rang.
    pub stale_permille: Option<u64>,
    /// What rang most, and how often.
    pub top: Vec<Source>,
    /// The ten that rang most, of all.
    pub top_10_permille: Option<u64>,
    /// By severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Hour by hour, or day by day.
    pub steps: Vec<Step>,
    /// The same figures beside what the standards ask.
    pub figures: Vec<Figure>,
}

/// A part of the span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its beginning.
    pub from: Timestamp,
    /// Alarms that rang.
    pub rung: u64,
    /// Most in any 10 minutes that lie within it.
    pub peak_10_min: u64,
    /// 10 minutes with more than 10 alarms a seat that began in it.
    pub flood_periods: u64,
}

/// A figure and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// Its name.
    pub figure: &'static str,
    /// What it is; none where nothing rang.
    pub value: Option<u64>,
    /// Very likely to be acceptable.
    pub good: Option<u64>,
    /// The most that can be managed.
    pub at_most: Option<u64>,
    /// Who asks that.
    pub source: &'static str,
}

/// A source of alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its rule.
    pub rule: String,
    /// What it is about.
    pub subject: String,
    /// How often it rang.
    pub n: u64,
}

impl Load {
    /// Of alarms that rang in the half-open span, in any order.
    pub fn of(mut rung: Vec<Rung>, from: Timestamp, to: Timestamp, seats: u64) -> Self {
        let seats = seats.max(1);
        rung.retain(|r| r.at >= from && r.at < to);
        rung.sort_by(|a, b| (a.at, &a.rule, &a.subject).cmp(&(b.at, &b.rule, &b.subject)));
        let n = rung.len() as u64;
        let span_s = u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0);
        let period = SignedDuration::from_mins(PERIOD_MIN);
        let period_s = period.as_secs().unsigned_abs();
        let times: Vec<Timestamp> = rung.iter().map(|r| r.at).collect();
        let mut in_period: BTreeMap<u64, u64> = BTreeMap::new();
        let mut in_hour: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut sources, mut by_severity) = (BTreeMap::new(), BTreeMap::new());
        let mut stale = 0;
        for now in &rung {
            let since = u64::try_from(now.at.duration_since(from).as_secs()).unwrap_or(0);
            *in_period.entry(since / period_s).or_default() += 1;
            *in_hour.entry(since / HOUR_S).or_default() += 1;
            *sources.entry((&now.rule, &now.subject)).or_insert(0_u64) += 1;
            *by_severity.entry(now.severity).or_default() += 1;
            let held = now.cleared_at.unwrap_or(to).duration_since(now.active_at);
            stale += u64::from(held > STALE_AFTER);
        }
        let periods = span_s.div_ceil(period_s);
        let flood = |n: &&u64| **n > FLOOD_ABOVE * seats;
        let flood_periods = in_period.values().filter(flood).count() as u64;
        let mut top: Vec<Source> = sources
            .into_iter()
            .map(|((rule, subject), n)| Source {
                rule: rule.to_string(),
                subject: subject.clone(),
                n,
            })
            .collect();
        // what rang equally often stays in the order of its name
        top.sort_by_key(|source| std::cmp::Reverse(source.n));
        top.truncate(SOURCES_MAX);
        let of_top: u64 = top.iter().map(|source| source.n).sum();
        let hours = span_s.div_ceil(HOUR_S);
        let busy = |n: &&u64| **n > BUSY_ABOVE * seats;
        let busy_hours = in_hour.values().filter(busy).count() as u64;
        let rate = |of_s: u64| {
            (n * of_s * 1000)
                .checked_div(span_s * seats)
                .unwrap_or_default()
        };
        let busiest = busiest(&times, period);
        let flooded: Vec<u64> = in_period
            .iter()
            .filter(|(_, n)| flood(n))
            .map(|(period, _)| period * period_s)
            .collect();
        let mut load = Self {
            until: to,
            rung: n,
            seats,
            per_hour_and_seat_milli: rate(HOUR_S),
            per_day_and_seat_milli: rate(DAY_S),
            per_10_min_and_seat_milli: rate(period_s),
            peak_10_min: busiest.map_or(0, |(most, _)| most),
            peak_10_min_at: busiest.map(|(_, at)| at),
            hours,
            busy_hours,
            busy_hours_permille: permille(busy_hours, hours),
            periods,
            flood_periods,
            flood_permille: permille(flood_periods, periods),
            stale,
            stale_permille: permille(stale, n),
            top,
            top_10_permille: permille(of_top, n),
            by_severity,
            steps: steps(&times, &flooded, from, span_s),
            figures: Vec::new(),
        };
        load.figures = load.beside_targets();
        load
    }

    /// Each figure with its target; rates are of a seat.
    fn beside_targets(&self) -> Vec<Figure> {
        let of = |figure, value, good, at_most, source| Figure {
            figure,
            value,
            good,
            at_most,
            source,
        };
        let share = |severities: &[Severity]| {
            let n = |severity| self.by_severity.get(severity).copied().unwrap_or(0);
            permille(severities.iter().map(n).sum(), self.rung)
        };
        let (m, p) = (MONITORING, PRIORITIES);
        let peak_at_a_seat = self.peak_10_min.div_ceil(self.seats.max(1));
        vec![
            of(
                "per_10_min_and_seat_milli",
                Some(self.per_10_min_and_seat_milli),
                Some(1000),
                Some(2000),
                m,
            ),
            of(
                "per_hour_and_seat_milli",
                Some(self.per_hour_and_seat_milli),
                Some(6000),
                Some(12_000),
                m,
            ),
            of(
                "per_day_and_seat_milli",
                Some(self.per_day_and_seat_milli),
                Some(144_000),
                Some(288_000),
                m,
            ),
            of(
                "peak_10_min_and_seat",
                Some(peak_at_a_seat),
                None,
                Some(FLOOD_ABOVE),
                m,
            ),
            of("flood_permille", self.flood_permille, None, Some(10), m),
            of(
                "busy_hours_permille",
                self.busy_hours_permille,
                None,
                Some(10),
                m,
            ),
            of(
                "top_10_permille",
                self.top_10_permille,
                Some(10),
                Some(50),
                m,
            ),
            of("stale", Some(self.stale), None, Some(4), m),
            of("p1_permille", share(&[Severity::P1]), Some(50), None, p),
            of("p2_permille", share(&[Severity::P2]), Some(150), None, p),
            of(
                "p3_p4_permille",
                share(&[Severity::P3, Severity::P4]),
                Some(800),
                None,
                p,
            ),
        ]
    }
}

/// The span in equal parts, the last cut off. `flooded` are beginnings of 10 minutes, in seconds from its start.
fn steps(times: &[Timestamp], flooded: &[u64], from: Timestamp, span_s: u64) -> Vec<Step> {
    let step_s = if span_s <= HOURLY_MAX_H * HOUR_S {
        HOUR_S
    } else {
        DAY_S * span_s.div_ceil(DAY_S).div_ceil(STEPS_MAX)
    };
    let after = |s: u64| {
        let span = SignedDuration::from_secs(i64::try_from(s).unwrap_or(i64::MAX));
        from.checked_add(span).unwrap_or(Timestamp::MAX)
    };
    let period = SignedDuration::from_mins(PERIOD_MIN);
    let mut parts = Vec::new();
    let mut rest = times;
    for number in 0..span_s.div_ceil(step_s) {
        let (begins_s, ends_s) = (number * step_s, (number + 1) * step_s);
        let (inside, later) = rest.split_at(rest.partition_point(|at| *at < after(ends_s)));
        rest = later;
        let floods = flooded.iter().filter(|s| (begins_s..ends_s).contains(*s));
        parts.push(Step {
            from: after(begins_s),
            rung: inside.len() as u64,
            peak_10_min: peak(inside, period),
            flood_periods: floods.count() as u64,
        });
    }
    parts
}
