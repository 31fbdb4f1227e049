//! A demo that stops by itself, the next one over the same data, and an end with everybody still connected.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use blackbox::{Device, Hello, Hub, Mqtt, Subscriber, eventually, publish};
use futures::StreamExt as _;
use serde_json::{Value, json};

/// What happens in the first run: a door is forced, then a detector smokes.
const SCENARIO: &str = r#"
title = "Two incidents in a hurry"
cast = { kitchen = "smoke-q1-0215", entrance = "door-q3-0302" }
background = { vehicles_per_minute = 60, doors_per_minute = 60, motion_per_minute = 30, telemetry = true }

[[step]]
at = "1s"
device = "entrance"
kind = "access.forced_open"
phase = "raised"
component = "door-1"
attrs = { door = "door-1" }
expect = "A1"

[[step]]
at = "2s"
device = "kitchen"
kind = "fire.smoke"
phase = "raised"
attrs = { sensor = "smoke", level = 8.4, unit = "%/m" }
expect = "S1"
"#;

fn mode(path: &Path) -> u32 {
    let permissions = std::fs::metadata(path).expect("a file").permissions();
    permissions.mode() & 0o777
}

async fn incidents(hub: &Hub) -> Vec<Value> {
    let api = hub.api("operator");
    let all = api.items("/api/v1/incidents?limit=200").await;
    all.expect("incidents")
}

async fn newest(hub: &Hub) -> Value {
    let api = hub.api("operator");
    let all = api.items("/api/v1/events?limit=1").await.expect("events");
    all.into_iter().next().expect("an event")
}

async fn log_in(hub: &Hub, login: &str, password: &str) -> u16 {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    client
        .post(format!("{}/api/v1/session", hub.demo.http))
        .json(&json!({"login": login, "password": password}))
        .send()
        .await
        .expect("an answer")
        .status()
        .as_u16()
}

#[tokio::test]
async fn the_second_run_goes_on_where_the_first_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let (scenario, report) = (
        dir.path().join("hurry.toml"),
        dir.path().join("report.json"),
    );
    std::fs::write(&scenario, SCENARIO).expect("written");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let hub = Hub::start_with(
        &data,
        &[
            "--for",
            "20s",
            "--report",
            &report.display().to_string(),
            "--scenario",
            &scenario.display().to_string(),
        ],
    )
    .await;
    let first = hub.demo.clone();
    for secret in ["demo.json", "demo-secrets.json", "state.db"] {
        assert_eq!(mode(&data.join(secret)), 0o600, "{secret}");
    }
    let before = eventually("both incidents", Duration::from_secs(15), || async {
        let all = incidents(&hub).await;
        (all.len() >= 2).then_some(all)
    })
    .await;
    let seen = newest(&hub).await;
    assert!(
        hub.ended(Duration::from_secs(40)).await.success(),
        "exit code 0"
    );

    let text = std::fs::read(&report).expect("a report");
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    let count = |key: &str| {
        report[key]
            .as_u64()
            .unwrap_or_else(|| panic!("`{key}` is a count in {report}"))
    };
    assert_eq!(count("lost"), 0, "{report}");
    assert_eq!(count("quarantined"), 0, "{report}");
    assert_eq!(count("scenario_events"), 2, "{report}");
    assert!(count("incidents") >= count("scenario_events"), "{report}");
    assert!(count("alarms") >= count("incidents"), "{report}");
    assert_eq!(count("published"), count("acknowledged"), "{report}");
    assert!(count("published") >= 20, "there is life: {report}");
    assert!(count("stored") >= count("acknowledged"), "{report}");
    assert!(count("journalled") >= count("stored"), "{report}");
    for latency in ["publish_to_puback_ms", "publish_to_feed_ms"] {
        let of = |p: &str| report[latency][p].as_f64().expect("milliseconds");
        assert!(of("p50") > 0.0 && of("p50") <= of("p99"), "{report}");
    }

    let hub = Hub::start(&data).await;
    let again = |what: &dyn Fn(&blackbox::Login) -> &str| {
        let all = |users: &[blackbox::Login]| users.iter().map(|u| what(u).to_owned()).collect();
        let (then, now): (Vec<String>, Vec<String>) = (all(&first.users), all(&hub.demo.users));
        assert_eq!(then, now);
    };
    again(&|u| &u.login);
    again(&|u| &u.password);
    again(&|u| &u.token);
    let operator = first.user("operator");
    assert_eq!(log_in(&hub, &operator.login, &operator.password).await, 200);
    assert_eq!(log_in(&hub, &operator.login, "a guess").await, 401);

    let after = incidents(&hub).await;
    for old in &before {
        let same = after.iter().find(|i| i["id"] == old["id"]);
        let same = same.unwrap_or_else(|| panic!("{old} is gone"));
        assert_eq!(same["number"], old["number"]);
    }
    let (seen_seq, seen_id) = (
        seen["seq"].as_u64().expect("a seq"),
        seen["event_id"].as_str(),
    );
    let there = hub
        .api("operator")
        .items(&format!(
            "/api/v1/events?after_seq={}&limit=1",
            seen_seq - 1
        ))
        .await
        .expect("events");
    assert_eq!(
        there[0]["event_id"].as_str(),
        seen_id,
        "the history is there"
    );

    let last_seq = newest(&hub).await["seq"].as_u64().expect("a seq");
    assert!(last_seq >= seen_seq);
    // with the old secret of the device
    let barrier = first.device("barrier").clone();
    let payload = json!({"id": "second-run", "kind": "vehicle.plate_read", "phase": "instant",
        "attrs": {"plate": "浙B00001"}});
    let out = publish(
        &hub.demo,
        &barrier,
        &barrier.event_topic("vehicle.plate_read"),
        payload.to_string().as_bytes(),
        1,
        "mqttv5",
    );
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let api = hub.api("operator");
    let path = format!("/api/v1/events?after_seq={last_seq}&limit=1000");
    eventually("the seq goes on", Duration::from_secs(10), || async {
        let more = api.items(&path).await.ok()?;
        more.into_iter().find(|e| e["id"] == "second-run")
    })
    .await;
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn it_ends_at_once_although_everybody_is_still_connected() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_with(dir.path(), &["--scenario", "quiet-day", "--devices", "60"]).await;
    let integration = &hub.demo.integration;
    let subscriber = Subscriber::start(
        &hub.demo,
        &integration.username,
        &integration.password,
        "screen-1",
        "ssg/v1/+/_gw/#",
        &["-d"],
    );
    let granted = subscriber.line_with("Subscribed", Duration::from_secs(10));
    assert!(granted.is_some());
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let mut streams = Vec::new();
    for role in ["operator", "auditor", "station_lead"] {
        let stream = client
            .get(format!("{}/api/v1/live", hub.demo.http))
            .bearer_auth(&hub.demo.user(role).token)
            .send()
            .await
            .expect("a stream");
        assert_eq!(stream.status(), 200);
        let mut stream = stream.bytes_stream();
        let first = stream.next().await.expect("something").expect("bytes");
        assert!(!first.is_empty());
        streams.push(stream);
    }
    let asked = Instant::now();
    let log = dir.path().join("hub.log");
    let status = hub.stop().await;
    let took = asked.elapsed();
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(status.success(), "{status}: {log}");
    assert!(
        took < Duration::from_secs(2),
        "a live stream does not keep it: {took:?}"
    );
    assert!(log.contains("hub stopped"), "{log}");
    assert!(
        !log.contains("ERROR") && !log.contains("panicked"),
        "it ends without complaints: {log}"
    );
    for mut stream in streams {
        let ends = async { while stream.next().await.is_some_and(|part| part.is_ok()) {} };
        tokio::time::timeout(Duration::from_secs(5), ends)
            .await
            .expect("the stream ends too");
    }
    eprintln!("ended within {took:?}");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_it_to_the_deadline() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let address = hub.demo.http.trim_start_matches("http://").to_owned();
    let mut stalled = std::net::TcpStream::connect(address).expect("connects");
    stalled
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        .expect("written");
    let asked = Instant::now();
    let status = hub.stop().await;
    let took = asked.elapsed();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(6), "of 10 s: {took:?}");
}

async fn connected(hub: &Hub, device: &Device) -> Mqtt {
    let (host, port) = hub.demo.mqtt_address();
    let (client, welcome) = Mqtt::connect(&format!("{host}:{port}"), &Hello::of(device)).await;
    assert_eq!(welcome.expect("an answer").code, 0);
    client
}

async fn online(hub: &Hub, device: &Device) -> Value {
    let items = hub.api("operator").items("/api/v1/devices").await;
    let items = items.expect("devices");
    let item = items.into_iter().find(|item| item["id"] == device.id);
    item.expect("it is registered")["online"].clone()
}

#[tokio::test]
async fn who_does_not_come_back_after_a_crash_is_offline_and_who_does_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let demo = hub.demo.clone();
    let (stays, goes) = (demo.device("access"), demo.device("fire_sensor"));
    let _connections = (connected(&hub, stays).await, connected(&hub, goes).await);
    eventually("both are online", Duration::from_secs(10), || async {
        let both = (online(&hub, stays).await, online(&hub, goes).await);
        (both == (json!(true), json!(true))).then_some(())
    })
    .await;
    hub.kill9();
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    let _back = connected(&hub, stays).await;
    assert_eq!(
        online(&hub, goes).await,
        true,
        "it has a while to come back"
    );
    eventually(
        "the one that is gone is offline",
        Duration::from_secs(40),
        || async { (online(&hub, goes).await == false).then_some(()) },
    )
    .await;
    assert_eq!(online(&hub, stays).await, true);
}
