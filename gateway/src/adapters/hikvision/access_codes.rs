//! The codes of door controllers (`NET_DVR_ACS_ALARM_INFO`, major and minor type), as data.

use domain::Kind;

/// What a code tells.
pub(super) enum Meaning {
    /// Somebody was let in, and how they showed who they are.
    Granted(&'static str),
    /// Somebody was not: how they tried, and why not.
    Denied(&'static str, &'static str),
    /// Something else that happened.
    Fact(Kind, &'static str),
    /// The door leaf: `open` or `closed`.
    Door(&'static str),
    /// The lock: `locked` or `unlocked`.
    Lock(&'static str),
    /// An alarm that has no end of its own.
    Alarm(Kind, &'static str),
    /// A condition that began or ended.
    Condition(Kind, &'static str, bool),
}

/// The meaning of a code; none for what is of no interest.
pub(super) fn meaning(major: i64, minor: i64) -> Option<Meaning> {
    match major {
        1 => alarm(minor),
        2 => exception(minor),
        3 => operation(minor),
        5 => event(minor),
        _ => None,
    }
}

/// Major 5.
fn event(minor: i64) -> Option<Meaning> {
    use Meaning::{Alarm, Condition, Denied, Door, Fact, Granted, Lock};
    Some(match minor {
        0x01 => Granted("card"),
        0x02 | 0x10 | 0x22 | 0x28 | 0x2b | 0x2e | 0x36 | 0x39 | 0x3c | 0x3f | 0x42 | 0x48
        | 0x69 | 0x99 => Granted("multi"),
        0x26 | 0x45 => Granted("fingerprint"),
        0x4b | 0x4d => Granted("face"),
        0x65 | 0xb5 | 0xd6 => Granted("pin"),
        0x9c => Granted("qr"),
        0x9e | 0x400 => Granted("remote"),
        0x03 | 0x29 | 0x2c | 0x2f | 0x37 | 0x3a | 0x3d | 0x40 | 0x43 | 0x49 | 0x70 => {
            Denied("multi", "not_verified")
        }
        0x04 | 0x05 | 0x24 | 0x2a | 0x2d | 0x30 | 0x38 | 0x3b | 0x3e | 0x41 | 0x44 | 0x4a
        | 0x9a => Denied("multi", "timeout"),
        0x06 => Denied("card", "no_right"),
        0x07 => Denied("card", "invalid_period"),
        0x08 => Denied("card", "expired"),
        0x09 => Denied("card", "unknown_card"),
        0x0a => Fact(Kind::AccessAntiPassback, "anti_passback"),
        0x0b => Denied("card", "interlock"),
        0x0c..=0x0f | 0x23 => Denied("multi", "not_verified"),
        0x13 | 0x15 | 0x11 => Lock("unlocked"),
        0x14 | 0x16 | 0x12 | 0x1f => Lock("locked"),
        0x17 => Fact(Kind::AccessRex, "button"),
        0x19 => Door("open"),
        0x1a => Door("closed"),
        0x1b | 0x87 => Alarm(Kind::AccessForcedOpen, "forced"),
        0x1c => Alarm(Kind::AccessHeldOpen, "held"),
        0x25 => Fact(Kind::AccessCall, "doorbell"),
        0x33 => Fact(Kind::AccessCall, "call_center"),
        0x27 | 0x46 => Denied("fingerprint", "not_verified"),
        0x31 => Denied("fingerprint", "unknown_fingerprint"),
        0x47 => Denied("fingerprint", "timeout"),
        0x34 => Condition(Kind::FireFeedback, "fire_relay", true),
        0x35 => Condition(Kind::FireFeedback, "fire_relay", false),
        0x4c | 0x4e => Denied("face", "not_verified"),
        0x4f => Denied("face", "timeout"),
        0x50 => Denied("face", "not_recognised"),
        0x53..=0x5d => Alarm(Kind::DeviceFault, "door_wiring"),
        0x5e => Denied("card", "no_first_card"),
        0x66 | 0x67 | 0x96 | 0x97 => Denied("pin", "wrong_pin"),
        0x68 => Denied("face", "not_alive"),
        0x71 => Denied("card", "blacklisted"),
        0x75 | 0x76 | 0x82 | 0x84 => Denied("card", "dormant"),
        0x77 | 0xa2..=0xa4 => Denied("card", "encryption"),
        0x85 => Fact(Kind::AccessTailgate, "tailgate"),
        0x86 => Denied("", "wrong_way"),
        0x88 => Alarm(Kind::AccessForcedOpen, "climbed_over"),
        0x8a => Alarm(Kind::AccessForcedOpen, "intrusion"),
        0x8b => Denied("", "not_verified"),
        0x8c => Condition(Kind::DeviceFault, "arm_blocked", true),
        0x8d => Condition(Kind::DeviceFault, "arm_blocked", false),
        0x94 => Denied("pin", "too_many_attempts"),
        0x98 => Denied("", "unknown_person"),
        0x9b => Denied("", "wrong_method"),
        0x9d => Denied("qr", "not_verified"),
        0x9f => Granted("bluetooth"),
        0xa0 => Denied("bluetooth", "not_verified"),
        0xa1 => Denied("card", "not_verified"),
        0xa8..=0xaa => Denied("card", "wrong_method"),
        0xc3 => Denied("pin", "expired"),
        _ => return None,
    })
}

/// Major 1.
fn alarm(minor: i64) -> Option<Meaning> {
    use Meaning::{Condition, Denied, Fact};
    Some(match minor {
        0x400..=0x402 => Condition(Kind::DeviceFault, "zone_wiring", true),
        0x403 => Condition(Kind::DeviceFault, "zone_wiring", false),
        0x404 => Condition(Kind::DeviceTamper, "tamper", true),
        0x405 => Condition(Kind::DeviceTamper, "tamper", false),
        0x406 => Condition(Kind::DeviceTamper, "reader_tamper", true),
        0x407 => Condition(Kind::DeviceTamper, "reader_tamper", false),
        0x408 => Condition(Kind::DeviceAlarmInput, "event_input", true),
        0x409 => Condition(Kind::DeviceAlarmInput, "event_input", false),
        0x40a => Fact(Kind::AccessDuress, "duress"),
        0x40c => Denied("card", "too_many_attempts"),
        0x40f => Condition(Kind::DeviceTamper, "module_tamper", true),
        0x410 => Condition(Kind::DeviceTamper, "module_tamper", false),
        0x415 | 0x416 => Condition(Kind::FireFault, "fire_input_wiring", true),
        0x417 => Condition(Kind::FireFault, "fire_input_wiring", false),
        0x418 => Condition(Kind::FireManualCall, "fire_button", true),
        0x419 => Condition(Kind::FireManualCall, "fire_button", false),
        0x41c => Condition(Kind::DeviceAlarmInput, "emergency_button", true),
        0x41d => Condition(Kind::DeviceAlarmInput, "emergency_button", false),
        0x41e | 0x422 => Condition(Kind::DeviceTamper, "controller_tamper", true),
        0x41f | 0x423 => Condition(Kind::DeviceTamper, "controller_tamper", false),
        0x424 => Condition(Kind::FireDetector, "fire_input", true),
        0x425 => Condition(Kind::FireDetector, "fire_input", false),
        _ => return None,
    })
}

/// Major 2.
fn exception(minor: i64) -> Option<Meaning> {
    use Meaning::Condition;
    Some(match minor {
        0x27 => Condition(Kind::DeviceFault, "network", true),
        0x407 => Condition(Kind::DeviceFault, "network", false),
        0x3a => Condition(Kind::DeviceFault, "rs485", true),
        0x3b => Condition(Kind::DeviceFault, "rs485", false),
        0x403 | 0x411 => Condition(Kind::DeviceBatteryLow, "battery_low", true),
        0x404 | 0x412 => Condition(Kind::DeviceBatteryLow, "battery_low", false),
        0x405 => Condition(Kind::DevicePower, "mains", true),
        0x406 => Condition(Kind::DevicePower, "mains", false),
        0x408 => Condition(Kind::DeviceFault, "flash", true),
        0x409 => Condition(Kind::DeviceFault, "reader_offline", true),
        0x40a => Condition(Kind::DeviceFault, "reader_offline", false),
        0x40d | 0x417 => Condition(Kind::DeviceFault, "controller_offline", true),
        0x40e | 0x418 => Condition(Kind::DeviceFault, "controller_offline", false),
        0x40f => Condition(Kind::DeviceFault, "module_offline", true),
        0x410 => Condition(Kind::DeviceFault, "module_offline", false),
        0x421 => Condition(Kind::DeviceFault, "camera", true),
        0x422 => Condition(Kind::DeviceFault, "camera", false),
        _ => return None,
    })
}

/// Major 3: what operators did. Only what moves a door is told.
fn operation(minor: i64) -> Option<Meaning> {
    Some(match minor {
        0x400 | 0x41d => Meaning::Granted("remote"),
        0x402 | 0x41e => Meaning::Lock("unlocked"),
        0x403 => Meaning::Lock("locked"),
        0x40f => Meaning::Granted("pin"),
        _ => return None,
    })
}
