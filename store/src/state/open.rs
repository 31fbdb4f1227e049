//! Opening the state: a private file, migrations, connections, and what is kept in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::alarm::flood::Seats;
use domain::place::Registry;
use domain::rule::WindowRow;
use domain::{Revision, Seq};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::{Mutex, Semaphore, watch};

use super::device::Presence;
use super::error::{StateError, is_broken};
use super::flood::Rate;
use super::newcomers::Newcomers;
use super::{Shared, State, device_command, feed, seen};

/// Connections that read at one time.
const READERS_MAX: u32 = 4;
/// How long a connection waits for a lock that another process holds, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a transaction is begun before its caller is told; what may pass is told as such.
const BEGIN_TRIES: u32 = 4;
/// Prepared statements kept for each connection.
const STATEMENTS_MAX: usize = 256;
/// Passwords hashed at one time.
const HASHING_MAX: usize = 2;

impl State {
    /// Opens the state of a station with one seat ([`open_with`](Self::open_with)).
    ///
    /// # Errors
    /// As there.
    pub async fn open(path: &Path, registry: Arc<Registry>) -> Result<Self, StateError> {
        Self::open_with(path, registry, Seats::new(1)).await
    }

    /// Opens the state in a file that only its owner may read, and brings it up to date; makes it if it is not there. The number of seats says
    /// how many alarms are a flood.
    ///
    /// # Errors
    /// A file that cannot be made or read, or one that a newer hub has written.
    pub async fn open_with(
        path: &Path,
        registry: Arc<Registry>,
        seats: Seats,
    ) -> Result<Self, StateError> {
        make_private(path).map_err(|source| StateError::File {
            path: path.display().to_string(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENTS_MAX);
        let write = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite")
            .run(&write)
            .await
            .map_err(StateError::Migrate)?;
        let read = pool(READERS_MAX)
            .connect_with(options.read_only(true))
            .await?;
        let revision = feed::revision(&mut *write.acquire().await?).await?;
        let devices = Presence::load(&write).await?;
        let newcomers = Newcomers::load(&write).await?;
        let seen_rows = seen::count(&write).await?;
        let commands = device_command::Watch::load(&mut *write.acquire().await?).await?;
        Ok(Self {
            shared: Arc::new(Shared {
                write,
                read,
                registry: watch::Sender::new(registry),
                seats,
                rate: watch::Sender::new(Rate::calm(seats)),
                devices,
                commands,
                newcomers,
                seen_rows: seen_rows.into(),
                revision: watch::Sender::new(revision),
                hashing: Semaphore::new(HASHING_MAX),
                holding: Mutex::new(()),
            }),
        })
    }

    /// Closes all connections; what is committed stays, also without this.
    pub async fn close(&self) {
        self.shared.read.close().await;
        self.shared.write.close().await;
    }

    /// The last revision that is committed.
    pub fn revision(&self) -> Revision {
        *self.shared.revision.borrow()
    }

    /// Moves whenever the state changes: look into the feed again.
    pub fn hint(&self) -> watch::Receiver<Revision> {
        self.shared.revision.subscribe()
    }

    /// How far a consumer of the journal has come; 0 if it has not begun.
    pub async fn cursor(&self, consumer: &str) -> Result<Seq, StateError> {
        let mut connection = self.shared.read.acquire().await?;
        cursor(&mut connection, consumer).await
    }

    /// The rows of rule state, for the rule engine to go on from.
    pub async fn window_rows(&self) -> Result<Vec<WindowRow>, StateError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT key, value FROM rule_window ORDER BY key")
                .fetch_all(&self.shared.read)
                .await?;
        Ok(rows
            .into_iter()
            .map(|(key, value)| WindowRow { key, value })
            .collect())
    }

    /// A transaction that may write from its first statement on; nobody else writes meanwhile.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StateError> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        for _ in 1..BEGIN_TRIES {
            match self.shared.write.begin_with(BEGIN).await {
                // On a full disk SQLite rolls back by itself, and the connection goes on counting a transaction that is no more; if whoever asked
                // has gone by then, it even ends its thread. Such a connection is thrown away, whatever it says to that. Others who write may
                // get hold of it first, or break the next one.
                Err(e) if is_broken(&e) => {
                    if let Ok(broken) = self.shared.write.acquire().await {
                        let _ = broken.close().await;
                    }
                }
                begun => return Ok(begun?),
            }
        }
        Ok(self.shared.write.begin_with(BEGIN).await?)
    }

    /// Several reads of one and the same state.
    pub(super) async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, StateError> {
        Ok(self.shared.read.begin().await?)
    }

    /// Wakes those who follow the feed; called after commit.
    pub(super) fn announce(&self, revision: Revision) {
        self.shared.revision.send_if_modified(|last| {
            let is_news = revision > *last;
            *last = revision.max(*last);
            is_news
        });
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Makes the file if it is not there, so that it is private from its first byte on; its companions (`-wal`, `-shm`) inherit the mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

pub(super) async fn cursor(
    connection: &mut sqlx::SqliteConnection,
    consumer: &str,
) -> Result<Seq, StateError> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM journal_cursor WHERE consumer = $1")
        .bind(consumer)
        .fetch_optional(connection)
        .await?;
    Ok(Seq(seq.unwrap_or(0).cast_unsigned()))
}

/// The pool that writes, for modules that keep something in memory from the start.
pub(super) type Pool = SqlitePool;
