//! Vzenith (臻识) plate readers at barriers, and those who build on them (R3, R5, C5H), over MQTT and as their HTTP push.
//!
//! Layout: open.vzicloud.com/doc/mqtt and the makers' "MQTT 对接协议 v1.1.14". Upward `device/{sn}/message/up/{name}` or the older
//! `{sn}/device/message/up/{name}`, an envelope `{id, sn, name, version, timestamp, payload}` whose payload holds the struct itself,
//! `{body: …}` or `{type, body}`; the HTTP push is the bare struct. Topics can be renamed in the camera, so the envelope is known by its
//! looks as well. Texts are base64 of UTF-8 over MQTT, plain over HTTP, and GB 2312 in old firmware.

mod plate_text;

use std::borrow::Cow;

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct Vzenith;

/// Structs and names that only this family sends.
const STRUCTS: &[&str] = &[
    "AlarmInfoPlate",
    "AlarmGioIn",
    "AlarmGioOut",
    "SerialData",
    "TriggerImage",
];
const NAMES: &[&str] = &[
    "ivs_result",
    "ivs_result_fast",
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
            Ok(body) if is_ours(&body) => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let topic = Topic::of(message);
        let topic_name = topic.as_ref().map_or("", |topic| topic.name);
        // what goes down to a camera, and the camera's answer to it, tells nothing that happened at the barrier
        if topic.as_ref().is_some_and(|topic| topic.is_down) {
            return Ok(Reading::default());
        }
        let envelope = match body_of(message) {
            Ok(envelope) => envelope,
            // a heartbeat is known by its topic; some firmware fills it with zeros
            Err(_) if topic_name == "keep_alive" => return Ok(Reading::default()),
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

        if let Some(plate) = text::at(body, "AlarmInfoPlate") {
            return Ok(camera.plate(plate).into());
        }
        if let Some(input) = text::at(body, "AlarmGioIn") {
            return Ok(camera.input(input).into());
        }
        if text::at(body, "gate_status").is_some() {
            return Ok(camera.barrier(body).into());
        }
        if name == "lanectrl_result" {
            return Ok(camera.lane(body, 0).into());
        }
        Ok(Reading::default())
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.ends_with("/keep_alive") && !topic.ends_with("/serial_data")
    }
}

/// What a topic says.
struct Topic<'a> {
    sn: &'a str,
    name: &'a str,
    is_down: bool,
}

impl<'a> Topic<'a> {
    /// `device/{sn}/message/up/{name}`, `{sn}/device/message/up/{name}`, `device/{sn}/message/down/{name}/reply`; a prefix may stand before.
    fn of(message: &Message<'a>) -> Option<Self> {
        let levels = message.levels();
        let found = levels
            .windows(5)
            .take(8)
            .find(|part| part[2] == "message" && matches!(part[3], "up" | "down"))?;
        let (("device", sn) | (sn, "device")) = (found[0], found[1]) else {
            return None;
        };
        Some(Self {
            sn,
            name: found[4],
            is_down: found[3] == "down",
        })
    }
}

/// The JSON, without the zero bytes that stand before some heartbeats, and from GB 2312 where it is no UTF-8.
fn body_of<'m>(message: &'m Message<'_>) -> Result<Cow<'m, Value>, Reject> {
    let bytes = message.payload;
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
    if trimmed.len() == bytes.len() {
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
    let named = envelope
        .get("name")
        .or_else(|| payload.get("type"))
        .and_then(Value::as_str);
    is("sn") && is("timestamp") && named.is_some_and(|name| NAMES.contains(&name))
}

/// One camera, and when it sent the message.
struct Camera {
    device: String,
    at: Option<DeviceTime>,
}

impl Camera {
    fn draft(&self, kind: Kind, phase: Phase) -> Draft {
        Draft::new(self.device.clone(), DeviceClass::Barrier, kind, phase).at(self.at.clone())
    }

    /// A car was read, whatever called for it.
    fn plate(&self, alarm: &Value) -> Vec<Draft> {
        let Some(result) = text::at(alarm, "result.PlateResult") else {
            return Vec::new();
        };
        let number = |path: &str| text::at(result, path).and_then(text::number);
        let license = text::at(result, "license")
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
            .or_else(|| {
                result
                    .get("plates")?
                    .as_array()?
                    .iter()
                    .take(4)
                    .find_map(|plate| plate.get("license")?.as_str())
                    .filter(|text| !text.is_empty())
            })
            .unwrap_or_default();
        let code = text::at(result, "triggerType").and_then(text::integer);
        let at = match (
            number("timeStamp.Timeval.sec"),
            number("timeStamp.Timeval.usec"),
        ) {
            (Some(seconds), micros) if seconds > 0.0 => {
                DeviceTime::epoch_s(seconds + micros.unwrap_or_default() / 1e6)
            }
            _ => None,
        };
        let at = at.or_else(|| self.at.clone());
        let read = self
            .draft(Kind::VehiclePlateRead, Phase::Instant)
            .at(at.clone())
            .plate(&plate_text::decode(license))
            .attr(
                "plate_color",
                color(text::at(result, "colorType").and_then(text::integer)),
            )
            .attr("confidence", number("confidence").and_then(part_of_one))
            .attr("seq", text::at(result, "plateid").and_then(text::integer))
            .attr("trigger", code.map(trigger))
            .attr(
                "heading",
                text::at(result, "direction")
                    .and_then(text::integer)
                    .and_then(heading),
            )
            .attr("is_fake_plate", flag(result, "is_fake_plate"))
            .attr("late", flag(result, "isoffline"));
        let read = match text::at(result, "unique_id").and_then(text::word) {
            Some(id) => read.id(id),
            None => read,
        };
        let mut drafts = vec![read];
        if let Some(kind) = code.and_then(conduct) {
            let (kind, phase) = kind;
            drafts.push(
                self.draft(kind, phase)
                    .at(at)
                    .plate(&plate_text::decode(license)),
            );
        }
        drafts
    }

    /// An input of the camera, such as an induction loop or a button. `value`: 0 open, 1 closed, 2 closed for a moment.
    fn input(&self, alarm: &Value) -> Vec<Draft> {
        let Some(result) = text::at(alarm, "result.TriggerResult") else {
            return Vec::new();
        };
        let source = text::at(result, "source")
            .and_then(text::integer)
            .unwrap_or_default();
        let component = format!("input-{source}");
        let value = text::at(result, "value").and_then(text::integer);
        let draft = match value {
            Some(2) => self.draft(Kind::CameraIoInput, Phase::Instant),
            Some(value @ (0 | 1)) => Draft::condition(
                self.device.clone(),
                DeviceClass::Barrier,
                Kind::CameraIoInput,
                "input",
                value == 1,
            )
            .at(self.at.clone()),
            _ => return Vec::new(),
        };
        vec![
            draft
                .component(component)
                .attr("input", source)
                .attr("value", value),
        ]
    }

    /// Where the boom stands: `gate_status` 0 down, 1 up, else between; `connect_status` 0 where the camera has lost the gate.
    fn barrier(&self, body: &Value) -> Vec<Draft> {
        let number = |name: &str| body.get(name).and_then(text::integer);
        let component = format!("gate-{}", number("gate_ctrl_id").unwrap_or(1));
        let mut drafts = Vec::new();
        if let Some(connected) = number("connect_status") {
            let fault = Draft::condition(
                self.device.clone(),
                DeviceClass::Barrier,
                Kind::BarrierFault,
                "link",
                connected == 0,
            );
            drafts.push(
                fault
                    .component(component.clone())
                    .at(self.at.clone())
                    .attr("reason", "disconnected"),
            );
        }
        let state = match number("gate_status") {
            Some(0) => "closed",
            Some(1) => "open",
            Some(_) => "between",
            None => return drafts,
        };
        drafts.push(
            self.draft(Kind::BarrierState, Phase::Updated)
                .component(component)
                .edge("gate", state)
                .attr("state", state),
        );
        drafts
    }

    /// What the lane watch saw: 82 stays, 83 passes, 84 turns back, 85 follows too close. The member's name differs among firmware.
    fn lane(&self, value: &Value, depth: usize) -> Vec<Draft> {
        if depth > 6 {
            return Vec::new();
        }
        let Some(map) = value.as_object() else {
            return Vec::new();
        };
        let code = map.iter().take(64).find_map(|(key, value)| {
            let key = key.to_ascii_lowercase();
            let is_code = ["type", "event", "result", "code", "state", "status"]
                .iter()
                .any(|word| key.contains(word));
            let code = text::integer(value).filter(|code| (82..=85).contains(code));
            is_code.then_some(code).flatten()
        });
        let (kind, phase) = match code {
            Some(82) => (Kind::VehicleLoiter, Phase::Raised),
            Some(83) => (Kind::VehiclePassage, Phase::Instant),
            Some(84) => (Kind::VehicleTurnBack, Phase::Instant),
            Some(85) => (Kind::VehicleTailgate, Phase::Instant),
            _ => {
                return map
                    .values()
                    .take(64)
                    .map(|inner| self.lane(inner, depth + 1))
                    .find(|drafts| !drafts.is_empty())
                    .unwrap_or_default();
            }
        };
        let draft = self.draft(kind, phase);
        let license = ["license", "plate"]
            .iter()
            .find_map(|name| map.get(*name)?.as_str());
        vec![match license {
            Some(license) => draft.plate(&plate_text::decode(license)),
            None => draft,
        }]
    }
}

/// A plate's ground.
fn color(code: Option<i64>) -> &'static str {
    match code {
        Some(1) => "blue",
        Some(2) => "yellow",
        Some(3) => "white",
        Some(4) => "black",
        Some(5) => "green",
        Some(6) => "yellow_green",
        _ => "unknown",
    }
}

/// What called for the reading.
fn trigger(code: i64) -> String {
    match code {
        1 => "auto",
        2 => "io",
        4 => "software",
        8 => "virtual_loop",
        64 | 82 => "loiter",
        65 => "loiter_end",
        66 | 84 => "turn_back",
        83 => "passage",
        85 => "tailgate",
        code => return format!("type_{code}"),
    }
    .to_owned()
}

/// What a reading tells besides the plate where it was called for by what the car does.
fn conduct(code: i64) -> Option<(Kind, Phase)> {
    match code {
        64 => Some((Kind::VehicleLoiter, Phase::Raised)),
        65 => Some((Kind::VehicleLoiter, Phase::Cleared)),
        66 => Some((Kind::VehicleTurnBack, Phase::Instant)),
        _ => None,
    }
}

/// Which way the car moved in the picture; whether that is in or out only the place knows.
fn heading(code: i64) -> Option<&'static str> {
    match code {
        1 => Some("left"),
        2 => Some("right"),
        3 => Some("up"),
        4 => Some("down"),
        _ => None,
    }
}

/// Per cent as 0 to 1.
fn part_of_one(percent: f64) -> Option<f64> {
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// True where a member is 1; nothing where it is not.
fn flag(value: &Value, name: &str) -> Option<bool> {
    value
        .get(name)
        .and_then(text::boolean)
        .filter(|is_set| *is_set)
}
