//! `gateway certificate self-signed`: a certificate for the dashboard's own HTTPS in one command, for a LAN without an authority.
//!
//! Browsers ask once whether they trust it; whoever has an authority puts its certificate into the configuration instead.

use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// Browsers refuse longer ones.
const LIFE: Duration = Duration::from_hours(24 * 397);
/// It begins a little earlier, for computers whose clock is behind.
const CLOCK_SLACK: Duration = Duration::from_hours(24);
/// Names in one certificate.
const NAMES_MAX: usize = 32;

fn date(at: Timestamp) -> anyhow::Result<OffsetDateTime> {
    Ok(OffsetDateTime::from_unix_timestamp(at.as_second())?)
}

/// Writes `hub.pem` and `hub.key` (mode 0600) into a directory, for these host names and addresses, and says what to do with them. Files that
/// are there are not touched.
///
/// # Errors
/// No name or one that cannot be in a certificate, files that are there or cannot be written.
pub fn self_signed(dir: &Path, names: &[String], now: Timestamp) -> anyhow::Result<String> {
    if names.is_empty() || names.len() > NAMES_MAX {
        bail!(
            "a certificate has 1 to {NAMES_MAX} names (hint: --name hub.lan --name 192.168.1.10, whatever stands in the browser's address)"
        );
    }
    for name in names {
        let is_name = name.parse::<IpAddr>().is_ok()
            || (!name.is_empty()
                && name.len() <= 253
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')));
        if !is_name {
            bail!(
                "`{name}` is neither a host name nor an address (hint: without https:// and without a port)"
            );
        }
    }
    let (certificate, key) = (dir.join("hub.pem"), dir.join("hub.key"));
    for path in [&certificate, &key] {
        if path.exists() {
            bail!(
                "{} is there (hint: take it away first, or choose another --dir)",
                path.display()
            );
        }
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let key_pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names.to_vec()).context("the names")?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, names[0].as_str());
    params.distinguished_name = subject;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date(now - CLOCK_SLACK)?;
    params.not_after = date(now + LIFE)?;
    let signed = params.self_signed(&key_pair).context("signing")?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&key)
        .with_context(|| format!("writing {}", key.display()))?;
    file.write_all(key_pair.serialize_pem().as_bytes())?;
    file.sync_all()?;
    std::fs::write(&certificate, signed.pem())
        .with_context(|| format!("writing {}", certificate.display()))?;
    let fingerprint = hex::encode_upper(Sha256::digest(signed.der()));
    let pairs: Vec<&str> = (0..32).map(|n| &fingerprint[2 * n..2 * n + 2]).collect();
    Ok(format!(
        "made {} and {}, good until {}\nSHA-256 {}\nput into the configuration:\n\n[http]\nlisten = \"0.0.0.0:8443\"\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n",
        certificate.display(),
        key.display(),
        now + LIFE,
        pairs.join(":"),
        certificate.display(),
        key.display(),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::listener::{ClientCertificates, Tls, TlsFiles};

    #[test]
    fn what_it_makes_can_be_served_with_and_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let names = ["hub.lan".to_owned(), "192.168.1.10".to_owned()];
        let said = self_signed(dir.path(), &names, Timestamp::now()).expect("made");
        assert!(said.contains("certificate_file"), "{said}");
        let (certificate, key) = (dir.path().join("hub.pem"), dir.path().join("hub.key"));
        let mode = std::fs::metadata(&key).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let files = TlsFiles {
            section: "http",
            certificate,
            key,
            client_certificates: ClientCertificates::Off,
            client_ca: None,
            crl: None,
        };
        assert!(Tls::load(files).is_ok());
        let again = self_signed(dir.path(), &names, Timestamp::now());
        assert!(again.expect_err("refused").to_string().contains("is there"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["https://hub.lan", "hub.lan:8443", "", "中枢"] {
            let made = self_signed(dir.path(), &[name.to_owned()], Timestamp::now());
            assert!(made.is_err(), "{name}");
        }
        assert!(self_signed(dir.path(), &[], Timestamp::now()).is_err());
    }
}
