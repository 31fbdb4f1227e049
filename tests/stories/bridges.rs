//! Devices in their makers' formats: through a bridge over MQTT, as a web hook, and one message at the command line.

mod holding;
mod lost;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use blackbox::{Hello, Hub, Mqtt, Props, bin, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::registry::own_compound;

const SOON: Duration = Duration::from_secs(20);
/// How a Zigbee bridge calls the detector.
const ADDRESS: &str = "0x00158d00045a10c7";

/// A hub over a compound of its own, in which a detector is known to a Zigbee bridge by its address; gives that detector's id.
async fn hub(dir: &Path) -> (Hub, String) {
    let compound = own_compound(dir);
    let file = compound.join("devices.csv");
    let text = std::fs::read_to_string(&file).expect("it ships");
    let mut detector = String::new();
    let mut table = String::new();
    for line in text.lines() {
        let is_it = detector.is_empty() && line.contains(",fire_sensor,") && line.contains(",q1,");
        table.push_str(line);
        if is_it {
            detector = line.split(',').next().expect("an id").to_owned();
            table.push_str(",zigbee:");
            table.push_str(ADDRESS);
        } else if line.starts_with("id,") {
            table.push_str(",address");
        } else if !line.starts_with('#') {
            table.push(',');
        }
        table.push('\n');
    }
    std::fs::write(&file, table).expect("written");
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings(&compound.display().to_string())).await;
    (hub, detector)
}

fn settings(compound: &str) -> [(&str, &str); 8] {
    [
        ("JIMING__REGISTRY__DIR", compound),
        ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
        ("JIMING__BRIDGES__ZIGBEE__SITE", "q1"),
        ("JIMING__BRIDGES__GATE__SITE", "q2"),
        ("JIMING__BRIDGES__PANEL__SITE", "q1"),
        ("JIMING__BRIDGES__PANEL__FORMATS", "gbt26875"),
        ("JIMING__BRIDGES__PANEL__TCP", "127.0.0.1:0"),
        ("JIMING__BRIDGES__PANEL__NETWORKS", "127.0.0.1"),
    ]
}

/// Makes the account of a bridge; gives its secret.
pub(crate) fn account(dir: &Path, login: &str, publish: &str) -> String {
    account_with(dir, login, &["--publish", publish])
}

/// Makes the account of a bridge with these rights; gives its secret.
pub(crate) fn account_with(dir: &Path, login: &str, rights: &[&str]) -> String {
    let out = Command::new(bin("gateway"))
        .args(["credential", "add", "--bridge"])
        .args(rights)
        .arg(login)
        .env("JIMING__DATA__DIR", dir.join("data"))
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

pub(crate) async fn bridge(hub: &Hub, login: &str, secret: &str) -> Mqtt {
    let (host, port) = hub.demo.mqtt_address();
    let address = format!("{host}:{port}");
    let hello = Hello {
        version: 5,
        client: login.to_owned(),
        clean: true,
        keep_alive_s: 60,
        login: Some((login.to_owned(), secret.to_owned())),
        will: None,
        props: Props::default(),
    };
    eventually("the account is known", SOON, || async {
        let (client, welcome) = Mqtt::connect(&address, &hello).await;
        welcome.filter(|welcome| welcome.code == 0).map(|_| client)
    })
    .await
}

pub(crate) async fn alarm(hub: &Hub, rule: &str, state: &str) -> Value {
    let api = hub.api("operator");
    eventually("the alarm stands so", SOON, || async {
        let all = api.items("/api/v1/alarms?limit=200").await.ok()?;
        all.into_iter()
            .find(|alarm| alarm["rule"] == rule && alarm["state"] == state)
    })
    .await
}

pub(crate) async fn told(hub: &Hub, device: &str, kind: &str) -> Vec<Value> {
    let path = format!("/api/v1/events?device={device}&limit=200");
    let all = hub.api("operator").items(&path).await.unwrap_or_default();
    all.into_iter()
        .filter(|event| event["kind"] == kind)
        .collect()
}

#[tokio::test]
async fn a_zigbee_detector_rings_once_however_often_its_state_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, detector) = hub(dir.path()).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut line = bridge(&hub, "zigbee", &secret).await;
    let topic = format!("zigbee2mqtt/{ADDRESS}");
    let state = |smoke: bool, quality: u32| {
        json!({"smoke": smoke, "battery": 87, "battery_low": false, "tamper": false, "linkquality": quality}).to_string()
    };
    // nothing was and nothing is: no news
    line.publish(&topic, &state(false, 90), 1, false).await;
    for quality in 91..95 {
        line.publish(&topic, &state(true, quality), 1, false).await;
    }
    let burning = alarm(&hub, "S1", "active_unacked").await;
    assert_eq!(burning["device"], detector, "{burning}");
    let raised = eventually("history has it", SOON, || async {
        let told = told(&hub, &detector, "fire.smoke").await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!(raised[0]["attrs"]["adapter"], "zigbee2mqtt");

    // a hub that was killed remembers what the detector said last
    let demo = hub.demo.clone();
    hub.kill9();
    let compound = dir.path().join("compound").display().to_string();
    let again = Hub::start_again_set(&dir.path().join("data"), &demo, &settings(&compound)).await;
    let mut line = bridge(&again, "zigbee", &secret).await;
    line.publish(&topic, &state(true, 95), 1, false).await;
    line.publish(&topic, &state(false, 96), 1, false).await;
    alarm(&again, "S1", "returned_unacked").await;
    let all = eventually("history has the end", SOON, || async {
        let told = told(&again, &detector, "fire.smoke").await;
        told.iter().any(|e| e["phase"] == "cleared").then_some(told)
    })
    .await;
    assert_eq!(all.len(), 2, "{all:?}");
}

#[tokio::test]
async fn a_battery_of_which_only_the_charge_is_told_rings_by_the_profile_of_its_model() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, detector) = hub(dir.path()).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut line = bridge(&hub, "zigbee", &secret).await;
    let topic = format!("zigbee2mqtt/{ADDRESS}");
    let charge = |percent: u32| json!({"battery": percent, "linkquality": 90}).to_string();
    let of_device = || async {
        let items = hub.api("operator").items("/api/v1/devices").await.ok()?;
        let item = items.into_iter().find(|item| item["id"] == detector)?;
        item["battery_percent"].as_f64()
    };
    for percent in [60, 19, 18, 22] {
        line.publish(&topic, &charge(percent), 1, false).await;
    }
    let low = alarm(&hub, "S6", "active_unacked").await;
    assert_eq!(low["device"], detector, "{low}");
    eventually("the device shows its charge", SOON, || async {
        (of_device().await == Some(22.0)).then_some(())
    })
    .await;
    line.publish(&topic, &charge(100), 1, false).await;
    alarm(&hub, "S6", "normal").await;
    let all = eventually("history has the end", SOON, || async {
        let told = told(&hub, &detector, "device.battery_low").await;
        told.iter().any(|e| e["phase"] == "cleared").then_some(told)
    })
    .await;
    assert_eq!(all.len(), 2, "{all:?}");
    let raised = all.iter().find(|event| event["phase"] == "raised");
    assert_eq!(raised.expect("it was")["attrs"]["battery_percent"], 19.0);
    // one that says itself when it is low is taken at its word
    let own = json!({"battery": 5, "battery_low": false, "linkquality": 90}).to_string();
    line.publish(&topic, &own, 1, false).await;
    eventually("its word has come", SOON, || async {
        (of_device().await == Some(5.0)).then_some(())
    })
    .await;
    assert_eq!(told(&hub, &detector, "device.battery_low").await.len(), 2);
}

#[tokio::test]
async fn what_a_bridge_says_that_nobody_can_read_is_kept_and_rings() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub(dir.path()).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let mut line = bridge(&hub, "zigbee", &secret).await;
    let reason = line
        .publish("zigbee2mqtt/0x1", "{\"smoke\":tr", 1, false)
        .await;
    assert_eq!(reason, 0, "it is acknowledged once it is on disk");
    let rows = eventually("it is in quarantine", SOON, || async {
        let rows = hub
            .api("property_manager")
            .items("/api/v1/quarantine")
            .await
            .ok()?;
        let rows: Vec<Value> = rows
            .into_iter()
            .filter(|row| row["principal"] == "zigbee")
            .collect();
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    assert_eq!(rows[0]["reason"], "bad_json", "{rows:?}");
    eventually(
        "it rings, since it might have been a fire",
        SOON,
        || async {
            let all = hub
                .api("operator")
                .items("/api/v1/alarms?limit=200")
                .await
                .ok()?;
            all.into_iter().find(|alarm| alarm["device"] == "zigbee")
        },
    )
    .await;
}

#[tokio::test]
async fn a_web_hook_is_answered_once_it_is_on_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub(dir.path()).await;
    let secret = account(dir.path(), "gate", "$http/none");
    let port = hub.push_address().await;
    let client = reqwest::Client::new();
    let read = json!({"hook": {"event": "recognition"}, "data": {"camera_id": "east-gate", "timestamp": "2026-11-24 12:00:00.000000+00:00",
        "results": [{"plate": "浙g8k123", "score": 0.93, "dscore": 0.9, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, "region": {"code": "cn"}}]}});
    // nobody, and somebody with a wrong secret, may not send
    let hook = |path: &str| client.post(format!("http://{port}/{path}")).json(&read);
    assert_eq!(
        hook("gate/wrong/anpr")
            .send()
            .await
            .expect("answers")
            .status(),
        401
    );
    assert_eq!(hook("anpr").send().await.expect("answers").status(), 401);
    // by its path, as a camera that can be given an address only; and by Basic authentication
    let known = eventually("the account is known", SOON, || async {
        let answer = hook(&format!("gate/{secret}/anpr")).send().await.ok()?;
        (answer.status() == 200).then_some(())
    });
    known.await;
    // a platform that asks before it delivers (CloudEvents) is told that it may, if it may
    let ask = |path: String| {
        let asked = client.request(reqwest::Method::OPTIONS, format!("http://{port}/{path}"));
        let asked = asked.header("WebHook-Request-Origin", "events.example.com");
        asked.header("WebHook-Request-Rate", "120").send()
    };
    let may = ask(format!("gate/{secret}/events")).await.expect("answers");
    assert_eq!(may.status(), 204);
    assert_eq!(
        may.headers()["webhook-allowed-origin"],
        "events.example.com"
    );
    assert_eq!(may.headers()["webhook-allowed-rate"], "*");
    let may_not = ask("gate/wrong/events".to_owned()).await.expect("answers");
    assert_eq!(may_not.status(), 401);
    assert!(!may_not.headers().contains_key("webhook-allowed-origin"));
    let odd = client
        .post(format!("http://{port}/anything?x=1"))
        .basic_auth("gate", Some(&secret));
    let answer = odd.body(vec![0xff, 0, 1]).send().await.expect("answers");
    assert_eq!(answer.status(), 200, "odd bytes are kept");
    let plates = eventually("history has it", SOON, || async {
        let told = told(&hub, "east-gate", "vehicle.plate_read").await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(plates[0]["attrs"]["adapter"], "plate-recognizer");
    assert_eq!(plates[0]["site"], "q2");
    // a plate camera that puts its picture into the JSON, two megabytes of it
    let seen = json!({"AlarmInfoPlate": {"serialno": "5EB1F4E2-8C7A09D3", "result": {"PlateResult": {"license": "浙G8K124",
        "confidence": 97, "direction": 4, "imageFile": "QUJD".repeat(700_000)}}}});
    let target = format!("http://{port}/gate/{secret}/push");
    let answer = client.post(target).json(&seen).send().await;
    assert_eq!(answer.expect("answers").status(), 200);
    let plates = eventually("the long message is read", SOON, || async {
        let told = told(&hub, "5eb1f4e2-8c7a09d3", "vehicle.plate_read").await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(plates[0]["attrs"]["adapter"], "vzenith");
    let rows = eventually("the odd bytes are in quarantine", SOON, || async {
        let rows = hub
            .api("property_manager")
            .items("/api/v1/quarantine")
            .await
            .ok()?;
        rows.into_iter().find(|row| row["principal"] == "gate")
    })
    .await;
    assert_eq!(rows["reason"], "unknown_format", "{rows}");
    let log = hub.log();
    assert!(!log.contains(&secret), "a secret is in the log");
}

#[tokio::test]
async fn a_terminal_that_only_asks_is_there_and_a_stranger_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let compound = own_compound(dir.path());
    let file = compound.join("devices.csv");
    let text = std::fs::read_to_string(&file).expect("it ships");
    // one is known by its number and the place from which it comes, the other has a password
    let mut serials = vec!["XYZ9", "ABC1"];
    let (mut doors, mut table) = (Vec::new(), String::new());
    for line in text.lines() {
        let is_door = line.contains(",access,") && line.contains(",q1,");
        let address = match line {
            _ if line.starts_with("id,") => ",address".to_owned(),
            _ if line.starts_with('#') => String::new(),
            _ if is_door && let Some(serial) = serials.pop() => {
                doors.push(line.split(',').next().expect("an id").to_owned());
                format!(",doors:{serial}")
            }
            _ => ",".to_owned(),
        };
        table.push_str(line);
        table.push_str(&address);
        table.push('\n');
    }
    assert_eq!(doors.len(), 2, "{text}");
    std::fs::write(&file, table).expect("written");
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let compound = compound.display().to_string();
    let settings = [
        ("JIMING__REGISTRY__DIR", compound.as_str()),
        ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
        ("JIMING__BRIDGES__DOORS__SITE", "q1"),
        ("JIMING__BRIDGES__DOORS__FORMATS", "zkteco"),
        ("JIMING__BRIDGES__DOORS__SERIALS", "ABC1"),
        ("JIMING__BRIDGES__DOORS__NETWORKS", "127.0.0.1"),
    ];
    let hub = Hub::start_set(&data, &settings).await;
    let secret = account(dir.path(), "doors", "$http/none");
    let port = hub.push_address().await;
    let client = reqwest::Client::new();
    let ask = async |serial: &str| {
        let target = format!("http://{port}/iclock/getrequest?SN={serial}");
        client.get(target).send().await.expect("answers")
    };
    // again and again, as it does, and nobody opens a door
    for _ in 0..5 {
        assert_eq!(ask("ABC1").await.status(), 200);
    }
    assert_eq!(ask("XYZ9").await.status(), 401, "nobody has configured it");
    eventually("its password is known", SOON, || async {
        let target = format!("http://{port}/iclock/getrequest?SN=XYZ9");
        let request = client.get(target).basic_auth("doors", Some(&secret));
        let answer = request.send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    let api = hub.api("operator");
    for door in &doors {
        eventually(&format!("{door} counts as heard"), SOON, || async {
            let all = api.items("/api/v1/devices?site=q1&limit=500").await.ok()?;
            let device = all.into_iter().find(|device| device["id"] == **door)?;
            device["last_seen"].is_string().then_some(())
        })
        .await;
        let told = told(&hub, door, "access.granted").await;
        assert_eq!(told.len(), 0, "{told:?}");
    }
    let held = hub
        .api("property_manager")
        .items("/api/v1/quarantine")
        .await;
    assert_eq!(held.expect("answers").len(), 0);
}

#[tokio::test]
async fn a_push_that_the_platform_has_not_signed_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let token = dir.path().join("token");
    std::fs::write(&token, "aRandomWord\n").expect("written");
    let token = token.display().to_string();
    let settings = [
        ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
        ("JIMING__BRIDGES__CLOUD__SITE", "q1"),
        ("JIMING__BRIDGES__CLOUD__ONENET_TOKEN_FILE", token.as_str()),
    ];
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings).await;
    let secret = account(dir.path(), "cloud", "$http/none");
    let port = hub.push_address().await;
    let client = reqwest::Client::new();
    // MD5 of `aRandomWordn1` and the message, in base64
    let signature = "wEJcXOd24e/KDrUywPeAgw==";
    let push = |status: u8| {
        let msg = format!(r#"{{"type":2,"dev_id":20166170,"status":{status},"at":1795521590000}}"#);
        let body = format!(r#"{{"msg":{msg},"nonce":"n1","msg_signature":"{signature}"}}"#);
        let request = client.post(format!("http://{port}/cloud/{secret}/onenet"));
        request
            .header("content-type", "application/json")
            .body(body)
    };
    eventually(
        "the account is known and its push is taken",
        SOON,
        || async {
            let answer = push(0).send().await.ok()?;
            (answer.status() == 200).then_some(())
        },
    )
    .await;
    let gone = eventually("history has it", SOON, || async {
        let told = told(&hub, "20166170", "device.offline").await;
        told.into_iter().next()
    })
    .await;
    assert_eq!(gone["attrs"]["adapter"], "onenet");
    let forged = push(1).send().await.expect("answers");
    assert_eq!(forged.status(), 403);
    assert!(forged.text().await.expect("a text").contains("not signed"));
    assert!(!hub.log().contains("aRandomWord"), "no token in the log");
    assert_eq!(
        told(&hub, "20166170", "device.online").await,
        Vec::<Value>::new()
    );
}

/// A frame of GB/T 26875.3 (clause 6): a device whose address is 9 sends data to the centre, one component's state in it.
pub(crate) fn component_state(sequence: u16, kind: u8, state: u16) -> Vec<u8> {
    let mut unit = vec![2, 1, 1, 1, kind, 17, 0, 3, 0];
    unit.extend_from_slice(&state.to_le_bytes());
    unit.extend_from_slice(&[0; 31]);
    unit.extend_from_slice(&[30, 15, 20, 24, 11, 26]);
    let mut frame = b"@@".to_vec();
    frame.extend_from_slice(&sequence.to_le_bytes());
    frame.extend_from_slice(&[1, 0, 30, 15, 20, 24, 11, 26]);
    frame.extend_from_slice(&[9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&u16::try_from(unit.len()).expect("short").to_le_bytes());
    frame.push(2);
    frame.extend_from_slice(&unit);
    let sum = frame[2..]
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    frame.push(sum);
    frame.extend_from_slice(b"##");
    frame
}

#[tokio::test]
async fn a_fire_panel_is_answered_and_its_fire_rings() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub(dir.path()).await;
    let address = eventually("the port is told", SOON, || async {
        let log = hub.log();
        let told = log.split("panels.address=").nth(1)?;
        told.split_whitespace().next().map(str::to_owned)
    })
    .await;
    let mut line = TcpStream::connect(&address).await.expect("connects");
    let fire = component_state(7, 40, 0b10);
    // cut in two on its way, and some noise before it
    line.write_all(b"noise").await.expect("sent");
    line.write_all(&fire[..20]).await.expect("sent");
    line.write_all(&fire[20..]).await.expect("sent");
    let mut answer = [0; 30];
    let answered = tokio::time::timeout(SOON, line.read_exact(&mut answer)).await;
    answered.expect("in time").expect("an answer");
    assert_eq!(
        (&answer[..4], answer[26]),
        (&b"@@\x07\x00"[..], 3),
        "confirmed"
    );
    let burning = alarm(&hub, "S1", "active_unacked").await;
    assert_eq!(burning["site"], "q1", "{burning}");
    // a damaged one is denied and kept
    let mut damaged = component_state(8, 40, 0b10);
    let sum = damaged.len() - 3;
    damaged[sum] ^= 1;
    line.write_all(&damaged).await.expect("sent");
    let answered = tokio::time::timeout(SOON, line.read_exact(&mut answer)).await;
    answered.expect("in time").expect("an answer");
    assert_eq!(
        (&answer[..4], answer[26]),
        (&b"@@\x08\x00"[..], 6),
        "denied"
    );
    let row = eventually("it is in quarantine", SOON, || async {
        let rows = hub
            .api("property_manager")
            .items("/api/v1/quarantine")
            .await
            .ok()?;
        rows.into_iter().find(|row| row["principal"] == "panel")
    })
    .await;
    assert_eq!(row["reason"], "bad_checksum", "{row}");
}

#[test]
fn one_message_is_read_at_the_command_line() {
    let adapt = |arguments: &[&str], payload: &str| {
        let mut child = Command::new(bin("gateway"))
            .arg("adapt")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(payload.as_bytes()).expect("written");
        drop(input);
        let out = child.wait_with_output().expect("ends");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let text = String::from_utf8(out.stdout).expect("text");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        (lines, String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (lines, _) = adapt(
        &["--topic", "zigbee2mqtt/烟感 1"],
        r#"{"smoke":true,"battery":100}"#,
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["phase"]),
        (&json!("fire.smoke"), &json!("raised"))
    );
    assert_eq!(lines[0]["device"], "烟感 1");
    // a frame of a fire panel, in hexadecimal digits, spaces and all
    let (lines, _) = adapt(&["--tcp", "gbt26875"], "40 40 xx");
    assert_eq!(lines, [] as [Value; 0]);
    let (lines, said) = adapt(&["--topic", "zigbee2mqtt/0x1"], "{");
    assert_eq!(lines, [] as [Value; 0]);
    assert!(said.starts_with("quarantine: bad_json"), "{said}");
    // and what a native device says
    let (lines, said) = adapt(&["--topic", "ssg/v1/q1/nobody/evt/fire-smoke"], "{}");
    assert_eq!(lines, [] as [Value; 0]);
    assert!(said.starts_with("quarantine: unknown_device"), "{said}");
}
