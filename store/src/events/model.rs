//! What goes into and comes out of an event store, whichever back end it has.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use domain::event::UnknownWord;
use domain::place::Registry;
use domain::privacy::{self, Personal};
use domain::scope::Places;
use domain::{DeviceId, Event, EventId, Kind, Seq, SiteId, Timestamp};

/// Most events of one history page.
pub const HISTORY_LIMIT_MAX: usize = 1_000;

/// Bits of a [`Cursor`] that number the events of one uplink.
pub(super) const INDEX_BITS: u32 = 12;

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The event, times to the microsecond.
    pub event: Event,
    /// How often it was delivered; 1 when it came once.
    pub count: u64,
    /// When it was delivered last; `event.received_at` is the first time.
    pub last_received_at: Timestamp,
}

/// What [`append`](super::EventStore::append) did; replays are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// New events.
    pub stored: u64,
    /// Redeliveries that were counted on an event that was there.
    pub duplicates: u64,
}

/// What one step of [`destroy`](super::EventStore::destroy) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Destroyed {
    /// Events that lost something.
    pub events: u64,
    /// Nothing more is due now.
    pub is_done: bool,
}

/// In which order a history comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The latest in the journal first.
    #[default]
    NewestFirst,
    /// As in the journal. A page then never ends within the events of one uplink, so that the last `seq` of a page can be the
    /// next `after_seq`; it may be longer than `limit` for that.
    OldestFirst,
}

/// Which events are asked for; `None` is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of this device.
    pub device: Option<DeviceId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// From this site.
    pub site: Option<SiteId>,
    /// Of what lies there.
    pub within: Option<Within>,
    /// About this vehicle, card or person.
    pub about: Option<About>,
    /// Received at this time or later.
    pub from: Option<Timestamp>,
    /// Received before this time.
    pub to: Option<Timestamp>,
    /// Journalled after this position.
    pub after_seq: Option<Seq>,
    /// Go on after this place: [`Page::next`] of the page before, asked with the same conditions.
    pub cursor: Option<Cursor>,
    /// Most items of the page, 1 to [`HISTORY_LIMIT_MAX`]; anything else is brought into that range.
    pub limit: usize,
    /// See [`Order`].
    pub order: Order,
}

/// Where somebody sees: events of whole sites, and those of single devices elsewhere. What is in neither is not there for them.
///
/// An event belongs to the site that it came from; a device, as the registry has it now. Both sets empty is nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// Whole sites.
    pub sites: BTreeSet<SiteId>,
    /// Devices in parts of others.
    pub devices: BTreeSet<DeviceId>,
}

impl Within {
    /// What lies in these places.
    pub fn of(places: &Places, registry: &Registry) -> Self {
        Self {
            sites: places.sites.clone(),
            devices: places.devices(registry).cloned().collect(),
        }
    }
    /// Whether counts by this key stand in the roll-ups. Those that do not are counted event by event: the caller keeps their span short.
    pub fn is_counted(&self, by: CountBy) -> bool {
        match by {
            CountBy::Device => self.sites.is_empty(),
            CountBy::Kind | CountBy::Class | CountBy::Site => self.devices.is_empty(),
        }
    }
    pub(super) fn is_nowhere(&self) -> bool {
        self.sites.is_empty() && self.devices.is_empty()
    }
}

/// A vehicle, a card or a person as events name it, compared without dots, spaces and case where that is how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What it is.
    pub class: Personal,
    /// Its normal form.
    text: String,
}

impl About {
    /// About what `text` names.
    pub fn new(class: Personal, text: &str) -> Self {
        let text = class.normal(text);
        Self { class, text }
    }
    /// Whether an event is.
    pub(super) fn is_of(&self, event: &Event) -> bool {
        if !self.class.is_in(event.kind) {
            return false;
        }
        let attrs = event.attrs.to_value();
        self.class.attrs().iter().any(|attr| {
            attrs[*attr].as_str().is_some_and(|text| {
                !privacy::is_deleted(text) && self.class.normal(text) == self.text
            })
        })
    }
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self {
            device: None,
            kind: None,
            site: None,
            within: None,
            about: None,
            from: None,
            to: None,
            after_seq: None,
            cursor: None,
            limit: 100,
            order: Order::default(),
        }
    }
}

impl HistoryQuery {
    pub(super) fn page_size(&self) -> usize {
        self.limit.clamp(1, HISTORY_LIMIT_MAX)
    }
    /// The places that `after_seq` and the page before leave.
    pub(super) fn bounds(&self) -> RangeInclusive<i64> {
        let mut first = self
            .after_seq
            .map_or(0, |seq| Cursor::floor(Seq(seq.0.saturating_add(1))));
        let mut last = i64::MAX;
        match (self.cursor, self.order) {
            (Some(cursor), Order::NewestFirst) => last = cursor.0.saturating_sub(1),
            (Some(cursor), Order::OldestFirst) => first = first.max(cursor.0.saturating_add(1)),
            (None, _) => {}
        }
        first..=last
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; `None` when there is nothing more at the moment.
    pub next: Option<Cursor>,
}

/// The place of one event: journal position, then its number within the uplink. Printed as `{seq}.{index}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub(super) i64);

impl Cursor {
    /// The place of an event, or `None` if its id was not made by [`EventId::of_uplink`] from its own time and position.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let index = index_of(event.id);
        let made = EventId::of_uplink(event.received_at, event.seq, index);
        (made == event.id).then(|| Self::new(event.seq, index))
    }
    pub(super) fn new(seq: Seq, index: u16) -> Self {
        Self(((seq.0 as i64) << INDEX_BITS) | i64::from(index & 0x0fff))
    }
    /// Before the first event of `seq`.
    pub(super) fn floor(seq: Seq) -> i64 {
        (seq.0.min(SEQ_MAX) as i64) << INDEX_BITS
    }
    /// The journal position.
    pub fn seq(self) -> Seq {
        Seq((self.0 >> INDEX_BITS) as u64)
    }
    pub(super) fn index(self) -> u16 {
        (self.0 & ((1 << INDEX_BITS) - 1)) as u16
    }
}

/// Highest journal position that a [`Cursor`] can tell: at a million a second it lasts seventy years.
pub(super) const SEQ_MAX: u64 = (1 << (63 - INDEX_BITS)) - 2;

/// The number within its uplink that `id` carries.
pub(super) fn index_of(id: EventId) -> u16 {
    let bytes = id.uuid().into_bytes();
    u16::from_be_bytes([bytes[6] & 0x0f, bytes[7]])
}

/// The journal position that `id` carries.
pub(super) fn seq_of(id: EventId) -> Seq {
    let low = id.uuid().as_u128() as u64;
    Seq(low & (u64::MAX >> 2))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq(), self.index())
    }
}

impl FromStr for Cursor {
    type Err = EventsError;
    fn from_str(text: &str) -> Result<Self, EventsError> {
        let parse = || {
            let (seq, index) = text.split_once('.')?;
            let (seq, index) = (seq.parse::<u64>().ok()?, index.parse::<u16>().ok()?);
            (seq <= SEQ_MAX && index < 1 << INDEX_BITS).then(|| Self::new(Seq(seq), index))
        };
        parse().ok_or_else(|| EventsError::BadCursor(text.chars().take(80).collect()))
    }
}

/// Length of a bucket of counts. Buckets begin on whole hours and days of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// One hour.
    Hour,
    /// One day.
    Day,
}

impl Bucket {
    pub(super) fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
        }
    }
}

impl FromStr for Bucket {
    type Err = EventsError;
    fn from_str(text: &str) -> Result<Self, EventsError> {
        match text {
            "1h" => Ok(Self::Hour),
            "1d" => Ok(Self::Day),
            _ => Err(EventsError::UnknownWord {
                what: "bucket",
                text: text.chars().take(80).collect(),
                known: "1h, 1d",
            }),
        }
    }
}

/// What counts are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountBy {
    /// Kind of event.
    Kind,
    /// Class of device.
    Class,
    /// Site.
    Site,
    /// Device.
    Device,
}

impl CountBy {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Class => "class",
            Self::Site => "site",
            Self::Device => "device",
        }
    }
}

impl FromStr for CountBy {
    type Err = EventsError;
    fn from_str(text: &str) -> Result<Self, EventsError> {
        [Self::Kind, Self::Class, Self::Site, Self::Device]
            .into_iter()
            .find(|by| by.column() == text)
            .ok_or_else(|| EventsError::UnknownWord {
                what: "grouping",
                text: text.chars().take(80).collect(),
                known: "kind, class, site, device",
            })
    }
}

/// How many events one key had in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    /// When the bucket begins.
    pub bucket_start: Timestamp,
    /// The kind, class, site or device.
    pub key: String,
    /// Events, redeliveries not counted.
    pub n: u64,
}

/// What an event store could not do.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The directory cannot be made or read.
    #[error("cannot use the event store's directory {}", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The SQLite that was linked has the WAL-reset bug (3.7.0 to 3.51.2), which corrupts databases.
    #[error("SQLite {found} is too old (hint: 3.51.3 or later; build with rusqlite's `bundled`)")]
    SqliteTooOld {
        /// Its version.
        found: &'static str,
    },
    /// A file of a later version of the hub.
    #[error("{} has layout {found}, this hub knows {known} (hint: start the version that wrote it)", path.display())]
    Layout {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: i64,
        /// What we write.
        known: i64,
    },
    /// SQLite refused.
    #[error("cannot {doing}")]
    Sqlite {
        /// What we were doing.
        doing: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A stored value is not what it should be.
    #[error("event {place} is damaged: its {column} is not one")]
    Damaged {
        /// Where.
        place: Cursor,
        /// Which column.
        column: &'static str,
    },
    /// An event whose id was not made from its own receive time and position by [`EventId::of_uplink`], or of an uplink
    /// with more than 4,096 events.
    #[error(
        "event {id} at position {seq} has a foreign id (hint: make it with EventId::of_uplink)"
    )]
    ForeignId {
        /// The id.
        id: EventId,
        /// The position.
        seq: Seq,
    },
    /// `upto` does not cover the events that came with it.
    #[error("events up to position {seq} were given as a batch up to {upto}")]
    UptoTooLow {
        /// What the caller said.
        upto: Seq,
        /// What it gave.
        seq: Seq,
    },
    /// Not a place in a list.
    #[error("`{0}` is not a cursor (hint: take `next` of the page before)")]
    BadCursor(String),
    /// A word that is in none of our tables.
    #[error("unknown {what} `{text}` (hint: {known})")]
    UnknownWord {
        /// Which table.
        what: &'static str,
        /// The word.
        text: String,
        /// What is in it.
        known: &'static str,
    },
    /// InfluxDB.
    #[cfg(feature = "influx")]
    #[error(transparent)]
    Influx(#[from] super::influx::InfluxError),
    /// The writer has ended.
    #[error("the event store is closed")]
    Closed,
}

impl EventsError {
    /// There is no room on the disk: nothing is lost, and it may go well later.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Directory { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            _ => false,
        }
    }
    pub(super) fn sqlite(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }
    pub(super) fn damaged(place: Cursor, column: &'static str) -> impl Fn(UnknownWord) -> Self {
        move |_| Self::Damaged { place, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_tells_its_place() {
        let at = Timestamp::from_millisecond(1_795_000_000_123).expect("in range");
        for (seq, index) in [(1, 0), (41, 7), (1 << 40, 4095)] {
            let id = EventId::of_uplink(at, Seq(seq), index);
            assert_eq!((seq_of(id), index_of(id)), (Seq(seq), index));
        }
    }

    #[test]
    fn a_cursor_survives_the_way_through_text_and_nothing_else_parses() {
        let cursor = Cursor::new(Seq(77), 3);
        assert_eq!(cursor.to_string(), "77.3");
        assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor));
        for bad in ["", "77", "77.4096", "-1.0", "99999999999999999999.0", "a.b"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
