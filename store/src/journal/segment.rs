//! Segment files: their names, how one is born, and how the records of one are walked.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use domain::Seq;

use super::layout::{self, ALIGN, Found, HEADER_BYTES, Header};
use super::room::{is_room_file, make_spare, spare_path};

/// The walker reads so much at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// One segment of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: Seq,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

fn file_name(first: Seq) -> String {
    format!("{:020}.seg", first.0)
}

/// What lies in a journal's directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Segments by first seq.
    pub(super) segments: Vec<Segment>,
    /// Names that are not ours.
    pub(super) foreign: Vec<String>,
}

pub(super) fn list(dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if matches!(name.as_str(), super::LOCK_FILE | super::mark::FILE) || is_room_file(&name) {
            continue;
        }
        let first = name
            .strip_suffix(".seg")
            .filter(|stem| stem.len() == 20)
            .and_then(|stem| stem.parse().ok());
        match first {
            Some(first) => listing.segments.push(Segment {
                first: Seq(first),
                path: entry.path(),
                bytes: entry.metadata()?.len(),
            }),
            None => listing.foreign.push(name),
        }
    }
    listing.segments.sort_by_key(|s| s.first);
    listing.foreign.sort();
    Ok(listing)
}

/// Turns the spare file into the segment that starts with `first`. When this returns, a power cut cannot undo it.
pub(super) fn birth(
    dir: &Path,
    journal: [u8; 16],
    first: Seq,
    bytes: u64,
) -> io::Result<(File, Segment)> {
    make_spare(dir, bytes)?;
    let spare = spare_path(dir);
    let file = File::options().read(true).write(true).open(&spare)?;
    file.write_all_at(&Header { journal, first }.encode(), 0)?;
    file.sync_all()?;
    let path = dir.join(file_name(first));
    std::fs::rename(&spare, &path)?;
    sync_dir(dir)?;
    Ok((file, Segment { first, path, bytes }))
}

/// Makes births and deletions in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A stretch of a segment that cannot be read although records follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Name of the segment file.
    pub file: String,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// The first position that is missing.
    pub first: Seq,
    /// The last position that is missing.
    pub last: Seq,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at byte {}: records {} to {} cannot be read",
            self.file, self.offset, self.first, self.last
        )
    }
}

/// Goes through the records of one segment in order, over damage, to the end of what was written.
pub(super) struct Walker {
    file: File,
    name: String,
    size: u64,
    /// Where `window` starts in the file.
    window_at: u64,
    window: Vec<u8>,
    /// Offset of the next record.
    offset: u64,
    /// The position that the next record should have.
    expected: Seq,
}

/// Compared with a stretch of a file at a time: most of a young segment is zeros.
static ZEROS: [u8; 4096] = [0; 4096];

/// What lies behind something unreadable.
enum Searched {
    /// Nothing but zeros and `torn` bytes of remains.
    Nothing { torn: u64 },
    /// A later record.
    Later(Damage),
    /// The very record that was expected.
    Next,
}

/// One step of a [`Walker`].
pub(super) enum Step<'a> {
    /// A whole record.
    Record { seq: Seq, body: &'a [u8] },
    /// Something unreadable, with records behind it; the next step gives them.
    Damaged(Damage),
    /// The end of what was written; `torn` is the number of bytes after the last record that are not zero-filled space.
    End { torn: u64 },
}

impl Walker {
    /// Opens a segment; none when it is too short for one, or its header is that of another. A header that cannot be read does not
    /// take its records with it: name and records say what it would.
    pub(super) fn open(segment: &Segment) -> io::Result<Option<(Self, Option<Header>)>> {
        let file = File::open(&segment.path)?;
        let mut head = [0; HEADER_BYTES];
        if segment.bytes < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut head, 0)?;
        let header = Header::decode(&head);
        if header.is_some_and(|h| h.first != segment.first) {
            return Ok(None);
        }
        let name = segment
            .path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let walker = Self {
            file,
            name,
            size: segment.bytes,
            window_at: 0,
            window: Vec::new(),
            offset: HEADER_BYTES as u64,
            expected: segment.first,
        };
        Ok(Some((walker, header)))
    }

    /// Where the next record begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Forgets what was read ahead, so that records written since are seen.
    pub(super) fn refresh(&mut self) {
        self.window.clear();
        self.window_at = self.offset;
    }

    /// Makes `window` hold `bytes` from `offset` on, as far as the file goes.
    fn fill(&mut self, bytes: usize) -> io::Result<usize> {
        let start = usize::try_from(self.offset.wrapping_sub(self.window_at)).unwrap_or(usize::MAX);
        if start
            .checked_add(bytes)
            .is_some_and(|end| end <= self.window.len())
        {
            return Ok(start);
        }
        let left = usize::try_from(self.size.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.window.resize(bytes.max(WINDOW_BYTES).min(left), 0);
        self.window_at = self.offset;
        self.file.read_exact_at(&mut self.window, self.offset)?;
        Ok(0)
    }

    /// The next record, damage, or the end.
    pub(super) fn step(&mut self) -> io::Result<Step<'_>> {
        let mut want = layout::PREFIX_BYTES;
        let (start, seq, bytes, body) = loop {
            let start = self.fill(want)?;
            match layout::look(&self.window[start..]) {
                Found::Record { seq, bytes, body } if seq == self.expected => {
                    break (start, seq, bytes, body.len());
                }
                Found::Short { bytes }
                    if bytes > want && self.offset + bytes as u64 <= self.size =>
                {
                    want = bytes;
                }
                Found::Record { .. } | Found::Short { .. } | Found::End | Found::Bad => {
                    match self.search()? {
                        Searched::Nothing { torn } => return Ok(Step::End { torn }),
                        Searched::Later(damage) => return Ok(Step::Damaged(damage)),
                        Searched::Next => want = layout::PREFIX_BYTES,
                    }
                }
            }
        };
        self.offset += bytes as u64;
        self.expected = Seq(seq.0 + 1);
        let body_at = start + layout::PREFIX_BYTES;
        Ok(Step::Record {
            seq,
            body: &self.window[body_at..body_at + body],
        })
    }

    /// Looks for a record behind what cannot be read. Zeros look like the end, and like a block that was lost in the middle:
    /// only what follows tells them apart.
    fn search(&mut self) -> io::Result<Searched> {
        let bad_at = self.offset;
        let mut rest = vec![0; usize::try_from(self.size.saturating_sub(bad_at)).unwrap_or(0)];
        self.file.read_exact_at(&mut rest, bad_at)?;
        let (mut at, mut torn) = (0, 0);
        while at < rest.len() {
            if rest[at..].starts_with(&ZEROS) {
                at += ZEROS.len();
                continue;
            }
            match layout::look(&rest[at..]) {
                Found::Record { seq, .. } if seq >= self.expected => {
                    let (first, file) = (self.expected, self.name.clone());
                    self.offset = bad_at + at as u64;
                    self.expected = seq;
                    self.refresh();
                    if seq == first {
                        return Ok(Searched::Next);
                    }
                    return Ok(Searched::Later(Damage {
                        file,
                        offset: bad_at,
                        first,
                        last: Seq(seq.0 - 1),
                    }));
                }
                _ => {
                    let end = (at + ALIGN).min(rest.len());
                    if rest[at..end].iter().any(|b| *b != 0) {
                        torn = end;
                    }
                    at = end;
                }
            }
        }
        Ok(Searched::Nothing { torn: torn as u64 })
    }

    /// The position after the last record read.
    pub(super) fn expected(&self) -> Seq {
        self.expected
    }
}
