//! The command line, as scripts use it: exit codes, the report's keys, the oracle's lines.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::Mosquitto;
use common::hub::hub;
use serde_json::Value;

fn device_sim(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_device-sim"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("runs")
}

fn words(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn load_writes_report_and_oracle() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a folder");
    let url = broker.url();
    let args = "--connections 3 --rate 300 --window 5 --seconds 1 --payload-bytes 200 --acked a --report r.json --run r7";
    let args: Vec<&str> = ["load", "--mqtt", &url]
        .into_iter()
        .chain(args.split(' '))
        .collect();
    let output = device_sim(folder.path(), &args);
    assert!(output.status.success(), "{}", words(&output));
    let report = std::fs::read_to_string(folder.path().join("r.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    for key in [
        "published",
        "acknowledged",
        "seconds",
        "msgs_per_s",
        "reconnects",
    ] {
        assert!(report[key].is_number(), "{key} in {report}");
    }
    for key in ["p50", "p99", "max"] {
        assert!(report["puback_ms"][key].is_number(), "{key} in {report}");
    }
    let acked = std::fs::read_to_string(folder.path().join("a")).expect("an oracle");
    assert_eq!(report["acknowledged"], acked.lines().count());
    assert!(
        acked
            .lines()
            .any(|line| line == "load-00001 r7-001-000000000")
    );
}

#[test]
fn mistakes_on_the_command_line_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    for (args, what) in [
        ("load --acked a", "--mqtt"),
        (
            "load --mqtt 127.0.0.1:1 --acked a --rate fast",
            "above 0, or `max`",
        ),
        (
            "load --mqtt 127.0.0.1:1 --acked a --payload-bytes 9",
            "at least",
        ),
        (
            "load --mqtt 127.0.0.1:1 --acked a --kind access.grant",
            "unknown kind",
        ),
        ("load --mqtt ftp://x --acked a", "is not an MQTT address"),
        ("load --credentials none.json --acked a", "none.json"),
        ("run --credentials none.json", "none.json"),
        (
            "verify --acked none --api http://127.0.0.1:1 --token t",
            "none",
        ),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let output = device_sim(folder.path(), &args);
        assert!(!output.status.success(), "{args:?}");
        assert!(
            words(&output).contains(what),
            "{args:?}: {}",
            words(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_ends_with_1_when_something_is_lost_and_with_0_when_nothing_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = ["1", "2", "3"].map(|id| ("door-1".to_owned(), id.to_owned()));
    let api = hub(stored.to_vec()).await;
    let verify = |acked: &str| {
        std::fs::write(folder.path().join("a"), acked).expect("writes");
        let args = [
            "verify",
            "--acked",
            "a",
            "--api",
            &api,
            "--token",
            "secret",
            "--wait-seconds",
            "1",
        ];
        tokio::task::block_in_place(|| device_sim(folder.path(), &args))
    };
    let good = verify("door-1 1\ndoor-1 3\n");
    assert_eq!(good.status.code(), Some(0), "{}", words(&good));
    let lost = verify("door-1 1\ndoor-1 4\n");
    assert_eq!(lost.status.code(), Some(1), "{}", words(&lost));
    assert!(words(&lost).contains("lost door-1 4"), "{}", words(&lost));
    let nothing = verify("");
    assert_eq!(
        nothing.status.code(),
        Some(1),
        "an empty oracle proves nothing"
    );
}

#[test]
fn scenarios_are_listed_and_a_rule_without_one_is_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = device_sim(folder.path(), &["scenarios"]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("forced-door"), "{}", words(&output));

    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config/rules");
    let shipped = shipped.display().to_string();
    let output = device_sim(folder.path(), &["scenarios", "--rules", &shipped]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("blacklisted-plate"));

    let rules = std::fs::read_to_string(format!("{shipped}/hub.toml")).expect("ships");
    let other = rules.replace("id = \"HUB1\"", "id = \"OTHER\"").replace(
        "kinds = [\"gateway.rejected\"]",
        "kinds = [\"env.water_leak\"]",
    );
    std::fs::write(folder.path().join("other.toml"), other).expect("writes");
    let output = device_sim(folder.path(), &["scenarios", "--rules", "."]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("1 rules have no scenario"),
        "{}",
        words(&output)
    );
}
