//! The exchange: messages from those who publish to those who subscribe.
//!
//! Dramatis personae: a *session* is what one client is owed; the *index* knows who subscribes to what; *retained* messages wait for
//! later subscribers; a *will* waits for a client to stay away; the *worker* is the one thread that moves messages.
//!
//! The worker is a consumer of the journal: what a client publishes reaches subscribers from there, after it is on disk. Its cursor
//! moves in one transaction with what sessions are owed, so that a crash loses nothing and doubles nothing of a persistent session.
//! What the hub itself has to say (canonical events, incidents) is *offered*: a convenience, never counted as delivery; what must
//! arrive is in the API. Why this is not rumqttd's router: docs/adr/0002-exchange-of-our-own.md.
//!
//! **Invariant:** nothing is skipped silently. A session that cannot keep its promise ends, and its client is told by its absence.

mod index;
mod retained;
mod session;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use domain::{Seq, Timestamp};
use parking_lot::RwLock;
use store::journal::Journal;
use store::sessions::{SessionError, SessionStore};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

pub use index::shared;
pub use session::{Delivery, Message, Next, Session, Unreleased};
pub use worker::Worker;

use crate::adapters::Formats;
use crate::listener::codec::{Forwarded, SubscribeOptions, WillMessage};
use session::Wanted;

/// Commands that may wait for the worker.
const COMMANDS_MAX: usize = 8192;

/// A client that comes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its account.
    pub account: String,
    /// Its client id.
    pub client: String,
    /// Epoch of its connection.
    pub epoch: u64,
    /// What was kept for it is forgotten.
    pub clean_start: bool,
    /// Seconds that the session is to outlive the connection; `u32::MAX`: for ever.
    pub expiry_s: u32,
    /// What to say when it stays away.
    pub will: Option<WillMessage>,
}

/// How a connection ended, for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The client said good-bye: its will is void.
    Goodbye,
    /// It vanished, or asked for its will: it is said when its time comes.
    Lost,
    /// The hub ends: the will is kept, and said by the next run if the client stays away.
    HubEnds,
}

/// The worker is gone, or could not write: the client should come again later.
#[derive(Debug, thiserror::Error)]
#[error("the exchange cannot do it now")]
pub struct Unavailable;

/// What a client finds when it comes.
pub struct Attached {
    /// Its session.
    pub session: Arc<Session>,
    /// It was there before.
    pub present: bool,
}

/// One filter, asked for.
pub type Wish = (String, SubscribeOptions);

enum Command {
    Attach(Arrival, oneshot::Sender<Attached>),
    Detach {
        session: Arc<Session>,
        epoch: u64,
        expiry_s: Option<u32>,
        departure: Departure,
    },
    Subscribe {
        session: Arc<Session>,
        wishes: Vec<Wish>,
        number: Option<u32>,
        reply: oneshot::Sender<()>,
    },
    Unsubscribe {
        session: Arc<Session>,
        filters: Vec<String>,
        reply: oneshot::Sender<Vec<bool>>,
    },
    Release(Arc<Session>, u16, oneshot::Sender<()>),
    Offer(Arc<Message>),
    Hears {
        account: String,
        topic: String,
        reply: oneshot::Sender<bool>,
    },
    Hand {
        account: String,
        message: Arc<Message>,
        reply: oneshot::Sender<bool>,
    },
}

/// Figures of the exchange.
#[derive(Debug, Default)]
pub struct ExchangeStats {
    /// Messages queued for sessions.
    pub routed: AtomicU64,
    /// QoS 0 and offered messages that did not fit.
    pub dropped: AtomicU64,
    /// Sessions that fell too far behind and were ended.
    pub overflowed: AtomicU64,
    /// Sessions that are kept now.
    pub sessions: AtomicUsize,
    /// Retained messages that are kept now.
    pub retained: AtomicUsize,
    /// Messages that were to be retained and did not fit.
    pub retained_refused: AtomicU64,
}

struct Shared {
    commands: mpsc::Sender<Command>,
    /// Clients that have a session: whoever begins anew and is not here needs no word with the worker.
    known: RwLock<HashSet<(String, String)>>,
    /// Subscriptions that could match what the hub offers.
    listeners: AtomicUsize,
    wanted: Arc<Wanted>,
    stats: ExchangeStats,
    /// Journal position up to which everything is routed and kept.
    routed: watch::Sender<Seq>,
}

/// A handle on the exchange; clones are the same one.
#[derive(Clone)]
pub struct Exchange {
    shared: Arc<Shared>,
}

impl Exchange {
    /// Opens what was kept. The worker has to be run for anything to move.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn open(
        path: &Path,
        journal: &Journal,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        formats: Formats,
    ) -> Result<(Self, Worker), SessionError> {
        let store = SessionStore::open(path, journal.stats().last_seq)?;
        let kept = store.load()?;
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let (routed, _) = watch::channel(kept.cursor);
        let shared = Arc::new(Shared {
            commands,
            known: RwLock::new(HashSet::new()),
            listeners: AtomicUsize::new(0),
            wanted: Arc::default(),
            stats: ExchangeStats::default(),
            routed,
        });
        let worker = Worker::new(
            Arc::clone(&shared),
            waiting,
            store,
            kept,
            journal.clone(),
            clock,
            formats,
        );
        Ok((Self { shared }, worker))
    }

    /// Whether this client has a session that an arrival has to deal with.
    pub fn knows(&self, account: &str, client: &str) -> bool {
        let known = self.shared.known.read();
        !known.is_empty() && known.contains(&(account.to_owned(), client.to_owned()))
    }

    /// A client comes. An earlier connection of the same session loses its hold.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn attach(&self, arrival: Arrival) -> Result<Attached, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Attach(arrival, reply)).await?;
        answer.await.map_err(|_| Unavailable)
    }

    /// A connection ends. Of a connection that has lost its hold nothing follows.
    pub async fn detach(
        &self,
        session: Arc<Session>,
        epoch: u64,
        expiry_s: Option<u32>,
        departure: Departure,
    ) {
        let command = Command::Detach {
            session,
            epoch,
            expiry_s,
            departure,
        };
        if self.send(command).await.is_err() {
            warn!("the exchange was gone before a connection");
        }
    }

    /// Subscribes; retained messages are queued before it returns.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn subscribe(
        &self,
        session: &Arc<Session>,
        wishes: Vec<Wish>,
        number: Option<u32>,
    ) -> Result<(), Unavailable> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Subscribe {
            session: Arc::clone(session),
            wishes,
            number,
            reply,
        };
        self.send(command).await?;
        answer.await.map_err(|_| Unavailable)
    }

    /// Ends subscriptions; says of each whether there was one.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn unsubscribe(
        &self,
        session: &Arc<Session>,
        filters: Vec<String>,
    ) -> Result<Vec<bool>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Unsubscribe {
            session: Arc::clone(session),
            filters,
            reply,
        };
        self.send(command).await?;
        answer.await.map_err(|_| Unavailable)
    }

    /// The client has released a QoS 2 message; returns when that is on disk, as far as the session outlives its connection.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn release(&self, session: &Arc<Session>, id: u16) -> Result<(), Unavailable> {
        if !session.is_persistent() {
            session.unreleased.lock().remove(&id);
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        self.send(Command::Release(Arc::clone(session), id, reply))
            .await?;
        answer.await.map_err(|_| Unavailable)
    }

    /// Whether anybody subscribes to what the hub says: nothing needs to be encoded for nobody.
    pub fn has_listeners(&self) -> bool {
        self.shared.listeners.load(Ordering::Relaxed) > 0
    }

    /// Offers what the hub has to say; never waits. What does not fit is dropped and counted.
    pub fn offer(&self, topic: &str, payload: Bytes) {
        if !self.has_listeners() {
            return;
        }
        let message = Message {
            topic: topic.to_owned(),
            payload,
            forwarded: Forwarded::default(),
            qos: 1,
            retain: false,
            expires_at: None,
            epoch: 0,
        };
        if self
            .shared
            .commands
            .try_send(Command::Offer(Arc::new(message)))
            .is_err()
        {
            self.shared.stats.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("hub_exchange_dropped_total").increment(1);
        }
    }

    /// Whether a connection of an account stands and subscribes to a topic.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn hears(&self, account: &str, topic: &str) -> Result<bool, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Hears {
            account: account.to_owned(),
            topic: topic.to_owned(),
            reply,
        };
        self.send(command).await?;
        answer.await.map_err(|_| Unavailable)
    }

    /// Hands a message to the one connection of an account that hears the topic now; says whether there was one. It goes out once, with QoS 0,
    /// is never retained and never kept for a connection to come: a command that came late, or again, would open a door for somebody else.
    ///
    /// # Errors
    /// [`Unavailable`]: whether it went out is not known.
    pub async fn hand(
        &self,
        account: &str,
        topic: &str,
        payload: Bytes,
        expires_at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let message = Message {
            topic: topic.to_owned(),
            payload,
            forwarded: Forwarded::default(),
            qos: 0,
            retain: false,
            expires_at: Some(expires_at),
            epoch: 0,
        };
        let command = Command::Hand {
            account: account.to_owned(),
            message: Arc::new(message),
            reply,
        };
        self.send(command).await?;
        answer.await.map_err(|_| Unavailable)
    }

    /// Journal position up to which everything is routed and kept.
    pub fn routed(&self) -> watch::Receiver<Seq> {
        self.shared.routed.subscribe()
    }

    /// Commands that wait for the worker, and how many may.
    pub fn queue(&self) -> (usize, usize) {
        let bound = self.shared.commands.max_capacity();
        (bound.saturating_sub(self.shared.commands.capacity()), bound)
    }

    /// Figures.
    pub fn stats(&self) -> &ExchangeStats {
        &self.shared.stats
    }

    async fn send(&self, command: Command) -> Result<(), Unavailable> {
        self.shared
            .commands
            .send(command)
            .await
            .map_err(|_| Unavailable)
    }
}
