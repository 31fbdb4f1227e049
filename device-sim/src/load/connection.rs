//! One connection of the load generator: a bare TCP stream with the codec of rumqttc. It writes what window and pace allow in
//! one go, reads acknowledgements in one go, and when the hub dies it comes back and sends again what was not acknowledged,
//! with DUP, the same packet ids and the same event ids.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use domain::Timestamp;
use rumqttc::{Connect, ConnectReturnCode, Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::oracle::Oracle;
use super::pace::Pace;
use super::packet::{NUMBER_MAX, Template};
use super::window::Window;
use super::{Account, Plan};
use crate::latency::Histogram;

/// TCP and MQTT handshake together.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// First and longest pause before connecting again; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Written to the socket at once, at most, in bytes.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Largest packet that we read, in bytes; acknowledgements have four.
const PACKET_BYTES_MAX: usize = 1024;

/// What all connections of a run share.
pub(super) struct Shared {
    pub(super) address: (String, u16),
    pub(super) plan: Plan,
    pub(super) oracle: Oracle,
}

/// What a connection did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) published: u64,
    pub(super) acknowledged: u64,
    pub(super) resent: u64,
    pub(super) reconnects: u64,
    pub(super) unacknowledged: u64,
    pub(super) puback: Histogram,
    /// When the last PUBACK came.
    pub(super) last_at: Option<Instant>,
    /// Why the connection was lost the last time.
    pub(super) last_error: Option<String>,
}

/// How a session ended.
enum End {
    /// All is sent and acknowledged, or the time for that is over.
    Done,
    /// The other side is gone.
    Lost(io::Error),
}

pub(super) struct Connection {
    account: Account,
    template: Template,
    window: Window,
    pace: Pace,
    shared: Arc<Shared>,
    tally: Tally,
    input: BytesMut,
    output: BytesMut,
    lines: String,
}

impl Connection {
    pub(super) fn new(
        account: Account,
        template: Template,
        share: f64,
        shared: Arc<Shared>,
    ) -> Self {
        let rate = shared
            .plan
            .rate
            .map(|rate| rate / f64::from(shared.plan.connections));
        Self {
            window: Window::new(shared.plan.window),
            pace: Pace::new(rate, share, Instant::now()),
            tally: Tally::default(),
            input: BytesMut::with_capacity(4096),
            output: BytesMut::new(),
            lines: String::new(),
            account,
            template,
            shared,
        }
    }

    /// Connects, tells over `ready` whether it could, and works from the time that `start` gives until all is done.
    pub(super) async fn run(
        mut self,
        ready: mpsc::Sender<io::Result<()>>,
        mut start: watch::Receiver<Option<Instant>>,
    ) -> Tally {
        let first = self.connect().await;
        let (stream, told) = match first {
            Ok(stream) => (Some(stream), Ok(())),
            Err(e) => (None, Err(e)),
        };
        // the receiver is gone only when the run is given up
        let _ = ready.send(told).await;
        drop(ready);
        let started = start.wait_for(Option::is_some).await.map(|at| *at);
        if let (Some(stream), Ok(Some(begin))) = (stream, started) {
            self.pace.allowed(begin);
            self.work(stream, begin).await;
        }
        self.tally.published = self.window.published();
        self.tally.unacknowledged = self.window.len() as u64;
        self.tally
    }

    async fn work(&mut self, stream: TcpStream, begin: Instant) {
        let send_until = begin + self.shared.plan.duration;
        let wait_until = send_until + self.shared.plan.drain;
        let mut stream = Some(stream);
        let mut pause = PAUSE_MIN;
        loop {
            let session = if let Some(stream) = stream.take() {
                Ok(stream)
            } else {
                let again = self.connect().await;
                self.tally.reconnects += u64::from(again.is_ok());
                again
            };
            let lost = match session {
                Ok(stream) => {
                    pause = PAUSE_MIN;
                    match self.session(stream, send_until, wait_until).await {
                        End::Done => return,
                        End::Lost(e) => e,
                    }
                }
                Err(e) => e,
            };
            self.tally.last_error = Some(lost.to_string());
            let now = Instant::now();
            if !self.shared.plan.reconnect || now >= wait_until {
                return;
            }
            if now >= send_until && self.window.len() == 0 {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// TCP and MQTT handshake.
    async fn connect(&mut self) -> io::Result<TcpStream> {
        let attempt = timeout(HANDSHAKE, async {
            let (host, port) = &self.shared.address;
            let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            let mut connect = Connect::new(&self.account.client_id);
            connect.keep_alive = 600; // longer than any run: rumqttd refuses 0
            if let Some((username, password)) = &self.account.login {
                connect.set_login(username, password);
            }
            self.output.clear();
            connect.write(&mut self.output).map_err(other)?;
            stream.write_all(&self.output).await?;
            self.output.clear();
            self.input.clear();
            loop {
                match Packet::read(&mut self.input, PACKET_BYTES_MAX) {
                    Ok(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => {
                        return Ok(stream);
                    }
                    Ok(Packet::ConnAck(ack)) => {
                        let what =
                            format!("{} was refused: {:?}", self.account.client_id, ack.code);
                        return Err(io::Error::other(what));
                    }
                    Ok(_) => return Err(io::Error::other("no CONNACK came first")),
                    Err(rumqttc::Error::InsufficientBytes(_)) => {}
                    Err(e) => return Err(other(e)),
                }
                if stream.read_buf(&mut self.input).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        });
        attempt
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn session(
        &mut self,
        mut stream: TcpStream,
        send_until: Instant,
        wait_until: Instant,
    ) -> End {
        for (packet_id, number) in self.window.unacknowledged() {
            self.template
                .append(&mut self.output, packet_id, number, true);
            self.tally.resent += 1;
        }
        let timer = sleep_until(wait_until);
        tokio::pin!(timer);
        loop {
            let now = Instant::now();
            let sending = now < send_until;
            if sending {
                self.fill(now);
            }
            if !self.output.is_empty() {
                if let Err(e) = stream.write_all(&self.output).await {
                    self.output.clear();
                    return End::Lost(e);
                }
                self.output.clear();
            }
            if !sending && (self.window.len() == 0 || now >= wait_until) {
                // a DISCONNECT that does not get through changes nothing
                let _ = stream.write_all(&[0xE0, 0x00]).await;
                return End::Done;
            }
            let wake = match (sending, self.window.has_room()) {
                (true, true) => self.pace.next_at().min(send_until),
                (true, false) => send_until,
                (false, _) => wait_until,
            };
            if timer.deadline() != wake {
                timer.as_mut().reset(wake);
            }
            tokio::select! {
                read = stream.read_buf(&mut self.input) => match read {
                    Ok(0) => return End::Lost(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => if let Err(e) = self.take_acknowledgements() {
                        return End::Lost(e);
                    },
                    Err(e) => return End::Lost(e),
                },
                () = &mut timer => {}
            }
        }
    }

    /// As many messages as window and pace allow.
    fn fill(&mut self, now: Instant) {
        let allowed = self.pace.allowed(now);
        if allowed == 0 || !self.window.has_room() {
            return;
        }
        self.template.set_time(Timestamp::now());
        let mut taken = 0;
        while taken < allowed
            && self.output.len() < BATCH_BYTES_MAX
            && self.window.published() <= NUMBER_MAX
            && let Some((packet_id, number)) = self.window.take(now)
        {
            self.template
                .append(&mut self.output, packet_id, number, false);
            taken += 1;
        }
        self.pace.spend(taken);
    }

    /// Reads all whole packets that have come in and writes the acknowledged ids to the oracle.
    fn take_acknowledgements(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.lines.clear();
        loop {
            let packet_id = match *self.input {
                [0x40, 0x02, high, low, ..] => {
                    self.input.advance(4);
                    u16::from_be_bytes([high, low])
                }
                [] => break,
                _ => match Packet::read(&mut self.input, PACKET_BYTES_MAX) {
                    Ok(Packet::PubAck(ack)) => ack.pkid,
                    Ok(_) => continue,
                    Err(rumqttc::Error::InsufficientBytes(_)) => break,
                    Err(e) => return Err(other(e)),
                },
            };
            let Some((number, since)) = self.window.acknowledge(packet_id) else {
                let what =
                    format!("PUBACK for packet id {packet_id}, under which nothing was sent");
                return Err(io::Error::other(what));
            };
            self.tally.acknowledged += 1;
            self.tally.puback.record(now.duration_since(since));
            let id = self.template.id(number);
            writeln!(self.lines, "{} {id}", self.account.client_id).map_err(other)?;
        }
        if !self.lines.is_empty() {
            self.tally.last_at = Some(now);
            self.shared.oracle.write(&self.lines)?;
        }
        Ok(())
    }
}

fn other(e: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(e)
}
