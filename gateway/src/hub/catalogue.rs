//! What is read from files before a port opens: registry and rules, as configured or as built in.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use domain::Timestamp;
use domain::place::Registry;
use domain::rule::{RuleBook, RuleError, RuleSet};
use tracing::{error, warn};

use crate::config::Config;
use crate::embedded;

/// Configuration, registry or rules are wrong: starting again will not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

impl Misconfigured {
    /// Said in words.
    pub(crate) fn text(text: String) -> Self {
        Self(text)
    }

    /// With the whole chain of what went wrong.
    pub fn new(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

/// What is read from files at a start; others follow the files while the hub runs.
pub struct Catalogue {
    /// Places, people, devices.
    pub registry: Arc<Registry>,
    /// Rules with their conditions.
    pub rules: Arc<RuleSet>,
    /// What the station needs to know of each rule.
    pub book: Arc<RuleBook>,
    /// Mistakes in rule files that the hub runs with all the same.
    pub mistakes: Vec<RuleError>,
}

impl Catalogue {
    /// Reads registry and rules, from the configured directories or as built in.
    ///
    /// # Errors
    /// [`Misconfigured`] with every mistake on a line of its own.
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        let registry = registry(config)?;
        let rules = RuleSet::parse_for(&rule_texts(config)?, &registry)
            .map_err(|errors| Misconfigured(lines("the rules", &errors)))?;
        Ok(Self::of(registry, rules, Vec::new()))
    }

    /// The same for a hub that is to run whatever is wrong with a rule: a bad one rings as it ships, if it ships. Its mistakes
    /// are in [`mistakes`](Self::mistakes).
    ///
    /// # Errors
    /// [`Misconfigured`] when the registry has mistakes or the files cannot be read at all.
    pub fn load_to_run(config: &Config) -> anyhow::Result<Self> {
        let registry = registry(config)?;
        let shipped = folder(Path::new(""), embedded::RULES)?;
        let shipped = RuleSet::parse_lenient(&shipped, &registry, None);
        let files = rule_texts(config)?;
        let lenient = RuleSet::parse_lenient(&files, &registry, Some(&shipped.rules));
        for mistake in &lenient.errors {
            error!(rule.mistake = %mistake, "rule not taken (hint: `gateway rules check` lists all mistakes)");
        }
        Ok(Self::of(registry, lenient.rules, lenient.errors))
    }

    fn of(registry: Registry, rules: RuleSet, mistakes: Vec<RuleError>) -> Self {
        let book = rules.book().clone();
        Self {
            registry: Arc::new(registry),
            rules: Arc::new(rules),
            book: Arc::new(book),
            mistakes,
        }
    }
}

/// The registry of the configured directory, or the one that is built in.
///
/// # Errors
/// [`Misconfigured`] with every mistake on a line of its own.
pub(crate) fn registry(config: &Config) -> anyhow::Result<Registry> {
    let places = folder(&config.registry.dir, embedded::COMPOUND)
        .map_err(|e| unreadable("registry.dir", &e))?;
    let registry = crate::registry::keep::read(&places)
        .map_err(|errors| Misconfigured(lines("the registry", &errors)))?;
    for warning in registry.roster.warnings() {
        warn!(roster.warning = warning, "roster has hours without anybody");
    }
    let calendar = &registry.roster.calendar;
    for warning in calendar.warnings(calendar.day(Timestamp::now())) {
        warn!(roster.warning = warning, "the roster's calendar ends");
    }
    Ok(registry)
}

fn rule_texts(config: &Config) -> anyhow::Result<Vec<(String, String)>> {
    let read = folder(&config.rules.dir, embedded::RULES);
    Ok(read.map_err(|e| unreadable("rules.dir", &e))?)
}

fn unreadable(setting: &str, error: &anyhow::Error) -> Misconfigured {
    Misconfigured(format!("{error:#} (hint: see `{setting}`)"))
}

fn lines(what: &str, errors: &[impl std::fmt::Display]) -> String {
    let list: Vec<_> = errors.iter().map(|e| format!("  {e}")).collect();
    format!("{what} cannot be used:\n{}", list.join("\n"))
}

/// The `*.toml` and `*.csv` files of a directory, sorted by name; with an empty path those that are built in.
pub(crate) fn folder(
    dir: &Path,
    built_in: &[(&str, &str)],
) -> anyhow::Result<Vec<(String, String)>> {
    if dir.as_os_str().is_empty() {
        return Ok(built_in
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect());
    }
    let mut files = Vec::new();
    for path in crate::rules::paths(dir)? {
        let text = std::fs::read(&path)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| crate::registry::text(&bytes))
            .with_context(|| format!("cannot read {}", path.display()))?;
        files.push((path.display().to_string(), text));
    }
    files.sort();
    Ok(files)
}
