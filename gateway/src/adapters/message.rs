//! One message as a vendor's device sent it, whatever door it came through: the input of every [`Format`](super::Format).

use std::cell::OnceCell;

use domain::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Reject, text};

/// Which way a message came.
#[derive(Debug, Clone, Copy)]
pub enum Door<'a> {
    /// MQTT.
    Mqtt {
        /// The topic.
        topic: &'a str,
        /// It was retained, or asked to be.
        retain: bool,
    },
    /// A web hook.
    Http {
        /// Path and query, `/iclock/cdata?SN=1&table=rtlog`.
        target: &'a str,
    },
    /// A frame of a connection that speaks nothing but this.
    Tcp {
        /// `gbt26875`, `dc09`.
        protocol: &'a str,
    },
}

/// One message.
pub struct Message<'a> {
    /// Which way it came.
    pub door: Door<'a>,
    /// `Content-Type` of HTTP, content type of MQTT 5.0.
    pub content_type: Option<&'a str>,
    /// Headers of HTTP in lower case, user properties of MQTT 5.0 as they are.
    pub headers: &'a [(String, String)],
    /// The bytes.
    pub payload: &'a [u8],
    /// The hub's clock.
    pub received_at: Timestamp,
    /// The wall clock of devices that send no offset.
    pub zone: &'a TimeZone,
    json: OnceCell<Result<Value, Reject>>,
}

impl<'a> Message<'a> {
    /// A message without headers.
    pub fn new(
        door: Door<'a>,
        payload: &'a [u8],
        received_at: Timestamp,
        zone: &'a TimeZone,
    ) -> Self {
        Self {
            door,
            content_type: None,
            headers: &[],
            payload,
            received_at,
            zone,
            json: OnceCell::new(),
        }
    }

    /// The MQTT topic; empty for other doors.
    pub fn topic(&self) -> &'a str {
        match self.door {
            Door::Mqtt { topic, .. } => topic,
            _ => "",
        }
    }

    /// The levels of the MQTT topic; none for other doors.
    pub fn levels(&self) -> Vec<&'a str> {
        match self.door {
            Door::Mqtt { topic, .. } => topic.split('/').collect(),
            _ => Vec::new(),
        }
    }

    /// The path of a web hook without its query; empty for other doors.
    pub fn path(&self) -> &'a str {
        match self.door {
            Door::Http { target } => target.split('?').next().unwrap_or_default(),
            _ => "",
        }
    }

    /// The first parameter of this name in the query of a web hook, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let Door::Http { target } = self.door else {
            return None;
        };
        let (_, query) = target.split_once('?')?;
        text::form_pairs(query)
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The protocol of a frame; empty for other doors.
    pub fn protocol(&self) -> &'a str {
        match self.door {
            Door::Tcp { protocol } => protocol,
            _ => "",
        }
    }

    /// Whether it came as a web hook.
    pub fn is_http(&self) -> bool {
        matches!(self.door, Door::Http { .. })
    }

    /// Whether it was retained.
    pub fn is_retained(&self) -> bool {
        matches!(self.door, Door::Mqtt { retain: true, .. })
    }

    /// A header or user property, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether its content type begins so (`multipart/`, `application/xml`).
    pub fn content_type_is(&self, prefix: &str) -> bool {
        self.content_type
            .and_then(|kind| kind.trim_start().get(..prefix.len()))
            .is_some_and(|kind| kind.eq_ignore_ascii_case(prefix))
    }

    /// The payload as JSON, parsed once; [`text::json`] says how strictly.
    ///
    /// # Errors
    /// `bad_json`, `too_deep`, `too_long`.
    pub fn json(&self) -> Result<&Value, Reject> {
        self.json
            .get_or_init(|| text::json(self.payload))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The payload where it is a JSON object, for a look at its shape.
    pub fn object(&self) -> Option<&serde_json::Map<String, Value>> {
        self.json().ok()?.as_object()
    }

    /// The payload as UTF-8 text without a byte order mark and the white space around it.
    ///
    /// # Errors
    /// `bad_text`.
    pub fn text(&self) -> Result<&'a str, Reject> {
        std::str::from_utf8(self.payload)
            .map(|text| text.trim_start_matches('\u{feff}').trim())
            .map_err(|e| {
                let detail = format!(
                    "the payload is no UTF-8 text from byte {} on",
                    e.valid_up_to()
                );
                Reject::new("bad_text", detail)
            })
    }
}
