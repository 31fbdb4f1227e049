//! What is about people, for those who may not see it in full: the first four characters stay.

use domain::privacy::{Personal, masked, masked_subject};
use serde_json::Value;

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

/// Masks plates, card references and persons in an incident, an event, or a list of them, wherever they stand.
pub(crate) fn value(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(self::value),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "subject" => {
                        if let Some(shown) = masked_subject(text) {
                            *text = shown;
                        }
                    }
                    Value::Null | Value::Bool(_) => {}
                    Value::String(text) if Personal::of_attr(name).is_some() => {
                        *text = masked(text);
                    }
                    // devices send what they like: a number, or a list of names
                    given if Personal::of_attr(name).is_some() => *given = "***".into(),
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
    fn what_is_about_people_is_masked_wherever_it_stands() {
        let mut given = serde_json::json!({"items": [
            {"subject": "plate:浙G12345@q1", "detail": {"plate": "浙G12345", "count": "2"}},
            {"subject": "B1/plate:浙G12345@q1"},
            {"subject": "credential:c-12345@q1"},
            {"subject": "device:smoke-1", "attrs": {"plate": "浙GD12345", "vehicle": {"plate_raw": "浙G12345"}}},
            {"attrs": {"credential_ref": "c-0012345", "person_name": ["王12345"], "person_ref": 12345, "plate": null}},
        ]});
        value(&mut given);
        let text = given.to_string();
        assert!(!text.contains("12345"), "{text}");
        for kept in [
            "浙G12***@q1",
            "device:smoke-1",
            "c-00***",
            r#""count":"2""#,
            r#""plate":null"#,
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }
}
