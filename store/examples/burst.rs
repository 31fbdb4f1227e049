//! How long a burst takes: commits so many alarms (1,000 when not given) as one batch by the shipped rules, to a fresh file below the
//! current directory, and prints milliseconds and statements for each incident. They are P2, of forty doors, unless `p1` (fires) or `p3`
//! (a flood that folds) is asked for. The fastest of five rounds counts on a machine that does other things too.
//!
//! `cargo run --release -p store --example burst -- 1000 p2`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::place::Registry;
use domain::rule::{Finding, FindingKind, RuleSet};
use domain::{DeviceClass, EventId, Seq, Severity, Timestamp};
use store::state::{Batch, DeviceTouch, State};

const ROUNDS: u64 = 5;

static COUNTS: AtomicBool = AtomicBool::new(false);
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Counts what the database driver says that it carries out; lists it on `JIMING_LIST=1`.
struct Counter {
    lists: bool,
}

struct Words(bool);
impl tracing::field::Visit for Words {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if self.0 && field.name() == "summary" {
            println!("{value:?}");
        }
    }
}

impl tracing::Subscriber for Counter {
    fn register_callsite(
        &self,
        _: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, what: &tracing::Metadata<'_>) -> bool {
        COUNTS.load(Ordering::Relaxed) && what.target() == "sqlx::query"
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if COUNTS.load(Ordering::Relaxed) && event.metadata().target() == "sqlx::query" {
            STATEMENTS.fetch_add(1, Ordering::Relaxed);
            event.record(&mut Words(self.lists));
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn shipped(folder: &str) -> std::io::Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/config")
        .join(folder);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        files.push((name.into_owned(), std::fs::read_to_string(&path)?));
    }
    files.sort();
    Ok(files)
}

fn findings(registry: &Registry, count: u64, severity: Severity, now: Timestamp) -> Vec<Finding> {
    let doors = registry.devices.values();
    let doors: Vec<_> = doors
        .filter(|device| device.class == DeviceClass::Access)
        .take(40)
        .collect();
    let rule = if severity == Severity::P1 { "S1" } else { "A1" };
    let finding = |n: u64| {
        let door = doors[n as usize % doors.len()];
        let at = now + Duration::from_micros(100 * n);
        Finding {
            rule: rule.parse().expect("a rule's id"),
            subject: format!("door:{}/d-{n}", door.id),
            what: FindingKind::Raised,
            severity,
            site: door.site.clone(),
            class: door.class,
            zone: Some(door.zone.clone()),
            device: Some(door.id.clone()),
            at,
            occurred_at: at,
            event: Some(EventId::of_uplink(at, Seq(n + 1), 0)),
            seq: Some(Seq(n + 1)),
            lasting: true,
            detail: [("door".to_owned(), format!("d-{n}"))].into(),
        }
    };
    (0..count).map(finding).collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: u64 = args.next().map_or(Ok(1000), |n| n.parse())?;
    let severity = match args.next().as_deref() {
        Some("p1") => Severity::P1,
        Some("p3") => Severity::P3,
        _ => Severity::P2,
    };
    let lists = std::env::var_os("JIMING_LIST").is_some();
    tracing::subscriber::set_global_default(Counter { lists })?;
    let files = shipped("compound")?;
    let registry = Registry::from_files(files.iter().map(|(n, t)| (&**n, &**t)));
    let registry = Arc::new(registry.map_err(|mistakes| mistakes[0].to_string())?);
    let rules = RuleSet::parse_for(&shipped("rules")?, &registry);
    let rules = rules.map_err(|mistakes| mistakes[0].to_string())?;
    let now: Timestamp = "2026-11-27T04:00:00Z".parse()?;
    let findings = findings(&registry, count, severity, now);
    let mut fastest = Duration::MAX;
    for round in 0..=ROUNDS {
        let dir = tempfile::tempdir_in(std::env::current_dir()?)?;
        let state = State::open(&dir.path().join("state.db"), Arc::clone(&registry)).await?;
        let touch = |finding: &Finding| Some(DeviceTouch::new(finding.device.clone()?, now));
        let devices: Vec<DeviceTouch> = findings.iter().take(40).filter_map(touch).collect();
        let batch = Batch {
            consumer: "detect",
            cursor: Seq(count),
            findings: findings.clone(),
            devices,
            ..Batch::default()
        };
        // counting takes time itself: in a round of its own
        let is_counted = round == ROUNDS;
        COUNTS.store(is_counted, Ordering::Relaxed);
        let begin = Instant::now();
        let done = state.commit_batch(batch, rules.book()).await?;
        let took = begin.elapsed();
        COUNTS.store(false, Ordering::Relaxed);
        let opened = done.opened.len().max(1);
        if is_counted {
            let statements = STATEMENTS.load(Ordering::Relaxed);
            println!(
                "{statements} statements, {:.1} an incident",
                statements as f64 / opened as f64
            );
        } else {
            fastest = fastest.min(took);
            println!("{opened} incidents in {took:.1?}");
        }
        state.close().await;
    }
    let each = fastest.as_secs_f64() * 1000.0 / count.max(1) as f64;
    println!("fastest: {fastest:.1?}, {each:.3} ms an incident");
    Ok(())
}
