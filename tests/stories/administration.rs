//! Administering users and API tokens over HTTP: a first password that must be changed, locking out, tokens that end, and a trail of it all.

use std::time::Duration;

use blackbox::{Hub, Login};
use futures::StreamExt as _;
use reqwest::Response;
use serde_json::{Value, json};

use crate::sessions::Browser;

async fn body(reply: Response, status: u16) -> Value {
    let is = reply.status().as_u16();
    let text = reply.text().await.expect("a body");
    assert_eq!(is, status, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn named(login: &str, password: &str) -> Login {
    Login {
        role: String::new(),
        login: login.to_owned(),
        password: password.to_owned(),
        token: String::new(),
    }
}

async fn administrator(hub: &Hub) -> Browser {
    let mut desk = Browser::at(hub);
    assert_eq!(desk.log_in(hub.demo.user("administrator")).await, 200);
    desk
}

/// Makes a user; the first password.
async fn make(desk: &mut Browser, login: &str, role: &str) -> String {
    let asked = json!({"login": login, "name": "新人", "role": role});
    let made = body(desk.ask("POST", "/api/v1/users", Some(asked)).await, 200).await;
    assert_eq!(made["user"]["owes_password"], true);
    made["password"].as_str().expect("a password").to_owned()
}

#[tokio::test]
async fn a_new_user_changes_the_password_before_anything_else_and_is_gone_when_disabled() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let mut desk = administrator(&hub).await;
    let first = make(&mut desk, "zhou", "operator").await;
    let twice = json!({"login": "zhou", "name": "x", "role": "operator"});
    let twice = body(desk.ask("POST", "/api/v1/users", Some(twice)).await, 409).await;
    assert_eq!(twice["code"], "exists");

    let mut new = Browser::at(&hub);
    let asked = json!({"login": "zhou", "password": first});
    let session = body(new.ask("POST", "/api/v1/session", Some(asked)).await, 200).await;
    assert_eq!(
        (&session["owes"], &session["may_call"]),
        (&json!("password"), &json!([]))
    );
    for path in ["/api/v1/incidents", "/api/v1/live", "/api/v1/meta"] {
        let refused = body(new.ask("GET", path, None).await, 403).await;
        assert_eq!(refused["code"], "password_owed", "{path}");
    }
    assert_eq!(
        new.status("GET", "/api/v1/report/form", None).await,
        403,
        "nor what needs nobody"
    );
    let second = "correct horse battery staple";
    let change = json!({"current": first, "new": second});
    assert_eq!(
        new.status("POST", "/api/v1/session/password", Some(change))
            .await,
        204
    );
    assert_eq!(new.status("GET", "/api/v1/incidents", None).await, 200);

    let stream = new.bare("GET", "/api/v1/live").send().await;
    let mut stream = stream.expect("answers").bytes_stream();
    assert!(stream.next().await.is_some());
    let listed = body(desk.ask("GET", "/api/v1/users", None).await, 200).await;
    let listed = listed["items"].as_array().expect("a list");
    let zhou = listed
        .iter()
        .find(|u| u["login"] == "zhou")
        .expect("is there");
    assert_eq!(
        (&zhou["sessions"], &zhou["owes_password"]),
        (&json!(1), &json!(false))
    );
    assert!(zhou["logged_in_at"].is_string());
    let act = async |desk: &mut Browser, login: &str, act: &str, status| {
        let path = format!("/api/v1/users/{login}/{act}");
        body(desk.ask("POST", &path, None).await, status).await
    };
    act(&mut desk, "zhou", "disable", 200).await;
    assert!(!new.is_in().await);
    let end = async { while stream.next().await.is_some_and(|piece| piece.is_ok()) {} };
    let ended = tokio::time::timeout(Duration::from_secs(5), end).await;
    assert!(ended.is_ok(), "a stream outlives its user");
    assert_eq!(Browser::at(&hub).log_in(&named("zhou", second)).await, 401);
    act(&mut desk, "zhou", "enable", 200).await;
    assert_eq!(Browser::at(&hub).log_in(&named("zhou", second)).await, 200);
    let reset = act(&mut desk, "zhou", "reset_password", 200).await;
    assert_eq!(Browser::at(&hub).log_in(&named("zhou", second)).await, 401);
    let third = reset["password"].as_str().expect("a password");
    assert_eq!(Browser::at(&hub).log_in(&named("zhou", third)).await, 200);

    // nobody locks the administration out
    let admin = &hub.demo.user("administrator").login;
    assert_eq!(
        act(&mut desk, admin, "disable", 409).await["code"],
        "oneself"
    );
    let demoted = json!({"name": "x", "role": "auditor"});
    let path = format!("/api/v1/users/{admin}");
    let last = body(desk.ask("PUT", &path, Some(demoted)).await, 409).await;
    assert_eq!(last["code"], "last_administrator");
    act(&mut desk, "zhou", "promote", 404).await;

    let trail = hub
        .api("auditor")
        .get("/api/v1/audit?object=account:zhou")
        .await;
    let trail = trail.expect("reads");
    let told: Vec<_> = trail["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|row| {
            row["act"]
                .as_str()
                .is_some_and(|act| act.ends_with("_user"))
        })
        .map(|row| {
            (
                row["actor"].as_str().expect("text"),
                row["act"].as_str().expect("text"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (admin.as_str(), "reset_password_user"),
            (admin, "enable_user"),
            (admin, "disable_user"),
            (admin, "make_user"),
        ]
    );
    let (status, verdict) = hub
        .api("auditor")
        .post("/api/v1/audit/verification", "v", &json!({}))
        .await
        .expect("answers");
    assert_eq!(
        (status, &verdict["broken"]),
        (200, &Value::Null),
        "{verdict}"
    );
}

#[tokio::test]
async fn a_token_may_do_no_more_than_its_maker_ends_and_can_be_revoked() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let mut desk = administrator(&hub).await;
    let asked =
        |role: &str, days: u16| Some(json!({"label": "Grafana", "role": role, "days": days}));
    for (wanted, field) in [
        (asked("operator", 30), "role"), // who hands over what an administrator does not
        (asked("auditor", 0), "days"),
        (asked("auditor", 367), "days"),
    ] {
        let refused = body(desk.ask("POST", "/api/v1/tokens", wanted).await, 422).await;
        assert_eq!(refused["field"], field);
    }
    let made = body(
        desk.ask("POST", "/api/v1/tokens", asked("auditor", 30))
            .await,
        200,
    )
    .await;
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let id = made["token"]["id"].as_str().expect("an id").to_owned();
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let call = async |method: reqwest::Method, path: &str| {
        let request = client.request(method, format!("{}{path}", hub.demo.http));
        let reply = request.bearer_auth(&secret).json(&json!({})).send().await;
        reply.expect("answers").status().as_u16()
    };
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    assert_eq!(call(get.clone(), "/api/v1/incidents").await, 200);
    assert_eq!(
        call(get.clone(), "/api/v1/users").await,
        403,
        "it is an auditor's"
    );
    assert_eq!(call(post, "/api/v1/maintenance").await, 403);
    // a token that makes tokens would live for ever
    let by_token = hub.api("administrator");
    let (status, _) = by_token
        .post(
            "/api/v1/tokens",
            "t",
            &json!({"label": "x", "role": "auditor", "days": 1}),
        )
        .await
        .expect("answers");
    assert_eq!(status, 403);

    let listed = body(desk.ask("GET", "/api/v1/tokens", None).await, 200).await;
    assert!(!listed.to_string().contains(&secret));
    let item = listed["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|t| t["id"] == *id)
        .expect("is there")
        .clone();
    assert!(
        item["used_at"].is_string() && item["expires_at"].is_string(),
        "{item}"
    );
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(desk.status("DELETE", &path, None).await, 204);
    assert_eq!(desk.status("DELETE", &path, None).await, 404);
    assert_eq!(call(get, "/api/v1/incidents").await, 401);
}
