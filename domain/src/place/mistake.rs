//! What is wrong with the files of a registry, and where each thing stands in them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most mistakes that are listed; a file of another format has one on every line.
pub(super) const LISTED_MAX: usize = 500;

/// One mistake in a registry file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// The file's name as the caller gave it; `registry` where it is in none.
    pub file: String,
    /// Line in the file, counted from 1, where it is on one.
    pub line: Option<usize>,
    /// The column of a table or the field of a TOML file, where it is in one.
    pub column: Option<String>,
    /// What is wrong, and which one.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(column) = &self.column {
            let word = if is_csv(&self.file) {
                "column"
            } else {
                "field"
            };
            write!(f, "{word} `{column}`: ")?;
        }
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RegistryError {}

/// Whether a file is a table, by its name.
pub(super) fn is_csv(file: &str) -> bool {
    file.rsplit_once('.')
        .is_some_and(|(_, ext)| ext.eq_ignore_ascii_case("csv"))
}

/// A thing as messages name it; whom somebody looks for is nobody's business there.
pub(super) fn named(noun: &str, key: &str) -> String {
    if noun == "watched item" {
        "a watched item".to_owned()
    } else {
        format!("{noun} `{key}`")
    }
}

/// A line of a file.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
}

impl Spot {
    /// A mistake here, in a column.
    pub(super) fn mistake(
        &self,
        column: Option<&str>,
        what: String,
        hint: Option<String>,
    ) -> RegistryError {
        RegistryError {
            file: self.file.to_string(),
            line: Some(self.line),
            column: column.map(str::to_owned),
            what,
            hint,
        }
    }
}

/// Where everything stands, by what it is (`zone`) and its key.
#[derive(Debug, Default)]
pub(super) struct Spots(BTreeMap<(&'static str, String), Spot>);

impl Spots {
    pub(super) fn put(&mut self, noun: &'static str, key: String, spot: Spot) {
        self.0.insert((noun, key), spot);
    }

    pub(super) fn get(&self, noun: &'static str, key: &str) -> Option<&Spot> {
        self.0.get(&(noun, key.to_owned()))
    }
}

/// Collects mistakes about things by their nouns and keys.
pub(crate) struct Report<'a> {
    pub(super) spots: &'a Spots,
    pub(super) errors: &'a mut Vec<RegistryError>,
}

impl Report<'_> {
    /// `noun` `key` has something wrong in a column.
    pub(crate) fn note(
        &mut self,
        (noun, key): (&'static str, &str),
        column: &str,
        what: impl fmt::Display,
        hint: Option<String>,
    ) {
        let what = format!("{} {what}", named(noun, key));
        self.errors.push(match self.spots.get(noun, key) {
            Some(spot) => spot.mistake(Some(column), what, hint),
            None => RegistryError {
                file: "registry".to_owned(),
                line: None,
                column: Some(column.to_owned()),
                what,
                hint,
            },
        });
    }
}
