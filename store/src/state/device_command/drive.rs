//! What moves commands on: the hub's worker claims and hands them over, devices answer, the clock runs.

use std::collections::HashMap;

use domain::device_command::{
    Action, Answer, Asked, DeviceCommand, Feedback, Means, Purpose, SendStep,
};
use domain::{CommandId, DeviceId, Revision, Timestamp};
use jiff::SignedDuration;
use sqlx::SqliteConnection;
use tokio::sync::watch;

use super::{Row, SELECT, insert, line, news, one, save, us};
use crate::state::commit::News;
use crate::state::error::StateError;
use crate::state::finding::made;
use crate::state::incidents::list;
use crate::state::{State, audit};

/// Commands that are moved on at a time.
const AT_ONCE: i64 = 256;
/// A clock that stays wrong is set so often and no oftener.
const SET_CLOCK_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How long after a command is over its device's state may still show it.
const WATCHED_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// What a device said or showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It answered a command.
    Answer(DeviceId, Answer),
    /// Its clock is wrong.
    Skewed(DeviceId, Timestamp),
    /// Its state shows something.
    State(DeviceId, Feedback, Timestamp),
}

/// A command that may be put on the wire, once.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// As it stands on disk now.
    pub command: DeviceCommand,
    /// What to put there.
    pub step: SendStep,
    /// Its number among those of its device.
    pub counter: u64,
    /// 128 random bits.
    pub nonce: String,
}

impl State {
    /// What has changed about commands since: a number that goes up.
    pub fn commands_changed(&self) -> watch::Receiver<u64> {
        self.shared.commands.changed.subscribe()
    }

    /// Whether a device's state is looked at now.
    pub fn watches_device(&self, device: &DeviceId) -> bool {
        self.shared.commands.watched.read().contains_key(device)
    }

    /// Commands that are not over.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn commands_under_way(&self) -> Result<Vec<DeviceCommand>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} due_at IS NOT NULL ORDER BY counter, id LIMIT {AT_ONCE}"
        )))
        .fetch_all(&self.shared.read)
        .await?;
        rows.iter().map(|row| list(&row.body)).collect()
    }

    /// Lets the clock run on commands, and claims those that can go: `way` says of a command whether its device can be reached now, and
    /// then what comes back from it. What is given back is on disk as claimed, and is never given back again.
    ///
    /// # Errors
    /// A database that cannot be written: nothing is claimed.
    pub async fn claim_commands(
        &self,
        now: Timestamp,
        way: impl Fn(CommandId) -> Option<Means> + Send,
    ) -> Result<Vec<Claimed>, StateError> {
        let mut tx = self.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} due_at IS NOT NULL AND (due_at <= $1 OR stage IN ('waiting', 'accepted')) ORDER BY counter, id LIMIT {AT_ONCE}"
        )))
        .bind(us(now))
        .fetch_all(&mut *tx)
        .await?;
        let (mut claimed, mut changed) = (Vec::new(), Vec::new());
        for row in rows {
            let mut command: DeviceCommand = list(&row.body)?;
            let before = command.stage;
            command.tick(now);
            let step = match way(command.id) {
                Some(means) => command.claim(now, means),
                None => None,
            };
            if command.stage == before {
                continue;
            }
            save(&mut tx, &command).await?;
            changed.push(command.clone());
            if let Some(step) = step {
                claimed.push(Claimed {
                    command,
                    step,
                    counter: row.counter.cast_unsigned(),
                    nonce: row.nonce,
                });
            }
        }
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let told = self.told_of(&mut tx, &changed, now).await?;
        let revision = self.publish(&mut tx, told).await?;
        tx.commit().await?;
        self.command_news(revision, &changed);
        Ok(claimed)
    }

    /// Says whether a claimed command was handed to its device's connection, or certainly was not.
    ///
    /// # Errors
    /// A database that cannot be written: it stays claimed.
    pub async fn command_handed(
        &self,
        id: CommandId,
        delivered: bool,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.step(id, now, |command| {
            command.handed(delivered);
            true
        })
        .await
    }

    /// An answer that came another way than through the journal: of a device that is asked over HTTP.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn command_answered(
        &self,
        id: CommandId,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.step(id, now, |command| command.answer(answer)).await
    }

    async fn step(
        &self,
        id: CommandId,
        now: Timestamp,
        step: impl FnOnce(&mut DeviceCommand) -> bool,
    ) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        let Some((mut command, _)) = one(&mut tx, id).await? else {
            return Ok(());
        };
        let before = command.clone();
        if !step(&mut command) || command == before {
            return Ok(());
        }
        save(&mut tx, &command).await?;
        let told = self
            .told_of(&mut tx, std::slice::from_ref(&command), now)
            .await?;
        let revision = self.publish(&mut tx, told).await?;
        tx.commit().await?;
        self.command_news(revision, &[command]);
        Ok(())
    }

    /// What the journal has not been told: commands that are over, the oldest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn untold_commands(&self) -> Result<Vec<DeviceCommand>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} told = 0 AND due_at IS NULL ORDER BY id LIMIT {AT_ONCE}"
        )))
        .fetch_all(&self.shared.read)
        .await?;
        rows.iter().map(|row| list(&row.body)).collect()
    }

    /// The journal has been told of a command's outcome.
    ///
    /// # Errors
    /// A database that cannot be written: it will be told again, under the same key.
    pub async fn command_told(&self, told: &DeviceCommand) -> Result<(), StateError> {
        sqlx::query("UPDATE device_command SET told = 1 WHERE id = $1 AND stage = $2")
            .bind(told.id.to_string())
            .bind(told.stage.as_str())
            .execute(&self.shared.write)
            .await?;
        Ok(())
    }

    /// Lines of the audit trail for those that are over now, and what the feed tells of all.
    async fn told_of(
        &self,
        connection: &mut SqliteConnection,
        changed: &[DeviceCommand],
        now: Timestamp,
    ) -> Result<Vec<News>, StateError> {
        let over = changed.iter().filter(|command| command.stage.is_final());
        let lines: Vec<_> = over
            .map(|command| line(command, "hub", "end_command", now))
            .collect();
        if !lines.is_empty() {
            audit::append(connection, lines).await?;
        }
        Ok(changed.iter().map(news).collect())
    }

    /// What devices said in a batch, in its transaction; says which commands changed.
    pub(in crate::state) async fn hear(
        &self,
        connection: &mut SqliteConnection,
        heard: &[Heard],
    ) -> Result<(Vec<DeviceCommand>, Vec<News>), StateError> {
        let mut changed = Vec::new();
        let mut latest = Timestamp::UNIX_EPOCH;
        for heard in heard {
            match heard {
                Heard::Answer(device, answer) => {
                    latest = latest.max(answer.at);
                    let Ok(id) = answer.command.parse::<CommandId>() else {
                        continue;
                    };
                    let Some((mut command, _)) = one(connection, id).await? else {
                        continue;
                    };
                    // another device's word is none
                    if command.asked.device == *device && command.answer(answer) {
                        save(connection, &command).await?;
                        changed.push(command);
                    }
                }
                Heard::Skewed(device, at) => {
                    latest = latest.max(*at);
                    if let Some(command) = self.set_clock(connection, device, *at).await? {
                        changed.push(command);
                    }
                }
                Heard::State(device, shows, at) => {
                    latest = latest.max(*at);
                    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
                        "{SELECT} device = $1 AND (due_at IS NOT NULL OR stage = 'no_effect') ORDER BY id DESC LIMIT 8"
                    )))
                    .bind(device.as_str())
                    .fetch_all(&mut *connection)
                    .await?;
                    for row in rows {
                        let mut command: DeviceCommand = list(&row.body)?;
                        if command.feedback(*shows, *at) {
                            save(connection, &command).await?;
                            changed.push(command);
                        }
                    }
                }
            }
        }
        let news = self.told_of(connection, &changed, latest).await?;
        Ok((changed, news))
    }

    /// A device whose clock is wrong is told the time, at most once in [`SET_CLOCK_EVERY`].
    async fn set_clock(
        &self,
        connection: &mut SqliteConnection,
        device: &DeviceId,
        at: Timestamp,
    ) -> Result<Option<DeviceCommand>, StateError> {
        let registry = self.shared.registry();
        let Some(known) = registry.devices.get(device) else {
            return Ok(None);
        };
        let since = us(at.saturating_sub(SET_CLOCK_EVERY).unwrap_or(Timestamp::MIN));
        let recent: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM device_command WHERE device = $1 AND asked_at > $2 AND purpose = 'upkeep'",
        )
        .bind(device.as_str())
        .bind(since)
        .fetch_one(&mut *connection)
        .await?;
        if recent > 0 {
            return Ok(None);
        }
        let asked = Asked {
            device: device.clone(),
            site: known.site.clone(),
            action: Action::SyncTime,
            args: serde_json::json!({}),
            purpose: Purpose::Upkeep,
            by: "clock".to_owned(),
            reason: String::new(),
            incident: None,
            fire_mode: None,
            needs_two: false,
            at,
        };
        let id = CommandId::new(made(at, &format!("sync-time|{device}")));
        let command = DeviceCommand::new(id, asked);
        insert(connection, &command).await?;
        Ok(Some(command))
    }

    /// Wakes whoever drives commands, and looks at their devices for a while. After the commit.
    pub(in crate::state) fn command_news(
        &self,
        revision: Option<Revision>,
        changed: &[DeviceCommand],
    ) {
        let mut watched = self.shared.commands.watched.write();
        let mut latest = Timestamp::UNIX_EPOCH;
        for command in changed {
            let moved = [command.sent_at, command.answered_at, command.ended_at];
            latest = moved.iter().flatten().fold(latest, |a, b| a.max(*b));
            let until = watched_until(command);
            let entry = watched.entry(command.asked.device.clone());
            let kept = entry.or_insert(until);
            *kept = until.max(*kept);
        }
        watched.retain(|_, until| *until > latest);
        drop(watched);
        if let Some(revision) = revision {
            self.announce(revision);
        }
        self.shared.commands.changed.send_modify(|n| *n += 1);
    }
}

/// Until when the state of a command's device says something about it.
fn watched_until(command: &DeviceCommand) -> Timestamp {
    let from = command.ended_at.unwrap_or(command.expires_at);
    let due = command.due_at().unwrap_or(from).max(from);
    due.saturating_add(WATCHED_AFTER).unwrap_or(Timestamp::MAX)
}

/// What is kept in memory of commands.
pub(in crate::state) struct Watch {
    /// Devices whose state is looked at, and until when.
    pub(in crate::state) watched: parking_lot::RwLock<HashMap<DeviceId, Timestamp>>,
    pub(in crate::state) changed: watch::Sender<u64>,
}

impl Watch {
    pub(in crate::state) async fn load(
        connection: &mut SqliteConnection,
    ) -> Result<Self, StateError> {
        let rows: Vec<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} due_at IS NOT NULL")))
                .fetch_all(connection)
                .await?;
        let mut watched = HashMap::new();
        for row in rows {
            let command: DeviceCommand = list(&row.body)?;
            watched.insert(command.asked.device.clone(), watched_until(&command));
        }
        Ok(Self {
            watched: watched.into(),
            changed: watch::Sender::new(0),
        })
    }
}
