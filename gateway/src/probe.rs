//! The self-probe: a client of the hub inside the hub, on a thread of its own with blocking sockets, that goes the whole way every few
//! seconds. A process that is alive and deaf looks well to whoever watches processes; it does not to this.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use store::journal::Journal;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::adapters::hub;
use crate::marker::Marker;
use crate::pipeline::Stats;

/// Misses in a row after which the process ends itself.
const MISSES_MAX: u32 = 3;
/// How long one way may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// A sync of the journal that takes longer than this is the disk's doing; starting again does not help.
const SLOW_SYNC: Duration = Duration::from_secs(2);

/// What the probe needs to know of the hub.
pub struct Probe {
    /// The plain MQTT port.
    pub mqtt: SocketAddr,
    /// The dashboard.
    pub http: SocketAddr,
    /// With what it is asked when it speaks TLS.
    pub secure: Option<Arc<ClientConfig>>,
    /// Secret of the hub's own account, good for this run.
    pub secret: String,
    /// Time from one probe to the next.
    pub every: Duration,
    /// Where what it publishes goes.
    pub journal: Journal,
    /// How far the consumers are.
    pub stats: Arc<Stats>,
    /// Where the reason is left.
    pub marker: Marker,
}

/// How far detect and project are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress([u64; 2]);

impl Probe {
    /// Starts probing until `stop`.
    ///
    /// # Errors
    /// No thread.
    pub fn start(self, stop: CancellationToken) -> std::io::Result<()> {
        std::thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || self.run(&stop))
            .map(drop)
    }

    fn run(&self, stop: &CancellationToken) {
        let mut misses = 0;
        let mut seen = self.progress();
        while !wait(self.every, stop) {
            let began = Instant::now();
            let went = self.go(&mut seen);
            if stop.is_cancelled() {
                return;
            }
            match went {
                Ok(()) => {
                    misses = 0;
                    metrics::histogram!("hub_probe_seconds").record(began.elapsed().as_secs_f64());
                }
                Err(e) if self.is_disk_slow() => {
                    warn!(
                        error = format!("{e:#}"),
                        "self-probe missed while the journal waits for its disk (hint: a disk that stalls; alarms wait with it)"
                    );
                    metrics::counter!("hub_probe_disk_stalls_total").increment(1);
                }
                Err(e) => {
                    misses += 1;
                    warn!(error = format!("{e:#}"), misses, "self-probe missed");
                    metrics::counter!("hub_probe_misses_total").increment(1);
                    if misses >= MISSES_MAX {
                        let reason = format!("the self-probe missed {misses} times: {e:#}");
                        error!(
                            reason,
                            "the hub does not serve any more and ends itself, to be started again by its supervisor"
                        );
                        self.marker.fail(&reason);
                        std::process::abort();
                    }
                }
            }
        }
    }

    fn is_disk_slow(&self) -> bool {
        let journal = self.journal.stats();
        journal.syncing_for.is_some_and(|time| time > SLOW_SYNC)
            || self.journal.room().borrow().is_full()
    }

    fn progress(&self) -> Progress {
        let get = Stats::get;
        Progress([
            get(&self.stats.detected_seq),
            get(&self.stats.projected_seq),
        ])
    }

    /// The whole way: in by MQTT, onto the disk, through the consumers, and the dashboard answers.
    fn go(&self, seen: &mut Progress) -> anyhow::Result<()> {
        publish(local(self.mqtt), &self.secret).context("MQTT")?;
        let upto = self.journal.stats().last_seq.0;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.progress();
            let names = ["rules", "history"];
            // a consumer that is behind a burst moves on; one that neither arrives nor moves is stuck
            let stuck = (0..2).find(|at| now.0[*at] < upto && now.0[*at] == seen.0[*at]);
            let Some(stuck) = stuck else {
                *seen = now;
                break;
            };
            ensure!(
                Instant::now() < deadline,
                "{} stand still at {} of {upto}",
                names[stuck],
                now.0[stuck]
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
        ask(local(self.http), self.secure.as_ref()).context("dashboard")
    }
}

/// Waits, or is stopped: true.
fn wait(time: Duration, stop: &CancellationToken) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if stop.is_cancelled() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    stop.is_cancelled()
}

/// Where a port is reached from this machine.
fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, PATIENCE).context("connecting")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// CONNECT, PUBLISH of quality 1, PUBACK, DISCONNECT, as MQTT 3.1.1 writes them.
fn publish(address: SocketAddr, secret: &str) -> anyhow::Result<()> {
    let mut socket = connect(address)?;
    let mut body = Vec::new();
    string(&mut body, "MQTT");
    // level 4; user name, password, clean session; keepalive 30 s
    body.extend_from_slice(&[4, 0b1100_0010, 0, 30]);
    for text in ["probe", domain::uplink::HUB, secret] {
        string(&mut body, text);
    }
    socket.write_all(&packet(0x10, &body)?)?;
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).context("no CONNACK")?;
    ensure!(answer == [0x20, 2, 0, 0], "CONNACK {answer:02x?}");
    let mut body = Vec::new();
    string(&mut body, hub::PROBE);
    body.extend_from_slice(&[0, 1]);
    socket.write_all(&packet(0x32, &body)?)?;
    socket.read_exact(&mut answer).context("no PUBACK")?;
    ensure!(answer == [0x40, 2, 0, 1], "PUBACK {answer:02x?}");
    socket.write_all(&[0xe0, 0])?;
    Ok(())
}

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = vec![first];
    match body.len() {
        short @ 0..128 => out.push(u8::try_from(short)?),
        long @ 128..16_384 => {
            out.push(u8::try_from(long % 128)? | 0x80);
            out.push(u8::try_from(long / 128)?);
        }
        _ => bail!("the probe's packet is too long"),
    }
    out.extend_from_slice(body);
    Ok(out)
}

fn ask(address: SocketAddr, secure: Option<&Arc<ClientConfig>>) -> anyhow::Result<()> {
    let socket = connect(address)?;
    let Some(config) = secure else {
        return healthy(socket, address);
    };
    let name = ServerName::IpAddress(address.ip().into());
    let client = ClientConnection::new(Arc::clone(config), name)?;
    healthy(StreamOwned::new(client, socket), address)
}

fn healthy(mut socket: impl io::Read + io::Write, address: SocketAddr) -> anyhow::Result<()> {
    write!(
        socket,
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).context("no answer")?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "it answers {}",
        String::from_utf8_lossy(&answer)
    );
    Ok(())
}
