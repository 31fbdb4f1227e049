//! What bytes come over, whatever lies below: the rest of the listener does not ask.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use super::PeerCertificate;

/// A stream of bytes in both directions.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Any of them.
pub(super) type Stream = Box<dyn Io>;

/// Who is on the other side, as far as the transport knows.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// What the client proved with its key, where it had one.
    pub(super) certificate: Option<PeerCertificate>,
}
