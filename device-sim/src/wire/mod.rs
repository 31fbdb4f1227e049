//! How messages leave that are not a native device's: over MQTT, as a web hook, or as a panel's frames over TCP.

mod http;
mod mqtt;
mod panel;

pub use http::{Door, Hook};
pub use mqtt::{Came, Counts, Greeting, Line, Login};
pub use panel::Panel;

use serde_json::Value;

/// One message, ready to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The topic, or the path of a web hook; a frame over TCP has none.
    pub to: String,
    /// What.
    pub payload: Vec<u8>,
    /// What it is, for a web hook.
    pub content_type: Option<String>,
    /// Kept by the broker for who comes later.
    pub retain: bool,
    /// 0, or 1 for what is sent until it is acknowledged.
    pub qos: u8,
}

impl Said {
    /// Bytes that are acknowledged and not retained.
    pub fn bytes(to: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            to: to.into(),
            payload: payload.into(),
            content_type: None,
            retain: false,
            qos: 1,
        }
    }

    /// JSON.
    pub fn json(to: impl Into<String>, body: &Value) -> Self {
        Self {
            content_type: Some("application/json".to_owned()),
            ..Self::bytes(to, body.to_string())
        }
    }

    /// The same, retained.
    #[must_use]
    pub fn retained(self) -> Self {
        Self {
            retain: true,
            ..self
        }
    }
}
