//! What a format makes of a message: events in the sender's own words, before anybody has asked the registry who the sender is.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::Reject;
use super::clock::DeviceTime;

/// One fact that a message tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The device in the sender's words (`0x00158d0001`, `front_door`, a serial number); empty for the sender itself.
    pub address: String,
    /// What it is where the registry does not know it.
    pub class: DeviceClass,
    /// Part of it, such as `door-1`.
    pub component: Option<String>,
    /// What happened.
    pub kind: Kind,
    /// Which part of the episode.
    pub phase: Phase,
    /// When, by the device.
    pub at: Option<DeviceTime>,
    /// The sender's own id of this fact, the same when it is sent again.
    pub id: Option<String>,
    /// The property whose value this tells, so that a value that is told again is no news.
    pub edge: Option<Edge>,
    /// A card or code number, which leaves the adapter as a keyed hash only (`credential_ref`).
    pub credential: Option<String>,
    /// The kind's own fields.
    pub attrs: Map<String, Value>,
}

/// What ids of our own commands start with.
const COMMAND_PREFIX: &str = "cmd_";

impl Draft {
    /// A device's answer to a command of ours; none when it answers something else.
    pub fn answer(
        address: &str,
        class: DeviceClass,
        command: &str,
        failure: Option<&str>,
    ) -> Option<Self> {
        if !command.starts_with(COMMAND_PREFIX) {
            return None;
        }
        let status = if failure.is_some() { "failed" } else { "done" };
        let mut draft = Self::new(address, class, Kind::GatewayCommand, Phase::Instant);
        let answer =
            serde_json::json!({"command_id": command, "status": status, "detail": failure});
        draft.attrs.insert("answer".to_owned(), answer);
        Some(draft)
    }
}

/// A property of a device and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Such as `smoke`; unique within device and component.
    pub property: String,
    /// As text; compared as it is.
    pub value: String,
    /// Why the sender told it.
    pub told: Told,
}

/// Why a sender told the value of a property.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Told {
    /// It stands. The end of something unheard of is no news.
    #[default]
    State,
    /// It has just changed. The end of something unheard of is news, too.
    Change,
    /// It is replayed to somebody who asked anew. It is news only where another value was known.
    Replay,
}

impl Draft {
    /// A fact about a device.
    pub fn new(address: impl Into<String>, class: DeviceClass, kind: Kind, phase: Phase) -> Self {
        Self {
            address: address.into(),
            class,
            component: None,
            kind,
            phase,
            at: None,
            id: None,
            edge: None,
            credential: None,
            attrs: Map::new(),
        }
    }

    /// A condition that is there or not: `raised` or `cleared`, and news only when it changes. A condition that has never been
    /// there and is not there is no news either.
    pub fn condition(
        address: impl Into<String>,
        class: DeviceClass,
        kind: Kind,
        property: &str,
        is_there: bool,
    ) -> Self {
        let phase = if is_there {
            Phase::Raised
        } else {
            Phase::Cleared
        };
        Self::new(address, class, kind, phase).edge(property, is_there)
    }

    /// With a part of the device.
    #[must_use]
    pub fn component(mut self, component: impl Into<String>) -> Self {
        self.component = Some(component.into());
        self
    }

    /// With the device's time, where it gave one.
    #[must_use]
    pub fn at(mut self, at: impl Into<Option<DeviceTime>>) -> Self {
        self.at = at.into();
        self
    }

    /// With the sender's own id.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over numbers and texts as they have them"
    )]
    #[must_use]
    pub fn id(mut self, id: impl ToString) -> Self {
        self.id = Some(id.to_string());
        self
    }

    /// As the value of a property: told again it is no news.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over numbers and texts as they have them"
    )]
    #[must_use]
    pub fn edge(mut self, property: &str, value: impl ToString) -> Self {
        self.edge = Some(Edge {
            property: property.to_owned(),
            value: value.to_string(),
            told: Told::State,
        });
        self
    }

    /// Told apart from other conditions of the same kind of the same part by its property: its end ends nothing else (`attrs.condition`).
    #[must_use]
    pub fn apart(mut self) -> Self {
        if let Some(edge) = &self.edge {
            let property = edge.property.clone();
            self.attrs.insert("condition".to_owned(), property.into());
        }
        self
    }

    /// Says why the sender told the value of the property.
    #[must_use]
    pub fn told(mut self, told: Told) -> Self {
        if let Some(edge) = &mut self.edge {
            edge.told = told;
        }
        self
    }

    /// With a card or code number; sentinels for nobody (`0`, `-1`, empty) are left out.
    #[must_use]
    pub fn credential(mut self, number: &str) -> Self {
        self.credential = super::text::somebody(number).map(str::to_owned);
        self
    }

    /// With a field of the kind; null, empty text and empty lists are left out.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.attrs.insert(name.to_owned(), value);
        }
        self
    }
}

/// What a format made of a message.
#[derive(Debug, Default, PartialEq)]
pub struct Reading {
    /// The facts, in the order in which they were told.
    pub drafts: Vec<Draft>,
    /// What to remember for messages to come: key and value, or none to forget it.
    pub learn: Vec<(String, Option<String>)>,
    /// What the sender says of devices themselves.
    pub about: Vec<About>,
    /// Charges of batteries that no draft carries: the device in the sender's words, and percent.
    pub charges: Vec<(String, f64)>,
    /// Devices that spoke by themselves, in the sender's words: a heartbeat, a reading that is no news. Those of drafts need not be named.
    pub spoke: Vec<String>,
    /// Why a part of the message could not be read, while the rest of it was: the message goes to quarantine besides.
    pub unread: Option<Reject>,
}

impl Reading {
    /// Takes over what was made of another part of the same message.
    pub fn extend(&mut self, more: Self) {
        self.drafts.extend(more.drafts);
        self.learn.extend(more.learn);
        self.about.extend(more.about);
        self.charges.extend(more.charges);
        self.spoke.extend(more.spoke);
        self.unread = self.unread.take().or(more.unread);
    }

    /// The same, and that a device spoke by itself.
    #[must_use]
    pub fn spoken_by(mut self, address: impl Into<String>) -> Self {
        let address = address.into();
        if !address.is_empty() {
            self.spoke.push(address);
        }
        self
    }
}

/// What a bridge says of a device itself, apart from what happens: whoever admits it finds it in the holding list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The device in the sender's words, as in [`Draft::address`].
    pub address: String,
    /// What it is, where that is told.
    pub class: Option<DeviceClass>,
    /// Its maker.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
}

impl From<Vec<Draft>> for Reading {
    fn from(drafts: Vec<Draft>) -> Self {
        Self {
            drafts,
            ..Self::default()
        }
    }
}

impl From<Draft> for Reading {
    fn from(draft: Draft) -> Self {
        vec![draft].into()
    }
}
