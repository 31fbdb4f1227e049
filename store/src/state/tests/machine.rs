//! Random people and detectors on one hub: whatever they do, the invariants hold. A failure prints the sequence that led to it.

use std::collections::BTreeMap;

use domain::incident::{IncidentState, TaskState, Verb};
use domain::rule::Finding;
use domain::{IncidentId, Severity};
use proptest::prelude::*;

use super::fixture::{Hub, actor, at, cleared, command, finding};
use crate::state::{CommandError, IncidentView, TaskItem, TimelineItem};

const DEVICES: [&str; 3] = ["smoke-1", "smoke-2", "smoke-3"];
const PEOPLE: [(&str, Option<&str>); 5] = [
    ("wang", None),
    ("li", Some("fire")),
    ("chen", Some("fire")),
    ("zhao", Some("police")),
    ("qian", Some("traffic")),
];

#[derive(Debug, Clone)]
enum Action {
    Smoke {
        device: usize,
    },
    Fire,
    Clear {
        device: usize,
    },
    Command {
        incident: usize,
        verb: usize,
        person: usize,
        stale: bool,
    },
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    let device = 0..DEVICES.len();
    let command = (
        any::<usize>(),
        0..Verb::ALL.len(),
        0..PEOPLE.len(),
        prop::bool::weighted(0.1),
    );
    prop_oneof![
        3 => device.clone().prop_map(|device| Action::Smoke { device }),
        1 => Just(Action::Fire),
        2 => device.prop_map(|device| Action::Clear { device }),
        12 => command.prop_map(|(incident, verb, person, stale)| Action::Command { incident, verb, person, stale }),
        1 => Just(Action::Crash),
    ]
}

fn found(action: &Action, seq: u64) -> Option<Finding> {
    let smoke = |device: usize| {
        finding(
            "S1",
            &format!("device:{}", DEVICES[device]),
            Severity::P2,
            seq,
        )
    };
    match action {
        Action::Smoke { device } => Some(smoke(*device)),
        Action::Fire => Some(finding("S2", "zone:z1", Severity::P1, seq)),
        Action::Clear { device } => Some(cleared(smoke(*device), seq)),
        Action::Command { .. } | Action::Crash => None,
    }
}

async fn all(hub: &Hub) -> BTreeMap<IncidentId, IncidentView> {
    let mut views = BTreeMap::new();
    for item in hub.items().await {
        views.insert(item.id, hub.view(item.id).await);
    }
    views
}

/// What holds for every incident at every moment.
fn check_one(view: &IncidentView) {
    let open = view.item.state.is_open();
    for task in &view.tasks {
        assert!(
            task.holder.is_none() || task.claimed_at.is_some(),
            "held means claimed: {view:?}"
        );
        assert!(!task.state.is_held() || task.holder.is_some(), "{view:?}");
        assert!(
            open || !task.state.is_open(),
            "work left on what is over: {view:?}"
        );
    }
    let leads = view.tasks.iter().filter(|task| task.lead).count();
    if view.item.state == IncidentState::Dispatched {
        assert_eq!(leads, 1, "somebody leads: {view:?}");
    } else {
        assert!(leads <= 1, "{view:?}");
    }
    let active = view.alarms.iter().any(|alarm| alarm.state.is_active());
    assert_eq!(view.item.condition.as_str() == "active", active, "{view:?}");
    // the timeline tells how things came to stand as they do
    let told = |word: &str, verbs: &[&str]| {
        let is_such = |line: &&TimelineItem| line.to == word && verbs.contains(&line.verb.as_str());
        view.timeline.iter().filter(is_such).count()
    };
    let count = |fits: fn(&TaskItem) -> bool| view.tasks.iter().filter(|t| fits(t)).count();
    // each task was claimed once more than it was let go, over all rounds
    assert!(
        told("claimed", &["claim"]) >= count(|task| task.claimed_at.is_some()),
        "{view:?}"
    );
    let fences: i64 = view.tasks.iter().map(|task| task.fence).sum();
    assert_eq!(
        told("claimed", &["claim"]) as i64,
        fences,
        "a token a claim: {view:?}"
    );
    let ended = told("resolved", &["resolve", "dismiss", "force_close"]);
    let resolved = count(|task| task.state == TaskState::Resolved);
    assert!(ended >= resolved + usize::from(view.item.resolved_at.is_some()));
    let again = told("dispatched", &["reopen"]);
    assert_eq!(view.item.round as usize, again + 1, "{view:?}");
    let closed = told("closed", &["close"]) + told("cancelled", &["cancel"]);
    assert!(closed >= usize::from(view.item.closed_at.is_some()));
    assert_eq!(view.timeline[0].verb.as_str(), "open");
}

/// What holds from one moment to the next.
fn check_step(before: &IncidentView, after: &IncidentView) {
    assert!(
        after.item.version >= before.item.version,
        "versions never fall"
    );
    assert!(
        after.timeline.starts_with(&before.timeline),
        "the timeline only grows"
    );
    let work = |view: &IncidentView| {
        (
            view.item.state,
            view.tasks.clone(),
            view.item.severity,
            view.item.lead.clone(),
        )
    };
    if work(before) != work(after) {
        assert!(
            after.item.version > before.item.version,
            "work without a version: {before:?} {after:?}"
        );
    }
    for (was, is) in before.tasks.iter().zip(&after.tasks) {
        let may_change = was.holder.is_none() || is.holder.is_none() || is.fence > was.fence;
        assert!(
            may_change || was.holder == is.holder,
            "the holder was replaced: {was:?} {is:?}"
        );
    }
}

async fn run(actions: Vec<Action>) {
    let mut hub = Hub::start().await;
    let mut before = BTreeMap::new();
    for (number, action) in actions.iter().enumerate() {
        let seq = number as u64 + 1;
        if let Some(finding) = found(action, seq) {
            hub.find(vec![finding]).await;
        }
        match action {
            Action::Command {
                incident,
                verb,
                person,
                stale,
            } if !before.is_empty() => {
                let id = *before
                    .keys()
                    .nth(incident % before.len())
                    .expect("there are some");
                let view: &IncidentView = &before[&id];
                let (user, department) = PEOPLE[*person];
                let mut asked = command(Verb::ALL[*verb], user, department);
                asked.into = before
                    .keys()
                    .nth(seq as usize % before.len())
                    .map(|other| (*other, before[other].item.number));
                asked.fence = None;
                asked.actor = actor(user, department);
                asked.at = at(seq.cast_signed());
                let version = view.item.version - i64::from(*stale);
                match hub
                    .state
                    .command(id, version, &format!("k{seq}"), asked)
                    .await
                {
                    Ok(after) => {
                        assert!(!stale, "decided on an older version");
                        let steps = i64::from(Verb::ALL[*verb].is_step());
                        assert_eq!(after.item.version, view.item.version + steps);
                    }
                    Err(CommandError::VersionConflict { .. }) => assert!(stale),
                    Err(CommandError::Refused(_)) => assert_eq!(hub.view(id).await, *view),
                    Err(other) => panic!("{other}"),
                }
            }
            Action::Crash => hub = hub.crash().await,
            _ => {}
        }
        let after = all(&hub).await;
        let open: Vec<_> = after
            .values()
            .filter(|view| view.item.state.is_open())
            .map(|view| (&view.item.rule, &view.item.subject))
            .collect();
        let unique: std::collections::BTreeSet<_> = open.iter().collect();
        assert_eq!(unique.len(), open.len(), "one open incident a key");
        for (id, view) in &after {
            check_one(view);
            let was_open = before.get(id).is_none_or(|view| view.item.state.is_open());
            if let Some(parent) = view.item.parent.filter(|_| was_open) {
                assert!(
                    after[&parent].item.state.is_open(),
                    "open work went under: {view:?}"
                );
            }
            if let Some(before) = before.get(id) {
                check_step(before, view);
            }
        }
        before = after;
    }
    assert_eq!(hub.state.verify_audit().await.expect("reads").broken, None);
    hub.state.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_people_and_detectors_do_the_invariants_hold(actions in prop::collection::vec(action(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(actions));
    }
}
