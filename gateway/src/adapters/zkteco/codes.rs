//! The event codes and ways to verify, as data: those of Security PUSH, of the PULL SDK and of the panels' manuals. Firmware for other markets
//! has its own; what is in no table is kept.

use domain::Kind;

/// What a code tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// Somebody was let in; how, where the code says it.
    Granted(Option<&'static str>),
    /// Somebody was not, and why.
    Denied(&'static str),
    /// Something else that happened.
    Fact(Kind),
    /// The state of an input, whose contact may rest open or closed.
    Input(&'static str),
    /// An alarm by its property: the state of the doors or another code tells that it is over.
    Alarm(&'static str),
    /// That it is over.
    Over(&'static str),
    /// A trouble of which no code tells the end.
    Trouble(Kind, &'static str),
    /// Somebody cancelled the alarms of a door.
    Cancelled,
    /// The door leaf.
    Door(&'static str),
    /// The lock.
    Lock(&'static str),
    /// The panel has begun.
    Begun,
}

impl Meaning {
    /// Whether somebody went through, or wanted to.
    pub(super) fn is_passage(self) -> bool {
        matches!(self, Self::Granted(_) | Self::Denied(_))
    }

    /// Whether its point counts the inputs of the panel, not the doors.
    pub(super) fn is_input(self) -> bool {
        matches!(
            self,
            Self::Input(_) | Self::Alarm("input") | Self::Over("input")
        )
    }
}

/// The meaning of a code of `rtlog` ("Security PUSH" 3.1.2, appendices 2 and 19). Of 70 and 71 the face could not be compared.
pub(super) fn meaning(code: i64) -> Option<Meaning> {
    use Meaning::{
        Alarm, Begun, Cancelled, Denied, Door, Fact, Granted, Input, Lock, Over, Trouble,
    };
    Some(match code {
        0..=3 | 5 | 18 | 19 | 208 | 218 | 222 | 232 => Granted(None),
        4 | 207 | 215 | 216 => Granted(Some("pin")),
        7 => Cancelled,
        8 => Granted(Some("remote")),
        14 | 16 => Granted(Some("fingerprint")),
        15 | 17 | 203 => Granted(Some("multi")),
        9 | 10 | 204 | 233 => Lock("locked"),
        11 | 205 | 234 => Lock("unlocked"),
        20 | 31 | 50 | 61 => Denied("too_soon"),
        21 | 35 | 49 => Denied("door_inactive"),
        22 => Denied("invalid_period"),
        23 | 56 | 59 | 80 | 113 => Denied("no_right"),
        24 => Fact(Kind::AccessAntiPassback),
        25 => Denied("interlock"),
        27 => Denied("unregistered"),
        28 | 58 => Alarm("held"),
        29 | 33 | 53 | 74 => Denied("expired"),
        30 => Denied("wrong_pin"),
        34 => Denied("unknown_fingerprint"),
        36 | 64 | 209 => Denied("button_inactive"),
        38 => Denied("lost"),
        39 | 62 => Denied("blacklisted"),
        41 => Denied("wrong_method"),
        42 => Denied("bad_card"),
        40 | 43..=45 | 48 | 52 | 70 | 71 | 75 => Denied("not_verified"),
        60 | 63 => Denied("door_locked"),
        68 => Denied("temperature"),
        69 => Denied("no_mask"),
        73 | 5021 => Denied("bad_code"),
        54 | 55 | 6010 => Trouble(Kind::DeviceBatteryLow, "battery"),
        101 | 103 => Fact(Kind::AccessDuress),
        100 => Alarm("tamper"),
        104 => Denied("too_many_attempts"),
        102 => Alarm("forced"),
        77 => Alarm("cable"),
        248 => Over("cable"),
        79 => Alarm("mobile_network"),
        246 => Over("mobile_network"),
        105 => Alarm("network"),
        214 => Over("network"),
        106 => Alarm("battery"),
        57 | 107 | 6008 => Alarm("mains"),
        4008 | 6009 => Over("mains"),
        108 => Alarm("controller"),
        217 => Over("controller"),
        109 => Alarm("reader_tamper"),
        236 => Over("reader_tamper"),
        110 => Alarm("reader"),
        237 => Over("reader"),
        111 => Trouble(Kind::DevicePower, "poe"),
        112 => Alarm("expander"),
        247 => Over("expander"),
        // the line to the fire panel is cut or shorted
        114 | 115 => Trouble(Kind::FireFault, "fire_input"),
        116 | 117 => Trouble(Kind::DeviceFault, "input"),
        118 | 119 => Trouble(Kind::DeviceFault, "button"),
        120 | 121 => Trouble(Kind::DeviceFault, "contact"),
        200 => Door("open"),
        201 => Door("closed"),
        202 | 219 => Fact(Kind::AccessRex),
        206 => Begun,
        // doors open because it burns
        210 | 6000 => Alarm("fire"),
        4000 => Over("fire"),
        220 | 221 => Input("auxiliary"),
        224 | 239 | 4009 => Fact(Kind::AccessCall),
        225 => Over("input"),
        226 => Alarm("input"),
        243 | 244 => Input("fire_input"),
        // a gate that moves no more, or not as it should
        5000 | 5005 | 5012..=5016 => Trouble(Kind::BarrierFault, "gate"),
        5001..=5003 | 5006..=5008 | 5010 | 5011 | 6006 | 6007 => {
            Trouble(Kind::DeviceFault, "hardware")
        }
        _ => return None,
    })
}

/// Whether a code is one of the list and nothing to us: linkage, outputs, lifts, somebody else is waited for, calls that are over.
pub(super) fn is_no_event(code: i64) -> bool {
    matches!(
        code,
        6 | 12
            | 13
            | 26
            | 32
            | 37
            | 47
            | 51
            | 65..=67
            | 72
            | 76
            | 78
            | 132..=155
            | 211..=213
            | 223
            | 227..=231
            | 235
            | 240..=242
            | 245
            | 249..=255
            | 4001..=4999
            | 5004
            | 5009
            | 5017..=5020
            | 5022
            | 6001..=6005
    )
}

/// How somebody showed who they are. 0 is "any way" where a card was read, the keypad else; 200 is none of them.
pub(super) fn method(verify: Option<i64>, has_card: bool) -> Option<&'static str> {
    Some(match verify? {
        0 if has_card => "card",
        0 | 3 => "pin",
        1 => "fingerprint",
        2 | 4 => "card",
        5..=14 | 16..=20 => "multi",
        15 => "face",
        _ => return None,
    })
}
