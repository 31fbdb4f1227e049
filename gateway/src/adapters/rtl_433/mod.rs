//! `rtl_433`, a receiver of radio sensors: `rtl_433/<host>/events` and `…/states` carry one decoded message each, `…/availability` the will;
//! `…/devices/<model>/<id>/<field>` says the same once more, field by field, and is passed over. Topics can be chosen (`events=alarms[/model]`):
//! below `rtl_433` whatever names a model is read, elsewhere what looks like one of its messages.
//!
//! Layout: `merbanan/rtl_433`, its documents on data format and operation. Radios repeat themselves, so every state is an edge. A detector
//! that sends only when it rings (Smoke-GS558) has no state and no end: each message is an alarm, known again by its time.

mod models;

use domain::DeviceClass;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, named, openmqttgateway, text};

/// The format.
pub struct Rtl433;

impl Format for Rtl433 {
    fn name(&self) -> &'static str {
        "rtl-433"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        match levels.as_slice() {
            ["rtl_433", _, _, ..] => Claim::Address,
            _ if levels.contains(&"rtl_433") && names_a_model(message) => Claim::Address,
            _ if is_known_by_shape(message) => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        match message.levels().as_slice() {
            ["rtl_433", host, "availability"] => match message.text()? {
                "online" => Ok(named::reachable(host, DeviceClass::Gateway, true).into()),
                "offline" => Ok(named::reachable(host, DeviceClass::Gateway, false).into()),
                _ => {
                    let detail = "the availability is neither online nor offline";
                    Err(Reject::new("bad_availability", detail))
                }
            },
            [_, _, "events" | "states"] => match message.json()? {
                Value::Object(heard) => Ok(reading(heard, message.zone)),
                _ => Err(Reject::new("bad_shape", "one decoded message is an object")),
            },
            _ if names_a_model(message) => {
                let heard = message.object().map(|heard| reading(heard, message.zone));
                Ok(heard.unwrap_or_default())
            }
            // the same field by field
            _ => Ok(Reading::default()),
        }
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.contains("/devices/")
    }
}

/// Whether a message is one decoded message.
fn names_a_model(message: &Message<'_>) -> bool {
    let model = message.object().and_then(|heard| heard.get("model"));
    model.is_some_and(Value::is_string)
}

/// On a topic that says nothing: model, time and number, and what only this receiver writes beside them.
fn is_known_by_shape(message: &Message<'_>) -> bool {
    let Some(heard) = message.object() else {
        return false;
    };
    let has = |name: &str| heard.contains_key(name);
    let is_own = ["mic", "mod", "battery_ok", "raw_message"];
    names_a_model(message) && has("time") && has("id") && is_own.into_iter().any(has)
}

fn reading(heard: &Map<String, Value>, zone: &TimeZone) -> Reading {
    let at = heard
        .get("time")
        .and_then(|time| DeviceTime::any(time, zone));
    let mut drafts = decoded(&[], heard);
    for draft in &mut drafts {
        draft.at.clone_from(&at);
    }
    let address = openmqttgateway::address_of(&[], &said_plainly(heard));
    Reading::from(drafts).spoken_by(address)
}

/// What one decoded message tells; `rest` stands for the device where the message does not name it.
pub(super) fn decoded(rest: &[&str], heard: &Map<String, Value>) -> Vec<Draft> {
    let model = heard.get("model").and_then(text::word).unwrap_or_default();
    if model.is_empty() {
        return Vec::new();
    }
    let heard = &said_plainly(heard);
    if heard.contains_key("num_rows") {
        return models::flexible(&model, heard);
    }
    if !heard.contains_key("id") {
        return Vec::new();
    }
    let address = openmqttgateway::address_of(rest, heard);
    let mut drafts = models::drafts(&address, &model, heard);
    let mut named_alike = openmqttgateway::heard(rest, heard);
    named_alike.retain(|draft| drafts.iter().all(|own| own.kind != draft.kind));
    drafts.extend(named_alike);
    drafts
}

/// The same members under the names that other decoders give them.
fn said_plainly(heard: &Map<String, Value>) -> Map<String, Value> {
    let mut plain = heard.clone();
    let truth = |name: &str| heard.get(name).and_then(text::boolean);
    let word = |name: &str| heard.get(name).and_then(Value::as_str);
    // the word of a contact where nothing better is told (older decoders of Honeywell, Kerui)
    if let Some(state @ ("open" | "close" | "closed")) = word("state") {
        plain.insert("open".to_owned(), (state == "open").into());
    }
    // DSC says when a contact is closed
    if let Some(is_closed) = truth("closed") {
        plain.insert("open".to_owned(), (!is_closed).into());
    }
    if let Some(is_open) = truth("opened") {
        plain.insert("open".to_owned(), is_open.into());
    }
    // a contact with a reed and a wired loop is open when either is
    if let (Some(contact), Some(reed)) = (truth("contact_open"), truth("reed_open")) {
        plain.insert("open".to_owned(), (contact || reed).into());
    }
    // Acurite says it in two words
    if let Some(is_wet) = truth("detect_wet").or_else(|| truth("leak_detected")) {
        plain.insert("leak".to_owned(), is_wet.into());
    }
    // before 2019 it was `battery`, or `battery_low`
    let is_low = truth("battery_low").or_else(|| match word("battery")? {
        "LOW" => Some(true),
        "OK" => Some(false),
        _ => None,
    });
    if let Some(is_low) = is_low.filter(|_| !heard.contains_key("battery_ok")) {
        plain.insert("battery_ok".to_owned(), u8::from(!is_low).into());
    }
    // this decoder does not know the battery, and says that it is low (`src/devices/jasco.c`)
    if word("model").is_some_and(|model| model.starts_with("Jasco")) {
        plain.remove("battery_ok");
    }
    if let Some(id) = heard.get("device").filter(|_| !heard.contains_key("id")) {
        plain.insert("id".to_owned(), id.clone());
    }
    // a decoder that somebody wrote has its own members in each row
    if let Some(row) = heard.get("rows").and_then(|rows| rows.get(0)?.as_object()) {
        for (name, value) in row {
            plain.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    plain
}
