//! Whatever a client does, the next honest device connects, publishes and has its acknowledgement; the hub is the same process, and nothing
//! that was not allowed is in history.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use blackbox::{Hello, Hub, Mqtt, Props, bin, eventually, packet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An honest device has its PUBACK within this; what is expected is a second, the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    hub: Hub,
    _dir: tempfile::TempDir,
    bridge: String,
    pid: u32,
}

fn bridge(data: &Path) -> String {
    let out = Command::new(bin("gateway"))
        .args([
            "credential",
            "add",
            "--bridge",
            "--publish",
            "t/#",
            "--publish",
            "烟感/#",
            "--subscribe",
            "t/#",
            "crowd",
        ])
        .env("JIMING__DATA__DIR", data)
        .output()
        .expect("runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

impl Bench {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let hub = Hub::start(dir.path()).await;
        let bench = Self {
            bridge: bridge(dir.path()),
            pid: hub.pid(),
            hub,
            _dir: dir,
        };
        eventually("the account is known", Duration::from_secs(20), || async {
            let (_, welcome) = Mqtt::connect(&bench.address(), &bench.crowd(5, "probe")).await;
            welcome.filter(|w| w.code == 0)
        })
        .await;
        bench
    }

    fn address(&self) -> String {
        let (host, port) = self.hub.demo.mqtt_address();
        format!("{host}:{port}")
    }

    fn crowd(&self, version: u8, client: &str) -> Hello {
        Hello {
            version,
            client: client.to_owned(),
            clean: true,
            keep_alive_s: 60,
            login: Some(("crowd".to_owned(), self.bridge.clone())),
            will: None,
            props: Props::default(),
        }
    }

    async fn client(&self, client: &str) -> Mqtt {
        let (client, welcome) = Mqtt::connect(&self.address(), &self.crowd(5, client)).await;
        assert_eq!(welcome.expect("an answer").code, 0);
        client
    }

    /// The honest device: connect, publish, acknowledged.
    async fn is_alive(&mut self, after: &str) {
        let began = Instant::now();
        let device = self.hub.demo.device("fire_sensor").clone();
        let honest = async {
            let hello = Hello {
                client: device.id.clone(),
                login: Some((device.username.clone(), device.password.clone())),
                ..self.crowd(4, "")
            };
            // from an address that is being throttled it tries again, as devices do
            let (mut client, welcome) = loop {
                match Mqtt::connect(&self.address(), &hello).await {
                    (client, Some(welcome)) => break (client, welcome),
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            };
            assert_eq!(welcome.code, 0, "after {after}");
            let topic = format!("ssg/v1/{}/{}/tele", device.site, device.id);
            client.publish(&topic, r#"{"battery": 90}"#, 1, false).await;
            client.goodbye(0, &Props::default()).await;
        };
        let done = tokio::time::timeout(PATIENCE, honest).await;
        assert!(
            done.is_ok(),
            "no acknowledgement after {after}\n{}",
            self.hub.log()
        );
        println!(
            "{:>7.1} ms after {after}",
            began.elapsed().as_secs_f64() * 1000.0
        );
        assert_eq!(self.hub.pid(), self.pid);
        assert!(
            Path::new(&format!("/proc/{}", self.pid)).exists(),
            "{after} ended the hub"
        );
    }

    fn rss_kb(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status
            .lines()
            .find(|l| l.starts_with("VmRSS:"))
            .expect("a line");
        line.split_whitespace()
            .nth(1)
            .and_then(|n| n.parse().ok())
            .expect("a number")
    }

    async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.expect("connects")
    }

    /// Sends bytes as the first of a connection and waits until the hub has closed it.
    async fn throw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut socket = self.socket().await;
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "still open after {bytes:x?}");
        answer
    }
}

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("small")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_takes_the_hub_from_the_others() {
    let mut b = Bench::start().await;
    b.is_alive("nothing").await;

    let mut a = b.client("cjk").await;
    a.subscribe(&[("t/#", 1), ("烟感/#", 1)]).await;
    assert_eq!(a.publish("烟感/01", "x", 1, true).await, 0);
    assert_eq!(a.publish("t/烟感/01", "x", 2, true).await, 0);
    assert_eq!(a.take().await.topic, "t/烟感/01");
    b.is_alive("a topic in Chinese").await;

    for id in ["a/b", "a+b", "#", "$x", "烟", "a b", "a\tb"] {
        for _ in 0..10 {
            let (_, welcome) = Mqtt::connect(&b.address(), &b.crowd(4, id)).await;
            assert_eq!(welcome.expect("an answer").code, 2, "{id}");
        }
    }
    b.is_alive("client ids with + # / $").await;

    for first in [0x20, 0x90, 0xb0, 0xd0, 0xf0, 0x00] {
        let mut odd = b.client("odd").await;
        odd.raw(&packet(first, &[0, 0, 0])).await;
        assert!(matches!(odd.closed().await, Some(0x81 | 0x82)), "{first:x}");
    }
    b.is_alive("packets that only servers send").await;

    for bytes in [
        &packet(0x30, b"\0\x01tx")[..],
        &packet(0x82, b"\0\x01\0\x01#\0"),
        &packet(0x10, b"\0\x04XQTT\x04\x02\0\x3c\0\x01x"),
        &packet(0x10, b"\0\x04MQTT\x03\x02\0\x3c\0\x01x"),
        &packet(0x10, b"\0\x04MQTT\x04\x03\0\x3c\0\x01x"),
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x10, 0xff, 0xff, 0xff, 0x7f],
        &[0x30, 0xff, 0xff, 0xff, 0x7f],
    ] {
        b.throw(bytes).await;
    }
    let mut twice = b.client("twice").await;
    twice
        .raw(&packet(0x10, b"\0\x04MQTT\x05\x02\0\x3c\0\0\x01x"))
        .await;
    assert_eq!(twice.closed().await, Some(0x82), "a second CONNECT");
    b.is_alive("what is no CONNECT, and one too many").await;

    let before = b.rss_kb();
    for _ in 0..200 {
        let mut huge = b.client("huge").await;
        huge.raw(&[0x32, 0xff, 0xff, 0xff, 0x7f]).await;
        assert_eq!(huge.closed().await, Some(0x95));
    }
    assert!(
        b.rss_kb() < before + 20_000,
        "{before} kB, then {} kB",
        b.rss_kb()
    );
    b.is_alive("256 MB announced 200 times").await;

    for _ in 0..100 {
        drop(b.client("twin").await);
    }
    b.is_alive("100 takeovers").await;

    let mut stuck = b.client("stuck").await;
    for _ in 0..10_000 {
        stuck
            .send("t/stuck", "x", 2, false, 7, &Props::default())
            .await;
    }
    assert_eq!(stuck.acked(5).await, 7);
    b.is_alive("one QoS 2 message 10,000 times").await;
    drop(stuck);

    // a subscriber that reads nothing, and more than the kernel buffers for it
    let mut deaf = b.client("deaf").await;
    deaf.subscribe(&[("t/flood", 0)]).await;
    let mut loud = b.client("loud").await;
    let text = "x".repeat(60_000);
    for _ in 0..1500 {
        loud.send("t/flood", &text, 0, false, 0, &Props::default())
            .await;
    }
    assert_eq!(loud.publish("t/flood", "end", 1, false).await, 0);
    b.is_alive("90 MB to a subscriber that does not read").await;
    drop(deaf);

    let before = b.rss_kb();
    let mut many = b.client("many").await;
    for n in 0..50_000u32 {
        many.send(
            &format!("t/{n}/{}", n % 7),
            "x",
            0,
            false,
            0,
            &Props::default(),
        )
        .await;
    }
    assert_eq!(many.publish("t/end", "x", 1, false).await, 0);
    let grown = b.rss_kb().saturating_sub(before);
    println!("50,000 topics: {grown} kB more");
    b.is_alive("50,000 topics").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silent_and_the_slow_are_sent_away_and_hold_nobody_up() {
    let mut b = Bench::start().await;
    let mut mute = Vec::new();
    // as many as this process may open; the hub's own limit is 20,000
    for _ in 0..5000 {
        match TcpStream::connect(b.address()).await {
            Ok(socket) => mute.push(socket),
            Err(_) => break,
        }
    }
    println!("{} sockets that say nothing", mute.len());
    assert!(mute.len() >= 500, "only {} sockets", mute.len());
    b.is_alive("thousands of silent sockets").await;
    let began = Instant::now();
    let mut slow = b.socket().await;
    let hello = packet(0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\x04slow");
    for byte in &hello {
        if slow.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty(), "{rest:x?}");
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "one byte a second is no way to connect"
    );
    for socket in &mut mute {
        let mut byte = [0];
        let end = tokio::time::timeout(PATIENCE, socket.read(&mut byte)).await;
        assert!(
            matches!(end, Ok(Ok(0) | Err(_))),
            "a silent socket is still open"
        );
    }
    b.is_alive("a CONNECT of one byte a second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_mutated_sessions_end_nobody_else() {
    let mut b = Bench::start().await;
    let seed = 0x5eed_0003_u64;
    println!("seed {seed:#x}");
    let mut dice = Dice(seed);
    let mut body = b"\0\x04MQTT\x05\xc2\0\x3c\0\0\x04fuzz\0\x05crowd\0\x40".to_vec();
    body.extend_from_slice(b.bridge.as_bytes());
    let session = [
        packet(0x10, &body),
        packet(0x82, b"\0\x01\0\0\x03t/#\x02"),
        packet(0x32, b"\0\x03t/x\0\x02\x06\x26\0\x01k\0\0payload"),
        packet(0x34, b"\0\x03t/x\0\x03\0payload"),
        packet(0x62, &[0, 3]),
        packet(0x40, &[0, 1]),
        packet(0xa2, b"\0\x04\0\0\x03t/#"),
        packet(0xc0, &[]),
        packet(0xe0, &[0, 5, 0x11, 0, 0, 0, 9]),
    ]
    .concat();
    for _ in 0..2000 {
        let mut bytes = session.clone();
        for _ in 0..=dice.roll(6) {
            // the way in stays whole most of the time, or nothing behind it is ever reached
            let from = if dice.roll(4) == 0 { 0 } else { body.len() + 2 };
            let at = from + dice.roll(bytes.len() - from);
            match dice.roll(4) {
                0 => bytes[at] ^= 1 << dice.roll(8),
                1 => bytes[at] = u8::try_from(dice.roll(256)).expect("a byte"),
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, u8::try_from(dice.roll(256)).expect("a byte")),
            }
        }
        let mut socket = b.socket().await;
        let _ = socket.write_all(&bytes).await;
        if dice.roll(8) == 0 {
            let mut some = [0; 64];
            let _ = tokio::time::timeout(Duration::from_millis(20), socket.read(&mut some)).await;
        }
    }
    b.is_alive("2,000 mutated sessions").await;
    assert!(!b.hub.log().contains("panicked"), "{}", b.hub.log());
    let status = b.hub.api("administrator").get("/api/v1/status").await;
    let listener = status.expect("a status")["listener"].clone();
    println!("{listener}");
    // they were let in and heard, not turned away at the door
    assert!(listener["received"].as_u64() > Some(300), "{listener}");
}
