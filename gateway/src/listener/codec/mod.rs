//! Bytes to packets and back: MQTT 3.1.1 and 5.0, the server's side, strict.
//!
//! [`decode`] takes whole packets out of a buffer and refuses whatever the standards call malformed or a protocol error, with the
//! reason code of MQTT 5.0 §2.4. It allocates nothing before a packet is whole, and no more than the packet is long. What only
//! servers send is refused; so is AUTH, which is not offered.

mod connect;
mod cursor;
mod encode;
mod properties;

#[cfg(test)]
mod tests;

use bytes::{Buf as _, Bytes, BytesMut};

pub use connect::{Connect, WillMessage};
pub use encode::{
    Ack, ConnAck, Outgoing, ack, connack, disconnect, pong, publish, suback, unsuback,
};
pub use properties::Forwarded;

use cursor::Cursor;
use properties::Properties;

/// Which MQTT a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1, protocol level 4.
    V4,
    /// 5.0, protocol level 5.
    V5,
}

/// Why bytes are not a packet that may come now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Reason code of MQTT 5.0 §2.4.
    pub code: u8,
    /// What is wrong, in words.
    pub what: String,
}

impl Fault {
    /// Bytes that are no packet (0x81).
    pub fn malformed(what: impl Into<String>) -> Self {
        Self::new(0x81, what)
    }
    /// A packet that may not come, or not now (0x82).
    pub fn protocol(what: impl Into<String>) -> Self {
        Self::new(0x82, what)
    }
    /// With any reason code.
    pub fn new(code: u8, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
        }
    }
}

/// A publish as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Empty when an alias stands for it.
    pub topic: String,
    /// The bytes.
    pub payload: Bytes,
    /// Packet id; 0 with QoS 0.
    pub id: u16,
    /// 0, 1 or 2.
    pub qos: u8,
    /// It may have been sent before.
    pub dup: bool,
    /// It is to be kept for later subscribers.
    pub retain: bool,
    /// What stands for the topic from now on, or stood for it before.
    pub alias: Option<u16>,
    /// Seconds after which nobody wants it any more.
    pub expiry_s: Option<u32>,
    /// The properties that go to subscribers unaltered.
    pub forwarded: Forwarded,
}

/// What is asked for with a filter (MQTT 5.0 §3.8.3.1; 3.1.1 has the quality alone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubscribeOptions {
    /// The highest quality to deliver with.
    pub qos: u8,
    /// Not what this session has published itself.
    pub no_local: bool,
    /// The retain flag stays as it was published.
    pub retain_as_published: bool,
    /// 0: retained messages come with every SUBSCRIBE; 1: with a new one; 2: never.
    pub retain_handling: u8,
}

/// What a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// The first packet, and only the first.
    Connect(Box<Connect>),
    /// A message.
    Publish(Publish),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP with packet id and reason.
    Ack(Ack, u16, u8),
    /// Filters with their options, and the subscription id of all of them.
    Subscribe {
        /// Packet id.
        id: u16,
        /// In the order of the packet.
        filters: Vec<(String, SubscribeOptions)>,
        /// 1 to 268,435,455.
        subscription: Option<u32>,
    },
    /// Filters to drop.
    Unsubscribe {
        /// Packet id.
        id: u16,
        /// In the order of the packet.
        filters: Vec<String>,
    },
    /// PINGREQ.
    Ping,
    /// Good-bye.
    Disconnect {
        /// 0x00, or 0x04: with the will.
        reason: u8,
        /// The session's expiry, changed at the last moment.
        session_expiry_s: Option<u32>,
    },
}

/// Type and whole length of the packet at the start of `bytes`; none when more bytes are needed to tell.
///
/// # Errors
/// A length of more than four bytes, or one above `bytes_max` (0x95).
pub fn frame(bytes: &[u8], bytes_max: usize) -> Result<Option<(u8, usize)>, Fault> {
    let Some(first) = bytes.first() else {
        return Ok(None);
    };
    let (mut length, mut shift, mut at) = (0usize, 0, 1);
    loop {
        let Some(byte) = bytes.get(at) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7f) << shift;
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 21 {
            return Err(Fault::malformed(
                "the remaining length has more than four bytes",
            ));
        }
    }
    let whole = at + length;
    if whole > bytes_max {
        let what = format!("a packet of {whole} bytes is larger than {bytes_max}");
        return Err(Fault::new(0x95, what));
    }
    Ok(Some((*first, whole)))
}

/// Takes the next whole packet out of `stream`. `version` is none before CONNECT, and then nothing but a CONNECT is taken.
///
/// # Errors
/// The bytes are no packet, or one that may not come now. Nothing that follows in `stream` means anything then.
pub fn decode(
    stream: &mut BytesMut,
    version: Option<Version>,
    bytes_max: usize,
) -> Result<Option<Packet>, Fault> {
    // the type is judged by its first byte: nobody sends us a long something else
    if let Some(first) = stream.first() {
        check_first(*first, version)?;
    }
    let Some((first, whole)) = frame(stream, bytes_max)? else {
        return Ok(None);
    };
    if stream.len() < whole {
        return Ok(None);
    }
    let header = 1 + stream[1..].iter().take_while(|b| **b & 0x80 != 0).count() + 1;
    let packet = {
        let mut body = Cursor::new(&stream[header..whole]);
        let Some(version) = version else {
            let connect = connect::read(&mut body)?;
            stream.advance(whole);
            return Ok(Some(Packet::Connect(Box::new(connect))));
        };
        read(first, &mut body, version)?
    };
    stream.advance(whole);
    Ok(Some(packet))
}

/// The flags of the fixed header are fixed for all but PUBLISH (MQTT 5.0 §2.1.3).
fn check_first(first: u8, version: Option<Version>) -> Result<(), Fault> {
    let (kind, flags) = (first >> 4, first & 0x0f);
    if version.is_none() {
        return match first {
            0x10 => Ok(()),
            _ => Err(Fault::protocol("the first packet is not a CONNECT")),
        };
    }
    match kind {
        1 => Err(Fault::protocol("a second CONNECT")),
        3 if flags & 0b0110 == 0b0110 => Err(Fault::malformed("QoS 3")),
        3 if flags & 0b1110 == 0b1000 => Err(Fault::malformed("DUP with QoS 0")),
        3 => Ok(()),
        6 | 8 | 10 if flags == 2 => Ok(()),
        4 | 5 | 7 | 12 | 14 if flags == 0 => Ok(()),
        4..=8 | 10 | 12 | 14 => Err(Fault::malformed("reserved flags are set")),
        15 => Err(Fault::protocol("AUTH is not offered")),
        _ => Err(Fault::protocol("a packet that only servers send")),
    }
}

fn read(first: u8, body: &mut Cursor<'_>, version: Version) -> Result<Packet, Fault> {
    let is_v5 = version == Version::V5;
    let packet = match first >> 4 {
        3 => return Ok(Packet::Publish(read_publish(first, body, is_v5)?)),
        kind @ 4..=7 => {
            let id = body.id()?;
            let mut reason = 0;
            if is_v5 && !body.is_empty() {
                reason = body.u8()?;
                if !body.is_empty() {
                    Properties::read(body, properties::ACK)?;
                }
            }
            let ack = match kind {
                4 => Ack::PubAck,
                5 => Ack::PubRec,
                6 => Ack::PubRel,
                _ => Ack::PubComp,
            };
            Packet::Ack(ack, id, reason)
        }
        8 => read_subscribe(body, is_v5)?,
        10 => {
            let id = body.id()?;
            if is_v5 {
                Properties::read(body, properties::UNSUBSCRIBE)?;
            }
            let mut filters = Vec::new();
            while !body.is_empty() {
                filters.push(body.string()?.to_owned());
            }
            if filters.is_empty() {
                return Err(Fault::protocol("UNSUBSCRIBE without a filter"));
            }
            Packet::Unsubscribe { id, filters }
        }
        12 => Packet::Ping,
        14 => {
            let (mut reason, mut session_expiry_s) = (0, None);
            if is_v5 && !body.is_empty() {
                reason = body.u8()?;
                if !body.is_empty() {
                    let properties = Properties::read(body, properties::DISCONNECT)?;
                    session_expiry_s = properties.session_expiry_s;
                }
            }
            Packet::Disconnect {
                reason,
                session_expiry_s,
            }
        }
        _ => return Err(Fault::protocol("a packet that does not belong here")),
    };
    if body.is_empty() {
        Ok(packet)
    } else {
        Err(Fault::malformed("bytes are left over in the packet"))
    }
}

fn read_publish(first: u8, body: &mut Cursor<'_>, is_v5: bool) -> Result<Publish, Fault> {
    let qos = (first >> 1) & 0b11;
    let topic = body.string()?;
    let id = if qos > 0 { body.id()? } else { 0 };
    let properties = if is_v5 {
        Properties::read(body, properties::PUBLISH)?
    } else {
        Properties::default()
    };
    if topic.is_empty() && properties.topic_alias.is_none() {
        return Err(Fault::protocol("a PUBLISH without a topic"));
    }
    if !topic.is_empty() && !super::acl::is_topic(topic) {
        return Err(Fault::new(0x90, "not a topic name"));
    }
    Ok(Publish {
        topic: topic.to_owned(),
        // a slice would keep the whole read buffer alive while it waits
        payload: Bytes::copy_from_slice(body.rest()),
        id,
        qos,
        dup: first & 0b1000 != 0,
        retain: first & 1 != 0,
        alias: properties.topic_alias,
        expiry_s: properties.message_expiry_s,
        forwarded: properties.forwarded,
    })
}

fn read_subscribe(body: &mut Cursor<'_>, is_v5: bool) -> Result<Packet, Fault> {
    let id = body.id()?;
    let properties = if is_v5 {
        Properties::read(body, properties::SUBSCRIBE)?
    } else {
        Properties::default()
    };
    let mut filters = Vec::new();
    while !body.is_empty() {
        let filter = body.string()?;
        let bits = body.u8()?;
        let reserved = if is_v5 { 0b1100_0000 } else { 0b1111_1100 };
        let options = SubscribeOptions {
            qos: bits & 0b11,
            no_local: bits & 0b100 != 0,
            retain_as_published: bits & 0b1000 != 0,
            retain_handling: (bits >> 4) & 0b11,
        };
        if bits & reserved != 0 || options.qos == 3 {
            return Err(Fault::malformed("subscription options that there are not"));
        }
        if options.retain_handling == 3 {
            return Err(Fault::protocol("retain handling 3"));
        }
        if options.no_local && filter.starts_with("$share/") {
            return Err(Fault::protocol("no local on a shared subscription"));
        }
        filters.push((filter.to_owned(), options));
    }
    if filters.is_empty() {
        return Err(Fault::protocol("SUBSCRIBE without a filter"));
    }
    Ok(Packet::Subscribe {
        id,
        filters,
        subscription: properties.subscription_ids.first().copied(),
    })
}
