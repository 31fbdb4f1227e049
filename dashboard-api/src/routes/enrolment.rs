//! Inviting a device, and the device that comes with its token.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::{Extension, Json};
use domain::DeviceId;
use serde::{Deserialize, Serialize};
use store::state::StateError;
use tracing::{info, warn};

use super::reports::address;
use crate::auth::Caller;
use crate::{Api, Enrolled, Problem, schema};

/// An invitation.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Invitation {
    /// The device.
    device: String,
    /// What it comes with, once. It cannot be read again.
    token: String,
    /// The token's end.
    expires_at: String,
}

/// Invite a registered device: the answer holds a token that is good once, for 15 minutes. An earlier invitation of the device is void.
#[utoipa::path(post, path = "/api/v1/devices/{id}/invitation", operation_id = "invite_device", tag = "devices", params(("id" = String, Path,)),
    responses((status = 200, body = Invitation), (status = 404, body = schema::Problem)))]
pub(crate) async fn invite(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Invitation>, Problem> {
    let device: Option<DeviceId> = id.parse().ok();
    let sees = |device: DeviceId| (caller.reach(&api)).sees_device(&device, &api.deps.registry());
    if !api.deps.enrolment.knows(&id) || !device.is_some_and(sees) {
        return Err(Problem::not_found("device"));
    }
    let by = caller.user.login.to_string();
    let (token, expires_at) = api.deps.state.invite(&id, &by, (api.deps.clock)()).await?;
    info!(device.id = id, user.login = by, "device invited");
    Ok(Json(Invitation {
        device: id,
        token,
        expires_at: expires_at.to_string(),
    }))
}

/// What an invited device sends.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrol {
    /// Its id.
    device: String,
    /// The token of its invitation.
    token: String,
    /// A certificate signing request (PKCS #10, PEM); without one the answer holds a password.
    csr: Option<String>,
}

/// Enrol an invited device. With a password that it had before, both are good for a day; connections go on.
#[utoipa::path(post, path = "/api/v1/enrol", operation_id = "enrol_device", tag = "devices", request_body = Enrol,
    responses((status = 200, body = Enrolled), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn enrol(
    State(api): State<Api>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Result<Json<Enrol>, JsonRejection>,
) -> Result<Json<Enrolled>, Problem> {
    let Json(body) = body?;
    let address = address(peer);
    // names of devices and of people do not meet
    let (name, now) = (format!("device {}", body.device), Instant::now());
    api.throttle.attempt(&name, address, now).map_err(|wait| {
        let detail = "too many wrong tokens; wait a little";
        Problem::too_many(detail, wait.as_secs() + 1)
    })?;
    let enrolled = api
        .deps
        .enrolment
        .enrol(
            &body.device,
            &body.token,
            body.csr.as_deref(),
            (api.deps.clock)(),
        )
        .await;
    match enrolled {
        Ok(enrolled) => {
            api.throttle.succeeded(&name, address, now);
            info!(device.id = body.device, "device enrolled");
            Ok(Json(enrolled))
        }
        Err(EnrolError::Refused) => {
            warn!(network.peer = %address, "enrolment refused");
            Err(Problem::forbidden(
                "there is no such invitation: wrong device or token, used before, or older than 15 minutes (hint: ask for a new one)",
            ))
        }
        Err(other) => {
            api.throttle.withdrawn(&name, address);
            Err(match other {
                EnrolError::BadRequest(what) => Problem::bad_request(what),
                EnrolError::State(e) => e.into(),
                other => Problem::broken(&other.to_string()),
            })
        }
    }
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Wrong, used or late token, or nobody by that name: one answer for all.
    #[error("there is no such invitation")]
    Refused,
    /// The signing request cannot be used.
    #[error("{0}")]
    BadRequest(String),
    /// The hub's fault.
    #[error("{0}")]
    Internal(String),
    /// The state database.
    #[error(transparent)]
    State(#[from] StateError),
}
