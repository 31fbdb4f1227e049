//! The envelopes: whose message it is, when it was, and what is inside.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::adapters::clock::DeviceTime;
use crate::adapters::message::Message;
use crate::adapters::{Reject, text};

/// Most devices, services and properties of a message.
const ITEMS_MAX: usize = 200;

/// What one device told.
pub(super) struct Told<'a> {
    pub address: String,
    pub at: Option<DeviceTime>,
    pub what: What<'a>,
}

pub(super) enum What<'a> {
    Properties(Cow<'a, Value>),
    /// Events by their names; one that is an alarm or a fault by its type is loud.
    Event {
        object: Value,
        is_loud: bool,
    },
    /// Bytes of its maker's own.
    Bytes(&'a [u8]),
    /// What the platform says: it is connected, or is not.
    Presence(bool),
}

/// A topic of a device.
enum Topic<'a> {
    /// `$oc/devices/{device}/sys/{…}`, of `IoTDA`.
    Huawei(&'a str, &'a [&'a str]),
    /// `/sys/{product}/{device}/thing/{…}`, of Aliyun.
    Aliyun(&'a str, &'a [&'a str]),
}

fn topic<'a>(levels: &'a [&'a str]) -> Option<Topic<'a>> {
    match levels {
        ["$oc", "devices", device, "sys", rest @ ..] => Some(Topic::Huawei(device, rest)),
        ["", "sys", _, device, "thing", rest @ ..] => Some(Topic::Aliyun(device, rest)),
        _ => None,
    }
}

pub(super) fn is_topic(message: &Message<'_>) -> bool {
    topic(&message.levels()).is_some()
}

/// Whether this is what one of the clouds pushes.
pub(super) fn is_pushed(object: &Map<String, Value>) -> bool {
    let has = |name| object.contains_key(name);
    let is_ocean_connect = has("notifyType") && has("deviceId");
    let is_iotda = has("resource") && has("event") && has("notify_data");
    let is_aliyun = has("productKey")
        && has("deviceName")
        && (has("items") || has("status") || has("identifier") && has("value"));
    let is_tuya =
        has("devId") && has("productKey") && has("status") || has("bizCode") && has("bizData");
    is_ocean_connect || is_iotda || is_aliyun || is_tuya
}

/// What the devices of a message told.
pub(super) fn told<'a>(message: &'a Message<'_>) -> Result<Vec<Told<'a>>, Reject> {
    let levels = message.levels();
    let reader = Reader { message };
    let told = match topic(&levels) {
        Some(Topic::Huawei(device, rest)) => match rest {
            ["properties", "report"] => reader.services(device, message.json()?),
            ["gateway", "sub_devices", "properties", "report"] => {
                reader.sub_devices(message.json()?)
            }
            ["messages", "up"] => vec![reader.free(device)],
            // answers, and what the platform tells the device
            _ => Vec::new(),
        },
        Some(Topic::Aliyun(device, rest)) => match rest {
            ["event", "property", "post"] => {
                let params = text::at(message.json()?, "params");
                params
                    .map(|params| Reader::properties(device, None, params))
                    .into_iter()
                    .collect()
            }
            ["event", "property", "pack" | "history", "post"] => {
                let params = text::at(message.json()?, "params").unwrap_or(&Value::Null);
                reader.pack(device, params)
            }
            ["event", name, "post"] => {
                let params = text::at(message.json()?, "params").unwrap_or(&Value::Null);
                vec![reader.event(device, name, params, false)]
            }
            ["model", "up_raw"] => vec![Reader::bytes(device, message.payload)],
            _ => Vec::new(),
        },
        None => reader.pushed(message.json()?)?,
    };
    Ok(told)
}

struct Reader<'m, 'a> {
    message: &'a Message<'m>,
}

impl<'a> Reader<'_, 'a> {
    fn pushed(&self, value: &'a Value) -> Result<Vec<Told<'a>>, Reject> {
        let paths = [
            "notify_data.header.device_id",
            "bizData.devId",
            "bizData.deviceId",
            "devId",
            "deviceName",
            "deviceId",
        ];
        let Some(device) = text::first(value, &paths).and_then(text::word) else {
            // of homes and users Tuya tells the same way
            let is_of_a_home = value.get("bizCode").is_some();
            let reject = || Reject::new("no_device", "a push of a cloud without a device");
            return is_of_a_home.then(Vec::new).ok_or_else(reject);
        };
        let status = [
            "notify_data.body.status",
            "deviceInfo.status",
            "status",
            "bizCode",
        ];
        if let Some(is_online) = text::first(value, &status).and_then(is_online) {
            let times = [
                "notify_data.body.status_update_time",
                "utcTime",
                "bizData.time",
                "ts",
            ];
            let at = text::first(value, &times).and_then(|at| self.time(at));
            let what = What::Presence(is_online);
            return Ok(vec![Told {
                address: device,
                at,
                what,
            }]);
        }
        if let Some(items) = value.get("items") {
            return Ok(vec![Self::properties(&device, None, items)]);
        }
        if let Some(name) = value.get("identifier").and_then(Value::as_str) {
            let kind = value.get("type").and_then(Value::as_str);
            let is_loud = kind.is_some_and(|kind| matches!(kind, "alert" | "error"));
            return Ok(vec![self.event(&device, name, value, is_loud)]);
        }
        if let Some(list) = text::first(value, &["status", "bizData.properties"]) {
            let list = list.as_array().into_iter().flatten().take(ITEMS_MAX);
            let points = list.filter_map(|point| self.point(&device, point));
            return Ok(points.collect());
        }
        let body = text::first(value, &["notify_data.body", "service"]).unwrap_or(value);
        Ok(self.services(&device, body))
    }

    /// `{"services": [{"properties": {…}, "event_time": …}]}`, or one service by itself.
    fn services(&self, device: &str, value: &'a Value) -> Vec<Told<'a>> {
        let list = match value.get("services").and_then(Value::as_array) {
            Some(list) => list.as_slice(),
            None => std::slice::from_ref(value),
        };
        let of = |service: &'a Value| {
            let object = text::first(service, &["properties", "data", "content"])?;
            let at = text::first(service, &["event_time", "eventTime"]);
            Some(Self::properties(
                device,
                at.and_then(|at| self.time(at)),
                object,
            ))
        };
        list.iter().take(ITEMS_MAX).filter_map(of).collect()
    }

    fn sub_devices(&self, value: &'a Value) -> Vec<Told<'a>> {
        let list = value.get("devices").and_then(Value::as_array);
        let list = list.into_iter().flatten().take(ITEMS_MAX);
        let of = |one: &'a Value| {
            let device = one.get("device_id").and_then(text::word)?;
            Some(self.services(&device, one))
        };
        list.filter_map(of).flatten().collect()
    }

    /// What a gateway tells of itself and of the devices behind it: `{"properties": {…}, "events": {…}, "subDevices": [{"identity": …}]}`; as
    /// history it is a list of these, whose members are lists.
    fn pack(&self, gateway: &str, params: &'a Value) -> Vec<Told<'a>> {
        let behind = params.get("subDevices").map(items).unwrap_or_default();
        let of = |one: &'a Value| {
            let own = text::at(one, "identity.deviceName").and_then(text::word);
            let device = own.unwrap_or_else(|| gateway.to_owned());
            let [properties, events] = ["properties", "events"].map(|name| {
                let told = one.get(name).map(items).unwrap_or_default();
                told.iter().take(ITEMS_MAX)
            });
            let properties = properties.map(|object| Self::properties(&device, None, object));
            let events = events.filter_map(Value::as_object).flatten();
            let events = events.map(|(name, told)| self.event(&device, name, told, false));
            properties.chain(events).collect::<Vec<_>>()
        };
        let all = items(params).iter().chain(behind).take(ITEMS_MAX);
        all.flat_map(of).take(ITEMS_MAX).collect()
    }

    /// What a device of `IoTDA` says in a form of its own: `{"content": …}`, or anything.
    fn free(&self, device: &str) -> Told<'a> {
        let content = self
            .message
            .json()
            .ok()
            .and_then(|told| told.get("content"));
        match content {
            Some(Value::String(words)) => Self::bytes(device, words.as_bytes()),
            Some(object) => Self::properties(device, None, object),
            None => Self::bytes(device, self.message.payload),
        }
    }

    fn bytes(device: &str, bytes: &'a [u8]) -> Told<'a> {
        Told {
            address: device.to_owned(),
            at: None,
            what: What::Bytes(bytes),
        }
    }

    fn properties(device: &str, at: Option<DeviceTime>, object: &'a Value) -> Told<'a> {
        Told {
            address: device.to_owned(),
            at,
            what: What::Properties(Cow::Borrowed(object)),
        }
    }

    /// A data point of Tuya's.
    fn point(&self, device: &str, point: &Value) -> Option<Told<'a>> {
        let code = point.get("code").and_then(Value::as_str)?;
        let at = text::first(point, &["t", "time"]).and_then(|at| self.time(at));
        let object = json!({ code: point.get("value") });
        Some(Told {
            address: device.to_owned(),
            at,
            what: What::Properties(Cow::Owned(object)),
        })
    }

    /// An event of Aliyun's by its name, with its `value` and its `time`.
    fn event(&self, device: &str, name: &str, told: &Value, is_loud: bool) -> Told<'a> {
        let at = told.get("time").and_then(|at| self.time(at));
        let empty = || Value::Object(Map::new());
        let value = told.get("value").cloned().unwrap_or_else(empty);
        Told {
            address: device.to_owned(),
            at,
            what: What::Event {
                object: json!({ name: { "value": value } }),
                is_loud,
            },
        }
    }

    /// A time in whatever form these clouds write it.
    fn time(&self, told: &Value) -> Option<DeviceTime> {
        let basic = told.as_str().and_then(basic_utc);
        let told = basic.as_ref().unwrap_or(told);
        DeviceTime::any(told, self.message.zone)
    }
}

/// A list, or the one that stands for it.
fn items(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Huawei's `20151212T121212Z` as RFC 3339.
fn basic_utc(words: &str) -> Option<Value> {
    let (day, time) = words.strip_suffix('Z')?.split_once('T')?;
    let is_basic =
        |digits: &str, count| digits.len() == count && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_basic(day, 8) || !is_basic(time, 6) {
        return None;
    }
    let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    Some(format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").into())
}

fn is_online(status: &Value) -> Option<bool> {
    match status.as_str()?.to_ascii_lowercase().as_str() {
        "online" | "deviceonline" => Some(true),
        "offline" | "deviceoffline" => Some(false),
        _ => None,
    }
}
