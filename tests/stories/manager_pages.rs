//! A property manager in a real browser (headless Chromium): registry, alarms, maintenance, history and quarantine, each by keyboard,
//! in both themes and languages, with nothing that axe finds.

use blackbox::{Browser, Hub, publish};
use serde_json::json;

#[tokio::test]
async fn a_property_manager_goes_through_the_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let manager = hub.demo.user("property_manager");
    // something to see: an unreadable message is quarantined, is an event of its device, and rings
    let detector = hub.demo.device("fire_sensor").clone();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, b"not json", 1, "mqttv5");
    assert!(sent.status.success());
    hub.api("administrator").incident_of("HUB1").await;
    // and somebody goes through a door
    let door = hub.demo.device("access").clone();
    let attrs = json!({"method": "card", "credential_ref": "c-4471903", "person_name": "王小明"});
    let body = json!({"id": "in", "kind": "access.granted", "phase": "instant", "attrs": attrs});
    let topic = door.event_topic("access.granted");
    let text = body.to_string();
    let sent = publish(&hub.demo, &door, &topic, text.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());

    let (login, password) = (&manager.login, &manager.password);
    Browser::start("manager", &[&hub.demo.http, login, password, &detector.id]).done();
}
