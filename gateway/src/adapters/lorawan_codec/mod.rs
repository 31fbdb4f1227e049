//! What `LoRaWAN` codecs make of an uplink, by itself or in the envelope of The Things Stack: decoded objects without a network server that
//! [`chirpstack`](super::chirpstack) knows.
//!
//! Shapes of modrisb/tg563a-payload-decoder (smoke) and of Milesight-IoT/SensorDecoders (gas, smoke, door, leak, PIR); the names are in
//! [`decoded`](super::decoded). The device is the devEui where the message has one, else the sender itself.

use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::Reading;
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, decoded, text};

/// Most members of a sensor's readings.
const MEMBERS_MAX: usize = 16;

/// Decoded `LoRaWAN` uplinks.
pub struct LorawanCodec;

impl Format for LorawanCodec {
    fn name(&self) -> &'static str {
        "lorawan-codec"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let is_own = message.object().is_some_and(|object| {
            is_stack(object) || is_decoded(object) || nested(object).is_some_and(is_decoded)
        });
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let value = message.json()?;
        let names = [
            "end_device_ids.dev_eui",
            "deviceInfo.devEui",
            "devEui",
            "dev_eui",
            "devEUI",
            "DevEUI",
            "device_eui",
            // of devices that are activated by personalization there need be no EUI
            "end_device_ids.device_id",
        ];
        let device = text::first(value, &names)
            .and_then(text::word)
            .unwrap_or_default()
            .to_lowercase();
        let times = [
            "uplink_message.received_at",
            "received_at",
            "time",
            "recvTime",
            "timestamp",
        ];
        let at = text::first(value, &times).and_then(|at| match at {
            Value::String(words) => DeviceTime::text(words, message.zone),
            number => text::number(number)
                .filter(|n| *n > 1e9)
                .and_then(DeviceTime::epoch_any),
        });
        let object = match text::at(value, "uplink_message.decoded_payload") {
            Some(object) => object,
            None if value.as_object().is_some_and(is_stack) => {
                let bytes = text::at(value, "uplink_message.frm_payload");
                let mut reading = Reading::default();
                if bytes.is_some() {
                    reading = reading.spoken_by(device);
                }
                reading.unread = decoded::no_codec(bytes);
                return Ok(reading);
            }
            None => text::first(value, &["data", "object", "decoded", "payload"])
                .filter(|inner| inner.is_object())
                .unwrap_or(value),
        };
        let reading = Reading::from(decoded::drafts(&device, object, at.as_ref()));
        Ok(reading.spoken_by(device))
    }
}

/// The Things Stack.
fn is_stack(object: &Map<String, Value>) -> bool {
    object.contains_key("end_device_ids")
}

fn nested(object: &Map<String, Value>) -> Option<&Map<String, Value>> {
    ["data", "object", "decoded"]
        .iter()
        .find_map(|name| object.get(*name)?.as_object())
}

/// Members that only a codec of the known families writes.
fn is_decoded(object: &Map<String, Value>) -> bool {
    let has = |name: &str| object.contains_key(name);
    let is_word = |name: &str| object.get(name).is_some_and(Value::is_string);
    // Zigbee2MQTT says the like, and how strong its radio is
    if has("linkquality") {
        return false;
    }
    let is_smoke = has("messageType")
        && has("configuration")
        && object.get("status").is_some_and(Value::is_object);
    let is_status = [
        "gas_status",
        "leakage_status",
        "magnet_status",
        "tamper_status",
        "pir_status",
        "smoke_status",
        "water_leak_status",
    ]
    .iter()
    .any(|name| is_word(name));
    let is_pair = is_word("pir") && has("daylight") || is_word("state") && is_word("install");
    let is_event = is_word("event") && (has("concentration") || has("protocol"));
    let is_history = object
        .get("history")
        .and_then(|list| list.get(0)?.as_object())
        .is_some_and(|first| first.contains_key("timestamp"));
    // readings of a sensor: nothing that anybody else would miss
    let is_sensor = object.get("battery").is_some_and(Value::is_number)
        && (2..=MEMBERS_MAX).contains(&object.len())
        && object.values().all(|value| !value.is_object());
    is_smoke || is_status || is_pair || is_event || is_history || is_sensor
}
