//! Legal holds: what is about people around an incident, and its days of history, stay until somebody's word for it is over.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::{HoldId, IncidentId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::{HoldItem, NewHold};

use super::incidents::found;
use super::parse;
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// What is to be held.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceHold {
    /// The incident; with it what is about people in its quarter, from two hours before it opened to two hours after it is closed, and
    /// the history of those days.
    incident: String,
    /// What for, 1 to 200 characters.
    reason: String,
    /// Until then, at most 366 days from now.
    until: String,
}

/// Of what.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOf {
    /// Of this incident.
    incident: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// Tells history what is held from now on.
async fn tell(api: &Api, now: Timestamp) -> Result<(), Problem> {
    let events = &api.deps.events;
    let told = (api.deps.state).tell_held(now, |held| events.hold(held));
    Ok(told.await?)
}

/// Holds, the newest first, also those that are over.
#[utoipa::path(get, path = "/api/v1/holds", operation_id = "list_holds", tag = "privacy", params(ListOf),
    responses((status = 200, body = schema::HoldPage), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ListOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let incident = parse("incident", query.incident.as_deref())?;
    let (cursor, limit) = (query.cursor.as_deref(), query.limit.unwrap_or(100));
    let reach = caller.reach(&api);
    let page = api.deps.state.holds(incident, cursor, limit, &reach);
    let (items, next) = page.await?;
    Ok(Json(json!({"items": items, "next": next})))
}

/// Hold what is about people around an incident; if it is held already, the hold gets this end and reason. Whoever calls answers for it.
#[utoipa::path(post, path = "/api/v1/holds", operation_id = "place_hold", tag = "privacy", request_body = PlaceHold,
    responses((status = 200, body = schema::Hold), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem),
        (status = 404, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn place(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<PlaceHold>, JsonRejection>,
) -> Result<Json<HoldItem>, Problem> {
    let Json(body) = body?;
    let incident: IncidentId = body
        .incident
        .parse()
        .map_err(|_| Problem::not_found("incident"))?;
    let until: Timestamp = body
        .until
        .parse()
        .map_err(|e| Problem::unprocessable("until", e))?;
    found(&api, &caller, incident).await?;
    let now = (api.deps.clock)();
    let new = NewHold {
        login: caller.user.login.clone(),
        incident,
        reason: body.reason,
        until,
    };
    let hold = api.deps.state.place_hold(new, now).await?;
    // what is answered is held: also by the files of history
    tell(&api, now).await?;
    Ok(Json(hold))
}

/// End a hold before its day. What it kept, and is due, goes.
#[utoipa::path(delete, path = "/api/v1/holds/{id}", operation_id = "end_hold", tag = "privacy", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: HoldId = id.parse().map_err(|_| Problem::not_found("hold"))?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    let reach = caller.reach(&api);
    api.deps.state.end_hold(id, login, &reach, now).await?;
    tell(&api, now).await?;
    Ok(StatusCode::NO_CONTENT)
}
