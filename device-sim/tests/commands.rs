//! Commands over a broker that is not ours: a door that obeys, others that do not, and nothing done twice or late.

mod common;

use std::time::Duration;

use common::Mosquitto;
use device_sim::command::{Behaviour, Manners};
use device_sim::fleet::{CommandRecord, Progress};
use device_sim::{Fleet, FleetConfig, FleetReport, Scenario, SimDevice};
use domain::Timestamp;
use jiff::SignedDuration;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

fn device(id: &str, class: &str) -> SimDevice {
    let json = json!({"id": id, "site": "q1", "class": class, "username": id, "password": "p"});
    serde_json::from_value(json).expect("a device")
}

fn quiet() -> Scenario {
    Scenario::parse("quiet.toml", "title = \"quiet\"").expect("reads")
}

/// Whoever gives the orders: publishes, and hears everything below `ssg/`.
struct Station {
    client: AsyncClient,
    heard: mpsc::Receiver<(String, Value)>,
    counter: u64,
}

impl Station {
    async fn at(port: u16) -> Self {
        let mut options = MqttOptions::new("station", "127.0.0.1", port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut eventloop) = AsyncClient::new(options, 100);
        client
            .subscribe("ssg/v1/q1/+/+/+", QoS::AtLeastOnce)
            .await
            .expect("the queue is empty");
        let (sender, heard) = mpsc::channel(10_000);
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let mut ready = Some(ready);
            while let Ok(event) = eventloop.poll().await {
                match event {
                    Event::Incoming(Packet::SubAck(_)) => {
                        ready.take().map(|ready| ready.send(()));
                    }
                    Event::Incoming(Packet::Publish(publish)) => {
                        let body = serde_json::from_slice(&publish.payload).unwrap_or_default();
                        if sender.send((publish.topic, body)).await.is_err() {
                            return;
                        }
                    }
                    _ => {}
                }
            }
        });
        timeout(SOON, is_ready)
            .await
            .expect("in time")
            .expect("subscribed");
        Self {
            client,
            heard,
            counter: 0,
        }
    }

    fn order(&mut self, id: &str, command: &str) -> Value {
        self.counter += 1;
        let now = Timestamp::now();
        json!({"command_id": id, "command": command, "args": {}, "issued_at": now.to_string(),
            "expires_at": (now + SignedDuration::from_secs(10)).to_string(), "actor": "usr_1", "nonce": "00", "counter": self.counter})
    }

    async fn send(&self, device: &str, body: &Value) {
        let command = body["command"].as_str().expect("a word");
        let topic = format!("ssg/v1/q1/{device}/cmd/{command}");
        self.client
            .publish(topic, QoS::AtLeastOnce, false, body.to_string())
            .await
            .expect("published");
    }

    /// The next message on this topic.
    async fn next(&mut self, topic: &str) -> Value {
        let found = async {
            loop {
                let (told, body) = self.heard.recv().await.expect("the line holds");
                if told == topic {
                    return body;
                }
            }
        };
        timeout(SOON, found)
            .await
            .unwrap_or_else(|_| panic!("nothing on {topic}"))
    }

    /// Sends until the device is there to answer: it hears nothing before it has subscribed.
    async fn wake(&mut self, device: &str) {
        let topic = format!("ssg/v1/q1/{device}/rsp/ping");
        for n in 0..200 {
            let ping = self.order(&format!("wake-{n}"), "ping");
            self.send(device, &ping).await;
            let answer = timeout(Duration::from_millis(100), self.next(&topic)).await;
            if answer.is_ok() {
                return;
            }
        }
        panic!("{device} does not answer");
    }
}

fn heard_by(report: &FleetReport, device: &str) -> u32 {
    let records = report.commands.by_id.iter();
    records
        .filter(|r| r.device.as_str() == device)
        .map(|r| r.heard)
        .sum()
}

struct Running {
    progress: Progress,
    stop: CancellationToken,
    run: JoinHandle<FleetReport>,
}

impl Running {
    fn start(config: FleetConfig) -> Self {
        let stop = CancellationToken::new();
        let fleet = Fleet::new(config).expect("a fleet");
        Self {
            progress: fleet.progress(),
            run: tokio::spawn(fleet.run(stop.clone())),
            stop,
        }
    }

    async fn end(self) -> FleetReport {
        self.stop.cancel();
        timeout(SOON, self.run)
            .await
            .expect("in time")
            .expect("ends")
    }
}

#[tokio::test]
async fn a_door_opens_once_when_it_is_told_twice_and_not_again_after_a_restart() {
    let broker = Mosquitto::start();
    let mut station = Station::at(broker.port).await;
    let folder = tempfile::tempdir().expect("a folder");
    let door = device("door-1", "access");
    let config = || FleetConfig {
        memory: Some(folder.path().to_owned()),
        // a clock that is slow makes nothing late
        manners: Manners {
            clocks: vec![("*".to_owned(), SignedDuration::from_hours(-3))],
            ..Manners::default()
        },
        ..FleetConfig::new(broker.url(), vec![door.clone()], quiet(), 1)
    };
    let running = Running::start(config());
    station.wake("door-1").await;
    let open = station.order("c-1", "open-door");
    station.send("door-1", &open).await;
    station.send("door-1", &open).await;
    let asked = station.next("ssg/v1/q1/door-1/rsp/open-door").await;
    assert_eq!(asked["status"], "accepted", "{asked}");
    let again = station.next("ssg/v1/q1/door-1/rsp/open-door").await;
    assert_eq!(asked["challenge"], again["challenge"], "one question");
    let mut wanted = open.clone();
    wanted["challenge"] = asked["challenge"].clone();
    station.send("door-1", &wanted).await;
    let state = station.next("ssg/v1/q1/door-1/state/door-1").await;
    assert_eq!(state["lock"], "unlocked", "{state}");
    let done = station.next("ssg/v1/q1/door-1/rsp/open-door").await;
    assert_eq!(
        (&done["command_id"], &done["status"]),
        (&json!("c-1"), &json!("done"))
    );
    station.send("door-1", &wanted).await;
    let repeated = station.next("ssg/v1/q1/door-1/rsp/open-door").await;
    assert_eq!(repeated, done, "as before");
    let state = station.next("ssg/v1/q1/door-1/state/door-1").await;
    assert_eq!(state["lock"], "locked", "it locks again: {state}");
    let report = running.end().await;
    let first = report.commands.by_id.iter().find(|r| r.command_id == "c-1");
    let first = first.expect("it is in the report");
    assert_eq!((first.heard, first.executed, first.late), (4, 1, 0));

    // another process, as far as the device can tell: it knows the command, and the counter
    let running = Running::start(config());
    let mut probe = open.clone();
    probe["command_id"] = "c-2".into();
    for (body, expect) in [(&wanted, "done"), (&probe, "rejected")] {
        let answer = async {
            loop {
                station.send("door-1", body).await;
                let topic = "ssg/v1/q1/door-1/rsp/open-door";
                let next = timeout(Duration::from_millis(200), station.next(topic)).await;
                match next {
                    Ok(answer) if answer["command_id"] == body["command_id"] => return answer,
                    _ => {}
                }
            }
        };
        let answer = timeout(SOON, answer).await.expect("in time");
        assert_eq!(answer["status"], expect, "{answer}");
    }
    let report = running.end().await;
    assert_eq!(report.commands.executed, 0, "{:?}", report.commands);
}

#[tokio::test]
async fn devices_fail_as_they_are_told_to() {
    let broker = Mosquitto::start();
    let mut station = Station::at(broker.port).await;
    let devices = ["jammed", "liar", "mute", "slow", "gone"].map(|id| device(id, "barrier"));
    let text = "title = \"t\"\ncommands = { jammed = \"refuse: jammed\", liar = \"lie\", mute = \"mute\", slow = \"delay: 1s\" }";
    let scenario = Scenario::parse("t.toml", text).expect("reads");
    let gone = Behaviour::Offline(Duration::from_millis(500));
    let running = Running::start(FleetConfig {
        manners: Manners {
            behaviours: vec![("gone".to_owned(), gone)],
            ..Manners::default()
        },
        ..FleetConfig::new(broker.url(), devices.to_vec(), scenario, 1)
    });
    for device in ["slow", "jammed", "liar"] {
        // what it answers is what it is
        let topic = format!("ssg/v1/q1/{device}/rsp/lower");
        let mut n = 0;
        let answer = loop {
            n += 1;
            assert!(n < 50, "{device} does not answer");
            let body = station.order(&format!("{device}-{n}"), "lower");
            station.send(device, &body).await;
            if let Ok(answer) = timeout(Duration::from_millis(1_500), station.next(&topic)).await {
                break answer;
            }
        };
        let expect = match device {
            "jammed" => ("rejected", "jammed"),
            _ => ("done", ""),
        };
        assert_eq!(
            (&answer["status"], &answer["detail"]),
            (&json!(expect.0), &json!(expect.1)),
            "{device}"
        );
    }
    for device in ["mute", "gone"] {
        let heard = async {
            while heard_by(&running.progress.report(), device) == 0 {
                let body = station.order(device, "lower");
                station.send(device, &body).await;
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, heard).await.expect("in time");
    }
    let away = async {
        while running.progress.report().disconnects == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, away).await.expect("it leaves");
    let report = running.end().await;
    let answered =
        |r: &&CommandRecord| ["mute", "gone"].contains(&r.device.as_str()) && r.status.is_some();
    assert_eq!(report.commands.by_id.iter().find(answered), None);
    let executed = |id: &str| {
        report
            .commands
            .by_id
            .iter()
            .filter(|r| r.device.as_str() == id)
            .map(|r| r.executed)
            .sum::<u32>()
    };
    assert_eq!(["jammed", "liar", "mute", "gone"].map(executed), [0; 4]);
    assert!(executed("slow") >= 1);
    assert_eq!((report.commands.late, report.commands.double), (0, 0));
}
