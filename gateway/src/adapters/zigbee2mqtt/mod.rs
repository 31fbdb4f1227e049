//! Zigbee2MQTT: `<base>/<friendly name>` carries the whole cached state of a Zigbee device as one JSON object, `…/availability` and
//! `<base>/bridge/state` tell who can be reached, `<base>/bridge/event` who joined and left. Topics and words are those of
//! `docs/guide/usage/mqtt_topics_and_messages.md` (Koenkk/zigbee2mqtt.io) and of the exposed properties of zigbee-herdsman-converters.
//!
//! Ten messages with `smoke: true` are one alarm: every property is an edge. `contact: true` is a closed door.

mod about;
mod lock;
mod properties;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct Zigbee2Mqtt;

impl Format for Zigbee2Mqtt {
    fn name(&self) -> &'static str {
        "zigbee2mqtt"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        if levels.is_empty() || levels.first() == Some(&"homeassistant") {
            return Claim::No;
        }
        if named_base(&levels).is_some() {
            return Claim::Address;
        }
        if is_known_by_shape(message, &levels) {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        let base = named_base(&levels).unwrap_or(usize::from(levels.len() > 1));
        let below = levels.get(base..).unwrap_or_default();
        if message.payload.is_empty() {
            return Ok(Reading::default()); // a retained message was deleted
        }
        match below {
            // the bridge itself
            ["bridge", "state"] => availability(message, "", DeviceClass::Gateway),
            ["bridge", "event"] => membership(message),
            ["bridge", "devices"] => about::devices(message),
            ["bridge", ..] | [.., "set" | "get"] | [_, .., "set" | "get", _] => {
                Ok(Reading::default())
            }
            [name @ .., "availability"] if !name.is_empty() => {
                availability(message, &name.join("/"), DeviceClass::FireSensor)
            }
            _ => state(message, below, recall),
        }
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !(topic.contains("/bridge/logging") || topic.ends_with("/bridge/info"))
    }
}

/// Where the levels below the base topic begin, if a level of it says whose it is.
fn named_base(levels: &[&str]) -> Option<usize> {
    levels
        .iter()
        .take(2)
        .position(|level| {
            level
                .get(..11)
                .is_some_and(|start| start.eq_ignore_ascii_case("zigbee2mqtt"))
        })
        .map(|at| at + 1)
        .filter(|at| *at < levels.len())
}

/// Below another base topic: a state always carries the link quality, the bridge and its children tell one word.
fn is_known_by_shape(message: &Message<'_>, levels: &[&str]) -> bool {
    let Some(object) = message.object() else {
        return false;
    };
    let tells_reachability = || {
        object.len() == 1
            && object
                .get("state")
                .and_then(Value::as_str)
                .is_some_and(|state| matches!(state, "online" | "offline"))
    };
    match levels {
        [_, .., "bridge", "state"] | [_, _, .., "availability"] => tells_reachability(),
        [_, .., "bridge", "event"] => object.contains_key("type") && object.contains_key("data"),
        _ => {
            object.get("linkquality").is_some_and(Value::is_number)
                && object.len() > 1
                && !object.contains_key("ZbReceived")
        }
    }
}

/// `{"state": "online"}`, or the bare word of old versions.
fn availability(
    message: &Message<'_>,
    address: &str,
    class: DeviceClass,
) -> Result<Reading, Reject> {
    let word = match message.object() {
        Some(object) => object.get("state").and_then(text::word),
        None => Some(message.text()?.trim_matches('"').to_owned()),
    };
    let draft = match word.as_deref() {
        Some("online") => Draft::new(address, class, Kind::DeviceOnline, Phase::Updated),
        Some("offline") => Draft::new(address, class, Kind::DeviceOffline, Phase::Raised),
        _ => {
            let detail = "the availability is neither online nor offline";
            return Err(Reject::new("bad_availability", detail));
        }
    };
    Ok(draft.edge("availability", word.unwrap_or_default()).into())
}

/// `{"type": "device_joined", "data": {"friendly_name": …, "ieee_address": …}}`; an interview tells maker and model.
fn membership(message: &Message<'_>) -> Result<Reading, Reject> {
    let event = message.json()?;
    let kind = match event.get("type").and_then(Value::as_str) {
        Some("device_joined") => Kind::DeviceJoined,
        Some("device_leave") => Kind::DeviceLeft,
        Some("device_interview") => {
            return Ok(Reading {
                about: about::definition(event.get("data").unwrap_or(&Value::Null)),
                ..Reading::default()
            });
        }
        _ => return Ok(Reading::default()),
    };
    let Some(name) =
        text::first(event, &["data.friendly_name", "data.ieee_address"]).and_then(text::word)
    else {
        let detail = "a device joined or left that has no name";
        return Err(Reject::new("no_device", detail));
    };
    let ieee = text::at(event, "data.ieee_address").and_then(text::word);
    let draft = Draft::new(name, DeviceClass::FireSensor, kind, Phase::Instant);
    Ok(Reading {
        about: about::definition(event.get("data").unwrap_or(&Value::Null)),
        ..draft.attr("ieee_address", ieee).into()
    })
}

/// The state of a device: an object, or a single property where the bridge was told to publish attributes.
fn state(message: &Message<'_>, below: &[&str], recall: &dyn Recall) -> Result<Reading, Reject> {
    if let [name @ .., property] = below
        && !name.is_empty()
        && let Some(value) = scalar(message)
    {
        let name = name.join("/");
        let mut single = Map::new();
        single.insert((*property).to_owned(), value);
        return Ok(read_state(&name, &single, Told::Alone, recall));
    }
    match message.json()? {
        Value::Object(object) => {
            let name = match below.join("/") {
                name if name.is_empty() => own_name(object),
                name => name,
            };
            Ok(read_state(&name, object, Told::Together, recall))
        }
        _ => Ok(Reading::default()),
    }
}

/// The name in a payload that came without a topic.
fn own_name(object: &Map<String, Value>) -> String {
    object
        .get("device")
        .and_then(|device| text::first(device, &["friendlyName", "ieeeAddr"]))
        .and_then(text::word)
        .unwrap_or_default()
}

/// Whether a property came in the state of its device or on a topic of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Together,
    Alone,
}

/// A payload that is one value: JSON's, or a bare word.
fn scalar(message: &Message<'_>) -> Option<Value> {
    match message.json() {
        Ok(Value::Object(_) | Value::Array(_) | Value::Null) => None,
        Ok(value) => Some(value.clone()),
        Err(_) => message
            .text()
            .ok()
            .filter(|word| {
                !word.is_empty() && word.len() <= 64 && !word.contains(['{', '[', '"', '<'])
            })
            .map(Value::from),
    }
}

fn read_state(name: &str, object: &Map<String, Value>, told: Told, recall: &dyn Recall) -> Reading {
    let class = properties::class_of(object);
    let mut reading = Reading::from(properties::drafts(name, class, object));
    lock::read(name, object, told, recall, &mut reading);
    let charge = object.get("battery").and_then(text::number);
    reading.charges = charge
        .map(|percent| (name.to_owned(), percent))
        .into_iter()
        .collect();
    reading = reading.spoken_by(name);
    reading.about = about::of_state(name, object);
    if let Some(at) = object.get("last_seen").and_then(properties::time) {
        for draft in &mut reading.drafts {
            draft.at = Some(at.clone());
        }
    }
    reading
}
