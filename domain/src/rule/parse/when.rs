//! The words of `[rule.when]`: the sorts of condition, each with its numbers. What concerns a rule is read in `matcher.rs`.

use super::super::book::ReportType;
use super::super::condition::{Condition, Limit, Step};
use super::super::error::nearest_hint;
use super::super::fields::{At, Fields, File};
use super::super::key::Key;
use super::SECONDS_MAX;
use super::matcher::{CLASSES, Defaults, ONCE, WITH_NEWS, attr_path, matcher};
use super::urgency::read_hours;
use crate::{DeviceClass, Kind, Phase};

/// Most events or devices that a condition may ask for.
const AT_LEAST_MAX: i64 = 200;
/// Most steps of a sequence.
const STEPS_MAX: usize = 8;
/// Most days that are counted.
const DAYS_MAX: i64 = 366;

#[derive(Clone, Copy)]
enum Sort {
    Match,
    Count,
    Independent,
    Held,
    Threshold,
    Fleeting,
    Sequence,
    Share,
    Days,
    Absence,
    Report,
    Station,
}
const SORTS: &[(&str, Sort)] = &[
    ("match", Sort::Match),
    ("count", Sort::Count),
    ("independent", Sort::Independent),
    ("held", Sort::Held),
    ("threshold", Sort::Threshold),
    ("fleeting", Sort::Fleeting),
    ("sequence", Sort::Sequence),
    ("share", Sort::Share),
    ("days", Sort::Days),
    ("absence", Sort::Absence),
    ("report", Sort::Report),
    ("station", Sort::Station),
];

/// A subject: one word, or several in a list.
pub(super) fn subject(fields: &Fields<'_, '_>) -> Option<Key> {
    let file = fields.file;
    if !fields.has("subject") {
        fields.text("subject", 100, "\"device\"");
        return None;
    }
    let words = fields.texts("subject");
    let keys: Option<Vec<Key>> = words.iter().map(|at| key(file, at)).collect();
    let mut keys = keys?;
    if keys.len() > 4 {
        fields.fail(
            "subject",
            "has more than 4 parts",
            "one alarm is about one thing",
        );
        return None;
    }
    // screens mask a plate where it stands first
    let is_masked = |key: &Key| matches!(key, Key::Plate | Key::Watched);
    if keys.iter().skip(1).any(is_masked) {
        fields.fail(
            "subject",
            "has a plate that does not stand first",
            "as in `subject = [\"plate@site\", \"zone\"]`",
        );
        return None;
    }
    if keys.len() > 1 {
        return Some(Key::All(keys));
    }
    keys.pop()
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

pub(super) fn condition(fields: &Fields<'_, '_>) -> Option<Condition> {
    let file = fields.file;
    let sort = fields
        .text("is", 20, "\"match\"")
        .and_then(|at| at.one_of(file, "sort of condition", SORTS));
    let condition = match sort {
        // what fields there should be is not known: complaining about them would only mislead
        None => return None,
        Some(Sort::Match) => matcher(fields, Defaults::of(WITH_NEWS)).map(Condition::Match),
        Some(Sort::Count) => count(fields),
        Some(Sort::Independent) => independent(fields),
        Some(Sort::Held) => held(fields),
        Some(Sort::Threshold) => threshold(fields),
        Some(Sort::Fleeting) => fleeting(fields),
        Some(Sort::Sequence) => sequence(fields),
        Some(Sort::Share) => share(fields),
        Some(Sort::Days) => days(fields),
        Some(Sort::Absence) => absence(fields),
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
        Some(Sort::Station) => Some(Condition::Station),
    };
    fields.done();
    condition
}

fn seconds(fields: &Fields<'_, '_>, name: &'static str, min: i64) -> Option<u32> {
    let number = fields.whole(name, min, SECONDS_MAX, "300")?;
    u32::try_from(number).ok()
}

fn many(fields: &Fields<'_, '_>, name: &'static str, min: i64, max: i64) -> Option<u32> {
    let number = fields.whole(name, min, max, "2")?;
    u32::try_from(number).ok()
}

fn count(fields: &Fields<'_, '_>) -> Option<Condition> {
    let matcher = matcher(fields, Defaults::of(ONCE));
    let at_least = many(fields, "at_least", 1, AT_LEAST_MAX);
    let within_s = seconds(fields, "within_s", 1);
    let wanted = fields.text_if("distinct", 100);
    let distinct = wanted.as_ref().map(|at| key(fields.file, at));
    Some(Condition::Count {
        matcher: matcher?,
        at_least: at_least? as usize,
        within_s: within_s?,
        distinct: match distinct {
            Some(key) => Some(key?),
            None => None,
        },
    })
}

fn independent(fields: &Fields<'_, '_>) -> Option<Condition> {
    let matcher = matcher(fields, Defaults::of(WITH_NEWS));
    let at_least = many(fields, "at_least", 2, AT_LEAST_MAX);
    let within_s = seconds(fields, "within_s", 1);
    Some(Condition::Independent {
        matcher: matcher?,
        at_least: at_least? as usize,
        within_s: within_s?,
    })
}

fn held(fields: &Fields<'_, '_>) -> Option<Condition> {
    let matcher = matcher(fields, Defaults::of(WITH_NEWS));
    let for_s = seconds(fields, "for_s", 1);
    let repeat = fields.has("repeat_within_s");
    let repeat_within_s = fields.whole_if("repeat_within_s", 1, SECONDS_MAX);
    if repeat && repeat_within_s.is_none() {
        return None;
    }
    Some(Condition::Held {
        matcher: matcher?,
        for_s: for_s?,
        repeat_within_s: repeat_within_s.and_then(|n| u32::try_from(n).ok()),
    })
}

fn threshold(fields: &Fields<'_, '_>) -> Option<Condition> {
    let defaults = Defaults {
        kinds: &[Kind::DeviceTelemetry],
        ..Defaults::of(WITH_NEWS)
    };
    let matcher = matcher(fields, defaults);
    let reading = fields.text("reading", 100, "\"battery_percent\"");
    let (below, above) = (fields.number_if("below"), fields.number_if("above"));
    let clear_above = fields.number_if("clear_above");
    let clear_below = fields.number_if("clear_below");
    let for_s = if fields.has("for_s") {
        seconds(fields, "for_s", 0)
    } else {
        Some(0)
    };
    let limit = match (below, above) {
        (Some(limit), None) => {
            if fields.has("clear_below") {
                fields.fail("clear_below", "belongs to `above`", "write `clear_above`");
            }
            let clear = clear_above.unwrap_or(limit);
            if clear < limit {
                fields.fail(
                    "clear_above",
                    "lies below the limit itself",
                    "it is well again above the limit, or there",
                );
            }
            Some(Limit::Below { limit, clear })
        }
        (None, Some(limit)) => {
            if fields.has("clear_above") {
                fields.fail("clear_above", "belongs to `below`", "write `clear_below`");
            }
            let clear = clear_below.unwrap_or(limit);
            if clear > limit {
                fields.fail(
                    "clear_below",
                    "lies above the limit itself",
                    "it is well again below the limit, or there",
                );
            }
            Some(Limit::Above { limit, clear })
        }
        (None, None) if fields.has("below") || fields.has("above") => None,
        _ => {
            fields.fail(
                "below",
                "there must be one limit, `below` or `above`",
                "as in `below = 20`",
            );
            None
        }
    };
    Some(Condition::Threshold {
        matcher: matcher?,
        reading: attr_path(reading?.value),
        limit: limit?,
        for_s: for_s?,
    })
}

fn fleeting(fields: &Fields<'_, '_>) -> Option<Condition> {
    const BEGINS: &[Phase] = &[Phase::Raised];
    let matcher = matcher(fields, Defaults::of(BEGINS));
    let within_s = seconds(fields, "within_s", 1);
    Some(Condition::Fleeting {
        matcher: matcher?,
        within_s: within_s?,
    })
}

fn sequence(fields: &Fields<'_, '_>) -> Option<Condition> {
    let tables = fields.tables("step");
    if !(2..=STEPS_MAX).contains(&tables.len()) {
        fields.fail(
            "step",
            format!("{} steps are not 2 to {STEPS_MAX}", tables.len()),
            "each is a table `[[rule.when.step]]` with its kinds or rules",
        );
    }
    let steps: Vec<Option<Step>> = tables
        .iter()
        .map(|table| {
            let active = table.yes_if("active").unwrap_or(false);
            let phases = if active { WITH_NEWS } else { ONCE };
            let matcher = matcher(table, Defaults::of(phases));
            table.done();
            Some(Step {
                matcher: matcher?,
                active,
            })
        })
        .collect();
    let within_s = seconds(fields, "within_s", 1);
    let ordered = fields.yes_if("ordered").unwrap_or(false);
    let steps: Option<Vec<Step>> = steps.into_iter().collect();
    Some(Condition::Sequence {
        steps: steps.filter(|steps| (2..=STEPS_MAX).contains(&steps.len()))?,
        within_s: within_s?,
        ordered,
    })
}

fn share(fields: &Fields<'_, '_>) -> Option<Condition> {
    let matcher = matcher(fields, Defaults::of(WITH_NEWS));
    let within_s = seconds(fields, "within_s", 1);
    let share = fields.number_if("share");
    if !fields.has("share") {
        fields.fail("share", "is missing", "as in `share = 0.3`");
    }
    if share.is_some_and(|share| !(0.01..=1.0).contains(&share)) {
        fields.fail(
            "share",
            "is not from 0.01 to 1",
            "0.3 is 30 % of the devices",
        );
        return None;
    }
    Some(Condition::Share {
        matcher: matcher?,
        share: share?,
        within_s: within_s?,
    })
}

fn days(fields: &Fields<'_, '_>) -> Option<Condition> {
    let matcher = matcher(fields, Defaults::of(ONCE));
    let at_least = many(fields, "at_least", 1, 1_000_000);
    let days = many(fields, "days", 1, DAYS_MAX);
    let of_days = many(fields, "of_days", 1, DAYS_MAX);
    if days > of_days && of_days.is_some() {
        fields.fail(
            "days",
            "is more than `of_days`",
            "as in `days = 3`, `of_days = 7`",
        );
    }
    let registered_over = fields.whole_if("registered_over", 0, 1000);
    Some(Condition::Days {
        matcher: matcher?,
        at_least: at_least?,
        registered_over: registered_over.and_then(|n| u16::try_from(n).ok()),
        days: days?,
        of_days: of_days?,
    })
}

/// Nothing moves in a flat.
fn quiet(fields: &Fields<'_, '_>) -> Option<Condition> {
    const OF: &[(&str, ())] = &[("elder_care", ())];
    let of = fields
        .text("of", 20, "\"elder_care\"")
        .and_then(|at| at.one_of(fields.file, "list of the registry", OF));
    let matcher = matcher(fields, Defaults::of(WITH_NEWS));
    let after_s = seconds(fields, "after_s", 60);
    let waking = fields.text_if("waking", 20).map(|at| {
        let hours = read_hours(at.value);
        if hours.is_none() {
            fields.fail(
                "waking",
                format!("`{}` is not a part of the day", at.value),
                "as in `waking = \"07:00-22:00\"`",
            );
        }
        hours
    });
    of?;
    Some(Condition::Quiet {
        matcher: matcher?,
        after_s: after_s?,
        waking: match waking {
            Some(waking) => Some(waking?),
            None => None,
        },
    })
}

fn absence(fields: &Fields<'_, '_>) -> Option<Condition> {
    if fields.has("of") {
        return quiet(fields);
    }
    let classes: Vec<DeviceClass> = fields
        .texts("class")
        .iter()
        .filter_map(|at| at.one_of(fields.file, "device class", CLASSES))
        .collect();
    if !fields.has("class") {
        fields.fail("class", "is missing", "as in `class = \"fire_sensor\"`");
    }
    let heartbeats = many(fields, "heartbeats", 1, 1000);
    Some(Condition::Absence {
        classes,
        heartbeats: heartbeats?,
    })
}
