//! The clocks of duty as rows: what is due happens once, also after a crash; the outbox; merging and taking it back.

use domain::incident::{Command, IncidentState, TaskState, Verb};
use domain::{IncidentId, Severity};

use super::fixture::{Hub, at, book, cleared, command, finding, smoke};
use crate::state::{ATTEMPTS_MAX, CommandError, EXHAUSTED_RULE};

impl Hub {
    async fn pass(&self, second: i64) {
        self.state.run_due(at(second), &book()).await.expect("runs");
    }

    /// What is told up to a moment, as (incident number, department, level).
    async fn told(&self, second: i64) -> Vec<(u64, String, u8)> {
        let mut told = Vec::new();
        loop {
            let leased = self
                .state
                .lease_deliveries(at(second), 10)
                .await
                .expect("leases");
            if leased.is_empty() {
                return told;
            }
            for delivery in leased {
                let item = &delivery.item;
                told.push((item.number, item.department.to_string(), item.level));
                self.state
                    .delivered(&delivery, at(second))
                    .await
                    .expect("told");
            }
        }
    }
}

#[tokio::test]
async fn an_exhausted_ladder_is_an_alarm_that_ends_with_the_wait() {
    let mut hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    for second in [31, 61, 121, 181] {
        hub.pass(second).await;
        // a crash between two rungs changes nothing
        hub = hub.crash().await;
    }
    assert_eq!(hub.view(id).await.item.level, 4);
    assert_eq!(hub.items().await.len(), 1, "not yet");
    hub.pass(241).await;
    let items = hub.items().await;
    let alarm = items
        .iter()
        .find(|item| item.rule.as_str() == EXHAUSTED_RULE)
        .expect("an alarm of its own");
    assert_eq!(alarm.subject, "incident:1001");
    assert!(hub.view(id).await.item.is_exhausted);
    let told = hub.told(241).await;
    let rungs: Vec<u8> = told
        .iter()
        .filter(|(number, department, _)| *number == 1001 && department == "fire")
        .map(|(_, _, level)| *level)
        .collect();
    assert_eq!(
        rungs,
        [0, 1, 2, 3, 4],
        "each rung once, through four crashes"
    );
    let seen = Command {
        at: at(250),
        ..command(Verb::Acknowledge, "wang", None)
    };
    hub.act(id, seen).await.expect("seen");
    hub.pass(251).await;
    let alarm = hub.view(alarm.id).await;
    assert_eq!(
        alarm.item.condition.as_str(),
        "normal",
        "it has been answered"
    );
}

#[tokio::test]
async fn the_alarm_about_a_ladder_has_a_ladder_and_no_alarm_about_that() {
    let hub = Hub::start().await;
    hub.find(vec![smoke("smoke-1", 1)]).await;
    hub.pass(10_000).await;
    hub.pass(20_000).await;
    let rules: Vec<String> = hub
        .items()
        .await
        .iter()
        .map(|item| item.rule.to_string())
        .collect();
    assert_eq!(rules.len(), 2, "{rules:?}");
}

#[tokio::test]
async fn a_lapsed_claim_is_not_the_holders_any_more_even_before_the_clock_was_looked_at() {
    let hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    hub.act(id, command(Verb::Claim, "li", Some("fire")))
        .await
        .expect("claimed");
    hub.find(vec![cleared(smoke("smoke-1", 1), 20)]).await;
    let late = Command {
        at: at(15 + 181),
        ..command(Verb::Resolve, "li", Some("fire"))
    };
    let refused = hub.act(id, late).await.expect_err("it has lapsed");
    assert!(matches!(refused, CommandError::Refused(_)), "{refused}");
    hub.pass(15 + 181).await;
    let view = hub.view(id).await;
    assert_eq!(view.tasks[0].state, TaskState::Dispatched);
    assert_eq!(view.item.holder, None);
}

#[tokio::test]
async fn what_cannot_be_told_is_tried_again_and_given_up_at_last() {
    let hub = Hub::start().await;
    hub.find(vec![finding("B1", "plate:1", Severity::P2, 1)])
        .await;
    hub.pass(61).await;
    let mut now = 61;
    for attempt in 1..=ATTEMPTS_MAX {
        let leased = hub
            .state
            .lease_deliveries(at(now), 10)
            .await
            .expect("leases");
        let [delivery] = &leased[..] else {
            panic!("attempt {attempt}: {leased:?}")
        };
        assert_eq!(delivery.attempt, attempt);
        let meanwhile = hub.state.lease_deliveries(at(now), 10).await;
        assert_eq!(meanwhile.expect("reads"), [], "leased is leased");
        let dead = hub
            .state
            .delivery_failed(delivery, at(now), "no line")
            .await
            .expect("noted");
        assert_eq!(dead, attempt == ATTEMPTS_MAX);
        now += 600;
    }
    let none = hub.state.lease_deliveries(at(now), 10).await;
    assert_eq!(none.expect("reads"), [], "dead is dead");
}

#[tokio::test]
async fn a_dispatcher_that_died_is_followed_by_another() {
    let hub = Hub::start().await;
    hub.find(vec![finding("B1", "plate:1", Severity::P2, 1)])
        .await;
    hub.pass(61).await;
    let first = hub.state.lease_deliveries(at(61), 10).await;
    assert_eq!(first.expect("leases").len(), 1);
    let hub = hub.crash().await;
    let second = hub.state.lease_deliveries(at(92), 10).await;
    assert_eq!(second.expect("leases").len(), 1, "the lease is over");
}

#[tokio::test]
async fn merged_alarms_go_along_and_come_back() {
    let hub = Hub::start().await;
    let opened = hub
        .find(vec![
            smoke("smoke-1", 1),
            finding("B1", "plate:1", Severity::P2, 2),
        ])
        .await
        .opened;
    let (parent, child) = (opened[0], opened[1]);
    let merge = |into: IncidentId| Command {
        into: Some((into, 1001)),
        ..command(Verb::Merge, "wang", None)
    };
    let itself = hub.act(child, merge(child)).await;
    assert!(
        matches!(itself, Err(CommandError::Refused(_))),
        "{itself:?}"
    );
    hub.act(child, merge(parent)).await.expect("merged");
    assert_eq!(hub.view(parent).await.alarms.len(), 2);
    assert_eq!(hub.view(child).await.alarms.len(), 0);
    let undo = Command {
        at: at(300),
        ..command(Verb::Unmerge, "wang", None)
    };
    let back = hub.act(child, undo.clone()).await.expect("undone");
    assert_eq!(
        (back.alarms.len(), back.item.state),
        (1, IncidentState::Open)
    );
    assert_eq!(hub.view(parent).await.alarms.len(), 1);
    // the key may have been taken meanwhile
    hub.act(child, merge(parent)).await.expect("merged again");
    let again = hub
        .find(vec![
            cleared(finding("B1", "plate:1", Severity::P2, 2), 3),
            finding("B1", "plate:1", Severity::P2, 4),
        ])
        .await;
    assert_eq!(again.opened.len(), 1, "a new episode is a new incident");
    let taken = hub.act(child, undo).await.expect_err("taken");
    assert!(taken.to_string().contains("another incident"), "{taken}");
}

#[tokio::test]
async fn a_p4_of_the_night_is_to_be_acknowledged_by_the_end_of_the_next_morning() {
    let hub = Hub::start().await;
    // a Tuesday, 22:13
    let found = finding("B1", "plate:1", Severity::P4, 1);
    let id = hub.find(vec![found]).await.opened[0];
    let due = hub.view(id).await.item.due.acknowledge;
    let due = due.map(|due| due.to_string());
    assert_eq!(due.as_deref(), Some("2023-11-15T12:00:00.000Z"));
}
