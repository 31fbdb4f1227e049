//! The live feed as server-sent events: every change with its revision, gap-free, and a heartbeat every two seconds.
//!
//! The rows of the feed are the truth here too: a hint wakes the stream, the rows after the last revision sent are read and sent.
//! Whoever was away too long gets `reset` and reads the lists again. A stream ends with what its caller was known by: a session that is
//! over, a token that was revoked, a role that is another.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use domain::Revision;
use futures::Stream;
use serde::Deserialize;
use serde_json::json;
use store::state::{FeedRow, Moment, StateError};
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tracing::warn;

use crate::auth::Caller;
use crate::{Api, Problem, mask};

/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Rows read at a time, and events that may wait for a slow reader.
const PAGE: u32 = 200;

/// Where to start.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// The revision of the snapshot; the header `Last-Event-ID` goes before it. Without either the stream starts now.
    from: Option<u64>,
}

type Out = Sender<Result<Event, Infallible>>;

/// Changes as they happen. Events: `incident`, `alarm`, `maintenance`, `device`, `quarantine`, `storm` (the list's object), `notification` (who
/// is told of what), `hb` (every two seconds, with how much rings), `reset` (read the lists anew: too much was
/// missed, or the registry is another one). What lies outside the caller's scope is `hidden`: its revision, and nothing else.
#[utoipa::path(get, path = "/api/v1/live", tag = "incidents", params(From, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(crate) async fn live(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<From>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(query) = query?;
    let place = std::sync::Arc::clone(&api.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::too_many("too many live streams are open", 5))?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let (sender, receiver) = mpsc::channel(PAGE as usize);
    let after = last.or(query.from).map(Revision);
    tokio::spawn(async move {
        let _place = place;
        if let Err(e) = follow(&api, &caller, after, &sender).await {
            warn!(error = %e, "live stream ended");
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)))
}

async fn follow(
    api: &Api,
    caller: &Caller,
    after: Option<Revision>,
    out: &Out,
) -> Result<(), StateError> {
    let state = &api.deps.state;
    let mut hint = state.hint();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let now = state.revision();
    let mut after = after.unwrap_or(now);
    if after > now || after < state.feed_start().await? {
        after = now;
        if !reset(out, after).await {
            return Ok(());
        }
    }
    loop {
        hint.borrow_and_update();
        loop {
            let page = state.feed_after(after, PAGE).await?;
            let page = state.told(page, &caller.reach(api)).await?;
            let Some(first) = page.first() else { break };
            if first.revision.0 > after.0 + 1 {
                // the ring went over what this reader had not read yet
                after = state.revision();
                if !reset(out, after).await {
                    return Ok(());
                }
                continue;
            }
            for row in page {
                after = row.revision;
                if out.send(Ok(change(row))).await.is_err() {
                    return Ok(());
                }
            }
        }
        tokio::select! {
            () = api.stop.cancelled() => return Ok(()),
            () = out.closed() => return Ok(()),
            changed = hint.changed() => if changed.is_err() { return Ok(()) },
            _ = heartbeat.tick() => {
                if !caller.stands(api).await? {
                    return Ok(());
                }
                // how much rings is counted over the whole compound
                let rate = caller.user.scope.is_whole().then(|| state.rate());
                let told = json!({
                    "revision": state.revision(), "server_time": Moment((api.deps.clock)()),
                    "version": env!("CARGO_PKG_VERSION"), "ui_hash": api.deps.ui.hash(), "rate": rate,
                });
                if out.send(Ok(Event::default().event("hb").data(told.to_string()))).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

async fn reset(out: &Out, revision: Revision) -> bool {
    let event = Event::default().event("reset").id(revision.to_string());
    out.send(Ok(event.data(json!({"revision": revision}).to_string())))
        .await
        .is_ok()
}

/// Without what is about people: whoever may see it in full asks for the incident.
fn change(row: FeedRow) -> Event {
    if row.kind == "registry" {
        // names and places in every list may be others now
        let told = json!({"revision": row.revision});
        let event = Event::default().event("reset").id(row.revision.to_string());
        return event.data(told.to_string());
    }
    let mut json = row.json;
    if let Ok(mut value) = serde_json::from_str(&json) {
        mask::value(&mut value);
        json = value.to_string();
    }
    Event::default()
        .event(row.kind)
        .id(row.revision.to_string())
        .data(json)
}
