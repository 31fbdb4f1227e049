//! The writer thread: takes what waits, writes it in one piece, syncs it, and only then moves the watermarks.
//!
//! While one batch is being synced the next one gathers in the queue: group commit without a timer. Any error is final: nothing
//! is acknowledged, the file is never synced a second time (a failed sync may have dropped the very pages it was asked to keep),
//! and the next start reads what is really there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use domain::{EventId, Seq};
use tokio::sync::watch;
use tracing::{debug, error, trace};

use super::mark::Mark;
use super::queue::Taken;
use super::room::Room;
use super::{Shared, Watermarks, layout, segment};

/// How a batch reaches the disk; another one stands in for a failing disk in tests.
pub(super) type SyncFn = fn(&File) -> io::Result<()>;

pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) journal: [u8; 16],
    pub(super) shared: Arc<Shared>,
    pub(super) file: File,
    pub(super) offset: u64,
    pub(super) next: Seq,
    pub(super) mark: Mark,
    pub(super) watermarks: watch::Sender<Watermarks>,
    pub(super) sync: SyncFn,
    pub(super) batch_bytes_max: usize,
    pub(super) segment_bytes: u64,
    /// Where segments come from.
    pub(super) room: Room,
}

impl Writer {
    /// Writes until the queue is closed and empty, or the disk fails. The watch channel closes with this thread.
    pub(super) fn run(mut self) {
        let mut buffer = Vec::with_capacity(self.batch_bytes_max + (1 << 16));
        while let Some(taken) = self.shared.queue.take(self.batch_bytes_max) {
            if let Err(e) = self.commit(&taken, &mut buffer) {
                error!(error = %e, journal.seq = %self.next, "journal cannot write, nothing more is acknowledged");
                *self.shared.failure.lock() = Some(e.to_string());
                self.shared.queue.close();
                return;
            }
        }
        if let Err(e) = self.mark.seal() {
            error!(error = %e, "journal mark cannot be written");
        }
    }

    fn commit(&mut self, taken: &Taken, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        let first = self.next;
        for uplink in &taken.uplinks {
            let need = layout::record_bytes(uplink) as u64;
            if self.offset + buffer.len() as u64 + need > self.segment_bytes {
                self.write(buffer)?;
                self.roll(need)?;
            }
            layout::encode(self.next, uplink, buffer);
            self.next = Seq(self.next.0 + 1);
        }
        self.write(buffer)?;
        let seq = Seq(self.next.0 - 1);
        trace_stored(first, taken);
        let shared = &self.shared;
        shared
            .records
            .fetch_add(taken.uplinks.len() as u64, Ordering::Relaxed);
        shared.last_seq.store(seq.0, Ordering::Relaxed);
        self.watermarks.send_replace(Watermarks {
            alarm: taken.alarm,
            telemetry: taken.telemetry,
            seq,
        });
        self.mark.note(seq)
    }

    /// Writes a piece and syncs it.
    fn write(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(buffer, self.offset)?;
        *self.shared.syncing_since.lock() = Some(Instant::now());
        let synced = (self.sync)(&self.file);
        *self.shared.syncing_since.lock() = None;
        synced?;
        self.offset += buffer.len() as u64;
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        buffer.clear();
        Ok(())
    }

    /// Starts the next segment, large enough for a record of `need` bytes.
    fn roll(&mut self, need: u64) -> io::Result<()> {
        let bytes = self
            .shared
            .options
            .segment_bytes
            .max(need + layout::HEADER_BYTES as u64);
        let (file, segment) = self
            .room
            .take(|| segment::birth(&self.dir, self.journal, self.next, bytes))?;
        debug!(journal.first = %segment.first, "segment born");
        self.file = file;
        self.offset = layout::HEADER_BYTES as u64;
        self.segment_bytes = segment.bytes;
        self.shared.segments.lock().push(segment);
        Ok(())
    }
}

/// With trace logging on: the id under which each uplink's event is followed from here to the screen.
fn trace_stored(first: Seq, taken: &Taken) {
    if !tracing::enabled!(tracing::Level::TRACE) {
        return;
    }
    for (seq, uplink) in (first.0..).map(Seq).zip(&taken.uplinks) {
        let id = EventId::of_uplink(uplink.received_at, seq, 0);
        trace!(trace.id = %id.uuid().simple(), journal.seq = %seq, connection.epoch = uplink.epoch, "uplink stored");
    }
}
