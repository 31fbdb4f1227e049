//! The uplink: raw bytes as they came in, with who sent them and when. What the journal keeps; nobody has looked inside yet.

use bytes::Bytes;

use crate::Timestamp;

/// MQTT's delivery flags of an uplink in one byte: QoS in bits 0–1, DUP in bit 2, RETAIN in bit 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UplinkFlags(u8);

impl UplinkFlags {
    /// From the parts; a QoS above 2 counts as 2.
    #[must_use]
    pub fn new(qos: u8) -> Self {
        Self(qos.min(2))
    }
    /// The same, marked as a redelivery.
    #[must_use]
    pub fn with_dup(self) -> Self {
        Self(self.0 | 0b0100)
    }
    /// The same, marked as retained.
    #[must_use]
    pub fn with_retain(self) -> Self {
        Self(self.0 | 0b1000)
    }
    /// 0, 1 or 2.
    pub fn qos(self) -> u8 {
        self.0 & 0b0011
    }
    /// The sender said that it may have sent this before.
    pub fn dup(self) -> bool {
        self.0 & 0b0100 != 0
    }
    /// The sender asked for it to be kept for later subscribers.
    pub fn retain(self) -> bool {
        self.0 & 0b1000 != 0
    }
    /// The byte that is stored.
    pub fn bits(self) -> u8 {
        self.0
    }
    /// From the stored byte; unknown bits are dropped and QoS 3 reads as 2.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self((bits & 0b1100) | (bits & 0b0011).min(2))
    }
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// The hub's clock when the packet was complete; never goes back within a run.
    pub received_at: Timestamp,
    /// Who sent it: device id, bridge account, or [`HUB`] for what the hub says itself.
    pub principal: String,
    /// The connection's epoch: counts up over all connections of all runs.
    pub epoch: u64,
    /// QoS, DUP, RETAIN.
    pub flags: UplinkFlags,
    /// The topic, at most 512 bytes.
    pub topic: String,
    /// The bytes.
    pub payload: Bytes,
}

/// The principal of what the hub journals about itself.
pub const HUB: &str = "hub";

/// Which of the two queues an uplink waits in; alarms go first into every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// `evt`, presence, vendor alarm topics.
    Alarm,
    /// Everything else.
    Telemetry,
}
