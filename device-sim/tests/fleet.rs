//! A fleet against a broker that is not ours: what it says arrives, in the native format, and is acknowledged.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{Mosquitto, free_port};
use device_sim::{Fleet, FleetConfig, Scenario, SimDevice};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

fn device(id: &str, class: &str) -> SimDevice {
    let json = serde_json::json!({"id": id, "site": "q1", "class": class, "username": id, "password": "p", "heartbeat_s": 2});
    serde_json::from_value(json).expect("a device")
}

fn devices() -> Vec<SimDevice> {
    vec![
        device("smoke-1", "fire_sensor"),
        device("door-1", "access"),
        device("gate-1", "barrier"),
    ]
}

fn scenario() -> Scenario {
    let text = r#"
        title = "short"
        background = { vehicles_per_minute = 120, doors_per_minute = 120, telemetry = true }
        [[step]]
        at = "300ms"
        device = "smoke-1"
        kind = "fire.smoke"
        phase = "raised"
        times = 5
        every = "200ms"
        expect = "S1"
    "#;
    Scenario::parse("short.toml", text).expect("reads")
}

/// Subscribes to everything below `ssg/` and returns once the broker has said yes.
async fn listen(port: u16) -> mpsc::Receiver<(String, Vec<u8>)> {
    let mut options = MqttOptions::new("listener", "127.0.0.1", port);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut eventloop) = AsyncClient::new(options, 10);
    client
        .subscribe("ssg/#", QoS::AtLeastOnce)
        .await
        .expect("the queue is empty");
    let (sender, receiver) = mpsc::channel(10_000);
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let _client = client;
        let mut ready = Some(ready);
        while let Ok(event) = eventloop.poll().await {
            match event {
                Event::Incoming(Packet::SubAck(_)) => {
                    ready.take().map(|ready| ready.send(()));
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    let message = (publish.topic, publish.payload.to_vec());
                    if sender.send(message).await.is_err() {
                        return;
                    }
                }
                _ => {}
            }
        }
    });
    timeout(Duration::from_secs(10), is_ready)
        .await
        .expect("in time")
        .expect("subscribed");
    receiver
}

#[tokio::test]
async fn what_the_fleet_says_is_heard_by_a_subscriber() {
    let broker = Mosquitto::start();
    let mut heard = listen(broker.port).await;
    let fleet =
        Fleet::new(FleetConfig::new(broker.url(), devices(), scenario(), 1)).expect("a fleet");
    let stop = CancellationToken::new();
    let progress = fleet.progress();
    let run = tokio::spawn(fleet.run(stop.clone()));
    let raised = async {
        while progress.report().scenario_events.is_empty() || progress.counts().1 < 8 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), raised)
        .await
        .expect("the scenario was played");
    stop.cancel();
    let report = timeout(Duration::from_secs(3), run)
        .await
        .expect("leaves without waiting for a deadline")
        .expect("ends");

    assert_eq!(report.published, report.acknowledged);
    assert_eq!(report.refused, 0);
    assert_eq!(report.disconnects, 0);
    assert_eq!(report.acked.len() as u64, report.acknowledged);
    assert!(report.telemetry > 0);
    assert_eq!(report.puback_ms.count, report.acknowledged);
    assert_eq!(report.scenario_events[0].rule.as_str(), "S1");

    let mut events = BTreeSet::new();
    let mut channels: BTreeMap<String, usize> = BTreeMap::new();
    let mut last_avail = BTreeMap::new();
    while let Ok(Some((topic, payload))) = timeout(Duration::from_millis(500), heard.recv()).await {
        let levels: Vec<_> = topic.split('/').collect();
        assert_eq!(levels[..3], ["ssg", "v1", "q1"], "{topic}");
        *channels.entry(levels[4].to_owned()).or_default() += 1;
        let body: Value = serde_json::from_slice(&payload).expect("JSON");
        match levels[4] {
            "evt" => {
                let id = body["id"].as_str().expect("an id").to_owned();
                assert!(
                    events.insert((levels[3].to_owned(), id)),
                    "sent twice on a good connection"
                );
            }
            "avail" => {
                last_avail.insert(levels[3].to_owned(), body["state"].clone());
            }
            _ => {}
        }
    }
    let acked: BTreeSet<_> = report
        .acked
        .iter()
        .map(|a| (a.device.to_string(), a.id.clone()))
        .collect();
    assert_eq!(events, acked);
    for channel in ["avail", "meta", "state", "tele", "evt"] {
        assert!(channels.contains_key(channel), "no {channel}");
    }
    assert!(
        last_avail.values().all(|state| state == "offline") && last_avail.len() == 3,
        "all have said good-bye: {last_avail:?}"
    );
}

#[tokio::test]
async fn what_is_said_while_the_broker_is_away_is_said_again_when_it_is_back() {
    let port = free_port();
    let url = format!("mqtt://127.0.0.1:{port}");
    let fleet = Fleet::new(FleetConfig::new(url, devices(), scenario(), 2)).expect("a fleet");
    let stop = CancellationToken::new();
    let progress = fleet.progress();
    let run = tokio::spawn(fleet.run(stop.clone()));
    let wait = |until: u64| {
        let progress = progress.clone();
        timeout(Duration::from_secs(30), async move {
            while progress.counts().1 < until {
                sleep(Duration::from_millis(20)).await;
            }
        })
    };
    // nobody listens yet: five smoke alarms at least are waiting when the broker comes
    sleep(Duration::from_millis(1_300)).await;
    let first = Mosquitto::start_on(port);
    wait(5).await.expect("acknowledged late");
    drop(first);
    sleep(Duration::from_millis(500)).await;
    let (_, before) = progress.counts();
    let _second = Mosquitto::start_on(port);
    wait(before + 5).await.expect("acknowledged again");
    stop.cancel();
    let report = run.await.expect("ends");
    assert_eq!(report.published, report.acknowledged);
    assert!(
        report.disconnects >= 6,
        "three devices, twice: {}",
        report.disconnects
    );
    let ids: BTreeSet<_> = report.acked.iter().map(|a| (&a.device, &a.id)).collect();
    assert_eq!(
        ids.len(),
        report.acked.len(),
        "an event is acknowledged once"
    );
}

#[test]
fn a_fleet_that_cannot_play_its_scenario_is_refused_with_the_missing_devices() {
    let config = FleetConfig::new(
        "127.0.0.1:1883",
        vec![device("door-1", "access")],
        scenario(),
        1,
    );
    let error = Fleet::new(config).expect_err("smoke-1 is missing");
    assert!(error.to_string().contains("smoke-1"), "{error}");
    let twice = vec![
        device("smoke-1", "fire_sensor"),
        device("smoke-1", "access"),
    ];
    let error = Fleet::new(FleetConfig::new("127.0.0.1", twice, scenario(), 1)).expect_err("twice");
    assert!(error.to_string().contains("twice"), "{error}");
}
