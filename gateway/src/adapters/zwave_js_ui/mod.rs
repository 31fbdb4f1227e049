//! Z-Wave JS UI: `<prefix>/[<location>/]<node>/<command class>/<endpoint>/<property>[/<key>]` carries one value of a node, bare or as
//! `{"time": …, "value": …}`, `<prefix>/…/<node>/status` whether the node is alive, `<prefix>/_CLIENTS/ZWAVE_GATEWAY-<name>/status` the
//! gateway itself. Topics: zwave-js/zwave-js-ui, docs/guide/mqtt.md. Values of notifications: Z-Wave specification, Notification command
//! class, as zwave-js names them.
//!
//! Value 3 of a smoke alarm is its test: what this bridge announces to Home Assistant does not say so, hence this format goes before.

mod value;

use domain::DeviceClass;
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::Reading;
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, named, text};

/// The format.
pub struct ZwaveJsUi;

/// Command classes that tell something of ours, by number and by name.
const CLASSES: &[(&str, &str)] = &[
    ("48", "binary_sensor"),
    ("98", "door_lock"),
    ("102", "barrier_operator"),
    ("111", "entry_control"),
    ("113", "notification"),
    ("128", "battery"),
    ("156", "alarm_sensor"),
];

impl Format for ZwaveJsUi {
    fn name(&self) -> &'static str {
        "zwave-js-ui"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        let Some(prefix) = levels.first() else {
            return Claim::No;
        };
        let is_own = |level: &&str| matches!(*level, "_CLIENTS" | "_EVENTS");
        if prefix.starts_with("zwave") && levels.len() > 2 || levels.iter().any(is_own) {
            return Claim::Address;
        }
        let tells_status = || {
            levels.last() == Some(&"status")
                && message.object().is_some_and(|object| {
                    object.get("value").is_some_and(Value::is_boolean)
                        && object.contains_key("status")
                })
        };
        if split(&levels).is_some() || tells_status() {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        if message.payload.is_empty() || matches!(levels.last(), Some(&("set" | "nodeinfo"))) {
            return Ok(Reading::default());
        }
        match levels.as_slice() {
            // the same as the values, with all of a node around it
            [_, "_EVENTS", ..] => return Ok(Reading::default()),
            [.., "_CLIENTS", gateway, "status"] => {
                let name = gateway.strip_prefix("ZWAVE_GATEWAY-").unwrap_or(gateway);
                return reachability(message, name, DeviceClass::Gateway);
            }
            // the radio of the gateway: none of its nodes can be reached without
            [prefix, "driver", "status"] => {
                return reachability(message, prefix, DeviceClass::Gateway);
            }
            [_, node @ .., "status"] if !node.is_empty() => {
                return reachability(message, &node.join("/"), DeviceClass::FireSensor);
            }
            _ => {}
        }
        let Some(place) = split(&levels) else {
            return Ok(Reading::default()); // calls, events of the driver, other classes
        };
        let told = told(message)?;
        let value = match &told {
            Value::Object(object) => match object.get("value") {
                Some(value) => value,
                None => return Ok(Reading::default()),
            },
            bare => bare,
        };
        if place.class == "128" && place.property.first() == Some(&"level") {
            let percent = text::number(value);
            return Ok(Reading {
                charges: Vec::from_iter(percent.map(|percent| (place.node.clone(), percent))),
                ..Reading::default()
            }
            .spoken_by(place.node));
        }
        let mut drafts = value::drafts(&place.node, place.class, place.property, value);
        let at = text::at(&told, "time")
            .and_then(text::integer)
            .and_then(DeviceTime::epoch_ms);
        for draft in &mut drafts {
            draft.at.clone_from(&at);
            // another sensor of the same node
            if place.endpoint > 0 && draft.component.is_none() {
                draft.component = Some(format!("endpoint-{}", place.endpoint));
            }
        }
        Ok(Reading::from(drafts).spoken_by(place.node))
    }
}

struct Place<'a> {
    /// Location and name below the prefix.
    node: String,
    /// The command class by its number.
    class: &'static str,
    /// 0 is the node as a whole.
    endpoint: u16,
    /// Property and key.
    property: &'a [&'a str],
}

/// Node, class and property of a value's topic: `113/0/…` or `notification/endpoint_0/…`.
fn split<'a>(levels: &'a [&'a str]) -> Option<Place<'a>> {
    if let [prefix, node @ .., "notification", _] = levels
        && prefix.starts_with("zwave")
    {
        // the name of an event, by a bridge that left endpoints out
        return Some(Place {
            node: node.join("/"),
            class: "113",
            endpoint: 0,
            property: levels.get(levels.len() - 1..)?,
        });
    }
    let at = (2..levels.len()).find(|at| {
        let class = levels.get(*at).copied().unwrap_or_default();
        let endpoint = levels.get(at + 1).copied().unwrap_or_default();
        CLASSES.iter().any(|(number, name)| {
            (class == *number
                && !endpoint.is_empty()
                && endpoint.bytes().all(|b| b.is_ascii_digit()))
                || (class == *name && endpoint.starts_with("endpoint_"))
        })
    })?;
    let class = *levels.get(at)?;
    let (number, _) = CLASSES
        .iter()
        .find(|(number, name)| class == *number || class == *name)?;
    let property = levels.get(at + 2..).filter(|rest| !rest.is_empty())?;
    let endpoint = levels.get(at + 1)?.trim_start_matches("endpoint_");
    Some(Place {
        node: levels.get(1..at)?.join("/"),
        class: number,
        endpoint: endpoint.parse().unwrap_or_default(),
        property,
    })
}

/// JSON, or a bare word.
fn told(message: &Message<'_>) -> Result<Value, Reject> {
    match message.json() {
        Ok(value) => Ok(value.clone()),
        Err(reject) if message.payload.first() == Some(&b'{') => Err(reject),
        Err(_) => Ok(Value::from(message.text()?)),
    }
}

/// `{"value": false, "status": "Dead"}`. A node that sleeps is well.
fn reachability(
    message: &Message<'_>,
    address: &str,
    class: DeviceClass,
) -> Result<Reading, Reject> {
    let told = told(message)?;
    let is_reachable = match text::at(&told, "status").and_then(Value::as_str) {
        Some("Dead") => Some(false),
        Some("Alive" | "Awake" | "Asleep") => Some(true),
        _ => text::boolean(told.get("value").unwrap_or(&told)),
    };
    let draft = is_reachable.map(|is| named::reachable(address, class, is));
    Ok(Vec::from_iter(draft).into())
}
