//! Fills the data of a hub that does not run, for `tests/bench/api`: `fill DATA [EVENTS] [INCIDENTS]`.
//!
//! By the ways that the hub itself goes, without MQTT in front: uplinks go into the journal, their events into history (spread over 30
//! days), findings become incidents (spread over a year, so that no flood folds them), and commands end all but the newest
//! [`ACTIVE`] of these. `DATA` is the directory of a hub that has run once, so that it has users.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use domain::incident::{Actor, Command, Verb};
use domain::place::Device;
use domain::rule::{Finding, FindingKind};
use domain::{
    Attrs, ClockSource, DeviceClass, Event, EventId, IncidentId, Kind, Lane, Phase, Seq, Severity,
    Timestamp, Uplink, UplinkFlags,
};
use gateway::config::{self, Config};
use gateway::hub::{Catalogue, Stores};
use gateway::pipeline::detect::CONSUMER;
use store::state::Batch;

const EVENTS_OVER: Duration = Duration::from_hours(30 * 24);
const INCIDENTS_OVER: Duration = Duration::from_hours(365 * 24);
/// Incidents that stay open, as on a busy board.
const ACTIVE: u64 = 500;
/// Events of one batch, and findings of one.
const EVENTS_AT_ONCE: u64 = 10_000;
const FINDINGS_AT_ONCE: u64 = 100;
/// How long after an incident it is acknowledged and ended: before any clock of duty runs out.
const SEEN_AFTER: Duration = Duration::from_secs(10);
const OVER_AFTER: Duration = Duration::from_secs(20);
const CLEARED_AFTER: Duration = Duration::from_secs(30);

/// Rules whose incidents there are, and of what they are about.
const RULES: [(&str, Severity, DeviceClass); 5] = [
    ("A1", Severity::P2, DeviceClass::Access),
    ("S5", Severity::P3, DeviceClass::FireSensor),
    ("A4", Severity::P3, DeviceClass::Access),
    ("B4", Severity::P3, DeviceClass::Barrier),
    ("S1", Severity::P1, DeviceClass::FireSensor),
];

/// Evenly spread, so that the last of `count` is `until`.
fn spread(until: Timestamp, over: Duration, n: u64, count: u64) -> Timestamp {
    let left = over.as_micros() as u64 / count * (count - 1 - n);
    until - Duration::from_micros(left)
}

fn kinds(class: DeviceClass) -> [(Kind, Phase); 4] {
    use Kind::{
        AccessDenied, AccessDoorState, AccessGranted, CameraMotion, DeviceTelemetry, VehiclePassage,
    };
    let (instant, telemetry) = (Phase::Instant, (DeviceTelemetry, Phase::Updated));
    match class {
        DeviceClass::Access => [
            (AccessGranted, instant),
            (AccessDoorState, Phase::Updated),
            (AccessDenied, instant),
            telemetry,
        ],
        DeviceClass::Barrier => [
            (VehiclePassage, instant),
            (VehiclePassage, instant),
            (VehiclePassage, instant),
            telemetry,
        ],
        DeviceClass::Camera => [
            (CameraMotion, instant),
            (CameraMotion, instant),
            (CameraMotion, instant),
            telemetry,
        ],
        _ => [telemetry; 4],
    }
}

fn event(seq: Seq, n: u64, at: Timestamp, device: &Device) -> Event {
    let (kind, phase) = kinds(device.class)[(n / 331 % 4) as usize];
    let attrs = match kind {
        Kind::DeviceTelemetry => {
            serde_json::json!({"battery_percent": 40 + n % 60, "rssi_dbm": -60 - (n % 30) as i64})
        }
        Kind::VehiclePassage => serde_json::json!({"direction": "in", "lane": (n % 4).to_string()}),
        Kind::AccessGranted | Kind::AccessDenied => {
            serde_json::json!({"credential_ref": format!("c{}", n % 5000)})
        }
        Kind::AccessDoorState => serde_json::json!({"door": "closed"}),
        _ => serde_json::json!({"confidence": 0.9}),
    };
    Event {
        id: EventId::of_uplink(at, seq, 0),
        seq,
        site: device.site.clone(),
        device: device.id.clone(),
        class: device.class,
        component: None,
        kind,
        phase,
        dedupe_key: format!("f{n:x}"),
        occurred_at: at,
        received_at: at,
        clock: ClockSource::Device,
        attrs: Attrs::from_value(&attrs),
    }
}

async fn open(config: &Config) -> anyhow::Result<Stores> {
    Stores::open(config, Catalogue::load_to_run(config)?).await
}

async fn history(
    stores: &Stores,
    devices: &[&Device],
    count: u64,
    now: Timestamp,
) -> anyhow::Result<()> {
    let first = stores.journal.stats().last_seq.0 + 1;
    let begun = Instant::now();
    for n in 0..count {
        let device = devices[(n % devices.len() as u64) as usize];
        let uplink = Uplink {
            received_at: spread(now, EVENTS_OVER, n, count),
            principal: device.id.to_string(),
            epoch: 1,
            flags: UplinkFlags::new(1),
            topic: "bench".to_owned(),
            payload: Bytes::new(),
            extra: None,
        };
        stores.journal.append(Lane::Telemetry, uplink).await?;
    }
    println!("journal: {count} uplinks in {:.0?}", begun.elapsed());
    let begun = Instant::now();
    for from in (0..count).step_by(EVENTS_AT_ONCE as usize) {
        let until = (from + EVENTS_AT_ONCE).min(count);
        let batch = (from..until)
            .map(|n| {
                let device = devices[(n % devices.len() as u64) as usize];
                event(
                    Seq(first + n),
                    n,
                    spread(now, EVENTS_OVER, n, count),
                    device,
                )
            })
            .collect();
        stores.events.append(Seq(first + until - 1), batch).await?;
    }
    println!("history: {count} events in {:.0?}", begun.elapsed());
    Ok(())
}

fn finding(n: u64, at: Timestamp, devices: &[&Device], what: FindingKind) -> Finding {
    let (rule, severity, class) = RULES[(n % RULES.len() as u64) as usize];
    let of: Vec<&&Device> = devices.iter().filter(|d| d.class == class).collect();
    let device = of[(n / 5 % of.len() as u64) as usize];
    Finding {
        rule: rule.parse().expect("a rule"),
        // each about something of its own: nothing is refreshed, nothing absorbed
        subject: format!("bench:{n}"),
        what,
        severity,
        site: device.site.clone(),
        class,
        zone: None,
        device: Some(device.id.clone()),
        at,
        occurred_at: at,
        event: None,
        seq: None,
        lasting: false,
        detail: [("count".to_owned(), "1".to_owned())].into(),
    }
}

async fn incidents(
    stores: &Stores,
    devices: &[&Device],
    count: u64,
    now: Timestamp,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let book = &*stores.catalogue.book;
    let cursor = stores.journal.stats().last_seq;
    let actor = Actor {
        user: "lead".parse().context("a log-in")?,
        department: None,
    };
    let at = |n: u64| spread(now, INCIDENTS_OVER, n, count);
    let mut over: Vec<Finding> = Vec::new();
    for from in (0..count).step_by(FINDINGS_AT_ONCE as usize) {
        let until = (from + FINDINGS_AT_ONCE).min(count);
        let mut findings = std::mem::take(&mut over);
        findings.extend((from..until).map(|n| finding(n, at(n), devices, FindingKind::Raised)));
        let batch = Batch {
            consumer: CONSUMER,
            cursor,
            findings,
            ..Batch::default()
        };
        let opened = stores.state.commit_batch(batch, book).await?.opened;
        for (n, id) in (from..until).zip(opened) {
            if n + ACTIVE < count {
                end(stores, id, n, at(n), &actor).await?;
                let cleared_at = at(n) + CLEARED_AFTER;
                over.push(finding(n, cleared_at, devices, FindingKind::Cleared));
            }
        }
    }
    println!("state: {count} incidents in {:.0?}", begun.elapsed());
    Ok(())
}

async fn end(
    stores: &Stores,
    id: IncidentId,
    n: u64,
    at: Timestamp,
    actor: &Actor,
) -> anyhow::Result<()> {
    let command = |verb, after| Command::new(verb, actor.clone(), at + after);
    let seen = command(Verb::Acknowledge, SEEN_AFTER);
    let opened = stores.state.incident(id).await?.context("it is there")?;
    let seen = stores
        .state
        .command(id, opened.item.version, &format!("seen-{n}"), seen)
        .await
        .with_context(|| format!("incident {n}"))?;
    let over = Command {
        cause: Some("test".to_owned()),
        note: Some("按计划测试".to_owned()),
        ..command(Verb::Cancel, OVER_AFTER)
    };
    stores
        .state
        .command(id, seen.item.version, &format!("over-{n}"), over)
        .await
        .with_context(|| format!("incident {n}"))?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().context("which directory?")?);
    let events = args.next().map_or(Ok(10_000_000), |n| n.parse())?;
    let count = args.next().map_or(Ok(100_000), |n| n.parse())?;
    let mut config = config::load(None)?;
    config.data.dir = dir;
    let stores = open(&config).await?;
    let registry = Arc::clone(&stores.catalogue.registry);
    let devices: Vec<&Device> = registry.devices.values().collect();
    let now = Timestamp::now();
    history(&stores, &devices, events, now).await?;
    incidents(&stores, &devices, count, now).await?;
    stores.journal.close().await?;
    stores.state.close().await;
    stores.ended(&Ok(()));
    Ok(())
}
