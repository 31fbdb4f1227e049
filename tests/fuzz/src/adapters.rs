//! What devices of other makers say, in whatever door: every format, built in or declared by a file that ships, is asked whether a message is
//! its own and reads it all the same.

use std::path::Path;
use std::sync::LazyLock;

use domain::place::Registry;
use domain::{Event, Seq, Timestamp};
use gateway::adapters::declarative::Place;
use gateway::adapters::declarative::file::ANSWER_BYTES_MAX;
use gateway::adapters::format::{Format, Recall as _};
use gateway::adapters::formats::{Formats, Found};
use gateway::adapters::identity::{Sender, Stamp};
use gateway::adapters::memory::Memory;
use gateway::adapters::message::{Door, Message};
use gateway::adapters::picture;
use jiff::tz::TimeZone;

const ACCOUNT: &str = "bridge";

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    Registry::from_files(gateway::embedded::COMPOUND.iter().copied()).expect("it is what ships")
});

static FORMATS: LazyLock<Formats> = LazyLock::new(|| {
    let shipped = gateway::adapter_files::read(Path::new(""), &Place::Here, None);
    assert!(shipped.mistakes.is_empty() && !shipped.set.shipped.is_empty());
    Formats::new(shipped.set)
});
/// The same, in the order in which they are asked.
static ALL: LazyLock<Vec<Found>> = LazyLock::new(|| FORMATS.now().all().collect());

/// The door (`m` MQTT, `r` retained, `h` a web hook, `t` a frame), the topic, path or protocol, a line feed, the content type, a line feed,
/// the payload. `tests/fuzz/seeds.mjs` makes such inputs of the formats' samples.
pub fn adapters(data: &[u8]) {
    let (address, rest) = line(data);
    let (content_type, payload) = line(rest);
    let mut chars = address.chars();
    let door = chars.next().unwrap_or('m');
    let address = chars.as_str();
    let door = match door {
        'h' => Door::Http { target: address },
        't' => Door::Tcp { protocol: address },
        door => Door::Mqtt {
            topic: address,
            retain: door == 'r',
        },
    };
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let received_at = Timestamp::from_second(1_800_000_000).expect("in range");
    let mut message = Message::new(door, payload, received_at, &zone);
    message.content_type = (!content_type.is_empty()).then_some(content_type.as_str());
    for format in ALL.iter() {
        let _ = format.claim(&message);
        let _ = format.may_alarm(message.topic());
        let first = read(&**format, &message, &mut Memory::default(), 1);
        let again = read(&**format, &message, &mut Memory::default(), 1);
        assert_eq!(first, again, "{}: a replay is the same", format.name());
        // told again by the same sender, with what it has left behind
        let mut memory = Memory::default();
        let _ = read(&**format, &message, &mut memory, 1);
        let _ = format.claim_learnt(&message, &memory.of(ACCOUNT));
        pictures(&**format, &message, &memory);
        let _ = read(&**format, &message, &mut memory, 2);
        if matches!(format, Found::Declared(_)) {
            assert!(format.reply(&message).body.len() <= ANSWER_BYTES_MAX);
        }
        let _ = memory.take_dirty();
    }
    let name = |found: Option<Found>| found.map(|format| format.name().to_owned());
    let other = FORMATS.of_sender(&message, &[], &Memory::default().of(ACCOUNT));
    assert_eq!(name(FORMATS.of(&message, &[])), name(other));
    assert!(Memory::default().of(ACCOUNT).recall("a").is_none());
}

/// The pictures in a message are few, and stripped or refused.
fn pictures(format: &dyn Format, message: &Message<'_>, memory: &Memory) {
    let found = format.pictures(message, &memory.of(ACCOUNT));
    assert!(found.len() <= picture::PICTURES_MAX, "{}", format.name());
    for one in found {
        if let Ok(stripped) = store::photos::strip(&one.bytes) {
            assert!(stripped.bytes.len() <= one.bytes.len());
        }
    }
}

/// The events of a message, or nothing where it is rejected.
fn read(
    format: &dyn Format,
    message: &Message<'_>,
    memory: &mut Memory,
    seq: u64,
) -> Option<Vec<Event>> {
    let reading = format.read(message, &memory.of(ACCOUNT)).ok()?;
    let seq = Seq(seq);
    for (key, value) in reading.learn {
        let _ = memory.learn(ACCOUNT, &key, value, seq);
    }
    let sender = Sender {
        account: ACCOUNT,
        site: &"q1".parse().expect("an id"),
        format: format.name(),
        registry: &REGISTRY,
        card_key: b"a key of the tests",
    };
    let stamp = Stamp {
        seq,
        received_at: message.received_at,
    };
    let events = sender.events(stamp, reading.drafts, memory);
    for event in &events {
        assert!(event.dedupe_key.len() <= domain::event::DEDUPE_KEY_BYTES_MAX);
        let attrs = event.attrs.to_value();
        assert!(attrs.is_object(), "{attrs}");
    }
    Some(events)
}

/// Up to the first line feed, and what follows it.
fn line(bytes: &[u8]) -> (String, &[u8]) {
    let at = bytes
        .iter()
        .position(|b| *b == b'\n')
        .unwrap_or(bytes.len());
    let line = String::from_utf8_lossy(&bytes[..at]).into_owned();
    (line, bytes.get(at + 1..).unwrap_or_default())
}
