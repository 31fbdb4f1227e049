//! How a segment looks on disk.
//!
//! ```text
//! segment   ┌ header, 64 bytes ┬ record ┬ record ┬ … ┬ zeros to the end of the pre-written file ┐
//! header    magic 8 │ version u32 │ zero u32 │ journal id 16 │ first seq u64 │ zero 20 │ crc32c u32 over the 60 before it
//! record    length u32 │ crc32c u32 │ seq u64 │ body (length bytes) │ zeros to a multiple of 8
//! body      received_at i64 µs │ epoch u64 │ flags u8 │ parts u8 │ principal length u16 │ topic length u16 │ principal │ topic │ extra │ payload
//! extra     packet id u16 │ expiry u32 s, all ones: never │ properties length u16 │ properties; there when bit 0 of `parts` is set
//! ```
//! Little endian throughout. The record's checksum covers length, seq and body. A length of zero is the end of what was written.

use bytes::Bytes;
use domain::{Seq, Timestamp, Uplink, UplinkExtra, UplinkFlags};

pub(super) const MAGIC: &[u8; 8] = b"JIMJRNL\n";
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 64;
/// Length, checksum and seq.
pub(super) const PREFIX_BYTES: usize = 16;
/// The fixed part of a body.
const FIXED_BYTES: usize = 22;
/// The fixed part of an extra.
const EXTRA_BYTES: usize = 8;
/// In `parts`: an extra follows the topic.
const HAS_EXTRA: u8 = 1;
/// An expiry that never comes.
const NEVER: u32 = u32::MAX;
/// Records start at multiples of this, so that one behind damage can be found again.
pub(super) const ALIGN: usize = 8;
/// Largest body: a payload of 16 MiB with its topic.
pub(super) const BODY_BYTES_MAX: usize = (16 << 20) + 4096;

/// What stands at the head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) journal: [u8; 16],
    pub(super) first: Seq,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..32].copy_from_slice(&self.journal);
        out[32..40].copy_from_slice(&self.first.0.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let whole =
            crc32c::crc32c(&bytes[..60]) == u32::from_le_bytes(bytes[60..].try_into().ok()?);
        if !whole || &bytes[..8] != MAGIC || bytes[8..12] != VERSION.to_le_bytes() {
            return None;
        }
        let journal = bytes[16..32].try_into().ok()?;
        let first = Seq(u64::from_le_bytes(bytes[32..40].try_into().ok()?));
        Some(Self { journal, first })
    }
}

/// Bytes that a record takes in a segment.
pub(super) fn record_bytes(uplink: &Uplink) -> usize {
    (PREFIX_BYTES + body_bytes(uplink)).next_multiple_of(ALIGN)
}

fn body_bytes(uplink: &Uplink) -> usize {
    let extra = uplink
        .extra
        .as_ref()
        .map_or(0, |extra| EXTRA_BYTES + extra.properties.len());
    FIXED_BYTES + uplink.principal.len() + uplink.topic.len() + extra + uplink.payload.len()
}

/// Whether an uplink fits into a record at all.
pub(super) fn fits(uplink: &Uplink) -> bool {
    u16::try_from(uplink.principal.len()).is_ok()
        && u16::try_from(uplink.topic.len()).is_ok()
        && uplink
            .extra
            .as_ref()
            .is_none_or(|extra| u16::try_from(extra.properties.len()).is_ok())
        && body_bytes(uplink) <= BODY_BYTES_MAX
}

/// Appends a record to `out`.
pub(super) fn encode(seq: Seq, uplink: &Uplink, out: &mut Vec<u8>) {
    let start = out.len();
    let body = body_bytes(uplink);
    out.reserve(PREFIX_BYTES + body + ALIGN);
    out.extend_from_slice(
        &u32::try_from(body)
            .expect("checked by `fits`")
            .to_le_bytes(),
    );
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&seq.0.to_le_bytes());
    out.extend_from_slice(&uplink.received_at.as_microsecond().to_le_bytes());
    out.extend_from_slice(&uplink.epoch.to_le_bytes());
    let parts = if uplink.extra.is_some() { HAS_EXTRA } else { 0 };
    out.extend_from_slice(&[uplink.flags.bits(), parts]);
    out.extend_from_slice(
        &u16::try_from(uplink.principal.len())
            .expect("checked by `fits`")
            .to_le_bytes(),
    );
    out.extend_from_slice(
        &u16::try_from(uplink.topic.len())
            .expect("checked by `fits`")
            .to_le_bytes(),
    );
    out.extend_from_slice(uplink.principal.as_bytes());
    out.extend_from_slice(uplink.topic.as_bytes());
    if let Some(extra) = &uplink.extra {
        out.extend_from_slice(&extra.packet_id.to_le_bytes());
        out.extend_from_slice(&extra.expiry_s.unwrap_or(NEVER).to_le_bytes());
        let length = u16::try_from(extra.properties.len()).expect("checked by `fits`");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&extra.properties);
    }
    out.extend_from_slice(&uplink.payload);
    let crc = checksum(&out[start..start + 4], &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + (out.len() - start).next_multiple_of(ALIGN), 0);
}

fn checksum(length: &[u8], rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), rest)
}

/// What stands at an offset of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole record; `bytes` is what it takes, padding included.
    Record {
        seq: Seq,
        body: &'a [u8],
        bytes: usize,
    },
    /// Zeros: nothing was written here.
    End,
    /// The slice ends within what may be a record of so many bytes.
    Short { bytes: usize },
    /// Neither.
    Bad,
}

/// Looks at the start of `bytes`.
pub(super) fn look(bytes: &[u8]) -> Found<'_> {
    let Some(prefix) = bytes.get(..PREFIX_BYTES) else {
        return Found::Short {
            bytes: PREFIX_BYTES,
        };
    };
    let length = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
    if length == 0 {
        return if prefix.iter().all(|b| *b == 0) {
            Found::End
        } else {
            Found::Bad
        };
    }
    if !(FIXED_BYTES..=BODY_BYTES_MAX).contains(&length) {
        return Found::Bad;
    }
    let whole = (PREFIX_BYTES + length).next_multiple_of(ALIGN);
    let Some(record) = bytes.get(..PREFIX_BYTES + length) else {
        return Found::Short { bytes: whole };
    };
    let crc = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]);
    if checksum(&record[..4], &record[8..]) != crc {
        return Found::Bad;
    }
    let seq = Seq(u64::from_le_bytes(
        prefix[8..16].try_into().expect("eight bytes"),
    ));
    Found::Record {
        seq,
        body: &record[PREFIX_BYTES..],
        bytes: whole,
    }
}

/// What can be told of a record without copying it.
#[derive(Debug, Clone, Copy)]
pub struct Glance<'a> {
    /// QoS, DUP, RETAIN, will.
    pub flags: UplinkFlags,
    /// The connection's epoch.
    pub epoch: u64,
    /// The topic.
    pub topic: &'a str,
}

/// Reads the head of a body; none when its inner lengths do not add up.
pub(super) fn glance(body: &[u8]) -> Option<Glance<'_>> {
    let fixed = body.get(..FIXED_BYTES)?;
    let principal_end = FIXED_BYTES + usize::from(u16::from_le_bytes([fixed[18], fixed[19]]));
    let topic_end = principal_end + usize::from(u16::from_le_bytes([fixed[20], fixed[21]]));
    Some(Glance {
        flags: UplinkFlags::from_bits(fixed[16]),
        epoch: u64::from_le_bytes(fixed[8..16].try_into().ok()?),
        topic: std::str::from_utf8(body.get(principal_end..topic_end)?).ok()?,
    })
}

/// Reads a body; none when its inner lengths do not add up, which a matching checksum all but excludes.
pub(super) fn decode(body: &[u8]) -> Option<Uplink> {
    let Glance {
        flags,
        epoch,
        topic,
    } = glance(body)?;
    let received_at =
        Timestamp::from_microsecond(i64::from_le_bytes(body[..8].try_into().ok()?)).ok()?;
    let principal_end = FIXED_BYTES + usize::from(u16::from_le_bytes([body[18], body[19]]));
    let mut rest = body.get(principal_end + topic.len()..)?;
    let extra = if body[17] & HAS_EXTRA == 0 {
        None
    } else {
        let fixed = rest.get(..EXTRA_BYTES)?;
        let end = EXTRA_BYTES + usize::from(u16::from_le_bytes([fixed[6], fixed[7]]));
        let expiry = u32::from_le_bytes(fixed[2..6].try_into().ok()?);
        let extra = UplinkExtra {
            packet_id: u16::from_le_bytes([fixed[0], fixed[1]]),
            expiry_s: (expiry != NEVER).then_some(expiry),
            properties: Bytes::copy_from_slice(rest.get(EXTRA_BYTES..end)?),
        };
        rest = &rest[end..];
        Some(Box::new(extra))
    };
    Some(Uplink {
        received_at,
        principal: std::str::from_utf8(body.get(FIXED_BYTES..principal_end)?)
            .ok()?
            .to_owned(),
        epoch,
        flags,
        topic: topic.to_owned(),
        payload: Bytes::copy_from_slice(rest),
        extra,
    })
}
