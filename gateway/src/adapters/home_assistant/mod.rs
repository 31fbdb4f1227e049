//! MQTT discovery of Home Assistant: `<prefix>/<component>/[<node>/]<object>/config`, retained, announces an entity and the topic of its
//! state; an empty message takes it back. What was announced is remembered ([`Reading::learn`]) and reads the states that follow, through
//! their `value_template`. So whatever speaks to Home Assistant is read: ESPHome, Tasmota, zwave-js-ui, OpenMQTTGateway, own firmware.
//!
//! Keys, defaults and abbreviations are those of home-assistant.io: the MQTT integration, its binary sensor, lock, cover, event and alarm panel.

mod config;
mod entity;
mod learn;
mod state;
mod template;

use domain::Kind;

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct HomeAssistant;

/// What can be announced. Other words in their place are no discovery.
const COMPONENTS: &[&str] = &[
    "alarm_control_panel",
    "binary_sensor",
    "button",
    "camera",
    "climate",
    "cover",
    "device",
    "device_automation",
    "device_tracker",
    "event",
    "fan",
    "humidifier",
    "image",
    "lawn_mower",
    "light",
    "lock",
    "notify",
    "number",
    "scene",
    "select",
    "sensor",
    "siren",
    "switch",
    "tag",
    "text",
    "update",
    "vacuum",
    "valve",
    "water_heater",
];

impl Format for HomeAssistant {
    fn name(&self) -> &'static str {
        "home-assistant"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        if config_topic(&levels).is_some() || levels.as_slice() == ["homeassistant", "status"] {
            Claim::Address
        } else {
            Claim::No
        }
    }

    fn claim_learnt(&self, message: &Message<'_>, recall: &dyn Recall) -> Claim {
        let topic = message.topic();
        if !topic.is_empty() && recall.recall(&learn::topic_key(topic)).is_some() {
            return Claim::Address;
        }
        self.claim(message)
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        if let Some(announced) = config_topic(&levels) {
            if is_taken_back(message) {
                return learn::reading(message.topic(), None, recall);
            }
            let body = message.json()?;
            let mut entities = config::entities(&announced, body)?;
            let unread = entities.leave_out_unreadable();
            if let Some(reject) = unread.clone().filter(|_| entities.read.is_empty()) {
                return Err(reject);
            }
            let mut reading = learn::reading(message.topic(), Some(&entities), recall)?;
            reading.unread = unread;
            reading.about = config::about(&entities, body).into_iter().collect();
            return Ok(reading);
        }
        state::read(message, recall)
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.ends_with("/config")
    }
}

/// What another format claims of a message by its topic. Where its owner has announced the topic and the format makes nothing of the
/// message, it goes by the announcement: what `Switch1` of a module is, only its owner knows.
pub fn unless_announced(format: &dyn Format, message: &Message<'_>, recall: &dyn Recall) -> Claim {
    let claim = format.claim(message);
    let topic = message.topic();
    if claim != Claim::Address || topic.is_empty() {
        return claim;
    }
    if recall.recall(&learn::topic_key(topic)).is_none() {
        return claim;
    }
    match format.read(message, recall) {
        Ok(reading) if reading.charges.is_empty() && reading.drafts.iter().all(is_bare_input) => {
            Claim::Shape
        }
        _ => claim,
    }
}

/// Whether a draft says no more than that something wired to a device is on or off.
fn is_bare_input(draft: &Draft) -> bool {
    draft.kind == Kind::DeviceAlarmInput
        && draft
            .attrs
            .get("sensor")
            .is_some_and(|sensor| sensor == "input")
}

/// An empty message, or the `null` that some bridges send for it.
fn is_taken_back(message: &Message<'_>) -> bool {
    message
        .text()
        .is_ok_and(|text| text.is_empty() || text == "null")
}

/// What a discovery topic says.
struct Announced<'a> {
    component: &'a str,
    /// The node where there is one, else the object.
    node: &'a str,
    object: &'a str,
}

/// `<prefix>/<component>/<object>/config` or `<prefix>/<component>/<node>/<object>/config`; the prefix is one level, whatever it is.
fn config_topic<'a>(levels: &[&'a str]) -> Option<Announced<'a>> {
    let (component, node, object) = match levels {
        [_, component, object, "config"] => (component, object, object),
        [_, component, node, object, "config"] => (component, node, object),
        _ => return None,
    };
    COMPONENTS.contains(component).then_some(Announced {
        component,
        node,
        object,
    })
}

/// A text, number or truth as Home Assistant compares it with a payload.
fn payload_word(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Bool(is) => Some(is.to_string()),
        value => text::word(value),
    }
}
