//! Asks the server, in two steps for a history: first the places, from one column, then the events between them.
//!
//! Answers are read in a task of their own with a time limit, so that a panic in the client's CSV reader is an error here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use domain::{Attrs, ClockSource, Event, EventId, Seq, Timestamp};
use fallible_iterator::FallibleIterator as _;
use influxdb2::Client;
use influxdb2::api::query::FluxRecord;
use influxdb2::models::Query;
use reqwest_influx::header::HeaderMap;
use serde_json::value::RawValue;

use super::Target;
use super::error::InfluxError;
use super::flux::{self, Times};
use super::line::unplain;
use super::write::{client, failure};
use crate::events::model::{Cursor, INDEX_BITS, index_of, seq_of};
use crate::events::{
    Bucket, CountBy, CountRow, HISTORY_LIMIT_MAX, HistoryQuery, Order, Page, StoredEvent, Within,
};

const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
const HOUR_NS: i64 = 3_600_000_000_000;
/// Pages that are read for one page of what is about a vehicle, a card or a person.
const SIFTED_PAGES: usize = 8;

#[derive(Debug)]
pub(super) struct Reader {
    client: Client,
    bucket: String,
}

impl Reader {
    pub(super) fn new(target: &Target) -> Result<Self, InfluxError> {
        Ok(Self {
            client: client(target, HeaderMap::new())?,
            bucket: target.bucket.clone(),
        })
    }

    /// The server does not look into attributes: for what an event is about, a few pages are read and sifted here.
    pub(super) async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Page<StoredEvent>, InfluxError> {
        if !is_somewhere(query.within.as_ref())? {
            let (items, next) = (Vec::new(), None);
            return Ok(Page { items, next });
        }
        let Some(about) = &query.about else {
            return self.page(query).await;
        };
        let limit = query.page_size();
        let mut rest = HistoryQuery {
            about: None,
            limit: HISTORY_LIMIT_MAX,
            ..query.clone()
        };
        let mut items: Vec<StoredEvent> = Vec::new();
        for _ in 0..SIFTED_PAGES {
            let page = self.page(&rest).await?;
            for stored in page.items {
                let last = items.last().filter(|_| items.len() >= limit);
                if let Some(last) = last.map(|last| &last.event) {
                    // a page in the journal's order never ends within an uplink
                    let goes_on = query.order == Order::OldestFirst && last.seq == stored.event.seq;
                    if !goes_on {
                        let next = Some(Cursor::new(last.seq, index_of(last.id)));
                        return Ok(Page { items, next });
                    }
                }
                if about.is_of(&stored.event) {
                    items.push(stored);
                }
            }
            rest.cursor = page.next;
            if rest.cursor.is_none() {
                break;
            }
        }
        let next = rest.cursor;
        Ok(Page { items, next })
    }

    async fn page(&self, query: &HistoryQuery) -> Result<Page<StoredEvent>, InfluxError> {
        let limit = query.page_size();
        // One more than asked for tells whether there is a next page.
        let mut places = self.places(query, query.bounds(), limit + 1).await?;
        let more = places.len() > limit;
        let beyond = places.get(limit).map(|(place, _)| place.seq());
        places.truncate(limit);
        let last = places.last().map(|(place, _)| *place).filter(|_| more);
        if let (Order::OldestFirst, Some(last)) = (query.order, last)
            && Some(last.seq()) == beyond
        {
            let rest = last.0 + 1..=Cursor::floor(Seq(last.seq().0 + 1)) - 1;
            places.extend(self.places(query, rest, 1 << INDEX_BITS).await?);
        }
        let next = places.last().map(|(place, _)| *place).filter(|_| more);
        let mut events = self.events(query, &places).await?;
        let items = places
            .iter()
            .filter_map(|(place, _)| events.remove(place))
            .collect();
        Ok(Page { items, next })
    }

    pub(super) async fn counts(
        &self,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
        by: CountBy,
        within: Option<&Within>,
    ) -> Result<Vec<CountRow>, InfluxError> {
        if !is_somewhere(within)? {
            return Ok(Vec::new());
        }
        let mut times = Times::of(Some(from), Some(to));
        times.start_ns -= times.start_ns.rem_euclid(HOUR_NS);
        times.stop_ns = times
            .stop_ns
            .saturating_add((-times.stop_ns).rem_euclid(HOUR_NS));
        let records = self
            .ask(flux::counts(&self.bucket, times, bucket, by, within))
            .await?;
        let bucket_ns = bucket.hours() * HOUR_NS;
        let mut counts: BTreeMap<(i64, String), u64> = BTreeMap::new();
        for record in &records {
            // The first window of days begins where the range does.
            let t = number(record, "t")?;
            let t = t - t.rem_euclid(bucket_ns);
            let n = number(record, "n")?;
            *counts.entry((t, text(record, "key")?)).or_default() += n as u64;
        }
        Ok(counts
            .into_iter()
            .map(|((t, key), n)| CountRow {
                bucket_start: Timestamp::from_second(t / 1_000_000_000).unwrap_or_default(),
                key,
                n,
            })
            .collect())
    }

    pub(super) async fn get(&self, id: EventId) -> Result<Option<StoredEvent>, InfluxError> {
        let ms = (id.uuid().as_u128() >> 80) as i64;
        let (Ok(from), Ok(to)) = (
            Timestamp::from_millisecond(ms),
            Timestamp::from_millisecond(ms + 1),
        ) else {
            return Ok(None);
        };
        let place = Cursor::new(seq_of(id), index_of(id));
        let query = HistoryQuery {
            from: Some(from),
            to: Some(to),
            ..HistoryQuery::default()
        };
        let places = self.places(&query, place.0..=place.0, 1).await?;
        let mut events = self.events(&query, &places).await?;
        Ok(events.remove(&place).filter(|found| found.event.id == id))
    }

    async fn places(
        &self,
        query: &HistoryQuery,
        bounds: RangeInclusive<i64>,
        want: usize,
    ) -> Result<Vec<(Cursor, i64)>, InfluxError> {
        let times = Times::of(query.from, query.to);
        if bounds.is_empty() || times.start_ns >= times.stop_ns {
            return Ok(Vec::new());
        }
        let text = flux::places(&self.bucket, query, times, &bounds, want);
        let mut places = Vec::new();
        for record in self.ask(text).await? {
            places.push((Cursor(number(&record, "position")?), number(&record, "t")?));
        }
        // The server's order is not promised for a table that was regrouped.
        places.sort_unstable();
        if query.order == Order::NewestFirst {
            places.reverse();
        }
        Ok(places)
    }

    async fn events(
        &self,
        query: &HistoryQuery,
        places: &[(Cursor, i64)],
    ) -> Result<BTreeMap<Cursor, StoredEvent>, InfluxError> {
        let wanted: BTreeSet<Cursor> = places.iter().map(|(place, _)| *place).collect();
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
            return Ok(BTreeMap::new());
        };
        let times = Times {
            start_ns: places.iter().map(|(_, t)| *t).min().unwrap_or_default(),
            stop_ns: places.iter().map(|(_, t)| *t).max().unwrap_or_default() + 1,
        };
        let bounds = first.0..=last.0;
        let text = flux::events(&self.bucket, query, times, &bounds);
        let mut events = BTreeMap::new();
        for record in self.ask(text).await? {
            let place = Cursor(parsed(&record, "position")?);
            if wanted.contains(&place) {
                events.insert(place, stored_event(place, &record)?);
            }
        }
        Ok(events)
    }

    async fn ask(&self, flux: String) -> Result<Vec<FluxRecord>, InfluxError> {
        let client = self.client.clone();
        let task = tokio::spawn(async move {
            let answer = client.query_raw_iter(Some(Query::new(flux))).await?;
            answer.result().collect::<Vec<_>>()
        });
        let stop = task.abort_handle();
        let Ok(done) = tokio::time::timeout(QUERY_TIMEOUT, task).await else {
            stop.abort();
            return Err(InfluxError::Timeout {
                after: QUERY_TIMEOUT,
            });
        };
        done.map_err(|e| InfluxError::Answer(e.to_string()))?
            .map_err(|e| match e {
                influxdb2::RequestError::Deserializing { text } => InfluxError::Answer(text),
                other => failure("query", other),
            })
    }
}

/// Whether there is a place in which anything could be found.
fn is_somewhere(within: Option<&Within>) -> Result<bool, InfluxError> {
    let Some(within) = within else {
        return Ok(true);
    };
    let (devices, max) = (within.devices.len(), flux::DEVICES_MAX);
    if devices > max {
        return Err(InfluxError::TooMany { devices, max });
    }
    Ok(!within.is_nowhere())
}

fn missing(column: &str) -> InfluxError {
    InfluxError::Answer(format!(
        "column `{column}` is missing or not what it should be"
    ))
}

fn number(record: &FluxRecord, column: &str) -> Result<i64, InfluxError> {
    let Some(value) = record.values.get(column) else {
        return Err(missing(column));
    };
    value.i64().ok_or_else(|| missing(column))
}

fn text(record: &FluxRecord, column: &str) -> Result<String, InfluxError> {
    let Some(value) = record.values.get(column) else {
        return Err(missing(column));
    };
    value.string().ok_or_else(|| missing(column))
}

fn parsed<T: std::str::FromStr>(record: &FluxRecord, column: &str) -> Result<T, InfluxError> {
    text(record, column)?.parse().map_err(|_| missing(column))
}

fn time(record: &FluxRecord, column: &str) -> Result<Timestamp, InfluxError> {
    Timestamp::from_microsecond(parsed(record, column)?).map_err(|_| missing(column))
}

fn stored_event(place: Cursor, record: &FluxRecord) -> Result<StoredEvent, InfluxError> {
    let plain = |column| unplain(&text(record, column)?).ok_or_else(|| missing(column));
    let received_at = time(record, "received_at_us")?;
    let attrs = RawValue::from_string(text(record, "attrs")?).map_err(|_| missing("attrs"))?;
    let event = Event {
        id: EventId::of_uplink(received_at, place.seq(), place.index()),
        seq: place.seq(),
        site: parsed(record, "site")?,
        device: parsed(record, "device")?,
        class: parsed(record, "class")?,
        component: Some(plain("component")?).filter(|component| !component.is_empty()),
        kind: parsed(record, "kind")?,
        phase: parsed(record, "phase")?,
        dedupe_key: plain("key")?,
        occurred_at: time(record, "occurred_at_us")?,
        received_at,
        clock: match text(record, "clock")?.as_str() {
            "device" => ClockSource::Device,
            _ => ClockSource::Gateway,
        },
        attrs: Attrs::from_raw(attrs),
    };
    Ok(StoredEvent {
        event,
        count: 1,
        last_received_at: received_at,
    })
}
