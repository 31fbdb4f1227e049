//! The live feed: every change with its revision, as the whole object that lists carry.
//!
//! A hint ("look again from revision N") and a shortcut: whoever is behind by more than the ring reads the lists again.

use domain::Revision;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::chunks::chunks;
use super::error::StateError;
use super::{PAGE_MAX, State};

/// Changes that are kept for those who were away.
pub const FEED_ROWS_MAX: u64 = 10_000;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Its number: one more than the one before.
    pub revision: Revision,
    /// `incident`, `alarm`, `device`, `command`, `fire_mode`, `maintenance` or `quarantine`.
    pub kind: String,
    /// The object's id.
    pub id: String,
    /// The object as lists carry it.
    pub json: String,
}

impl State {
    /// The changes after a revision, oldest first, at most `limit` (and [`PAGE_MAX`]). Gap-free if `after` is not before
    /// [`feed_start`](Self::feed_start).
    pub async fn feed_after(
        &self,
        after: Revision,
        limit: u32,
    ) -> Result<Vec<FeedRow>, StateError> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT revision, kind, object, json FROM feed WHERE revision > $1 ORDER BY revision LIMIT $2",
        )
        .bind(after.0.cast_signed())
        .bind(i64::from(limit.min(PAGE_MAX)))
        .fetch_all(&self.shared.read)
        .await?;
        let row = |(revision, kind, id, json): (i64, _, _, _)| FeedRow {
            revision: Revision(revision.cast_unsigned()),
            kind,
            id,
            json,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The oldest revision from which the feed is still gap-free. Whoever has an older one, or one that is ahead of
    /// [`revision`](Self::revision), reads the lists again.
    pub async fn feed_start(&self) -> Result<Revision, StateError> {
        let oldest: Option<i64> = sqlx::query_scalar("SELECT MIN(revision) FROM feed")
            .fetch_one(&self.shared.read)
            .await?;
        Ok(oldest.map_or_else(
            || self.revision(),
            |oldest| Revision(oldest.cast_unsigned().saturating_sub(1)),
        ))
    }
}

/// The last revision that was given out.
pub(super) async fn revision(connection: &mut SqliteConnection) -> Result<Revision, StateError> {
    let value: i64 = sqlx::query_scalar("SELECT value FROM counter WHERE name = 'revision'")
        .fetch_one(connection)
        .await?;
    Ok(Revision(value.cast_unsigned()))
}

/// Gives out `n` revisions and says the first one's number.
pub(super) async fn reserve(
    connection: &mut SqliteConnection,
    n: usize,
) -> Result<Revision, StateError> {
    let last: i64 = sqlx::query_scalar(
        "UPDATE counter SET value = value + $1 WHERE name = 'revision' RETURNING value",
    )
    .bind(n as i64)
    .fetch_one(connection)
    .await?;
    Ok(Revision(last.cast_unsigned() - n as u64 + 1))
}

/// Writes changes whose revisions were reserved, and drops what falls out of the ring.
pub(super) async fn publish(
    connection: &mut SqliteConnection,
    rows: &[FeedRow],
) -> Result<(), StateError> {
    let Some(last) = rows.last() else {
        return Ok(());
    };
    for chunk in chunks(rows) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO feed (revision, kind, object, json) ");
        query.push_values(chunk, |mut values, row| {
            values
                .push_bind(row.revision.0.cast_signed())
                .push_bind(&row.kind)
                .push_bind(&row.id)
                .push_bind(&row.json);
        });
        query.build().execute(&mut *connection).await?;
    }
    sqlx::query("DELETE FROM feed WHERE revision <= $1")
        .bind(last.revision.0.saturating_sub(FEED_ROWS_MAX).cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}
