//! A PUBLISH that is encoded once and afterwards only patched: packet id, event id and time have fixed places and widths.
//!
//! ```text
//! 0x32 | remaining length | topic | packet id | {"id":"RUN-CCC-NNNNNNNNN", … "occurred_at":"2026-11-23T15:20:01.123Z", … "pad":"xxx"}}
//!   ▲ DUP bit                        ▲ 2 bytes           ▲ 9 digits                        ▲ 24 bytes
//! ```

use bytes::BytesMut;
use domain::{Kind, Timestamp};
use rumqttc::{Publish, QoS};

use crate::native::millis;

/// Digits of an event's number within its connection.
const DIGITS: usize = 9;
/// Highest number with so many digits.
pub(super) const NUMBER_MAX: u64 = 10_u64.pow(DIGITS as u32) - 1;
/// The DUP flag of a PUBLISH's first byte.
const DUP: u8 = 0x08;
/// MQTT's own limit for a topic.
const TOPIC_BYTES_MAX: usize = 65_535;

/// Why there can be no such message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The fields alone are longer.
    #[error("{wanted} bytes are too few for a payload (hint: at least {least})")]
    TooSmall {
        /// What was asked for.
        wanted: usize,
        /// The shortest possible payload of this run.
        least: usize,
    },
    /// The topic cannot be published to.
    #[error("`{0}` is not a topic to publish to (hint: no + and #, not empty)")]
    Topic(String),
}

/// The template of all messages of one connection.
#[derive(Debug, Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    packet_id_at: usize,
    number_at: usize,
    time_at: usize,
    prefix: String,
}

impl Template {
    /// For a payload of exactly `payload_bytes` bytes. `prefix` is the part of the ids before the number.
    pub(super) fn new(
        topic: &str,
        prefix: &str,
        kind: Kind,
        payload_bytes: usize,
    ) -> Result<Self, PacketError> {
        if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.len() > TOPIC_BYTES_MAX {
            return Err(PacketError::Topic(topic.chars().take(80).collect()));
        }
        let time = millis(Timestamp::UNIX_EPOCH);
        let zeros = "0".repeat(DIGITS);
        let head = format!(
            r#"{{"id":"{prefix}{zeros}","kind":"{kind}","phase":"instant","occurred_at":""#
        );
        let tail = |pad: &str| format!(r#"{time}","attrs":{{"pad":"{pad}"}}}}"#);
        let least = head.len() + tail("").len();
        let pad = payload_bytes
            .checked_sub(least)
            .ok_or(PacketError::TooSmall {
                wanted: payload_bytes,
                least,
            })?;
        let payload = format!("{head}{}", tail(&"x".repeat(pad)));
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = 1;
        let mut bytes = BytesMut::new();
        publish
            .write(&mut bytes)
            .map_err(|_| PacketError::Topic(topic.to_owned()))?;
        let payload_at = bytes.len() - payload_bytes;
        Ok(Self {
            packet_id_at: payload_at - 2,
            number_at: payload_at + r#"{"id":""#.len() + prefix.len(),
            time_at: payload_at + head.len(),
            prefix: prefix.to_owned(),
            bytes: bytes.to_vec(),
        })
    }

    /// Sets the time of the messages to come.
    pub(super) fn set_time(&mut self, now: Timestamp) {
        let text = millis(now);
        // years after 9999 would be longer; then the old time stays
        if let Some(place) = self.bytes.get_mut(self.time_at..self.time_at + text.len())
            && place.last() == Some(&b'Z')
        {
            place.copy_from_slice(text.as_bytes());
        }
    }

    /// Appends the message with this number to what will be written.
    pub(super) fn append(&self, out: &mut BytesMut, packet_id: u16, number: u64, again: bool) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let packet = &mut out[start..];
        if again {
            packet[0] |= DUP;
        }
        packet[self.packet_id_at..self.packet_id_at + 2].copy_from_slice(&packet_id.to_be_bytes());
        let mut rest = number;
        for digit in packet[self.number_at..self.number_at + DIGITS]
            .iter_mut()
            .rev()
        {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// The id of the message with this number.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{}{number:0DIGITS$}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::Packet;

    #[test]
    fn a_patched_packet_reads_as_if_it_had_been_encoded_whole() {
        let mut template = Template::new(
            "ssg/v1/q1/door-1/evt/access-granted",
            "r-003-",
            Kind::AccessGranted,
            250,
        )
        .expect("a template");
        template.set_time("2026-11-23T15:20:01.123Z".parse().expect("a time"));
        let mut out = BytesMut::new();
        template.append(&mut out, 0x0102, 42, false);
        template.append(&mut out, 65_535, NUMBER_MAX, true);
        for (packet_id, number, again) in [(0x0102, 42, false), (65_535, NUMBER_MAX, true)] {
            let Ok(Packet::Publish(publish)) = Packet::read(&mut out, 1 << 20) else {
                panic!("not a PUBLISH");
            };
            assert_eq!((publish.pkid, publish.dup), (packet_id, again));
            assert_eq!(publish.payload.len(), 250);
            let body: serde_json::Value = serde_json::from_slice(&publish.payload).expect("JSON");
            assert_eq!(body["id"], template.id(number));
            assert_eq!(body["kind"], "access.granted");
            assert_eq!(body["occurred_at"], "2026-11-23T15:20:01.123Z");
        }
        assert!(out.is_empty());
        assert_eq!(template.id(42), "r-003-000000042");
    }

    #[test]
    fn a_payload_that_cannot_be_is_refused_with_the_least_size() {
        let make = |bytes| Template::new("t", "r-", Kind::AccessGranted, bytes);
        let Err(PacketError::TooSmall { least, .. }) = make(10) else {
            panic!("10 bytes are enough?");
        };
        assert!(make(least).is_ok() && make(least - 1).is_err());
        let wild = Template::new("bench/#", "r-", Kind::AccessGranted, 250);
        assert!(matches!(wild, Err(PacketError::Topic(_))));
    }
}
