//! OpenMQTTGateway: `<base>/<gateway>/BTtoMQTT/<MAC>` and `…/RTL_433toMQTT/…` carry what a radio heard, already decoded, `…/LWT` the will.
//! Radios repeat themselves: every property is an edge. Layout: docs.openmqttgateway.com, and the decoders' models.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, named, rtl_433, text};

/// The format.
pub struct OpenMqttGateway;

/// Members that are a condition by themselves, and what they mean.
const CONDITIONS: &[(&str, &str)] = &[
    ("smoke", "smoke"),
    ("gas", "gas"),
    ("co", "co"),
    ("leak", "leak"),
    ("water_leak", "water_leak"),
    ("motion", "motion"),
    ("pir", "pir"),
    // SwitchBot's sensors (theengs/decoder, SBMS, SBCS)
    ("movement", "motion"),
    ("tamper", "tamper"),
    ("vibration", "vibration"),
];

impl Format for OpenMqttGateway {
    fn name(&self) -> &'static str {
        "openmqttgateway"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        if gateway(&levels).is_some()
            || levels
                .iter()
                .any(|level| level.starts_with("OpenMQTTGateway"))
        {
            Claim::Address
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        if let [name @ .., "LWT"] = levels.as_slice() {
            let is_reachable = match message.text()?.to_ascii_lowercase().as_str() {
                "online" => true,
                "offline" => false,
                _ => {
                    let detail = "the will is neither online nor offline";
                    return Err(Reject::new("bad_availability", detail));
                }
            };
            let address = name.join("/");
            return Ok(named::reachable(&address, DeviceClass::Gateway, is_reachable).into());
        }
        match gateway(&levels) {
            Some((radio @ ("BT" | "RTL_433" | "LORA" | "RF" | "433" | "SRFB"), rest)) => {
                match message.json()? {
                    Value::Object(told) => {
                        let drafts = match radio {
                            "RTL_433" => rtl_433::decoded(rest, told),
                            _ => heard(rest, told),
                        };
                        let reading = Reading {
                            unread: radio_code(told),
                            ..drafts.into()
                        };
                        Ok(reading.spoken_by(address_of(rest, told)))
                    }
                    _ => Ok(Reading::default()),
                }
            }
            Some((radio, _)) => Ok(own(&gateway_address(&levels), radio, message)?
                .map(Reading::from)
                .unwrap_or_default()),
            None => Ok(Reading::default()),
        }
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.contains("SYStoMQTT")
    }
}

/// The radio and the levels behind it: `BTtoMQTT/<MAC>`.
fn gateway<'a>(levels: &'a [&'a str]) -> Option<(&'a str, &'a [&'a str])> {
    levels.iter().enumerate().skip(1).find_map(|(at, level)| {
        let radio = level
            .strip_suffix("toMQTT")
            .filter(|radio| !radio.is_empty())?;
        Some((radio, levels.get(at + 1..)?))
    })
}

/// The gateway itself, by the levels before what it heard.
fn gateway_address(levels: &[&str]) -> String {
    let name = levels
        .iter()
        .skip(1)
        .position(|level| level.ends_with("toMQTT"));
    levels
        .get(..=name.unwrap_or_default())
        .unwrap_or_default()
        .join("/")
}

/// Sensors on the pins of the gateway itself: the comparator of a gas sensor, a PIR.
fn own(gateway: &str, sensor: &str, message: &Message<'_>) -> Result<Option<Draft>, Reject> {
    let (names, class, kind): (&[&str], _, _) = match sensor {
        "GAS" => (&["detected"], DeviceClass::FireSensor, Kind::FireGas),
        "HCSR501" => (
            &["presence", "hcsr501"],
            DeviceClass::Camera,
            Kind::CameraMotion,
        ),
        _ => return Ok(None),
    };
    let is_there = text::first(message.json()?, names).and_then(text::boolean);
    Ok(is_there.map(|is| {
        let draft = Draft::condition(gateway, class, kind, sensor, is);
        draft.component(sensor.to_lowercase())
    }))
}

/// `{"value": 5264660, "protocol": 1, "length": 24}`: a code of a remote, a door, a smoke detector that nobody decodes.
fn radio_code(told: &Map<String, Value>) -> Option<Reject> {
    let has = |name: &str| told.contains_key(name);
    let is_bare = (has("protocol") || has("raw")) && !has("model");
    let code = told.get("value").filter(|_| is_bare).and_then(text::word)?;
    let code = text::clip(&code, 40);
    let detail = format!("nobody says whose radio code `{code}` is");
    Some(Reject::new("unknown_event", detail))
}

/// The device of a decoded radio message.
pub(super) fn address_of(rest: &[&str], heard: &Map<String, Value>) -> String {
    let id = heard.get("id").and_then(text::word);
    match (heard.get("model").and_then(text::word), id) {
        // numbers of one model repeat in another
        (Some(model), Some(id)) if !id.contains(':') => format!("{model}/{id}"),
        (_, Some(id)) => id,
        _ => rest.join("/"),
    }
}

/// What a decoded radio message tells; `rest` stands for the device where the message does not name it.
pub(super) fn heard(rest: &[&str], heard: &Map<String, Value>) -> Vec<Draft> {
    let address = address_of(rest, heard);
    if address.is_empty() {
        return Vec::new();
    }
    let truth = |name: &str| heard.get(name).and_then(text::boolean);
    // what moves is a curtain with a motor (theengs/decoder, SBCU, SBBT)
    let is_of_a_motor = heard.contains_key("calibrated");
    let mut drafts: Vec<Draft> = CONDITIONS
        .iter()
        .filter(|(_, name)| *name != "motion" || !is_of_a_motor)
        .filter_map(|(member, name)| {
            let mut draft = named::binary(&address, "", name, truth(member)?)?;
            let value = draft.edge.take()?.value;
            Some(draft.edge(member, value))
        })
        .collect();
    // SwitchBot's contact says `open` for too long in a word of its own (theengs.io, decoder of W1201500)
    let contact = heard.get("contact").and_then(Value::as_str);
    let contact = contact.and_then(|word| match word {
        "open" => Some(true),
        word if word.starts_with("timeout") => Some(true),
        "closed" | "close" => Some(false),
        _ => None,
    });
    let is_open = truth("open")
        .or_else(|| truth("contact_open"))
        .or_else(|| truth("reed_open"))
        .or(contact);
    if let Some(is_open) = is_open {
        let state = if is_open { "open" } else { "closed" };
        let draft = Draft::new(
            address.as_str(),
            DeviceClass::Access,
            Kind::AccessDoorState,
            Phase::Updated,
        );
        drafts.push(draft.attr("state", state).edge("contact", state));
    }
    if let Some(is_well) = heard.get("battery_ok").and_then(text::number) {
        let kind = Kind::DeviceBatteryLow;
        let class = DeviceClass::FireSensor;
        let is_low = is_well == 0.0;
        drafts.push(Draft::condition(
            address.as_str(),
            class,
            kind,
            "battery_ok",
            is_low,
        ));
    }
    drafts
}
