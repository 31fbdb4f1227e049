//! Route × role × scope: what lies outside somebody's scope is answered as if it were not there, and lists are the whole list without it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use blackbox::{Api, Hub, Tool, bin, eventually, publish};
use futures::StreamExt as _;
use serde_json::{Value, json};

const ROLES: [&str; 7] = [
    "operator",
    "responder",
    "station_lead",
    "property_manager",
    "grid_captain",
    "auditor",
    "administrator",
];

/// What an account that is limited gets of a route.
#[derive(Clone, Copy, PartialEq)]
enum Gets {
    /// What everybody of the role gets.
    Same,
    /// What everybody of the role gets, by which the session may end.
    Last,
    /// The items of the whole list that lie in the scope.
    Items,
    /// The named thing when it lies in the scope; otherwise what is answered to a name that is nobody's.
    Thing,
    /// A refusal: it is about the whole compound.
    Nothing,
}
use Gets::{Items, Last, Nothing, Same, Thing};

/// Every route that needs a log-in or knows one. `{incident}` and so on are of quarter 1, the fire department's.
const ROUTES: &[(&str, &str, &str, Gets)] = &[
    ("GET", "/session", "", Same),
    ("DELETE", "/session", "", Last),
    ("POST", "/session/password", "", Same),
    ("GET", "/session/second-factor", "", Same),
    ("POST", "/session/second-factor", "", Same),
    ("POST", "/session/second-factor/confirmation", "", Same),
    ("POST", "/session/second-factor/end", "", Same),
    ("GET", "/sessions", "", Same),
    ("DELETE", "/sessions", "", Last),
    ("DELETE", "/sessions/{id}", "/sessions/none", Same),
    ("GET", "/meta", "", Same),
    ("GET", "/status", "", Nothing),
    ("GET", "/incidents", "", Items),
    ("GET", "/incidents/{id}", "/incidents/{incident}", Thing),
    (
        "POST",
        "/incidents/{id}/{verb}",
        "/incidents/{incident}/note",
        Thing,
    ),
    (
        "GET",
        "/incidents/{id}/evacuation",
        "/incidents/{incident}/evacuation",
        Thing,
    ),
    (
        "PUT",
        "/incidents/{id}/photos/{sha256}",
        "/incidents/{incident}/photos/none",
        Thing,
    ),
    (
        "GET",
        "/incidents/{id}/photos/{sha256}",
        "/incidents/{incident}/photos/none",
        Same,
    ),
    ("GET", "/snapshots/{link}", "/snapshots/none", Same),
    ("GET", "/events", "", Items),
    ("GET", "/holds", "", Items),
    // without a body that names an incident; with one see below
    ("POST", "/holds", "", Same),
    ("DELETE", "/holds/{id}", "/holds/{hold}", Thing),
    ("GET", "/unmaskings", "", Same),
    // without a body that names an incident; with one see below
    ("POST", "/unmaskings", "", Same),
    ("DELETE", "/unmaskings/{id}", "/unmaskings/none", Same),
    (
        "GET",
        "/counts",
        "/counts?from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z",
        Same,
    ),
    ("GET", "/alarms", "", Items),
    (
        "POST",
        "/alarms/{id}/shelve",
        "/alarms/{alarm}/shelve",
        Thing,
    ),
    (
        "POST",
        "/alarms/{id}/unshelve",
        "/alarms/{alarm}/unshelve",
        Thing,
    ),
    (
        "POST",
        "/alarms/{id}/acknowledge",
        "/alarms/{alarm}/acknowledge",
        Thing,
    ),
    ("GET", "/maintenance", "", Items),
    ("POST", "/maintenance", "", Same),
    (
        "POST",
        "/maintenance/{id}/end",
        "/maintenance/{window}/end",
        Thing,
    ),
    ("GET", "/commands", "", Items),
    ("GET", "/commands/{id}", "/commands/{command}", Thing),
    (
        "POST",
        "/devices/{id}/commands",
        "/devices/{device}/commands",
        Thing,
    ),
    (
        "POST",
        "/commands/{id}/confirm",
        "/commands/{command}/confirm",
        Thing,
    ),
    (
        "POST",
        "/commands/{id}/withdraw",
        "/commands/{command}/withdraw",
        Thing,
    ),
    ("GET", "/fire-modes", "", Items),
    // without a body that names a zone
    ("POST", "/fire-modes", "", Same),
    (
        "POST",
        "/fire-modes/{id}/confirm",
        "/fire-modes/{fire_mode}/confirm",
        Thing,
    ),
    (
        "POST",
        "/fire-modes/{id}/end",
        "/fire-modes/{fire_mode}/end",
        Thing,
    ),
    ("GET", "/devices", "", Items),
    ("GET", "/grids", "", Items),
    (
        "POST",
        "/devices/{id}/invitation",
        "/devices/{device}/invitation",
        Thing,
    ),
    // with something in it, see `holding`
    ("GET", "/newcomers", "", Same),
    (
        "POST",
        "/newcomers/{id}/admission",
        "/newcomers/none/admission",
        Same,
    ),
    (
        "POST",
        "/newcomers/{id}/dismissal",
        "/newcomers/none/dismissal",
        Same,
    ),
    ("GET", "/quarantine", "", Items),
    ("GET", "/registry", "", Nothing),
    ("GET", "/registry/{table}", "/registry/watch", Nothing),
    ("POST", "/registry/import", "", Nothing),
    (
        "POST",
        "/quarantine/{id}/rerun",
        "/quarantine/0/rerun",
        Same,
    ),
    ("POST", "/quarantine/rerun", "", Same),
    ("GET", "/rules", "", Nothing),
    ("GET", "/rules/{id}", "/rules/S1", Nothing),
    ("PUT", "/rules/{id}", "/rules/S1", Nothing),
    ("POST", "/rules/trial", "", Nothing),
    ("GET", "/roster", "", Same),
    ("GET", "/roster/week", "", Same),
    ("GET", "/resources", "", Same),
    ("POST", "/roster/swaps", "", Nothing),
    ("GET", "/duty-log", "", Nothing),
    ("POST", "/duty-log/notes", "", Nothing),
    ("GET", "/handovers", "", Nothing),
    ("POST", "/handover", "", Nothing),
    (
        "POST",
        "/handovers/{number}/sign",
        "/handovers/0/sign",
        Nothing,
    ),
    ("GET", "/kpi", "/kpi?from=2026-Q4&to=2027-Q1", Nothing),
    ("GET", "/load", "", Nothing),
    ("GET", "/storms", "", Items),
    (
        "POST",
        "/storms/{id}/acknowledge",
        "/storms/stm_00000000000000000000000000000000/acknowledge",
        Same,
    ),
    ("GET", "/report/form", "", Same),
    ("POST", "/reports", "", Same),
    ("GET", "/reports/mine", "", Same),
    ("GET", "/reports/{id}", "/reports/{report}", Thing),
    (
        "POST",
        "/reports/{id}/answer",
        "/reports/{report}/answer",
        Same,
    ),
    (
        "PUT",
        "/report/photos/{sha256}",
        "/report/photos/none",
        Same,
    ),
    (
        "GET",
        "/report/photos/{sha256}",
        "/report/photos/none",
        Same,
    ),
    ("GET", "/live", "", Same),
    ("GET", "/users", "", Nothing),
    ("POST", "/users", "", Nothing),
    ("PUT", "/users/{login}", "/users/nobody", Nothing),
    (
        "POST",
        "/users/{login}/{act}",
        "/users/nobody/disable",
        Nothing,
    ),
    ("GET", "/tokens", "", Nothing),
    ("POST", "/tokens", "", Nothing),
    ("DELETE", "/tokens/{id}", "/tokens/none", Nothing),
    ("GET", "/audit", "", Nothing),
    ("POST", "/audit/verification", "", Nothing),
];
/// Routes at which nobody is logged in yet, or need not be.
const PUBLIC: [(&str, &str); 6] = [
    ("POST", "/session"),
    ("GET", "/session/ways"),
    ("GET", "/session/oidc"),
    ("POST", "/session/oidc"),
    ("GET", "/session/oidc/callback"),
    ("POST", "/enrol"),
];

const NOBODYS: [(&str, &str); 8] = [
    ("{command}", "cmd_00000000000000000000000000000000"),
    ("{fire_mode}", "fmd_00000000000000000000000000000000"),
    ("{hold}", "hld_00000000000000000000000000000000"),
    ("{incident}", "inc_00000000000000000000000000000000"),
    ("{alarm}", "alm_00000000000000000000000000000000"),
    ("{window}", "mnt_00000000000000000000000000000000"),
    ("{report}", "rep_00000000000000000000000000000000"),
    ("{device}", "nobody"),
];

/// Somebody in a browser: a cookie.
pub(crate) struct Person {
    client: reqwest::Client,
    base: String,
    cookie: String,
}

static KEY: AtomicU32 = AtomicU32::new(0);

impl Person {
    async fn log_in(base: &str, login: &str, password: &str) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        let reply = client
            .post(format!("{base}/api/v1/session"))
            .json(&json!({"login": login, "password": password}))
            .send()
            .await
            .expect("answers");
        assert_eq!(reply.status(), 200, "{login}");
        let cookie = reply.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("a pair").to_owned();
        Self {
            client,
            base: base.to_owned(),
            cookie,
        }
    }

    /// Status and body; of a stream, its head.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let key = KEY.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self
            .client
            .request(method.parse().expect("a method"), url)
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("idempotency-key", format!("scope-{key}"));
        if method == "POST" {
            request = request.json(body);
        }
        let reply = request.send().await.expect("answers");
        let status = reply.status().as_u16();
        if path == "/live" {
            return (status, Value::Null);
        }
        let body = reply.bytes().await.expect("reads");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.call("GET", path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["items"].as_array().expect("items").clone()
    }
}

/// Makes a user of a hub that runs and logs in.
pub(crate) async fn person(
    hub: &Hub,
    dir: &std::path::Path,
    login: &str,
    words: &[&str],
) -> Person {
    let mut command = Command::new(bin("gateway"));
    command
        .args(["user", "add", login])
        .args(words)
        .env("JIMING__DATA__DIR", dir);
    let made = Tool::start_command("gateway", &mut command)
        .finish(Duration::from_mins(1))
        .await;
    assert_eq!(made.code, Some(0), "{login}: {made:?}");
    Person::log_in(&hub.demo.http, login, made.stdout.trim()).await
}

/// What the whole is made of: one thing of each kind, the fire department's, in quarter 1; and the same elsewhere.
struct Things {
    names: Vec<(&'static str, String)>,
}

impl Things {
    async fn make(hub: &Hub) -> Self {
        let lead = hub.api("station_lead");
        for (n, detector) in detectors(hub).iter().enumerate() {
            for (kind, id) in [("fire.smoke", "smoke"), ("no.such", "odd")] {
                let body = json!({"id": format!("{id}-{n}"), "kind": kind, "phase": "raised"});
                let topic = detector.event_topic(kind);
                let text = body.to_string();
                let sent = publish(&hub.demo, detector, &topic, text.as_bytes(), 1, "mqttv311");
                assert!(sent.status.success());
            }
            let window = json!({"site": detector.site, "device": detector.id, "reason": "test",
                "ends_at": "2099-01-01T00:00:00Z"});
            let mut window = window;
            let now = lead.get("/api/v1/meta").await.expect("meta")["server_time"].clone();
            let now: jiff::Timestamp = now.as_str().expect("text").parse().expect("a time");
            window["ends_at"] = json!((now + jiff::SignedDuration::from_hours(2)).to_string());
            let key = format!("window-{n}");
            let planned = lead.post("/api/v1/maintenance", &key, &window).await;
            let (status, planned) = planned.expect("answers");
            assert_eq!(status, 200, "{planned}");
            // a drill that moves nothing, and a barrier that is not there
            let zone = hub.api("operator").items("/api/v1/devices").await;
            let zone = zone.expect("devices").into_iter();
            let zone = zone.clone().find(|d| d["id"] == detector.id.as_str());
            let zone = zone.expect("the detector")["zone"].clone();
            let drill = json!({"zone": zone, "reason": "test", "drill": true});
            let started = lead.post("/api/v1/fire-modes", "", &drill).await;
            let (status, started) = started.expect("answers");
            assert_eq!(status, 200, "{started}");
            let barrier = hub.demo.devices.iter();
            let mut barrier = barrier.filter(|d| d.class == "barrier" && d.site == detector.site);
            let barrier = &barrier.next().expect("the compound has one").id;
            let path = format!("/api/v1/devices/{barrier}/commands");
            let raise = json!({"command": "raise", "reason": "test"});
            let asked = lead.post(&path, &format!("raise-{n}"), &raise).await;
            let (status, asked) = asked.expect("answers");
            assert_eq!(status, 200, "{asked}");
        }
        let report = json!({"type": "fire_hazard", "site": "q1", "text": "loud", "occurred_at": "2026-11-26T20:00:00Z"});
        let key = "0198f0c4-7c1f-7000-8000-000000000001";
        let (status, report) = lead
            .post("/api/v1/reports", key, &report)
            .await
            .expect("answers");
        assert_eq!(status, 201, "{report}");
        // and one that is not the fire department's
        let noise = json!({"type": "noise", "site": "q1", "text": "loud", "occurred_at": "2026-11-26T20:00:00Z"});
        let key = "0198f0c4-7c1f-7000-8000-000000000002";
        let (status, noise) = lead
            .post("/api/v1/reports", key, &noise)
            .await
            .expect("answers");
        assert_eq!(status, 201, "{noise}");
        let of_q1 = |items: Vec<Value>, rule: &str| {
            let mut items = items.into_iter();
            items.find(|item| item["site"] == "q1" && (rule.is_empty() || item["rule"] == rule))
        };
        let (incident, alarm) = eventually("both ring", Duration::from_secs(20), || async {
            let incidents = lead.items("/api/v1/incidents").await.ok()?;
            let fires = incidents.iter().filter(|i| i["rule"] == "S1").count();
            let odd = lead.items("/api/v1/quarantine").await.ok()?.len();
            let alarms = lead.items("/api/v1/alarms").await.ok()?;
            (fires == 2 && odd >= 2).then_some(())?;
            Some((of_q1(incidents, "S1")?, of_q1(alarms, "S1")?))
        })
        .await;
        let mut hold = Value::Null;
        for one in lead.items("/api/v1/incidents").await.expect("incidents") {
            let now = lead.get("/api/v1/meta").await.expect("meta")["server_time"].clone();
            let now: jiff::Timestamp = now.as_str().expect("text").parse().expect("a time");
            let until = (now + jiff::SignedDuration::from_hours(48)).to_string();
            let body = json!({"incident": one["id"], "reason": "test", "until": until});
            let (status, placed) = lead
                .post("/api/v1/holds", "", &body)
                .await
                .expect("answers");
            assert_eq!(status, 200, "{placed}");
            if one["id"] == incident["id"] {
                hold = placed;
            }
        }
        let windows = lead.items("/api/v1/maintenance").await.expect("windows");
        let window = of_q1(windows, "").expect("of q1");
        let commands = lead.items("/api/v1/commands").await.expect("commands");
        let command = of_q1(commands, "").expect("of q1");
        let modes = lead.items("/api/v1/fire-modes").await.expect("fire modes");
        let fire_mode = of_q1(modes, "").expect("of q1");
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        Self {
            names: vec![
                ("{incident}", text(&incident["id"])),
                ("{alarm}", text(&alarm["id"])),
                ("{window}", text(&window["id"])),
                ("{report}", text(&report["id"])),
                ("{hold}", text(&hold["id"])),
                ("{command}", text(&command["id"])),
                ("{fire_mode}", text(&fire_mode["id"])),
                ("{device}", detectors(hub)[0].id.clone()),
            ],
        }
    }

    fn in_path(&self, path: &str) -> String {
        let mut path = path.to_owned();
        for (name, id) in &self.names {
            path = path.replace(name, id);
        }
        path
    }
}

fn nobodys(path: &str) -> String {
    let mut path = path.to_owned();
    for (name, id) in NOBODYS {
        path = path.replace(name, id);
    }
    path
}

/// A detector of quarter 1 and one of quarter 2.
fn detectors(hub: &Hub) -> [blackbox::Device; 2] {
    ["q1", "q2"].map(|site| {
        let mut devices = hub.demo.devices.iter();
        let found = devices.find(|d| d.class == "fire_sensor" && d.site == site);
        found.expect("the compound has one").clone()
    })
}

/// Whether an item of a list lies in quarter 1 and is, where it has departments, also the fire department's.
fn is_in(path: &str, item: &Value, fires: &BTreeSet<String>) -> bool {
    let is_there = match path {
        "/quarantine" => item["principal"]
            .as_str()
            .is_some_and(|p| p.contains("-q1-")),
        "/grids" => item["sites"] == json!(["q1"]),
        _ => item["site"] == "q1",
    };
    let is_theirs = match path {
        "/incidents" => fires.contains(item["id"].as_str().unwrap_or_default()),
        "/alarms" | "/holds" => fires.contains(item["incident"].as_str().unwrap_or_default()),
        _ => true,
    };
    is_there && is_theirs
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].to_string()).collect()
}

#[tokio::test]
async fn every_route_answers_each_role_and_scope_as_the_table_says() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let document = hub.api("auditor").get("/api/v1/openapi.json").await;
    let document = document.expect("the document");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.strip_prefix("/api/v1").expect("below the base");
        for method in methods.as_object().expect("methods").keys() {
            let is_same = |m: &str, p: &str| m.eq_ignore_ascii_case(method) && p == path;
            let is_known = ROUTES.iter().any(|(m, p, ..)| is_same(m, p))
                || PUBLIC.iter().any(|(m, p)| is_same(m, p));
            assert!(is_known, "{method} {path} is missing from this table");
        }
    }
    let things = Things::make(&hub).await;
    let incidents = hub.api("auditor").items("/api/v1/incidents").await;
    let incidents = incidents.expect("incidents");
    let has_fire = |i: &&Value| {
        let mut departments = i["departments"].as_array().expect("a list").iter();
        departments.any(|d| d == "fire")
    };
    let fires: BTreeSet<String> = incidents
        .iter()
        .filter(has_fire)
        .map(|i| i["id"].as_str().expect("an id").to_owned())
        .collect();
    assert!(fires.len() >= 2 && fires.len() < incidents.len());

    let mut checked = 0;
    for role in ROLES {
        let word = role.replace('_', "-");
        let made = async |of: &str, scope: &[&str]| {
            let mut words = vec!["--role", role];
            if role == "responder" {
                words.extend(["--department", "fire"]);
            }
            words.extend(scope);
            person(&hub, dir.path(), &format!("{word}-{of}"), &words).await
        };
        let whole = made("whole", &[]).await;
        let inside = made(
            "in",
            &["--scope-quarter", "q1", "--scope-department", "fire"],
        )
        .await;
        let outside = made("out", &["--scope-quarter", "q3"]).await;
        let (last, rest): (Vec<_>, Vec<_>) = ROUTES.iter().partition(|(.., gets)| *gets == Last);
        for (method, template, path, gets) in rest.into_iter().chain(last) {
            let path = if path.is_empty() { template } else { path };
            let body = json!({"expected_version": 0});
            let (own, nobodys) = (things.in_path(path), nobodys(path));
            let about = format!("{method} {template} as {role}");
            let usual = whole.call(method, &own, &body).await;
            let (seen, other) = (
                inside.call(method, &own, &body).await,
                outside.call(method, &own, &body).await,
            );
            checked += 3;
            let is_refused = usual.0 == 403 && usual.1["code"] == "forbidden";
            match gets {
                Same | Last => {
                    assert_eq!(seen.0, usual.0, "{about} inside: {}", seen.1);
                    assert_eq!(other.0, usual.0, "{about} outside: {}", other.1);
                }
                Nothing | Items if is_refused => {
                    assert_eq!((seen, other), (usual.clone(), usual), "{about}");
                }
                Nothing => {
                    for (status, body) in [seen, other] {
                        assert_eq!(status, 403, "{about}: {body}");
                        assert_eq!(body["code"], "outside_scope", "{about}");
                    }
                }
                Items => {
                    let all = usual.1["items"].as_array().expect("items");
                    let expected: Vec<Value> = all
                        .iter()
                        .filter(|item| is_in(path, item, &fires))
                        .cloned()
                        .collect();
                    let got = seen.1["items"].as_array().expect("items");
                    assert_eq!(ids(got), ids(&expected), "{about} inside");
                    assert!(got.len() < all.len() || all.is_empty(), "{about}");
                    let got = other.1["items"].as_array().expect("items");
                    let is_there = |item: &Value| {
                        item["site"] == "q3"
                            || item["sites"] == json!(["q3"])
                            || item["principal"]
                                .as_str()
                                .is_some_and(|p| p.contains("-q3-"))
                    };
                    assert!(got.iter().all(is_there), "{about} outside: {got:?}");
                }
                Thing => {
                    let missing = whole.call(method, &nobodys, &body).await;
                    assert_eq!(other, missing, "{about}: as if it were not there");
                    assert!(
                        missing.0 == 404 || missing.1["code"] == "forbidden",
                        "{about}"
                    );
                    // a grid captain sees reports of the own micro-grid only, whatever the scope
                    let is_seen = seen.0 != 404 || usual.0 == 404;
                    assert!(is_seen, "{about} inside: {}", seen.1);
                    let is_both = seen.0 == usual.0 || [200, 409].contains(&seen.0);
                    assert!(is_both, "{about} inside: {seen:?}, and {usual:?}");
                }
            }
        }
    }
    println!("{checked} answers of {} routes", ROUTES.len());
}

/// Reads a live stream until revision `upto`; gives (revision, event, data) of each change.
async fn changes(who: &Person, from: u64, upto: u64) -> Vec<(u64, String, Value)> {
    let url = format!("{}/api/v1/live?from={from}", who.base);
    let reply = who.client.get(url).header("cookie", &who.cookie);
    let reply = reply.send().await.expect("answers");
    let (mut stream, mut text) = (reply.bytes_stream(), String::new());
    let mut found: Vec<(u64, String, Value)> = Vec::new();
    while found.last().is_none_or(|(revision, ..)| *revision < upto) {
        let piece = tokio::time::timeout(Duration::from_secs(15), stream.next()).await;
        let piece = piece.expect("in time").expect("goes on").expect("reads");
        text.push_str(&String::from_utf8_lossy(&piece));
        while let Some((event, rest)) = text.split_once("\n\n") {
            let line = |name: &str| {
                let mut lines = event.lines();
                lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
            };
            let data = line("data: ").and_then(|data| serde_json::from_str(&data).ok());
            let told = line("event: ").zip(data);
            if let Some((revision, (kind, data))) = line("id: ").zip(told) {
                found.push((revision.parse().expect("a number"), kind, data));
            }
            text = rest.to_owned();
        }
    }
    found
}

#[tokio::test]
async fn the_feed_tells_nothing_of_what_is_hidden_and_misses_no_revision() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let lead = hub.api("station_lead");
    let revision = async |api: &Api| {
        let page = api.get("/api/v1/incidents").await.expect("a list");
        page["revision"].as_u64().expect("a revision")
    };
    let from = revision(&lead).await;
    let scoped = async |login: &str, words: &[&str]| {
        let words: Vec<&str> = ["--role", "operator"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        person(&hub, dir.path(), login, &words).await
    };
    let here = scoped("here", &["--scope-quarter", "q1"]).await;
    let fire = scoped("fire", &["--scope-department", "fire"]).await;
    let market = scoped("market", &["--scope-department", "market"]).await;
    Things::make(&hub).await;
    let upto = revision(&lead).await;
    for (who, name) in [(&here, "here"), (&fire, "fire"), (&market, "market")] {
        let told = changes(who, from, upto).await;
        let revisions: Vec<u64> = told.iter().map(|(revision, ..)| *revision).collect();
        let expected: Vec<u64> = (from + 1..).take(revisions.len()).collect();
        assert_eq!(revisions, expected, "{name}: gap-free, in order, each once");
        let of = |kind: &str| told.iter().filter(|(_, k, _)| k == kind).count();
        assert!(of("hidden") > 0, "{name}");
        for (_, kind, data) in &told {
            match (name, kind.as_str()) {
                (_, "hidden") => assert_eq!(*data, json!({}), "{name}"),
                ("here", "incident" | "alarm" | "device" | "maintenance") => {
                    assert_eq!(data["site"], "q1", "{kind}");
                }
                ("fire", "incident") => {
                    let mut own = data["departments"].as_array().expect("a list").iter();
                    assert!(own.any(|d| d == "fire"), "{data}");
                }
                ("market", "incident" | "alarm" | "notification") => {
                    panic!("market is told of {data}");
                }
                _ => {}
            }
        }
        assert_eq!(of("incident") > 0, name != "market", "{name}");
        let told: BTreeSet<String> = told
            .iter()
            .filter(|(_, kind, _)| kind == "incident")
            .map(|(_, _, data)| data["id"].to_string())
            .collect();
        let listed: BTreeSet<String> = ids(&who.items("/incidents").await).into_iter().collect();
        assert_eq!(told, listed, "{name} is told of what the list has");
    }
}

#[tokio::test]
async fn a_window_is_planned_where_one_sees_all_of_it_and_a_merge_needs_both() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let registry = hub.api("auditor").get("/api/v1/meta").await.expect("meta");
    let device = detectors(&hub)[0].clone();
    let devices = hub.api("auditor").items("/api/v1/devices").await;
    let devices = devices.expect("devices");
    let known = devices.iter().find(|d| d["id"] == device.id.as_str());
    let zone = known.expect("registered")["zone"].clone();
    let zones = registry["zones"].as_array().expect("zones");
    let of = |id: &Value| zones.iter().find(|z| z["id"] == *id).expect("there");
    let grid = of(&zone)["grid"].as_str().expect("a grid").to_owned();
    let elsewhere = zones
        .iter()
        .find(|z| z["site"] == "q1" && z["grid"] != grid.as_str())
        .expect("another micro-grid");
    let words = ["--role", "property_manager", "--scope-grid", &grid];
    let manager = person(&hub, dir.path(), "of-grid", &words).await;
    let plan = async |site: &str, narrow: Value| {
        let mut body = json!({"site": site, "reason": "test"});
        let now = registry["server_time"].as_str().expect("text");
        let now: jiff::Timestamp = now.parse().expect("a time");
        body["ends_at"] = json!((now + jiff::SignedDuration::from_hours(2)).to_string());
        for (name, value) in narrow.as_object().expect("members") {
            body[name] = value.clone();
        }
        manager.call("POST", "/maintenance", &body).await
    };
    for (site, narrow, status, code) in [
        ("q1", json!({"zone": zone}), 200, ""),
        ("q1", json!({"device": device.id}), 200, ""),
        // they know that the quarter is there, and may not close all of it
        ("q1", json!({}), 403, "outside_scope"),
        ("q1", json!({"zone": elsewhere["id"]}), 400, "bad_request"),
        ("q2", json!({}), 400, "bad_request"),
        ("q99", json!({}), 400, "bad_request"),
    ] {
        let (got, body) = plan(site, narrow.clone()).await;
        assert_eq!(got, status, "{site} {narrow}: {body}");
        if !code.is_empty() {
            assert_eq!(body["code"], code, "{site} {narrow}: {body}");
        }
    }
    let (_, hidden) = plan("q2", json!({})).await;
    let (_, none) = plan("q99", json!({})).await;
    assert_eq!(
        hidden.to_string().replace("q2", "q99"),
        none.to_string(),
        "one that is hidden and one that is not there are told alike"
    );
    // the whole quarter's window goes over their micro-grid: it is seen, and not theirs to end
    let lead = hub.api("station_lead");
    let now = registry["server_time"].as_str().expect("text");
    let now: jiff::Timestamp = now.parse().expect("a time");
    let ends_at = (now + jiff::SignedDuration::from_hours(2)).to_string();
    let whole = json!({"site": "q1", "reason": "test", "ends_at": ends_at});
    let (_, whole) = lead
        .post("/api/v1/maintenance", "whole", &whole)
        .await
        .expect("answers");
    let listed = manager.items("/maintenance").await;
    assert!(ids(&listed).contains(&whole["id"].to_string()));
    let path = format!("/maintenance/{}/end", whole["id"].as_str().expect("an id"));
    let (status, body) = manager.call("POST", &path, &json!({})).await;
    assert_eq!((status, &body["code"]), (403, &json!("outside_scope")));
}

/// Events of a micro-grid are its captain's and those of whoever is limited to it: in pages, by name and counted.
#[tokio::test]
async fn history_is_that_of_the_own_micro_grid() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let meta = hub.api("auditor").get("/api/v1/meta").await.expect("meta");
    let zones = meta["zones"].as_array().expect("zones").clone();
    let devices = hub.api("auditor").items("/api/v1/devices").await;
    let devices = devices.expect("devices");
    // the demo's captain leads q1-a1
    let grid_of = |device: &str| {
        let known = devices.iter().find(|d| d["id"] == device)?;
        let zone = zones.iter().find(|zone| zone["id"] == known["zone"])?;
        zone["grid"].as_str()
    };
    let of = |site: &str, is_own: bool| {
        let mut all = hub.demo.devices.iter();
        let found = all.find(|d| {
            let is_there = (grid_of(&d.id) == Some("q1-a1")) == is_own;
            d.class == "fire_sensor" && d.site == site && is_there
        });
        found.expect("the compound has one").clone()
    };
    let (own, next_door, far) = (of("q1", true), of("q1", false), of("q2", false));
    for device in [&own, &next_door, &far] {
        let body = json!({"id": device.id, "kind": "fire.smoke", "phase": "raised"}).to_string();
        let topic = device.event_topic("fire.smoke");
        let sent = publish(&hub.demo, device, &topic, body.as_bytes(), 1, "mqttv311");
        assert!(sent.status.success());
    }
    let auditor = hub.api("auditor");
    let asked = "/events?kind=fire.smoke";
    eventually("history has them", Duration::from_secs(20), || async {
        let all = auditor.items(&format!("/api/v1{asked}")).await.ok()?;
        (all.len() == 3).then_some(())
    })
    .await;
    let captain = hub.demo.user("grid_captain");
    let captain = Person::log_in(&hub.demo.http, &captain.login, &captain.password).await;
    let limited = async |login: &str, role: &str, scope: &[&str]| {
        let words: Vec<&str> = ["--role", role].iter().chain(scope).copied().collect();
        person(&hub, dir.path(), login, &words).await
    };
    let of_grid = limited("of-grid", "operator", &["--scope-grid", "q1-a1"]).await;
    let both = ["--scope-grid", "q1-a1", "--scope-quarter", "q2"];
    let of_both = limited("of-both", "property_manager", &both).await;
    let nobodys = limited("nobodys", "grid_captain", &[]).await;
    let now: jiff::Timestamp = meta["server_time"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a time");
    let hours = |n: i64| now + jiff::SignedDuration::from_hours(n);
    let of_device = |id: &str| format!("{asked}&device={id}");
    let nothing = of_grid
        .call("GET", &of_device("nobody"), &Value::Null)
        .await;
    for (who, name, seen) in [
        (&captain, "captain", vec![&own]),
        (&of_grid, "of the grid", vec![&own]),
        (&of_both, "of grid and quarter", vec![&far, &own]),
        (&nobodys, "nobody's captain", vec![]),
    ] {
        let of_items = async |path: &str| -> Vec<String> {
            let items = who.items(path).await;
            items
                .iter()
                .map(|e| e["device"].as_str().expect("text").to_owned())
                .collect()
        };
        let expected: Vec<String> = seen.iter().map(|device| device.id.clone()).collect();
        assert_eq!(of_items(asked).await, expected, "{name}");
        for device in [&own, &next_door, &far] {
            let there = expected.contains(&device.id);
            let got = who.call("GET", &of_device(&device.id), &Value::Null).await;
            let n = got.1["items"].as_array().map(Vec::len);
            assert_eq!(
                (got.0, n),
                (200, Some(usize::from(there))),
                "{name}: {}",
                device.id
            );
            // hidden is answered as what is not there
            let is_like = ["items", "next"].map(|part| got.1[part] == nothing.1[part]);
            assert!(there || is_like == [true; 2], "{name}: {}", got.1);
        }
        for by in ["kind", "class", "site", "device"] {
            let path = format!("/counts?from={}&to={}&by={by}", hours(-2), hours(1));
            let rows: Vec<Value> = who.items(&path).await;
            let named = |row: &&Value| {
                let key = row["key"].as_str().unwrap_or_default();
                ["fire.smoke", "fire_sensor"].contains(&key)
                    || seen
                        .iter()
                        .any(|d| by == "site" && d.site == key || d.id == key)
            };
            let n: u64 = rows
                .iter()
                .filter(named)
                .filter_map(|row| row["n"].as_u64())
                .sum();
            assert!(n >= seen.len() as u64, "{name} by {by}: {rows:?}");
            let hidden = |row: &Value| {
                let key = row["key"].as_str().unwrap_or_default();
                let is_site = key == "q3"
                    || (key == "q1" || key == "q2") && !seen.iter().any(|d| d.site == key);
                is_site
                    || key == next_door.id
                    || (key == far.id || key == own.id) && !expected.contains(&key.to_owned())
            };
            assert!(!rows.iter().any(hidden), "{name} by {by}: {rows:?}");
            if by == "kind" {
                let smoke: u64 = rows
                    .iter()
                    .filter(|r| r["key"] == "fire.smoke")
                    .filter_map(|r| r["n"].as_u64())
                    .sum();
                assert_eq!(smoke, seen.len() as u64, "{name}: {rows:?}");
            }
        }
        // counted event by event: not for as long as the whole compound's
        let long = format!("/counts?from={}&to={}", hours(-24 * 20), hours(0));
        let (status, body) = who.call("GET", &long, &Value::Null).await;
        assert_eq!(
            status,
            if seen.is_empty() { 200 } else { 422 },
            "{name}: {body}"
        );
    }
}

#[tokio::test]
async fn nobody_asks_to_see_in_full_what_is_hidden_from_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let things = Things::make(&hub).await;
    let operator = async |login: &str, quarter: &str| {
        let words = ["--role", "operator", "--scope-quarter", quarter];
        person(&hub, dir.path(), login, &words).await
    };
    let (here, there) = (operator("here", "q1").await, operator("there", "q3").await);
    let ask = async |who: &Person, incident: &str| {
        let body = json!({"incident": incident, "purpose": "handling", "minutes": 5});
        who.call("POST", "/unmaskings", &body).await
    };
    let incident = things.in_path("{incident}");
    let (status, leave) = ask(&here, &incident).await;
    assert_eq!(status, 200, "{leave}");
    let hidden = ask(&there, &incident).await;
    assert_eq!(hidden.0, 404, "{}", hidden.1);
    assert_eq!(hidden, ask(&there, &nobodys("{incident}")).await);
    // nor is held what is hidden
    let words = ["--role", "station_lead", "--scope-quarter", "q3"];
    let lead = person(&hub, dir.path(), "lead-there", &words).await;
    let hold = async |incident: &str| {
        let body = json!({"incident": incident, "reason": "test", "until": "2099-01-01T00:00:00Z"});
        lead.call("POST", "/holds", &body).await
    };
    let hidden = hold(&incident).await;
    assert_eq!(hidden.0, 404, "{}", hidden.1);
    assert_eq!(hidden, hold(&nobodys("{incident}")).await);
}
