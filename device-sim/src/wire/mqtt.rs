//! A client of an MQTT broker that stands for a bridge or for a maker's device: it connects again when the line is cut, says again
//! what was not acknowledged, and hears what it has subscribed to.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, LastWill, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::Said;
use crate::credentials::{CredentialsError, broker_address};
use crate::outbox::Outbox;

/// Unacknowledged messages on the wire.
const WINDOW: usize = 16;
/// Unacknowledged messages in all.
const OUTBOX_MAX: usize = 10_000;
/// Requests that wait for rumqttc's event loop.
const REQUESTS_MAX: usize = 2 * WINDOW + 16;
/// Orders, and messages from the other side, that wait.
const QUEUE_MAX: usize = 256;
/// Largest packet in bytes, both ways.
const PACKET_BYTES_MAX: usize = 1 << 20;
/// Before connecting again.
const PAUSE: Duration = Duration::from_millis(300);
/// How long the last acknowledgements may take.
const DRAIN: Duration = Duration::from_secs(10);

/// Where to connect, and as whom.
#[derive(Clone)]
pub struct Login {
    /// `mqtt://host:port`.
    pub mqtt: String,
    /// MQTT client id.
    pub client_id: String,
    /// User name and password; none on a broker that asks for none.
    pub account: Option<(String, String)>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the password never prints
        f.debug_struct("Login")
            .field("mqtt", &self.mqtt)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// What a client brings along.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// Published by the broker when the client is lost.
    pub will: Option<Said>,
    /// What it wants to hear.
    pub filters: Vec<String>,
}

/// Something from the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// The line is there, again.
    Connected,
    /// A message.
    Message {
        /// On which topic.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// The broker had kept it.
        is_retained: bool,
    },
}

/// What a client did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were acknowledged, or needed no acknowledgement.
    pub sent: u64,
    /// Messages that nobody acknowledged until the end.
    pub left: u64,
    /// Connections that came to be.
    pub connects: u64,
}

enum Order {
    Say(Said),
    Cut(Duration),
}

/// A client that runs until it is closed or dropped.
#[derive(Debug)]
pub struct Line {
    orders: mpsc::Sender<Order>,
    came: mpsc::Receiver<Came>,
    task: JoinHandle<Counts>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    /// Connects, and again until it is closed.
    pub fn open(login: &Login, greeting: Greeting) -> Result<Self, CredentialsError> {
        let (host, port) = broker_address(&login.mqtt)?;
        let mut options = MqttOptions::new(&login.client_id, host, port);
        options
            .set_keep_alive(Duration::from_secs(30))
            .set_clean_session(true)
            .set_inflight(2 * WINDOW as u16)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some((name, password)) = &login.account {
            options.set_credentials(name, password);
        }
        if let Some(will) = greeting.will {
            let will = LastWill::new(will.to, will.payload, QoS::AtLeastOnce, will.retain);
            options.set_last_will(will);
        }
        let (orders, receiver) = mpsc::channel(QUEUE_MAX);
        let (sender, came) = mpsc::channel(QUEUE_MAX);
        let end = End {
            options,
            filters: greeting.filters,
            outbox: Outbox::new(WINDOW, OUTBOX_MAX),
            came: sender,
            counts: Counts::default(),
            closing: None,
        };
        Ok(Self {
            orders,
            came,
            task: tokio::spawn(end.run(receiver)),
        })
    }

    /// Says something, as soon as the line is there.
    pub async fn say(&self, said: Said) {
        // an end that is gone has told so by its counts
        let _ = self.orders.send(Order::Say(said)).await;
    }

    /// Loses the connection for so long, without a good-bye.
    pub async fn cut(&self, span: Duration) {
        let _ = self.orders.send(Order::Cut(span)).await;
    }

    /// What comes next from the other side. May be dropped at any time.
    pub async fn next(&mut self) -> Option<Came> {
        self.came.recv().await
    }

    /// Leaves once everything is acknowledged, or after ten seconds.
    pub async fn close(mut self) -> Counts {
        let (closed, _) = mpsc::channel(1);
        self.orders = closed;
        self.came.close();
        (&mut self.task).await.unwrap_or_default()
    }
}

/// The running half.
struct End {
    options: MqttOptions,
    filters: Vec<String>,
    outbox: Outbox<Said>,
    came: mpsc::Sender<Came>,
    counts: Counts,
    /// No more orders will come; when everything is said the client leaves, at the latest then.
    closing: Option<Instant>,
}

impl End {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) -> Counts {
        loop {
            let pause = self.connection(&mut orders).await.max(PAUSE);
            self.outbox.restart();
            if self.is_over() {
                self.counts.left = self.outbox.len() as u64;
                return self.counts;
            }
            if self.closing.is_none() {
                sleep(pause).await;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.closing
            .is_some_and(|until| self.outbox.is_empty() || Instant::now() >= until)
    }

    /// One connection; gives how long there is none afterwards.
    async fn connection(&mut self, orders: &mut mpsc::Receiver<Order>) -> Duration {
        let (client, mut eventloop) = AsyncClient::new(self.options.clone(), REQUESTS_MAX);
        let mut connected = false;
        loop {
            let event = {
                // a poll is never dropped half-way: what it has read of the stream would be lost
                let poll = eventloop.poll();
                tokio::pin!(poll);
                loop {
                    let over = self.closing.unwrap_or_else(Instant::now);
                    tokio::select! {
                        event = &mut poll => break event,
                        () = sleep_until(over), if self.closing.is_some() => return Duration::ZERO,
                        order = orders.recv(), if self.closing.is_none() && self.outbox.len() < OUTBOX_MAX => match order {
                            Some(Order::Cut(span)) => return span,
                            Some(Order::Say(said)) => self.take(said, connected.then_some(&client)),
                            None => {
                                self.closing = Some(Instant::now() + DRAIN);
                                if connected {
                                    self.leave(&client);
                                }
                            }
                        },
                    }
                }
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    connected = true;
                    self.counts.connects += 1;
                    for filter in &self.filters {
                        let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
                    }
                    let _ = self.came.try_send(Came::Connected);
                }
                Ok(Event::Outgoing(Outgoing::Publish(packet_id))) if packet_id != 0 => {
                    self.outbox.sent(packet_id);
                }
                Ok(Event::Incoming(Packet::PubAck(ack))) => {
                    if self.outbox.acknowledged(ack.pkid).is_some() {
                        self.counts.sent += 1;
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let came = Came::Message {
                        topic: publish.topic,
                        payload: publish.payload.to_vec(),
                        is_retained: publish.retain,
                    };
                    if self.came.try_send(came).is_err() && self.closing.is_none() {
                        tracing::warn!("a message from the broker is lost: too many wait");
                    }
                }
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return Duration::ZERO,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(error = %error, "connection lost");
                    return Duration::ZERO;
                }
            }
            if connected {
                self.leave(&client);
            }
        }
    }

    fn take(&mut self, said: Said, client: Option<&AsyncClient>) {
        if said.qos > 0 {
            // there is room: no order is taken otherwise
            let _ = self.outbox.push(said);
        } else if let Some(client) = client {
            let sent = client.try_publish(said.to, QoS::AtMostOnce, said.retain, said.payload);
            self.counts.sent += u64::from(sent.is_ok());
        }
        if let Some(client) = client {
            self.say(client);
        }
    }

    fn say(&mut self, client: &AsyncClient) {
        while let Some(said) = self.outbox.next() {
            let payload = said.payload.as_slice();
            let told = client.try_publish(&said.to, QoS::AtLeastOnce, said.retain, payload);
            if told.is_err() {
                return;
            }
            self.outbox.handed();
        }
    }

    /// Says what there is, and good-bye when nothing is left to be said.
    fn leave(&mut self, client: &AsyncClient) {
        self.say(client);
        if self.closing.is_some() && self.outbox.is_empty() {
            // a full queue is tried again after the next event
            let _ = client.try_disconnect();
        }
    }
}
