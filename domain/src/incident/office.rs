//! P4 waits for the office: its clocks go on working days only, by the roster's calendar.
//!
//! The machine counts seconds and knows no calendar. A clock of a P4 that a step has started is stretched here once, before the step is
//! kept; what ran before the step stays as it is.

use super::task::after;
use super::{Effect, Incident};
use crate::roster::Calendar;
use crate::{DepartmentId, Severity, Timestamp};

/// A step with the clocks that it started in working time; `before` is none when it opened the incident.
pub fn in_working_time(
    before: Option<&Incident>,
    (mut incident, mut effects): (Incident, Vec<Effect>),
    calendar: &Calendar,
) -> (Incident, Vec<Effect>) {
    if incident.severity != Severity::P4 {
        return (incident, effects);
    }
    let clocks = incident.plan.clocks;
    let stretch = |due: &mut Timestamp, was: Option<Timestamp>, seconds: u32| {
        let started = due.checked_sub(jiff::SignedDuration::from_secs(i64::from(seconds)));
        if let Ok(started) = started
            && was != Some(*due)
        {
            *due = calendar
                .after_working(started, seconds)
                .unwrap_or_else(|| after(started, seconds));
        }
    };
    let was = before.map(|before| before.due);
    let due = &mut incident.due;
    stretch(
        &mut due.acknowledge,
        was.map(|was| was.acknowledge),
        clocks.acknowledge_s,
    );
    stretch(
        &mut due.resolve,
        was.map(|was| was.resolve),
        clocks.resolve_s,
    );
    let resolve = due.resolve;
    let mut moved: Vec<(DepartmentId, Timestamp, Timestamp)> = Vec::new();
    for task in &mut incident.tasks {
        let was = before
            .and_then(|before| before.task_of(&task.department))
            .map(|t| t.due);
        let raw = task.due;
        stretch(
            &mut task.due.claim,
            was.map(|was| was.claim),
            clocks.claim_s,
        );
        stretch(
            &mut task.due.arrive,
            was.map(|was| was.arrive),
            clocks.arrive_s,
        );
        if was.is_none_or(|was| was.resolve != raw.resolve) {
            task.due.resolve = resolve;
        }
        moved.push((task.department.clone(), raw.claim, task.due.claim));
    }
    for effect in &mut effects {
        let Effect::Notify(notice) = effect else {
            continue;
        };
        let of = |(department, raw, _): &&(DepartmentId, Timestamp, Timestamp)| {
            *department == notice.department && *raw == notice.due
        };
        if let Some((_, _, due)) = moved.iter().find(of) {
            notice.due = *due;
        }
    }
    (incident, effects)
}

#[cfg(test)]
mod tests {
    use super::super::apply_tests::{actor, finding, meta};
    use super::super::{Command, Effect, Incident, Verb};
    use super::in_working_time;
    use crate::roster::{Calendar, Holiday};
    use crate::{IncidentId, Severity, Timestamp};

    fn at(local: &str) -> Timestamp {
        format!("{local}:00+08:00").parse().expect("a time")
    }

    /// Shanghai, with 劳动节 from Friday to Tuesday and the Saturday after it worked.
    fn calendar() -> Calendar {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
        let mut calendar = Calendar::new(zone);
        calendar.holidays.push(Holiday {
            name: "劳动节".to_owned(),
            from: "2026-05-01".parse().expect("a day"),
            until: "2026-05-05".parse().expect("a day"),
            made_up_on: vec!["2026-05-09".parse().expect("a day")],
        });
        calendar
    }

    fn opened(severity: Severity, local: &str) -> Incident {
        let mut found = finding("S6", "device:smoke-1", severity, 0);
        found.at = at(local);
        let id = IncidentId::new(uuid::Uuid::from_u128(9 << 80));
        let step = Incident::open(id, 1001, &found, &meta("S6", "property", &[]));
        in_working_time(None, step, &calendar()).0
    }

    fn claim_of(severity: Severity, local: &str) -> (Incident, Vec<Effect>) {
        let incident = opened(severity, "2026-04-24T17:30");
        let asked = Command::new(Verb::Dispatch, actor("wang", None), at(local));
        let step = incident.apply(&asked).expect("dispatched");
        in_working_time(Some(&incident), step, &calendar())
    }

    #[test]
    fn acknowledging_waits_for_the_end_of_the_next_working_half_day() {
        for (opens, due) in [
            // Friday, as the office closes: Monday morning
            ("2026-04-24T17:30", "2026-04-27T12:00"),
            ("2026-04-27T09:00", "2026-04-27T17:30"),
            // before a holiday; a Saturday that is worked for it
            ("2026-04-30T15:00", "2026-05-06T12:00"),
            ("2026-05-08T16:00", "2026-05-09T12:00"),
            ("2026-05-09T16:00", "2026-05-11T12:00"),
        ] {
            let incident = opened(Severity::P4, opens);
            assert_eq!(incident.due.acknowledge, at(due), "{opens}");
        }
    }

    #[test]
    fn what_is_shorter_than_half_a_day_goes_by_office_hours() {
        for (starts, seconds, due) in [
            ("2026-04-24T17:00", 3600, "2026-04-27T09:00"),
            ("2026-04-24T11:30", 3600, "2026-04-24T14:30"),
            ("2026-04-25T11:30", 900, "2026-04-27T08:45"),
            // a day is a morning and an afternoon
            ("2026-04-24T17:30", 24 * 3600, "2026-04-27T17:30"),
            ("2026-04-24T17:30", 25 * 3600, "2026-04-28T09:30"),
        ] {
            let got = calendar().after_working(at(starts), seconds);
            assert_eq!(got, Some(at(due)), "{starts} and {seconds} s");
        }
        assert_eq!(
            calendar().after_working(at("2026-04-24T17:30"), u32::MAX),
            None
        );
    }

    #[test]
    fn clocks_that_a_step_starts_are_stretched_once_and_what_is_told_says_so() {
        let (sent, told) = claim_of(Severity::P4, "2026-04-25T10:00");
        let clocks = sent.plan.clocks;
        let starts = at("2026-04-25T10:00");
        let due = calendar()
            .after_working(starts, clocks.claim_s)
            .expect("a day");
        assert_eq!(sent.tasks[0].due.claim, due);
        assert_eq!(sent.tasks[0].due.resolve, sent.due.resolve);
        let notice = told.iter().find_map(|effect| match effect {
            Effect::Notify(notice) => Some(notice.due),
            _ => None,
        });
        assert_eq!(notice, Some(due), "what is told is what is waited for");
        let (again, _) = in_working_time(Some(&sent), (sent.clone(), Vec::new()), &calendar());
        assert_eq!(again, sent, "what runs stays");
    }

    #[test]
    fn all_others_go_day_and_night() {
        let (sent, _) = claim_of(Severity::P3, "2026-04-25T10:00");
        let passed = sent.tasks[0]
            .due
            .claim
            .duration_since(at("2026-04-25T10:00"));
        assert_eq!(passed.as_secs(), i64::from(sent.plan.clocks.claim_s));
    }
}
