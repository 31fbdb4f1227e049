//! The file of a declared adapter, read and checked: whose message is its own, how it is decoded, its programs, its tests. Whatever is wrong
//! is said with the line it stands on.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use domain::{DeviceClass, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Spanned;

use super::decode::Decode;
use super::pattern::Pattern;

/// Longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 << 10;
/// Most patterns, groups of names, lists, texts of a list, tests.
const PATTERNS_MAX: usize = 32;
const NAMES_MAX: usize = 64;
const LISTS_MAX: usize = 16;
const LIST_TEXTS_MAX: usize = 1000;
const TESTS_MAX: usize = 200;
/// Fewest tests.
const TESTS_MIN: usize = 2;
/// Longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 << 10;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A file that is in order; its programs have not been compiled yet.
#[derive(Debug)]
pub struct File {
    /// The format's name: that of the file.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// Topics of its own.
    pub mqtt: Vec<Pattern>,
    /// Paths of its own.
    pub http: Vec<Pattern>,
    /// Every message of a bridge that names this format alone.
    pub named: bool,
    /// What the payload looks like, where neither topic nor path say whose it is.
    pub shapes: Vec<Shape>,
    /// From bytes to a value.
    pub decode: Decode,
    /// What a device is that the registry does not know.
    pub class: DeviceClass,
    /// Whether its messages may tell of an alarm.
    pub lane: Lane,
    /// Whose clock counts.
    pub clock: Clock,
    /// Which member of an event tells whether it is news, by kind.
    pub edge: BTreeMap<Kind, String>,
    /// By what a fact is known again.
    pub dedupe: Dedupe,
    /// Lists of texts for its programs.
    pub lists: Value,
    /// From the value to events.
    pub program: Code,
    /// What a web hook hears.
    pub reply: Option<Reply>,
    /// What it has to do before it is used.
    pub tests: Vec<Test>,
}

/// A program, and where it stands.
#[derive(Debug)]
pub struct Code {
    /// The program.
    pub text: String,
    /// The line of its first character.
    pub line: usize,
}

/// The answer of the door.
#[derive(Debug)]
pub struct Reply {
    /// From the value to the answer.
    pub program: Code,
    /// What is answered when anything fails.
    pub otherwise: String,
    /// `application/json` or `text/plain`.
    pub is_json: bool,
}

/// Groups of names: each has a member at the top of the payload or in an object right below it.
#[derive(Debug)]
pub struct Shape(pub Vec<Vec<String>>);

/// One test.
#[derive(Debug)]
pub struct Test {
    /// The line of it.
    pub line: usize,
    /// What it says: as the samples of the built-in formats.
    pub said: Value,
}

/// Before or behind other messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// They may tell of an alarm.
    Alarm,
    /// They surely do not.
    Telemetry,
}

/// Whose clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The device's, as far as it can be believed.
    Device,
    /// The hub's: the device's time is not looked at.
    Hub,
}

/// By what a fact is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dedupe {
    /// By the sender's id where there is one, else by its time and its fields.
    Auto,
    /// By the sender's id, without which a message is rejected.
    Id,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    about: Spanned<String>,
    #[serde(rename = "match")]
    of: Spanned<WrittenMatch>,
    decode: Decode,
    class: DeviceClass,
    #[serde(default = "alarm")]
    lane: Lane,
    #[serde(default = "device")]
    clock: Clock,
    #[serde(default)]
    edge: BTreeMap<Spanned<String>, String>,
    #[serde(default = "auto")]
    dedupe: Dedupe,
    #[serde(default)]
    lists: BTreeMap<String, Spanned<Vec<String>>>,
    program: Spanned<String>,
    reply: Option<WrittenReply>,
    #[serde(default)]
    test: Vec<Spanned<toml::Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMatch {
    #[serde(default)]
    mqtt: Vec<Spanned<String>>,
    #[serde(default)]
    http: Vec<Spanned<String>>,
    #[serde(default)]
    named: bool,
    #[serde(default)]
    shape: Vec<Spanned<WrittenShape>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenShape {
    members: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReply {
    program: Spanned<String>,
    otherwise: Spanned<String>,
    #[serde(default = "json")]
    content: Content,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Json,
    Text,
}

fn json() -> Content {
    Content::Json
}

fn alarm() -> Lane {
    Lane::Alarm
}

fn device() -> Clock {
    Clock::Device
}

fn auto() -> Dedupe {
    Dedupe::Auto
}

/// A file while it is read.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self
            .text
            .as_bytes()
            .get(..at.min(self.text.len()))
            .unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }

    fn mistake(&self, at: usize, what: impl Into<String>) -> Mistake {
        let (file, what) = (self.path.to_owned(), what.into());
        Mistake {
            file,
            line: self.line(at),
            what,
        }
    }

    fn code(&self, written: Spanned<String>) -> Code {
        // a text of several lines begins behind its quotes, and behind the line feed that follows them
        let Range { start, .. } = written.span();
        let opens = self.text.get(start..).unwrap_or_default();
        let quotes = opens
            .bytes()
            .take_while(|byte| matches!(byte, b'"' | b'\''))
            .count();
        let behind = opens.get(quotes..).unwrap_or_default();
        let first = quotes == 3 && behind.trim_start_matches('\r').starts_with('\n');
        Code {
            line: self.line(start) + usize::from(first),
            text: written.into_inner(),
        }
    }
}

impl File {
    /// Reads one. Its path names the format.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(path: &str, text: &str) -> Result<Self, Mistake> {
        let source = Source { path, text };
        let name = name_of(path).map_err(|what| source.mistake(0, what))?;
        if text.len() > FILE_BYTES_MAX {
            return Err(source.mistake(0, format!("longer than {FILE_BYTES_MAX} bytes")));
        }
        check_depth(&source)?;
        let written: Written = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            source.mistake(at, e.message().replace('\n', " "))
        })?;
        let of = written.of.get_ref();
        let (mqtt, http) = (patterns(&source, &of.mqtt)?, patterns(&source, &of.http)?);
        let shapes: Vec<Shape> = of
            .shape
            .iter()
            .map(|shape| self::shape(&source, shape, written.decode))
            .collect::<Result<_, _>>()?;
        if mqtt.is_empty() && http.is_empty() && shapes.is_empty() && !of.named {
            let what = "no message is its own (hint: `mqtt`, `http`, `shape` or `named = true` in [match])";
            return Err(source.mistake(written.of.span().start, what));
        }
        if written.about.get_ref().trim().is_empty() {
            return Err(source.mistake(
                written.about.span().start,
                "`about` is empty (hint: what sends this, in a sentence)",
            ));
        }
        Ok(Self {
            edge: edges(&source, &written.edge)?,
            lists: lists(&source, &written.lists)?,
            reply: written
                .reply
                .map(|reply| self::reply(&source, reply))
                .transpose()?,
            tests: tests(&source, written.test)?,
            program: source.code(written.program),
            about: written.about.into_inner(),
            name,
            mqtt,
            http,
            named: of.named,
            shapes,
            decode: written.decode,
            class: written.class,
            lane: written.lane,
            clock: written.clock,
            dedupe: written.dedupe,
        })
    }
}

/// The name of the format that a file declares: `acme-gate` for `adapters/acme-gate.toml`.
///
/// # Errors
/// It is no name.
pub fn name_of(path: &str) -> Result<String, String> {
    let file = path.rsplit('/').next().unwrap_or_default();
    let name = file.strip_suffix(".toml").unwrap_or(file);
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (2..=32).contains(&name.len()) && name.bytes().all(is_word) {
        return Ok(name.to_owned());
    }
    let hint =
        "the file names the format: lower case letters, digits and `-`, as in acme-gate.toml";
    Err(format!(
        "`{}` is no name (hint: {hint})",
        super::super::text::clip(file, 60)
    ))
}

/// Brackets that nest too deep, before anybody follows them down.
fn check_depth(source: &Source<'_>) -> Result<(), Mistake> {
    let mut depth = 0usize;
    for (at, byte) in source.text.bytes().enumerate() {
        match byte {
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 100 {
            return Err(source.mistake(
                at,
                "brackets are nested deeper than 100 (hint: is one left open?)",
            ));
        }
    }
    Ok(())
}

fn patterns(source: &Source<'_>, written: &[Spanned<String>]) -> Result<Vec<Pattern>, Mistake> {
    if let Some(one) = written.get(PATTERNS_MAX) {
        return Err(source.mistake(
            one.span().start,
            format!("more than {PATTERNS_MAX} patterns"),
        ));
    }
    let parse = |one: &Spanned<String>| {
        let text = one.get_ref();
        Pattern::parse(text)
            .map_err(|what| source.mistake(one.span().start, format!("`{text}`: {what}")))
    };
    written.iter().map(parse).collect()
}

fn shape(
    source: &Source<'_>,
    written: &Spanned<WrittenShape>,
    decode: Decode,
) -> Result<Shape, Mistake> {
    let at = written.span().start;
    if !decode.has_members() {
        let what = "`shape` knows JSON by its members (hint: decode = \"json\", or `mqtt`, `http`)";
        return Err(source.mistake(at, what));
    }
    let groups = &written.get_ref().members;
    let is_short = groups.len() < 2 || groups.iter().any(Vec::is_empty);
    if is_short || groups.iter().map(Vec::len).sum::<usize>() > NAMES_MAX {
        let what = format!(
            "a shape has two groups of names or more, at most {NAMES_MAX} names (hint: members = [[\"parkid\", \"parkcode\"], [\"plate\"]]; one name alone is in too many messages)"
        );
        return Err(source.mistake(at, what));
    }
    let plain = |name: &String| name.to_lowercase().replace(['_', ' '], "");
    Ok(Shape(
        groups
            .iter()
            .map(|names| names.iter().map(plain).collect())
            .collect(),
    ))
}

fn edges(
    source: &Source<'_>,
    written: &BTreeMap<Spanned<String>, String>,
) -> Result<BTreeMap<Kind, String>, Mistake> {
    let mut edges = BTreeMap::new();
    for (kind, member) in written {
        let known: Kind = kind.get_ref().parse().map_err(|_| {
            let what = format!(
                "no kind `{}` (hint: docs/adding-a-rule.md lists them)",
                kind.get_ref()
            );
            source.mistake(kind.span().start, what)
        })?;
        edges.insert(known, member.clone());
    }
    Ok(edges)
}

fn lists(
    source: &Source<'_>,
    written: &BTreeMap<String, Spanned<Vec<String>>>,
) -> Result<Value, Mistake> {
    for (name, list) in written {
        if written.len() > LISTS_MAX || list.get_ref().len() > LIST_TEXTS_MAX {
            let what =
                format!("`lists.{name}`: at most {LISTS_MAX} lists of {LIST_TEXTS_MAX} texts");
            return Err(source.mistake(list.span().start, what));
        }
    }
    Ok(written
        .iter()
        .map(|(name, list)| (name.clone(), Value::from(list.get_ref().clone())))
        .collect())
}

fn reply(source: &Source<'_>, written: WrittenReply) -> Result<Reply, Mistake> {
    let (at, otherwise) = (
        written.otherwise.span().start,
        written.otherwise.into_inner(),
    );
    let is_json = written.content == Content::Json;
    if otherwise.len() > ANSWER_BYTES_MAX {
        return Err(source.mistake(at, format!("longer than {ANSWER_BYTES_MAX} bytes")));
    }
    if is_json && serde_json::from_str::<Value>(&otherwise).is_err() {
        return Err(source.mistake(at, "`otherwise` is no JSON (hint: `content = \"text\"`)"));
    }
    let program = source.code(written.program);
    Ok(Reply {
        program,
        otherwise,
        is_json,
    })
}

fn tests(source: &Source<'_>, written: Vec<Spanned<toml::Table>>) -> Result<Vec<Test>, Mistake> {
    if written.len() < TESTS_MIN {
        let what = format!(
            "{} tests, and it takes {TESTS_MIN} (hint: a [[test]] for each sort of message, and one for a broken one)",
            written.len()
        );
        return Err(source.mistake(source.text.len(), what));
    }
    if let Some(one) = written.get(TESTS_MAX) {
        return Err(source.mistake(one.span().start, format!("more than {TESTS_MAX} tests")));
    }
    let read = |one: Spanned<toml::Table>| {
        let at = one.span().start;
        let said = serde_json::to_value(one.into_inner());
        let said = said.map_err(|e| source.mistake(at, e.to_string()))?;
        Ok(Test {
            line: source.line(at),
            said,
        })
    };
    written.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const GOOD: &str = r#"about = "Gates of Acme."
decode = "json"
class = "barrier"
program = '''
  {kind: "barrier.state", phase: "updated", attrs: {state: .s}}
'''
[match]
mqtt = ["acme/+gate/state"]
[edge]
"barrier.state" = "state"
[[test]]
about = "open"
mqtt = "acme/7/state"
payload = { s = "open" }
expect = [{ kind = "barrier.state" }]
[[test]]
about = "broken"
mqtt = "acme/7/state"
text = "{"
reject = "bad_json"
"#;

    #[test]
    fn a_good_file_is_read() {
        let file = File::parse("x/acme-gate.toml", GOOD).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((file.name.as_str(), file.program.line), ("acme-gate", 5));
        assert_eq!(
            file.edge.get(&Kind::BarrierState).map(String::as_str),
            Some("state")
        );
        let lines: Vec<usize> = file.tests.iter().map(|test| test.line).collect();
        assert_eq!(lines, [11, 16]);
    }

    #[test]
    fn mistakes_say_line_and_way_out() {
        let check = |from: &str, to: &str, line: usize, part: &str| {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            let mistake = File::parse("acme-gate.toml", &text).err();
            let mistake = mistake.unwrap_or_else(|| panic!("`{to}` is taken"));
            assert_eq!(mistake.line, line, "{mistake}");
            let said = mistake.to_string();
            assert!(
                said.starts_with("acme-gate.toml:") && said.contains(part),
                "{said}"
            );
        };
        check(
            "decode = \"json\"",
            "decode = \"jsn\"",
            2,
            "unknown variant",
        );
        check("class =", "clas =", 3, "unknown field");
        check(
            "acme/+gate/state\"]",
            "#\"]",
            8,
            "it would take every message",
        );
        check(
            "mqtt = [\"acme/+gate/state\"]",
            "",
            7,
            "no message is its own",
        );
        check("\"barrier.state\" =", "\"barrier.stat\" =", 10, "no kind");
        check("[[test]]\nabout = \"broken\"", "[x]", 16, "unknown field");
        check(
            "[edge]",
            "[reply]\nprogram = \".\"\notherwise = \"no\"\n[edge]",
            11,
            "no JSON",
        );
        check(
            "\"acme/+gate/state\"]",
            "\"a/b\"]\n[[match.shape]]\nmembers = [[\"plate\"]]",
            9,
            "two groups",
        );
        check(
            "about = \"Gates of Acme.\"",
            "about = \" \"",
            1,
            "`about` is empty",
        );
        check(
            "s = \"open\"",
            &format!("s = {}", "[".repeat(200)),
            14,
            "nested",
        );
        // however deep a file leads, it is told
        let (dots, brackets) = ("a.".repeat(9000), "[".repeat(9000));
        for deep in [
            format!("{dots}a = 1"),
            format!("a = {brackets}"),
            format!("[{dots}a]"),
        ] {
            assert!(File::parse("a-b.toml", &format!("{GOOD}{deep}")).is_err());
        }
        let one = GOOD
            .split("[[test]]\nabout = \"broken\"")
            .next()
            .unwrap_or_default();
        assert!(File::parse("a-b.toml", one).is_err_and(|e| e.what.contains("1 tests")));
        assert!(File::parse("Acme.toml", GOOD).is_err_and(|e| e.what.contains("is no name")));
    }
}
