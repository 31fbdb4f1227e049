//! Micro-grids with their captains, what stands in them, and what is missing.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use domain::id::GridId;
use domain::place::{Contact, Device, Grid, Registry, Zone, ZoneKind};
use domain::{Severity, ZoneId};
use serde::Deserialize;
use store::state::{DeviceItem, DeviceState};

use super::parse;
use crate::auth::Caller;
use crate::schema::grids as shape;
use crate::{Api, Problem, access, schema};

/// Items of a page.
const PAGE: usize = 100;
const PAGE_MAX: usize = 500;
/// Most places that one list names.
const NAMED_MAX: usize = 30;

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageOf {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<usize>,
}

/// Micro-grids in the order of their ids, each as far as it lies in the caller's places.
#[utoipa::path(get, path = "/api/v1/grids", operation_id = "list_grids", tag = "registry", params(PageOf),
    responses((status = 200, body = shape::GridPage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<PageOf>, QueryRejection>,
) -> Result<Json<shape::GridPage>, Problem> {
    let Query(query) = query?;
    let after: Option<GridId> = parse("cursor", query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let registry = api.deps.registry();
    let reach = caller.reach(&api);
    let devices = api.deps.state.devices((api.deps.clock)()).await?;
    let open = api.deps.state.open_by_zone(&reach).await?;

    let mut grounds: BTreeMap<&GridId, Ground<'_>> = BTreeMap::new();
    if reach.place.is_none() {
        // one without zones is there all the same
        grounds.extend(registry.grids.keys().map(|id| (id, Ground::default())));
    }
    let seen = |zone: &&Zone| reach.sees(&zone.site, Some(&zone.id));
    for zone in registry.zones.values().filter(seen) {
        let ground = grounds.entry(&zone.grid).or_default();
        ground.zones.push(zone);
    }
    let grid_of = |zone: &ZoneId| registry.zones.get(zone).filter(seen).map(|z| &z.grid);
    for device in &devices.items {
        if let Some(ground) = grid_of(&device.zone).and_then(|id| grounds.get_mut(id)) {
            ground.devices.push(device);
        }
    }
    for household in registry.households.values() {
        if let Some(ground) = grid_of(&household.zone).and_then(|id| grounds.get_mut(id)) {
            ground.households += 1;
            ground.residents += u32::from(household.residents);
        }
    }
    for (zone, severity, count) in open {
        if let Some(ground) = grid_of(&zone).and_then(|id| grounds.get_mut(id)) {
            *ground.incidents.entry(severity).or_default() += count;
        }
    }

    let mut items: Vec<_> = grounds
        .into_iter()
        .filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after))
        .filter_map(|(id, ground)| Some((registry.grids.get(id)?, ground)))
        .take(limit + 1)
        .map(|(grid, ground)| ground.shape(grid, &registry, &caller))
        .collect();
    let has_more = items.len() > limit;
    items.truncate(limit);
    Ok(Json(shape::GridPage {
        next: items.last().filter(|_| has_more).map(|g| g.id.clone()),
        items,
        revision: devices.revision.0,
    }))
}

/// What lies in a micro-grid, as far as the caller sees.
#[derive(Default)]
struct Ground<'a> {
    zones: Vec<&'a Zone>,
    devices: Vec<&'a DeviceItem>,
    households: u32,
    residents: u32,
    incidents: BTreeMap<Severity, u32>,
}

impl Ground<'_> {
    fn shape(self, grid: &Grid, registry: &Registry, caller: &Caller) -> shape::Grid {
        let committee = registry.committees.get(&grid.committee);
        let is_away = |device: &&&DeviceItem| {
            matches!(device.state, DeviceState::Offline | DeviceState::Silent)
        };
        let mut classes: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for device in &self.devices {
            let (count, away) = classes.entry(device.class.as_str()).or_default();
            *count += 1;
            *away += u32::from(is_away(&device));
        }
        let with_any: BTreeSet<&ZoneId> = self.devices.iter().map(|d| &d.zone).collect();
        let detects = |d: &&&DeviceItem| {
            let known = registry.devices.get(&d.id);
            known.is_some_and(Device::detects_fire)
        };
        let with_fire = self.devices.iter().filter(detects).map(|d| &d.zone);
        let with_fire: BTreeSet<&ZoneId> = with_fire.collect();
        let zones = || self.zones.iter().copied();
        let bare = zones().filter(|z| z.kind.wants_fire_sensor() && !with_fire.contains(&z.id));
        let empty = zones().filter(|z| z.kind != ZoneKind::Unit && !with_any.contains(&z.id));
        let sites: BTreeSet<String> = zones().map(|z| z.site.to_string()).collect();
        let buildings: BTreeSet<_> = zones().filter_map(|z| z.building.as_ref()).collect();
        shape::Grid {
            id: grid.id.to_string(),
            name: grid.name.clone(),
            committee: grid.committee.to_string(),
            committee_name: committee
                .map_or_else(|| grid.committee.to_string(), |c| c.name.clone()),
            captain: captain(grid, registry, caller),
            sites: sites.into_iter().collect(),
            buildings: buildings.into_iter().map(ToString::to_string).collect(),
            zones: count(self.zones.len()),
            dwellings: count(zones().filter(|z| z.kind == ZoneKind::Unit).count()),
            households: self.households,
            residents: self.residents,
            devices: classes
                .into_iter()
                .map(|(class, (count, away))| shape::GridClass {
                    class: class.to_owned(),
                    count,
                    away,
                })
                .collect(),
            incidents: self
                .incidents
                .iter()
                .map(|(severity, count)| (severity.to_string(), *count))
                .collect(),
            away: places(
                self.devices
                    .iter()
                    .filter(is_away)
                    .map(|d| shape::GridPlace {
                        id: d.id.to_string(),
                        name: d.name.clone(),
                        kind: d.class.as_str().to_owned(),
                        building: d.building_name.clone(),
                        floor: d.floor,
                    }),
            ),
            without_fire_sensor: places(bare.map(|zone| place(zone, registry))),
            without_device: places(empty.map(|zone| place(zone, registry))),
        }
    }
}

fn captain(grid: &Grid, registry: &Registry, caller: &Caller) -> Option<shape::Captain> {
    let person = registry.people.get(grid.captain.as_ref()?)?;
    let contact = person.contact.as_ref();
    Some(shape::Captain {
        person: person.id.to_string(),
        name: person.name.clone(),
        login: person.login.as_ref().map(ToString::to_string),
        has_contact: contact.is_some(),
        contact: contact
            .filter(|_| access::sees_contacts(&caller.user))
            .map(|contact| Contact::reveal(contact).to_owned()),
    })
}

fn place(zone: &Zone, registry: &Registry) -> shape::GridPlace {
    let building = zone.building.as_ref();
    let building = building.and_then(|id| registry.buildings.get(id));
    shape::GridPlace {
        id: zone.id.to_string(),
        name: zone.name.clone(),
        kind: zone.kind.as_str().to_owned(),
        building: building.map(|b| b.name.clone()),
        floor: zone.floor,
    }
}

fn places(all: impl Iterator<Item = shape::GridPlace>) -> shape::GridPlaces {
    let mut out = shape::GridPlaces::default();
    for place in all {
        out.count += 1;
        if out.first.len() < NAMED_MAX {
            out.first.push(place);
        }
    }
    out
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
