//! A command as it comes, the answer as it goes, and the text that is signed.

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SimDevice;

/// Longest payload of a command, in bytes.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Longest id of a command, in characters.
const ID_CHARS_MAX: usize = 64;

/// An order to a device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Command {
    /// The sender's id; the same order has the same one, however often it comes.
    pub command_id: String,
    /// What to do, such as `open-door`.
    pub command: String,
    /// How.
    #[serde(default)]
    pub args: Value,
    /// When it was given (RFC 3339, as it was written).
    pub issued_at: String,
    /// When it is not wanted any more (RFC 3339, as it was written).
    pub expires_at: String,
    /// On whose behalf.
    #[serde(default)]
    pub actor: String,
    /// Makes two signatures differ.
    #[serde(default)]
    pub nonce: String,
    /// Higher with each command.
    pub counter: u64,
    /// Ed25519 over [`signed_text`](Self::signed_text), in base64.
    #[serde(default)]
    pub sig: Option<String>,
    /// What the device gave in its answer to the first message with this id.
    #[serde(default)]
    pub challenge: Option<String>,
    /// How long after it made the challenge the device may still act, in milliseconds by a clock that nobody sets.
    #[serde(default)]
    pub valid_ms: Option<u64>,
}

impl Command {
    /// Reads a payload; none when nobody could answer it.
    pub fn read(payload: &[u8]) -> Option<Self> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let command: Self = serde_json::from_slice(payload).ok()?;
        let id = &command.command_id;
        let is_fit =
            (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        is_fit.then_some(command)
    }

    /// When it is not wanted any more; none when that is no time.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at.parse().ok()
    }

    /// What the signature is made over: twelve lines without an end of line after the last. What is not there is an empty line, and
    /// a line break within a field a space.
    pub fn signed_text(&self, device: &SimDevice) -> String {
        let args = canonical(&self.args);
        let counter = self.counter.to_string();
        let valid = self.valid_ms.map_or_else(String::new, |ms| ms.to_string());
        let lines = [
            self.command_id.as_str(),
            device.site.as_str(),
            device.id.as_str(),
            &self.command,
            &args,
            &self.issued_at,
            &self.expires_at,
            &self.actor,
            &self.nonce,
            &counter,
            self.challenge.as_deref().unwrap_or_default(),
            &valid,
        ];
        lines.map(|line| line.replace('\n', " ")).join("\n")
    }
}

/// JSON without spaces, the keys of every object in the order of their bytes.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // sorted already, unless some crate of the build asks serde_json to keep the order of the text
            members.sort_unstable_by_key(|(key, _)| key.as_bytes());
            let members: Vec<String> = members
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Heard, and not yet done.
    Accepted,
    /// Done.
    Done,
    /// Tried, and not done.
    Failed,
    /// Not tried.
    Rejected,
    /// Came too late.
    Expired,
}

/// What a device answers. It carries no `ts`: two answers within one millisecond are two answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Which command.
    pub command_id: String,
    /// How far it has come.
    pub status: Status,
    /// In words.
    pub detail: String,
    /// To be sent back at once if the command is still wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_signed_text_is_byte_for_byte_the_contract() {
        let device: SimDevice = serde_json::from_value(json!({
            "id": "door-1", "site": "q1", "class": "access", "username": "u", "password": "p"
        }))
        .expect("a device");
        let mut command = Command::read(
            r#"{"nonce":"00ff","command_id":"c-1","command":"open-door","counter":7,"actor":"usr_1 王",
            "args":{"b":[1,{"z":null,"a":"x y"}],"a":1.5},"issued_at":"2026-11-27T08:00:00.000Z","expires_at":"2026-11-27T08:00:10.000Z"}"#
                .as_bytes(),
        )
        .expect("reads");
        let text = "c-1\nq1\ndoor-1\nopen-door\n{\"a\":1.5,\"b\":[1,{\"a\":\"x y\",\"z\":null}]}\n\
            2026-11-27T08:00:00.000Z\n2026-11-27T08:00:10.000Z\nusr_1 王\n00ff\n7\n\n";
        assert_eq!(command.signed_text(&device), text);
        command.challenge = Some("abc".to_owned());
        command.valid_ms = Some(900);
        let text = text.strip_suffix("\n\n").expect("two empty lines");
        assert_eq!(command.signed_text(&device), format!("{text}\nabc\n900"));
        command.actor = "usr_1\nroot".to_owned();
        assert!(command.signed_text(&device).contains("\nusr_1 root\n"));
    }

    #[test]
    fn what_nobody_could_answer_is_no_command() {
        let with_id = |id: &str| {
            json!({"command_id": id, "command": "ping", "issued_at": "", "expires_at": "", "counter": 1}).to_string()
        };
        assert!(Command::read(with_id("c-1").as_bytes()).is_some());
        for wrong in [
            "",
            "{",
            "[]",
            "{\"command_id\":\"c\"}",
            &with_id(""),
            &with_id("a b"),
            &with_id(&"x".repeat(65)),
        ] {
            assert_eq!(Command::read(wrong.as_bytes()), None, "{wrong}");
        }
        let long = format!("{}{}", with_id("c"), " ".repeat(PAYLOAD_BYTES_MAX));
        assert_eq!(Command::read(long.as_bytes()), None);
    }
}
