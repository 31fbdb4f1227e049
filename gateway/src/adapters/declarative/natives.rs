//! What programs find beside jq's own filters: the words of devices, bits and bytes, times. What jq has and nobody may use here (the
//! environment, the clock, the log) says so.

use std::cell::RefCell;

use encoding_rs::GB18030;
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Bind, Cv, Native, RunPtr, ValXs, data};
use jaq_json::{Error, Val};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::clock::DeviceTime;
use super::super::{plate, text};
use super::value::{self, Room};

/// What programs run on.
pub(super) type Data = data::JustLut<Val>;

/// Most bytes that one value of a native filter has.
const ROOM_BYTES: usize = 2 << 20;
/// Members of an object that `spelled` looks at.
const MEMBERS_MAX: usize = 200;

/// Filters that are written in jq itself.
pub(super) const DEFS: &str = r#"
def IN(s): any(s == .; .);
def reject($why): error({reject: $why});
def unread($why): {unread: $why};
def condition($is): if $is == null then empty elif $is then {phase: "raised"} else {phase: "cleared"} end;
"#;

thread_local! {
    /// The wall clock of the sender's devices, while a program runs.
    static ZONE: RefCell<TimeZone> = const { RefCell::new(TimeZone::UTC) };
}

/// Says whose wall clock `parse_time` goes by from now on.
pub(super) fn set_zone(zone: &TimeZone) {
    ZONE.with(|slot| slot.replace(zone.clone()));
}

/// Filters of their input alone.
fn of_input() -> [(&'static str, RunPtr<Data>); 15] {
    [
        // numbers, truths and texts in the words of devices; null where it is none
        ("as_number", |cv| {
            one(cv, |value| text::number(value).into())
        }),
        ("as_integer", |cv| {
            one(cv, |value| text::integer(value).into())
        }),
        ("as_boolean", |cv| {
            one(cv, |value| text::boolean(value).into())
        }),
        ("as_word", |cv| one(cv, |value| text::word(value).into())),
        // null for the sentinels that stand for nobody
        ("somebody", |cv| {
            one(cv, |value| {
                let word = text::word(value);
                word.as_deref().and_then(text::somebody).into()
            })
        }),
        ("plate", |cv| {
            one(cv, |value| plate::normalise(word(value)).into())
        }),
        ("has_no_plate", |cv| {
            one(cv, |value| plate::is_none(word(value)).into())
        }),
        // base64 with and without padding, as text and as a list of bytes; null where it is none
        ("b64d_lenient", |cv| {
            one(cv, |value| {
                let bytes = text::base64(word(value));
                bytes
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .into()
            })
        }),
        ("b64_bytes", |cv| {
            one(cv, |value| text::base64(word(value)).into())
        }),
        ("hex_bytes", |cv| {
            one(cv, |value| {
                let digits: String = word(value).split_whitespace().collect();
                hex::decode(digits).ok().into()
            })
        }),
        // a list of bytes as text
        ("gb18030", |cv| {
            one(cv, |value| GB18030.decode(&bytes(value)).0.into())
        }),
        ("utf8", |cv| {
            one(cv, |value| String::from_utf8_lossy(&bytes(value)).into())
        }),
        // milliseconds since 1970, or null
        ("parse_time", |cv| {
            one(cv, |value| {
                let told = ZONE.with_borrow(|zone| DeviceTime::any(value, zone));
                told.map(|told| told.at.as_millisecond()).into()
            })
        }),
        // within the limits of messages
        ("fromjson", |cv| {
            let given = value::from(&cv.1, &mut Room(ROOM_BYTES)).map_err(Error::str);
            let read = given.and_then(|given| {
                text::json(word(&given).as_bytes()).map_err(|e| Error::str(e.detail))
            });
            bome(read.map(|read| value::to(&read)))
        }),
        ("now", |_| {
            bome(Err(Error::str(
                "a program knows no clock (hint: $message.received_at)",
            )))
        }),
    ]
}

/// Filters with arguments, and how many.
fn with_arguments() -> [(&'static str, usize, RunPtr<Data>); 5] {
    [
        // whether bit i of a number is set
        ("bit", 2, |cv| {
            many(cv, 2, |_, of| {
                let (number, bit) = (text::integer(&of[0]), text::integer(&of[1]));
                let known = number.zip(bit).filter(|(_, bit)| (0..63).contains(bit));
                known.map(|(number, bit)| number >> bit & 1 == 1).into()
            })
        }),
        // so many bits of a number from bit i on
        ("bits", 3, |cv| {
            many(cv, 3, |_, of| {
                let of: Vec<i64> = of.iter().filter_map(text::integer).collect();
                match of.as_slice() {
                    [number, from @ 0..=62, count @ 1..=32] => {
                        (number >> from & ((1 << count) - 1)).into()
                    }
                    _ => Value::Null,
                }
            })
        }),
        // the unsigned number in so many bytes of a list from one on, high byte first; low byte first
        ("uint", 2, |cv| {
            many(cv, 2, |list, of| {
                unsigned(&bytes(list), of, Order::HighFirst)
            })
        }),
        ("uint_le", 2, |cv| {
            many(cv, 2, |list, of| {
                unsigned(&bytes(list), of, Order::LowFirst)
            })
        }),
        ("spelled", 1, spelled),
    ]
}

/// What jq has and a program may not: its output is a function of the message.
const FORBIDDEN: &[(&str, usize)] = &[
    ("env", 0),
    ("halt", 1),
    ("debug_empty", 0),
    ("stderr_empty", 0),
    ("localtime", 0),
    ("strflocaltime", 1),
];

/// All of them, and those of jq that they do not replace.
pub(super) fn funs() -> impl Iterator<Item = Fun<Data>> {
    let of_input = of_input()
        .into_iter()
        .map(|(name, filter)| run::<Data>((name, v(0), filter)));
    let with = with_arguments()
        .into_iter()
        .map(|(name, count, filter)| run::<Data>((name, v(count), filter)));
    let refused: RunPtr<Data> =
        |_| bome(Err(Error::str("a program knows no environment and no log")));
    let forbidden = FORBIDDEN
        .iter()
        .map(move |(name, count)| run::<Data>((*name, v(*count), refused)));
    let own: Vec<Fun<Data>> = of_input.chain(with).chain(forbidden).collect();
    let names: Vec<(&str, usize)> = own.iter().map(arity).collect();
    let jq = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    jq.filter(move |fun| !names.contains(&arity(fun)))
        .chain(own)
}

fn arity(fun: &(&'static str, Box<[Bind]>, Native<Data>)) -> (&'static str, usize) {
    (fun.0, fun.1.len())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a filter is handed what it works on"
)]
fn one(cv: Cv<'_, Data>, make: fn(&Value) -> Value) -> ValXs<'_, Val> {
    let given = value::from(&cv.1, &mut Room(ROOM_BYTES));
    bome(
        given
            .map(|given| value::to(&make(&given)))
            .map_err(Error::str),
    )
}

fn many(mut cv: Cv<'_, Data>, count: usize, make: fn(&Value, &[Value]) -> Value) -> ValXs<'_, Val> {
    let mut room = Room(ROOM_BYTES);
    // the last one comes first
    let mut of: Vec<_> = (0..count)
        .map(|_| value::from(&cv.0.pop_var(), &mut room))
        .collect();
    of.reverse();
    let of: Result<Vec<Value>, _> = of.into_iter().collect();
    let made = of.and_then(|of| Ok(make(&value::from(&cv.1, &mut room)?, &of)));
    bome(made.map(|made| value::to(&made)).map_err(Error::str))
}

/// The member of an object by any of its spellings, whatever their case and underscores; null and empty text are none.
fn spelled(mut cv: Cv<'_, Data>) -> ValXs<'_, Val> {
    let names = value::from(&cv.0.pop_var(), &mut Room(ROOM_BYTES));
    let Ok(Value::Array(names)) = names else {
        return bome(Err(Error::str("`spelled` wants a list of names")));
    };
    let Val::Obj(object) = &cv.1 else {
        return bome(Ok(Val::Null));
    };
    let told = |value: &&Val| {
        !matches!(value, Val::Null) && !matches!(value, Val::TStr(text) if text.is_empty())
    };
    let member = |name: &str| {
        let mut members = object.iter().take(MEMBERS_MAX);
        let found = members.find(|(key, value)| {
            matches!(key, Val::TStr(key) if is_spelling(key, name)) && told(value)
        });
        found.map(|(_, value)| value.clone())
    };
    let mut names = names.iter().filter_map(Value::as_str);
    bome(Ok(names.find_map(member).unwrap_or_default()))
}

/// Whether a name is another but for case, underscores and spaces. `name` is in lower case.
pub(super) fn is_spelling(key: &[u8], name: &str) -> bool {
    let mut plain = key
        .iter()
        .filter(|byte| !matches!(byte, b'_' | b' '))
        .map(u8::to_ascii_lowercase);
    name.bytes().all(|byte| plain.next() == Some(byte)) && plain.next().is_none()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list of numbers from 0 to 255; others are left out.
fn bytes(value: &Value) -> Vec<u8> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|number| u8::try_from(number.as_u64()?).ok())
        .collect()
}

#[derive(Clone, Copy)]
enum Order {
    HighFirst,
    LowFirst,
}

/// Null where there are not so many bytes; at most six, which a number holds whole.
fn unsigned(bytes: &[u8], of: &[Value], order: Order) -> Value {
    let place = of[0].as_u64().zip(of[1].as_u64());
    let Some((from, count @ 1..=6)) = place else {
        return Value::Null;
    };
    let Some(taken) = bytes
        .get(from as usize..)
        .and_then(|bytes| bytes.get(..count as usize))
    else {
        return Value::Null;
    };
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    match order {
        Order::HighFirst => taken.iter().fold(0, add).into(),
        Order::LowFirst => taken.iter().rev().fold(0, add).into(),
    }
}
