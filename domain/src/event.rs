//! The canonical event: one fact from a device or a person, whatever format it came in.
//!
//! Names follow CloudEvents 1.0; the CloudEvents type is `ssg.{kind}.{phase}.v1`. Adapters make events, everything behind
//! them reads events. An event never decides how urgent it is: its [`Severity`] comes from rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{DeviceId, EventId, Seq, SiteId, Timestamp};

/// Longest dedupe key in bytes.
pub const DEDUPE_KEY_BYTES_MAX: usize = 200;

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceClass {
    /// Smoke, heat, gas or CO detector, manual call point.
    FireSensor,
    /// Barrier gate with or without a plate reader.
    Barrier,
    /// Door controller, lock, intercom.
    Access,
    /// Camera with analytics.
    Camera,
    /// Alarm panel or user information transmission device.
    Panel,
    /// The hub itself or a bridge.
    Gateway,
}

impl DeviceClass {
    /// The word as it stands in topics, files and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FireSensor => "fire_sensor",
            Self::Barrier => "barrier",
            Self::Access => "access",
            Self::Camera => "camera",
            Self::Panel => "panel",
            Self::Gateway => "gateway",
        }
    }
}

impl fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeviceClass {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [
            Self::FireSensor,
            Self::Barrier,
            Self::Access,
            Self::Camera,
            Self::Panel,
            Self::Gateway,
        ]
        .into_iter()
        .find(|c| c.as_str() == text)
        .ok_or_else(|| UnknownWord::new("device class", text))
    }
}

/// A word that is in none of our tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{text}`")]
pub struct UnknownWord {
    /// Which table it was looked up in.
    pub what: &'static str,
    /// The word, cut to 80 characters.
    pub text: String,
}

impl UnknownWord {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
        }
    }
}

/// The part of an episode that an event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A fact without duration (a card was read).
    Instant,
    /// A condition began.
    Raised,
    /// It goes on, with news.
    Updated,
    /// It ended.
    Cleared,
}

impl Phase {
    /// The word as it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Raised => "raised",
            Self::Updated => "updated",
            Self::Cleared => "cleared",
        }
    }
}

impl FromStr for Phase {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Instant, Self::Raised, Self::Updated, Self::Cleared]
            .into_iter()
            .find(|p| p.as_str() == text)
            .ok_or_else(|| UnknownWord::new("phase", text))
    }
}

/// How urgent an alarm or incident is. `P1 < P2`: the smaller number is the more urgent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Life or imminent harm.
    P1,
    /// Security, minutes matter.
    P2,
    /// Order and compliance, same day.
    P3,
    /// Maintenance and advice.
    P4,
}

impl Severity {
    /// 1 to 4, as tables keep it.
    pub fn number(self) -> i64 {
        match self {
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3 => 3,
            Self::P4 => 4,
        }
    }
    /// Back from [`number`](Self::number).
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::P1, Self::P2, Self::P3, Self::P4]
            .into_iter()
            .find(|s| s.number() == number)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.number())
    }
}

impl FromStr for Severity {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::P1, Self::P2, Self::P3, Self::P4]
            .into_iter()
            .find(|severity| severity.to_string() == text)
            .ok_or_else(|| UnknownWord::new("severity", text))
    }
}

macro_rules! kinds {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// What happened: the closed list of canonical kinds. A payload with another kind goes to quarantine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is its own word, listed beside it")]
        pub enum Kind { $($variant),+ }

        impl Kind {
            /// Every kind, in the order of the list.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),+];
            /// The dotted word, as in `fire.smoke`.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $text),+ }
            }
        }
        impl FromStr for Kind {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($text => Ok(Kind::$variant),)+ _ => Err(UnknownWord::new("kind", text)) }
            }
        }
    };
}

kinds! {
    FireSmoke = "fire.smoke", FireHeat = "fire.heat", FireCo = "fire.co", FireGas = "fire.gas", FireFlame = "fire.flame",
    FireDetector = "fire.detector", FireManualCall = "fire.manual_call", FireFault = "fire.fault",
    FireShielded = "fire.shielded", FireSupervisory = "fire.supervisory", FireFeedback = "fire.feedback",
    FireStarted = "fire.started", FireSilenced = "fire.silenced", FireDutyCheck = "fire.duty_check",
    VehiclePlateRead = "vehicle.plate_read", VehiclePassage = "vehicle.passage", VehicleDenied = "vehicle.denied",
    VehicleLoiter = "vehicle.loiter", VehicleTurnBack = "vehicle.turn_back", VehicleTailgate = "vehicle.tailgate",
    VehicleWatchlistHit = "vehicle.watchlist_hit", VehiclePresence = "vehicle.presence",
    BarrierState = "barrier.state", BarrierFault = "barrier.fault", BarrierForced = "barrier.forced",
    AccessGranted = "access.granted", AccessDenied = "access.denied", AccessDuress = "access.duress",
    AccessDoorState = "access.door_state", AccessLockState = "access.lock_state", AccessForcedOpen = "access.forced_open",
    AccessHeldOpen = "access.held_open", AccessRex = "access.rex", AccessCall = "access.call",
    AccessAntiPassback = "access.anti_passback", AccessTailgate = "access.tailgate",
    CameraMotion = "camera.motion", CameraObject = "camera.object", CameraIntrusion = "camera.intrusion",
    CameraLineCross = "camera.line_cross", CameraLoiter = "camera.loiter", CameraFace = "camera.face",
    CameraAudio = "camera.audio", CameraVisualFire = "camera.visual_fire", CameraTamper = "camera.tamper",
    CameraVideoLoss = "camera.video_loss", CameraIoInput = "camera.io_input",
    EnvWaterLeak = "env.water_leak",
    DeviceOnline = "device.online", DeviceOffline = "device.offline", DeviceBatteryLow = "device.battery_low",
    DeviceTamper = "device.tamper", DeviceTest = "device.test", DeviceFault = "device.fault", DevicePower = "device.power",
    DeviceTelemetry = "device.telemetry", DeviceJoined = "device.joined", DeviceLeft = "device.left",
    DeviceConfigChanged = "device.config_changed", DeviceTimeSync = "device.time_sync",
    DeviceAlarmInput = "device.alarm_input", DeviceEndOfLife = "device.end_of_life",
    GatewayRejected = "gateway.rejected", GatewayClockSkew = "gateway.clock_skew", GatewayFlood = "gateway.flood",
    GatewayStorage = "gateway.storage", GatewayCommand = "gateway.command", GatewayRestarted = "gateway.restarted",
    GatewayRefused = "gateway.refused", GatewayChattering = "gateway.chattering", GatewayRules = "gateway.rules",
    GatewayClock = "gateway.clock",
}

impl Kind {
    /// The kind as a topic level: dots and underscores become dashes (`fire.manual_call` → `fire-manual-call`).
    pub fn topic_level(self) -> String {
        self.as_str().replace(['.', '_'], "-")
    }
    /// Back from [`topic_level`](Self::topic_level).
    pub fn from_topic_level(level: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| {
            k.as_str().len() == level.len()
                && k.as_str().bytes().zip(level.bytes()).all(|(a, b)| {
                    if a == b'.' || a == b'_' {
                        b == b'-'
                    } else {
                        a == b
                    }
                })
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whose clock `occurred_at` was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockSource {
    /// The device's, found plausible.
    Device,
    /// The hub's: the device gave none, or one off by more than the limit.
    Gateway,
}

/// The kind's own fields, kept as the JSON text that came, so that what no rule asks for costs nothing to carry.
#[derive(Debug, Clone)]
pub struct Attrs(Box<RawValue>);

impl Attrs {
    /// No fields: `{}`.
    pub fn empty() -> Self {
        Self(RawValue::from_string("{}".to_owned()).expect("`{}` is JSON"))
    }
    /// Takes the text as it came; the caller has checked that it is a JSON object.
    pub fn from_raw(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
    /// From fields made by the hub itself.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(serde_json::value::to_raw_value(value).expect("a JSON value serialises"))
    }
    /// The JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
    /// The fields, parsed now.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(self.0.get()).unwrap_or(serde_json::Value::Null)
    }
}

impl PartialEq for Attrs {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
impl Serialize for Attrs {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}
impl<'de> Deserialize<'de> for Attrs {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(d).map(Self)
    }
}

/// One canonical event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The hub's id, the same again on replay.
    pub id: EventId,
    /// Journal position of the uplink that it came from.
    pub seq: Seq,
    /// The quarter, from the registry.
    pub site: SiteId,
    /// The device, from the authenticated identity and the registry, never from the payload alone.
    pub device: DeviceId,
    /// The device's class, from the registry.
    pub class: DeviceClass,
    /// Part of the device, such as `door-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// What happened.
    pub kind: Kind,
    /// Which part of the episode.
    pub phase: Phase,
    /// The sender's own id of this fact; (device, this) is unique in the event store.
    pub dedupe_key: String,
    /// When it happened: shown and analysed.
    pub occurred_at: Timestamp,
    /// When the hub took it: clocks of duty run on this.
    pub received_at: Timestamp,
    /// Where `occurred_at` came from.
    pub clock: ClockSource,
    /// The kind's own fields.
    pub attrs: Attrs,
}

impl Event {
    /// The CloudEvents `type`: `ssg.{kind}.{phase}.v1`.
    pub fn cloud_event_type(&self) -> String {
        format!("ssg.{}.{}.v1", self.kind, self.phase.as_str())
    }
    /// The trace id (W3C Trace Context, 32 hexadecimal digits) that follows this event from the journal to the screen: its own
    /// id without the prefix.
    pub fn trace_id(&self) -> String {
        self.id.uuid().simple().to_string()
    }
    /// The CloudEvents extension `traceparent`; the journal position stands for the parent span.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{:016x}-01", self.id.uuid().simple(), self.seq.0)
    }
    /// The CloudEvents `source`: `/sites/{site}/devices/{device}`.
    pub fn cloud_event_source(&self) -> String {
        format!("/sites/{}/devices/{}", self.site, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_way_through_a_topic() {
        for &kind in Kind::ALL {
            assert_eq!(kind.as_str().parse::<Kind>(), Ok(kind));
            assert_eq!(Kind::from_topic_level(&kind.topic_level()), Some(kind));
        }
        assert_eq!(Kind::from_topic_level("fire.smoke"), None);
        assert_eq!(Kind::from_topic_level("烟感"), None);
    }

    #[test]
    fn severities_order_by_urgency() {
        assert!(Severity::P1 < Severity::P2);
        assert_eq!(Severity::from_number(4), Some(Severity::P4));
        assert_eq!(Severity::from_number(5), None);
        assert_eq!("P2".parse(), Ok(Severity::P2));
        for text in ["", "2", "p2", "P02", "P5", "P+2"] {
            assert!(text.parse::<Severity>().is_err(), "{text}");
        }
    }
}
