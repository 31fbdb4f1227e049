//! The duty book: lines that are written when their hours are over, notes, and handovers of shifts. All of it is made from the record;
//! what is signed is frozen with its hash and stands in the audit trail.

use std::collections::{BTreeMap, BTreeSet};

use domain::duty_book::{self, Handover, HandoverState, Hours, ON_TIME_WITHIN};
use domain::kpi::canonical;
use domain::roster::{DutyOf, PostKind, Roster};
use domain::{Severity, Timestamp, UserId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::audit::{self, Entry};
use super::command::finish;
use super::error::StateError;
use super::incidents::{list, opt_time, opt_word, severity, time, word};
use super::{DeviceState, Moment, NOTE_CHARS_MAX, State};

/// Most things of a sort in a handover: the text is read and signed by people.
const THINGS_MAX: i64 = 500;
/// Most lines, notes and handovers of an answer.
const LINES_MAX: i64 = 1000;

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

/// A line of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyLine {
    /// Its hours begin.
    pub from: Moment,
    /// Its hours end.
    pub to: Moment,
    /// When it was written.
    pub written_at: Moment,
    /// More than five minutes after its hours: what only shows at the moment is left out.
    pub is_late: bool,
    /// What was.
    pub line: Line,
}

/// What was in the hours of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Incidents that were open at the end, by severity.
    pub open: BTreeMap<Severity, u64>,
    /// Incidents that opened.
    pub opened: u64,
    /// Incidents that were resolved.
    pub resolved: u64,
    /// Alarms that rang.
    pub rung: u64,
    /// Alarms on a shelf at the end; none of a late line.
    pub shelved: Option<u64>,
    /// Devices that were away at the end; none of a late line.
    pub devices_away: Option<u64>,
    /// Maintenance windows that went on.
    pub maintenance: u64,
    /// Who was on duty at the beginning: post and person.
    pub on_duty: Vec<(String, String)>,
    /// Changes of shift at the desk; lines of older versions say none.
    #[serde(default)]
    pub changes: Vec<Moment>,
}

/// What an operator noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyNote {
    /// When.
    pub at: Moment,
    /// Who.
    pub author: String,
    /// In their words.
    pub note: String,
}

/// Hours of the book with what was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyLog {
    /// Lines, the newest first.
    pub lines: Vec<DutyLine>,
    /// Hours without a line, the newest first.
    pub gaps: Vec<(Moment, Moment)>,
    /// Notes, the newest first.
    pub notes: Vec<DutyNote>,
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
    /// Writes the lines whose hours are over at `now`; those that were missed while nobody ran are made up for, marked late. Says how many.
    ///
    /// # Errors
    /// A database that cannot be read or written: they are due again.
    pub async fn write_duty_log(
        &self,
        now: Timestamp,
        every: SignedDuration,
    ) -> Result<usize, StateError> {
        // asked four times a second: one look into an index
        let written_to = written_to(&mut *self.shared.read.acquire().await?).await?;
        if written_to.is_some_and(|to| duty_book::due(to, now, every).is_empty()) {
            return Ok(0);
        }
        let away = self.away(now).await?;
        let mut tx = self.begin().await?;
        let Some(written_to) = self::written_to(&mut tx).await? else {
            let begin = Hours::around(now, every).from;
            sqlx::query("INSERT INTO duty_log_begin (one, at) VALUES (1, $1)")
                .bind(begin.as_microsecond())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            return Ok(0);
        };
        let due = duty_book::due(written_to, now, every);
        let roster = self.roster().await?;
        let mut lines = Vec::with_capacity(due.len());
        for hours in &due {
            let is_late = hours.is_late(now);
            let line = Line {
                devices_away: (!is_late).then_some(away.len() as u64),
                on_duty: on_duty(&roster, hours.from),
                changes: changes(&roster, hours.from, hours.to)
                    .into_iter()
                    .map(Moment)
                    .collect(),
                ..line(&mut tx, *hours, is_late).await?
            };
            let text = serde_json::to_value(&line).expect("words and numbers");
            let bytes = canonical(&text);
            sqlx::query(
                "INSERT INTO duty_log (starts_at, ends_at, written_at, is_late, line) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(hours.from.as_microsecond())
            .bind(hours.to.as_microsecond())
            .bind(now.as_microsecond())
            .bind(i64::from(is_late))
            .bind(String::from_utf8_lossy(&bytes).into_owned())
            .execute(&mut *tx)
            .await?;
            lines.push(Entry {
                at: now,
                actor: "clock".to_owned(),
                act: "write_duty_log".to_owned(),
                object: format!("duty_log:{:.0}", hours.from),
                department: None,
                from: String::new(),
                to: hex::encode(Sha256::digest(&bytes)),
                note: None,
            });
        }
        audit::append(&mut tx, lines).await?;
        tx.commit().await?;
        Ok(due.len())
    }

    /// Writes a note into the book, now.
    ///
    /// # Errors
    /// A note that is empty or too long; a database that cannot be written.
    pub async fn add_duty_note(
        &self,
        author: UserId,
        note: String,
        at: Timestamp,
    ) -> Result<DutyNote, StateError> {
        let chars = note.trim().chars().count();
        if !(1..=NOTE_CHARS_MAX).contains(&chars) {
            return Err(StateError::invalid(format!(
                "`note` has 1 to {NOTE_CHARS_MAX} characters"
            )));
        }
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO duty_note (number, at, author, note) SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3 FROM duty_note",
        )
        .bind(at.as_microsecond())
        .bind(author.as_str())
        .bind(&note)
        .execute(&mut *tx)
        .await?;
        let line = entry(at, &author, "note_duty", "duty_log".to_owned(), Some(&note));
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(DutyNote {
            at: at.into(),
            author: author.to_string(),
            note,
        })
    }

    /// The book of a half-open span: lines that begin in it, hours in it that have none, notes; at most 1,000 of each.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn duty_log(&self, from: Timestamp, to: Timestamp) -> Result<DutyLog, StateError> {
        let mut snapshot = self.snapshot().await?;
        let (from_us, to_us) = (from.as_microsecond(), to.as_microsecond());
        let rows: Vec<(i64, i64, i64, i64, String)> = sqlx::query_as(
            "SELECT starts_at, ends_at, written_at, is_late, line FROM duty_log WHERE starts_at >= $1 AND starts_at < $2
             ORDER BY starts_at DESC LIMIT $3",
        )
        .bind(from_us)
        .bind(to_us)
        .bind(LINES_MAX)
        .fetch_all(&mut *snapshot)
        .await?;
        let mut lines: Vec<DutyLine> = Vec::with_capacity(rows.len());
        let mut gaps = Vec::new();
        for (starts_at, ends_at, written_at, is_late, line) in rows {
            let line = DutyLine {
                from: Moment(time(starts_at)?),
                to: Moment(time(ends_at)?),
                written_at: Moment(time(written_at)?),
                is_late: is_late != 0,
                line: list(&line)?,
            };
            if let Some(after) = lines.last().filter(|after| after.from > line.to) {
                gaps.push((line.to, after.from));
            }
            lines.push(line);
        }
        let notes: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT at, author, note FROM duty_note WHERE at >= $1 AND at < $2 ORDER BY at DESC, number DESC LIMIT $3",
        )
        .bind(from_us)
        .bind(to_us)
        .bind(LINES_MAX)
        .fetch_all(&mut *snapshot)
        .await?;
        let notes: Result<Vec<_>, StateError> = notes.into_iter().map(note).collect();
        Ok(DutyLog {
            lines,
            gaps,
            notes: notes?,
        })
    }

    /// Handovers, the newest first, at most 1,000.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn handovers(&self) -> Result<Vec<HandoverItem>, StateError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT * FROM handover ORDER BY number DESC LIMIT $1")
            .bind(LINES_MAX)
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

    /// Devices that are away or have fallen silent.
    async fn away(&self, now: Timestamp) -> Result<Vec<String>, StateError> {
        let devices = self.devices(now).await?.items.into_iter();
        let is_away = |state| matches!(state, DeviceState::Offline | DeviceState::Silent);
        let away = devices.filter(|device| is_away(device.state));
        Ok(away.map(|device| device.id.to_string()).collect())
    }
}

fn entry(at: Timestamp, by: &UserId, act: &str, object: String, note: Option<&String>) -> Entry {
    Entry {
        at,
        actor: by.to_string(),
        act: act.to_owned(),
        object,
        department: None,
        from: String::new(),
        to: String::new(),
        note: note.cloned(),
    }
}

fn note((at, author, note): (i64, String, String)) -> Result<DutyNote, StateError> {
    Ok(DutyNote {
        at: Moment(time(at)?),
        author,
        note,
    })
}

/// Until when the book is written; none before it has begun.
async fn written_to(connection: &mut SqliteConnection) -> Result<Option<Timestamp>, StateError> {
    let to: Option<i64> = sqlx::query_scalar(
        "SELECT COALESCE((SELECT ends_at FROM duty_log ORDER BY starts_at DESC LIMIT 1), (SELECT at FROM duty_log_begin))",
    )
    .fetch_one(connection)
    .await?;
    opt_time(to)
}

fn on_duty(roster: &Roster, at: Timestamp) -> Vec<(String, String)> {
    let posts = roster.posts.values();
    let posts = posts.filter(|post| matches!(post.kind, PostKind::Desk | PostKind::Duty));
    let duties = posts.flat_map(|post| roster.duties(DutyOf::Post(&post.id), at));
    duties
        .map(|duty| (duty.post.to_string(), duty.person.to_string()))
        .collect()
}

/// When somebody at the desk is relieved in a half-open span, in order.
fn changes(roster: &Roster, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let desks = roster.posts.values().filter(|p| p.kind == PostKind::Desk);
    let changes = desks.flat_map(|post| roster.changes(DutyOf::Post(&post.id), from, to));
    let once: BTreeSet<Timestamp> = changes.collect();
    once.into_iter().collect()
}

/// Whether somebody at the desk is relieved within a quarter of an hour of it.
fn is_on_time(roster: &Roster, at: Timestamp) -> bool {
    let around = ON_TIME_WITHIN + SignedDuration::from_millis(1);
    let (from, to) = (at.checked_sub(around), at.checked_add(around));
    let (from, to) = (from.unwrap_or(at), to.unwrap_or(at));
    duty_book::is_on_time(&changes(roster, from, to), at)
}

async fn line(
    connection: &mut SqliteConnection,
    hours: Hours,
    is_late: bool,
) -> Result<Line, StateError> {
    let (from, to) = (hours.from.as_microsecond(), hours.to.as_microsecond());
    // what opened before the end and had not ended by then; the merged go on under another number
    let open: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT severity, COUNT(*) FROM incident
         WHERE opened_at < $1 AND state <> 'merged' AND COALESCE(resolved_at, $1) >= $1 AND COALESCE(closed_at, $1) >= $1
         GROUP BY severity",
    )
    .bind(to)
    .fetch_all(&mut *connection)
    .await?;
    let (opened, resolved, rung, maintenance, shelved): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM incident WHERE opened_at >= $1 AND opened_at < $2),
           (SELECT COUNT(*) FROM incident WHERE resolved_at >= $1 AND resolved_at < $2),
           (SELECT COUNT(*) FROM alarm WHERE annunciated_at IS NOT NULL AND annunciated_at >= $1 AND annunciated_at < $2
             AND mode = 'annunciate'),
           (SELECT COUNT(*) FROM maintenance WHERE started_at IS NOT NULL AND started_at < $2 AND COALESCE(ended_at, $2) >= $1),
           (SELECT COUNT(*) FROM alarm WHERE shelved_until IS NOT NULL)",
    )
    .bind(from)
    .bind(to)
    .fetch_one(connection)
    .await?;
    let open = open
        .into_iter()
        .map(|(number, n)| Ok((severity(number)?, n.cast_unsigned())));
    let open: Result<BTreeMap<_, _>, StateError> = open.collect();
    Ok(Line {
        open: open?,
        opened: opened.cast_unsigned(),
        resolved: resolved.cast_unsigned(),
        rung: rung.cast_unsigned(),
        shelved: (!is_late).then_some(shelved.cast_unsigned()),
        devices_away: None,
        maintenance: maintenance.cast_unsigned(),
        on_duty: Vec::new(),
        changes: Vec::new(),
    })
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
