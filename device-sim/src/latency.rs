//! Latencies in buckets of at most 3 % width, so that a million of them cost ten kilobytes.
//!
//! ```text
//! 0 … 63 µs   one bucket a microsecond
//! 2^e … 2^(e+1)-1 µs, e = 6 … 40   32 buckets each
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

const LINEAR: u64 = 64;
const PER_OCTAVE: u64 = 32;
const OCTAVE_MIN: u32 = 6;
const OCTAVE_MAX: u32 = 40;
const BUCKETS: usize = (LINEAR + PER_OCTAVE * (OCTAVE_MAX - OCTAVE_MIN + 1) as u64) as usize;

/// Counts of latencies.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_us: u64,
}

/// What a report says of a [`Histogram`], in milliseconds. All zero when nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyMs {
    /// How many were measured.
    pub count: u64,
    /// Half of them were at most this.
    pub p50: f64,
    /// 99 of 100 were at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            max_us: 0,
        }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(us)] += 1;
        self.total += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Adds what another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// The figures for a report.
    pub fn summary(&self) -> LatencyMs {
        let ms = |us: u64| us as f64 / 1000.0;
        LatencyMs {
            count: self.total,
            p50: ms(self.quantile_us(0.50)),
            p99: ms(self.quantile_us(0.99)),
            max: ms(self.max_us),
        }
    }

    /// The upper edge of the bucket in which the given share (0 to 1) of all latencies ends.
    fn quantile_us(&self, share: f64) -> u64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (at, &count) in self.counts.iter().enumerate() {
            seen += count;
            if count > 0 && seen >= wanted {
                return upper_edge(at).min(self.max_us);
            }
        }
        0
    }
}

fn bucket(us: u64) -> usize {
    if us < LINEAR {
        return us as usize;
    }
    let octave = us.ilog2().min(OCTAVE_MAX);
    let within = (us >> (octave - OCTAVE_MIN + 1)).min(2 * PER_OCTAVE - 1) - PER_OCTAVE;
    (LINEAR + u64::from(octave - OCTAVE_MIN) * PER_OCTAVE + within) as usize
}

fn upper_edge(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < LINEAR {
        return bucket;
    }
    let octave = (bucket - LINEAR) / PER_OCTAVE;
    let within = (bucket - LINEAR) % PER_OCTAVE;
    ((PER_OCTAVE + within + 1) << (octave + 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_below_the_edge_of_its_bucket_and_close_to_it() {
        for us in (0..5_000).chain([1 << 20, (1 << 20) + 12_345, (1 << 40) - 1]) {
            let edge = upper_edge(bucket(us));
            assert!(edge >= us, "{us} is above {edge}");
            assert!(edge - us <= us / 32 + 1, "{us} is far from {edge}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        for ms in 1..=100 {
            histogram.record(Duration::from_millis(ms));
        }
        let summary = histogram.summary();
        assert!((50.0..52.0).contains(&summary.p50), "{}", summary.p50);
        assert!((99.0..=100.0).contains(&summary.p99), "{}", summary.p99);
        assert!((summary.max - 100.0).abs() < f64::EPSILON);
        assert_eq!(Histogram::default().summary(), LatencyMs::default());
    }
}
