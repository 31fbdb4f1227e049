//! Rules as those meet them who look after them: listed, tried on the past, and saved while the hub runs.

use std::path::Path;
use std::time::Duration;

use blackbox::{Browser, Hub, eventually};
use serde_json::{Value, json};

use crate::rule_files::{LOCAL, own_rules, says};

const SOON: Duration = Duration::from_secs(20);

/// A hub over the shipped rules and one more in a directory of its own.
pub(crate) async fn hub_with_local(dir: &Path) -> (Hub, std::path::PathBuf) {
    let (rules, _) = own_rules(dir);
    std::fs::write(rules.join("local.toml"), LOCAL).expect("written");
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let folder = rules.display().to_string();
    let hub = Hub::start_set(&data, &[("JIMING__RULES__DIR", &folder)]).await;
    (hub, rules)
}

async fn put(hub: &Hub, role: &str, rule: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().put(format!("{}/api/v1/rules/{rule}", hub.demo.http));
    let request = request.bearer_auth(&hub.demo.user(role).token).json(body);
    let reply = request.send().await.expect("answers");
    let status = reply.status().as_u16();
    (status, reply.json().await.expect("JSON"))
}

async fn tried(hub: &Hub, role: &str, rule: &str, text: &str) -> Value {
    let body = json!({"rule": rule, "text": text});
    let api = hub.api(role);
    let answer = api.post("/api/v1/rules/trial", "none", &body).await;
    let (status, answer) = answer.expect("answers");
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn listed(hub: &Hub, role: &str, rule: &str) -> Value {
    let items = hub.api(role).items("/api/v1/rules").await.expect("a list");
    let found = items.into_iter().find(|item| item["id"] == rule);
    found.unwrap_or_else(|| panic!("{rule} is not listed"))
}

#[tokio::test]
async fn a_rule_is_tried_on_the_past_and_saved() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, rules) = hub_with_local(dir.path()).await;
    let file = rules.join("local.toml");
    let api = hub.api("property_manager");
    let mut detectors = hub.demo.devices.iter().filter(|d| d.class == "fire_sensor");
    let mut next = || detectors.next().expect("a detector").clone();
    let (one, two, three) = (next(), next(), next());

    // what stands in the list, and how often it rang
    says(&hub, &one, "device.test", "t-1");
    says(&hub, &two, "device.test", "t-2");
    says(&hub, &one, "device.end_of_life", "t-3");
    eventually("both alarms are counted", SOON, || async {
        (listed(&hub, "property_manager", "LOC1").await["told_7d"] == 2).then_some(())
    })
    .await;
    eventually("history knows the third event", SOON, || async {
        let path = format!("/api/v1/events?device={}&kind=device.end_of_life", one.id);
        (!api.items(&path).await.ok()?.is_empty()).then_some(())
    })
    .await;
    let item = listed(&hub, "property_manager", "LOC1").await;
    for (name, value) in [
        ("title_zh", json!("探测器测试")),
        ("title_en", json!("Detector test button")),
        ("sort", json!("match")),
        ("severity", json!("P2")),
        ("lead", json!("fire")),
        ("file", json!("local.toml")),
        ("cases", json!(1)),
        ("cases_failed", json!(0)),
        ("is_kept", json!(false)),
        ("may_change", json!(false)),
    ] {
        assert_eq!(item[name], value, "{name} of {item}");
    }
    assert_eq!(
        listed(&hub, "station_lead", "LOC1").await["may_change"],
        true
    );

    // its text without the stage, which stands beside it
    let detail = api.get("/api/v1/rules/LOC1").await.expect("a rule");
    let text = detail["text"].as_str().expect("a text").to_owned();
    assert!(
        text.starts_with("[[rule]]") && !text.contains("test_device"),
        "{text}"
    );
    assert!(
        detail["stage"]
            .as_str()
            .is_some_and(|s| s.contains("smoke-1"))
    );
    assert_eq!(detail["version"], item["version"]);

    // a wider condition, on what has happened: one more than the rule at work, and nothing is written
    let before = std::fs::read_to_string(&file).expect("there");
    let wide = text.replace(
        "kinds = [\"device.test\"]",
        "kinds = [\"device.test\", \"device.end_of_life\"]\nphases = [\"instant\"]",
    );
    let narrow = wide.replace("severity = \"P2\"", "severity = \"P3\"");
    let told = tried(&hub, "property_manager", "LOC1", &narrow).await;
    let run = &told["run"];
    assert_eq!(run["was"]["raised"], 2, "{told:#}");
    // the same detector within its `dedupe_s` is the same alarm
    assert_eq!(run["would"]["raised"], 2, "{told:#}");
    assert_eq!(run["was"]["by_severity"], json!([0, 2, 0, 0]));
    assert_eq!(run["would"]["by_severity"], json!([0, 0, 2, 0]));
    assert_eq!(
        run["would"]["leads"],
        json!([{"department": "fire", "n": 2}])
    );
    assert_eq!(
        run["would"]["first"][0]["subject"],
        format!("device:{}", one.id)
    );
    let hours: u64 = run["would"]["hours"]
        .as_array()
        .expect("hours")
        .iter()
        .filter_map(|hour| hour["n"].as_u64())
        .sum();
    assert_eq!((hours, &run["cut"]), (2, &Value::Null));
    assert!(told["refused"].is_string(), "{told:#}");
    let other = wide.replace(
        "kinds = [\"device.test\", \"device.end_of_life\"]",
        "kinds = [\"device.end_of_life\"]",
    );
    let other = other.replace("kind = \"device.test\"", "kind = \"device.end_of_life\"");
    let told = tried(&hub, "station_lead", "LOC1", &other).await;
    assert_eq!(told["run"]["would"]["raised"], 1, "{told:#}");
    assert_eq!(std::fs::read_to_string(&file).expect("there"), before);

    // mistakes name the line of the text and the field; a case that fails says what came; another rule is refused
    let wrong = text.replace("\"P2\"", "\"P9\"");
    let told = tried(&hub, "station_lead", "LOC1", &wrong).await;
    let mistake = &told["mistakes"][0];
    assert_eq!(
        (
            &mistake["field"],
            &mistake["text_line"],
            &mistake["line"],
            &told["run"]
        ),
        (&json!("severity"), &json!(5), &json!(6), &Value::Null),
        "{told:#}"
    );
    let deaf = text.replace("kinds = [\"device.test\"]", "kinds = [\"device.tamper\"]");
    let told = tried(&hub, "station_lead", "LOC1", &deaf).await;
    assert_eq!(told["case_failures"][0]["case"], "it rings", "{told:#}");
    assert_eq!(told["case_failures"][0]["text_line"], 14, "{told:#}");
    let renamed = text.replace("LOC1", "LOC9");
    let told = tried(&hub, "station_lead", "LOC1", &renamed).await;
    assert!(
        told["mistakes"]
            .to_string()
            .contains("a rule with another id is a new one"),
        "{told:#}"
    );

    // saved: not by whom it is not for, not over somebody else's change, not with a mistake
    let version = detail["version"].clone();
    let body = |text: &str, version: &Value| json!({"text": text, "expected_version": version, "note": "也听报废"});
    let (status, _) = put(&hub, "property_manager", "LOC1", &body(&narrow, &version)).await;
    assert_eq!(status, 403);
    let (status, told) = put(
        &hub,
        "station_lead",
        "LOC1",
        &body(&wide, &json!("0000000000000000")),
    )
    .await;
    assert_eq!((status, &told["code"]), (409, &json!("version_conflict")));
    assert_eq!(told["version"], version);
    let (status, told) = put(&hub, "station_lead", "LOC1", &body(&deaf, &version)).await;
    assert_eq!((status, &told["code"]), (422, &json!("rule_mistakes")));
    assert_eq!(told["case_failures"][0]["case"], "it rings");
    let unsaid = json!({"text": wide, "expected_version": version, "note": " "});
    assert_eq!(put(&hub, "station_lead", "LOC1", &unsaid).await.0, 422);
    assert_eq!(std::fs::read_to_string(&file).expect("there"), before);
    let (status, saved) = put(&hub, "station_lead", "LOC1", &body(&other, &version)).await;
    assert_eq!(status, 200, "{saved}");
    let after = std::fs::read_to_string(&file).expect("there");
    assert!(
        after.contains("device.end_of_life") && after.contains("[[test_device]]"),
        "{after}"
    );
    let left: Vec<_> = std::fs::read_dir(&rules)
        .expect("a folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    // the detector works with it, and the trail names who, why and both digests
    eventually("the rule at work is the new one", SOON, || async {
        let detail = api.get("/api/v1/rules/LOC1").await.ok()?;
        let is_taken = hub
            .log()
            .lines()
            .any(|l| l.contains("rules changed, all others go on"));
        (detail["version"] == saved["version"] && is_taken).then_some(())
    })
    .await;
    says(&hub, &three, "device.end_of_life", "t-4");
    eventually("it rings for what it did not know", SOON, || async {
        let operator = hub.api("operator");
        let told = operator.items("/api/v1/incidents?limit=200").await.ok()?;
        let of_rule = told.iter().filter(|i| i["rule"] == "LOC1");
        let mut of_rule = of_rule.filter(|i| i["device"] == three.id.as_str());
        of_rule.next().map(|_| ())
    })
    .await;
    let trail = hub.api("auditor").items("/api/v1/audit?limit=200").await;
    let mut lines = trail.expect("a trail").into_iter();
    let line = lines.find(|line| line["act"] == "change_rule");
    let line = line.expect("a line");
    assert_eq!(
        (&line["object"], &line["from"], &line["to"]),
        (&json!("rule:LOC1"), &version, &saved["version"]),
        "{line}"
    );
    assert_eq!(line["actor"], hub.demo.user("station_lead").login.as_str());

    // a new rule of P3 is a property manager's to make, in a file of its own
    let stage = detail["stage"].as_str().expect("a text");
    let new = format!("{}\n{stage}\n", narrow.replace("LOC1", "LOC2"));
    let (status, told) = put(
        &hub,
        "property_manager",
        "LOC2",
        &json!({"text": new, "note": "试行"}),
    )
    .await;
    assert_eq!(status, 200, "{told}");
    assert!(rules.join("loc2.toml").is_file());
    eventually("the new rule is listed", SOON, || async {
        let items = api.items("/api/v1/rules").await.ok()?;
        items
            .into_iter()
            .find(|item| item["id"] == "LOC2" && item["may_change"] == true)
    })
    .await;
    let (status, _) = put(
        &hub,
        "station_lead",
        "..%2Fetc",
        &json!({"text": new, "note": "x"}),
    )
    .await;
    assert_eq!(status, 422);
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn the_rules_that_the_demo_brings_are_saved_for_good_and_tried_one_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let lead = hub.api("station_lead");
    let detail = lead.get("/api/v1/rules/S7").await.expect("a rule");
    assert_eq!(detail["is_built_in"], false);
    let text = detail["text"].as_str().expect("a text");
    let text = text.replace("Detector silent", "Detector says nothing");
    let told = tried(&hub, "station_lead", "S7", &text).await;
    assert_eq!(told["mistakes"], json!([]), "{told:#}");
    assert!(told["run"]["would"]["raised"].is_number(), "{told:#}");
    let version = &detail["version"];
    let body = json!({"text": text, "expected_version": version, "note": "clearer"});
    let (status, told) = put(&hub, "station_lead", "S7", &body).await;
    assert_eq!(status, 200, "{told}");
    let file = dir.path().join("rules/fire.toml");
    let saved = std::fs::read_to_string(&file).expect("it is there");
    assert!(saved.contains("Detector says nothing"), "{saved}");
    hub.kill9();
    let hub = Hub::start(dir.path()).await;
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), saved);
    assert_eq!(
        listed(&hub, "station_lead", "S7").await["title_en"],
        "Detector says nothing"
    );
    let lead = hub.api("station_lead");
    let detail = lead.get("/api/v1/rules/S1").await.expect("a rule");
    let text = detail["text"].as_str().expect("a text");

    // of many at once some are told to come again, and the others get their answer
    let body = json!({"rule": "S1", "text": text, "days": 30});
    eventually("somebody is told to come again", SOON, || async {
        let all = (0..6).map(|_| lead.post("/api/v1/rules/trial", "none", &body));
        let all = futures::future::try_join_all(all).await.ok()?;
        assert!(all.iter().all(|(status, _)| matches!(status, 200 | 429)));
        assert!(all.iter().any(|(status, _)| *status == 200));
        let late = all.into_iter().find(|(status, _)| *status == 429)?;
        late.1["retry_after_s"].as_u64()
    })
    .await;
    let (status, told) = lead
        .post(
            "/api/v1/rules/trial",
            "none",
            &json!({"rule": "S1", "text": text, "days": 31}),
        )
        .await
        .expect("answers");
    assert_eq!((status, &told["field"]), (422, &json!("days")), "{told}");
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn a_station_lead_changes_a_rule_in_the_browser() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, rules) = hub_with_local(dir.path()).await;
    let detectors = hub.demo.devices.iter().filter(|d| d.class == "fire_sensor");
    for detector in detectors.take(2) {
        says(&hub, detector, "device.test", "t");
    }
    eventually("history knows both", SOON, || async {
        let operator = hub.api("operator");
        let told = operator.items("/api/v1/events?kind=device.test").await;
        (told.ok()?.len() == 2).then_some(())
    })
    .await;
    let lead = hub.demo.user("station_lead");
    Browser::start("rules", &[&hub.demo.http, &lead.login, &lead.password]).done();
    let text = std::fs::read_to_string(rules.join("local.toml")).expect("there");
    assert!(text.contains("severity = \"P3\""), "{text}");
}
