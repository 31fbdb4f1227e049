//! The events that cameras and recorders see by themselves.
//!
//! A device posts a standing alarm again about every second (`activePostCount` counts, on some models forever) and mostly never says that
//! it is over. So a post that follows another within [`QUIET_S`] belongs to the same episode and is no news; after a longer silence it is
//! a new one. `inactive` ends an episode; of `videoloss` it is the stream's heartbeat where no episode was heard of.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Value, json};

use super::super::draft::{Draft, Reading, Told};
use super::super::format::Recall;
use super::super::text;
use super::Alert;

/// A standing alarm that was silent for longer has begun anew, in seconds.
const QUIET_S: i64 = 30;
/// The same for a fact without duration, such as a crossed line.
const QUIET_INSTANT_S: i64 = 5;
/// How much later the time of the last post is written down, in seconds.
const NOTE_EVERY_S: i64 = 2;

/// What an event type tells.
struct Meaning {
    kind: Kind,
    name: &'static str,
    value: &'static str,
}

fn meaning(event: &str) -> Option<Meaning> {
    let (kind, name, value) = match event {
        "vmd" | "motiondetection" | "motion" => (Kind::CameraMotion, "", ""),
        "pir" | "piralarm" => (Kind::CameraMotion, "sensor", "pir"),
        "fielddetection" => (Kind::CameraIntrusion, "rule", "field"),
        "regionentrance" => (Kind::CameraIntrusion, "rule", "region_entrance"),
        "regionexiting" | "regionexit" => (Kind::CameraIntrusion, "rule", "region_exiting"),
        "advreachheight" => (Kind::CameraIntrusion, "rule", "climbing"),
        "radarperimeterrule" => (Kind::CameraIntrusion, "rule", "radar"),
        "perimeterprotection" => (Kind::CameraIntrusion, "rule", "perimeter"),
        "linedetection" | "crossline" => (Kind::CameraLineCross, "", ""),
        "loitering" => (Kind::CameraLoiter, "", ""),
        "group" | "peoplegathering" | "crowddetection" => (Kind::CameraObject, "label", "group"),
        "unattendedbaggage" => (Kind::CameraObject, "label", "unattended_baggage"),
        "attendedbaggage" => (Kind::CameraObject, "label", "removed_object"),
        "parking" => (Kind::CameraObject, "label", "parked_vehicle"),
        "rapidmove" => (Kind::CameraObject, "label", "rapid_move"),
        "falldown" | "faildown" => (Kind::CameraObject, "label", "fall"),
        "violentmotion" => (Kind::CameraObject, "label", "violent_motion"),
        "mixedtargetdetection" | "targetcapture" => (Kind::CameraObject, "", ""),
        "humandetection" | "persondetection" | "humanrecognition" => {
            (Kind::CameraObject, "label", "human")
        }
        "vehicledetection" => (Kind::CameraObject, "label", "vehicle"),
        "facedetection" | "facesnap" | "facecapture" | "alarmresult" => (Kind::CameraFace, "", ""),
        "audioexception" | "audiodetection" => (Kind::CameraAudio, "", ""),
        "shelteralarm" | "tamperdetection" | "videotampering" => {
            (Kind::CameraTamper, "reason", "covered")
        }
        "scenechangedetection" => (Kind::CameraTamper, "reason", "scene_change"),
        "vibrationdetection" => (Kind::CameraTamper, "reason", "vibration"),
        "defocus" | "defocusdetection" => (Kind::CameraTamper, "reason", "defocus"),
        "videoloss" => (Kind::CameraVideoLoss, "", ""),
        "io" | "iotrigger" | "localio" => (Kind::CameraIoInput, "", ""),
        "firedetection" => (Kind::CameraVisualFire, "label", "fire"),
        "smokedetection" => (Kind::CameraVisualFire, "label", "smoke"),
        "fireandsmokedetection"
        | "smokeandfiredetection"
        | "smokefiredetection"
        | "firesmokedetection" => (Kind::CameraVisualFire, "label", "fire_or_smoke"),
        "tma" | "tmpa" | "temperaturealarm" | "thermometry" => {
            (Kind::FireHeat, "sensor", "thermal_camera")
        }
        "voicetalkevent" => (Kind::AccessCall, "", ""),
        "diskfull" | "hdfull" => (Kind::DeviceFault, "reason", "disk_full"),
        "diskerror" | "hderror" => (Kind::DeviceFault, "reason", "disk_error"),
        "diskunformat" => (Kind::DeviceFault, "reason", "disk_unformatted"),
        "raidexception" => (Kind::DeviceFault, "reason", "raid"),
        "spareexception" => (Kind::DeviceFault, "reason", "spare"),
        "audioloss" => (Kind::DeviceFault, "reason", "audio_signal"),
        "poepowerexception" => (Kind::DeviceFault, "reason", "poe_power"),
        "nicbroken" | "netbroken" => (Kind::DeviceFault, "reason", "network_broken"),
        "ipconflict" => (Kind::DeviceFault, "reason", "ip_conflict"),
        "illaccess" | "illegalaccess" => (Kind::DeviceFault, "reason", "illegal_login"),
        "badvideo" | "videoexception" => (Kind::DeviceFault, "reason", "video_signal"),
        "videomismatch" => (Kind::DeviceFault, "reason", "video_mismatch"),
        "recordexception" | "recordingfailure" => (Kind::DeviceFault, "reason", "recording"),
        _ => return None,
    };
    Some(Meaning { kind, name, value })
}

/// Reads a smart event; what is none of these tells nothing (`heartBeat`, `duration`, counts of people).
pub(super) fn read(alert: &Alert<'_>, recall: &dyn Recall) -> Reading {
    let Some(meaning) = meaning(&alert.kind) else {
        return Reading::default();
    };
    let region = region(alert);
    let is_instant = matches!(
        meaning.kind,
        Kind::CameraLineCross | Kind::CameraFace | Kind::AccessCall
    );
    let is_active = !alert
        .word("eventState")
        .is_some_and(|state| state.eq_ignore_ascii_case("inactive"));
    let component = component(alert);
    let key = format!(
        "episode:{}:{component}:{}:{}",
        alert.device,
        alert.kind,
        region.id.as_deref().unwrap_or_default(),
    );
    let property = format!(
        "{}:{}",
        alert.kind,
        region.id.as_deref().unwrap_or_default()
    );
    let now = alert.received_at.as_second();
    let last: Option<i64> = recall.recall(&key).and_then(|since| since.parse().ok());

    if !is_active {
        if is_instant {
            return Reading::default();
        }
        // the stream's heartbeat says that video is not lost; all else is told when it changes
        let told = if meaning.kind == Kind::CameraVideoLoss {
            Told::State
        } else {
            Told::Change
        };
        let draft = draft(alert, &meaning, &region, Phase::Cleared)
            .component(component)
            .edge(&property, "over")
            .told(told);
        return Reading {
            drafts: vec![draft],
            learn: last.map(|_| (key, None)).into_iter().collect(),
            ..Reading::default()
        };
    }
    let (phase, quiet) = if is_instant {
        (Phase::Instant, QUIET_INSTANT_S)
    } else {
        (Phase::Raised, QUIET_S)
    };
    let draft = draft(alert, &meaning, &region, phase).component(component);
    // every episode is news, and so is its end
    let draft = if is_instant || alert.is_late {
        draft
    } else {
        draft.edge(&property, now)
    };
    if alert.is_late {
        // uploaded after the line was down: a fact of its own time, no part of what stands now
        return draft.into();
    }
    let since = last.map(|last| now.saturating_sub(last));
    let is_repeated = since.is_some_and(|since| (0..=quiet).contains(&since));
    let is_noted = since.is_some_and(|since| (0..NOTE_EVERY_S).contains(&since));
    Reading {
        drafts: if is_repeated { Vec::new() } else { vec![draft] },
        learn: if is_noted {
            Vec::new()
        } else {
            vec![(key, Some(now.to_string()))]
        },
        ..Reading::default()
    }
}

fn draft(alert: &Alert<'_>, meaning: &Meaning, region: &Region, phase: Phase) -> Draft {
    let class = match meaning.kind {
        Kind::AccessCall => DeviceClass::Access,
        _ => DeviceClass::Camera,
    };
    let draft = alert
        .draft(class, meaning.kind, phase)
        .attr("label", region.label.clone())
        .attr("region", region.id.clone())
        .attr("bbox", region.bbox.clone());
    let draft = if meaning.name.is_empty() {
        draft
    } else {
        draft.attr(meaning.name, meaning.value)
    };
    match meaning.kind {
        Kind::CameraIoInput => draft.attr("input", input(alert)),
        Kind::FireHeat => {
            let celsius = ["TMA.currTemperature", "TMA.temperature", "currTemperature"]
                .iter()
                .find_map(|path| text::number(alert.find(path)?));
            draft
                .attr("level", celsius)
                .attr("unit", celsius.map(|_| "°C"))
        }
        _ => draft,
    }
}

fn input(alert: &Alert<'_>) -> Option<i64> {
    ["inputIOPortID", "dynInputIOPortID"]
        .iter()
        .find_map(|name| text::integer(alert.find(name)?))
}

/// The part of the device: its channel, and its input for an input.
fn component(alert: &Alert<'_>) -> String {
    match (input(alert), alert.channel) {
        (Some(input), _) => format!("input-{input}"),
        (None, Some(channel)) => format!("channel-{channel}"),
        (None, None) => String::new(),
    }
}

/// What the first of the objects is that one post tells of.
fn first_target(list: Option<&Value>) -> Option<String> {
    list?
        .as_array()?
        .first()?
        .get("targetType")
        .and_then(text::word)
}

/// Where in the picture, and what.
struct Region {
    id: Option<String>,
    label: Option<String>,
    bbox: Option<Value>,
}

fn region(alert: &Alert<'_>) -> Region {
    let entry = alert
        .find("DetectionRegionList.DetectionRegionEntry")
        .or_else(|| alert.find("DetectionRegionList"))
        .map(|entry| match entry {
            Value::Array(list) => list.first().map_or(entry, |first| {
                first.get("DetectionRegionEntry").unwrap_or(first)
            }),
            entry => entry,
        });
    let told =
        |path: &str| entry.and_then(|entry| text::at(entry, path)?.as_str().map(str::to_owned));
    let label = told("detectionTarget")
        .or_else(|| alert.word("targetType"))
        .or_else(|| alert.word("detectionTarget"))
        .or_else(|| first_target(alert.find("detectionResult")))
        .map(|label| label.to_ascii_lowercase())
        .filter(|label| label != "others" && label != "unknown" && label.len() <= 40);
    let bbox = entry
        .and_then(|entry| text::at(entry, "TargetRect"))
        .and_then(|rect| {
            let side = |name: &str| {
                text::at(rect, name)
                    .and_then(text::number)
                    .filter(|side| (0.0..=1.0).contains(side))
            };
            let list = [
                side("X").or_else(|| side("x"))?,
                side("Y").or_else(|| side("y"))?,
                side("width")?,
                side("height")?,
            ];
            (list[2] > 0.0).then(|| json!(list))
        });
    let id = entry
        .and_then(|entry| text::at(entry, "regionID").and_then(text::word))
        .filter(|id| id.len() <= 40);
    Region { id, label, bbox }
}
