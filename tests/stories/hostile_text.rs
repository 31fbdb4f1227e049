//! Text that means harm comes through every door a stranger has: what devices send, residents' reports, and notes. On every page it is text and
//! nothing else (headless Chromium); in a file for spreadsheets it is no formula.

use std::time::Duration;

use blackbox::{Browser, Hub, eventually, publish, repository};
use serde_json::{Value, json};

#[tokio::test]
async fn text_that_means_harm_is_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let told = std::fs::read(dir.path().join("demo.json")).expect("demo.json");
    let told: Value = serde_json::from_slice(&told).expect("is JSON");
    let corpus = std::fs::read(repository().join("tests/browser/hostile.json")).expect("a corpus");
    let mut corpus: Vec<String> = serde_json::from_slice(&corpus).expect("is JSON");
    assert!(corpus.len() >= 40);
    corpus.push("长".repeat(3_000)); // 9 kB

    // devices: values, names of values, and whole messages that cannot be read
    let barrier = hub.demo.device("barrier").clone();
    let topic = barrier.event_topic("vehicle.denied");
    for (n, text) in corpus.iter().enumerate() {
        let attrs = json!({"reason": text, "note": text, format!("={}", n % 8): text});
        let told = json!({"id": format!("h{n}"), "kind": "vehicle.denied", "phase": "instant", "attrs": attrs});
        let told = told.to_string();
        let sent = publish(&hub.demo, &barrier, &topic, told.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success(), "{text}: {sent:?}");
    }
    for text in corpus.iter().take(4) {
        let sent = publish(&hub.demo, &barrier, &topic, text.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success(), "{text}: {sent:?}");
    }

    // residents and grid workers: what and where
    let captain = hub.api("grid_captain");
    for (n, texts) in corpus[..48].chunks(8).enumerate() {
        let place: String = texts[0].chars().take(200).collect();
        let report = json!({
            "type": "fire_hazard", "site": "q1", "text": texts.join("\n"), "place": place,
            "occurred_at": jiff::Timestamp::now().to_string(),
        });
        let key = format!("0197f000-0000-7000-8000-{n:012}");
        let (status, answer) = captain
            .post("/api/v1/reports", &key, &report)
            .await
            .expect("answers");
        assert_eq!(status, 201, "{answer}");
    }

    // notes of the station, and why a window is planned
    let lead = hub.api("station_lead");
    let incident = lead.incident_of("G1-hazard").await;
    let id = incident["id"].as_str().expect("an id");
    for (n, text) in corpus.iter().take(48).enumerate() {
        let incident = lead.get(&format!("/api/v1/incidents/{id}")).await;
        let version = &incident.expect("an incident")["version"];
        let note = json!({"expected_version": version, "note": text});
        let (status, answer) = lead
            .command(id, "note", &format!("note-{n}"), &note)
            .await
            .expect("answers");
        assert_eq!(status, 200, "{text}: {answer}");
    }
    for (n, text) in corpus.iter().take(12).enumerate() {
        let key = format!("n{n}");
        let note = json!({"note": text});
        let (status, answer) = lead
            .post("/api/v1/duty-log/notes", &key, &note)
            .await
            .expect("answers");
        assert_eq!(status, 200, "{answer}");
    }
    let ends_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let plan = json!({"site": "q1", "ends_at": ends_at.to_string(), "reason": corpus[1]});
    let planned = lead.post("/api/v1/maintenance", "plan", &plan).await;
    assert_eq!(planned.expect("answers").0, 200);

    let path = format!("/api/v1/events?device={}&limit=200", barrier.id);
    eventually(
        "history has all of them",
        Duration::from_secs(20),
        || async { (lead.items(&path).await.ok()?.len() >= corpus.len()).then_some(()) },
    )
    .await;
    let users = told["users"].to_string();
    Browser::start("hostile", &[&hub.demo.http, &users, &barrier.id, id]).done();
}
