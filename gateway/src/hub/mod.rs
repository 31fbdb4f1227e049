//! The composition root: opens what outlives a restart, then ties listener, pipeline and dashboard together.

mod background;
mod catalogue;
mod doors;
mod files;
mod ports;
mod readers;
mod stores;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::Timestamp;
use domain::rule::{RuleBook, RuleSet};
use tokio::sync::watch;
use tracing::{error, info};

use crate::accounts::Accounts;
use crate::adapters::{Bridges, Formats};
use crate::authority::Authority;
use crate::clock::Clock;
use crate::commands::Ways;
use crate::config::Config;
use crate::exchange::Exchange;
use crate::lifecycle::{self, Lifecycle};
use crate::listener::ListenerStats;
use crate::pipeline::Stats;
use crate::probe::Probe;
use crate::{adapter_files, bridges, https};

pub use catalogue::{Catalogue, Misconfigured};
pub(crate) use catalogue::{folder, registry};
pub use ports::{https, identity_provider, tls};
pub use stores::{Stores, make_private};

/// A hub that serves.
pub struct Running {
    /// Where devices connect.
    pub mqtt: SocketAddr,
    /// Where browsers connect.
    pub http: SocketAddr,
    /// What is spoken there: `http` or `https`.
    pub scheme: &'static str,
    /// What devices check the signatures of commands with: Ed25519, base64.
    pub command_key: String,
    /// Counters of the pipeline.
    pub stats: Arc<Stats>,
    /// Counters of the listener.
    pub listener: Arc<ListenerStats>,
}

/// What several parts of the hub hold.
struct Core<'a> {
    config: &'a Config,
    stores: &'a Stores,
    formats: Formats,
    bridges: Arc<Bridges>,
    ways: Arc<Ways>,
    accounts: Arc<Accounts>,
    authority: Option<Arc<Authority>>,
    exchange: Exchange,
    /// The rules at work, and what the station needs to know of each.
    rules: watch::Receiver<Arc<RuleSet>>,
    book: watch::Receiver<Arc<RuleBook>>,
    stats: Arc<Stats>,
    listener: Arc<ListenerStats>,
    /// The epoch of the first connection of this run; those of earlier runs are below it.
    first_epoch: u64,
}

/// Binds the ports and starts every part of the hub within `life`.
///
/// # Errors
/// [`Misconfigured`] before a port opens: files of TLS that cannot be used. A port that cannot be bound, or a cursor that cannot be read.
pub async fn serve(
    config: &Config,
    stores: &Stores,
    life: &mut Lifecycle,
) -> anyhow::Result<Running> {
    let Stores {
        catalogue,
        journal,
        state,
        clock,
        ..
    } = stores;
    let declared = declared(config).await?;
    let formats = Formats::new(declared.set);
    let bridges = bridges::read(config, &catalogue.registry, formats.clone())?;
    let ways = bridges::ways(config)?;
    let authority = own_authority(config, clock)?;
    let ports = ports::Ports::open(config).await?;
    let sessions = config.data.dir.join("sessions.db");
    let (exchange, worker) = Exchange::open(&sessions, journal, ticking(clock), formats.clone())?;
    let (accounts, probe_secret) = Accounts::load(state).await?;
    let cursors = readers::Cursors::read(stores).await?;
    let (rules, rules_now) = watch::channel(Arc::clone(&catalogue.rules));
    let (book, book_now) = watch::channel(Arc::clone(&catalogue.book));
    let core = Core {
        config,
        stores,
        formats,
        bridges: Arc::new(bridges),
        ways: Arc::new(ways),
        accounts: Arc::new(accounts),
        authority,
        exchange,
        rules: rules_now,
        book: book_now,
        stats: Arc::default(),
        listener: Arc::default(),
        first_epoch: u64::try_from(clock.now().as_microsecond()).unwrap_or(1),
    };

    let accounts = Arc::clone(&core.accounts);
    life.spawn("accounts", accounts.follow(state.clone(), life.stop()));
    readers::start(&core, cursors, worker, life).await?;
    let keepers = files::follow(&core, (rules, book), declared.mistakes, life).await?;
    files::follow_certificates(&core, ports.tls.as_ref(), ports.https.as_ref(), life);
    let command_key = background::start(&core, life)?;
    let is_secure = ports.https.is_some();
    let doors::Addresses { mqtt, http } = doors::open(&core, ports, keepers, life)?;
    stores.tell_of_restart().await;
    if config.probe.every_s > 0 {
        let probe = Probe {
            mqtt,
            http,
            secure: is_secure.then(https::own_client),
            secret: probe_secret,
            every: Duration::from_secs(config.probe.every_s),
            journal: journal.clone(),
            stats: Arc::clone(&core.stats),
            marker: stores.marker.clone(),
        };
        let started = probe.start(life.stop());
        started.context("starting the self-probe")?;
    }
    info!(mqtt.address = %mqtt, http.address = %http, "hub serves");
    Ok(Running {
        mqtt,
        http,
        scheme: if is_secure { "https" } else { "http" },
        command_key,
        stats: core.stats,
        listener: core.listener,
    })
}

/// The adapters that are files. A bad one is told of, and the hub runs without it.
async fn declared(config: &Config) -> anyhow::Result<adapter_files::Read> {
    let dir = config.adapters.dir.clone();
    let read = move || adapter_files::read(&dir, &adapter_files::here(), None);
    let declared = tokio::task::spawn_blocking(read).await?;
    for mistake in &declared.mistakes {
        error!(adapter.mistake = %mistake, "adapter file not taken (hint: `gateway adapter test FILE` says more)");
    }
    Ok(declared)
}

/// The hub's own authority, if it is to have one.
fn own_authority(config: &Config, clock: &Clock) -> anyhow::Result<Option<Arc<Authority>>> {
    if !config.tls.own_authority {
        return Ok(None);
    }
    let opened = Authority::open(&config.data.dir, clock.now());
    let opened = opened.context("opening the hub's own authority")?;
    Ok(Some(Arc::new(opened)))
}

/// The clock as a function, for those who need no more of it.
fn ticking(clock: &Clock) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let clock = clock.clone();
    Arc::new(move || clock.now())
}

/// `gateway run`: serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// [`Misconfigured`] before a port opens; else what failed first.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    crate::logging::init(&config.log)?;
    let catalogue = Catalogue::load_to_run(config)?;
    let stores = Stores::open(config, catalogue).await?;
    let mut life = Lifecycle::default();
    let outcome = match serve(config, &stores, &mut life).await {
        Ok(_) => {
            let deadline = Duration::from_secs(config.shutdown.deadline_s);
            life.run(lifecycle::signal(), deadline).await
        }
        Err(e) => Err(e),
    };
    stores.ended(&outcome);
    outcome
}
