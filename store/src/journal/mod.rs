//! The journal: an append-only log of uplinks that is synced before anything is acknowledged.
//!
//! Dramatis personae: a *lane* is one of two bounded queues, alarms before telemetry; a *ticket* is a place in a lane; the
//! *writer* is the one thread that writes; the *watermarks* say up to which ticket and which *seq* the disk has it; a *segment* is
//! one pre-written file; the *mark* is the highest acknowledged seq, kept apart.
//!
//! **Invariant:** a watermark moves only after `fdatasync` of everything below it. **Invariant:** an error of the disk is final for
//! this run: no watermark moves again, no file is synced twice. **Invariant:** reading never takes damage for the end.

mod layout;
mod mark;
mod queue;
mod reader;
mod recover;
mod room;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::{Lane, Seq, Uplink};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{info, warn};

pub use layout::Glance;
pub use reader::{ReadError, Reader};
pub use recover::{Recovery, VerifyReport, last, verify};
pub use segment::Damage;

use queue::Queue;
use segment::Segment;
use writer::{SyncFn, Writer};

const LOCK_FILE: &str = "lock";

/// How a journal is run. Sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size of a segment file.
    pub segment_bytes: u64,
    /// What may wait for the disk in the alarm lane.
    pub alarm_queue_bytes: usize,
    /// What may wait for the disk in the telemetry lane.
    pub telemetry_queue_bytes: usize,
    /// Most that is written and synced at once.
    pub batch_bytes_max: usize,
    /// What every reader has passed is kept up to this size.
    pub retain_bytes: u64,
    /// Room that is taken from the file system in advance, for alarms on the day on which it is full.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            alarm_queue_bytes: 16 << 20,
            telemetry_queue_bytes: 32 << 20,
            batch_bytes_max: 4 << 20,
            retain_bytes: 1 << 30,
            reserve_bytes: 256 << 20,
        }
    }
}

/// A place in a lane; tickets of a lane count up from 1 in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Which lane.
    pub lane: Lane,
    /// Which place.
    pub number: u64,
}

/// Up to where the disk has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watermarks {
    /// Highest durable ticket of the alarm lane.
    pub alarm: u64,
    /// Highest durable ticket of the telemetry lane.
    pub telemetry: u64,
    /// Highest durable position.
    pub seq: Seq,
}

impl Watermarks {
    /// Whether the uplink with this ticket is on disk.
    pub fn cover(&self, ticket: Ticket) -> bool {
        match ticket.lane {
            Lane::Alarm => ticket.number <= self.alarm,
            Lane::Telemetry => ticket.number <= self.telemetry,
        }
    }
}

/// Why an uplink was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The lane's budget is used up; the uplink comes back.
    #[error("the journal's queue is full")]
    Full(Box<Uplink>),
    /// It is telemetry, and what room is left on the disk is kept for alarms.
    #[error("the disk has no more room for telemetry")]
    NoRoom,
    /// The uplink is larger than a record may be.
    #[error("the message is larger than the journal takes")]
    TooLarge,
    /// The journal is closed, or its disk has failed: nothing is acknowledged any more.
    #[error("the journal is closed or has failed")]
    Failed,
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("cannot {doing} in {dir}")]
    Io {
        /// What we were doing.
        doing: &'static str,
        /// The journal's directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process holds it.
    #[error("the journal in {0} is in use (hint: is another hub running on this data directory?)")]
    InUse(PathBuf),
}

/// Whether the journal takes telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// The file system has no room for the next segment and the reserve.
    is_full: bool,
    /// The owner has said that what is left is for alarms.
    is_kept_for_alarms: bool,
}

impl Room {
    /// Telemetry is refused, alarms are taken.
    pub fn refuses_telemetry(self) -> bool {
        self.is_full || self.is_kept_for_alarms
    }

    /// The file system has no room for the next segment and the reserve.
    pub fn is_full(self) -> bool {
        self.is_full
    }

    /// True when it was another before.
    fn set_full(&mut self, is_full: bool) -> bool {
        std::mem::replace(&mut self.is_full, is_full) != is_full
    }
}

/// Figures for metrics.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Highest position written.
    pub last_seq: Seq,
    /// Records written in this run.
    pub records: u64,
    /// Syncs in this run.
    pub syncs: u64,
    /// Lowest position that is kept.
    pub oldest_seq: Seq,
    /// Bytes that wait in the lane of alarms, and how many may.
    pub alarm_queue: (usize, usize),
    /// The same of the lane of telemetry.
    pub telemetry_queue: (usize, usize),
    /// Segment files.
    pub segments: usize,
    /// Bytes of all segment files.
    pub bytes: u64,
    /// How long the sync that is under way has been, if one is.
    pub syncing_for: Option<Duration>,
    /// Why the disk failed, if it did.
    pub failure: Option<String>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    options: Options,
    segments: Mutex<Vec<Segment>>,
    failure: Mutex<Option<String>>,
    room: watch::Sender<Room>,
    syncing_since: Mutex<Option<Instant>>,
    last_seq: AtomicU64,
    records: AtomicU64,
    syncs: AtomicU64,
}

/// A journal that takes uplinks. Clones are handles of the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: Arc<PathBuf>,
    shared: Arc<Shared>,
    durable: watch::Receiver<Watermarks>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    _lock: Arc<File>,
}

impl Journal {
    /// Opens the journal of a directory, or makes one, and says what was found. A torn tail is cut: nobody was told that it was
    /// stored. Positions go on after the highest that is known, even where the log itself ends before it.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        Self::open_with(dir, options, File::sync_data)
    }

    fn open_with(
        dir: &Path,
        options: Options,
        sync: SyncFn,
    ) -> Result<(Self, Recovery), OpenError> {
        let fail = |doing| {
            move |source| OpenError::Io {
                doing,
                dir: dir.to_owned(),
                source,
            }
        };
        std::fs::create_dir_all(dir).map_err(fail("make the directory"))?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOCK_FILE))
            .map_err(fail("open the lock file"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(OpenError::InUse(dir.to_owned())),
            Err(std::fs::TryLockError::Error(e)) => return Err(fail("lock")(e)),
        }
        let found = recover::recover(dir, &options).map_err(fail("recover the log"))?;
        let recover::Recovered {
            journal,
            file,
            offset,
            segments,
            segment_bytes,
            mark,
            report,
        } = found;
        let next = Seq(report.last_seq.0 + 1);
        let start = Watermarks {
            seq: report.last_seq,
            ..Watermarks::default()
        };
        let (watermarks, durable) = watch::channel(start);
        let shared = Arc::new(Shared {
            queue: Queue::new(options.alarm_queue_bytes, options.telemetry_queue_bytes),
            options,
            segments: Mutex::new(segments),
            failure: Mutex::new(None),
            room: watch::Sender::default(),
            syncing_since: Mutex::new(None),
            last_seq: AtomicU64::new(report.last_seq.0),
            records: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        });
        let room = room::Room::keep(dir, Arc::clone(&shared)).map_err(fail("keep room"))?;
        let writer = Writer {
            dir: dir.to_owned(),
            journal,
            shared: Arc::clone(&shared),
            file,
            offset,
            next,
            mark,
            watermarks,
            sync,
            batch_bytes_max: options.batch_bytes_max,
            segment_bytes,
            room,
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(fail("start the writer"))?;
        let journal = Self {
            dir: Arc::new(dir.to_owned()),
            shared,
            durable,
            thread: Arc::new(Mutex::new(Some(thread))),
            _lock: Arc::new(lock),
        };
        Ok((journal, report))
    }

    /// Takes an uplink if its lane has room. It is durable when the watermarks cover the ticket.
    pub fn try_append(&self, lane: Lane, uplink: Uplink) -> Result<Ticket, AppendError> {
        self.admit(lane, &uplink)?;
        self.shared.queue.try_put(lane, uplink)
    }

    /// The same, waiting for room: this is how a slow disk slows its senders.
    pub async fn append(&self, lane: Lane, uplink: Uplink) -> Result<Ticket, AppendError> {
        self.admit(lane, &uplink)?;
        self.shared.queue.put_when_free(lane, uplink).await
    }

    fn admit(&self, lane: Lane, uplink: &Uplink) -> Result<(), AppendError> {
        if !layout::fits(uplink) {
            return Err(AppendError::TooLarge);
        }
        if lane == Lane::Telemetry && self.shared.room.borrow().refuses_telemetry() {
            return Err(AppendError::NoRoom);
        }
        Ok(())
    }

    /// Moves when telemetry is refused, and when it is taken again.
    pub fn room(&self) -> watch::Receiver<Room> {
        self.shared.room.subscribe()
    }

    /// From now on what room is left is for alarms, or for everything again.
    pub fn keep_for_alarms(&self, is_kept: bool) {
        self.shared.room.send_if_modified(|room| {
            std::mem::replace(&mut room.is_kept_for_alarms, is_kept) != is_kept
        });
    }

    /// The same, waiting until it is on disk.
    pub async fn append_durable(&self, lane: Lane, uplink: Uplink) -> Result<(), AppendError> {
        let ticket = self.append(lane, uplink).await?;
        let mut durable = self.durable.clone();
        let covered = durable.wait_for(|w| w.cover(ticket)).await;
        covered.map(|_| ()).map_err(|_| AppendError::Failed)
    }

    /// Moves after each sync. Closes when the journal is closed, and when its disk fails.
    pub fn watermarks(&self) -> watch::Receiver<Watermarks> {
        self.durable.clone()
    }

    /// Reads what follows a position.
    pub fn read_from(&self, after: Seq) -> Reader {
        Reader::new(Arc::clone(&self.shared), self.durable.clone(), after)
    }

    /// Every reader has passed `upto`: whole segments below it go, the oldest first, as far as the log is larger than what is
    /// to be retained.
    pub fn release(&self, upto: Seq) {
        let gone = {
            let mut segments = self.shared.segments.lock();
            let mut bytes: u64 = segments.iter().map(|s| s.bytes).sum();
            let retain_bytes = if self.shared.room.borrow().refuses_telemetry() {
                0 // room for what is to come is worth more than what everybody has
            } else {
                self.shared.options.retain_bytes
            };
            let mut gone = Vec::new();
            while segments.len() > 1 && segments[1].first.0 <= upto.0 + 1 && bytes > retain_bytes {
                let segment = segments.remove(0);
                bytes -= segment.bytes;
                gone.push(segment);
            }
            gone
        };
        if gone.is_empty() {
            return;
        }
        for segment in &gone {
            match std::fs::remove_file(&segment.path) {
                Ok(()) => info!(journal.segment = %segment.path.display(), "segment released"),
                Err(e) => {
                    warn!(error = %e, journal.segment = %segment.path.display(), "segment cannot be removed");
                }
            }
        }
        if let Err(e) = segment::sync_dir(&self.dir) {
            warn!(error = %e, "journal directory cannot be synced");
        }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        let (segments, bytes, oldest_seq) = {
            let segments = self.shared.segments.lock();
            let oldest = segments.first().map_or(Seq(0), |s| s.first);
            let bytes = segments.iter().map(|s| s.bytes).sum();
            (segments.len(), bytes, oldest)
        };
        Stats {
            oldest_seq,
            alarm_queue: self.shared.queue.fill(Lane::Alarm),
            telemetry_queue: self.shared.queue.fill(Lane::Telemetry),
            last_seq: Seq(self.shared.last_seq.load(Ordering::Relaxed)),
            records: self.shared.records.load(Ordering::Relaxed),
            syncs: self.shared.syncs.load(Ordering::Relaxed),
            segments,
            bytes,
            syncing_for: self
                .shared
                .syncing_since
                .lock()
                .map(|since| since.elapsed()),
            failure: self.shared.failure.lock().clone(),
        }
    }

    /// Takes nothing more in, writes what waits, and ends the writer. Readers may go on reading.
    ///
    /// # Errors
    /// [`AppendError::Failed`] when the disk had failed: what waited is not stored.
    pub async fn close(&self) -> Result<(), AppendError> {
        self.shared.queue.close();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                return Err(AppendError::Failed);
            }
        }
        if self.shared.failure.lock().is_some() {
            Err(AppendError::Failed)
        } else {
            Ok(())
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // the last handle: let the writer finish what waits
        if Arc::strong_count(&self.thread) == 1 {
            self.shared.queue.close();
            if let Some(thread) = self.thread.lock().take() {
                let _ = thread.join();
            }
        }
    }
}
