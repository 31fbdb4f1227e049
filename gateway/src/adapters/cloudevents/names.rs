//! The words of types: what they are about, and what they say of it.

use domain::{DeviceClass, Kind};

/// Words that all have to be there; the first line that fits counts.
pub(super) const KINDS: &[(&[&str], Kind, DeviceClass)] = &[
    (&["smoke"], Kind::FireSmoke, DeviceClass::FireSensor),
    (
        &["carbon", "monoxide"],
        Kind::FireCo,
        DeviceClass::FireSensor,
    ),
    (&["gas"], Kind::FireGas, DeviceClass::FireSensor),
    (&["heat"], Kind::FireHeat, DeviceClass::FireSensor),
    (&["flame"], Kind::FireFlame, DeviceClass::FireSensor),
    (&["fire", "fault"], Kind::FireFault, DeviceClass::Panel),
    (&["fire"], Kind::FireDetector, DeviceClass::FireSensor),
    (
        &["water", "leak"],
        Kind::EnvWaterLeak,
        DeviceClass::FireSensor,
    ),
    (&["flood"], Kind::EnvWaterLeak, DeviceClass::FireSensor),
    (
        &["glass", "break"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
    ),
    (
        &["glass", "broken"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
    ),
    (&["duress"], Kind::AccessDuress, DeviceClass::Access),
    (&["panic"], Kind::DeviceAlarmInput, DeviceClass::FireSensor),
    (
        &["emergency", "button"],
        Kind::DeviceAlarmInput,
        DeviceClass::FireSensor,
    ),
    (&["burglar"], Kind::DeviceAlarmInput, DeviceClass::Panel),
    (&["burglary"], Kind::DeviceAlarmInput, DeviceClass::Panel),
    (
        &["call", "point"],
        Kind::FireManualCall,
        DeviceClass::FireSensor,
    ),
    (&["sos"], Kind::DeviceAlarmInput, DeviceClass::FireSensor),
    (
        &["battery", "low"],
        Kind::DeviceBatteryLow,
        DeviceClass::Gateway,
    ),
    (
        &["access", "granted"],
        Kind::AccessGranted,
        DeviceClass::Access,
    ),
    (
        &["access", "denied"],
        Kind::AccessDenied,
        DeviceClass::Access,
    ),
    (
        &["door", "forced"],
        Kind::AccessForcedOpen,
        DeviceClass::Access,
    ),
    (&["door", "held"], Kind::AccessHeldOpen, DeviceClass::Access),
    (&["door", "ajar"], Kind::AccessHeldOpen, DeviceClass::Access),
    (
        &["camera", "tamper"],
        Kind::CameraTamper,
        DeviceClass::Camera,
    ),
    (&["tamper"], Kind::DeviceTamper, DeviceClass::Gateway),
    (&["intrusion"], Kind::CameraIntrusion, DeviceClass::Camera),
    (&["loitering"], Kind::CameraLoiter, DeviceClass::Camera),
    (&["motion"], Kind::CameraMotion, DeviceClass::Camera),
    (
        &["person", "detected"],
        Kind::CameraObject,
        DeviceClass::Camera,
    ),
    (
        &["line", "cross"],
        Kind::CameraLineCross,
        DeviceClass::Camera,
    ),
    (
        &["line", "crossed"],
        Kind::CameraLineCross,
        DeviceClass::Camera,
    ),
    (
        &["line", "crossing"],
        Kind::CameraLineCross,
        DeviceClass::Camera,
    ),
    (
        &["video", "loss"],
        Kind::CameraVideoLoss,
        DeviceClass::Camera,
    ),
    (
        &["device", "offline"],
        Kind::DeviceOffline,
        DeviceClass::Gateway,
    ),
    (
        &["device", "disconnected"],
        Kind::DeviceOffline,
        DeviceClass::Gateway,
    ),
    (
        &["device", "online"],
        Kind::DeviceOnline,
        DeviceClass::Gateway,
    ),
    (
        &["device", "connected"],
        Kind::DeviceOnline,
        DeviceClass::Gateway,
    ),
    (
        &["power", "failure"],
        Kind::DevicePower,
        DeviceClass::Gateway,
    ),
    (
        &["power", "outage"],
        Kind::DevicePower,
        DeviceClass::Gateway,
    ),
    (
        &["power", "restored"],
        Kind::DevicePower,
        DeviceClass::Gateway,
    ),
    (&["plate"], Kind::VehiclePlateRead, DeviceClass::Barrier),
    // where the data has a plate
    (&["anpr"], Kind::VehiclePlateRead, DeviceClass::Barrier),
    (&["lpr"], Kind::VehiclePlateRead, DeviceClass::Barrier),
    (
        &["vehicle", "entered"],
        Kind::VehiclePlateRead,
        DeviceClass::Barrier,
    ),
    (
        &["vehicle", "exited"],
        Kind::VehiclePlateRead,
        DeviceClass::Barrier,
    ),
];

/// Last words that are about the device itself, whatever it detects: `smoke-detector.offline`.
pub(super) const OF_DEVICE: &[(&str, Kind)] = &[
    ("offline", Kind::DeviceOffline),
    ("disconnected", Kind::DeviceOffline),
    ("online", Kind::DeviceOnline),
    ("connected", Kind::DeviceOnline),
    ("fault", Kind::DeviceFault),
    ("failure", Kind::DeviceFault),
    ("tamper", Kind::DeviceTamper),
    ("tampered", Kind::DeviceTamper),
];

/// What opens and closes, what it is then, whose it is, and the words that it is told in.
pub(super) const STATES: &[(&str, &str, Kind, DeviceClass)] = &[
    ("door", "open", Kind::AccessDoorState, DeviceClass::Access),
    ("door", "closed", Kind::AccessDoorState, DeviceClass::Access),
    (
        "door",
        "unlocked",
        Kind::AccessLockState,
        DeviceClass::Access,
    ),
    ("door", "locked", Kind::AccessLockState, DeviceClass::Access),
    (
        "lock",
        "unlocked",
        Kind::AccessLockState,
        DeviceClass::Access,
    ),
    ("lock", "locked", Kind::AccessLockState, DeviceClass::Access),
    ("barrier", "open", Kind::BarrierState, DeviceClass::Barrier),
    (
        "barrier",
        "closed",
        Kind::BarrierState,
        DeviceClass::Barrier,
    ),
];

/// Words that say that it is over.
pub(super) const OVER: &[&str] = &[
    "cleared",
    "clear",
    "ended",
    "end",
    "resolved",
    "restored",
    "stopped",
    "normal",
    "off",
    "recovered",
    "inactive",
    "deactivated",
    "released",
    "reset",
    "cancelled",
    "canceled",
    "lifted",
];

/// Words behind what is sensed of something that is done with the device or tried, whatever the data says: nothing burns for that.
pub(super) const DONE: &[&str] = &[
    "test",
    "drill",
    "false",
    "installed",
    "inspected",
    "generated",
    "completed",
    "commissioned",
    "calibrated",
    "serviced",
    "replaced",
    "scheduled",
];

/// Words right behind `fire`, `heat`, `gas` and the like that make another thing of it: `fire-door`, `heat-map`.
pub(super) const THINGS: &[&str] = &[
    "door",
    "extinguisher",
    "hydrant",
    "exit",
    "escape",
    "place",
    "wall",
    "map",
    "station",
    "pump",
    "meter",
    "light",
    "gate",
];

/// Words that say that a detector was made quiet.
pub(super) const SILENCED: &[&str] = &["silenced", "muted", "hushed"];

/// Words of what is measured or made known, not of what has happened.
pub(super) const NO_NEWS: &[&str] = &[
    "reading",
    "measurement",
    "telemetry",
    "report",
    "config",
    "created",
    "updated",
    "deleted",
    "heartbeat",
    "registered",
    "acknowledged",
    "value",
    "meter",
    "pump",
];

/// Members of the data that say whether it is so, where the type does not.
pub(super) const TRUTHS: &[&str] = &[
    "active", "alarm", "detected", "state", "status", "smoke", "fire", "gas", "heat",
];

/// Words that say that it has begun: then `state` and `status` are those of something else.
pub(super) const BEGUN: &[&str] = &["detected", "raised", "triggered", "started"];

/// Members of the data that are taken over, as they are named.
pub(super) const MEMBERS: &[&str] = &[
    "description",
    "zone",
    "sensor",
    "level",
    "unit",
    "label",
    "confidence",
    "door",
    "direction",
    "lane",
    "reason",
];
