//! Every scenario that ships, through the whole hub: simulated devices, real MQTT, rules, and the incident that must come of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use blackbox::{Hub, eventually, run};
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

/// Two ticks of the detector.
const TICKS: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

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
    let rang = api.items("/api/v1/alarms?limit=500").await;
    let rang = rang.expect("a list of alarms");
    assert!(rang.len() < 500, "one page holds all");
    assert!(hub.stop().await.success());
    let text = std::fs::read(&report).expect("a report");
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(report["lost"], 0, "{report}");
    replayed_it_rings_the_same(dir.path(), &rang).await;
}

/// `gateway rules backtest` over what the demo stored raises what the demo raised while it ran, nothing more and nothing less.
async fn replayed_it_rings_the_same(dir: &Path, rang: &[Value]) {
    let time = |alarm: &Value, field: &str| -> jiff::Timestamp {
        let at = alarm[field].as_str().expect("a time");
        at.parse().expect("RFC 3339")
    };
    let raised_at = |alarm: &Value| time(alarm, "raised_at");
    let mut times: Vec<_> = rang.iter().map(raised_at).collect();
    times.sort_unstable();
    // something is always about to ring: both are cut in the longest silence of the second half
    let late = &times[times.len() / 2..];
    let gap = late
        .windows(2)
        .max_by_key(|pair| pair[1].duration_since(pair[0]));
    let [before, after] = gap.expect("several alarms") else {
        unreachable!("windows of two");
    };
    let cut = *before + after.duration_since(*before) / 2;
    // what the station finds itself stands in no stored event: its ladder (E1), chattering alarms (HUB5)
    let is_of_events = |alarm: &&Value| !["E1", "HUB5"].iter().any(|rule| alarm["rule"] == *rule);
    let lived = rang.iter().filter(is_of_events);
    let lived: Vec<&Value> = lived.filter(|a| raised_at(a) < cut).collect();

    let config = dir.join("backtest.toml");
    std::fs::write(&config, format!("[data]\ndir = '{}'\n", dir.display())).expect("written");
    let config = config.display().to_string();
    let to = cut.to_string();
    let arguments = [
        "rules",
        "backtest",
        "--json",
        "--config",
        &config,
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        &to,
    ];
    let tried = run("gateway", &arguments).await;
    assert_eq!(tried.code, Some(0), "{tried:?}");
    let told: Value = serde_json::from_str(&tried.stdout).expect("JSON");
    let would: Vec<&Value> = told["alarms"].as_array().expect("alarms").iter().collect();
    // what time brings is found up to a tick later by a hub that runs: around the cut one may have what the other has not yet
    let only = |one: &[&Value], other: &[&Value], field: &str| -> Vec<String> {
        let others: BTreeSet<String> = other.iter().map(|alarm| about(alarm)).collect();
        let is_before = |alarm: &&&Value| cut.duration_since(time(alarm, field)) > TICKS;
        let own = one.iter().filter(is_before).map(|alarm| about(alarm));
        own.filter(|about| !others.contains(about)).collect()
    };
    let missing = only(&lived, &would, "raised_at");
    let more = only(&would, &lived, "at");
    assert!(
        missing.is_empty() && more.is_empty(),
        "rang and would not: {missing:?}; would and did not: {more:?}"
    );
    println!(
        "{} alarms of {} events until {cut}: the replay raises the same",
        would.len(),
        told["events"]
    );
}

/// Rule and subject of an alarm; of a plate or a card as much as the API shows.
fn about(alarm: &Value) -> String {
    let subject = alarm["subject"].as_str().expect("a subject");
    let subject = match subject.split_once(':') {
        Some((what @ ("plate" | "credential" | "person"), text)) => {
            let (text, place) = text.split_once('@').expect("a place");
            let start: String = text.chars().take(4).collect();
            format!("{what}:{start}***@{place}")
        }
        _ => subject.to_owned(),
    };
    format!("{} {subject}", alarm["rule"])
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
