//! The slots of one rule by subject, with the order in which time will touch them. Bounded: what is too much goes, counted.
//!
//! Lookups are hashed; whatever depends on an order (time passing, eviction) goes by `due`, so that two engines with the same
//! slots do the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::set::Rule;
use super::slot::Slot;
use crate::Timestamp;

/// Every slot stands in `due` once; one that time will not touch stands at the end of time.
#[derive(Debug, Default)]
pub(super) struct Book {
    slots: HashMap<Arc<str>, (Slot, Timestamp)>,
    due: BTreeSet<(Timestamp, Arc<str>)>,
}

/// A slot on loan: it goes back with [`Book::put`].
#[derive(Debug)]
#[must_use]
pub(super) struct Taken {
    pub(super) subject: Arc<str>,
    pub(super) slot: Slot,
    /// Where it stands in `due`; new ones do not yet.
    due: Option<Timestamp>,
}

impl Taken {
    pub(super) fn fresh(subject: impl Into<Arc<str>>, slot: Slot) -> Self {
        Self {
            subject: subject.into(),
            slot,
            due: None,
        }
    }
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, subject: &str) -> Option<&Slot> {
        self.slots.get(subject).map(|(slot, _)| slot)
    }

    /// All slots, to be put into another book.
    pub(super) fn into_slots(self) -> impl Iterator<Item = Taken> {
        let slots = self.slots.into_iter();
        slots.map(|(subject, (slot, _))| Taken::fresh(subject, slot))
    }

    /// Lends a slot, to be changed and put back.
    pub(super) fn take(&mut self, subject: &str) -> Option<Taken> {
        let (subject, (slot, due)) = self.slots.remove_entry(subject)?;
        Some(Taken {
            subject,
            slot,
            due: Some(due),
        })
    }

    /// Takes a slot back, unless there is nothing in it to remember.
    pub(super) fn put(&mut self, rule: &Rule, taken: Taken) {
        let Taken { subject, slot, due } = taken;
        let now_due = (!slot.is_blank()).then(|| slot.due(rule).unwrap_or(Timestamp::MAX));
        if now_due != due {
            if let Some(due) = due {
                self.due.remove(&(due, Arc::clone(&subject)));
            }
            if let Some(due) = now_due {
                self.due.insert((due, Arc::clone(&subject)));
            }
        }
        if let Some(due) = now_due {
            self.slots.insert(subject, (slot, due));
        }
    }

    /// Makes room for one more: the slot goes that time would touch soonest; an open one only if the first few all are. The row
    /// of what went must be deleted.
    pub(super) fn evict(&mut self) -> Option<Arc<str>> {
        const LOOKS: usize = 32;
        let is_open = |subject: &str| self.get(subject).is_some_and(|slot| slot.open.is_some());
        let victim = self
            .due
            .iter()
            .take(LOOKS)
            .find(|(_, subject)| !is_open(subject))
            .or_else(|| self.due.first())
            .cloned()?;
        self.due.remove(&victim);
        self.slots.remove(&victim.1);
        Some(victim.1)
    }

    /// The slot that time touches next, if it does so up to `now`.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<Taken> {
        let (due, subject) = self.due.first()?;
        if *due > now {
            return None;
        }
        let subject = Arc::clone(subject);
        self.take(&subject)
    }

    /// When time will next touch one of the slots.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let (due, _) = self.due.first()?;
        (*due < Timestamp::MAX).then_some(*due)
    }
}
