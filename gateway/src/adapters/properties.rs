//! What an MQTT 5.0 packet carried beside topic and payload, as the journal keeps it (MQTT 5.0 §2.2.2, §3.3.2.3): content type and user
//! properties. Web hooks keep their content type and headers the same way.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Longest text of MQTT, in bytes (§1.5.4).
const TEXT_BYTES_MAX: usize = u16::MAX as usize;
/// Most bytes of properties that the journal keeps with a message.
const ALL_BYTES_MAX: usize = u16::MAX as usize;
const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const USER_PROPERTY: u8 = 0x26;

/// What was carried.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// `application/json`.
    pub content_type: Option<String>,
    /// User properties, headers.
    pub user: Vec<(String, String)>,
}

/// Reads what was kept, as far as it can be read.
pub fn read(bytes: &Bytes) -> Carried {
    let mut carried = Carried::default();
    let mut rest = bytes.clone();
    while rest.has_remaining() {
        let whole = match rest.get_u8() {
            PAYLOAD_FORMAT => skip(&mut rest, 1),
            MESSAGE_EXPIRY => skip(&mut rest, 4),
            CONTENT_TYPE => text(&mut rest).map(|text| carried.content_type = Some(text)),
            RESPONSE_TOPIC | CORRELATION_DATA => data(&mut rest).map(|_| ()),
            USER_PROPERTY => text(&mut rest)
                .and_then(|key| Some((key, text(&mut rest)?)))
                .map(|pair| carried.user.push(pair)),
            _ => None,
        };
        if whole.is_none() {
            break;
        }
    }
    carried
}

/// As the journal keeps it; what does not fit is left out.
pub fn write(carried: &Carried) -> Bytes {
    let mut bytes = BytesMut::new();
    if let Some(kind) = carried
        .content_type
        .as_deref()
        .filter(|kind| kind.len() <= TEXT_BYTES_MAX)
    {
        bytes.put_u8(CONTENT_TYPE);
        put(&mut bytes, kind);
    }
    for (key, value) in &carried.user {
        if bytes.len() + key.len() + value.len() + 5 <= ALL_BYTES_MAX {
            bytes.put_u8(USER_PROPERTY);
            put(&mut bytes, key);
            put(&mut bytes, value);
        }
    }
    bytes.freeze()
}

fn put(bytes: &mut BytesMut, text: &str) {
    bytes.put_u16(text.len() as u16);
    bytes.put_slice(text.as_bytes());
}

fn skip(rest: &mut Bytes, count: usize) -> Option<()> {
    (rest.len() >= count).then(|| rest.advance(count))
}

fn data(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::from((rest.len() >= 2).then(|| rest.get_u16())?);
    (rest.len() >= length).then(|| rest.split_to(length))
}

fn text(rest: &mut Bytes) -> Option<String> {
    String::from_utf8(data(rest)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let carried = Carried {
            content_type: Some("application/json".to_owned()),
            user: vec![("ce-type".to_owned(), "烟".to_owned())],
        };
        assert_eq!(read(&write(&carried)), carried);
    }

    #[test]
    fn what_is_cut_short_is_read_as_far_as_it_goes() {
        // payload format, expiry, a response topic, then a content type whose end is missing
        let bytes = Bytes::from_static(
            b"\x01\x01\x02\0\0\0\x05\x08\0\x01r\x26\0\x01k\0\x01v\x03\0\x09text",
        );
        let carried = read(&bytes);
        assert_eq!(carried.content_type, None);
        assert_eq!(carried.user, [("k".to_owned(), "v".to_owned())]);
    }
}
