//! The API as browsers and scripts use it: who may do what, cookies and other sites, and a live feed that misses nothing.

use std::time::Duration;

use blackbox::{Hub, publish};
use futures::StreamExt as _;
use serde_json::json;

const ROLES: [&str; 7] = [
    "operator",
    "responder",
    "station_lead",
    "property_manager",
    "grid_captain",
    "auditor",
    "administrator",
];
const EVERYBODY: &[&str] = &ROLES;
const READERS: &[&str] = &[
    "operator",
    "responder",
    "station_lead",
    "property_manager",
    "auditor",
    "administrator",
];
const KEEPERS: &[&str] = &[
    "operator",
    "station_lead",
    "property_manager",
    "auditor",
    "administrator",
];
const ORDERERS: &[&str] = &["operator", "station_lead", "property_manager"];
const INSPECTORS: &[&str] = &["station_lead", "auditor", "administrator"];
const ADMINISTRATORS: &[&str] = &["administrator"];
const DOERS: &[&str] = &[
    "operator",
    "responder",
    "station_lead",
    "property_manager",
    "grid_captain",
    "administrator",
];

/// Method, path, who may, and what they then get.
const ROUTES: &[(&str, &str, &[&str], u16)] = &[
    ("GET", "/api/v1/session", EVERYBODY, 200),
    ("DELETE", "/api/v1/session", EVERYBODY, 204),
    ("GET", "/api/v1/sessions", EVERYBODY, 200),
    ("DELETE", "/api/v1/sessions", EVERYBODY, 204),
    ("DELETE", "/api/v1/sessions/none", EVERYBODY, 404),
    // what it must have is missing
    ("POST", "/api/v1/session/password", EVERYBODY, 422),
    ("GET", "/api/v1/session/second-factor", EVERYBODY, 200),
    ("POST", "/api/v1/session/second-factor", EVERYBODY, 422),
    (
        "POST",
        "/api/v1/session/second-factor/confirmation",
        EVERYBODY,
        422,
    ),
    ("POST", "/api/v1/session/second-factor/end", EVERYBODY, 422),
    ("GET", "/api/v1/registry", READERS, 200),
    // a responder who is not of the police sees no table
    ("GET", "/api/v1/registry/none", READERS, 404),
    // what it must have is missing
    (
        "POST",
        "/api/v1/registry/import",
        &[
            "responder",
            "station_lead",
            "property_manager",
            "administrator",
        ],
        422,
    ),
    ("GET", "/api/v1/rules", KEEPERS, 200),
    ("GET", "/api/v1/rules/none", KEEPERS, 404),
    (
        "PUT",
        "/api/v1/rules/none",
        &["station_lead", "property_manager", "administrator"],
        415,
    ),
    // the text is missing
    (
        "POST",
        "/api/v1/rules/trial",
        &["station_lead", "property_manager", "administrator"],
        422,
    ),
    ("GET", "/api/v1/meta", EVERYBODY, 200),
    ("GET", "/api/v1/status", KEEPERS, 200),
    ("GET", "/api/v1/incidents", EVERYBODY, 200),
    (
        "GET",
        "/api/v1/incidents/inc_00000000000000000000000000000000",
        EVERYBODY,
        404,
    ),
    (
        "POST",
        "/api/v1/incidents/inc_00000000000000000000000000000000/claim",
        DOERS,
        404,
    ),
    (
        "PUT",
        "/api/v1/incidents/inc_00000000000000000000000000000000/photos/none",
        DOERS,
        404,
    ),
    (
        "GET",
        "/api/v1/incidents/inc_00000000000000000000000000000000/photos/none",
        EVERYBODY,
        404,
    ),
    ("GET", "/api/v1/snapshots/none", EVERYBODY, 403),
    ("GET", "/api/v1/events", EVERYBODY, 200),
    (
        "GET",
        "/api/v1/holds",
        &["station_lead", "auditor", "administrator"],
        200,
    ),
    // the incident is missing
    ("POST", "/api/v1/holds", &["station_lead"], 422),
    (
        "DELETE",
        "/api/v1/holds/hld_00000000000000000000000000000000",
        &["station_lead"],
        404,
    ),
    ("GET", "/api/v1/unmaskings", EVERYBODY, 200),
    // the incident is missing
    (
        "POST",
        "/api/v1/unmaskings",
        &["operator", "responder", "station_lead", "property_manager"],
        422,
    ),
    (
        "DELETE",
        "/api/v1/unmaskings/unm_00000000000000000000000000000000",
        EVERYBODY,
        404,
    ),
    (
        "GET",
        "/api/v1/counts?from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z",
        EVERYBODY,
        200,
    ),
    ("GET", "/api/v1/load", EVERYBODY, 200),
    ("GET", "/api/v1/storms", EVERYBODY, 200),
    (
        "POST",
        "/api/v1/storms/stm_00000000000000000000000000000000/acknowledge",
        &[
            "operator",
            "station_lead",
            "property_manager",
            "administrator",
        ],
        422,
    ),
    ("GET", "/api/v1/alarms", EVERYBODY, 200),
    (
        "POST",
        "/api/v1/alarms/alm_00000000000000000000000000000000/shelve",
        &["station_lead", "administrator"],
        404,
    ),
    (
        "POST",
        "/api/v1/alarms/alm_00000000000000000000000000000000/unshelve",
        &["station_lead", "administrator"],
        404,
    ),
    (
        "POST",
        "/api/v1/alarms/alm_00000000000000000000000000000000/acknowledge",
        &[
            "operator",
            "station_lead",
            "property_manager",
            "administrator",
        ],
        404,
    ),
    ("GET", "/api/v1/maintenance", EVERYBODY, 200),
    // what a window must have is missing
    (
        "POST",
        "/api/v1/maintenance",
        &["station_lead", "property_manager", "administrator"],
        422,
    ),
    (
        "POST",
        "/api/v1/maintenance/mnt_00000000000000000000000000000000/end",
        &["station_lead", "property_manager", "administrator"],
        404,
    ),
    ("GET", "/api/v1/commands", READERS, 200),
    (
        "GET",
        "/api/v1/commands/cmd_00000000000000000000000000000000",
        READERS,
        404,
    ),
    ("POST", "/api/v1/devices/none/commands", ORDERERS, 404),
    (
        "POST",
        "/api/v1/commands/cmd_00000000000000000000000000000000/confirm",
        ORDERERS,
        404,
    ),
    (
        "POST",
        "/api/v1/commands/cmd_00000000000000000000000000000000/withdraw",
        ORDERERS,
        404,
    ),
    ("GET", "/api/v1/fire-modes", READERS, 200),
    // where it burns is missing
    (
        "POST",
        "/api/v1/fire-modes",
        &["operator", "station_lead"],
        422,
    ),
    (
        "POST",
        "/api/v1/fire-modes/fmd_00000000000000000000000000000000/confirm",
        ORDERERS,
        404,
    ),
    (
        "POST",
        "/api/v1/fire-modes/fmd_00000000000000000000000000000000/end",
        &["operator", "station_lead"],
        404,
    ),
    ("GET", "/api/v1/devices", EVERYBODY, 200),
    ("GET", "/api/v1/newcomers", KEEPERS, 200),
    (
        "POST",
        "/api/v1/newcomers/none/admission",
        &["station_lead", "property_manager", "administrator"],
        404,
    ),
    (
        "POST",
        "/api/v1/newcomers/none/dismissal",
        &["station_lead", "property_manager", "administrator"],
        404,
    ),
    ("GET", "/api/v1/grids", KEEPERS, 200),
    (
        "GET",
        "/api/v1/incidents/inc_00000000000000000000000000000000/evacuation",
        &["operator", "responder", "station_lead", "property_manager"],
        404,
    ),
    (
        "POST",
        "/api/v1/devices/nobody/invitation",
        &["property_manager", "administrator"],
        404,
    ),
    ("GET", "/api/v1/quarantine", KEEPERS, 200),
    (
        "POST",
        "/api/v1/quarantine/0/rerun",
        &["station_lead", "property_manager", "administrator"],
        404,
    ),
    // the reason is missing
    (
        "POST",
        "/api/v1/quarantine/rerun",
        &["station_lead", "property_manager", "administrator"],
        422,
    ),
    ("GET", "/api/v1/roster", EVERYBODY, 200),
    ("GET", "/api/v1/roster/week", EVERYBODY, 200),
    ("GET", "/api/v1/resources", EVERYBODY, 200),
    ("POST", "/api/v1/roster/swaps", &["station_lead"], 422),
    ("GET", "/api/v1/duty-log", KEEPERS, 200),
    // the note is missing
    (
        "POST",
        "/api/v1/duty-log/notes",
        &["operator", "station_lead"],
        422,
    ),
    ("GET", "/api/v1/handovers", KEEPERS, 200),
    (
        "POST",
        "/api/v1/handover",
        &["operator", "station_lead"],
        200,
    ),
    (
        "POST",
        "/api/v1/handovers/0/sign",
        &["operator", "station_lead"],
        404,
    ),
    ("GET", "/api/v1/kpi?from=2026-Q4&to=2027-Q1", KEEPERS, 200),
    ("GET", "/api/v1/reports/mine", EVERYBODY, 200),
    ("GET", "/api/v1/report/photos/none", EVERYBODY, 404),
    ("GET", "/api/v1/live", EVERYBODY, 200),
    ("GET", "/api/v1/audit", INSPECTORS, 200),
    ("POST", "/api/v1/audit/verification", INSPECTORS, 200),
    ("GET", "/api/v1/users", ADMINISTRATORS, 200),
    // what it must have is missing
    ("POST", "/api/v1/users", ADMINISTRATORS, 422),
    ("PUT", "/api/v1/users/nobody", ADMINISTRATORS, 415),
    ("POST", "/api/v1/users/nobody/disable", ADMINISTRATORS, 404),
    ("GET", "/api/v1/tokens", ADMINISTRATORS, 200),
    ("POST", "/api/v1/tokens", ADMINISTRATORS, 422),
    ("DELETE", "/api/v1/tokens/none", ADMINISTRATORS, 404),
    ("GET", "/metrics", &["administrator"], 200),
];

/// Routes that need no log-in and know one: what is answered without, to an auditor, to an operator. The body is none of theirs.
const REPORTS: [(&str, &str, u16, u16, u16); 5] = [
    ("GET", "/api/v1/report/form", 200, 200, 200),
    ("POST", "/api/v1/reports", 422, 403, 422),
    (
        "GET",
        "/api/v1/reports/rep_00000000000000000000000000000000",
        401,
        404,
        404,
    ),
    (
        "POST",
        "/api/v1/reports/rep_00000000000000000000000000000000/answer",
        401,
        404,
        404,
    ),
    ("PUT", "/api/v1/report/photos/none", 422, 403, 422),
];

/// Routes at which it makes no difference who is logged in, nor whether a token is wrong: nobody is yet. This hub has no identity provider;
/// what its routes answer where there is one, redirects most of all, is the story `oidc`.
const WAYS_IN: [(&str, &str, u16); 4] = [
    ("GET", "/api/v1/session/ways", 200),
    ("GET", "/api/v1/session/oidc", 404),
    ("POST", "/api/v1/session/oidc", 404),
    ("GET", "/api/v1/session/oidc/callback", 404),
];

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client")
}

#[tokio::test]
async fn every_route_answers_each_role_as_the_table_says() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let (client, base) = (client(), &hub.demo.http);
    let call = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = client
            .request(method.parse().expect("a method"), format!("{base}{path}"))
            .header("Idempotency-Key", "table")
            .timeout(Duration::from_secs(10));
        if method == "POST" {
            request = request.json(&json!({"expected_version": 1}));
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        // a live stream never ends: its head is the answer
        request.send().await.expect("answers").status().as_u16()
    };
    for (method, path, allowed, answer) in ROUTES {
        assert_eq!(
            call(method, path, None).await,
            401,
            "{method} {path} without identity"
        );
        assert_eq!(
            call(method, path, Some("jm_guess")).await,
            401,
            "{method} {path} with a wrong token"
        );
        for role in ROLES {
            let expected = if allowed.contains(&role) {
                *answer
            } else {
                403
            };
            let token = &hub.demo.user(role).token;
            assert_eq!(
                call(method, path, Some(token)).await,
                expected,
                "{method} {path} as {role}"
            );
        }
    }
    for path in ["/healthz", "/readyz", "/api/v1/openapi.json", "/"] {
        assert_eq!(call("GET", path, None).await, 200, "{path}");
    }
    assert_eq!(call("GET", "/api/v1/secrets", None).await, 404);
    let served = hub
        .api("auditor")
        .get("/api/v1/openapi.json")
        .await
        .expect("the document");
    let documented: usize = served["paths"]
        .as_object()
        .expect("paths")
        .values()
        .map(|p| p.as_object().map_or(0, serde_json::Map::len))
        .sum();
    for (method, path, without, auditor, operator) in REPORTS {
        let unknown = call(method, path, Some("jm_guess")).await;
        assert_eq!(unknown, 401, "{method} {path} with a wrong token");
        assert_eq!(call(method, path, None).await, without, "{method} {path}");
        for (role, expected) in [("auditor", auditor), ("operator", operator)] {
            let token = &hub.demo.user(role).token;
            let status = call(method, path, Some(token)).await;
            assert_eq!(status, expected, "{method} {path} as {role}");
        }
    }
    for (method, path, answer) in WAYS_IN {
        let auditor = hub.demo.user("auditor").token.as_str();
        for token in [None, Some("jm_guess"), Some(auditor)] {
            let status = call(method, path, token).await;
            assert_eq!(status, answer, "{method} {path} with {token:?}");
        }
    }
    // logging in by password and enrolling need nobody; metrics are not part of the document
    assert_eq!(
        documented,
        ROUTES.len() - 1 + 2 + REPORTS.len() + WAYS_IN.len(),
        "a route is missing from this table"
    );
}

#[tokio::test]
async fn a_browser_logs_in_by_cookie_and_other_sites_cannot_use_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let (client, url) = (client(), format!("{}/api/v1/session", hub.demo.http));
    let operator = hub.demo.user("operator");
    let wrong = client
        .post(&url)
        .json(&json!({"login": operator.login, "password": "guess"}))
        .send()
        .await
        .expect("answers");
    assert_eq!(wrong.status(), 401);
    let right = json!({"login": operator.login, "password": operator.password});
    let reply = client
        .post(&url)
        .json(&right)
        .send()
        .await
        .expect("answers");
    assert_eq!(reply.status(), 200);
    let set = reply.headers()["set-cookie"]
        .to_str()
        .expect("text")
        .to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(reply.headers().contains_key("content-security-policy"));
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let with = |request: reqwest::RequestBuilder| request.header("cookie", &cookie);
    assert_eq!(
        with(client.get(&url))
            .send()
            .await
            .expect("answers")
            .status(),
        200
    );
    let cross = with(client.delete(&url))
        .header("origin", "http://evil.example")
        .send()
        .await
        .expect("answers");
    assert_eq!(cross.status(), 403, "another site's page");
    assert_eq!(
        with(client.get(&url))
            .send()
            .await
            .expect("answers")
            .status(),
        200,
        "still logged in"
    );
    let own = with(client.delete(&url))
        .header("origin", hub.demo.http.clone())
        .send()
        .await
        .expect("answers");
    assert_eq!(own.status(), 204);
    assert_eq!(
        with(client.get(&url))
            .send()
            .await
            .expect("answers")
            .status(),
        401,
        "logged out"
    );

    for (body, kind) in [
        ("{", "application/json"),
        ("{}", "application/json"),
        ("x", "text/plain"),
    ] {
        let bad = client
            .post(&url)
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .expect("answers");
        assert!(bad.status().is_client_error());
        assert_eq!(
            bad.headers()["content-type"],
            "application/problem+json",
            "{body}"
        );
    }
    let large = client
        .post(&url)
        .header("content-type", "application/json")
        .body("x".repeat(70_000))
        .send()
        .await;
    assert_eq!(large.expect("answers").status(), 413);
    for _ in 0..6 {
        client
            .post(&url)
            .json(&json!({"login": "nobody", "password": "x"}))
            .send()
            .await
            .expect("answers");
    }
    let slowed = client
        .post(&url)
        .json(&json!({"login": "nobody", "password": "x"}))
        .send()
        .await
        .expect("answers");
    assert_eq!(slowed.status(), 429);
    assert!(slowed.headers().contains_key("retry-after"));
}

/// Reads a live stream until `n` changes have come; gives their revisions.
async fn changes(hub: &Hub, after: u64, by_header: bool, n: usize) -> Vec<u64> {
    let url = format!("{}/api/v1/live", hub.demo.http);
    let request = client().get(if by_header {
        url
    } else {
        format!("{url}?from={after}")
    });
    let request = if by_header {
        request.header("last-event-id", after)
    } else {
        request
    };
    let reply = request
        .bearer_auth(&hub.demo.user("operator").token)
        .send()
        .await
        .expect("answers");
    let (mut stream, mut text, mut revisions) = (reply.bytes_stream(), String::new(), Vec::new());
    while revisions.len() < n {
        let piece = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
        text.push_str(&String::from_utf8_lossy(
            &piece.expect("in time").expect("goes on").expect("reads"),
        ));
        while let Some((event, rest)) = text
            .split_once("\n\n")
            .map(|(e, r)| (e.to_owned(), r.to_owned()))
        {
            text = rest;
            assert!(!event.contains("event: reset"), "{event}");
            if let Some(id) = event.lines().find_map(|line| line.strip_prefix("id: ")) {
                revisions.push(id.parse().expect("a revision"));
            }
        }
    }
    revisions
}

#[tokio::test]
async fn a_live_stream_that_broke_goes_on_where_it_was_without_gap_or_double() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let start = hub
        .api("operator")
        .get("/api/v1/incidents")
        .await
        .expect("a list")["revision"]
        .as_u64()
        .expect("a revision");
    let detectors: Vec<_> = hub
        .demo
        .devices
        .iter()
        .filter(|d| d.class == "fire_sensor")
        .take(6)
        .cloned()
        .collect();
    for (n, detector) in detectors.iter().enumerate() {
        let smoke =
            json!({"id": format!("live-{n}"), "kind": "fire.smoke", "phase": "raised"}).to_string();
        assert!(
            publish(
                &hub.demo,
                detector,
                &detector.event_topic("fire.smoke"),
                smoke.as_bytes(),
                1,
                "mqttv311"
            )
            .status
            .success()
        );
    }
    let first = changes(&hub, start, false, 4).await;
    let last = *first.last().expect("some");
    let second = changes(&hub, last, true, 4).await;
    let all: Vec<u64> = first.into_iter().chain(second).collect();
    let expected: Vec<u64> = (start + 1..).take(all.len()).collect();
    assert_eq!(all, expected, "gap-free, in order, each once");
}

#[tokio::test]
async fn a_conflict_shows_a_plate_to_nobody() {
    const PLATE: &str = "浙G8K2M6";
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let gate = hub.demo.device("barrier").clone();
    let kind = "vehicle.plate_read";
    let read = json!({"id": "p", "kind": kind, "phase": "instant",
        "attrs": {"plate": PLATE, "confidence": 0.99, "direction": "in"}});
    let topic = gate.event_topic(kind);
    let sent = publish(
        &hub.demo,
        &gate,
        &topic,
        read.to_string().as_bytes(),
        1,
        "mqttv5",
    );
    assert!(sent.status.success());
    let (operator, lead) = (hub.api("operator"), hub.api("station_lead"));
    let incident = operator.incident_of("B1").await;
    let id = incident["id"].as_str().expect("an id");
    let stale = json!({"expected_version": 0});
    for api in [&operator, &lead] {
        let (status, refused) = api
            .command(id, "claim", "stale-claim", &stale)
            .await
            .expect("answers");
        assert_eq!(
            (status, &refused["code"]),
            (409, &json!("version_conflict"))
        );
        assert_eq!(refused["current"]["id"], id);
        assert!(!refused.to_string().contains(PLATE), "{refused}");
    }
    let alarm = &incident_alarm(&lead, id).await;
    let path = format!("/api/v1/alarms/{alarm}/acknowledge");
    for api in [&operator, &lead] {
        let (status, refused) = api.post(&path, "stale", &stale).await.expect("answers");
        assert_eq!(status, 409, "{refused}");
        assert!(refused["alarm"].is_object(), "{refused}");
        assert!(!refused.to_string().contains(PLATE), "{refused}");
    }
}

async fn incident_alarm(api: &blackbox::Api, id: &str) -> String {
    let incident = api.get(&format!("/api/v1/incidents/{id}")).await;
    let incident = incident.expect("an incident");
    incident["alarms"][0]["id"]
        .as_str()
        .expect("an alarm")
        .to_owned()
}

#[tokio::test]
async fn a_grid_captain_claims_in_the_own_micro_grid_and_in_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let captain = hub.api("grid_captain");
    // two fires: on the fourth floor of the captain's building, and in a shed of the next micro-grid
    for (device, grid) in [("smoke-q1-0203", "own"), ("smoke-q1-0202", "other")] {
        let device = hub.demo.devices.iter().find(|d| d.id == device);
        let device = device.expect("a device of the compound").clone();
        let smoke = json!({"id": grid, "kind": "fire.smoke", "phase": "raised"}).to_string();
        let topic = device.event_topic("fire.smoke");
        let sent = publish(&hub.demo, &device, &topic, smoke.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    }
    let incident = async |device: &str| {
        blackbox::eventually("the fire is open", Duration::from_secs(20), || async {
            let items = captain.items("/api/v1/incidents").await.ok()?;
            items.into_iter().find(|i| i["device"] == device)
        })
        .await
    };
    let claim = async |incident: &serde_json::Value| {
        let id = incident["id"].as_str().expect("an id");
        let path = format!("/api/v1/incidents/{id}/claim");
        let body = json!({"expected_version": incident["version"]});
        captain.post(&path, "claim", &body).await.expect("answers")
    };
    let (status, refused) = claim(&incident("smoke-q1-0202").await).await;
    assert_eq!(status, 403, "{refused}");
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("own micro-grid, this is in another"),
        "{detail}"
    );
    let own = incident("smoke-q1-0203").await;
    let (status, claimed) = claim(&own).await;
    assert_eq!(status, 200, "{claimed}");
    let holders = claimed["tasks"].as_array().expect("tasks").iter();
    let holders: Vec<_> = holders.filter_map(|task| task["holder"].as_str()).collect();
    assert_eq!(holders, [hub.demo.user("grid_captain").login.as_str()]);
    let id = own["id"].as_str().expect("an id");
    captain.advance(id, "arrive", json!({})).await;
    // the desk's work stays the desk's
    let path = format!("/api/v1/incidents/{id}/acknowledge");
    let body = json!({"expected_version": 1});
    let (status, refused) = captain.post(&path, "a", &body).await.expect("answers");
    assert_eq!(status, 403, "{refused}");
}

#[tokio::test]
async fn who_asks_without_end_is_slowed_down_and_nobody_else_and_no_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = json!({"id": "s", "kind": "fire.smoke", "phase": "raised"}).to_string();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, smoke.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    let operator = hub.api("operator");
    let incident = operator.incident_of("S1").await;

    let (client, url) = (client(), format!("{}/api/v1/session", hub.demo.http));
    let token = &hub.demo.user("operator").token;
    let polling = async || {
        for _ in 0..20_000 {
            let reply = client.get(&url).bearer_auth(token).send().await;
            let reply = reply.expect("answers");
            if reply.status() == 429 {
                return Some(reply);
            }
            assert_eq!(reply.status(), 200);
        }
        None
    };
    let many = futures::future::join_all((0..16).map(|_| polling())).await;
    let limited = many.into_iter().flatten().next().expect("an end");
    let after = limited.headers()["retry-after"].to_str().expect("text");
    assert!(after.parse::<u64>().is_ok_and(|s| s >= 1), "{after}");
    let problem: serde_json::Value = limited.json().await.expect("JSON");
    assert_eq!(problem["code"], "too_many_requests");

    // while it goes on, the alarm is acknowledged in the same name, and others read
    let (done, _) = tokio::join!(
        async {
            let id = incident["id"].as_str().expect("an id");
            let mut version = incident["version"].clone();
            let mut answer = (0, json!(null));
            for attempt in 0..20 {
                let body = json!({"expected_version": version});
                let key = format!("ack-{attempt}");
                let reply = operator.command(id, "acknowledge", &key, &body).await;
                answer = reply.expect("answers");
                if answer.0 != 409 {
                    break;
                }
                version = answer.1["current"]["version"].clone();
            }
            answer
        },
        futures::future::join_all((0..16).map(|_| polling())),
    );
    assert_eq!(done.0, 200, "{}", done.1);
    let (status, _) = hub
        .api("auditor")
        .get_raw("/api/v1/incidents")
        .await
        .expect("answers");
    assert_eq!(status, 200, "somebody else");
}

#[tokio::test]
async fn a_query_over_many_years_is_bounded_and_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let api = hub.api("auditor");
    let counts = |from: &str, to: &str, more: &str| {
        format!("/api/v1/counts?from={from}T00:00:00Z&to={to}T00:00:00Z{more}")
    };
    for (path, answer) in [
        (counts("2026-11-01", "2026-12-02", ""), 200),
        (counts("2026-11-01", "2026-12-03", ""), 422),
        (counts("2026-11-01", "2026-11-08", "&by=device"), 200),
        (counts("2026-11-01", "2026-11-09", "&by=device"), 422),
        (counts("2022-01-01", "2027-01-01", "&bucket=1d"), 200),
        (counts("2021-01-01", "2027-01-01", "&bucket=1d"), 422),
        (
            counts("2025-01-01", "2027-01-01", "&bucket=1d&by=device"),
            422,
        ),
        (counts("0001-01-01", "9999-01-01", ""), 422),
        ("/api/v1/events?limit=1001".to_owned(), 400),
        (
            "/api/v1/events?from=2000-01-01T00:00:00Z&limit=1000".to_owned(),
            200,
        ),
    ] {
        let (status, body) = api.get_raw(&path).await.expect("answers");
        assert_eq!(status, answer, "{path}: {body}");
    }
    // far more at a time than there are places: they take turns
    let asked = (0..60).map(|_| api.get_raw("/api/v1/events?limit=1000"));
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer.expect("answers").0, 200);
    }
}
