//! The event store: the query side of the journal, with history and counts.
//!
//! A projection: all of it can be made again from the journal. It is never asked before an acknowledgement and never decides
//! anything. [`EventStore`] is what the pipeline and the API see; [`sqlite`] is the back end of one machine, [`influx`] the one for dashboards of others
//! (behind the feature `influx`).

#[cfg(feature = "influx")]
pub mod influx;
pub mod sqlite;

#[cfg(test)]
mod conformance;
mod model;

use async_trait::async_trait;
use domain::privacy::{Personal, Surroundings};
use domain::{Event, EventId, Seq, Timestamp};

pub use model::{
    About, Appended, Bucket, CountBy, CountRow, Cursor, Destroyed, EventsError, HISTORY_LIMIT_MAX,
    HistoryQuery, Order, Page, StoredEvent, Within,
};

/// A redelivery is recognised for this long after the first delivery, also across midnight.
pub const DEDUPE_WINDOW_HOURS: i64 = 24;

/// Where events are kept for looking back.
///
/// Everything is filed and searched by `received_at`: that clock is the hub's own, and it orders events as the journal does.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Journal position up to which every event is stored *and durable*: it survives a power cut, so the journal may release
    /// what is not above it, as far as this consumer is concerned. 0 when nothing was stored yet.
    async fn cursor(&self) -> Result<Seq, EventsError>;

    /// Stores the events of the journal records after [`cursor`](Self::cursor) up to and including `upto`, in the order of
    /// their `seq`. The cursor moves also when `events` is empty.
    ///
    /// Idempotent: what was stored before, wholly or in part, is recognised by its journal position and changes nothing,
    /// neither counts nor roll-ups. A redelivery (same device, same dedupe key, another journal position) is counted on the
    /// event that is there.
    ///
    /// # Errors
    /// Nothing that was asked for counts as stored; the same call may be made again.
    async fn append(&self, upto: Seq, events: Vec<Event>) -> Result<Appended, EventsError>;

    /// One page of events.
    async fn history(&self, query: HistoryQuery) -> Result<Page<StoredEvent>, EventsError>;

    /// Events per bucket and key, redeliveries not counted, ordered by bucket and key; empty ones are left out.
    /// `from` is rounded down and `to` up to the whole hour (UTC); `to` itself is outside. With `within` only of what lies there.
    async fn counts(
        &self,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
        by: CountBy,
        within: Option<&Within>,
    ) -> Result<Vec<CountRow>, EventsError>;

    /// What is around these incidents is kept from now on: what is about people there, and whole days from retention. Nothing else is, nor
    /// what was held before.
    fn hold(&self, held: Vec<Surroundings>);

    /// One step of taking what is about people out of old days: of each class what was received before its time, by whole days, but for
    /// what is held. The events stay, with [`DELETED`](domain::privacy::DELETED) in place of the values, and nobody finds them by those.
    /// What is due stands in the files themselves: it is asked as often as one likes.
    async fn destroy(&self, due: Vec<(Personal, Timestamp)>) -> Result<Destroyed, EventsError>;

    /// One event by its id.
    async fn get(&self, id: EventId) -> Result<Option<StoredEvent>, EventsError>;
}
