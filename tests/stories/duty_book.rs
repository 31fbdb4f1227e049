//! The duty book over the API: lines come by themselves and after a crash, and a shift is handed over by two people, not past a P1.

use std::time::Duration;

use blackbox::{Hub, eventually, publish};
use serde_json::{Value, json};

const LINES: &str = "/api/v1/duty-log?from=2020-Q1&to=2100-Q1";
const EVERY: (&str, &str) = ("JIMING__STATION__LOG_EVERY_S", "2");

async fn lines(hub: &Hub, at_least: usize) -> Value {
    eventually("lines are written", Duration::from_secs(30), || async {
        let log = hub.api("operator").get(LINES).await.ok()?;
        (log["lines"].as_array()?.len() >= at_least).then_some(log)
    })
    .await
}

#[tokio::test]
async fn the_book_writes_itself_and_a_crash_leaves_no_hour_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_set(dir.path(), &[EVERY]).await;
    let note = json!({"note": "东门杆修过"});
    let (status, noted) = hub
        .api("operator")
        .post("/api/v1/duty-log/notes", "note", &note)
        .await
        .expect("answers");
    assert_eq!((status, &noted["note"]), (200, &note["note"]));
    let (status, _) = hub
        .api("operator")
        .post("/api/v1/duty-log/notes", "empty", &json!({"note": " "}))
        .await
        .expect("answers");
    assert_eq!(status, 400);
    let before = lines(&hub, 2).await;
    assert_eq!(before["notes"][0]["note"], note["note"]);
    let on_duty = &before["lines"][0]["line"]["on_duty"];
    assert!(
        on_duty.as_array().is_some_and(|d| !d.is_empty()),
        "{before}"
    );
    hub.kill9();
    let hub = Hub::start_set(dir.path(), &[EVERY]).await;
    let written = before["lines"].as_array().map_or(0, Vec::len);
    let after = lines(&hub, written + 2).await;
    assert_eq!(after["gaps"], json!([]));
    let starts: Vec<&str> = after["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["from"].as_str())
        .collect();
    let mut once = starts.clone();
    once.dedup();
    assert_eq!(starts, once, "no line twice");
}

#[tokio::test]
async fn a_shift_is_handed_over_by_two_people_and_not_past_a_p1() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = json!({"id": "s", "kind": "fire.smoke", "phase": "raised"}).to_string();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, smoke.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    let incident = hub.api("operator").incident_of("S1").await;

    let (status, prepared) = hub
        .api("operator")
        .post("/api/v1/handover", "p", &json!({}))
        .await
        .expect("answers");
    assert_eq!(status, 200, "{prepared}");
    assert_eq!(prepared["text"]["open"][0]["number"], incident["number"]);
    let sign = format!("/api/v1/handovers/{}/sign", prepared["number"]);
    let sign = async |hub: &Hub, role: &str| {
        let api = hub.api(role);
        api.post(&sign, "s", &json!({})).await.expect("answers")
    };
    let (status, signed) = sign(&hub, "operator").await;
    assert_eq!((status, &signed["state"]), (200, &json!("signed")));
    let (status, same) = sign(&hub, "operator").await;
    assert_eq!(status, 409, "{same}");

    hub.kill9();
    let hub = Hub::start(dir.path()).await;
    let (status, waits) = sign(&hub, "station_lead").await;
    assert_eq!(status, 409, "{waits}");
    assert_eq!(waits["incidents"], json!([incident["number"]]));
    let id = incident["id"].as_str().expect("an id");
    hub.api("operator")
        .advance(id, "acknowledge", json!({}))
        .await;
    let (status, complete) = sign(&hub, "station_lead").await;
    assert_eq!((status, &complete["state"]), (200, &json!("complete")));
    assert_eq!(
        complete["text"], signed["text"],
        "what was signed is what was handed over"
    );
    assert_ne!(complete["incoming"], complete["outgoing"]);
    let list = hub.api("auditor").items("/api/v1/handovers").await;
    assert_eq!(list.expect("a list"), [complete]);
}
