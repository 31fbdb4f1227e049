//! SIA DC-09: alarm panels report over IP, with SIA codes (`"SIA-DCS"`, DC-03) or Contact ID (`"ADM-CID"`, DC-05) inside.
//!
//! Read by the standards' public descriptions and the test cases of `pysiaalarm` of `PyPI` 3.2. Supervision (`"NULL"`, the automatic test) is no
//! event; [`ack`] makes the answer. Zones, doors, lines, expanders and outputs are components by their numbers, what has none is `panel`.
//! Panels repeat what stands, and every restoral has to pass: nothing is compared with what was known.
//! Encrypted frames are refused: no account has a key here.

mod codes;
mod contact_id;
mod frame;

pub use frame::{Frame, LINE_BYTES_MAX, LineReader, ack};

use std::borrow::Cow;

use domain::{DeviceClass, Kind, Phase};

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::{Door, Message};
use super::{Reject, text};

/// Most frames in one message.
const FRAMES_MAX: usize = 64;
/// Most events in one frame.
const EVENTS_MAX: usize = 32;

/// The part that is no part: what the panel tells of itself.
const PANEL: &str = "panel";
/// The part that nearly every code tells of.
const ZONE: &str = "zone";
/// A Contact ID event without blanks: qualifier and code, partition, zone.
const CONTACT_DIGITS: [usize; 3] = [4, 2, 3];

/// SIA DC-09.
pub struct SiaDc09;

/// What a code means.
struct Meaning {
    kind: Kind,
    what: &'static str,
}

/// One event inside a frame.
struct Told {
    meaning: Meaning,
    phase: Phase,
    code: String,
    /// What the number counts: zones, doors, lines.
    part: &'static str,
    number: String,
    user: String,
    /// Which of several troubles of one kind it is, where its end says the same.
    condition: Option<String>,
    partition: String,
    description: String,
}

impl Format for SiaDc09 {
    fn name(&self) -> &'static str {
        "sia-dc09"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        match message.door {
            // frames of another protocol that came to the wrong port
            Door::Tcp { protocol: "dc09" } if !message.payload.starts_with(b"@@") => Claim::Address,
            _ if looks_like_one(message.payload) => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let words = words_of(message.payload);
        let mut reading = Reading::default();
        let mut first_reject = None;
        let mut read = 0;
        let lines = words.split(['\n', '\r']).map(str::trim);
        for line in lines.filter(|line| !line.is_empty()).take(FRAMES_MAX) {
            match read_line(line) {
                Ok(more) => {
                    reading.extend(more);
                    read += 1;
                }
                Err(reject) => {
                    first_reject.get_or_insert(reject);
                }
            }
        }
        match first_reject {
            Some(reject) if read == 0 => Err(reject),
            reject => {
                let unread = reading.unread.take().or(reject);
                match unread {
                    // nothing else of it rings
                    Some(reject) if reading.drafts.is_empty() => Err(reject),
                    unread => Ok(Reading { unread, ..reading }),
                }
            }
        }
    }
}

/// The text, in UTF-8 or what panels in China write.
fn words_of(payload: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(payload) {
        Ok(words) => Cow::Borrowed(words),
        Err(_) => encoding_rs::GB18030.decode(payload).0,
    }
}

fn looks_like_one(payload: &[u8]) -> bool {
    let head = payload.get(..payload.len().min(64)).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let head = head.trim();
    let tokens = [
        "\"SIA-DCS\"",
        "\"ADM-CID\"",
        "\"HENG-BO\"",
        "\"NULL\"",
        "\"*SIA-DCS\"",
        "\"*ADM-CID\"",
        "\"*NULL\"",
    ];
    frame::is_line_test(head)
        || (!head.starts_with(['{', '[', '<']) || head.starts_with("<x0A>"))
            && tokens.iter().any(|token| head.contains(token))
}

/// What a line tells.
fn read_line(line: &str) -> Result<Reading, Reject> {
    if frame::is_line_test(line) {
        return Ok(Reading::default());
    }
    let frame = Frame::parse(line)?;
    if frame.encrypted {
        let detail = format!(
            "account {} sends encrypted frames, and no key is set",
            frame.account
        );
        return Err(Reject::new("encrypted", detail));
    }
    let mut told: Vec<Told> = Vec::new();
    let mut unread = None;
    for data in std::iter::once(frame.data).chain(frame.more.iter().copied()) {
        match frame.token {
            "ADM-CID" | "HENG-BO" => told.extend(contact(data)?),
            "SIA-DCS" => {
                let (more, unknown) = sia(data);
                told.extend(more);
                unread = unread.or(unknown);
            }
            _ => {} // NULL, ACK, other alphabets
        }
    }
    let drafts = told
        .into_iter()
        .enumerate()
        .map(|(index, told)| draft(&frame, told, index));
    let mut reading = Reading::from(drafts.collect::<Vec<_>>()).spoken_by(frame.account);
    reading.unread = unread;
    Ok(reading)
}

/// Kinds of which one part may have several at once.
fn may_be_several(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::FireFault
            | Kind::DeviceFault
            | Kind::DevicePower
            | Kind::DeviceBatteryLow
            | Kind::DeviceTamper
    )
}

fn draft(frame: &Frame<'_>, told: Told, index: usize) -> Draft {
    // all zeros are the panel itself
    let is_part = told.number.bytes().any(|b| b != b'0');
    let component = if is_part {
        Some(format!("{}-{}", told.part, told.number))
    } else if told.phase != Phase::Instant
        && !matches!(told.meaning.kind, Kind::DeviceOnline | Kind::DeviceOffline)
    {
        // without one, its end would end those of all zones
        Some(PANEL.to_owned())
    } else {
        None
    };
    let mut draft = Draft::new(
        frame.account,
        DeviceClass::Panel,
        told.meaning.kind,
        told.phase,
    )
    .at(frame.at.clone())
    .attr("code", told.code)
    .attr("user", told.user)
    .attr("condition", told.condition)
    .attr("partition", told.partition)
    .attr("description", told.description);
    let name = match told.meaning.kind {
        Kind::FireFault | Kind::DeviceFault => "fault",
        Kind::DevicePower | Kind::DeviceBatteryLow => "supply",
        Kind::DeviceConfigChanged => "state",
        kind if kind.as_str().starts_with("fire.") => "sensor",
        _ => "label",
    };
    draft = draft.attr(name, told.meaning.what);
    if frame.degraded {
        draft = draft.attr("quality", "degraded");
    }
    if is_part || told.part == ZONE {
        draft = draft.attr(told.part, told.number);
    }
    draft.component = component;
    // numbers begin anew after 9999: only with the time they name the frame
    if let Some(at) = &frame.at {
        let second = at.at.as_second();
        draft = draft.id(format!(
            "{}:{}:{second}:{index}",
            frame.account, frame.sequence
        ));
    }
    draft
}

/// `1110 00 129`: qualifier and code, partition, zone or user.
fn contact(data: &str) -> Result<Option<Told>, Reject> {
    let data = with_blanks(data);
    let mut words = data.split_whitespace();
    let first = words.next().unwrap_or_default();
    let Some((qualifier, code)) = first
        .split_at_checked(1)
        .filter(|(_, code)| code.len() == 3)
    else {
        let detail = format!("`{}` is no Contact ID event", text::clip(first, 20));
        return Err(Reject::new("bad_contact_id", detail));
    };
    if !matches!(qualifier, "1" | "3" | "6" | "E" | "R") {
        let detail = format!("`{}` begins and ends nothing", text::clip(first, 20));
        return Err(Reject::new("bad_contact_id", detail));
    }
    let Ok(number) = code.parse::<u16>() else {
        let detail = format!("`{}` is no Contact ID code", text::clip(code, 20));
        return Err(Reject::new("bad_contact_id", detail));
    };
    let Some((meaning, phase)) = contact_event(qualifier, number) else {
        return Ok(None);
    };
    let known = |word: Option<&str>| text::clip(word.unwrap_or_default(), 16);
    let partition = known(words.next());
    let third = known(words.next());
    let (number, user) = if contact_id::is_of_a_user(number) {
        (String::new(), third)
    } else {
        (third, String::new())
    };
    // a trouble and its end have the same code
    let is_apart = phase != Phase::Instant && may_be_several(meaning.kind);
    Ok(Some(Told {
        meaning,
        phase,
        code: code.to_owned(),
        part: ZONE,
        number,
        user,
        condition: is_apart.then(|| code.to_owned()),
        partition,
        description: String::new(),
    }))
}

/// `113001003` as `1130 01 003`; also as DC-05 sends it over a telephone line, `18113001003F` with message type and checksum around it.
fn with_blanks(data: &str) -> Cow<'_, str> {
    let [code, partition, zone] = CONTACT_DIGITS;
    let digits = code + partition + zone;
    let of_line = ["18", "98"]
        .iter()
        .find_map(|kind| data.strip_prefix(kind))
        .filter(|rest| rest.is_ascii() && rest.len() == digits + 1)
        .map(|rest| &rest[..digits]);
    let data = of_line.unwrap_or(data);
    let is_one_word = data.len() == digits && data.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_one_word {
        return Cow::Borrowed(data);
    }
    let (code, rest) = data.split_at(code);
    let (partition, zone) = rest.split_at(partition);
    Cow::Owned(format!("{code} {partition} {zone}"))
}

/// What a Contact ID event means, by qualifier and code.
fn contact_event(qualifier: &str, number: u16) -> Option<(Meaning, Phase)> {
    let mut meaning = contact_id::meaning(number)?;
    let is_instant = matches!(
        meaning.kind,
        Kind::AccessDenied | Kind::AccessGranted | Kind::DeviceConfigChanged | Kind::DeviceTimeSync
    ) || matches!(number, 601 | 608); // tests that come again and again
    let phase = match qualifier {
        _ if is_instant => Phase::Instant,
        "3" | "R" => Phase::Cleared,
        "6" => Phase::Updated,
        _ => Phase::Raised,
    };
    let is_end = matches!(qualifier, "3" | "R");
    meaning.what = match meaning.what {
        "arming" if is_end => "armed",
        "arming" => "disarmed",
        "bypassing" if is_end => "unbypassed",
        "bypassing" => "bypassed",
        what => what,
    };
    Some((meaning, phase))
}

/// The same for who carries such an event in a message of its own: kind, phase, and what it is. `1130` begins, `3130` is over.
pub(super) fn of_contact_id(event: i64) -> Option<(Kind, Phase, &'static str)> {
    let number = u16::try_from(event % 1000).ok()?;
    let qualifier = (event / 1000).to_string();
    let (meaning, phase) = contact_event(&qualifier, number)?;
    Some((meaning.kind, phase, meaning.what))
}

/// `Nri1/FA004^kitchen^/FA005`, `NFA129`, `Nri0KR1^TAST. 001 ^`: modifiers in small letters, then codes with their zones and texts.
/// With them why not all was read: a code that is in no list might be an alarm.
fn sia(data: &str) -> (Vec<Told>, Option<Reject>) {
    let mut told: Vec<Told> = Vec::new();
    let mut unknown = None;
    let mut partition = String::new();
    let mut user = String::new();
    let mut rest = without_age(data);
    while !rest.is_empty() && told.len() < EVENTS_MAX {
        rest = rest.trim_start_matches('/');
        let end = rest.find(['/', '^', '*']).unwrap_or(rest.len());
        match rest.as_bytes() {
            [a, b, ..] if a.is_ascii_lowercase() && b.is_ascii_lowercase() => {
                // the value ends at a slash, or where the next code begins
                let value = &rest[2..];
                let stop = value
                    .find(|c: char| c == '/' || c.is_ascii_uppercase())
                    .unwrap_or(value.len());
                match &rest[..2] {
                    "ri" => partition = text::clip(&value[..stop], 16),
                    "id" => user = text::clip(&value[..stop], 16),
                    _ => {}
                }
                rest = &value[stop..];
            }
            [a, b, ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => {
                let body = &rest[2..end.max(2)];
                let digits = body.bytes().take_while(u8::is_ascii_digit).count();
                let (behind, words) = text_of(&rest[end.max(2)..]);
                let meanings = codes::meanings([*a, *b]);
                if !meanings.is_empty() {
                    let number = text::clip(&body[..digits], 16);
                    let part = codes::part_of([*a, *b]);
                    let (number, user) = match part {
                        "user" if !number.is_empty() => (String::new(), number),
                        _ => (number, user.clone()),
                    };
                    told.extend(meanings.into_iter().map(|(meaning, phase)| {
                        Told {
                            condition: (phase != Phase::Instant
                                && may_be_several(meaning.kind)
                                && codes::has_own_end(&meaning))
                            .then(|| meaning.what.to_owned()),
                            meaning,
                            phase,
                            code: rest[..2].to_owned(),
                            part,
                            number: number.clone(),
                            user: user.clone(),
                            partition: partition.clone(),
                            description: words.clone(),
                        }
                    }));
                } else if !codes::is_no_event([*a, *b]) {
                    let detail = format!("`{}` is no code of SIA DC-03", &rest[..2]);
                    unknown.get_or_insert_with(|| Reject::new("unknown_code", detail));
                }
                rest = behind;
            }
            _ => {
                let (behind, _) = text_of(&rest[end..]);
                rest = behind;
            }
        }
    }
    (told, unknown)
}

/// Without the letter that says whether the event is new or old; `OP` and `NL` are codes.
fn without_age(data: &str) -> &str {
    match data.as_bytes() {
        [b'N' | b'O', a, b, ..] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => &data[1..],
        _ => data,
    }
}

/// A text between carets, or behind a star in apostrophes, and what follows it.
fn text_of(rest: &str) -> (&str, String) {
    let (words, behind) = match rest.split_at_checked(1) {
        Some(("^", inner)) => inner.split_once('^').unwrap_or((inner, "")),
        Some(("*", inner)) => inner.split_once('/').unwrap_or((inner, "")),
        _ => ("", rest.strip_prefix('/').unwrap_or(rest)),
    };
    let words = words.trim_matches(|c: char| c.is_whitespace() || c == '\'' || c == '"');
    (behind, text::clip(words, 64))
}
