//! Every state × verb as tables, and the stories behind the guards.

use super::{
    Act, Actor, CAUSE_UNSPECIFIED, Command, Condition, Effect, Incident, IncidentState, Reason,
    Refused, TaskState, Verb,
};
use crate::rule::{Clocks, Finding, FindingKind, RuleMeta};
use crate::{DeviceClass, IncidentId, Severity, Timestamp};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

fn meta(rule: &str, lead: &str, co: &[&str]) -> RuleMeta {
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
        suppresses: None,
        reports: None,
    }
}

fn finding(rule: &str, subject: &str, severity: Severity, second: i64) -> Finding {
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
        detail: [("level".to_owned(), second.to_string())].into(),
    }
}

/// An incident of a rule led by `fire` with `police` as helper, opened in second 0.
fn opened(severity: Severity) -> Incident {
    let id = IncidentId::new(uuid::Uuid::from_u128(7 << 80));
    let found = finding("S1", "device:smoke-1", severity, 0);
    Incident::open(id, 1001, &found, &meta("S1", "fire", &["police"])).0
}

fn actor(user: &str, department: Option<&str>) -> Actor {
    Actor {
        user: user.parse().expect("user"),
        department: department.map(|d| d.parse().expect("department")),
    }
}

fn command(verb: Verb, user: &str, department: Option<&str>) -> Command {
    Command::new(verb, actor(user, department), at(10))
}

fn ok(incident: &Incident, verb: Verb, user: &str, department: Option<&str>) -> Incident {
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

/// An incident in a state, on the shortest way there; states without a way yet are put.
fn in_state(state: IncidentState) -> Incident {
    let open = opened(Severity::P2);
    let dispatched = || ok(&open, Verb::Dispatch, "wang", None);
    let resolved = || {
        let claimed = ok(&dispatched(), Verb::Claim, "li", Some("fire"));
        ok(&claimed, Verb::Resolve, "li", Some("fire"))
    };
    match state {
        IncidentState::Open => open,
        IncidentState::Acknowledged => ok(&open, Verb::Acknowledge, "wang", None),
        IncidentState::Dispatched => dispatched(),
        IncidentState::Resolved => resolved(),
        IncidentState::Closed => ok(&resolved(), Verb::Close, "wang", None),
        IncidentState::Verifying
        | IncidentState::Review
        | IncidentState::Merged
        | IncidentState::Cancelled => Incident { state, ..open },
    }
}

#[test]
fn every_state_answers_every_verb() {
    use IncidentState::{
        Acknowledged, Cancelled, Closed, Dispatched, Merged, Open, Resolved, Review, Verifying,
    };
    use Reason::{NotClaimed, NothingToDispatch, WrongState};
    use Verb::{Acknowledge, Arrive, Claim, Close, Dispatch, Resolve};
    const NO: Result<IncidentState, Reason> = Err(WrongState);
    let verbs = [Acknowledge, Dispatch, Claim, Arrive, Resolve, Close];
    assert_eq!(verbs, Verb::ALL, "a new verb needs a column");
    let table = [
        (
            Open,
            [Ok(Acknowledged), Ok(Dispatched), Ok(Dispatched), NO, NO, NO],
        ),
        (
            Acknowledged,
            [NO, Ok(Dispatched), Ok(Dispatched), NO, NO, NO],
        ),
        (
            Verifying,
            [Ok(Verifying), Ok(Dispatched), Ok(Dispatched), NO, NO, NO],
        ),
        (
            Dispatched,
            [
                Ok(Dispatched),
                Err(NothingToDispatch),
                Ok(Dispatched),
                Err(NotClaimed),
                Err(NotClaimed),
                NO,
            ],
        ),
        (Resolved, [NO, NO, NO, NO, NO, Ok(Closed)]),
        (Review, [NO, NO, NO, NO, NO, Ok(Closed)]),
        (Closed, [NO; 6]),
        (Merged, [NO; 6]),
        (Cancelled, [NO; 6]),
    ];
    assert_eq!(
        table.len(),
        IncidentState::ALL.len(),
        "a new state needs a row"
    );
    for (state, row) in table {
        let incident = in_state(state);
        for (verb, expect) in verbs.into_iter().zip(row) {
            let answer = incident.apply(&command(verb, "li", Some("fire")));
            let got = answer.map(|(next, _)| next.state).map_err(|refused| {
                assert_eq!(refused.state, state);
                refused.reason
            });
            assert_eq!(got, expect, "{verb} in {state}");
        }
    }
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
        (&claimed, resolve, "sun", police, Ok(TaskState::Resolved)),
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
    let done = ok(&there, Verb::Resolve, "wang", None);
    assert_eq!(done.state, IncidentState::Resolved);
    assert_eq!(done.cause.as_deref(), Some(CAUSE_UNSPECIFIED));
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
    let resolve = Command {
        cause: Some("cooking".to_owned()),
        ..command(Verb::Resolve, "li", Some("fire"))
    };
    let (done, effects) = claimed.apply(&resolve).expect("the lead is done");
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
        .map(|effect| match effect {
            Effect::Record(step) => (step.act, step.note.as_deref()),
            Effect::AcknowledgeAlarms => unreachable!("a claim acknowledges nothing"),
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
    assert_eq!(effects.len(), 2, "raised and dispatched: {effects:?}");
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
    let (calm, told) = incident.set_condition(Condition::Normal, at(5), &incident.rule);
    assert_eq!((calm.version, told.len()), (incident.version, 1));
    let (still, told) = calm.set_condition(Condition::Normal, at(6), &incident.rule);
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
