//! Topics and paths that a declared adapter takes for its own: MQTT topic filters whose levels may have names, `acme/+gate/state`, and the same
//! for the path of a web hook. What a named level held is `$name.gate` in the program.

/// Longest pattern, in bytes.
const BYTES_MAX: usize = 256;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    levels: Vec<Level>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Word(String),
    /// `+`, or `+gate`.
    Any(Option<String>),
    /// `#`: whatever follows, or nothing.
    Rest,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("longer than {BYTES_MAX} bytes"));
        }
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.starts_with("ssg/") || text.starts_with('$') {
            return Err(
                "the hub reads what stands below `ssg/` and `$` itself (hint: the topics of the sender's own format)"
                    .to_owned(),
            );
        }
        let mut levels = Vec::new();
        let words: Vec<&str> = text.split('/').collect();
        for (index, word) in words.iter().enumerate() {
            levels.push(match word.strip_prefix('+') {
                Some("") => Level::Any(None),
                Some(name) => Level::Any(Some(named(name)?)),
                None if *word == "#" && index + 1 == words.len() => Level::Rest,
                None if word.contains(['#', '+']) => {
                    return Err(format!(
                        "`{word}` (hint: `+`, `+name` or `#` stand for a whole level, `#` at the end)"
                    ));
                }
                None => Level::Word((*word).to_owned()),
            });
        }
        let says_something = |level: &Level| matches!(level, Level::Word(word) if !word.is_empty());
        if !levels.iter().any(says_something) {
            return Err(
                "it would take every message (hint: at least one level with a word, or `named = true`)".to_owned(),
            );
        }
        Ok(Self { levels })
    }

    /// The names of its levels and what an address has there, if it is one of these.
    pub fn take<'a>(&'a self, address: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut words = address.strip_prefix('/').unwrap_or(address).split('/');
        let mut taken = Vec::new();
        for level in &self.levels {
            if *level == Level::Rest {
                return Some(taken);
            }
            match (level, words.next()?) {
                (Level::Word(word), has) if word != has => return None,
                (Level::Any(Some(name)), has) => taken.push((name.as_str(), has)),
                _ => {}
            }
        }
        words.next().is_none().then_some(taken)
    }
}

fn named(name: &str) -> Result<String, String> {
    let is_word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if name.len() <= 32 && name.bytes().all(is_word) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "`+{name}` (hint: names are lower case letters, digits and `_`, as in `+gate`)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names() {
        let check = |pattern: &str, address: &str, want: Option<&[(&str, &str)]>| {
            let pattern = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(pattern.take(address).as_deref(), want, "{address}");
        };
        check("acme/+gate/state", "acme/7/state", Some(&[("gate", "7")]));
        check("acme/+gate/state", "acme/7/state/x", None);
        check("acme/+gate/state", "acme/7", None);
        check("acme/+/#", "acme/7/a/b", Some(&[]));
        check("acme/#", "acme", Some(&[]));
        check("/park/+lot", "/park/%E4", Some(&[("lot", "%E4")]));
        check("park/in", "/park/in", Some(&[]));
        check("烟感/+id", "烟感/01", Some(&[("id", "01")]));
    }

    #[test]
    fn one_that_takes_everything_is_refused() {
        for bad in [
            "#", "+", "+a/#", "/", "", "a/#/b", "a/b+", "a/+A", "ssg/v1/#", "$hub/x",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
