//! What could not be read: the list, and reading it again once what was wrong is mended.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use domain::{Event, Seq};
use serde::Deserialize;
use serde_json::Value;
use store::state::{Quarantined, RerunAsked};

use super::devices::PageOf;
use super::shown;
use crate::auth::Caller;
use crate::rerun::Reading;
use crate::{Api, Problem, schema};

/// What could not be read or was refused, with its reason and its bytes, the newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", operation_id = "list_quarantine", tag = "devices", params(PageOf),
    responses((status = 200, body = schema::QuarantinePage)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<PageOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let reach = caller.reach(&api);
    let limit = query.limit.unwrap_or(100);
    let state = &api.deps.state;
    let page = state.quarantine(query.cursor.as_deref(), limit, &reach);
    shown(&page.await?)
}

/// How.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunOne {
    /// Only say what it would be.
    dry_run: bool,
}

/// Read an uplink in quarantine again, after a device file or an adapter has been mended. It goes into the journal again and the usual way;
/// what came more than `quarantine.rings_for_s` ago goes to history only. What has been read is not read twice.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/rerun", operation_id = "rerun_quarantined", tag = "devices", request_body = RerunOne,
    params(("id" = String, Path)),
    responses((status = 200, body = schema::RerunOutcome), (status = 404, body = schema::Problem), (status = 507, body = schema::Problem)))]
pub(crate) async fn rerun(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Result<Json<RerunOne>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found("uplink in quarantine");
    let seq = Seq(id.parse().map_err(|_| missing())?);
    let state = &api.deps.state;
    let found = state.quarantined(seq, &caller.reach(&api)).await?;
    let found = found.ok_or_else(missing)?;
    let Json(request) = request?;
    let asked = RerunAsked {
        by: caller.user.login.clone(),
        object: format!("quarantine:{seq}"),
    };
    done(&api, vec![found], false, asked, request.dry_run).await
}

/// Which, and how.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunAll {
    /// Those with this reason,
    reason: String,
    /// in whose topic this stands; all when not given.
    topic: Option<String>,
    /// Only say what they would be.
    dry_run: bool,
}

/// The same for all with a reason and a part of a topic, the oldest first, at most 500 at once.
#[utoipa::path(post, path = "/api/v1/quarantine/rerun", operation_id = "rerun_quarantine", tag = "devices", request_body = RerunAll,
    responses((status = 200, body = schema::RerunOutcome), (status = 507, body = schema::Problem)))]
pub(crate) async fn rerun_all(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<RerunAll>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    // their bytes are in memory meanwhile: one at a time, and the others wait
    let _turn = api.rerunning.acquire().await;
    let topic = request.topic.unwrap_or_default();
    let state = &api.deps.state;
    let reach = caller.reach(&api);
    let (found, has_more) = state
        .quarantined_for(&request.reason, &topic, &reach)
        .await?;
    let reason: String = request.reason.chars().take(40).collect();
    let asked = RerunAsked {
        by: caller.user.login.clone(),
        object: format!("quarantine:{reason}"),
    };
    done(&api, found, has_more, asked, request.dry_run).await
}

async fn done(
    api: &Api,
    found: Vec<Quarantined>,
    has_more: bool,
    asked: RerunAsked,
    dry_run: bool,
) -> Result<Json<Value>, Problem> {
    let (state, now) = (&api.deps.state, (api.deps.clock)());
    let was_done: Vec<bool> = found.iter().map(|one| one.is_done(now)).collect();
    let rows: Vec<_> = found.into_iter().map(|one| Arc::new(one.row)).collect();
    let readings = api.deps.rerunner.look(rows.clone()).await?;
    let mut wanted = Vec::new();
    let mut items = Vec::with_capacity(rows.len());
    for ((row, reading), was_done) in rows.iter().zip(&readings).zip(was_done) {
        if matches!(reading, Reading::Reads { .. }) && !was_done {
            wanted.push(row.seq);
        }
        items.push(line(row.seq, reading, was_done));
    }
    let mut started = 0;
    if !dry_run && !wanted.is_empty() {
        let claimed = state.claim_reruns(&wanted, asked, now).await?;
        let go: Vec<_> = rows
            .into_iter()
            .filter(|row| claimed.contains(&row.seq))
            .collect();
        api.deps.rerunner.append(&go).await?;
        started = go.len();
    }
    shown(&schema::RerunOutcome {
        items,
        has_more,
        started: u32::try_from(started).unwrap_or(u32::MAX),
    })
}

fn line(seq: Seq, reading: &Reading, was_done: bool) -> schema::RerunLine {
    let mut line = schema::RerunLine {
        id: seq.to_string(),
        outcome: String::new(),
        rings: false,
        events: Vec::new(),
        reason: None,
        detail: None,
    };
    match reading {
        Reading::NoMessage => "no_message".clone_into(&mut line.outcome),
        Reading::Rejected { reason, detail } => {
            "rejected".clone_into(&mut line.outcome);
            line.reason = Some(reason.clone());
            line.detail = Some(detail.clone());
        }
        Reading::Reads { events, rings } => {
            let outcome = if was_done { "done" } else { "reads" };
            outcome.clone_into(&mut line.outcome);
            line.rings = *rings;
            line.events = events.iter().map(event).collect();
        }
    }
    line
}

fn event(event: &Event) -> schema::RerunEvent {
    schema::RerunEvent {
        kind: event.kind.to_string(),
        phase: event.phase.as_str().to_owned(),
        device: event.device.to_string(),
        component: event.component.clone(),
        occurred_at: event.occurred_at.to_string(),
    }
}
