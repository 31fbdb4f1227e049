//! A command as it goes over the wire, and the text that the hub signs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Action;
use crate::{DeviceId, SiteId, Timestamp};

/// Longest challenge, in printable ASCII characters.
pub const CHALLENGE_CHARS_MAX: usize = 64;

/// The payload of `ssg/v1/{site}/{device}/cmd/{command}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The command's id: a device that knows it answers again and does nothing again.
    pub command_id: String,
    /// What to do.
    pub command: Action,
    /// How.
    pub args: Value,
    /// When it was released, hub time.
    pub issued_at: Timestamp,
    /// When it is void, hub time.
    pub expires_at: Timestamp,
    /// Who asked.
    pub actor: String,
    /// 128 random bits, as 32 hexadecimal characters.
    pub nonce: String,
    /// Higher than that of every command of this device before.
    pub counter: u64,
    /// What the device asked to see again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// How long after it made the challenge the device may still act, in milliseconds of its own monotonic clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_ms: Option<u64>,
    /// Ed25519 over [`signed_text`], base64 (RFC 4648 §4).
    pub sig: String,
}

/// What is signed: one line each, in this order, of command id, site, device, command, arguments as JSON with sorted keys and no spaces,
/// issued, expires, actor, nonce, counter, challenge, valid; what is not there is an empty line. No line break at the end.
pub fn signed_text(order: &Order, site: &SiteId, device: &DeviceId) -> String {
    let valid = order.valid_ms.map_or_else(String::new, |ms| ms.to_string());
    let mut lines = vec![
        order.command_id.clone(),
        site.to_string(),
        device.to_string(),
        order.command.to_string(),
        canonical(&order.args),
        order.issued_at.to_string(),
        order.expires_at.to_string(),
        order.actor.clone(),
        order.nonce.clone(),
        order.counter.to_string(),
        order.challenge.clone().unwrap_or_default(),
        valid,
    ];
    for line in &mut lines {
        // a line break in a field would make two texts one
        if line.contains('\n') {
            *line = line.replace('\n', " ");
        }
    }
    lines.join("\n")
}

/// JSON with keys in the order of their bytes and no spaces.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let member = |key: &&String| {
                let name = Value::String((*key).clone());
                format!("{name}:{}", canonical(&map[*key]))
            };
            let members: Vec<String> = keys.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_signed() {
        let at: Timestamp = "2026-11-27T08:00:00Z".parse().expect("a time");
        let order = Order {
            command_id: "cmd_1".to_owned(),
            command: Action::Unlock,
            args: serde_json::json!({"b": [1, {"d": null, "c": "x"}], "a": true}),
            issued_at: at,
            expires_at: at,
            actor: "wang".to_owned(),
            nonce: "00".to_owned(),
            counter: 7,
            challenge: Some("c".to_owned()),
            valid_ms: Some(900),
            sig: String::new(),
        };
        let (site, device) = (
            "q1".parse().expect("an id"),
            "door-1".parse().expect("an id"),
        );
        let text = signed_text(&order, &site, &device);
        assert_eq!(
            text,
            "cmd_1\nq1\ndoor-1\nunlock\n{\"a\":true,\"b\":[1,{\"c\":\"x\",\"d\":null}]}\n2026-11-27T08:00:00Z\n2026-11-27T08:00:00Z\nwang\n00\n7\nc\n900"
        );
        for changed in [
            Order {
                command: Action::Lock,
                ..order.clone()
            },
            Order {
                actor: "li".to_owned(),
                ..order.clone()
            },
            Order {
                counter: 8,
                ..order.clone()
            },
            Order {
                valid_ms: None,
                ..order.clone()
            },
            Order {
                args: serde_json::json!({}),
                ..order.clone()
            },
        ] {
            assert_ne!(signed_text(&changed, &site, &device), text);
        }
    }
}
