//! The codes that are told as they come, as data.

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::draft::Draft;
use super::super::format::Recall;
use super::super::text;
use super::{Action, Event};

/// The code of an alarm input.
const INPUT: &str = "AlarmLocal";

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
    // what older recorders call these
    (
        "ObjectPlacementDetection",
        Kind::CameraObject,
        "label",
        "left_object",
    ),
    (
        "ObjectRemovalDetection",
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
    ("RioterDetection", Kind::CameraObject, "label", "crowd"),
    ("CrowdDetection", Kind::CameraObject, "label", "crowd"),
    (
        "TumbleDetection",
        Kind::CameraObject,
        "label",
        "person_down",
    ),
    ("FightDetection", Kind::CameraObject, "label", "fight"),
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
    // where it burns, beside the warning itself or without it
    ("FireWarningInfo", Kind::CameraVisualFire, "label", "fire"),
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
    (INPUT, Kind::DeviceAlarmInput, "", ""),
    ("AlarmInputSourceSignal", Kind::DeviceAlarmInput, "", ""),
    ("ProfileAlarmTransmit", Kind::DeviceAlarmInput, "", ""),
    ("RCEmergencyCall", Kind::DeviceAlarmInput, "label", "panic"),
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
    ("ArmModeChange", Kind::DeviceConfigChanged, "what", "arming"),
    (
        "AreaArmModeChange",
        Kind::DeviceConfigChanged,
        "what",
        "arming",
    ),
    // it starts anew
    ("Reboot", Kind::DeviceConfigChanged, "what", "restart"),
    ("Upgrade", Kind::DeviceConfigChanged, "what", "firmware"),
    ("TimeChange", Kind::DeviceTimeSync, "", ""),
    ("NTPAdjustTime", Kind::DeviceTimeSync, "", ""),
];

/// What hangs on an alarm input, by the method of its sensor (`SenseMethod`): kind, the attribute that says more, its value.
const SENSORS: &[(&str, Kind, &str, &str)] = &[
    ("SmokingSensor", Kind::FireSmoke, "", ""),
    ("SmokeSensor", Kind::FireSmoke, "", ""),
    ("GasSensor", Kind::FireGas, "", ""),
    ("WaterSensor", Kind::EnvWaterLeak, "", ""),
    ("EmergencySwitch", Kind::DeviceAlarmInput, "label", "panic"),
    ("UrgencyButton", Kind::DeviceAlarmInput, "label", "panic"),
];

/// What an alarm input tells; none where its sensor may be any.
fn of_input(event: &Event) -> Option<(Kind, &'static str, &'static str)> {
    let method = event.word("SenseMethod").unwrap_or_default();
    let known = SENSORS
        .iter()
        .find(|(sensor, ..)| sensor.eq_ignore_ascii_case(&method));
    let area = event.word("DefenceAreaType").unwrap_or_default();
    match known {
        Some((_, kind, name, value)) => Some((*kind, *name, *value)),
        None => area
            .eq_ignore_ascii_case("Fire")
            .then_some((Kind::FireDetector, "", "")),
    }
}

fn class_of(kind: Kind) -> DeviceClass {
    match kind {
        Kind::FireHeat => DeviceClass::Camera,
        kind if kind.as_str().starts_with("camera.") => DeviceClass::Camera,
        kind if kind.as_str().starts_with("fire.") => DeviceClass::FireSensor,
        _ => DeviceClass::Gateway,
    }
}

/// A stop need not say what hangs on an alarm input: then it ends what its start said. What to remember for that.
pub(super) fn settle(
    event: &Event,
    draft: &mut Draft,
    recall: &dyn Recall,
) -> Option<(String, Option<String>)> {
    if event.code != INPUT {
        return None;
    }
    let index = event.index.unwrap_or_default();
    let key = format!("dahua:input:{}:{index}", event.device);
    match draft.phase {
        Phase::Raised if draft.kind != Kind::DeviceAlarmInput => {
            Some((key, Some(draft.kind.as_str().to_owned())))
        }
        Phase::Raised => Some((key, None)),
        Phase::Cleared => {
            let known = recall.recall(&key).and_then(|kind| kind.parse().ok());
            if let Some(known) = known
                && draft.kind == Kind::DeviceAlarmInput
            {
                draft.kind = known;
                draft.class = class_of(known);
            }
            Some((key, None))
        }
        _ => None,
    }
}

/// Reads an event; codes of no interest (`BackKeyLight`, `KeepLightOn`, `NewFile`) tell nothing.
pub(super) fn read(event: &Event, zone: &TimeZone) -> Option<Draft> {
    let (_, kind, name, value) = CODES.iter().find(|(code, ..)| *code == event.code)?;
    let input = (event.code == INPUT).then(|| of_input(event));
    let (kind, name, value) = input.flatten().unwrap_or((*kind, *name, *value));
    let is_instant = matches!(
        kind,
        Kind::CameraLineCross | Kind::CameraFace | Kind::DeviceConfigChanged | Kind::DeviceTimeSync
    );
    let phase = match event.action {
        Action::Stop if is_instant => return None,
        _ if is_instant => Phase::Instant,
        Action::Start => Phase::Raised,
        Action::Stop => Phase::Cleared,
        Action::Pulse => Phase::Instant,
    };
    let draft = event
        .draft(class_of(kind), kind, phase, zone)
        .attr("channel", event.index);
    let draft = match event.index {
        Some(index) => draft.component(format!("channel-{index}")),
        None => draft,
    };
    let draft = if name.is_empty() {
        draft
    } else {
        draft.attr(name, value)
    };
    // one code's stop ends no other code, such as that of smoke a fire; without a property, as each start is news
    let draft = if phase == Phase::Instant {
        draft
    } else {
        let code = event.code.as_str();
        draft.attr("condition", code.strip_suffix("Info").unwrap_or(code))
    };
    let draft = regions(event, draft);
    let draft = objects(event, draft);
    let draft = match kind {
        Kind::CameraFace => face(event, draft),
        Kind::DeviceAlarmInput
        | Kind::FireSmoke
        | Kind::FireGas
        | Kind::FireDetector
        | Kind::EnvWaterLeak => {
            let told = short(event, "AlarmType");
            // of an alarm hub
            let is_intrusion = (told.as_deref())
                .is_some_and(|told| told.eq_ignore_ascii_case("intrusion"))
                && kind == Kind::DeviceAlarmInput
                && !draft.attrs.contains_key("label");
            draft
                .attr("label", is_intrusion.then_some("intrusion"))
                .attr("description", told)
                .attr("sensor", short(event, "SenseMethod"))
        }
        Kind::FireHeat => draft.attr("level", event.at("Temperature").and_then(text::number)),
        Kind::DeviceConfigChanged => {
            let mode = short(event, "Mode").or_else(|| short(event, "ArmMode"));
            draft.attr("mode", mode)
        }
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
