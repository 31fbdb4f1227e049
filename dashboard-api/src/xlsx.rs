//! Tables as a workbook. Text stays text: nothing that a device or a person wrote is ever read as a formula.

use rust_xlsxwriter::{Format, Workbook, XlsxError};

/// Its media type (ECMA-376).
pub(crate) const TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Characters that a cell holds at most; Excel refuses a workbook with more.
const CELL_CHARS_MAX: usize = 32_767;
/// Digits up to which a spreadsheet keeps a whole number.
const DIGITS_MAX: usize = 15;

/// A sheet for each table, under its name; the first line of each is its head and stays in sight.
pub(crate) fn book(tables: &[(&str, Vec<Vec<String>>)]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let head = Format::new().set_bold();
    for (name, lines) in tables {
        let sheet = book.add_worksheet();
        sheet.set_name(*name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (row, line) in (0_u32..).zip(lines) {
            for (column, cell) in (0_u16..).zip(line) {
                if row == 0 {
                    sheet.write_string_with_format(row, column, cell, &head)?;
                } else if let Some(number) = number(cell) {
                    sheet.write_number(row, column, number)?;
                } else {
                    let cell: String = cell.chars().take(CELL_CHARS_MAX).collect();
                    sheet.write_string(row, column, cell)?;
                }
            }
        }
        sheet.autofit();
    }
    book.save_to_buffer()
}

/// A whole number that is written as one: `007` is a name.
fn number(cell: &str) -> Option<f64> {
    let is_plain = !cell.is_empty()
        && cell.len() <= DIGITS_MAX
        && cell.bytes().all(|b| b.is_ascii_digit())
        && (cell == "0" || !cell.starts_with('0'));
    is_plain.then(|| cell.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_everything_else_stays_text() {
        for (cell, expected) in [
            ("0", Some(0.0)),
            ("12", Some(12.0)),
            ("007", None),
            ("", None),
            (">5", None),
            ("-1", None),
            ("1e3", None),
            ("1234567890123456", None),
        ] {
            assert_eq!(number(cell), expected, "{cell}");
        }
    }

    #[test]
    fn a_cell_that_looks_like_a_formula_is_written_as_text() {
        let lines = vec![
            vec!["group".to_owned(), "n".to_owned()],
            vec!["=HYPERLINK(\"http://x\")".to_owned(), "3".to_owned()],
        ];
        let bytes = book(&[("kpi", lines)]).expect("a book");
        assert!(bytes.starts_with(b"PK"), "a zip archive");
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("opens");
        let mut sheet = String::new();
        let mut part = archive
            .by_name("xl/worksheets/sheet1.xml")
            .expect("a sheet");
        std::io::Read::read_to_string(&mut part, &mut sheet).expect("text");
        assert!(!sheet.contains("<f>"), "{sheet}");
        assert!(sheet.contains("<v>3</v>"), "{sheet}");
    }
}
