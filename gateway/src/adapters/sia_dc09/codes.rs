//! The event codes of SIA DC-03, two letters: mostly a kind of zone and what happened to it (`FA` fire alarm, `FR` its restoral).

use domain::{Kind, Phase};

use super::Meaning;

/// What a code means and which part of the episode it is; none for what is no event of ours.
pub(super) fn meaning(code: [u8; 2]) -> Option<(Meaning, Phase)> {
    single(code).or_else(|| of_zone(code))
}

/// Codes that mean something by themselves.
fn single(code: [u8; 2]) -> Option<(Meaning, Phase)> {
    use Phase::{Cleared, Instant, Raised, Updated};
    let (kind, what, phase) = match &code {
        b"AT" => (Kind::DevicePower, "mains", Raised),
        b"AR" => (Kind::DevicePower, "mains", Cleared),
        b"YP" => (Kind::DevicePower, "supply", Raised),
        b"YQ" => (Kind::DevicePower, "supply", Cleared),
        b"YT" | b"YM" | b"XT" => (Kind::DeviceBatteryLow, "battery", Raised),
        b"YR" | b"XR" => (Kind::DeviceBatteryLow, "battery", Cleared),
        b"YC" | b"YS" | b"LT" | b"NT" => (Kind::DeviceFault, "communication", Raised),
        b"YK" | b"LR" | b"NR" => (Kind::DeviceFault, "communication", Cleared),
        b"ET" | b"IA" | b"YA" | b"YX" | b"YI" | b"YW" | b"DT" => {
            (Kind::DeviceFault, "system_trouble", Raised)
        }
        b"ER" | b"IR" | b"YH" | b"YZ" | b"YJ" => (Kind::DeviceFault, "system_trouble", Cleared),
        b"XQ" => (Kind::DeviceFault, "radio_interference", Raised),
        b"XH" => (Kind::DeviceFault, "radio_interference", Cleared),
        b"XS" | b"JA" | b"TA" | b"TT" => (Kind::DeviceTamper, "tamper", Raised),
        b"XJ" | b"JC" | b"TR" | b"TH" | b"TJ" => (Kind::DeviceTamper, "tamper", Cleared),
        b"FI" | b"TS" => (Kind::DeviceTest, "test", Raised),
        b"FK" | b"TE" => (Kind::DeviceTest, "test", Cleared),
        b"RX" | b"TX" | b"TP" | b"FX" | b"GX" | b"BX" => (Kind::DeviceTest, "test", Instant),
        b"FY" => (Kind::FireFault, "missing", Raised),
        b"FZ" => (Kind::FireSupervisory, "missing", Raised),
        b"FV" => (Kind::FireSupervisory, "missing", Cleared),
        b"RR" => (Kind::DeviceOnline, "power_up", Updated),
        b"DF" | b"DJ" => (Kind::AccessForcedOpen, "access", Raised),
        b"DL" | b"DM" | b"DN" => (Kind::AccessHeldOpen, "access", Raised),
        b"DH" => (Kind::AccessHeldOpen, "access", Cleared),
        b"DR" => (Kind::AccessForcedOpen, "access", Cleared),
        b"DD" | b"DK" | b"DP" | b"DQ" | b"DV" | b"DW" => (Kind::AccessDenied, "access", Instant),
        b"DG" => (Kind::AccessGranted, "access", Instant),
        b"DX" => (Kind::AccessRex, "access", Instant),
        b"EA" => (Kind::DeviceAlarmInput, "exit_alarm", Raised),
        b"UX" | b"XM" => (Kind::DeviceAlarmInput, "untyped", Raised),
        b"ES" | b"AA" => (Kind::DeviceTamper, "substituted", Raised),
        b"EJ" => (Kind::DeviceTamper, "substituted", Cleared),
        b"OP" | b"OA" | b"OG" | b"OJ" | b"OK" | b"OQ" | b"OR" | b"OS" | b"OZ" => {
            (Kind::DeviceConfigChanged, "disarmed", Instant)
        }
        b"CL" | b"CA" | b"CF" | b"CG" | b"CJ" | b"CK" | b"CP" | b"CQ" | b"CS" | b"CW" | b"NL"
        | b"NF" => (Kind::DeviceConfigChanged, "armed", Instant),
        b"LB" | b"LX" | b"LS" | b"RB" | b"RS" | b"YG" => {
            (Kind::DeviceConfigChanged, "programming", Instant)
        }
        b"JT" | b"JD" => (Kind::DeviceTimeSync, "time_set", Instant),
        _ => return None,
    };
    Some((Meaning { kind, what }, phase))
}

/// A kind of zone, and what happened to it.
fn of_zone([zone, what]: [u8; 2]) -> Option<(Meaning, Phase)> {
    let (alarm, name, is_fire) = match zone {
        b'F' => (Kind::FireDetector, "fire", true),
        b'K' => (Kind::FireHeat, "heat", true),
        b'S' => (Kind::FireDetector, "sprinkler", true),
        b'G' => (Kind::FireGas, "gas", true),
        b'W' => (Kind::EnvWaterLeak, "water_leak", false),
        b'B' => (Kind::DeviceAlarmInput, "burglary", false),
        b'H' => (Kind::DeviceAlarmInput, "holdup", false),
        b'M' => (Kind::DeviceAlarmInput, "medical", false),
        b'P' => (Kind::DeviceAlarmInput, "panic", false),
        b'Q' => (Kind::DeviceAlarmInput, "emergency", false),
        b'U' => (Kind::DeviceAlarmInput, "untyped", false),
        b'Z' => (Kind::DeviceAlarmInput, "freeze", false),
        _ => return None,
    };
    let fault = if is_fire {
        Kind::FireFault
    } else {
        Kind::DeviceFault
    };
    let (kind, phase) = match what {
        b'A' | b'M' => (alarm, Phase::Raised),
        // of others `V` and `C` are no alarm: `FV` ends a supervision, `SC` is a change of state
        b'V' if zone == b'B' => (alarm, Phase::Raised),
        b'C' if matches!(zone, b'B' | b'F') => (alarm, Phase::Cleared),
        b'R' | b'H' => (alarm, Phase::Cleared),
        b'T' => (fault, Phase::Raised),
        b'J' => (fault, Phase::Cleared),
        b'S' if is_fire => (Kind::FireSupervisory, Phase::Raised),
        b'B' if is_fire => (Kind::FireShielded, Phase::Raised),
        b'U' if is_fire => (Kind::FireShielded, Phase::Cleared),
        _ => return None,
    };
    Some((Meaning { kind, what: name }, phase))
}
