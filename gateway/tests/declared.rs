//! Programs of declared adapters in processes of their own: what does not end, wants too much or falls down its stack is killed, and nobody waits.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use domain::Timestamp;
use gateway::adapters::Format as _;
use gateway::adapters::declarative::{Declared, Place};
use gateway::adapters::format::Nothing;
use gateway::adapters::message::{Door, Message};
use jiff::tz::TimeZone;

/// An adapter whose program does this where the message says so.
fn declared(misdeed: &str) -> Declared {
    let text = format!(
        r#"about = "Gates."
decode = "json"
class = "barrier"
program = '''
if .bad then ({misdeed}) else {{kind: "barrier.state", phase: "updated", address: $name.gate, at: .at, attrs: {{state: .s}}}} end
'''
match.mqtt = ["acme/+gate"]
[[test]]
about = "open"
mqtt = "acme/7"
payload = {{ s = "open" }}
expect = [{{ kind = "barrier.state", attrs = {{ address = "7" }} }}]
[[test]]
about = "broken"
mqtt = "acme/7"
text = "{{"
reject = "bad_json"
"#
    );
    let place = Place::Apart(PathBuf::from(env!("CARGO_BIN_EXE_gateway")));
    Declared::proven("acme.toml", &text, &place).unwrap_or_else(|e| panic!("{e}"))
}

/// What comes of a message: kinds, or the code of its rejection.
fn told(declared: &Declared, payload: &str) -> Result<usize, &'static str> {
    let zone = TimeZone::get("Asia/Shanghai").expect("it is in the tables");
    let door = Door::Mqtt {
        topic: "acme/7",
        retain: false,
    };
    let message = Message::new(door, payload.as_bytes(), Timestamp::UNIX_EPOCH, &zone);
    let reading = declared.read(&message, &Nothing);
    reading
        .map(|reading| reading.drafts.len())
        .map_err(|reject| reject.code)
}

const GOOD: &str = r#"{"s":"open"}"#;
const BAD: &str = r#"{"bad":true}"#;

#[test]
fn a_program_without_an_end_is_killed_and_in_the_end_switched_off() {
    let adapter = declared("def f: f; f");
    for _ in 0..2 {
        let before = Instant::now();
        assert_eq!(told(&adapter, BAD), Err("too_slow"));
        assert!(
            before.elapsed() < Duration::from_secs(5),
            "{:?}",
            before.elapsed()
        );
        // the next message finds a new process
        assert_eq!(told(&adapter, GOOD), Ok(1));
    }
    assert!(!adapter.is_off());
    assert_eq!(told(&adapter, BAD), Err("too_slow"));
    assert!(adapter.is_off());
    let before = Instant::now();
    assert_eq!(told(&adapter, GOOD), Err("adapter_off"));
    assert!(
        before.elapsed() < Duration::from_millis(100),
        "nobody waits for it any more"
    );
}

#[test]
fn one_that_wants_all_memory_dies_of_it_alone() {
    let adapter = declared(r#"[limit(400; repeat("x" * 10000000))] | length"#);
    assert_eq!(told(&adapter, BAD), Err("program_died"));
    assert_eq!(told(&adapter, GOOD), Ok(1));
}

#[test]
fn one_that_nests_without_an_end_falls_alone() {
    let adapter = declared("def f: [f]; f");
    let code = told(&adapter, BAD).expect_err("it has no end");
    assert!(matches!(code, "program_died" | "too_slow"), "{code}");
    assert_eq!(told(&adapter, GOOD), Ok(1));
}

#[test]
fn one_that_gives_too_much_is_rejected_and_goes_on() {
    let adapter = declared("repeat({kind: \"barrier.fault\"})");
    assert_eq!(told(&adapter, BAD), Err("too_many"));
    assert_eq!(told(&adapter, GOOD), Ok(1));
    assert!(!adapter.is_off());
}

#[test]
fn mistakes_of_programs_come_back_with_their_line() {
    let text = "about = \"x\"\ndecode = \"json\"\nclass = \"barrier\"\nprogram = '''\n.a\n| plato\n'''\nmatch.mqtt = [\"a/b\"]\n\
        [[test]]\nmqtt = \"a/b\"\ntext = \"1\"\nexpect = []\n[[test]]\nmqtt = \"a/b\"\ntext = \"1\"\nexpect = []\n";
    let place = Place::Apart(PathBuf::from(env!("CARGO_BIN_EXE_gateway")));
    let said = Declared::read("acme.toml", text, &place)
        .err()
        .map(|e| e.to_string());
    assert_eq!(
        said.as_deref(),
        Some("acme.toml:6: the program: there is no filter `plato`")
    );
}

/// Printed, not asserted: a machine that is busy is no mistake.
#[test]
fn how_many_messages_it_reads() {
    let adapter = declared("empty");
    let before = Instant::now();
    let count = 2000;
    for _ in 0..count {
        assert_eq!(
            told(&adapter, r#"{"s":"open","at":"2026-11-24 12:00:00"}"#),
            Ok(1)
        );
    }
    let rate = f64::from(count) / before.elapsed().as_secs_f64();
    println!("{rate:.0} messages a second through a process");
}
