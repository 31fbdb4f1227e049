//! The JSON messages of Frigate: tracked objects, reviews, what was recognised on an object, triggers, records of the HTTP interface.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use crate::adapters::clock::DeviceTime;
use crate::adapters::draft::Draft;
use crate::adapters::text;

/// Most names of a list and records of an answer that are kept.
const LIST_MAX: usize = 100;

/// What a JSON message tells, known by its members alone.
pub(super) enum Told<'a> {
    /// `events`: an object that came, changed, went.
    Object(&'a str, Option<&'a Value>, &'a Value),
    /// `reviews`: what belongs together, with its severity.
    Review(&'a str, &'a Value),
    /// `tracked_object_update`: what was recognised.
    Recognised(&'a str, &'a Value),
    /// `triggers`: an object that looks like what somebody described.
    Trigger(&'a Value),
    /// Records of `/api/events`.
    Records(&'a [Value]),
}

impl<'a> Told<'a> {
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        if let Value::Array(records) = value {
            return records
                .first()
                .is_some_and(is_record)
                .then_some(Self::Records(records));
        }
        let what = value.get("type").and_then(Value::as_str);
        match what {
            Some(_)
                if ["name", "camera", "event_id", "score"]
                    .iter()
                    .all(|m| value.get(m).is_some()) =>
            {
                Some(Self::Trigger(value))
            }
            Some(what @ ("new" | "update" | "end")) => {
                let after = text::at(value, "after").or_else(|| text::at(value, "before"))?;
                text::at(after, "camera")?.as_str()?;
                text::at(after, "id")?.as_str()?;
                if text::at(after, "severity").is_some() {
                    return Some(Self::Review(what, after));
                }
                text::at(after, "label")?.as_str()?;
                Some(Self::Object(what, text::at(value, "before"), after))
            }
            Some(what @ ("face" | "lpr" | "classification" | "description")) => {
                text::at(value, "id")?.as_str()?;
                let member = match what {
                    "face" => "name",
                    "lpr" => "plate",
                    "classification" => "model",
                    _ => "description",
                };
                value.get(member)?;
                let is_whole = what == "description" || text::at(value, "camera").is_some();
                is_whole.then_some(Self::Recognised(what, value))
            }
            _ => is_record(value).then(|| Self::Records(std::slice::from_ref(value))),
        }
    }

    pub(super) fn drafts(&self) -> Vec<Draft> {
        match self {
            Self::Object(what, before, after) => object(what, *before, after).into_iter().collect(),
            Self::Review(what, after) => vec![review(what, after)],
            Self::Recognised(what, value) => recognised(what, value).into_iter().collect(),
            Self::Trigger(value) => vec![trigger(value)],
            Self::Records(records) => records
                .iter()
                .take(LIST_MAX)
                .filter(|record| is_record(record))
                .map(record)
                .collect(),
        }
    }
}

fn is_record(value: &Value) -> bool {
    ["id", "camera", "label", "start_time"]
        .iter()
        .all(|member| value.get(member).is_some())
        && ["has_clip", "has_snapshot", "top_score", "data"]
            .iter()
            .any(|member| value.get(member).is_some())
}

fn phase_of(what: &str) -> Phase {
    match what {
        "new" => Phase::Raised,
        "end" => Phase::Cleared,
        _ => Phase::Updated,
    }
}

fn word<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn time(value: &Value, members: &[&str]) -> Option<DeviceTime> {
    DeviceTime::epoch_any(text::number(text::first(value, members)?)?)
}

/// Names of a list, clipped.
fn names(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(LIST_MAX)
        .map(|name| text::clip(name, 100))
        .collect()
}

/// Where it is now; when it is gone, where it was.
fn zones(value: &Value) -> Vec<String> {
    let now = names(text::first(value, &["current_zones", "zones"]));
    if now.is_empty() {
        names(value.get("entered_zones"))
    } else {
        now
    }
}

/// `null`, `"Bob"` or `["Bob", 0.79]`.
fn sub_label(value: &Value) -> Option<&str> {
    match text::at(value, "sub_label")? {
        Value::String(name) => Some(name.as_str()),
        Value::Array(pair) => pair.first()?.as_str(),
        _ => None,
    }
}

/// `"AB123"` or `["AB123", 0.93]`.
fn plate(value: &Value) -> Option<&str> {
    match text::first(
        value,
        &["recognized_license_plate", "data.recognized_license_plate"],
    )? {
        Value::String(plate) => Some(plate.as_str()),
        Value::Array(pair) => pair.first()?.as_str(),
        _ => None,
    }
}

/// An object of `events`. What only looks better than before (a higher score, a new snapshot) is no news, nor is what may be nothing.
fn object(what: &str, before: Option<&Value>, after: &Value) -> Option<Draft> {
    if text::at(after, "false_positive").and_then(text::boolean) == Some(true) {
        return None;
    }
    if what == "update" && before.is_some_and(|before| is_same(before, after)) {
        return None;
    }
    let id = word(after, "id");
    let (id, at) = match what {
        "update" => (
            format!("{id}@{}", after.get("frame_time").unwrap_or(&Value::Null)),
            time(after, &["frame_time"]),
        ),
        "end" => (id.to_owned(), time(after, &["end_time", "frame_time"])),
        _ => (id.to_owned(), time(after, &["start_time", "frame_time"])),
    };
    Some(tracked(after, phase_of(what)).id(id).at(at))
}

/// Whether a change of an object is one of its looks only.
fn is_same(before: &Value, after: &Value) -> bool {
    let members = [
        "label",
        "stationary",
        "current_zones",
        "entered_zones",
        "false_positive",
    ];
    members.iter().all(|m| before.get(m) == after.get(m))
        && sub_label(before) == sub_label(after)
        && plate(before) == plate(after)
}

fn tracked(value: &Value, phase: Phase) -> Draft {
    let score = text::first(
        value,
        &["score", "data.score", "top_score", "data.top_score"],
    );
    let plate = plate(value).map(crate::adapters::plate::normalise);
    let kind = match word(value, "label") {
        "fire" | "smoke" => Kind::CameraVisualFire,
        // sounds are events, too
        label => super::detector_of(label).unwrap_or(Kind::CameraObject),
    };
    Draft::new(word(value, "camera"), DeviceClass::Camera, kind, phase)
        .attr("label", text::clip(word(value, "label"), 100))
        .attr(
            "sub_label",
            sub_label(value).map(|name| text::clip(name, 100)),
        )
        .attr("track_id", word(value, "id"))
        .attr("zones", zones(value))
        .attr("confidence", score.and_then(text::number))
        .attr(
            "stationary",
            value.get("stationary").and_then(Value::as_bool),
        )
        .attr("plate", plate)
        // in pixels, corners
        .attr("box", numbers(value.get("box")))
        // in parts of the picture, corner and size
        .attr("bbox", numbers(text::at(value, "data.box")))
}

/// Four numbers, or nothing.
fn numbers(value: Option<&Value>) -> Value {
    match value.and_then(Value::as_array) {
        Some(list) if list.len() == 4 && list.iter().all(Value::is_number) => list.clone().into(),
        _ => Value::Null,
    }
}

/// A review gathers objects; it has an episode of its own beside theirs. One of sounds alone is a sound.
fn review(what: &str, after: &Value) -> Draft {
    let objects = names(text::at(after, "data.objects"));
    let sounds = names(text::at(after, "data.audio"));
    let zones = names(text::at(after, "data.zones"));
    let sub_labels = names(text::at(after, "data.sub_labels"));
    let severity = word(after, "severity");
    let kind = if objects.is_empty() && !sounds.is_empty() {
        Kind::CameraAudio
    } else {
        Kind::CameraObject
    };
    let id = word(after, "id");
    let told = match what {
        "update" => format!("{id}/{severity}/{objects:?}{sub_labels:?}{zones:?}{sounds:?}"),
        _ => id.to_owned(),
    };
    let at = match what {
        "new" => time(after, &["start_time"]),
        "end" => time(after, &["end_time"]),
        // it says not when
        _ => None,
    };
    Draft::new(
        word(after, "camera"),
        DeviceClass::Camera,
        kind,
        phase_of(what),
    )
    .component("review")
    .id(told)
    .at(at)
    .attr("severity", severity)
    .attr("review_id", id)
    .attr("label", objects.first().or(sounds.first()).cloned())
    .attr("objects", objects)
    .attr("sub_labels", sub_labels)
    .attr("zones", zones)
    .attr("sounds", sounds)
    .attr("track_ids", names(text::at(after, "data.detections")))
}

/// The same face or plate on the same object is one fact, however often it is read.
fn recognised(what: &str, value: &Value) -> Option<Draft> {
    let camera = word(value, "camera");
    let track = word(value, "id");
    let name = word(value, "name");
    let new = |kind, phase| {
        Draft::new(camera, DeviceClass::Camera, kind, phase)
            .at(time(value, &["timestamp"]))
            .attr("track_id", track)
            .attr(
                "confidence",
                text::at(value, "score").and_then(text::number),
            )
    };
    match what {
        "face" => Some(
            new(Kind::CameraFace, Phase::Instant)
                .id(format!("{track}/{name}"))
                .attr(
                    "person_name",
                    text::somebody(name).map(|name| text::clip(name, 100)),
                ),
        ),
        "lpr" => {
            let plate = word(value, "plate");
            Some(
                new(Kind::VehiclePlateRead, Phase::Instant)
                    .id(format!("{track}/{plate}"))
                    .plate(plate)
                    // what the recorder's own list calls it
                    .attr("sub_label", text::clip(name, 100)),
            )
        }
        "classification" => {
            let found = text::first(value, &["sub_label", "attribute"]).and_then(text::word)?;
            Some(
                new(Kind::CameraObject, Phase::Updated)
                    .id(format!("{track}/{}/{found}", word(value, "model")))
                    .attr("model", word(value, "model"))
                    .attr(
                        "sub_label",
                        sub_label(value).map(|name| text::clip(name, 100)),
                    )
                    .attr("attribute", text::clip(word(value, "attribute"), 100)),
            )
        }
        // words about an object that does not say where it is: nothing to hang them on
        _ if camera.is_empty() => None,
        _ => Some(
            new(Kind::CameraObject, Phase::Updated)
                .id(format!("{track}/description"))
                .attr("description", text::clip(word(value, "description"), 1000)),
        ),
    }
}

fn trigger(value: &Value) -> Draft {
    let name = word(value, "name");
    let track = word(value, "event_id");
    Draft::new(
        word(value, "camera"),
        DeviceClass::Camera,
        Kind::CameraObject,
        Phase::Instant,
    )
    .id(format!("{track}/{name}"))
    .attr("trigger", text::clip(name, 100))
    .attr("track_id", track)
    .attr(
        "confidence",
        text::at(value, "score").and_then(text::number),
    )
}

/// A record that was asked for later: over already, or still going on.
fn record(value: &Value) -> Draft {
    let phase = match text::at(value, "end_time") {
        Some(_) => Phase::Instant,
        None => Phase::Raised,
    };
    tracked(value, phase)
        .id(word(value, "id"))
        .at(time(value, &["start_time"]))
}
