//! What the engine remembers of one subject of one rule: one row of the state database.
//!
//! Everything that a decision depends on is in here, so that a restored slot decides like one that never left memory.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::super::set::Rule;
use super::super::view::View;
use super::days::{self, Day};
use super::hits::{self, Hit};
use super::nanoseconds;
use super::nanoseconds::optional;
use super::source::{self, News, Source, SourceState};
use super::steps;
use crate::{DeviceClass, DeviceId, Kind, Severity, SiteId, Timestamp, ZoneId};

/// The alarm of this subject, while the engine holds it raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) severity: Severity,
    pub(super) site: SiteId,
    pub(super) class: DeviceClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<ZoneId>,
    pub(super) device: DeviceId,
    /// What raised it.
    pub(super) kind: Kind,
    /// When it was raised.
    #[serde(with = "nanoseconds")]
    pub(super) since: Timestamp,
    /// When a finding last said so.
    #[serde(with = "nanoseconds")]
    pub(super) told_at: Timestamp,
    /// Matching events since it was raised.
    pub(super) count: u64,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open: Option<Open>,
    /// It is over, and the alarm ends then unless it begins again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub(super) ending_at: Option<Timestamp>,
    /// The last value of what only counts when it changes, by part and kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) edges: BTreeMap<String, String>,
    pub(super) memory: Memory,
}

/// What has been seen, by the sort of condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Memory {
    /// Match and independent: who says that something is the case.
    Sources(Vec<Source>),
    /// Held: who says so, and since when.
    Held(Vec<Source>),
    /// Threshold: whose number is beyond the limit, and since when.
    Level(Vec<Source>),
    /// Fleeting: of a place, who is raised; of an alarm, what raised it.
    Fleeting(Vec<Source>),
    /// Share: who says so, of how many.
    Share { sources: Vec<Source>, of: u32 },
    /// Sequence: who says so, and how far it has come.
    Steps {
        sources: Vec<Source>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reached: Vec<Option<Timestamp>>,
    },
    /// Count: what happened when, oldest first.
    Hits(Vec<Hit>),
    /// Days: how many on each, oldest first.
    Days(Vec<Day>),
}

impl Memory {
    fn blank(condition: &Condition) -> Self {
        match condition {
            Condition::Match(_)
            | Condition::Independent { .. }
            | Condition::Absence { .. }
            | Condition::Quiet { .. }
            | Condition::Report(_)
            | Condition::Station => Self::Sources(Vec::new()),
            Condition::Held { .. } => Self::Held(Vec::new()),
            Condition::Threshold { .. } => Self::Level(Vec::new()),
            Condition::Fleeting { .. } => Self::Fleeting(Vec::new()),
            Condition::Share { .. } => Self::Share {
                sources: Vec::new(),
                of: 0,
            },
            Condition::Sequence { .. } => Self::Steps {
                sources: Vec::new(),
                reached: Vec::new(),
            },
            Condition::Count { .. } => Self::Hits(Vec::new()),
            Condition::Days { .. } => Self::Days(Vec::new()),
        }
    }

    pub(super) fn sources(&self) -> &[Source] {
        match self {
            Self::Sources(sources)
            | Self::Held(sources)
            | Self::Level(sources)
            | Self::Fleeting(sources)
            | Self::Share { sources, .. }
            | Self::Steps { sources, .. } => sources,
            Self::Hits(_) | Self::Days(_) => &[],
        }
    }

    pub(super) fn sources_mut(&mut self) -> Option<&mut Vec<Source>> {
        match self {
            Self::Sources(sources)
            | Self::Held(sources)
            | Self::Level(sources)
            | Self::Fleeting(sources)
            | Self::Share { sources, .. }
            | Self::Steps { sources, .. } => Some(sources),
            Self::Hits(_) | Self::Days(_) => None,
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Hits(hits) => hits.is_empty(),
            Self::Days(days) => days.is_empty(),
            Self::Steps { sources, reached } => {
                sources.is_empty() && reached.iter().all(Option::is_none)
            }
            other => other.sources().is_empty(),
        }
    }
}

impl Slot {
    pub(super) fn blank(condition: &Condition) -> Self {
        Self {
            open: None,
            ending_at: None,
            edges: BTreeMap::new(),
            memory: Memory::blank(condition),
        }
    }

    /// Whether the row was written under this sort of condition.
    pub(super) fn belongs_to(&self, condition: &Condition) -> bool {
        let wanted = Memory::blank(condition);
        let waits = matches!(
            condition,
            Condition::Absence { .. }
                | Condition::Quiet { .. }
                | Condition::Report(_)
                | Condition::Station
        );
        !waits && std::mem::discriminant(&self.memory) == std::mem::discriminant(&wanted)
    }

    /// Nothing to remember.
    pub(super) fn is_blank(&self) -> bool {
        self.open.is_none() && self.edges.is_empty() && self.memory.is_blank()
    }

    /// When time alone will next change something here.
    pub(super) fn due(&self, rule: &Rule) -> Option<Timestamp> {
        let linger = linger(rule);
        let window = match &self.memory {
            Memory::Hits(hits) => hits.iter().map(|h| after(h.at, linger)).max(),
            Memory::Days(days) => days.first().map(|day| after(day.from, linger)),
            other => {
                let passing = other.sources().iter();
                let passing = passing.filter(|s| s.state != SourceState::Active);
                passing.map(|s| after(s.at, linger)).min()
            }
        };
        let steps = match &self.memory {
            // the first moment at which it is too long ago
            Memory::Steps { reached, .. } => reached
                .iter()
                .flatten()
                .min()
                .map(|at| after(after(*at, linger), SignedDuration::from_nanos(1))),
            _ => None,
        };
        let held = match &self.memory {
            Memory::Held(sources) | Memory::Level(sources) if self.open.is_none() => {
                let on_delay = on_delay(rule);
                sources.iter().map(|s| after(s.since(), on_delay)).min()
            }
            _ => None,
        };
        let times = [window, steps, held, self.ending_at];
        times.into_iter().flatten().min()
    }

    /// Forgets what some devices said; says whether there was anything.
    pub(super) fn leave(&mut self, is_gone: impl Fn(&DeviceId) -> bool) -> bool {
        let Some(sources) = self.memory.sources_mut() else {
            return false;
        };
        let before = sources.len();
        sources.retain(|source| !is_gone(&source.device));
        sources.len() < before
    }

    /// Forgets what is too old to count.
    pub(super) fn forget(&mut self, rule: &Rule, now: Timestamp) {
        let linger = linger(rule);
        if let Some(sources) = self.memory.sources_mut() {
            sources.retain(|s| s.state == SourceState::Active || after(s.at, linger) > now);
        }
        match &mut self.memory {
            Memory::Hits(hits) => hits.retain(|h| after(h.at, linger) > now),
            Memory::Days(days) => days.retain(|day| after(day.from, linger) > now),
            Memory::Steps { reached, .. } => steps::forget(reached, linger, now),
            _ => {}
        }
    }

    /// Whether a device will say its end, rather than time.
    pub(super) fn lasts(&self) -> bool {
        match &self.memory {
            Memory::Hits(_) | Memory::Days(_) | Memory::Fleeting(_) => false,
            other => other
                .sources()
                .iter()
                .any(|s| s.state == SourceState::Active),
        }
    }

    /// Whether what raised the alarm still goes on.
    fn holds(&self, rule: &Rule) -> bool {
        match &self.memory {
            Memory::Hits(hits) => !hits.is_empty(),
            Memory::Days(_) => self.weight(rule) >= needed(rule, 0),
            Memory::Share { sources, of } => {
                source::distinct(sources.iter().filter(|s| s.holds())) >= needed(rule, *of)
            }
            other => other.sources().iter().any(Source::holds),
        }
    }

    /// Closes the alarm if what raised it is over, and has been for as long as the rule waits.
    pub(super) fn close(&mut self, rule: &Rule, now: Timestamp) -> Option<Open> {
        if self.open.is_none() || self.holds(rule) {
            self.ending_at = None;
            return None;
        }
        let wait = SignedDuration::from_secs(i64::from(rule.off_delay_s));
        let ending_at = *self.ending_at.get_or_insert(after(now, wait));
        if ending_at > now {
            return None;
        }
        self.ending_at = None;
        self.open.take()
    }

    /// Adds a matching event. Says whether it is news, and how many entries had to go for it.
    pub(super) fn note(
        &mut self,
        rule: &Rule,
        view: &View<'_>,
        noted: Noted,
        most: usize,
    ) -> (News, u64) {
        let now = view.event.received_at;
        let window = linger(rule);
        let goes_on = self.ending_at.take().is_some();
        let (news, evicted) = match (&mut self.memory, &rule.condition) {
            (Memory::Hits(hits), Condition::Count { at_least, .. }) => {
                let hit = Hit {
                    at: now,
                    occurred_at: view.event.occurred_at,
                    value: noted.value,
                    n: 1,
                };
                hits::note(hits, hit, *at_least, window);
                (News::Repeat, 0)
            }
            (
                Memory::Days(days),
                Condition::Days {
                    at_least,
                    registered_over,
                    ..
                },
            ) => (days::note(days, view, *at_least, *registered_over), 0),
            (Memory::Steps { sources, reached }, Condition::Sequence { steps, ordered, .. }) => {
                steps::note(reached, steps, noted.source.step, *ordered, window, now);
                source::note(sources, noted.source, most)
            }
            (Memory::Share { sources, of }, _) => {
                *of = noted.of;
                source::note(sources, noted.source, most.max(noted.of as usize))
            }
            (memory, _) => match memory.sources_mut() {
                Some(sources) => source::note(sources, noted.source, most),
                None => (News::Repeat, 0),
            },
        };
        let news = if goes_on { News::Repeat } else { news };
        (news, evicted)
    }

    /// A device says that it is over: one kind of thing (`cleared`), or everything (the rule's own `clear`).
    pub(super) fn clear(&mut self, rule: &Rule, view: &View<'_>, kind: Option<Kind>, step: u8) {
        if let Memory::Hits(hits) = &mut self.memory {
            hits.clear();
        }
        let any_device = !rule.subject.is_place();
        let counts_on = matches!(
            rule.condition,
            Condition::Independent { .. } | Condition::Sequence { .. }
        );
        let Some(sources) = self.memory.sources_mut() else {
            return;
        };
        let meant = |s: &Source| {
            s.is_meant_by(view, kind, any_device) && (kind.is_none() || s.step == step)
        };
        if counts_on {
            for source in sources.iter_mut().filter(|s| meant(s)) {
                source.state = SourceState::Cleared;
            }
        } else {
            sources.retain(|s| !meant(s));
        }
    }

    /// How many count now: devices, events (different values) that also happened close together, days.
    pub(super) fn weight(&self, rule: &Rule) -> usize {
        match (&self.memory, &rule.condition) {
            (Memory::Hits(hits), _) => hits::weight(hits, linger(rule)),
            (Memory::Days(days), Condition::Days { at_least, .. }) => days::weight(days, *at_least),
            (Memory::Share { sources, .. }, _) => {
                source::distinct(sources.iter().filter(|s| s.holds()))
            }
            (memory, _) => source::distinct(memory.sources().iter()),
        }
    }

    /// The number that findings tell, where it is not that of matching events since the alarm was raised.
    pub(super) fn number(&self, rule: &Rule) -> Option<u64> {
        match rule.condition {
            Condition::Count { .. }
            | Condition::Independent { .. }
            | Condition::Days { .. }
            | Condition::Share { .. } => Some(self.weight(rule) as u64),
            _ => None,
        }
    }

    /// An alarm was raised: a sequence starts over.
    pub(super) fn told(&mut self) {
        if let Memory::Steps { reached, .. } = &mut self.memory {
            reached.clear();
        }
    }

    /// Whether the condition is fulfilled.
    pub(super) fn fulfilled(&self, rule: &Rule, now: Timestamp) -> bool {
        match (&rule.condition, &self.memory) {
            (Condition::Match(_) | Condition::Fleeting { .. }, _) => true,
            (
                Condition::Count { .. } | Condition::Independent { .. } | Condition::Days { .. },
                _,
            ) => self.weight(rule) >= needed(rule, 0),
            (Condition::Held { .. } | Condition::Threshold { .. }, _) => {
                self.ripe(rule, now).is_some()
            }
            (Condition::Sequence { steps, ordered, .. }, Memory::Steps { sources, reached }) => {
                steps::complete(reached, sources, steps, *ordered, linger(rule), now)
            }
            (Condition::Share { .. }, Memory::Share { sources, of }) => {
                let linger = linger(rule);
                let fresh = |s: &&Source| s.holds() && after(s.since(), linger) > now;
                *of > 0 && source::distinct(sources.iter().filter(fresh)) >= needed(rule, *of)
            }
            _ => false,
        }
    }

    /// The source that has said so for long enough.
    pub(super) fn ripe(&self, rule: &Rule, now: Timestamp) -> Option<&Source> {
        let (Memory::Held(sources) | Memory::Level(sources)) = &self.memory else {
            return None;
        };
        let (on_delay, linger) = (on_delay(rule), linger(rule));
        sources
            .iter()
            .filter(|s| {
                let at = after(s.since(), on_delay);
                let lasts = s.state == SourceState::Active || at <= after(s.at, linger);
                s.holds() && lasts && at <= now
            })
            .min_by_key(|s| s.since())
    }

    /// The devices that count, in order, for people to read.
    pub(super) fn devices(&self) -> Vec<&DeviceId> {
        let mut devices: Vec<_> = self.memory.sources().iter().map(|s| &s.device).collect();
        devices.sort_unstable();
        devices.dedup();
        devices
    }
}

/// What a matching event adds to a slot.
pub(super) struct Noted {
    pub(super) source: Source,
    /// What a count tells apart.
    pub(super) value: Option<String>,
    /// Of how many devices, for a share.
    pub(super) of: u32,
}

/// How many there must be; `of` is how many devices a share is taken of.
fn needed(rule: &Rule, of: u32) -> usize {
    match &rule.condition {
        Condition::Count { at_least, .. } | Condition::Independent { at_least, .. } => *at_least,
        Condition::Days { days, .. } => *days as usize,
        // one device is no part of many, however few there are
        Condition::Share { share, .. } => ((share * f64::from(of)).ceil() as usize).max(2),
        _ => 1,
    }
}

/// How long something that does not last still counts.
fn linger(rule: &Rule) -> SignedDuration {
    let seconds = match &rule.condition {
        Condition::Count { within_s, .. }
        | Condition::Independent { within_s, .. }
        | Condition::Sequence { within_s, .. }
        | Condition::Share { within_s, .. } => *within_s,
        Condition::Held {
            repeat_within_s, ..
        } => repeat_within_s.unwrap_or(u32::MAX),
        Condition::Days { of_days, .. } => return days::memory(*of_days),
        Condition::Match(_)
        | Condition::Absence { .. }
        | Condition::Quiet { .. }
        | Condition::Fleeting { .. }
        | Condition::Threshold { .. }
        | Condition::Report(_)
        | Condition::Station => rule.meta.dedupe_s,
    };
    SignedDuration::from_secs(i64::from(seconds))
}

/// How long something must go on before it is an alarm.
fn on_delay(rule: &Rule) -> SignedDuration {
    let seconds = match &rule.condition {
        Condition::Held { for_s, .. } | Condition::Threshold { for_s, .. } => *for_s,
        _ => 0,
    };
    SignedDuration::from_secs(i64::from(seconds))
}

/// `at + time`, at the end of time at the latest.
pub(super) fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}
