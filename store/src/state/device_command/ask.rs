//! What people ask of devices: a command, its confirmation by a second person, its withdrawal.

use domain::alarm::Scope;
use domain::device_command::{Action, Asked, DeviceCommand, NotNow, Purpose, Stage};
use domain::{CommandId, DeviceId, IncidentId, Reach, Timestamp, UserId};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{CommandItem, Row, SELECT, insert, line, news, of_device_open, one, save, us};
use crate::state::command::{answered, bad_key, finish, remember};
use crate::state::error::StateError;
use crate::state::finding::made;
use crate::state::incidents::{json, list};
use crate::state::{PAGE_MAX, Page, State, audit, feed, maintenance, reach};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;
/// Shortest reason of somebody who does alone what takes two, in characters.
const ALONE_REASON_CHARS_MIN: usize = 10;
/// Commands of one person a minute: a session that was taken over must not flood the doors.
const A_MINUTE_BY_MAX: i64 = 30;
/// Commands to one device a minute.
const A_MINUTE_TO_MAX: i64 = 6;
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A command as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommand {
    /// Which device.
    pub device: DeviceId,
    /// What to do.
    pub action: Action,
    /// Why: 1 to 200 characters.
    pub reason: String,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// Without a second person, in need: whoever may do that, with a reason of at least 10 characters.
    pub alone: bool,
}

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CommandAskError {
    /// There is no such device, or command.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The device cannot be told that.
    #[error("a {class} cannot be told `{action}`")]
    NotOfClass {
        /// What it is.
        class: &'static str,
        /// What was asked.
        action: Action,
    },
    /// Somebody works on it.
    #[error(
        "somebody works on it until {until}: {reason} (hint: end the maintenance window first)"
    )]
    Maintenance {
        /// Until when.
        until: String,
        /// Why.
        reason: String,
    },
    /// Something else is under way at this device.
    #[error("`{action}` is under way at this device (hint: wait until it is over)")]
    Busy {
        /// What.
        action: Action,
        /// Which.
        current: Box<CommandItem>,
    },
    /// Too many.
    #[error("too many commands within a minute (hint: wait)")]
    TooMany,
    /// It cannot be confirmed or withdrawn.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// The key was used for something else.
    #[error(
        "this idempotency key belongs to another command (hint: a new key for every new command)"
    )]
    KeyReused,
    /// The request itself is wrong.
    #[error("{what}")]
    Invalid {
        /// What, which field, and the next step.
        what: String,
    },
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for CommandAskError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

impl State {
    /// Asks a device for something. Whoever asks for what is under way already gets that command: a double click opens once.
    ///
    /// # Errors
    /// [`CommandAskError`].
    pub async fn ask_command(
        &self,
        new: NewCommand,
        idempotency_key: &str,
        (by, at): (UserId, Timestamp),
    ) -> Result<CommandItem, CommandAskError> {
        if let Some(what) = bad_key(idempotency_key) {
            return Err(CommandAskError::Invalid { what });
        }
        let (state, key) = (self.clone(), idempotency_key.to_owned());
        finish(async move { state.ask(new, (&by, &key, at)).await }).await
    }

    async fn ask(
        &self,
        new: NewCommand,
        asked: (&UserId, &str, Timestamp),
    ) -> Result<CommandItem, CommandAskError> {
        let (by, key, at) = asked;
        let words =
            serde_json::json!([new.device, new.action, new.reason, new.incident, new.alone]);
        let request = hex::encode(Sha256::digest(words.to_string()));
        let mut tx = self.begin().await?;
        if let Some((of, answer)) = answered(&mut tx, by, key).await? {
            return if of == request {
                Ok(list(&answer)?)
            } else {
                Err(CommandAskError::KeyReused)
            };
        }
        let reason = checked_reason(&new)?;
        let registry = self.shared.registry();
        let device = registry
            .devices
            .get(&new.device)
            .ok_or(CommandAskError::NotFound("device"))?;
        if !Action::of_class(device.class).contains(&new.action) {
            return Err(CommandAskError::NotOfClass {
                class: device.class.as_str(),
                action: new.action,
            });
        }
        let scope = Scope {
            site: device.site.clone(),
            building: registry
                .zones
                .get(&device.zone)
                .and_then(|zone| zone.building.clone()),
            zone: Some(device.zone.clone()),
            device: Some(device.id.clone()),
            rules: Vec::new(),
        };
        let windows = maintenance::active(&mut tx, &device.site).await?;
        if let Some(window) = windows
            .iter()
            .find(|window| goes_over(&window.scope, &scope))
        {
            return Err(CommandAskError::Maintenance {
                until: window.ends_at.to_string(),
                reason: window.reason.clone(),
            });
        }
        if let Some(current) = under_way(&mut tx, &new.device).await? {
            let item = CommandItem::from(&current);
            if current.asked.action != new.action {
                let action = current.asked.action;
                let current = Box::new(item);
                return Err(CommandAskError::Busy { action, current });
            }
            // what it is asked twice it does once, and both see what became of it
            let entry = line(&current, by.as_str(), "ask_command", at);
            audit::append(&mut tx, vec![entry]).await?;
            remember(&mut tx, asked, &request, &json(&item)).await?;
            tx.commit().await?;
            return Ok(item);
        }
        not_too_many(&mut tx, &new.device, by, at).await?;
        let id = CommandId::new(made(at, &format!("{by}|{key}")));
        let command = DeviceCommand::new(
            id,
            Asked {
                site: device.site.clone(),
                device: new.device,
                action: new.action,
                args: serde_json::json!({}),
                purpose: Purpose::Operator,
                by: by.to_string(),
                reason,
                incident: new.incident,
                fire_mode: None,
                needs_two: new.action.needs_two() && !new.alone,
                at,
            },
        );
        insert(&mut tx, &command).await?;
        let act = if new.alone {
            "ask_command_alone"
        } else {
            "ask_command"
        };
        let mut entry = line(&command, by.as_str(), act, at);
        entry.note = Some(command.asked.reason.clone());
        audit::append(&mut tx, vec![entry]).await?;
        let item = CommandItem::from(&command);
        let revision = self.publish(&mut tx, vec![news(&command)]).await?;
        remember(&mut tx, asked, &request, &json(&item)).await?;
        tx.commit().await?;
        self.command_news(revision, std::slice::from_ref(&command));
        Ok(item)
    }

    /// A second person confirms a command: it may go from now on.
    ///
    /// # Errors
    /// [`CommandAskError::NotFound`], [`CommandAskError::NotNow`].
    pub async fn confirm_command(
        &self,
        id: CommandId,
        by: &UserId,
        at: Timestamp,
    ) -> Result<CommandItem, CommandAskError> {
        self.change(id, by, at, "confirm_command", |command| {
            command.confirm(by, at)
        })
        .await
    }

    /// A command is taken back before it has left.
    ///
    /// # Errors
    /// [`CommandAskError::NotFound`], [`CommandAskError::NotNow`].
    pub async fn withdraw_command(
        &self,
        id: CommandId,
        by: &UserId,
        at: Timestamp,
    ) -> Result<CommandItem, CommandAskError> {
        self.change(id, by, at, "withdraw_command", |command| {
            command.withdraw(at, "taken_back")
        })
        .await
    }

    async fn change(
        &self,
        id: CommandId,
        by: &UserId,
        at: Timestamp,
        act: &str,
        change: impl FnOnce(&mut DeviceCommand) -> Result<(), NotNow>,
    ) -> Result<CommandItem, CommandAskError> {
        let mut tx = self.begin().await?;
        let (mut command, _) = one(&mut tx, id)
            .await?
            .ok_or(CommandAskError::NotFound("command"))?;
        change(&mut command)?;
        save(&mut tx, &command).await?;
        audit::append(&mut tx, vec![line(&command, by.as_str(), act, at)]).await?;
        let revision = self.publish(&mut tx, vec![news(&command)]).await?;
        tx.commit().await?;
        self.command_news(revision, std::slice::from_ref(&command));
        Ok(CommandItem::from(&command))
    }

    /// One command.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn device_command(&self, id: CommandId) -> Result<Option<CommandItem>, StateError> {
        let mut connection = self.shared.read.acquire().await?;
        let found = one(&mut connection, id).await?;
        Ok(found.map(|(command, _)| CommandItem::from(&command)))
    }

    /// Commands to devices of a scope, the last asked first: of one device, or those that are not over.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn device_commands(
        &self,
        device: Option<&DeviceId>,
        under_way: bool,
        cursor: Option<&str>,
        limit: u32,
        reach: &Reach,
    ) -> Result<Page<CommandItem>, StateError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push("1 = 1");
        if let Some(cursor) = cursor {
            let before: CommandId = cursor
                .parse()
                .map_err(|e| StateError::invalid(format!("`cursor`: {e}")))?;
            query.push(" AND id < ").push_bind(before.to_string());
        }
        if let Some(device) = device {
            query.push(" AND device = ").push_bind(device.to_string());
        }
        if under_way {
            query.push(" AND due_at IS NOT NULL");
        }
        reach::commands(&mut query, reach, &self.shared.registry());
        query
            .push(" ORDER BY id DESC LIMIT ")
            .push_bind(i64::from(limit) + 1);
        let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *snapshot).await?;
        let commands = rows.iter().map(|row| list::<DeviceCommand>(&row.body));
        let mut items = commands
            .map(|command| Ok(CommandItem::from(&command?)))
            .collect::<Result<Vec<_>, StateError>>()?;
        let next = crate::state::query::cut(&mut items, limit, |item| item.id.to_string());
        Ok(Page {
            items,
            next,
            revision,
        })
    }
}

fn checked_reason(new: &NewCommand) -> Result<String, CommandAskError> {
    let reason = new.reason.trim().to_owned();
    let least = if new.alone { ALONE_REASON_CHARS_MIN } else { 1 };
    if (least..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    let what = format!("`reason` has {least} to {REASON_CHARS_MAX} characters");
    Err(CommandAskError::Invalid { what })
}

/// Whether a window goes over a device.
fn goes_over(window: &Scope, device: &Scope) -> bool {
    let is = |window: Option<&str>, device: Option<&str>| window.is_none() || window == device;
    is(
        window.building.as_ref().map(AsRef::as_ref),
        device.building.as_ref().map(AsRef::as_ref),
    ) && is(
        window.zone.as_ref().map(AsRef::as_ref),
        device.zone.as_ref().map(AsRef::as_ref),
    ) && is(
        window.device.as_ref().map(AsRef::as_ref),
        device.device.as_ref().map(AsRef::as_ref),
    )
}

/// The command that is under way at a device: proposed, waiting, or gone and not answered.
async fn under_way(
    connection: &mut SqliteConnection,
    device: &DeviceId,
) -> Result<Option<DeviceCommand>, StateError> {
    let open = of_device_open(connection, device).await?;
    let mut open = open.into_iter();
    Ok(open.find(|command| !command.stage.is_final()))
}

async fn not_too_many(
    connection: &mut SqliteConnection,
    device: &DeviceId,
    by: &UserId,
    at: Timestamp,
) -> Result<(), CommandAskError> {
    let since = us(at.saturating_sub(MINUTE).unwrap_or(Timestamp::MIN));
    let by_them: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM device_command WHERE asked_by = $1 AND asked_at > $2",
    )
    .bind(by.as_str())
    .bind(since)
    .fetch_one(&mut *connection)
    .await?;
    let to_it: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM device_command WHERE device = $1 AND asked_at > $2 AND purpose = 'operator' AND stage <> $3",
    )
    .bind(device.as_str())
    .bind(since)
    .bind(Stage::Withdrawn.as_str())
    .fetch_one(connection)
    .await?;
    if by_them >= A_MINUTE_BY_MAX || to_it >= A_MINUTE_TO_MAX {
        return Err(CommandAskError::TooMany);
    }
    Ok(())
}
