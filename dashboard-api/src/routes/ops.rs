//! For those who keep the hub running.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Api;

/// The process serves.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Everything works that a request may need; 503 and why otherwise.
pub(crate) async fn readyz(State(api): State<Api>) -> Response {
    let parts = api.deps.ops.ready();
    let is_ready = parts.iter().all(|(_, works, _)| *works);
    let told: serde_json::Map<String, Value> = parts
        .into_iter()
        .map(|(name, works, why)| {
            (
                name.to_owned(),
                if works { json!("ok") } else { json!(why) },
            )
        })
        .collect();
    let body = json!({"ready": is_ready, "parts": told, "ui": api.deps.ui.is_available()});
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}

/// Prometheus' text format.
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let open = crate::STREAMS_MAX - api.streams.available_permits();
    metrics::gauge!("hub_api_streams").set(u32::try_from(open).unwrap_or(u32::MAX));
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        api.deps.ops.metrics(),
    )
        .into_response()
}
