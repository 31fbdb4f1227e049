//! The highest acknowledged position, kept apart from the log, so that a log that ends too early is noticed.
//!
//! Two slots of 20 bytes (counter u64, seq u64, crc32c u32) are written in turn; the newer whole one counts. It is a witness, not
//! a promise: written after each sync at most every 100 ms and without a sync of its own, it may lag, never lead.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::Seq;

pub(super) const FILE: &str = "acked.mark";
const SLOT_BYTES: usize = 20;
const EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    counter: u64,
    seq: Seq,
    written: Option<Instant>,
}

fn slot(bytes: &[u8]) -> Option<(u64, Seq)> {
    let crc = u32::from_le_bytes(bytes.get(16..SLOT_BYTES)?.try_into().ok()?);
    let counter = u64::from_le_bytes(bytes[..8].try_into().ok()?);
    let seq = u64::from_le_bytes(bytes[8..16].try_into().ok()?);
    (counter > 0 && crc32c::crc32c(&bytes[..16]) == crc).then_some((counter, Seq(seq)))
}

impl Mark {
    /// Opens the mark of a directory and tells what it says; 0 when there is none yet.
    pub(super) fn open(dir: &Path) -> io::Result<(Self, Seq)> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(FILE))?;
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        let n = file.read_at(&mut bytes, 0)?;
        bytes.truncate(n);
        let newest = bytes.chunks(SLOT_BYTES).filter_map(slot).max();
        let (counter, seq) = newest.unwrap_or((0, Seq(0)));
        Ok((
            Self {
                file,
                counter,
                seq,
                written: None,
            },
            seq,
        ))
    }

    /// What the mark of a directory says, without opening it for writing.
    pub(super) fn peek(dir: &Path) -> Option<Seq> {
        let bytes = std::fs::read(dir.join(FILE)).ok()?;
        bytes
            .chunks(SLOT_BYTES)
            .filter_map(slot)
            .max()
            .map(|(_, seq)| seq)
    }

    /// Notes a position that has been synced; written when it is time.
    pub(super) fn note(&mut self, seq: Seq) -> io::Result<()> {
        self.seq = seq;
        if self.written.is_none_or(|at| at.elapsed() >= EVERY) {
            self.write()?;
        }
        Ok(())
    }

    /// Writes and syncs: the journal closes.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.sync_data()
    }

    fn write(&mut self) -> io::Result<()> {
        self.counter += 1;
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&self.counter.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.0.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..16]);
        bytes[16..].copy_from_slice(&crc.to_le_bytes());
        self.file
            .write_all_at(&bytes, self.counter % 2 * SLOT_BYTES as u64)?;
        self.written = Some(Instant::now());
        Ok(())
    }
}
