//! Pictures that events name by an address: which are still to be fetched, and when it is tried again. What is due stands in rows, so that a
//! restart goes on where it stood.

use std::collections::BTreeSet;

use domain::{DeviceId, Seq, Shows, SiteId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::State;
use super::commit::News;
use super::error::StateError;
use super::incidents::{time, word};
use super::snapshot::{NewSnapshot, put};

/// Most pictures that wait to be fetched; what an event names beyond that is not.
pub const FETCHES_MAX: usize = 1000;

/// A picture to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFetch {
    /// Where its event stands in the journal.
    pub seq: Seq,
    /// Which of the message's addresses it is.
    pub ordinal: u16,
    /// Whose allow-list counts.
    pub account: String,
    /// Where it is.
    pub url: String,
    /// Who sent the event.
    pub device: DeviceId,
    /// In which quarter.
    pub site: SiteId,
    /// What it may show.
    pub shows: Shows,
    /// When the event came.
    pub received_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    ordinal: i64,
    account: String,
    url: String,
    device: String,
    site: String,
    shows: String,
    received_at: i64,
    tries: i64,
}

impl Row {
    fn fetch(self) -> Result<SnapshotFetch, StateError> {
        Ok(SnapshotFetch {
            seq: Seq(self.seq.cast_unsigned()),
            ordinal: u16::try_from(self.ordinal).unwrap_or(u16::MAX),
            account: self.account,
            url: self.url,
            device: word(&self.device)?,
            site: word(&self.site)?,
            shows: word(&self.shows)?,
            received_at: time(self.received_at)?,
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
        })
    }
}

impl State {
    /// Pictures whose time it is, the longest due first, and when the next is due after them.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn fetches_due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<SnapshotFetch>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT seq, ordinal, account, url, device, site, shows, received_at, tries FROM snapshot_fetch
             WHERE next_at <= $1 ORDER BY next_at, seq, ordinal LIMIT $2",
        )
        .bind(now.as_microsecond())
        .bind(i64::from(limit))
        .fetch_all(&self.shared.read)
        .await?;
        rows.into_iter().map(Row::fetch).collect()
    }

    /// It did not work now: it is tried again at `next_at`.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn fetch_later(
        &self,
        fetch: &SnapshotFetch,
        next_at: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE snapshot_fetch SET tries = tries + 1, next_at = $3 WHERE seq = $1 AND ordinal = $2")
            .bind(fetch.seq.0.cast_signed())
            .bind(i64::from(fetch.ordinal))
            .bind(next_at.as_microsecond())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// It was fetched, or is given up: what came of it takes its place, in one transaction. Once more it changes nothing.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of it has happened.
    pub async fn fetched(
        &self,
        fetch: &SnapshotFetch,
        snapshot: &NewSnapshot,
    ) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM snapshot_fetch WHERE seq = $1 AND ordinal = $2")
            .bind(fetch.seq.0.cast_signed())
            .bind(i64::from(fetch.ordinal))
            .execute(&mut *tx)
            .await?;
        let mut changed = BTreeSet::new();
        if gone.rows_affected() > 0 {
            put(&mut tx, snapshot, &mut changed).await?;
        }
        let news = changed.into_iter().map(News::Incident).collect();
        let revision = self.publish(&mut tx, news).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(())
    }
}

/// Puts a picture down to be fetched; says whether there was room.
pub(super) async fn ask(
    connection: &mut SqliteConnection,
    fetch: &SnapshotFetch,
) -> Result<bool, StateError> {
    let (waiting,): (i64,) = sqlx::query_as("SELECT count(*) FROM snapshot_fetch")
        .fetch_one(&mut *connection)
        .await?;
    if waiting >= FETCHES_MAX as i64 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO snapshot_fetch (seq, ordinal, account, url, device, site, shows, received_at, tries, next_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $8) ON CONFLICT DO NOTHING",
    )
    .bind(fetch.seq.0.cast_signed())
    .bind(i64::from(fetch.ordinal))
    .bind(&fetch.account)
    .bind(&fetch.url)
    .bind(fetch.device.as_str())
    .bind(fetch.site.as_str())
    .bind(fetch.shows.as_str())
    .bind(fetch.received_at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(true)
}
