//! An operator in a real browser (headless Chromium): sees a smoke alarm appear without a reload and handles it by keyboard.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use blackbox::{Hub, artefacts, publish, repository};
use serde_json::json;

#[tokio::test]
async fn an_operator_handles_a_smoke_alarm_by_keyboard() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let operator = hub.demo.user("operator");
    let mut browser = Command::new("node")
        .arg(repository().join("tests/browser/board.mjs"))
        .args([&hub.demo.http, &operator.login, &operator.password])
        .arg(artefacts())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut said = BufReader::new(browser.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok);
    assert_eq!(
        said.next().as_deref(),
        Some("READY"),
        "the board is live after logging in"
    );

    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = |phase: &str| {
        let told =
            json!({"id": phase, "kind": "fire.smoke", "phase": phase, "attrs": {"level": 9}})
                .to_string();
        let topic = detector.event_topic("fire.smoke");
        let sent = publish(&hub.demo, &detector, &topic, told.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    };
    smoke("raised");
    assert_eq!(
        said.next().as_deref(),
        Some("ON SCENE"),
        "see artefacts/board-failed.png"
    );
    smoke("cleared"); // before that it cannot be resolved

    assert_eq!(
        said.next().as_deref(),
        Some("DONE"),
        "see artefacts/board-failed.png"
    );
    assert!(browser.wait().expect("node ends").success());

    let api = hub.api("administrator");
    let all = api.items("/api/v1/incidents").await.expect("incidents");
    let incident = all
        .iter()
        .find(|i| i["device"] == detector.id.as_str())
        .expect("the smoke alarm");
    assert_eq!(incident["state"], "resolved");
    assert_eq!(incident["acknowledged_by"], operator.login.as_str());
}
