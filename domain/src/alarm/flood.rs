//! A flood: more alarms ring than the people at their seats can take in (ISA-18.2 / IEC 62682: more than 10 in 10 minutes at a seat; it is
//! over below 5). While it lasts what is not urgent is folded, one card for a rule and a building; what is urgent never is.

use jiff::SignedDuration;

use crate::{Severity, Timestamp};

/// The time over which the rate is taken.
pub const RATE_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// More than so many alarms a seat within that time are a flood.
pub const FLOOD_ABOVE: u64 = 10;
/// Fewer than so many a seat end it.
pub const CALM_BELOW: u64 = 5;

/// The number of operators' seats, which says how much is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats(u64);

impl Seats {
    /// So many seats; at least one.
    pub fn new(seats: u64) -> Self {
        Self(seats.max(1))
    }

    /// How many there are.
    pub fn count(self) -> u64 {
        self.0
    }

    /// So many alarms within [`RATE_WITHIN`] are a flood, and more are too.
    pub fn flood_from(self) -> u64 {
        FLOOD_ABOVE.saturating_mul(self.0).saturating_add(1)
    }

    /// The alarm whose leaving of the window ends a flood: the so many-th newest.
    pub fn calm_rank(self) -> u64 {
        CALM_BELOW.saturating_mul(self.0)
    }
}

/// When a flood is over, given when the alarm of [`Seats::calm_rank`] rang: none of that rank is as calm as can be.
pub fn calm_at(rank_rang_at: Option<Timestamp>, started_at: Timestamp) -> Timestamp {
    rank_rang_at.map_or(started_at, |at| {
        at.checked_add(RATE_WITHIN).unwrap_or(Timestamp::MAX)
    })
}

/// Since when alarms count at `at`.
pub fn window_start(at: Timestamp) -> Timestamp {
    at.checked_sub(RATE_WITHIN).unwrap_or(Timestamp::MIN)
}

/// Whether a flood folds what is so urgent: P1 and P2 always stand alone.
pub fn folds(severity: Severity) -> bool {
    severity >= Severity::P3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    #[test]
    fn the_limits_grow_with_the_seats_and_there_is_always_one() {
        for (seats, flood_from, calm_rank) in [(0, 11, 5), (1, 11, 5), (2, 21, 10), (3, 31, 15)] {
            let seats = Seats::new(seats);
            assert_eq!(
                (seats.flood_from(), seats.calm_rank()),
                (flood_from, calm_rank),
                "{seats:?}"
            );
        }
    }

    #[test]
    fn a_flood_is_over_when_the_fifth_newest_alarm_is_ten_minutes_old() {
        assert_eq!(calm_at(Some(at(30)), at(0)), at(630));
        assert_eq!(calm_at(None, at(7)), at(7));
    }

    #[test]
    fn only_what_is_not_urgent_is_folded() {
        let folded = [Severity::P1, Severity::P2, Severity::P3, Severity::P4].map(folds);
        assert_eq!(folded, [false, false, true, true]);
    }
}
