//! A file that is there while the hub runs: who finds it at a start knows that the last run ended unasked, and perhaps why.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use domain::Timestamp;

const FILE: &str = "running.json";

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When that run began.
    pub started_at: Timestamp,
    /// Why it ended, if it could still say so.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The file of this run.
#[derive(Debug, Clone)]
pub struct Marker {
    path: PathBuf,
    said: Said,
}

impl Marker {
    /// Puts the file into a data directory. What the last run left there comes back, if it did not end by itself.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn put(dir: &Path, now: Timestamp) -> std::io::Result<(Self, Option<Said>)> {
        let path = dir.join(FILE);
        let left = match std::fs::read(&path) {
            // a crash may have come between the file and its words
            Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap_or(Said {
                started_at: now,
                reason: None,
            })),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let marker = Self {
            path,
            said: Said {
                started_at: now,
                reason: None,
            },
        };
        marker.write(&marker.said)?;
        Ok((marker, left))
    }

    /// The run ends unasked, for this reason.
    pub fn fail(&self, reason: &str) {
        let said = Said {
            reason: Some(reason.to_owned()),
            ..self.said.clone()
        };
        if let Err(e) = self.write(&said) {
            warn!(error = %e, file = %self.path.display(), "the reason cannot be left for the next start");
        }
    }

    /// The run ended as it was asked to.
    pub fn take_away(&self) {
        if let Err(e) = std::fs::remove_file(&self.path) {
            warn!(error = %e, file = %self.path.display(), "cannot be removed: the next start will take this end for a crash");
        }
    }

    fn write(&self, said: &Said) -> std::io::Result<()> {
        std::fs::write(&self.path, serde_json::to_vec(said)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_nobody_asked_for_leaves_something() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |second| Timestamp::from_second(second).expect("a time");
        let (first, left) = Marker::put(dir.path(), at(1)).expect("put");
        assert_eq!(left, None);
        first.take_away();
        let (_killed, left) = Marker::put(dir.path(), at(2)).expect("put");
        assert_eq!(left, None);
        let (failed, left) = Marker::put(dir.path(), at(3)).expect("put");
        assert_eq!(
            left.map(|said| (said.started_at, said.reason)),
            Some((at(2), None))
        );
        failed.fail("the disk");
        let (_, left) = Marker::put(dir.path(), at(4)).expect("put");
        assert_eq!(
            left.and_then(|said| said.reason).as_deref(),
            Some("the disk")
        );
        std::fs::write(dir.path().join(FILE), "").expect("written");
        let (_, left) = Marker::put(dir.path(), at(5)).expect("put");
        assert!(left.is_some(), "an empty file was left by a crash");
    }
}
