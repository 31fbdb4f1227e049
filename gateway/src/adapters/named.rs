//! What the name of a sensor says where nothing else does: ids that people or firmware gave (`kitchen_smoke`, `front-door`, `Glass Break`).

use domain::{DeviceClass, Kind, Phase};

use super::draft::Draft;

/// Words of a name, what they mean, whose they are, and what the sensor is where the kind does not say. The first match counts.
const NAMES: &[(&[&str], Kind, DeviceClass, &str)] = &[
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

/// Whether a name ends with what is sensed, or with a word for a sensor: `kitchen_smoke`, `smoke_detector`, not `smoke_detector_led`.
pub fn is_of_a_sensor(name: &str) -> bool {
    const SENSORS: [&str; 5] = ["alarm", "detected", "detector", "sensor", "state"];
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    let last = words.rfind(|word| !word.is_empty() && word.parse::<u16>().is_err());
    last.is_some_and(|last| {
        let mut sensed = NAMES.iter().filter_map(|(wants, ..)| wants.last());
        SENSORS.contains(&last) || sensed.any(|word| *word == last)
    })
}

/// The event of a named sensor that is on or off; a door that is on is open. None for names that say nothing.
pub fn binary(address: &str, component: &str, name: &str, is_on: bool) -> Option<Draft> {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let (_, kind, class, sensor) = NAMES
        .iter()
        .find(|(wants, ..)| words.windows(wants.len()).any(|words| words == *wants))?;
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
