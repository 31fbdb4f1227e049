//! Plays a maker's device over a real line: what happens at its time, what is told again and again, orders as they come, and what
//! goes wrong on the way.

use std::future::pending;
use std::time::Duration;

use anyhow::Context as _;
use domain::Timestamp;
use jiff::SignedDuration;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::digest::Account;
use super::gbt26875::Answer;
use super::isapi::{self, Asked, Told};
use super::{Happening, Obedience, Ordered, Vendor};
use crate::command::Behaviour;
use crate::later::Later;
use crate::wire::{Came, Door, Hook, Line, Login, Panel, Said};

/// Between two tellings of the same message.
const REPEAT_PAUSE: Duration = Duration::from_millis(150);
/// Most orders that are told of one by one.
const ORDERS_MAX: usize = 10_000;
/// Requests to a device's own port that wait.
const ASKED_MAX: usize = 32;

/// How messages leave.
#[derive(Debug, Clone)]
pub enum Way {
    /// To a broker.
    Mqtt(Login),
    /// As web hooks.
    Http(Hook),
    /// As frames, each confirmed within this time.
    Tcp {
        /// `host:port`.
        address: String,
        /// At most ten seconds by the standard.
        answer_within: Duration,
    },
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Each message about something that happened is sent so many times.
    pub repeat: u32,
    /// How far the device's clock is ahead of the true time.
    pub clock_off: SignedDuration,
    /// The line is cut so often.
    pub reconnect_every: Option<Duration>,
    /// Before every so many-th message a damaged copy of it goes out.
    pub bad_every: Option<u32>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            repeat: 1,
            clock_off: SignedDuration::ZERO,
            reconnect_every: None,
            bad_every: None,
        }
    }
}

/// All that is played.
pub struct Play {
    /// Who.
    pub vendor: Box<dyn Vendor>,
    /// By which way.
    pub way: Way,
    /// What happens, in any order.
    pub happenings: Vec<Happening>,
    /// States and heartbeats are told again so often.
    pub again_every: Duration,
    /// What goes wrong.
    pub faults: Faults,
    /// What the device does with orders.
    pub behaviour: Behaviour,
    /// Its own port, where it has one, and who may use it.
    pub port: Option<(TcpListener, Account)>,
}

/// What a device did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Messages that it had to say, damaged ones not counted.
    pub said: u64,
    /// Messages that were acknowledged, answered with 2xx or confirmed, damaged ones among them where nobody looked.
    pub taken: u64,
    /// Messages that were not, until they were given up.
    pub refused: u64,
    /// Damaged copies.
    pub damaged: u64,
    /// Messages that were sent again because nobody had answered.
    pub resent: u64,
    /// Connections that came to be, over MQTT and TCP.
    pub connects: u64,
    /// Orders that reached it.
    pub heard: u64,
    /// Orders that it understood.
    pub orders: Vec<Order>,
}

/// An order that it understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Which device.
    pub device: String,
    /// What.
    pub command: String,
    /// It was done.
    pub is_done: bool,
}

enum Act {
    Happen(Happening),
    Again,
    Cut,
    Say(Said),
    Take(Heard),
}

struct Heard {
    to: String,
    payload: Vec<u8>,
    answer: Option<oneshot::Sender<Told>>,
}

/// The line, of whichever kind.
enum Carrier {
    Mqtt(Line),
    Http(Hook, reqwest::Client),
    Tcp(Panel),
}

struct Player {
    vendor: Box<dyn Vendor>,
    carrier: Carrier,
    faults: Faults,
    behaviour: Behaviour,
    again_every: Duration,
    later: Later<Act>,
    report: Report,
}

/// Plays until `stop`; then waits for what is not yet acknowledged.
///
/// # Errors
/// An address that is none; something that the device has no words for.
pub async fn run(play: Play, stop: CancellationToken) -> anyhow::Result<Report> {
    let vendor = play.vendor;
    for happening in &play.happenings {
        // what cannot be told is said at once, and not in the middle of a test
        let words = vendor.knows(&happening.what);
        words.with_context(|| format!("`{}`", happening.what))?;
    }
    let carrier = match play.way {
        Way::Mqtt(login) => Carrier::Mqtt(Line::open(&login, vendor.greeting())?),
        Way::Http(hook) => Carrier::Http(hook, reqwest::Client::new()),
        Way::Tcp {
            address,
            answer_within,
        } => Carrier::Tcp(Panel::new(&address, answer_within)),
    };
    let mut player = Player {
        vendor,
        carrier,
        faults: play.faults,
        behaviour: play.behaviour,
        again_every: play.again_every,
        later: Later::default(),
        report: Report::default(),
    };
    let (sender, asked) = mpsc::channel(ASKED_MAX);
    let mut port = JoinSet::new();
    if let Some((listener, account)) = play.port {
        port.spawn(isapi::serve(listener, account, sender));
    }
    tokio::select! {
        () = stop.cancelled() => {}
        result = player.play(play.happenings, asked) => result?,
    }
    port.shutdown().await;
    Ok(player.finish().await)
}

impl Player {
    async fn play(
        &mut self,
        happenings: Vec<Happening>,
        mut asked: mpsc::Receiver<Asked>,
    ) -> anyhow::Result<()> {
        if let Carrier::Mqtt(line) = &mut self.carrier {
            // the time begins when the line is there
            line.next().await;
            self.arrive().await?;
        }
        let start = Instant::now();
        for happening in happenings {
            self.put_off(start + happening.at, Act::Happen(happening));
        }
        self.put_off(start, Act::Again);
        if let Some(every) = self.faults.reconnect_every {
            self.put_off(start + every, Act::Cut);
        }
        loop {
            tokio::select! {
                act = self.later.next() => self.act(act).await?,
                came = self.carrier.next() => match came {
                    Some(Came::Connected) => self.arrive().await?,
                    Some(Came::Message { topic, payload, is_retained: false }) => {
                        self.hear(Heard { to: topic, payload, answer: None }).await?;
                    }
                    Some(Came::Message { .. }) => {}
                    None => return pending().await,
                },
                Some(Asked { path, body, answer }) = asked.recv() => {
                    self.hear(Heard { to: path, payload: body, answer: Some(answer) }).await?;
                }
            }
        }
    }

    fn put_off(&mut self, at: Instant, act: Act) {
        if self.later.push(at, act).is_err() {
            tracing::warn!("a device has more to do than it can keep");
        }
    }

    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.faults.clock_off).unwrap_or(now)
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Happen(happening) => {
                let now = self.now();
                let says = self.vendor.happen(&happening, now)?;
                tracing::info!(happening.what, happening.device, "something happens");
                for nth in 1..self.faults.repeat {
                    let at = Instant::now() + REPEAT_PAUSE * nth;
                    for said in &says {
                        self.put_off(at, Act::Say(said.clone()));
                    }
                }
                self.say_all(says).await
            }
            Act::Again => {
                self.put_off(Instant::now() + self.again_every, Act::Again);
                let now = self.now();
                let says = self.vendor.again(now);
                self.say_all(says).await
            }
            Act::Cut => {
                if let Some(every) = self.faults.reconnect_every {
                    self.put_off(Instant::now() + every, Act::Cut);
                }
                self.carrier.cut(Duration::ZERO).await;
                Ok(())
            }
            Act::Say(said) => self.say(said).await,
            Act::Take(heard) => {
                self.take(heard);
                Ok(())
            }
        }
    }

    async fn arrive(&mut self) -> anyhow::Result<()> {
        let now = self.now();
        let says = self.vendor.arrive(now);
        self.say_all(says).await
    }

    async fn say_all(&mut self, says: Vec<Said>) -> anyhow::Result<()> {
        for said in says {
            self.say(said).await?;
        }
        Ok(())
    }

    async fn say(&mut self, said: Said) -> anyhow::Result<()> {
        self.report.said += 1;
        let is_turn = self
            .faults
            .bad_every
            .is_some_and(|every| self.report.said.is_multiple_of(u64::from(every)));
        if is_turn && matches!(said.payload.first(), Some(b'{' | b'<' | b'-' | b'@')) {
            let damaged = self.vendor.damaged(&said);
            self.report.damaged += 1;
            self.carrier
                .send_damaged(&damaged, &mut self.report)
                .await?;
        }
        self.carrier.send(said, &mut self.report).await
    }

    /// An order came: it is taken up at once, later, or never.
    async fn hear(&mut self, heard: Heard) -> anyhow::Result<()> {
        self.report.heard += 1;
        match self.behaviour {
            Behaviour::Mute => Ok(()),
            Behaviour::Offline(span) => {
                self.carrier.cut(span).await;
                Ok(())
            }
            Behaviour::Delay(delay) => {
                self.put_off(Instant::now() + delay, Act::Take(heard));
                Ok(())
            }
            _ => {
                self.take(heard);
                Ok(())
            }
        }
    }

    fn take(&mut self, heard: Heard) {
        let obedience = match &self.behaviour {
            Behaviour::Refuse(reason) => Obedience::Refuses(reason.clone()),
            Behaviour::Lie => Obedience::Lies,
            _ => Obedience::Does,
        };
        let now = self.now();
        let ordered = self.vendor.hear(&heard.to, &heard.payload, &obedience, now);
        if let Some(answer) = heard.answer {
            let told = match (&ordered, obedience) {
                (None, _) => Told::Unknown,
                (Some(_), Obedience::Refuses(reason)) => Told::Refused(reason),
                (Some(_), _) => Told::Done,
            };
            // whoever asked may have gone
            let _ = answer.send(told);
        }
        let Some(Ordered {
            device,
            command,
            is_done,
            says,
        }) = ordered
        else {
            return;
        };
        tracing::info!(device.id = device, command, is_done, "an order");
        if self.report.orders.len() < ORDERS_MAX {
            self.report.orders.push(Order {
                device,
                command,
                is_done,
            });
        }
        let at = Instant::now();
        for (after, said) in says {
            self.put_off(at + after, Act::Say(said));
        }
    }

    async fn finish(self) -> Report {
        let mut report = self.report;
        match self.carrier {
            Carrier::Mqtt(line) => {
                let counts = line.close().await;
                report.taken += counts.sent;
                report.refused += counts.left;
                report.connects = counts.connects;
            }
            Carrier::Tcp(panel) => {
                report.connects = panel.connects;
                report.resent = panel.resent;
            }
            Carrier::Http(..) => {}
        }
        report
    }
}

impl Carrier {
    async fn next(&mut self) -> Option<Came> {
        match self {
            Self::Mqtt(line) => line.next().await,
            Self::Http(..) | Self::Tcp(_) => pending().await,
        }
    }

    async fn cut(&mut self, span: Duration) {
        match self {
            Self::Mqtt(line) => line.cut(span).await,
            Self::Tcp(panel) => panel.cut(),
            // each request has a connection of its own as far as anybody can tell
            Self::Http(..) => {}
        }
    }

    async fn send(&mut self, said: Said, report: &mut Report) -> anyhow::Result<()> {
        match self {
            Self::Mqtt(line) => line.say(said).await,
            Self::Http(hook, client) => count(hook.post(client, &said).await?, report),
            Self::Tcp(panel) => {
                let answer = panel.send(&said.payload).await;
                let is_taken = answer == Some(Answer::Confirmed);
                report.taken += u64::from(is_taken);
                report.refused += u64::from(!is_taken);
            }
        }
        Ok(())
    }

    /// A damaged message goes out once; nobody waits for what becomes of it.
    async fn send_damaged(&mut self, said: &Said, report: &mut Report) -> anyhow::Result<()> {
        match self {
            Self::Mqtt(line) => line.say(said.clone()).await,
            Self::Http(hook, client) => count(hook.post(client, said).await?, report),
            Self::Tcp(panel) => {
                panel.once(&said.payload).await;
            }
        }
        Ok(())
    }
}

fn count(door: Door, report: &mut Report) {
    match door {
        Door::Taken(tries) => {
            report.taken += 1;
            report.resent += u64::from(tries - 1);
        }
        Door::Refused(status) => {
            report.refused += 1;
            tracing::warn!(http.status = status, "a web hook was not taken");
        }
    }
}
