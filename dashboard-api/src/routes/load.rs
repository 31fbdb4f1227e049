//! How busy the seats are, and the cards that a flood folds.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use domain::incident::Actor;
use domain::{StormId, Timestamp};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::CommandError;

use super::{parse, shown};
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// The span of metrics when none is asked for: EEMUA 191 and ISA-18.2 look at days.
const SPAN: SignedDuration = SignedDuration::from_hours(24);

/// Since when.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LoadOf {
    /// Metrics of alarms that rang since then (RFC 3339): 24 hours ago when not given, at most 31 days ago.
    since: Option<String>,
}

/// How many alarms ring at a seat, under the names of OPC UA Part 9, and whether that is a flood.
#[utoipa::path(get, path = "/api/v1/load", tag = "load", params(LoadOf),
    responses((status = 200, body = schema::load::Load), (status = 400, body = schema::Problem)))]
pub(crate) async fn load(
    State(api): State<Api>,
    query: Result<Query<LoadOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let now = (api.deps.clock)();
    let asked: Option<Timestamp> = parse("since", query.since.as_deref())?;
    let since = asked.unwrap_or_else(|| now.checked_sub(SPAN).unwrap_or(Timestamp::MIN));
    shown(&api.deps.state.load(since, now).await?)
}

/// Cards of which something is still on the board, the newest first. Their incidents name them as `storm`.
#[utoipa::path(get, path = "/api/v1/storms", operation_id = "list_storms", tag = "load", responses((status = 200, body = schema::load::Storms)))]
pub(crate) async fn storms(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let storms = api.deps.state.storms(&caller.reach(&api)).await?;
    shown(&json!({ "items": storms }))
}

/// What of a card was on the screen.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StormSeen {
    /// `last_at` of the card as it was on the screen: what came later waits.
    seen_at: String,
}

/// Acknowledge the incidents of a card that were on the screen, each of them as by itself. Asked twice it changes nothing more.
#[utoipa::path(post, path = "/api/v1/storms/{id}/acknowledge", operation_id = "acknowledge_storm", tag = "load", request_body = StormSeen, params(("id" = String, Path)),
    responses((status = 200, body = schema::load::StormAcknowledged), (status = 400, body = schema::Problem),
        (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Result<Json<StormSeen>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let id: StormId = id.parse().map_err(|_| Problem::not_found("storm"))?;
    let seen_at: Option<Timestamp> = parse("seen_at", Some(&request.seen_at))?;
    let seen_at = seen_at.ok_or_else(|| Problem::bad_request("`seen_at` is empty"))?;
    let actor = Actor {
        user: caller.user.login.clone(),
        department: caller.user.department.clone(),
    };
    let now = (api.deps.clock)();
    let (state, reach) = (&api.deps.state, caller.reach(&api));
    let done = state.acknowledge_storm(id, seen_at, actor, now, reach);
    match done.await {
        Err(CommandError::NotFound) => Err(Problem::not_found("storm")),
        done => shown(&done?),
    }
}
