//! Whether a push is `OneNET`'s: `signature = base64(MD5(token + nonce + msg))`, over the text of `msg` as it was sent (open.iot.10086.cn, HTTP
//! push). MD5 is the platform's choice; the secret of the account in the address guards besides.

use std::borrow::Cow;

use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::message::{Door, Message};
use super::super::text;

/// A token of a data push, as it was set on the platform.
pub struct Token(String);

#[derive(Deserialize)]
struct Signed<'a> {
    #[serde(borrow)]
    msg: &'a RawValue,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    #[serde(borrow, alias = "msg_signature")]
    signature: Cow<'a, str>,
}

impl Token {
    /// A token; none where the text is empty.
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        (!token.is_empty()).then(|| Self(token.to_owned()))
    }

    /// Whether a push, or the check of the address, was signed with it.
    pub fn signed(&self, target: &str, body: &[u8]) -> bool {
        if body.is_empty() {
            let zone = jiff::tz::TimeZone::UTC;
            let door = Door::Http { target };
            let message = Message::new(door, body, domain::Timestamp::UNIX_EPOCH, &zone);
            let word = |name| message.query(name);
            let (Some(msg), Some(nonce), Some(signature)) =
                (word("msg"), word("nonce"), word("signature"))
            else {
                return false;
            };
            return self.fits(&nonce, &msg, &signature);
        }
        let Ok(signed) = serde_json::from_slice::<Signed<'_>>(body) else {
            return false;
        };
        let raw = signed.msg.get();
        // newer pushes carry it as a text in JSON
        let words = serde_json::from_str::<String>(raw);
        let msg = words.as_deref().unwrap_or(raw);
        self.fits(&signed.nonce, msg, &signed.signature)
    }

    fn fits(&self, nonce: &str, msg: &str, signature: &str) -> bool {
        let mut hash = Md5::new();
        for part in [&self.0, nonce, msg] {
            hash.update(part.as_bytes());
        }
        // a plus sign in an address that nobody has escaped is read as a blank
        let given = text::base64(&signature.replace(' ', "+"));
        given.is_some_and(|given| given.as_slice() == hash.finalize().as_slice())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    /// By the platform's formula, written another way.
    fn sign(token: &str, nonce: &str, msg: &str) -> String {
        let digest = Md5::digest(format!("{token}{nonce}{msg}").as_bytes());
        base64::engine::general_purpose::STANDARD.encode(digest)
    }

    #[test]
    fn a_push_counts_as_it_was_sent_and_signed() {
        let token = Token::new(" secret\n").expect("a token");
        let msg = r#"{"type": 2, "dev_id":7,"status":1}"#;
        let body = |msg: &str, name: &str, signature: &str| {
            format!(r#"{{"msg":{msg},"nonce":"n1","{name}":"{signature}"}}"#).into_bytes()
        };
        let right = sign("secret", "n1", msg);
        assert!(token.signed("/", &body(msg, "msg_signature", &right)));
        assert!(token.signed("/", &body(msg, "signature", &right)));
        let quoted = serde_json::to_string(msg).expect("a text");
        assert!(token.signed("/", &body(&quoted, "signature", &right)));
        for wrong in [
            body(r#"{"type": 2, "dev_id":8,"status":1}"#, "signature", &right),
            body(msg, "signature", &sign("other", "n1", msg)),
            body(msg, "signature", &sign("secret", "n2", msg)),
            body(msg, "signature", ""),
            body(msg, "sign", &right),
            b"{}".to_vec(),
            b"\xff".to_vec(),
        ] {
            let words = String::from_utf8_lossy(&wrong);
            assert!(!token.signed("/", &wrong), "{words}");
        }
        // the check of the address
        let asked = |signature: &str| {
            let signature = signature.replace('+', "%2B").replace('/', "%2F");
            format!("/hook?msg=abc&nonce=n1&signature={signature}")
        };
        assert!(token.signed(&asked(&sign("secret", "n1", "abc")), b""));
        assert!(!token.signed(&asked(&sign("secret", "n1", "abd")), b""));
        assert!(!token.signed("/hook", b""));
        assert!(Token::new(" \n").is_none());
    }
}
