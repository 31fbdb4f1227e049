//! Whom to tell next when nobody answers: the ladder of escalation.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DutyOf, Post, PostKind, Roster};
use crate::DepartmentId;
use crate::id::PersonId;

/// A rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// The duty person of the lead department.
    L0,
    /// The deputy and the station lead.
    L1,
    /// The head of the department; for property its manager.
    L2,
    /// The secretary of the community.
    L3,
    /// The duty office of the sub-district.
    L4,
}

impl Level {
    /// From the bottom up.
    pub const ALL: [Self; 5] = [Self::L0, Self::L1, Self::L2, Self::L3, Self::L4];

    /// The next rung; nothing above the last.
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Who is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The rung that was asked for.
    pub asked: Level,
    /// The rung that they stand on. Another than what was asked for: nobody was on that.
    pub level: Level,
    /// Who, each once. Empty only where nobody at all is configured.
    pub people: Vec<PersonId>,
    /// They are not on duty: nobody is, and they are told because somebody has to be.
    pub is_off_duty: bool,
}

impl Rung {
    /// Whether others are told than those that the ladder names for the rung.
    pub fn fell_through(&self) -> bool {
        self.asked != self.level || self.is_off_duty
    }
}

impl Roster {
    /// Who is to be told of a department's incident on a rung. With nobody there, those of the next rung that has somebody; above
    /// the last those below; with nobody on duty at all those who have a post, the department's people, anybody.
    pub fn ladder(&self, department: &DepartmentId, level: Level, at: Timestamp) -> Rung {
        let above = Level::ALL.into_iter().filter(|l| *l >= level);
        let below = Level::ALL.into_iter().rev().filter(|l| *l < level);
        for rung in above.chain(below) {
            let people = self.on_rung(department, rung, at);
            if !people.is_empty() {
                return Rung {
                    asked: level,
                    level: rung,
                    people,
                    is_off_duty: false,
                };
            }
        }
        Rung {
            asked: level,
            level,
            people: self.anybody(department, level, at),
            is_off_duty: true,
        }
    }

    fn posts_on<'a>(
        &'a self,
        department: &'a DepartmentId,
        level: Level,
    ) -> impl Iterator<Item = &'a Post> {
        let kinds: &'static [PostKind] = match level {
            Level::L0 => &[PostKind::Duty],
            Level::L1 => &[PostKind::Deputy, PostKind::StationLead],
            Level::L2 => &[PostKind::Head],
            Level::L3 => &[PostKind::Secretary],
            Level::L4 => &[PostKind::SubDistrict],
        };
        kinds.iter().flat_map(move |kind| {
            self.posts.values().filter(move |post| {
                let is_theirs =
                    !kind.has_department() || post.department.as_ref() == Some(department);
                post.kind == *kind && is_theirs
            })
        })
    }

    fn on_rung(&self, department: &DepartmentId, level: Level, at: Timestamp) -> Vec<PersonId> {
        let posts = self.posts_on(department, level);
        once(posts.flat_map(|post| self.on_duty(DutyOf::Post(&post.id), at)))
    }

    /// Nobody is on duty: the operators at the desk, who has a post on the rung, who serves in the department, who has any post, anybody.
    fn anybody(&self, department: &DepartmentId, level: Level, at: Timestamp) -> Vec<PersonId> {
        let desks = self.posts.values().filter(|p| p.kind == PostKind::Desk);
        let desk = once(desks.flat_map(|post| self.on_duty(DutyOf::Post(&post.id), at)));
        if !desk.is_empty() {
            return desk;
        }
        let named = |post: &Post| {
            let shifts = self.shifts.iter().filter(|s| s.post == post.id);
            shifts
                .flat_map(|s| s.people.iter().chain(&s.deputies).cloned())
                .collect::<Vec<_>>()
        };
        let rung = once(self.posts_on(department, level).flat_map(named));
        if !rung.is_empty() {
            return rung;
        }
        if let Some(members) = self.members.get(department).filter(|m| !m.is_empty()) {
            return members.clone();
        }
        let posted = once(self.posts.values().flat_map(named));
        if !posted.is_empty() {
            return posted;
        }
        once(self.members.values().flatten().cloned())
    }
}

fn once(people: impl IntoIterator<Item = PersonId>) -> Vec<PersonId> {
    let mut out = Vec::new();
    for person in people {
        if !out.contains(&person) {
            out.push(person);
        }
    }
    out
}
