//! What a finding says to people: the words in its detail, and the end of an alarm.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::condition::Condition;
use super::super::key::foreign;
use super::super::set::Rule;
use super::super::view::View;
use super::super::{Finding, FindingKind};
use super::slot::{Memory, Open, Slot};
use super::source::{Source, SourceState};
use crate::Timestamp;

/// An event that is older than this when the hub takes it says so in its finding (`late`), in seconds.
pub const LATE_S: i64 = 600;

/// The alarm returns to normal because time passed.
pub(super) fn ended(rule: &Rule, subject: &str, open: &Open, now: Timestamp) -> Finding {
    Finding {
        rule: rule.meta.id.clone(),
        subject: subject.to_owned(),
        what: FindingKind::Cleared,
        severity: open.severity,
        site: open.site.clone(),
        class: open.class,
        zone: open.zone.clone(),
        device: Some(open.device.clone()),
        at: now,
        occurred_at: now,
        event: None,
        seq: None,
        lasting: false,
        detail: BTreeMap::from([("count".to_owned(), open.count.to_string())]),
    }
}

/// Time alone raises the alarm.
pub(super) fn ripened(
    rule: &Rule,
    subject: &str,
    source: &Source,
    open: &Open,
    now: Timestamp,
) -> Finding {
    let mut detail = source
        .told
        .as_ref()
        .map(|told| told.detail.clone())
        .unwrap_or_default();
    let held = now.duration_since(source.since());
    detail.insert("held_s".to_owned(), held.as_secs().to_string());
    detail.insert("count".to_owned(), open.count.to_string());
    Finding {
        rule: rule.meta.id.clone(),
        subject: subject.to_owned(),
        what: FindingKind::Raised,
        severity: open.severity,
        site: open.site.clone(),
        class: open.class,
        zone: open.zone.clone(),
        device: Some(open.device.clone()),
        at: now,
        occurred_at: now,
        event: None,
        seq: None,
        lasting: source.state == SourceState::Active,
        detail,
    }
}

/// Words for texts that one event gives.
pub(super) fn facts(rule: &Rule, view: &View<'_>) -> BTreeMap<String, String> {
    let event = view.event;
    let mut detail = BTreeMap::new();
    let mut put = |key: &str, value: String| detail.insert(key.to_owned(), value);
    for path in &rule.detail {
        if let (Some(key), Some(value)) = (path.last(), view.attr_text(path)) {
            put(key, foreign(&value));
        }
    }
    put("kind", event.kind.as_str().to_owned());
    if let Some(heard) = view.heard {
        put("rule", heard.rule.to_string());
    }
    if let Some(component) = &event.component {
        put("component", foreign(component));
    }
    if let Condition::Threshold { reading, .. } = &rule.condition
        && let (Some(key), Some(value)) = (reading.last(), view.attr_text(reading))
    {
        put(key, foreign(&value));
    }
    if let Some(entry) = view.watched().filter(|_| rule.condition.watches()) {
        // under the name that a mask knows
        if let Some(attr) = entry.class.attrs().first() {
            put(attr, foreign(&entry.class.normal(&entry.name)));
        }
        put("watch_reason", foreign(&entry.reason));
        put("watch_owner", entry.owner.to_string());
    }
    let age = event.received_at.duration_since(event.occurred_at);
    if age > SignedDuration::from_secs(LATE_S) {
        put("late", "true".to_owned());
    }
    detail
}

/// Words for texts.
pub(super) fn detail(
    rule: &Rule,
    view: &View<'_>,
    slot: &Slot,
    open: &Open,
) -> BTreeMap<String, String> {
    let mut detail = facts(rule, view);
    let mut put = |key: &str, value: String| detail.insert(key.to_owned(), value);
    let count = slot.number(rule).unwrap_or(open.count);
    put("count", count.to_string());
    let several = matches!(
        rule.condition,
        Condition::Independent { .. } | Condition::Sequence { .. } | Condition::Share { .. }
    );
    if several {
        const SHOWN_MAX: usize = 8;
        let devices = slot.devices();
        let mut list: Vec<&str> = devices.iter().take(SHOWN_MAX).map(|d| d.as_str()).collect();
        if devices.len() > SHOWN_MAX {
            list.push("…");
        }
        put("devices", list.join(" "));
    }
    if let Memory::Share { of, .. } = &slot.memory {
        put("of", of.to_string());
    }
    detail
}
