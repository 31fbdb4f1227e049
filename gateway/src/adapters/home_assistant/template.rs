//! `value_template`: Jinja as Home Assistant renders it, within limits. A template comes from whoever may announce an entity; it sees
//! nothing but the message.

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::value::Value as Jinja;
use minijinja::{Environment, Error, ErrorKind, State};

/// Longest template, in bytes.
pub(super) const TEMPLATE_BYTES_MAX: usize = 4 << 10;
/// Longest rendered text, in bytes.
const RENDERED_BYTES_MAX: usize = 4 << 10;
/// Instructions of one rendering.
const FUEL: u64 = 20_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.remove_filter("indent"); // makes as many spaces as it is asked for
    environment.set_unknown_method_callback(method);
    environment.add_filter("is_defined", is_defined);
    environment.add_filter("from_json", from_json);
    environment.add_filter("to_json", to_json);
    environment.add_filter("iif", iif);
    environment.add_function("iif", iif);
    environment.add_filter("int", int);
    environment.add_function("int", int);
    environment.add_filter("float", float);
    environment.add_function("float", float);
    environment.add_filter("bool", bool_of);
    environment.add_function("bool", bool_of);
    environment.add_filter("is_number", |value: Jinja| number(&value).is_some());
    environment.add_function("is_number", |value: Jinja| number(&value).is_some());
    environment.add_filter("bitwise_and", |a: i64, b: i64| a & b);
    environment.add_filter("bitwise_or", |a: i64, b: i64| a | b);
    environment
});

/// Renders a template over a payload. None where it fails, says nothing, or wants what we do not have (states of other entities).
pub(super) fn render(template: &str, payload: &str) -> Option<String> {
    let text = rendered(template, payload).ok()?;
    let text = text.trim();
    (!text.is_empty() && text != "None").then(|| text.to_owned())
}

/// Why a template can never be read: it is no Jinja, has no end, or wants what the hub does not have. Tried over a number and an empty object.
pub(super) fn unreadable(template: &str) -> Option<String> {
    let wants = |error: &Error| {
        matches!(
            error.kind(),
            ErrorKind::SyntaxError
                | ErrorKind::UnknownFilter
                | ErrorKind::UnknownFunction
                | ErrorKind::UnknownTest
                | ErrorKind::UnknownMethod
                | ErrorKind::OutOfFuel
                | ErrorKind::WriteFailure
        )
    };
    ["0", "{}"].iter().find_map(|payload| {
        let error = rendered(template, payload).err()?;
        wants(&error).then(|| error.to_string())
    })
}

fn rendered(template: &str, payload: &str) -> Result<String, Error> {
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(ErrorKind::SyntaxError.into());
    }
    let json = crate::adapters::text::json(payload.as_bytes()).ok();
    let context = minijinja::context! {
        value => payload,
        value_json => json.map_or(Jinja::UNDEFINED, Jinja::from_serialize),
    };
    let template = ENVIRONMENT.template_from_str(template)?;
    let mut out = Limited(Vec::new());
    template.render_captured_to(context, &mut out)?;
    String::from_utf8(out.0).map_err(|_| ErrorKind::WriteFailure.into())
}

/// A buffer that refuses to grow without end.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Home Assistant's `is_defined` gives up on what is not there.
fn is_defined(value: Jinja) -> Result<Jinja, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(value)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of filters")]
fn from_json(text: String) -> Result<Jinja, Error> {
    crate::adapters::text::json(text.as_bytes())
        .map(Jinja::from_serialize)
        .map_err(|reject| Error::new(ErrorKind::BadSerialization, reject.detail))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of filters")]
fn to_json(value: Jinja) -> Result<String, Error> {
    serde_json::to_string(&value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of filters")]
fn iif(value: Jinja, yes: Option<Jinja>, no: Option<Jinja>) -> Jinja {
    if value.is_true() {
        yes.unwrap_or_else(|| true.into())
    } else {
        no.unwrap_or_else(|| false.into())
    }
}

/// A number, or a text that is one.
fn number(value: &Jinja) -> Option<f64> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok()?,
        None if value.is_undefined() || value.is_none() => return None,
        None => f64::try_from(value.clone())
            .ok()
            .or_else(|| bool::try_from(value.clone()).ok().map(f64::from))?,
    };
    number.is_finite().then_some(number)
}

/// Home Assistant's numbers have a default for what is none.
fn or_default(number: Option<Jinja>, default: Option<Jinja>) -> Result<Jinja, Error> {
    number
        .or(default)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "no number and no default"))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of filters")]
fn int(value: Jinja, default: Option<Jinja>) -> Result<Jinja, Error> {
    let whole = number(&value).map(|number| Jinja::from(number.trunc() as i64));
    or_default(whole, default)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of filters")]
fn float(value: Jinja, default: Option<Jinja>) -> Result<Jinja, Error> {
    or_default(number(&value).map(Jinja::from), default)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of filters")]
fn bool_of(value: Jinja, default: Option<Jinja>) -> Result<Jinja, Error> {
    let word = value.as_str().map(|text| text.trim().to_lowercase());
    let truth = match word.as_deref() {
        Some("1" | "true" | "yes" | "on" | "enable") => Some(true),
        Some("0" | "false" | "no" | "off" | "disable") => Some(false),
        Some(_) => None,
        None => number(&value).map(|number| number != 0.0),
    };
    or_default(truth.map(Jinja::from), default)
}

/// The methods of Python's texts and dictionaries that templates in the wild call.
fn method(_: &State, value: &Jinja, name: &str, args: &[Jinja]) -> Result<Jinja, Error> {
    let text_of = |at: usize| args.get(at).and_then(Jinja::as_str);
    let unknown = || Error::from(ErrorKind::UnknownMethod);
    if let Some(text) = value.as_str() {
        return Ok(match (name, text_of(0), text_of(1)) {
            ("lower", ..) => text.to_lowercase().into(),
            ("upper", ..) => text.to_uppercase().into(),
            ("strip", ..) => text.trim().into(),
            ("startswith", Some(start), _) => text.starts_with(start).into(),
            ("endswith", Some(end), _) => text.ends_with(end).into(),
            ("split", Some(by), _) if !by.is_empty() => {
                text.split(by).take(1000).map(Jinja::from).collect()
            }
            ("split", None, _) => text
                .split_whitespace()
                .take(1000)
                .map(Jinja::from)
                .collect(),
            ("replace", Some(from), Some(to)) if to.len() <= from.len() => {
                text.replace(from, to).into()
            }
            _ => return Err(unknown()),
        });
    }
    match (name, args) {
        ("get", [key, rest @ ..]) => {
            let found = value.get_item(key)?;
            let or = rest.first().cloned().unwrap_or_else(|| ().into());
            Ok(if found.is_undefined() { or } else { found })
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_in_the_wild_are_rendered() {
        let check = |template: &str, payload: &str, want: Option<&str>| {
            assert_eq!(render(template, payload).as_deref(), want, "{template}");
        };
        check("{{ value_json.smoke }}", r#"{"smoke":true}"#, Some("True"));
        check("{{ value_json.smoke }}", r#"{"gas":true}"#, None);
        check("{{ value_json.smoke }}", "no JSON", None);
        check("{{ value }}", "Online", Some("Online"));
        check("{{value_json['a b'].x}}", r#"{"a b":{"x":1}}"#, Some("1"));
        check(
            "{{ 'ON' if value_json.value == 2 else 'OFF' }}",
            r#"{"value":2}"#,
            Some("ON"),
        );
        check("{{ value_json.n | is_defined }}", "{}", None);
        check("{{ value_json.get('n', 'x') }}", "{}", Some("x"));
        check("{{ value.split(',')[1] }}", "a,b", Some("b"));
        check("{{ iif(value == 'a', 'ON', 'OFF') }}", "a", Some("ON"));
        check("{{ value_json.n | int(0) }}", "{}", Some("0"));
        check("{{ value | int }}", "2.7", Some("2"));
        check(
            "{{ {'event_type': value} | to_json }}",
            "press",
            Some(r#"{"event_type":"press"}"#),
        );
        check("{{ value | int }}", "no number", None);
        check("{{ float(value, 1) + 0.5 }}", "x", Some("1.5"));
        check(
            "{{ 'ON' if value_json.smoke | int(0) == 1 else 'OFF' }}",
            r#"{"smoke":"1"}"#,
            Some("ON"),
        );
        check("{{ value | bool(false) }}", "Yes", Some("True"));
        check(
            "{{ value_json.a | is_number }}",
            r#"{"a":"x"}"#,
            Some("False"),
        );
        check("{{ states('binary_sensor.door') }}", "{}", None);
        check("{{ value", "{}", None);
    }

    #[test]
    fn what_can_never_be_read_is_told_from_what_is_not_there_yet() {
        let never = [
            "{{ value",
            "{{ states('binary_sensor.door') }}",
            "{{ value_json.a | regex_replace('a', 'b') }}",
        ];
        for template in never {
            assert!(unreadable(template).is_some(), "{template}");
        }
        let readable = [
            "",
            "{{ value_json.a.b.c }}",
            "{{ value_json.n | is_defined }}",
            "{{ value | int }}",
            "{{ value.split(',')[3] }}",
        ];
        for template in readable {
            assert_eq!(unreadable(template), None, "{template}");
        }
    }

    #[test]
    fn templates_have_an_end() {
        let loops =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert_eq!(render(loops, ""), None);
        assert_eq!(render("{{ 'a' * 100000 }}", ""), None);
        assert_eq!(render(&" ".repeat(TEMPLATE_BYTES_MAX + 1), ""), None);
    }
}
