//! What the values of properties say, in the words of codecs: `alarm`, `NoLeak`, `2.4(low battery)`, `sensor fault recovered`.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::names::{How, Row, plain, words_of};
use crate::adapters::draft::Draft;
use crate::adapters::text;

/// Whether a value says yes or no: what measures, says neither, nor does the `on` of a heating or of a tap.
pub(super) fn is_said(kind: Kind, value: &Value) -> bool {
    let is_word = value.is_string() && text::number(value).is_none();
    let is_switch = matches!(kind, Kind::FireHeat | Kind::EnvWaterLeak);
    value.is_boolean() && kind != Kind::EnvWaterLeak
        || is_word && !(is_switch && is_one_of(value, &["on", "off"]))
}

/// Whether a charge is too low, where it says so in words; a bare yes says it, too.
pub(super) fn is_low(value: &Value) -> Option<bool> {
    if let Value::Bool(is) = value {
        return Some(*is);
    }
    let words = value.as_str()?.to_lowercase();
    if words
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word == "low")
    {
        return Some(true);
    }
    match words.trim() {
        // Nexelec Origin, Ezurio RS26x
        "critical" | "replace" | "empty" => return Some(true),
        "full" => return Some(false),
        _ => {}
    }
    is_there(value, "").filter(|is| !is && text::boolean(value).is_none())
}

/// Whether a detector is off its base: `Product removed from its based just now`, `Magnetic base detected`.
pub(super) fn is_off_base(value: &Value) -> Option<bool> {
    let words = value.as_str()?.to_lowercase();
    let has = |word: &str| words.contains(word);
    if has("never") {
        return None; // it has not been put up yet
    }
    if has("removed") || has("not detected") {
        return Some(true);
    }
    (has("detected") || has("installed")).then_some(false)
}

/// Whether it was tried: `Local smoke test was done`, `Smoke test off`.
pub(super) fn is_tried(value: &Value) -> Option<bool> {
    if let Some(is) = is_there(value, "test") {
        return Some(is);
    }
    let words = value.as_str()?.to_lowercase();
    let last = words.rsplit(|c: char| !c.is_alphanumeric()).next()?;
    match last {
        "done" => Some(!words.contains("not done")),
        "off" => Some(false),
        _ => None,
    }
}

/// Whether it speaks because it was tried: `TEST_BUTTON_PRESSED`, `testButtonPressed`, `Test Alarm Event`.
pub(super) fn is_of_a_test(value: &Value) -> bool {
    let words = words_of(value.as_str().unwrap_or_default());
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    has(&["test", "selftest"]) && has(&["button", "alarm", "event", "mode"])
}

/// Whether an alarm of its own is there: also at one end of what it watches.
pub(super) fn is_named_alarm(value: &Value) -> Option<bool> {
    if is_one_of(value, &["low", "high"]) {
        return Some(true);
    }
    is_there(value, "")
}

/// What happened in a word, of a tracker or a button.
pub(super) fn event(address: &str, class: DeviceClass, value: &Value) -> Option<Draft> {
    let words = value.as_str()?.trim().to_lowercase();
    let has = |known: &[&str]| {
        words
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| known.contains(&word))
    };
    let label = if has(&["sos", "panic"]) && !has(&["test", "exit"]) {
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
pub(super) fn is_there(value: &Value, name: &str) -> Option<bool> {
    if let Some(is) = text::boolean(value) {
        return Some(is);
    }
    if let Some(number) = text::integer(value) {
        let plain = plain(name);
        // Tuya's older detectors (`smoke_sensor_state`): "1" an alarm, "2" its end
        if number == 2 && value.is_string() && plain.ends_with("sensorstate") {
            return Some(false);
        }
        // a state of batteries counts its steps
        let is_state = !plain.contains("batter")
            && ["state", "status", "alarm"]
                .iter()
                .any(|end| plain.ends_with(end));
        return (is_state && (2..=10).contains(&number)).then_some(true);
    }
    let word = value.as_str()?.trim().to_lowercase();
    let is_of_tamper = || plain(name).contains("tamper");
    match word.as_str() {
        "alarm" | "alarming" | "alert" | "leak" | "leaking" | "leakage" | "trigger"
        | "triggered" | "detected" | "abnormal" | "warning" | "low" | "fault" | "failure"
        | "active" | "occupied" | "occupy" | "uninstall" | "uninstalled" | "removed"
        | "tampered" | "tamper" | "smoke" | "fire" | "motion" | "pir" | "presence" | "wet"
        | "pressed" | "pushed" | "报警" | "告警" | "火警" | "漏水" | "泄漏" | "触发" | "异常"
        | "故障" | "低电" => Some(true),
        "normal" | "ok" | "good" | "idle" | "inactive" | "none" | "clear" | "cleared"
        | "vacant" | "free" | "unoccupied" | "unoccupy" | "un-occupy" | "install" | "installed"
        | "dry" | "medium" | "high" | "untriggered" | "正常" | "恢复" | "未触发" => {
            Some(false)
        }
        // the contact of a lid
        "open" | "opened" if is_of_tamper() => Some(true),
        "close" | "closed" if is_of_tamper() => Some(false),
        sentence => said_at_length(sentence),
    }
}

/// Whether a condition is there, in the words of those who know no table.
pub(in crate::adapters) fn says(value: &Value) -> Option<bool> {
    is_there(value, "state")
}

pub(super) fn is_fire(kind: Kind) -> bool {
    kind.as_str().starts_with("fire.")
}

pub(super) fn is_one_of(value: &Value, words: &[&str]) -> bool {
    let word = value.as_str().map(|word| word.trim().to_lowercase());
    word.is_some_and(|word| words.contains(&word.as_str()))
}

pub(super) fn is_fault(value: &Value) -> bool {
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

/// Whether a sensor is broken: `Sensor fault`, `Sensor OK`, `check_failure`.
pub(super) fn is_broken(value: &Value) -> Option<bool> {
    const WELL: [&str; 6] = ["ok", "well", "normal", "success", "passed", "pass"];
    if is_fault(value) {
        return Some(true);
    }
    let words = value.as_str()?.to_lowercase();
    let last = words.rsplit(|c: char| !c.is_alphanumeric()).next()?;
    WELL.contains(&last).then_some(false)
}

/// What a detector whose state is a word says of itself: that it cannot see, or that it can.
pub(super) fn fault(
    address: &str,
    class: DeviceClass,
    row: Row,
    value: &Value,
    name: &str,
) -> Option<Draft> {
    let is = is_fault(value);
    // `Smoke sensor ok`
    let is_well = || {
        value
            .as_str()
            .is_some_and(|words| words.to_lowercase().ends_with(" ok"))
    };
    let is_known = is || value.is_string() && (is_there(value, name).is_some() || is_well());
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
pub(super) fn said_at_length(sentence: &str) -> Option<bool> {
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
    // `Water Present` (Radio Bridge)
    let is_present = has(&["present"]) && has(&["water", "smoke", "gas", "leak", "flame"]);
    // a smoke sensor that is ready senses none
    let is_of_device = has(&[
        "sensor", "detector", "door", "chamber", "panel", "battery", "fault", "failure", "online",
        "offline", "ready",
    ]);
    (is_alarm || is_present || has(&["smoke", "fire"]) && !is_of_device).then_some(true)
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
pub(super) fn is_burning(value: &Value) -> Option<bool> {
    let words = value.as_str()?.trim().to_lowercase();
    let rest = words.strip_prefix("burning alarm")?.trim();
    Some(!matches!(rest, "deactivation" | "release"))
}

pub(super) fn door(value: &Value, how: How) -> Option<&'static str> {
    let word = value.as_str().map(|word| word.trim().to_lowercase());
    match word.as_deref() {
        Some("open" | "opened" | "contacts opened" | "开" | "打开") => return Some("open"),
        Some("close" | "closed" | "contacts shorted" | "关" | "关闭") => return Some("closed"),
        _ if how == How::DoorWord => return None,
        _ => {}
    }
    let is_open = text::boolean(value)? == (how == How::Door);
    Some(if is_open { "open" } else { "closed" })
}

/// The state of a door in the event or the state that an object tells: `{"Event": "Open"}`.
pub(super) fn door_within(object: &Value, how: How) -> Option<&'static str> {
    let mut members = object.as_object()?.iter();
    members.find_map(|(name, value)| {
        let is_state = matches!(plain(name).as_str(), "event" | "state" | "status");
        door(value, how).filter(|_| is_state && value.is_string())
    })
}

/// `power off`, `sensor fault recovered`, `device invalid`; also a plain yes or no.
pub(super) fn sentence(address: &str, class: DeviceClass, value: &Value) -> Option<Draft> {
    if let Some(is) = text::boolean(value) {
        let draft = Draft::condition(address, class, Kind::DeviceAlarmInput, "alarm", is);
        return Some(draft.attr("label", "alarm").apart());
    }
    if is_one_of(value, &["sos", "sos alarm", "panic", "panic alarm"]) {
        return event(address, class, value);
    }
    let words = value.as_str()?.trim().to_lowercase();
    let (kind, property, is) = match words.as_str() {
        "power off" | "power down" | "ac power off" => (Kind::DevicePower, "mains", true),
        "power on" | "ac power on" => (Kind::DevicePower, "mains", false),
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
pub(super) fn smoke_event(address: &str, value: &Value) -> Vec<Draft> {
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
