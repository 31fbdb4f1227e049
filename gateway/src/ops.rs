//! What the hub tells of itself: is it ready, what has it counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dashboard_api::schema::status;
use domain::rule::RuleSet;
use domain::{Seq, Timestamp};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use store::journal::Journal;
use store::state::Moment;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::disk::Looked;
use crate::exchange::Exchange;
use crate::listener::{CertificateLife, ListenerStats, Tls};
use crate::pipeline::Stats;

/// Consumers that are further behind than this, in journal records, are told of in `/readyz`.
const BEHIND_MAX: u64 = 1_000_000;

/// A certificate that ends in fewer days than this is told of.
const CERTIFICATE_DAYS: i64 = 30;
const DAY_S: i64 = 24 * 3600;

/// What the hub's own figures are read from.
pub struct Parts {
    /// What came in.
    pub journal: Journal,
    /// Counters of both consumers.
    pub stats: Arc<Stats>,
    /// Counters of the listener.
    pub listener: Arc<ListenerStats>,
    /// Connections that may be open.
    pub connections_max: usize,
    /// Sessions and subscriptions.
    pub exchange: Exchange,
    /// Rules at work.
    pub rules: watch::Receiver<Arc<RuleSet>>,
    /// The hub's clock.
    pub clock: Clock,
    /// What the last look at the disk found.
    pub disk: watch::Receiver<Option<Looked>>,
    /// Days of history that are kept; 0: all.
    pub retention_days: u32,
    /// TLS of the dashboard's port and of the devices', where they have it.
    pub tls: Vec<(&'static str, Arc<Tls>)>,
}

/// The hub's own figures.
pub struct Ops {
    parts: Parts,
    prometheus: PrometheusHandle,
    started_at: Timestamp,
    /// When the oldest record of the journal came in, by its position: a segment is read once.
    oldest: Mutex<Option<(Seq, Option<Timestamp>)>>,
    /// The version of the rules that were asked for last.
    version: Mutex<Option<(Arc<RuleSet>, String)>>,
}

impl Ops {
    /// Starts the recorder of metrics for this process.
    ///
    /// # Errors
    /// A second recorder.
    pub fn start(parts: Parts) -> anyhow::Result<Self> {
        let prometheus = PrometheusBuilder::new().install_recorder()?;
        Ok(Self {
            prometheus,
            started_at: parts.clock.now(),
            oldest: Mutex::new(None),
            version: Mutex::new(None),
            parts,
        })
    }

    fn journal(&self) -> status::Journal {
        let stats = self.parts.journal.stats();
        let mut oldest = self.oldest.lock();
        let known = oldest.filter(|(seq, at)| *seq == stats.oldest_seq && at.is_some());
        let (_, at) = known.unwrap_or_else(|| {
            let before = Seq(stats.oldest_seq.0.saturating_sub(1));
            let first = self.parts.journal.read_from(before).next_batch(1, 1);
            let at = first
                .ok()
                .and_then(|batch| Some(batch.first()?.1.received_at));
            (stats.oldest_seq, at)
        });
        *oldest = Some((stats.oldest_seq, at));
        status::Journal {
            seq: stats.last_seq.0,
            oldest_seq: stats.oldest_seq.0,
            oldest_at: at.map(told),
            segments: stats.segments as u64,
            bytes: stats.bytes,
            failure: stats.failure,
        }
    }

    /// The same word for the same rules; made once for each set.
    fn rules(&self) -> status::Rules {
        let set = Arc::clone(&self.parts.rules.borrow());
        let mut known = self.version.lock();
        let version = match &*known {
            Some((of, version)) if Arc::ptr_eq(of, &set) => version.clone(),
            _ => {
                let hash = Sha256::digest(format!("{:?}", set.rules()));
                let version = hex::encode(&hash[..8]);
                *known = Some((Arc::clone(&set), version.clone()));
                version
            }
        };
        status::Rules {
            count: set.rules().len() as u64,
            version,
        }
    }

    fn clock(&self) -> status::Clock {
        let standing = self.parts.clock.standing();
        status::Clock {
            now: told(self.parts.clock.now()),
            off_ms: standing.off_us / 1000,
            is_off: standing.is_off,
            followed_ms: standing.followed_us / 1000,
            last_step: standing.step.map(|(at, us)| status::Step {
                at: told(at),
                step_ms: us / 1000,
            }),
        }
    }

    fn certificates(&self) -> Vec<status::Certificate> {
        let now = self.parts.clock.now();
        let of_port = |(port, tls): &(&'static str, Arc<Tls>)| {
            let port = *port;
            tls.lives().into_iter().map(move |life| {
                let of = if life.is_authority {
                    "client_authority"
                } else {
                    port
                };
                certificate(of, life, now)
            })
        };
        self.parts.tls.iter().flat_map(of_port).collect()
    }

    fn cursors(&self) -> Vec<status::Cursor> {
        let last = self.parts.journal.stats().last_seq.0;
        let stats = &self.parts.stats;
        let routed = self.parts.exchange.routed().borrow().0;
        let cursors = [
            ("detect", Stats::get(&stats.detected_seq)),
            ("project", Stats::get(&stats.projected_seq)),
            ("exchange", routed),
        ];
        let cursor = |(name, seq): (&str, u64)| status::Cursor {
            name: name.to_owned(),
            seq,
            lag: last.saturating_sub(seq),
        };
        cursors.map(cursor).into()
    }

    fn queues(&self) -> Vec<status::Queue> {
        let stats = self.parts.journal.stats();
        let queues = [
            ("alarm_lane", stats.alarm_queue, "bytes"),
            ("telemetry_lane", stats.telemetry_queue, "bytes"),
            ("exchange", self.parts.exchange.queue(), "items"),
        ];
        let queue = |(name, (used, bound), unit): (&str, (usize, usize), &str)| status::Queue {
            name: name.to_owned(),
            used: used as u64,
            bound: bound as u64,
            unit: unit.to_owned(),
        };
        queues.map(queue).into()
    }

    fn storage(&self) -> Option<status::Storage> {
        let looked = (*self.parts.disk.borrow())?;
        let parts = looked.parts;
        Some(status::Storage {
            looked_at: told(looked.at),
            level: looked.level.to_owned(),
            used_bytes: looked.used,
            budget_bytes: looked.budget,
            available_bytes: looked.available,
            journal_bytes: parts.journal,
            state_bytes: parts.state,
            history_bytes: parts.history,
            history_days: parts.history_days,
            history_from: parts.history_from.map(|day| day.to_string()),
            history_days_max: self.parts.retention_days.into(),
            photos_bytes: parts.photos,
            other_bytes: parts.other,
        })
    }
}

/// As the API writes instants.
fn told(at: Timestamp) -> String {
    Moment(at).to_string()
}

fn certificate(of: &str, life: CertificateLife, now: Timestamp) -> status::Certificate {
    let left_s = life.not_after.duration_since(now).as_secs();
    let days_left = left_s.div_euclid(DAY_S);
    let state = if now < life.not_before || left_s < 0 {
        "over"
    } else if days_left < CERTIFICATE_DAYS {
        "soon"
    } else {
        "good"
    };
    status::Certificate {
        of: of.to_owned(),
        subject: life.subject,
        not_before: told(life.not_before),
        not_after: told(life.not_after),
        days_left,
        state: state.to_owned(),
    }
}

impl dashboard_api::Ops for Ops {
    fn ready(&self) -> Vec<(&'static str, bool, String)> {
        let journal = self.parts.journal.stats();
        let behind = |seq: u64| journal.last_seq.0.saturating_sub(seq);
        let detect = behind(Stats::get(&self.parts.stats.detected_seq));
        let project = behind(Stats::get(&self.parts.stats.projected_seq));
        let why = journal.failure.clone().unwrap_or_default();
        let room = *self.parts.journal.room().borrow();
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
        let journal = self.parts.journal.stats();
        metrics::gauge!("hub_journal_seq").set(journal.last_seq.0 as f64);
        metrics::gauge!("hub_journal_segments").set(journal.segments as f64);
        metrics::gauge!("hub_journal_bytes").set(journal.bytes as f64);
        metrics::counter!("hub_journal_records_total").absolute(journal.records);
        metrics::counter!("hub_journal_syncs_total").absolute(journal.syncs);
        metrics::gauge!("hub_detect_seq").set(Stats::get(&self.parts.stats.detected_seq) as f64);
        metrics::gauge!("hub_project_seq").set(Stats::get(&self.parts.stats.projected_seq) as f64);
        metrics::gauge!("hub_listener_connections")
            .set(self.parts.listener.connections.load(Ordering::Relaxed) as f64);
        let publishes = self.parts.listener.received.load(Ordering::Relaxed);
        metrics::counter!("hub_listener_publishes_total").absolute(publishes);
        let acknowledged = self.parts.listener.acknowledged.load(Ordering::Relaxed);
        metrics::counter!("hub_listener_acknowledged_total").absolute(acknowledged);
        let shed = self.parts.listener.shed.load(Ordering::Relaxed);
        metrics::counter!("hub_listener_shed_total").absolute(shed);
        self.prometheus.render()
    }

    fn has_room(&self) -> bool {
        !self.parts.journal.room().borrow().refuses_telemetry()
    }

    fn status(&self) -> status::Hub {
        let (stats, listener) = (&self.parts.stats, &self.parts.listener);
        let get = Stats::get;
        let up = self.parts.clock.now().duration_since(self.started_at);
        status::Hub {
            started_at: told(self.started_at),
            uptime_s: u64::try_from(up.as_secs()).unwrap_or(0),
            journal: self.journal(),
            listener: status::Listener {
                connections: listener.connections.load(Ordering::Relaxed) as u64,
                connections_max: self.parts.connections_max as u64,
                received: get(&listener.received),
                acknowledged: get(&listener.acknowledged),
                denied: get(&listener.denied),
                refused: get(&listener.refused),
                shed: get(&listener.shed),
            },
            uplinks: status::Uplinks {
                received: get(&stats.received),
                committed: get(&stats.committed),
                duplicates: get(&stats.duplicates),
                quarantined: get(&stats.quarantined),
                refused: get(&stats.refused),
            },
            alarms: get(&stats.alarms),
            incidents: get(&stats.incidents),
            detected_seq: get(&stats.detected_seq),
            projected_seq: get(&stats.projected_seq),
            cursors: self.cursors(),
            feed_latency_ms: stats
                .feed_latency_ms()
                .map(|(p50, p99)| status::Percentiles { p50, p99 }),
            storage: self.storage(),
            queues: self.queues(),
            clock: self.clock(),
            certificates: self.certificates(),
            rules: self.rules(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let now = Timestamp::from_second(1_800_000_000).expect("a moment");
        let ends_in = |seconds: i64| {
            let life = CertificateLife {
                is_authority: false,
                subject: "CN=hub.lan".to_owned(),
                not_before: Timestamp::UNIX_EPOCH,
                not_after: Timestamp::from_second(now.as_second() + seconds).expect("a moment"),
            };
            let told = certificate("https", life, now);
            (told.days_left, told.state)
        };
        assert_eq!(ends_in(31 * DAY_S), (31, "good".to_owned()));
        assert_eq!(ends_in(30 * DAY_S - 1), (29, "soon".to_owned()));
        assert_eq!(ends_in(1), (0, "soon".to_owned()));
        assert_eq!(ends_in(-1), (-1, "over".to_owned()));
    }
}
