//! What `LoRaWAN` codecs make of an uplink, by itself or in the envelope of a network server that is not
//! [`chirpstack`](super::chirpstack): The Things Stack (its messages, events and storage; its version 2), Loriot, Actility `ThingPark`, Helium,
//! AWS `IoT` Core, Everynet, Orange Live Objects, Milesight's Development Platform.
//!
//! Shapes of modrisb/tg563a-payload-decoder (smoke), of Milesight-IoT/SensorDecoders (gas, smoke, door, leak, PIR) and of the decoders in
//! TheThingsNetwork/lorawan-devices; the names are in [`decoded`](super::decoded). The device is the devEui where the message has one, else
//! the sender itself.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, decoded, named, text};

/// Most members of a sensor's readings.
const MEMBERS_MAX: usize = 16;
/// Most members whose names are looked at.
const NAMES_MAX: usize = 40;
/// Deepest objects within, as in names that are the same for all: `action.motion.detected`.
const LEVELS_MAX: usize = 2;
/// Most members of what tells of a door and of little else.
const SMALL_MAX: usize = 4;

/// Decoded `LoRaWAN` uplinks.
pub struct LorawanCodec;

impl Format for LorawanCodec {
    fn name(&self) -> &'static str {
        "lorawan-codec"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let is_own = message
            .object()
            .is_some_and(|object| is_decoded(object) || nested(object).is_some_and(is_decoded));
        let is_own = is_own || message.json().is_ok_and(|value| server(value).is_some());
        if is_own { Claim::Shape } else { Claim::No }
    }

    /// There are as many shapes as makers: a bridge for these alone says what they are.
    fn claims_all_of_its_bridge(&self) -> bool {
        true
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let value = message.json()?;
        let server = server(value);
        let value = server.map_or(value, |(_, value)| value);
        let names = [
            "end_device_ids.dev_eui",
            "deviceInfo.devEui",
            "devEui",
            "dev_eui",
            "devEUI",
            "DevEUI",
            "device_eui",
            "hardware_serial",
            "EUI",
            "dev_id",
            // of devices that are activated by personalization there need be no EUI
            "end_device_ids.device_id",
            "WirelessMetadata.LoRaWAN.DevEui",
            "metadata.network.lora.devEUI",
            "meta.device",
            "data.deviceProfile.devEUI",
            "data.deviceProfile.sn",
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
            "metadata.time",
            "ts",
            "Time",
            "reported_at",
            "WirelessMetadata.LoRaWAN.Timestamp",
            "params.rx_time",
            "eventCreatedTime",
        ];
        let at = text::first(value, &times).and_then(|at| {
            let as_text = at.as_str();
            as_text
                .and_then(|words| DeviceTime::text(words, message.zone))
                .or_else(|| {
                    let number = text::number(at).filter(|n| *n > 1e9)?;
                    DeviceTime::epoch_any(number)
                })
        });
        if value.get("join_accept").is_some_and(Value::is_object) && server.is_some() {
            let (class, kind) = (DeviceClass::FireSensor, Kind::DeviceJoined);
            let draft = Draft::new(device.clone(), class, kind, Phase::Instant).at(at);
            return Ok(Reading::from(draft).spoken_by(device));
        }
        let Some((server, _)) = server else {
            let object = text::first(value, &["data", "object", "decoded", "payload"])
                .filter(|inner| inner.is_object())
                .unwrap_or(value);
            let reading = Reading::from(decoded::drafts(&device, object, at.as_ref()));
            return Ok(reading.spoken_by(device));
        };
        if let Some(presence) = presence(&device, value) {
            return Ok(Reading::from(presence.at(at)));
        }
        let bytes = text::at(value, server.bytes);
        let objects: Vec<&Value> = (server.objects.iter())
            .filter_map(|path| text::at(value, path))
            .collect();
        let mut told = objects
            .iter()
            .map(|object| decoded::drafts(&device, object, at.as_ref()));
        let drafts = told.find(|drafts| !drafts.is_empty());
        let is_simulated = value.get("simulated").and_then(text::boolean) == Some(true);
        let hint = is_simulated.then_some("simulated");
        let drafts = drafts.unwrap_or_default().into_iter();
        let drafts: Vec<Draft> = drafts.map(|draft| draft.attr("test_hint", hint)).collect();
        let mut reading = Reading::from(drafts);
        if objects.is_empty() {
            reading.unread = decoded::no_codec(bytes);
        }
        if bytes.is_some() || !objects.is_empty() {
            reading = reading.spoken_by(device);
        }
        Ok(reading)
    }
}

/// Where a network server keeps what a device sent.
#[derive(Clone, Copy)]
struct Server {
    /// What a codec made of it; the first that tells something counts.
    objects: &'static [&'static str],
    /// The bytes themselves.
    bytes: &'static str,
}

/// The Things Stack: decoded by the codec of the device, and in names that are the same for all.
const STACK: Server = Server {
    objects: &[
        "uplink_message.decoded_payload",
        "uplink_message.normalized_payload",
        "uplink_normalized.normalized_payload",
    ],
    bytes: "uplink_message.frm_payload",
};
/// Its version 2.
const STACK_V2: Server = Server {
    objects: &["payload_fields"],
    bytes: "payload_raw",
};
/// Loriot: `cmd` is `rx`; `gw` says once more which gateways heard it.
const LORIOT: Server = Server {
    objects: &["decoded"],
    bytes: "data",
};
/// Actility `ThingPark`.
const THING_PARK: Server = Server {
    objects: &["payload"],
    bytes: "payload_hex",
};

/// Helium's console.
const HELIUM: Server = Server {
    objects: &["decoded.payload"],
    bytes: "payload",
};
/// AWS `IoT` Core for `LoRaWAN`: it decodes nothing.
const AWS: Server = Server {
    objects: &[],
    bytes: "PayloadData",
};
/// Everynet: it decodes nothing.
const EVERYNET: Server = Server {
    objects: &[],
    bytes: "params.payload",
};
/// Orange Live Objects: what its decoder made stands beside the bytes.
const LIVE_OBJECTS: Server = Server {
    objects: &["value"],
    bytes: "value.payload",
};
/// The same without a decoder, which its `model` says.
const LIVE_OBJECTS_RAW: Server = Server {
    objects: &[],
    ..LIVE_OBJECTS
};
/// Milesight's Development Platform.
const MILESIGHT: Server = Server {
    objects: &["data.payload"],
    bytes: "data.payload",
};

/// What Milesight's platform says of a device itself: that it is connected, or is not.
fn presence(device: &str, value: &Value) -> Option<Draft> {
    text::at(value, "data.deviceProfile")?;
    let is_online = match text::at(value, "data.type")?.as_str()? {
        "ONLINE" => true,
        "OFFLINE" => false,
        _ => return None,
    };
    Some(named::reachable(device, DeviceClass::FireSensor, is_online))
}

/// The server whose envelope this is, and what is inside.
fn server(value: &Value) -> Option<(Server, &Value)> {
    let has = |name: &str| value.get(name).is_some();
    // its events and its storage hold its messages
    let mut within = [Some(value), value.get("data"), value.get("result")].into_iter();
    let stack =
        within.find(|inner| inner.is_some_and(|inner| inner.get("end_device_ids").is_some()));
    if let Some(inner) = stack.flatten() {
        return Some((STACK, inner));
    }
    if has("dev_id") && has("app_id") && (has("payload_raw") || has("payload_fields")) {
        return Some((STACK_V2, value));
    }
    if has("EUI") && value.get("cmd").and_then(Value::as_str) == Some("rx") {
        return Some((LORIOT, value));
    }
    if let Some(inner) = value.get("DevEUI_uplink") {
        return Some((THING_PARK, inner));
    }
    other_server(value).map(|server| (server, value))
}

/// One whose envelope is the message itself.
fn other_server(value: &Value) -> Option<Server> {
    let has = |path| text::at(value, path).is_some();
    let is = |path, word| text::at(value, path).and_then(Value::as_str) == Some(word);
    Some(if has("dev_eui") && has("hotspots") {
        HELIUM
    } else if has("WirelessDeviceId") && has("WirelessMetadata.LoRaWAN") {
        AWS
    } else if is("type", "uplink") && has("meta.device") && has("params.payload") {
        EVERYNET
    } else if has("streamId") && has("metadata.network.lora") && is("model", "lora_v0") {
        LIVE_OBJECTS_RAW
    } else if has("streamId") && has("metadata.network.lora") {
        LIVE_OBJECTS
    } else if is("eventType", "DEVICE_DATA") && has("data.deviceProfile") {
        MILESIGHT
    } else {
        return None;
    })
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
    let is_radio_bridge = has("Protocol") && has("Counter") && is_word("Type");
    let is_event = is_word("event") && (has("concentration") || has("protocol"));
    let is_history = object
        .get("history")
        .and_then(|list| list.get(0)?.as_object())
        .is_some_and(|first| first.contains_key("timestamp"));
    // readings of a sensor: nothing that anybody else would miss
    let is_flat = object.values().all(|value| !value.is_object());
    let is_sensor =
        object.iter().any(is_battery) && (2..=MEMBERS_MAX).contains(&object.len()) && is_flat;
    is_smoke
        || is_radio_bridge
        || is_status
        || is_pair
        || is_event
        || is_history
        || is_sensor
        || tells(object)
}

/// The charge or the voltage of a battery, as codecs call it: `battery`, `BatV`, `BAT_V`, `Volt`, `batteryVoltage`, `vdd`.
fn is_battery((name, value): (&String, &Value)) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_name = matches!(
        plain.as_str(),
        "battery"
            | "batterylevel"
            | "batterystatus"
            | "batteryvoltage"
            | "batteryvolt"
            | "battvolt"
            | "bat"
            | "batv"
            | "batvolt"
            | "volt"
            | "vdd"
    );
    is_name && (value.is_number() || value.is_string())
}

/// Whether it tells by its names that something burns, leaks or is taken off: that must not go unread for want of an envelope. A door that is
/// open in a word is one where hardly anything stands beside it.
fn tells(object: &Map<String, Value>) -> bool {
    if object.len() > NAMES_MAX || object.values().any(|value| levels(value) > LEVELS_MAX) {
        return false;
    }
    let is_small = object.len() <= SMALL_MAX;
    object.iter().any(|(name, value)| {
        let plain = name.to_ascii_lowercase();
        let drafts = decoded::member_drafts("", name, object, None);
        drafts.iter().any(|draft| match draft.kind {
            // a heating has heat, and what is not installed need not be a detector
            Kind::FireHeat => false,
            Kind::DeviceTamper => plain.contains("tamper"),
            Kind::DeviceBatteryLow => plain.contains("batter"),
            Kind::AccessDoorState | Kind::CameraMotion => {
                is_small && value.is_string() && plain != "state"
            }
            // Milesight GS101: `power down`, `sensor failure`
            Kind::DevicePower | Kind::DeviceFault | Kind::DeviceEndOfLife => {
                is_small && value.is_string() && plain == "alarm"
            }
            kind => kind == Kind::EnvWaterLeak || kind.as_str().starts_with("fire."),
        })
    })
}

/// How many objects there are one in the other.
fn levels(value: &Value) -> usize {
    let Some(members) = value.as_object() else {
        return 0;
    };
    1 + members.values().map(levels).max().unwrap_or_default()
}
