//! One event on its way through one rule.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::super::condition::Condition;
use super::super::key::Key;
use super::super::set::Rule;
use super::super::view::View;
use super::super::{Finding, FindingKind};
use super::book::{Book, Taken};
use super::chain::Out;
use super::slot::{Noted, Open, Slot, after};
use super::source::{News, Source, SourceState, Told};
use super::tell::{detail, ended, facts, ripened};
use super::world::World;
use super::{REFRESH_S, fleeting};
use crate::{Kind, Phase, Timestamp};

pub(super) struct Work<'w> {
    pub(super) world: &'w World,
    pub(super) rule: &'w Rule,
    pub(super) number: u16,
    pub(super) book: &'w mut Book,
    pub(super) dirty: &'w mut HashSet<(u16, Arc<str>)>,
    pub(super) evicted: &'w mut u64,
    pub(super) out: &'w mut Out,
}

impl Work<'_> {
    /// The subject; what needs one event only falls back to the device, so that an alarm from an unknown place still rings.
    fn subject(&self, view: &View<'_>) -> Option<String> {
        let fallback = || match self.rule.condition {
            Condition::Match(_) | Condition::Held { .. } | Condition::Threshold { .. } => {
                Key::Device.of(view)
            }
            _ => None,
        };
        self.rule.subject.of(view).or_else(fallback)
    }

    pub(super) fn trigger(&mut self, view: &View<'_>, step: u8) {
        let Some(matcher) = self.rule.condition.matcher(step) else {
            return;
        };
        if let Condition::Quiet { .. } = &self.rule.condition {
            if view.fits(matcher)
                && let Some(subject) = self.subject(view)
            {
                self.out.moved(self.number, subject, view.event);
            }
            return;
        }
        if let Condition::Fleeting { within_s, .. } = &self.rule.condition {
            return fleeting::trigger(self, view, matcher, *within_s);
        }
        if view.event.phase == Phase::Cleared && !matcher.phases.contains(&Phase::Cleared) {
            let counts = matches!(
                self.rule.condition,
                Condition::Count { .. } | Condition::Days { .. }
            );
            if !counts && view.stands_where(matcher) {
                self.over(view, Some(view.event.kind), step);
            }
            return;
        }
        if let Some(path) = &matcher.edge
            && view.stands_where(matcher)
            && !self.has_changed(view, path)
        {
            return;
        }
        if !view.fits(matcher) {
            return;
        }
        match &self.rule.condition {
            Condition::Threshold { reading, limit, .. } => {
                let number = view.attr(reading).and_then(serde_json::Value::as_f64);
                match number.map(|number| limit.beyond(number)) {
                    Some(Some(true)) => self.hit(view, step),
                    Some(Some(false)) => self.over(view, Some(view.event.kind), step),
                    // between the limits, or no number
                    Some(None) | None => {}
                }
            }
            _ => self.hit(view, step),
        }
    }

    pub(super) fn clear(&mut self, view: &View<'_>) {
        if self.rule.clear.as_ref().is_some_and(|m| view.fits(m)) {
            self.over(view, None, 0);
        }
    }

    /// Whether the attribute differs from the last one of the same part of the same device; one that is missing always does.
    fn has_changed(&mut self, view: &View<'_>, path: &[String]) -> bool {
        let (Some(value), Some(subject)) = (view.attr_text(path), self.subject(view)) else {
            return true;
        };
        let event = view.event;
        let part = event.component.as_deref().unwrap_or_default();
        let key = format!("{}/{part}/{}", event.device, event.kind);
        let mut taken = self.take(subject);
        let edges = &mut taken.slot.edges;
        if edges.get(&key) == Some(&value) {
            self.book.put(self.rule, taken);
            return false;
        }
        if edges.len() >= self.world.limits.sources_per_subject && !edges.contains_key(&key) {
            edges.pop_first();
            *self.evicted += 1;
        }
        edges.insert(key, super::super::key::foreign(&value));
        self.give_back(taken);
        true
    }

    /// The state in which a matching event leaves its source.
    fn state(&self, view: &View<'_>) -> SourceState {
        match self.rule.condition {
            Condition::Threshold { .. }
            | Condition::Held {
                repeat_within_s: None,
                ..
            } => SourceState::Active,
            _ => SourceState::of(view.event.phase),
        }
    }

    /// A matching event.
    fn hit(&mut self, view: &View<'_>, step: u8) {
        let rule = self.rule;
        let value = match &rule.condition {
            Condition::Count {
                distinct: Some(key),
                ..
            } => match key.of(view) {
                Some(value) => Some(value),
                None => return,
            },
            _ => None,
        };
        let Some(subject) = self.subject(view) else {
            return;
        };
        let mut source = Source::new(view, self.state(view));
        source.step = step;
        let waits = matches!(
            rule.condition,
            Condition::Held { .. } | Condition::Threshold { .. }
        );
        if waits {
            source.told = Some(Box::new(Told {
                site: view.event.site.clone(),
                detail: facts(rule, view),
            }));
        }
        let of = match rule.condition {
            Condition::Share { .. } => self.world.total(self.number, &subject),
            _ => 0,
        };
        let noted = Noted { source, value, of };
        self.note(view, subject, noted);
    }

    /// Puts what a matching event adds into the slot of a subject, and raises its alarm if that fulfils the condition.
    pub(super) fn note(&mut self, view: &View<'_>, subject: String, noted: Noted) {
        let now = view.event.received_at;
        let mut taken = self.take(subject);
        lapse(self.world, self.number, &mut taken, now, self.out);
        let most = self.world.limits.sources_per_subject;
        let (news, evicted) = taken.slot.note(self.rule, view, noted, most);
        *self.evicted += evicted;
        if taken.slot.open.is_some() || taken.slot.fulfilled(self.rule, now) {
            self.raise(view, &mut taken, news);
        }
        self.give_back(taken);
    }

    /// A device says that it is over.
    pub(super) fn over(&mut self, view: &View<'_>, kind: Option<Kind>, step: u8) {
        let Some(mut taken) = self
            .subject(view)
            .and_then(|subject| self.book.take(&subject))
        else {
            return;
        };
        let now = view.event.received_at;
        lapse(self.world, self.number, &mut taken, now, self.out);
        taken.slot.clear(self.rule, view, kind, step);
        if let Some(open) = taken.slot.close(self.rule, now) {
            let mut finding = ended(self.rule, &taken.subject, &open, now);
            finding.device = Some(view.event.device.clone());
            finding.occurred_at = view.event.occurred_at;
            if view.heard.is_none_or(|heard| !heard.by_time) {
                finding.event = Some(view.event.id);
                finding.seq = Some(view.event.seq);
            }
            self.out
                .tell(finding, self.number, Phase::Cleared, view.event.kind);
        }
        self.give_back(taken);
    }

    /// The slot of a subject, with room made for a new one.
    pub(super) fn take(&mut self, subject: String) -> Taken {
        if let Some(taken) = self.book.take(&subject) {
            return taken;
        }
        if self.book.len() >= self.world.limits.subjects_per_rule
            && let Some(gone) = self.book.evict()
        {
            *self.evicted += 1;
            self.dirty.insert((self.number, gone));
        }
        Taken::fresh(subject, Slot::blank(&self.rule.condition))
    }

    pub(super) fn give_back(&mut self, taken: Taken) {
        self.dirty.insert((self.number, Arc::clone(&taken.subject)));
        self.book.put(self.rule, taken);
    }

    /// Opens the alarm, or tells of it again when there is something to tell.
    fn raise(&mut self, view: &View<'_>, taken: &mut Taken, news: News) {
        let Taken { subject, slot, .. } = taken;
        let rule = self.rule;
        let event = view.event;
        let now = event.received_at;
        let before = slot.open.as_ref().map_or(0, |open| open.count);
        let count = slot.number(rule).unwrap_or(before + 1);
        let severity = view.severity(&rule.urgency, count);
        let phase = if slot.open.is_some() {
            Phase::Updated
        } else {
            Phase::Raised
        };
        let tell = if let Some(open) = &mut slot.open {
            open.count += 1;
            let repeats = !matches!(rule.condition, Condition::Days { .. });
            let due = after(open.told_at, SignedDuration::from_secs(REFRESH_S)) <= now;
            let tell = severity < open.severity || news == News::NewSource || (due && repeats);
            open.severity = open.severity.min(severity);
            if tell {
                open.told_at = now;
            }
            tell
        } else {
            slot.open = Some(Open {
                severity,
                site: event.site.clone(),
                class: event.class,
                zone: view.zone.map(|z| z.id.clone()),
                device: event.device.clone(),
                kind: event.kind,
                since: now,
                told_at: now,
                count: 1,
            });
            true
        };
        if let Some(open) = slot.open.as_ref().filter(|_| tell) {
            let by_time = view.heard.is_some_and(|heard| heard.by_time);
            let finding = Finding {
                rule: rule.meta.id.clone(),
                subject: subject.to_string(),
                what: FindingKind::Raised,
                severity: open.severity,
                site: event.site.clone(),
                class: event.class,
                zone: view.zone.map(|z| z.id.clone()),
                device: Some(event.device.clone()),
                at: now,
                occurred_at: event.occurred_at,
                event: (!by_time).then_some(event.id),
                seq: (!by_time).then_some(event.seq),
                lasting: slot.lasts(),
                detail: detail(rule, view, slot, open),
            };
            self.out.tell(finding, self.number, phase, event.kind);
        }
        slot.told();
    }
}

/// Lets time pass in a slot: what was held long enough is an alarm, what was held may be over.
pub(super) fn lapse(world: &World, number: u16, taken: &mut Taken, now: Timestamp, out: &mut Out) {
    let rule = world.rule(number);
    let Taken { subject, slot, .. } = taken;
    if slot.open.is_none()
        && let Some(source) = slot.ripe(rule, now)
    {
        let zone = world.zone_of(&source.device);
        let time = || world.time_zone.to_datetime(now).time();
        let severity = rule.urgency.at(time, zone.map(|z| z.kind), 1);
        let site = source.told.as_ref().map(|told| told.site.clone());
        // a source that waits always has a site; a row of another time without one raises nothing
        if let Some(site) = site.or_else(|| zone.map(|z| z.site.clone())) {
            let open = Open {
                severity,
                site,
                class: source.class,
                zone: zone.map(|z| z.id.clone()),
                device: source.device.clone(),
                kind: source.kind,
                since: now,
                told_at: now,
                count: 1,
            };
            let finding = ripened(rule, subject, source, &open, now);
            out.tell(finding, number, Phase::Raised, open.kind);
            slot.open = Some(open);
        }
    }
    slot.forget(rule, now);
    if let Some(open) = slot.close(rule, now) {
        let finding = ended(rule, subject, &open, now);
        out.tell(finding, number, Phase::Cleared, open.kind);
    }
}
