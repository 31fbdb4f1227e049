//! A listener on a free port with two devices and one integration, and a client that speaks in bytes.

use std::sync::Arc;
use std::time::Duration;

use domain::{Seq, Uplink};
use gateway::adapters::Formats;
use gateway::exchange::Exchange;
use gateway::listener::{
    Deps, Directory, Endpoint, Kind, Limits, ListenerStats, PeerCertificate, Principal,
    PrincipalKind, serve,
};
use store::journal::{Journal, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Accounts(Vec<Arc<Principal>>);

impl Directory for Accounts {
    fn authenticate(&self, login: &str, secret: &[u8]) -> Option<Arc<Principal>> {
        let known = self.0.iter().find(|p| p.id == login)?;
        (secret == b"secret").then(|| Arc::clone(known))
    }

    fn of_certificate(&self, certificate: &PeerCertificate) -> Option<Arc<Principal>> {
        let known = self.0.iter().find(|p| p.id == certificate.common_name)?;
        Some(Arc::clone(known))
    }
}

fn device(id: &str) -> Arc<Principal> {
    let own = format!("ssg/v1/q1/{id}");
    Arc::new(Principal {
        id: id.to_owned(),
        kind: PrincipalKind::Device {
            site: "q1".parse().expect("an id"),
            device: id.parse().expect("an id"),
        },
        publish: vec![
            format!("{own}/evt/+").parse().expect("a filter"),
            format!("{own}/avail").parse().expect("a filter"),
        ],
        subscribe: vec![format!("{own}/cmd/#").parse().expect("a filter")],
        revoked: CancellationToken::new(),
    })
}

/// What a connection says that is closed without a word.
pub(crate) const NOTHING: [u8; 0] = [];

pub(crate) struct Bench {
    pub(crate) journal: Journal,
    pub(crate) address: std::net::SocketAddr,
    /// One for each kind that it was started with.
    pub(crate) addresses: Vec<std::net::SocketAddr>,
    pub(crate) stats: Arc<ListenerStats>,
    stop: CancellationToken,
    served: JoinHandle<anyhow::Result<()>>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::over(vec![Kind::Plain], limits).await
    }

    pub(crate) async fn over(kinds: Vec<Kind>, limits: Limits) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            segment_bytes: 1 << 20,
            ..Options::default()
        };
        let (journal, _) = Journal::open(dir.path(), options).expect("opens");
        let (mut endpoints, mut addresses) = (Vec::new(), Vec::new());
        for kind in kinds {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            addresses.push(listener.local_addr().expect("bound"));
            endpoints.push(Endpoint { listener, kind });
        }
        let (stop, stats) = (CancellationToken::new(), Arc::new(ListenerStats::default()));
        let clock: Arc<dyn Fn() -> domain::Timestamp + Send + Sync> =
            Arc::new(domain::Timestamp::now);
        let (exchange, worker) = Exchange::open(
            &dir.path().join("sessions.db"),
            &journal,
            Arc::clone(&clock),
            Formats::default(),
        )
        .expect("opens");
        std::thread::spawn(move || worker.run());
        let deps = Deps {
            journal: journal.clone(),
            directory: Arc::new(Accounts(vec![device("smoke-1"), device("door-1")])),
            exchange,
            limits,
            clock,
            formats: Formats::default(),
            stats: Arc::clone(&stats),
            first_epoch: 1,
        };
        let served = tokio::spawn(serve(endpoints, deps, stop.clone()));
        Self {
            journal,
            address: addresses[0],
            addresses,
            stats,
            stop,
            served,
            _dir: dir,
        }
    }

    /// Everything that is durable by now.
    pub(crate) fn stored(&self) -> Vec<Uplink> {
        let mut reader = self.journal.read_from(Seq(0));
        let mut all = Vec::new();
        loop {
            let batch = reader.next_batch(1000, 1 << 20).expect("reads");
            if batch.is_empty() {
                return all;
            }
            all.extend(batch.into_iter().map(|(_, uplink)| uplink));
        }
    }

    /// Payloads of what clients themselves have said, in order.
    pub(crate) fn said(&self) -> Vec<String> {
        let of_clients = self.stored().into_iter().filter(|u| u.principal != "hub");
        of_clients
            .map(|u| String::from_utf8_lossy(&u.payload).into_owned())
            .collect()
    }

    /// Waits until clients, or the hub in their name, have said just this.
    pub(crate) async fn comes_to_say(&self, expected: &[&str]) {
        for _ in 0..500 {
            if self.said() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?} instead of {expected:?}", self.said());
    }

    /// Waits until a note of the hub holds `part`.
    pub(crate) async fn noted(&self, topic: &str, part: &str) {
        for _ in 0..500 {
            let found = self.stored().into_iter().any(|u| {
                u.principal == "hub"
                    && u.topic.starts_with(topic)
                    && String::from_utf8_lossy(&u.payload).contains(part)
            });
            if found {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no note {topic} with {part}");
    }

    pub(crate) async fn connect(&self, connect: &[u8]) -> Client {
        let mut socket = TcpStream::connect(self.address).await.expect("connects");
        socket.write_all(connect).await.expect("writes");
        Client(socket)
    }

    /// A device that is connected with version 3.1.1.
    pub(crate) async fn device(&self, id: &str) -> Client {
        let mut client = self.connect(&connect(4, id, id, "secret", 60, None)).await;
        assert_eq!(client.read(4).await, [0x20, 2, 0, 0], "accepted");
        client
    }

    /// An honest client still gets through: whatever happened before hurt nobody else.
    pub(crate) async fn is_alive(&self) {
        let mut client = self.device("door-1").await;
        client
            .write(&publish(
                1,
                9,
                "ssg/v1/q1/door-1/evt/access-granted",
                "alive",
            ))
            .await;
        assert_eq!(client.read(4).await, [0x40, 2, 0, 9]);
        client.write(&[0xe0, 0]).await;
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.expect("ends").expect("without an error");
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("writes");
    }

    pub(crate) async fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        let read =
            tokio::time::timeout(Duration::from_secs(5), self.0.read_exact(&mut bytes)).await;
        read.expect("in time").expect("reads");
        bytes
    }

    /// What comes until the other side closes.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read =
            tokio::time::timeout(Duration::from_secs(5), self.0.read_to_end(&mut bytes)).await;
        // a reset is an end as well
        let _ = read.expect("closed in time");
        bytes
    }
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
    bytes.extend_from_slice(text);
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A CONNECT of version 4 or 5.
pub(crate) fn connect(
    version: u8,
    id: &str,
    login: &str,
    secret: &str,
    keep_alive_s: u16,
    will: Option<(&str, &str)>,
) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, b"MQTT");
    let will_flags = if will.is_some() { 0b0000_1100 } else { 0 };
    body.extend_from_slice(&[version, 0b1100_0010 | will_flags]);
    body.extend_from_slice(&keep_alive_s.to_be_bytes());
    if version == 5 {
        body.push(0);
    }
    text(&mut body, id.as_bytes());
    if let Some((topic, payload)) = will {
        if version == 5 {
            body.push(0);
        }
        text(&mut body, topic.as_bytes());
        text(&mut body, payload.as_bytes());
    }
    text(&mut body, login.as_bytes());
    text(&mut body, secret.as_bytes());
    packet(0x10, &body)
}

fn published(first: u8, id: u16, topic: &str, payload: &str, properties: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic.as_bytes());
    if first & 0b110 != 0 {
        body.extend_from_slice(&id.to_be_bytes());
    }
    body.extend_from_slice(properties);
    body.extend_from_slice(payload.as_bytes());
    packet(first, &body)
}

/// A PUBLISH of version 3.1.1.
pub(crate) fn publish(qos: u8, id: u16, topic: &str, payload: &str) -> Vec<u8> {
    published(0x30 | qos << 1, id, topic, payload, &[])
}

/// The same, sent again.
pub(crate) fn again(qos: u8, id: u16, topic: &str, payload: &str) -> Vec<u8> {
    published(0x38 | qos << 1, id, topic, payload, &[])
}

/// A PUBLISH of version 5 without properties.
pub(crate) fn publish5(qos: u8, id: u16, topic: &str, payload: &str) -> Vec<u8> {
    published(0x30 | qos << 1, id, topic, payload, &[0])
}

/// A SUBSCRIBE of version 3.1.1 with one filter.
pub(crate) fn subscribe(id: u16, filter: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    text(&mut body, filter.as_bytes());
    body.push(1);
    packet(0x82, &body)
}
