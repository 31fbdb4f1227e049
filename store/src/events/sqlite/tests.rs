//! The conformance suite over SQLite, and what only its files can do.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use domain::privacy::{Personal, Surroundings};
use domain::{Event, Seq};
use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteEvents;
use super::day::Day;
use super::reader::Readers;
use crate::events::conformance::{Bench, at, conformance, event};
use crate::events::{Bucket, CountBy, EventStore, EventsError, HistoryQuery, Order};

struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }
    fn store(&self) -> SqliteEvents {
        SqliteEvents::open(self.0.path(), None).expect("opens")
    }
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .expect("a directory")
            .map(|e| {
                e.expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter(|name| Day::from_file_name(name).is_some())
            .collect();
        names.sort();
        names
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[async_trait]
impl Bench for Dir {
    async fn open(&self) -> Box<dyn EventStore> {
        Box::new(self.store())
    }
}

conformance!(Dir::new());

/// The same fact, delivered again under another position.
fn again(first: &Event, seq: u64, time: domain::Timestamp) -> Event {
    Event {
        dedupe_key: first.dedupe_key.clone(),
        ..event(seq, time)
    }
}

async fn total(store: &SqliteEvents) -> u64 {
    let (from, to) = (
        at("00:00:00"),
        "2026-12-01T00:00:00Z".parse().expect("time"),
    );
    let rows = store.counts(from, to, Bucket::Day, CountBy::Device, None);
    rows.await.expect("counts").iter().map(|row| row.n).sum()
}

#[tokio::test]
async fn a_redelivery_is_counted_on_the_event_that_is_there() {
    let dir = Dir::new();
    let store = dir.store();
    let first = event(1, at("10:00:00"));
    let batch = vec![first.clone(), again(&first, 2, at("10:00:05"))];
    let done = store.append(Seq(2), batch).await.expect("append");
    assert_eq!((done.stored, done.duplicates), (1, 1));
    let third = again(&first, 3, at("10:01:00"));
    let done = store.append(Seq(3), vec![third]).await.expect("append");
    assert_eq!((done.stored, done.duplicates), (0, 1));
    let stored = store.get(first.id).await.expect("get").expect("is there");
    assert_eq!(stored.event, first);
    assert_eq!((stored.count, stored.last_received_at), (3, at("10:01:00")));
    assert_eq!(total(&store).await, 1);
}

#[tokio::test]
async fn a_redelivery_after_midnight_is_counted_in_yesterdays_file() {
    let dir = Dir::new();
    let store = dir.store();
    let first = event(1, at("23:59:59"));
    let other = event(3, "2026-11-24T00:00:02Z".parse().expect("time"));
    let late = again(&first, 2, "2026-11-24T00:00:01Z".parse().expect("time"));
    store
        .append(Seq(1), vec![first.clone()])
        .await
        .expect("append");
    let done = store
        .append(Seq(3), vec![late, other])
        .await
        .expect("append");
    assert_eq!((done.stored, done.duplicates), (1, 1));
    // A day after the first delivery it is news again.
    let next_day = again(&first, 4, "2026-11-24T23:59:59Z".parse().expect("time"));
    let done = store.append(Seq(4), vec![next_day]).await.expect("append");
    assert_eq!((done.stored, done.duplicates), (1, 0));
    let stored = store.get(first.id).await.expect("get").expect("is there");
    assert_eq!(stored.count, 2);
    assert_eq!(total(&store).await, 3);
}

#[tokio::test]
async fn a_batch_that_was_stored_in_half_can_be_given_again() {
    let dir = Dir::new();
    let midnight = |s: u64| format!("2026-11-24T00:00:0{s}Z").parse().expect("time");
    let first = event(1, at("23:59:58"));
    let batch = vec![
        event(2, at("23:59:59")),
        again(&first, 3, midnight(0)),
        event(4, midnight(1)),
    ];
    let store = dir.store();
    store
        .append(Seq(1), vec![first.clone()])
        .await
        .expect("append");
    store.append(Seq(4), batch.clone()).await.expect("append");
    drop(store);
    // A crash between the two commits: yesterday has its part, today's file was never made.
    std::fs::remove_file(dir.path("events-2026-11-24.db")).expect("removed");
    let store = dir.store();
    assert_eq!(store.cursor().await.expect("cursor"), Seq(1));
    // What is above the cursor is not shown: a reader that has seen 2 would never ask for 3 again.
    let page = store.history(HistoryQuery::default()).await.expect("page");
    assert_eq!(page.items.len(), 1);
    let done = store.append(Seq(4), batch).await.expect("again");
    assert_eq!((done.stored, done.duplicates), (1, 0));
    assert_eq!(total(&store).await, 3);
    let stored = store.get(first.id).await.expect("get").expect("is there");
    assert_eq!(stored.count, 2);
}

#[tokio::test]
async fn a_query_without_patience_comes_in_pages_that_miss_nothing_and_double_nothing() {
    let dir = Dir::new();
    let store = dir.store();
    let mut seq = 0;
    for day in 10..20 {
        for hour in 10..13 {
            seq += 1;
            let time = format!("2026-11-{day}T{hour}:00:00Z").parse();
            let one = event(seq, time.expect("time"));
            store.append(Seq(seq), vec![one]).await.expect("append");
        }
    }
    // around midnight the positions of two days overlap: what was received before lies above what was received after
    for (place, time) in [(2, "2026-11-20T00:00:01Z"), (1, "2026-11-19T23:59:59Z")] {
        let one = event(seq + 3 - place, time.parse().expect("time"));
        let upto = Seq(seq + 3 - place);
        store.append(upto, vec![one]).await.expect("append");
    }
    let hurried = Readers::new(store.catalogue.clone()).patient_for(Duration::ZERO);
    for limit in [1, 2, 3, 4, 100] {
        let mut query = HistoryQuery {
            limit,
            ..HistoryQuery::default()
        };
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = hurried.history(&query).expect("a page");
            assert!(page.items.len() <= limit);
            seen.extend(page.items.iter().map(|stored| stored.event.seq.0));
            pages += 1;
            assert!(pages < 1000, "it does not go on: {:?}", page.next);
            query.cursor = page.next;
            if page.next.is_none() {
                break;
            }
        }
        let expected: Vec<u64> = (1..=seq + 2).rev().collect();
        assert_eq!(seen, expected, "with pages of {limit}");
        assert!(pages >= 10, "every day's file ends a page: {pages}");
    }
}

#[tokio::test]
async fn retention_unlinks_whole_days() {
    let dir = Dir::new();
    let keep = NonZeroU32::new(2);
    let store = SqliteEvents::open(dir.0.path(), keep).expect("opens");
    for (seq, day) in [(1, 20), (2, 21), (3, 22), (4, 23)] {
        let time = format!("2026-11-{day}T10:00:00Z").parse().expect("time");
        store
            .append(Seq(seq), vec![event(seq, time)])
            .await
            .expect("append");
        let page = store.history(HistoryQuery::default()).await.expect("page");
        assert_eq!(page.items.len() as u64, seq.min(2));
    }
    assert_eq!(
        dir.files(),
        ["events-2026-11-22.db", "events-2026-11-23.db"]
    );
    drop(store);
    let store = SqliteEvents::open(dir.0.path(), NonZeroU32::new(1)).expect("opens");
    assert_eq!(dir.files(), ["events-2026-11-23.db"]);
    // A late one makes an old file again, which takes its cursor along when it goes.
    let late = event(5, "2026-11-20T10:00:00Z".parse().expect("time"));
    store.append(Seq(5), vec![late]).await.expect("append");
    drop(store);
    for _ in 0..2 {
        let store = SqliteEvents::open(dir.0.path(), NonZeroU32::new(1)).expect("opens");
        assert_eq!(dir.files(), ["events-2026-11-23.db"]);
        assert_eq!(store.cursor().await.expect("cursor"), Seq(5));
    }
}

#[tokio::test]
async fn a_clock_that_jumps_years_ahead_once_costs_no_history() {
    let dir = Dir::new();
    let keep = NonZeroU32::new(2);
    let store = SqliteEvents::open(dir.0.path(), keep).expect("opens");
    for (seq, time) in [
        (1, "2026-11-22T10:00:00Z"),
        (2, "2026-11-23T10:00:00Z"),
        (3, "2099-01-01T00:00:00Z"),
        (4, "2026-11-23T10:00:01Z"),
    ] {
        let batch = vec![event(seq, time.parse().expect("time"))];
        store.append(Seq(seq), batch).await.expect("append");
    }
    drop(store);
    let store = SqliteEvents::open(dir.0.path(), keep).expect("opens");
    let page = store.history(HistoryQuery::default()).await.expect("page");
    let seqs: Vec<u64> = page.items.iter().map(|s| s.event.seq.0).collect();
    assert_eq!(seqs, [4, 3, 2, 1]);
    let next = event(5, "2026-11-24T10:00:00Z".parse().expect("time"));
    store.append(Seq(5), vec![next]).await.expect("append");
    drop(store);
    let store = SqliteEvents::open(dir.0.path(), keep).expect("opens");
    let first = event(1, "2026-11-22T10:00:00Z".parse().expect("time"));
    assert_eq!(store.get(first.id).await.expect("get"), None);
    assert_eq!(store.cursor().await.expect("cursor"), Seq(5));
}

#[tokio::test]
async fn a_batch_that_cannot_be_stored_changes_nothing() {
    let dir = Dir::new();
    let store = dir.store();
    let foreign = Event {
        id: event(9, at("10:00:00")).id,
        ..event(2, at("10:00:00"))
    };
    let batch = vec![event(1, at("10:00:00")), foreign];
    let error = store.append(Seq(2), batch).await.expect_err("foreign id");
    assert!(matches!(error, EventsError::ForeignId { seq: Seq(2), .. }));
    let error = store.append(Seq(0), vec![event(1, at("10:00:00"))]).await;
    assert!(matches!(error, Err(EventsError::UptoTooLow { .. })));
    assert_eq!(store.cursor().await.expect("cursor"), Seq(0));
    assert_eq!(total(&store).await, 0);
}

#[tokio::test]
async fn the_files_read_well_with_other_programs() {
    let dir = Dir::new();
    let store = dir.store();
    store
        .append(Seq(1), vec![event(1, at("10:00:00"))])
        .await
        .expect("append");
    drop(store);
    let file = Connection::open(dir.path("events-2026-11-23.db")).expect("opens");
    let row: (i64, String, String) = file
        .query_row("SELECT seq, device, kind FROM history", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("a row");
    assert_eq!(row, (1, "smoke-1".to_owned(), "fire.smoke".to_owned()));
    let check: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a check");
    assert_eq!(check, "ok");
}

/// A passage of a car in a quarter.
fn car(seq: u64, time: &str, site: &str, plate: &str) -> Event {
    Event {
        site: site.parse().expect("site"),
        kind: domain::Kind::VehiclePassage,
        attrs: domain::Attrs::from_value(
            &serde_json::json!({"plate": plate, "direction": "in", "credential_ref": "c-774"}),
        ),
        ..event(seq, time.parse().expect("time"))
    }
}

fn around(site: &str, opened_at: &str, ended_at: Option<&str>) -> Surroundings {
    Surroundings {
        site: site.parse().expect("site"),
        opened_at: opened_at.parse().expect("time"),
        ended_at: ended_at.map(|text| text.parse().expect("time")),
    }
}

async fn destroy(store: &SqliteEvents, before: &[(Personal, &str)]) -> u64 {
    let due = before
        .iter()
        .map(|(class, time)| (*class, time.parse().expect("time")));
    let due: Vec<_> = due.collect();
    let mut events = 0;
    for _ in 0..100 {
        let step = store.destroy(due.clone()).await.expect("destroys");
        events += step.events;
        if step.is_done {
            return events;
        }
    }
    panic!("it does not come to an end");
}

/// Every plate that is found by searching for it, and every attribute as it stands.
async fn plates(store: &SqliteEvents, all: &[&str]) -> (Vec<String>, Vec<serde_json::Value>) {
    let mut found = Vec::new();
    for plate in all {
        let query = HistoryQuery {
            about: Some(crate::events::About::new(Personal::Plate, plate)),
            ..HistoryQuery::default()
        };
        if !store.history(query).await.expect("page").items.is_empty() {
            found.push((*plate).to_owned());
        }
    }
    let query = HistoryQuery {
        order: Order::OldestFirst,
        ..HistoryQuery::default()
    };
    let page = store.history(query).await.expect("page");
    let values = page
        .items
        .iter()
        .map(|s| s.event.attrs.to_value()["plate"].clone());
    (found, values.collect())
}

#[tokio::test]
async fn what_is_about_people_is_destroyed_by_whole_days_and_what_is_held_stays() {
    let dir = Dir::new();
    let store = dir.store();
    let all = ["浙G11111", "浙G22222", "浙G33333", "浙G44444"];
    for (seq, (time, site)) in [
        ("2026-11-20T10:00:00Z", "q1"),
        ("2026-11-20T23:59:59Z", "q2"),
        ("2026-11-21T00:00:00Z", "q1"),
        ("2026-11-22T10:00:00Z", "q1"),
    ]
    .into_iter()
    .enumerate()
    {
        let one = car(seq as u64 + 1, time, site, all[seq]);
        store.append(one.seq, vec![one]).await.expect("append");
    }
    let gone = || serde_json::json!(domain::privacy::DELETED);
    // held: what is around an incident of q1 on the 20th
    store.hold(vec![around(
        "q1",
        "2026-11-20T11:59:59Z",
        Some("2026-11-20T12:00:00Z"),
    )]);
    assert_eq!(
        destroy(&store, &[(Personal::Plate, "2026-11-21T23:59:59Z")]).await,
        1
    );
    let (found, values) = plates(&store, &all).await;
    assert_eq!(found, [all[0], all[2], all[3]]);
    assert_eq!(
        values,
        [all[0].into(), gone(), all[2].into(), all[3].into()]
    );
    // a crash, and a day later: nothing is done twice, and what is due is found
    drop(store);
    let store = SqliteEvents::open_holding(
        dir.0.path(),
        None,
        vec![around(
            "q1",
            "2026-11-20T12:00:00Z",
            Some("2026-11-20T12:00:00Z"),
        )],
    )
    .expect("opens");
    assert_eq!(
        destroy(&store, &[(Personal::Plate, "2026-11-21T23:59:59Z")]).await,
        0
    );
    assert_eq!(
        destroy(&store, &[(Personal::Plate, "2026-11-22T00:00:00Z")]).await,
        1
    );
    let (found, _) = plates(&store, &all).await;
    assert_eq!(found, [all[0], all[3]]);
    // the hold reaches two hours: not to what was received a moment before
    store.hold(vec![around("q1", "2026-11-20T12:00:00.000001Z", None)]);
    assert_eq!(
        destroy(&store, &[(Personal::Plate, "2026-11-22T00:00:00Z")]).await,
        1
    );
    let (found, values) = plates(&store, &all).await;
    assert_eq!(found, [all[3]]);
    assert_eq!(values, [gone(), gone(), gone(), all[3].into()]);
    // what is of another class is as it was
    let cards = HistoryQuery {
        about: Some(crate::events::About::new(Personal::Credential, "c-774")),
        ..HistoryQuery::default()
    };
    assert_eq!(
        store.history(cards).await.expect("page").items.len(),
        0,
        "no door's"
    );
    // nor are they in the bytes of the files, and nobody finds what is gone by its name
    for day in ["20", "21"] {
        for suffix in ["", "-wal"] {
            let path = dir.path(&format!("events-2026-11-{day}.db{suffix}"));
            let bytes = std::fs::read(&path).unwrap_or_default();
            let has = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
            assert!(!all.iter().any(|plate| has(plate)), "{}", path.display());
        }
    }
    let named = plates(&store, &[domain::privacy::DELETED]).await;
    assert_eq!(named.0, Vec::<String>::new());
    // the other class has its own time
    store.hold(Vec::new());
    let due = [
        (Personal::Plate, "2026-11-22T00:00:00Z"),
        (Personal::Credential, "2026-11-21T00:00:00Z"),
    ];
    assert_eq!(destroy(&store, &due).await, 2);
    assert_eq!(destroy(&store, &due).await, 0);
}

#[tokio::test]
async fn a_day_of_many_events_is_gone_through_step_by_step_and_others_are_stored_between() {
    let dir = Dir::new();
    let store = dir.store();
    let batch: Vec<Event> = (1..=4_100)
        .map(|seq| car(seq, "2026-11-20T10:00:00Z", "q1", &format!("浙G{seq:05}")))
        .collect();
    store.append(Seq(4_100), batch).await.expect("append");
    let due = vec![(
        Personal::Plate,
        "2026-11-22T00:00:00Z".parse().expect("time"),
    )];
    let mut seq = 4_100;
    let mut steps = Vec::new();
    loop {
        let step = store.destroy(due.clone()).await.expect("destroys");
        seq += 1;
        let next = car(seq, "2026-11-23T10:00:00Z", "q1", "浙G00001");
        store.append(Seq(seq), vec![next]).await.expect("append");
        if step.is_done {
            break;
        }
        steps.push(step.events);
    }
    assert_eq!(steps, [2_000, 2_000, 100]);
    assert_eq!(
        total(&store).await,
        4,
        "those of the last day, one between each step"
    );
    let (found, _) = plates(&store, &["浙G00001", "浙G04100"]).await;
    assert_eq!(found, ["浙G00001"], "the one of today");
}

#[tokio::test]
async fn a_day_that_is_held_outlives_retention() {
    let dir = Dir::new();
    let keep = NonZeroU32::new(2);
    let held = vec![around(
        "q9",
        "2026-11-20T23:00:00Z",
        Some("2026-11-20T23:00:00Z"),
    )];
    let store = SqliteEvents::open_holding(dir.0.path(), keep, held.clone()).expect("opens");
    for (seq, day) in [(1, 19), (2, 20), (3, 21), (4, 22), (5, 23), (6, 24)] {
        let time = format!("2026-11-{day}T10:00:00Z").parse().expect("time");
        store
            .append(Seq(seq), vec![event(seq, time)])
            .await
            .expect("append");
    }
    let days = |days: &[u8]| -> Vec<String> {
        days.iter()
            .map(|day| format!("events-2026-11-{day}.db"))
            .collect()
    };
    assert_eq!(
        dir.files(),
        days(&[20, 21, 23, 24]),
        "two hours go over midnight"
    );
    drop(store);
    let store = SqliteEvents::open_holding(dir.0.path(), keep, held).expect("opens");
    assert_eq!(dir.files(), days(&[20, 21, 23, 24]));
    store.hold(Vec::new());
    destroy(&store, &[]).await;
    assert_eq!(dir.files(), days(&[23, 24]));
}
