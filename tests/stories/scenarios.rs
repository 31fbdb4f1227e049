//! Every scenario that ships, through the whole hub: simulated devices, real MQTT, rules, and the incident that must come of it.

use std::collections::BTreeSet;
use std::time::Duration;

use blackbox::{Hub, eventually};
use serde_json::Value;

/// A scenario and the incident that the station must get.
struct Case {
    scenario: &'static str,
    rule: &'static str,
    severity: &'static str,
    lead: &'static str,
    with: &'static [&'static str],
    device: &'static str,
}

/// Two lanes of about the same length; each plays one scenario after the other, so at most two hubs run at once.
const LANES: [&[Case]; 2] = [
    &[
        Case {
            scenario: "detector-goes-silent",
            rule: "S7",
            severity: "P3",
            lead: "property",
            with: &["fire"],
            device: "smoke-q2-0203",
        },
        Case {
            scenario: "smoke-in-one-flat",
            rule: "S1",
            severity: "P1",
            lead: "fire",
            with: &["police"],
            device: "smoke-q1-0215",
        },
        Case {
            scenario: "e-bike-in-lift",
            rule: "C1",
            severity: "P2",
            lead: "property",
            with: &["fire"],
            device: "cam-q1-0405",
        },
    ],
    &[
        Case {
            scenario: "refused-card",
            rule: "A4",
            severity: "P3, at night P2",
            lead: "police",
            with: &["property"],
            device: "door-q5-0303",
        },
        Case {
            scenario: "confirmed-fire",
            rule: "S2",
            severity: "P1",
            lead: "fire",
            with: &["police", "traffic", "property"],
            device: "smoke-q1-0216",
        },
        Case {
            scenario: "blacklisted-plate",
            rule: "B1",
            severity: "P2",
            lead: "police",
            with: &["traffic"],
            device: "gate-q4-0101",
        },
        Case {
            scenario: "forced-door",
            rule: "A1",
            severity: "P2",
            lead: "police",
            with: &["property"],
            device: "door-q3-0302",
        },
    ],
];

#[tokio::test]
async fn each_scenario_becomes_the_incident_it_is_told_for() {
    let [one, other] = LANES;
    tokio::join!(lane(one), lane(other));
}

/// Everything at once: a rule that opens no incident of its own (a notice, or one that another takes over) is told in the log.
#[tokio::test]
async fn what_can_ring_within_a_minute_and_a_half_does_so_over_mqtt() {
    let mut wanted = rules_of("everything");
    // by night one who slips in rings as A3n, by day as the notice A3
    wanted.remove("A3");
    assert!(wanted.len() >= 45, "{wanted:?}");
    let dir = tempfile::tempdir().expect("a directory");
    let report = dir.path().join("report.json").display().to_string();
    let arguments = ["--scenario", "everything", "--report", &report];
    let hub = Hub::start_with(dir.path(), &arguments).await;
    let api = hub.api("operator");
    let what = "every rule of the scenario `everything`";
    eventually(what, Duration::from_mins(3), || async {
        let incidents = api.items("/api/v1/incidents?limit=200").await.ok()?;
        let log = hub.log();
        let opened = incidents.iter().filter_map(|i| i["rule"].as_str());
        let matched = log.lines().filter(|line| line.contains("rule matched"));
        let rang: BTreeSet<&str> = opened.chain(matched.filter_map(rule_in)).collect();
        let missing: Vec<_> = wanted
            .iter()
            .filter(|r| !rang.contains(r.as_str()))
            .collect();
        eprintln!("missing {missing:?}");
        missing.is_empty().then_some(())
    })
    .await;
    assert!(hub.stop().await.success());
    let text = std::fs::read(&report).expect("a report");
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(report["lost"], 0, "{report}");
}

/// The rule's id in a line of the log.
fn rule_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("rule.id=")?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .find(|word| !word.is_empty())
}

/// The rules that a shipped scenario fires: what its file names, and what the scenarios that it includes do.
fn rules_of(name: &str) -> BTreeSet<String> {
    let path = blackbox::repository().join(format!("device-sim/scenarios/{name}.toml"));
    let text = std::fs::read_to_string(path).expect("it ships");
    let file: toml::Table = text.parse().expect("TOML");
    let list = |key: &str| file.get(key).and_then(toml::Value::as_array).cloned();
    let own = list("fires").unwrap_or_default();
    let own = own
        .iter()
        .filter_map(toml::Value::as_str)
        .map(str::to_owned);
    let included = list("include").unwrap_or_default();
    let included = included.iter().filter_map(|i| i["scenario"].as_str());
    own.chain(included.flat_map(rules_of)).collect()
}

async fn lane(cases: &[Case]) {
    for case in cases {
        play(case).await;
    }
}

async fn play(case: &Case) {
    let dir = tempfile::tempdir().expect("a directory");
    let report = dir.path().join("report.json").display().to_string();
    let arguments = [
        "--scenario",
        case.scenario,
        "--devices",
        "40",
        "--report",
        &report,
    ];
    let hub = Hub::start_with(dir.path(), &arguments).await;
    let api = hub.api("operator");
    let what = format!("an incident of rule {} in {}", case.rule, case.scenario);
    let incident = eventually(&what, Duration::from_secs(45), || async {
        let all = api.items("/api/v1/incidents?limit=200").await.ok()?;
        all.into_iter().find(|i| i["rule"] == case.rule)
    })
    .await;
    check(case, &incident);

    // as the operator opens it: with who has been sent and what it came of
    let id = incident["id"].as_str().expect("an id");
    let full = api
        .get(&format!("/api/v1/incidents/{id}"))
        .await
        .expect("the incident");
    let tasks = full["tasks"].as_array().expect("tasks");
    if full["state"] == "dispatched" {
        let leads: Vec<_> = tasks.iter().filter(|t| t["lead"] == true).collect();
        assert_eq!(leads.len(), 1, "{what}: {tasks:?}");
        assert_eq!(leads[0]["department"], case.lead, "{what}");
        assert_eq!(tasks.len(), 1 + case.with.len(), "{what}: {tasks:?}");
    } else {
        // an operator looks first, unless it is P1
        assert_eq!(full["state"], "open", "{what}: {full}");
        assert_ne!(full["severity"], "P1", "{what}: {full}");
        assert!(tasks.is_empty(), "{what}: {tasks:?}");
    }
    assert!(
        full["timeline"].as_array().is_some_and(|t| !t.is_empty()),
        "{full}"
    );

    assert!(hub.stop().await.success(), "{what}");
    let text = std::fs::read(&report).expect("a report");
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(report["lost"], 0, "{what}: {report}");
    assert_eq!(report["published"], report["acknowledged"], "{what}");
    assert_eq!(report["quarantined"], 0, "{what}: {report}");
    assert!(report["incidents"].as_u64() >= Some(1), "{what}: {report}");
}

fn check(case: &Case, incident: &Value) {
    let what = format!("{}: {incident}", case.scenario);
    let severity = incident["severity"].as_str().expect("a severity");
    let expected = match case.severity.split_once(", at night ") {
        Some((_, night)) if is_night(incident["opened_at"].as_str().expect("a time")) => night,
        Some((day, _)) => day,
        None => case.severity,
    };
    assert_eq!(severity, expected, "{what}");
    assert_eq!(incident["lead"], case.lead, "{what}");
    assert_eq!(incident["device"], case.device, "{what}");
    let mut departments: Vec<_> = incident["departments"]
        .as_array()
        .expect("departments")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut sent: Vec<_> = case.with.iter().copied().chain([case.lead]).collect();
    departments.sort_unstable();
    sent.sort_unstable();
    assert_eq!(departments, sent, "{what}");
}

/// 23:00 to 06:00 where the compound is, eight hours before the Z of the API.
fn is_night(opened_at: &str) -> bool {
    let hour: u32 = opened_at
        .split_once('T')
        .and_then(|(_, time)| time.get(..2))
        .and_then(|hour| hour.parse().ok())
        .expect("an RFC 3339 time");
    let hour = (hour + 8) % 24;
    !(6..23).contains(&hour)
}
