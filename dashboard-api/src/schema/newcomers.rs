//! The holding list, and what somebody makes of one in it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device that a bridge speaks for and that nobody has registered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    pub id: String,
    /// The bridge that speaks for it.
    pub account: String,
    /// As the bridge calls it; empty for the bridge itself.
    pub address: String,
    /// The id under which its events and alarms stand.
    pub device: String,
    /// The quarter that the bridge speaks for.
    pub site: String,
    /// What it seems to be.
    pub class: String,
    /// The format in which it speaks.
    pub format: String,
    pub vendor: Option<String>,
    pub model: Option<String>,
    pub first_heard_at: String,
    pub last_heard_at: String,
    /// Kind and phase of the last event that came of it.
    pub last_event: Option<String>,
    pub messages: u64,
    /// Whether it has raised an alarm.
    pub has_rung: bool,
    pub dismissed: Option<Dismissed>,
    /// As it would be admitted.
    pub proposal: Proposal,
}

/// What is filled in already.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The id under which it was heard: its history stays with it.
    pub device: String,
    pub name: String,
    pub class: String,
    pub model: String,
    /// The longest time between two words of it, in seconds.
    pub heartbeat_s: u32,
    /// What a fire sensor looks for.
    pub sensor: Option<String>,
    /// Parts that devices of its model have and that may stand elsewhere.
    pub components: Vec<String>,
}

/// Who does not want it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dismissed {
    pub by: String,
    pub at: String,
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewcomerPage {
    pub items: Vec<Newcomer>,
    /// Goes into `cursor` of the next request; null after the last page.
    pub next: Option<String>,
    /// All that wait and lie where the caller sees.
    pub waiting: u32,
    /// Messages since the start of devices for which there was no room; whoever is limited to places is not told.
    pub turned_away: u64,
}

/// A newcomer that stands in the registry now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Admitted {
    pub device: String,
    pub site: String,
    pub zone: String,
    pub name: String,
    /// Its parts that are devices of their own.
    pub parts: Vec<String>,
    /// The version of the registry that has it.
    pub version: String,
    /// It had been admitted so before.
    pub was_there: bool,
}
