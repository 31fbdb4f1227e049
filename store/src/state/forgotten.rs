//! Taking what is about people out of incidents and alarms whose time is over. What is due stands in their rows; a hold keeps them back.
//!
//! An incident keeps its rule, place and times; its subject becomes one that names nobody and is still its own, as an open incident's must be.

use domain::Timestamp;
use domain::privacy::{self, Personal};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqliteConnection};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{json, list};
use super::legal_hold::unheld;
use super::reach::among;

/// The bit of a class in the column `forgotten`.
fn bit(class: Personal) -> i64 {
    match class {
        Personal::Plate => 1,
        Personal::Credential => 2,
        Personal::Person => 4,
    }
}

/// The closed ones, and what was merged into them, of which a class ($1) is not gone, that were closed before $2; $3 is now, $4 the limit.
fn due_incidents() -> String {
    let is_unheld = unheld("d.id", "d.site", "d.opened_at", "d.until", "$3");
    format!(
        "WITH RECURSIVE up (id, at) AS (
           SELECT id, id FROM incident WHERE state = 'merged' AND forgotten < 7 AND (forgotten & $1) = 0
           UNION SELECT up.id, i.parent FROM up JOIN incident i ON i.id = up.at WHERE i.state = 'merged'),
         due (id, site, opened_at, until, subject, detail) AS (
           SELECT i.id, i.site, i.opened_at, i.closed_at, i.subject, i.detail FROM incident i
           WHERE i.forgotten < 7 AND i.closed_at < $2 AND (i.forgotten & $1) = 0 AND i.state IN ('closed', 'cancelled')
           UNION ALL SELECT i.id, i.site, i.opened_at, i.last_event_at, i.subject, i.detail
           FROM up JOIN incident root ON root.id = up.at JOIN incident i ON i.id = up.id
           WHERE root.state IN ('closed', 'cancelled') AND root.closed_at < $2)
         SELECT d.id, d.subject, d.detail FROM due d WHERE {is_unheld} LIMIT $4"
    )
}

/// Alarms that are over, or of which nobody will say the end, and whose incident has lost it, or that have none. What is on the shelf, or goes
/// on, is known by its subject, and keeps it.
fn due_alarms() -> String {
    let is_unheld = unheld("NULL", "a.site", "a.raised_at", "a.last_event_at", "$3");
    format!(
        "SELECT a.id, a.subject, '{{}}' FROM alarm a LEFT JOIN incident i ON i.id = a.incident
         WHERE a.forgotten < 7 AND (a.state = 'normal' OR a.lasting = 0) AND a.last_event_at < $2 AND (a.forgotten & $1) = 0
           AND COALESCE(a.cleared_at, 0) < $2 AND a.shelved_until IS NULL AND a.pending IS NULL
           AND (i.id IS NULL OR (i.forgotten & $1) <> 0) AND (i.id IS NOT NULL OR {is_unheld}) LIMIT $4"
    )
}

impl State {
    /// Takes a class of personal data out of incidents, and alarms, that were over before a time; at most `limit` of each. Says how many it
    /// has gone through: as many as `limit`, and there may be more.
    ///
    /// # Errors
    /// The database: nothing was taken away.
    pub async fn forget_people(
        &self,
        class: Personal,
        before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<u32, StateError> {
        let (incidents, alarms) = (due_incidents(), due_alarms());
        let mut done = 0;
        for (table, due) in [("incident", incidents), ("alarm", alarms)] {
            // mostly there is nothing to do, and nobody has to wait for that
            let mut reader = self.shared.read.acquire().await?;
            if rows(&mut reader, &due, class, (before, now, 1))
                .await?
                .is_empty()
            {
                continue;
            }
            drop(reader);
            let mut tx = self.begin().await?;
            let rows = rows(&mut tx, &due, class, (before, now, limit)).await?;
            let mut changed = Vec::new();
            for (id, subject, detail) in &rows {
                if forget(&mut tx, (table, class), (id, subject, detail)).await? {
                    changed.push(id.clone());
                    if table == "incident" {
                        let to = class.to_string();
                        let entry = Entry::admin(now, "forget_people", format!("sight:{id}"), to);
                        audit::append(&mut tx, vec![entry]).await?;
                    }
                }
            }
            forget_in_feed(&mut tx, class, &changed).await?;
            tx.commit().await?;
            done = done.max(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        }
        Ok(done)
    }

    /// Writes down that events of history have lost what was about people.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn note_destroyed(&self, events: u64, now: Timestamp) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        let to = format!("{events} events");
        let entry = Entry::admin(now, "forget_people", "history".to_owned(), to);
        audit::append(&mut tx, vec![entry]).await?;
        Ok(tx.commit().await?)
    }
}

/// One row; whether there was something in it.
async fn forget(
    connection: &mut SqliteConnection,
    (table, class): (&str, Personal),
    (id, subject, detail): (&str, &str, &str),
) -> Result<bool, StateError> {
    let apart = &id[id.len().saturating_sub(8)..];
    let named = privacy::destroyed_subject(subject, &[class], apart);
    let mut value: serde_json::Value = list(detail)?;
    let held = privacy::destroy(&mut value, &[class], apart);
    let detail = if table == "incident" {
        ", detail = $4"
    } else {
        ""
    };
    let sql = format!(
        "UPDATE {table} SET forgotten = forgotten | $1, subject = $2{detail} WHERE id = $3"
    );
    let update = sqlx::query(AssertSqlSafe(sql))
        .bind(bit(class))
        .bind(named.as_deref().unwrap_or(subject))
        .bind(id);
    let update = match table {
        "incident" => update.bind(json(&value)),
        _ => update,
    };
    update.execute(connection).await?;
    Ok(named.is_some() || held)
}

type DueRow = (String, String, String);

async fn rows(
    connection: &mut SqliteConnection,
    due: &str,
    class: Personal,
    (before, now, limit): (Timestamp, Timestamp, u32),
) -> Result<Vec<DueRow>, StateError> {
    let rows = sqlx::query_as(AssertSqlSafe(due.to_owned()))
        .bind(bit(class))
        .bind(before.as_microsecond())
        .bind(now.as_microsecond())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

/// What was told of them and is still in the feed.
async fn forget_in_feed(
    connection: &mut SqliteConnection,
    class: Personal,
    objects: &[String],
) -> Result<(), StateError> {
    if objects.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT revision, object, json FROM feed WHERE ");
    among(&mut query, "object", objects);
    let told: Vec<(i64, String, String)> =
        query.build_query_as().fetch_all(&mut *connection).await?;
    for (revision, object, text) in told {
        let mut value: serde_json::Value = list(&text)?;
        let apart = &object[object.len().saturating_sub(8)..];
        if privacy::destroy(&mut value, &[class], apart) {
            sqlx::query("UPDATE feed SET json = $1 WHERE revision = $2")
                .bind(json(&value))
                .bind(revision)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}
