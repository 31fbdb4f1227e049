//! ONVIF event broker: `{prefix}/onvif-ej/{topic}[/&{source values}]`, JSON over MQTT.
//!
//! Layout: ONVIF Core, clause "JSON Event Payload" (onvif/specs@doc/Core.xml). The prefix tells devices apart. Properties are retained,
//! and the empty message that takes one away says that it is over; `PropertyOperation` is never sent.

use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::Reading;
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::onvif::{self, Items, Notice, Operation};
use super::{Reject, text};

/// The level that says so.
const LEVEL: &str = "onvif-ej";

/// The format.
pub struct OnvifEj;

impl Format for OnvifEj {
    fn name(&self) -> &'static str {
        "onvif-ej"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let levels = message.levels();
        // the prefix may have levels of its own, and no topic is without one
        match levels.iter().position(|level| *level == LEVEL) {
            Some(at) if at > 0 && at + 1 < levels.len() => Claim::Address,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let topic = message.topic();
        let (prefix, rest) = topic
            .split_once("/onvif-ej/")
            .ok_or_else(|| Reject::new("bad_topic", format!("no level `{LEVEL}` in the topic")))?;
        let (local, part) = match rest.split_once("/&") {
            Some((local, part)) => (local, Some(part.to_owned())),
            None => (rest, None),
        };
        let mut notice = Notice {
            address: prefix.to_owned(),
            topic: onvif::levels(local),
            component: part,
            operation: Operation::of_retain(message.is_retained()),
            ..Notice::default()
        };
        if message.payload.is_empty() {
            notice.operation = Operation::Deleted;
            return Ok(notice.drafts().into());
        }
        let body = message.json()?;
        if !body.is_object() {
            return Err(Reject::new("bad_shape", "the payload is no JSON object"));
        }
        notice.source = items(body.get("Source"));
        notice.key = items(body.get("Key"));
        notice.data = items(body.get("Data"));
        notice.at = text::at(body, "UtcTime")
            .and_then(Value::as_str)
            .and_then(|time| DeviceTime::text(time, message.zone));
        Ok(notice.drafts().into())
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.contains("/onvif-ej/Monitoring/")
    }
}

/// Values may be texts, numbers or yes and no; what is nested is an element and told by its leaves. Some firmware keeps the layout of
/// the XML: `SimpleItem` with `Name` and `Value`, attributes as `@name`, the text of an element as `#text`.
pub(super) fn items(value: Option<&Value>) -> Items {
    let mut items = Items::new();
    collect(value.unwrap_or(&Value::Null), "", &mut items);
    items
}

fn collect(value: &Value, name: &str, items: &mut Items) {
    if items.len() >= onvif::ITEMS_MAX {
        return;
    }
    match value {
        Value::Object(members) if name == "SimpleItem" => {
            let of = |member: &str| members.get(member).unwrap_or(&Value::Null);
            let name = text::word(of("Name")).unwrap_or_default();
            collect(of("Value"), &name, items);
        }
        Value::Object(members) => {
            for (inner, value) in members {
                let inner = match inner.as_str() {
                    "#text" => name,
                    inner => inner.trim_start_matches('@'),
                };
                collect(value, inner, items);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, name, items)),
        Value::Bool(is) => items.push((name.to_owned(), is.to_string())),
        value => items.extend(text::word(value).map(|word| (name.to_owned(), word))),
    }
}
