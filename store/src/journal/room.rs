//! Room on the disk: the next segment and the reserve, made before they are needed.
//!
//! The *spare* is the next segment with its zeros already written: syncing a pre-written file does not touch its metadata. The *reserve*
//! is a number of files of a segment's size whose space is taken from the file system in advance; they become segments on the day on
//! which the file system has no more. While the spare or a file of the reserve cannot be made, the disk counts as full.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing::{error, info, warn};

use super::Shared;

/// A file of zeros that will become the next segment.
const SPARE_FILE: &str = "spare.tmp";
/// Files of the reserve: this, a number, and `.tmp`.
const RESERVE_PREFIX: &str = "reserve-";
/// Most files of the reserve.
pub(super) const RESERVE_FILES_MAX: usize = 1024;
/// Zeros are written in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// How often a full disk is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether a name in the journal's directory is a file of this module.
pub(super) fn is_room_file(name: &str) -> bool {
    let of_reserve = name.strip_prefix(RESERVE_PREFIX);
    name == SPARE_FILE || of_reserve.is_some_and(|rest| rest.strip_suffix(".tmp").is_some())
}

/// Whether the file system has no more room: something that can pass, unlike every other error of a disk.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Where the spare of a directory is, whether it is made or not.
pub(super) fn spare_path(dir: &Path) -> PathBuf {
    dir.join(SPARE_FILE)
}

fn reserve_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("{RESERVE_PREFIX}{number:04}.tmp"))
}

fn has_length(path: &Path, bytes: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.len() == bytes)
}

/// Makes the spare of a directory unless it is there. What could not be finished is taken away again: the room may be somebody's.
pub(super) fn make_spare(dir: &Path, bytes: u64) -> io::Result<()> {
    let path = spare_path(dir);
    if has_length(&path, bytes) {
        return Ok(());
    }
    create(&path, |file| write_zeros(file, bytes))
}

/// Takes the room of one file of the reserve unless it is there.
fn make_reserve(dir: &Path, number: usize, bytes: u64) -> io::Result<()> {
    let path = reserve_path(dir, number);
    if has_length(&path, bytes) {
        return Ok(());
    }
    create(&path, |file| {
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // not every file system can promise room without writing
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                write_zeros(file, bytes)
            }
            Err(e) => Err(e.into()),
        }
    })
}

fn create(path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let made = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|file| fill(&file));
    if made.is_err() {
        // it may not be there at all; what matters is the error that we tell
        let _ = std::fs::remove_file(path);
    }
    made
}

fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE_BYTES];
    let mut at = 0;
    while at < bytes {
        let piece = usize::try_from(bytes - at)
            .unwrap_or(PIECE_BYTES)
            .min(PIECE_BYTES);
        file.write_all_at(&zeros[..piece], at)?;
        at += piece as u64;
    }
    file.sync_all()
}

/// Keeps spare and reserve made, on a thread of its own.
pub(super) struct Room {
    inner: Arc<Inner>,
    keeper: Option<JoinHandle<()>>,
}

struct Inner {
    dir: PathBuf,
    segment_bytes: u64,
    reserve_files: usize,
    shared: Arc<Shared>,
    /// Held by whoever makes, renames or uses the files.
    files: Mutex<Files>,
    bell: Condvar,
}

#[derive(Default)]
struct Files {
    /// The spare was used: make another.
    is_wanted: bool,
    is_closing: bool,
}

impl Room {
    /// Starts to keep room in a directory.
    pub(super) fn keep(dir: &Path, shared: Arc<Shared>) -> io::Result<Self> {
        let options = shared.options;
        let inner = Arc::new(Inner {
            dir: dir.to_owned(),
            segment_bytes: options.segment_bytes,
            reserve_files: usize::try_from(options.reserve_bytes.div_ceil(options.segment_bytes))
                .unwrap_or(usize::MAX)
                .min(RESERVE_FILES_MAX),
            shared,
            files: Mutex::default(),
            bell: Condvar::new(),
        });
        let keeping = Arc::clone(&inner);
        let keeper = std::thread::Builder::new()
            .name("journal-room".to_owned())
            .spawn(move || keeping.run())?;
        Ok(Self {
            inner,
            keeper: Some(keeper),
        })
    }

    /// Lets `birth` turn the spare into a segment. When there is no room for a spare, one of the reserve stands in; when that is used up
    /// too, this waits: what is not stored is not acknowledged, and nothing is lost by waiting.
    ///
    /// # Errors
    /// What `birth` says, unless it is that there is no room; that there is none and the journal is being closed.
    pub(super) fn take<T>(&self, mut birth: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let inner = &*self.inner;
        let mut told = false;
        loop {
            let mut files = inner.files.lock();
            if inner.is_kept_for_alarms()
                && !has_length(&spare_path(&inner.dir), inner.segment_bytes)
            {
                // what is free is for the databases
                inner.use_reserve()?;
            }
            let born = birth();
            let no_space = match born {
                Err(e) if is_no_space(&e) => e,
                done => {
                    files.is_wanted = true;
                    inner.bell.notify_all();
                    return done;
                }
            };
            inner
                .shared
                .room
                .send_if_modified(|room| room.set_full(true));
            if inner.use_reserve()? {
                continue;
            }
            if inner.shared.queue.is_closing() {
                return Err(no_space);
            }
            if !told {
                error!(error = %no_space, journal.dir = %inner.dir.display(), "no room for the journal and its reserve is used up: nothing is acknowledged until there is (hint: free space on this disk)");
                told = true;
            }
            inner.bell.wait_for(&mut files, LOOK_EVERY);
        }
    }
}

impl Inner {
    /// Makes one of the reserve the spare.
    fn use_reserve(&self) -> io::Result<bool> {
        for number in (0..self.reserve_files).rev() {
            let path = reserve_path(&self.dir, number);
            if has_length(&path, self.segment_bytes) {
                std::fs::rename(path, spare_path(&self.dir))?;
                warn!(
                    journal.reserve_left = number,
                    "the disk is full: the journal goes on in its reserve"
                );
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn run(&self) {
        let mut was_full = false;
        loop {
            let made = if self.is_kept_for_alarms() {
                self.check_all()
            } else {
                self.make_all()
            };
            let is_full = made.is_err();
            match &made {
                Err(e) if !was_full => {
                    warn!(error = %e, journal.dir = %self.dir.display(), "no room for the journal's spare segment and reserve: telemetry is refused, alarms are taken (hint: free space, or lower `journal.reserve_bytes`)");
                }
                Ok(()) if was_full => info!("the journal has its room again"),
                _ => {}
            }
            was_full = is_full;
            self.shared
                .room
                .send_if_modified(|room| room.set_full(is_full));
            let mut files = self.files.lock();
            while !files.is_closing && !files.is_wanted {
                let timed_out = if is_full {
                    self.bell.wait_for(&mut files, LOOK_EVERY).timed_out()
                } else {
                    self.bell.wait(&mut files);
                    false
                };
                if timed_out {
                    break;
                }
            }
            files.is_wanted = false;
            if files.is_closing {
                return;
            }
        }
    }

    fn is_kept_for_alarms(&self) -> bool {
        self.shared.room.borrow().is_kept_for_alarms
    }

    /// Whether all is there; nothing is made of the room that is left.
    fn check_all(&self) -> io::Result<()> {
        let reserve = (0..self.reserve_files).map(|number| reserve_path(&self.dir, number));
        let mut all = reserve.chain([spare_path(&self.dir)]);
        if all.all(|path| has_length(&path, self.segment_bytes)) {
            Ok(())
        } else {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    /// The spare first, then the reserve. The files are let go in between, so that the writer need not wait for all of it.
    fn make_all(&self) -> io::Result<()> {
        {
            let _files = self.files.lock();
            make_spare(&self.dir, self.segment_bytes)?;
        }
        for number in 0..self.reserve_files {
            let files = self.files.lock();
            if files.is_closing {
                return Ok(());
            }
            make_reserve(&self.dir, number, self.segment_bytes)?;
        }
        // where a smaller reserve was configured, the rest is given back
        for number in self.reserve_files..RESERVE_FILES_MAX {
            let path = reserve_path(&self.dir, number);
            if !path.exists() {
                break;
            }
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.inner.files.lock().is_closing = true;
        self.inner.bell.notify_all();
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            error!("the thread that keeps the journal's room panicked");
        }
    }
}
