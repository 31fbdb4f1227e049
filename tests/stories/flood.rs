//! Two thousand alarms within a minute, three of them fires: the fires stand alone above everything, the rest is folded, nothing is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blackbox::{Device, Hello, Hub, Mqtt, Props, artefacts, eventually};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Lorries that nobody may let in, each with a plate of its own: P3, one incident each.
const LORRIES: usize = 1_997;
const FIRES: usize = 3;
/// Two thousand in twenty seconds: three times the pace that is promised.
const BETWEEN: Duration = Duration::from_millis(10);

async fn connect(hub: &Hub, device: &Device) -> Mqtt {
    let (host, port) = hub.demo.mqtt_address();
    let (client, welcome) = Mqtt::connect(&format!("{host}:{port}"), &Hello::of(device)).await;
    assert_eq!(
        welcome.expect("an answer").code,
        0,
        "{} is let in",
        device.id
    );
    client
}

/// When each incident was first told of on the live feed, by (rule, subject or lane).
type Seen = Arc<Mutex<BTreeMap<(String, String), Instant>>>;

async fn watch(hub: &Hub, seen: Seen) -> tokio::task::JoinHandle<()> {
    let client = reqwest::Client::builder().no_proxy().build();
    let request = client
        .expect("a client")
        .get(format!("{}/api/v1/live", hub.demo.http))
        .bearer_auth(&hub.demo.user("station_lead").token);
    let reply = request.send().await.expect("answers");
    assert_eq!(reply.status(), 200);
    let mut stream = reply.bytes_stream();
    tokio::spawn(async move {
        let mut text = String::new();
        while let Some(Ok(piece)) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(&piece));
            let now = Instant::now();
            while let Some((event, rest)) = text.split_once("\n\n") {
                assert!(!event.contains("event: reset"), "the watcher kept up");
                let data = event
                    .contains("event: incident")
                    .then(|| event.lines().find_map(|line| line.strip_prefix("data: ")));
                if let Some(data) = data.flatten() {
                    let item: Value = serde_json::from_str(data).expect("JSON");
                    let word = |name: &str| item[name].as_str().expect("a word").to_owned();
                    // plates are masked: lorries are told apart by their lanes
                    let lane = item["detail"]["lane"].as_str().map(str::to_owned);
                    let key = (word("rule"), lane.unwrap_or_else(|| word("subject")));
                    seen.lock().await.entry(key).or_insert(now);
                }
                text = rest.to_owned();
            }
        }
    })
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

#[tokio::test]
async fn two_thousand_alarms_in_a_minute_bury_no_fire() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let api = hub.api("station_lead");
    let of = |class: &str| {
        let devices = hub.demo.devices.iter().filter(|d| d.class == class);
        devices.cloned().collect::<Vec<_>>()
    };
    let mut gates = Vec::new();
    for device in of("barrier") {
        gates.push((connect(&hub, &device).await, device));
    }
    // one a quarter, so that no fire confirms another
    let mut detectors: BTreeMap<String, Device> = BTreeMap::new();
    for device in of("fire_sensor") {
        detectors.entry(device.site.clone()).or_insert(device);
    }
    let detectors: Vec<Device> = detectors.into_values().take(FIRES).collect();
    let mut burning = Vec::new();
    for device in detectors {
        burning.push((connect(&hub, &device).await, device));
    }

    let seen: Seen = Arc::default();
    let watcher = watch(&hub, Arc::clone(&seen)).await;
    let mut sent: BTreeMap<(String, String), Instant> = BTreeMap::new();
    let begun = Instant::now();
    for n in 0..LORRIES {
        if n % (LORRIES / FIRES) == LORRIES / FIRES / 2 {
            let (client, device) = burning.pop().expect("a detector left");
            let smoke = json!({"id": "s-1", "kind": "fire.smoke", "phase": "raised"}).to_string();
            let key = ("S1".to_owned(), format!("device:{}", device.id));
            sent.insert(key, Instant::now());
            let mut client = client;
            client
                .publish(&device.event_topic("fire.smoke"), &smoke, 1, false)
                .await;
        }
        let which = n % gates.len();
        let (client, device) = &mut gates[which];
        let plate = format!("浙G{:05}", 10_000 + n);
        let lorry = json!({"id": format!("l-{n}"), "kind": "vehicle.plate_read", "phase": "instant", "attrs": {
            "plate": plate, "plate_color": "yellow", "confidence": 0.97, "direction": "in", "lane": n.to_string(),
            "vehicle": {"type": "dangerous_goods"}}});
        let key = ("B7".to_owned(), n.to_string());
        sent.insert(key, Instant::now());
        let id = u16::try_from(n % 1000 + 1).expect("small");
        let topic = device.event_topic("vehicle.plate_read");
        client
            .send(&topic, &lorry.to_string(), 1, false, id, &Props::default())
            .await;
        tokio::time::sleep_until((begun + BETWEEN * u32::try_from(n).expect("small")).into()).await;
    }
    let sending = begun.elapsed();

    let told = eventually("all are told of", Duration::from_mins(2), || async {
        let seen = seen.lock().await;
        sent.keys()
            .all(|key| seen.contains_key(key))
            .then(|| seen.clone())
    })
    .await;
    watcher.abort();

    // what the board of an operator holds
    let mut board = Vec::new();
    let mut next = String::new();
    loop {
        let page = api
            .get(&format!("/api/v1/incidents?limit=500{next}"))
            .await
            .expect("a page");
        board.extend(page["items"].as_array().expect("items").iter().cloned());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        board.len(),
        LORRIES + FIRES,
        "one incident each, none twice"
    );
    let (folded, alone): (Vec<&Value>, Vec<&Value>) =
        board.iter().partition(|item| item["storm"].is_string());
    for item in &folded {
        assert_eq!(
            item["rule"], "B7",
            "only what is not urgent is folded: {item}"
        );
    }
    let fires = alone.iter().filter(|item| item["rule"] == "S1");
    assert_eq!(fires.count(), FIRES, "every fire stands alone");
    let storms = api.items("/api/v1/storms").await.expect("cards");
    let lines = alone.len() + storms.len();
    assert!(
        lines <= 50,
        "{} alone and {} cards",
        alone.len(),
        storms.len()
    );
    let mut held: BTreeMap<&str, u64> = BTreeMap::new();
    for item in &folded {
        *held
            .entry(item["storm"].as_str().expect("a card"))
            .or_default() += 1;
    }
    for storm in &storms {
        let id = storm["id"].as_str().expect("an id");
        assert_eq!(storm["incidents"].as_u64(), held.remove(id), "{storm}");
    }
    assert!(held.is_empty(), "cards that no list has: {held:?}");

    let load = api.get("/api/v1/load").await.expect("the load");
    let all = u64::try_from(LORRIES + FIRES).expect("small");
    assert!(load["rate"]["flood_since"].is_string(), "{load}");
    assert_eq!(load["metrics"]["alarm_count"], all, "{load}");
    assert_eq!(load["metrics"]["maximum_alarm_rate"], all as f64, "{load}");

    // history has them all
    let lorries = eventually("history has caught up", Duration::from_mins(1), || async {
        let mut lorries = BTreeSet::new();
        let mut after = 0;
        loop {
            let query =
                format!("/api/v1/events?kind=vehicle.plate_read&limit=1000&after_seq={after}");
            let page = api.items(&query).await.ok()?;
            let Some(last) = page.last() else { break };
            after = last["seq"].as_u64()?;
            lorries.extend(page.iter().map(|e| e["id"].to_string()));
        }
        (lorries.len() == LORRIES).then_some(lorries)
    })
    .await;
    assert_eq!(lorries.len(), LORRIES);

    // an operator takes one card in, and nothing but that
    let card = &storms[0];
    let path = format!(
        "/api/v1/storms/{}/acknowledge",
        card["id"].as_str().expect("an id")
    );
    let seen_at = json!({"seen_at": card["last_at"]});
    let (status, done) = hub
        .api("operator")
        .post(&path, "card", &seen_at)
        .await
        .expect("answers");
    assert_eq!(
        (status, &done["acknowledged"]),
        (200, &card["incidents"]),
        "{done}"
    );

    let late = |rule: &str| {
        let of = sent.iter().filter(|((of, _), _)| of == rule);
        let mut late: Vec<Duration> = of.map(|(key, at)| told[key] - *at).collect();
        late.sort_unstable();
        late
    };
    let (fires, lorries) = (late("S1"), late("B7"));
    let report = json!({
        "alarms": all, "sent_in_s": sending.as_secs_f64(), "lines_on_the_board": lines, "cards": storms.len(),
        "p1_in_the_feed_ms": fires.iter().map(Duration::as_millis).collect::<Vec<_>>(),
        "p3_in_the_feed_ms": {"p50": percentile(&lorries, 50).as_millis(), "p99": percentile(&lorries, 99).as_millis()},
    });
    println!("flood: {report}");
    std::fs::write(artefacts().join("flood.json"), report.to_string()).expect("is written");
}
