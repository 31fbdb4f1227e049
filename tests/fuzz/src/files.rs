//! Bytes that lie in files: the journal's segments, the configuration, registry and rules.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use domain::place::Registry;
use gateway::adapters::declarative::file::File;
use gateway::adapters::declarative::programs::Programs;
use domain::rule::RuleSet;
use domain::{Lane, Seq, Timestamp, Uplink, UplinkFlags};
use store::journal::{Journal, Options, verify};
use tempfile::TempDir;

const OPTIONS: Options = Options {
    segment_bytes: 4096,
    alarm_queue_bytes: 1 << 16,
    telemetry_queue_bytes: 1 << 16,
    batch_bytes_max: 1 << 12,
    retain_bytes: 1 << 20,
    reserve_bytes: 0,
};

/// A journal that was really written, in several segments: its files, and what it holds.
static WRITTEN: LazyLock<(Vec<(PathBuf, Vec<u8>)>, HashMap<u64, Uplink>)> = LazyLock::new(|| {
    let dir = TempDir::new().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a run time");
    let mut held = HashMap::new();
    runtime.block_on(async {
        let (journal, _) = Journal::open(dir.path(), OPTIONS).expect("opens");
        for n in 1..=20_u64 {
            let uplink = Uplink {
                received_at: Timestamp::from_second(1_800_000_000).expect("in range"),
                principal: format!("device-{n}"),
                epoch: n,
                flags: UplinkFlags::new(1),
                topic: format!("ssg/v1/q1/device-{n}/evt/fire-smoke"),
                payload: vec![n as u8; 200 + n as usize].into(),
                extra: None,
            };
            journal
                .append_durable(Lane::Alarm, uplink.clone())
                .await
                .expect("stored");
            held.insert(n, uplink);
        }
        journal.close().await.expect("closes");
    });
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir.path()).expect("lists") {
        let path = entry.expect("an entry").path();
        let is_kept = path.extension().is_some_and(|e| e == "seg" || e == "mark");
        if is_kept {
            let bytes = std::fs::read(&path).expect("reads");
            files.push((path.file_name().expect("a name").into(), bytes));
        }
    }
    files.sort();
    (files, held)
});

/// The first byte decides: bytes of files are overwritten (file, offset, value), or one file is what follows.
pub fn journal(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let (files, held) = &*WRITTEN;
    let mut files = files.clone();
    if mode % 2 == 0 {
        for harm in rest.chunks_exact(4) {
            let (_, bytes) = &mut files[usize::from(harm[0]) % 5 % WRITTEN.0.len()];
            let at = usize::from(u16::from_le_bytes([harm[1], harm[2]])) % bytes.len();
            bytes[at] ^= harm[3];
        }
    } else {
        let count = files.len();
        let (_, bytes) = &mut files[usize::from(mode / 2) % count];
        let length = rest.len().min(bytes.len());
        bytes[..length].copy_from_slice(&rest[..length]);
    }
    let dir = TempDir::new().expect("a directory");
    for (name, bytes) in &files {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    verify(dir.path()).expect("whatever is in them, files can be read");
    let (journal, recovery) = Journal::open(dir.path(), OPTIONS).expect("opens");
    let mut reader = journal.read_from(Seq(0));
    let (mut last, mut rounds) = (0, 0);
    while reader.after() < recovery.last_seq {
        rounds += 1;
        assert!(rounds < 10_000, "it does not come to an end");
        for (seq, uplink) in reader.next_batch(7, 1 << 16).expect("reads") {
            assert!(seq.0 > last, "{seq} after {last}");
            last = seq.0;
            // four bytes of checksum are no proof against somebody who forges them; chance does not
            if mode % 2 == 0 {
                assert_eq!(Some(&uplink), held.get(&seq.0), "altered and served");
            }
        }
    }
}

/// A file of settings, of places, of rules, of an adapter: each is read or refused with its mistakes.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    static FILE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("gateway.toml");
        (dir, file)
    });
    let file: &Path = &FILE.1;
    std::fs::write(file, text).expect("written");
    let said = |outcome: Result<(), String>| {
        if let Err(e) = outcome {
            assert!(!e.trim().is_empty(), "a refusal without a word");
        }
    };
    let settings = gateway::config::load(Some(file));
    said(settings.map(drop).map_err(|e| format!("{e:#}")));
    for name in ["places.toml", "devices.csv", "households.csv", "rentals.csv", "watch.csv"] {
        let registry = Registry::from_files([(name, text)]);
        said(registry.map(drop).map_err(|e| format!("{e:?}")));
    }
    let rules = RuleSet::parse(&[("rules.toml".to_owned(), text.to_owned())]);
    said(rules.map(drop).map_err(|e| format!("{e:?}")));
    let path = "acme-gate.toml";
    let adapter = File::parse(path, text).and_then(|file| {
        // long programs may nest as deep as they please: they are compiled in a process of their own
        if file.program.text.len() > 500 || file.reply.is_some() {
            return Ok(());
        }
        Programs::compile(path, file).map(drop)
    });
    said(adapter.map_err(|e| e.to_string()));
}

/// A photo of a report: what is kept of it is not more than what came, is a picture of the same size, and is clean.
pub fn photo(data: &[u8]) {
    let Ok(picture) = store::photos::strip(data) else {
        return;
    };
    assert!(picture.bytes.len() <= data.len());
    let pixels = u64::from(picture.width) * u64::from(picture.height);
    assert!((1..=store::photos::PIXELS_MAX).contains(&pixels));
    let again = store::photos::strip(&picture.bytes);
    assert_eq!(again, Ok(picture), "what is clean stays as it is");
}
