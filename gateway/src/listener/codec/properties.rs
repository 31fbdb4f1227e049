//! Properties of MQTT 5.0 §2.2.2: each at most once but user properties, and only in the packets that know them.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Fault;
use super::cursor::Cursor;

const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const SUBSCRIPTION_ID: u8 = 0x0b;
const SESSION_EXPIRY: u8 = 0x11;
const AUTH_METHOD: u8 = 0x15;
const AUTH_DATA: u8 = 0x16;
const REQUEST_PROBLEM: u8 = 0x17;
const WILL_DELAY: u8 = 0x18;
const REQUEST_RESPONSE: u8 = 0x19;
const REASON_STRING: u8 = 0x1f;
const RECEIVE_MAXIMUM: u8 = 0x21;
const TOPIC_ALIAS_MAX: u8 = 0x22;
const TOPIC_ALIAS: u8 = 0x23;
const USER: u8 = 0x26;
const PACKET_BYTES_MAX: u8 = 0x27;

pub(super) const CONNECT: &[u8] = &[
    SESSION_EXPIRY,
    AUTH_METHOD,
    AUTH_DATA,
    REQUEST_PROBLEM,
    REQUEST_RESPONSE,
    RECEIVE_MAXIMUM,
    TOPIC_ALIAS_MAX,
    USER,
    PACKET_BYTES_MAX,
];
pub(super) const WILL: &[u8] = &[
    PAYLOAD_FORMAT,
    MESSAGE_EXPIRY,
    CONTENT_TYPE,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    WILL_DELAY,
    USER,
];
pub(super) const PUBLISH: &[u8] = &[
    PAYLOAD_FORMAT,
    MESSAGE_EXPIRY,
    CONTENT_TYPE,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    TOPIC_ALIAS,
    USER,
];
pub(super) const ACK: &[u8] = &[REASON_STRING, USER];
pub(super) const SUBSCRIBE: &[u8] = &[SUBSCRIPTION_ID, USER];
pub(super) const UNSUBSCRIBE: &[u8] = &[USER];
pub(super) const DISCONNECT: &[u8] = &[SESSION_EXPIRY, REASON_STRING, USER];

/// Properties of a message that a server hands on unaltered and in order (MQTT 5.0 §3.3.2.3): payload format, content type,
/// response topic, correlation data, user properties; as they stood in the packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarded(Bytes);

impl Forwarded {
    /// The bytes as they stand in a packet.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// From bytes that were kept.
    pub fn from_kept(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// What a packet's properties said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Properties {
    pub(super) message_expiry_s: Option<u32>,
    pub(super) subscription_ids: Vec<u32>,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) will_delay_s: Option<u32>,
    pub(super) receive_maximum: Option<u16>,
    pub(super) topic_alias_max: Option<u16>,
    pub(super) topic_alias: Option<u16>,
    pub(super) packet_bytes_max: Option<u32>,
    pub(super) wants_reasons: Option<bool>,
    pub(super) auth_method: bool,
    pub(super) forwarded: Forwarded,
}

impl Properties {
    /// Reads the properties of a packet that knows `allowed`.
    pub(super) fn read(body: &mut Cursor<'_>, allowed: &[u8]) -> Result<Self, Fault> {
        let length = body.variable()? as usize;
        let mut bytes = Cursor::new(body.take(length)?);
        let mut out = Self::default();
        let mut forwarded = BytesMut::new();
        let mut seen = 0u64;
        while !bytes.is_empty() {
            let id = bytes.u8()?;
            if !allowed.contains(&id) {
                let what = format!("property 0x{id:02x} does not belong in this packet");
                // one that no packet knows is malformed, one of another packet breaks the protocol; both end the connection
                return Err(Fault::protocol(what));
            }
            if id != USER && seen & (1 << id) != 0 {
                return Err(Fault::protocol(format!("property 0x{id:02x} comes twice")));
            }
            seen |= 1 << id;
            out.take(id, &mut bytes, &mut forwarded)?;
        }
        if allowed.contains(&AUTH_DATA) && seen & (1 << AUTH_DATA) != 0 && !out.auth_method {
            return Err(Fault::protocol("authentication data without a method"));
        }
        out.forwarded = Forwarded(forwarded.freeze());
        Ok(out)
    }

    fn take(
        &mut self,
        id: u8,
        bytes: &mut Cursor<'_>,
        forwarded: &mut BytesMut,
    ) -> Result<(), Fault> {
        match id {
            PAYLOAD_FORMAT => {
                let format = flag(bytes, "payload format")?;
                forwarded.put_slice(&[PAYLOAD_FORMAT, u8::from(format)]);
            }
            MESSAGE_EXPIRY => self.message_expiry_s = Some(bytes.u32()?),
            CONTENT_TYPE => put(forwarded, id, bytes.string()?.as_bytes()),
            RESPONSE_TOPIC => {
                let topic = bytes.string()?;
                if !crate::listener::acl::is_topic(topic) {
                    return Err(Fault::protocol("a response topic that is no topic name"));
                }
                put(forwarded, id, topic.as_bytes());
            }
            CORRELATION_DATA => put(forwarded, id, bytes.binary()?),
            SUBSCRIPTION_ID => match bytes.variable()? {
                0 => return Err(Fault::protocol("subscription id 0")),
                id => self.subscription_ids.push(id),
            },
            SESSION_EXPIRY => self.session_expiry_s = Some(bytes.u32()?),
            AUTH_METHOD => {
                bytes.string()?;
                self.auth_method = true;
            }
            AUTH_DATA => {
                bytes.binary()?;
            }
            REQUEST_PROBLEM => {
                self.wants_reasons = Some(flag(bytes, "request problem information")?);
            }
            WILL_DELAY => self.will_delay_s = Some(bytes.u32()?),
            REQUEST_RESPONSE => {
                flag(bytes, "request response information")?;
            }
            REASON_STRING => {
                bytes.string()?;
            }
            RECEIVE_MAXIMUM => match bytes.u16()? {
                0 => return Err(Fault::protocol("receive maximum 0")),
                most => self.receive_maximum = Some(most),
            },
            TOPIC_ALIAS_MAX => self.topic_alias_max = Some(bytes.u16()?),
            TOPIC_ALIAS => match bytes.u16()? {
                0 => return Err(Fault::new(0x94, "topic alias 0")),
                alias => self.topic_alias = Some(alias),
            },
            USER => {
                let (name, value) = (bytes.string()?, bytes.string()?);
                put(forwarded, id, name.as_bytes());
                put_text(forwarded, value.as_bytes());
            }
            PACKET_BYTES_MAX => match bytes.u32()? {
                0 => return Err(Fault::protocol("maximum packet size 0")),
                most => self.packet_bytes_max = Some(most),
            },
            _ => return Err(Fault::malformed("a property that there is not")),
        }
        Ok(())
    }
}

fn flag(bytes: &mut Cursor<'_>, name: &str) -> Result<bool, Fault> {
    match bytes.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Fault::protocol(format!("{name} {other}"))),
    }
}

fn put(out: &mut BytesMut, id: u8, bytes: &[u8]) {
    out.put_u8(id);
    put_text(out, bytes);
}

/// Length and bytes; what was read from a field of this form fits into one.
pub(super) fn put_text(out: &mut BytesMut, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&bytes[..usize::from(length)]);
}
