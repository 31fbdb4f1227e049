//! How long key figures of many incidents take: makes a state with so many (100,000 when not given) and prints the times.
//!
//! `cargo run --release -p store --example kpi_bench -- 100000`

use std::sync::Arc;
use std::time::Instant;

use domain::Timestamp;
use domain::kpi::{By, Query, Scoring};
use rusqlite::params;
use store::state::{KpiQuery, KpiSettings, State};

const ACTS: [&str; 7] = [
    "open",
    "dispatch",
    "acknowledge",
    "claim",
    "arrive",
    "resolve",
    "answer",
];
const DEPARTMENTS: [&str; 3] = ["fire", "police", "traffic"];

fn fill(file: &std::path::Path, incidents: i64) -> rusqlite::Result<i64> {
    let mut database = rusqlite::Connection::open(file)?;
    let tx = database.transaction()?;
    let mut row = 0;
    for n in 0..incidents {
        let id = format!("inc_{n:032x}");
        let opened = 1_700_000_000_000_000 + n * 1_000_000;
        let lead = DEPARTMENTS[usize::try_from(n % 3).unwrap_or(0)];
        let severity = 1 + n % 4;
        tx.prepare_cached(
            "INSERT INTO incident (id, number, version, revision, severity, state, condition, rule, subject, class, site, lead, co, clocks,
               opened_at, occurred_at, last_event_at, count, acknowledge_due, resolve_due, detail)
             VALUES (?1, ?2, 1, 0, ?3, 'closed', 'normal', 'S1', ?1, 'fire_sensor', 'q1', ?4, '[]', '{}', ?5, ?5, ?5, 1, ?5, ?5, '{}')",
        )?
        .execute(params![id, 1001 + n, severity, lead, opened])?;
        for (step, act) in ACTS.iter().enumerate() {
            row += 1;
            let at = opened + (step as i64) * (1 + n % 97) * 1_000_000;
            let to = if *act == "resolve" {
                "resolved"
            } else {
                "satisfied"
            };
            tx.prepare_cached(
                "INSERT INTO audit (id, at, actor, act, object, department, from_word, to_word, prev_hash, hash)
                 VALUES (?1, ?2, 'wang', ?3, ?4, NULL, '', ?5, '', '')",
            )?
            .execute(params![row, at, act, id, to])?;
            if matches!(*act, "open" | "resolve") {
                let cause = (*act == "resolve").then_some("genuine");
                tx.prepare_cached(
                    "INSERT INTO incident_fact (incident, audit, severity, rule, class, site, zone, lead, acknowledge_due, resolve_due, cause,
                       is_drill, is_asked)
                     VALUES (?1, ?2, ?3, 'S1', 'fire_sensor', 'q1', 'z1', ?4, ?5, ?6, ?7, 0, 1)",
                )?
                .execute(params![id, row, severity, lead, opened + 60_000_000, opened + 300_000_000, cause])?;
            }
            let steps = [("dispatch", 0), ("claim", 1), ("arrive", 2), ("resolve", 3)];
            if let Some((_, done)) = steps.iter().find(|(of, _)| of == act) {
                let then = |step: i64| (*done >= step).then_some(at);
                let state = ["dispatched", "claimed", "on_scene", "resolved"][*done as usize];
                tx.prepare_cached(
                    "INSERT INTO task_fact (incident, department, audit, state, dispatched_at, claimed_at, arrived_at, resolved_at,
                       claim_due, arrive_due, resolve_due)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9)",
                )?
                .execute(params![id, lead, row, state, opened, then(1), then(2), then(3), opened + 180_000_000])?;
            }
        }
    }
    tx.execute("UPDATE audit_head SET id = ?1 WHERE one = 1", [row])?;
    tx.commit()?;
    Ok(row)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked = std::env::args().nth(1).map(|n| n.parse()).transpose()?;
    let incidents = asked.unwrap_or(100_000);
    let file = std::env::temp_dir().join(format!("kpi_bench_{}.db", std::process::id()));
    State::open(&file, Arc::default()).await?.close().await;
    let begin = Instant::now();
    let rows = fill(&file, incidents)?;
    println!(
        "{incidents} incidents, {rows} rows of audit, made in {:.1?}",
        begin.elapsed()
    );
    let state = State::open(&file, Arc::default()).await?;
    for by in By::ALL {
        let begin = Instant::now();
        let asked = KpiQuery {
            query: Query {
                from: Timestamp::from_second(1_700_000_000)?,
                to: Timestamp::from_second(1_700_000_000 + incidents)?,
                by: *by,
            },
            as_of: None,
            settings: KpiSettings {
                scoring: Scoring::default(),
                seats: 1,
                log_every: jiff::SignedDuration::from_hours(2),
            },
        };
        let report = state
            .kpi(asked, Timestamp::from_second(1_800_000_000)?)
            .await?;
        println!(
            "by {by}: {:.2?}, {} bytes, {} incidents, sha256 {}",
            begin.elapsed(),
            report.bytes.len(),
            report.ranking.total.incidents,
            report.sha256
        );
    }
    state.close().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
    Ok(())
}
