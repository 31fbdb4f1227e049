//! The one thread that moves messages: reads the journal, matches, queues, keeps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use domain::{Seq, Timestamp, Uplink, UplinkExtra, UplinkFlags};
use store::journal::{Journal, Reader, Watermarks};
use store::sessions::{Change, Kept, SessionRow, SessionStore, SubscriptionRow, WillRow};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::index::{Index, Subscription, shared};
use super::retained::Retained;
use super::session::{Message, Overflow, Session, Unsaved};
use super::{Arrival, Attached, Command, Departure, Shared, Wish};
use crate::adapters::{Formats, lane_of};
use crate::listener::codec::{Forwarded, SubscribeOptions};

/// Records and bytes that are read at a time.
const BATCH_RECORDS_MAX: usize = 2048;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Commands that are handled together.
const COMMANDS_AT_ONCE: usize = 1024;
/// What nobody waits for is written this often.
const COMMIT_EVERY: Duration = Duration::from_millis(50);
/// How often sessions, wills and retained messages are looked at for their time.
const TICK: Duration = Duration::from_millis(250);
/// While nobody subscribes, the journal is looked at this often for what is to be retained.
const IDLE: Duration = Duration::from_millis(20);
/// After the hub itself was away, clients get so long to come back before their wills are said: it was not they who left.
const GRACE_AFTER_RESTART: Duration = Duration::from_secs(10);
/// Sessions at one time: as many as there may be connections, and as many again that are away.
const SESSIONS_MAX: usize = 65_536;

struct Will {
    row: WillRow,
    /// It is in the journal, or on its way there.
    is_said: bool,
}

struct Held {
    session: Arc<Session>,
    expiry_s: u32,
    epoch: u64,
    detached_at: Option<Timestamp>,
    will: Option<Will>,
    subscriptions: HashMap<String, Arc<Subscription>>,
    /// It is in the file.
    is_kept: bool,
}

impl Held {
    fn row(&self) -> SessionRow {
        SessionRow {
            id: self.session.id,
            account: self.session.account.clone(),
            client: self.session.client.clone(),
            expiry_s: self.expiry_s,
            epoch: self.epoch,
            detached_at: self.detached_at,
        }
    }

    fn ends_at(&self) -> Option<Timestamp> {
        if self.expiry_s == u32::MAX {
            return None;
        }
        Some(self.detached_at? + Duration::from_secs(u64::from(self.expiry_s)))
    }
}

/// Answers that wait for the disk.
enum Answer {
    Attached(oneshot::Sender<Attached>, Attached),
    Done(oneshot::Sender<()>),
    Unsubscribed(oneshot::Sender<Vec<bool>>, Vec<bool>),
}

impl Answer {
    fn give(self) {
        // whoever asked may be gone
        match self {
            Self::Attached(to, attached) => drop(to.send(attached)),
            Self::Done(to) => drop(to.send(())),
            Self::Unsubscribed(to, was) => drop(to.send(was)),
        }
    }
}

/// The worker of an exchange.
pub struct Worker {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    store: SessionStore,
    journal: Journal,
    durable: watch::Receiver<Watermarks>,
    reader: Reader,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    formats: Formats,
    index: Index,
    retained: Retained,
    sessions: HashMap<u64, Held>,
    by_client: HashMap<(String, String), u64>,
    /// Sessions that outlive their connection, by the epoch of it: of them QoS 2 packet ids are kept.
    by_epoch: HashMap<u64, u64>,
    next_session: u64,
    /// Up to here the journal is of earlier runs.
    earlier: Seq,
    changes: Vec<Change>,
    unsaved: HashSet<u64>,
    answers: Vec<Answer>,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        store: SessionStore,
        kept: Kept,
        journal: Journal,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        formats: Formats,
    ) -> Self {
        let mut worker = Self {
            reader: journal.read_from(kept.cursor),
            durable: journal.watermarks(),
            shared,
            commands,
            store,
            clock,
            formats,
            index: Index::default(),
            retained: Retained::default(),
            sessions: HashMap::new(),
            by_client: HashMap::new(),
            by_epoch: HashMap::new(),
            next_session: 1,
            earlier: journal.stats().last_seq,
            journal,
            changes: Vec::new(),
            unsaved: HashSet::new(),
            answers: Vec::new(),
        };
        worker.restore(kept);
        worker
    }

    fn restore(&mut self, kept: Kept) {
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

    fn new_session(&self, id: u64, account: &str, client: &str) -> Arc<Session> {
        let wanted = Arc::clone(&self.shared.wanted);
        Arc::new(Session::new(id, account, client, wanted))
    }

    fn hold(&mut self, held: Held) {
        let key = (held.session.account.clone(), held.session.client.clone());
        self.by_client.insert(key.clone(), held.session.id);
        self.shared.known.write().insert(key);
        self.sessions.insert(held.session.id, held);
        let count = self.sessions.len();
        self.shared.stats.sessions.store(count, Ordering::Relaxed);
    }

    /// Moves messages until the journal is closed and all of it is routed. Blocks its thread.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn run(mut self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .context("starting the exchange's clockwork")?;
        runtime.block_on(self.work())
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        let mut next_commit = tokio::time::Instant::now();
        let mut next_tick = next_commit;
        let mut is_open = true;
        let mut batch = Vec::new();
        let shared = Arc::clone(&self.shared);
        while is_open {
            let is_idle = self.index.is_empty() && self.by_epoch.is_empty();
            tokio::select! {
                count = self.commands.recv_many(&mut batch, COMMANDS_AT_ONCE) => if count == 0 { is_open = false },
                moved = look(&mut self.durable, is_idle) => is_open = moved,
                () = shared.wanted.bell.notified() => {}
                () = tokio::time::sleep_until(next_tick.min(next_commit)), if !self.unsaved.is_empty() || !self.changes.is_empty() => {}
                () = tokio::time::sleep_until(next_tick) => {}
            }
            // a command sees all that was on disk when it came
            while let Ok(command) = self.commands.try_recv() {
                batch.push(command);
                if batch.len() >= COMMANDS_AT_ONCE {
                    break;
                }
            }
            let upto = self.durable.borrow_and_update().seq;
            self.route_upto(upto)?;
            for command in batch.drain(..) {
                self.handle(command);
            }
            let now = tokio::time::Instant::now();
            if now >= next_tick {
                self.tick();
                next_tick = now + TICK;
            }
            self.unsaved
                .extend(self.shared.wanted.sessions.lock().drain(..));
            let has_news = !self.unsaved.is_empty() || !self.changes.is_empty();
            // the cursor alone is worth a write only now and then
            let is_due = now >= next_commit && (has_news || is_idle_commit(now, next_commit));
            if !self.answers.is_empty() || is_due || !is_open {
                self.commit();
                next_commit = now + COMMIT_EVERY;
            }
        }
        // the connections have said good-bye before the journal was closed
        self.route_upto(Seq(u64::MAX))?;
        while let Ok(command) = self.commands.try_recv() {
            self.handle(command);
        }
        self.unsaved
            .extend(self.shared.wanted.sessions.lock().drain(..));
        self.commit();
        Ok(())
    }

    fn route_upto(&mut self, upto: Seq) -> anyhow::Result<()> {
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
    fn route(&mut self, seq: Seq, uplink: Uplink) {
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

    fn retain(&mut self, message: &Arc<Message>) {
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

    fn publish(&mut self, message: &Arc<Message>) {
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
    fn overflow(&mut self, id: u64) {
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

    fn handle(&mut self, command: Command) {
        match command {
            Command::Offer(message) => self.publish(&message),
            Command::Hears {
                account,
                topic,
                reply,
            } => drop(reply.send(self.listener_of(&account, &topic).is_some())),
            Command::Hand {
                account,
                message,
                reply,
            } => drop(reply.send(self.hand(&account, message))),
            Command::Attach(arrival, reply) => self.attach(arrival, reply),
            Command::Detach {
                session,
                epoch,
                expiry_s,
                departure,
            } => self.detach(&session, epoch, expiry_s, departure),
            Command::Subscribe {
                session,
                wishes,
                number,
                reply,
            } => {
                self.subscribe(&session, wishes, number);
                self.answer(session.is_persistent(), Answer::Done(reply));
            }
            Command::Unsubscribe {
                session,
                filters,
                reply,
            } => {
                let was = filters
                    .iter()
                    .map(|filter| self.unsubscribe(&session, filter))
                    .collect();
                let answer = Answer::Unsubscribed(reply, was);
                self.answer(session.is_persistent(), answer);
            }
            Command::Release(session, id, reply) => {
                session.unreleased.lock().remove(&id);
                self.changes.push(Change::DropUnreleased(session.id, id));
                self.answer(true, Answer::Done(reply));
            }
        }
    }

    /// The session of an account that is connected and hears a topic; the newest connection of several.
    fn listener_of(&self, account: &str, topic: &str) -> Option<Arc<Session>> {
        let matching = self.index.matching(topic).into_iter();
        let own = matching.filter(|s| s.session.account == account && s.session.is_attached());
        let newest = own.max_by_key(|s| s.session.holder())?;
        Some(Arc::clone(&newest.session))
    }

    /// Gives a message to one session and to no other; says whether it did.
    fn hand(&mut self, account: &str, message: Arc<Message>) -> bool {
        let Some(session) = self.listener_of(account, &message.topic) else {
            return false;
        };
        let is_queued = session.push(message, 0, false, Vec::new()).is_ok();
        if is_queued {
            self.shared.stats.routed.fetch_add(1, Ordering::Relaxed);
        }
        is_queued
    }

    fn answer(&mut self, waits: bool, answer: Answer) {
        if waits {
            self.answers.push(answer);
        } else {
            answer.give();
        }
    }

    fn attach(&mut self, arrival: Arrival, reply: oneshot::Sender<Attached>) {
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

    fn is_over(&self, id: u64) -> bool {
        let now = (self.clock)();
        self.sessions
            .get(&id)
            .and_then(Held::ends_at)
            .is_some_and(|at| at <= now)
    }

    /// Of the sessions whose client is away, the one that has been so longest goes.
    fn drop_oldest(&mut self) {
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

    fn detach(
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
    fn say_will(&mut self, id: u64) {
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

    fn forget(&mut self, id: u64) {
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

    fn subscribe(&mut self, session: &Arc<Session>, wishes: Vec<Wish>, number: Option<u32>) {
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
    fn enter_subscription(
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

    fn unsubscribe(&mut self, session: &Arc<Session>, filter: &str) -> bool {
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

    fn count_listeners(&self, filter: &str, more: bool) {
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

    /// What has become due: wills, ends of sessions, ends of retained messages.
    fn tick(&mut self) {
        let now = (self.clock)();
        let due_wills: Vec<u64> = self
            .sessions
            .values()
            .filter(|held| {
                held.will
                    .as_ref()
                    .is_some_and(|w| !w.is_said && w.row.due_at.is_some_and(|at| at <= now))
            })
            .map(|held| held.session.id)
            .collect();
        for id in due_wills {
            self.say_will(id);
        }
        let over: Vec<u64> = self
            .sessions
            .values()
            .filter(|held| !held.session.is_attached())
            .filter(|held| held.ends_at().is_some_and(|at| at <= now))
            .map(|held| held.session.id)
            .collect();
        for id in over {
            let waits_for_grace = self.sessions.get(&id).is_some_and(|held| {
                let will = held.will.as_ref();
                held.expiry_s == 0 && will.is_some_and(|w| !w.is_said)
            });
            if !waits_for_grace {
                // a session's end does not wait for its will's delay (MQTT 5.0 §3.1.3.2.2)
                self.say_will(id);
                self.forget(id);
            }
        }
        for topic in self.retained.expired(now) {
            self.retained.drop(&topic);
            self.changes.push(Change::DropRetained(topic));
        }
    }

    /// Writes what has changed, then gives the answers that waited for it.
    fn commit(&mut self) {
        let mut written: Vec<(Arc<Session>, Unsaved)> = Vec::new();
        let changes_before = self.changes.len();
        for id in std::mem::take(&mut self.unsaved) {
            let Some(held) = self.sessions.get(&id).filter(|held| held.is_kept) else {
                continue;
            };
            let unsaved = held.session.unsaved();
            self.changes
                .extend(unsaved.put.iter().cloned().map(Change::PutEntry));
            let drops = unsaved.drop.iter();
            self.changes
                .extend(drops.map(|place| Change::DropEntry(id, *place)));
            written.push((Arc::clone(&held.session), unsaved));
        }
        let cursor = self.reader.after();
        match self.store.commit(cursor, &self.changes) {
            Ok(()) => {
                self.changes.clear();
                for (session, unsaved) in &written {
                    session.is_saved(unsaved);
                }
                self.shared.routed.send_replace(cursor);
                for answer in self.answers.drain(..) {
                    answer.give();
                }
            }
            Err(e) => {
                error!(error = %e, "sessions cannot be written, whoever waits for it is turned away");
                metrics::counter!("hub_exchange_commit_failures_total").increment(1);
                self.changes.truncate(changes_before);
                for (session, unsaved) in written {
                    session.is_not_saved(unsaved);
                }
                // dropping an answer says that it cannot be done now
                self.answers.clear();
            }
        }
    }
}

/// Waits for the journal to move; while nobody waits for messages, only now and then. False when it is closed.
async fn look(durable: &mut watch::Receiver<Watermarks>, is_idle: bool) -> bool {
    if is_idle {
        tokio::time::sleep(IDLE).await;
    }
    durable.changed().await.is_ok()
}

fn is_idle_commit(now: tokio::time::Instant, last: tokio::time::Instant) -> bool {
    now.duration_since(last) >= Duration::from_secs(1)
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

fn unpack(bits: u8) -> SubscribeOptions {
    SubscribeOptions {
        qos: (bits & 0b11).min(2),
        no_local: bits & 0b100 != 0,
        retain_as_published: bits & 0b1000 != 0,
        retain_handling: (bits >> 4) & 0b11,
    }
}
