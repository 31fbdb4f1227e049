//! Fan-out: canonical events and incidents to whoever may subscribe, through rumqttd's router in this process.
//!
//! A convenience, never counted as delivery: what must arrive is in the API. The router is kept from everything that is known to
//! hurt it: no device and no foreign packet reaches it, topics get an ASCII first level, client ids are numbers of ours, sessions
//! are clean, payloads are copies, segments are small. When it dies all the same, it is rebuilt and subscribers reconnect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkRx, LinkTx};
use rumqttd::protocol::Packet;
use rumqttd::{Notification, Router, RouterConfig};
use tracing::{error, warn};

use crate::listener::Pattern;

/// Messages that may wait for the router; more are dropped and counted.
const WAITING_MAX: usize = 8192;
/// Sessions of integrations at one time.
const SESSIONS_MAX: usize = 64;
/// First level of every topic inside the router: it panics at topics whose first character is not ASCII.
const PREFIX: &str = "m/";

type MakeLink = Arc<dyn Fn(&str) -> Option<(LinkTx, LinkRx)> + Send + Sync>;

struct Inner {
    queue: SyncSender<(String, Bytes)>,
    make: ArcSwap<MakeLink>,
    sessions: AtomicUsize,
    subscriptions: AtomicUsize,
    next_id: AtomicU64,
    dropped: AtomicU64,
}

/// A handle on the fan-out; clones are the same one.
#[derive(Clone)]
pub struct FanOut {
    inner: Arc<Inner>,
}

/// Why a session cannot be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There are as many as there may be.
    #[error("{SESSIONS_MAX} sessions are attached already")]
    Full,
    /// The router is being rebuilt.
    #[error("the router does not answer")]
    Router,
    /// Not a topic filter.
    #[error("not a topic filter")]
    Filter,
}

fn start_router() -> MakeLink {
    let config = RouterConfig {
        max_connections: SESSIONS_MAX * 2 + 8,
        max_outgoing_packet_count: 200,
        max_segment_size: 1 << 20,
        max_segment_count: 4,
        ..RouterConfig::default()
    };
    let sender = Router::new(0, config).spawn();
    Arc::new(move |id| {
        LinkBuilder::new(id, sender.clone())
            .clean_session(true)
            .build()
            .ok()
            .map(|(tx, rx, _)| (tx, rx))
    })
}

impl FanOut {
    /// Starts the router and the thread that feeds it. Ends when the last handle is dropped.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start() -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let inner = Arc::new(Inner {
            queue,
            make: ArcSwap::from_pointee(start_router()),
            sessions: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            dropped: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&inner);
        std::thread::Builder::new()
            .name("fan-out".to_owned())
            .spawn(move || {
                while let Some(make) = weak
                    .upgrade()
                    .map(|inner| MakeLink::clone(&inner.make.load()))
                {
                    if feed(&make, &waiting) {
                        return;
                    }
                    let Some(inner) = weak.upgrade() else { return };
                    error!("fan-out router died, it is rebuilt and subscribers reconnect");
                    metrics::counter!("hub_fanout_rebuilds_total").increment(1);
                    inner.make.store(Arc::new(start_router()));
                }
            })?;
        Ok(Self { inner })
    }

    /// Whether anybody subscribes: nothing needs to be encoded for nobody.
    pub fn has_subscribers(&self) -> bool {
        self.inner.subscriptions.load(Ordering::Relaxed) > 0
    }

    /// Offers a message; never waits. What does not fit is dropped and counted.
    pub fn offer(&self, topic: &str, payload: Bytes) {
        if !self.has_subscribers() {
            return;
        }
        if self
            .inner
            .queue
            .try_send((format!("{PREFIX}{topic}"), payload))
            .is_err()
        {
            self.inner.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("hub_fanout_dropped_total").increment(1);
        }
    }

    /// Messages dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.inner.dropped.load(Ordering::Relaxed)
    }

    /// A session for one connection.
    ///
    /// # Errors
    /// Too many sessions, or a router that does not answer.
    pub async fn attach(&self) -> Result<Session, AttachError> {
        if self.inner.sessions.fetch_add(1, Ordering::Relaxed) >= SESSIONS_MAX {
            self.inner.sessions.fetch_sub(1, Ordering::Relaxed);
            return Err(AttachError::Full);
        }
        let make = MakeLink::clone(&self.inner.make.load());
        let id = format!("s{}", self.inner.next_id.fetch_add(1, Ordering::Relaxed));
        let built = tokio::task::spawn_blocking(move || make(&id)).await;
        if let Ok(Some((tx, rx))) = built {
            Ok(Session {
                tx,
                rx,
                filters: HashMap::new(),
                fanout: self.clone(),
            })
        } else {
            self.inner.sessions.fetch_sub(1, Ordering::Relaxed);
            Err(AttachError::Router)
        }
    }
}

/// Feeds the router from the queue. True when the hub is gone, false when the router is.
fn feed(make: &MakeLink, waiting: &Receiver<(String, Bytes)>) -> bool {
    let Some((mut tx, _rx)) = make("hub") else {
        std::thread::park_timeout(Duration::from_millis(200));
        return false;
    };
    loop {
        match waiting.recv() {
            Err(_) => return true,
            Ok((topic, payload)) => {
                if tx.publish(topic, payload).is_err() {
                    return false;
                }
            }
        }
    }
}

/// What one subscriber is to receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The topic as it was offered.
    pub topic: String,
    /// The payload.
    pub payload: Bytes,
    /// 0 or 1: the highest that a matching subscription was granted.
    pub qos: u8,
}

/// One connection's subscriptions. The table in front of the router is ours: it answers for SUBACK and UNSUBACK.
pub struct Session {
    tx: LinkTx,
    rx: LinkRx,
    filters: HashMap<String, (Pattern, u8)>,
    fanout: FanOut,
}

impl Session {
    /// Subscribes, or changes the quality of a subscription that is there.
    ///
    /// # Errors
    /// The router is gone; the connection should end.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<(), AttachError> {
        let pattern = filter.parse().map_err(|_| AttachError::Filter)?;
        if self
            .filters
            .insert(filter.to_owned(), (pattern, qos))
            .is_none()
        {
            self.fanout
                .inner
                .subscriptions
                .fetch_add(1, Ordering::Relaxed);
            self.tx
                .try_subscribe(format!("{PREFIX}{filter}"))
                .map_err(|_| AttachError::Router)?;
        }
        Ok(())
    }

    /// Ends a subscription. False when there was none.
    pub fn unsubscribe(&mut self, filter: &str) -> bool {
        if self.filters.remove(filter).is_none() {
            return false;
        }
        self.fanout
            .inner
            .subscriptions
            .fetch_sub(1, Ordering::Relaxed);
        if self
            .tx
            .try_unsubscribe(format!("{PREFIX}{filter}"))
            .is_err()
        {
            warn!("fan-out router did not take an unsubscription");
        }
        true
    }

    /// How many filters are subscribed.
    pub fn len(&self) -> usize {
        self.filters.len()
    }

    /// Nothing is subscribed.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// The next message. Cancel-safe: what has been taken from the router waits here.
    ///
    /// # Errors
    /// The router is gone; the connection should end.
    pub async fn next(&mut self) -> Result<Delivery, AttachError> {
        loop {
            match self.rx.next().await.map_err(|_| AttachError::Router)? {
                Some(Notification::Forward(forward)) => {
                    let Ok(topic) = std::str::from_utf8(&forward.publish.topic) else {
                        continue;
                    };
                    let Some(topic) = topic.strip_prefix(PREFIX) else {
                        continue;
                    };
                    let matching = self
                        .filters
                        .values()
                        .filter(|(pattern, _)| pattern.matches(topic));
                    // none: it was on its way when the subscription ended
                    let Some(qos) = matching.map(|(_, qos)| *qos).max() else {
                        continue;
                    };
                    return Ok(Delivery {
                        topic: topic.to_owned(),
                        payload: forward.publish.payload,
                        qos,
                    });
                }
                Some(Notification::Unschedule) => {
                    self.rx.wake().await.map_err(|_| AttachError::Router)?;
                }
                Some(_) | None => {}
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let inner = &self.fanout.inner;
        inner
            .subscriptions
            .fetch_sub(self.filters.len(), Ordering::Relaxed);
        inner.sessions.fetch_sub(1, Ordering::Relaxed);
        // dropping a link does not disconnect it
        self.tx.buffer().push_back(Packet::Disconnect(
            rumqttd::protocol::Disconnect {
                reason_code: rumqttd::protocol::DisconnectReasonCode::NormalDisconnection,
            },
            None,
        ));
        let _ = self.tx.try_unsubscribe(format!("{PREFIX}gone"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(session: &mut Session) -> Option<Delivery> {
        tokio::time::timeout(Duration::from_secs(5), session.next())
            .await
            .ok()?
            .ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_subscriber_gets_what_matches_and_the_topic_as_it_was_offered() {
        let fanout = FanOut::start().expect("starts");
        assert!(!fanout.has_subscribers());
        fanout.offer(
            "ssg/v1/q1/_gw/evt/camera/camera-object",
            Bytes::from_static(b"nobody hears it"),
        );
        let mut session = fanout.attach().await.expect("attaches");
        session
            .subscribe("ssg/v1/+/_gw/evt/#", 1)
            .expect("subscribes");
        session.subscribe("烟感/+", 0).expect("subscribes");
        assert!(fanout.has_subscribers());
        // the router takes a subscription in its own time
        let heard = tokio::time::timeout(Duration::from_secs(5), async {
            loop {
                fanout.offer("烟感/01", Bytes::from_static(b"smoke"));
                if let Ok(Ok(heard)) =
                    tokio::time::timeout(Duration::from_millis(100), session.next()).await
                {
                    return heard;
                }
            }
        });
        let heard = heard.await.expect("in time");
        assert_eq!(
            (heard.topic.as_str(), heard.qos, &heard.payload[..]),
            ("烟感/01", 0, &b"smoke"[..])
        );
        fanout.offer("elsewhere", Bytes::new());
        fanout.offer(
            "ssg/v1/q1/_gw/evt/camera/camera-object",
            Bytes::from_static(b"{}"),
        );
        let heard = loop {
            let heard = next(&mut session).await.expect("arrives");
            if heard.topic != "烟感/01" {
                break heard;
            }
        };
        assert_eq!(
            (heard.topic.as_str(), heard.qos),
            ("ssg/v1/q1/_gw/evt/camera/camera-object", 1)
        );
        drop(session);
        assert!(!fanout.has_subscribers());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn there_are_only_so_many_sessions_and_a_place_comes_free_again() {
        let fanout = FanOut::start().expect("starts");
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS_MAX {
            sessions.push(fanout.attach().await.expect("attaches"));
        }
        assert!(matches!(fanout.attach().await, Err(AttachError::Full)));
        sessions.pop();
        fanout.attach().await.expect("a place is free");
    }
}
