//! Mistakes of a roster that show when everything has been read, and what is no mistake and should be known all the same.

use super::{Gap, Roster};
use crate::place::{Registry, Report, must_be};

/// Gaps that are named of one post; the rest is counted.
const NAMED_MAX: usize = 5;
/// Most people of a shift, deputies of it apart.
const PEOPLE_MAX: usize = 50;
/// Most posts, shifts and exceptions of a kind.
const LISTED_MAX: usize = 2_000;

impl Roster {
    /// Notes what does not fit together.
    pub(crate) fn check(&self, registry: &Registry, report: &mut Report<'_>) {
        let sizes = [
            ("post", self.posts.len()),
            ("shift", self.shifts.len()),
            ("holiday", self.calendar.holidays.len()),
            ("swap", self.swaps.len()),
            ("absence", self.absences.len()),
        ];
        if let Some((noun, size)) = sizes.into_iter().find(|(_, size)| *size > LISTED_MAX) {
            let hint = "take out what is over".to_owned();
            let what = format!("is one of {size}, and {LISTED_MAX} are the most");
            report.note((noun, "1"), "id", what, Some(hint));
            return; // nobody waits for the arithmetic over a list that is refused anyway
        }
        for (index, shift) in self.shifts.iter().enumerate() {
            let key = (index + 1).to_string();
            let of = ("shift", key.as_str());
            must_be(report, of, ("post", &shift.post), &self.posts);
            for person in &shift.people {
                must_be(report, of, ("people", person), &registry.people);
            }
            for person in &shift.deputies {
                must_be(report, of, ("deputies", person), &registry.people);
            }
            if shift.people.is_empty() || shift.people.len() > PEOPLE_MAX {
                let what = format!("has {} people", shift.people.len());
                report.note(of, "people", what, Some(format!("1 to {PEOPLE_MAX}")));
            }
            if shift.turn.is_some_and(|turn| turn.of == 0) {
                let hint = "every so many days, such as 3".to_owned();
                report.note(of, "turn.of", "takes turns of 0 days", Some(hint));
            }
        }
        self.check_posts(registry, report);
        self.check_exceptions(registry, report);
        for resource in self.resources.values() {
            let of = ("resource", resource.id.as_str());
            must_be(
                report,
                of,
                ("department", &resource.department),
                &registry.departments,
            );
        }
    }

    fn check_posts(&self, registry: &Registry, report: &mut Report<'_>) {
        for post in self.posts.values() {
            let of = ("post", post.id.as_str());
            match &post.department {
                Some(department) => {
                    must_be(
                        report,
                        of,
                        ("department", department),
                        &registry.departments,
                    );
                }
                None if post.kind.has_department() => {
                    let hint = "duty, deputy and head are a department's".to_owned();
                    report.note(of, "department", "has no department", Some(hint));
                }
                None => {}
            }
            let gaps = self.gaps_of_plan(post);
            if !gaps.is_empty() {
                let hint =
                    "a shift for these hours, or `cover = \"never\"` for the post".to_owned();
                report.note(of, "cover", named(&gaps), Some(hint));
            }
        }
        if self.posts.is_empty() {
            return; // no roster at all: the people of a department are told in the order of their ids
        }
        for department in registry.departments.values() {
            if self
                .posts_of(&department.id, super::PostKind::Duty)
                .next()
                .is_none()
            {
                let of = ("department", department.id.as_str());
                let hint = "a [[post]] of kind `duty` with its department".to_owned();
                report.note(of, "id", "has no duty post", Some(hint));
            }
        }
    }

    fn check_exceptions(&self, registry: &Registry, report: &mut Report<'_>) {
        if !self.calendar.office_hours.is_in_order() {
            let hint = "morning before afternoon, each from before until".to_owned();
            report.note(
                ("office hours", "1"),
                "morning_from",
                "are out of order",
                Some(hint),
            );
        }
        for (index, holiday) in self.calendar.holidays.iter().enumerate() {
            let key = (index + 1).to_string();
            let of = ("holiday", key.as_str());
            if holiday.until < holiday.from {
                let hint = "`until` is its last day".to_owned();
                report.note(of, "until", "ends before it begins", Some(hint));
            }
            let is_off = |day| (holiday.from..=holiday.until).contains(day);
            if holiday.made_up_on.iter().any(is_off) {
                let hint = "a day at a weekend before or after it".to_owned();
                report.note(of, "made_up_on", "is made up for on a day off", Some(hint));
            }
        }
        for (index, swap) in self.swaps.iter().enumerate() {
            let key = (index + 1).to_string();
            let of = ("swap", key.as_str());
            must_be(report, of, ("post", &swap.post), &self.posts);
            must_be(report, of, ("gives", &swap.gives), &registry.people);
            must_be(report, of, ("takes", &swap.takes), &registry.people);
            if let Err(why) = self.can_swap(swap) {
                report.note(of, "gives", why, None);
            }
        }
        for (index, absence) in self.absences.iter().enumerate() {
            let key = (index + 1).to_string();
            let of = ("absence", key.as_str());
            must_be(report, of, ("person", &absence.person), &registry.people);
            if absence.until <= absence.from {
                let what = "ends before it begins";
                report.note(of, "until", what, None);
            }
        }
    }

    /// What is no mistake of the plan: hours that an absence leaves without anybody.
    pub fn warnings(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for absence in self.absences.iter().take(LISTED_MAX) {
            let gaps = self.gaps(absence.from, absence.until);
            for post in self.posts.keys() {
                let gaps: Vec<Gap> = gaps.iter().filter(|g| g.post == *post).cloned().collect();
                if !gaps.is_empty() {
                    let what = format!(
                        "post `{post}` {}: `{}` is absent",
                        named(&gaps),
                        absence.person
                    );
                    if !out.contains(&what) {
                        out.push(what);
                    }
                }
            }
        }
        out
    }
}

fn named(gaps: &[Gap]) -> String {
    let named: Vec<String> = gaps
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect();
    let rest = gaps.len().saturating_sub(NAMED_MAX);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!("has nobody on duty {}{more}", named.join(", "))
}
