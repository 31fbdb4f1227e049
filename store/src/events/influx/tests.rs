//! The conformance suite over InfluxDB (a strict fake), the bad days of a server, and a foreign server that is real.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Attrs, Event, Kind, Seq};
use tempfile::TempDir;

use super::fake::{Fake, Value};
use super::line::Lines;
use super::{Batch, InfluxError, InfluxEvents, Pace, Source, forward};
use crate::events::conformance::{Bench, HOSTILE, at, conformance, event};
use crate::events::model::Cursor;
use crate::events::sqlite::SqliteEvents;
use crate::events::{EventStore, EventsError, HistoryQuery};

struct Server {
    fake: Fake,
    dir: TempDir,
}

impl Server {
    fn new() -> Self {
        Self {
            fake: Fake::start(),
            dir: tempfile::tempdir().expect("a directory"),
        }
    }
    fn store(&self) -> InfluxEvents {
        InfluxEvents::open(&self.fake.target(), self.dir.path()).expect("opens")
    }
    fn rejected(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.dir.path().join("influx-rejected.jsonl"));
        text.unwrap_or_default()
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

#[async_trait]
impl Bench for Server {
    async fn open(&self) -> Box<dyn EventStore> {
        Box::new(self.store())
    }
}

conformance!(Server::new());

fn smoke(n: u64) -> Vec<Event> {
    (1..=n).map(|seq| event(seq, at("10:00:00"))).collect()
}

fn lines(events: &[Event]) -> Lines {
    let mut lines = Lines::default();
    for event in events {
        lines.push(event, Cursor::of(event).expect("an id"));
    }
    lines
}

#[test]
fn another_parser_reads_hostile_lines_as_one_point_each() {
    let events: Vec<Event> = HOSTILE
        .iter()
        .zip(1..)
        .map(|(text, seq)| Event {
            dedupe_key: (*text).to_owned(),
            component: Some((*text).to_owned()),
            attrs: Attrs::from_value(&serde_json::json!({ *text: text })),
            ..event(seq, at("10:00:00"))
        })
        .collect();
    let lines = lines(&events);
    let text = lines.slice(0, lines.len());
    let parsed: Vec<_> = influxdb_line_protocol::parse_lines(text)
        .collect::<Result<_, _>>()
        .expect("line protocol");
    assert_eq!(parsed.len(), events.len());
    for line in parsed {
        assert_eq!(line.series.measurement, "sec_event");
        assert_eq!(line.field_set.len(), 8);
        assert_eq!(line.series.tag_set.map(|tags| tags.len()), Some(4));
    }
}

#[test]
fn every_tag_word_stands_in_line_protocol_as_it_is() {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    for kind in Kind::ALL {
        assert!(kind.as_str().chars().all(plain), "{kind}");
    }
}

#[test]
fn numbers_of_a_reading_are_fields_and_what_is_no_number_is_not() {
    let attrs = serde_json::value::RawValue::from_string(
        r#"{"temperature_c": 21, "big": 1e400, "Bad Name": 1, "x=1,y": 2, "text": "3", "nested": {"a": 1}}"#.to_owned(),
    )
    .expect("JSON");
    let reading = Event {
        kind: Kind::DeviceTelemetry,
        attrs: Attrs::from_raw(attrs),
        ..event(1, at("10:00:00"))
    };
    let plain = lines(&[Event {
        attrs: Attrs::from_value(
            &serde_json::json!({"temperature_c": 21, "humidity": 0.5, "Bad Name": 1, "x=1,y": 2, "text": "3"}),
        ),
        ..reading.clone()
    }]);
    let text = plain.slice(0, 1);
    assert!(
        text.contains(",reading_humidity=0.5,reading_temperature_c=21 "),
        "{text}"
    );
    // A number beyond f64: the whole is not read, or the number is left out; never an infinity.
    let beyond = lines(&[reading]);
    assert!(!beyond.slice(0, 1).contains("inf"));
    assert_eq!(
        influxdb_line_protocol::parse_lines(beyond.slice(0, 1))
            .filter(Result::is_err)
            .count(),
        0
    );
}

#[tokio::test]
async fn the_one_bad_line_is_found_and_set_aside() {
    let server = Server::new();
    server.fake.db().unparsable = Some("k3137-0".to_owned());
    let store = server.store();
    let done = store
        .append(Seq(4_000), smoke(4_000))
        .await
        .expect("append");
    assert_eq!(done.stored, 3_999);
    assert_eq!(server.fake.db().points.len(), 3_999);
    assert!(server.fake.db().requests < 40, "halving is logarithmic");
    let rejected = server.rejected();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["seq"], 3_137);
    assert_eq!(rejected[0]["status"], 400);
    assert!(
        rejected[0]["answer"]
            .as_str()
            .expect("text")
            .contains("unable to parse")
    );
    assert!(
        rejected[0]["line"]
            .as_str()
            .expect("text")
            .contains("k3137-0")
    );
    assert_eq!(store.cursor().await.expect("cursor"), Seq(4_000));
}

#[tokio::test]
async fn what_is_out_of_retention_is_set_aside_and_the_rest_is_stored() {
    let server = Server::new();
    server.fake.db().retained_from_ns = at("09:00:00").as_nanosecond() as i64;
    let store = server.store();
    let mut events = vec![event(1, at("08:00:00")), event(2, at("08:30:00"))];
    events.extend((3..=10).map(|seq| event(seq, at("10:00:00"))));
    store.append(Seq(10), events).await.expect("append");
    assert_eq!(server.fake.db().points.len(), 8);
    let seqs: Vec<_> = server.rejected().iter().map(|r| r["seq"].clone()).collect();
    assert_eq!(seqs, [1, 2]);
    // All of a batch: one request is enough to know.
    let before = server.fake.db().requests;
    let old = (11..=900).map(|seq| event(seq, at("08:00:00"))).collect();
    store.append(Seq(900), old).await.expect("append");
    assert_eq!(server.fake.db().requests - before, 1);
    assert_eq!(server.rejected().len(), 892);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved() {
    let server = Server::new();
    server.fake.db().lines_max = Some(100);
    server
        .store()
        .append(Seq(900), smoke(900))
        .await
        .expect("append");
    assert_eq!(server.fake.db().points.len(), 900);
    assert_eq!(server.rejected().len(), 0);
}

#[tokio::test]
async fn a_server_that_refuses_everything_costs_no_event() {
    let server = Server::new();
    let store = server.store();
    for status in [400, 401, 403, 404, 429, 500, 503] {
        server.fake.db().answer = Some(status);
        let error = store.append(Seq(50), smoke(50)).await.expect_err("refused");
        let EventsError::Influx(error) = error else {
            panic!("{status}: {error}");
        };
        match error {
            InfluxError::Refused { status: said, .. } => assert!(said == status && status < 429),
            InfluxError::Busy { status: said, .. } => assert!(said == status && status >= 429),
            other => panic!("{status}: {other}"),
        }
        assert_eq!(store.cursor().await.expect("cursor"), Seq(0));
    }
    assert_eq!(server.rejected().len(), 0);
    server.fake.db().answer = None;
    store.append(Seq(50), smoke(50)).await.expect("append");
    assert_eq!(server.fake.db().points.len(), 50);
}

#[tokio::test]
async fn another_bucket_begins_at_the_beginning() {
    let server = Server::new();
    server
        .store()
        .append(Seq(5), smoke(5))
        .await
        .expect("append");
    let mut target = server.fake.target();
    "other".clone_into(&mut target.bucket);
    let other = InfluxEvents::open(&target, server.dir.path()).expect("opens");
    assert_eq!(other.cursor().await.expect("cursor"), Seq(0));
    let again = server.store();
    assert_eq!(again.cursor().await.expect("cursor"), Seq(5));
}

#[test]
fn an_address_that_the_client_would_choke_on_is_refused() {
    let server = TempDir::new().expect("a directory");
    for url in [
        "",
        "influx:8086",
        "ftp://influx",
        "http://influx/proxy/path",
    ] {
        let target = super::Target {
            url: url.to_owned(),
            org: String::new(),
            bucket: String::new(),
            token: String::new(),
        };
        let opened = InfluxEvents::open(&target, server.path());
        assert!(matches!(opened, Err(InfluxError::Url { .. })), "{url}");
    }
}

/// Waits until `done` says so, for at most 20 s.
async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 20 s: {what}");
}

fn fast() -> Pace {
    Pace {
        idle: Duration::from_millis(10),
        retry_first: Duration::from_millis(10),
        retry_max: Duration::from_millis(100),
        seed: 1,
    }
}

#[tokio::test]
async fn down_for_a_while_and_back_nothing_is_lost_and_nothing_doubled() {
    let mut server = Server::new();
    let dir = tempfile::tempdir().expect("a directory");
    let source: Arc<dyn EventStore> =
        Arc::new(SqliteEvents::open(dir.path(), None).expect("opens"));
    let feed = async |from: u64, to: u64| {
        let events = (from..=to).map(|seq| event(seq, at("10:00:00"))).collect();
        source.append(Seq(to), events).await.expect("append");
    };
    let sink = Arc::new(server.store());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let follower = tokio::spawn({
        let (source, sink) = (source.clone(), sink.clone());
        async move {
            let stopped = async { drop(stopped.await) };
            forward(source, &sink, fast(), stopped).await;
        }
    });
    feed(1, 3_000).await;
    eventually("the first 3,000", || server.fake.db().points.len() == 3_000).await;
    // The wire is cut while requests are under way; then the server is busy; then it hangs up again.
    server.fake.db().delay = Duration::from_millis(30);
    feed(3_001, 6_000).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.fake.switch_off();
    feed(6_001, 9_000).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.fake.db().answer = Some(503);
    server.fake.switch_on();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.fake.switch_off();
    server.fake.db().answer = None;
    feed(9_001, 9_500).await;
    server.fake.switch_on();
    eventually("all 9,500", || server.fake.db().points.len() >= 9_500).await;
    eventually("the cursor", || {
        sink.cursor.load(Ordering::Acquire) == 9_500
    })
    .await;
    drop(stop);
    follower.await.expect("ends");
    let db = server.fake.db();
    let seqs: BTreeSet<i64> = db
        .points
        .values()
        .filter_map(|fields| match fields.get("position") {
            Some(Value::Int(position)) => Some(position >> 12),
            _ => None,
        })
        .collect();
    assert_eq!(db.points.len(), 9_500);
    assert_eq!(seqs, (1..=9_500).collect());
    drop(db);
    assert_eq!(server.rejected().len(), 0);
}

#[tokio::test]
async fn a_forwarder_that_forgot_its_last_batch_doubles_nothing() {
    let server = Server::new();
    let store = server.store();
    store.append(Seq(100), smoke(100)).await.expect("append");
    drop(store);
    std::fs::remove_file(server.dir.path().join("influx-cursor.json")).expect("removed");
    let store = server.store();
    store.append(Seq(120), smoke(120)).await.expect("append");
    assert_eq!(server.fake.db().written, 220);
    assert_eq!(server.fake.db().points.len(), 120);
}

#[tokio::test]
async fn a_source_gives_each_event_once_and_skips_what_has_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let source: Arc<dyn EventStore> =
        Arc::new(SqliteEvents::open(dir.path(), None).expect("opens"));
    source
        .append(Seq(6_500), smoke(6_000))
        .await
        .expect("append");
    let mut after = Seq(0);
    let mut seen = 0;
    for _ in 0..3 {
        let Batch { upto, events } = source.next(after).await.expect("a batch");
        seen += events.len();
        after = upto;
    }
    assert_eq!((seen, after), (6_000, Seq(6_500)));
}

#[tokio::test]
async fn an_answer_that_is_nonsense_is_an_error_and_not_a_panic() {
    let server = Server::new();
    let store = server.store();
    store.append(Seq(1), smoke(1)).await.expect("append");
    for points in server.fake.db().points.values_mut() {
        points.insert("attrs".to_owned(), Value::Text("{".to_owned()));
    }
    let error = store
        .history(HistoryQuery::default())
        .await
        .expect_err("damaged");
    assert!(matches!(error, EventsError::Influx(InfluxError::Answer(_))));
    server.fake.db().answer = Some(503);
    let error = store
        .history(HistoryQuery::default())
        .await
        .expect_err("busy");
    assert!(matches!(
        error,
        EventsError::Influx(InfluxError::Busy { status: 503, .. })
    ));
}
