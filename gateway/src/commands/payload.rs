//! A command in the words of those who carry it out.

use domain::Timestamp;
use domain::device_command::{Action, Means, Order, SendStep};
use serde_json::{Value, json};
use store::state::Claimed;

use super::key::CommandKey;

/// How long a relay is on that stands for a push button, in seconds.
const PULSE_S: u32 = 1;
/// The same for the output of a camera, in milliseconds (Vzenith, `gpio_out`).
const PULSE_MS: u32 = 500;

/// A format in which commands are told over MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Our own.
    Native,
    /// zigbee2mqtt: `{base}/{name}/set`.
    Zigbee2mqtt,
    /// Vzenith: `device/{sn}/message/down/gpio_out`.
    Vzenith,
    /// Shelly, second generation: `{id}/rpc`.
    Shelly,
}

impl Form {
    /// What comes back from whoever is told this way.
    pub const fn means(self) -> Means {
        match self {
            Self::Native => Means::BOTH,
            // whether a camera or a relay knows where the arm or the door is depends on what is wired to it
            Self::Vzenith | Self::Shelly => Means {
                answers: true,
                shows: false,
            },
            // the lock's state is all that comes back
            Self::Zigbee2mqtt => Means {
                answers: false,
                shows: true,
            },
        }
    }

    /// Whether an action can be said in it.
    pub const fn says(self, action: Action) -> bool {
        match self {
            Self::Native => true,
            Self::Zigbee2mqtt => {
                matches!(action, Action::OpenDoor | Action::Unlock | Action::Lock)
            }
            Self::Vzenith => matches!(action, Action::Raise | Action::Lower),
            Self::Shelly => matches!(
                action,
                Action::OpenDoor | Action::HoldOpen | Action::Lock | Action::Raise | Action::Reboot
            ),
        }
    }

    /// A registered address as whoever carries it out calls the device, and its part; none for a part that cannot be told anything. A part in
    /// the registry is `address/component`: it must never be taken for its device, or another door opens.
    pub fn part(self, address: &str) -> Option<(&str, Option<u16>)> {
        match (self, address.split_once('/')) {
            (Self::Native | Self::Zigbee2mqtt, _) | (_, None) => Some((address, None)),
            (Self::Shelly, Some((device, component))) => {
                let number = component.strip_prefix("switch:")?.parse().ok()?;
                Some((device, Some(number)))
            }
            (Self::Vzenith, Some(_)) => None,
        }
    }

    /// The bytes.
    pub fn payload(
        self,
        claimed: &Claimed,
        (address, part): (&str, Option<u16>),
        key: &CommandKey,
        now: Timestamp,
    ) -> Vec<u8> {
        let command = &claimed.command;
        let action = command.asked.action;
        let id = command.id.to_string();
        let value = match self {
            Self::Native => return native(claimed, key, now),
            Self::Zigbee2mqtt => {
                let state = if action == Action::Lock {
                    "LOCK"
                } else {
                    "UNLOCK"
                };
                json!({ "state": state })
            }
            // io 0 is wired to "open", io 1 to "close"; value 2 is a pulse
            Self::Vzenith => {
                let io = u8::from(action == Action::Lower);
                json!({
                    "id": id, "sn": address, "name": "gpio_out", "version": "1.0", "timestamp": now.as_second(),
                    "payload": {"type": "gpio_out", "body": {"io": io, "value": 2, "delay": PULSE_MS}},
                })
            }
            Self::Shelly => shelly(&id, action, part),
        };
        value.to_string().into_bytes()
    }
}

/// The answer has the same id and says nothing of the part: the id carries it.
fn shelly(id: &str, action: Action, part: Option<u16>) -> Value {
    let number = part.unwrap_or(0);
    let (method, params) = match action {
        Action::Reboot => ("Shelly.Reboot", json!({})),
        Action::HoldOpen => ("Switch.Set", json!({"id": number, "on": true})),
        Action::Lock => ("Switch.Set", json!({"id": number, "on": false})),
        _ => (
            "Switch.Set",
            json!({"id": number, "on": true, "toggle_after": PULSE_S}),
        ),
    };
    let id = part.map_or_else(|| id.to_owned(), |part| format!("{id}/switch:{part}"));
    json!({"id": id, "src": "jiming", "method": method, "params": params})
}

fn native(claimed: &Claimed, key: &CommandKey, now: Timestamp) -> Vec<u8> {
    let command = &claimed.command;
    let asked = &command.asked;
    let (challenge, valid_ms) = match &claimed.step {
        SendStep::Order => (None, None),
        SendStep::Release {
            challenge,
            valid_ms,
        } => (Some(challenge.clone()), Some(*valid_ms)),
    };
    let args = match asked.action {
        Action::SyncTime => json!({"time": now.to_string()}),
        _ => json!({}),
    };
    let mut order = Order {
        command_id: command.id.to_string(),
        command: asked.action,
        args,
        issued_at: command.issued_at.unwrap_or(now),
        expires_at: command.expires_at,
        actor: asked.by.clone(),
        nonce: claimed.nonce.clone(),
        counter: claimed.counter,
        challenge,
        valid_ms,
        sig: String::new(),
    };
    key.sign(&mut order, &asked.site, &asked.device);
    serde_json::to_vec(&order).unwrap_or_default()
}
