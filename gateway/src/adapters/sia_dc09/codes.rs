//! The event codes of SIA DC-03, two letters: mostly a kind of zone and what happened to it (`FA` fire alarm, `FR` its restoral).

use domain::{Kind, Phase};

use super::Meaning;

/// What a code means and which part of the episode it is; none for what is no event of ours.
pub(super) fn meaning(code: [u8; 2]) -> Option<(Meaning, Phase)> {
    single(code).or_else(|| of_zone(code))
}

/// Whether a code is one of the list and nothing to us: schedules, users of the panel, its printer, listening in, the card of a door.
pub(super) fn is_no_event(code: [u8; 2]) -> bool {
    const NO_EVENTS: &str = "AB BC CD CE CI CO CR CT CX CZ DA DB DC DE DO DS DU DY EE EX HC JH JK JL JO JP JR JS JV JX JY JZ LD LE LF LU \
                             MI NC OC OH OI OL OT RA RC RD RN RO RP RT RU RY SC TC TW TZ VI VO VX VY VZ XA XE XF XI XW YB YN YO YY";
    let code = str::from_utf8(&code).unwrap_or_default();
    NO_EVENTS.split(' ').any(|known| known == code)
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
        b"YC" | b"YS" | b"LT" | b"NT" | b"XX" => (Kind::DeviceFault, "communication", Raised),
        b"YK" | b"LR" | b"NR" => (Kind::DeviceFault, "communication", Cleared),
        b"ET" | b"IA" | b"YA" | b"YX" | b"YI" | b"YW" | b"DT" | b"YD" | b"YF" | b"YU" | b"OU"
        | b"VT" => (Kind::DeviceFault, "system_trouble", Raised),
        b"ER" | b"IR" | b"YH" | b"YZ" | b"YJ" | b"YE" | b"OV" | b"VR" => {
            (Kind::DeviceFault, "system_trouble", Cleared)
        }
        b"EM" | b"BZ" | b"UY" | b"UZ" | b"XL" => (Kind::DeviceFault, "missing", Raised),
        b"EN" => (Kind::DeviceFault, "missing", Cleared),
        b"BS" | b"HS" | b"MS" | b"PS" | b"QS" | b"US" | b"WS" | b"ZS" => {
            (Kind::DeviceFault, "supervisory", Raised)
        }
        b"BD" => (Kind::DeviceFault, "swinger", Raised),
        b"BE" => (Kind::DeviceFault, "swinger", Cleared),
        // an analog detector wants to be cleaned or calibrated
        b"AS" => (Kind::FireFault, "analog_service", Raised),
        b"AN" => (Kind::FireFault, "analog_service", Cleared),
        b"FW" => (Kind::FireFault, "supervisory_trouble", Raised),
        b"FQ" => (Kind::FireFault, "supervisory_trouble", Cleared),
        b"FL" => (Kind::FireSilenced, "fire", Instant),
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
        b"DD" | b"DI" | b"DK" | b"DP" | b"DQ" | b"DV" | b"DW" | b"DZ" => {
            (Kind::AccessDenied, "access", Instant)
        }
        b"DG" => (Kind::AccessGranted, "access", Instant),
        b"DX" => (Kind::AccessRex, "access", Instant),
        b"EA" => (Kind::DeviceAlarmInput, "exit_alarm", Raised),
        b"UX" | b"XM" | b"CM" | b"EZ" => (Kind::DeviceAlarmInput, "untyped", Raised),
        // of somebody who lives alone
        b"NA" => (Kind::DeviceAlarmInput, "no_activity", Raised),
        b"NS" => (Kind::DeviceAlarmInput, "no_activity", Cleared),
        b"ES" | b"AA" => (Kind::DeviceTamper, "substituted", Raised),
        b"EJ" => (Kind::DeviceTamper, "substituted", Cleared),
        b"BB" | b"HB" | b"MB" | b"PB" | b"QB" | b"TB" | b"UB" | b"WB" | b"ZB" => {
            (Kind::DeviceConfigChanged, "bypassed", Instant)
        }
        b"BU" | b"HU" | b"MU" | b"PU" | b"QU" | b"TU" | b"UU" | b"WU" | b"ZU" => {
            (Kind::DeviceConfigChanged, "unbypassed", Instant)
        }
        b"OP" | b"OA" | b"OG" | b"OJ" | b"OK" | b"OQ" | b"OR" | b"OS" | b"OZ" => {
            (Kind::DeviceConfigChanged, "disarmed", Instant)
        }
        b"CL" | b"CA" | b"CF" | b"CG" | b"CJ" | b"CK" | b"CP" | b"CQ" | b"CS" | b"CW" | b"NL"
        | b"NF" | b"NM" => (Kind::DeviceConfigChanged, "armed", Instant),
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
        // `G` is an alarm that nobody has verified
        b'A' | b'M' => (alarm, Phase::Raised),
        b'G' if matches!(zone, b'B' | b'F' | b'U') => (alarm, Phase::Raised),
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
