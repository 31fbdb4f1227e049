//! `CTWing`, the platform for things of China Telecom (AEP): what it pushes over HTTP or a message queue of devices that speak `LwM2M`, TUP, TCP or MQTT.
//!
//! `messageType` is `dataReport`, `eventReport`, `deviceOnlineOfflineReport` or `commandResponse`. Data are decoded properties, or bytes in
//! `APPdata` (base64, sometimes without padding) that [`passthrough`](super::passthrough) looks into. Read by the AEP documentation and by
//! captures of a fire service.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::passthrough::{self, Passed};
use super::{Reject, decoded, text};

/// Most messages of a batch.
const BATCH_MAX: usize = 200;

/// How a device is called.
const DEVICE: [&str; 3] = ["deviceId", "deviceCode", "IMEI"];

/// The values of `eventType` that are no information: 2 an alarm, 3 a fault.
const LOUD: [i64; 2] = [2, 3];

/// `CTWing` AEP.
pub struct Ctwing;

impl Format for Ctwing {
    fn name(&self) -> &'static str {
        "ctwing"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let is_own = match message.json() {
            Ok(Value::Array(list)) => list.first().is_some_and(is_envelope),
            Ok(value) => is_envelope(value) || is_bare(value),
            Err(_) => bare_base64(message).is_some(),
        };
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        if let Some(bytes) = bare_base64(message) {
            return bare(&text::json(&bytes)?, message, recall);
        }
        let value = message.json()?;
        let list = match value {
            Value::Array(list) => list.as_slice(),
            one if is_bare(one) => return bare(one, message, recall),
            one => std::slice::from_ref(one),
        };
        let mut reading = Reading::default();
        for envelope in list.iter().take(BATCH_MAX) {
            let more = envelope_reading(envelope, message, recall)?;
            reading.extend(more);
        }
        Ok(reading)
    }
}

fn is_envelope(value: &Value) -> bool {
    let kind = value.get("messageType").and_then(Value::as_str);
    if kind.is_none() && is_unnamed_envelope(value) {
        return true;
    }
    let is_known = kind.is_some_and(|kind| {
        [
            "dataReport",
            "dataReportTupUnion",
            "eventReport",
            "deviceOnlineOfflineReport",
            "commandResponse",
        ]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(kind))
    });
    is_known && value.get("deviceId").is_some()
}

/// Data as services pass them on that have the push of the platform in their midst: without `messageType`, the device by its code.
fn is_unnamed_envelope(value: &Value) -> bool {
    const PROTOCOLS: [&str; 6] = ["lwm2m", "tup", "tcp", "mqtt", "http", "jt/t808"];
    let protocol = value.get("protocol").and_then(Value::as_str);
    let is_known = protocol.is_some_and(|protocol| {
        PROTOCOLS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(protocol))
    });
    is_known
        && value.get("productId").is_some()
        && value.get("payload").is_some_and(Value::is_object)
        && text::first(value, &DEVICE).is_some()
}

/// What stands inside an envelope, by itself: the JSON of a transmission device, or `APPdata`.
fn is_bare(value: &Value) -> bool {
    passthrough::is_uit(value) || value.get("APPdata").is_some_and(Value::is_string)
}

/// The JSON of a transmission device as bare base64.
fn bare_base64(message: &Message<'_>) -> Option<Vec<u8>> {
    let words = message.text().ok()?;
    (words.starts_with("ew") || words.starts_with("ey")).then_some(())?;
    let bytes = text::base64(words)?;
    let value = text::json(&bytes).ok()?;
    passthrough::is_uit(&value).then_some(bytes)
}

fn bare(value: &Value, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
    let passed = Passed {
        address: "",
        at: None,
        zone: message.zone,
        recall,
    };
    match value.get("APPdata").and_then(Value::as_str) {
        Some(data) => opaque(data, &passed),
        None => Ok(passed.uit(value)),
    }
}

fn envelope_reading(
    envelope: &Value,
    message: &Message<'_>,
    recall: &dyn Recall,
) -> Result<Reading, Reject> {
    let device = text::first(envelope, &DEVICE)
        .and_then(text::word)
        .ok_or_else(|| Reject::new("no_device", "an AEP message without `deviceId`"))?;
    let at = envelope
        .get("timestamp")
        .and_then(text::integer)
        .and_then(DeviceTime::epoch_ms);
    let kind = envelope
        .get("messageType")
        .and_then(Value::as_str)
        .unwrap_or("dataReport")
        .to_ascii_lowercase();
    let passed = Passed {
        address: &device,
        at,
        zone: message.zone,
        recall,
    };
    let mut reading = match kind.as_str() {
        "deviceonlineofflinereport" => online(envelope, &passed).into(),
        "eventreport" => {
            let content = envelope.get("eventContent").unwrap_or(&Value::Null);
            let mut read = read_payload(content, &passed)?.spoken_by(device.as_str());
            let kind = envelope.get("eventType").and_then(text::integer);
            if read.drafts.is_empty() && kind.is_some_and(|kind| LOUD.contains(&kind)) {
                let detail = "an alarm or a fault in members that no table knows";
                let unread = || Reject::new("unknown_event", detail);
                read.unread.get_or_insert_with(unread);
            }
            read
        }
        "datareport" | "datareporttupunion" => {
            let payload = envelope.get("payload").unwrap_or(&Value::Null);
            let mut read = read_payload(payload, &passed)?.spoken_by(device.as_str());
            // the service that passes it on says so, and nothing in it does
            let content = envelope.get("content").and_then(Value::as_str);
            let is_alarm = content.is_some_and(|words| {
                ["报警", "火警", "告警"]
                    .iter()
                    .any(|word| words.contains(word))
            });
            let is_read = read
                .drafts
                .iter()
                .any(|draft| draft.phase != Phase::Cleared);
            if is_alarm && !is_read {
                let detail = "an alarm by its `content`, and none in its properties";
                let unread = || Reject::new("unknown_event", detail);
                read.unread.get_or_insert_with(unread);
            }
            read
        }
        _ => Reading::default(),
    };
    let imei = envelope.get("IMEI").or_else(|| envelope.get("imei"));
    let imei = imei.and_then(text::word);
    if let Some(imei) = imei.as_deref().and_then(text::somebody) {
        for draft in &mut reading.drafts {
            draft.attrs.insert("imei".to_owned(), imei.into());
        }
    }
    Ok(reading)
}

fn online(envelope: &Value, passed: &Passed<'_>) -> Vec<Draft> {
    let (kind, phase, is_online) = match envelope.get("eventType").and_then(text::integer) {
        Some(0) => (Kind::DeviceOffline, Phase::Raised, false),
        Some(1) => (Kind::DeviceOnline, Phase::Updated, true),
        _ => return Vec::new(),
    };
    let draft = Draft::new(passed.address, DeviceClass::FireSensor, kind, phase)
        .edge("online", is_online)
        .at(passed.at.clone());
    vec![draft]
}

/// Properties by name, a service around them or not, or bytes.
fn read_payload(payload: &Value, passed: &Passed<'_>) -> Result<Reading, Reject> {
    match payload {
        Value::String(words) => return Ok(passed.read(words.as_bytes())?.unwrap_or_else(unknown)),
        Value::Array(list) => {
            let mut all = Reading::default();
            for one in list.iter().take(BATCH_MAX).filter(|one| !one.is_array()) {
                all.extend(read_payload(one, passed)?);
            }
            return Ok(all);
        }
        _ => {}
    }
    if let Some(data) = payload.get("APPdata").and_then(Value::as_str) {
        return opaque(data, passed);
    }
    if passthrough::is_uit(payload) {
        return Ok(passed.uit(payload));
    }
    let data = payload.get("serviceData").unwrap_or(payload);
    let Some(code) = data.get("Alarm_Status").and_then(text::integer) else {
        return Ok(decoded::drafts(passed.address, data, passed.at.as_ref()).into());
    };
    // the message types of 力安 smoke detectors
    let percent = data.get("Battery_Level").and_then(text::integer);
    let drafts = decoded::smoke_code(passed.address, code)
        .into_iter()
        .map(|draft| draft.at(passed.at.clone()).attr("battery_percent", percent));
    Ok(drafts.collect::<Vec<Draft>>().into())
}

/// Bytes in base64.
fn opaque(data: &str, passed: &Passed<'_>) -> Result<Reading, Reject> {
    let bytes =
        text::base64(data).ok_or_else(|| Reject::new("bad_base64", "`APPdata` is no base64"))?;
    Ok(passed.read(&bytes)?.unwrap_or_else(unknown))
}

/// Of bytes in none of the known shapes: the vendor's own, which might be an alarm.
fn unknown() -> Reading {
    let detail =
        "bytes of a vendor that no adapter knows (hint: declare one, docs/adding-a-device.md)";
    Reading {
        unread: Some(Reject::new("unknown_bytes", detail)),
        ..Reading::default()
    }
}
