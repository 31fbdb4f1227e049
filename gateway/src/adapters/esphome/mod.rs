//! ESPHome without discovery: `<prefix>/status` is birth and will, `<prefix>/<component>/<object_id>/state` the state of an entity as a bare
//! word. What a binary sensor senses only its object id says; with discovery (the default) the format `home-assistant` knows better and
//! goes before. Layout: esphome.io, components/mqtt.

use domain::DeviceClass;
use serde_json::Value;

use super::draft::Reading;
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
            [prefix @ .., "lock", object, "state"] => {
                named::lock(&prefix.join("/"), object, message.text()?)
            }
            _ => None,
        };
        Ok(Vec::from_iter(drafts).into())
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !(topic.contains("/sensor/")
            || topic.contains("/text_sensor/")
            || topic.ends_with("/debug"))
    }
}
