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

/// Gives devices of a compound the addresses by which their bridges call them.
pub(crate) fn with_addresses(compound: &Path, addresses: &[(&str, &str)]) {
    let file = compound.join("devices.csv");
    let text = std::fs::read_to_string(&file).expect("it ships");
    let mut table = String::new();
    for line in text.lines() {
        table.push_str(line);
        if line.starts_with("id,") {
            table.push_str(",address");
        } else if !line.starts_with('#') {
            let id = line.split(',').next();
            let known = addresses.iter().find(|(device, _)| Some(*device) == id);
            table.push(',');
            table.push_str(known.map_or("", |(_, address)| address));
        }
        table.push('\n');
    }
    std::fs::write(&file, table).expect("written");
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

async fn import(hub: &Hub, role: &str, body: &Value) -> (u16, Value) {
    let answer = hub
        .api(role)
        .post("/api/v1/registry/import", "none", body)
        .await;
    answer.expect("answers")
}

async fn csv(hub: &Hub, role: &str, table: &str) -> String {
    let url = format!("{}/api/v1/registry/{table}?format=csv", hub.demo.http);
    let ask = reqwest::Client::new()
        .get(url)
        .bearer_auth(&hub.demo.user(role).token);
    let reply = ask.send().await.expect("answers");
    assert_eq!(reply.status().as_u16(), 200);
    // `text` would take the mark away
    String::from_utf8(reply.bytes().await.expect("a body").to_vec()).expect("UTF-8")
}

#[tokio::test]
async fn a_table_is_looked_at_changed_and_taken_back_in_the_browser() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, compound) = hub_over(dir.path(), &[]).await;
    let manager = hub.api("property_manager");
    let first = manager.get("/api/v1/registry").await.expect("an overview");
    let version = first["version"].clone();
    let table = csv(&hub, "property_manager", "devices").await;
    assert!(
        table.starts_with('\u{feff}') && table.contains("smoke-q1-"),
        "{table}"
    );
    let old = std::fs::read_to_string(compound.join("devices.csv")).expect("there");

    // one more, one other, one less: said, and nothing done
    let mut lines: Vec<&str> = table.trim_end().lines().collect();
    let gone = lines
        .pop()
        .expect("a line")
        .split(',')
        .next()
        .expect("an id")
        .to_owned();
    let other = lines[1].split(',').next().expect("an id").to_owned();
    let renamed = lines[1].replacen(lines[1].split(',').nth(4).expect("a name"), "=danger", 1);
    let new = lines[2].replacen(lines[2].split(',').next().expect("an id"), "zz-new", 1);
    lines[1] = &renamed;
    lines.push(&new);
    let text = lines.join("\n");
    let mut body =
        json!({"table": "devices", "text": text, "expected_version": version, "dry_run": true});
    let (status, said) = import(&hub, "property_manager", &body).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["added"][0]["key"], "zz-new", "{said}");
    assert_eq!(said["changed"][0]["key"], other.as_str());
    assert_eq!(said["changed"][0]["cells"][0]["after"], "=danger");
    assert_eq!(said["changed"][0]["line"], 2);
    assert_eq!(
        (&said["removed"], &said["applied"]),
        (&json!([gone]), &json!(false))
    );
    assert!(device(&hub, "zz-new").await.is_none());

    // mistakes name line and column, and nothing is done
    let mut cells: Vec<&str> = new.split(',').collect();
    cells[1] = "q77";
    let wrong = text.replace(&new, &cells.join(","));
    let (status, said) = import(
        &hub,
        "property_manager",
        &json!({"table": "devices", "text": wrong}),
    )
    .await;
    assert_eq!(
        (status, &said["code"]),
        (422, &json!("registry_mistakes")),
        "{said}"
    );
    let mistake = &said["mistakes"][0];
    assert_eq!(
        (&mistake["file"], &mistake["line"]),
        (&json!("table.csv"), &json!(lines.len())),
        "{said}"
    );
    let (_, said) = import(
        &hub,
        "property_manager",
        &json!({"table": "devices", "text": wrong, "dry_run": true}),
    )
    .await;
    assert!(
        said["mistakes"][0]["what"].to_string().contains("q77"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_to_string(compound.join("devices.csv")).expect("there"),
        old
    );

    // done, at once; whoever looked at the former version is told
    body["dry_run"] = json!(false);
    let (status, said) = import(&hub, "property_manager", &body).await;
    assert_eq!((status, &said["applied"]), (200, &json!(true)), "{said}");
    assert!(device(&hub, "zz-new").await.is_some() && device(&hub, &gone).await.is_none());
    let (status, said) = import(&hub, "property_manager", &body).await;
    assert_eq!(
        (status, &said["code"]),
        (409, &json!("version_conflict")),
        "{said}"
    );
    let table = csv(&hub, "property_manager", "devices").await;
    assert!(table.contains(",'=danger,"), "a spreadsheet would run it");

    // one line as a form; then all of it is taken back
    let put =
        json!({"table": "devices", "put": [{"id": "zz-new", "name": "新烟感"}], "note": "改名"});
    let (status, said) = import(&hub, "property_manager", &put).await;
    assert_eq!(
        (status, &said["changed"][0]["cells"][0]["after"]),
        (200, &json!("新烟感")),
        "{said}"
    );
    let bad = json!({"table": "devices", "put": [{"id": "zz-new", "nmae": "x"}]});
    assert_eq!(import(&hub, "property_manager", &bad).await.0, 422);
    let now = manager.get("/api/v1/registry").await.expect("an overview");
    assert_eq!(now["versions"][0]["act"], "edit_registry");
    for number in [
        now["versions"][0]["number"].clone(),
        now["versions"][1]["number"].clone(),
    ] {
        let (status, said) = import(
            &hub,
            "property_manager",
            &json!({"table": "devices", "undo": number}),
        )
        .await;
        assert_eq!(status, 200, "{said}");
    }
    assert!(device(&hub, "zz-new").await.is_none() && device(&hub, &gone).await.is_some());
    let rows = hub
        .api("auditor")
        .items("/api/v1/audit?act=edit_registry")
        .await
        .expect("the trail");
    assert!(
        rows[0]["actor"] == hub.demo.user("property_manager").login.as_str(),
        "{rows:?}"
    );

    // who a person is, is the lead's; contacts that were hidden stay as they are
    let people = csv(&hub, "property_manager", "people").await;
    assert!(
        people.contains("***") && !people.contains("8101"),
        "{people}"
    );
    let body =
        json!({"table": "households", "text": csv(&hub, "property_manager", "households").await});
    let (status, said) = import(&hub, "property_manager", &body).await;
    assert_eq!(
        (status, &said["changed_count"], &said["removed_count"]),
        (200, &json!(0), &json!(0)),
        "{said}"
    );
    let person = json!({"table": "people", "put": [{"id": "fire-9", "name": "某"}]});
    assert_eq!(import(&hub, "property_manager", &person).await.0, 403);
    assert_eq!(import(&hub, "station_lead", &person).await.0, 200);
}

fn passes(hub: &Hub, plate: &str, id: &str) {
    let barrier = hub.demo.device("barrier");
    let payload = json!({"id": id, "kind": "vehicle.plate_read", "phase": "instant", "attrs": {"plate": plate, "confidence": 0.99}});
    let payload = payload.to_string().into_bytes();
    let topic = barrier.event_topic("vehicle.plate_read");
    assert!(
        publish(&hub.demo, barrier, &topic, &payload, 1, "mqttv5")
            .status
            .success()
    );
}

#[tokio::test]
async fn a_plate_is_watched_by_who_may_for_as_long_as_the_station_may() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub_over(dir.path(), &[("JIMING__REGISTRY__WATCH_DAYS_MAX", "30")]).await;
    let lead = hub.api("station_lead");
    let days = |days: i64| {
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).to_string()[..10]
            .to_owned()
    };
    let entry = |expires: String| {
        json!({"table": "watch", "put": [
        {"plate": "浙G·T3S7A", "reason": "肇事逃逸", "owner": "police-1", "expires_on": expires}], "note": "协查通报"})
    };
    assert_eq!(
        import(&hub, "property_manager", &entry(days(9))).await.0,
        403
    );
    let (status, said) = import(&hub, "station_lead", &entry(days(90))).await;
    assert_eq!(
        (status, &said["mistakes"][0]["column"]),
        (422, &json!("expires_on")),
        "{said}"
    );
    passes(&hub, "浙GT3S7A", "p-1");
    let (status, said) = import(&hub, "station_lead", &entry(days(9))).await;
    assert_eq!(status, 200, "{said}");
    passes(&hub, "浙GT3S7A", "p-2");
    let hit = lead.incident_of("B1").await;
    assert!(hit["subject"].to_string().contains("浙GT3***"), "{hit}");

    // everybody else knows that there is one, and not which
    let seen = hub
        .api("property_manager")
        .get("/api/v1/registry/watch")
        .await
        .expect("a list");
    assert!(
        seen.to_string().contains("浙GT3***") || seen.to_string().contains("浙GT3"),
        "{seen}"
    );
    assert!(!seen.to_string().contains("T3S7A"), "{seen}");
    let rows = hub
        .api("auditor")
        .items("/api/v1/audit?act=edit_registry")
        .await
        .expect("the trail");
    assert!(!json!(rows).to_string().contains("T3S7A"), "{rows:?}");

    // a card, by its reference, in the same way
    let card = json!({"table": "watch", "put": [
        {"credential": "c-9f3a71", "reason": "失窃", "owner": "police-1", "expires_on": days(9)}]});
    let both = json!({"table": "watch", "put": [
        {"credential": "c-9f3a71", "person": "王小明明", "reason": "失窃", "owner": "police-1", "expires_on": days(9)}]});
    assert_eq!(import(&hub, "station_lead", &both).await.0, 422);
    let (status, said) = import(&hub, "station_lead", &card).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["added"][0]["key"], "credential:c-9f3a71", "{said}");
    let door = hub.demo.device("access");
    let attrs = json!({"method": "card", "credential_ref": "c-9f3a71"});
    let payload =
        json!({"id": "c-1", "kind": "access.granted", "phase": "instant", "attrs": attrs})
            .to_string();
    let topic = door.event_topic("access.granted");
    let sent = publish(&hub.demo, door, &topic, payload.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    let hit = lead.incident_of("A12").await;
    assert!(
        hit["subject"].to_string().contains("credential:c-9f***"),
        "{hit}"
    );
    assert_eq!(hit["lead"], "police", "{hit}");
    let manager = hub.api("property_manager");
    let seen = manager.get("/api/v1/registry/watch").await;
    let seen = seen.expect("a list").to_string();
    assert!(
        seen.contains("credential:c-9f***") && !seen.contains("9f3a71"),
        "{seen}"
    );
    let auditor = hub.api("auditor");
    let trail = auditor.items("/api/v1/audit?act=edit_registry").await;
    let trail = json!(trail.expect("the trail")).to_string();
    assert!(
        trail.contains("credential:c-9f***") && !trail.contains("9f3a71"),
        "{trail}"
    );

    // ended by a person
    let (status, said) = import(
        &hub,
        "station_lead",
        &json!({"table": "watch", "remove": ["浙GT3S7A"]}),
    )
    .await;
    assert_eq!((status, &said["removed_count"]), (200, &json!(1)), "{said}");
}
