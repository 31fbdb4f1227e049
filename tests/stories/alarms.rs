//! Alarms beside incidents: put aside by a person, held back by a maintenance window, ordering work when they chatter; and all of it
//! still so after kill -9.

use std::time::Duration;

use blackbox::{Api, Device, Hub, eventually, publish};
use serde_json::{Value, json};

fn send(hub: &Hub, device: &Device, kind: &str, id: &str, phase: &str) {
    let event = json!({"id": id, "kind": kind, "phase": phase}).to_string();
    let topic = device.event_topic(kind);
    let sent = publish(&hub.demo, device, &topic, event.as_bytes(), 1, "mqttv311");
    assert!(sent.status.success(), "{sent:?}");
}

/// The newest alarm of a rule on a device once it is as it should be.
async fn alarm(
    api: &Api,
    rule: &str,
    device: &str,
    what: &str,
    is_so: fn(&Value) -> bool,
) -> Value {
    eventually(what, Duration::from_secs(20), || async {
        let items = api.items("/api/v1/alarms?limit=500").await.ok()?;
        let mut of_it = items
            .into_iter()
            .filter(|item| item["rule"] == rule && item["device"] == device);
        of_it.next().filter(is_so)
    })
    .await
}

fn is_active(item: &Value) -> bool {
    item["state"]
        .as_str()
        .is_some_and(|s| s.starts_with("active"))
}

fn is_over(item: &Value) -> bool {
    item["state"] == "normal"
}

async fn post(api: &Api, path: &str, key: &str, body: Value) -> (u16, Value) {
    api.post(path, key, &body).await.expect("answers")
}

#[tokio::test]
async fn a_shelved_alarm_stays_silent_over_a_kill_and_rings_when_it_is_taken_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let lead = hub.api("station_lead");
    send(&hub, &detector, "fire.fault", "f1", "raised");
    let rings = alarm(&lead, "S5", &detector.id, "the fault rings", is_active).await;
    assert!(rings["incident"].is_string(), "{rings}");
    // whoever sent it has hung up: nobody knows whether it is still so
    let is_unknown = |item: &Value| item["unknown_since"].is_string();
    alarm(
        &lead,
        "S5",
        &detector.id,
        "its device is offline",
        is_unknown,
    )
    .await;
    let shelve = format!(
        "/api/v1/alarms/{}/shelve",
        rings["id"].as_str().expect("an id")
    );

    let body = json!({"expected_version": rings["version"], "minutes": 60, "reason": "the maker comes at noon"});
    let (status, _) = post(&hub.api("operator"), &shelve, "k0", body.clone()).await;
    assert_eq!(status, 403, "an operator does not shelve");
    let mut without = body.clone();
    without["reason"] = json!(" ");
    assert_eq!(
        post(&lead, &shelve, "k1", without).await.0,
        400,
        "without a reason"
    );
    let mut long = body.clone();
    long["minutes"] = json!(8 * 60 + 1);
    assert_eq!(
        post(&lead, &shelve, "k2", long).await.0,
        400,
        "longer than a shift"
    );
    let (status, shelved) = post(&lead, &shelve, "k3", body.clone()).await;
    assert_eq!(status, 200, "{shelved}");
    assert_eq!(shelved["held_back"], "shelved");
    let again = post(&lead, &shelve, "k3", body.clone()).await;
    assert_eq!(
        again,
        (200, shelved.clone()),
        "the same key, the same answer"
    );
    let (status, problem) = post(&hub.api("administrator"), &shelve, "k4", body).await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_allowed")));
    assert_eq!(
        problem["holder"],
        json!(hub.demo.user("station_lead").login)
    );
    assert_eq!(problem["alarm"]["id"], shelved["id"]);

    // its incident is worked on as always; the next episode is silent, also after a power cut
    let incident = rings["incident"].as_str().expect("an incident");
    let worker = hub.api("administrator");
    send(&hub, &detector, "fire.fault", "f2", "cleared");
    alarm(&lead, "S5", &detector.id, "the fault is over", is_over).await;
    worker.advance(incident, "claim", json!({})).await;
    worker
        .advance(
            incident,
            "resolve",
            json!({"cause": "fault", "note": "replaced"}),
        )
        .await;
    worker.advance(incident, "close", json!({})).await;
    let demo = hub.demo.clone();
    hub.kill9();
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    send(&hub, &detector, "fire.fault", "f3", "raised");
    let lead = hub.api("station_lead");
    let silent = alarm(&lead, "S5", &detector.id, "the fault is back", is_active).await;
    assert_eq!(silent["held_back"], "shelved");
    assert_eq!(silent["incident"], Value::Null);
    assert_eq!(silent["shelved"]["reason"], "the maker comes at noon");
    let on_shelf = lead.items("/api/v1/alarms?state=open&flag=shelved").await;
    assert_eq!(on_shelf.expect("a list").len(), 1);

    // the report on the alarm system lists it, with what was said
    let kpi = lead.get("/api/v1/kpi?from=2020-Q1&to=2100-Q1").await;
    let kpi = kpi.expect("figures");
    let listed = kpi["standing"]["listed"].as_array().expect("a list");
    let found = listed.iter().find(|line| line["alarm"] == silent["id"]);
    let found = found.expect("listed");
    assert_eq!(found["why"], "shelved");
    assert_eq!(found["reason"], "the maker comes at noon");
    assert_eq!(found["until"], silent["shelved"]["until"]);
    assert!(
        found["since"].as_str() <= found["until"].as_str(),
        "{found}"
    );

    let unshelve = format!(
        "/api/v1/alarms/{}/unshelve",
        silent["id"].as_str().expect("an id")
    );
    let stale = json!({"expected_version": 0});
    let (status, problem) = post(&lead, &unshelve, "u0", stale).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("version_conflict"))
    );
    let body = json!({"expected_version": silent["version"]});
    let (status, back) = post(&lead, &unshelve, "u1", body).await;
    assert_eq!((status, &back["held_back"]), (200, &Value::Null));
    let id = back["incident"].as_str().expect("rings now");
    let view = lead
        .get(&format!("/api/v1/incidents/{id}"))
        .await
        .expect("the incident");
    assert_eq!(view["detail"]["held_back"], "shelved");
    assert_eq!(id, incident, "soon after it was settled: its next round");
}

#[tokio::test]
async fn under_maintenance_small_things_wait_and_a_fire_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let (lead, manager) = (hub.api("station_lead"), hub.api("property_manager"));
    let hour = jiff::SignedDuration::from_hours(1);
    let ends_at = (jiff::Timestamp::now() + hour).to_string();
    let plan = |device: &str| json!({"site": detector.site, "device": device, "ends_at": ends_at, "reason": "yearly test of the detectors"});
    let (status, problem) = post(&manager, "/api/v1/maintenance", "m0", plan("nobody")).await;
    assert_eq!(status, 400, "{problem}");
    let (status, window) = post(&manager, "/api/v1/maintenance", "m1", plan(&detector.id)).await;
    assert_eq!(
        (status, &window["state"]),
        (200, &json!("active")),
        "{window}"
    );
    assert_eq!(
        post(&manager, "/api/v1/maintenance", "m1", plan(&detector.id))
            .await
            .1,
        window
    );

    send(&hub, &detector, "fire.fault", "f1", "raised");
    let waits = alarm(
        &lead,
        "S5",
        &detector.id,
        "the fault is recorded",
        is_active,
    )
    .await;
    assert_eq!(
        (&waits["held_back"], &waits["incident"]),
        (&json!("out_of_service"), &Value::Null)
    );
    send(&hub, &detector, "fire.smoke", "s1", "raised");
    let fire = lead.incident_of("S1").await;
    assert_eq!(fire["detail"]["drill"], window["id"]);
    assert_eq!(fire["state"], "dispatched");
    let critical = alarm(&lead, "S1", &detector.id, "the fire rings", is_active).await;
    let shelve = format!(
        "/api/v1/alarms/{}/shelve",
        critical["id"].as_str().expect("an id")
    );
    let body = json!({"expected_version": critical["version"], "minutes": 5, "reason": "test"});
    assert_eq!(
        post(&lead, &shelve, "s", body).await.0,
        409,
        "a P1 is nobody's to shelve"
    );

    let end = format!(
        "/api/v1/maintenance/{}/end",
        window["id"].as_str().expect("an id")
    );
    let (status, ended) = post(&manager, &end, "e1", json!({})).await;
    assert_eq!((status, &ended["state"]), (200, &json!("ended")));
    assert_eq!(
        ended["ended_by"],
        json!(hub.demo.user("property_manager").login)
    );
    let rings = lead.incident_of("S5").await;
    assert_eq!(rings["detail"]["held_back"], "out_of_service");
    assert_eq!(
        post(&lead, &end, "e2", json!({})).await.0,
        409,
        "it is over"
    );
    let over = lead
        .items("/api/v1/maintenance?state=ended")
        .await
        .expect("a list");
    assert_eq!(over, [ended]);
}

#[tokio::test]
async fn a_detector_that_comes_and_goes_orders_its_own_repair() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let api = hub.api("property_manager");
    for n in 0..3 {
        send(&hub, &detector, "fire.fault", &format!("up-{n}"), "raised");
        send(
            &hub,
            &detector,
            "fire.fault",
            &format!("down-{n}"),
            "cleared",
        );
    }
    let order = api.incident_of("HUB5").await;
    assert_eq!(
        (&order["severity"], &order["lead"]),
        (&json!("P4"), &json!("property"))
    );
    assert_eq!(order["detail"]["rule"], "S5");
    assert_eq!(order["device"], json!(detector.id));
    let chatters = api
        .items("/api/v1/alarms?flag=chattering")
        .await
        .expect("a list");
    assert_eq!(chatters.len(), 1, "the third one: {chatters:?}");
    assert_eq!(chatters[0]["rule"], "S5");
}

#[tokio::test]
async fn a_maintenance_window_begins_and_ends_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let lead = hub.api("station_lead");
    let after = |s: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(s)).to_string();
    let plan = json!({"site": detector.site, "starts_at": after(1), "ends_at": after(11), "reason": "mains are switched over"});
    let (status, window) = post(&lead, "/api/v1/maintenance", "m", plan).await;
    assert_eq!((status, &window["state"]), (200, &json!("planned")));
    let is_there = async |state: &str| {
        let path = format!("/api/v1/maintenance?state={state}");
        let what = format!("the window is {state}");
        eventually(&what, Duration::from_secs(30), || async {
            lead.items(&path).await.ok()?.into_iter().next()
        })
        .await
    };
    let active = is_there("active").await;
    assert_eq!(active["id"], window["id"]);
    send(&hub, &detector, "fire.fault", "f1", "raised");
    let ended = is_there("ended").await;
    assert_eq!(ended["ended_by"], Value::Null);
    let rings = lead.incident_of("S5").await;
    assert_eq!(rings["detail"]["held_back"], "out_of_service");
}
