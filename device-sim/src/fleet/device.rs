//! One simulated device: a rumqttc client that connects, says who it is, says what it is told to, and starts over when the
//! connection is gone. Each connection gets a client of its own, so that nothing of the last one lingers in it.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rumqttc::{
    AsyncClient, ConnectionError, Event, LastWill, MqttOptions, Outgoing, Packet, Publish, QoS,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Clock;
use super::ledger::{Acked, Ledger};
use crate::SimDevice;
use crate::command::{Executor, Heard, Now, Reaction};
use crate::later::Later;
use crate::native::{self, Message, Say};
use crate::outbox::Outbox;

/// Unacknowledged messages on the wire; rumqttc's own limit is twice that, so that it never has to choose.
const WINDOW: usize = 8;
/// Unacknowledged messages in all: about an hour of a busy door.
const OUTBOX_MAX: usize = 2_000;
/// Requests that wait for rumqttc's event loop: a window, readings and a subscription.
const REQUESTS_MAX: usize = 2 * WINDOW + 8;
/// MQTT keep-alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// First and longest pause before connecting again; doubled each time, give or take half.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Largest packet in bytes, both ways.
const PACKET_BYTES_MAX: usize = 64 * 1024;

/// Something for a device to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Say this.
    Say {
        /// What.
        message: Message,
        /// When it was made.
        at: Timestamp,
    },
    /// Lose the connection, and find none for so long.
    Offline(Duration),
}

struct Waiting {
    message: Message,
    at: Timestamp,
    since: Instant,
}

pub(super) struct Device {
    who: SimDevice,
    options: MqttOptions,
    boot: String,
    rng: StdRng,
    outbox: Outbox<Waiting>,
    ledger: Arc<Ledger>,
    /// No more orders will come; when the outbox is empty the device leaves.
    closing: bool,
    /// Its network is gone until then.
    offline_until: Option<Instant>,
    executor: Executor,
    clock: Clock,
    /// What commands have left to be done.
    later: Later<Reaction>,
    /// Events that it has said of its own accord, by a command.
    own: u64,
}

/// How a connection ended.
enum End {
    /// The device left on purpose.
    Left,
    /// It was cut off, or never came to be.
    Lost(ConnectionError),
    /// It was cut on purpose, without a good-bye: its will is published.
    Cut,
}

impl Device {
    pub(super) fn new(
        who: SimDevice,
        (host, port): &(String, u16),
        boot: String,
        seed: u64,
        ledger: Arc<Ledger>,
        (executor, clock): (Executor, Clock),
    ) -> Self {
        let mut options = MqttOptions::new(who.id.as_str(), host, *port);
        let (topic, payload) = native::will(&who, &boot);
        options
            .set_credentials(&who.username, &who.password)
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(true)
            .set_inflight(2 * WINDOW as u16)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX)
            .set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, true));
        Self {
            who,
            options,
            boot,
            rng: StdRng::seed_from_u64(seed),
            outbox: Outbox::new(WINDOW, OUTBOX_MAX),
            ledger,
            closing: false,
            offline_until: None,
            executor,
            clock,
            later: Later::default(),
            own: 0,
        }
    }

    /// Connects after a while, and again until it has left on purpose.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, start_after: Duration) {
        self.pause(start_after, &mut orders).await;
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            match self.connection(&mut orders).await {
                End::Left => return,
                End::Lost(error) => {
                    tracing::debug!(device.id = %self.who.id, error = %error, "connection lost");
                    self.ledger.disconnected();
                    self.outbox.restart();
                }
                End::Cut => {
                    self.ledger.disconnected();
                    self.outbox.restart();
                }
            }
            self.wait_for_network(&mut orders).await;
            // a connection that held for a while was a good one
            failures = if begun.elapsed() > PAUSE_MAX {
                0
            } else {
                failures + 1
            };
            let pause = PAUSE_MIN
                .saturating_mul(1 << failures.min(6))
                .min(PAUSE_MAX)
                .mul_f64(self.rng.random_range(0.5..1.5));
            self.pause(pause, &mut orders).await;
        }
    }

    /// Waits, and meanwhile takes what it is told to say.
    async fn pause(&mut self, pause: Duration, orders: &mut mpsc::Receiver<Order>) {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                reaction = self.later.next() => self.react(reaction, None),
                order = orders.recv(), if !self.closing => self.take(order, None),
            }
        }
    }

    /// As long as the network is gone; a device that is to leave does not wait for it.
    async fn wait_for_network(&mut self, orders: &mut mpsc::Receiver<Order>) {
        while let Some(until) = self.offline_until {
            if self.closing || until <= Instant::now() {
                self.offline_until = None;
                return;
            }
            tokio::select! {
                () = sleep_until(until) => {}
                reaction = self.later.next() => self.react(reaction, None),
                order = orders.recv() => self.take(order, None),
            }
        }
    }

    async fn connection(&mut self, orders: &mut mpsc::Receiver<Order>) -> End {
        let (client, mut eventloop) = AsyncClient::new(self.options.clone(), REQUESTS_MAX);
        let mut connected = false;
        loop {
            let event = {
                // a poll is never dropped half-way: what it has read of the stream would be lost
                let poll = eventloop.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        event = &mut poll => break event,
                        order = orders.recv(), if !self.closing => {
                            self.take(order, connected.then_some(&client));
                            if self.offline_until.is_some() {
                                return End::Cut;
                            }
                        }
                        reaction = self.later.next() => {
                            self.react(reaction, connected.then_some(&client));
                            if self.offline_until.is_some() {
                                return End::Cut;
                            }
                        }
                    }
                }
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    connected = true;
                    self.greet(&client);
                }
                Ok(Event::Outgoing(Outgoing::Publish(packet_id))) if packet_id != 0 => {
                    self.outbox.sent(packet_id);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    self.hear(&publish);
                }
                Ok(Event::Incoming(Packet::PubAck(ack))) => self.acknowledged(ack.pkid),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => {
                    // the packet is flushed by the poll that told of it
                    return End::Left;
                }
                Ok(_) => {}
                Err(error) if self.closing && self.outbox.is_empty() => {
                    tracing::debug!(device.id = %self.who.id, error = %error, "left");
                    return End::Left;
                }
                Err(error) => return End::Lost(error),
            }
            if connected {
                self.say(&client);
                if self.closing && self.outbox.is_empty() {
                    // a full queue is tried again after the next event
                    let _ = client.try_disconnect();
                }
            }
        }
    }

    /// Puts an order where it belongs: readings go out now or never, the rest into the outbox.
    fn take(&mut self, order: Option<Order>, client: Option<&AsyncClient>) {
        if let Some(Order::Offline(span)) = order {
            self.offline_until = Some(Instant::now() + span);
            return;
        }
        let Some(Order::Say { message, at }) = order else {
            self.closing = true;
            let now = Timestamp::now();
            self.keep(native::offline(&self.who, &self.boot, now), now);
            if let Some(client) = client {
                self.say(client);
            }
            return;
        };
        if message.acknowledged {
            self.keep(message, at);
            if let Some(client) = client {
                self.say(client);
            }
        } else if let Some(client) = client
            && client
                .try_publish(message.topic, QoS::AtMostOnce, false, message.payload)
                .is_ok()
        {
            self.ledger.telemetry();
        }
    }

    /// Something came from the other side; only commands do.
    fn hear(&mut self, publish: &Publish) {
        let root = format!("{}/cmd/", native::topic_root(&self.who));
        let Some(command) = publish.topic.strip_prefix(&root) else {
            return;
        };
        let heard = Heard {
            command: command.to_owned(),
            payload: publish.payload.to_vec(),
            is_retained: publish.retain,
        };
        let reactions = self.executor.hear(heard, now());
        self.put_off(reactions);
    }

    fn put_off(&mut self, reactions: Vec<(Duration, Reaction)>) {
        let at = Instant::now();
        for (after, reaction) in reactions {
            if self.later.push(at + after, reaction).is_err() {
                tracing::warn!(device.id = %self.who.id, "a device has more commands than it can take");
            }
        }
        self.clock.set(self.executor.clock_off());
    }

    /// Does what a command has left to be done, now that its time has come.
    fn react(&mut self, reaction: Reaction, client: Option<&AsyncClient>) {
        match reaction {
            Reaction::Note(note) => self.ledger.command(&self.who.id, &note),
            Reaction::Take(heard) => {
                let reactions = self.executor.take(&heard, now());
                self.put_off(reactions);
            }
            Reaction::Cut(span) => self.offline_until = Some(Instant::now() + span),
            Reaction::Answer(command, answer) => {
                let message = native::answer(&self.who, &command, &answer);
                self.keep(message, Timestamp::now());
            }
            Reaction::Say(moves, say) => {
                if let Some(say) = self.executor.still(moves, say) {
                    self.say_of_own_accord(&say);
                }
            }
        }
        if let Some(client) = client {
            self.say(client);
        }
    }

    fn say_of_own_accord(&mut self, say: &Say) {
        self.own += 1;
        let now = Timestamp::now();
        let id = format!("{}-own-{}", self.boot, self.own);
        let message = native::encode(&self.who, say, id, self.clock.read(now));
        if message.id.is_some() {
            self.ledger.published();
        }
        self.keep(message, now);
    }

    fn keep(&mut self, message: Message, at: Timestamp) {
        let is_event = message.id.is_some();
        let waiting = Waiting {
            message,
            at,
            since: Instant::now(),
        };
        if self.outbox.push(waiting).is_err() && is_event {
            self.ledger.refused();
        }
    }

    /// Says who it is, once per connection.
    fn greet(&mut self, client: &AsyncClient) {
        let now = Timestamp::now();
        if !self.closing {
            let shown = self.clock.read(now);
            self.keep(native::online(&self.who, &self.boot, shown), now);
            self.keep(native::meta(&self.who, shown), now);
            let commands = format!("{}/cmd/+", native::topic_root(&self.who));
            if client.try_subscribe(commands, QoS::AtLeastOnce).is_err() {
                tracing::warn!(device.id = %self.who.id, "a device hears no commands");
            }
        }
        self.say(client);
    }

    /// Gives the client as much of the outbox as the window and the client's queue allow; the rest after the next event.
    fn say(&mut self, client: &AsyncClient) {
        while let Some(Waiting { message, .. }) = self.outbox.next() {
            let payload = message.payload.as_slice();
            let said =
                client.try_publish(&message.topic, QoS::AtLeastOnce, message.retain, payload);
            if said.is_err() {
                return;
            }
            self.outbox.handed();
        }
    }

    fn acknowledged(&mut self, packet_id: u16) {
        let Some(waiting) = self.outbox.acknowledged(packet_id) else {
            tracing::warn!(device.id = %self.who.id, packet.id = packet_id, "acknowledged what was not sent");
            return;
        };
        match waiting.message.id {
            Some(id) => self.ledger.event_acknowledged(
                Acked {
                    device: self.who.id.clone(),
                    id,
                    sent_at: waiting.at,
                },
                waiting.since.elapsed(),
            ),
            None => self.ledger.report_acknowledged(),
        }
    }
}

fn now() -> Now {
    Now {
        wall: Timestamp::now(),
        instant: Instant::now(),
    }
}
