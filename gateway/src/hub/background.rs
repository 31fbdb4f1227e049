//! What works by itself: commands, pictures that are fetched, who is dispatched, what is forgotten, what goes on to others.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::Lane;
use serde_json::json;
use store::events::EventStore;
use store::events::influx::{self, InfluxEvents, Pace, Target};
use store::journal::Journal;
use store::state::State;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Core, Stores, make_private};
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::lifecycle::Lifecycle;
use crate::{adapters, commands, dispatch, feed, forget};

/// How long devices have after a start until those that have not come back are offline (reliability goal G7: 20 s).
const GONE_AFTER: Duration = Duration::from_secs(15);

/// Starts them. The answer is what devices check the signatures of commands with: Ed25519, base64.
///
/// # Errors
/// The key of commands or what leads to InfluxDB cannot be opened.
pub(super) fn start(core: &Core<'_>, life: &mut Lifecycle) -> anyhow::Result<String> {
    let Core { config, .. } = core;
    let Stores {
        journal,
        state,
        photos,
        events,
        clock,
        ..
    } = core.stores;
    let key = Arc::new(commands::CommandKey::open(&config.data.dir)?);
    let command_key = key.public();
    let worker = commands::Worker {
        state: state.clone(),
        exchange: core.exchange.clone(),
        ways: Arc::clone(&core.ways),
        key,
        journal: journal.clone(),
        clock: clock.clone(),
    };
    life.spawn("commands", worker.run(life.stop()));
    if core
        .bridges
        .by_account
        .values()
        .any(|b| !b.fetch.is_empty())
    {
        let fetcher = Fetcher {
            state: state.clone(),
            photos: photos.clone(),
            bridges: Arc::clone(&core.bridges),
            clock: clock.clone(),
        };
        life.spawn("fetch", fetcher.run(life.stop()));
    }
    let driven = dispatch::run(
        state.clone(),
        core.book.clone(),
        clock.clone(),
        config.station.log_every(),
        life.stop(),
    );
    life.spawn("dispatch", driven);
    let keeping = forget::run(
        state.clone(),
        photos.clone(),
        Arc::clone(events),
        (config.reports.keep_days, config.privacy),
        clock.clone(),
        life.stop(),
    );
    life.spawn("what is about people", keeping);
    life.spawn(
        "feed to exchange",
        feed::run(state.clone(), core.exchange.clone(), life.stop()),
    );
    if !config.influx.url.is_empty() {
        forward_to_influx(config, events, life)?;
    }
    let gone = tell_of_the_gone(
        state.clone(),
        journal.clone(),
        clock.clone(),
        core.first_epoch,
        life.stop(),
    );
    life.spawn("presence of before", gone);
    life.spawn("clock", clock.clone().follow(journal.clone(), life.stop()));
    Ok(command_key)
}

/// Devices that were connected when the last run ended and have not come back are offline: nobody else would say so. They get a while to
/// come back first. What is told carries the epoch of the connection of before, so one that comes back meanwhile stays online.
async fn tell_of_the_gone(
    state: State,
    journal: Journal,
    clock: Clock,
    first_epoch: u64,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = tokio::time::sleep(GONE_AFTER) => {}
    }
    let gone = state.online_since_before(first_epoch);
    if !gone.is_empty() {
        info!(
            devices = gone.len(),
            "devices have not come back since the last run"
        );
    }
    for (device, epoch) in gone {
        let payload = json!({"state": "offline", "epoch": epoch, "reason": "hub restarted"});
        let (topic, payload) = (
            format!("$hub/presence/{device}"),
            payload.to_string().into_bytes(),
        );
        let note = adapters::hub::note(clock.now(), topic, epoch, payload);
        if let Err(e) = journal.append(Lane::Alarm, note).await {
            warn!(error = %e, "note not journalled");
        }
    }
    stop.cancelled().await;
    Ok(())
}

/// History goes to InfluxDB 2 besides: from the event store, with a cursor of its own, however long the server was away.
fn forward_to_influx(
    config: &Config,
    events: &Arc<dyn EventStore>,
    life: &mut Lifecycle,
) -> anyhow::Result<()> {
    let settings = &config.influx;
    let file = &settings.token_file;
    let token = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read `influx.token_file` {}", file.display()))?;
    let target = Target {
        url: settings.url.clone(),
        org: settings.org.clone(),
        bucket: settings.bucket.clone(),
        token: token.trim().to_owned(),
    };
    let dir = config.data.dir.join("influx");
    make_private(&dir)?;
    let sink = InfluxEvents::open(&target, &dir).context("preparing the way to InfluxDB")?;
    let (source, stop) = (Arc::clone(events), life.stop());
    let pace = Pace::new(rand::random());
    life.spawn("influx forwarder", async move {
        influx::forward(source, &sink, pace, stop.cancelled_owned()).await;
        Ok(())
    });
    Ok(())
}
