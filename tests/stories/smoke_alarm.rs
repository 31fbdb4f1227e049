//! A detector smokes: the alarm reaches the station, is claimed, resolved and closed, and other systems hear of it.

use std::collections::BTreeMap;
use std::time::Duration;

use blackbox::{Hub, Subscriber, eventually, publish};
use serde_json::{Value, json};

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

/// What a caller may ask of an incident, and why not.
fn may(incident: &Value) -> BTreeMap<String, Option<String>> {
    let all = incident["may"].as_array().expect("may").iter();
    let whole = all.filter(|one| one["department"].is_null());
    whole
        .map(|one| {
            let verb = one["verb"].as_str().expect("a verb").to_owned();
            (verb, one["reason"].as_str().map(str::to_owned))
        })
        .collect()
}

#[tokio::test]
async fn each_role_is_offered_what_it_may_do_and_told_why_not_now() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let topic = detector.event_topic("fire.smoke");
    let raised = smoke("s-1", "raised");
    let out = publish(&hub.demo, &detector, &topic, &raised, 1, "mqttv5");
    assert!(out.status.success());
    let operator = hub.api("operator");
    let id = operator.incident_of("S1").await["id"].clone();
    let id = id.as_str().expect("an id");
    let path = format!("/api/v1/incidents/{id}");
    let seen_by = async |role: &str| hub.api(role).get(&path).await.expect("the incident");

    assert_eq!(may(&seen_by("auditor").await), BTreeMap::new());
    let responder = may(&seen_by("responder").await);
    for theirs in ["claim", "note", "tick"] {
        assert_eq!(responder[theirs], None, "{theirs}: {responder:?}");
    }
    assert_eq!(responder["arrive"].as_deref(), Some("not_claimed"));
    for not_theirs in ["acknowledge", "cancel", "escalate", "force_close"] {
        assert!(!responder.contains_key(not_theirs), "{responder:?}");
    }
    let desk = may(&seen_by("operator").await);
    assert_eq!(desk["acknowledge"], None);
    assert_eq!(desk["close"].as_deref(), Some("wrong_state"));
    assert!(!desk.contains_key("cancel"), "{desk:?}");
    assert_eq!(may(&seen_by("station_lead").await)["cancel"], None);

    // the answer to a command says what is possible after it, and a refusal the word that was offered
    let claimed = operator.advance(id, "claim", json!({})).await;
    assert_eq!(may(&claimed)["arrive"], None);
    let lead = hub.api("station_lead");
    let theirs = may(&lead.get(&path).await.expect("the incident"));
    assert_eq!(theirs["claim"].as_deref(), Some("held_by_other"));
    let asked = json!({"expected_version": claimed["version"]});
    let (status, refused) = lead.command(id, "claim", "late", &asked).await.expect("no");
    assert_eq!((status, &refused["reason"]), (409, &json!("held_by_other")));

    // words and ticks turn nobody away: whoever decided before them is not too late
    let said =
        json!({"expected_version": claimed["version"], "note": "the key is with the neighbour"});
    let (status, noted) = lead.command(id, "note", "n", &said).await.expect("noted");
    assert_eq!((status, &noted["version"]), (200, &claimed["version"]));
    let tick = json!({"expected_version": claimed["version"], "step": 2});
    let (status, ticked) = lead.command(id, "tick", "t", &tick).await.expect("ticked");
    assert_eq!((status, &ticked["ticked"]), (200, &json!([2])));
    let arrive = json!({"expected_version": claimed["version"]});
    let (status, there) = operator
        .command(id, "arrive", "v", &arrive)
        .await
        .expect("ok");
    assert_eq!(status, 200, "{there}");

    // what has moved on is shown with what may be done about it now
    let (status, old) = operator
        .command(id, "acknowledge", "a", &arrive)
        .await
        .expect("no");
    assert_eq!(
        (status, &old["reason"]),
        (409, &json!("already_acknowledged"))
    );
    let dispatch = json!({"expected_version": claimed["version"], "departments": ["traffic"]});
    let (status, moved) = operator
        .command(id, "dispatch", "d", &dispatch)
        .await
        .expect("no");
    assert_eq!((status, &moved["code"]), (409, &json!("version_conflict")));
    assert_eq!(
        may(&moved["current"])["arrive"].as_deref(),
        Some("already_done")
    );
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
