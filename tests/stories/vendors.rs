//! The simulator as the devices of seven makers: what happens comes out as the right event, once, however often and however badly it is
//! told; a fire that three formats tell of is one confirmed fire; orders are heard and done, refused, or lied about.

use std::path::Path;
use std::time::Duration;

use blackbox::{Hub, Outcome, Tool, eventually};
use serde_json::{Value, json};

use crate::bridges::{account_with, alarm, bridge, told};
use crate::registry::own_compound;

const SOON: Duration = Duration::from_secs(30);
/// Everything that goes wrong at once.
const FAULTS: &[&str] = &[
    "--repeat",
    "3",
    "--again-every",
    "700ms",
    "--bad-every",
    "1",
    "--reconnect-every",
    "2s",
];

/// A hub that has a door for each maker, over a compound in which some devices have these addresses.
struct Compound {
    hub: Hub,
    dir: tempfile::TempDir,
    /// Three detectors of one zone, in the order of the addresses that they were given.
    detectors: Vec<String>,
}

impl Compound {
    async fn start(addresses: [&str; 3]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let compound = own_compound(dir.path());
        let detectors = give_addresses(&compound, addresses);
        let data = dir.path().join("data");
        std::fs::create_dir_all(&data).expect("made");
        let compound = compound.display().to_string();
        let mut settings = vec![
            ("JIMING__REGISTRY__DIR", compound.as_str()),
            ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
            ("JIMING__BRIDGES__PANEL__FORMATS", "gbt26875"),
            ("JIMING__BRIDGES__PANEL__TCP", "127.0.0.1:0"),
            ("JIMING__BRIDGES__PANEL__NETWORKS", "127.0.0.1"),
        ];
        let sites = ["ZIGBEE", "GATE", "VIDEO", "SHELLY", "HIK", "NBIOT", "PANEL"]
            .map(|name| format!("JIMING__BRIDGES__{name}__SITE"));
        settings.extend(sites.iter().map(|name| (name.as_str(), "q1")));
        let hub = Hub::start_set(&data, &settings).await;
        Self {
            hub,
            dir,
            detectors,
        }
    }

    /// Makes an account, and waits until the hub knows it: a camera that is refused does not try again.
    async fn account(&self, login: &str, rights: &[&str]) -> String {
        let secret = account_with(self.dir.path(), login, rights);
        bridge(&self.hub, login, &secret).await;
        secret
    }

    /// A port that the hub has told of in its log.
    async fn port(&self, word: &str) -> String {
        eventually("the port is told", SOON, || async {
            let log = self.hub.log();
            let told = log.split(&format!("{word}=")).nth(1)?;
            told.split_whitespace().next().map(str::to_owned)
        })
        .await
    }

    fn mqtt(&self) -> String {
        let (host, port) = self.hub.demo.mqtt_address();
        format!("mqtt://{host}:{port}")
    }

    /// Rows of the quarantine that this account has filled.
    async fn quarantined(&self, account: &str) -> Vec<Value> {
        let rows = self
            .hub
            .api("property_manager")
            .items("/api/v1/quarantine")
            .await
            .unwrap_or_default();
        rows.into_iter()
            .filter(|row| row["principal"] == account)
            .collect()
    }
}

/// Gives three detectors of one zone an address each; gives their ids.
fn give_addresses(compound: &Path, addresses: [&str; 3]) -> Vec<String> {
    let file = compound.join("devices.csv");
    let text = std::fs::read_to_string(&file).expect("it ships");
    let is_detector = |line: &&str| line.contains(",fire_sensor,") && line.contains(",q1,");
    let zone_of = |line: &str| line.split(',').nth(2).expect("a zone").to_owned();
    let zones: Vec<String> = text.lines().filter(is_detector).map(zone_of).collect();
    let count = |zone: &String| zones.iter().filter(|other| *other == zone).count();
    let zone = zones
        .iter()
        .find(|zone| count(zone) >= 3)
        .expect("a zone with three detectors")
        .clone();
    let mut given = Vec::new();
    let mut table = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            table.push_str(line);
        } else if line.starts_with("id,") {
            table.extend([line, ",address"]);
        } else {
            let in_zone = is_detector(&line) && zone_of(line) == zone;
            let address = addresses.get(given.len()).filter(|_| in_zone);
            table.extend([line, ",", address.unwrap_or(&"")]);
            if address.is_some() {
                given.push(line.split(',').next().expect("an id").to_owned());
            }
        }
        table.push('\n');
    }
    std::fs::write(&file, table).expect("written");
    given
}

fn start(arguments: &[&[&str]]) -> Tool {
    let arguments = arguments.concat();
    Tool::start("device-sim", &[&["vendor"], arguments.as_slice()].concat())
}

async fn finish(tool: Tool) -> Outcome {
    let outcome = tool.finish(Duration::from_mins(1)).await;
    assert_eq!(
        outcome.code,
        Some(0),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    outcome
}

#[tokio::test]
async fn what_seven_makers_tell_is_told_once_however_often_and_badly() {
    let compound = Compound::start(["zigbee:kitchen", "nbiot:9f00c1d2", ""]).await;
    let hub = &compound.hub;
    let mqtt = compound.mqtt();
    let (http, tcp) = (
        compound.port("push.address").await,
        compound.port("panels.address").await,
    );
    let http = format!("http://{http}");
    let over_mqtt = async |login: &str, rights: &[&str]| {
        let secret = compound.account(login, rights).await;
        ["--mqtt", &mqtt, "--username", login, "--password", &secret].map(str::to_owned)
    };
    let over_http = async |login: &str| {
        let secret = compound.account(login, &["--publish", "$http/none"]).await;
        ["--http", &http, "--username", login, "--password", &secret].map(str::to_owned)
    };
    let zigbee = over_mqtt(
        "zigbee",
        &["--publish", "zigbee2mqtt/#", "--subscribe", "zigbee2mqtt/#"],
    )
    .await;
    let gate = over_mqtt(
        "gate",
        &[
            "--publish",
            "device/#",
            "--publish",
            "sn-8/#",
            "--subscribe",
            "device/#",
        ],
    )
    .await;
    let video = over_mqtt("video", &["--publish", "frigate/#"]).await;
    let shelly = over_mqtt("shelly", &["--publish", "shellyplussmoke-1/#"]).await;
    let (hik, nbiot) = (over_http("hik").await, over_http("nbiot").await);
    let line = |words: &'static [&'static str], way: &[String]| {
        let way: Vec<&str> = way.iter().map(String::as_str).collect();
        start(&[words, &way, FAULTS, &["--for", "6s"]])
    };
    let tools = [
        line(
            &[
                "zigbee2mqtt",
                "--device",
                "kitchen",
                "--device",
                "lock-1",
                "--happens",
                "smoke at 1s in kitchen",
            ],
            &zigbee,
        ),
        line(
            &[
                "vzenith",
                "--device",
                "sn-7",
                "--happens",
                "plate at 1s in sn-7 with 浙G8K123",
            ],
            &gate,
        ),
        line(
            &[
                "frigate",
                "--device",
                "east_gate",
                "--happens",
                "person at 1s in east_gate",
            ],
            &video,
        ),
        line(
            &[
                "shelly",
                "--device",
                "shellyplussmoke-1",
                "--happens",
                "smoke at 1s in shellyplussmoke-1",
            ],
            &shelly,
        ),
        line(
            &[
                "hikvision",
                "--device",
                "10.31.4.20",
                "--happens",
                "card at 1s in 10.31.4.20",
                "--happens",
                "plate at 2s in 10.31.4.20 with 浙G8K124",
            ],
            &hik,
        ),
        line(
            &[
                "ctwing",
                "--device",
                "9f00c1d2",
                "--happens",
                "smoke at 1s in 9f00c1d2",
            ],
            &nbiot,
        ),
        line(
            &["gbt26875", "--happens", "smoke at 1s in kitchen"],
            &["--tcp", &tcp].map(str::to_owned),
        ),
    ];
    for tool in tools {
        let outcome = finish(tool).await;
        assert!(
            outcome.stdout.contains("refused 0 damaged"),
            "{}",
            outcome.stdout
        );
    }
    let kitchen = compound.detectors[0].as_str();
    let nbiot_detector = compound.detectors[1].as_str();
    for (device, kind, phase) in [
        (kitchen, "fire.smoke", "raised"),
        ("sn-7", "vehicle.plate_read", "instant"),
        ("east-gate", "camera.object", "raised"),
        ("shellyplussmoke-1", "fire.smoke", "raised"),
        ("10-31-4-20", "access.granted", "instant"),
        ("10-31-4-20", "vehicle.plate_read", "instant"),
        (nbiot_detector, "fire.smoke", "raised"),
        ("000000000009", "fire.smoke", "raised"),
    ] {
        let events = eventually(&format!("{device} {kind}"), SOON, || async {
            let all = told(hub, device, kind).await;
            let all: Vec<Value> = all
                .into_iter()
                .filter(|event| event["phase"] == phase)
                .collect();
            (!all.is_empty()).then_some(all)
        })
        .await;
        assert_eq!(events.len(), 1, "{device} {kind}: {events:?}");
        assert_eq!(events[0]["site"], "q1");
    }
    // what was damaged on the way is kept, from each of them, and for what it is
    for (account, reason) in [
        ("zigbee", "bad_json"),
        ("gate", "bad_json"),
        ("video", "bad_json"),
        ("shelly", "bad_json"),
        ("hik", "bad_xml"),
        ("nbiot", "unknown_format"),
        ("panel", "bad_checksum"),
    ] {
        let rows = eventually(&format!("{account} has rows"), SOON, || async {
            let rows = compound.quarantined(account).await;
            (!rows.is_empty()).then_some(rows)
        })
        .await;
        assert!(
            rows.iter().any(|row| row["reason"] == reason),
            "{account}: {rows:?}"
        );
    }
    // one alarm for each of the fires, and no second incident about any of them
    let alarms = hub
        .api("operator")
        .items("/api/v1/alarms?limit=200")
        .await
        .expect("alarms");
    for device in [kitchen, "shellyplussmoke-1", nbiot_detector, "000000000009"] {
        let rang: Vec<&Value> = alarms
            .iter()
            .filter(|alarm| alarm["rule"] == "S1" && alarm["device"] == device)
            .collect();
        assert_eq!(rang.len(), 1, "{device}: {rang:?}");
    }
}

#[tokio::test]
async fn a_fire_that_three_formats_tell_of_is_one_confirmed_fire() {
    let compound =
        Compound::start(["zigbee:kitchen", "nbiot:9f00c1d2", "panel:000000000009"]).await;
    let secrets = [
        compound
            .account("zigbee", &["--publish", "zigbee2mqtt/#"])
            .await,
        compound
            .account("nbiot", &["--publish", "$http/none"])
            .await,
    ];
    let mqtt = compound.mqtt();
    let http = format!(
        "http://{}/nbiot/{}",
        compound.port("push.address").await,
        secrets[1]
    );
    let tcp = compound.port("panels.address").await;
    let last: &[&str] = &[
        "--repeat",
        "2",
        "--again-every",
        "1s",
        "--clock-off",
        "8h",
        "--for",
        "4s",
    ];
    let tools = [
        start(&[
            &[
                "zigbee2mqtt",
                "--happens",
                "smoke at 500ms in kitchen",
                "--mqtt",
                &mqtt,
            ],
            &["--username", "zigbee", "--password", &secrets[0]],
            last,
        ]),
        start(&[
            &[
                "ctwing",
                "--happens",
                "smoke at 1s in 9f00c1d2",
                "--http",
                &http,
            ],
            last,
        ]),
        start(&[
            &[
                "gbt26875",
                "--happens",
                "smoke at 2s in cooker",
                "--tcp",
                &tcp,
            ],
            last,
        ]),
    ];
    for tool in tools {
        finish(tool).await;
    }
    let hub = &compound.hub;
    let confirmed = alarm(hub, "S2", "active_unacked").await;
    for device in &compound.detectors {
        let events = eventually("its word is in history", SOON, || async {
            let all = told(hub, device, "fire.smoke").await;
            (!all.is_empty()).then_some(all)
        })
        .await;
        assert_eq!(events.len(), 1, "{device}: {events:?}");
        // all their clocks are eight hours ahead
        assert_eq!(
            events[0]["occurred_at"], events[0]["received_at"],
            "{events:?}"
        );
    }
    let api = hub.api("operator");
    let alarms = api.items("/api/v1/alarms?limit=200").await.expect("alarms");
    let confirmations = alarms.iter().filter(|alarm| alarm["rule"] == "S2").count();
    assert_eq!(confirmations, 1, "{alarms:?}");
    let incidents = api
        .items("/api/v1/incidents?limit=500")
        .await
        .expect("incidents");
    let about: Vec<&Value> = incidents
        .iter()
        .filter(|incident| incident["rule"] == "S2")
        .collect();
    assert_eq!(about.len(), 1, "{confirmed}: {about:?}");
}

/// Waits for the port that a simulated door controller tells of.
async fn port_of(tool: &Tool) -> String {
    eventually("the device's port is told", SOON, || async {
        let printed = tool.printed();
        let told = printed.split("the device listens on ").nth(1)?;
        told.split_whitespace().next().map(str::to_owned)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_opens_at_its_own_port_for_who_knows_the_password_and_says_so() {
    let compound = Compound::start(["", "", ""]).await;
    let secret = compound.account("hik", &["--publish", "$http/none"]).await;
    let http = format!(
        "http://{}/hik/{secret}",
        compound.port("push.address").await
    );
    let door = start(&[
        &["hikvision", "--device", "10.31.4.20", "--http", &http],
        &[
            "--listen",
            "127.0.0.1:0",
            "--port-password",
            "geheim",
            "--for",
            "8s",
        ],
    ]);
    let port = port_of(&door).await;
    let open = |user: &str| {
        let url = format!("http://{port}/ISAPI/AccessControl/RemoteControl/door/1");
        let out = std::process::Command::new("curl")
            .args([
                "--silent",
                "--digest",
                "--user",
                user,
                "--request",
                "PUT",
                "--write-out",
                "%{http_code}",
            ])
            .args([
                "--data",
                "<RemoteControlDoor><cmd>open</cmd></RemoteControlDoor>",
                &url,
            ])
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let refused = tokio::task::block_in_place(|| open("admin:falsch"));
    assert!(refused.ends_with("401"), "{refused}");
    let done = tokio::task::block_in_place(|| open("admin:geheim"));
    assert!(
        done.ends_with("200") && done.contains("<statusString>OK</statusString>"),
        "{done}"
    );
    let outcome = finish(door).await;
    assert!(
        outcome.stdout.contains("orders heard 1 understood 1"),
        "{}",
        outcome.stdout
    );
    let opened = told(&compound.hub, "10-31-4-20", "access.granted").await;
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["attrs"]["method"], "remote");
}

#[tokio::test]
async fn orders_to_a_lock_behind_a_bridge_come_through_the_hub() {
    let compound = Compound::start(["", "", ""]).await;
    let hub = &compound.hub;
    let secret = compound
        .account(
            "zigbee",
            &["--publish", "zigbee2mqtt/#", "--subscribe", "zigbee2mqtt/#"],
        )
        .await;
    let mqtt = compound.mqtt();
    let lock = start(&[
        &[
            "zigbee2mqtt",
            "--device",
            "lock-1",
            "--mqtt",
            &mqtt,
            "--username",
            "zigbee",
            "--password",
            &secret,
        ],
        &["--again-every", "1h", "--for", "10s"],
    ]);
    let desk = compound
        .account("video", &["--publish", "zigbee2mqtt/+/set"])
        .await;
    let mut desk = bridge(hub, "video", &desk).await;
    eventually("the lock is there", SOON, || async {
        let all = told(hub, "lock-1", "access.lock_state").await;
        (!all.is_empty()).then_some(())
    })
    .await;
    let order = json!({"state": "UNLOCK"}).to_string();
    desk.publish("zigbee2mqtt/lock-1/set", &order, 1, false)
        .await;
    eventually("it is unlocked", SOON, || async {
        let all = told(hub, "lock-1", "access.lock_state").await;
        all.iter()
            .any(|event| event["attrs"]["state"] == "unlocked")
            .then_some(())
    })
    .await;
    let outcome = finish(lock).await;
    assert!(
        outcome.stdout.contains("understood 1"),
        "{}",
        outcome.stdout
    );
}
