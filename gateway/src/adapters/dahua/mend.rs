//! JSON that is not quite: a comma missing, or cut short by the stream that carried it.

use serde_json::{Map, Value};

use super::super::text;

/// Longest text that is mended.
const MEND_BYTES_MAX: usize = 256 << 10;

/// What follows `data=`: JSON, mended or cut back to its last whole member where it is broken; and whether it was.
pub(super) fn detail(text: &str) -> (Map<String, Value>, bool) {
    let text = text.trim();
    let whole = text::json(text.as_bytes()).ok().map(|value| (value, false));
    let read = whole.or_else(|| {
        mend(text)
            .or_else(|| complete(text))
            .map(|value| (value, true))
    });
    match read {
        Some((Value::Object(map), is_broken)) => (map, is_broken),
        _ => (Map::new(), true),
    }
}

/// JSON that was cut short, back to its last whole member.
fn complete(text: &str) -> Option<Value> {
    if text.len() > MEND_BYTES_MAX {
        return None;
    }
    let (mut in_string, mut escaped) = (false, false);
    let mut open = Vec::new();
    // where a member ends, and what was open there
    let mut ends: Vec<(usize, String)> = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                open.pop();
                ends.push((at + 1, open.iter().rev().collect()));
            }
            ',' => ends.push((at, open.iter().rev().collect())),
            _ => {}
        }
        if open.len() > text::JSON_DEPTH_MAX {
            return None;
        }
        if ends.len() > 64 {
            ends.drain(..32);
        }
    }
    ends.iter().rev().take(8).find_map(|(end, closers)| {
        let whole = format!("{}{closers}", text.get(..*end)?);
        text::json(whole.as_bytes()).ok()
    })
}

/// JSON with commas set where a value is followed by the next without one, and taken out before a closing bracket.
pub(super) fn mend(text: &str) -> Option<Value> {
    if text.len() > MEND_BYTES_MAX {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    // the last character that is not white space, and whether white space came after it
    let (mut last, mut gap) = ('\0', false);
    for c in text.chars() {
        if in_string {
            out.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    in_string = false;
                    last = '"';
                    gap = false;
                }
                _ => {}
            }
            continue;
        }
        if c.is_whitespace() {
            gap = true;
            out.push(c);
            continue;
        }
        let ends_value = matches!(last, '"' | '}' | ']') || last.is_ascii_alphanumeric();
        let starts_value = matches!(c, '"' | '{' | '[')
            || (gap && (c.is_ascii_alphanumeric() || c == '-') && ends_value);
        if starts_value && ends_value {
            out.push(',');
        }
        if matches!(c, '}' | ']') && last == ',' {
            let cut = out.trim_end().len().saturating_sub(1);
            out.truncate(cut);
        }
        out.push(c);
        in_string = c == '"';
        last = c;
        gap = false;
    }
    text::json(out.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_comma_is_set() {
        assert_eq!(
            mend(
                "{\"a\": 1\n\"b\": [1, 2,]\n\"c\": {\"d\": \"x\\\"y\"} \"e\": true\n\"f\": -1.5e3}"
            ),
            Some(json!({"a": 1, "b": [1, 2], "c": {"d": "x\"y"}, "e": true, "f": -1500.0}))
        );
        assert_eq!(mend("{\"a\": "), None);
        assert_eq!(mend("{\"a\" \"b\"}"), None);
        assert_eq!(
            complete("{\"a\": {\"b\": \"x,}\", \"c\": [1, 2], \"d\": \"y"),
            Some(json!({"a": {"b": "x,}", "c": [1, 2]}}))
        );
        assert_eq!(complete("{\"a\": 1"), None);
    }
}
