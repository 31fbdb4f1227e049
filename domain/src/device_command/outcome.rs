//! What a device says of a command, and what its state shows.

use serde::Deserialize;

use super::wire::CHALLENGE_CHARS_MAX;
use crate::incident::words;
use crate::{Event, Kind, Timestamp};

/// Longest `detail` of an answer that is kept, in characters.
const DETAIL_CHARS_MAX: usize = 200;
/// Longest id of a command in an answer, in bytes.
const ID_BYTES_MAX: usize = 64;

words!(
    /// What a device says of a command.
    AnswerStatus, "answer status":
    /// It has it; with a challenge it waits for that to come back.
    Accepted = "accepted",
    /// It has carried it out.
    Done = "done",
    /// It tried and could not.
    Failed = "failed",
    /// It would not.
    Rejected = "rejected",
    /// It came too late.
    Expired = "expired",
);

/// An answer of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// To which command, as the device wrote it.
    pub command: String,
    /// What it says.
    pub status: AnswerStatus,
    /// In its words.
    pub detail: Option<String>,
    /// What it wants to see again before it opens.
    pub challenge: Option<String>,
    /// When the hub received it.
    pub at: Timestamp,
}

/// The answer as `…/rsp/{command}` carries it.
#[derive(Deserialize)]
struct Wire {
    command_id: String,
    status: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    challenge: Option<String>,
}

impl Answer {
    /// The answer that an event carries: one of kind [`Kind::GatewayCommand`] with the device's words in `attrs.answer`.
    pub fn of_event(event: &Event) -> Option<Self> {
        if event.kind != Kind::GatewayCommand {
            return None;
        }
        let wire: Wire = serde_json::from_value(event.attrs.to_value()["answer"].take()).ok()?;
        let is_challenge = |text: &String| {
            (1..=CHALLENGE_CHARS_MAX).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if wire.command_id.len() > ID_BYTES_MAX {
            return None;
        }
        Some(Self {
            command: wire.command_id,
            status: wire.status.parse().ok()?,
            detail: wire.detail.map(|text| {
                let plain = text.chars().filter(|c| !c.is_control());
                plain.take(DETAIL_CHARS_MAX).collect()
            }),
            challenge: wire.challenge.filter(is_challenge),
            at: event.received_at,
        })
    }
}

/// What a device's state shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feedback {
    /// A door is unlocked, or open.
    DoorReleased,
    /// A door is locked.
    DoorLocked,
    /// A barrier's arm is up.
    BarrierRaised,
    /// It is down.
    BarrierLowered,
}

impl Feedback {
    /// Whether events of a kind can show any of it.
    pub const fn is_shown_by(kind: Kind) -> bool {
        matches!(
            kind,
            Kind::AccessDoorState | Kind::AccessLockState | Kind::BarrierState
        )
    }

    /// What an event shows; none where it shows nothing of the kind.
    pub fn of_event(event: &Event) -> Option<Self> {
        if !Self::is_shown_by(event.kind) {
            return None;
        }
        let attrs = event.attrs.to_value();
        let word = |name: &str| attrs[name].as_str().unwrap_or_default();
        if event.kind == Kind::BarrierState {
            // native devices say `barrier`, foreign formats `state`
            return match (word("barrier"), word("state")) {
                ("open" | "raised" | "up", _) | ("", "open" | "raised" | "up") => {
                    Some(Self::BarrierRaised)
                }
                ("closed" | "lowered" | "down", _) | ("", "closed" | "lowered" | "down") => {
                    Some(Self::BarrierLowered)
                }
                _ => None,
            };
        }
        let state = word("state");
        if word("door") == "open" || word("lock") == "unlocked" {
            return Some(Self::DoorReleased);
        }
        if word("lock") == "locked" {
            return Some(Self::DoorLocked);
        }
        match (event.kind, state) {
            (_, "open" | "unlocked") => Some(Self::DoorReleased),
            (Kind::AccessLockState, "locked") => Some(Self::DoorLocked),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attrs, ClockSource, DeviceClass, EventId, Phase, Seq};

    fn event(kind: Kind, attrs: &serde_json::Value) -> Event {
        let at: Timestamp = "2026-11-27T08:00:00Z".parse().expect("a time");
        Event {
            id: EventId::of_uplink(at, Seq(1), 0),
            seq: Seq(1),
            site: "q1".parse().expect("an id"),
            device: "door-1".parse().expect("an id"),
            class: DeviceClass::Access,
            component: None,
            kind,
            phase: Phase::Updated,
            dedupe_key: "#1".to_owned(),
            occurred_at: at,
            received_at: at,
            clock: ClockSource::Gateway,
            attrs: Attrs::from_value(attrs),
        }
    }

    #[test]
    fn states_of_all_formats_are_feedback() {
        use serde_json::json;
        for (kind, attrs, shows) in [
            (
                Kind::AccessDoorState,
                json!({"door": "open"}),
                Some(Feedback::DoorReleased),
            ),
            (
                Kind::AccessDoorState,
                json!({"door": "closed", "lock": "unlocked"}),
                Some(Feedback::DoorReleased),
            ),
            (
                Kind::AccessDoorState,
                json!({"door": "closed", "lock": "locked"}),
                Some(Feedback::DoorLocked),
            ),
            (Kind::AccessDoorState, json!({"state": "closed"}), None),
            (
                Kind::AccessLockState,
                json!({"state": "locked"}),
                Some(Feedback::DoorLocked),
            ),
            (
                Kind::AccessLockState,
                json!({"state": "unlocked"}),
                Some(Feedback::DoorReleased),
            ),
            (
                Kind::BarrierState,
                json!({"barrier": "raised"}),
                Some(Feedback::BarrierRaised),
            ),
            (
                Kind::BarrierState,
                json!({"state": "open"}),
                Some(Feedback::BarrierRaised),
            ),
            (
                Kind::BarrierState,
                json!({"state": "closed"}),
                Some(Feedback::BarrierLowered),
            ),
            (Kind::AccessGranted, json!({"state": "open"}), None),
        ] {
            assert_eq!(Feedback::of_event(&event(kind, &attrs)), shows, "{attrs}");
        }
    }

    #[test]
    fn an_answer_is_read_and_cut() {
        let answer = |attrs| Answer::of_event(&event(Kind::GatewayCommand, &attrs));
        let good = serde_json::json!({"answer": {"command_id": "c1", "status": "accepted", "challenge": "abc", "detail": "x\u{7}y"}});
        let read = answer(good).expect("reads");
        assert_eq!(
            (
                read.status,
                read.challenge.as_deref(),
                read.detail.as_deref()
            ),
            (AnswerStatus::Accepted, Some("abc"), Some("xy"))
        );
        let bad = serde_json::json!({"answer": {"command_id": "c1", "status": "perhaps"}});
        assert_eq!(answer(bad), None);
        // what the hub itself says of a command is no answer
        assert_eq!(
            answer(serde_json::json!({"command_id": "c1", "status": "done"})),
            None
        );
        let long = "c".repeat(CHALLENGE_CHARS_MAX + 1);
        let long = serde_json::json!({"answer": {"command_id": "c1", "status": "accepted", "challenge": long}});
        assert_eq!(answer(long).expect("reads").challenge, None);
    }
}
