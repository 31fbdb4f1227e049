//! Sparkplug B: edge nodes and their devices, `spBv1.0/{group}/{type}/{edge}[/{device}]` with protobuf, aliases instead of names after a birth.
//!
//! By eclipse-sparkplug/sparkplug's specification 3.0. A birth tells the names; they are remembered for the data that come with aliases
//! only. A death is the broker's word that somebody is gone. Metrics are known by the last level of their names
//! ([`decoded`](super::decoded)); commands and the state of host applications are no events.

mod proto;

use std::borrow::Cow;

use domain::{DeviceClass, Kind, Phase};
use prost::Message as _;
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::memory::VALUE_BYTES_MAX;
use super::message::Message;
use super::{Reject, decoded, text};
use proto::{Metric, MetricValue, Payload};

/// Most metrics of one payload that are read.
const METRICS_MAX: usize = 2000;
/// Longest payload.
const BYTES_MAX: usize = 512 << 10;

/// Sparkplug B.
pub struct SparkplugB;

/// A topic, taken apart.
struct Topic<'a> {
    group: &'a str,
    kind: &'a str,
    edge: &'a str,
    device: Option<&'a str>,
}

impl Format for SparkplugB {
    fn name(&self) -> &'static str {
        "sparkplug-b"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        // the state of a host application stood by itself before version 3
        let is_host = || {
            matches!(message.levels().as_slice(), ["STATE", _])
                && matches!(message.payload, b"ONLINE" | b"OFFLINE")
        };
        if message.topic().starts_with("spBv1.0/") {
            Claim::Address
        } else if is_host() {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        let topic = match levels.as_slice() {
            [_, group, kind, edge] => Topic {
                group,
                kind,
                edge,
                device: None,
            },
            [_, group, kind, edge, device] => Topic {
                group,
                kind,
                edge,
                device: Some(device),
            },
            _ => return Ok(Reading::default()), // STATE of a host application
        };
        match topic.kind {
            "NDEATH" | "DDEATH" => Ok(topic.presence(false, None).into()),
            "NBIRTH" | "DBIRTH" => Ok(topic.birth(&payload(message)?)),
            "NDATA" | "DDATA" => {
                let reading = topic.data(&payload(message)?, recall);
                Ok(reading.spoken_by(topic.address()))
            }
            _ => Ok(Reading::default()), // commands
        }
    }
}

fn payload(message: &Message<'_>) -> Result<Payload, Reject> {
    if message.payload.len() > BYTES_MAX {
        let detail = format!(
            "{} bytes, at most {BYTES_MAX} are read",
            message.payload.len()
        );
        return Err(Reject::new("too_long", detail));
    }
    Payload::decode(message.payload)
        .map_err(|e| Reject::new("bad_protobuf", format!("no Sparkplug payload: {e}")))
}

impl Topic<'_> {
    /// The device behind its edge node, within which alone its name is unique; or the edge node where it speaks for itself.
    fn address(&self) -> Cow<'_, str> {
        match self.device {
            Some(device) => format!("{}/{device}", self.edge).into(),
            None => self.edge.into(),
        }
    }

    fn key(&self) -> String {
        let device = self.device.unwrap_or_default();
        format!("sparkplug:{}/{}/{device}", self.group, self.edge)
    }

    fn presence(&self, is_there: bool, at: Option<DeviceTime>) -> Draft {
        let (kind, phase) = if is_there {
            (Kind::DeviceOnline, Phase::Updated)
        } else {
            (Kind::DeviceOffline, Phase::Raised)
        };
        let class = match self.device {
            Some(_) => DeviceClass::FireSensor,
            None => DeviceClass::Gateway,
        };
        Draft::new(self.address(), class, kind, phase)
            .edge("online", is_there)
            .at(at)
    }

    fn birth(&self, payload: &Payload) -> Reading {
        let mut names = Map::new();
        let mut room = VALUE_BYTES_MAX - 2;
        for metric in payload.metrics.iter().take(METRICS_MAX) {
            let (Some(name), Some(alias)) = (&metric.name, metric.alias) else {
                continue;
            };
            // of more names than fit, those that may mean an alarm
            let needs = name.len() * 2 + 26;
            let is_known = decoded::knows(last(name)) || decoded::knows(&last_two(name));
            if is_known && needs < room {
                room -= needs;
                names.insert(alias.to_string(), name.as_str().into());
            }
        }
        let mut drafts = vec![self.presence(true, epoch(payload.timestamp))];
        drafts.extend(self.metrics(payload, &names));
        Reading {
            drafts,
            learn: vec![(self.key(), Some(Value::Object(names).to_string()))],
            ..Reading::default()
        }
    }

    fn data(&self, payload: &Payload, recall: &dyn Recall) -> Reading {
        let known = recall.recall(&self.key());
        let names = match known.map(|names| text::json(names.as_bytes())) {
            Some(Ok(Value::Object(names))) => names,
            _ => Map::new(),
        };
        let mut reading = Reading::from(self.metrics(payload, &names));
        let is_bare = |metric: &Metric| {
            metric.alias.is_some() && metric.name.as_deref().unwrap_or_default().is_empty()
        };
        if known.is_none() && payload.metrics.iter().any(is_bare) {
            let detail = format!(
                "data of `{}` by numbers that no birth has named (hint: ask the edge node for its birth, or restart it)",
                text::clip(&self.address(), 100)
            );
            reading.unread = Some(Reject::new("no_birth", detail));
        }
        reading
    }

    fn metrics(&self, payload: &Payload, names: &Map<String, Value>) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for metric in payload.metrics.iter().take(METRICS_MAX) {
            let known = metric.alias.and_then(|alias| names.get(&alias.to_string()));
            let name = metric.name.as_deref().filter(|name| !name.is_empty());
            let name = name.or_else(|| known.and_then(Value::as_str));
            let (Some(name), Some(value)) = (name, value_of(metric)) else {
                continue;
            };
            if metric.is_historical == Some(true) {
                continue;
            }
            let at = epoch(metric.timestamp).or_else(|| epoch(payload.timestamp));
            let read = |name: String| {
                let object = Map::from_iter([(name, value.clone())]);
                decoded::drafts(&self.address(), &Value::Object(object), at.as_ref())
            };
            // `Smoke/Alarm` says more than `Alarm`
            let mut told = read(last_two(name));
            if told.is_empty() {
                told = read(last(name).to_owned());
            }
            let part = name.rsplit_once('/').map(|(part, _)| part);
            drafts.extend(told.into_iter().map(|draft| match part {
                Some(part) => draft.component(part),
                None => draft,
            }));
        }
        drafts
    }
}

/// The last level of a metric's name.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The last two levels of a metric's name as one word.
fn last_two(name: &str) -> String {
    let mut levels = name.rsplit('/');
    let last = levels.next().unwrap_or_default();
    format!("{}{last}", levels.next().unwrap_or_default())
}

fn epoch(millis: Option<u64>) -> Option<DeviceTime> {
    DeviceTime::epoch_ms(i64::try_from(millis?).ok()?)
}

fn value_of(metric: &Metric) -> Option<Value> {
    if metric.is_null == Some(true) {
        return None;
    }
    Some(match metric.value.as_ref()? {
        MetricValue::Int(n) => (*n).into(),
        MetricValue::Long(n) => (*n).into(),
        MetricValue::Float(n) => f64::from(*n).into(),
        MetricValue::Double(n) => (*n).into(),
        MetricValue::Boolean(is) => (*is).into(),
        MetricValue::Text(words) => text::clip(words, 256).into(),
    })
}
