//! Who is on duty at an instant, and when that changes.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::model::{Days, Shift, Swap};
use super::{PostKind, Roster};
use crate::DepartmentId;
use crate::id::{PersonId, PostId};

/// How many days ahead a change of duty is looked for.
pub const SHIFT_LOOK_AHEAD_DAYS: i64 = 62;

/// Whose duty is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DutyOf<'a> {
    /// The duty people of a department.
    Department(&'a DepartmentId),
    /// Those on one post.
    Post(&'a PostId),
}

/// Somebody on duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Who.
    pub person: PersonId,
    /// As what.
    pub post: PostId,
    /// When the shift began.
    pub since: DateTime,
    /// When it ends.
    pub until: DateTime,
    /// Whose shift it was before a swap or an absence.
    pub instead_of: Option<PersonId>,
    /// Whose shift it is after all swaps, whoever stands in for them: who would give it in another one.
    pub agreed: PersonId,
}

impl Shift {
    /// Begin and end of the shift that begins on a day, if one does.
    pub(super) fn on(&self, day: Date, roster: &Roster) -> Option<(DateTime, DateTime)> {
        let is_day = match &self.days {
            Days::Every => true,
            Days::Working => roster.calendar.is_working_day(day),
            Days::Free => !roster.calendar.is_working_day(day),
            Days::Week(days) => days.iter().any(|d| d.weekday() == day.weekday()),
        };
        let is_turn = self.turn.is_none_or(|turn| {
            let days = turn.since.until(day).map_or(0, |span| span.get_days());
            days.rem_euclid(i32::from(turn.of.max(1))) == 0
        });
        if !(is_day && is_turn) {
            return None;
        }
        let last = if self.until > self.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        Some((day.to_datetime(self.from), last.to_datetime(self.until)))
    }
}

impl Roster {
    /// Who is on duty at an instant, each once, in the order of the files.
    pub fn on_duty(&self, of: DutyOf<'_>, at: Timestamp) -> Vec<PersonId> {
        let mut people = Vec::new();
        for duty in self.duties(of, at) {
            if !people.contains(&duty.person) {
                people.push(duty.person);
            }
        }
        people
    }

    /// The same with posts, hours, and for whom somebody stands in.
    pub fn duties(&self, of: DutyOf<'_>, at: Timestamp) -> Vec<Duty> {
        let local = self.calendar.time_zone.to_datetime(at);
        self.posts_asked(of)
            .flat_map(|post| self.duties_on(post, local))
            .collect()
    }

    /// When who is on duty changes next; nothing when it does not within [`SHIFT_LOOK_AHEAD_DAYS`].
    pub fn next_change(&self, of: DutyOf<'_>, at: Timestamp) -> Option<Timestamp> {
        let now = self.on_duty(of, at);
        let local = self.calendar.time_zone.to_datetime(at);
        let last = local.checked_add(SHIFT_LOOK_AHEAD_DAYS.days()).ok()?;
        let posts: Vec<&PostId> = self.posts_asked(of).collect();
        self.edges(&posts, local, last)
            .into_iter()
            .filter_map(|edge| self.calendar.instant(edge))
            .find(|edge| *edge > at && self.on_duty(of, *edge) != now)
    }

    /// When who is on duty changes in a half-open span, in order.
    pub fn changes(&self, of: DutyOf<'_>, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let posts: Vec<&PostId> = self.posts_asked(of).collect();
        let local = |at| self.calendar.time_zone.to_datetime(at);
        let edges = self.edges(&posts, local(from), local(to));
        let instants = edges
            .into_iter()
            .filter_map(|edge| self.calendar.instant(edge));
        let mut before = from
            .checked_sub(SignedDuration::from_nanos(1))
            .map_or_else(|_| Vec::new(), |at| self.on_duty(of, at));
        let mut changes = Vec::new();
        for edge in instants.filter(|edge| (from..to).contains(edge)) {
            let after = self.on_duty(of, edge);
            if after != before {
                changes.push(edge);
                before = after;
            }
        }
        changes
    }

    fn posts_asked<'a>(&'a self, of: DutyOf<'a>) -> impl Iterator<Item = &'a PostId> {
        self.posts.values().filter_map(move |post| {
            let is_asked = match of {
                DutyOf::Post(id) => post.id == *id,
                DutyOf::Department(department) => {
                    post.kind == PostKind::Duty && post.department.as_ref() == Some(department)
                }
            };
            is_asked.then_some(&post.id)
        })
    }

    /// Every time of the wall clock at which who is on one of the posts may change, in order.
    pub(super) fn edges(
        &self,
        posts: &[&PostId],
        from: DateTime,
        until: DateTime,
    ) -> Vec<DateTime> {
        let first = from.date().yesterday().unwrap_or(from.date());
        let mut edges = Vec::new();
        for shift in self.shifts.iter().filter(|s| posts.contains(&&s.post)) {
            let days = first.series(1.day()).take_while(|day| *day <= until.date());
            for (begins, ends) in days.filter_map(|day| shift.on(day, self)) {
                edges.extend([begins, ends]);
            }
        }
        for absence in &self.absences {
            edges.extend([absence.from, absence.until]);
        }
        edges.retain(|edge| (from..=until).contains(edge));
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// Who is on a post at a time of the wall clock.
    pub(super) fn duties_on(&self, post: &PostId, local: DateTime) -> Vec<Duty> {
        let mut duties: Vec<Duty> = Vec::new();
        let today = local.date();
        for shift in self.shifts.iter().filter(|s| s.post == *post) {
            for day in [today.yesterday().ok(), Some(today)].into_iter().flatten() {
                let Some((since, until)) = shift.on(day, self) else {
                    continue;
                };
                if !(since..until).contains(&local) {
                    continue;
                }
                for planned in &shift.people {
                    let agreed = self.after_swaps(shift, day, planned);
                    let person = if self.is_absent(agreed, local) {
                        let steps_in = shift.deputies.iter().find(|deputy| {
                            !self.is_absent(deputy, local)
                                && !duties.iter().any(|d| d.person == **deputy)
                                && !shift.people.contains(deputy)
                        });
                        match steps_in {
                            Some(deputy) => deputy,
                            None => continue,
                        }
                    } else {
                        agreed
                    };
                    if duties.iter().any(|d| d.person == *person) {
                        continue;
                    }
                    duties.push(Duty {
                        person: person.clone(),
                        post: post.clone(),
                        since,
                        until,
                        instead_of: (person != planned).then(|| planned.clone()),
                        agreed: agreed.clone(),
                    });
                }
            }
        }
        duties
    }

    /// Who does somebody's shift after all swaps, which are applied in the order in which they were agreed.
    fn after_swaps<'a>(&'a self, shift: &Shift, day: Date, planned: &'a PersonId) -> &'a PersonId {
        let mut person = planned;
        for swap in &self.swaps {
            let is_this = swap.post == shift.post
                && swap.on == day
                && swap.from.is_none_or(|from| from == shift.from);
            if is_this && swap.gives == *person {
                person = &swap.takes;
            }
        }
        person
    }

    fn is_absent(&self, person: &PersonId, local: DateTime) -> bool {
        self.absences
            .iter()
            .any(|a| a.person == *person && (a.from..a.until).contains(&local))
    }

    /// Whether a swap is of a shift that there is, and not of somebody with themselves.
    ///
    /// # Errors
    /// Why it cannot be, as a sentence without its subject.
    pub fn can_swap(&self, swap: &Swap) -> Result<(), String> {
        if swap.gives == swap.takes {
            return Err(format!("is of `{}` with themselves", swap.gives));
        }
        let earlier = |other: &&Swap| *other != swap && other.at <= swap.at;
        let before = Self {
            swaps: self.swaps.iter().filter(earlier).cloned().collect(),
            ..self.clone()
        };
        let is_this = |s: &&Shift| {
            s.post == swap.post
                && swap.from.is_none_or(|from| from == s.from)
                && s.on(swap.on, self).is_some()
        };
        let has_it = before.shifts.iter().filter(is_this).any(|s| {
            let mut people = s.people.iter();
            people.any(|planned| *before.after_swaps(s, swap.on, planned) == swap.gives)
        });
        if has_it {
            Ok(())
        } else {
            Err(format!(
                "is of a shift that `{}` does not have: {} on post `{}`",
                swap.gives, swap.on, swap.post
            ))
        }
    }
}
