//! Logging in: what other sites cannot do, who has to wait, where one is logged in, and what ends with a session.

use std::time::Duration;

use blackbox::{Hub, Login};
use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A browser as far as the hub can tell: a cookie, and the origin that its pages have.
pub(crate) struct Browser {
    client: reqwest::Client,
    base: String,
    pub(crate) cookie: Option<String>,
}

impl Browser {
    pub(crate) fn at(hub: &Hub) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self {
            client,
            base: hub.demo.http.clone(),
            cookie: None,
        }
    }

    /// A request of this browser that does not say from where it comes.
    pub(crate) fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Response {
        let mut request = self.bare(method, path).header("origin", &self.base);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.expect("answers");
        if let Some(set) = reply.headers().get("set-cookie") {
            let set = set.to_str().expect("text").split(';').next();
            self.cookie = set.map(str::to_owned).filter(|pair| !pair.ends_with('='));
        }
        reply
    }

    pub(crate) async fn status(&mut self, method: &str, path: &str, body: Option<Value>) -> u16 {
        self.ask(method, path, body).await.status().as_u16()
    }

    pub(crate) async fn log_in(&mut self, who: &Login) -> u16 {
        let body = json!({"login": who.login, "password": who.password});
        self.status("POST", "/api/v1/session", Some(body)).await
    }

    pub(crate) async fn is_in(&mut self) -> bool {
        self.status("GET", "/api/v1/session", None).await == 200
    }

    async fn sessions(&mut self) -> Vec<Value> {
        let reply = self.ask("GET", "/api/v1/sessions", None).await;
        let body: Value = reply.json().await.expect("JSON");
        body["items"].as_array().expect("a list").clone()
    }
}

#[tokio::test]
async fn nothing_is_done_for_another_site_nor_for_a_page_that_does_not_say_where_it_is_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let mut browser = Browser::at(&hub);
    let lead = hub.demo.user("station_lead");
    assert_eq!(browser.log_in(lead).await, 200);
    let routes = [
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        ("DELETE", "/api/v1/sessions"),
        ("POST", "/api/v1/session/password"),
        (
            "POST",
            "/api/v1/incidents/inc_00000000000000000000000000000000/claim",
        ),
        (
            "POST",
            "/api/v1/alarms/alm_00000000000000000000000000000000/shelve",
        ),
        ("POST", "/api/v1/roster/swaps"),
        ("POST", "/api/v1/reports"),
        ("PUT", "/api/v1/report/photos/none"),
    ];
    for (method, path) in routes {
        let body = json!({"login": lead.login, "password": lead.password});
        for from in [
            Some(("origin", "http://evil.example")),
            Some(("origin", "null")),
            Some(("sec-fetch-site", "cross-site")),
            Some(("sec-fetch-site", "same-site")),
            None,
        ] {
            let mut request = browser.bare(method, path).json(&body);
            if let Some((name, value)) = from {
                request = request.header(name, value);
            }
            let reply = request.send().await.expect("answers");
            assert_eq!(reply.status(), 403, "{method} {path} from {from:?}");
        }
    }
    assert!(browser.is_in().await);
    // nor is anybody logged in by another site's page, cookie or not
    browser.cookie = None;
    let body = json!({"login": lead.login, "password": lead.password});
    let reply = browser
        .bare("POST", "/api/v1/session")
        .header("origin", "http://evil.example")
        .json(&body)
        .send()
        .await
        .expect("answers");
    assert_eq!(reply.status(), 403);
    assert!(!reply.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn who_logs_in_again_has_a_new_session_and_can_see_and_end_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let operator = hub.demo.user("operator");
    let (mut desk, mut phone) = (Browser::at(&hub), Browser::at(&hub));
    assert_eq!(desk.log_in(operator).await, 200);
    let first = desk.cookie.clone();
    assert_eq!(desk.log_in(operator).await, 200);
    assert_ne!(desk.cookie, first, "a new secret");
    let mut former = Browser::at(&hub);
    former.cookie = first;
    assert!(!former.is_in().await, "the one before is over");
    // a secret that somebody planted is never taken over
    let mut planted = Browser::at(&hub);
    planted.cookie = Some("jiming_session=00ff".to_owned());
    assert_eq!(planted.log_in(operator).await, 200);
    assert_ne!(planted.cookie.as_deref(), Some("jiming_session=00ff"));

    assert_eq!(phone.log_in(operator).await, 200);
    let mut other = Browser::at(&hub);
    assert_eq!(other.log_in(hub.demo.user("auditor")).await, 200);
    let listed = desk.sessions().await;
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!(listed.iter().filter(|s| s["is_own"] == true).count(), 1);
    assert!(listed.iter().all(|s| s["address"] == "127.0.0.1"));

    let own = phone.sessions().await;
    let own = own.iter().find(|s| s["is_own"] == true).expect("its own");
    let path = format!("/api/v1/sessions/{}", own["id"].as_str().expect("an id"));
    assert_eq!(other.status("DELETE", &path, None).await, 404, "not theirs");
    assert!(phone.is_in().await);
    assert_eq!(desk.status("DELETE", &path, None).await, 204);
    assert!(!phone.is_in().await && desk.is_in().await);

    assert_eq!(desk.status("DELETE", "/api/v1/sessions", None).await, 204);
    assert!(desk.cookie.is_none());
    assert!(!planted.is_in().await);
    assert!(other.is_in().await, "somebody else stays");
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_and_their_streams_within_five_seconds() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let operator = hub.demo.user("operator");
    let (mut desk, mut wall) = (Browser::at(&hub), Browser::at(&hub));
    assert_eq!(desk.log_in(operator).await, 200);
    assert_eq!(wall.log_in(operator).await, 200);
    let stream = wall.bare("GET", "/api/v1/live").send().await;
    let mut stream = stream.expect("answers").bytes_stream();

    let path = "/api/v1/session/password";
    let new = "correct horse battery staple";
    let asked = |current: &str, new: &str| Some(json!({"current": current, "new": new}));
    for (body, answer) in [
        (asked("guess", new), 403),
        (asked(&operator.password, "short"), 422),
        (asked(&operator.password, &operator.password), 422),
        (asked(&operator.password, &"x".repeat(300)), 422),
    ] {
        assert_eq!(desk.status("POST", path, body).await, answer);
    }
    assert!(wall.is_in().await, "nothing has happened yet");
    let body = asked(&operator.password, new);
    assert_eq!(desk.status("POST", path, body).await, 204);
    assert!(desk.is_in().await, "this browser goes on");
    assert!(!wall.is_in().await);
    let end = async { while stream.next().await.is_some_and(|piece| piece.is_ok()) {} };
    let ended = tokio::time::timeout(Duration::from_secs(5), end).await;
    assert!(ended.is_ok(), "a stream outlives its session");

    let mut again = Browser::at(&hub);
    assert_eq!(again.log_in(operator).await, 401, "the old one");
    let renewed = Login {
        password: new.to_owned(),
        ..operator.clone()
    };
    assert_eq!(again.log_in(&renewed).await, 200);
}

#[tokio::test]
async fn guessing_has_to_wait_and_waiting_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let operator = hub.demo.user("operator");
    let mut browser = Browser::at(&hub);
    let guess = Login {
        password: "not this one either".to_owned(),
        ..operator.clone()
    };
    // many at a time are no way around it
    let guesses = (0..40).map(|_| {
        let mut browser = Browser::at(&hub);
        let guess = &guess;
        async move { browser.log_in(guess).await }
    });
    let answers = futures::future::join_all(guesses).await;
    assert!(
        answers.iter().filter(|s| **s == 401).count() <= 6,
        "{answers:?}"
    );
    assert!(answers.contains(&429));
    // nor is the right password told from a wrong one meanwhile
    let body = json!({"login": operator.login, "password": operator.password});
    let waits = browser.ask("POST", "/api/v1/session", Some(body)).await;
    assert_eq!(waits.status(), 429);
    let seconds = waits.headers()["retry-after"].to_str().expect("text");
    let seconds: u64 = seconds.parse().expect("seconds");
    assert!((1..=61).contains(&seconds), "{seconds}");
    // whoever is logged in works on
    let (status, _) = hub
        .api("operator")
        .get_raw("/api/v1/incidents")
        .await
        .expect("answers");
    assert_eq!(status, 200);
}
