//! Reading TOML tables by hand: every mistake is noted with its line, and reading goes on.
//!
//! A reader for serde would stop at the first mistake; here each field is asked for by name, what is missing or of the wrong
//! type is noted in the [`File`], and [`Fields::done`] notes what nobody asked for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{RuleError, nearest_hint};
use crate::RuleId;

/// One file while it is read, with the mistakes found so far.
pub(super) struct File<'a> {
    name: &'a str,
    text: &'a str,
    rule: RefCell<Option<String>>,
    errors: RefCell<Vec<RuleError>>,
    muted: Cell<bool>,
    /// Rules that the rule being read listens to, each with its place.
    listens: RefCell<Vec<(RuleId, usize, String)>>,
}

impl<'a> File<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        Self {
            name,
            text,
            rule: RefCell::new(None),
            errors: RefCell::default(),
            muted: Cell::new(false),
            listens: RefCell::default(),
        }
    }
    pub(super) fn name(&self) -> &'a str {
        self.name
    }
    /// Mistakes from here on belong to this rule.
    pub(super) fn enter_rule(&self, id: Option<&str>) {
        *self.rule.borrow_mut() = id.map(|id| id.chars().take(40).collect());
    }
    /// While muted nothing is noted: the part being read has a syntax error, which was noted already.
    pub(super) fn mute(&self, muted: bool) {
        self.muted.set(muted);
    }
    /// The rule being read listens to these.
    pub(super) fn listens(&self, words: &[At<'_, &str>]) {
        let known = words
            .iter()
            .filter_map(|at| Some((at.value.parse().ok()?, at.offset, at.field.to_string())));
        self.listens.borrow_mut().extend(known);
    }
    /// What the rule being read listens to: each with its line and field.
    pub(super) fn take_listens(&self) -> Vec<(RuleId, usize, String)> {
        let mut listens = self.listens.take();
        for (_, place, _) in &mut listens {
            *place = self.line_of(*place);
        }
        listens
    }
    pub(super) fn line_of(&self, offset: usize) -> usize {
        let before = self.text.char_indices().take_while(|(at, _)| *at < offset);
        1 + before.filter(|(_, c)| *c == '\n').count()
    }
    pub(super) fn note(&self, at: usize, field: &str, what: String, hint: Option<String>) {
        if self.muted.get() {
            return;
        }
        self.errors.borrow_mut().push(RuleError {
            file: self.name.to_owned(),
            line: self.line_of(at),
            rule: self.rule.borrow().clone(),
            field: field.to_owned(),
            what,
            hint,
        });
    }
    pub(super) fn into_errors(self) -> Vec<RuleError> {
        self.errors.into_inner()
    }
}

/// A value with its place.
pub(super) struct At<'t, T> {
    pub(super) value: T,
    pub(super) offset: usize,
    pub(super) field: std::borrow::Cow<'t, str>,
}

/// One table while it is read.
pub(super) struct Fields<'f, 't> {
    pub(super) file: &'f File<'f>,
    path: String,
    offset: usize,
    entries: BTreeMap<&'t str, (Range<usize>, &'t Spanned<DeValue<'t>>)>,
    asked: RefCell<Vec<&'static str>>,
}

fn shown(value: &DeValue<'_>) -> String {
    let text = match value {
        DeValue::String(s) => format!("`{s}`"),
        DeValue::Integer(i) => format!("`{i}`"),
        DeValue::Float(f) => format!("`{f}`"),
        DeValue::Boolean(b) => format!("`{b}`"),
        other => format!("a value of type {}", other.type_str()),
    };
    text.chars().take(80).collect()
}

impl<'f, 't> Fields<'f, 't> {
    pub(super) fn new(
        file: &'f File<'f>,
        path: String,
        offset: usize,
        table: &'t DeTable<'t>,
    ) -> Self {
        let entries = table
            .iter()
            .map(|(k, v)| (k.get_ref().as_ref(), (k.span(), v)))
            .collect();
        Self {
            file,
            path,
            offset,
            entries,
            asked: RefCell::default(),
        }
    }

    /// The same, its fields named without the way to it.
    pub(super) fn unnamed(mut self) -> Self {
        self.path.clear();
        self
    }

    /// Where the table starts in the file.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    fn name_of(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    fn raw(&self, field: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&field) {
            asked.push(field);
        }
        self.entries.get(field).map(|(_, value)| *value)
    }

    pub(super) fn has(&self, field: &'static str) -> bool {
        self.raw(field).is_some()
    }

    /// Notes a mistake at the table itself.
    pub(super) fn fail(&self, field: &str, what: impl Into<String>, hint: impl Into<String>) {
        let at = self
            .entries
            .get(field)
            .map_or(self.offset, |(key, _)| key.start);
        self.file
            .note(at, &self.name_of(field), what.into(), Some(hint.into()));
    }

    fn mismatch(&self, field: &str, value: &Spanned<DeValue<'_>>, wanted: &str, example: &str) {
        self.file.note(
            value.span().start,
            &self.name_of(field),
            format!("{} is not {wanted}", shown(value.get_ref())),
            Some(format!("as in `{example}`")),
        );
    }

    fn missing(&self, field: &str, example: &str) {
        self.file.note(
            self.offset,
            &self.name_of(field),
            "is missing".to_owned(),
            Some(format!("as in `{field} = {example}`")),
        );
    }

    /// A text that may be left out; blank counts as a mistake.
    pub(super) fn text_if(&self, field: &'static str, chars_max: usize) -> Option<At<'t, &'t str>> {
        let value = self.raw(field)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(field, value, "a text", &format!("{field} = \"…\""));
            return None;
        };
        let offset = value.span().start;
        if text.trim().is_empty() {
            self.file.note(
                offset,
                &self.name_of(field),
                "is blank".to_owned(),
                Some("people read this; give it words".to_owned()),
            );
            return None;
        }
        if text.chars().count() > chars_max || text.chars().any(|c| c.is_control() && c != '\n') {
            self.file.note(
                offset,
                &self.name_of(field),
                format!("is longer than {chars_max} characters or has control characters"),
                None,
            );
            return None;
        }
        Some(At {
            value: text,
            offset,
            field: self.name_of(field).into(),
        })
    }

    /// A text that must be there.
    pub(super) fn text(
        &self,
        field: &'static str,
        chars_max: usize,
        example: &str,
    ) -> Option<At<'t, &'t str>> {
        if !self.has(field) {
            self.missing(field, example);
            return None;
        }
        self.text_if(field, chars_max)
    }

    /// A list of texts; one text stands for a list of one. Empty when left out or wrong.
    pub(super) fn texts(&self, field: &'static str) -> Vec<At<'t, &'t str>> {
        let Some(value) = self.raw(field) else {
            return Vec::new();
        };
        let name = self.name_of(field);
        let one = |value: &'t Spanned<DeValue<'t>>| match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => Some(At {
                value: text,
                offset: value.span().start,
                field: name.clone().into(),
            }),
            _ => {
                self.mismatch(
                    field,
                    value,
                    "a text with words",
                    &format!("{field} = [\"…\"]"),
                );
                None
            }
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(one).collect(),
            DeValue::String(_) => one(value).into_iter().collect(),
            _ => {
                self.mismatch(
                    field,
                    value,
                    "a list of texts",
                    &format!("{field} = [\"…\"]"),
                );
                Vec::new()
            }
        }
    }

    /// A whole number between the limits.
    pub(super) fn whole_if(&self, field: &'static str, min: i64, max: i64) -> Option<i64> {
        let value = self.raw(field)?;
        let number = whole(value.get_ref());
        match number {
            Some(n) if (min..=max).contains(&n) => Some(n),
            Some(n) if n < 0 && min >= 0 => {
                self.file.note(
                    value.span().start,
                    &self.name_of(field),
                    format!("is negative: {n}"),
                    Some(format!("a whole number from {min} to {max}")),
                );
                None
            }
            _ => {
                self.file.note(
                    value.span().start,
                    &self.name_of(field),
                    format!(
                        "{} is not a whole number from {min} to {max}",
                        shown(value.get_ref())
                    ),
                    None,
                );
                None
            }
        }
    }

    /// A number, whole or with a fraction.
    pub(super) fn number_if(&self, field: &'static str) -> Option<f64> {
        let value = self.raw(field)?;
        let read = number(value.get_ref());
        if read.is_none() {
            self.mismatch(field, value, "a number", &format!("{field} = 20"));
        }
        read
    }

    /// A whole number that must be there.
    pub(super) fn whole(
        &self,
        field: &'static str,
        min: i64,
        max: i64,
        example: &str,
    ) -> Option<i64> {
        if !self.has(field) {
            self.missing(field, example);
            return None;
        }
        self.whole_if(field, min, max)
    }

    pub(super) fn yes_if(&self, field: &'static str) -> Option<bool> {
        let value = self.raw(field)?;
        let yes = value.get_ref().as_bool();
        if yes.is_none() {
            self.mismatch(field, value, "true or false", &format!("{field} = true"));
        }
        yes
    }

    /// A value of whatever type.
    pub(super) fn value_if(&self, field: &'static str) -> Option<&'t DeValue<'t>> {
        self.raw(field).map(Spanned::get_ref)
    }

    /// A table inside this one.
    pub(super) fn table_if(&self, field: &'static str) -> Option<Fields<'f, 't>> {
        let value = self.raw(field)?;
        let Some(table) = value.get_ref().as_table() else {
            self.mismatch(
                field,
                value,
                "a table",
                &format!("[rule.{}]", self.name_of(field)),
            );
            return None;
        };
        Some(Fields::new(
            self.file,
            self.name_of(field),
            value.span().start,
            table,
        ))
    }

    /// A list of tables.
    pub(super) fn tables(&self, field: &'static str) -> Vec<Fields<'f, 't>> {
        let Some(value) = self.raw(field) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.mismatch(field, value, "a list of tables", &format!("[[{field}]]"));
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| {
                let table = item.get_ref().as_table();
                if table.is_none() {
                    self.mismatch(field, item, "a table", &format!("[[{field}]]"));
                }
                let start = item.span().start;
                Some(Fields::new(self.file, self.name_of(field), start, table?))
            })
            .collect()
    }

    /// Every entry as it stands, for tables whose keys the author makes up.
    pub(super) fn open_entries(
        &self,
    ) -> impl Iterator<Item = (&'t str, usize, &'t Spanned<DeValue<'t>>)> + '_ {
        self.entries
            .iter()
            .map(|(name, (key, value))| (*name, key.start, *value))
    }

    /// Notes fields that nobody asked for.
    pub(super) fn done(&self) {
        let asked = self.asked.borrow();
        for (name, (key, _)) in &self.entries {
            if !asked.contains(name) {
                self.file.note(
                    key.start,
                    &self.name_of(name),
                    "unknown field".to_owned(),
                    Some(nearest_hint(name, asked.iter().copied())),
                );
            }
        }
    }
}

/// A TOML integer as `i64`.
pub(super) fn whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A TOML integer or finite float as `f64`.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    if let Some(n) = whole(value) {
        return Some(n as f64);
    }
    value
        .as_float()?
        .as_str()
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite())
}

/// A TOML value as JSON; dates become texts.
pub(super) fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(s) => s.as_ref().into(),
        DeValue::Integer(_) => whole(value).into(),
        DeValue::Float(_) => number(value).into(),
        DeValue::Boolean(b) => (*b).into(),
        DeValue::Datetime(d) => d.to_string().into(),
        DeValue::Array(items) => items.iter().map(|v| json(v.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

impl At<'_, &str> {
    /// The word's meaning by a closed table; notes the nearest word otherwise.
    pub(super) fn one_of<T: Copy>(
        &self,
        file: &File<'_>,
        what: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        let found = known.iter().find(|(word, _)| *word == self.value);
        if found.is_none() {
            file.note(
                self.offset,
                &self.field,
                format!("unknown {what} `{}`", self.value),
                Some(nearest_hint(
                    self.value,
                    known.iter().map(|(word, _)| *word),
                )),
            );
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// The word as an id or another type that parses itself.
    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(&self, file: &File<'_>) -> Option<T> {
        match self.value.parse() {
            Ok(value) => Some(value),
            Err(e) => {
                file.note(self.offset, &self.field, e.to_string(), None);
                None
            }
        }
    }
}
