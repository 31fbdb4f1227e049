//! Puts uplinks of the quarantine to the adapters again, for the people who have mended what they failed at: by way of the journal, like
//! everything that the hub acts on.

use std::sync::Arc;

use dashboard_api::rerun::{Reading, RerunError};
use store::journal::{AppendError, Journal};
use store::state::{QuarantineRow, State};

use crate::adapters::{self, Bridges, Context, rerun};
use crate::clock::Clock;

/// What it takes.
pub struct Rerunner {
    /// Which devices there are now.
    pub state: State,
    /// Where they go.
    pub journal: Journal,
    /// The hub's clock.
    pub clock: Clock,
    /// What came longer ago goes to history only.
    pub rings_for_s: u32,
    /// Who speaks for other devices.
    pub bridges: Arc<Bridges>,
}

#[async_trait::async_trait]
impl dashboard_api::rerun::Rerunner for Rerunner {
    async fn look(&self, rows: Vec<Arc<QuarantineRow>>) -> Result<Vec<Reading>, RerunError> {
        let (registry, now) = (self.state.registry(), self.clock.now());
        let rings_for_s = self.rings_for_s;
        let bridges = Arc::clone(&self.bridges);
        let look = move || {
            let context = Context {
                registry: &registry,
                bridges: &bridges,
            };
            let read = |row: &Arc<QuarantineRow>| {
                if !rerun::can(row) {
                    return Reading::NoMessage;
                }
                let parsed = rerun::look(row, &context);
                match parsed.reject {
                    Some(reject) => Reading::Rejected {
                        reason: reject.code.to_owned(),
                        detail: reject.detail,
                    },
                    None => Reading::Reads {
                        events: parsed.events,
                        rings: rerun::rings(now, row, rings_for_s),
                    },
                }
            };
            rows.iter().map(read).collect()
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|e| RerunError::Internal(e.to_string()))
    }

    async fn append(&self, rows: &[Arc<QuarantineRow>]) -> Result<(), RerunError> {
        let failed = |e: AppendError| match e {
            AppendError::NoRoom => RerunError::NoRoom,
            e => RerunError::Internal(e.to_string()),
        };
        let mut tickets = Vec::with_capacity(rows.len());
        for row in rows {
            let lane = adapters::lane_of(&row.topic, &self.bridges.formats);
            let note = rerun::note(self.clock.now(), row, self.rings_for_s);
            tickets.push(self.journal.append(lane, note).await.map_err(failed)?);
        }
        let mut durable = self.journal.watermarks();
        let on_disk = durable.wait_for(|w| tickets.iter().all(|ticket| w.cover(*ticket)));
        on_disk
            .await
            .map_err(|_| RerunError::Internal("the journal was closed".to_owned()))?;
        Ok(())
    }
}
