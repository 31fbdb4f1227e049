//! Somebody sets the clock of the machine while a fire waits for an answer (reliability T1): an hour forward, a day back. The ladder is climbed
//! when it is due, neither at once nor a day late, and the station hears of the clock.

use std::time::Duration;

use blackbox::{Hub, eventually, publish};
use serde_json::{Value, json};

/// The library that shows a process another time than the system's; the count of seconds since the start stays true.
const LIBRARY: &str = "faketime/libfaketime.so.1";
const PATIENCE: Duration = Duration::from_secs(90);

fn library() -> String {
    let dirs = [
        "/usr/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ];
    let found = dirs
        .iter()
        .map(|dir| format!("{dir}/{LIBRARY}"))
        .find(|path| std::fs::exists(path).unwrap_or(false));
    found.expect("libfaketime is there (hint: Debian's package `faketime`)")
}

fn seconds(line: &Value) -> f64 {
    let at: jiff::Timestamp = line["at"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("RFC 3339");
    at.as_millisecond() as f64 / 1000.0
}

#[tokio::test]
async fn a_clock_that_is_set_moves_no_deadline_and_is_told_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let shift = dir.path().join("shift");
    let set = |to: &str| {
        // renamed, so that nobody reads half of it
        let new = dir.path().join("shift.new");
        std::fs::write(&new, to).expect("written");
        std::fs::rename(new, &shift).expect("renamed");
    };
    set("+0");
    let (library, file) = (library(), shift.display().to_string());
    let settings = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let hub = Hub::start_set(dir.path(), &settings).await;
    let api = hub.api("administrator");
    let detector = hub.demo.device("fire_sensor").clone();
    let told = json!({"id": "f1", "kind": "fire.smoke", "phase": "raised", "attrs": {"level": 9}})
        .to_string();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, told.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    let fire = api.incident_of("S1").await;
    let path = format!("/api/v1/incidents/{}", fire["id"].as_str().expect("an id"));

    set("+1h");
    let clock = api.incident_of("HUB7").await;
    let step: i64 = clock["detail"]["step_ms"]
        .as_str()
        .and_then(|ms| ms.parse().ok())
        .expect("milliseconds");
    assert!((step - 3_600_000).abs() < 5_000, "{clock}");

    let rungs = |at_least: usize| {
        let (api, path) = (&api, &path);
        eventually("the next rung is told", PATIENCE, move || async move {
            let view = api.get(path).await.ok()?;
            let lines = view["timeline"].as_array()?;
            let climbed = lines.iter().filter(|line| line["verb"] == "escalate");
            let climbed: Vec<Value> = climbed.cloned().collect();
            let opened = lines.first()?.clone();
            (climbed.len() >= at_least).then_some((opened, climbed))
        })
    };
    rungs(1).await;
    set("-1d");
    let (opened, climbed) = rungs(2).await;
    for (line, due) in climbed.iter().zip([30.0, 60.0]) {
        let after = seconds(line) - seconds(&opened);
        assert!(
            (due..due + 5.0).contains(&after),
            "due after {due} s, told after {after} s"
        );
    }
}
