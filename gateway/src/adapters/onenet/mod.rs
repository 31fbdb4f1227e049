//! `OneNET`, the platform for things of China Mobile: its HTTP push (`{"msg": …, "msg_signature": …, "nonce": …}`), the rule engine's messages,
//! and over MQTT `OneJSON` (`$sys/{product}/{device}/thing/property/post`) and data points (`$sys/{product}/{device}/dp/post/json`).
//!
//! Read by open.iot.10086.cn's documentation and captures. `msg` is an object, a list or JSON as text; values are numbers, JSON, or the
//! vendor's bytes in hexadecimal digits, which [`passthrough`](super::passthrough) looks into. A signature is checked at the
//! door, where its token is kept ([`signature`]). The platform repeats until it is answered 200.

pub mod signature;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall, Reply};
use super::message::Message;
use super::passthrough::Passed;
use super::{Reject, decoded, text};

/// Most messages of one push.
const BATCH_MAX: usize = 1000;
/// Fewest digits of bytes that are no word.
const OPAQUE_DIGITS_MIN: usize = 16;

/// `OneNET`.
pub struct OneNet;

impl Format for OneNet {
    fn name(&self) -> &'static str {
        "onenet"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if verification(message).is_some() || topic(message).is_some() {
            return Claim::Address;
        }
        let has = |object: &Map<String, Value>, name| object.contains_key(name);
        let is_own = message.object().is_some_and(|object| {
            let is_signed = has(object, "msg_signature") || has(object, "signature");
            has(object, "msg") && is_signed && has(object, "nonce") || is_message(object)
        });
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn reply(&self, message: &Message<'_>) -> Reply {
        verification(message).map_or_else(Reply::default, Reply::text)
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        if verification(message).is_some() {
            return Ok(Reading::default());
        }
        let value = match topic(message) {
            // answers, and what the platform tells the device
            Some((_, Topic::Other)) => return Ok(Reading::default()),
            _ => message.json()?,
        };
        if let Some((device, topic)) = topic(message) {
            let read = match value.get("params").and_then(Value::as_array) {
                _ if topic == Topic::Points => points(value, device, message, recall)?,
                Some(items) => pack(items, device, message, recall)?,
                None => reading(device, None, message, recall, |passed| {
                    params(value, passed, Told::on(topic))
                })?,
            };
            return Ok(read.spoken_by(device));
        }
        let text_body;
        let body = match value.get("msg") {
            Some(Value::String(words)) => {
                text_body = text::json(words.as_bytes())?;
                &text_body
            }
            Some(body) => body,
            None => value,
        };
        let list = match body {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut all = Reading::default();
        for one in list.iter().take(BATCH_MAX) {
            let more = pushed(one, message, recall)?;
            all.extend(more);
        }
        Ok(all)
    }
}

/// The text that the platform wants back when it checks the address of a web hook: `GET …?msg=…&nonce=…&signature=…`.
pub fn verification(message: &Message<'_>) -> Option<String> {
    let is_asked = message.payload.is_empty()
        && message.query("nonce").is_some()
        && message.query("signature").is_some();
    is_asked.then(|| message.query("msg")).flatten()
}

/// What is on a topic of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// Properties, or these with events for others: `thing/{property|pack|history}/post`.
    Thing,
    /// Events: `thing/event/post`.
    Events,
    /// Data points: `dp/post/json`.
    Points,
    /// Answers, and what the platform tells the device.
    Other,
}

/// The device of `$sys/{product}/{device}/…`, and what is on it.
fn topic<'a>(message: &Message<'a>) -> Option<(&'a str, Topic)> {
    match message.levels().as_slice() {
        ["$sys", _, device, "thing", "event", "post"] => Some((device, Topic::Events)),
        [
            "$sys",
            _,
            device,
            "thing",
            "property" | "pack" | "history",
            "post",
        ] => Some((device, Topic::Thing)),
        ["$sys", _, device, "dp", "post", "json"] => Some((device, Topic::Points)),
        [
            "$sys",
            _,
            device,
            "thing" | "dp" | "cmd" | "image" | "ota",
            ..,
        ] => Some((device, Topic::Other)),
        _ => None,
    }
}

/// What the members of a message are.
#[derive(Clone, Copy)]
enum Told {
    Properties,
    Events,
}

impl Told {
    fn on(topic: Topic) -> Self {
        if topic == Topic::Events {
            Self::Events
        } else {
            Self::Properties
        }
    }

    fn named(name: &str) -> Self {
        if name.starts_with("event") {
            Self::Events
        } else {
            Self::Properties
        }
    }
}

/// One message without the envelope of the push.
fn is_message(object: &Map<String, Value>) -> bool {
    let has = |name| object.contains_key(name);
    let is_named = has("notifyType") || has("productId") && has("deviceName") || has("projectId");
    is_named && has("messageType") && (has("data") || has("response"))
        || has("sysProperty") && has("appProperty")
        || has("type") && has("dev_id") && has("at") && (has("ds_id") || has("status"))
}

fn reading(
    address: &str,
    at: Option<DeviceTime>,
    message: &Message<'_>,
    recall: &dyn Recall,
    read: impl FnOnce(&Passed<'_>) -> Result<Reading, Reject>,
) -> Result<Reading, Reject> {
    read(&Passed {
        address,
        at,
        zone: message.zone,
        recall,
    })
}

fn pushed(one: &Value, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
    // what rules of the platform have done
    if one.get("messageType").and_then(Value::as_str) == Some("sceneLog") {
        return Ok(Reading::default());
    }
    let names = [
        "deviceName",
        "devName",
        "dev_name",
        "dev_id",
        "appProperty.deviceName",
        "appProperty.deviceId",
        "imei",
    ];
    let device = text::first(one, &names)
        .and_then(text::word)
        .ok_or_else(|| Reject::new("no_device", "a OneNET message without a device"))?;
    let at = text::first(
        one,
        &["at", "appProperty.dataTimestamp", "time", "timestamp"],
    )
    .and_then(text::integer)
    .and_then(DeviceTime::epoch_ms);
    let mut all = reading(&device, at, message, recall, |passed| read_one(one, passed))?;
    let imei = one.get("imei").and_then(text::word);
    if let Some(imei) = imei.as_deref().and_then(text::somebody) {
        for draft in &mut all.drafts {
            draft.attrs.insert("imei".to_owned(), imei.into());
        }
    }
    Ok(all)
}

fn read_one(one: &Value, passed: &Passed<'_>) -> Result<Reading, Reject> {
    if let Some(word) = life_cycle(one) {
        return Ok(online(word, passed).into());
    }
    let spoken = |reading: Reading| reading.spoken_by(passed.address);
    if let Some(kind) = one.get("notifyType") {
        let told = Told::named(kind.as_str().unwrap_or_default());
        return params(one.get("data").unwrap_or(&Value::Null), passed, told).map(spoken);
    }
    if one.get("sysProperty").is_some() {
        let stream = text::at(one, "appProperty.datastream").and_then(Value::as_str);
        return point(stream, one.get("body").unwrap_or(&Value::Null), passed).map(spoken);
    }
    match one.get("type").and_then(text::integer) {
        Some(1) => {
            let stream = one.get("ds_id").and_then(Value::as_str);
            point(stream, one.get("value").unwrap_or(&Value::Null), passed).map(spoken)
        }
        Some(2) => Ok(match one.get("status").and_then(text::integer) {
            Some(0) => online("offline", passed).into(),
            Some(1) => online("online", passed).into(),
            _ => Reading::default(),
        }),
        _ => Ok(Reading::default()), // 7: what became of a command
    }
}

/// `online` or `offline`, where a message is about the life of a device.
fn life_cycle(one: &Value) -> Option<&str> {
    let kind = text::first(
        one,
        &["sysProperty.messageType", "messageType", "notifyType"],
    );
    let is_life = kind
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("lifecycle"));
    if !is_life {
        return None;
    }
    let paths = [
        "data.status",
        "data.type",
        "data.event",
        "body.event",
        "body.status",
        "body.type",
        "body",
        "data",
        "status",
    ];
    text::first(one, &paths).and_then(Value::as_str)
}

fn online(word: &str, passed: &Passed<'_>) -> Vec<Draft> {
    let (kind, phase, is_online) = match word {
        "online" => (Kind::DeviceOnline, Phase::Updated, true),
        "offline" => (Kind::DeviceOffline, Phase::Raised, false),
        _ => return Vec::new(),
    };
    let draft = Draft::new(passed.address, DeviceClass::FireSensor, kind, phase)
        .edge("online", is_online)
        .at(passed.at.clone());
    vec![draft]
}

/// What a gateway tells of the devices behind it, each with its `identity`, `properties` and `events`; as history each of these is a list
/// of what was kept while nobody could be told.
fn pack(
    items: &[Value],
    gateway: &str,
    message: &Message<'_>,
    recall: &dyn Recall,
) -> Result<Reading, Reject> {
    let mut all = Reading::default();
    for item in items.iter().take(BATCH_MAX) {
        let own = text::at(item, "identity.deviceName").and_then(text::word);
        let device = own.unwrap_or_else(|| gateway.to_owned());
        for name in ["properties", "events"] {
            let Some(told) = item.get(name) else {
                continue;
            };
            for told in in_order(told) {
                let more = reading(&device, None, message, recall, |passed| {
                    params(&told, passed, Told::named(name))
                })?;
                all.extend(more);
            }
        }
        all = all.spoken_by(device);
    }
    Ok(all)
}

/// Data points: `{"id": 1, "dp": {"smoke": [{"v": 1, "t": 1600000000}]}}`, seconds since 1970.
fn points(
    value: &Value,
    device: &str,
    message: &Message<'_>,
    recall: &dyn Recall,
) -> Result<Reading, Reject> {
    let told = value.get("dp").and_then(Value::as_object);
    let told = told.ok_or_else(|| Reject::new("bad_shape", "data points without `dp`"))?;
    let as_history = told.iter().take(BATCH_MAX).map(|(name, list)| {
        let list = list.as_array().into_iter().flatten().take(BATCH_MAX);
        let list = list.map(|point| {
            let at = point.get("t").and_then(text::number);
            let at = at.and_then(DeviceTime::epoch_any);
            let at = at.map(|at| at.at.as_millisecond());
            serde_json::json!({"value": point.get("v"), "time": at})
        });
        (name.clone(), list.collect())
    });
    let mut all = Reading::default();
    for told in in_order(&Value::Object(as_history.collect())) {
        let more = reading(device, None, message, recall, |passed| {
            params(&told, passed, Told::Properties)
        })?;
        all.extend(more);
    }
    Ok(all)
}

/// `{"SmokeState": [{"value": 1, "time": 1}, {"value": 0, "time": 2}]}` one by one in the order of their times; what is no history as it is.
fn in_order(told: &Value) -> Vec<Value> {
    let Some(members) = told
        .as_object()
        .filter(|members| members.values().any(Value::is_array))
    else {
        return vec![told.clone()];
    };
    let mut points = Vec::new();
    for (name, value) in members {
        let list = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for one in list {
            let time = one.get("time").and_then(text::integer).unwrap_or_default();
            points.push((time, name, one));
        }
    }
    points.sort_by_key(|(time, ..)| *time);
    let points = points.into_iter().take(BATCH_MAX);
    points
        .map(|(_, name, one)| serde_json::json!({ name: one }))
        .collect()
}

/// `OneJSON`: `{"id": …, "params": {"SmokeState": {"value": 1, "time": …}}}`; events nest their fields in `value`.
fn params(data: &Value, passed: &Passed<'_>, told: Told) -> Result<Reading, Reject> {
    let params = data.get("params").unwrap_or(data);
    if let Some(members) = params.as_object() {
        // a vendor's bytes in a property of any name
        for member in members.values().take(BATCH_MAX) {
            let value = member.get("value").unwrap_or(member);
            if let Some(words) = value.as_str().filter(|words| words.len() >= 20)
                && let Some(reading) = passed.read(words.as_bytes())?
            {
                return Ok(reading);
            }
        }
    }
    let drafts = match told {
        Told::Properties => decoded::drafts,
        Told::Events => decoded::event_drafts,
    };
    Ok(drafts(passed.address, params, passed.at.as_ref()).into())
}

/// One data point: its stream's name and its value.
fn point(stream: Option<&str>, value: &Value, passed: &Passed<'_>) -> Result<Reading, Reject> {
    match value {
        Value::Object(_) => Ok(decoded::drafts(passed.address, value, passed.at.as_ref()).into()),
        Value::String(words) => {
            if let Some(reading) = passed.read(words.as_bytes())? {
                return Ok(reading);
            }
            let mut reading = named(stream, value, passed);
            if reading.drafts.is_empty() && is_opaque(words) {
                let detail = "bytes of a vendor that no adapter knows (hint: declare one, docs/adding-a-device.md)";
                reading.unread = Some(Reject::new("unknown_bytes", detail));
            }
            Ok(reading)
        }
        _ => Ok(named(stream, value, passed)),
    }
}

/// Whether a point holds bytes in hexadecimal digits, which might be an alarm; digits alone are a number.
fn is_opaque(words: &str) -> bool {
    words.len() >= OPAQUE_DIGITS_MIN
        && words.bytes().any(|byte| byte.is_ascii_alphabetic())
        && hex::decode(words).is_ok()
}

fn named(stream: Option<&str>, value: &Value, passed: &Passed<'_>) -> Reading {
    let mut object = Map::new();
    object.insert(stream.unwrap_or_default().to_owned(), value.clone());
    let object = Value::Object(object);
    decoded::drafts(passed.address, &object, passed.at.as_ref()).into()
}
