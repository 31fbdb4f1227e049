//! The registry of a running hub: its files are looked at, and what changed goes to everybody at once, without a restart.
//!
//! Another registry is checked as a whole, also against the rules at work, before anybody sees it. With a mistake in it the one
//! before stays, and the hub rings about its own mistakes (`$hub/rules`, rule HUB6) until the files are good again. A file is read
//! when it has looked the same twice: an editor may be half way through.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dashboard_api::keeper::{Content, HIDDEN, KeepError, TableChange, TableChanged, Then};
use domain::Lane;
use domain::place::{Import, Registry, RegistryError, TableKind, masked_watch_key};
use domain::rule::{RuleError, RuleSet};
use jiff::ToSpan as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::journal::Journal;
use store::state::{RegistryChange, State};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::replace;
use crate::adapters;
use crate::clock::Clock;
use crate::config::Config;
use crate::embedded;
use crate::hub::folder;
use crate::rules::{Stamp, stamps};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most mistakes that one note tells; the log has all.
const TOLD_MAX: usize = 5;
/// Longest text of a mistake in it, in characters.
const TOLD_CHARS_MAX: usize = 300;

/// Files of a registry folder: (name, text).
pub(crate) type Files = Vec<(String, String)>;

/// Keeps the registry of a hub.
pub struct Keeper {
    /// The folder; empty: what is built in, which does not change.
    dir: PathBuf,
    rules_dir: PathBuf,
    watch_days_max: u32,
    state: State,
    journal: Journal,
    clock: Clock,
    /// The rules at work.
    rules: watch::Receiver<Arc<RuleSet>>,
    /// One change at a time; holds the version that is at work.
    turn: Mutex<String>,
}

/// What came of reading the files.
enum Taken {
    /// They are what is at work.
    Same,
    /// Another registry is at work.
    New,
    /// They have mistakes.
    Bad,
}

impl Keeper {
    /// Takes note of the registry that the hub starts with: one that somebody changed while it was away is told like any other.
    ///
    /// # Errors
    /// Files that cannot be read, or a state database that cannot be written.
    pub async fn start(
        config: &Config,
        state: State,
        journal: Journal,
        clock: Clock,
        rules: watch::Receiver<Arc<RuleSet>>,
    ) -> anyhow::Result<Self> {
        let keeper = Self {
            dir: config.registry.dir.clone(),
            rules_dir: config.rules.dir.clone(),
            watch_days_max: config.registry.watch_days_max,
            state,
            journal,
            clock,
            rules,
            turn: Mutex::default(),
        };
        let files = keeper.files().await?;
        let version = version(&keeper.dir, &files);
        let now = keeper.clock.now();
        match keeper.state.registry_version().await? {
            None => keeper.state.begin_registry(&version, now).await?,
            Some(before) if before == version => {}
            Some(_) => {
                let change = RegistryChange {
                    version: version.clone(),
                    by: "hub".to_owned(),
                    act: "change_registry",
                    ..RegistryChange::default()
                };
                let registry = keeper.state.registry();
                keeper.state.replace_registry(registry, change, now).await?;
            }
        }
        *keeper.turn.lock().await = version;
        Ok(keeper)
    }

    /// Looks at the files until the hub stops.
    ///
    /// # Errors
    /// Reading files on a blocking thread failed, which is a bug, or a state database that cannot be written.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        if self.dir.as_os_str().is_empty() {
            stop.cancelled().await;
            return Ok(());
        }
        let mut read = self.look().await?;
        let mut seen = read.clone();
        // what changed between the start and the first look
        let mut is_bad = matches!(self.take().await?, Taken::Bad);
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            let now = self.look().await?;
            let is_settled = now == seen;
            seen = now;
            if !is_settled || seen == read {
                continue;
            }
            read.clone_from(&seen);
            let was_bad = is_bad;
            is_bad = matches!(self.take().await?, Taken::Bad);
            if was_bad && !is_bad {
                self.note(&json!({"part": "registry", "level": "ok"})).await;
            }
        }
    }

    /// How the files look; what cannot be looked at looks like its error.
    async fn look(&self) -> anyhow::Result<Result<Vec<Stamp>, String>> {
        let dir = self.dir.clone();
        let looked = tokio::task::spawn_blocking(move || stamps(&dir)).await?;
        Ok(looked.map_err(|e| format!("{e:#}")))
    }

    /// Reads the files and puts what is good to work.
    async fn take(&self) -> anyhow::Result<Taken> {
        let mut at_work = self.turn.lock().await;
        let files = match self.files().await {
            Ok(files) => files,
            Err(e) => {
                error!(
                    error = format!("{e:#}"),
                    "registry files not read, the registry before stays"
                );
                self.tell(&[format!("{e:#}")]).await;
                return Ok(Taken::Bad);
            }
        };
        let version = version(&self.dir, &files);
        if *at_work == version {
            return Ok(Taken::Same);
        }
        let registry = match self.check(files).await? {
            Ok(registry) => registry,
            Err(mistakes) => {
                let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                for mistake in &told {
                    error!(
                        registry.mistake = mistake,
                        "registry not taken, the one before stays (hint: `gateway check` lists all mistakes)"
                    );
                }
                self.tell(&told).await;
                return Ok(Taken::Bad);
            }
        };
        let change = RegistryChange {
            version: version.clone(),
            by: "hub".to_owned(),
            act: "change_registry",
            lines: registry.lines_since(&self.state.registry()),
            ..RegistryChange::default()
        };
        self.put(registry, change).await?;
        *at_work = version;
        Ok(Taken::New)
    }

    /// Does what a person wants of a table, or says what would come of it.
    async fn change(&self, wanted: TableChange, then: Then) -> Result<TableChanged, KeepError> {
        let failed = |e: anyhow::Error| KeepError::Internal(format!("{e:#}"));
        if then == Then::Apply && self.dir.as_os_str().is_empty() {
            return Err(KeepError::BuiltIn);
        }
        let mut at_work = self.turn.lock().await;
        let stale = |version: &str| KeepError::Stale {
            version: version.to_owned(),
        };
        if wanted.expected.as_ref().is_some_and(|v| *v != *at_work) {
            return Err(stale(&at_work));
        }
        let mut files = self.files().await.map_err(failed)?;
        if version(&self.dir, &files) != *at_work {
            // somebody is at the files, and the next look takes them
            return Err(stale(&at_work));
        }
        let registry = self.state.registry();
        let (kind, by_hand) = (wanted.kind, matches!(wanted.content, Content::Whole(_)));
        let name = if by_hand { "table.csv" } else { "form.csv" };
        let text = whole(&registry, kind, wanted.content);
        let planned = {
            let files = files.clone();
            tokio::task::spawn_blocking(move || Import::plan(&files, kind, name, &text)).await
        };
        let planned = planned.map_err(|e| KeepError::Internal(e.to_string()))?;
        let import = planned.map_err(KeepError::Mistakes)?;
        let target = import.file.clone().unwrap_or_else(|| {
            let file = self.dir.join(format!("{kind}.csv"));
            file.display().to_string()
        });
        let held = files.iter_mut().find(|(file, _)| *file == target);
        let before = if let Some((_, text)) = held {
            std::mem::replace(text, import.text.clone())
        } else {
            files.push((target.clone(), import.text.clone()));
            files.sort();
            Registry::default().export(kind)
        };
        let after = version(&self.dir, &files);
        let checked = self.check(files).await.map_err(failed)?;
        let registry = checked.map_err(KeepError::Mistakes)?;
        if kind == TableKind::Watch {
            let mistakes = self.too_long(&registry, &import);
            if !mistakes.is_empty() {
                return Err(KeepError::Mistakes(mistakes));
            }
        }
        if then == Then::Apply && !import.is_nothing() {
            let text = import.text.clone();
            let write = move || {
                let written = replace(Path::new(&target), &text);
                written.with_context(|| format!("cannot write {target}"))
            };
            let written = tokio::task::spawn_blocking(write).await;
            written
                .map_err(|e| KeepError::Internal(e.to_string()))?
                .map_err(failed)?;
            let count = |list: usize| u32::try_from(list).unwrap_or(u32::MAX);
            let change = RegistryChange {
                version: after.clone(),
                by: wanted.by.to_string(),
                act: wanted.act,
                kind: Some(kind.as_str().to_owned()),
                lines: [
                    count(import.added.len()),
                    count(import.changed.len()),
                    count(import.removed.len()),
                ],
                before: Some(before),
                note: note(kind, wanted.note, &import),
            };
            self.put(registry, change).await.map_err(failed)?;
            *at_work = after;
        }
        Ok(TableChanged {
            import,
            version: at_work.clone(),
        })
    }

    /// What somebody wants to watch for longer than the station may.
    fn too_long(&self, registry: &Registry, import: &Import) -> Vec<RegistryError> {
        let today = registry.roster.calendar.day(self.clock.now());
        let last = today.checked_add(i64::from(self.watch_days_max).days());
        let last = last.unwrap_or(jiff::civil::Date::MAX);
        let touched = import.added.iter();
        let touched = touched.chain(import.changed.iter().map(|changed| &changed.key));
        let late = touched.filter(|key| {
            registry
                .watch
                .get(*key)
                .is_some_and(|e| e.expires_on > last)
        });
        late.map(|key| RegistryError {
            file: "table.csv".to_owned(),
            line: import.lines.get(key).copied(),
            column: Some("expires_on".to_owned()),
            what: format!("later than {last}, in {} days", self.watch_days_max),
            hint: Some("renew the entry then; `registry.watch_days_max` is the limit".to_owned()),
        })
        .collect()
    }

    /// Puts a registry that has been checked to work.
    async fn put(&self, registry: Registry, change: RegistryChange) -> anyhow::Result<()> {
        let [added, changed, removed] = change.lines;
        info!(
            registry.version = change.version,
            registry.added = added,
            registry.changed = changed,
            registry.removed = removed,
            "registry changed"
        );
        let now = self.clock.now();
        let put = self.state.replace_registry(Arc::new(registry), change, now);
        put.await.context("writing who changed the registry")?;
        metrics::counter!("hub_registry_reloads_total").increment(1);
        Ok(())
    }

    async fn files(&self) -> anyhow::Result<Files> {
        let dir = self.dir.clone();
        tokio::task::spawn_blocking(move || folder(&dir, embedded::COMPOUND)).await?
    }

    /// A registry of these texts, if nothing is wrong with it and the rules at work can go on with it.
    async fn check(&self, files: Files) -> anyhow::Result<Result<Registry, Vec<RegistryError>>> {
        let (rules_dir, at_work) = (self.rules_dir.clone(), Arc::clone(&self.rules.borrow()));
        let before = self.state.registry();
        let check = move || {
            let registry = match read(&files) {
                Ok(registry) => registry,
                Err(mistakes) => return Ok(Err(mistakes)),
            };
            let mut departments = before.departments.keys();
            if departments.all(|id| registry.departments.contains_key(id)) {
                return Ok(Ok(registry));
            }
            // a department is gone: whom would its rules call?
            let rules = folder(&rules_dir, embedded::RULES)?;
            let was = RuleSet::parse_lenient(&rules, &before, Some(&at_work)).errors;
            let is = RuleSet::parse_lenient(&rules, &registry, Some(&at_work)).errors;
            let new: Vec<_> = is.into_iter().filter(|e| !was.contains(e)).collect();
            Ok(if new.is_empty() {
                Ok(registry)
            } else {
                Err(new.into_iter().map(of_rule).collect())
            })
        };
        tokio::task::spawn_blocking(check).await?
    }

    async fn tell(&self, mistakes: &[String]) {
        let cut = |mistake: &String| mistake.chars().take(TOLD_CHARS_MAX).collect::<String>();
        let first: Vec<String> = mistakes.iter().take(TOLD_MAX).map(cut).collect();
        self.note(&json!({
            "part": "registry", "level": "mistakes", "mistakes": mistakes.len(), "first": first.join("; "), "kept": "registry", "missing": "",
        }))
        .await;
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

#[async_trait::async_trait]
impl dashboard_api::keeper::Keeper for Keeper {
    async fn version(&self) -> String {
        self.turn.lock().await.clone()
    }

    fn is_built_in(&self) -> bool {
        self.dir.as_os_str().is_empty()
    }

    fn watch_days_max(&self) -> u32 {
        self.watch_days_max
    }

    async fn change(&self, wanted: TableChange, then: Then) -> Result<TableChanged, KeepError> {
        Self::change(self, wanted, then).await
    }
}

/// Why it was done, and of what is watched also which, as far as everybody may know it.
fn note(kind: TableKind, note: Option<String>, import: &Import) -> Option<String> {
    if kind != TableKind::Watch {
        return note;
    }
    let start = |key: &String| masked_watch_key(key);
    let list = |keys: &mut dyn Iterator<Item = &String>| {
        keys.take(TOLD_MAX).map(start).collect::<Vec<_>>().join(" ")
    };
    let mut parts: Vec<String> = note.into_iter().collect();
    for (sign, keys) in [
        ('+', list(&mut import.added.iter())),
        ('~', list(&mut import.changed.iter().map(|c| &c.key))),
        ('-', list(&mut import.removed.iter())),
    ] {
        if !keys.is_empty() {
            parts.push(format!("{sign} {keys}"));
        }
    }
    Some(parts.join("; "))
}

/// The table that is wanted, as a whole; a contact that was hidden from whoever wants it is as it was.
fn whole(registry: &Registry, kind: TableKind, content: Content) -> String {
    let text = match content {
        Content::Lines { put, remove } => registry.table_with(kind, &put, &remove),
        Content::Whole(text) => text,
    };
    if !text.contains(HIDDEN) || !kind.columns().contains(&"contact") {
        return text;
    }
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let Ok(header) = reader.headers().cloned() else {
        return text;
    };
    let at = |name: &str| header.iter().position(|column| column.trim() == name);
    let (Some(id), Some(contact)) = (at("id"), at("contact")) else {
        return text;
    };
    let known: std::collections::HashMap<_, _> = registry.rows(kind).into_iter().collect();
    // line by line, so that mistakes name the lines of the table as it came
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for record in reader.records().flatten() {
        if record.get(contact).map(str::trim) != Some(HIDDEN) {
            continue;
        }
        let held = record
            .get(id)
            .and_then(|id| known.get(id.trim())?.get("contact"));
        let cells = record.iter().enumerate().map(|(index, cell)| {
            if index == contact {
                held.map_or("", String::as_str)
            } else {
                cell
            }
        });
        let mut writer = csv::Writer::from_writer(Vec::new());
        let line = record
            .position()
            .and_then(|p| usize::try_from(p.line()).ok());
        let written = writer.write_record(cells).is_ok();
        if let (true, Some(line), Ok(bytes)) = (written, line, writer.into_inner())
            && let Some(slot) = lines.get_mut(line - 1)
        {
            String::from_utf8_lossy(&bytes).trim_end().clone_into(slot);
        }
    }
    lines.join("\n")
}

/// Parses and checks the texts of a registry folder.
///
/// # Errors
/// Every mistake found.
pub(crate) fn read(files: &[(String, String)]) -> Result<Registry, Vec<RegistryError>> {
    let registry = Registry::from_files(files.iter().map(|(n, t)| (n.as_str(), t.as_str())))?;
    let zone = registry
        .community
        .as_ref()
        .map_or("UTC", |c| c.time_zone.as_str());
    if domain::rule::time_zone(zone).is_none() {
        return Err(vec![RegistryError {
            file: "registry".to_owned(),
            line: None,
            column: None,
            what: format!("unknown `time_zone` `{zone}`"),
            hint: Some("an IANA name such as Asia/Shanghai".to_owned()),
        }]);
    }
    Ok(registry)
}

/// A rule that cannot be used with a registry is that registry's mistake.
fn of_rule(error: RuleError) -> RegistryError {
    let rule = error
        .rule
        .map_or_else(String::new, |id| format!("rule {id}: "));
    RegistryError {
        file: error.file,
        line: Some(error.line),
        column: Some(error.field).filter(|field| !field.is_empty()),
        what: format!("{rule}{}", error.what),
        hint: error.hint,
    }
}

/// A word that is another for every other content of the folder.
fn version(dir: &Path, files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        let name = Path::new(name);
        let name = name.strip_prefix(dir).unwrap_or(name).to_string_lossy();
        for part in [name.as_bytes(), text.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(&hash.finalize()[..8])
}
