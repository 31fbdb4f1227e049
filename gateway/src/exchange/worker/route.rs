//! What was published goes to whoever subscribes, and stays if it is to be retained.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use domain::{Seq, Uplink};
use store::sessions::Change;
use tracing::warn;

use super::super::index::{Subscription, shared};
use super::super::session::{Message, Overflow};
use super::Worker;
use crate::listener::codec::Forwarded;

/// Records and bytes that are read at a time.
const BATCH_RECORDS_MAX: usize = 2048;
const BATCH_BYTES_MAX: usize = 4 << 20;

impl Worker {
    pub(super) fn route_upto(&mut self, upto: Seq) -> anyhow::Result<()> {
        loop {
            let before = self.reader.after();
            if before >= upto {
                return Ok(());
            }
            let (index, by_epoch) = (&self.index, &self.by_epoch);
            let batch = self
                .reader
                .next_matching(BATCH_RECORDS_MAX, BATCH_BYTES_MAX, |glance| {
                    let flags = glance.flags;
                    flags.retain()
                        || flags.will()
                        || (flags.qos() == 2 && by_epoch.contains_key(&glance.epoch))
                        || index.matches(glance.topic)
                })
                .context("reading the journal")?;
            if batch.is_empty() && self.reader.after() == before {
                return Ok(());
            }
            for (seq, uplink) in batch {
                self.route(seq, uplink);
            }
        }
    }

    /// One published message: retained, queued for whoever subscribes, known again when it comes again.
    pub(super) fn route(&mut self, seq: Seq, uplink: Uplink) {
        let Uplink {
            received_at,
            epoch,
            flags,
            topic,
            payload,
            extra,
            ..
        } = uplink;
        let extra = extra.map(|extra| *extra).unwrap_or_default();
        if flags.will()
            && let Some(id) = self.by_epoch.get(&epoch).copied()
            && let Some(held) = self.sessions.get_mut(&id)
            && held.will.as_ref().is_some_and(|w| w.row.epoch == epoch)
        {
            held.will = None;
            self.changes.push(Change::DropWill(id));
        }
        if flags.qos() == 2
            && extra.packet_id != 0
            && let Some(id) = self.by_epoch.get(&epoch)
            && let Some(held) = self.sessions.get(id)
            && held.session.is_persistent()
        {
            let mut unreleased = held.session.unreleased.lock();
            // of an earlier run: a release would have moved the cursor past it
            if seq <= self.earlier {
                unreleased.insert(extra.packet_id, None);
            }
            if unreleased.contains_key(&extra.packet_id) {
                self.changes
                    .push(Change::PutUnreleased(*id, extra.packet_id));
            }
        }
        let expires_at = extra
            .expiry_s
            .map(|s| received_at + Duration::from_secs(u64::from(s)));
        let message = Arc::new(Message {
            topic,
            payload,
            forwarded: Forwarded::from_kept(extra.properties),
            qos: flags.qos(),
            retain: flags.retain(),
            expires_at,
            epoch,
        });
        if message.retain {
            self.retain(&message);
        }
        self.publish(&message);
    }

    pub(super) fn retain(&mut self, message: &Arc<Message>) {
        let stats = &self.shared.stats;
        if message.payload.is_empty() {
            if self.retained.drop(&message.topic) {
                self.changes
                    .push(Change::DropRetained(message.topic.clone()));
            }
        } else if self.retained.put(Arc::clone(message)) {
            self.changes
                .push(Change::PutRetained(message.qos, message.row()));
        } else {
            stats.retained_refused.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("hub_exchange_retained_refused_total").increment(1);
            warn!("there is no room for another retained message, it went to subscribers only");
        }
        stats.retained.store(self.retained.len(), Ordering::Relaxed);
    }

    pub(super) fn publish(&mut self, message: &Arc<Message>) {
        let mut matching = self.index.matching(&message.topic);
        if matching.is_empty() {
            return;
        }
        // one copy a session, whatever the number of its filters (MQTT 5.0 §3.3.4); shared ones are copies of their own
        matching.sort_by_key(|s| (s.session.id, shared(&s.filter).is_some()));
        let same = |a: &&Arc<Subscription>, b: &&Arc<Subscription>| {
            a.session.id == b.session.id
                && shared(&a.filter).is_none()
                && shared(&b.filter).is_none()
        };
        let mut over = Vec::new();
        for group in matching.chunk_by(same) {
            let session = &group[0].session;
            let heard = group.iter().filter(|s| {
                let is_own = message.epoch != 0 && message.epoch == session.holder();
                !(s.options.no_local && is_own)
            });
            let heard: Vec<_> = heard.collect();
            let Some(qos) = heard.iter().map(|s| s.options.qos).max() else {
                continue;
            };
            let retain = message.retain && heard.iter().any(|s| s.options.retain_as_published);
            let numbers = heard.iter().filter_map(|s| s.number).collect();
            let queued = session.push(Arc::clone(message), qos.min(message.qos), retain, numbers);
            match queued {
                Ok(()) => {
                    self.shared.stats.routed.fetch_add(1, Ordering::Relaxed);
                }
                Err(Overflow::Dropped) => {
                    self.shared.stats.dropped.fetch_add(1, Ordering::Relaxed);
                    metrics::counter!("hub_exchange_dropped_total").increment(1);
                }
                Err(Overflow::Session) => over.push(session.id),
            }
        }
        for id in over {
            self.overflow(id);
        }
    }

    /// The session is owed more than it may be: it ends, so that its client learns by its absence that something is missing.
    pub(super) fn overflow(&mut self, id: u64) {
        let Some(held) = self.sessions.get(&id) else {
            return;
        };
        warn!(
            client.account = held.session.account,
            client.id = held.session.client,
            "a subscriber is too far behind, its session has ended"
        );
        held.session.end(0x97);
        self.shared.stats.overflowed.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("hub_exchange_sessions_overflowed_total").increment(1);
        self.say_will(id);
        self.forget(id);
    }
}
