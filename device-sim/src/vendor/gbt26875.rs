//! A user information transmission device (用户信息传输装置) beside a fire panel, by GB/T 26875.3-2011: it tells the state of components and its
//! own in frames over TCP, each with a number, a time tag of its own clock (which may be wrong) and a checksum.
//!
//! `smoke`, `heat`, `call` and `fault` are states of a component (type 2), `clear` is one without them and then a reset (type 4); what
//! is told again and again is the device's own state (type 21).

use domain::Timestamp;
use encoding_rs::GB18030;
use jiff::tz::{Offset, TimeZone};

use super::{Happening, Unknown, Vendor};
use crate::wire::Said;

/// Bytes before the application data unit.
const HEAD: usize = 27;
/// Bytes behind it.
const TAIL: usize = 3;
/// The control unit's word for data, for their confirmation, and for denying them.
const DATA: u8 = 2;
const CONFIRM: u8 = 3;
const DENY: u8 = 6;
/// The panels' wall clock: hours ahead of UTC.
const CHINA: i8 = 8;
/// Length of the description of a component.
const DESCRIPTION_BYTES: usize = 31;

/// What the centre said to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has arrived.
    Confirmed,
    /// It has arrived damaged.
    Denied,
}

/// One device, its panel and its components.
#[derive(Debug)]
pub struct Gbt26875 {
    address: u64,
    components: Vec<String>,
    sequence: u16,
}

impl Gbt26875 {
    /// A device with this source address; its components are numbered in the order in which they are named.
    pub fn new(address: u64, components: Vec<String>) -> Self {
        Self {
            address,
            components,
            sequence: 0,
        }
    }

    fn frame(&mut self, unit: &[u8], now: Timestamp) -> Said {
        self.sequence = self.sequence.wrapping_add(1);
        Said::bytes("", frame(self.sequence, self.address, unit, tag(now)))
    }

    fn component(&mut self, name: &str) -> u16 {
        let known = self.components.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            self.components.push(name.to_owned());
            self.components.len() - 1
        });
        u16::try_from(at + 1).unwrap_or(u16::MAX)
    }
}

impl Vendor for Gbt26875 {
    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        let mut unit = vec![21, 1, 1];
        unit.extend_from_slice(&tag(now));
        vec![self.frame(&unit, now)]
    }

    fn words(&self) -> &'static [&'static str] {
        &["smoke", "heat", "call", "fault", "clear"]
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        // type of the component, and its state: bit 0 normal running, bit 1 fire, bit 2 fault; in a fire real devices leave bit 0 out
        let (kind, state) = match happening.what.as_str() {
            "smoke" => (40, 0b10),
            "heat" => (30, 0b10),
            "call" => (23, 0b10),
            "fault" => (40, 0b101),
            "clear" => (40, 0b1),
            _ => return Err(Unknown(self.words())),
        };
        let position = self.component(&happening.device);
        let unit = component_state(kind, position, state, &happening.device, tag(now));
        let mut said = vec![self.frame(&unit, now)];
        if happening.what == "clear" {
            let mut reset = vec![4, 1, 1, 1, 1, 0];
            reset.extend_from_slice(&tag(now));
            said.push(self.frame(&reset, now));
        }
        Ok(said)
    }

    /// The checksum is one too high.
    fn damaged(&self, said: &Said) -> Said {
        let mut said = said.clone();
        if let Some(sum) = said.payload.len().checked_sub(TAIL)
            && let Some(sum) = said.payload.get_mut(sum)
        {
            *sum = sum.wrapping_add(1);
        }
        said
    }
}

/// Type 2, one object: the state of a component in zone 1 of system 1 (fire alarm) at address 1.
fn component_state(kind: u8, position: u16, state: u16, name: &str, time: [u8; 6]) -> Vec<u8> {
    let mut unit = vec![2, 1, 1, 1, kind];
    unit.extend_from_slice(&position.to_le_bytes());
    unit.extend_from_slice(&1_u16.to_le_bytes());
    unit.extend_from_slice(&state.to_le_bytes());
    let mut description = GB18030.encode(name).0.into_owned();
    description.resize(DESCRIPTION_BYTES, 0);
    unit.extend_from_slice(&description);
    unit.extend_from_slice(&time);
    unit
}

/// A frame of data to the centre (clause 7).
pub fn frame(sequence: u16, source: u64, unit: &[u8], tag: [u8; 6]) -> Vec<u8> {
    let length = u16::try_from(unit.len()).unwrap_or(u16::MAX);
    let mut frame = b"@@".to_vec();
    frame.extend_from_slice(&sequence.to_le_bytes());
    frame.extend_from_slice(&[1, 0]);
    frame.extend_from_slice(&tag);
    frame.extend_from_slice(&source.to_le_bytes()[..6]);
    frame.extend_from_slice(&[1, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.push(DATA);
    frame.extend_from_slice(unit);
    frame.push(checksum(&frame[2..]));
    frame.extend_from_slice(b"##");
    frame
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Second, minute, hour, day, month and year since 2000, on the wall in China.
fn tag(now: Timestamp) -> [u8; 6] {
    let wall = now
        .to_zoned(TimeZone::fixed(Offset::constant(CHINA)))
        .datetime();
    [
        wall.second().unsigned_abs(),
        wall.minute().unsigned_abs(),
        wall.hour().unsigned_abs(),
        wall.day().unsigned_abs(),
        wall.month().unsigned_abs(),
        u8::try_from(wall.year() - 2000).unwrap_or_default(),
    ]
}

/// The answer to `frame` among what came, if it is there; what stands before it goes.
pub fn answer_in(came: &mut Vec<u8>, frame: &[u8]) -> Option<Answer> {
    loop {
        let start = came.windows(2).position(|pair| pair == b"@@")?;
        came.drain(..start);
        let length = usize::from(u16::from_le_bytes([*came.get(24)?, *came.get(25)?]));
        let total = HEAD + length + TAIL;
        if came.len() < total {
            return None;
        }
        let answer: Vec<u8> = came.drain(..total).collect();
        let is_whole =
            answer.ends_with(b"##") && checksum(&answer[2..total - TAIL]) == answer[total - TAIL];
        if !is_whole || answer[2..4] != frame[2..4] {
            continue;
        }
        match answer[26] {
            CONFIRM => return Some(Answer::Confirmed),
            DENY => return Some(Answer::Denied),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-24T12:04:03Z".parse().expect("a time")
    }

    fn happening(what: &str) -> Happening {
        format!("{what} at 1s in kitchen").parse().expect("reads")
    }

    #[test]
    fn a_frame_is_byte_for_byte_the_standard() {
        let unit = [21, 1, 3];
        let frame = frame(7, 0x4321, &unit, tag(noon()));
        let expect = b"@@\x07\x00\x01\x00\x03\x04\x14\x18\x0b\x1a\x21\x43\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x03\x00\x02\x15\x01\x03";
        assert_eq!(frame[..30], expect[..]);
        // 7+1+3+4+20+24+11+26+0x21+0x43+1+3+2+21+1+3 = 227
        assert_eq!(frame[30..], [227, b'#', b'#']);
    }

    #[test]
    fn a_fire_is_a_state_of_46_bytes_and_a_reset_ends_it() {
        let mut device = Gbt26875::new(9, vec!["hall".to_owned()]);
        let fire = device.happen(&happening("smoke"), noon()).expect("known");
        let payload = &fire[0].payload;
        assert_eq!(payload.len(), HEAD + 2 + 46 + TAIL);
        assert_eq!(payload[27..38], [2, 1, 1, 1, 40, 2, 0, 1, 0, 0b10, 0]);
        assert_eq!(&payload[38..45], b"kitchen");
        let named = component_state(40, 1, 0, "厨房", [0; 6]);
        assert_eq!(named[11..15], [0xb3, 0xf8, 0xb7, 0xbf], "GB 18030");
        let over = device.happen(&happening("clear"), noon()).expect("known");
        let numbers: Vec<u8> = over.iter().map(|said| said.payload[2]).collect();
        assert_eq!(numbers, [2, 3], "each frame has a number of its own");
        assert_eq!(over[1].payload[27..33], [4, 1, 1, 1, 1, 0]);
        let unknown = device
            .happen(&happening("plate"), noon())
            .expect_err("no camera");
        assert!(unknown.to_string().contains("smoke"), "{unknown}");
    }

    #[test]
    fn the_answer_is_found_whatever_stands_around_it() {
        let sent = frame(7, 9, &[], [0; 6]);
        let answered = |sequence: u8, command: u8| {
            let mut answer = frame(u16::from(sequence), 9, &[], [0; 6]);
            answer[26] = command;
            let sum = answer.len() - TAIL;
            answer[sum] = checksum(&answer[2..sum]);
            answer
        };
        let mut came = Vec::new();
        assert_eq!(answer_in(&mut came, &sent), None);
        came = [b"x@".to_vec(), answered(6, CONFIRM), answered(7, CONFIRM)].concat();
        let rest = came.split_off(40);
        assert_eq!(
            answer_in(&mut came, &sent),
            None,
            "of another frame, and half of ours"
        );
        came.extend(rest);
        assert_eq!(answer_in(&mut came, &sent), Some(Answer::Confirmed));
        assert!(came.is_empty());
        came = answered(7, DENY);
        assert_eq!(answer_in(&mut came, &sent), Some(Answer::Denied));
        came = device_damaged(&answered(7, CONFIRM));
        assert_eq!(answer_in(&mut came, &sent), None);
    }

    fn device_damaged(frame: &[u8]) -> Vec<u8> {
        let said = Said::bytes("", frame);
        Gbt26875::new(9, Vec::new()).damaged(&said).payload
    }
}
