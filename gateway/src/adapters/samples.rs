//! The samples of every format, read as the running hub reads them: `<format>/samples/*.json`, written for this project.
//!
//! ```json
//! {"about": "what it shows, and which trap", "mqtt": "topic", "retain": false, "payload": {…}, "expect": [{"kind": "fire.smoke", "phase": "raised"}]}
//! ```
//!
//! `mqtt` | `http` | `tcp` name the door; `payload` is JSON, or `text`, `hex`, `base64` hold the bytes; `content_type` and `headers` come with a
//! web hook; `before` lists messages of the same sender that came earlier. `expect` lists every event in order, each with the members that
//! matter (`attrs` likewise); `reject` names the code of what goes to quarantine; `format` says whose it must be.

use std::path::{Path, PathBuf};

use domain::place::Registry;
use domain::{Seq, Timestamp};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::format;
use super::identity::{Sender, Stamp};
use super::memory::Memory;
use super::message::{Door, Message};
use super::{formats, text};

/// Fewest samples of a format.
const SAMPLES_MIN: usize = 6;

struct Sample {
    path: PathBuf,
    body: Value,
}

fn samples() -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters");
    let mut found = Vec::new();
    for format in formats::ALL {
        let dir = root.join(format.name().replace('-', "_")).join("samples");
        let files = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        assert!(
            paths.len() >= SAMPLES_MIN,
            "{} has {} samples",
            format.name(),
            paths.len()
        );
        for path in paths {
            let bytes = std::fs::read(&path).expect("readable");
            let body = serde_json::from_slice(&bytes)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push(Sample { path, body });
        }
    }
    found
}

fn bytes_of(message: &Value) -> Vec<u8> {
    if let Some(text) = message["text"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = message["hex"].as_str() {
        return hex::decode(hex.replace([' ', '\n'], "")).expect("hex");
    }
    if let Some(base64) = message["base64"].as_str() {
        return text::base64(base64).expect("base64");
    }
    assert!(
        message.get("payload").is_some(),
        "payload, text, hex or base64"
    );
    serde_json::to_vec(&message["payload"]).expect("JSON")
}

fn door_of(message: &Value) -> Door<'_> {
    if let Some(topic) = message["mqtt"].as_str() {
        let retain = message["retain"].as_bool().unwrap_or_default();
        return Door::Mqtt { topic, retain };
    }
    if let Some(target) = message["http"].as_str() {
        return Door::Http { target };
    }
    let protocol = message["tcp"].as_str().expect("mqtt, http or tcp");
    Door::Tcp { protocol }
}

/// The events of one message as JSON, or the code of its rejection.
fn read(
    message: &Value,
    seq: u64,
    memory: &mut Memory,
) -> (Option<&'static str>, Result<Vec<Value>, &'static str>) {
    let bytes = bytes_of(message);
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let received_at: Timestamp = message["received_at"]
        .as_str()
        .unwrap_or("2026-11-24T12:00:00Z")
        .parse()
        .expect("a time");
    let headers: Vec<(String, String)> = message["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned()))
        .collect();
    let mut given = Message::new(door_of(message), &bytes, received_at, &zone);
    given.content_type = message["content_type"].as_str();
    given.headers = &headers;
    let Some(format) = format::of_sender(&given, &[], &memory.of("bridge")) else {
        return (None, Err("unknown_format"));
    };
    let sender = Sender {
        account: "bridge",
        site: &"q1".parse().expect("an id"),
        format: format.name(),
        registry: &Registry::default(),
        card_key: b"a key of the tests",
    };
    let reading = match format.read(&given, &memory.of("bridge")) {
        Ok(reading) => reading,
        Err(reject) => return (Some(format.name()), Err(reject.code)),
    };
    let seq = Seq(seq);
    for (key, value) in reading.learn {
        assert!(
            memory.learn("bridge", &key, value, seq),
            "no room to remember {key}"
        );
    }
    let events = sender.events(Stamp { seq, received_at }, reading.drafts, memory);
    let events = events
        .iter()
        .map(|event| serde_json::to_value(event).expect("JSON"));
    (Some(format.name()), Ok(events.collect()))
}

/// Whether everything that is asked for is there.
fn contains(has: &Value, wants: &Value) -> bool {
    match (has, wants) {
        (Value::Object(has), Value::Object(wants)) => wants
            .iter()
            .all(|(key, want)| has.get(key).is_some_and(|has| contains(has, want))),
        (Value::Number(has), Value::Number(want)) => has.as_f64() == want.as_f64(),
        _ => has == wants,
    }
}

#[test]
fn every_sample_is_read_as_it_says() {
    let mut wrong = Vec::new();
    for Sample { path, body } in samples() {
        let mut memory = Memory::default();
        let before = body["before"].as_array().cloned().unwrap_or_default();
        let mut seq = 0;
        for message in &before {
            seq += 1;
            let _ = read(message, seq, &mut memory);
        }
        let (format, outcome) = read(&body, seq + 1, &mut memory);
        let own = path
            .parent()
            .and_then(Path::parent)
            .and_then(Path::file_name)
            .expect("a folder");
        let own = own.to_string_lossy().replace('_', "-");
        let whose = body["format"].as_str().unwrap_or(&own);
        let mut fault = String::new();
        if format != Some(whose) {
            fault = format!("read by {format:?}, not by {whose}");
        } else if let Some(code) = body["reject"].as_str() {
            if outcome != Err(code) {
                fault = format!("want the rejection `{code}`, got {outcome:?}");
            }
        } else {
            let want = body["expect"]
                .as_array()
                .unwrap_or_else(|| panic!("{}: `expect` or `reject`", path.display()));
            match &outcome {
                Ok(events)
                    if events.len() == want.len()
                        && events
                            .iter()
                            .zip(want)
                            .all(|(has, want)| contains(has, want)) => {}
                Ok(events) => fault = format!("want {want:#?}, got {events:#?}"),
                Err(code) => fault = format!("rejected as `{code}`"),
            }
        }
        if !fault.is_empty() {
            wrong.push(format!("{}: {fault}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} samples:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Bytes cut short, doubled, of another format: every format answers, and none panics.
#[test]
fn no_format_falls_over_the_bytes_of_another() {
    let zone = TimeZone::UTC;
    let received_at: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
    for Sample { body, .. } in samples() {
        let bytes = bytes_of(&body);
        let cuts = [
            bytes.len(),
            bytes.len() / 2,
            bytes.len().saturating_sub(1),
            1,
            0,
        ];
        for cut in cuts {
            let payload = bytes.get(..cut).unwrap_or_default();
            let mut message = Message::new(door_of(&body), payload, received_at, &zone);
            message.content_type = body["content_type"].as_str();
            for format in formats::ALL {
                let _ = format.claim(&message);
                let _ = format.read(&message, &format::Nothing);
            }
        }
    }
}

#[test]
fn names_are_words_and_unique() {
    let mut names: Vec<&str> = formats::ALL.iter().map(|format| format.name()).collect();
    assert!(names.iter().all(|name| {
        name.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), formats::ALL.len());
}

/// Whoever connects a device looks for its format there.
#[test]
fn every_format_stands_in_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters/../../../docs/formats.md");
    let document =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    for format in formats::ALL {
        assert!(
            rows.contains(&format.name()),
            "no row for `{}`",
            format.name()
        );
    }
    for row in rows {
        let is_one = formats::ALL.iter().any(|format| format.name() == row);
        assert!(is_one, "`{row}` is no format");
    }
}
