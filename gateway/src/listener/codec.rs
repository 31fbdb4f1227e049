//! Bytes to packets and back, for both versions: the codec is rumqttc's, with what it lets through checked here.

use bytes::{BufMut as _, Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

/// Which MQTT a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V5,
}

/// A publish as it came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) id: u16,
    pub(super) qos: u8,
    pub(super) dup: bool,
    pub(super) retain: bool,
}

/// What a client may send after CONNECT.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Publish(Publish),
    Acknowledged(u16),
    Release(u16),
    Subscribe { id: u16, filters: Vec<(String, u8)> },
    Unsubscribe { id: u16, filters: Vec<String> },
    Ping,
    Disconnect { with_will: bool },
}

/// Why bytes are not a packet that may come now; `code` is MQTT 5's reason code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: u8,
    pub(super) what: String,
}

impl Fault {
    fn malformed(what: impl Into<String>) -> Self {
        Self {
            code: 0x81,
            what: what.into(),
        }
    }
    fn protocol(what: impl Into<String>) -> Self {
        Self {
            code: 0x82,
            what: what.into(),
        }
    }
}

/// Packet type and whole length of the packet at the start of `bytes`; none when more bytes are needed to tell.
pub(super) fn frame(bytes: &[u8], bytes_max: usize) -> Result<Option<(u8, usize)>, Fault> {
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
        return Err(Fault { code: 0x95, what });
    }
    Ok(Some((*first, whole)))
}

/// Takes the next whole packet out of `stream`.
pub(super) fn next(
    stream: &mut BytesMut,
    version: Version,
    bytes_max: usize,
) -> Result<Option<Incoming>, Fault> {
    let Some((first, whole)) = frame(stream, bytes_max)? else {
        return Ok(None);
    };
    check_first(first)?;
    if stream.len() < whole {
        return Ok(None);
    }
    // the codec wants a body where the standard lets a DISCONNECT of version 5 go without
    if first == 0xe0 && whole == 2 {
        let _ = stream.split_to(2);
        return Ok(Some(Incoming::Disconnect { with_will: false }));
    }
    let mut packet = stream.split_to(whole);
    let incoming = match version {
        Version::V4 => from_v4(
            v4::Packet::read(&mut packet, bytes_max)
                .map_err(|e| Fault::malformed(e.to_string()))?,
        )?,
        Version::V5 => {
            let read = v5::Packet::read(
                &mut packet,
                Some(u32::try_from(bytes_max).unwrap_or(u32::MAX)),
            );
            from_v5(read.map_err(|e| Fault::malformed(e.to_string()))?)?
        }
    };
    check(&incoming)?;
    Ok(Some(incoming))
}

/// The fixed header's flags are fixed for all but PUBLISH (MQTT 5.0 §2.1.3), and only some packets come from clients.
fn check_first(first: u8) -> Result<(), Fault> {
    let (kind, flags) = (first >> 4, first & 0x0f);
    match kind {
        1 => Err(Fault::protocol("a second CONNECT")),
        3 if flags & 0b0110 == 0b0110 => Err(Fault::malformed("QoS 3")),
        3 => Ok(()),
        6 | 8 | 10 if flags == 2 => Ok(()),
        4 | 5 | 7 | 12 | 14 if flags == 0 => Ok(()),
        4..=8 | 10 | 12 | 14 => Err(Fault::malformed("reserved flags are set")),
        15 => Err(Fault::protocol("AUTH is not offered")),
        _ => Err(Fault::protocol("a packet that only servers send")),
    }
}

fn check(incoming: &Incoming) -> Result<(), Fault> {
    match incoming {
        Incoming::Publish(p) if p.qos > 0 && p.id == 0 => Err(Fault::protocol("packet id 0")),
        Incoming::Publish(p) if p.qos == 0 && p.dup => Err(Fault::malformed("DUP with QoS 0")),
        Incoming::Publish(p) if !super::acl::is_topic(&p.topic) => Err(Fault {
            code: 0x90,
            what: "not a topic name".to_owned(),
        }),
        Incoming::Subscribe { id: 0, .. } | Incoming::Unsubscribe { id: 0, .. } => {
            Err(Fault::protocol("packet id 0"))
        }
        Incoming::Subscribe { filters, .. } if filters.is_empty() => {
            Err(Fault::protocol("SUBSCRIBE without a filter"))
        }
        Incoming::Unsubscribe { filters, .. } if filters.is_empty() => {
            Err(Fault::protocol("UNSUBSCRIBE without a filter"))
        }
        _ => Ok(()),
    }
}

fn from_v4(packet: v4::Packet) -> Result<Incoming, Fault> {
    Ok(match packet {
        v4::Packet::Publish(p) => Incoming::Publish(Publish {
            topic: p.topic,
            // a slice would keep the whole read buffer alive while it waits
            payload: Bytes::copy_from_slice(&p.payload),
            id: p.pkid,
            qos: p.qos as u8,
            dup: p.dup,
            retain: p.retain,
        }),
        v4::Packet::PubAck(ack) => Incoming::Acknowledged(ack.pkid),
        v4::Packet::PubRel(release) => Incoming::Release(release.pkid),
        v4::Packet::Subscribe(s) => Incoming::Subscribe {
            id: s.pkid,
            filters: s
                .filters
                .into_iter()
                .map(|f| (f.path, f.qos as u8))
                .collect(),
        },
        v4::Packet::Unsubscribe(u) => Incoming::Unsubscribe {
            id: u.pkid,
            filters: u.topics,
        },
        v4::Packet::PingReq => Incoming::Ping,
        v4::Packet::Disconnect => Incoming::Disconnect { with_will: false },
        _ => return Err(Fault::protocol("a packet that does not belong here")),
    })
}

fn from_v5(packet: v5::Packet) -> Result<Incoming, Fault> {
    Ok(match packet {
        v5::Packet::Publish(p) => {
            if p.properties
                .as_ref()
                .is_some_and(|properties| properties.topic_alias.is_some())
            {
                return Err(Fault {
                    code: 0x94,
                    what: "a topic alias, and none was offered".to_owned(),
                });
            }
            let topic = std::str::from_utf8(&p.topic)
                .map_err(|_| Fault::malformed("the topic is not UTF-8"))?;
            Incoming::Publish(Publish {
                topic: topic.to_owned(),
                payload: Bytes::copy_from_slice(&p.payload),
                id: p.pkid,
                qos: p.qos as u8,
                dup: p.dup,
                retain: p.retain,
            })
        }
        v5::Packet::PubAck(ack) => Incoming::Acknowledged(ack.pkid),
        v5::Packet::PubRel(release) => Incoming::Release(release.pkid),
        v5::Packet::Subscribe(s) => Incoming::Subscribe {
            id: s.pkid,
            filters: s
                .filters
                .into_iter()
                .map(|f| (f.path, f.qos as u8))
                .collect(),
        },
        v5::Packet::Unsubscribe(u) => Incoming::Unsubscribe {
            id: u.pkid,
            filters: u.filters,
        },
        v5::Packet::PingReq(_) => Incoming::Ping,
        v5::Packet::Disconnect(d) => Incoming::Disconnect {
            with_will: d.reason_code == v5::DisconnectReasonCode::DisconnectWithWillMessage,
        },
        _ => return Err(Fault::protocol("a packet that does not belong here")),
    })
}

/// PUBACK, PUBREC or PUBCOMP without a reason: the same four bytes in both versions.
pub(super) fn ack(out: &mut BytesMut, first: u8, id: u16) {
    out.put_slice(&[first, 2, (id >> 8) as u8, id as u8]);
}

/// PUBACK or PUBREC with a reason (version 5 only).
pub(super) fn ack_with_reason(out: &mut BytesMut, first: u8, id: u16, reason: u8) {
    out.put_slice(&[first, 3, (id >> 8) as u8, id as u8, reason]);
}

pub(super) const PUBACK: u8 = 0x40;
pub(super) const PUBREC: u8 = 0x50;
pub(super) const PUBCOMP: u8 = 0x70;
const SUBACK: u8 = 0x90;
const UNSUBACK: u8 = 0xb0;

/// SUBACK with one code a filter; UNSUBACK of version 3.1.1 carries none.
pub(super) fn suback(out: &mut BytesMut, version: Version, id: u16, codes: &[u8]) {
    answer(out, SUBACK, version, id, codes);
}

/// UNSUBACK; `codes` are sent in version 5 only.
pub(super) fn unsuback(out: &mut BytesMut, version: Version, id: u16, codes: &[u8]) {
    answer(
        out,
        UNSUBACK,
        version,
        id,
        if version == Version::V5 { codes } else { &[] },
    );
}

fn answer(out: &mut BytesMut, first: u8, version: Version, id: u16, codes: &[u8]) {
    let properties = usize::from(version == Version::V5);
    out.put_u8(first);
    put_length(out, 2 + properties + codes.len());
    out.put_u16(id);
    out.put_bytes(0, properties);
    out.put_slice(codes);
}

fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        out.put_u8(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            return;
        }
    }
}

pub(super) fn pong(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0]);
}

/// DISCONNECT of version 5 with its reason.
pub(super) fn disconnect(out: &mut BytesMut, reason: u8) {
    out.put_slice(&[0xe0, 1, reason]);
}

/// A delivery to a subscriber; `id` is none for QoS 0.
pub(super) fn publish(
    out: &mut BytesMut,
    version: Version,
    topic: &str,
    payload: &[u8],
    id: Option<u16>,
) {
    let properties = usize::from(version == Version::V5);
    let length = 2 + topic.len() + if id.is_some() { 2 } else { 0 } + properties + payload.len();
    out.put_u8(if id.is_some() { 0x32 } else { 0x30 });
    put_length(out, length);
    out.put_u16(u16::try_from(topic.len()).unwrap_or(u16::MAX));
    out.put_slice(topic.as_bytes());
    if let Some(id) = id {
        out.put_u16(id);
    }
    out.put_bytes(0, properties);
    out.put_slice(payload);
}
