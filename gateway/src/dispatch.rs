//! The clocks of duty and the outbox, driven: reads what is due, a few times a second, and does it.
//!
//! Nothing is kept here. What is due stands in rows of the state, so that a hub that was away goes on where it stood, and two that
//! did this at once would do nothing twice.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::rule::RuleBook;
use jiff::SignedDuration;
use store::state::{BOARD, Delivery, State, StateError};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;

/// How often it is looked: a deadline is met at most this much late.
const TICK: Duration = Duration::from_millis(250);
/// Every so many looks it is measured how much rings.
const MEASURED_EVERY: u64 = 4;
/// Deliveries taken at a time.
const DELIVERIES: u32 = 64;

/// Drives the clocks until the hub stops, and writes a line of the duty log whenever `log_every` is over.
///
/// # Errors
/// A state database that cannot be read or written; where that may pass it is waited for.
pub async fn run(
    state: State,
    book: watch::Receiver<Arc<RuleBook>>,
    clock: Clock,
    log_every: SignedDuration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_waiting = false;
    let mut rounds = 0_u64;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        if rounds.is_multiple_of(MEASURED_EVERY) {
            measure(&state, clock.now()).await?;
        }
        rounds += 1;
        let now_book = Arc::clone(&book.borrow());
        match round(&state, &now_book, clock.now(), log_every).await {
            Ok(()) => is_waiting = false,
            Err(e) if e.is_retryable() => {
                if !is_waiting {
                    error!(error = %e, "what the clocks bring cannot be written now, waiting (hint: is the disk of `data.dir` full?)");
                }
                is_waiting = true;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// How much rings now, for the screens and for Prometheus.
async fn measure(state: &State, now: Timestamp) -> Result<(), StateError> {
    let rate = state.measure_rate(now).await?;
    let per_seat = rate.alarms as f64 / rate.seats as f64;
    metrics::gauge!("hub_alarm_rate_10_minutes_per_seat").set(per_seat);
    metrics::gauge!("hub_alarm_flood").set(f64::from(u8::from(rate.flood_since.is_some())));
    Ok(())
}

async fn round(
    state: &State,
    book: &RuleBook,
    now: Timestamp,
    log_every: SignedDuration,
) -> Result<(), StateError> {
    let done = state.run_due(now, book).await?;
    for incident in &done.opened {
        info!(incident.id = %incident, "incident opened by the station's own clocks");
    }
    if !done.changed.is_empty() {
        metrics::counter!("hub_dispatch_clocks_total").increment(done.changed.len() as u64);
    }
    state.write_duty_log(now, log_every).await?;
    loop {
        let leased = state.lease_deliveries(now, DELIVERIES).await?;
        if leased.is_empty() {
            return Ok(());
        }
        for delivery in leased {
            deliver(state, &delivery, now).await?;
        }
    }
}

/// One attempt over the delivery's channel.
async fn deliver(state: &State, delivery: &Delivery, now: Timestamp) -> Result<(), StateError> {
    if delivery.channel == BOARD {
        state.delivered(delivery, now).await?;
        metrics::counter!("hub_dispatch_deliveries_total", "channel" => BOARD).increment(1);
        return Ok(());
    }
    let why = format!("unknown channel `{}`", delivery.channel);
    let is_dead = state.delivery_failed(delivery, now, &why).await?;
    warn!(
        delivery.notification = delivery.notification,
        delivery.channel, is_dead, "delivery failed"
    );
    Ok(())
}
