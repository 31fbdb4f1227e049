//! What the name of a sensor says where nothing else does: ids that people or firmware gave (`kitchen_smoke`, `front-door`, `Glass Break`).

use domain::{DeviceClass, Kind, Phase};

use super::draft::Draft;

/// Words of a name, what they mean, whose they are, and what the sensor is where the kind does not say.
type Name = (&'static [&'static str], Kind, DeviceClass, &'static str);

/// The last thing that a name says is sensed counts, and what it says in more words.
const NAMES: &[Name] = &[
    (&["smoke"], Kind::FireSmoke, DeviceClass::FireSensor, ""),
    (
        &["carbon", "monoxide"],
        Kind::FireCo,
        DeviceClass::FireSensor,
        "",
    ),
    (&["co"], Kind::FireCo, DeviceClass::FireSensor, ""),
    (&["gas"], Kind::FireGas, DeviceClass::FireSensor, ""),
    (&["heat"], Kind::FireHeat, DeviceClass::FireSensor, ""),
    (&["flame"], Kind::FireFlame, DeviceClass::FireSensor, ""),
    (&["fire"], Kind::FireDetector, DeviceClass::FireSensor, ""),
    (&["gas", "leak"], Kind::FireGas, DeviceClass::FireSensor, ""),
    (
        &["fire", "door"],
        Kind::AccessDoorState,
        DeviceClass::Access,
        "",
    ),
    (&["fault"], Kind::DeviceFault, DeviceClass::FireSensor, ""),
    (&["trouble"], Kind::DeviceFault, DeviceClass::FireSensor, ""),
    (&["failure"], Kind::DeviceFault, DeviceClass::FireSensor, ""),
    (
        &["malfunction"],
        Kind::DeviceFault,
        DeviceClass::FireSensor,
        "",
    ),
    (&["leak"], Kind::EnvWaterLeak, DeviceClass::FireSensor, ""),
    (&["water"], Kind::EnvWaterLeak, DeviceClass::FireSensor, ""),
    (&["flood"], Kind::EnvWaterLeak, DeviceClass::FireSensor, ""),
    (
        &["moisture"],
        Kind::EnvWaterLeak,
        DeviceClass::FireSensor,
        "",
    ),
    (&["tamper"], Kind::DeviceTamper, DeviceClass::FireSensor, ""),
    (
        &["battery", "low"],
        Kind::DeviceBatteryLow,
        DeviceClass::FireSensor,
        "",
    ),
    (
        &["low", "battery"],
        Kind::DeviceBatteryLow,
        DeviceClass::FireSensor,
        "",
    ),
    (
        &["lowbattery"],
        Kind::DeviceBatteryLow,
        DeviceClass::FireSensor,
        "",
    ),
    (
        &["motion"],
        Kind::CameraMotion,
        DeviceClass::Camera,
        "motion",
    ),
    (&["pir"], Kind::CameraMotion, DeviceClass::Camera, "pir"),
    (
        &["occupancy"],
        Kind::CameraMotion,
        DeviceClass::Camera,
        "occupancy",
    ),
    (
        &["presence"],
        Kind::CameraMotion,
        DeviceClass::Camera,
        "presence",
    ),
    (
        &["vibration"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "vibration",
    ),
    (
        &["tilt"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "tilt",
    ),
    (
        &["glass"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "glass_break",
    ),
    (
        &["glass", "break"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "glass_break",
    ),
    (
        &["panic", "button"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "panic",
    ),
    (
        &["sos", "button"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "sos",
    ),
    (
        &["panic"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "panic",
    ),
    (
        &["sos"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "sos",
    ),
    (&["door"], Kind::AccessDoorState, DeviceClass::Access, ""),
    (&["window"], Kind::AccessDoorState, DeviceClass::Access, ""),
    (&["gate"], Kind::AccessDoorState, DeviceClass::Access, ""),
    (&["contact"], Kind::AccessDoorState, DeviceClass::Access, ""),
];

/// Words for a sensor.
const SENSORS: [&str; 5] = ["alarm", "detected", "detector", "sensor", "state"];

/// Words behind what is sensed that make something else of it: `smoke_detector_led`, `heat_pump`.
const OTHERS: &[&str] = &[
    "available",
    "battery",
    "bell",
    "boiler",
    "button",
    "clear",
    "connected",
    "connection",
    "curtain",
    "damper",
    "demand",
    "disabled",
    "enable",
    "enabled",
    "fan",
    "heater",
    "hush",
    "lamp",
    "led",
    "light",
    "link",
    "lock",
    "machine",
    "meter",
    "mode",
    "mute",
    "muted",
    "normal",
    "offline",
    "ok",
    "online",
    "power",
    "pump",
    "reachable",
    "ready",
    "relay",
    "running",
    "silence",
    "silenced",
    "switch",
    "test",
    "testing",
    "valve",
    "vent",
];

/// Words that name much else, too: a heating, a meter, a fireplace. They need a word for a sensor.
const COMMON: [&str; 4] = ["heat", "gas", "fire", "water"];

/// Whether a name ends with what is sensed, or with a word for a sensor: `kitchen_smoke`, `smoke_detector`, not `smoke_detector_led`.
pub fn is_of_a_sensor(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    let last = words.rfind(|word| !word.is_empty() && word.parse::<u16>().is_err());
    last.is_some_and(|last| {
        let mut sensed = NAMES.iter().filter_map(|(wants, ..)| wants.last());
        SENSORS.contains(&last) || sensed.any(|word| *word == last)
    })
}

/// What a name says is sensed: the last such thing; a door only says where the rest is, unless it is a fire door.
fn sensed(words: &[&str]) -> Option<&'static Name> {
    let mut found: Vec<(bool, usize, usize, &'static Name)> = Vec::new();
    for name in NAMES {
        let (wants, kind, ..) = name;
        let at = (0..words.len())
            .rfind(|at| words.get(*at..).is_some_and(|rest| rest.starts_with(wants)));
        let is_place = *kind == Kind::AccessDoorState && wants.len() == 1;
        found.extend(at.map(|at| (!is_place, at + wants.len(), wants.len(), name)));
    }
    found.sort_by_key(|(is_thing, end, length, _)| std::cmp::Reverse((*is_thing, *end, *length)));
    let is_sensed = |end: usize, (wants, ..): &Name| {
        let rest: Vec<&str> = (words.iter().skip(end).copied())
            .filter(|word| word.parse::<u16>().is_err())
            .collect();
        let is_sensor = |word: &&str| SENSORS.contains(word);
        let needs_sensor = wants.len() == 1 && wants.iter().all(|word| COMMON.contains(word));
        match rest.last() {
            None => true,
            Some(last) if is_sensor(last) => true,
            Some(_) if rest.iter().any(|word| OTHERS.contains(word)) => false,
            Some(_) => !needs_sensor || rest.iter().any(is_sensor),
        }
    };
    let best = found.iter().find(|(_, end, _, name)| is_sensed(*end, name));
    best.map(|(.., name)| *name)
}

/// The event of a named sensor that is on or off; a door that is on is open. None for names that say nothing.
pub fn binary(address: &str, component: &str, name: &str, is_on: bool) -> Option<Draft> {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let (_, kind, class, sensor) = sensed(&words)?;
    // a fault of what senses a fire
    let is_of_fire = || {
        let fires = NAMES
            .iter()
            .filter(|(_, kind, ..)| kind.as_str().starts_with("fire."));
        let mut wants = fires.filter_map(|(wants, ..)| wants.first());
        wants.any(|want| words.contains(want))
    };
    let kind = match kind {
        Kind::DeviceFault if is_of_fire() => &Kind::FireFault,
        kind => kind,
    };
    let draft = if *kind == Kind::AccessDoorState {
        let state = if is_on { "open" } else { "closed" };
        Draft::new(address, *class, *kind, Phase::Updated)
            .attr("state", state)
            .edge("state", state)
    } else {
        Draft::condition(address, *class, *kind, "state", is_on).attr("sensor", *sensor)
    };
    Some(if component.is_empty() {
        draft
    } else {
        draft.component(component)
    })
}

/// The state of a lock in the words of firmware.
pub fn lock(address: &str, component: &str, word: &str) -> Option<Draft> {
    let state = match word.to_ascii_lowercase().as_str() {
        "locked" => "locked",
        "unlocked" => "unlocked",
        "jammed" => "jammed",
        "open" | "opened" => "open",
        _ => return None,
    };
    let draft = Draft::new(
        address,
        DeviceClass::Access,
        Kind::AccessLockState,
        Phase::Updated,
    );
    Some(
        draft
            .component(component)
            .attr("state", state)
            .edge("state", state),
    )
}

/// Whether something can be reached.
pub fn reachable(address: &str, class: DeviceClass, is_reachable: bool) -> Draft {
    let (kind, phase, word) = if is_reachable {
        (Kind::DeviceOnline, Phase::Updated, "online")
    } else {
        (Kind::DeviceOffline, Phase::Raised, "offline")
    };
    Draft::new(address, class, kind, phase).edge("availability", word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_sensor_is() {
        let check = |name: &str, want: Option<Kind>| {
            let kind = binary("a", "", name, true).map(|draft| draft.kind);
            assert_eq!(kind, want, "{name}");
        };
        check("kitchen_smoke", Some(Kind::FireSmoke));
        check("Carbon-Monoxide", Some(Kind::FireCo));
        check("battery low", Some(Kind::DeviceBatteryLow));
        check("door_smoke", Some(Kind::FireSmoke));
        check("Door/Window", Some(Kind::AccessDoorState));
        check("color", None);
        check("fire_door", Some(Kind::AccessDoorState));
        check("smoke_front_door", Some(Kind::FireSmoke));
        check("fire_exit_gate", Some(Kind::AccessDoorState));
        check("smoke_kitchen", Some(Kind::FireSmoke));
        check("fire_alarm_hall", Some(Kind::FireDetector));
        check("boiler_room_smoke_detector", Some(Kind::FireSmoke));
        check("gas_leak", Some(Kind::FireGas));
        check("water_heater_leak", Some(Kind::EnvWaterLeak));
        check("smoke_sensor_fault", Some(Kind::FireFault));
        check("pump_fault", Some(Kind::DeviceFault));
        check("panic_button", Some(Kind::DeviceAlarmInput));
        check("glass_break", Some(Kind::DeviceAlarmInput));
        for nothing in [
            "smoke_detector_online",
            "gas_boiler_running",
            "heat_pump_running",
            "heat_demand",
            "fire_alarm_test_button",
            "water_heater",
            "water_pump",
            "gas-meter",
            "smoke_detector_battery",
            "door_bell",
        ] {
            check(nothing, None);
        }
        for (name, is) in [
            ("kitchen_smoke", true),
            ("smoke_detector", true),
            ("Kitchen smoke detector 2", true),
            ("smoke_detector_led", false),
            ("smoke_enabled", false),
            ("", false),
        ] {
            assert_eq!(is_of_a_sensor(name), is, "{name}");
        }
        check("", None);
    }
}
