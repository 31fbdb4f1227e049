//! The registry while the hub runs: files change under it, devices come and go, and what was stays to be read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blackbox::{Device, Hub, eventually, publish, repository};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// The reference compound in a folder of its own.
pub(crate) fn own_compound(dir: &Path) -> PathBuf {
    let compound = dir.join("compound");
    std::fs::create_dir_all(&compound).expect("made");
    let shipped = repository().join("deploy/config/compound");
    for entry in std::fs::read_dir(shipped).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, compound.join(path.file_name().expect("a name"))).expect("copied");
    }
    compound
}

/// A hub over a compound of its own, and its folder.
pub(crate) async fn hub_over(dir: &Path, more: &[(&str, &str)]) -> (Hub, PathBuf) {
    let compound = own_compound(dir);
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let folder = compound.display().to_string();
    let mut settings = vec![("JIMING__REGISTRY__DIR", folder.as_str())];
    settings.extend(more);
    let hub = Hub::start_set(&data, &settings).await;
    (hub, compound)
}

pub(crate) async fn device(hub: &Hub, id: &str) -> Option<Value> {
    let items = hub.api("operator").items("/api/v1/devices").await.ok()?;
    items.into_iter().find(|item| item["id"] == id)
}

fn smokes(hub: &Hub, device: &Device, id: &str) {
    let payload = json!({"id": id, "kind": "fire.smoke", "phase": "raised", "attrs": {}});
    let payload = payload.to_string().into_bytes();
    let topic = device.event_topic("fire.smoke");
    let out = publish(&hub.demo, device, &topic, &payload, 1, "mqttv5");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
}

async fn alarms(hub: &Hub, rule: &str, device: &str) -> Vec<Value> {
    let all = hub.api("operator").items("/api/v1/alarms?limit=200").await;
    let is_it = |a: &Value| a["rule"] == rule && a["device"] == device;
    all.expect("a list").into_iter().filter(is_it).collect()
}

#[tokio::test]
async fn devices_come_and_go_while_the_hub_runs_and_what_they_did_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, compound) = hub_over(dir.path(), &[]).await;
    let api = hub.api("operator");
    let smoke = hub.demo.device("fire_sensor").clone();
    smokes(&hub, &smoke, "s-1");
    let burning = api.incident_of("S1").await;
    assert_eq!(
        alarms(&hub, "S1", &smoke.id).await[0]["state"],
        "active_unacked"
    );
    let mut live = reqwest::Client::new()
        .get(format!("{}/api/v1/live", hub.demo.http))
        .bearer_auth(&hub.demo.user("operator").token)
        .send()
        .await
        .expect("answers");

    // the detector goes, another comes in its place
    let file = compound.join("devices.csv");
    let before = std::fs::read_to_string(&file).expect("it ships");
    let swapped = before.replace(&format!("{},", smoke.id), "smoke-new-1,");
    std::fs::write(&file, &swapped).expect("written");
    eventually("the new device is there", SOON, || {
        device(&hub, "smoke-new-1")
    })
    .await;
    assert!(device(&hub, &smoke.id).await.is_none());

    // its condition is over, a person still has to acknowledge, and the record stands
    eventually("its alarm has returned", SOON, || async {
        let alarm = alarms(&hub, "S1", &smoke.id).await.pop()?;
        (alarm["state"] == "returned_unacked").then_some(())
    })
    .await;
    let path = format!(
        "/api/v1/incidents/{}",
        burning["id"].as_str().expect("an id")
    );
    assert!(
        api.get(&path)
            .await
            .expect("there")
            .to_string()
            .contains(&smoke.id)
    );
    let events = api
        .items(&format!("/api/v1/events?device={}", smoke.id))
        .await;
    assert!(
        events
            .expect("history")
            .iter()
            .any(|e| e["kind"] == "fire.smoke")
    );

    // screens are told to read anew
    let mut told = String::new();
    while !told.contains("event: reset") {
        let chunk = live.chunk().await.expect("a stream").expect("goes on");
        told.push_str(&String::from_utf8_lossy(&chunk));
    }

    // a mistake rings, names itself, and the registry before it stays
    let broken = swapped.replace("smoke-new-1,q1,", "smoke-new-1,q77,");
    assert_ne!(broken, swapped);
    std::fs::write(&file, broken).expect("written");
    let told = api.incident_of("HUB6").await.to_string();
    assert!(
        told.contains("devices.csv:") && told.contains("q77"),
        "{told}"
    );
    assert!(device(&hub, "smoke-new-1").await.is_some());

    // mended: the old detector is back, with its history
    std::fs::write(&file, &before).expect("written");
    eventually("the old device is back", SOON, || device(&hub, &smoke.id)).await;
    eventually("the alarm about the files is over", SOON, || async {
        let all = api.items("/api/v1/alarms?limit=200").await.ok()?;
        let it = all.into_iter().find(|a| a["rule"] == "HUB6")?;
        (it["state"] != "active_unacked").then_some(())
    })
    .await;
    assert!(hub.stop().await.success());

    // changed while the hub was away: the next start takes it like any other change
    std::fs::write(&file, &swapped).expect("written");
    let data = dir.path().join("data");
    let folder = compound.display().to_string();
    let hub = Hub::start_set(&data, &[("JIMING__REGISTRY__DIR", &folder)]).await;
    assert!(device(&hub, "smoke-new-1").await.is_some());
    assert!(hub.stop().await.success());
}
