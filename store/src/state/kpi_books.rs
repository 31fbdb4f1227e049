//! What the station's books say of a span: lines and handovers of the duty book, shelves, maintenance windows, alarms that never rang.

use std::collections::HashMap;

use domain::Timestamp;
use domain::duty_book::{Hours, ON_TIME_WITHIN};
use domain::kpi::{DutyRecord, HeldRecord, LogLine, Query, Shelving};
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::Moment;
use super::error::StateError;
use super::incidents::{list, opt_time, time};

/// Most lines of the duty log, and most rows about shelves, of one report.
const LINES_MAX: i64 = 1_000_000;

/// What the duty book holds of the span.
pub(super) async fn duty(
    connection: &mut SqliteConnection,
    query: Query,
) -> Result<DutyRecord, StateError> {
    let (from, to) = (query.from.as_microsecond(), query.to.as_microsecond());
    let written_to: Option<i64> = sqlx::query_scalar(
        "SELECT COALESCE((SELECT ends_at FROM duty_log WHERE starts_at < $1 ORDER BY starts_at DESC LIMIT 1),
           (SELECT at FROM duty_log_begin))",
    )
    .bind(from)
    .fetch_one(&mut *connection)
    .await?;
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT starts_at, ends_at, is_late, line FROM duty_log WHERE starts_at >= $1 AND starts_at < $2 ORDER BY starts_at LIMIT $3",
    )
    .bind(from)
    .bind(to)
    .bind(LINES_MAX + 1)
    .fetch_all(&mut *connection)
    .await?;
    must_be_few(rows.len(), "lines of the duty log in")?;
    let mut lines = Vec::with_capacity(rows.len());
    for (starts_at, ends_at, is_late, line) in rows {
        let changes = list::<LineChanges>(&line)?.changes;
        lines.push(LogLine {
            hours: Hours {
                from: time(starts_at)?,
                to: time(ends_at)?,
            },
            is_late: is_late != 0,
            changes: changes.into_iter().map(|change| change.0).collect(),
        });
    }
    let around = i64::try_from(ON_TIME_WITHIN.as_micros()).unwrap_or(0);
    let handed_over: Vec<i64> = sqlx::query_scalar(
        "SELECT incoming_at FROM handover WHERE incoming_at IS NOT NULL AND incoming_at >= $1 AND incoming_at < $2",
    )
    .bind(from.saturating_sub(around))
    .bind(to.saturating_add(around))
    .fetch_all(connection)
    .await?;
    let handed_over: Result<Vec<_>, StateError> = handed_over.into_iter().map(time).collect();
    Ok(DutyRecord {
        written_to: opt_time(written_to)?,
        lines,
        handed_over: handed_over?,
    })
}

/// Of a line of the duty log.
#[derive(Deserialize)]
struct LineChanges {
    #[serde(default)]
    changes: Vec<Moment>,
}

fn must_be_few(rows: usize, of: &str) -> Result<(), StateError> {
    if rows as i64 > LINES_MAX {
        return Err(StateError::invalid(format!(
            "more than {LINES_MAX} {of} that span (hint: ask for less at a time)"
        )));
    }
    Ok(())
}

/// What was held back in the span.
pub(super) async fn held(
    connection: &mut SqliteConnection,
    query: Query,
) -> Result<HeldRecord, StateError> {
    let (from, to) = (query.from.as_microsecond(), query.to.as_microsecond());
    let windows: Vec<(i64, Option<i64>)> = sqlx::query_as(
        "SELECT ends_at, ended_at FROM maintenance WHERE started_at IS NOT NULL AND started_at >= $1 AND started_at < $2",
    )
    .bind(from)
    .bind(to)
    .fetch_all(&mut *connection)
    .await?;
    let windows = windows
        .into_iter()
        .map(|(ends_at, ended_at)| Ok((time(ends_at)?, opt_time(ended_at)?)));
    let windows: Result<Vec<_>, StateError> = windows.collect();
    // the flags of an alarm that was over while it was held back stay with it
    let (suppressed, out_of_service): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(suppressed_by), COUNT(CASE WHEN suppressed_by IS NULL THEN out_of_service END) FROM alarm
         WHERE annunciated_at IS NULL AND raised_at >= $1 AND raised_at < $2 AND mode = 'annunciate'",
    )
    .bind(from)
    .bind(to)
    .fetch_one(&mut *connection)
    .await?;
    Ok(HeldRecord {
        shelves: shelves(connection, query).await?,
        windows: windows?,
        suppressed: suppressed.cast_unsigned(),
        out_of_service: out_of_service.cast_unsigned(),
    })
}

#[derive(sqlx::FromRow)]
struct ShelfRow {
    at: i64,
    act: String,
    to_word: String,
    note_digest: Option<String>,
    rule: String,
    subject: String,
}

/// The shelves that were made in the span, each with its end: that may stand at a later episode of the same (rule, subject).
async fn shelves(
    connection: &mut SqliteConnection,
    query: Query,
) -> Result<Vec<Shelving>, StateError> {
    let rows: Vec<ShelfRow> = sqlx::query_as(
        "SELECT a.at, a.act, a.to_word, a.note_digest, l.rule, l.subject FROM audit a JOIN alarm l ON l.id = a.object
         WHERE a.act IN ('shelve', 'unshelve') AND a.at >= $1 ORDER BY a.at, a.id LIMIT $2",
    )
    .bind(query.from.as_microsecond())
    .bind(LINES_MAX + 1)
    .fetch_all(connection)
    .await?;
    must_be_few(rows.len(), "shelves since the beginning of")?;
    let mut shelves: Vec<Shelving> = Vec::new();
    let mut open: HashMap<(String, String), usize> = HashMap::new();
    for row in rows {
        let key = (row.rule, row.subject);
        let at = time(row.at)?;
        if row.act == "unshelve" {
            if let Some(position) = open.remove(&key) {
                shelves[position].ended_at = Some(at);
            }
        } else if at < query.to {
            open.insert(key, shelves.len());
            shelves.push(Shelving {
                until: until(&row.to_word)?,
                ended_at: None,
                has_reason: row.note_digest.is_some(),
            });
        }
    }
    Ok(shelves)
}

/// As the audit trail words it.
fn until(word: &str) -> Result<Timestamp, StateError> {
    let at = word.strip_prefix("until ").and_then(|at| at.parse().ok());
    at.ok_or_else(|| StateError::damaged(format_args!("`{word}` is no end of a shelf")))
}
