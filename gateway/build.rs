//! Embeds the reference compound, the rule catalogue and the declared adapters, so that one executable runs without files beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config");
    let mut code = String::new();
    for (name, folder) in [
        ("COMPOUND", "compound"),
        ("RULES", "rules"),
        ("ADAPTERS", "adapters"),
    ] {
        let root = config.join(folder);
        println!("cargo::rerun-if-changed={}", root.display());
        let mut files = Vec::new();
        if root.is_dir() {
            collect(&root, &mut files)?;
        }
        files.sort();
        writeln!(
            code,
            "/// The files of `deploy/config/{folder}`, as (path, text)."
        )
        .expect("a string grows");
        writeln!(code, "pub const {name}: &[(&str, &str)] = &[").expect("a string grows");
        for path in files {
            let relative = path
                .strip_prefix(&root)
                .unwrap_or(&path)
                .display()
                .to_string();
            let absolute = fs::canonicalize(&path)?.display().to_string();
            writeln!(code, "    ({relative:?}, include_str!({absolute:?})),")
                .expect("a string grows");
        }
        code.push_str("];\n");
    }
    let out =
        PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("embedded.rs");
    fs::write(out, code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "toml" || e == "csv") {
            files.push(path);
        }
    }
    Ok(())
}
