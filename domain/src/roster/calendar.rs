//! Working days and office hours, with holidays and the weekends that are worked to make up for them.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// How many days ahead a working day is looked for; no holiday is that long.
const LOOK_AHEAD_DAYS: usize = 400;
/// Seconds of a clock that stand for half a working day.
const HALF_DAY_S: u32 = 12 * 3600;

/// A holiday as the State Council announces it: days off in a row, and weekends that are worked for it (调休).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Its name.
    pub name: String,
    /// First day off.
    pub from: Date,
    /// Last day off.
    pub until: Date,
    /// Days at a weekend that are worked.
    #[serde(default)]
    pub made_up_on: Vec<Date>,
}

/// When offices work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficeHours {
    /// Begin of the morning.
    pub morning_from: Time,
    /// Its end.
    pub morning_until: Time,
    /// Begin of the afternoon.
    pub afternoon_from: Time,
    /// Its end.
    pub afternoon_until: Time,
}

impl OfficeHours {
    /// 8:30–12:00 and 14:00–17:30, as offices in Zhejiang mostly have them.
    pub const USUAL: Self = Self {
        morning_from: Time::constant(8, 30, 0, 0),
        morning_until: Time::constant(12, 0, 0, 0),
        afternoon_from: Time::constant(14, 0, 0, 0),
        afternoon_until: Time::constant(17, 30, 0, 0),
    };

    /// Morning and afternoon.
    pub fn halves(&self) -> [(Time, Time); 2] {
        [
            (self.morning_from, self.morning_until),
            (self.afternoon_from, self.afternoon_until),
        ]
    }

    /// Whether each half ends after it begins, and the afternoon does not begin before the morning ends.
    pub(super) fn is_in_order(&self) -> bool {
        self.morning_from < self.morning_until
            && self.morning_until <= self.afternoon_from
            && self.afternoon_from < self.afternoon_until
    }
}

/// A morning or an afternoon of a working day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfDay {
    /// When it begins.
    pub begins_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// Which days are worked, and in which hours.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// The community's wall clock.
    pub time_zone: TimeZone,
    /// Office hours.
    pub office_hours: OfficeHours,
    /// Holidays in the order of the files.
    pub holidays: Vec<Holiday>,
}

impl Calendar {
    /// Monday to Friday in the usual hours, without holidays.
    pub fn new(time_zone: TimeZone) -> Self {
        Self {
            time_zone,
            office_hours: OfficeHours::USUAL,
            holidays: Vec::new(),
        }
    }

    /// Whether offices work on a day.
    pub fn is_working_day(&self, day: Date) -> bool {
        if self.holidays.iter().any(|h| h.made_up_on.contains(&day)) {
            return true;
        }
        let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let is_off = |h: &Holiday| (h.from..=h.until).contains(&day);
        !is_weekend && !self.holidays.iter().any(is_off)
    }

    /// Whether holidays are known for the year of a day; without them every Monday to Friday is a working day.
    pub fn knows_year(&self, day: Date) -> bool {
        self.holidays.iter().any(|h| h.from.year() == day.year())
    }

    /// What the calendar does not know and soon will be asked for: holidays of the year of a day, and of the year in 60 days. Nothing is told
    /// of a calendar without any holiday, which may be meant so.
    pub fn warnings(&self, today: Date) -> Vec<String> {
        const AHEAD_DAYS: i64 = 60;
        if self.holidays.is_empty() {
            return Vec::new();
        }
        let soon = today.checked_add(AHEAD_DAYS.days()).unwrap_or(Date::MAX);
        let hint = "until then every Monday to Friday counts as worked (hint: the State Council announces them in November; [[holiday]])";
        if !self.knows_year(today) {
            let year = today.year();
            vec![format!("no holidays of {year} are known: {hint}")]
        } else if !self.knows_year(soon) {
            let (ends, next) = (today.year(), soon.year());
            vec![format!(
                "the calendar ends with {ends} and no holidays of {next} are known: {hint}"
            )]
        } else {
            Vec::new()
        }
    }

    /// The day of an instant on the community's wall clock.
    pub fn day(&self, at: Timestamp) -> Date {
        self.time_zone.to_datetime(at).date()
    }

    /// The first morning or afternoon of a working day that begins after an instant. A clock that says "the next working half-day"
    /// runs out at its end. Nothing in a calendar in which nobody works for a year.
    pub fn next_working_half_day(&self, at: Timestamp) -> Option<HalfDay> {
        self.half_days_from(at).find(|half| half.begins_at > at)
    }

    fn half_day_that_ends_after(&self, at: Timestamp) -> Option<HalfDay> {
        self.half_days_from(at).find(|half| half.ends_at > at)
    }

    /// Working half-days in order, from the day of an instant on.
    fn half_days_from(&self, at: Timestamp) -> impl Iterator<Item = HalfDay> {
        let today = self.time_zone.to_datetime(at).date();
        let days = today.series(1.day()).take(LOOK_AHEAD_DAYS);
        days.filter(move |day| self.is_working_day(*day))
            .flat_map(move |day| self.office_hours.halves().map(move |half| (day, half)))
            .filter_map(move |(day, (from, until))| {
                Some(HalfDay {
                    begins_at: self.instant(day.to_datetime(from))?,
                    ends_at: self.instant(day.to_datetime(until))?,
                })
            })
    }

    /// When a clock of so many seconds runs out that goes on working days only. Half a day is a morning or an afternoon: a clock of
    /// `n` half-days runs out at the end of the `n`-th that begins after the instant; what is left of it then, or is shorter, goes by
    /// office hours. Nothing where that is more than a year away.
    pub fn after_working(&self, at: Timestamp, seconds: u32) -> Option<Timestamp> {
        let halves = seconds / HALF_DAY_S;
        if halves as usize > 2 * LOOK_AHEAD_DAYS {
            return None;
        }
        let (mut begins_after, mut now) = (at, at);
        for _ in 0..halves {
            let half = self.next_working_half_day(begins_after)?;
            (begins_after, now) = (half.begins_at, half.ends_at);
        }
        let mut left = SignedDuration::from_secs(i64::from(seconds % HALF_DAY_S));
        while left.is_positive() {
            let half = self.half_day_that_ends_after(now)?;
            let begins = half.begins_at.max(now);
            let room = half.ends_at.duration_since(begins);
            if left <= room {
                return begins.checked_add(left).ok();
            }
            left -= room;
            now = half.ends_at;
        }
        Some(now)
    }

    /// The instant of a time on the wall; the earlier of two, and the later side of a gap.
    pub fn instant(&self, local: jiff::civil::DateTime) -> Option<Timestamp> {
        let at = self.time_zone.to_ambiguous_zoned(local).compatible();
        at.ok().map(|zoned| zoned.timestamp())
    }
}
