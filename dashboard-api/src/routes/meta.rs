//! What a screen needs once: names, places, rules; and how the hub is doing.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use domain::incident::{CAUSE_UNSPECIFIED, CAUSES, Verdict};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::auth::Caller;
use crate::schema::status::{Channel, Queue, Status};
use crate::{Api, HISTORIES_MAX, Problem, STREAMS_MAX, UPLOADS_MAX, schema};

/// Names, places of the caller's scope, rules, and the hub's clock.
#[utoipa::path(get, path = "/api/v1/meta", tag = "hub", responses((status = 200, body = schema::Meta)))]
pub(crate) async fn meta(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Json<Value> {
    let registry = &api.deps.registry();
    let reach = caller.reach(&api);
    let zones: Vec<_> = registry
        .zones
        .values()
        .filter(|zone| reach.sees(&zone.site, Some(&zone.id)))
        .collect();
    let sites: BTreeSet<_> = zones.iter().map(|zone| &zone.site).collect();
    let within: BTreeSet<_> = zones.iter().filter_map(|z| z.building.as_ref()).collect();
    // an empty quarter or building has no zone to be seen by
    let sites = registry
        .sites
        .values()
        .filter(|site| reach.sees(&site.id, None) || sites.contains(&site.id));
    let buildings = registry
        .buildings
        .values()
        .filter(|b| reach.sees(&b.site, None) || within.contains(&b.id));
    let book = api.deps.book();
    let rules: Vec<Value> = book
        .values()
        .map(|rule| {
            json!({
                "id": rule.id, "title_zh": rule.title_zh, "title_en": rule.title_en, "lead": rule.lead, "co": rule.co,
                "sop_zh": rule.sop_zh, "sop_en": rule.sop_en, "threshold": rule.threshold,
            })
        })
        .collect();
    let staff: Vec<Value> = registry
        .people
        .values()
        .filter_map(|person| {
            let login = person.login.as_ref()?;
            Some(json!({"login": login, "name": person.name}))
        })
        .collect();
    let time_zone = registry
        .community
        .as_ref()
        .map_or("UTC", |c| c.time_zone.as_str());
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ui_hash": api.deps.ui.hash(),
        "server_time": store::state::Moment((api.deps.clock)()),
        "time_zone": time_zone,
        "community": registry.community,
        "departments": registry.departments.values().collect::<Vec<_>>(),
        "sites": sites.collect::<Vec<_>>(),
        "buildings": buildings.collect::<Vec<_>>(),
        "zones": zones,
        "rules": rules,
        "causes": causes(),
        "staff": staff,
    }))
}

fn causes() -> Vec<Value> {
    let word = |verdict| match verdict {
        Verdict::Genuine => "genuine",
        Verdict::False => "false",
        Verdict::Void => "void",
    };
    let known = CAUSES
        .iter()
        .filter(|(cause, _)| *cause != CAUSE_UNSPECIFIED);
    known
        .map(|(cause, verdict)| json!({"cause": cause, "verdict": word(*verdict)}))
        .collect()
}

/// How the hub itself is doing: storage, queues, cursors, clock, certificates, counters since the start.
#[utoipa::path(get, path = "/api/v1/status", tag = "hub", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(api): State<Api>) -> Result<Json<Status>, Problem> {
    let ops = Arc::clone(&api.deps.ops);
    let hub = tokio::task::spawn_blocking(move || ops.status());
    let hub = hub.await.map_err(|e| Problem::broken(&e.to_string()))?;
    let counted = api.deps.state.counted((api.deps.clock)()).await?;
    let place = |name: &str, places: &Semaphore, bound: usize| Queue {
        name: name.to_owned(),
        used: bound.saturating_sub(places.available_permits()) as u64,
        bound: bound as u64,
        unit: "items".to_owned(),
    };
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ui_hash: (api.deps.ui.is_available()).then(|| api.deps.ui.hash().to_owned()),
        channels: vec![Channel {
            name: "live".to_owned(),
        }],
        sessions: counted.sessions,
        quarantine: counted.quarantined,
        registry_version: counted.registry_version,
        hub_alarms: counted.hub_alarms,
        places: vec![
            place("streams", &api.streams, STREAMS_MAX),
            place("histories", &api.histories, HISTORIES_MAX),
            place("uploads", &api.uploads, UPLOADS_MAX),
        ],
        hub,
    }))
}
