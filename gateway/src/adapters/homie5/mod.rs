//! Homie 5: `homie/5/<device>/$state` is the life of a device, `$alert/<id>` stands while something is wrong, `<node>/<property>` carries a
//! value. Convention: homieiot/convention, version 5.
//!
//! An alert is retained and deleted with an empty message when it is over. `lost` is the will of a root device: its children are lost
//! with it, and that is one event.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, named, text};

/// The format.
pub struct Homie5;

impl Format for Homie5 {
    fn name(&self) -> &'static str {
        "homie5"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        match message.levels().as_slice() {
            ["homie", "5", _, _, ..] => Claim::Address,
            [_, "5", _, attribute, ..] if attribute.starts_with('$') => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        let draft = match levels.get(2..).unwrap_or_default() {
            ["$broadcast", subtopic @ ..] => broadcast(subtopic, message.text()?),
            [device, "$state"] => state(device, message.text()?)?,
            [device, "$alert", id] => Some(alert(device, id, message.text()?)),
            [_, attribute, ..] if attribute.starts_with('$') => None,
            [device, node, property] => value(device, node, property, message.text()?),
            _ => None, // what somebody wants of it, and attributes
        };
        let reading = Reading::from(Vec::from_iter(draft));
        Ok(match levels.get(2..).unwrap_or_default() {
            [device, node, _] if !device.starts_with('$') && !node.starts_with('$') => {
                reading.spoken_by(*device)
            }
            _ => reading,
        })
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !(topic.contains("/$description") || topic.contains("/$log/"))
    }
}

/// `init` and `sleeping` are no news: the device is there.
fn state(device: &str, word: &str) -> Result<Option<Draft>, Reject> {
    let is_reachable = match word {
        "ready" => true,
        "lost" | "disconnected" => false,
        "init" | "sleeping" | "" => return Ok(None),
        _ => {
            let detail = format!("`{}` is no state of a device", text::clip(word, 40));
            return Err(Reject::new("bad_state", detail));
        }
    };
    let draft = named::reachable(device, DeviceClass::Gateway, is_reachable);
    Ok(Some(if is_reachable {
        draft
    } else {
        draft.attr("reason", word)
    }))
}

/// Words of an alert that is about the device and not about what it senses.
const OF_DEVICE: [&str; 6] = [
    "fault",
    "failure",
    "failed",
    "trouble",
    "malfunction",
    "offline",
];

/// An alert is there while its message is; its id is the device's own word.
fn alert(device: &str, id: &str, message: &str) -> Draft {
    let words = id.to_ascii_lowercase();
    if words.ends_with("unreachable") {
        return named::reachable(device, DeviceClass::FireSensor, message.is_empty());
    }
    let kind = match words.as_str() {
        word if word.contains("battery") => Kind::DeviceBatteryLow,
        // of whatever it is that fails
        word if word
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| OF_DEVICE.contains(&word)) =>
        {
            Kind::DeviceFault
        }
        word if word.contains("gas") => Kind::FireGas,
        word if word.contains("monoxide") || word.split(['-', '_']).any(|word| word == "co") => {
            Kind::FireCo
        }
        word if word.contains("smoke") => Kind::FireSmoke,
        word if word.contains("fire") && !word.contains("door") => Kind::FireDetector,
        word if word.contains("tamper") => Kind::DeviceTamper,
        word if word.contains("leak") || word.contains("flood") => Kind::EnvWaterLeak,
        _ => Kind::DeviceFault,
    };
    let property = format!("$alert/{id}");
    let is_there = !message.is_empty();
    Draft::condition(device, DeviceClass::FireSensor, kind, &property, is_there)
        .attr("reason", id)
        .attr("description", text::clip(message, 500))
        .apart()
}

/// A word of a controller to all. Only what calls itself an alert or alarm is news.
fn broadcast(subtopic: &[&str], message: &str) -> Option<Draft> {
    let is_alarm = subtopic.iter().any(|level| {
        let level = level.to_ascii_lowercase();
        level.contains("alert") || level.contains("alarm")
    });
    if !is_alarm || message.is_empty() {
        return None;
    }
    let draft = Draft::new(
        "$broadcast",
        DeviceClass::Gateway,
        Kind::DeviceAlarmInput,
        Phase::Instant,
    );
    Some(
        draft
            .attr("reason", subtopic.join("/"))
            .attr("description", text::clip(message, 500)),
    )
}

/// A value of a property. What it means only its ids say: `smoke-detector/smoke`, `front-door/open`.
fn value(device: &str, node: &str, property: &str, payload: &str) -> Option<Draft> {
    let component = format!("{node}/{property}");
    if let Some(draft) = named::lock(device, &component, payload) {
        // `open` is a word of doors and covers, too
        if property.contains("lock") || node.contains("lock") {
            return Some(draft);
        }
    }
    let told = || text::boolean(&Value::from(payload));
    match (node, property) {
        (_, "reachable") => {
            return told().map(|is| named::reachable(device, DeviceClass::FireSensor, is));
        }
        ("lock", "state") | (_, "locked") => {
            let word = if told()? { "locked" } else { "unlocked" };
            return named::lock(device, &component, word);
        }
        _ => {}
    }
    let name = if property == "state" || property == "value" || property == "open" {
        node
    } else {
        property
    };
    let is_on = match payload {
        "open" | "alarm" | "detected" | "triggered" | "active" => true,
        "closed" | "normal" | "clear" | "idle" | "inactive" => false,
        _ => text::boolean(&Value::from(payload)).filter(|_| {
            // the polarity of a boolean contact is nobody's to guess
            property != "contact"
        })?,
    };
    named::binary(device, &component, name, is_on)
        // whether a detector is enabled is no smoke
        .or_else(|| {
            let says_so =
                ["alarm", "active", "detected", "triggered", "status"].contains(&property);
            says_so.then(|| named::binary(device, &component, node, is_on))?
        })
}
