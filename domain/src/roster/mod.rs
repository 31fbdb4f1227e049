//! The roster: who is on duty when, as what, and whom to tell next when nobody answers.
//!
//! Data of a registry folder: `[[post]]` is what somebody is on duty as, `[[shift]]` says who in which hours of which days,
//! `[[holiday]]`, `[[swap]]` and `[[absence]]` are exceptions, `[[resource]]` is what a department goes out with. Hours are those of the
//! community's wall clock. Asked for an instant it answers with people; it reads no clock.

mod calendar;
mod check;
mod duty;
mod gaps;
mod ladder;
mod model;
#[cfg(test)]
mod tests;
mod week;

pub use calendar::{Calendar, HalfDay, Holiday, OfficeHours};
pub use duty::{Duty, DutyOf, SHIFT_LOOK_AHEAD_DAYS};
pub use gaps::Gap;
pub use ladder::{Level, Rung};
pub use model::{
    Absence, Cover, Day, Days, Post, PostKind, Resource, ResourceKind, Shift, Swap, Turn,
};
pub use week::Stint;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::DepartmentId;
use crate::id::{PersonId, PostId, ResourceId};

/// Everything about who is on duty.
#[derive(Debug, Clone)]
pub struct Roster {
    /// Posts by id.
    pub posts: BTreeMap<PostId, Post>,
    /// Shifts in the order of the files.
    pub shifts: Vec<Shift>,
    /// Swaps in the order in which they were agreed.
    pub swaps: Vec<Swap>,
    /// Absences in the order of the files.
    pub absences: Vec<Absence>,
    /// Working days and hours.
    pub calendar: Calendar,
    /// What departments go out with, by id.
    pub resources: BTreeMap<ResourceId, Resource>,
    /// Who serves where, for when no post says so.
    members: BTreeMap<DepartmentId, Vec<PersonId>>,
}

impl Default for Roster {
    fn default() -> Self {
        Self {
            posts: BTreeMap::new(),
            shifts: Vec::new(),
            swaps: Vec::new(),
            absences: Vec::new(),
            calendar: Calendar::new(TimeZone::UTC),
            resources: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }
}

impl Roster {
    /// Sets what the rest of the registry knows: the wall clock, and who serves in which department.
    pub(crate) fn settle(
        &mut self,
        time_zone: TimeZone,
        members: BTreeMap<DepartmentId, Vec<PersonId>>,
    ) {
        self.calendar.time_zone = time_zone;
        self.members = members;
    }

    /// The roster with more swaps, such as those that were agreed while the hub ran.
    #[must_use]
    pub fn with_swaps(mut self, swaps: impl IntoIterator<Item = Swap>) -> Self {
        self.swaps.extend(swaps);
        self.swaps.sort_by_key(|swap| swap.at);
        self
    }

    /// The posts of a department, of one kind.
    fn posts_of<'a>(
        &'a self,
        department: &'a DepartmentId,
        kind: PostKind,
    ) -> impl Iterator<Item = &'a Post> {
        self.posts
            .values()
            .filter(move |post| post.kind == kind && post.department.as_ref() == Some(department))
    }

    /// What a department goes out with.
    pub fn resources_of(&self, department: &DepartmentId) -> impl Iterator<Item = &Resource> {
        self.resources
            .values()
            .filter(move |r| r.department == *department)
    }

    /// Everybody who has a shift or steps in for somebody, and everybody who serves in a department: who may take a shift.
    pub fn people(&self) -> BTreeSet<&PersonId> {
        let in_shifts = self
            .shifts
            .iter()
            .flat_map(|s| s.people.iter().chain(&s.deputies));
        in_shifts.chain(self.members.values().flatten()).collect()
    }
}
