//! What rules have seen, so that a redelivery is not acted on twice.

use std::collections::HashSet;

use domain::{DeviceId, Timestamp};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::State;
use super::chunks::chunks;
use super::error::StateError;
use super::open::Pool;

/// How long a device may take to send something again. A later redelivery is acted on as if it were new.
const WINDOW: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Rows that are kept at most; beyond them the oldest go early. At 20 a second this is more than the window.
const ROWS_MAX: i64 = 2_000_000;
/// Old rows dropped beside each new one, so that a long pause is caught up without a long transaction.
const PRUNE_FACTOR: usize = 2;

impl State {
    /// For each (device, sender's id), in order: was it acted on within the last 24 hours?
    pub async fn already_seen(&self, keys: &[(&DeviceId, &str)]) -> Result<Vec<bool>, StateError> {
        let mut found: HashSet<(String, String)> = HashSet::new();
        let mut connection = self.shared.read.acquire().await?;
        for chunk in chunks(keys) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("WITH asked (d, k) AS (");
            query.push_values(chunk, |mut values, (device, key)| {
                values.push_bind(device.as_str()).push_bind(*key);
            });
            query.push(
                ") SELECT s.device, s.dedupe_key FROM asked CROSS JOIN seen s WHERE s.device = asked.d AND s.dedupe_key = asked.k",
            );
            for row in query.build().fetch_all(&mut *connection).await? {
                found.insert((row.try_get(0)?, row.try_get(1)?));
            }
        }
        let is_found = |(device, key): &(&DeviceId, &str)| {
            !found.is_empty() && found.contains(&(device.as_str().to_owned(), (*key).to_owned()))
        };
        Ok(keys.iter().map(is_found).collect())
    }
}

/// How many rows there are; asked once, at start.
pub(super) async fn count(pool: &Pool) -> Result<i64, StateError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM seen")
        .fetch_one(pool)
        .await?)
}

/// Notes what was seen, drops what is older than the window or too much, and says by how many rows the table has grown.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    seen: &[(DeviceId, String, Timestamp)],
    rows: i64,
) -> Result<i64, StateError> {
    let Some(latest) = seen.iter().map(|(_, _, at)| *at).max() else {
        return Ok(0);
    };
    let mut added = 0;
    for chunk in chunks(seen) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO seen (device, dedupe_key, at) ");
        query.push_values(chunk, |mut values, (device, key, at)| {
            values
                .push_bind(device.as_str())
                .push_bind(key)
                .push_bind(at.as_microsecond());
        });
        query.push(" ON CONFLICT (device, dedupe_key) DO NOTHING");
        added += query
            .build()
            .execute(&mut *connection)
            .await?
            .rows_affected();
    }
    let oldest = if rows < ROWS_MAX {
        latest.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN)
    } else {
        latest
    };
    let dropped = sqlx::query(
        "DELETE FROM seen WHERE (device, dedupe_key) IN
           (SELECT device, dedupe_key FROM seen WHERE at < $1 ORDER BY at LIMIT $2)",
    )
    .bind(oldest.as_microsecond())
    .bind((seen.len() * PRUNE_FACTOR) as i64)
    .execute(connection)
    .await?
    .rows_affected();
    Ok(added.cast_signed() - dropped.cast_signed())
}
