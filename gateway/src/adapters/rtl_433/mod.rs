//! `rtl_433`, a receiver of radio sensors: `rtl_433/<host>/events` and `…/states` carry one decoded message each, `…/availability` the will;
//! `…/devices/<model>/<id>/<field>` says the same once more, field by field, and is passed over.
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
        match message.levels().as_slice() {
            ["rtl_433", _, _, ..] => Claim::Address,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        match message.levels().as_slice() {
            [_, host, "availability"] => match message.text()? {
                "online" => Ok(named::reachable(host, DeviceClass::Gateway, true).into()),
                "offline" => Ok(named::reachable(host, DeviceClass::Gateway, false).into()),
                _ => {
                    let detail = "the availability is neither online nor offline";
                    Err(Reject::new("bad_availability", detail))
                }
            },
            [_, _, "events" | "states"] => match message.json()? {
                Value::Object(heard) => {
                    let reading = Reading::from(drafts(heard, message.zone));
                    Ok(reading.spoken_by(openmqttgateway::address_of(&[], heard)))
                }
                _ => Err(Reject::new("bad_shape", "one decoded message is an object")),
            },
            _ => Ok(Reading::default()),
        }
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.contains("/devices/")
    }
}

fn drafts(heard: &Map<String, Value>, zone: &TimeZone) -> Vec<Draft> {
    let at = heard
        .get("time")
        .and_then(|time| DeviceTime::any(time, zone));
    let mut drafts = decoded(&[], heard);
    for draft in &mut drafts {
        draft.at.clone_from(&at);
    }
    drafts
}

/// What one decoded message tells; `rest` stands for the device where the message does not name it.
pub(super) fn decoded(rest: &[&str], heard: &Map<String, Value>) -> Vec<Draft> {
    let model = heard.get("model").and_then(text::word).unwrap_or_default();
    if heard.get("id").is_none() || model.is_empty() {
        return Vec::new();
    }
    let address = openmqttgateway::address_of(rest, heard);
    let mut drafts = models::drafts(&address, &model, heard);
    let mut named_alike = openmqttgateway::heard(rest, &said_plainly(heard));
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
    if let Some(state @ ("open" | "closed")) = word("state") {
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
    if let Some(is_wet) = truth("detect_wet") {
        plain.insert("leak".to_owned(), is_wet.into());
    }
    plain
}
