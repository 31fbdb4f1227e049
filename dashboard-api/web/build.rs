//! Builds the dashboard with npm in `OUT_DIR` and writes the table that `lib.rs` includes. The source tree stays as it is.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// What the build reads, beside this crate's manifest.
const SOURCES: &[&str] = &[
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "report.html",
    "scripts",
    "src",
    "tsconfig.json",
    "vite.config.ts",
    "work.html",
];
/// The document that the API's types are made from.
const OPENAPI: &str = "../../docs/openapi.json";

const FALLBACK: &str = r#"<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>Jiming</title></head><body>
<h1>本程序未包含界面</h1>
<p>构建时没有 npm，或设置了 JIMING_WEB=off。接口照常工作：/api/v1/</p>
<h1 lang="en">This program was built without the dashboard</h1>
<p lang="en">There was no npm at build time, or JIMING_WEB=off was set. The API works as usual: /api/v1/</p>
</body></html>
"#;

fn main() -> Result<()> {
    println!("cargo::rerun-if-env-changed=JIMING_WEB");
    println!("cargo::rerun-if-env-changed=JIMING_WEB_DIST");
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    // of a missing file cargo would build again every time
    if Path::new(OPENAPI).exists() {
        println!("cargo::rerun-if-changed={OPENAPI}");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let dist = find_dist(&out)?;
    let files = match &dist {
        Some(dist) => read_all(dist)?,
        None => vec![("index.html".to_owned(), FALLBACK.as_bytes().to_vec())],
    };
    write_table(&out, files, dist.is_some())
}

/// The folder of a finished build; none when there is to be, or can be, no dashboard.
fn find_dist(out: &Path) -> Result<Option<PathBuf>> {
    if std::env::var_os("JIMING_WEB").is_some_and(|value| value == "off") {
        return Ok(None);
    }
    if let Some(ready) = std::env::var_os("JIMING_WEB_DIST") {
        let ready = PathBuf::from(ready);
        if !ready.join("index.html").is_file() {
            bail!(
                "JIMING_WEB_DIST: {} has no index.html (hint: it names the folder that `npm run build` makes)",
                ready.display()
            );
        }
        println!("cargo::rerun-if-changed={}", ready.display());
        return Ok(Some(ready));
    }
    let Ok(version) = Command::new(npm()).arg("--version").output() else {
        println!(
            "cargo::warning=npm was not found: the program gets a page that says so instead of the dashboard"
        );
        return Ok(None);
    };
    if !version.status.success() {
        bail!(
            "npm does not start: {}",
            String::from_utf8_lossy(&version.stderr)
        );
    }
    let work = out.join("web");
    copy_sources(&work)?;
    run(&work, &["ci", "--no-audit", "--no-fund"])?;
    run(&work, &["run", "build"])?;
    Ok(Some(work.join("dist")))
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

fn run(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new(npm())
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("npm does not start")?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "npm {} failed (hint: JIMING_WEB=off builds without the dashboard)\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What was removed from the sources is removed from the copy; `node_modules` is left to npm.
fn copy_sources(work: &Path) -> Result<()> {
    fs::create_dir_all(work)?;
    for source in SOURCES {
        let to = work.join(source);
        if to.is_dir() {
            fs::remove_dir_all(&to)?;
        }
        copy(Path::new(source), &to).with_context(|| format!("{source} cannot be copied"))?;
    }
    let document = work.join("openapi.json");
    if Path::new(OPENAPI).exists() {
        fs::copy(OPENAPI, document)?;
    } else if document.exists() {
        fs::remove_file(document)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Paths with `/` and bytes of all files below a folder.
fn read_all(root: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let parts: Vec<_> = path
                .strip_prefix(root)?
                .iter()
                .map(|part| part.to_string_lossy())
                .collect();
            files.push((parts.join("/"), fs::read(&path)?));
        }
    }
    Ok(files)
}

fn write_table(out: &Path, mut files: Vec<(String, Vec<u8>)>, is_available: bool) -> Result<()> {
    files.sort();
    let folder = out.join("embedded");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut whole = Sha256::new();
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for (number, (path, bytes)) in files.iter().enumerate() {
        let hash = &hex::encode(Sha256::digest(bytes))[..16];
        whole.update(path);
        whole.update(hash);
        let include = |name: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), {name:?}))");
        fs::write(folder.join(number.to_string()), bytes)?;
        let packed = pack(bytes)?;
        let gzip = if packed.len() < bytes.len() {
            fs::write(folder.join(format!("{number}.gz")), packed)?;
            format!("Some({})", include(&format!("/embedded/{number}.gz")))
        } else {
            "None".to_owned()
        };
        writeln!(
            table,
            "    Asset {{ path: {path:?}, bytes: {}, gzip: {gzip}, content_type: {:?}, immutable: {}, etag: {:?} }},",
            include(&format!("/embedded/{number}")),
            content_type(path),
            path.starts_with("assets/"),
            format!("\"{hash}\""),
        )?;
    }
    let hash = &hex::encode(whole.finalize())[..16];
    write!(
        table,
        "];\n\n/// Whether the dashboard is there; else `index.html` is a page that says so.\npub const AVAILABLE: bool = {is_available};\n\n\
         /// Changes with any file.\npub const HASH: &str = {hash:?};\n"
    )?;
    fs::write(out.join("table.rs"), table)?;
    Ok(())
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
