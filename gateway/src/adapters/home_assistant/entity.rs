//! What is remembered of an announced entity: whose it is, where its state comes and how to read it.

use serde::{Deserialize, Serialize};

use super::template;
use crate::adapters::{Reject, text};

/// One entity, short: it is stored once for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entity {
    /// `binary_sensor`, `lock`, `cover`, `alarm_control_panel`, `event` (of a door bell), `sensor` (of a battery's charge).
    #[serde(rename = "c")]
    pub component: String,
    /// Its device: the first identifier.
    #[serde(rename = "d")]
    pub address: String,
    /// Its own name within the device.
    #[serde(rename = "o")]
    pub object: String,
    /// `smoke`, `door`, …
    #[serde(rename = "k", default, skip_serializing_if = "String::is_empty")]
    pub device_class: String,
    /// Where the state comes.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// How to read it.
    #[serde(rename = "v", default, skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// Payloads and what they mean, in our words.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<(String, String)>,
    /// It falls back by itself and says nothing then.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_momentary: bool,
    /// Where it is told whether it can be reached.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub availability: Vec<Availability>,
    /// What several of these topics say together; else whichever spoke last counts.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// `availability_mode`: what counts where several topics tell of one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Together {
    /// It can be reached when each topic says so.
    All,
    /// It can be reached when one topic says so.
    Any,
}

/// One topic that tells whether an entity can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Availability {
    #[serde(rename = "t")]
    pub topic: String,
    #[serde(rename = "v", default, skip_serializing_if = "String::is_empty")]
    pub template: String,
    #[serde(rename = "y")]
    pub available: String,
    #[serde(rename = "n")]
    pub not_available: String,
}

/// What one discovery message announced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entities {
    /// Those that can make an event.
    #[serde(rename = "e")]
    pub read: Vec<Entity>,
    /// Topics of the others, which are ours all the same.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub other_topics: Vec<String>,
}

impl Entities {
    /// Leaves out the entities that could never tell anything, and says why of the first: `bad_template`, a template that wants what the
    /// hub does not have, or is none.
    pub(super) fn leave_out_unreadable(&mut self) -> Option<Reject> {
        let mut unread = None;
        let mut topics = Vec::new();
        self.read.retain(|entity| {
            let Some(error) = template::unreadable(&entity.template) else {
                return true;
            };
            unread.get_or_insert_with(|| {
                let object = text::clip(&entity.object, 100);
                Reject::new(
                    "bad_template",
                    format!("the value template of `{object}`: {error}"),
                )
            });
            topics.push(entity.topic.clone());
            false
        });
        if !self.read.is_empty() {
            self.other_topics.extend(topics);
        }
        unread
    }

    /// Every topic that they name, once.
    pub(super) fn topics(&self) -> std::collections::BTreeSet<&str> {
        let read = self.read.iter().flat_map(|entity| {
            let availability = entity.availability.iter().map(|at| at.topic.as_str());
            std::iter::once(entity.topic.as_str()).chain(availability)
        });
        read.chain(self.other_topics.iter().map(String::as_str))
            .filter(|topic| !topic.is_empty())
            .collect()
    }
}
