//! The rule engine: events and the passing of time in, findings and changed rows out. No clock, no store, no thread.
//!
//! Dramatis personae: a *rule* looks for something; a *subject* is what its alarm is about; a *slot* is what the engine
//! remembers of one subject of one rule, and its row in the state database; a *book* holds the slots of one rule; an *ear*
//! listens for one device's silence.
//!
//! **Invariant:** every decision depends only on slots, ears, rules, registry and arguments. Rows restored at any cut point and
//! the rest of the events give the same findings as never having stopped (absence may come later, never earlier).
//!
//! **Refreshes.** A raised alarm is told again (`Raised`, the state layer refreshes the open alarm) when another device joins,
//! when it becomes more urgent, and for plain repeats at most once in [`REFRESH_S`]; `detail.count` tells how many events there
//! were. Severity never falls within one alarm.
//!
//! **Clearing.** What was `raised` holds until the same part of the same device says `cleared` (or the rule's `clear` matches);
//! an `instant` holds for the rule's `dedupe_s` (match) or `within_s` (independent) after its last repeat; a count holds until
//! its window is empty.

mod book;
mod silence;
mod slot;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use self::book::{Book, Taken};
use self::silence::Silences;
use self::slot::{News, Open, Slot, after};
pub use self::tell::LATE_S;
use self::tell::{detail, ended};
use super::condition::{Condition, time_zone};
use super::key::Key;
use super::set::{Rule, RuleSet};
use super::view::View;
use super::{Finding, FindingKind, WindowChange, WindowRow};
use crate::place::{Registry, Zone};
use crate::{DeviceId, Event, Kind, Phase, RuleId, Timestamp, ZoneId};

/// A repeat of what is already raised is told at most once in this time, in seconds.
pub const REFRESH_S: i64 = 10;

/// How much the engine may remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Subjects per rule. About 0.5 kB each.
    pub subjects_per_rule: usize,
    /// Devices (and their parts) that one subject remembers.
    pub sources_per_subject: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            subjects_per_rule: 50_000,
            sources_per_subject: 64,
        }
    }
}

/// What an event of this kind is to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Trigger,
    Clear,
}

/// Rules at work. One engine per site set; single-threaded by design.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    registry: Arc<Registry>,
    time_zone: TimeZone,
    limits: Limits,
    by_kind: Vec<Vec<(u16, Role)>>,
    zones: HashMap<DeviceId, Arc<Zone>>,
    books: Vec<Book>,
    silences: Silences,
    dirty: HashSet<(u16, Arc<str>)>,
    orphans: Vec<String>,
    evicted: u64,
    expr_errors: u64,
}

impl Engine {
    /// An engine that remembers nothing yet. Hours in rules are read on the clock of the registry's community, UTC without one.
    pub fn new(rules: Arc<RuleSet>, registry: Arc<Registry>) -> Self {
        Self::with_limits(rules, registry, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(rules: Arc<RuleSet>, registry: Arc<Registry>, limits: Limits) -> Self {
        let mut by_kind = vec![Vec::new(); Kind::ALL.len()];
        for (index, rule) in rules.rules().iter().enumerate() {
            let roles = [
                (rule.condition.matcher(), Role::Trigger),
                (rule.clear.as_ref(), Role::Clear),
            ];
            for (matcher, role) in roles {
                let kinds: BTreeSet<Kind> = matcher.iter().flat_map(|m| m.kinds.clone()).collect();
                for kind in kinds {
                    by_kind[kind as usize].push((rule_index(index), role));
                }
            }
        }
        let time_zone = registry
            .community
            .as_ref()
            .and_then(|c| time_zone(&c.time_zone))
            .unwrap_or(TimeZone::UTC);
        let shared: HashMap<&ZoneId, Arc<Zone>> = registry
            .zones
            .iter()
            .map(|(id, zone)| (id, Arc::new(zone.clone())))
            .collect();
        let zones = registry
            .devices
            .values()
            .filter_map(|d| Some((d.id.clone(), Arc::clone(shared.get(&d.zone)?))))
            .collect();
        Self {
            zones,
            books: rules.rules().iter().map(|_| Book::default()).collect(),
            silences: Silences::new(&rules, &registry),
            time_zone,
            limits,
            by_kind,
            dirty: HashSet::new(),
            orphans: Vec::new(),
            evicted: 0,
            expr_errors: 0,
            rules,
            registry,
        }
    }

    /// The rules at work.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Takes back the rows that an earlier engine had written, before the first event. Rows that no rule can read any more are
    /// dropped: the next [`take_dirty`](Self::take_dirty) deletes them.
    pub fn restore(&mut self, rows: Vec<WindowRow>) {
        let numbers: HashMap<RuleId, u16> = self
            .rules
            .rules()
            .iter()
            .enumerate()
            .map(|(index, rule)| (rule.meta.id.clone(), rule_index(index)))
            .collect();
        for WindowRow { key, value } in rows {
            let known = key.split_once('|').and_then(|(id, subject)| {
                let number = *numbers.get(&id.parse::<RuleId>().ok()?)?;
                Some((number, subject))
            });
            let taken = known.is_some_and(|(number, subject)| {
                let rule = &self.rules.rules()[usize::from(number)];
                if matches!(rule.condition, Condition::Absence { .. }) {
                    return self.silences.restore(number, subject, &value);
                }
                match serde_json::from_str::<Slot>(&value) {
                    Ok(slot) if slot.belongs_to(&rule.condition) => {
                        let book = &mut self.books[usize::from(number)];
                        let mut taken = book
                            .take(subject)
                            .unwrap_or_else(|| Taken::fresh(subject, slot.clone()));
                        taken.slot = slot;
                        book.put(rule, taken);
                        true
                    }
                    _ => false,
                }
            });
            if !taken {
                self.orphans.push(key);
            }
        }
    }

    /// Whether any rule asks for this kind; others need not be shown to [`on_event`](Self::on_event).
    pub fn interested(&self, kind: Kind) -> bool {
        !self.by_kind[kind as usize].is_empty()
    }

    /// One event. Windows and hours go by `received_at`; `occurred_at` is only shown (and keeps counts of late events honest).
    pub fn on_event(&mut self, event: &Event) -> Vec<Finding> {
        let roles = &self.by_kind[event.kind as usize];
        if roles.is_empty() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let zone = self.zones.get(&event.device).map(Arc::as_ref);
        let view = View::new(event, zone, &self.registry, &self.time_zone);
        for &(number, role) in roles {
            let index = usize::from(number);
            let mut work = Work {
                rule: &self.rules.rules()[index],
                number,
                book: &mut self.books[index],
                dirty: &mut self.dirty,
                evicted: &mut self.evicted,
                limits: self.limits,
                findings: &mut findings,
            };
            match role {
                Role::Trigger => work.trigger(&view),
                Role::Clear => work.clear(&view),
            }
        }
        self.expr_errors += view.expr_errors();
        findings
    }

    /// Any word from a device itself, event or not. What the hub says *about* a device (it went offline) is not one.
    pub fn seen(&mut self, device: &DeviceId, at: Timestamp) {
        self.silences.seen(device, at, &mut self.dirty);
    }

    /// What time itself brings about. `now` is the time up to which everything that was received has been shown to the engine:
    /// the hub's clock when the journal is read to its end, the last `received_at` otherwise. About once a second; a pause of
    /// more than a minute counts as not having listened.
    pub fn on_tick(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, book) in self.books.iter_mut().enumerate() {
            let rule = &self.rules.rules()[index];
            while let Some(mut taken) = book.take_due(now) {
                lapse(rule, &mut taken, now, &mut findings);
                let subject = Arc::clone(&taken.subject);
                self.dirty.insert((rule_index(index), subject));
                book.put(rule, taken);
            }
        }
        findings.extend(self.silences.on_tick(
            now,
            &self.rules,
            &self.registry,
            &self.time_zone,
            &mut self.dirty,
        ));
        findings
    }

    /// The moment at which [`on_tick`](Self::on_tick) may next have something to say; none while nothing is pending.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.books
            .iter()
            .filter_map(Book::next_due)
            .chain(self.silences.next_due())
            .min()
    }

    /// The rows that changed since the last call, one per touched subject, to be written with the cursor.
    pub fn take_dirty(&mut self) -> Vec<WindowChange> {
        let orphans = std::mem::take(&mut self.orphans);
        let mut changes: Vec<WindowChange> =
            orphans.into_iter().map(WindowChange::Delete).collect();
        let mut dirty: Vec<_> = std::mem::take(&mut self.dirty).into_iter().collect();
        dirty.sort_unstable();
        for (number, subject) in dirty {
            let index = usize::from(number);
            let key = format!("{}|{subject}", self.rules.rules()[index].meta.id);
            let value = match self.books[index].get(&subject) {
                Some(slot) => serde_json::to_string(slot).ok(),
                None => self.silences.row(number, &subject),
            };
            changes.push(match value {
                Some(value) => WindowChange::Put(WindowRow { key, value }),
                None => WindowChange::Delete(key),
            });
        }
        changes
    }

    /// How many subjects and sources had to be forgotten because a limit was reached, since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many expressions could not be answered since the start: an event lacked an attribute or had it of another type.
    pub fn expr_errors(&self) -> u64 {
        self.expr_errors
    }

    /// How many subjects are remembered, over all rules that gather events.
    pub fn subjects(&self) -> usize {
        self.books.iter().map(Book::len).sum()
    }
}

/// The position of a rule in its set, which holds at most [`RULES_MAX`](super::set::RULES_MAX).
fn rule_index(index: usize) -> u16 {
    u16::try_from(index).expect("a rule set has at most 500 rules")
}

/// One event on its way through one rule.
struct Work<'w> {
    rule: &'w Rule,
    number: u16,
    book: &'w mut Book,
    dirty: &'w mut HashSet<(u16, Arc<str>)>,
    evicted: &'w mut u64,
    limits: Limits,
    findings: &'w mut Vec<Finding>,
}

impl Work<'_> {
    /// The subject; a single match falls back to the device, so that an alarm from an unknown place still rings.
    fn subject(&self, view: &View<'_>) -> Option<String> {
        let fallback = || match self.rule.condition {
            Condition::Match(_) => Key::Device.of(view),
            _ => None,
        };
        self.rule.subject.of(view).or_else(fallback)
    }

    fn trigger(&mut self, view: &View<'_>) {
        let Some(matcher) = self.rule.condition.matcher() else {
            return;
        };
        if view.event.phase == Phase::Cleared && !matcher.phases.contains(&Phase::Cleared) {
            let counts = matches!(self.rule.condition, Condition::Count { .. });
            if !counts && view.stands_where(matcher) {
                self.over(view, Some(view.event.kind));
            }
        } else if view.fits(matcher) {
            self.hit(view);
        }
    }

    fn clear(&mut self, view: &View<'_>) {
        if self.rule.clear.as_ref().is_some_and(|m| view.fits(m)) {
            self.over(view, None);
        }
    }

    /// A matching event.
    fn hit(&mut self, view: &View<'_>) {
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
        let mut taken = self.book.take(&subject).unwrap_or_else(|| {
            self.make_room();
            Taken::fresh(subject, Slot::blank(&rule.condition))
        });
        lapse(rule, &mut taken, view.event.received_at, self.findings);
        let slot = &mut taken.slot;
        let (news, evicted) = slot.note(rule, view, value, self.limits.sources_per_subject);
        *self.evicted += evicted;
        if slot.open.is_some() || slot.fulfilled(rule) {
            self.raise(view, &mut taken, news);
        }
        self.give_back(taken);
    }

    /// A device says that it is over.
    fn over(&mut self, view: &View<'_>, kind: Option<Kind>) {
        let Some(mut taken) = self
            .subject(view)
            .and_then(|subject| self.book.take(&subject))
        else {
            return;
        };
        let now = view.event.received_at;
        lapse(self.rule, &mut taken, now, self.findings);
        taken.slot.clear(self.rule, view, kind);
        if let Some(open) = taken.slot.close() {
            let mut finding = ended(self.rule, &taken.subject, &open, now);
            finding.device = Some(view.event.device.clone());
            finding.occurred_at = view.event.occurred_at;
            finding.event = Some(view.event.id);
            finding.seq = Some(view.event.seq);
            self.findings.push(finding);
        }
        self.give_back(taken);
    }

    fn give_back(&mut self, taken: Taken) {
        self.dirty.insert((self.number, Arc::clone(&taken.subject)));
        self.book.put(self.rule, taken);
    }

    fn make_room(&mut self) {
        if self.book.len() < self.limits.subjects_per_rule {
            return;
        }
        if let Some(gone) = self.book.evict() {
            *self.evicted += 1;
            self.dirty.insert((self.number, gone));
        }
    }

    /// Opens the alarm, or tells of it again when there is something to tell.
    fn raise(&mut self, view: &View<'_>, taken: &mut Taken, news: News) {
        let Taken { subject, slot, .. } = taken;
        let rule = self.rule;
        let event = view.event;
        let now = event.received_at;
        let severity = view.severity(&rule.urgency);
        let tell = if let Some(open) = &mut slot.open {
            open.count += 1;
            let due = after(open.told_at, SignedDuration::from_secs(REFRESH_S)) <= now;
            let tell = severity < open.severity || news == News::NewSource || due;
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
                since: now,
                told_at: now,
                count: 1,
            });
            true
        };
        if let Some(open) = slot.open.as_ref().filter(|_| tell) {
            self.findings.push(Finding {
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
                event: Some(event.id),
                seq: Some(event.seq),
                detail: detail(rule, view, slot, open),
            });
        }
    }
}

/// Lets time pass in a slot; what it held may be over.
fn lapse(rule: &Rule, taken: &mut Taken, now: Timestamp, findings: &mut Vec<Finding>) {
    taken.slot.forget(rule, now);
    if let Some(open) = taken.slot.close() {
        findings.push(ended(rule, &taken.subject, &open, now));
    }
}
