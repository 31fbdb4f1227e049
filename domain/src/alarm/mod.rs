//! Alarms: one rule's condition on one subject, with the states of ISA-18.2.
//!
//! An alarm is one episode: once it is [`AlarmState::Normal`] it is over, and the next finding on the same subject makes a new one.
//! (rule, subject) is unique among those that are not normal. Shelving, suppression and the unknown state of an offline device
//! are flags beside the state, never states. An alarm is *annunciated* (it opens an incident) when its rule wants that and no flag
//! holds it back; until then it keeps the finding that it will annunciate with.

mod flags;
pub mod flood;
mod maintenance;
mod metrics;
mod tally;

pub use flags::{Flag, Flags, REASON_CHARS_MAX, Refused, SHELF_MAX, Shelf};
pub use maintenance::{BadWindow, Scope, WINDOW_AHEAD_MAX, WINDOW_MAX, Window, WindowState};
pub use metrics::{AlarmMetrics, Rang};
pub(crate) use metrics::{busiest, peak};
pub use tally::{CHATTER_QUIET, CHATTER_WITHIN, FLEETING, Tally};

use crate::incident::{Incident, words};
use crate::rule::{Finding, FindingKind, Mode};
use crate::{AlarmId, DeviceId, IncidentId, RuleId, Severity, SiteId, Timestamp, ZoneId};

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

impl Latch {
    /// P1 is always latched (RULES.md §6.1).
    fn of(self, severity: Severity) -> Self {
        if severity == Severity::P1 {
            Self::Latched
        } else {
            self
        }
    }
}

/// One episode of a rule's condition on a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// Counts what people did to it, not how often it came.
    pub version: i64,
    /// The incident that it belongs to; none while it is held back, and of notices and shadows.
    pub incident: Option<IncidentId>,
    /// The rule.
    pub rule: RuleId,
    /// What it is about.
    pub subject: String,
    /// What its rule wants of it.
    pub mode: Mode,
    /// It goes on until a device says its end (see [`Finding::lasting`]).
    pub lasting: bool,
    /// Where it stands.
    pub state: AlarmState,
    /// Whether it outlasts its condition.
    pub latch: Latch,
    /// What stands beside the state.
    pub flags: Flags,
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
    /// Hub time at which the condition last began to hold.
    pub active_at: Timestamp,
    /// Hub time of the latest finding.
    pub last_event_at: Timestamp,
    /// Hub time at which the condition ended, if it has.
    pub cleared_at: Option<Timestamp>,
    /// Hub time at which the station was first told, if it was.
    pub annunciated_at: Option<Timestamp>,
    /// Findings, from 1.
    pub count: u64,
    /// How often the condition held for less than [`FLEETING`].
    pub fleeting: u64,
    /// The latest finding, as long as there is no incident that knows of it.
    pub pending: Option<Finding>,
}

impl Alarm {
    /// The first finding of an episode. P1 outlasts its condition whatever its rule says.
    pub fn open(id: AlarmId, finding: &Finding, latch: Latch, mode: Mode) -> Self {
        Self {
            id,
            version: 1,
            incident: None,
            rule: finding.rule.clone(),
            subject: finding.subject.clone(),
            mode,
            lasting: finding.lasting,
            state: AlarmState::ActiveUnacked,
            latch: latch.of(finding.severity),
            flags: Flags::default(),
            severity: finding.severity,
            site: finding.site.clone(),
            zone: finding.zone.clone(),
            device: finding.device.clone(),
            raised_at: finding.at,
            active_at: finding.at,
            last_event_at: finding.at,
            cleared_at: None,
            annunciated_at: None,
            count: 1,
            fleeting: 0,
            pending: Some(finding.clone()),
        }
    }

    /// The condition was found to hold again. A word about it makes it known.
    #[must_use]
    pub fn refresh(mut self, finding: &Finding) -> Self {
        self.lasting = finding.lasting;
        if !self.state.is_active() {
            self.active_at = finding.at;
        }
        self.state = self.state.raised();
        self.severity = self.severity.min(finding.severity);
        self.latch = self.latch.of(self.severity);
        self.zone = finding.zone.clone().or(self.zone);
        self.device = finding.device.clone().or(self.device);
        self.last_event_at = self.last_event_at.max(finding.at);
        self.cleared_at = None;
        self.count += 1;
        if finding.event.is_some() {
            self.flags.unknown_since = None;
        }
        if self.incident.is_none() {
            self.pending = Some(finding.clone());
        }
        self
    }

    /// The condition has ended at `at`. Nobody can see what no incident shows: without one it goes with its condition.
    #[must_use]
    pub fn clear(self, at: Timestamp) -> Self {
        let latch = match self.incident {
            Some(_) => self.latch,
            None => Latch::Free,
        };
        let is_fleeting = self.state.is_active() && at.duration_since(self.active_at) < FLEETING;
        Self {
            state: self.state.returned(latch),
            cleared_at: self.cleared_at.or(Some(at)),
            fleeting: self.fleeting + u64::from(is_fleeting),
            flags: Flags {
                unknown_since: None,
                ..self.flags
            },
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

    /// The station has been told at `at`: an incident has it.
    #[must_use]
    pub fn annunciated(self, incident: IncidentId, at: Timestamp) -> Self {
        Self {
            incident: Some(incident),
            annunciated_at: self.annunciated_at.or(Some(at)),
            pending: None,
            ..self
        }
    }

    /// Nobody has touched its incident, which now goes under: it is as if it had not rung yet.
    #[must_use]
    pub fn withdrawn(self, incident: &Incident) -> Self {
        let pending = Finding {
            rule: self.rule.clone(),
            subject: self.subject.clone(),
            what: FindingKind::Raised,
            severity: self.severity,
            site: self.site.clone(),
            class: incident.class,
            zone: self.zone.clone(),
            device: self.device.clone(),
            at: self.last_event_at,
            occurred_at: incident.occurred_at,
            event: None,
            seq: None,
            lasting: incident.course.lasting,
            detail: incident.detail.clone(),
        };
        Self {
            incident: None,
            pending: Some(pending),
            ..self
        }
    }

    /// What holds it back, if anything does.
    pub fn hold(&self) -> Option<Flag> {
        self.flags.hold(self.severity)
    }

    /// There is more to tell than that it came again.
    pub fn differs(&self, other: &Self) -> bool {
        let told = |alarm: &Self| {
            let Self {
                state,
                severity,
                mode,
                incident,
                version,
                ..
            } = alarm;
            (*state, *severity, *mode, *incident, *version)
        };
        told(self) != told(other) || self.flags != other.flags
    }

    /// It would have to be annunciated now: its rule wants that, its condition holds, no incident has it and nothing holds it back.
    pub fn is_due(&self) -> bool {
        self.mode == Mode::Annunciate
            && self.state.is_active()
            && self.incident.is_none()
            && self.hold().is_none()
    }

    /// A person puts it aside. Its incident, if it has one, stays as it is.
    ///
    /// # Errors
    /// [`Refused`] when somebody has done so before, or the shelf is for something less urgent.
    pub fn shelve(self, shelf: Shelf) -> Result<Self, Refused> {
        if self.severity == Severity::P1 {
            return Err(Refused::Critical);
        }
        if let Some(shelf) = self.flags.shelved {
            return Err(Refused::Shelved { by: shelf.by });
        }
        Ok(Self {
            version: self.version + 1,
            flags: Flags {
                shelved: Some(shelf),
                ..self.flags
            },
            ..self
        })
    }

    /// The shelf ends.
    ///
    /// # Errors
    /// [`Refused::NotShelved`].
    pub fn unshelve(self) -> Result<Self, Refused> {
        if self.flags.shelved.is_none() {
            return Err(Refused::NotShelved);
        }
        Ok(Self {
            version: self.version + 1,
            flags: Flags {
                shelved: None,
                ..self.flags
            },
            ..self
        })
    }

    /// A person has seen an alarm that no incident has: a notice, or one that is held back.
    ///
    /// # Errors
    /// [`Refused`] when its incident is what is acknowledged, or there is nothing to acknowledge.
    pub fn acknowledge_alone(self) -> Result<Self, Refused> {
        if self.incident.is_some() {
            return Err(Refused::HasIncident);
        }
        if self.state.acknowledged() == self.state {
            return Err(Refused::NothingToAcknowledge { state: self.state });
        }
        let version = self.version + 1;
        Ok(Self {
            version,
            ..self.acknowledge()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AlarmState::{ActiveAcked, ActiveUnacked, Normal, ReturnedUnacked};
    use super::*;

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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn found(severity: Severity, second: i64) -> Finding {
        Finding {
            rule: "S5".parse().expect("a rule"),
            subject: "device:smoke-1".to_owned(),
            what: FindingKind::Raised,
            severity,
            site: "q1".parse().expect("a site"),
            class: crate::DeviceClass::FireSensor,
            zone: None,
            device: None,
            at: at(second),
            occurred_at: at(second),
            event: Some(crate::EventId::of_uplink(at(second), crate::Seq(7), 0)),
            seq: None,
            lasting: true,
            detail: std::collections::BTreeMap::new(),
        }
    }

    fn opened(severity: Severity, latch: Latch) -> Alarm {
        let id = AlarmId::new(uuid::Uuid::nil());
        Alarm::open(id, &found(severity, 0), latch, Mode::Annunciate)
    }

    fn rung(alarm: Alarm) -> Alarm {
        alarm.annunciated(IncidentId::new(uuid::Uuid::nil()), at(0))
    }

    #[test]
    fn a_p1_is_latched_and_what_no_incident_shows_is_not() {
        use Severity::{P1, P3};
        // how urgent first and then, its rule's latch, whether an incident shows it, and where it stands when it is over
        for (first, then, latch, is_shown, over) in [
            (P1, P1, Latch::Free, true, ReturnedUnacked),
            (P3, P1, Latch::Free, true, ReturnedUnacked),
            (P3, P3, Latch::Latched, true, ReturnedUnacked),
            (P3, P3, Latch::Free, true, Normal),
            (P3, P3, Latch::Latched, false, Normal),
        ] {
            let alarm = opened(first, latch);
            let alarm = if is_shown { rung(alarm) } else { alarm };
            let alarm = alarm.refresh(&found(then, 1)).clear(at(60));
            assert_eq!(alarm.state, over, "{first} {then} {latch:?} {is_shown}");
        }
    }

    #[test]
    fn what_held_for_less_than_half_a_minute_was_fleeting_each_time() {
        let latched = rung(opened(Severity::P1, Latch::Latched)).clear(at(29));
        assert_eq!(latched.fleeting, 1);
        let again = latched.refresh(&found(Severity::P1, 100));
        assert_eq!((again.active_at, again.raised_at), (at(100), at(0)));
        let again = again.clear(at(130));
        assert_eq!(
            (again.fleeting, again.count),
            (1, 2),
            "30 s is not fleeting"
        );
        let twice = again.refresh(&found(Severity::P1, 200)).clear(at(210));
        assert_eq!(twice.fleeting, 2);
        assert_eq!(twice.clear(at(211)).fleeting, 2, "it was over before");
    }

    #[test]
    fn a_word_makes_known_and_time_does_not() {
        let mut unknown = opened(Severity::P3, Latch::Free);
        unknown.flags.unknown_since = Some(at(1));
        let by_time = Finding {
            event: None,
            ..found(Severity::P3, 2)
        };
        assert!(
            unknown
                .clone()
                .refresh(&by_time)
                .flags
                .unknown_since
                .is_some()
        );
        let word = found(Severity::P3, 2);
        assert!(unknown.clone().refresh(&word).flags.unknown_since.is_none());
        assert!(unknown.clear(at(3)).flags.unknown_since.is_none());
    }

    #[test]
    fn the_finding_waits_until_an_incident_has_it() {
        let alarm = opened(Severity::P3, Latch::Free).refresh(&found(Severity::P2, 5));
        assert_eq!(alarm.pending, Some(found(Severity::P2, 5)), "the latest");
        assert!(alarm.is_due());
        let told = rung(alarm);
        assert_eq!((told.pending.clone(), told.is_due()), (None, false));
        assert_eq!(told.refresh(&found(Severity::P2, 6)).pending, None);
    }
}
