//! Plate Recognizer: `Stream` (a camera's readings, posted as `{hook, data}` in a form field `json` or as the whole body) and `Snapshot` (what
//! one picture holds: `{results, filename, timestamp}`).
//!
//! Layout: guides.platerecognizer.com/docs/stream/results, parkpow/deep-license-plate-recognition. Scores are 0 to 1, times UTC.

use std::borrow::Cow;

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, multipart, text};

/// The format.
pub struct PlateRecognizer;

/// Most cars in one picture.
const RESULTS_MAX: usize = 100;

impl Format for PlateRecognizer {
    fn name(&self) -> &'static str {
        "plate-recognizer"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if !message.protocol().is_empty() || !may_be_ours(message) {
            return Claim::No;
        }
        match body(message) {
            Ok(value) if is_ours(&value) => Claim::Shape,
            // a form of ours whose JSON is broken
            Err(_) if !message.payload.trim_ascii_start().starts_with(b"{") => {
                let head = message.payload.get(..message.payload.len().min(1024));
                match multipart::position(head.unwrap_or_default(), b"hook") {
                    Some(_) => Claim::Shape,
                    None => Claim::No,
                }
            }
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let value = body(message)?;
        let data = text::at(&value, "data").unwrap_or(&value);
        let word = |path: &str| text::at(data, path).and_then(text::word);
        let camera = word("camera_id").unwrap_or_default();
        let time = |path: &str, zone| DeviceTime::text(&word(path)?, zone);
        // UTC, with or without a zone
        let at =
            time("timestamp", &TimeZone::UTC).or_else(|| time("timestamp_local", message.zone));
        let picture = word("filename");
        let results = data.get("results").and_then(Value::as_array);
        let drafts = results
            .into_iter()
            .flatten()
            .take(RESULTS_MAX)
            .filter_map(|result| {
                let draft = read(result, &camera)?.at(at.clone());
                // a picture of a camera's stream has a name of its own, that of an upload has not
                Some(match (&picture, camera.as_str()) {
                    (Some(picture), camera) if !camera.is_empty() => {
                        let plate = draft.attrs.get("plate").cloned().unwrap_or_default();
                        let key = format!("{picture}:{}", plate.as_str().unwrap_or_default());
                        draft.id(key)
                    }
                    _ => draft,
                })
            });
        Ok(drafts.collect::<Vec<_>>().into())
    }
}

/// A cheap look before a form is taken apart.
fn may_be_ours(message: &Message<'_>) -> bool {
    match message.payload.trim_ascii_start().first() {
        Some(b'{') => true,
        Some(b'-') => multipart::position(message.payload, b"name=\"json\"").is_some(),
        Some(b'j') => message.payload.starts_with(b"json="),
        _ => false,
    }
}

fn is_ours(value: &Value) -> bool {
    let has_results = |value: &Value| value.get("results").is_some_and(Value::is_array);
    if value
        .get("hook")
        .is_some_and(|hook| hook.get("event").is_some())
    {
        return value.get("data").is_some();
    }
    let first = value
        .get("results")
        .and_then(Value::as_array)
        .and_then(|list| list.first());
    has_results(value)
        && value.get("data_type").is_none()
        && (value.get("filename").is_some() || value.get("camera_id").is_some())
        && first.is_none_or(|first| {
            first.get("plate").is_some()
                && (first.get("score").is_some() || first.get("dscore").is_some())
        })
}

/// The JSON: the body itself, or the field `json` of a form.
fn body<'m>(message: &'m Message<'_>) -> Result<Cow<'m, Value>, Reject> {
    let bytes = message.payload.trim_ascii();
    match bytes.first() {
        Some(b'-') => {
            let parts = multipart::parts(bytes, message.content_type).unwrap_or_default();
            let part = parts
                .iter()
                .find(|part| part.content.trim_ascii().starts_with(b"{"))
                .ok_or_else(|| Reject::new("bad_multipart", "no part of the form is JSON"))?;
            text::json(part.content.trim_ascii()).map(Cow::Owned)
        }
        Some(b'j') if bytes.len() <= text::JSON_BYTES_MAX => {
            let form = message.text()?;
            let field = text::form_pairs(form).find(|(key, _)| key == "json");
            let (_, json) =
                field.ok_or_else(|| Reject::new("bad_form", "the form has no field `json`"))?;
            text::json(json.as_bytes()).map(Cow::Owned)
        }
        _ => message.json().map(Cow::Borrowed),
    }
}

/// One car. Newer payloads hold `{plate: {props, score}}` in place of a text.
fn read(result: &Value, camera: &str) -> Option<Draft> {
    let plate = match result.get("plate")? {
        Value::String(plate) => plate.clone(),
        plate => text::at(plate, "props.plate.0.value")
            .or_else(|| {
                plate
                    .get("props")?
                    .get("plate")?
                    .as_array()?
                    .first()?
                    .get("value")
            })
            .and_then(text::word)?,
    };
    let number = |path: &str| text::at(result, path).and_then(text::number);
    let word = |path: &str| {
        text::at(result, path)
            .and_then(text::word)
            .map(|word| text::clip(&word, 40))
    };
    let mut vehicle = Map::new();
    if let Some(kind) = word("vehicle.type") {
        vehicle.insert("type".to_owned(), kind.into());
    }
    let best = |list: &str, name: &str| {
        let first = text::at(result, list)?.as_array()?.first()?;
        text::word(first.get(name)?).map(|word| text::clip(&word, 40))
    };
    // newer payloads hold what was seen of the vehicle beside its type
    let color = best("color", "color").or_else(|| best("vehicle.props.color", "value"));
    if let Some(color) = color {
        vehicle.insert("color".to_owned(), color.into());
    }
    let brand = best("model_make", "make").or_else(|| best("vehicle.props.make_model", "make"));
    if let Some(brand) = brand {
        vehicle.insert("brand".to_owned(), brand.into());
    }
    let confidence = number("score")
        .or_else(|| number("plate.score"))
        .filter(|score| (0.0..=1.0).contains(score));
    let draft = Draft::new(
        camera,
        DeviceClass::Camera,
        Kind::VehiclePlateRead,
        Phase::Instant,
    )
    .plate(&plate)
    .attr("confidence", confidence)
    .attr(
        "plate_region",
        word("region.code").or_else(|| best("plate.props.region", "value")),
    )
    // degrees in the picture; whether that is in or out only the place knows
    .attr("heading_deg", number("direction"));
    if vehicle.is_empty() {
        return Some(draft);
    }
    Some(draft.attr("vehicle", Value::Object(vehicle)))
}
