//! The MQTT listener: takes uplinks from devices and acknowledges them when the journal has synced.
//!
//! MQTT 3.1.1 and 5.0 over TCP, TLS and WebSocket. Dramatis personae: [`serve`] accepts; a *handshake* turns a stream into an
//! authenticated *connection*, whose session is the [exchange](crate::exchange)'s; an [`Acl`](Principal) decides what it may say and hear; *notes* are
//! what the hub journals about it (it came, it went, it was refused); the *pending* window holds what is not yet on disk.
//!
//! **Invariant:** a PUBACK or PUBREC leaves only after the journal's watermark covers its message, and in the order of the messages.
//! **Invariant:** whoever is not known and whatever is not granted is refused; a refusal is journalled, at a bounded rate.

pub(crate) mod acl;
mod admission;
pub mod codec;
mod connection;
mod guesses;
mod handshake;
mod notes;
mod presence;
mod transport;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use domain::Timestamp;
use futures::FutureExt as _;
use parking_lot::Mutex;
use store::journal::Journal;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

pub use acl::{BadPattern, Directory, Pattern, PeerCertificate, Principal, PrincipalKind};
pub use transport::{
    BadFile, BadOrigin, CertificateLife, ClientCertificates, Endpoint, Kind, Origins, Tls, TlsFiles,
};

use crate::adapters::Formats;
use crate::exchange::Exchange;
use admission::Admission;
use guesses::Guesses;
use notes::Notes;
use presence::Presence;
use transport::Refused;

/// How long connections may take to say good-bye when the hub stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What one connection, and all of them together, may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time.
    pub connections_max: usize,
    /// New connections a second from one address.
    pub connects_per_second_max: u32,
    /// Largest packet, in bytes.
    pub packet_bytes_max: usize,
    /// Longest topic, in bytes.
    pub topic_bytes_max: usize,
    /// Most levels of a topic.
    pub topic_levels_max: usize,
    /// Unacknowledged publishes of one connection; reading stops there.
    pub receive_maximum: u16,
    /// Filters that one session may subscribe to.
    pub subscriptions_max: usize,
    /// Topic aliases that one connection may use (MQTT 5.0 §3.1.2.11.5).
    pub topic_alias_maximum: u16,
    /// Longest keepalive; a version 5 client that asks for more, or for none, is told this one. Seconds.
    pub keep_alive_s_max: u16,
    /// Longest that a session outlives its connection. Seconds.
    pub session_expiry_s_max: u32,
    /// Publishes a second that one connection may send for long outside the alarm lane.
    pub publishes_per_second_max: u32,
    /// From the connection to a whole CONNECT, with the handshakes of TLS and WebSocket.
    pub connect_deadline: Duration,
    /// For the other side to take what we write.
    pub write_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connects_per_second_max: 2000,
            packet_bytes_max: 65 * 1024,
            topic_bytes_max: 512,
            topic_levels_max: 16,
            receive_maximum: 256,
            subscriptions_max: 32,
            topic_alias_maximum: 32,
            keep_alive_s_max: 300,
            session_expiry_s_max: 7 * 24 * 3600,
            publishes_per_second_max: 20_000,
            connect_deadline: Duration::from_secs(5),
            write_deadline: Duration::from_secs(10),
        }
    }
}

/// What came and went, since the start.
#[derive(Debug, Default)]
pub struct ListenerStats {
    /// Connections that are open now.
    pub connections: AtomicUsize,
    /// Publishes taken, of all qualities.
    pub received: AtomicU64,
    /// Acknowledgements sent: each stands for bytes on disk.
    pub acknowledged: AtomicU64,
    /// Publishes and subscriptions that were not granted.
    pub denied: AtomicU64,
    /// Connections that were turned away, or ended for a broken protocol.
    pub refused: AtomicU64,
    /// Telemetry that was not taken because what room is left on the disk is for alarms.
    pub shed: AtomicU64,
}

/// What the listener works with.
pub struct Deps {
    /// Where uplinks go.
    pub journal: Journal,
    /// Who may come in.
    pub directory: Arc<dyn Directory>,
    /// Where sessions and subscriptions are.
    pub exchange: Exchange,
    /// What is allowed.
    pub limits: Limits,
    /// The hub's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// What bridges speak: it decides what goes first.
    pub formats: Formats,
    /// Counters.
    pub stats: Arc<ListenerStats>,
    /// Epoch of the first connection: above those of all earlier runs.
    pub first_epoch: u64,
}

struct Shared {
    journal: Journal,
    directory: Arc<dyn Directory>,
    exchange: Exchange,
    limits: Limits,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    formats: Formats,
    stats: Arc<ListenerStats>,
    presence: Presence,
    notes: Notes,
    guesses: Guesses,
}

/// Accepts connections on all endpoints until `stop`, then lets them say good-bye. Limits and counters are those of all together.
///
/// # Errors
/// None that a single connection causes; a listening socket that fails for good.
pub async fn serve(
    endpoints: Vec<Endpoint>,
    deps: Deps,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Deps {
        journal,
        directory,
        exchange,
        limits,
        clock,
        formats,
        stats,
        first_epoch,
    } = deps;
    let shared = Arc::new(Shared {
        notes: Notes::new(journal.clone(), Arc::clone(&clock)),
        presence: Presence::new(first_epoch),
        guesses: Guesses::default(),
        journal,
        directory,
        exchange,
        limits,
        clock,
        formats,
        stats,
    });
    let admission = Mutex::new(Admission::new(limits.connects_per_second_max));
    let connections = TaskTracker::new();
    let accepting = endpoints
        .into_iter()
        .map(|endpoint| accept(endpoint, &shared, &admission, &connections, &stop));
    futures::future::join_all(accepting).await;
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait())
        .await
        .is_err()
    {
        warn!(
            connections = connections.len(),
            "connections did not end in time"
        );
    }
    Ok(())
}

async fn accept(
    endpoint: Endpoint,
    shared: &Arc<Shared>,
    admission: &Mutex<Admission>,
    connections: &TaskTracker,
    stop: &CancellationToken,
) {
    loop {
        let (socket, peer) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = endpoint.listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    // out of descriptors, or a peer that was gone at once: neither is a reason to stop
                    warn!(error = %e, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        if connections.len() >= shared.limits.connections_max || !admission.lock().admit(peer.ip())
        {
            shared.refuse("admission");
            continue;
        }
        let (shared, stop, kind) = (Arc::clone(shared), stop.clone(), endpoint.kind.clone());
        connections.spawn(async move {
            let _counted = shared.count();
            // what a panic leaves half done is this connection's own
            let served = AssertUnwindSafe(run(socket, peer, &kind, &shared, stop));
            if served.catch_unwind().await.is_err() {
                error!(network.peer = %peer, "a connection panicked: this is a bug");
                metrics::counter!("hub_listener_panics_total").increment(1);
            }
        });
    }
}

async fn run(
    socket: TcpStream,
    peer: SocketAddr,
    kind: &Kind,
    shared: &Arc<Shared>,
    stop: CancellationToken,
) {
    // small packets must not wait for each other
    if let Err(e) = socket.set_nodelay(true) {
        debug!(error = %e, "socket option refused");
    }
    // on the heap, and gone with the handshake: it would be most of what an idle connection costs
    let connecting = Box::pin(async {
        match transport::open(socket, peer, kind, shared.limits.packet_bytes_max).await {
            Ok((stream, peer)) => handshake::run(stream, peer, shared)
                .await
                .map_err(|what| ("connect", what)),
            Err(Refused::Certificate(what)) => {
                let who = peer.ip().to_string();
                shared.notes.refused(&who, "certificate", &what, "").await;
                Err(("certificate", what))
            }
            Err(Refused::Tls(what)) => Err(("tls", what)),
            Err(Refused::WebSocket(what)) => Err(("websocket", what)),
        }
    });
    match tokio::time::timeout(shared.limits.connect_deadline, connecting).await {
        Ok(Ok(connection)) => connection.run(stop).await,
        Ok(Err((reason, what))) => {
            debug!(network.peer = %peer, reason = what, "connection refused");
            shared.refuse(reason);
        }
        Err(_) => shared.refuse("connect deadline"),
    }
}

impl Shared {
    fn refuse(&self, reason: &'static str) {
        self.stats.refused.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("hub_listener_refused_total", "reason" => reason).increment(1);
    }

    fn count(self: &Arc<Self>) -> impl Drop + use<> {
        struct Open(Arc<Shared>);
        impl Drop for Open {
            fn drop(&mut self) {
                self.0.stats.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.stats.connections.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }
}
