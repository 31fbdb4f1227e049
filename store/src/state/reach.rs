//! What a scope lets through, as conditions of queries: lists stay whole pages, and one object is looked at with the same condition.
//!
//! A list that names nothing is `1 = 0`: who is limited to what there is no more sees nothing.

use std::collections::{HashMap, HashSet};

use domain::id::MaintenanceId;
use domain::place::Registry;
use domain::scope::Places;
use domain::{AlarmId, DeviceId, IncidentId, Reach};
use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::error::StateError;
use super::incidents::{json, list};
use super::{FeedRow, State, flood};

/// What the feed tells instead of a change that somebody may not see: that there was one, so that revisions stay gap-free.
pub const HIDDEN: &str = "hidden";

type Sql = QueryBuilder<Sqlite>;

/// `column IN (…)`
pub(super) fn among<T: AsRef<str>>(
    query: &mut Sql,
    column: &str,
    ids: impl IntoIterator<Item = T>,
) {
    let mut ids = ids.into_iter().peekable();
    if ids.peek().is_none() {
        query.push("1 = 0");
        return;
    }
    query.push(column).push(" IN (");
    let mut values = query.separated(", ");
    for id in ids {
        values.push_bind(id.as_ref().to_owned());
    }
    query.push(")");
}

/// ` AND …`: what stands in one of the places.
fn standing(query: &mut Sql, table: &str, places: &Places) {
    query.push(" AND (");
    among(query, &format!("{table}.site"), &places.sites);
    query.push(" OR ");
    among(query, &format!("{table}.zone"), &places.zones);
    query.push(")");
}

/// ` AND …`: incidents in which one of the departments has a part, by plan or by task. What was theirs once stays theirs.
fn of_departments(query: &mut Sql, reach: &Reach) {
    let Some(departments) = &reach.departments else {
        return;
    };
    query.push(" AND (");
    among(query, "incident.lead", departments);
    for id in departments {
        query.push(" OR incident.co LIKE ");
        query.push_bind(format!("%\"{id}\"%"));
    }
    query.push(" OR EXISTS (SELECT 1 FROM task WHERE task.incident = incident.id AND ");
    among(query, "task.department", departments);
    query.push("))");
}

/// ` AND …` on the table `incident`.
pub(super) fn incidents(query: &mut Sql, reach: &Reach) {
    if let Some(places) = &reach.place {
        standing(query, "incident", places);
    }
    of_departments(query, reach);
}

/// ` AND …` on the table `alarm`. One that is in no incident is no department's.
pub(super) fn alarms(query: &mut Sql, reach: &Reach) {
    if let Some(places) = &reach.place {
        standing(query, "alarm", places);
    }
    if reach.departments.is_some() {
        query.push(" AND EXISTS (SELECT 1 FROM incident WHERE incident.id = alarm.incident");
        of_departments(query, reach);
        query.push(")");
    }
}

/// ` AND …` on the table `maintenance`: windows that go over something in one of the places.
pub(super) fn windows(query: &mut Sql, reach: &Reach, registry: &Registry) {
    let Some(places) = &reach.place else { return };
    let devices = places.devices(registry);
    let buildings = places.buildings(registry);
    let sites = places.sites_of_zones(registry);
    query.push(" AND (");
    among(query, "maintenance.site", &places.sites);
    query.push(" OR ");
    among(query, "maintenance.zone", &places.zones);
    query.push(" OR ");
    among(query, "maintenance.device", devices);
    query.push(" OR (maintenance.zone IS NULL AND maintenance.device IS NULL AND (");
    among(query, "maintenance.building", &buildings);
    query.push(" OR (maintenance.building IS NULL AND ");
    among(query, "maintenance.site", &sites);
    query.push("))))");
}

/// ` AND …` on the table `fire_mode`.
pub(super) fn fire_modes(query: &mut Sql, reach: &Reach) {
    if let Some(places) = &reach.place {
        standing(query, "fire_mode", places);
    }
}

/// ` AND …` on the table `device_command`: those for devices in one of the places.
pub(super) fn commands(query: &mut Sql, reach: &Reach, registry: &Registry) {
    if reach.place.is_none() {
        return;
    }
    let devices = registry.devices.values();
    let seen = devices.filter(|device| reach.sees(&device.site, Some(&device.zone)));
    query.push(" AND ");
    among(query, "device", seen.map(|device| &device.id));
}

/// ` AND …` on the table `quarantine`: what devices in one of the places sent. Who is no registered device stands nowhere.
pub(super) fn quarantined(query: &mut Sql, reach: &Reach, registry: &Registry) {
    if reach.place.is_none() {
        return;
    }
    let devices = registry.devices.values();
    let seen = devices.filter(|device| reach.sees(&device.site, Some(&device.zone)));
    query.push(" AND ");
    among(query, "principal", seen.map(|device| &device.id));
}

/// Those of `ids` in a table that a condition lets through.
async fn passing(
    connection: &mut SqliteConnection,
    table: &str,
    ids: &[&str],
    condition: impl FnOnce(&mut Sql),
) -> Result<HashSet<String>, StateError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let mut query = QueryBuilder::new(format!("SELECT {table}.id FROM {table} WHERE "));
    among(&mut query, &format!("{table}.id"), ids);
    condition(&mut query);
    let ids: Vec<String> = query
        .build_query_scalar()
        .fetch_all(&mut *connection)
        .await?;
    Ok(ids.into_iter().collect())
}

impl State {
    /// Whether an incident is there and lies in a scope.
    pub async fn sees_incident(&self, id: IncidentId, reach: &Reach) -> Result<bool, StateError> {
        let (mut connection, id) = (self.shared.read.acquire().await?, id.to_string());
        let condition = |query: &mut Sql| incidents(query, reach);
        let seen = passing(&mut connection, "incident", &[&id], condition).await?;
        Ok(!seen.is_empty())
    }

    /// Whether an alarm is there and lies in a scope.
    pub async fn sees_alarm(&self, id: AlarmId, reach: &Reach) -> Result<bool, StateError> {
        let (mut connection, id) = (self.shared.read.acquire().await?, id.to_string());
        let condition = |query: &mut Sql| alarms(query, reach);
        let seen = passing(&mut connection, "alarm", &[&id], condition).await?;
        Ok(!seen.is_empty())
    }

    /// Whether a maintenance window is there and goes over something in a scope.
    pub async fn sees_window(&self, id: MaintenanceId, reach: &Reach) -> Result<bool, StateError> {
        let (mut connection, id) = (self.shared.read.acquire().await?, id.to_string());
        let condition = |query: &mut Sql| windows(query, reach, &self.shared.registry());
        let seen = passing(&mut connection, "maintenance", &[&id], condition).await?;
        Ok(!seen.is_empty())
    }

    /// Changes of the feed as somebody may hear of them: what lies outside their scope becomes [`HIDDEN`], with its revision and nothing else.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn told(
        &self,
        mut rows: Vec<FeedRow>,
        reach: &Reach,
    ) -> Result<Vec<FeedRow>, StateError> {
        if reach.is_whole() {
            return Ok(rows);
        }
        let registry = &self.shared.registry();
        let mut snapshot = self.snapshot().await?;
        let of_kind = |kind: &str| -> Vec<&str> {
            let of_kind = rows.iter().filter(|row| row.kind == kind);
            of_kind.map(|row| row.id.as_str()).collect()
        };
        let told: HashMap<u64, String> = rows
            .iter()
            .filter(|row| row.kind == "notification")
            .map(|row| Ok((row.revision.0, list::<OfIncident>(&row.json)?.incident)))
            .collect::<Result<_, StateError>>()?;
        let mut of_incidents = of_kind("incident");
        of_incidents.extend(told.values().map(String::as_str));
        let condition = |query: &mut Sql| incidents(query, reach);
        let seen = passing(&mut snapshot, "incident", &of_incidents, condition).await?;
        let condition = |query: &mut Sql| alarms(query, reach);
        let alarms = passing(&mut snapshot, "alarm", &of_kind("alarm"), condition).await?;
        let condition = |query: &mut Sql| windows(query, reach, registry);
        let ids = of_kind("maintenance");
        let windows = passing(&mut snapshot, "maintenance", &ids, condition).await?;
        let storms = flood::cards(&mut snapshot, reach, Some(&of_kind("storm")), registry).await?;
        let storms: HashMap<String, String> = storms
            .iter()
            .map(|card| (card.id.to_string(), json(card)))
            .collect();
        let device = |id: &str| {
            let id: Result<DeviceId, _> = id.parse();
            id.is_ok_and(|id| reach.sees_device(&id, registry))
        };
        for row in &mut rows {
            let is_seen = match row.kind.as_str() {
                "incident" => seen.contains(&row.id),
                "notification" => told
                    .get(&row.revision.0)
                    .is_some_and(|incident| seen.contains(incident)),
                "alarm" => alarms.contains(&row.id),
                "maintenance" => windows.contains(&row.id),
                "device" => device(&row.id),
                "fire_mode" => {
                    let of: OfZone = list(&row.json)?;
                    let zone = of.zone.parse().ok();
                    of.site
                        .parse()
                        .is_ok_and(|site| reach.sees(&site, zone.as_ref()))
                }
                "command" => device(&list::<OfDevice>(&row.json)?.device),
                "quarantine" => {
                    reach.place.is_none() || device(&list::<OfPrincipal>(&row.json)?.principal)
                }
                "storm" => match storms.get(&row.id) {
                    Some(card) => {
                        row.json.clone_from(card);
                        true
                    }
                    None => false,
                },
                // places may be others now: everybody reads everything again
                "registry" => true,
                // what nobody has decided about is told to nobody
                _ => false,
            };
            if !is_seen {
                HIDDEN.clone_into(&mut row.kind);
                row.id.clear();
                "{}".clone_into(&mut row.json);
            }
        }
        Ok(rows)
    }
}

/// Of a notice in the feed: what it is about.
#[derive(Deserialize)]
struct OfIncident {
    incident: String,
}

/// Of fire mode: where.
#[derive(Deserialize)]
struct OfZone {
    site: String,
    zone: String,
}

/// Of a command: whom it is for.
#[derive(Deserialize)]
struct OfDevice {
    device: String,
}

/// Of an uplink in quarantine: who sent it.
#[derive(Deserialize)]
struct OfPrincipal {
    principal: String,
}
