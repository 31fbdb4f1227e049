//! The audit trail: who did what, append-only, each row chained to the one before by its hash.
//!
//! A row's hash is SHA-256 over the hash before it and the row as a JSON list. Of a note the row holds a salted digest: deleting the
//! note (and its salt) leaves a chain that still verifies. The end of the chain is kept apart, so that a cut-off tail shows.

use domain::incident::Step;
use domain::{Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::State;
use super::chunks::chunks;
use super::error::StateError;

/// Rows that are verified at a time.
const VERIFY_ROWS: i64 = 1000;

/// A line to be written.
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) actor: String,
    pub(super) act: String,
    /// What it is about: an incident's id, `account:…`, `credential:…`.
    pub(super) object: String,
    pub(super) department: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) note: Option<String>,
}

impl Entry {
    /// A step of an incident.
    pub(super) fn of_step(object: String, step: Step) -> Self {
        Self {
            at: step.at,
            actor: step.by.to_string(),
            act: step.act.to_string(),
            object,
            department: step.department.map(String::from),
            from: step.from,
            to: step.to,
            note: step.note,
        }
    }

    /// Something that a person did in the administration.
    pub(super) fn by(by: &UserId, at: Timestamp, act: &str, object: String, to: String) -> Self {
        Self {
            actor: by.to_string(),
            ..Self::admin(at, act, object, to)
        }
    }

    /// Something that the hub did, or whoever sat at its command line, such as a user that was made.
    pub(super) fn admin(at: Timestamp, act: &str, object: String, to: String) -> Self {
        Self {
            at,
            actor: "hub".to_owned(),
            act: act.to_owned(),
            object,
            department: None,
            from: String::new(),
            to,
            note: None,
        }
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    at: i64,
    actor: String,
    act: String,
    object: String,
    department: Option<String>,
    from_word: String,
    to_word: String,
    note: Option<String>,
    note_salt: Option<String>,
    note_digest: Option<String>,
    prev_hash: String,
    hash: String,
}

impl Row {
    fn hash_after(&self, prev_hash: &str) -> String {
        let words = serde_json::json!([
            self.id,
            self.at,
            self.actor,
            self.act,
            self.object,
            self.department,
            self.from_word,
            self.to_word,
            self.note_digest,
        ]);
        sha256_hex(&[prev_hash.as_bytes(), words.to_string().as_bytes()])
    }
}

fn sha256_hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Appends lines to the chain.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    entries: Vec<Entry>,
) -> Result<(), StateError> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut id, mut prev_hash) = head(connection).await?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        id += 1;
        let note_salt = entry
            .note
            .as_ref()
            .map(|_| hex::encode(rand::random::<[u8; 16]>()));
        let note_digest = entry
            .note
            .as_ref()
            .zip(note_salt.as_ref())
            .map(|(note, salt)| digest(note, salt));
        let mut row = Row {
            id,
            at: entry.at.as_microsecond(),
            actor: entry.actor,
            act: entry.act,
            object: entry.object,
            department: entry.department,
            from_word: entry.from,
            to_word: entry.to,
            note: entry.note,
            note_salt,
            note_digest,
            hash: String::new(),
            prev_hash: std::mem::take(&mut prev_hash),
        };
        row.hash = row.hash_after(&row.prev_hash);
        prev_hash.clone_from(&row.hash);
        rows.push(row);
    }
    for chunk in chunks(&rows) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO audit (id, at, actor, act, object, department, from_word, to_word, note, note_salt, note_digest, prev_hash, hash) ",
        );
        query.push_values(chunk, |mut values, row| {
            values
                .push_bind(row.id)
                .push_bind(row.at)
                .push_bind(&row.actor)
                .push_bind(&row.act)
                .push_bind(&row.object)
                .push_bind(&row.department)
                .push_bind(&row.from_word)
                .push_bind(&row.to_word)
                .push_bind(&row.note)
                .push_bind(&row.note_salt)
                .push_bind(&row.note_digest)
                .push_bind(&row.prev_hash)
                .push_bind(&row.hash);
        });
        query.build().execute(&mut *connection).await?;
    }
    sqlx::query("UPDATE audit_head SET id = $1, hash = $2 WHERE one = 1")
        .bind(id)
        .bind(&prev_hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// The number of the last line.
pub(super) async fn last(connection: &mut SqliteConnection) -> Result<i64, StateError> {
    Ok(head(connection).await?.0)
}

async fn head(connection: &mut SqliteConnection) -> Result<(i64, String), StateError> {
    Ok(
        sqlx::query_as("SELECT id, hash FROM audit_head WHERE one = 1")
            .fetch_one(connection)
            .await?,
    )
}

fn digest(note: &str, salt: &str) -> String {
    sha256_hex(&[salt.as_bytes(), note.as_bytes()])
}

/// What the verifier found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Rows that were read up to the first break.
    pub rows: u64,
    /// The first row that is not as it was written; none when the whole chain holds.
    pub broken: Option<AuditBreak>,
}

/// Where the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBreak {
    /// Number of the row.
    pub id: i64,
    /// What does not fit.
    pub what: &'static str,
}

impl State {
    /// Reads the whole audit trail and checks that every row is as it was written, none is missing and none was added.
    ///
    /// # Errors
    /// A database that cannot be read; a broken chain is not an error but the answer.
    pub async fn verify_audit(&self) -> Result<AuditReport, StateError> {
        let mut snapshot = self.snapshot().await?;
        let (head_id, head_hash) = head(&mut snapshot).await?;
        let (mut id, mut prev_hash, mut rows) = (0_i64, String::new(), 0_u64);
        loop {
            let page: Vec<Row> = sqlx::query_as(
                "SELECT id, at, actor, act, object, department, from_word, to_word, note, note_salt, note_digest, prev_hash, hash
                 FROM audit WHERE id > $1 ORDER BY id LIMIT $2",
            )
            .bind(id)
            .bind(VERIFY_ROWS)
            .fetch_all(&mut *snapshot)
            .await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                rows += 1;
                if let Some(what) = misfit(&row, id, &prev_hash) {
                    let broken = Some(AuditBreak { id: row.id, what });
                    return Ok(AuditReport { rows, broken });
                }
                id = row.id;
                prev_hash = row.hash;
            }
        }
        let broken = ((id, &prev_hash) != (head_id, &head_hash)).then_some(AuditBreak {
            id: head_id,
            what: "the end of the chain is missing",
        });
        Ok(AuditReport { rows, broken })
    }
}

fn misfit(row: &Row, prev_id: i64, prev_hash: &str) -> Option<&'static str> {
    let note = row.note.as_ref().zip(row.note_salt.as_ref());
    let is_note_changed =
        note.is_some_and(|(note, salt)| Some(digest(note, salt)) != row.note_digest);
    if row.id != prev_id + 1 {
        Some("a row before it is missing")
    } else if row.prev_hash != prev_hash || row.hash_after(prev_hash) != row.hash {
        Some("the row was changed")
    } else if is_note_changed || (row.note.is_some() && note.is_none()) {
        Some("the note was changed")
    } else {
        None
    }
}
