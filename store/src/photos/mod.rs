//! Pictures: photos that people take, which reports and incidents name, and snapshots that devices send. Files below a directory of their own,
//! each under the hash of what was sent, private, without what cameras write beside the picture ([`strip`]).
//!
//! ```text
//! photos/tmp/…            on its way: gone at the next start
//! photos/aa/aa01…         whole, synced, then renamed to its name
//! ```
//!
//! Who names which photo stands in the state; here is only remembered which ones nobody names yet. Those have a bound in bytes and a
//! day to be named. **Invariant:** a photo is thrown away only while nobody is about to name it ([`Room::pin`]).

mod strip;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

pub use strip::{BadPicture, Kind, PIXELS_MAX, Picture, strip};

/// Largest photo, in bytes as sent.
pub const PHOTO_BYTES_MAX: u64 = 5 << 20;
/// Bytes of all photos that nothing names yet, of what people report and of what responders show each.
pub const LOOSE_BYTES_MAX: u64 = 200 << 20;
/// How long a photo may wait for what names it.
pub const LOOSE_KEPT: Duration = Duration::from_hours(24);
/// A photo that came so recently is not thrown away for another: its report is on its way.
const FRESH: Duration = Duration::from_mins(10);

/// Why a photo was not kept.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// More than [`PHOTO_BYTES_MAX`].
    #[error("more than {PHOTO_BYTES_MAX} bytes (hint: make the picture smaller)")]
    TooLarge,
    /// It is not what its name says.
    #[error(
        "the bytes have the SHA-256 {is} (hint: the name is the hash of what is sent; send it again)"
    )]
    WrongHash {
        /// What it is.
        is: String,
    },
    /// No picture that is kept.
    #[error("{0}")]
    Bad(BadPicture),
    /// Too many wait for their reports.
    #[error(
        "too many photos wait to be named (hint: leave it out, or send it again in ten minutes)"
    )]
    NoRoom,
    /// The disk.
    #[error("cannot keep the photo")]
    Disk(#[source] io::Error),
}

impl PhotoError {
    /// There is no room for it now.
    pub fn is_no_room(&self) -> bool {
        match self {
            Self::NoRoom => true,
            Self::Disk(e) => {
                e.kind() == io::ErrorKind::StorageFull || e.kind() == io::ErrorKind::QuotaExceeded
            }
            _ => false,
        }
    }
}

impl From<io::Error> for PhotoError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// A photo that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of what is kept, in hex.
    pub stored: String,
    /// Its size.
    pub bytes: u64,
    /// What it is.
    pub kind: Kind,
    /// Pixels across and down.
    pub size: (u32, u32),
    /// It was not there before.
    pub is_new: bool,
}

/// The photos; clones share them.
#[derive(Debug, Clone)]
pub struct Room {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Those that nothing names yet.
    loose: HashMap<String, Loose>,
    /// Those that somebody is about to name, and how many are.
    pinned: HashMap<String, usize>,
    /// Uploads so far, for names of temporary files.
    uploads: u64,
}

/// What a photo was sent for: neither takes the other's room. After a restart all that wait count as people's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SentFor {
    /// A report, by anybody.
    Report,
    /// An incident, by whoever handles it.
    Incident,
    /// By a device, with an event or by itself: named as soon as it is kept.
    Snapshot,
}

#[derive(Debug, Clone, Copy)]
struct Loose {
    bytes: u64,
    since: Timestamp,
    sent_for: SentFor,
}

/// Whether a text is the name of a photo: a SHA-256 in lower-case hex.
pub fn is_name(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Room {
    /// Opens the directory, makes it if it is not there, and takes what was on its way away. `named` are the photos that reports and incidents name.
    ///
    /// # Errors
    /// A directory that cannot be made or read.
    pub fn open(dir: &Path, named: &[String]) -> io::Result<Self> {
        let tmp = dir.join("tmp");
        make_private(&tmp)?;
        for entry in std::fs::read_dir(&tmp)? {
            std::fs::remove_file(entry?.path())?;
        }
        let named: HashSet<&str> = named.iter().map(String::as_str).collect();
        let mut loose = HashMap::new();
        for folder in std::fs::read_dir(dir)? {
            let folder = folder?.path();
            if !folder.is_dir() || folder == tmp {
                continue;
            }
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if is_name(&name) && !named.contains(name.as_str()) {
                    let metadata = entry.metadata()?;
                    let since =
                        Timestamp::try_from(metadata.modified()?).unwrap_or(Timestamp::UNIX_EPOCH);
                    let bytes = metadata.len();
                    let sent_for = SentFor::Report;
                    loose.insert(
                        name,
                        Loose {
                            bytes,
                            since,
                            sent_for,
                        },
                    );
                }
            }
        }
        let inner = Inner {
            loose,
            ..Inner::default()
        };
        Ok(Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                inner: Mutex::new(inner),
            }),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shared.dir.join(&name[..2]).join(name)
    }

    /// Whether it is there; `name` is a good one ([`is_name`]).
    pub fn has(&self, name: &str) -> bool {
        is_name(name) && self.path(name).is_file()
    }

    /// A photo begins to come in.
    ///
    /// # Errors
    /// [`PhotoError::NoRoom`], [`PhotoError::Disk`].
    pub async fn begin(&self, sent_for: SentFor, now: Timestamp) -> Result<Upload, PhotoError> {
        self.make_room(sent_for, now)?;
        let number = {
            let mut inner = self.shared.inner.lock();
            inner.uploads += 1;
            inner.uploads
        };
        let path = self.shared.dir.join("tmp").join(number.to_string());
        let mut options = tokio::fs::OpenOptions::new();
        options.create_new(true).write(true).mode(0o600);
        let file = options.open(&path).await?;
        Ok(Upload {
            file,
            path: Temporary(path),
            hash: Sha256::new(),
            bytes: 0,
            sent_for,
        })
    }

    /// Takes the oldest that wait away until one more fits.
    fn make_room(&self, sent_for: SentFor, now: Timestamp) -> Result<(), PhotoError> {
        let mut inner = self.shared.inner.lock();
        let of_these = inner.loose.values().filter(|l| l.sent_for == sent_for);
        let mut bytes: u64 = of_these.map(|loose| loose.bytes).sum();
        if bytes + PHOTO_BYTES_MAX <= LOOSE_BYTES_MAX {
            return Ok(());
        }
        let mut oldest = inner.old(now, FRESH);
        oldest.retain(|name| {
            inner
                .loose
                .get(name)
                .is_some_and(|l| l.sent_for == sent_for)
        });
        for name in oldest {
            if bytes + PHOTO_BYTES_MAX <= LOOSE_BYTES_MAX {
                break;
            }
            bytes -= inner.loose.get(&name).map_or(0, |loose| loose.bytes);
            self.throw_away(&mut inner, &name)?;
        }
        if bytes + PHOTO_BYTES_MAX > LOOSE_BYTES_MAX {
            return Err(PhotoError::NoRoom);
        }
        Ok(())
    }

    fn throw_away(&self, inner: &mut Inner, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        inner.loose.remove(name);
        Ok(())
    }

    /// Keeps what has come in under its name: checked, stripped, synced.
    ///
    /// # Errors
    /// [`PhotoError`]: nothing is kept.
    pub async fn keep(
        &self,
        upload: Upload,
        name: &str,
        now: Timestamp,
    ) -> Result<Kept, PhotoError> {
        let Upload {
            mut file,
            path,
            hash,
            sent_for,
            ..
        } = upload;
        file.flush().await?;
        drop(file);
        let is = hex::encode(hash.finalize());
        if is != name {
            return Err(PhotoError::WrongHash { is });
        }
        let (room, name) = (self.clone(), name.to_owned());
        let kept =
            tokio::task::spawn_blocking(move || room.keep_whole(&path, &name, sent_for, now));
        kept.await
            .map_err(|e| PhotoError::Disk(io::Error::other(e)))?
    }

    /// Keeps a picture that is here as a whole, under its hash `name`; it is held until whoever sent it has named it.
    ///
    /// # Errors
    /// [`PhotoError`]: nothing is kept.
    pub async fn keep_bytes(
        &self,
        bytes: &[u8],
        name: &str,
        sent_for: SentFor,
        now: Timestamp,
    ) -> Result<(Pinned, Kept), PhotoError> {
        if bytes.len() as u64 > PHOTO_BYTES_MAX {
            return Err(PhotoError::TooLarge);
        }
        let pinned = self.hold(&[name.to_owned()]);
        let mut upload = self.begin(sent_for, now).await?;
        upload.push(bytes).await?;
        let kept = self.keep(upload, name, now).await?;
        Ok((pinned, kept))
    }

    fn hold(&self, names: &[String]) -> Pinned {
        let mut inner = self.shared.inner.lock();
        for name in names {
            *inner.pinned.entry(name.clone()).or_default() += 1;
        }
        Pinned {
            room: self.clone(),
            stored: BTreeMap::new(),
            names: names.to_vec(),
        }
    }

    fn keep_whole(
        &self,
        sent: &Temporary,
        name: &str,
        sent_for: SentFor,
        now: Timestamp,
    ) -> Result<Kept, PhotoError> {
        let picture = strip(&std::fs::read(&sent.0)?).map_err(PhotoError::Bad)?;
        let stored = hex::encode(Sha256::digest(&picture.bytes));
        let bytes = picture.bytes.len() as u64;
        let clean = Temporary(sent.0.with_extension("clean"));
        let mut file = private().create_new(true).open(&clean.0)?;
        file.write_all(&picture.bytes)?;
        file.sync_all()?;
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.shared.dir);
        if !folder.is_dir() {
            make_private(folder)?;
            sync(&self.shared.dir)?;
        }
        {
            // whoever throws away and whoever names wait here
            let mut inner = self.shared.inner.lock();
            let is_new = !path.is_file();
            std::fs::rename(&clean.0, &path)?;
            // one that is named already stays named, and what a responder waits with stays theirs
            let before = inner.loose.get(name).map(|loose| loose.sent_for);
            if is_new || before.is_some() {
                let loose = Loose {
                    bytes,
                    since: now,
                    sent_for: before.map_or(sent_for, |before| before.max(sent_for)),
                };
                inner.loose.insert(name.to_owned(), loose);
            }
            sync(folder)?;
            Ok(Kept {
                stored,
                bytes,
                kind: picture.kind,
                size: (picture.width, picture.height),
                is_new,
            })
        }
    }

    /// Reads a photo; none when it is not there.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub async fn read(&self, name: &str) -> io::Result<Option<(Kind, Vec<u8>)>> {
        if !is_name(name) {
            return Ok(None);
        }
        match tokio::fs::read(self.path(name)).await {
            Ok(bytes) => Ok(Kind::of(&bytes).map(|kind| (kind, bytes))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Holds photos that a report or a command is about to name; gives the hash of what is kept of each.
    ///
    /// # Errors
    /// The names of those that are not there.
    pub async fn pin(&self, names: &[String]) -> io::Result<Result<Pinned, Vec<String>>> {
        let mut pinned = self.hold(names);
        let mut missing = Vec::new();
        for name in names {
            match self.read(name).await? {
                Some((_, bytes)) => {
                    let stored = hex::encode(Sha256::digest(bytes));
                    pinned.stored.insert(name.clone(), stored);
                }
                None => missing.push(name.clone()),
            }
        }
        Ok(if missing.is_empty() {
            Ok(pinned)
        } else {
            Err(missing)
        })
    }

    /// Photos that nothing names any more: their day is over.
    pub fn loosen(&self, names: &[String], now: Timestamp) {
        let mut inner = self.shared.inner.lock();
        for name in names {
            let bytes = std::fs::metadata(self.path(name)).map(|m| m.len());
            if let (true, Ok(bytes)) = (is_name(name), bytes) {
                let since = now.saturating_sub(LOOSE_KEPT).unwrap_or(Timestamp::MIN);
                let sent_for = SentFor::Report;
                inner.loose.insert(
                    name.clone(),
                    Loose {
                        bytes,
                        since,
                        sent_for,
                    },
                );
            }
        }
    }

    /// Those whose day is over, the oldest first. Ask the state whether one is named after all before [`discard`](Self::discard).
    pub fn overdue(&self, now: Timestamp) -> Vec<String> {
        self.shared.inner.lock().old(now, LOOSE_KEPT)
    }

    /// Throws away those of `names` that still nobody names; `named` are those that a report or an incident names.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn discard(&self, names: &[String], named: &[String]) -> io::Result<u64> {
        let mut inner = self.shared.inner.lock();
        let mut thrown = 0;
        for name in names {
            if named.contains(name) {
                inner.loose.remove(name);
            } else if inner.loose.contains_key(name) && !inner.pinned.contains_key(name) {
                self.throw_away(&mut inner, name)?;
                thrown += 1;
            }
        }
        Ok(thrown)
    }
}

impl Inner {
    /// Loose photos of at least that age which nobody is about to name, the oldest first.
    fn old(&self, now: Timestamp, age: Duration) -> Vec<String> {
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let is_old = |(name, loose): &(&String, &Loose)| {
            loose.since <= before && !self.pinned.contains_key(*name)
        };
        let mut old: Vec<_> = self.loose.iter().filter(is_old).collect();
        old.sort_by_key(|(name, loose)| (loose.since, (*name).clone()));
        old.into_iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Photos that a report or a command is about to name; let go when dropped.
#[derive(Debug)]
pub struct Pinned {
    room: Room,
    names: Vec<String>,
    stored: BTreeMap<String, String>,
}

impl Pinned {
    /// SHA-256 of what is kept of a photo, in hex.
    pub fn stored(&self, name: &str) -> Option<&str> {
        self.stored.get(name).map(String::as_str)
    }
    /// Each with the hash of what is kept of it, both in hex.
    pub fn all(&self) -> Vec<(String, String)> {
        self.stored
            .iter()
            .map(|(name, stored)| (name.clone(), stored.clone()))
            .collect()
    }
    /// They are named from now on.
    pub fn named(self) {
        let mut inner = self.room.shared.inner.lock();
        for name in &self.names {
            inner.loose.remove(name);
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut inner = self.room.shared.inner.lock();
        for name in &self.names {
            if let Some(n) = inner.pinned.get_mut(name) {
                *n -= 1;
                if *n == 0 {
                    inner.pinned.remove(name);
                }
            }
        }
    }
}

/// A photo on its way.
#[derive(Debug)]
pub struct Upload {
    file: tokio::fs::File,
    path: Temporary,
    hash: Sha256,
    bytes: u64,
    sent_for: SentFor,
}

impl Upload {
    /// The next bytes.
    ///
    /// # Errors
    /// [`PhotoError::TooLarge`], [`PhotoError::Disk`].
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), PhotoError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > PHOTO_BYTES_MAX {
            return Err(PhotoError::TooLarge);
        }
        self.hash.update(bytes);
        self.file.write_all(bytes).await?;
        Ok(())
    }
}

/// A file that is gone when nobody needs it any more.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // renamed, it is no longer there; what stays after all is gone at the next start
        let _ = std::fs::remove_file(&self.0);
    }
}

fn private() -> std::fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn sync(dir: &Path) -> io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}
