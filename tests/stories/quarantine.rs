//! What could not be read is read again once the registry is mended: looked at first, once only, and as late as it is.

use std::path::Path;
use std::time::Duration;

use blackbox::{Api, Browser, Device, Hub, eventually, publish};
use serde_json::{Value, json};

use crate::registry::{device, hub_over};

const SOON: Duration = Duration::from_secs(20);

/// A hub whose registry lacks a detector that goes on speaking; gives the table as it was.
async fn without_a_detector(
    dir: &Path,
    more: &[(&str, &str)],
) -> (Hub, Device, std::path::PathBuf, String) {
    let (hub, compound) = hub_over(dir, more).await;
    let smoke = hub.demo.device("fire_sensor").clone();
    let file = compound.join("devices.csv");
    let whole = std::fs::read_to_string(&file).expect("it ships");
    let is_other = |line: &&str| !line.starts_with(&format!("{},", smoke.id));
    let less: Vec<&str> = whole.lines().filter(is_other).collect();
    std::fs::write(&file, less.join("\n")).expect("written");
    eventually("the detector is gone", SOON, || async {
        device(&hub, &smoke.id).await.is_none().then_some(())
    })
    .await;
    (hub, smoke, file, whole)
}

fn says(hub: &Hub, device: &Device, topic: &str, payload: &Value) {
    let payload = payload.to_string();
    let out = publish(&hub.demo, device, topic, payload.as_bytes(), 1, "mqttv5");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
}

async fn quarantined(api: &Api, device: &Device, count: usize) -> Vec<Value> {
    eventually("it is in quarantine", SOON, || async {
        let rows = api.items("/api/v1/quarantine").await.ok()?;
        let is_its = |row: &Value| row["principal"] == device.id && row["reason"] != "refused";
        let rows: Vec<Value> = rows.into_iter().filter(is_its).collect();
        (rows.len() >= count).then_some(rows)
    })
    .await
}

async fn rerun(api: &Api, path: &str, body: &Value) -> Value {
    let path = format!("/api/v1/quarantine/{path}");
    let answer = api.post(&path, "none", body).await;
    let (status, answer) = answer.expect("answers");
    assert_eq!(status, 200, "{answer}");
    answer
}

/// What came of it, once it is known.
async fn outcome(api: &Api, id: &str) -> Value {
    eventually("it is known what came of it", SOON, || async {
        let rows = api.items("/api/v1/quarantine").await.ok()?;
        let row = rows.into_iter().find(|row| row["id"] == id)?;
        (row["rerun"].is_object() && row["rerun"]["outcome"] != "waiting")
            .then(|| row["rerun"].clone())
    })
    .await
}

async fn history(hub: &Hub, device: &Device) -> Vec<Value> {
    let path = format!("/api/v1/events?device={}&limit=200", device.id);
    hub.api("operator").items(&path).await.expect("history")
}

#[tokio::test]
async fn a_message_of_an_unknown_device_is_read_once_the_device_is_registered() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, smoke, file, whole) = without_a_detector(dir.path(), &[]).await;
    let (manager, operator) = (hub.api("property_manager"), hub.api("operator"));
    let fire = json!({"id": "f-1", "kind": "fire.smoke", "phase": "raised"});
    says(&hub, &smoke, &smoke.event_topic("fire.smoke"), &fire);
    let telemetry = format!("ssg/v1/{}/{}/tele", smoke.site, smoke.id);
    for level in [1, 2] {
        says(&hub, &smoke, &telemetry, &json!({"smoke_percent": level}));
    }
    let rows = quarantined(&manager, &smoke, 3).await;
    let row = rows
        .iter()
        .find(|row| row["topic"].as_str().is_some_and(|t| t.contains("/evt/")));
    let row = row.expect("the fire");
    let id = row["id"].as_str().expect("an id");
    assert_eq!(
        (&row["reason"], &row["rerun"]),
        (&json!("unknown_device"), &Value::Null)
    );

    // before the mend it would still not be read, and nothing is done
    let told = rerun(&manager, &format!("{id}/rerun"), &json!({"dry_run": false})).await;
    assert_eq!(told["items"][0]["outcome"], "rejected", "{told}");
    assert_eq!(told["started"], 0, "{told}");

    // mended: first it is said what it would be
    std::fs::write(&file, &whole).expect("written");
    eventually("the detector is back", SOON, || device(&hub, &smoke.id)).await;
    let told = rerun(&manager, &format!("{id}/rerun"), &json!({"dry_run": true})).await;
    let line = &told["items"][0];
    assert_eq!(
        (&line["outcome"], &line["rings"]),
        (&json!("reads"), &json!(true)),
        "{told}"
    );
    assert_eq!(line["events"][0]["kind"], "fire.smoke");
    assert_eq!(line["events"][0]["device"], smoke.id);
    assert_eq!(told["started"], 0);
    assert!(
        history(&hub, &smoke)
            .await
            .iter()
            .all(|e| e["kind"] != "fire.smoke")
    );

    // then it is done, and rings
    let told = rerun(&manager, &format!("{id}/rerun"), &json!({"dry_run": false})).await;
    assert_eq!(told["started"], 1, "{told}");
    let incident = operator.incident_of("S1").await;
    assert_eq!(incident["device"], smoke.id);
    let came = outcome(&manager, id).await;
    assert_eq!(
        (&came["outcome"], &came["detail"]),
        (&json!("read"), &json!("fire.smoke raised"))
    );
    assert_eq!(came["by"], hub.demo.user("property_manager").login);

    // twice is once
    let told = rerun(&manager, &format!("{id}/rerun"), &json!({"dry_run": false})).await;
    assert_eq!(
        (&told["items"][0]["outcome"], &told["started"]),
        (&json!("done"), &json!(0)),
        "{told}"
    );
    // and what the device itself sends again is known
    says(&hub, &smoke, &smoke.event_topic("fire.smoke"), &fire);

    // the others all at once: they happened when they came
    let all = json!({"reason": "unknown_device", "topic": "/tele", "dry_run": true});
    let told = rerun(&manager, "rerun", &all).await;
    assert_eq!(told["items"].as_array().map(Vec::len), Some(2), "{told}");
    let all = json!({"reason": "unknown_device", "topic": "/tele", "dry_run": false});
    let told = rerun(&manager, "rerun", &all).await;
    assert_eq!(
        (&told["started"], &told["has_more"]),
        (&json!(2), &json!(false)),
        "{told}"
    );
    let readings = eventually("the readings are history", SOON, || async {
        let events = history(&hub, &smoke).await.into_iter();
        let readings: Vec<Value> = events.filter(|e| e["kind"] == "device.telemetry").collect();
        (readings.len() == 2).then_some(readings)
    })
    .await;
    for reading in readings {
        let came = rows
            .iter()
            .any(|row| row["received_at"] == reading["occurred_at"]);
        assert!(came, "{reading}");
    }
    let fires = history(&hub, &smoke).await;
    let fires: Vec<&Value> = fires.iter().filter(|e| e["kind"] == "fire.smoke").collect();
    assert_eq!(fires.len(), 1, "{fires:?}");
    let items = operator.items("/api/v1/incidents?limit=200").await;
    let items = items.expect("incidents");
    assert_eq!(items.iter().filter(|i| i["rule"] == "S1").count(), 1);

    // the trail names who and which
    let trail = hub.api("auditor").items("/api/v1/audit?limit=200").await;
    let trail = trail.expect("a trail");
    let mut objects: Vec<&str> = trail
        .iter()
        .filter(|line| line["act"] == "rerun_quarantine")
        .filter_map(|line| line["object"].as_str())
        .collect();
    objects.sort_unstable();
    let own = format!("quarantine:{id}");
    let mut expected = vec![own.as_str(), "quarantine:unknown_device"];
    expected.sort_unstable();
    assert_eq!(objects, expected, "{trail:?}");
    // what may not see it may not read it again
    let (status, _) = operator
        .post(
            &format!("/api/v1/quarantine/{id}/rerun"),
            "none",
            &json!({"dry_run": true}),
        )
        .await
        .expect("answers");
    assert_eq!(status, 403);
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn what_is_too_old_goes_to_history_and_calls_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = [("JIMING__QUARANTINE__RINGS_FOR_S", "0")];
    let (hub, smoke, file, whole) = without_a_detector(dir.path(), &settings).await;
    let manager = hub.api("property_manager");
    let fire = json!({"id": "f-1", "kind": "fire.smoke", "phase": "raised"});
    says(&hub, &smoke, &smoke.event_topic("fire.smoke"), &fire);
    let rows = quarantined(&manager, &smoke, 1).await;
    let id = rows[0]["id"].as_str().expect("an id");
    std::fs::write(&file, &whole).expect("written");
    eventually("the detector is back", SOON, || device(&hub, &smoke.id)).await;
    let seen = device(&hub, &smoke.id).await.expect("a device")["last_seen"].clone();
    let told = rerun(&manager, &format!("{id}/rerun"), &json!({"dry_run": false})).await;
    assert_eq!(told["items"][0]["rings"], false, "{told}");
    assert_eq!(outcome(&manager, id).await["outcome"], "history");
    let event = eventually("it is history", SOON, || async {
        let events = history(&hub, &smoke).await;
        events.into_iter().find(|e| e["kind"] == "fire.smoke")
    })
    .await;
    assert_eq!(event["occurred_at"], rows[0]["received_at"]);
    // it is no word of the device of now, and nobody is called
    let after = device(&hub, &smoke.id).await.expect("a device");
    assert_eq!(after["last_seen"], seen);
    let operator = hub.api("operator");
    let items = operator.items("/api/v1/incidents?limit=200").await;
    let items = items.expect("incidents");
    assert!(items.iter().all(|i| i["rule"] != "S1"), "{items:?}");
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn a_property_manager_reads_it_again_in_the_browser() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, smoke, file, whole) = without_a_detector(dir.path(), &[]).await;
    let fire = json!({"id": "f-1", "kind": "fire.smoke", "phase": "raised"});
    says(&hub, &smoke, &smoke.event_topic("fire.smoke"), &fire);
    quarantined(&hub.api("property_manager"), &smoke, 1).await;
    let manager = hub.demo.user("property_manager");
    let mut browser = Browser::start(
        "quarantine",
        &[&hub.demo.http, &manager.login, &manager.password, &smoke.id],
    );
    browser.says("REJECTED");
    std::fs::write(&file, &whole).expect("written");
    eventually("the detector is back", SOON, || device(&hub, &smoke.id)).await;
    browser.tell("MENDED");
    browser.done();
    hub.api("operator").incident_of("S1").await;
}
