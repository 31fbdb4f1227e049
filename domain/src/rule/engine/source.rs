//! Who says that something is the case: one part of one device, or the finding of another rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::view::View;
use super::nanoseconds;
use super::nanoseconds::optional;
use crate::{DeviceClass, DeviceId, Kind, Phase, SiteId, Timestamp};

/// Longest name of a condition; what is longer is cut.
const CONDITION_CHARS_MAX: usize = 64;

/// One part of one device that says one kind of thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) device: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<String>,
    pub(super) kind: Kind,
    /// Which of several conditions of this kind it is, where the device tells them apart (`attrs.condition`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) condition: Option<String>,
    pub(super) class: DeviceClass,
    /// When it last said so.
    #[serde(with = "nanoseconds")]
    pub(super) at: Timestamp,
    /// When it began to say so, if that was earlier.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub(super) began_at: Option<Timestamp>,
    pub(super) state: SourceState,
    /// The finding that it stands for: `rule|subject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<String>,
    /// Of a sequence: which step it is.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(super) step: u8,
    /// Somebody else said so meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) accompanied: bool,
    /// What to tell when time alone raises the alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<Box<Told>>,
}

/// What a finding says that time makes of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) site: SiteId,
    pub(super) detail: BTreeMap<String, String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_first(step: &u8) -> bool {
    *step == 0
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

impl SourceState {
    /// What an event of this phase makes of its source.
    pub(super) fn of(phase: Phase) -> Self {
        match phase {
            Phase::Raised | Phase::Updated => Self::Active,
            Phase::Instant | Phase::Cleared => Self::Instant,
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

impl Source {
    pub(super) fn new(view: &View<'_>, state: SourceState) -> Self {
        let event = view.event;
        Self {
            device: event.device.clone(),
            component: event.component.clone(),
            kind: event.kind,
            condition: condition(view),
            class: event.class,
            at: event.received_at,
            began_at: None,
            state,
            origin: view.heard.map(|heard| heard.origin()),
            step: 0,
            accompanied: false,
            told: None,
        }
    }

    /// When it began to say so.
    pub(super) fn since(&self) -> Timestamp {
        self.began_at.unwrap_or(self.at)
    }

    /// Who counts as independent of others: a device; behind a panel, each of its components.
    pub(super) fn who(&self) -> (&DeviceId, Option<&str>) {
        match self.class {
            DeviceClass::Panel => (&self.device, self.component.as_deref()),
            _ => (&self.device, None),
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.state != SourceState::Cleared
    }

    /// The same part of the same device saying the same thing.
    fn is_same(&self, other: &Self) -> bool {
        self.step == other.step
            && match (&self.origin, &other.origin) {
                (None, None) => {
                    self.device == other.device
                        && self.component == other.component
                        && self.kind == other.kind
                        && self.condition == other.condition
                }
                (mine, theirs) => mine == theirs,
            }
    }

    /// Whether an event that says "it is over" speaks of this source: of this kind of thing, or of everything (`kind` none).
    pub(super) fn is_meant_by(
        &self,
        view: &View<'_>,
        kind: Option<Kind>,
        any_device: bool,
    ) -> bool {
        let event = view.event;
        if let (Some(heard), Some(_)) = (view.heard, kind) {
            return self.origin.as_deref() == Some(heard.origin().as_str());
        }
        if kind.is_none() && any_device {
            return true;
        }
        self.device == event.device
            && kind.is_none_or(|kind| self.kind == kind && self.origin.is_none())
            && (kind.is_none() || is_one(self.condition.as_deref(), condition(view).as_deref()))
            // an event or a source without a component speaks of the whole device
            && (event.component.is_none()
                || self.component.is_none()
                || self.component == event.component)
    }
}

/// Which of several conditions of its kind an event tells of: a blurred picture and a covered lens, two faults of one detector.
fn condition(view: &View<'_>) -> Option<String> {
    let condition = view.attr_text(&["condition"])?;
    Some(condition.chars().take(CONDITION_CHARS_MAX).collect())
}

/// Whether two are the same condition; where one of them does not say, they are.
fn is_one(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// Adds a source or refreshes it. Says whether it is news, and how many had to go for it.
pub(super) fn note(sources: &mut Vec<Source>, fresh: Source, most: usize) -> (News, u64) {
    let holding = sources.iter().any(|s| s.who() == fresh.who() && s.holds());
    let news = if holding {
        News::Repeat
    } else {
        News::NewSource
    };
    if let Some(known) = sources.iter_mut().find(|s| s.is_same(&fresh)) {
        // an instant beside a lasting condition does not end it
        let lasting = known.state == SourceState::Active;
        let since = known.holds().then(|| known.since());
        let accompanied = known.accompanied;
        *known = fresh;
        known.began_at = since.filter(|since| *since != known.at);
        known.accompanied = accompanied;
        if lasting {
            known.state = SourceState::Active;
        }
        return (news, 0);
    }
    let mut evicted = 0;
    if sources.len() >= most {
        let victim = sources
            .iter()
            .enumerate()
            .min_by_key(|(_, s)| (s.state == SourceState::Active, s.at))
            .map_or(0, |(index, _)| index);
        sources.remove(victim);
        evicted = 1;
    }
    sources.push(fresh);
    (news, evicted)
}

/// How many devices there are among these.
pub(super) fn distinct<'s>(sources: impl Iterator<Item = &'s Source>) -> usize {
    let mut who: Vec<_> = sources.map(Source::who).collect();
    who.sort_unstable();
    who.dedup();
    who.len()
}
