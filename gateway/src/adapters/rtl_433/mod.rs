//! `rtl_433`, a receiver of radio sensors: `rtl_433/<host>/events` and `…/states` carry one decoded message each, `…/availability` the will;
//! `…/devices/<model>/<id>/<field>` says the same once more, field by field, and is passed over.
//!
//! Layout: `merbanan/rtl_433`, its documents on data format and operation. Radios repeat themselves, so every state is an edge. A detector
//! that sends only when it rings (Smoke-GS558) has no state and no end: each message is an alarm, known again by its time.

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, named, openmqttgateway, text};

/// Models that say nothing but that they ring.
const RINGS: &[&str] = &["Smoke-GS558"];

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
                Value::Object(heard) => Ok(drafts(heard, message.zone).into()),
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
    let word = |name: &str| heard.get(name).and_then(text::word);
    let at = heard
        .get("time")
        .and_then(|time| DeviceTime::any(time, zone));
    let (Some(model), Some(id)) = (word("model"), word("id")) else {
        return Vec::new();
    };
    let mut drafts = if RINGS.contains(&model.as_str()) {
        let address = format!("{model}/{id}");
        vec![
            Draft::new(
                address,
                DeviceClass::FireSensor,
                Kind::FireSmoke,
                Phase::Raised,
            )
            .attr("sensor", "smoke"),
        ]
    } else {
        openmqttgateway::heard(&[], &said_plainly(heard))
    };
    for draft in &mut drafts {
        draft.at.clone_from(&at);
    }
    drafts
}

/// The same members under the names that other decoders give them.
fn said_plainly(heard: &Map<String, Value>) -> Map<String, Value> {
    let mut plain = heard.clone();
    let truth = |name: &str| heard.get(name).and_then(text::boolean);
    // DSC says when a contact is closed
    if let Some(is_closed) = truth("closed") {
        plain.insert("open".to_owned(), (!is_closed).into());
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
