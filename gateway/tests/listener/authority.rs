//! A certificate authority in a directory of its own, and clients that speak TLS.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use gateway::listener::{ClientCertificates, Tls, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

/// TLS 1.3 and 1.2.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).expect("signed"),
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    fn params(name: &str, serial: u64, last_year: i32) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["hub.test".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        params
    }

    /// A certificate of this authority.
    pub(crate) fn issue(&self, name: &str, serial: u64) -> Identity {
        self.issue_until(name, serial, 2099)
    }

    pub(crate) fn issue_until(&self, name: &str, serial: u64, last_year: i32) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = Self::params(name, serial, last_year)
            .signed_by(&key, &self.issuer)
            .expect("signed");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A list that revokes these serial numbers.
    pub(crate) fn crl(&self, number: u64, revoked: &[u64]) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("signed");
        list.pem().expect("text")
    }

    /// Writes a file as a renewal does: whole, under another name first.
    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let (new, path) = (self.dir.path().join("new"), self.dir.path().join(name));
        std::fs::write(&new, text).expect("written");
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).expect("set");
        std::fs::rename(&new, &path).expect("renamed");
        path
    }

    /// Files of a hub that trusts this authority's clients.
    pub(crate) fn files(&self, client_certificates: ClientCertificates) -> TlsFiles {
        let hub = self.issue("hub", 1);
        let is_off = client_certificates == ClientCertificates::Off;
        TlsFiles {
            section: "tls",
            certificate: self.put("hub.pem", &hub.certificate),
            key: self.put("hub.key", &hub.key),
            client_certificates,
            client_ca: (!is_off).then(|| self.put("ca.pem", &self.issuer.pem())),
            crl: (!is_off).then(|| self.put("crl.pem", &self.crl(1, &[]))),
        }
    }

    pub(crate) fn tls(&self, client_certificates: ClientCertificates) -> Arc<Tls> {
        Arc::new(Tls::load(self.files(client_certificates)).expect("good files"))
    }

    /// A client that trusts this authority, after the handshake.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
                builder
                    .with_client_auth_cert(
                        vec![certificate.expect("a certificate")],
                        key.expect("a key"),
                    )
                    .expect("a pair")
            }
        };
        let socket = TcpStream::connect(address).await?;
        let name = "hub.test".try_into().expect("a name");
        tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
    }
}

/// Signed by nobody but itself.
pub(crate) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let certificate = Authority::params(name, 7, 2099).self_signed(&key);
    Identity {
        certificate: certificate.expect("signed").pem(),
        key: key.serialize_pem(),
    }
}
