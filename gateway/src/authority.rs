//! The hub's own certificate authority: signs what enrolled devices ask for, and lists what is revoked.
//!
//! Its files lie in `authority` below the data directory: `ca.pem`, `ca.key` (mode 0600) and `crl.pem`. With `tls.own_authority` the listener
//! trusts it and follows the list. Whoever holds `ca.key` can speak for every device: a backup of the data directory is a secret.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::Timestamp;
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevocationReason,
    RevokedCertParams, SerialNumber,
};
use sha2::{Digest as _, Sha256};
use store::state::{CertificateRow, State};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long the authority itself is good: longer than the devices.
const AUTHORITY_LIFE: Duration = Duration::from_hours(24 * 365 * 20);
/// How long a device's certificate is good.
const CERTIFICATE_LIFE: Duration = Duration::from_hours(24 * 397);
/// Certificates begin a little earlier, for devices whose clock is behind.
const CLOCK_SLACK: Duration = Duration::from_mins(10);
/// When the next list is promised; it is written anew every day, and at each revocation.
const LIST_LIFE: Duration = Duration::from_hours(24 * 30);
const LIST_EVERY: Duration = Duration::from_hours(24);
/// How often it is looked whether another process has revoked something.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate, signed.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The certificate in PEM.
    pub pem: String,
    /// What is kept of it.
    pub row: CertificateRow,
}

/// The authority of one data directory.
pub struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    /// One writes the list at a time.
    list: Mutex<()>,
}

fn directory(data: &Path) -> PathBuf {
    data.join("authority")
}

/// The authority's certificate, for `tls.client_ca_file`.
pub fn certificate_file(data: &Path) -> PathBuf {
    directory(data).join("ca.pem")
}

/// The authority's revocation list, for `tls.crl_file`.
pub fn list_file(data: &Path) -> PathBuf {
    directory(data).join("crl.pem")
}

fn date(at: Timestamp) -> anyhow::Result<OffsetDateTime> {
    Ok(OffsetDateTime::from_unix_timestamp(at.as_second())?)
}

impl Authority {
    /// Opens the authority of a data directory; the first time it is made, with an empty list.
    ///
    /// # Errors
    /// Files that cannot be read, written or understood; half of them missing.
    pub fn open(data: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let dir = directory(data);
        crate::hub::make_private(&dir)?;
        let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
        match (certificate.exists(), key.exists()) {
            (true, true) => {}
            // the key is written first: without the certificate nothing was ever signed
            (false, _) => make(&certificate, &key, now)?,
            (true, false) => bail!(
                "{} is missing beside its certificate (hint: put it back from the backup; what it has signed cannot be renewed without it)",
                key.display()
            ),
        }
        let pem = std::fs::read_to_string(&certificate)
            .with_context(|| format!("reading {}", certificate.display()))?;
        let key_pem =
            std::fs::read_to_string(&key).with_context(|| format!("reading {}", key.display()))?;
        let key_pair = KeyPair::from_pem(&key_pem)
            .with_context(|| format!("{} holds no private key", key.display()))?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key_pair)
            .with_context(|| format!("{} holds no certificate", certificate.display()))?;
        let authority = Self {
            dir,
            issuer,
            pem,
            list: Mutex::new(()),
        };
        if !list_file(data).exists() {
            authority.write_list(&[], now)?;
        }
        Ok(authority)
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a request for an account: of the request only the key counts, name and purpose are the hub's to say.
    ///
    /// # Errors
    /// A request in PEM that cannot be read, whose signature is wrong, or with a key that is too weak.
    pub fn sign(&self, login: &str, request: &str, now: Timestamp) -> anyhow::Result<Signed> {
        let mut request = CertificateSigningRequestParams::from_pem(request)
            .context("this is no certificate signing request that can be signed (hint: PKCS #10 in PEM; P-256, P-384, Ed25519, or RSA from 2048 bits)")?;
        let serial: [u8; 16] = rand::random();
        // positive, and as long as it looks
        let serial: Vec<u8> = [&[serial[0] & 0x7f | 0x40], &serial[1..]].concat();
        let not_after = now + CERTIFICATE_LIFE;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(login);
        params.not_before = date(now - CLOCK_SLACK)?;
        params.not_after = date(not_after)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial.clone()));
        params.use_authority_key_identifier_extension = true;
        request.params = params;
        let certificate = request.signed_by(&self.issuer).context("signing")?;
        Ok(Signed {
            row: CertificateRow {
                serial: hex::encode(&serial),
                login: login.to_owned(),
                fingerprint: hex::encode(Sha256::digest(certificate.der())),
                issued_at: now,
                not_after,
                revoked_at: None,
            },
            pem: certificate.pem(),
        })
    }

    /// Writes the list of what is revoked and not over anyway, and renames it into place.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_list(
        &self,
        certificates: &[CertificateRow],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let _only = self.list.lock();
        let mut revoked_certs = Vec::new();
        for row in certificates {
            let Some(revoked_at) = row.revoked_at.filter(|_| row.not_after > now) else {
                continue;
            };
            revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from(hex::decode(&row.serial)?),
                revocation_time: date(revoked_at)?,
                reason_code: Some(RevocationReason::CessationOfOperation),
                invalidity_date: None,
            });
        }
        let list = CertificateRevocationListParams {
            this_update: date(now)?,
            next_update: date(now + LIST_LIFE)?,
            crl_number: SerialNumber::from(now.as_microsecond().to_be_bytes().to_vec()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = list
            .signed_by(&self.issuer)
            .context("signing the list")?
            .pem()?;
        let (fresh, place) = (self.dir.join("crl.tmp"), self.dir.join("crl.pem"));
        std::fs::write(&fresh, pem).with_context(|| format!("writing {}", fresh.display()))?;
        std::fs::rename(&fresh, &place).with_context(|| format!("writing {}", place.display()))
    }

    /// Keeps the list true until `stop`: when something is revoked by whatever process, and every day.
    ///
    /// # Errors
    /// None: what cannot be read or written now is tried again.
    pub async fn keep_list(
        self: std::sync::Arc<Self>,
        state: State,
        clock: std::sync::Arc<dyn Fn() -> Timestamp + Send + Sync>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(LOOK_EVERY);
        let mut written: Option<(usize, Timestamp)> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            let now = clock();
            let kept = async {
                let rows = state.certificates().await?;
                let revoked = rows.iter().filter(|row| row.revoked_at.is_some()).count();
                let is_due = written.is_none_or(|(count, at)| {
                    count != revoked
                        || now.duration_since(at).as_secs() >= LIST_EVERY.as_secs().cast_signed()
                });
                if is_due {
                    self.write_list(&rows, now)?;
                    info!(authority.revoked = revoked, "revocation list written");
                    written = Some((revoked, now));
                }
                anyhow::Ok(())
            };
            if let Err(e) = kept.await {
                warn!(
                    error = format!("{e:#}"),
                    "the revocation list cannot be kept"
                );
            }
        }
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn make(certificate: &Path, key: &Path, now: Timestamp) -> anyhow::Result<()> {
    let key_pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    let id: [u8; 4] = rand::random();
    params.distinguished_name = named(&format!("Jiming device authority {}", hex::encode(id)));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date(now - CLOCK_SLACK)?;
    params.not_after = date(now + AUTHORITY_LIFE)?;
    let signed = params.self_signed(&key_pair)?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(key)
        .with_context(|| format!("writing {}", key.display()))?;
    file.write_all(key_pair.serialize_pem().as_bytes())?;
    file.sync_all()?;
    std::fs::write(certificate, signed.pem())
        .with_context(|| format!("writing {}", certificate.display()))?;
    info!(authority.file = %certificate.display(), "made the authority that signs device certificates");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn request(name: &str) -> String {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).expect("names");
        params.distinguished_name = named(name);
        params
            .serialize_request(&key)
            .expect("a request")
            .pem()
            .expect("PEM")
    }

    #[test]
    fn it_is_made_once_and_its_key_is_private() {
        let data = tempfile::tempdir().expect("a directory");
        let now = Timestamp::now();
        let first = Authority::open(data.path(), now).expect("made");
        let again = Authority::open(data.path(), now).expect("opened");
        assert_eq!(first.pem(), again.pem());
        let key = directory(data.path()).join("ca.key");
        let mode = std::fs::metadata(&key).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_file(&key).expect("removed");
        let error = Authority::open(data.path(), now).err().expect("told");
        assert!(error.to_string().contains("ca.key is missing"), "{error}");
    }

    #[test]
    fn of_a_request_only_the_key_counts() {
        use x509_parser::prelude::{FromDer as _, X509Certificate, parse_x509_pem};
        let data = tempfile::tempdir().expect("a directory");
        let now = Timestamp::now();
        let authority = Authority::open(data.path(), now).expect("made");
        let signed = authority
            .sign("smoke-1", &request("administrator"), now)
            .expect("signed");
        let (_, pem) = parse_x509_pem(signed.pem.as_bytes()).expect("PEM");
        let (_, certificate) = X509Certificate::from_der(&pem.contents).expect("a certificate");
        let name = certificate.subject().iter_common_name().next();
        assert_eq!(name.and_then(|n| n.as_str().ok()), Some("smoke-1"));
        assert!(!certificate.is_ca());
        assert_eq!(
            certificate.subject_alternative_name().expect("parses"),
            None
        );
        let usage = certificate
            .extended_key_usage()
            .expect("parses")
            .expect("there");
        assert!(usage.value.client_auth && !usage.value.server_auth);
        assert_eq!(hex::encode(certificate.raw_serial()), signed.row.serial);
        assert_eq!(
            signed.row.fingerprint,
            hex::encode(Sha256::digest(&pem.contents))
        );

        for bad in ["", "hello", &request("x").replace('A', "B")] {
            let error = authority.sign("smoke-1", bad, now).expect_err("refused");
            assert!(error.to_string().contains("hint: PKCS #10"), "{error}");
        }
    }
}
