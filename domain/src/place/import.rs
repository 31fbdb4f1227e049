//! What a table from a spreadsheet would change, before anything is written.
//!
//! The table is the whole list of its kind. What a `*.toml` file holds stays there: a line that says the same is left out of
//! what is written, one that says something else is a mistake, because two files would then disagree.

use std::collections::{BTreeMap, BTreeSet};

use super::load::Loader;
use super::mistake::{LISTED_MAX, RegistryError, is_csv};
use super::table::{self, Lines, TableKind};

/// An import that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The file of the folder that holds the kind, as the caller named it; nothing: a new one.
    pub file: Option<String>,
    /// What it holds afterwards.
    pub text: String,
    /// Keys that are new.
    pub added: Vec<String>,
    /// Keys whose line is another, each with the columns that change.
    pub changed: Vec<Changed>,
    /// Keys that are no longer there.
    pub removed: Vec<String>,
    /// How many lines stay as they are.
    pub unchanged: usize,
    /// Keys that are in `*.toml` files and not in the table: they stay.
    pub kept: Vec<String>,
    /// On which line of the table a key stands.
    pub lines: BTreeMap<String, usize>,
}

/// A line that is another after the import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What it is known by.
    pub key: String,
    /// Columns that change, with the cell before and after.
    pub columns: Vec<(&'static str, String, String)>,
}

impl Import {
    /// Checks a table against a registry folder, given as (file name, text).
    ///
    /// # Errors
    /// Every mistake of the table, of what it would make of the folder, and of the folder itself.
    pub fn plan(
        files: &[(String, String)],
        kind: TableKind,
        name: &str,
        text: &str,
    ) -> Result<Self, Vec<RegistryError>> {
        let tables: Vec<_> = files
            .iter()
            .filter(|(file, _)| is_csv(file) && TableKind::of_file(file) == kind)
            .collect();
        let target = match tables[..] {
            [] => None,
            [one] => Some(one),
            [first, second, ..] => {
                return Err(vec![RegistryError {
                    file: second.0.clone(),
                    line: None,
                    column: None,
                    what: format!("{kind} are in more than one table, also in {}", first.0),
                    hint: Some(format!("put them all into {kind}.csv, then import")),
                }]);
            }
        };
        let mut loader = Loader::default();
        for (file, text) in files {
            if target.is_none_or(|(t, _)| t != file) {
                loader.add(file, text);
            }
        }
        let held = table::lines(&loader.registry, kind);
        let mut fresh = Loader::default();
        fresh.add_table(kind, name, text, &BTreeSet::new());
        let mut wanted = table::lines(&fresh.registry, kind);
        let mut errors = Vec::new();
        let mut same = BTreeSet::new();
        for (key, line) in &wanted {
            let Some(there) = held.get(key) else { continue };
            let column = differences(kind, there, line).first().map(|d| d.0);
            match column {
                None => _ = same.insert(key.clone()),
                Some(column) => {
                    let noun = kind.noun();
                    let spots = (fresh.spots.get(noun, key), loader.spots.get(noun, key));
                    let (Some(here), Some(there)) = spots else {
                        continue;
                    };
                    let what = format!(
                        "{} says something else than {}:{}",
                        super::mistake::named(noun, key),
                        there.file,
                        there.line
                    );
                    let hint = "change it there, or take it out of there".to_owned();
                    errors.push(here.mistake(Some(column), what, Some(hint)));
                }
            }
        }
        wanted.retain(|key, _| !same.contains(key));
        // what is wrong inside the table has been found already
        let before = loader.errors.len();
        loader.add_table(kind, name, text, &held.keys().cloned().collect());
        loader.errors.truncate(before);
        loader.errors.append(&mut fresh.errors);
        loader.errors.append(&mut errors);
        if loader.errors.is_empty() {
            loader.check();
        }
        if !loader.errors.is_empty() {
            loader.errors.truncate(LISTED_MAX);
            return Err(loader.errors);
        }
        let before = match target {
            None => Lines::new(),
            Some((file, text)) => {
                let mut old = Loader::default();
                old.add(file, text);
                table::lines(&old.registry, kind)
            }
        };
        let kept = held.into_keys().filter(|key| !same.contains(key)).collect();
        let mut import = Self::of(kind, target, &before, &wanted, kept);
        let spots = wanted.keys().filter_map(|key| {
            let spot = fresh.spots.get(kind.noun(), key)?;
            Some((key.clone(), spot.line))
        });
        import.lines = spots.collect();
        Ok(import)
    }

    fn of(
        kind: TableKind,
        target: Option<&(String, String)>,
        before: &Lines,
        after: &Lines,
        kept: Vec<String>,
    ) -> Self {
        let mut import = Self {
            file: target.map(|(file, _)| file.clone()),
            text: target.map_or_else(String::new, |(_, text)| remarks(text)),
            added: Vec::new(),
            changed: Vec::new(),
            removed: before
                .keys()
                .filter(|key| !after.contains_key(*key))
                .cloned()
                .collect(),
            unchanged: 0,
            kept,
            lines: BTreeMap::new(),
        };
        for (key, line) in after {
            match before.get(key) {
                None => import.added.push(key.clone()),
                Some(old) if old == line => import.unchanged += 1,
                Some(old) => import.changed.push(Changed {
                    key: key.clone(),
                    columns: differences(kind, old, line),
                }),
            }
        }
        import.text.push_str(&table::write(kind, after.values()));
        import
    }

    /// Whether the folder would be as it was.
    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

fn differences(
    kind: TableKind,
    before: &[String],
    after: &[String],
) -> Vec<(&'static str, String, String)> {
    kind.columns()
        .into_iter()
        .zip(before.iter().zip(after))
        .filter(|(_, (old, new))| old != new)
        .map(|(column, (old, new))| (column, old.clone(), new.clone()))
        .collect()
}

/// The lines of remarks above a table.
fn remarks(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}
