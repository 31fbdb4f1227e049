//! Contact ID: the event codes of SIA DC-05, three digits behind a qualifier.

use domain::Kind;

use super::Meaning;

/// What a code means; none for what is no event of ours (listen-in, event logs, the daily test).
pub(super) fn meaning(code: u16) -> Option<Meaning> {
    let (kind, what) = match code {
        100..=109 => (Kind::DeviceAlarmInput, "medical"),
        110 => (Kind::FireDetector, "fire"),
        111 => (Kind::FireSmoke, "smoke"),
        112 => (Kind::FireDetector, "combustion"),
        113 => (Kind::FireDetector, "waterflow"),
        114 => (Kind::FireHeat, "heat"),
        115 => (Kind::FireManualCall, "pull_station"),
        116 => (Kind::FireSmoke, "duct"),
        117 => (Kind::FireFlame, "flame"),
        118 => (Kind::FireSupervisory, "near_alarm"),
        121 => (Kind::AccessDuress, "duress"),
        120..=129 => (Kind::DeviceAlarmInput, "panic"),
        137 | 144 | 145 | 383 => (Kind::DeviceTamper, "tamper"),
        130..=139 => (Kind::DeviceAlarmInput, "burglary"),
        143 => (Kind::DeviceFault, "expansion"),
        146 => (Kind::DeviceAlarmInput, "silent_burglary"),
        151 => (Kind::FireGas, "gas"),
        154 => (Kind::EnvWaterLeak, "water_leak"),
        158 => (Kind::FireHeat, "high_temperature"),
        162 => (Kind::FireCo, "carbon_monoxide"),
        200..=206 => (Kind::FireSupervisory, "supervisory"),
        301 => (Kind::DevicePower, "mains"),
        302 | 309 | 311 | 384 => (Kind::DeviceBatteryLow, "battery"),
        312 | 337 | 342 => (Kind::DevicePower, "supply"),
        350..=359 => (Kind::DeviceFault, "communication"),
        373 | 385..=388 => (Kind::FireFault, "fire_trouble"),
        380..=382 => (Kind::DeviceFault, "sensor"),
        421 | 461 => (Kind::AccessDenied, "access"),
        422 => (Kind::AccessGranted, "access"),
        423 => (Kind::AccessForcedOpen, "access"),
        424 => (Kind::AccessDenied, "egress"),
        425 => (Kind::AccessGranted, "egress"),
        426 => (Kind::AccessHeldOpen, "access"),
        400..=409 | 441 | 442 | 451 | 452 | 455 | 456 => (Kind::DeviceConfigChanged, "arming"),
        571 => (Kind::FireShielded, "bypass"),
        601 | 604 | 607 => (Kind::DeviceTest, "test"),
        608 => (Kind::DeviceFault, "test_with_trouble"),
        625 => (Kind::DeviceTimeSync, "time_set"),
        627 | 628 => (Kind::DeviceConfigChanged, "programming"),
        _ => match code / 100 {
            1 => (Kind::DeviceAlarmInput, "general"),
            3 => (Kind::DeviceFault, "system_trouble"),
            _ => return None,
        },
    };
    Some(Meaning { kind, what })
}

/// Whether the third number of this code is a user, not a zone.
pub(super) fn is_of_a_user(code: u16) -> bool {
    matches!(code, 121 | 400..=469 | 625..=632)
}
