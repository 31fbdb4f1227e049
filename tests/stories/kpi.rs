//! Key figures: computed from what people really did, the same bytes from API and command line, after more has happened, after a
//! restart and from a copy; a table that no spreadsheet takes for formulas; and what cannot be said is said to be missing.

use std::path::Path;
use std::time::Duration;

use blackbox::{Hub, Tool, bin, publish};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const SPAN: &str = "from=2020-Q1&to=2100-Q1";

async fn bytes(hub: &Hub, query: &str) -> Vec<u8> {
    let url = format!("{}/api/v1/kpi?{SPAN}&{query}", hub.demo.http);
    let client = reqwest::Client::builder().no_proxy().build();
    let reply = client
        .expect("a client")
        .get(url)
        .bearer_auth(&hub.demo.user("auditor").token)
        .send()
        .await
        .expect("answers");
    assert_eq!(reply.status().as_u16(), 200);
    reply.bytes().await.expect("a body").to_vec()
}

async fn printed(dir: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(bin("gateway"));
    command
        .args(["kpi", "--from", "2020-Q1", "--to", "2100-Q1"])
        .args(arguments)
        .env("JIMING__DATA__DIR", dir);
    let outcome = Tool::start_command("gateway", &mut command)
        .finish(Duration::from_mins(1))
        .await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.stdout
}

fn smoke(hub: &Hub, device: usize, id: &str) {
    let detectors = hub.demo.devices.iter().filter(|d| d.class == "fire_sensor");
    let detector = detectors.collect::<Vec<_>>()[device].clone();
    let smoke = json!({"id": id, "kind": "fire.smoke", "phase": "raised"}).to_string();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, smoke.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
}

#[tokio::test]
async fn the_ranking_is_the_same_bytes_whenever_and_wherever_it_is_computed() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    smoke(&hub, 0, "kpi-1");
    let (operator, fire) = (hub.api("operator"), hub.api("responder"));
    let incident = operator.incident_of("S1").await;
    let id = incident["id"].as_str().expect("an id").to_owned();
    operator.advance(&id, "acknowledge", json!({})).await;
    fire.advance(&id, "claim", json!({})).await;
    fire.advance(&id, "arrive", json!({})).await;

    let answer = bytes(&hub, "by=department").await;
    let kpi: Value = serde_json::from_slice(&answer).expect("JSON");
    let ranking = &kpi["ranking"];
    assert_eq!(ranking["total"]["incidents"], 1);
    assert_eq!(ranking["missed_p1"], json!([]));
    let groups = ranking["groups"].as_array().expect("groups");
    let group = groups.iter().find(|g| g["name"] == "fire");
    let times = group.expect("fire led")["times"].as_array();
    let times = times.expect("times");
    let of = |stage: &str| times.iter().find(|m| m["stage"] == stage).expect("timed");
    for stage in ["acknowledge", "claim", "arrive"] {
        let measured = of(stage);
        assert_eq!(measured["in_time"], 1, "{stage}: {measured}");
        assert!(measured["p90"]["ms"].is_u64(), "{stage}: {measured}");
    }
    let p50 = &of("resolve")["p50"];
    assert!(p50["more_than_ms"].is_u64(), "nothing is resolved: {p50}");
    assert_eq!(ranking["scores"][0]["department"], "fire");
    let missing = kpi["not_answered"].as_array().expect("a list");
    assert!(missing.iter().any(|n| n["kpi"] == "delivery_by_channel"));
    assert!(kpi["duty"]["changes"].is_u64(), "{}", kpi["duty"]);

    // the load of the seats: up to now and not to the end of the span, in parts, beside what is asked
    let load = &kpi["load"];
    assert!(load["until"].as_str() < Some("2100"), "{load}");
    let figures = load["figures"].as_array().expect("figures");
    let p1 = figures.iter().find(|f| f["figure"] == "p1_permille");
    assert_eq!(p1.expect("there")["value"], 1000);
    assert!(figures.iter().all(|f| f["source"].as_str() > Some("")));
    let rung = |step: &Value| step["rung"].as_u64().expect("a count");
    let steps = load["steps"].as_array().expect("steps");
    assert_eq!(steps.iter().map(rung).sum::<u64>(), 1);
    for (table, head) in [
        ("figures", "figure,value,good,at_most,source"),
        ("steps", "from,rung,peak_10_min,flood_periods"),
        ("sources", "rule,subject,n"),
        (
            "listed",
            "why,rule,subject,site,severity,since,until,reason",
        ),
    ] {
        let sheet = bytes(&hub, &format!("format=csv&table={table}")).await;
        let sheet = String::from_utf8(sheet).expect("UTF-8");
        let start = format!("\u{feff}{head}\r\n");
        assert!(sheet.starts_with(&start), "{table}: {sheet}");
    }
    let book = bytes(&hub, "format=xlsx&table=figures").await;
    assert!(book.starts_with(b"PK"));

    let as_of = &ranking["as_of"];
    let row = as_of.to_string();
    let as_of = format!("by=department&as_of={row}&format=canonical");
    let canonical = bytes(&hub, &as_of).await;
    let sum = hex::encode(Sha256::digest(&canonical));
    assert_eq!(kpi["sha256"], sum);

    // it goes on
    smoke(&hub, 20, "kpi-2");
    blackbox::eventually("another incident", Duration::from_secs(20), || async {
        let items = operator.items("/api/v1/incidents").await.ok()?;
        (items.len() > 1).then_some(())
    })
    .await;
    let done = json!({"note": "锅烧干了", "department": "fire"});
    fire.advance(&id, "progress", done).await;
    let hands = json!({"note": "归公安", "department": "fire"});
    fire.advance(&id, "hand_back", hands).await;
    assert_eq!(bytes(&hub, &as_of).await, canonical);
    assert_ne!(
        bytes(&hub, "by=department&format=canonical").await,
        canonical
    );
    let beside = printed(dir.path(), &["--as-of", &row, "--canonical"]).await;
    assert_eq!(beside.as_bytes(), canonical, "beside the running hub");

    hub.kill9();
    let hub = Hub::start(dir.path()).await;
    assert_eq!(bytes(&hub, &as_of).await, canonical, "after a crash");
    assert!(hub.stop().await.success());

    let copy = tempfile::tempdir().expect("a directory");
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        if dir.path().join(name).exists() {
            std::fs::copy(dir.path().join(name), copy.path().join(name)).expect("copied");
        }
    }
    let copied = printed(copy.path(), &["--as-of", &row, "--canonical"]).await;
    assert_eq!(copied.as_bytes(), canonical, "from a copy");
    let sheet = printed(copy.path(), &["--by", "quarter", "--csv"]).await;
    let mut lines = sheet.lines();
    let head = lines.next().expect("a head");
    assert!(head.starts_with("\u{feff}group,incidents,"), "{head}");
    assert!(
        lines.next().is_some_and(|line| line.starts_with('q')),
        "{sheet}"
    );
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_with_a_hint() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    for (query, hint) in [
        ("from=2026-Q5&to=2027-Q1", "2026-Q4"),
        (
            "from=2027-01-01&to=2027-01-01",
            "`from` counts, `to` does not",
        ),
        ("from=2026&to=2027-Q1", "is no moment"),
        ("from=2026-Q1&to=2026-Q2&by=person", "unknown grouping"),
        (
            "from=2026-Q1&to=2026-Q2&as_of=999999",
            "the audit trail ends at",
        ),
        (
            "from=2026-Q1&to=2026-Q2&format=pdf",
            "json, csv, xlsx and canonical",
        ),
        (
            "from=2026-Q1&to=2026-Q2&format=csv&table=people",
            "figures, steps, sources and listed",
        ),
        ("to=2026-Q2", "from"),
    ] {
        let path = format!("/api/v1/kpi?{query}");
        let (status, answer) = hub.api("auditor").get_raw(&path).await.expect("answers");
        assert_eq!(status, 400, "{query}: {answer}");
        let detail = answer["detail"].as_str().expect("a detail");
        assert!(detail.contains(hint), "{query}: {detail}");
    }
}
