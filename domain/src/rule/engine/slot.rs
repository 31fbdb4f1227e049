//! What the engine remembers of one subject of one rule: one row of the state database.
//!
//! Everything that a decision depends on is in here, so that a restored slot decides like one that never left memory.

use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::super::set::Rule;
use super::super::view::View;
use crate::{DeviceClass, DeviceId, Kind, Phase, Severity, SiteId, Timestamp, ZoneId};
use jiff::SignedDuration;

/// The alarm of this subject, while the engine holds it raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) severity: Severity,
    pub(super) site: SiteId,
    pub(super) class: DeviceClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<ZoneId>,
    pub(super) device: DeviceId,
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
    pub(super) memory: Memory,
}

/// What has been seen, by the sort of condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Memory {
    /// Match and independent: who says that something is the case.
    Sources(Vec<Source>),
    /// Count: what happened when, oldest first.
    Hits(Vec<Hit>),
}

/// One part of one device that says one kind of thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) device: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<String>,
    pub(super) kind: Kind,
    pub(super) class: DeviceClass,
    #[serde(with = "nanoseconds")]
    pub(super) at: Timestamp,
    pub(super) state: SourceState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SourceState {
    /// Raised and not cleared: holds until it clears, however long that takes.
    Active,
    /// A fact without duration: holds for a time.
    Instant,
    /// Cleared: holds nothing, but still counts as one of several for a time.
    Cleared,
}

/// One counted event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Hit {
    #[serde(with = "nanoseconds")]
    pub(super) at: Timestamp,
    #[serde(with = "nanoseconds")]
    pub(super) occurred_at: Timestamp,
    /// The value that must differ, where the rule counts different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

impl Source {
    /// Who counts as independent of others: a device; behind a panel, each of its components.
    fn who(&self) -> (&DeviceId, Option<&str>) {
        match self.class {
            DeviceClass::Panel => (&self.device, self.component.as_deref()),
            _ => (&self.device, None),
        }
    }
}

/// What became of an event in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// A device that was not among those holding the alarm.
    NewSource,
    /// More of the same.
    Repeat,
}

impl Slot {
    pub(super) fn blank(condition: &Condition) -> Self {
        let memory = match condition {
            Condition::Count { .. } => Memory::Hits(Vec::new()),
            Condition::Match(_)
            | Condition::Independent { .. }
            | Condition::Absence { .. }
            | Condition::Report(_) => Memory::Sources(Vec::new()),
        };
        Self { open: None, memory }
    }

    /// Whether the row was written under this sort of condition.
    pub(super) fn belongs_to(&self, condition: &Condition) -> bool {
        matches!(
            (&self.memory, condition),
            (Memory::Hits(_), Condition::Count { .. })
                | (
                    Memory::Sources(_),
                    Condition::Match(_) | Condition::Independent { .. }
                )
        )
    }

    /// Nothing to remember.
    pub(super) fn is_blank(&self) -> bool {
        self.open.is_none()
            && match &self.memory {
                Memory::Sources(sources) => sources.is_empty(),
                Memory::Hits(hits) => hits.is_empty(),
            }
    }

    /// When time alone will next change something here.
    pub(super) fn due(&self, rule: &Rule) -> Option<Timestamp> {
        let linger = linger(rule);
        match &self.memory {
            Memory::Sources(sources) => sources
                .iter()
                .filter(|s| s.state != SourceState::Active)
                .map(|s| after(s.at, linger))
                .min(),
            Memory::Hits(hits) => hits.iter().map(|h| after(h.at, linger)).max(),
        }
    }

    /// Forgets what is too old to count.
    pub(super) fn forget(&mut self, rule: &Rule, now: Timestamp) {
        let linger = linger(rule);
        match &mut self.memory {
            Memory::Sources(sources) => {
                sources.retain(|s| s.state == SourceState::Active || after(s.at, linger) > now);
            }
            Memory::Hits(hits) => hits.retain(|h| after(h.at, linger) > now),
        }
    }

    /// Whether what raised the alarm still goes on.
    fn holds(&self) -> bool {
        match &self.memory {
            Memory::Sources(sources) => sources.iter().any(|s| s.state != SourceState::Cleared),
            Memory::Hits(hits) => !hits.is_empty(),
        }
    }

    /// Closes the alarm if what raised it is over.
    pub(super) fn close(&mut self) -> Option<Open> {
        if self.holds() { None } else { self.open.take() }
    }

    /// Adds a matching event; `value` is what a count tells apart. Says how many entries had to go for it.
    pub(super) fn note(
        &mut self,
        rule: &Rule,
        view: &View<'_>,
        value: Option<String>,
        sources_max: usize,
    ) -> (News, u64) {
        let event = view.event;
        match &mut self.memory {
            Memory::Sources(sources) => {
                let state = match event.phase {
                    Phase::Instant => SourceState::Instant,
                    Phase::Raised | Phase::Updated | Phase::Cleared => SourceState::Active,
                };
                let fresh = Source {
                    device: event.device.clone(),
                    component: event.component.clone(),
                    kind: event.kind,
                    class: event.class,
                    at: event.received_at,
                    state,
                };
                let holding = sources
                    .iter()
                    .any(|s| s.who() == fresh.who() && s.state != SourceState::Cleared);
                let news = if holding {
                    News::Repeat
                } else {
                    News::NewSource
                };
                let same = sources.iter_mut().find(|s| {
                    s.device == fresh.device
                        && s.component == fresh.component
                        && s.kind == fresh.kind
                });
                let mut evicted = 0;
                if let Some(known) = same {
                    // an instant beside a lasting condition does not end it
                    let lasting = known.state == SourceState::Active;
                    *known = fresh;
                    if lasting {
                        known.state = SourceState::Active;
                    }
                } else {
                    if sources.len() >= sources_max {
                        let victim = sources
                            .iter()
                            .enumerate()
                            .min_by_key(|(_, s)| (s.state == SourceState::Active, s.at))
                            .map_or(0, |(index, _)| index);
                        sources.remove(victim);
                        evicted = 1;
                    }
                    sources.push(fresh);
                }
                (news, evicted)
            }
            Memory::Hits(hits) => {
                if value.is_some() {
                    hits.retain(|h| h.value != value);
                }
                hits.push(Hit {
                    at: event.received_at,
                    occurred_at: event.occurred_at,
                    value,
                });
                // more than this changes no decision; the oldest goes
                let hits_max = match rule.condition {
                    Condition::Count { at_least, .. } => at_least.saturating_mul(2).max(32),
                    _ => 1,
                };
                if hits.len() > hits_max {
                    hits.remove(0);
                }
                (News::Repeat, 0)
            }
        }
    }

    /// A device says that it is over: one kind of thing (`cleared`), or everything (the rule's own `clear`).
    pub(super) fn clear(&mut self, rule: &Rule, view: &View<'_>, kind: Option<Kind>) {
        let event = view.event;
        match &mut self.memory {
            Memory::Sources(sources) => {
                let concerned = |s: &Source| {
                    s.device == event.device
                        && kind.is_none_or(|kind| s.kind == kind)
                        // an event or a source without a component speaks of the whole device
                        && (event.component.is_none()
                            || s.component.is_none()
                            || s.component == event.component)
                };
                if matches!(rule.condition, Condition::Match(_)) {
                    sources.retain(|s| !concerned(s));
                } else {
                    for source in sources.iter_mut().filter(|s| concerned(s)) {
                        source.state = SourceState::Cleared;
                    }
                }
            }
            Memory::Hits(hits) => hits.clear(),
        }
    }

    /// How many count now: devices, or events (different values) that also happened close together.
    pub(super) fn weight(&self, rule: &Rule) -> usize {
        match &self.memory {
            Memory::Sources(sources) => {
                let mut who: Vec<_> = sources.iter().map(Source::who).collect();
                who.sort_unstable();
                who.dedup();
                who.len()
            }
            Memory::Hits(hits) => {
                let Some(last) = hits.last() else { return 0 };
                let linger = linger(rule);
                hits.iter()
                    .filter(|h| h.occurred_at.duration_since(last.occurred_at).abs() < linger)
                    .count()
            }
        }
    }

    /// Whether the condition is fulfilled.
    pub(super) fn fulfilled(&self, rule: &Rule) -> bool {
        match &rule.condition {
            Condition::Match(_) => true,
            Condition::Count { at_least, .. } | Condition::Independent { at_least, .. } => {
                self.weight(rule) >= *at_least
            }
            Condition::Absence { .. } | Condition::Report(_) => false,
        }
    }

    /// The devices that count, in order, for people to read.
    pub(super) fn devices(&self) -> Vec<&DeviceId> {
        let Memory::Sources(sources) = &self.memory else {
            return Vec::new();
        };
        let mut devices: Vec<_> = sources.iter().map(|s| &s.device).collect();
        devices.sort_unstable();
        devices.dedup();
        devices
    }
}

/// How long something that does not last still counts.
fn linger(rule: &Rule) -> SignedDuration {
    let seconds = match &rule.condition {
        Condition::Count { within_s, .. } | Condition::Independent { within_s, .. } => *within_s,
        Condition::Match(_) | Condition::Absence { .. } | Condition::Report(_) => {
            rule.meta.dedupe_s
        }
    };
    SignedDuration::from_secs(i64::from(seconds))
}

/// `at + time`, at the end of time at the latest.
pub(super) fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

/// Times in rows: whole nanoseconds since 1970, exact, short and quick to write. Good until 2262, later times stand there.
mod nanoseconds {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        let limit = if at.as_nanosecond() < 0 {
            i64::MIN
        } else {
            i64::MAX
        };
        to.serialize_i64(i64::try_from(at.as_nanosecond()).unwrap_or(limit))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let nanoseconds = i64::deserialize(from)?;
        Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(serde::de::Error::custom)
    }
}
