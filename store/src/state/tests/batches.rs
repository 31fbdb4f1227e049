//! Batches: findings become alarms and incidents, once.

use domain::alarm::AlarmState;
use domain::incident::{Act, Command, Condition, IncidentState, TaskState, Verb};
use domain::rule::{Finding, WindowChange, WindowRow};
use domain::{Seq, Severity};

use super::fixture::{
    CONSUMER, Hub, at, batch, book, cleared, command, finding, numbers, registry, smoke,
};
use crate::state::{Batch, State, StateError};

fn fire(seq: u64) -> Finding {
    Finding {
        device: None,
        ..finding("S2", "zone:z1", Severity::P1, seq)
    }
}

#[tokio::test]
async fn a_smoke_alarm_opens_an_incident_that_is_dispatched_at_once() {
    let hub = Hub::start().await;
    let done = hub.find(vec![smoke("smoke-1", 7)]).await;
    assert_eq!((done.opened.len(), done.alarms), (1, 1));
    let view = hub.view(done.opened[0]).await;
    let item = &view.item;
    assert_eq!(
        (item.number, item.version, item.severity),
        (1001, 1, Severity::P1)
    );
    assert_eq!(
        (item.state, item.condition),
        (IncidentState::Dispatched, Condition::Active)
    );
    assert_eq!(item.zone_name.as_deref(), Some("6层"));
    assert_eq!(item.building_name.as_deref(), Some("1幢"));
    assert_eq!(
        (item.floor, item.device_name.as_deref()),
        (Some(6), Some("烟感-1"))
    );
    let departments: Vec<&str> = view.tasks.iter().map(|t| t.department.as_str()).collect();
    assert_eq!(departments, ["fire", "police"]);
    assert!(view.tasks[0].lead && !view.tasks[1].lead);
    assert_eq!(view.alarms[0].state, AlarmState::ActiveUnacked);
    assert_eq!(view.event_ids.len(), 1);
    let verbs: Vec<&str> = view
        .timeline
        .iter()
        .map(|line| line.verb.as_str())
        .collect();
    assert_eq!(verbs, ["open", "dispatch"]);
}

#[tokio::test]
async fn a_repeat_refreshes_and_an_operator_is_not_turned_away_by_it() {
    let hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let done = hub
        .find(vec![smoke("smoke-1", 2), smoke("smoke-1", 3)])
        .await;
    assert_eq!(
        (done.opened.len(), done.alarms, done.changed.as_slice()),
        (0, 0, &[id][..])
    );
    let item = hub.view(id).await.item;
    assert_eq!(
        (item.count, item.version, item.last_event_at.0),
        (3, 1, at(3))
    );
    assert_eq!(hub.view(id).await.alarms[0].count, 3);
}

#[tokio::test]
async fn an_alarm_returns_and_the_incident_stays() {
    let hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    hub.find(vec![cleared(smoke("smoke-1", 1), 2)]).await;
    let view = hub.view(id).await;
    assert_eq!(view.alarms[0].state, AlarmState::ReturnedUnacked, "latched");
    assert_eq!(view.item.condition, Condition::Normal);
    assert_eq!(view.item.state, IncidentState::Dispatched);
    // the same episode goes on
    hub.find(vec![smoke("smoke-1", 3)]).await;
    let view = hub.view(id).await;
    assert_eq!(
        (view.alarms.len(), view.alarms[0].state),
        (1, AlarmState::ActiveUnacked)
    );
    assert_eq!(view.item.condition, Condition::Active);
    hub.find(vec![cleared(smoke("smoke-1", 1), 4)]).await;
    let seen = hub
        .act(id, command(Verb::Acknowledge, "wang", None))
        .await
        .expect("seen");
    assert_eq!(seen.alarms[0].state, AlarmState::Normal);
    let verbs: Vec<&str> = seen
        .timeline
        .iter()
        .map(|line| line.verb.as_str())
        .collect();
    assert_eq!(
        verbs,
        [
            "open",
            "dispatch",
            "return",
            "recur",
            "return",
            "acknowledge"
        ]
    );
}

#[tokio::test]
async fn an_alarm_without_latch_goes_with_its_condition() {
    let hub = Hub::start().await;
    let plate = finding("B1", "plate:x", Severity::P2, 1);
    let id = hub.find(vec![plate.clone()]).await.opened[0];
    hub.find(vec![cleared(plate.clone(), 2)]).await;
    assert_eq!(hub.view(id).await.alarms[0].state, AlarmState::Normal);
    // a new episode while the incident is open: a new alarm, the same incident
    let again = Finding {
        seq: Some(Seq(3)),
        ..plate
    };
    let done = hub.find(vec![again]).await;
    assert_eq!((done.opened.len(), done.alarms), (0, 1));
    assert_eq!(hub.view(id).await.alarms.len(), 2);
}

#[tokio::test]
async fn what_is_resolved_keeps_its_episode_and_a_new_one_opens_anew() {
    let hub = Hub::start().await;
    let first = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    hub.act(first, command(Verb::Claim, "li", Some("fire")))
        .await
        .expect("claimed");
    hub.force(first).await;
    let same = hub.find(vec![smoke("smoke-1", 2)]).await;
    assert!(same.opened.is_empty(), "the same episode");
    hub.find(vec![cleared(smoke("smoke-1", 1), 3)]).await;
    // settled at 15 s, and the rule takes 300 s for one and the same
    let second = hub.find(vec![smoke("smoke-1", 316)]).await.opened[0];
    assert_ne!(first, second);
    hub.act(second, command(Verb::Claim, "li", Some("fire")))
        .await
        .expect("claimed");
    hub.force(second).await;
    hub.act(second, command(Verb::Close, "wang", None))
        .await
        .expect("closed");
    // the alarm never returned, yet its incident is closed: it rings again
    let third = hub.find(vec![smoke("smoke-1", 317)]).await;
    assert_eq!((third.opened.len(), third.alarms), (1, 1));
    assert_eq!(numbers(&hub.items().await), [1003, 1002, 1001]);
}

#[tokio::test]
async fn what_comes_again_soon_after_it_was_settled_is_the_same_incident() {
    let hub = Hub::start().await;
    let first = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    hub.act(first, command(Verb::Claim, "li", Some("fire")))
        .await
        .expect("claimed");
    hub.find(vec![cleared(smoke("smoke-1", 1), 3)]).await;
    hub.force(first).await;
    let again = hub.find(vec![smoke("smoke-1", 315)]).await;
    assert_eq!((again.opened.len(), again.alarms), (0, 1));
    assert!(again.changed.contains(&first));
    let view = hub.view(first).await;
    assert_eq!(view.item.state, IncidentState::Dispatched);
    assert_eq!(view.item.condition, Condition::Active);
    assert_eq!(view.item.acknowledged_at, None, "somebody has to look anew");
    assert_eq!(view.item.resolved_at, None);
    assert_eq!(view.item.count, 2);
    assert_eq!(view.item.due.acknowledge, Some(at(315 + 30).into()));
    let sent = view.tasks.iter().map(|task| (task.lead, task.state));
    let expected = [true, false].map(|lead| (lead, TaskState::Dispatched));
    assert!(sent.eq(expected), "everybody goes again: {:?}", view.tasks);
    let reopened = view.timeline.iter().filter(|line| line.verb == Act::Reopen);
    assert_eq!(reopened.count(), 1);
    assert_eq!(view.alarms.len(), 2, "each episode is an alarm");
    // a drill that was called off is no round of anything
    let drill = Command {
        cause: Some("drill".to_owned()),
        ..command(Verb::Cancel, "zhou", None)
    };
    hub.act(first, drill).await.expect("cancelled");
    hub.find(vec![cleared(smoke("smoke-1", 315), 317)]).await;
    assert_eq!(hub.find(vec![smoke("smoke-1", 318)]).await.opened.len(), 1);
}

#[tokio::test]
async fn a_resolved_incident_that_becomes_more_urgent_opens_anew() {
    let hub = Hub::start().await;
    let first = hub
        .find(vec![finding("B1", "plate:x", Severity::P2, 1)])
        .await
        .opened[0];
    hub.act(first, command(Verb::Claim, "zhao", Some("police")))
        .await
        .expect("claimed");
    hub.force(first).await;
    let worse = hub
        .find(vec![finding("B1", "plate:x", Severity::P1, 2)])
        .await;
    assert!(worse.opened.is_empty(), "another round of the same");
    let view = hub.view(first).await;
    assert_eq!(
        (view.item.severity, view.item.state),
        (Severity::P1, IncidentState::Dispatched)
    );
    let waits = |task: &crate::state::TaskItem| task.state == TaskState::Dispatched;
    assert!(view.tasks.len() == 2 && view.tasks.iter().all(waits));
    hub.force(first).await;
    let late = finding("B1", "plate:x", Severity::P1, 400);
    // as urgent as the episode was: it takes that in silence
    assert!(hub.find(vec![late]).await.opened.is_empty());
}

#[tokio::test]
async fn a_confirmed_fire_takes_over_the_first_and_merges_the_others() {
    let hub = Hub::start().await;
    let first = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let done = hub.find(vec![smoke("smoke-2", 2), fire(3)]).await;
    let second = done.opened[0];
    let view = hub.view(first).await;
    assert_eq!((view.item.number, view.item.rule.as_str()), (1001, "S2"));
    assert_eq!(view.item.departments.len(), 3, "traffic came along");
    let subjects: Vec<&str> = view
        .alarms
        .iter()
        .map(|alarm| alarm.subject.as_str())
        .collect();
    assert_eq!(subjects, ["device:smoke-1", "device:smoke-2", "zone:z1"]);
    let merged = hub.view(second).await.item;
    assert_eq!(
        (merged.state, merged.parent),
        (IncidentState::Merged, Some(first))
    );
    assert_eq!(view.event_ids.len(), 3, "the events of all");
    // a third detector joins the fire instead of opening an incident of its own
    let third = hub.find(vec![smoke("smoke-3", 4)]).await;
    assert_eq!((third.opened.len(), third.alarms), (0, 1));
    assert_eq!(hub.view(first).await.alarms.len(), 4);
    // and the condition is normal only when all have returned
    let back = |device: &str| cleared(smoke(device, 1), 5);
    hub.find(vec![back("smoke-1"), back("smoke-2"), back("smoke-3")])
        .await;
    assert_eq!(hub.view(first).await.item.condition, Condition::Active);
    hub.find(vec![cleared(fire(3), 6)]).await;
    assert_eq!(hub.view(first).await.item.condition, Condition::Normal);
}

#[tokio::test]
async fn a_fire_that_was_resolved_takes_no_new_work_over() {
    let hub = Hub::start().await;
    let first = hub.find(vec![fire(1)]).await.opened[0];
    hub.act(first, command(Verb::Claim, "li", Some("fire")))
        .await
        .expect("claimed");
    hub.force(first).await;
    let second = hub.find(vec![smoke("smoke-1", 2)]).await.opened[0];
    hub.find(vec![fire(3)]).await;
    assert_eq!(hub.view(second).await.item.state, IncidentState::Dispatched);
}

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing() {
    let hub = Hub::start().await;
    let first = batch(2, vec![smoke("smoke-1", 1), smoke("smoke-2", 2)]);
    hub.commit(first.clone()).await;
    let before = (hub.items().await, hub.state.revision());
    for again in [first, batch(1, vec![smoke("smoke-1", 1)])] {
        let done = hub.commit(again).await;
        assert!(
            done.opened.is_empty() && done.changed.is_empty(),
            "{done:?}"
        );
    }
    assert_eq!((hub.items().await, hub.state.revision()), before);
}

#[tokio::test]
async fn what_time_brings_about_counts_although_the_cursor_stands() {
    let hub = Hub::start().await;
    hub.find(vec![smoke("smoke-1", 1)]).await;
    let silent = Finding {
        event: None,
        seq: None,
        ..finding("B1", "device:door-1", Severity::P2, 9)
    };
    let done = hub.commit(batch(1, vec![silent])).await;
    assert_eq!(done.opened.len(), 1);
}

#[tokio::test]
async fn the_cursor_moves_with_what_it_brought_about_or_not_at_all() {
    let hub = Hub::start().await;
    let unknown = finding("X9", "zone:z1", Severity::P1, 2);
    let failing = Batch {
        windows: vec![WindowChange::Put(WindowRow {
            key: "S1|a".to_owned(),
            value: "{}".to_owned(),
        })],
        ..batch(2, vec![smoke("smoke-1", 1), unknown])
    };
    let error = hub
        .state
        .commit_batch(failing, &book())
        .await
        .expect_err("X9 is not in the book");
    assert!(matches!(error, StateError::UnknownRule { .. }), "{error}");
    assert_eq!(hub.state.cursor(CONSUMER).await.expect("reads"), Seq(0));
    assert!(hub.state.window_rows().await.expect("reads").is_empty());
    assert!(hub.items().await.is_empty());
}

#[tokio::test]
async fn after_a_crash_everything_that_was_committed_is_there() {
    let hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let put = |key: &str| {
        WindowChange::Put(WindowRow {
            key: key.to_owned(),
            value: "{}".to_owned(),
        })
    };
    let rows = Batch {
        windows: vec![put("S1|a"), put("S1|b")],
        seen: vec![("smoke-1".parse().expect("id"), "e-1".to_owned(), at(2))],
        ..batch(2, Vec::new())
    };
    hub.commit(rows).await;
    hub.commit(Batch {
        windows: vec![WindowChange::Delete("S1|a".to_owned())],
        ..batch(3, Vec::new())
    })
    .await;
    hub.act(id, command(Verb::Claim, "li", Some("fire")))
        .await
        .expect("claimed");
    let (view, revision) = (hub.view(id).await, hub.state.revision());
    let hub = hub.crash().await;
    assert_eq!(hub.view(id).await, view);
    assert_eq!(hub.state.revision(), revision);
    assert_eq!(hub.state.cursor(CONSUMER).await.expect("reads"), Seq(3));
    let windows = hub.state.window_rows().await.expect("reads");
    assert_eq!(
        windows,
        [WindowRow {
            key: "S1|b".to_owned(),
            value: "{}".to_owned()
        }]
    );
    let (known, other) = (
        "smoke-1".parse().expect("id"),
        "smoke-2".parse().expect("id"),
    );
    let asked = [(&known, "e-1"), (&known, "e-2"), (&other, "e-1")];
    assert_eq!(
        hub.state.already_seen(&asked).await.expect("reads"),
        [true, false, false]
    );
    let next = hub.find(vec![smoke("smoke-2", 4)]).await.opened[0];
    assert_eq!(hub.view(next).await.item.number, 1002);
}

#[tokio::test]
async fn what_was_seen_is_forgotten_after_a_day() {
    let hub = Hub::start().await;
    let device: domain::DeviceId = "smoke-1".parse().expect("id");
    let note = |cursor, key: &str, second| Batch {
        seen: vec![(device.clone(), key.to_owned(), at(second))],
        ..batch(cursor, Vec::new())
    };
    hub.commit(note(1, "old", 0)).await;
    hub.commit(note(2, "new", 24 * 3600 + 1)).await;
    let asked = [(&device, "old"), (&device, "new")];
    assert_eq!(
        hub.state.already_seen(&asked).await.expect("reads"),
        [false, true]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_open_one_incident() {
    let hub = Hub::start().await;
    let mut writers = tokio::task::JoinSet::new();
    for consumer in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        let state = hub.state.clone();
        writers.spawn(async move {
            let batch = Batch {
                consumer,
                ..batch(1, vec![smoke("smoke-1", 1)])
            };
            state
                .commit_batch(batch, &book())
                .await
                .expect("commits")
                .opened
                .len()
        });
    }
    let opened: usize = writers.join_all().await.into_iter().sum();
    assert_eq!(opened, 1);
    let items = hub.items().await;
    assert_eq!((items.len(), items[0].count), (1, 10));
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_open_incident_or_alarm() {
    let hub = Hub::start().await;
    hub.find(vec![smoke("smoke-1", 1)]).await;
    for table in ["incident", "alarm"] {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM pragma_table_info($1) WHERE name NOT IN ('id', 'number')",
        )
        .bind(table)
        .fetch_all(&hub.state.shared.read)
        .await
        .expect("reads");
        let columns = columns.join(", ");
        let own = if table == "incident" {
            ("id, number", "'inc_x', 9999")
        } else {
            ("id", "'alm_x'")
        };
        let sql = format!(
            "INSERT INTO {table} ({}, {columns}) SELECT {}, {columns} FROM {table}",
            own.0, own.1
        );
        let answer = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&hub.state.shared.write)
            .await;
        let error = answer.expect_err("a second open one");
        assert!(
            error.to_string().contains("UNIQUE constraint failed"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_file_is_private_and_a_second_start_keeps_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let hub = Hub::start().await;
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", hub.file().display());
        let mode = std::fs::metadata(&file)
            .expect("is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let second = State::open(&hub.file(), registry())
        .await
        .expect("opens beside the first");
    assert_eq!(second.revision(), hub.state.revision());
    second.close().await;
}
