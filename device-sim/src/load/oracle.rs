//! The oracle: a file with one line `device id` for every message that was acknowledged, in no particular order.
//!
//! Whatever is in it must be in the hub's store, once. A message is written after its PUBACK and at once, so that a copy of the file
//! taken at any moment says what was promised by then (its last line may be cut short).

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Shared by all connections of a run.
#[derive(Debug)]
pub(super) struct Oracle {
    file: Mutex<File>,
}

impl Oracle {
    /// Begins a new file; an old one is overwritten.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: Mutex::new(File::create(path)?),
        })
    }

    /// Appends whole lines.
    pub(super) fn write(&self, lines: &str) -> std::io::Result<()> {
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_the_file_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("acked");
        let oracle = Oracle::create(&path).expect("creates");
        oracle.write("door-1 r-1\n").expect("writes");
        oracle.write("door-2 r-2\ndoor-1 r-3\n").expect("writes");
        let text = std::fs::read_to_string(&path).expect("reads");
        assert_eq!(text, "door-1 r-1\ndoor-2 r-2\ndoor-1 r-3\n");
    }
}
