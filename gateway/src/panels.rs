//! The door for fire and intruder panels that speak a protocol of their own over TCP: GB/T 26875.3 and SIA DC-09. Each bridge has a port,
//! and says from which networks panels may come: these protocols have no authentication worth the name, so a network that is not named is
//! not heard. A frame is answered once it is on disk; a damaged one is kept, too, and denied.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashboard_api::Proxies as Networks;
use domain::{Lane, Uplink, UplinkFlags};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use store::journal::Journal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::adapters::{self, foreign, gbt26875, sia_dc09};
use crate::clock::Clock;

/// Connections of one port at a time; further ones are closed at once.
const CONNECTIONS_MAX: usize = 512;
/// A panel that says nothing for so long is gone: a user information transmission device tells every few minutes that it is there.
const IDLE: Duration = Duration::from_mins(15);
/// How long an answer may take to be sent.
const SEND: Duration = Duration::from_secs(10);
/// Bytes of one read.
const READ_BYTES: usize = 4096;
/// The longest frame of DC-09 that is waited for, in bytes.
const LINE_BYTES_MAX: usize = 4096;
/// Between two frames of one connection, on average: whoever sends more is slowed, not cut.
const PACE: Duration = Duration::from_millis(10);
/// After an error of the socket itself, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// GB/T 26875.3-2011.
    Gbt26875,
    /// SIA DC-09.
    Dc09,
}

impl Protocol {
    /// By the name of its format.
    pub fn of_format(name: &str) -> Option<Self> {
        match name {
            "gbt26875" => Some(Self::Gbt26875),
            "sia-dc09" => Some(Self::Dc09),
            _ => None,
        }
    }

    /// As it stands in topics.
    fn word(self) -> &'static str {
        match self {
            Self::Gbt26875 => "gbt26875",
            Self::Dc09 => "dc09",
        }
    }

    fn framing(self) -> Box<dyn Framing> {
        match self {
            Self::Gbt26875 => Box::new(Frames::default()),
            Self::Dc09 => Box::new(Lines::default()),
        }
    }
}

/// Cuts a stream into messages, and knows what each wants to hear.
trait Framing: Send {
    /// What is whole by now, damaged or not.
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>>;
    /// What the sender of a message waits for; nothing for some.
    fn answer(&self, message: &[u8], now: DateTime) -> Vec<u8>;
}

#[derive(Default)]
struct Frames(gbt26875::FrameReader);

impl Framing for Frames {
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let steps = self.0.push(bytes).into_iter();
        let whole = steps.map(|step| match step {
            gbt26875::Step::Frame(frame) | gbt26875::Step::Damaged(frame, _) => frame,
        });
        whole.collect()
    }

    fn answer(&self, message: &[u8], now: DateTime) -> Vec<u8> {
        gbt26875::answer(message, now)
    }
}

/// From line feed to carriage return.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Framing for Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\r') {
            let rest = self.0.split_off(end + 1);
            let line = std::mem::replace(&mut self.0, rest);
            if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                whole.push(line);
            }
        }
        if self.0.len() > LINE_BYTES_MAX {
            // no frame is as long: kept as it is, it goes to quarantine
            whole.push(std::mem::take(&mut self.0));
        }
        whole
    }

    fn answer(&self, message: &[u8], _now: DateTime) -> Vec<u8> {
        sia_dc09::ack(message)
    }
}

/// One port.
pub struct Panels {
    /// The bridge that it is.
    pub account: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// From where panels may come.
    pub networks: Networks,
    /// The wall clock of the panels.
    pub zone: TimeZone,
    /// Where it goes.
    pub journal: Journal,
    /// The hub's clock.
    pub clock: Clock,
    /// Connections that stand.
    pub live: AtomicUsize,
}

/// Serves panels until `stop`.
///
/// # Errors
/// None: a socket that fails is the panel's loss, and it comes again.
pub async fn serve(
    listener: TcpListener,
    panels: Panels,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let panels = Arc::new(panels);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                warn!(error = %e, "a panel was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if !panels.networks.contain(peer.ip()) {
            metrics::counter!("hub_panels_refused_total").increment(1);
            warn!(network.peer = %peer, bridge = panels.account, "not a network of this bridge");
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!("hub_panels_refused_total").increment(1);
            warn!(network.peer = %peer, bridge = panels.account, "too many panels");
            continue;
        };
        let (panels, stop) = (Arc::clone(&panels), stop.clone());
        connections.spawn(async move {
            let _place = place;
            info!(network.peer = %peer, bridge = panels.account, "a panel came");
            panels.came(peer).await;
            let ended = tokio::select! {
                () = stop.cancelled() => Ok(()),
                ended = panels.connection(socket, peer) => ended,
            };
            if let Err(e) = ended {
                debug!(network.peer = %peer, error = %e, "a panel's connection failed");
            }
            info!(network.peer = %peer, bridge = panels.account, "a panel went");
            // when the hub ends, no line is lost
            if !stop.is_cancelled() {
                panels.went(peer).await;
            }
        });
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

impl Panels {
    /// A connection stands: the first one is news.
    async fn came(&self, peer: SocketAddr) {
        if self.live.fetch_add(1, Ordering::SeqCst) == 0 {
            self.note(peer, "online", "connect").await;
        }
    }

    /// A connection is no more: the last one is news.
    async fn went(&self, peer: SocketAddr) {
        if self.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.note(peer, "offline", "connection lost").await;
        }
    }

    /// Whether panels can be reached. Those of GB/T 26875.3 hold their line; an alarm panel of DC-09 calls when it has something to say.
    async fn note(&self, peer: SocketAddr, state: &str, reason: &str) {
        if self.protocol != Protocol::Gbt26875 {
            return;
        }
        let now = self.clock.now();
        let epoch = u64::try_from(now.as_microsecond()).unwrap_or_default();
        let payload = serde_json::json!({"state": state, "epoch": epoch, "reason": reason, "address": peer.to_string()});
        let topic = format!("$hub/presence/{}", self.account);
        let note = adapters::hub::note(now, topic, epoch, payload.to_string().into_bytes());
        if let Err(e) = self.journal.append(Lane::Alarm, note).await {
            warn!(error = %e, "note not journalled");
        }
    }

    async fn connection(&self, mut socket: TcpStream, peer: SocketAddr) -> std::io::Result<()> {
        let _ = socket.set_nodelay(true);
        let mut framing = self.protocol.framing();
        let mut bytes = [0; READ_BYTES];
        let mut due = Instant::now();
        loop {
            let count = match timeout(IDLE, socket.read(&mut bytes)).await {
                Ok(read) => read?,
                Err(_) => return Ok(()),
            };
            if count == 0 {
                return Ok(());
            }
            for message in framing.push(bytes.get(..count).unwrap_or_default()) {
                sleep_until(due).await;
                due = Instant::now() + PACE;
                let now = self.clock.now();
                let answer = framing.answer(&message, now.to_zoned(self.zone.clone()).datetime());
                let uplink = Uplink {
                    received_at: now,
                    principal: self.account.clone(),
                    epoch: 0,
                    flags: UplinkFlags::new(1),
                    topic: format!("{}{}/{}", foreign::TCP, self.protocol.word(), self.account),
                    payload: message.into(),
                    extra: None,
                };
                metrics::counter!("hub_panels_frames_total").increment(1);
                // not on disk: no answer, and the panel sends it again
                if let Err(e) = self.journal.append_durable(Lane::Alarm, uplink).await {
                    warn!(network.peer = %peer, error = %e, "a panel's frame was not journalled");
                    return Ok(());
                }
                if !answer.is_empty() {
                    timeout(SEND, socket.write_all(&answer)).await??;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_at_its_carriage_return_and_bounded() {
        let mut lines = Lines::default();
        assert!(lines.push(b"\n1234\"NULL\"").is_empty());
        let whole = lines.push(b"0000L0#1[]\r\n\r\nnext");
        assert_eq!(whole, [b"\n1234\"NULL\"0000L0#1[]\r".to_vec()]);
        let endless = lines.push(&vec![b'x'; LINE_BYTES_MAX + 1]);
        assert_eq!(endless.len(), 1);
        assert!(lines.0.is_empty());
    }
}
