//! Finding out what is there: at every start, and for the verifier.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use domain::{Seq, Timestamp};
use rand::RngCore as _;
use tracing::warn;

use super::mark::Mark;
use super::segment::{self, Damage, Segment, Step, Walker};
use super::{Options, layout};

/// What was found at a start. Sealed segments are looked at by their heads here; their records are checked when they are read,
/// and by [`verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The highest position; the next record has the one after it.
    pub last_seq: Seq,
    /// Receive time of the last whole record.
    pub last_received_at: Option<Timestamp>,
    /// Remains of a record that was being written; cut off, nobody was told that it was stored.
    pub torn_bytes: u64,
    /// What cannot be read although something follows it.
    pub damage: Vec<Damage>,
    /// Positions that had been acknowledged and that the log does not have at its end: first and last.
    pub lost: Option<(Seq, Seq)>,
    /// Segments whose header cannot be read; their records are.
    pub headless: Vec<String>,
    /// Files in the directory that are not the journal's; left alone.
    pub foreign: Vec<String>,
}

pub(super) struct Recovered {
    pub(super) journal: [u8; 16],
    pub(super) file: File,
    pub(super) offset: u64,
    pub(super) segments: Vec<Segment>,
    pub(super) segment_bytes: u64,
    pub(super) mark: Mark,
    pub(super) report: Recovery,
}

pub(super) fn recover(dir: &Path, options: &Options) -> io::Result<Recovered> {
    let listing = segment::list(dir)?;
    let (mut mark, marked) = Mark::open(dir)?;
    let mut report = Recovery {
        foreign: listing.foreign,
        ..Recovery::default()
    };
    let mut segments: Vec<Segment> = Vec::new();
    let mut journal = None;
    for found in listing.segments {
        let name = found
            .path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let verdict = match Walker::open(&found)? {
            None => Err("is not whole, or has the header of another"),
            Some((_, Some(header))) if journal.is_none_or(|ours| ours == header.journal) => {
                journal = Some(header.journal);
                Ok(())
            }
            Some((_, Some(_))) => Err("belongs to another journal"),
            Some((mut walker, None)) => match walker.step()? {
                Step::Record { .. } | Step::Damaged(_) => {
                    warn!(
                        journal.segment = name,
                        "header cannot be read, records are taken by the name of the file"
                    );
                    report.headless.push(name.clone());
                    Ok(())
                }
                Step::End { .. } => Err("has no readable header and no record"),
            },
        };
        match verdict {
            Ok(()) => segments.push(found),
            Err(why) => {
                let aside = format!("{name}.damaged");
                warn!(journal.segment = name, reason = why, "segment put aside");
                std::fs::rename(&found.path, dir.join(&aside))?;
                segment::sync_dir(dir)?;
                report.foreign.push(aside);
            }
        }
    }
    let journal = journal.unwrap_or_else(|| {
        let mut id = [0; 16];
        rand::rng().fill_bytes(&mut id);
        id
    });
    for pair in segments.windows(2) {
        if pair[1].first <= pair[0].first {
            return Err(io::Error::other("two segments claim the same positions"));
        }
    }

    let Some(last) = segments.last().cloned() else {
        report.last_seq = marked;
        report.lost = (marked.0 > 0).then_some((Seq(1), marked));
        let (file, first) = segment::birth(dir, journal, Seq(marked.0 + 1), options.segment_bytes)?;
        let segment_bytes = first.bytes;
        let offset = layout::HEADER_BYTES as u64;
        return Ok(Recovered {
            journal,
            file,
            offset,
            segments: vec![first],
            segment_bytes,
            mark,
            report,
        });
    };
    let Some((mut walker, _)) = Walker::open(&last)? else {
        return Err(io::Error::other(
            "the last segment changed while it was being read",
        ));
    };
    loop {
        match walker.step()? {
            Step::Record { body, .. } => {
                // only the last one's time is wanted, and decoding it is cheap beside the checksum
                if let Some(received_at) = received_at(body) {
                    report.last_received_at = Some(received_at);
                }
            }
            Step::Damaged(damage) => report.damage.push(damage),
            Step::End { torn } => {
                report.torn_bytes = torn;
                break;
            }
        }
    }
    let offset = walker.offset();
    let file = File::options().read(true).write(true).open(&last.path)?;
    if report.torn_bytes > 0 {
        let remains = usize::try_from(report.torn_bytes).unwrap_or(0);
        file.write_all_at(&vec![0; remains], offset)?;
        file.sync_all()?;
    }
    let whole = Seq(walker.expected().0 - 1);
    if marked > whole {
        report.lost = Some((Seq(whole.0 + 1), marked));
    }
    report.last_seq = whole.max(marked);
    if marked < whole {
        mark.note(whole)?;
    }
    Ok(Recovered {
        journal,
        file,
        offset,
        segment_bytes: last.bytes,
        segments,
        mark,
        report,
    })
}

fn received_at(body: &[u8]) -> Option<Timestamp> {
    let micros = i64::from_le_bytes(body.get(..8)?.try_into().ok()?);
    Timestamp::from_microsecond(micros).ok()
}

/// Position and receive time of the last whole record, or none. Reads the last segment only and changes nothing; the hub may be running.
///
/// # Errors
/// A directory or file that cannot be read.
pub fn last(dir: &Path) -> io::Result<Option<(Seq, Timestamp)>> {
    let listing = segment::list(dir)?;
    let mut last = None;
    let Some(segment) = listing.segments.last() else {
        return Ok(None);
    };
    let Some((mut walker, _)) = Walker::open(segment)? else {
        return Ok(None);
    };
    loop {
        match walker.step()? {
            Step::Record { seq, body } => last = received_at(body).map(|at| (seq, at)).or(last),
            Step::Damaged(_) => {}
            Step::End { .. } => return Ok(last),
        }
    }
}

/// What the verifier found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segment files.
    pub segments: usize,
    /// Whole records.
    pub records: u64,
    /// Position of the first.
    pub first: Option<Seq>,
    /// Position of the last.
    pub last: Option<Seq>,
    /// Remains at the very end: normal after a crash, cut at the next start.
    pub torn_bytes: u64,
    /// What cannot be read although something follows it, missing segments included.
    pub damage: Vec<Damage>,
    /// The highest acknowledged position, if it is behind the end of the log: what lies between is lost.
    pub acknowledged_beyond: Option<Seq>,
    /// Segments whose header cannot be read; their records are.
    pub headless: Vec<String>,
    /// Files that are not the journal's.
    pub foreign: Vec<String>,
}

impl VerifyReport {
    /// Nothing that was acknowledged is missing, as far as the journal itself can know.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.acknowledged_beyond.is_none()
    }
}

impl std::fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} segments, {} records", self.segments, self.records)?;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            write!(f, ", positions {first} to {last}")?;
        }
        if self.torn_bytes > 0 {
            write!(
                f,
                "\n{} bytes of an unfinished record at the end (cut at the next start)",
                self.torn_bytes
            )?;
        }
        for damage in &self.damage {
            write!(f, "\ndamage: {damage}")?;
        }
        if let Some(seq) = self.acknowledged_beyond {
            write!(
                f,
                "\nlost: position {seq} was acknowledged and is not there"
            )?;
        }
        for name in &self.headless {
            write!(
                f,
                "\ndamage: the header of {name} cannot be read; its records are read all the same"
            )?;
        }
        if !self.foreign.is_empty() {
            write!(f, "\nnot ours: {}", self.foreign.join(", "))?;
        }
        write!(
            f,
            "\n{}",
            if self.is_sound() {
                "sound"
            } else {
                "NOT SOUND"
            }
        )
    }
}

/// Reads every record of a journal and its checksum. Changes nothing; the hub may be running.
///
/// # Errors
/// A directory or file that cannot be read.
pub fn verify(dir: &Path) -> io::Result<VerifyReport> {
    // the mark first: what is written meanwhile can only make the log longer than it says
    let marked = Mark::peek(dir);
    let listing = segment::list(dir)?;
    let mut report = VerifyReport {
        segments: listing.segments.len(),
        foreign: listing.foreign,
        ..VerifyReport::default()
    };
    let count = listing.segments.len();
    for (at, found) in listing.segments.iter().enumerate() {
        let name = || {
            found
                .path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let next_first = listing.segments.get(at + 1).map(|s| s.first);
        if let Some(last) = report.last.filter(|last| last.0 + 1 < found.first.0) {
            let (first, last) = (Seq(last.0 + 1), Seq(found.first.0 - 1));
            report.damage.push(Damage {
                file: name(),
                offset: 0,
                first,
                last,
            });
        }
        let Some((mut walker, header)) = Walker::open(found)? else {
            let last = next_first.map_or(found.first, |next| Seq(next.0 - 1));
            report.damage.push(Damage {
                file: name(),
                offset: 0,
                first: found.first,
                last,
            });
            report.last = Some(last);
            continue;
        };
        if header.is_none() {
            report.headless.push(name());
        }
        loop {
            match walker.step()? {
                Step::Record { seq, body } => {
                    if layout::decode(body).is_none() {
                        report.damage.push(Damage {
                            file: name(),
                            offset: 0,
                            first: seq,
                            last: seq,
                        });
                    }
                    report.records += 1;
                    report.first.get_or_insert(seq);
                    report.last = Some(seq);
                }
                Step::Damaged(damage) => report.damage.push(damage),
                Step::End { torn } => {
                    if at + 1 == count {
                        report.torn_bytes = torn;
                    }
                    break;
                }
            }
        }
    }
    report.acknowledged_beyond =
        marked.filter(|marked| marked.0 > report.last.map_or(0, |last| last.0));
    Ok(report)
}
