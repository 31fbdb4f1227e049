//! A span of the roster as a plan shows it: who is on a post from when to when.

use jiff::civil::DateTime;

use super::{Duty, Roster};
use crate::id::PostId;

/// Somebody is on a post without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stint {
    /// Who, and in which shift.
    pub duty: Duty,
    /// From then on: the shift's begin, unless the span begins or an absence ends later.
    pub from: DateTime,
    /// Until then.
    pub until: DateTime,
}

impl Roster {
    /// Who is on a post in a span of the wall clock, in order; swaps and absences counted.
    pub fn stints(&self, post: &PostId, from: DateTime, until: DateTime) -> Vec<Stint> {
        let mut edges = self.edges(&[post], from, until);
        edges.extend([from, until]);
        edges.sort_unstable();
        edges.dedup();
        let mut stints: Vec<Stint> = Vec::new();
        for pair in edges.windows(2) {
            let (begins, ends) = (pair[0], pair[1]);
            for duty in self.duties_on(post, begins) {
                let goes_on = |stint: &&mut Stint| stint.until == begins && stint.duty == duty;
                match stints.iter_mut().rev().find(goes_on) {
                    Some(stint) => stint.until = ends,
                    None => stints.push(Stint {
                        duty,
                        from: begins,
                        until: ends,
                    }),
                }
            }
        }
        stints
    }
}
