//! Many clients tell the same many times, the hub is killed in the middle, and it is one incident for each thing that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use blackbox::{Device, Hello, Hub, Mqtt, Props, eventually};
use serde_json::json;
use tokio::task::JoinSet;

/// Times that each device tells it, each time as an event of its own.
const COPIES: usize = 32;
/// Acknowledged before the kill: about a third.
const BEFORE_KILL: usize = 3_000;

/// Connects as soon as somebody listens.
async fn connect(address: &str, device: &Device) -> Mqtt {
    let hello = Hello::of(device);
    eventually(
        "the hub lets a device in",
        Duration::from_mins(2),
        || async {
            let (client, welcome) = Mqtt::try_connect(address, &hello).await?;
            welcome.filter(|w| w.code == 0).map(|_| client)
        },
    )
    .await
}

/// Tells the same until each copy is acknowledged; what was not is told again, as devices do.
async fn tell(address: String, device: Device, acknowledged: Arc<AtomicUsize>) {
    let topic = device.event_topic("vehicle.plate_read");
    let mut client = connect(&address, &device).await;
    for copy in 0..COPIES {
        let lorry = json!({"id": format!("c-{copy}"), "kind": "vehicle.plate_read", "phase": "instant", "attrs": {
            "plate": "浙G55T19", "direction": "in", "lane": "1", "confidence": 0.97, "vehicle": {"type": "dangerous_goods"}}});
        let lorry = lorry.to_string();
        let id = u16::try_from(copy + 1).expect("small");
        loop {
            client
                .send(&topic, &lorry, 1, false, id, &Props::default())
                .await;
            match client.read().await {
                Some((first, body)) => {
                    assert_eq!(
                        (first >> 4, &body[..2]),
                        (4, &id.to_be_bytes()[..]),
                        "a PUBACK"
                    );
                    break;
                }
                None => client = connect(&address, &device).await,
            }
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hundreds_of_clients_tell_is_one_incident_although_the_hub_is_killed() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let demo = hub.demo.clone();
    let (host, port) = demo.mqtt_address();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for device in &demo.devices {
        let address = format!("{host}:{port}");
        clients.spawn(tell(address, device.clone(), Arc::clone(&acknowledged)));
    }
    assert!(clients.len() >= 300, "{} clients", clients.len());
    eventually(
        "a third is acknowledged",
        Duration::from_mins(2),
        || async { (acknowledged.load(Ordering::Relaxed) >= BEFORE_KILL).then_some(()) },
    )
    .await;
    hub.kill9();
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    clients.join_all().await;

    let api = hub.api("station_lead");
    let all = demo.devices.len() * COPIES;
    let events = eventually("history has caught up", Duration::from_mins(2), || async {
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let query =
                format!("/api/v1/events?kind=vehicle.plate_read&limit=1000&after_seq={after}");
            let page = api.items(&query).await.ok()?;
            let Some(last) = page.last() else { break };
            after = last["seq"].as_u64()?;
            events.extend(page);
        }
        (events.len() >= all).then_some(events)
    })
    .await;
    let told: BTreeSet<(String, String)> = events
        .iter()
        .map(|e| (e["device"].to_string(), e["id"].to_string()))
        .collect();
    assert_eq!(
        (events.len(), told.len()),
        (all, all),
        "each told event once"
    );

    let mut incidents: BTreeMap<String, usize> = BTreeMap::new();
    for item in api
        .items("/api/v1/incidents?limit=500")
        .await
        .expect("incidents")
    {
        if item["rule"] == "B7" {
            let site = item["site"].as_str().expect("a site").to_owned();
            *incidents.entry(site).or_default() += 1;
        }
    }
    let sites: BTreeSet<&String> = demo.devices.iter().map(|d| &d.site).collect();
    let expected: BTreeMap<String, usize> =
        sites.into_iter().map(|site| (site.clone(), 1)).collect();
    assert_eq!(incidents, expected, "one for each quarter");
}
