//! Plates and cards are masked for everybody; whoever needs one says for what and for how long, and the audit trail says who was shown what.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use blackbox::{Api, Demo, Hub, eventually, publish};
use serde_json::{Value, json};

const LISTED: &str = "浙G8K2M6";
const OTHER: &str = "浙G77A31";
const CARD: &str = "c-4471903";
/// Numbers messages: a sender's own id is shown as it came.
static SENT: AtomicU32 = AtomicU32::new(0);

fn send(demo: &Demo, device: &blackbox::Device, kind: &str, attrs: &Value) {
    let id = format!("m{}", SENT.fetch_add(1, Ordering::Relaxed));
    let body = json!({"id": id, "kind": kind, "phase": "instant", "attrs": attrs}).to_string();
    let topic = device.event_topic(kind);
    let sent = publish(demo, device, &topic, body.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
}

/// The listed car and another one at one gate, a card at a door of the same quarter.
async fn compound(dir: &std::path::Path) -> Hub {
    let hub = Hub::start(dir).await;
    let gate = hub.demo.device("barrier").clone();
    let door = hub.demo.devices.iter();
    let mut door = door.filter(|d| d.class == "access" && d.site == gate.site);
    let door = door.next().expect("a door in the quarter").clone();
    let read = |plate: &str| json!({"plate": plate, "confidence": 0.99, "direction": "in"});
    send(&hub.demo, &gate, "vehicle.plate_read", &read(LISTED));
    send(&hub.demo, &gate, "vehicle.plate_read", &read(OTHER));
    let card = json!({"method": "card", "credential_ref": CARD});
    send(&hub.demo, &door, "access.granted", &card);
    let api = hub.api("operator");
    eventually("history has all three", Duration::from_secs(20), || async {
        let items = api.items("/api/v1/events").await.ok()?;
        (items.len() >= 3).then_some(())
    })
    .await;
    hub
}

fn holds(value: &Value) -> bool {
    let text = value.to_string();
    [LISTED, OTHER, CARD].iter().any(|it| text.contains(it))
}

async fn get(api: &Api, path: &str) -> Value {
    api.get(path).await.expect("an answer")
}

#[tokio::test]
async fn nobody_sees_a_plate_by_role_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = compound(dir.path()).await;
    let incident = hub.api("operator").incident_of("B1").await;
    let id = incident["id"].as_str().expect("an id").to_owned();
    for role in [
        "operator",
        "station_lead",
        "property_manager",
        "auditor",
        "administrator",
    ] {
        let api = hub.api(role);
        for path in ["/api/v1/incidents", "/api/v1/alarms", "/api/v1/events"] {
            let answer = get(&api, path).await;
            assert!(!holds(&answer), "{role} {path}: {answer}");
        }
        let whole = get(&api, &format!("/api/v1/incidents/{id}")).await;
        assert!(!holds(&whole), "{role}: {whole}");
        assert_eq!(whole["sight"]["is_masked"], true, "{role}");
        let may = matches!(role, "operator" | "station_lead");
        assert_eq!(whole["sight"]["may_unmask"], may, "{role}");
    }
    // the police are there for it: in the incident that they take part in, and nowhere else
    let police = hub.demo.users.iter().find(|user| user.login == "police");
    let police = Api::new(&hub.demo.http, &police.expect("an officer").token);
    let whole = get(&police, &format!("/api/v1/incidents/{id}")).await;
    assert_eq!(whole["detail"]["plate"], LISTED, "{whole}");
    assert_eq!(whole["sight"]["is_masked"], false);
    assert!(!holds(&get(&police, "/api/v1/events").await));
    assert!(!holds(&get(&police, "/api/v1/incidents").await));
}

#[tokio::test]
async fn leave_is_asked_for_with_a_purpose_and_shows_one_incident_and_its_quarter() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = compound(dir.path()).await;
    let operator = hub.api("operator");
    let incident = operator.incident_of("B1").await;
    let id = incident["id"].as_str().expect("an id").to_owned();
    let ask = async |api: &Api, body: Value| {
        let answer = api.post("/api/v1/unmaskings", "key", &body).await;
        answer.expect("answers")
    };
    for (body, field) in [
        (
            json!({"incident": id, "purpose": "tracing", "minutes": 30}),
            "needs a reason",
        ),
        (
            json!({"incident": id, "purpose": "curiosity", "minutes": 30}),
            "unknown purpose",
        ),
        (
            json!({"incident": id, "purpose": "handling", "minutes": 600}),
            "5 to 480",
        ),
    ] {
        let (status, refused) = ask(&operator, body).await;
        assert_eq!(status, 422, "{refused}");
        assert!(
            refused["detail"]
                .as_str()
                .expect("a detail")
                .contains(field),
            "{refused}"
        );
    }
    let handling = json!({"incident": id, "purpose": "handling", "minutes": 5});
    // a fireman has no part in a listed plate, an administrator none in plates
    let (status, _) = ask(&hub.api("responder"), handling.clone()).await;
    assert_eq!(status, 403);
    let (status, _) = ask(&hub.api("administrator"), handling.clone()).await;
    assert_eq!(status, 403);

    let (status, leave) = ask(&operator, handling).await;
    assert_eq!(status, 200, "{leave}");
    let path = format!("/api/v1/incidents/{id}");
    let whole = get(&operator, &path).await;
    assert_eq!(whole["detail"]["plate"], LISTED, "{whole}");
    assert_eq!(whole["sight"]["shown_until"], leave["expires_at"]);
    let history = get(&operator, "/api/v1/events").await.to_string();
    for shown in [LISTED, OTHER, CARD] {
        assert!(history.contains(shown), "{shown} in {history}");
    }
    // it is the operator's, not the station's
    assert!(!holds(&get(&hub.api("station_lead"), &path).await));
    // what another quarter's gate saw stays masked
    let gate = hub.demo.device("barrier");
    let far = hub.demo.devices.iter();
    let mut far = far.filter(|d| d.class == "barrier" && d.site != gate.site);
    let far = far.next().expect("a gate of another quarter").clone();
    send(
        &hub.demo,
        &far,
        "vehicle.plate_read",
        &json!({"plate": "浙G10X55", "direction": "in"}),
    );
    let seen = eventually("it is in history", Duration::from_secs(20), || async {
        let path = format!("/api/v1/events?kind=vehicle.plate_read&device={}", far.id);
        operator.items(&path).await.ok()?.into_iter().next()
    })
    .await;
    assert_eq!(seen["attrs"]["plate"], "浙G10***");
    // nor is another incident shown, though it is the same car
    let again = json!({"plate": LISTED, "confidence": 0.99, "direction": "in"});
    send(&hub.demo, &far, "vehicle.plate_read", &again);
    let other = eventually(
        "it opens an incident there",
        Duration::from_secs(20),
        || async {
            let active = "/api/v1/incidents?state=active&limit=200";
            let items = operator.items(active).await.ok()?.into_iter();
            let mut there = items.filter(|i| i["rule"] == "B1" && i["site"] == far.site.as_str());
            there.next()
        },
    )
    .await;
    let other = other["id"].as_str().expect("an id");
    let other = get(&operator, &format!("/api/v1/incidents/{other}")).await;
    assert!(!holds(&other), "{other}");
    assert_eq!(other["sight"]["is_masked"], true, "{other}");

    let own = get(&operator, "/api/v1/unmaskings").await;
    assert_eq!(own["items"][0]["id"], leave["id"]);
    let (status, _) = hub
        .api("operator")
        .get_raw("/api/v1/unmaskings?whose=all")
        .await
        .expect("answers");
    assert_eq!(status, 403);
    let all = get(&hub.api("auditor"), "/api/v1/unmaskings?whose=all").await;
    assert_eq!(all["items"][0]["purpose"], "handling");

    let given_back = format!(
        "/api/v1/unmaskings/{}",
        leave["id"].as_str().expect("an id")
    );
    assert_eq!(operator.delete(&given_back).await.expect("answers"), 204);
    assert!(!holds(&get(&operator, &path).await));
    assert!(!holds(&get(&operator, "/api/v1/events").await));
    let acts = trail(hub, dir.path()).await;
    let acts: Vec<&str> = acts.iter().map(|(act, _)| act.as_str()).collect();
    assert_eq!(acts, ["unmask", "show", "show_events", "end_unmasking"]);
}

#[tokio::test]
async fn a_car_at_the_gate_is_found_by_its_plate_and_the_search_is_on_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = compound(dir.path()).await;
    let operator = hub.api("operator");
    let found = async |query: &str| {
        let items = operator.items(&format!("/api/v1/events?{query}")).await;
        items.expect("items")
    };
    // as people write it: lower case, with a dot
    let items = found("plate=%E6%B5%99g%C2%B777a31").await;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0]["attrs"]["plate"], "浙G77***");
    assert_eq!(found(&format!("credential={CARD}")).await.len(), 1);
    assert_eq!(found("plate=%E6%B5%99G00000").await.len(), 0);
    assert_eq!(found("person=nobody").await.len(), 0);
    // a made-up cursor hides no search
    assert_eq!(found("person=somebody&cursor=999999.0").await.len(), 0);
    for role in ["responder", "auditor", "administrator"] {
        let answer = hub.api(role).get_raw("/api/v1/events?plate=X").await;
        assert_eq!(answer.expect("answers").0, 403, "{role}");
    }
    let two = operator.get_raw("/api/v1/events?plate=X&person=Y").await;
    assert_eq!(two.expect("answers").0, 400);
    let searches = trail(hub, dir.path()).await;
    let row = |text: &str| ("search".to_owned(), Some(text.to_owned()));
    let expected = ["浙g·77a31", CARD, "浙G00000", "nobody", "somebody"].map(row);
    assert_eq!(searches, expected);
}

/// Stops the hub and reads what the audit trail says of looking: act and note.
async fn trail(hub: Hub, dir: &std::path::Path) -> Vec<(String, Option<String>)> {
    assert!(hub.stop().await.success());
    let database = rusqlite::Connection::open(dir.join("state.db")).expect("opens");
    let mut rows = database
        .prepare("SELECT act, note FROM audit WHERE act IN ('unmask', 'end_unmasking', 'show', 'show_events', 'search') ORDER BY id")
        .expect("a table");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.expect("reads")
        .map(|row| row.expect("a row"))
        .collect()
}

/// Runs the hub over a directory days later. Plates are kept for a day.
async fn days_later(dir: &std::path::Path, days: u32) -> Hub {
    let shift = dir.join("shift");
    std::fs::write(&shift, format!("+{days}d")).expect("written");
    let mut settings = crate::clock::shown(&shift.display().to_string()).to_vec();
    settings.push(("JIMING__PRIVACY__PLATE_DAYS", "1".to_owned()));
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, to)| (*name, to.as_str()))
        .collect();
    Hub::start_set(dir, &settings).await
}

#[tokio::test]
async fn plates_go_when_their_days_are_over_and_what_is_held_goes_when_the_hold_is() {
    const FAR: &str = "浙G10X55";
    let dir = tempfile::tempdir().expect("a directory");
    let hub = compound(dir.path()).await;
    let gate = hub.demo.device("barrier").clone();
    let far = hub.demo.devices.iter();
    let mut far = far.filter(|d| d.class == "barrier" && d.site != gate.site);
    let far = far.next().expect("a gate of another quarter").clone();
    let read = json!({"plate": FAR, "confidence": 0.99, "direction": "in"});
    send(&hub.demo, &far, "vehicle.plate_read", &read);
    let operator = hub.api("operator");
    let found = async |api: &Api, plate: &str| {
        let path = format!("/api/v1/events?plate={}", plate.replace('浙', "%E6%B5%99"));
        api.items(&path).await.expect("items").len()
    };
    eventually(
        "the other gate's is in history",
        Duration::from_secs(20),
        || async {
            let all = operator.items("/api/v1/events").await.ok()?;
            all.iter()
                .any(|e| e["device"] == far.id.as_str())
                .then_some(())
        },
    )
    .await;
    assert_eq!(
        (found(&operator, OTHER).await, found(&operator, FAR).await),
        (1, 1)
    );
    let incident = operator.incident_of("B1").await;
    let id = incident["id"].as_str().expect("an id").to_owned();
    let lead = hub.api("station_lead");
    let cancelled = lead
        .advance(&id, "cancel", json!({"cause": "drill", "note": "演练"}))
        .await;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let now = get(&lead, "/api/v1/meta").await["server_time"].clone();
    let now: jiff::Timestamp = now.as_str().expect("text").parse().expect("a time");
    let until = (now + jiff::SignedDuration::from_hours(24 * 30)).to_string();
    let body = json!({"incident": id, "reason": "诉讼", "until": until});
    let (status, hold) = lead
        .post("/api/v1/holds", "", &body)
        .await
        .expect("answers");
    assert_eq!(status, 200, "{hold}");
    assert!(hub.stop().await.success());

    // the other quarter's plate goes, the event stays; the gate's are held
    let hub = days_later(dir.path(), 3).await;
    let operator = hub.api("operator");
    let at_far = format!("/api/v1/events?kind=vehicle.plate_read&device={}", far.id);
    eventually("its days are over", Duration::from_secs(20), || async {
        let items = operator.items(&at_far).await.ok()?;
        (items[0]["attrs"]["plate"] == "deleted-by-retention").then_some(())
    })
    .await;
    assert_eq!(found(&operator, FAR).await, 0);
    assert_eq!(found(&operator, OTHER).await, 1);
    assert_eq!(found(&operator, LISTED).await, 1);
    let listed = get(&hub.api("auditor"), "/api/v1/holds").await;
    assert_eq!(listed["items"][0]["id"], hold["id"], "{listed}");
    let path = format!("/api/v1/incidents/{id}");
    let detail = get(&hub.api("station_lead"), &path).await["detail"]["plate"].clone();
    assert_eq!(detail, "浙G8K***");

    // somebody ends the hold
    let end = format!("/api/v1/holds/{}", hold["id"].as_str().expect("an id"));
    let lead = hub.api("station_lead");
    assert_eq!(lead.delete(&end).await.expect("answers"), 204);
    assert_eq!(lead.delete(&end).await.expect("answers"), 409);
    assert!(hub.stop().await.success());
    let hub = days_later(dir.path(), 3).await;
    let operator = hub.api("operator");
    eventually("it goes with the hold", Duration::from_secs(20), || async {
        let of_gate = found(&operator, OTHER).await + found(&operator, LISTED).await;
        (of_gate == 0).then_some(())
    })
    .await;
    let whole = get(&operator, &path).await;
    assert_eq!(whole["detail"]["plate"], "deleted-by-retention", "{whole}");
    assert_eq!(
        whole["sight"]["may_unmask"], false,
        "there is nothing to see"
    );
    assert_eq!(found(&operator, FAR).await, 0);
    let audit = hub
        .api("auditor")
        .items("/api/v1/audit?act=forget_people")
        .await;
    assert!(audit.expect("rows").len() >= 3);
    assert!(hub.stop().await.success());
    // and the files do not have them either
    for entry in std::fs::read_dir(dir.path().join("events")).expect("files") {
        let path = entry.expect("a file").path();
        let bytes = std::fs::read(&path).expect("reads");
        for plate in [LISTED, OTHER, FAR] {
            let has = bytes.windows(plate.len()).any(|w| w == plate.as_bytes());
            assert!(!has, "{plate} in {}", path.display());
        }
    }
}
