//! Files that declare adapters: how they are read and proven, followed while the hub runs, and tried (`gateway adapter test`).

mod follow;
mod read;
mod trial;

pub use follow::Follow;
pub use read::{Read, here, read};
pub use trial::test;

use std::path::Path;

use crate::adapters::Formats;
use crate::hub::Misconfigured;

/// The formats that are built in and those of a directory, all of which have to be in order.
///
/// # Errors
/// [`Misconfigured`] with every mistake on a line of its own.
pub fn formats(dir: &Path) -> anyhow::Result<Formats> {
    let Read { set, mistakes } = read(dir, &here(), None);
    if mistakes.is_empty() {
        return Ok(Formats::new(set));
    }
    let list: Vec<String> = mistakes.iter().map(|e| format!("  {e}")).collect();
    let text = format!("the adapters cannot be used:\n{}", list.join("\n"));
    Err(Misconfigured::text(text).into())
}
