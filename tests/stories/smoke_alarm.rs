//! A detector smokes: the alarm reaches the station, is claimed, resolved and closed, and other systems hear of it.

use std::time::Duration;

use blackbox::{Hub, Subscriber, eventually, publish};
use serde_json::json;

fn smoke(id: &str, phase: &str) -> Vec<u8> {
    json!({"id": id, "kind": "fire.smoke", "phase": phase, "attrs": {"level": 7}})
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn from_the_first_smoke_to_the_closed_incident() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let topic = detector.event_topic("fire.smoke");
    for (qos, version, id) in [
        (1, "mqttv311", "s-1"),
        (2, "mqttv311", "s-2"),
        (1, "mqttv5", "s-3"),
        (2, "mqttv5", "s-4"),
    ] {
        let out = publish(
            &hub.demo,
            &detector,
            &topic,
            &smoke(id, "raised"),
            qos,
            version,
        );
        assert!(
            out.status.success(),
            "QoS {qos} {version}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let api = hub.api("operator");
    let incident = api.incident_of("S1").await;
    assert_eq!(
        (incident["severity"].as_str(), incident["state"].as_str()),
        (Some("P1"), Some("dispatched"))
    );
    assert_eq!(incident["lead"], "fire");

    let id = incident["id"].as_str().expect("an id");
    let told = eventually("a person was told", Duration::from_secs(20), || async {
        let now = api.get(&format!("/api/v1/incidents/{id}")).await.ok()?;
        let rungs = now["notified"].as_array()?.iter();
        let duty = rungs.clone().find(|rung| rung["department"] == "fire")?;
        (duty["told"][0]["state"] == "delivered").then(|| duty.clone())
    })
    .await;
    let at = told["at"].as_str().expect("a time");
    let roster = api.get(&format!("/api/v1/roster?at={at}")).await;
    let roster = roster.expect("the roster");
    let mut posts = roster["posts"].as_array().expect("posts").iter();
    let duty = posts.find(|post| post["id"] == "fire-duty");
    let on_duty = &duty.expect("the fire station's post")["on_duty"][0];
    assert_eq!(
        (
            &told["told"][0]["person"]["id"],
            &told["told"][0]["person"]["name"]
        ),
        (&on_duty["person"], &on_duty["name"]),
        "{told}"
    );
    for verb in ["acknowledge", "claim", "arrive"] {
        let after = api.advance(id, verb, json!({})).await;
        assert_eq!(after["state"], "dispatched", "after {verb}: {after}");
    }
    let version = api.incident_of("S1").await["version"].clone();
    let body = json!({"expected_version": version, "note": "tested", "cause": "fire"});
    let answer = api.command(id, "resolve", "too early", &body).await;
    let (status, refused) = answer.expect("an answer");
    assert_eq!(status, 409, "it still smokes: {refused}");
    let out = publish(
        &hub.demo,
        &detector,
        &topic,
        &smoke("s-5", "cleared"),
        1,
        "mqttv5",
    );
    assert!(out.status.success());
    eventually("the smoke is over", Duration::from_secs(20), || async {
        let now = api.get(&format!("/api/v1/incidents/{id}")).await.ok()?;
        (now["is_lasting"] == false).then_some(())
    })
    .await;
    for (verb, state) in [("resolve", "resolved"), ("close", "closed")] {
        let after = api
            .advance(id, verb, json!({"note": "tested", "cause": "fire"}))
            .await;
        assert_eq!(after["state"], state, "after {verb}: {after}");
    }

    let told = api
        .items(&format!(
            "/api/v1/events?device={}&kind=fire.smoke",
            detector.id
        ))
        .await
        .expect("events");
    let mut ids: Vec<_> = told.iter().filter_map(|e| e["id"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["s-1", "s-2", "s-3", "s-4", "s-5"]);
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn whoever_may_subscribe_hears_of_it_and_nobody_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let demo = &hub.demo;
    let detector = demo.device("fire_sensor").clone();
    let door = demo.device("access").clone();
    let integration = &demo.integration;
    let allowed = Subscriber::start(
        demo,
        &integration.username,
        &integration.password,
        "screen-1",
        "ssg/v1/+/_gw/evt/#",
        &["-d"],
    );
    let nosy = Subscriber::start(
        demo,
        &door.username,
        &door.password,
        &door.id,
        "ssg/v1/+/_gw/evt/#",
        &["-d"],
    );
    let greedy = Subscriber::start(
        demo,
        &integration.username,
        &integration.password,
        "screen-2",
        "#",
        &["-d"],
    );
    let patience = Duration::from_secs(10);
    let granted = allowed
        .line_with("Subscribed", patience)
        .expect("the subscription is answered");
    assert!(
        granted.contains(": 1") || granted.contains(": 0"),
        "{granted}"
    );
    for refused in [&nosy, &greedy] {
        let answer = refused
            .line_with("Subscribed", patience)
            .expect("the subscription is answered");
        assert!(answer.contains("128"), "refused with 0x80: {answer}");
    }
    let out = publish(
        demo,
        &detector,
        &detector.event_topic("fire.smoke"),
        &smoke("heard", "raised"),
        1,
        "mqttv311",
    );
    assert!(out.status.success());
    let heard = allowed
        .line_with("\"heard\"", patience)
        .expect("the canonical event arrives");
    assert!(
        heard.contains(&format!(
            "ssg/v1/{}/_gw/evt/fire_sensor/fire-smoke",
            detector.site
        )),
        "{heard}"
    );
    // one trace id from the journal over the canonical event to what the screen shows
    let (_, json) = heard.split_once(' ').expect("topic and payload");
    let canonical: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let incident = hub.api("operator").incident_of("S1").await;
    let path = format!(
        "/api/v1/incidents/{}",
        incident["id"].as_str().expect("an id")
    );
    let api = hub.api("operator");
    let event = eventually("history has its event", Duration::from_secs(10), || async {
        let shown = api.get(&path).await.ok()?;
        shown["events"][0]["event_id"].as_str().map(str::to_owned)
    })
    .await;
    let trace = event.trim_start_matches("evt_");
    assert!(
        canonical["traceparent"]
            .as_str()
            .expect("a trace")
            .contains(trace),
        "{trace}: {canonical}"
    );
    assert!(hub.log().contains(trace), "the log names it");
    let quiet = Duration::from_millis(300);
    assert_eq!(nosy.line_with("\"heard\"", quiet), None);
    assert_eq!(greedy.line_with("\"heard\"", quiet), None);
}
