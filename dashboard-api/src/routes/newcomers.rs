//! The holding list: devices that a bridge speaks for and that nobody has registered. One is admitted to a zone, or dismissed.
//!
//! Admission is a line of the registry's table of devices, written as the page of the registry writes one; that a newcomer is off the list
//! follows from it.

use std::collections::BTreeMap;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use domain::place::{Component, Device, Registry, TableKind, Zone};
use domain::{DeviceId, ZoneId};
use serde::Deserialize;
use serde_json::Value;
use store::state::{DISMISSAL_CHARS_MAX, Dismissal, NewcomerItem, newcomer_id, registry_address};

use super::shown;
use crate::auth::Caller;
use crate::keeper::{Content, KeepError, TableChange, Then};
use crate::schema::newcomers as shape;
use crate::{Api, Problem, access, schema};

/// How often a device speaks at least where no profile says so: one that lives on a battery (RULES.md, S7).
const HEARTBEAT_S: u32 = 24 * 3600;
/// Most parts of one device.
const PARTS_MAX: usize = 64;
/// Another change may come in between so often.
const TRIES_MAX: usize = 3;

/// Which part of the list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NewcomersOf {
    /// Those that were dismissed, and not those that wait.
    #[serde(default)]
    dismissed: bool,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// Devices that a bridge speaks for and that nobody has registered, the latest that came first. Their alarms ring, without a place.
#[utoipa::path(get, path = "/api/v1/newcomers", operation_id = "list_newcomers", tag = "devices", params(NewcomersOf),
    responses((status = 200, body = shape::NewcomerPage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<NewcomersOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let reach = caller.reach(&api);
    let limit = query.limit.unwrap_or(100);
    let cursor = query.cursor.as_deref();
    let state = &api.deps.state;
    let page = state.newcomers(&reach, query.dismissed, cursor, limit)?;
    let registry = api.deps.registry();
    shown(&shape::NewcomerPage {
        items: page
            .items
            .into_iter()
            .map(|item| newcomer(item, &registry))
            .collect(),
        next: page.next,
        waiting: page.waiting,
        turned_away: if reach.place.is_none() {
            page.turned_away
        } else {
            0
        },
    })
}

fn newcomer(item: NewcomerItem, registry: &Registry) -> shape::Newcomer {
    let proposal = propose(&item, registry);
    shape::Newcomer {
        id: item.id,
        account: item.account,
        address: item.address,
        device: item.device.to_string(),
        site: item.site.to_string(),
        class: item.class.to_string(),
        format: item.format,
        vendor: item.vendor,
        model: item.model,
        first_heard_at: item.first_heard_at.to_string(),
        last_heard_at: item.last_heard_at.to_string(),
        last_event: item.last_event,
        messages: item.messages,
        has_rung: item.has_rung,
        dismissed: item.dismissed.map(|dismissed| shape::Dismissed {
            by: dismissed.by.to_string(),
            at: dismissed.at.to_string(),
            reason: dismissed.reason,
        }),
        proposal,
    }
}

/// As it would be admitted when nobody says otherwise.
fn propose(item: &NewcomerItem, registry: &Registry) -> shape::Proposal {
    let profile = registry.profile(item.model.as_deref(), item.class);
    let words = [item.vendor.as_deref(), item.model.as_deref()];
    let model: Vec<&str> = words.into_iter().flatten().collect();
    let name = match item.address.as_str() {
        "" => &item.account,
        address => address,
    };
    let kind = item.last_event.as_deref().unwrap_or_default();
    let sensor = match kind.split(' ').next().unwrap_or_default() {
        "fire.smoke" => Some("smoke"),
        "fire.heat" => Some("heat"),
        "fire.gas" => Some("gas"),
        "fire.co" => Some("co"),
        _ => None,
    };
    let known = profile.and_then(|profile| profile.sensor);
    shape::Proposal {
        device: item.device.to_string(),
        name: name.to_owned(),
        class: profile
            .map_or(item.class, |profile| profile.class)
            .to_string(),
        model: model.join(" "),
        heartbeat_s: profile.map_or(HEARTBEAT_S, |profile| profile.heartbeat_s.get()),
        sensor: known
            .map(|sensor| sensor.to_string())
            .or(sensor.map(str::to_owned)),
        components: profile.map_or_else(Vec::new, |profile| {
            let names = profile.components.iter().map(Component::as_str);
            names.map(str::to_owned).collect()
        }),
    }
}

/// Where it stands, and what is known better than it was proposed.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdmitNewcomer {
    /// The zone that it stands in.
    zone: String,
    /// Its id in the registry; the one under which it was heard when not given. With another one its history, and an alarm that it has
    /// open, stay under the old one.
    device: Option<String>,
    /// Its name.
    name: Option<String>,
    /// What it is.
    class: Option<String>,
    /// Maker and model.
    model: Option<String>,
    /// The longest time between two words of it, in seconds.
    heartbeat_s: Option<u32>,
    /// What a fire sensor looks for: `smoke`, `heat`, `gas`, `co`, `manual_call`; empty for nobody knows.
    sensor: Option<String>,
    /// Position in the quarter, in metres; the middle of the zone's devices or of its building when not given.
    x_m: Option<f64>,
    y_m: Option<f64>,
    /// Parts of it that stand elsewhere: each is a device of its own, and what is said of it has its place.
    #[serde(default)]
    parts: Vec<AdmitPart>,
    /// Why.
    note: Option<String>,
}

/// A part that stands elsewhere than its device.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdmitPart {
    /// As its events call it, such as `door-2`.
    component: String,
    /// The zone that it stands in.
    zone: String,
}

/// Admit a device to a zone: it is a line of the registry from then on, and what it says next has a place. Twice is once.
#[utoipa::path(post, path = "/api/v1/newcomers/{id}/admission", operation_id = "admit_newcomer", tag = "devices", request_body = AdmitNewcomer,
    params(("id" = String, Path)),
    responses((status = 200, body = shape::Admitted), (status = 403, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 409, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn admit(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Result<Json<AdmitNewcomer>, JsonRejection>,
) -> Result<Json<shape::Admitted>, Problem> {
    let missing = || Problem::not_found("device in the holding list");
    let reach = caller.reach(&api);
    let state = &api.deps.state;
    let mut tries = 0;
    loop {
        // read before everything else: whatever changes from here on is told by it
        let version = api.deps.keeper.version().await;
        let registry = api.deps.registry();
        let Some(item) = state.newcomer(&id, &reach) else {
            let before = admitted_before(&registry, &id);
            let before = before.filter(|device| reach.sees(&device.site, Some(&device.zone)));
            let device = before.ok_or_else(missing)?;
            let Json(request) = request?;
            return again(device, &request, &registry, version).map(Json);
        };
        let Ok(Json(request)) = &request else {
            return Err(request.err().map_or_else(missing, Problem::from));
        };
        let zone = zone_of(&request.zone, &caller, &api)?;
        let line = line(&item, request, &zone, &registry)?;
        if request.parts.len() > PARTS_MAX {
            let what = format!("{} parts, at most {PARTS_MAX}", request.parts.len());
            return Err(Problem::unprocessable("parts", what));
        }
        let mut put = vec![line.clone()];
        for one in &request.parts {
            let zone = zone_of(&one.zone, &caller, &api)?;
            put.push(part(&line, one, &zone, &put, &registry)?);
        }
        let parts = put.iter().skip(1).map(|line| line["id"].clone()).collect();
        let wanted = TableChange {
            kind: TableKind::Devices,
            content: Content::Lines {
                put,
                remove: Vec::new(),
            },
            expected: Some(version),
            by: caller.user.login.clone(),
            act: "admit_device",
            note: Some(note(&item, &line, request.note.as_deref())),
        };
        tries += 1;
        match api.deps.keeper.change(wanted, Then::Apply).await {
            Ok(changed) => {
                let cell = |name: &str| line.get(name).cloned().unwrap_or_default();
                return Ok(Json(shape::Admitted {
                    device: cell("id"),
                    site: cell("site"),
                    zone: cell("zone"),
                    name: cell("name"),
                    parts,
                    version: changed.version,
                    was_there: false,
                }));
            }
            Err(KeepError::Stale { .. }) if tries < TRIES_MAX => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// The device that this newcomer has become.
fn admitted_before<'r>(registry: &'r Registry, id: &str) -> Option<&'r Device> {
    registry.devices.values().find(|device| {
        let address = device.address.as_deref().unwrap_or_default();
        let (account, own) = address.split_once(':').unwrap_or((address, ""));
        !address.is_empty()
            && (newcomer_id(account, own) == id || newcomer_id(account, account) == id)
    })
}

/// What is answered to an admission that has been done before: the same, or that it was another one.
fn again(
    device: &Device,
    request: &AdmitNewcomer,
    registry: &Registry,
    version: String,
) -> Result<shape::Admitted, Problem> {
    let is_other =
        |asked: &Option<String>, is: &str| asked.as_ref().is_some_and(|asked| asked != is);
    if request.zone != device.zone.as_str() || is_other(&request.device, device.id.as_str()) {
        let detail = format!(
            "it has been admitted as `{}` in zone `{}` (hint: change it in the registry)",
            device.id, device.zone
        );
        return Err(Problem::conflict("already_admitted", detail));
    }
    let address = device.address.as_deref().unwrap_or_default();
    let parts = registry.parts_at("", address);
    Ok(shape::Admitted {
        parts: parts.map(|part| part.id.to_string()).collect(),
        device: device.id.to_string(),
        site: device.site.to_string(),
        zone: device.zone.to_string(),
        name: device.name.clone(),
        version,
        was_there: true,
    })
}

/// The zone, if the caller may put something there.
fn zone_of(text: &str, caller: &Caller, api: &Api) -> Result<Zone, Problem> {
    let registry = api.deps.registry();
    let id: Option<ZoneId> = text.parse().ok();
    let zone = id.and_then(|id| registry.zones.get(&id));
    let reach = caller.reach(api);
    let zone = zone.filter(|zone| reach.sees(&zone.site, Some(&zone.id)));
    let unknown = || Problem::unprocessable("zone", format!("there is no zone `{text}`"));
    let zone = zone.ok_or_else(unknown)?;
    if let Some(why) = access::refuses_admission(&caller.user) {
        return Err(Problem::forbidden(why));
    }
    Ok(zone.clone())
}

/// The line of the registry.
fn line(
    item: &NewcomerItem,
    request: &AdmitNewcomer,
    zone: &Zone,
    registry: &Registry,
) -> Result<BTreeMap<String, String>, Problem> {
    let is_odd = |c: char| c.is_control();
    if item.address.trim() != item.address || item.address.contains(is_odd) {
        let what = "the bridge calls it by a name that the registry cannot hold (hint: rename it at the bridge)";
        return Err(Problem::unprocessable("address", what));
    }
    let proposal = propose(item, registry);
    let given = |asked: &Option<String>, proposed: String| {
        let asked = asked.as_deref().map(str::trim);
        asked.map_or(proposed, str::to_owned)
    };
    let id = given(&request.device, proposal.device);
    let device: DeviceId = id
        .parse()
        .map_err(|e| Problem::unprocessable("device", e))?;
    if registry.devices.contains_key(&device) {
        let what = format!("`{device}` is another device of the registry");
        return Err(Problem::unprocessable("device", what));
    }
    let (x_m, y_m) = middle(zone, registry);
    let metres = |asked: Option<f64>, middle: f64| format!("{:?}", asked.unwrap_or(middle));
    let heartbeat_s = request.heartbeat_s.unwrap_or(proposal.heartbeat_s);
    let cells = [
        ("id", device.to_string()),
        ("site", zone.site.to_string()),
        ("zone", zone.id.to_string()),
        ("class", given(&request.class, proposal.class)),
        ("name", given(&request.name, proposal.name)),
        ("model", given(&request.model, proposal.model)),
        ("heartbeat_s", heartbeat_s.to_string()),
        ("x_m", metres(request.x_m, x_m)),
        ("y_m", metres(request.y_m, y_m)),
        (
            "sensor",
            given(&request.sensor, proposal.sensor.unwrap_or_default()),
        ),
        ("address", registry_address(&item.account, &item.address)),
    ];
    Ok(cells.map(|(name, cell)| (name.to_owned(), cell)).into())
}

/// The line of a part: as its device, but for what it is called and where it stands.
fn part(
    device: &BTreeMap<String, String>,
    asked: &AdmitPart,
    zone: &Zone,
    put: &[BTreeMap<String, String>],
    registry: &Registry,
) -> Result<BTreeMap<String, String>, Problem> {
    let component = Component::try_from(asked.component.clone())
        .map_err(|e| Problem::unprocessable("parts", e))?;
    let component = component.as_str();
    let own = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let id = format!(
        "{}-{}",
        device["id"],
        component.chars().map(own).collect::<String>()
    );
    let id: DeviceId = id.parse().map_err(|e| Problem::unprocessable("parts", e))?;
    let is_taken = put.iter().any(|line| line["id"] == id.as_str());
    if is_taken || registry.devices.contains_key(&id) {
        let what = format!("`{id}` is another device of the registry, or stands here twice");
        return Err(Problem::unprocessable("parts", what));
    }
    let (x_m, y_m) = middle(zone, registry);
    let mut line = device.clone();
    let cells = [
        ("id", id.to_string()),
        ("site", zone.site.to_string()),
        ("zone", zone.id.to_string()),
        ("name", format!("{} {component}", device["name"])),
        ("x_m", format!("{x_m:?}")),
        ("y_m", format!("{y_m:?}")),
        ("address", format!("{}/{component}", device["address"])),
    ];
    line.extend(cells.map(|(name, cell)| (name.to_owned(), cell)));
    Ok(line)
}

/// The middle of what stands in a zone already, else of its building, else of its quarter.
fn middle(zone: &Zone, registry: &Registry) -> (f64, f64) {
    let there = registry.devices.values().filter(|d| d.zone == zone.id);
    let (mut n, mut x_m, mut y_m) = (0.0, 0.0, 0.0);
    for device in there {
        (n, x_m, y_m) = (n + 1.0, x_m + device.x_m, y_m + device.y_m);
    }
    if n > 0.0 {
        let tenth = |sum: f64| (sum / n * 10.0).round() / 10.0;
        return (tenth(x_m), tenth(y_m));
    }
    let building = zone.building.as_ref();
    if let Some(building) = building.and_then(|id| registry.buildings.get(id)) {
        let outline = &building.outline;
        return (
            outline.x_m + outline.width_m / 2.0,
            outline.y_m + outline.height_m / 2.0,
        );
    }
    let site = registry.sites.get(&zone.site);
    site.map_or((0.0, 0.0), |site| (site.width_m / 2.0, site.height_m / 2.0))
}

/// Which device it was, and the person's own words.
fn note(item: &NewcomerItem, line: &BTreeMap<String, String>, own: Option<&str>) -> String {
    let cell = |name: &str| line.get(name).map_or("", String::as_str);
    let what = format!(
        "{} {} → {} @ {}",
        item.account,
        item.address,
        cell("id"),
        cell("zone")
    );
    match own.map(str::trim).filter(|own| !own.is_empty()) {
        Some(own) => format!(
            "{what}; {}",
            own.chars().take(DISMISSAL_CHARS_MAX).collect::<String>()
        ),
        None => what,
    }
}

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DismissNewcomer {
    /// In their words.
    reason: String,
}

/// Take a device off the list of those that wait: it is none of ours. Its alarms ring all the same; heard 30 days later it waits again.
#[utoipa::path(post, path = "/api/v1/newcomers/{id}/dismissal", operation_id = "dismiss_newcomer", tag = "devices", request_body = DismissNewcomer,
    params(("id" = String, Path)),
    responses((status = 200, body = shape::Newcomer), (status = 403, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 422, body = schema::Problem)))]
pub(crate) async fn dismiss(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Result<Json<DismissNewcomer>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found("device in the holding list");
    let state = &api.deps.state;
    state
        .newcomer(&id, &caller.reach(&api))
        .ok_or_else(missing)?;
    if let Some(why) = access::refuses_admission(&caller.user) {
        return Err(Problem::forbidden(why));
    }
    let Json(request) = request?;
    let reason = request.reason.trim();
    let length = reason.chars().count();
    if length == 0 || length > DISMISSAL_CHARS_MAX {
        let what = format!("1 to {DISMISSAL_CHARS_MAX} characters");
        return Err(Problem::unprocessable("reason", what));
    }
    let dismissal = Dismissal {
        by: &caller.user.login,
        reason,
        at: (api.deps.clock)(),
    };
    let item = state.dismiss_newcomer(&id, dismissal).await?;
    shown(&newcomer(item.ok_or_else(missing)?, &api.deps.registry()))
}
