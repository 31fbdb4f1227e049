//! What is wrong with a rule file: where, in which rule and field, and what to write instead.

use std::fmt;

/// One mistake in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The file's name as the caller gave it.
    pub file: String,
    /// Line in the file, counted from 1.
    pub line: usize,
    /// The rule's id as it was written, where the mistake is inside a rule that has one.
    pub rule: Option<String>,
    /// The field, dotted from the rule down, such as `when.kinds`; empty when the mistake is not in a field.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "field `{}`: ", self.field)?;
        }
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RuleError {}

/// The hint for an unknown word: the one known word that is nearest, if one is near, otherwise the list of all.
pub(crate) fn nearest_hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const LISTED_MAX: usize = 16;
    let mut known: Vec<&str> = known.into_iter().collect();
    known.dedup();
    let limit = (word.chars().count() / 3).max(2);
    let near = |k: &str| (word.len() >= 3 && k.starts_with(word)) || distance(word, k) <= limit;
    let mut candidates: Vec<(usize, &str)> = known
        .iter()
        .filter(|k| near(k))
        .map(|k| (distance(word, k), *k))
        .collect();
    candidates.sort_unstable();
    match candidates[..] {
        [(_, only)] => return format!("did you mean `{only}`?"),
        [(first, nearest), (second, _), ..] if first < second => {
            return format!("did you mean `{nearest}`?");
        }
        _ => {}
    }
    if known.is_empty() {
        return "there is none yet".to_owned();
    }
    let listed = known.iter().take(LISTED_MAX).map(|k| format!("`{k}`"));
    let mut list = listed.collect::<Vec<_>>().join(", ");
    if known.len() > LISTED_MAX {
        list.push_str(", …");
    }
    format!("known are {list}")
}

/// How many letters must be put in, taken out or replaced (Levenshtein). Words are cut to 64 letters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_nearest_word_or_lists_them() {
        let known = ["fire.smoke", "fire.heat", "access.denied"];
        assert_eq!(
            nearest_hint("fire.smoek", known),
            "did you mean `fire.smoke`?"
        );
        assert_eq!(
            nearest_hint("toaster", known),
            "known are `fire.smoke`, `fire.heat`, `access.denied`"
        );
    }
}
