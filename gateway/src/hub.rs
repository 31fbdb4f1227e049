//! The composition root: opens what outlives a restart, then ties listener, pipeline and dashboard together.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::{Context as _, bail};
use dashboard_api::Door;
use dashboard_api::oidc::{self, Provider};
use domain::alarm::flood::Seats;
use domain::place::Registry;
use domain::rule::{Engine, RuleBook, RuleError, RuleSet};
use domain::{Lane, Seq, Timestamp};
use serde_json::json;
use store::events::EventStore;
use store::events::influx::{self, InfluxEvents, Pace, Target};
use store::events::sqlite::SqliteEvents;
use store::journal::{self, Journal};
use store::photos::Room;
use store::state::{SNAPSHOTS, State};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::accounts::Accounts;
use crate::adapters::{self, Formats, hub::RESTARTED};
use crate::authority::{self, Authority};
use crate::clock::Clock;
use crate::config::Config;
use crate::disk::Disk;
use crate::enrolment::Enrolment;
use crate::exchange::Exchange;
use crate::fetch::Fetcher;
use crate::lifecycle::{self, Lifecycle};
use crate::listener::{
    self, ClientCertificates, Endpoint, Kind, ListenerStats, Origins, Tls, TlsFiles,
};
use crate::marker::{Marker, Said};
use crate::ops::{self, Ops};
use crate::panels::{self, Panels, Protocol};
use crate::pipeline::detect::{CONSUMER, Detector};
use crate::pipeline::snapshots::Snapshots;
use crate::pipeline::source::Source;
use crate::pipeline::{Stats, project};
use crate::probe::Probe;
use crate::push::{self, Push};
use crate::registry::keep::Keeper;
use crate::rerun::Rerunner;
use crate::rules::{self, Follow};
use crate::screen::Screen;
use crate::{adapter_files, bridges, commands, dispatch, embedded, feed, forget, https, set_back};

/// How often the journal is told what nobody needs any more.
const RELEASE_EVERY: Duration = Duration::from_secs(5);
/// How often the files of TLS are looked at.
const TLS_LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long devices have after a start until those that have not come back are offline (reliability goal G7: 20 s).
const GONE_AFTER: Duration = Duration::from_secs(15);

/// Configuration, registry or rules are wrong: starting again will not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

impl Misconfigured {
    /// Said in words.
    pub(crate) fn text(text: String) -> Self {
        Self(text)
    }

    /// With the whole chain of what went wrong.
    pub fn new(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

/// What is read from files at a start; others follow the files while the hub runs.
pub struct Catalogue {
    /// Places, people, devices.
    pub registry: Arc<Registry>,
    /// Rules with their conditions.
    pub rules: Arc<RuleSet>,
    /// What the station needs to know of each rule.
    pub book: Arc<RuleBook>,
    /// Mistakes in rule files that the hub runs with all the same.
    pub mistakes: Vec<RuleError>,
}

impl Catalogue {
    /// Reads registry and rules, from the configured directories or as built in.
    ///
    /// # Errors
    /// [`Misconfigured`] with every mistake on a line of its own.
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        let registry = registry(config)?;
        let rules = RuleSet::parse_for(&rule_texts(config)?, &registry)
            .map_err(|errors| Misconfigured(lines("the rules", &errors)))?;
        Ok(Self::of(registry, rules, Vec::new()))
    }

    /// The same for a hub that is to run whatever is wrong with a rule: a bad one rings as it ships, if it ships. Its mistakes
    /// are in [`mistakes`](Self::mistakes).
    ///
    /// # Errors
    /// [`Misconfigured`] when the registry has mistakes or the files cannot be read at all.
    pub fn load_to_run(config: &Config) -> anyhow::Result<Self> {
        let registry = registry(config)?;
        let shipped = folder(Path::new(""), embedded::RULES)?;
        let shipped = RuleSet::parse_lenient(&shipped, &registry, None);
        let files = rule_texts(config)?;
        let lenient = RuleSet::parse_lenient(&files, &registry, Some(&shipped.rules));
        for mistake in &lenient.errors {
            error!(rule.mistake = %mistake, "rule not taken (hint: `gateway rules check` lists all mistakes)");
        }
        Ok(Self::of(registry, lenient.rules, lenient.errors))
    }

    fn of(registry: Registry, rules: RuleSet, mistakes: Vec<RuleError>) -> Self {
        let book = rules.book().clone();
        Self {
            registry: Arc::new(registry),
            rules: Arc::new(rules),
            book: Arc::new(book),
            mistakes,
        }
    }
}

/// The registry of the configured directory, or the one that is built in.
///
/// # Errors
/// [`Misconfigured`] with every mistake on a line of its own.
pub(crate) fn registry(config: &Config) -> anyhow::Result<Registry> {
    let places = folder(&config.registry.dir, embedded::COMPOUND)
        .map_err(|e| unreadable("registry.dir", &e))?;
    let registry = crate::registry::keep::read(&places)
        .map_err(|errors| Misconfigured(lines("the registry", &errors)))?;
    for warning in registry.roster.warnings() {
        warn!(roster.warning = warning, "roster has hours without anybody");
    }
    let calendar = &registry.roster.calendar;
    for warning in calendar.warnings(calendar.day(Timestamp::now())) {
        warn!(roster.warning = warning, "the roster's calendar ends");
    }
    Ok(registry)
}

fn rule_texts(config: &Config) -> anyhow::Result<Vec<(String, String)>> {
    let read = folder(&config.rules.dir, embedded::RULES);
    Ok(read.map_err(|e| unreadable("rules.dir", &e))?)
}

fn unreadable(setting: &str, error: &anyhow::Error) -> Misconfigured {
    Misconfigured(format!("{error:#} (hint: see `{setting}`)"))
}

fn lines(what: &str, errors: &[impl std::fmt::Display]) -> String {
    let list: Vec<_> = errors.iter().map(|e| format!("  {e}")).collect();
    format!("{what} cannot be used:\n{}", list.join("\n"))
}

/// The `*.toml` and `*.csv` files of a directory, sorted by name; with an empty path those that are built in.
pub(crate) fn folder(
    dir: &Path,
    built_in: &[(&str, &str)],
) -> anyhow::Result<Vec<(String, String)>> {
    if dir.as_os_str().is_empty() {
        return Ok(built_in
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect());
    }
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "toml" || e == "csv") {
                let text = std::fs::read(&path)
                    .map_err(anyhow::Error::from)
                    .and_then(|bytes| crate::registry::text(&bytes))
                    .with_context(|| format!("cannot read {}", path.display()))?;
                files.push((path.display().to_string(), text));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What outlives a restart, opened.
pub struct Stores {
    /// Registry and rules.
    pub catalogue: Catalogue,
    /// What came in.
    pub journal: Journal,
    /// Alarms, incidents, users.
    pub state: State,
    /// Photos that people take, and snapshots.
    pub photos: Room,
    /// History.
    pub events: Arc<dyn EventStore>,
    /// The hub's clock, not before the last receive time in the journal.
    pub clock: Clock,
    marker: Marker,
    /// What the last run left, if nobody asked it to end.
    left: Option<Said>,
}

impl Stores {
    /// Opens everything below the data directory and says what recovery found.
    ///
    /// # Errors
    /// A directory that cannot be written, a store that another process holds, or one that is damaged beyond use.
    pub async fn open(config: &Config, catalogue: Catalogue) -> anyhow::Result<Self> {
        let dir = &config.data.dir;
        make_private(dir)?;
        let options = journal::Options {
            segment_bytes: config.journal.segment_bytes,
            alarm_queue_bytes: config.journal.alarm_queue_bytes,
            telemetry_queue_bytes: config.journal.telemetry_queue_bytes,
            retain_bytes: config.journal.retain_bytes,
            reserve_bytes: config.journal.reserve_bytes,
            ..journal::Options::default()
        };
        let (journal, recovery) =
            Journal::open(&dir.join("journal"), options).context("opening the journal")?;
        info!(journal.seq = %recovery.last_seq, journal.torn_bytes = recovery.torn_bytes, "journal opened");
        for damage in &recovery.damage {
            warn!(journal.damage = %damage, "journal has damage inside");
        }
        let (registry, seats) = (
            Arc::clone(&catalogue.registry),
            Seats::new(config.kpi.seats),
        );
        let state = State::open_with(&dir.join("state.db"), registry, seats)
            .await
            .context("opening the state")?;
        let photos = Room::open(&dir.join("photos"), &state.photo_names().await?)
            .context("opening the photos")?;
        let last = recovery.last_received_at.map(|at| (recovery.last_seq, at));
        let clock = Clock::new(set_back::floor(dir, last));
        let held = state.held(clock.now()).await;
        let events: Arc<dyn EventStore> = Arc::new(
            SqliteEvents::open_holding(
                &dir.join("events"),
                std::num::NonZero::new(config.events.retention_days),
                held.context("reading what is held")?,
            )
            .context("opening the event store")?,
        );
        let (marker, left) =
            Marker::put(dir, clock.now()).context("leaving a mark that the hub runs")?;
        Ok(Self {
            catalogue,
            journal,
            state,
            photos,
            events,
            clock,
            marker,
            left,
        })
    }

    /// The run is over: the next start is told if it did not end as it was asked to.
    pub fn ended(&self, outcome: &anyhow::Result<()>) {
        match outcome {
            Ok(()) => self.marker.take_away(),
            Err(e) => self.marker.fail(&format!("{e:#}")),
        }
    }

    /// Journals that the last run ended unasked, so that it becomes an alarm.
    async fn tell_of_restart(&self) {
        let Some(left) = &self.left else {
            return;
        };
        let reason = left
            .reason
            .as_deref()
            .unwrap_or("killed, or the machine lost power");
        warn!(reason, started_at = %left.started_at, "the last run ended although nobody asked it to");
        let payload = json!({"reason": reason, "started_at": left.started_at});
        let (topic, payload) = (RESTARTED.to_owned(), payload.to_string().into_bytes());
        let note = adapters::hub::note(self.clock.now(), topic, 0, payload);
        if let Err(e) = self.journal.append(Lane::Alarm, note).await {
            warn!(error = %e, "note not journalled");
        }
    }
}

/// Makes a directory that only its owner may enter.
pub fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))
}

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

/// The TLS of the MQTT ports, if one of them wants it.
///
/// # Errors
/// [`Misconfigured`]: a file is missing or bad, or they do not fit together.
pub fn tls(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    if config.mqtt.tls_listen.or(config.mqtt.wss_listen).is_none() {
        return Ok(None);
    }
    let settings = &config.tls;
    let if_set = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
    let (client_ca, crl) = if settings.own_authority {
        let data = &config.data.dir;
        let files = (
            authority::certificate_file(data),
            authority::list_file(data),
        );
        (Some(files.0), Some(files.1))
    } else {
        (if_set(&settings.client_ca_file), if_set(&settings.crl_file))
    };
    let files = TlsFiles {
        section: "tls",
        certificate: settings.certificate_file.clone(),
        key: settings.key_file.clone(),
        client_certificates: settings.client_certificates,
        client_ca,
        crl,
    };
    let tls = Tls::load(files).map_err(|e| Misconfigured::new(&e))?;
    Ok(Some(Arc::new(tls)))
}

/// The TLS of the dashboard's port, if it speaks it itself.
///
/// # Errors
/// [`Misconfigured`]: a file is missing or bad, or they do not fit together.
pub fn https(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    let http = &config.http;
    if http.certificate_file.as_os_str().is_empty() {
        return Ok(None);
    }
    let files = TlsFiles {
        section: "http",
        certificate: http.certificate_file.clone(),
        key: http.key_file.clone(),
        client_certificates: ClientCertificates::Off,
        client_ca: None,
        crl: None,
    };
    let tls = Tls::load(files).map_err(|e| Misconfigured::new(&e))?;
    Ok(Some(Arc::new(tls)))
}

/// The identity provider, if there is one. It is not asked yet.
///
/// # Errors
/// [`Misconfigured`]: a file is missing or bad.
pub fn identity_provider(config: &Config) -> anyhow::Result<Option<Arc<Provider>>> {
    let settings = &config.oidc;
    if settings.issuer.is_empty() {
        return Ok(None);
    }
    let read = |key: &str, file: &Path| {
        std::fs::read(file).map_err(|e| {
            let file = file.display();
            Misconfigured(format!("cannot read `oidc.{key}` {file}: {e}"))
        })
    };
    let secret = read("client_secret_file", &settings.client_secret_file)?;
    let secret = String::from_utf8(secret).unwrap_or_default();
    if secret.trim().is_empty() {
        let hint = "hint: the secret that the identity provider has given out, as text";
        let text = format!("`oidc.client_secret_file` has no secret in it ({hint})");
        return Err(Misconfigured(text).into());
    }
    let has_authorities = !settings.ca_file.as_os_str().is_empty();
    let authorities = has_authorities.then(|| read("ca_file", &settings.ca_file));
    let provider = Provider::new(oidc::Settings {
        issuer: settings.issuer.clone(),
        client_id: settings.client_id.clone(),
        client_secret: secret.trim().to_owned(),
        redirect: settings.redirect.clone(),
        claim: settings.claim.clone(),
        users: settings.users.clone(),
        label_zh: settings.label_zh.clone(),
        label_en: settings.label_en.clone(),
        authorities: authorities.transpose()?,
    });
    let provider = provider.map_err(|e| Misconfigured::new(&e))?;
    Ok(Some(Arc::new(provider)))
}

/// Whether there is a way to tell a device something.
fn can_command(state: &State, ways: Arc<commands::Ways>) -> Arc<dashboard_api::CanCommand> {
    let state = state.clone();
    Arc::new(move |id, action| {
        let registry = state.registry();
        let device = registry.devices.get(id);
        device.is_some_and(|device| ways.to(&registry, device, action).is_some())
    })
}

/// Binds the ports that devices connect to; the plain one is the first.
async fn endpoints(config: &Config, tls: Option<&Arc<Tls>>) -> anyhow::Result<Vec<Endpoint>> {
    let mqtt = &config.mqtt;
    let origins = Origins::new(&mqtt.ws_origins).map_err(|e| Misconfigured::new(&e))?;
    let origins = Arc::new(origins);
    let ports = [
        ("mqtt.listen", Some(mqtt.listen), Some(Kind::Plain)),
        (
            "mqtt.tls_listen",
            mqtt.tls_listen,
            tls.map(|tls| Kind::Tls(Arc::clone(tls))),
        ),
        (
            "mqtt.ws_listen",
            mqtt.ws_listen,
            Some(Kind::WebSocket(Arc::clone(&origins))),
        ),
        (
            "mqtt.wss_listen",
            mqtt.wss_listen,
            tls.map(|tls| Kind::SecureWebSocket(Arc::clone(tls), Arc::clone(&origins))),
        ),
    ];
    let mut endpoints = Vec::new();
    for (setting, address, kind) in ports {
        if let (Some(address), Some(kind)) = (address, kind) {
            let listener = bind(setting, address).await?;
            info!(setting, mqtt.address = %listener.local_addr()?, "devices may connect");
            endpoints.push(Endpoint { listener, kind });
        }
    }
    Ok(endpoints)
}

/// Binds the ports that panels connect to.
async fn panel_ports(config: &Config) -> anyhow::Result<Vec<(String, Protocol, TcpListener)>> {
    let mut ports = Vec::new();
    for (account, said) in &config.bridges {
        let Some(address) = said.tcp else {
            continue;
        };
        let setting = format!("bridges.{account}.tcp");
        let protocol = bridges::protocol(said)
            .map_err(|wrong| Misconfigured::text(format!("`bridges.{account}`: {wrong}")))?;
        let port = bind(&setting, address).await?;
        info!(setting, panels.address = %port.local_addr()?, "panels may connect");
        ports.push((account.clone(), protocol, port));
    }
    Ok(ports)
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
        photos,
        events,
        clock,
        ..
    } = stores;
    let dir = config.adapters.dir.clone();
    let declared = move || adapter_files::read(&dir, &adapter_files::here(), None);
    let declared = tokio::task::spawn_blocking(declared).await?;
    for mistake in &declared.mistakes {
        error!(adapter.mistake = %mistake, "adapter file not taken (hint: `gateway adapter test FILE` says more)");
    }
    let formats = Formats::new(declared.set);
    let bridges = bridges::read(config, &catalogue.registry, formats.clone())?;
    let bridges = Arc::new(bridges);
    let ways = Arc::new(bridges::ways(config)?);
    let authority = if config.tls.own_authority {
        let opened = Authority::open(&config.data.dir, clock.now());
        let opened = opened.context("opening the hub's own authority")?;
        Some(Arc::new(opened))
    } else {
        None
    };
    let (tls, secure) = (tls(config)?, https(config)?);
    let provider = identity_provider(config)?;
    let endpoints = endpoints(config, tls.as_ref()).await?;
    let mqtt_address = endpoints[0].listener.local_addr()?;
    let http = bind("http.listen", config.http.listen).await?;
    let push = match config.push.listen {
        Some(address) => Some(bind("push.listen", address).await?),
        None => None,
    };
    let http_address = http.local_addr()?;
    let panel_ports = panel_ports(config).await?;
    let stats = Arc::new(Stats::default());
    let listener_stats = Arc::new(ListenerStats::default());
    let (exchange, worker) = Exchange::open(
        &config.data.dir.join("sessions.db"),
        journal,
        ticking(clock),
        formats.clone(),
    )?;
    let (accounts, probe_secret) = Accounts::load(state).await?;
    let accounts = Arc::new(accounts);
    life.spawn(
        "accounts",
        Arc::clone(&accounts).follow(state.clone(), life.stop()),
    );

    let detected = state.cursor(CONSUMER).await?;
    let projected = events.cursor().await?;
    let looked = state.cursor(SNAPSHOTS).await?;
    let last = journal.stats().last_seq;
    if last < detected.max(projected).max(looked) {
        // a fresh journal beside older databases: what comes in next would be taken for known and passed over
        bail!(
            "the journal ends at {last}, before what the databases have read (hint: put the journal back, or start with an empty data directory)"
        );
    }
    info!(journal.seq = %last, detect.seq = %detected, project.seq = %projected, "cursors read");
    let (detect_done, detected_upto) = watch::channel(detected);
    let (project_done, projected_upto) = watch::channel(projected);
    let (snapshots_done, looked_upto) = watch::channel(looked);

    let mut engine = Engine::new(
        Arc::clone(&catalogue.rules),
        Arc::clone(&catalogue.registry),
    );
    engine.restore(state.window_rows().await?);
    let (rules, rules_now) = watch::channel(Arc::clone(&catalogue.rules));
    let (book, book_now) = watch::channel(Arc::clone(&catalogue.book));
    let follow = Follow {
        dir: config.rules.dir.clone(),
        registry: state.registry_changes(),
        journal: journal.clone(),
        clock: clock.clone(),
        rules,
        book,
    };
    let keeper = Keeper::start(
        config,
        state.clone(),
        journal.clone(),
        clock.clone(),
        rules_now.clone(),
    )
    .await?;
    let keeper = Arc::new(keeper);
    let rule_keeper = Arc::new(rules::Keeper::new(
        config.rules.dir.clone(),
        state.clone(),
        Arc::clone(events),
        clock.clone(),
        rules_now.clone(),
    ));
    life.spawn("registry files", Arc::clone(&keeper).follow(life.stop()));
    life.spawn(
        "rule files",
        follow.run(catalogue.mistakes.clone(), life.stop()),
    );
    let following = adapter_files::Follow {
        dir: config.adapters.dir.clone(),
        formats: formats.clone(),
        journal: journal.clone(),
        clock: clock.clone(),
    };
    life.spawn(
        "adapter files",
        following.run(declared.mistakes, life.stop()),
    );
    let rules_of_ops = rules_now.clone();
    let detector = Detector {
        engine,
        rules: rules_now,
        registry: state.registry_changes(),
        book: Arc::clone(&catalogue.book),
        state: state.clone(),
        exchange: exchange.clone(),
        clock: clock.clone(),
        stats: Arc::clone(&stats),
    };
    let memory = bridges::memory(state).await?;
    let source = Source::new(
        journal,
        detected,
        state.registry_changes(),
        Arc::clone(&bridges),
        memory,
    );
    life.spawn(
        "detect",
        detector.run(source, journal.watermarks(), detect_done),
    );
    let key = Arc::new(commands::CommandKey::open(&config.data.dir)?);
    let command_key = key.public();
    let worker_of_commands = commands::Worker {
        state: state.clone(),
        exchange: exchange.clone(),
        ways: Arc::clone(&ways),
        key,
        journal: journal.clone(),
        clock: clock.clone(),
    };
    life.spawn("commands", worker_of_commands.run(life.stop()));
    if bridges.by_account.values().any(|b| !b.fetch.is_empty()) {
        let fetcher = Fetcher {
            state: state.clone(),
            photos: photos.clone(),
            bridges: Arc::clone(&bridges),
            clock: clock.clone(),
        };
        life.spawn("fetch", fetcher.run(life.stop()));
    }
    let snapshots = Snapshots {
        state: state.clone(),
        photos: photos.clone(),
        registry: state.registry_changes(),
        bridges: Arc::clone(&bridges),
        unwanted: config.privacy.unwanted(),
        budget_bytes: config.snapshots.budget_bytes,
        clock: clock.clone(),
        journal: journal.clone(),
    };
    life.spawn(
        "snapshots",
        snapshots.run(journal.watermarks(), detected_upto.clone(), snapshots_done),
    );
    let driven = dispatch::run(
        state.clone(),
        book_now.clone(),
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
    let memory = bridges::memory(state).await?;
    let source = Source::new(
        journal,
        projected,
        state.registry_changes(),
        Arc::clone(&bridges),
        memory,
    );
    let projector = project::run(
        source,
        journal.watermarks(),
        Arc::clone(events),
        Arc::clone(&stats),
        project_done,
    );
    life.spawn("project", projector);

    life.spawn("exchange", async move {
        tokio::task::spawn_blocking(move || worker.run())
            .await
            .context("the exchange's thread")?
    });

    let passed = [
        detected_upto,
        projected_upto,
        looked_upto,
        exchange.routed(),
    ];
    life.spawn("release", release(journal.clone(), passed, life.stop()));
    life.spawn(
        "feed to exchange",
        feed::run(state.clone(), exchange.clone(), life.stop()),
    );

    if !config.influx.url.is_empty() {
        forward_to_influx(config, events, life)?;
    }

    let first_epoch = u64::try_from(clock.now().as_microsecond()).unwrap_or(1);
    life.spawn(
        "presence of before",
        tell_of_the_gone(
            state.clone(),
            journal.clone(),
            clock.clone(),
            first_epoch,
            life.stop(),
        ),
    );
    let for_ops = exchange.clone();
    let deps = listener::Deps {
        journal: journal.clone(),
        directory: Arc::clone(&accounts) as _,
        exchange,
        limits: limits(config),
        clock: ticking(clock),
        formats,
        stats: Arc::clone(&listener_stats),
        first_epoch,
    };
    if let Some(authority) = &authority {
        let keeping = Arc::clone(authority).keep_list(state.clone(), ticking(clock), life.stop());
        life.spawn("revocation list", keeping);
    }
    if let Some(tls) = &tls {
        let watching = Arc::clone(tls).watch(TLS_LOOK_EVERY, life.stop());
        life.spawn("tls files", watching);
    }
    let (closing, stop) = (journal.clone(), life.stop());
    life.spawn("listener", async move {
        listener::serve(endpoints, deps, stop).await?;
        // whoever reads the journal goes on until it has seen the last record, then ends
        closing.close().await.context("closing the journal")
    });

    for (account, protocol, port) in panel_ports {
        let said = &config.bridges[&account];
        let panels = Panels {
            zone: bridges.by_account[&account].zone.clone(),
            networks: said.networks.clone(),
            account,
            protocol,
            journal: journal.clone(),
            clock: clock.clone(),
            live: AtomicUsize::new(0),
        };
        life.spawn("panels", panels::serve(port, panels, life.stop()));
    }
    if let Some(port) = push {
        info!(push.address = %port.local_addr()?, "web hooks may come");
        let push = Push {
            journal: journal.clone(),
            accounts: Arc::clone(&accounts) as _,
            bridges: Arc::clone(&bridges),
            terminals: bridges::terminals(config),
            tokens: bridges::tokens(config)?,
            clock: clock.clone(),
        };
        life.spawn("push", push::serve(port, push, life.stop()));
    }
    let disk = Disk::new(
        &config.data.dir,
        config.data.budget_bytes,
        config.data.reserve_bytes,
        journal.clone(),
        clock.clone(),
    );
    let named = |name, tls: &Option<Arc<Tls>>| tls.clone().map(|tls| (name, tls));
    let ops = Ops::start(ops::Parts {
        journal: journal.clone(),
        stats: Arc::clone(&stats),
        listener: Arc::clone(&listener_stats),
        connections_max: config.mqtt.connections_max,
        exchange: for_ops,
        rules: rules_of_ops,
        clock: clock.clone(),
        disk: disk.looked(),
        retention_days: config.events.retention_days,
        tls: [named("https", &secure), named("mqtt", &tls)]
            .into_iter()
            .flatten()
            .collect(),
    })?;
    let deps = dashboard_api::Deps {
        state: state.clone(),
        events: Arc::clone(events),
        photos: photos.clone(),
        keeper,
        rule_keeper,
        rerunner: Arc::new(Rerunner {
            state: state.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            rings_for_s: config.quarantine.rings_for_s,
            bridges: Arc::clone(&bridges),
        }),
        rules: book_now,
        ops: Arc::new(ops),
        can_command: can_command(state, ways),
        enrolment: Arc::new(Enrolment {
            state: state.clone(),
            authority,
        }),
        ui: Arc::new(Screen),
        clock: ticking(clock),
        kpi: config.kpi_settings(),
        trusted_proxies: config.http.trusted_proxies.clone(),
        link_secret: bridges.card_key.as_slice().into(),
        behind_https: config.http.behind_https || secure.is_some(),
        hsts_s: config.http.hsts_s,
        second_factor_roles: config.http.second_factor_roles.clone(),
        oidc: provider,
    };
    let is_secure = secure.is_some();
    let door = match secure {
        None => Door::Plain(http),
        Some(tls) => {
            let (out, streams) = https::channel();
            let accepting = https::accept(http, Arc::clone(&tls), out, life.stop());
            life.spawn("https", accepting);
            life.spawn("https files", tls.watch(TLS_LOOK_EVERY, life.stop()));
            Door::Secure(http_address, streams)
        }
    };
    if let Some(provider) = &deps.oidc {
        let looking = Arc::clone(provider).look_for(life.stop());
        life.spawn("identity provider", looking);
    }
    life.spawn("dashboard", dashboard_api::serve(door, deps, life.stop()));
    life.spawn("disk", disk.watch(life.stop()));
    life.spawn("clock", clock.clone().follow(journal.clone(), life.stop()));
    stores.tell_of_restart().await;
    if config.probe.every_s > 0 {
        let probe = Probe {
            mqtt: mqtt_address,
            http: http_address,
            secure: is_secure.then(https::own_client),
            secret: probe_secret,
            every: Duration::from_secs(config.probe.every_s),
            journal: journal.clone(),
            stats: Arc::clone(&stats),
            marker: stores.marker.clone(),
        };
        probe
            .start(life.stop())
            .context("starting the self-probe")?;
    }
    info!(mqtt.address = %mqtt_address, http.address = %http_address, "hub serves");
    Ok(Running {
        mqtt: mqtt_address,
        http: http_address,
        scheme: if is_secure { "https" } else { "http" },
        command_key,
        stats,
        listener: listener_stats,
    })
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

/// The clock as a function, for those who need no more of it.
fn ticking(clock: &Clock) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let clock = clock.clone();
    Arc::new(move || clock.now())
}

async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} (hint: is it in use? see `{setting}`)")
    })
}

fn limits(config: &Config) -> listener::Limits {
    listener::Limits {
        connections_max: config.mqtt.connections_max,
        connects_per_second_max: config.mqtt.connects_per_second_max,
        packet_bytes_max: config.mqtt.packet_bytes_max,
        receive_maximum: config.mqtt.receive_maximum,
        publishes_per_second_max: config.mqtt.publishes_per_second_max,
        ..listener::Limits::default()
    }
}

/// Tells the journal what every consumer has passed.
async fn release(
    journal: Journal,
    passed: [watch::Receiver<Seq>; 4],
    stop: tokio_util::sync::CancellationToken,
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
