//! The event store in SQLite: one file per *receive* day (UTC), `events-2026-11-23.db`, in one directory.
//!
//! Dramatis personae: the [`writer`], a thread with the only writing connections; the [`reader`], queries on read-only
//! connections of a small pool; the [`catalogue`], which both share: which days there are and which journal positions each
//! holds. Retention unlinks whole files, which costs milliseconds where `DELETE` costs seconds and frees nothing.

mod catalogue;
mod day;
mod day_file;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use domain::{Event, EventId, Seq, Timestamp};
use tokio::sync::{mpsc, oneshot};

use self::catalogue::Catalogue;
use self::reader::Readers;
use self::writer::{Append, Writer};
use super::{
    Appended, Bucket, CountBy, CountRow, EventStore, EventsError, HistoryQuery, Page, StoredEvent,
    Within,
};

/// Batches that may wait for the writer; the pipeline has one under way at a time.
const WAITING_MAX: usize = 4;

/// The event store in SQLite. Dropping it waits for the batch under way.
#[derive(Debug)]
pub struct SqliteEvents {
    commands: Option<mpsc::Sender<Append>>,
    thread: Option<JoinHandle<()>>,
    catalogue: Arc<Catalogue>,
    readers: Arc<Readers>,
}

impl SqliteEvents {
    /// Opens or makes the store in `dir` and starts its writer. Days that are `retention_days` or more before the newest day
    /// are unlinked, now and at each roll-over; `None` keeps all.
    ///
    /// Blocks for as long as the files take to open; meant for start-up.
    ///
    /// # Errors
    /// The directory or a file in it cannot be used, or SQLite is older than 3.51.3.
    pub fn open(dir: &Path, retention_days: Option<NonZeroU32>) -> Result<Self, EventsError> {
        schema::assert_version()?;
        let catalogue = Arc::new(Catalogue::load(dir)?);
        let readers = Arc::new(Readers::new(catalogue.clone()));
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        let mut writer = Writer::new(catalogue.clone(), readers.clone(), retention_days);
        writer.prune();
        let thread = std::thread::Builder::new()
            .name("events-writer".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|source| EventsError::Directory {
                path: dir.to_owned(),
                source,
            })?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
            catalogue,
            readers,
        })
    }
}

impl Drop for SqliteEvents {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("event store writer panicked");
        }
    }
}

#[async_trait]
impl EventStore for SqliteEvents {
    async fn cursor(&self) -> Result<Seq, EventsError> {
        Ok(self.catalogue.cursor())
    }

    async fn append(&self, upto: Seq, events: Vec<Event>) -> Result<Appended, EventsError> {
        let (answer, answered) = oneshot::channel();
        let command = Append {
            upto,
            events,
            answer,
        };
        let commands = self.commands.as_ref().ok_or(EventsError::Closed)?;
        commands
            .send(command)
            .await
            .map_err(|_| EventsError::Closed)?;
        answered.await.map_err(|_| EventsError::Closed)?
    }

    async fn history(&self, query: HistoryQuery) -> Result<Page<StoredEvent>, EventsError> {
        self.readers
            .run(move |readers| readers.history(&query))
            .await
    }

    async fn counts(
        &self,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
        by: CountBy,
        within: Option<&Within>,
    ) -> Result<Vec<CountRow>, EventsError> {
        let within = within.cloned();
        self.readers
            .run(move |readers| readers.counts(from, to, bucket, by, within.as_ref()))
            .await
    }

    async fn get(&self, id: EventId) -> Result<Option<StoredEvent>, EventsError> {
        self.readers.run(move |readers| readers.get(id)).await
    }
}
