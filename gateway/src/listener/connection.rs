//! One connection: reads what its window allows, acknowledges what is on disk, delivers what its session is owed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use domain::{Lane, Uplink, UplinkExtra, UplinkFlags};
use store::journal::{AppendError, Room, Ticket, Watermarks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::futures::Notified;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;
use super::acl::{self, Principal, PrincipalKind};
use super::codec::{self, Ack, Fault, Outgoing, Packet, Publish, SubscribeOptions, Version};
use super::transport::Stream;
use crate::adapters::lane_of;
use crate::exchange::{self, Arrival, Delivery, Departure, Next, Session, Unreleased};

/// What is written is gathered up to this size before it is sent.
const OUT_BYTES: usize = 16 << 10;
/// Reading stops while so much lies undecoded because the window is full.
const IN_BYTES_MAX: usize = 256 << 10;
/// One read takes at least, and at most, so much; in between it follows what the client sends.
const READ_BYTES: (usize, usize) = (256, 64 << 10);
/// Topics that get an alias towards a client that takes some.
const ALIASES_OUT_MAX: u16 = 32;

/// What client and hub have agreed on.
pub(super) struct Terms {
    pub(super) version: Version,
    /// How long it may be silent; zero: for ever.
    pub(super) patience: Duration,
    /// Most unacknowledged messages towards the client.
    pub(super) receive_maximum: u16,
    /// Largest packet towards the client.
    pub(super) packet_bytes_max: usize,
    /// Most topic aliases towards the client.
    pub(super) topic_alias_max: u16,
    pub(super) wants_reasons: bool,
    /// How long the session outlives the connection.
    pub(super) expiry_s: u32,
}

/// An acknowledgement that waits for the disk, or only for its turn.
struct Pending {
    id: u16,
    kind: Ack,
    state: State,
}

enum State {
    /// Until the disk has it.
    Waits(Ticket),
    /// It can be said with this reason as soon as those before it are said.
    Decided(u8),
}

/// Why a connection ended.
enum End {
    /// The client said good-bye; its will is void.
    Clean,
    /// The client said good-bye and wants its will to be said.
    CleanWithWill,
    /// The connection broke, was silent for too long, or broke the rules.
    Lost(&'static str),
    /// A newer connection of the same client took its place.
    Takeover,
    /// The account, or what it may do, is no longer so.
    Revoked,
    /// The session has ended, with this reason.
    Session(u8),
    /// The hub stops.
    Shutdown,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: Stream,
    peer: SocketAddr,
    buffer: BytesMut,
    read_bytes: usize,
    out: BytesMut,
    terms: Terms,
    principal: Arc<Principal>,
    client: String,
    epoch: u64,
    gone: CancellationToken,
    durable: watch::Receiver<Watermarks>,
    pending: VecDeque<Pending>,
    /// QoS 2: taken, and not released by the client yet.
    unreleased: Unreleased,
    session: Option<Arc<Session>>,
    filters: HashSet<String>,
    aliases_in: HashMap<u16, String>,
    aliases_out: HashMap<String, u16>,
    /// The client changed it when it said good-bye.
    last_expiry_s: Option<u32>,
    bucket: Bucket,
    /// It was owed no acknowledgement for telemetry that there was no room for, and cannot be told so in 3.1.1: this moves when there is.
    unanswered: Option<watch::Receiver<Room>>,
}

impl Connection {
    #[expect(
        clippy::too_many_arguments,
        reason = "the handshake is its only caller and knows all of them"
    )]
    pub(super) fn new(
        shared: Arc<Shared>,
        socket: Stream,
        peer: SocketAddr,
        buffer: BytesMut,
        terms: Terms,
        principal: Arc<Principal>,
        client: String,
        epoch: u64,
        gone: CancellationToken,
        session: Option<Arc<Session>>,
    ) -> Self {
        let durable = shared.journal.watermarks();
        let bucket = Bucket::new(shared.limits.publishes_per_second_max);
        let unreleased = session
            .as_ref()
            .map(|session| session.unreleased())
            .unwrap_or_default();
        Self {
            shared,
            socket,
            peer,
            buffer,
            read_bytes: READ_BYTES.0,
            out: BytesMut::new(),
            terms,
            principal,
            client,
            epoch,
            gone,
            durable,
            pending: VecDeque::new(),
            unreleased,
            session,
            filters: HashSet::new(),
            aliases_in: HashMap::new(),
            aliases_out: HashMap::new(),
            last_expiry_s: None,
            bucket,
            unanswered: None,
        }
    }

    /// The client was gone before it heard that it was let in.
    pub(super) async fn abandon(self) {
        self.leave(Departure::Lost).await;
    }

    /// Serves it until it ends, and journals that it did. Of ten thousand connections most are idle, so whatever is not waiting for the next
    /// byte has its state on the heap, for as long as it takes.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let end = self.serve(&stop).await;
        Box::pin(self.end(end)).await;
    }

    async fn end(mut self, end: End) {
        let (reason, goodbye, departure) = match end {
            End::Clean => ("disconnect", None, Departure::Goodbye),
            End::CleanWithWill => ("disconnect", None, Departure::Lost),
            End::Lost(why) => (why, None, Departure::Lost),
            End::Takeover | End::Session(0x8e) => ("takeover", Some(0x8e), Departure::Lost),
            End::Revoked => ("revoked", Some(0x87), Departure::Lost),
            End::Session(code) => ("session", Some(code), Departure::Lost),
            End::Shutdown => ("shutdown", Some(0x8b), Departure::HubEnds),
        };
        if let Some(reason) = goodbye
            && self.terms.version == Version::V5
        {
            codec::disconnect(&mut self.out, reason, None);
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), self.flush()).await;
        let epoch = match self.principal.kind {
            PrincipalKind::Device { .. } => Some(self.epoch),
            // as long as one of its connections stands it can be reached
            PrincipalKind::Bridge if departure != Departure::HubEnds => {
                let (presence, account) = (&self.shared.presence, &self.principal.id);
                presence.last_goes(account, &self.client, self.epoch)
            }
            // that the next run tells, if it stays away
            PrincipalKind::Bridge | PrincipalKind::Integration => None,
        };
        if let Some(epoch) = epoch {
            let peer = self.peer.to_string();
            self.shared
                .notes
                .presence(&self.principal.id, epoch, "offline", reason, &peer)
                .await;
        }
        debug!(device.id = %self.principal.id, reason, "connection ended");
        self.leave(departure).await;
    }

    async fn leave(self, departure: Departure) {
        self.shared
            .presence
            .leave(&self.principal.id, &self.client, self.epoch);
        if let Some(session) = self.session {
            self.shared
                .exchange
                .detach(session, self.epoch, self.last_expiry_s, departure)
                .await;
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) -> End {
        let mut heard = Instant::now();
        let silence = tokio::time::sleep(self.terms.patience.max(Duration::from_secs(1)));
        tokio::pin!(silence);
        loop {
            // the bell is taken in hand before anybody looks what there is
            let session = self.session.clone();
            let bell = session.as_ref().map(|session| session.woken());
            // everything that is there, then one write
            if !self.buffer.is_empty()
                && let Err(end) = Box::pin(self.decode()).await
            {
                return end;
            }
            let was_full = !self.has_room();
            self.acknowledge();
            let has_more = match self.deliver() {
                Ok(has_more) => has_more,
                Err(end) => return end,
            };
            if self.flush().await.is_err() {
                return End::Lost("error");
            }
            let is_new_session = session.is_none() && self.session.is_some();
            if has_more || is_new_session || (was_full && self.has_room()) {
                continue; // nothing else would wake us for what lies here already
            }
            let is_window_open = self.has_room() && self.buffer.len() < IN_BYTES_MAX;
            tokio::select! {
                () = stop.cancelled() => {
                    Box::pin(self.finish()).await;
                    return End::Shutdown;
                }
                () = self.gone.cancelled() => return End::Takeover,
                () = self.principal.revoked.cancelled() => return End::Revoked,
                read = read_some(&mut self.socket, &mut self.buffer, &mut self.read_bytes, self.bucket.wait()), if is_window_open => match read {
                    Ok(0) => return End::Lost("closed"),
                    Ok(_) => heard = Instant::now(),
                    Err(_) => return End::Lost("error"),
                },
                moved = self.durable.changed(), if !self.pending.is_empty() => {
                    // the journal has failed: without acknowledgement the client keeps what it has
                    if moved.is_err() {
                        return End::Lost("journal");
                    }
                }
                () = rung(bell) => {}
                // it comes back, and sends again what was not acknowledged
                () = has_room_again(self.unanswered.as_mut()) => return End::Lost("room"),
                () = &mut silence, if !self.terms.patience.is_zero() => {
                    let due = heard + self.terms.patience;
                    if due <= Instant::now() {
                        return End::Lost("keepalive");
                    }
                    silence.as_mut().reset(due);
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.pending.len() < usize::from(self.shared.limits.receive_maximum)
    }

    /// Handles every whole packet in the buffer, as far as the window allows.
    async fn decode(&mut self) -> Result<(), End> {
        let bytes_max = self.shared.limits.packet_bytes_max;
        while self.has_room() {
            match codec::decode(&mut self.buffer, Some(self.terms.version), bytes_max) {
                Ok(None) => break,
                Ok(Some(packet)) => {
                    if let Err(end) = self.handle(packet).await? {
                        return Err(self.fail(end).await);
                    }
                }
                Err(fault) => return Err(self.fail(fault).await),
            }
        }
        if self.buffer.is_empty() && self.buffer.capacity() > READ_BYTES.0 {
            self.buffer = BytesMut::new();
        }
        Ok(())
    }

    /// The client broke the protocol: it is told why where the protocol can say it.
    async fn fail(&mut self, fault: Fault) -> End {
        self.shared.refuse("protocol");
        let what = match fault.code {
            0x95 => "oversize",
            0x90 => "topic",
            _ => "protocol",
        };
        let detail = format!("`{}`: {}", self.principal.id, fault.what);
        self.shared
            .notes
            .refused(&self.principal.id, what, &detail, "")
            .await;
        if self.terms.version == Version::V5 {
            let words = self.terms.wants_reasons.then_some(fault.what.as_str());
            codec::disconnect(&mut self.out, fault.code, words);
        }
        End::Lost("protocol")
    }

    /// The outer error ends the connection, the inner one is the client's fault.
    async fn handle(&mut self, packet: Packet) -> Result<Result<(), Fault>, End> {
        let version = self.terms.version;
        match packet {
            Packet::Publish(publish) => return self.publish(publish).await,
            Packet::Ack(kind, id, reason) => return self.acked(kind, id, reason).await,
            Packet::Subscribe {
                id,
                filters,
                subscription,
            } => self.subscribe(id, filters, subscription).await?,
            Packet::Unsubscribe { id, filters } => self.unsubscribe(id, filters).await?,
            Packet::Ping => codec::pong(&mut self.out),
            Packet::Disconnect {
                reason,
                session_expiry_s,
            } => {
                if let Some(expiry) = session_expiry_s {
                    if self.terms.expiry_s == 0 && expiry > 0 {
                        let what = "a session expiry in DISCONNECT, and none in CONNECT";
                        return Ok(Err(Fault::protocol(what)));
                    }
                    let most = self.shared.limits.session_expiry_s_max;
                    self.last_expiry_s = Some(expiry.min(most));
                }
                let is_clean = version == Version::V4 || reason == 0;
                return Err(if is_clean {
                    End::Clean
                } else {
                    End::CleanWithWill
                });
            }
            Packet::Connect(_) => return Ok(Err(Fault::protocol("a second CONNECT"))),
        }
        Ok(Ok(()))
    }

    async fn publish(&mut self, publish: Publish) -> Result<Result<(), Fault>, End> {
        let Publish {
            mut topic,
            payload,
            id,
            qos,
            dup,
            retain,
            alias,
            expiry_s,
            forwarded,
        } = publish;
        if let Some(alias) = alias {
            if alias > self.shared.limits.topic_alias_maximum {
                return Ok(Err(Fault::new(0x94, "a topic alias above the maximum")));
            }
            if topic.is_empty() {
                match self.aliases_in.get(&alias) {
                    Some(known) => known.clone_into(&mut topic),
                    None => {
                        return Ok(Err(Fault::protocol(
                            "a topic alias that stands for nothing",
                        )));
                    }
                }
            } else {
                self.aliases_in.insert(alias, topic.clone());
            }
        }
        self.shared.stats.received.fetch_add(1, Ordering::Relaxed);
        let kind = if qos == 2 { Ack::PubRec } else { Ack::PubAck };
        let limits = &self.shared.limits;
        if qos == 2 {
            let known = self.unreleased.lock().get(&id).copied();
            if let Some(ticket) = known {
                // sent again before it was released: taken already. Its PUBREC is on its way, or was lost
                let is_on_its_way = self
                    .pending
                    .iter()
                    .any(|p| p.id == id && p.kind == Ack::PubRec);
                if !is_on_its_way {
                    let state = ticket.map_or(State::Decided(0), State::Waits);
                    self.pending.push_back(Pending { id, kind, state });
                }
                return Ok(Ok(()));
            }
            if self.unreleased.lock().len() >= usize::from(limits.receive_maximum) {
                let what = "more unreleased QoS 2 messages than offered";
                return Ok(Err(Fault::new(0x93, what)));
            }
        }
        let is_long = topic.len() > limits.topic_bytes_max
            || topic.split('/').count() > limits.topic_levels_max;
        if is_long || !self.principal.may_publish(&topic) {
            return self.deny(&topic, qos, id, kind).await.map(Ok);
        }
        let lane = lane_of(&topic, &self.shared.formats);
        if lane == Lane::Telemetry {
            self.bucket.take();
        }
        let flags = UplinkFlags::new(qos);
        let flags = if dup { flags.with_dup() } else { flags };
        let has_extra = qos == 2 || expiry_s.is_some() || !forwarded.bytes().is_empty();
        let uplink = Uplink {
            received_at: (self.shared.clock)(),
            principal: self.principal.id.clone(),
            epoch: self.epoch,
            flags: if retain { flags.with_retain() } else { flags },
            topic,
            payload,
            extra: has_extra.then(|| {
                Box::new(UplinkExtra {
                    packet_id: if qos == 2 { id } else { 0 },
                    expiry_s,
                    properties: forwarded.bytes().clone(),
                })
            }),
        };
        let taken = match self.shared.journal.try_append(lane, uplink) {
            // the lane is full: this connection waits, and with it whoever sends through it
            Err(AppendError::Full(uplink)) => {
                self.flush().await.map_err(|()| End::Lost("error"))?;
                self.shared.journal.append(lane, *uplink).await
            }
            other => other,
        };
        match taken {
            Ok(ticket) if qos > 0 => {
                if qos == 2 {
                    self.unreleased.lock().insert(id, Some(ticket));
                }
                let state = State::Waits(ticket);
                self.pending.push_back(Pending { id, kind, state });
            }
            Ok(_) => {}
            Err(AppendError::NoRoom) => self.no_room(qos, id, kind).await,
            Err(_) => return Err(End::Lost("journal")),
        }
        Ok(Ok(()))
    }

    /// What room the disk has left is for alarms. Version 5 is told; in 3.1.1 the message stays unacknowledged, so the client keeps it.
    async fn no_room(&mut self, qos: u8, id: u16, kind: Ack) {
        self.shared.stats.shed.fetch_add(1, Ordering::Relaxed);
        let detail = format!("telemetry of `{}`: the disk is full", self.principal.id);
        self.shared
            .notes
            .refused(&self.principal.id, "no_room", &detail, "")
            .await;
        match self.terms.version {
            _ if qos == 0 => {}
            Version::V4 => {
                let room = self.shared.journal.room();
                self.unanswered.get_or_insert(room);
            }
            Version::V5 => {
                let state = State::Decided(0x97);
                self.pending.push_back(Pending { id, kind, state });
            }
        }
    }

    /// Version 5 can say no; in 3.1.1 an acknowledgement would be a lie, so the connection ends (3.1.1 §3.3.5).
    async fn deny(&mut self, topic: &str, qos: u8, id: u16, kind: Ack) -> Result<(), End> {
        self.shared.stats.denied.fetch_add(1, Ordering::Relaxed);
        let shown: String = topic.chars().take(100).collect();
        let detail = format!("`{}` may not publish on `{shown}`", self.principal.id);
        self.shared
            .notes
            .refused(&self.principal.id, "acl_publish", &detail, topic)
            .await;
        match self.terms.version {
            Version::V4 => Err(End::Lost("acl")),
            Version::V5 => {
                if qos > 0 {
                    let state = State::Decided(0x87);
                    self.pending.push_back(Pending { id, kind, state });
                }
                Ok(())
            }
        }
    }

    /// The client has acknowledged what we sent, or releases what it sent.
    async fn acked(&mut self, kind: Ack, id: u16, reason: u8) -> Result<Result<(), Fault>, End> {
        let version = self.terms.version;
        if kind == Ack::PubRel {
            let is_known = self.unreleased.lock().contains_key(&id);
            if is_known && let Some(session) = self.session.clone() {
                let released = self.shared.exchange.release(&session, id).await;
                released.map_err(|_| End::Session(0x88))?;
            }
            self.unreleased.lock().remove(&id);
            let reason = if is_known { 0 } else { 0x92 };
            codec::ack(&mut self.out, version, Ack::PubComp, id, reason);
            return Ok(Ok(()));
        }
        let Some(session) = &self.session else {
            return Ok(Ok(())); // for what an earlier connection was sent
        };
        match kind {
            Ack::PubRec if reason >= 0x80 => session.abandon(id),
            Ack::PubRec => {
                if !session.received(id) {
                    codec::ack(&mut self.out, version, Ack::PubRel, id, 0x92);
                }
            }
            Ack::PubComp => {
                session.completed(id);
            }
            _ => {
                session.acknowledged(id);
            }
        }
        Ok(Ok(()))
    }

    async fn subscribe(
        &mut self,
        id: u16,
        filters: Vec<(String, SubscribeOptions)>,
        number: Option<u32>,
    ) -> Result<(), End> {
        let mut codes = Vec::with_capacity(filters.len());
        let mut granted = Vec::new();
        // what a device hears is meant for itself
        let is_device = matches!(self.principal.kind, PrincipalKind::Device { .. });
        for (filter, options) in filters {
            let shared_filter = exchange::shared(&filter);
            let inner = shared_filter.map_or(filter.as_str(), |(_, inner)| inner);
            let is_bad_share = filter.starts_with("$share/") && shared_filter.is_none();
            let count = self.filters.len();
            let code = if is_bad_share || !acl::is_filter(inner) {
                (0x80, 0x8f)
            } else if !self.principal.may_subscribe(inner) || (shared_filter.is_some() && is_device)
            {
                self.shared.stats.denied.fetch_add(1, Ordering::Relaxed);
                let shown: String = filter.chars().take(100).collect();
                let detail = format!("`{}` may not subscribe to `{shown}`", self.principal.id);
                self.shared
                    .notes
                    .refused(&self.principal.id, "acl_subscribe", &detail, &filter)
                    .await;
                (0x80, 0x87)
            } else if count >= self.shared.limits.subscriptions_max
                && !self.filters.contains(&filter)
            {
                (0x80, 0x97)
            } else {
                self.filters.insert(filter.clone());
                granted.push((filter, options));
                (options.qos, options.qos)
            };
            codes.push(if self.terms.version == Version::V4 {
                code.0
            } else {
                code.1
            });
        }
        if !granted.is_empty() {
            let session = self.session().await?;
            let done = self.shared.exchange.subscribe(&session, granted, number);
            done.await.map_err(|_| End::Session(0x88))?;
        }
        codec::suback(&mut self.out, self.terms.version, id, &codes);
        Ok(())
    }

    /// The session; one that lasts as long as the connection is made when it is first needed.
    async fn session(&mut self) -> Result<Arc<Session>, End> {
        if let Some(session) = &self.session {
            return Ok(Arc::clone(session));
        }
        let arrival = Arrival {
            account: self.principal.id.clone(),
            client: self.client.clone(),
            epoch: self.epoch,
            clean_start: true,
            expiry_s: 0,
            will: None,
        };
        let attached = self.shared.exchange.attach(arrival).await;
        let session = attached.map_err(|_| End::Session(0x88))?.session;
        self.session = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn unsubscribe(&mut self, id: u16, filters: Vec<String>) -> Result<(), End> {
        for filter in &filters {
            self.filters.remove(filter);
        }
        let codes: Vec<u8> = match self.session.clone() {
            Some(session) => {
                let was = self.shared.exchange.unsubscribe(&session, filters).await;
                let was = was.map_err(|_| End::Session(0x88))?;
                was.iter().map(|was| if *was { 0 } else { 0x11 }).collect()
            }
            None => vec![0x11; filters.len()],
        };
        codec::unsuback(&mut self.out, self.terms.version, id, &codes);
        Ok(())
    }

    /// Puts what the session is owed into the out buffer, as far as it goes. True when there is more.
    fn deliver(&mut self) -> Result<bool, End> {
        let Some(session) = self.session.clone() else {
            return Ok(false);
        };
        let window = usize::from(self.terms.receive_maximum);
        while self.out.len() < OUT_BYTES {
            match session.next(self.epoch, window, (self.shared.clock)()) {
                Next::Wait => return Ok(false),
                Next::Gone(reason) => return Err(End::Session(reason)),
                Next::Release(id) => {
                    codec::ack(&mut self.out, self.terms.version, Ack::PubRel, id, 0);
                }
                Next::Deliver(delivery) => self.send(&session, &delivery),
            }
        }
        Ok(true)
    }

    fn send(&mut self, session: &Session, delivery: &Delivery) {
        let message = &delivery.message;
        let left = message.expires_at.map(|at| {
            let left = at.as_second() - (self.shared.clock)().as_second();
            u32::try_from(left.max(1)).unwrap_or(u32::MAX)
        });
        let (topic, alias) = self.alias(&message.topic);
        let packet = Outgoing {
            topic: if topic { &message.topic } else { "" },
            payload: &message.payload,
            qos: delivery.qos,
            id: delivery.id,
            dup: delivery.dup,
            retain: delivery.retain,
            expiry_s: left,
            alias,
            subscriptions: &delivery.subscriptions,
            forwarded: &message.forwarded,
        };
        if packet.bytes(self.terms.version) > self.terms.packet_bytes_max {
            // MQTT 5.0 §3.1.2.11.4: too large for this client, as if it had been delivered
            if let (true, Some(alias)) = (topic, alias) {
                self.aliases_out.retain(|_, known| *known != alias);
            }
            metrics::counter!("hub_listener_too_large_for_client_total").increment(1);
            session.abandon(delivery.id);
            return;
        }
        codec::publish(&mut self.out, self.terms.version, &packet);
    }

    /// Whether the topic has to be written out, and the alias for it.
    fn alias(&mut self, topic: &str) -> (bool, Option<u16>) {
        let most = self.terms.topic_alias_max.min(ALIASES_OUT_MAX);
        if most == 0 {
            return (true, None);
        }
        if let Some(alias) = self.aliases_out.get(topic) {
            return (false, Some(*alias));
        }
        let next = u16::try_from(self.aliases_out.len() + 1).unwrap_or(u16::MAX);
        if next > most {
            return (true, None);
        }
        self.aliases_out.insert(topic.to_owned(), next);
        (true, Some(next))
    }

    /// Puts every acknowledgement whose message is on disk into the out buffer, in order.
    fn acknowledge(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let durable = *self.durable.borrow_and_update();
        let mut sent = 0;
        while let Some(Pending { id, kind, state }) = self.pending.front() {
            let reason = match state {
                State::Waits(ticket) if durable.cover(*ticket) => {
                    sent += 1;
                    0
                }
                State::Waits(_) => break,
                State::Decided(reason) => *reason,
            };
            codec::ack(&mut self.out, self.terms.version, *kind, *id, reason);
            self.pending.pop_front();
        }
        self.shared
            .stats
            .acknowledged
            .fetch_add(sent, Ordering::Relaxed);
    }

    /// Writes what has gathered. A client that does not take it in time is cut off.
    async fn flush(&mut self) -> Result<(), ()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let deadline = self.shared.limits.write_deadline;
        let written = tokio::time::timeout(deadline, async {
            self.socket.write_all(&self.out).await?;
            self.socket.flush().await
        })
        .await;
        self.out.clear();
        if self.out.capacity() > READ_BYTES.0 {
            self.out = BytesMut::new();
        }
        match written {
            Ok(Ok(())) => Ok(()),
            _ => Err(()),
        }
    }

    /// The hub stops: what was taken is still acknowledged, as far as the disk gets to it in time.
    async fn finish(&mut self) {
        let all = async {
            while !self.pending.is_empty() {
                if self.durable.changed().await.is_err() {
                    break;
                }
                self.acknowledge();
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), all).await;
    }
}

async fn read_some(
    socket: &mut Stream,
    buffer: &mut BytesMut,
    bytes: &mut usize,
    wait: Duration,
) -> std::io::Result<usize> {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    buffer.reserve(*bytes);
    let read = socket.read_buf(buffer).await?;
    // an idle client costs a small buffer, a busy one few system calls
    let next = if read >= *bytes {
        *bytes * 4
    } else {
        read.next_power_of_two() * 2
    };
    *bytes = next.clamp(READ_BYTES.0, READ_BYTES.1);
    Ok(read)
}

/// Waits until telemetry is taken; without somebody who waits for it, for ever.
async fn has_room_again(room: Option<&mut watch::Receiver<Room>>) {
    let is_over = match room {
        Some(room) => room.wait_for(|r| !r.refuses_telemetry()).await.is_ok(),
        None => false,
    };
    if !is_over {
        // nobody waits, or the journal is closed, which the watermarks tell
        std::future::pending::<()>().await;
    }
}

/// Waits for the session's bell; without a session, for ever.
async fn rung(bell: Option<Notified<'_>>) {
    match bell {
        Some(bell) => bell.await,
        None => std::future::pending().await,
    }
}

/// A token bucket of one second's worth: whoever empties it is read from later, never dropped.
struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_second_max: u32) -> Self {
        let per_second = f64::from(per_second_max);
        Self {
            per_second,
            tokens: per_second,
            filled: Instant::now(),
        }
    }

    fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// How long to wait before reading on.
    fn wait(&mut self) -> Duration {
        if self.tokens > 0.0 {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let gained = now.duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.per_second);
        self.filled = now;
        if self.tokens > 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64((1.0 - self.tokens) / self.per_second)
        }
    }
}
