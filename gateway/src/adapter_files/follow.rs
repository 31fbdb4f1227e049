//! Adapter files are looked at while the hub runs, as rule files are: a good one is taken without a restart, once it has looked the same twice
//! and its tests have passed; a bad one keeps its last good version, and the hub rings about it (`$hub/rules`, rule HUB6) until it is good.
//! So it does about an adapter that was switched off because its program does not come to an end.

use std::path::PathBuf;
use std::time::Duration;

use domain::Lane;
use serde_json::json;
use store::journal::Journal;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::read::{Read, here, read};
use crate::adapters::declarative::file::Mistake;
use crate::adapters::{self, Format as _, Formats};
use crate::clock::Clock;
use crate::rules::{Stamp, stamps};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most mistakes that one note tells; the log has all.
const TOLD_MAX: usize = 5;
/// Longest text of a mistake in it, in characters.
const TOLD_CHARS_MAX: usize = 300;

/// Follows a directory of adapter files.
pub struct Follow {
    /// The directory; empty: what is built in, which does not change.
    pub dir: PathBuf,
    /// Who reads with them.
    pub formats: Formats,
    /// Where the hub tells of mistakes.
    pub journal: Journal,
    /// The hub's clock.
    pub clock: Clock,
}

impl Follow {
    /// Looks until the hub stops. `mistakes` are those that were found at the start.
    ///
    /// # Errors
    /// Reading files on a blocking thread failed: a bug.
    pub async fn run(
        self,
        mut mistakes: Vec<Mistake>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut read = self.look().await?;
        let mut seen = read.clone();
        let mut told = Vec::new();
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            told = self.tell(&mistakes, told).await;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            let now = self.look().await?;
            let is_settled = now == seen;
            seen = now;
            if is_settled && seen != read {
                read.clone_from(&seen);
                mistakes = self.take().await?;
            }
        }
    }

    /// How the files look; what cannot be looked at looks like its error.
    async fn look(&self) -> anyhow::Result<Result<Vec<Stamp>, String>> {
        if self.dir.as_os_str().is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let dir = self.dir.clone();
        let looked = tokio::task::spawn_blocking(move || stamps(&dir)).await?;
        Ok(looked.map_err(|e| format!("{e:#}")))
    }

    /// Reads the files and takes what is good.
    async fn take(&self) -> anyhow::Result<Vec<Mistake>> {
        let (dir, before) = (self.dir.clone(), self.formats.now());
        let taken = tokio::task::spawn_blocking(move || read(&dir, &here(), Some(&before)));
        let Read { set, mistakes } = taken.await?;
        for mistake in &mistakes {
            error!(adapter.mistake = %mistake, "adapter file not taken, its last good version goes on if there is one (hint: `gateway adapter test FILE`)");
        }
        info!(
            adapters.count = set.own.len(),
            adapters.mistakes = mistakes.len(),
            "adapter files read again"
        );
        self.formats.replace(set);
        metrics::counter!("hub_adapter_reloads_total").increment(1);
        Ok(mistakes)
    }

    /// Tells what is wrong, when that is something else than before.
    async fn tell(&self, mistakes: &[Mistake], told: Vec<String>) -> Vec<String> {
        let mut wrong: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let set = self.formats.now();
        let declared = set.own.iter().chain(&set.shipped);
        let off = declared.filter(|declared| declared.is_off());
        let off: Vec<&str> = off.map(|declared| declared.name()).collect();
        wrong.extend(off.iter().map(|name| {
            format!("adapter `{name}` is switched off: its program did not come to an end")
        }));
        if wrong == told {
            return told;
        }
        if wrong.is_empty() {
            self.note(&json!({"part": "adapters", "level": "ok"})).await;
            return wrong;
        }
        let cut = |what: &String| what.chars().take(TOLD_CHARS_MAX).collect::<String>();
        let first: Vec<String> = wrong.iter().take(TOLD_MAX).map(cut).collect();
        let mut missing = set.refused.clone();
        missing.extend(off.into_iter().map(str::to_owned));
        self.note(&json!({
            "part": "adapters", "level": "mistakes", "mistakes": wrong.len(), "first": first.join("; "), "kept": "",
            "missing": missing.join(" "),
        }))
        .await;
        wrong
    }

    async fn note(&self, payload: &serde_json::Value) {
        let payload = payload.to_string().into_bytes();
        let topic = adapters::hub::RULES.to_owned();
        let note = adapters::hub::note(self.clock.now(), topic, 0, payload);
        if let Err(e) = self.journal.append(Lane::Alarm, note).await {
            debug!(error = %e, "note not journalled");
        }
    }
}
