//! Axis cameras over MQTT: `{prefix}/event/{topic}` with ONVIF topics, and what the client says when it comes and goes.
//!
//! Layout: VAPIX MQTT event bridge (developer.axis.com/vapix/network-video/mqtt-event-bridge), Kane610/axis@axis/models/mqtt.py. Prefix, name spaces
//! in the topic, serial number and time stamp are options; values are texts, `"0"` and `"1"`. A message without a topic, neither inside
//! nor outside, says nothing that can be understood.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::onvif::{self, Notice, Operation};
use super::onvif_ej::items;
use super::{Reject, text};

/// The format.
pub struct AxisMqtt;

impl Format for AxisMqtt {
    fn name(&self) -> &'static str {
        "axis-mqtt"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        let is_own = levels.first() == Some(&"axis")
            || levels.iter().any(|level| level.starts_with("tns:"))
            || levels
                .windows(2)
                .any(|pair| pair == ["event", "tns1:Device"]);
        if is_own {
            return Claim::Address;
        }
        if message.object().is_some_and(is_event) {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        let serial = serial_of(&levels);
        if let Some(draft) = connection(message, &levels, serial) {
            return Ok(draft.into());
        }
        if message.payload.is_empty() {
            // a retained topic was taken away: it is over
            let (topic, component) = outer_topic(&levels);
            let notice = Notice {
                address: serial.unwrap_or_default().to_owned(),
                topic,
                component,
                operation: Operation::Deleted,
                ..Notice::default()
            };
            return Ok(notice.drafts().into());
        }
        let body = message.json()?;
        let Some(inner) = body.get("message").filter(|inner| inner.is_object()) else {
            // analytics and statistics of other publishers on the same prefix
            return Ok(Reading::default());
        };
        let (topic, part) = outer_topic(&levels);
        let topic = match text::at(body, "topic").and_then(Value::as_str) {
            Some(topic) => onvif::levels(topic),
            None => topic,
        };
        let address = text::first(body, &["serial", "serialNumber"])
            .and_then(text::word)
            .or_else(|| serial.map(str::to_owned));
        let source = items(inner.get("source"));
        let notice = Notice {
            address: address.unwrap_or_default(),
            topic,
            // where the payload has a source, that says it
            component: part.filter(|_| source.is_empty()),
            source,
            key: items(inner.get("key")),
            data: items(inner.get("data")),
            at: text::at(body, "timestamp").and_then(|time| match time {
                Value::String(time) => DeviceTime::text(time, message.zone),
                time => DeviceTime::epoch_any(text::number(time)?),
            }),
            operation: Operation::of_retain(message.is_retained()),
        };
        Ok(notice.drafts().into())
    }
}

/// A topic with the name spaces of these cameras; without a topic, `message` with `data` and `source` or `key`.
fn is_event(body: &serde_json::Map<String, Value>) -> bool {
    const SPACES: [&str; 4] = ["onvif:", "axis:", "tns1:", "tnsaxis:"];
    if let Some(topic) = body.get("topic") {
        let topic = topic.as_str().unwrap_or_default();
        return SPACES.iter().any(|space| topic.starts_with(space));
    }
    let inner = body.get("message");
    let is_part =
        |name: &str| inner.is_some_and(|inner| inner.get(name).is_some_and(Value::is_object));
    is_part("data") && (is_part("source") || is_part("key"))
}

/// `axis/{serial}/event/…`: the level before `event`, where the prefix is the usual one.
fn serial_of<'a>(levels: &[&'a str]) -> Option<&'a str> {
    let at = levels.iter().position(|level| *level == "event")?;
    match levels.first() {
        Some(&"axis") if at > 1 => levels.get(1).copied(),
        // a prefix of somebody's own
        _ => levels.get(at.checked_sub(1)?).copied(),
    }
}

/// The topic that stands behind `event`, and the values of the source behind `$source`.
fn outer_topic(levels: &[&str]) -> (Vec<String>, Option<String>) {
    let Some(at) = levels.iter().position(|level| *level == "event") else {
        return (Vec::new(), None);
    };
    let rest = levels.get(at + 1..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|level| level.starts_with('$'))
        .unwrap_or(rest.len());
    let topic = onvif::levels(&rest.get(..end).unwrap_or_default().join("/"));
    let values: Vec<&str> = rest
        .get(end + 1..)
        .unwrap_or_default()
        .iter()
        .skip(1)
        .step_by(2)
        .copied()
        .collect();
    (topic, (!values.is_empty()).then(|| values.join("/")))
}

/// What the client says of itself when it connects and goes, and what the broker says when it is lost: `{"connected": "1"}` or the
/// words that somebody set, on `…/event/connection`, `…/connection`, `…/lwt`, `…/status`.
fn connection(message: &Message<'_>, levels: &[&str], serial: Option<&str>) -> Option<Draft> {
    let last = levels.last()?.to_ascii_lowercase();
    if !matches!(
        last.as_str(),
        "connection" | "connect" | "disconnect" | "lwt" | "status" | "connected" | "availability"
    ) {
        return None;
    }
    let said = match message.json() {
        Ok(body) => text::first(body, &["connected", "online", "status", "state"])
            .unwrap_or(body)
            .clone(),
        Err(_) => Value::from(message.text().ok()?),
    };
    let word = match &said {
        Value::String(word) => word.trim().to_ascii_lowercase(),
        _ => String::new(),
    };
    let is_there = match word.as_str() {
        "connected" | "online" => true,
        "disconnected" | "offline" | "lost" => false,
        _ => text::boolean(&said)?,
    };
    let (kind, phase) = if is_there {
        (Kind::DeviceOnline, Phase::Updated)
    } else {
        (Kind::DeviceOffline, Phase::Raised)
    };
    let serial = serial.or_else(|| levels.get(1).filter(|_| levels.len() > 2).copied());
    let draft = Draft::new(serial.unwrap_or_default(), DeviceClass::Camera, kind, phase);
    Some(draft.edge("connection", is_there))
}
