//! The outbox: what to tell whom, a row written in the transaction that made it so, and tried until it is told.
//!
//! Notification → delivery → attempt. A delivery is leased while somebody tries it, so that two dispatchers never send the same thing at
//! once and one that died in the middle is followed by another; it ends delivered or, after [`ATTEMPTS_MAX`], dead.

use std::time::Duration;

use domain::incident::{Notice, Stage};
use domain::{DepartmentId, IncidentId, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::State;
use super::commit::News;
use super::error::StateError;
use super::incidents::{json, time, word};
use super::view::Moment;

/// The channel that needs nothing: whoever watches the live feed.
pub const BOARD: &str = "board";
/// Attempts before a delivery is given up.
pub const ATTEMPTS_MAX: i64 = 8;
/// How long one attempt may take before another dispatcher takes over.
const LEASE: Duration = Duration::from_secs(30);
/// The first wait after a failure; doubled each time.
const BACKOFF: Duration = Duration::from_secs(2);

/// One thing to tell one recipient over one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Number of the notification.
    pub notification: i64,
    /// Whom: `department/level` of a ladder, or a person's id.
    pub recipient: String,
    /// Over what.
    pub channel: String,
    /// This is the so manieth attempt, from 1.
    pub attempt: i64,
    /// What about.
    pub item: NotificationItem,
}

/// A notification as the feed and the API carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is the domain's, see `domain::incident::Notice`"
)]
pub struct NotificationItem {
    pub id: i64,
    pub incident: IncidentId,
    pub number: u64,
    pub department: DepartmentId,
    pub level: u8,
    pub stage: Stage,
    pub due: Moment,
    pub created_at: Moment,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident: String,
    number: i64,
    department: String,
    level: i64,
    stage: String,
    due: i64,
    created_at: i64,
}

impl Row {
    fn into_item(self) -> Result<NotificationItem, StateError> {
        Ok(NotificationItem {
            id: self.id,
            incident: word(&self.incident)?,
            number: self.number.cast_unsigned(),
            department: word(&self.department)?,
            level: u8::try_from(self.level).map_err(StateError::damaged)?,
            stage: word(&self.stage)?,
            due: time(self.due)?.into(),
            created_at: time(self.created_at)?.into(),
        })
    }
}

const ITEM: &str =
    "SELECT n.id, n.incident, i.number, n.department, n.level, n.stage, n.due, n.created_at
    FROM notification n JOIN incident i ON i.id = n.incident";

/// Notes what is to be told.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    incident: IncidentId,
    notice: &Notice,
) -> Result<(), StateError> {
    let id: i64 = sqlx::query_scalar(
        "UPDATE counter SET value = value + 1 WHERE name = 'notification' RETURNING value",
    )
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO notification (id, incident, department, level, stage, due, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(incident.to_string())
    .bind(notice.department.as_str())
    .bind(i64::from(notice.level))
    .bind(notice.stage.as_str())
    .bind(notice.due.as_microsecond())
    .bind(notice.at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO delivery (notification, recipient, channel, state, attempts, next_at) VALUES ($1, $2, $3, 'waiting', 0, $4)",
    )
    .bind(id)
    .bind(format!("{}/{}", notice.department, notice.level))
    .bind(BOARD)
    .bind(notice.at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

impl State {
    /// Takes deliveries that are due, at most `limit`, and leases them; whoever takes them says [`delivered`](Self::delivered) or
    /// [`delivery_failed`](Self::delivery_failed) of each, or another has them when the lease ends.
    ///
    /// # Errors
    /// A database that cannot be read or written: nothing is leased.
    pub async fn lease_deliveries(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, StateError> {
        let due: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM delivery WHERE next_at <= $1 AND state IN ('waiting', 'leased')",
        )
        .bind(now.as_microsecond())
        .fetch_one(&self.shared.read)
        .await?;
        if due == 0 {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "UPDATE delivery SET state = 'leased', attempts = attempts + 1, next_at = $2
             WHERE (notification, recipient, channel) IN (
               SELECT notification, recipient, channel FROM delivery WHERE next_at <= $1 AND state IN ('waiting', 'leased')
               ORDER BY next_at, notification LIMIT $3)
             RETURNING notification, recipient, channel, attempts",
        )
        .bind(now.as_microsecond())
        .bind(later(now, LEASE).as_microsecond())
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut leased = Vec::with_capacity(rows.len());
        for (notification, recipient, channel, attempt) in rows {
            let row: Row = sqlx::query_as(sqlx::AssertSqlSafe(format!("{ITEM} WHERE n.id = $1")))
                .bind(notification)
                .fetch_one(&mut *tx)
                .await?;
            leased.push(Delivery {
                notification,
                recipient,
                channel,
                attempt,
                item: row.into_item()?,
            });
        }
        tx.commit().await?;
        leased.sort_by(|a, b| (a.notification, &a.recipient).cmp(&(b.notification, &b.recipient)));
        Ok(leased)
    }

    /// It has been told. What goes to the board is put into the feed in the same transaction.
    ///
    /// # Errors
    /// A database that cannot be written: it will be tried again.
    pub async fn delivered(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Option<Revision>, StateError> {
        let mut tx = self.begin().await?;
        end(&mut tx, delivery, "delivered", now, None).await?;
        let mut revision = None;
        if delivery.channel == BOARD {
            let news = News::Made {
                kind: "notification",
                id: delivery.notification.to_string(),
                json: json(&delivery.item),
            };
            revision = self.publish(&mut tx, vec![news]).await?;
        }
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(revision)
    }

    /// It could not be told: again later, or never after too many attempts. Says whether it is dead.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn delivery_failed(
        &self,
        delivery: &Delivery,
        now: Timestamp,
        why: &str,
    ) -> Result<bool, StateError> {
        let mut tx = self.begin().await?;
        let is_dead = delivery.attempt >= ATTEMPTS_MAX;
        let why: String = why.chars().take(200).collect();
        if is_dead {
            end(&mut tx, delivery, "dead", now, Some(&why)).await?;
        } else {
            let doublings = u32::try_from(delivery.attempt - 1).unwrap_or(0).min(10);
            sqlx::query(
                "UPDATE delivery SET state = 'waiting', next_at = $4, error = $5
                 WHERE notification = $1 AND recipient = $2 AND channel = $3 AND state = 'leased'",
            )
            .bind(delivery.notification)
            .bind(&delivery.recipient)
            .bind(&delivery.channel)
            .bind(later(now, BACKOFF * 2_u32.pow(doublings)).as_microsecond())
            .bind(&why)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(is_dead)
    }
}

async fn end(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    state: &str,
    now: Timestamp,
    why: Option<&str>,
) -> Result<(), StateError> {
    sqlx::query(
        "UPDATE delivery SET state = $4, ended_at = $5, error = $6
         WHERE notification = $1 AND recipient = $2 AND channel = $3",
    )
    .bind(delivery.notification)
    .bind(&delivery.recipient)
    .bind(&delivery.channel)
    .bind(state)
    .bind(now.as_microsecond())
    .bind(why)
    .execute(connection)
    .await?;
    Ok(())
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
