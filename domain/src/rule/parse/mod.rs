//! From the text of a rule file to rules. The words of a rule are here, those of its condition in `when.rs`; what they mean is
//! said in `condition.rs`.

pub(super) mod matcher;
#[cfg(test)]
mod tests;
mod urgency;
mod when;

use std::collections::BTreeSet;

use toml::de::DeTable;

use self::matcher::{Defaults, ENDS, WITH_NEWS, matcher, path};
use self::urgency::urgency;
use self::when::{condition, subject};
use super::book::{Clocks, Mode, Reach, ReportPlan, RuleMeta, Suppression};
use super::case::{self, Case};
use super::check::ReadRule;
use super::condition::{Condition, Urgency};
use super::error::{RuleError, nearest_hint};
use super::fields::{At, Fields, File};
use super::key::Key;
use super::set::{FILE_BYTES_MAX, Rule};
use crate::{DepartmentId, RuleId, Severity};

const TITLE_CHARS_MAX: usize = 60;
const STEP_CHARS_MAX: usize = 300;
const STEPS_MAX: usize = 20;
/// A year: longer windows are counters, not windows.
const SECONDS_MAX: i64 = 366 * 24 * 3600;

pub(super) const SEVERITIES: &[(&str, Severity)] = &[
    ("P1", Severity::P1),
    ("P2", Severity::P2),
    ("P3", Severity::P3),
    ("P4", Severity::P4),
];
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
    let subject = subject(fields);
    let off_delay_s = fields.whole_if("off_delay_s", 0, SECONDS_MAX);
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
    let mode = fields
        .text_if("mode", 20)
        .map_or(Some(Mode::default()), |at| {
            at.one_of(file, "mode", Mode::WORDS)
        });
    let (verify, silent) = (fields.yes_if("verify"), fields.yes_if("silent"));
    let fire_mode = fields.yes_if("fire_mode");
    let (suppresses, suppressed) = suppression(file, fields);
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
        let defaults = Defaults {
            heard: ENDS,
            ..Defaults::of(WITH_NEWS)
        };
        let clear = matcher(fields, defaults);
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
        let (urgency, condition) = (urgency?, condition?);
        let reports = match &condition {
            Condition::Report(types) => Some(ReportPlan {
                types: types.clone(),
                severity: urgency.always,
            }),
            _ => None,
        };
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
                mode: mode?,
                verify: verify.unwrap_or(false),
                silent: silent.unwrap_or(false),
                fire_mode: fire_mode.unwrap_or(false),
                suppresses,
                reports,
                threshold: condition.threshold(),
            },
            urgency,
            subject: subject?,
            condition,
            clear: clear.flatten(),
            off_delay_s: off_delay_s.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            detail,
        })
    })();
    let read = ReadRule {
        file: file.name().to_owned(),
        line,
        id,
        absorbs,
        suppressed,
        listens: file.take_listens(),
        rule,
    };
    Some((read, cases))
}

/// `[rule.suppresses]`, and the rules that it names, each with its line.
fn suppression(
    file: &File<'_>,
    fields: &Fields<'_, '_>,
) -> (Option<Suppression>, Vec<(RuleId, usize)>) {
    let Some(table) = fields.table_if("suppresses") else {
        return (None, Vec::new());
    };
    let rules: Vec<(RuleId, usize)> = table
        .texts("rules")
        .iter()
        .filter_map(|at| Some((at.parse(file)?, file.line_of(at.offset))))
        .collect();
    if rules.is_empty() {
        table.fail("rules", "names no rule", "as in `rules = [\"S7\"]`");
    }
    let within = table
        .text("within", 20, "\"building\"")
        .and_then(|at| at.one_of(file, "reach", Reach::WORDS));
    table.done();
    let suppresses = within.map(|within| Suppression {
        rules: rules.iter().map(|(id, _)| id.clone()).collect(),
        within,
    });
    (suppresses, rules)
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
        (Some(Condition::Quiet { .. }), Some(subject)) if *subject != Key::Household => fields
            .fail(
                "subject",
                "it is about a flat",
                "write `subject = \"household\"`",
            ),
        (Some(Condition::Independent { .. }), Some(Key::Device | Key::Door)) => fields.fail(
            "subject",
            "several devices have no device in common",
            "write `subject = \"zone\"` or `subject = \"site\"`",
        ),
        (Some(Condition::Share { .. }), Some(subject))
            if !matches!(
                subject,
                Key::Building | Key::Site | Key::Zone | Key::Grid | Key::Household
            ) =>
        {
            fields.fail(
                "subject",
                "a share is of the devices of a place",
                "write `subject = \"building\"`, `\"site\"`, `\"zone\"`, `\"grid\"` or `\"household\"`",
            );
        }
        (Some(condition), Some(subject))
            if subject.parts().contains(&Key::RuleGrid)
                && condition.matchers().iter().any(|m| m.rules.is_empty()) =>
        {
            fields.fail(
                "subject",
                "no rule is listened to",
                "`rule@grid` needs `rules` in `[rule.when]`",
            );
        }
        (Some(condition), Some(subject))
            if subject.parts().contains(&Key::Watched)
                && (condition.matchers().is_empty()
                    || condition.matchers().iter().any(|m| !m.watch_list)) =>
        {
            fields.fail(
                "subject",
                "nothing is looked up on the watch list",
                "`watched@site` needs `watch_list = true` in `[rule.when]`",
            );
        }
        _ => {}
    }
    let is_absence = matches!(
        condition,
        Some(Condition::Absence { .. } | Condition::Quiet { .. })
    );
    if is_absence && fields.has("clear") {
        fields.fail(
            "clear",
            "an absence ends with the next word",
            "leave `[rule.clear]` out",
        );
    }
    if matches!(condition, Some(Condition::Report(_) | Condition::Station)) && fields.has("case") {
        fields.fail(
            "case",
            "no event of a device brings it about",
            "leave the cases out; it is the incident machine that opens this one",
        );
    }
    let watches = condition.is_some_and(Condition::watches);
    if !watches && urgency.is_some_and(|u| u.violent.is_some()) {
        fields.fail(
            "severity_violent",
            "nothing is looked up on the watch list",
            "it needs `watch_list = true` in `[rule.when]`",
        );
    }
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
