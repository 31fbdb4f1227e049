//! Number plates for those who may not see them in full: the first four characters stay, as on a parking receipt.

use serde_json::Value;

/// Fields that hold a plate.
const FIELDS: [&str; 2] = ["plate", "plate_raw"];

/// `浙G12345` → `浙G12***`
pub(crate) fn plate(text: &str) -> String {
    let start: String = text.chars().take(4).collect();
    format!("{start}***")
}

/// `王小明` → `王**`
pub(crate) fn name(text: &str) -> String {
    let first: String = text.chars().take(1).collect();
    format!("{first}**")
}

/// `13812345678` → `*******5678`: enough to recognise a number that one has.
pub(crate) fn phone(text: &str) -> String {
    let count = text.chars().count();
    let shown = if count >= 8 { 4 } else { 0 };
    let end: String = text.chars().skip(count - shown).collect();
    format!("*******{end}")
}

/// Masks the plates of an incident, an event, or a list of them, wherever they stand.
pub(crate) fn value(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(self::value),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if FIELDS.contains(&name.as_str()) => *text = plate(text),
                    Value::String(text) if name == "subject" => {
                        // a work order's subject has the rule before it
                        if let Some((before, rest)) = text.split_once("plate:") {
                            *text = format!("{before}plate:{}", plate(rest));
                        }
                    }
                    other => self::value(other),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_shows_its_beginning_and_its_end() {
        assert_eq!(
            (name("王小明"), phone("13812345678")),
            ("王**".to_owned(), "*******5678".to_owned())
        );
        assert_eq!(
            (name(""), phone("110")),
            ("**".to_owned(), "*******".to_owned())
        );
    }

    #[test]
    fn plates_are_masked_wherever_they_stand() {
        let mut given = serde_json::json!({"items": [
            {"subject": "plate:浙G12345@q1", "detail": {"plate": "浙G12345", "count": "2"}},
            {"subject": "B1/plate:浙G12345@q1"},
            {"subject": "device:smoke-1", "attrs": {"plate": "浙GD12345"}},
        ]});
        value(&mut given);
        let text = given.to_string();
        assert!(!text.contains("12345"), "{text}");
        assert!(
            text.contains("浙G12***") && text.contains("device:smoke-1"),
            "{text}"
        );
    }
}
