//! What can go wrong with the state.

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory or file could not be made, or not be made private.
    #[error("cannot prepare the state file {path}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A migration failed, or the file is from a newer hub.
    #[error("cannot bring the state database up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The database refused.
    #[error("the state database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds what no hub wrote.
    #[error("the state database holds what it should not: {what}")]
    Damaged {
        /// Table, column and value.
        what: String,
    },
    /// A finding names a rule that is not in the book.
    #[error("a finding names rule `{rule}`, which is not loaded")]
    UnknownRule {
        /// The rule.
        rule: domain::RuleId,
    },
    /// Something asked for is not possible: a login that exists, a name that is too long.
    #[error("{what}")]
    Invalid {
        /// What, which one, and the next step.
        what: String,
    },
    /// The hub ended before it was done.
    #[error("the hub is stopping (hint: ask again once it is back)")]
    Stopping,
    /// A password could not be hashed.
    #[error("cannot hash the password: {what}")]
    Hash {
        /// What argon2 said.
        what: String,
    },
}

impl StateError {
    /// Nothing has happened, and it may go well later: whoever can wait asks again. There is no room on the disk (`SQLITE_FULL`, and
    /// `SQLITE_IOERR_SHMSIZE`, which is the same for the index of the write-ahead log), or a connection broke, over that or by itself, and is
    /// replaced.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(e)) => {
                e.code().is_some_and(|code| code == "13" || code == "4874")
            }
            Self::Database(e) => is_broken(e),
            _ => false,
        }
    }
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged {
            what: what.to_string(),
        }
    }
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }
}

/// The connection, and not the database, is of no use any more: another one may begin what this one could not.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::BeginFailed
            | sqlx::Error::InvalidSavePointStatement
            | sqlx::Error::WorkerCrashed
    )
}
