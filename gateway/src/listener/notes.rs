//! What the hub journals about its clients: presence, and what was refused. Refusals are written at most once a second for each
//! client, so that whoever is refused a thousand times a second cannot fill the disk; all of them are counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Lane, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use store::journal::Journal;
use tracing::warn;

use crate::adapters::hub;

/// Clients whose last refusal is remembered; when there are more, all are forgotten.
const REMEMBERED_MAX: usize = 10_000;

pub(super) struct Notes {
    journal: Journal,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    last: Mutex<HashMap<String, Instant>>,
}

impl Notes {
    pub(super) fn new(journal: Journal, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self {
            journal,
            clock,
            last: Mutex::new(HashMap::new()),
        }
    }

    async fn write(&self, topic: String, epoch: u64, payload: Vec<u8>) {
        let note = hub::note((self.clock)(), topic, epoch, payload);
        if let Err(e) = self.journal.append(Lane::Alarm, note).await {
            warn!(error = %e, "note not journalled");
        }
    }

    /// A device came or went.
    pub(super) async fn presence(
        &self,
        device: &str,
        epoch: u64,
        state: &str,
        reason: &str,
        address: &str,
    ) {
        let payload = json!({"state": state, "epoch": epoch, "reason": reason, "address": address});
        self.write(
            format!("$hub/presence/{device}"),
            epoch,
            payload.to_string().into_bytes(),
        )
        .await;
    }

    /// Something was refused. `who` is the account if there is one, else the address.
    pub(super) async fn refused(&self, who: &str, what: &'static str, detail: &str, topic: &str) {
        metrics::counter!("hub_listener_denied_total", "what" => what).increment(1);
        {
            let mut last = self.last.lock();
            let now = Instant::now();
            if last
                .get(who)
                .is_some_and(|at| now.duration_since(*at) < Duration::from_secs(1))
            {
                return;
            }
            if last.len() >= REMEMBERED_MAX {
                last.clear();
            }
            last.insert(who.to_owned(), now);
        }
        warn!(client = who, what, "refused");
        let topic: String = topic.chars().take(200).collect();
        let payload = json!({"what": what, "detail": detail, "principal": who, "topic": topic});
        let who: String = who.chars().take(100).collect();
        self.write(
            format!("$hub/security/{who}"),
            0,
            payload.to_string().into_bytes(),
        )
        .await;
    }
}
