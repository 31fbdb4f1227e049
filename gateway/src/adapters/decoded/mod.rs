//! What NB-IoT and `LoRaWAN` devices call their properties once a codec has decoded them: `smokeAlarm`, `smoke_state`, `gas_status`, `mounted`.
//!
//! One table for all platforms. Names are compared without case and punctuation, values in the words that codecs use (`alarm`, `leak`,
//! `trigger`, `open`, 0 and 1). Readings (temperature, battery voltage) are no news and make no drafts; what is in no row is ignored.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::Draft;
use super::{Reject, text};

/// Deepest object that is looked into.
const DEPTH_MAX: usize = 4;
/// Longest name of an alarm that is kept.
const LABEL_CHARS_MAX: usize = 64;
/// Most members that are looked at.
const MEMBERS_MAX: usize = 500;

/// A row of the table.
#[derive(Clone, Copy)]
struct Row {
    kind: Kind,
    /// The name of the property in memory.
    property: &'static str,
    /// How its value is read.
    how: How,
    /// A field that goes with the kind.
    attr: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The condition is there or not.
    Is,
    /// The opposite is there or not: `mounted`.
    IsNot,
    /// Open or closed; a bare true is open.
    Door,
    /// Open or closed; a bare true is closed, the circuit is.
    Contact,
    /// Open or closed in words; anything else is the state of something else.
    DoorWord,
    /// A measured voltage; of one that is too low it says so in words.
    Volts,
    /// A sentence about power and sensor.
    Sentence,
    /// The condition is there or not, in yes, no and words: a bare number measures.
    Bare,
    /// A charge; of one that is too low it says so in words.
    Charge,
    /// An alarm of which the table knows no more than its name.
    Named,
    /// The message types of smoke detectors in words.
    SmokeEvent,
    /// What happened in a word.
    Event,
    /// A threshold that is crossed is no fire; something burning is.
    Burning,
}

/// The drafts that an object's properties make, the most urgent first. `at` is the time of the message; a property may bring its own
/// (`{"value": 1, "time": 1700000000000}`).
pub fn drafts(address: &str, object: &Value, at: Option<&DeviceTime>) -> Vec<Draft> {
    let mut found = Found::default();
    found.walk(object, at, 0);
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
            (Some(own), Some(row)) if is_itself_the_alarm(row, name, own) => {
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
                    && is_itself_the_alarm(row, name, value) =>
            {
                push(row, Value::Bool(true));
                self.walk(value, at, depth + 1);
            }
            (None, Some(row)) if is_one(value) => push(row, value.clone()),
            (None, _) if !is_setting(name) => self.walk(value, at, depth + 1),
            _ => {}
        }
    }

    fn class(&self) -> DeviceClass {
        let of = |(row, ..): &(Row, Value, String, Option<DeviceTime>)| match row.kind {
            Kind::AccessDoorState => Some(DeviceClass::Access),
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
        for (mut row, value, name, at) in self.rows {
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
    members
        .iter()
        .filter(|(member, _)| STATES.contains(&plain(member).as_str()))
        .map(|(_, value)| value)
        .find(|value| is_there(value, name).is_some())
}

/// A state as what it says: a number in it is no measurement.
fn said(row: Row, state: &Value) -> Value {
    let is = is_there(state, "state").filter(|_| row.how == How::Bare && state.is_number());
    is.map_or_else(|| state.clone(), Value::Bool)
}

/// Whether an object tells by being there: an event that is called an alarm, with what was measured and without a state or settings.
fn is_itself_the_alarm(row: Row, name: &str, inner: &Value) -> bool {
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
    let called = plain(name);
    let is_called = called.ends_with("alarm") || called.ends_with("warning");
    let says_otherwise = members.iter().any(|(member, value)| {
        let member = plain(member);
        value.is_object()
            || value.is_array()
            || STATES.contains(&member.as_str())
            || SETTINGS.iter().any(|word| member.contains(word))
    });
    let tells = || drafts("", inner, None);
    is_called
        && matches!(row.how, How::Is | How::Named)
        && !says_otherwise
        && !tells().iter().any(|draft| draft.kind == row.kind)
}

/// The row of a member, where those beside it agree.
fn row_among(name: &str, members: &Map<String, Value>) -> Option<Row> {
    let mut row = row(name)?;
    let has = |name: &str| members.contains_key(name);
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
        // Netvox: volts, or `2.4(low battery)`
        How::Charge if members.get("Device").is_some_and(Value::is_string) => row.how = How::Volts,
        _ => {}
    }
    Some(row)
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

/// A name without case and punctuation.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(64)
        .collect()
}

/// What a name says without the words at its end that only say that it is a state: `smoke` of `smokealarmstatus`.
fn stem(plain: &str) -> &str {
    const ENDS: [&str; 9] = [
        "sensorstate",
        "status",
        "state",
        "alarm",
        "detected",
        "detection",
        "warning",
        "triggered",
        "report",
    ];
    let mut stem = plain;
    while let Some(shorter) = ENDS
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .filter(|shorter| !shorter.is_empty())
    {
        stem = shorter;
    }
    stem
}

/// `WaterLeak_2` without its number; `co2` keeps it.
fn unnumbered(name: &str) -> &str {
    let rest = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match rest.strip_suffix(['_', '-', ' ']) {
        Some(rest) if !rest.is_empty() && rest.len() + 1 < name.len() => rest,
        _ => name,
    }
}

fn row(name: &str) -> Option<Row> {
    use How::{
        Bare, Burning, Charge, Contact, Door, DoorWord, Event, Is, IsNot, Sentence, SmokeEvent,
        Volts,
    };
    let plain = plain(unnumbered(name));
    let stem = stem(&plain);
    let is_bare = stem.len() == plain.len();
    let (kind, property, how) = match stem {
        "smoke" | "smokesensor" | "smokedetector" => (Kind::FireSmoke, "smoke", Is),
        "fire" => (Kind::FireDetector, "fire", Is),
        // a boiler has heat, a meter counts gas
        "heat" if is_bare => (Kind::FireHeat, "heat", Bare),
        "gas" if is_bare => (Kind::FireGas, "gas", Bare),
        "co" if is_bare => (Kind::FireCo, "co", Bare),
        "heat" => (Kind::FireHeat, "heat", Is),
        // a detector of heat (Netvox RA02A); a threshold of a thermometer says `temperature`
        "hightemp" if plain.ends_with("alarm") => (Kind::FireHeat, "heat", Is),
        "temperature" if plain.ends_with("alarm") => (Kind::FireHeat, "burning", Burning),
        "gas" | "gasleak" | "gasleakage" | "combustiblegas" => (Kind::FireGas, "gas", Is),
        "carbonmonoxide" | "co" => (Kind::FireCo, "co", Is),
        "flame" => (Kind::FireFlame, "flame", Is),
        // a thermostat is `manual`, too
        "manual" if is_bare => return None,
        "callpoint" | "manualcallpoint" | "manual" => (Kind::FireManualCall, "call_point", Is),
        "water" if !is_bare => (Kind::EnvWaterLeak, "water_leak", Is),
        "waterleak" | "waterleakage" | "leak" | "leakage" | "flood" | "waterimmersion" => {
            (Kind::EnvWaterLeak, "water_leak", Is)
        }
        "tamper" | "temper" | "antitamper" | "dismantle" | "demolish" | "tamperproof"
        | "disassembled" | "toolongunmounted" | "shocktamper" => (Kind::DeviceTamper, "tamper", Is),
        "mounted" | "install" | "installed" => (Kind::DeviceTamper, "tamper", IsNot),
        "batterylow" | "lowbattery" | "lowpower" | "lowvoltage" | "batterylowvoltage" => {
            (Kind::DeviceBatteryLow, "battery_low", Is)
        }
        "battery" if !is_bare => (Kind::DeviceBatteryLow, "battery_low", Is),
        "battery" => (Kind::DeviceBatteryLow, "battery_low", Charge),
        // Netvox: `2.4(low battery)`
        "volt" => (Kind::DeviceBatteryLow, "battery_low", Volts),
        "poweroff" if !is_bare => (Kind::DevicePower, "mains", Is),
        "test" | "selftest" => (Kind::DeviceTest, "test", Is),
        "fault"
        | "trouble"
        | "malfunction"
        | "sensorfault"
        | "hardwarefault"
        | "smokechamberfailure"
        | "fouledsmokechamber"
        | "ultrasonicsensorfailure"
        | "infraredsensorfailure"
        | "buzzerfailure"
        | "obstacle"
        | "airinletcovered" => (Kind::DeviceFault, "fault", Is),
        "endoflife" => (Kind::DeviceEndOfLife, "end_of_life", Is),
        "pir" | "motion" | "human" => (Kind::CameraMotion, "motion", Is),
        "intrusion" | "intruder" | "burglar" | "burglary" => {
            (Kind::DeviceAlarmInput, "intrusion", Is)
        }
        "sos" | "panic" | "emergency" | "sosbutton" | "panicbutton" | "emergencybutton" => {
            (Kind::DeviceAlarmInput, "panic", Is)
        }
        "duress" => (Kind::DeviceAlarmInput, "duress", Is),
        "glassbreak" | "glassbreakage" => (Kind::DeviceAlarmInput, "glass_break", Is),
        "vibration" if is_bare => (Kind::DeviceAlarmInput, "vibration", Bare),
        "vibration" => (Kind::DeviceAlarmInput, "vibration", Is),
        "magnet" | "door" | "dooropen" | "window" | "reed" | "doorcontact" | "magnetic" => {
            (Kind::AccessDoorState, "contact", Door)
        }
        "contact" => (Kind::AccessDoorState, "contact", Contact),
        "state" => (Kind::AccessDoorState, "contact", DoorWord),
        "alarm" => (Kind::DeviceAlarmInput, "alarm", Sentence),
        "event" => (Kind::FireSmoke, "smoke", SmokeEvent),
        "eventname" => (Kind::DeviceAlarmInput, "event", Event),
        _ => other_alarm(unnumbered(name))?,
    };
    let attr = match kind {
        Kind::CameraMotion => Some(("sensor", "pir")),
        Kind::DeviceAlarmInput => Some(("label", property)),
        Kind::DevicePower => Some(("supply", property)),
        _ => None,
    };
    Some(Row {
        kind,
        property,
        how,
        attr,
    })
}

/// An alarm that is called otherwise than in the table: one of smoke or fire by its last word, else one of its own.
fn other_alarm(name: &str) -> Option<(Kind, &'static str, How)> {
    /// Beside these words a member is a setting, a test or the past.
    const NO_ALARM: [&str; 22] = [
        "no", "non", "not", "false", "test", "testing", "enable", "enabled", "disable", "disabled",
        "mute", "muted", "silence", "silenced", "stop", "clear", "cleared", "reset", "last", "set",
        "config", "count",
    ];
    // of two levels the last one is asked by itself
    if name.contains('/') {
        return None;
    }
    let words = words_of(name);
    let (last, before) = words
        .split_last()
        .filter(|(_, before)| !before.is_empty())?;
    let has = |known: &[&str]| before.iter().any(|word| known.contains(&word.as_str()));
    if last != "alarm" || has(&NO_ALARM) {
        return None;
    }
    let is_early = has(&["pre", "low"]);
    Some(match before.last().map(String::as_str) {
        // Netvox RA02G: `IncenseSmokeAlarm`
        Some("smoke") if !is_early => (Kind::FireSmoke, "smoke", How::Is),
        Some("fire") if !is_early => (Kind::FireDetector, "fire", How::Is),
        _ => (Kind::DeviceAlarmInput, "alarm", How::Named),
    })
}

/// `IncenseSmokeAlarm` → incense, smoke, alarm.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    let mut is_new = true;
    for c in name.chars().take(64) {
        is_new |= !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        was_lower = c.is_lowercase() || c.is_numeric();
        if !c.is_alphanumeric() {
            continue;
        }
        if is_new {
            words.push(String::new());
            is_new = false;
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Whether a value says yes or no: what measures, says neither, nor does the `on` of a heating.
fn is_said(kind: Kind, value: &Value) -> bool {
    let is_word = value.is_string() && text::number(value).is_none();
    value.is_boolean() || is_word && !(kind == Kind::FireHeat && is_one_of(value, &["on", "off"]))
}

/// Whether a charge is too low, where it says so in words.
fn is_low(value: &Value) -> Option<bool> {
    let words = value.as_str()?.to_lowercase();
    if words
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word == "low")
    {
        return Some(true);
    }
    is_there(value, "").filter(|is| !is && text::boolean(value).is_none())
}

/// Whether an alarm of its own is there: also at one end of what it watches.
fn is_named_alarm(value: &Value) -> Option<bool> {
    if is_one_of(value, &["low", "high"]) {
        return Some(true);
    }
    is_there(value, "")
}

/// What happened in a word, of a tracker or a button.
fn event(address: &str, class: DeviceClass, value: &Value) -> Option<Draft> {
    let words = value.as_str()?.trim().to_lowercase();
    let has = |known: &[&str]| {
        words
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| known.contains(&word))
    };
    let label = if has(&["sos", "panic"]) && !has(&["test"]) {
        "panic"
    } else if words == "alarm" {
        "alarm"
    } else {
        return None;
    };
    let draft = Draft::new(address, class, Kind::DeviceAlarmInput, Phase::Instant);
    (said_at_length(&words) != Some(false)).then(|| draft.attr("label", label))
}

/// Whether a condition is there, in the words of codecs. Numbers above 1 only where the name says that it is a state.
fn is_there(value: &Value, name: &str) -> Option<bool> {
    if let Some(is) = text::boolean(value) {
        return Some(is);
    }
    if let Some(number) = text::integer(value) {
        let plain = plain(name);
        // a state of batteries counts its steps
        let is_state = !plain.contains("batter")
            && ["state", "status", "alarm"]
                .iter()
                .any(|end| plain.ends_with(end));
        return (is_state && (2..=10).contains(&number)).then_some(true);
    }
    let word = value.as_str()?.trim().to_lowercase();
    match word.as_str() {
        "alarm" | "alarming" | "alert" | "leak" | "leaking" | "leakage" | "trigger"
        | "triggered" | "detected" | "abnormal" | "warning" | "low" | "fault" | "failure"
        | "active" | "occupied" | "uninstalled" | "removed" | "tampered" | "tamper" | "smoke"
        | "fire" | "motion" | "wet" | "报警" | "告警" | "火警" | "异常" | "故障" | "低电" => {
            Some(true)
        }
        "normal" | "ok" | "good" | "idle" | "inactive" | "none" | "clear" | "cleared"
        | "vacant" | "installed" | "dry" | "medium" | "high" | "untriggered" | "正常" => {
            Some(false)
        }
        sentence => said_at_length(sentence),
    }
}

/// Whether a condition is there, in the words of those who know no table.
pub(super) fn says(value: &Value) -> Option<bool> {
    is_there(value, "state")
}

fn is_fire(kind: Kind) -> bool {
    kind.as_str().starts_with("fire.")
}

fn is_one_of(value: &Value, words: &[&str]) -> bool {
    let word = value.as_str().map(|word| word.trim().to_lowercase());
    word.is_some_and(|word| words.contains(&word.as_str()))
}

fn is_fault(value: &Value) -> bool {
    let Some(words) = value.as_str().map(str::to_lowercase) else {
        return false;
    };
    let has = |known: &[&str]| {
        words
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| known.contains(&word))
    };
    // an alarm is never taken for a fault
    has(&["fault", "failure", "trouble", "malfunction", "故障"])
        && !has(&["alarm", "alarming", "alert", "detected", "triggered"])
        && said_at_length(&words) != Some(false)
}

/// What a detector whose state is a word says of itself: that it cannot see, or that it can.
fn fault(address: &str, class: DeviceClass, row: Row, value: &Value, name: &str) -> Option<Draft> {
    let is = is_fault(value);
    let is_known = is || value.is_string() && is_there(value, name).is_some();
    let mut property = plain(name);
    // what it senses is another property
    if property == row.property {
        property.push_str("fault");
    }
    let draft = || Draft::condition(address, class, Kind::FireFault, &property, is);
    is_known.then(|| draft().attr("fault", name).apart())
}

/// Words that say that it is over, wherever they stand.
const OVER: [&str; 15] = [
    "clear",
    "cleared",
    "normal",
    "release",
    "released",
    "recover",
    "recovered",
    "deactivation",
    "deactivated",
    "inactive",
    "dismissed",
    "end",
    "ended",
    "cancelled",
    "canceled",
];
/// Words that say so at the end only: `alarm off`, not `power off alarm`; `alarm over`, not `over limit`.
const OVER_AT_END: [&str; 6] = ["off", "over", "stopped", "reset", "restored", "lifted"];
/// Words that say that nothing burns, and nothing of whether it did: somebody tries it, or has made it quiet.
const NOTHING: [&str; 9] = [
    "test", "testing", "drill", "exercise", "silence", "silenced", "mute", "muted", "hushed",
];

/// `smoke alarm`, `smoke alarm cleared`, `no smoke detected`; none where no word of it is known, or where it is a test.
fn said_at_length(sentence: &str) -> Option<bool> {
    let mut words: Vec<&str> = Vec::new();
    let (mut denies, mut is_denied) = (false, false);
    let is_over = |word: &str| OVER.contains(&word) || OVER_AT_END.contains(&word);
    for word in sentence.split(|c: char| !c.is_alphanumeric()) {
        match word {
            "" => {}
            "no" | "not" | "non" => denies = true,
            "a" | "an" | "any" | "been" | "yet" | "longer" if denies => {}
            _ if denies => {
                denies = false;
                if is_over(word) {
                    words.push("alarm"); // not cleared
                } else if !NOTHING.contains(&word) {
                    is_denied = true;
                }
            }
            _ if is_joined_to_no(word) => is_denied = true,
            _ => words.push(word),
        }
    }
    let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
    if has(&NOTHING) {
        return None;
    }
    let is_at_end = words.last().is_some_and(|last| OVER_AT_END.contains(last));
    if is_denied || denies || is_at_end || has(&OVER) {
        return Some(false);
    }
    let is_alarm = has(&[
        "alarm",
        "alarming",
        "alert",
        "trigger",
        "triggered",
        "detected",
        "leak",
        "leaking",
    ]);
    // a smoke sensor that is ready senses none
    let is_of_device = has(&[
        "sensor", "detector", "door", "chamber", "panel", "battery", "fault", "failure", "online",
        "offline", "ready",
    ]);
    (is_alarm || has(&["smoke", "fire"]) && !is_of_device).then_some(true)
}

/// `NoLeak`, as codecs of Netvox write it.
fn is_joined_to_no(word: &str) -> bool {
    let rest = word.strip_prefix("no").unwrap_or_default();
    let rest = rest.strip_prefix('n').unwrap_or(rest);
    matches!(
        rest,
        "leak" | "smoke" | "alarm" | "fire" | "gas" | "motion" | "flame" | "water" | "heat"
    )
}

/// `burning alarm trigger`, of a vape detector (Milesight GS601) in a fire.
fn is_burning(value: &Value) -> Option<bool> {
    let words = value.as_str()?.trim().to_lowercase();
    let rest = words.strip_prefix("burning alarm")?.trim();
    Some(!matches!(rest, "deactivation" | "release"))
}

fn door(value: &Value, how: How) -> Option<&'static str> {
    let word = value.as_str().map(|word| word.trim().to_lowercase());
    match word.as_deref() {
        Some("open" | "opened" | "开" | "打开") => return Some("open"),
        Some("close" | "closed" | "关" | "关闭") => return Some("closed"),
        _ if how == How::DoorWord => return None,
        _ => {}
    }
    let is_open = text::boolean(value)? == (how == How::Door);
    Some(if is_open { "open" } else { "closed" })
}

/// `power off`, `sensor fault recovered`, `device invalid`; also a plain yes or no.
fn sentence(address: &str, class: DeviceClass, value: &Value) -> Option<Draft> {
    if let Some(is) = text::boolean(value) {
        let draft = Draft::condition(address, class, Kind::DeviceAlarmInput, "alarm", is);
        return Some(draft.attr("label", "alarm").apart());
    }
    let words = value.as_str()?.trim().to_lowercase();
    let (kind, property, is) = match words.as_str() {
        "power off" | "power down" => (Kind::DevicePower, "mains", true),
        "power on" => (Kind::DevicePower, "mains", false),
        _ if is_fault(value) => (Kind::DeviceFault, "sensor", true),
        "sensor fault recovered" | "sensor recover" => (Kind::DeviceFault, "sensor", false),
        "sensor will be invalid soon"
        | "sensor about to fail"
        | "device invalid"
        | "sensor failed" => (Kind::DeviceEndOfLife, "end_of_life", true),
        _ => {
            let is = is_there(value, "alarm")?;
            let (kind, property) = if words.contains("smoke") {
                (Kind::FireSmoke, "smoke")
            } else if words.contains("fire") {
                (Kind::FireDetector, "fire")
            } else {
                let kind = Kind::DeviceAlarmInput;
                let draft = Draft::condition(address, class, kind, "alarm", is);
                return Some(draft.attr("label", "alarm").apart());
            };
            (kind, property, is)
        }
    };
    let draft = Draft::condition(address, class, kind, property, is);
    Some(match kind {
        Kind::DevicePower => draft.attr("supply", property),
        Kind::DeviceFault => draft.attr("fault", property).apart(),
        _ => draft,
    })
}

/// The message types of a family of smoke detectors (力安, sold by Milesight as GS524N) by their words.
fn smoke_event(address: &str, value: &Value) -> Vec<Draft> {
    let words = value.as_str().unwrap_or_default().trim().to_lowercase();
    let code = match words.as_str() {
        "alarm" => 1,
        "silent" => 2,
        "low battery" => 4,
        "failover" | "fault" => 5,
        "normal" => 7,
        "removed" => 10,
        "installed" => 11,
        "testing alarm with normal battery" => 14,
        "testing alarm with low battery" => 15,
        _ => return Vec::new(),
    };
    smoke_code(address, code)
}

/// The message types of that family by their numbers (`Alarm_Status` of the NB-IoT detector).
pub fn smoke_code(address: &str, code: i64) -> Vec<Draft> {
    let condition =
        |kind, property, is| Draft::condition(address, DeviceClass::FireSensor, kind, property, is);
    let smoke = |is| condition(Kind::FireSmoke, "smoke", is);
    let battery = |is| condition(Kind::DeviceBatteryLow, "battery_low", is);
    let tamper = |is| condition(Kind::DeviceTamper, "tamper", is);
    let test = |is| condition(Kind::DeviceTest, "test", is);
    let fault = |is| condition(Kind::DeviceFault, "fault", is);
    match code {
        1 => vec![smoke(true)],
        2 | 8 | 9 => {
            let silenced = Draft::new(
                address,
                DeviceClass::FireSensor,
                Kind::FireSilenced,
                Phase::Instant,
            );
            vec![silenced]
        }
        4 => vec![battery(true)],
        5 | 6 | 13 => vec![fault(true)],
        7 => vec![smoke(false), battery(false), test(false), fault(false)],
        10 => vec![tamper(true)],
        11 => vec![tamper(false)],
        12 => {
            let online = Draft::new(
                address,
                DeviceClass::FireSensor,
                Kind::DeviceOnline,
                Phase::Updated,
            );
            vec![online.edge("online", true)]
        }
        14 => vec![test(true)],
        15 => vec![test(true), battery(true)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
