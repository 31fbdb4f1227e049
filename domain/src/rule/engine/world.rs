//! What does not change while the engine works: rules, registry, clock, and which rule listens to what.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::condition::{Condition, Matcher, time_zone};
use super::super::key::Key;
use super::super::set::{Rule, RuleSet};
use super::super::view::{Heard, View};
use super::{Limits, rule_index};
use crate::place::{Registry, Zone};
use crate::{DeviceId, Event, Kind, RuleId, ZoneId};

/// What an event is to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It may be one of these steps; all but sequences have one.
    Trigger(u8),
    /// It may end it.
    Clear,
}

/// A rule that listens, and as what.
pub(super) type Listener = (u16, Role);

#[derive(Debug)]
pub(super) struct World {
    pub(super) rules: Arc<RuleSet>,
    pub(super) registry: Arc<Registry>,
    pub(super) time_zone: TimeZone,
    pub(super) limits: Limits,
    /// Who listens to a kind of event, by its number.
    by_kind: Vec<Vec<Listener>>,
    /// Who listens to a rule's findings, by its number.
    by_rule: Vec<Vec<Listener>>,
    zones: HashMap<DeviceId, Arc<Zone>>,
    /// Of how many devices a share is taken, by rule and subject.
    totals: HashMap<(u16, String), u32>,
}

impl World {
    pub(super) fn new(rules: Arc<RuleSet>, registry: Arc<Registry>, limits: Limits) -> Self {
        let (by_kind, by_rule) = listeners(&rules);
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
            totals: totals(&rules, &registry),
            by_kind,
            by_rule,
            zones,
            time_zone,
            limits,
            rules,
            registry,
        }
    }

    pub(super) fn rule(&self, number: u16) -> &Rule {
        &self.rules.rules()[usize::from(number)]
    }

    pub(super) fn listeners(&self, kind: Kind) -> &[Listener] {
        &self.by_kind[kind as usize]
    }

    pub(super) fn listeners_to(&self, number: u16) -> &[Listener] {
        &self.by_rule[usize::from(number)]
    }

    pub(super) fn zone_of(&self, device: &DeviceId) -> Option<&Zone> {
        self.zones.get(device).map(Arc::as_ref)
    }

    pub(super) fn total(&self, number: u16, subject: &str) -> u32 {
        let key = (number, subject.to_owned());
        self.totals.get(&key).copied().unwrap_or(0)
    }

    pub(super) fn view<'a>(&'a self, event: &'a Event, heard: Option<Heard<'a>>) -> View<'a> {
        let zone = self.zone_of(&event.device);
        View::new(event, zone, heard, &self.registry, &self.time_zone)
    }
}

fn listeners(rules: &RuleSet) -> (Vec<Vec<Listener>>, Vec<Vec<Listener>>) {
    let mut by_kind = vec![Vec::new(); Kind::ALL.len()];
    let mut by_rule = vec![Vec::new(); rules.rules().len()];
    let numbers: HashMap<&RuleId, usize> = rules
        .rules()
        .iter()
        .enumerate()
        .map(|(index, rule)| (&rule.meta.id, index))
        .collect();
    for (index, rule) in rules.rules().iter().enumerate() {
        // the last step first: one event is never two steps of an order
        let steps = rule.condition.matchers();
        let triggers = steps.iter().enumerate().rev().map(|(step, matcher)| {
            let step = u8::try_from(step).expect("a sequence has at most 8 steps");
            (*matcher, Role::Trigger(step))
        });
        let clear = rule.clear.iter().map(|matcher| (matcher, Role::Clear));
        let roles: Vec<(&Matcher, Role)> = triggers.chain(clear).collect();
        for (matcher, role) in roles {
            let kinds: BTreeSet<Kind> = matcher.kinds.iter().copied().collect();
            for kind in kinds {
                by_kind[kind as usize].push((rule_index(index), role));
            }
            let heard: BTreeSet<&RuleId> = matcher.rules.iter().collect();
            for number in heard.into_iter().filter_map(|id| numbers.get(id)) {
                by_rule[*number].push((rule_index(index), role));
            }
        }
    }
    (by_kind, by_rule)
}

fn totals(rules: &RuleSet, registry: &Registry) -> HashMap<(u16, String), u32> {
    let mut totals = HashMap::new();
    for (index, rule) in rules.rules().iter().enumerate() {
        let Condition::Share { matcher, .. } = &rule.condition else {
            continue;
        };
        for device in registry.devices.values() {
            let Some(zone) = registry.zones.get(&device.zone) else {
                continue;
            };
            let concerned = (matcher.classes.is_empty() || matcher.classes.contains(&device.class))
                && (matcher.zone_kinds.is_empty() || matcher.zone_kinds.contains(&zone.kind));
            if let Some(subject) = Key::of_zone(&rule.subject, zone).filter(|_| concerned) {
                *totals.entry((rule_index(index), subject)).or_insert(0) += 1;
            }
        }
    }
    totals
}
