//! Tables: the parts of a registry that people keep in a spreadsheet, as CSV with a line of column names.
//!
//! Each kind has a file name (`households.csv`, or `households-NAME.csv`), columns, and a way to and from a line of cells.
//! Reading lists every bad cell of every line. Cells are safe to open in a spreadsheet: what it would take for a formula has
//! an apostrophe before it, and loses it when it is read again.

mod records;
mod row;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub(super) use row::{Column, Row, read};

use super::mistake::{RegistryError, Spot};
use super::{Device, Grid, Household, Person, Registry, Rental, WatchEntry, Zone, watch_key};
use crate::event::UnknownWord;
use crate::privacy::Personal;

/// What stands one a line in a table, and is known by a key.
pub(super) trait Record: Sized {
    /// What one of it is called in messages.
    const NOUN: &'static str;
    /// The columns, in the order in which they are written.
    const COLUMNS: &'static [Column];

    /// What it is known by; unique over all files.
    fn key(&self) -> String;
    /// From a line; what is wrong with it has been noted.
    fn read(row: &mut Row<'_>) -> Option<Self>;
    /// To a line, in the order of [`Record::COLUMNS`].
    fn write(&self) -> Vec<String>;
}

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableKind {
    /// `devices.csv`.
    Devices,
    /// `zones.csv`.
    Zones,
    /// `households.csv`.
    Households,
    /// `people.csv`.
    People,
    /// `grids.csv`.
    Grids,
    /// `rentals.csv`.
    Rentals,
    /// `watch.csv`.
    Watch,
}

impl TableKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Devices,
        Self::Zones,
        Self::Households,
        Self::People,
        Self::Grids,
        Self::Rentals,
        Self::Watch,
    ];

    /// The word of the command line and of file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Zones => "zones",
            Self::Households => "households",
            Self::People => "people",
            Self::Grids => "grids",
            Self::Rentals => "rentals",
            Self::Watch => "watch",
        }
    }

    /// The kind of a table by the name of its file, which may have folders before it: `zones.csv`, `zones-q1.csv`. Any other
    /// name is a list of devices.
    pub fn of_file(name: &str) -> Self {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let stem = name.split(['.', '-']).next().unwrap_or(name);
        stem.to_ascii_lowercase().parse().unwrap_or(Self::Devices)
    }

    /// The names of the columns, as they are written.
    pub fn columns(self) -> Vec<&'static str> {
        let columns = match self {
            Self::Devices => Device::COLUMNS,
            Self::Zones => Zone::COLUMNS,
            Self::Households => Household::COLUMNS,
            Self::People => Person::COLUMNS,
            Self::Grids => Grid::COLUMNS,
            Self::Rentals => Rental::COLUMNS,
            Self::Watch => WatchEntry::COLUMNS,
        };
        columns.iter().map(|c| c.name).collect()
    }

    /// What one of it is called in messages.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Devices => Device::NOUN,
            Self::Zones => Zone::NOUN,
            Self::Households => Household::NOUN,
            Self::People => Person::NOUN,
            Self::Grids => Grid::NOUN,
            Self::Rentals => Rental::NOUN,
            Self::Watch => WatchEntry::NOUN,
        }
    }
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TableKind {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord::new("kind of table", text))
    }
}

/// Lines by key, in the order of keys, each as it is written.
pub(super) type Lines = BTreeMap<String, Vec<String>>;

/// Everything of a kind.
pub(super) fn lines(registry: &Registry, kind: TableKind) -> Lines {
    fn all<'a, T: Record + 'a>(items: impl IntoIterator<Item = &'a T>) -> Lines {
        let line = |item: &T| (item.key(), item.write());
        items.into_iter().map(line).collect()
    }
    match kind {
        TableKind::Devices => all(registry.devices.values()),
        TableKind::Zones => all(registry.zones.values()),
        TableKind::Households => all(registry.households.values()),
        TableKind::People => all(registry.people.values()),
        TableKind::Grids => all(registry.grids.values()),
        TableKind::Rentals => all(registry.rentals.values().flatten()),
        TableKind::Watch => all(registry.watch.values()),
    }
}

/// Writes lines with the column names above them.
pub(super) fn write<'a>(
    kind: TableKind,
    lines: impl IntoIterator<Item = &'a Vec<String>>,
) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    let mut put = |cells: &mut dyn Iterator<Item = String>| {
        writer
            .write_record(cells)
            .expect("writing to memory does not fail, and every line has all columns");
    };
    put(&mut kind.columns().into_iter().map(str::to_owned));
    for line in lines {
        put(&mut line.iter().map(|cell| row::safe(cell)));
    }
    let bytes = writer.into_inner().expect("memory takes what is left");
    String::from_utf8(bytes).expect("every cell is text")
}

impl Registry {
    /// How many lines of all tables are new, other and gone since an earlier registry.
    pub fn lines_since(&self, before: &Self) -> [u32; 3] {
        let mut counts = [0; 3];
        for kind in TableKind::ALL {
            let (old, new) = (lines(before, kind), lines(self, kind));
            for (key, line) in &new {
                match old.get(key) {
                    None => counts[0] += 1,
                    Some(was) if was != line => counts[1] += 1,
                    Some(_) => {}
                }
            }
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            counts[2] += u32::try_from(gone.count()).unwrap_or(u32::MAX);
        }
        counts
    }

    /// Everything of a kind as a table, in the order of ids.
    pub fn export(&self, kind: TableKind) -> String {
        write(kind, lines(self, kind).values())
    }
}

/// Cells by the name of their column.
pub type Cells = BTreeMap<String, String>;

impl Registry {
    /// Everything of a kind, each with its key and its cells, in the order of keys.
    pub fn rows(&self, kind: TableKind) -> Vec<(String, Cells)> {
        let names = kind.columns();
        let cells = |line: Vec<String>| names.iter().map(|n| (*n).to_owned()).zip(line).collect();
        let rows = lines(self, kind).into_iter();
        rows.map(|(key, line)| (key, cells(line))).collect()
    }

    /// The whole table of a kind in which some lines are others: a cell that is not given stays as it is, and is empty on a new
    /// line. Keys that are not there are removed from nowhere.
    pub fn table_with(&self, kind: TableKind, put: &[Cells], remove: &[String]) -> String {
        let mut rows: BTreeMap<String, Cells> = self.rows(kind).into_iter().collect();
        for key in remove {
            rows.remove(key);
        }
        for (number, cells) in put.iter().enumerate() {
            // a line without its key is a mistake that the reading tells
            let key = key_of(kind, cells).unwrap_or_else(|| format!("~{number}"));
            rows.entry(key).or_default().extend(cells.clone());
        }
        Self::table(kind, rows.values())
    }

    /// A table of these lines.
    pub fn table<'a>(kind: TableKind, rows: impl IntoIterator<Item = &'a Cells>) -> String {
        let columns = kind.columns();
        let line = |cells: &Cells| -> Vec<String> {
            let cell = |name: &&str| cells.get(*name).cloned().unwrap_or_default();
            columns.iter().map(cell).collect()
        };
        let written: Vec<Vec<String>> = rows.into_iter().map(line).collect();
        write(kind, &written)
    }
}

/// What a line is known by, from its cells.
fn key_of(kind: TableKind, cells: &Cells) -> Option<String> {
    let cell = |name: &str| Some(cells.get(name)?.trim().to_owned()).filter(|c| !c.is_empty());
    match kind {
        TableKind::Devices
        | TableKind::Zones
        | TableKind::Households
        | TableKind::People
        | TableKind::Grids => cell("id"),
        TableKind::Rentals => {
            let (zone, on, from) = (cell("zone")?, cell("declared_on")?, cell("from")?);
            Some(format!("{zone} {on} {from}"))
        }
        TableKind::Watch => Personal::ALL
            .iter()
            .find_map(|class| Some(watch_key(*class, &cell(class.as_str())?))),
    }
}

/// What was read of a table: each thing with its line, in the order of the file.
pub(super) struct Read<T> {
    pub(super) items: Vec<(Spot, T)>,
    pub(super) errors: Vec<RegistryError>,
}

/// A file's name, shared by all its lines.
pub(super) fn shared(name: &str) -> Arc<str> {
    Arc::from(name)
}
