//! What the numbers of the standard mean: types of components (table 5), of systems (table 4), of analog values (table 6).

use domain::Kind;

/// What a component of this type raises when it tells of a fire, and what it is called.
pub(super) fn component(kind: u8) -> (Kind, &'static str) {
    match kind {
        10..=13 | 74 => (Kind::FireGas, "gas"),
        16..=18 => (Kind::FireDetector, "electrical_fire"),
        23 => (Kind::FireManualCall, "manual_call_point"),
        24 => (Kind::FireManualCall, "hydrant_button"),
        30..=37 => (Kind::FireHeat, "heat"),
        40..=44 => (Kind::FireSmoke, "smoke"),
        50..=53 => (Kind::FireDetector, "combined"),
        61 | 62 | 69 => (Kind::FireFlame, "flame"),
        78 => (Kind::FireDetector, "image"),
        84..=88 => (Kind::FireDetector, "module"),
        91..=96 => (Kind::FireDetector, "pump"),
        97..=101 => (Kind::FireDetector, "valve"),
        102 | 117 | 118 => (Kind::FireDetector, "fire_door"),
        111..=116 => (Kind::FireDetector, "smoke_exhaust"),
        121 => (Kind::FireDetector, "sounder"),
        1 => (Kind::FireDetector, "controller"),
        _ => (Kind::FireDetector, ""),
    }
}

/// Whether components of this type can be started. Detectors cannot: vendors set the bit to say that they run.
pub(super) fn can_start(kind: u8) -> bool {
    !matches!(kind, 10..=79)
}

/// An analog value in its unit: what is measured, factor, unit. None for the user's own types.
pub(super) fn analog(kind: u8) -> Option<(&'static str, f64, &'static str)> {
    Some(match kind {
        1 => ("count", 1.0, ""),
        2 => ("height", 0.01, "m"),
        3 => ("temperature", 0.1, "°C"),
        4 => ("pressure", 0.1, "MPa"),
        5 => ("pressure", 0.1, "kPa"),
        6 => ("gas", 0.1, "%LEL"),
        7 => ("time", 1.0, "s"),
        8 => ("voltage", 0.1, "V"),
        9 => ("current", 0.1, "A"),
        10 => ("flow", 0.1, "L/s"),
        11 => ("air_volume", 0.1, "m³/min"),
        12 => ("wind_speed", 1.0, "m/s"),
        _ => return None,
    })
}
