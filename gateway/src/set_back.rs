//! `gateway clock show` and `gateway clock repair`: what a hub that starts takes for the time, and how to mend it when a system clock
//! that stood years ahead has been believed.
//!
//! A hub never goes back before the last record of its journal. Records stay as they are; instead a file beside them says up to which of
//! them times are wrong, and since when they are right.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use domain::{Seq, Timestamp};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::journal::{self, Journal};
use store::sessions::SessionStore;
use tracing::warn;

use crate::accounts;
use crate::config::Config;
use crate::pipeline::detect::CONSUMER;

const FILE: &str = "clock.json";
/// A journal that is ahead by less needs no repair: the system clock catches up meanwhile.
const AHEAD_MIN: SignedDuration = SignedDuration::from_mins(1);
/// What somebody says that the time is may be off from the system clock by so much: they read it off another clock and typed it.
const SAID_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Repaired {
    /// Times of records up to here are not believed.
    through: Seq,
    /// When that was found; it is at least that late.
    right: Timestamp,
}

/// The time before which a hub does not start: that of the journal's last record, unless that was written by a clock that has been
/// repaired since.
pub fn floor(dir: &Path, last: Option<(Seq, Timestamp)>) -> Timestamp {
    let Some((seq, received_at)) = last else {
        return Timestamp::UNIX_EPOCH;
    };
    match read(dir) {
        Ok(Some(repaired)) if seq <= repaired.through => repaired.right,
        Ok(_) => received_at,
        Err(e) => {
            // better ahead than back: nothing that was told is taken back
            warn!(error = %e, file = FILE, "a repair of the clock cannot be read and does not count (hint: `gateway clock repair` writes it anew)");
            received_at
        }
    }
}

fn read(dir: &Path) -> std::io::Result<Option<Repaired>> {
    match std::fs::read(dir.join(FILE)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn write(dir: &Path, repaired: Repaired) -> std::io::Result<()> {
    let new = dir.join(format!("{FILE}.new"));
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(&repaired)?)?;
    file.sync_all()?;
    std::fs::rename(&new, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}

/// Says what the clock goes by; the hub may be running.
///
/// # Errors
/// A journal that cannot be read.
pub fn show(config: &Config) -> anyhow::Result<()> {
    let (dir, now) = (&config.data.dir, Timestamp::now());
    let journal = dir.join("journal");
    let last = if journal.is_dir() {
        journal::last(&journal).context("reading the journal")?
    } else {
        None
    };
    println!("system clock        {now:.3}");
    match last {
        Some((seq, at)) => println!("last in the journal {at:.3}, position {seq}"),
        None => println!("last in the journal nothing"),
    }
    if let Some(Repaired { through, right }) = read(dir).context("reading clock.json")? {
        println!("repaired            {right:.3}, for positions up to {through}");
    }
    let floor = floor(dir, last);
    let ahead = floor.duration_since(now);
    println!("a hub that starts   {:.3}", floor.max(now));
    if ahead > AHEAD_MIN {
        println!(
            "the journal is ahead of the system clock by {ahead:#}: a hub goes on from there until the system clock has caught up (hint: if the system clock is right, stop the hub and run `gateway clock repair --it-is TIME`; if it is wrong, set it)"
        );
    }
    Ok(())
}

/// Makes a hub go by the system clock again: what is to come and lies in the future that a wrong clock made is set back by as much as
/// the journal is ahead, and the journal's times up to its end no longer count. `it_is` is what whoever asks says that the time is.
///
/// # Errors
/// A hub that runs, a system clock that is not what they say, records that the hub has not acted on, a state that cannot be written.
/// Run again after an error of the disk, it does what was left.
pub async fn repair(config: &Config, it_is: Timestamp) -> anyhow::Result<()> {
    let dir = &config.data.dir;
    ensure!(
        dir.join("journal").is_dir(),
        "there is no journal in {} (hint: `data.dir`)",
        dir.display()
    );
    // holds the journal until the end: no hub starts meanwhile
    let options = journal::Options {
        segment_bytes: config.journal.segment_bytes,
        reserve_bytes: config.journal.reserve_bytes,
        ..journal::Options::default()
    };
    let (journal, found) =
        Journal::open(&dir.join("journal"), options).context("opening the journal")?;
    let repaired = mend(config, it_is, found.last_seq).await;
    journal.close().await.context("closing the journal")?;
    repaired
}

async fn mend(config: &Config, it_is: Timestamp, through: Seq) -> anyhow::Result<()> {
    let (dir, now) = (&config.data.dir, Timestamp::now());
    let off = now.duration_since(it_is);
    ensure!(
        off.abs() <= SAID_WITHIN,
        "the system clock says {now:.0}, which is {off:#} from what you say (hint: set the system clock first; the time as in 2026-03-01T08:00:00+08:00)"
    );
    let last = journal::last(&dir.join("journal")).context("reading the journal")?;
    let floor = floor(dir, last.map(|(_, at)| (through, at)));
    let ahead = floor.duration_since(now);
    let Some((seq, _)) = last.filter(|_| ahead > AHEAD_MIN) else {
        println!("nothing to repair: a hub that starts goes by the system clock, {now:.0}");
        return Ok(());
    };
    let (_, state) = accounts::open(config).await?;
    let done = async {
        let read = state.cursor(CONSUMER).await?;
        if read < seq {
            bail!(
                "the hub has acted on the journal up to {read}, and it ends at {seq} (hint: start it once more, stop it with SIGTERM, then repair)"
            );
        }
        let rows = state
            .set_back(now, ahead)
            .await
            .context("setting the state back")?;
        anyhow::Ok(rows)
    };
    let done = done.await;
    state.close().await;
    let mut rows = done?;
    let sessions = dir.join("sessions.db");
    if sessions.exists() {
        let mut sessions = SessionStore::open(&sessions, through)?;
        rows += sessions.set_back(now, ahead)?;
    }
    write(
        dir,
        Repaired {
            through,
            right: now,
        },
    )
    .context("writing clock.json")?;
    println!(
        "{rows} rows set back by {ahead:#}; a hub that starts goes by the system clock, {now:.0}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_up_to_the_repair_do_not_count_and_later_ones_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |second| Timestamp::from_second(second).expect("in range");
        let floor = |seq, second| super::floor(dir.path(), Some((Seq(seq), at(second))));
        assert_eq!(super::floor(dir.path(), None), Timestamp::UNIX_EPOCH);
        assert_eq!(floor(7, 9000), at(9000));
        let repaired = Repaired {
            through: Seq(7),
            right: at(100),
        };
        write(dir.path(), repaired).expect("written");
        assert_eq!(read(dir.path()).expect("reads"), Some(repaired));
        assert_eq!(floor(7, 9000), at(100));
        assert_eq!(floor(8, 130), at(130), "written since");
        // one that cannot be read moves nothing back
        std::fs::write(dir.path().join(FILE), "{").expect("written");
        assert_eq!(floor(7, 9000), at(9000));
    }
}
