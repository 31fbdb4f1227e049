//! A resident with a phone on a poor line (headless Chromium): the report outlasts a reload without a network, arrives once, is followed to
//! its end, and opens again when the reporter is not satisfied. A grid captain reports under the own name and finds it on another device.

use std::time::Duration;

use blackbox::{Browser, Hub, eventually};
use serde_json::json;

#[tokio::test]
async fn a_report_without_a_network_arrives_once_and_opens_again_when_nobody_is_satisfied() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let api = hub.api("administrator");
    let captain = hub.demo.user("grid_captain");
    let mut browser = Browser::start(
        "report",
        &[&hub.demo.http, &captain.login, &captain.password],
    );
    let reported = || async {
        let all = api.items("/api/v1/incidents?limit=200").await;
        let mut all = all.expect("incidents");
        all.retain(|i| i["rule"].as_str().is_some_and(|r| r.starts_with("G1")));
        all
    };

    browser.says("READY");
    browser.says("KEPT");
    assert!(reported().await.is_empty(), "there is no network yet");

    // the answer to its first sending got lost
    browser.says("SENT");
    let found = reported().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["count"], 1, "{found:?}");

    let id = found[0]["id"].as_str().expect("an id");
    for verb in ["acknowledge", "dispatch", "claim", "arrive"] {
        api.advance(id, verb, json!({})).await;
    }
    let done = json!({"cause": "violation", "note": "线已拆除"});
    api.advance(id, "resolve", done).await;
    api.advance(id, "close", json!({})).await;

    browser.says("REOPENED");
    let path = format!("/api/v1/incidents/{id}");
    let now = eventually(
        "the incident is open again",
        Duration::from_secs(10),
        || async {
            let now = api.get(&path).await.ok()?;
            (now["state"] == "dispatched").then_some(now)
        },
    )
    .await;
    assert_eq!(now["satisfaction"], "dissatisfied", "{now}");
    assert_eq!(now["round"], 2, "{now}");

    browser.done();
    let found = reported().await;
    assert_eq!(found.len(), 2, "one each: {found:?}");
    let theirs = |i: &&serde_json::Value| i["reporter"] == captain.login.as_str();
    assert_eq!(found.iter().filter(theirs).count(), 1, "{found:?}");
}
