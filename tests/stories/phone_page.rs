//! A responder of the micro fire station with a phone (headless Chromium): a smoke alarm comes, is claimed on a line that breaks, and resolved
//! after the smoke has cleared; the list stays readable without a line, and a claim that comes late does not win.

use blackbox::{Browser, Hub, publish};
use serde_json::{Value, json};

#[tokio::test]
async fn a_responder_handles_a_smoke_alarm_on_a_phone_with_a_poor_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let api = hub.api("administrator");
    let users = &hub.demo.users;
    let fire = users.iter().find(|u| u.login == "fire");
    let fire = fire.expect("the fire station's responder");
    let detector = hub.demo.device("fire_sensor").clone();
    let mut browser = Browser::start(
        "work",
        &[&hub.demo.http, &fire.login, &fire.password, &detector.id],
    );
    let smoke = |id: &str, phase: &str| {
        let told = json!({"id": id, "kind": "fire.smoke", "phase": phase, "attrs": {"level": 9}});
        let topic = detector.event_topic("fire.smoke");
        let told = told.to_string();
        let sent = publish(&hub.demo, &detector, &topic, told.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    };
    let incidents = || async {
        let all = api.items("/api/v1/incidents").await.expect("incidents");
        let ours = |i: &Value| i["device"] == detector.id.as_str() && i["severity"] == "P1";
        all.into_iter().filter(ours).collect::<Vec<_>>()
    };

    browser.says("READY");
    smoke("first", "raised");
    browser.says("ON SCENE");
    smoke("over", "cleared"); // before that it cannot be resolved
    browser.says("RESOLVED");
    let found = incidents().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["state"], "resolved");
    assert_eq!(found[0]["cause"], "cooking");
    let path = format!(
        "/api/v1/incidents/{}",
        found[0]["id"].as_str().expect("an id")
    );
    let whole = api.get(&path).await.expect("the incident");
    let claims = whole["timeline"].as_array().expect("a timeline").iter();
    let claims = claims.filter(|entry| entry["verb"] == "claim").count();
    assert_eq!(claims, 1, "sent twice, it happened once: {whole}");

    smoke("again", "raised");
    browser.says("LATE");
    let open = incidents().await;
    let open = open.iter().find(|i| i["state"] == "dispatched");
    let id = open.expect("it smokes again")["id"].clone();
    let id = id.as_str().expect("an id");
    api.advance(id, "claim", json!({"department": "fire"}))
        .await;
    browser.tell("the line is back");
    browser.done();
}
