//! What was held back in a span: shelves that people made, maintenance windows, and alarms that were over before they could ring.

use jiff::SignedDuration;
use serde::Serialize;

use crate::Timestamp;

/// What ended by itself, and later than this after its hour, was overdue.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What the record holds of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldRecord {
    /// Shelves that were made in the span.
    pub shelves: Vec<Shelving>,
    /// When the maintenance windows that began in the span should have ended, and did.
    pub windows: Vec<(Timestamp, Option<Timestamp>)>,
    /// Alarms that came in the span and never rang because of their cause.
    pub suppressed: u64,
    /// Alarms that came in the span and never rang because of a maintenance window.
    pub out_of_service: u64,
}

/// A shelf that somebody made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelving {
    /// Until when.
    pub until: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Somebody said why.
    pub has_reason: bool,
}

/// What was held back in a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Shelves that were made.
    pub shelves: u64,
    /// Of those, more than a minute past their hour.
    pub shelves_overdue: u64,
    /// Of those, without a reason.
    pub shelves_without_reason: u64,
    /// Maintenance windows that began.
    pub windows: u64,
    /// Of those, more than a minute past their hour.
    pub windows_overdue: u64,
    /// Alarms that never rang because of their cause.
    pub suppressed: u64,
    /// Alarms that never rang because of a maintenance window.
    pub out_of_service: u64,
}

impl Held {
    /// As it is known at `now`.
    pub fn of(record: &HeldRecord, now: Timestamp) -> Self {
        let is_overdue = |until: Timestamp, ended_at: Option<Timestamp>| {
            ended_at.unwrap_or(now).duration_since(until) > OVERDUE_AFTER
        };
        let shelves =
            |of: &dyn Fn(&&Shelving) -> bool| record.shelves.iter().filter(of).count() as u64;
        let late = record
            .windows
            .iter()
            .filter(|(until, ended_at)| is_overdue(*until, *ended_at));
        Self {
            shelves: record.shelves.len() as u64,
            shelves_overdue: shelves(&|s| is_overdue(s.until, s.ended_at)),
            shelves_without_reason: shelves(&|s| !s.has_reason),
            windows: record.windows.len() as u64,
            windows_overdue: late.count() as u64,
            suppressed: record.suppressed,
            out_of_service: record.out_of_service,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_past_its_hour_is_overdue_whether_it_has_ended_or_not() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let shelf = |until, ended_at: Option<i64>| Shelving {
            until: at(until),
            ended_at: ended_at.map(at),
            has_reason: until != 400,
        };
        let record = HeldRecord {
            shelves: vec![
                shelf(100, Some(50)),
                shelf(100, Some(160)),
                shelf(100, Some(161)),
                shelf(400, None),
            ],
            windows: vec![(at(100), None), (at(500), None)],
            suppressed: 2,
            out_of_service: 1,
        };
        let held = Held::of(&record, at(460));
        assert_eq!((held.shelves, held.shelves_overdue), (4, 1));
        assert_eq!(held.shelves_without_reason, 1);
        assert_eq!((held.windows, held.windows_overdue), (2, 1));
        assert_eq!((held.suppressed, held.out_of_service), (2, 1));
        let later = Held::of(&record, at(561));
        assert_eq!((later.shelves_overdue, later.windows_overdue), (2, 2));
    }
}
