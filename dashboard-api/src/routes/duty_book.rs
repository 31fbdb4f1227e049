//! The duty book: lines, notes, and handovers of shifts.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use domain::Timestamp;
use domain::kpi::moment;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shown;
use crate::auth::Caller;
use crate::schema::duty_book as shape;
use crate::{Api, Problem, schema};

/// How far back the book is read when nobody says.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

/// Of which hours.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HoursOf {
    /// Lines that begin then or later: an instant (RFC 3339), or `2026-10-01`, `2026-10`, `2026-Q4`; 48 hours ago when not given.
    from: Option<String>,
    /// Lines that begin before: the same; now when not given.
    to: Option<String>,
}

/// The duty log: a line for every two hours, hours without one, and what was noted.
#[utoipa::path(get, path = "/api/v1/duty-log", operation_id = "duty_log", tag = "duty book", params(HoursOf),
    responses((status = 200, body = shape::DutyLog), (status = 400, body = schema::Problem)))]
pub(crate) async fn log(
    State(api): State<Api>,
    query: Result<Query<HoursOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let registry = api.deps.registry();
    let zone = &registry.roster.calendar.time_zone;
    let read = |name: &str, text: Option<&String>, otherwise: Timestamp| match text {
        None => Ok(otherwise),
        Some(text) => {
            moment(text, zone).map_err(|e| Problem::bad_request(format!("`{name}`: {e}")))
        }
    };
    let now = (api.deps.clock)();
    let from = read(
        "from",
        query.from.as_ref(),
        now.checked_sub(LOOK_BACK).unwrap_or(now),
    )?;
    let to = read("to", query.to.as_ref(), now)?;
    shown(&api.deps.state.duty_log(from, to).await?)
}

/// What an operator notes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDutyNote {
    /// In their words.
    note: String,
}

/// Write a note into the book. It stands there with name and time, in the audit trail too, and goes into the next handover.
#[utoipa::path(post, path = "/api/v1/duty-log/notes", operation_id = "add_duty_note", tag = "duty book", request_body = NewDutyNote,
    responses((status = 200, body = shape::DutyNote), (status = 400, body = schema::Problem)))]
pub(crate) async fn note(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<NewDutyNote>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body?;
    let (author, now) = (caller.user.login.clone(), (api.deps.clock)());
    let note = api.deps.state.add_duty_note(author, body.note, now).await?;
    shown(&note)
}

/// Handovers, the newest first.
#[utoipa::path(get, path = "/api/v1/handovers", operation_id = "list_handovers", tag = "duty book",
    responses((status = 200, body = shape::Handovers)))]
pub(crate) async fn list(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let items = api.deps.state.handovers().await?;
    shown(&json!({ "items": items }))
}

/// Write the text of the next handover from the record. One that nobody has signed is written anew; one that is signed stays.
#[utoipa::path(post, path = "/api/v1/handover", operation_id = "prepare_handover", tag = "duty book",
    responses((status = 200, body = shape::Handover)))]
pub(crate) async fn prepare(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let (by, now) = (caller.user.login.clone(), (api.deps.clock)());
    shown(&api.deps.state.prepare_handover(by, now).await?)
}

/// Sign: first whoever goes, then whoever comes with a log-in of their own. While a P1 is not acknowledged the second signature is
/// refused with 409 and the numbers in `incidents`.
#[utoipa::path(post, path = "/api/v1/handovers/{number}/sign", operation_id = "sign_handover", tag = "duty book", params(("number" = i64, Path)),
    responses((status = 200, body = shape::Handover), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn sign(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Result<Json<Value>, Problem> {
    let number = number.parse().map_err(|_| Problem::not_found("handover"))?;
    let (by, now) = (caller.user.login.clone(), (api.deps.clock)());
    let item = api.deps.state.sign_handover(number, by, now).await?;
    shown(&item)
}
