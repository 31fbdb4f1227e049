//! What a command does to a device of a class: what it says about itself afterwards, and when.

use std::time::Duration;

use domain::{DeviceClass, Kind, Phase};
use serde_json::json;

use crate::native::{Fields, Say};

/// A door that was opened for somebody locks again after this time.
const RELOCK_AFTER: Duration = Duration::from_secs(5);
/// A device that restarts is away for this long.
pub(super) const REBOOT: Duration = Duration::from_secs(2);
/// It has answered by then.
pub(super) const REBOOT_AFTER: Duration = Duration::from_millis(500);

/// What comes of a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// The device says so, after so long.
    Say(Duration, Say),
    /// It restarts.
    Reboot,
    /// It sets its clock by `time`.
    SetClock,
}

/// Whether a command opens something, so that it must not be done late by any clock.
pub(super) fn opens(command: &str) -> bool {
    matches!(
        command,
        "open-door" | "hold-open" | "unlock" | "raise" | "lock-open"
    )
}

/// What a command does; none when a device of this class does not have it.
pub(super) fn effects(class: DeviceClass, command: &str) -> Option<Vec<Effect>> {
    let now = Duration::ZERO;
    let effects = match (class, command) {
        (_, "ping") => Vec::new(),
        (_, "reboot") => vec![Effect::Reboot],
        (_, "sync-time") => vec![Effect::SetClock],
        (DeviceClass::Access, "open-door") => {
            vec![door(now, "unlocked"), door(RELOCK_AFTER, "locked")]
        }
        (DeviceClass::Access, "hold-open" | "unlock") => vec![door(now, "unlocked")],
        (DeviceClass::Access, "lock") => vec![door(now, "locked")],
        (DeviceClass::Barrier, "raise" | "lock-open") => vec![barrier("open")],
        (DeviceClass::Barrier, "lower") => vec![barrier("closed")],
        (DeviceClass::FireSensor | DeviceClass::Panel, "silence") => {
            vec![Effect::Say(
                now,
                state("sounder", &[("sounder", "silenced")]),
            )]
        }
        (DeviceClass::FireSensor | DeviceClass::Panel, "self-test") => {
            let mut attrs = Fields::new();
            attrs.insert("trigger".to_owned(), "command".into());
            let test = Say::Event {
                kind: Kind::DeviceTest,
                phase: Phase::Instant,
                component: None,
                attrs,
            };
            vec![Effect::Say(now, test)]
        }
        _ => return None,
    };
    Some(effects)
}

fn door(after: Duration, lock: &str) -> Effect {
    Effect::Say(
        after,
        state("door-1", &[("door", "closed"), ("lock", lock)]),
    )
}

fn barrier(stands: &str) -> Effect {
    Effect::Say(Duration::ZERO, state("barrier-1", &[("barrier", stands)]))
}

fn state(component: &str, pairs: &[(&str, &str)]) -> Say {
    let fields = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    Say::State {
        component: component.to_owned(),
        fields,
    }
}
