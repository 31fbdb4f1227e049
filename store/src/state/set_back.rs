//! Setting times back that a wrong clock has written: what is to come, and what the hub still reckons with, moves by as much as that clock
//! was ahead. What was stays as it was written: the audit trail, facts, when an incident opened.

use domain::Timestamp;
use jiff::SignedDuration;
use serde_json::Value;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{self, word};
use super::{Moment, State};

/// Columns with times (microseconds; connection epochs are made of them) that move, by table.
pub(super) const MOVED: &[(&str, &[&str])] = &[
    (
        "incident",
        &[
            "acknowledge_due",
            "resolve_due",
            "resolved_at",
            "closed_at",
            "last_event_at",
        ],
    ),
    (
        "task",
        &[
            "claim_due",
            "arrive_due",
            "resolve_due",
            "lease_until",
            "progress_due",
        ],
    ),
    (
        "alarm",
        &[
            "raised_at",
            "active_at",
            "last_event_at",
            "cleared_at",
            "annunciated_at",
            "shelved_until",
            "unknown_since",
            "chattering_since",
            "quiet_until",
        ],
    ),
    (
        "alarm_tally",
        &[
            "last_at",
            "before_last_at",
            "chattering_since",
            "annunciated_at",
            "forgotten_at",
        ],
    ),
    // a proposal is void in time
    ("fire_mode", &["started_at"]),
    ("flood", &["started_at", "ended_at"]),
    ("storm", &["opened_at", "last_at"]),
    ("maintenance", &["starts_at", "ends_at", "started_at"]),
    ("delivery", &["next_at"]),
    ("device", &["last_seen", "epoch"]),
    // what was under way is looked at, and found to be of a clock that was ahead
    ("device_command", &["due_at"]),
    (
        "newcomer",
        &["first_heard_at", "last_heard_at", "dismissed_at"],
    ),
    ("seen", &["at"]),
    ("answered", &["at"]),
    // photos are kept so long after it
    ("evidence_photo", &["sent_at"]),
    ("snapshot", &["received_at"]),
    ("snapshot_named", &["received_at"]),
    ("snapshot_fetch", &["received_at", "next_at"]),
    ("enrolment", &["expires_at"]),
    // one that came to nothing may be asked for again after a while
    ("quarantine", &["rerun_at"]),
    ("credential", &["previous_until"]),
    // leave to see in full, holds and tokens end as long after the mend as they would have
    ("unmasking", &["expires_at"]),
    ("legal_hold", &["expires_at"]),
    ("api_token", &["expires_at"]),
    ("roster_swap", &["agreed_at"]),
    ("duty_log_begin", &["at"]),
    ("duty_note", &["at"]),
    ("handover", &["prepared_at", "outgoing_at", "incoming_at"]),
];
/// Texts with times in them: table, key, column.
const TEXTS: &[(&str, &str, &str)] = &[
    ("incident", "id", "course"),
    ("alarm", "id", "pending"),
    ("rule_window", "key", "value"),
];

impl State {
    /// Moves times that lie after `right` back by `by`, in one transaction with a row of the audit trail. Sessions that were begun or used
    /// after it are over, and lines of the duty log of hours that have not come are taken out. Says how many rows changed.
    ///
    /// # Errors
    /// A database that cannot be read or written: nothing has moved.
    pub async fn set_back(&self, right: Timestamp, by: SignedDuration) -> Result<u64, StateError> {
        let right_us = right.as_microsecond();
        let by_us = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let mut tx = self.begin().await?;
        let mut changed = 0;
        for (table, columns) in MOVED {
            for column in *columns {
                let sql =
                    format!("UPDATE {table} SET {column} = {column} - $1 WHERE {column} > $2");
                let moved = sqlx::query(AssertSqlSafe(sql))
                    .bind(by_us)
                    .bind(right_us)
                    .execute(&mut *tx)
                    .await?;
                changed += moved.rows_affected();
            }
        }
        for (table, key, column) in TEXTS {
            changed += move_texts(&mut tx, (table, key, column), right, by).await?;
        }
        recompute_due(&mut tx).await?;
        for mend in [
            "DELETE FROM session WHERE used_at > $1 OR created_at > $1",
            "DELETE FROM duty_log WHERE ends_at > $1",
            // intervals of 30 s: what is ahead would refuse every code until then
            "UPDATE second_factor SET last_step = $1 / 30000000 WHERE last_step > $1 / 30000000",
        ] {
            let gone = sqlx::query(mend).bind(right_us).execute(&mut *tx).await?;
            changed += gone.rows_affected();
        }
        let was = right.checked_add(by).unwrap_or(Timestamp::MAX);
        let line = Entry {
            at: right,
            actor: "hub".to_owned(),
            act: "set_clock_back".to_owned(),
            object: "clock".to_owned(),
            department: None,
            from: Moment(was).to_string(),
            to: Moment(right).to_string(),
            note: None,
        };
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// When time next changes something is computed from what has moved and from what has not: a moment of its own would be due for ever.
async fn recompute_due(connection: &mut SqliteConnection) -> Result<(), StateError> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM incident WHERE due_at IS NOT NULL")
        .fetch_all(&mut *connection)
        .await?;
    for id in ids {
        let Some((incident, _)) = incidents::load(connection, word(&id)?).await? else {
            continue;
        };
        sqlx::query("UPDATE incident SET due_at = $1 WHERE id = $2")
            .bind(incident.next_due().map(Timestamp::as_microsecond))
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn move_texts(
    connection: &mut SqliteConnection,
    (table, key, column): (&str, &str, &str),
    right: Timestamp,
    by: SignedDuration,
) -> Result<u64, StateError> {
    let select = format!(
        "SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL AND {column} <> ''"
    );
    let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(select))
        .fetch_all(&mut *connection)
        .await?;
    let update = format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2");
    let mut changed = 0;
    for (id, text) in rows {
        // what is no JSON is no hub's, and is found out by whoever reads it
        let Ok(mut value) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        if move_value(&mut value, right, by) {
            sqlx::query(AssertSqlSafe(update.clone()))
                .bind(value.to_string())
                .bind(id)
                .execute(&mut *connection)
                .await?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// Moves the times in a JSON text: RFC 3339, or whole nanoseconds since 1970 as rule windows have them. No other number there is as large.
pub(super) fn move_value(value: &mut Value, right: Timestamp, by: SignedDuration) -> bool {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |moved, item| move_value(item, right, by) | moved),
        Value::Object(members) => members
            .values_mut()
            .fold(false, |moved, member| move_value(member, right, by) | moved),
        Value::String(text) => {
            let at = text.parse::<Timestamp>().ok().filter(|at| *at > right);
            let moved = at.and_then(|at| at.checked_sub(by).ok());
            if let Some(moved) = moved {
                *text = moved.to_string();
            }
            moved.is_some()
        }
        Value::Number(number) => {
            let at = number
                .as_i64()
                .and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok())
                .filter(|at| *at > right);
            let moved = at.and_then(|at| at.checked_sub(by).ok());
            let Some(ns) = moved.and_then(|at| i64::try_from(at.as_nanosecond()).ok()) else {
                return false;
            };
            *value = ns.into();
            true
        }
        Value::Null | Value::Bool(_) => false,
    }
}
