//! Logging in and out, one's own sessions, and one's own password.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::UserId;
use serde::Deserialize;
use serde_json::json;
use store::state::{Origin, Owes, SESSION_LIFE, User, Way};
use tracing::{info, warn};

use super::reports::address;
use crate::auth::{self, COOKIE, Caller, Proof};
use crate::{Api, Problem, access, schema};

/// A log-in.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct LogIn {
    /// Log-in name.
    login: String,
    /// Password.
    password: String,
    /// The code of the second step, or a recovery code; asked for when the password is right and there is a second step.
    code: Option<String>,
}

pub(super) fn told(user: &User, owes: Owes) -> Json<serde_json::Value> {
    let (calls, owes) = match owes {
        Owes::Nothing => (access::calls(user.role, &user.scope), None),
        Owes::Password => (Vec::new(), Some("password")),
        Owes::SecondFactor => (Vec::new(), Some("second_factor")),
    };
    Json(json!({"user": user, "may_call": calls, "owes": owes}))
}

fn set_cookie(api: &Api, secret: &str, seconds: i64) -> HeaderValue {
    let secure = if api.deps.behind_https {
        "; Secure"
    } else {
        ""
    };
    let text =
        format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).expect("a secret is hexadecimal")
}

/// Somebody tries a password or a code.
pub(super) fn attempt(api: &Api, login: &str, address: IpAddr) -> Result<(), Problem> {
    let tried = api.throttle.attempt(login, address, Instant::now());
    tried.map_err(|wait| {
        let detail = "too many wrong passwords; wait a little";
        Problem::too_many(detail, wait.as_secs() + 1)
    })
}

/// Whose password this is; each is counted as wrong until somebody says that it [`went_well`], and too many have to wait.
pub(super) async fn proven(
    api: &Api,
    login: &str,
    password: &str,
    address: IpAddr,
    headers: &HeaderMap,
) -> Result<Option<User>, Problem> {
    attempt(api, login, address)?;
    let user = api.deps.state.verify_password(login, password).await?;
    if user.is_none() {
        let origin = origin(address, headers, Way::Password);
        let now = (api.deps.clock)();
        api.deps.state.note_refused(login, &origin, now).await?;
        warn!(network.peer = %address, "password refused");
    }
    Ok(user)
}

pub(super) fn origin(address: IpAddr, headers: &HeaderMap, way: Way) -> Origin {
    let agent = headers
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Origin {
        address: address.to_string(),
        agent: agent.unwrap_or_default(),
        way,
    }
}

/// The log-in name starts afresh.
pub(super) fn went_well(api: &Api, login: &str, address: IpAddr) {
    api.throttle.succeeded(login, address, Instant::now());
}

/// The second step, where there is one. A code that is wrong is counted like a wrong password; to be asked for one is not.
pub(super) async fn second_step(
    api: &Api,
    login: &UserId,
    code: Option<&str>,
    address: IpAddr,
    origin: &Origin,
) -> Result<(), Problem> {
    let state = &api.deps.state;
    if !state.second_factor(login).await?.is_on {
        return Ok(());
    }
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        api.throttle.withdrawn(login.as_str(), address);
        return Err(Problem::code_wanted());
    };
    if !state
        .use_second_factor(login, code, (api.deps.clock)())
        .await?
    {
        let now = (api.deps.clock)();
        state.note_refused(login.as_str(), origin, now).await?;
        warn!(network.peer = %address, "code of the second step refused");
        return Err(Problem::code_wrong());
    }
    Ok(())
}

/// Begins a session for this browser; the one that it had before is over.
pub(super) async fn begin(
    api: &Api,
    login: &UserId,
    origin: &Origin,
    former: Option<&str>,
) -> Result<(HeaderValue, String), Problem> {
    let (state, now) = (&api.deps.state, (api.deps.clock)());
    let secret = state.open_session(login, origin, former, now).await?;
    let cookie = set_cookie(api, &secret, SESSION_LIFE.as_secs());
    Ok((cookie, secret))
}

/// Log in: the answer sets a session cookie. A session that the browser had before ends.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn,
    responses((status = 200, body = schema::Session), (status = 401, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn log_in(
    State(api): State<Api>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Result<Json<LogIn>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let address = address(peer);
    let Some(user) = proven(&api, &body.login, &body.password, address, &headers).await? else {
        return Err(Problem::unauthenticated().with("reason", "wrong log-in name or password"));
    };
    let origin = origin(address, &headers, Way::Password);
    second_step(&api, &user.login, body.code.as_deref(), address, &origin).await?;
    went_well(&api, &body.login, address);
    let former = auth::cookie(&headers);
    let (cookie, secret) = begin(&api, &user.login, &origin, former).await?;
    info!(user.login = %user.login, "logged in");
    let owes = auth::owed_by_session(&api, &secret).await?;
    Ok(([(header::SET_COOKIE, cookie)], told(&user, owes)).into_response())
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "session", tag = "session",
    responses((status = 200, body = schema::Session), (status = 401, body = schema::Problem)))]
pub(crate) async fn who(Extension(caller): Extension<Caller>) -> Json<serde_json::Value> {
    told(&caller.user, caller.owes)
}

/// Log out: the session ends, and its live streams with it.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub(crate) async fn log_out(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(secret) = auth::cookie(&headers) {
        api.deps
            .state
            .close_session(secret, (api.deps.clock)())
            .await?;
    }
    Ok(gone(&api))
}

fn gone(api: &Api) -> Response {
    let cookie = set_cookie(api, "", 0);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

/// Where the caller is logged in, the latest used first.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "session",
    responses((status = 200, body = schema::Sessions)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<serde_json::Value>, Problem> {
    let own = match &caller.proof {
        Proof::Session(secret) => Some(secret.as_str()),
        Proof::Token(_) => None,
    };
    let (state, now) = (&api.deps.state, (api.deps.clock)());
    let items = state.sessions(&caller.user, own, now).await?;
    Ok(Json(json!({"items": items})))
}

/// Log out everywhere, here too. API tokens stay as they are.
#[utoipa::path(delete, path = "/api/v1/sessions", operation_id = "log_out_everywhere", tag = "session",
    responses((status = 204)))]
pub(crate) async fn end_all(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let ended = api
        .deps
        .state
        .close_sessions(&caller.user.login, (api.deps.clock)())
        .await?;
    info!(user.login = %caller.user.login, sessions = ended, "logged out everywhere");
    Ok(gone(&api))
}

/// End one of the caller's sessions.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "end_session", tag = "session",
    params(("id" = String, Path)), responses((status = 204), (status = 404, body = schema::Problem)))]
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let login = &caller.user.login;
    if !api
        .deps
        .state
        .close_session_of(login, &id, (api.deps.clock)())
        .await?
    {
        return Err(Problem::not_found("session"));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A new password for oneself.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The one that is good now.
    current: String,
    /// 12 characters to 256 bytes, and more than the log-in name.
    new: String,
}

/// Change one's own password: all sessions end, and a new one begins for this browser.
#[utoipa::path(post, path = "/api/v1/session/password", operation_id = "change_password", tag = "session", request_body = NewPassword,
    responses((status = 204), (status = 403, body = schema::Problem), (status = 422, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn change_password(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let login = &caller.user.login;
    let address = address(peer);
    let known = proven(&api, login.as_str(), &body.current, address, &headers).await?;
    if known.is_none() {
        return Err(Problem::forbidden("the current password is wrong"));
    }
    went_well(&api, login.as_str(), address);
    if body.new == body.current {
        return Err(Problem::unprocessable("new", "it is the current one"));
    }
    let now = (api.deps.clock)();
    match api.deps.state.set_password(login, body.new, now).await {
        Err(store::state::StateError::Invalid { what }) => {
            return Err(Problem::unprocessable("new", what));
        }
        other => other?,
    }
    info!(user.login = %login, "password changed");
    if matches!(caller.proof, Proof::Token(_)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let origin = origin(address, &headers, Way::Password);
    let (cookie, _) = begin(&api, login, &origin, auth::cookie(&headers)).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
