//! Snapshots: which device sent which picture, which events it belongs to, and which incidents show it. The files are [photos](crate::photos)'.
//!
//! A snapshot belongs to the events of the message that it came with, or to those that name it by a word. The way to an incident goes by the
//! events that the incident has. Whoever looks for pictures reads the journal behind the detector, so the incident is there first; events that
//! an incident takes later are found by [`State::link_snapshots`].
//!
//! **Invariant:** the cursor moves in one transaction with what was found: after a crash nothing is double and nothing is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{DeviceId, IncidentId, Seq, Shows, SiteId, Timestamp};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use sqlx::{FromRow, SqliteConnection};
use tracing::error;

use super::State;
use super::batch::QuarantineRow;
use super::commit::{self, News, quarantine_news};
use super::error::StateError;
use super::incidents::{time, word};
use super::open::cursor;
use super::snapshot_fetch::{self, SnapshotFetch};
use super::view::Moment;

/// Name of the cursor of whoever looks for pictures in the journal.
pub const SNAPSHOTS: &str = "snapshots";
/// Most snapshots that one incident shows; what comes beyond is kept as those that no incident shows.
pub const INCIDENT_SNAPSHOTS_MAX: usize = 64;
/// How often a full disk is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Why one is refused whose SHA-256 an event has told otherwise.
pub const WRONG_SHA256: &str = "wrong_sha256";

/// A snapshot that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Who sent it.
    pub device: DeviceId,
    /// In which quarter.
    pub site: SiteId,
    /// SHA-256 of what was sent, in hex: its name.
    pub name: String,
    /// Where it stands in the journal.
    pub seq: Seq,
    /// What events name it by; without one it belongs to those of its message.
    pub word: Option<SnapshotWord>,
    /// What it may show.
    pub shows: Shows,
    /// When it came.
    pub received_at: Timestamp,
    /// What is kept of it, or why nothing is.
    pub kept: Result<KeptSnapshot, &'static str>,
}

/// A word, and how long before or after the other one may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotWord {
    /// Unique within the device and that time.
    pub word: String,
    /// How far apart they may be.
    pub within: SignedDuration,
}

/// What is kept of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSnapshot {
    /// SHA-256 of it, in hex.
    pub stored: String,
    /// Such as `image/jpeg`.
    pub media_type: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// An event names a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSnapshot {
    /// Whose.
    pub device: DeviceId,
    /// By which word.
    pub word: SnapshotWord,
    /// The event's position in the journal.
    pub seq: Seq,
    /// What its SHA-256 is, if the event told it.
    pub sha256: Option<String>,
    /// When the event came.
    pub received_at: Timestamp,
}

/// What was found up to a position of the journal.
#[derive(Debug, Default)]
pub struct SnapshotBatch {
    /// That position.
    pub cursor: Seq,
    /// Pictures that came.
    pub snapshots: Vec<NewSnapshot>,
    /// Pictures that events name.
    pub named: Vec<NamedSnapshot>,
    /// Pictures that events name by an address, to be fetched.
    pub fetches: Vec<SnapshotFetch>,
    /// Messages that are nothing but a picture, and not one that is kept.
    pub quarantine: Vec<QuarantineRow>,
}

/// A snapshot that an incident shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotItem {
    /// SHA-256 of what was sent, in hex: its name.
    pub name: String,
    /// Who sent it.
    pub device: DeviceId,
    /// The event of the incident that it belongs to.
    pub event: String,
    /// What it may show.
    pub shows: Shows,
    /// Such as `image/jpeg`; empty for one that is not kept.
    pub media_type: String,
    /// Size of what is kept.
    pub bytes: u64,
    /// Pixels across.
    pub width: u64,
    /// Pixels down.
    pub height: u64,
    /// When it came, by the hub's clock.
    pub received_at: Moment,
    /// Why it is not kept.
    pub refused: Option<String>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SnapshotCounts {
    /// Kept.
    pub kept: u64,
    /// Of these, such as no incident shows.
    pub loose: u64,
    /// Refused, and still noted.
    pub refused: u64,
    /// Bytes of those that are kept.
    pub bytes: u64,
}

#[derive(FromRow)]
struct Row {
    name: String,
    device: String,
    event: String,
    shows: String,
    media_type: String,
    bytes: i64,
    width: i64,
    height: i64,
    received_at: i64,
    refused: Option<String>,
}

impl Row {
    fn item(self) -> Result<SnapshotItem, StateError> {
        Ok(SnapshotItem {
            name: self.name,
            device: word(&self.device)?,
            event: self.event,
            shows: word(&self.shows)?,
            media_type: self.media_type,
            bytes: self.bytes.cast_unsigned(),
            width: self.width.cast_unsigned(),
            height: self.height.cast_unsigned(),
            received_at: time(self.received_at)?.into(),
            refused: self.refused,
        })
    }
}

impl State {
    /// Writes what was found with the cursor; while the disk is full it waits. A batch that ends before the cursor changes nothing. Gives the
    /// names of pictures that are refused after all: their files are nobody's.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of the batch has happened.
    pub async fn commit_snapshots(&self, batch: &SnapshotBatch) -> Result<Vec<String>, StateError> {
        let mut waited = 0;
        loop {
            match self.try_commit_snapshots(batch).await {
                Err(e) if e.is_retryable() => {
                    if waited % 20 == 0 {
                        error!(error = %e, journal.seq = %batch.cursor, "snapshots cannot be written now, waiting (hint: is the disk of `data.dir` full?)");
                    }
                    waited += 1;
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn try_commit_snapshots(&self, batch: &SnapshotBatch) -> Result<Vec<String>, StateError> {
        let mut tx = self.begin().await?;
        let committed_upto = cursor(&mut tx, SNAPSHOTS).await?;
        if batch.cursor < committed_upto {
            return Ok(Vec::new());
        }
        if batch.cursor > committed_upto {
            commit::move_cursor(&mut tx, SNAPSHOTS, batch.cursor).await?;
        }
        let (mut nobodys, mut changed) = (Vec::new(), BTreeSet::new());
        for named in &batch.named {
            nobodys.extend(name(&mut tx, named, &mut changed).await?);
        }
        for snapshot in &batch.snapshots {
            nobodys.extend(put(&mut tx, snapshot, &mut changed).await?);
        }
        for fetch in &batch.fetches {
            if !snapshot_fetch::ask(&mut tx, fetch).await? {
                nobodys.extend(put(&mut tx, &unfetched(fetch), &mut changed).await?);
            }
        }
        let rows = commit::keep(&mut tx, &batch.quarantine, committed_upto).await?;
        let mut news: Vec<News> = changed.into_iter().map(News::Incident).collect();
        news.extend(rows.into_iter().map(quarantine_news));
        let revision = self.publish(&mut tx, news).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(nobodys)
    }

    /// Shows snapshots that came after `since` in incidents that have taken their events meanwhile.
    ///
    /// # Errors
    /// A database that cannot be read or written.
    pub async fn link_snapshots(&self, since: Timestamp) -> Result<(), StateError> {
        let missing = "SELECT DISTINCT p.device, p.name FROM snapshot p JOIN snapshot_event s ON s.device = p.device AND s.name = p.name
             JOIN incident_event e ON e.seq = s.seq
             WHERE p.received_at >= $1 AND NOT EXISTS
               (SELECT 1 FROM incident_snapshot i WHERE i.incident = e.incident AND i.device = p.device AND i.name = p.name)
             LIMIT 1000";
        let rows: Vec<(String, String)> = sqlx::query_as(missing)
            .bind(since.as_microsecond())
            .fetch_all(&self.shared.read)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let (mut tx, mut changed) = (self.begin().await?, BTreeSet::new());
        for (device, name) in rows {
            link(&mut tx, &device, &name, &mut changed).await?;
        }
        let news = changed.into_iter().map(News::Incident).collect();
        let revision = self.publish(&mut tx, news).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(())
    }

    /// Snapshots that an incident, or one merged into it, shows, oldest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn snapshots_of(
        &self,
        incident: IncidentId,
    ) -> Result<Vec<SnapshotItem>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT p.name, p.device, MIN(i.event) AS event, p.shows, p.media_type, p.bytes, p.width, p.height, p.received_at, p.refused
             FROM incident_snapshot i JOIN snapshot p ON p.device = i.device AND p.name = i.name
             WHERE i.incident = $1 OR i.incident IN (SELECT id FROM incident WHERE parent = $1)
             GROUP BY p.device, p.name ORDER BY p.received_at, p.name LIMIT $2",
        )
        .bind(incident.to_string())
        .bind(INCIDENT_SNAPSHOTS_MAX as i64 * 4)
        .fetch_all(&self.shared.read)
        .await?;
        rows.into_iter().map(Row::item).collect()
    }

    /// How many snapshots there are.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn snapshot_counts(&self) -> Result<SnapshotCounts, StateError> {
        let (kept, loose, refused, bytes): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE p.refused IS NULL),
               count(*) FILTER (WHERE p.refused IS NULL AND NOT EXISTS
                 (SELECT 1 FROM incident_snapshot i WHERE i.device = p.device AND i.name = p.name)),
               count(*) FILTER (WHERE p.refused IS NOT NULL), COALESCE(SUM(p.bytes), 0) FROM snapshot p",
        )
        .fetch_one(&self.shared.read)
        .await?;
        Ok(SnapshotCounts {
            kept: kept.cast_unsigned(),
            loose: loose.cast_unsigned(),
            refused: refused.cast_unsigned(),
            bytes: bytes.cast_unsigned(),
        })
    }
}

/// The note of one for which there was no room to wait.
fn unfetched(fetch: &SnapshotFetch) -> NewSnapshot {
    NewSnapshot {
        device: fetch.device.clone(),
        site: fetch.site.clone(),
        name: hex::encode(Sha256::digest(fetch.url.as_bytes())),
        seq: fetch.seq,
        word: None,
        shows: fetch.shows,
        received_at: fetch.received_at,
        kept: Err("not_fetched"),
    }
}

/// A snapshot comes; one that came before stays as it was, and belongs to this message's events too.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    new: &NewSnapshot,
    changed: &mut BTreeSet<IncidentId>,
) -> Result<Option<String>, StateError> {
    let (device, at) = (new.device.as_str(), new.received_at);
    let mut events = vec![(new.seq.0.cast_signed(), None)];
    let mut kept = new.kept.clone();
    if let Some(SnapshotWord { word, within }) = &new.word {
        let since = at.saturating_sub(*within).unwrap_or(Timestamp::MIN);
        events = sqlx::query_as::<_, (i64, Option<String>)>(
            "SELECT seq, sha256 FROM snapshot_named WHERE device = $1 AND word = $2 AND received_at >= $3 ORDER BY seq DESC LIMIT 64",
        )
        .bind(device)
        .bind(word)
        .bind(since.as_microsecond())
        .fetch_all(&mut *connection)
        .await?;
        let fits =
            |(_, told): &(i64, Option<String>)| told.as_ref().is_none_or(|told| *told == new.name);
        if events.iter().any(fits) {
            events.retain(fits);
        } else if !events.is_empty() {
            kept = Err(WRONG_SHA256);
        }
    }
    let (media_type, bytes, width, height, stored) = match &kept {
        Ok(kept) => (
            kept.media_type,
            kept.bytes.cast_signed(),
            kept.width,
            kept.height,
            kept.stored.as_str(),
        ),
        Err(_) => ("", 0, 0, 0, ""),
    };
    sqlx::query(
        "INSERT INTO snapshot (device, name, site, word, shows, media_type, bytes, width, height, stored, refused, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (device, name) DO NOTHING",
    )
    .bind(device)
    .bind(&new.name)
    .bind(new.site.as_str())
    .bind(new.word.as_ref().map(|word| &word.word))
    .bind(new.shows.as_str())
    .bind(media_type)
    .bind(bytes)
    .bind(i64::from(width))
    .bind(i64::from(height))
    .bind(stored)
    .bind(kept.as_ref().err())
    .bind(at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    for (seq, _) in events {
        belongs(connection, device, &new.name, seq).await?;
    }
    link(connection, device, &new.name, changed).await?;
    Ok((kept.is_err() && new.kept.is_ok()).then(|| new.name.clone()))
}

/// An event names a snapshot, which may have come already.
async fn name(
    connection: &mut SqliteConnection,
    named: &NamedSnapshot,
    changed: &mut BTreeSet<IncidentId>,
) -> Result<Vec<String>, StateError> {
    let (device, SnapshotWord { word, within }) = (named.device.as_str(), &named.word);
    sqlx::query(
        "INSERT INTO snapshot_named (device, word, seq, sha256, received_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(device)
    .bind(word)
    .bind(named.seq.0.cast_signed())
    .bind(&named.sha256)
    .bind(named.received_at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    let since = named.received_at.saturating_sub(*within);
    let came: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM snapshot WHERE device = $1 AND word = $2 AND received_at >= $3 ORDER BY received_at DESC LIMIT 64",
    )
    .bind(device)
    .bind(word)
    .bind(since.unwrap_or(Timestamp::MIN).as_microsecond())
    .fetch_all(&mut *connection)
    .await?;
    let mut nobodys = Vec::new();
    for (name,) in came {
        let fits = named.sha256.as_ref().is_none_or(|told| *told == name);
        if !fits {
            let refused = sqlx::query(
                "UPDATE snapshot SET refused = $3, media_type = '', bytes = 0, stored = '' WHERE device = $1 AND name = $2 AND refused IS NULL
                   AND NOT EXISTS (SELECT 1 FROM snapshot_event s WHERE s.device = $1 AND s.name = $2)",
            )
            .bind(device)
            .bind(&name)
            .bind(WRONG_SHA256)
            .execute(&mut *connection)
            .await?;
            if refused.rows_affected() == 0 {
                continue;
            }
            nobodys.push(name.clone());
        }
        belongs(connection, device, &name, named.seq.0.cast_signed()).await?;
        link(connection, device, &name, changed).await?;
    }
    Ok(nobodys)
}

/// A snapshot belongs to the events of a message.
async fn belongs(
    connection: &mut SqliteConnection,
    device: &str,
    name: &str,
    seq: i64,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO snapshot_event (device, name, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(device)
    .bind(name)
    .bind(seq)
    .execute(connection)
    .await?;
    Ok(())
}

/// Incidents show what belongs to their events.
async fn link(
    connection: &mut SqliteConnection,
    device: &str,
    name: &str,
    changed: &mut BTreeSet<IncidentId>,
) -> Result<(), StateError> {
    let incidents: Vec<String> = sqlx::query_scalar(
        "INSERT INTO incident_snapshot (incident, device, name, event)
         SELECT e.incident, s.device, s.name, MIN(e.event) FROM snapshot_event s JOIN incident_event e ON e.seq = s.seq
         WHERE s.device = $1 AND s.name = $2 AND (SELECT count(*) FROM incident_snapshot i WHERE i.incident = e.incident) < $3
         GROUP BY e.incident, s.device, s.name
         ON CONFLICT DO NOTHING RETURNING incident",
    )
    .bind(device)
    .bind(name)
    .bind(INCIDENT_SNAPSHOTS_MAX as i64)
    .fetch_all(connection)
    .await?;
    for incident in incidents {
        changed.insert(word(&incident)?);
    }
    Ok(())
}
