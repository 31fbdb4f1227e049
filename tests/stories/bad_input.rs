//! What devices should not send: kept, explained, counted, and no neighbour suffers.

use std::time::Duration;

use blackbox::{Hub, eventually, publish};
use serde_json::json;

#[tokio::test]
async fn unreadable_messages_are_quarantined_with_a_reason_and_an_alarm_rings() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let topic = detector.event_topic("fire.smoke");
    let bad: [(&[u8], &str); 5] = [
        (b"not json", "bad_json"),
        (
            br#"{"id":1,"kind":"fire.smoke","phase":"raised"}"#,
            "bad_field",
        ),
        (
            br#"{"id":"x\u0000","kind":"fire.smoke","phase":"raised"}"#,
            "nul",
        ),
        (
            br#"{"id":"x","kind":"fire.smokes","phase":"raised"}"#,
            "unknown_kind",
        ),
        (b"\xff\xfe\x00", "nul"),
    ];
    for (payload, _) in bad {
        let out = publish(&hub.demo, &detector, &topic, payload, 1, "mqttv311");
        assert!(
            out.status.success(),
            "it is acknowledged and kept: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let api = hub.api("administrator");
    let rows = eventually(
        "all of it is in quarantine",
        Duration::from_secs(10),
        || async {
            let rows = api.items("/api/v1/quarantine").await.ok()?;
            (rows.len() >= bad.len()).then_some(rows)
        },
    )
    .await;
    for (payload, reason) in bad {
        let row = rows
            .iter()
            .find(|r| r["reason"] == reason)
            .unwrap_or_else(|| panic!("no row says {reason}: {rows:?}"));
        assert!(row["detail"].as_str().is_some_and(|d| d.len() > 5), "{row}");
        assert!(row["bytes"].as_u64().is_some(), "{row} for {payload:?}");
    }
    let ringing = api.incident_of("HUB1").await;
    assert_eq!(ringing["device"], detector.id.as_str());

    // the same device is taken seriously right after
    let good = json!({"id": "good", "kind": "fire.smoke", "phase": "raised"}).to_string();
    assert!(
        publish(&hub.demo, &detector, &topic, good.as_bytes(), 1, "mqttv5")
            .status
            .success()
    );
    api.incident_of("S1").await;
}

#[tokio::test]
async fn what_a_device_may_not_do_is_refused_and_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let door = hub.demo.device("access").clone();
    let smoke = json!({"id": "forged", "kind": "fire.smoke", "phase": "raised"}).to_string();
    for topic in [
        detector.event_topic("fire.smoke"),
        "烟感/01".to_owned(),
        format!("ssg/v1/{}/{}/cmd/open-door", door.site, door.id),
    ] {
        let out = publish(&hub.demo, &door, &topic, smoke.as_bytes(), 1, "mqttv5");
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(
            !out.status.success() || told.to_lowercase().contains("not authorized"),
            "{topic}: {told}"
        );
    }
    let mut stranger = door.clone();
    stranger.password = "guessed".to_owned();
    let out = publish(
        &hub.demo,
        &stranger,
        &door.event_topic("access.granted"),
        b"{}",
        1,
        "mqttv311",
    );
    assert!(!out.status.success(), "a wrong secret is refused");

    let api = hub.api("administrator");
    eventually(
        "the refusals can be read",
        Duration::from_secs(10),
        || async {
            let rows = api.items("/api/v1/quarantine").await.ok()?;
            rows.iter()
                .any(|r| {
                    r["detail"]
                        .as_str()
                        .is_some_and(|d| d.contains("acl_publish"))
                })
                .then_some(())
        },
    )
    .await;
    let incident = api.incident_of("X5").await;
    assert_eq!(incident["device"], door.id, "it is about who tried");
    let forged = api
        .items("/api/v1/events?kind=fire.smoke")
        .await
        .expect("events");
    assert!(forged.is_empty(), "{forged:?}");
    // an honest neighbour is not hurt
    let out = publish(
        &hub.demo,
        &detector,
        &detector.event_topic("fire.smoke"),
        smoke.as_bytes(),
        1,
        "mqttv311",
    );
    assert!(out.status.success());
    api.incident_of("S1").await;
}

#[tokio::test]
async fn somebody_who_guesses_is_slowed_and_told_of_and_the_device_is_not_locked_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let door = hub.demo.device("access").clone();
    let mut guesser = door.clone();
    guesser.password = "guessed".to_owned();
    let topic = door.event_topic("access.granted");
    let opened = json!({"id": "1", "kind": "access.granted"}).to_string();
    let began = std::time::Instant::now();
    let guesses = async {
        loop {
            let out = publish(&hub.demo, &guesser, &topic, b"{}", 1, "mqttv311");
            assert!(!out.status.success());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let api = hub.api("administrator");
    let told = eventually("the guesses ring", Duration::from_mins(1), || async {
        let path = "/api/v1/incidents?state=active&limit=200";
        let items = api.items(path).await.ok()?;
        items.into_iter().find(|i| i["rule"] == "HUB4")
    });
    let incident =
        tokio::select! { () = guesses => unreachable!("it goes on"), told = told => told };
    println!("told after {:?}", began.elapsed());
    assert!(
        incident["subject"].to_string().contains("127.0.0.1"),
        "{incident}"
    );
    // the right secret is let in at once, also from where somebody guesses
    let out = publish(&hub.demo, &door, &topic, opened.as_bytes(), 1, "mqttv311");
    assert!(out.status.success());
    let before = std::time::Instant::now();
    let out = publish(&hub.demo, &guesser, &topic, b"{}", 1, "mqttv311");
    assert!(!out.status.success());
    assert!(
        before.elapsed() >= Duration::from_secs(2),
        "by now a guess costs seconds: {:?}",
        before.elapsed()
    );
}
