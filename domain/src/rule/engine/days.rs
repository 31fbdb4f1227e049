//! What a rule about days remembers: how many there were on each day of the community's calendar.

use jiff::SignedDuration;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::super::view::View;
use super::nanoseconds;
use super::source::News;
use crate::Timestamp;

/// One day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) date: Date,
    /// Its midnight.
    #[serde(with = "nanoseconds")]
    pub(super) from: Timestamp,
    pub(super) n: u32,
    /// More tenants are registered than the rule allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) crowded: bool,
}

impl Day {
    pub(super) fn counts(&self, at_least: u32) -> bool {
        self.crowded || self.n >= at_least
    }
}

/// Adds one to its day; news when the day counts with it and did not before.
pub(super) fn note(
    days: &mut Vec<Day>,
    view: &View<'_>,
    at_least: u32,
    registered_over: Option<u16>,
) -> News {
    let local = view.local();
    let date = local.date();
    let crowded = || {
        let registered = view.registry.registered_on(&view.zone?.id, date)?;
        Some(registered > registered_over?)
    };
    let index = match days.binary_search_by_key(&date, |day| day.date) {
        Ok(index) => index,
        Err(index) => {
            let since_midnight = local.time().duration_since(jiff::civil::Time::midnight());
            let from = view.event.received_at.checked_sub(since_midnight);
            let day = Day {
                date,
                from: from.unwrap_or(view.event.received_at),
                n: 0,
                crowded: false,
            };
            days.insert(index, day);
            index
        }
    };
    let day = &mut days[index];
    let before = day.counts(at_least);
    day.n = day.n.saturating_add(1);
    day.crowded = day.crowded || crowded().unwrap_or(false);
    if day.counts(at_least) && !before {
        News::NewSource
    } else {
        News::Repeat
    }
}

/// How many days count.
pub(super) fn weight(days: &[Day], at_least: u32) -> usize {
    days.iter().filter(|day| day.counts(at_least)).count()
}

/// How long a day is remembered.
pub(super) fn memory(of_days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(of_days))
}
