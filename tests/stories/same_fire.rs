//! One fire in one compartment, seen by a Zigbee detector behind a bridge, by a detector on the loop of a fire controller (GB/T 26875.3)
//! and by a detector that speaks for itself: whoever sees it, it is the same incident in the same zone, and all three are one fire.

use std::path::Path;
use std::time::Duration;

use blackbox::{Hub, Mqtt, eventually, publish};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bridges::{account, bridge, component_state};
use crate::registry::{own_compound, with_addresses};

const SOON: Duration = Duration::from_secs(20);
/// The compartment: floor 6 of a building, in which three detectors hang.
const ZONE: &str = "q1-e2-f6";
const ZIGBEE: (&str, &str) = ("smoke-q1-0215", "0x00158d00045a10c7");
/// Point 17 in zone 3 of the controller behind the transmission device 9.
const ON_THE_LOOP: (&str, &str) = ("smoke-q1-0216", "000000000009/1-3-17");
const NATIVE: &str = "call-q1-0201";

async fn hub(dir: &Path) -> (Hub, Mqtt) {
    let compound = own_compound(dir);
    with_addresses(&compound, &[ZIGBEE, ON_THE_LOOP]);
    let folder = compound.display().to_string();
    let settings = [
        ("JIMING__REGISTRY__DIR", folder.as_str()),
        ("JIMING__BRIDGES__ZIGBEE__SITE", "q1"),
        ("JIMING__BRIDGES__PANEL__SITE", "q1"),
        ("JIMING__BRIDGES__PANEL__FORMATS", "gbt26875"),
        ("JIMING__BRIDGES__PANEL__TCP", "127.0.0.1:0"),
        ("JIMING__BRIDGES__PANEL__NETWORKS", "127.0.0.1"),
    ];
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings).await;
    let secret = account(dir, "zigbee", "zigbee2mqtt/#");
    let line = bridge(&hub, "zigbee", &secret).await;
    (hub, line)
}

async fn by_zigbee(line: &mut Mqtt) {
    let topic = format!("zigbee2mqtt/{}", ZIGBEE.1);
    let state = json!({"smoke": true, "battery": 87, "battery_low": false, "tamper": false, "linkquality": 90});
    let reason = line.publish(&topic, &state.to_string(), 1, false).await;
    assert_eq!(reason, 0);
}

async fn by_the_panel(hub: &Hub) {
    let address = eventually("the port is told", SOON, || async {
        let log = hub.log();
        let told = log.split("panels.address=").nth(1)?;
        told.split_whitespace().next().map(str::to_owned)
    })
    .await;
    let mut line = TcpStream::connect(&address).await.expect("connects");
    line.write_all(&component_state(7, 40, 0b10))
        .await
        .expect("sent");
    let mut answer = [0; 30];
    let answered = tokio::time::timeout(SOON, line.read_exact(&mut answer)).await;
    answered.expect("in time").expect("an answer");
    assert_eq!(answer[26], 3, "confirmed");
}

fn by_itself(hub: &Hub) {
    let device = hub.demo.devices.iter().find(|device| device.id == NATIVE);
    let device = device.expect("it is in the compound");
    let told = json!({"id": "s-1", "kind": "fire.smoke", "phase": "raised", "attrs": {}});
    let topic = device.event_topic("fire.smoke");
    let out = publish(
        &hub.demo,
        device,
        &topic,
        told.to_string().as_bytes(),
        1,
        "mqttv5",
    );
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// What an incident is about, without who saw it and when.
fn kind(incident: &Value) -> Value {
    let members = [
        "rule",
        "severity",
        "class",
        "lead",
        "departments",
        "site",
        "zone",
        "building",
        "floor",
        "state",
        "stage",
        "condition",
    ];
    let told = members.map(|member| (member.to_owned(), incident[member].clone()));
    Value::Object(told.into_iter().collect())
}

async fn active(hub: &Hub) -> Vec<Value> {
    let path = "/api/v1/incidents?state=active&limit=200";
    hub.api("operator").items(path).await.unwrap_or_default()
}

#[tokio::test]
async fn whoever_sees_a_fire_it_is_the_same_incident_in_the_same_zone() {
    let mut seen = Vec::new();
    for who in [ZIGBEE.0, ON_THE_LOOP.0, NATIVE] {
        let dir = tempfile::tempdir().expect("a directory");
        let (hub, mut line) = hub(dir.path()).await;
        match who {
            NATIVE => by_itself(&hub),
            who if who == ZIGBEE.0 => by_zigbee(&mut line).await,
            _ => by_the_panel(&hub).await,
        }
        let incident = hub.api("operator").incident_of("S1").await;
        assert_eq!(incident["zone"], ZONE, "{who}: {incident}");
        assert_eq!(incident["severity"], "P1", "{who}: {incident}");
        let path = format!("/api/v1/events?device={who}&kind=fire.smoke");
        let told = hub.api("operator").items(&path).await.expect("events");
        assert_eq!(told.len(), 1, "{who}: {told:?}");
        assert_eq!(
            (&told[0]["phase"], &told[0]["class"]),
            (&json!("raised"), &json!("fire_sensor"))
        );
        assert_eq!(active(&hub).await.len(), 1, "{who}");
        seen.push(kind(&incident));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[1], seen[2]);
}

#[tokio::test]
async fn all_three_in_one_compartment_are_one_confirmed_fire() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, mut line) = hub(dir.path()).await;
    by_zigbee(&mut line).await;
    let first = hub.api("operator").incident_of("S1").await;
    by_the_panel(&hub).await;
    let fire = hub.api("operator").incident_of("S2").await;
    assert_eq!(fire["zone"], ZONE, "{fire}");
    assert_eq!(fire["severity"], "P1", "{fire}");
    by_itself(&hub);
    let settled = eventually("the third is counted", SOON, || async {
        let alarms = hub
            .api("operator")
            .items("/api/v1/alarms?limit=200")
            .await
            .ok()?;
        let of = |device: &str| {
            alarms
                .iter()
                .any(|alarm| alarm["rule"] == "S1" && alarm["device"] == device)
        };
        of(NATIVE).then_some(alarms)
    })
    .await;
    let confirmed: Vec<&Value> = settled
        .iter()
        .filter(|alarm| alarm["rule"] == "S2")
        .collect();
    assert_eq!(confirmed.len(), 1, "{settled:?}");
    let open = active(&hub).await;
    assert_eq!(open.len(), 1, "{open:?}");
    // what began as one detector's has grown
    assert_eq!(
        (&open[0]["rule"], &open[0]["id"]),
        (&json!("S2"), &first["id"])
    );
    let devices = open[0]["detail"]["devices"].as_str().unwrap_or_default();
    assert_eq!(devices.split(' ').count(), 3, "{open:?}");
}
