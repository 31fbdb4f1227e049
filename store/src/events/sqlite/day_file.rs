//! One day's file as the writer holds it: its connection, its words, and what the transaction under way adds to the roll-ups.

use std::collections::HashMap;
use std::path::Path;

use domain::{Event, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::catalogue::Span;
use super::day::hour_of;
use super::schema;
use crate::events::model::Cursor;
use crate::events::{DEDUPE_WINDOW_HOURS, EventsError};

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new and has its row now.
    Stored,
    /// It was delivered before under another position; its row's count went up.
    Counted,
    /// This very delivery was stored or counted before; nothing changed.
    Replayed,
    /// This file does not know it.
    Unknown,
}

const INSERT: &str = "INSERT INTO event (position, received_at_us, occurred_at_us, site, device, class, component, kind, phase, \
    clock, count, last_position, last_received_at_us, dedupe_key, attrs) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?1, ?2, ?11, ?12) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT position, last_position, received_at_us FROM event WHERE device = ?1 AND dedupe_key = ?2";
const COUNT: &str = "UPDATE event SET count = count + 1, last_position = ?2, \
    last_received_at_us = max(last_received_at_us, ?3) WHERE position = ?1";

#[derive(Debug)]
pub(super) struct DayFile {
    connection: Connection,
    words: HashMap<Box<str>, i64>,
    tally: Tally,
    begun: bool,
}

/// What the transaction under way adds; keys are words.
#[derive(Debug, Default)]
struct Tally {
    rollup: HashMap<(i64, i64, i64, i64), i64>,
    rollup_device: HashMap<(i64, i64), i64>,
    hours: HashMap<i64, (i64, i64)>,
}

impl DayFile {
    pub(super) fn open(path: &Path) -> Result<Self, EventsError> {
        let connection = schema::open_writer(path)?;
        let words = connection
            .prepare("SELECT text, id FROM word")
            .and_then(|mut rows| {
                rows.query_map([], |row| {
                    Ok((row.get::<_, String>(0)?.into_boxed_str(), row.get(1)?))
                })?
                .collect()
            })
            .map_err(EventsError::sqlite("read a day's words"))?;
        Ok(Self {
            connection,
            words,
            tally: Tally::default(),
            begun: false,
        })
    }

    /// Begins a transaction unless one is under way.
    pub(super) fn begin(&mut self) -> Result<(), EventsError> {
        if !self.begun {
            self.connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(EventsError::sqlite("begin a batch"))?;
            self.begun = true;
        }
        Ok(())
    }

    /// Stores the event, or counts it if this file knows it.
    pub(super) fn store(&mut self, place: Cursor, event: &Event) -> Result<Verdict, EventsError> {
        let failed = EventsError::sqlite("store an event");
        let site = self.word(event.site.as_str())?;
        let device = self.word(event.device.as_str())?;
        let class = self.word(event.class.as_str())?;
        let component = match &event.component {
            Some(component) => Some(self.word(component)?),
            None => None,
        };
        let kind = self.word(event.kind.as_str())?;
        let phase = self.word(event.phase.as_str())?;
        let clock = self.word(clock_word(event.clock))?;
        let inserted = self
            .connection
            .prepare_cached(INSERT)
            .and_then(|mut insert| {
                insert.execute(params![
                    place.0,
                    event.received_at.as_microsecond(),
                    event.occurred_at.as_microsecond(),
                    site,
                    device,
                    class,
                    component,
                    kind,
                    phase,
                    clock,
                    event.dedupe_key,
                    event.attrs.as_json(),
                ])
            })
            .map_err(&failed)?;
        if inserted == 0 {
            return match self.count_if_known(place, event)? {
                Verdict::Unknown => {
                    // The position is taken by another event: a journal that began anew beside an old store, or an adapter
                    // that names events differently since the crash that made us read this batch again.
                    tracing::error!(journal.seq = %place.seq(), device.id = %event.device, "position taken by another event");
                    Ok(Verdict::Replayed)
                }
                verdict => Ok(verdict),
            };
        }
        let hour = hour_of(event.received_at);
        *self
            .tally
            .rollup
            .entry((hour, site, class, kind))
            .or_default() += 1;
        *self.tally.rollup_device.entry((hour, device)).or_default() += 1;
        let span = self.tally.hours.entry(hour).or_insert((place.0, place.0));
        *span = (span.0.min(place.0), span.1.max(place.0));
        Ok(Verdict::Stored)
    }

    /// Counts a redelivery if its first delivery is here and not older than the window.
    pub(super) fn count_if_known(
        &mut self,
        place: Cursor,
        event: &Event,
    ) -> Result<Verdict, EventsError> {
        let Some(&device) = self.words.get(event.device.as_str()) else {
            return Ok(Verdict::Unknown);
        };
        let known = self
            .connection
            .prepare_cached(FIND)
            .and_then(|mut find| {
                find.query_row(params![device, event.dedupe_key], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, i64>(2)?,
                    ))
                })
                .optional()
            })
            .map_err(EventsError::sqlite("look for a redelivery"))?;
        let Some((position, last_position, received_at_us)) = known else {
            return Ok(Verdict::Unknown);
        };
        if last_position >= place.0 {
            return Ok(Verdict::Replayed);
        }
        let now_us = event.received_at.as_microsecond();
        if (now_us - received_at_us).abs() >= DEDUPE_WINDOW_HOURS * 3_600_000_000 {
            return Ok(Verdict::Unknown);
        }
        self.begin()?;
        self.connection
            .prepare_cached(COUNT)
            .and_then(|mut count| count.execute(params![position, place.0, now_us]))
            .map_err(EventsError::sqlite("count a redelivery"))?;
        Ok(Verdict::Counted)
    }

    pub(super) fn set_cursor(&mut self, cursor: Seq) -> Result<(), EventsError> {
        self.connection
            .prepare_cached("UPDATE meta SET cursor_seq = ?1")
            .and_then(|mut update| update.execute([cursor.0 as i64]))
            .map_err(EventsError::sqlite("move the cursor"))?;
        Ok(())
    }

    /// Writes the roll-ups and ends the transaction, if there is one. Gives the span of the positions that are new.
    pub(super) fn commit(&mut self) -> Result<Span, EventsError> {
        if !self.begun {
            return Ok(None);
        }
        let tally = std::mem::take(&mut self.tally);
        self.write(&tally)
            .map_err(EventsError::sqlite("update the roll-ups"))?;
        self.connection
            .execute_batch("COMMIT")
            .map_err(EventsError::sqlite("commit a batch"))?;
        self.begun = false;
        let first = tally.hours.values().map(|(first, _)| *first).min();
        let last = tally.hours.values().map(|(_, last)| *last).max();
        Ok(first.zip(last))
    }

    fn write(&self, tally: &Tally) -> rusqlite::Result<()> {
        let mut rollup = self.connection.prepare_cached(
            "INSERT INTO rollup VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        for ((hour, site, class, kind), n) in &tally.rollup {
            rollup.execute(params![hour, site, class, kind, n])?;
        }
        let mut rollup_device = self.connection.prepare_cached(
            "INSERT INTO rollup_device VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        for ((hour, device), n) in &tally.rollup_device {
            rollup_device.execute(params![hour, device, n])?;
        }
        let mut hours = self.connection.prepare_cached(
            "INSERT INTO hour VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET \
             first_position = min(first_position, excluded.first_position), \
             last_position = max(last_position, excluded.last_position)",
        )?;
        for (hour, (first, last)) in &tally.hours {
            hours.execute(params![hour, first, last])?;
        }
        Ok(())
    }

    /// Closes the file of a day that is over, with its write-ahead log folded in.
    pub(super) fn retire(self) {
        let folded = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, i64>(0)
            });
        if let Err(e) = folded {
            tracing::warn!(error = %e, "event file not checkpointed");
        }
    }

    fn word(&mut self, text: &str) -> Result<i64, EventsError> {
        if let Some(id) = self.words.get(text) {
            return Ok(*id);
        }
        let id = self
            .connection
            .prepare_cached("INSERT INTO word (text) VALUES (?1)")
            .and_then(|mut insert| insert.insert([text]))
            .map_err(EventsError::sqlite("store a word"))?;
        self.words.insert(text.into(), id);
        Ok(id)
    }
}

/// The word as it stands in the file.
fn clock_word(clock: domain::ClockSource) -> &'static str {
    match clock {
        domain::ClockSource::Device => "device",
        domain::ClockSource::Gateway => "gateway",
    }
}
