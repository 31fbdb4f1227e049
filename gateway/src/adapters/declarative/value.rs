//! Values on their way into a program and out of it.

use jaq_json::{Num, Val};
use serde_json::{Map, Number, Value};

/// Deepest nesting of a value that a program gives.
const DEPTH_MAX: usize = 40;

/// A value for a program.
pub(super) fn to(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(is) => Val::Bool(*is),
        Value::Number(number) => number
            .as_i64()
            .and_then(|whole| isize::try_from(whole).ok())
            .map_or_else(
                || Val::Num(Num::from_dec_str(&number.to_string())),
                Val::from,
            ),
        Value::String(text) => text.clone().into(),
        Value::Array(list) => list.iter().map(to).collect(),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| (Val::from(key.clone()), to(value)));
            Val::obj(pairs.collect())
        }
    }
}

/// What is left of the bytes that a program may give.
pub(super) struct Room(pub usize);

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.0 = self.0.checked_sub(bytes).ok_or("too much of it")?;
        Ok(())
    }
}

/// A value of a program, as far as there is room for it.
///
/// # Errors
/// Why it cannot be taken.
pub(super) fn from(value: &Val, room: &mut Room) -> Result<Value, &'static str> {
    from_depth(value, room, 0)
}

fn from_depth(value: &Val, room: &mut Room, depth: usize) -> Result<Value, &'static str> {
    if depth > DEPTH_MAX {
        return Err("nested too deep");
    }
    room.take(8)?;
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(is) => (*is).into(),
        Val::Num(number) => self::number(number)?,
        Val::TStr(bytes) | Val::BStr(bytes) => {
            room.take(bytes.len())?;
            String::from_utf8_lossy(bytes).into()
        }
        Val::Arr(list) => {
            let list = list.iter().map(|value| from_depth(value, room, depth + 1));
            Value::Array(list.collect::<Result<_, _>>()?)
        }
        Val::Obj(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs.iter() {
                let (Val::TStr(key) | Val::BStr(key)) = key else {
                    return Err("a member whose name is no text");
                };
                room.take(key.len())?;
                let key = String::from_utf8_lossy(key).into_owned();
                map.insert(key, from_depth(value, room, depth + 1)?);
            }
            Value::Object(map)
        }
    })
}

/// A whole number is one, however it came about.
fn number(number: &Num) -> Result<Value, &'static str> {
    if let Some(whole) = number.as_isize() {
        return Ok((whole as i64).into());
    }
    let float: f64 = match number {
        Num::Float(float) => *float,
        Num::Dec(text) => text.parse().map_err(|_| "a number that is none")?,
        _ => return Err("a number too big"),
    };
    if float.fract() == 0.0 && float.abs() < 9e15 {
        return Ok((float as i64).into());
    }
    Number::from_f64(float)
        .map(Value::Number)
        .ok_or("a number that is none")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        let value = json!({"a": [1, -2.5, "门", null, true], "b": {"c": 1_795_521_595_000_i64}});
        assert_eq!(from(&to(&value), &mut Room(1 << 10)), Ok(value.clone()));
        assert_eq!(from(&to(&value), &mut Room(20)), Err("too much of it"));
        assert_eq!(from(&to(&json!(7.0)), &mut Room(99)), Ok(json!(7)));
        let nan = Val::from(f64::NAN);
        assert_eq!(from(&nan, &mut Room(99)), Err("a number that is none"));
        let deep = (0..50).fold(Val::Null, |inner, _| [inner].into_iter().collect());
        assert_eq!(from(&deep, &mut Room(9999)), Err("nested too deep"));
    }
}
