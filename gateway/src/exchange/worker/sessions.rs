//! Sessions and wills: taken up again after a restart, attached, detached, said, forgotten.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::{Uplink, UplinkExtra, UplinkFlags};
use store::sessions::{Change, Kept, WillRow};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::super::session::{Message, Session};
use super::super::{Arrival, Attached, Departure};
use super::subscriptions::unpack;
use super::{Answer, Held, Will, Worker};
use crate::adapters::lane_of;

/// After the hub itself was away, clients get so long to come back before their wills are said: it was not they who left.
const GRACE_AFTER_RESTART: Duration = Duration::from_secs(10);
/// Sessions at one time: as many as there may be connections, and as many again that are away.
const SESSIONS_MAX: usize = 65_536;

impl Worker {
    pub(super) fn restore(&mut self, kept: Kept) {
        let now = (self.clock)();
        let mut was_attached = HashSet::new();
        for row in kept.sessions {
            self.next_session = self.next_session.max(row.id + 1);
            let session = self.new_session(row.id, &row.account, &row.client);
            session.set_persistent(row.expiry_s > 0);
            if row.detached_at.is_none() {
                was_attached.insert(row.id);
            }
            let held = Held {
                session,
                expiry_s: row.expiry_s,
                epoch: row.epoch,
                detached_at: row.detached_at.or(Some(now)),
                will: None,
                subscriptions: HashMap::new(),
                is_kept: true,
            };
            self.by_epoch.insert(row.epoch, row.id);
            self.hold(held);
        }
        for row in kept.subscriptions {
            let number = (row.number > 0).then_some(row.number);
            let options = unpack(row.options);
            self.enter_subscription(row.session, &row.filter, options, number);
        }
        for row in kept.entries {
            if let Some(held) = self.sessions.get(&row.session) {
                let was_attached = was_attached.contains(&row.session);
                held.session.restore(row, was_attached);
            }
        }
        for (id, packet) in kept.unreleased {
            if let Some(held) = self.sessions.get(&id) {
                held.session.unreleased.lock().insert(packet, None);
            }
        }
        for mut row in kept.wills {
            if let Some(held) = self.sessions.get_mut(&row.session) {
                if row.due_at.is_none() {
                    let delay = Duration::from_secs(u64::from(row.delay_s));
                    row.due_at = Some(now + delay.max(GRACE_AFTER_RESTART));
                }
                held.will = Some(Will {
                    row,
                    is_said: false,
                });
            }
        }
        for (qos, row) in kept.retained {
            self.retained
                .put(Arc::new(Message::from_row(row, qos, true)));
        }
        let (sessions, retained) = (self.sessions.len(), self.retained.len());
        self.shared
            .stats
            .retained
            .store(retained, Ordering::Relaxed);
        info!(exchange.sessions = sessions, exchange.retained = retained, journal.seq = %kept.cursor, "exchange opened");
    }

    pub(super) fn new_session(&self, id: u64, account: &str, client: &str) -> Arc<Session> {
        let wanted = Arc::clone(&self.shared.wanted);
        Arc::new(Session::new(id, account, client, wanted))
    }

    pub(super) fn hold(&mut self, held: Held) {
        let key = (held.session.account.clone(), held.session.client.clone());
        self.by_client.insert(key.clone(), held.session.id);
        self.shared.known.write().insert(key);
        self.sessions.insert(held.session.id, held);
        let count = self.sessions.len();
        self.shared.stats.sessions.store(count, Ordering::Relaxed);
    }

    pub(super) fn attach(&mut self, arrival: Arrival, reply: oneshot::Sender<Attached>) {
        let key = (arrival.account.clone(), arrival.client.clone());
        let found = self.by_client.get(&key).copied();
        let mut present = false;
        if let Some(held) = found.and_then(|id| self.sessions.get(&id))
            && held.session.is_attached()
            && held.epoch > arrival.epoch
        {
            // a newer connection has overtaken this one: it finds out with its first look
            let session = Arc::clone(&held.session);
            return Answer::Attached(
                reply,
                Attached {
                    session,
                    present: true,
                },
            )
            .give();
        }
        let id = match found {
            Some(id) if arrival.clean_start || self.is_over(id) => {
                self.say_will(id);
                self.forget(id);
                None
            }
            Some(id) => {
                // its will is void when the client is back in time (MQTT 5.0 §3.1.3.2.2)
                let held = self.sessions.get(&id);
                let is_late = held
                    .and_then(|h| h.will.as_ref())
                    .is_some_and(|w| w.row.delay_s == 0 && w.row.due_at.is_none());
                if is_late {
                    self.say_will(id);
                }
                present = true;
                Some(id)
            }
            None => None,
        };
        let id = id.unwrap_or_else(|| {
            let id = self.next_session;
            self.next_session += 1;
            let session = self.new_session(id, &arrival.account, &arrival.client);
            self.hold(Held {
                session,
                expiry_s: 0,
                epoch: 0,
                detached_at: None,
                will: None,
                subscriptions: HashMap::new(),
                is_kept: false,
            });
            id
        });
        if self.sessions.len() > SESSIONS_MAX {
            self.drop_oldest();
        }
        let Some(held) = self.sessions.get_mut(&id) else {
            return;
        };
        self.by_epoch.remove(&held.epoch);
        held.epoch = arrival.epoch;
        held.expiry_s = arrival.expiry_s;
        held.detached_at = None;
        held.session.set_persistent(arrival.expiry_s > 0);
        held.session.attach(arrival.epoch);
        let has_will = arrival.will.is_some();
        let had_will = held.will.take().is_some();
        held.will = arrival.will.map(|will| Will {
            is_said: false,
            row: WillRow {
                session: id,
                principal: arrival.account,
                epoch: arrival.epoch,
                qos: will.qos,
                retain: will.retain,
                delay_s: will.delay_s,
                expiry_s: will.expiry_s,
                due_at: None,
                message: store::sessions::MessageRow {
                    topic: will.topic,
                    payload: will.payload,
                    properties: will.forwarded.bytes().clone(),
                    expires_at: None,
                },
            },
        });
        let is_kept = arrival.expiry_s > 0 || has_will;
        if is_kept {
            self.by_epoch.insert(arrival.epoch, id);
            self.changes.push(Change::PutSession(held.row()));
            if let Some(will) = &held.will {
                self.changes.push(Change::PutWill(will.row.clone()));
            } else if had_will {
                self.changes.push(Change::DropWill(id));
            }
        } else if held.is_kept {
            self.changes.push(Change::DropSession(id));
        }
        held.is_kept = is_kept;
        let session = Arc::clone(&held.session);
        let waits = arrival.expiry_s > 0;
        let attached = Attached { session, present };
        self.answer(waits, Answer::Attached(reply, attached));
    }

    pub(super) fn is_over(&self, id: u64) -> bool {
        let now = (self.clock)();
        self.sessions
            .get(&id)
            .and_then(Held::ends_at)
            .is_some_and(|at| at <= now)
    }

    /// Of the sessions whose client is away, the one that has been so longest goes.
    pub(super) fn drop_oldest(&mut self) {
        let oldest = self
            .sessions
            .values()
            .filter(|held| !held.session.is_attached())
            .min_by_key(|held| held.detached_at)
            .map(|held| held.session.id);
        if let Some(id) = oldest {
            warn!("there are too many sessions, the one that was away longest has ended");
            self.say_will(id);
            self.forget(id);
        }
    }

    pub(super) fn detach(
        &mut self,
        session: &Arc<Session>,
        epoch: u64,
        expiry_s: Option<u32>,
        departure: Departure,
    ) {
        let now = (self.clock)();
        let Some(held) = self.sessions.get_mut(&session.id) else {
            return;
        };
        if held.epoch != epoch || !Arc::ptr_eq(&held.session, session) {
            return;
        }
        held.session.detach();
        held.detached_at = Some(now);
        if let Some(expiry) = expiry_s {
            held.expiry_s = expiry;
            held.session.set_persistent(expiry > 0);
        }
        let ends = held.expiry_s == 0;
        match departure {
            Departure::Goodbye => {
                if held.will.take().is_some() {
                    self.changes.push(Change::DropWill(session.id));
                }
            }
            Departure::Lost => {
                if let Some(will) = &mut held.will {
                    let delay = Duration::from_secs(u64::from(will.row.delay_s));
                    will.row.due_at = Some(now + delay);
                    self.changes.push(Change::PutWill(will.row.clone()));
                    if will.row.delay_s == 0 || ends {
                        self.say_will(session.id);
                    }
                }
            }
            Departure::HubEnds => {
                // what was promised is kept; whether the client comes back is for the next run to see
                if held.will.is_some() {
                    self.unsaved.insert(session.id);
                    return;
                }
            }
        }
        if ends {
            self.forget(session.id);
        } else if let Some(held) = self.sessions.get(&session.id) {
            self.changes.push(Change::PutSession(held.row()));
            self.unsaved.insert(session.id);
        }
    }

    /// The will goes into the journal, and from there to subscribers like anything else.
    pub(super) fn say_will(&mut self, id: u64) {
        let Some(held) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some(will) = held.will.as_mut().filter(|will| !will.is_said) else {
            return;
        };
        let row = &will.row;
        let flags = UplinkFlags::new(row.qos).with_will();
        let properties = row.message.properties.clone();
        let has_extra = row.expiry_s.is_some() || !properties.is_empty();
        let uplink = Uplink {
            received_at: (self.clock)(),
            principal: row.principal.clone(),
            epoch: row.epoch,
            flags: if row.retain {
                flags.with_retain()
            } else {
                flags
            },
            topic: row.message.topic.clone(),
            payload: row.message.payload.clone(),
            extra: has_extra.then(|| {
                Box::new(UplinkExtra {
                    packet_id: 0,
                    expiry_s: row.expiry_s,
                    properties,
                })
            }),
        };
        match self
            .journal
            .try_append(lane_of(&uplink.topic, &self.formats), uplink)
        {
            Ok(_) => will.is_said = true,
            // there is no room now, or no journal any more: it stays due
            Err(e) => {
                warn!(error = %e, "a will waits for the journal");
                will.row.due_at = Some((self.clock)());
            }
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        let Some(held) = self.sessions.remove(&id) else {
            return;
        };
        held.session.end(0x8e);
        for filter in held.subscriptions.keys() {
            self.index.drop(id, filter);
            self.count_listeners(filter, false);
        }
        let key = (held.session.account.clone(), held.session.client.clone());
        if self.by_client.get(&key) == Some(&id) {
            self.by_client.remove(&key);
            self.shared.known.write().remove(&key);
        }
        if held.is_kept {
            self.changes.push(Change::DropSession(id));
        }
        self.by_epoch.remove(&held.epoch);
        self.unsaved.remove(&id);
        let count = self.sessions.len();
        self.shared.stats.sessions.store(count, Ordering::Relaxed);
    }
}
