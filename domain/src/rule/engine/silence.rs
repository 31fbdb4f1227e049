//! Absence: devices that should speak and do not.
//!
//! Silence is counted from the later of the device's last word and the moment since which the hub has been listening without
//! a gap: a hub that was down, suspended or stalled has heard nobody, and nobody is to blame for that. So the last word itself
//! decides nothing after a restart; its row says *that* the device has ever spoken (one that never did is "never seen", not
//! silent) and is refreshed seldom, for people to read. After a crash an alarm may come later than it would have, never earlier,
//! and "last heard" may be stale by [`ROW_REFRESH`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::super::set::{Rule, RuleSet};
use super::super::{Finding, FindingKind};
use super::chain::Out;
use super::slot::{Open, after};
use super::world::World;
use crate::place::Registry;
use crate::{DeviceId, Kind, Phase, Timestamp};

/// Ticks further apart than this mean that the hub was not listening.
const GAP: SignedDuration = SignedDuration::from_mins(1);
/// How seldom a row is rewritten only because the device spoke again.
const ROW_REFRESH: SignedDuration = SignedDuration::from_hours(1);

/// One device as one absence rule listens to it.
#[derive(Debug)]
struct Ear {
    rule: u16,
    subject: Arc<str>,
    allowed: SignedDuration,
    heard_at: Option<Timestamp>,
    row_at: Option<Timestamp>,
    queued: Option<Timestamp>,
    open: Option<Open>,
}

/// The row of an ear.
#[derive(Serialize, Deserialize)]
struct Row {
    heard_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open>,
}

/// All devices that are listened to.
#[derive(Debug, Default)]
pub(super) struct Silences {
    ears: Vec<(DeviceId, Ear)>,
    by_device: HashMap<DeviceId, Vec<usize>>,
    by_row: HashMap<(u16, Arc<str>), usize>,
    due: BTreeSet<(Timestamp, usize)>,
    listening_since: Option<Timestamp>,
    last_tick: Option<Timestamp>,
}

impl Silences {
    pub(super) fn new(rules: &RuleSet, registry: &Registry) -> Self {
        let mut silences = Self::default();
        for (index, rule) in rules.rules().iter().enumerate() {
            let Condition::Absence {
                classes,
                heartbeats,
            } = &rule.condition
            else {
                continue;
            };
            for device in registry.devices.values() {
                if !classes.contains(&device.class) {
                    continue;
                }
                let rule = super::rule_index(index);
                let subject: Arc<str> = format!("device:{}", device.id).into();
                let allowed = i64::from(device.heartbeat_s) * i64::from(*heartbeats);
                let number = silences.ears.len();
                silences.by_row.insert((rule, Arc::clone(&subject)), number);
                silences
                    .by_device
                    .entry(device.id.clone())
                    .or_default()
                    .push(number);
                silences.ears.push((
                    device.id.clone(),
                    Ear {
                        rule,
                        subject,
                        allowed: SignedDuration::from_secs(allowed),
                        heard_at: None,
                        row_at: None,
                        queued: None,
                        open: None,
                    },
                ));
            }
        }
        silences
    }

    /// A word from a device.
    pub(super) fn seen(
        &mut self,
        device: &DeviceId,
        at: Timestamp,
        dirty: &mut HashSet<(u16, Arc<str>)>,
    ) {
        let Some(numbers) = self.by_device.get(device) else {
            return;
        };
        for &number in numbers {
            let ear = &mut self.ears[number].1;
            let heard_at = ear.heard_at.map_or(at, |before| before.max(at));
            ear.heard_at = Some(heard_at);
            let stale = ear
                .row_at
                .is_none_or(|row_at| heard_at.duration_since(row_at) >= ROW_REFRESH);
            if stale || ear.open.is_some() {
                ear.row_at = Some(heard_at);
                dirty.insert((ear.rule, Arc::clone(&ear.subject)));
            }
            let due = match ear.open {
                Some(_) => heard_at,
                None => after(heard_at, ear.allowed),
            };
            queue(ear, &mut self.due, number, due);
        }
    }

    /// What time has brought about since the last tick, in the order of rules and devices.
    pub(super) fn on_tick(
        &mut self,
        now: Timestamp,
        world: &World,
        dirty: &mut HashSet<(u16, Arc<str>)>,
        out: &mut Out,
    ) {
        let went_on = self
            .last_tick
            .is_some_and(|last| now.duration_since(last) <= GAP);
        if !went_on {
            self.listening_since = Some(now);
        }
        self.last_tick = Some(self.last_tick.map_or(now, |last| last.max(now)));
        let listening_since = self.listening_since.unwrap_or(now);
        let mut numbers = BTreeSet::new();
        while let Some(&(due, number)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            self.ears[number].1.queued = None;
            numbers.insert(number);
        }
        for number in numbers {
            let (device, ear) = &mut self.ears[number];
            let rule = world.rule(ear.rule);
            let Some(heard_at) = ear.heard_at else {
                continue;
            };
            let due = after(heard_at.max(listening_since), ear.allowed);
            if let Some(open) = ear.open.take() {
                if heard_at >= open.since {
                    let finding = finding(rule, ear, FindingKind::Cleared, &open, now);
                    out.tell(finding, ear.rule, Phase::Cleared, open.kind);
                } else {
                    ear.open = Some(open);
                    continue;
                }
            } else if due <= now {
                let known = world.registry.devices.get(device);
                let Some(known) = known else { continue };
                let zone = world.zone_of(device).map(|z| z.kind);
                let time = || world.time_zone.to_datetime(now).time();
                let open = Open {
                    severity: rule.urgency.at(time, zone, 1),
                    site: known.site.clone(),
                    class: known.class,
                    zone: Some(known.zone.clone()),
                    device: device.clone(),
                    kind: Kind::DeviceOffline,
                    since: now,
                    told_at: now,
                    count: 1,
                };
                let finding = finding(rule, ear, FindingKind::Raised, &open, now);
                out.tell(finding, ear.rule, Phase::Raised, open.kind);
                ear.open = Some(open);
            } else {
                queue(&mut self.ears[number].1, &mut self.due, number, due);
                continue;
            }
            ear.row_at = Some(heard_at);
            dirty.insert((ear.rule, Arc::clone(&ear.subject)));
            if ear.open.is_none() {
                queue(
                    &mut self.ears[number].1,
                    &mut self.due,
                    number,
                    due.max(now),
                );
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The row of a subject, if this is one of ours.
    pub(super) fn row(&self, rule: u16, subject: &Arc<str>) -> Option<String> {
        let number = self.by_row.get(&(rule, Arc::clone(subject)))?;
        let ear = &self.ears[*number].1;
        let row = Row {
            heard_at: ear.row_at?,
            open: ear.open.clone(),
        };
        serde_json::to_string(&row).ok()
    }

    /// Takes a row back; false when there is no such device any more or the row is not ours.
    pub(super) fn restore(&mut self, rule: u16, subject: &str, value: &str) -> bool {
        let Some(&number) = self.by_row.get(&(rule, Arc::from(subject))) else {
            return false;
        };
        let Ok(row) = serde_json::from_str::<Row>(value) else {
            return false;
        };
        let ear = &mut self.ears[number].1;
        ear.heard_at = Some(row.heard_at);
        ear.row_at = Some(row.heard_at);
        ear.open = row.open;
        let due = match &ear.open {
            // it spoke after the alarm, and the hub stopped before it could say so
            Some(open) if row.heard_at >= open.since => row.heard_at,
            Some(_) => return true,
            None => after(row.heard_at, ear.allowed),
        };
        queue(&mut self.ears[number].1, &mut self.due, number, due);
        true
    }
}

/// Looks at the ear again at this time, or earlier if it is queued for earlier.
fn queue(ear: &mut Ear, due: &mut BTreeSet<(Timestamp, usize)>, number: usize, at: Timestamp) {
    if ear.queued.is_some_and(|queued| queued <= at) {
        return;
    }
    if let Some(later) = ear.queued.replace(at) {
        due.remove(&(later, number));
    }
    due.insert((at, number));
}

fn finding(rule: &Rule, ear: &Ear, what: FindingKind, open: &Open, now: Timestamp) -> Finding {
    let mut detail = BTreeMap::new();
    if let Some(heard_at) = ear.heard_at {
        detail.insert("last_heard".to_owned(), heard_at.to_string());
    }
    detail.insert("allowed_s".to_owned(), ear.allowed.as_secs().to_string());
    Finding {
        rule: rule.meta.id.clone(),
        subject: ear.subject.to_string(),
        what,
        severity: open.severity,
        site: open.site.clone(),
        class: open.class,
        zone: open.zone.clone(),
        device: Some(open.device.clone()),
        at: now,
        occurred_at: now,
        event: None,
        seq: None,
        detail,
    }
}
