//! The codes that are told as they come, as data.

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::draft::Draft;
use super::super::text;
use super::{Action, Event};

/// Code, kind, the attribute that says more, its value.
const CODES: &[(&str, Kind, &str, &str)] = &[
    ("VideoMotion", Kind::CameraMotion, "", ""),
    ("SmartMotionHuman", Kind::CameraMotion, "label", "human"),
    ("SmartMotionVehicle", Kind::CameraMotion, "label", "vehicle"),
    ("PIRAlarm", Kind::CameraMotion, "sensor", "pir"),
    ("CrossLineDetection", Kind::CameraLineCross, "", ""),
    ("CrossRegionDetection", Kind::CameraIntrusion, "", ""),
    ("CrossFenceDetection", Kind::CameraIntrusion, "", ""),
    ("ClimbDetection", Kind::CameraIntrusion, "", ""),
    ("WanderDetection", Kind::CameraLoiter, "", ""),
    ("StayDetection", Kind::CameraLoiter, "", ""),
    ("LeftDetection", Kind::CameraObject, "label", "left_object"),
    (
        "TakenAwayDetection",
        Kind::CameraObject,
        "label",
        "removed_object",
    ),
    ("MoveDetection", Kind::CameraObject, "label", "rapid_move"),
    (
        "ParkingDetection",
        Kind::CameraObject,
        "label",
        "parked_vehicle",
    ),
    ("RioterDetection", Kind::CameraObject, "label", "group"),
    ("CrowdDetection", Kind::CameraObject, "label", "group"),
    ("HumanTrait", Kind::CameraObject, "label", "human"),
    ("FaceDetection", Kind::CameraFace, "", ""),
    ("FaceRecognition", Kind::CameraFace, "", ""),
    ("CitizenPictureCompare", Kind::CameraFace, "", ""),
    ("AudioMutation", Kind::CameraAudio, "label", "mutation"),
    ("AudioAnomaly", Kind::CameraAudio, "label", "anomaly"),
    ("VideoBlind", Kind::CameraTamper, "reason", "covered"),
    ("SceneChange", Kind::CameraTamper, "reason", "scene_change"),
    ("VideoUnFocus", Kind::CameraTamper, "reason", "defocus"),
    (
        "VideoAbnormalDetection",
        Kind::CameraTamper,
        "reason",
        "video_abnormal",
    ),
    ("VideoLoss", Kind::CameraVideoLoss, "", ""),
    ("FireWarning", Kind::CameraVisualFire, "label", "fire"),
    ("FireDetection", Kind::CameraVisualFire, "label", "fire"),
    ("SmokeDetection", Kind::CameraVisualFire, "label", "smoke"),
    ("SmokingDetect", Kind::CameraObject, "label", "smoker"),
    (
        "HeatImagingTemper",
        Kind::FireHeat,
        "sensor",
        "thermal_camera",
    ),
    ("HotSpotWarning", Kind::FireHeat, "sensor", "thermal_camera"),
    ("AlarmLocal", Kind::DeviceAlarmInput, "", ""),
    ("AlarmInputSourceSignal", Kind::DeviceAlarmInput, "", ""),
    ("ProfileAlarmTransmit", Kind::DeviceAlarmInput, "", ""),
    (
        "StorageFailure",
        Kind::DeviceFault,
        "reason",
        "storage_failure",
    ),
    (
        "StorageNotExist",
        Kind::DeviceFault,
        "reason",
        "storage_missing",
    ),
    (
        "StorageLowSpace",
        Kind::DeviceFault,
        "reason",
        "storage_full",
    ),
    ("NetAbort", Kind::DeviceFault, "reason", "network_broken"),
    ("IPConflict", Kind::DeviceFault, "reason", "ip_conflict"),
    ("MACConflict", Kind::DeviceFault, "reason", "mac_conflict"),
    ("LoginFailure", Kind::DeviceFault, "reason", "illegal_login"),
    ("FanSpeed", Kind::DeviceFault, "reason", "fan"),
    ("PowerFault", Kind::DevicePower, "", ""),
    ("BatteryLowPower", Kind::DeviceBatteryLow, "", ""),
    ("ChassisIntruded", Kind::DeviceTamper, "", ""),
    ("AlarmChassisIntruded", Kind::DeviceTamper, "", ""),
    ("Tamper", Kind::DeviceTamper, "", ""),
    ("TimeChange", Kind::DeviceTimeSync, "", ""),
    ("NTPAdjustTime", Kind::DeviceTimeSync, "", ""),
];

/// Reads an event; codes of no interest (`BackKeyLight`, `KeepLightOn`, `NewFile`) tell nothing.
pub(super) fn read(event: &Event, zone: &TimeZone) -> Option<Draft> {
    let (_, kind, name, value) = CODES.iter().find(|(code, ..)| *code == event.code)?;
    let is_instant = matches!(
        kind,
        Kind::CameraLineCross | Kind::CameraFace | Kind::DeviceTimeSync
    );
    let phase = match event.action {
        Action::Stop if is_instant => return None,
        _ if is_instant => Phase::Instant,
        Action::Start => Phase::Raised,
        Action::Stop => Phase::Cleared,
        Action::Pulse => Phase::Instant,
    };
    let is_camera = kind.as_str().starts_with("camera.") || *kind == Kind::FireHeat;
    let class = if is_camera {
        DeviceClass::Camera
    } else {
        DeviceClass::Gateway
    };
    let draft = event
        .draft(class, *kind, phase, zone)
        .attr("channel", event.index);
    let draft = match event.index {
        Some(index) => draft.component(format!("channel-{index}")),
        None => draft,
    };
    let draft = if name.is_empty() {
        draft
    } else {
        draft.attr(name, *value)
    };
    let draft = regions(event, draft);
    let draft = objects(event, draft);
    let draft = match kind {
        Kind::CameraFace => face(event, draft),
        Kind::DeviceAlarmInput => draft
            .attr("description", short(event, "AlarmType"))
            .attr("sensor", short(event, "SenseMethod")),
        Kind::FireHeat => draft.attr("level", event.at("Temperature").and_then(text::number)),
        _ => draft,
    };
    Some(draft)
}

fn short(event: &Event, path: &str) -> Option<String> {
    event.word(path).map(|word| text::clip(&word, 64))
}

/// Where: the names of a camera's motion regions, the rule's name.
fn regions(event: &Event, draft: Draft) -> Draft {
    let names: Vec<String> = match event.at("RegionName") {
        Some(Value::Array(list)) => list.iter().take(16).filter_map(text::word).collect(),
        Some(name) => text::word(name).into_iter().collect(),
        None => Vec::new(),
    };
    let names: Vec<String> = names.iter().map(|name| text::clip(name, 64)).collect();
    let draft = draft
        .attr("region", names.first().cloned())
        .attr("rule", short(event, "Name"))
        .attr("heading", short(event, "Direction"));
    if names.len() > 1 {
        draft.attr("zones", names)
    } else {
        draft
    }
}

/// What: the object that tripped a rule.
fn objects(event: &Event, draft: Draft) -> Draft {
    let object = event.at("Object").or_else(|| match event.at("Objects") {
        Some(Value::Array(list)) => list.first(),
        _ => None,
    });
    let Some(object) = object else {
        return draft;
    };
    let label = object
        .get("ObjectType")
        .and_then(Value::as_str)
        .map(|label| text::clip(&label.to_ascii_lowercase(), 40))
        .filter(|label| label != "unknown" && !draft.attrs.contains_key("label"));
    let track = object
        .get("ObjectID")
        .and_then(text::word)
        .filter(|id| id.len() <= 40);
    draft.attr("label", label).attr("track_id", track)
}

/// Whom a face is like, where it was compared.
fn face(event: &Event, draft: Draft) -> Draft {
    let candidate = match event.at("Candidates") {
        Some(Value::Array(list)) => list.first(),
        _ => None,
    };
    let Some(candidate) = candidate else {
        return draft;
    };
    let name = text::at(candidate, "Person.Name")
        .and_then(text::word)
        .map(|name| text::clip(&name, 64));
    let likeness = candidate
        .get("Similarity")
        .and_then(text::number)
        .filter(|likeness| (0.0..=100.0).contains(likeness));
    draft
        .attr("person_name", name)
        .attr("confidence", likeness.map(|likeness| likeness / 100.0))
}
