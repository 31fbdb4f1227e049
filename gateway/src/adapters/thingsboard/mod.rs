//! Devices and gateways that were made for `ThingsBoard`: `v1/devices/me/…`, `v1/gateway/…`, `v2/t`, and `POST /api/v1/{token}/telemetry`.
//!
//! Layout: thingsboard/thingsboard@common/data/src/main/java/org/thingsboard/server/common/data/device/profile/MqttTopics.java and the
//! device APIs of its documentation. Keys are whatever somebody called them: those that usually mean an alarm or a door are those
//! of [`decoded`], other numbers and words are readings. The token in a path is that platform's and is not looked at.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, decoded, text};

/// Most points of a message.
const POINTS_MAX: usize = 1000;
/// Most readings of a point that are kept.
const READINGS_MAX: usize = 50;

/// The format.
pub struct ThingsBoard;

impl Format for ThingsBoard {
    fn name(&self) -> &'static str {
        "thingsboard"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if What::of(message).is_some() {
            Claim::Address
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let drafts = match What::of(message) {
            Some(What::Telemetry) => points("", message.json()?)?,
            Some(What::OfMany) => {
                let devices = message.json()?.as_object();
                let devices = devices.ok_or_else(|| bad_shape("devices and their points"))?;
                let mut drafts = Vec::new();
                for (device, value) in devices.iter().take(POINTS_MAX) {
                    drafts.extend(points(device, value)?);
                }
                drafts.truncate(POINTS_MAX);
                drafts
            }
            Some(What::Presence(is_there)) => {
                let device = text::at(message.json()?, "device").and_then(text::word);
                device
                    .map(|device| presence(&device, is_there))
                    .into_iter()
                    .collect()
            }
            Some(What::Other) | None => Vec::new(),
        };
        Ok(drafts.into())
    }

    fn may_alarm(&self, topic: &str) -> bool {
        topic.ends_with("/telemetry") || topic == "v2/t" || topic.starts_with("v1/gateway/")
    }
}

/// What a message is.
enum What {
    /// Points of the sender.
    Telemetry,
    /// Points of the devices behind it.
    OfMany,
    /// A device behind it came or went.
    Presence(bool),
    /// Attributes, calls, claims.
    Other,
}

impl What {
    fn of(message: &Message<'_>) -> Option<Self> {
        let path: Vec<&str> = message.path().split('/').collect();
        match path.as_slice() {
            ["", "api", "v1", _, "telemetry"] => return Some(Self::Telemetry),
            ["", "api", "v1", _, "attributes"] => return Some(Self::Other),
            _ => {}
        }
        match message.levels().as_slice() {
            ["v1", "devices", "me", "telemetry", ..] | ["v2", "t", ..] => Some(Self::Telemetry),
            ["v1", "gateway", "telemetry"] => Some(Self::OfMany),
            ["v1", "gateway", "connect"] => Some(Self::Presence(true)),
            ["v1", "gateway", "disconnect"] => Some(Self::Presence(false)),
            ["v1", "devices", "me", ..] | ["v1", "gateway", ..] | ["v2", "a", ..] => {
                Some(Self::Other)
            }
            _ => None,
        }
    }
}

fn bad_shape(wants: &str) -> Reject {
    Reject::new(
        "bad_shape",
        format!("telemetry of ThingsBoard is an object of {wants}"),
    )
}

fn presence(device: &str, is_there: bool) -> Draft {
    let (kind, phase) = if is_there {
        (Kind::DeviceOnline, Phase::Updated)
    } else {
        (Kind::DeviceOffline, Phase::Raised)
    };
    Draft::new(
        text::clip(device, 128),
        DeviceClass::FireSensor,
        kind,
        phase,
    )
    .edge("presence", is_there)
}

/// `{key: value}`, `{"ts": …, "values": {…}}`, or a list of either.
fn points(device: &str, value: &Value) -> Result<Vec<Draft>, Reject> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut drafts = Vec::new();
    for point in list.iter().take(POINTS_MAX) {
        let point = point
            .as_object()
            .ok_or_else(|| bad_shape("keys and values"))?;
        drafts.extend(self::point(device, point));
    }
    Ok(drafts)
}

fn point(device: &str, point: &Map<String, Value>) -> Vec<Draft> {
    let device = text::clip(device, 128);
    let (at, values) = match (point.get("ts"), point.get("values")) {
        (Some(ts), Some(Value::Object(values))) => {
            (text::number(ts).and_then(DeviceTime::epoch_any), values)
        }
        _ => (None, point),
    };
    let class = DeviceClass::FireSensor;
    let mut drafts = Vec::new();
    let mut reading =
        Draft::new(device.clone(), class, Kind::DeviceTelemetry, Phase::Instant).at(at.clone());
    for (name, value) in values {
        let key = name.to_lowercase().replace(['_', '-', ' '], "");
        match key.as_str() {
            "door" | "contact" | "doorstate" | "dooropen"
                if let Some(draft) = door(&device, &key, value) =>
            {
                drafts.push(draft.at(at.clone()));
            }
            _ if let told = decoded::member_drafts(&device, name, values, at.as_ref())
                && !told.is_empty() =>
            {
                drafts.extend(told);
            }
            "battery" | "batterylevel" | "batterypercent" => {
                reading = reading.attr("battery_percent", text::number(value));
            }
            _ if reading.attrs.len() >= READINGS_MAX => {}
            _ => {
                let value = match value {
                    Value::String(word) => text::clip(word, 200).into(),
                    Value::Number(_) | Value::Bool(_) => value.clone(),
                    _ => Value::Null,
                };
                reading = reading.attr(&text::clip(name, 64), value);
            }
        }
    }
    if !reading.attrs.is_empty() {
        drafts.push(reading);
    }
    drafts
}

/// `contact` is true when closed, `door_open` when open; `door` says it in a word.
fn door(device: &str, key: &str, value: &Value) -> Option<Draft> {
    let word = value.as_str().map(str::to_ascii_lowercase);
    let is_open = match (word.as_deref(), key, text::boolean(value)) {
        (Some("open" | "opened"), _, _) => true,
        (Some("closed" | "close"), _, _) => false,
        (_, "contact", Some(is_closed)) => !is_closed,
        (_, "dooropen", Some(is_open)) => is_open,
        _ => return None,
    };
    let state = if is_open { "open" } else { "closed" };
    let draft = Draft::new(
        device,
        DeviceClass::Access,
        Kind::AccessDoorState,
        Phase::Updated,
    );
    Some(draft.edge(key, state).attr("state", state))
}
