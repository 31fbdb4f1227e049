//! A property manager in a real browser (headless Chromium): registry, alarms, maintenance, history and quarantine, each by keyboard,
//! in both themes and languages, with nothing that axe finds.

use std::process::Command;

use blackbox::{Hub, artefacts, publish, repository};

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

    let out = Command::new("node")
        .arg(repository().join("tests/browser/manager.mjs"))
        .args([&hub.demo.http, &manager.login, &manager.password])
        .arg(artefacts())
        .arg(&detector.id)
        .output()
        .expect("node runs");
    assert!(
        out.status.success(),
        "see artefacts/manager-failed.png: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}
