//! `AccessControllerEvent`: a door controller's or terminal's notification.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::super::draft::{Draft, Told};
use super::super::text;
use super::Alert;
use super::access_codes::{Meaning, meaning};

/// The major type of what happened at a door.
const EVENT: i64 = 5;

/// Reads a notification by its major and minor type; operations, heartbeats and codes of no interest tell nothing.
pub(super) fn read(alert: &Alert<'_>, event: &Value) -> Option<Draft> {
    let number = |name: &str| event.get(name).and_then(text::integer);
    let minor = number("subEventType")
        .or_else(|| number("minorEventType"))
        .or_else(|| number("minor"))?;
    // terminals that leave the major type out tell of nothing but events
    let major = number("majorEventType")
        .or_else(|| number("major"))
        .unwrap_or(EVENT);
    let door = number("doorNo");
    let meaning = meaning(major, minor)?;
    let draft = draft(alert, &meaning, &number);
    let word = |name: &str| event.get(name).and_then(text::word);
    let direction = word("attendanceStatus").and_then(|status| attendance(&status));
    let serial = number("serialNo").filter(|serial| *serial > 0);
    let draft = whom(draft, event)
        .attr("door", door)
        .attr("reader", number("cardReaderNo"))
        .attr("direction", direction)
        .attr("seq", serial)
        .attr(
            "mask",
            word("mask").filter(|mask| mask == "yes" || mask == "no"),
        )
        .attr("code", format!("{major}/{minor}"))
        .attr(
            "late",
            (event.get("currentEvent") == Some(&Value::Bool(false))).then_some(true),
        );
    let draft = match door {
        Some(door) => draft.component(format!("door-{door}")),
        None => draft,
    };
    // the counter begins again when a terminal is reset, hence the time beside it
    Some(match (serial, &alert.at) {
        (Some(serial), Some(at)) => draft.id(format!("{}:{serial}:{}", alert.device, at.raw)),
        _ => draft,
    })
}

/// Which way somebody goes who clocks in or out: that of an attendance status, or of an event that is called like one.
pub(super) fn attendance(status: &str) -> Option<&'static str> {
    Some(match status.to_ascii_lowercase().as_str() {
        "checkin" | "breakin" | "overtimein" | "clockin" => "in",
        "checkout" | "breakout" | "overtimeout" | "clockout" => "out",
        _ => return None,
    })
}

/// Somebody clocked in or out at a terminal that tells it without an event of a door.
pub(super) fn clocked(alert: &Alert<'_>, direction: &str) -> Draft {
    let draft = draft(alert, &Meaning::Granted(""), &|_| None);
    let door = alert.find("doorNo").and_then(text::integer);
    let draft = whom(draft, alert.root)
        .attr("door", door)
        .attr("direction", direction);
    match door {
        Some(door) => draft.component(format!("door-{door}")),
        None => draft,
    }
}

/// Who it was.
fn whom(draft: Draft, event: &Value) -> Draft {
    let word = |name: &str| event.get(name).and_then(text::word);
    let somebody = |name: &str| word(name).and_then(|w| text::somebody(&w).map(str::to_owned));
    draft
        .attr(
            "person_ref",
            somebody("employeeNoString").or_else(|| somebody("employeeNo")),
        )
        .attr(
            "person_name",
            somebody("name").map(|name| text::clip(&name, 64)),
        )
        .credential(&word("cardNo").unwrap_or_default())
}

/// Where the number of the part stands that has such a condition, where a controller has several of them.
fn numbered_by(property: &str) -> Option<&'static str> {
    match property {
        "event_input" => Some("caseSensorNo"),
        "reader_tamper" | "reader_offline" => Some("cardReaderNo"),
        _ => None,
    }
}

fn draft(alert: &Alert<'_>, meaning: &Meaning, number: &dyn Fn(&str) -> Option<i64>) -> Draft {
    let class = DeviceClass::Access;
    match meaning {
        Meaning::Granted(method) => alert
            .draft(class, Kind::AccessGranted, Phase::Instant)
            .attr("result", "granted")
            .attr("method", *method),
        Meaning::Denied(method, reason) => alert
            .draft(class, Kind::AccessDenied, Phase::Instant)
            .attr("result", "denied")
            .attr("method", *method)
            .attr("reason", *reason),
        Meaning::Fact(kind, reason) => alert
            .draft(class, *kind, Phase::Instant)
            .attr("reason", *reason),
        Meaning::Door(state) => alert
            .draft(class, Kind::AccessDoorState, Phase::Updated)
            .edge("contact", state)
            .attr("state", *state),
        Meaning::Lock(state) => alert
            .draft(class, Kind::AccessLockState, Phase::Updated)
            .edge("lock", state)
            .attr("state", *state),
        Meaning::Alarm(kind, reason) => alert
            .draft(class, *kind, Phase::Raised)
            .attr("reason", *reason),
        Meaning::Condition(kind, property, is_there) => {
            let numbered = numbered_by(property);
            let part = numbered.and_then(number);
            let name = part.map_or_else(
                || (*property).to_owned(),
                |part| format!("{property}:{part}"),
            );
            let draft = alert
                .condition(class, *kind, &name, *is_there)
                .attr("reason", *property)
                .attr("part", part);
            // what an end without a number ended is not known by its number: there every beginning is news, by the serial number
            let draft = match number("serialNo").filter(|_| *is_there && part.is_some()) {
                Some(serial) => draft.edge(&name, serial),
                None => draft,
            };
            let is_exact = *is_there || part.is_some() || numbered.is_none();
            let draft = draft.told(Told::Change);
            // an end that does not say of which part ends all of its kind
            if is_exact { draft.apart() } else { draft }
        }
    }
}
