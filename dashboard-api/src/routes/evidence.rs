//! Photos that show how an incident was: sent before the command that names them, by whoever handles it, and seen by nobody else.
//!
//! **Invariant:** whoever is not shown a photo is not told its name either: to name one is to have it, or to have been shown it.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use domain::IncidentId;
use domain::incident::{Evidence, EvidenceKind, Verb};
use domain::privacy;
use serde_json::{Value, json};
use store::photos::{self, PhotoError, Pinned, SentFor};
use store::state::{COMMAND_PHOTOS_MAX, IncidentView, PhotoItem};

use super::incidents::{asked, found};
use super::photos::{answer, note_shown, receive, show};
use crate::auth::Caller;
use crate::schema::report::PhotoKept;
use crate::schema::{IncidentPhoto, Problem as ProblemSchema};
use crate::{Api, Problem, access, sight};

/// Send a photo that shows how an incident was: JPEG, PNG or WebP of at most 5 MiB and 50 megapixels, named by the SHA-256 of its bytes. What
/// cameras write beside the picture is left out of what is kept. Name it then as `evidence` of kind `photo`; one that nothing names within a
/// day is gone.
#[utoipa::path(put, path = "/api/v1/incidents/{id}/photos/{sha256}", operation_id = "put_incident_photo", tag = "incidents",
    params(("id" = String, Path), ("sha256" = String, Path)), request_body(content = Vec<u8>, content_type = "image/jpeg"),
    responses((status = 200, body = PhotoKept), (status = 201, body = PhotoKept), (status = 403, body = ProblemSchema),
        (status = 404, body = ProblemSchema), (status = 413, body = ProblemSchema), (status = 422, body = ProblemSchema),
        (status = 429, body = ProblemSchema), (status = 507, body = ProblemSchema)))]
pub(crate) async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<PhotoKept>), Problem> {
    let view = incident(&api, &caller, &id).await?;
    let note = asked(Verb::Note, None, &view);
    if let Some(why) = access::refuses(&caller.user, note, &api.deps.registry()) {
        return Err(Problem::forbidden(why));
    }
    let login = caller.user.login.clone();
    if let Err(wait) = api.evidence.take(login, Instant::now()) {
        let detail = "too many photos at once from this user; send it a little later";
        return Err(Problem::too_many(detail, wait.as_secs() + 1));
    }
    let places = (SentFor::Incident, &*api.evidence_uploads);
    let kept = receive(&api, &name, places, &headers, body).await?;
    if kept.is_new {
        metrics::counter!("hub_incident_photos_total").increment(1);
    }
    Ok(answer(name, kept))
}

/// A photo of an incident, of its evidence or of a report, for those who handle it and for whoever sent it. That it is shown is written into the
/// audit trail first.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/photos/{sha256}", operation_id = "incident_photo", tag = "incidents",
    params(("id" = String, Path), ("sha256" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = 404, body = ProblemSchema)))]
pub(crate) async fn get(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let view = incident(&api, &caller, &id).await?;
    let photos = api.deps.state.photos_of(view.item.id).await?;
    let (login, of_evidence) = (&caller.user.login, photos.iter().find(|p| p.name == name));
    if of_evidence.is_some_and(|photo| photo.sent_by == *login) {
        return show(&api, &name).await;
    }
    let is_of_report = async || -> Result<bool, Problem> {
        let reports = api.deps.state.reports_of(view.item.id).await?;
        Ok(reports.iter().any(|report| report.photos.contains(&name)))
    };
    let is_here = of_evidence.is_some() || is_of_report().await?;
    if !is_here || !sight::sees_photos(&caller.user, &view.item, &api.deps.registry()) {
        return Err(Problem::not_found("photo"));
    }
    note_shown(&api, &caller, view.item.id).await?;
    show(&api, &name).await
}

async fn incident(api: &Api, caller: &Caller, id: &str) -> Result<IncidentView, Problem> {
    let id: IncidentId = id.parse().map_err(|_| Problem::not_found("incident"))?;
    found(api, caller, id).await
}

/// Holds the photos that a command names; refuses what is no name and what is not there.
pub(super) async fn pin(api: &Api, evidence: &[Evidence]) -> Result<Pinned, Problem> {
    let photos = evidence.iter().filter(|e| e.kind == EvidenceKind::Photo);
    let mut names: Vec<String> = photos.map(|photo| photo.reference.clone()).collect();
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|name| !photos::is_name(name)) {
        let what = "the `reference` of a photo is the SHA-256 of one that was sent before (hint: PUT /incidents/{id}/photos/{sha256}; what is kept elsewhere is a `document` or a `video`)";
        return Err(Problem::unprocessable("evidence", what));
    }
    if names.len() > COMMAND_PHOTOS_MAX {
        let what = format!("at most {COMMAND_PHOTOS_MAX} photos at once");
        return Err(Problem::unprocessable("evidence", what));
    }
    let pinned = api
        .deps
        .photos
        .pin(&names)
        .await
        .map_err(PhotoError::from)?;
    pinned.map_err(|missing| {
        let what =
            "not all photos are here (hint: send those in `missing` and then the same again)";
        Problem::unprocessable("evidence", what).with("missing", missing)
    })
}

/// Which photos of an incident this caller is shown. Names of others are taken out of its `evidence` and `reports`, where they stand in `body`.
pub(super) async fn shown(
    api: &Api,
    caller: &Caller,
    view: &IncidentView,
    body: &mut Value,
) -> Result<Value, Problem> {
    let mut photos = api.deps.state.photos_of(view.item.id).await?;
    if !sight::sees_photos(&caller.user, &view.item, &api.deps.registry()) {
        photos.retain(|photo| photo.sent_by == caller.user.login);
        let evidence = body["evidence"].as_array_mut();
        for piece in evidence.into_iter().flatten() {
            hide(piece, &photos);
        }
    }
    let photos = photos.into_iter().map(|photo| IncidentPhoto {
        sha256: photo.name,
        sent_by: photo.sent_by.to_string(),
        sent_at: photo.sent_at.to_string(),
    });
    serde_json::to_value(photos.collect::<Vec<_>>()).map_err(|e| Problem::broken(&e.to_string()))
}

fn hide(piece: &mut Value, shown: &[PhotoItem]) {
    let name = piece["reference"].as_str().unwrap_or_default();
    let is_shown = shown.iter().any(|photo| photo.name == name);
    if piece["kind"] == EvidenceKind::Photo.as_str() && photos::is_name(name) && !is_shown {
        piece["reference"] = json!(privacy::masked(name));
    }
}
