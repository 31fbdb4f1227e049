//! What the bridge says of its devices themselves: the retained list `<base>/bridge/devices`, the interview of one that has joined, and the
//! `device` that a state carries when the bridge was told to include it.

use domain::DeviceClass;
use serde_json::{Map, Value};

use super::properties;
use crate::adapters::draft::{About, Reading};
use crate::adapters::message::Message;
use crate::adapters::{Reject, text};

/// Most devices of a list that are taken; a coordinator that is sold today has room for 500.
const DEVICES_MAX: usize = 1_000;
/// Most properties of one device that are looked at.
const PROPERTIES_MAX: usize = 200;

/// `[{"friendly_name": …, "type": "EndDevice", "definition": {"vendor": …, "model": …, "exposes": […]}}, …]`
pub(super) fn devices(message: &Message<'_>) -> Result<Reading, Reject> {
    let list = message.json()?.as_array().map_or(&[][..], Vec::as_slice);
    let devices = list.iter().take(DEVICES_MAX);
    Ok(Reading {
        about: devices.flat_map(definition).collect(),
        ..Reading::default()
    })
}

/// One of the list, or the `data` of an interview. The coordinator is the bridge itself, and nothing where nothing is told.
pub(super) fn definition(device: &Value) -> Vec<About> {
    let name = text::first(device, &["friendly_name", "ieee_address"]).and_then(text::word);
    let is_coordinator = device.get("type").and_then(Value::as_str) == Some("Coordinator");
    let Some(address) = name.filter(|_| !is_coordinator) else {
        return Vec::new();
    };
    let word = |names: &[&str]| text::first(device, names).and_then(text::word);
    let exposes = text::at(device, "definition.exposes").and_then(Value::as_array);
    vec![About {
        address,
        class: exposes.and_then(|exposes| class_of(exposes)),
        vendor: word(&["definition.vendor", "manufacturer"]),
        model: word(&["definition.model", "model_id"]),
    }]
}

/// `"device": {"model": …, "manufacturerName": …}`
pub(super) fn of_state(address: &str, object: &Map<String, Value>) -> Vec<About> {
    let device = object.get("device").filter(|device| device.is_object());
    let Some(device) = device.filter(|_| !address.is_empty()) else {
        return Vec::new();
    };
    let word = |name: &str| device.get(name).and_then(text::word);
    vec![About {
        address: address.to_owned(),
        class: None,
        vendor: word("manufacturerName"),
        model: word("model"),
    }]
}

/// By the properties that it has; none where there is none that we know.
fn class_of(exposes: &[Value]) -> Option<DeviceClass> {
    let mut has = Map::new();
    for exposed in exposes.iter().take(PROPERTIES_MAX) {
        let name = text::first(exposed, &["property", "name"]).and_then(text::word);
        if let Some(name) = name {
            has.insert(name, Value::Null);
        }
        if exposed.get("type").and_then(Value::as_str) == Some("lock") {
            has.insert("lock_state".to_owned(), Value::Null);
        }
    }
    properties::is_known(&has).then(|| properties::class_of(&has))
}
