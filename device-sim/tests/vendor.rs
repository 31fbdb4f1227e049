//! Makers' devices on lines that are not the hub's: a broker, a web hook that refuses, a centre that does not answer; and messages from
//! files.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::Mosquitto;
use device_sim::command::Behaviour;
use device_sim::replay::{self, Doors, Speed};
use device_sim::vendor::gbt26875::Gbt26875;
use device_sim::vendor::zigbee2mqtt::Zigbee2Mqtt;
use device_sim::vendor::{Faults, Play, Report, Vendor, Way, ctwing::Ctwing, run};
use device_sim::wire::{Came, Greeting, Hook, Line, Login, Said};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

fn login(broker: &Mosquitto, client_id: &str) -> Login {
    Login {
        mqtt: broker.url(),
        client_id: client_id.to_owned(),
        account: None,
    }
}

/// Whoever listens and gives orders.
struct Station(Line);

impl Station {
    async fn at(broker: &Mosquitto, filter: &str) -> Self {
        let greeting = Greeting {
            will: None,
            filters: vec![filter.to_owned()],
        };
        let mut line = Line::open(&login(broker, "station"), greeting).expect("an address");
        assert_eq!(
            timeout(SOON, line.next()).await.expect("in time"),
            Some(Came::Connected)
        );
        let mut station = Self(line);
        // the subscription stands once its own word comes back
        let hello = Said::bytes(filter.replace(['#', '+'], "hello"), "");
        station.0.say(hello.clone()).await;
        station.next(&hello.to).await;
        station
    }

    /// The next message on this topic.
    async fn next(&mut self, wanted: &str) -> Vec<u8> {
        let found = async {
            loop {
                if let Some(Came::Message { topic, payload, .. }) = self.0.next().await
                    && topic == wanted
                {
                    return payload;
                }
            }
        };
        let found = timeout(SOON, found).await;
        found.unwrap_or_else(|_| panic!("nothing on {wanted}"))
    }

    async fn next_json(&mut self, wanted: &str) -> Value {
        serde_json::from_slice(&self.next(wanted).await).expect("JSON")
    }
}

struct Running {
    stop: CancellationToken,
    run: JoinHandle<anyhow::Result<Report>>,
}

impl Running {
    fn start(
        vendor: impl Vendor + 'static,
        way: Way,
        happens: &[&str],
        faults: Faults,
        behaviour: Behaviour,
    ) -> Self {
        let stop = CancellationToken::new();
        let play = Play {
            vendor: Box::new(vendor),
            way,
            happenings: happens
                .iter()
                .map(|text| text.parse().expect("reads"))
                .collect(),
            again_every: Duration::from_mins(1),
            faults,
            behaviour,
            port: None,
        };
        Self {
            run: tokio::spawn(run(play, stop.clone())),
            stop,
        }
    }

    async fn end(self) -> Report {
        self.stop.cancel();
        let ended = timeout(SOON, self.run).await.expect("in time");
        ended.expect("ends").expect("played")
    }
}

fn bridge() -> Zigbee2Mqtt {
    Zigbee2Mqtt::new("zigbee2mqtt", &["lock-1".to_owned()])
}

#[tokio::test]
async fn a_lock_behind_a_bridge_does_what_it_is_told_or_says_that_it_does_not() {
    let broker = Mosquitto::start();
    let mut station = Station::at(&broker, "zigbee2mqtt/#").await;
    for (behaviour, topic, is_done) in [
        (Behaviour::Obey, "zigbee2mqtt/lock-1", true),
        (
            Behaviour::Delay(Duration::from_millis(300)),
            "zigbee2mqtt/lock-1",
            true,
        ),
        (Behaviour::Lie, "zigbee2mqtt/lock-1", false),
        (
            Behaviour::Refuse("jammed".to_owned()),
            "zigbee2mqtt/bridge/logging",
            false,
        ),
    ] {
        let way = Way::Mqtt(login(&broker, "bridge"));
        let running = Running::start(bridge(), way, &[], Faults::default(), behaviour.clone());
        // its own state comes twice: when it arrives, and at the beginning
        station.next("zigbee2mqtt/lock-1").await;
        let first = station.next_json("zigbee2mqtt/lock-1").await;
        assert_eq!(first["lock_state"], "locked");
        station
            .0
            .say(Said::bytes(
                "zigbee2mqtt/lock-1/set",
                r#"{"state":"UNLOCK"}"#,
            ))
            .await;
        let told = station.next_json(topic).await;
        if topic.ends_with("logging") {
            assert!(
                told["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("jammed")),
                "{told}"
            );
        } else {
            assert_eq!(told["lock_state"], "unlocked", "{behaviour:?}");
        }
        let report = running.end().await;
        let orders: Vec<_> = report
            .orders
            .iter()
            .map(|order| (order.command.as_str(), order.is_done))
            .collect();
        assert_eq!(orders, [("unlock", is_done)], "{behaviour:?}");
        assert_eq!((report.heard, report.refused), (1, 0));
    }
}

#[tokio::test]
async fn a_bridge_whose_line_is_cut_is_offline_and_comes_back_with_its_states() {
    let broker = Mosquitto::start();
    let mut station = Station::at(&broker, "zigbee2mqtt/#").await;
    let faults = Faults {
        reconnect_every: Some(Duration::from_millis(500)),
        repeat: 2,
        bad_every: Some(1),
        ..Faults::default()
    };
    let way = Way::Mqtt(login(&broker, "bridge"));
    let running = Running::start(
        bridge(),
        way,
        &["unlock at 100ms in lock-1"],
        faults,
        Behaviour::Obey,
    );
    let state = json!({"state": "online"});
    assert_eq!(
        station.next("zigbee2mqtt/bridge/state").await,
        b"{\"state\":"[..]
    );
    assert_eq!(station.next_json("zigbee2mqtt/bridge/state").await, state);
    assert_eq!(
        station.next_json("zigbee2mqtt/bridge/state").await,
        json!({"state": "offline"})
    );
    station.next("zigbee2mqtt/bridge/state").await;
    assert_eq!(station.next_json("zigbee2mqtt/bridge/state").await, state);
    station.next("zigbee2mqtt/lock-1").await;
    assert_eq!(
        station.next_json("zigbee2mqtt/lock-1").await["lock_state"],
        "unlocked"
    );
    let report = running.end().await;
    assert!(report.connects >= 2 && report.damaged > 5, "{report:?}");
    assert_eq!(report.refused, 0);
}

#[tokio::test]
async fn a_panel_sends_a_frame_four_times_and_then_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    let centre = tokio::spawn(async move {
        let mut came: BTreeMap<u8, usize> = BTreeMap::new();
        let (mut stream, _) = listener.accept().await.expect("a panel");
        let mut bytes = vec![0; 4096];
        let mut buffer = Vec::new();
        while came.len() < 2 || came.values().sum::<usize>() < 6 {
            let count = stream.read(&mut bytes).await.expect("reads");
            buffer.extend_from_slice(&bytes[..count]);
            while let Some(end) = buffer
                .windows(4)
                .position(|four| four == b"##@@")
                .map(|at| at + 2)
                .or_else(|| buffer.ends_with(b"##").then_some(buffer.len()))
            {
                let frame: Vec<u8> = buffer.drain(..end).collect();
                let number = frame[2];
                let times = came.entry(number).or_default();
                *times += 1;
                // the first one is never answered, the second one is denied once
                if number == 2 {
                    let mut answer = frame[..24].to_vec();
                    answer.extend_from_slice(&[0, 0, if *times == 1 { 6 } else { 3 }]);
                    let sum = answer[2..]
                        .iter()
                        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
                    answer.push(sum);
                    answer.extend_from_slice(b"##");
                    stream.write_all(&answer).await.expect("answers");
                }
            }
        }
        came
    });
    let way = Way::Tcp {
        address,
        answer_within: Duration::from_millis(200),
    };
    let running = Running::start(
        Gbt26875::new(9, Vec::new()),
        way,
        &["smoke at 50ms in kitchen"],
        Faults::default(),
        Behaviour::Obey,
    );
    let came = timeout(SOON, centre).await.expect("in time").expect("ends");
    assert_eq!(came, BTreeMap::from([(1, 4), (2, 2)]));
    let taken = async {
        sleep(Duration::from_millis(200)).await;
        running.end().await
    };
    let report = taken.await;
    assert_eq!(
        (report.said, report.taken, report.refused, report.resent),
        (2, 1, 1, 4)
    );
}

#[tokio::test]
async fn a_web_hook_that_is_not_taken_comes_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let door = tokio::spawn(async move {
        let mut requests = Vec::new();
        for status in ["503 Service Unavailable", "200 OK"] {
            let (mut stream, _) = listener.accept().await.expect("a request");
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                assert_ne!(stream.read_buf(&mut request).await.expect("reads"), 0);
            }
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("answers");
            requests.push(String::from_utf8_lossy(&request).into_owned());
        }
        requests
    });
    let way = Way::Http(Hook {
        url: format!("http://{address}/nbiot/secret"),
        login: None,
    });
    let running = Running::start(
        Ctwing::new("/", &[]),
        way,
        &["smoke at 10ms in 9f00"],
        Faults::default(),
        Behaviour::Obey,
    );
    let requests = timeout(SOON, door).await.expect("in time").expect("ends");
    assert!(
        requests[0].starts_with("POST /nbiot/secret/ HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    assert_eq!(requests[0], requests[1]);
    sleep(Duration::from_millis(100)).await;
    let report = running.end().await;
    assert_eq!((report.said, report.taken, report.resent), (1, 1, 1));
}

#[tokio::test]
async fn messages_from_files_are_played_to_a_broker() {
    let broker = Mosquitto::start();
    let mut station = Station::at(&broker, "#").await;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let files = [
        write(
            "one.json",
            r#"{"topic": "a/1", "payload": {"x": 1}, "source": "somebody", "retain": true}"#,
        ),
        write(
            "lines.jsonl",
            "{\"topic\": \"a/2\", \"payload\": \"ON\", \"payload_encoding\": \"text\", \"qos\": 0}\n{\"topic\": \"(HTTP push)\", \"payload\": 1}\n",
        ),
    ];
    let messages = replay::read(&files).expect("reads");
    let doors = Doors {
        mqtt: Some(login(&broker, "replay")),
        ..Doors::default()
    };
    let pace = (Speed::Times(100.0), Duration::from_secs(10), 2);
    let report = replay::run(&messages, doors, pace, CancellationToken::new())
        .await
        .expect("played");
    for _ in 0..2 {
        assert_eq!(station.next("a/1").await, br#"{"x":1}"#);
        assert_eq!(station.next("a/2").await, b"ON");
    }
    assert_eq!(
        (report.messages, report.left_out, report.refused),
        (6, 2, 0)
    );
    assert_eq!(report.taken, 4);
    let broken = write(
        "broken.json",
        "{\"topic\": \"a\", \"payload\": \"x\", \"payload_encoding\": \"hex\"}",
    );
    let error = replay::read(&[broken]).expect_err("no digits");
    assert!(
        format!("{error:#}").contains("broken.json: message 1"),
        "{error:#}"
    );
}
