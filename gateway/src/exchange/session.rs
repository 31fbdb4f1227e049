//! What one client is owed: a queue, what is in flight, and what has to be on disk before the next step.
//!
//! The exchange puts in, the connection takes out; both hold the lock for moments. A *persistent* session outlives its connection;
//! of it all messages of QoS 1 and 2 are kept. **Invariant:** of a persistent session a QoS 2 message is sent, and a PUBREL is sent,
//! only after the disk has the step before, so that a crash never makes one message two.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use domain::Timestamp;
use parking_lot::Mutex;
use store::journal::Ticket;
use store::sessions::{EntryRow, MessageRow, Phase};
use tokio::sync::Notify;

use crate::listener::codec::Forwarded;

/// Messages that a session may be owed; who falls further behind loses the session, and is told by its absence.
pub(super) const QUEUE_MESSAGES_MAX: usize = 10_000;
/// The same in bytes.
pub(super) const QUEUE_BYTES_MAX: usize = 16 << 20;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// The bytes.
    pub payload: Bytes,
    /// Properties that are handed on.
    pub forwarded: Forwarded,
    /// As it was published.
    pub qos: u8,
    /// As it was published.
    pub retain: bool,
    /// When nobody wants it any more.
    pub expires_at: Option<Timestamp>,
    /// The connection that published it; 0: the hub.
    pub epoch: u64,
}

impl Message {
    fn bytes(&self) -> usize {
        // the structure around it counts too
        self.topic.len() + self.payload.len() + self.forwarded.bytes().len() + 128
    }

    pub(super) fn row(&self) -> MessageRow {
        MessageRow {
            topic: self.topic.clone(),
            payload: self.payload.clone(),
            properties: self.forwarded.bytes().clone(),
            expires_at: self.expires_at,
        }
    }

    pub(super) fn from_row(row: MessageRow, qos: u8, retain: bool) -> Self {
        Self {
            topic: row.topic,
            payload: row.payload,
            forwarded: Forwarded::from_kept(row.properties),
            qos,
            retain,
            expires_at: row.expires_at,
            epoch: 0,
        }
    }
}

struct Entry {
    place: u64,
    message: Arc<Message>,
    qos: u8,
    retain: bool,
    subscriptions: Vec<u32>,
    /// 0: given when it is sent.
    id: u16,
    phase: Phase,
    /// It may have been sent by an earlier connection or run.
    dup: bool,
}

impl Entry {
    fn row(&self, session: u64) -> EntryRow {
        EntryRow {
            session,
            place: self.place,
            qos: self.qos,
            retain: self.retain,
            subscriptions: self.subscriptions.clone(),
            packet_id: self.id,
            phase: self.phase,
            message: self.message.row(),
        }
    }
}

/// What a connection is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What.
    pub message: Arc<Message>,
    /// The quality to send it with.
    pub qos: u8,
    /// The flag to send it with.
    pub retain: bool,
    /// The flag to send it with.
    pub dup: bool,
    /// Packet id; 0 with QoS 0.
    pub id: u16,
    /// Ids of the subscriptions that it matched.
    pub subscriptions: Vec<u32>,
}

/// What a connection has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send a message.
    Deliver(Delivery),
    /// Send PUBREL.
    Release(u16),
    /// Nothing now; [`Session::woken`] tells when to ask again.
    Wait,
    /// The session is another connection's, or has ended with this reason.
    Gone(u8),
}

#[derive(Default)]
struct Outbox {
    waiting: VecDeque<Entry>,
    /// In the order in which they were sent.
    flight: VecDeque<Entry>,
    /// PUBREL may be sent now.
    releases: VecDeque<u16>,
    used: HashSet<u16>,
    next_id: u16,
    next_place: u64,
    bytes: usize,
    /// Places up to here have been written to disk, but for what `touched` names.
    saved: u64,
    touched: Vec<u64>,
    /// Places that were written and are done.
    done: Vec<u64>,
    dropped: u64,
}

/// QoS 2 messages that the client sent and has not released: packet id, and the ticket that covers it (none: it is on disk).
pub type Unreleased = Arc<Mutex<HashMap<u16, Option<Ticket>>>>;

/// One client's session.
pub struct Session {
    /// Our number for it.
    pub(super) id: u64,
    pub(super) account: String,
    pub(super) client: String,
    /// Epoch of the connection that holds it; 0: none.
    holder: AtomicU64,
    persistent: AtomicBool,
    /// Reason code with which it has ended; 0: it has not.
    ended: std::sync::atomic::AtomicU8,
    dirty: AtomicBool,
    outbox: Mutex<Outbox>,
    /// What the client sent with QoS 2 and has not released.
    pub(super) unreleased: Unreleased,
    notify: Notify,
    /// Sessions with something to be written; shared with the exchange.
    wants_commit: Arc<Wanted>,
}

/// Sessions that want to be written, and the bell for it.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) sessions: Mutex<Vec<u64>>,
    pub(super) bell: Notify,
}

/// Why a message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// QoS 0, or the hub's own: dropped and counted.
    Dropped,
    /// The session cannot keep its promise any more.
    Session,
}

impl Session {
    pub(super) fn new(id: u64, account: &str, client: &str, wants_commit: Arc<Wanted>) -> Self {
        Self {
            id,
            account: account.to_owned(),
            client: client.to_owned(),
            holder: AtomicU64::new(0),
            persistent: AtomicBool::new(false),
            ended: std::sync::atomic::AtomicU8::new(0),
            dirty: AtomicBool::new(false),
            outbox: Mutex::new(Outbox::default()),
            unreleased: Unreleased::default(),
            notify: Notify::new(),
            wants_commit,
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests(id: u64) -> Self {
        Self::new(id, "account", "client", Arc::default())
    }

    /// The QoS 2 messages that its client has not released; shared by all its connections.
    pub fn unreleased(&self) -> Unreleased {
        Arc::clone(&self.unreleased)
    }

    /// Whether a connection holds it.
    pub(super) fn is_attached(&self) -> bool {
        self.holder.load(Ordering::Acquire) != 0
    }

    pub(super) fn is_persistent(&self) -> bool {
        self.persistent.load(Ordering::Acquire)
    }

    pub(super) fn set_persistent(&self, persistent: bool) {
        self.persistent.store(persistent, Ordering::Release);
    }

    pub(super) fn holder(&self) -> u64 {
        self.holder.load(Ordering::Acquire)
    }

    /// A connection takes hold; what was in flight is sent again (MQTT 5.0 §4.4).
    pub(super) fn attach(&self, epoch: u64) {
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        outbox.releases.clear();
        while let Some(mut entry) = outbox.flight.pop_back() {
            entry.dup = entry.phase == Phase::Sent;
            outbox.waiting.push_front(entry);
        }
        drop(guard);
        self.holder.store(epoch, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// The connection is gone. Messages of QoS 0 go with it (§3.1.2.11.2 lets them).
    pub(super) fn detach(&self) {
        self.holder.store(0, Ordering::Release);
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        outbox.waiting.retain(|entry| entry.qos > 0);
        outbox.bytes = outbox
            .waiting
            .iter()
            .chain(&outbox.flight)
            .map(|e| e.message.bytes())
            .sum();
        // whether it was sent is known for certain now, and is written
        outbox.touched.extend(outbox.flight.iter().map(|e| e.place));
        drop(guard);
        self.notify.notify_waiters();
    }

    /// It is over: whoever holds it ends with this reason, which is the first that was given.
    pub(super) fn end(&self, reason: u8) {
        let first = self
            .ended
            .compare_exchange(0, reason, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err() {
            return;
        }
        self.notify.notify_waiters();
    }

    /// Waits until there may be something to do. Ask [`Session::next`] first: the bell is not kept for those who do not wait,
    /// so the future is made before asking.
    pub fn woken(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }

    /// Queues a message.
    pub(super) fn push(
        &self,
        message: Arc<Message>,
        qos: u8,
        retain: bool,
        subscriptions: Vec<u32>,
    ) -> Result<(), Overflow> {
        let is_attached = self.is_attached();
        if qos == 0 && !is_attached {
            return Ok(());
        }
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        let count = outbox.waiting.len() + outbox.flight.len();
        if count >= QUEUE_MESSAGES_MAX || outbox.bytes + message.bytes() > QUEUE_BYTES_MAX {
            outbox.dropped += 1;
            return Err(if qos == 0 {
                Overflow::Dropped
            } else {
                Overflow::Session
            });
        }
        outbox.next_place += 1;
        let id = if qos > 0 && self.is_persistent() {
            outbox.take_id()
        } else {
            0
        };
        outbox.bytes += message.bytes();
        outbox.waiting.push_back(Entry {
            place: outbox.next_place,
            message,
            qos,
            retain,
            subscriptions,
            id,
            phase: Phase::Waiting,
            dup: false,
        });
        drop(guard);
        if is_attached {
            self.notify.notify_waiters();
        }
        if qos > 0 {
            self.wants_commit();
        }
        Ok(())
    }

    /// Takes back what was kept. `was_attached`: the hub ended while a connection held it, so that all may have been sent.
    pub(super) fn restore(&self, row: EntryRow, was_attached: bool) {
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        outbox.next_place = outbox.next_place.max(row.place);
        outbox.saved = outbox.next_place;
        outbox.used.insert(row.packet_id);
        let message = Arc::new(Message::from_row(row.message, row.qos, row.retain));
        outbox.bytes += message.bytes();
        outbox.waiting.push_back(Entry {
            place: row.place,
            message,
            qos: row.qos,
            retain: row.retain,
            subscriptions: row.subscriptions,
            id: row.packet_id,
            phase: row.phase,
            dup: row.phase == Phase::Sent || (was_attached && row.phase == Phase::Waiting),
        });
    }

    /// What the connection of `epoch` has to do next, with at most `window` messages unacknowledged.
    pub fn next(&self, epoch: u64, window: usize, now: Timestamp) -> Next {
        let ended = self.ended.load(Ordering::Acquire);
        if ended != 0 {
            return Next::Gone(ended);
        }
        if self.holder() != epoch {
            return Next::Gone(0x8e);
        }
        let is_persistent = self.is_persistent();
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        if let Some(id) = outbox.releases.pop_front() {
            return Next::Release(id);
        }
        loop {
            let Some(head) = outbox.waiting.front() else {
                return Next::Wait;
            };
            let is_expired = head.phase == Phase::Waiting
                && !head.dup
                && head.message.expires_at.is_some_and(|at| at <= now);
            if is_expired {
                if let Some(entry) = outbox.waiting.pop_front() {
                    outbox.finish(&entry);
                }
                continue;
            }
            if head.qos == 0 {
                let Some(entry) = outbox.waiting.pop_front() else {
                    return Next::Wait;
                };
                outbox.bytes -= entry.message.bytes();
                return Next::Deliver(delivery(&entry));
            }
            let is_on_disk = !is_persistent || head.place <= outbox.saved;
            if outbox.flight.len() >= window || (head.qos == 2 && !is_on_disk) {
                return Next::Wait;
            }
            let Some(mut entry) = outbox.waiting.pop_front() else {
                return Next::Wait;
            };
            if entry.id == 0 {
                entry.id = outbox.take_id();
            }
            if entry.phase == Phase::Received {
                let id = entry.id;
                outbox.flight.push_back(entry);
                return Next::Release(id);
            }
            let out = delivery(&entry);
            entry.phase = Phase::Sent;
            outbox.flight.push_back(entry);
            return Next::Deliver(out);
        }
    }

    /// PUBACK, or what counts as one: the client has it, or does not want it. False when nothing of QoS 1 waits for it.
    pub fn acknowledged(&self, id: u16) -> bool {
        let done = self.finish(|entry| entry.id == id && entry.qos == 1);
        if done {
            self.notify.notify_waiters();
        }
        done
    }

    /// A delivery that this client cannot take, or has refused: as if it had been delivered (MQTT 5.0 §3.1.2.11.4, §4.3.3).
    pub fn abandon(&self, id: u16) {
        self.finish(|entry| entry.id == id);
        self.notify.notify_waiters();
    }

    /// PUBREC. PUBREL follows, at once or when the disk has it. False when nothing waits for it.
    pub fn received(&self, id: u16) -> bool {
        let is_persistent = self.is_persistent();
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        let Some(entry) = outbox.flight.iter_mut().find(|e| e.id == id && e.qos == 2) else {
            return false;
        };
        if entry.phase == Phase::Received {
            // said again: so is the answer, once the first is on disk
            if !outbox.touched.contains(&entry.place) {
                outbox.releases.push_back(id);
            }
        } else {
            entry.phase = Phase::Received;
            if is_persistent {
                outbox.touched.push(entry.place);
            } else {
                outbox.releases.push_back(id);
            }
        }
        drop(guard);
        if is_persistent {
            self.wants_commit();
        }
        true
    }

    /// PUBCOMP. False when nothing waits for it.
    pub fn completed(&self, id: u16) -> bool {
        let done = self.finish(|entry| entry.id == id && entry.phase == Phase::Received);
        if done {
            self.notify.notify_waiters();
        }
        done
    }

    fn finish(&self, is_it: impl Fn(&Entry) -> bool) -> bool {
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        let Some(at) = outbox.flight.iter().position(is_it) else {
            return false;
        };
        if let Some(entry) = outbox.flight.remove(at) {
            outbox.finish(&entry);
        }
        let has_done = !outbox.done.is_empty();
        drop(guard);
        if has_done {
            self.wants_commit();
        }
        true
    }

    fn wants_commit(&self) {
        if self.is_persistent() && !self.dirty.swap(true, Ordering::AcqRel) {
            self.wants_commit.sessions.lock().push(self.id);
            self.wants_commit.bell.notify_one();
        }
    }

    /// What is to be written: rows to put, places to drop, and what to tell [`Session::is_saved`] afterwards.
    pub(super) fn unsaved(&self) -> Unsaved {
        self.dirty.store(false, Ordering::Release);
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        let touched: HashSet<u64> = outbox.touched.drain(..).collect();
        let saved = outbox.saved;
        let wants = |e: &&Entry| e.qos > 0 && (e.place > saved || touched.contains(&e.place));
        let mut put: Vec<EntryRow> = outbox
            .flight
            .iter()
            .filter(wants)
            .map(|e| e.row(self.id))
            .collect();
        // the queue counts up: without touched ones only its end is new
        let queue = outbox
            .waiting
            .iter()
            .rev()
            .take_while(|e| e.place > saved || !touched.is_empty());
        put.extend(queue.filter(wants).map(|e| e.row(self.id)));
        Unsaved {
            put,
            drop: outbox.done.drain(..).collect(),
            upto: outbox.next_place,
            touched: touched.into_iter().collect(),
        }
    }

    /// The disk has what [`Session::unsaved`] gave.
    pub(super) fn is_saved(&self, unsaved: &Unsaved) {
        let mut guard = self.outbox.lock();
        let outbox = &mut *guard;
        outbox.saved = outbox.saved.max(unsaved.upto);
        let released = outbox
            .flight
            .iter()
            .filter(|e| e.phase == Phase::Received && unsaved.touched.contains(&e.place))
            .filter(|e| {
                unsaved
                    .put
                    .iter()
                    .any(|row| row.place == e.place && row.phase == Phase::Received)
            })
            .map(|e| e.id);
        let released: Vec<u16> = released.collect();
        outbox.releases.extend(released);
        // done while it was being written: the row is there now and has to go
        let gone: Vec<u64> = unsaved
            .put
            .iter()
            .map(|row| row.place)
            .filter(|place| {
                !outbox
                    .waiting
                    .iter()
                    .chain(&outbox.flight)
                    .any(|e| e.place == *place)
            })
            .collect();
        let has_gone = !gone.is_empty();
        outbox.done.extend(gone);
        outbox.done.sort_unstable();
        outbox.done.dedup();
        drop(guard);
        self.notify.notify_waiters();
        if has_gone {
            self.wants_commit();
        }
    }

    /// The disk has refused it: it is to be tried again.
    pub(super) fn is_not_saved(&self, unsaved: Unsaved) {
        {
            let mut outbox = self.outbox.lock();
            outbox.done.extend(unsaved.drop);
            outbox.touched.extend(unsaved.touched);
        }
        self.wants_commit();
    }

    /// Messages that wait or are in flight.
    #[cfg(test)]
    pub(super) fn owed(&self) -> usize {
        let outbox = self.outbox.lock();
        outbox.waiting.len() + outbox.flight.len()
    }
}

/// What is to be written of one session.
pub(super) struct Unsaved {
    pub(super) put: Vec<EntryRow>,
    pub(super) drop: Vec<u64>,
    upto: u64,
    touched: Vec<u64>,
}

impl Outbox {
    fn take_id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id.wrapping_add(1);
            // there are never as many in use as there are ids: QUEUE_MESSAGES_MAX
            if self.next_id != 0 && self.used.insert(self.next_id) {
                return self.next_id;
            }
        }
    }

    fn finish(&mut self, entry: &Entry) {
        self.bytes -= entry.message.bytes();
        self.used.remove(&entry.id);
        if entry.place <= self.saved {
            self.done.push(entry.place);
        }
    }
}

fn delivery(entry: &Entry) -> Delivery {
    Delivery {
        message: Arc::clone(&entry.message),
        qos: entry.qos,
        retain: entry.retain,
        dup: entry.dup,
        id: entry.id,
        subscriptions: entry.subscriptions.clone(),
    }
}
