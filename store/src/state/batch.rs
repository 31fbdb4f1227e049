//! What the detector hands over: one batch, one transaction.

use bytes::Bytes;
use domain::rule::{Finding, WindowChange};
use domain::{DeviceId, IncidentId, Revision, Seq, Timestamp, Uplink};

use super::adapter_memory::Remembered;
use super::device_command::Heard;
use super::newcomers::NewcomerTouch;

/// Everything that a stretch of the journal, or a tick of the clock, brought about.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Whose cursor it moves.
    pub consumer: &'static str,
    /// The last position that is in it; for a tick, the position up to which everything has been committed.
    pub cursor: Seq,
    /// What rules found, in order. Those of events carry their position, those of time none.
    pub findings: Vec<Finding>,
    /// Rule state.
    pub windows: Vec<WindowChange>,
    /// What rules have seen: device, the sender's id, receive time.
    pub seen: Vec<(DeviceId, String, Timestamp)>,
    /// What could not be read.
    pub quarantine: Vec<QuarantineRow>,
    /// What came of uplinks in quarantine that were read again.
    pub reran: Vec<Reran>,
    /// Which devices spoke, at most one entry a device.
    pub devices: Vec<DeviceTouch>,
    /// What devices said of commands, and showed while one was under way.
    pub heard: Vec<Heard>,
    /// Devices that nobody has registered and that were heard, at most one entry a device.
    pub newcomers: Vec<NewcomerTouch>,
    /// What adapters remember from now on.
    pub memory: Vec<Remembered>,
}

/// What came of an uplink in quarantine that was read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reran {
    /// Where it stands in the journal now.
    pub seq: Seq,
    /// And where it stood first: its key in quarantine.
    pub of: Seq,
    /// A word of [`RerunItem`](super::RerunItem).
    pub outcome: &'static str,
    /// The events that it is.
    pub detail: String,
    /// Why it still cannot be read.
    pub reject: Option<(String, String)>,
}

/// An uplink that could not be read, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its position in the journal: its key here.
    pub seq: Seq,
    /// When it came.
    pub received_at: Timestamp,
    /// Its topic.
    pub topic: String,
    /// Who sent it.
    pub principal: String,
    /// Stable word, such as `bad_json`.
    pub reason: String,
    /// One sentence for people.
    pub detail: String,
    /// Its payload.
    pub raw: Bytes,
}

impl QuarantineRow {
    /// The uplink at a position, with the code and the sentence that say why.
    pub fn new(seq: Seq, uplink: &Uplink, reason: &str, detail: &str) -> Self {
        Self {
            seq,
            received_at: uplink.received_at,
            topic: uplink.topic.clone(),
            principal: uplink.principal.clone(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            raw: uplink.payload.clone(),
        }
    }
}

/// A device spoke.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceTouch {
    /// Which one.
    pub device: DeviceId,
    /// When it last did, hub time.
    pub last_seen: Timestamp,
    /// Connection epoch, and whether that connection stands; the highest epoch decides. None: nothing was said about it.
    pub presence: Option<(u64, bool)>,
    /// Journal position of the word that said so: what the device said before it, it still said itself.
    pub presence_seq: Seq,
    /// Charge, 0 to 100, if it said so.
    pub battery_percent: Option<f64>,
    /// The bridge that spoke for it; none where it spoke for itself.
    pub via: Option<String>,
}

impl DeviceTouch {
    /// A word from a device, with nothing besides.
    pub fn new(device: DeviceId, last_seen: Timestamp) -> Self {
        Self {
            device,
            last_seen,
            presence: None,
            presence_seq: Seq(0),
            battery_percent: None,
            via: None,
        }
    }

    /// A connection of the device began or ended, at a position in the journal. Word of several connections may come in any order; of one, its beginning comes first.
    pub fn connection(&mut self, epoch: u64, stands: bool, seq: Seq) {
        if self.presence.is_none_or(|(known, _)| epoch >= known) {
            self.presence = Some((epoch, stands));
            self.presence_seq = seq;
        }
    }
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The revision after it.
    pub revision: Revision,
    /// Incidents that it opened.
    pub opened: Vec<IncidentId>,
    /// Incidents that it changed, the opened ones among them.
    pub changed: Vec<IncidentId>,
    /// Alarms that it opened.
    pub alarms: u64,
}
