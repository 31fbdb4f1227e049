//! The duty log: lines that are written when their hours are over, made from the record, and what operators note. What is written stands in
//! the audit trail with its hash.

use std::collections::{BTreeMap, BTreeSet};

use domain::duty_book::{self, Hours};
use domain::kpi::canonical;
use domain::roster::{DutyOf, PostKind, Roster};
use domain::{Severity, Timestamp, UserId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{list, opt_time, severity, time};
use super::{DeviceState, Moment, NOTE_CHARS_MAX, State};

/// Most lines and notes of an answer.
const LINES_MAX: i64 = 1000;
/// What opened before an instant and had not ended by then, by severity; the merged go on under another number. Three parts, each with an
/// index that holds little: what has not ended, what was resolved since, what was closed since without that.
pub(super) const OPEN_AT: &str = "SELECT severity, COUNT(*) FROM (
   SELECT severity, state FROM incident WHERE resolved_at IS NULL AND closed_at IS NULL AND opened_at < $1
   UNION ALL SELECT severity, state FROM incident WHERE resolved_at >= $1 AND COALESCE(closed_at, $1) >= $1 AND opened_at < $1
   UNION ALL SELECT severity, state FROM incident WHERE closed_at >= $1 AND resolved_at IS NULL AND opened_at < $1)
 WHERE state <> 'merged' GROUP BY severity";

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

    /// Devices that are away or have fallen silent.
    pub(super) async fn away(&self, now: Timestamp) -> Result<Vec<String>, StateError> {
        let devices = self.devices(now).await?.items.into_iter();
        let is_away = |state| matches!(state, DeviceState::Offline | DeviceState::Silent);
        let away = devices.filter(|device| is_away(device.state));
        Ok(away.map(|device| device.id.to_string()).collect())
    }
}

pub(super) fn entry(
    at: Timestamp,
    by: &UserId,
    act: &str,
    object: String,
    note: Option<&String>,
) -> Entry {
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

pub(super) fn note((at, author, note): (i64, String, String)) -> Result<DutyNote, StateError> {
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
pub(super) fn changes(roster: &Roster, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let desks = roster.posts.values().filter(|p| p.kind == PostKind::Desk);
    let changes = desks.flat_map(|post| roster.changes(DutyOf::Post(&post.id), from, to));
    let once: BTreeSet<Timestamp> = changes.collect();
    once.into_iter().collect()
}

async fn line(
    connection: &mut SqliteConnection,
    hours: Hours,
    is_late: bool,
) -> Result<Line, StateError> {
    let (from, to) = (hours.from.as_microsecond(), hours.to.as_microsecond());
    let open: Vec<(i64, i64)> = sqlx::query_as(OPEN_AT)
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
