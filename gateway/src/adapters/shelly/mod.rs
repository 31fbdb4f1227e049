//! Shelly. Generation 2 and later: `<id>/events/rpc` carries `NotifyStatus` (what changed, laid over what was known), `NotifyFullStatus`
//! and `NotifyEvent`, `<id>/status/<component>` the status of one component, `<id>/online` the will. Generation 1: `shellies/<id>/sensor/…`.
//! Layout: shelly-api-docs.shelly.cloud, General/Notifications, the components Smoke, Flood, Input, Cover and Devicepower, and gen1 MQTT.
//!
//! `params.ts` counts from the start of a device that has not heard the time yet. The self-test of Plus Smoke sets no alarm.

mod blu;
mod component;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, home_assistant, text};

/// Before this, in seconds, a time is none: it counts from the start.
const TIME_MIN: f64 = 1e9;
/// Most components or events in one message.
const PARTS_MAX: usize = 200;

/// The format.
pub struct Shelly;

/// What a message is.
enum Place<'a> {
    /// A notification, and the id that the topic gives.
    Notify(&'a str),
    /// The status of one component.
    Status(&'a str, &'a str),
    /// The will.
    Online(&'a str),
    /// A sensor of the first generation.
    Sensor(&'a str, &'a str),
    /// A wired input of the first generation.
    Input(&'a str, &'a str, &'a str),
    /// The motion sensor of the first generation.
    Motion(&'a str),
    /// All of a device of the first generation in one.
    Info(&'a str),
    /// What is wrong with a relay or dimmer of the first generation.
    Fault(&'a str, &'a str),
    /// A relay of the first generation: `on`, `off`, or `overpower` where it has switched itself off.
    Relay(&'a str, &'a str),
    /// Commands, answers, announcements.
    Other,
}

impl Format for Shelly {
    fn name(&self) -> &'static str {
        "shelly"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let topic = message.topic();
        let is_own = topic
            .split('/')
            .take(2)
            .any(|level| level.starts_with("shelly") || level == "shellies");
        match place(topic) {
            Some(Place::Notify(_)) if is_notification(message) => Claim::Address,
            Some(_) if is_own => Claim::Address,
            Some(Place::Other) if is_answer(message) => Claim::Shape,
            Some(Place::Online(_)) if matches!(message.payload, b"true" | b"false") => Claim::Shape,
            Some(Place::Status(_, component))
                if component.contains(':')
                    && message
                        .object()
                        .is_some_and(|object| object.contains_key("id")) =>
            {
                Claim::Shape
            }
            _ if is_notification(message) => Claim::Shape,
            None if topic.starts_with("shelly") => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn claim_learnt(&self, message: &Message<'_>, recall: &dyn Recall) -> Claim {
        home_assistant::unless_announced(self, message, recall)
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        if message.payload.is_empty() {
            return Ok(Reading::default());
        }
        match place(message.topic()) {
            Some(Place::Online(id)) => online(id, message),
            Some(Place::Sensor(id, "battery")) => Ok(Reading {
                charges: Vec::from_iter(message.text()?.parse().ok().map(|at| (id.to_owned(), at))),
                ..Reading::default()
            }
            .spoken_by(id)),
            Some(Place::Sensor(id, sensor)) => {
                let draft = component::first_generation(id, sensor, message.text()?);
                Ok(Reading::from(Vec::from_iter(draft)).spoken_by(id))
            }
            Some(Place::Input(id, name, number)) => {
                let draft = component::input(id, &format!("{name}:{number}"), message.text()?);
                Ok(Reading::from(Vec::from_iter(draft)).spoken_by(id))
            }
            Some(Place::Status(id, name)) => match message.json()? {
                Value::Object(status) => Ok(Reading {
                    charges: Vec::from_iter(charge(id, name, status)),
                    ..component::drafts(id, name, status, true).into()
                }
                .spoken_by(id)),
                _ => Ok(Reading::default()),
            },
            Some(Place::Notify(id)) => notification(id, message.json()?),
            Some(Place::Motion(id)) => Ok(component::motion(id, message.json()?).spoken_by(id)),
            Some(Place::Info(id)) => Ok(component::info(id, message.json()?).spoken_by(id)),
            Some(Place::Relay(id, number)) => {
                let is_there = message.text()? == "overpower";
                let draft = component::fault(id, "overpower", is_there);
                let draft = draft.component(format!("relay:{number}"));
                Ok(Reading::from(draft).spoken_by(id))
            }
            Some(Place::Fault(id, name)) => {
                let is_there = text::boolean(&Value::from(message.text()?));
                let draft = is_there.map(|is| component::fault(id, name, is));
                Ok(Reading::from(Vec::from_iter(draft)).spoken_by(id))
            }
            None if is_notification(message) => notification("", message.json()?),
            None if let Some(heard) = message.json().ok().and_then(blu::heard) => {
                Ok(blu::read(heard))
            }
            // an answer to us, or to others, or what a script of the device says
            Some(Place::Other) | None => Ok(Vec::from_iter(answer(message)).into()),
        }
    }
}

fn is_answer(message: &Message<'_>) -> bool {
    message.object().is_some_and(|told| {
        let is_text = |name: &str| told.get(name).is_some_and(Value::is_string);
        let has = |name: &str| told.contains_key(name);
        is_text("src") && is_text("dst") && has("id") && (has("result") || has("error"))
    })
}

/// `{"id": …, "src": "shellyplus1-…", "dst": "jiming", "result": {…}}`, or with `error` instead of `result`.
fn answer(message: &Message<'_>) -> Option<Draft> {
    let told = message.object()?;
    let word = |name: &str| told.get(name).and_then(Value::as_str);
    let (id, device) = (word("id")?, word("src")?);
    let failure = match (told.get("result"), told.get("error")) {
        (_, Some(error)) => Some(
            error
                .get("message")
                .and_then(Value::as_str)
                .map_or_else(|| "error".to_owned(), |text| text::clip(text, 100)),
        ),
        (Some(_), None) => None,
        (None, None) => return None,
    };
    // a command to one of several relays has it in its id
    let (id, part) = id
        .split_once('/')
        .map_or((id, None), |(id, part)| (id, Some(part)));
    let mut draft = Draft::answer(device, DeviceClass::Access, id, failure.as_deref())?;
    draft.component = part.map(str::to_owned);
    Some(draft)
}

fn place(topic: &str) -> Option<Place<'_>> {
    if let Some(rest) = topic.strip_prefix("shellies/") {
        let (id, rest) = rest.split_once('/').unwrap_or(("", rest));
        return Some(match rest {
            "online" => Place::Online(id),
            // later generations that were given the prefix of the first
            "events/rpc" => Place::Notify(id),
            _ => match rest.split_once('/') {
                Some(("sensor", sensor)) => Place::Sensor(id, sensor),
                Some(("input", number)) => Place::Input(id, "input", number),
                // on an add-on
                Some(("ext_switch", number)) => Place::Input(id, "ext_switch", number),
                Some(("relay", number)) if !number.contains('/') => Place::Relay(id, number),
                None if rest == "status" => Place::Motion(id),
                None if rest == "info" => Place::Info(id),
                None if matches!(rest, "overtemperature" | "loaderror") => Place::Fault(id, rest),
                Some(("status", component)) if component.contains(':') => {
                    Place::Status(id, component)
                }
                _ => Place::Other,
            },
        });
    }
    if let Some(id) = topic.strip_suffix("/events/rpc") {
        return Some(Place::Notify(id));
    }
    if let Some(id) = topic.strip_suffix("/online") {
        return Some(Place::Online(id));
    }
    if topic.ends_with("/rpc") || topic.contains("/command") {
        return Some(Place::Other);
    }
    let (id, component) = topic.rsplit_once("/status/")?;
    (!component.contains('/')).then_some(Place::Status(id, component))
}

fn is_notification(message: &Message<'_>) -> bool {
    message.object().is_some_and(|object| {
        object.get("src").is_some_and(Value::is_string)
            && object.get("params").is_some_and(Value::is_object)
            && object
                .get("method")
                .and_then(Value::as_str)
                .is_some_and(|method| method.starts_with("Notify"))
    })
}

fn online(id: &str, message: &Message<'_>) -> Result<Reading, Reject> {
    let (kind, phase, word) = match message.text()? {
        "true" => (Kind::DeviceOnline, Phase::Updated, "online"),
        "false" => (Kind::DeviceOffline, Phase::Raised, "offline"),
        _ => {
            let detail = "the will is neither true nor false";
            return Err(Reject::new("bad_availability", detail));
        }
    };
    let draft = Draft::new(id, DeviceClass::FireSensor, kind, phase);
    Ok(draft.edge("availability", word).into())
}

/// `{"src": …, "method": "NotifyStatus", "params": {"ts": …, "smoke:0": {…}}}`.
fn notification(id: &str, body: &Value) -> Result<Reading, Reject> {
    let source = body.get("src").and_then(Value::as_str);
    let address = source.filter(|source| !source.is_empty()).unwrap_or(id);
    let Some(params) = body.get("params").and_then(Value::as_object) else {
        return Ok(Reading::default()); // an answer
    };
    let method = body
        .get("method")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut drafts = Vec::new();
    let mut charges = Vec::new();
    let mut spoke = Vec::new();
    match method {
        "NotifyStatus" | "NotifyFullStatus" => {
            for (name, status) in params.iter().take(PARTS_MAX) {
                if let Some(status) = status.as_object() {
                    let is_whole = method == "NotifyFullStatus";
                    drafts.extend(component::drafts(address, name, status, is_whole));
                    charges.extend(charge(address, name, status));
                }
            }
            timed(&mut drafts, params);
        }
        "NotifyEvent" => {
            let events = params.get("events").and_then(Value::as_array);
            for event in events.into_iter().flatten().take(PARTS_MAX) {
                let Some(event) = event.as_object() else {
                    let detail = "an event that is no JSON object";
                    return Err(Reject::new("bad_event", detail));
                };
                let mut told = Vec::from_iter(component::event(address, event));
                timed(&mut told, event);
                drafts.extend(told);
                if let Some(heard) = event.get("data").and_then(blu::heard) {
                    let mut beacon = blu::read(heard);
                    timed(&mut beacon.drafts, event);
                    drafts.extend(beacon.drafts);
                    charges.extend(beacon.charges);
                    spoke.extend(beacon.spoke);
                }
            }
        }
        _ => {}
    }
    Ok(Reading {
        charges,
        spoke,
        ..drafts.into()
    }
    .spoken_by(address))
}

/// The charge that `devicepower:0` tells: `{"battery": {"V": 2.9, "percent": 60}}`.
fn charge(address: &str, name: &str, status: &Map<String, Value>) -> Option<(String, f64)> {
    if !name.starts_with("devicepower") {
        return None;
    }
    let percent = status.get("battery")?.get("percent")?;
    Some((address.to_owned(), text::number(percent)?))
}

fn timed(drafts: &mut [Draft], of: &Map<String, Value>) {
    let seconds = of
        .get("ts")
        .and_then(text::number)
        .filter(|seconds| *seconds >= TIME_MIN);
    let at = seconds.and_then(DeviceTime::epoch_s);
    for draft in drafts {
        draft.at.clone_from(&at);
    }
}
