//! The second step of one's own log-in: setting it up with an app, recovery codes, switching it off.

use std::net::SocketAddr;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use super::reports::address;
use super::session::{proven, went_well};
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Side of the picture in pixels.
const PICTURE_PX: u32 = 220;
type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

/// How the second step of one's own log-in stands.
#[utoipa::path(get, path = "/api/v1/session/second-factor", operation_id = "second_factor", tag = "session",
    responses((status = 200, body = schema::SecondFactor)))]
pub(crate) async fn get(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let now = api.deps.state.second_factor(&caller.user.login).await?;
    let is_required = api.deps.second_factor_roles.contains(&caller.user.role);
    Ok(Json(
        json!({"is_on": now.is_on, "recovery_codes": now.recovery_codes, "is_required": is_required}),
    ))
}

/// One's own password again.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPassword {
    /// The one that is good now.
    password: String,
}

async fn prove(
    api: &Api,
    caller: &Caller,
    password: &str,
    peer: Peer,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let (login, address) = (caller.user.login.as_str(), address(peer));
    if proven(api, login, password, address, headers)
        .await?
        .is_none()
    {
        return Err(Problem::forbidden("the password is wrong"));
    }
    went_well(api, login, address);
    Ok(())
}

/// Begin to set up the second step: a secret for an app, as text, address and picture, once. Nothing is asked for until a code confirms it.
#[utoipa::path(post, path = "/api/v1/session/second-factor", operation_id = "begin_second_factor", tag = "session", request_body = OwnPassword,
    responses((status = 200, body = schema::SecondFactorBegun), (status = 403, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn begin(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    peer: Peer,
    headers: HeaderMap,
    body: Result<Json<OwnPassword>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body?;
    prove(&api, &caller, &body.password, peer, &headers).await?;
    let login = &caller.user.login;
    let secret = api.deps.state.begin_second_factor(login).await?;
    let uri = format!(
        "otpauth://totp/Jiming:{login}?secret={secret}&issuer=Jiming&algorithm=SHA1&digits=6&period=30"
    );
    let picture = QrCode::with_error_correction_level(&uri, EcLevel::M)
        .map_err(|e| Problem::broken(&e.to_string()))?
        .render::<svg::Color<'_>>()
        .min_dimensions(PICTURE_PX, PICTURE_PX)
        .build();
    Ok(Json(json!({"secret": secret, "uri": uri, "svg": picture})))
}

/// A code of the app.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppCode {
    /// Six digits.
    code: String,
}

/// The app shows this code: from now on logging in asks for one. Ten recovery codes are in the answer, once.
#[utoipa::path(post, path = "/api/v1/session/second-factor/confirmation", operation_id = "confirm_second_factor", tag = "session",
    request_body = AppCode,
    responses((status = 200, body = schema::RecoveryCodes), (status = 409, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<AppCode>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    let codes = api
        .deps
        .state
        .confirm_second_factor(login, &body.code, now)
        .await?;
    info!(user.login = %login, "second step of the log-in set up");
    Ok(Json(json!({"recovery_codes": codes})))
}

/// Switch one's own second step off, with the password.
#[utoipa::path(post, path = "/api/v1/session/second-factor/end", operation_id = "end_second_factor", tag = "session", request_body = OwnPassword,
    responses((status = 204), (status = 403, body = schema::Problem), (status = 404, body = schema::Problem)))]
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    peer: Peer,
    headers: HeaderMap,
    body: Result<Json<OwnPassword>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(body) = body?;
    prove(&api, &caller, &body.password, peer, &headers).await?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    if !api.deps.state.end_second_factor(login, now).await? {
        return Err(Problem::not_found("second step of this log-in"));
    }
    info!(user.login = %login, "second step of the log-in switched off");
    Ok(StatusCode::NO_CONTENT)
}
