//! ESPHome without discovery: `<prefix>/status` is birth and will, `<prefix>/<component>/<object_id>/state` the state of an entity as a bare
//! word. What a binary sensor senses only its object id says; with discovery (the default) the format `home-assistant` knows better and
//! goes before. Layout: esphome.io, components/mqtt.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, named, text};

/// The format.
pub struct EspHome;

/// Components of the firmware that publish a state.
const COMPONENTS: &[&str] = &[
    "alarm_control_panel",
    "binary_sensor",
    "button",
    "climate",
    "cover",
    "event",
    "fan",
    "light",
    "lock",
    "number",
    "select",
    "sensor",
    "switch",
    "text",
    "text_sensor",
    "valve",
];

impl Format for EspHome {
    fn name(&self) -> &'static str {
        "esphome"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        match message.levels().as_slice() {
            [_, .., component, _, "state" | "command"] if COMPONENTS.contains(component) => {
                Claim::Address
            }
            [_, .., "status"] if matches!(message.payload, b"online" | b"offline") => Claim::Shape,
            // its log, with the colours of a terminal or without
            [_, .., "debug"]
                if message
                    .payload
                    .first()
                    .is_some_and(|b| b"\x1b[".contains(b)) =>
            {
                Claim::Shape
            }
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        if message.payload.is_empty() {
            return Ok(Reading::default());
        }
        let drafts = match message.levels().as_slice() {
            [prefix @ .., "status"] => {
                let is_reachable = message.text()? == "online";
                let class = DeviceClass::FireSensor;
                Some(named::reachable(&prefix.join("/"), class, is_reachable))
            }
            [prefix @ .., "binary_sensor", object, "state"] => {
                text::boolean(&Value::from(message.text()?))
                    .and_then(|is_on| named::binary(&prefix.join("/"), object, object, is_on))
            }
            [prefix @ .., "alarm_control_panel", object, "state"] => {
                let word = message.text()?.to_ascii_lowercase();
                let is_there = match word.as_str() {
                    "triggered" => Some(true),
                    "arming" | "pending" => None,
                    _ => Some(false),
                };
                is_there.map(|is_there| {
                    let (class, kind) = (DeviceClass::Panel, Kind::DeviceAlarmInput);
                    Draft::condition(prefix.join("/"), class, kind, "state", is_there)
                        .component(*object)
                        .attr("label", "intrusion")
                })
            }
            [prefix @ .., "cover", object, "state"] => {
                let is_open = match message.text()?.to_ascii_lowercase().as_str() {
                    "open" => Some(true),
                    "closed" => Some(false),
                    _ => None,
                };
                is_open
                    .and_then(|is_open| named::binary(&prefix.join("/"), object, object, is_open))
                    // the flap of a smoke vent senses none
                    .filter(|draft| draft.kind == Kind::AccessDoorState)
            }
            // a button that is told once: `{"event_type": "press"}`
            [prefix @ .., "event", object, "state"]
                if object.to_ascii_lowercase().contains("bell") =>
            {
                let (class, kind) = (DeviceClass::Access, Kind::AccessCall);
                let draft = Draft::new(prefix.join("/"), class, kind, Phase::Instant);
                (!message.is_retained()).then(|| draft.component(*object))
            }
            [prefix @ .., "lock", object, "state"] => {
                named::lock(&prefix.join("/"), object, message.text()?)
            }
            _ => None,
        };
        let reading = Reading::from(Vec::from_iter(drafts));
        // not what somebody wants of it
        Ok(match message.levels().as_slice() {
            [prefix @ .., _, _, "state"] => reading.spoken_by(prefix.join("/")),
            _ => reading,
        })
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !(topic.contains("/sensor/")
            || topic.contains("/text_sensor/")
            || topic.ends_with("/debug"))
    }
}
