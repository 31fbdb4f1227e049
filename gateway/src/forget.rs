//! What reports and incidents hold of people has an end: contact and photos some days after the incident is closed, photos that nothing names
//! after a day.
//!
//! Nothing is kept here: what is due stands in the state and on the disk, so that a hub that was away goes on where it stood.

use std::time::Duration;

use domain::Timestamp;
use store::photos::Room;
use store::state::{State, StateError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;

/// How often it is looked; days are counted.
const TICK: Duration = Duration::from_mins(1);
/// Reports, or incidents with photos, of one transaction.
const REPORTS: u32 = 100;

/// Takes away what is due until the hub stops.
///
/// # Errors
/// None: what cannot be taken away now is due again.
pub(crate) async fn run(
    state: State,
    photos: Room,
    keep_days: u32,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let keep = jiff::SignedDuration::from_hours(24 * i64::from(keep_days));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        let now = clock.now();
        let closed_before = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        if let Err(e) = round(&state, &photos, closed_before, now).await {
            warn!(error = %e, "what reports and incidents hold of people cannot be taken away now, it is tried again");
        }
    }
}

async fn round(
    state: &State,
    photos: &Room,
    closed_before: Timestamp,
    now: Timestamp,
) -> Result<(), StateError> {
    photos.loosen(
        &state.forget_reports(closed_before, now, REPORTS).await?,
        now,
    );
    photos.loosen(
        &state.forget_evidence(closed_before, now, REPORTS).await?,
        now,
    );
    let overdue = photos.overdue(now);
    let mut named = Vec::new();
    for name in &overdue {
        if state.is_photo_named(name).await? {
            named.push(name.clone());
        }
    }
    match photos.discard(&overdue, &named) {
        Ok(0) => {}
        Ok(thrown) => info!(photos = thrown, "photos thrown away"),
        Err(e) => {
            warn!(error = %e, "a photo cannot be thrown away (hint: see the folder `photos` below `data.dir`)");
        }
    }
    Ok(())
}
