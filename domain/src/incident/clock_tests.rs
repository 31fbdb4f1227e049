//! What time brings, as stories with a clock.

use super::apply_tests::{at, command, finding, meta, ok, opened};
use super::{
    Act, Effect, Incident, IncidentState, LEVELS, REVIEW_AFTER_S, Satisfaction, Stage, TaskState,
    Verb,
};
use crate::{IncidentId, Severity};

/// Lets time pass to every moment that is due, and notes what happened when.
fn pass(incident: &Incident, upto: i64) -> (Incident, Vec<(i64, Effect)>) {
    let (mut now, mut told) = (incident.clone(), Vec::new());
    while let Some(due) = now.next_due().filter(|due| *due <= at(upto)) {
        let (next, effects) = now.on_time(due);
        assert_ne!(next, now, "what was due at {due} must change something");
        let second = due.as_second() - at(0).as_second();
        told.extend(effects.into_iter().map(|effect| (second, effect)));
        now = next;
    }
    (now, told)
}

fn levels(told: &[(i64, Effect)]) -> Vec<(i64, u8)> {
    let level = |(second, effect): &(i64, Effect)| match effect {
        Effect::Notify(notice) if notice.stage == Stage::Acknowledge => {
            Some((*second, notice.level))
        }
        _ => None,
    };
    told.iter().filter_map(level).collect()
}

fn exhausted(told: &[(i64, Effect)]) -> Option<i64> {
    told.iter()
        .find(|(_, effect)| matches!(effect, Effect::Exhausted(Stage::Acknowledge)))
        .map(|(second, _)| *second)
}

#[test]
fn an_alarm_that_nobody_sees_climbs_the_whole_ladder() {
    for (severity, rungs, end) in [
        (
            Severity::P1,
            vec![(30, 1), (60, 2), (120, 3), (180, 4)],
            Some(240),
        ),
        (
            Severity::P2,
            vec![(60, 1), (180, 2), (480, 3), (900, 4)],
            Some(1320),
        ),
        (
            Severity::P3,
            vec![(450, 1), (900, 2), (1350, 3)],
            Some(1800),
        ),
        (Severity::P4, vec![], None),
    ] {
        let (_, told) = pass(&opened(severity), 7 * 24 * 3600);
        assert_eq!(levels(&told), rungs, "{severity}");
        assert_eq!(exhausted(&told), end, "{severity}");
    }
}

#[test]
fn a_person_who_saw_it_ends_the_ladder_and_says_so_if_it_was_exhausted() {
    let (gone, _) = pass(&opened(Severity::P1), 300);
    assert!(gone.course.escalation.is_exhausted);
    assert_eq!(gone.course.escalation.highest, LEVELS);
    let (seen, effects) = gone
        .apply(&command(Verb::Acknowledge, "wang", None))
        .expect("seen");
    assert!(effects.contains(&Effect::Recovered));
    assert!(!seen.course.escalation.is_exhausted);
    let (_, told) = pass(
        &ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire")),
        60,
    );
    assert_eq!(levels(&told), [], "a claim is a person too");
}

#[test]
fn an_acknowledgement_that_nothing_follows_expires() {
    for (severity, expires) in [
        (Severity::P1, 70),
        (Severity::P2, 310),
        (Severity::P3, 3610),
    ] {
        let seen = ok(&opened(severity), Verb::Acknowledge, "wang", None);
        let (before, _) = seen.on_time(at(expires - 1));
        assert!(before.acknowledged.is_some(), "{severity}");
        let (after, _) = seen.on_time(at(expires));
        assert_eq!(after.acknowledged, None, "{severity}");
        let expect = if severity == Severity::P1 {
            IncidentState::Dispatched
        } else {
            IncidentState::Open
        };
        assert_eq!(after.state, expect);
    }
    let claimed = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    assert!(claimed.on_time(at(100)).0.acknowledged.is_some());
}

#[test]
fn a_claim_lapses_without_a_word_and_a_word_renews_it() {
    let claimed = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    let word = super::Command {
        note: Some("at the door".to_owned()),
        at: at(180),
        ..command(Verb::Progress, "li", Some("fire"))
    };
    let (renewed, _) = claimed.apply(&word).expect("heard");
    assert_eq!(
        renewed.on_time(at(359)).0.tasks[0].state,
        TaskState::Claimed
    );
    let (lapsed, effects) = renewed.on_time(at(360));
    assert_eq!(
        (lapsed.tasks[0].state, lapsed.holder()),
        (TaskState::Dispatched, None)
    );
    let told = effects
        .iter()
        .any(|e| matches!(e, Effect::Notify(n) if n.level == 1 && n.stage == Stage::Claim));
    assert!(told, "{effects:?}");
}

#[test]
fn each_department_has_its_own_clock() {
    let claimed = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    let (_, told) = pass(&claimed, 170);
    let police: Vec<(i64, Stage)> = told
        .iter()
        .filter_map(|(second, effect)| match effect {
            Effect::Notify(n) if n.department.as_str() == "police" => Some((*second, n.stage)),
            _ => None,
        })
        .collect();
    assert_eq!(
        police,
        [(60, Stage::Claim)],
        "claimed by nobody in a minute"
    );
    let there = ok(&claimed, Verb::Arrive, "li", Some("fire"));
    let (_, told) = pass(&there, 400);
    let asked = told.iter().any(|(second, effect)| {
        *second == 310 && matches!(effect, Effect::Record(step) if step.act == Act::Overdue)
    });
    assert!(asked, "no word from the scene for five minutes: {told:?}");
}

#[test]
fn what_is_resolved_is_reviewed_and_closes_by_itself() {
    let asked = |severity, number| {
        let id = IncidentId::new(uuid::Uuid::from_u128(7 << 80));
        let found = finding("S1", "device:smoke-1", severity, 0);
        let (open, _) = Incident::open(id, number, &found, &meta("S1", "fire", &[]));
        let force = super::Command {
            cause: Some("fault".to_owned()),
            note: Some("replaced".to_owned()),
            ..command(Verb::ForceClose, "zhou", None)
        };
        let (forced, _) = open.apply(&force).expect("forced");
        let (resolved, _) = pass(&forced, 10 + 600);
        let (review, _) = pass(&resolved, 10 + 600 + i64::from(REVIEW_AFTER_S));
        assert_eq!(review.state, IncidentState::Review, "{severity}");
        let said = review.course.satisfaction;
        let (closed, _) = pass(&review, 8 * 24 * 3600);
        assert_eq!(closed.state, IncidentState::Closed, "{severity}");
        assert_eq!(
            closed.course.satisfaction, said,
            "no answer is not satisfied"
        );
        assert_eq!(closed.next_due(), None);
        said
    };
    assert_eq!(asked(Severity::P1, 1001), Satisfaction::NoAnswer, "all P1");
    assert_eq!(asked(Severity::P3, 1001), Satisfaction::NotAsked);
    assert_eq!(
        asked(Severity::P3, 1010),
        Satisfaction::NoAnswer,
        "every tenth"
    );
}

#[test]
fn one_person_alone_at_night_closes_by_force_after_ten_minutes() {
    let force = super::Command {
        cause: Some("fault".to_owned()),
        note: Some("nobody answers".to_owned()),
        ..command(Verb::ForceClose, "zhou", None)
    };
    let (asked, _) = opened(Severity::P1).apply(&force).expect("asked");
    assert!(asked.on_time(at(609)).0.state.is_open());
    let alone = asked.on_time(at(610)).0;
    assert_eq!(alone.state, IncidentState::Resolved);
    assert_eq!(alone.course.forced_by.len(), 1, "marked as one person's");
}

#[test]
fn a_long_absence_catches_up_with_what_would_have_happened() {
    let (step_by_step, _) = pass(&opened(Severity::P2), 3600);
    let (at_once, _) = opened(Severity::P2).on_time(at(3600));
    assert_eq!(
        at_once.course.escalation.level,
        step_by_step.course.escalation.level
    );
    assert_eq!(
        at_once.course.escalation.is_exhausted,
        step_by_step.course.escalation.is_exhausted
    );
    assert_eq!(at_once.version, step_by_step.version);
    assert!(at_once.next_due().is_none_or(|due| due > at(3600)));
}
