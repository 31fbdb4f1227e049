//! Photos of reports: sent before the report that names them, by anybody; seen by whoever sent them and those who handle the incident. How
//! photos come in and are shown is the same for [evidence](super::evidence).

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use domain::IncidentId;
use futures::StreamExt as _;
use store::photos::{self, Kept, PHOTO_BYTES_MAX, PhotoError, SentFor};
use store::state::Ground;
use tokio::sync::Semaphore;

use super::incidents::found;
use super::reports::{address, allow};
use crate::auth::{self, Caller};
use crate::schema::Problem as ProblemSchema;
use crate::schema::report::PhotoKept;
use crate::{Api, Problem, access, sight};

/// How long a photo may take altogether, and how long its next bytes may take: lines are poor, and an upload holds a place.
const WHOLE: Duration = Duration::from_mins(10);
const SILENCE: Duration = Duration::from_secs(30);

/// Send a photo of a report: JPEG, PNG or WebP of at most 5 MiB and 50 megapixels, named by the SHA-256 of its bytes. What cameras write beside
/// the picture is left out of what is kept. A photo that no report names within a day is gone.
#[utoipa::path(put, path = "/api/v1/report/photos/{sha256}", operation_id = "put_photo", tag = "reports", params(("sha256" = String, Path)),
    request_body(content = Vec<u8>, content_type = "image/jpeg"),
    responses((status = 200, body = PhotoKept), (status = 201, body = PhotoKept), (status = 413, body = ProblemSchema),
        (status = 422, body = ProblemSchema), (status = 429, body = ProblemSchema), (status = 507, body = ProblemSchema)))]
pub(crate) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Body,
) -> Result<(StatusCode, Json<PhotoKept>), Problem> {
    match auth::caller(&api, &headers, &method).await? {
        None => allow(&api.photos, address(peer))?,
        Some(user) if !access::reports(&user) => {
            return Err(Problem::forbidden("this role reads only"));
        }
        Some(_) => {}
    }
    let kept = receive(&api, &name, (SentFor::Report, &api.uploads), &headers, body).await?;
    if kept.is_new {
        metrics::counter!("hub_report_photos_total").increment(1);
    }
    Ok(answer(name, kept))
}

/// Takes a photo in: checked, stripped, on the disk.
pub(super) async fn receive(
    api: &Api,
    name: &str,
    (sent_for, places): (SentFor, &Semaphore),
    headers: &HeaderMap,
    body: Body,
) -> Result<Kept, Problem> {
    if !photos::is_name(name) {
        let what = "no SHA-256 (hint: 64 of 0-9 and a-f)";
        return Err(Problem::unprocessable("sha256", what));
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > PHOTO_BYTES_MAX) {
        return Err(PhotoError::TooLarge.into());
    }
    if !api.deps.ops.has_room() {
        return Err(PhotoError::NoRoom.into());
    }
    let Ok(_place) = places.try_acquire() else {
        let detail = "many photos are coming in; it is kept on the phone, send it a little later";
        return Err(Problem::too_many(detail, 5));
    };
    tokio::time::timeout(WHOLE, take(api, name, sent_for, body))
        .await
        .map_err(|_| too_slow())?
}

/// What is told of a photo that is kept.
pub(super) fn answer(name: String, kept: Kept) -> (StatusCode, Json<PhotoKept>) {
    let status = if kept.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let told = PhotoKept {
        sha256: name,
        stored_sha256: kept.stored,
        bytes: kept.bytes,
        kind: kept.kind.media_type().to_owned(),
    };
    (status, Json(told))
}

async fn take(api: &Api, name: &str, sent_for: SentFor, body: Body) -> Result<Kept, Problem> {
    let room = &api.deps.photos;
    let mut upload = room.begin(sent_for, (api.deps.clock)()).await?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = tokio::time::timeout(SILENCE, pieces.next())
        .await
        .map_err(|_| too_slow())?
    {
        let piece = piece.map_err(|_| Problem::bad_request("the photo ended in the middle"))?;
        upload.push(&piece).await?;
    }
    Ok(room.keep(upload, name, (api.deps.clock)()).await?)
}

fn too_slow() -> Problem {
    Problem::too_slow(
        "the photo did not come in time (hint: send it again where the line is better)",
    )
}

/// A photo of a report, for whoever sent the report and for those who handle its incident. That it is shown to them is written into the audit
/// trail first.
#[utoipa::path(get, path = "/api/v1/report/photos/{sha256}", operation_id = "photo", tag = "reports", params(("sha256" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = 404, body = ProblemSchema)))]
pub(crate) async fn get(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let user = &caller.user;
    for (incident, _, reporter) in api.deps.state.reports_with_photo(&name).await? {
        if reporter.as_ref() == Some(&user.login) {
            return show(&api, &name).await;
        }
        let Ok(view) = found(&api, &caller, incident).await else {
            continue;
        };
        if sight::sees_photos(user, &view.item, &api.deps.registry()) {
            note_shown(&api, &caller, incident).await?;
            return show(&api, &name).await;
        }
    }
    Err(Problem::not_found("photo"))
}

/// Writes down that somebody is shown photos of an incident, once for each of the two.
pub(super) async fn note_shown(
    api: &Api,
    caller: &Caller,
    incident: IncidentId,
) -> Result<(), Problem> {
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    let state = &api.deps.state;
    Ok(state
        .note_shown(login, incident, &Ground::Photos, now)
        .await?)
}

/// A photo for whoever may see it; nothing on the way keeps it.
pub(super) async fn show(api: &Api, name: &str) -> Result<Response, Problem> {
    let read = api.deps.photos.read(name).await.map_err(PhotoError::from)?;
    let (kind, bytes) = read.ok_or_else(|| Problem::not_found("photo"))?;
    let file = format!(
        "inline; filename=\"photo-{}.{}\"",
        &name[..12],
        kind.extension()
    );
    let headers = [
        (header::CONTENT_TYPE, kind.media_type()),
        (header::CACHE_CONTROL, "private, no-store"),
        // whatever the bytes are taken for: nothing in them runs, and no other site shows them
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let mut response = (headers, bytes).into_response();
    if let Ok(value) = HeaderValue::from_str(&file) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
