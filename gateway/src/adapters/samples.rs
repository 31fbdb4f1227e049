//! The samples of every format that is built in, read as the running hub reads them: `<format>/samples/*.json`, written for this project.
//!
//! ```json
//! {"about": "what it shows, and which trap", "mqtt": "topic", "retain": false, "payload": {…}, "expect": [{"kind": "fire.smoke", "phase": "raised"}]}
//! ```
//!
//! What may stand in them says [`trial`]; `format` says whose it must be where it is another's.

use std::path::{Path, PathBuf};

use domain::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::declarative::trial;
use super::format::{self, Recall};
use super::formats::{self, Formats};
use super::message::Message;

/// Fewest samples of a format.
const SAMPLES_MIN: usize = 6;

struct Sample {
    path: PathBuf,
    body: Value,
}

fn samples() -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters");
    let mut found = Vec::new();
    for format in formats::BUILT_IN {
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

#[test]
fn every_sample_is_read_as_it_says() {
    let mut wrong = Vec::new();
    for Sample { path, body } in samples() {
        let own = path
            .parent()
            .and_then(Path::parent)
            .and_then(Path::file_name)
            .expect("a folder");
        let own = own.to_string_lossy().replace('_', "-");
        let whose = body["format"].as_str().unwrap_or(&own);
        let formats = Formats::default();
        let pick = |message: &Message<'_>, recall: &dyn Recall| {
            let found = formats.of_sender(message, &[], recall)?;
            formats::BUILT_IN
                .iter()
                .copied()
                .find(|format| format.name() == found.name())
        };
        let fault = match trial::run(&body, &pick) {
            Ok(came) if came.format.as_deref() != Some(whose) => {
                format!("read by {:?}, not by {whose}", came.format)
            }
            Ok(_) => continue,
            Err(fault) => fault,
        };
        wrong.push(format!("{}: {fault}", path.display()));
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
        let bytes = trial::bytes_of(&body).expect("bytes");
        let cuts = [
            bytes.len(),
            bytes.len() / 2,
            bytes.len().saturating_sub(1),
            1,
            0,
        ];
        for cut in cuts {
            let payload = bytes.get(..cut).unwrap_or_default();
            let mut message = Message::new(
                trial::door_of(&body).expect("a door"),
                payload,
                received_at,
                &zone,
            );
            message.content_type = body["content_type"].as_str();
            for format in formats::BUILT_IN {
                let _ = format.claim(&message);
                let _ = format.read(&message, &format::Nothing);
            }
        }
    }
}

#[test]
fn names_are_words_and_unique() {
    let mut names: Vec<&str> = formats::BUILT_IN
        .iter()
        .map(|format| format.name())
        .collect();
    assert!(names.iter().all(|name| {
        name.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), formats::BUILT_IN.len());
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
    let declared = crate::embedded::ADAPTERS.iter();
    let declared = declared.filter_map(|(path, _)| path.strip_suffix(".toml"));
    let built_in = formats::BUILT_IN.iter().map(|format| format.name());
    let names: Vec<&str> = built_in.chain(declared).collect();
    for name in &names {
        assert!(rows.contains(name), "no row for `{name}`");
    }
    for row in rows {
        assert!(names.contains(&row), "`{row}` is no format");
    }
}
