//! How fast the event store takes batches and answers queries: `events_bench [EVENTS] [BATCH] [DEVICES] [ordered|random]`, with
//! `--release`. Makes its files below the current directory: where they lie decides much.
//!
//! Small events in turn from all devices, one tenth after midnight, so that the look into yesterday's file is part of the figure.

use std::time::{Duration, Instant};

use domain::{Attrs, ClockSource, DeviceClass, Event, EventId, Kind, Phase, Seq, Timestamp};
use store::events::sqlite::SqliteEvents;
use store::events::{Bucket, CountBy, EventStore, HistoryQuery};

fn event(seq: u64, received_at: Timestamp, devices: u64, random_keys: bool) -> Event {
    let device = seq.wrapping_mul(7_919) % devices;
    let key = if random_keys {
        format!("{:016x}", seq.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    } else {
        format!("{:013x}{device:03x}", 0x0190_0000_0000_u64 + seq)
    };
    let kind = [
        Kind::DeviceTelemetry,
        Kind::AccessGranted,
        Kind::VehiclePassage,
        Kind::CameraMotion,
    ][(seq % 4) as usize];
    Event {
        id: EventId::of_uplink(received_at, Seq(seq), 0),
        seq: Seq(seq),
        site: format!("q{}", device % 9 + 1).parse().expect("a slug"),
        device: format!("dev-{device:05}").parse().expect("a slug"),
        class: DeviceClass::Access,
        component: None,
        kind,
        phase: Phase::Instant,
        dedupe_key: key,
        occurred_at: received_at,
        received_at,
        clock: ClockSource::Device,
        attrs: Attrs::from_value(&serde_json::json!({"battery_percent": 93, "rssi_dbm": -71})),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1);
    let total: u64 = args
        .next()
        .map_or(1_000_000, |n| n.parse().expect("EVENTS"));
    let size: u64 = args.next().map_or(10_000, |n| n.parse().expect("BATCH"));
    let devices: u64 = args.next().map_or(2_000, |n| n.parse().expect("DEVICES"));
    let random_keys = args.next().is_some_and(|word| word == "random");
    let dir =
        tempfile::tempdir_in(std::env::current_dir().expect("a directory")).expect("a directory");
    let store = SqliteEvents::open(dir.path(), None).expect("opens");
    let start: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
    // Nine tenths of the events fill 24 h, the last tenth is tomorrow's.
    let step_us = 86_400_000_000 / (total * 9 / 10).max(1);
    let at = |seq: u64| start + Duration::from_micros(seq * step_us);
    let (mut busy, mut slowest, mut tomorrow) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let cpu = cpu_seconds();
    let mut making = 0.0;
    for first in (0..total).step_by(size as usize) {
        let made = cpu_seconds();
        let batch: Vec<Event> = (first..(first + size).min(total))
            .map(|seq| event(seq + 1, at(seq), devices, random_keys))
            .collect();
        making += cpu_seconds() - made;
        let upto = Seq(first + batch.len() as u64);
        let begun = Instant::now();
        store.append(upto, batch).await.expect("append");
        let took = begun.elapsed();
        busy += took;
        slowest = slowest.max(took);
        if first >= total * 9 / 10 {
            tomorrow += took;
        }
    }
    let cpu = cpu_seconds() - cpu - making;
    let per_second = |n: u64, time: Duration| n as f64 / time.as_secs_f64();
    println!(
        "append: {:.0} events/s ({:.0} after midnight), slowest batch {} ms, {:.2} us CPU per event",
        per_second(total, busy),
        per_second(total / 10, tomorrow),
        slowest.as_millis(),
        cpu * 1e6 / total as f64,
    );
    let bytes: u64 = std::fs::read_dir(dir.path())
        .expect("a directory")
        .map(|e| e.and_then(|e| e.metadata()).map_or(0, |m| m.len()))
        .sum();
    println!("files: {} bytes per event", bytes / total);
    let device = Some("dev-00042".parse().expect("a slug"));
    let middle = Some(at(total / 2));
    let queries = [
        ("newest 100", HistoryQuery::default()),
        (
            "newest 100 of a device",
            HistoryQuery {
                device,
                ..HistoryQuery::default()
            },
        ),
        (
            "newest 100 of a kind",
            HistoryQuery {
                kind: Some(Kind::CameraMotion),
                ..HistoryQuery::default()
            },
        ),
        (
            "100 before noon",
            HistoryQuery {
                to: middle,
                ..HistoryQuery::default()
            },
        ),
    ];
    for (name, query) in queries {
        let begun = Instant::now();
        let page = store.history(query).await.expect("history");
        println!("{name}: {} in {:?}", page.items.len(), begun.elapsed());
    }
    let begun = Instant::now();
    let rows = store
        .counts(start, at(total), Bucket::Hour, CountBy::Kind, None)
        .await
        .expect("counts");
    println!(
        "counts by kind and hour: {} rows in {:?}",
        rows.len(),
        begun.elapsed()
    );
}

/// CPU time of this process, both kinds, as Linux tells it; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |n: usize| {
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest);
        fields
            .and_then(|f| f.split(' ').nth(n))
            .and_then(|f| f.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}
