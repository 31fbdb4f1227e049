//! TLS: who gets in, who does not, and what happens when files change.

use std::sync::Arc;
use std::time::Duration;

use gateway::listener::{ClientCertificates, Kind, Limits, Origins, Tls};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, Identity, VERSIONS, self_signed};
use crate::bench::{Bench, connect, publish};

const TOPIC: &str = "ssg/v1/q1/smoke-1/evt/fire-smoke";
/// Long enough for a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(20);

/// A client that still has all its time when a test ends.
fn patient() -> Limits {
    Limits {
        connect_deadline: Duration::from_mins(10),
        ..Limits::default()
    }
}

fn hello() -> Vec<u8> {
    connect(4, "smoke-1", "smoke-1", "secret", 60, None)
}

/// A CONNECT that leaves the proof to the certificate.
fn without_secret(id: &str) -> Vec<u8> {
    let mut packet = vec![0x10, 12 + id.len() as u8, 0, 4];
    packet.extend_from_slice(b"MQTT\x04\x02\0\x3c\0");
    packet.push(id.len() as u8);
    packet.extend_from_slice(id.as_bytes());
    packet
}

/// A `ClientHello` of version 3.`minor` with two suites that rustls has, one curve and the signatures to go with them.
fn client_hello(minor: u8) -> Vec<u8> {
    let extensions: [&[u8]; 3] = [
        &[0, 10, 0, 4, 0, 2, 0, 23],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1],
    ];
    let extensions = extensions.concat();
    let mut body = vec![3, minor];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend_from_slice(&[0, extensions.len() as u8]);
    body.extend_from_slice(&extensions);
    let mut record = vec![0x16, 3, 1, 0, body.len() as u8 + 4];
    record.extend_from_slice(&[1, 0, 0, body.len() as u8]);
    record.extend_from_slice(&body);
    record
}

pub(crate) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    packet: &[u8],
) -> std::io::Result<[u8; 4]> {
    let asked = async {
        stream.write_all(packet).await?;
        stream.flush().await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(SOON, asked).await.expect("in time")
}

/// Publishes once and waits for the acknowledgement.
pub(crate) async fn is_acknowledged<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, text: &str) {
    let packet = publish(1, 7, TOPIC, text);
    let puback = answer(stream, &packet).await.expect("a PUBACK");
    assert_eq!(puback, [0x40, 2, 0, 7], "{text}");
}

async fn is_ended<S: AsyncRead + Unpin>(stream: &mut S) {
    let ended = tokio::time::timeout(SOON, stream.read(&mut [0; 16])).await;
    assert!(matches!(ended.expect("in time"), Ok(0) | Err(_)));
}

/// Connects with a certificate alone; `None` when the door stays shut.
async fn come_in(
    authority: &Authority,
    bench: &Bench,
    identity: Option<&Identity>,
    packet: &[u8],
) -> Option<(TlsStream<TcpStream>, [u8; 4])> {
    let address = bench.addresses[0];
    let connected = authority.connect(address, identity, &VERSIONS).await;
    let mut stream = connected.ok()?;
    let connack = answer(&mut stream, packet).await.ok()?;
    Some((stream, connack))
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

fn follow(tls: &Arc<Tls>) -> CancellationToken {
    let stop = CancellationToken::new();
    let watched = Arc::clone(tls).watch(Duration::from_millis(20), stop.clone());
    tokio::spawn(watched);
    stop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_publishes_over_either_version() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Off);
    let bench = Bench::over(vec![Kind::Tls(tls)], patient()).await;
    for version in VERSIONS {
        let connected = authority.connect(bench.address, None, &[version]).await;
        let mut stream = connected.expect("a handshake");
        assert_eq!(
            answer(&mut stream, &hello()).await.expect("a CONNACK"),
            [0x20, 2, 0, 0]
        );
        is_acknowledged(&mut stream, &format!("{version:?}")).await;
        let (_, session) = stream.get_ref();
        assert_eq!(
            session.tls13_tickets_received(),
            0,
            "no ticket was asked for"
        );
    }
    assert_eq!(bench.said(), ["TLSv1_3", "TLSv1_2"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_or_too_old_is_turned_away() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Off);
    let bench = Bench::over(vec![Kind::Tls(tls)], patient()).await;

    let mut plain = bench.connect(&hello()).await;
    let said = tokio::time::timeout(SOON, plain.until_closed()).await;
    let said = said.expect("closed");
    assert!(
        !said.starts_with(&[0x20]),
        "a CONNACK in the clear: {said:?}"
    );

    // the same ClientHello as version 1.2 and 1.1
    let mut new = bench.connect(&client_hello(3)).await;
    assert_eq!(new.read(1).await, [0x16], "1.2 gets a ServerHello");
    let mut old = bench.connect(&client_hello(2)).await;
    let alert = old.until_closed().await;
    // fatal: protocol_version
    assert_eq!((alert.first(), &alert[5..]), (Some(&0x15), &[2, 70][..]));
    assert!(bench.said().is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_certificate_is_required_only_a_good_one_opens() {
    let (authority, other) = (Authority::new("ca"), Authority::new("ca"));
    let tls = authority.tls(ClientCertificates::Required);
    let bench = Bench::over(vec![Kind::Tls(tls)], patient()).await;
    let good = authority.issue("smoke-1", 10);
    let bad = [
        ("none", None),
        ("self-signed", Some(self_signed("smoke-1"))),
        ("expired", Some(authority.issue_until("smoke-1", 11, 2021))),
        ("of another authority", Some(other.issue("smoke-1", 10))),
    ];
    for (what, identity) in &bad {
        for packet in [hello(), without_secret("smoke-1")] {
            let opened = come_in(&authority, &bench, identity.as_ref(), &packet).await;
            assert!(opened.is_none(), "{what}");
        }
    }
    bench.noted("$hub/security/127.0.0.1", "certificate").await;
    // the certificate is the log-in; a secret besides is as good
    for packet in [without_secret("smoke-1"), hello()] {
        let (mut stream, connack) = come_in(&authority, &bench, Some(&good), &packet)
            .await
            .expect("open");
        assert_eq!(connack, [0x20, 2, 0, 0]);
        is_acknowledged(&mut stream, "good").await;
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_optional_a_secret_does_and_a_bad_one_does_not() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Optional);
    let bench = Bench::over(vec![Kind::Tls(tls)], patient()).await;
    let (mut stream, connack) = come_in(&authority, &bench, None, &hello())
        .await
        .expect("open");
    assert_eq!(connack, [0x20, 2, 0, 0]);
    is_acknowledged(&mut stream, "secret").await;
    let bad = self_signed("smoke-1");
    let opened = come_in(&authority, &bench, Some(&bad), &hello()).await;
    assert!(opened.is_none(), "self-signed");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_another_device_does_not_help() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Required);
    let bench = Bench::over(vec![Kind::Tls(tls)], patient()).await;
    let door = authority.issue("door-1", 20);
    for (what, packet, code) in [
        ("with the secret of smoke-1", hello(), 5),
        ("as smoke-1", without_secret("smoke-1"), 2),
    ] {
        let (_, connack) = come_in(&authority, &bench, Some(&door), &packet)
            .await
            .expect("TLS is fine");
        assert_eq!(connack, [0x20, 2, 0, code], "{what}");
    }
    bench
        .noted("$hub/security/smoke-1", "the certificate of another")
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_ends_its_session_and_opens_none() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Required);
    let bench = Bench::over(vec![Kind::Tls(Arc::clone(&tls))], patient()).await;
    let stop = follow(&tls);
    // a number above 127 in its first byte: DER writes it with a zero in front
    let (lost, kept) = (
        authority.issue("smoke-1", 0x80),
        authority.issue("door-1", 31),
    );
    let (mut cut, _) = come_in(&authority, &bench, Some(&lost), &hello())
        .await
        .expect("open");
    let packet = without_secret("door-1");
    let (mut stays, _) = come_in(&authority, &bench, Some(&kept), &packet)
        .await
        .expect("open");
    is_acknowledged(&mut cut, "before").await;

    authority.put("crl.pem", &authority.crl(2, &[0x80]));
    is_ended(&mut cut).await;
    let opened = come_in(&authority, &bench, Some(&lost), &hello()).await;
    assert!(opened.is_none(), "revoked");
    let pong = tokio::time::timeout(SOON, async {
        stays.write_all(&[0xc0, 0]).await.expect("lives");
        let mut pong = [0; 2];
        stays.read_exact(&mut pong).await.expect("lives");
        pong
    });
    assert_eq!(pong.await.expect("in time"), [0xd0, 0]);
    assert_eq!(tls.reload_failures(), 0);
    stop.cancel();
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_serves_the_next_and_a_bad_one_nobody() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Off);
    let bench = Bench::over(vec![Kind::Tls(Arc::clone(&tls))], patient()).await;
    let stop = follow(&tls);
    let shown = async || {
        let connected = authority.connect(bench.address, None, &VERSIONS).await;
        let stream = connected.expect("a handshake");
        let chain = stream.get_ref().1.peer_certificates().expect("a chain");
        chain[0].to_vec()
    };
    let first = shown().await;
    let (mut old, _) = come_in(&authority, &bench, None, &hello())
        .await
        .expect("open");

    // a certificate without its key
    let renewed = authority.issue("hub", 2);
    authority.put("hub.pem", &renewed.certificate);
    eventually("the bad set is counted", || tls.reload_failures() == 1).await;
    assert_eq!(shown().await, first, "the last good one serves");

    authority.put("hub.key", &renewed.key);
    let deadline = tokio::time::Instant::now() + SOON;
    while shown().await == first {
        assert!(tokio::time::Instant::now() < deadline, "never the new one");
    }
    is_acknowledged(&mut old, "the old session lives").await;
    assert_eq!(tls.reload_failures(), 1);
    stop.cancel();
    bench.stop().await;
}

#[test]
fn files_that_do_not_fit_are_refused_in_one_line() {
    let (authority, other) = (Authority::new("ca"), Authority::new("other"));
    let good = || authority.files(ClientCertificates::Required);
    let check = |what: &str, files, parts: [&str; 2]| {
        let error = Tls::load(files).map(|_| ()).expect_err(what).to_string();
        assert!(
            parts.iter().all(|part| error.contains(part)) && !error.contains('\n'),
            "{what}: {error}"
        );
    };
    let mut files = good();
    files.certificate = "/nowhere/hub.pem".into();
    check(
        "missing",
        files,
        ["`tls.certificate_file` /nowhere/hub.pem", "cannot be read"],
    );

    let mut files = good();
    files.key = authority.put("other.key", &authority.issue("hub", 3).key);
    check(
        "another key",
        files,
        ["`tls.key_file`", "does not belong to the certificate"],
    );

    for mode in [0o640, 0o604] {
        use std::os::unix::fs::PermissionsExt as _;
        let files = good();
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&files.key, open).expect("set");
        check("an open key", files, ["`tls.key_file`", "chmod 600"]);
    }

    let files = good();
    authority.put("hub.key", "no key");
    check("no key", files, ["`tls.key_file`", "no private key"]);

    let files = good();
    authority.put("hub.pem", "");
    check("empty", files, ["`tls.certificate_file`", "no certificate"]);

    let files = good();
    authority.put("crl.pem", &other.crl(1, &[]));
    check(
        "a foreign list",
        files,
        ["`tls.crl_file`", "not signed by an authority"],
    );

    let files = good();
    let ca = std::fs::read_to_string(files.client_ca.clone().expect("set")).expect("read");
    let theirs = other
        .files(ClientCertificates::Required)
        .client_ca
        .expect("set");
    let theirs = std::fs::read_to_string(theirs).expect("read");
    authority.put("ca.pem", &format!("{ca}{theirs}"));
    check(
        "an authority without a list",
        files,
        ["`tls.crl_file`", "has no list of `CN=other`"],
    );

    let mut files = good();
    files.client_ca = None;
    check(
        "no authority",
        files,
        ["`tls.client_ca_file`", "is not set"],
    );
    Tls::load(good()).expect("what was changed is what was wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_say_nothing_hold_up_nobody() {
    let authority = Authority::new("ca");
    let (tls, origins) = (
        authority.tls(ClientCertificates::Off),
        Arc::new(Origins::default()),
    );
    let kinds = vec![
        Kind::Tls(Arc::clone(&tls)),
        Kind::WebSocket(Arc::clone(&origins)),
        Kind::SecureWebSocket(tls, origins),
    ];
    let bench = Bench::over(kinds, patient()).await;
    let mut silent = Vec::new();
    for address in &bench.addresses {
        for _ in 0..200 {
            silent.push(TcpStream::connect(address).await.expect("connects"));
        }
    }
    let started = std::time::Instant::now();
    let (mut stream, _) = come_in(&authority, &bench, None, &hello())
        .await
        .expect("open");
    is_acknowledged(&mut stream, "TLS").await;
    let over_tls = started.elapsed();
    let mut socket = crate::websocket::open(bench.addresses[1]).await;
    crate::websocket::is_served(&mut socket, "WebSocket").await;
    println!(
        "PUBACK after {over_tls:?} over TLS, {:?} with WebSocket",
        started.elapsed()
    );
    assert_eq!(bench.said(), ["TLS", "WebSocket"]);
    drop(silent);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_connect_covers_the_handshakes_below() {
    let authority = Authority::new("ca");
    let (tls, origins) = (
        authority.tls(ClientCertificates::Off),
        Arc::new(Origins::default()),
    );
    let kinds = vec![
        Kind::Tls(Arc::clone(&tls)),
        Kind::WebSocket(Arc::clone(&origins)),
        Kind::SecureWebSocket(Arc::clone(&tls), origins),
    ];
    let limits = Limits {
        connect_deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let bench = Bench::over(kinds, limits).await;
    for address in &bench.addresses {
        let mut socket = TcpStream::connect(address).await.expect("connects");
        is_ended(&mut socket).await;
    }
    // shakes hands, then says nothing
    for address in [bench.addresses[0], bench.addresses[2]] {
        if let Ok(mut stream) = authority.connect(address, None, &VERSIONS).await {
            is_ended(&mut stream).await;
        }
    }
    bench.stop().await;
}

#[test]
fn a_bad_file_of_tls_is_a_misconfiguration_and_without_a_port_none_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("gateway.toml");
    let loaded = |port: &str| {
        let text = format!(
            "[mqtt]\n{port} = \"127.0.0.1:0\"\n[tls]\ncertificate_file = \"/nowhere/hub.pem\"\nkey_file = \"/nowhere/hub.key\"\n"
        );
        std::fs::write(&path, text).expect("written");
        let config = gateway::config::load(Some(&path)).expect("good settings");
        gateway::hub::tls(&config)
    };
    for port in ["tls_listen", "wss_listen"] {
        let error = loaded(port).map(|_| ()).expect_err("no such file");
        assert!(error.is::<gateway::hub::Misconfigured>(), "{error:#}");
    }
    assert!(loaded("ws_listen").expect("no TLS wanted").is_none());
}
