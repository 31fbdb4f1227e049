//! Where others come in: devices, panels, web hooks, and people at the dashboard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Context as _;
use dashboard_api::Door;
use store::state::State;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::info;

use super::files::Keepers;
use super::ports::Ports;
use super::{Core, Stores, ticking};
use crate::config::Config;
use crate::disk::{Disk, Looked};
use crate::enrolment::Enrolment;
use crate::lifecycle::Lifecycle;
use crate::listener::{self, Endpoint, Tls};
use crate::ops::{self, Ops};
use crate::panels::{self, Panels, Protocol};
use crate::push::{self, Push};
use crate::rerun::Rerunner;
use crate::screen::Screen;
use crate::{bridges, commands, https};

/// Where the hub is reached.
pub(super) struct Addresses {
    /// The plain MQTT port.
    pub(super) mqtt: SocketAddr,
    /// The dashboard.
    pub(super) http: SocketAddr,
}

/// Opens all of them.
///
/// # Errors
/// A file of secrets that cannot be read, or figures that cannot be set up.
pub(super) fn open(
    core: &Core<'_>,
    ports: Ports,
    keepers: Keepers,
    life: &mut Lifecycle,
) -> anyhow::Result<Addresses> {
    let mqtt = ports.mqtt[0].listener.local_addr()?;
    let http = ports.http.local_addr()?;
    let disk = disk(core, life);
    let deps = dashboard(core, &ports, keepers, disk)?;
    devices(core, ports.mqtt, life);
    for (account, protocol, port) in ports.panels {
        panels(core, account, protocol, port, life);
    }
    if let Some(port) = ports.push {
        web_hooks(core, port, life)?;
    }
    if let Some(provider) = &deps.oidc {
        let looking = Arc::clone(provider).look_for(life.stop());
        life.spawn("identity provider", looking);
    }
    let door = match ports.https {
        None => Door::Plain(ports.http),
        Some(tls) => {
            let (out, streams) = https::channel();
            life.spawn("https", https::accept(ports.http, tls, out, life.stop()));
            Door::Secure(http, streams)
        }
    };
    life.spawn("dashboard", dashboard_api::serve(door, deps, life.stop()));
    Ok(Addresses { mqtt, http })
}

/// Watches the disk; the answer tells what was seen last.
fn disk(core: &Core<'_>, life: &mut Lifecycle) -> watch::Receiver<Option<Looked>> {
    let (data, Stores { journal, clock, .. }) = (&core.config.data, core.stores);
    let disk = Disk::new(
        &data.dir,
        data.budget_bytes,
        data.reserve_bytes,
        journal.clone(),
        clock.clone(),
    );
    let looked = disk.looked();
    life.spawn("disk", disk.watch(life.stop()));
    looked
}

/// Devices, over MQTT.
fn devices(core: &Core<'_>, endpoints: Vec<Endpoint>, life: &mut Lifecycle) {
    let Stores { journal, clock, .. } = core.stores;
    let deps = listener::Deps {
        journal: journal.clone(),
        directory: Arc::clone(&core.accounts) as _,
        exchange: core.exchange.clone(),
        limits: limits(core.config),
        clock: ticking(clock),
        formats: core.formats.clone(),
        stats: Arc::clone(&core.listener),
        first_epoch: core.first_epoch,
    };
    let (closing, stop) = (journal.clone(), life.stop());
    life.spawn("listener", async move {
        listener::serve(endpoints, deps, stop).await?;
        // whoever reads the journal goes on until it has seen the last record, then ends
        closing.close().await.context("closing the journal")
    });
}

/// Panels of one account, over TCP.
fn panels(
    core: &Core<'_>,
    account: String,
    protocol: Protocol,
    port: TcpListener,
    life: &mut Lifecycle,
) {
    let Stores { journal, clock, .. } = core.stores;
    let panels = Panels {
        zone: core.bridges.by_account[&account].zone.clone(),
        networks: core.config.bridges[&account].networks.clone(),
        account,
        protocol,
        journal: journal.clone(),
        clock: clock.clone(),
        live: AtomicUsize::new(0),
    };
    life.spawn("panels", panels::serve(port, panels, life.stop()));
}

/// Devices and platforms, over HTTP.
fn web_hooks(core: &Core<'_>, port: TcpListener, life: &mut Lifecycle) -> anyhow::Result<()> {
    let Stores { journal, clock, .. } = core.stores;
    info!(push.address = %port.local_addr()?, "web hooks may come");
    let push = Push {
        journal: journal.clone(),
        accounts: Arc::clone(&core.accounts) as _,
        bridges: Arc::clone(&core.bridges),
        terminals: bridges::terminals(core.config),
        tokens: bridges::tokens(core.config)?,
        clock: clock.clone(),
    };
    life.spawn("push", push::serve(port, push, life.stop()));
    Ok(())
}

/// What the dashboard works with.
fn dashboard(
    core: &Core<'_>,
    ports: &Ports,
    keepers: Keepers,
    disk: watch::Receiver<Option<Looked>>,
) -> anyhow::Result<dashboard_api::Deps> {
    let Core { config, .. } = core;
    let Stores {
        journal,
        state,
        photos,
        events,
        clock,
        ..
    } = core.stores;
    let named = |name, tls: &Option<Arc<Tls>>| tls.clone().map(|tls| (name, tls));
    let ops = Ops::start(ops::Parts {
        journal: journal.clone(),
        stats: Arc::clone(&core.stats),
        listener: Arc::clone(&core.listener),
        connections_max: config.mqtt.connections_max,
        exchange: core.exchange.clone(),
        rules: core.rules.clone(),
        clock: clock.clone(),
        disk,
        retention_days: config.events.retention_days,
        tls: [named("https", &ports.https), named("mqtt", &ports.tls)]
            .into_iter()
            .flatten()
            .collect(),
    })?;
    Ok(dashboard_api::Deps {
        state: state.clone(),
        events: Arc::clone(events),
        photos: photos.clone(),
        keeper: keepers.registry,
        rule_keeper: keepers.rules,
        rerunner: Arc::new(Rerunner {
            state: state.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            rings_for_s: config.quarantine.rings_for_s,
            bridges: Arc::clone(&core.bridges),
        }),
        rules: core.book.clone(),
        ops: Arc::new(ops),
        can_command: can_command(state, Arc::clone(&core.ways)),
        enrolment: Arc::new(Enrolment {
            state: state.clone(),
            authority: core.authority.clone(),
        }),
        ui: Arc::new(Screen),
        clock: ticking(clock),
        kpi: config.kpi_settings(),
        trusted_proxies: config.http.trusted_proxies.clone(),
        link_secret: core.bridges.card_key.as_slice().into(),
        behind_https: config.http.behind_https || ports.https.is_some(),
        hsts_s: config.http.hsts_s,
        second_factor_roles: config.http.second_factor_roles.clone(),
        oidc: ports.provider.clone(),
    })
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
