//! What every event store must do, as sentences. `conformance!(Bench::new())` makes one test of each for a back end.
//!
//! Left out is what only SQLite promises: that a redelivery is counted on the event that is there.

use async_trait::async_trait;
use domain::privacy::Personal;
use domain::{Attrs, ClockSource, DeviceClass, Event, EventId, Kind, Phase, Seq, Timestamp};

use super::{
    About, Bucket, CountBy, CountRow, Cursor, EventStore, HistoryQuery, Order, Page, StoredEvent,
    Within,
};

/// A back end with its data: opened as often as a test wants, over the same data.
#[async_trait]
pub(super) trait Bench: Send + Sync {
    async fn open(&self) -> Box<dyn EventStore>;
}

macro_rules! sentences {
    ($($name:ident),+ $(,)?) => {
        /// One test per sentence, over what `$bench` makes.
        macro_rules! conformance {
            ($bench:expr) => {
                $(#[tokio::test]
                async fn $name() {
                    $crate::events::conformance::$name(&$bench).await;
                })+
            };
        }
        pub(super) use conformance;
    };
}

sentences!(
    a_new_store_has_nothing,
    the_cursor_moves_without_events_and_survives,
    an_event_comes_back_as_it_was,
    hostile_text_comes_back_as_it_was,
    the_newest_come_first,
    conditions_narrow_a_history,
    a_history_is_about_one_vehicle_however_its_plate_is_written,
    a_history_and_counts_stay_within_places,
    pages_show_every_event_once_in_both_orders,
    a_page_after_a_seq_ends_with_a_whole_uplink,
    a_batch_may_span_midnight,
    a_replay_changes_nothing,
    counts_are_by_hour_or_day_and_by_four_keys,
    an_event_is_found_by_its_id,
);

/// 2026-11-23 at this time of day.
pub(super) fn at(time: &str) -> Timestamp {
    format!("2026-11-23T{time}Z").parse().expect("a time")
}

/// The `index`-th event of the uplink at `seq`: smoke from `smoke-1` of `q1`.
pub(super) fn event_of(seq: u64, index: u16, received_at: Timestamp) -> Event {
    Event {
        id: EventId::of_uplink(received_at, Seq(seq), index),
        seq: Seq(seq),
        site: "q1".parse().expect("site"),
        device: "smoke-1".parse().expect("device"),
        class: DeviceClass::FireSensor,
        component: None,
        kind: Kind::FireSmoke,
        phase: Phase::Raised,
        dedupe_key: format!("k{seq}-{index}"),
        occurred_at: received_at,
        received_at,
        clock: ClockSource::Device,
        attrs: Attrs::empty(),
    }
}

/// See [`event_of`].
pub(super) fn event(seq: u64, received_at: Timestamp) -> Event {
    event_of(seq, 0, received_at)
}

/// A door of `q2` that opened for a card.
fn door(seq: u64, received_at: Timestamp) -> Event {
    Event {
        site: "q2".parse().expect("site"),
        device: "door-9".parse().expect("device"),
        class: DeviceClass::Access,
        component: Some("door-1".to_owned()),
        kind: Kind::AccessGranted,
        phase: Phase::Instant,
        clock: ClockSource::Gateway,
        ..event(seq, received_at)
    }
}

async fn fill(store: &dyn EventStore, events: Vec<Event>) {
    let upto = events.last().map_or(Seq(0), |e| e.seq);
    let n = events.len() as u64;
    let done = store.append(upto, events).await.expect("append");
    assert_eq!((done.stored, done.duplicates), (n, 0));
}

async fn seqs(store: &dyn EventStore, query: HistoryQuery) -> Vec<u64> {
    let page = store.history(query).await.expect("history");
    page.items.iter().map(|s| s.event.seq.0).collect()
}

pub(super) async fn a_new_store_has_nothing(bench: &impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.cursor().await.expect("cursor"), Seq(0));
    assert_eq!(
        store.history(HistoryQuery::default()).await.expect("page"),
        Page {
            items: vec![],
            next: None
        }
    );
    let counts = store.counts(
        at("00:00:00"),
        at("23:00:00"),
        Bucket::Hour,
        CountBy::Kind,
        None,
    );
    assert_eq!(counts.await.expect("counts"), vec![]);
    let id = event(1, at("10:00:00")).id;
    assert_eq!(store.get(id).await.expect("get"), None);
}

pub(super) async fn the_cursor_moves_without_events_and_survives(bench: &impl Bench) {
    let store = bench.open().await;
    fill(&*store, vec![]).await;
    store.append(Seq(5), vec![]).await.expect("append");
    assert_eq!(store.cursor().await.expect("cursor"), Seq(5));
    fill(&*store, vec![event(7, at("10:00:00"))]).await;
    store.append(Seq(9), vec![]).await.expect("append");
    drop(store);
    let store = bench.open().await;
    assert_eq!(store.cursor().await.expect("cursor"), Seq(9));
    store.append(Seq(3), vec![]).await.expect("an old one");
    assert_eq!(store.cursor().await.expect("cursor"), Seq(9));
}

pub(super) async fn an_event_comes_back_as_it_was(bench: &impl Bench) {
    let store = bench.open().await;
    let attrs =
        serde_json::json!({"plate": "浙G12345", "confidence": 0.93, "n": null, "list": [1, "x"]});
    let door = Event {
        occurred_at: at("09:59:58.123456"),
        attrs: Attrs::from_value(&attrs),
        ..door(2, at("10:00:00.250"))
    };
    let all = vec![event(1, at("10:00:00")), door];
    fill(&*store, all.clone()).await;
    let query = HistoryQuery {
        order: Order::OldestFirst,
        ..HistoryQuery::default()
    };
    let page = store.history(query).await.expect("history");
    let expected: Vec<StoredEvent> = all
        .into_iter()
        .map(|event| StoredEvent {
            count: 1,
            last_received_at: event.received_at,
            event,
        })
        .collect();
    assert_eq!(page.items, expected);
}

/// Texts that have broken encoders: quotes, escapes, separators, control characters, scripts, templates.
pub(super) const HOSTILE: &[&str] = &[
    "",
    "C:\\",
    "x\\\",evil=1i,k=\\\"",
    "a\nadmin,dev=b owned=1i",
    "tab\tand\r\nlines",
    "\u{0}nul\u{1}\u{7f}",
    "${env}",
    "\\${env}",
    "'; DROP TABLE event; --",
    "烟感 a,b=c \"d\"",
    "😀🏳️‍🌈\u{202e}",
    "#comment",
    " lead and trail ",
    ",result,table,_time",
];

pub(super) async fn hostile_text_comes_back_as_it_was(bench: &impl Bench) {
    let store = bench.open().await;
    let mut all = Vec::new();
    for (i, text) in HOSTILE.iter().enumerate() {
        all.push(Event {
            dedupe_key: (*text).to_owned(),
            component: Some((*text).to_owned()).filter(|text| !text.is_empty()),
            attrs: Attrs::from_value(&serde_json::json!({ "text": text, *text: [text] })),
            ..event(i as u64 + 1, at("10:00:00"))
        });
    }
    fill(&*store, all.clone()).await;
    let query = HistoryQuery {
        order: Order::OldestFirst,
        ..HistoryQuery::default()
    };
    let page = store.history(query).await.expect("history");
    let found: Vec<Event> = page.items.into_iter().map(|s| s.event).collect();
    assert_eq!(found, all);
}

pub(super) async fn the_newest_come_first(bench: &impl Bench) {
    let store = bench.open().await;
    fill(&*store, (1..=3).map(|s| event(s, at("10:00:00"))).collect()).await;
    fill(&*store, vec![event(4, at("11:00:00"))]).await;
    assert_eq!(seqs(&*store, HistoryQuery::default()).await, [4, 3, 2, 1]);
}

/// A vehicle at the gate of `q1`.
fn passage(seq: u64, received_at: Timestamp, plate: &str) -> Event {
    Event {
        device: "gate-1".parse().expect("device"),
        class: DeviceClass::Barrier,
        kind: Kind::VehiclePassage,
        phase: Phase::Instant,
        attrs: Attrs::from_value(&serde_json::json!({"plate": plate, "direction": "in"})),
        ..event(seq, received_at)
    }
}

pub(super) async fn a_history_is_about_one_vehicle_however_its_plate_is_written(
    bench: &impl Bench,
) {
    let store = bench.open().await;
    let mut card = door(5, at("10:50:00"));
    card.attrs =
        Attrs::from_value(&serde_json::json!({"credential_ref": "c-7", "plate": "浙G12345"}));
    fill(
        &*store,
        vec![
            passage(1, at("09:00:00"), "浙G12345"),
            passage(2, at("09:30:00"), "浙G99999"),
            event(3, at("10:00:00")),
            passage(4, at("10:30:00"), "浙g·12345"),
            card,
            passage(6, at("11:00:00"), "浙G12345"),
        ],
    )
    .await;
    let about = |class, text: &str| HistoryQuery {
        about: Some(About::new(class, text)),
        ..HistoryQuery::default()
    };
    for (class, text, expected) in [
        (Personal::Plate, " 浙G 12345", &[6, 4, 1][..]),
        (Personal::Plate, "浙G1234", &[]),
        (Personal::Credential, "c-7", &[5]),
        (Personal::Person, "c-7", &[]),
    ] {
        assert_eq!(seqs(&*store, about(class, text)).await, expected, "{text}");
    }
    let since = HistoryQuery {
        from: Some(at("10:00:00")),
        device: Some("gate-1".parse().expect("device")),
        ..about(Personal::Plate, "浙G12345")
    };
    assert_eq!(seqs(&*store, since).await, [6, 4]);
    // page by page, each once
    let mut page = about(Personal::Plate, "浙G12345");
    page.limit = 2;
    let first = store.history(page.clone()).await.expect("history");
    assert_eq!(first.items.len(), 2);
    page.cursor = first.next;
    assert_eq!(seqs(&*store, page).await, [1]);
}

pub(super) async fn a_history_and_counts_stay_within_places(bench: &impl Bench) {
    let store = bench.open().await;
    let of = |site: &str, device: &str, event: Event| Event {
        site: site.parse().expect("site"),
        device: device.parse().expect("device"),
        ..event
    };
    let tomorrow = "2026-11-24T00:30:00Z".parse().expect("time");
    fill(
        &*store,
        vec![
            event(1, at("10:00:00")), // q1 smoke-1
            of("q1", "smoke-2", event(2, at("10:10:00"))),
            door(3, at("10:20:00")), // q2 door-9
            of("q3", "smoke-3", event(4, at("10:30:00"))),
            passage(5, at("11:00:00"), "浙G12345"), // q1 gate-1
            of("q3", "door-3", door(6, at("11:30:00"))),
            of("q2", "gate-2", passage(7, at("11:40:00"), "浙G12345")),
            of("q1", "smoke-2", event(8, tomorrow)),
        ],
    )
    .await;
    let within = |sites: &[&str], devices: &[&str]| Within {
        sites: sites.iter().map(|id| id.parse().expect("id")).collect(),
        devices: devices.iter().map(|id| id.parse().expect("id")).collect(),
    };
    let places: [(Within, &[u64]); 6] = [
        (within(&["q1"], &[]), &[8, 5, 2, 1]),
        (within(&["q1", "q3"], &[]), &[8, 6, 5, 4, 2, 1]),
        (within(&[], &["smoke-2", "door-9"]), &[8, 3, 2]),
        (within(&["q3"], &["smoke-2"]), &[8, 6, 4, 2]),
        (within(&["q9"], &["nobody"]), &[]),
        (within(&[], &[]), &[]),
    ];
    for (within, expected) in &places {
        let asked = |limit, cursor, order| HistoryQuery {
            within: Some(within.clone()),
            limit,
            cursor,
            order,
            ..HistoryQuery::default()
        };
        let mut ascending = expected.to_vec();
        ascending.reverse();
        for (order, expected) in [
            (Order::NewestFirst, expected.to_vec()),
            (Order::OldestFirst, ascending),
        ] {
            for limit in [1, 2, 100] {
                let (mut seen, mut cursor) = (Vec::new(), None);
                loop {
                    let page = store.history(asked(limit, cursor, order)).await;
                    let page = page.expect("history");
                    assert!(
                        page.items.len() == limit || page.next.is_none(),
                        "pages are full"
                    );
                    seen.extend(page.items.iter().map(|s| s.event.seq.0));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, expected, "{within:?} {order:?} by {limit}");
            }
        }
        // the same events, counted
        let whole = HistoryQuery {
            order: Order::OldestFirst,
            ..asked(100, None, Order::OldestFirst)
        };
        let events = store.history(whole).await.expect("history").items;
        for (bucket, seconds) in [(Bucket::Hour, 3_600), (Bucket::Day, 86_400)] {
            for by in [
                CountBy::Kind,
                CountBy::Class,
                CountBy::Site,
                CountBy::Device,
            ] {
                let mut counted = std::collections::BTreeMap::new();
                for Event {
                    received_at,
                    site,
                    device,
                    kind,
                    class,
                    ..
                } in events.iter().map(|s| &s.event)
                {
                    let key = match by {
                        CountBy::Kind => kind.to_string(),
                        CountBy::Class => class.to_string(),
                        CountBy::Site => site.to_string(),
                        CountBy::Device => device.to_string(),
                    };
                    let start =
                        received_at.as_second() - received_at.as_second().rem_euclid(seconds);
                    *counted.entry((start, key)).or_insert(0) += 1;
                }
                let rows = store
                    .counts(at("00:00:00"), tomorrow, bucket, by, Some(within))
                    .await;
                let rows: Vec<_> = rows
                    .expect("counts")
                    .into_iter()
                    .map(|row| ((row.bucket_start.as_second(), row.key), row.n))
                    .collect();
                assert_eq!(
                    rows,
                    counted.into_iter().collect::<Vec<_>>(),
                    "{within:?} by {by:?}"
                );
            }
        }
        // only the hours that were asked for
        let rows = store.counts(
            at("11:00:00"),
            at("11:45:00"),
            Bucket::Hour,
            CountBy::Kind,
            Some(within),
        );
        let n: u64 = rows.await.expect("counts").iter().map(|row| row.n).sum();
        let late = expected.iter().filter(|seq| (5..8).contains(*seq)).count();
        assert_eq!(n, late as u64, "{within:?}");
    }
    // what is named besides is looked for there, and nowhere else
    let there = || Some(within(&["q3"], &["smoke-2"]));
    for (query, expected) in [
        (
            HistoryQuery {
                device: Some("smoke-1".parse().expect("id")),
                ..HistoryQuery::default()
            },
            &[][..],
        ),
        (
            HistoryQuery {
                device: Some("smoke-2".parse().expect("id")),
                ..HistoryQuery::default()
            },
            &[8, 2],
        ),
        (
            HistoryQuery {
                site: Some("q1".parse().expect("id")),
                ..HistoryQuery::default()
            },
            &[8, 2],
        ),
        (
            HistoryQuery {
                kind: Some(Kind::FireSmoke),
                ..HistoryQuery::default()
            },
            &[8, 4, 2],
        ),
        (
            HistoryQuery {
                from: Some(at("10:30:00")),
                to: Some(at("12:00:00")),
                ..HistoryQuery::default()
            },
            &[6, 4],
        ),
    ] {
        let query = HistoryQuery {
            within: there(),
            ..query
        };
        assert_eq!(seqs(&*store, query.clone()).await, expected, "{query:?}");
    }
    let searched = HistoryQuery {
        about: Some(About::new(Personal::Plate, "浙G12345")),
        within: Some(within(&["q1"], &[])),
        ..HistoryQuery::default()
    };
    assert_eq!(seqs(&*store, searched).await, [5]);
}

pub(super) async fn conditions_narrow_a_history(bench: &impl Bench) {
    let store = bench.open().await;
    fill(
        &*store,
        vec![
            event(1, at("09:00:00")),
            door(2, at("10:00:00")),
            event(3, at("10:30:00")),
            door(4, at("11:00:00")),
        ],
    )
    .await;
    let any = HistoryQuery::default;
    let cases: [(&str, HistoryQuery, &[u64]); 9] = [
        (
            "device",
            HistoryQuery {
                device: Some("door-9".parse().expect("id")),
                ..any()
            },
            &[4, 2],
        ),
        (
            "unknown device",
            HistoryQuery {
                device: Some("door-8".parse().expect("id")),
                ..any()
            },
            &[],
        ),
        (
            "kind",
            HistoryQuery {
                kind: Some(Kind::FireSmoke),
                ..any()
            },
            &[3, 1],
        ),
        (
            "site",
            HistoryQuery {
                site: Some("q2".parse().expect("id")),
                ..any()
            },
            &[4, 2],
        ),
        (
            "device and another kind",
            HistoryQuery {
                device: Some("door-9".parse().expect("id")),
                kind: Some(Kind::FireSmoke),
                ..any()
            },
            &[],
        ),
        (
            "from is inside",
            HistoryQuery {
                from: Some(at("10:30:00")),
                ..any()
            },
            &[4, 3],
        ),
        (
            "to is outside",
            HistoryQuery {
                to: Some(at("10:30:00")),
                ..any()
            },
            &[2, 1],
        ),
        (
            "after a seq",
            HistoryQuery {
                after_seq: Some(Seq(2)),
                order: Order::OldestFirst,
                ..any()
            },
            &[3, 4],
        ),
        (
            "after the last seq",
            HistoryQuery {
                after_seq: Some(Seq(4)),
                order: Order::OldestFirst,
                ..any()
            },
            &[],
        ),
    ];
    for (name, query, expected) in cases {
        assert_eq!(seqs(&*store, query).await, expected, "{name}");
    }
}

pub(super) async fn pages_show_every_event_once_in_both_orders(bench: &impl Bench) {
    let store = bench.open().await;
    // Three days; around each midnight an alarm of the new day stands before telemetry of the old one.
    let times = [
        ("2026-11-22T23:59:58Z", 1),
        ("2026-11-23T00:00:00Z", 3),
        ("2026-11-22T23:59:59Z", 2),
        ("2026-11-23T12:00:00Z", 4),
        ("2026-11-24T00:00:00Z", 6),
        ("2026-11-23T23:59:59Z", 5),
        ("2026-11-24T00:00:01Z", 7),
    ];
    let all: Vec<Event> = times
        .iter()
        .enumerate()
        .map(|(i, (time, _))| event(i as u64 + 1, time.parse().expect("time")))
        .collect();
    fill(&*store, all).await;
    for order in [Order::OldestFirst, Order::NewestFirst] {
        for limit in 1..=8 {
            let mut seen = Vec::new();
            let mut cursor: Option<Cursor> = None;
            loop {
                let query = HistoryQuery {
                    cursor,
                    limit,
                    order,
                    ..HistoryQuery::default()
                };
                let page = store.history(query).await.expect("history");
                assert!(page.items.len() <= limit);
                seen.extend(page.items.iter().map(|s| s.event.seq.0));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            if order == Order::NewestFirst {
                seen.reverse();
            }
            assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7], "{order:?} by {limit}");
        }
    }
}

pub(super) async fn a_page_after_a_seq_ends_with_a_whole_uplink(bench: &impl Bench) {
    let store = bench.open().await;
    let mut all = vec![event(1, at("10:00:00"))];
    all.extend((0..5).map(|i| event_of(2, i, at("10:00:01"))));
    all.push(event(3, at("10:00:02")));
    fill(&*store, all).await;
    let after = |seq| HistoryQuery {
        after_seq: Some(Seq(seq)),
        limit: 2,
        order: Order::OldestFirst,
        ..HistoryQuery::default()
    };
    assert_eq!(seqs(&*store, after(0)).await, [1, 2, 2, 2, 2, 2]);
    assert_eq!(seqs(&*store, after(2)).await, [3]);
}

pub(super) async fn a_batch_may_span_midnight(bench: &impl Bench) {
    let store = bench.open().await;
    let night = |time: &str| time.parse().expect("a time");
    fill(
        &*store,
        vec![
            event(1, night("2026-11-23T23:59:59.999Z")),
            event(2, night("2026-11-24T00:00:00.000Z")),
        ],
    )
    .await;
    drop(store);
    let store = bench.open().await;
    assert_eq!(store.cursor().await.expect("cursor"), Seq(2));
    assert_eq!(seqs(&*store, HistoryQuery::default()).await, [2, 1]);
}

pub(super) async fn a_replay_changes_nothing(bench: &impl Bench) {
    let store = bench.open().await;
    let all: Vec<Event> = (1..=20).map(|s| event(s, at("10:00:00"))).collect();
    fill(&*store, all.clone()).await;
    let hours = |store: Box<dyn EventStore>| async move {
        let counts = store.counts(
            at("00:00:00"),
            at("23:00:00"),
            Bucket::Hour,
            CountBy::Kind,
            None,
        );
        let counts = counts.await.expect("counts");
        let page = store.history(HistoryQuery::default()).await.expect("page");
        (store, counts, page)
    };
    let (store, counts, page) = hours(store).await;
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].n, 20);
    store.append(Seq(20), all.clone()).await.expect("again");
    drop(store);
    let store = bench.open().await;
    // The first 20 once more in a batch that goes on.
    let mut longer = all;
    longer.push(event(21, at("11:00:00")));
    let done = store.append(Seq(21), longer).await.expect("longer");
    assert_eq!((done.stored, done.duplicates), (1, 0));
    let (_, counts_then, page_then) = hours(store).await;
    assert_eq!(counts_then[0], counts[0]);
    assert_eq!(page_then.items[1..], page.items[..]);
}

pub(super) async fn counts_are_by_hour_or_day_and_by_four_keys(bench: &impl Bench) {
    let store = bench.open().await;
    let tomorrow = "2026-11-24T00:30:00Z".parse().expect("time");
    fill(
        &*store,
        vec![
            event(1, at("10:00:00")),
            event(2, at("10:59:59.999")),
            door(3, at("10:30:00")),
            event(4, at("11:00:00")),
            door(5, tomorrow),
        ],
    )
    .await;
    let row = |bucket_start: &str, key: &str, n| CountRow {
        bucket_start: bucket_start.parse().expect("time"),
        key: key.to_owned(),
        n,
    };
    let (from, to) = (at("10:15:00"), tomorrow);
    let by = async |bucket, by| {
        store
            .counts(from, to, bucket, by, None)
            .await
            .expect("counts")
    };
    assert_eq!(
        by(Bucket::Hour, CountBy::Kind).await,
        [
            row("2026-11-23T10:00:00Z", "access.granted", 1),
            row("2026-11-23T10:00:00Z", "fire.smoke", 2),
            row("2026-11-23T11:00:00Z", "fire.smoke", 1),
            row("2026-11-24T00:00:00Z", "access.granted", 1),
        ]
    );
    for (key, door, smoke) in [
        (CountBy::Class, "access", "fire_sensor"),
        (CountBy::Device, "door-9", "smoke-1"),
    ] {
        assert_eq!(
            by(Bucket::Day, key).await,
            [
                row("2026-11-23T00:00:00Z", door, 1),
                row("2026-11-23T00:00:00Z", smoke, 3),
                row("2026-11-24T00:00:00Z", door, 1),
            ]
        );
    }
    assert_eq!(by(Bucket::Day, CountBy::Site).await.len(), 3);
    let whole = store.counts(
        at("11:00:00"),
        at("12:00:00"),
        Bucket::Hour,
        CountBy::Site,
        None,
    );
    assert_eq!(
        whole.await.expect("counts"),
        [row("2026-11-23T11:00:00Z", "q1", 1)]
    );
}

pub(super) async fn an_event_is_found_by_its_id(bench: &impl Bench) {
    let store = bench.open().await;
    let all: Vec<Event> = (0..3).map(|i| event_of(8, i, at("10:00:00.5"))).collect();
    fill(&*store, all.clone()).await;
    for event in all {
        let found = store.get(event.id).await.expect("get");
        assert_eq!(found.map(|s| s.event), Some(event));
    }
    for other in [
        event_of(8, 3, at("10:00:00.5")),
        event_of(8, 1, at("10:00:00.501")),
    ] {
        assert_eq!(store.get(other.id).await.expect("get"), None);
    }
}
