//! What goes between the hub and the process of a declared adapter's programs: two lengths (u32, little endian), a head in JSON and a body of
//! bytes; each request has one answer.

use domain::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::message::{Door, Message};
use super::file::Mistake;

/// Longest head and body of a frame together, in bytes.
pub(super) const FRAME_BYTES_MAX: usize = 16 << 20;

/// What is asked of a process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// The body is the file.
    Load { path: String },
    /// The body is a message.
    Read(Head),
    /// The same, and what it told.
    Answer(Head, Vec<Value>),
}

/// A message but for its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    door: Way,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    received_at: Timestamp,
    zone: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Way {
    Mqtt(String, bool),
    Http(String),
    Tcp(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Loaded,
    Mistake(Mistake),
    Values(Vec<Value>),
    Rejected { code: String, detail: String },
}

pub(super) fn lengths(head: &[u8], body: &[u8]) -> [u8; 8] {
    let mut lengths = [0; 8];
    lengths[..4].copy_from_slice(&(head.len() as u32).to_le_bytes());
    lengths[4..].copy_from_slice(&(body.len() as u32).to_le_bytes());
    lengths
}

/// The lengths of head and body.
pub(super) fn split(lengths: &[u8]) -> Option<(usize, usize)> {
    let (head, body) = lengths.split_first_chunk::<4>()?;
    let (body, _) = body.split_first_chunk::<4>()?;
    Some((
        u32::from_le_bytes(*head) as usize,
        u32::from_le_bytes(*body) as usize,
    ))
}

impl Head {
    pub(super) fn of(message: &Message<'_>) -> Self {
        let zone = message.zone;
        Self {
            door: match message.door {
                Door::Mqtt { topic, retain } => Way::Mqtt(topic.to_owned(), retain),
                Door::Http { target } => Way::Http(target.to_owned()),
                Door::Tcp { protocol } => Way::Tcp(protocol.to_owned()),
            },
            content_type: message.content_type.map(str::to_owned),
            headers: message.headers.to_vec(),
            received_at: message.received_at,
            // one without a name has an offset
            zone: zone.iana_name().map_or_else(
                || zone.to_offset(message.received_at).seconds().to_string(),
                str::to_owned,
            ),
        }
    }

    pub(super) fn zone(&self) -> TimeZone {
        match self.zone.parse() {
            Ok(seconds) => {
                jiff::tz::Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed)
            }
            Err(_) => TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC),
        }
    }

    pub(super) fn message<'a>(&'a self, payload: &'a [u8], zone: &'a TimeZone) -> Message<'a> {
        let door = match &self.door {
            Way::Mqtt(topic, retain) => Door::Mqtt {
                topic,
                retain: *retain,
            },
            Way::Http(target) => Door::Http { target },
            Way::Tcp(protocol) => Door::Tcp { protocol },
        };
        let mut message = Message::new(door, payload, self.received_at, zone);
        message.content_type = self.content_type.as_deref();
        message.headers = &self.headers;
        message
    }
}
