//! A jq program (by `jaq`), compiled, and run within limits on what it gives. How long it may take and how much memory it may hold, it cannot be
//! told: that is why it runs in a process of its own ([`worker`](super::worker)).

use jaq_core::load::{Arena, File, Loader, lex, parse, span};
use jaq_core::{Compiler, Ctx, Native, Vars, compile, load};
use serde_json::Value;

use super::super::Reject;
use super::natives::{self, Data};
use super::value::{self, Room};

/// Most values that a program gives for one message.
pub const OUTPUTS_MAX: usize = 64;
/// Most bytes of all of them together.
pub const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// Longest program, in bytes.
pub const PROGRAM_BYTES_MAX: usize = 32 << 10;

/// What every program finds beside its input.
const VARIABLES: [&str; 4] = ["$message", "$name", "$list", "$events"];

/// One program.
pub struct Program(compile::Filter<Native<Data>>);

/// What a program is told besides its input.
#[derive(Debug, Default)]
pub struct Given {
    /// Which way the message came.
    pub message: Value,
    /// What named levels of its topic or path held.
    pub name: Value,
    /// The file's own lists.
    pub list: Value,
    /// What the message told, for a reply.
    pub events: Value,
}

/// Where a program is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The byte of it.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl Program {
    /// Compiles one.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn compile(code: &str) -> Result<Self, Mistake> {
        if code.len() > PROGRAM_BYTES_MAX {
            let what = format!("the program is longer than {PROGRAM_BYTES_MAX} bytes");
            return Err(Mistake { at: 0, what });
        }
        let arena = Arena::default();
        let own = load::parse(natives::DEFS, |parser| parser.defs()).unwrap_or_default();
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .chain(own);
        let loader = Loader::new(defs);
        let file = File { code, path: () };
        let modules = loader.load(&arena, file).map_err(|errors| {
            let first = errors
                .into_iter()
                .next()
                .map(|(_, error)| parse_mistake(code, error));
            first.unwrap_or_else(|| mistake(code, code, "cannot be read".to_owned()))
        })?;
        let compiler = Compiler::default()
            .with_funs(natives::funs())
            .with_global_vars(VARIABLES);
        let filter = compiler.compile(modules).map_err(|errors| {
            let first = errors
                .into_iter()
                .find_map(|(_, errors)| errors.into_iter().next());
            let (part, undefined) = first.unwrap_or((code, compile::Undefined::Mod));
            mistake(
                code,
                part,
                format!("there is no {} `{part}`", undefined.as_str()),
            )
        })?;
        Ok(Self(filter))
    }

    /// What it gives for an input.
    ///
    /// # Errors
    /// What the program rejects (`bad_shape`), `program_failed`, `too_many`.
    pub fn run(&self, input: &Value, given: &Given) -> Result<Vec<Value>, Reject> {
        let variables = [&given.message, &given.name, &given.list, &given.events];
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new(variables.map(value::to)));
        let mut room = Room(OUTPUT_BYTES_MAX);
        let mut outputs = Vec::new();
        for output in self.0.id.run((context, value::to(input))) {
            let output = match output.map_err(|stop| stop.get_err().ok()) {
                Ok(output) => output,
                Err(Some(error)) => return Err(rejected(&error.into_val())),
                Err(None) => return Err(failed("it left off by itself")),
            };
            if outputs.len() == OUTPUTS_MAX {
                let detail = format!("the program gives more than {OUTPUTS_MAX} events");
                return Err(Reject::new("too_many", detail));
            }
            outputs.push(value::from(&output, &mut room).map_err(failed)?);
        }
        Ok(outputs)
    }
}

fn failed(why: &str) -> Reject {
    Reject::new("program_failed", format!("the program's output: {why}"))
}

/// `reject("why")` of the program, or an error.
fn rejected(error: &jaq_json::Val) -> Reject {
    let clip = |text: &str| super::super::text::clip(text, 300);
    match value::from(error, &mut Room(4 << 10)) {
        Ok(Value::Object(map)) if map.get("reject").is_some_and(Value::is_string) => Reject::new(
            "bad_shape",
            clip(map["reject"].as_str().unwrap_or_default()),
        ),
        Ok(Value::String(text)) => Reject::new("program_failed", clip(&text)),
        Ok(other) => Reject::new("program_failed", clip(&other.to_string())),
        Err(why) => Reject::new("program_failed", format!("an error with {why}")),
    }
}

fn mistake(code: &str, part: &str, what: String) -> Mistake {
    // what is missing at the end has no place in it
    let begins = code.as_ptr() as usize;
    let is_inside = (begins..=begins + code.len()).contains(&(part.as_ptr() as usize));
    let at = if is_inside {
        span(code, part).start
    } else {
        code.len()
    };
    Mistake { at, what }
}

fn parse_mistake(code: &str, error: load::Error<&str>) -> Mistake {
    let rest = |part: &str| match part.split_whitespace().next() {
        Some(word) => format!("`{}`", super::super::text::clip(word, 40)),
        None => "the end".to_owned(),
    };
    let (part, what) = match error {
        load::Error::Io(errors) => errors
            .into_iter()
            .next()
            .map_or((code, String::new()), |(part, _)| {
                (part, "modules cannot be included".to_owned())
            }),
        load::Error::Lex(errors) => match errors.into_iter().next() {
            Some((expect, part)) => (
                part,
                format!("wants a {}, and there is {}", lexed(&expect), rest(part)),
            ),
            None => (code, String::new()),
        },
        load::Error::Parse(errors) => match errors.into_iter().next() {
            Some((expect, part)) => (
                part,
                format!("wants {}, and there is {}", parsed(&expect), rest(part)),
            ),
            None => (code, String::new()),
        },
    };
    mistake(code, part, what)
}

fn lexed(expect: &lex::Expect<&str>) -> &'static str {
    match expect {
        lex::Expect::Delim(_) => "closing bracket or quote",
        other => other.as_str(),
    }
}

fn parsed(expect: &parse::Expect<&str>) -> String {
    expect.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(code: &str, input: &Value) -> Result<Vec<Value>, Reject> {
        let program = Program::compile(code).unwrap_or_else(|e| panic!("{code}: {e:?}"));
        let given = Given {
            message: json!({"topic": "t"}),
            ..Given::default()
        };
        program.run(input, &given)
    }

    #[test]
    fn programs_know_the_words_of_devices() {
        let check = |code: &str, input: Value, want: Value| {
            assert_eq!(run(code, &input), Ok(vec![want]), "{code}");
        };
        check(".a | as_integer", json!({"a": "7"}), json!(7));
        check("as_boolean", json!("ON"), json!(true));
        check("somebody", json!("0000"), Value::Null);
        check("bit(.; 3), bit(.; 0) | select(.)", json!(8), json!(true));
        check("bits(.; 4; 4)", json!(0xa7), json!(0xa));
        check("uint(1; 2)", json!([9, 1, 2]), json!(258));
        check("uint_le(1; 2)", json!([9, 1, 2]), json!(513));
        check("b64d_lenient", json!("6LWjR1o3UzEz"), json!("赣GZ7S13"));
        check("b64_bytes", json!("YQ"), json!([97]));
        check("hex_bytes | gb18030", json!("d5e3"), json!("浙"));
        check(
            "parse_time",
            json!("2023-09-08T15:11:07+08:00"),
            json!(1_694_157_067_000_i64),
        );
        check(
            "parse_time",
            json!(1_694_157_067),
            json!(1_694_157_067_000_i64),
        );
        check(
            "spelled([\"plateno\", \"plate\"])",
            json!({"plate_No": "", "Plate": "x"}),
            json!("x"),
        );
        check(".a | IN(1, 2)", json!({"a": 2}), json!(true));
        check(
            "condition(.a)",
            json!({"a": false}),
            json!({"phase": "cleared"}),
        );
        check(
            "unread(\"no code\")",
            json!(1),
            json!({"unread": "no code"}),
        );
        check("$message.topic", Value::Null, json!("t"));
        check(
            "[.a[] | select(test(\"^x\"))]",
            json!({"a": ["x1", "y"]}),
            json!(["x1"]),
        );
        check("fromjson.a", json!("{\"a\":1.0}"), json!(1));
        check("\"7.0\" | tonumber", Value::Null, json!(7));
    }

    #[test]
    fn what_a_program_gives_is_bounded() {
        let code = |code: &str, input: Value| run(code, &input).map_err(|reject| reject.code);
        assert_eq!(code("range(64)", Value::Null).map(|all| all.len()), Ok(64));
        assert_eq!(code("repeat(1)", Value::Null), Err("too_many"));
        assert_eq!(code("[range(70000)]", Value::Null), Err("program_failed"));
        assert_eq!(code("reject(\"no gate\")", Value::Null), Err("bad_shape"));
        assert_eq!(code(".a.b", json!({"a": 1})), Err("program_failed"));
        assert_eq!(code("halt", Value::Null), Err("program_failed"));
        assert_eq!(
            code("fromjson", json!("[".repeat(100))),
            Err("program_failed")
        );
        for nothing in [
            "now",
            "env",
            "$ENV",
            "debug",
            "input",
            "localtime",
            "include \"x\"; .",
        ] {
            let ran = Program::compile(nothing)
                .map_err(|e| e.what)
                .and_then(|program| {
                    program
                        .run(&json!(1), &Given::default())
                        .map_err(|reject| reject.detail)
                });
            assert!(ran.is_err(), "{nothing}: {ran:?}");
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        let at = |code: &str| {
            let mistake = Program::compile(code)
                .err()
                .unwrap_or_else(|| panic!("{code}"));
            (mistake.at, mistake.what)
        };
        let no = |what: &str| format!("there is no {what}");
        assert_eq!(at(".a | plato"), (5, no("filter `plato`")));
        assert_eq!(at(".a | $x"), (5, no("variable `$x`")));
        assert_eq!(
            at("{a: (1"),
            (
                6,
                "wants a closing bracket or quote, and there is the end".to_owned()
            )
        );
        assert_eq!(at(".a |").0, 4);
        assert!(at(&" ".repeat(PROGRAM_BYTES_MAX + 1)).1.contains("longer"));
    }
}
