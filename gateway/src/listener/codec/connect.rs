//! CONNECT (MQTT 5.0 §3.1, 3.1.1 §3.1).

use bytes::Bytes;

use super::cursor::Cursor;
use super::properties::{self, Properties};
use super::{Fault, Forwarded, Version};

/// A client that wants to come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Which MQTT it speaks.
    pub version: Version,
    /// May be empty: the server then makes one up.
    pub client: String,
    /// User name.
    pub login: Option<String>,
    /// Password.
    pub secret: Option<Bytes>,
    /// What to say when it vanishes.
    pub will: Option<WillMessage>,
    /// Begin anew: whatever was kept for this client is forgotten.
    pub clean_start: bool,
    /// How long to keep the session after the connection. 3.1.1 without clean session: for ever, as `u32::MAX` is.
    pub session_expiry_s: u32,
    /// Seconds between two packets; 0: no matter.
    pub keep_alive_s: u16,
    /// Most unacknowledged messages towards the client.
    pub receive_maximum: u16,
    /// Largest packet towards the client.
    pub packet_bytes_max: usize,
    /// Most topic aliases towards the client.
    pub topic_alias_max: u16,
    /// Reason strings are welcome.
    pub wants_reasons: bool,
    /// It asked for an extended authentication, which is not offered.
    pub wants_auth: bool,
}

/// What a client asked to be said when it vanishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WillMessage {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// 0, 1 or 2.
    pub qos: u8,
    /// To be kept for later subscribers.
    pub retain: bool,
    /// Seconds between the end of the connection and the will.
    pub delay_s: u32,
    /// Seconds after which nobody wants it any more.
    pub expiry_s: Option<u32>,
    /// The properties that go to subscribers unaltered.
    pub forwarded: Forwarded,
}

pub(super) fn read(body: &mut Cursor<'_>) -> Result<Connect, Fault> {
    if body.string()? != "MQTT" {
        return Err(Fault::new(0x84, "not MQTT 3.1.1 or 5.0"));
    }
    let version = match body.u8()? {
        4 => Version::V4,
        5 => Version::V5,
        other => return Err(Fault::new(0x84, format!("protocol level {other}"))),
    };
    let is_v5 = version == Version::V5;
    let flags = body.u8()?;
    let (has_login, has_secret) = (flags & 0x80 != 0, flags & 0x40 != 0);
    let (will_retain, will_qos) = (flags & 0x20 != 0, (flags >> 3) & 0b11);
    let (has_will, clean_start) = (flags & 0b100 != 0, flags & 0b10 != 0);
    if flags & 1 != 0 {
        return Err(Fault::malformed("the reserved flag of CONNECT is set"));
    }
    if will_qos == 3 || (!has_will && (will_qos != 0 || will_retain)) {
        return Err(Fault::malformed("the will's flags contradict each other"));
    }
    if !is_v5 && has_secret && !has_login {
        return Err(Fault::malformed("a password without a user name"));
    }
    let keep_alive_s = body.u16()?;
    let properties = if is_v5 {
        Properties::read(body, properties::CONNECT)?
    } else {
        Properties::default()
    };
    let client = body.string()?.to_owned();
    let will = if has_will {
        let properties = if is_v5 {
            Properties::read(body, properties::WILL)?
        } else {
            Properties::default()
        };
        let topic = body.string()?;
        if !crate::listener::acl::is_topic(topic) {
            return Err(Fault::new(0x90, "the will's topic is not a topic name"));
        }
        Some(WillMessage {
            topic: topic.to_owned(),
            payload: Bytes::copy_from_slice(body.binary()?),
            qos: will_qos,
            retain: will_retain,
            delay_s: properties.will_delay_s.unwrap_or(0),
            expiry_s: properties.message_expiry_s,
            forwarded: properties.forwarded,
        })
    } else {
        None
    };
    let login = if has_login {
        Some(body.string()?.to_owned())
    } else {
        None
    };
    let secret = if has_secret {
        Some(Bytes::copy_from_slice(body.binary()?))
    } else {
        None
    };
    if !body.is_empty() {
        return Err(Fault::malformed("bytes are left over in the packet"));
    }
    let session_expiry_s = match version {
        Version::V4 if clean_start => 0,
        Version::V4 => u32::MAX,
        Version::V5 => properties.session_expiry_s.unwrap_or(0),
    };
    Ok(Connect {
        version,
        client,
        login,
        secret,
        will,
        clean_start,
        session_expiry_s,
        keep_alive_s,
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes_max: properties
            .packet_bytes_max
            .map_or(usize::MAX, |most| most as usize),
        topic_alias_max: properties.topic_alias_max.unwrap_or(0),
        wants_reasons: properties.wants_reasons.unwrap_or(true),
        wants_auth: properties.auth_method,
    })
}
