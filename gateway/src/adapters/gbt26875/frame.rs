//! The frame: where it begins and ends in a stream, its control unit, the answer that it wants (GB/T 26875.3-2011 clause 7).
//!
//! ```text
//! off len
//!   0   2  @@
//!   2   2  sequence, low byte first; the answer repeats it
//!   4   2  version, the second byte is the user's
//!   6   6  time tag: second minute hour day month year-2000, binary
//!  12   6  source address, low byte first
//!  18   6  target address, low byte first
//!  24   2  length n of the application data unit, low byte first, at most 1024
//!  26   1  command: 1 control, 2 data, 3 confirm, 4 request, 5 reply, 6 deny
//!  27   n  application data unit
//! 27+n  1  low byte of the sum of the bytes 2 to 26+n
//! 28+n  2  ##
//! ```

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::adapters::Reject;
use crate::adapters::clock::DeviceTime;

/// How a frame begins.
const MARK: &[u8] = b"@@";
/// Most `@` at the beginning of a frame: its mark, sequence and version; no time tag begins with one, as no minute has 64 seconds.
const RUN_MAX: usize = 6;
/// Bytes before the application data unit.
const HEAD: usize = 27;
/// Bytes behind it.
const TAIL: usize = 3;
/// Longest application data unit (clause 7.3).
const UNIT_BYTES_MAX: usize = 1024;
/// Shortest frame.
pub const FRAME_BYTES_MIN: usize = HEAD + TAIL;
/// Longest frame.
pub const FRAME_BYTES_MAX: usize = HEAD + UNIT_BYTES_MAX + TAIL;

/// What a frame is for.
pub(super) mod command {
    /// The device tells something.
    pub(crate) const DATA: u8 = 2;
    /// It has arrived.
    pub(crate) const CONFIRM: u8 = 3;
    /// What was asked for.
    pub(crate) const REPLY: u8 = 5;
    /// It has arrived damaged.
    pub(crate) const DENY: u8 = 6;
}

/// One frame, its checksum verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The sender's number of this frame.
    pub sequence: u16,
    /// When it was sent, by the sender.
    pub tag: [u8; 6],
    /// Who sent it, as it was sent.
    pub source: [u8; 6],
    /// What it is for.
    pub command: u8,
    /// The application data unit.
    pub unit: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that these bytes are, from `@@` to `##`.
    ///
    /// # Errors
    /// `truncated`, `too_long`, `bad_frame`, `bad_checksum`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Reject> {
        let total = length(bytes)?.ok_or_else(|| {
            let detail = format!("the frame ends after {} bytes", bytes.len());
            Reject::new("truncated", detail)
        })?;
        let frame = bytes.get(..total).unwrap_or_default();
        let (Some(head), Some([sum, b'#', b'#'])) =
            (frame.first_chunk::<HEAD>(), frame.get(total - TAIL..))
        else {
            let detail = "no `##` where the length says that the frame ends";
            return Err(Reject::new("bad_frame", detail));
        };
        let computed = checksum(&frame[2..total - TAIL]);
        if computed != *sum {
            let detail = format!("checksum {sum:#04x}, computed {computed:#04x}");
            return Err(Reject::new("bad_checksum", detail));
        }
        Ok(Self {
            sequence: u16::from_le_bytes([head[2], head[3]]),
            tag: six(&head[6..12]),
            source: six(&head[12..18]),
            command: head[26],
            unit: &frame[HEAD..total - TAIL],
        })
    }

    /// The source address as people write it: twelve hexadecimal digits, the high byte first, as a number is read.
    pub fn address(&self) -> String {
        let mut bytes = self.source;
        bytes.reverse();
        hex::encode(bytes)
    }
}

fn six(bytes: &[u8]) -> [u8; 6] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// How long the frame at the start of these bytes is; none where more bytes must come before that is known.
fn length(bytes: &[u8]) -> Result<Option<usize>, Reject> {
    if !bytes.starts_with(b"@@") && bytes.len() >= 2 {
        return Err(Reject::new("bad_frame", "the frame begins without `@@`"));
    }
    let Some([low, high]) = bytes.get(24..26) else {
        return Ok(None);
    };
    let unit = usize::from(u16::from_le_bytes([*low, *high]));
    if unit > UNIT_BYTES_MAX {
        let detail = format!("an application data unit of {unit} bytes, at most {UNIT_BYTES_MAX}");
        return Err(Reject::new("too_long", detail));
    }
    let total = HEAD + unit + TAIL;
    Ok((bytes.len() >= total).then_some(total))
}

/// The answer that a frame wants, as the monitoring centre gives it: confirm, or deny for a damaged one, with the same sequence and
/// version and the addresses exchanged. Empty where none is due. `now` is the centre's wall clock.
pub fn answer(frame: &[u8], now: DateTime) -> Vec<u8> {
    let Some(head) = frame
        .first_chunk::<HEAD>()
        .filter(|head| head.starts_with(b"@@"))
    else {
        return Vec::new();
    };
    let command = match Frame::parse(frame) {
        Ok(frame) if frame.command == command::DATA => command::CONFIRM,
        Ok(_) => return Vec::new(),
        Err(_) => command::DENY,
    };
    let mut answer = Vec::with_capacity(HEAD + TAIL);
    answer.extend_from_slice(&head[..6]);
    answer.extend_from_slice(&tag_of(now));
    answer.extend_from_slice(&head[18..24]);
    answer.extend_from_slice(&head[12..18]);
    answer.extend_from_slice(&[0, 0, command]);
    answer.push(checksum(&answer[2..]));
    answer.extend_from_slice(b"##");
    answer
}

fn tag_of(now: DateTime) -> [u8; 6] {
    [
        now.second().unsigned_abs(),
        now.minute().unsigned_abs(),
        now.hour().unsigned_abs(),
        now.day().unsigned_abs(),
        now.month().unsigned_abs(),
        u8::try_from(now.year() - 2000).unwrap_or_default(),
    ]
}

/// The time in a time tag, a wall clock of `zone`; none where no clock was set.
pub(super) fn time_of(tag: [u8; 6], zone: &TimeZone) -> Option<DeviceTime> {
    let [second, minute, hour, day, month, year] = tag.map(|byte| i8::try_from(byte).ok());
    let (year, month, day) = (year?, month?, day?);
    let (hour, minute, second) = (hour?, minute?, second?);
    let civil = DateTime::new(2000 + i16::from(year), month, day, hour, minute, second, 0).ok()?;
    Some(DeviceTime {
        at: civil.to_zoned(zone.clone()).ok()?.timestamp(),
        raw: format!("{year:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
    })
}

/// Most damaged frames that are told of what one call brought: noise is full of them.
pub const DAMAGED_MAX: usize = 64;

/// What a stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A whole frame, `@@` to `##`, its checksum right.
    Frame(Vec<u8>),
    /// Bytes that look like a frame and are none; [`answer`] denies them.
    Damaged(Vec<u8>, Reject),
}

/// Cuts a stream into frames. It holds [`FRAME_BYTES_MAX`] bytes at most between calls and finds the next frame again after garbage.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
}

impl FrameReader {
    /// Takes what the connection brought, and tells what is whole by now; of what is damaged no more than the first [`DAMAGED_MAX`].
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Step> {
        self.buffer.extend_from_slice(bytes);
        let mut steps = Vec::new();
        let mut rest = self.buffer.as_slice();
        let mut damaged = 0;
        let mut deny = |steps: &mut Vec<Step>, bytes: &[u8], reject: Reject| {
            damaged += 1;
            if damaged <= DAMAGED_MAX {
                steps.push(Step::Damaged(bytes.to_vec(), reject));
            }
        };
        loop {
            let begin = rest.windows(MARK.len()).position(|pair| pair == MARK);
            let Some(begin) = begin else {
                // half of a `@@` may be the last byte
                let keep = usize::from(rest.last() == Some(&b'@'));
                rest = &rest[rest.len() - keep..];
                break;
            };
            rest = &rest[begin..];
            // stray ones may stand before the `@@` of a whole frame
            let run = rest.iter().take_while(|byte| **byte == b'@').count();
            rest = &rest[run.saturating_sub(RUN_MAX)..];
            let strays = run.min(RUN_MAX) - MARK.len();
            let is_whole = |stray: &usize| Frame::parse(&rest[*stray..]).is_ok();
            if let Some(stray) = (0..=strays).find(is_whole) {
                rest = &rest[stray..];
            }
            match length(rest) {
                Ok(None) => break,
                Ok(Some(total)) => {
                    let (frame, tail) = rest.split_at(total);
                    match Frame::parse(frame) {
                        Ok(_) => {
                            steps.push(Step::Frame(frame.to_vec()));
                            rest = tail;
                        }
                        Err(reject) => {
                            deny(&mut steps, frame, reject);
                            rest = after_damage(frame, rest);
                        }
                    }
                }
                Err(reject) => {
                    let head = rest.get(..HEAD.min(rest.len())).unwrap_or_default();
                    deny(&mut steps, head, reject);
                    rest = &rest[1..];
                }
            }
        }
        self.buffer = rest.to_vec();
        steps
    }

    /// How many bytes wait for the rest of their frame.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

/// Where to look on behind a damaged frame: behind its `##` if it ends with one, else right behind its first `@`, as another may begin.
fn after_damage<'a>(frame: &[u8], rest: &'a [u8]) -> &'a [u8] {
    let skip = if frame.ends_with(b"##") {
        frame.len()
    } else {
        1
    };
    rest.get(skip..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type 21, one object: fire.
    fn fire() -> Vec<u8> {
        let mut frame = b"@@\x07\x00\x01\x00\x04\x03\x0c\x18\x0b\x1a\x21\x43\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x09\x00\x02".to_vec();
        frame.extend_from_slice(&[21, 1, 3, 4, 3, 12, 24, 11, 26]);
        frame.push(checksum(&frame[2..]));
        frame.extend_from_slice(b"##");
        frame
    }

    fn noon() -> DateTime {
        jiff::civil::datetime(2026, 11, 24, 12, 0, 5, 0)
    }

    #[test]
    fn a_stream_is_cut_into_frames_whatever_its_pieces() {
        let frame = fire();
        let stream = [
            b"noise@".as_slice(),
            &frame,
            b"\x00@@\x00",
            &frame[..9],
            &frame,
            &frame,
        ]
        .concat();
        for size in 1..stream.len() {
            let mut reader = FrameReader::default();
            let steps: Vec<Step> = stream
                .chunks(size)
                .flat_map(|bytes| reader.push(bytes))
                .collect();
            let whole = steps
                .iter()
                .filter(|step| **step == Step::Frame(frame.clone()))
                .count();
            assert!(whole >= 2, "{size}: {steps:?}");
            assert!(reader.pending() <= FRAME_BYTES_MAX);
        }
        let mut reader = FrameReader::default();
        assert_eq!(reader.push(&vec![b'x'; 1 << 20]), []);
        assert_eq!(reader.pending(), 0);
    }

    #[test]
    fn a_stray_mark_before_a_frame_loses_none() {
        for mut frame in [fire(), answer(&fire(), noon())] {
            for stray in 1..5 {
                let stream = [&b"@".repeat(stray), frame.as_slice()].concat();
                let steps = FrameReader::default().push(&stream);
                let last = steps.last();
                assert_eq!(last, Some(&Step::Frame(frame.clone())), "{stray}");
            }
            // the sequence may begin with one
            frame[2] = b'@';
            let end = frame.len() - TAIL;
            frame[end] = checksum(&frame[2..end]);
            let steps = FrameReader::default().push(&frame);
            assert_eq!(steps, [Step::Frame(frame.clone())]);
        }
    }

    #[test]
    fn noise_is_told_of_within_limits_and_hides_no_frame() {
        for noise in [b"@@".as_slice(), b"@@\xff\xff"] {
            let stream = [noise.repeat(4000), fire()].concat();
            let steps = FrameReader::default().push(&stream);
            assert!(steps.len() <= DAMAGED_MAX + 1);
            assert_eq!(steps.last(), Some(&Step::Frame(fire())));
        }
    }

    #[test]
    fn a_frame_is_confirmed_and_a_damaged_one_denied() {
        let mut frame = fire();
        let confirm = answer(&frame, noon());
        let read = Frame::parse(&confirm).expect("a frame");
        assert_eq!(
            (read.sequence, read.command, read.unit),
            (7, command::CONFIRM, [].as_slice())
        );
        assert_eq!(read.address(), "000000000001");
        let none = answer(&confirm, noon());
        assert!(none.is_empty(), "a confirmation is not confirmed");
        frame[29] = 1;
        assert_eq!(
            Frame::parse(&frame).map_err(|e| e.code),
            Err("bad_checksum")
        );
        let deny = answer(&frame, noon());
        assert_eq!(
            Frame::parse(&deny).map(|f| (f.sequence, f.command)),
            Ok((7, command::DENY))
        );
        assert!(answer(b"@@", noon()).is_empty());
    }

    #[test]
    fn a_clock_that_was_never_set_gives_no_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let read = time_of([56, 4, 9, 8, 6, 21], &zone).map(|time| time.at.to_string());
        assert_eq!(read.as_deref(), Some("2021-06-08T01:04:56Z"));
        for never in [[0; 6], [0, 0, 0, 31, 2, 26], [255; 6]] {
            assert_eq!(time_of(never, &zone), None);
        }
    }
}
