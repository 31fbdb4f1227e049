//! Defaults, file and environment become a configuration; a key that nobody knows is an error that names the nearest one.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::check::check;
use super::{Config, DEFAULTS};

/// Reads defaults, file and environment, in that order of growing weight.
///
/// # Errors
/// A file that cannot be read or parsed, an unknown key (with the nearest known one), a value of the wrong type or out of range.
pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    let defaults = config::File::from_str(DEFAULTS, config::FileFormat::Toml);
    let known = known_keys();
    let mut builder = config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read configuration {}", path.display()))?;
        check_keys(&text, &known)
            .with_context(|| format!("in configuration {}", path.display()))?;
        builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
    }
    let mut environment = config::Environment::with_prefix("JIMING")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("mqtt.ws_origins")
        .with_list_parse_key("http.trusted_proxies")
        .with_list_parse_key("http.second_factor_roles");
    for (name, _) in std::env::vars_os() {
        if let Some(key) = name.to_str().and_then(|n| n.strip_prefix("JIMING__")) {
            let key = key.to_lowercase().replace("__", ".");
            // below it stand names of accounts; what stands below those is checked when it is read
            if key.starts_with("bridges.") {
                if [".formats", ".networks", ".serials", ".fetch"]
                    .iter()
                    .any(|list| key.ends_with(list))
                {
                    environment = environment.with_list_parse_key(&key);
                }
            } else if !known.contains(&key) {
                bail!(
                    "unknown setting `{key}` in the environment{}",
                    hint(&key, &known)
                );
            }
        }
    }
    let config: Config = builder.add_source(environment).build()?.try_deserialize()?;
    check(&config)?;
    Ok(config)
}

/// Every dotted key of the defaults.
fn known_keys() -> Vec<String> {
    let table: toml::Table =
        toml::from_str(DEFAULTS).expect("the embedded defaults parse: a test reads them");
    let mut keys = Vec::new();
    for (section, inner) in &table {
        for key in inner.as_table().into_iter().flat_map(toml::Table::keys) {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys
}

fn check_keys(text: &str, known: &[String]) -> anyhow::Result<()> {
    let table: toml::Table = toml::from_str(text)?;
    for (section, inner) in &table {
        let Some(inner) = inner.as_table() else {
            bail!("unknown key `{section}`{}", hint(section, known))
        };
        // its keys are names of accounts; what stands below them is checked when it is read
        if section == "bridges" {
            continue;
        }
        for key in inner.keys() {
            let dotted = format!("{section}.{key}");
            if !known.contains(&dotted) {
                bail!("unknown key `{dotted}`{}", hint(&dotted, known));
            }
        }
    }
    Ok(())
}

/// ` (hint: did you mean …?)` with the nearest of `known`, or nothing when none is near.
fn hint(word: &str, known: &[String]) -> String {
    let nearest = known.iter().min_by_key(|k| distance(word, k));
    match nearest.filter(|k| distance(word, k) <= 1 + word.len() / 3) {
        Some(near) => format!(" (hint: did you mean `{near}`?)"),
        None => " (hint: `gateway check --print-defaults` lists every key)".to_owned(),
    }
}

/// Levenshtein distance over bytes; keys are short ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(ca != cb))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}
