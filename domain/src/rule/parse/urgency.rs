//! The words of how urgent a rule is: always, by the hour, by place, by number, by plate.

use jiff::civil::Time;

use super::super::condition::{Hours, Urgency};
use super::super::fields::{At, Fields, File};
use super::SEVERITIES;
use super::matcher::ZONE_KINDS;
use crate::Severity;

fn severity(file: &File<'_>, at: &At<'_, &str>) -> Option<Severity> {
    at.one_of(file, "severity", SEVERITIES)
}

pub(super) fn urgency(fields: &Fields<'_, '_>) -> Option<Urgency> {
    let file = fields.file;
    let always = fields
        .text("severity", 8, "\"P2\"")
        .and_then(|at| severity(file, &at));
    let violent = fields
        .text_if("severity_violent", 8)
        .and_then(|at| severity(file, &at));
    let mut hours = Vec::new();
    severities(
        fields,
        "severity_hours",
        "\"23:00-06:00\"",
        |span, offset, field| {
            let read = read_hours(span);
            if read.is_none() {
                file.note(
                    offset,
                    field,
                    format!("`{span}` is not a part of the day"),
                    Some("as in `\"23:00-06:00\"`, from the first minute up to the second".into()),
                );
            }
            read
        },
        &mut hours,
    );
    let mut zones = Vec::new();
    severities(
        fields,
        "severity_zone",
        "fire_door",
        |word, offset, field| {
            let at = At {
                value: word,
                offset,
                field: field.into(),
            };
            at.one_of(file, "kind of zone", ZONE_KINDS)
        },
        &mut zones,
    );
    let mut counts = Vec::new();
    severities(
        fields,
        "severity_count",
        "\"3\"",
        |word, offset, field| {
            let count = word.parse::<u64>().ok().filter(|count| *count > 0);
            if count.is_none() {
                file.note(
                    offset,
                    field,
                    format!("`{word}` is not a number from 1 up"),
                    Some("as in `\"3\" = \"P3\"`: from the third on".into()),
                );
            }
            count
        },
        &mut counts,
    );
    Some(Urgency {
        always: always?,
        hours,
        zones,
        counts,
        violent,
    })
}

/// A table of severities, its keys read by `read`.
fn severities<'t, K>(
    fields: &Fields<'_, 't>,
    name: &'static str,
    example: &str,
    read: impl Fn(&'t str, usize, &str) -> Option<K>,
    into: &mut Vec<(K, Severity)>,
) {
    let file = fields.file;
    let Some(table) = fields.table_if(name) else {
        return;
    };
    for (word, offset, value) in table.open_entries() {
        let field = format!("{name}.{word}");
        let severity = if let Some(value) = value.get_ref().as_str() {
            let at = At {
                value,
                offset,
                field: field.as_str().into(),
            };
            severity(file, &at)
        } else {
            file.note(
                offset,
                &field,
                "is not a severity".to_owned(),
                Some(format!("as in `{example} = \"P2\"`")),
            );
            None
        };
        if let (Some(key), Some(severity)) = (read(word, offset, &field), severity) {
            into.push((key, severity));
        }
    }
}

pub(super) fn read_hours(text: &str) -> Option<Hours> {
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
