//! Queries: each runs on a blocking thread, goes through the day files that can have an answer, and stops when it has enough.
//!
//! Files are not attached to each other (SQLite takes ten at most): they are read one by one and merged here. Around midnight
//! the positions of two days may overlap a little, because alarms overtake telemetry; the merge takes care of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Phase, Seq, SiteId, Timestamp,
};
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::catalogue::Catalogue;
use super::day::{Day, hour_after, hour_of};
use super::schema;
use crate::events::model::{Cursor, index_of, seq_of};
use crate::events::{
    Bucket, CountBy, CountRow, EventsError, HistoryQuery, Order, Page, StoredEvent, Within,
};

/// Queries at one time; the others wait.
const RUNNING_MAX: usize = 4;
/// A page that has taken so long comes as it is, and goes on from there with the next one. Between two days' files only: one file is
/// bounded by what a day brings.
const PATIENCE: Duration = Duration::from_secs(2);
/// Idle connections that are kept, over all days.
const IDLE_MAX: usize = 16;

const COLUMNS: &str = "position, received_at_us, occurred_at_us, site, device, class, component, kind, phase, clock, count, \
    last_received_at_us, dedupe_key, attrs";

#[derive(Debug)]
pub(super) struct Readers {
    catalogue: Arc<Catalogue>,
    idle: Mutex<Vec<(Day, Connection)>>,
    running: Arc<Semaphore>,
    patience: Duration,
}

impl Readers {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Self {
        Self {
            catalogue,
            idle: Mutex::new(Vec::new()),
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
            patience: PATIENCE,
        }
    }

    /// With another patience.
    #[cfg(test)]
    pub(super) fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs a query on a blocking thread. A caller that goes away does not stop it; it frees its place when it is done.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> Result<T, EventsError> + Send + 'static,
    ) -> Result<T, EventsError> {
        let readers = self.clone();
        let permit = self.running.clone().acquire_owned().await;
        let permit = permit.map_err(|_| EventsError::Closed)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            query(&readers)
        })
        .await
        .map_err(|_| EventsError::Closed)?
    }

    /// Closes the idle connections to a day's file.
    pub(super) fn forget(&self, day: Day) {
        self.idle.lock().retain(|(d, _)| *d != day);
    }

    /// Reads one day's file; `None` when it is gone.
    fn on_day<T>(
        &self,
        day: Day,
        read: impl FnOnce(&Connection) -> Result<T, EventsError>,
    ) -> Result<Option<T>, EventsError> {
        let idle = {
            let mut idle = self.idle.lock();
            let found = idle.iter().rposition(|(d, _)| *d == day);
            found.map(|i| idle.remove(i).1)
        };
        let connection = match idle {
            Some(connection) => connection,
            None => match schema::open_reader(&self.catalogue.path(day))? {
                Some(connection) => connection,
                None => return Ok(None),
            },
        };
        let result = read(&connection)?;
        let mut idle = self.idle.lock();
        if self.catalogue.has(day) {
            if idle.len() >= IDLE_MAX {
                idle.remove(0);
            }
            idle.push((day, connection));
        }
        Ok(Some(result))
    }

    pub(super) fn history(&self, query: &HistoryQuery) -> Result<Page<StoredEvent>, EventsError> {
        if query.within.as_ref().is_some_and(Within::is_nowhere) {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        let began = Instant::now();
        let limit = query.page_size();
        // A batch over midnight is committed in two files; what is above the cursor may still have gaps.
        let end = Cursor::floor(Seq(self.catalogue.cursor().0 + 1)) - 1;
        let bounds = query.bounds();
        let bounds = *bounds.start()..=end.min(*bounds.end());
        let mut days: Vec<(Day, (i64, i64))> = self
            .catalogue
            .days()
            .into_iter()
            .filter(|(day, _)| query.from.is_none_or(|from| *day >= Day::of(from)))
            .filter(|(day, _)| query.to.is_none_or(|to| *day <= Day::of(to)))
            .filter_map(|(day, span)| Some((day, span?)))
            .filter(|(_, (first, last))| *first <= *bounds.end() && *last >= *bounds.start())
            .collect();
        match query.order {
            Order::NewestFirst => days.sort_by_key(|(_, (_, last))| std::cmp::Reverse(*last)),
            Order::OldestFirst => days.sort_by_key(|(_, (first, _))| *first),
        }
        // One more than asked for tells whether there is a next page.
        let want = limit + 1;
        let mut found: BTreeMap<i64, StoredEvent> = BTreeMap::new();
        for (read, (day, (first, last))) in days.into_iter().enumerate() {
            let is_late = read > 0 && began.elapsed() >= self.patience;
            // around midnight a file may reach up to where this page begins: then it is read, or the next page would begin there again
            let goes_on = last < *bounds.end();
            if is_late && goes_on && query.order == Order::NewestFirst {
                return Ok(early(found, limit, last));
            }
            if found.len() >= want {
                let enough = match query.order {
                    Order::NewestFirst => found.keys().next().is_some_and(|worst| last < *worst),
                    Order::OldestFirst => {
                        found.keys().next_back().is_some_and(|worst| first > *worst)
                    }
                };
                if enough {
                    break;
                }
            }
            let part = self.on_day(day, |file| select(file, query, bounds.clone(), want))?;
            found.extend(part.unwrap_or_default());
            while found.len() > want {
                match query.order {
                    Order::NewestFirst => found.pop_first(),
                    Order::OldestFirst => found.pop_last(),
                };
            }
        }
        let more = found.len() > limit;
        let mut items: Vec<(i64, StoredEvent)> = found.into_iter().collect();
        if query.order == Order::NewestFirst {
            items.reverse();
        }
        items.truncate(limit);
        let mut next = items
            .last()
            .filter(|_| more)
            .map(|(place, _)| Cursor(*place));
        if let (Some(last), Order::OldestFirst) = (next, query.order) {
            // Complete the last uplink; its events are all of one receive time and so of one file.
            let rest = last.0 + 1..=Cursor::floor(Seq(last.seq().0 + 1)) - 1;
            if let Some((_, event)) = items.last() {
                let day = Day::of(event.event.received_at);
                let part = self.on_day(day, |file| select(file, query, rest, 1 << 12))?;
                items.extend(part.unwrap_or_default());
            }
            next = items.last().map(|(place, _)| Cursor(*place));
        }
        Ok(Page {
            items: items.into_iter().map(|(_, event)| event).collect(),
            next,
        })
    }

    pub(super) fn counts(
        &self,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
        by: CountBy,
        within: Option<&Within>,
    ) -> Result<Vec<CountRow>, EventsError> {
        let first = hour_of(from);
        let end = hour_after(to);
        let (sql, texts) = counting(by, within);
        let mut values = vec![Value::Integer(first), Value::Integer(end)];
        values.extend(texts.into_iter().map(Value::Text));
        let mut counts: BTreeMap<(i64, String), u64> = BTreeMap::new();
        for (day, _) in self.catalogue.days() {
            if day.first_hour() >= end || day.after().first_hour() <= first {
                continue;
            }
            let rows: Option<Vec<(i64, String, i64)>> = self.on_day(day, |file| {
                file.prepare_cached(&sql)
                    .and_then(|mut rows| {
                        rows.query_map(params_from_iter(&values), |row| {
                            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                        })?
                        .collect()
                    })
                    .map_err(EventsError::sqlite("read the roll-ups"))
            })?;
            for (hour, key, n) in rows.unwrap_or_default() {
                let start = hour - hour.rem_euclid(bucket.hours());
                *counts.entry((start, key)).or_default() += n as u64;
            }
        }
        Ok(counts
            .into_iter()
            .map(|((hour, key), n)| CountRow {
                bucket_start: Timestamp::from_second(hour * 3_600).unwrap_or_default(),
                key,
                n,
            })
            .collect())
    }

    /// The id tells the day and the position.
    pub(super) fn get(&self, id: EventId) -> Result<Option<StoredEvent>, EventsError> {
        let ms = (id.uuid().as_u128() >> 80) as i64;
        let Ok(at) = Timestamp::from_millisecond(ms) else {
            return Ok(None);
        };
        let day = Day::of(at);
        if !self.catalogue.has(day) {
            return Ok(None);
        }
        let place = Cursor::new(seq_of(id), index_of(id)).0;
        let query = HistoryQuery::default();
        let found = self.on_day(day, |file| select(file, &query, place..=place, 1))?;
        Ok(found
            .into_iter()
            .flatten()
            .map(|(_, event)| event)
            .find(|stored| stored.event.id == id))
    }
}

/// What counts, with `?1` the first hour and `?2` the one after the last, and the texts that follow them.
fn counting(by: CountBy, within: Option<&Within>) -> (String, Vec<String>) {
    let column = by.column();
    let mut texts = Vec::new();
    let mut sql;
    if let Some(within) = within.filter(|within| !within.is_counted(by)) {
        sql = format!(
            "SELECT e.received_at_us / {HOUR_US}, w.text, count(*) FROM event e JOIN word w ON w.id = e.{column} \
             WHERE e.position BETWEEN (SELECT min(first_position) FROM hour WHERE hour >= ?1 AND hour < ?2) \
             AND (SELECT max(last_position) FROM hour WHERE hour >= ?1 AND hour < ?2) \
             AND e.received_at_us >= ?1 * {HOUR_US} AND e.received_at_us < ?2 * {HOUR_US}"
        );
        texts.extend(standing(&mut sql, within, ("+e.site", "+e.device")));
        let _ = write!(sql, " GROUP BY e.received_at_us / {HOUR_US}, e.{column}");
        return (sql, texts);
    }
    let table = match by {
        CountBy::Device => "rollup_device",
        CountBy::Kind | CountBy::Class | CountBy::Site => "rollup",
    };
    sql = format!(
        "SELECT r.hour, w.text, sum(r.n) FROM {table} r JOIN word w ON w.id = r.{column} WHERE r.hour >= ?1 AND r.hour < ?2"
    );
    if let Some(within) = within {
        let (place, ids) = match by {
            CountBy::Device => ("device", named(&within.devices)),
            CountBy::Kind | CountBy::Class | CountBy::Site => ("site", named(&within.sites)),
        };
        let _ = write!(sql, " AND r.{place} IN {NAMED}");
        texts.push(ids);
    }
    let _ = write!(sql, " GROUP BY r.hour, r.{column}");
    (sql, texts)
}

/// The words that a JSON list of texts names.
const NAMED: &str = "(SELECT id FROM word WHERE text IN (SELECT value FROM json_each(?)))";
const HOUR_US: i64 = 3_600_000_000;

fn named<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> String {
    let ids = ids.into_iter().map(|id| id.as_ref().into());
    serde_json::Value::Array(ids.collect()).to_string()
}

/// ` AND (…)`: what stands in one of the sites or is of one of the devices. The texts that it is to be asked with.
fn standing(sql: &mut String, within: &Within, (site, device): (&str, &str)) -> [String; 2] {
    let _ = write!(sql, " AND ({site} IN {NAMED} OR {device} IN {NAMED})");
    [named(&within.sites), named(&within.devices)]
}

/// The newest that were found, as far as they are newer than everything in the files that were not read, which end at `last`.
fn early(mut found: BTreeMap<i64, StoredEvent>, limit: usize, last: i64) -> Page<StoredEvent> {
    let newer = found.split_off(&(last + 1));
    let mut next = last + 1;
    let mut items = Vec::with_capacity(newer.len().min(limit));
    for (place, event) in newer.into_iter().rev().take(limit) {
        items.push(event);
        next = place;
    }
    if items.len() < limit {
        next = last + 1;
    }
    let next = Some(Cursor(next));
    Page { items, next }
}

/// The rows of one file, at most `want`.
fn select(
    file: &Connection,
    query: &HistoryQuery,
    bounds: RangeInclusive<i64>,
    want: usize,
) -> Result<Vec<(i64, StoredEvent)>, EventsError> {
    let failed = EventsError::sqlite("read events");
    let mut sql = format!("SELECT {COLUMNS} FROM history WHERE position BETWEEN ? AND ?");
    let (first, last) = narrow(file, query, bounds).map_err(&failed)?;
    let mut values = vec![Value::Integer(first), Value::Integer(last)];
    // The `+` keeps SQLite from the kind index where the device index is the better one.
    let conditions = [
        ("device_word", query.device.as_ref().map(DeviceId::as_str)),
        (
            if query.device.is_some() {
                "+kind_word"
            } else {
                "kind_word"
            },
            query.kind.map(Kind::as_str),
        ),
        ("+site_word", query.site.as_ref().map(SiteId::as_str)),
    ];
    for (column, text) in conditions {
        let Some(text) = text else { continue };
        let Some(id) = word_id(file, text).map_err(&failed)? else {
            return Ok(Vec::new());
        };
        let _ = write!(sql, " AND {column} = ?");
        values.push(Value::Integer(id));
    }
    if let Some(within) = &query.within {
        // row by row, in the order of the page: most of a quarter's rows, or few of them, it is the same walk
        let texts = standing(&mut sql, within, ("+site_word", "+device_word"));
        values.extend(texts.map(Value::Text));
    }
    if let Some(about) = &query.about {
        // what it is compared with is decided row by row: few events of a day are of such a kind
        let mut kinds = Vec::new();
        for kind in Kind::ALL.iter().filter(|kind| about.class.is_in(**kind)) {
            if let Some(id) = word_id(file, kind.as_str()).map_err(&failed)? {
                kinds.push(id.to_string());
            }
        }
        let column = if query.device.is_some() || query.kind.is_some() {
            "+kind_word"
        } else {
            "kind_word"
        };
        let _ = write!(sql, " AND {column} IN ({})", kinds.join(", "));
    }
    if let Some(from) = query.from {
        sql.push_str(" AND received_at_us >= ?");
        values.push(Value::Integer(from.as_microsecond()));
    }
    if let Some(to) = query.to {
        sql.push_str(" AND received_at_us < ?");
        values.push(Value::Integer(to.as_microsecond()));
    }
    sql.push_str(match query.order {
        Order::NewestFirst => " ORDER BY position DESC",
        Order::OldestFirst => " ORDER BY position",
    });
    if query.about.is_none() {
        sql.push_str(" LIMIT ?");
        values.push(Value::Integer(want as i64));
    }
    let mut statement = file.prepare_cached(&sql).map_err(&failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(&failed)?;
    let mut found = Vec::new();
    while found.len() < want
        && let Some(row) = rows.next().map_err(&failed)?
    {
        let (place, stored) = stored_event(row)?;
        if query
            .about
            .as_ref()
            .is_none_or(|about| about.is_of(&stored.event))
        {
            found.push((place, stored));
        }
    }
    Ok(found)
}

/// The number of a text in this file; none when nothing in it has that text.
fn word_id(file: &Connection, text: &str) -> rusqlite::Result<Option<i64>> {
    file.prepare_cached("SELECT id FROM word WHERE text = ?1")?
        .query_row([text], |row| row.get(0))
        .optional()
}

/// Narrows positions by the receive times asked for, so that an hour of a busy day is found without reading the day.
fn narrow(
    file: &Connection,
    query: &HistoryQuery,
    bounds: RangeInclusive<i64>,
) -> rusqlite::Result<(i64, i64)> {
    if query.from.is_none() && query.to.is_none() {
        return Ok((*bounds.start(), *bounds.end()));
    }
    let from = query.from.map_or(i64::MIN, hour_of);
    let to = query.to.map_or(i64::MAX, hour_of);
    let (first, last): (Option<i64>, Option<i64>) = file
        .prepare_cached(
            "SELECT min(first_position), max(last_position) FROM hour WHERE hour BETWEEN ?1 AND ?2",
        )?
        .query_row([from, to], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // No such hour: an empty range.
    let (first, last) = (first.unwrap_or(1), last.unwrap_or(0));
    Ok(((*bounds.start()).max(first), (*bounds.end()).min(last)))
}

fn stored_event(row: &Row<'_>) -> Result<(i64, StoredEvent), EventsError> {
    let failed = EventsError::sqlite("read an event");
    let position: i64 = row.get(0).map_err(&failed)?;
    let place = Cursor(position);
    let time = |column: usize, name| {
        let us: i64 = row.get(column).map_err(&failed)?;
        Timestamp::from_microsecond(us).map_err(|_| EventsError::Damaged {
            place,
            column: name,
        })
    };
    let text = |column: usize| -> Result<&str, EventsError> {
        row.get_ref(column)
            .and_then(|value| value.as_str().map_err(Into::into))
            .map_err(&failed)
    };
    let bad_id = |column| move |_| EventsError::Damaged { place, column };
    let received_at = time(1, "receive time")?;
    let attrs = RawValue::from_string(text(13)?.to_owned()).map_err(|_| EventsError::Damaged {
        place,
        column: "attrs",
    })?;
    let clock = match text(9)? {
        "device" => ClockSource::Device,
        _ => ClockSource::Gateway,
    };
    let event = Event {
        id: EventId::of_uplink(received_at, place.seq(), place.index()),
        seq: place.seq(),
        site: text(3)?.parse().map_err(bad_id("site"))?,
        device: text(4)?.parse().map_err(bad_id("device"))?,
        class: text(5)?
            .parse::<DeviceClass>()
            .map_err(EventsError::damaged(place, "class"))?,
        component: row.get(6).map_err(&failed)?,
        kind: text(7)?
            .parse::<Kind>()
            .map_err(EventsError::damaged(place, "kind"))?,
        phase: text(8)?
            .parse::<Phase>()
            .map_err(EventsError::damaged(place, "phase"))?,
        dedupe_key: text(12)?.to_owned(),
        occurred_at: time(2, "time of occurrence")?,
        received_at,
        clock,
        attrs: Attrs::from_raw(attrs),
    };
    let count: i64 = row.get(10).map_err(&failed)?;
    let stored = StoredEvent {
        event,
        count: count as u64,
        last_received_at: time(11, "last receive time")?,
    };
    Ok((position, stored))
}
