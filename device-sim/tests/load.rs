//! The load generator against a broker that is not ours: everything is acknowledged, written down once, and survives the
//! broker's death.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use common::{Mosquitto, free_port};
use device_sim::load::{self, Account, LoadError, LoadReport, Plan};
use domain::Kind;
use tokio::time::{Instant, sleep};

fn plan(connections: u32, rate: Option<f64>, seconds: u64) -> Plan {
    Plan {
        connections,
        rate,
        window: 20,
        duration: Duration::from_secs(seconds),
        drain: Duration::from_secs(10),
        payload_bytes: 250,
        kind: Kind::AccessGranted,
        reconnect: true,
    }
}

fn accounts(n: u32) -> Vec<Account> {
    (0..n)
        .map(|at| Account::made_up(format!("load-{at}"), None, "bench/{client}"))
        .collect()
}

/// The oracle's lines; a line that is there twice is a failure.
fn oracle(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).expect("an oracle");
    let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), text.lines().count(), "a message twice");
    lines
}

fn adds_up(report: &LoadReport, lines: &BTreeSet<String>) {
    assert_eq!(
        report.published,
        report.acknowledged + report.unacknowledged
    );
    assert_eq!(report.acknowledged, lines.len() as u64);
    assert_eq!(report.puback_ms.count, report.acknowledged);
}

#[tokio::test]
async fn at_full_speed_everything_is_acknowledged_and_written_down() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a folder");
    let acked = folder.path().join("acked");
    let report = load::run(&broker.url(), accounts(10), plan(10, None, 2), "r1", &acked)
        .await
        .expect("runs");
    let lines = oracle(&acked);
    adds_up(&report, &lines);
    assert_eq!((report.unacknowledged, report.reconnects), (0, 0));
    assert!(report.published > 1_000, "{report:?}");
    for at in 0..10 {
        let first = format!("load-{at} r1-{at:03}-000000000");
        assert!(lines.contains(&first), "{first}");
    }
}

#[tokio::test]
async fn the_rate_is_kept() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a folder");
    let acked = folder.path().join("acked");
    let report = load::run(
        &broker.url(),
        accounts(4),
        plan(4, Some(200.0), 3),
        "r1",
        &acked,
    )
    .await
    .expect("runs");
    adds_up(&report, &oracle(&acked));
    assert!((540..=604).contains(&report.published), "{report:?}");
}

#[tokio::test]
async fn the_death_of_the_broker_costs_time_and_no_message() {
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let acked = folder.path().join("acked");
    let broker = Mosquitto::start_on(port);
    let url = broker.url();
    let killer = async move {
        sleep(Duration::from_millis(700)).await;
        drop(broker);
        sleep(Duration::from_millis(300)).await;
        let broker = Mosquitto::start_on(port);
        sleep(Duration::from_millis(700)).await;
        drop(broker);
        Mosquitto::start_on(port)
    };
    let load = load::run(&url, accounts(5), plan(5, Some(5_000.0), 4), "r1", &acked);
    let (report, _last) = tokio::join!(load, killer);
    let report = report.expect("runs");
    adds_up(&report, &oracle(&acked));
    assert_eq!(report.unacknowledged, 0, "{report:?}");
    assert_eq!(report.reconnects, 10, "{report:?}");
}

#[tokio::test]
async fn a_broker_that_does_not_listen_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("mqtt://127.0.0.1:{}", free_port());
    let acked = folder.path().join("acked");
    let begun = Instant::now();
    let error = load::run(&url, accounts(2), plan(2, None, 60), "r1", &acked)
        .await
        .expect_err("nobody listens");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(
        matches!(
            error,
            LoadError::Connect {
                failed: 2,
                all: 2,
                ..
            }
        ),
        "{error}"
    );
}
