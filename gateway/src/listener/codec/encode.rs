//! Packets to bytes: what a server sends.

use bytes::{BufMut as _, BytesMut};

use super::properties::put_text;
use super::{Forwarded, Version};

/// The four acknowledgements; the value is the first byte of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// QoS 1: taken.
    PubAck = 0x40,
    /// QoS 2: taken.
    PubRec = 0x50,
    /// QoS 2: let go.
    PubRel = 0x62,
    /// QoS 2: done.
    PubComp = 0x70,
}

/// An acknowledgement; a reason other than 0 is said in version 5 only.
pub fn ack(out: &mut BytesMut, version: Version, kind: Ack, id: u16, reason: u8) {
    let [high, low] = id.to_be_bytes();
    if reason == 0 || version == Version::V4 {
        out.put_slice(&[kind as u8, 2, high, low]);
    } else {
        out.put_slice(&[kind as u8, 3, high, low, reason]);
    }
}

/// What CONNACK of version 5 says of the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnAck {
    /// The session of before goes on.
    pub session_present: bool,
    /// Said where it is less than what was asked for.
    pub session_expiry_s: Option<u32>,
    /// Most unacknowledged publishes.
    pub receive_maximum: u16,
    /// Largest packet.
    pub packet_bytes_max: u32,
    /// The client id that we made up.
    pub assigned_client: Option<String>,
    /// Most topic aliases from the client.
    pub topic_alias_max: u16,
    /// The keepalive that holds instead of the client's.
    pub keep_alive_s: Option<u16>,
}

/// CONNACK that lets the client in.
pub fn connack(out: &mut BytesMut, version: Version, answer: &ConnAck) {
    if version == Version::V4 {
        out.put_slice(&[0x20, 2, u8::from(answer.session_present), 0]);
        return;
    }
    let mut properties = BytesMut::new();
    if let Some(expiry) = answer.session_expiry_s {
        properties.put_u8(0x11);
        properties.put_u32(expiry);
    }
    properties.put_u8(0x21);
    properties.put_u16(answer.receive_maximum);
    properties.put_u8(0x27);
    properties.put_u32(answer.packet_bytes_max);
    if let Some(client) = &answer.assigned_client {
        properties.put_u8(0x12);
        put_text(&mut properties, client.as_bytes());
    }
    properties.put_u8(0x22);
    properties.put_u16(answer.topic_alias_max);
    if let Some(seconds) = answer.keep_alive_s {
        properties.put_u8(0x13);
        properties.put_u16(seconds);
    }
    out.put_u8(0x20);
    put_variable(out, 2 + variable_bytes(properties.len()) + properties.len());
    out.put_slice(&[u8::from(answer.session_present), 0]);
    put_variable(out, properties.len());
    out.put_slice(&properties);
}

/// SUBACK with one code a filter.
pub fn suback(out: &mut BytesMut, version: Version, id: u16, codes: &[u8]) {
    answer(out, 0x90, version, id, codes);
}

/// UNSUBACK; `codes` are sent in version 5 only.
pub fn unsuback(out: &mut BytesMut, version: Version, id: u16, codes: &[u8]) {
    let codes = if version == Version::V5 { codes } else { &[] };
    answer(out, 0xb0, version, id, codes);
}

fn answer(out: &mut BytesMut, first: u8, version: Version, id: u16, codes: &[u8]) {
    let properties = usize::from(version == Version::V5);
    out.put_u8(first);
    put_variable(out, 2 + properties + codes.len());
    out.put_u16(id);
    out.put_bytes(0, properties);
    out.put_slice(codes);
}

/// PINGRESP.
pub fn pong(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0]);
}

/// DISCONNECT of version 5 with its reason, in words where they are welcome.
pub fn disconnect(out: &mut BytesMut, reason: u8, words: Option<&str>) {
    let Some(words) = words else {
        out.put_slice(&[0xe0, 1, reason]);
        return;
    };
    let words = words.get(..words.len().min(200)).unwrap_or("");
    let properties = 3 + words.len();
    out.put_u8(0xe0);
    put_variable(out, 1 + variable_bytes(properties) + properties);
    out.put_u8(reason);
    put_variable(out, properties);
    out.put_u8(0x1f);
    put_text(out, words.as_bytes());
}

/// A message to a subscriber.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Empty when the alias stands for it.
    pub topic: &'a str,
    /// The bytes.
    pub payload: &'a [u8],
    /// 0, 1 or 2.
    pub qos: u8,
    /// Packet id; not sent with QoS 0.
    pub id: u16,
    /// It may have been sent before.
    pub dup: bool,
    /// It was kept for this subscription, or published so and asked to be shown as published.
    pub retain: bool,
    /// Seconds that are left of its life.
    pub expiry_s: Option<u32>,
    /// What stands for the topic.
    pub alias: Option<u16>,
    /// Ids of the subscriptions that it matched.
    pub subscriptions: &'a [u32],
    /// What its publisher said besides.
    pub forwarded: &'a Forwarded,
}

impl Outgoing<'_> {
    fn properties_bytes(&self) -> usize {
        let expiry = if self.expiry_s.is_some() { 5 } else { 0 };
        let alias = if self.alias.is_some() { 3 } else { 0 };
        let ids: usize = self
            .subscriptions
            .iter()
            .map(|id| 1 + variable_bytes(*id as usize))
            .sum();
        expiry + alias + ids + self.forwarded.bytes().len()
    }

    fn body_bytes(&self, version: Version) -> usize {
        let id = if self.qos > 0 { 2 } else { 0 };
        let properties = match version {
            Version::V4 => 0,
            Version::V5 => {
                let bytes = self.properties_bytes();
                variable_bytes(bytes) + bytes
            }
        };
        2 + self.topic.len() + id + properties + self.payload.len()
    }

    /// Bytes of the whole packet.
    pub fn bytes(&self, version: Version) -> usize {
        let body = self.body_bytes(version);
        1 + variable_bytes(body) + body
    }
}

/// PUBLISH.
pub fn publish(out: &mut BytesMut, version: Version, message: &Outgoing<'_>) {
    let first = 0x30 | (u8::from(message.dup) << 3) | (message.qos << 1) | u8::from(message.retain);
    out.put_u8(first);
    put_variable(out, message.body_bytes(version));
    put_text(out, message.topic.as_bytes());
    if message.qos > 0 {
        out.put_u16(message.id);
    }
    if version == Version::V5 {
        put_variable(out, message.properties_bytes());
        if let Some(seconds) = message.expiry_s {
            out.put_u8(0x02);
            out.put_u32(seconds);
        }
        if let Some(alias) = message.alias {
            out.put_u8(0x23);
            out.put_u16(alias);
        }
        for id in message.subscriptions {
            out.put_u8(0x0b);
            put_variable(out, *id as usize);
        }
        out.put_slice(message.forwarded.bytes());
    }
    out.put_slice(message.payload);
}

fn variable_bytes(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

fn put_variable(out: &mut BytesMut, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        out.put_u8(if value > 0 { byte | 0x80 } else { byte });
        if value == 0 {
            return;
        }
    }
}
