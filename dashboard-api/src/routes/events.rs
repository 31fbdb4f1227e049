//! History: events and counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use domain::privacy::Personal;
use domain::{IncidentId, Seq, Timestamp};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use store::events::{
    About, Bucket, CountBy, HISTORY_LIMIT_MAX, HistoryQuery, Order, StoredEvent, Within,
};
use store::state::Moment;
use tokio::sync::OwnedSemaphorePermit;

use super::parse;
use crate::auth::Caller;
use crate::sight::{self, Sight};
use crate::{Api, Problem, access, mask, schema};

/// Which events.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this device.
    device: Option<String>,
    /// Of this kind, as in `fire.smoke`.
    kind: Option<String>,
    /// Of this site.
    site: Option<String>,
    /// About this vehicle, written with or without dots and spaces. A search for a plate, a card or a person is written into the
    /// audit trail; one of them at a time.
    plate: Option<String>,
    /// About this reference to a card or a code.
    credential: Option<String>,
    /// About this person, by reference or by name as devices give it.
    person: Option<String>,
    /// Received at or after this time.
    from: Option<String>,
    /// Received before this time.
    to: Option<String>,
    /// With a journal position after this one, in ascending order; without it the newest come first.
    after_seq: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 1000.
    limit: Option<usize>,
}

/// An event as the API gives it: `id` is the sender's, `event_id` the hub's.
pub(crate) fn item(stored: &StoredEvent) -> Value {
    let event = &stored.event;
    json!({
        "event_id": event.id, "id": event.dedupe_key, "seq": event.seq, "site": event.site, "device": event.device,
        "class": event.class, "component": event.component, "kind": event.kind, "phase": event.phase,
        "occurred_at": Moment(event.occurred_at), "received_at": Moment(event.received_at), "clock": event.clock,
        "attrs": event.attrs, "count": stored.count, "last_received_at": Moment(stored.last_received_at),
    })
}

/// Longest plate, reference or name that is searched for, in characters.
const SEARCHED_CHARS_MAX: usize = 64;
/// Whoever waits longer for a place is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// A place among those that read history.
async fn place(api: &Api) -> Result<OwnedSemaphorePermit, Problem> {
    let waiting = Arc::clone(&api.histories).acquire_owned();
    let place = tokio::time::timeout(PATIENCE, waiting).await;
    place.ok().and_then(Result::ok).ok_or_else(|| {
        let detail = "others are reading history; wait a little";
        Problem::too_many(detail, PATIENCE.as_secs())
    })
}

/// Where the caller sees; none for everywhere.
fn within(api: &Api, caller: &Caller) -> Option<Within> {
    let registry = api.deps.registry();
    let places = access::places_of_history(&caller.user, &registry)?;
    Some(Within::of(&places, &registry))
}

/// Events, the newest first, or after a journal position in its order. A page that would take long comes early, with fewer items or none
/// and a `next` to go on from.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "list_events", tag = "history", params(Filter),
    responses((status = 200, body = schema::EventPage), (status = 400, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn history(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "`limit` is 1 to {HISTORY_LIMIT_MAX}"
        )));
    }
    let mut wanted = HistoryQuery {
        device: parse("device", query.device.as_deref())?,
        kind: parse("kind", query.kind.as_deref())?,
        site: parse("site", query.site.as_deref())?,
        from: parse("from", query.from.as_deref())?,
        to: parse("to", query.to.as_deref())?,
        after_seq: query.after_seq.map(Seq),
        limit,
        order: match query.after_seq {
            Some(_) => Order::OldestFirst,
            None => Order::NewestFirst,
        },
        ..HistoryQuery::default()
    };
    wanted.cursor = parse("cursor", query.cursor.as_deref())?;
    wanted.within = within(&api, &caller);
    wanted.about = about(&api, &caller, &query).await?;
    let _place = place(&api).await?;
    let page = api.deps.events.history(wanted).await?;
    let items = items(&api, &caller, &page.items).await?;
    let upto = api.deps.events.cursor().await?;
    let next = page.next.map(|c| c.to_string());
    Ok(Json(
        json!({"items": items, "next": next, "upto_seq": upto}),
    ))
}

/// What is searched for, once it is written down that it is.
async fn about(api: &Api, caller: &Caller, query: &Filter) -> Result<Option<About>, Problem> {
    let given = [
        (Personal::Plate, &query.plate),
        (Personal::Credential, &query.credential),
        (Personal::Person, &query.person),
    ];
    let mut given = given.iter().filter_map(|(class, text)| {
        let text = text.as_deref().map(str::trim)?;
        (!text.is_empty()).then_some((*class, text))
    });
    let Some((class, text)) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(Problem::bad_request(
            "one of `plate`, `credential` and `person` at a time",
        ));
    }
    if text.chars().count() > SEARCHED_CHARS_MAX {
        return Err(Problem::bad_request(format!(
            "`{class}` has at most {SEARCHED_CHARS_MAX} characters"
        )));
    }
    if !sight::may_search(&caller.user) {
        return Err(Problem::forbidden(
            "whoever answers at the gate and the police search for plates, cards and persons",
        ));
    }
    // each page: whoever makes up a cursor would search unseen otherwise
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    api.deps.state.note_search(login, class, text, now).await?;
    Ok(Some(About::new(class, text)))
}

/// Events, each masked unless the caller has leave to see it; that some are shown in full is written down first.
async fn items(api: &Api, caller: &Caller, page: &[StoredEvent]) -> Result<Vec<Value>, Problem> {
    let sight = Sight::of(api, caller).await?;
    let mut in_full: BTreeMap<IncidentId, usize> = BTreeMap::new();
    let mut items = Vec::with_capacity(page.len());
    for stored in page {
        let full = item(stored);
        let incident = sight.incident_of(&stored.event);
        // whoever has no leave, which is nearly everybody, costs no copy
        let kept = incident.map(|_| full.clone());
        let mut shown = full;
        mask::value(&mut shown);
        if let (Some(incident), Some(full)) = (incident, kept)
            && full != shown
        {
            *in_full.entry(incident).or_default() += 1;
            shown = full;
        }
        items.push(shown);
    }
    for (incident, events) in in_full {
        let (login, now) = (&caller.user.login, (api.deps.clock)());
        let state = &api.deps.state;
        state
            .note_shown_events(login, incident, events, now)
            .await?;
    }
    Ok(items)
}

/// What to count.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Counting {
    /// From this time, rounded down to the hour.
    from: String,
    /// To this time, rounded up to the hour.
    to: String,
    /// `1h` or `1d`.
    bucket: Option<String>,
    /// `kind`, `class`, `site` or `device`.
    by: Option<String>,
}

/// Longest spans that are counted in one answer, in days.
const HOURS_DAYS_MAX: i32 = 31;
const DAYS_DAYS_MAX: i32 = 5 * 366;
/// The same by device: there are many.
const HOURS_DAYS_MAX_BY_DEVICE: i32 = 7;
const DAYS_DAYS_MAX_BY_DEVICE: i32 = 366;
/// The same where no roll-up has it: for micro-grids, and by device in quarters, events are counted one by one.
const HOURS_DAYS_MAX_ONE_BY_ONE: i32 = 7;
const DAYS_DAYS_MAX_ONE_BY_ONE: i32 = 31;

/// Events per hour, of at most 31 days (by device: 7), or per day, of at most five years (by device: one). For an account that is limited
/// to micro-grids, and by device for one that is limited to quarters: of at most 7 days, per day of at most 31.
#[utoipa::path(get, path = "/api/v1/counts", tag = "history", params(Counting),
    responses((status = 200, body = schema::CountPage), (status = 400, body = schema::Problem), (status = 422, body = schema::Problem),
        (status = 429, body = schema::Problem)))]
pub(crate) async fn counts(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Counting>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let from: Option<Timestamp> = parse("from", Some(&query.from))?;
    let to: Option<Timestamp> = parse("to", Some(&query.to))?;
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Problem::bad_request("`from` and `to` are missing"));
    };
    let bucket: Bucket =
        parse("bucket", Some(query.bucket.as_deref().unwrap_or("1h")))?.unwrap_or(Bucket::Hour);
    let by: CountBy =
        parse("by", Some(query.by.as_deref().unwrap_or("kind")))?.unwrap_or(CountBy::Kind);
    let within = within(&api, &caller);
    let is_counted = within.as_ref().is_none_or(|within| within.is_counted(by));
    let days = match (bucket, by) {
        (Bucket::Hour, _) if !is_counted => HOURS_DAYS_MAX_ONE_BY_ONE,
        (Bucket::Day, _) if !is_counted => DAYS_DAYS_MAX_ONE_BY_ONE,
        (Bucket::Hour, CountBy::Device) => HOURS_DAYS_MAX_BY_DEVICE,
        (Bucket::Hour, _) => HOURS_DAYS_MAX,
        (Bucket::Day, CountBy::Device) => DAYS_DAYS_MAX_BY_DEVICE,
        (Bucket::Day, _) => DAYS_DAYS_MAX,
    };
    if to.duration_since(from) > SignedDuration::from_hours(24 * i64::from(days)) {
        let what =
            format!("at most {days} days in one answer (hint: ask for several spans, or for days)");
        return Err(Problem::unprocessable("to", what));
    }
    let _place = place(&api).await?;
    let rows = (api.deps.events)
        .counts(from, to, bucket, by, within.as_ref())
        .await?;
    let items: Vec<Value> = rows
        .iter()
        .map(|row| json!({"bucket_start": Moment(row.bucket_start), "key": row.key, "n": row.n}))
        .collect();
    Ok(Json(json!({"items": items, "next": null})))
}
