//! A bridge that is lost is one incident: what its devices do not say meanwhile is held back with it as the cause, what they say of a
//! fire never is, and who is still silent when it is back rings by itself.

use std::path::Path;
use std::time::Duration;

use blackbox::{Hello, Hub, Mqtt, Props, eventually, repository};
use serde_json::{Value, json};

use crate::bridges::account;
use crate::registry::own_compound;

const SOON: Duration = Duration::from_mins(1);
/// Its detectors, as the bridge calls them. The last one is known by its bare address, so that another bridge reaches it as well.
const ADDRESSES: [&str; 3] = ["0xa1", "0xa2", "0xa3"];

/// A compound in which three detectors of quarter 1 hang on a bridge and are silent after eight seconds; gives their ids.
fn compound(dir: &Path) -> Vec<String> {
    let file = own_compound(dir).join("devices.csv");
    let text = std::fs::read_to_string(&file).expect("it ships");
    let (mut ids, mut table) = (Vec::new(), String::new());
    for line in text.lines() {
        let mut line = line.to_owned();
        if line.starts_with("id,") {
            line.push_str(",address");
        } else if !line.starts_with('#') && !line.is_empty() {
            let is_one = line.contains(",fire_sensor,") && line.contains(",q1,");
            match ADDRESSES.get(ids.len()).filter(|_| is_one) {
                Some(address) => {
                    let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
                    ids.push(cells[0].clone());
                    "4".clone_into(&mut cells[6]);
                    let bridge = if ids.len() == ADDRESSES.len() {
                        ""
                    } else {
                        "zigbee:"
                    };
                    line = format!("{},{bridge}{address}", cells.join(","));
                }
                None => line.push(','),
            }
        }
        table.push_str(&line);
        table.push('\n');
    }
    assert_eq!(ids.len(), ADDRESSES.len());
    std::fs::write(&file, table).expect("written");
    ids
}

/// The rules that ship, with a shorter wait for a bridge.
fn rules(dir: &Path) -> String {
    let folder = dir.join("rules");
    std::fs::create_dir_all(&folder).expect("made");
    let shipped = repository().join("deploy/config/rules");
    for entry in std::fs::read_dir(shipped).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mut text = std::fs::read_to_string(&path).expect("text");
        if let Some(at) = text.find("id = \"X4c\"") {
            let (before, rule) = text.split_at(at);
            let rule = rule.replacen("off_delay_s = 120", "off_delay_s = 6", 1);
            let (rule, cases) = rule.split_once("[[rule.case]]").expect("it has cases");
            let (_, after) = cases.split_once("\n\n\n").expect("another rule");
            let rule = rule.replacen("for_s = 60", "for_s = 1", 1);
            text = format!("{before}{rule}\n\n{after}");
        }
        std::fs::write(folder.join(path.file_name().expect("a name")), text).expect("written");
    }
    folder.display().to_string()
}

fn settings<'a>(compound: &'a str, rules: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("JIMING__REGISTRY__DIR", compound),
        ("JIMING__RULES__DIR", rules),
        ("JIMING__BRIDGES__ZIGBEE__SITE", "q1"),
        ("JIMING__BRIDGES__SPARE__SITE", "q1"),
    ]
}

async fn bridge(hub: &Hub, login: &str, secret: &str) -> Mqtt {
    let (host, port) = hub.demo.mqtt_address();
    let will = ("zigbee2mqtt/bridge/state", r#"{"state":"offline"}"#);
    let hello = Hello {
        version: 5,
        client: login.to_owned(),
        clean: true,
        keep_alive_s: 60,
        login: Some((login.to_owned(), secret.to_owned())),
        will: Some((
            will.0.to_owned(),
            will.1.to_owned(),
            1,
            false,
            Props::default(),
        )),
        props: Props::default(),
    };
    let address = format!("{host}:{port}");
    eventually("the account is known", SOON, || async {
        let (client, welcome) = Mqtt::connect(&address, &hello).await;
        welcome.filter(|welcome| welcome.code == 0).map(|_| client)
    })
    .await
}

async fn tell(line: &mut Mqtt, address: &str, state: Value) {
    let topic = format!("zigbee2mqtt/{address}");
    line.publish(&topic, &state.to_string(), 1, false).await;
}

async fn alarms(hub: &Hub, rule: &str) -> Vec<Value> {
    let all = hub.api("operator").items("/api/v1/alarms?limit=500").await;
    let all = all.unwrap_or_default().into_iter();
    all.filter(|alarm| alarm["rule"] == rule).collect()
}

async fn incidents(hub: &Hub, rule: &str) -> usize {
    let path = format!("/api/v1/incidents?rule={rule}&limit=200");
    hub.api("operator")
        .items(&path)
        .await
        .map_or(0, |all| all.len())
}

/// The silence of a device, once it stands in a state.
async fn silence(hub: &Hub, device: &str, state: &str, is_held: bool) -> Value {
    eventually("its silence stands so", SOON, || async {
        let all = alarms(hub, "S7").await.into_iter();
        all.into_iter().find(|alarm| {
            alarm["device"] == device
                && alarm["state"] == state
                && alarm["suppressed_by"].is_null() != is_held
        })
    })
    .await
}

#[tokio::test]
async fn a_lost_bridge_is_one_incident_and_fire_rings_all_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let ids = compound(dir.path());
    let folder = dir.path().join("compound").display().to_string();
    let rules = rules(dir.path());
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings(&folder, &rules)).await;
    let secret = account(dir.path(), "zigbee", "zigbee2mqtt/#");
    let other = account(dir.path(), "spare", "zigbee2mqtt/#");
    let mut line = bridge(&hub, "zigbee", &secret).await;
    for address in ADDRESSES {
        tell(
            &mut line,
            address,
            json!({"smoke": false, "linkquality": 90}),
        )
        .await;
    }
    // its process is killed: nobody says good-bye
    drop(line);
    let lost = eventually("the bridge is lost", SOON, || async {
        alarms(&hub, "X4c").await.into_iter().next()
    })
    .await;
    assert_eq!(lost["device"], "zigbee", "{lost}");
    for id in &ids {
        let held = silence(&hub, id, "active_unacked", true).await;
        assert_eq!(
            held["suppressed_by"], lost["id"],
            "the cause has a name: {held}"
        );
    }
    assert_eq!(
        incidents(&hub, "X4c").await,
        1,
        "the connection and the will are one loss"
    );
    assert_eq!(incidents(&hub, "S7").await, 0);
    assert_eq!(incidents(&hub, "S7b").await, 0);

    // a fire that is heard another way rings
    let mut spare = bridge(&hub, "spare", &other).await;
    tell(
        &mut spare,
        ADDRESSES[2],
        json!({"smoke": true, "linkquality": 80}),
    )
    .await;
    eventually("it burns", SOON, || async {
        (incidents(&hub, "S1").await == 1).then_some(())
    })
    .await;

    // the power goes; what was held back is held back still
    let demo = hub.demo.clone();
    hub.kill9();
    let hub = Hub::start_again_set(&data, &demo, &settings(&folder, &rules)).await;
    silence(&hub, &ids[0], "active_unacked", true).await;
    assert_eq!(incidents(&hub, "S7").await, 0);

    // back: the first one speaks, the second one does not, and rings by itself
    let mut line = bridge(&hub, "zigbee", &secret).await;
    let online = json!({"state": "online"}).to_string();
    line.publish("zigbee2mqtt/bridge/state", &online, 1, false)
        .await;
    let speaks = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_secs(1));
        loop {
            every.tick().await;
            tell(
                &mut line,
                ADDRESSES[0],
                json!({"smoke": false, "linkquality": 90}),
            )
            .await;
        }
    });
    let alone = silence(&hub, &ids[1], "active_unacked", false).await;
    assert!(alone["incident"].is_string(), "{alone}");
    let spoke = eventually("who speaks again is silent no more", SOON, || async {
        let all = alarms(&hub, "S7").await.into_iter();
        all.into_iter()
            .find(|a| a["device"] == ids[0] && a["state"] != "active_unacked")
    })
    .await;
    assert_eq!(spoke["incident"], Value::Null, "it never rang: {spoke}");
    assert_eq!(incidents(&hub, "X4c").await, 1);
    speaks.abort();
}
