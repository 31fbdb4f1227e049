//! How much rang: the load of a seat, after ISA-18.2 / IEC 62682 and EEMUA 191.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;

use super::permille;
use crate::alarm::flood::FLOOD_ABOVE;
use crate::alarm::peak;
use crate::{RuleId, Severity, Timestamp};

/// Minutes over which a peak and a flood are measured.
pub const PERIOD_MIN: i64 = 10;
/// An alarm that goes on for so long is stale.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Sources that are named.
const SOURCES_MAX: usize = 10;

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
    /// Alarms that rang.
    pub rung: u64,
    /// Seats that they were spread over.
    pub seats: u64,
    /// Thousandths of an alarm an hour and seat.
    pub per_hour_and_seat_milli: u64,
    /// Most in any 10 minutes, at all seats together.
    pub peak_10_min: u64,
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
        let (mut sources, mut by_severity) = (BTreeMap::new(), BTreeMap::new());
        let mut stale = 0;
        for now in &rung {
            let since = u64::try_from(now.at.duration_since(from).as_secs()).unwrap_or(0);
            *in_period.entry(since / period_s).or_default() += 1;
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
        Self {
            rung: n,
            seats,
            per_hour_and_seat_milli: (n * 3_600_000)
                .checked_div(span_s * seats)
                .unwrap_or_default(),
            peak_10_min: peak(&times, period),
            periods,
            flood_periods,
            flood_permille: permille(flood_periods, periods),
            stale,
            stale_permille: permille(stale, n),
            top,
            top_10_permille: permille(of_top, n),
            by_severity,
        }
    }
}
