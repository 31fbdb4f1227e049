//! Snapshots: found once however often they come, shown by the incidents whose events they belong to, kept for as long as what they show allows.

use domain::{IncidentId, Seq, Shows, Timestamp};
use jiff::SignedDuration;

use super::fixture::{Hub, at, batch, command, smoke};
use crate::state::{
    KeptSnapshot, NamedSnapshot, NewHold, NewSnapshot, SNAPSHOTS, SnapshotBatch, SnapshotWord,
    WRONG_SHA256,
};
use domain::incident::Verb;

const DAY_S: i64 = 86_400;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn name(seed: u8) -> String {
    hex::encode([seed; 32])
}

fn snapshot(seed: u8, seq: u64, shows: Shows) -> NewSnapshot {
    NewSnapshot {
        device: "smoke-1".parse().expect("an id"),
        site: "q1".parse().expect("an id"),
        name: name(seed),
        seq: Seq(seq),
        word: None,
        shows,
        received_at: at(seq.cast_signed()),
        kept: Ok(KeptSnapshot {
            stored: name(seed + 100),
            media_type: "image/jpeg",
            bytes: 1000,
            width: 64,
            height: 48,
        }),
    }
}

fn word() -> SnapshotWord {
    SnapshotWord {
        word: "m-1".to_owned(),
        within: HOUR,
    }
}

fn named(seq: u64, sha256: Option<String>) -> NamedSnapshot {
    NamedSnapshot {
        device: "smoke-1".parse().expect("an id"),
        word: word(),
        seq: Seq(seq),
        sha256,
        received_at: at(seq.cast_signed()),
    }
}

async fn put(hub: &Hub, cursor: u64, snapshots: Vec<NewSnapshot>) -> Vec<String> {
    let batch = SnapshotBatch {
        cursor: Seq(cursor),
        snapshots,
        ..SnapshotBatch::default()
    };
    hub.state.commit_snapshots(&batch).await.expect("written")
}

async fn tell(hub: &Hub, cursor: u64, named: NamedSnapshot) -> Vec<String> {
    let batch = SnapshotBatch {
        cursor: Seq(cursor),
        named: vec![named],
        ..SnapshotBatch::default()
    };
    hub.state.commit_snapshots(&batch).await.expect("written")
}

async fn shown(hub: &Hub, incident: IncidentId) -> Vec<(String, Option<String>)> {
    let all = hub.state.snapshots_of(incident).await.expect("reads");
    all.into_iter().map(|one| (one.name, one.refused)).collect()
}

/// An incident of one detector's smoke at that position of the journal.
async fn fire(hub: &Hub, device: &str, seq: u64) -> IncidentId {
    hub.commit(batch(seq, vec![smoke(device, seq)]))
        .await
        .opened[0]
}

#[tokio::test]
async fn a_picture_belongs_to_the_incident_of_its_message_and_comes_once() {
    let hub = Hub::start().await;
    let (first, other) = (
        fire(&hub, "smoke-1", 10).await,
        fire(&hub, "smoke-2", 11).await,
    );
    let revision = hub.state.revision();
    put(&hub, 11, vec![snapshot(1, 10, Shows::Scene)]).await;
    assert_eq!(shown(&hub, first).await, [(name(1), None)]);
    assert!(shown(&hub, other).await.is_empty());
    assert!(hub.state.revision() > revision, "screens are told");
    assert!(hub.state.is_photo_named(&name(1)).await.expect("reads"));
    let item = &hub.state.snapshots_of(first).await.expect("reads")[0];
    let events = &hub.view(first).await.event_ids;
    assert_eq!(item.event, events[0].to_string());

    // the same batch again, as after a crash; then the message was sent once more
    put(&hub, 11, vec![snapshot(1, 10, Shows::Scene)]).await;
    put(&hub, 12, vec![snapshot(1, 12, Shows::Scene)]).await;
    assert_eq!(shown(&hub, first).await.len(), 1);
    let counts = hub.state.snapshot_counts().await.expect("reads");
    assert_eq!((counts.kept, counts.loose, counts.bytes), (1, 0, 1000));
    // one from before the cursor is known already
    put(&hub, 9, vec![snapshot(7, 10, Shows::Scene)]).await;
    assert_eq!(shown(&hub, first).await.len(), 1);
    let hub = hub.crash().await;
    let cursor = hub.state.cursor(SNAPSHOTS).await.expect("reads");
    assert_eq!(cursor, Seq(12));
}

#[tokio::test]
async fn a_picture_that_comes_by_itself_finds_the_event_that_names_it_before_or_after() {
    let hub = Hub::start().await;
    let (first, second) = (
        fire(&hub, "smoke-1", 10).await,
        fire(&hub, "smoke-2", 500).await,
    );
    let with_word = |seed, seq| NewSnapshot {
        word: Some(word()),
        ..snapshot(seed, seq, Shows::Scene)
    };
    tell(&hub, 10, named(10, None)).await;
    put(&hub, 20, vec![with_word(1, 20)]).await;
    assert_eq!(shown(&hub, first).await, [(name(1), None)]);
    // the picture first, then what names it
    put(&hub, 490, vec![with_word(2, 490)]).await;
    tell(&hub, 500, named(500, Some(name(2)))).await;
    assert!(shown(&hub, second).await.contains(&(name(2), None)));
    // an hour later it is another picture of that name
    put(&hub, 8000, vec![with_word(3, 8000)]).await;
    for incident in [first, second] {
        let all = shown(&hub, incident).await;
        assert!(!all.iter().any(|(one, _)| *one == name(3)), "{all:?}");
    }
}

#[tokio::test]
async fn what_is_not_the_picture_that_was_told_is_refused_with_a_note() {
    let hub = Hub::start().await;
    let incident = fire(&hub, "smoke-1", 10).await;
    let with_word = |seed, seq| NewSnapshot {
        word: Some(word()),
        ..snapshot(seed, seq, Shows::Scene)
    };
    tell(&hub, 10, named(10, Some(name(9)))).await;
    assert_eq!(put(&hub, 20, vec![with_word(1, 20)]).await, [name(1)]);
    let refused = Some(WRONG_SHA256.to_owned());
    assert_eq!(shown(&hub, incident).await, [(name(1), refused.clone())]);
    assert!(!hub.state.is_photo_named(&name(1)).await.expect("reads"));
    // and the other way round
    let hub = Hub::start().await;
    let incident = fire(&hub, "smoke-1", 30).await;
    put(&hub, 20, vec![with_word(1, 20)]).await;
    assert_eq!(tell(&hub, 30, named(30, Some(name(9)))).await, [name(1)]);
    assert_eq!(shown(&hub, incident).await, [(name(1), refused)]);
    // one that is no picture has its note, too
    let broken = NewSnapshot {
        kept: Err("no_picture"),
        ..snapshot(3, 30, Shows::Scene)
    };
    put(&hub, 31, vec![broken]).await;
    let refused = Some("no_picture".to_owned());
    assert!(shown(&hub, incident).await.contains(&(name(3), refused)));
}

#[tokio::test]
async fn an_incident_that_takes_an_event_later_shows_its_picture_too() {
    let hub = Hub::start().await;
    put(&hub, 10, vec![snapshot(1, 10, Shows::Scene)]).await;
    let incident = fire(&hub, "smoke-1", 10).await;
    assert!(shown(&hub, incident).await.is_empty());
    hub.state.link_snapshots(at(100)).await.expect("runs");
    assert!(shown(&hub, incident).await.is_empty(), "too long ago");
    hub.state.link_snapshots(at(0)).await.expect("runs");
    assert_eq!(shown(&hub, incident).await, [(name(1), None)]);
}

#[tokio::test]
async fn each_class_has_its_days_after_the_end_a_hold_keeps_all_and_what_nothing_shows_a_day() {
    let hub = Hub::start().await;
    let incident = fire(&hub, "smoke-1", 10).await;
    put(
        &hub,
        12,
        vec![
            snapshot(1, 10, Shows::Scene),
            snapshot(2, 10, Shows::Plate),
            snapshot(3, 11, Shows::Scene),
        ],
    )
    .await;
    let forget = async |shows, days_kept: i64, day: i64| {
        let before: Timestamp = at((day - days_kept) * DAY_S);
        let gone = hub
            .state
            .forget_snapshots(shows, before, at(day * DAY_S), 10);
        gone.await.expect("runs").1
    };
    let loose = async |before: i64, now: i64| {
        let gone = hub.state.forget_loose_snapshots(at(before), at(now), 10);
        gone.await.expect("runs").1
    };
    assert!(loose(11, 12).await.is_empty(), "it has come just now");
    assert!(forget(Shows::Scene, 30, 400).await.is_empty(), "it goes on");
    let held = NewHold {
        login: "zhou".parse().expect("a login"),
        incident,
        reason: "诉讼".to_owned(),
        until: at(35 * DAY_S),
    };
    hub.state.place_hold(held, at(20)).await.expect("held");
    hub.force(incident).await;
    let close = domain::incident::Command {
        at: at(2 * DAY_S),
        ..command(Verb::Close, "wang", None)
    };
    hub.act(incident, close).await.expect("closed");
    assert!(forget(Shows::Scene, 30, 33).await.is_empty(), "held");
    assert!(
        loose(DAY_S, 33 * DAY_S).await.is_empty(),
        "held with what is around it"
    );
    assert_eq!(loose(DAY_S, 36 * DAY_S).await, [name(3)]);
    assert_eq!(forget(Shows::Scene, 30, 36).await, [name(1)]);
    assert_eq!(shown(&hub, incident).await, [(name(2), None)]);
    assert!(forget(Shows::Plate, 90, 91).await.is_empty());
    assert_eq!(forget(Shows::Plate, 90, 93).await, [name(2)]);
    assert_eq!(hub.state.verify_audit().await.expect("reads").broken, None);
    assert_eq!(hub.state.snapshot_counts().await.expect("reads").kept, 0);
}

#[tokio::test]
async fn a_file_that_two_devices_sent_stays_until_both_are_gone() {
    let hub = Hub::start().await;
    let other = NewSnapshot {
        device: "smoke-2".parse().expect("an id"),
        ..snapshot(1, 20, Shows::Scene)
    };
    put(&hub, 20, vec![snapshot(1, 10, Shows::Scene), other]).await;
    let loose = async |before| {
        let gone = hub.state.forget_loose_snapshots(at(before), at(30), 10);
        gone.await.expect("runs")
    };
    assert_eq!(loose(15).await, (1, Vec::new()));
    assert_eq!(loose(25).await, (1, vec![name(1)]));
}
