//! What the forwarder keeps on disk: how far it is, and the lines that the server will never take.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use domain::{EventId, Seq};
use serde::{Deserialize, Serialize};

use super::error::InfluxError;

const CURSOR: &str = "influx-cursor.json";
const REJECTED: &str = "influx-rejected.jsonl";
const REJECTED_OLD: &str = "influx-rejected.old.jsonl";

/// The file of rejected lines is moved aside at this size; one old one is kept.
const REJECTED_BYTES_MAX: u64 = 64 << 20;

/// The content of the cursor's file. Another server or bucket begins at 0.
#[derive(Serialize, Deserialize)]
struct Place {
    target: String,
    seq: Seq,
}

/// A line that was set aside, as it stands in the file.
#[derive(Debug, Serialize)]
pub(super) struct Rejected {
    /// Whose line it is.
    pub(super) event_id: EventId,
    /// Its journal position.
    pub(super) seq: Seq,
    /// What the server said.
    pub(super) status: u16,
    /// What else it said.
    pub(super) answer: String,
    /// The line.
    pub(super) line: String,
}

#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: PathBuf,
    target: String,
}

impl Files {
    pub(super) fn new(dir: &Path, target: String) -> Result<Self, InfluxError> {
        fs::create_dir_all(dir).map_err(failed("make", dir))?;
        let dir = dir.to_owned();
        Ok(Self { dir, target })
    }

    /// How far this target is; 0 when it was never written to.
    pub(super) fn cursor(&self) -> Result<Seq, InfluxError> {
        let path = self.dir.join(CURSOR);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Seq(0)),
            Err(e) => return Err(failed("read", &path)(e)),
        };
        let place: Place =
            serde_json::from_str(&text).map_err(|e| failed("read", &path)(e.into()))?;
        Ok(if place.target == self.target {
            place.seq
        } else {
            Seq(0)
        })
    }

    /// Durable when it returns; a crash leaves the old or the new one.
    pub(super) fn set_cursor(&self, seq: Seq) -> Result<(), InfluxError> {
        let path = self.dir.join(CURSOR);
        let fresh = self.dir.join("influx-cursor.tmp");
        let place = Place {
            target: self.target.clone(),
            seq,
        };
        let write = || {
            let mut file = File::create(&fresh)?;
            serde_json::to_writer(&mut file, &place)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(failed("write", &path))
    }

    /// Durable when it returns.
    pub(super) fn reject(&self, lines: &[Rejected]) -> Result<(), InfluxError> {
        let path = self.dir.join(REJECTED);
        let write = || {
            if fs::metadata(&path).is_ok_and(|m| m.len() >= REJECTED_BYTES_MAX) {
                fs::rename(&path, self.dir.join(REJECTED_OLD))?;
            }
            let mut text = Vec::new();
            for line in lines {
                serde_json::to_writer(&mut text, line)?;
                text.push(b'\n');
            }
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(&text)?;
            file.sync_all()?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(failed("write", &path))
    }
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> InfluxError {
    let path = path.to_owned();
    move |source| InfluxError::File {
        doing,
        path: path.clone(),
        source,
    }
}
