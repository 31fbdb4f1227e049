//! A wire that can be cut: forwards TCP connections to a hub, drops them all, or keeps them and lets nothing through.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Connections end at once.
    Cut,
    /// They stay, and nothing comes through.
    Dead,
}

/// Forwards from a free loopback port until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// In front of `http://host:port`.
    pub async fn before(base: &str) -> Self {
        let to = base.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let wire = watch::Sender::new(Wire::Whole);
        let follow = wire.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *follow.borrow() == Wire::Cut {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(&to).await {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::spawn(carry(from_client, to_server, follow.subscribe()));
                    tokio::spawn(carry(from_server, to_client, follow.subscribe()));
                }
            }
        });
        Self {
            address,
            wire,
            accepting,
        }
    }

    /// What stands in place of the hub's address.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All connections end, and new ones do until it is mended.
    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Nothing comes through any more, and nobody is told.
    pub fn deaden(&self) {
        self.wire.send_replace(Wire::Dead);
    }

    /// As at first.
    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut piece = vec![0; 16 << 10];
    loop {
        let now = *wire.borrow_and_update();
        tokio::select! {
            changed = wire.changed() => if changed.is_err() { return },
            read = from.read(&mut piece), if now == Wire::Whole => match read {
                Ok(n) if n > 0 => if to.write_all(&piece[..n]).await.is_err() { return },
                _ => return,
            },
            () = std::future::ready(()), if now == Wire::Cut => return,
        }
    }
}
