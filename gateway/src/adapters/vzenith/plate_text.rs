//! In which alphabet a camera wrote a plate: base64 of UTF-8 over MQTT, of GB 2312 in old firmware, plain over HTTP. The protocols do not
//! say which, and firmware mixes them.

use std::borrow::Cow;

use super::super::{plate, text};

/// Longest text that is looked at.
const BYTES_MAX: usize = 512;

/// The plate as text. Base64 is taken for it only where what it holds is made of letters and digits and its spelling is not that of a plate.
pub(super) fn decode(license: &str) -> Cow<'_, str> {
    let plain = Cow::Borrowed(license.trim());
    if license.len() > BYTES_MAX || !license.is_ascii() || license.contains('|') {
        return plain;
    }
    let Some(bytes) = text::base64(license).filter(|bytes| bytes.len() > 1) else {
        return plain;
    };
    // base64 of a plate has lower case or padding as a rule; a plate has neither
    let is_coded = license
        .chars()
        .any(|c| c.is_ascii_lowercase() || c == '=' || c == '+' || c == '/');
    if let Ok(decoded) = std::str::from_utf8(&bytes) {
        let is_plate = decoded
            .chars()
            .all(|c| (c.is_alphanumeric() && !c.is_ascii_lowercase()) || "|_-· .".contains(c));
        if is_plate && (is_coded || plate::has_province(decoded)) {
            return Cow::Owned(decoded.to_owned());
        }
        return plain;
    }
    let (decoded, _, is_broken) = encoding_rs::GB18030.decode(&bytes);
    if is_coded && !is_broken && plate::has_province(&decoded) {
        return Cow::Owned(decoded.into_owned());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plates_are_read_in_the_alphabet_they_came_in() {
        for (license, want) in [
            ("5rWZRzEyMzQ1", "浙G12345"),
            ("浙G12345", "浙G12345"),
            ("1eNHMTIzNDU=", "浙G12345"), // GB 2312
            ("QjEyMzRBQkM=", "B1234ABC"),
            ("JD6085B", "JD6085B"),
            ("ABC1234X", "ABC1234X"),
            ("X+aXoF8=", "_无_"),
            ("57KkWkowNjjmvrN8TVg3NzQyfFpNMTI3", "粤ZJ068澳|MX7742|ZM127"),
            ("粤ZJ068澳|MX7742", "粤ZJ068澳|MX7742"),
            ("", ""),
        ] {
            assert_eq!(decode(license), want, "{license}");
        }
    }
}
