//! Frigate, the network video recorder: `frigate/…` over MQTT, records of its HTTP interface by web hook.
//!
//! Layout: blakeblackshear/frigate@docs/docs/integrations/mqtt.md (0.12 to 0.17). The base topic is whatever its configuration
//! says; one that begins with `frigate` is known by itself, of others the JSON messages are known by their shape, and from the first of
//! these on the rest of what stands below it. Counts of objects, switches, statistics and snapshots are no events: the objects themselves
//! are told by `events` and `reviews`. A snapshot (`{camera}/{label}/snapshot`) belongs to what was told of such an object there just before.

mod objects;

use std::borrow::Cow;

use domain::{DeviceClass, Kind, Phase, Shows};
use jiff::SignedDuration;
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Nothing, Recall};
use super::message::Message;
use super::picture::{self, Picture, Word};
use super::{Reject, text};

/// Most levels of a base topic that is learnt.
const BASE_LEVELS_MAX: usize = 4;
/// How long after what was told of an object its snapshot may come.
const SNAPSHOT_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// What the key of a base topic that was learnt begins with.
const LEARNT: &str = "frigate:base:";

/// The format.
pub struct Frigate;

impl Format for Frigate {
    fn name(&self) -> &'static str {
        "frigate"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        self.claim_learnt(message, &Nothing)
    }

    fn claim_learnt(&self, message: &Message<'_>, recall: &dyn Recall) -> Claim {
        if base_of(message, recall).is_some() {
            return Claim::Address;
        }
        match message.json() {
            Ok(value) if objects::Told::of(value).is_some() => Claim::Shape,
            Ok(value) if recognised_beside(message, value).is_some() => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        let Some(base) = base_of(message, recall) else {
            let value = message.json()?;
            let told = objects::Told::of(value).map(|told| told.drafts());
            let beside = || recognised_beside(message, value).into_iter().collect();
            let mut reading = Reading::from(told.unwrap_or_else(beside));
            reading.learn = base_to_learn(&levels).into_iter().collect();
            return Ok(reading);
        };
        let rest = levels.get(base..).unwrap_or_default();
        let drafts = match rest {
            // the server itself, which speaks for its cameras
            ["available"] => {
                let base = levels.get(..base).unwrap_or_default().join("/");
                availability("", DeviceClass::Gateway, "available", message)?
                    .into_iter()
                    .map(|draft| draft.attr("recorder", text::clip(&base, 64)))
                    .collect()
            }
            ["events" | "reviews" | "tracked_object_update" | "triggers"] => {
                let told = objects::Told::of(message.json()?);
                told.map(|told| told.drafts()).unwrap_or_default()
            }
            // switches and what they stand at (`front_door/detect/set`); all sounds together, levels and what was said, which tell
            // nothing that a single sound does not
            [.., "set" | "state"] | [_, "audio", "all" | "dBFS" | "rms" | "transcription"] => {
                Vec::new()
            }
            [camera, "motion"] => is_on(message)?
                .map(|is_on| motion(camera, is_on))
                .into_iter()
                .collect(),
            [camera, "audio", sound] => is_on(message)?
                .map(|is_on| audio(camera, sound, is_on))
                .into_iter()
                .collect(),
            [camera, "status", role] => {
                let property = format!("status:{role}");
                availability(camera, DeviceClass::Camera, &property, message)?
                    .into_iter()
                    .map(|draft| draft.attr("role", *role))
                    .collect()
            }
            [camera, "classification", model] => classified(camera, model, message.text()?),
            // whose topic its configuration names
            [_] => message
                .json()
                .ok()
                .and_then(|value| recognised_beside(message, value))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        Ok(drafts.into())
    }

    fn pictures<'a>(&self, message: &Message<'a>, recall: &dyn Recall) -> Vec<Picture<'a>> {
        let levels = message.levels();
        let rest = base_of(message, recall).and_then(|base| levels.get(base..));
        let Some([camera, label, "snapshot"]) = rest else {
            return picture::inside(message);
        };
        vec![Picture {
            bytes: Cow::Borrowed(message.payload),
            shows: shown_with(label),
            word: Some(word(camera, label)),
        }]
    }

    fn names(&self, drafts: &[Draft]) -> Vec<Word> {
        let objects = drafts
            .iter()
            .filter(|draft| matches!(draft.kind, Kind::CameraObject | Kind::CameraVisualFire))
            .filter(|draft| draft.phase != Phase::Cleared);
        let label = |draft: &Draft| Some(word(&draft.address, draft.attrs.get("label")?.as_str()?));
        objects.filter_map(label).collect()
    }

    fn may_alarm(&self, topic: &str) -> bool {
        let last = topic.rsplit('/').next().unwrap_or_default();
        !matches!(
            last,
            "stats"
                | "camera_activity"
                | "snapshot"
                | "active"
                | "set"
                | "state"
                | "dBFS"
                | "rms"
                | "transcription"
        )
    }
}

/// What ties a snapshot to the objects of that name in front of that camera.
fn word(camera: &str, label: &str) -> Word {
    Word {
        address: camera.to_owned(),
        word: text::clip(label, picture::WORD_CHARS_MAX),
        within: SNAPSHOT_WITHIN,
    }
}

/// What the snapshot of an object shows: a car's its number plate.
fn shown_with(label: &str) -> Shows {
    match label {
        "face" => Shows::Face,
        "license_plate" | "car" | "truck" | "bus" | "motorcycle" => Shows::Plate,
        _ => Shows::Scene,
    }
}

/// How many levels of the topic are the base topic: `frigate`, `frigate-2`, `site/frigate`, and what was learnt.
fn base_of(message: &Message<'_>, recall: &dyn Recall) -> Option<usize> {
    let levels = message.levels();
    let first = levels.first()?;
    if first
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("frigate"))
    {
        return Some(1);
    }
    let is_discovery = *first == "homeassistant";
    if !is_discovery && levels.get(1) == Some(&"frigate") {
        return Some(2);
    }
    (1..levels.len().min(BASE_LEVELS_MAX + 1)).find(|count| {
        let base = levels.get(..*count).unwrap_or_default().join("/");
        recall.recall(&format!("{LEARNT}{base}")).is_some()
    })
}

/// The base topic of a message that was known by its shape.
fn base_to_learn(levels: &[&str]) -> Option<(String, Option<String>)> {
    match levels {
        [base @ .., "events" | "reviews" | "tracked_object_update"]
            if (1..=BASE_LEVELS_MAX).contains(&base.len()) =>
        {
            Some((format!("{LEARNT}{}", base.join("/")), Some("1".to_owned())))
        }
        _ => None,
    }
}

/// A plate that a recogniser beside the recorder has read of one of its cars (`ljmerza/frigate_plate_recognizer`).
fn recognised_beside(message: &Message<'_>, value: &Value) -> Option<Draft> {
    let word = |name: &str| value.get(name).and_then(text::word);
    let (track, plate) = (word("frigate_event_id")?, word("plate_number")?);
    let camera = text::clip(&word("camera_name")?, 64);
    let at = word("start_time").and_then(|at| DeviceTime::text(&at, message.zone));
    let score = value.get("score").and_then(text::number);
    let draft = Draft::new(
        camera,
        DeviceClass::Camera,
        Kind::VehiclePlateRead,
        Phase::Instant,
    );
    let draft = draft
        .at(at)
        .id(text::clip(&format!("{track}/{plate}"), 200))
        .plate(&plate)
        .attr("confidence", score.filter(|n| (0.0..=1.0).contains(n)))
        .attr("track_id", text::clip(&track, 100));
    Some(draft)
}

/// ON or OFF; nothing where it is another word.
fn is_on(message: &Message<'_>) -> Result<Option<bool>, Reject> {
    let word = message.text()?;
    Ok(text::boolean(&word.into()))
}

/// Whether the recorder or the stream of a camera is there; a camera that was switched off is neither there nor lost.
fn availability(
    address: &str,
    class: DeviceClass,
    property: &str,
    message: &Message<'_>,
) -> Result<Vec<Draft>, Reject> {
    let word = message.text()?.to_ascii_lowercase();
    let (kind, phase) = match word.as_str() {
        "online" => (Kind::DeviceOnline, Phase::Updated),
        "offline" | "stopped" => (Kind::DeviceOffline, Phase::Raised),
        _ => return Ok(Vec::new()),
    };
    let draft = Draft::new(address, class, kind, phase).edge(property, &word);
    Ok(vec![draft.attr("state", word)])
}

fn motion(camera: &str, is_on: bool) -> Draft {
    Draft::condition(
        camera,
        DeviceClass::Camera,
        Kind::CameraMotion,
        "motion",
        is_on,
    )
}

/// A sound. A detector that a camera hears is a fire, and the camera stays a camera: it is no second detector.
fn audio(camera: &str, sound: &str, is_on: bool) -> Draft {
    let detector = detector_of(sound);
    let kind = detector.unwrap_or(Kind::CameraAudio);
    let property = format!("audio:{sound}");
    let draft = Draft::condition(camera, DeviceClass::Camera, kind, &property, is_on);
    draft
        .attr("label", sound)
        .attr("sensor", detector.map(|_| "sound of an alarm"))
}

/// What has rung, by the name of its sound.
fn detector_of(sound: &str) -> Option<Kind> {
    match sound {
        "fire_alarm" => Some(Kind::FireDetector),
        "smoke_detector" => Some(Kind::FireSmoke),
        _ => None,
    }
}

/// What a model for states sees (`open`, `closed`): a reading, told when it changes.
fn classified(camera: &str, model: &str, state: &str) -> Vec<Draft> {
    if state.is_empty() {
        return Vec::new();
    }
    let draft = Draft::new(
        camera,
        DeviceClass::Camera,
        Kind::DeviceTelemetry,
        Phase::Instant,
    );
    vec![
        draft
            .edge(&format!("classification:{model}"), state)
            .attr("model", model)
            .attr("state", text::clip(state, 100)),
    ]
}
