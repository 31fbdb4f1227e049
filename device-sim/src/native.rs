//! What a device says in the native format: topics and payloads of `ssg/v1/{site}/{device}/{evt|state|tele|avail|meta}`.

use domain::{Kind, Phase, Timestamp};
use serde_json::{Map, Value, json};

use crate::SimDevice;
use crate::command::Answer;

/// Version of the payloads, told in `meta`.
const SCHEMA: u32 = 1;

/// Fields of a payload.
pub type Fields = Map<String, Value>;

/// One thing that a device has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Say {
    /// A fact: QoS 1, with an id, sent again until it is acknowledged.
    Event {
        /// What happened.
        kind: Kind,
        /// Which part of the episode.
        phase: Phase,
        /// Which part of the device, such as `door-1`; none for the device as a whole.
        component: Option<String>,
        /// The kind's own fields.
        attrs: Fields,
    },
    /// How a part of the device stands now: QoS 1, retained.
    State {
        /// Which part, such as `door-1`.
        component: String,
        /// Its fields.
        fields: Fields,
    },
    /// Readings: QoS 0, lost when the device is not connected.
    Telemetry(Fields),
    /// What came of a command: QoS 1.
    Response {
        /// Which command, such as `raise`.
        command: String,
        /// Its fields.
        fields: Fields,
    },
    /// Bytes on a topic, as a broken or taken-over device would send them: QoS 0, nobody waits for an answer.
    Raw {
        /// Where to, whoever it belongs to.
        topic: String,
        /// What.
        payload: String,
    },
}

/// A message ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// JSON.
    pub payload: Vec<u8>,
    /// Acknowledged by the other side (QoS 1) or not (QoS 0).
    pub acknowledged: bool,
    /// Kept by the broker for who comes later.
    pub retain: bool,
    /// The id of an event; none for everything else.
    pub id: Option<String>,
}

impl Message {
    fn report(topic: String, body: &Value, retain: bool) -> Self {
        Self {
            topic,
            payload: body.to_string().into_bytes(),
            acknowledged: true,
            retain,
            id: None,
        }
    }
}

/// The first levels of all topics of a device.
pub fn topic_root(device: &SimDevice) -> String {
    format!("ssg/v1/{}/{}", device.site, device.id)
}

/// Puts what a device says into a message. `id` is the sender's id of an event, unique per device for ever.
pub fn encode(device: &SimDevice, say: &Say, id: String, at: Timestamp) -> Message {
    let root = topic_root(device);
    match say {
        Say::Event {
            kind,
            phase,
            component,
            attrs,
        } => Message {
            topic: format!("{root}/evt/{}", kind.topic_level()),
            payload: event_body(*kind, *phase, component.as_deref(), &id, at, attrs),
            acknowledged: true,
            retain: false,
            id: Some(id),
        },
        Say::State { component, fields } => Message::report(
            format!("{root}/state/{component}"),
            &stamped(fields, at),
            true,
        ),
        Say::Telemetry(fields) => Message {
            acknowledged: false,
            ..Message::report(format!("{root}/tele"), &stamped(fields, at), false)
        },
        Say::Response { command, fields } => {
            Message::report(format!("{root}/rsp/{command}"), &stamped(fields, at), false)
        }
        Say::Raw { topic, payload } => Message {
            topic: topic.clone(),
            payload: payload.clone().into_bytes(),
            acknowledged: false,
            retain: false,
            id: None,
        },
    }
}

/// What a device answers to a command.
pub fn answer(device: &SimDevice, command: &str, answer: &Answer) -> Message {
    let topic = format!("{}/rsp/{command}", topic_root(device));
    Message::report(topic, &json!(answer), false)
}

fn event_body(
    kind: Kind,
    phase: Phase,
    component: Option<&str>,
    id: &str,
    at: Timestamp,
    attrs: &Fields,
) -> Vec<u8> {
    let mut body = json!({
        "id": id,
        "kind": kind.as_str(),
        "phase": phase.as_str(),
        "occurred_at": millis(at),
        "attrs": attrs,
    });
    if let Some(component) = component {
        body["component"] = component.into();
    }
    body.to_string().into_bytes()
}

fn stamped(fields: &Fields, at: Timestamp) -> Value {
    let mut body = fields.clone();
    body.insert("ts".to_owned(), millis(at).into());
    Value::Object(body)
}

/// RFC 3339 in UTC with exactly three decimals.
pub fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Tells that the device is there, with the boot id of this run.
pub fn online(device: &SimDevice, boot: &str, at: Timestamp) -> Message {
    let body = json!({"state": "online", "boot": boot, "ts": millis(at)});
    Message::report(format!("{}/avail", topic_root(device)), &body, true)
}

/// Tells that the device goes on purpose.
pub fn offline(device: &SimDevice, boot: &str, at: Timestamp) -> Message {
    let body = json!({"state": "offline", "boot": boot, "reason": "shutdown", "ts": millis(at)});
    Message::report(format!("{}/avail", topic_root(device)), &body, true)
}

/// The last will: topic and payload. It carries no time, because nobody knows when it will be published.
pub fn will(device: &SimDevice, boot: &str) -> (String, Vec<u8>) {
    let body = json!({"state": "offline", "boot": boot, "reason": "connection lost"});
    (
        format!("{}/avail", topic_root(device)),
        body.to_string().into_bytes(),
    )
}

/// What the device is.
pub fn meta(device: &SimDevice, at: Timestamp) -> Message {
    let body = json!({
        "schema": SCHEMA, "model": "device-sim", "fw": env!("CARGO_PKG_VERSION"), "class": device.class,
        "heartbeat_s": device.heartbeat_s, "clock": "ntp", "ts": millis(at),
    });
    Message::report(format!("{}/meta", topic_root(device)), &body, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smoke() -> SimDevice {
        serde_json::from_str(
            r#"{"id": "smoke-1", "site": "q1", "class": "fire_sensor", "username": "u", "password": "p"}"#,
        )
        .expect("a device")
    }

    #[test]
    fn an_event_reads_as_the_contract_has_it() {
        let say = Say::Event {
            kind: Kind::FireManualCall,
            phase: Phase::Raised,
            component: None,
            attrs: Fields::new(),
        };
        let at: Timestamp = "2026-11-23T12:58:30Z".parse().expect("a time");
        let message = encode(&smoke(), &say, "r1-7".to_owned(), at);
        assert_eq!(message.topic, "ssg/v1/q1/smoke-1/evt/fire-manual-call");
        assert!(message.acknowledged && !message.retain);
        assert_eq!(message.id.as_deref(), Some("r1-7"));
        let body: Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(
            body,
            json!({"id": "r1-7", "kind": "fire.manual_call", "phase": "raised", "occurred_at": "2026-11-23T12:58:30.000Z", "attrs": {}})
        );
    }

    #[test]
    fn only_telemetry_goes_unacknowledged_and_only_standing_facts_are_retained() {
        let at = Timestamp::UNIX_EPOCH;
        let telemetry = encode(&smoke(), &Say::Telemetry(Fields::new()), String::new(), at);
        assert!(!telemetry.acknowledged && !telemetry.retain);
        let state = Say::State {
            component: "door-1".to_owned(),
            fields: Fields::new(),
        };
        let state = encode(&smoke(), &state, String::new(), at);
        assert_eq!(state.topic, "ssg/v1/q1/smoke-1/state/door-1");
        assert!(state.acknowledged && state.retain);
        let response = Say::Response {
            command: "open-door".to_owned(),
            fields: Fields::new(),
        };
        let response = encode(&smoke(), &response, String::new(), at);
        assert_eq!(response.topic, "ssg/v1/q1/smoke-1/rsp/open-door");
        assert!(response.acknowledged && !response.retain);
        let raw = Say::Raw {
            topic: "a/b".to_owned(),
            payload: "{".to_owned(),
        };
        let raw = encode(&smoke(), &raw, String::new(), at);
        assert_eq!((raw.topic.as_str(), &raw.payload[..]), ("a/b", &b"{"[..]));
        assert!(!raw.acknowledged && !raw.retain);
        assert!(online(&smoke(), "b", at).retain);
    }
}
