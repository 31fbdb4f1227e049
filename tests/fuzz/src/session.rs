//! A whole client session against the real listener, over a socket: handshake, ACL, journal, exchange.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gateway::adapters::Formats;
use gateway::exchange::Exchange;
use gateway::listener::{
    Deps, Directory, Endpoint, Kind, Limits, ListenerStats, PeerCertificate, Principal,
    PrincipalKind, serve,
};
use store::journal::{Journal, Options};
use tokio_util::sync::CancellationToken;

/// An honest device comes by after so many sessions.
const HONEST_EVERY: u32 = 64;
const PATIENCE: Duration = Duration::from_secs(5);

struct Accounts(Vec<Arc<Principal>>);

impl Directory for Accounts {
    /// Anybody is let in: whoever guesses is made to wait, and there is more to find behind the door.
    fn authenticate(&self, login: &str, _: &[u8]) -> Option<Arc<Principal>> {
        let known = self.0.iter().find(|p| p.id == login);
        Some(Arc::clone(known.unwrap_or(&self.0[0])))
    }
    fn of_certificate(&self, _: &PeerCertificate) -> Option<Arc<Principal>> {
        None
    }
}

fn principal(id: &str, kind: PrincipalKind, publish: &str, subscribe: &str) -> Arc<Principal> {
    Arc::new(Principal {
        id: id.to_owned(),
        kind,
        publish: vec![publish.parse().expect("a filter")],
        subscribe: vec![subscribe.parse().expect("a filter")],
        revoked: CancellationToken::new(),
    })
}

struct Hub {
    address: SocketAddr,
    sessions: AtomicU32,
    _runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

static HUB: LazyLock<Hub> = LazyLock::new(|| {
    // a task that panics is caught by the run time and counted; here nothing may be caught
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |what| {
        hook(what);
        std::process::abort();
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a run time");
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options {
        segment_bytes: 1 << 20,
        retain_bytes: 0,
        reserve_bytes: 0,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).expect("opens");
    let clock: Arc<dyn Fn() -> domain::Timestamp + Send + Sync> = Arc::new(domain::Timestamp::now);
    let sessions = dir.path().join("sessions.db");
    let (exchange, worker) =
        Exchange::open(&sessions, &journal, Arc::clone(&clock), Formats::default()).expect("opens");
    std::thread::spawn(move || worker.run());
    let device = PrincipalKind::Device {
        site: "q1".parse().expect("an id"),
        device: "smoke-1".parse().expect("an id"),
    };
    let accounts = Accounts(vec![
        principal(
            "smoke-1",
            device,
            "ssg/v1/q1/smoke-1/evt/+",
            "ssg/v1/q1/smoke-1/cmd/#",
        ),
        principal("bridge", PrincipalKind::Bridge, "t/#", "t/#"),
        principal("honest", PrincipalKind::Bridge, "h/#", "h/#"),
    ]);
    let routed = exchange.routed();
    let deps = Deps {
        journal: journal.clone(),
        directory: Arc::new(accounts),
        exchange,
        limits: Limits {
            connects_per_second_max: u32::MAX,
            ..Limits::default()
        },
        clock,
        formats: Formats::default(),
        stats: Arc::new(ListenerStats::default()),
        first_epoch: 1,
    };
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let endpoint = Endpoint {
            listener,
            kind: Kind::Plain,
        };
        tokio::spawn(serve(vec![endpoint], deps, CancellationToken::new()));
        address
    });
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let upto = *routed.borrow();
            journal.release(upto);
        }
    });
    Hub {
        address,
        sessions: AtomicU32::new(0),
        _runtime: runtime,
        _dir: dir,
    }
});

fn connect() -> TcpStream {
    let socket = TcpStream::connect(HUB.address).expect("the hub lets anybody in that far");
    for set in [
        socket.set_read_timeout(Some(PATIENCE)),
        socket.set_write_timeout(Some(PATIENCE)),
    ] {
        set.expect("set");
    }
    socket
}

/// The bytes are all that a client sends. It is heard to the end, and now and then an honest one comes by.
pub fn session(data: &[u8]) {
    let mut socket = connect();
    // the hub may have heard enough before the end
    let _ = socket.write_all(data);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = [0; 4096];
    loop {
        match socket.read(&mut answer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => panic!("a session that its client has ended goes on: {e}"),
        }
    }
    if HUB.sessions.fetch_add(1, Ordering::Relaxed) % HONEST_EVERY == 0 {
        honest();
    }
}

fn honest() {
    let mut socket = connect();
    let connect =
        b"\x10\x24\x00\x04MQTT\x04\xc2\x00\x3c\x00\x06honest\x00\x06honest\x00\x06secret\x00\x00";
    // remaining length: 10 of the head, three fields of 8
    let mut packet = connect[..connect.len() - 2].to_vec();
    packet[1] = u8::try_from(packet.len() - 2).expect("short");
    socket.write_all(&packet).expect("sent");
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer, [0x20, 2, 0, 0]);
    socket
        .write_all(b"\x32\x08\x00\x03h/1\x00\x01x")
        .expect("sent");
    socket.read_exact(&mut answer).expect("PUBACK");
    assert_eq!(answer, [0x40, 2, 0, 1]);
    let _ = socket.write_all(b"\xe0\x00");
}
