//! The words of `[rule.when]` and `[rule.clear]`: sorts of condition, which events concern them, tests on attributes.

use toml::Spanned;
use toml::de::DeValue;

use super::super::book::ReportType;
use super::super::condition::{AttrTest, Condition, Matcher, Scalar, Test};
use super::super::error::nearest_hint;
use super::super::expr::{EXPR_BYTES_MAX, Expr, Mistake};
use super::super::fields::{At, Fields, File, number};
use super::super::key::Key;
use super::SECONDS_MAX;
use crate::place::ZoneKind;
use crate::{DeviceClass, Kind, Phase};

/// Most events or devices that a condition may ask for.
const AT_LEAST_MAX: i64 = 200;
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

#[derive(Clone, Copy)]
enum Sort {
    Match,
    Count,
    Independent,
    Absence,
    Report,
}
const SORTS: &[(&str, Sort)] = &[
    ("match", Sort::Match),
    ("count", Sort::Count),
    ("independent", Sort::Independent),
    ("absence", Sort::Absence),
    ("report", Sort::Report),
];

/// Phases that count unless a rule says otherwise: for counting, news of what goes on is no new event.
const ONCE: &[Phase] = &[Phase::Instant, Phase::Raised];
pub(super) const WITH_NEWS: &[Phase] = &[Phase::Instant, Phase::Raised, Phase::Updated];

pub(super) fn key(file: &File<'_>, at: &At<'_, &str>) -> Option<Key> {
    let key = Key::from_word(at.value);
    if key.is_none() {
        let words = Key::WORDS
            .iter()
            .map(|(word, _)| *word)
            .chain(["credential@site", "attrs.NAME@site"]);
        file.note(
            at.offset,
            &at.field,
            format!("unknown subject `{}`", at.value),
            Some(nearest_hint(at.value, words)),
        );
    }
    key
}

pub(super) fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

pub(super) fn condition(fields: &Fields<'_, '_>) -> Option<Condition> {
    let file = fields.file;
    let sort = fields
        .text("is", 20, "\"match\"")
        .and_then(|at| at.one_of(file, "sort of condition", SORTS));
    let seconds = |name| {
        fields
            .whole(name, 1, SECONDS_MAX, "300")
            .and_then(|n| u32::try_from(n).ok())
    };
    let many = |min| {
        fields
            .whole("at_least", min, AT_LEAST_MAX, "2")
            .and_then(|n| usize::try_from(n).ok())
    };
    let condition = match sort {
        // what fields there should be is not known: complaining about them would only mislead
        None => return None,
        Some(Sort::Match) => matcher(fields, WITH_NEWS).map(Condition::Match),
        Some(Sort::Count) => {
            let (matcher, at_least, within_s) =
                (matcher(fields, ONCE), many(2), seconds("within_s"));
            let wanted = fields.text_if("distinct", 100);
            let distinct = wanted.as_ref().map(|at| key(file, at));
            (|| {
                Some(Condition::Count {
                    matcher: matcher?,
                    at_least: at_least?,
                    within_s: within_s?,
                    distinct: match distinct {
                        Some(key) => Some(key?),
                        None => None,
                    },
                })
            })()
        }
        Some(Sort::Independent) => {
            let (matcher, at_least, within_s) =
                (matcher(fields, WITH_NEWS), many(2), seconds("within_s"));
            (|| {
                Some(Condition::Independent {
                    matcher: matcher?,
                    at_least: at_least?,
                    within_s: within_s?,
                })
            })()
        }
        Some(Sort::Absence) => {
            let classes: Vec<DeviceClass> = fields
                .texts("class")
                .iter()
                .filter_map(|at| at.one_of(file, "device class", CLASSES))
                .collect();
            if !fields.has("class") {
                fields.fail("class", "is missing", "as in `class = \"fire_sensor\"`");
            }
            let heartbeats = fields
                .whole("heartbeats", 1, 1000, "2")
                .and_then(|n| u32::try_from(n).ok());
            heartbeats.map(|heartbeats| Condition::Absence {
                classes,
                heartbeats,
            })
        }
        Some(Sort::Report) => {
            let hint = "as in `types = [\"fire_hazard\"]`";
            if !fields.has("types") {
                fields.fail("types", "is missing", hint);
            }
            let types: Vec<ReportType> = fields
                .texts("types")
                .iter()
                .filter_map(|at| at.one_of(file, "type of report", ReportType::WORDS))
                .collect();
            Some(Condition::Report(types))
        }
    };
    fields.done();
    condition
}

pub(super) fn matcher(fields: &Fields<'_, '_>, phases: &[Phase]) -> Option<Matcher> {
    let file = fields.file;
    let kinds_known: Vec<(&str, Kind)> = Kind::ALL.iter().map(|k| (k.as_str(), *k)).collect();
    let words = fields.texts("kinds");
    if !fields.has("kinds") {
        fields.fail("kinds", "is missing", "as in `kinds = [\"fire.smoke\"]`");
    } else if words.is_empty() {
        fields.fail("kinds", "names no kind", "as in `kinds = [\"fire.smoke\"]`");
    }
    let kinds: Vec<Kind> = words
        .iter()
        .filter_map(|at| at.one_of(file, "kind", &kinds_known))
        .collect();
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
    let expr = match expr {
        Some(expr) => Some(expr?),
        None => None,
    };
    (!kinds.is_empty()).then_some(Matcher {
        kinds,
        phases: if phases_given.is_empty() {
            phases.to_vec()
        } else {
            phases_given
        },
        classes,
        zone_kinds,
        attrs,
        watch_list,
        expr,
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
