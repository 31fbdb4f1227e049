//! What a finding says to people: the words in its detail, and the end of an alarm.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::condition::Condition;
use super::super::key::foreign;
use super::super::set::Rule;
use super::super::view::View;
use super::super::{Finding, FindingKind};
use super::slot::{Open, Slot};
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
        detail: BTreeMap::from([("count".to_owned(), open.count.to_string())]),
    }
}

/// Words for texts.
pub(super) fn detail(
    rule: &Rule,
    view: &View<'_>,
    slot: &Slot,
    open: &Open,
) -> BTreeMap<String, String> {
    let event = view.event;
    let mut detail = BTreeMap::new();
    let mut put = |key: &str, value: String| detail.insert(key.to_owned(), value);
    for path in &rule.detail {
        if let (Some(key), Some(value)) = (path.last(), view.attr_text(path)) {
            put(key, foreign(&value));
        }
    }
    put("kind", event.kind.as_str().to_owned());
    if let Some(component) = &event.component {
        put("component", foreign(component));
    }
    let count = match rule.condition {
        Condition::Match(_) | Condition::Absence { .. } | Condition::Report(_) => open.count,
        Condition::Count { .. } | Condition::Independent { .. } => slot.weight(rule) as u64,
    };
    put("count", count.to_string());
    if matches!(rule.condition, Condition::Independent { .. }) {
        const SHOWN_MAX: usize = 8;
        let devices = slot.devices();
        let mut list: Vec<&str> = devices.iter().take(SHOWN_MAX).map(|d| d.as_str()).collect();
        if devices.len() > SHOWN_MAX {
            list.push("…");
        }
        put("devices", list.join(" "));
    }
    let watches = rule.condition.matcher().is_some_and(|m| m.watch_list);
    if let Some(entry) = view.watched().filter(|_| watches) {
        put("plate", entry.plate.clone());
        put("watch_reason", foreign(&entry.reason));
        put("watch_owner", entry.owner.to_string());
    }
    let age = event.received_at.duration_since(event.occurred_at);
    if age > SignedDuration::from_secs(LATE_S) {
        put("late", "true".to_owned());
    }
    detail
}
