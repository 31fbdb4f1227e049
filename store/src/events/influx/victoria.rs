//! Writes to a server that is not ours: Debian's `victoria-metrics`, which takes InfluxDB's lines over the same path.
//!
//! It stores numbers only and cannot answer Flux, so this proves the way of the bytes: URL, gzip, lines, times.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use domain::{Attrs, Event, Seq, Timestamp};

use super::{InfluxEvents, Target};
use crate::events::EventStore;
use crate::events::conformance::{HOSTILE, event};

const PROGRAM: &str = "/usr/bin/victoria-metrics";

/// The server, ended with the test.
struct Victoria {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Victoria {
    async fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let child = Command::new(PROGRAM)
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .arg(format!("-storageDataPath={}", data.path().display()))
            .arg("-retentionPeriod=100y")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("cannot start {PROGRAM}: {e} (hint: apt-get install victoria-metrics)")
            });
        let victoria = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            _data: data,
        };
        for _ in 0..200 {
            if victoria.get("/health").await.is_some() {
                return victoria;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{PROGRAM} does not answer on port {port} within 20 s");
    }

    async fn get(&self, path: &str) -> Option<String> {
        let client = reqwest_influx::Client::builder().no_proxy().build();
        let request = client.expect("a client").get(format!("{}{path}", self.url));
        request.send().await.ok()?.text().await.ok()
    }
}

impl Drop for Victoria {
    fn drop(&mut self) {
        self.child.kill().expect("ours to end");
        self.child.wait().expect("ours to end");
    }
}

#[tokio::test]
async fn a_foreign_server_stores_every_line_once() {
    const EVENTS: u64 = 6_000;
    let victoria = Victoria::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    let target = Target {
        url: victoria.url.clone(),
        org: "jiming".to_owned(),
        bucket: "events".to_owned(),
        token: String::new(),
    };
    let store = InfluxEvents::open(&target, dir.path()).expect("opens");
    // One event a millisecond: this server cuts times to that.
    let start: Timestamp = "2025-06-01T10:00:00Z".parse().expect("a time");
    let events: Vec<Event> = (1..=EVENTS)
        .map(|seq| {
            let text = HOSTILE[seq as usize % HOSTILE.len()];
            Event {
                dedupe_key: text.to_owned(),
                attrs: Attrs::from_value(&serde_json::json!({ *text: text })),
                ..event(seq, start + Duration::from_millis(seq))
            }
        })
        .collect();
    let done = store.append(Seq(EVENTS), events).await.expect("append");
    assert_eq!(done.stored, EVENTS);
    victoria.get("/internal/force_flush").await.expect("flush");
    let path = "/api/v1/export?match[]=sec_event_position&start=2025-06-01T00:00:00Z&end=2025-06-02T00:00:00Z";
    let export = victoria.get(path).await.expect("export");
    let mut seqs = Vec::new();
    for series in export.lines() {
        let series: serde_json::Value = serde_json::from_str(series).expect("JSON");
        assert_eq!(series["metric"]["device"], "smoke-1");
        let values = series["values"].as_array().expect("a list");
        seqs.extend(
            values
                .iter()
                .map(|v| v.as_f64().expect("a number") as u64 >> 12),
        );
    }
    assert_eq!(seqs.len() as u64, EVENTS);
    assert_eq!(
        seqs.into_iter().collect::<BTreeSet<_>>(),
        (1..=EVENTS).collect()
    );
    // It answers 204 to bad lines too, but it counts them.
    let metrics = victoria.get("/metrics").await.expect("metrics");
    let invalid: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("vm_rows_invalid_total") && line.contains("influx"))
        .collect();
    assert!(
        invalid.iter().all(|line| line.ends_with(" 0")),
        "{invalid:?}"
    );
}
