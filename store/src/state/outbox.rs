//! The outbox: what to tell whom, a row written in the transaction that made it so, and tried until it is told.
//!
//! Notification → delivery → attempt. A delivery is leased while somebody tries it, so that two dispatchers never send the same thing at
//! once and one that died in the middle is followed by another; it ends delivered or, after [`ATTEMPTS_MAX`], dead.
//!
//! Whom a rung comes to is found when the notice is written, by the roster of that moment ([`Roster::ladder`]): a delivery a person. Where
//! nobody at all is configured it is the rung itself (`fire/1`), so that the board still shows it: nothing is told to nobody.

use std::time::Duration;

use domain::id::PersonId;
use domain::incident::{Notice, Stage};
use domain::place::Registry;
use domain::roster::{Level, Roster};
use domain::{DepartmentId, IncidentId, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::State;
use super::commit::News;
use super::error::StateError;
use super::incidents::{json, time, word};
use super::roster;
use super::view::Moment;

/// The channel that needs nothing: whoever watches the live feed.
pub const BOARD: &str = "board";
/// Most people to whom one rung comes; the first of the roster.
pub const PEOPLE_MAX: usize = 16;
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
    /// Whom: a person's id, or `department/level` where nobody is configured.
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
    /// The rung that was to be told.
    pub level: u8,
    /// The rung on which those who are told stand; none where nobody at all is configured.
    pub told_level: Option<u8>,
    /// Others are told than those that the ladder names for the rung.
    pub fell_through: bool,
    /// Nobody of the ladder was on duty: they are told because somebody has to be.
    pub is_off_duty: bool,
    /// Who is told, at most [`PEOPLE_MAX`].
    pub people: Vec<PersonItem>,
    pub stage: Stage,
    pub due: Moment,
    pub created_at: Moment,
}

/// A person, as everybody who is logged in may see them: how to reach them stands in the roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonItem {
    /// Who.
    pub id: PersonId,
    /// Their name; none once they are no longer in the registry.
    pub name: Option<String>,
}

impl PersonItem {
    pub(super) fn new(id: PersonId, registry: &Registry) -> Self {
        let name = registry.people.get(&id).map(|person| person.name.clone());
        Self { id, name }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident: String,
    number: i64,
    department: String,
    level: i64,
    told_level: Option<i64>,
    off_duty: i64,
    stage: String,
    due: i64,
    created_at: i64,
}

impl Row {
    fn into_item(self, people: Vec<PersonItem>) -> Result<NotificationItem, StateError> {
        let level = level(self.level)?;
        let told_level = self.told_level.map(self::level).transpose()?;
        let is_off_duty = self.off_duty != 0;
        Ok(NotificationItem {
            id: self.id,
            incident: word(&self.incident)?,
            number: self.number.cast_unsigned(),
            department: word(&self.department)?,
            level,
            told_level,
            fell_through: fell_through(level, told_level, is_off_duty),
            is_off_duty,
            people,
            stage: word(&self.stage)?,
            due: time(self.due)?.into(),
            created_at: time(self.created_at)?.into(),
        })
    }
}

pub(super) fn level(number: i64) -> Result<u8, StateError> {
    u8::try_from(number).map_err(StateError::damaged)
}

pub(super) fn fell_through(asked: u8, told: Option<u8>, is_off_duty: bool) -> bool {
    is_off_duty || told != Some(asked)
}

const ITEM: &str =
    "SELECT n.id, n.incident, i.number, n.department, n.level, n.told_level, n.off_duty, n.stage, n.due, n.created_at
    FROM notification n JOIN incident i ON i.id = n.incident";

/// Whom a notice comes to.
struct Told {
    level: Option<Level>,
    is_off_duty: bool,
    recipients: Vec<String>,
}

impl Told {
    fn of(notice: &Notice, roster: &Roster, registry: &Registry) -> Self {
        let level = Level::ALL[usize::from(notice.level).min(Level::ALL.len() - 1)];
        let rung = roster.ladder(&notice.department, level, notice.at);
        let known = rung.people.iter();
        let known = known.filter(|person| registry.people.contains_key(*person));
        let recipients: Vec<String> = known.take(PEOPLE_MAX).map(PersonId::to_string).collect();
        if recipients.is_empty() {
            return Self {
                level: None,
                is_off_duty: true,
                recipients: vec![format!("{}/{}", notice.department, notice.level)],
            };
        }
        Self {
            level: Some(rung.level),
            is_off_duty: rung.is_off_duty,
            recipients,
        }
    }
}

/// Notes what is to be told, and to whom.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    registry: &Registry,
    incident: IncidentId,
    notice: &Notice,
) -> Result<(), StateError> {
    let roster = roster::at(connection, registry, notice.at).await?;
    let told = Told::of(notice, &roster, registry);
    let id: i64 = sqlx::query_scalar(
        "UPDATE counter SET value = value + 1 WHERE name = 'notification' RETURNING value",
    )
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO notification (id, incident, department, level, stage, due, created_at, told_level, off_duty)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(incident.to_string())
    .bind(notice.department.as_str())
    .bind(i64::from(notice.level))
    .bind(notice.stage.as_str())
    .bind(notice.due.as_microsecond())
    .bind(notice.at.as_microsecond())
    .bind(told.level.map(|level| level as i64))
    .bind(i64::from(told.is_off_duty))
    .execute(&mut *connection)
    .await?;
    for (ordinal, recipient) in told.recipients.iter().enumerate() {
        sqlx::query(
            "INSERT INTO delivery (notification, recipient, channel, ordinal, state, attempts, next_at)
             VALUES ($1, $2, $3, $4, 'waiting', 0, $5)",
        )
        .bind(id)
        .bind(recipient)
        .bind(BOARD)
        .bind(ordinal as i64)
        .bind(notice.at.as_microsecond())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// A person acted on an incident: what they were told of it is answered.
pub(super) async fn answered(
    connection: &mut SqliteConnection,
    incident: IncidentId,
    person: &PersonId,
    at: Timestamp,
) -> Result<(), StateError> {
    sqlx::query(
        "UPDATE delivery SET answered_at = $3 WHERE recipient = $2 AND answered_at IS NULL
           AND notification IN (SELECT id FROM notification WHERE incident = $1)",
    )
    .bind(incident.to_string())
    .bind(person.as_str())
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// Who is told by a notification that comes to people, in the roster's order.
async fn people(
    connection: &mut SqliteConnection,
    registry: &Registry,
    notification: i64,
) -> Result<Vec<PersonItem>, StateError> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT recipient FROM delivery WHERE notification = $1 GROUP BY recipient ORDER BY MIN(ordinal)",
    )
    .bind(notification)
    .fetch_all(connection)
    .await?;
    ids.iter()
        .map(|id| Ok(PersonItem::new(word(id)?, registry)))
        .collect()
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
            let people = match row.told_level {
                Some(_) => people(&mut tx, &self.shared.registry(), notification).await?,
                None => Vec::new(),
            };
            leased.push(Delivery {
                notification,
                recipient,
                channel,
                attempt,
                item: row.into_item(people)?,
            });
        }
        tx.commit().await?;
        leased.sort_by(|a, b| (a.notification, &a.recipient).cmp(&(b.notification, &b.recipient)));
        Ok(leased)
    }

    /// It has been told. What goes to the board is put into the feed in the same transaction, once for all whom the rung comes to.
    ///
    /// # Errors
    /// A database that cannot be written: it will be tried again.
    pub async fn delivered(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Option<Revision>, StateError> {
        let mut tx = self.begin().await?;
        let on_board: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM delivery WHERE notification = $1 AND channel = $2 AND state = 'delivered'",
        )
        .bind(delivery.notification)
        .bind(BOARD)
        .fetch_one(&mut *tx)
        .await?;
        end(&mut tx, delivery, "delivered", now, None).await?;
        let mut revision = None;
        if delivery.channel == BOARD && on_board == 0 {
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
