//! What rules hand on: findings, and the rows in which their windows outlive a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DeviceClass, DeviceId, EventId, RuleId, Seq, Severity, SiteId, Timestamp, ZoneId};

/// Which way a finding turns its alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The condition holds: open the alarm, or refresh it.
    Raised,
    /// The condition is over: the alarm returns to normal.
    Cleared,
}

/// A rule matched events; it opens, refreshes or returns an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule.
    pub rule: RuleId,
    /// What the alarm is about, at most 200 bytes: `device:smoke-1`, `zone:q1-e2-f6`, `plate:浙G12345@q1`. (rule, subject) is
    /// the key of an open alarm.
    pub subject: String,
    /// Raised or cleared.
    pub what: FindingKind,
    /// How urgent, as the rule decided for this place and hour.
    pub severity: Severity,
    /// The site.
    pub site: SiteId,
    /// The class of the device, for glyphs and counts.
    pub class: DeviceClass,
    /// The zone, where known.
    pub zone: Option<ZoneId>,
    /// The device that made the difference, where there is one.
    pub device: Option<DeviceId>,
    /// Hub time: clocks of duty start here.
    pub at: Timestamp,
    /// When it happened: shown.
    pub occurred_at: Timestamp,
    /// The event that made the difference; none when time alone did.
    pub event: Option<EventId>,
    /// Its journal position.
    pub seq: Option<Seq>,
    /// Something goes on that a device will say the end of. A count, or a fact without duration, is over of itself: nobody has to
    /// wait for its end.
    pub lasting: bool,
    /// Words for texts: `plate`, `count`, `door`, …; keys are ASCII.
    pub detail: BTreeMap<String, String>,
}

/// One row of rule state as it is kept in the state database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRow {
    /// Unique over all rules: starts with the rule's id.
    pub key: String,
    /// JSON; its shape is the rule engine's business.
    pub value: String,
}

/// A change of rule state, written in one transaction with the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowChange {
    /// Insert or replace.
    Put(WindowRow),
    /// Remove the row with this key.
    Delete(String),
}
