//! What bytes come over: TCP, TLS, WebSocket, or WebSocket over TLS. The rest of the listener does not ask.
//!
//! [`open`] runs in the connection's own task and within its deadline, so that a socket that says nothing costs nobody else anything.

mod certificates;
mod tls;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::PeerCertificate;

pub use certificates::{BadFile, CertificateLife, ClientCertificates, TlsFiles};
pub use tls::Tls;
pub use websocket::{BadOrigin, Origins};

/// A stream of bytes in both directions.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Any of them.
pub(super) type Stream = Box<dyn Io>;

/// A port and what is spoken there.
pub struct Endpoint {
    /// Where clients connect.
    pub listener: TcpListener,
    /// What they speak.
    pub kind: Kind,
}

/// What carries MQTT on a port.
#[derive(Clone)]
pub enum Kind {
    /// TCP.
    Plain,
    /// TLS.
    Tls(Arc<Tls>),
    /// WebSocket at `/mqtt`.
    WebSocket(Arc<Origins>),
    /// WebSocket at `/mqtt` over TLS.
    SecureWebSocket(Arc<Tls>, Arc<Origins>),
}

/// Who is on the other side, as far as the transport knows.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// What the client proved with its key, where it had one.
    pub(super) certificate: Option<PeerCertificate>,
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum Refused {
    /// The client's certificate is missing or not good: somebody may want to know.
    Certificate(String),
    /// The client does not speak TLS as we do.
    Tls(String),
    /// The client does not speak WebSocket as we do.
    WebSocket(String),
}

/// Does the handshakes below MQTT. The caller limits the time.
pub(super) async fn open(
    socket: TcpStream,
    address: SocketAddr,
    kind: &Kind,
    packet_bytes_max: usize,
) -> Result<(Stream, Peer), Refused> {
    let (stream, certificate): (Stream, _) = match kind {
        Kind::Plain => (Box::new(socket), None),
        Kind::Tls(tls) => {
            let (session, certificate) = tls.accept(socket).await?;
            (Box::new(session), certificate)
        }
        Kind::WebSocket(origins) => {
            let stream = websocket::accept(socket, origins, packet_bytes_max).await?;
            (Box::new(stream), None)
        }
        Kind::SecureWebSocket(tls, origins) => {
            let (session, certificate) = tls.accept(socket).await?;
            let stream = websocket::accept(session, origins, packet_bytes_max).await?;
            (Box::new(stream), certificate)
        }
    };
    let peer = Peer {
        address,
        certificate,
    };
    Ok((stream, peer))
}
