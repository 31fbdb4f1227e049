//! The slots of one rule by subject, with the order in which time will touch them. Bounded: what is too much goes, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::set::Rule;
use super::slot::Slot;
use crate::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Book {
    slots: BTreeMap<Arc<str>, (Slot, Option<Timestamp>)>,
    due: BTreeSet<(Timestamp, Arc<str>)>,
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, subject: &str) -> Option<&Slot> {
        self.slots.get(subject).map(|(slot, _)| slot)
    }

    /// Takes the slot out, to be changed and put back.
    pub(super) fn take(&mut self, subject: &str) -> Option<(Arc<str>, Slot)> {
        let (subject, (slot, due)) = self.slots.remove_entry(subject)?;
        if let Some(due) = due {
            self.due.remove(&(due, Arc::clone(&subject)));
        }
        Some((subject, slot))
    }

    /// Puts a slot back, unless there is nothing in it to remember.
    pub(super) fn put(&mut self, rule: &Rule, subject: Arc<str>, slot: Slot) {
        if slot.is_blank() {
            return;
        }
        let due = slot.due(rule);
        if let Some(due) = due {
            self.due.insert((due, Arc::clone(&subject)));
        }
        self.slots.insert(subject, (slot, due));
    }

    /// Makes room for one more: the slot goes that time would end soonest, open ones after a few looks only. The row of what
    /// went must be deleted.
    pub(super) fn evict(&mut self) -> Option<Arc<str>> {
        const LOOKS: usize = 32;
        let quiet = |subject: &Arc<str>| self.get(subject).is_some_and(|slot| slot.open.is_none());
        let victim = self
            .due
            .iter()
            .map(|(_, subject)| subject)
            .take(LOOKS)
            .find(|subject| quiet(subject))
            .or_else(|| self.due.first().map(|(_, subject)| subject))
            .or_else(|| self.slots.keys().next())
            .cloned()?;
        self.take(&victim);
        Some(victim)
    }

    /// When time will next touch one of the slots, and which.
    pub(super) fn first_due(&self) -> Option<&(Timestamp, Arc<str>)> {
        self.due.first()
    }
}
