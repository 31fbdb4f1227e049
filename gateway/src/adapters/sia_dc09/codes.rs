//! The event codes of SIA DC-03, two letters: mostly a kind of zone and what happened to it (`FA` fire alarm, `FR` its restoral). With them
//! those that Ajax adds to the list (`pysiaalarm`, `data/sia_codes.json`; home-assistant/core#103615): night modes, photographs, lost devices.

use domain::{Kind, Phase};

use super::Meaning;

/// What a code means and which part of the episode it is, each thing that it tells; nothing for what is no event of ours.
pub(super) fn meanings(code: [u8; 2]) -> Vec<(Meaning, Phase)> {
    match (&code, single(code)) {
        // the trouble of a door is over, whichever it was
        (b"DR", _) => [Kind::AccessForcedOpen, Kind::AccessHeldOpen]
            .map(|kind| {
                (
                    Meaning {
                        kind,
                        what: "access",
                    },
                    Phase::Cleared,
                )
            })
            .into(),
        (_, Some(one)) => vec![one],
        (_, None) => of_zone(code),
    }
}

/// What the number behind a code counts. Where the list gives it none, it is the panel itself.
pub(super) fn part_of(code: [u8; 2]) -> &'static str {
    match &code {
        b"LT" | b"LR" | b"YD" | b"YE" => "line",
        b"EM" | b"EN" | b"ET" | b"ER" | b"EJ" | b"ES" => "expander",
        b"OU" | b"OV" => "output",
        b"NT" | b"NR" => "network",
        b"VT" | b"VR" => "printer",
        b"XQ" | b"XH" | b"XS" | b"XJ" | b"XL" | b"XC" => "receiver",
        b"BV" | b"FI" | b"FK" | b"JA" | b"JC" | b"CA" | b"CG" | b"CW" | b"NL" | b"NF" | b"NM"
        | b"OA" | b"OG" | b"OB" | b"NB" | b"ND" | b"NE" | b"NO" | b"CC" => "area",
        b"BC" | b"CF" | b"CJ" | b"CK" | b"CL" | b"CP" | b"CQ" | b"OP" | b"OJ" | b"OK" | b"OQ"
        | b"OR" | b"JT" | b"JD" | b"RX" | b"ZY" | b"ZZ" => "user",
        b"AT"
        | b"AR"
        | b"AA"
        | b"DT"
        | b"LB"
        | b"LS"
        | b"LX"
        | b"RB"
        | b"RR"
        | b"RS"
        | b"TE"
        | b"TS"
        | b"TX"
        | b"XX"
        | [b'Y', _] => "panel",
        [b'D', _] => "door",
        _ => "zone",
    }
}

/// Whether the end of this trouble is told under the same name, so that it ends nothing else.
pub(super) fn has_own_end(meaning: &Meaning) -> bool {
    const ENDLESS: [&str; 4] = [
        "missing_point",
        "substituted",
        "supervisory",
        "system_trouble",
    ];
    !ENDLESS.contains(&meaning.what)
}

/// Whether a code is one of the list and nothing to us: schedules, users of the panel, its printer, listening in, the card of a door.
pub(super) fn is_no_event(code: [u8; 2]) -> bool {
    const NO_EVENTS: &str = "AB CD CE CI CO CR CT CX CZ DA DB DC DE DO DS DU DY EE EX HC JH JK JL JO JP JR JS JV JX JY JZ LD LE LF LU \
                             MI NC OC OH OI OL OT PC PD PE PG RA RC RD RN RO RP RT RU RY SC TC TW TZ VI VO VX VY VZ XA XE XF XI XW YB YN YO YY";
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
        b"YC" | b"YS" | b"XX" => (Kind::DeviceFault, "communication", Raised),
        b"YK" => (Kind::DeviceFault, "communication", Cleared),
        b"LT" => (Kind::DeviceFault, "phone_line", Raised),
        b"LR" => (Kind::DeviceFault, "phone_line", Cleared),
        b"NT" => (Kind::DeviceFault, "network", Raised),
        b"NR" => (Kind::DeviceFault, "network", Cleared),
        b"ET" => (Kind::DeviceFault, "expander", Raised),
        b"ER" => (Kind::DeviceFault, "expander", Cleared),
        b"IA" => (Kind::DeviceFault, "equipment", Raised),
        b"IR" => (Kind::DeviceFault, "equipment", Cleared),
        b"YA" => (Kind::DeviceFault, "bell", Raised),
        b"YH" => (Kind::DeviceFault, "bell", Cleared),
        b"YX" => (Kind::DeviceFault, "service", Raised),
        b"YZ" => (Kind::DeviceFault, "service", Cleared),
        b"YI" => (Kind::DeviceFault, "overcurrent", Raised),
        b"YJ" => (Kind::DeviceFault, "overcurrent", Cleared),
        b"YD" => (Kind::DeviceFault, "line_card", Raised),
        b"YE" => (Kind::DeviceFault, "line_card", Cleared),
        b"OU" => (Kind::DeviceFault, "output", Raised),
        b"OV" => (Kind::DeviceFault, "output", Cleared),
        b"VT" => (Kind::DeviceFault, "printer", Raised),
        b"VR" => (Kind::DeviceFault, "printer", Cleared),
        b"YW" | b"DT" | b"YF" | b"YU" => (Kind::DeviceFault, "system_trouble", Raised),
        b"EM" => (Kind::DeviceFault, "missing", Raised),
        b"EN" => (Kind::DeviceFault, "missing", Cleared),
        b"BZ" | b"UY" => (Kind::DeviceFault, "missing_point", Raised),
        b"XL" => (Kind::DeviceFault, "weak_signal", Raised),
        b"XC" => (Kind::DeviceFault, "weak_signal", Cleared),
        // a camera's photographs do not arrive; a detector of leaks is broken
        b"PF" => (Kind::DeviceFault, "photo_channel", Raised),
        b"PO" => (Kind::DeviceFault, "photo_channel", Cleared),
        b"SM" => (Kind::DeviceFault, "leak_detector", Raised),
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
        b"XS" | b"ES" | b"JA" | b"TA" | b"TT" => (Kind::DeviceTamper, "tamper", Raised),
        b"XJ" | b"EJ" | b"JC" | b"TR" | b"TH" | b"TJ" => (Kind::DeviceTamper, "tamper", Cleared),
        b"FI" | b"TS" => (Kind::DeviceTest, "test", Raised),
        b"FK" | b"TE" => (Kind::DeviceTest, "test", Cleared),
        b"RX" | b"TX" | b"TP" | b"FX" | b"GX" | b"BX" => (Kind::DeviceTest, "test", Instant),
        b"FY" => (Kind::FireFault, "missing_point", Raised),
        b"FZ" => (Kind::FireSupervisory, "missing", Raised),
        b"FV" => (Kind::FireSupervisory, "missing", Cleared),
        b"RR" => (Kind::DeviceOnline, "power_up", Updated),
        b"ZY" => (Kind::DeviceOnline, "switched_on", Updated),
        b"ZZ" => (Kind::DeviceOffline, "switched_off", Raised),
        // somebody was made to leave the night mode
        b"ND" => (Kind::AccessDuress, "duress", Instant),
        b"DF" | b"DJ" => (Kind::AccessForcedOpen, "access", Raised),
        b"DL" | b"DM" | b"DN" => (Kind::AccessHeldOpen, "access", Raised),
        b"DH" => (Kind::AccessHeldOpen, "access", Cleared),
        b"DI" => (Kind::AccessAntiPassback, "access", Instant),
        b"DD" | b"DK" | b"DP" | b"DQ" | b"DV" | b"DW" | b"DZ" => {
            (Kind::AccessDenied, "access", Instant)
        }
        b"DG" => (Kind::AccessGranted, "access", Instant),
        b"DX" => (Kind::AccessRex, "access", Instant),
        b"EA" => (Kind::DeviceAlarmInput, "exit_alarm", Raised),
        // `UZ` is a point that was armed and is gone
        b"UX" | b"UZ" | b"XM" | b"CM" | b"EZ" => (Kind::DeviceAlarmInput, "untyped", Raised),
        // of somebody who lives alone
        b"NA" => (Kind::DeviceAlarmInput, "no_activity", Raised),
        b"NS" => (Kind::DeviceAlarmInput, "no_activity", Cleared),
        b"AA" => (Kind::DeviceTamper, "substituted", Raised),
        b"BB" | b"HB" | b"MB" | b"PB" | b"QB" | b"TB" | b"UB" | b"WB" | b"ZB" => {
            (Kind::DeviceConfigChanged, "bypassed", Instant)
        }
        b"BU" | b"HU" | b"MU" | b"PU" | b"QU" | b"TU" | b"UU" | b"WU" | b"ZU" => {
            (Kind::DeviceConfigChanged, "unbypassed", Instant)
        }
        b"OP" | b"OA" | b"OB" | b"OG" | b"OJ" | b"OK" | b"OQ" | b"OR" | b"OS" | b"OZ" | b"NO"
        | b"NP" => (Kind::DeviceConfigChanged, "disarmed", Instant),
        b"CC" | b"NE" => (Kind::DeviceConfigChanged, "arming_failed", Instant),
        b"CL" | b"CA" | b"CF" | b"CG" | b"CJ" | b"CK" | b"CP" | b"CQ" | b"CS" | b"CW" | b"NB"
        | b"NL" | b"NF" | b"NM" => (Kind::DeviceConfigChanged, "armed", Instant),
        b"LB" | b"LX" | b"LS" | b"RB" | b"RS" | b"YG" => {
            (Kind::DeviceConfigChanged, "programming", Instant)
        }
        // its number is who cancelled, not what
        b"BC" => (Kind::DeviceConfigChanged, "cancelled", Instant),
        b"JT" | b"JD" => (Kind::DeviceTimeSync, "time_set", Instant),
        _ => return None,
    };
    Some((Meaning { kind, what }, phase))
}

/// A kind of zone, and what happened to it.
fn of_zone([zone, what]: [u8; 2]) -> Vec<(Meaning, Phase)> {
    let (alarm, name, is_fire) = match zone {
        b'F' => (Kind::FireDetector, "fire", true),
        b'K' => (Kind::FireHeat, "heat", true),
        b'S' => (Kind::FireDetector, "sprinkler", true),
        b'G' => (Kind::FireGas, "gas", true),
        b'W' => (Kind::EnvWaterLeak, "water_leak", false),
        b'B' => (Kind::DeviceAlarmInput, "burglary", false),
        // the list says: a silent alarm, somebody is under duress
        b'H' => (Kind::AccessDuress, "holdup", false),
        b'M' => (Kind::DeviceAlarmInput, "medical", false),
        b'P' => (Kind::DeviceAlarmInput, "panic", false),
        b'Q' => (Kind::DeviceAlarmInput, "emergency", false),
        b'U' => (Kind::DeviceAlarmInput, "untyped", false),
        b'Z' => (Kind::DeviceAlarmInput, "freeze", false),
        _ => return Vec::new(),
    };
    let fault = if is_fire {
        Kind::FireFault
    } else {
        Kind::DeviceFault
    };
    let (kinds, phase) = match what {
        // `M` is an alarm that another zone has verified, `G` one that nobody has
        b'A' => (vec![alarm], Phase::Raised),
        b'M' if matches!(zone, b'B' | b'F') => (vec![alarm], Phase::Raised),
        b'G' if matches!(zone, b'B' | b'F' | b'U') => (vec![alarm], Phase::Raised),
        // of others `V` and `C` are no alarm: `FV` ends a supervision, `SC` is a change of state, `BC` names a user
        b'V' if zone == b'B' => (vec![alarm], Phase::Raised),
        b'C' if zone == b'F' => (vec![alarm], Phase::Cleared),
        b'H' => (vec![alarm], Phase::Cleared),
        // alarm or trouble: it does not say which
        b'R' if is_fire => (vec![alarm, fault, Kind::FireSupervisory], Phase::Cleared),
        b'R' => (vec![alarm, fault], Phase::Cleared),
        b'T' => (vec![fault], Phase::Raised),
        b'J' => (vec![fault], Phase::Cleared),
        b'S' if is_fire => (vec![Kind::FireSupervisory], Phase::Raised),
        b'B' if is_fire => (vec![Kind::FireShielded], Phase::Raised),
        b'U' if is_fire => (vec![Kind::FireShielded], Phase::Cleared),
        _ => return Vec::new(),
    };
    let of = |kind| (Meaning { kind, what: name }, phase);
    kinds.into_iter().map(of).collect()
}
