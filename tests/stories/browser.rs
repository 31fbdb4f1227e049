//! The board in a real browser (headless Chromium): an operator sees a smoke alarm appear without a reload and handles it by keyboard;
//! three roles do in the drawer what each may, from the first word to the last; somebody has keys of their own, and switches them off.

use blackbox::{Browser, Device, Hub, publish};
use serde_json::{Value, json};

#[tokio::test]
async fn an_operator_handles_a_smoke_alarm_by_keyboard() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let operator = hub.demo.user("operator");
    let mut browser = Browser::start(
        "board",
        &[&hub.demo.http, &operator.login, &operator.password],
    );
    browser.says("READY");

    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = |phase: &str| {
        let told =
            json!({"id": phase, "kind": "fire.smoke", "phase": phase, "attrs": {"level": 9}})
                .to_string();
        let topic = detector.event_topic("fire.smoke");
        let sent = publish(&hub.demo, &detector, &topic, told.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    };
    smoke("raised");
    browser.says("ON SCENE");
    smoke("cleared"); // before that it cannot be resolved
    browser.done();

    let api = hub.api("administrator");
    let all = api.items("/api/v1/incidents").await.expect("incidents");
    let incident = all
        .iter()
        .find(|i| i["device"] == detector.id.as_str())
        .expect("the smoke alarm");
    assert_eq!(incident["state"], "resolved");
    assert_eq!(incident["acknowledged_by"], operator.login.as_str());
}

#[tokio::test]
async fn three_roles_take_incidents_through_their_whole_life_by_keyboard() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let told = std::fs::read(dir.path().join("demo.json")).expect("demo.json");
    let told: Value = serde_json::from_slice(&told).expect("is JSON");
    let users = told["users"].to_string();
    let mut browser = Browser::start("drawer", &[&hub.demo.http, &users]);
    let devices = &hub.demo.devices;
    // far apart: two detectors of one compartment would be one confirmed fire
    let mut detectors = devices.iter().filter(|d| d.class == "fire_sensor");
    let first = detectors.next().expect("a detector");
    let second = detectors.find(|d| d.site != first.site).expect("another");
    let sends = |device: &Device, kind: &str, phase: &str| {
        let id = format!("{}-{phase}", device.id);
        let told = json!({"id": id, "kind": kind, "phase": phase, "attrs": {"level": 9}});
        let topic = device.event_topic(kind);
        let sent = publish(
            &hub.demo,
            device,
            &topic,
            told.to_string().as_bytes(),
            1,
            "mqttv5",
        );
        assert!(sent.status.success());
    };
    browser.says("FIRE");
    sends(first, "fire.smoke", "raised");
    browser.says("CLEAR");
    sends(first, "fire.smoke", "cleared");
    browser.says("FIRE AGAIN");
    sends(second, "fire.smoke", "raised");
    browser.says("DOOR");
    sends(hub.demo.device("access"), "access.forced_open", "raised");
    browser.says("DOORS");
    let doors = devices.iter().filter(|d| d.class == "access");
    for door in doors.skip(1).take(3) {
        sends(door, "access.forced_open", "raised");
    }
    browser.done();
    let all = hub
        .api("auditor")
        .items("/api/v1/incidents?limit=100")
        .await;
    let all = all.expect("incidents");
    let door = hub.demo.device("access");
    for (device, state) in [
        (first, "closed"),
        (second, "dispatched"),
        (door, "cancelled"),
    ] {
        let of = |i: &&Value| i["device"] == device.id.as_str() && i["state"] == state;
        assert!(all.iter().any(|i| of(&i)), "{state}: {all:?}");
    }
}

#[tokio::test]
async fn keys_are_changed_and_switched_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let told = std::fs::read(dir.path().join("demo.json")).expect("demo.json");
    let told: Value = serde_json::from_slice(&told).expect("is JSON");
    let users = told["users"].to_string();
    let mut browser = Browser::start("keys", &[&hub.demo.http, &users]);
    // far apart: two detectors of one compartment would be one confirmed fire
    let devices = &hub.demo.devices;
    let mut detectors = devices.iter().filter(|d| d.class == "fire_sensor");
    let first = detectors.next().expect("a detector");
    let second = detectors.find(|d| d.site != first.site).expect("another");
    for (word, device) in [("FIRE", first), ("ANOTHER FIRE", second)] {
        browser.says(word);
        let told =
            json!({"id": word, "kind": "fire.smoke", "phase": "raised", "attrs": {"level": 9}});
        let topic = device.event_topic("fire.smoke");
        let payload = told.to_string();
        let sent = publish(&hub.demo, device, &topic, payload.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    }
    browser.done();
}
