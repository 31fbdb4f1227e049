//! The dashboard's port over TLS: handshakes run beside each other and within a deadline, so that a socket that says nothing holds up
//! nobody; whole streams go on to the API. The certificate is that of `http.certificate_file`, followed while the hub runs.

use std::sync::Arc;
use std::time::Duration;

use dashboard_api::{DOOR_STREAMS_MAX, DoorStream};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::listener::Tls;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at one time; further sockets wait in the system's queue.
const HANDSHAKES_MAX: usize = 256;
/// After an error of the socket itself, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A way from the port to the API.
pub fn channel() -> (mpsc::Sender<DoorStream>, mpsc::Receiver<DoorStream>) {
    mpsc::channel(DOOR_STREAMS_MAX)
}

/// Accepts until `stop`, or until nobody takes streams any more.
///
/// # Errors
/// None: a socket that fails is the other side's loss.
pub async fn accept(
    listener: TcpListener,
    tls: Arc<Tls>,
    out: mpsc::Sender<DoorStream>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let handshakes = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            place = Arc::clone(&places).acquire_owned() => place?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                warn!(error = %e, "a connection to the dashboard was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (tls, out) = (Arc::clone(&tls), out.clone());
        handshakes.spawn(async move {
            let _place = place;
            let _ = socket.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, tls.serve(socket)).await {
                Ok(Ok(stream)) => {
                    // the API is gone: so is the hub
                    let _ = out.send((stream, address)).await;
                }
                Ok(Err(what)) => {
                    metrics::counter!("hub_http_handshakes_failed_total").increment(1);
                    debug!(network.peer = %address, error = what, "no TLS with the dashboard's port");
                }
                Err(_) => {
                    metrics::counter!("hub_http_handshakes_failed_total").increment(1);
                }
            }
        });
    }
}

/// With what the hub asks its own port on this machine whether it is well: any certificate will do, because nothing secret is sent.
pub fn own_client() -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions of TLS")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Own(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

/// Takes every certificate; that its key is there is checked all the same.
#[derive(Debug)]
struct Own(Arc<CryptoProvider>);

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
