//! Where requests come in: a plain port, or streams whose TLS somebody else has spoken.

use std::io;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Streams that wait to be taken.
pub const DOOR_STREAMS_MAX: usize = 64;

/// A stream of bytes in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Any of them.
pub type Stream = Box<dyn Io>;

/// A stream, and who is at its other end.
pub type DoorStream = (Stream, SocketAddr);

/// Where requests come in.
pub enum Door {
    /// A port that speaks HTTP.
    Plain(TcpListener),
    /// A port that speaks HTTPS: its address, and what comes out of its handshakes.
    Secure(SocketAddr, mpsc::Receiver<DoorStream>),
}

impl Listener for Door {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self {
            Self::Plain(listener) => {
                let (socket, address) = Listener::accept(listener).await;
                (Box::new(socket), address)
            }
            Self::Secure(_, streams) => match streams.recv().await {
                Some(accepted) => accepted,
                // nobody accepts any more: the hub stops, and so does whoever asks here
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Plain(listener) => listener.local_addr(),
            Self::Secure(address, _) => Ok(*address),
        }
    }
}

/// Who is at the other end of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Handlers know the other end by its address, whatever the door.
pub(crate) async fn addressed(mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().copied();
    if let Some(ConnectInfo(Peer(address))) = peer {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    next.run(request).await
}
