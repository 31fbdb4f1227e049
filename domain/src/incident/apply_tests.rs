//! Every state × verb as tables, and the stories behind the guards.

use super::{
    Act, Actor, Command, Condition, Effect, Evidence, EvidenceKind, Incident, IncidentState,
    REVIEW_AFTER_S, Reason, Refused, Satisfaction, Standing, TaskState, Verb,
};
use crate::rule::{Clocks, Finding, FindingKind, RuleMeta};
use crate::{DepartmentId, DeviceClass, IncidentId, Severity, Timestamp};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

pub(super) fn meta(rule: &str, lead: &str, co: &[&str]) -> RuleMeta {
    RuleMeta {
        id: rule.parse().expect("rule"),
        title_zh: String::new(),
        title_en: String::new(),
        lead: lead.parse().expect("department"),
        co: co.iter().map(|d| d.parse().expect("department")).collect(),
        dedupe_s: 300,
        latched: true,
        absorbs: Vec::new(),
        sop_zh: Vec::new(),
        sop_en: Vec::new(),
        clocks: None,
        mode: crate::rule::Mode::default(),
        verify: false,
        silent: false,
        fire_mode: false,
        suppresses: None,
        reports: None,
        threshold: None,
    }
}

pub(super) fn finding(rule: &str, subject: &str, severity: Severity, second: i64) -> Finding {
    Finding {
        rule: rule.parse().expect("rule"),
        subject: subject.to_owned(),
        what: FindingKind::Raised,
        severity,
        site: "q1".parse().expect("site"),
        class: DeviceClass::FireSensor,
        zone: None,
        device: None,
        at: at(second),
        occurred_at: at(second - 2),
        event: None,
        seq: None,
        lasting: true,
        detail: [("level".to_owned(), second.to_string())].into(),
    }
}

/// An incident of a rule led by `fire` with `police` as helper, opened in second 0.
pub(super) fn opened(severity: Severity) -> Incident {
    let id = IncidentId::new(uuid::Uuid::from_u128(7 << 80));
    let found = finding("S1", "device:smoke-1", severity, 0);
    Incident::open(id, 1001, &found, &meta("S1", "fire", &["police"])).0
}

pub(super) fn actor(user: &str, department: Option<&str>) -> Actor {
    Actor {
        user: user.parse().expect("user"),
        department: department.map(|d| d.parse().expect("department")),
    }
}

fn act(effect: &Effect) -> Option<Act> {
    match effect {
        Effect::Record(step) => Some(step.act),
        _ => None,
    }
}

pub(super) fn command(verb: Verb, user: &str, department: Option<&str>) -> Command {
    Command::new(verb, actor(user, department), at(10))
}

pub(super) fn ok(
    incident: &Incident,
    verb: Verb,
    user: &str,
    department: Option<&str>,
) -> Incident {
    let (next, _) = incident
        .apply(&command(verb, user, department))
        .unwrap_or_else(|refused| panic!("{verb} by {user}: {refused}"));
    assert_eq!(next.version, incident.version + 1);
    next
}

fn no(incident: &Incident, verb: Verb, user: &str, department: Option<&str>) -> Refused {
    let answer = incident.apply(&command(verb, user, department));
    answer.expect_err("is refused")
}

const CALM: Standing = Standing {
    condition: Condition::Normal,
    lasting: false,
};

/// What the holder says when the whole is done: it was real, and the condition is over.
fn done(user: &str, department: Option<&str>) -> Command {
    Command {
        cause: Some("genuine".to_owned()),
        note: Some("seen to".to_owned()),
        ..command(Verb::Resolve, user, department)
    }
}

fn calm(incident: &Incident) -> Incident {
    incident.set_condition(CALM, at(9), &incident.rule).0
}

/// An incident in a state, on the shortest way there.
fn in_state(state: IncidentState) -> Incident {
    let open = opened(Severity::P2);
    let dispatched = || ok(&open, Verb::Dispatch, "wang", None);
    let resolved = || {
        let claimed = ok(&dispatched(), Verb::Claim, "li", Some("fire"));
        calm(&claimed)
            .apply(&done("li", Some("fire")))
            .expect("resolved")
            .0
    };
    match state {
        IncidentState::Open => open,
        IncidentState::Acknowledged => ok(&open, Verb::Acknowledge, "wang", None),
        IncidentState::Verifying => ok(&open, Verb::Verify, "wang", None),
        IncidentState::Dispatched => dispatched(),
        IncidentState::Resolved => resolved(),
        IncidentState::Review => resolved().on_time(at(10 + i64::from(REVIEW_AFTER_S))).0,
        IncidentState::Closed => ok(&resolved(), Verb::Close, "wang", None),
        IncidentState::Merged => {
            open.merge_into(&opened(Severity::P1), at(-700), &open.rule)
                .0
        }
        IncidentState::Cancelled => {
            let cancel = Command {
                cause: Some("drill".to_owned()),
                note: Some("announced".to_owned()),
                ..command(Verb::Cancel, "zhou", None)
            };
            open.apply(&cancel).expect("cancelled").0
        }
    }
}

#[test]
fn every_state_answers_every_verb() {
    use IncidentState::{
        Acknowledged, Cancelled, Closed, Dispatched, Merged, Open, Resolved, Review, Verifying,
    };
    use Reason::{
        NeedsAnswer, NeedsCause, NeedsNote, NeedsStep, NoTask, NotClaimed, NothingAwaited,
        NothingToDispatch, TooLate, WrongParent,
    };
    // what is not in the list is not possible in the state; each is asked with nothing but the verb
    type Row<'a> = (IncidentState, &'a [(Verb, Result<IncidentState, Reason>)]);
    let table: [Row<'_>; 9] = [
        (
            Open,
            &[
                (Verb::Acknowledge, Ok(Acknowledged)),
                (Verb::Verify, Ok(Verifying)),
                (Verb::Dispatch, Ok(Dispatched)),
                (Verb::Assign, Err(NoTask)),
                (Verb::Claim, Ok(Dispatched)),
                (Verb::ForceClose, Err(NeedsCause)),
                (Verb::Merge, Err(WrongParent)),
                (Verb::Cancel, Err(NeedsCause)),
                (Verb::Note, Err(NeedsNote)),
                (Verb::Tick, Err(NeedsStep)),
                (Verb::Untick, Err(NeedsStep)),
                (Verb::Escalate, Ok(Open)),
            ],
        ),
        (
            Acknowledged,
            &[
                (Verb::Verify, Ok(Verifying)),
                (Verb::Dispatch, Ok(Dispatched)),
                (Verb::Assign, Err(NoTask)),
                (Verb::Claim, Ok(Dispatched)),
                (Verb::ForceClose, Err(NeedsCause)),
                (Verb::Merge, Err(WrongParent)),
                (Verb::Cancel, Err(NeedsCause)),
                (Verb::Note, Err(NeedsNote)),
                (Verb::Tick, Err(NeedsStep)),
                (Verb::Untick, Err(NeedsStep)),
                (Verb::Escalate, Err(NothingAwaited)),
            ],
        ),
        (
            Verifying,
            &[
                (Verb::Acknowledge, Err(Reason::AlreadyAcknowledged)),
                (Verb::Dismiss, Err(NeedsCause)),
                (Verb::Dispatch, Ok(Dispatched)),
                (Verb::Assign, Err(NoTask)),
                (Verb::Claim, Ok(Dispatched)),
                (Verb::ForceClose, Err(NeedsCause)),
                (Verb::Merge, Err(WrongParent)),
                (Verb::Cancel, Err(NeedsCause)),
                (Verb::Note, Err(NeedsNote)),
                (Verb::Tick, Err(NeedsStep)),
                (Verb::Untick, Err(NeedsStep)),
                (Verb::Escalate, Ok(Verifying)),
            ],
        ),
        (
            Dispatched,
            &[
                (Verb::Acknowledge, Err(Reason::AlreadyAcknowledged)),
                (Verb::Verify, Ok(Dispatched)),
                (Verb::Dismiss, Err(NeedsCause)),
                (Verb::Dispatch, Err(NothingToDispatch)),
                (Verb::Assign, Err(NoTask)),
                (Verb::Claim, Ok(Dispatched)),
                (Verb::Arrive, Err(NotClaimed)),
                (Verb::Progress, Err(NotClaimed)),
                (Verb::HandBack, Err(NeedsNote)),
                (Verb::Resolve, Err(NotClaimed)),
                (Verb::ForceClose, Err(NeedsCause)),
                (Verb::Merge, Err(WrongParent)),
                (Verb::Cancel, Err(NeedsCause)),
                (Verb::Note, Err(NeedsNote)),
                (Verb::Tick, Err(NeedsStep)),
                (Verb::Untick, Err(NeedsStep)),
                (Verb::Escalate, Ok(Dispatched)),
            ],
        ),
        (
            Resolved,
            &[
                (Verb::Reopen, Err(NeedsNote)),
                (Verb::Close, Ok(Closed)),
                (Verb::Note, Err(NeedsNote)),
            ],
        ),
        (
            Review,
            &[
                (Verb::Answer, Err(NeedsAnswer)),
                (Verb::Reopen, Err(NeedsNote)),
                (Verb::Close, Ok(Closed)),
                (Verb::Note, Err(NeedsNote)),
            ],
        ),
        (
            Closed,
            &[
                (Verb::Answer, Err(NeedsAnswer)),
                (Verb::Reopen, Err(NeedsNote)),
                (Verb::Note, Err(NeedsNote)),
            ],
        ),
        (Merged, &[(Verb::Unmerge, Err(TooLate))]),
        (Cancelled, &[(Verb::Note, Err(NeedsNote))]),
    ];
    let states: Vec<IncidentState> = table.iter().map(|(state, _)| *state).collect();
    assert!(IncidentState::ALL.iter().all(|s| states.contains(s)));
    for (state, row) in table {
        let incident = in_state(state);
        for &verb in Verb::ALL {
            let listed = row.iter().find(|(listed, _)| *listed == verb);
            let expect = listed.map_or(Err(Reason::WrongState), |(_, expect)| *expect);
            let answer = incident.apply(&command(verb, "li", Some("fire")));
            let got = answer.map(|(next, _)| next.state).map_err(|refused| {
                assert_eq!(refused.state, state);
                refused.reason
            });
            assert_eq!(got, expect, "{verb} in {state}");
        }
    }
}

fn could(
    incident: &Incident,
    verb: Verb,
    user: &str,
    department: Option<&str>,
) -> Result<(), Reason> {
    let all: Vec<DepartmentId> = ["fire", "police", "traffic"]
        .iter()
        .map(|d| d.parse().expect("department"))
        .collect();
    let answer = incident.could(verb, &actor(user, department), None, &all, at(10));
    answer.map_err(|refused| refused.reason)
}

#[test]
fn what_is_offered_is_what_would_be_done_with_the_right_words() {
    // what a bare command lacks is said in a form; what is left is what no words change
    let is_for_words = |reason| {
        matches!(
            reason,
            Reason::NeedsNote
                | Reason::NeedsCause
                | Reason::NeedsAnswer
                | Reason::NeedsStep
                | Reason::WrongParent
                | Reason::NothingToDispatch
        )
    };
    for &state in IncidentState::ALL {
        let incident = in_state(state);
        for &verb in Verb::ALL {
            let bare = incident.apply(&command(verb, "li", Some("fire")));
            let expect = match bare.map_err(|refused| refused.reason) {
                Ok(_) => Ok(()),
                // nothing is ticked that could be taken back; who leads is known without being named
                Err(_) if verb == Verb::Assign && state.is_open() => Ok(()),
                Err(Reason::NeedsStep) if verb == Verb::Untick => Err(Reason::NeedsStep),
                Err(reason) if is_for_words(reason) => Ok(()),
                Err(reason) => Err(reason),
            };
            let got = could(&incident, verb, "li", Some("fire"));
            assert_eq!(got, expect, "{verb} in {state}");
        }
    }
}

#[test]
fn what_no_words_change_is_said_before_it_is_tried() {
    let held = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    let fire = Some("fire");
    for (verb, user, department, expect) in [
        (Verb::Claim, "chen", fire, Err(Reason::HeldByOther)),
        (Verb::Claim, "li", fire, Err(Reason::HeldAlready)),
        (Verb::Claim, "qian", Some("market"), Err(Reason::NoTask)),
        (Verb::Arrive, "li", fire, Ok(())),
        (Verb::Arrive, "chen", fire, Err(Reason::HeldByOther)),
        (Verb::Dispatch, "wang", None, Ok(())),
        (Verb::ForceClose, "zhou", None, Ok(())),
    ] {
        let got = could(&held, verb, user, department);
        assert_eq!(got, expect, "{verb} by {user}");
    }
    let lasting = held
        .set_condition(
            Standing {
                condition: Condition::Active,
                lasting: true,
            },
            at(9),
            &held.rule,
        )
        .0;
    let goes_on = could(&lasting, Verb::Resolve, "li", fire);
    assert_eq!(goes_on, Err(Reason::ConditionActive));
    assert_eq!(could(&calm(&held), Verb::Resolve, "li", fire), Ok(()));
    let unsent = opened(Severity::P2);
    let stranger = could(&unsent, Verb::Claim, "qian", Some("traffic"));
    assert_eq!(
        stranger,
        Err(Reason::NoTask),
        "a claim sends whom the rule names, nobody else"
    );
    let everybody = Command {
        departments: vec!["traffic".parse().expect("department")],
        ..command(Verb::Dispatch, "wang", None)
    };
    let (full, _) = held.apply(&everybody).expect("traffic too");
    assert_eq!(
        could(&full, Verb::Dispatch, "wang", None),
        Err(Reason::NothingToDispatch)
    );
}

#[test]
fn notes_and_ticks_turn_nobody_away() {
    let open = opened(Severity::P2);
    let said = Command {
        note: Some("the neighbour has the key".to_owned()),
        ..command(Verb::Note, "wang", None)
    };
    let (noted, effects) = open.apply(&said).expect("noted");
    assert_eq!((noted.version, noted.state), (open.version, open.state));
    let lines: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Record(step) => Some((step.act, step.note.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(lines, [(Act::Note, said.note.as_deref())]);

    let step = |verb, n| Command {
        step: n,
        ..command(verb, "wang", None)
    };
    let (ticked, _) = open.apply(&step(Verb::Tick, Some(2))).expect("ticked");
    assert_eq!(ticked.version, open.version);
    assert_eq!(Vec::from_iter(&ticked.course.ticked), [&2]);
    for (incident, verb, n, expect) in [
        (&ticked, Verb::Tick, Some(2), Err(Reason::AlreadyDone)),
        (&ticked, Verb::Tick, Some(1), Ok(())),
        (&ticked, Verb::Untick, Some(2), Ok(())),
        (&ticked, Verb::Untick, Some(1), Err(Reason::AlreadyDone)),
        (&ticked, Verb::Tick, Some(0), Err(Reason::NeedsStep)),
        (&ticked, Verb::Tick, Some(65), Err(Reason::NeedsStep)),
        (&ticked, Verb::Tick, None, Err(Reason::NeedsStep)),
    ] {
        let got = incident.apply(&step(verb, n));
        let got = got.map(|_| ()).map_err(|refused| refused.reason);
        assert_eq!(got, expect, "{verb} {n:?}");
    }
}

#[test]
fn who_escalates_tells_every_rung_up_to_the_one_they_name() {
    let rungs = |incident: &Incident, level| {
        let asked = Command {
            level,
            ..command(Verb::Escalate, "wang", None)
        };
        let step = incident.apply(&asked);
        step.map_err(|refused| refused.reason)
            .map(|(next, effects)| {
                let told: Vec<u8> = effects
                    .iter()
                    .filter_map(|effect| match effect {
                        Effect::Notify(notice) => Some(notice.level),
                        _ => None,
                    })
                    .collect();
                (next, told)
            })
    };
    let open = opened(Severity::P2);
    let (first, told) = rungs(&open, None).expect("told");
    assert_eq!((told, first.version), (vec![1], open.version));
    let (third, told) = rungs(&first, Some(3)).expect("told");
    assert_eq!(told, [2, 3], "nobody is passed over");
    assert_eq!(third.course.escalation.level, 3);
    assert_eq!(rungs(&third, Some(3)).map(|_| ()), Err(Reason::NoRung));
    assert_eq!(rungs(&third, Some(5)).map(|_| ()), Err(Reason::NoRung));
    let (all, told) = rungs(&third, None).expect("told");
    assert_eq!(told, [4]);
    assert_eq!(rungs(&all, None).map(|_| ()), Err(Reason::NoRung));
    // the clock goes on from there: with everybody told, the ladder is exhausted at its hour
    assert!(!all.course.escalation.is_exhausted);
    assert!(all.on_time(at(60 + 1260)).0.course.escalation.is_exhausted);
}

#[test]
fn every_task_state_answers_every_verb_of_tasks() {
    use Reason::{AlreadyDone, HeldAlready, HeldByOther, NoTask, NotClaimed};
    let waiting = in_state(IncidentState::Dispatched);
    let claimed = ok(&waiting, Verb::Claim, "zhao", Some("police"));
    let on_scene = ok(&claimed, Verb::Arrive, "zhao", Some("police"));
    let resolved = ok(&on_scene, Verb::Resolve, "zhao", Some("police"));
    let (claim, arrive, resolve) = (Verb::Claim, Verb::Arrive, Verb::Resolve);
    let police = Some("police");
    for (incident, verb, user, department, expect) in [
        (&waiting, claim, "zhao", police, Ok(TaskState::Claimed)),
        (&waiting, arrive, "zhao", police, Err(NotClaimed)),
        (&waiting, resolve, "zhao", police, Err(NotClaimed)),
        (&claimed, claim, "zhao", police, Err(HeldAlready)),
        (&claimed, claim, "sun", police, Err(HeldByOther)),
        (&claimed, arrive, "zhao", police, Ok(TaskState::OnScene)),
        (&claimed, arrive, "sun", police, Err(HeldByOther)),
        (&claimed, resolve, "zhao", police, Ok(TaskState::Resolved)),
        (&claimed, resolve, "sun", police, Err(HeldByOther)),
        (&on_scene, claim, "zhao", police, Err(HeldAlready)),
        (&on_scene, claim, "sun", police, Err(HeldByOther)),
        (&on_scene, arrive, "zhao", police, Err(AlreadyDone)),
        (&on_scene, resolve, "zhao", police, Ok(TaskState::Resolved)),
        (&resolved, claim, "sun", police, Err(AlreadyDone)),
        (&resolved, arrive, "zhao", police, Err(AlreadyDone)),
        (&resolved, resolve, "zhao", police, Err(AlreadyDone)),
        // a department that takes no part, and an operator who means the lead's task
        (&waiting, claim, "qian", Some("market"), Err(NoTask)),
        (&claimed, arrive, "wang", None, Err(NotClaimed)),
        (&claimed, resolve, "wang", None, Err(NotClaimed)),
    ] {
        let answer = incident.apply(&command(verb, user, department));
        let police = "police".parse().expect("department");
        let state = |next: &Incident| next.task_of(&police).expect("has a task").state;
        let got = answer
            .map(|(next, _)| state(&next))
            .map_err(|refused| refused.reason);
        assert_eq!(got, expect, "{verb} by {user} of {department:?}");
    }
}

#[test]
fn p1_has_its_tasks_at_once_and_is_acknowledged_later_without_going_back() {
    let incident = opened(Severity::P1);
    assert_eq!(
        (incident.state, incident.version),
        (IncidentState::Dispatched, 1)
    );
    assert_eq!(incident.acknowledged, None);
    let seen = ok(&incident, Verb::Acknowledge, "wang", None);
    assert_eq!(seen.state, IncidentState::Dispatched);
    let again = no(&seen, Verb::Acknowledge, "zhou", None);
    assert_eq!(again.reason, Reason::AlreadyAcknowledged);
    assert_eq!(again.holder, Some("wang".parse().expect("user")));
}

#[test]
fn whoever_comes_second_hears_who_was_first() {
    let first = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    let second = no(&first, Verb::Claim, "chen", Some("fire"));
    assert_eq!(second.reason, Reason::HeldByOther);
    assert_eq!(second.holder, Some("li".parse().expect("user")));
}

#[test]
fn a_claim_before_dispatch_dispatches_by_the_rule() {
    let claimed = ok(&opened(Severity::P2), Verb::Claim, "zhao", Some("police"));
    let told: Vec<&str> = claimed
        .tasks
        .iter()
        .map(|t| t.department.as_str())
        .collect();
    assert_eq!(told, ["fire", "police"]);
    assert_eq!(claimed.holder(), None, "the lead's task is still free");
    assert_eq!(claimed.tasks[1].holder, Some("zhao".parse().expect("user")));
}

#[test]
fn an_operator_claims_for_the_lead_and_may_resolve_what_they_hold() {
    let claimed = ok(&opened(Severity::P1), Verb::Claim, "wang", None);
    assert_eq!(claimed.holder(), Some(&"wang".parse().expect("user")));
    let there = ok(&claimed, Verb::Arrive, "wang", None);
    let other = no(&there, Verb::Resolve, "zhou", None);
    assert_eq!(other.reason, Reason::HeldByOther);
    let (done, _) = calm(&there).apply(&done("wang", None)).expect("resolved");
    assert_eq!(done.state, IncidentState::Resolved);
    assert_eq!(done.cause.as_deref(), Some("genuine"));
}

#[test]
fn the_helper_resolves_its_own_part_the_lead_the_whole() {
    let incident = ok(&opened(Severity::P1), Verb::Claim, "zhao", Some("police"));
    let helped = ok(&incident, Verb::Resolve, "zhao", Some("police"));
    assert_eq!(helped.state, IncidentState::Dispatched);
    let dispatch = Command {
        departments: vec!["traffic".parse().expect("department")],
        ..command(Verb::Dispatch, "wang", None)
    };
    let (wider, _) = helped.apply(&dispatch).expect("traffic comes too");
    let claimed = ok(&wider, Verb::Claim, "li", Some("fire"));
    let there = ok(&claimed, Verb::Arrive, "li", Some("fire"));
    let resolve = Command {
        cause: Some("cooking".to_owned()),
        ..command(Verb::Resolve, "li", Some("fire"))
    };
    let (done, effects) = calm(&there).apply(&resolve).expect("the lead is done");
    let states: Vec<TaskState> = done.tasks.iter().map(|t| t.state).collect();
    assert_eq!(
        states,
        [
            TaskState::Resolved,
            TaskState::Resolved,
            TaskState::Released
        ]
    );
    assert_eq!(done.cause.as_deref(), Some("cooking"));
    assert!(effects.contains(&Effect::AcknowledgeAlarms));
}

#[test]
fn the_first_department_leads_when_the_planned_lead_is_left_out() {
    let dispatch = Command {
        departments: vec![
            "traffic".parse().expect("department"),
            "police".parse().expect("department"),
        ],
        ..command(Verb::Dispatch, "wang", None)
    };
    let (given, _) = opened(Severity::P2).apply(&dispatch).expect("dispatched");
    assert_eq!(given.lead().as_str(), "traffic");
    assert_eq!(given.tasks.len(), 2);
}

#[test]
fn the_note_belongs_to_what_was_asked() {
    let claim = Command {
        note: Some("on my way".to_owned()),
        ..command(Verb::Claim, "li", Some("fire"))
    };
    let (_, effects) = opened(Severity::P2).apply(&claim).expect("claimed");
    let notes: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Record(step) => Some((step.act, step.note.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(
        notes,
        [(Act::Dispatch, None), (Act::Claim, Some("on my way"))]
    );
}

#[test]
fn deadlines_run_from_the_finding_and_only_move_forward() {
    let clocks = Clocks::default_for(Severity::P3);
    let calm = opened(Severity::P3);
    assert_eq!(calm.due.acknowledge, at(i64::from(clocks.acknowledge_s)));
    assert_eq!(calm.due.resolve, at(i64::from(clocks.resolve_s)));
    let meta = meta("S1", "fire", &["police"]);
    let (worse, effects) = calm.refresh(&finding("S1", "device:smoke-1", Severity::P1, 100), &meta);
    assert_eq!((worse.severity, worse.version), (Severity::P1, 2));
    assert_eq!(
        worse.state,
        IncidentState::Dispatched,
        "P1 waits for nobody"
    );
    assert_eq!(worse.due.acknowledge, at(130));
    assert_eq!(worse.tasks[0].due.arrive, at(100 + 180));
    let acts: Vec<Act> = effects.iter().filter_map(act).collect();
    assert_eq!(acts, [Act::Raise, Act::Dispatch]);
    let (same, effects) = worse.refresh(&finding("S1", "device:smoke-1", Severity::P3, 200), &meta);
    assert_eq!(
        (same.severity, same.version, same.count),
        (Severity::P1, 2, 3)
    );
    assert_eq!(same.due, worse.due);
    assert!(effects.is_empty(), "a repeat is no step");
}

#[test]
fn a_confirmed_fire_takes_the_incident_over() {
    let first = ok(&opened(Severity::P1), Verb::Acknowledge, "wang", None);
    let first = ok(&first, Verb::Claim, "li", Some("fire"));
    let found = finding("S2", "zone:z1", Severity::P1, 60);
    let (fire, _) = first.take_over(&found, &meta("S2", "fire", &["police", "traffic"]));
    assert_eq!(
        (fire.number, fire.rule.as_str(), fire.subject.as_str()),
        (1001, "S2", "zone:z1")
    );
    let told: Vec<&str> = fire.departments().iter().map(|d| d.as_str()).collect();
    assert_eq!(told, ["fire", "police", "traffic"]);
    assert_eq!(fire.acknowledged, None, "more than what was acknowledged");
    assert_eq!(fire.due.acknowledge, at(90));
    assert_eq!(
        fire.holder(),
        Some(&"li".parse().expect("user")),
        "who is there stays there"
    );
}

#[test]
fn smoke_that_was_gone_at_once_needs_no_second_acknowledgement() {
    let first = ok(&opened(Severity::P1), Verb::Acknowledge, "wang", None);
    let found = finding("S3", "device:smoke-1", Severity::P2, 20);
    let (less, _) = first.take_over(&found, &meta("S3", "fire", &[]));
    assert_eq!(
        (less.acknowledged.is_some(), less.severity),
        (true, Severity::P1)
    );
}

#[test]
fn another_lead_takes_the_lead_and_the_former_helps() {
    let found = finding("B3", "zone:z1", Severity::P1, 60);
    let (after, _) = opened(Severity::P1).take_over(&found, &meta("B3", "traffic", &[]));
    assert_eq!(after.lead().as_str(), "traffic");
    let told: Vec<&str> = after.departments().iter().map(|d| d.as_str()).collect();
    assert_eq!(told, ["traffic", "fire", "police"]);
    assert_eq!(after.tasks.iter().filter(|task| task.lead).count(), 1);
}

#[test]
fn merging_releases_what_is_open_and_names_the_other() {
    let (parent, child) = (opened(Severity::P1), opened(Severity::P1));
    let (merged, _) = child.merge_into(&parent, at(5), &parent.rule);
    assert_eq!(
        (merged.state, merged.parent),
        (IncidentState::Merged, Some(parent.id))
    );
    assert!(
        merged
            .tasks
            .iter()
            .all(|task| task.state == TaskState::Released)
    );
}

#[test]
fn the_condition_is_told_once_and_is_no_step_of_the_work() {
    let incident = opened(Severity::P1);
    let (calm, told) = incident.set_condition(CALM, at(5), &incident.rule);
    assert_eq!((calm.version, told.len()), (incident.version, 1));
    let (still, told) = calm.set_condition(CALM, at(6), &incident.rule);
    assert_eq!((still, told.len()), (calm, 0));
}

#[test]
fn tasks_have_ids_of_their_own_that_stay() {
    let (one, two) = (opened(Severity::P1), opened(Severity::P1));
    assert_eq!(
        one.tasks, two.tasks,
        "made from the incident's id, without dice"
    );
    assert_ne!(one.tasks[0].id, one.tasks[1].id);
}

#[test]
fn the_whole_is_resolved_with_a_cause_and_proof_and_a_quiet_detector() {
    let claimed = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    let there = ok(&claimed, Verb::Arrive, "li", Some("fire"));
    let say = |cause: Option<&str>, note: Option<&str>| Command {
        cause: cause.map(str::to_owned),
        note: note.map(str::to_owned),
        ..command(Verb::Resolve, "li", Some("fire"))
    };
    let photo = Command {
        evidence: vec![Evidence {
            kind: EvidenceKind::Photo,
            reference: "kitchen".to_owned(),
        }],
        ..say(Some("cooking"), None)
    };
    for (incident, asked, expect) in [
        (
            &there,
            say(Some("fire"), None),
            Err(Reason::ConditionActive),
        ),
        (&calm(&there), say(None, None), Err(Reason::NeedsCause)),
        (
            &calm(&there),
            say(Some("gnomes"), None),
            Err(Reason::WrongCause),
        ),
        (&calm(&there), say(Some("cooking"), None), Ok(true)),
        (
            &calm(&claimed),
            say(Some("fire"), None),
            Err(Reason::NeedsEvidence),
        ),
        (&calm(&claimed), say(Some("fire"), Some("out")), Ok(false)),
        (
            &calm(&claimed),
            say(Some("cooking"), Some("she says")),
            Err(Reason::NeedsProof),
        ),
        (&calm(&claimed), photo, Ok(true)),
    ] {
        let got = incident.apply(&asked).map(|(next, _)| next.course.is_false);
        assert_eq!(got.map_err(|r| r.reason), expect, "{asked:?}");
    }
}

#[test]
fn two_people_close_a_p1_by_force_and_one_suffices_below() {
    let force = |user: &str| Command {
        cause: Some("fault".to_owned()),
        note: Some("the detector is gone".to_owned()),
        ..command(Verb::ForceClose, user, None)
    };
    let (first, _) = opened(Severity::P1).apply(&force("zhou")).expect("asked");
    assert_eq!(first.state, IncidentState::Dispatched);
    let again = first.apply(&force("zhou")).expect_err("the same person");
    assert_eq!(again.reason, Reason::NeedsSecondPerson);
    let (second, _) = first.apply(&force("wang")).expect("agreed");
    assert_eq!(second.state, IncidentState::Resolved);
    assert_eq!(second.course.forced_by.len(), 2);
    let (alone, _) = opened(Severity::P3).apply(&force("zhou")).expect("closed");
    assert_eq!(alone.state, IncidentState::Resolved);
}

#[test]
fn what_wants_verification_is_not_sent_before_somebody_looked() {
    let mut vendor = meta("C2", "enforcement", &["market"]);
    vendor.verify = true;
    let id = IncidentId::new(uuid::Uuid::from_u128(9 << 80));
    let found = finding("C2", "zone:z1", Severity::P3, 0);
    let (open, _) = Incident::open(id, 1002, &found, &vendor);
    for verb in [Verb::Dispatch, Verb::Claim] {
        let refused = no(&open, verb, "wang", None);
        assert_eq!(refused.reason, Reason::NeedsVerification, "{verb}");
    }
    let looking = ok(&open, Verb::Verify, "wang", None);
    let blind = no(&looking, Verb::Dispatch, "wang", None);
    assert_eq!(blind.reason, Reason::NeedsEvidence);
    let seen = Command {
        note: Some("two stalls".to_owned()),
        ..command(Verb::Dispatch, "wang", None)
    };
    let (sent, _) = looking.apply(&seen).expect("sent");
    assert_eq!(sent.lead().as_str(), "enforcement");
    let (urgent, _) = Incident::open(id, 1003, &finding("C2", "z", Severity::P1, 0), &vendor);
    assert_eq!(
        urgent.state,
        IncidentState::Dispatched,
        "P1 waits for nobody"
    );
}

#[test]
fn a_token_that_was_overtaken_opens_nothing() {
    let claimed = ok(&opened(Severity::P1), Verb::Claim, "li", Some("fire"));
    let fence = claimed.tasks[0].fence;
    let lapsed = claimed.on_time(at(10 + 181)).0;
    assert_eq!(lapsed.tasks[0].state, TaskState::Dispatched);
    let late = Command {
        fence: Some(fence),
        ..done("li", Some("fire"))
    };
    let refused = calm(&lapsed).apply(&late).expect_err("lapsed");
    assert_eq!(refused.reason, Reason::NotClaimed);
    let again = ok(&lapsed, Verb::Claim, "li", Some("fire"));
    let refused = calm(&again).apply(&late).expect_err("an old token");
    assert_eq!(refused.reason, Reason::FenceStale);
    let taken = ok(&lapsed, Verb::Claim, "chen", Some("fire"));
    let refused = calm(&taken).apply(&late).expect_err("somebody else's");
    assert_eq!(refused.reason, Reason::HeldByOther);
}

#[test]
fn not_ours_twice_and_then_the_station_lead_decides() {
    let back = |incident: &Incident, user: &str, department: &str| {
        let said = Command {
            note: Some("not ours".to_owned()),
            ..command(Verb::HandBack, user, Some(department))
        };
        incident.apply(&said).map(|(next, _)| next)
    };
    let sent = ok(&opened(Severity::P2), Verb::Dispatch, "wang", None);
    let once = back(&sent, "li", "fire").expect("the first");
    assert_eq!(once.lead().as_str(), "police", "who is there leads");
    let twice = back(&once, "zhao", "police").expect("the second");
    assert_eq!(twice.state, IncidentState::Acknowledged, "nobody has it");
    let desk = no(&twice, Verb::Dispatch, "wang", None);
    assert_eq!(desk.reason, Reason::HandedBackTwice);
    let assign = Command {
        department: Some("fire".parse().expect("department")),
        ..command(Verb::Assign, "zhou", None)
    };
    let (decided, _) = twice.apply(&assign).expect("decided");
    assert_eq!(
        (decided.lead().as_str(), decided.state),
        ("fire", IncidentState::Dispatched)
    );
    assert_eq!(decided.tasks[0].state, TaskState::Dispatched);
}

#[test]
fn merging_can_be_undone_for_ten_minutes() {
    let (child, parent) = (opened(Severity::P1), in_state(IncidentState::Open));
    let held = ok(&child, Verb::Claim, "li", Some("fire"));
    let merge = Command {
        into: Some((
            IncidentId::new(uuid::Uuid::from_u128(5 << 80)),
            parent.number,
        )),
        ..command(Verb::Merge, "wang", None)
    };
    let (merged, _) = held.apply(&merge).expect("merged");
    assert_eq!(merged.tasks[0].state, TaskState::Released);
    let undo = |second| Command {
        at: at(second),
        ..command(Verb::Unmerge, "wang", None)
    };
    let (back, _) = merged.apply(&undo(600)).expect("undone");
    assert_eq!((back.state, back.parent), (IncidentState::Dispatched, None));
    assert_eq!(back.tasks[0].state, TaskState::Claimed);
    assert_eq!(back.holder(), held.holder());
    let late = merged.apply(&undo(611)).expect_err("too late");
    assert_eq!(late.reason, Reason::TooLate);
}

#[test]
fn those_concerned_are_asked_and_may_open_it_again() {
    let review = in_state(IncidentState::Review);
    let say = |answer| Command {
        answer: Some(answer),
        ..command(Verb::Answer, "reporter", None)
    };
    let (well, _) = review.apply(&say(Satisfaction::Satisfied)).expect("heard");
    assert_eq!(
        (well.state, well.course.satisfaction),
        (IncidentState::Closed, Satisfaction::Satisfied)
    );
    let (again, _) = review
        .apply(&say(Satisfaction::Dissatisfied))
        .expect("heard");
    assert_eq!(
        (again.state, again.course.round),
        (IncidentState::Dispatched, 2)
    );
    assert_eq!(
        (again.acknowledged.clone(), again.tasks[0].state),
        (None, TaskState::Dispatched)
    );
    let late = Command {
        at: at(20 + 72 * 3600),
        ..say(Satisfaction::Dissatisfied)
    };
    assert_eq!(
        review.apply(&late).expect_err("too late").reason,
        Reason::TooLate
    );
}
