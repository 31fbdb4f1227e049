//! Other rules or another registry for an engine at work: what a rule remembers goes on if it still means the same.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::super::condition::Condition;
use super::super::set::{Rule, RuleSet};
use super::super::{Finding, FindingKind};
use super::slot::Open;
use super::tell::ended;
use super::{Engine, rule_index};
use crate::place::Registry;
use crate::{DeviceId, RuleId, Timestamp};

/// What came of giving an engine other rules or another registry.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Rules that start over: their condition or subject is another one.
    pub started_over: Vec<RuleId>,
    /// Rules that are no more.
    pub gone: Vec<RuleId>,
    /// New rules.
    pub new: Vec<RuleId>,
    /// The alarms that those had raised are over with them.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Gives the engine other rules. Windows, counters and alarms of every rule whose sort of condition and subject stay the same
    /// go on, numbers and texts may differ; the others drop what they remember.
    pub fn reload(&mut self, rules: Arc<RuleSet>, now: Timestamp) -> Reloaded {
        let registry = Arc::clone(&self.world.registry);
        self.renew(rules, registry, "rule_changed", now)
    }

    /// Gives the engine another registry. What a device that is no longer there had raised is over, and so is what one that stands
    /// elsewhere had raised about its old place: nobody else would ever say so.
    pub fn reload_registry(&mut self, registry: Arc<Registry>, now: Timestamp) -> Reloaded {
        let rules = Arc::clone(&self.world.rules);
        self.renew(rules, registry, "registry_changed", now)
    }

    fn renew(
        &mut self,
        rules: Arc<RuleSet>,
        registry: Arc<Registry>,
        why: &str,
        now: Timestamp,
    ) -> Reloaded {
        let before = Arc::clone(&self.world.registry);
        let left = Left::between(&before, &registry);
        let mut fresh = Self::with_limits(rules, registry, self.world.limits);
        let numbers: HashMap<&RuleId, u16> = fresh
            .world
            .rules
            .rules()
            .iter()
            .enumerate()
            .map(|(index, rule)| (&rule.meta.id, rule_index(index)))
            .collect();
        let mut reloaded = Reloaded::default();
        // the new number of each old rule that goes on
        let mut moved: HashMap<u16, u16> = HashMap::new();
        let old_rules = self.world.rules.rules();
        for (index, old) in old_rules.iter().enumerate() {
            match numbers.get(&old.meta.id) {
                Some(&number) if means_the_same(old, fresh.world.rule(number)) => {
                    moved.insert(rule_index(index), number);
                }
                Some(_) => reloaded.started_over.push(old.meta.id.clone()),
                None => reloaded.gone.push(old.meta.id.clone()),
            }
        }
        let known: BTreeSet<&RuleId> = old_rules.iter().map(|rule| &rule.meta.id).collect();
        let new = numbers.keys().filter(|id| !known.contains(**id));
        reloaded.new = new.map(|id| (*id).clone()).collect();
        reloaded.new.sort_unstable();

        for (index, book) in std::mem::take(&mut self.books).into_iter().enumerate() {
            let old = &old_rules[index];
            for mut taken in book.into_slots() {
                if let Some(&number) = moved.get(&rule_index(index)) {
                    let rule = fresh.world.rule(number);
                    if taken
                        .slot
                        .leave(|device| left.is_of(&taken.subject, device))
                    {
                        if let Some(open) = taken.slot.close(rule, now) {
                            reloaded
                                .findings
                                .push(over(old, &taken.subject, &open, why, now));
                        }
                        fresh.dirty.insert((number, Arc::clone(&taken.subject)));
                    }
                    fresh.books[usize::from(number)].put(rule, taken);
                    continue;
                }
                fresh
                    .orphans
                    .push(format!("{}|{}", old.meta.id, taken.subject));
                if let Some(open) = &taken.slot.open {
                    reloaded
                        .findings
                        .push(over(old, &taken.subject, open, why, now));
                }
            }
        }
        let dropped = fresh
            .silences
            .take_over(&mut self.silences, &moved, &fresh.world);
        for (number, subject, open) in dropped {
            let old = &old_rules[usize::from(number)];
            fresh.orphans.push(format!("{}|{subject}", old.meta.id));
            if let Some(open) = open {
                reloaded.findings.push(over(old, &subject, &open, why, now));
            }
        }
        for (number, subject) in std::mem::take(&mut self.dirty) {
            match moved.get(&number) {
                Some(&number) => {
                    fresh.dirty.insert((number, subject));
                }
                None => fresh.orphans.push(format!(
                    "{}|{subject}",
                    old_rules[usize::from(number)].meta.id
                )),
            }
        }
        fresh.orphans.append(&mut self.orphans);
        fresh.orphans.sort_unstable();
        fresh.orphans.dedup();
        fresh.evicted = self.evicted;
        fresh.expr_errors = self.expr_errors;
        reloaded
            .findings
            .sort_by(|a, b| (&a.rule, &a.subject).cmp(&(&b.rule, &b.subject)));
        *self = fresh;
        reloaded
    }
}

/// Whether what the one rule remembers is what the other would.
fn means_the_same(old: &Rule, new: &Rule) -> bool {
    let (a, b) = (&old.condition, &new.condition);
    let steps = match (a, b) {
        (Condition::Sequence { steps: a, .. }, Condition::Sequence { steps: b, .. }) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.active == b.active)
        }
        (Condition::Count { distinct: a, .. }, Condition::Count { distinct: b, .. }) => a == b,
        _ => true,
    };
    steps && std::mem::discriminant(a) == std::mem::discriminant(b) && old.subject == new.subject
}

/// Devices that a registry no longer has, and those that stand elsewhere.
struct Left<'a> {
    removed: HashSet<&'a DeviceId>,
    moved: HashSet<&'a DeviceId>,
}

impl<'a> Left<'a> {
    fn between(old: &'a Registry, new: &Registry) -> Self {
        let mut left = Self {
            removed: HashSet::new(),
            moved: HashSet::new(),
        };
        for (id, device) in &old.devices {
            match new.devices.get(id) {
                None => _ = left.removed.insert(id),
                Some(now) if (&now.zone, &now.site) != (&device.zone, &device.site) => {
                    left.moved.insert(id);
                }
                Some(_) => {}
            }
        }
        left
    }

    /// Whether what a device said about a subject nobody will take back. About itself it goes on to speak wherever it stands.
    fn is_of(&self, subject: &str, device: &DeviceId) -> bool {
        self.removed.contains(device)
            || (self.moved.contains(device) && !subject.starts_with("device:"))
    }
}

/// The alarm of a rule or a device that is no more, or is another one.
fn over(rule: &Rule, subject: &str, open: &Open, why: &str, now: Timestamp) -> Finding {
    let mut finding = ended(rule, subject, open, now);
    debug_assert_eq!(finding.what, FindingKind::Cleared);
    let detail = &mut finding.detail;
    detail.insert(why.to_owned(), "true".to_owned());
    finding
}
