//! How the files of a directory look from outside.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;

/// How a file looks from outside: it is read again when this changes.
pub(crate) type Stamp = (PathBuf, Option<SystemTime>, u64);

/// How the files of a directory look, sorted.
pub(crate) fn stamps(dir: &Path) -> anyhow::Result<Vec<Stamp>> {
    let mut stamps = Vec::new();
    for path in paths(dir)? {
        let data = std::fs::metadata(&path)
            .with_context(|| format!("cannot look at {}", path.display()))?;
        stamps.push((path, data.modified().ok(), data.len()));
    }
    stamps.sort();
    Ok(stamps)
}

/// The `*.toml` and `*.csv` files of a directory and of those in it, in no order.
pub(crate) fn paths(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "toml" || e == "csv") {
                files.push(path);
            }
        }
    }
    Ok(files)
}
