//! What the repository promises about itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use blackbox::repository;

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All Rust sources of the workspace.
fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules", "dist"].contains(&name) {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(repository(), &mut found);
    assert!(found.len() > 100, "{} sources", found.len());
    found
}

fn dependencies(krate: &str) -> Vec<String> {
    let manifest: toml::Table = text(&format!("{krate}/Cargo.toml")).parse().expect("TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table");
    dependencies.keys().cloned().collect()
}

#[test]
fn dependencies_point_one_way_and_the_domain_is_pure() {
    let pure = [
        "bytes",
        "cel",
        "csv",
        "jiff",
        "serde",
        "serde_json",
        "thiserror",
        "toml",
        "uuid",
    ];
    for name in dependencies("domain") {
        assert!(
            pure.contains(&name.as_str()),
            "domain is vocabulary and decisions, nothing that waits, stores or logs: {name}"
        );
    }
    // each crate and those of ours that it must not know
    for (krate, forbidden) in [
        (
            "store",
            &["dashboard-api", "gateway", "device-sim"] as &[&str],
        ),
        ("dashboard-api", &["gateway", "device-sim", "dashboard-web"]),
        ("device-sim", &["store", "dashboard-api", "gateway"]),
        (
            "tests",
            &["domain", "store", "dashboard-api", "gateway", "device-sim"],
        ),
    ] {
        for name in dependencies(krate) {
            assert!(
                !forbidden.contains(&name.as_str()),
                "{krate} depends on {name}"
            );
        }
    }
}

/// Words in backquotes and targets of links, as far as they look like paths of this repository.
fn paths_in(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in document.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        for link in line.split("](").skip(1) {
            found.extend(link.split(')').next().map(str::to_owned));
        }
    }
    let roots = [
        "deploy",
        "docs",
        "tests",
        "domain",
        "store",
        "gateway",
        "dashboard-api",
        "device-sim",
    ];
    found.retain(|path| {
        let first = path.split('/').next().unwrap_or("");
        path.contains('/') && roots.contains(&first) && !path.contains([' ', '<', '*', '{', ':'])
    });
    found
}

#[test]
fn every_path_that_the_documents_name_is_there() {
    for document in [
        "README.md",
        "docs/ARCHITECTURE.md",
        "docs/adding-a-rule.md",
        "docs/adding-a-device.md",
    ] {
        let paths = paths_in(&text(document));
        for path in &paths {
            assert!(
                repository().join(path).exists(),
                "{document} names {path}, which does not exist"
            );
        }
        if !document.starts_with("docs/adding-") {
            assert!(paths.len() >= 5, "{document} was read: {paths:?}");
        }
    }
    let architecture = text("docs/ARCHITECTURE.md");
    let workspace: toml::Table = text("Cargo.toml").parse().expect("TOML");
    for member in workspace["workspace"]["members"]
        .as_array()
        .expect("a list")
    {
        let member = member.as_str().expect("a name");
        assert!(
            architecture.contains(&format!("`{member}")),
            "docs/ARCHITECTURE.md says nothing of {member}"
        );
    }
}

/// The codes with which the hub keeps a message in quarantine, as they stand in its source.
fn reasons() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sources() {
        if !path.starts_with(repository().join("gateway/src")) {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("UTF-8");
        for (_, behind) in [
            "Reject::new(",
            ".strike(",
            "REFUSED: &str =",
            "UNKNOWN_BRIDGE: &str =",
        ]
        .iter()
        .flat_map(|begin| source.match_indices(begin))
        .map(|(at, begin)| source.split_at(at + begin.len()))
        {
            let call = behind.split(';').next().unwrap_or_default();
            let word = call.split('"').nth(1).unwrap_or_default();
            if word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && !word.is_empty()
            {
                found.insert(word.to_owned());
            }
        }
    }
    assert!(found.len() > 40, "{found:?}");
    found
}

#[test]
fn every_reason_for_the_quarantine_has_words_and_advice_in_both_languages() {
    for language in ["zh", "en"] {
        let words = text(&format!("dashboard-api/web/src/manage/words/{language}.ts"));
        let missing: Vec<String> = reasons()
            .iter()
            .flat_map(|code| [format!("\"why.{code}\":"), format!("\"do.{code}\":")])
            .filter(|key| !words.contains(key))
            .collect();
        assert!(missing.is_empty(), "{language}: {missing:?}");
    }
}

#[test]
fn no_test_is_skipped_and_nothing_is_left_undone() {
    // split, so that this file does not find itself
    let words = [
        concat!("#[ign", "ore"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
    ];
    for path in sources() {
        let source = std::fs::read_to_string(&path).expect("text");
        for (at, line) in source.lines().enumerate() {
            for word in words {
                assert!(
                    !line.contains(word),
                    "{}:{}: {line}",
                    path.display(),
                    at + 1
                );
            }
        }
    }
}

#[test]
fn ci_runs_the_test_command_and_the_readme_names_both_commands() {
    let ci = text(".ci/run");
    let commands: Vec<_> = ci
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert_eq!(commands, [r#"exec "$(dirname "$0")/../tests/run""#]);
    let readme = text("README.md");
    for command in ["cargo run --release -- demo", "tests/run"] {
        assert!(
            readme.contains(&format!("```sh\n{command}\n```")),
            "{command} has a block of its own"
        );
    }
    for script in [".ci/run", "tests/run"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(repository().join(script))
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "{script} can be run");
    }
    // what is promised to be in the test command
    let run = text("tests/run");
    for part in [
        "cargo fmt",
        "cargo clippy",
        "cargo test --workspace",
        "cargo deny",
    ] {
        assert!(run.contains(part), "tests/run: {part}");
    }
}
