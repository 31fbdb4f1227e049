//! Taking snapshots away: those that no incident shows after a day or when they take too much room, those of incidents when the days of what
//! they show are over. A hold keeps them.

use std::time::Duration;

use domain::{Shows, Timestamp};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::evidence::unnamed;
use super::legal_hold::unheld;

/// How long a snapshot is kept that no incident shows.
pub const SNAPSHOT_LOOSE_KEPT: Duration = Duration::from_hours(24);

/// Nothing shows it.
const LOOSE: &str =
    "NOT EXISTS (SELECT 1 FROM incident_snapshot i WHERE i.device = p.device AND i.name = p.name)";

/// Those that show $1 and of whose incidents, also under another number, the last was closed before $2; held by nobody at $3; at most $4.
fn due() -> String {
    let is_unheld = unheld("e.id", "e.site", "e.opened_at", "e.closed_at", "$3");
    format!(
        "WITH RECURSIVE up (device, name, incident) AS (
           SELECT i.device, i.name, i.incident FROM incident_snapshot i
           JOIN snapshot p ON p.device = i.device AND p.name = i.name WHERE p.shows = $1
           UNION SELECT up.device, up.name, i.parent FROM up JOIN incident i ON i.id = up.incident WHERE i.state = 'merged'),
         ends AS (SELECT up.device, up.name, i.id, i.site, i.opened_at, i.closed_at, i.state
           FROM up JOIN incident i ON i.id = up.incident WHERE i.state <> 'merged')
         SELECT e.device, e.name FROM ends e GROUP BY e.device, e.name
         HAVING MIN(CASE WHEN e.state IN ('closed', 'cancelled') AND e.closed_at < $2 AND {is_unheld} THEN 1 ELSE 0 END) = 1
         LIMIT $4"
    )
}

/// Such as no incident shows, held by nobody at $2, that came before $1; at most $3, the oldest first.
fn loose() -> String {
    let is_unheld = unheld("NULL", "p.site", "p.received_at", "p.received_at", "$2");
    format!(
        "SELECT p.device, p.name FROM snapshot p WHERE p.received_at < $1 AND {LOOSE} AND {is_unheld} ORDER BY p.received_at LIMIT $3"
    )
}

impl State {
    /// Takes away snapshots that show `shows` and whose incidents were closed before a time, at most `limit` at a time. Says how many went, and
    /// the names of files that are nobody's now.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of it has happened.
    pub async fn forget_snapshots(
        &self,
        shows: Shows,
        closed_before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<(u32, Vec<String>), StateError> {
        let due = due();
        let find = || {
            sqlx::query_as::<_, (String, String)>(AssertSqlSafe(due.clone()))
                .bind(shows.as_str())
                .bind(closed_before.as_microsecond())
                .bind(now.as_microsecond())
                .bind(i64::from(limit))
        };
        // mostly there is nothing to do, and nobody has to wait for that
        if find().fetch_all(&self.shared.read).await?.is_empty() {
            return Ok((0, Vec::new()));
        }
        let mut tx = self.begin().await?;
        let rows = find().fetch_all(&mut *tx).await?;
        let to = format!("{} snapshots", rows.len());
        let entry = Entry::admin(now, "forget", format!("snapshots:{shows}"), to);
        audit::append(&mut tx, vec![entry]).await?;
        let done = u32::try_from(rows.len()).unwrap_or(limit);
        let nobodys = take_away(&mut tx, rows).await?;
        tx.commit().await?;
        Ok((done, nobodys))
    }

    /// Takes away snapshots that no incident shows and that came before a time, the oldest first, at most `limit` at a time, and what events
    /// named before it. As above.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of it has happened.
    pub async fn forget_loose_snapshots(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<(u32, Vec<String>), StateError> {
        let loose = loose();
        let find = || {
            sqlx::query_as::<_, (String, String)>(AssertSqlSafe(loose.clone()))
                .bind(before.as_microsecond())
                .bind(now.as_microsecond())
                .bind(i64::from(limit))
        };
        let has_named: Option<(i64,)> =
            sqlx::query_as("SELECT 1 FROM snapshot_named WHERE received_at < $1 LIMIT 1")
                .bind(before.as_microsecond())
                .fetch_optional(&self.shared.read)
                .await?;
        if has_named.is_none() && find().fetch_all(&self.shared.read).await?.is_empty() {
            return Ok((0, Vec::new()));
        }
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM snapshot_named WHERE received_at < $1")
            .bind(before.as_microsecond())
            .execute(&mut *tx)
            .await?;
        let rows = find().fetch_all(&mut *tx).await?;
        let done = u32::try_from(rows.len()).unwrap_or(limit);
        let nobodys = take_away(&mut tx, rows).await?;
        tx.commit().await?;
        Ok((done, nobodys))
    }
}

async fn take_away(
    connection: &mut SqliteConnection,
    rows: Vec<(String, String)>,
) -> Result<Vec<String>, StateError> {
    let mut names = Vec::with_capacity(rows.len());
    for (device, name) in rows {
        for table in ["incident_snapshot", "snapshot_event", "snapshot"] {
            let sql = format!("DELETE FROM {table} WHERE device = $1 AND name = $2");
            sqlx::query(AssertSqlSafe(sql))
                .bind(&device)
                .bind(&name)
                .execute(&mut *connection)
                .await?;
        }
        names.push(name);
    }
    unnamed(connection, names).await
}
