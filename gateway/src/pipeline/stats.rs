//! What went through, since this process started. The outcomes add up: received = committed + duplicates + quarantined + refused.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Latencies kept for percentiles; older ones are overwritten.
const SAMPLES_MAX: usize = 16_384;

/// Counters of both consumers.
#[derive(Debug, Default)]
pub struct Stats {
    /// Uplinks read by the projector.
    pub received: AtomicU64,
    /// Uplinks that became history.
    pub committed: AtomicU64,
    /// Redeliveries: known already.
    pub duplicates: AtomicU64,
    /// Uplinks that could not be read and are kept as they came.
    pub quarantined: AtomicU64,
    /// What the listener turned away at the door.
    pub refused: AtomicU64,
    /// Alarms opened.
    pub alarms: AtomicU64,
    /// Incidents opened.
    pub incidents: AtomicU64,
    /// Journal position up to which rules have run.
    pub detected_seq: AtomicU64,
    /// Journal position up to which history is written.
    pub projected_seq: AtomicU64,
    latencies_us: Mutex<Samples>,
}

#[derive(Debug, Default)]
struct Samples {
    values: Vec<u64>,
    next: usize,
}

impl Stats {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// Reads a counter.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Notes how long an event took from its occurrence to the live feed.
    pub fn feed_latency(&self, latency: jiff::SignedDuration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(0);
        let mut samples = self.latencies_us.lock();
        if samples.values.len() < SAMPLES_MAX {
            samples.values.push(us);
        } else {
            let at = samples.next;
            samples.values[at] = us;
            samples.next = (at + 1) % SAMPLES_MAX;
        }
    }

    /// Percentiles 50 and 99 of the way to the feed, in milliseconds; none before the first finding.
    pub fn feed_latency_ms(&self) -> Option<(f64, f64)> {
        let mut values = self.latencies_us.lock().values.clone();
        values.sort_unstable();
        let at = |percent: usize| {
            values
                .get((values.len().max(1) - 1) * percent / 100)
                .map(|us| *us as f64 / 1000.0)
        };
        Some((at(50)?, at(99)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_the_samples() {
        let stats = Stats::default();
        assert_eq!(stats.feed_latency_ms(), None);
        for ms in 1..=100 {
            stats.feed_latency(jiff::SignedDuration::from_millis(ms));
        }
        assert_eq!(stats.feed_latency_ms(), Some((50.0, 99.0)));
    }
}
