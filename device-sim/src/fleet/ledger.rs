//! What the fleet knows of its own doing: counts, latencies and the ids that were acknowledged.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{DeviceId, RuleId, Timestamp};
use serde::Serialize;

use super::orders::{CommandReport, Orders};
use crate::command::Note;

use crate::latency::{Histogram, LatencyMs};

/// Most scenario events that are remembered; the oldest go first.
const SCENARIO_EVENTS_MAX: usize = 10_000;

/// An event that the hub acknowledged: it must be in the hub's store, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acked {
    /// Who sent it.
    pub device: DeviceId,
    /// The sender's id of it.
    pub id: String,
    /// When it was first given to the connection.
    pub sent_at: Timestamp,
}

/// An event after which a rule must open an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScenarioEvent {
    /// Which rule.
    pub rule: RuleId,
    /// The device of the last step of it.
    pub device: DeviceId,
    /// When it happened, by the simulator's clock.
    pub at: Timestamp,
    /// The event's id; none for a silence.
    pub id: Option<String>,
}

/// What a fleet did. Events only, where nothing else is said.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FleetReport {
    /// Events that were said.
    pub published: u64,
    /// Of them, acknowledged.
    pub acknowledged: u64,
    /// Events that found the device's outbox full and were never said.
    pub refused: u64,
    /// Reports of state, presence and identity that were acknowledged.
    pub reports: u64,
    /// Readings that went out (QoS 0, never acknowledged).
    pub telemetry: u64,
    /// Connections that ended without being asked to, or could not be made.
    pub disconnects: u64,
    /// From the first publish of an event to its PUBACK, waiting for a connection included.
    pub puback_ms: LatencyMs,
    /// The newest acknowledged events, up to the limit of the configuration.
    pub acked: Vec<Acked>,
    /// How many older ones were left out of `acked`.
    pub acked_left_out: u64,
    /// What must have become incidents.
    pub scenario_events: Vec<ScenarioEvent>,
    /// What became of commands.
    pub commands: CommandReport,
}

#[derive(Debug, Default)]
struct Inner {
    report: FleetReport,
    acked: VecDeque<Acked>,
    scenario_events: VecDeque<ScenarioEvent>,
    puback: Histogram,
    orders: Orders,
}

/// Shared by all devices of a fleet; locked for moments only.
#[derive(Debug)]
pub(super) struct Ledger {
    inner: Mutex<Inner>,
    acked_max: usize,
}

impl Ledger {
    pub(super) fn new(acked_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            acked_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // counters stay usable when a device's task has panicked
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn published(&self) {
        self.lock().report.published += 1;
    }

    pub(super) fn refused(&self) {
        self.lock().report.refused += 1;
    }

    pub(super) fn telemetry(&self) {
        self.lock().report.telemetry += 1;
    }

    pub(super) fn disconnected(&self) {
        self.lock().report.disconnects += 1;
    }

    pub(super) fn report_acknowledged(&self) {
        self.lock().report.reports += 1;
    }

    pub(super) fn event_acknowledged(&self, acked: Acked, latency: Duration) {
        let mut inner = self.lock();
        inner.report.acknowledged += 1;
        inner.puback.record(latency);
        inner.acked.push_back(acked);
        if inner.acked.len() > self.acked_max {
            inner.acked.pop_front();
            inner.report.acked_left_out += 1;
        }
    }

    pub(super) fn scenario_event(&self, event: ScenarioEvent) {
        let mut inner = self.lock();
        if inner.scenario_events.len() >= SCENARIO_EVENTS_MAX {
            inner.scenario_events.pop_front();
        }
        inner.scenario_events.push_back(event);
    }

    pub(super) fn command(&self, device: &DeviceId, note: &Note) {
        self.lock().orders.note(device, note);
    }

    /// Everything so far.
    pub(super) fn report(&self) -> FleetReport {
        let inner = self.lock();
        FleetReport {
            puback_ms: inner.puback.summary(),
            acked: inner.acked.iter().cloned().collect(),
            scenario_events: inner.scenario_events.iter().cloned().collect(),
            commands: inner.orders.report(),
            ..inner.report.clone()
        }
    }

    /// Published and acknowledged so far.
    pub(super) fn progress(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.report.published, inner.report.acknowledged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_acknowledged_ids_are_kept_and_the_rest_is_counted() {
        let ledger = Ledger::new(2);
        for n in 0..5 {
            let acked = Acked {
                device: "smoke-1".parse().expect("an id"),
                id: format!("r-{n}"),
                sent_at: Timestamp::UNIX_EPOCH,
            };
            ledger.event_acknowledged(acked, Duration::from_millis(1));
        }
        let report = ledger.report();
        assert_eq!((report.acknowledged, report.acked_left_out), (5, 3));
        let ids: Vec<_> = report.acked.iter().map(|a| a.id.as_str()).collect();
        assert_eq!(ids, ["r-3", "r-4"]);
    }
}
