//! `gateway rules backtest`: what rules would have rung for on stored history.
//!
//! The events of the event store go through a fresh engine, in the order of the journal, with time passing between them as it
//! did. So that windows which were open at the beginning are too, it begins earlier ([`Backtest::warm_up_h`]) and counts only
//! what is raised from `from` on. Nothing is written; the hub may be running.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use domain::place::Registry;
use domain::rule::{RuleBook, RuleSet};
use domain::{RuleId, Timestamp};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::json;
use store::events::EventStore;
use store::events::sqlite::SqliteEvents;

use super::check::rules_of;
use super::replay::{Raised, Reader, Replay};
use crate::clock::Clock;
use crate::config::Config;

/// What is asked for.
pub struct Backtest {
    /// Alarms raised at this time or later.
    pub from: Timestamp,
    /// And before this time.
    pub to: Timestamp,
    /// Only of this rule.
    pub rule: Option<RuleId>,
    /// Rules of this directory instead of the configured ones.
    pub rules: Option<PathBuf>,
    /// How many hours before `from` the replay begins.
    pub warm_up_h: u32,
    /// Print JSON.
    pub json: bool,
}

/// What came of the replay.
struct Tally {
    raised: Vec<Raised>,
    events: u64,
}

/// Replays history and prints what would have rung: per rule, per hour, per lead department.
///
/// # Errors
/// [`Misconfigured`](crate::hub::Misconfigured): rules or registry have mistakes. No history, or one that cannot be read.
pub async fn backtest(config: &Config, wanted: &Backtest) -> anyhow::Result<()> {
    let (catalogue, rules) = rules_of(config, wanted.rules.as_deref())?;
    if let Some(rule) = &wanted.rule {
        anyhow::ensure!(
            rules.meta(rule).is_some(),
            "unknown rule `{rule}` (hint: `gateway rules test` lists all)"
        );
    }
    anyhow::ensure!(
        wanted.from < wanted.to,
        "`--from` is not before `--to` (hint: both are times such as 2026-03-01T00:00:00+08:00)"
    );
    let dir = config.data.dir.join("events");
    anyhow::ensure!(
        dir.is_dir(),
        "there is no history in {} (hint: see `data.dir`)",
        dir.display()
    );
    // keeps every day: only the hub itself lets days go
    let events = SqliteEvents::open(&dir, None).context("opening the history")?;
    let registry = Arc::clone(&catalogue.registry);
    let tally = replay(&events, Arc::clone(&rules), registry, wanted).await?;
    let zone = catalogue.registry.community.as_ref();
    let zone = zone.and_then(|c| domain::rule::time_zone(&c.time_zone));
    let zone = zone.unwrap_or(TimeZone::UTC);
    print!("{}", report(&tally, rules.book(), &zone, wanted));
    Ok(())
}

async fn replay(
    events: &dyn EventStore,
    rules: Arc<RuleSet>,
    registry: Arc<Registry>,
    wanted: &Backtest,
) -> anyhow::Result<Tally> {
    let warm_up = SignedDuration::from_hours(i64::from(wanted.warm_up_h));
    let begin = wanted.from.checked_sub(warm_up).unwrap_or(Timestamp::MIN);
    let mut replay = Replay::new(rules, registry, wanted.from);
    let mut reader = Reader::new(events, begin, wanted.to, None);
    let mut count = 0;
    while let Some(page) = reader.next().await.context("reading the history")? {
        for event in page {
            count += 1;
            replay.event(&event);
        }
    }
    let today = Clock::new(Timestamp::UNIX_EPOCH).now();
    replay.end(wanted.to.min(today));
    let mut raised = replay.raised;
    if let Some(rule) = &wanted.rule {
        raised.retain(|alarm| alarm.rule == *rule);
    }
    Ok(Tally {
        raised,
        events: count,
    })
}

/// As a table or as JSON.
fn report(tally: &Tally, book: &RuleBook, zone: &TimeZone, wanted: &Backtest) -> String {
    let mut by_rule: BTreeMap<&RuleId, [u64; 4]> = BTreeMap::new();
    let mut by_hour: BTreeMap<String, u64> = BTreeMap::new();
    let mut by_lead: BTreeMap<&str, u64> = BTreeMap::new();
    for raised in &tally.raised {
        let index = usize::try_from(raised.severity.number() - 1).unwrap_or(3);
        by_rule.entry(&raised.rule).or_default()[index] += 1;
        let hour = zone.to_datetime(raised.at).strftime("%Y-%m-%d %H:00");
        *by_hour.entry(hour.to_string()).or_default() += 1;
        let lead = book.get(&raised.rule).map_or("", |meta| meta.lead.as_str());
        *by_lead.entry(lead).or_default() += 1;
    }
    if wanted.json {
        let rules: Vec<_> = by_rule
            .iter()
            .map(|(rule, counts)| {
                json!({
                    "rule": rule, "raised": counts.iter().sum::<u64>(), "lead": book.get(*rule).map(|meta| &meta.lead),
                    "severity": { "P1": counts[0], "P2": counts[1], "P3": counts[2], "P4": counts[3] },
                })
            })
            .collect();
        let alarms: Vec<_> = tally
            .raised
            .iter()
            .map(|r| json!({"rule": r.rule, "subject": r.subject, "severity": r.severity.to_string(), "at": r.at}))
            .collect();
        let report = json!({
            "from": wanted.from, "to": wanted.to, "events": tally.events, "raised": tally.raised.len(),
            "rules": rules, "hours": by_hour, "leads": by_lead, "alarms": alarms,
        });
        return format!("{report:#}\n");
    }
    let mut text = format!(
        "{} events, {} alarms from {} to {}\n\n",
        tally.events,
        tally.raised.len(),
        wanted.from,
        wanted.to
    );
    let mut line = |columns: &[&str]| {
        let mut row = String::new();
        for (index, column) in columns.iter().enumerate() {
            let width = if index == 0 { 18 } else { 8 };
            row.extend([format!("{column:<width$}")]);
        }
        text += row.trim_end();
        text.push('\n');
    };
    line(&["rule", "raised", "P1", "P2", "P3", "P4", "lead"]);
    for (rule, counts) in &by_rule {
        let sum = counts.iter().sum::<u64>().to_string();
        let [p1, p2, p3, p4] = counts.map(|n| n.to_string());
        let lead = book.get(*rule).map_or("", |meta| meta.lead.as_str());
        line(&[rule.as_str(), &sum, &p1, &p2, &p3, &p4, lead]);
    }
    line(&[]);
    line(&["hour", "raised"]);
    for (hour, count) in &by_hour {
        line(&[hour, &count.to_string()]);
    }
    line(&[]);
    line(&["lead", "raised"]);
    for (lead, count) in &by_lead {
        line(&[lead, &count.to_string()]);
    }
    text
}
