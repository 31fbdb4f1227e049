//! The same value, the same bytes: keys sorted, no spaces, integers only.

use serde_json::Value;

/// JSON as UTF-8 with keys in the order of their bytes and nothing between them.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

fn write(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            into.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    into.push(b',');
                }
                write(item, into);
            }
            into.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_str());
            into.push(b'{');
            for (position, (key, member)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    into.push(b',');
                }
                into.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
                into.push(b':');
                write(member, into);
            }
            into.push(b'}');
        }
        plain => into.extend_from_slice(plain.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": [1, {"z": null, "a": "事\"件"}], "a": -3, "B": true});
        assert_eq!(
            String::from_utf8(canonical(&value)).expect("text"),
            r#"{"B":true,"a":-3,"b":[1,{"a":"事\"件","z":null}]}"#
        );
    }
}
