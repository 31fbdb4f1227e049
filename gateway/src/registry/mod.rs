//! `gateway registry …`: parts of the registry out to a spreadsheet and back; [`keep`] is the registry of a running hub.
//!
//! An import is checked as a whole, with everything else of the folder, before a byte is written; then one file is replaced at once.
//! A running hub takes it within seconds.

pub mod keep;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use domain::place::{Import, Registry, RegistryError, TableKind};

use crate::config::Config;
use crate::embedded;
use crate::hub::folder;

/// Largest table.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most keys of one sort that an import lists.
const LISTED_MAX: usize = 50;

/// What an import does after it has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: a dry run.
    Stop,
    /// The file is written.
    Write,
}

/// A table of everything of a kind, with the mark by which spreadsheets know UTF-8 before it when `marked`.
///
/// # Errors
/// A registry that cannot be read.
pub fn export(config: &Config, kind: TableKind, mark: Mark) -> anyhow::Result<String> {
    let files = folder(&config.registry.dir, embedded::COMPOUND)?;
    let registry = Registry::from_files(files.iter().map(|(n, t)| (n.as_str(), t.as_str())))
        .map_err(|errors| mistakes("the registry cannot be used", &errors))?;
    let mark = match mark {
        Mark::None => "",
        Mark::ByteOrder => "\u{feff}",
    };
    Ok(format!("{mark}{}", registry.export(kind)))
}

/// What stands before an exported table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    None,
    /// The byte order mark, by which Excel knows UTF-8.
    ByteOrder,
}

/// Checks a table against the registry, says what it would change, and writes it if that is wanted.
///
/// # Errors
/// Every mistake on a line of its own, or a file that cannot be read or written.
pub fn import(config: &Config, kind: TableKind, file: &Path, then: Then) -> anyhow::Result<String> {
    let dir = &config.registry.dir;
    if then == Then::Write && dir.as_os_str().is_empty() {
        bail!(
            "the compound that is built in cannot be changed (hint: `gateway registry unpack DIR`, then set `registry.dir` to DIR)"
        );
    }
    let files = folder(dir, embedded::COMPOUND)?;
    let text = read(file)?;
    let name = file.display().to_string();
    let import = Import::plan(&files, kind, &name, &text)
        .map_err(|errors| mistakes(&format!("{name} cannot be imported"), &errors))?;
    let mut said = summary(kind, &import);
    if then == Then::Stop {
        said.push_str("dry run: nothing is written\n");
    } else if import.is_nothing() {
        said.push_str("nothing changes: nothing is written\n");
    } else {
        let target = match &import.file {
            Some(file) => PathBuf::from(file),
            None => dir.join(format!("{kind}.csv")),
        };
        replace(&target, &import.text)
            .with_context(|| format!("cannot write {}", target.display()))?;
        let _ = writeln!(
            said,
            "written to {}; a hub that runs takes it within seconds",
            target.display()
        );
    }
    Ok(said)
}

/// Files that are built in: name and text.
pub type BuiltIn = [(&'static str, &'static str)];

/// Writes files that are built in into a folder that is empty or not there yet.
///
/// # Errors
/// A folder with something in it, or one that cannot be written.
pub fn unpack(dir: &Path, files: &BuiltIn) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut there =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    if there.next().is_some() {
        bail!("{} is not empty (hint: name a new folder)", dir.display());
    }
    for (name, text) in files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        replace(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The same into a folder that is not there yet; one that is there is left as it is. It is whole or not there, whenever this ends.
///
/// # Errors
/// A folder that cannot be written.
pub fn unpack_once(dir: &Path, files: &BuiltIn) -> anyhow::Result<()> {
    if dir.exists() {
        return Ok(());
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let new = dir.with_file_name(format!(".{name}.new"));
    if new.exists() {
        // the last try ended half way
        std::fs::remove_dir_all(&new)
            .with_context(|| format!("cannot remove {}", new.display()))?;
    }
    unpack(&new, files)?;
    std::fs::rename(&new, dir).with_context(|| format!("cannot make {}", dir.display()))
}

fn mistakes(what: &str, errors: &[RegistryError]) -> anyhow::Error {
    let list: Vec<_> = errors.iter().map(|e| format!("  {e}")).collect();
    anyhow::anyhow!("{what}, {} mistakes:\n{}", errors.len(), list.join("\n"))
}

fn summary(kind: TableKind, import: &Import) -> String {
    let mut said = format!(
        "{kind}: {} added, {} changed, {} removed, {} unchanged\n",
        import.added.len(),
        import.changed.len(),
        import.removed.len(),
        import.unchanged
    );
    let changed = import.changed.iter().map(|changed| {
        let columns = changed.columns.iter().map(|(column, old, new)| {
            if matches!(*column, "contact" | "evacuation") {
                // telephone numbers and what is about health do not go to the terminal
                return format!("{column} is another");
            }
            format!("{column} `{old}` → `{new}`")
        });
        format!(
            "{}: {}",
            changed.key,
            columns.collect::<Vec<_>>().join(", ")
        )
    });
    let changed: Vec<String> = changed.collect();
    for (sign, lines) in [
        ('+', &import.added),
        ('~', &changed),
        ('-', &import.removed),
    ] {
        for line in lines.iter().take(LISTED_MAX) {
            let _ = writeln!(said, "{sign} {line}");
        }
        if lines.len() > LISTED_MAX {
            let _ = writeln!(said, "{sign} … and {} more", lines.len() - LISTED_MAX);
        }
    }
    if !import.kept.is_empty() {
        let _ = writeln!(
            said,
            "{} more stand in *.toml files and stay",
            import.kept.len()
        );
    }
    said
}

fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::metadata(file)
        .and_then(|meta| {
            if meta.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other("larger than 64 MiB"));
            }
            std::fs::read(file)
        })
        .with_context(|| format!("cannot read {}", file.display()))?;
    text(&bytes).with_context(|| format!("cannot read {}", file.display()))
}

/// The text of a table as spreadsheets write them: UTF-8 or UTF-16 by its mark, UTF-8 where it is that, otherwise GB 18030, in which
/// Excel in China writes.
///
/// # Errors
/// Bytes that are none of these.
pub fn text(bytes: &[u8]) -> anyhow::Result<String> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, is_damaged) = encoding.decode_without_bom_handling(&bytes[mark..]);
        if !is_damaged {
            return Ok(text.into_owned());
        }
        bail!(
            "it begins as {} and goes on as something else (hint: save it as CSV UTF-8)",
            encoding.name()
        );
    }
    let broken = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text.to_owned()),
        Err(e) => e.valid_up_to(),
    };
    let text = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    let Some(text) = text else {
        let line = bytes[..broken].split(|b| *b == b'\n').count();
        bail!("line {line} is neither UTF-8 nor GB 18030 (hint: save it as CSV UTF-8)");
    };
    Ok(text.into_owned())
}

/// Puts a text in the place of a file, so that the old or the new is there at any moment.
pub(crate) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    let mut file = std::fs::File::create(&new)?;
    if let Ok(old) = std::fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_dir(dir: &Path) -> Config {
        let mut config = crate::config::load(None).expect("the defaults");
        config.registry.dir = dir.to_owned();
        config
    }

    fn unpacked() -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().expect("a folder");
        unpack(dir.path(), embedded::COMPOUND).expect("unpacked");
        let config = with_dir(dir.path());
        (dir, config)
    }

    #[test]
    fn every_kind_goes_out_and_comes_back_unchanged_in_every_encoding() {
        let (dir, config) = unpacked();
        for kind in TableKind::ALL {
            let text = export(&config, kind, Mark::ByteOrder).expect("exported");
            assert!(text.starts_with('\u{feff}'));
            let (gb, _, is_damaged) =
                encoding_rs::GB18030.encode(text.trim_start_matches('\u{feff}'));
            assert!(!is_damaged);
            for bytes in [text.as_bytes(), &gb] {
                let file = dir.path().join("table.csv.from-a-spreadsheet");
                std::fs::write(&file, bytes).expect("written");
                let said = import(&config, kind, &file, Then::Write).expect("good");
                assert!(
                    said.contains("0 added, 0 changed, 0 removed"),
                    "{kind}: {said}"
                );
                assert!(said.contains("nothing changes"), "{kind}: {said}");
            }
        }
    }

    #[test]
    fn an_import_is_written_at_once_and_a_dry_run_is_not() {
        let (dir, config) = unpacked();
        let target = dir.path().join("rentals.csv");
        let before = std::fs::read_to_string(&target).expect("it ships");
        let table = export(&config, TableKind::Rentals, Mark::None).expect("exported");
        let file = dir.path().join("new.table");
        std::fs::write(
            &file,
            format!("{table}q1-a1-502,5,2026/1/1,2026/12/31,2026/1/2\n"),
        )
        .expect("written");
        let run = |then| import(&config, TableKind::Rentals, &file, then).expect("good");
        assert!(run(Then::Stop).contains("1 added, 0 changed"));
        assert_eq!(std::fs::read_to_string(&target).expect("there"), before);
        assert!(run(Then::Write).contains("within seconds"));
        let after = std::fs::read_to_string(&target).expect("there");
        assert!(
            after.starts_with("# What landlords have declared"),
            "remarks stay"
        );
        assert!(after.contains("q1-a1-502,5,2026-01-01,2026-12-31,2026-01-02"));
        let files = folder(dir.path(), &[]).expect("read");
        let registry = Registry::from_files(files.iter().map(|(n, t)| (n.as_str(), t.as_str())));
        let zone = "q1-a1-502".parse().expect("an id");
        let day = "2026-05-01".parse().expect("a day");
        assert_eq!(registry.expect("good").registered_on(&zone, day), Some(5));
        assert!(run(Then::Write).contains("nothing changes"));
    }

    #[test]
    fn what_is_wrong_is_not_written() {
        let (dir, config) = unpacked();
        let file = dir.path().join("new.table");
        std::fs::write(
            &file,
            "zone,registered,from,until,declared_on\nq1-a1-520,5,2026/1/1,2026/12/31,2026/1/2\n",
        )
        .expect("written");
        let before = std::fs::read_to_string(dir.path().join("rentals.csv")).expect("it ships");
        let error = import(&config, TableKind::Rentals, &file, Then::Write).expect_err("refused");
        let error = format!("{error:#}");
        assert!(error.contains("new.table:2: "), "{error}");
        assert!(
            error.contains("`q1-a1-520`, which does not exist"),
            "{error}"
        );
        assert_eq!(
            std::fs::read_to_string(dir.path().join("rentals.csv")).expect("there"),
            before
        );
        let built_in = with_dir(Path::new(""));
        let error = import(&built_in, TableKind::Rentals, &file, Then::Write).expect_err("refused");
        assert!(
            error
                .to_string()
                .contains("hint: `gateway registry unpack DIR`"),
            "{error}"
        );
        assert!(
            unpack(dir.path(), embedded::COMPOUND)
                .expect_err("refused")
                .to_string()
                .contains("not empty")
        );
    }

    #[test]
    fn texts_are_known_by_their_bytes() {
        let name = "江东苑";
        let (gb, ..) = encoding_rs::GB18030.encode(name);
        let utf16: Vec<u8> = std::iter::once(0xfeff)
            .chain(name.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [
            name.as_bytes(),
            &gb,
            &utf16,
            format!("\u{feff}{name}").as_bytes(),
        ] {
            assert_eq!(text(bytes).expect("read"), name);
        }
        let error = text(b"a\nb,\xff\xff\n").expect_err("refused").to_string();
        assert!(error.contains("line 2 is neither"), "{error}");
    }
}
