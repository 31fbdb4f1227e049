//! The duty book in figures: hours of the log that have a line, and changes of shift that were handed over on time.
//!
//! Lines hold the changes of shift at the desk that the roster had when they were written, so that a roster of today does not judge a
//! shift of last year.

use jiff::SignedDuration;
use serde::Serialize;

use super::{Query, permille};
use crate::Timestamp;
use crate::duty_book::{Hours, LATE_AFTER, ON_TIME_WITHIN, is_on_time};

/// Changes of shift that are named.
const NAMED_MAX: usize = 100;

/// What the duty book holds of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DutyRecord {
    /// The book is whole until then: the end of the last line before the span, or its beginning; none while there is no book.
    pub written_to: Option<Timestamp>,
    /// Lines that begin in the span, the oldest first.
    pub lines: Vec<LogLine>,
    /// When handovers were completed, in any order: in the span, and for as long before and after as is on time.
    pub handed_over: Vec<Timestamp>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which hours it is of.
    pub hours: Hours,
    /// It was made up for.
    pub is_late: bool,
    /// Changes of shift at the desk in its hours.
    pub changes: Vec<Timestamp>,
}

/// The duty book of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// Lines that were written.
    pub lines: u64,
    /// Of those, more than five minutes after their hours.
    pub lines_late: u64,
    /// Hours that are over and have no line.
    pub lines_missing: u64,
    /// Changes of shift at the desk whose quarter of an hour is over.
    pub changes: u64,
    /// Of those, with a handover that was complete within a quarter of an hour before or after.
    pub on_time: u64,
    /// On time, of all.
    pub on_time_permille: Option<u64>,
    /// Those that were not, the oldest first; at most 100.
    pub not_on_time: Vec<Timestamp>,
}

impl Duty {
    /// Of the span that is asked for, as it is known at `now`. `every`: what a line covers.
    pub fn of(record: &DutyRecord, query: Query, now: Timestamp, every: SignedDuration) -> Self {
        let mut duty = Self::default();
        let mut written_to = record.written_to;
        for line in &record.lines {
            duty.lines += 1;
            duty.lines_late += u64::from(line.is_late);
            if let Some(to) = written_to {
                duty.lines_missing += begun(to, line.hours.from, query, every);
            }
            written_to = written_to.max(Some(line.hours.to));
            for change in &line.changes {
                duty.change(*change, record, now);
            }
        }
        if let Some(to) = written_to {
            // what is over for no longer is not late, and written any moment
            let late = LATE_AFTER + SignedDuration::from_micros(1);
            let due = now.checked_sub(late).unwrap_or(now);
            duty.lines_missing += begun(to, Hours::around(due, every).from, query, every);
        }
        duty.on_time_permille = permille(duty.on_time, duty.changes);
        duty
    }

    fn change(&mut self, change: Timestamp, record: &DutyRecord, now: Timestamp) {
        if now.duration_since(change) <= ON_TIME_WITHIN {
            return;
        }
        self.changes += 1;
        if record
            .handed_over
            .iter()
            .any(|at| is_on_time(&[change], *at))
        {
            self.on_time += 1;
        } else if self.not_on_time.len() < NAMED_MAX {
            self.not_on_time.push(change);
        }
    }
}

/// How many hours of the log begin in a stretch without lines and in the span: at the beginning of the stretch, and at each whole
/// multiple of `every` in it.
fn begun(from: Timestamp, to: Timestamp, query: Query, every: SignedDuration) -> u64 {
    let every_us = every.as_secs().max(1).saturating_mul(1_000_000);
    let nth = |at: Timestamp| at.as_microsecond().div_euclid(every_us);
    let is_whole = |at: Timestamp| at.as_microsecond().rem_euclid(every_us) == 0;
    // the first whole multiple that is not before
    let next = |at: Timestamp| nth(at) + i64::from(!is_whole(at));
    let (begins, ends) = (from.max(query.from), to.min(query.to));
    if begins >= ends {
        return 0;
    }
    let whole = (next(ends) - next(begins)).unsigned_abs();
    // after a change of the setting the first hour begins in between
    whole + u64::from(begins == from && !is_whole(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kpi::By;

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn line(from: i64, to: i64, changes: &[i64]) -> LogLine {
        LogLine {
            hours: Hours {
                from: at(from * HOUR),
                to: at(to * HOUR),
            },
            is_late: false,
            changes: changes.iter().map(|second| at(*second)).collect(),
        }
    }

    fn duty(record: &DutyRecord, (from, to): (i64, i64), now: i64) -> Duty {
        let query = Query {
            from: at(from * HOUR),
            to: at(to * HOUR),
            by: By::Department,
        };
        Duty::of(record, query, at(now), SignedDuration::from_hours(2))
    }

    fn check_missing(written_to: i64, lines: &[(i64, i64)], span: (i64, i64), now: i64, n: u64) {
        let record = DutyRecord {
            written_to: Some(at(written_to * HOUR)),
            lines: lines.iter().map(|(f, t)| line(*f, *t, &[])).collect(),
            handed_over: Vec::new(),
        };
        let found = duty(&record, span, now);
        assert_eq!(found.lines_missing, n, "{lines:?} {span:?} at {now}");
        assert_eq!(found.lines, lines.len() as u64);
    }

    #[test]
    fn hours_without_a_line_are_counted_within_lines_before_and_behind_them() {
        let day = (0, 24);
        let later = 30 * HOUR;
        let whole: Vec<(i64, i64)> = (0..12).map(|n| (2 * n, 2 * n + 2)).collect();
        check_missing(0, &whole, day, later, 0);
        check_missing(0, &[&whole[..3], &whole[5..]].concat(), day, later, 2);
        check_missing(0, &whole[4..], day, later, 4);
        check_missing(0, &whole[..9], day, later, 3);
        check_missing(0, &[], day, later, 12);
        // the book began in the middle of the span; there was none before
        check_missing(20, &[], day, later, 2);
        // what begins in the span counts, wherever the span is cut
        check_missing(0, &[], (3, 9), later, 3);
        check_missing(0, &[], (24, 48), 25 * HOUR, 0);
        // the last hours: not over, over and about to be written, forgotten
        check_missing(0, &whole[..11], day, 24 * HOUR - 1, 0);
        check_missing(0, &whole[..11], day, 24 * HOUR + 300, 0);
        check_missing(0, &whole[..11], day, 24 * HOUR + 301, 1);
        // lines of one hour, then of two: 9 to 10 is a line of its own
        check_missing(9, &[], (0, 14), later, 3);
        assert_eq!(duty(&DutyRecord::default(), day, later), Duty::default());
    }

    #[test]
    fn a_change_of_shift_is_on_time_with_a_handover_in_its_quarter_of_an_hour() {
        let (eight, sixteen, midnight) = (8 * HOUR, 16 * HOUR, 24 * HOUR - 1);
        let mut record = DutyRecord {
            written_to: Some(at(0)),
            lines: vec![line(8, 10, &[eight]), line(16, 18, &[sixteen])],
            handed_over: vec![at(eight - 900), at(sixteen + 901)],
        };
        record.lines[1].is_late = true;
        let found = duty(&record, (0, 24), midnight);
        assert_eq!((found.lines, found.lines_late), (2, 1));
        assert_eq!((found.changes, found.on_time), (2, 1));
        assert_eq!(found.on_time_permille, Some(500));
        assert_eq!(found.not_on_time, [at(sixteen)]);
        record.handed_over.push(at(sixteen + 900));
        let found = duty(&record, (0, 24), midnight);
        assert_eq!(found.on_time_permille, Some(1000));
        assert_eq!(found.not_on_time, []);
        // while the quarter of an hour goes on nobody is late
        let found = duty(&record, (0, 24), sixteen + 900);
        assert_eq!((found.changes, found.on_time), (1, 1));
        assert_eq!(duty(&record, (0, 24), 0).on_time_permille, None);
    }
}
