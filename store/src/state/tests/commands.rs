//! Commands: every state × verb, who is first, and the same command twice.

use std::collections::BTreeSet;

use domain::incident::{Command, IncidentState, REVIEW_AFTER_S, Reason, Verb};
use domain::{IncidentId, Severity};

use super::fixture::{Hub, at, book, command, finding};
use crate::state::CommandError;

/// An incident in a state, on a way that people and time go.
async fn in_state(hub: &Hub, state: IncidentState) -> IncidentId {
    let id = hub.open_incident().await;
    let way: &[Verb] = match state {
        IncidentState::Open => &[],
        IncidentState::Acknowledged => &[Verb::Acknowledge],
        IncidentState::Verifying => &[Verb::Verify],
        IncidentState::Dispatched => &[Verb::Dispatch],
        IncidentState::Resolved | IncidentState::Review => &[Verb::ForceClose],
        IncidentState::Closed => &[Verb::ForceClose, Verb::Close],
        IncidentState::Merged => &[Verb::Merge],
        IncidentState::Cancelled => &[Verb::Cancel],
    };
    let other = match state {
        IncidentState::Merged => Some((hub.open_incident().await, 1)),
        _ => None,
    };
    for verb in way {
        let asked = Command {
            into: other,
            ..command(*verb, "zhao", Some("police"))
        };
        hub.act(id, asked).await.expect("on the way");
    }
    if state == IncidentState::Review {
        let later = at(2000 + i64::from(REVIEW_AFTER_S));
        hub.state.run_due(later, &book()).await.expect("runs");
    }
    assert_eq!(hub.view(id).await.item.state, state);
    id
}

#[tokio::test]
async fn every_state_answers_every_verb_as_the_machine_says() {
    let hub = Hub::start().await;
    for &state in IncidentState::ALL {
        for &verb in Verb::ALL {
            let id = in_state(&hub, state).await;
            let before = hub.view(id).await;
            let other = hub.open_incident().await;
            let asked = Command {
                into: (verb == Verb::Merge).then_some((other, 1)),
                ..command(verb, "zhao", Some("police"))
            };
            let answer = hub.act(id, asked).await;
            let after = hub.view(id).await;
            let allowed = verb.from_states().contains(&state);
            match answer {
                Ok(view) => {
                    assert!(allowed, "{verb} in {state}");
                    let steps = i64::from(verb.is_step());
                    assert_eq!(view.item.version, before.item.version + steps);
                    assert!(view.item.revision > before.item.revision);
                    assert!(view.timeline.len() > before.timeline.len());
                    assert_eq!(view, after, "the answer is what is there");
                }
                Err(CommandError::Refused(refused)) => {
                    let is_guard = refused.reason != Reason::WrongState;
                    assert_eq!(allowed, is_guard, "{verb} in {state}: {refused}");
                    assert_eq!(refused.state, state);
                    assert_eq!(after, before, "a refusal changes nothing");
                }
                Err(other) => panic!("{verb} in {state}: {other}"),
            }
        }
    }
}

/// Rounds of the race: a few here; `JIMING_ROUNDS=1000` for as many as the promise names.
fn rounds() -> u64 {
    let asked = std::env::var("JIMING_ROUNDS").ok();
    asked.map_or(5, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_who_claim_at_once_one_wins_and_the_others_hear_who() {
    let hub = Hub::start().await;
    for round in 1..=rounds() {
        let found = finding("B1", &format!("plate:{round}"), Severity::P2, round);
        let id = hub.find(vec![found]).await.opened[0];
        let version = hub.view(id).await.item.version;
        let mut claims = tokio::task::JoinSet::new();
        for n in 0..200 {
            let state = hub.state.clone();
            claims.spawn(async move {
                let user = format!("user-{n}");
                let claim = Command {
                    at: at(i64::try_from(round).expect("few rounds") + 5),
                    ..command(Verb::Claim, &user, Some("police"))
                };
                let key = format!("key-{round}-{n}");
                (user, state.command(id, version, &key, claim).await)
            });
        }
        let (mut winners, mut named) = (Vec::new(), BTreeSet::new());
        for (user, answer) in claims.join_all().await {
            match answer {
                Ok(_) => winners.push(user),
                Err(CommandError::Refused(refused)) => {
                    assert_eq!(refused.reason, Reason::HeldByOther);
                    named.insert(refused.holder.expect("somebody was faster").to_string());
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(named.into_iter().collect::<Vec<_>>(), winners);
        let view = hub.view(id).await;
        let holder = view.item.holder.map(|user| user.to_string());
        assert_eq!(holder.as_ref(), winners.first());
        // the lease lapses; what the holder of before says then counts for nothing
        let late = Command {
            at: at(i64::try_from(round).expect("few rounds") + 5 + 601),
            fence: Some(1),
            ..command(Verb::Resolve, &winners[0], Some("police"))
        };
        let refused = hub.act(id, late).await;
        assert!(
            matches!(refused, Err(CommandError::Refused(_))),
            "round {round}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn the_same_command_again_has_the_same_answer_and_happens_once() {
    let hub = Hub::start().await;
    let id = hub.open_incident().await;
    let claim = || Command {
        note: Some("我来".to_owned()),
        ..command(Verb::Claim, "zhao", Some("police"))
    };
    let first = hub
        .state
        .command(id, 1, "key", claim())
        .await
        .expect("claimed");
    hub.act(id, command(Verb::Progress, "zhao", Some("police")))
        .await
        .expect("goes on meanwhile");
    let later = Command {
        at: super::fixture::at(2000),
        ..claim()
    };
    let again = hub
        .state
        .command(id, 1, "key", later)
        .await
        .expect("the stored answer");
    assert_eq!(again, first);
    let claims = hub
        .view(id)
        .await
        .timeline
        .iter()
        .filter(|line| line.verb.as_str() == "claim")
        .count();
    assert_eq!(claims, 1);
    let other = hub
        .state
        .command(id, 1, "key", command(Verb::Arrive, "zhao", Some("police")))
        .await;
    assert!(matches!(other, Err(CommandError::KeyReused)), "{other:?}");
    // keys are the actor's own
    let wang = hub
        .state
        .command(id, 3, "key", command(Verb::Claim, "wang", Some("traffic")))
        .await;
    assert!(wang.is_ok(), "{wang:?}");
    let hub = hub.crash().await;
    assert_eq!(
        hub.state
            .command(id, 1, "key", claim())
            .await
            .expect("also after a crash"),
        first
    );
}

#[tokio::test]
async fn whoever_decided_on_an_older_version_looks_again() {
    let hub = Hub::start().await;
    let id = hub.open_incident().await;
    hub.state
        .command(id, 1, "a", command(Verb::Acknowledge, "wang", None))
        .await
        .expect("seen");
    let answer = hub
        .state
        .command(id, 1, "b", command(Verb::Dispatch, "zhou", None))
        .await;
    match answer {
        Err(CommandError::VersionConflict { current }) => assert_eq!(current.item.version, 2),
        other => panic!("{other:?}"),
    }
    // what is refused anyway says why
    let late = hub
        .state
        .command(id, 1, "c", command(Verb::Acknowledge, "zhou", None))
        .await;
    match late {
        Err(CommandError::Refused(refused)) => assert_eq!(refused.reason, Reason::WrongState),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_happens() {
    let hub = Hub::start().await;
    let id = hub.open_incident().await;
    let nobody = IncidentId::new(uuid::Uuid::nil());
    let plain = || command(Verb::Dispatch, "wang", None);
    let unknown = hub.state.command(nobody, 1, "k", plain()).await;
    assert!(
        matches!(unknown, Err(CommandError::NotFound)),
        "{unknown:?}"
    );
    let long = "x".repeat(3000);
    let market = || vec!["market".parse().expect("department")];
    for (key, wrong) in [
        ("", plain()),
        (long.as_str(), plain()),
        (
            "k",
            Command {
                note: Some(long.clone()),
                ..plain()
            },
        ),
        (
            "k",
            Command {
                cause: Some(long.clone()),
                ..plain()
            },
        ),
        (
            "k",
            Command {
                departments: market(),
                ..plain()
            },
        ),
    ] {
        let answer = hub.state.command(id, 1, key, wrong).await;
        assert!(
            matches!(answer, Err(CommandError::Invalid { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(hub.view(id).await.item.version, 1);
}

#[tokio::test]
async fn what_is_possible_is_what_is_answered() {
    let hub = Hub::start().await;
    for &state in IncidentState::ALL {
        let id = in_state(&hub, state).await;
        let asked = command(Verb::Note, "zhao", Some("police"));
        let possible = hub.state.possible(id, &asked.actor, asked.at).await;
        let possible = possible.expect("reads");
        let verbs: BTreeSet<Verb> = possible.iter().map(|one| one.verb).collect();
        assert_eq!(verbs.len(), Verb::ALL.len(), "every verb has its answer");
        for one in possible.iter().filter(|one| one.department.is_none()) {
            let other = hub.open_incident().await;
            let said = Command {
                into: (one.verb == Verb::Merge).then_some((other, 1)),
                department: (one.verb == Verb::Assign).then(|| "fire".parse().expect("id")),
                departments: match one.verb {
                    Verb::Dispatch => ["fire", "police", "traffic"]
                        .map(|id| id.parse().expect("id"))
                        .to_vec(),
                    _ => Vec::new(),
                },
                ..command(one.verb, "zhao", Some("police"))
            };
            // each from the same state: what was done before would change the answer
            let fresh = in_state(&hub, state).await;
            let answer = match hub.act(fresh, said).await {
                Ok(_) => None,
                Err(CommandError::Refused(refused)) => Some(refused.reason),
                Err(other) => panic!("{} in {state}: {other}", one.verb),
            };
            let offered = one.refused.as_ref().map(|refused| refused.reason);
            // nothing is ticked yet in either
            let is_untick = one.verb == Verb::Untick && offered == Some(Reason::NeedsStep);
            let expect = if is_untick {
                Some(Reason::AlreadyDone)
            } else {
                offered
            };
            assert_eq!(answer, expect, "{} in {state}", one.verb);
        }
    }
}
