//! The one thread that moves messages: reads the journal, matches, queues, keeps.

mod route;
mod sessions;
mod subscriptions;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use domain::{Seq, Timestamp};
use store::journal::{Journal, Reader, Watermarks};
use store::sessions::{Change, Kept, SessionRow, SessionStore, WillRow};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use super::index::{Index, Subscription};
use super::retained::Retained;
use super::session::{Message, Session, Unsaved};
use super::{Attached, Command, Shared};
use crate::adapters::Formats;

/// Commands that are handled together.
const COMMANDS_AT_ONCE: usize = 1024;
/// What nobody waits for is written this often.
const COMMIT_EVERY: Duration = Duration::from_millis(50);
/// How often sessions, wills and retained messages are looked at for their time.
const TICK: Duration = Duration::from_millis(250);
/// While nobody subscribes, the journal is looked at this often for what is to be retained.
const IDLE: Duration = Duration::from_millis(20);

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
