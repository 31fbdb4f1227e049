//! One event as rules look at it: beside the registry, with what is costly (attributes, watch list, time of day) made once
//! and only when a rule asks.

use std::cell::{Cell, OnceCell};

use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::condition::{AttrTest, Matcher, Scalar, Test, Urgency};
use super::expr::{Expr, Facts, Made};
use crate::place::{Registry, WatchEntry, Zone, normal_plate, watch_key};
use crate::privacy::Personal;
use crate::{Event, RuleId, Severity};

/// The finding of another rule that stands behind an event which a rule hears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) rule: &'a RuleId,
    /// Its subject.
    pub(super) subject: &'a str,
    /// Time alone made it: no event did.
    pub(super) by_time: bool,
}

impl Heard<'_> {
    /// Who says it, as sources keep it.
    pub(super) fn origin(&self) -> String {
        format!("{}|{}", self.rule, self.subject)
    }
}

/// The event and what the registry says about it.
pub(super) struct View<'a> {
    pub(super) event: &'a Event,
    /// Where the device stands, if that is known.
    pub(super) zone: Option<&'a Zone>,
    /// The finding that the event stands for, if it does for one.
    pub(super) heard: Option<Heard<'a>>,
    pub(super) registry: &'a Registry,
    time_zone: &'a TimeZone,
    attrs: OnceCell<Value>,
    plate: OnceCell<Option<String>>,
    watched: OnceCell<Option<&'a WatchEntry>>,
    local: OnceCell<civil::DateTime>,
    made: OnceCell<Made>,
    /// Expressions that could not be answered.
    expr_errors: Cell<u64>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        event: &'a Event,
        zone: Option<&'a Zone>,
        heard: Option<Heard<'a>>,
        registry: &'a Registry,
        time_zone: &'a TimeZone,
    ) -> Self {
        Self {
            event,
            zone,
            heard,
            registry,
            time_zone,
            attrs: OnceCell::new(),
            plate: OnceCell::new(),
            watched: OnceCell::new(),
            local: OnceCell::new(),
            made: OnceCell::new(),
            expr_errors: Cell::new(0),
        }
    }

    /// The attribute at the end of the path.
    pub(super) fn attr<S: AsRef<str>>(&self, path: &[S]) -> Option<&Value> {
        let mut value = self.attrs.get_or_init(|| self.event.attrs.to_value());
        for part in path {
            value = value.get(part.as_ref())?;
        }
        (!value.is_null()).then_some(value)
    }

    /// The attribute as text; lists and objects have none.
    pub(super) fn attr_text<S: AsRef<str>>(&self, path: &[S]) -> Option<String> {
        let text = match self.attr(path)? {
            Value::String(s) => s.clone(),
            Value::Number(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// The normalised plate of the event.
    pub(super) fn plate(&self) -> Option<&str> {
        self.plate
            .get_or_init(|| {
                let plate = normal_plate(self.attr(&["plate"])?.as_str()?);
                (!plate.is_empty()).then_some(plate)
            })
            .as_deref()
    }

    /// The watch list's entry for the plate, else the card, else the person of the event, if it has not expired on the community's calendar.
    pub(super) fn watched(&self) -> Option<&'a WatchEntry> {
        *self.watched.get_or_init(|| {
            let counts = |entry: &&WatchEntry| self.local().date() <= entry.expires_on;
            let named = |class: Personal, attr: &str| {
                let key = watch_key(class, &self.attr_text(&[attr])?);
                self.registry.watch.get(&key).filter(counts)
            };
            // a plate as the reader has it at last, not as it was read at first
            let plate = self.plate().and_then(|key| self.registry.watch.get(key));
            let of = |class: Personal| class.attrs().iter().find_map(|attr| named(class, attr));
            plate
                .filter(counts)
                .or_else(|| of(Personal::Credential))
                .or_else(|| of(Personal::Person))
        })
    }

    /// When the hub took it, on the community's clock.
    pub(super) fn local(&self) -> civil::DateTime {
        *self
            .local
            .get_or_init(|| self.time_zone.to_datetime(self.event.received_at))
    }

    /// Everything but the phase and the attributes: a `cleared` event rarely repeats those of the raise.
    pub(super) fn stands_where(&self, matcher: &Matcher) -> bool {
        (matcher.classes.is_empty() || matcher.classes.contains(&self.event.class))
            && (matcher.zone_kinds.is_empty()
                || self
                    .zone
                    .is_some_and(|z| matcher.zone_kinds.contains(&z.kind)))
    }

    /// Whether the event is what the matcher looks for; its kind has been looked at.
    pub(super) fn fits(&self, matcher: &Matcher) -> bool {
        matcher.phases.contains(&self.event.phase)
            && self.stands_where(matcher)
            && matcher.attrs.iter().all(|test| self.passes(test))
            && (!matcher.watch_list || self.watched().is_some())
            && matcher.expr.as_ref().is_none_or(|expr| self.holds(expr))
    }

    /// An expression that cannot be answered does not hold, and is counted.
    fn holds(&self, expr: &Expr) -> bool {
        let attrs = self.attrs.get_or_init(|| self.event.attrs.to_value());
        let facts = Facts {
            event: self.event,
            zone: self.zone,
            attrs,
            local: self.local(),
            plate: self.plate(),
            watched: self.watched().is_some(),
            made: self.made.get_or_init(Made::default),
        };
        let answer = expr.holds(&facts);
        if answer.is_none() {
            self.expr_errors.set(self.expr_errors.get() + 1);
        }
        answer.unwrap_or(false)
    }

    /// How many expressions could not be answered: an attribute was missing or of another type.
    pub(super) fn expr_errors(&self) -> u64 {
        self.expr_errors.get()
    }

    fn passes(&self, AttrTest { path, test }: &AttrTest) -> bool {
        let value = self.attr(path);
        let among = |list: &[Scalar]| value.is_some_and(|v| list.iter().any(|s| equal(s, v)));
        let number = || value.and_then(Value::as_f64);
        match test {
            Test::OneOf(list) => among(list),
            Test::NoneOf(list) => !among(list),
            Test::AtLeast(limit) => number().is_some_and(|n| n >= *limit),
            Test::AtMost(limit) => number().is_some_and(|n| n <= *limit),
        }
    }

    /// How urgent the event is with so many of them, by the hour at which the hub took it.
    pub(super) fn severity(&self, urgency: &Urgency, count: u64) -> Severity {
        let zone = self.zone.map(|z| z.kind);
        let severity = urgency.at(|| self.local().time(), zone, count);
        match urgency.violent {
            Some(violent) if self.watched().is_some_and(|entry| entry.violent) => {
                severity.min(violent)
            }
            _ => severity,
        }
    }
}

fn equal(scalar: &Scalar, value: &Value) -> bool {
    match scalar {
        Scalar::Text(text) => value.as_str() == Some(text),
        Scalar::Number(number) => value.as_f64().is_some_and(|n| n.total_cmp(number).is_eq()),
        Scalar::Truth(truth) => value.as_bool() == Some(*truth),
    }
}
