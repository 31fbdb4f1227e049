//! Fire mode: on a confirmed fire the doors of escape ways and the barriers are told to open, and whatever has not confirmed is listed.
//!
//! It starts by itself where a rule says so (two independent devices in one compartment), by one person while a detector of the building
//! is in alarm, by two persons otherwise, or by one alone with a reason. It ends by hand only. A drill is one that is called a drill: its
//! commands go out only if that was asked for. The hub adds to a certified fire controller and never replaces it: doors of escape ways
//! must open by themselves, without us (GB 50116 4.10.3).

use domain::device_command::{
    Action, Asked, DeviceCommand, FireModeState, PROPOSAL, Purpose, Stage,
};
use domain::place::{Device, Registry, ZoneKind};
use domain::rule::{Finding, FindingKind, RuleBook};
use domain::{
    CommandId, DeviceClass, DeviceId, FireModeId, IncidentId, Reach, Severity, SiteId, Timestamp,
    UserId, ZoneId,
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::command::finish;
use super::commit::News;
use super::device_command::{self, CommandAskError, CommandItem};
use super::error::StateError;
use super::finding::made;
use super::incidents::{json, opt_time, opt_word, time, word};
use super::view::Moment;
use super::{State, reach};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;
/// Shortest reason of one who starts it alone and without a detector, in characters.
const ALONE_REASON_CHARS_MIN: usize = 10;
/// Fire modes of a list.
const LIST_MAX: i64 = 100;

/// Fire mode as lists and the feed carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FireModeItem {
    /// Names it.
    pub id: FireModeId,
    /// Where it stands.
    pub state: FireModeState,
    /// It is a drill.
    pub drill: bool,
    /// Doors and barriers were told to open; of a drill only if somebody wanted that.
    pub with_devices: bool,
    /// Its site.
    pub site: SiteId,
    /// Its building, if the place is in one.
    pub building: Option<domain::id::BuildingId>,
    /// Where the fire was found.
    pub zone: ZoneId,
    /// Who started it: a log-in name, or `rule:S2`.
    pub started_by: String,
    /// When.
    pub started_at: Moment,
    /// In their words.
    pub reason: String,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// Who confirmed it.
    pub confirmed_by: Option<UserId>,
    /// Who ended it.
    pub ended_by: Option<UserId>,
    /// When.
    pub ended_at: Option<Moment>,
    /// Why.
    pub end_reason: Option<String>,
    /// What has to be open.
    pub devices: Vec<DeviceId>,
    /// What each was told, and what became of it.
    pub commands: Vec<CommandItem>,
}

/// Fire mode as somebody starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFireMode {
    /// Where the fire is.
    pub zone: ZoneId,
    /// Why: 1 to 200 characters.
    pub reason: String,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// It is a drill.
    pub drill: bool,
    /// In a drill: tell doors and barriers to open.
    pub with_devices: bool,
    /// Without a second person and without a detector, with a reason of at least 10 characters.
    pub alone: bool,
}

#[derive(FromRow)]
struct Row {
    id: String,
    state: String,
    drill: i64,
    site: String,
    building: Option<String>,
    zone: String,
    started_by: String,
    reason: String,
    incident: Option<String>,
    started_at: i64,
    confirmed_by: Option<String>,
    ended_by: Option<String>,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    with_devices: i64,
}

impl State {
    /// Starts fire mode by hand: at once while a detector of the building is in alarm, else when a second person confirms.
    ///
    /// # Errors
    /// [`CommandAskError::NotFound`], [`CommandAskError::Invalid`].
    pub async fn start_fire_mode(
        &self,
        new: NewFireMode,
        by: UserId,
        at: Timestamp,
    ) -> Result<FireModeItem, CommandAskError> {
        let state = self.clone();
        finish(async move { state.start(new, &by, at).await }).await
    }

    async fn start(
        &self,
        new: NewFireMode,
        by: &UserId,
        at: Timestamp,
    ) -> Result<FireModeItem, CommandAskError> {
        let reason = checked(
            &new.reason,
            if new.alone { ALONE_REASON_CHARS_MIN } else { 1 },
        )?;
        let registry = self.shared.registry();
        let zone = registry
            .zones
            .get(&new.zone)
            .ok_or(CommandAskError::NotFound("zone"))?;
        let mut tx = self.begin().await?;
        let building = zone.building.as_ref().map(AsRef::as_ref);
        // pressed twice, or by two: it is one
        if let Some(row) =
            open_one(&mut tx, zone.site.as_str(), (building, &zone.id), new.drill).await?
            && !is_void(&row, at)
        {
            return item(&mut tx, &registry, row).await.map_err(Into::into);
        }
        let is_seen = device_in_alarm(&mut tx, &registry, zone).await?;
        let stands = is_seen || new.alone || new.drill;
        let row = Row {
            id: FireModeId::new(made(at, &format!("fire|{by}|{}", new.zone))).to_string(),
            state: if stands { "active" } else { "proposed" }.to_owned(),
            drill: i64::from(new.drill),
            site: zone.site.to_string(),
            building: zone.building.as_ref().map(ToString::to_string),
            zone: zone.id.to_string(),
            started_by: by.to_string(),
            reason,
            incident: new.incident.map(|id| id.to_string()),
            started_at: at.as_microsecond(),
            confirmed_by: None,
            ended_by: None,
            ended_at: None,
            end_reason: None,
            with_devices: i64::from(!new.drill || new.with_devices),
        };
        let act = match (stands, new.alone && !is_seen) {
            (false, _) => "propose_fire_mode",
            (true, true) => "start_fire_mode_alone",
            (true, false) => "start_fire_mode",
        };
        let mut told = Vec::new();
        insert(&mut tx, &row, at, act).await?;
        let changed = if stands {
            release(&mut tx, &registry, &row, at, &mut told).await?
        } else {
            Vec::new()
        };
        self.finish_fire_mode(tx, &registry, row, changed, told)
            .await
    }

    /// A second person confirms: what has to open is told to.
    ///
    /// # Errors
    /// [`CommandAskError::NotFound`], [`CommandAskError::NotNow`].
    pub async fn confirm_fire_mode(
        &self,
        id: FireModeId,
        by: &UserId,
        at: Timestamp,
    ) -> Result<FireModeItem, CommandAskError> {
        use domain::device_command::NotNow;
        let registry = self.shared.registry();
        let mut tx = self.begin().await?;
        let mut row = one(&mut tx, id)
            .await?
            .ok_or(CommandAskError::NotFound("fire mode"))?;
        if row.state != "proposed" || is_void(&row, at) {
            return Err(NotNow::NotProposed.into());
        }
        if row.started_by == by.as_str() {
            return Err(NotNow::SamePerson.into());
        }
        "active".clone_into(&mut row.state);
        row.confirmed_by = Some(by.to_string());
        save(&mut tx, &row).await?;
        audit::append(
            &mut tx,
            vec![line(&row, by.as_str(), "confirm_fire_mode", at)],
        )
        .await?;
        let mut told = Vec::new();
        let changed = release(&mut tx, &registry, &row, at, &mut told).await?;
        self.finish_fire_mode(tx, &registry, row, changed, told)
            .await
    }

    /// Ends fire mode, or takes a proposal back. Nothing is locked or lowered by it: people do that, where they see it.
    ///
    /// # Errors
    /// [`CommandAskError::NotFound`], [`CommandAskError::Invalid`], [`CommandAskError::NotNow`] when it is over.
    pub async fn end_fire_mode(
        &self,
        id: FireModeId,
        reason: &str,
        by: &UserId,
        at: Timestamp,
    ) -> Result<FireModeItem, CommandAskError> {
        let reason = checked(reason, 1)?;
        let registry = self.shared.registry();
        let mut tx = self.begin().await?;
        let mut row = one(&mut tx, id)
            .await?
            .ok_or(CommandAskError::NotFound("fire mode"))?;
        if !matches!(row.state.as_str(), "proposed" | "active") {
            return Err(domain::device_command::NotNow::Over.into());
        }
        "ended".clone_into(&mut row.state);
        row.ended_by = Some(by.to_string());
        row.ended_at = Some(at.as_microsecond());
        row.end_reason = Some(reason);
        save(&mut tx, &row).await?;
        let mut entry = line(&row, by.as_str(), "end_fire_mode", at);
        entry.note.clone_from(&row.end_reason);
        audit::append(&mut tx, vec![entry]).await?;
        self.finish_fire_mode(tx, &registry, row, Vec::new(), Vec::new())
            .await
    }

    async fn finish_fire_mode(
        &self,
        mut tx: sqlx::Transaction<'static, Sqlite>,
        registry: &Registry,
        row: Row,
        changed: Vec<DeviceCommand>,
        mut told: Vec<News>,
    ) -> Result<FireModeItem, CommandAskError> {
        let item = item(&mut tx, registry, row).await?;
        told.push(news(&item));
        let revision = self.publish(&mut tx, told).await?;
        tx.commit().await.map_err(StateError::from)?;
        self.command_news(revision, &changed);
        Ok(item)
    }

    /// Fire modes of a scope, the newest first; only those that are not over, if asked so.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn fire_modes(
        &self,
        open: bool,
        now: Timestamp,
        reach: &Reach,
    ) -> Result<Vec<FireModeItem>, StateError> {
        let registry = self.shared.registry();
        let mut snapshot = self.snapshot().await?;
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM fire_mode WHERE 1 = 1");
        if open {
            query.push(" AND state IN ('proposed', 'active')");
        }
        reach::fire_modes(&mut query, reach);
        query.push(" ORDER BY id DESC LIMIT ").push_bind(LIST_MAX);
        let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *snapshot).await?;
        let mut items = Vec::with_capacity(rows.len());
        for mut row in rows {
            if is_void(&row, now) {
                if open {
                    continue;
                }
                "void".clone_into(&mut row.state);
            }
            items.push(item(&mut snapshot, &registry, row).await?);
        }
        Ok(items)
    }

    /// One fire mode.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn fire_mode(&self, id: FireModeId) -> Result<Option<FireModeItem>, StateError> {
        let registry = self.shared.registry();
        let mut snapshot = self.snapshot().await?;
        match one(&mut snapshot, id).await? {
            Some(row) => Ok(Some(item(&mut snapshot, &registry, row).await?)),
            None => Ok(None),
        }
    }

    /// What a batch's findings start by themselves, in its transaction.
    pub(super) async fn fire_modes_of(
        &self,
        connection: &mut SqliteConnection,
        findings: &[&Finding],
        book: &RuleBook,
    ) -> Result<(Vec<DeviceCommand>, Vec<News>), StateError> {
        let (mut changed, mut told) = (Vec::new(), Vec::new());
        for finding in findings {
            let starts = finding.what == FindingKind::Raised
                && book.get(&finding.rule).is_some_and(|rule| rule.fire_mode);
            let Some(zone) = finding.zone.as_ref().filter(|_| starts) else {
                continue;
            };
            let registry = self.shared.registry();
            let Some(zone) = registry.zones.get(zone) else {
                continue;
            };
            let building = zone.building.as_ref().map(AsRef::as_ref);
            let is_open = open_one(connection, zone.site.as_str(), (building, &zone.id), false)
                .await?
                .is_some_and(|row| row.state == "active");
            if is_open {
                continue;
            }
            let at = finding.at;
            let row = Row {
                id: FireModeId::new(made(at, &format!("fire|{}|{}", finding.rule, zone.id)))
                    .to_string(),
                state: "active".to_owned(),
                drill: 0,
                site: zone.site.to_string(),
                building: zone.building.as_ref().map(ToString::to_string),
                zone: zone.id.to_string(),
                started_by: format!("rule:{}", finding.rule),
                reason: String::new(),
                incident: None,
                started_at: at.as_microsecond(),
                confirmed_by: None,
                ended_by: None,
                ended_at: None,
                end_reason: None,
                with_devices: 1,
            };
            insert(connection, &row, at, "start_fire_mode").await?;
            changed.extend(release(connection, &registry, &row, at, &mut told).await?);
            told.push(news(&item(connection, &registry, row).await?));
        }
        Ok((changed, told))
    }
}

fn checked(reason: &str, least: usize) -> Result<String, CommandAskError> {
    let reason = reason.trim().to_owned();
    if (least..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    let what = format!("`reason` has {least} to {REASON_CHARS_MAX} characters");
    Err(CommandAskError::Invalid { what })
}

/// A proposal that nobody has confirmed in time.
fn is_void(row: &Row, now: Timestamp) -> bool {
    let ends = row.started_at + i64::try_from(PROPOSAL.as_micros()).unwrap_or(i64::MAX);
    row.state == "proposed" && now.as_microsecond() >= ends
}

/// What has to be open: doors of escape ways of the building (of the zone itself where it stands in none), and the site's barriers.
fn to_open<'a>(registry: &'a Registry, row: &Row) -> Vec<&'a Device> {
    let is_escape = |device: &Device| {
        let Some(zone) = registry.zones.get(&device.zone) else {
            return false;
        };
        let is_here = match &row.building {
            Some(building) => zone.building.as_ref().map(AsRef::as_ref) == Some(building.as_str()),
            None => zone.id.as_str() == row.zone,
        };
        zone.kind == ZoneKind::FireDoor && is_here
    };
    let devices = registry.devices.values();
    let of_site = devices.filter(|device| device.site.as_str() == row.site);
    of_site
        .filter(|device| match device.class {
            DeviceClass::Barrier => true,
            DeviceClass::Access => is_escape(device),
            _ => false,
        })
        .collect()
}

/// Tells what has to open to do so. What others have asked of those devices and has not left is taken back.
async fn release(
    connection: &mut SqliteConnection,
    registry: &Registry,
    row: &Row,
    at: Timestamp,
    told: &mut Vec<News>,
) -> Result<Vec<DeviceCommand>, StateError> {
    let mut changed = Vec::new();
    if row.with_devices == 0 {
        return Ok(changed);
    }
    let id: FireModeId = word(&row.id)?;
    let purpose = if row.drill == 0 {
        Purpose::Fire
    } else {
        Purpose::Drill
    };
    let mut lines = Vec::new();
    for device in to_open(registry, row) {
        for mut before in device_command::of_device_open(connection, &device.id).await? {
            if matches!(before.stage, Stage::Proposed | Stage::Waiting)
                && before.withdraw(at, "fire_mode").is_ok()
            {
                device_command::save(connection, &before).await?;
                lines.push(device_command::line(&before, "hub", "end_command", at));
                told.push(device_command::news(&before));
                changed.push(before);
            }
        }
        let action = match device.class {
            DeviceClass::Barrier => Action::Raise,
            _ => Action::Unlock,
        };
        let command = DeviceCommand::new(
            CommandId::new(made(at, &format!("{id}|{}", device.id))),
            Asked {
                device: device.id.clone(),
                site: device.site.clone(),
                action,
                args: serde_json::json!({}),
                purpose,
                by: row.started_by.clone(),
                reason: row.reason.clone(),
                incident: row.incident.as_deref().map(word).transpose()?,
                fire_mode: Some(id),
                needs_two: false,
                at,
            },
        );
        device_command::insert(connection, &command).await?;
        lines.push(device_command::line(
            &command,
            &row.started_by,
            "ask_command",
            at,
        ));
        told.push(device_command::news(&command));
        changed.push(command);
    }
    if !lines.is_empty() {
        audit::append(connection, lines).await?;
    }
    Ok(changed)
}

/// Whether a fire sensor or a fire panel of the building, or of the zone itself, is in a P1 alarm now. A camera is neither.
async fn device_in_alarm(
    connection: &mut SqliteConnection,
    registry: &Registry,
    zone: &domain::place::Zone,
) -> Result<bool, StateError> {
    let devices: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT device FROM alarm WHERE site = $1 AND device IS NOT NULL AND severity = $2
           AND state IN ('active_unacked', 'active_acked')",
    )
    .bind(zone.site.as_str())
    .bind(Severity::P1.number())
    .fetch_all(connection)
    .await?;
    Ok(devices.iter().any(|id| {
        let device = id.parse::<DeviceId>().ok();
        let Some(device) = device.and_then(|id| registry.devices.get(&id)) else {
            return false;
        };
        let is_of_fire = matches!(device.class, DeviceClass::FireSensor | DeviceClass::Panel);
        let building = |id: &ZoneId| {
            registry
                .zones
                .get(id)
                .and_then(|zone| zone.building.clone())
        };
        let is_here = device.zone == zone.id
            || (zone.building.is_some() && building(&device.zone) == zone.building);
        is_of_fire && is_here
    }))
}

async fn open_one(
    connection: &mut SqliteConnection,
    site: &str,
    (building, zone): (Option<&str>, &ZoneId),
    drill: bool,
) -> Result<Option<Row>, StateError> {
    Ok(sqlx::query_as(
        "SELECT * FROM fire_mode WHERE state IN ('proposed', 'active') AND site = $1 AND building IS $2 AND drill = $3
           AND (building IS NOT NULL OR zone = $4)
         ORDER BY state, id DESC LIMIT 1",
    )
    .bind(site)
    .bind(building)
    .bind(i64::from(drill))
    .bind(zone.as_str())
    .fetch_optional(connection)
    .await?)
}

async fn one(connection: &mut SqliteConnection, id: FireModeId) -> Result<Option<Row>, StateError> {
    Ok(sqlx::query_as("SELECT * FROM fire_mode WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?)
}

async fn item(
    connection: &mut SqliteConnection,
    registry: &Registry,
    row: Row,
) -> Result<FireModeItem, StateError> {
    let id: FireModeId = word(&row.id)?;
    let devices = to_open(registry, &row);
    let devices = devices.iter().map(|device| device.id.clone()).collect();
    let commands = device_command::of_fire_mode(connection, id).await?;
    Ok(FireModeItem {
        id,
        state: word(&row.state)?,
        drill: row.drill != 0,
        with_devices: row.with_devices != 0,
        site: word(&row.site)?,
        building: opt_word(row.building.as_ref())?,
        zone: word(&row.zone)?,
        started_by: row.started_by,
        started_at: Moment(time(row.started_at)?),
        reason: row.reason,
        incident: row.incident.as_deref().map(word).transpose()?,
        confirmed_by: opt_word(row.confirmed_by.as_ref())?,
        ended_by: opt_word(row.ended_by.as_ref())?,
        ended_at: opt_time(row.ended_at)?.map(Moment),
        end_reason: row.end_reason,
        devices,
        commands,
    })
}

fn news(item: &FireModeItem) -> News {
    News::Made {
        kind: "fire_mode",
        id: item.id.to_string(),
        json: json(item),
    }
}

fn line(row: &Row, by: &str, act: &str, at: Timestamp) -> Entry {
    Entry {
        at,
        actor: by.to_owned(),
        act: act.to_owned(),
        object: row.id.clone(),
        department: None,
        from: if row.drill == 0 { "fire" } else { "drill" }.to_owned(),
        to: row.zone.clone(),
        note: (!row.reason.is_empty()).then(|| row.reason.clone()),
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    row: &Row,
    at: Timestamp,
    act: &str,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO fire_mode (id, state, drill, site, building, zone, started_by, reason, incident, started_at, with_devices)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&row.id)
    .bind(&row.state)
    .bind(row.drill)
    .bind(&row.site)
    .bind(&row.building)
    .bind(&row.zone)
    .bind(&row.started_by)
    .bind(&row.reason)
    .bind(&row.incident)
    .bind(row.started_at)
    .bind(row.with_devices)
    .execute(&mut *connection)
    .await?;
    audit::append(connection, vec![line(row, &row.started_by, act, at)]).await
}

async fn save(connection: &mut SqliteConnection, row: &Row) -> Result<(), StateError> {
    sqlx::query(
        "UPDATE fire_mode SET state = $1, confirmed_by = $2, ended_by = $3, ended_at = $4, end_reason = $5 WHERE id = $6",
    )
    .bind(&row.state)
    .bind(&row.confirmed_by)
    .bind(&row.ended_by)
    .bind(row.ended_at)
    .bind(&row.end_reason)
    .bind(&row.id)
    .execute(connection)
    .await?;
    Ok(())
}
