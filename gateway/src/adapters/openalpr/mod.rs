//! `OpenALPR` and Rekor Scout: what the agent reads, posted as JSON with a `data_type`.
//!
//! `alpr_group` is one car over the pictures that it was seen in, `alpr_results` the plates of one picture, `alpr_alert` a plate on a watch
//! list, `heartbeat` the state of the agent and its video streams. Layout: doc.openalpr.com "JSON results", docs.rekor.ai/scout.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct Openalpr;

/// Most plates or streams of one message.
const LIST_MAX: usize = 100;

impl Format for Openalpr {
    fn name(&self) -> &'static str {
        "openalpr"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let Some(object) = message.object() else {
            return Claim::No;
        };
        let of = |object: &Map<String, Value>| {
            let kind = object.get("data_type").and_then(Value::as_str);
            kind.unwrap_or_default().to_owned()
        };
        let kind = match (of(object), object.get("group")) {
            (kind, Some(Value::Object(inner))) if kind.is_empty() => of(inner),
            (kind, _) => kind,
        };
        let kind = kind.as_str();
        let is_ours = kind.starts_with("alpr_")
            || matches!(kind, "heartbeat" | "vehicle")
            || (kind.is_empty() && is_of_the_tool(object));
        if is_ours { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let value = message.json()?;
        // a car that an alert would wrap, without the alert
        let value = match (text::at(value, "data_type"), text::at(value, "group")) {
            (None, Some(group)) => group,
            _ => value,
        };
        let kind = text::at(value, "data_type").and_then(text::word);
        let drafts = match kind.as_deref() {
            Some("alpr_group") => vec![group(value, Kind::VehiclePlateRead)],
            Some("alpr_results") => results(value),
            Some("alpr_alert") => vec![alert(value)],
            Some("heartbeat") => streams(value),
            None if value.as_object().is_some_and(is_of_the_tool) => results(value),
            _ => Vec::new(),
        };
        Ok(drafts.into())
    }

    fn may_alarm(&self, _topic: &str) -> bool {
        true
    }
}

/// What the tool `alpr -j` of older versions prints: the plates of a picture, without a `data_type`.
fn is_of_the_tool(object: &Map<String, Value>) -> bool {
    let has = |name: &str| object.contains_key(name);
    has("results") && has("epoch_time") && has("img_width") && has("processing_time_ms")
}

fn camera(value: &Value) -> String {
    ["camera_id", "camera_number", "camera_name"]
        .iter()
        .find_map(|name| text::word(value.get(*name)?))
        .unwrap_or_default()
}

fn percent(value: &Value, path: &str) -> Option<f64> {
    text::at(value, path)
        .and_then(text::number)
        .filter(|level| (0.0..=100.0).contains(level))
        .map(|level| (level * 100.0).round() / 10_000.0)
}

fn epoch(value: &Value, path: &str) -> Option<DeviceTime> {
    text::at(value, path)
        .and_then(text::number)
        .and_then(DeviceTime::epoch_any)
}

/// One car.
fn group(value: &Value, kind: Kind) -> Draft {
    let word = |path: &str| text::at(value, path).and_then(text::word);
    let plate = word("best_plate_number")
        .or_else(|| word("best_plate.plate"))
        .unwrap_or_default();
    let mut vehicle = Map::new();
    for (name, list) in [("color", "color"), ("brand", "make"), ("type", "body_type")] {
        let best = text::at(value, "vehicle")
            .and_then(|vehicle| vehicle.get(list)?.as_array()?.first()?.get("name"))
            .and_then(text::word);
        if let Some(best) = best {
            vehicle.insert(name.to_owned(), text::clip(&best, 40).into());
        }
    }
    let draft = Draft::new(camera(value), DeviceClass::Camera, kind, Phase::Instant)
        .at(epoch(value, "epoch_start"))
        .plate(&plate)
        .attr(
            "confidence",
            percent(value, "best_confidence").or_else(|| percent(value, "best_plate.confidence")),
        )
        .attr(
            "plate_region",
            word("best_region").or_else(|| word("best_plate.region")),
        )
        .attr("site", word("site_id").map(|site| text::clip(&site, 64)))
        // degrees in the picture; whether that is in or out only the place knows
        .attr(
            "heading_deg",
            text::at(value, "travel_direction").and_then(text::number),
        );
    let draft = if vehicle.is_empty() {
        draft
    } else {
        draft.attr("vehicle", Value::Object(vehicle))
    };
    match word("best_uuid") {
        Some(id) => draft.id(id),
        None => draft,
    }
}

/// The plates of one picture.
fn results(value: &Value) -> Vec<Draft> {
    let camera = camera(value);
    let at = epoch(value, "epoch_time");
    let uuid = text::at(value, "uuid").and_then(text::word);
    let list = value.get("results").and_then(Value::as_array);
    let results = list.into_iter().flatten().take(LIST_MAX);
    results
        .filter_map(|result| {
            let plate = text::word(result.get("plate")?)?;
            let draft = Draft::new(
                camera.clone(),
                DeviceClass::Camera,
                Kind::VehiclePlateRead,
                Phase::Instant,
            )
            .at(at.clone())
            .plate(&plate)
            .attr("confidence", percent(result, "confidence"))
            .attr(
                "plate_region",
                text::at(result, "region").and_then(text::word),
            );
            Some(match &uuid {
                Some(uuid) => draft.id(format!("{uuid}:{plate}")),
                None => draft,
            })
        })
        .collect()
}

/// A plate on a watch list. The car that it was read from comes as a group of its own, too.
fn alert(value: &Value) -> Draft {
    let word = |path: &str| {
        text::at(value, path)
            .and_then(text::word)
            .map(|word| text::clip(&word, 80))
    };
    let list = word("list_type").map(|kind| {
        let kind = kind.to_ascii_lowercase();
        if kind.contains("black") || kind.contains("block") {
            "block"
        } else {
            "other"
        }
    });
    let inner = text::at(value, "group").unwrap_or(value);
    let mut draft = group(inner, Kind::VehicleWatchlistHit);
    draft.address = Some(camera(value))
        .filter(|camera| !camera.is_empty())
        .unwrap_or(draft.address);
    let at = epoch(value, "epoch_time").or(draft.at.take());
    let draft = match word("plate_number") {
        Some(plate) => draft.plate(&plate),
        None => draft,
    };
    draft
        .at(at)
        .attr("list", list)
        .attr("list_name", word("alert_list"))
        .attr("description", word("description"))
}

/// The agent's streams: one that has stopped is a camera without a picture.
fn streams(value: &Value) -> Vec<Draft> {
    let at = epoch(value, "timestamp");
    let list = value.get("video_streams").and_then(Value::as_array);
    let streams = list.into_iter().flatten().take(LIST_MAX);
    streams
        .filter_map(|stream| {
            let is_streaming = stream.get("is_streaming").and_then(text::boolean)?;
            let camera = camera(stream);
            let draft = Draft::condition(
                camera,
                DeviceClass::Camera,
                Kind::CameraVideoLoss,
                "streaming",
                !is_streaming,
            );
            let name = stream.get("camera_name").and_then(text::word);
            Some(
                draft
                    .at(at.clone())
                    .attr("channel_name", name.map(|name| text::clip(&name, 64))),
            )
        })
        .collect()
}
