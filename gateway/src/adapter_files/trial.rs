//! `gateway adapter test`: the tests that stand in adapter files, one a line.

use std::path::PathBuf;

use anyhow::Context as _;

use super::read::here;
use crate::adapters::Format as _;
use crate::adapters::declarative::Declared;
use crate::embedded;
use crate::hub::Misconfigured;

/// Runs the tests of files and prints them; of those that ship when none is named.
///
/// # Errors
/// [`Misconfigured`] when a file has mistakes; a failed test.
pub fn test(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut texts = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).map_err(anyhow::Error::from);
        let text = bytes.and_then(|bytes| crate::registry::text(&bytes));
        let path = file.display().to_string();
        let text = text.with_context(|| format!("cannot read {path}"));
        texts.push((
            path,
            text.map_err(|e| Misconfigured::text(format!("{e:#}")))?,
        ));
    }
    if files.is_empty() {
        let shipped = embedded::ADAPTERS.iter();
        texts.extend(shipped.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    }
    let (mut run, mut failed, mut mistakes) = (0, 0, Vec::new());
    for (path, text) in &texts {
        let declared = match Declared::read(path, text, &here()) {
            Ok(declared) => declared,
            Err(mistake) => {
                mistakes.push(mistake.to_string());
                continue;
            }
        };
        println!("{}: {}", declared.name(), declared.about());
        for tried in declared.tried() {
            run += 1;
            let verdict = if tried.fault.is_some() {
                "FAILED"
            } else {
                "ok"
            };
            println!("  {verdict:<6} {path}:{}: {}", tried.line, tried.about);
            if let Some(fault) = tried.fault {
                failed += 1;
                println!("         {fault}");
            }
        }
    }
    if !mistakes.is_empty() {
        let text = format!("the adapters cannot be used:\n  {}", mistakes.join("\n  "));
        return Err(Misconfigured::text(text).into());
    }
    println!("{run} tests, {failed} failed");
    anyhow::ensure!(
        failed == 0,
        "{failed} of {run} tests failed (hint: the lines above say what was wanted and what came)"
    );
    Ok(())
}
