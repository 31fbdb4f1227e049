//! Rules as those who write them meet them: checked, tested, tried on the past, and changed while the hub runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blackbox::{Device, Hub, Outcome, eventually, publish, repository, run};
use serde_json::{Value, json};

/// `EX_USAGE`: the configuration is wrong.
const USAGE: Option<i32> = Some(64);

/// A rule of a site of its own: a detector's test button.
pub(crate) const LOCAL: &str = r#"
[[rule]]
id = "LOC1"
title_zh = "探测器测试"
title_en = "Detector test button"
severity = "P2"
subject = "device"
dedupe_s = 3600
lead = "fire"
sop_zh = ["看"]
sop_en = ["look"]
[rule.when]
is = "match"
kinds = ["device.test"]
[[rule.case]]
name = "it rings"
events = [{ at_s = 0, device = "smoke-1", kind = "device.test" }]
expect = [{ at_s = 0, what = "raised", subject = "device:smoke-1" }]
[[test_device]]
id = "smoke-1"
class = "fire_sensor"
zone = "floor-6"
"#;

/// The shipped rules in a folder of their own, and a configuration that names it.
pub(crate) fn own_rules(dir: &Path) -> (PathBuf, String) {
    let rules = dir.join("rules");
    std::fs::create_dir_all(&rules).expect("made");
    let shipped = repository().join("deploy/config/rules");
    for entry in std::fs::read_dir(shipped).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, rules.join(path.file_name().expect("a name"))).expect("copied");
    }
    let config = dir.join("gateway.toml");
    let (own, data) = (rules.display(), dir.join("data"));
    let text = format!(
        "[rules]\ndir = '{own}'\n[data]\ndir = '{}'\n",
        data.display()
    );
    std::fs::write(&config, text).expect("written");
    (rules, config.display().to_string())
}

pub(crate) fn says(hub: &Hub, device: &Device, kind: &str, id: &str) {
    let payload = json!({"id": id, "kind": kind, "phase": "instant", "attrs": {}});
    let payload = payload.to_string().into_bytes();
    let topic = device.event_topic(kind);
    let out = publish(&hub.demo, device, &topic, &payload, 1, "mqttv5");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

#[tokio::test]
async fn mistakes_are_listed_and_cases_are_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let (rules, config) = own_rules(dir.path());
    let local = rules.join("local.toml");
    std::fs::write(&local, LOCAL).expect("written");
    let checked = run("gateway", &["rules", "check", "--config", &config]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("cases are good"), "{checked:?}");
    let tested = run("gateway", &["rules", "test", "--config", &config]).await;
    assert_eq!(tested.code, Some(0), "{tested:?}");
    let line = |text: &str, id: &str| -> String {
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with(&format!("{id} ")))
            .unwrap_or_else(|| panic!("no line of {id} in {text}"))
            .to_owned()
    };
    assert!(line(&tested.stdout, "LOC1").contains("1 cases  ok"));
    assert!(line(&tested.stdout, "S2").contains("ok"));

    // a rule that does not do what its case says
    let wrong = LOCAL.replace("what = \"raised\"", "what = \"cleared\"");
    std::fs::write(&local, wrong).expect("written");
    let tested = run("gateway", &["rules", "test", "--config", &config]).await;
    assert_eq!(tested.code, Some(1), "{tested:?}");
    assert!(line(&tested.stdout, "LOC1").contains("FAILED"));
    for part in [
        "local.toml:15: rule LOC1: case `it rings`",
        "expected [Cleared",
    ] {
        assert!(tested.stdout.contains(part), "{part}: {}", tested.stdout);
    }

    // two mistakes are two lines
    let wrong = LOCAL
        .replace("\"P2\"", "\"P9\"")
        .replace("\"fire\"", "\"fier\"");
    std::fs::write(&local, wrong).expect("written");
    for command in ["check", "test"] {
        let outcome = run("gateway", &["rules", command, "--config", &config]).await;
        assert_eq!(outcome.code, USAGE, "{outcome:?}");
        for part in [
            "local.toml:6: rule LOC1: field `severity`: unknown severity `P9`",
            "local.toml:9: rule LOC1: field `lead`: unknown department `fier` (hint: did you mean `fire`?)",
        ] {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
    }
}

/// Rules that the API knows.
async fn known(hub: &Hub) -> Vec<String> {
    let meta = hub.api("operator").get("/api/v1/meta").await.expect("meta");
    let rules = meta["rules"].as_array().cloned().unwrap_or_default();
    let ids = rules.iter().filter_map(|rule| rule["id"].as_str());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn rules_change_while_the_hub_runs_and_the_past_rings_as_it_did() {
    let dir = tempfile::tempdir().expect("a directory");
    let (rules, config) = own_rules(dir.path());
    let local = rules.join("local.toml");
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let folder = rules.display().to_string();
    let hub = Hub::start_set(&data, &[("JIMING__RULES__DIR", &folder)]).await;
    let api = hub.api("operator");
    let detector = hub.demo.device("fire_sensor").clone();
    assert!(!known(&hub).await.contains(&"LOC1".to_owned()));

    // a new rule works within seconds, in the API and in the detector
    std::fs::write(&local, LOCAL).expect("written");
    let soon = Duration::from_secs(20);
    eventually("the API knows the new rule", soon, || async {
        known(&hub).await.contains(&"LOC1".to_owned()).then_some(())
    })
    .await;
    says(&hub, &detector, "device.test", "t-1");
    api.incident_of("LOC1").await;

    // a mistake rings, names itself, and the last good version goes on
    std::fs::write(&local, LOCAL.replace("\"P2\"", "\"P9\"")).expect("written");
    let told = api.incident_of("HUB6").await;
    assert!(told.to_string().contains("unknown severity `P9`"), "{told}");
    assert!(known(&hub).await.contains(&"LOC1".to_owned()));
    let other = hub.demo.devices.iter();
    let other = other
        .clone()
        .find(|d| d.class == "fire_sensor" && d.id != detector.id)
        .expect("a second detector")
        .clone();
    says(&hub, &other, "device.test", "t-2");
    eventually("the bad rule rings as before", soon, || async {
        let items = api
            .items("/api/v1/incidents?state=active&limit=200")
            .await
            .ok()?;
        let of_rule = items.iter().filter(|i| i["rule"] == "LOC1").count();
        (of_rule == 2).then_some(())
    })
    .await;

    // mended
    std::fs::write(&local, LOCAL).expect("written");
    eventually("the mended file is taken", soon, || async {
        let last = hub.log();
        let last = last
            .lines()
            .rev()
            .find(|l| l.contains("rule files read again"))?;
        last.contains("rules.mistakes=0").then_some(())
    })
    .await;
    // the whole way of an event: what came before it has been projected into history
    let smoke = json!({"id": "s-1", "kind": "fire.smoke", "phase": "raised", "attrs": {}});
    let payload = smoke.to_string().into_bytes();
    let topic = detector.event_topic("fire.smoke");
    assert!(
        publish(&hub.demo, &detector, &topic, &payload, 1, "mqttv5")
            .status
            .success()
    );
    api.incident_of("S1").await;
    let items = api
        .items("/api/v1/incidents?state=active&limit=200")
        .await
        .expect("a list");
    let mut rang: Vec<String> = items.iter().map(about).collect();
    assert!(hub.stop().await.success());

    let tried = backtest(&config, &["--json"]).await;
    assert_eq!(tried.code, Some(0), "{tried:?}");
    let report: Value = serde_json::from_str(&tried.stdout).expect("JSON");
    let mut would: Vec<String> = report["alarms"]
        .as_array()
        .expect("alarms")
        .iter()
        .map(about)
        .collect();
    rang.sort_unstable();
    would.sort_unstable();
    assert_eq!(would, rang, "{report:#}");
    assert_eq!(report["leads"]["fire"], 3, "{report:#}");

    // one rule only, as a table
    let tried = backtest(&config, &["--rule", "LOC1"]).await;
    assert!(tried.stdout.contains("2 alarms"), "{tried:?}");
    let unknown = backtest(&config, &["--rule", "LOC9"]).await;
    assert!(
        unknown.stderr.contains("unknown rule `LOC9`"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_changed_rule_that_fails_its_own_case_is_not_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let (rules, _) = own_rules(dir.path());
    let (local, other) = (rules.join("local.toml"), rules.join("other.toml"));
    std::fs::write(&local, LOCAL).expect("written");
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let folder = rules.display().to_string();
    let hub = Hub::start_set(&data, &[("JIMING__RULES__DIR", &folder)]).await;
    let api = hub.api("operator");
    assert!(known(&hub).await.contains(&"LOC1".to_owned()));

    // LOC1 listens for something else than its case sends, LOC2 is good
    let deaf = LOCAL.replace("kinds = [\"device.test\"]", "kinds = [\"device.tamper\"]");
    std::fs::write(&local, deaf).expect("written");
    std::fs::write(&other, LOCAL.replace("LOC1", "LOC2")).expect("written");
    let told = api.incident_of("HUB6").await.to_string();
    assert!(
        told.contains("local.toml:15: rule LOC1: case `it rings`"),
        "{told}"
    );
    assert!(known(&hub).await.contains(&"LOC2".to_owned()));
    let log = hub.log();
    let line = log.lines().find(|line| line.contains("rule not taken"));
    assert!(
        line.is_some_and(|line| line.contains("rule LOC1: case `it rings`")),
        "{log}"
    );
    let detector = hub.demo.device("fire_sensor").clone();
    says(&hub, &detector, "device.test", "t-1");
    for rule in ["LOC1", "LOC2"] {
        api.incident_of(rule).await;
    }
}

/// Rule and subject of an alarm or incident.
fn about(it: &Value) -> String {
    format!("{} {}", it["rule"], it["subject"])
}

async fn backtest(config: &str, more: &[&str]) -> Outcome {
    let mut arguments = vec!["rules", "backtest", "--config", config];
    arguments.extend(["--from", "2020-01-01T00:00:00Z"]);
    arguments.extend(["--to", "2100-01-01T00:00:00Z"]);
    arguments.extend(more);
    run("gateway", &arguments).await
}
