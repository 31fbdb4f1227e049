//! Who needs help out of a building: shown while it burns there, to those who go in or send somebody, and on record.
//!
//! **Invariant:** nothing is shown before the audit trail says so; when it cannot be written, the answer is an error.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use domain::place::{Contact, EvacuationNote, Household, Registry, Zone};
use domain::rule::RuleMeta;
use domain::{IncidentId, Severity};
use store::state::{Ground, IncidentItem, Role, User};

use super::incidents::found;
use crate::auth::Caller;
use crate::schema::evacuation as shape;
use crate::{Api, Problem, access, schema};

/// Most households that are listed.
const LISTED_MAX: usize = 100;

/// Households that need help out of the incident's building. They are shown while a fire, or a P1 whose procedure has people leave, is not
/// settled; a responder sees those of incidents that the own department has a part in. Who was shown them is in the audit trail.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/evacuation", operation_id = "evacuation", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = shape::Evacuation), (status = 404, body = schema::Problem)))]
pub(crate) async fn evacuation(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<shape::Evacuation>, Problem> {
    let id: IncidentId = id.parse().map_err(|_| Problem::not_found("incident"))?;
    let view = found(&api, &caller, id).await?;
    let (item, registry) = (&view.item, api.deps.registry());
    let book = api.deps.book();
    let ground = ground(item, book.get(&item.rule)).filter(|_| goes(&caller.user, item));
    let mut answer = shape::Evacuation {
        ground: ground.map(str::to_owned),
        building_name: None,
        households: Vec::new(),
        more: 0,
    };
    if ground.is_none() {
        return Ok(Json(answer));
    }
    let building = item.building.as_ref();
    answer.building_name = building
        .and_then(|id| registry.buildings.get(id))
        .map(|building| building.name.clone());
    let mut homes = to_help(item, &registry);
    homes.sort_by_key(|(household, zone)| (order(item.floor, zone.floor), &household.id));
    if !homes.is_empty() {
        let now = (api.deps.clock)();
        let (state, login) = (&api.deps.state, &caller.user.login);
        state
            .note_shown(login, id, &Ground::Evacuation, now)
            .await?;
    }
    answer.more = u32::try_from(homes.len().saturating_sub(LISTED_MAX)).unwrap_or(u32::MAX);
    let with_contacts = access::sees_contacts(&caller.user);
    let shown = homes.into_iter().take(LISTED_MAX);
    answer.households = shown
        .map(|(household, zone)| shape::HouseholdToHelp {
            zone: zone.id.to_string(),
            zone_name: zone.name.clone(),
            floor: zone.floor,
            residents: household.residents,
            elder_alone: household.elder_alone,
            note: household
                .evacuation
                .as_ref()
                .map(|note| EvacuationNote::reveal(note).to_owned()),
            language: household.language.clone(),
            contact: household
                .contact
                .as_ref()
                .filter(|_| with_contacts)
                .map(|contact| Contact::reveal(contact).to_owned()),
        })
        .collect();
    Ok(Json(answer))
}

/// Why households are shown for an incident; none when they are not.
fn ground(item: &IncidentItem, rule: Option<&RuleMeta>) -> Option<&'static str> {
    if !item.state.is_open() || item.severity > Severity::P2 {
        return None;
    }
    if item.lead.as_str() == "fire" {
        return Some("fire");
    }
    let says = |step: &String| step.contains("疏散") || step.to_lowercase().contains("evacuat");
    let leaves = |rule: &RuleMeta| rule.sop_zh.iter().chain(&rule.sop_en).any(says);
    (item.severity == Severity::P1 && rule.is_some_and(leaves)).then_some("evacuation")
}

/// Who goes in, who sends them, and who looks after the households.
fn goes(user: &User, item: &IncidentItem) -> bool {
    match user.role {
        Role::Operator | Role::StationLead => true,
        Role::Responder => user
            .department
            .as_ref()
            .is_some_and(|department| item.departments.contains(department)),
        Role::PropertyManager => access::keeps_households(user),
        Role::GridCaptain | Role::Auditor | Role::Administrator => false,
    }
}

/// Those of the incident's building; where it is in none, of its zone.
fn to_help<'a>(item: &IncidentItem, registry: &'a Registry) -> Vec<(&'a Household, &'a Zone)> {
    let is_there = |zone: &Zone| match &item.building {
        Some(building) => zone.building.as_ref() == Some(building),
        None => item.zone.as_ref() == Some(&zone.id),
    };
    let households = registry.households.values();
    households
        .filter(|household| household.needs_help_out())
        .filter_map(|household| Some((household, registry.zones.get(&household.zone)?)))
        .filter(|(_, zone)| is_there(zone))
        .collect()
}

/// The floor itself, those above it from below, those below it from above; what stands on no floor last.
fn order(fire: Option<i16>, floor: Option<i16>) -> (u8, i32) {
    let Some(floor) = floor.map(i32::from) else {
        return (3, 0);
    };
    let Some(fire) = fire.map(i32::from) else {
        return (0, -floor);
    };
    match floor - fire {
        0 => (0, 0),
        above if above > 0 => (1, above),
        below => (2, -below),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_that_burns_comes_first_and_smoke_goes_up() {
        let mut floors = [Some(1), None, Some(8), Some(6), Some(5), Some(7)];
        floors.sort_by_key(|floor| order(Some(6), *floor));
        assert_eq!(floors, [Some(6), Some(7), Some(8), Some(5), Some(1), None]);
        floors.sort_by_key(|floor| order(None, *floor));
        assert_eq!(floors[0], Some(8));
    }
}
