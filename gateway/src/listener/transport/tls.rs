//! TLS: handshakes, what client certificates say, and files that change while the hub runs.
//!
//! **Invariant:** a set of files is used as a whole or not at all; while a new one is bad the last good one serves.
//! **Invariant:** a session whose certificate is revoked does not outlive the reload that says so.

use std::collections::{HashMap, HashSet};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::{error, info};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::super::PeerCertificate;
use super::Refused;
use super::certificates::{BadFile, CertificateId, CertificateLife, Stamp, TlsFiles};

/// A TLS configuration that follows its files.
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    seen: Mutex<Seen>,
    live: Mutex<Live>,
    reload_failures: AtomicU64,
}

/// What the last look at the files found.
struct Seen {
    stamps: Vec<Stamp>,
    digest: [u8; 32],
    lives: Vec<CertificateLife>,
}

/// Sessions with a client certificate, and what is revoked: under one lock, so that no session slips in between.
struct Live {
    revoked: HashSet<CertificateId>,
    sessions: HashMap<u64, (CertificateId, CancellationToken)>,
    next: u64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that is missing, unreadable or no PEM; a key that is open to others or not that of the certificate; a revocation list
    /// that no client authority signed.
    pub fn load(files: TlsFiles) -> Result<Self, BadFile> {
        // looked at before it is read: a change in between shows at the next look
        let stamps = files.stamps();
        let loaded = files.load()?;
        Ok(Self {
            config: ArcSwap::new(loaded.config),
            seen: Mutex::new(Seen {
                stamps,
                digest: loaded.digest,
                lives: loaded.lives,
            }),
            live: Mutex::new(Live {
                revoked: loaded.revoked,
                sessions: HashMap::new(),
                next: 0,
            }),
            reload_failures: AtomicU64::new(0),
            files,
        })
    }

    /// How long the certificates that serve now are good: the hub's own, then the authorities of clients.
    pub fn lives(&self) -> Vec<CertificateLife> {
        self.seen.lock().lives.clone()
    }

    /// Changes of the files that could not be used, since the start.
    pub fn reload_failures(&self) -> u64 {
        self.reload_failures.load(Ordering::Relaxed)
    }

    /// Follows the files until `stop`.
    ///
    /// # Errors
    /// Only a panic while reading.
    pub async fn watch(
        self: Arc<Self>,
        every: Duration,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(every);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            let tls = Arc::clone(&self);
            tokio::task::spawn_blocking(move || tls.look()).await?;
        }
    }

    /// Looks at the files; reads them when one has changed, takes them when they are good.
    fn look(&self) {
        let mut seen = self.seen.lock();
        let stamps = self.files.stamps();
        if stamps == seen.stamps {
            return;
        }
        seen.stamps = stamps;
        let loaded = match self.files.load() {
            Ok(loaded) if loaded.digest == seen.digest => return,
            Ok(loaded) => loaded,
            Err(e) => {
                error!(error = %e, "TLS files not reloaded, the last good ones serve on");
                self.reload_failures.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("hub_tls_reload_failures_total").increment(1);
                return;
            }
        };
        seen.digest = loaded.digest;
        seen.lives = loaded.lives;
        self.config.store(loaded.config);
        let mut live = self.live.lock();
        live.revoked = loaded.revoked;
        let mut cut = 0_u64;
        for (certificate, session) in live.sessions.values() {
            if live.revoked.contains(certificate) {
                session.cancel();
                cut += 1;
            }
        }
        metrics::counter!("hub_tls_reloads_total").increment(1);
        metrics::counter!("hub_tls_sessions_cut_total").increment(cut);
        info!(tls.sessions_cut = cut, "TLS files reloaded");
    }

    /// The server's part of the handshake.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        socket: S,
    ) -> Result<(Session<S>, Option<PeerCertificate>), Refused> {
        let acceptor = TlsAcceptor::from(self.config.load_full());
        let stream = acceptor.accept(socket).await.map_err(|e| {
            let of_tls = e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
            match of_tls {
                Some(
                    rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented,
                ) => Refused::Certificate(e.to_string()),
                _ => Refused::Tls(e.to_string()),
            }
        })?;
        let shown = stream.get_ref().1.peer_certificates();
        let shown = shown.and_then(|chain| chain.first()).map(read).transpose();
        let (certificate, cut) = match shown.map_err(Refused::Certificate)? {
            None => (None, None),
            Some((id, certificate)) => {
                let revoked = || Refused::Certificate("the certificate is revoked".to_owned());
                let cut = self.enter(id).ok_or_else(revoked)?;
                (Some(certificate), Some(cut))
            }
        };
        let session = Session {
            stream,
            cut,
            is_flushed: true,
        };
        Ok((session, certificate))
    }

    /// The server's part of the handshake of a port that asks for no certificate.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        socket: tokio::net::TcpStream,
    ) -> Result<dashboard_api::Stream, String> {
        match self.accept(socket).await {
            Ok((session, _)) => Ok(Box::new(session)),
            Err(Refused::Certificate(what) | Refused::Tls(what) | Refused::WebSocket(what)) => {
                Err(what)
            }
        }
    }

    /// Counts a session in, unless its certificate was revoked while its handshake ran.
    fn enter(self: &Arc<Self>, id: CertificateId) -> Option<Cut> {
        let mut live = self.live.lock();
        if live.revoked.contains(&id) {
            return None;
        }
        let (number, token) = (live.next, CancellationToken::new());
        live.next += 1;
        live.sessions.insert(number, (id, token.clone()));
        Some(Cut {
            tls: Arc::clone(self),
            number,
            ended: Box::pin(token.clone().cancelled_owned()),
            token,
        })
    }
}

/// What a client certificate says; the handshake has verified it.
fn read(
    der: &rustls::pki_types::CertificateDer<'_>,
) -> Result<(CertificateId, PeerCertificate), String> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|e| format!("unreadable client certificate: {e}"))?;
    let mut names = certificate.subject().iter_common_name();
    let common_name = match (
        names
            .next()
            .map(x509_parser::x509::AttributeTypeAndValue::as_str),
        names.next(),
    ) {
        (Some(Ok(name)), None) => name.to_owned(),
        _ => return Err("the client certificate has no common name, or several".to_owned()),
    };
    let peer = PeerCertificate {
        common_name,
        fingerprint: hex::encode(Sha256::digest(der)),
    };
    Ok((CertificateId::of(&certificate), peer))
}

/// A session's place among the live ones; it is given back when the session ends.
struct Cut {
    tls: Arc<Tls>,
    number: u64,
    token: CancellationToken,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.tls.live.lock().sessions.remove(&self.number);
    }
}

/// A TLS connection that ends with an error when its certificate is revoked.
pub(super) struct Session<S: AsyncRead + AsyncWrite + Unpin> {
    stream: TlsStream<S>,
    cut: Option<Cut>,
    /// Whether the socket has all that was written: TLS takes bytes that the socket does not take yet, and nobody above flushes.
    is_flushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn flush_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_flushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx)
        {
            flushed?;
            self.is_flushed = true;
        }
        Ok(())
    }
}

fn revoked() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the client certificate was revoked",
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Session<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(cut) = &mut self.cut
            && (cut.token.is_cancelled() || cut.ended.as_mut().poll(cx).is_ready())
        {
            return Poll::Ready(Err(revoked()));
        }
        self.flush_on(cx)?;
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            // a client that closes TCP alone; MQTT knows by itself where a packet ends
            Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            other => other,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Session<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.as_ref().is_some_and(|c| c.token.is_cancelled()) {
            return Poll::Ready(Err(revoked()));
        }
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.is_flushed = false;
        self.flush_on(cx)?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Session<S> {
    fn drop(&mut self) {
        // says good-bye if the socket takes it at once
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut cx);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::super::certificates::ClientCertificates;
    use super::*;

    #[tokio::test]
    async fn what_was_written_leaves_while_the_other_side_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let signed = rcgen::generate_simple_self_signed(vec!["hub.test".to_owned()]);
        let signed = signed.expect("signed");
        let (certificate, key) = (dir.path().join("hub.pem"), dir.path().join("hub.key"));
        std::fs::write(&certificate, signed.cert.pem()).expect("written");
        std::fs::write(&key, signed.signing_key.serialize_pem()).expect("written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key, private).expect("set");
        let files = TlsFiles {
            section: "tls",
            certificate,
            key,
            client_certificates: ClientCertificates::Off,
            client_ca: None,
            crl: None,
        };
        let tls = Arc::new(Tls::load(files).expect("good files"));
        let mut roots = RootCertStore::empty();
        roots.add(signed.cert.der().clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();

        // takes far less than is written at once
        let (ours, theirs) = tokio::io::duplex(512);
        let name = "hub.test".try_into().expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        let (accepted, connected) = tokio::join!(tls.accept(ours), connector.connect(name, theirs));
        let (mut session, _) = accepted.expect("accepted");
        let mut client = connected.expect("connected");
        session.write_all(&[7; 8000]).await.expect("taken");
        tokio::spawn(async move { session.read(&mut [0; 16]).await });
        let mut all = vec![0; 8000];
        let read = client.read_exact(&mut all);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await;
        read.expect("in time").expect("reads");
        assert!(all.iter().all(|b| *b == 7));
    }
}
