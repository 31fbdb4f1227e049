//! What the topics of cameras and their sensors mean.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::Notice;
use crate::adapters::draft::Draft;
use crate::adapters::{axis_lpr, text};

const CAMERA: DeviceClass = DeviceClass::Camera;

pub(super) fn drafts(notice: &Notice, levels: &[&str]) -> Vec<Draft> {
    let draft = match levels {
        // wherever a camera tells it
        [
            "VideoAnalytics" | "VideoSource" | "Device" | "UserAlarm",
            rest @ ..,
        ] if rest.iter().any(|level| is_fire(level)) => {
            notice.alarm(CAMERA, Kind::CameraVisualFire)
        }
        ["RuleEngine", rest @ ..] => rule(notice, rest),
        ["CameraApplicationPlatform", rest @ ..] => application(notice, rest),
        // the second is Imou's
        ["Device", rest @ ..] | ["VideoSource", "Device", rest @ ..] => device(notice, rest),
        ["VideoSource" | "RadarSource", rest @ ..] => video(notice, rest),
        ["OpenApp", _, what, ..] => open_app(notice, what),
        ["IVA", what, ..] => intelligent(notice, what),
        ["ThermalService", "TemperatureAlarm", ..] => notice.alarm(CAMERA, Kind::FireHeat),
        ["VideoAnalytics", "MaskAlarm", ..] => tamper(notice, "MaskAlarm"),
        ["VideoAnalytics", "MotionDetection" | "MotionAlarm", ..] => {
            notice.condition(CAMERA, Kind::CameraMotion)
        }
        ["AudioAnalytics", ..] | ["AudioSource", "TriggerLevel" | "AudioDetection", ..] => {
            let label = notice.item(&["AudioClassifications", "Class", "SoundType"]);
            let draft = notice.condition(CAMERA, Kind::CameraAudio);
            draft.map(|draft| draft.attr("label", label.map(|label| text::clip(label, 100))))
        }
        ["Storage", "Alert" | "Disruption", ..] => fault(notice, "storage"),
        ["UserAlarm", "IVA", what, ..] => {
            let label = what.trim_end_matches("Detect").trim_end_matches("Shape");
            object(notice, &label.to_ascii_lowercase())
        }
        // the hours of a schedule
        ["UserAlarm", "Recurring", ..] => None,
        ["UserAlarm", "VideoCover", ..] => tamper(notice, "VideoCover"),
        ["UserAlarm" | "Security", "IllegalAccess", ..] => fault(notice, "illegal_login"),
        ["UserAlarm", "VideoLost", ..] => notice.alarm(CAMERA, Kind::CameraVideoLoss),
        ["UserAlarm", ..] => notice.condition(CAMERA, Kind::DeviceAlarmInput),
        [
            "Monitoring",
            "ProcessorUsage" | "EnvironmentalConditions",
            ..,
        ] => reading(notice, levels.last().unwrap_or(&""), ""),
        ["Configuration", what, ..] => notice
            .fact(CAMERA, Kind::DeviceConfigChanged)
            .map(|draft| draft.attr("what", text::clip(what, 100))),
        // recordings, lights, pan and tilt, schedules, keys: nothing happened in the quarter
        _ => None,
    };
    draft
        .into_iter()
        .map(|draft| place(notice, draft))
        .collect()
}

/// Applications on Hanwha cameras: `OpenApp/WiseAI/LineCrossing`.
fn open_app(notice: &Notice, what: &str) -> Option<Draft> {
    let action = notice
        .item(&["Action"])
        .unwrap_or_default()
        .to_ascii_lowercase();
    let draft = match what {
        "LineCrossing" => happened(notice, Kind::CameraLineCross),
        // who leaves is no intruder, and the state is true of that, too
        "IvaArea" if action.starts_with("exit") || action == "disappearing" => None,
        "IvaArea" if action == "loitering" => happened(notice, Kind::CameraLoiter),
        "IvaArea" => labelled(notice, notice.condition(CAMERA, Kind::CameraIntrusion)),
        "ObjectDetection" => object(notice, ""),
        "Loitering" => notice.condition(CAMERA, Kind::CameraLoiter),
        "Tampering" => notice.condition(CAMERA, Kind::CameraTamper),
        "AudioDetection" | "SoundClassification" => notice.condition(CAMERA, Kind::CameraAudio),
        _ if is_fire(what) => notice.condition(CAMERA, Kind::CameraVisualFire),
        _ => None,
    }?;
    Some(draft.attr("action", text::clip(&action, 100)))
}

/// Analytics of Bosch cameras: `IVA/IdleObject`, with the name of the rule behind it.
fn intelligent(notice: &Notice, what: &str) -> Option<Draft> {
    match what {
        "IdleObject" | "Loitering" => notice.condition(CAMERA, Kind::CameraLoiter),
        "ObjectInField" | "EnteringField" | "ConditionChange" => {
            notice.condition(CAMERA, Kind::CameraIntrusion)
        }
        "CrossingLine" | "LineCrossing" => happened(notice, Kind::CameraLineCross),
        _ if is_fire(what) => notice.alarm(CAMERA, Kind::CameraVisualFire),
        _ => None,
    }
}

/// Where in the camera's world it happened.
fn place(notice: &Notice, draft: Draft) -> Draft {
    const CHANNEL: &[&str] = &[
        "VideoSource",
        "VideoSourceToken",
        "VideoSourceConfigurationToken",
        "channel",
    ];
    let word = |names: &[&str]| notice.item(names).map(|value| text::clip(value, 100));
    let rule = if draft.attrs.contains_key("rule") {
        None
    } else {
        word(&["Rule", "RuleName"])
    };
    draft
        .attr("rule", rule)
        .attr("channel", word(CHANNEL))
        .attr("track_id", word(&["ObjectId"]))
}

/// Names that hold the number of an object, never whether something is so.
pub(super) fn is_object_id(name: &str) -> bool {
    name.eq_ignore_ascii_case("ObjectId") || name.eq_ignore_ascii_case("Count")
}

/// How the names of detectors begin that makers add to the standard's, and what these see.
const OBJECT_DETECTORS: &[(&str, &str)] = &[
    ("Abandoned", "left_object"),
    ("Missing", "removed_object"),
    ("Crowd", "crowd"),
    ("Running", "rapid_move"),
    ("WrongDirection", "wrong_way"),
    ("Fall", "person_down"),
];

/// Rules of the camera's own analytics.
fn rule(notice: &Notice, rest: &[&str]) -> Option<Draft> {
    match rest {
        levels if levels.iter().any(|level| is_fire(level)) => {
            notice.alarm(CAMERA, Kind::CameraVisualFire)
        }
        // the second are TP-Link's
        ["LineDetector" | "LineCrossDetector", ..] => happened(notice, Kind::CameraLineCross),
        ["FieldDetector" | "IntrusionDetector", ..] => {
            labelled(notice, notice.condition(CAMERA, Kind::CameraIntrusion))
        }
        ["LoiteringDetector", ..] => match notice.truth() {
            Some(is_there) => labelled(
                notice,
                notice.condition_is(CAMERA, Kind::CameraLoiter, is_there),
            ),
            None => happened(notice, Kind::CameraLoiter),
        },
        ["TamperDetector", ..] => Some(notice.condition(CAMERA, Kind::CameraTamper)?.apart()),
        ["Recognition", "LicensePlate", ..]
        | ["LicensePlateRecognition" | "LicensePlateDetector", ..] => plate(notice),
        ["Recognition", "Face", ..] | ["FaceRecognition", ..] => face(notice),
        // some firmware writes it with one g
        [
            "CountAggregation" | "CountAgregation" | "OccupancyCounter",
            ..,
        ] => reading(notice, "Count", ""),
        // some cameras tell it as a fact without a state
        ["Radiometry", "TemperatureAlarm", ..] => notice.alarm(CAMERA, Kind::FireHeat),
        ["Radiometry", ..] => notice.condition(CAMERA, Kind::FireHeat),
        ["ObjectDetector" | "ObjectDetection" | "ClassDetector", ..] => object(notice, ""),
        ["PeopleDetector", ..] => object(notice, "human"),
        ["AudioDetector", ..] => notice.condition(CAMERA, Kind::CameraAudio),
        ["FaceDetector", ..] => notice.condition(CAMERA, Kind::CameraFace),
        ["MyRuleDetector", what, ..] => match *what {
            "PeopleDetect" => object(notice, "human"),
            "VehicleDetect" => object(notice, "vehicle"),
            "DogCatDetect" => object(notice, "animal"),
            "FaceDetect" => notice.condition(CAMERA, Kind::CameraFace),
            "Package" => object(notice, "package"),
            "Visitor" => happened(notice, Kind::AccessCall),
            "BabyCryingDetect" => {
                let draft = notice.condition(CAMERA, Kind::CameraAudio)?;
                Some(draft.attr("label", "baby_crying"))
            }
            _ => None,
        },
        ["CellMotionDetector" | "TPSmartEventDetector", ..] => by_item(notice),
        [
            "MotionRegionDetector" | "MotionDetector" | "DeclarativeMotionDetector" | "VMD3",
            ..,
        ] => notice.condition(CAMERA, Kind::CameraMotion),
        [detector, ..] => {
            let known = OBJECT_DETECTORS
                .iter()
                .find(|(start, _)| detector.starts_with(start));
            known.and_then(|(_, label)| object(notice, label))
        }
        _ => None,
    }
}

/// Whether a level of a topic speaks of a fire. What only has the word in it is none: a weapon, a lane for the fire brigade.
fn is_fire(level: &str) -> bool {
    const NO_FIRE: [&str; 9] = [
        "firearm",
        "firedoor",
        "fireescape",
        "fireexit",
        "fireextinguisher",
        "firehydrant",
        "firelane",
        "firewall",
        "gunfire",
    ];
    let level = level.to_ascii_lowercase().replace(['_', '-', ' '], "");
    let has = |words: &[&str]| words.iter().any(|word| level.contains(word));
    has(&["fire", "smoke", "flame"]) && !has(&NO_FIRE)
}

/// The picture is covered, blurred, moved: several of these may stand at once.
fn tamper(notice: &Notice, reason: &str) -> Option<Draft> {
    let draft = notice.alarm(CAMERA, Kind::CameraTamper)?;
    Some(draft.apart().attr("reason", reason))
}

/// Cameras that put everything under the detector of motion: the name of the item says what it is.
fn by_item(notice: &Notice) -> Option<Draft> {
    let name = notice
        .data
        .iter()
        .map(|(name, _)| name)
        .find(|name| super::is_name(name));
    match name.map(String::as_str) {
        Some("IsPeople" | "IsHuman" | "IsPerson") => object(notice, "human"),
        Some("IsVehicle") => object(notice, "vehicle"),
        Some("IsPet") => object(notice, "animal"),
        Some("IsTamper") => Some(notice.condition(CAMERA, Kind::CameraTamper)?.apart()),
        Some("IsIntrusion") => notice.condition(CAMERA, Kind::CameraIntrusion),
        Some("IsLineCross") => happened(notice, Kind::CameraLineCross),
        _ => notice.condition(CAMERA, Kind::CameraMotion),
    }
}

/// Applications on Axis cameras: `ObjectAnalytics/Device1Scenario1`.
fn application(notice: &Notice, rest: &[&str]) -> Option<Draft> {
    let (application, scenario) = match rest {
        [application, scenario, ..] => (*application, *scenario),
        [application] => (*application, ""),
        [] => return None,
    };
    let name = application.to_ascii_lowercase();
    let draft = match name.as_str() {
        "objectanalytics" => object(notice, "").or_else(|| counted(notice)),
        "vmd" | "vmd3" | "motionguard" => notice.condition(CAMERA, Kind::CameraMotion),
        "fenceguard" => notice.condition(CAMERA, Kind::CameraIntrusion),
        "loiteringguard" => notice.condition(CAMERA, Kind::CameraLoiter),
        // License Plate Verifier; its lists and zones only switch a relay, without a plate
        _ if name.starts_with("alpv.") || name == "lpr" => {
            let draft = axis_lpr::of_items(&notice.data).filter(|_| notice.is_news())?;
            return Some(Draft {
                address: notice.address.clone(),
                at: draft.at.clone().or_else(|| notice.at.clone()),
                ..draft
            });
        }
        _ if name.contains("crosslinedetection") => happened(notice, Kind::CameraLineCross),
        _ if is_fire(&name) => notice.condition(CAMERA, Kind::CameraVisualFire),
        _ => None,
    }?;
    let mut draft = draft.attr("rule", scenario);
    if !scenario.is_empty() {
        draft.component = Some(scenario.to_owned());
    }
    Some(draft)
}

/// A scenario that counts what crosses its line tells the sums, and what has just crossed.
fn counted(notice: &Notice) -> Option<Draft> {
    let what = notice.item(&["reason"]).filter(|what| *what != "reset")?;
    notice.item(&["total"])?;
    let draft = notice.fact(CAMERA, Kind::CameraLineCross)?;
    Some(draft.attr("label", text::clip(what, 100).to_ascii_lowercase()))
}

fn video(notice: &Notice, rest: &[&str]) -> Option<Draft> {
    match rest {
        ["MotionAlarm", ..] => notice.condition(CAMERA, Kind::CameraMotion),
        ["SignalLoss" | "VideoLoss" | "ConnectionFailed", ..] => {
            notice.condition(CAMERA, Kind::CameraVideoLoss)
        }
        [
            reason @ ("Tampering" | "TamperingDetection" | "CameraSabotage" | "GlobalSceneChange"
            | "ImageTooBlurry" | "ImageTooDark" | "ImageTooBright" | "SignalTooBlurry"
            | "SignalTooDark" | "SignalTooBright" | "SignalTooNoisy"),
            ..,
        ] => tamper(notice, reason),
        ["RadiometryAlarm", ..] => notice.alarm(CAMERA, Kind::FireHeat),
        // what an area of a thermal camera measures, or an alarm where it says whether there is one
        ["Thermometry", ..] if notice.truth().is_some() => notice.condition(CAMERA, Kind::FireHeat),
        ["Thermometry", ..] => reading(notice, "thermometry", ""),
        _ => None,
    }
}

fn device(notice: &Notice, rest: &[&str]) -> Option<Draft> {
    match rest {
        // the port that stands for all of them tells nothing new
        ["Trigger", "DigitalInput" | "AlarmIn", ..]
        | [
            "DigitalInput" | "VivoDigitalInput" | "BinaryInput" | "AuxIn",
            ..,
        ]
        | [
            "IO",
            "Port" | "VirtualPort" | "VirtualInput" | "AuxIn" | "BinaryInput",
            ..,
        ] => {
            let input = notice
                .item(&["InputToken", "DigitalInputToken", "AlarmInToken", "port"])
                .unwrap_or_default();
            let draft = notice.condition(CAMERA, Kind::CameraIoInput)?;
            (input != "-1").then(|| draft.attr("input", text::clip(input, 100)))
        }
        ["Trigger", "MotionDetector", ..] => notice.condition(CAMERA, Kind::CameraMotion),
        ["Trigger", "Relay", ..] | ["Relay", ..] => {
            let state = notice.item(&["LogicalState", "state"])?;
            let draft = notice.state(CAMERA, Kind::DeviceTelemetry, Phase::Instant, state);
            let relay = notice
                .item(&["RelayToken"])
                .map(|token| text::clip(token, 100));
            Some(
                draft
                    .attr("relay", relay)
                    .attr("state", text::clip(state, 100)),
            )
        }
        ["Sensor", "PIR", ..] => {
            let draft = notice.condition(CAMERA, Kind::CameraMotion)?;
            Some(draft.attr("sensor", "pir"))
        }
        ["Sensor", sensor, level, ..] => reading(notice, sensor, level),
        ["Sensor", sensor] => reading(notice, sensor, ""),
        ["HardwareFailure", what, ..] => fault(notice, what),
        ["IllegalAccess", ..] => fault(notice, "illegal_login"),
        ["IPConflict", ..] => fault(notice, "ip_conflict"),
        ["Network", "Lost", ..] => fault(notice, "network"),
        // inside its limits is no fault
        ["Status", "Temperature", level @ ("Above" | "Below"), ..] => {
            let draft = fault(notice, "temperature")?;
            Some(draft.attr("level", level.to_ascii_lowercase()))
        }
        ["Status", "SystemReady", ..] => {
            let is_ready = notice.truth()?;
            let draft = notice.state(CAMERA, Kind::DeviceOnline, Phase::Updated, is_ready);
            is_ready.then_some(draft)
        }
        // by itself, or as one of the ways to tamper with a camera
        levels if levels.iter().any(|level| level.starts_with("Shock")) => {
            let draft = happened(notice, Kind::DeviceTamper)?;
            Some(draft.attr("reason", "shock"))
        }
        // of cameras without a state for it, such as `Level` = `Trigger`
        ["Tampering" | "Tamper", ..] => notice.alarm(CAMERA, Kind::DeviceTamper),
        ["Casing", ..] | ["IO", "SupervisedPort", ..] => {
            notice.condition(CAMERA, Kind::DeviceTamper)
        }
        _ => None,
    }
}

fn fault(notice: &Notice, reason: &str) -> Option<Draft> {
    let draft = notice.condition(CAMERA, Kind::DeviceFault)?.apart();
    Some(draft.attr("reason", text::clip(reason, 100)))
}

/// A fact; some send it as a property that goes up and down, then its going up is the fact.
fn happened(notice: &Notice, kind: Kind) -> Option<Draft> {
    if notice.truth() == Some(false) {
        return None;
    }
    labelled(notice, notice.fact(CAMERA, kind))
}

/// An object that is there or not, with what the camera takes it for.
fn object(notice: &Notice, label: &str) -> Option<Draft> {
    let draft = match (notice.truth(), class_of(notice)) {
        (Some(is_there), _) => notice.condition_is(CAMERA, Kind::CameraObject, is_there),
        (None, Some(_)) => notice.fact(CAMERA, Kind::CameraObject),
        (None, None) => None,
    }?;
    let draft = match label {
        "" => draft,
        label => draft.attr("label", label),
    };
    labelled(notice, Some(draft))
}

fn labelled(notice: &Notice, draft: Option<Draft>) -> Option<Draft> {
    let confidence = notice
        .item(&["Likelihood"])
        .and_then(|text| text.parse::<f64>().ok());
    Some(
        draft?
            .attr("label", class_of(notice))
            .attr("confidence", confidence.filter(|c| c.is_finite())),
    )
}

/// `human`, `vehicle`; several as they came.
fn class_of(notice: &Notice) -> Option<String> {
    // the type of the source is that of the event
    let class = notice.thing(&["ClassTypes", "ClassType", "ObjectClass", "Type"])?;
    Some(text::clip(class, 100).to_ascii_lowercase())
}

fn plate(notice: &Notice) -> Option<Draft> {
    let plate = notice.item(&["PlateNumber", "LicensePlate", "Plate"])?;
    let word = |name: &str| {
        notice
            .item(&[name])
            .map(|value| text::clip(value, 100).to_lowercase())
    };
    let mut vehicle = serde_json::Map::new();
    for (member, name) in [
        ("type", "VehicleType"),
        ("brand", "Brand"),
        ("color", "VehicleColor"),
    ] {
        if let Some(value) = word(name) {
            vehicle.insert(member.to_owned(), value.into());
        }
    }
    let vehicle = if vehicle.is_empty() {
        Value::Null
    } else {
        vehicle.into()
    };
    let draft = labelled(notice, notice.fact(CAMERA, Kind::VehiclePlateRead))?;
    Some(draft.plate(plate).attr("vehicle", vehicle))
}

fn face(notice: &Notice) -> Option<Draft> {
    let name = notice
        .item(&["Name", "PersonName"])
        .and_then(text::somebody);
    let draft = labelled(notice, notice.fact(CAMERA, Kind::CameraFace))?;
    let name = name.map(|name| text::clip(name, 100));
    Some(draft.attr("person_name", name))
}

/// A measured value; numbers stay numbers, and where they came as text they become some.
fn reading(notice: &Notice, sensor: &str, level: &str) -> Option<Draft> {
    let mut draft = notice.fact(CAMERA, Kind::DeviceTelemetry)?;
    for (name, value) in &notice.data {
        let value = match value.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => number.into(),
            _ => Value::from(text::clip(value, 100)),
        };
        draft = draft.attr(&text::clip(name, 64).to_ascii_lowercase(), value);
    }
    let id = notice.item(&["SensorID", "SensorToken", "Token"]);
    Some(
        draft
            .attr("sensor", sensor)
            .attr("level", level.to_ascii_lowercase())
            .attr("sensor_id", id.map(|id| text::clip(id, 100))),
    )
}
