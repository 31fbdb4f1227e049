//! What can be known of `deploy/` without a container engine: what it names exists, nothing secret is in it, and the unit is sound.

use std::path::{Path, PathBuf};
use std::process::Command;

use blackbox::{bin, repository, run};

fn deploy() -> PathBuf {
    repository().join("deploy")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // made by `deploy/secrets` and never committed
        if path.ends_with("deploy/.secrets") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn the_shipped_configuration_is_the_one_that_is_built_in() {
    let shipped = deploy().join("config/gateway.toml");
    let printed = run("gateway", &["check", "--print-defaults"]).await;
    assert_eq!(printed.code, Some(0));
    assert_eq!(printed.stdout, text(&shipped));
    let path = shipped.display().to_string();
    let outcome = run("gateway", &["check", "--config", &path]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn what_the_dockerfile_copies_is_there() {
    let dockerfile = text(&deploy().join("Dockerfile"));
    let mut stages = Vec::new();
    let mut copied = 0;
    for line in dockerfile.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["FROM", image, ref rest @ ..] => {
                assert!(image.contains(':'), "{image} names no version");
                stages.extend(rest.last().map(|name| (*name).to_owned()));
            }
            ["COPY", first, ..] if first.starts_with("--from=") => {
                let stage = first.trim_start_matches("--from=");
                assert!(
                    stages.iter().any(|s| s == stage),
                    "{line}: no stage {stage}"
                );
            }
            ["COPY", ref sources @ .., _] => {
                for source in sources {
                    copied += 1;
                    assert!(repository().join(source).exists(), "{line}: no {source}");
                }
            }
            _ => {}
        }
    }
    assert!(copied >= 4, "the Dockerfile was read");
    let user = dockerfile
        .lines()
        .rfind(|line| line.starts_with("USER "))
        .expect("it names a user");
    assert_ne!(user, "USER root");
    assert!(!user.starts_with("USER 0"), "{user}");
}

#[test]
fn what_compose_names_is_there() {
    let compose = text(&deploy().join("compose.yaml"));
    assert!(!compose.contains('\t'), "YAML knows no tabs");
    for part in [
        "dockerfile: deploy/Dockerfile",
        "context: ..",
        "./grafana/provisioning:/etc/grafana/provisioning:ro",
        "cap_drop: [ALL]",
        "no-new-privileges:true",
    ] {
        assert!(compose.contains(part), "{part}");
    }
    let provisioning = deploy().join("grafana/provisioning/datasources/influx.yaml");
    let source = text(&provisioning);
    for (key, variable) in [
        ("organization", "DOCKER_INFLUXDB_INIT_ORG"),
        ("defaultBucket", "DOCKER_INFLUXDB_INIT_BUCKET"),
    ] {
        let value = compose
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("{variable}: ")))
            .expect("compose names it");
        assert!(
            source.contains(&format!("{key}: {value}")),
            "Grafana's {key} is InfluxDB's: {value}"
        );
    }
    // what the hub is told over the environment are settings that it has, and it agrees with InfluxDB
    let defaults = text(&deploy().join("config/gateway.toml"));
    let defaults: toml::Table = defaults.parse().expect("TOML");
    for line in compose
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with("JIMING__"))
    {
        let name = line.split(':').next().expect("a name").to_lowercase();
        let mut parts = name.split("__").skip(1);
        let (section, key) = (parts.next().expect("section"), parts.next().expect("key"));
        assert!(defaults[section].get(key).is_some(), "no setting: {line}");
    }
    for (key, value) in [("org", "jiming"), ("bucket", "events")] {
        assert_eq!(defaults["influx"][key].as_str(), Some(value));
    }
    // every secret is declared, and made by the script
    let script = text(&deploy().join("secrets"));
    for line in compose
        .lines()
        .filter(|line| line.contains("file: ./.secrets/"))
    {
        let name = line
            .trim()
            .split(':')
            .next()
            .expect("a name before the colon");
        assert!(script.contains(name), "deploy/secrets makes no {name}");
    }
    for published in compose
        .lines()
        .filter(|line| line.trim().starts_with("ports:"))
    {
        let open = published.split('"').skip(1).step_by(2);
        for port in open {
            assert!(port.starts_with("127.0.0.1:"), "{port} is open to all");
        }
    }
}

#[test]
fn no_secret_and_no_default_password_is_committed() {
    for path in files(&deploy()) {
        let content = text(&path);
        for (at, line) in content.lines().enumerate() {
            let place = format!("{}:{}: {line}", path.display(), at + 1);
            let lower = line.to_lowercase();
            for word in ["changeme", "admin123", "password123", "begin private key"] {
                assert!(!lower.contains(word), "{place}");
            }
            let Some((key, value)) = lower.split_once(['=', ':']) else {
                continue;
            };
            let key = key.trim();
            let names_secret = ["password", "token", "secret"]
                .iter()
                .any(|word| key.ends_with(word));
            let value = value.trim().trim_matches('"');
            assert!(
                !names_secret || value.is_empty() || value.starts_with('{'),
                "a secret comes from a file, never from here: {place}"
            );
        }
    }
    let ignored = text(&repository().join(".gitignore"));
    assert!(ignored.lines().any(|line| line == "/deploy/.secrets"));
}

#[test]
fn the_systemd_unit_is_sound_and_hardened() {
    let unit = text(&deploy().join("systemd/jiming.service"));
    for line in [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=",
        "UMask=0077",
        "User=jiming",
        "Restart=always",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line} is missing");
    }
    // systemd must wait longer than the hub's own deadline
    let seconds = |text: &str, key: &str| -> i64 {
        text.lines()
            .find_map(|l| l.strip_prefix(key))
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {key}"))
    };
    let defaults = text(&deploy().join("config/gateway.toml"));
    assert!(seconds(&unit, "TimeoutStopSec=") > seconds(&defaults, "deadline_s ="));
    // its directory is the one of the settings
    let data = format!(
        "dir = \"/var/lib/{}\"",
        unit.lines()
            .find_map(|l| l.strip_prefix("StateDirectory="))
            .expect("a state directory")
    );
    assert!(defaults.contains(&data), "{data}");

    // systemd's own opinion where it is installed; the executable is ours
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("jiming.service");
    let gateway = bin("gateway").display().to_string();
    let here = unit.replace("/usr/local/bin/gateway", &gateway);
    assert_ne!(here, unit);
    std::fs::write(&path, here).expect("written");
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output();
    match verified {
        Ok(out) => {
            // unknown keys are complained of with exit code 0
            let told = String::from_utf8_lossy(&out.stderr);
            let ours: Vec<_> = told
                .lines()
                .filter(|line| line.contains("jiming.service"))
                .collect();
            assert!(ours.is_empty(), "{told}");
        }
        Err(e) => eprintln!("systemd-analyze is not there ({e}): sections only"),
    }
    let sections: Vec<_> = unit.lines().filter(|l| l.starts_with('[')).collect();
    assert_eq!(sections, ["[Unit]", "[Service]", "[Install]"]);
}
