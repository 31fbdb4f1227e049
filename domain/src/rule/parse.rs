//! From the text of a rule file to rules. The words of the format are here; what they mean is in `condition.rs`.

use std::collections::BTreeSet;

use jiff::civil::Time;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::book::{Clocks, RuleMeta};
use super::case::{self, Case};
use super::condition::{AttrTest, Condition, Hours, Matcher, Scalar, Test, Urgency};
use super::error::{RuleError, nearest_hint};
use super::fields::{At, Fields, File, number};
use super::key::Key;
use super::set::{FILE_BYTES_MAX, ReadRule, Rule};
use crate::place::ZoneKind;
use crate::{DepartmentId, DeviceClass, Kind, Phase, RuleId, Severity};

const TITLE_CHARS_MAX: usize = 60;
const STEP_CHARS_MAX: usize = 300;
const STEPS_MAX: usize = 20;
/// A year: longer windows are counters, not windows.
const SECONDS_MAX: i64 = 366 * 24 * 3600;
/// Most events or devices that a condition may ask for.
const AT_LEAST_MAX: i64 = 200;

const SEVERITIES: &[(&str, Severity)] = &[
    ("P1", Severity::P1),
    ("P2", Severity::P2),
    ("P3", Severity::P3),
    ("P4", Severity::P4),
];
pub(super) const PHASES: &[(&str, Phase)] = &[
    ("instant", Phase::Instant),
    ("raised", Phase::Raised),
    ("updated", Phase::Updated),
    ("cleared", Phase::Cleared),
];
pub(super) const CLASSES: &[(&str, DeviceClass)] = &[
    ("fire_sensor", DeviceClass::FireSensor),
    ("barrier", DeviceClass::Barrier),
    ("access", DeviceClass::Access),
    ("camera", DeviceClass::Camera),
    ("panel", DeviceClass::Panel),
    ("gateway", DeviceClass::Gateway),
];
pub(super) const ZONE_KINDS: &[(&str, ZoneKind)] = &[
    ("fire_compartment", ZoneKind::FireCompartment),
    ("gate_lane", ZoneKind::GateLane),
    ("lift", ZoneKind::Lift),
    ("stair", ZoneKind::Stair),
    ("door", ZoneKind::Door),
    ("fire_lane", ZoneKind::FireLane),
    ("bike_shed", ZoneKind::BikeShed),
    ("outdoor", ZoneKind::Outdoor),
];
#[derive(Clone, Copy)]
enum Sort {
    Match,
    Count,
    Independent,
    Absence,
}
const SORTS: &[(&str, Sort)] = &[
    ("match", Sort::Match),
    ("count", Sort::Count),
    ("independent", Sort::Independent),
    ("absence", Sort::Absence),
];

/// Phases that count unless a rule says otherwise: for counting, news of what goes on is no new event.
const ONCE: &[Phase] = &[Phase::Instant, Phase::Raised];
const WITH_NEWS: &[Phase] = &[Phase::Instant, Phase::Raised, Phase::Updated];

/// Reads one file; mistakes are added to `errors`.
pub(super) fn file(
    name: &str,
    text: &str,
    departments: Option<&BTreeSet<DepartmentId>>,
    errors: &mut Vec<RuleError>,
) -> (Vec<ReadRule>, Vec<Case>) {
    let file = File::new(name, text);
    if text.len() > FILE_BYTES_MAX {
        file.note(
            0,
            "",
            format!("the file is longer than {FILE_BYTES_MAX} bytes"),
            None,
        );
        errors.extend(file.into_errors());
        return (Vec::new(), Vec::new());
    }
    let (document, syntax) = DeTable::parse_recoverable(text);
    for e in &syntax {
        let what = e.message().lines().collect::<Vec<_>>().join(", ");
        file.note(e.span().map_or(0, |s| s.start), "", what, None);
    }
    let top = Fields::new(&file, String::new(), 0, document.get_ref());
    let stage = case::Stage::read(&top);
    let tables: Vec<Fields<'_, '_>> = top
        .tables("rule")
        .into_iter()
        .map(Fields::unnamed)
        .collect();
    let starts: Vec<usize> = tables.iter().map(Fields::offset).collect();
    let mut rules = Vec::new();
    let mut cases = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        // what follows from a syntax error inside a rule would only confuse
        let end = starts.get(index + 1).copied().unwrap_or(usize::MAX);
        let broken = syntax
            .iter()
            .filter_map(toml::de::Error::span)
            .any(|span| (table.offset()..end).contains(&span.start));
        file.mute(broken);
        if let Some((rule, rule_cases)) = rule(&file, table, &stage, departments) {
            rules.push(rule);
            cases.extend(rule_cases);
        }
        file.mute(false);
        file.enter_rule(None);
    }
    if syntax.is_empty() {
        if tables.is_empty() {
            top.fail(
                "rule",
                "there is no rule in this file",
                "a rule starts with `[[rule]]`",
            );
        }
        top.done();
    }
    errors.extend(file.into_errors());
    (rules, cases)
}

/// One `[[rule]]`. Everything in it is read, whatever is wrong, so that all mistakes are found at once.
fn rule(
    file: &File<'_>,
    fields: &Fields<'_, '_>,
    stage: &case::Stage,
    departments: Option<&BTreeSet<DepartmentId>>,
) -> Option<(ReadRule, Vec<Case>)> {
    let id_text = fields.text("id", 16, "\"S1\"");
    file.enter_rule(id_text.as_ref().map(|id| id.value));
    let id = id_text.and_then(|text| {
        let id = text.value.parse::<RuleId>().ok();
        if id.is_none() {
            file.note(
                text.offset,
                &text.field,
                format!("`{}` is not a rule id", text.value),
                Some("1 to 16 letters, digits and -, starting with a letter, as in `S1`".into()),
            );
        }
        id
    });
    let title_zh = fields.text("title_zh", TITLE_CHARS_MAX, "\"烟感报警\"");
    let title_en = fields.text("title_en", TITLE_CHARS_MAX, "\"Smoke detector in alarm\"");
    let urgency = urgency(fields);
    let subject = fields
        .text("subject", 100, "\"device\"")
        .and_then(|word| key(file, &word));
    let dedupe_s = fields.whole("dedupe_s", 0, SECONDS_MAX, "300");
    let department = |at: &At<'_, &str>| -> Option<DepartmentId> {
        let id: DepartmentId = at.parse(file)?;
        match departments {
            Some(known) if !known.contains(&id) => {
                file.note(
                    at.offset,
                    &at.field,
                    format!("unknown department `{id}`"),
                    Some(nearest_hint(
                        id.as_str(),
                        known.iter().map(DepartmentId::as_str),
                    )),
                );
                None
            }
            _ => Some(id),
        }
    };
    let lead = fields
        .text("lead", 64, "\"fire\"")
        .and_then(|at| department(&at));
    let co: Vec<DepartmentId> = fields.texts("co").iter().filter_map(department).collect();
    if lead.as_ref().is_some_and(|lead| co.contains(lead)) {
        fields.fail(
            "co",
            "names the lead department again",
            "the lead has its task anyway",
        );
    }
    if co.iter().collect::<BTreeSet<_>>().len() < co.len() {
        fields.fail("co", "names a department twice", "each has one task");
    }
    let latched = fields.yes_if("latched");
    let absorbs: Vec<(RuleId, usize)> = fields
        .texts("absorbs")
        .iter()
        .filter_map(|at| Some((at.parse(file)?, file.line_of(at.offset))))
        .collect();
    let (sop_zh, sop_en) = (steps(fields, "sop_zh"), steps(fields, "sop_en"));
    if sop_zh.len() != sop_en.len() {
        fields.fail(
            "sop_en",
            format!("{} steps, but sop_zh has {}", sop_en.len(), sop_zh.len()),
            "the steps are shown side by side; write one for one",
        );
    }
    let detail = fields
        .texts("detail")
        .iter()
        .map(|at| path(at.value))
        .collect();
    let clocks = fields.table_if("clocks");
    let clocks_read = clocks.as_ref().map(read_clocks);
    let when = fields.table_if("when");
    if when.is_none() && !fields.has("when") {
        fields.fail(
            "when",
            "is missing",
            "as in `[rule.when]` with `is = \"match\"`",
        );
    }
    let condition = when.as_ref().and_then(condition);
    let clear_fields = fields.table_if("clear");
    let clear = clear_fields.as_ref().map(|fields| {
        let clear = matcher(fields, WITH_NEWS);
        fields.done();
        clear
    });
    check_together(
        fields,
        subject.as_ref(),
        condition.as_ref(),
        urgency.as_ref(),
    );
    let cases = case::read_cases(fields, id.as_ref(), stage);
    fields.done();

    let id = id?;
    let line = file.line_of(fields.offset());
    let rule = (|| {
        let urgency = urgency?;
        Some(Rule {
            meta: RuleMeta {
                id: id.clone(),
                title_zh: title_zh?.value.trim().to_owned(),
                title_en: title_en?.value.trim().to_owned(),
                lead: lead?,
                co,
                dedupe_s: u32::try_from(dedupe_s?).ok()?,
                latched: latched.unwrap_or(urgency.always == Severity::P1),
                absorbs: absorbs.iter().map(|(id, _)| id.clone()).collect(),
                sop_zh,
                sop_en,
                clocks: clocks_read.flatten(),
            },
            urgency,
            subject: subject?,
            condition: condition?,
            clear: clear.flatten(),
            detail,
        })
    })();
    let read = ReadRule {
        file: file.name().to_owned(),
        line,
        id,
        absorbs,
        rule,
    };
    Some((read, cases))
}

/// What is right by itself and makes no sense together.
fn check_together(
    fields: &Fields<'_, '_>,
    subject: Option<&Key>,
    condition: Option<&Condition>,
    urgency: Option<&Urgency>,
) {
    match (condition, subject) {
        (Some(Condition::Absence { .. }), Some(subject)) if *subject != Key::Device => fields.fail(
            "subject",
            "an absence is always about one device",
            "write `subject = \"device\"`",
        ),
        (Some(Condition::Independent { .. }), Some(Key::Device | Key::Door)) => fields.fail(
            "subject",
            "several devices have no device in common",
            "write `subject = \"zone\"` or `subject = \"site\"`",
        ),
        _ => {}
    }
    if matches!(condition, Some(Condition::Absence { .. })) && fields.has("clear") {
        fields.fail(
            "clear",
            "an absence ends when the device speaks",
            "leave `[rule.clear]` out",
        );
    }
    let watches = condition
        .and_then(Condition::matcher)
        .is_some_and(|m| m.watch_list);
    if !watches && urgency.is_some_and(|u| u.violent.is_some()) {
        fields.fail(
            "severity_violent",
            "nothing is looked up on the watch list",
            "it needs `watch_list = true` in `[rule.when]`",
        );
    }
}

fn severity(file: &File<'_>, at: &At<'_, &str>) -> Option<Severity> {
    at.one_of(file, "severity", SEVERITIES)
}

fn urgency(fields: &Fields<'_, '_>) -> Option<Urgency> {
    let file = fields.file;
    let always = fields
        .text("severity", 8, "\"P2\"")
        .and_then(|at| severity(file, &at));
    let violent = fields
        .text_if("severity_violent", 8)
        .and_then(|at| severity(file, &at));
    let mut hours = Vec::new();
    if let Some(table) = fields.table_if("severity_hours") {
        for (span, offset, value) in table.open_entries() {
            let field = format!("severity_hours.{span}");
            let severity = value.get_ref().as_str().map_or_else(
                || {
                    file.note(
                        offset,
                        &field,
                        "is not a severity".to_owned(),
                        Some("as in `\"23:00-06:00\" = \"P2\"`".to_owned()),
                    );
                    None
                },
                |value| {
                    let at = At {
                        value,
                        offset,
                        field: field.as_str().into(),
                    };
                    severity(file, &at)
                },
            );
            match (read_hours(span), severity) {
                (Some(span), Some(severity)) => hours.push((span, severity)),
                (None, _) => file.note(
                    offset,
                    &field,
                    format!("`{span}` is not a part of the day"),
                    Some("as in `\"23:00-06:00\"`, from the first minute up to the second".into()),
                ),
                (_, None) => {}
            }
        }
    }
    Some(Urgency {
        always: always?,
        hours,
        violent,
    })
}

fn read_hours(text: &str) -> Option<Hours> {
    let (from, to) = text.split_once('-')?;
    let time = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let hours = Hours {
        from: time(from)?,
        to: time(to)?,
    };
    (hours.from != hours.to).then_some(hours)
}

fn steps(fields: &Fields<'_, '_>, name: &'static str) -> Vec<String> {
    let steps: Vec<String> = fields
        .texts(name)
        .iter()
        .map(|at| at.value.trim().to_owned())
        .collect();
    if steps.is_empty() {
        fields.fail(
            name,
            "has no steps",
            "the operator works through these; one short sentence each",
        );
    }
    if steps.len() > STEPS_MAX || steps.iter().any(|s| s.chars().count() > STEP_CHARS_MAX) {
        fields.fail(
            name,
            format!("more than {STEPS_MAX} steps or {STEP_CHARS_MAX} characters in one"),
            "nobody reads that at 3 a.m.",
        );
    }
    steps
}

fn read_clocks(fields: &Fields<'_, '_>) -> Option<Clocks> {
    let seconds = |name| {
        fields
            .whole(name, 1, SECONDS_MAX, "60")
            .and_then(|n| u32::try_from(n).ok())
    };
    let (acknowledge, claim) = (seconds("acknowledge_s"), seconds("claim_s"));
    let (arrive, resolve) = (seconds("arrive_s"), seconds("resolve_s"));
    fields.done();
    Some(Clocks {
        acknowledge_s: acknowledge?,
        claim_s: claim?,
        arrive_s: arrive?,
        resolve_s: resolve?,
    })
}

fn key(file: &File<'_>, at: &At<'_, &str>) -> Option<Key> {
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

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

fn condition(fields: &Fields<'_, '_>) -> Option<Condition> {
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
    };
    fields.done();
    condition
}

fn matcher(fields: &Fields<'_, '_>, phases: &[Phase]) -> Option<Matcher> {
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
    })
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
