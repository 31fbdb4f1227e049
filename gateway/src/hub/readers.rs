//! Those who read the journal, each from where it was: detect, project, snapshots and the exchange; and who tells the journal what all of
//! them have passed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::Seq;
use domain::rule::Engine;
use store::journal::Journal;
use store::state::SNAPSHOTS;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Core, Stores};
use crate::pipeline::detect::{CONSUMER, Detector};
use crate::pipeline::project;
use crate::pipeline::snapshots::Snapshots;
use crate::pipeline::source::Source;
use crate::{bridges, exchange, lifecycle::Lifecycle};

/// How often the journal is told what nobody needs any more.
const RELEASE_EVERY: Duration = Duration::from_secs(5);

/// How far each has read.
pub(super) struct Cursors {
    detected: Seq,
    projected: Seq,
    looked: Seq,
}

impl Cursors {
    /// As the databases have them.
    ///
    /// # Errors
    /// One that cannot be read, or a journal that ends before what was read of it.
    pub(super) async fn read(stores: &Stores) -> anyhow::Result<Self> {
        let detected = stores.state.cursor(CONSUMER).await?;
        let projected = stores.events.cursor().await?;
        let looked = stores.state.cursor(SNAPSHOTS).await?;
        let last = stores.journal.stats().last_seq;
        if last < detected.max(projected).max(looked) {
            // a fresh journal beside older databases: what comes in next would be taken for known and passed over
            bail!(
                "the journal ends at {last}, before what the databases have read (hint: put the journal back, or start with an empty data directory)"
            );
        }
        info!(journal.seq = %last, detect.seq = %detected, project.seq = %projected, "cursors read");
        Ok(Self {
            detected,
            projected,
            looked,
        })
    }
}

/// Starts them all.
///
/// # Errors
/// What the rules had in mind, or what adapters remember, cannot be read.
pub(super) async fn start(
    core: &Core<'_>,
    cursors: Cursors,
    worker: exchange::Worker,
    life: &mut Lifecycle,
) -> anyhow::Result<()> {
    let journal = &core.stores.journal;
    let (detect_done, detected) = watch::channel(cursors.detected);
    let (project_done, projected) = watch::channel(cursors.projected);
    let (snapshots_done, looked) = watch::channel(cursors.looked);

    let detector = detector(core).await?;
    let source = source_at(core, cursors.detected).await?;
    life.spawn(
        "detect",
        detector.run(source, journal.watermarks(), detect_done),
    );
    life.spawn(
        "snapshots",
        snapshots(core).run(journal.watermarks(), detected.clone(), snapshots_done),
    );
    let projector = project::run(
        source_at(core, cursors.projected).await?,
        journal.watermarks(),
        Arc::clone(&core.stores.events),
        Arc::clone(&core.stats),
        project_done,
    );
    life.spawn("project", projector);
    life.spawn("exchange", async move {
        tokio::task::spawn_blocking(move || worker.run())
            .await
            .context("the exchange's thread")?
    });
    let passed = [detected, projected, looked, core.exchange.routed()];
    life.spawn("release", release(journal.clone(), passed, life.stop()));
    Ok(())
}

async fn detector(core: &Core<'_>) -> anyhow::Result<Detector> {
    let Stores {
        catalogue,
        state,
        clock,
        ..
    } = core.stores;
    let mut engine = Engine::new(
        Arc::clone(&catalogue.rules),
        Arc::clone(&catalogue.registry),
    );
    engine.restore(state.window_rows().await?);
    Ok(Detector {
        engine,
        rules: core.rules.clone(),
        registry: state.registry_changes(),
        book: Arc::clone(&catalogue.book),
        state: state.clone(),
        exchange: core.exchange.clone(),
        clock: clock.clone(),
        stats: Arc::clone(&core.stats),
    })
}

async fn source_at(core: &Core<'_>, from: Seq) -> anyhow::Result<Source> {
    let Stores { journal, state, .. } = core.stores;
    let memory = bridges::memory(state).await?;
    Ok(Source::new(
        journal,
        from,
        state.registry_changes(),
        Arc::clone(&core.bridges),
        memory,
    ))
}

fn snapshots(core: &Core<'_>) -> Snapshots {
    let Stores {
        journal,
        state,
        photos,
        clock,
        ..
    } = core.stores;
    Snapshots {
        state: state.clone(),
        photos: photos.clone(),
        registry: state.registry_changes(),
        bridges: Arc::clone(&core.bridges),
        unwanted: core.config.privacy.unwanted(),
        budget_bytes: core.config.snapshots.budget_bytes,
        clock: clock.clone(),
        journal: journal.clone(),
    }
}

/// Tells the journal what every consumer has passed.
async fn release(
    journal: Journal,
    passed: [watch::Receiver<Seq>; 4],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut every = tokio::time::interval(RELEASE_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {
                if let Some(upto) = passed.iter().map(|p| *p.borrow()).min() {
                    journal.release(upto);
                }
            }
        }
    }
}
