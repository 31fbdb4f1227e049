//! What the hub does for people who have mended what an adapter failed at: it reads what is in quarantine again.

use std::sync::Arc;

use domain::Event;
use store::state::QuarantineRow;

/// What an uplink in quarantine would be now.
#[derive(Debug)]
pub enum Reading {
    /// These events.
    Reads {
        /// In the order in which the sender told them.
        events: Vec<Event>,
        /// Whether rules see them, or history only.
        rings: bool,
    },
    /// Still nothing.
    Rejected {
        /// Stable word.
        reason: String,
        /// One sentence for people.
        detail: String,
    },
    /// It was refused at the door: there is no message to read.
    NoMessage,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// What room is left is for alarms.
    #[error(
        "the disk is nearly full, and what room is left is for alarms (hint: make room, then try again)"
    )]
    NoRoom,
    /// Journal or threads failed.
    #[error("{0}")]
    Internal(String),
}

/// Reads what is in quarantine again.
#[async_trait::async_trait]
pub trait Rerunner: Send + Sync {
    /// What each would be now; nothing is done.
    ///
    /// # Errors
    /// Threads that fail.
    async fn look(&self, rows: Vec<Arc<QuarantineRow>>) -> Result<Vec<Reading>, RerunError>;

    /// Puts them into the journal again, and returns when they are on disk. What comes of it is written beside each row.
    ///
    /// # Errors
    /// No room, or a journal that fails: some may be in it.
    async fn append(&self, rows: &[Arc<QuarantineRow>]) -> Result<(), RerunError>;
}
