//! What is about people has an end: contact and photos of reports and photos of incidents some days after the incident is closed, photos that nothing names after a day,
//! plates, cards and persons in events, incidents and alarms, and snapshots, after the days of their class. What is held stays until the hold is over.
//!
//! Nothing is kept here: what is due stands in the state and on the disk, so that a hub that was away goes on where it stood.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::privacy::Personal;
use jiff::SignedDuration;
use store::events::EventStore;
use store::photos::Room;
use store::state::{SNAPSHOT_LOOSE_KEPT, State, StateError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::Privacy;

/// How often it is looked; days are counted.
const TICK: Duration = Duration::from_mins(1);
/// Reports of one transaction, and incidents, with photos or without, and alarms.
const REPORTS: u32 = 100;
const INCIDENTS: u32 = 100;
/// Snapshots of one transaction.
const SNAPSHOTS: u32 = 200;
/// How long after it came a snapshot may find its incident: rules look back that far.
const LINKED_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Transactions and steps of one round: a history of years is gone through in hours, and nobody waits for it.
const STEPS: usize = 200;

/// Takes away what is due until the hub stops.
///
/// # Errors
/// None: what cannot be taken away now is due again.
pub(crate) async fn run(
    state: State,
    photos: Room,
    events: Arc<dyn EventStore>,
    (keep_days, privacy): (u32, Privacy),
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let keep = SignedDuration::from_hours(24 * i64::from(keep_days));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        let now = clock.now();
        let closed_before = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        // files that are nobody's from now on go in the same round
        if let Err(e) = snapshots(&state, &photos, privacy, now).await {
            warn!(error = %e, "snapshots cannot be taken away now, it is tried again");
        }
        if let Err(e) = round(&state, &photos, closed_before, now).await {
            warn!(error = %e, "what reports and incidents hold of people cannot be taken away now, it is tried again");
        }
        if let Err(e) = people(&state, &*events, privacy, now).await {
            warn!(
                error = %format!("{e:#}"),
                "what is about people cannot be taken away now, it is tried again"
            );
        }
    }
}

/// Snapshots whose time is over; those whose events an incident has taken meanwhile are shown there first.
async fn snapshots(
    state: &State,
    photos: &Room,
    privacy: Privacy,
    now: Timestamp,
) -> Result<(), StateError> {
    let before = |kept: SignedDuration| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
    state.link_snapshots(before(LINKED_WITHIN)).await?;
    for (shows, days) in privacy.snapshot_days() {
        let closed_before = before(SignedDuration::from_hours(24 * i64::from(days)));
        for _ in 0..STEPS {
            let (done, nobodys) = state
                .forget_snapshots(shows, closed_before, now, SNAPSHOTS)
                .await?;
            photos.loosen(&nobodys, now);
            if done < SNAPSHOTS {
                break;
            }
        }
    }
    let loose_before = now.saturating_sub(SNAPSHOT_LOOSE_KEPT);
    let loose_before = loose_before.unwrap_or(Timestamp::MIN);
    for _ in 0..STEPS {
        let (done, nobodys) = state
            .forget_loose_snapshots(loose_before, now, SNAPSHOTS)
            .await?;
        photos.loosen(&nobodys, now);
        if done < SNAPSHOTS {
            break;
        }
    }
    Ok(())
}

/// Plates, cards and persons whose time is over.
async fn people(
    state: &State,
    events: &dyn EventStore,
    privacy: Privacy,
    now: Timestamp,
) -> anyhow::Result<()> {
    // some holds are over by now
    state.tell_held(now, |held| events.hold(held)).await?;
    let before = |(class, days): (Personal, u32)| {
        let kept = SignedDuration::from_hours(24 * i64::from(days));
        (class, now.saturating_sub(kept).unwrap_or(Timestamp::MIN))
    };
    let due = privacy.days().map(before);
    for (class, before) in due {
        for _ in 0..STEPS {
            if state.forget_people(class, before, now, INCIDENTS).await? < INCIDENTS {
                break;
            }
        }
    }
    let mut destroyed = 0;
    for _ in 0..STEPS {
        let step = events.destroy(due.to_vec()).await?;
        destroyed += step.events;
        if step.is_done {
            break;
        }
    }
    if destroyed > 0 {
        state.note_destroyed(destroyed, now).await?;
        info!(
            events = destroyed,
            "what is about people was taken out of old events"
        );
    }
    Ok(())
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
