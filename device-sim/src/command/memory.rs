//! What a device must not forget when it starts over: the highest counter it has executed, and the commands of the last day with
//! what became of each. A file per device, replaced as a whole before anything is done.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use domain::{DeviceId, Timestamp};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Status;

/// A command is known for this long.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Most commands that are known; the counter keeps older ones from being done again.
const KNOWN_MAX: usize = 1_000;
/// A file larger than this is none of ours, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a device cannot remember.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A command that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settled {
    command_id: String,
    at: Timestamp,
    pub(super) status: Status,
    pub(super) detail: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    counter: u64,
    settled: VecDeque<Settled>,
}

/// The memory of one device.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Kept,
    path: Option<PathBuf>,
}

impl Memory {
    /// The memory of this device in a folder, which must be there. A device without a file is a new one.
    pub fn open(folder: &Path, device: &DeviceId) -> Result<Self, MemoryError> {
        let path = folder.join(format!("{device}.json"));
        let read = |source| MemoryError::Read {
            path: path.clone(),
            source,
        };
        let kept = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(read(error)),
            Ok(about) if about.len() > FILE_BYTES_MAX => {
                return Err(read(std::io::Error::other("it is too large")));
            }
            Ok(_) => {
                let text = std::fs::read(&path).map_err(read)?;
                serde_json::from_slice(&text).map_err(|e| read(e.into()))?
            }
        };
        Ok(Self {
            kept,
            path: Some(path),
        })
    }

    /// The highest counter of a command that was executed; 0 before the first.
    pub(super) fn counter(&self) -> u64 {
        self.kept.counter
    }

    /// What became of a command of the last day.
    pub(super) fn settled(&self, command_id: &str, now: Timestamp) -> Option<&Settled> {
        let is_it = |settled: &&Settled| {
            settled.command_id == command_id && now.duration_since(settled.at) < KNOWN_FOR
        };
        self.kept.settled.iter().rev().find(is_it)
    }

    /// Remembers what becomes of a command, and its counter when it is to be executed; on disk when this returns without error.
    pub(super) fn settle(
        &mut self,
        command_id: &str,
        executes: Option<u64>,
        (status, detail): (Status, &str),
        now: Timestamp,
    ) -> Result<(), MemoryError> {
        self.kept.counter = self.kept.counter.max(executes.unwrap_or_default());
        let too_old = |s: &Settled| now.duration_since(s.at) >= KNOWN_FOR;
        while self.kept.settled.front().is_some_and(too_old) || self.kept.settled.len() >= KNOWN_MAX
        {
            self.kept.settled.pop_front();
        }
        self.kept.settled.push_back(Settled {
            command_id: command_id.to_owned(),
            at: now,
            status,
            detail: detail.to_owned(),
        });
        self.write()
    }

    fn write(&self) -> Result<(), MemoryError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let write = || {
            let fresh = path.with_extension("new");
            let mut file = std::fs::File::create(&fresh)?;
            serde_json::to_writer(&file, &self.kept)?;
            file.flush()?;
            file.sync_data()?;
            std::fs::rename(&fresh, path)
        };
        write().map_err(|source| MemoryError::Write {
            path: path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_device_that_starts_over_knows_what_it_did() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = "door-1".parse().expect("an id");
        let mut memory = Memory::open(folder.path(), &id).expect("new");
        let done = (Status::Done, "opened");
        memory.settle("c-1", Some(7), done, at(0)).expect("kept");
        memory
            .settle("c-2", None, (Status::Rejected, "no"), at(1))
            .expect("kept");
        let memory = Memory::open(folder.path(), &id).expect("reads");
        assert_eq!(memory.counter(), 7, "what was refused was not executed");
        let settled = memory.settled("c-1", at(23)).expect("known");
        assert_eq!((settled.status, settled.detail.as_str()), done);
        assert_eq!(memory.settled("c-1", at(24)), None);
        assert!(memory.settled("c-2", at(24)).is_some());
        std::fs::write(folder.path().join("door-1.json"), "{").expect("written");
        assert!(
            Memory::open(folder.path(), &id).is_err(),
            "rather than forget"
        );
    }

    #[test]
    fn a_memory_has_an_end() {
        let mut memory = Memory::default();
        for n in 0..=KNOWN_MAX as u64 {
            let id = format!("c-{n}");
            let done = (Status::Done, "");
            memory.settle(&id, Some(n), done, at(0)).expect("no file");
        }
        assert_eq!(memory.settled("c-0", at(0)), None);
        assert!(memory.settled("c-1", at(0)).is_some());
    }
}
