//! One connection: reads what its window allows, acknowledges what is on disk, delivers what it subscribes to.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{Lane, Uplink, UplinkFlags};
use store::journal::{AppendError, Ticket, Watermarks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;
use super::acl::{self, Principal, PrincipalKind};
use super::codec::{self, Fault, Incoming, Publish, Version};
use super::transport::Stream;
use crate::adapters::lane_of;
use crate::fanout::{Delivery, Session};

/// What is written is gathered up to this size before it is sent.
const OUT_BYTES: usize = 16 << 10;
/// Reading stops while so much lies undecoded because the window is full.
const IN_BYTES_MAX: usize = 256 << 10;

/// What a client asked to be said when it vanishes.
#[derive(Debug, Clone)]
pub(super) struct Will {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) qos: u8,
    pub(super) retain: bool,
}

/// A publish whose acknowledgement waits for the disk, or, when refused, for its turn.
struct Pending {
    id: u16,
    first: u8,
    /// None: refused with reason 0x87, which waits only for those before it.
    ticket: Option<Ticket>,
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
    /// The hub stops.
    Shutdown,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: Stream,
    peer: SocketAddr,
    buffer: BytesMut,
    out: BytesMut,
    version: Version,
    principal: Arc<Principal>,
    client: String,
    epoch: u64,
    gone: CancellationToken,
    will: Option<Will>,
    /// How long it may be silent; zero: for ever.
    patience: Duration,
    durable: watch::Receiver<Watermarks>,
    pending: VecDeque<Pending>,
    /// QoS 2: taken, and not released by the client yet.
    unreleased: HashSet<u16>,
    session: Option<Session>,
    /// Filters of a device below its own commands: granted, and served from elsewhere.
    own_filters: HashSet<String>,
    /// QoS 1 deliveries that the client has not acknowledged.
    in_flight: HashSet<u16>,
    in_flight_max: usize,
    next_id: u16,
    their_packet_bytes_max: usize,
    bucket: Bucket,
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
        version: Version,
        principal: Arc<Principal>,
        client: String,
        epoch: u64,
        gone: CancellationToken,
        will: Option<Will>,
        patience: Duration,
        receive_maximum: u16,
        their_packet_bytes_max: usize,
    ) -> Self {
        let durable = shared.journal.watermarks();
        let bucket = Bucket::new(shared.limits.publishes_per_second_max);
        Self {
            shared,
            socket,
            peer,
            buffer,
            out: BytesMut::with_capacity(1024),
            version,
            principal,
            client,
            epoch,
            gone,
            will,
            patience,
            durable,
            pending: VecDeque::new(),
            unreleased: HashSet::new(),
            session: None,
            own_filters: HashSet::new(),
            in_flight: HashSet::new(),
            in_flight_max: usize::from(receive_maximum),
            next_id: 1,
            their_packet_bytes_max,
            bucket,
        }
    }

    /// Serves it until it ends, and journals that it did.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let end = self.serve(&stop).await;
        let (reason, goodbye, with_will) = match end {
            End::Clean => ("disconnect", None, false),
            End::CleanWithWill => ("disconnect", None, true),
            End::Lost(why) => (why, None, true),
            End::Takeover => ("takeover", Some(0x8e), true),
            End::Revoked => ("revoked", Some(0x87), true),
            End::Shutdown => ("shutdown", Some(0x8b), true),
        };
        if let Some(reason) = goodbye
            && self.version == Version::V5
        {
            codec::disconnect(&mut self.out, reason);
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), self.flush()).await;
        self.shared
            .presence
            .leave(&self.principal.id, &self.client, self.epoch);
        if let Some(will) = self.will.take().filter(|_| with_will) {
            let said = self.uplink(
                will.topic,
                will.payload,
                UplinkFlags::new(will.qos),
                will.retain,
            );
            let lane = lane_of(&said.topic);
            if self.shared.journal.append(lane, said).await.is_err() {
                debug!("will not journalled");
            }
        }
        if matches!(self.principal.kind, PrincipalKind::Device { .. }) {
            let peer = self.peer.to_string();
            self.shared
                .notes
                .presence(&self.principal.id, self.epoch, "offline", reason, &peer)
                .await;
        }
        debug!(device.id = %self.principal.id, reason, "connection ended");
    }

    async fn serve(&mut self, stop: &CancellationToken) -> End {
        let mut heard = Instant::now();
        let silence = tokio::time::sleep(self.patience.max(Duration::from_secs(1)));
        tokio::pin!(silence);
        loop {
            // everything that is there, then one write
            if let Err(end) = self.decode().await {
                return end;
            }
            let was_full = !self.has_room();
            self.acknowledge();
            if self.flush().await.is_err() {
                return End::Lost("error");
            }
            if was_full && self.has_room() {
                continue; // whole packets may lie in the buffer, and nothing else would wake us for them
            }
            let is_window_open = self.has_room() && self.buffer.len() < IN_BYTES_MAX;
            let may_deliver = self.in_flight.len() < self.in_flight_max;
            tokio::select! {
                () = stop.cancelled() => {
                    self.finish().await;
                    return End::Shutdown;
                }
                () = self.gone.cancelled() => return End::Takeover,
                () = self.principal.revoked.cancelled() => return End::Revoked,
                read = read_some(&mut self.socket, &mut self.buffer, self.bucket.wait()), if is_window_open => match read {
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
                delivery = next_delivery(&mut self.session), if may_deliver => match delivery {
                    Some(delivery) => self.deliver(&delivery),
                    None => return End::Lost("fan-out"),
                },
                () = &mut silence, if !self.patience.is_zero() => {
                    let due = heard + self.patience;
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
        while self.has_room() {
            match codec::next(
                &mut self.buffer,
                self.version,
                self.shared.limits.packet_bytes_max,
            ) {
                Ok(None) => return Ok(()),
                Ok(Some(incoming)) => self.handle(incoming).await?,
                Err(fault) => return Err(self.fail(fault).await),
            }
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
        if self.version == Version::V5 {
            codec::disconnect(&mut self.out, fault.code);
        }
        End::Lost("protocol")
    }

    async fn handle(&mut self, incoming: Incoming) -> Result<(), End> {
        match incoming {
            Incoming::Publish(publish) => self.publish(publish).await?,
            Incoming::Acknowledged(id) => {
                self.in_flight.remove(&id);
            }
            Incoming::Release(id) => {
                self.unreleased.remove(&id);
                codec::ack(&mut self.out, codec::PUBCOMP, id);
            }
            Incoming::Subscribe { id, filters } => self.subscribe(id, filters).await?,
            Incoming::Unsubscribe { id, filters } => self.unsubscribe(id, &filters),
            Incoming::Ping => codec::pong(&mut self.out),
            Incoming::Disconnect { with_will: false } => return Err(End::Clean),
            Incoming::Disconnect { with_will: true } => return Err(End::CleanWithWill),
        }
        Ok(())
    }

    async fn publish(&mut self, publish: Publish) -> Result<(), End> {
        let Publish {
            topic,
            payload,
            id,
            qos,
            dup,
            retain,
        } = publish;
        self.shared.stats.received.fetch_add(1, Ordering::Relaxed);
        let first = if qos == 2 {
            codec::PUBREC
        } else {
            codec::PUBACK
        };
        let limits = &self.shared.limits;
        let is_long = topic.len() > limits.topic_bytes_max
            || topic.split('/').count() > limits.topic_levels_max;
        if is_long || !self.principal.may_publish(&topic) {
            return self.deny(&topic, qos, id, first).await;
        }
        if qos == 2 && !self.unreleased.insert(id) {
            // sent again before it was released: taken already. Its PUBREC is on its way, or was lost
            if !self
                .pending
                .iter()
                .any(|p| p.id == id && p.first == codec::PUBREC)
            {
                codec::ack(&mut self.out, codec::PUBREC, id);
            }
            return Ok(());
        }
        if self.unreleased.len() > usize::from(limits.receive_maximum) {
            return Err(self
                .fail(Fault {
                    code: 0x93,
                    what: "more unreleased QoS 2 messages than offered".to_owned(),
                })
                .await);
        }
        let mut flags = UplinkFlags::new(qos);
        if dup {
            flags = flags.with_dup();
        }
        let lane = lane_of(&topic);
        if lane == Lane::Telemetry {
            self.bucket.take();
        }
        let uplink = self.uplink(topic, payload, flags, retain);
        let taken = match self.shared.journal.try_append(lane, uplink) {
            // the lane is full: this connection waits, and with it whoever sends through it
            Err(AppendError::Full(uplink)) => {
                self.flush().await.map_err(|()| End::Lost("error"))?;
                self.shared.journal.append(lane, *uplink).await
            }
            other => other,
        };
        match taken {
            Ok(ticket) if qos > 0 => self.pending.push_back(Pending {
                id,
                first,
                ticket: Some(ticket),
            }),
            Ok(_) => {}
            Err(_) => return Err(End::Lost("journal")),
        }
        Ok(())
    }

    fn uplink(&self, topic: String, payload: Bytes, flags: UplinkFlags, retain: bool) -> Uplink {
        Uplink {
            received_at: (self.shared.clock)(),
            principal: self.principal.id.clone(),
            epoch: self.epoch,
            flags: if retain { flags.with_retain() } else { flags },
            topic,
            payload,
        }
    }

    /// Version 5 can say no; in 3.1.1 an acknowledgement would be a lie, so the connection ends (3.1.1 §3.3.5).
    async fn deny(&mut self, topic: &str, qos: u8, id: u16, first: u8) -> Result<(), End> {
        self.shared.stats.denied.fetch_add(1, Ordering::Relaxed);
        let shown: String = topic.chars().take(100).collect();
        let detail = format!("`{}` may not publish on `{shown}`", self.principal.id);
        self.shared
            .notes
            .refused(&self.principal.id, "acl_publish", &detail, topic)
            .await;
        match self.version {
            Version::V4 => Err(End::Lost("acl")),
            Version::V5 => {
                if qos > 0 {
                    self.pending.push_back(Pending {
                        id,
                        first,
                        ticket: None,
                    });
                }
                Ok(())
            }
        }
    }

    async fn subscribe(&mut self, id: u16, filters: Vec<(String, u8)>) -> Result<(), End> {
        let mut codes = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            let count = self.own_filters.len() + self.session.as_ref().map_or(0, Session::len);
            let code = if !acl::is_filter(&filter) {
                (0x80, 0x8f)
            } else if !self.principal.may_subscribe(&filter) {
                self.shared.stats.denied.fetch_add(1, Ordering::Relaxed);
                let shown: String = filter.chars().take(100).collect();
                let detail = format!("`{}` may not subscribe to `{shown}`", self.principal.id);
                self.shared
                    .notes
                    .refused(&self.principal.id, "acl_subscribe", &detail, &filter)
                    .await;
                (0x80, 0x87)
            } else if count >= self.shared.limits.subscriptions_max {
                (0x80, 0x97)
            } else {
                self.grant(filter, qos.min(1)).await?
            };
            codes.push(if self.version == Version::V4 {
                code.0
            } else {
                code.1
            });
        }
        codec::suback(&mut self.out, self.version, id, &codes);
        Ok(())
    }

    async fn grant(&mut self, filter: String, qos: u8) -> Result<(u8, u8), End> {
        if matches!(self.principal.kind, PrincipalKind::Device { .. }) {
            self.own_filters.insert(filter);
            return Ok((qos, qos));
        }
        if self.session.is_none() {
            match self.shared.fanout.attach().await {
                Ok(session) => self.session = Some(session),
                Err(e) => {
                    debug!(error = %e, "fan-out session refused");
                    return Ok((0x80, 0x97));
                }
            }
        }
        let Some(session) = &mut self.session else {
            return Ok((0x80, 0x80));
        };
        session
            .subscribe(&filter, qos)
            .map_err(|_| End::Lost("fan-out"))?;
        Ok((qos, qos))
    }

    fn unsubscribe(&mut self, id: u16, filters: &[String]) {
        let mut codes = Vec::with_capacity(filters.len());
        for filter in filters {
            let was_ours = self.own_filters.remove(filter);
            let was_there =
                was_ours || self.session.as_mut().is_some_and(|s| s.unsubscribe(filter));
            codes.push(if was_there { 0x00 } else { 0x11 });
        }
        if self.session.as_ref().is_some_and(Session::is_empty) {
            self.session = None;
        }
        codec::unsuback(&mut self.out, self.version, id, &codes);
    }

    fn deliver(&mut self, delivery: &Delivery) {
        if delivery.payload.len() + delivery.topic.len() + 16 > self.their_packet_bytes_max {
            return; // MQTT 5.0 §3.1.2.11.4: too large for this client, as if it had been delivered
        }
        let id = (delivery.qos > 0).then(|| {
            while self.next_id == 0 || self.in_flight.contains(&self.next_id) {
                self.next_id = self.next_id.wrapping_add(1);
            }
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            self.in_flight.insert(id);
            id
        });
        codec::publish(
            &mut self.out,
            self.version,
            &delivery.topic,
            &delivery.payload,
            id,
        );
    }

    /// Puts every acknowledgement whose message is on disk into the out buffer, in order.
    fn acknowledge(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let durable = *self.durable.borrow_and_update();
        let mut sent = 0;
        while let Some(Pending { id, first, ticket }) = self.pending.front() {
            match ticket {
                Some(ticket) if durable.cover(*ticket) => {
                    codec::ack(&mut self.out, *first, *id);
                    sent += 1;
                }
                Some(_) => break,
                None => codec::ack_with_reason(&mut self.out, *first, *id, 0x87),
            }
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
        let written = tokio::time::timeout(deadline, self.socket.write_all(&self.out)).await;
        self.out.clear();
        if self.out.capacity() > OUT_BYTES {
            self.out = BytesMut::with_capacity(1024);
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
    wait: Duration,
) -> std::io::Result<usize> {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    buffer.reserve(4096);
    socket.read_buf(buffer).await
}

/// The next delivery of a session; without one, never.
async fn next_delivery(session: &mut Option<Session>) -> Option<Delivery> {
    match session {
        Some(session) => session.next().await.ok(),
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
