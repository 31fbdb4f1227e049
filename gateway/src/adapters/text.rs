//! Text as devices send it: JSON with limits, forms, numbers that came as text, base64 with and without padding, sentinels for nobody.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::Reject;

/// Longest JSON text that is parsed, in bytes: what a web hook may send, with its pictures in base64.
pub const JSON_BYTES_MAX: usize = 8 << 20;
/// Most values of one JSON text: each takes far more room parsed than written.
pub const JSON_VALUES_MAX: usize = 100_000;
/// Longest text in lines or XML that is read, in bytes: it carries no pictures.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of JSON.
pub const JSON_DEPTH_MAX: usize = 32;

/// Base64 as devices write it: with or without padding, line breaks ignored by [`base64`].
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// JSON within [`JSON_BYTES_MAX`], [`JSON_VALUES_MAX`] and [`JSON_DEPTH_MAX`]. A byte order mark is skipped; NUL characters inside texts are taken out, since
/// databases refuse them and a fire that came with one is still a fire. Of a key that is there twice the last value counts.
///
/// # Errors
/// `too_long`, `too_many`, `too_deep`, `bad_json`.
pub fn json(bytes: &[u8]) -> Result<Value, Reject> {
    if bytes.len() > JSON_BYTES_MAX {
        let detail = format!(
            "{} bytes of JSON, at most {JSON_BYTES_MAX} are read",
            bytes.len()
        );
        return Err(Reject::new("too_long", detail));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    check_shape(bytes)?;
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|e| Reject::new("bad_json", e.to_string()))?;
    if bytes.windows(6).any(|w| w == b"\\u0000") {
        without_nul(&mut value);
    }
    Ok(value)
}

fn check_shape(bytes: &[u8]) -> Result<(), Reject> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    let mut values = 1usize;
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' if !in_string => values += 1,
            b'{' | b'[' if !in_string => {
                (depth, values) = (depth + 1, values + 1);
                if depth > JSON_DEPTH_MAX {
                    let detail = format!("nested deeper than {JSON_DEPTH_MAX} levels");
                    return Err(Reject::new("too_deep", detail));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if values > JSON_VALUES_MAX {
        let detail = format!("about {values} values, at most {JSON_VALUES_MAX} are read");
        return Err(Reject::new("too_many", detail));
    }
    Ok(())
}

/// Refuses XML that is nested deeper than `max` elements. Counted before the parser, which goes down by itself as deep as a document leads it.
///
/// # Errors
/// `too_deep`.
pub fn check_xml_depth(xml: &str, max: usize) -> Result<(), Reject> {
    let mut depth = 0usize;
    for tag in xml.split('<').skip(1) {
        let is_closed = || tag.split('>').next().is_some_and(|tag| tag.ends_with('/'));
        match tag.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') => {}
            _ if is_closed() => {}
            _ => depth += 1,
        }
        if depth > max {
            let detail = format!("nested deeper than {max} levels");
            return Err(Reject::new("too_deep", detail));
        }
    }
    Ok(())
}

fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) => text.retain(|c| c != '\0'),
        Value::Array(list) => list.iter_mut().for_each(without_nul),
        Value::Object(map) => {
            let keys: Vec<String> = map
                .keys()
                .filter(|key| key.contains('\0'))
                .cloned()
                .collect();
            for key in keys {
                if let Some(inner) = map.remove(&key) {
                    map.insert(key.replace('\0', ""), inner);
                }
            }
            map.values_mut().for_each(without_nul);
        }
        _ => {}
    }
}

/// A number, also where it came as text (`"100.00"`).
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

/// A whole number, also where it came as text.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Yes or no in the words that devices use: JSON's, 0 and 1, ON and OFF, true and false, yes and no.
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is) => Some(*is),
        Value::Number(_) => match integer(value)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "on" | "1" | "yes" => Some(true),
            "false" | "off" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A text or a number as text.
pub fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The member below a path of names, `a.b.c`; null counts as absent.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
        .filter(|value| !value.is_null())
}

/// The first of several members that is there.
pub fn first<'a>(value: &'a Value, paths: &[&str]) -> Option<&'a Value> {
    paths.iter().find_map(|path| at(value, path))
}

/// A number or name that stands for somebody: the sentinels for nobody (`0`, `-1`, `65535`, `undefined`, `null`, empty) are none.
pub fn somebody(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_nobody = text.chars().all(|c| c == '0')
        || matches!(text, "-1" | "65535" | "4294967295")
        || ["undefined", "null", "none", "unknown"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word));
    (!is_nobody).then_some(text)
}

/// Base64 with or without padding; white space is skipped. None where it is none.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    LENIENT.decode(text).ok()
}

/// `a=1&b=2`, decoded; pairs without `=` have an empty value.
pub fn form_pairs(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent(key), percent(value))
    })
}

/// `%41` and `+` decoded; what is no UTF-8 is replaced.
fn percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let coded = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (coded, byte) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (None, b'+') => {
                bytes.push(b' ');
                rest = tail;
            }
            (None, byte) => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first `max` characters without control characters.
pub fn clip(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_within_its_limits() {
        assert_eq!(
            json(b"\xef\xbb\xbf{\"a\\u0000b\":\"x\\u0000\"}"),
            Ok(json!({"ab": "x"}))
        );
        assert_eq!(json(b"{\"a\":1,\"a\":2}"), Ok(json!({"a": 2})));
        let deep = |n| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(json(&deep(JSON_DEPTH_MAX)).is_ok());
        let code = |bytes: &[u8]| json(bytes).expect_err("rejected").code;
        assert_eq!(code(&deep(JSON_DEPTH_MAX + 1)), "too_deep");
        assert_eq!(code(b"{'a':1}"), "bad_json");
        assert_eq!(code(&vec![b' '; JSON_BYTES_MAX + 1]), "too_long");
        let list = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
        assert!(json(list(JSON_VALUES_MAX - 2).as_bytes()).is_ok());
        assert_eq!(code(list(JSON_VALUES_MAX).as_bytes()), "too_many");
        // commas in a text are no values: a picture in base64 is one
        let picture = format!("[\"{}\"]", ",".repeat(JSON_BYTES_MAX / 2));
        assert!(json(picture.as_bytes()).is_ok());
        // brackets in a text nest nothing, escaped quotes end none
        let text = format!("[\"\\\"{}\"]", "[".repeat(100));
        assert!(json(text.as_bytes()).is_ok());
    }

    #[test]
    fn xml_is_counted_before_it_is_parsed() {
        let deep = |n: usize| {
            format!(
                "<?xml version=\"1.0\"?>{}<b/>{}",
                "<a>".repeat(n),
                "</a>".repeat(n)
            )
        };
        assert_eq!(check_xml_depth(&deep(64), 64), Ok(()));
        let code = check_xml_depth(&deep(65), 64).map_err(|reject| reject.code);
        assert_eq!(code, Err("too_deep"));
    }

    #[test]
    fn values_are_read_in_the_words_of_devices() {
        assert_eq!(number(&json!("100.00")), Some(100.0));
        assert_eq!(number(&json!("NaN")), None);
        assert_eq!(integer(&json!("7")), Some(7));
        assert_eq!(integer(&json!(7.0)), Some(7));
        assert_eq!(integer(&json!(7.5)), None);
        assert_eq!(boolean(&json!("ON")), Some(true));
        assert_eq!(boolean(&json!(2)), None);
        assert_eq!(somebody(" 0000 "), None);
        assert_eq!(somebody("-1"), None);
        assert_eq!(somebody("77"), Some("77"));
        assert_eq!(
            base64("6LWjR1o3UzEz").as_deref(),
            Some("赣GZ7S13".as_bytes())
        );
        assert_eq!(base64("YQ"), Some(b"a".to_vec()));
        let pairs: Vec<_> = form_pairs("SN=A%201&x=+&y").collect();
        let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(pairs, [text("SN", "A 1"), text("x", " "), text("y", "")]);
        assert_eq!(percent("%zz%4"), "%zz%4");
    }
}
