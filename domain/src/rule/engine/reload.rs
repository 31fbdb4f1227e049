//! Other rules for an engine at work: what a rule remembers goes on if it still means the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::condition::Condition;
use super::super::set::{Rule, RuleSet};
use super::super::{Finding, FindingKind};
use super::slot::Open;
use super::tell::ended;
use super::{Engine, rule_index};
use crate::{RuleId, Timestamp};

/// What came of giving an engine other rules.
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
            for taken in book.into_slots() {
                if let Some(&number) = moved.get(&rule_index(index)) {
                    let rule = fresh.world.rule(number);
                    fresh.books[usize::from(number)].put(rule, taken);
                    continue;
                }
                fresh
                    .orphans
                    .push(format!("{}|{}", old.meta.id, taken.subject));
                if let Some(open) = &taken.slot.open {
                    reloaded.findings.push(over(old, &taken.subject, open, now));
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
                reloaded.findings.push(over(old, &subject, &open, now));
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

/// The alarm of a rule that is no more, or is another one.
fn over(rule: &Rule, subject: &str, open: &Open, now: Timestamp) -> Finding {
    let mut finding = ended(rule, subject, open, now);
    debug_assert_eq!(finding.what, FindingKind::Cleared);
    let detail = &mut finding.detail;
    detail.insert("rule_changed".to_owned(), "true".to_owned());
    finding
}
