//! GB/T 26875.3-2011: what a user information transmission device (用户信息传输装置) tells the monitoring centre of the fire panels in a
//! building, in frames over TCP or UDP; NB-IoT detectors pass the same frames through an operator's platform, as hexadecimal digits or base64.
//!
//! Read by the text of the standard and by captures in which vendors leave the description of a component out. What a frame answers is
//! [`answer`]; [`FrameReader`] cuts a connection into frames.

mod frame;
mod table;
mod unit;

pub use frame::{DAMAGED_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MIN, Frame, FrameReader, Step, answer};
pub use unit::Reader;

use std::collections::BTreeMap;

use frame::{command, time_of};
use jiff::tz::TimeZone;

use super::draft::Reading;
use super::format::{Claim, Format, Recall};
use super::message::{Door, Message};
use super::{Reject, text};

/// Most frames in one message.
const FRAMES_MAX: usize = 64;

/// GB/T 26875.3.
pub struct Gbt26875;

impl Format for Gbt26875 {
    fn name(&self) -> &'static str {
        "gbt26875"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        match message.door {
            Door::Tcp {
                protocol: "gbt26875",
            } => Claim::Address,
            _ if frames_of(message.payload).is_some_and(|bytes| bytes.len() >= FRAME_BYTES_MIN) => {
                Claim::Shape
            }
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let bytes = match frames_of(message.payload) {
            Some(bytes) => bytes,
            None if message.payload.windows(2).any(|pair| pair == b"@@") => {
                message.payload.to_vec()
            }
            None => {
                let detail = "no `@@`, neither as bytes nor in hexadecimal digits or base64";
                return Err(Reject::new("bad_frame", detail));
            }
        };
        read_frames(&bytes, None, message.zone, recall)
    }
}

/// The frames in a payload as bytes, whether it holds them as bytes, hexadecimal digits or base64.
pub fn frames_of(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.starts_with(b"@@") {
        return Some(payload.to_vec());
    }
    if payload.len() > FRAMES_MAX * FRAME_BYTES_MAX * 2 {
        return None;
    }
    let shell = |c: char| c.is_whitespace() || c == '"';
    let words = std::str::from_utf8(payload).ok()?.trim_matches(shell);
    let begins = |start: &str| words.get(..start.len()) == Some(start);
    let bytes = if begins("4040") || begins("40 40") {
        let digits: String = words.chars().filter(|c| !c.is_whitespace()).collect();
        hex::decode(digits).ok()?
    } else if begins("QE") {
        text::base64(words)?
    } else {
        return None;
    };
    bytes.starts_with(b"@@").then_some(bytes)
}

/// Reads one frame or several. `address` stands for the source address where a platform knows the device by another name. Of several
/// frames the whole ones count; a damaged one is rejected where it stands alone.
///
/// # Errors
/// `bad_frame`, `bad_checksum`, `truncated`, `too_long`, `truncated_unit`.
pub fn read_frames(
    bytes: &[u8],
    address: Option<&str>,
    zone: &TimeZone,
    recall: &dyn Recall,
) -> Result<Reading, Reject> {
    let mut readers: BTreeMap<String, Reader<'_>> = BTreeMap::new();
    let (mut whole, mut first_reject, mut unread) = (0, None, None);
    let room = bytes.len().min(FRAMES_MAX * FRAME_BYTES_MAX);
    if room < bytes.len() {
        unread = Some(too_many());
    }
    for step in FrameReader::default().push(&bytes[..room]) {
        if whole == FRAMES_MAX {
            unread.get_or_insert_with(too_many);
            break;
        }
        let read = match &step {
            Step::Frame(frame) => Frame::parse(frame).and_then(|frame| {
                let own = address.map_or_else(|| frame.address(), str::to_owned);
                let reader = readers
                    .entry(own)
                    .or_insert_with_key(|own| Reader::new(own, zone, recall));
                read_frame(&frame, zone, reader)
            }),
            Step::Damaged(_, reject) => Err(reject.clone()),
        };
        match read {
            Ok(()) => whole += 1,
            Err(reject) => {
                first_reject.get_or_insert(reject);
            }
        }
    }
    match first_reject {
        Some(reject) if whole == 0 => return Err(reject),
        None if whole == 0 => {
            let detail = format!("the frame ends after {} bytes", bytes.len());
            return Err(Reject::new("truncated", detail));
        }
        _ => {}
    }
    let mut reading = Reading {
        unread,
        ..Reading::default()
    };
    for reader in readers.into_values() {
        let more = reader.finish();
        reading.extend(more);
    }
    Ok(reading)
}

fn too_many() -> Reject {
    let detail = format!("more than {FRAMES_MAX} frames, the first of them were read");
    Reject::new("too_many", detail)
}

fn read_frame(frame: &Frame<'_>, zone: &TimeZone, reader: &mut Reader<'_>) -> Result<(), Reject> {
    if !matches!(frame.command, command::DATA | command::REPLY) {
        return Ok(());
    }
    let sent_at = time_of(frame.tag, zone);
    // a sequence begins anew after 65535 and after a power cut: with the time it names the frame
    let id = sent_at.as_ref().map(|at| {
        format!(
            "{}:{}:{}",
            frame.address(),
            frame.sequence,
            at.at.as_second()
        )
    });
    reader.unit(frame.unit, id.as_deref(), sent_at.as_ref())
}
