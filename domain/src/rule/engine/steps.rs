//! What a sequence remembers: how far it has come. `reached` has one place for each step that is an event in time; steps that
//! must only be going on (`active`) are sources, no places.
//!
//! In order, a place holds when the chain that reached it began; the latest such beginning is the only one worth knowing.
//! Without an order it holds when the step last happened.

use jiff::SignedDuration;

use super::super::condition::Step;
use super::slot::after;
use super::source::{Source, SourceState};
use crate::Timestamp;

/// Notes that a step happened.
pub(super) fn note(
    reached: &mut Vec<Option<Timestamp>>,
    steps: &[Step],
    step: u8,
    ordered: bool,
    window: SignedDuration,
    now: Timestamp,
) {
    let places = steps.iter().filter(|s| !s.active).count();
    reached.resize(places, None);
    let step = usize::from(step);
    if steps.get(step).is_none_or(|s| s.active) {
        return;
    }
    let place = steps[..step].iter().filter(|s| !s.active).count();
    reached[place] = match place.checked_sub(1) {
        Some(before) if ordered => match reached[before] {
            Some(began) if after(began, window) >= now => Some(began),
            _ => reached[place],
        },
        _ => Some(now),
    };
}

/// Whether everything has happened in time and everything that must go on does.
pub(super) fn complete(
    reached: &[Option<Timestamp>],
    sources: &[Source],
    steps: &[Step],
    ordered: bool,
    window: SignedDuration,
    now: Timestamp,
) -> bool {
    let in_time = |at: &Option<Timestamp>| at.is_some_and(|at| after(at, window) >= now);
    let happened = if ordered {
        reached.last().is_none_or(in_time)
    } else {
        reached.iter().all(in_time)
    };
    let goes_on = |index: usize| {
        let active = |s: &Source| usize::from(s.step) == index && s.state == SourceState::Active;
        sources.iter().any(active)
    };
    let places = steps.iter().filter(|s| !s.active).count();
    happened
        && (places == 0 || reached.len() == places)
        && (0..steps.len()).all(|index| !steps[index].active || goes_on(index))
}

/// Forgets beginnings that are too long ago.
pub(super) fn forget(reached: &mut Vec<Option<Timestamp>>, window: SignedDuration, now: Timestamp) {
    for place in reached.iter_mut() {
        *place = place.filter(|at| after(*at, window) >= now);
    }
    if reached.iter().all(Option::is_none) {
        reached.clear();
    }
}
