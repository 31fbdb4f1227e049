//! The writer: one thread, one batch at a time, one transaction per file that the batch touches.
//!
//! **Invariant:** the cursor stands in the file that is committed last, so it never runs ahead of what is stored.
//! **Invariant:** every row remembers the last journal position that was counted on it, so a batch that was half stored
//! (a crash between two files) can be given again.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::privacy::{Personal, Surroundings};
use domain::{Event, Seq, Timestamp};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::catalogue::Catalogue;
use super::day::Day;
use super::day_file::{DayFile, Verdict};
use super::destroy::Under;
use super::reader::Readers;
use crate::events::model::Cursor;
use crate::events::{Appended, Destroyed, EventsError};

/// Days whose files stay open for writing: today, and yesterday for what is delivered again across midnight.
const OPEN_MAX: usize = 2;

/// How often a full disk is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the writer is asked to do.
pub(super) enum Order {
    Append(Append),
    Destroy(Destroy),
}

/// What is due to go and where the answer goes; see [`destroy`](super::destroy).
pub(super) struct Destroy {
    pub(super) due: Vec<(Personal, Timestamp)>,
    pub(super) answer: oneshot::Sender<Result<Destroyed, EventsError>>,
}

/// A batch and where its answer goes.
pub(super) struct Append {
    pub(super) upto: Seq,
    pub(super) events: Vec<Event>,
    pub(super) answer: oneshot::Sender<Result<Appended, EventsError>>,
}

pub(super) struct Writer {
    pub(super) catalogue: Arc<Catalogue>,
    readers: Arc<Readers>,
    /// What stays, whatever is due.
    pub(super) held: Arc<RwLock<Vec<Surroundings>>>,
    retention_days: Option<NonZeroU32>,
    open: BTreeMap<Day, DayFile>,
    /// What old files say was destroyed in them, as far as they were looked into.
    pub(super) destroyed: BTreeMap<Day, String>,
    /// The one that is being gone through.
    pub(super) under: Option<Under>,
}

type Shared = (Arc<Catalogue>, Arc<Readers>, Arc<RwLock<Vec<Surroundings>>>);

type Batch = BTreeMap<Day, Vec<(Cursor, Event)>>;

impl Writer {
    pub(super) fn new(
        (catalogue, readers, held): Shared,
        retention_days: Option<NonZeroU32>,
    ) -> Self {
        Self {
            catalogue,
            readers,
            held,
            retention_days,
            open: BTreeMap::new(),
            destroyed: BTreeMap::new(),
            under: None,
        }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut waiting: mpsc::Receiver<Order>) {
        while let Some(order) = waiting.blocking_recv() {
            match order {
                Order::Append(Append {
                    upto,
                    events,
                    answer,
                }) => {
                    let result = self.append(upto, events, || waiting.is_closed());
                    // A caller that has gone away finds out by the cursor.
                    let _ = answer.send(result);
                }
                Order::Destroy(Destroy { due, answer }) => {
                    // days that were held and are not any more
                    self.prune();
                    let _ = answer.send(self.destroy(&due));
                }
            }
        }
    }

    /// While the disk is full it waits for room, unless nobody waits for it any more.
    fn append(
        &mut self,
        upto: Seq,
        events: Vec<Event>,
        is_over: impl Fn() -> bool,
    ) -> Result<Appended, EventsError> {
        let batch = self.sort_out(upto, events)?;
        if upto <= self.catalogue.cursor() {
            return Ok(Appended::default());
        }
        let newest = self.catalogue.newest();
        let mut waited = 0;
        let result = loop {
            match self.store(upto, &batch) {
                Err(e) if e.is_disk_full() && !is_over() => {
                    // as below: closing rolls back
                    self.open.clear();
                    if waited % 20 == 0 {
                        error!(error = %e, journal.seq = %upto, "no room for history, waiting (hint: free space on the disk of `data.dir`)");
                    }
                    waited += 1;
                    std::thread::park_timeout(LOOK_AGAIN);
                }
                done => break done,
            }
        };
        if result.is_err() {
            // Closing rolls back, and what we remember of the files may be of the lost transaction.
            self.open.clear();
            return result;
        }
        while self.open.len() > OPEN_MAX {
            if let Some((day, file)) = self.open.pop_first() {
                file.retire();
                self.readers.forget(day);
            }
        }
        if self.catalogue.newest() > newest {
            self.prune();
        }
        result
    }

    /// Drops what is stored already and sorts the rest by day.
    fn sort_out(&self, upto: Seq, events: Vec<Event>) -> Result<Batch, EventsError> {
        let cursor = self.catalogue.cursor();
        let mut batch = Batch::new();
        for event in events {
            let (id, seq) = (event.id, event.seq);
            if seq > upto {
                return Err(EventsError::UptoTooLow { upto, seq });
            }
            if seq > cursor {
                let place = Cursor::of(&event).ok_or(EventsError::ForeignId { id, seq })?;
                let day = Day::of(event.received_at);
                batch.entry(day).or_default().push((place, event));
            }
        }
        if batch.is_empty() {
            let home = self.catalogue.newest().unwrap_or(Day::EPOCH);
            batch.insert(home, Vec::new());
        }
        Ok(batch)
    }

    fn store(&mut self, upto: Seq, batch: &Batch) -> Result<Appended, EventsError> {
        let mut done = Appended::default();
        let last = batch.last_key_value().map(|(day, _)| *day);
        for (&day, events) in batch {
            self.open_day(day)?;
            for neighbour in [day.before(), day.after()] {
                if self.catalogue.has(neighbour) {
                    self.open_day(neighbour)?;
                }
            }
            let mut file = self.open.remove(&day).ok_or(EventsError::Closed)?;
            let part = self.store_day(&mut file, day, events)?;
            done.stored += part.stored;
            done.duplicates += part.duplicates;
            if Some(day) == last {
                file.set_cursor(upto)?;
            }
            let span = file.commit()?;
            self.catalogue.widen(day, span);
            self.open.insert(day, file);
        }
        self.catalogue.advance(upto);
        Ok(done)
    }

    /// Fills `file`'s transaction and commits those of its neighbours.
    fn store_day(
        &mut self,
        file: &mut DayFile,
        day: Day,
        events: &[(Cursor, Event)],
    ) -> Result<Appended, EventsError> {
        let mut done = Appended::default();
        let mut neighbours: Vec<&mut DayFile> = self
            .open
            .iter_mut()
            .filter(|(d, _)| **d == day.before() || **d == day.after())
            .map(|(_, file)| file)
            .collect();
        file.begin()?;
        for (place, event) in events {
            let mut verdict = Verdict::Unknown;
            for neighbour in &mut neighbours {
                verdict = neighbour.count_if_known(*place, event)?;
                if verdict != Verdict::Unknown {
                    break;
                }
            }
            if verdict == Verdict::Unknown {
                verdict = file.store(*place, event)?;
            }
            match verdict {
                Verdict::Stored => done.stored += 1,
                Verdict::Counted => done.duplicates += 1,
                Verdict::Replayed | Verdict::Unknown => {}
            }
        }
        for neighbour in neighbours {
            neighbour.commit()?;
        }
        Ok(done)
    }

    fn open_day(&mut self, day: Day) -> Result<(), EventsError> {
        if !self.open.contains_key(&day) {
            let file = DayFile::open(&self.catalogue.path(day))?;
            if !self.catalogue.has(day) {
                // The file's name, too, must survive a power cut before anything in it is promised.
                fs::File::open(self.catalogue.dir())
                    .and_then(|dir| dir.sync_all())
                    .map_err(|source| EventsError::Directory {
                        path: self.catalogue.dir().to_owned(),
                        source,
                    })?;
                self.catalogue.widen(day, None);
            }
            self.open.insert(day, file);
        }
        Ok(())
    }

    /// Unlinks the days that are out of retention. The cursor is put into a file that stays first.
    pub(super) fn prune(&mut self) {
        let (Some(keep), Some(today)) = (self.retention_days, self.catalogue.today()) else {
            return;
        };
        let mut out = self.catalogue.days();
        // whoever holds something meanwhile waits until it is done, and holds what is there
        let shared = self.held.clone();
        let held = shared.read();
        let is_held = |day: Day| held.iter().any(|one| day.touches(one));
        out.retain(|(day, _)| day.0 + i64::from(keep.get()) <= today.0 && !is_held(*day));
        if out.is_empty() {
            return;
        }
        if let Err(e) = self.keep_cursor(today) {
            tracing::warn!(error = %e, "event files out of retention stay for now");
            self.open.clear();
            return;
        }
        for (day, _) in out {
            self.open.remove(&day);
            self.catalogue.forget(day);
            self.destroyed.remove(&day);
            self.readers.forget(day);
            let path = self.catalogue.path(day);
            for suffix in ["-wal", "-shm", ""] {
                let mut file = path.clone().into_os_string();
                file.push(suffix);
                match fs::remove_file(&file) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        tracing::warn!(file = ?file, error = %e, "event file not removed");
                    }
                    _ => {}
                }
            }
            tracing::info!(day = %day, "event file out of retention removed");
        }
    }

    fn keep_cursor(&mut self, day: Day) -> Result<(), EventsError> {
        self.open_day(day)?;
        let cursor = self.catalogue.cursor();
        let file = self.open.get_mut(&day).ok_or(EventsError::Closed)?;
        file.begin()?;
        file.set_cursor(cursor)?;
        file.commit()?;
        Ok(())
    }
}
