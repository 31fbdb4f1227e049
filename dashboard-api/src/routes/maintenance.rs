//! Maintenance windows.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use domain::alarm::Scope;
use domain::id::MaintenanceId;
use serde::Deserialize;
use serde_json::Value;
use store::state::{MaintenanceError, NewWindow};

use super::{idempotency_key, parse, shown};
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Which windows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WindowsOf {
    /// `planned`, `active` or `ended`.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// A window that goes over more than the caller's account is limited to.
fn beyond() -> Problem {
    Problem::outside_scope(
        "the window goes beyond what your account is limited to (hint: name a zone or a device of your own)",
    )
}

/// Maintenance windows, the last planned first.
#[utoipa::path(get, path = "/api/v1/maintenance", operation_id = "list_maintenance", tag = "alarms", params(WindowsOf),
    responses((status = 200, body = schema::MaintenancePage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<WindowsOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let state = parse("state", query.state.as_deref())?;
    let limit = query.limit.unwrap_or(100);
    let (reach, cursor) = (caller.reach(&api), query.cursor.as_deref());
    let page = api.deps.state.maintenance(state, cursor, limit, &reach);
    let page = page.await?;
    shown(&page)
}

/// Who works where, from when until when. What is named narrows the window down; without `rules` it goes over all of them.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanMaintenance {
    /// A quarter.
    site: String,
    /// Only this building.
    building: Option<String>,
    /// Only this zone.
    zone: Option<String>,
    /// Only this device.
    device: Option<String>,
    /// Only these rules.
    #[serde(default)]
    rules: Vec<String>,
    /// Start (RFC 3339); now when not given.
    starts_at: Option<String>,
    /// End (RFC 3339), within 7 days of the start.
    ends_at: String,
    /// In their words.
    reason: String,
}

/// Plan a maintenance window. It holds back P3 and P4 and nothing else, and ends by itself; start and end are announced.
#[utoipa::path(post, path = "/api/v1/maintenance", operation_id = "plan_maintenance", tag = "alarms", request_body = PlanMaintenance,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::Maintenance), (status = 400, body = schema::Problem)))]
pub(crate) async fn plan(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Result<Json<PlanMaintenance>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let key = idempotency_key(&headers)?;
    let now = (api.deps.clock)();
    let missing = |name: &str| Problem::bad_request(format!("`{name}` is missing"));
    let mut rules = Vec::with_capacity(request.rules.len());
    for text in &request.rules {
        let rule = parse("rules", Some(text))?;
        match rule.filter(|id| api.deps.book().contains_key(id)) {
            Some(rule) => rules.push(rule),
            None => return Err(Problem::bad_request(format!("there is no rule `{text}`"))),
        }
    }
    let new = NewWindow {
        scope: Scope {
            site: parse("site", Some(&request.site))?.ok_or_else(|| missing("site"))?,
            building: parse("building", request.building.as_deref())?,
            zone: parse("zone", request.zone.as_deref())?,
            device: parse("device", request.device.as_deref())?,
            rules,
        },
        starts_at: parse("starts_at", request.starts_at.as_deref())?,
        ends_at: parse("ends_at", Some(&request.ends_at))?.ok_or_else(|| missing("ends_at"))?,
        reason: request.reason,
    };
    let reach = caller.reach(&api);
    let known = reach.check_window(&new.scope, &api.deps.registry());
    known.map_err(|hidden| Problem::from(MaintenanceError::from(hidden)))?;
    if !reach.holds_window(&new.scope, &api.deps.registry()) {
        return Err(beyond());
    }
    let who = (caller.user.login.clone(), now);
    let item = api.deps.state.plan_maintenance(new, key, who).await?;
    shown(&item)
}

/// End a window before its time, or call off one that has not begun: what it held back and still holds rings now.
#[utoipa::path(post, path = "/api/v1/maintenance/{id}/end", operation_id = "end_maintenance", tag = "alarms",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::Maintenance), (status = 400, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 409, body = schema::Problem)))]
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found("maintenance window");
    let id: MaintenanceId = id.parse().map_err(|_| missing())?;
    let key = idempotency_key(&headers)?;
    let (reach, state) = (caller.reach(&api), &api.deps.state);
    if !state.sees_window(id, &reach).await? {
        return Err(missing());
    }
    let window = state.window(id).await?.ok_or_else(missing)?;
    let over = Scope {
        site: window.site,
        building: window.building,
        zone: window.zone,
        device: window.device,
        rules: window.rules,
    };
    if !reach.holds_window(&over, &api.deps.registry()) {
        return Err(beyond());
    }
    let who = (caller.user.login.clone(), (api.deps.clock)());
    let book = api.deps.book();
    let item = api.deps.state.end_maintenance(id, key, who, book).await?;
    shown(&item)
}
