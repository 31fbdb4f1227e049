//! Software that nobody here wrote speaks to a real hub: the converters of Zigbee2MQTT by its own MQTT client and through a broker in
//! between, `mosquitto_pub` for Frigate, curl for cameras and door controllers of Hikvision.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use blackbox::{Hub, eventually, repository};
use serde_json::Value;

use crate::bridges::account;
use crate::registry::{own_compound, with_addresses};

const SOON: Duration = Duration::from_secs(30);
/// The detector that is in the registry, and what Zigbee2MQTT calls it.
const REGISTERED: (&str, &str) = ("smoke-q1-0215", "烟感/3-2");

/// What each model says, after it has come: `kind` and phase, or the state of a door or lock.
const TOLD: &[(&str, &[&str])] = &[
    (
        "SmokeSensor-N",
        &[
            "fire.smoke raised",
            "fire.smoke cleared",
            "device.tamper raised",
            "device.tamper cleared",
            "device.battery_low raised",
        ],
    ),
    (
        "RBSH-SD-ZB-EU",
        &["fire.smoke raised", "fire.smoke cleared"],
    ),
    (
        "SMSZB-120",
        &[
            "fire.smoke raised",
            "fire.smoke cleared",
            // a press of its button rings like a fire, and says that it is a test
            "fire.smoke raised",
            "device.test raised",
            "fire.smoke cleared",
            "device.test cleared",
        ],
    ),
    (
        "lumi.sensor_smoke",
        &["fire.smoke raised", "fire.smoke cleared"],
    ),
    (
        "lumi.sensor_smoke.acn03",
        &["fire.smoke raised", "fire.smoke cleared"],
    ),
    (
        "TS0205",
        &[
            "fire.smoke raised",
            "fire.smoke cleared",
            "device.tamper raised",
            "device.tamper cleared",
        ],
    ),
    (
        "TS0601",
        &[
            "fire.smoke raised",
            "fire.smoke cleared",
            "device.tamper raised",
            "device.battery_low raised",
        ],
    ),
    (
        "HK-SENSOR-SMO",
        &[
            "fire.smoke raised",
            "fire.smoke cleared",
            "fire.smoke raised",
            "fire.smoke cleared",
        ],
    ),
    (
        "HS2SA-EF-3.0",
        &[
            "fire.smoke raised",
            "fire.smoke cleared",
            "device.battery_low raised",
        ],
    ),
    ("lumi.sensor_magnet", &["closed", "open", "closed"]),
    ("lumi.magnet.agl02", &["closed", "open", "closed"]),
    (
        "DS01",
        &["closed", "open", "closed", "device.battery_low raised"],
    ),
    ("PARASOLL Door/Window Sensor", &["closed", "open", "closed"]),
    ("3RDS17BZ", &["closed", "open", "closed"]),
    (
        "CS-T2C-A0-BG",
        &["closed", "open", "closed", "device.tamper raised"],
    ),
    (
        "TS0203",
        &["closed", "open", "closed", "device.tamper raised"],
    ),
    (
        "YRD256 TSDB",
        &["locked", "unlocked", "locked", "access.denied instant"],
    ),
    ("SMARTCODE_DEADBOLT_10", &["unlocked", "locked", "unlocked"]),
    ("BE468", &["locked", "unlocked", "locked"]),
    ("V3-BTZB", &["locked", "unlocked", "not_fully_locked"]),
    ("easyCodeTouch_v1", &["locked", "unlocked", "unlocked"]),
    (
        "lumi.vibration.aq1",
        &[
            "device.alarm_input raised",
            "device.alarm_input instant",
            "device.alarm_input instant",
        ],
    ),
    (
        "Vibration-N",
        &[
            "device.alarm_input raised",
            "device.alarm_input cleared",
            "device.tamper raised",
        ],
    ),
    ("TS0210", &["device.alarm_input raised"]),
    (
        "3RVS01031Z",
        &["device.alarm_input raised", "device.alarm_input cleared"],
    ),
    (
        "RBSH-SWDV-ZB",
        &[
            "closed",
            "open",
            "device.alarm_input raised",
            "device.alarm_input cleared",
            "closed",
        ],
    ),
    (
        "DCH-B112",
        &[
            "closed",
            "device.alarm_input raised",
            "device.alarm_input cleared",
        ],
    ),
];

/// What the converters of Zigbee2MQTT make of what 27 models say on the air (`tests/converters`).
fn converted() -> Vec<Value> {
    let out = node("messages").output().expect("node runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    let text = String::from_utf8(out.stdout).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(repository().join(format!("tests/converters/{script}.mjs")));
    command
}

/// Publishes all of it with MQTT.js, the client of Zigbee2MQTT; each message is acknowledged.
fn publish(address: &str, login: Option<(&str, &str)>, messages: &[&Value]) {
    let mut command = node("publish");
    command.args([format!("mqtt://{address}"), "zigbee".to_owned()]);
    if let Some((user, secret)) = login {
        command.args([user, secret]);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut input = child.stdin.take().expect("piped");
    for message in messages {
        // it may have been turned away before it read everything
        let _ = writeln!(input, "{message}");
    }
    drop(input);
    let out = child.wait_with_output().expect("node ends");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    let told = String::from_utf8_lossy(&out.stdout);
    assert_eq!(told.trim(), messages.len().to_string());
}

/// A hub whose quarter q1 has a Zigbee bridge and one detector behind it that is registered.
async fn hub(dir: &Path) -> (Hub, String) {
    let compound = own_compound(dir);
    with_addresses(&compound, &[REGISTERED]);
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let settings = hub_settings(dir);
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let hub = Hub::start_set(&data, &settings).await;
    let secret = account(dir, "zigbee", "zigbee2mqtt/#");
    knows(&hub, "zigbee", &secret, "zigbee2mqtt/x/set").await;
    (hub, secret)
}

fn hub_settings(dir: &Path) -> [(&'static str, String); 4] {
    let folder = dir.join("compound").display().to_string();
    [
        ("JIMING__REGISTRY__DIR", folder),
        ("JIMING__PUSH__LISTEN", "127.0.0.1:0".to_owned()),
        ("JIMING__BRIDGES__ZIGBEE__SITE", "q1".to_owned()),
        ("JIMING__BRIDGES__CAMERAS__SITE", "q2".to_owned()),
    ]
}

/// Waits until the hub has heard of a new account; `topic` is one that it may publish on and that tells nothing.
async fn knows(hub: &Hub, login: &str, secret: &str, topic: &str) {
    eventually("the account is known", SOON, || async {
        let out = mosquitto_pub(hub, login, secret, &["-t", topic, "-m", "x"]);
        out.status.success().then_some(())
    })
    .await;
}

/// Publishes with Debian's client at QoS 1.
pub(crate) fn mosquitto_pub(hub: &Hub, login: &str, secret: &str, arguments: &[&str]) -> Output {
    let (host, port) = hub.demo.mqtt_address();
    Command::new("mosquitto_pub")
        .args(["-h", &host, "-p", &port.to_string(), "-q", "1"])
        .args(["-u", login, "-P", secret, "-i", login])
        .args(arguments)
        .output()
        .expect("mosquitto_pub is installed (hint: `tests/run`)")
}

/// All that the hub has made of what a bridge said, by the address of the device, in the order in which it was said.
pub(crate) async fn heard(hub: &Hub, adapter: &str) -> BTreeMap<String, Vec<Value>> {
    let path = "/api/v1/events?after_seq=0&limit=500";
    let all = hub.api("operator").items(path).await;
    let mut by_address: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in all.unwrap_or_default() {
        if event["attrs"]["adapter"] == adapter {
            let address = event["attrs"]["address"].as_str().unwrap_or_default();
            by_address
                .entry(address.to_owned())
                .or_default()
                .push(event);
        }
    }
    by_address
}

pub(crate) fn told(event: &Value) -> String {
    let (kind, phase) = (&event["kind"], &event["phase"]);
    match kind.as_str() {
        Some("access.door_state" | "access.lock_state") => event["attrs"]["state"].to_string(),
        _ => format!("{kind} {phase}"),
    }
    .replace('"', "")
}

#[tokio::test]
async fn what_zigbee2mqtt_makes_of_27_models_is_understood_and_each_fire_is_one_incident() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, secret) = hub(dir.path()).await;
    let messages = converted();
    let (host, port) = hub.demo.mqtt_address();
    let address = format!("{host}:{port}");
    let is_over = |message: &&Value| {
        let step = message["step"].as_str().unwrap_or_default();
        !matches!(step, "" | "quiet" | "alarm" | "alarm again" | "dense")
    };
    let smokes = |message: &Value| message["kind"] == "smoke" || message["kind"].is_null();
    let begin: Vec<&Value> = messages
        .iter()
        .filter(|message| smokes(message) && !is_over(message))
        .collect();
    publish(&address, Some(("zigbee", &secret)), &begin);

    // every detector burns once, however often it said so
    let incidents = eventually("nine detectors burn", SOON, || async {
        let all = hub.api("operator");
        let all = all.items("/api/v1/incidents?state=active&limit=200").await;
        let all: Vec<Value> = all
            .ok()?
            .into_iter()
            .filter(|i| i["rule"] == "S1")
            .collect();
        (all.len() >= 9).then_some(all)
    })
    .await;
    assert_eq!(incidents.len(), 9, "{incidents:?}");
    let registered: Vec<&Value> = incidents
        .iter()
        .filter(|incident| incident["zone"] == "q1-e2-f6")
        .collect();
    assert_eq!(registered.len(), 1, "{incidents:?}");
    assert!(
        incidents
            .iter()
            .all(|one| one["severity"] == "P1" && one["site"] == "q1"),
        "{incidents:?}"
    );

    let rest: Vec<&Value> = messages
        .iter()
        .filter(|message| is_over(message) || !smokes(message))
        .collect();
    publish(&address, Some(("zigbee", &secret)), &rest);
    let last = messages.last().expect("messages")["address"].clone();
    let last = last.as_str().expect("an address");
    let heard = eventually("the last is in history", SOON, || async {
        let heard = heard(&hub, "zigbee2mqtt").await;
        let is_there = heard.get(last).is_some_and(|events| {
            events
                .iter()
                .filter(|event| event["kind"] == "device.alarm_input")
                .count()
                == 2
        });
        is_there.then_some(heard)
    })
    .await;
    let mut models: BTreeMap<&str, &str> = BTreeMap::new();
    for message in &messages {
        if let (Some(model), Some(address)) =
            (message["model"].as_str(), message["address"].as_str())
        {
            models.insert(model, address);
        }
    }
    assert_eq!(models.len(), TOLD.len(), "{models:?}");
    let mut wrong = Vec::new();
    for (model, expected) in TOLD {
        let events = heard.get(models[model]).cloned().unwrap_or_default();
        let has: Vec<String> = events.iter().map(told).collect();
        let has: Vec<&str> = has.iter().map(String::as_str).collect();
        // first it can be reached
        if has.split_first() != Some((&"device.online updated", expected)) {
            wrong.push(format!("{model}: {has:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let own = &heard[REGISTERED.1];
    assert!(
        own.iter().all(|event| event["device"] == REGISTERED.0),
        "{own:?}"
    );
    // the bridge took its leave, and nothing of what it said was odd
    let bridge: Vec<String> = heard[""].iter().map(told).collect();
    assert_eq!(bridge, ["device.online updated"]);
    assert_eq!(quarantined(&hub, "zigbee").await, [] as [Value; 0]);
}

/// What of an account nobody could read.
pub(crate) async fn quarantined(hub: &Hub, account: &str) -> Vec<Value> {
    let manager = hub.api("property_manager");
    let rows = manager.items("/api/v1/quarantine").await.expect("a list");
    rows.into_iter()
        .filter(|row| row["principal"] == account)
        .collect()
}

/// A broker between Zigbee2MQTT and the hub: Debian's mosquitto, set up as docs/formats.md says.
struct Broker {
    child: Child,
    address: String,
}

impl Broker {
    fn start(dir: &Path, port: u16, hub: &Hub, secret: &str) -> Self {
        let document = repository().join("docs/formats.md");
        let document = std::fs::read_to_string(document).expect("it is there");
        let (_, shown) = document.split_once("```conf\n").expect("a configuration");
        let (shown, _) = shown.split_once("```").expect("its end");
        let (host, hub_port) = hub.demo.mqtt_address();
        let connection = shown
            .replace("HUB:PORT", &format!("{host}:{hub_port}"))
            .replace("NAME", "zigbee")
            .replace("SECRET", secret);
        let address = format!("127.0.0.1:{port}");
        let listener = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
        let file = dir.join("mosquitto.conf");
        std::fs::write(&file, format!("{listener}{connection}")).expect("written");
        let log = std::fs::File::create(dir.join("mosquitto.log")).expect("a log");
        let child = Command::new("mosquitto")
            .env("PATH", path_with_sbin())
            .arg("-c")
            .arg(&file)
            .arg("-v")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("mosquitto is installed (hint: `tests/run`)");
        Self { child, address }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian keeps servers where not everybody looks.
fn path_with_sbin() -> String {
    format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default())
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn a_broker_of_somebody_else_passes_on_what_it_hears_also_after_the_hub_was_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, secret) = hub(dir.path()).await;
    let broker = Broker::start(dir.path(), free_port(), &hub, &secret);
    eventually("the broker listens", SOON, || async {
        std::net::TcpStream::connect(&broker.address).ok()
    })
    .await;
    let messages = converted();
    let of = |model: &str| -> Vec<&Value> {
        let all = messages.iter();
        all.filter(|message| message["model"] == model).collect()
    };
    let smoke = of("SmokeSensor-N");
    let (quiet, rest) = smoke.split_at(1);
    publish(&broker.address, None, quiet);
    publish(&broker.address, None, &rest[..1]);
    let incident = hub.api("operator").incident_of("S1").await;
    assert_eq!(incident["zone"], "q1-e2-f6", "{incident}");

    // the hub is away while the rest is said; the broker keeps it
    let demo = hub.demo.clone();
    let settings = hub_settings(dir.path());
    hub.kill9();
    publish(&broker.address, None, &rest[1..]);
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let hub = Hub::start_again_set(&dir.path().join("data"), &demo, &settings).await;
    let (_, expected) = TOLD[0];
    let has = eventually("the rest came, too", SOON, || async {
        let heard = heard(&hub, "zigbee2mqtt").await;
        let has: Vec<String> = heard.get(REGISTERED.1)?.iter().map(told).collect();
        (has.len() >= expected.len()).then_some(has)
    })
    .await;
    assert_eq!(has, expected);
    assert_eq!(quarantined(&hub, "zigbee").await, [] as [Value; 0]);
}
