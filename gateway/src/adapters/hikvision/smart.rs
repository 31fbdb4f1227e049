//! The events that cameras and recorders see by themselves.
//!
//! A device posts a standing alarm again about every second (`activePostCount` counts, on some models forever) and mostly never says that
//! it is over. So a post that follows another within [`QUIET_S`] belongs to the same episode and is no news; after a longer silence it is
//! a new one. `inactive` ends an episode, without a region those of all regions; of `videoloss` it is the stream's heartbeat where no episode was heard of.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Value, json};

use super::super::draft::{Draft, Reading, Told};
use super::super::format::Recall;
use super::super::memory::property_key;
use super::super::text;
use super::{Alert, Known};

/// A standing alarm that was silent for longer has begun anew, in seconds.
const QUIET_S: i64 = 30;
/// The same for a fact without duration, such as a crossed line.
const QUIET_INSTANT_S: i64 = 5;
/// How much later the time of the last post is written down, in seconds.
const NOTE_EVERY_S: i64 = 2;

/// Most regions of one alarm whose ends are waited for; cameras have four to sixteen.
const REGIONS_MAX: usize = 64;
/// The value of a property whose alarm is over.
const OVER: &str = "over";

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
        "group" | "peoplegathering" | "crowddetection" | "persondensitydetection" => {
            (Kind::CameraObject, "label", "crowd")
        }
        "unattendedbaggage" | "aid:abandonedobject" => {
            (Kind::CameraObject, "label", "unattended_baggage")
        }
        "attendedbaggage" => (Kind::CameraObject, "label", "removed_object"),
        "parking" | "aid:illegalparking" => (Kind::CameraObject, "label", "parked_vehicle"),
        "aid:wrongdirection" => (Kind::CameraObject, "label", "wrong_way"),
        "aid:trafficaccident" => (Kind::CameraObject, "label", "traffic_accident"),
        "rapidmove" => (Kind::CameraObject, "label", "rapid_move"),
        "falldown" | "faildown" => (Kind::CameraObject, "label", "person_down"),
        "violentmotion" => (Kind::CameraObject, "label", "fight"),
        "mixedtargetdetection" | "targetcapture" => (Kind::CameraObject, "", ""),
        "aid:pedestrian" | "humandetection" | "persondetection" | "peopledetection"
        | "humanrecognition" => (Kind::CameraObject, "label", "human"),
        "vehicledetection" => (Kind::CameraObject, "label", "vehicle"),
        "facedetection"
        | "facesnap"
        | "facecapture"
        | "alarmresult"
        | "facecontrast"
        | "blacklistfacecontrast" => (Kind::CameraFace, "", ""),
        "audioexception" | "audiodetection" => (Kind::CameraAudio, "", ""),
        "block" | "shelteralarm" | "tamperdetection" | "videotampering" => {
            (Kind::CameraTamper, "reason", "covered")
        }
        "scenechangedetection" => (Kind::CameraTamper, "reason", "scene_change"),
        "jitter" | "vibrationdetection" => (Kind::CameraTamper, "reason", "vibration"),
        "clarity" | "defocus" | "defocusdetection" => (Kind::CameraTamper, "reason", "defocus"),
        // the second, as `block`, `jitter` and `clarity`, of a recorder that looks its cameras' pictures over
        "videoloss" | "siglose" => (Kind::CameraVideoLoss, "", ""),
        "io" | "iotrigger" | "localio" => (Kind::CameraIoInput, "", ""),
        "firedetection" => (Kind::CameraVisualFire, "label", "fire"),
        "smokedetection" | "aid:smoke" => (Kind::CameraVisualFire, "label", "smoke"),
        "fireandsmokedetection"
        | "smokeandfiredetection"
        | "smokefiredetection"
        | "firesmokedetection" => (Kind::CameraVisualFire, "label", "fire_or_smoke"),
        // by the temperature, or by the difference of two regions
        "tma" | "tmpa" | "tda" | "temperaturealarm" | "thermometry" => {
            (Kind::FireHeat, "sensor", "thermal_camera")
        }
        "voicetalkevent" | "callbuttonpress" => (Kind::AccessCall, "", ""),
        "diskfull" | "hdfull" => (Kind::DeviceFault, "reason", "disk_full"),
        "diskerror" | "hderror" => (Kind::DeviceFault, "reason", "disk_error"),
        "hdbadblock" => (Kind::DeviceFault, "reason", "disk_bad_block"),
        "highhdtemperature" => (Kind::DeviceFault, "reason", "disk_temperature"),
        "diskunformat" => (Kind::DeviceFault, "reason", "disk_unformatted"),
        "fanfailure" => (Kind::DeviceFault, "reason", "fan"),
        "overheat" => (Kind::DeviceFault, "reason", "temperature"),
        // the second is how the SDK's guide spells it
        "raidexception" | "raidfailure" | "radifailure" => (Kind::DeviceFault, "reason", "raid"),
        "spareexception" => (Kind::DeviceFault, "reason", "spare"),
        "audioloss" => (Kind::DeviceFault, "reason", "audio_signal"),
        "poepowerexception" => (Kind::DeviceFault, "reason", "poe_power"),
        "nicbroken" | "netbroken" => (Kind::DeviceFault, "reason", "network_broken"),
        "ipconflict" => (Kind::DeviceFault, "reason", "ip_conflict"),
        "illaccess" | "illegalaccess" => (Kind::DeviceFault, "reason", "illegal_login"),
        "badvideo" | "videoexception" => (Kind::DeviceFault, "reason", "video_signal"),
        "videomismatch" | "resolutionmismatch" => (Kind::DeviceFault, "reason", "video_mismatch"),
        "recordexception" | "recordingfailure" => (Kind::DeviceFault, "reason", "recording"),
        _ => return None,
    };
    Some(Meaning { kind, name, value })
}

/// Reads a smart event; what is none of these tells nothing (`heartBeat`, counts of people).
pub(super) fn read(alert: &Alert<'_>, known: &Known<'_>) -> Reading {
    let Some(meaning) = meaning(&alert.kind) else {
        return Reading::default();
    };
    let region = region(alert);
    let episode = Episode::of(alert, region.id.as_deref());
    let is_instant = matches!(
        meaning.kind,
        Kind::CameraLineCross | Kind::CameraFace | Kind::AccessCall
    );
    if alert.is_over() {
        if is_instant || alert.is_recording {
            return Reading::default();
        }
        return over(alert, &meaning, &region, &episode, known);
    }
    // of two facts in one message each is told
    let recall: &dyn Recall = if is_instant { known.before } else { known };
    let now = alert.received_at.as_second();
    let key = episode.key();
    let last: Option<i64> = recall.recall(&key).and_then(|since| since.parse().ok());
    let (phase, quiet) = if is_instant {
        (Phase::Instant, QUIET_INSTANT_S)
    } else {
        (Phase::Raised, QUIET_S)
    };
    let draft = draft(alert, &meaning, &region, phase).component(episode.component.as_str());
    if alert.is_late && !alert.is_recording {
        // uploaded after the line was down: a fact of its own time, no part of what stands now
        return draft.into();
    }
    // every episode is news, and so is its end
    let draft = if is_instant {
        draft
    } else {
        draft.edge(&episode.property(), now).apart()
    };
    let since = last.map(|last| now.saturating_sub(last));
    let is_repeated = since.is_some_and(|since| (0..=quiet).contains(&since));
    let is_noted = since.is_some_and(|since| (0..NOTE_EVERY_S).contains(&since));
    // what was recorded of an event keeps its episode up and begins none
    let is_told = !is_repeated && !alert.is_recording;
    let is_learnt = !is_noted && (is_repeated || is_told);
    let mut learn: Vec<Learnt> = Vec::new();
    if is_learnt {
        learn.push((key, Some(now.to_string())));
    }
    if is_told && !is_instant {
        learn.extend(episode.stand(recall));
    }
    Reading {
        drafts: if is_told { vec![draft] } else { Vec::new() },
        learn,
        ..Reading::default()
    }
}

/// An end ends the episode of its region, or those of all regions where it names none.
fn over(
    alert: &Alert<'_>,
    meaning: &Meaning,
    region: &Region,
    episode: &Episode,
    recall: &dyn Recall,
) -> Reading {
    let standing = episode.standing(recall);
    let is_all = episode.region.is_empty();
    // what began without a region ends with that of any, where that one has not begun itself
    let is_nameless = !standing.contains(&episode.region);
    let (others, stand): (Vec<String>, Vec<String>) = standing
        .into_iter()
        .filter(|region| *region != episode.region)
        .partition(|region| is_all || (is_nameless && region.is_empty()));
    let has_known = !others.is_empty();
    let ended = std::iter::once(episode.region.clone()).chain(others);
    // the stream's heartbeat says that video is not lost; all else is told when it changes
    let told = if meaning.kind == Kind::CameraVideoLoss {
        Told::State
    } else {
        Told::Change
    };
    let mut reading = Reading::default();
    for name in ended {
        let ended = episode.of_region(&name);
        let key = ended.key();
        let is_own = name == episode.region;
        let draft = draft(alert, meaning, region, Phase::Cleared)
            .component(episode.component.as_str())
            .edge(&ended.property(), OVER)
            .told(told)
            .apart();
        if recall.recall(&key).is_some() {
            reading.learn.push((key, None));
        } else if is_own && has_known {
            // the others that are over are told each by itself; told again that is no news
            let property = ended.property();
            let known = property_key(&alert.device, Some(&episode.component), &property);
            reading.learn.push((known, Some(OVER.to_owned())));
            continue;
        }
        reading.drafts.push(if is_own {
            draft
        } else {
            draft.attr("region", name)
        });
    }
    reading.learn.extend(episode.stand_only(&stand, recall));
    reading
}

/// A key and its value, or none where it is forgotten.
type Learnt = (String, Option<String>);

/// Which of a device's alarms an alert belongs to.
struct Episode {
    device: String,
    component: String,
    kind: String,
    /// Empty where none is named.
    region: String,
}

impl Episode {
    fn of(alert: &Alert<'_>, region: Option<&str>) -> Self {
        Self {
            device: alert.device.clone(),
            component: component(alert),
            kind: alert.kind.clone(),
            region: region.unwrap_or_default().to_owned(),
        }
    }

    fn of_region(&self, region: &str) -> Self {
        Self {
            device: self.device.clone(),
            component: self.component.clone(),
            kind: self.kind.clone(),
            region: region.to_owned(),
        }
    }

    /// What it is in memory.
    fn key(&self) -> String {
        let Self {
            device,
            component,
            kind,
            region,
        } = self;
        format!("episode:{device}:{component}:{kind}:{region}")
    }

    fn property(&self) -> String {
        format!("{}:{}", self.kind, self.region)
    }

    fn standing_key(&self) -> String {
        let Self {
            device,
            component,
            kind,
            ..
        } = self;
        format!("standing:{device}:{component}:{kind}")
    }

    /// The regions in which such an alarm has begun and not ended; an empty one for that without a region.
    fn standing(&self, recall: &dyn Recall) -> Vec<String> {
        let known = recall.recall(&self.standing_key());
        known
            .map(|known| known.split(',').map(str::to_owned).collect())
            .unwrap_or_default()
    }

    /// This one stands now, too.
    fn stand(&self, recall: &dyn Recall) -> Option<Learnt> {
        let mut all = self.standing(recall);
        if all.contains(&self.region) || all.len() >= REGIONS_MAX {
            return None;
        }
        all.push(self.region.clone());
        Some((self.standing_key(), Some(all.join(","))))
    }

    /// No more than these stand.
    fn stand_only(&self, stand: &[String], recall: &dyn Recall) -> Option<Learnt> {
        let is_new = self.standing(recall) != stand;
        let all = (!stand.is_empty()).then(|| stand.join(","));
        is_new.then(|| (self.standing_key(), all))
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
        Kind::CameraFace => face(alert, draft),
        Kind::CameraIoInput => draft.attr("input", input(alert)),
        Kind::FireHeat => {
            let told = [alert.root].into_iter().chain(entry_of(alert));
            let told = told.flat_map(|told| [told.get("TMA"), told.get("TMPA"), Some(told)]);
            let told: Vec<&Value> = told.flatten().collect();
            let first = |names: &[&str]| {
                let mut all = told
                    .iter()
                    .flat_map(|told| names.iter().map(|name| told.get(*name)));
                all.find_map(|value| value)
            };
            let level = first(&["currTemperature", "temperature"]).and_then(text::number);
            let unit = match first(&["thermometryUnit"]).and_then(Value::as_str) {
                Some("fahrenheit") => "°F",
                Some("kelvin") => "K",
                _ => "°C",
            };
            draft.attr("level", level).attr("unit", level.map(|_| unit))
        }
        _ => draft,
    }
}

/// Whom a face is like, where it was compared (`alarmResult`).
fn face(alert: &Alert<'_>, draft: Draft) -> Draft {
    let path = ["alarmResult", "faces", "identify", "candidate"];
    let candidate = path.iter().try_fold(alert.root, |value, name| {
        let inner = value.get(*name)?;
        match inner {
            Value::Array(list) => list.first(),
            one => Some(one),
        }
    });
    let Some(candidate) = candidate else {
        return draft;
    };
    let name = text::first(candidate, &["reserve_field.name", "name"])
        .and_then(text::word)
        .and_then(|name| text::somebody(&name).map(|name| text::clip(name, 64)));
    let likeness = candidate
        .get("similarity")
        .and_then(text::number)
        .filter(|likeness| (0.0..=100.0).contains(likeness));
    draft.attr("person_name", name).attr(
        "confidence",
        likeness.map(|n| if n > 1.0 { n / 100.0 } else { n }),
    )
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

/// The first region that it is about.
fn entry_of<'a>(alert: &Alert<'a>) -> Option<&'a Value> {
    let entry = alert
        .find("DetectionRegionList.DetectionRegionEntry")
        .or_else(|| alert.find("DetectionRegionList"))?;
    Some(match entry {
        Value::Array(list) => list.first().map_or(entry, |first| {
            first.get("DetectionRegionEntry").unwrap_or(first)
        }),
        entry => entry,
    })
}

fn region(alert: &Alert<'_>) -> Region {
    let entry = entry_of(alert);
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
        .filter(|id| id.len() <= 40 && !id.contains(','));
    Region { id, label, bbox }
}
