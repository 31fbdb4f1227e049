//! How full the disk is, and what follows from it: at 80 % of what the hub may use an alarm, at 90 % telemetry is refused.
//!
//! What the hub may use is what it uses and what is free, or less if the configuration says so. A file of its own takes room in
//! advance and is given back when the disk runs full, so that the databases can still write what alarms bring about.

use std::fs::{DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use domain::{Lane, Timestamp};
use jiff::civil::Date;
use serde_json::json;
use store::journal::Journal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::adapters::hub;
use crate::clock::Clock;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The file that takes room in advance.
const RESERVE_FILE: &str = "reserve.tmp";
/// Percent of what the hub may use: from here an alarm, and from there telemetry is refused.
const FILLING_PERCENT: u64 = 80;
const FULL_PERCENT: u64 = 90;
/// A level is left when it is this much below where it began.
const HYSTERESIS_PERCENT: u64 = 2;

/// How full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Filling,
    Full,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Filling => "filling",
            Self::Full => "full",
        }
    }

    /// The level that follows this one at so many percent.
    fn next(self, percent: u64) -> Self {
        let from = |level: Self, bound: u64| {
            let slack = if self >= level { HYSTERESIS_PERCENT } else { 0 };
            percent >= bound - slack
        };
        if from(Self::Full, FULL_PERCENT) {
            Self::Full
        } else if from(Self::Filling, FILLING_PERCENT) {
            Self::Filling
        } else {
            Self::Ok
        }
    }
}

/// What the hub uses and what it may use, in bytes.
#[derive(Debug, Clone, Copy)]
struct Usage {
    used: u64,
    budget: u64,
    available: u64,
    parts: Parts,
}

/// What each part of the data directory takes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// Segments, and what is kept free for them.
    pub journal: u64,
    /// The state database.
    pub state: u64,
    /// History, one file a day.
    pub history: u64,
    /// Days of history.
    pub history_days: u64,
    /// The first of them.
    pub history_from: Option<Date>,
    /// Photos of reports.
    pub photos: u64,
    /// Everything else.
    pub other: u64,
}

/// What the last look found.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// When that was.
    pub at: Timestamp,
    /// `ok`, `filling` or `full`.
    pub level: &'static str,
    /// Bytes that the hub uses.
    pub used: u64,
    /// Bytes that it may use.
    pub budget: u64,
    /// Bytes that are free.
    pub available: u64,
    /// What uses them.
    pub parts: Parts,
}

impl Usage {
    fn percent(self) -> u64 {
        self.used.saturating_mul(100) / self.budget.max(1)
    }
}

/// Watches the file system of the data directory.
pub struct Disk {
    dir: PathBuf,
    /// 0: what is there.
    budget_bytes: u64,
    reserve_bytes: u64,
    journal: Journal,
    clock: Clock,
    level: Level,
    looked: watch::Sender<Option<Looked>>,
}

impl Disk {
    /// A watcher that has not looked yet.
    pub fn new(
        dir: &Path,
        budget_bytes: u64,
        reserve_bytes: u64,
        journal: Journal,
        clock: Clock,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            budget_bytes,
            reserve_bytes,
            journal,
            clock,
            level: Level::Ok,
            looked: watch::Sender::default(),
        }
    }

    /// What the last look found; nothing before the first, and while the file system cannot be asked.
    pub fn looked(&self) -> watch::Receiver<Option<Looked>> {
        self.looked.subscribe()
    }

    /// Watches until `stop`. What it finds at first is journalled, so that an alarm of the last run ends with its reason.
    ///
    /// # Errors
    /// None: a file system that cannot be asked is asked again.
    pub async fn watch(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut is_told = false;
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            let (dir, reserve, budget) = (self.dir.clone(), self.reserve_bytes, self.budget_bytes);
            let looked = tokio::task::spawn_blocking(move || {
                let usage = usage(&dir, budget, reserve)?;
                keep_reserve(&dir, reserve, usage)?;
                io::Result::Ok(usage)
            })
            .await
            .context("looking at the disk")?;
            let usage = match looked {
                Ok(usage) => usage,
                Err(e) => {
                    warn!(error = %e, dir = %self.dir.display(), "the disk cannot be looked at");
                    self.looked.send_replace(None);
                    continue;
                }
            };
            metrics::gauge!("hub_disk_used_bytes").set(usage.used as f64);
            metrics::gauge!("hub_disk_budget_bytes").set(usage.budget as f64);
            let by_percent = self.level.next(usage.percent());
            let level = if self.journal.room().borrow().is_full() {
                Level::Full
            } else {
                by_percent
            };
            self.journal.keep_for_alarms(by_percent == Level::Full);
            self.looked.send_replace(Some(Looked {
                at: self.clock.now(),
                level: level.as_str(),
                used: usage.used,
                budget: usage.budget,
                available: usage.available,
                parts: usage.parts,
            }));
            if level != self.level || !is_told {
                is_told = true;
                self.level = level;
                self.tell(usage).await;
            }
        }
    }

    async fn tell(&self, usage: Usage) {
        let (level, percent) = (self.level.as_str(), usage.percent());
        match self.level {
            Level::Ok => info!(disk.used_percent = percent, "the disk has room"),
            Level::Filling | Level::Full => {
                warn!(disk.used_percent = percent, disk.level = level, disk.available = usage.available, dir = %self.dir.display(), "the disk is filling up (hint: free space, or keep history for fewer days: `events.retention_days`)");
            }
        }
        let payload = json!({
            "level": level, "used_percent": percent, "used_bytes": usage.used, "budget_bytes": usage.budget,
            "available_bytes": usage.available, "refuses_telemetry": self.journal.room().borrow().refuses_telemetry(),
        });
        let note = hub::note(
            self.clock.now(),
            hub::STORAGE.to_owned(),
            0,
            payload.to_string().into_bytes(),
        );
        if let Err(e) = self.journal.append(Lane::Alarm, note).await {
            debug!(error = %e, "note not journalled");
        }
    }
}

fn usage(dir: &Path, budget_bytes: u64, reserve_bytes: u64) -> io::Result<Usage> {
    let system = rustix::fs::statvfs(dir)?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    // given back or not, the reserve is not there to be filled
    let available = free.saturating_sub(reserve_bytes - held(dir).min(reserve_bytes));
    let (used, parts) = parts(dir)?;
    let most = used.saturating_add(available);
    Ok(Usage {
        used,
        budget: if budget_bytes == 0 {
            most
        } else {
            most.min(budget_bytes)
        },
        available,
        parts,
    })
}

/// Bytes that the files below the data directory take, together and by what they are.
fn parts(dir: &Path) -> io::Result<(u64, Parts)> {
    let (mut used, mut parts) = (0, Parts::default());
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let bytes = bytes_of(&entry);
        used += bytes;
        let name = entry.file_name();
        match name.to_str().unwrap_or_default() {
            "journal" => parts.journal += bytes,
            "events" => {
                parts.history += bytes;
                for file in std::fs::read_dir(entry.path()).into_iter().flatten() {
                    let Some(day) = file.ok().and_then(|f| day_of(f.file_name().to_str()?)) else {
                        continue;
                    };
                    parts.history_days += 1;
                    let from = parts.history_from.map_or(day, |from| from.min(day));
                    parts.history_from = Some(from);
                }
            }
            "photos" => parts.photos += bytes,
            name if name.starts_with("state.db") => parts.state += bytes,
            _ => parts.other += bytes,
        }
    }
    Ok((used, parts))
}

/// The day of a file of history, `events-2026-10-01.db`.
fn day_of(name: &str) -> Option<Date> {
    let day = name.strip_prefix("events-")?.strip_suffix(".db")?;
    day.parse().ok()
}

/// Bytes that a file takes, or the files below a directory.
fn bytes_of(entry: &DirEntry) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    // a file may be gone by now: it takes no room
    let Ok(metadata) = entry.metadata() else {
        return 0;
    };
    if !metadata.is_dir() {
        return metadata.blocks() * 512;
    }
    let below = std::fs::read_dir(entry.path()).into_iter().flatten();
    below.flatten().map(|entry| bytes_of(&entry)).sum()
}

/// Bytes of the reserve that are taken now.
fn held(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(RESERVE_FILE)).map_or(0, |m| m.len())
}

/// Takes the reserve when there is plenty, gives it back when there is next to nothing.
fn keep_reserve(dir: &Path, reserve_bytes: u64, usage: Usage) -> io::Result<()> {
    let path = dir.join(RESERVE_FILE);
    let held = held(dir);
    if held > 0 && (usage.available < reserve_bytes / 4 || held != reserve_bytes) {
        std::fs::remove_file(&path)?;
        warn!(
            disk.reserve_bytes = held,
            disk.available = usage.available,
            "the databases' reserve is given back to the file system"
        );
    } else if held == 0 && reserve_bytes > 0 && usage.available > reserve_bytes.saturating_mul(4) {
        let file = File::create(&path)?;
        let taken =
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, reserve_bytes);
        if let Err(e) = taken {
            // a file system that cannot promise room: there is no reserve then
            debug!(error = %e, "no reserve for the databases");
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_begins_at_its_bound_and_ends_a_little_below_it() {
        let course = [10, 79, 80, 79, 78, 77, 85, 90, 89, 88, 87, 95, 10];
        let mut level = Level::Ok;
        let levels: Vec<_> = course
            .iter()
            .map(|percent| {
                level = level.next(*percent);
                level.as_str()
            })
            .collect();
        let expected = [
            "ok", "ok", "filling", "filling", "filling", "ok", "filling", "full", "full", "full",
            "filling", "full", "ok",
        ];
        assert_eq!(levels, expected);
    }

    #[test]
    fn what_may_be_used_is_what_is_used_and_what_is_free_unless_less_is_allowed() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("below")).expect("made");
        std::fs::write(dir.path().join("below/file"), vec![1; 100_000]).expect("written");
        let free = usage(dir.path(), 0, 0).expect("asked");
        assert!((100_000..200_000).contains(&free.used), "{free:?}");
        assert_eq!(free.budget, free.used + free.available);
        let tight = usage(dir.path(), 125_000, 0).expect("asked");
        assert_eq!(
            (tight.budget, tight.percent()),
            (125_000, tight.used / 1250)
        );
        let reserve = usage(dir.path(), 0, 1 << 20).expect("asked");
        assert!(reserve.available + (1 << 20) <= free.available + (1 << 19));
    }

    #[test]
    fn each_part_is_told_by_its_name_and_all_of_them_are_what_is_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = |name: &str, bytes: usize| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, vec![1; bytes]).expect("written");
        };
        file("journal/1.seg", 1_000_000);
        file("state.db", 200_000);
        file("state.db-wal", 100_000);
        file("events/events-2026-10-02.db", 50_000);
        file("events/events-2026-10-01.db", 50_000);
        file("events/events-2026-10-01.db-wal", 10_000);
        file("photos/aa/aa01", 400_000);
        file("sessions.db", 30_000);
        let usage = usage(dir.path(), 0, 0).expect("asked");
        let parts = usage.parts;
        let first = Date::constant(2026, 10, 1);
        assert_eq!(
            (parts.history_days, parts.history_from),
            (2, Some(first)),
            "{parts:?}"
        );
        let least = [
            (parts.journal, 1_000_000),
            (parts.state, 300_000),
            (parts.history, 110_000),
            (parts.photos, 400_000),
            (parts.other, 30_000),
        ];
        for (is, least) in least {
            assert!((least..least + 50_000).contains(&is), "{is} {least}");
        }
        let sum: u64 = least.iter().map(|(is, _)| is).sum();
        assert_eq!(sum, usage.used);
    }

    #[test]
    fn the_reserve_is_taken_with_plenty_and_given_back_with_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join(RESERVE_FILE);
        let keep = |available| {
            let usage = Usage {
                used: 0,
                budget: available,
                available,
                parts: Parts::default(),
            };
            keep_reserve(dir.path(), 8192, usage).expect("kept");
            std::fs::metadata(&file).map_or(0, |m| m.len())
        };
        assert_eq!(keep(20_000), 0, "that would take too much of it");
        assert_eq!(keep(40_000), 8192);
        assert_eq!(keep(3000), 8192);
        assert_eq!(keep(2000), 0);
        assert_eq!(keep(10_000), 0, "not to and fro");
    }
}
