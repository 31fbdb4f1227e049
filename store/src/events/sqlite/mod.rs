//! The event store in SQLite: one file per *receive* day (UTC), `events-2026-11-23.db`, in one directory.
//!
//! Dramatis personae: the [`writer`], a thread with the only writing connections; the [`reader`], queries on read-only
//! connections of a small pool; the [`catalogue`], which both share: which days there are and which journal positions each
//! holds. Retention unlinks whole files, which costs milliseconds where `DELETE` costs seconds and frees nothing.

mod catalogue;
mod day;
mod day_file;
mod destroy;
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
use domain::privacy::{Personal, Surroundings};
use domain::{Event, EventId, Seq, Timestamp};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

use self::catalogue::Catalogue;
use self::reader::Readers;
use self::writer::{Append, Destroy, Order, Writer};
use super::{
    Appended, Bucket, CountBy, CountRow, Destroyed, EventStore, EventsError, HistoryQuery, Page,
    StoredEvent, Within,
};

/// Batches that may wait for the writer; the pipeline has one under way at a time.
const WAITING_MAX: usize = 4;

/// The event store in SQLite. Dropping it waits for the batch under way.
#[derive(Debug)]
pub struct SqliteEvents {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    catalogue: Arc<Catalogue>,
    readers: Arc<Readers>,
    held: Arc<RwLock<Vec<Surroundings>>>,
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
        Self::open_holding(dir, retention_days, Vec::new())
    }

    /// The same; days around the incidents that are held stay.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_holding(
        dir: &Path,
        retention_days: Option<NonZeroU32>,
        held: Vec<Surroundings>,
    ) -> Result<Self, EventsError> {
        schema::assert_version()?;
        let catalogue = Arc::new(Catalogue::load(dir)?);
        let readers = Arc::new(Readers::new(catalogue.clone()));
        let held = Arc::new(RwLock::new(held));
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        let shared = (catalogue.clone(), readers.clone(), held.clone());
        let mut writer = Writer::new(shared, retention_days);
        writer.prune();
        let thread = std::thread::Builder::new()
            .name("events-writer".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|source| EventsError::Directory {
                path: dir.to_owned(),
                source,
            })?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
            catalogue,
            readers,
            held,
        })
    }
}

impl SqliteEvents {
    /// Gives the writer something to do.
    async fn order(&self, order: Order) -> Result<(), EventsError> {
        let orders = self.orders.as_ref().ok_or(EventsError::Closed)?;
        orders.send(order).await.map_err(|_| EventsError::Closed)
    }
}

impl Drop for SqliteEvents {
    fn drop(&mut self) {
        drop(self.orders.take());
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
        let append = Append {
            upto,
            events,
            answer,
        };
        self.order(Order::Append(append)).await?;
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

    fn hold(&self, held: Vec<Surroundings>) {
        *self.held.write() = held;
    }

    async fn destroy(&self, due: Vec<(Personal, Timestamp)>) -> Result<Destroyed, EventsError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Destroy(Destroy { due, answer })).await?;
        answered.await.map_err(|_| EventsError::Closed)?
    }

    async fn get(&self, id: EventId) -> Result<Option<StoredEvent>, EventsError> {
        self.readers.run(move |readers| readers.get(id)).await
    }
}
