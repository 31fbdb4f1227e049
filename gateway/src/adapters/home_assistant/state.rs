//! Reads a state with what was announced: every entity whose state comes on this topic says what it makes of it.

use std::collections::BTreeMap;

use domain::{DeviceClass, Kind, Phase};

use super::entity::{Availability, Entity};
use super::{learn, template};
use crate::adapters::Reject;
use crate::adapters::draft::{Draft, Reading};
use crate::adapters::format::Recall;
use crate::adapters::message::Message;

/// The events of a state message.
///
/// # Errors
/// `bad_text`.
pub(super) fn read(message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
    let topic = message.topic();
    if message.payload.is_empty() {
        return Ok(Reading::default()); // a retained state was deleted
    }
    let payload = message.text()?;
    let mut drafts = Vec::new();
    let mut reachable: BTreeMap<String, bool> = BTreeMap::new();
    for config in learn::naming(topic, recall) {
        for entity in learn::announced(&config, recall).unwrap_or_default().read {
            if entity.topic == topic {
                drafts.extend(state(&entity, payload));
            }
            for at in entity.availability.iter().filter(|at| at.topic == topic) {
                if let Some(is_reachable) = availability(at, payload) {
                    reachable.insert(entity.address.clone(), is_reachable);
                }
            }
        }
    }
    drafts.extend(reachability(topic, &reachable));
    Ok(drafts.into())
}

/// The word of an entity that a payload stands for.
fn word<'a>(entity: &'a Entity, payload: &str) -> Option<&'a str> {
    let rendered;
    let payload = if entity.template.is_empty() {
        payload.trim_matches('"')
    } else {
        rendered = template::render(&entity.template, payload)?;
        rendered.as_str()
    };
    entity
        .words
        .iter()
        .find(|(word, _)| is_same(word, payload))
        .map(|(_, means)| means.as_str())
}

/// Python writes `True` where JSON writes `true`.
fn is_same(word: &str, payload: &str) -> bool {
    let is_truth =
        |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    word == payload || (is_truth(word) && word.eq_ignore_ascii_case(payload))
}

fn availability(at: &Availability, payload: &str) -> Option<bool> {
    let payload = if at.template.is_empty() {
        payload.to_owned()
    } else {
        template::render(&at.template, payload)?
    };
    if is_same(&at.available, &payload) {
        Some(true)
    } else if is_same(&at.not_available, &payload) {
        Some(false)
    } else {
        None
    }
}

/// One event for a topic: about its device, or about the bridge where it stands for several.
fn reachability(topic: &str, reachable: &BTreeMap<String, bool>) -> Option<Draft> {
    let (first, is_reachable) = reachable.iter().next()?;
    let (address, class) = if reachable.len() == 1 {
        (first.as_str(), DeviceClass::FireSensor)
    } else {
        let bridge = topic.rsplit_once('/').map_or(topic, |(bridge, _)| bridge);
        (bridge, DeviceClass::Gateway)
    };
    let (kind, phase, word) = if *is_reachable {
        (Kind::DeviceOnline, Phase::Updated, "online")
    } else {
        (Kind::DeviceOffline, Phase::Raised, "offline")
    };
    Some(Draft::new(address, class, kind, phase).edge(&format!("availability:{topic}"), word))
}

/// What the state of an entity means. Device classes: home-assistant.io, binary sensor and cover.
fn state(entity: &Entity, payload: &str) -> Option<Draft> {
    let word = word(entity, payload)?;
    let draft = match entity.component.as_str() {
        "lock" => told(entity, DeviceClass::Access, Kind::AccessLockState, word),
        "cover" => match entity.device_class.as_str() {
            "gate" | "garage" => told(entity, DeviceClass::Barrier, Kind::BarrierState, word),
            "door" | "window" => told(entity, DeviceClass::Access, Kind::AccessDoorState, word),
            _ => return None,
        },
        "alarm_control_panel" => condition(
            entity,
            DeviceClass::Panel,
            Kind::DeviceAlarmInput,
            word == "on",
        ),
        _ => return binary(entity, word == "on"),
    };
    Some(draft)
}

fn binary(entity: &Entity, is_on: bool) -> Option<Draft> {
    use DeviceClass::{Access, Camera, FireSensor};
    let sensor = entity.device_class.as_str();
    Some(match sensor {
        "door" | "garage_door" | "opening" | "window" => {
            let state = if is_on { "open" } else { "closed" };
            told(entity, Access, Kind::AccessDoorState, state)
        }
        "lock" => {
            let state = if is_on { "unlocked" } else { "locked" };
            told(entity, Access, Kind::AccessLockState, state)
        }
        "connectivity" => {
            let (kind, phase) = if is_on {
                (Kind::DeviceOnline, Phase::Updated)
            } else {
                (Kind::DeviceOffline, Phase::Raised)
            };
            Draft::new(entity.address.as_str(), FireSensor, kind, phase)
                .component(entity.object.as_str())
                .edge("state", is_on)
        }
        "smoke" => condition(entity, FireSensor, Kind::FireSmoke, is_on),
        "carbon_monoxide" => condition(entity, FireSensor, Kind::FireCo, is_on),
        "gas" => condition(entity, FireSensor, Kind::FireGas, is_on),
        "heat" => condition(entity, FireSensor, Kind::FireHeat, is_on),
        "moisture" => condition(entity, FireSensor, Kind::EnvWaterLeak, is_on),
        "tamper" => condition(entity, FireSensor, Kind::DeviceTamper, is_on),
        "battery" => condition(entity, FireSensor, Kind::DeviceBatteryLow, is_on),
        "problem" => condition(entity, FireSensor, Kind::DeviceFault, is_on),
        "motion" | "occupancy" | "presence" => {
            condition(entity, Camera, Kind::CameraMotion, is_on).attr("sensor", sensor)
        }
        "sound" => condition(entity, Camera, Kind::CameraAudio, is_on),
        "safety" | "vibration" => {
            condition(entity, FireSensor, Kind::DeviceAlarmInput, is_on).attr("sensor", sensor)
        }
        _ => return None,
    })
}

fn told(entity: &Entity, class: DeviceClass, kind: Kind, state: &str) -> Draft {
    Draft::new(entity.address.as_str(), class, kind, Phase::Updated)
        .component(entity.object.as_str())
        .attr("state", state)
        .edge("state", state)
}

fn condition(entity: &Entity, class: DeviceClass, kind: Kind, is_there: bool) -> Draft {
    let address = entity.address.as_str();
    let draft = if entity.is_momentary && is_there {
        Draft::new(address, class, kind, Phase::Instant)
    } else {
        Draft::condition(address, class, kind, "state", is_there)
    };
    draft.component(entity.object.as_str())
}
