//! The frame of DC-09: `LF crc length "token" sequence R receiver L line #account [data][extended]_timestamp CR`.
//!
//! CRC and length are looked at and never insisted on: examples in documents and cheap transmitters leave them zero or wrong, and an alarm
//! with a wrong CRC is an alarm.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::adapters::Reject;
use crate::adapters::clock::DeviceTime;

/// Longest frame, in bytes.
pub const LINE_BYTES_MAX: usize = 8 << 10;

/// One frame, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// `SIA-DCS`, `ADM-CID`, `NULL`, without the star of encryption.
    pub token: &'a str,
    /// The data are encrypted.
    pub encrypted: bool,
    /// The sender's number, 0001 to 9999, again and again.
    pub sequence: &'a str,
    /// Receiver and line, `R1L0`, as the answer repeats them.
    pub route: &'a str,
    /// Whose it is.
    pub account: &'a str,
    /// What stands behind the account in the first brackets.
    pub data: &'a str,
    /// The data of further groups.
    pub more: Vec<&'a str>,
    /// When, by the sender; the standard says UTC.
    pub at: Option<DeviceTime>,
    /// The CRC is there and wrong, or there is none and the length is wrong.
    pub degraded: bool,
}

impl<'a> Frame<'a> {
    /// The frame on one line.
    ///
    /// # Errors
    /// `bad_frame`.
    pub fn parse(line: &'a str) -> Result<Self, Reject> {
        let fault = |what: &str| Reject::new("bad_frame", format!("a DC-09 frame without {what}"));
        let begin = line.find('"').ok_or_else(|| fault("a token in quotes"))?;
        let (head, body) = line.split_at(begin);
        let (token, rest) = body[1..]
            .split_once('"')
            .ok_or_else(|| fault("the end of its token"))?;
        let (front, rest) = rest.split_once('[').ok_or_else(|| fault("brackets"))?;
        let digits = front.bytes().take_while(u8::is_ascii_digit).count();
        let (sequence, front) = front.split_at(digits);
        let (route, account) = front.split_once('#').unwrap_or((front, ""));
        let (inner, behind) = group(rest);
        let more = groups(behind);
        let (inside, data) = match inner.split_once('|') {
            Some((inside, data)) => (inside, data),
            None if inner.starts_with('#') => (inner, ""),
            None => ("", inner),
        };
        let inside = inside.trim_start_matches('#').trim();
        Ok(Self {
            token: token.trim_start_matches('*'),
            encrypted: token.starts_with('*'),
            sequence,
            route: route.trim(),
            account: if account.trim().is_empty() {
                inside
            } else {
                account.trim()
            },
            data: data.trim(),
            more,
            at: behind.rsplit_once('_').and_then(|(_, time)| time_of(time)),
            degraded: is_degraded(head, body),
        })
    }
}

/// Most groups of one frame.
const GROUPS_MAX: usize = 16;

/// What stands up to the bracket that ends it, and what comes behind; a bracket within `^…^` is a text's own.
fn group(rest: &str) -> (&str, &str) {
    let mut is_text = false;
    let end = rest.bytes().position(|byte| {
        is_text ^= byte == b'^';
        byte == b']' && !is_text
    });
    match end.or_else(|| rest.find(']')) {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, ""),
    }
}

/// The data of further groups, `[#1234|NFA005]`; those that a capital letter begins (`[M…`, `[X…`) describe the first.
fn groups(behind: &str) -> Vec<&str> {
    let mut more = Vec::new();
    let mut rest = behind;
    while let Some(begun) = rest.trim_start().strip_prefix('[') {
        let (inner, behind) = group(begun);
        let data = inner
            .strip_prefix('#')
            .and_then(|inner| inner.split_once('|'));
        if let Some((_, data)) = data {
            more.push(data.trim());
        }
        if behind.len() == rest.len() || more.len() >= GROUPS_MAX {
            break;
        }
        rest = behind;
    }
    more
}

/// `14:12:04,09-25-2011`, month before day.
fn time_of(text: &str) -> Option<DeviceTime> {
    let (time, date) = text.trim().split_once(',')?;
    let numbers = |text: &str, separator| -> Option<[i16; 3]> {
        let numbers: Option<Vec<i16>> = text.split(separator).map(|n| n.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    let [hour, minute, second] = numbers(time, ':')?;
    let [month, day, year] = numbers(date, '-')?;
    let small = |n: i16| i8::try_from(n).ok();
    let civil = DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        0,
    )
    .ok()?;
    (year >= 2000).then_some(())?;
    Some(DeviceTime {
        at: civil.to_zoned(TimeZone::UTC).ok()?.timestamp(),
        raw: text.trim().to_owned(),
    })
}

/// Whether CRC and length before the token are not those of what follows. Zeros stand for none. Where the CRC is right the length is not
/// asked: panels exist that write it in decimal.
fn is_degraded(head: &str, body: &str) -> bool {
    let head = head.trim();
    let Some((crc, length)) = head
        .get(head.len().saturating_sub(8)..)
        .and_then(|head| head.split_at_checked(4))
    else {
        return !head.is_empty();
    };
    let number = |hex: &str| u16::from_str_radix(hex, 16).ok();
    let (crc, length) = (number(crc), number(length));
    if crc == Some(crc16(body.as_bytes())) {
        return false;
    }
    let length_is_right = length == Some(0) || length.map(usize::from) == Some(body.len());
    !(crc == Some(0) && length_is_right)
}

/// CRC-16 with the polynomial 0x8005 reflected, from zero.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            let low = crc & 1;
            (crc >> 1) ^ (0xa001 * low)
        })
    })
}

/// What a receiver answers: `ACK` for what it took, `DUH` for what it cannot read (encrypted, another token), one byte for the older
/// line test. Empty where none is due.
pub fn ack(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let line = text.trim();
    if is_line_test(line) {
        return vec![6];
    }
    let Ok(frame) = Frame::parse(line) else {
        return Vec::new();
    };
    let token = match frame.token {
        "ACK" | "NAK" | "DUH" | "RSP" => return Vec::new(),
        "SIA-DCS" | "ADM-CID" | "HENG-BO" | "NULL" if !frame.encrypted => "ACK",
        _ => "DUH",
    };
    let body = format!(
        "\"{token}\"{}{}#{}[]",
        frame.sequence, frame.route, frame.account
    );
    format!("\n{:04X}{:04X}{body}\r", crc16(body.as_bytes()), body.len()).into_bytes()
}

/// `SR0001L0001    006969XX    [ID00000000]`: the line test of older receivers; the first of them end behind `XX`.
pub(super) fn is_line_test(line: &str) -> bool {
    let line = line.trim_end_matches(['\0', ' ']);
    line.starts_with("SR")
        && (line.contains("[ID") && line.ends_with(']')
            || line.contains('L') && line.contains(' ') && line.ends_with("XX"))
}

/// Cuts a connection into frames, which end with a carriage return (the older line test with 0x14). It holds [`LINE_BYTES_MAX`] bytes at
/// most between calls; what is longer is no frame and is dropped up to the next end.
#[derive(Debug, Default)]
pub struct LineReader {
    buffer: Vec<u8>,
    is_too_long: bool,
}

impl LineReader {
    /// Takes what the connection brought, and tells what is whole by now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\r' | 0x14 => {
                    let line = std::mem::take(&mut self.buffer);
                    if !std::mem::take(&mut self.is_too_long) && !line.is_empty() {
                        lines.push(line);
                    }
                }
                // a frame begins with a line feed; senders exist that end it with one
                b'\n' => lines.extend(self.rest()),
                _ if self.buffer.len() < LINE_BYTES_MAX => self.buffer.push(*byte),
                _ => self.is_too_long = true,
            }
        }
        lines
    }

    /// What waits for its end and looks whole, for a sender that has fallen silent without ending its frame.
    pub fn rest(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.buffer);
        let is_whole = !std::mem::take(&mut self.is_too_long) && line.contains(&b']');
        is_whole.then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_cut_into_frames() {
        let stream =
            b"half a fra\n00000000\"NULL\"0001L0#1[]\r\nSR0001L0001    001X    [ID0]\x14\r";
        for size in 1..stream.len() {
            let mut reader = LineReader::default();
            let lines: Vec<Vec<u8>> = stream.chunks(size).flat_map(|b| reader.push(b)).collect();
            assert_eq!(lines.len(), 2, "{size}");
            assert!(is_line_test(&String::from_utf8_lossy(&lines[1])));
        }
        let mut reader = LineReader::default();
        assert!(reader.push(&vec![b'x'; LINE_BYTES_MAX + 1]).is_empty());
        assert!(reader.push(b"\r").is_empty());
        assert_eq!(reader.push(b"abc\r"), [b"abc".to_vec()]);
        assert_eq!(reader.push(b"a[1]\na[2]"), [b"a[1]".to_vec()]);
        assert_eq!(reader.rest(), Some(b"a[2]".to_vec()));
        assert_eq!(reader.rest(), None);
    }

    #[test]
    fn a_frame_is_acknowledged_with_its_own_number() {
        let body = r#""SIA-DCS"0042R1L0#77AB[#77AB|Nri1/FA004]_10:00:00,11-24-2026"#;
        let right = format!("{:04X}{:04X}{body}", crc16(body.as_bytes()), body.len());
        let frame = Frame::parse(&right).expect("a frame");
        assert_eq!(
            (frame.account, frame.sequence, frame.data),
            ("77AB", "0042", "Nri1/FA004")
        );
        assert!(!frame.degraded);
        let at = frame.at.map(|at| at.at.to_string());
        assert_eq!(at.as_deref(), Some("2026-11-24T10:00:00Z"));
        let answer = String::from_utf8(ack(right.as_bytes())).expect("text");
        let read = Frame::parse(answer.trim()).expect("a frame");
        assert_eq!(
            (read.token, read.sequence, read.route),
            ("ACK", "0042", "R1L0")
        );
        assert!(!read.degraded);
        assert!(ack(answer.as_bytes()).is_empty());
        let secret = ack(br#"12340078"*ADM-CID"0007L0#77AB[00FF"#);
        assert!(String::from_utf8_lossy(&secret).contains("\"DUH\"0007L0#77AB[]"));
    }

    #[test]
    fn a_wrong_crc_is_noticed_and_zeros_stand_for_none() {
        let body = r#""NULL"0000L0#1234[]"#;
        for (head, degraded) in [
            ("", false),
            ("00000000", false),
            ("0000", true),
            ("12340013", true),
            ("CRC_0020", false),
        ] {
            // a right CRC outweighs a length in decimal
            let crc = format!("{:04X}", crc16(body.as_bytes()));
            let line = format!("{}{body}", head.replace("CRC_", &crc));
            assert_eq!(
                Frame::parse(&line).map(|f| f.degraded),
                Ok(degraded),
                "{head}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "14:12:04",
            "14:12:04,13-25-2011",
            "14:12:04,09-25-201",
            "a:b:c,d-e-f",
        ] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }
}
