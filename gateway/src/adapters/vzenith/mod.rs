//! Vzenith (臻识) plate readers at barriers, and those who build on them (R3, R5, C5H), over MQTT and as their HTTP push.
//!
//! Layout: open.vzicloud.com/doc/mqtt and the makers' "MQTT 对接协议 v1.1.14". Upward `device/{sn}/message/up/{name}` or the older
//! `{sn}/device/message/up/{name}`, an envelope `{id, sn, name, version, timestamp, payload}` whose payload holds the struct itself,
//! `{body: …}` or `{type, body}`; the HTTP push is the bare struct. Topics can be renamed in the camera, so the envelope is known by its
//! looks as well. Texts are base64 of UTF-8 over MQTT, plain over HTTP, and GB 2312 in old firmware.

mod camera;
mod plate_text;

use std::borrow::Cow;

use domain::DeviceClass;
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};
use camera::Camera;

/// The format.
pub struct Vzenith;

/// Structs and names that only this family sends.
const STRUCTS: &[&str] = &[
    "AlarmInfoPlate",
    "AlarmGioIn",
    "AlarmGioOut",
    "SerialData",
    "TriggerImage",
    "PlateResult",
];
const NAMES: &[&str] = &[
    "ivs_result",
    "ivs_result_fast",
    "quick_ivs_result",
    "keep_alive",
    "gpio_in",
    "barr_gate_status",
    "serial_data",
    "snapshot",
    "lanectrl_result",
    "ivs_trigger",
    "gpio_out",
    "gate_direct_open",
    "white_list_operator",
    "tts_voice",
    "set_time",
    "get_device_timestamp",
    "reboot_dev",
];

impl Format for Vzenith {
    fn name(&self) -> &'static str {
        "vzenith"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if Topic::of(message).is_some() {
            return Claim::Address;
        }
        if !message.protocol().is_empty() {
            return Claim::No;
        }
        match body_of(message) {
            _ if heartbeat_of(message).is_some() => Claim::Shape,
            Ok(body) if is_ours(&body) => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let topic = Topic::of(message);
        let topic_name = topic.as_ref().map_or("", |topic| topic.name);
        if let Some(serial) = heartbeat_of(message) {
            return Ok(Reading::default().spoken_by(serial));
        }
        // what goes down to a camera, and the camera's answer to it, tells nothing that happened at the barrier
        if let Some(topic) = topic.as_ref().filter(|topic| topic.is_down) {
            let answer = topic.is_reply.then(|| answer(topic.sn, message)).flatten();
            return Ok(Vec::from_iter(answer).into());
        }
        let envelope = match body_of(message) {
            Ok(envelope) => envelope,
            // a heartbeat is known by its topic; some firmware fills it with zeros
            Err(_) if topic_name == "keep_alive" => {
                let camera = topic.map_or("", |topic| topic.sn);
                return Ok(Reading::default().spoken_by(camera));
            }
            Err(reject) => return Err(reject),
        };
        let payload = text::at(&envelope, "payload").unwrap_or(&envelope);
        let body = text::at(payload, "body").unwrap_or(payload);
        let told = |value: &Value, path: &str| text::at(value, path).and_then(text::word);
        let name = told(&envelope, "name")
            .or_else(|| told(payload, "type"))
            .unwrap_or_else(|| topic_name.to_owned());
        let own = STRUCTS.iter().find_map(|name| text::at(body, name));
        let device = topic
            .map(|topic| topic.sn.to_owned())
            .filter(|sn| !sn.is_empty())
            .or_else(|| told(&envelope, "sn"))
            .or_else(|| own.and_then(|own| told(own, "serialno")))
            .unwrap_or_default();
        let at = text::at(&envelope, "timestamp")
            .and_then(text::number)
            .and_then(DeviceTime::epoch_any);
        let camera = Camera { device, at };
        Ok(read(&camera, body, &name).spoken_by(camera.device))
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.ends_with("/keep_alive") && !topic.ends_with("/serial_data")
    }
}

/// The serial number in a heartbeat of the HTTP push, a form or JSON that gives the camera's address and log-in, which are left alone:
/// `device_name=IVS&ipaddr=…&port=80&user_name=…&pass_wd=…&serialno=…&channel_num=0`.
fn heartbeat_of(message: &Message<'_>) -> Option<String> {
    let is_heartbeat = |has: &dyn Fn(&str) -> bool| has("serialno") && has("channel_num");
    if let Some(object) = message.object() {
        let own = match object.get("heartbeat").or_else(|| object.get("Heartbeat")) {
            Some(Value::Object(own)) => own,
            _ if is_heartbeat(&|name| object.contains_key(name)) => object,
            _ => return None,
        };
        return own.get("serialno").and_then(text::word);
    }
    let form = message.payload.get(..message.payload.len().min(1024))?;
    let form = std::str::from_utf8(form).ok()?;
    if !form.contains("serialno=") {
        return None;
    }
    let pairs: Vec<_> = text::form_pairs(form).take(16).collect();
    if !is_heartbeat(&|name| pairs.iter().any(|(key, _)| key == name)) {
        return None;
    }
    let serial = pairs.into_iter().find(|(key, _)| key == "serialno");
    serial.map(|(_, serial)| text::clip(serial.trim(), 64))
}

/// The events of one message.
fn read(camera: &Camera, body: &Value, name: &str) -> Reading {
    if let Some(plate) = text::at(body, "AlarmInfoPlate.result.PlateResult")
        .or_else(|| text::at(body, "PlateResult"))
    {
        return camera.plate(plate).into();
    }
    if let Some(input) = text::at(body, "AlarmGioIn") {
        return camera.input(input).into();
    }
    if text::at(body, "gate_status").is_some() {
        return camera.barrier(body).into();
    }
    if name == "lanectrl_result" {
        return camera.lane(body, 0).into();
    }
    Reading::default()
}

/// What a topic says.
struct Topic<'a> {
    sn: &'a str,
    name: &'a str,
    is_down: bool,
    is_reply: bool,
}

impl<'a> Topic<'a> {
    /// `device/{sn}/message/up/{name}`, `{sn}/device/message/up/{name}`, `device/{sn}/sys/message/up/{name}`,
    /// `device/{sn}/message/down/{name}/reply`; a prefix may stand before.
    fn of(message: &Message<'a>) -> Option<Self> {
        let levels = message.levels();
        let at = levels
            .windows(3)
            .take(12)
            .position(|part| part[0] == "message" && matches!(part[1], "up" | "down"))?;
        let before = |steps: usize| at.checked_sub(steps).and_then(|at| levels.get(at).copied());
        let ((_, "device", sn) | (_, sn, "device") | (Some("device"), sn, _)) =
            (before(3), before(2)?, before(1)?)
        else {
            return None;
        };
        Some(Self {
            sn,
            name: levels.get(at + 2).copied().unwrap_or_default(),
            is_down: levels.get(at + 1) == Some(&"down"),
            is_reply: levels.last() == Some(&"reply"),
        })
    }
}

/// What a camera says to a command of ours: `code` 200 when it has done it.
fn answer(sn: &str, message: &Message<'_>) -> Option<Draft> {
    let envelope = body_of(message).ok()?;
    let id = text::at(&envelope, "id").and_then(text::word)?;
    let code = text::at(&envelope, "code")
        .or_else(|| text::at(&envelope, "payload.body.code"))
        .and_then(text::number)?;
    let is_done = [0.0, 200.0].iter().any(|good| (code - good).abs() < 0.5);
    let failure = (!is_done).then(|| format!("code_{code}"));
    Draft::answer(sn, DeviceClass::Barrier, &id, failure.as_deref())
}

/// The JSON, without the zero bytes that stand before some heartbeats, and from GB 2312 where it is no UTF-8.
fn body_of<'m>(message: &'m Message<'_>) -> Result<Cow<'m, Value>, Reject> {
    let bytes = match message.payload {
        // the frame of the cameras' own TCP protocol: mark, kind, number, length; pictures follow the text behind a zero byte
        [b'V', b'Z', _, _, _, _, _, _, rest @ ..] => {
            let text = rest.split(|byte| *byte == 0).next();
            text.unwrap_or_default()
        }
        bytes => bytes,
    };
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let end = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let trimmed = bytes.get(start..end).unwrap_or_default();
    if std::str::from_utf8(trimmed).is_err() {
        let (decoded, _, is_broken) = encoding_rs::GB18030.decode(trimmed);
        if is_broken {
            let detail = "the payload is neither UTF-8 nor GB 18030";
            return Err(Reject::new("bad_text", detail));
        }
        return text::json(decoded.as_bytes()).map(Cow::Owned);
    }
    if trimmed.len() == message.payload.len() {
        return message.json().map(Cow::Borrowed);
    }
    text::json(trimmed).map(Cow::Owned)
}

fn is_ours(envelope: &Value) -> bool {
    let payload = text::at(envelope, "payload").unwrap_or(envelope);
    let body = text::at(payload, "body").unwrap_or(payload);
    if STRUCTS.iter().any(|name| body.get(name).is_some()) {
        return true;
    }
    let is = |name: &str| envelope.get(name).is_some();
    // that of the HTTP push
    if let Some(Value::Object(heartbeat)) = envelope.get("heartbeat") {
        let has = |name: &str| heartbeat.contains_key(name);
        return has("serialno") || (has("countid") && has("timeStamp"));
    }
    let named = envelope
        .get("name")
        .or_else(|| payload.get("type"))
        .and_then(Value::as_str);
    is("sn") && is("timestamp") && named.is_some_and(|name| NAMES.contains(&name))
}
