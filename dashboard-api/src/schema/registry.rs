//! Tables of the registry, and what a change of one comes to.

use std::collections::BTreeMap;
use std::path::Path;

use domain::place::RegistryError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One table.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableInfo {
    /// `devices`, `zones`, `households`, `people`, `grids`, `rentals`, `watch`.
    pub table: String,
    pub columns: Vec<String>,
    pub rows: u32,
    /// Whether the caller may change it.
    pub may_change: bool,
}

/// A change that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryVersion {
    pub number: i64,
    pub version: String,
    pub at: String,
    /// A log-in name; `hub` for files that somebody changed.
    pub by: String,
    pub act: String,
    pub kind: Option<String>,
    pub added: u32,
    pub changed: u32,
    pub removed: u32,
    /// Whether the table before is still kept.
    pub can_undo: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryOverview {
    pub version: String,
    /// It is the compound that is built in and cannot be changed.
    pub is_built_in: bool,
    /// Longest life of an entry of the watch list from today on, in days.
    pub watch_days_max: u32,
    /// Those that the caller may read.
    pub tables: Vec<TableInfo>,
    /// The newest changes, newest first.
    pub versions: Vec<RegistryVersion>,
}

/// A line of a table.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableRow {
    /// What it is known by in its table.
    pub id: String,
    /// Cells by column; `***` for what the caller may not see.
    pub cells: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TablePage {
    pub table: String,
    pub version: String,
    pub columns: Vec<String>,
    pub items: Vec<TableRow>,
    /// `cursor` of the next page; null on the last.
    pub next: Option<String>,
}

/// A mistake in a table, or in what it would make of the registry.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableMistake {
    /// `table.csv` is what was sent.
    pub file: String,
    pub line: Option<u32>,
    pub column: Option<String>,
    pub what: String,
    pub hint: Option<String>,
}

impl From<&RegistryError> for TableMistake {
    fn from(error: &RegistryError) -> Self {
        // where the folder lies is nobody's business
        let file = Path::new(&error.file).file_name();
        Self {
            file: file.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            line: error.line.and_then(|line| u32::try_from(line).ok()),
            column: error.column.clone(),
            what: error.what.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// A cell that becomes another.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableCell {
    pub column: String,
    pub before: String,
    pub after: String,
}

/// A line that is new or becomes another.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableLine {
    pub key: String,
    /// Where it stands in the table that was sent.
    pub line: Option<u32>,
    /// What becomes another; empty for a new line.
    pub cells: Vec<TableCell>,
}

/// What a change comes to. Lists end after 500; the counts are whole.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOutcome {
    pub table: String,
    /// The version at work now.
    pub version: String,
    /// Whether it is done.
    pub applied: bool,
    pub added: Vec<TableLine>,
    pub changed: Vec<TableLine>,
    /// Keys of lines that go.
    pub removed: Vec<String>,
    pub added_count: u32,
    pub changed_count: u32,
    pub removed_count: u32,
    pub unchanged_count: u32,
    /// Lines in `*.toml` files that stay.
    pub kept_count: u32,
    /// Why it cannot be; nothing is done when there is one.
    pub mistakes: Vec<TableMistake>,
}
