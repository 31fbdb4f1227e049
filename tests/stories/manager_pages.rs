//! A property manager in a real browser (headless Chromium): registry, alarms, maintenance, history and quarantine, each by keyboard,
//! in both themes and languages, with nothing that axe finds.

use blackbox::{Browser, Hub, publish};

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

    let (login, password) = (&manager.login, &manager.password);
    Browser::start("manager", &[&hub.demo.http, login, password, &detector.id]).done();
}
