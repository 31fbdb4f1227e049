//! The event store in InfluxDB 2: for dashboards and long history beside, or instead of, SQLite's files.
//!
//! Dramatis personae: [`line`] writes events as line protocol, [`write`] brings batches to the server and finds the one line
//! that it will not take, [`files`] keeps how far we are, [`flux`] and [`read`] ask, [`forward`] is the loop that follows another
//! event store. The crate `influxdb2` is the transport and nothing more: its encoder does not escape and its reader panics.
//!
//! What differs from SQLite: what is about people ends with the bucket's own retention and not before, holds do not
//! reach it; a redelivery is another point (feed it from a store that has them counted already, as
//! [`forward`] does), an empty component is none, conditions on time are cut to the millisecond, and somebody who is limited to
//! micro-grids of more than [`flux::DEVICES_MAX`] devices is refused.

mod error;
#[cfg(test)]
mod fake;
mod files;
mod flux;
mod forward;
mod line;
mod read;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod victoria;
mod write;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::privacy::{Personal, Surroundings};
use domain::{Event, EventId, Seq, Timestamp};
use tokio::sync::Mutex;

pub use error::InfluxError;
pub use forward::{Batch, Pace, Source, forward};

use self::files::Files;
use self::read::Reader;
use self::write::Writer;
use super::model::Cursor;
use super::{
    Appended, Bucket, CountBy, CountRow, Destroyed, EventStore, EventsError, HistoryQuery, Page,
    StoredEvent, Within,
};

/// Where the InfluxDB is.
#[derive(Clone)]
pub struct Target {
    /// As in `http://127.0.0.1:8086`; without a path. Proxies of the environment are not used.
    pub url: String,
    /// The organisation's name.
    pub org: String,
    /// The bucket's name. Its retention is its own.
    pub bucket: String,
    /// An API token that may read and write the bucket.
    pub token: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            url, org, bucket, ..
        } = self;
        write!(f, "Target({url}, {org}, {bucket})")
    }
}

/// The event store in InfluxDB 2.
#[derive(Debug)]
pub struct InfluxEvents {
    writer: Mutex<Writer>,
    reader: Reader,
    cursor: AtomicU64,
}

impl InfluxEvents {
    /// Prepares the clients and reads how far this target is from a small file in `dir`, beside which rejected lines go
    /// (`influx-rejected.jsonl`). The server need not be there yet.
    ///
    /// # Errors
    /// The address cannot be used, or the directory.
    pub fn open(target: &Target, dir: &Path) -> Result<Self, InfluxError> {
        let name = format!("{} {} {}", target.url, target.org, target.bucket);
        let files = Files::new(dir, name)?;
        let cursor = files.cursor()?;
        Ok(Self {
            writer: Mutex::new(Writer::new(target, files)?),
            reader: Reader::new(target)?,
            cursor: AtomicU64::new(cursor.0),
        })
    }
}

#[async_trait]
impl EventStore for InfluxEvents {
    async fn cursor(&self) -> Result<Seq, EventsError> {
        Ok(Seq(self.cursor.load(Ordering::Acquire)))
    }

    /// One try: an error means that the server did not take the batch, or not all of it, and the same call may be made again.
    /// Lines that the server refuses by themselves are set aside in a file and are in neither number of the answer.
    async fn append(&self, upto: Seq, events: Vec<Event>) -> Result<Appended, EventsError> {
        let writer = self.writer.lock().await;
        let cursor = self.cursor().await?;
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            let (id, seq) = (event.id, event.seq);
            if seq > upto {
                return Err(EventsError::UptoTooLow { upto, seq });
            }
            if seq > cursor {
                let place = Cursor::of(&event).ok_or(EventsError::ForeignId { id, seq })?;
                fresh.push((place, event));
            }
        }
        if upto <= cursor {
            return Ok(Appended::default());
        }
        let stored = writer.append(upto, &fresh).await?;
        self.cursor.fetch_max(upto.0, Ordering::AcqRel);
        Ok(Appended {
            stored,
            duplicates: 0,
        })
    }

    async fn history(&self, query: HistoryQuery) -> Result<Page<StoredEvent>, EventsError> {
        Ok(self.reader.history(&query).await?)
    }

    async fn counts(
        &self,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
        by: CountBy,
        within: Option<&Within>,
    ) -> Result<Vec<CountRow>, EventsError> {
        Ok(self.reader.counts(from, to, bucket, by, within).await?)
    }

    /// Nothing is kept here: what goes when is the bucket's retention.
    fn hold(&self, _held: Vec<Surroundings>) {}

    /// Nothing is destroyed here: points end with the bucket's retention, whole.
    async fn destroy(&self, _due: Vec<(Personal, Timestamp)>) -> Result<Destroyed, EventsError> {
        Ok(Destroyed {
            events: 0,
            is_done: true,
        })
    }

    async fn get(&self, id: EventId) -> Result<Option<StoredEvent>, EventsError> {
        Ok(self.reader.get(id).await?)
    }
}
