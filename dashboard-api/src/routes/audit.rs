//! The audit trail: who did what, and whether it still is as it was written.
//!
//! Auditors and administrators look into it, and the station lead: it is the lead who answers for what the station's people did, and
//! whose own acts stand there too. Nobody changes anything here.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::{AuditFilter, Moment};

use super::{parse, shown};
use crate::{Api, Problem, schema};

/// Which rows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditOf {
    /// Done at that time or later (RFC 3339).
    from: Option<String>,
    /// Done before that time.
    to: Option<String>,
    /// Who did it: a log-in name, `hub`, or a rule as in `rule:S1`.
    actor: Option<String>,
    /// What was done, as in `acknowledge`.
    act: Option<String>,
    /// To what: an incident's id, `account:…`, `credential:…`; with a `*` at its end everything that begins like this.
    object: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// Who did what, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "administration", params(AuditOf),
    responses((status = 200, body = schema::admin::AuditPage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    query: Result<Query<AuditOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let filter = AuditFilter {
        from: parse("from", query.from.as_deref())?,
        to: parse("to", query.to.as_deref())?,
        actor: filled(query.actor),
        act: filled(query.act),
        object: filled(query.object),
    };
    let limit = query.limit.unwrap_or(100);
    let state = &api.deps.state;
    let page = state.audit(&filter, query.cursor.as_deref(), limit).await?;
    shown(&page)
}

/// Read the whole trail and say whether every row is as it was written, none is missing and none was added. One at a time.
#[utoipa::path(post, path = "/api/v1/audit/verification", operation_id = "verify_audit", tag = "administration",
    responses((status = 200, body = schema::admin::AuditVerification), (status = 429, body = schema::Problem)))]
pub(crate) async fn verify(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let Ok(_turn) = api.verifying.try_acquire() else {
        let detail = "the audit trail is being read already; ask again when that has ended";
        return Err(Problem::too_many(detail, 10));
    };
    let report = api.deps.state.verify_audit().await?;
    let broken = report
        .broken
        .map(|broken| json!({"id": broken.id.to_string(), "what": broken.what}));
    let verified_at = Moment((api.deps.clock)());
    Ok(Json(
        json!({"rows": report.rows, "broken": broken, "verified_at": verified_at}),
    ))
}
