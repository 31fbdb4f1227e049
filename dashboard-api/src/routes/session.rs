//! Logging in and out.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use store::state::{SESSION_LIFE, User};
use tracing::{info, warn};

use crate::auth::{self, COOKIE, Caller};
use crate::{Api, Problem, schema};

/// A log-in.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct LogIn {
    /// Log-in name.
    login: String,
    /// Password.
    password: String,
}

fn told(user: &User) -> Json<serde_json::Value> {
    Json(json!({"user": user}))
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

/// Log in: the answer sets a session cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn,
    responses((status = 200, body = schema::Session), (status = 401, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn log_in(
    State(api): State<Api>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Result<Json<LogIn>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let address = peer.map_or_else(
        || [0, 0, 0, 0].into(),
        |Extension(ConnectInfo(peer))| peer.ip(),
    );
    let now = Instant::now();
    if let Some(wait) = api.throttle.wait(&body.login, address, now) {
        let detail = "too many wrong passwords; wait a little";
        return Err(Problem::too_many(detail, wait.as_secs() + 1));
    }
    let Some(user) = api
        .deps
        .state
        .verify_password(&body.login, &body.password)
        .await?
    else {
        api.throttle.failed(&body.login, address, now);
        warn!(network.peer = %address, "log-in refused");
        return Err(Problem::unauthenticated().with("reason", "wrong log-in name or password"));
    };
    api.throttle.succeeded(&body.login, address);
    let secret = api
        .deps
        .state
        .open_session(&user.login, (api.deps.clock)())
        .await?;
    info!(user.login = %user.login, "logged in");
    let mut response = told(&user).into_response();
    response.headers_mut().insert(
        header::SET_COOKIE,
        set_cookie(&api, &secret, SESSION_LIFE.as_secs()),
    );
    Ok(response)
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "session", tag = "session",
    responses((status = 200, body = schema::Session), (status = 401, body = schema::Problem)))]
pub(crate) async fn who(Extension(caller): Extension<Caller>) -> Json<serde_json::Value> {
    told(&caller.user)
}

/// Log out: the session ends.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub(crate) async fn log_out(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(secret) = auth::cookie(&headers) {
        api.deps.state.close_session(secret).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, set_cookie(&api, "", 0));
    Ok(response)
}
