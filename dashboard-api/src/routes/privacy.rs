//! Leave to see what is about people in full: asked for with a purpose, an incident and an end, and written into the audit trail.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::privacy::Purpose;
use domain::{IncidentId, UnmaskingId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::{NewUnmasking, Role, StateError, UnmaskingItem};

use super::incidents::found;
use crate::auth::Caller;
use crate::schema::words;
use crate::{Api, Problem, schema, sight};

/// What somebody asks to see in full.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unmask {
    /// The incident; with it its quarter's events are shown, from two hours before it opened to two hours after it is closed.
    incident: String,
    /// What for.
    #[schema(value_type = words::Purpose)]
    purpose: String,
    /// In their words, at most 200 characters; only `handling` needs none.
    reason: Option<String>,
    /// For how many minutes: 5 to 480.
    minutes: u16,
}

/// Whose.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOf {
    /// `own` (also when not given): what the caller may see in full now. `all`: everybody's, also what is over.
    whose: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// Ask to see an incident in full. It is written down before anything is shown.
#[utoipa::path(post, path = "/api/v1/unmaskings", operation_id = "unmask", tag = "privacy", request_body = Unmask,
    responses((status = 200, body = schema::Unmasking), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem),
        (status = 404, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn unmask(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<Unmask>, JsonRejection>,
) -> Result<Json<UnmaskingItem>, Problem> {
    let Json(body) = body?;
    let incident: IncidentId = body
        .incident
        .parse()
        .map_err(|_| Problem::not_found("incident"))?;
    let purpose: Purpose = body
        .purpose
        .parse()
        .map_err(|e| Problem::unprocessable("purpose", format!("{e}")))?;
    let state = &api.deps.state;
    let view = found(&api, &caller, incident).await?;
    if !sight::may_unmask(&caller.user, &view.item) {
        return Err(Problem::forbidden(
            "who handles the incident and who leads the station may see it in full",
        ));
    }
    let new = NewUnmasking {
        login: caller.user.login.clone(),
        incident,
        purpose,
        reason: body.reason,
        minutes: body.minutes,
    };
    match state.unmask(new, (api.deps.clock)()).await {
        Err(StateError::Invalid { what }) => Err(Problem::unprocessable("unmasking", what)),
        other => Ok(Json(other?)),
    }
}

/// What the caller may see in full now, or all that was ever asked for.
#[utoipa::path(get, path = "/api/v1/unmaskings", operation_id = "list_unmaskings", tag = "privacy", params(ListOf),
    responses((status = 200, body = schema::UnmaskingPage), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ListOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let state = &api.deps.state;
    let (items, next) = match query.whose.as_deref() {
        None | Some("own") => {
            let now = (api.deps.clock)();
            (state.unmaskings_of(&caller.user.login, now).await?, None)
        }
        Some("all") => {
            if !matches!(caller.user.role, Role::StationLead | Role::Auditor) {
                return Err(Problem::forbidden(
                    "the station lead and the auditor read who was shown what",
                ));
            }
            let cursor = query.cursor.as_deref();
            state.unmaskings(cursor, query.limit.unwrap_or(100)).await?
        }
        Some(_) => return Err(Problem::bad_request("`whose` is `own` or `all`")),
    };
    Ok(Json(json!({"items": items, "next": next})))
}

/// Give back one's own leave before it is over.
#[utoipa::path(delete, path = "/api/v1/unmaskings/{id}", operation_id = "end_unmasking", tag = "privacy", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = schema::Problem)))]
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: UnmaskingId = id.parse().map_err(|_| Problem::not_found("unmasking"))?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    if !api.deps.state.end_unmasking(login, id, now).await? {
        return Err(Problem::not_found("unmasking"));
    }
    Ok(StatusCode::NO_CONTENT)
}
