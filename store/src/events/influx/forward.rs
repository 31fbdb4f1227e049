//! The loop that follows another event store and brings what is new to InfluxDB.
//!
//! It takes no input but the source and its own cursor: after an outage, a crash or a new bucket it reads what is due. While the
//! server is down nothing is lost (the source has it) and nothing is doubled (a point written again overwrites itself).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Event, Seq};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::InfluxEvents;
use super::error::InfluxError;
use crate::events::{EventStore, EventsError, HISTORY_LIMIT_MAX, HistoryQuery, Order};

/// Events of one batch, about.
const BATCH: usize = 5_000;

/// What is due.
#[derive(Debug, Default)]
pub struct Batch {
    /// Everything after the position that was asked for, up to and including this one, is in `events`.
    pub upto: Seq,
    /// In the order of their positions.
    pub events: Vec<Event>,
}

/// Where the forwarder reads from.
#[async_trait]
pub trait Source: Send + Sync {
    /// The next few thousand events after `after`; `upto` equal to `after` when there are none yet. Does not wait.
    async fn next(&self, after: Seq) -> Result<Batch, EventsError>;
}

/// An event store is a source that has its redeliveries counted already.
#[async_trait]
impl Source for Arc<dyn EventStore> {
    async fn next(&self, after: Seq) -> Result<Batch, EventsError> {
        // Before the first page: what is stored meanwhile belongs to the next batch.
        let cursor = self.cursor().await?;
        let mut batch = Batch {
            upto: after,
            events: Vec::new(),
        };
        while batch.events.len() < BATCH {
            let query = HistoryQuery {
                after_seq: Some(batch.upto),
                limit: HISTORY_LIMIT_MAX,
                order: Order::OldestFirst,
                ..HistoryQuery::default()
            };
            let page = self.history(query).await?;
            if let Some(last) = page.items.last() {
                batch.upto = last.event.seq;
            }
            batch
                .events
                .extend(page.items.into_iter().map(|stored| stored.event));
            if page.next.is_none() {
                batch.upto = batch.upto.max(cursor);
                break;
            }
        }
        Ok(batch)
    }
}

/// How often the forwarder looks and tries.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between looks when there is nothing to do.
    pub idle: Duration,
    /// After the first failure; doubled with each further one, and cut by up to a half at random.
    pub retry_first: Duration,
    /// Longest time between tries.
    pub retry_max: Duration,
    /// Seed of that randomness.
    pub seed: u64,
}

impl Pace {
    /// Looks every half second; tries again after half a second to a minute.
    pub fn new(seed: u64) -> Self {
        Self {
            idle: Duration::from_millis(500),
            retry_first: Duration::from_millis(500),
            retry_max: Duration::from_mins(1),
            seed,
        }
    }
}

/// Follows `source` until `stop` is ready. What is under way then is given up and done again after the next start.
pub async fn forward(
    source: impl Source,
    sink: &InfluxEvents,
    pace: Pace,
    stop: impl Future<Output = ()>,
) {
    tokio::select! {
        () = stop => {}
        () = follow(source, sink, pace) => {}
    }
}

async fn follow(source: impl Source, sink: &InfluxEvents, pace: Pace) {
    let mut random = StdRng::seed_from_u64(pace.seed);
    let mut failures = 0_u32;
    loop {
        match step(&source, sink).await {
            Ok(moved) => {
                if failures > 0 {
                    tracing::info!(influx.failures = failures, "influxdb takes events again");
                    failures = 0;
                }
                if !moved {
                    tokio::time::sleep(pace.idle).await;
                }
            }
            Err(error) => {
                let wait = retry_delay(&pace, failures, &mut random);
                // Once loudly; a server that is down for a day shall not fill the log.
                if failures == 0 {
                    tell(&error);
                } else {
                    tracing::debug!(error = %error, wait_ms = wait.as_millis(), "event forwarding failed again");
                }
                failures = failures.saturating_add(1);
                metrics::counter!("hub_influx_retries_total").increment(1);
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// One batch; whether there was one.
async fn step(source: &impl Source, sink: &InfluxEvents) -> Result<bool, EventsError> {
    let after = sink.cursor().await?;
    let Batch { upto, events } = source.next(after).await?;
    sink.append(upto, events).await?;
    Ok(upto > after)
}

fn tell(error: &EventsError) {
    if let EventsError::Influx(InfluxError::Refused { .. }) = error {
        tracing::error!(error = %error, "event forwarding refused, events wait");
    } else {
        tracing::warn!(error = %error, "event forwarding failed, events wait");
    }
}

fn retry_delay(pace: &Pace, failures: u32, random: &mut StdRng) -> Duration {
    let full = pace
        .retry_first
        .saturating_mul(1 << failures.min(16))
        .min(pace.retry_max);
    full.mul_f64(random.random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_scatter() {
        let pace = Pace::new(7);
        let mut random = StdRng::seed_from_u64(pace.seed);
        let mut seen = Vec::new();
        for failures in [0, 1, 2, 7, 30, u32::MAX] {
            let full = pace.retry_first * (1 << failures.min(7));
            let full = full.min(pace.retry_max);
            let delay = retry_delay(&pace, failures, &mut random);
            assert!(delay <= full && delay >= full / 2, "{failures}: {delay:?}");
            seen.push(delay.as_secs_f64() / full.as_secs_f64());
        }
        assert!(seen.windows(2).any(|w| (w[0] - w[1]).abs() > 0.01));
    }
}
