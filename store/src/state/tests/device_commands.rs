use domain::device_command::{Action, Answer, AnswerStatus, Feedback, Means, NotNow, SendStep};
use domain::{CommandId, Reach, UserId};

use super::fixture::{Hub, at, batch};
use crate::state::{Claimed, CommandAskError, CommandItem, Heard, NewCommand};

fn new(action: Action) -> NewCommand {
    NewCommand {
        device: "door-1".parse().expect("an id"),
        action,
        reason: "消防员在门口".to_owned(),
        incident: None,
        alone: false,
    }
}

fn user(login: &str) -> UserId {
    login.parse().expect("an id")
}

impl Hub {
    async fn ask(&self, action: Action, by: &str, key: &str, second: i64) -> CommandItem {
        let asked = self
            .state
            .ask_command(new(action), key, (user(by), at(second)));
        asked.await.expect("taken")
    }

    async fn claim(&self, second: i64, way: Option<Means>) -> Vec<Claimed> {
        let claimed = self.state.claim_commands(at(second), |_| way);
        claimed.await.expect("claims")
    }

    async fn stage(&self, id: CommandId) -> (String, String) {
        let item = self.state.device_command(id).await.expect("reads");
        let item = item.expect("is there");
        (item.stage, item.detail.unwrap_or_default())
    }
}

fn says(id: CommandId, status: AnswerStatus, challenge: Option<&str>, second: i64) -> Heard {
    Heard::Answer(
        "door-1".parse().expect("an id"),
        Answer {
            command: id.to_string(),
            status,
            detail: None,
            challenge: challenge.map(str::to_owned),
            at: at(second),
        },
    )
}

fn pair(stage: &str, detail: &str) -> (String, String) {
    (stage.to_owned(), detail.to_owned())
}

#[tokio::test]
async fn a_door_that_is_away_is_not_opened_when_it_comes_back() {
    let hub = Hub::start().await;
    let asked = hub.ask(Action::Unlock, "wang", "k1", 100).await;
    assert_eq!(asked.stage, "waiting");
    assert!(hub.claim(101, None).await.is_empty());
    // its time is over: also a door that is there now is told nothing
    assert!(hub.claim(110, Some(Means::BOTH)).await.is_empty());
    assert_eq!(hub.stage(asked.id).await, pair("expired", "not_connected"));
    assert!(hub.claim(400, Some(Means::BOTH)).await.is_empty());
    let report = hub.state.verify_audit().await.expect("reads");
    assert!(report.broken.is_none());
    let untold = hub.state.untold_commands().await.expect("reads");
    assert_eq!(untold.len(), 1);
    hub.state.command_told(&untold[0]).await.expect("written");
    assert!(hub.state.untold_commands().await.expect("reads").is_empty());
}

#[tokio::test]
async fn what_may_have_left_is_never_sent_again() {
    let hub = Hub::start().await;
    let asked = hub.ask(Action::Unlock, "wang", "k1", 100).await;
    let claimed = hub.claim(101, Some(Means::BOTH)).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].step, SendStep::Order);
    // the hub dies before it knows whether a byte has left
    let hub = hub.crash().await;
    assert!(hub.claim(102, Some(Means::BOTH)).await.is_empty());
    assert_eq!(hub.stage(asked.id).await.0, "sending");
    assert!(hub.claim(112, Some(Means::BOTH)).await.is_empty());
    assert_eq!(hub.stage(asked.id).await, pair("unknown", "no_answer"));
    // the device's own word still counts, as late as it is
    hub.commit(crate::state::Batch {
        heard: vec![says(asked.id, AnswerStatus::Done, None, 300)],
        ..batch(1, Vec::new())
    })
    .await;
    assert_eq!(hub.stage(asked.id).await.0, "done");
}

#[tokio::test]
async fn a_challenge_goes_back_once_and_the_state_has_to_show_it() {
    let hub = Hub::start().await;
    let asked = hub.ask(Action::Unlock, "wang", "k1", 100).await;
    let first = hub.claim(101, Some(Means::BOTH)).await.remove(0);
    hub.state
        .command_handed(asked.id, true, at(101))
        .await
        .expect("written");
    let heard = vec![
        says(asked.id, AnswerStatus::Accepted, Some("abc"), 102),
        says(asked.id, AnswerStatus::Accepted, Some("other"), 102),
    ];
    let said = crate::state::Batch {
        heard,
        ..batch(1, Vec::new())
    };
    hub.commit(said.clone()).await;
    let release = hub.claim(103, Some(Means::BOTH)).await.remove(0);
    assert_eq!(
        release.step,
        SendStep::Release {
            challenge: "abc".to_owned(),
            valid_ms: 8000
        }
    );
    assert_eq!(
        (release.counter, &release.nonce),
        (first.counter, &first.nonce)
    );
    hub.state
        .command_handed(asked.id, true, at(103))
        .await
        .expect("written");
    // a batch that is committed again changes nothing
    hub.commit(said).await;
    assert!(hub.claim(104, Some(Means::BOTH)).await.is_empty());

    hub.commit(crate::state::Batch {
        heard: vec![says(asked.id, AnswerStatus::Done, None, 104)],
        ..batch(2, Vec::new())
    })
    .await;
    assert!(hub.state.watches_device(&"door-1".parse().expect("an id")));
    assert!(hub.claim(109, Some(Means::BOTH)).await.is_empty());
    assert_eq!(
        hub.stage(asked.id).await,
        pair("no_effect", "state_unchanged")
    );
    let shows = Heard::State(
        "door-1".parse().expect("an id"),
        Feedback::DoorReleased,
        at(111),
    );
    hub.commit(crate::state::Batch {
        heard: vec![shows],
        ..batch(3, Vec::new())
    })
    .await;
    assert_eq!(hub.stage(asked.id).await, pair("done", "seen_late"));
}

#[tokio::test]
async fn asked_twice_it_is_done_once_and_both_see_it() {
    let hub = Hub::start().await;
    let first = hub.ask(Action::Unlock, "wang", "k1", 100).await;
    let again = hub.ask(Action::Unlock, "wang", "k1", 100).await;
    let other = hub.ask(Action::Unlock, "li", "k9", 101).await;
    assert_eq!((first.id, first.id), (again.id, other.id));
    let busy = hub
        .state
        .ask_command(new(Action::Lock), "k2", (user("li"), at(101)))
        .await;
    assert!(
        matches!(
            busy,
            Err(CommandAskError::Busy {
                action: Action::Unlock,
                ..
            })
        ),
        "{busy:?}"
    );
    let other_class = hub
        .state
        .ask_command(new(Action::Raise), "k3", (user("li"), at(101)))
        .await;
    assert!(
        matches!(other_class, Err(CommandAskError::NotOfClass { .. })),
        "{other_class:?}"
    );
    let page = hub
        .state
        .device_commands(None, true, None, 10, &Reach::default())
        .await;
    assert_eq!(page.expect("reads").items.len(), 1);
}

#[tokio::test]
async fn what_stays_open_takes_two() {
    let hub = Hub::start().await;
    let asked = hub.ask(Action::HoldOpen, "wang", "k1", 100).await;
    assert_eq!(asked.stage, "proposed");
    assert!(hub.claim(101, Some(Means::BOTH)).await.is_empty());
    let alone = hub
        .state
        .confirm_command(asked.id, &user("wang"), at(101))
        .await;
    assert!(
        matches!(alone, Err(CommandAskError::NotNow(NotNow::SamePerson))),
        "{alone:?}"
    );
    let confirmed = hub
        .state
        .confirm_command(asked.id, &user("li"), at(102))
        .await;
    assert_eq!(confirmed.expect("confirms").stage, "waiting");
    assert_eq!(hub.claim(103, Some(Means::BOTH)).await.len(), 1);
    let back = hub
        .state
        .withdraw_command(asked.id, &user("li"), at(103))
        .await;
    assert!(
        matches!(back, Err(CommandAskError::NotNow(NotNow::Left))),
        "{back:?}"
    );

    // in need, by one alone, with a reason
    let hub = Hub::start().await;
    let alone = NewCommand {
        alone: true,
        reason: "急".to_owned(),
        ..new(Action::HoldOpen)
    };
    let bare = hub
        .state
        .ask_command(alone.clone(), "k1", (user("wang"), at(100)))
        .await;
    assert!(
        matches!(bare, Err(CommandAskError::Invalid { .. })),
        "{bare:?}"
    );
    let reason = "对讲里有人呼救，另一名值班员在现场".to_owned();
    let item = hub.state.ask_command(
        NewCommand { reason, ..alone },
        "k2",
        (user("wang"), at(100)),
    );
    assert_eq!(item.await.expect("taken").stage, "waiting");
}

#[tokio::test]
async fn a_session_gone_mad_does_not_flood_a_door() {
    let hub = Hub::start().await;
    for n in 0..6 {
        let second = 100 + n;
        let asked = hub
            .ask(Action::Ping, "wang", &format!("k{n}"), second)
            .await;
        let claimed = hub.claim(second, Some(Means::BOTH)).await;
        assert_eq!(claimed.len(), 1, "{n}");
        hub.commit(crate::state::Batch {
            heard: vec![says(asked.id, AnswerStatus::Done, None, second)],
            ..batch(n.cast_unsigned() + 1, Vec::new())
        })
        .await;
    }
    let more = hub
        .state
        .ask_command(new(Action::Ping), "more", (user("li"), at(107)))
        .await;
    assert!(matches!(more, Err(CommandAskError::TooMany)), "{more:?}");
    hub.ask(Action::Ping, "li", "later", 170).await;
}
