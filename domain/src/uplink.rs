//! The uplink: raw bytes as they came in, with who sent them and when. What the journal keeps; nobody has looked inside yet.

use bytes::Bytes;

use crate::Timestamp;

/// MQTT's delivery flags of an uplink in one byte: QoS in bits 0–1, DUP in bit 2, RETAIN in bit 3, and in bit 4 that it is a will.
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
    /// The same, marked as a will: said by the hub in the name of a client that is gone.
    #[must_use]
    pub fn with_will(self) -> Self {
        Self(self.0 | 0b1_0000)
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
    /// The hub said it in the name of a client that is gone.
    pub fn will(self) -> bool {
        self.0 & 0b1_0000 != 0
    }
    /// The byte that is stored.
    pub fn bits(self) -> u8 {
        self.0
    }
    /// From the stored byte; unknown bits are dropped and QoS 3 reads as 2.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self((bits & 0b1_1100) | (bits & 0b0011).min(2))
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
    /// What subscribers and redeliveries need of it besides; none for most.
    pub extra: Option<Box<UplinkExtra>>,
}

/// What an MQTT message carried beside topic and payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UplinkExtra {
    /// Packet id of a QoS 2 message, so that it is known again when it comes again; else 0.
    pub packet_id: u16,
    /// Seconds after `received_at` when nobody wants it any more.
    pub expiry_s: Option<u32>,
    /// The properties that subscribers get unaltered, as they stand in an MQTT 5.0 packet (§3.3.2.3); at most 65,535 bytes.
    pub properties: Bytes,
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
