//! Alarms: one rule's condition on one subject, with the states of ISA-18.2.
//!
//! An alarm is one episode: once it is [`AlarmState::Normal`] it is over, and the next finding on the same subject makes a new one.
//! (rule, subject) is unique among those that are not normal. Shelving, suppression and the unknown state of an offline device
//! are flags beside the state, never states.

use crate::incident::words;
use crate::rule::Finding;
use crate::{AlarmId, DeviceId, RuleId, Severity, SiteId, Timestamp, ZoneId};

words!(
    /// ISA-18.2's states of an alarm.
    AlarmState, "alarm state":
    /// Over.
    Normal = "normal",
    /// The condition holds and nobody has seen it.
    ActiveUnacked = "active_unacked",
    /// The condition holds, a person knows.
    ActiveAcked = "active_acked",
    /// The condition has ended before anybody saw it; only of latched alarms.
    ReturnedUnacked = "returned_unacked",
);

impl AlarmState {
    /// The condition holds.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::ActiveUnacked | Self::ActiveAcked)
    }
    /// The episode goes on.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Normal)
    }
    /// After an operator has acknowledged.
    #[must_use]
    pub const fn acknowledged(self) -> Self {
        match self {
            Self::ActiveUnacked | Self::ActiveAcked => Self::ActiveAcked,
            Self::ReturnedUnacked | Self::Normal => Self::Normal,
        }
    }
    /// After the condition has ended. A latched alarm stays until somebody has seen it.
    #[must_use]
    pub const fn returned(self, latch: Latch) -> Self {
        match (self, latch) {
            (Self::ActiveUnacked | Self::ReturnedUnacked, Latch::Latched) => Self::ReturnedUnacked,
            _ => Self::Normal,
        }
    }
    /// After the condition was found to hold (again). An alarm that was acknowledged stays so while it lasts.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::ActiveAcked => Self::ActiveAcked,
            Self::Normal | Self::ActiveUnacked | Self::ReturnedUnacked => Self::ActiveUnacked,
        }
    }
}

/// Whether an alarm outlasts its condition until it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latch {
    /// It does.
    Latched,
    /// It goes with its condition.
    Free,
}

/// One episode of a rule's condition on a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// The rule.
    pub rule: RuleId,
    /// What it is about.
    pub subject: String,
    /// Where it stands.
    pub state: AlarmState,
    /// Whether it outlasts its condition.
    pub latch: Latch,
    /// How urgent; within an episode it only rises.
    pub severity: Severity,
    /// The quarter.
    pub site: SiteId,
    /// The zone, where known.
    pub zone: Option<ZoneId>,
    /// The device that made the difference, where there is one.
    pub device: Option<DeviceId>,
    /// Hub time of the first finding.
    pub raised_at: Timestamp,
    /// Hub time of the latest finding.
    pub last_event_at: Timestamp,
    /// Hub time at which the condition ended, if it has.
    pub cleared_at: Option<Timestamp>,
    /// Findings, from 1.
    pub count: u64,
}

impl Alarm {
    /// The first finding of an episode.
    pub fn open(id: AlarmId, finding: &Finding, latch: Latch) -> Self {
        Self {
            id,
            rule: finding.rule.clone(),
            subject: finding.subject.clone(),
            state: AlarmState::ActiveUnacked,
            latch,
            severity: finding.severity,
            site: finding.site.clone(),
            zone: finding.zone.clone(),
            device: finding.device.clone(),
            raised_at: finding.at,
            last_event_at: finding.at,
            cleared_at: None,
            count: 1,
        }
    }

    /// The condition was found to hold again.
    #[must_use]
    pub fn refresh(self, finding: &Finding) -> Self {
        Self {
            state: self.state.raised(),
            severity: self.severity.min(finding.severity),
            zone: finding.zone.clone().or(self.zone),
            device: finding.device.clone().or(self.device),
            last_event_at: self.last_event_at.max(finding.at),
            cleared_at: None,
            count: self.count + 1,
            ..self
        }
    }

    /// The condition has ended at `at`.
    #[must_use]
    pub fn clear(self, at: Timestamp) -> Self {
        Self {
            state: self.state.returned(self.latch),
            cleared_at: self.cleared_at.or(Some(at)),
            ..self
        }
    }

    /// Its incident was closed while the condition went on: what is found from `at` on is another episode.
    #[must_use]
    pub fn end(self, at: Timestamp) -> Self {
        Self {
            state: AlarmState::Normal,
            cleared_at: self.cleared_at.or(Some(at)),
            ..self
        }
    }

    /// An operator has seen it.
    #[must_use]
    pub fn acknowledge(self) -> Self {
        Self {
            state: self.state.acknowledged(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlarmState::{ActiveAcked, ActiveUnacked, Normal, ReturnedUnacked};
    use super::{AlarmState, Latch};

    #[test]
    fn every_state_goes_where_isa_18_2_says() {
        // state, acknowledged, returned latched, returned free, raised
        for (state, acknowledged, latched, free, raised) in [
            (Normal, Normal, Normal, Normal, ActiveUnacked),
            (
                ActiveUnacked,
                ActiveAcked,
                ReturnedUnacked,
                Normal,
                ActiveUnacked,
            ),
            (ActiveAcked, ActiveAcked, Normal, Normal, ActiveAcked),
            (
                ReturnedUnacked,
                Normal,
                ReturnedUnacked,
                Normal,
                ActiveUnacked,
            ),
        ] {
            assert_eq!(state.acknowledged(), acknowledged, "{state} acknowledged");
            assert_eq!(state.returned(Latch::Latched), latched, "{state} latched");
            assert_eq!(state.returned(Latch::Free), free, "{state} free");
            assert_eq!(state.raised(), raised, "{state} raised");
        }
    }

    #[test]
    fn a_word_goes_there_and_back() {
        for &state in AlarmState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("shelved".parse::<AlarmState>().is_err());
    }
}
