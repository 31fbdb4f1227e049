//! The holding list: a device that nobody has registered rings without a place, is listed, and has a place from its admission on.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use blackbox::{Api, Browser, Hub, Mqtt, eventually};
use serde_json::{Value, json};

use crate::bridges::{account, bridge, told};
use crate::registry::own_compound;
use crate::scopes::person;

const SOON: Duration = Duration::from_secs(20);
/// How a Zigbee bridge calls a detector of which nobody has told the registry.
const STRANGER: &str = "0x00158d0009990001";

static KEY: AtomicU32 = AtomicU32::new(0);

async fn hub(dir: &Path) -> Hub {
    let compound = own_compound(dir).display().to_string();
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    Hub::start_set(&data, &settings(&compound)).await
}

async fn again(dir: &Path, hub: Hub) -> Hub {
    let demo = hub.demo.clone();
    hub.kill9();
    let compound = dir.join("compound").display().to_string();
    Hub::start_again_set(&dir.join("data"), &demo, &settings(&compound)).await
}

fn settings(compound: &str) -> [(&str, &str); 2] {
    [
        ("JIMING__REGISTRY__DIR", compound),
        ("JIMING__BRIDGES__ZIGBEE__SITE", "q1"),
    ]
}

async fn line(hub: &Hub, secret: &str) -> Mqtt {
    bridge(hub, "zigbee", secret).await
}

async fn tell(line: &mut Mqtt, address: &str, state: Value) {
    let topic = format!("zigbee2mqtt/{address}");
    line.publish(&topic, &state.to_string(), 1, false).await;
}

/// What the list has of an address.
async fn listed(api: &Api, address: &str) -> Option<Value> {
    let page = api.get("/api/v1/newcomers?limit=500").await.ok()?;
    let items = page["items"].as_array()?.iter();
    items
        .into_iter()
        .find(|item| item["address"] == address)
        .cloned()
}

async fn smoke(hub: &Hub, device: &str, state: &str) -> Value {
    let api = hub.api("operator");
    eventually("the smoke alarm stands so", SOON, || async {
        let all = api.items("/api/v1/alarms?limit=200").await.ok()?;
        let is_it = |a: &Value| a["rule"] == "S1" && a["device"] == device && a["state"] == state;
        all.into_iter().find(is_it)
    })
    .await
}

#[tokio::test]
async fn a_stranger_rings_without_a_place_and_has_one_once_it_is_admitted() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path()).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut mqtt = line(&hub, &secret).await;
    // the bridge tells what it is, it burns, and the power goes
    let about = json!([{"friendly_name": STRANGER, "type": "EndDevice",
        "definition": {"vendor": "Acme", "model": "SD-1", "exposes": [{"type": "binary", "property": "smoke"}]}}]);
    mqtt.publish("zigbee2mqtt/bridge/devices", &about.to_string(), 1, false)
        .await;
    tell(
        &mut mqtt,
        STRANGER,
        json!({"smoke": true, "linkquality": 90}),
    )
    .await;
    let burning = smoke(&hub, STRANGER, "active_unacked").await;
    assert_eq!(
        burning["zone"],
        Value::Null,
        "nobody knows where: {burning}"
    );
    assert_eq!(burning["site"], "q1");
    let hub = again(dir.path(), hub).await;
    let manager = hub.api("property_manager");
    let item = eventually("it is on the list", SOON, || listed(&manager, STRANGER)).await;
    assert_eq!(item["has_rung"], true, "{item}");
    assert_eq!(item["last_event"], "fire.smoke raised");
    assert_eq!(item["account"], "zigbee");
    let proposal = &item["proposal"];
    assert_eq!(proposal["model"], "Acme SD-1", "{item}");
    assert_eq!(proposal["class"], "fire_sensor");
    assert_eq!(proposal["sensor"], "smoke");
    assert_eq!(proposal["device"], STRANGER);

    // the manager of another quarter neither sees nor admits it; one who reads only is refused
    let admission = format!(
        "/api/v1/newcomers/{}/admission",
        item["id"].as_str().expect("an id")
    );
    let (other_device, zone) = detector(dir.path());
    let words = ["--role", "property_manager", "--scope-quarter", "q2"];
    let other = person(&hub, &dir.path().join("data"), "manager-of-2", &words).await;
    let theirs = other.call("GET", "/newcomers", &Value::Null).await;
    assert_eq!(
        (theirs.0, &theirs.1["waiting"]),
        (200, &json!(0)),
        "{theirs:?}"
    );
    let refused = other
        .call("POST", &own_path(&admission), &json!({"zone": zone}))
        .await;
    assert_eq!(refused.0, 404, "{refused:?}");
    let refused = post(&hub.api("operator"), &admission, &json!({"zone": zone})).await;
    assert_eq!(refused.0, 403, "{refused:?}");
    let wrong = post(&manager, &admission, &json!({"zone": "nowhere"})).await;
    assert_eq!(
        (wrong.0, &wrong.1["field"]),
        (422, &json!("zone")),
        "{wrong:?}"
    );
    let taken = json!({"zone": zone, "device": other_device});
    let wrong = post(&manager, &admission, &taken).await;
    assert_eq!(
        (wrong.0, &wrong.1["field"]),
        (422, &json!("device")),
        "{wrong:?}"
    );

    // its own quarter's manager admits it with nothing but a zone; twice is once
    let words = ["--role", "property_manager", "--scope-quarter", "q1"];
    let own = person(&hub, &dir.path().join("data"), "manager-of-1", &words).await;
    let done = own
        .call(
            "POST",
            &own_path(&admission),
            &json!({"zone": zone, "name": "烟感-新"}),
        )
        .await;
    assert_eq!(done.0, 200, "{done:?}");
    assert_eq!(done.1["device"], STRANGER);
    let hub = again(dir.path(), hub).await;
    let manager = hub.api("property_manager");
    let twice = post(&manager, &admission, &json!({"zone": zone})).await;
    assert_eq!(
        (twice.0, &twice.1["was_there"]),
        (200, &json!(true)),
        "{twice:?}"
    );
    let moved = post(&manager, &admission, &json!({"zone": "q2-gate"})).await;
    assert_eq!(
        (moved.0, &moved.1["code"]),
        (409, &json!("already_admitted")),
        "{moved:?}"
    );
    assert_eq!(listed(&manager, STRANGER).await, None);
    let audit = hub.api("auditor").items("/api/v1/audit?limit=200").await;
    let audit = audit.expect("the trail");
    let lines: Vec<&Value> = audit
        .iter()
        .filter(|l| l["act"] == "admit_device")
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["actor"], "manager-of-1");

    // what it says next has the place; what rang before is over when it says so
    let mut mqtt = line(&hub, &secret).await;
    tell(
        &mut mqtt,
        STRANGER,
        json!({"smoke": false, "linkquality": 90}),
    )
    .await;
    smoke(&hub, STRANGER, "returned_unacked").await;
    let devices = manager.items("/api/v1/devices").await.expect("devices");
    let device = devices.iter().find(|d| d["id"] == STRANGER).expect("it");
    assert_eq!(
        (&device["zone"], &device["name"]),
        (&json!(zone), &json!("烟感-新"))
    );
    tell(
        &mut mqtt,
        STRANGER,
        json!({"tamper": true, "linkquality": 90}),
    )
    .await;
    eventually("the next alarm has the zone", SOON, || async {
        let all = hub
            .api("operator")
            .items("/api/v1/alarms?limit=200")
            .await
            .ok()?;
        all.into_iter()
            .find(|a| a["device"] == STRANGER && a["rule"] != "S1" && a["zone"] == zone)
    })
    .await;
}

#[tokio::test]
async fn parts_of_a_device_are_admitted_to_where_they_are() {
    const BOX: &str = "0x00158d0009990002";
    const PART: &str = "0x00158d0009990002-water-leak-wire-2";
    let dir = tempfile::tempdir().expect("a directory");
    let compound = own_compound(dir.path());
    let profiles = compound.join("profiles.toml");
    let known = std::fs::read_to_string(&profiles).expect("it ships");
    let of_model = r#"
        [[profile]]
        id = "leak-box"
        models = ["LEAK-2"]
        class = "fire_sensor"
        power = "mains"
        heartbeat_s = 600
        components = ["water_leak_wire_1", "water_leak_wire_2"]
    "#;
    std::fs::write(&profiles, format!("{known}{of_model}")).expect("written");
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings(&compound.display().to_string())).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut mqtt = line(&hub, &secret).await;
    let about = json!([{"friendly_name": BOX, "type": "Router",
        "definition": {"vendor": "Acme", "model": "LEAK-2", "exposes": [{"type": "binary", "property": "water_leak_wire_1"}]}}]);
    mqtt.publish("zigbee2mqtt/bridge/devices", &about.to_string(), 1, false)
        .await;
    let manager = hub.api("property_manager");
    let item = eventually("it is on the list", SOON, || listed(&manager, BOX)).await;
    let wires = json!(["water_leak_wire_1", "water_leak_wire_2"]);
    assert_eq!(item["proposal"]["components"], wires, "{item}");

    let id = item["id"].as_str().expect("an id");
    let admission = format!("/api/v1/newcomers/{id}/admission");
    let (_, zone) = detector(dir.path());
    let elsewhere = "q1-a1-door";
    for wrong in [
        json!([{"component": "a/b", "zone": elsewhere}]),
        json!([{"component": "w", "zone": elsewhere}, {"component": "w", "zone": elsewhere}]),
    ] {
        let (status, refused) =
            post(&manager, &admission, &json!({"zone": zone, "parts": wrong})).await;
        assert_eq!(
            (status, &refused["field"]),
            (422, &json!("parts")),
            "{refused}"
        );
    }
    let parts = json!([{"component": "water_leak_wire_2", "zone": elsewhere}]);
    let body = json!({"zone": zone, "parts": parts});
    let (status, admitted) = post(&manager, &admission, &body).await;
    assert_eq!(
        (status, &admitted["parts"]),
        (200, &json!([PART])),
        "{admitted}"
    );
    let (status, again) = post(&manager, &admission, &body).await;
    assert_eq!(
        (status, &again["parts"], &again["was_there"]),
        (200, &json!([PART]), &json!(true)),
        "{again}"
    );

    // what the wire in the other place tells has that place
    for wet in [false, true] {
        let state =
            json!({"water_leak_wire_1": false, "water_leak_wire_2": wet, "linkquality": 90});
        tell(&mut mqtt, BOX, state).await;
    }
    let wet = eventually("the wire's word is its own", SOON, || async {
        let told = told(&hub, PART, "env.water_leak").await;
        told.into_iter().next()
    })
    .await;
    assert_eq!(wet["phase"], "raised", "{wet}");
    let devices = hub.api("operator").items("/api/v1/devices").await;
    let devices = devices.expect("answers");
    let of = |id: &str| devices.iter().find(|device| device["id"] == id).cloned();
    assert_eq!(of(PART).expect("stands there")["zone"], elsewhere);
    assert_eq!(of(BOX).expect("stands there")["zone"], zone);
}

async fn post(api: &Api, path: &str, body: &Value) -> (u16, Value) {
    let key = format!("holding-{}", KEY.fetch_add(1, Ordering::Relaxed));
    api.post(path, &key, body).await.expect("answers")
}

/// As it is called below the API's base.
fn own_path(path: &str) -> String {
    path.trim_start_matches("/api/v1").to_owned()
}

/// Some detector of quarter 1 that the registry has, and its zone.
fn detector(dir: &Path) -> (String, String) {
    let table = std::fs::read_to_string(dir.join("compound/devices.csv")).expect("it ships");
    let is_one = |line: &&str| line.contains(",fire_sensor,") && line.contains(",q1,");
    let line = table.lines().find(is_one).expect("quarter 1 has one");
    let mut cells = line.split(',').map(str::to_owned);
    let id = cells.next().expect("an id");
    (id, cells.nth(1).expect("a zone"))
}

#[tokio::test]
async fn five_thousand_invented_addresses_fill_a_tenth_and_what_burns_finds_a_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path()).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut mqtt = line(&hub, &secret).await;
    for lot in 0..10 {
        let invented = (0..500)
            .map(|n| json!({"friendly_name": format!("0x{lot:04x}{n:04x}"), "type": "EndDevice"}));
        let list = Value::Array(invented.collect()).to_string();
        mqtt.publish("zigbee2mqtt/bridge/devices", &list, 1, false)
            .await;
    }
    let manager = hub.api("property_manager");
    let page = eventually("all have been heard", SOON, || async {
        let page = manager.get("/api/v1/newcomers?limit=500").await.ok()?;
        // the bridge itself has a place, too
        (page["turned_away"] == 4_501).then_some(page)
    })
    .await;
    assert_eq!(page["waiting"], 500, "the rest has no place");
    tell(
        &mut mqtt,
        STRANGER,
        json!({"smoke": true, "linkquality": 90}),
    )
    .await;
    smoke(&hub, STRANGER, "active_unacked").await;
    let item = eventually("it has a place", SOON, || listed(&manager, STRANGER)).await;
    let page = manager.get("/api/v1/newcomers").await.expect("a page");
    assert_eq!(page["waiting"], 500);

    // who is none of ours is dismissed with a reason and stays so
    let path = format!(
        "/api/v1/newcomers/{}/dismissal",
        item["id"].as_str().expect("an id")
    );
    let empty = post(&manager, &path, &json!({"reason": " "})).await;
    assert_eq!(empty.0, 422, "{empty:?}");
    let done = post(&manager, &path, &json!({"reason": "隔壁工地的"})).await;
    assert_eq!(done.0, 200, "{done:?}");
    tell(
        &mut mqtt,
        STRANGER,
        json!({"smoke": false, "linkquality": 91}),
    )
    .await;
    smoke(&hub, STRANGER, "returned_unacked").await;
    let hub = again(dir.path(), hub).await;
    let manager = hub.api("property_manager");
    assert_eq!(listed(&manager, STRANGER).await, None);
    let page = manager.get("/api/v1/newcomers?dismissed=true").await;
    let page = page.expect("a page");
    assert_eq!(
        page["items"][0]["dismissed"]["reason"], "隔壁工地的",
        "{page}"
    );
    assert_eq!(page["waiting"], 499);
}

#[tokio::test]
async fn a_property_manager_admits_and_dismisses_on_the_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path()).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut mqtt = line(&hub, &secret).await;
    tell(
        &mut mqtt,
        STRANGER,
        json!({"smoke": true, "linkquality": 90}),
    )
    .await;
    tell(
        &mut mqtt,
        "门磁-西",
        json!({"contact": false, "linkquality": 80}),
    )
    .await;
    let api = hub.api("property_manager");
    eventually("both are listed", SOON, || listed(&api, "门磁-西")).await;
    eventually("both are listed", SOON, || listed(&api, STRANGER)).await;
    let (_, zone) = detector(dir.path());
    let manager = hub.demo.user("property_manager");
    Browser::start(
        "newcomers",
        &[
            &hub.demo.http,
            &manager.login,
            &manager.password,
            STRANGER,
            &zone,
        ],
    )
    .done();
    let devices = api.items("/api/v1/devices").await.expect("devices");
    let device = devices.iter().find(|d| d["id"] == STRANGER).expect("it");
    assert_eq!(device["zone"], zone);
}
