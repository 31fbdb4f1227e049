//! A fire from the first ring to the paper, by three people in real browsers (headless Chromium): operator, responder with a phone, station lead.

use blackbox::{Browser, Hub, publish};
use serde_json::{Value, json};

#[tokio::test]
async fn a_fire_is_handled_by_three_people_and_ends_on_paper() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let told = std::fs::read(dir.path().join("demo.json")).expect("demo.json");
    let told: Value = serde_json::from_slice(&told).expect("is JSON");
    let users = told["users"].to_string();
    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = |phase: &str| {
        let told =
            json!({"id": phase, "kind": "fire.smoke", "phase": phase, "attrs": {"level": 9}});
        let topic = detector.event_topic("fire.smoke");
        let told = told.to_string();
        let sent = publish(&hub.demo, &detector, &topic, told.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    };
    let mut browser = Browser::start("sheet", &[&hub.demo.http, &users, &detector.id]);
    browser.says("READY");
    smoke("raised");
    browser.says("ON SCENE");
    smoke("cleared"); // before that it cannot be resolved
    browser.says("PRINTED");
    browser.done();
}
