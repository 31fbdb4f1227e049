//! The event codes and ways to verify, as data: those that the PULL SDK, Security PUSH and the panels' manuals agree on. Firmware for other
//! markets has its own; what is not in the table is not told.

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
    /// An alarm. That it is over tells the state of the doors.
    Alarm(Kind),
    /// Somebody cancelled the alarms of a door.
    Cancelled,
    /// The door leaf.
    Door(&'static str),
    /// The lock.
    Lock(&'static str),
}

impl Meaning {
    /// Whether somebody went through, or wanted to.
    pub(super) fn is_passage(self) -> bool {
        matches!(self, Self::Granted(_) | Self::Denied(_))
    }
}

/// The meaning of a code of `rtlog`.
pub(super) fn meaning(code: i64) -> Option<Meaning> {
    use Meaning::{Alarm, Cancelled, Denied, Door, Fact, Granted, Lock};
    Some(match code {
        0..=3 | 5 | 18 | 19 | 208 | 222 | 232 => Granted(None),
        4 | 207 => Granted(Some("pin")),
        7 => Cancelled,
        8 => Granted(Some("remote")),
        14 | 16 => Granted(Some("fingerprint")),
        15 | 17 | 203 => Granted(Some("multi")),
        9 | 10 | 204 => Lock("locked"),
        11 | 205 => Lock("unlocked"),
        20 | 31 => Denied("too_soon"),
        21 | 35 => Denied("door_inactive"),
        22 => Denied("invalid_period"),
        23 => Denied("no_right"),
        24 => Fact(Kind::AccessAntiPassback),
        25 => Denied("interlock"),
        27 => Denied("unregistered"),
        28 => Alarm(Kind::AccessHeldOpen),
        29 | 33 => Denied("expired"),
        30 => Denied("wrong_pin"),
        34 => Denied("unknown_fingerprint"),
        36 => Denied("button_inactive"),
        38 => Denied("lost"),
        39 => Denied("blacklisted"),
        41 => Denied("wrong_method"),
        42 => Denied("bad_card"),
        43 | 44 | 47 | 48 => Denied("not_verified"),
        101 | 103 => Fact(Kind::AccessDuress),
        100 => Alarm(Kind::DeviceTamper),
        104 => Denied("too_many_attempts"),
        102 => Alarm(Kind::AccessForcedOpen),
        200 => Door("open"),
        201 => Door("closed"),
        202 => Fact(Kind::AccessRex),
        221 => Fact(Kind::DeviceAlarmInput),
        _ => return None,
    })
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
