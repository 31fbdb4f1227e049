//! An MQTT client in bytes, for conformance: it sends what it is told to, right or wrong, and shows what comes back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::hub::Device;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Properties of MQTT 5.0 §2.2.2.2 as they stand in a packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Props(pub Vec<u8>);

impl Props {
    /// A property of one byte.
    #[must_use]
    pub fn byte(mut self, id: u8, value: u8) -> Self {
        self.0.extend_from_slice(&[id, value]);
        self
    }
    /// A property of two bytes.
    #[must_use]
    pub fn two(mut self, id: u8, value: u16) -> Self {
        self.0.push(id);
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// A property of four bytes.
    #[must_use]
    pub fn four(mut self, id: u8, value: u32) -> Self {
        self.0.push(id);
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// A variable byte integer.
    #[must_use]
    pub fn variable(mut self, id: u8, value: usize) -> Self {
        self.0.push(id);
        self.0.extend_from_slice(&variable(value));
        self
    }
    /// Text or binary data.
    #[must_use]
    pub fn text(mut self, id: u8, value: &str) -> Self {
        self.0.push(id);
        self.0.extend_from_slice(&text(value.as_bytes()));
        self
    }
    /// A user property.
    #[must_use]
    pub fn user(mut self, name: &str, value: &str) -> Self {
        self.0.push(0x26);
        self.0.extend_from_slice(&text(name.as_bytes()));
        self.0.extend_from_slice(&text(value.as_bytes()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = variable(self.0.len());
        out.extend_from_slice(&self.0);
        out
    }

    /// Values of a property, in order, as they stand in the packet.
    ///
    /// # Panics
    /// The server sent a property that does not exist.
    pub fn all(&self, wanted: u8) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut rest = &self.0[..];
        while let Some((id, tail)) = rest.split_first() {
            let text_bytes = |at: &[u8]| 2 + usize::from(u16::from_be_bytes([at[0], at[1]]));
            let length = match id {
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
                0x13 | 0x21 | 0x22 | 0x23 => 2,
                0x02 | 0x11 | 0x18 | 0x27 => 4,
                0x0b => 1 + tail.iter().take_while(|b| **b & 0x80 != 0).count(),
                0x26 => text_bytes(tail) + text_bytes(&tail[text_bytes(tail)..]),
                0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => text_bytes(tail),
                other => panic!("property 0x{other:02x}"),
            };
            if *id == wanted {
                found.push(tail[..length].to_vec());
            }
            rest = &tail[length..];
        }
        found
    }

    /// A property of at most four bytes, as a number.
    pub fn number(&self, id: u8) -> Option<u32> {
        let all = self.all(id);
        let value = all.first()?;
        if id == 0x0b {
            return Some(
                value
                    .iter()
                    .rev()
                    .fold(0, |sum, b| (sum << 7) | u32::from(b & 0x7f)),
            );
        }
        Some(value.iter().fold(0, |sum, b| (sum << 8) | u32::from(*b)))
    }

    /// A property of text.
    pub fn string(&self, id: u8) -> Option<String> {
        let all = self.all(id);
        Some(String::from_utf8_lossy(&all.first()?[2..]).into_owned())
    }
}

fn variable(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        out.push(if value > 0 { byte | 0x80 } else { byte });
        if value == 0 {
            return out;
        }
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A packet from its first byte and body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &variable(body.len()), body].concat()
}

/// What CONNECT asks for.
#[derive(Debug, Clone)]
pub struct Hello {
    /// 4 or 5.
    pub version: u8,
    /// Client id.
    pub client: String,
    /// Clean session, clean start.
    pub clean: bool,
    /// Seconds.
    pub keep_alive_s: u16,
    /// Account and secret.
    pub login: Option<(String, String)>,
    /// Topic, payload, QoS, retain, properties.
    pub will: Option<(String, String, u8, bool, Props)>,
    /// CONNECT's properties.
    pub props: Props,
}

impl Hello {
    /// What a device of the demo says: MQTT 3.1.1, a clean session.
    pub fn of(device: &Device) -> Self {
        Self {
            version: 4,
            client: device.id.clone(),
            clean: true,
            keep_alive_s: 60,
            login: Some((device.username.clone(), device.password.clone())),
            will: None,
            props: Props::default(),
        }
    }
}

/// CONNACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The session of before goes on.
    pub present: bool,
    /// 0: come in.
    pub code: u8,
    /// What the server says of itself.
    pub props: Props,
}

/// PUBLISH as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Empty when an alias stands for it.
    pub topic: String,
    /// As text.
    pub payload: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Marked as sent before.
    pub dup: bool,
    /// Marked as retained.
    pub retain: bool,
    /// Packet id.
    pub id: u16,
    /// Properties.
    pub props: Props,
}

/// A connection.
#[derive(Debug)]
pub struct Mqtt {
    socket: TcpStream,
    version: u8,
    kept: VecDeque<(u8, Vec<u8>)>,
}

impl Mqtt {
    /// Connects and reads the answer; none when the server closes without one.
    pub async fn connect(address: &str, hello: &Hello) -> (Self, Option<Welcome>) {
        Self::try_connect(address, hello).await.expect("connects")
    }

    /// The same; none when nobody listens.
    pub async fn try_connect(address: &str, hello: &Hello) -> Option<(Self, Option<Welcome>)> {
        let mut body = text(b"MQTT");
        let mut flags = u8::from(hello.clean) << 1;
        if let Some((_, _, qos, retain, _)) = &hello.will {
            flags |= 0b100 | (qos << 3) | (u8::from(*retain) << 5);
        }
        if hello.login.is_some() {
            flags |= 0b1100_0000;
        }
        body.extend_from_slice(&[hello.version, flags]);
        body.extend_from_slice(&hello.keep_alive_s.to_be_bytes());
        let is_v5 = hello.version == 5;
        if is_v5 {
            body.extend_from_slice(&hello.props.bytes());
        }
        body.extend_from_slice(&text(hello.client.as_bytes()));
        if let Some((topic, payload, _, _, props)) = &hello.will {
            if is_v5 {
                body.extend_from_slice(&props.bytes());
            }
            body.extend_from_slice(&text(topic.as_bytes()));
            body.extend_from_slice(&text(payload.as_bytes()));
        }
        if let Some((login, secret)) = &hello.login {
            body.extend_from_slice(&text(login.as_bytes()));
            body.extend_from_slice(&text(secret.as_bytes()));
        }
        let mut client = Self {
            socket: TcpStream::connect(address).await.ok()?,
            version: hello.version,
            kept: VecDeque::new(),
        };
        client.raw(&packet(0x10, &body)).await;
        let welcome = client.read().await.map(|(first, body)| {
            assert_eq!(first, 0x20, "CONNACK comes first");
            Welcome {
                present: body[0] == 1,
                code: body[1],
                props: if is_v5 {
                    props(&body[2..]).0
                } else {
                    Props::default()
                },
            }
        });
        Some((client, welcome))
    }

    /// Sends bytes as they are.
    pub async fn raw(&mut self, bytes: &[u8]) {
        // the server may have closed already, which the reader tells
        let _ = self.socket.write_all(bytes).await;
    }

    /// The next packet, first byte and body; none when the server has closed.
    pub async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        if let Some(kept) = self.kept.pop_front() {
            return Some(kept);
        }
        tokio::time::timeout(PATIENCE, self.read_packet())
            .await
            .expect("a packet, or the end, in time")
    }

    async fn read_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.socket.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.socket.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }

    /// The next packet of a type; others wait for their turn.
    async fn expect(&mut self, kind: u8) -> Vec<u8> {
        let mut others = VecDeque::new();
        loop {
            let Some((first, body)) = self.read().await else {
                panic!("closed instead of a packet of type {kind}");
            };
            if first >> 4 == kind {
                others.append(&mut self.kept);
                self.kept = others;
                return body;
            }
            others.push_back((first, body));
        }
    }

    /// Sends a PUBLISH without waiting.
    pub async fn send(
        &mut self,
        topic: &str,
        payload: &(impl AsRef<[u8]> + ?Sized),
        qos: u8,
        retain: bool,
        id: u16,
        props: &Props,
    ) {
        self.send_as(
            0x30 | (qos << 1) | u8::from(retain),
            topic,
            payload,
            id,
            props,
        )
        .await;
    }

    /// The same, with any first byte.
    pub async fn send_as(
        &mut self,
        first: u8,
        topic: &str,
        payload: &(impl AsRef<[u8]> + ?Sized),
        id: u16,
        props: &Props,
    ) {
        let mut body = text(topic.as_bytes());
        if first & 0b110 != 0 {
            body.extend_from_slice(&id.to_be_bytes());
        }
        if self.version == 5 {
            body.extend_from_slice(&props.bytes());
        }
        body.extend_from_slice(payload.as_ref());
        self.raw(&packet(first, &body)).await;
    }

    /// Publishes and goes through the whole handshake of the quality; the reason that the server gave.
    pub async fn publish(
        &mut self,
        topic: &str,
        payload: &(impl AsRef<[u8]> + ?Sized),
        qos: u8,
        retain: bool,
    ) -> u8 {
        self.publish_with(topic, payload, qos, retain, &Props::default())
            .await
    }

    /// The same with properties.
    pub async fn publish_with(
        &mut self,
        topic: &str,
        payload: &(impl AsRef<[u8]> + ?Sized),
        qos: u8,
        retain: bool,
        props: &Props,
    ) -> u8 {
        let id = 0x7001;
        self.send(topic, payload, qos, retain, id, props).await;
        match qos {
            0 => 0,
            1 => {
                let ack = self.expect(4).await;
                assert_eq!(ack[..2], id.to_be_bytes());
                ack.get(2).copied().unwrap_or(0)
            }
            _ => {
                let ack = self.expect(5).await;
                let reason = ack.get(2).copied().unwrap_or(0);
                if reason < 0x80 {
                    self.ack(6, id).await;
                    assert_eq!(self.expect(7).await[..2], id.to_be_bytes());
                }
                reason
            }
        }
    }

    /// PUBACK 4, PUBREC 5, PUBREL 6, PUBCOMP 7.
    pub async fn ack(&mut self, kind: u8, id: u16) {
        let flags = if kind == 6 { 2 } else { 0 };
        self.raw(&packet((kind << 4) | flags, &id.to_be_bytes()))
            .await;
    }

    /// The packet id of the next acknowledgement of this type.
    pub async fn acked(&mut self, kind: u8) -> u16 {
        let body = self.expect(kind).await;
        u16::from_be_bytes([body[0], body[1]])
    }

    /// Subscribes; the codes of SUBACK.
    pub async fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        self.subscribe_with(filters, &Props::default()).await
    }

    /// The same with properties.
    pub async fn subscribe_with(&mut self, filters: &[(&str, u8)], extra: &Props) -> Vec<u8> {
        let mut body = 5u16.to_be_bytes().to_vec();
        if self.version == 5 {
            body.extend_from_slice(&extra.bytes());
        }
        for (filter, options) in filters {
            body.extend_from_slice(&text(filter.as_bytes()));
            body.push(*options);
        }
        self.raw(&packet(0x82, &body)).await;
        let answer = self.expect(9).await;
        let skip = if self.version == 5 {
            2 + props(&answer[2..]).1
        } else {
            2
        };
        answer[skip..].to_vec()
    }

    /// Unsubscribes; the codes of UNSUBACK, which 3.1.1 has not.
    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        let mut body = 6u16.to_be_bytes().to_vec();
        if self.version == 5 {
            body.push(0);
        }
        for filter in filters {
            body.extend_from_slice(&text(filter.as_bytes()));
        }
        self.raw(&packet(0xa2, &body)).await;
        let answer = self.expect(11).await;
        let skip = if self.version == 5 {
            2 + props(&answer[2..]).1
        } else {
            2
        };
        answer[skip..].to_vec()
    }

    /// The next message, not acknowledged.
    pub async fn message(&mut self) -> Message {
        // the flags are in the first byte, so types are told apart by hand
        let mut others = VecDeque::new();
        let (first, body) = loop {
            let Some((first, body)) = self.read().await else {
                panic!("closed instead of a message");
            };
            if first >> 4 == 3 {
                break (first, body);
            }
            others.push_back((first, body));
        };
        others.append(&mut self.kept);
        self.kept = others;
        let qos = (first >> 1) & 3;
        let mut at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8_lossy(&body[2..at]).into_owned();
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([body[at], body[at + 1]]);
            at += 2;
        }
        let mut found = Props::default();
        if self.version == 5 {
            let (read, bytes) = props(&body[at..]);
            (found, at) = (read, at + bytes);
        }
        Message {
            topic,
            payload: String::from_utf8_lossy(&body[at..]).into_owned(),
            qos,
            dup: first & 8 != 0,
            retain: first & 1 != 0,
            id,
            props: found,
        }
    }

    /// The next message, acknowledged, however long it takes.
    pub async fn patient_message(&mut self) -> Message {
        if self.kept.is_empty() {
            self.wait().await;
        }
        self.take().await
    }

    /// The reason of DISCONNECT, however long it takes.
    pub async fn patient_end(&mut self) -> Option<u8> {
        self.wait().await;
        self.closed().await
    }

    /// Until there is something to read.
    async fn wait(&mut self) {
        let mut one = [0];
        let _ = self.socket.peek(&mut one).await;
    }

    /// The next message, acknowledged to its end.
    pub async fn take(&mut self) -> Message {
        let message = self.message().await;
        match message.qos {
            0 => {}
            1 => self.ack(4, message.id).await,
            _ => {
                self.ack(5, message.id).await;
                assert_eq!(self.acked(6).await, message.id);
                self.ack(7, message.id).await;
            }
        }
        message
    }

    /// Nothing comes for a while: the server answers a PINGREQ before anything else.
    pub async fn silence(&mut self) {
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.raw(&[0xc0, 0]).await;
        let (first, body) = self.read().await.expect("still connected");
        assert_eq!(
            (first, body.len()),
            (0xd0, 0),
            "{:?}",
            String::from_utf8_lossy(&body)
        );
    }

    /// Says good-bye with a reason and properties (version 5), or without.
    pub async fn goodbye(mut self, reason: u8, props: &Props) {
        if self.version == 5 {
            let body = [&[reason][..], &props.bytes()].concat();
            self.raw(&packet(0xe0, &body)).await;
        } else {
            self.raw(&[0xe0, 0]).await;
        }
        while self.read().await.is_some() {}
    }

    /// What the server says before it closes: the reason of its DISCONNECT, if it sends one.
    pub async fn closed(&mut self) -> Option<u8> {
        let mut reason = None;
        while let Some((first, body)) = self.read().await {
            if first == 0xe0 {
                reason = Some(body.first().copied().unwrap_or(0));
            }
        }
        reason
    }
}

/// Properties at the start of some bytes, and how many bytes they take with their length.
fn props(bytes: &[u8]) -> (Props, usize) {
    let head = 1 + bytes.iter().take_while(|b| **b & 0x80 != 0).count();
    let length = bytes[..head]
        .iter()
        .rev()
        .fold(0, |sum, b| (sum << 7) | usize::from(b & 0x7f));
    (Props(bytes[head..head + length].to_vec()), head + length)
}
