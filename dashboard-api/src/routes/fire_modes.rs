//! Fire mode: what was told to open on a confirmed fire, what has not confirmed, and its end by hand.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use domain::{FireModeId, ZoneId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::{FireModeItem, NewFireMode};

use super::incidents::found;
use super::shown;
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Which fire modes.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FireModesOf {
    /// Only those that are not over.
    #[serde(default)]
    open: bool,
}

/// Fire modes, the newest first, with every door and barrier and what became of its command.
#[utoipa::path(get, path = "/api/v1/fire-modes", operation_id = "list_fire_modes", tag = "commands", params(FireModesOf),
    responses((status = 200, body = schema::FireModeList)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<FireModesOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let (reach, now) = (caller.reach(&api), (api.deps.clock)());
    let items = api.deps.state.fire_modes(query.open, now, &reach).await?;
    shown(&json!({ "items": items }))
}

/// Where it burns, or is said to.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartFireMode {
    /// The zone of the fire; its building's escape doors and the quarter's barriers open.
    zone: String,
    /// Why, 1 to 200 characters.
    reason: String,
    /// For which incident.
    incident: Option<String>,
    /// It is a drill: shown as one everywhere, and counted apart.
    #[serde(default)]
    drill: bool,
    /// In a drill: let doors and barriers really open.
    #[serde(default)]
    with_devices: bool,
    /// Without a second person although no detector is in alarm, with a reason of at least 10 characters.
    #[serde(default)]
    alone: bool,
}

/// Start fire mode by hand: at once while a detector of the building is in alarm, else when a second person has confirmed.
#[utoipa::path(post, path = "/api/v1/fire-modes", operation_id = "start_fire_mode", tag = "commands", request_body = StartFireMode,
    responses((status = 200, body = schema::FireMode), (status = 400, body = schema::Problem), (status = 404, body = schema::Problem)))]
pub(crate) async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<StartFireMode>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let missing = || Problem::not_found("zone");
    let zone: ZoneId = request.zone.parse().map_err(|_| missing())?;
    let registry = api.deps.registry();
    let known = registry.zones.get(&zone).ok_or_else(missing)?;
    if !caller.reach(&api).sees(&known.site, Some(&zone)) {
        return Err(missing());
    }
    let incident = match request.incident.as_deref() {
        None => None,
        Some(text) => {
            let id = text.parse().map_err(|_| Problem::not_found("incident"))?;
            found(&api, &caller, id).await?;
            Some(id)
        }
    };
    let new = NewFireMode {
        zone,
        reason: request.reason,
        incident,
        drill: request.drill,
        with_devices: request.with_devices,
        alone: request.alone,
    };
    let (login, now) = (caller.user.login.clone(), (api.deps.clock)());
    shown(&api.deps.state.start_fire_mode(new, login, now).await?)
}

/// Confirm somebody else's fire mode: what has to open is told to.
#[utoipa::path(post, path = "/api/v1/fire-modes/{id}/confirm", operation_id = "confirm_fire_mode", tag = "commands", params(("id" = String, Path)),
    responses((status = 200, body = schema::FireMode), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let item = seen(&api, &caller, &id).await?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    shown(
        &api.deps
            .state
            .confirm_fire_mode(item.id, login, now)
            .await?,
    )
}

/// Why it ends.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndFireMode {
    /// 1 to 200 characters.
    reason: String,
}

/// End fire mode. Nothing is locked or lowered by it: people do that, where they see it.
#[utoipa::path(post, path = "/api/v1/fire-modes/{id}/end", operation_id = "end_fire_mode", tag = "commands", params(("id" = String, Path)),
    request_body = EndFireMode,
    responses((status = 200, body = schema::FireMode), (status = 400, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 409, body = schema::Problem)))]
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Result<Json<EndFireMode>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let item = seen(&api, &caller, &id).await?;
    let Json(request) = request?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    let ended = api
        .deps
        .state
        .end_fire_mode(item.id, &request.reason, login, now);
    shown(&ended.await?)
}

async fn seen(api: &Api, caller: &Caller, id: &str) -> Result<FireModeItem, Problem> {
    let missing = || Problem::not_found("fire mode");
    let id: FireModeId = id.parse().map_err(|_| missing())?;
    let item = api.deps.state.fire_mode(id).await?.ok_or_else(missing)?;
    if !caller.reach(api).sees(&item.site, Some(&item.zone)) {
        return Err(missing());
    }
    Ok(item)
}
