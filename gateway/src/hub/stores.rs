//! What outlives a restart: journal, state, photos, history, and the mark that the hub runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use domain::Lane;
use domain::alarm::flood::Seats;
use serde_json::json;
use store::events::EventStore;
use store::events::sqlite::SqliteEvents;
use store::journal::{self, Journal};
use store::photos::Room;
use store::state::State;
use tracing::{info, warn};

use super::Catalogue;
use crate::adapters::{self, hub::RESTARTED};
use crate::clock::Clock;
use crate::config::Config;
use crate::marker::{Marker, Said};
use crate::set_back;

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
    pub(super) marker: Marker,
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
    pub(super) async fn tell_of_restart(&self) {
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
