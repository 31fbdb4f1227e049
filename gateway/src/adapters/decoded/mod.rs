//! What NB-IoT and `LoRaWAN` devices call their properties once a codec has decoded them: `smokeAlarm`, `smoke_state`, `gas_status`, `mounted`.
//!
//! One table for all platforms. Names are compared without case and punctuation, values in the words that codecs use (`alarm`, `leak`,
//! `trigger`, `open`, 0 and 1). Readings (temperature, battery voltage) are no news and make no drafts; what is in no row is ignored.

mod names;
mod words;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::Draft;
use super::{Reject, text};
use names::{How, Row, plain, row};
use words::{
    door, door_within, event, fault, is_broken, is_burning, is_fault, is_fire, is_low,
    is_named_alarm, is_of_a_test, is_off_base, is_one_of, is_said, is_there, is_tried, sentence,
    smoke_event,
};

pub(super) use words::says;
pub use words::smoke_code;

/// Deepest object that is looked into.
const DEPTH_MAX: usize = 4;
/// Longest name of an alarm that is kept.
const LABEL_CHARS_MAX: usize = 64;
/// Most members that are looked at.
const MEMBERS_MAX: usize = 500;

/// The drafts that an object's properties make, the most urgent first. `at` is the time of the message; a property may bring its own
/// (`{"value": 1, "time": 1700000000000}`).
pub fn drafts(address: &str, object: &Value, at: Option<&DeviceTime>) -> Vec<Draft> {
    let mut found = Found::default();
    found.walk(object, at, 0);
    let mut drafts = found.drafts(address);
    drafts.sort_by_key(|draft| draft.kind);
    drafts
}

/// The same of an object of events, each called after what happened: `{"tamper": {"value": {}}}`.
pub fn event_drafts(address: &str, events: &Value, at: Option<&DeviceTime>) -> Vec<Draft> {
    let mut found = Found {
        is_of_events: true,
        ..Found::default()
    };
    found.walk(events, at, 0);
    let mut drafts = found.drafts(address);
    drafts.sort_by_key(|draft| draft.kind);
    drafts
}

/// The same of one member of an object; those beside it only help to understand it.
pub fn member_drafts(
    address: &str,
    name: &str,
    members: &Map<String, Value>,
    at: Option<&DeviceTime>,
) -> Vec<Draft> {
    let mut found = Found::default();
    found.member(name, members, at, 0);
    let mut drafts = found.drafts(address);
    drafts.sort_by_key(|draft| draft.kind);
    drafts
}

/// Why nothing can come of an uplink of a `LoRaWAN` device whose bytes nobody has decoded: it is connected, and could tell of no fire.
pub fn no_codec(bytes: Option<&Value>) -> Option<Reject> {
    let has_bytes = bytes
        .and_then(Value::as_str)
        .is_some_and(|bytes| !bytes.is_empty());
    let detail = "bytes of a device that the network server did not decode (hint: give its device profile a codec)";
    has_bytes.then(|| Reject::new("no_codec", detail))
}

/// Whether the table knows a member of this name.
pub fn knows(name: &str) -> bool {
    row(name).is_some()
}

#[derive(Default)]
struct Found {
    rows: Vec<(Row, Value, String, Option<DeviceTime>)>,
    seen: usize,
    /// The outermost members are events: each tells by being there.
    is_of_events: bool,
}

impl Found {
    fn walk(&mut self, value: &Value, at: Option<&DeviceTime>, depth: usize) {
        for item in value.as_array().into_iter().flatten() {
            self.seen += 1;
            if self.seen > MEMBERS_MAX {
                return;
            }
            self.walk(item, at, depth);
        }
        let Some(members) = value.as_object().filter(|_| depth < DEPTH_MAX) else {
            return;
        };
        for name in members.keys() {
            self.seen += 1;
            if self.seen > MEMBERS_MAX {
                return;
            }
            self.member(name, members, at, depth);
        }
    }

    fn member(
        &mut self,
        name: &str,
        members: &Map<String, Value>,
        at: Option<&DeviceTime>,
        depth: usize,
    ) {
        let Some(value) = members.get(name) else {
            return;
        };
        let own = value.get("value").filter(|_| value.is_object());
        let own_at = value
            .get("time")
            .and_then(text::integer)
            .and_then(DeviceTime::epoch_ms);
        let message_at = at;
        let is_one = |value: &Value| !value.is_object() && !value.is_array();
        let tells = if self.is_of_events && depth == 0 {
            Tells::Always
        } else {
            Tells::AsAlarm
        };
        let mut push = |row: Row, value: Value| {
            let at = own_at.clone().filter(|_| own.is_some());
            let at = at.or_else(|| message_at.cloned());
            self.rows.push((row, value, name.to_owned(), at));
        };
        match (own, row_among(name, members)) {
            (Some(own), Some(row)) if is_one(own) => push(row, own.clone()),
            // an event that is called after its condition: `smokeAlarm: {value: {state: 1}}`
            (Some(own), Some(row)) if let Some(state) = state_within(own, name) => {
                push(row, said(row, state));
            }
            (Some(own), Some(row)) if is_itself(row, name, own, tells) => {
                push(row, Value::Bool(true));
                self.walk(own, own_at.as_ref().or(at), depth + 1);
            }
            (Some(own), _) => self.walk(own, own_at.as_ref().or(at), depth + 1),
            (None, Some(row))
                if matches!(
                    row.how,
                    How::Is | How::IsNot | How::Burning | How::Bare | How::Named
                ) && let Some(word) = word_within(value, name) =>
            {
                push(row, said(row, &word));
            }
            (None, Some(row))
                if value.as_object().is_some_and(|inner| !inner.is_empty())
                    && is_itself(row, name, value, tells) =>
            {
                push(row, Value::Bool(true));
                self.walk(value, at, depth + 1);
            }
            (None, Some(row)) if is_one(value) => push(row, value.clone()),
            (None, Some(row))
                if matches!(row.how, How::Door | How::Contact)
                    && let Some(state) = door_within(value, row.how) =>
            {
                push(row, state.into());
                self.walk(value, at, depth + 1);
            }
            (None, _) if !is_setting(name) => self.walk(value, at, depth + 1),
            _ => {}
        }
    }

    fn class(&self) -> DeviceClass {
        let of = |(row, ..): &(Row, Value, String, Option<DeviceTime>)| match row.kind {
            Kind::AccessDoorState => Some(DeviceClass::Access),
            Kind::VehiclePresence => Some(DeviceClass::Barrier),
            Kind::CameraMotion => Some(DeviceClass::Camera),
            kind if kind.as_str().starts_with("fire.") => Some(DeviceClass::FireSensor),
            _ => None,
        };
        let classes: Vec<DeviceClass> = self.rows.iter().filter_map(of).collect();
        if classes.contains(&DeviceClass::FireSensor) {
            return DeviceClass::FireSensor;
        }
        classes.first().copied().unwrap_or(DeviceClass::FireSensor)
    }

    fn drafts(self, address: &str) -> Vec<Draft> {
        let class = self.class();
        let mut drafts: Vec<Draft> = Vec::new();
        for (mut row, mut value, name, at) in self.rows {
            if row.how == How::Code {
                let Some(code) = text::integer(&value) else {
                    continue;
                };
                value = Value::Bool(code != 0);
                row.how = How::Is;
            }
            if row.how == How::Bare {
                if !is_said(row.kind, &value) {
                    continue;
                }
                row.how = How::Is;
            }
            if row.how == How::Is
                && is_fire(row.kind)
                && let Some(draft) = fault(address, class, row, &value, &name)
            {
                push(&mut drafts, draft.at(at.clone()));
            }
            let more = match row.how {
                How::Is if is_fire(row.kind) && is_fault(&value) => None,
                How::Is if row.kind == Kind::EnvWaterLeak && text::integer(&value) > Some(1) => {
                    Some(Draft::condition(
                        address,
                        class,
                        row.kind,
                        row.property,
                        true,
                    ))
                }
                // the words of batteries say nothing of smoke, but that there is much of it
                How::Is if is_fire(row.kind) && is_one_of(&value, &["low", "medium", "high"]) => {
                    is_one_of(&value, &["high"])
                        .then(|| Draft::condition(address, class, row.kind, row.property, true))
                }
                How::Is if row.property == "battery_low" && is_there(&value, &name).is_none() => {
                    is_low(&value)
                        .map(|is| Draft::condition(address, class, row.kind, row.property, is))
                }
                How::Is | How::IsNot | How::Bare => is_there(&value, &name).map(|is| {
                    let is = is == (row.how == How::Is);
                    let mut draft = Draft::condition(address, class, row.kind, row.property, is);
                    if row.property == "fault" {
                        // every fault is a property of its own
                        draft = draft.edge(&plain(&name), is).attr("fault", name.as_str());
                    }
                    if let Some((name, word)) = row.attr {
                        draft = draft.attr(name, word);
                    }
                    if row.property == "fault" || row.kind == Kind::DeviceAlarmInput {
                        draft = draft.apart();
                    }
                    draft
                }),
                How::Door | How::Contact | How::DoorWord => door(&value, row.how).map(|state| {
                    Draft::new(address, class, row.kind, Phase::Updated)
                        .edge(row.property, state)
                        .attr("state", state)
                }),
                How::Volts => Some(Draft::condition(
                    address,
                    class,
                    row.kind,
                    row.property,
                    value.as_str().is_some_and(|words| words.contains("low")),
                )),
                How::Leaf => value.as_bool().map(|is| {
                    let is_open = is == (plain(&name) == "open");
                    let state = if is_open { "open" } else { "closed" };
                    Draft::new(address, class, row.kind, Phase::Updated)
                        .edge(row.property, state)
                        .attr("state", state)
                }),
                How::Base => is_off_base(&value)
                    .map(|is| Draft::condition(address, class, row.kind, row.property, is)),
                How::Tried => is_tried(&value)
                    .map(|is| Draft::condition(address, class, row.kind, row.property, is)),
                How::Reason => is_of_a_test(&value)
                    .then(|| Draft::new(address, class, row.kind, Phase::Instant)),
                How::Charge => is_low(&value)
                    .map(|is| Draft::condition(address, class, row.kind, row.property, is)),
                How::Named => is_named_alarm(&value).map(|is| {
                    Draft::condition(address, class, row.kind, &plain(&name), is)
                        .attr("label", text::clip(&name, LABEL_CHARS_MAX))
                        .apart()
                }),
                How::Event => {
                    // what it says of itself, it says as a smoke detector does
                    if !is_one_of(&value, &["alarm", "silent"]) {
                        for draft in smoke_event(address, &value) {
                            push(&mut drafts, draft.at(at.clone()));
                        }
                    }
                    event(address, class, &value)
                }
                How::Sentence => sentence(address, class, &value),
                How::Burning => is_burning(&value)
                    .map(|is| Draft::condition(address, class, row.kind, row.property, is)),
                How::SmokeEvent => {
                    for draft in smoke_event(address, &value) {
                        push(&mut drafts, draft.at(at.clone()));
                    }
                    None
                }
                How::Health => is_broken(&value).map(|is| {
                    Draft::condition(address, class, row.kind, &plain(&name), is)
                        .attr("fault", text::clip(&name, LABEL_CHARS_MAX))
                        .apart()
                }),
                How::Code => None, // a condition by now
            };
            if let Some(draft) = more {
                push(&mut drafts, draft.at(at));
            }
        }
        drafts
    }
}

/// Of one property that is told twice under two names, that it is there counts.
fn push(drafts: &mut Vec<Draft>, draft: Draft) {
    let property = |draft: &Draft| draft.edge.as_ref().map(|edge| edge.property.clone());
    let twin = drafts
        .iter_mut()
        .find(|known| known.edge.is_some() && property(known) == property(&draft));
    match twin {
        Some(known) if known.phase == Phase::Cleared => *known = draft,
        Some(_) => {}
        None => drafts.push(draft),
    }
}

/// Members that say whether a condition is there.
const STATES: [&str; 9] = [
    "state",
    "status",
    "value",
    "alarm",
    "alarmstate",
    "alarmstatus",
    "detected",
    "triggered",
    "active",
];

/// The member of an event's parameters that says whether its condition is there.
fn state_within<'a>(parameters: &'a Value, name: &str) -> Option<&'a Value> {
    let members = parameters.as_object()?;
    let says = |value: &&Value| is_there(value, name).is_some();
    let mut states = members
        .iter()
        .filter(|(member, _)| STATES.contains(&plain(member).as_str()))
        .map(|(_, value)| value);
    // in words it may be an event: `{"type": "alarm trigger"}`, `{"Event": "Water Present"}`
    let mut events = members
        .iter()
        .filter(|(member, value)| {
            value.is_string() && matches!(plain(member).as_str(), "type" | "event")
        })
        .map(|(_, value)| value);
    states.find(says).or_else(|| events.find(says))
}

/// A state as what it says: a number in it is no measurement.
fn said(row: Row, state: &Value) -> Value {
    let is = is_there(state, "state").filter(|_| row.how == How::Bare && state.is_number());
    is.map_or_else(|| state.clone(), Value::Bool)
}

/// Which objects tell by being there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// One of events.
    Always,
    /// One that is called an alarm.
    AsAlarm,
}

/// Whether an object tells by being there, with what was measured and without a state or settings.
fn is_itself(row: Row, name: &str, inner: &Value, tells: Tells) -> bool {
    const SETTINGS: [&str; 9] = [
        "enable",
        "threshold",
        "config",
        "setting",
        "limit",
        "upper",
        "lower",
        "delay",
        "interval",
    ];
    let Some(members) = inner.as_object() else {
        return false;
    };
    let says_otherwise = members.iter().any(|(member, value)| {
        let member = plain(member);
        value.is_object()
            || value.is_array()
            || STATES.contains(&member.as_str())
            || SETTINGS.iter().any(|word| member.contains(word))
    });
    let of_itself = || drafts("", inner, None);
    let called = plain(name);
    let is_called = called.ends_with("alarm") || called.ends_with("warning");
    let is_one = match row.how {
        How::Is | How::Named => is_called || tells == Tells::Always,
        How::Sentence => tells == Tells::Always,
        _ => false,
    };
    is_one && !says_otherwise && !of_itself().iter().any(|draft| draft.kind == row.kind)
}

/// The row of a member, where those beside it agree.
fn row_among(name: &str, members: &Map<String, Value>) -> Option<Row> {
    let has = |name: &str| members.contains_key(name);
    // the leak sensor of Browan (TBWL100 in TheThingsNetwork/lorawan-devices) calls its state so
    let is_browan = || has("temperatureBoard") && has("humidityChanged");
    let name = match name {
        "status" if is_browan() => "water_leak",
        name => name,
    };
    let mut row = row(name)?;
    if is_of_mclimate(name, members) {
        return None;
    }
    let is_thermostat = |name: &String| {
        let name = plain(name);
        ["target", "setpoint", "thermostat"]
            .iter()
            .any(|word| name.contains(word))
    };
    match row.how {
        How::SmokeEvent if !has("concentration") && !has("protocol") => row.how = How::Event,
        How::Bare if row.kind == Kind::FireHeat && members.keys().any(is_thermostat) => {
            return None;
        }
        How::Bare if row.property == "occupancy" && members.values().any(is_of_parking) => {
            row.kind = Kind::VehiclePresence;
            row.attr = None;
        }
        // a valve may be open, too: of a sensor there are readings beside it
        How::Leaf if !members.keys().any(|name| is_reading(name)) => return None,
        // Netvox: volts, or `2.4(low battery)`
        How::Charge if members.get("Device").is_some_and(Value::is_string) => row.how = How::Volts,
        _ => {}
    }
    Some(row)
}

/// What a leak sensor of `MClimate` tells besides with every message: the switch of its lid, which counts where it is why it speaks, and the
/// magnet of a valve (examples of T-Flood and T-Valve in MClimate/mclimate-payload-helper).
fn is_of_mclimate(name: &str, members: &Map<String, Value>) -> bool {
    let is_on = members.get(name).and_then(text::boolean) == Some(true);
    match (name, members.get("reason").and_then(Value::as_str)) {
        ("boxTamper", Some(reason)) => is_on && !reason.to_lowercase().contains("fraud"),
        ("magnet", Some(_)) => members.contains_key("boxTamper"),
        _ => false,
    }
}

/// Bosch's parking sensor: `{"type": "parking_status", "occupied": true}`.
fn is_of_parking(value: &Value) -> bool {
    let words = value.as_str().unwrap_or_default();
    words.to_ascii_lowercase().starts_with("parking")
}

/// Names of what sensors of doors tell besides.
fn is_reading(name: &str) -> bool {
    matches!(plain(name).as_str(), "temperature" | "count" | "eventcount")
}

/// What an object says of the condition that it is called after: `smoke: {alarm: true}`, `temperature_alarm: {burning_alarm_trigger: {}}`.
fn word_within(object: &Value, name: &str) -> Option<Value> {
    if let Some(state) = state_within(object, name) {
        return Some(state.clone());
    }
    let mut members = object.as_object()?.iter();
    let (only, inner) = members.next()?;
    if members.next().is_some() || !inner.is_object() || row(only).is_some() {
        return None;
    }
    let word = Value::from(only.replace('_', " "));
    (is_there(&word, name).is_some() || is_burning(&word).is_some()).then_some(word)
}

/// Members that hold settings and the past.
fn is_setting(name: &str) -> bool {
    matches!(
        plain(name).as_str(),
        "configuration"
            | "config"
            | "settings"
            | "history"
            | "records"
            | "logs"
            | "datalog"
            | "thresholds"
            | "rxinfo"
            | "txinfo"
    )
}

#[cfg(test)]
mod tests;
