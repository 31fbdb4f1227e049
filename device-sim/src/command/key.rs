//! The hub's public key: a device that has it takes commands from nobody else.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::Command;
use crate::SimDevice;

/// Length of an Ed25519 public key, in bytes.
const KEY_BYTES: usize = 32;

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", STANDARD.encode(self.0))
    }
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 public key (hint: 32 bytes in base64)")]
pub struct KeyError;

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError)?;
        bytes.try_into().map(Self).map_err(|_| KeyError)
    }
}

impl Key {
    /// Whether the command was signed with the other half of this key, for this device.
    pub fn has_signed(&self, command: &Command, device: &SimDevice) -> bool {
        let signature = command.sig.as_deref().map(|sig| STANDARD.decode(sig));
        let Some(Ok(signature)) = signature else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(command.signed_text(device).as_bytes(), &signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    fn device(id: &str) -> SimDevice {
        let json =
            json!({"id": id, "site": "q1", "class": "access", "username": "u", "password": "p"});
        serde_json::from_value(json).expect("a device")
    }

    #[test]
    fn only_what_was_signed_for_this_device_with_this_key_holds() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a pair");
        let key: Key = STANDARD
            .encode(pair.public_key().as_ref())
            .parse()
            .expect("a key");
        let body = json!({"command_id": "c-1", "command": "unlock", "args": {"door": 1}, "issued_at": "a", "expires_at": "b", "actor": "usr_1",
            "nonce": "00", "counter": 3});
        let mut command = Command::read(body.to_string().as_bytes()).expect("reads");
        let door = device("door-1");
        assert!(!key.has_signed(&command, &door), "not signed at all");
        let signature = pair.sign(command.signed_text(&door).as_bytes());
        command.sig = Some(STANDARD.encode(signature));
        assert!(key.has_signed(&command, &door));
        assert!(!key.has_signed(&command, &device("door-2")));
        let mut other = command.clone();
        other.args["door"] = 2.into();
        assert!(!key.has_signed(&other, &door));
        let mut other = command.clone();
        other.challenge = Some("x".to_owned());
        assert!(!key.has_signed(&other, &door));
        command.sig = Some("not base64".to_owned());
        assert!(!key.has_signed(&command, &door));
    }

    #[test]
    fn a_key_is_32_bytes_of_base64() {
        for wrong in ["", "AAAA", "not base64", &STANDARD.encode([1; 33])] {
            assert_eq!(wrong.parse::<Key>(), Err(KeyError), "{wrong}");
        }
        assert!(STANDARD.encode([1; 32]).parse::<Key>().is_ok());
    }
}
