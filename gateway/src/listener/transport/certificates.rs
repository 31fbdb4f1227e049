//! From files to a TLS configuration: certificate, key, client authorities and revocation lists, all PEM, checked as a set.

use std::collections::HashSet;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tracing::warn;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

/// Largest file that is read, in bytes: a revocation list of some hundred thousand certificates.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// It is not asked for.
    Off,
    /// It may be missing; when it is there it must be good.
    Optional,
    /// Whoever has none is refused.
    Required,
}

/// Where the parts of a TLS configuration lie. All are PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Part of the configuration that names them, for what is said of them: `tls` or `http`.
    pub section: &'static str,
    /// The hub's certificate, then those that link it to its authority.
    pub certificate: PathBuf,
    /// Its private key; nobody but the owner may read the file.
    pub key: PathBuf,
    /// Whether clients show a certificate.
    pub client_certificates: ClientCertificates,
    /// Authorities of client certificates.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists, one of each authority.
    pub crl: Option<PathBuf>,
}

/// A file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("`{section}.{setting}` {path}: {what}")]
pub struct BadFile {
    section: &'static str,
    setting: &'static str,
    path: String,
    what: String,
}

/// Issuer and serial number: which certificate a revocation list means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CertificateId {
    issuer: Box<[u8]>,
    serial: Box<[u8]>,
}

impl CertificateId {
    fn new(issuer: &[u8], serial: &[u8]) -> Self {
        // some write a number with more leading zeros than DER wants
        let start = serial.iter().position(|b| *b != 0).unwrap_or(serial.len());
        Self {
            issuer: issuer.into(),
            serial: serial[start..].into(),
        }
    }

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        Self::new(certificate.issuer().as_raw(), certificate.raw_serial())
    }
}

/// How long a certificate is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateLife {
    /// An authority of clients, and not the hub's own.
    pub is_authority: bool,
    /// Whose it is.
    pub subject: String,
    /// Its first second.
    pub not_before: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
}

impl CertificateLife {
    fn of(der: &CertificateDer<'_>, is_authority: bool) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            is_authority,
            subject: certificate.subject().to_string(),
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        })
    }
}

/// A set of files that fit together.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) revoked: HashSet<CertificateId>,
    /// The hub's own certificate, then the authorities of clients.
    pub(super) lives: Vec<CertificateLife>,
    /// SHA-256 over everything that was read.
    pub(super) digest: [u8; 32],
}

/// What a look at a file tells without reading it: device and inode, size, times of change.
pub(super) type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

impl TlsFiles {
    /// One stamp for each file; `None` where it cannot be looked at.
    pub(super) fn stamps(&self) -> Vec<Stamp> {
        let files = [Some(&self.certificate), Some(&self.key)];
        let files = files
            .into_iter()
            .chain([self.client_ca.as_ref(), self.crl.as_ref()]);
        files
            .flatten()
            .map(|path| {
                let m = std::fs::metadata(path).ok()?;
                Some((
                    m.dev(),
                    m.ino(),
                    m.size(),
                    m.mtime(),
                    m.mtime_nsec(),
                    m.ctime(),
                    m.ctime_nsec(),
                ))
            })
            .collect()
    }

    /// Reads and checks all files.
    pub(super) fn load(&self) -> Result<Loaded, BadFile> {
        let section = self.section;
        self.load_all().map_err(|e| BadFile { section, ..e })
    }

    fn load_all(&self) -> Result<Loaded, BadFile> {
        let mut digest = Sha256::new();
        let mut read = |setting, path: &Path| {
            let bytes = read(setting, path)?;
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(&bytes);
            Ok::<_, BadFile>(bytes)
        };
        let chain = certificates(
            "certificate_file",
            &self.certificate,
            &read("certificate_file", &self.certificate)?,
        )?;
        let key = PrivateKeyDer::from_pem_slice(&read("key_file", &self.key)?).map_err(|_| {
            bad(
                "key_file",
                &self.key,
                "holds no private key in PEM (hint: without a pass phrase)",
            )
        })?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| bad("certificate_file", &self.certificate, &e.to_string()))?;

        let mut lives: Vec<CertificateLife> = chain
            .first()
            .and_then(|own| CertificateLife::of(own, false))
            .into_iter()
            .collect();
        let mut revoked = HashSet::new();
        let builder = match (self.client_certificates, &self.client_ca) {
            (ClientCertificates::Off, _) => builder.with_no_client_auth(),
            (_, None) => {
                let what = "is not set, but client certificates are asked for";
                return Err(bad("client_ca_file", Path::new(""), what));
            }
            (mode, Some(path)) => {
                let authorities =
                    certificates("client_ca_file", path, &read("client_ca_file", path)?)?;
                let mut roots = RootCertStore::empty();
                for authority in &authorities {
                    lives.extend(CertificateLife::of(authority, true));
                    roots
                        .add(authority.clone())
                        .map_err(|e| bad("client_ca_file", path, &e.to_string()))?;
                }
                let mut verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                if let Some(crl) = &self.crl {
                    let lists = revocation_lists(crl, &read("crl_file", crl)?)?;
                    revoked = check_lists(crl, &lists, &authorities)?;
                    verifier = verifier.with_crls(lists);
                }
                if mode == ClientCertificates::Optional {
                    verifier = verifier.allow_unauthenticated();
                }
                let verifier = verifier
                    .build()
                    .map_err(|e| bad("client_ca_file", path, &e.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };

        if X509Certificate::from_der(&chain[0]).is_ok_and(|(_, c)| !c.validity().is_valid()) {
            warn!(tls.file = %self.certificate.display(), "TLS certificate is out of its time, clients will refuse it");
        }
        let mut config = builder.with_single_cert(chain, key).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = self.certificate.display();
                let what = format!(
                    "does not belong to the certificate in `tls.certificate_file` {certificate}"
                );
                bad("key_file", &self.key, &what)
            }
            other => bad("certificate_file", &self.certificate, &other.to_string()),
        })?;
        // every session is a handshake of its own: no resumption can outlive a revocation, no early data can be replayed
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Loaded {
            config: Arc::new(config),
            revoked,
            lives,
            digest: digest.finalize().into(),
        })
    }
}

fn bad(setting: &'static str, path: &Path, what: &str) -> BadFile {
    BadFile {
        section: "tls",
        setting,
        path: path.display().to_string(),
        what: what.to_owned(),
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, BadFile> {
    let unreadable = |e: std::io::Error| bad(setting, path, &format!("cannot be read: {e}"));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if setting == "key_file" {
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!("is open to others, mode {mode:04o} (hint: chmod 600)");
            return Err(bad(setting, path, &what));
        }
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("is larger than {FILE_BYTES_MAX} bytes");
        return Err(bad(setting, path, &what));
    }
    Ok(bytes)
}

/// All certificates of a PEM file, at least one.
fn certificates(
    setting: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, BadFile> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad(setting, path, "holds no certificate in PEM")),
        Err(e) => Err(bad(setting, path, &e.to_string())),
    }
}

/// All revocation lists of a PEM file, at least one.
fn revocation_lists(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, BadFile> {
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad("crl_file", path, "holds no revocation list in PEM")),
        Err(e) => Err(bad("crl_file", path, &e.to_string())),
    }
}

/// Every list is signed by one of the authorities and each authority has one: otherwise each client of that authority would be
/// refused at its next handshake. Gives what is revoked.
fn check_lists(
    path: &Path,
    lists: &[CertificateRevocationListDer<'_>],
    authorities: &[CertificateDer<'_>],
) -> Result<HashSet<CertificateId>, BadFile> {
    let fault = |what: &str| bad("crl_file", path, what);
    let mut authorities = authorities
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, c)| (c, false)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| fault(&format!("an authority cannot be read: {e}")))?;
    let mut revoked = HashSet::new();
    for der in lists {
        let (_, list) = CertificateRevocationList::from_der(der)
            .map_err(|e| fault(&format!("is no revocation list: {e}")))?;
        let signer = authorities.iter_mut().find(|(authority, _)| {
            authority.subject().as_raw() == list.issuer().as_raw()
                && list.verify_signature(authority.public_key()).is_ok()
        });
        let Some((_, has_list)) = signer else {
            let what = format!(
                "the list of `{}` is not signed by an authority of `tls.client_ca_file`",
                list.issuer()
            );
            return Err(fault(&what));
        };
        *has_list = true;
        if list
            .next_update()
            .is_some_and(|due| due < x509_parser::time::ASN1Time::now())
        {
            // cutting off every detector for a late list would be worse than going on with it
            warn!(tls.file = %path.display(), "revocation list is past its next update, it is still used");
        }
        let issuer = list.issuer().as_raw();
        revoked.extend(
            list.iter_revoked_certificates()
                .map(|r| CertificateId::new(issuer, r.raw_serial())),
        );
    }
    if let Some((authority, _)) = authorities.iter().find(|(_, has_list)| !has_list) {
        let what = format!(
            "has no list of `{}` (hint: an empty list says that nothing is revoked)",
            authority.subject()
        );
        return Err(fault(&what));
    }
    Ok(revoked)
}
