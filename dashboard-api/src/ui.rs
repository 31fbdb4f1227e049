//! The dashboard's files: hashed ones for ever, the page itself always fresh, and the page for every path that is a view. `/report` and
//! `/work` are pages of their own, for phones.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::{Api, Problem};

/// One file.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its bytes.
    pub bytes: &'static [u8],
    /// The same, compressed with gzip.
    pub gzip: Option<&'static [u8]>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its name changes with its content.
    pub immutable: bool,
    /// Changes with its content.
    pub etag: &'static str,
}

/// Where the files come from.
pub trait Ui: Send + Sync {
    /// The file at a path such as `assets/app-3f2a.js`.
    fn asset(&self, path: &str) -> Option<Asset>;
    /// Changes with any file: pages compare it and offer to reload.
    fn hash(&self) -> &str;
    /// Whether the dashboard was built in; else there is only a page that says so.
    fn is_available(&self) -> bool;
}

pub(crate) async fn serve(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        return Problem::not_found("resource").into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let is_view = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let ui = &api.deps.ui;
    let phone = match path.trim_end_matches('/') {
        "report" => ui.asset("report.html"),
        "work" => ui.asset("work.html"),
        _ => None,
    };
    let found = phone.or_else(|| ui.asset(path)).or_else(|| {
        if is_view {
            ui.asset("index.html")
        } else {
            None
        }
    });
    let Some(asset) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|etag| etag.as_bytes() == asset.etag.as_bytes())
    {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let wants_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|encoding| encoding.trim().starts_with("gzip"))
        });
    let caching = if asset.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = match asset.gzip.filter(|_| wants_gzip) {
        Some(gzip) => ([(header::CONTENT_ENCODING, "gzip")], gzip).into_response(),
        None => asset.bytes.into_response(),
    };
    for (name, value) in [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, caching),
        (header::ETAG, asset.etag),
        (header::VARY, "Accept-Encoding"),
    ] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
