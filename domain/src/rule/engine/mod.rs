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
mod chain;
mod days;
mod fleeting;
mod hits;
mod nanoseconds;
mod reload;
mod silence;
mod slot;
#[cfg(test)]
mod sorts_tests;
mod source;
mod steps;
mod tell;
#[cfg(test)]
mod tests;
mod work;
mod world;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use self::book::{Book, Taken};
use self::chain::{HANDED_ON_MAX, Out};
pub use self::reload::Reloaded;
use self::silence::Silences;
use self::slot::Slot;
pub use self::tell::LATE_S;
use self::work::{Work, lapse};
use self::world::{Listener, Role, World};
use super::condition::Condition;
use super::set::RuleSet;
use super::view::View;
use super::{Finding, WindowChange, WindowRow};
use crate::place::Registry;
use crate::{DeviceId, Event, Kind, RuleId, Timestamp};

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

/// Rules at work. One engine per site set; single-threaded by design.
#[derive(Debug)]
pub struct Engine {
    world: World,
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
        Self {
            books: rules.rules().iter().map(|_| Book::default()).collect(),
            silences: Silences::new(&rules, &registry),
            dirty: HashSet::new(),
            orphans: Vec::new(),
            evicted: 0,
            expr_errors: 0,
            world: World::new(rules, registry, limits),
        }
    }

    /// The rules at work.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.world.rules
    }

    /// Takes back the rows that an earlier engine had written, before the first event. Rows that no rule can read any more are
    /// dropped: the next [`take_dirty`](Self::take_dirty) deletes them.
    pub fn restore(&mut self, rows: Vec<WindowRow>) {
        let numbers: HashMap<RuleId, u16> = self
            .world
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
                let rule = &self.world.rules.rules()[usize::from(number)];
                if matches!(
                    rule.condition,
                    Condition::Absence { .. } | Condition::Quiet { .. }
                ) {
                    return self.silences.restore(number, subject, &value, &self.world);
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
        !self.world.listeners(kind).is_empty()
    }

    /// One event. Windows and hours go by `received_at`; `occurred_at` is only shown (and keeps counts of late events honest).
    pub fn on_event(&mut self, event: &Event) -> Vec<Finding> {
        let mut out = Out::default();
        let world = &self.world;
        let listeners = world.listeners(event.kind);
        if listeners.is_empty() {
            return Vec::new();
        }
        let view = world.view(event, None);
        for &listener in listeners {
            let (books, dirty) = (&mut self.books, &mut self.dirty);
            hand(
                world,
                books,
                dirty,
                &mut self.evicted,
                &mut out,
                listener,
                &view,
            );
        }
        self.expr_errors += view.expr_errors();
        self.hand_on(&mut out, Some(event));
        for (number, subject, device, class) in std::mem::take(&mut out.moved) {
            let (at, dirty) = (event.received_at, &mut self.dirty);
            let device = (device, class);
            self.silences
                .moved(number, &subject, device, at, &self.world, dirty);
        }
        out.findings
    }

    /// Hands findings on to the rules that listen to them, and so on.
    fn hand_on(&mut self, out: &mut Out, cause: Option<&Event>) {
        let world = &self.world;
        for index in 0..HANDED_ON_MAX {
            let Some((finding, told)) = out.get(index) else {
                return;
            };
            let listeners = world.listeners_to(told.number);
            if listeners.is_empty() {
                continue;
            }
            let finding = finding.clone();
            let Some(event) = chain::event_of(&finding, told, cause) else {
                continue;
            };
            let view = world.view(&event, Some(chain::heard(&finding)));
            for &listener in listeners {
                let (books, dirty) = (&mut self.books, &mut self.dirty);
                hand(world, books, dirty, &mut self.evicted, out, listener, &view);
            }
            self.expr_errors += view.expr_errors();
        }
    }

    /// Any word from a device itself, event or not. What the hub says *about* a device (it went offline) is not one.
    pub fn seen(&mut self, device: &DeviceId, at: Timestamp) {
        self.silences.seen(device, at, &self.world, &mut self.dirty);
    }

    /// What time itself brings about. `now` is the time up to which everything that was received has been shown to the engine:
    /// the hub's clock when the journal is read to its end, the last `received_at` otherwise. About once a second; a pause of
    /// more than a minute counts as not having listened.
    pub fn on_tick(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut out = Out::default();
        for (index, book) in self.books.iter_mut().enumerate() {
            let number = rule_index(index);
            while let Some(mut taken) = book.take_due(now) {
                lapse(&self.world, number, &mut taken, now, &mut out);
                self.dirty.insert((number, Arc::clone(&taken.subject)));
                book.put(self.world.rule(number), taken);
            }
        }
        self.silences
            .on_tick(now, &self.world, &mut self.dirty, &mut out);
        self.hand_on(&mut out, None);
        out.findings
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
            let key = format!("{}|{subject}", self.world.rules.rules()[index].meta.id);
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

/// One event to one rule that listens.
fn hand(
    world: &World,
    books: &mut [Book],
    dirty: &mut HashSet<(u16, Arc<str>)>,
    evicted: &mut u64,
    out: &mut Out,
    (number, role): Listener,
    view: &View<'_>,
) {
    let mut work = Work {
        world,
        rule: world.rule(number),
        number,
        book: &mut books[usize::from(number)],
        dirty,
        evicted,
        out,
    };
    match role {
        Role::Trigger(step) => work.trigger(view, step),
        Role::Clear => work.clear(view),
    }
}
