//! Shelly BLU: sensors that a Shelly hears over Bluetooth and whose beacons a script of it passes on, in `NotifyEvent` (`shelly-blu`) or on a
//! topic of its own. Members: `BTHome` v2 as `ble-shelly-blu.js` of Shelly's script examples names them.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::draft::{Draft, Reading};
use crate::adapters::text;

/// Members that are a condition by themselves.
const CONDITIONS: &[(&str, Kind, DeviceClass, &str)] = &[
    ("smoke", Kind::FireSmoke, DeviceClass::FireSensor, ""),
    ("gas", Kind::FireGas, DeviceClass::FireSensor, ""),
    ("carbon_monoxide", Kind::FireCo, DeviceClass::FireSensor, ""),
    ("moisture", Kind::EnvWaterLeak, DeviceClass::FireSensor, ""),
    ("tamper", Kind::DeviceTamper, DeviceClass::FireSensor, ""),
    ("motion", Kind::CameraMotion, DeviceClass::Camera, "motion"),
    (
        "vibration",
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
        "vibration",
    ),
];
/// Members that say whether something is open.
const DOORS: [&str; 4] = ["window", "door", "garage_door", "opening"];

/// A beacon: it names its format and its sender.
pub(super) fn heard(data: &Value) -> Option<&Map<String, Value>> {
    let data = data.as_object()?;
    let is_beacon = data.contains_key("BTHome_version");
    (is_beacon && data.get("address").is_some_and(Value::is_string)).then_some(data)
}

/// What a beacon tells.
pub(super) fn read(heard: &Map<String, Value>) -> Reading {
    let address = heard.get("address").and_then(text::word);
    let address = address.unwrap_or_default();
    let truth = |name: &str| heard.get(name).and_then(text::boolean);
    let conditions = CONDITIONS.iter().filter_map(|(name, kind, class, sensor)| {
        let draft = Draft::condition(address.as_str(), *class, *kind, name, truth(name)?);
        Some(draft.attr("sensor", *sensor))
    });
    let door = DOORS.iter().find_map(|name| truth(name)).map(|is_open| {
        let state = if is_open { "open" } else { "closed" };
        let (class, kind) = (DeviceClass::Access, Kind::AccessDoorState);
        Draft::new(address.as_str(), class, kind, Phase::Updated)
            .attr("state", state)
            .edge("contact", state)
    });
    let charge = heard.get("battery").and_then(text::number);
    Reading {
        charges: Vec::from_iter(charge.map(|percent| (address.clone(), percent))),
        ..conditions.chain(door).collect::<Vec<_>>().into()
    }
    .spoken_by(address)
}
