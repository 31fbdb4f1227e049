//! Absence: devices that should speak and do not, and flats in which nothing moves.
//!
//! The hub blames nobody for its own absence. A short silence is counted from the later of the last word and the moment since
//! which the hub has been listening without a gap. A long one (more than [`LONG`]) would never be found by a hub that restarts
//! once a day; it is counted from the last word without the gaps, which are kept in a row. Either way an alarm may come later
//! after a crash than it would have, never earlier. Who never spoke is "never seen", not silent.
//!
//! The row of an ear is refreshed seldom when a device speaks often; "last heard" may then be stale by [`ROW_REFRESH`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::super::condition::{Condition, Hours};
use super::super::set::{Rule, RuleSet};
use super::super::{Finding, FindingKind};
use super::chain::Out;
use super::slot::{Open, after};
use super::world::World;
use crate::place::Registry;
use crate::{DeviceClass, DeviceId, Kind, Phase, SiteId, Timestamp, ZoneId};

/// Ticks further apart than this mean that the hub was not listening.
const GAP: SignedDuration = SignedDuration::from_mins(1);
/// How seldom a row is rewritten only because the device spoke again.
const ROW_REFRESH: SignedDuration = SignedDuration::from_hours(1);
/// A silence that takes longer than this survives a restart.
const LONG: SignedDuration = SignedDuration::from_hours(1);
/// Most gaps that are remembered; the oldest goes, and a long silence may then come later.
const GAPS_MAX: usize = 64;
/// The row that says until when the hub has listened, beside those of the ears.
const LISTENING: &str = "~listening";

/// One device or flat as one absence rule listens to it.
#[derive(Debug)]
struct Ear {
    rule: u16,
    subject: Arc<str>,
    site: SiteId,
    zone: Option<ZoneId>,
    /// Who is expected to speak; for a flat, who spoke last.
    device: Option<(DeviceId, DeviceClass)>,
    allowed: SignedDuration,
    /// Only these hours count.
    waking: Option<Hours>,
    heard_at: Option<Timestamp>,
    row_at: Option<Timestamp>,
    /// It may have spoken this much later than its row says.
    slack: SignedDuration,
    queued: Option<Timestamp>,
    open: Option<Open>,
}

impl Ear {
    fn is_long(&self) -> bool {
        self.allowed > LONG
    }

    /// Each word of a flat is kept: they are few.
    fn row_refresh(&self) -> SignedDuration {
        if self.is_flat() {
            SignedDuration::ZERO
        } else {
            ROW_REFRESH
        }
    }

    fn is_flat(&self) -> bool {
        self.subject.starts_with("household:")
    }
}

/// The row of an ear.
#[derive(Serialize, Deserialize)]
struct Row {
    heard_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<(DeviceId, DeviceClass)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open>,
}

/// When the hub was not listening, and until when it has.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Listening {
    until: Option<Timestamp>,
    gaps: Vec<(Timestamp, Timestamp)>,
}

impl Listening {
    /// The hub listens now; says whether a gap has just ended.
    fn now(&mut self, now: Timestamp) -> bool {
        let Some(before) = self.until.replace(self.until.map_or(now, |u| u.max(now))) else {
            return true;
        };
        if now.duration_since(before) <= GAP {
            return false;
        }
        self.gaps.push((before, now));
        if self.gaps.len() > GAPS_MAX {
            self.gaps.remove(0);
        }
        true
    }

    /// When so much time has been listened to since then, in these hours only.
    fn after(
        &self,
        since: Timestamp,
        time: SignedDuration,
        hours: Option<Hours>,
        zone: &TimeZone,
    ) -> Timestamp {
        let mut left = time;
        let mut from = since;
        // a day has one or two waking stretches, each of at least a minute; 4,000 is more than any rule needs
        for _ in 0..4_000 {
            let (begin, end) = match hours {
                Some(hours) => hours.next(from, zone),
                None => (from, Timestamp::MAX),
            };
            let mut at = begin;
            for &(deaf, again) in &self.gaps {
                if again <= at || deaf >= end {
                    continue;
                }
                let heard = deaf.max(at).duration_since(at);
                if heard >= left {
                    return after(at, left);
                }
                left -= heard;
                at = again.min(end);
            }
            let heard = end.duration_since(at);
            if heard >= left {
                return after(at, left);
            }
            left -= heard;
            from = end;
        }
        Timestamp::MAX
    }
}

impl Hours {
    /// The stretch of these hours that goes on at this time, from then on, or the next one.
    fn next(self, from: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let local = zone.to_datetime(from);
        let at = |date: jiff::civil::Date, time| {
            let at = zone.to_timestamp(date.to_datetime(time));
            at.unwrap_or(Timestamp::MAX)
        };
        let mut date = local.date().yesterday().unwrap_or(local.date());
        for _ in 0..4 {
            let begin = at(date, self.from);
            let end = if self.from < self.to {
                at(date, self.to)
            } else {
                at(date.tomorrow().unwrap_or(date), self.to)
            };
            if end > from {
                return (begin.max(from), end);
            }
            date = date.tomorrow().unwrap_or(date);
        }
        (Timestamp::MAX, Timestamp::MAX)
    }
}

/// All that is listened to.
#[derive(Debug, Default)]
pub(super) struct Silences {
    ears: Vec<Ear>,
    by_device: HashMap<DeviceId, Vec<usize>>,
    by_row: HashMap<(u16, Arc<str>), usize>,
    due: BTreeSet<(Timestamp, usize)>,
    listening_since: Option<Timestamp>,
    listening: Listening,
    /// When the row about listening was last written.
    listening_row_at: Option<Timestamp>,
    /// Rules that keep that row.
    long_rules: BTreeSet<u16>,
}

impl Silences {
    pub(super) fn new(rules: &RuleSet, registry: &Registry) -> Self {
        let mut silences = Self::default();
        for (index, rule) in rules.rules().iter().enumerate() {
            let number = super::rule_index(index);
            match &rule.condition {
                Condition::Absence {
                    classes,
                    heartbeats,
                } => {
                    let devices = registry.devices.values();
                    for device in devices.filter(|d| classes.contains(&d.class)) {
                        let allowed = i64::from(device.heartbeat_s) * i64::from(*heartbeats);
                        let number = silences.listen(Ear {
                            rule: number,
                            subject: format!("device:{}", device.id).into(),
                            site: device.site.clone(),
                            zone: Some(device.zone.clone()),
                            device: Some((device.id.clone(), device.class)),
                            allowed: SignedDuration::from_secs(allowed),
                            waking: None,
                            heard_at: None,
                            row_at: None,
                            slack: SignedDuration::ZERO,
                            queued: None,
                            open: None,
                        });
                        let of_device = silences.by_device.entry(device.id.clone());
                        of_device.or_default().push(number);
                    }
                }
                Condition::Quiet {
                    after_s, waking, ..
                } => {
                    let flats: BTreeSet<&ZoneId> = registry
                        .households
                        .values()
                        .filter(|h| h.is_in_elder_care())
                        .map(|h| &h.zone)
                        .collect();
                    for zone in flats.into_iter().filter_map(|id| registry.zones.get(id)) {
                        silences.listen(Ear {
                            rule: number,
                            subject: format!("household:{}", zone.id).into(),
                            site: zone.site.clone(),
                            zone: Some(zone.id.clone()),
                            device: None,
                            allowed: SignedDuration::from_secs(i64::from(*after_s)),
                            waking: *waking,
                            heard_at: None,
                            row_at: None,
                            slack: SignedDuration::ZERO,
                            queued: None,
                            open: None,
                        });
                    }
                }
                _ => {}
            }
        }
        silences
    }

    fn listen(&mut self, ear: Ear) -> usize {
        let number = self.ears.len();
        if ear.is_long() {
            self.long_rules.insert(ear.rule);
        }
        let row = (ear.rule, Arc::clone(&ear.subject));
        self.by_row.insert(row, number);
        self.ears.push(ear);
        number
    }

    /// A word from a device.
    pub(super) fn seen(
        &mut self,
        device: &DeviceId,
        at: Timestamp,
        world: &World,
        dirty: &mut HashSet<(u16, Arc<str>)>,
    ) {
        let Some(numbers) = self.by_device.get(device) else {
            return;
        };
        for number in numbers.clone() {
            self.word(number, at, world, dirty);
        }
    }

    /// Something moved in a flat.
    pub(super) fn moved(
        &mut self,
        rule: u16,
        subject: &str,
        device: (DeviceId, DeviceClass),
        at: Timestamp,
        world: &World,
        dirty: &mut HashSet<(u16, Arc<str>)>,
    ) {
        let Some(&number) = self.by_row.get(&(rule, Arc::from(subject))) else {
            return;
        };
        self.ears[number].device = Some(device);
        self.word(number, at, world, dirty);
    }

    fn word(
        &mut self,
        number: usize,
        at: Timestamp,
        world: &World,
        dirty: &mut HashSet<(u16, Arc<str>)>,
    ) {
        let ear = &mut self.ears[number];
        let heard_at = ear.heard_at.map_or(at, |before| before.max(at));
        ear.heard_at = Some(heard_at);
        ear.slack = SignedDuration::ZERO;
        let stale = ear
            .row_at
            .is_none_or(|row_at| heard_at.duration_since(row_at) >= ear.row_refresh());
        if stale || ear.open.is_some() {
            ear.row_at = Some(heard_at);
            dirty.insert((ear.rule, Arc::clone(&ear.subject)));
        }
        let due = match ear.open {
            Some(_) => heard_at,
            None => self.due(number, heard_at, world),
        };
        queue(&mut self.ears[number], &mut self.due, number, due);
    }

    /// When the silence since a word has lasted too long.
    fn due(&self, number: usize, heard_at: Timestamp, world: &World) -> Timestamp {
        let ear = &self.ears[number];
        if ear.is_long() {
            let since = after(heard_at, ear.slack);
            let zone = &world.time_zone;
            return self.listening.after(since, ear.allowed, ear.waking, zone);
        }
        let since = self.listening_since.map_or(heard_at, |l| l.max(heard_at));
        let nothing = Listening::default();
        nothing.after(since, ear.allowed, ear.waking, &world.time_zone)
    }

    /// What time has brought about since the last tick, in the order of rules and devices.
    pub(super) fn on_tick(
        &mut self,
        now: Timestamp,
        world: &World,
        dirty: &mut HashSet<(u16, Arc<str>)>,
        out: &mut Out,
    ) {
        let gap_ended = self.listening.now(now);
        if gap_ended {
            self.listening_since = Some(now);
        }
        let row_at = self.listening_row_at;
        if gap_ended || row_at.is_none_or(|row_at| now.duration_since(row_at) >= GAP) {
            self.listening_row_at = Some(now);
            let long = self.long_rules.iter();
            dirty.extend(long.map(|rule| (*rule, Arc::from(LISTENING))));
        }
        let mut numbers = BTreeSet::new();
        while let Some(&(due, number)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            self.ears[number].queued = None;
            numbers.insert(number);
        }
        for number in numbers {
            self.look(number, now, world, dirty, out);
        }
    }

    /// Looks at one ear whose time has come.
    fn look(
        &mut self,
        number: usize,
        now: Timestamp,
        world: &World,
        dirty: &mut HashSet<(u16, Arc<str>)>,
        out: &mut Out,
    ) {
        let Some(heard_at) = self.ears[number].heard_at else {
            return;
        };
        let due = self.due(number, heard_at, world);
        let ear = &mut self.ears[number];
        let rule = world.rule(ear.rule);
        if let Some(open) = ear.open.take() {
            if heard_at < open.since {
                ear.open = Some(open);
                return;
            }
            let finding = finding(rule, ear, FindingKind::Cleared, &open, now);
            out.tell(finding, ear.rule, Phase::Cleared, open.kind);
        } else if due <= now {
            let Some((device, class)) = ear.device.clone() else {
                return;
            };
            let zone = ear.zone.as_ref().and_then(|z| world.registry.zones.get(z));
            let time = || world.time_zone.to_datetime(now).time();
            let open = Open {
                severity: rule.urgency.at(time, zone.map(|z| z.kind), 1),
                site: ear.site.clone(),
                class,
                zone: ear.zone.clone(),
                device,
                kind: Kind::DeviceOffline,
                since: now,
                told_at: now,
                count: 1,
            };
            let finding = finding(rule, ear, FindingKind::Raised, &open, now);
            out.tell(finding, ear.rule, Phase::Raised, open.kind);
            ear.open = Some(open);
        } else {
            queue(ear, &mut self.due, number, due);
            return;
        }
        ear.row_at = Some(heard_at);
        dirty.insert((ear.rule, Arc::clone(&ear.subject)));
        if ear.open.is_none() {
            queue(ear, &mut self.due, number, due.max(now));
        }
    }

    /// Goes on with what others had heard, under new numbers of rules. Gives back what has no successor: rule, subject and the
    /// alarm that was open.
    pub(super) fn take_over(
        &mut self,
        old: &mut Self,
        moved: &HashMap<u16, u16>,
        world: &World,
    ) -> Vec<(u16, Arc<str>, Option<Open>)> {
        self.listening = std::mem::take(&mut old.listening);
        self.listening_since = old.listening_since;
        self.listening_row_at = old.listening_row_at;
        let mut dropped = Vec::new();
        for rule in &old.long_rules {
            let goes_on = moved.get(rule).is_some_and(|r| self.long_rules.contains(r));
            if !goes_on {
                dropped.push((*rule, Arc::from(LISTENING), None));
            }
        }
        for ear in std::mem::take(&mut old.ears) {
            let row = moved.get(&ear.rule);
            let row = row.map(|rule| (*rule, Arc::clone(&ear.subject)));
            let number = row.and_then(|row| self.by_row.get(&row).copied());
            let Some(number) = number else {
                if ear.row_at.is_some() {
                    dropped.push((ear.rule, ear.subject, ear.open));
                }
                continue;
            };
            let heir = &mut self.ears[number];
            heir.device = ear.device.or(heir.device.take());
            heir.heard_at = ear.heard_at;
            heir.row_at = ear.row_at;
            heir.slack = ear.slack;
            heir.open = ear.open;
            let due = match (&heir.open, heir.heard_at) {
                (Some(open), Some(heard_at)) if heard_at >= open.since => heard_at,
                (None, Some(heard_at)) => self.due(number, heard_at, world),
                _ => continue,
            };
            queue(&mut self.ears[number], &mut self.due, number, due);
        }
        dropped
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The row of a subject, if this is one of ours.
    pub(super) fn row(&self, rule: u16, subject: &Arc<str>) -> Option<String> {
        if &**subject == LISTENING {
            return serde_json::to_string(&self.listening).ok();
        }
        let number = self.by_row.get(&(rule, Arc::clone(subject)))?;
        let ear = &self.ears[*number];
        let row = Row {
            heard_at: ear.row_at?,
            device: ear.device.clone().filter(|_| ear.is_flat()),
            open: ear.open.clone(),
        };
        serde_json::to_string(&row).ok()
    }

    /// Takes a row back; false when there is no such device any more or the row is not ours.
    pub(super) fn restore(&mut self, rule: u16, subject: &str, value: &str, world: &World) -> bool {
        if subject == LISTENING {
            let Ok(row) = serde_json::from_str::<Listening>(value) else {
                return false;
            };
            if self.listening.until < row.until {
                self.listening = row;
            }
            return self.long_rules.contains(&rule);
        }
        let Some(&number) = self.by_row.get(&(rule, Arc::from(subject))) else {
            return false;
        };
        let Ok(row) = serde_json::from_str::<Row>(value) else {
            return false;
        };
        let ear = &mut self.ears[number];
        ear.heard_at = Some(row.heard_at);
        ear.row_at = Some(row.heard_at);
        ear.slack = ear.row_refresh();
        if row.device.is_some() {
            ear.device = row.device;
        }
        ear.open = row.open;
        let due = match &ear.open {
            // it spoke after the alarm, and the hub stopped before it could say so
            Some(open) if row.heard_at >= open.since => row.heard_at,
            Some(_) => return true,
            None => self.due(number, row.heard_at, world),
        };
        queue(&mut self.ears[number], &mut self.due, number, due);
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
        lasting: true,
        detail,
    }
}
