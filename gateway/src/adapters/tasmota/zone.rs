//! The IAS zone of a Zigbee device as Tasmota passes it on. Bits of the zone status: Zigbee Cluster Library, 8.2.2.2.1.3.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::draft::Draft;
use crate::adapters::text;

const ALARMS: u64 = 0b11;

/// A bit of the zone status, what it means, and its word.
const BITS: &[(u64, Kind, &str)] = &[
    (1 << 2, Kind::DeviceTamper, "tamper"),
    (1 << 3, Kind::DeviceBatteryLow, "battery_low"),
    (1 << 6, Kind::DeviceFault, "trouble"),
    (1 << 7, Kind::DevicePower, "ac_fault"),
    (1 << 8, Kind::DeviceTest, "test"),
    (1 << 9, Kind::DeviceFault, "battery_defect"),
];

/// Names that Tasmota gives the alarm bit by the type of the zone.
const NAMED: &[(&str, Kind, DeviceClass, &str)] = &[
    ("Fire", Kind::FireSmoke, DeviceClass::FireSensor, ""),
    ("Smoke", Kind::FireSmoke, DeviceClass::FireSensor, ""),
    ("CO", Kind::FireCo, DeviceClass::FireSensor, ""),
    ("Gas", Kind::FireGas, DeviceClass::FireSensor, ""),
    ("Water", Kind::EnvWaterLeak, DeviceClass::FireSensor, ""),
    (
        "Occupancy",
        Kind::CameraMotion,
        DeviceClass::Camera,
        "occupancy",
    ),
    (
        "Movement",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "vibration",
    ),
    (
        "Vibration",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "vibration",
    ),
    (
        "Panic",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "panic",
    ),
    (
        "PersonalAlarm",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "panic",
    ),
    (
        "Personal",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "panic",
    ),
    (
        "GlassBreak",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "glass_break",
    ),
];

/// The alarm bit by the type of the zone, where it is told beside the status (Zigbee Cluster Library, 8.2.2.2.1.2).
const TYPES: &[(i64, &str)] = &[
    (0x0d, "Occupancy"),
    (0x15, "Contact"),
    (0x28, "Fire"),
    (0x2a, "Water"),
    (0x2b, "CO"),
    (0x2c, "PersonalAlarm"),
    (0x2d, "Vibration"),
    // a remote control and a key fob
    (0x010f, "Panic"),
    (0x0115, "Panic"),
    (0x0226, "GlassBreak"),
];

/// What one device told.
pub(super) fn drafts(address: &str, attributes: &Map<String, Value>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut is_named = false;
    let typed = typed(attributes);
    let told = |name: &str| {
        let own = attributes.get(name).and_then(text::boolean);
        own.or_else(|| typed.filter(|(typed, _)| *typed == name).map(|(_, is)| is))
    };
    for (name, kind, class, sensor) in NAMED {
        if let Some(is_there) = told(name) {
            is_named = true;
            let draft = Draft::condition(address, *class, *kind, name, is_there);
            drafts.push(draft.attr("sensor", *sensor));
        }
    }
    let mode = attributes
        .get("AqaraVibrationMode")
        .and_then(Value::as_str)
        .filter(|mode| matches!(*mode, "vibrate" | "tilt" | "drop"));
    if let Some(mode) = mode {
        let (class, kind) = (DeviceClass::FireSensor, Kind::DeviceAlarmInput);
        let draft = Draft::new(address, class, kind, Phase::Instant);
        drafts.push(draft.attr("sensor", mode));
    }
    if let Some(is_open) = told("Contact") {
        is_named = true;
        let state = if is_open { "open" } else { "closed" };
        let draft = Draft::new(
            address,
            DeviceClass::Access,
            Kind::AccessDoorState,
            Phase::Updated,
        );
        drafts.push(draft.attr("state", state).edge("contact", state));
    }
    drafts.extend(lock(address, attributes));
    let Some(status) = status(attributes) else {
        return drafts;
    };
    if !is_named {
        // nobody says what kind of detector it is: the registry may
        let is_there = status & ALARMS != 0;
        drafts.push(Draft::condition(
            address,
            DeviceClass::FireSensor,
            Kind::DeviceAlarmInput,
            "zone",
            is_there,
        ));
    }
    for (bit, kind, word) in BITS {
        let is_there = status & bit != 0;
        let draft = Draft::condition(address, DeviceClass::FireSensor, *kind, word, is_there);
        let reason = (*kind == Kind::DeviceFault).then_some(*word);
        drafts.push(draft.attr("reason", reason));
    }
    drafts
}

/// A door lock (Zigbee Cluster Library, 7.3.2.10: `LockState` and `DoorState`).
fn lock(address: &str, attributes: &Map<String, Value>) -> Vec<Draft> {
    let number = |name: &str| attributes.get(name).and_then(text::integer);
    let lock = number("LockState").and_then(|state| match state {
        0 => Some("not_fully_locked"),
        1 => Some("locked"),
        2 => Some("unlocked"),
        _ => None,
    });
    let door = number("DoorState").and_then(|state| match state {
        0 => Some("open"),
        1 => Some("closed"),
        2 => Some("jammed"),
        3 => Some("forced"),
        _ => None,
    });
    let draft = |kind, phase| Draft::new(address, DeviceClass::Access, kind, phase);
    let lock = lock.map(|state| {
        let draft = draft(Kind::AccessLockState, Phase::Updated);
        draft.attr("state", state).edge("lock", state)
    });
    let state = door.map(|state| if state == "forced" { "open" } else { state });
    let state = state.map(|state| {
        let draft = draft(Kind::AccessDoorState, Phase::Updated);
        draft.attr("state", state).edge("contact", state)
    });
    let forced = door.map(|state| {
        let (class, kind) = (DeviceClass::Access, Kind::AccessForcedOpen);
        Draft::condition(address, class, kind, "forced_open", state == "forced")
    });
    lock.into_iter().chain(state).chain(forced).collect()
}

/// What the alarm bit is called by the type of its zone, and whether it is set.
fn typed(attributes: &Map<String, Value>) -> Option<(&'static str, bool)> {
    let number = text::integer(attributes.get("ZoneType")?)?;
    let (_, name) = TYPES.iter().find(|(known, _)| *known == number)?;
    Some((name, status(attributes)? & ALARMS != 0))
}

/// The zone status: named, as an attribute, or from the bytes of the notification.
fn status(attributes: &Map<String, Value>) -> Option<u64> {
    let number = ["ZoneStatusChange", "ZoneStatus", "0500/0002", "0500_0002"]
        .iter()
        .find_map(|name| text::integer(attributes.get(*name)?))
        .and_then(|number| u64::try_from(number).ok());
    number.or_else(|| {
        // `0500!00`, and with `?` or `<` for the direction in later versions
        attributes.iter().find_map(|(name, value)| {
            let rest = name.strip_prefix("0500")?;
            matches!(rest, "!00" | "?00" | "<00")
                .then(|| little_endian(value.as_str()?))
                .flatten()
        })
    })
}

/// The first two bytes of `010000FF0000`, low byte first.
fn little_endian(text: &str) -> Option<u64> {
    let bytes = hex::decode(text.get(..4)?).ok()?;
    match bytes.as_slice() {
        [low, high] => Some(u64::from(u16::from_le_bytes([*low, *high]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_status_comes_low_byte_first() {
        assert_eq!(little_endian("010000FF0000"), Some(1));
        assert_eq!(little_endian("0001"), Some(0x0100));
        assert_eq!(little_endian("01"), None);
        assert_eq!(little_endian("zz00"), None);
    }
}
