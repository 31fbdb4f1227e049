//! Alarms: where each stands, what holds it back, and the shelf.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use domain::{AlarmId, Severity, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use store::state::{AlarmAct, AlarmFilter, AlarmItem, Role, ShelfEnd};

use super::{idempotency_key, parse, shown};
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Which alarms.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlarmsOf {
    /// A state, `open` for everything that is not over, or `active` for every condition that holds.
    state: Option<String>,
    /// `shelved`, `suppressed_by_design`, `out_of_service`, `chattering` or `unknown`. Those of alarms that are over say how it was.
    flag: Option<String>,
    /// A quarter.
    site: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// Alarms, the newest first: also those that open no incident.
#[utoipa::path(get, path = "/api/v1/alarms", operation_id = "list_alarms", tag = "alarms", params(AlarmsOf),
    responses((status = 200, body = schema::AlarmPage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<AlarmsOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let filter = AlarmFilter {
        stage: parse("state", query.state.as_deref())?,
        flag: parse("flag", query.flag.as_deref())?,
        site: parse("site", query.site.as_deref())?,
        reach: caller.reach(&api),
    };
    let limit = query.limit.unwrap_or(100);
    let page = api
        .deps
        .state
        .alarms(&filter, query.cursor.as_deref(), limit)
        .await?;
    shown(&page)
}

/// How long an alarm is put aside, and why.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shelve {
    /// The version that was on the screen.
    expected_version: i64,
    /// The end (RFC 3339); either this or `minutes`. At most 8 hours from now.
    until: Option<String>,
    /// How many minutes from now.
    minutes: Option<u32>,
    /// In their words; a shelf without a reason is refused.
    reason: Option<String>,
}

/// The version that somebody decided on.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// The version that was on the screen.
    expected_version: i64,
}

/// Put an alarm aside until an hour. It goes on recording, rings again by itself, and its incident stays as it is. A P1 is never
/// shelved.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/shelve", operation_id = "shelve_alarm", tag = "alarms", request_body = Shelve,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::Alarm), (status = 400, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 409, body = schema::Problem)))]
pub(crate) async fn shelve(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Result<Json<Shelve>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let alarm = found(&api, &caller, &id).await?;
    let now = (api.deps.clock)();
    let end: Option<Timestamp> = parse("until", request.until.as_deref())?;
    let end = match (end, request.minutes) {
        (Some(until), None) => ShelfEnd::At(until),
        (None, Some(minutes)) => ShelfEnd::Minutes(minutes),
        _ => {
            return Err(Problem::bad_request(
                "a shelf has an end: either `until` or `minutes`",
            ));
        }
    };
    let act = AlarmAct::Shelve {
        end,
        reason: request.reason.unwrap_or_default(),
    };
    let version = request.expected_version;
    done(&api, &caller, &headers, alarm.id, version, act, now).await
}

/// End a shelf before its time.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/unshelve", operation_id = "unshelve_alarm", tag = "alarms", request_body = Seen,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::Alarm), (status = 400, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 409, body = schema::Problem)))]
pub(crate) async fn unshelve(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Result<Json<Seen>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(Seen { expected_version }) = request?;
    let alarm = found(&api, &caller, &id).await?;
    let (act, now) = (AlarmAct::Unshelve, (api.deps.clock)());
    done(
        &api,
        &caller,
        &headers,
        alarm.id,
        expected_version,
        act,
        now,
    )
    .await
}

/// Say that an alarm has been seen that no incident shows: a notice, or one that is held back.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/acknowledge", operation_id = "acknowledge_alarm", tag = "alarms", request_body = Seen,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::Alarm), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem),
        (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Result<Json<Seen>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(Seen { expected_version }) = request?;
    let alarm = found(&api, &caller, &id).await?;
    if caller.user.role == Role::PropertyManager && alarm.severity < Severity::P3 {
        return Err(Problem::forbidden("a property manager handles P3 and P4"));
    }
    let (act, now) = (AlarmAct::Acknowledge, (api.deps.clock)());
    done(
        &api,
        &caller,
        &headers,
        alarm.id,
        expected_version,
        act,
        now,
    )
    .await
}

/// An alarm that this caller may know of.
async fn found(api: &Api, caller: &Caller, id: &str) -> Result<AlarmItem, Problem> {
    let missing = || Problem::not_found("alarm");
    let id: AlarmId = id.parse().map_err(|_| missing())?;
    let reach = caller.reach(api);
    if !api.deps.state.sees_alarm(id, &reach).await? {
        return Err(missing());
    }
    api.deps.state.alarm(id).await?.ok_or_else(missing)
}

async fn done(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    id: AlarmId,
    expected_version: i64,
    act: AlarmAct,
    now: Timestamp,
) -> Result<Json<Value>, Problem> {
    let key = idempotency_key(headers)?;
    let who = (caller.user.login.clone(), now);
    let book = api.deps.book();
    let item = api
        .deps
        .state
        .act_on_alarm(id, expected_version, key, act, who, book)
        .await
        .map_err(|error| Problem::from(error).masked())?;
    shown(&item)
}
