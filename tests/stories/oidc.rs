//! Logging in at an identity provider: a small one of our own, with real keys, that can be told to lie. Who is known comes in, everybody
//! else is refused and written down, and a provider that is away takes nobody's password away.

use std::collections::HashMap;
use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64_URL};
use blackbox::{Hub, eventually};
use reqwest::Url;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::sessions::Browser;

const CLIENT: &str = "jiming-hub";
const SECRET: &str = "s3cret of the hub & co";

/// What is wrong with the provider's next tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    Nothing,
    Nonce,
    Audience,
    OtherAudienceToo,
    Expired,
    Signature,
    Unsigned,
    SharedSecret,
    Issuer,
    NoToken,
}

/// What a browser was sent to the provider with.
struct Asked {
    nonce: String,
    challenge: String,
    callback: String,
}

struct World {
    base: String,
    key: EcdsaKeyPair,
    stranger: EcdsaKeyPair,
    /// Who sits before the browser: claims.
    person: Value,
    lie: Lie,
    codes: HashMap<String, Asked>,
    /// Scopes, methods and the like of the last browser that came.
    asked: HashMap<String, String>,
}

/// The identity provider.
#[derive(Clone)]
struct Issuer(Arc<Mutex<World>>);

impl Issuer {
    async fn start() -> Self {
        Self::start_as("127.0.0.1").await
    }

    /// Under this name of this machine.
    async fn start_as(host: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let base = format!("http://{host}:{port}/realm");
        let issuer = Self(Arc::new(Mutex::new(World {
            base,
            key: key(),
            stranger: key(),
            person: Value::Null,
            lie: Lie::Nothing,
            codes: HashMap::new(),
            asked: HashMap::new(),
        })));
        let routes = Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                get(|State(issuer): State<Self>| ready(metadata(&issuer))),
            )
            .route(
                "/realm/keys",
                get(|State(issuer): State<Self>| ready(keys(&issuer))),
            )
            .route(
                "/realm/authorize",
                get(|State(issuer): State<Self>, Query(asked)| ready(authorize(&issuer, asked))),
            )
            .route(
                "/realm/token",
                post(
                    |State(issuer): State<Self>, headers: HeaderMap, form: String| {
                        ready(token(&issuer, &headers, &form))
                    },
                ),
            )
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        issuer
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("nobody panicked")
    }

    fn base(&self) -> String {
        self.world().base.clone()
    }

    /// From now on it is they who sit there.
    fn person(&self, subject: &str, name: &str) {
        self.world().person = json!({"sub": subject, "preferred_username": name});
    }

    fn lie(&self, lie: Lie) {
        self.world().lie = lie;
    }
}

fn key() -> EcdsaKeyPair {
    let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let made = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
    EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).expect("the same")
}

fn metadata(issuer: &Issuer) -> Json<Value> {
    let base = issuer.base();
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

fn keys(issuer: &Issuer) -> Json<Value> {
    let world = issuer.world();
    let point = world.key.public_key().as_ref();
    let (x, y) = (&point[1..33], &point[33..]);
    Json(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k1",
        "x": BASE64_URL.encode(x), "y": BASE64_URL.encode(y),
    }]}))
}

/// Whoever comes is logged in there already.
fn authorize(issuer: &Issuer, asked: HashMap<String, String>) -> Response {
    let word = |key: &str| asked.get(key).cloned().unwrap_or_default();
    let is_good = word("client_id") == CLIENT
        && word("response_type") == "code"
        && word("scope").split(' ').any(|scope| scope == "openid")
        && word("code_challenge_method") == "S256"
        && !word("nonce").is_empty()
        && word("state").len() >= 16;
    if !is_good {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let mut world = issuer.world();
    let code = format!("code-{}", world.codes.len());
    let mut back = Url::parse(&word("redirect_uri")).expect("an address");
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &word("state"))
        .append_pair("iss", &world.base);
    let kept = Asked {
        nonce: word("nonce"),
        challenge: word("code_challenge"),
        callback: word("redirect_uri"),
    };
    world.codes.insert(code, kept);
    world.asked = asked;
    Redirect::to(back.as_str()).into_response()
}

fn pairs(form: &str) -> HashMap<String, String> {
    let url = Url::parse(&format!("http://form/?{form}")).expect("a form");
    url.query_pairs().into_owned().collect()
}

/// Whether this is the hub, by name and secret as RFC 6749 (2.3.1) writes them.
fn is_hub(headers: &HeaderMap) -> bool {
    let said = headers.get("authorization").and_then(|v| v.to_str().ok());
    let said = said.and_then(|text| text.strip_prefix("Basic "));
    let said = said.and_then(|text| BASE64_STANDARD.decode(text).ok());
    let said = said.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((name, secret)) = said.as_deref().and_then(|text| text.split_once(':')) else {
        return false;
    };
    let plain = pairs(&format!("name={name}&secret={secret}"));
    plain["name"] == CLIENT && plain["secret"] == SECRET
}

fn token(issuer: &Issuer, headers: &HeaderMap, body: &str) -> Response {
    let refuse = |error: &str| {
        let told = Json(json!({"error": error}));
        (StatusCode::BAD_REQUEST, told).into_response()
    };
    if !is_hub(headers) {
        return refuse("invalid_client");
    }
    let form = pairs(body);
    let word = |key: &str| form.get(key).cloned().unwrap_or_default();
    let mut world = issuer.world();
    // good once
    let Some(asked) = world.codes.remove(&word("code")) else {
        return refuse("invalid_grant");
    };
    let shown = BASE64_URL.encode(Sha256::digest(word("code_verifier")));
    let is_same = shown == asked.challenge && word("redirect_uri") == asked.callback;
    if !is_same || word("grant_type") != "authorization_code" {
        return refuse("invalid_grant");
    }
    let mut answer = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 300});
    if world.lie != Lie::NoToken {
        answer["id_token"] = json!(id_token(&world, &asked.nonce));
    }
    Json(answer).into_response()
}

fn id_token(world: &World, nonce: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    let mut claims =
        json!({"iss": world.base, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 300});
    for (name, value) in world.person.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    let mut head = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
    let mut key = &world.key;
    match world.lie {
        Lie::Nothing | Lie::NoToken => {}
        Lie::Nonce => claims["nonce"] = json!("of another log-in"),
        Lie::Audience => claims["aud"] = json!("another-hub"),
        Lie::OtherAudienceToo => claims["aud"] = json!([CLIENT, "another-hub"]),
        Lie::Expired => claims["exp"] = json!(now - 60),
        Lie::Issuer => claims["iss"] = json!("https://evil.example"),
        Lie::Signature => key = &world.stranger,
        Lie::Unsigned => head["alg"] = json!("none"),
        Lie::SharedSecret => head["alg"] = json!("HS256"),
    }
    let part = |value: &Value| BASE64_URL.encode(value.to_string());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let signature = match world.lie {
        Lie::Unsigned => String::new(),
        // right, and still no proof: whoever has the hub's secret could make it
        Lie::SharedSecret => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            BASE64_URL.encode(hmac::sign(&key, signed.as_bytes()))
        }
        _ => {
            let made = key.sign(&SystemRandom::new(), signed.as_bytes());
            BASE64_URL.encode(made.expect("signs"))
        }
    };
    format!("{signed}.{signature}")
}

/// A browser that goes where it is sent, one step at a time.
struct Desk {
    client: reqwest::Client,
    hub: String,
    cookies: HashMap<String, String>,
    /// What the last answer of the hub said of its cookies.
    set: Vec<String>,
}

impl Desk {
    fn at(hub: &Hub) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build();
        Self {
            client: client.expect("a client"),
            hub: hub.demo.http.clone(),
            cookies: HashMap::new(),
            set: Vec::new(),
        }
    }

    async fn answer(&mut self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let pairs = pairs.collect::<Vec<_>>().join("; ");
        let reply = request.header("cookie", pairs).send().await;
        let reply = reply.expect("answers");
        let set = reply.headers().get_all("set-cookie").iter();
        self.set = set.map(|v| v.to_str().expect("text").to_owned()).collect();
        for set in &self.set {
            let pair = set.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.expect("a pair");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }

    /// Status, and where it leads.
    async fn go(&mut self, address: &str) -> (u16, String) {
        let address = match address.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.hub),
            None => address.to_owned(),
        };
        let request = self.client.get(address);
        let reply = self.answer(request).await;
        let to = reply.headers().get("location");
        let to = to.map_or("", |to| to.to_str().expect("text")).to_owned();
        (reply.status().as_u16(), to)
    }

    /// Out to the provider; the address with which it sends the browser back.
    async fn out(&mut self, next: &str) -> String {
        let begin = format!("/api/v1/session/oidc?next={next}");
        let (status, at_provider) = self.go(&begin).await;
        assert_eq!(status, 303, "{at_provider}");
        // the provider is another host: it gets none of the hub's cookies
        let (cookies, set) = (std::mem::take(&mut self.cookies), self.set.clone());
        let (status, back) = self.go(&at_provider).await;
        (self.cookies, self.set) = (cookies, set);
        assert_eq!(status, 303, "{at_provider}");
        back
    }

    /// All the way; where it ends.
    async fn log_in(&mut self, next: &str) -> String {
        let back = self.out(next).await;
        let (status, to) = self.go(&back).await;
        assert_eq!(status, 303);
        to
    }

    async fn who(&mut self) -> Option<Value> {
        let request = self.client.get(format!("{}/api/v1/session", self.hub));
        let reply = self.answer(request).await;
        let is_in = reply.status() == 200;
        let body: Value = reply.json().await.expect("JSON");
        is_in.then_some(body)
    }

    async fn post(&mut self, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.hub));
        let request = request.header("origin", &self.hub).json(&body);
        let reply = self.answer(request).await;
        (
            reply.status().as_u16(),
            reply.json().await.unwrap_or_default(),
        )
    }
}

/// A hub that sends people to this provider.
async fn hub_with(dir: &Path, issuer: &str) -> Hub {
    let secret = dir.join("oidc.secret");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("written");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let redirect = format!("http://127.0.0.1:{port}");
    Hub::start_set_on(
        dir,
        port,
        &[
            ("JIMING__OIDC__ISSUER", issuer),
            ("JIMING__OIDC__CLIENT_ID", CLIENT),
            (
                "JIMING__OIDC__CLIENT_SECRET_FILE",
                secret.to_str().expect("text"),
            ),
            ("JIMING__OIDC__REDIRECT", &redirect),
        ],
    )
    .await
}

/// Log-ins and refused ones of the audit trail, the last one first: act, about whom, by which way.
async fn trail(hub: &Hub, act: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/audit?act={act}");
    let rows = hub.api("auditor").items(&path).await.expect("reads");
    let word = |row: &Value, name: &str| row[name].as_str().expect("text").to_owned();
    let rows = rows
        .iter()
        .map(|row| (word(row, "object"), word(row, "to")));
    rows.collect()
}

fn row(object: &str) -> (String, String) {
    (object.to_owned(), "oidc".to_owned())
}

#[tokio::test]
async fn who_has_an_account_comes_in_by_the_provider_and_a_way_back_is_good_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let issuer = Issuer::start().await;
    let hub = hub_with(dir.path(), &issuer.base()).await;
    let operator = hub.demo.user("operator").login.clone();
    issuer.person("8f6c", &operator);
    eventually("the hub says so", Duration::from_secs(10), || {
        let is_told = hub.log().contains("identity provider reached");
        ready(is_told.then_some(()))
    })
    .await;
    let ways = Desk::at(&hub).go("/api/v1/session/ways").await;
    assert_eq!(ways.0, 200);

    let mut desk = Desk::at(&hub);
    let back = desk.out("/incidents%3Fstate=open").await;
    let asked = issuer.world().asked.clone();
    let callback = format!("{}/api/v1/session/oidc/callback", hub.demo.http);
    assert_eq!(asked["redirect_uri"], callback);
    assert_eq!(asked["scope"], "openid profile");
    assert!(back.starts_with(&callback), "{back}");
    let [set] = &desk.set[..] else {
        panic!("one cookie: {:?}", desk.set)
    };
    for part in [
        "jiming_oidc=",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=600",
    ] {
        assert!(set.contains(part), "{set}");
    }

    // another browser with the same address gets nothing, and takes nothing away
    let mut other = Desk::at(&hub);
    let stale = "/login?oidc=stale&to=%2F".to_owned();
    assert_eq!(other.go(&back).await, (303, stale.clone()));
    other
        .cookies
        .insert("jiming_oidc".to_owned(), "00ff".to_owned());
    assert_eq!(other.go(&back).await, (303, stale.clone()));
    assert!(other.who().await.is_none());
    // nor does this one with another state
    let forged = back.replace("state=", "state=x");
    assert_eq!(desk.go(&forged).await, (303, stale.clone()));

    let cookies = desk.cookies.clone();
    assert_eq!(
        desk.go(&back).await,
        (303, "/incidents?state=open".to_owned())
    );
    let session = desk
        .set
        .iter()
        .find(|set| set.starts_with("jiming_session="));
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(session.expect("a session").contains(part), "{session:?}");
    }
    assert!(!desk.cookies.contains_key("jiming_oidc"), "it was used");
    let session = desk.who().await.expect("is in");
    assert_eq!(session["user"]["login"], *operator);
    assert_eq!(session["user"]["role"], "operator");
    assert_eq!(
        trail(&hub, "log_in").await,
        [row(&format!("account:{operator}"))]
    );
    // replayed, also with the cookie of before
    assert_eq!(desk.go(&back).await, (303, stale.clone()));
    let mut again = Desk::at(&hub);
    again.cookies = cookies;
    assert_eq!(again.go(&back).await, (303, stale));
    assert!(again.who().await.is_none());

    // who logs in again has a new session, and the one before is over
    let former = desk.cookies["jiming_session"].clone();
    assert_eq!(desk.log_in("/").await, "/");
    assert_ne!(desk.cookies["jiming_session"], former);
    let mut before = Desk::at(&hub);
    before.cookies.insert("jiming_session".to_owned(), former);
    assert!(before.who().await.is_none());

    // it leads to pages of this dashboard only
    for evil in [
        "//evil.example",
        "https://evil.example/",
        "/%5Cevil.example",
        "/api/v1/session/oidc",
    ] {
        let begin = format!("/api/v1/session/oidc?next={evil}");
        assert_eq!(desk.go(&begin).await.0, 400, "{evil}");
    }
    assert!(!hub.log().contains(SECRET));
}

#[tokio::test]
async fn who_is_not_known_here_or_disabled_is_refused_and_written_down() {
    let dir = tempfile::tempdir().expect("a directory");
    let issuer = Issuer::start().await;
    let hub = hub_with(dir.path(), &issuer.base()).await;
    let operator = hub.demo.user("operator").login.clone();
    let unknown = "/login?oidc=unknown&to=%2Flive";
    for name in ["nobody-here", "No Log-in Name", "王磊", ""] {
        issuer.person(&operator, name);
        let mut desk = Desk::at(&hub);
        assert_eq!(desk.log_in("/live").await, unknown, "{name}");
        assert!(desk.who().await.is_none());
    }
    let nobody = row("account:nobody");
    assert_eq!(trail(&hub, "log_in_refused").await, vec![nobody; 4]);
    let users = hub.api("administrator").items("/api/v1/users").await;
    let users = users.expect("reads");
    assert!(users.iter().all(|user| user["login"] != "nobody-here"));

    issuer.person("8f6c", &operator);
    let mut desk = Desk::at(&hub);
    assert_eq!(desk.log_in("/live").await, "/live");
    let mut admin = Browser::at(&hub);
    assert_eq!(admin.log_in(hub.demo.user("administrator")).await, 200);
    let disable = format!("/api/v1/users/{operator}/disable");
    assert_eq!(admin.status("POST", &disable, None).await, 200);
    assert!(desk.who().await.is_none(), "out at once");
    assert_eq!(desk.log_in("/live").await, unknown);
    assert!(desk.who().await.is_none());
    let refused = trail(&hub, "log_in_refused").await;
    assert_eq!(refused[0], row(&format!("account:{operator}")));
}

#[tokio::test]
async fn a_token_that_is_not_for_this_log_in_from_this_provider_and_now_logs_in_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let issuer = Issuer::start().await;
    let hub = hub_with(dir.path(), &issuer.base()).await;
    issuer.person("8f6c", &hub.demo.user("operator").login);
    let invalid = "/login?oidc=invalid&to=%2F";
    let lies = [
        Lie::Nonce,
        Lie::Audience,
        Lie::OtherAudienceToo,
        Lie::Expired,
        Lie::Signature,
        Lie::Unsigned,
        Lie::SharedSecret,
        Lie::Issuer,
        Lie::NoToken,
    ];
    for (n, lie) in lies.into_iter().enumerate() {
        issuer.lie(lie);
        let mut desk = Desk::at(&hub);
        assert_eq!(desk.log_in("/").await, invalid, "{lie:?}");
        assert!(desk.who().await.is_none(), "{lie:?}");
        assert!(!desk.cookies.contains_key("jiming_session"), "{lie:?}");
        let refused = trail(&hub, "log_in_refused").await;
        assert_eq!(refused, vec![row("account:nobody"); n + 1], "{lie:?}");
    }
    issuer.lie(Lie::Nothing);
    // a code that the provider has not given out, and an answer that another provider signs as its own
    let mut desk = Desk::at(&hub);
    let back = desk.out("/").await.replace("code=code-", "code=guess-");
    assert_eq!(desk.go(&back).await, (303, invalid.to_owned()));
    let back = desk.out("/").await;
    let (rest, _) = back.split_once("&iss=").expect("it says who it is");
    let back = format!("{rest}&iss=https%3A%2F%2Fevil.example");
    assert_eq!(desk.go(&back).await, (303, invalid.to_owned()));
    // whoever says no at the provider is told so, once
    let back = desk.out("/").await;
    let back = back.replace("code=", "error=access_denied&code=");
    assert_eq!(
        desk.go(&back).await,
        (303, "/login?oidc=refused&to=%2F".to_owned())
    );
    assert!(desk.who().await.is_none());
    // and with nothing wrong it works
    assert_eq!(desk.log_in("/").await, "/");
    assert!(desk.who().await.is_some());
}

/// What an app with this secret shows now, or some intervals later (RFC 6238).
fn totp(secret: &str, later: i64) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
    for letter in secret.chars() {
        let value = LETTERS.find(letter).expect("base 32");
        bits = (bits << 5) | u32::try_from(value).expect("small");
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).expect("a byte"));
        }
    }
    let step = jiff::Timestamp::now().as_second() / 30 + later;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let digest = hmac::sign(&key, &step.to_be_bytes());
    let digest = digest.as_ref();
    let at = usize::from(digest[19] & 15);
    let four = digest[at..at + 4].try_into().expect("four bytes");
    format!(
        "{:06}",
        (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
    )
}

#[tokio::test]
async fn the_second_step_of_an_account_is_asked_for_all_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let issuer = Issuer::start().await;
    let hub = hub_with(dir.path(), &issuer.base()).await;
    let operator = hub.demo.user("operator").clone();
    issuer.person("8f6c", &operator.login);
    let mut desk = Desk::at(&hub);
    assert_eq!(desk.log_in("/").await, "/");
    let step = "/api/v1/session/second-factor";
    let (status, begun) = desk
        .post(step, json!({"password": operator.password}))
        .await;
    assert_eq!(status, 200, "{begun}");
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    let code = json!({"code": totp(&secret, 0)});
    let (status, _) = desk.post(&format!("{step}/confirmation"), code).await;
    assert_eq!(status, 200);

    let mut phone = Desk::at(&hub);
    assert_eq!(phone.log_in("/work").await, "/login?oidc=code&to=%2Fwork");
    assert!(phone.who().await.is_none(), "half is not in");
    let finish = "/api/v1/session/oidc";
    let mut other = Desk::at(&hub);
    let right = || json!({"code": totp(&secret, 1)});
    assert_eq!(
        other.post(finish, right()).await.0,
        401,
        "nobody began it there"
    );
    let (status, refused) = phone.post(finish, json!({"code": "000000"})).await;
    assert_eq!((status, &refused["code"]), (401, &json!("code_wrong")));
    let half = phone.cookies.clone();
    let (status, session) = phone.post(finish, right()).await;
    assert_eq!(status, 200, "{session}");
    assert_eq!(session["user"]["login"], *operator.login);
    assert!(phone.who().await.is_some());
    // half a log-in is good once
    other.cookies = half;
    let (status, refused) = other.post(finish, right()).await;
    assert_eq!((status, &refused["code"]), (401, &json!("unauthenticated")));
    let about = row(&format!("account:{}", operator.login));
    assert_eq!(trail(&hub, "log_in").await, [about.clone(), about.clone()]);
    assert_eq!(trail(&hub, "log_in_refused").await, [about]);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_of_and_passwords_go_on_working() {
    let dir = tempfile::tempdir().expect("a directory");
    let issuer = "http://127.0.0.1:9/realm";
    let hub = hub_with(dir.path(), issuer).await;
    eventually("the hub says so", Duration::from_secs(10), || {
        let is_told = hub.log().contains("identity provider not reached");
        ready(is_told.then_some(()))
    })
    .await;
    let mut desk = Desk::at(&hub);
    let (status, to) = desk.go("/api/v1/session/oidc?next=/live").await;
    assert_eq!((status, &*to), (303, "/login?oidc=unreachable&to=%2Flive"));
    let mut browser = Browser::at(&hub);
    assert_eq!(browser.log_in(hub.demo.user("operator")).await, 200);
    assert_eq!(trail(&hub, "log_in_refused").await, []);
    // and nobody makes the hub ask again and again
    let mut last = String::new();
    for _ in 0..40 {
        (_, last) = desk.go("/api/v1/session/oidc").await;
    }
    assert_eq!(last, "/login?oidc=throttled&to=%2F");
    assert!(hub.stop().await.success());
}

/// In a real browser, for which the provider is another site: the session's cookie is there after the way back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_button_leads_there_and_back_in_a_browser() {
    let dir = tempfile::tempdir().expect("a directory");
    let issuer = Issuer::start_as("localhost").await;
    let hub = hub_with(dir.path(), &issuer.base()).await;
    issuer.person("8f6c", &hub.demo.user("operator").login);
    let mut page = blackbox::Browser::start("oidc", &[&hub.demo.http, &issuer.base()]);
    page.says("IN");
    issuer.person("77aa", "nobody-here");
    page.tell("another");
    page.done();
}
