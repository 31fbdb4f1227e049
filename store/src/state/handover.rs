//! Handovers of shifts: a text that is made from the record and two signatures. What is signed is frozen with its hash and stands in the
//! audit trail.

use domain::duty_book::{self, Handover, HandoverState, ON_TIME_WITHIN};
use domain::kpi::canonical;
use domain::roster::Roster;
use domain::{Timestamp, UserId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::audit::{self, Entry};
use super::command::finish;
use super::duty_log::{DutyNote, changes, entry, note};
use super::error::StateError;
use super::incidents::{list, opt_time, opt_word, time, word};
use super::{Moment, State};

/// Most things of a sort in a handover: the text is read and signed by people.
const THINGS_MAX: i64 = 500;
/// Most handovers of an answer.
const HANDOVERS_MAX: i64 = 1000;

/// Why nobody handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// There is no such handover.
    #[error("there is no such handover")]
    NotFound,
    /// It cannot be signed as things are.
    #[error(transparent)]
    Refused(#[from] duty_book::Refused),
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for HandoverError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

/// A handover as the API serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoverItem {
    /// Its number.
    pub number: i64,
    /// Where it stands.
    pub state: HandoverState,
    /// When its text was written.
    pub prepared_at: Moment,
    /// Who had it written.
    pub prepared_by: UserId,
    /// What is handed over; frozen by the first signature.
    pub text: Value,
    /// SHA-256 over the canonical bytes of the text.
    pub sha256: String,
    /// Who went.
    pub outgoing: Option<UserId>,
    /// When they signed.
    pub outgoing_at: Option<Moment>,
    /// Who came.
    pub incoming: Option<UserId>,
    /// When they signed.
    pub incoming_at: Option<Moment>,
    /// Complete within a quarter of an hour of a change of shift at the desk.
    pub is_on_time: Option<bool>,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    state: String,
    prepared_at: i64,
    prepared_by: String,
    text: String,
    sha256: String,
    outgoing: Option<String>,
    outgoing_at: Option<i64>,
    incoming: Option<String>,
    incoming_at: Option<i64>,
    is_on_time: Option<i64>,
}

impl Row {
    fn item(self) -> Result<HandoverItem, StateError> {
        Ok(HandoverItem {
            number: self.number,
            state: word(&self.state)?,
            prepared_at: Moment(time(self.prepared_at)?),
            prepared_by: word(&self.prepared_by)?,
            text: list(&self.text)?,
            sha256: self.sha256,
            outgoing: opt_word(self.outgoing.as_ref())?,
            outgoing_at: opt_time(self.outgoing_at)?.map(Moment),
            incoming: opt_word(self.incoming.as_ref())?,
            incoming_at: opt_time(self.incoming_at)?.map(Moment),
            is_on_time: self.is_on_time.map(|on_time| on_time != 0),
        })
    }
}

impl State {
    /// Handovers, the newest first, at most 1,000.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn handovers(&self) -> Result<Vec<HandoverItem>, StateError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT * FROM handover ORDER BY number DESC LIMIT $1")
            .bind(HANDOVERS_MAX)
            .fetch_all(&self.shared.read)
            .await?;
        rows.into_iter().map(Row::item).collect()
    }

    /// Writes the text of the next handover from the record. One that nobody has signed is written anew; one that those who go have
    /// signed stays as it is until it is complete.
    ///
    /// # Errors
    /// A database that cannot be read or written.
    pub async fn prepare_handover(
        &self,
        by: UserId,
        at: Timestamp,
    ) -> Result<HandoverItem, StateError> {
        let state = self.clone();
        finish(async move { state.prepare(by, at).await }).await
    }

    async fn prepare(&self, by: UserId, at: Timestamp) -> Result<HandoverItem, StateError> {
        let away = self.away(at).await?;
        let mut tx = self.begin().await?;
        let open: Option<Row> = sqlx::query_as(
            "SELECT * FROM handover WHERE state <> 'complete' ORDER BY number LIMIT 1",
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = open {
            let item = row.item()?;
            if item.state == HandoverState::Signed {
                return Ok(item);
            }
            sqlx::query("DELETE FROM handover WHERE number = $1")
                .bind(item.number)
                .execute(&mut *tx)
                .await?;
        }
        let text = text(&mut tx, &away, at).await?;
        let bytes = canonical(&text);
        sqlx::query(
            "INSERT INTO handover (number, state, prepared_at, prepared_by, text, sha256)
             SELECT COALESCE(MAX(number), 0) + 1, 'prepared', $1, $2, $3, $4 FROM handover",
        )
        .bind(at.as_microsecond())
        .bind(by.as_str())
        .bind(String::from_utf8_lossy(&bytes).into_owned())
        .bind(hex::encode(Sha256::digest(&bytes)))
        .execute(&mut *tx)
        .await?;
        let row: Row = sqlx::query_as("SELECT * FROM handover ORDER BY number DESC LIMIT 1")
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        row.item()
    }

    /// Signs: first whoever goes, then whoever comes, who must be another. While a P1 is not acknowledged it is not completed.
    ///
    /// # Errors
    /// [`HandoverError`].
    pub async fn sign_handover(
        &self,
        number: i64,
        by: UserId,
        at: Timestamp,
    ) -> Result<HandoverItem, HandoverError> {
        let state = self.clone();
        finish(async move { state.sign(number, by, at).await }).await
    }

    async fn sign(
        &self,
        number: i64,
        by: UserId,
        at: Timestamp,
    ) -> Result<HandoverItem, HandoverError> {
        let roster = self.roster().await?;
        let mut tx = self.begin().await?;
        let row: Option<Row> = sqlx::query_as("SELECT * FROM handover WHERE number = $1")
            .bind(number)
            .fetch_optional(&mut *tx)
            .await?;
        let before = row.ok_or(HandoverError::NotFound)?.item()?;
        let unacknowledged: Vec<i64> = sqlx::query_scalar(
            "SELECT number FROM incident WHERE severity = 1 AND acknowledged_at IS NULL
               AND state IN ('open', 'acknowledged', 'verifying', 'dispatched') ORDER BY number LIMIT $1",
        )
        .bind(THINGS_MAX)
        .fetch_all(&mut *tx)
        .await?;
        let moment = |at: Option<Moment>| at.map(|at| at.0);
        let handover = Handover {
            state: before.state,
            outgoing: before.outgoing.zip(moment(before.outgoing_at)),
            incoming: before.incoming.zip(moment(before.incoming_at)),
        };
        let unacknowledged = unacknowledged.into_iter().map(i64::cast_unsigned).collect();
        let after = handover.sign(by.clone(), at, unacknowledged)?;
        let is_complete = after.state == HandoverState::Complete;
        let is_on_time = is_complete.then(|| is_on_time(&roster, at));
        sqlx::query(
            "UPDATE handover SET state = $1, outgoing = $2, outgoing_at = $3, incoming = $4, incoming_at = $5, is_on_time = $6
             WHERE number = $7",
        )
        .bind(after.state.as_str())
        .bind(after.outgoing.as_ref().map(|(by, _)| by.to_string()))
        .bind(after.outgoing.as_ref().map(|(_, at)| at.as_microsecond()))
        .bind(after.incoming.as_ref().map(|(by, _)| by.to_string()))
        .bind(after.incoming.as_ref().map(|(_, at)| at.as_microsecond()))
        .bind(is_on_time.map(i64::from))
        .bind(number)
        .execute(&mut *tx)
        .await?;
        let line = Entry {
            from: before.state.to_string(),
            to: format!("{} {}", after.state, before.sha256),
            ..entry(at, &by, "sign_handover", format!("handover:{number}"), None)
        };
        audit::append(&mut tx, vec![line]).await?;
        let row: Row = sqlx::query_as("SELECT * FROM handover WHERE number = $1")
            .bind(number)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(row.item()?)
    }
}

/// Whether somebody at the desk is relieved within a quarter of an hour of it.
fn is_on_time(roster: &Roster, at: Timestamp) -> bool {
    let around = ON_TIME_WITHIN + SignedDuration::from_millis(1);
    let (from, to) = (at.checked_sub(around), at.checked_add(around));
    let (from, to) = (from.unwrap_or(at), to.unwrap_or(at));
    duty_book::is_on_time(&changes(roster, from, to), at)
}

/// What one shift hands over to the next.
async fn text(
    connection: &mut SqliteConnection,
    away: &[String],
    at: Timestamp,
) -> Result<Value, StateError> {
    type Open = (i64, i64, String, String, Option<String>, Option<String>);
    let as_of: i64 = sqlx::query_scalar("SELECT id FROM audit_head WHERE one = 1")
        .fetch_one(&mut *connection)
        .await?;
    let since: Option<i64> = sqlx::query_scalar("SELECT MAX(incoming_at) FROM handover")
        .fetch_one(&mut *connection)
        .await?;
    let open: Vec<Open> = sqlx::query_as(
        "SELECT number, severity, state, rule, zone, acknowledged_by FROM incident
         WHERE state IN ('open', 'acknowledged', 'verifying', 'dispatched') ORDER BY severity, number LIMIT $1",
    )
    .bind(THINGS_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let shelved: Vec<(String, String, i64, Option<String>)> = sqlx::query_as(
        "SELECT rule, subject, shelved_until, shelved_reason FROM alarm WHERE shelved_until IS NOT NULL ORDER BY rule, subject LIMIT $1",
    )
    .bind(THINGS_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let held: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT rule, subject, held_back FROM alarm WHERE state <> 'normal' AND held_back IS NOT NULL ORDER BY rule, subject LIMIT $1",
    )
    .bind(THINGS_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let windows: Vec<(String, String, i64, String)> = sqlx::query_as(
        "SELECT id, site, ends_at, reason FROM maintenance WHERE state <> 'ended' ORDER BY id LIMIT $1",
    )
    .bind(THINGS_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let notes: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT at, author, note FROM duty_note WHERE at > $1 ORDER BY at, number LIMIT $2",
    )
    .bind(since.unwrap_or(0))
    .bind(THINGS_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let moment = |us: i64| Ok::<_, StateError>(Moment(time(us)?).to_string());
    let mut shelves = Vec::with_capacity(shelved.len());
    for (rule, subject, until, reason) in shelved {
        let until = moment(until)?;
        shelves.push(json!({"rule": rule, "subject": subject, "until": until, "reason": reason}));
    }
    let mut maintenance = Vec::with_capacity(windows.len());
    for (id, site, ends_at, reason) in windows {
        let ends_at = moment(ends_at)?;
        maintenance.push(json!({"id": id, "site": site, "ends_at": ends_at, "reason": reason}));
    }
    let notes: Result<Vec<DutyNote>, StateError> = notes.into_iter().map(note).collect();
    let open = open.into_iter().map(|(number, severity, state, rule, zone, by)| {
        json!({"number": number, "severity": format!("P{severity}"), "state": state, "rule": rule, "zone": zone, "acknowledged_by": by})
    });
    let held = held
        .into_iter()
        .map(|(rule, subject, by)| json!({"rule": rule, "subject": subject, "held_back": by}));
    Ok(json!({
        "as_of": as_of,
        "at": Moment(at).to_string(),
        "since": since.map(moment).transpose()?,
        "open": open.collect::<Vec<_>>(),
        "shelved": shelves,
        "held_back": held.collect::<Vec<_>>(),
        "devices_away": away.iter().take(THINGS_MAX as usize).collect::<Vec<_>>(),
        "maintenance": maintenance,
        "notes": notes?,
    }))
}
