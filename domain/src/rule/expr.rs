//! Expressions in rules: CEL (Common Expression Language) over the fields of one event.
//!
//! An expression is compiled when its file is read, and everything that can be known then is checked then: names, fields of
//! `event` and `zone`, functions, and that its cost is bounded (no loop inside a loop, no list that is made, no long text). What
//! only an event can show, a missing attribute or a text where a number should be, makes the expression *not fit*; it is counted
//! and never an error for the stream.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use cel::common::ast::{EntryExpr, Expr as Node, LiteralValue};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, IdedExpr, Program, Value as Cel};
use jiff::civil;
use serde_json::Value;

use super::error::nearest_hint;
use super::parse::matcher::zone_word;
use crate::Event;
use crate::place::Zone;

/// Longest expression in bytes.
pub const EXPR_BYTES_MAX: usize = 500;
/// Most values in the attributes of an event that an expression may look at; an event with more does not fit.
const VALUES_MAX: usize = 2_000;
/// How deep parentheses may go.
const DEPTH_MAX: u16 = 32;

/// The names that an expression knows.
const NAMES: &[&str] = &[
    "event", "attrs", "zone", "hour", "weekday", "plate", "watched",
];
/// What `event` has.
const EVENT: &[&str] = &["kind", "phase", "class", "device", "component", "site"];
/// What `zone` has.
const ZONE: &[&str] = &["id", "kind", "floor", "building", "grid"];
/// Functions that may be called.
const FUNCTIONS: &[&str] = &[
    "has",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "double",
    "string",
    "all",
    "exists",
    "exists_one",
];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression; equal when its text is.
#[derive(Clone)]
pub struct Expr {
    text: String,
    program: Arc<Program>,
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:?})", self.text)
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What is wrong with an expression, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) what: String,
    pub(super) hint: String,
}

fn mistake<T>(what: impl Into<String>, hint: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake {
        what: what.into(),
        hint: hint.into(),
    })
}

impl Expr {
    /// Compiles and checks.
    pub(super) fn compile(text: &str) -> Result<Self, Mistake> {
        if text.len() > EXPR_BYTES_MAX {
            return mistake(
                format!("is longer than {EXPR_BYTES_MAX} bytes"),
                "say part of it with `class`, `zone_kind` or `where`",
            );
        }
        let (expression, _) = match ENV
            .parser()
            .max_recursion_depth(DEPTH_MAX)
            .parse_with_source_info(text)
        {
            Ok(parsed) => parsed,
            Err(errors) => {
                let first = errors.errors.first();
                let (line, column) = first.map_or((1, 1), |e| e.pos);
                let said = first.map_or("", |e| e.msg.as_str());
                let said = said.lines().next().unwrap_or_default();
                // without the parser's list of everything that could stand there
                let said = said.split(" expecting ").next().unwrap_or_default();
                let what = said.trim_start_matches("Syntax error: ");
                let place = if line > 1 {
                    format!("line {line}, column {column}")
                } else {
                    format!("column {column}")
                };
                return mistake(
                    format!("is not an expression, at its {place}: {what}"),
                    "as in `attrs.confidence > 0.8 && zone.floor >= 3`",
                );
            }
        };
        check(&expression, &mut Vec::new(), false)?;
        if !may_be_truth(&expression.expr) {
            return mistake(
                "does not say yes or no",
                "compare it with something, as in `attrs.count > 8`",
            );
        }
        let program = match ENV.compile(text) {
            Ok(program) => Arc::new(program),
            Err(e) => return mistake(format!("is not an expression: {e}"), "write it simpler"),
        };
        Ok(Self {
            text: text.to_owned(),
            program,
        })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds; nothing when the event lacks what it asks for.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.set_variable_resolver(facts);
        match self.program.execute(&context) {
            Ok(Cel::Bool(holds)) => Some(holds),
            _ => None,
        }
    }
}

/// Whether the outermost operation can give yes or no.
fn may_be_truth(node: &Node) -> bool {
    match node {
        Node::Literal(value) => matches!(value, LiteralValue::Boolean(_)),
        Node::List(_) | Node::Map(_) | Node::Struct(_) | Node::Unspecified => false,
        Node::Call(call) => !matches!(
            call.func_name.as_str(),
            "_+_" | "_-_" | "_*_" | "_/_" | "_%_" | "-_" | "size" | "int" | "double" | "string"
        ),
        Node::Ident(name) => !matches!(
            name.as_str(),
            "event" | "attrs" | "zone" | "hour" | "weekday"
        ),
        Node::Comprehension(_) | Node::Select(_) => true,
    }
}

/// Names, fields and functions are known, and nothing costs more than one walk over the attributes.
fn check(node: &IdedExpr, locals: &mut Vec<String>, in_loop: bool) -> Result<(), Mistake> {
    match &node.expr {
        Node::Unspecified | Node::Literal(_) => Ok(()),
        Node::Ident(name) => {
            if name.starts_with('@') || locals.contains(name) || NAMES.contains(&name.as_str()) {
                return Ok(());
            }
            let known = NAMES.iter().copied();
            mistake(format!("unknown name `{name}`"), nearest_hint(name, known))
        }
        Node::Select(select) => {
            if let Node::Ident(name) = &select.operand.expr {
                let fields = match name.as_str() {
                    "event" => EVENT,
                    "zone" => ZONE,
                    _ => &[],
                };
                let field = select.field.as_str();
                if !fields.is_empty() && !locals.contains(name) && !fields.contains(&field) {
                    return mistake(
                        format!("`{name}` has no field `{field}`"),
                        nearest_hint(field, fields.iter().copied()),
                    );
                }
            }
            check(&select.operand, locals, in_loop)
        }
        Node::Call(call) => {
            let name = call.func_name.as_str();
            let operator = name.contains('_') && !name.starts_with(char::is_alphabetic);
            if matches!(name, "map" | "filter") || name == "matches" {
                return mistake(
                    format!("`{name}` is not allowed: its cost cannot be bounded"),
                    "use `exists`, `contains`, `startsWith` or `endsWith`",
                );
            }
            if !operator && !name.starts_with('@') && !FUNCTIONS.contains(&name) {
                let known = FUNCTIONS.iter().copied();
                return mistake(
                    format!("unknown function `{name}`"),
                    nearest_hint(name, known),
                );
            }
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                check(part, locals, in_loop)?;
            }
            Ok(())
        }
        Node::List(list) => list
            .elements
            .iter()
            .try_for_each(|element| check(element, locals, in_loop)),
        Node::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                check(&entry.key, locals, in_loop)?;
                check(&entry.value, locals, in_loop)
            }
            EntryExpr::StructField(field) => check(&field.value, locals, in_loop),
        }),
        Node::Struct(made) => mistake(
            format!("unknown type `{}`", made.type_name),
            "compare single fields instead",
        ),
        Node::Comprehension(walk) => {
            if in_loop {
                return mistake(
                    "walks through a list inside a list",
                    "one `exists` or `all` at a time",
                );
            }
            if matches!(walk.accu_init.expr, Node::List(_) | Node::Map(_)) {
                return mistake(
                    "makes a list",
                    "use `exists`, `exists_one` or `all`; `map` and `filter` are not allowed",
                );
            }
            check(&walk.iter_range, locals, true)?;
            let before = locals.len();
            locals.push(walk.iter_var.clone());
            locals.push(walk.accu_var.clone());
            locals.extend(walk.iter_var2.clone());
            let inner = [
                &walk.accu_init,
                &walk.loop_cond,
                &walk.loop_step,
                &walk.result,
            ];
            let inner = inner
                .into_iter()
                .try_for_each(|part| check(part, locals, true));
            locals.truncate(before);
            inner
        }
    }
}

/// What an expression can ask about one event; each answer is made once, when it is asked for.
pub(super) struct Facts<'a> {
    pub(super) event: &'a Event,
    pub(super) zone: Option<&'a Zone>,
    pub(super) attrs: &'a Value,
    pub(super) local: civil::DateTime,
    pub(super) plate: Option<&'a str>,
    pub(super) watched: bool,
    pub(super) made: &'a Made,
}

/// The answers made so far.
#[derive(Default)]
pub(super) struct Made {
    event: OnceLock<Option<Box<dyn Val>>>,
    attrs: OnceLock<Option<Box<dyn Val>>>,
    zone: OnceLock<Option<Box<dyn Val>>>,
    plate: OnceLock<Option<Box<dyn Val>>>,
    hour: OnceLock<Option<Box<dyn Val>>>,
    weekday: OnceLock<Option<Box<dyn Val>>>,
    watched: OnceLock<Option<Box<dyn Val>>>,
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let made = self.made;
        let (cell, make): (_, &dyn Fn() -> Option<Cel>) = match name {
            "event" => (&made.event, &|| Some(self.event())),
            "attrs" => (&made.attrs, &|| {
                let mut budget = VALUES_MAX;
                cel_value(self.attrs, &mut budget)
            }),
            "zone" => (&made.zone, &|| Some(self.zone())),
            "hour" => (&made.hour, &|| Some(Cel::Int(self.local.hour().into()))),
            "weekday" => (&made.weekday, &|| {
                let day = self.local.weekday().to_monday_one_offset();
                Some(Cel::Int(day.into()))
            }),
            "plate" => (&made.plate, &|| Some(self.plate.into())),
            "watched" => (&made.watched, &|| Some(Cel::Bool(self.watched))),
            _ => return None,
        };
        let value = cell.get_or_init(|| make()?.try_into().ok());
        value.as_deref().map(CowVal::Borrowed)
    }
}

impl Facts<'_> {
    fn event(&self) -> Cel {
        let event = self.event;
        let mut fields = vec![
            ("kind", Cel::from(event.kind.as_str())),
            ("phase", event.phase.as_str().into()),
            ("class", event.class.as_str().into()),
            ("device", event.device.as_str().into()),
            ("site", event.site.as_str().into()),
        ];
        if let Some(component) = &event.component {
            fields.push(("component", component.as_str().into()));
        }
        table(fields)
    }

    fn zone(&self) -> Cel {
        let Some(zone) = self.zone else {
            return table(Vec::new());
        };
        let mut fields = vec![
            ("id", Cel::from(zone.id.as_str())),
            ("kind", zone_word(zone.kind).into()),
            ("grid", zone.grid.as_str().into()),
        ];
        if let Some(floor) = zone.only_floor() {
            fields.push(("floor", Cel::Int(floor.into())));
        }
        if let Some(building) = &zone.building {
            fields.push(("building", building.as_str().into()));
        }
        table(fields)
    }
}

fn table(fields: Vec<(&str, Cel)>) -> Cel {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Cel::from(fields.collect::<std::collections::HashMap<String, Cel>>())
}

/// JSON as CEL sees it; nothing once the budget of values is used up.
fn cel_value(value: &Value, budget: &mut usize) -> Option<Cel> {
    *budget = budget.checked_sub(1)?;
    Some(match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => match n.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(n.as_f64()?),
        },
        Value::String(s) => s.as_str().into(),
        Value::Array(items) => {
            let items: Option<Vec<Cel>> = items.iter().map(|v| cel_value(v, budget)).collect();
            items?.into()
        }
        Value::Object(fields) => {
            let fields: Option<std::collections::HashMap<String, Cel>> = fields
                .iter()
                .map(|(name, v)| Some((name.clone(), cel_value(v, budget)?)))
                .collect();
            fields?.into()
        }
    })
}

#[cfg(test)]
mod tests;
