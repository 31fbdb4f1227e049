//! `ChirpStack`, a `LoRaWAN` network server: the events of version 4 as JSON, over MQTT (`application/{id}/device/{devEui}/event/{event}`) or as a
//! web hook (`?event={event}`); version 3 where it differs.
//!
//! By chirpstack/api's `integration.proto`. Its JSON leaves out what is zero (no `fCnt` in the first uplink, no `confirmed`), so nothing is
//! expected to be there but the device. An uplink tells what its codec made of it ([`decoded`](super::decoded)). Gateways of the radio tell
//! whether they are connected.

mod gateway;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{About, Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, decoded, text};

/// `ChirpStack`.
pub struct ChirpStack;

impl Format for ChirpStack {
    fn name(&self) -> &'static str {
        "chirpstack"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if topic(message).is_some() || gateway(message).is_some() {
            return Claim::Address;
        }
        let is_own = message.object().is_some_and(|object| {
            let is_device =
                text::at(object.get("deviceInfo").unwrap_or(&Value::Null), "devEui").is_some();
            is_device || object.contains_key("devEUI") && object.contains_key("applicationID")
        });
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn may_alarm(&self, topic: &str) -> bool {
        topic.ends_with("/event/up") && topic.contains("/device/")
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        if let Some((gateway, what)) = gateway(message) {
            return gateway::read(gateway, what, message);
        }
        let value = message.json()?;
        let object = value
            .as_object()
            .ok_or_else(|| Reject::new("bad_shape", "a ChirpStack event is a JSON object"))?;
        let device = text::first(value, &["deviceInfo.devEui", "devEUI", "devEui"])
            .and_then(text::word)
            .map(|eui| hex_eui(&eui))
            .or_else(|| topic(message).map(|(device, _)| device.to_lowercase()))
            .ok_or_else(|| Reject::new("no_device", "a ChirpStack event without devEui"))?;
        let event = topic(message)
            .map(|(_, event)| event.to_owned())
            .or_else(|| message.query("event"))
            .unwrap_or_else(|| event_of(object).to_owned());
        let at = value
            .get("time")
            .and_then(Value::as_str)
            .and_then(|time| DeviceTime::text(time, message.zone));
        let teller = Teller {
            device: &device,
            at,
            id: value.get("deduplicationId").and_then(text::word),
        };
        let model = text::first(
            value,
            &["deviceInfo.deviceProfileName", "deviceProfileName"],
        );
        let about = About {
            address: device.clone(),
            model: model.and_then(text::word),
            ..About::default()
        };
        let is_undecoded = event == "up" && text::first(value, &["object", "objectJSON"]).is_none();
        let reading = Reading {
            drafts: teller.read(&event, value)?,
            about: vec![about],
            unread: is_undecoded
                .then(|| decoded::no_codec(value.get("data")))
                .flatten(),
            ..Reading::default()
        };
        // what the network server says of a device is no word of the device
        Ok(match event.as_str() {
            "up" | "join" | "status" | "ack" => reading.spoken_by(device),
            _ => reading,
        })
    }
}

/// Device and event of a topic, whatever stands before it (a region's prefix).
fn topic<'a>(message: &Message<'a>) -> Option<(&'a str, &'a str)> {
    let levels = message.levels();
    match levels.get(levels.len().checked_sub(6)?..)? {
        ["application", _, "device", device, "event", event] => Some((device, event)),
        _ => None,
    }
}

/// Gateway of the radio and what it tells of itself, whatever stands before it: `eu868/gateway/0016c001f153a14c/state/conn`.
fn gateway<'a>(message: &Message<'a>) -> Option<(&'a str, &'a str)> {
    let levels = message.levels();
    match levels.get(levels.len().checked_sub(4)?..)? {
        ["gateway", gateway, "event" | "state", what] => Some((gateway, what)),
        _ => None,
    }
}

/// What event this is, where only the body says so.
fn event_of(object: &Map<String, Value>) -> &'static str {
    let has = |name| object.contains_key(name);
    if has("level") && (has("code") || has("description")) {
        "log"
    } else if has("type") && has("error") && has("devEUI") {
        "error"
    } else if has("location") {
        "location"
    } else if has("integrationName") {
        "integration"
    } else if has("queueItemId") && has("txInfo") {
        "txack"
    } else if has("queueItemId") || has("acknowledged") {
        "ack"
    } else if has("batteryLevel")
        || has("batteryLevelUnavailable")
        || has("externalPowerSource")
        || has("margin")
    {
        "status"
    } else if has("data") || has("object") || has("objectJSON") || has("fPort") || has("rxInfo") {
        "up"
    } else if has("devAddr") {
        "join"
    } else {
        "up"
    }
}

/// Version 3 writes the EUI in base64 unless it was told otherwise.
fn hex_eui(eui: &str) -> String {
    let is_hex = eui.len() == 16 && eui.bytes().all(|b| b.is_ascii_hexdigit());
    match text::base64(eui).filter(|bytes| bytes.len() == 8 && !is_hex) {
        Some(bytes) => hex::encode(bytes),
        None => eui.to_lowercase(),
    }
}

struct Teller<'a> {
    device: &'a str,
    at: Option<DeviceTime>,
    id: Option<String>,
}

impl Teller<'_> {
    fn read(&self, event: &str, value: &Value) -> Result<Vec<Draft>, Reject> {
        Ok(match event {
            "up" => self.up(value)?,
            "join" => vec![self.draft(Kind::DeviceJoined, Phase::Instant)],
            "status" => self.status(value),
            "log" => self.log(value),
            "error" => self.error(value),
            _ => Vec::new(), // ack, txack, location, integration
        })
    }

    fn up(&self, value: &Value) -> Result<Vec<Draft>, Reject> {
        let parsed;
        let object = match (value.get("object"), value.get("objectJSON")) {
            (Some(object), _) => object,
            (None, Some(Value::String(words))) if !words.is_empty() => {
                parsed = text::json(words.as_bytes())?;
                &parsed
            }
            _ => return Ok(Vec::new()),
        };
        let mut drafts = decoded::drafts(self.device, object, self.at.as_ref());
        for draft in &mut drafts {
            let property = draft.edge.as_ref().map(|edge| edge.property.as_str());
            draft.id = self
                .id
                .as_ref()
                .map(|id| format!("{id}:{}", property.unwrap_or_default()));
        }
        Ok(drafts)
    }

    /// Battery: percent, or -1 where the device does not know.
    fn status(&self, value: &Value) -> Vec<Draft> {
        let percent = value.get("batteryLevel").and_then(text::number);
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        let is_external = value.get("externalPowerSource").and_then(text::boolean);
        let draft = self
            .draft(Kind::DeviceTelemetry, Phase::Instant)
            .attr("battery_percent", percent)
            .attr("external_power", is_external)
            .attr("margin_db", value.get("margin").and_then(text::number));
        vec![draft]
    }

    /// The network server's complaints: an error is a fault of the device, a warning is none.
    fn log(&self, value: &Value) -> Vec<Draft> {
        let level = value
            .get("level")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if level != "ERROR" {
            return Vec::new();
        }
        let word = |name| {
            text::clip(
                value.get(name).and_then(Value::as_str).unwrap_or_default(),
                200,
            )
        };
        let draft = self
            .draft(Kind::DeviceFault, Phase::Instant)
            .attr("fault", word("code").to_lowercase())
            .attr("description", word("description"));
        vec![draft]
    }

    /// Version 3's word for it: `{"type": "UPLINK_CODEC", "error": "…"}`.
    fn error(&self, value: &Value) -> Vec<Draft> {
        let word = |name| {
            text::at(value, name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let draft = self
            .draft(Kind::DeviceFault, Phase::Instant)
            .attr("fault", text::clip(word("type"), 200).to_lowercase())
            .attr("description", text::clip(word("error"), 200));
        vec![draft]
    }

    fn draft(&self, kind: Kind, phase: Phase) -> Draft {
        let mut draft =
            Draft::new(self.device, DeviceClass::FireSensor, kind, phase).at(self.at.clone());
        draft.id.clone_from(&self.id);
        draft
    }
}
