//! The report of a demo that stopped by itself: what was promised, what is there, and how long it took.

use std::collections::HashSet;

use anyhow::Context as _;
use device_sim::FleetReport;
use domain::Seq;
use serde::Serialize;
use store::events::{HistoryQuery, Order};

use crate::hub::{Running, Stores};
use crate::pipeline::Stats;

/// Events read from the store at a time.
const PAGE: usize = 1000;

/// Where the stores stood before the run.
pub(super) struct Before {
    seq: Seq,
}

impl Before {
    pub(super) fn read(stores: &Stores) -> Self {
        // what an earlier run journalled and did not get to is not this run's
        Self {
            seq: stores.journal.stats().last_seq,
        }
    }
}

/// Median and 99th percentile, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Percentiles {
    p50: f64,
    p99: f64,
}

/// What `--report` writes. Counts are of this run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Events that devices said.
    published: u64,
    /// Of them, acknowledged.
    acknowledged: u64,
    /// Records of the journal: events, readings, states, presence.
    journalled: u64,
    /// Of them, in the history.
    stored: u64,
    /// Redeliveries.
    duplicates: u64,
    /// Unreadable, kept as they came.
    quarantined: u64,
    /// Alarms opened.
    alarms: u64,
    /// Incidents opened.
    incidents: u64,
    /// Acknowledged and not in the history: must be 0.
    pub(super) lost: u64,
    /// The first of them, as `device id`.
    lost_examples: Vec<String>,
    /// Scenario events after which a rule must have opened an incident.
    scenario_events: usize,
    publish_to_puback_ms: Percentiles,
    publish_to_feed_ms: Option<Percentiles>,
}

impl Report {
    /// Counts after the hub has stopped and everything has been written.
    pub(super) async fn make(
        fleet: &FleetReport,
        before: &Before,
        stores: &Stores,
        running: &Running,
    ) -> anyhow::Result<Self> {
        let mut missing: HashSet<(String, String)> = fleet
            .acked
            .iter()
            .map(|acked| (acked.device.to_string(), acked.id.clone()))
            .collect();
        let mut after = before.seq;
        while !missing.is_empty() {
            let query = HistoryQuery {
                after_seq: Some(after),
                limit: PAGE,
                order: Order::OldestFirst,
                ..HistoryQuery::default()
            };
            let page = stores
                .events
                .history(query)
                .await
                .context("reading history for the report")?;
            let Some(last) = page.items.last() else { break };
            after = last.event.seq;
            for stored in &page.items {
                missing.remove(&(
                    stored.event.device.to_string(),
                    stored.event.dedupe_key.clone(),
                ));
            }
        }
        let stats = &running.stats;
        let lost_examples = missing
            .iter()
            .take(20)
            .map(|(device, id)| format!("{device} {id}"))
            .collect();
        Ok(Self {
            published: fleet.published,
            acknowledged: fleet.acknowledged,
            journalled: stores.journal.stats().last_seq.0 - before.seq.0,
            stored: Stats::get(&stats.committed),
            duplicates: Stats::get(&stats.duplicates),
            quarantined: Stats::get(&stats.quarantined),
            alarms: Stats::get(&stats.alarms),
            incidents: Stats::get(&stats.incidents),
            lost: missing.len() as u64,
            lost_examples,
            scenario_events: fleet.scenario_events.len(),
            publish_to_puback_ms: Percentiles {
                p50: fleet.puback_ms.p50,
                p99: fleet.puback_ms.p99,
            },
            publish_to_feed_ms: stats
                .feed_latency_ms()
                .map(|(p50, p99)| Percentiles { p50, p99 }),
        })
    }
}
