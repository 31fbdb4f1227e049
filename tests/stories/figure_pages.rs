//! The duty book and the reports in a real browser (headless Chromium): what two people sign there is what the API tells afterwards.

use std::time::Duration;

use blackbox::{Browser, Hub, eventually, publish};
use serde_json::json;

#[tokio::test]
async fn a_shift_is_handed_over_and_its_figures_are_read_in_the_browser() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_set(dir.path(), &[("JIMING__STATION__LOG_EVERY_S", "2")]).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = json!({"id": "s", "kind": "fire.smoke", "phase": "raised"}).to_string();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, smoke.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    let api = hub.api("operator");
    let incident = api.incident_of("S1").await;
    let id = incident["id"].as_str().expect("an id");
    // nobody hands over past a P1 that nobody has seen
    api.advance(id, "acknowledge", json!({})).await;

    eventually(
        "the first hours are over",
        Duration::from_secs(30),
        || async {
            let log = api.get("/api/v1/duty-log").await.ok()?;
            (!log["lines"].as_array()?.is_empty()).then_some(())
        },
    )
    .await;
    let (outgoing, incoming) = (hub.demo.user("operator"), hub.demo.user("station_lead"));
    let both = [outgoing, incoming].map(|u| [u.login.as_str(), u.password.as_str()]);
    let arguments = [&[hub.demo.http.as_str()], both[0].as_slice(), &both[1]].concat();
    Browser::start("figures", &arguments).done();
    let handovers = api.items("/api/v1/handovers").await.expect("handovers");
    assert_eq!(handovers.len(), 1);
    let done = &handovers[0];
    assert_eq!(done["state"], "complete", "{done}");
    assert_eq!(done["outgoing"], outgoing.login.as_str(), "{done}");
    assert_eq!(done["incoming"], incoming.login.as_str(), "{done}");
    assert_eq!(done["text"]["notes"][0]["note"], "东门杆修过 <b>x</b>");
    let open = done["text"]["open"].as_array().expect("a list");
    assert_eq!(open[0]["number"], incident["number"], "{done}");
}
