//! Flags beside the state of an alarm, with the names of OPC UA Part 9: what holds its annunciation back, and what is known of it.
//!
//! An alarm that is held back goes on recording; it rings as soon as nothing holds it back and its condition still holds.
//!
//! **Invariant:** P1 is never held back, by no flag and by nobody.

use jiff::SignedDuration;

use crate::id::MaintenanceId;
use crate::incident::words;
use crate::{AlarmId, Severity, Timestamp, UserId};

/// Longest shelf. RULES.md §6.2: the station lead shelves for 8 hours at most, one shift.
pub const SHELF_MAX: SignedDuration = SignedDuration::from_hours(8);
/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 500;

words!(
    /// The flags, in the order in which they are given as the reason that an alarm is held back.
    Flag, "flag":
    /// A person wants to hear nothing of it for a while.
    Shelved = "shelved",
    /// Another alarm is its cause.
    SuppressedByDesign = "suppressed_by_design",
    /// A maintenance window goes over it.
    OutOfService = "out_of_service",
    /// It came and went too often: once in ten minutes is enough.
    Chattering = "chattering",
    /// Its device is offline: it is neither true nor false. Holds nothing back.
    Unknown = "unknown",
);

/// A person has put an alarm aside until an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// It rings again from then on.
    pub until: Timestamp,
    /// How urgent it was when it was put aside: what is more urgent rings.
    pub severity: Severity,
    /// Why, in their words.
    pub reason: String,
    /// Who.
    pub by: UserId,
}

/// Why a person's wish about an alarm is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is P1.
    #[error("a P1 is never shelved (hint: deal with its incident)")]
    Critical,
    /// It is on the shelf.
    #[error("it is shelved already (hint: end that shelf first)")]
    Shelved {
        /// By whom.
        by: UserId,
    },
    /// It is on no shelf.
    #[error("it is not shelved")]
    NotShelved,
    /// Somebody has seen it, or it is over.
    #[error("there is nothing to acknowledge: the alarm is {state}")]
    NothingToAcknowledge {
        /// Where it stands.
        state: super::AlarmState,
    },
    /// Its incident is what people acknowledge.
    #[error("it belongs to an incident (hint: acknowledge that)")]
    HasIncident,
    /// The end is not within reach.
    #[error("a shelf ends after now and within 8 hours")]
    BadEnd,
    /// No reason, or too long a one.
    #[error("a shelf needs a reason of 1 to {REASON_CHARS_MAX} characters")]
    BadReason,
}

impl Shelf {
    /// A shelf from `at` on for an alarm of this severity.
    ///
    /// # Errors
    /// [`Refused`] for P1, an end that is past or too far, and a missing reason.
    pub fn new(
        severity: Severity,
        at: Timestamp,
        until: Timestamp,
        reason: &str,
        by: UserId,
    ) -> Result<Self, Refused> {
        let reason = reason.trim();
        if severity == Severity::P1 {
            return Err(Refused::Critical);
        }
        if until <= at || until.duration_since(at) > SHELF_MAX {
            return Err(Refused::BadEnd);
        }
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            return Err(Refused::BadReason);
        }
        Ok(Self {
            until,
            severity,
            reason: reason.to_owned(),
            by,
        })
    }
}

/// The flags of one alarm. Those of an alarm that is over say how it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// Put aside by a person.
    pub shelved: Option<Shelf>,
    /// The alarm that is its cause.
    pub suppressed_by: Option<AlarmId>,
    /// The maintenance window that goes over it.
    pub out_of_service: Option<MaintenanceId>,
    /// Its device has been offline since.
    pub unknown_since: Option<Timestamp>,
    /// It has come and gone too often since.
    pub chattering_since: Option<Timestamp>,
    /// Having rung a moment ago, it rings again no sooner than this.
    pub quiet_until: Option<Timestamp>,
}

impl Flags {
    /// What holds an alarm of this severity back, if anything does.
    pub fn hold(&self, severity: Severity) -> Option<Flag> {
        if severity == Severity::P1 {
            return None;
        }
        let shelf = self.shelved.as_ref();
        if shelf.is_some_and(|shelf| severity >= shelf.severity) {
            Some(Flag::Shelved)
        } else if self.suppressed_by.is_some() {
            Some(Flag::SuppressedByDesign)
        } else if self.out_of_service.is_some() && severity >= Severity::P3 {
            Some(Flag::OutOfService)
        } else if self.quiet_until.is_some() {
            Some(Flag::Chattering)
        } else {
            None
        }
    }

    /// Those that are set.
    pub fn set(&self) -> Vec<Flag> {
        let is_set = |flag: &Flag| match flag {
            Flag::Shelved => self.shelved.is_some(),
            Flag::SuppressedByDesign => self.suppressed_by.is_some(),
            Flag::OutOfService => self.out_of_service.is_some(),
            Flag::Chattering => self.chattering_since.is_some(),
            Flag::Unknown => self.unknown_since.is_some(),
        };
        Flag::ALL.iter().copied().filter(is_set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Severity::{P1, P2, P3, P4};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn shelf(severity: Severity) -> Shelf {
        Shelf::new(severity, at(0), at(3600), "lamp is mended", user()).expect("a shelf")
    }

    fn user() -> UserId {
        "chen".parse().expect("a user")
    }

    #[test]
    fn each_flag_holds_back_what_it_may_and_never_a_p1() {
        let shelved = Flags {
            shelved: Some(shelf(P3)),
            ..Flags::default()
        };
        let suppressed = Flags {
            suppressed_by: Some(AlarmId::new(uuid::Uuid::nil())),
            ..Flags::default()
        };
        let out_of_service = Flags {
            out_of_service: Some(MaintenanceId::new(uuid::Uuid::nil())),
            ..Flags::default()
        };
        let quiet = Flags {
            chattering_since: Some(at(0)),
            quiet_until: Some(at(600)),
            ..Flags::default()
        };
        let chattering = Flags {
            quiet_until: None,
            ..quiet.clone()
        };
        let unknown = Flags {
            unknown_since: Some(at(0)),
            ..Flags::default()
        };
        let (s, d, o, c) = (
            Some(Flag::Shelved),
            Some(Flag::SuppressedByDesign),
            Some(Flag::OutOfService),
            Some(Flag::Chattering),
        );
        // flags, what is set, then what holds back P1 to P4
        for (flags, set, holds) in [
            (&Flags::default(), vec![], [None; 4]),
            (&shelved, vec![Flag::Shelved], [None, None, s, s]),
            (&suppressed, vec![Flag::SuppressedByDesign], [None, d, d, d]),
            (
                &out_of_service,
                vec![Flag::OutOfService],
                [None, None, o, o],
            ),
            (&quiet, vec![Flag::Chattering], [None, c, c, c]),
            (&chattering, vec![Flag::Chattering], [None; 4]),
            (&unknown, vec![Flag::Unknown], [None; 4]),
        ] {
            assert_eq!(flags.set(), set);
            for (severity, hold) in [P1, P2, P3, P4].into_iter().zip(holds) {
                assert_eq!(flags.hold(severity), hold, "{severity} {flags:?}");
            }
        }
    }

    #[test]
    fn the_first_of_several_flags_is_the_reason() {
        let mut flags = Flags {
            shelved: Some(shelf(P4)),
            suppressed_by: Some(AlarmId::new(uuid::Uuid::nil())),
            out_of_service: Some(MaintenanceId::new(uuid::Uuid::nil())),
            quiet_until: Some(at(1)),
            ..Flags::default()
        };
        assert_eq!(flags.hold(P4), Some(Flag::Shelved));
        flags.shelved = None;
        assert_eq!(flags.hold(P4), Some(Flag::SuppressedByDesign));
        flags.suppressed_by = None;
        assert_eq!(flags.hold(P4), Some(Flag::OutOfService));
        assert_eq!(flags.hold(P2), Some(Flag::Chattering));
    }

    #[test]
    fn a_shelf_has_a_reason_an_end_within_a_shift_and_no_p1() {
        let hours = |hours: i64| at(hours * 3600);
        let long = "长".repeat(REASON_CHARS_MAX + 1);
        for (severity, until, reason, refused) in [
            (P2, hours(8), "ok", None),
            (P4, at(1), "ok", None),
            (P3, hours(1), &long[..long.len() - 3], None),
            (P1, hours(1), "ok", Some(Refused::Critical)),
            (P2, at(0), "ok", Some(Refused::BadEnd)),
            (P2, hours(-1), "ok", Some(Refused::BadEnd)),
            (P2, at(8 * 3600 + 1), "ok", Some(Refused::BadEnd)),
            (P2, hours(1), " ", Some(Refused::BadReason)),
            (P2, hours(1), &long, Some(Refused::BadReason)),
        ] {
            let made = Shelf::new(severity, at(0), until, reason, user());
            assert_eq!(made.err(), refused, "{severity} {until} {reason}");
        }
    }
}
