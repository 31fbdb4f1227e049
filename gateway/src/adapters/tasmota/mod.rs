//! Tasmota: `tele/<topic>/LWT` tells in a bare word whether a module can be reached, `tele/<topic>/SENSOR` carries what the Zigbee devices
//! behind it said (`ZbReceived`), either raw (`"0500!00": "010000FF0000"`, the IAS zone status little-endian) or named (`"Contact": 1`).
//! The prefix may stand anywhere in the topic (`FullTopic`). Layout: tasmota/docs, MQTT.md, Zigbee.md, Commands.md.
//!
//! `Contact: 1` is an open door here: it is the alarm bit of the zone. What is wired to a module itself is an input (`Switch1`), or a reader of
//! cards. What a radio bridge hears is a bare code (`RfReceived`): whose it is nobody says, and it is kept.

mod wired;
mod zone;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, home_assistant, text};

/// Most devices in one message.
const DEVICES_MAX: usize = 200;

/// The format.
pub struct Tasmota;

impl Format for Tasmota {
    fn name(&self) -> &'static str {
        "tasmota"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if place(&message.levels()).is_some() || is_discovery(message.topic()) {
            return Claim::Address;
        }
        let is_zigbee = message
            .object()
            .is_some_and(|object| object.get("ZbReceived").is_some_and(Value::is_object));
        if is_zigbee || message.topic().ends_with("/LWT") {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn claim_learnt(&self, message: &Message<'_>, recall: &dyn Recall) -> Claim {
        home_assistant::unless_announced(self, message, recall)
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        if is_discovery(message.topic()) {
            return Ok(Reading::default());
        }
        let levels = message.levels();
        let place = place(&levels).unwrap_or_else(|| Place {
            prefix: "tele",
            device: levels
                .split_last()
                .map(|(_, device)| device.join("/"))
                .unwrap_or_default(),
            leaf: levels.last().copied().unwrap_or_default(),
        });
        if place.prefix == "cmnd" || message.payload.is_empty() {
            return Ok(Reading::default());
        }
        match place.leaf {
            "LWT" => reachability(&place.device, message.text()?),
            "SENSOR" | "RESULT" | "STATE" => told(message, place.device),
            _ if message.object().is_some() => told(message, place.device),
            // POWER1, UPTIME and the like: a bare word of a switch
            _ => Ok(Reading::default().spoken_by(place.device)),
        }
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !(topic.ends_with("/STATE") || topic.contains("/INFO") || topic.contains("/STATUS"))
    }
}

/// What a module announces of itself to Home Assistant's own Tasmota integration.
fn is_discovery(topic: &str) -> bool {
    topic.starts_with("tasmota/discovery/")
}

/// What an object tells: of the Zigbee devices behind a module, and of what is wired to it.
fn told(message: &Message<'_>, device: String) -> Result<Reading, Reject> {
    let mut reading = zigbee(message)?;
    if let Some(body) = message.object() {
        let at = time(body, message);
        for mut draft in wired::drafts(&device, body) {
            draft.at.clone_from(&at);
            reading.drafts.push(draft);
        }
        reading.unread = radio_code(body);
    }
    Ok(reading.spoken_by(device))
}

/// `{"RfReceived": {"Data": "4AF10A", "RfKey": "None"}}`: a remote, a door, a smoke detector.
fn radio_code(body: &Map<String, Value>) -> Option<Reject> {
    let code = body.get("RfReceived")?.get("Data").and_then(text::word)?;
    let code = text::clip(&code, 40);
    let detail = format!(
        "nobody says whose radio code `{code}` is (hint: announce it by MQTT discovery of Home Assistant)"
    );
    Some(Reject::new("unknown_event", detail))
}

/// The wall clock of the module.
fn time(body: &Map<String, Value>, message: &Message<'_>) -> Option<DeviceTime> {
    DeviceTime::text(body.get("Time")?.as_str()?, message.zone)
}

struct Place<'a> {
    prefix: &'a str,
    device: String,
    leaf: &'a str,
}

/// Prefix, device and leaf of a topic: `tele/<topic>/SENSOR`, `<site>/<topic>/tele/SENSOR`. The leaf is in capitals, save in commands.
fn place<'a>(levels: &[&'a str]) -> Option<Place<'a>> {
    let (leaf, above) = levels.split_last()?;
    let at = above
        .iter()
        .position(|level| matches!(*level, "tele" | "stat" | "cmnd"))?;
    let prefix = *above.get(at)?;
    let is_leaf = prefix == "cmnd"
        || *leaf == "ZbReceived"
        || (!leaf.is_empty()
            && leaf
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
    let device: Vec<&str> = above
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != at)
        .map(|(_, level)| *level)
        .collect();
    (is_leaf && !device.is_empty()).then(|| Place {
        prefix,
        device: device.join("/"),
        leaf,
    })
}

/// `Online` and `Offline`, retained; the second is the will.
fn reachability(device: &str, word: &str) -> Result<Reading, Reject> {
    let (kind, phase, word) = match word.to_ascii_lowercase().as_str() {
        "online" => (Kind::DeviceOnline, Phase::Updated, "online"),
        "offline" => (Kind::DeviceOffline, Phase::Raised, "offline"),
        _ => {
            let detail = "the will is neither Online nor Offline";
            return Err(Reject::new("bad_availability", detail));
        }
    };
    let draft = Draft::new(device, DeviceClass::Gateway, kind, phase);
    Ok(draft.edge("availability", word).into())
}

/// `{"ZbReceived": {"0x4F2E": {…}}}`: by short address, or by name where it has one. Options leave the outer or the inner member out
/// (`SetOption100`, `118`, `119`): then `Device` says that it is one.
fn zigbee(message: &Message<'_>) -> Result<Reading, Reject> {
    let body = message.json()?;
    let received = body.get("ZbReceived");
    let Some(told) = received.unwrap_or(body).as_object() else {
        return Ok(Reading::default());
    };
    let is_device = |one: &Map<String, Value>| one.get("Device").is_some_and(Value::is_string);
    let devices: Vec<(&str, &Map<String, Value>)> = if is_device(told) {
        let address = told.get("Device").and_then(Value::as_str);
        vec![(address.unwrap_or_default(), told)]
    } else {
        let all = told.iter().take(DEVICES_MAX);
        all.filter_map(|(address, one)| Some((address.as_str(), one.as_object()?)))
            .filter(|(_, one)| received.is_some() || is_device(one))
            .collect()
    };
    let at = body.as_object().and_then(|body| time(body, message));
    let mut drafts = Vec::new();
    let mut charges = Vec::new();
    for (address, attributes) in devices {
        let charge = attributes.get("BatteryPercentage").and_then(text::number);
        charges.extend(charge.map(|percent| (address.trim().to_owned(), percent)));
        drafts.extend(zone::drafts(address.trim(), attributes));
    }
    for draft in &mut drafts {
        draft.at.clone_from(&at);
    }
    Ok(Reading {
        charges,
        ..drafts.into()
    })
}
