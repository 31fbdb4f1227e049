//! One value of a node. Notifications count 0 as idle: everything of that variable is over.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use crate::adapters::draft::Draft;
use crate::adapters::{named, text};

/// A variable of a notification type, its values, what they mean and what the sensor is.
struct Variable {
    /// Begin of the type, in lower case without separators.
    alarm: &'static str,
    /// The variable of it; empty for any.
    part: &'static str,
    values: &'static [i64],
    kind: Kind,
    class: DeviceClass,
    sensor: &'static str,
}

const fn variable(
    alarm: &'static str,
    part: &'static str,
    values: &'static [i64],
    kind: Kind,
) -> Variable {
    Variable {
        alarm,
        part,
        values,
        kind,
        class: DeviceClass::FireSensor,
        sensor: "",
    }
}

const VARIABLES: &[Variable] = &[
    variable("smoke", "sensorstatus", &[1, 2], Kind::FireSmoke),
    variable("smoke", "", &[3], Kind::DeviceTest),
    variable("smoke", "alarmstatus", &[6], Kind::FireSilenced),
    variable("smoke", "maintenancestatus", &[4], Kind::DeviceFault),
    variable("smoke", "maintenancestatus", &[5], Kind::DeviceEndOfLife),
    variable("smoke", "dustindevicestatus", &[8], Kind::DeviceFault),
    variable("coalarm", "sensorstatus", &[1, 2], Kind::FireCo),
    variable("coalarm", "", &[3], Kind::DeviceTest),
    variable("coalarm", "alarmstatus", &[6], Kind::FireSilenced),
    variable("coalarm", "maintenancestatus", &[4], Kind::DeviceFault),
    variable("coalarm", "maintenancestatus", &[5], Kind::DeviceEndOfLife),
    variable("carbonmonoxide", "sensorstatus", &[1, 2], Kind::FireCo),
    variable("carbonmonoxide", "", &[3], Kind::DeviceTest),
    variable("gas", "combustiblegasstatus", &[1, 2], Kind::FireGas),
    variable("gas", "toxicgasstatus", &[3, 4], Kind::FireGas),
    variable("gas", "alarmstatus", &[5], Kind::DeviceTest),
    variable("heat", "heatsensorstatus", &[1, 2, 3, 4], Kind::FireHeat),
    variable("heat", "alarmstatus", &[7], Kind::DeviceTest),
    variable("water", "sensorstatus", &[1, 2], Kind::EnvWaterLeak),
    Variable {
        sensor: "intrusion",
        ..variable(
            "homesecurity",
            "sensorstatus",
            &[1, 2],
            Kind::DeviceAlarmInput,
        )
    },
    // its cover is off, it was moved, somebody holds a magnet to it
    variable("homesecurity", "", &[3, 9], Kind::DeviceTamper),
    variable(
        "homesecurity",
        "magneticinterferencestatus",
        &[11],
        Kind::DeviceTamper,
    ),
    variable("system", "coverstatus", &[6], Kind::DeviceTamper),
    Variable {
        sensor: "glass_break",
        ..variable("homesecurity", "", &[5, 6], Kind::DeviceAlarmInput)
    },
    Variable {
        sensor: "motion",
        class: DeviceClass::Camera,
        ..variable(
            "homesecurity",
            "motionsensorstatus",
            &[7, 8],
            Kind::CameraMotion,
        )
    },
    Variable {
        sensor: "police",
        ..variable("emergency", "", &[1], Kind::DeviceAlarmInput)
    },
    // locks call the fire service when it grows hot
    variable("emergency", "", &[2], Kind::FireDetector),
    Variable {
        sensor: "medical",
        ..variable("emergency", "", &[3], Kind::DeviceAlarmInput)
    },
    variable("powermanagement", "mainsstatus", &[2], Kind::DevicePower),
    variable(
        "powermanagement",
        "overcurrentstatus",
        &[6],
        Kind::DeviceFault,
    ),
    variable(
        "powermanagement",
        "overvoltagestatus",
        &[7],
        Kind::DeviceFault,
    ),
    variable("powermanagement", "overloadstatus", &[8], Kind::DeviceFault),
    variable(
        "powermanagement",
        "loaderrorstatus",
        &[9],
        Kind::DeviceFault,
    ),
    variable("system", "hardwarestatus", &[1, 3], Kind::DeviceFault),
    variable("system", "softwarestatus", &[2, 4], Kind::DeviceFault),
    variable(
        "powermanagement",
        "batterymaintenancestatus",
        &[10, 11],
        Kind::DeviceBatteryLow,
    ),
    variable(
        "powermanagement",
        "batterylevelstatus",
        &[14, 15],
        Kind::DeviceBatteryLow,
    ),
    variable(
        "powermanagement",
        "backupbatterylevelstatus",
        &[16, 18],
        Kind::DeviceBatteryLow,
    ),
    Variable {
        class: DeviceClass::Barrier,
        ..variable(
            "accesscontrol",
            "barriersensorstatus",
            &[73],
            Kind::BarrierFault,
        )
    },
    Variable {
        class: DeviceClass::Barrier,
        ..variable(
            "accesscontrol",
            "barriershortcircuitstatus",
            &[75],
            Kind::BarrierFault,
        )
    },
    Variable {
        class: DeviceClass::Barrier,
        ..variable(
            "accesscontrol",
            "barrierbatterystatus",
            &[74],
            Kind::DeviceBatteryLow,
        )
    },
];

/// Events without a state, by their names in lower case without separators: what they mean, whose they are, and the sensor of an input or
/// else the reason.
const EVENTS: &[(&str, Kind, DeviceClass, &str)] = &[
    (
        "tamperingproductmoved",
        Kind::DeviceTamper,
        DeviceClass::FireSensor,
        "",
    ),
    (
        "tamperinginvalidcode",
        Kind::DeviceTamper,
        DeviceClass::FireSensor,
        "invalid_code",
    ),
    (
        "rfjammingdetected",
        Kind::DeviceTamper,
        DeviceClass::FireSensor,
        "rf_jamming",
    ),
    (
        "glassbreakage",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "glass_break",
    ),
    (
        "glassbreakagelocationprovided",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "glass_break",
    ),
    (
        "impactdetected",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "shock",
    ),
    (
        "falldetected",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "fall",
    ),
    (
        "panicalert",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "panic",
    ),
    (
        "contactpolice",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "police",
    ),
    (
        "contactfireservice",
        Kind::FireDetector,
        DeviceClass::FireSensor,
        "",
    ),
    (
        "contactmedicalservice",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "medical",
    ),
    (
        "manuallyenteruseraccesscodeexceedscodelimit",
        Kind::AccessDenied,
        DeviceClass::Access,
        "code_limit",
    ),
    (
        "unlockbyrfwithinvalidusercode",
        Kind::AccessDenied,
        DeviceClass::Access,
        "invalid_code",
    ),
    (
        "lockedbyrfwithinvalidusercode",
        Kind::AccessDenied,
        DeviceClass::Access,
        "invalid_code",
    ),
    (
        "barrierfailedtoperformrequestedoperationdevicemalfunction",
        Kind::BarrierFault,
        DeviceClass::Barrier,
        "malfunction",
    ),
];

/// Buttons of a keypad (Entry Control, event types as zwave-js numbers them). Codes that were entered are never carried.
const BUTTONS: &[(&str, Kind, DeviceClass, &str)] = &[
    ("15", Kind::AccessCall, DeviceClass::Access, ""),
    ("16", Kind::FireManualCall, DeviceClass::Panel, ""),
    ("17", Kind::DeviceAlarmInput, DeviceClass::Panel, "police"),
    ("18", Kind::DeviceAlarmInput, DeviceClass::Panel, "panic"),
    ("19", Kind::DeviceAlarmInput, DeviceClass::Panel, "medical"),
];

/// The events of a value: class by number, property and key as in the topic.
pub(super) fn drafts(node: &str, class: &str, property: &[&str], value: &Value) -> Vec<Draft> {
    match class {
        "113" => notification(node, property, value),
        "98" => Vec::from_iter(door_lock(node, property, value)),
        "102" => Vec::from_iter(barrier(node, property, value)),
        "111" => Vec::from_iter(
            property
                .first()
                .and_then(|event| happened(node, BUTTONS, event)),
        ),
        "48" => {
            let name = property.last().copied().unwrap_or_default();
            let is_on = text::boolean(value);
            Vec::from_iter(is_on.and_then(|is_on| named::binary(node, name, name, is_on)))
        }
        "156" => Vec::from_iter(alarm_sensor(node, property, value)),
        "128" => {
            let is_low = match property {
                ["isLow", ..] => text::boolean(value),
                _ => None,
            };
            let kind = Kind::DeviceBatteryLow;
            Vec::from_iter(is_low.map(|is_low| {
                Draft::condition(node, DeviceClass::FireSensor, kind, "battery", is_low)
            }))
        }
        _ => Vec::new(),
    }
}

fn squeezed(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn notification(node: &str, property: &[&str], value: &Value) -> Vec<Draft> {
    if let Some(draft) = operation(node, property, value) {
        return vec![draft];
    }
    // 254 is an event that the node itself cannot name: it ends nothing
    let Some(value) = text::integer(value).filter(|value| *value != 254) else {
        return Vec::new();
    };
    let alarm = squeezed(property.first().copied().unwrap_or_default());
    let variable = squeezed(property.get(1).copied().unwrap_or_default());
    if alarm == "accesscontrol" && !variable.starts_with("barrier") {
        return Vec::from_iter(match (variable.as_str(), value) {
            // after too many wrong codes
            ("keypadstate", 16) => Some(
                Draft::new(
                    node,
                    DeviceClass::Access,
                    Kind::AccessDenied,
                    Phase::Instant,
                )
                .attr("method", "keypad")
                .attr("reason", "keypad_disabled"),
            ),
            // a door that is tilted is no lock, nor is one that is open
            ("openingstate", 0) => access(node, 23),
            ("openingstate", 1 | 2) => access(node, 22),
            ("keypadstate" | "openingstate" | "doortiltstate", _) => None,
            _ => access(node, value),
        });
    }
    let mut drafts: Vec<Draft> = VARIABLES
        .iter()
        .filter(|known| {
            alarm.starts_with(known.alarm) && (known.part.is_empty() || known.part == variable)
        })
        .map(|known| {
            let is_there = known.values.contains(&value);
            // one property for each meaning: of the same variable one may begin where another ends
            let property = format!("{variable}:{}:{}", known.kind, known.sensor);
            let draft = Draft::condition(node, known.class, known.kind, &property, is_there)
                .attr("sensor", known.sensor)
                .attr("label", label(known.sensor));
            match known.kind {
                Kind::DeviceAlarmInput | Kind::DeviceFault => draft.apart(),
                _ => draft,
            }
        })
        .collect();
    // what ends first: one alarm may stand for both
    drafts.sort_by_key(|draft| draft.phase == Phase::Raised);
    drafts
}

/// An event without a state, of which only the name says what it is: `Manual_lock_operation`, with nothing or with who it was.
fn operation(node: &str, property: &[&str], value: &Value) -> Option<Draft> {
    let name = squeezed(property.last()?);
    if let Some(draft) = happened(node, EVENTS, &name) {
        return Some(draft);
    }
    let number = match name.as_str() {
        "manuallockoperation" => 1,
        "manualunlockoperation" => 2,
        "rflockoperation" => 3,
        "rfunlockoperation" => 4,
        "keypadlockoperation" | "lockoperationwithusercode" => 5,
        "keypadunlockoperation" | "unlockoperationwithusercode" => 6,
        "manualnotfullylockedoperation" => 7,
        "rfnotfullylockedoperation" => 8,
        "autolocklockedoperation" => 9,
        "autolocknotfullylockedoperation" => 10,
        "lockjammed" => 11,
        _ => return None,
    };
    let user = value.get("userId").and_then(text::word);
    access(node, number).map(|draft| draft.attr("user", user))
}

/// What a table says of something that happened once.
fn happened(node: &str, known: &[(&str, Kind, DeviceClass, &str)], name: &str) -> Option<Draft> {
    let (_, kind, class, word) = known.iter().find(|(known, ..)| *known == name)?;
    let member = match kind {
        Kind::DeviceAlarmInput => "sensor",
        _ => "reason",
    };
    let draft = Draft::new(node, *class, *kind, Phase::Instant).attr(member, *word);
    Some(draft.attr("label", label(word)))
}

/// Who calls the police wants help, as whoever presses a panic button.
fn label(sensor: &str) -> Option<&'static str> {
    (sensor == "police").then_some("emergency")
}

/// Class 102: a garage door, or a gate.
fn barrier(node: &str, property: &[&str], value: &Value) -> Option<Draft> {
    let state = match (property.first().copied()?, text::integer(value)?) {
        ("currentState", 0) => "closed",
        ("currentState", 252) => "closing",
        ("currentState", 253) => "stopped",
        ("currentState", 254) => "opening",
        ("currentState", 255) => "open",
        _ => return None,
    };
    let (class, kind) = (DeviceClass::Barrier, Kind::BarrierState);
    let draft = Draft::new(node, class, kind, Phase::Updated);
    Some(draft.attr("state", state).edge("barrier", state))
}

/// Notification type 6: doors, and what happened to locks.
fn access(node: &str, value: i64) -> Option<Draft> {
    let door = |state| (Kind::AccessDoorState, state, None);
    let lock = |state, method| (Kind::AccessLockState, state, Some(method));
    let (kind, state, method) = match value {
        22 | 5632 | 5633 => door("open"),
        23 => door("closed"),
        1 => lock("locked", "manual"),
        2 => lock("unlocked", "manual"),
        3 => lock("locked", "rf"),
        4 => lock("unlocked", "rf"),
        5 => lock("locked", "keypad"),
        6 => lock("unlocked", "keypad"),
        7 => lock("not_fully_locked", "manual"),
        8 => lock("not_fully_locked", "rf"),
        9 => lock("locked", "auto"),
        10 => lock("not_fully_locked", "auto"),
        11 => lock("jammed", "manual"),
        _ => return None,
    };
    let draft = Draft::new(node, DeviceClass::Access, kind, Phase::Updated);
    let property = if method.is_some() { "lock" } else { "door" };
    Some(
        draft
            .attr("state", state)
            .attr("method", method)
            .edge(property, state),
    )
}

/// Class 156, of sensors that are older than notifications: `state/1` is smoke.
fn alarm_sensor(node: &str, property: &[&str], value: &Value) -> Option<Draft> {
    let ["state", sensor, ..] = property else {
        return None;
    };
    let kind = match squeezed(sensor).as_str() {
        "0" | "general" | "generalpurpose" => Kind::DeviceAlarmInput,
        "1" | "smoke" | "smokealarm" => Kind::FireSmoke,
        "2" | "co" | "coalarm" => Kind::FireCo,
        "4" | "heat" | "heatalarm" => Kind::FireHeat,
        "5" | "water" | "waterleak" | "waterleakalarm" => Kind::EnvWaterLeak,
        _ => return None,
    };
    let is_there = text::boolean(value)?;
    let property = format!("alarm_sensor:{kind}");
    let class = DeviceClass::FireSensor;
    Some(Draft::condition(node, class, kind, &property, is_there))
}

/// Class 98. 255 is secured, the odd numbers in between are unlocked for a while or from one side.
fn door_lock(node: &str, property: &[&str], value: &Value) -> Option<Draft> {
    let (kind, state, edge) = match property.first().copied()? {
        "currentMode" => match text::integer(value)? {
            255 => (Kind::AccessLockState, "locked", "lock"),
            0 | 1 | 16 | 17 | 32 | 33 => (Kind::AccessLockState, "unlocked", "lock"),
            _ => return None,
        },
        "boltStatus" => match value.as_str()? {
            "locked" => (Kind::AccessLockState, "locked", "lock"),
            "unlocked" => (Kind::AccessLockState, "unlocked", "lock"),
            _ => return None,
        },
        "doorStatus" => match value.as_str()? {
            "open" => (Kind::AccessDoorState, "open", "door"),
            "closed" => (Kind::AccessDoorState, "closed", "door"),
            _ => return None,
        },
        _ => return None,
    };
    let draft = Draft::new(node, DeviceClass::Access, kind, Phase::Updated);
    Some(draft.attr("state", state).edge(edge, state))
}
