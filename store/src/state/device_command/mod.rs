//! Commands to devices: each as the machine of [`domain::device_command`] keeps it, a row; each step is on disk before it is acted on.
//!
//! People ask, confirm and withdraw ([`ask`]); the hub's worker claims, sends and lets the clock run ([`drive`]); what devices say
//! comes with the detector's batch, in the transaction that moves its cursor.

mod ask;
mod drive;

use domain::device_command::DeviceCommand;
use domain::{CommandId, DeviceId, FireModeId, IncidentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};

pub use ask::{CommandAskError, NewCommand};
pub(super) use drive::Watch;
pub use drive::{Claimed, Heard};

use super::audit::Entry;
use super::commit::News;
use super::error::StateError;
use super::incidents::{json, list};
use super::view::Moment;

/// Commands that are kept; the oldest that are over go first. The audit trail keeps what was done.
const ROWS_MAX: i64 = 20_000;

/// A command to a device as lists and the feed carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandItem {
    /// Names it.
    pub id: CommandId,
    /// Which device.
    pub device: DeviceId,
    /// Its site.
    pub site: domain::SiteId,
    /// What it is told.
    pub command: String,
    /// Why: a word of `Purpose`.
    pub purpose: String,
    /// Where it stands: a word of `Stage`.
    pub stage: String,
    /// Whether it is over.
    pub is_over: bool,
    /// What became of it: a word of the hub, or the device's own.
    pub detail: Option<String>,
    /// Who asked: a log-in name, or `rule:…`.
    pub asked_by: String,
    /// When.
    pub asked_at: Moment,
    /// In their words.
    pub reason: String,
    /// Who confirmed.
    pub confirmed_by: Option<UserId>,
    /// When it is void.
    pub expires_at: Moment,
    /// When it left.
    pub sent_at: Option<Moment>,
    /// When the device answered last.
    pub answered_at: Option<Moment>,
    /// The device's state has shown it.
    pub effect_seen: bool,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// By which fire mode.
    pub fire_mode: Option<FireModeId>,
}

impl From<&DeviceCommand> for CommandItem {
    fn from(command: &DeviceCommand) -> Self {
        let asked = &command.asked;
        Self {
            id: command.id,
            device: asked.device.clone(),
            site: asked.site.clone(),
            command: asked.action.to_string(),
            purpose: asked.purpose.to_string(),
            stage: command.stage.to_string(),
            is_over: command.stage.is_final() && command.due_at().is_none(),
            detail: command.detail.clone(),
            asked_by: asked.by.clone(),
            asked_at: asked.at.into(),
            reason: asked.reason.clone(),
            confirmed_by: command.confirmed_by.clone(),
            expires_at: command.expires_at.into(),
            sent_at: command.sent_at.map(Moment),
            answered_at: command.answered_at.map(Moment),
            effect_seen: command.effect_seen,
            ended_at: command.ended_at.map(Moment),
            incident: asked.incident,
            fire_mode: asked.fire_mode,
        }
    }
}

#[derive(FromRow)]
struct Row {
    counter: i64,
    nonce: String,
    body: String,
}

const SELECT: &str = "SELECT counter, nonce, body FROM device_command WHERE ";

fn us(at: Timestamp) -> i64 {
    at.as_microsecond()
}

async fn one(
    connection: &mut SqliteConnection,
    id: CommandId,
) -> Result<Option<(DeviceCommand, Row)>, StateError> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} id = $1")))
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((list(&row.body)?, row))).transpose()
}

/// Writes a new command with its number among those of its device.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    command: &DeviceCommand,
) -> Result<(), StateError> {
    let device = command.asked.device.as_str();
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(counter) FROM device_command WHERE device = $1")
            .bind(device)
            .fetch_one(&mut *connection)
            .await?;
    // also after rows have gone, or another database took over, it is higher than what the device has seen
    let floor = command.asked.at.as_millisecond();
    let counter = last.map_or(floor, |last| floor.max(last + 1));
    let nonce: [u8; 16] = rand::random();
    sqlx::query(
        "INSERT INTO device_command (id, device, stage, purpose, asked_by, asked_at, due_at, counter, nonce, fire_mode, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(command.id.to_string())
    .bind(device)
    .bind(command.stage.as_str())
    .bind(command.asked.purpose.as_str())
    .bind(&command.asked.by)
    .bind(us(command.asked.at))
    .bind(command.due_at().map(us))
    .bind(counter)
    .bind(hex::encode(nonce))
    .bind(command.asked.fire_mode.map(|id| id.to_string()))
    .bind(json(command))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM device_command WHERE due_at IS NULL AND told = 1 AND id IN
           (SELECT id FROM device_command ORDER BY id DESC LIMIT 64 OFFSET $1)",
    )
    .bind(ROWS_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    command: &DeviceCommand,
) -> Result<(), StateError> {
    sqlx::query(
        "UPDATE device_command SET stage = $1, due_at = $2, body = $3,
           told = CASE WHEN stage = $1 THEN told ELSE 0 END WHERE id = $4",
    )
    .bind(command.stage.as_str())
    .bind(command.due_at().map(us))
    .bind(json(command))
    .bind(command.id.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Commands of a device that are not over.
pub(super) async fn of_device_open(
    connection: &mut SqliteConnection,
    device: &DeviceId,
) -> Result<Vec<DeviceCommand>, StateError> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} device = $1 AND due_at IS NOT NULL ORDER BY id DESC"
    )))
    .bind(device.as_str())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| list(&row.body)).collect()
}

/// What a fire mode has asked for.
pub(super) async fn of_fire_mode(
    connection: &mut SqliteConnection,
    id: FireModeId,
) -> Result<Vec<CommandItem>, StateError> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} fire_mode = $1 ORDER BY id"
    )))
    .bind(id.to_string())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(CommandItem::from(&list::<DeviceCommand>(&row.body)?)))
        .collect()
}

/// What the feed tells of a command.
pub(super) fn news(command: &DeviceCommand) -> News {
    let item = CommandItem::from(command);
    News::Made {
        kind: "command",
        id: item.id.to_string(),
        json: json(&item),
    }
}

/// A line of the audit trail; `act` one of `ask_command`, `confirm_command`, `withdraw_command`, `end_command`.
pub(super) fn line(command: &DeviceCommand, by: &str, act: &str, at: Timestamp) -> Entry {
    let asked = &command.asked;
    let detail = command.detail.as_deref().unwrap_or_default();
    let to = match (act, detail) {
        ("end_command", "") => command.stage.to_string(),
        ("end_command", detail) => format!("{} ({detail})", command.stage),
        _ => asked.action.to_string(),
    };
    Entry {
        at,
        actor: by.to_owned(),
        act: act.to_owned(),
        object: format!("{}:{}", asked.device, command.id),
        department: None,
        from: asked.purpose.to_string(),
        to,
        note: (act == "ask_command").then(|| asked.reason.clone()),
    }
}
