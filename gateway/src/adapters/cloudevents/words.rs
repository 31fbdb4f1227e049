//! What the types of other senders mean, by their words: `com.acme.building.smoke-detected`, `org.acme.SmokeCleared`.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use crate::adapters::draft::{Draft, Told};
use crate::adapters::{decoded, text};

/// Words that all have to be there; the first line that fits counts.
const KINDS: &[(&[&str], Kind, DeviceClass)] = &[
    (&["smoke"], Kind::FireSmoke, DeviceClass::FireSensor),
    (
        &["carbon", "monoxide"],
        Kind::FireCo,
        DeviceClass::FireSensor,
    ),
    (&["gas"], Kind::FireGas, DeviceClass::FireSensor),
    (&["heat"], Kind::FireHeat, DeviceClass::FireSensor),
    (&["flame"], Kind::FireFlame, DeviceClass::FireSensor),
    (&["fire", "fault"], Kind::FireFault, DeviceClass::Panel),
    (&["fire"], Kind::FireDetector, DeviceClass::FireSensor),
    (
        &["water", "leak"],
        Kind::EnvWaterLeak,
        DeviceClass::FireSensor,
    ),
    (&["flood"], Kind::EnvWaterLeak, DeviceClass::FireSensor),
    (
        &["glass", "break"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
    ),
    (
        &["glass", "broken"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
    ),
    (&["duress"], Kind::AccessDuress, DeviceClass::Access),
    (&["panic"], Kind::DeviceAlarmInput, DeviceClass::FireSensor),
    (
        &["emergency", "button"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
    ),
    (&["burglar"], Kind::DeviceAlarmInput, DeviceClass::Panel),
    (&["burglary"], Kind::DeviceAlarmInput, DeviceClass::Panel),
    (
        &["call", "point"],
        Kind::FireManualCall,
        DeviceClass::FireSensor,
    ),
    (&["sos"], Kind::DeviceAlarmInput, DeviceClass::FireSensor),
    (
        &["battery", "low"],
        Kind::DeviceBatteryLow,
        DeviceClass::Gateway,
    ),
    (
        &["access", "granted"],
        Kind::AccessGranted,
        DeviceClass::Access,
    ),
    (
        &["access", "denied"],
        Kind::AccessDenied,
        DeviceClass::Access,
    ),
    (
        &["door", "forced"],
        Kind::AccessForcedOpen,
        DeviceClass::Access,
    ),
    (&["door", "held"], Kind::AccessHeldOpen, DeviceClass::Access),
    (&["door", "ajar"], Kind::AccessHeldOpen, DeviceClass::Access),
    (
        &["camera", "tamper"],
        Kind::CameraTamper,
        DeviceClass::Camera,
    ),
    (&["tamper"], Kind::DeviceTamper, DeviceClass::Gateway),
    (&["intrusion"], Kind::CameraIntrusion, DeviceClass::Camera),
    (&["loitering"], Kind::CameraLoiter, DeviceClass::Camera),
    (&["motion"], Kind::CameraMotion, DeviceClass::Camera),
    (
        &["person", "detected"],
        Kind::CameraObject,
        DeviceClass::Camera,
    ),
    (
        &["line", "cross"],
        Kind::CameraLineCross,
        DeviceClass::Camera,
    ),
    (
        &["line", "crossed"],
        Kind::CameraLineCross,
        DeviceClass::Camera,
    ),
    (
        &["line", "crossing"],
        Kind::CameraLineCross,
        DeviceClass::Camera,
    ),
    (
        &["video", "loss"],
        Kind::CameraVideoLoss,
        DeviceClass::Camera,
    ),
    (
        &["device", "offline"],
        Kind::DeviceOffline,
        DeviceClass::Gateway,
    ),
    (
        &["device", "disconnected"],
        Kind::DeviceOffline,
        DeviceClass::Gateway,
    ),
    (
        &["device", "online"],
        Kind::DeviceOnline,
        DeviceClass::Gateway,
    ),
    (
        &["device", "connected"],
        Kind::DeviceOnline,
        DeviceClass::Gateway,
    ),
    (
        &["power", "failure"],
        Kind::DevicePower,
        DeviceClass::Gateway,
    ),
    (
        &["power", "outage"],
        Kind::DevicePower,
        DeviceClass::Gateway,
    ),
    (
        &["power", "restored"],
        Kind::DevicePower,
        DeviceClass::Gateway,
    ),
    (&["plate"], Kind::VehiclePlateRead, DeviceClass::Barrier),
    // where the data has a plate
    (&["anpr"], Kind::VehiclePlateRead, DeviceClass::Barrier),
    (&["lpr"], Kind::VehiclePlateRead, DeviceClass::Barrier),
    (
        &["vehicle", "entered"],
        Kind::VehiclePlateRead,
        DeviceClass::Barrier,
    ),
    (
        &["vehicle", "exited"],
        Kind::VehiclePlateRead,
        DeviceClass::Barrier,
    ),
];

/// Last words that are about the device itself, whatever it detects: `smoke-detector.offline`.
const OF_DEVICE: &[(&str, Kind)] = &[
    ("offline", Kind::DeviceOffline),
    ("disconnected", Kind::DeviceOffline),
    ("online", Kind::DeviceOnline),
    ("connected", Kind::DeviceOnline),
    ("fault", Kind::DeviceFault),
    ("failure", Kind::DeviceFault),
    ("tamper", Kind::DeviceTamper),
    ("tampered", Kind::DeviceTamper),
];

/// What opens and closes, what it is then, whose it is, and the words that it is told in.
const STATES: &[(&str, &str, Kind, DeviceClass)] = &[
    ("door", "open", Kind::AccessDoorState, DeviceClass::Access),
    ("door", "closed", Kind::AccessDoorState, DeviceClass::Access),
    (
        "door",
        "unlocked",
        Kind::AccessLockState,
        DeviceClass::Access,
    ),
    ("door", "locked", Kind::AccessLockState, DeviceClass::Access),
    (
        "lock",
        "unlocked",
        Kind::AccessLockState,
        DeviceClass::Access,
    ),
    ("lock", "locked", Kind::AccessLockState, DeviceClass::Access),
    ("barrier", "open", Kind::BarrierState, DeviceClass::Barrier),
    (
        "barrier",
        "closed",
        Kind::BarrierState,
        DeviceClass::Barrier,
    ),
];

/// Words that say that it is over.
const OVER: &[&str] = &[
    "cleared",
    "clear",
    "ended",
    "end",
    "resolved",
    "restored",
    "stopped",
    "normal",
    "off",
    "recovered",
    "inactive",
    "deactivated",
    "released",
    "reset",
    "cancelled",
    "canceled",
    "lifted",
];

/// Words behind what is sensed of something that is done with the device or tried, whatever the data says: nothing burns for that.
const DONE: &[&str] = &[
    "test",
    "drill",
    "false",
    "installed",
    "inspected",
    "generated",
    "completed",
    "commissioned",
    "calibrated",
    "serviced",
    "replaced",
    "scheduled",
];

/// Words right behind `fire`, `heat`, `gas` and the like that make another thing of it: `fire-door`, `heat-map`.
const THINGS: &[&str] = &[
    "door",
    "extinguisher",
    "hydrant",
    "exit",
    "escape",
    "place",
    "wall",
    "map",
    "station",
    "pump",
    "meter",
    "light",
    "gate",
];

/// Words that say that a detector was made quiet.
const SILENCED: &[&str] = &["silenced", "muted", "hushed"];

/// Words of what is measured or made known, not of what has happened.
const NO_NEWS: &[&str] = &[
    "reading",
    "measurement",
    "telemetry",
    "report",
    "config",
    "created",
    "updated",
    "deleted",
    "heartbeat",
    "registered",
    "acknowledged",
    "value",
    "meter",
    "pump",
];

/// Members of the data that say whether it is so, where the type does not.
const TRUTHS: &[&str] = &[
    "active", "alarm", "detected", "state", "status", "smoke", "fire", "gas", "heat",
];

/// Words that say that it has begun: then `state` and `status` are those of something else.
const BEGUN: &[&str] = &["detected", "raised", "triggered", "started"];

/// Most of what data tell besides their type.
const DRAFTS_MAX: usize = 8;

/// Members of the data that are taken over, as they are named.
const MEMBERS: &[&str] = &[
    "description",
    "zone",
    "sensor",
    "level",
    "unit",
    "label",
    "confidence",
    "door",
    "direction",
    "lane",
    "reason",
];

pub(super) fn draft(
    kind: &str,
    address: &str,
    subject: Option<&str>,
    data: &Value,
) -> Option<Draft> {
    let words = words_of(kind);
    let has = |word: &&str| {
        words
            .iter()
            .any(|has| has == word || has.strip_suffix('s') == Some(word))
    };
    if let Some(draft) = state(&words, address) {
        return Some(draft);
    }
    let (kind, class) = &meant(&words, &has).or_else(|| meant_by_data(&words, data))?;
    // a name space may have such words, too
    let behind = behind(&words);
    let has_behind = |known: &[&str]| behind.iter().any(|word| known.contains(&word.as_str()));
    let is_of_fire = kind.as_str().starts_with("fire.") && *kind != Kind::FireFault;
    if is_of_fire || *kind == Kind::EnvWaterLeak {
        if behind
            .first()
            .is_some_and(|word| THINGS.contains(&word.as_str()))
            || has_behind(DONE)
        {
            return None;
        }
        if has_behind(SILENCED) {
            let (kind, phase) = (Kind::FireSilenced, Phase::Instant);
            return is_of_fire.then(|| Draft::new(address, *class, kind, phase));
        }
    }
    let truths = if BEGUN.iter().any(&has) {
        &TRUTHS[..3]
    } else {
        TRUTHS
    };
    let said = truths
        .iter()
        .find_map(|name| decoded::says(data.get(name)?));
    if said.is_none() && NO_NEWS.iter().any(&has) {
        return None;
    }
    let is_over = has_behind(OVER) || OVER.iter().any(&has) && !BEGUN.iter().any(&has);
    let is_there = said.unwrap_or(true) && !is_over;
    let draft = match kind {
        Kind::VehiclePlateRead => {
            let names = ["plate", "plate_number", "licensePlate", "license_plate"];
            let plate = text::first(data, &names)?.as_str()?;
            Draft::new(address, *class, *kind, Phase::Instant).plate(plate)
        }
        Kind::AccessGranted | Kind::AccessDenied => {
            let card =
                text::first(data, &["card", "card_number", "cardNumber"]).and_then(text::word);
            Draft::new(address, *class, *kind, Phase::Instant).credential(&card.unwrap_or_default())
        }
        // each time anew: nothing says that it is over
        Kind::DeviceAlarmInput | Kind::AccessDuress if !is_there => return None,
        Kind::DeviceAlarmInput => {
            Draft::new(address, *class, *kind, Phase::Instant).attr("sensor", sensor(&has))
        }
        Kind::CameraObject => {
            Draft::new(address, *class, *kind, Phase::Instant).attr("label", "person")
        }
        Kind::AccessDuress | Kind::CameraLineCross => {
            Draft::new(address, *class, *kind, Phase::Instant)
        }
        Kind::DeviceOnline => Draft::new(address, *class, *kind, Phase::Updated),
        Kind::DeviceOffline => Draft::new(address, *class, *kind, Phase::Raised),
        _ => {
            let mut draft = Draft::condition(address, *class, *kind, kind.as_str(), is_there);
            draft.component = subject.map(|subject| text::clip(subject, 64));
            draft.told(Told::Change)
        }
    };
    let test = has(&"test").then_some(true);
    let draft = MEMBERS.iter().fold(draft, |draft, member| {
        let value = match data.get(member) {
            Some(Value::String(word)) => text::clip(word, 200).into(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.clone(),
            _ => Value::Null,
        };
        draft.attr(member, value)
    });
    Some(draft.attr("test", test))
}

/// What the data tell of a fire or a leak where the type says nothing of any of it: `com.dapr.event.sent`.
pub(super) fn drafts_of_data(kind: &str, address: &str, data: &Value) -> Vec<Draft> {
    let words = words_of(kind);
    let has = |word: &&str| words.iter().any(|has| has == word);
    let is_told = meant(&words, &has).is_some() || DONE.iter().any(&has);
    // Event Grid has what the device said one below
    let data = data
        .get("body")
        .filter(|body| body.is_object())
        .unwrap_or(data);
    let Some(members) = data.as_object().filter(|_| !is_told) else {
        return Vec::new();
    };
    let told = members
        .iter()
        .filter(|(_, value)| !value.is_object() && !value.is_array())
        .flat_map(|(name, _)| decoded::member_drafts(address, name, members, None));
    let is_grave = |draft: &Draft| match draft.kind {
        Kind::FireHeat | Kind::FireFault => false,
        kind => kind == Kind::EnvWaterLeak || kind.as_str().starts_with("fire."),
    };
    told.filter(is_grave).take(DRAFTS_MAX).collect()
}

/// What was pressed or broke.
fn sensor(has: &dyn Fn(&&str) -> bool) -> &'static str {
    if has(&"glass") {
        "glass_break"
    } else if has(&"sos") {
        "sos"
    } else if has(&"burglar") || has(&"burglary") {
        "intrusion"
    } else {
        "panic"
    }
}

/// The state that the last two words of a type tell: `door.opened`, `DoorClosed`.
fn state(words: &[String], address: &str) -> Option<Draft> {
    let mut words = words.iter().rev().filter(|word| !is_version(word));
    let (word, thing) = (words.next()?, words.next()?.as_str());
    // a gate may be one of quality, too
    let is_of_cars = words.any(|word| ["parking", "vehicle", "car"].contains(&word.as_str()));
    let thing = if thing == "gate" && is_of_cars {
        "barrier"
    } else {
        thing
    };
    let state = match word.as_str() {
        "open" | "opened" => "open",
        "close" | "closed" => "closed",
        "lock" | "locked" => "locked",
        "unlock" | "unlocked" => "unlocked",
        _ => return None,
    };
    let (_, state, kind, class) = STATES
        .iter()
        .find(|(of, is, ..)| *of == thing && *is == state)?;
    // a fire door that is open burns no more than another
    let draft = Draft::new(address, *class, *kind, Phase::Updated);
    Some(draft.attr("state", *state).edge("state", state))
}

/// An alarm whose type leaves it to its data what it is about: `{"alarmType": "FIRE"}`.
fn meant_by_data(words: &[String], data: &Value) -> Option<(Kind, DeviceClass)> {
    const NAMES: [&str; 9] = [
        "alarmType",
        "alarm_type",
        "alertType",
        "alert_type",
        "type",
        "category",
        "kind",
        "sensorType",
        "sensor_type",
    ];
    if !is_of_an_alarm(words) {
        return None;
    }
    let word = NAMES.iter().find_map(|name| data.get(name)?.as_str())?;
    let told = words_of(word);
    let has = |word: &&str| told.iter().any(|has| has == word);
    let known = meant(&told, &has)?;
    let is_alarm = known.0.as_str().starts_with("fire.")
        || matches!(
            known.0,
            Kind::EnvWaterLeak
                | Kind::CameraIntrusion
                | Kind::DeviceTamper
                | Kind::DeviceAlarmInput
        );
    is_alarm.then_some(known)
}

fn is_of_an_alarm(words: &[String]) -> bool {
    words.iter().any(|word| word == "alarm" || word == "alert")
}

/// Whether a type says that an alarm has begun, and not of what: `alarm.raised`. One that was armed, tried or made known is none.
pub(super) fn is_untold_alarm(kind: &str) -> bool {
    const LAST: [&str; 5] = ["alarm", "alert", "activated", "active", "firing"];
    let words = words_of(kind);
    let has = |word: &&str| words.iter().any(|has| has == word);
    let last = words.iter().rev().find(|word| !is_version(word));
    let begins = last.is_some_and(|last| {
        let is = |known: &[&str]| known.contains(&last.as_str());
        is(&LAST) || is(BEGUN)
    });
    begins && is_of_an_alarm(&words) && meant(&words, &has).is_none()
}

/// Carbon monoxide by its short name, which hosts have, too.
const CO: &(&[&str], Kind, DeviceClass) = &(&["co"], Kind::FireCo, DeviceClass::FireSensor);

/// The words behind the last one that says what burns or leaks; all of them where none says so.
fn behind(words: &[String]) -> &[String] {
    const SENSED: [&str; 10] = [
        "smoke", "monoxide", "co", "gas", "heat", "flame", "fire", "water", "leak", "flood",
    ];
    let is_sensed = |word: &String| SENSED.contains(&word.as_str());
    let last = words.iter().rposition(is_sensed).map(|at| at + 1);
    words.get(last.unwrap_or_default()..).unwrap_or_default()
}

/// Carbon monoxide, where it is no part of a host's name: `co.detected`, not `uk.co.acme`.
fn is_of_co(words: &[String]) -> bool {
    const BEHIND: [&str; 6] = ["alarm", "detected", "detector", "leak", "cleared", "raised"];
    let mut pairs = words.windows(2).enumerate();
    pairs.any(|(at, pair)| {
        let is_host = at == 1 && words.first().is_some_and(|country| country.len() == 2);
        matches!(pair, [co, next] if co == "co" && BEHIND.contains(&next.as_str())) && !is_host
    })
}

/// Water that leaks, by itself.
const LEAK: &(&[&str], Kind, DeviceClass) =
    &(&["leak"], Kind::EnvWaterLeak, DeviceClass::FireSensor);

/// Whether something leaks that is no memory and no secret: `leak.detected`, `leak-sensor.alarm`.
fn is_of_leak(words: &[String]) -> bool {
    const BEHIND: [&str; 6] = [
        "alarm", "detected", "detector", "sensor", "cleared", "raised",
    ];
    const OTHERS: [&str; 8] = [
        "memory",
        "data",
        "secret",
        "credential",
        "key",
        "connection",
        "resource",
        "password",
    ];
    let is_other = |word: &String| OTHERS.contains(&word.trim_end_matches('s'));
    let mut pairs = words.windows(2);
    !words.iter().any(is_other)
        && pairs.any(|pair| {
            matches!(pair, [leak, next] if leak == "leak" && BEHIND.contains(&next.as_str()))
        })
}

/// `v2`.
fn is_version(word: &str) -> bool {
    let digits = word.strip_prefix('v').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// What the words are about.
fn meant(words: &[String], has: &dyn Fn(&&str) -> bool) -> Option<(Kind, DeviceClass)> {
    let known = KINDS.iter().find(|(all, _, _)| all.iter().all(has));
    let known = known.or_else(|| is_of_co(words).then_some(CO));
    let known = known.or_else(|| is_of_leak(words).then_some(LEAK));
    let last = words.iter().rev().find(|word| !is_version(word))?;
    let of_device = OF_DEVICE.iter().find(|(word, _)| last == word);
    match (of_device, known) {
        (_, Some((_, kind @ (Kind::CameraTamper | Kind::DevicePower), class))) => {
            Some((*kind, *class))
        }
        (Some((_, kind)), Some((_, known, class))) => match kind {
            Kind::DeviceFault if known.as_str().starts_with("fire.") => {
                Some((Kind::FireFault, *class))
            }
            kind => Some((*kind, *class)),
        },
        (None, Some(_)) if has(&"battery") && has(&"low") => {
            Some((Kind::DeviceBatteryLow, DeviceClass::Gateway))
        }
        (_, Some((_, kind, class))) => Some((*kind, *class)),
        (_, None) => None,
    }
}

/// `com.acme.SmokeDetected` → com, acme, smoke, detected.
fn words_of(kind: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in kind.chars().take(200) {
        let is_new = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if is_new && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_its_words() {
        let of = |kind: &str| {
            draft(kind, "a", None, &Value::Null).map(|draft| (draft.kind, draft.phase))
        };
        assert_eq!(
            of("com.acme.SmokeDetected"),
            Some((Kind::FireSmoke, Phase::Raised))
        );
        assert_eq!(
            of("com.acme.smoke-cleared.v2"),
            Some((Kind::FireSmoke, Phase::Cleared))
        );
        assert_eq!(
            of("acme_access_denied"),
            Some((Kind::AccessDenied, Phase::Instant))
        );
        for (kind, want) in [
            ("com.acme.smoke-detector.offline", Kind::DeviceOffline),
            ("com.acme.smoke-detector.online.v2", Kind::DeviceOnline),
            (
                "com.acme.smoke-detector.battery-low",
                Kind::DeviceBatteryLow,
            ),
            ("com.acme.smoke_detector.tamper", Kind::DeviceTamper),
            ("com.acme.smoke-detector.fault", Kind::FireFault),
            ("com.connected-home.smoke.detected", Kind::FireSmoke),
            ("com.acme.camera.tamper", Kind::CameraTamper),
        ] {
            assert_eq!(of(kind).map(|(kind, _)| kind), Some(want), "{kind}");
        }
        for kind in [
            "com.acme.smoke-detector.heartbeat",
            "com.acme.gas.meter.value",
        ] {
            assert_eq!(of(kind), None, "{kind}");
        }
        let with = |kind: &str, data: Value| draft(kind, "a", None, &data).map(|draft| draft.phase);
        let state = |word: &str| serde_json::json!({ "state": word });
        let alarm = serde_json::json!({ "alarm": true });
        assert_eq!(
            with("com.acme.smoke", state("normal")),
            Some(Phase::Cleared)
        );
        assert_eq!(
            with("com.acme.fire.alarm", state("inactive")),
            Some(Phase::Cleared)
        );
        assert_eq!(
            with("com.acme.smoke.state.updated", alarm),
            Some(Phase::Raised)
        );
        assert_eq!(
            with(
                "com.acme.smoke.detected",
                serde_json::json!({ "status": "ok" })
            ),
            Some(Phase::Raised)
        );
        for over in [
            "com.acme.smoke.recovered",
            "com.acme.smoke.inactive",
            "com.acme.fire.alarm.reset",
            "com.acme.fire.alarm.cancelled",
        ] {
            assert_eq!(
                of(over).map(|(_, phase)| phase),
                Some(Phase::Cleared),
                "{over}"
            );
        }
        for nothing in [
            "com.acme.smoke.false-alarm",
            "com.acme.smoke-detector.self-test.passed",
            "com.acme.smoke-detector.installed",
            "com.acme.fire.drill.started",
            "com.acme.fire.alarm.test",
            "com.acme.fire-extinguisher.inspected",
            "com.acme.heat-map.generated",
            "com.acme.gas-station.payment.completed",
            "com.acme.flood-light.on",
            "com.acme.memory.leak.detected",
            "com.acme.quality.gate.opened",
            "com.acme.alarm.raised",
            "com.acme.pull-request.opened",
            "com.acme.account.locked",
            "uk.co.acme.someevent",
            "uk.co.alarm.someevent",
        ] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
        for (kind, is) in [
            ("com.acme.alarm.raised", true),
            ("io.acme.alert.triggered.v1", true),
            ("com.acme.AlarmActivated", true),
            ("com.acme.sensor.alarm", true),
            ("com.acme.alarm.armed", false),
            ("com.acme.alarm.acknowledged", false),
            ("com.acme.alarm.test", false),
            ("com.acme.alarm.cleared", false),
            ("com.acme.code_scanning_alert.created", false),
            ("com.acme.smoke.false-alarm", false),
            ("uk.co.alarm.someevent", false),
        ] {
            assert_eq!(is_untold_alarm(kind), is, "{kind}");
        }
        for (kind, want) in [
            (
                "com.acme.burglary.detected",
                (Kind::DeviceAlarmInput, Phase::Instant),
            ),
            (
                "com.acme.manual-call-point.activated",
                (Kind::FireManualCall, Phase::Raised),
            ),
            ("com.acme.door.ajar", (Kind::AccessHeldOpen, Phase::Raised)),
            (
                "com.acme.smoke.silenced",
                (Kind::FireSilenced, Phase::Instant),
            ),
            (
                "com.acme.fire-door.opened",
                (Kind::AccessDoorState, Phase::Updated),
            ),
            (
                "com.acme.DoorUnlocked",
                (Kind::AccessLockState, Phase::Updated),
            ),
            (
                "com.acme.parking.gate.opened.v1",
                (Kind::BarrierState, Phase::Updated),
            ),
            (
                "com.acme.barrier.closed",
                (Kind::BarrierState, Phase::Updated),
            ),
            (
                "com.acme.leak.detected",
                (Kind::EnvWaterLeak, Phase::Raised),
            ),
            (
                "com.acme.glass-break.detected",
                (Kind::DeviceAlarmInput, Phase::Instant),
            ),
            ("com.acme.power.failure", (Kind::DevicePower, Phase::Raised)),
            (
                "com.acme.power.restored",
                (Kind::DevicePower, Phase::Cleared),
            ),
            (
                "com.acme.panic.pressed",
                (Kind::DeviceAlarmInput, Phase::Instant),
            ),
            (
                "com.acme.access.duress",
                (Kind::AccessDuress, Phase::Instant),
            ),
            (
                "com.acme.flood.detected",
                (Kind::EnvWaterLeak, Phase::Raised),
            ),
            ("com.acme.co.detected", (Kind::FireCo, Phase::Raised)),
            (
                "com.test.reset-systems.smoke.detected",
                (Kind::FireSmoke, Phase::Raised),
            ),
        ] {
            assert_eq!(of(kind), Some(want), "{kind}");
        }
        assert_eq!(
            with("com.acme.water-leak.state", state("NoLeak")),
            Some(Phase::Cleared)
        );
        let about = |word: &str| {
            let data = serde_json::json!({ "alarmType": word });
            let draft = draft("com.acme.alarm.triggered", "a", None, &data);
            draft.map(|draft| (draft.kind, draft.phase))
        };
        assert_eq!(about("FIRE"), Some((Kind::FireDetector, Phase::Raised)));
        assert_eq!(
            about("WaterLeak"),
            Some((Kind::EnvWaterLeak, Phase::Raised))
        );
        assert_eq!(about("temperature"), None);
        assert_eq!(of("com.firebase.motionless"), None);
        assert_eq!(of("com.acme.gas.reading"), None);
        assert_eq!(of("com.example.someevent"), None);
        assert_eq!(of(""), None);
    }
}
