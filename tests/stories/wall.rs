//! The wall of the station (headless Chromium): a smoke alarm stands in its lane without a touch, and when the hub is gone it says NOT LIVE.

use blackbox::{Browser, Hub, publish};
use serde_json::json;

#[tokio::test]
async fn the_wall_shows_an_alarm_without_a_touch_and_says_when_it_is_not_live() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let operator = hub.demo.user("operator");
    let mut browser = Browser::start(
        "wall",
        &[&hub.demo.http, &operator.login, &operator.password],
    );
    browser.says("READY");
    let detector = hub.demo.device("fire_sensor").clone();
    let told =
        json!({"id": "smoke", "kind": "fire.smoke", "phase": "raised", "attrs": {"level": 9}});
    let topic = detector.event_topic("fire.smoke");
    let told = told.to_string();
    let sent = publish(&hub.demo, &detector, &topic, told.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    browser.says("ALARM");
    hub.kill9();
    browser.done();
}
