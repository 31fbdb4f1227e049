//! Two hundred kills under load: nothing that was acknowledged is lost, and nothing is there twice.

use std::time::{Duration, Instant};

use blackbox::{Hub, Tool, eventually};
use serde_json::Value;

const KILLS: usize = 200;
/// Acknowledged in each life of the hub before it is killed, so that every kill falls into real traffic.
const ACKNOWLEDGED_BEFORE_KILL: u64 = 500;
/// One run of the generator; there are as many as the kills need, which is one on any machine worth the name.
const LOAD_SECONDS: &str = "230";
/// The promise is about 1,000 a second with all the downtime in it, so ask for more.
const RATE: &str = "2500";
const RATE_MIN: f64 = 1000.0;

async fn acknowledged(hub: &Hub) -> u64 {
    let status = hub.api("administrator").get("/api/v1/status").await;
    status
        .ok()
        .and_then(|s| s["listener"]["acknowledged"].as_u64())
        .unwrap_or(0)
}

#[tokio::test]
async fn two_hundred_kills_under_load_lose_nothing_and_double_nothing() {
    let began = Instant::now();
    let dir = tempfile::tempdir().expect("a directory");
    let alone = ["--devices", "0"];
    let mut hub = Hub::start(dir.path()).await;
    let credentials = dir.path().join("credentials.json");
    std::fs::copy(dir.path().join("demo.json"), &credentials).expect("copied");
    let path = |name: String| dir.path().join(name).display().to_string();

    let (mut kills, mut legs) = (0, Vec::new());
    while kills < KILLS {
        let number = legs.len();
        let (acked, report) = (
            path(format!("acked-{number}")),
            path(format!("load-{number}.json")),
        );
        let mut load = Tool::start(
            "device-sim",
            &[
                "load",
                "--credentials",
                &credentials.display().to_string(),
                "--connections",
                "20",
                "--window",
                "20",
                "--rate",
                RATE,
                "--seconds",
                LOAD_SECONDS,
                "--drain-seconds",
                "20",
                "--payload-bytes",
                "250",
                "--acked",
                &acked,
                "--report",
                &report,
            ],
        );
        while kills < KILLS && load.is_running() {
            let in_traffic =
                eventually("the hub acknowledges", Duration::from_secs(30), || async {
                    if acknowledged(&hub).await >= ACKNOWLEDGED_BEFORE_KILL {
                        return Some(true);
                    }
                    None
                });
            // a generator that is at its end may not bring enough for one more kill
            let end = async {
                while load.is_running() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! {
                _ = in_traffic => {}
                () = end => break,
            }
            let demo = hub.demo.clone();
            hub.kill9();
            kills += 1;
            hub = Hub::start_again(dir.path(), &demo, &alone).await;
            assert_eq!(hub.demo.http, demo.http, "on the same port");
        }
        let outcome = load.finish(Duration::from_mins(5)).await;
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        eprintln!("{}", outcome.stdout.trim());
        legs.push((acked, report));
        assert!(legs.len() <= 4, "only {kills} kills in {legs:?}");
    }

    let token = hub.demo.user("administrator").token.clone();
    let mut reconnects = 0;
    for (acked, report) in &legs {
        let report = std::fs::read(report).expect("a report");
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        let rate = report["msgs_per_s"].as_f64().expect("a rate");
        assert!(rate >= RATE_MIN, "{rate} msg/s in {report}");
        assert_eq!(report["unacknowledged"], 0, "{report}");
        reconnects += report["reconnects"].as_u64().expect("a count");
        // history may be far behind on a busy machine: the tool waits for it, however long that takes
        let verify = Tool::start(
            "device-sim",
            &[
                "verify",
                "--acked",
                acked,
                "--api",
                &hub.demo.http,
                "--token",
                &token,
            ],
        );
        let verdict = verify.finish(Duration::from_mins(10)).await;
        eprintln!("{}", verdict.stdout.trim());
        assert_eq!(
            verdict.code,
            Some(0),
            "{}{}",
            verdict.stdout,
            verdict.stderr
        );
        let acknowledged = &report["acknowledged"];
        let expected = format!("acknowledged {acknowledged} found {acknowledged} lost 0 doubled 0");
        assert!(
            verdict.stdout.starts_with(&expected),
            "{expected}, and not {}",
            verdict.stdout
        );
    }
    assert!(
        reconnects >= KILLS as u64,
        "the kills were felt: {reconnects} reconnects"
    );
    assert!(hub.stop().await.success());
    eprintln!(
        "{kills} kills, {reconnects} reconnects, {:?}",
        began.elapsed()
    );
}
