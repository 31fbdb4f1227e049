//! Commands to devices: open a door, raise a barrier, silence a detector. What may be asked of which device, and what becomes of it.
//!
//! A command has an id, a deadline and a confirmation. **Invariant:** it leaves the hub at most once, never after its deadline, and nothing
//! that may have left is sent again; what is not known is called `unknown`. See [`DeviceCommand`] for the states, `model_tests` for the proof.
//!
//! A device's wall clock may be wrong and a line may stall, so opening commands are released in two steps: the device answers the command
//! with a *challenge* and carries it out only if the challenge comes back within its own, monotonic, time.

mod machine;
#[cfg(test)]
mod model_tests;
mod outcome;
mod wire;

use jiff::SignedDuration;

pub use machine::{Asked, DeviceCommand, Means, NotNow, SendStep};
pub use outcome::{Answer, AnswerStatus, Feedback};
pub use wire::{CHALLENGE_CHARS_MAX, Order, signed_text};

use crate::DeviceClass;
use crate::incident::words;

/// Longest time between a command's release and its execution (reliability: 10 s; a door that opens later opens for somebody else).
pub const DEADLINE: SignedDuration = SignedDuration::from_secs(10);
/// How long a second person may take.
pub const PROPOSAL: SignedDuration = SignedDuration::from_mins(2);
/// How long an answer may be on its way after the deadline before the outcome is called unknown.
pub const ANSWER_GRACE: SignedDuration = SignedDuration::from_secs(2);
/// How long a device may take to show in its state what it says it has done.
pub const EFFECT_WITHIN: SignedDuration = SignedDuration::from_secs(5);

words!(
    /// What a device is told to do.
    Action, "command":
    /// Open a door for a moment; it locks again by itself.
    OpenDoor = "open-door",
    /// Open a door and leave it so.
    HoldOpen = "hold-open",
    /// Lock a door.
    Lock = "lock",
    /// Unlock a door.
    Unlock = "unlock",
    /// Raise a barrier's arm.
    Raise = "raise",
    /// Lower it.
    Lower = "lower",
    /// Raise it and leave it so.
    LockOpen = "lock-open",
    /// Silence a sounder.
    Silence = "silence",
    /// Test itself.
    SelfTest = "self-test",
    /// Say something.
    Ping = "ping",
    /// Start again.
    Reboot = "reboot",
    /// Set its clock; `args.time` is the hub's (RFC 3339).
    SyncTime = "sync-time",
);

words!(
    /// Why a device is told to.
    Purpose, "purpose":
    /// Somebody asked.
    Operator = "operator",
    /// Fire mode asked.
    Fire = "fire",
    /// A drill asked.
    Drill = "drill",
    /// The hub looks after its devices.
    Upkeep = "upkeep",
);

words!(
    /// Where a command stands.
    Stage, "stage":
    /// A second person has to confirm it.
    Proposed = "proposed",
    /// It may go, and the device is not there yet.
    Waiting = "waiting",
    /// It may have left: committed before the first byte.
    Sending = "sending",
    /// It has left.
    Sent = "sent",
    /// The device has it and waits for its challenge to come back.
    Accepted = "accepted",
    /// The challenge may have gone back.
    Releasing = "releasing",
    /// The challenge has gone back.
    Released = "released",
    /// The device has done it.
    Done = "done",
    /// The device says it has, and its state says it has not.
    NoEffect = "no_effect",
    /// The device tried and could not.
    Failed = "failed",
    /// The device, or the hub for it, would not.
    Rejected = "rejected",
    /// Its time was over before it was carried out.
    Expired = "expired",
    /// It may have been carried out; nobody knows.
    Unknown = "unknown",
    /// Whoever asked, or a fire, took it back before it left.
    Withdrawn = "withdrawn",
);

words!(
    /// Where a fire mode stands.
    FireModeState, "fire mode state":
    /// A second person has to confirm it.
    Proposed = "proposed",
    /// What has to open was told to.
    Active = "active",
    /// Somebody has ended it.
    Ended = "ended",
    /// Nobody has confirmed it.
    Void = "void",
);

impl Stage {
    /// It is over; only word of the device itself can still change it.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::NoEffect
                | Self::Failed
                | Self::Rejected
                | Self::Expired
                | Self::Unknown
                | Self::Withdrawn
        )
    }
}

impl Action {
    /// What a device of a class can be told.
    pub const fn of_class(class: DeviceClass) -> &'static [Self] {
        const KEPT: [Action; 3] = [Action::Ping, Action::Reboot, Action::SyncTime];
        match class {
            DeviceClass::Access => &[
                Self::OpenDoor,
                Self::HoldOpen,
                Self::Lock,
                Self::Unlock,
                Self::Ping,
                Self::Reboot,
                Self::SyncTime,
            ],
            DeviceClass::Barrier => &[
                Self::Raise,
                Self::Lower,
                Self::LockOpen,
                Self::Ping,
                Self::Reboot,
                Self::SyncTime,
            ],
            DeviceClass::FireSensor => &[
                Self::Silence,
                Self::SelfTest,
                Self::Ping,
                Self::Reboot,
                Self::SyncTime,
            ],
            DeviceClass::Camera | DeviceClass::Panel | DeviceClass::Gateway => &KEPT,
        }
    }

    /// It lets somebody in or out: never late, never twice.
    pub const fn opens(self) -> bool {
        matches!(
            self,
            Self::OpenDoor | Self::HoldOpen | Self::Unlock | Self::Raise | Self::LockOpen
        )
    }

    /// It stays open after it, so that a second person has to confirm it (IEC 62443-4-2 CR 2.1 RE 4).
    pub const fn needs_two(self) -> bool {
        matches!(self, Self::HoldOpen | Self::LockOpen)
    }

    /// What the device's state shows after it; none where it shows nothing.
    pub const fn shows(self) -> Option<Feedback> {
        match self {
            Self::OpenDoor | Self::HoldOpen | Self::Unlock => Some(Feedback::DoorReleased),
            Self::Lock => Some(Feedback::DoorLocked),
            Self::Raise | Self::LockOpen => Some(Feedback::BarrierRaised),
            Self::Lower => Some(Feedback::BarrierLowered),
            Self::Silence | Self::SelfTest | Self::Ping | Self::Reboot | Self::SyncTime => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_open_opens_and_needs_two() {
        for action in Action::ALL.iter().filter(|action| action.needs_two()) {
            assert!(action.opens(), "{action:?}");
        }
        let opening = Action::ALL.iter().filter(|action| action.opens()).count();
        assert_eq!(opening, 5);
    }

    #[test]
    fn every_action_belongs_to_a_class() {
        let classes = [
            DeviceClass::Access,
            DeviceClass::Barrier,
            DeviceClass::FireSensor,
        ];
        for action in Action::ALL {
            let known = classes
                .iter()
                .any(|class| Action::of_class(*class).contains(action));
            assert!(known, "{action:?}");
        }
        assert!(!Action::of_class(DeviceClass::Camera).contains(&Action::OpenDoor));
    }
}
