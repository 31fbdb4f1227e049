//! What a count remembers: what happened when, oldest first. Long windows are counters: what happened close together there is
//! one entry with a number.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::nanoseconds;
use super::slot::after;
use crate::Timestamp;

/// From this on, in seconds, a window counts in parts.
const LONG_S: i64 = 24 * 3600;
/// How many parts a long window has: what is counted may be forgotten one part too early.
const PARTS: i32 = 48;
/// Fewer entries than this are kept one by one, in any window.
const SINGLE: usize = 8;

/// One counted event, or several close together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Hit {
    #[serde(with = "nanoseconds")]
    pub(super) at: Timestamp,
    #[serde(with = "nanoseconds")]
    pub(super) occurred_at: Timestamp,
    /// The value that must differ, where the rule counts different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// How many, if more than one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) n: u32,
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(n: &u32) -> bool {
    *n == 1
}

/// Adds one. More than `at_least` decides is not kept: the oldest goes.
pub(super) fn note(hits: &mut Vec<Hit>, hit: Hit, at_least: usize, window: SignedDuration) {
    if hit.value.is_some() {
        hits.retain(|h| h.value != hit.value);
    } else if window.as_secs() >= LONG_S
        && hits.len() >= SINGLE
        && let Some(last) = hits.last_mut()
        && after(last.at, window / PARTS) > hit.at
    {
        last.n = last.n.saturating_add(1);
        return;
    }
    hits.push(hit);
    if hits.len() > at_least.saturating_mul(2).max(2 * PARTS as usize) {
        hits.remove(0);
    }
}

/// How many count: those that also happened close together.
pub(super) fn weight(hits: &[Hit], window: SignedDuration) -> usize {
    let Some(last) = hits.last() else { return 0 };
    let together = |h: &&Hit| h.occurred_at.duration_since(last.occurred_at).abs() < window;
    hits.iter().filter(together).map(|h| h.n as usize).sum()
}
