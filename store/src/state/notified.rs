//! Who was told of an incident: when, on which rung, over which channel, whether it reached them, and whether they acted. Read from
//! the outbox, which keeps what was told; nothing here is told.

use domain::incident::Stage;
use domain::place::Registry;
use domain::{DepartmentId, IncidentId};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::error::StateError;
use super::incidents::{opt_time, time, word};
use super::outbox::{PersonItem, fell_through, level};
use super::view::Moment;

/// Notices of one incident that are served, the latest.
pub const NOTIFIED_MAX: i64 = 200;

/// One rung, told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedItem {
    /// Number of the notification.
    pub id: i64,
    /// When.
    pub at: Moment,
    /// Whose ladder.
    pub department: DepartmentId,
    /// The rung that was to be told, 0 to 4.
    pub level: u8,
    /// The rung on which those stand who were told; none where nobody at all is configured.
    pub told_level: Option<u8>,
    /// Others were told than those that the ladder names for the rung.
    pub fell_through: bool,
    /// Nobody of the ladder was on duty.
    pub is_off_duty: bool,
    /// What was waited for.
    pub stage: Stage,
    /// By when.
    pub due: Moment,
    /// Whom, in the roster's order.
    pub told: Vec<ToldItem>,
}

/// One recipient over one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldItem {
    /// A person's id, or `department/level` where nobody is configured.
    pub recipient: String,
    /// Who that is.
    pub person: Option<PersonItem>,
    /// Over what.
    pub channel: String,
    /// `waiting`, `leased` (under way), `delivered`, `dead` (given up).
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was delivered, or given up.
    pub ended_at: Option<Moment>,
    /// When they first acted on the incident after that.
    pub answered_at: Option<Moment>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    department: String,
    level: i64,
    told_level: Option<i64>,
    off_duty: i64,
    stage: String,
    due: i64,
    created_at: i64,
    recipient: String,
    channel: String,
    state: String,
    attempts: i64,
    ended_at: Option<i64>,
    answered_at: Option<i64>,
    error: Option<String>,
}

impl Row {
    fn told(&self, registry: &Registry) -> Result<ToldItem, StateError> {
        let person = match self.told_level {
            Some(_) => Some(PersonItem::new(word(&self.recipient)?, registry)),
            None => None,
        };
        Ok(ToldItem {
            recipient: self.recipient.clone(),
            person,
            channel: self.channel.clone(),
            state: self.state.clone(),
            attempts: self.attempts,
            ended_at: opt_time(self.ended_at)?.map(Moment),
            answered_at: opt_time(self.answered_at)?.map(Moment),
            error: self.error.clone(),
        })
    }

    fn notified(&self) -> Result<NotifiedItem, StateError> {
        let (asked, is_off_duty) = (level(self.level)?, self.off_duty != 0);
        let told_level = self.told_level.map(level).transpose()?;
        Ok(NotifiedItem {
            id: self.id,
            at: time(self.created_at)?.into(),
            department: word(&self.department)?,
            level: asked,
            told_level,
            fell_through: fell_through(asked, told_level, is_off_duty),
            is_off_duty,
            stage: word(&self.stage)?,
            due: time(self.due)?.into(),
            told: Vec::new(),
        })
    }
}

/// Who was told of an incident, oldest first.
pub(super) async fn of(
    connection: &mut SqliteConnection,
    registry: &Registry,
    incident: IncidentId,
) -> Result<Vec<NotifiedItem>, StateError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT n.id, n.department, n.level, n.told_level, n.off_duty, n.stage, n.due, n.created_at,
                d.recipient, d.channel, d.state, d.attempts, d.ended_at, d.answered_at, d.error
         FROM (SELECT * FROM notification WHERE incident = $1 ORDER BY id DESC LIMIT $2) n
         JOIN delivery d ON d.notification = n.id
         ORDER BY n.id, d.ordinal, d.channel",
    )
    .bind(incident.to_string())
    .bind(NOTIFIED_MAX)
    .fetch_all(connection)
    .await?;
    let mut notified: Vec<NotifiedItem> = Vec::new();
    for row in rows {
        if notified.last().is_none_or(|last| last.id != row.id) {
            notified.push(row.notified()?);
        }
        if let Some(last) = notified.last_mut() {
            last.told.push(row.told(registry)?);
        }
    }
    Ok(notified)
}
