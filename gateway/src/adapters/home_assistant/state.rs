//! Reads a state with what was announced: every entity whose state comes on this topic says what it makes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::{DeviceClass, Kind, Phase};

use super::entity::{Availability, Entity, Together};
use super::{learn, template};
use crate::adapters::draft::{Draft, Reading};
use crate::adapters::format::Recall;
use crate::adapters::message::Message;
use crate::adapters::{Reject, named, text};

/// The events of a state message.
///
/// # Errors
/// `bad_text`.
pub(super) fn read(message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
    let topic = message.topic();
    if message.payload.is_empty() {
        return Ok(Reading::default()); // a retained state was deleted
    }
    let mut drafts = Vec::new();
    let mut charges = Vec::new();
    let mut reachable: BTreeMap<String, Reachable> = BTreeMap::new();
    for config in learn::naming(topic, recall) {
        for entity in learn::announced(&config, recall).unwrap_or_default().read {
            // Home Assistant, too, takes no event that was retained
            let is_old = entity.component == "event" && message.is_retained();
            if entity.topic == topic && !is_old {
                let payload = message.text()?;
                drafts.extend(state(&entity, payload));
                charges.extend(charge(&entity, payload));
            }
            for at in entity.availability.iter().filter(|at| at.topic == topic) {
                if let Some(is_up) = availability(at, message.text()?) {
                    let told = Reachable {
                        is_up,
                        together: together(&entity, topic, is_up, recall),
                    };
                    reachable.insert(entity.address.clone(), told);
                }
            }
        }
    }
    drafts.extend(reachability(topic, &reachable));
    let mut reading = Reading::from(drafts);
    reading.charges = charges;
    if let Some((address, told)) = reachable.iter().next()
        && reachable.len() == 1
        && told.together.is_some()
    {
        let word = if told.is_up { UP } else { DOWN };
        let key = learn::up_key(address, topic);
        reading.learn.push((key, Some(word.to_owned())));
    }
    Ok(reading)
}

const UP: &str = "up";
const DOWN: &str = "down";

/// What a topic says of a device.
struct Reachable {
    is_up: bool,
    /// What it makes of the device with its other topics, where their `availability_mode` asks for all or any of them.
    together: Option<bool>,
}

/// What the topics of an entity say together. Those that are a bridge's, too, do not count: it is told by itself. One that has not spoken
/// yet makes nothing unreachable, and nothing reachable.
fn together(entity: &Entity, topic: &str, is_up: bool, recall: &dyn Recall) -> Option<bool> {
    let mode = entity.together?;
    if entity.availability.len() < 2 {
        return None;
    }
    let others = entity
        .availability
        .iter()
        .filter(|at| at.topic != topic && !learn::is_shared(&at.topic, recall))
        .filter_map(|at| recall.recall(&learn::up_key(&entity.address, &at.topic)));
    let mut said = std::iter::once(is_up).chain(others.map(|word| word == UP));
    Some(match mode {
        Together::All => said.all(|is_up| is_up),
        Together::Any => said.any(|is_up| is_up),
    })
}

/// What an entity makes of a payload.
fn value<'a>(entity: &Entity, payload: &'a str) -> Option<Cow<'a, str>> {
    if entity.template.is_empty() {
        return Some(Cow::Borrowed(payload.trim_matches('"')));
    }
    template::render(&entity.template, payload).map(Cow::Owned)
}

/// The word of an entity that a payload stands for.
fn word<'a>(entity: &'a Entity, payload: &str) -> Option<&'a str> {
    let value = value(entity, payload)?;
    entity
        .words
        .iter()
        .find(|(word, _)| is_same(word, &value))
        .map(|(_, means)| means.as_str())
}

/// The charge of a battery, in percent.
fn charge(entity: &Entity, payload: &str) -> Option<(String, f64)> {
    if entity.component != "sensor" {
        return None;
    }
    let percent: f64 = value(entity, payload)?.trim().parse().ok()?;
    (0.0..=100.0)
        .contains(&percent)
        .then(|| (entity.address.clone(), percent))
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
fn reachability(topic: &str, reachable: &BTreeMap<String, Reachable>) -> Option<Draft> {
    let (first, told) = reachable.iter().next()?;
    let of_topic = format!("availability:{topic}");
    let (address, class, property, is_up) = match told.together {
        _ if reachable.len() > 1 => {
            let bridge = topic.rsplit_once('/').map_or(topic, |(bridge, _)| bridge);
            (bridge, DeviceClass::Gateway, of_topic, told.is_up)
        }
        // one state of several topics, whichever of them spoke
        Some(is_up) => {
            let property = "availability".to_owned();
            (first.as_str(), DeviceClass::FireSensor, property, is_up)
        }
        None => (
            first.as_str(),
            DeviceClass::FireSensor,
            of_topic,
            told.is_up,
        ),
    };
    let (kind, phase, word) = if is_up {
        (Kind::DeviceOnline, Phase::Updated, "online")
    } else {
        (Kind::DeviceOffline, Phase::Raised, "offline")
    };
    Some(Draft::new(address, class, kind, phase).edge(&property, word))
}

/// What the state of an entity means. Device classes: home-assistant.io, binary sensor and cover.
fn state(entity: &Entity, payload: &str) -> Option<Draft> {
    if entity.component == "event" {
        return event(entity, payload);
    }
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
        )
        .attr("label", "intrusion"),
        _ => return binary(entity, word == "on"),
    };
    Some(draft)
}

/// `{"event_type": "press"}` of somebody at the door, or in front of a sensor.
fn event(entity: &Entity, payload: &str) -> Option<Draft> {
    let told = text::json(value(entity, payload)?.as_bytes()).ok()?;
    let what = told.get("event_type")?.as_str()?;
    let (class, kind) = match entity.device_class.as_str() {
        "doorbell" => (DeviceClass::Access, Kind::AccessCall),
        _ => (DeviceClass::Camera, Kind::CameraMotion),
    };
    let draft = Draft::new(entity.address.as_str(), class, kind, Phase::Instant);
    Some(
        draft
            .component(entity.object.as_str())
            .attr("reason", text::clip(what, 100)),
    )
}

fn binary(entity: &Entity, is_on: bool) -> Option<Draft> {
    use DeviceClass::{Access, Camera, FireSensor};
    let sensor = entity.device_class.as_str();
    Some(match sensor {
        // only its name says what it is
        "" => {
            let name = entity.object.as_str();
            let is_sensor = named::is_of_a_sensor(name);
            return is_sensor.then(|| named::binary(&entity.address, name, name, is_on))?;
        }
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
