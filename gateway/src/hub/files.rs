//! What follows files while the hub runs: registry, rules, adapters, certificates.

use std::sync::Arc;
use std::time::Duration;

use domain::rule::{RuleBook, RuleSet};
use tokio::sync::watch;

use super::{Core, Stores, ticking};
use crate::adapter_files;
use crate::adapters::declarative::file::Mistake;
use crate::lifecycle::Lifecycle;
use crate::listener::Tls;
use crate::registry::keep::Keeper;
use crate::rules::{self, Follow};

/// How often the files of TLS are looked at.
const TLS_LOOK_EVERY: Duration = Duration::from_secs(5);

/// Those who change what is in the files, for the dashboard.
pub(super) struct Keepers {
    /// Of the registry.
    pub(super) registry: Arc<Keeper>,
    /// Of the rules.
    pub(super) rules: Arc<rules::Keeper>,
}

/// Follows registry, rules and adapters. `mistakes` are those of the adapter files that were read.
///
/// # Errors
/// The registry's files cannot be kept.
pub(super) async fn follow(
    core: &Core<'_>,
    (rules, book): (watch::Sender<Arc<RuleSet>>, watch::Sender<Arc<RuleBook>>),
    mistakes: Vec<Mistake>,
    life: &mut Lifecycle,
) -> anyhow::Result<Keepers> {
    let Core { config, .. } = core;
    let Stores {
        catalogue,
        journal,
        state,
        events,
        clock,
        ..
    } = core.stores;
    let keeper = Keeper::start(
        config,
        state.clone(),
        journal.clone(),
        clock.clone(),
        core.rules.clone(),
    );
    let keeper = Arc::new(keeper.await?);
    life.spawn("registry files", Arc::clone(&keeper).follow(life.stop()));
    let follow = Follow {
        dir: config.rules.dir.clone(),
        registry: state.registry_changes(),
        journal: journal.clone(),
        clock: clock.clone(),
        rules,
        book,
    };
    life.spawn(
        "rule files",
        follow.run(catalogue.mistakes.clone(), life.stop()),
    );
    let follow = adapter_files::Follow {
        dir: config.adapters.dir.clone(),
        formats: core.formats.clone(),
        journal: journal.clone(),
        clock: clock.clone(),
    };
    life.spawn("adapter files", follow.run(mistakes, life.stop()));
    let rule_keeper = rules::Keeper::new(
        config.rules.dir.clone(),
        state.clone(),
        Arc::clone(events),
        clock.clone(),
        core.rules.clone(),
    );
    Ok(Keepers {
        registry: keeper,
        rules: Arc::new(rule_keeper),
    })
}

/// Takes certificates that are renewed, and keeps the list of those that the hub's own authority has taken back.
pub(super) fn follow_certificates(
    core: &Core<'_>,
    tls: Option<&Arc<Tls>>,
    https: Option<&Arc<Tls>>,
    life: &mut Lifecycle,
) {
    let Stores { state, clock, .. } = core.stores;
    if let Some(authority) = &core.authority {
        let keeping = Arc::clone(authority).keep_list(state.clone(), ticking(clock), life.stop());
        life.spawn("revocation list", keeping);
    }
    for (name, tls) in [("tls files", tls), ("https files", https)] {
        if let Some(tls) = tls {
            life.spawn(name, Arc::clone(tls).watch(TLS_LOOK_EVERY, life.stop()));
        }
    }
}
