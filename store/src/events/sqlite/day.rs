//! A day of UTC and the name of its file.

use std::fmt;

use domain::Timestamp;
use domain::privacy::Surroundings;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const SECONDS: i64 = 86_400;

/// A day of UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(pub(super) i64);

impl Day {
    /// Where a cursor is kept while no event was ever stored.
    pub(super) const EPOCH: Self = Self(0);

    pub(super) fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(SECONDS))
    }
    pub(super) fn before(self) -> Self {
        Self(self.0 - 1)
    }
    pub(super) fn after(self) -> Self {
        Self(self.0 + 1)
    }
    /// Whether something of this day is around an incident.
    pub(super) fn touches(self, around: &Surroundings) -> bool {
        let (from, until) = around.span();
        self >= Self::of(from) && until.is_none_or(|until| self <= Self::of(until))
    }
    pub(super) fn first_hour(self) -> i64 {
        self.0 * 24
    }
    pub(super) fn file_name(self) -> String {
        format!("events-{self}.db")
    }
    /// Back from [`file_name`](Self::file_name); `None` for any other file.
    pub(super) fn from_file_name(name: &str) -> Option<Self> {
        let date = name.strip_prefix("events-")?.strip_suffix(".db")?;
        let date: Date = date.parse().ok()?;
        let day = Self::of(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
        (day.file_name() == name).then_some(day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = Timestamp::from_second(self.0.saturating_mul(SECONDS)).unwrap_or_default();
        start.to_zoned(TimeZone::UTC).date().fmt(f)
    }
}

/// Hours since 1970-01-01T00:00Z.
pub(super) fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3_600)
}

/// The first whole hour that is not before `at`.
pub(super) fn hour_after(at: Timestamp) -> i64 {
    let hour = hour_of(at);
    let whole = Timestamp::from_second(hour * 3_600).is_ok_and(|start| start == at);
    if whole { hour } else { hour + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_by_its_date_and_found_again() {
        let at: Timestamp = "2026-11-23T23:59:59.999Z".parse().expect("time");
        assert_eq!(Day::of(at).file_name(), "events-2026-11-23.db");
        assert_eq!(
            Day::from_file_name("events-2026-11-23.db"),
            Some(Day::of(at))
        );
        for other in [
            "events-2026-11-23.db-wal",
            "events-2026-13-01.db",
            "events-20261123.db",
            "x",
        ] {
            assert_eq!(Day::from_file_name(other), None, "{other}");
        }
    }
}
