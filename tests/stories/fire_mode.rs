//! Fire mode from the outside: what starts it and what never does, what opens, what is listed because it did not.

use std::time::Duration;

use blackbox::{Api, Hub, eventually, publish};
use serde_json::{Value, json};

use crate::commands::{fleet, online};

const SOON: Duration = Duration::from_secs(25);

/// A device raises an event of this kind. The fleet may play the same device and take the connection over: then it is said again, as QoS 1
/// asks, and is one event.
pub(crate) fn raises(hub: &Hub, device: &str, kind: &str) {
    let mut devices = hub.demo.devices.iter();
    let device = devices.find(|d| d.id == device).expect("it ships");
    let body = json!({"id": format!("{kind}-1"), "kind": kind, "phase": "raised", "attrs": {}});
    let topic = device.event_topic(kind);
    let body = body.to_string();
    for _ in 0..5 {
        let out = publish(&hub.demo, device, &topic, body.as_bytes(), 1, "mqttv5");
        if out.status.success() {
            return;
        }
        eprint!("{}", String::from_utf8_lossy(&out.stderr));
    }
    panic!("{} was cut off each time", device.id);
}

async fn open_modes(api: &Api) -> Vec<Value> {
    api.items("/api/v1/fire-modes?open=true")
        .await
        .expect("reads")
}

async fn start(api: &Api, body: &Value) -> (u16, Value) {
    api.post("/api/v1/fire-modes", "", body)
        .await
        .expect("answers")
}

#[tokio::test]
async fn two_detectors_open_the_escape_door_and_what_stays_shut_rings() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let more = [
        "--commands",
        "gate-q1-0102=mute",
        "--commands",
        "gate-q1-0103=lie",
    ];
    let _fleet = fleet(&hub, dir.path(), &more);
    let api = hub.api("operator");
    let expected = [
        "exit-q1-0312",
        "gate-q1-0101",
        "gate-q1-0102",
        "gate-q1-0103",
    ];
    online(&hub, &expected).await;

    // one device alone, and a camera besides, are no confirmed fire
    raises(&hub, "smoke-q1-0215", "fire.smoke");
    raises(&hub, "cam-q1-0406", "camera.visual_fire");
    hub.api("operator").incident_of("S1").await;
    assert_eq!(open_modes(&api).await, Vec::<Value>::new());

    raises(&hub, "smoke-q1-0216", "fire.smoke");
    let mode = eventually("fire mode is on", SOON, || async {
        open_modes(&api).await.into_iter().next()
    })
    .await;
    assert_eq!(
        (&mode["started_by"], &mode["state"]),
        (&json!("rule:S2"), &json!("active"))
    );
    assert_eq!(
        (&mode["building"], &mode["zone"], &mode["drill"]),
        (&json!("q1-e2"), &json!("q1-e2-f6"), &json!(false))
    );
    let mut devices: Vec<&str> = mode["devices"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    devices.sort_unstable();
    assert_eq!(
        devices, expected,
        "the building's escape door and the quarter's barriers, no flat's door"
    );

    let mode = eventually("everything has come to its end", SOON, || async {
        let mode = open_modes(&api).await.into_iter().next()?;
        let mut commands = mode["commands"].as_array()?.iter();
        commands
            .all(|command| command["is_over"] == true)
            .then_some(mode)
    })
    .await;
    let stage = |device: &str| {
        let mut commands = mode["commands"].as_array().expect("a list").iter();
        let command = commands
            .find(|command| command["device"] == device)
            .expect("was told");
        command["stage"].as_str().expect("a word").to_owned()
    };
    assert_eq!(
        expected.map(stage),
        ["done", "done", "unknown", "no_effect"]
    );
    // each that stayed shut is work for the fire station
    let rung = eventually("what stayed shut rings", SOON, || async {
        let items = api.items("/api/v1/alarms?limit=200").await.ok()?;
        let of = items.into_iter().filter(|alarm| alarm["rule"] == "S4");
        let mut of: Vec<String> = of
            .filter_map(|alarm| alarm["device"].as_str().map(str::to_owned))
            .collect();
        of.sort();
        (of.len() == 2).then_some(of)
    })
    .await;
    assert_eq!(rung, ["gate-q1-0102", "gate-q1-0103"]);

    // it ends by hand, with a reason, and by nothing else
    let id = mode["id"].as_str().expect("an id");
    let path = format!("/api/v1/fire-modes/{id}/end");
    let (status, _) = api
        .post(&path, "", &json!({"reason": " "}))
        .await
        .expect("answers");
    assert_eq!(status, 400);
    let (status, ended) = api
        .post(&path, "", &json!({"reason": "明火已扑灭，人员清点完毕"}))
        .await
        .expect("answers");
    assert_eq!(
        (status, &ended["state"], &ended["ended_by"]),
        (200, &json!("ended"), &json!("wanglei")),
        "{ended}"
    );
    let (status, _) = api
        .post(&path, "", &json!({"reason": "again"}))
        .await
        .expect("answers");
    assert_eq!(status, 409);
    assert!(open_modes(&api).await.is_empty());
}

#[tokio::test]
async fn a_person_needs_a_detector_or_a_second_person() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let (operator, lead) = (hub.api("operator"), hub.api("station_lead"));
    let by_hand = json!({"zone": "q1-e2-f6", "reason": "电话报警"});
    let (status, refused) = start(&hub.api("property_manager"), &by_hand).await;
    assert_eq!(status, 403, "{refused}");
    let (status, proposed) = start(&operator, &by_hand).await;
    assert_eq!(
        (status, &proposed["state"]),
        (200, &json!("proposed")),
        "{proposed}"
    );
    assert_eq!(
        proposed["commands"],
        json!([]),
        "nothing is told to open yet"
    );
    let path = format!(
        "/api/v1/fire-modes/{}/confirm",
        proposed["id"].as_str().expect("an id")
    );
    let (status, _) = operator.post(&path, "", &json!({})).await.expect("answers");
    assert_eq!(status, 409, "nobody is two persons");
    let (status, active) = lead.post(&path, "", &json!({})).await.expect("answers");
    assert_eq!(
        (status, &active["state"], &active["confirmed_by"]),
        (200, &json!("active"), &json!("lead"))
    );
    assert_eq!(active["commands"].as_array().expect("a list").len(), 4);

    // with a detector in alarm one person is the second of two
    raises(&hub, "smoke-q4-0213", "fire.smoke");
    let incident = operator.incident_of("S1").await;
    let zone = incident["zone"].clone();
    let (status, active) = start(
        &operator,
        &json!({"zone": zone, "reason": "监控看到明火", "incident": incident["id"]}),
    )
    .await;
    assert_eq!(
        (status, &active["state"]),
        (200, &json!("active")),
        "{active}"
    );
    assert_eq!(active["incident"], incident["id"]);
    // pressed twice it is one
    let (_, again) = start(&lead, &json!({"zone": zone, "reason": "同上"})).await;
    assert_eq!(again["id"], active["id"]);

    // a drill is one everywhere, and moves nothing unless that is wanted
    let drill = json!({"zone": "q7-a1-f1", "reason": "季度演练", "drill": true});
    let (status, drilled) = start(&lead, &drill).await;
    assert_eq!(
        (status, &drilled["state"], &drilled["drill"]),
        (200, &json!("active"), &json!(true)),
        "{drilled}"
    );
    assert_eq!(drilled["commands"], json!([]));
    assert!(
        !drilled["devices"].as_array().expect("a list").is_empty(),
        "what would open is listed"
    );
}
