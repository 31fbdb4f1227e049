//! Rule files are looked at while the hub runs; what changed goes to the detector and the screens without a restart.
//!
//! Good rules are taken, a bad one and one that does not do what its own cases say keep their last good version, and the hub rings
//! about its own mistakes (`$hub/rules`, rule HUB6) until the files are good again. A file is read when it has looked the same twice:
//! an editor may be half way through. At a start every rule that can be read runs, and cases are run beside it: wrongly is better
//! than not at all, where nobody knows an earlier version.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::place::Registry;
use domain::rule::{Lenient, RuleBook, RuleError, RuleSet};
use domain::{Lane, RuleId};
use serde_json::json;
use store::journal::Journal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::files::{Stamp, stamps};
use crate::adapters;
use crate::clock::Clock;
use crate::embedded;
use crate::hub::folder;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most mistakes that one note tells; the log has all.
const TOLD_MAX: usize = 5;

/// Longest text of a mistake in it, in characters.
const TOLD_CHARS_MAX: usize = 300;

/// Follows a directory of rule files.
pub struct Follow {
    /// The directory; empty: what is built in, which does not change.
    pub dir: PathBuf,
    /// What rules are checked against.
    pub registry: watch::Receiver<Arc<Registry>>,
    /// Where the hub tells of mistakes.
    pub journal: Journal,
    /// The hub's clock.
    pub clock: Clock,
    /// To the detector.
    pub rules: watch::Sender<Arc<RuleSet>>,
    /// To the screens.
    pub book: watch::Sender<Arc<RuleBook>>,
}

impl Follow {
    /// Looks until the hub stops. `first` are the mistakes that were found at the start.
    ///
    /// # Errors
    /// Reading files on a blocking thread failed: a bug.
    pub async fn run(
        mut self,
        mut first: Vec<RuleError>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let is_built_in = self.dir.as_os_str().is_empty();
        let mut read = self.look().await?;
        // what ships was tried before it shipped
        if !is_built_in && !self.is_as_shipped().await? {
            let rules = Arc::clone(&self.rules.borrow());
            let failed = tokio::task::spawn_blocking(move || rules.self_test()).await?;
            for failure in failed {
                error!(rule.mistake = %failure, "rule does not do what its case says (hint: `gateway rules test` runs all cases)");
                first.push(failure.into());
            }
        }
        let mut is_bad = !first.is_empty();
        if is_bad {
            let told: Vec<String> = first.iter().map(ToString::to_string).collect();
            self.tell(&told, &[], &[]).await;
        }
        if is_built_in {
            stop.cancelled().await;
            return Ok(());
        }
        let mut seen = read.clone();
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
                Ok(()) = self.registry.changed() => {
                    // a rule may name a department that is new
                    is_bad = self.take(is_bad).await?;
                    continue;
                }
            }
            let now = self.look().await?;
            let is_settled = now == seen;
            seen = now;
            if !is_settled || seen == read {
                continue;
            }
            read.clone_from(&seen);
            is_bad = self.take(is_bad).await?;
        }
    }

    /// Whether the files say what the built-in ones say.
    async fn is_as_shipped(&self) -> anyhow::Result<bool> {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || folder(&dir, embedded::RULES)).await?;
        let files = read.unwrap_or_default();
        let texts: BTreeSet<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
        Ok(texts == embedded::RULES.iter().map(|(_, text)| *text).collect())
    }

    /// How the files look; what cannot be looked at looks like its error.
    async fn look(&self) -> anyhow::Result<Result<Vec<Stamp>, String>> {
        let dir = self.dir.clone();
        let looked = tokio::task::spawn_blocking(move || stamps(&dir)).await?;
        Ok(looked.map_err(|e| format!("{e:#}")))
    }

    /// Reads the files and takes what is good; says whether something is bad.
    async fn take(&self, was_bad: bool) -> anyhow::Result<bool> {
        let dir = self.dir.clone();
        let registry = Arc::clone(&self.registry.borrow());
        let before = Arc::clone(&self.rules.borrow());
        let read = tokio::task::spawn_blocking(move || {
            let files = folder(&dir, embedded::RULES)?;
            let read = RuleSet::parse_lenient(&files, &registry, Some(&before));
            anyhow::Ok(read.proven(&before))
        });
        let Lenient {
            rules,
            errors,
            kept,
            missing,
        } = match read.await? {
            Ok(lenient) => lenient,
            Err(e) => {
                error!(
                    error = format!("{e:#}"),
                    "rule files not read, the last good rules go on"
                );
                self.tell(&[format!("{e:#}")], &[], &[]).await;
                return Ok(true);
            }
        };
        for mistake in &errors {
            error!(rule.mistake = %mistake, "rule not taken (hint: `gateway rules check` lists all mistakes, `gateway rules test` runs all cases)");
        }
        let rules = Arc::new(rules);
        info!(
            rules.count = rules.rules().len(),
            rules.mistakes = errors.len(),
            "rule files read again"
        );
        self.book.send_replace(Arc::new(rules.book().clone()));
        self.rules.send_replace(rules);
        metrics::counter!("hub_rules_reloads_total").increment(1);
        if errors.is_empty() {
            if was_bad {
                self.note(&json!({"level": "ok"})).await;
            }
            return Ok(false);
        }
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        self.tell(&told, &kept, &missing).await;
        Ok(true)
    }

    async fn tell(&self, mistakes: &[String], kept: &[RuleId], missing: &[RuleId]) {
        let list = |ids: &[RuleId]| {
            let ids: Vec<&str> = ids.iter().map(RuleId::as_str).collect();
            ids.join(" ")
        };
        let cut = |mistake: &String| mistake.chars().take(TOLD_CHARS_MAX).collect::<String>();
        let first: Vec<String> = mistakes.iter().take(TOLD_MAX).map(cut).collect();
        self.note(&json!({
            "level": "mistakes", "mistakes": mistakes.len(), "first": first.join("; "), "kept": list(kept), "missing": list(missing),
        }))
        .await;
    }

    async fn note(&self, payload: &serde_json::Value) {
        let payload = payload.to_string().into_bytes();
        let note = adapters::hub::note(
            self.clock.now(),
            adapters::hub::RULES.to_owned(),
            0,
            payload,
        );
        if let Err(e) = self.journal.append(Lane::Alarm, note).await {
            debug!(error = %e, "note not journalled");
        }
    }
}
