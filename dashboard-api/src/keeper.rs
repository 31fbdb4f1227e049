//! What the hub does for people who change the registry: it says what would come of it, and does it.

use domain::UserId;
use domain::place::{Cells, Import, RegistryError, TableKind};

/// What a contact or another cell is shown as to those who may not see it; as it comes back, it means: as it is.
pub const HIDDEN: &str = "***";

/// A table that somebody wants to be another.
#[derive(Debug, Clone)]
pub struct TableChange {
    /// Which.
    pub kind: TableKind,
    /// What is to be in it.
    pub content: Content,
    /// The version of the registry that they had before their eyes.
    pub expected: Option<String>,
    /// Who they are.
    pub by: UserId,
    /// `import_registry`, or another word for the audit trail.
    pub act: &'static str,
    /// Why, in their words.
    pub note: Option<String>,
}

/// What is to be in a table.
#[derive(Debug, Clone)]
pub enum Content {
    /// This and nothing else, as CSV.
    Whole(String),
    /// The same with other lines.
    Lines {
        /// Lines that are new or others; cells that are not named stay.
        put: Vec<Cells>,
        /// Keys of lines that go.
        remove: Vec<String>,
    },
}

/// Whether it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Only said.
    Stop,
    /// Done.
    Apply,
}

/// What came of it, or would.
#[derive(Debug)]
pub struct TableChanged {
    /// Line by line.
    pub import: Import,
    /// The version at work now.
    pub version: String,
}

/// Why it cannot be.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The hub works with the compound that is built in.
    #[error(
        "the compound that is built in cannot be changed (hint: `gateway registry unpack DIR`, then set `registry.dir` to DIR)"
    )]
    BuiltIn,
    /// Somebody changed it meanwhile.
    #[error(
        "the registry has changed since it was read (hint: read it again, and look at the changes anew)"
    )]
    Stale {
        /// The version at work.
        version: String,
    },
    /// Every mistake.
    #[error("it has {} mistakes", .0.len())]
    Mistakes(Vec<RegistryError>),
    /// Files or the state database failed.
    #[error("{0}")]
    Internal(String),
}

/// Changes the registry of the hub.
#[async_trait::async_trait]
pub trait Keeper: Send + Sync {
    /// The version at work.
    async fn version(&self) -> String;
    /// Whether it can be changed at all.
    fn is_built_in(&self) -> bool;
    /// Longest life of an entry of the watch list from today on, in days.
    fn watch_days_max(&self) -> u32;
    /// Says what a change would do, and does it when that is wanted: all of it or nothing.
    ///
    /// # Errors
    /// See [`KeepError`].
    async fn change(&self, wanted: TableChange, then: Then) -> Result<TableChanged, KeepError>;
}
