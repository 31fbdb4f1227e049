//! The words of a matcher: which events, or which rules' findings, concern a rule, and tests on attributes.

use toml::Spanned;
use toml::de::DeValue;

use super::super::condition::{AttrTest, Matcher, Scalar, Test};
use super::super::expr::{EXPR_BYTES_MAX, Expr, Mistake};
use super::super::fields::{At, Fields, File, number};
use crate::place::ZoneKind;
use crate::{DeviceClass, Kind, Phase, RuleId};

pub(in crate::rule) const PHASES: &[(&str, Phase)] = &[
    ("instant", Phase::Instant),
    ("raised", Phase::Raised),
    ("updated", Phase::Updated),
    ("cleared", Phase::Cleared),
];
pub(in crate::rule) const CLASSES: &[(&str, DeviceClass)] = &[
    ("fire_sensor", DeviceClass::FireSensor),
    ("barrier", DeviceClass::Barrier),
    ("access", DeviceClass::Access),
    ("camera", DeviceClass::Camera),
    ("panel", DeviceClass::Panel),
    ("gateway", DeviceClass::Gateway),
];
pub(in crate::rule) const ZONE_KINDS: &[(&str, ZoneKind)] = &[
    ("fire_compartment", ZoneKind::FireCompartment),
    ("gate_lane", ZoneKind::GateLane),
    ("lift", ZoneKind::Lift),
    ("stair", ZoneKind::Stair),
    ("door", ZoneKind::Door),
    ("fire_lane", ZoneKind::FireLane),
    ("bike_shed", ZoneKind::BikeShed),
    ("outdoor", ZoneKind::Outdoor),
    ("unit", ZoneKind::Unit),
    ("shop", ZoneKind::Shop),
    ("fire_door", ZoneKind::FireDoor),
    ("perimeter", ZoneKind::Perimeter),
];
/// The word of a kind of zone.
pub(in crate::rule) fn zone_word(kind: ZoneKind) -> &'static str {
    let known = ZONE_KINDS.iter().find(|(_, known)| *known == kind);
    known.map_or("", |(word, _)| word)
}

/// Phases that count unless a rule says otherwise: for counting, news of what goes on is no new event.
pub(super) const ONCE: &[Phase] = &[Phase::Instant, Phase::Raised];
pub(super) const WITH_NEWS: &[Phase] = &[Phase::Instant, Phase::Raised, Phase::Updated];
/// What a matcher of an end that listens to rules hears.
pub(super) const ENDS: &[Phase] = &[Phase::Cleared];

/// What a matcher takes for granted.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    /// Phases of events.
    pub(super) phases: &'static [Phase],
    /// Phases of findings.
    pub(super) heard: &'static [Phase],
    /// Kinds; none: they must be given.
    pub(super) kinds: &'static [Kind],
}

impl Defaults {
    pub(super) const fn of(phases: &'static [Phase]) -> Self {
        Self {
            phases,
            heard: phases,
            kinds: &[],
        }
    }
}

pub(super) fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

/// A path written with `attrs.` before it, as subjects have it, or without.
pub(super) fn attr_path(text: &str) -> Vec<String> {
    path(text.strip_prefix("attrs.").unwrap_or(text))
}

/// The kinds, or the rules listened to instead; false when neither is there.
fn heard(fields: &Fields<'_, '_>, defaults: Defaults) -> Option<(Vec<Kind>, Vec<RuleId>)> {
    let file = fields.file;
    if fields.has("rules") {
        let words = fields.texts("rules");
        if fields.has("kinds") {
            fields.fail(
                "kinds",
                "stands beside `rules`",
                "a rule listens to devices or to other rules; two steps of a `sequence` may differ",
            );
        }
        let rules: Vec<RuleId> = words.iter().filter_map(|at| at.parse(file)).collect();
        if words.is_empty() {
            fields.fail("rules", "names no rule", "as in `rules = [\"A1\", \"A4\"]`");
        }
        file.listens(&words);
        return (!rules.is_empty()).then_some((Vec::new(), rules));
    }
    let known: Vec<(&str, Kind)> = Kind::ALL.iter().map(|k| (k.as_str(), *k)).collect();
    let words = fields.texts("kinds");
    if !fields.has("kinds") && !defaults.kinds.is_empty() {
        return Some((defaults.kinds.to_vec(), Vec::new()));
    }
    if !fields.has("kinds") {
        fields.fail("kinds", "is missing", "as in `kinds = [\"fire.smoke\"]`");
    } else if words.is_empty() {
        fields.fail("kinds", "names no kind", "as in `kinds = [\"fire.smoke\"]`");
    }
    let kinds: Vec<Kind> = words
        .iter()
        .filter_map(|at| at.one_of(file, "kind", &known))
        .collect();
    (!kinds.is_empty()).then_some((kinds, Vec::new()))
}

pub(super) fn matcher(fields: &Fields<'_, '_>, defaults: Defaults) -> Option<Matcher> {
    let file = fields.file;
    let heard = heard(fields, defaults);
    let phases_given: Vec<Phase> = fields
        .texts("phases")
        .iter()
        .filter_map(|at| at.one_of(file, "phase", PHASES))
        .collect();
    let classes = fields
        .texts("class")
        .iter()
        .filter_map(|at| at.one_of(file, "device class", CLASSES))
        .collect();
    let zone_kinds = fields
        .texts("zone_kind")
        .iter()
        .filter_map(|at| at.one_of(file, "kind of zone", ZONE_KINDS))
        .collect();
    let mut attrs = Vec::new();
    if let Some(table) = fields.table_if("where") {
        for (name, offset, value) in table.open_entries() {
            attr_tests(file, name, offset, value, &mut attrs);
        }
    }
    let watch_list = fields.yes_if("watch_list").unwrap_or(false);
    let expr = fields
        .text_if("expr", EXPR_BYTES_MAX)
        .map(|at| expression(file, &at));
    let edge = fields.text_if("edge", 100).map(|at| attr_path(at.value));
    let expr = match expr {
        Some(expr) => Some(expr?),
        None => None,
    };
    let (kinds, rules) = heard?;
    let usual = if rules.is_empty() {
        defaults.phases
    } else {
        defaults.heard
    };
    Some(Matcher {
        kinds,
        rules,
        phases: if phases_given.is_empty() {
            usual.to_vec()
        } else {
            phases_given
        },
        classes,
        zone_kinds,
        attrs,
        watch_list,
        expr,
        edge,
    })
}

fn expression(file: &File<'_>, at: &At<'_, &str>) -> Option<Expr> {
    match Expr::compile(at.value) {
        Ok(expr) => Some(expr),
        Err(Mistake { what, hint }) => {
            file.note(at.offset, &at.field, what, Some(hint));
            None
        }
    }
}

/// The tests on one attribute: `"door" = "open"`, `["a", "b"]`, `{ at_least = 0.8 }`, `{ not = "x" }`.
fn attr_tests(
    file: &File<'_>,
    name: &str,
    offset: usize,
    value: &Spanned<DeValue<'_>>,
    into: &mut Vec<AttrTest>,
) {
    let field = format!("where.{name}");
    let mut add = |test| {
        into.push(AttrTest {
            path: path(name),
            test,
        });
    };
    let wrong = |what: &str| {
        file.note(
            offset,
            &field,
            what.to_owned(),
            Some(
                "a text, number or yes/no, a list of them, or `{ at_least = 1, at_most = 2, not = \"x\" }`; \
                 a path is written in quotes, `\"panel.system\"`"
                    .to_owned(),
            ),
        );
    };
    let DeValue::Table(table) = value.get_ref() else {
        match scalars(value.get_ref()) {
            Some(list) => add(Test::OneOf(list)),
            None => wrong("cannot be compared with"),
        }
        return;
    };
    if table.is_empty() {
        wrong("tests nothing");
    }
    for (word, value) in table {
        let value = value.get_ref();
        let test = match word.get_ref().as_ref() {
            "at_least" => number(value).map(Test::AtLeast),
            "at_most" => number(value).map(Test::AtMost),
            "not" => scalars(value).map(Test::NoneOf),
            _ => None,
        };
        match test {
            Some(test) => add(test),
            None => wrong(&format!("unknown or wrong test `{}`", word.get_ref())),
        }
    }
}

fn scalars(value: &DeValue<'_>) -> Option<Vec<Scalar>> {
    let scalar = |value: &DeValue<'_>| match value {
        DeValue::String(s) => Some(Scalar::Text(s.to_string())),
        DeValue::Boolean(b) => Some(Scalar::Truth(*b)),
        other => number(other).map(Scalar::Number),
    };
    match value {
        DeValue::Array(items) => {
            let list: Option<Vec<_>> = items.iter().map(|v| scalar(v.get_ref())).collect();
            list.filter(|list| !list.is_empty())
        }
        one => scalar(one).map(|s| vec![s]),
    }
}
