//! What residents and grid workers report: once, with a photo, to the end and back again; and what is refused.

use std::time::Duration;

use blackbox::{Hub, eventually};
use reqwest::Method;
use serde_json::{Value, json};

/// A JPEG with what a camera writes beside the picture.
const PHOTO: &[u8] = b"\xff\xd8\xff\xe1\x00\x14Exif\x00\x00where I live\xff\xc0\x00\x0b\x08\x000\x00@\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00?\x00\x124\xff\xd9";
const PHOTO_NAME: &str = "b052e7a20adb1b5aa29e9b0fa0602db3fc050d389dba89936e71ec19c14909d0";
/// The same without.
const STORED: &[u8] = b"\xff\xd8\xff\xc0\x00\x0b\x08\x000\x00@\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00?\x00\x124\xff\xd9";
const STORED_NAME: &str = "4ed210c8b9fd8277033625374a7407e907f4653b2f2a9441be3b2965d5835dd4";
const GIF: (&[u8], &str) = (
    b"GIF89a\x01\x00\x01\x00",
    "fb6567d497606314a968515ebf9063dcee9fcff777897c384ed8e6a26dbd7190",
);
const HTML: (&[u8], &str) = (
    b"<html><script>alert(1)</script>",
    "5d5b9485d646b662f2b51a73141f626b981087ff795f15032a1c359faee3b74a",
);

/// Somebody with a phone and without an account; or with one.
struct Phone {
    client: reqwest::Client,
    base: String,
    secret: String,
    token: Option<String>,
}

impl Phone {
    fn of_resident(hub: &Hub, seed: u8) -> Self {
        Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(20))
                .build()
                .expect("a client"),
            base: format!("{}/api/v1", hub.demo.http.trim_end_matches('/')),
            secret: char::from(b'A' + seed).to_string().repeat(43),
            token: None,
        }
    }

    fn of(hub: &Hub, role: &str) -> Self {
        let token = Some(hub.demo.user(role).token.clone());
        Self {
            token,
            ..Self::of_resident(hub, 25)
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request.header("Report-Secret", &self.secret),
        }
    }

    async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
        let reply = request.send().await.expect("answers");
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        Self::answer(self.request(Method::GET, path)).await
    }

    async fn report(&self, key: &str, body: &Value) -> (u16, Value) {
        let request = self.request(Method::POST, "/reports");
        Self::answer(request.header("Idempotency-Key", key).json(body)).await
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> (u16, Value) {
        let request = self.request(Method::PUT, &format!("/report/photos/{name}"));
        let request = request.header("content-type", "image/jpeg");
        Self::answer(request.body(bytes.to_vec())).await
    }

    async fn say(&self, id: &str, key: &str, satisfaction: &str) -> (u16, Value) {
        let request = self.request(Method::POST, &format!("/reports/{id}/answer"));
        let body = json!({"satisfaction": satisfaction, "note": "还堵着"});
        Self::answer(request.header("Idempotency-Key", key).json(&body)).await
    }

    /// A fire hazard in the way of a gate.
    fn hazard(&self, zone: &str) -> Value {
        json!({
            "type": "fire_hazard", "site": "q1", "zone": zone, "text": "消防通道被杂物堵住",
            "occurred_at": jiff::Timestamp::now().to_string(), "secret": self.secret,
        })
    }
}

fn key(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

fn words(report: &Value) -> Vec<&str> {
    let steps = report["progress"].as_array().expect("steps");
    steps
        .iter()
        .filter_map(|step| step["state"].as_str())
        .collect()
}

#[tokio::test]
async fn a_resident_reports_with_a_photo_follows_it_and_has_it_opened_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let phone = Phone::of_resident(&hub, 0);
    let (status, form) = phone.get("/report/form").await;
    assert_eq!((status, &form["limits"]["photos"]), (200, &json!(4)));
    assert_eq!(form["types"].as_array().map(Vec::len), Some(8));
    let text = form.to_string();
    assert!(
        text.contains("q1-gate-in") && text.contains("119"),
        "{text}"
    );
    let floor = "q1-e2-f6";
    let (_, full) = Phone::of(&hub, "operator").get("/report/form").await;
    assert!(
        full.to_string().len() > text.len(),
        "the station sees more places"
    );
    assert!(
        !text.contains(floor) && !text.contains("\"kind\""),
        "floors and flats are not for everybody"
    );

    // the photo first, then the report that names it
    let mut body = phone.hazard("q1-gate-in");
    body["photos"] = json!([PHOTO_NAME]);
    body["contact"] = json!({"name": "李四", "phone": "13812345678"});
    let (status, missing) = phone.report(&key(1), &body).await;
    assert_eq!(
        (status, &missing["missing"]),
        (422, &json!([PHOTO_NAME])),
        "{missing}"
    );
    let (status, kept) = phone.put(PHOTO_NAME, PHOTO).await;
    assert_eq!(
        (status, &kept["stored_sha256"]),
        (201, &json!(STORED_NAME)),
        "{kept}"
    );
    assert_eq!(phone.put(PHOTO_NAME, PHOTO).await.0, 200);
    let (status, taken) = phone.report(&key(1), &body).await;
    assert_eq!(status, 201, "{taken}");
    assert_eq!(
        taken["incident"],
        Value::Null,
        "no business of whoever is not logged in"
    );
    assert_eq!(
        phone.report(&key(1), &body).await,
        (201, taken.clone()),
        "sent again, the same report"
    );
    let id = taken["id"].as_str().expect("an id");

    // the station sees it whole, others without the number; nobody else sees anything
    let operator = hub.api("operator");
    let items = operator
        .items("/api/v1/incidents?state=active")
        .await
        .expect("a list");
    let reported: Vec<_> = items.iter().filter(|i| i["rule"] == "G1-hazard").collect();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0]["number"], taken["number"]);
    let incident = reported[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/incidents/{incident}");
    for (role, phone) in [("operator", "13812345678"), ("responder", "*******5678")] {
        let view = hub.api(role).get(&path).await.expect("an incident");
        assert_eq!(view["reports"][0]["text"], "消防通道被杂物堵住");
        assert_eq!(view["reports"][0]["contact"]["phone"], phone, "{role}");
    }
    let other = Phone::of_resident(&hub, 1);
    let seen = format!("/reports/{id}");
    assert_eq!(other.get(&seen).await.0, 404, "the wrong secret");
    let photo = format!("/report/photos/{PHOTO_NAME}");
    assert_eq!(phone.get(&photo).await.0, 401, "photos are for the station");
    let shown = Phone::of(&hub, "responder")
        .request(Method::GET, &photo)
        .send();
    let shown = shown.await.expect("answers");
    let header = |name: &str| shown.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(
        (header("content-type"), header("x-content-type-options")),
        ("image/jpeg".into(), "nosniff".into())
    );
    assert!(
        header("content-security-policy").contains("sandbox")
            && header("cache-control").starts_with("private")
    );
    assert_eq!(
        shown.bytes().await.expect("bytes"),
        STORED,
        "without where it was taken"
    );

    // the departments do their part; whoever reported sees how far it is, and no names
    assert_eq!(
        phone.say(id, &key(20), "satisfied").await.0,
        409,
        "nobody asks yet"
    );
    let answer = json!({"note": "已清理", "cause": "genuine"});
    operator
        .advance(&incident, "dispatch", answer.clone())
        .await;
    let responder = hub.api("responder");
    for verb in ["claim", "arrive", "resolve"] {
        responder.advance(&incident, verb, answer.clone()).await;
    }
    operator.advance(&incident, "close", answer.clone()).await;
    let (status, report) = phone.get(&seen).await;
    assert_eq!(status, 200);
    assert_eq!(
        words(&report),
        ["received", "dispatched", "on_scene", "resolved", "closed"]
    );
    assert_eq!(
        (&report["asks"], &report["satisfaction"]),
        (&json!(true), &Value::Null)
    );
    let told = report.to_string();
    let login = format!("{:?}", hub.demo.user("responder").login);
    for hidden in ["已清理", "李四", &login] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }

    // not settled: the same incident, another round
    assert_eq!(
        other.say(id, &key(21), "dissatisfied").await.0,
        404,
        "only whoever reported"
    );
    let (status, again) = phone.say(id, &key(22), "dissatisfied").await;
    assert_eq!(
        (status, &again["state"], &again["number"]),
        (200, &json!("reopened"), &taken["number"]),
        "{again}"
    );
    let (status, once) = phone.say(id, &key(22), "dissatisfied").await;
    assert_eq!((status, &once["progress"]), (200, &again["progress"]));
    let view = operator.get(&path).await.expect("an incident");
    assert_eq!(
        (&view["state"], &view["round"]),
        (&json!("dispatched"), &json!(2))
    );
    let (status, refused) = phone.say(id, &key(23), "satisfied").await;
    assert_eq!((status, &refused["state"]), (409, &json!("dispatched")));
}

#[tokio::test]
async fn what_is_no_photo_or_no_report_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let phone = Phone::of_resident(&hub, 0);
    let (status, wrong) = phone.put(&"ab".repeat(32), PHOTO).await;
    assert_eq!(status, 422, "{wrong}");
    assert!(
        wrong["detail"]
            .as_str()
            .is_some_and(|d| d.contains(PHOTO_NAME)),
        "{wrong}"
    );
    for (bytes, name) in [GIF, HTML] {
        let (status, refused) = phone.put(name, bytes).await;
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("bad_photo")),
            "{refused}"
        );
    }
    let large = vec![0xff; (5 << 20) + 1];
    let sent = phone
        .request(Method::PUT, &format!("/report/photos/{PHOTO_NAME}"))
        .body(large)
        .send()
        .await;
    // a server that has answered may not read the rest: the client sees either
    assert!(sent.is_err() || sent.is_ok_and(|reply| reply.status() == 413));
    assert_eq!(phone.put("short", PHOTO).await.0, 422);

    let good = phone.hazard("q1-gate-in");
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("type", json!("earthquake")),
        ("site", json!("q99")),
        ("zone", json!("q2-gate-in")),
        ("text", json!(" ")),
        ("text", json!("字".repeat(1001))),
        ("place", json!("字".repeat(201))),
        ("occurred_at", json!("yesterday")),
        ("photos", json!(["../../etc/passwd"])),
        ("secret", json!("short")),
        ("secret", Value::Null),
    ] {
        let (status, refused) = phone.report(&key(1), &with(field, value.clone())).await;
        assert_eq!(
            (status, &refused["field"]),
            (422, &json!(field)),
            "{value}: {refused}"
        );
    }
    let (_, refused) = phone
        .report(&key(1), &with("type", json!("earthquake")))
        .await;
    assert!(
        refused["possible"].to_string().contains("fire_hazard"),
        "{refused}"
    );
    assert_eq!(phone.report("once", &good).await.0, 422, "a key is a UUID");
    let other_site = phone
        .request(Method::POST, "/reports")
        .header("cookie", "jiming_session=x")
        .header("origin", "http://evil.example");
    let (status, _) = Phone::answer(other_site.header("Idempotency-Key", key(2)).json(&good)).await;
    assert_eq!(status, 403);
    let auditor = Phone::of(&hub, "auditor").report(&key(3), &good).await;
    assert_eq!(auditor.0, 403);
    let incidents = hub
        .api("operator")
        .items("/api/v1/incidents")
        .await
        .expect("a list");
    assert!(
        incidents.iter().all(|i| i["rule"] != "G1-hazard"),
        "nothing was taken"
    );
}

#[tokio::test]
async fn a_captain_reports_by_log_in_and_whoever_has_none_only_so_often() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let captain = Phone::of(&hub, "grid_captain");
    let (status, taken) = captain.report(&key(1), &captain.hazard("q1-gate-in")).await;
    assert_eq!(status, 201);
    assert!(taken["incident"].is_string(), "{taken}");
    let (_, mine) = captain.get("/reports/mine").await;
    assert_eq!(mine["items"][0]["id"], taken["id"]);
    // a late one says so, and one that comes to the open incident counts
    let mut late = captain.hazard("q1-gate-in");
    let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    late["occurred_at"] = json!(hour_ago.to_string());
    let (status, second) = captain.report(&key(2), &late).await;
    assert_eq!((status, &second["number"]), (201, &taken["number"]));
    let (_, seen) = captain
        .get(&format!(
            "/reports/{}",
            second["id"].as_str().expect("an id")
        ))
        .await;
    assert_eq!(seen["is_late"], true);

    let phone = Phone::of_resident(&hub, 3);
    let mut refused = None;
    for n in 10..60 {
        let (status, answer) = phone.report(&key(n), &phone.hazard("q1-gate-in")).await;
        if status == 429 {
            refused = Some((n, answer));
            break;
        }
        assert_eq!(status, 201, "{answer}");
    }
    let (n, answer) = refused.expect("there is an end");
    assert!(
        n >= 30 && answer["retry_after_s"].as_u64().is_some_and(|s| s > 0),
        "{n}: {answer}"
    );
    let (status, _) = captain.report(&key(3), &captain.hazard("q1-gate-in")).await;
    assert_eq!(status, 201, "who is logged in is not held up by others");
}

/// Sends reports, as a proxy that had them from `from` would, until the hub has enough.
async fn spend(phone: &Phone, from: &str) -> u32 {
    for n in 0..60 {
        let sent = forwarded(phone, from, 100 + n).await;
        if sent == 429 {
            return n;
        }
        assert_eq!(sent, 201);
    }
    panic!("there is no end");
}

async fn forwarded(phone: &Phone, from: &str, n: u32) -> u16 {
    let request = phone.request(Method::POST, "/reports");
    let request = request.header("Idempotency-Key", key(n));
    let request = request.header("X-Forwarded-For", from);
    Phone::answer(request.json(&phone.hazard("q1-gate-in")))
        .await
        .0
}

#[tokio::test]
async fn behind_a_proxy_that_is_named_each_resident_has_an_allowance_and_nobody_makes_one_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let named = [("JIMING__HTTP__TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")];
    let hub = Hub::start_set(dir.path(), &named).await;
    let phone = Phone::of_resident(&hub, 7);
    assert!(spend(&phone, "198.51.100.7, 10.0.0.3").await >= 20);
    assert_eq!(forwarded(&phone, "198.51.100.8", 201).await, 201);
    // what the resident wrote stands left of what the proxy saw
    let made_up = "203.0.113.99, 198.51.100.7, 10.0.0.3";
    assert_eq!(forwarded(&phone, made_up, 202).await, 429);
    assert!(hub.stop().await.success());

    // a hub that was told of no proxy believes nobody
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let phone = Phone::of_resident(&hub, 8);
    spend(&phone, "198.51.100.7").await;
    assert_eq!(forwarded(&phone, "198.51.100.8", 203).await, 429);
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let phone = Phone::of_resident(&hub, 5);
    assert_eq!(phone.put(PHOTO_NAME, PHOTO).await.0, 201);
    let mut sent = Vec::new();
    for n in 0..8 {
        let mut body = phone.hazard("q1-gate-in");
        // without a zone each is a matter of its own
        body["zone"] = Value::Null;
        body["photos"] = json!([PHOTO_NAME]);
        let (status, taken) = phone.report(&key(n), &body).await;
        assert_eq!(status, 201, "{taken}");
        sent.push((n, body, taken));
    }
    let demo = hub.demo.clone();
    hub.kill9();
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    let phone = Phone::of_resident(&hub, 5);
    for (n, body, taken) in &sent {
        let (status, again) = phone.report(&key(*n), body).await;
        assert_eq!((status, &again["id"]), (201, &taken["id"]), "{again}");
    }
    let incidents = eventually("all incidents", Duration::from_secs(10), || async {
        let items = hub
            .api("operator")
            .items("/api/v1/incidents?limit=500")
            .await
            .ok()?;
        let reported: Vec<Value> = items
            .into_iter()
            .filter(|i| i["rule"] == "G1-hazard")
            .collect();
        (reported.len() >= sent.len()).then_some(reported)
    })
    .await;
    assert_eq!(incidents.len(), sent.len(), "each once");
    let photo = format!("/report/photos/{PHOTO_NAME}");
    assert_eq!(
        Phone::of(&hub, "operator")
            .request(Method::GET, &photo)
            .send()
            .await
            .expect("answers")
            .status(),
        200
    );
}
