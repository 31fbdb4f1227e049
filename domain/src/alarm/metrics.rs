//! How busy the seats are: the metrics of OPC UA Part 9 (OPC 10000-9, clause 9.2 `AlarmMetricsType`), with its names.

use jiff::SignedDuration;
use serde::Serialize;

use super::flood::{RATE_WITHIN, Seats, window_start};
use crate::Timestamp;

/// An alarm that rang, as far as metrics go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rang {
    /// When it rang.
    pub at: Timestamp,
    /// Its condition has held since.
    pub active_at: Timestamp,
    /// When that ended.
    pub cleared_at: Option<Timestamp>,
    /// When a person had seen it, or nobody needs to any more.
    pub acknowledged_at: Option<Timestamp>,
    /// How often it was found again while its episode went on.
    pub again: u64,
}

/// Metrics since a moment. Rates are alarms in 10 minutes at one seat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlarmMetrics {
    /// Alarms that rang since `start_time`, at all seats.
    pub alarm_count: u64,
    /// From when on they count.
    pub start_time: Timestamp,
    /// The longest that an alarm was active, in seconds.
    pub maximum_active_state: f64,
    /// The longest that an alarm waited for a person, in seconds.
    pub maximum_un_ack: f64,
    /// In the last 10 minutes.
    pub current_alarm_rate: f64,
    /// In any 10 minutes.
    pub maximum_alarm_rate: f64,
    /// On average.
    pub average_alarm_rate: f64,
    /// The most repeats of one alarm.
    pub maximum_re_alarm_count: u64,
}

impl AlarmMetrics {
    /// Of alarms in any order, as things stand at `now`; those outside the half-open span do not count.
    pub fn of(mut rang: Vec<Rang>, start: Timestamp, now: Timestamp, seats: Seats) -> Self {
        rang.retain(|rang| rang.at >= start && rang.at <= now);
        rang.sort_by_key(|rang| rang.at);
        let times: Vec<Timestamp> = rang.iter().map(|rang| rang.at).collect();
        let since = window_start(now);
        let current = times.iter().filter(|at| **at > since).count() as u64;
        let longest = |lasted: fn(&Rang, Timestamp) -> SignedDuration| {
            let lasted = rang.iter().map(|rang| lasted(rang, now));
            lasted
                .max()
                .map_or(0.0, |longest| longest.as_secs_f64().max(0.0))
        };
        let per_seat = |n: u64| n as f64 / seats.count() as f64;
        // less than ten minutes of record say nothing about ten minutes
        let span = now.duration_since(start).max(RATE_WITHIN);
        Self {
            alarm_count: times.len() as u64,
            start_time: start,
            maximum_active_state: longest(|rang, now| {
                rang.cleared_at
                    .unwrap_or(now)
                    .duration_since(rang.active_at)
            }),
            maximum_un_ack: longest(|rang, now| {
                rang.acknowledged_at.unwrap_or(now).duration_since(rang.at)
            }),
            current_alarm_rate: per_seat(current),
            maximum_alarm_rate: per_seat(peak(&times, RATE_WITHIN)),
            average_alarm_rate: per_seat(times.len() as u64) * RATE_WITHIN.as_secs_f64()
                / span.as_secs_f64(),
            maximum_re_alarm_count: rang.iter().map(|rang| rang.again).max().unwrap_or(0),
        }
    }
}

/// Most in any stretch of `within`, of times in order.
pub(crate) fn peak(times: &[Timestamp], within: SignedDuration) -> u64 {
    busiest(times, within).map_or(0, |(count, _)| count)
}

/// The same, and when the first of those was; none of nothing.
pub(crate) fn busiest(times: &[Timestamp], within: SignedDuration) -> Option<(u64, Timestamp)> {
    let (mut found, mut first) = (None, 0);
    for (position, now) in times.iter().enumerate() {
        while now.duration_since(times[first]) >= within {
            first += 1;
        }
        let count = (position - first + 1) as u64;
        if found.is_none_or(|(most, _)| count > most) {
            found = Some((count, times[first]));
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn rang(second: i64) -> Rang {
        Rang {
            at: at(second),
            active_at: at(second),
            cleared_at: Some(at(second + 1)),
            acknowledged_at: Some(at(second + 2)),
            again: 0,
        }
    }

    #[test]
    fn nothing_rang_is_all_zero() {
        let metrics = AlarmMetrics::of(Vec::new(), at(0), at(3600), Seats::new(1));
        assert_eq!(metrics.alarm_count, 0);
        assert_eq!(metrics.maximum_alarm_rate, 0.0);
        assert_eq!(metrics.maximum_un_ack, 0.0);
    }

    #[test]
    fn rates_are_of_ten_minutes_and_one_seat() {
        // 30 in the first minute, 2 in the last
        let first = (0..30).map(|n| rang(n * 2));
        let last = [rang(3500), rang(3550)];
        let all: Vec<Rang> = first.chain(last).collect();
        let metrics = AlarmMetrics::of(all, at(0), at(3600), Seats::new(2));
        assert_eq!(metrics.alarm_count, 32);
        assert_eq!(metrics.current_alarm_rate, 1.0);
        assert_eq!(metrics.maximum_alarm_rate, 15.0);
        let average = 32.0 / 2.0 / 6.0;
        assert!(
            (metrics.average_alarm_rate - average).abs() < 1e-9,
            "{metrics:?}"
        );
    }

    #[test]
    fn what_still_goes_on_counts_until_now() {
        let waiting = Rang {
            cleared_at: None,
            acknowledged_at: None,
            again: 4,
            ..rang(100)
        };
        let metrics = AlarmMetrics::of(vec![rang(0), waiting], at(0), at(700), Seats::new(1));
        assert_eq!(metrics.maximum_active_state, 600.0);
        assert_eq!(metrics.maximum_un_ack, 600.0);
        assert_eq!(metrics.maximum_re_alarm_count, 4);
    }

    #[test]
    fn what_rang_outside_the_span_does_not_count() {
        let all = vec![rang(-1), rang(0), rang(50), rang(101)];
        let metrics = AlarmMetrics::of(all, at(0), at(100), Seats::new(1));
        assert_eq!(metrics.alarm_count, 2);
    }

    #[test]
    fn a_short_record_is_not_stretched() {
        let metrics = AlarmMetrics::of(vec![rang(0)], at(0), at(6), Seats::new(1));
        assert_eq!(metrics.average_alarm_rate, 1.0);
    }
}
