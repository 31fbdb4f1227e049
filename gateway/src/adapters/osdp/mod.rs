//! Readers on an OSDP bus, through a bridge that puts their events on MQTT as JSON: `osdp/{reader}/…`.
//!
//! Layout: the events of goToMain/libosdp (include/osdp.h; its bindings name them `CardRead`, `KeyPress`, `Status`, `Notification`), in a
//! member `event` or each in a member of its own name. A reader only reads: whether a door opens is decided behind it, and told here
//! only where the bridge says so. Keys that were pressed may be a code and are never carried.

use std::fmt::Write as _;

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

const ACCESS: DeviceClass = DeviceClass::Access;
/// Most bytes of a card, inputs and readers of a report.
const LIST_MAX: usize = 64;

/// `OSDP_EVENT_NOTIFICATION_PD_STATUS` (libosdp, include/osdp.h).
const PD_STATUS: i64 = 2;

/// The format.
pub struct Osdp;

impl Format for Osdp {
    fn name(&self) -> &'static str {
        "osdp"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.levels().contains(&"osdp") {
            return Claim::Address;
        }
        let is_own = message.json().is_ok_and(|body| {
            event_of(body).is_some_and(|(_, event)| {
                ["reader_no", "report", "nr_entries", "vendor_code", "arg0"]
                    .iter()
                    .any(|member| event.get(member).is_some())
            })
        });
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let body = message.json()?;
        let Some((what, event)) = event_of(body) else {
            return Ok(Reading::default());
        };
        let levels = message.levels();
        let behind = levels
            .iter()
            .position(|level| *level == "osdp")
            .and_then(|at| levels.get(at + 1).copied());
        let reader = text::first(body, &["pd", "pd_id", "pd_address", "address", "device"])
            .and_then(text::word)
            .or_else(|| behind.map(str::to_owned))
            .unwrap_or_default();
        let reader = text::clip(&reader, 128);
        let drafts = match what {
            "cardread" => vec![card(&reader, event)],
            "status" => status(&reader, event),
            "notification" => notification(&reader, event).into_iter().collect(),
            "online" | "offline" => vec![presence(&reader, what == "online")],
            _ => Vec::new(),
        };
        Ok(drafts.into())
    }
}

/// The name of an event in one spelling, and where its members are.
fn event_of(body: &Value) -> Option<(&'static str, &Value)> {
    const NAMES: [&str; 8] = [
        "cardread",
        "keypress",
        "mfgreply",
        "manufacturerreply",
        "status",
        "notification",
        "online",
        "offline",
    ];
    let of = |name: &str| {
        let name = name.to_ascii_lowercase().replace(['_', '-', ' '], "");
        let name = name.strip_prefix("osdpevent").unwrap_or(&name).to_owned();
        NAMES.into_iter().find(|own| **own == name)
    };
    let numbered = |number: i64| match number {
        1 => Some("cardread"),
        2 => Some("keypress"),
        3 => Some("mfgreply"),
        4 => Some("status"),
        5 => Some("notification"),
        _ => None,
    };
    let name = text::at(body, "event").and_then(|event| match event {
        Value::String(name) => of(name),
        event => text::integer(event).and_then(numbered),
    });
    if let Some(name) = name {
        return Some((
            name,
            text::at(body, "data")
                .filter(|data| data.is_object())
                .unwrap_or(body),
        ));
    }
    let nested = text::at(body, "event").unwrap_or(body).as_object()?;
    nested
        .iter()
        .filter(|(_, event)| event.is_object())
        .find_map(|(name, event)| Some((of(name)?, event)))
}

/// A card was read. Granted or denied where the bridge knows.
fn card(reader: &str, event: &Value) -> Draft {
    let result = text::first(event, &["granted", "result", "access"]);
    let word = result.and_then(Value::as_str).map(str::to_ascii_lowercase);
    let is_granted = match word.as_deref() {
        Some("granted" | "allowed") => Some(true),
        Some("denied" | "refused") => Some(false),
        _ => result.and_then(text::boolean),
    };
    let (kind, what) = match is_granted {
        Some(true) => (Kind::AccessGranted, Value::Null),
        Some(false) => (Kind::AccessDenied, Value::Null),
        None => (Kind::DeviceTelemetry, "card_read".into()),
    };
    let number = text::first(event, &["card_number", "card", "data"]).map(number_of);
    Draft::new(reader, ACCESS, kind, Phase::Instant)
        .component(reader_no(event))
        .credential(&number.unwrap_or_default())
        .attr("method", "card")
        .attr("what", what)
        .attr(
            "bits",
            text::first(event, &["nr_bits", "length"]).and_then(text::integer),
        )
}

fn reader_no(event: &Value) -> String {
    let number = text::at(event, "reader_no").and_then(text::integer);
    format!("reader-{}", number.unwrap_or(0))
}

/// Bytes as a list or in hexadecimal digits: the same card, the same number.
fn number_of(value: &Value) -> String {
    let Some(bytes) = value.as_array() else {
        return text::word(value).unwrap_or_default().to_ascii_lowercase();
    };
    let mut hex = String::new();
    for byte in bytes.iter().take(LIST_MAX).filter_map(text::integer) {
        let _ = write!(hex, "{:02x}", byte & 0xff);
    }
    hex
}

/// The bytes of a report: a list, or hexadecimal digits.
fn report_of(value: Option<&Value>) -> Vec<i64> {
    match value {
        Some(Value::Array(list)) => list
            .iter()
            .take(LIST_MAX)
            .filter_map(|value| {
                text::integer(value).or_else(|| text::boolean(value).map(i64::from))
            })
            .collect(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => {
            let is = text::integer(value).or_else(|| text::boolean(value).map(i64::from));
            is.into_iter().collect()
        }
        Some(Value::String(digits)) if digits.len() <= LIST_MAX * 2 => {
            let bytes = hex::decode(digits).unwrap_or_default();
            bytes.into_iter().map(i64::from).collect()
        }
        _ => Vec::new(),
    }
}

/// Reports of the reader itself (tampering, power), of its inputs, of what hangs on it.
fn status(reader: &str, event: &Value) -> Vec<Draft> {
    let kind = match text::first(event, &["type", "type_", "report_type"]) {
        Some(Value::String(kind)) => kind.to_ascii_lowercase(),
        // as libosdp numbers them
        Some(kind) => match text::integer(kind) {
            Some(0) => "input".to_owned(),
            Some(1) => "output".to_owned(),
            Some(3) => "remote".to_owned(),
            _ => String::new(),
        },
        None => String::new(),
    };
    let report = report_of(text::first(event, &["report", "status", "value"]));
    let named = |name: &str| text::at(event, name).and_then(text::boolean).map(i64::from);
    let condition = |kind, property: &str, is_there: bool| {
        Draft::condition(reader, ACCESS, kind, property, is_there)
    };
    match kind.as_str() {
        "input" => report
            .iter()
            .enumerate()
            .map(|(index, value)| {
                condition(Kind::DeviceAlarmInput, "input", *value != 0)
                    .component(format!("input-{index}"))
            })
            .collect(),
        "remote" => report
            .iter()
            .enumerate()
            .map(|(index, value)| {
                condition(Kind::DeviceTamper, "tamper", *value == 2)
                    .component(format!("reader-{index}"))
            })
            .collect(),
        "output" => Vec::new(),
        kind => {
            // both in one report, or one by its name
            let is_of = |own: &str| report.len() > 1 || kind != own;
            let first = report.first().copied();
            let tamper = named("tamper").or(first.filter(|_| is_of("power")));
            let power = report.get(1).copied().or(first.filter(|_| kind == "power"));
            let power = named("power").or(power);
            let tamper = tamper.map(|value| condition(Kind::DeviceTamper, "tamper", value != 0));
            let power = power.map(|value| condition(Kind::DevicePower, "power", value != 0));
            tamper.into_iter().chain(power).collect()
        }
    }
}

/// Whether the reader answers on the bus.
fn notification(reader: &str, event: &Value) -> Option<Draft> {
    let is_status = |what: &str| {
        let what = what.to_ascii_lowercase().replace('_', "");
        what.contains("pdstatus") || what == "peripheraldevicestatus"
    };
    let is_there = match text::first(event, &["type", "type_"]) {
        Some(Value::String(what)) if is_status(what) => event,
        Some(what) if text::integer(what) == Some(PD_STATUS) => event,
        Some(_) => return None,
        // in a member of its name
        None => {
            let mut members = event.as_object()?.iter();
            members.find(|(name, _)| is_status(name))?.1
        }
    };
    let is_there = text::first(is_there, &["arg0", "status", "online"]).unwrap_or(is_there);
    Some(presence(reader, text::boolean(is_there)?))
}

fn presence(reader: &str, is_there: bool) -> Draft {
    let (kind, phase) = if is_there {
        (Kind::DeviceOnline, Phase::Updated)
    } else {
        (Kind::DeviceOffline, Phase::Raised)
    };
    Draft::new(reader, ACCESS, kind, phase).edge("presence", is_there)
}
