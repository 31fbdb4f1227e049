//! Signatures of short texts that come back to the hub: HMAC-SHA-256, each purpose under a key of its own.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What texts of one purpose are signed with.
pub struct SignatureKey(Vec<u8>);

impl SignatureKey {
    /// A key of its own, made from a secret that has other uses.
    pub fn of(secret: &[u8], purpose: &str) -> Self {
        let mut mac = keyed(secret);
        mac.update(purpose.as_bytes());
        Self(mac.finalize().into_bytes().to_vec())
    }

    /// The signature of a text, in hex.
    pub fn sign(&self, text: &str) -> String {
        let mut mac = keyed(&self.0);
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whether a signature in hex is that of a text; takes the same time for every wrong one.
    pub fn is_of(&self, text: &str, signature: &str) -> bool {
        let mut mac = keyed(&self.0);
        mac.update(text.as_bytes());
        hex::decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes any key")
}
