//! What the hub tells of itself: is it ready, what has it counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use store::journal::Journal;

use crate::listener::ListenerStats;
use crate::pipeline::Stats;

/// Consumers that are further behind than this, in journal records, are told of in `/readyz`.
const BEHIND_MAX: u64 = 1_000_000;

/// The hub's own figures.
pub struct Ops {
    journal: Journal,
    stats: Arc<Stats>,
    listener: Arc<ListenerStats>,
    prometheus: PrometheusHandle,
}

impl Ops {
    /// Starts the recorder of metrics for this process.
    ///
    /// # Errors
    /// A second recorder.
    pub fn start(
        journal: Journal,
        stats: Arc<Stats>,
        listener: Arc<ListenerStats>,
    ) -> anyhow::Result<Self> {
        let prometheus = PrometheusBuilder::new().install_recorder()?;
        Ok(Self {
            journal,
            stats,
            listener,
            prometheus,
        })
    }
}

impl dashboard_api::Ops for Ops {
    fn ready(&self) -> Vec<(&'static str, bool, String)> {
        let journal = self.journal.stats();
        let behind = |seq: u64| journal.last_seq.0.saturating_sub(seq);
        let detect = behind(Stats::get(&self.stats.detected_seq));
        let project = behind(Stats::get(&self.stats.projected_seq));
        let why = journal.failure.clone().unwrap_or_default();
        let room = *self.journal.room().borrow();
        let told = if room.refuses_telemetry() {
            "what room is left is for alarms: telemetry is refused (hint: free space on the disk of `data.dir`)"
        } else {
            ""
        };
        vec![
            ("journal", journal.failure.is_none(), why),
            ("room", !room.refuses_telemetry(), told.to_owned()),
            (
                "detect",
                detect <= BEHIND_MAX,
                format!("{detect} records behind"),
            ),
            (
                "project",
                project <= BEHIND_MAX,
                format!("{project} records behind"),
            ),
        ]
    }

    fn metrics(&self) -> String {
        let journal = self.journal.stats();
        metrics::gauge!("hub_journal_seq").set(journal.last_seq.0 as f64);
        metrics::gauge!("hub_journal_segments").set(journal.segments as f64);
        metrics::gauge!("hub_journal_bytes").set(journal.bytes as f64);
        metrics::counter!("hub_journal_records_total").absolute(journal.records);
        metrics::counter!("hub_journal_syncs_total").absolute(journal.syncs);
        metrics::gauge!("hub_detect_seq").set(Stats::get(&self.stats.detected_seq) as f64);
        metrics::gauge!("hub_project_seq").set(Stats::get(&self.stats.projected_seq) as f64);
        metrics::gauge!("hub_listener_connections")
            .set(self.listener.connections.load(Ordering::Relaxed) as f64);
        let publishes = self.listener.received.load(Ordering::Relaxed);
        metrics::counter!("hub_listener_publishes_total").absolute(publishes);
        let acknowledged = self.listener.acknowledged.load(Ordering::Relaxed);
        metrics::counter!("hub_listener_acknowledged_total").absolute(acknowledged);
        let shed = self.listener.shed.load(Ordering::Relaxed);
        metrics::counter!("hub_listener_shed_total").absolute(shed);
        self.prometheus.render()
    }

    fn has_room(&self) -> bool {
        !self.journal.room().borrow().refuses_telemetry()
    }

    fn status(&self) -> Value {
        let (stats, journal) = (&self.stats, self.journal.stats());
        let get = Stats::get;
        let latency = stats
            .feed_latency_ms()
            .map(|(p50, p99)| json!({"p50": p50, "p99": p99}));
        json!({
            "journal": {
                "seq": journal.last_seq, "segments": journal.segments, "bytes": journal.bytes, "failure": journal.failure,
            },
            "listener": {
                "connections": self.listener.connections.load(Ordering::Relaxed),
                "received": self.listener.received.load(Ordering::Relaxed),
                "acknowledged": self.listener.acknowledged.load(Ordering::Relaxed),
                "denied": self.listener.denied.load(Ordering::Relaxed),
                "refused": self.listener.refused.load(Ordering::Relaxed),
                "shed": self.listener.shed.load(Ordering::Relaxed),
            },
            "uplinks": {
                "received": get(&stats.received), "committed": get(&stats.committed), "duplicates": get(&stats.duplicates),
                "quarantined": get(&stats.quarantined), "refused": get(&stats.refused),
            },
            "alarms": get(&stats.alarms),
            "incidents": get(&stats.incidents),
            "detected_seq": get(&stats.detected_seq),
            "projected_seq": get(&stats.projected_seq),
            "feed_latency_ms": latency,
        })
    }
}
