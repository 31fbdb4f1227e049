//! Photos that show how an incident was: which incident names which, from the command that does to the day they are taken away. Reports
//! have theirs in `report`, devices in [`snapshot`](super::snapshot); a file is nobody's when none of them names it.

use domain::incident::Command;
use domain::{IncidentId, Timestamp, UserId};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::audit::{self, Entry};
use super::command::{CommandError, finish};
use super::error::StateError;
use super::incidents::{time, word};
use super::legal_hold::unheld;
use super::view::{IncidentView, Moment};
use super::{PHOTOS_MAX, State};
use crate::photos::Pinned;

/// Most photos that one incident names, besides those of its reports.
pub const EVIDENCE_PHOTOS_MAX: usize = 32;
/// Most photos that one command names.
pub const COMMAND_PHOTOS_MAX: usize = PHOTOS_MAX * 2;

/// A photo that an incident names and that is still kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoItem {
    /// SHA-256 of what was sent, in hex: its name.
    pub name: String,
    /// Who sent it.
    pub sent_by: UserId,
    /// When it was named, by the hub's clock.
    pub sent_at: Moment,
}

/// Incidents whose photos are due: closed before `$1`, also under another number, nothing sent since, and held by nobody at `$3`.
fn due() -> String {
    let is_unheld = unheld("i.id", "i.site", "i.opened_at", "i.closed_at", "$3");
    format!(
        "WITH RECURSIVE up (origin, incident) AS (
           SELECT incident, incident FROM evidence_photo
           UNION SELECT up.origin, i.parent FROM up JOIN incident i ON i.id = up.incident WHERE i.state = 'merged')
         SELECT up.origin FROM up JOIN incident i ON i.id = up.incident
         WHERE i.state IN ('closed', 'cancelled') AND i.closed_at < $1 AND {is_unheld}
           AND NOT EXISTS (SELECT 1 FROM evidence_photo p WHERE p.incident = up.origin AND p.sent_at >= $1)
         ORDER BY up.origin LIMIT $2"
    )
}

impl State {
    /// As [`command`](Self::command); what the command shows as photos is `photos`. They are held until it is decided, also when whoever
    /// asked goes away meanwhile: what is named is not thrown away.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub async fn command_with_photos(
        &self,
        id: IncidentId,
        expected_version: i64,
        idempotency_key: &str,
        command: Command,
        photos: Pinned,
    ) -> Result<IncidentView, CommandError> {
        self.check(idempotency_key, &command)?;
        let (state, key) = (self.clone(), idempotency_key.to_owned());
        finish(async move {
            let named = photos.all();
            let done = state
                .carry_out(id, expected_version, &key, &command, &named)
                .await;
            if done.is_ok() {
                photos.named();
            }
            done
        })
        .await
    }

    /// Photos that an incident, or one merged into it, names and that are still kept, oldest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn photos_of(&self, incident: IncidentId) -> Result<Vec<PhotoItem>, StateError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT name, sent_by, sent_at FROM evidence_photo
             WHERE incident = $1 OR incident IN (SELECT id FROM incident WHERE parent = $1) ORDER BY sent_at, name LIMIT $2",
        )
        .bind(incident.to_string())
        .bind(EVIDENCE_PHOTOS_MAX as i64 * 4)
        .fetch_all(&self.shared.read)
        .await?;
        let read = |(name, sent_by, sent_at): (String, String, i64)| {
            Ok(PhotoItem {
                name,
                sent_by: word(&sent_by)?,
                sent_at: time(sent_at)?.into(),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Names of all photos that reports or incidents name, and of all snapshots.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn photo_names(&self) -> Result<Vec<String>, StateError> {
        let names = sqlx::query_scalar(
            "SELECT name FROM report_photo UNION SELECT name FROM evidence_photo UNION SELECT name FROM snapshot WHERE refused IS NULL",
        );
        Ok(names.fetch_all(&self.shared.read).await?)
    }

    /// Whether a report or an incident names a photo, or a device has sent it as a snapshot.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn is_photo_named(&self, name: &str) -> Result<bool, StateError> {
        let mut connection = self.shared.read.acquire().await?;
        is_named(&mut connection, name).await
    }

    /// Takes photos of incidents away that were closed before `closed_before`, at most those of `limit` incidents at a time. Gives the names of
    /// photos that nothing names any more: their files are nobody's.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of it has happened.
    pub async fn forget_evidence(
        &self,
        closed_before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StateError> {
        let before = closed_before.as_microsecond();
        let due = due();
        let find = || {
            sqlx::query_scalar::<_, String>(AssertSqlSafe(due.clone()))
                .bind(before)
                .bind(i64::from(limit))
                .bind(now.as_microsecond())
        };
        // mostly there is nothing to do, and nobody has to wait for that
        if find().fetch_all(&self.shared.read).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let mut names = Vec::new();
        for incident in find().fetch_all(&mut *tx).await? {
            let photos: Vec<String> =
                sqlx::query_scalar("DELETE FROM evidence_photo WHERE incident = $1 RETURNING name")
                    .bind(&incident)
                    .fetch_all(&mut *tx)
                    .await?;
            let to = format!("{} photos", photos.len());
            let entry = Entry::admin(now, "forget", format!("evidence:{incident}"), to);
            audit::append(&mut tx, vec![entry]).await?;
            names.extend(photos);
        }
        let nobodys = unnamed(&mut tx, names).await?;
        tx.commit().await?;
        Ok(nobodys)
    }
}

async fn is_named(connection: &mut SqliteConnection, name: &str) -> Result<bool, StateError> {
    let (named,): (i64,) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM report_photo WHERE name = $1) OR EXISTS (SELECT 1 FROM evidence_photo WHERE name = $1)
           OR EXISTS (SELECT 1 FROM snapshot WHERE name = $1 AND refused IS NULL)",
    )
    .bind(name)
    .fetch_one(connection)
    .await?;
    Ok(named != 0)
}

/// Those of `names` that nothing names any more, each once.
pub(super) async fn unnamed(
    connection: &mut SqliteConnection,
    mut names: Vec<String>,
) -> Result<Vec<String>, StateError> {
    names.sort_unstable();
    names.dedup();
    let mut nobodys = Vec::new();
    for name in names {
        if !is_named(connection, &name).await? {
            nobodys.push(name);
        }
    }
    Ok(nobodys)
}

/// An incident names photos, each as (name, SHA-256 of what is kept). One that it names already stays as it was.
pub(super) async fn name(
    connection: &mut SqliteConnection,
    incident: IncidentId,
    command: &Command,
    photos: &[(String, String)],
) -> Result<(), CommandError> {
    for (name, stored) in photos {
        sqlx::query(
            "INSERT INTO evidence_photo (incident, name, stored, sent_by, sent_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(incident.to_string())
        .bind(name)
        .bind(stored)
        .bind(command.actor.user.as_str())
        .bind(command.at.as_microsecond())
        .execute(&mut *connection)
        .await?;
    }
    if photos.is_empty() {
        return Ok(());
    }
    let (all,): (i64,) = sqlx::query_as("SELECT count(*) FROM evidence_photo WHERE incident = $1")
        .bind(incident.to_string())
        .fetch_one(connection)
        .await?;
    if all > EVIDENCE_PHOTOS_MAX as i64 {
        return Err(CommandError::Invalid {
            what: format!(
                "`evidence`: an incident keeps at most {EVIDENCE_PHOTOS_MAX} photos (hint: leave this one out)"
            ),
        });
    }
    Ok(())
}
