//! Incidents, and the commands on them.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use domain::incident::{Actor, Command, Evidence, EvidenceKind, Verb};
use domain::{DepartmentId, IncidentId};
use serde::Deserialize;
use serde_json::Value;
use store::state::{CommandError, IncidentFilter, IncidentView};

use super::{idempotency_key, parse, shown};
use crate::auth::Caller;
use crate::routes::events::item;
use crate::schema::words;
use crate::sight::{self, Sight};
use crate::{Api, Problem, access, schema};

/// Which incidents.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// A state, or `active` for everything that is not closed, merged or cancelled.
    state: Option<String>,
    /// A department that takes part.
    department: Option<String>,
    /// The number that people say aloud, as in 1042.
    number: Option<String>,
    /// As in `P1`.
    severity: Option<String>,
    /// In this site.
    site: Option<String>,
    /// Of this rule.
    rule: Option<String>,
    /// Opened at or after this time.
    from: Option<String>,
    /// Opened before this time.
    to: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// Incidents, the newest first.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "list_incidents", tag = "incidents", params(Filter),
    responses((status = 200, body = schema::IncidentPage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let filter = IncidentFilter {
        stage: parse("state", query.state.as_deref())?,
        department: parse("department", query.department.as_deref())?,
        number: parse("number", query.number.as_deref())?,
        severity: parse("severity", query.severity.as_deref())?,
        site: parse("site", query.site.as_deref())?,
        rule: parse("rule", query.rule.as_deref())?,
        from: parse("from", query.from.as_deref())?,
        to: parse("to", query.to.as_deref())?,
        reach: caller.reach(&api),
    };
    let limit = query.limit.unwrap_or(100);
    let page = api
        .deps
        .state
        .incidents(&filter, query.cursor.as_deref(), limit)
        .await?;
    shown(&page)
}

/// One incident with its tasks, timeline, alarms and latest events.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", operation_id = "incident", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = schema::Incident), (status = 404, body = schema::Problem)))]
pub(crate) async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: IncidentId = id.parse().map_err(|_| Problem::not_found("incident"))?;
    let view = found(&api, &caller, id).await?;
    whole(&api, &caller, &view).await
}

/// An incident that this caller may know of.
pub(super) async fn found(
    api: &Api,
    caller: &Caller,
    id: IncidentId,
) -> Result<IncidentView, Problem> {
    let (state, missing) = (&api.deps.state, || Problem::not_found("incident"));
    if !state.sees_incident(id, &caller.reach(api)).await? {
        return Err(missing());
    }
    state.incident(id).await?.ok_or_else(missing)
}

/// An incident with its events and what may be done about it, as this caller may see it.
async fn whole(api: &Api, caller: &Caller, view: &IncidentView) -> Result<Json<Value>, Problem> {
    let mut events = Vec::with_capacity(view.event_ids.len());
    for id in &view.event_ids {
        // history may be a moment behind: what is not there yet is left out
        if let Some(stored) = api.deps.events.get(*id).await? {
            events.push(item(&stored));
        }
    }
    let broken = |e: serde_json::Error| Problem::broken(&e.to_string());
    let mut body = serde_json::to_value(view).map_err(broken)?;
    let mut events = Value::from(events);
    let sight = Sight::of(api, caller).await?;
    let parts = vec![&mut body, &mut events];
    let (snapshots, hides) = super::snapshots::shown(api, caller, view, &sight).await?;
    let mut sight = sight.show(api, &view.item, parts).await?;
    if hides {
        sight.is_masked = true;
        sight.may_unmask = sight::may_unmask(&caller.user, &view.item);
    }
    let sight = serde_json::to_value(sight).map_err(broken)?;
    let reports = super::reports::of_incident(api, caller, view).await?;
    let photos = super::evidence::shown(api, caller, view, &mut body).await?;
    let may = may(api, caller, view).await?;
    if let Some(members) = body.as_object_mut() {
        members.remove("event_ids");
        members.insert("events".to_owned(), events);
        members.insert("reports".to_owned(), reports);
        members.insert("photos".to_owned(), photos);
        members.insert("snapshots".to_owned(), snapshots);
        members.insert("may".to_owned(), may);
        members.insert("sight".to_owned(), sight);
    }
    Ok(Json(body))
}

/// What this caller may ask of an incident: by role, each as it would be answered now.
async fn may(api: &Api, caller: &Caller, view: &IncidentView) -> Result<Value, Problem> {
    let actor = actor(caller);
    let now = (api.deps.clock)();
    let possible = api.deps.state.possible(view.item.id, &actor, now).await?;
    let may: Vec<schema::May> = possible
        .into_iter()
        .filter(|one| {
            let asked = asked(one.verb, one.department.as_ref(), view);
            access::refuses(&caller.user, asked, &api.deps.registry()).is_none()
        })
        .map(schema::May::from)
        .collect();
    serde_json::to_value(may).map_err(|e| Problem::broken(&e.to_string()))
}

fn actor(caller: &Caller) -> Actor {
    Actor {
        user: caller.user.login.clone(),
        department: caller.user.department.clone(),
    }
}

pub(super) fn asked<'a>(
    verb: Verb,
    department: Option<&'a DepartmentId>,
    view: &'a IncidentView,
) -> access::Asked<'a> {
    access::Asked {
        verb,
        department,
        severity: view.item.severity,
        state: view.item.state,
        zone: view.item.zone.as_ref(),
        reporter: view.item.reporter.as_ref(),
        force_by: view.item.force_by.as_ref(),
    }
}

/// What somebody asks of an incident.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The version that was on the screen.
    expected_version: i64,
    /// In their words.
    note: Option<String>,
    /// For `resolve`, `dismiss`, `force_close`, `cancel`: what it was, one of the causes of `/meta`.
    cause: Option<String>,
    /// For `dispatch`: who; those of the rule when none are given.
    #[serde(default)]
    departments: Vec<String>,
    /// For verbs of tasks: whose; the caller's own, or the lead's, when not given. For `assign`: who leads.
    department: Option<String>,
    /// For verbs of tasks: the token of the claim.
    fence: Option<i64>,
    /// What shows it. The `reference` of a photo is the SHA-256 of one that was sent before; at most 8 photos.
    #[serde(default)]
    evidence: Vec<schema::Evidence>,
    /// For `merge`: the id of the incident that goes on.
    into: Option<String>,
    /// For `answer`: `satisfied` or `dissatisfied`.
    answer: Option<String>,
    /// For `tick` and `untick`: which step of the procedure, from 1.
    step: Option<u8>,
    /// For `escalate`: up to which rung of the ladder people are told, 1 to 4; the next one when not given.
    level: Option<u8>,
}

/// `acknowledge`, `verify`, `dismiss`, `dispatch`, `assign`, `claim`, `arrive`, `progress`, `hand_back`, `resolve`, `force_close`,
/// `merge`, `unmerge`, `cancel`, `answer`, `reopen`, `close`, `note`, `tick`, `untick` or `escalate`. The same key brings the same
/// answer, and nothing happens twice.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/{verb}", operation_id = "command_incident", tag = "incidents", request_body = Request,
    params(("id" = String, Path), ("verb" = words::Verb, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::Incident), (status = 400, body = schema::Problem),
        (status = 403, body = schema::Problem), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem),
        (status = 422, body = schema::Problem)))]
pub(crate) async fn command(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let id: IncidentId = id.parse().map_err(|_| Problem::not_found("incident"))?;
    let verb: Verb = verb.parse().map_err(|_| Problem::not_found("verb"))?;
    let key = idempotency_key(&headers)?;
    let department: Option<DepartmentId> = parse("department", request.department.as_deref())?;
    let registry = api.deps.registry();
    let mut departments = Vec::with_capacity(request.departments.len());
    for text in &request.departments {
        let known: Option<DepartmentId> = parse("departments", Some(text))?;
        departments.extend(known.filter(|d| registry.departments.contains_key(d)));
    }
    if departments.len() < request.departments.len() {
        return Err(Problem::bad_request(
            "`departments` names one that does not exist",
        ));
    }
    let mut evidence = Vec::with_capacity(request.evidence.len());
    for given in &request.evidence {
        let kind: Option<EvidenceKind> = parse("evidence.kind", Some(&given.kind))?;
        evidence.extend(kind.map(|kind| Evidence {
            kind,
            reference: given.reference.clone(),
        }));
    }
    let into = match parse("into", request.into.as_deref())? {
        Some(other) => {
            let other: IncidentView = found(&api, &caller, other).await?;
            Some((other.item.id, other.item.number))
        }
        None => None,
    };
    let view = found(&api, &caller, id).await?;
    let whose = asked(verb, department.as_ref(), &view);
    if let Some(why) = access::refuses(&caller.user, whose, &api.deps.registry()) {
        return Err(Problem::forbidden(why));
    }
    let photos = super::evidence::pin(&api, &evidence).await?;
    let command = Command {
        verb,
        actor: actor(&caller),
        at: (api.deps.clock)(),
        note: request.note,
        cause: request.cause,
        departments,
        department,
        fence: request.fence,
        evidence,
        into,
        answer: parse("answer", request.answer.as_deref())?,
        step: request.step,
        level: request.level,
    };
    let done = api
        .deps
        .state
        .command_with_photos(id, request.expected_version, key, command, photos)
        .await;
    match done {
        Ok(view) => whole(&api, &caller, &view).await,
        Err(CommandError::VersionConflict { current }) => {
            let Json(now) = whole(&api, &caller, &current).await?;
            let problem = Problem::from(CommandError::VersionConflict { current });
            Err(problem.with("current", now))
        }
        Err(other) => Err(other.into()),
    }
}
