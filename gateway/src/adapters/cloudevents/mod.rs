//! CloudEvents 1.0: structured and in batches as JSON, binary with its attributes beside the payload; over MQTT and by web hook.
//!
//! Layout: cloudevents/spec@cloudevents/spec.md, formats/json-format.md, bindings/mqtt-protocol-binding.md (user properties carry the bare
//! names), bindings/http-protocol-binding.md (headers begin with `ce-`). Events of another hub of this kind (`ssg.{kind}.{phase}.v1`) are
//! read as they were sent; what other senders mean is told by the words of their types, and where these say nothing, nothing happened. An alarm
//! that does not say of what is kept.

mod names;
mod words;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// Most events of a batch.
const BATCH_MAX: usize = 1000;
/// Longest data of one event, in bytes of JSON.
const DATA_BYTES_MAX: usize = 64 << 10;
/// What every event has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// The format.
pub struct CloudEvents;

impl Format for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.content_type_is("application/cloudevents") || is_binary(message) {
            return Claim::Address;
        }
        let is_own = match message.json() {
            Ok(Value::Array(list)) => list.first().is_some_and(is_event),
            Ok(value) => is_event(value),
            // the specification's own example is no JSON; it is one of these all the same
            Err(_) => std::str::from_utf8(message.payload).is_ok_and(|text| {
                text.trim_start().starts_with('{')
                    && ["\"specversion\"", "\"type\"", "\"source\""]
                        .iter()
                        .all(|member| text.contains(member))
            }),
        };
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let is_structured = message.content_type_is("application/cloudevents");
        if !is_structured && is_binary(message) {
            let event = CloudEvent::of_headers(message)?;
            return event.told(message);
        }
        let mut reading = Reading::default();
        match message.json()? {
            Value::Array(list) if list.len() > BATCH_MAX => {
                let detail = format!("{} events, at most {BATCH_MAX} are read", list.len());
                return Err(Reject::new("too_long", detail));
            }
            Value::Array(list) => {
                for value in list {
                    reading.extend(CloudEvent::of(value)?.told(message)?);
                }
            }
            value => reading.extend(CloudEvent::of(value)?.told(message)?),
        }
        Ok(reading)
    }
}

fn is_event(value: &Value) -> bool {
    REQUIRED.iter().all(|member| value.get(member).is_some())
}

/// An attribute that stands beside the payload.
fn beside<'a>(message: &Message<'a>, name: &str) -> Option<&'a str> {
    message
        .header(&format!("ce-{name}"))
        .or_else(|| (!message.is_http()).then(|| message.header(name)).flatten())
}

fn is_binary(message: &Message<'_>) -> bool {
    REQUIRED.iter().all(|name| beside(message, name).is_some())
}

/// One event.
struct CloudEvent<'a> {
    id: &'a str,
    source: &'a str,
    kind: &'a str,
    subject: Option<&'a str>,
    time: Option<&'a str>,
    data: Value,
}

impl<'a> CloudEvent<'a> {
    fn of(value: &'a Value) -> Result<Self, Reject> {
        let word = |name: &str| value.get(name).and_then(Value::as_str);
        let want = |name: &str| {
            let word = word(name).filter(|word| !word.is_empty());
            word.ok_or_else(|| missing(name))
        };
        check_version(want("specversion")?)?;
        let data = match (value.get("data"), word("data_base64")) {
            (Some(data), _) => data.clone(),
            (None, Some(base64)) => text::base64(base64)
                .and_then(|bytes| text::json(&bytes).ok())
                .unwrap_or(Value::Null),
            (None, None) => Value::Null,
        };
        Ok(Self {
            id: want("id")?,
            source: want("source")?,
            kind: want("type")?,
            subject: word("subject"),
            time: word("time"),
            data,
        })
    }

    /// Binary mode: what is no JSON (a picture, text) has nothing to say here.
    fn of_headers(message: &Message<'a>) -> Result<Self, Reject> {
        let want = |name: &str| {
            let word = beside(message, name).filter(|word| !word.is_empty());
            word.ok_or_else(|| missing(name))
        };
        check_version(want("specversion")?)?;
        let is_json = message
            .content_type
            .is_none_or(|kind| kind.contains("json"));
        let data = if is_json && !message.payload.is_empty() {
            message.json()?.clone()
        } else {
            Value::Null
        };
        Ok(Self {
            id: want("id")?,
            source: want("source")?,
            kind: want("type")?,
            subject: beside(message, "subject"),
            time: beside(message, "time"),
            data,
        })
    }

    fn told(&self, message: &Message<'_>) -> Result<Reading, Reject> {
        let data_bytes = serde_json::to_vec(&self.data).map_or(0, |bytes| bytes.len());
        if data_bytes > DATA_BYTES_MAX {
            let detail = format!("{data_bytes} bytes of data, at most {DATA_BYTES_MAX} are read");
            return Err(Reject::new("too_long", detail));
        }
        let mut drafts: Vec<Draft> = if let Some(rest) = self.kind.strip_prefix("ssg.") {
            self.canonical(rest)?.into_iter().collect()
        } else {
            let address = self.address();
            match words::draft(self.kind, &address, self.subject, &self.data) {
                Some(draft) => vec![draft],
                None => words::drafts_of_data(self.kind, &address, &self.data),
            }
        };
        let at = self
            .time
            .and_then(|time| DeviceTime::text(time, message.zone));
        for draft in &mut drafts {
            if draft.component.is_none() {
                draft.component = self.subject.map(|subject| text::clip(subject, 64));
            }
            draft.at.clone_from(&at);
            // an id is unique with its source only
            draft.id = Some(format!("{}#{}", self.source, self.id));
        }
        let is_untold = drafts.is_empty() && words::is_untold_alarm(self.kind);
        Ok(Reading {
            unread: is_untold.then(|| self.untold()),
            ..drafts.into()
        })
    }

    /// An alarm of which neither type nor data say what it is about.
    fn untold(&self) -> Reject {
        let kind = text::clip(self.kind, 200);
        let detail = format!("`{kind}` is an alarm that does not say of what");
        Reject::new("unknown_event", detail)
    }

    /// `/sites/{site}/devices/{device}`: the device; of others the whole source.
    fn address(&self) -> String {
        let device = self
            .source
            .rsplit_once("/devices/")
            .map(|(_, device)| device);
        text::clip(device.unwrap_or(self.source), 128)
    }

    /// `{kind}.{phase}.v1`, from another hub. What it tells of itself is its own affair.
    fn canonical(&self, rest: &str) -> Result<Option<Draft>, Reject> {
        let unknown = || {
            Reject::new(
                "unknown_kind",
                format!("no event type `{}`", text::clip(self.kind, 200)),
            )
        };
        let (word, version) = rest.rsplit_once('.').ok_or_else(unknown)?;
        let (kind, phase) = word.rsplit_once('.').ok_or_else(unknown)?;
        if version != "v1" {
            return Err(unknown());
        }
        let kind: Kind = kind.parse().map_err(|_| unknown())?;
        let phase: Phase = phase.parse().map_err(|_| unknown())?;
        if kind.as_str().starts_with("gateway.") {
            return Ok(None);
        }
        let word = |name: &str| text::at(&self.data, name).and_then(Value::as_str);
        let class = word("class").and_then(|class| class.parse().ok());
        let attrs = match text::at(&self.data, "attrs").or(Some(&self.data)) {
            Some(Value::Object(attrs)) => attrs.clone(),
            _ => Map::new(),
        };
        let address =
            word("device").map_or_else(|| self.address(), |device| text::clip(device, 128));
        let mut draft = Draft::new(address, class.unwrap_or(DeviceClass::Gateway), kind, phase);
        draft.component = word("component").map(|component| text::clip(component, 64));
        draft.attrs = attrs;
        Ok(Some(draft))
    }
}

fn missing(name: &str) -> Reject {
    Reject::new("bad_shape", format!("no `{name}` in a CloudEvent"))
}

fn check_version(version: &str) -> Result<(), Reject> {
    if version.starts_with("1.") {
        return Ok(());
    }
    let detail = format!("CloudEvents {}, only 1.x is read", text::clip(version, 20));
    Err(Reject::new("bad_version", detail))
}
