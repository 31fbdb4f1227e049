//! Hints for words that are in no table: the nearest one that is.

/// ` (hint: did you mean …?)` when something is near, otherwise the list when it is short.
pub(super) fn hint<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    let nearest = known
        .clone()
        .map(|candidate| (distance(word, candidate), candidate))
        .min();
    match nearest {
        Some((edits, near)) if edits <= 1 + near.len() / 4 => {
            format!(" (hint: did you mean `{near}`?)")
        }
        _ if known.clone().count() <= 20 => {
            format!(
                " (hint: {what} are {})",
                known.collect::<Vec<_>>().join(", ")
            )
        }
        _ => String::new(),
    }
}

/// Levenshtein's distance; words are cut to 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_hinted_at_and_otherwise_a_short_list() {
        let known = ["fire.smoke", "fire.heat"];
        let hint = |word| hint(word, known.into_iter(), "kinds");
        assert_eq!(hint("fire.smok"), " (hint: did you mean `fire.smoke`?)");
        assert_eq!(hint("toaster"), " (hint: kinds are fire.smoke, fire.heat)");
    }

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, expect) in [
            ("", "", 0),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("烟感", "烟", 1),
        ] {
            assert_eq!(distance(a, b), expect, "{a} {b}");
        }
    }
}
