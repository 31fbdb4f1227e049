//! A rule's own part of a file: from the comment above its `[[rule]]` to the comment above the next one, or above the stage of the cases.

use std::ops::Range;

/// One rule's part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its id, as far as it can be told.
    pub(super) id: Option<String>,
    /// Its bytes.
    pub(super) bytes: Range<usize>,
    /// The line in which it begins, from 1.
    pub(super) line: usize,
}

/// What stands in square brackets at the beginning of a line, if it names a table.
fn header(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let inner = line.strip_prefix("[[").or_else(|| line.strip_prefix('['))?;
    let (name, _) = inner.split_once(']')?;
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// `id = "S1"` → `S1`
fn id_of(line: &str) -> Option<String> {
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (id, _) = value[1..].split_once(quote)?;
    (name.trim() == "id").then(|| id.to_owned())
}

/// The parts of a file, in their order.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    // the part that is being read, and whether its own fields go on
    let mut open: Option<Part> = None;
    let mut is_own = false;
    // where the comment began that stands directly above this line
    let mut comment: Option<(usize, usize)> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let (start, number) = (at, index + 1);
        at += line.len();
        if line.starts_with('#') {
            comment.get_or_insert((start, number));
            continue;
        }
        let above = comment.take().unwrap_or((start, number));
        if let Some(name) = header(line) {
            is_own = false;
            let is_rule = name == "rule";
            if is_rule || !name.starts_with("rule.") {
                if let Some(mut part) = open.take() {
                    part.bytes.end = above.0;
                    parts.push(part);
                }
                if is_rule {
                    is_own = true;
                    open = Some(Part {
                        id: None,
                        bytes: above.0..text.len(),
                        line: above.1,
                    });
                }
            }
        } else if is_own
            && let Some(part) = &mut open
            && part.id.is_none()
        {
            part.id = id_of(line);
        }
    }
    parts.extend(open);
    parts
}

/// What of a file is no rule's: comments at its beginning, and the stage of its cases.
pub(super) fn stage(text: &str) -> String {
    let mut rest = String::new();
    let mut at = 0;
    for part in parts(text) {
        rest.push_str(&text[at..part.bytes.start]);
        at = part.bytes.end;
    }
    rest.push_str(&text[at..]);
    rest.trim().to_owned()
}

/// The file with another text in the place of a part; what follows keeps its distance.
pub(super) fn with(text: &str, part: &Part, new: &str) -> String {
    let old = &text[part.bytes.clone()];
    let gap = &old[old.trim_end().len()..];
    let gap = if gap.is_empty() { "\n" } else { gap };
    format!(
        "{}{}{gap}{}",
        &text[..part.bytes.start],
        new.trim_end(),
        &text[part.bytes.end..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Doors.\n\n# Five minutes: judgement.\n[[rule]]\nid = \"A1\"\nsop_zh = [\n  \"[1] 看\",\n]\n\n[rule.when]\nis = \"match\"\n# a comment within\n[rule.clear]\nid = \"no\"\n\n[[rule]]\nid = 'A2'\n\n# The stage.\n[[test_device]]\nid = \"door-1\"\n";

    #[test]
    fn a_file_falls_into_the_parts_of_its_rules() {
        let parts = parts(FILE);
        let ids: Vec<_> = parts.iter().map(|part| part.id.as_deref()).collect();
        assert_eq!(ids, [Some("A1"), Some("A2")]);
        let text = |n: usize| &FILE[parts[n].bytes.clone()];
        assert!(text(0).starts_with("# Five minutes") && text(0).ends_with("id = \"no\"\n\n"));
        assert_eq!(text(1), "[[rule]]\nid = 'A2'\n\n");
        assert_eq!((parts[0].line, parts[1].line), (3, 16));
        assert_eq!(
            stage(FILE),
            "# Doors.\n\n# The stage.\n[[test_device]]\nid = \"door-1\""
        );
    }

    #[test]
    fn what_is_put_in_the_place_of_a_part_leaves_the_rest_alone() {
        let parts = parts(FILE);
        let same = with(FILE, &parts[0], &FILE[parts[0].bytes.clone()]);
        assert_eq!(same, FILE);
        let other = with(FILE, &parts[1], "[[rule]]\nid = \"A3\"");
        assert!(other.ends_with(
            "[[rule]]\nid = \"A3\"\n\n# The stage.\n[[test_device]]\nid = \"door-1\"\n"
        ));
        assert!(other.starts_with(&FILE[..parts[1].bytes.start]));
        let last = "[[rule]]\nid = \"A1\"";
        assert_eq!(
            with(last, &super::parts(last)[0], last),
            format!("{last}\n")
        );
    }

    #[test]
    fn every_rule_that_ships_has_its_part() {
        for (name, text) in crate::embedded::RULES {
            let parts = parts(text);
            assert_eq!(parts.len(), text.matches("[[rule]]").count(), "{name}");
            assert!(parts.iter().all(|part| part.id.is_some()), "{name}");
            for part in &parts {
                assert_eq!(with(text, part, &text[part.bytes.clone()]), *text, "{name}");
            }
        }
    }
}
