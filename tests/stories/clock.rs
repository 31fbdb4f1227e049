//! Somebody sets the clock of the machine while a fire waits for an answer (reliability T1): an hour forward, a day back. The ladder is climbed
//! when it is due, neither at once nor a day late, and the station hears of the clock. A clock that stood years ahead is repaired with the hub
//! stopped, and what waits goes on.

use std::time::Duration;

use blackbox::{Hub, Tool, bin, eventually, publish};
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

/// The settings that show a hub the time that a file says.
pub(crate) fn shown(file: &str) -> [(&'static str, String); 4] {
    [
        ("LD_PRELOAD", library()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

#[tokio::test]
async fn a_clock_that_stood_years_ahead_is_repaired_and_what_waits_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let shift = dir.path().join("shift");
    std::fs::write(&shift, "+20y").expect("written");
    let ahead = shown(&shift.display().to_string());
    let ahead: Vec<(&str, &str)> = ahead
        .iter()
        .map(|(name, to)| (*name, to.as_str()))
        .collect();
    let hub = Hub::start_set(dir.path(), &ahead).await;
    let detectors = hub.demo.devices.iter().filter(|d| d.class == "fire_sensor");
    let detectors: Vec<_> = detectors.take(2).cloned().collect();
    let smoke = |hub: &Hub, n: usize| {
        let told = json!({"id": format!("f{n}"), "kind": "fire.smoke", "phase": "raised"});
        let topic = detectors[n].event_topic("fire.smoke");
        let told = told.to_string();
        let sent = publish(
            &hub.demo,
            &detectors[n],
            &topic,
            told.as_bytes(),
            1,
            "mqttv5",
        );
        assert!(sent.status.success());
    };
    smoke(&hub, 0);
    let fire = hub.api("operator").incident_of("S1").await;
    let path = format!("/api/v1/incidents/{}", fire["id"].as_str().expect("an id"));
    assert!(hub.stop().await.success());

    // the system clock is right again, and the hub does not go back by itself
    let clock = async |arguments: &[&str]| {
        let mut command = std::process::Command::new(bin("gateway"));
        command
            .arg("clock")
            .args(arguments)
            .env("JIMING__DATA__DIR", dir.path());
        let tool = Tool::start_command("gateway", &mut command);
        tool.finish(Duration::from_mins(1)).await
    };
    let said = clock(&["show"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stdout
            .contains("the journal is ahead of the system clock"),
        "{said:?}"
    );
    let now = jiff::Timestamp::now();
    let it_is = now.to_string();
    let hub = Hub::start(dir.path()).await;
    let running = clock(&["repair", "--it-is", &it_is]).await;
    assert_eq!(running.code, Some(1), "{running:?}");
    assert!(running.stderr.contains("is in use"), "{running:?}");
    let away = time_of(&hub).await.duration_since(now);
    assert!(
        away > jiff::SignedDuration::from_hours(15 * 8760),
        "{away:#}"
    );
    assert!(hub.stop().await.success());

    let tomorrow = (now + jiff::SignedDuration::from_hours(24)).to_string();
    let doubted = clock(&["repair", "--it-is", &tomorrow]).await;
    assert_eq!(doubted.code, Some(1), "{doubted:?}");
    assert!(doubted.stderr.contains("from what you say"), "{doubted:?}");
    let repaired = clock(&["repair", "--it-is", &it_is]).await;
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    assert!(repaired.stdout.contains("rows set back"), "{repaired:?}");
    let again = clock(&["repair", "--it-is", &it_is]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stdout.contains("nothing to repair"), "{again:?}");
    let said = clock(&["show"]).await;
    assert!(!said.stdout.contains("is ahead"), "{said:?}");

    // the fire of before is told further, another opens today, and it stays so after a crash
    let hub = Hub::start(dir.path()).await;
    smoke(&hub, 1);
    let is_today = |at: jiff::Timestamp| {
        let away = at.duration_since(now).abs();
        away < jiff::SignedDuration::from_hours(1)
    };
    eventually("a fire opens today", PATIENCE, || async {
        let items = hub.api("operator").items("/api/v1/incidents").await.ok()?;
        let opened = items.iter().filter_map(|i| i["opened_at"].as_str());
        opened
            .filter_map(|at| at.parse().ok())
            .any(is_today)
            .then_some(())
    })
    .await;
    eventually("the next rung hears of the other", PATIENCE, || async {
        let view = hub.api("operator").get(&path).await.ok()?;
        let lines = view["timeline"].as_array()?;
        let climbed = lines.iter().any(|line| line["verb"] == "escalate");
        climbed.then_some(())
    })
    .await;
    hub.kill9();
    let hub = Hub::start(dir.path()).await;
    assert!(is_today(time_of(&hub).await));
}

/// The time that a hub writes under a note.
async fn time_of(hub: &Hub) -> jiff::Timestamp {
    let note = json!({"note": "几点了"});
    let key = format!("{:?}", std::time::Instant::now());
    let api = hub.api("operator");
    let (status, noted) = api
        .post("/api/v1/duty-log/notes", &key, &note)
        .await
        .expect("answers");
    assert_eq!(status, 200, "{noted}");
    let at = noted["at"].as_str().expect("a time");
    at.parse().expect("RFC 3339")
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
    let settings = shown(&shift.display().to_string());
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, to)| (*name, to.as_str()))
        .collect();
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
    let status = api.get("/api/v1/status").await.expect("a status");
    let told = &status["clock"];
    assert_eq!(told["is_off"], true, "{told}");
    assert_eq!(told["last_step"]["step_ms"], step, "{told}");
    assert!(told["off_ms"].as_i64() > Some(3_000_000), "{told}");
    assert_eq!(status["hub_alarms"], json!(["HUB7"]));

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
