//! Doors: `AccessControl`, `DoorStatus`, the alarms of a door, and calls at an intercom.

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;

use super::super::draft::Draft;
use super::super::text;
use super::{Action, Event};

/// `Method` of a code that is entered under threat.
const METHOD_DURESS: i64 = 13;
/// `ErrorCode` of who was refused because of a threat.
const ERROR_DURESS: i64 = 0x16;

/// Reads an event of a door; none where it is no such event.
pub(super) fn read(event: &Event, zone: &TimeZone) -> Option<Vec<Draft>> {
    let door = ["Door", "DoorID", "DoorIndex", "door"]
        .iter()
        .find_map(|name| event.integer(name))
        .or(event.index);
    let own = |kind: Kind, phase: Phase| {
        let draft = event.draft(DeviceClass::Access, kind, phase, zone);
        match door {
            Some(door) => draft.component(format!("door-{door}")).attr("door", door),
            None => draft,
        }
    };
    let begins = match event.action {
        Action::Start => Phase::Raised,
        Action::Stop => Phase::Cleared,
        Action::Pulse => Phase::Instant,
    };
    let draft = match event.code.as_str() {
        "AccessControl" if hides_outcome(event) => None,
        "AccessControl" => Some(control(event, &own)),
        "DoorStatus" => {
            let state = match event.word("Status")?.to_ascii_lowercase().as_str() {
                "open" => "open",
                "close" | "closed" => "closed",
                _ => return Some(Vec::new()),
            };
            let draft = own(Kind::AccessDoorState, Phase::Updated).edge("contact", state);
            Some(draft.attr("state", state))
        }
        "DoorOpen" | "DoorClose" => not_over(event, || {
            let state = if event.code == "DoorOpen" {
                "open"
            } else {
                "closed"
            };
            let draft = own(Kind::AccessDoorState, Phase::Updated).edge("contact", state);
            draft.attr("state", state)
        }),
        "MagneticLock" => event
            .at("isLocked")
            .and_then(text::boolean)
            .map(|is_locked| {
                let state = if is_locked { "locked" } else { "unlocked" };
                let draft = own(Kind::AccessLockState, Phase::Updated).edge("lock", state);
                draft.attr("state", state)
            }),
        "DoorNotClosed" | "DoorNotCloseTimeout" => Some(own(Kind::AccessHeldOpen, begins)),
        "BreakIn" => Some(own(Kind::AccessForcedOpen, begins)),
        "RepeatEnter" => not_over(event, || own(Kind::AccessAntiPassback, Phase::Instant)),
        "Duress" | "AlarmDuress" => not_over(event, || {
            own(Kind::AccessDuress, Phase::Instant).attr("person_ref", somebody(event, "UserID"))
        }),
        "MaliciousAccessControl" => not_over(event, || {
            own(Kind::AccessDenied, Phase::Instant).attr("reason", "too_many_attempts")
        }),
        "Button" | "_Button_" | "ButtonExit" => not_over(event, || {
            own(Kind::AccessRex, Phase::Instant).attr("reason", "button")
        }),
        "FingerPrintCheck" if event.integer("FingerPrintID") == Some(0) => Some(
            own(Kind::AccessDenied, Phase::Instant)
                .attr("method", "fingerprint")
                .attr("reason", "unknown_fingerprint"),
        ),
        "Invite" | "PhoneCallDetect" | "RingBell" => {
            not_over(event, || call(event, zone, "calling"))
        }
        "CallNoAnswered" => not_over(event, || call(event, zone, "no_answer")),
        "_DoTalkAction_" if event.word("Action").as_deref() == Some("Invite") => {
            Some(call(event, zone, "calling"))
        }
        "SIPRegisterResult" => event
            .at("Success")
            .and_then(text::boolean)
            .map(|is_registered| {
                let draft = Draft::condition(
                    event.device.clone(),
                    DeviceClass::Access,
                    Kind::DeviceFault,
                    "sip_registration",
                    !is_registered,
                );
                draft
                    .apart()
                    .at(event.time(zone))
                    .attr("reason", "sip_registration")
            }),
        _ => return None,
    };
    Some(draft.into_iter().collect())
}

/// A fact whose end tells nothing.
fn not_over(event: &Event, draft: impl FnOnce() -> Draft) -> Option<Draft> {
    (event.action != Action::Stop).then(draft)
}

fn call(event: &Event, zone: &TimeZone, state: &str) -> Draft {
    event
        .draft(DeviceClass::Access, Kind::AccessCall, Phase::Instant, zone)
        .attr("state", state)
        .attr("call_id", event.word("CallID"))
        .attr(
            "room",
            event.word("UserID").or_else(|| event.word("RoomNo")),
        )
}

/// Whether it says of nobody whether they were let in.
pub(super) fn hides_outcome(event: &Event) -> bool {
    event.code == "AccessControl" && event.at("Status").is_none() && event.at("ErrorCode").is_none()
}

/// Somebody was let in or not.
fn control(event: &Event, own: &dyn Fn(Kind, Phase) -> Draft) -> Draft {
    let error = event.integer("ErrorCode").filter(|code| *code != 0);
    let status = event.at("Status").map(|status| {
        text::integer(status).map_or_else(
            || {
                status
                    .as_str()
                    .is_some_and(|word| word.eq_ignore_ascii_case("success"))
            },
            |status| status == 1,
        )
    });
    let is_granted = status.unwrap_or(error.is_none());
    let code = event.integer("Method");
    // under threat: the code of the method says so, or why it was refused
    let is_duress = code == Some(METHOD_DURESS) || error == Some(ERROR_DURESS);
    let kind = match is_granted {
        _ if is_duress => Kind::AccessDuress,
        true => Kind::AccessGranted,
        false => Kind::AccessDenied,
    };
    let named = event.word("Method").filter(|_| code.is_none());
    let method = code
        .map(method)
        .or_else(|| named.as_deref().map(method_word))
        .flatten();
    let direction = match event.word("Type").as_deref() {
        Some("Entry") => Some("in"),
        Some("Exit") => Some("out"),
        _ => None,
    };
    let record = event.integer("RecNo").filter(|record| *record > 0);
    let draft = own(kind, Phase::Instant)
        .attr("result", if is_granted { "granted" } else { "denied" })
        .attr("method", method)
        .attr("direction", direction)
        .attr("person_ref", somebody(event, "UserID"))
        .attr("person_name", somebody(event, "CardName"))
        .attr("reader", somebody(event, "ReaderID"))
        .attr("seq", record)
        .attr("reason", error.map(reason))
        .credential(&event.word("CardNo").unwrap_or_default());
    match (record, &draft.at) {
        (Some(record), Some(at)) => {
            let key = format!("AccessControl:{record}:{}", at.raw);
            draft.id(key)
        }
        _ => draft,
    }
}

/// A word for somebody; none for those that stand for nobody.
fn somebody(event: &Event, path: &str) -> Option<String> {
    let word = event.word(path)?;
    text::somebody(&word).map(|word| text::clip(word, 64))
}

/// How somebody showed who they are, by `Method` (Intelbras, whose terminals are Dahua's, prints the table: `parametros_retornados`).
fn method(code: i64) -> Option<&'static str> {
    Some(match code {
        0 | METHOD_DURESS | 20 | 46 => "pin",
        1 | 17 => "card",
        2 | 3 | 7..=9 | 11 | 18 | 21..=41 | 45 => "multi",
        // by a call's tones, too
        4 | 42 => "remote",
        5 => "button",
        6 => "fingerprint",
        14 | 43 => "qr",
        15 | 44 => "face",
        19 => "bluetooth",
        _ => return None,
    })
}

fn method_word(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "face" | "facerecognition" => "face",
        "card" => "card",
        "fingerprint" => "fingerprint",
        "password" | "pin" => "pin",
        "remote" => "remote",
        "qrcode" | "qr" => "qr",
        _ => return None,
    })
}

/// Why somebody was not let in, by `ErrorCode`.
fn reason(code: i64) -> String {
    match code {
        0x10 => "unauthorised",
        0x11 => "lost",
        0x12 => "no_right",
        0x13 => "wrong_method",
        0x14 | 0x20 | 0x21 => "invalid_period",
        0x15 => "anti_passback",
        ERROR_DURESS => "duress",
        0x17 => "always_closed",
        0x18 => "interlock",
        0x19 => "patrol_card",
        0x1a => "device_broken",
        0x22 => "holiday",
        0x23 => "no_first_card",
        0x24 | 0x40 => "wrong_pin",
        0x25 => "expired",
        0x30 | 0x31 | 0x42 => "not_verified",
        0x41 | 0x43 => "timeout",
        code => return format!("error_{code}"),
    }
    .to_owned()
}
