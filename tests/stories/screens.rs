//! Every screen in a real browser (headless Chromium), in both themes and languages and at its sizes: whole, readable by everybody, and a
//! picture of each in artefacts/screens.

use std::time::Duration;

use blackbox::{Browser, Hub, eventually, publish};
use serde_json::{Value, json};

#[tokio::test]
async fn every_screen_is_whole_in_both_themes_and_languages() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_set(dir.path(), &[("JIMING__STATION__LOG_EVERY_S", "2")]).await;
    let told = std::fs::read(dir.path().join("demo.json")).expect("demo.json");
    let told: Value = serde_json::from_slice(&told).expect("is JSON");
    // something of everything to see
    let of = |class: &'static str| hub.demo.devices.iter().filter(move |d| d.class == class);
    let sends = |device: &blackbox::Device, kind: &str, payload: &str| {
        let topic = device.event_topic(kind);
        let sent = publish(&hub.demo, device, &topic, payload.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success(), "{sent:?}");
    };
    let event = |kind: &str| {
        json!({"id": kind, "kind": kind, "phase": "raised", "attrs": {"level": 9}}).to_string()
    };
    for detector in of("fire_sensor").step_by(40).take(3) {
        sends(detector, "fire.smoke", &event("fire.smoke"));
    }
    for door in of("access").step_by(5).take(6) {
        sends(door, "access.forced_open", &event("access.forced_open"));
    }
    let unreadable = of("fire_sensor").next_back().expect("one");
    sends(unreadable, "fire.smoke", "not json");
    hub.api("administrator").incident_of("HUB1").await;
    let ends_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let plan = json!({"site": unreadable.site, "ends_at": ends_at.to_string(), "reason": "更换楼道灯具与应急照明"});
    let manager = hub.api("property_manager");
    let planned = manager.post("/api/v1/maintenance", "plan", &plan).await;
    assert_eq!(planned.expect("answers").0, 200);
    let api = hub.api("operator");
    eventually(
        "the first hours are over",
        Duration::from_secs(30),
        || async {
            let log = api.get("/api/v1/duty-log").await.ok()?;
            (!log["lines"].as_array()?.is_empty()).then_some(())
        },
    )
    .await;
    let users = told["users"].to_string();
    Browser::start("screens", &[&hub.demo.http, &users]).done();
}
