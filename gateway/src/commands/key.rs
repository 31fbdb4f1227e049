//! The key that signs commands: made at the first start, in a file that only its owner may read.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::device_command::{Order, signed_text};
use domain::{DeviceId, SiteId};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// An Ed25519 key pair (RFC 8032).
pub struct CommandKey {
    pair: Ed25519KeyPair,
}

/// Where the key of a data directory stands.
fn file(data: &Path) -> PathBuf {
    data.join("command.key")
}

impl CommandKey {
    /// The key of a data directory, made where there is none. Whoever has it can command every device that trusts it.
    ///
    /// # Errors
    /// A file that cannot be read or written, or that holds something else.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let file = file(data);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| anyhow!("no random bytes for {}", file.display()))?;
                let write = || {
                    let mut open = std::fs::OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .mode(0o600)
                        .open(&file)?;
                    open.write_all(made.as_ref())?;
                    open.sync_all()
                };
                write().with_context(|| format!("writing {}", file.display()))?;
                made.as_ref().to_vec()
            }
            Err(e) => return Err(e).with_context(|| format!("reading {}", file.display())),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).map_err(|e| {
            anyhow!(
                "{} is no key: {e} (hint: bring it back from the backup)",
                file.display()
            )
        })?;
        Ok(Self { pair })
    }

    /// What devices check signatures with: 32 bytes, base64.
    pub fn public(&self) -> String {
        STANDARD.encode(self.pair.public_key().as_ref())
    }

    /// Signs a command for a device.
    pub fn sign(&self, order: &mut Order, site: &SiteId, device: &DeviceId) {
        let signature = self.pair.sign(signed_text(order, site, device).as_bytes());
        order.sig = STANDARD.encode(signature.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_its_owners() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = CommandKey::open(dir.path()).expect("a key").public();
        assert_eq!(
            CommandKey::open(dir.path()).expect("the same").public(),
            first
        );
        let mode = std::fs::metadata(file(dir.path()))
            .expect("is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(file(dir.path()), b"no key").expect("writable");
        assert!(CommandKey::open(dir.path()).is_err());
    }
}
