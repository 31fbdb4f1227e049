//! The projector: from the journal into the event store, so that history can be asked for.

use std::sync::Arc;

use anyhow::Context as _;
use domain::Seq;
use store::events::EventStore;
use store::journal::Watermarks;
use tokio::sync::watch;
use tracing::debug;

use super::source::{Item, Source};
use super::stats::Stats;
use crate::adapters::hub::REFUSED;

/// Writes history until the journal is closed and everything in it has been written. `done` then and always holds the highest
/// position that is written.
///
/// # Errors
/// A journal that cannot be read or an event store that cannot be written; the hub stops and starts again from the cursor.
pub async fn run(
    mut source: Source,
    mut durable: watch::Receiver<Watermarks>,
    events: Arc<dyn EventStore>,
    stats: Arc<Stats>,
    done: watch::Sender<Seq>,
) -> anyhow::Result<()> {
    loop {
        // asked before reading: a journal that was closed by then has nothing more to come
        let closed = durable.has_changed().is_err();
        durable.borrow_and_update();
        let items = source.next().await?;
        if let Some(upto) = items.last().map(|item| item.seq) {
            write(items, upto, &*events, &stats).await?;
            stats
                .projected_seq
                .store(upto.0, std::sync::atomic::Ordering::Relaxed);
            done.send_replace(upto);
        } else if closed {
            return Ok(());
        } else {
            // an error means closed: the next round finds out
            let _ = durable.changed().await;
        }
    }
}

async fn write(
    items: Vec<Item>,
    upto: Seq,
    events: &dyn EventStore,
    stats: &Stats,
) -> anyhow::Result<()> {
    let (mut refused, mut quarantined) = (0, 0);
    let received = items.len();
    let mut batch = Vec::with_capacity(received);
    for item in items {
        match &item.parsed.reject {
            Some(reject) if reject.code == REFUSED => refused += 1,
            Some(_) => quarantined += 1,
            None => {}
        }
        batch.extend(item.parsed.events);
    }
    let appended = events
        .append(upto, batch)
        .await
        .context("writing history")?;
    let duplicates = usize::try_from(appended.duplicates).unwrap_or(usize::MAX);
    debug!(journal.seq = %upto, events.stored = appended.stored, events.duplicates = duplicates, "history written");
    Stats::add(&stats.received, received);
    Stats::add(&stats.refused, refused);
    Stats::add(&stats.quarantined, quarantined);
    Stats::add(&stats.duplicates, duplicates);
    Stats::add(
        &stats.committed,
        (received - refused - quarantined).saturating_sub(duplicates),
    );
    metrics::counter!("hub_project_uplinks_total").increment(received as u64);
    metrics::counter!("hub_project_events_total").increment(appended.stored);
    metrics::counter!("hub_project_duplicates_total").increment(duplicates as u64);
    metrics::counter!("hub_project_quarantined_total").increment(quarantined as u64);
    metrics::counter!("hub_project_refused_total").increment(refused as u64);
    Ok(())
}
