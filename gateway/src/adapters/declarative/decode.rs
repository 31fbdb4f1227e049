//! The first step of a declared adapter: from bytes to a value that its program can take apart.

use encoding_rs::GB18030;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::message::Message;
use super::super::{Reject, text};

/// Longest payload that is decoded, in bytes.
pub const INPUT_BYTES_MAX: usize = text::JSON_BYTES_MAX;
/// Longest payload that becomes a list of numbers.
const RAW_BYTES_MAX: usize = 8 << 10;
/// Most pairs of a form or a list of values.
const PAIRS_MAX: usize = 512;
/// Deepest nesting of XML.
const XML_DEPTH_MAX: usize = 32;

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// JSON.
    Json,
    /// JSON as firmware writes it: GB 18030 instead of UTF-8, commas too many, something before or behind it.
    JsonLenient,
    /// XML: an element is an object of its children by their names (a list where there are several), its attributes `@name`, its text `#text`; one
    /// that has only text is that text.
    Xml,
    /// Text.
    Text,
    /// `a=1&b=2`, or `a: 1` a line: an object of texts.
    Kv,
    /// Base64 of JSON.
    Base64json,
    /// Hexadecimal digits: a list of numbers.
    Hex,
    /// The bytes: a list of numbers.
    Raw,
    /// `application/x-www-form-urlencoded`: an object of texts.
    Form,
}

impl Decode {
    /// Whether a payload of it is JSON itself, so that it can be known by its members.
    pub fn has_members(self) -> bool {
        matches!(self, Self::Json | Self::JsonLenient)
    }

    /// The value of a payload.
    ///
    /// # Errors
    /// `too_long`, `too_deep`, `bad_json`, `bad_xml`, `bad_text`, `bad_shape`.
    pub fn value(self, message: &Message<'_>) -> Result<Value, Reject> {
        let bytes = message.payload;
        if bytes.len() > INPUT_BYTES_MAX {
            let detail = format!("{} bytes, at most {INPUT_BYTES_MAX} are read", bytes.len());
            return Err(Reject::new("too_long", detail));
        }
        match self {
            Self::Json => message.json().cloned(),
            Self::JsonLenient => lenient(bytes),
            Self::Xml => xml(bytes),
            Self::Text => Ok(any_text(bytes).trim().into()),
            Self::Kv => pairs(kv(&any_text(bytes))),
            Self::Form => pairs(text::form_pairs(message.text()?)),
            Self::Base64json => {
                let inner = text::base64(message.text()?);
                text::json(
                    &inner.ok_or_else(|| Reject::new("bad_text", "the payload is no base64"))?,
                )
            }
            Self::Hex => {
                let digits: String = message.text()?.split_whitespace().collect();
                let bytes = hex::decode(digits)
                    .map_err(|e| Reject::new("bad_text", format!("hexadecimal digits: {e}")))?;
                numbers(&bytes)
            }
            Self::Raw => numbers(bytes),
        }
    }
}

/// UTF-8 without a byte order mark; what is none is taken for GB 18030, which devices in China write without saying so.
fn any_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => GB18030.decode(bytes).0.into_owned(),
    }
}

fn lenient(bytes: &[u8]) -> Result<Value, Reject> {
    let first = match text::json(bytes) {
        Ok(value) => return Ok(value),
        Err(reject) if reject.code != "bad_json" => return Err(reject),
        Err(reject) => reject,
    };
    let text = any_text(bytes);
    let (start, end) = (text.find(['{', '[']), text.rfind(['}', ']']));
    let Some(inner) = start
        .zip(end)
        .and_then(|(start, end)| text.get(start..=end))
    else {
        return Err(first);
    };
    text::json(mended(inner).as_bytes()).map_err(|_| first)
}

/// Without commas before a closing bracket, and with control characters in texts written out.
fn mended(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_text, mut escaped, mut comma) = (false, false, false);
    for c in json.chars() {
        if in_text {
            if c.is_control() && !escaped {
                out.push(' ');
            } else {
                out.push(c);
            }
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ',' => {
                comma = true;
                continue;
            }
            c if c.is_whitespace() => {}
            c => {
                if comma && !matches!(c, '}' | ']') {
                    out.push(',');
                }
                comma = false;
                in_text = c == '"';
            }
        }
        out.push(c);
    }
    out
}

fn numbers(bytes: &[u8]) -> Result<Value, Reject> {
    if bytes.len() > RAW_BYTES_MAX {
        let detail = format!(
            "{} bytes, at most {RAW_BYTES_MAX} are read one by one",
            bytes.len()
        );
        return Err(Reject::new("too_long", detail));
    }
    Ok(bytes.iter().map(|byte| Value::from(*byte)).collect())
}

fn kv(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let pairs = text.split(['\n', '\r', '&', ';', ',']);
    pairs.filter_map(|pair| {
        let (key, value) = pair.split_once(['=', ':'])?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    })
}

fn pairs(pairs: impl Iterator<Item = (String, String)>) -> Result<Value, Reject> {
    let mut map = Map::new();
    for (key, value) in pairs {
        if map.len() >= PAIRS_MAX {
            return Err(Reject::new(
                "too_long",
                format!("more than {PAIRS_MAX} pairs"),
            ));
        }
        map.insert(key.replace('\0', ""), value.replace('\0', "").into());
    }
    if map.is_empty() {
        return Err(Reject::new("bad_shape", "no pair of a name and a value"));
    }
    Ok(map.into())
}

fn xml(bytes: &[u8]) -> Result<Value, Reject> {
    let text = any_text(bytes);
    text::check_xml_depth(&text, XML_DEPTH_MAX)?;
    let document = roxmltree::Document::parse(text.trim())
        .map_err(|e| Reject::new("bad_xml", e.to_string()))?;
    let root = document.root_element();
    let mut map = Map::new();
    map.insert(root.tag_name().name().to_owned(), element(root));
    Ok(map.into())
}

/// As deep as [`XML_DEPTH_MAX`].
fn element(node: roxmltree::Node<'_, '_>) -> Value {
    let mut map = Map::new();
    for attribute in node.attributes() {
        map.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    for child in node.children().filter(roxmltree::Node::is_element) {
        let value = element(child);
        match map.get_mut(child.tag_name().name()) {
            None => {
                map.insert(child.tag_name().name().to_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    let told: String = node
        .children()
        .filter_map(|child| child.is_text().then(|| child.text())?)
        .collect();
    let told = told.trim();
    if map.is_empty() {
        return told.into();
    }
    if !told.is_empty() {
        map.insert("#text".to_owned(), told.into());
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::super::super::message::Door;
    use super::*;

    fn decoded(decode: Decode, bytes: &[u8]) -> Result<Value, &'static str> {
        let zone = TimeZone::UTC;
        let door = Door::Http { target: "/" };
        let message = Message::new(door, bytes, domain::Timestamp::UNIX_EPOCH, &zone);
        decode.value(&message).map_err(|reject| reject.code)
    }

    #[test]
    fn bytes_are_what_the_file_says() {
        let check = |decode, bytes: &[u8], want: Value| {
            assert_eq!(decoded(decode, bytes), Ok(want), "{decode:?}");
        };
        check(Decode::Json, b"{\"a\":1}", json!({"a": 1}));
        check(
            Decode::JsonLenient,
            b"data={\"a\":\"1,]\",\"b\":[1,2,],}\r\n",
            json!({"a": "1,]", "b": [1, 2]}),
        );
        check(
            Decode::JsonLenient,
            &[b"{\"p\":\"".as_slice(), &[0xd5, 0xe3], b"G1\"}"].concat(),
            json!({"p": "浙G1"}),
        );
        check(
            Decode::Xml,
            "<?xml version=\"1.0\"?><e v=\"2\"><d>1</d><d/><n:x xmlns:n=\"u\">门</n:x></e>"
                .as_bytes(),
            json!({"e": {"@v": "2", "d": ["1", ""], "x": "门"}}),
        );
        check(Decode::Text, b" alarm 3\r\n", json!("alarm 3"));
        check(
            Decode::Kv,
            b"id=7; state: open\nx",
            json!({"id": "7", "state": "open"}),
        );
        check(
            Decode::Form,
            b"id=7&s=%E5%BC%80",
            json!({"id": "7", "s": "开"}),
        );
        check(Decode::Base64json, b"eyJhIjoxfQ", json!({"a": 1}));
        check(Decode::Hex, b"01 ff", json!([1, 255]));
        check(Decode::Raw, &[0, 7], json!([0, 7]));
    }

    #[test]
    fn what_is_broken_is_rejected() {
        for (decode, bytes, code) in [
            (Decode::Json, b"{".as_slice(), "bad_json"),
            (Decode::JsonLenient, b"hello", "bad_json"),
            (Decode::Xml, b"<a>", "bad_xml"),
            (Decode::Kv, b"hello", "bad_shape"),
            (Decode::Hex, b"0g", "bad_text"),
            (Decode::Base64json, b"***", "bad_text"),
        ] {
            assert_eq!(decoded(decode, bytes), Err(code), "{decode:?}");
        }
        let long = vec![b' '; INPUT_BYTES_MAX + 1];
        assert_eq!(decoded(Decode::Text, &long), Err("too_long"));
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert_eq!(decoded(Decode::Xml, deep.as_bytes()), Err("too_deep"));
    }
}
