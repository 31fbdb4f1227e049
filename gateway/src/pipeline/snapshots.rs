//! Snapshots: takes the pictures out of what devices send. A third reader of the journal with a cursor of its own, behind the detector: the alarm
//! is there first, and never waits for a picture.
//!
//! One picture at a time is looked at; nothing is decoded, what is not the picture is left out ([`store::photos`]). What is no picture, is too
//! large, or is not what its sender said it was is refused, with a note where it would have been shown; the alarm stands all the same.
//!
//! **Invariant:** the file is on the disk before the row that names it, and the row moves with the cursor: after a crash it is done once more, and
//! nothing is double.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::place::Registry;
use domain::{Seq, Shows, Uplink};
use sha2::{Digest as _, Sha256};
use store::journal::{Journal, Reader, Watermarks};
use store::photos::{Kept, PhotoError, Pinned, Room, SentFor};
use store::state::{
    KeptSnapshot, NamedSnapshot, NewSnapshot, QuarantineRow, SnapshotBatch, SnapshotFetch,
    SnapshotWord, State, WRONG_SHA256,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::adapters::picture::{self, Found, Looked};
use crate::adapters::{Bridges, Context, Memory};
use crate::bridges;
use crate::clock::Clock;

/// Most uplinks that are looked at in one go, and about how many bytes the journal is read for it.
const RECORDS_MAX: usize = 256;
const BYTES_MAX: usize = 4 << 20;
/// How often the cursor is written when there was no picture.
const FLUSH: Duration = Duration::from_secs(5);
/// How often what bridges left behind is read anew: only which of them speaks what matters here.
const RECALL: Duration = Duration::from_mins(5);
/// Snapshots of one transaction that make room.
const SHED: u32 = 200;

/// Everything that it works with.
pub struct Snapshots {
    /// Where it is written.
    pub state: State,
    /// Where the files go.
    pub photos: Room,
    /// Devices and places.
    pub registry: watch::Receiver<Arc<Registry>>,
    /// Who speaks in which format.
    pub bridges: Arc<Bridges>,
    /// What is not kept at all.
    pub unwanted: Vec<Shows>,
    /// Bytes that all snapshots may take.
    pub budget_bytes: u64,
    /// The hub's clock.
    pub clock: Clock,
    /// The journal.
    pub journal: Journal,
}

/// How far it is, and what it has at hand.
struct Course {
    reader: Option<Reader>,
    memory: Arc<Memory>,
    recalled_at: Instant,
    /// Bytes of all snapshots, as far as is known.
    bytes: u64,
    /// The cursor as it is written.
    written: Seq,
    written_at: Instant,
}

impl Snapshots {
    /// Looks until the journal is closed and everything in it has been seen. `detected` is how far the detector is, `done` holds the cursor.
    ///
    /// # Errors
    /// A journal that cannot be read or a state database that cannot be written.
    pub async fn run(
        self,
        mut durable: watch::Receiver<Watermarks>,
        mut detected: watch::Receiver<Seq>,
        done: watch::Sender<Seq>,
    ) -> anyhow::Result<()> {
        let written = *done.borrow();
        let mut course = Course {
            reader: Some(self.journal.read_from(written)),
            memory: Arc::new(bridges::memory(&self.state).await?),
            recalled_at: Instant::now(),
            bytes: self.state.snapshot_counts().await?.bytes,
            written,
            written_at: Instant::now(),
        };
        loop {
            // asked before reading: a journal that was closed by then has nothing more to come
            let closed = durable.has_changed().is_err();
            durable.borrow_and_update();
            let before = course.reader.as_ref().map(Reader::after);
            let (looked, after) = self.next(&mut course).await?;
            if let Some((last, ..)) = looked.last() {
                // the incident that shows it is there first; a detector that is gone has ended, and the rest is for the next start
                let needed = *last;
                if detected.wait_for(|upto| *upto >= needed).await.is_err()
                    && *detected.borrow() < needed
                {
                    return Ok(());
                }
                self.keep(&mut course, looked, after).await?;
                done.send_replace(after);
                continue;
            }
            let is_idle = before == Some(after);
            if after > course.written && (closed || course.written_at.elapsed() >= FLUSH) {
                self.write(
                    &mut course,
                    SnapshotBatch {
                        cursor: after,
                        ..SnapshotBatch::default()
                    },
                )
                .await?;
                done.send_replace(after);
            }
            if is_idle && closed {
                return Ok(());
            }
            if is_idle {
                tokio::select! {
                    // an error means closed: the next round finds out
                    _ = durable.changed() => {}
                    () = tokio::time::sleep_until(course.written_at + FLUSH), if after > course.written => {}
                }
            }
        }
    }

    /// The next messages that have to do with pictures, and how far the journal has been read.
    async fn next(&self, course: &mut Course) -> anyhow::Result<(Vec<(Seq, Uplink, Looked)>, Seq)> {
        if course.recalled_at.elapsed() >= RECALL {
            course.memory = Arc::new(bridges::memory(&self.state).await?);
            course.recalled_at = Instant::now();
        }
        let mut reader = course
            .reader
            .take()
            .context("the reader was lost in an earlier failure")?;
        let (registry, bridges) = (
            Arc::clone(&self.registry.borrow()),
            Arc::clone(&self.bridges),
        );
        let memory = Arc::clone(&course.memory);
        let (reader, looked) = tokio::task::spawn_blocking(move || {
            let wanted = |glance: store::journal::Glance<'_>| picture::may_be_on(glance.topic);
            let records = reader.next_matching(RECORDS_MAX, BYTES_MAX, wanted);
            let context = Context {
                registry: &registry,
                bridges: &bridges,
            };
            let looked = records.map(|records| {
                let look = |(seq, uplink): (Seq, Uplink)| {
                    let looked = picture::look(&uplink, &context, &memory);
                    (looked != Looked::default()).then_some((seq, uplink, looked))
                };
                records.into_iter().filter_map(look).collect::<Vec<_>>()
            });
            (reader, looked)
        })
        .await
        .context("reading the journal")?;
        let after = reader.after();
        course.reader = Some(reader);
        Ok((looked.context("reading the journal")?, after))
    }

    /// Keeps pictures, one after the other, and writes them with the cursor.
    async fn keep(
        &self,
        course: &mut Course,
        looked: Vec<(Seq, Uplink, Looked)>,
        cursor: Seq,
    ) -> anyhow::Result<()> {
        let (mut batch, mut pinned) = (
            SnapshotBatch {
                cursor,
                ..SnapshotBatch::default()
            },
            Vec::new(),
        );
        for (seq, uplink, looked) in looked {
            for named in looked.named {
                batch.named.push(NamedSnapshot {
                    device: named.device,
                    word: SnapshotWord {
                        word: named.word,
                        within: named.within,
                    },
                    seq,
                    sha256: named.sha256,
                    received_at: uplink.received_at,
                });
            }
            for (ordinal, there) in (0..).zip(looked.elsewhere) {
                if self.unwanted.contains(&there.shows) {
                    continue;
                }
                batch.fetches.push(SnapshotFetch {
                    seq,
                    ordinal,
                    account: uplink.principal.clone(),
                    url: there.url,
                    device: there.device,
                    site: there.site,
                    shows: there.shows,
                    received_at: uplink.received_at,
                    tries: 0,
                });
            }
            for found in looked.found {
                let is_all = found.is_all;
                let (snapshot, holds) = self.keep_one(course, found, (seq, &uplink)).await;
                if let Err(code) = snapshot.kept {
                    metrics::counter!("hub_snapshots_refused_total", "reason" => code).increment(1);
                    debug!(journal.seq = %seq, device.id = %snapshot.device, snapshot.refused = code, "snapshot refused");
                    if is_all && code != NOT_KEPT {
                        batch.quarantine.push(QuarantineRow::new(
                            seq,
                            &uplink,
                            code,
                            in_words(code),
                        ));
                    }
                }
                batch.snapshots.push(snapshot);
                pinned.extend(holds);
            }
        }
        let kept = pinned.len() as u64;
        self.write(course, batch).await?;
        pinned.into_iter().for_each(Pinned::named);
        metrics::counter!("hub_snapshots_kept_total").increment(kept);
        Ok(())
    }

    async fn write(&self, course: &mut Course, batch: SnapshotBatch) -> anyhow::Result<()> {
        let nobodys = self
            .state
            .commit_snapshots(&batch)
            .await
            .context("writing snapshots")?;
        self.photos.loosen(&nobodys, self.clock.now());
        (course.written, course.written_at) = (batch.cursor, Instant::now());
        Ok(())
    }

    async fn keep_one(
        &self,
        course: &mut Course,
        found: Found,
        (seq, uplink): (Seq, &Uplink),
    ) -> (NewSnapshot, Option<Pinned>) {
        let (name, bytes) = named(found.bytes).await;
        let is_other = found.told_sha256.as_ref().is_some_and(|told| *told != name);
        let kept = if is_other {
            Err(WRONG_SHA256)
        } else if self.unwanted.contains(&found.shows) {
            Err(NOT_KEPT)
        } else if !self.has_room(course, bytes.len() as u64).await {
            Err(NO_ROOM)
        } else {
            let now = self.clock.now();
            let kept = self
                .photos
                .keep_bytes(&bytes, &name, SentFor::Snapshot, now)
                .await;
            kept.map_err(|e| code_of(&e))
        };
        let (kept, pinned) = match kept {
            Ok((pinned, kept)) => {
                course.bytes += kept.bytes;
                (Ok(kept_of(kept)), Some(pinned))
            }
            Err(code) => (Err(code), None),
        };
        let snapshot = NewSnapshot {
            device: found.device,
            site: found.site,
            name,
            seq,
            word: found
                .word
                .map(|(word, within)| SnapshotWord { word, within }),
            shows: found.shows,
            received_at: uplink.received_at,
            kept,
        };
        (snapshot, pinned)
    }

    /// Whether there is room for so many bytes more; such as no incident shows make room, the oldest first.
    async fn has_room(&self, course: &mut Course, bytes: u64) -> bool {
        if self.journal.room().borrow().refuses_telemetry() {
            return false;
        }
        while course.bytes + bytes > self.budget_bytes {
            let now = self.clock.now();
            let shed = self.state.forget_loose_snapshots(now, now, SHED).await;
            let counts = self.state.snapshot_counts().await;
            let (Ok((done, nobodys)), Ok(counts)) = (shed, counts) else {
                return false;
            };
            self.photos.loosen(&nobodys, now);
            course.bytes = counts.bytes;
            if done == 0 {
                break;
            }
        }
        course.bytes + bytes <= self.budget_bytes
    }
}

/// What shows that is not kept at all, by the settings.
const NOT_KEPT: &str = "not_kept";
const NO_ROOM: &str = "no_room";
const TOO_LARGE: &str = "too_large";

async fn named(bytes: Vec<u8>) -> (String, Vec<u8>) {
    let hash = |bytes: Vec<u8>| (hex::encode(Sha256::digest(&bytes)), bytes);
    let hashed = tokio::task::spawn_blocking(move || hash(bytes)).await;
    hashed.unwrap_or_default()
}

/// What is kept of a picture, for the row.
pub(crate) fn kept_of(kept: Kept) -> KeptSnapshot {
    KeptSnapshot {
        stored: kept.stored,
        media_type: kept.kind.media_type(),
        bytes: kept.bytes,
        width: kept.size.0,
        height: kept.size.1,
    }
}

/// Why a picture is refused, as a stable word.
pub(crate) fn code_of(error: &PhotoError) -> &'static str {
    match error {
        PhotoError::TooLarge => TOO_LARGE,
        PhotoError::WrongHash { .. } => WRONG_SHA256,
        PhotoError::Bad(bad) => bad.as_str(),
        PhotoError::NoRoom => NO_ROOM,
        PhotoError::Disk(e) => {
            warn!(error = %e, "a snapshot cannot be kept (hint: see the folder `photos` below `data.dir`)");
            NO_ROOM
        }
    }
}

/// The same for people.
fn in_words(code: &str) -> &'static str {
    match code {
        WRONG_SHA256 => {
            "the picture is not the one whose SHA-256 was told with it (hint: the SHA-256 of the bytes as they are sent)"
        }
        TOO_LARGE => "more than 5 MiB (hint: a smaller picture)",
        NO_ROOM => "no room for the picture (hint: `snapshots.budget_bytes`, or the disk)",
        "too_many_pixels" => "more than 50 megapixels (hint: a smaller picture)",
        "animated" => "a moving picture (hint: a still one)",
        "broken" => "the picture is cut off or damaged",
        _ => "neither JPEG nor PNG nor WebP",
    }
}
