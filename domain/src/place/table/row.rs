//! One line of a table, cell by cell, and everything that is wrong with it.

use std::fmt::Display;
use std::str::FromStr;

use jiff::civil::Date;

use super::super::mistake::{LISTED_MAX, RegistryError, Spot};
use super::{Read, Record, shared};
use crate::rule::nearest_hint;

/// Most lines of a table.
const LINES_MAX: usize = 200_000;
/// Longest cell in bytes.
const CELL_BYTES_MAX: usize = 1024;

/// A column of a kind of table.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Column {
    pub(in super::super) name: &'static str,
    /// A table without it is refused.
    pub(in super::super) needed: bool,
}

/// A line with the names of its columns.
pub(in super::super) struct Row<'a> {
    header: &'a [Option<&'static str>],
    cells: &'a csv::StringRecord,
    spot: &'a Spot,
    errors: &'a mut Vec<RegistryError>,
}

impl Row<'_> {
    /// The cell of a column without blanks around it; nothing where it is empty or there is no such column.
    fn cell(&self, column: &str) -> Option<&str> {
        let at = self.header.iter().position(|c| *c == Some(column))?;
        let cell = self.cells.get(at)?.trim();
        let cell = match cell.strip_prefix('\'') {
            Some(rest) if is_formula(rest) => rest,
            _ => cell,
        };
        (!cell.is_empty()).then_some(cell)
    }

    pub(super) fn note(&mut self, column: &str, what: impl Display, hint: Option<&str>) {
        let what = what.to_string();
        let hint = hint.map(str::to_owned);
        self.errors
            .push(self.spot.mistake(Some(column), what, hint));
    }

    fn note_empty(&mut self, column: &str) {
        self.note(column, "the cell is empty", Some("every line needs it"));
    }

    /// What a type makes of a cell that has to be there; the type says what is wrong.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, column: &str) -> Option<T> {
        if self.cell(column).is_none() {
            self.note_empty(column);
            return None;
        }
        self.parsed_if(column)?
    }

    /// What a type makes of a cell that may be empty: nothing where it is wrong, and an empty one is fine.
    #[expect(
        clippy::option_option,
        reason = "wrong, empty, and there are three things"
    )]
    pub(super) fn parsed_if<T: FromStr<Err: Display>>(
        &mut self,
        column: &str,
    ) -> Option<Option<T>> {
        let Some(cell) = self.cell(column) else {
            return Some(None);
        };
        match cell.parse() {
            Ok(value) => Some(Some(value)),
            Err(e) => {
                let what = format!("{e}");
                self.note(column, what, None);
                None
            }
        }
    }

    /// A text that has to be there.
    pub(super) fn text(&mut self, column: &str) -> Option<String> {
        let text = self.cell(column).map(str::to_owned);
        if text.is_none() {
            self.note_empty(column);
        }
        text
    }

    /// A text that may be empty.
    pub(super) fn text_or_empty(&mut self, column: &str) -> String {
        self.cell(column).unwrap_or_default().to_owned()
    }

    /// A number that has to be there.
    pub(super) fn number<T: FromStr>(&mut self, column: &str, hint: &str) -> Option<T> {
        if self.cell(column).is_none() {
            self.note_empty(column);
            return None;
        }
        self.number_if(column, hint)?
    }

    /// A number that may be missing.
    #[expect(
        clippy::option_option,
        reason = "wrong, empty, and there are three things"
    )]
    pub(super) fn number_if<T: FromStr>(&mut self, column: &str, hint: &str) -> Option<Option<T>> {
        let Some(cell) = self.cell(column) else {
            return Some(None);
        };
        if let Ok(value) = cell.parse() {
            return Some(Some(value));
        }
        let what = format!("`{}` is no such number", short(cell));
        self.note(column, what, Some(hint));
        None
    }

    /// One word of a list.
    pub(super) fn word<T: Copy>(&mut self, column: &str, words: &[(&str, T)]) -> Option<T> {
        let Some(cell) = self.cell(column) else {
            self.note_empty(column);
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == cell) {
            return Some(*value);
        }
        let hint = nearest_hint(cell, words.iter().map(|(word, _)| *word));
        let what = format!("unknown word `{}`", short(cell));
        self.note(column, what, Some(&hint));
        None
    }

    /// One word of a list, or none where the cell is empty.
    #[expect(
        clippy::option_option,
        reason = "wrong, empty, and there are three things"
    )]
    pub(super) fn word_if<T: Copy>(
        &mut self,
        column: &str,
        words: &[(&str, T)],
    ) -> Option<Option<T>> {
        if self.cell(column).is_none() {
            return Some(None);
        }
        self.word(column, words).map(Some)
    }

    /// Yes or no, as people and spreadsheets write it; an empty cell is no.
    pub(super) fn truth(&mut self, column: &str) -> Option<bool> {
        let Some(cell) = self.cell(column) else {
            return Some(false);
        };
        match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" | "是" => Some(true),
            "false" | "no" | "0" | "否" => Some(false),
            _ => {
                let what = format!("`{}` is neither yes nor no", short(cell));
                self.note(column, what, Some("true or false, 是 or 否"));
                None
            }
        }
    }

    /// A day as people and spreadsheets write it: `2026-01-31`, `2026/1/31`.
    pub(super) fn date(&mut self, column: &str) -> Option<Date> {
        let Some(cell) = self.cell(column) else {
            self.note_empty(column);
            return None;
        };
        let day = parse_date(cell);
        if day.is_none() {
            let what = format!("`{}` is no day", short(cell));
            self.note(column, what, Some("such as 2026-01-31 or 2026/1/31"));
        }
        day
    }
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split(['-', '/']);
    let year = parts.next().filter(|y| y.len() == 4)?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    Date::new(year, month, day).ok()
}

/// A foreign text as it may stand in a message.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// What a spreadsheet would take for a formula.
fn is_formula(cell: &str) -> bool {
    let is_negative = cell.starts_with('-') && cell.parse::<f64>().is_ok();
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_negative
}

/// A cell that no spreadsheet takes for a formula. One that begins with an apostrophe and would then lose it gets a second.
pub(super) fn safe(cell: &str) -> String {
    if is_formula(cell) || cell.strip_prefix('\'').is_some_and(is_formula) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Reads a table: every line that is good, and everything that is wrong.
pub(in super::super) fn read<T: Record>(name: &str, text: &str) -> Read<T> {
    let mut out = Read {
        items: Vec::new(),
        errors: Vec::new(),
    };
    let mut spot = Spot {
        file: shared(name),
        line: 1,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut header: Option<(Vec<Option<&'static str>>, usize)> = None;
    let mut cells = csv::StringRecord::new();
    let mut lines = 0;
    loop {
        match reader.read_record(&mut cells) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                out.errors.push(spot.mistake(None, e.to_string(), None));
                break;
            }
        }
        spot.line = cells.position().map_or(spot.line, |p| {
            usize::try_from(p.line()).unwrap_or(usize::MAX)
        });
        let Some((header, width)) = &header else {
            let Some(found) = head::<T>(&cells, &spot, &mut out.errors) else {
                // of a table whose columns are not known nothing can be said
                return out;
            };
            header = Some((found, cells.len()));
            continue;
        };
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue; // a spreadsheet keeps empty lines at the end
        }
        lines += 1;
        if lines > LINES_MAX || out.errors.len() >= LISTED_MAX {
            let what = "the rest of the file was not read".to_owned();
            let hint = format!("at most {LINES_MAX} lines, and {LISTED_MAX} mistakes at a time");
            out.errors.push(spot.mistake(None, what, Some(hint)));
            return out;
        }
        // empty cells behind the last column are a spreadsheet's
        let extra = cells
            .iter()
            .skip(*width)
            .any(|cell| !cell.trim().is_empty());
        if cells.len() < *width || extra {
            let what = format!("{} cells instead of {width}", cells.len());
            let hint = "a text with a comma stands in double quotes".to_owned();
            out.errors.push(spot.mistake(None, what, Some(hint)));
            continue;
        }
        if let Some(long) = cells.iter().position(|c| c.len() > CELL_BYTES_MAX) {
            let column = header.get(long).copied().flatten();
            let what = format!("more than {CELL_BYTES_MAX} bytes in one cell");
            out.errors.push(spot.mistake(column, what, None));
            continue;
        }
        let mut row = Row {
            header,
            cells: &cells,
            spot: &spot,
            errors: &mut out.errors,
        };
        if let Some(item) = T::read(&mut row) {
            out.items.push((spot.clone(), item));
        }
    }
    if header.is_none() && out.errors.is_empty() {
        let what = "the table has no line of column names".to_owned();
        let names: Vec<_> = T::COLUMNS.iter().map(|c| c.name).collect();
        let hint = format!("the first line is {}", names.join(","));
        out.errors.push(spot.mistake(None, what, Some(hint)));
    }
    out
}

/// The columns by their names; nothing when one is unknown, doubled or missing.
fn head<T: Record>(
    cells: &csv::StringRecord,
    spot: &Spot,
    errors: &mut Vec<RegistryError>,
) -> Option<Vec<Option<&'static str>>> {
    let before = errors.len();
    let mut header: Vec<Option<&'static str>> = Vec::new();
    for cell in cells.iter().take(T::COLUMNS.len() * 4) {
        let name = cell.trim().to_ascii_lowercase();
        let column = T::COLUMNS.iter().find(|c| c.name == name).map(|c| c.name);
        if column.is_some() && header.contains(&column) {
            let what = "the column is there twice".to_owned();
            errors.push(spot.mistake(column, what, None));
        } else if column.is_none() && !name.is_empty() {
            let what = format!("unknown column `{}`", short(&name));
            let hint = nearest_hint(&name, T::COLUMNS.iter().map(|c| c.name));
            errors.push(spot.mistake(None, what, Some(hint)));
        }
        header.push(column);
    }
    for column in T::COLUMNS.iter().filter(|c| c.needed) {
        if !header.contains(&Some(column.name)) {
            let what = format!("a table of {}s needs this column", T::NOUN);
            errors.push(spot.mistake(Some(column.name), what, None));
        }
    }
    (errors.len() == before).then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_and_spreadsheets_write_them() {
        let day = Date::constant(2026, 1, 5);
        for good in ["2026-01-05", "2026/1/5", "2026-1-05"] {
            assert_eq!(parse_date(good), Some(day), "{good}");
        }
        for bad in ["", "5/1/2026", "2026-13-01", "2026-01-05-01", "46027"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_spreadsheet_takes_for_a_formula_has_an_apostrophe() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+8613800000000", "'+8613800000000"),
            ("@here", "'@here"),
            ("-1", "-1"),
            ("-1+2", "'-1+2"),
            ("'=x", "''=x"),
            ("'quoted", "'quoted"),
            ("烟感-1", "烟感-1"),
        ] {
            assert_eq!(safe(cell), written);
        }
    }
}
