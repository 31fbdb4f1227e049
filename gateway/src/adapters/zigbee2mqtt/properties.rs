//! The properties of a state that tell of fires, leaks, doors and the health of a device. What is not in these tables (settings,
//! measurements, counters) makes no event.

use std::collections::BTreeMap;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::clock::DeviceTime;
use crate::adapters::draft::Draft;
use crate::adapters::text;

/// One condition: the properties that tell it, the better one first.
struct Condition {
    kind: Kind,
    /// Of these the first one that is there counts.
    names: &'static [&'static str],
    /// A measurement beside it.
    levels: &'static [&'static str],
    /// What it is, where the kind does not say.
    sensor: &'static str,
}

/// Most wires and zones of one device.
const WIRES_MAX: usize = 64;
/// What a device with several endpoints tells of each: `smoke_1`, `contact_l2` (Zigbee2MQTT, `multiEndpoint`).
const OF_ENDPOINTS: &[&str] = &[
    "smoke",
    "gas",
    "carbon_monoxide",
    "heat",
    "water_leak",
    "tamper",
    "battery_low",
    "contact",
    "vibration",
    "sos",
    "alarm",
    "occupancy",
    "presence",
];

const fn condition(kind: Kind, names: &'static [&'static str]) -> Condition {
    Condition {
        kind,
        names,
        levels: &[],
        sensor: "",
    }
}

/// In the order in which they become events.
const CONDITIONS: &[Condition] = &[
    Condition {
        levels: &[
            "smoke_density",
            "smoke_concentration",
            "smoke_level",
            "smoke_density_dbm",
        ],
        ..condition(Kind::FireSmoke, &["smoke", "smoke_state"])
    },
    condition(Kind::FireSmoke, &["smoke_alarm_1"]),
    condition(Kind::FireSmoke, &["smoke_alarm_2"]),
    Condition {
        levels: &["co", "co_value"],
        ..condition(Kind::FireCo, &["carbon_monoxide", "co_state"])
    },
    condition(Kind::FireCo, &["carbon_monoxide_alarm_1"]),
    condition(Kind::FireCo, &["carbon_monoxide_alarm_2"]),
    Condition {
        levels: &["gas_value", "gas_concentration", "gas_level"],
        ..condition(Kind::FireGas, &["gas", "gas_sensor_state"])
    },
    condition(Kind::FireGas, &["gas_alarm_1"]),
    condition(Kind::FireGas, &["gas_alarm_2"]),
    condition(Kind::FireHeat, &["heat", "heat_alarm"]),
    condition(Kind::FireHeat, &["high_temperature"]),
    // another detector of Aqara's that is linked with this one
    Condition {
        sensor: "linkage",
        ..condition(Kind::FireDetector, &["linkage_alarm_state"])
    },
    condition(
        Kind::EnvWaterLeak,
        &[
            "water_leak",
            "water",
            "water_leakage_state",
            "water_sensor",
            "water_condition_alarm",
        ],
    ),
    condition(Kind::EnvWaterLeak, &["active_water_leak"]),
    condition(Kind::EnvWaterLeak, &["water_leak_alarm_1"]),
    condition(Kind::EnvWaterLeak, &["water_leak_alarm_2"]),
    Condition {
        sensor: "sos",
        ..condition(Kind::DeviceAlarmInput, &["sos", "sos_alarm"])
    },
    Condition {
        sensor: "alarm",
        // `alarm_alarm_1`: sirens whose converter puts the zone's bits behind its type (zigbee-herdsman-converters, `iasZoneAlarm`)
        ..condition(
            Kind::DeviceAlarmInput,
            &["alarm", "alarm_1", "alarm_alarm_1"],
        )
    },
    Condition {
        sensor: "alarm",
        ..condition(Kind::DeviceAlarmInput, &["alarm_2", "alarm_alarm_2"])
    },
    // what is wired to an outdoor siren of Bosch
    Condition {
        sensor: "external_trigger",
        ..condition(Kind::DeviceAlarmInput, &["external_trigger"])
    },
    Condition {
        sensor: "vibration",
        ..condition(Kind::DeviceAlarmInput, &["vibration"])
    },
    Condition {
        sensor: "tilt",
        ..condition(Kind::DeviceAlarmInput, &["tilt"])
    },
    Condition {
        sensor: "fall",
        ..condition(Kind::DeviceAlarmInput, &["fall_down_status", "fall_status"])
    },
    condition(Kind::DeviceTest, &["test", "testing", "test_in_progress"]),
    condition(
        Kind::DeviceTest,
        &["self_test", "self_checking", "self_test_result"],
    ),
    condition(Kind::DeviceTest, &["test_mode"]),
    condition(
        Kind::FireSilenced,
        &[
            "smoke_alarm_silenced",
            "hush_active",
            "hush",
            "silence",
            "temporary_mute",
            "muted",
            "silence_siren",
            "buzzer_manual_mute",
        ],
    ),
    condition(
        Kind::DeviceTamper,
        &["tamper", "tamper_alarm", "temper_alarm"],
    ),
    condition(Kind::DeviceBatteryLow, &["battery_low", "battery_state"]),
    condition(
        Kind::DeviceFault,
        &["fault", "fault_alarm", "fault_state", "device_fault"],
    ),
    condition(Kind::DeviceFault, &["trouble"]),
    condition(Kind::DeviceFault, &["battery_defect"]),
    condition(Kind::DeviceFault, &["device_overheated"]),
    condition(Kind::DeviceFault, &["emergency_overheat"]),
    condition(Kind::DeviceFault, &["chamber_contamination"]),
    condition(Kind::DeviceFault, &["reliability"]),
    condition(
        Kind::DevicePower,
        &[
            "ac_status",
            "ac_connected",
            "mains_power_connected",
            "power_outage",
        ],
    ),
    condition(Kind::DeviceEndOfLife, &["end_of_life", "endoflife"]),
];

/// Properties whose every word but the good ones names a fault: those of Tuya's breakers are many.
const FAULTS: &[&str] = &["fault", "fault_alarm", "fault_state", "device_fault"];
/// The good ones.
const NO_FAULTS: &[&str] = &["", "clear", "none", "normal", "ok", "no faults"];

/// Properties that are in one of several states: the property, its states, what they mean and what the sensor is. An alarm is over in
/// the states of [`STATES_WELL`], anything else in any other state.
const STATES: &[(&str, &[&str], Kind, &str)] = &[
    // Halo: this unit, or another one that is connected with it
    (
        "halo_alert_state",
        &["smoke", "interconnect_smoke"],
        Kind::FireSmoke,
        "",
    ),
    (
        "halo_alert_state",
        &["carbon_monoxide", "interconnect_carbon_monoxide"],
        Kind::FireCo,
        "",
    ),
    (
        "halo_alert_state",
        &["pre_smoke"],
        Kind::DeviceAlarmInput,
        "pre_smoke",
    ),
    (
        "halo_alert_state",
        &["low_battery", "very_low_battery", "failed_battery"],
        Kind::DeviceBatteryLow,
        "",
    ),
    (
        "halo_alert_state",
        &["end_of_life"],
        Kind::DeviceEndOfLife,
        "",
    ),
    (
        "halo_alert_state",
        &["co_test", "smoke_test"],
        Kind::DeviceTest,
        "",
    ),
    // Heiman: less than an alarm, which has a property of its own
    (
        "alarm_state",
        &["prealarm"],
        Kind::DeviceAlarmInput,
        "pre_alarm",
    ),
    // OWON FDS315, which watches a room
    ("status", &["falling"], Kind::DeviceAlarmInput, "fall"),
    // a word for the charge; where it is a number it is none
    ("battery_level", &["low"], Kind::DeviceBatteryLow, ""),
    ("power_type", &["battery_low"], Kind::DeviceBatteryLow, ""),
    // switches
    ("overheat", &["overheated"], Kind::DeviceFault, ""),
    ("overheat_mode", &["overheat"], Kind::DeviceFault, ""),
    // CTM Lyng mKomfy, which watches a stove
    ("alarm_status", &["high_temperatur"], Kind::FireHeat, ""),
    ("alarm_status", &["tamper"], Kind::DeviceTamper, ""),
    (
        "alarm_status",
        &["battery_alarm"],
        Kind::DeviceBatteryLow,
        "",
    ),
    ("alarm_status", &["error"], Kind::DeviceFault, ""),
    // somebody shakes it, or the stove is on for too long
    ("alarm_status", &["alarm"], Kind::DeviceAlarmInput, "alarm"),
    ("alarm_status", &["timer"], Kind::DeviceAlarmInput, "timer"),
    (
        "current_device_status",
        &["water_leakage", "water_shortage & water_leakage"],
        Kind::EnvWaterLeak,
        "",
    ),
];
/// States in which all is well.
const STATES_WELL: &[&str] = &[
    "safe",
    "ok",
    "normal",
    "normal_state",
    "water_shortage",
    "unoccupied",
    "occupied",
    "sitting",
    "on_the_bed",
];

/// Properties where `true` is the good state.
const GOOD: &[&str] = &["ac_connected", "mains_power_connected"];

/// What a device is, by what it tells.
pub(super) fn class_of(object: &Map<String, Value>) -> DeviceClass {
    let has = |names: &[&str]| names.iter().any(|name| object.contains_key(*name));
    if has(&["smoke", "gas", "carbon_monoxide", "heat", "water_leak"]) {
        DeviceClass::FireSensor
    } else if has(&[
        "contact",
        "garage_door_contact",
        "lock_state",
        "action_source_name",
        "door_state",
    ]) {
        DeviceClass::Access
    } else if has(&["occupancy", "motion", "presence"]) {
        DeviceClass::Camera
    } else {
        DeviceClass::FireSensor
    }
}

/// Whether a class can be told by these.
pub(super) fn is_known(object: &Map<String, Value>) -> bool {
    let conditions = CONDITIONS.iter().flat_map(|condition| condition.names);
    let states = STATES.iter().map(|(property, ..)| property);
    let mut names = conditions.chain(states).chain(&[
        "contact",
        "garage_door_contact",
        "lock_state",
        "action_source_name",
        "door_state",
        "occupancy",
        "motion",
        "presence",
    ]);
    names.any(|name| object.contains_key(*name))
}

/// The conditions and states among the properties of one device.
pub(super) fn drafts(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let is_tested = object.get("test").and_then(is_there) == Some(true);
    for condition in CONDITIONS {
        let found = condition.names.iter().find_map(|property| {
            let value = object
                .get(*property)
                .filter(|_| !is_setting(property, object))?;
            let is_there = is_there(value).or_else(|| names_a_fault(property, value))?;
            Some((*property, is_there != GOOD.contains(property)))
        });
        let Some((property, is_there)) = found else {
            continue;
        };
        let mut draft = Draft::condition(name, class, condition.kind, property, is_there)
            .attr("sensor", condition.sensor);
        if matches!(
            condition.kind,
            Kind::FireSmoke | Kind::FireCo | Kind::FireGas | Kind::FireHeat
        ) {
            let level = condition.levels.iter().find_map(|level| object.get(*level));
            draft = draft.attr("level", level.and_then(text::number));
            if is_tested {
                // a button may ring it; it is never suppressed for that
                draft = draft.attr("test_hint", "test");
            }
        }
        if condition.kind == Kind::DeviceBatteryLow {
            let percent = object.get("battery").and_then(text::number);
            draft = draft.attr("battery_percent", percent);
        }
        if condition.kind == Kind::DeviceFault {
            draft = draft.attr("reason", description(property, object));
        }
        if matches!(condition.kind, Kind::DeviceFault | Kind::DeviceAlarmInput) {
            draft = draft.apart();
        }
        drafts.push(draft);
    }
    drafts.extend(states(name, class, object));
    drafts.extend(breaker(name, class, object));
    drafts.extend(valve(name, class, object));
    drafts.extend(wires(name, object));
    drafts.extend(endpoints(name, object));
    drafts.extend(failed_test(name, class, object));
    drafts.extend(door(name, class, object));
    drafts.extend(motion(name, class, object));
    drafts
}

/// Whether a property says what a detector is set to do: `alarm` of one that tells its fire or leak by itself is whether it may sound
/// (zigbee-herdsman-converters: `TS0601_smoke_5`, SA12IZL, R7049, ZG-226Z).
fn is_setting(property: &str, object: &Map<String, Value>) -> bool {
    let has = |name: &str| object.contains_key(name);
    property == "alarm" && (has("smoke") || has("water_leak") && has("muffling"))
}

/// Leak sensors of Lincukoo tell an alarm and not of what: that it is one of water their settings say. One that is to tell when there is no
/// water any more tells no leak.
fn leak(name: &str, object: &Map<String, Value>) -> Option<Draft> {
    let is_there = match text_of(object, "alarm_status")? {
        "alarm" => true,
        "normal" => false,
        _ => return None,
    };
    let is_of_leaks = text_of(object, "mode") == Some("leakage")
        || matches!(text_of(object, "alarm_switch"), Some("mute" | "alarm"));
    let (class, kind) = (DeviceClass::FireSensor, Kind::EnvWaterLeak);
    is_of_leaks.then(|| Draft::condition(name, class, kind, "alarm_status:leak", is_there))
}

/// What the states of [`STATES`] tell.
fn states(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Vec<Draft> {
    if let Some(leak) = leak(name, object) {
        return vec![leak];
    }
    let told = STATES.iter().filter_map(|(property, words, kind, sensor)| {
        let word = text_of(object, property)?.to_ascii_lowercase();
        let is_there = words.contains(&word.as_str());
        let is_alarm = !kind.as_str().starts_with("device.") || *kind == Kind::DeviceAlarmInput;
        let is_over = STATES_WELL.contains(&word.as_str());
        if is_alarm && !is_there && !is_over {
            return None; // a battery or a button says nothing of a fire
        }
        let edge = format!("{property}:{kind}:{sensor}");
        let draft = Draft::condition(name, class, *kind, &edge, is_there);
        Some(draft.attr("sensor", *sensor).attr("reason", word).apart())
    });
    let silenced = text_of(object, "halo_alert_state").map(|word| {
        let kind = Kind::FireSilenced;
        Draft::condition(name, class, kind, "halo_alert_state", word == "silenced")
    });
    told.chain(silenced).collect()
}

/// A breaker that says that it burns: one word of those in which it names its faults.
fn breaker(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Option<Draft> {
    let is_there = text_of(object, "fault")?.contains("fire_alarm");
    Some(Draft::condition(
        name,
        class,
        Kind::FireDetector,
        "fault:fire_alarm",
        is_there,
    ))
}

/// What is wrong with a valve of SONOFF, several at once: `water_shortage,water_leakage`.
fn valve(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Option<Draft> {
    let property = "valve_abnormal_state";
    let mut words = text_of(object, property)?.split(',');
    let is_there = words.any(|word| word.trim().starts_with("water_leakage"));
    let kind = Kind::EnvWaterLeak;
    Some(Draft::condition(name, class, kind, property, is_there).apart())
}

/// Whether a property of faults names one, in a word or as the number of one.
fn names_a_fault(property: &str, value: &Value) -> Option<bool> {
    if !FAULTS.contains(&property) {
        return None;
    }
    if let Some(number) = text::number(value) {
        return Some(number != 0.0);
    }
    let word = value.as_str()?.trim().to_ascii_lowercase();
    Some(!NO_FAULTS.contains(&word.as_str()))
}

/// Controllers of valves name each wire and zone: `water_leak_wire_2`, `input_3_leak_detect_9`.
fn wires(name: &str, object: &Map<String, Value>) -> Vec<Draft> {
    let is_wire = |property: &str| {
        property.starts_with("water_leak_wire_")
            || property.starts_with("water_leak_zone_")
            || property.contains("_leak_detect_")
    };
    let told = object
        .iter()
        .filter(|(property, _)| is_wire(property))
        .filter_map(|(property, value)| Some((property, is_there(value)?)));
    told.take(WIRES_MAX)
        .map(|(property, is_there)| {
            let kind = Kind::EnvWaterLeak;
            Draft::condition(name, DeviceClass::FireSensor, kind, property, is_there)
                .component(property)
        })
        .collect()
}

/// The endpoints of a device, each read as a device of its own kind. What the tables know with its number is theirs.
fn endpoints(name: &str, object: &Map<String, Value>) -> Vec<Draft> {
    let mut found: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let is_in_tables = |property: &str| {
        let mut names = CONDITIONS.iter().flat_map(|condition| condition.names);
        names.any(|name| *name == property)
    };
    for (property, value) in object {
        let Some((stem, endpoint)) = property.rsplit_once('_') else {
            continue;
        };
        let number = endpoint.strip_prefix('l').unwrap_or(endpoint);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && OF_ENDPOINTS.contains(&stem) && !is_in_tables(property) {
            let own = found.entry(endpoint).or_default();
            own.insert(stem.to_owned(), value.clone());
        }
    }
    let found = found.into_iter().take(WIRES_MAX);
    let drafts = found.flat_map(|(endpoint, own)| {
        let of_endpoint = drafts(name, class_of(&own), &own).into_iter();
        of_endpoint.map(move |draft| draft.component(endpoint))
    });
    drafts.collect()
}

/// A detector that did not pass its own test.
fn failed_test(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Option<Draft> {
    let results = [
        "self_test_result",
        "self_test",
        "checking_result",
        "test_alarm_result",
        "halo_test_result",
    ];
    let word = results
        .iter()
        .find_map(|property| text_of(object, property))?
        .to_ascii_lowercase();
    let has_failed =
        if word.ends_with("failure") || word.ends_with("fault") || word.starts_with("fail_") {
            true
        } else if word.ends_with("success") {
            false
        } else {
            return None;
        };
    Some(
        Draft::condition(name, class, Kind::DeviceFault, "self_test", has_failed)
            .attr("reason", "self_test")
            .apart(),
    )
}

/// The name of a fault, where it has one.
fn description(property: &str, object: &Map<String, Value>) -> String {
    match object.get(property).and_then(Value::as_str) {
        Some(word) => word.to_owned(),
        None => property.to_owned(),
    }
}

/// `contact: true` is a closed door; some locks tell the door themselves, and that it was forced.
fn door(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Vec<Draft> {
    // the handle of a window says as much
    let words = ["door_state", "opening_state", "handle_position"];
    let word = words.iter().find_map(|property| text_of(object, property));
    let contact = ["contact", "contact_alarm_1", "garage_door_contact"]
        .iter()
        .find_map(|property| object.get(*property));
    let state = match contact.and_then(text::boolean) {
        Some(true) => Some("closed"),
        Some(false) => Some("open"),
        None => match word {
            Some("open" | "error_forced_open") => Some("open"),
            Some("tilted") => Some("tilted"),
            Some("closed") => Some("closed"),
            Some("error_jammed") => Some("jammed"),
            _ => None,
        },
    };
    let state = state.map(|state| {
        let draft = Draft::new(name, class, Kind::AccessDoorState, Phase::Updated);
        draft.attr("state", state).edge("contact", state)
    });
    let forced = word.map(|word| {
        let is_forced = word == "error_forced_open";
        Draft::condition(
            name,
            class,
            Kind::AccessForcedOpen,
            "forced_open",
            is_forced,
        )
    });
    state.into_iter().chain(forced).collect()
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// Somebody moves. A keypad or a door contact that also senses who stands at it is no motion detector.
fn motion(name: &str, class: DeviceClass, object: &Map<String, Value>) -> Option<Draft> {
    if object.contains_key("contact") {
        return None;
    }
    let names = ["occupancy", "motion", "presence", "occupancy_alarm_1"];
    let (property, is_there) = names
        .iter()
        .find_map(|property| Some((*property, text::boolean(object.get(*property)?)?)))?;
    Some(
        Draft::condition(name, class, Kind::CameraMotion, property, is_there)
            .attr("sensor", property),
    )
}

/// Whether a condition is there, in the words of the converters. None for words that say neither.
fn is_there(value: &Value) -> Option<bool> {
    if let Some(is) = text::boolean(value) {
        return Some(is);
    }
    Some(match value.as_str()?.to_ascii_lowercase().as_str() {
        "alarm"
        | "detected"
        | "leak"
        | "low"
        | "fault"
        | "serious_fault"
        | "sensor_fault"
        | "probe_fault"
        | "power_fault"
        | "checking"
        | "unreliable_other"
        | "process_error"
        | "fall"
        | "maybe_fall"
        | "fall_alarm"
        | "fall_warning"
        | "alarm active"
        | "water_leakage_yes"
        | "outage_detected"
        | "expired"
        | "expires_soon"
        | "critical_contamination" => true,
        "normal"
        | "none"
        | "water_leakage_no"
        | "clear"
        | "dry"
        | "medium"
        | "middle"
        | "high"
        | "detecting"
        | "success"
        | "check_success"
        | "check success"
        | "no_fault_detected"
        | "power_ok"
        | "light_contamination"
        | "medium_contamination"
        | "idle" => false,
        _ => return None,
    })
}

/// `last_seen` in one of the forms that the bridge can be told to write.
pub(super) fn time(value: &Value) -> Option<DeviceTime> {
    match value {
        Value::Number(number) => DeviceTime::epoch_any(number.as_f64()?),
        Value::String(text) => DeviceTime::text(text, &jiff::tz::TimeZone::UTC),
        _ => None,
    }
}
