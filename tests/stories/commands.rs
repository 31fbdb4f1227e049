//! Commands to devices, seen from the outside: what a door hears, what an operator reads, and what the hub does when something fails in
//! between (reliability C1–C14).

use std::path::Path;
use std::time::Duration;

use blackbox::{Api, Device, Hello, Hub, Mqtt, Tool, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

fn device<'a>(hub: &'a Hub, id: &str) -> &'a Device {
    let mut devices = hub.demo.devices.iter();
    devices.find(|device| device.id == id).expect("it ships")
}

async fn connect(hub: &Hub, device: &Device, clean: bool) -> (Mqtt, bool) {
    let (host, port) = hub.demo.mqtt_address();
    let hello = Hello {
        clean,
        ..Hello::of(device)
    };
    let (mut client, welcome) = Mqtt::connect(&format!("{host}:{port}"), &hello).await;
    let welcome = welcome.expect("is let in");
    let filter = format!("ssg/v1/{}/{}/cmd/#", device.site, device.id);
    if !welcome.present {
        assert_eq!(client.subscribe(&[(&filter, 1)]).await, [1]);
    }
    (client, welcome.present)
}

async fn asks(api: &Api, device: &str, command: &str, key: &str) -> (u16, Value) {
    let body = json!({"command": command, "reason": "消防员在门口"});
    let path = format!("/api/v1/devices/{device}/commands");
    api.post(&path, key, &body).await.expect("answers")
}

async fn ends(api: &Api, id: &Value) -> Value {
    let path = format!("/api/v1/commands/{}", id.as_str().expect("an id"));
    eventually("the command is over", SOON, || async {
        let item = api.get(&path).await.ok()?;
        (item["is_over"] == true).then_some(item)
    })
    .await
}

fn outcome(item: &Value) -> (&str, &str) {
    let word = |name: &str| item[name].as_str().unwrap_or_default();
    (word("stage"), word("detail"))
}

/// A fleet of simulated devices beside the hub.
pub(crate) fn fleet(hub: &Hub, dir: &Path, more: &[&str]) -> Tool {
    let credentials = dir.join("demo.json").display().to_string();
    let report = dir.join("report.json").display().to_string();
    let memory = dir.join("memory").display().to_string();
    let key = hub.demo.command_key.as_str();
    let mut arguments = vec![
        "run",
        "--credentials",
        &credentials,
        "--scenario",
        "quiet-day",
        "--report",
        &report,
        "--memory",
        &memory,
        "--command-key",
        key,
    ];
    arguments.extend(more);
    Tool::start("device-sim", &arguments)
}

/// Waits until these devices are connected.
pub(crate) async fn online(hub: &Hub, ids: &[&str]) {
    let api = hub.api("operator");
    // a whole fleet after a restart, on a busy machine
    eventually("the devices are connected", 3 * SOON, || async {
        let items = api.items("/api/v1/devices").await.ok()?;
        let is_online = |id: &&str| {
            let mut items = items.iter();
            items.any(|item| item["id"] == **id && item["online"] == true)
        };
        ids.iter().all(is_online).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_door_that_was_away_stays_shut_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let door = device(&hub, "door-q1-0301").clone();
    // its session outlives its connection: whatever were kept for it would come
    let (client, _) = connect(&hub, &door, false).await;
    drop(client);
    let api = hub.api("operator");
    eventually("the hub knows that it is away", SOON, || async {
        let items = api.items("/api/v1/devices").await.ok()?;
        let item = items.into_iter().find(|item| item["id"] == door.id)?;
        (item["online"] == false).then_some(())
    })
    .await;

    let (status, asked) = asks(&api, &door.id, "unlock", "k1").await;
    assert_eq!(
        (status, &asked["stage"]),
        (200, &json!("waiting")),
        "{asked}"
    );
    let over = ends(&api, &asked["id"]).await;
    assert_eq!(outcome(&over), ("expired", "not_connected"));
    assert_eq!(over["sent_at"], Value::Null);
    let (mut client, present) = connect(&hub, &door, false).await;
    assert!(present, "the session was kept");
    client.silence().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    client.silence().await;
    let again = ends(&api, &asked["id"]).await;
    assert_eq!(outcome(&again), ("expired", "not_connected"));

    // one that comes back in time is told, once
    drop(client);
    let (_, asked) = asks(&api, &door.id, "unlock", "k2").await;
    let (mut client, _) = connect(&hub, &door, false).await;
    let told = client.take().await;
    assert_eq!(
        told.topic,
        format!("ssg/v1/{}/{}/cmd/unlock", door.site, door.id)
    );
    assert!(!told.retain, "a command is never retained");
    let order: Value = serde_json::from_str(&told.payload).expect("JSON");
    assert_eq!(order["command_id"], asked["id"]);
    assert_eq!(order["actor"], "wanglei");
    client.silence().await;
}

#[tokio::test]
async fn a_command_is_released_by_the_devices_own_challenge() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let door = device(&hub, "door-q1-0301").clone();
    let (mut client, _) = connect(&hub, &door, true).await;
    let api = hub.api("operator");
    let (_, asked) = asks(&api, &door.id, "unlock", "k1").await;
    // a double click, and a colleague: the same command
    let (status, again) = asks(&api, &door.id, "unlock", "k1").await;
    assert_eq!((status, &again["id"]), (200, &asked["id"]));
    let lead = hub.api("station_lead");
    let (status, other) = asks(&lead, &door.id, "unlock", "k1").await;
    assert_eq!((status, &other["id"]), (200, &asked["id"]));
    let (status, busy) = asks(&lead, &door.id, "lock", "k2").await;
    assert_eq!((status, &busy["code"]), (409, &json!("busy")));

    let first: Value = serde_json::from_str(&client.take().await.payload).expect("JSON");
    let base = format!("ssg/v1/{}/{}", door.site, door.id);
    let says = |status: &str, challenge: &str| json!({"command_id": first["command_id"], "status": status, "challenge": challenge});
    let rsp = format!("{base}/rsp/unlock");
    client
        .publish(
            &rsp,
            &says("accepted", "made-up-by-me").to_string(),
            1,
            false,
        )
        .await;
    let second: Value = serde_json::from_str(&client.take().await.payload).expect("JSON");
    assert_eq!(second["challenge"], "made-up-by-me");
    let valid = second["valid_ms"].as_u64().expect("a number");
    assert!((5_000..=10_000).contains(&valid), "{valid}");
    for same in ["command_id", "nonce", "counter", "expires_at"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_ne!(first["sig"], second["sig"], "the challenge is signed too");
    client
        .publish(&rsp, &says("accepted", "another").to_string(), 1, false)
        .await;
    client.silence().await;
    client
        .publish(&rsp, &says("done", "").to_string(), 1, false)
        .await;
    let state = json!({"door": "closed", "lock": "unlocked"}).to_string();
    client
        .publish(&format!("{base}/state/door-1"), &state, 1, true)
        .await;
    let over = ends(&api, &asked["id"]).await;
    assert_eq!(
        (&over["stage"], &over["effect_seen"]),
        (&json!("done"), &json!(true))
    );
    // another device's word, and what a client would send in the hub's name, count for nothing
    let other = device(&hub, "door-q1-0302").clone();
    let (mut stranger, _) = connect(&hub, &other, true).await;
    let (_, asked) = asks(&api, &door.id, "ping", "k3").await;
    let lie = json!({"command_id": asked["id"], "status": "failed"}).to_string();
    let topic = format!("ssg/v1/{}/{}/rsp/ping", other.site, other.id);
    stranger.publish(&topic, &lie, 1, false).await;
    client.take().await;
    client
        .publish(
            &format!("{base}/rsp/ping"),
            &json!({"command_id": asked["id"], "status": "done"}).to_string(),
            1,
            false,
        )
        .await;
    assert_eq!(ends(&api, &asked["id"]).await["stage"], "done");
    // the outcome is history, and the audit trail holds
    let events = eventually("the outcome is in the history", SOON, || async {
        let path = format!("/api/v1/events?device={}&kind=gateway.command", door.id);
        let items = api.items(&path).await.ok()?;
        let outcomes: Vec<Value> = items
            .into_iter()
            .filter(|e| e["attrs"]["status"] == "done")
            .collect();
        (outcomes.len() == 2).then_some(outcomes)
    })
    .await;
    assert!(
        events
            .iter()
            .all(|event| event["attrs"]["purpose"] == "operator")
    );
    let verified = hub.api("auditor").get("/api/v1/audit/verify").await;
    if let Ok(verified) = verified {
        assert_eq!(verified["broken"], Value::Null, "{verified}");
    }
}

#[tokio::test]
async fn a_fleet_obeys_refuses_lies_and_keeps_silent_and_the_operator_reads_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let doors = [
        "door-q1-0301",
        "door-q1-0302",
        "door-q1-0303",
        "door-q1-0304",
        "gate-q1-0101",
    ];
    let more = [
        "--commands",
        "door-q1-0302=refuse: jammed",
        "--commands",
        "door-q1-0303=lie",
        "--commands",
        "door-q1-0304=mute",
        // a wall clock that is off makes nobody late
        "--clock-off",
        "door-q1-0301=-10m",
    ];
    let fleet = fleet(&hub, dir.path(), &more);
    online(&hub, &doors).await;
    let api = hub.api("operator");
    let mut asked = Vec::new();
    for door in &doors[..4] {
        asked.push(asks(&api, door, "unlock", door).await.1);
    }
    asked.push(asks(&api, doors[4], "raise", "gate").await.1);
    let mut found = Vec::new();
    for command in &asked {
        found.push(ends(&api, &command["id"]).await);
    }
    let found: Vec<(&str, &str)> = found.iter().map(outcome).collect();
    assert_eq!(found[0].0, "done", "{found:?}");
    assert_eq!(found[1], ("rejected", "jammed"), "{found:?}");
    assert_eq!(found[2], ("no_effect", "state_unchanged"), "{found:?}");
    assert_eq!(found[3], ("unknown", "no_answer"), "{found:?}");
    assert_eq!(found[4].0, "done", "{found:?}");
    // a door that says it is open and is not is somebody's work
    let incident = hub.api("operator").incident_of("A13").await;
    assert_eq!(incident["site"], "q1");
    drop(fleet);
}

#[tokio::test]
async fn who_may_open_what_and_what_takes_two() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let door = "door-q1-0301";
    for role in ["responder", "grid_captain", "auditor", "administrator"] {
        let (status, body) = asks(&hub.api(role), door, "unlock", "k").await;
        assert_eq!(
            (status, &body["code"]),
            (403, &json!("forbidden")),
            "{role}"
        );
    }
    let operator = hub.api("operator");
    let wrong = |status, body: Value, code: &str| {
        assert_eq!(
            (status, body["code"].as_str()),
            (if code == "not_found" { 404 } else { 400 }, Some(code)),
            "{body}"
        );
    };
    let (status, body) = asks(&operator, "no-such-door", "unlock", "k1").await;
    wrong(status, body, "not_found");
    let (status, body) = asks(&operator, "smoke-q1-0215", "unlock", "k2").await;
    wrong(status, body, "bad_request");
    let (status, body) = asks(&operator, door, "explode", "k3").await;
    wrong(status, body, "bad_request");

    let (status, held) = asks(&operator, door, "hold-open", "k4").await;
    assert_eq!((status, &held["stage"]), (200, &json!("proposed")));
    let path = format!(
        "/api/v1/commands/{}/confirm",
        held["id"].as_str().expect("an id")
    );
    let (status, _) = operator.post(&path, "", &json!({})).await.expect("answers");
    assert_eq!(status, 409, "nobody is two persons");
    let lead = hub.api("station_lead");
    let (status, confirmed) = lead.post(&path, "", &json!({})).await.expect("answers");
    assert_eq!(
        (status, &confirmed["stage"]),
        (200, &json!("waiting")),
        "{confirmed}"
    );
    assert_eq!(confirmed["confirmed_by"], "lead");
    let path = path.replace("confirm", "withdraw");
    let (status, back) = lead.post(&path, "", &json!({})).await.expect("answers");
    assert_eq!((status, &back["stage"]), (200, &json!("withdrawn")));

    // where somebody works nothing moves
    let now = lead.get("/api/v1/meta").await.expect("meta")["server_time"].clone();
    let now: jiff::Timestamp = now.as_str().expect("text").parse().expect("a time");
    let ends_at = (now + jiff::SignedDuration::from_hours(1)).to_string();
    let window = json!({"site": "q1", "device": door, "reason": "换锁", "ends_at": ends_at});
    let (status, planned) = lead
        .post("/api/v1/maintenance", "w", &window)
        .await
        .expect("answers");
    assert_eq!(status, 200, "{planned}");
    let (status, body) = asks(&operator, door, "unlock", "k5").await;
    assert_eq!((status, &body["code"]), (409, &json!("not_possible")));
    assert!(
        body["detail"].as_str().expect("text").contains("换锁"),
        "{body}"
    );
}

#[tokio::test]
async fn a_hub_that_is_killed_at_any_moment_opens_nothing_twice_and_nothing_late() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut hub = Hub::start(dir.path()).await;
    let fleet = fleet(&hub, dir.path(), &[]);
    let doors = [
        "door-q1-0301",
        "door-q1-0302",
        "door-q1-0303",
        "door-q1-0304",
    ];
    let mut asked = Vec::new();
    for round in 0..4 {
        online(&hub, &doors).await;
        let api = hub.api("operator");
        for door in doors {
            let (status, item) = asks(&api, door, "open-door", &format!("{round}-{door}")).await;
            assert_eq!(status, 200, "{item}");
            asked.push(item["id"].clone());
        }
        // at once, while it claims, while the challenge is on its way, after
        tokio::time::sleep(Duration::from_millis([0, 30, 90, 400][round])).await;
        let demo = hub.demo.clone();
        hub.kill9();
        hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
        let api = hub.api("operator");
        for id in &asked {
            ends(&api, id).await;
        }
    }
    let api = hub.api("operator");
    let mut done = 0;
    for id in &asked {
        let item = ends(&api, id).await;
        let stage = item["stage"].as_str().expect("a word").to_owned();
        assert!(
            ["done", "unknown", "expired", "no_effect"].contains(&stage.as_str()),
            "{item}"
        );
        done += u32::from(stage == "done");
    }
    assert!(done > 0, "some were done");
    // whoever is still away when the fleet ends has messages that nobody acknowledged
    let everyone: Vec<_> = hub.demo.devices.iter().map(|d| d.id.as_str()).collect();
    online(&hub, &everyone).await;
    let pid = fleet.pid().to_string();
    let ended = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(ended.expect("runs").success());
    let outcome = fleet.finish(SOON).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report = std::fs::read_to_string(dir.path().join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let commands = &report["commands"];
    assert_eq!(
        (&commands["late"], &commands["double"]),
        (&json!(0), &json!(0)),
        "{commands}"
    );
    assert!(
        commands["executed"].as_u64().is_some_and(|n| n > 0),
        "{commands}"
    );
}
