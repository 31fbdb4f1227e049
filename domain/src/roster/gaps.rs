//! Hours in which a post that must be covered has nobody.

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};

use super::{Cover, Post, Roster};
use crate::id::PostId;

/// Most days that are looked at for one post.
const DAYS_MAX: i64 = 420;
/// A Monday from which patterns without turns are looked at.
const SOME_MONDAY: Date = Date::constant(2026, 1, 5);

/// Nobody is on a post that must be covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The post.
    pub post: PostId,
    /// From then on.
    pub from: DateTime,
    /// Until then.
    pub until: DateTime,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until);
        let time = "%H:%M";
        write!(f, "{} {}", from.date(), from.strftime(time))?;
        if from.date() == until.date() {
            write!(f, "–{}", until.strftime(time))
        } else {
            write!(f, " – {} {}", until.date(), until.strftime(time))
        }
    }
}

impl Roster {
    /// The gaps of all posts in a span of the wall clock, absences counted, at most 420 days of it.
    pub fn gaps(&self, from: DateTime, until: DateTime) -> Vec<Gap> {
        self.posts
            .values()
            .flat_map(|post| self.gaps_of(post, from, until))
            .collect()
    }

    /// The gaps that the plan itself leaves, whoever is absent: in a round of every pattern, and around every holiday.
    pub(super) fn gaps_of_plan(&self, post: &Post) -> Vec<Gap> {
        let plan = Self {
            absences: Vec::new(),
            swaps: Vec::new(),
            ..self.clone()
        };
        let turns = plan.shifts.iter().filter(|s| s.post == post.id);
        let turns: Vec<_> = turns.filter_map(|s| s.turn).collect();
        let round = turns.iter().fold(7_i64, |days, turn| {
            least_common_multiple(days, i64::from(turn.of.max(1))).min(DAYS_MAX)
        });
        let first = turns.iter().map(|t| t.since).max().unwrap_or(SOME_MONDAY);
        let mut spans = vec![(first, add(first, round))];
        for holiday in &plan.calendar.holidays {
            let days = [(holiday.from, holiday.until)].into_iter();
            let made_up = holiday.made_up_on.iter().map(|day| (*day, *day));
            spans.extend(days.chain(made_up).map(|(a, b)| (add(a, -1), add(b, 2))));
        }
        let midnight = jiff::civil::Time::midnight();
        let mut gaps = Vec::new();
        for (from, until) in spans {
            let found = plan.gaps_of(
                post,
                from.to_datetime(midnight),
                until.to_datetime(midnight),
            );
            gaps.extend(found);
        }
        gaps.sort_by_key(|gap| (gap.from, gap.until));
        gaps.dedup();
        gaps
    }

    fn gaps_of(&self, post: &Post, from: DateTime, until: DateTime) -> Vec<Gap> {
        let cover = post.covered();
        if cover == Cover::Never {
            return Vec::new();
        }
        let last = from.checked_add(DAYS_MAX.days()).unwrap_or(from);
        let until = until.min(last);
        let mut edges = self.edges(&[&post.id], from, until);
        edges.extend([from, until]);
        if cover == Cover::OfficeHours {
            let days = from.date().series(1.day());
            for day in days.take_while(|day| *day <= until.date()) {
                for (begins, ends) in self.calendar.office_hours.halves() {
                    edges.extend([day.to_datetime(begins), day.to_datetime(ends)]);
                }
            }
        }
        edges.retain(|edge| (from..=until).contains(edge));
        edges.sort_unstable();
        edges.dedup();
        let mut gaps: Vec<Gap> = Vec::new();
        for pair in edges.windows(2) {
            let (begins, ends) = (pair[0], pair[1]);
            let is_needed = cover == Cover::Always || self.is_office_hour(begins);
            if !is_needed || !self.duties_on(&post.id, begins).is_empty() {
                continue;
            }
            match gaps.last_mut() {
                Some(gap) if gap.until == begins => gap.until = ends,
                _ => gaps.push(Gap {
                    post: post.id.clone(),
                    from: begins,
                    until: ends,
                }),
            }
        }
        gaps
    }

    fn is_office_hour(&self, local: DateTime) -> bool {
        let halves = self.calendar.office_hours.halves();
        self.calendar.is_working_day(local.date())
            && halves
                .iter()
                .any(|(from, until)| (*from..*until).contains(&local.time()))
    }
}

fn add(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).unwrap_or(day)
}

fn least_common_multiple(a: i64, b: i64) -> i64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}
