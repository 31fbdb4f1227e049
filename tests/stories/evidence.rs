//! What responders show of an incident: a photo is sent, named, seen by those who handle it and by nobody else, and gone some weeks after the end.

mod snapshots;

use std::time::Duration;

use blackbox::{Api, Browser, Hub, eventually};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::clock::shown;

/// A JPEG with what a camera writes beside the picture, and its name.
fn photo(seed: u8) -> (String, Vec<u8>) {
    let mut bytes = b"\xff\xd8\xff\xe1\x00\x14Exif\x00\x00where I live\xff\xc0\x00\x0b\x08\x000\x00@\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00?\x00".to_vec();
    bytes.extend([seed, b'4', 0xff, 0xd9]);
    (hex::encode(Sha256::digest(&bytes)), bytes)
}

/// Somebody who is logged in, by the name of the demo's users.
struct Phone {
    client: reqwest::Client,
    base: String,
    token: String,
    api: Api,
}

impl Phone {
    fn of(hub: &Hub, login: &str) -> Self {
        let user = hub.demo.users.iter().find(|user| user.login == login);
        let user = user.unwrap_or_else(|| hub.demo.user(login));
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20));
        Self {
            client: client.build().expect("a client"),
            base: hub.demo.http.trim_end_matches('/').to_owned(),
            token: user.token.clone(),
            api: Api::new(&hub.demo.http, &user.token),
        }
    }

    async fn call(&self, method: Method, path: &str, bytes: Vec<u8>) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.bearer_auth(&self.token).body(bytes);
        request.send().await.expect("answers")
    }

    async fn send(&self, incident: &str, (name, bytes): &(String, Vec<u8>)) -> u16 {
        let path = format!("/api/v1/incidents/{incident}/photos/{name}");
        let sent = self.call(Method::PUT, &path, bytes.clone()).await;
        sent.status().as_u16()
    }

    async fn look(&self, incident: &str, name: &str) -> Response {
        let path = format!("/api/v1/incidents/{incident}/photos/{name}");
        self.call(Method::GET, &path, Vec::new()).await
    }

    async fn sees(&self, incident: &str, name: &str) -> u16 {
        self.look(incident, name).await.status().as_u16()
    }

    async fn view(&self, incident: &str) -> Value {
        let path = format!("/api/v1/incidents/{incident}");
        self.api.get(&path).await.expect("an incident")
    }
}

fn showing(names: &[&str]) -> Value {
    let evidence: Vec<_> = names
        .iter()
        .map(|name| json!({"kind": "photo", "reference": name}))
        .collect();
    json!({"evidence": evidence})
}

/// A hazard is reported in the way of the gate, and the departments have it.
async fn hazard(hub: &Hub) -> String {
    let body = json!({
        "type": "fire_hazard", "site": "q1", "zone": "q1-gate-in", "text": "消防通道被杂物堵住",
        "occurred_at": jiff::Timestamp::now().to_string(),
    });
    let operator = hub.api("operator");
    let key = "00000000-0000-4000-8000-000000000001";
    let (status, taken) = operator
        .post("/api/v1/reports", key, &body)
        .await
        .expect("answers");
    assert_eq!(status, 201, "{taken}");
    let id = taken["incident"].as_str().expect("an id").to_owned();
    operator
        .advance(&id, "dispatch", json!({"note": "属实"}))
        .await;
    id
}

#[tokio::test]
async fn what_a_responder_shows_is_seen_by_those_who_handle_it_and_by_nobody_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let incident = hazard(&hub).await;
    let (fire, operator) = (Phone::of(&hub, "fire"), Phone::of(&hub, "operator"));
    let (first, second) = (photo(1), photo(2));

    // nothing is shown that is not there, and words are no photo
    let version = fire.view(&incident).await["version"].clone();
    let note = async |key: &str, mut body: Value| {
        body["expected_version"] = version.clone();
        let done = fire.api.command(&incident, "note", key, &body).await;
        done.expect("answers")
    };
    let (status, missing) = note("k1", showing(&[&first.0])).await;
    assert_eq!(
        (status, &missing["missing"]),
        (422, &json!([first.0])),
        "{missing}"
    );
    let (status, words) = note("k1", showing(&["看过了"])).await;
    assert_eq!((status, &words["field"]), (422, &json!("evidence")));
    assert_eq!(fire.view(&incident).await["version"], version);

    // sent, named; sent and named again it is the same
    for login in ["auditor", "property_manager"] {
        assert_eq!(Phone::of(&hub, login).send(&incident, &first).await, 403);
    }
    assert_eq!(fire.send(&incident, &first).await, 201);
    assert_eq!(fire.send(&incident, &first).await, 200);
    assert_eq!(
        operator.sees(&incident, &first.0).await,
        404,
        "not named yet"
    );
    let (status, shown) = note("k1", showing(&[&first.0])).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["photos"][0]["sent_by"], "fire");
    assert_eq!(note("k1", showing(&[&first.0])).await, (200, shown.clone()));

    // those who handle it, without where it was taken; it is on record first, and once
    for _ in 0..2 {
        let seen = operator.look(&incident, &first.0).await;
        assert_eq!(seen.status(), 200);
        let header = |name: &str| seen.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("content-type"), "image/jpeg");
        assert_eq!(header("cache-control"), "private, no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert!(header("content-security-policy").contains("sandbox"));
        assert!(header("content-disposition").starts_with("inline; filename="));
        let bytes = seen.bytes().await.expect("bytes");
        assert!(!bytes.windows(5).any(|w| w == b"where") && bytes.starts_with(b"\xff\xd8"));
    }
    assert_eq!(fire.sees(&incident, &first.0).await, 200);
    let trail = hub.api("auditor");
    let trail = trail
        .items("/api/v1/audit?act=show")
        .await
        .expect("a trail");
    let told: Vec<_> = trail
        .iter()
        .map(|line| (line["actor"].as_str(), line["to"].as_str()))
        .collect();
    let operators = hub.demo.user("operator").login.as_str();
    assert_eq!(
        told,
        [(Some(operators), Some("photos"))],
        "whoever sent it is shown nothing new"
    );

    // nobody else: no picture, and no name by which it could be shown elsewhere
    for login in ["auditor", "administrator", "property_manager", "police"] {
        let other = Phone::of(&hub, login);
        assert_eq!(other.sees(&incident, &first.0).await, 404, "{login}");
        let view = other.view(&incident).await;
        assert_eq!(view["photos"], json!([]), "{login}");
        assert!(!view.to_string().contains(&first.0), "{login}: {view}");
    }
    let nobodys = "inc_00000000000000000000000000000000";
    assert_eq!(operator.sees(nobodys, &first.0).await, 404);

    // a power cut between sending and naming
    assert_eq!(fire.send(&incident, &second).await, 201);
    let demo = hub.demo.clone();
    hub.kill9();
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    let (fire, operator) = (Phone::of(&hub, "fire"), Phone::of(&hub, "operator"));
    let (status, again) = {
        let mut body = showing(&[&first.0]);
        body["expected_version"] = version.clone();
        let done = fire.api.command(&incident, "note", "k1", &body).await;
        done.expect("answers")
    };
    assert_eq!((status, &again["version"]), (200, &shown["version"]));
    let claimed = fire.api.advance(&incident, "claim", json!({})).await;
    let mut arrive = showing(&[&second.0]);
    arrive["fence"] = claimed["tasks"][0]["fence"].clone();
    let arrived = fire.api.advance(&incident, "arrive", arrive).await;
    assert_eq!(arrived["photos"].as_array().map(Vec::len), Some(2));
    for (name, _) in [&first, &second] {
        assert_eq!(operator.sees(&incident, name).await, 200);
    }
}

#[tokio::test]
async fn photos_are_gone_some_weeks_after_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let incident = hazard(&hub).await;
    let fire = Phone::of(&hub, "fire");
    let (name, bytes) = photo(3);
    assert_eq!(fire.send(&incident, &(name.clone(), bytes)).await, 201);
    for (verb, mut body) in [
        ("claim", json!({})),
        ("arrive", json!({})),
        ("resolve", showing(&[&name])),
    ] {
        body["cause"] = json!("genuine");
        fire.api.advance(&incident, verb, body).await;
    }
    hub.api("operator")
        .advance(&incident, "close", json!({}))
        .await;
    let file = dir.path().join("photos").join(&name[..2]).join(&name);
    assert!(file.is_file() && hub.stop().await.success());

    let later = async |shift: &str| {
        let told = dir.path().join("shift");
        std::fs::write(&told, shift).expect("written");
        let settings = shown(&told.display().to_string());
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(n, to)| (*n, to.as_str())).collect();
        Hub::start_set(dir.path(), &settings).await
    };
    let hub = later("+20d").await;
    assert_eq!(
        Phone::of(&hub, "operator").sees(&incident, &name).await,
        200
    );
    assert!(hub.stop().await.success());
    let hub = later("+40d").await;
    let operator = Phone::of(&hub, "operator");
    eventually("the photo is gone", Duration::from_secs(30), || {
        std::future::ready((!file.exists()).then_some(()))
    })
    .await;
    assert_eq!(operator.sees(&incident, &name).await, 404);
    let view = operator.view(&incident).await;
    assert_eq!(view["photos"], json!([]));
    assert_eq!(view["evidence"][0]["reference"], name, "the record stays");
}

#[tokio::test]
async fn a_photo_taken_without_a_line_arrives_by_itself_and_the_operator_sees_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let incident = hazard(&hub).await;
    let users = hub.demo.users.iter();
    let users: Vec<_> = users
        .map(|user| json!({"login": user.login, "password": user.password}))
        .collect();
    let users = json!(users).to_string();
    let mut browser = Browser::start("evidence", &[&hub.demo.http, &incident, &users]);
    browser.says("KEPT");
    let operator = Phone::of(&hub, "operator");
    let before = operator.view(&incident).await;
    assert_eq!(before["photos"], json!([]), "there is no line");
    browser.says("SENT");
    let view = operator.view(&incident).await;
    let notes = view["timeline"].as_array().expect("a timeline").iter();
    let notes = notes.filter(|entry| entry["verb"] == "note").count();
    assert_eq!(notes, 1, "sent twice, it happened once: {view}");
    let name = view["photos"][0]["sha256"]
        .as_str()
        .expect("a name")
        .to_owned();
    assert_eq!(Phone::of(&hub, "police").sees(&incident, &name).await, 404);
    browser.done();
}
