//! MQTT over WebSocket: what the opening handshake wants, and that the borders of messages mean nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use gateway::listener::{ClientCertificates, Kind, Limits, Origins};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::authority::{Authority, VERSIONS};
use crate::bench::{Bench, connect, publish};

const TOPIC: &str = "ssg/v1/q1/smoke-1/evt/fire-smoke";
const SOON: Duration = Duration::from_secs(20);

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(WebSocketStream<S>, Response), Error> {
    let mut request = format!("ws://hub.test:8083{path}").into_client_request()?;
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a header");
        request.headers_mut().append(*name, value);
    }
    let asked = tokio_tungstenite::client_async(request, stream);
    tokio::time::timeout(SOON, asked).await.expect("in time")
}

async fn try_open(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(WebSocketStream<TcpStream>, Response), Error> {
    let socket = TcpStream::connect(address).await.expect("connects");
    ask(socket, path, headers).await
}

pub(crate) async fn open(address: SocketAddr) -> WebSocketStream<TcpStream> {
    let opened = try_open(address, "/mqtt", &[("Sec-WebSocket-Protocol", "mqtt")]).await;
    opened.expect("opens").0
}

fn hello() -> Vec<u8> {
    connect(4, "smoke-1", "smoke-1", "secret", 60, None)
}

/// The next `n` bytes, however they are packed.
async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    n: usize,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < n {
        let next = tokio::time::timeout(SOON, socket.next()).await;
        match next.expect("in time").expect("open").expect("good") {
            Message::Binary(more) => bytes.extend_from_slice(&more),
            other => panic!("{other:?}"),
        }
    }
    bytes
}

pub(crate) async fn is_served<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    text: &str,
) {
    let message = Message::from(hello());
    socket.send(message).await.expect("sent");
    assert_eq!(read(socket, 4).await, [0x20, 2, 0, 0]);
    let message = Message::from(publish(1, 3, TOPIC, text));
    socket.send(message).await.expect("sent");
    assert_eq!(read(socket, 4).await, [0x40, 2, 0, 3]);
}

async fn websocket(origins: &[&str]) -> Bench {
    let origins: Vec<_> = origins.iter().map(|o| (*o).to_owned()).collect();
    let origins = Origins::new(&origins).expect("origins");
    let kind = Kind::WebSocket(Arc::new(origins));
    Bench::over(vec![kind], Limits::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_wants_path_subprotocol_and_a_known_page() {
    const MQTT: (&str, &str) = ("Sec-WebSocket-Protocol", "mqtt");
    let any = websocket(&[]).await;
    let listed = websocket(&["https://Station.example:8443"]).await;
    let origin = |text| [MQTT, ("Origin", text)];
    for (bench, path, headers, status) in [
        (&any, "/mqtt", &[MQTT][..], 101),
        (
            &any,
            "/mqtt",
            &[("Sec-WebSocket-Protocol", "chat, mqtt")],
            101,
        ),
        (&any, "/", &[MQTT], 404),
        (&any, "/mqtt/", &[MQTT], 404),
        (&any, "/MQTT", &[MQTT], 404),
        (&any, "/mqtt", &[], 400),
        (
            &any,
            "/mqtt",
            &[("Sec-WebSocket-Protocol", "mqttv3.1")],
            400,
        ),
        (&any, "/mqtt", &origin("http://hub.test:8080"), 101),
        (&any, "/mqtt", &origin("https://HUB.test"), 101),
        (&any, "/mqtt", &origin("http://evil.test"), 403),
        (&any, "/mqtt", &origin("http://hub.test.evil.test"), 403),
        (&any, "/mqtt", &origin("http://evil.test@hub.test"), 403),
        (&any, "/mqtt", &origin("null"), 403),
        (
            &listed,
            "/mqtt",
            &origin("https://station.example:8443"),
            101,
        ),
        (&listed, "/mqtt", &origin("https://station.example"), 403),
        (&listed, "/mqtt", &origin("http://hub.test"), 403),
        (&listed, "/mqtt", &[MQTT], 101),
    ] {
        match try_open(bench.address, path, headers).await {
            Ok((mut socket, response)) => {
                assert_eq!(status, 101, "{path} {headers:?}");
                assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
                is_served(&mut socket, "in").await;
            }
            Err(Error::Http(response)) => {
                assert_eq!(response.status(), status, "{path} {headers:?}");
            }
            Err(other) => panic!("{path} {headers:?}: {other}"),
        }
    }
    any.stop().await;
    listed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_may_be_split_at_every_byte_and_joined() {
    let bench = websocket(&[]).await;
    let bytes = [hello(), publish(1, 3, TOPIC, "split")].concat();
    let mut ways: Vec<Vec<&[u8]>> = (1..bytes.len())
        .map(|at| vec![&bytes[..at], &bytes[at..]])
        .collect();
    ways.push(vec![&bytes]);
    ways.push(bytes.chunks(1).collect());
    // messages of no bytes say nothing
    ways.push(vec![&[], &bytes[..9], &[], &bytes[9..]]);
    let count = ways.len();
    for way in ways {
        let mut socket = open(bench.address).await;
        for part in way {
            let message = Message::from(part.to_vec());
            socket.send(message).await.expect("sent");
        }
        assert_eq!(read(&mut socket, 8).await, [0x20, 2, 0, 0, 0x40, 2, 0, 3]);
        socket
            .send(Message::from(vec![0xe0, 0]))
            .await
            .expect("sent");
    }
    assert_eq!(bench.said().len(), count);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_what_is_too_large_end_the_connection_with_a_reason() {
    let bench = websocket(&[]).await;
    let large = vec![0; Limits::default().packet_bytes_max + 6];
    for (message, code) in [
        (Message::from("hello"), CloseCode::Unsupported),
        (Message::from(large), CloseCode::Size),
    ] {
        for is_connected in [false, true] {
            let mut socket = open(bench.address).await;
            if is_connected {
                is_served(&mut socket, "first").await;
            }
            socket.send(message.clone()).await.expect("sent");
            let end = tokio::time::timeout(SOON, socket.next()).await;
            match end.expect("in time") {
                Some(Ok(Message::Close(Some(close)))) => assert_eq!(close.code, code),
                other => panic!("{other:?}"),
            }
        }
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_and_a_farewell_ends_the_session() {
    let bench = websocket(&[]).await;
    let mut socket = open(bench.address).await;
    is_served(&mut socket, "x").await;
    let ping = Message::Ping(vec![1, 2].into());
    socket.send(ping).await.expect("sent");
    let pong = tokio::time::timeout(SOON, socket.next()).await;
    let pong = pong.expect("in time").expect("open").expect("good");
    assert_eq!(pong, Message::Pong(vec![1, 2].into()));
    socket.close(None).await.expect("closes");
    bench.noted("$hub/presence/smoke-1", "offline").await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_over_tls_as_well_and_a_certificate_counts_there() {
    let authority = Authority::new("ca");
    let tls = authority.tls(ClientCertificates::Required);
    let kind = Kind::SecureWebSocket(tls, Arc::new(Origins::default()));
    let bench = Bench::over(vec![kind], Limits::default()).await;
    let own = authority.issue("smoke-1", 40);
    let stream = authority
        .connect(bench.address, Some(&own), &VERSIONS)
        .await;
    let headers = [("Sec-WebSocket-Protocol", "mqtt")];
    let opened = ask(stream.expect("a handshake"), "/mqtt", &headers).await;
    let (mut socket, _) = opened.expect("opens");
    is_served(&mut socket, "secure").await;

    let door = authority.issue("door-1", 41);
    let stream = authority
        .connect(bench.address, Some(&door), &VERSIONS)
        .await;
    let opened = ask(stream.expect("a handshake"), "/mqtt", &headers).await;
    let (mut socket, _) = opened.expect("opens");
    socket.send(Message::from(hello())).await.expect("sent");
    assert_eq!(read(&mut socket, 4).await, [0x20, 2, 0, 5]);
    assert_eq!(bench.said(), ["secure"]);
    bench.stop().await;
}
