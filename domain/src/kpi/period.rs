//! From when until when, as people say it: instants, days, months and quarters of the wall clock of the site.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::Timestamp;

/// Not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no moment (hint: 2026-10-01T00:00:00+08:00, or 2026-10-01, 2026-10 or 2026-Q4 for the start of a day, month or quarter)"
)]
pub struct BadMoment {
    text: String,
}

/// An instant (RFC 3339), or the first instant of a day, a month or a quarter of the wall clock. A day that begins within a gap of
/// summer time begins after it.
///
/// # Errors
/// [`BadMoment`].
pub fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, BadMoment> {
    let bad = || BadMoment {
        text: text.chars().take(40).collect(),
    };
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let day = day(text).ok_or_else(bad)?;
    let begins = zone.to_ambiguous_zoned(day.to_datetime(jiff::civil::Time::midnight()));
    let begins = begins.compatible().map_err(|_| bad())?;
    Ok(begins.timestamp())
}

fn day(text: &str) -> Option<Date> {
    if text.len() == "2026-10-01".len() {
        return text.parse().ok();
    }
    let (year, rest) = text.split_once('-').filter(|(year, _)| year.len() == 4)?;
    let year: i16 = year.parse().ok().filter(|year| (1..=9998).contains(year))?;
    let month: i8 = match rest.strip_prefix('Q') {
        Some(quarter) => {
            let quarter: i8 = quarter.parse().ok().filter(|q| (1..=4).contains(q))?;
            quarter * 3 - 2
        }
        None if rest.len() == 2 => rest.parse().ok().filter(|m| (1..=12).contains(m))?,
        None => return None,
    };
    Some(date(year, month, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    // as POSIX writes them: a machine need not have the database of time zones
    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
    const SANTIAGO: &str = "<-04>4<-03>,M9.1.6/24,M4.1.6/24";

    fn check(text: &str, zone: &str, expect: Option<&str>) {
        let zone = TimeZone::posix(zone).expect("a zone");
        let found = moment(text, &zone).ok().map(|at| at.to_string());
        assert_eq!(found.as_deref(), expect, "{text}");
    }

    #[test]
    fn days_and_quarters_are_those_of_the_wall_clock() {
        let shanghai = "CST-8";
        check(
            "2026-10-01T00:00:00+08:00",
            shanghai,
            Some("2026-09-30T16:00:00Z"),
        );
        check("2026-10-01", shanghai, Some("2026-09-30T16:00:00Z"));
        check("2026-10", shanghai, Some("2026-09-30T16:00:00Z"));
        check("2026-Q4", shanghai, Some("2026-09-30T16:00:00Z"));
        check("2026-Q1", shanghai, Some("2025-12-31T16:00:00Z"));
        for bad in [
            "",
            "2026",
            "2026-Q5",
            "2026-13",
            "2026-1",
            "yesterday",
            "2026-02-30",
        ] {
            check(bad, shanghai, None);
        }
    }

    #[test]
    fn a_day_of_23_hours_is_one_and_midnight_may_be_missing() {
        // New York: the quarter that holds the spring change is an hour shorter than its days say
        check("2026-Q2", NEW_YORK, Some("2026-04-01T04:00:00Z"));
        check("2026-Q1", NEW_YORK, Some("2026-01-01T05:00:00Z"));
        // Santiago: the clocks go from 23:59:59 to 01:00 on the first Sunday of September
        check("2026-09-06", SANTIAGO, Some("2026-09-06T04:00:00Z"));
    }
}
