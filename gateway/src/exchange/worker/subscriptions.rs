//! What sessions want to hear.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use store::sessions::{Change, SubscriptionRow};
use tracing::warn;

use super::super::Wish;
use super::super::index::{Subscription, shared};
use super::super::session::Session;
use super::Worker;
use crate::listener::codec::SubscribeOptions;

impl Worker {
    pub(super) fn subscribe(
        &mut self,
        session: &Arc<Session>,
        wishes: Vec<Wish>,
        number: Option<u32>,
    ) {
        let now = (self.clock)();
        if !self.sessions.contains_key(&session.id) {
            return;
        }
        for (filter, options) in wishes {
            let is_new = self.enter_subscription(session.id, &filter, options, number);
            if session.is_persistent() {
                self.changes.push(Change::PutSubscription(SubscriptionRow {
                    session: session.id,
                    filter: filter.clone(),
                    options: pack(options),
                    number: number.unwrap_or(0),
                }));
            }
            let wants_retained = match options.retain_handling {
                0 => true,
                1 => is_new,
                _ => false,
            };
            // a shared subscription gets none (MQTT 5.0 §4.8.2)
            if !wants_retained || shared(&filter).is_some() {
                continue;
            }
            for message in self.retained.matching(&filter, now) {
                let numbers = number.into_iter().collect();
                let qos = options.qos.min(message.qos);
                if session.push(message, qos, true, numbers).is_err() {
                    self.shared.stats.dropped.fetch_add(1, Ordering::Relaxed);
                    warn!(
                        client.id = session.client,
                        "there are more retained messages than a session may be owed"
                    );
                    break;
                }
            }
        }
    }

    /// True when there was none of this filter.
    pub(super) fn enter_subscription(
        &mut self,
        id: u64,
        filter: &str,
        options: SubscribeOptions,
        number: Option<u32>,
    ) -> bool {
        let Some(held) = self.sessions.get_mut(&id) else {
            return false;
        };
        let subscription = Arc::new(Subscription {
            session: Arc::clone(&held.session),
            filter: filter.to_owned(),
            options,
            number,
        });
        let older = held
            .subscriptions
            .insert(filter.to_owned(), Arc::clone(&subscription));
        self.index.put(subscription);
        if older.is_none() {
            self.count_listeners(filter, true);
        }
        older.is_none()
    }

    pub(super) fn unsubscribe(&mut self, session: &Arc<Session>, filter: &str) -> bool {
        let Some(held) = self.sessions.get_mut(&session.id) else {
            return false;
        };
        if held.subscriptions.remove(filter).is_none() {
            return false;
        }
        self.index.drop(session.id, filter);
        self.count_listeners(filter, false);
        if session.is_persistent() {
            let filter = filter.to_owned();
            self.changes
                .push(Change::DropSubscription(session.id, filter));
        }
        true
    }

    pub(super) fn count_listeners(&self, filter: &str, more: bool) {
        if !hears_the_hub(filter) {
            return;
        }
        let listeners = &self.shared.listeners;
        if more {
            listeners.fetch_add(1, Ordering::Relaxed);
        } else {
            listeners.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whether a filter could match what the hub says: `ssg/v1/{site}/_gw/…`.
fn hears_the_hub(filter: &str) -> bool {
    let inner = shared(filter).map_or(filter, |(_, inner)| inner);
    let mut levels = inner.split('/');
    for expected in ["ssg", "v1", "", "_gw"] {
        match levels.next() {
            Some("#") => return true,
            Some("+") => {}
            Some(level) if expected.is_empty() || level == expected => {}
            _ => return false,
        }
    }
    true
}

fn pack(options: SubscribeOptions) -> u8 {
    options.qos
        | (u8::from(options.no_local) << 2)
        | (u8::from(options.retain_as_published) << 3)
        | (options.retain_handling << 4)
}

pub(super) fn unpack(bits: u8) -> SubscribeOptions {
    SubscribeOptions {
        qos: (bits & 0b11).min(2),
        no_local: bits & 0b100 != 0,
        retain_as_published: bits & 0b1000 != 0,
        retain_handling: (bits >> 4) & 0b11,
    }
}
