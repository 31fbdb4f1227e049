//! The handlers, one file a subject.

pub(crate) mod alarms;
pub(crate) mod audit;
pub(crate) mod commands;
pub(crate) mod devices;
pub(crate) mod duty_book;
pub(crate) mod enrolment;
pub(crate) mod evacuation;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod fire_modes;
pub(crate) mod grids;
pub(crate) mod holds;
pub(crate) mod incidents;
pub(crate) mod kpi;
pub(crate) mod live;
pub(crate) mod load;
pub(crate) mod maintenance;
pub(crate) mod meta;
pub(crate) mod newcomers;
pub(crate) mod oidc;
pub(crate) mod ops;
pub(crate) mod photos;
pub(crate) mod privacy;
pub(crate) mod quarantine;
pub(crate) mod registry;
pub(crate) mod reports;
pub(crate) mod roster;
pub(crate) mod roster_week;
pub(crate) mod rules;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod snapshots;
pub(crate) mod tokens;
pub(crate) mod users;

use axum::Json;
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

use crate::{Problem, mask};

/// JSON without what is about people: see [`crate::sight`] for what shows it.
fn shown(body: &impl Serialize) -> Result<Json<Value>, Problem> {
    let mut value = serde_json::to_value(body).map_err(|e| Problem::broken(&e.to_string()))?;
    mask::value(&mut value);
    Ok(Json(value))
}

/// The key under which a command has one answer.
fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| Problem::bad_request("the header Idempotency-Key is missing (hint: a new random one for every new command)"))
}

/// A word of a query that must parse.
fn parse<T: std::str::FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.filter(|text| !text.is_empty())
        .map(|text| {
            text.parse()
                .map_err(|e: T::Err| Problem::bad_request(format!("`{name}`: {e}")))
        })
        .transpose()
}
