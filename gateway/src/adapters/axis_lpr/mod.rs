//! AXIS License Plate Verifier and FF Group's reader on Axis cameras, as they post to a web hook.
//!
//! One car is told several times: `carState` `new` when it comes into sight, `update` while its plate is read better, `lost` when it has
//! gone. The plate of one car is one event: it is known again by the car's number. All numbers are texts. It comes as JSON, several
//! in a list where they were kept while the line was down, or in the part `event` of a form. Layout: captures in
//! parkpow/deep-license-plate-recognition `parkpow/axis-lpr`, sample data of CAMMRA AI, developer.axis.com "License Plate Verifier".

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
pub struct AxisLpr;

/// A car's number begins anew when the camera starts: within this many milliseconds it is the same car.
const SAME_CAR_MS: i64 = 3_600_000;
/// Most readings of one message.
const READINGS_MAX: usize = 200;

impl Format for AxisLpr {
    fn name(&self) -> &'static str {
        "axis-lpr"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let body = if message.payload.trim_ascii_start().starts_with(b"-") {
            let is_in_sight = message.protocol().is_empty()
                && multipart::position(message.payload, b"\"carState\"").is_some();
            if is_in_sight {
                body(message)
            } else {
                return Claim::No;
            }
        } else {
            message.json().map(Cow::Borrowed)
        };
        match body {
            Ok(value) if readings(&value).first().is_some_and(is_reading) => Claim::Shape,
            _ => Claim::No,
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let value = body(message)?;
        let readings = readings(&value).iter().filter(|value| is_reading(value));
        let drafts = readings
            .take(READINGS_MAX)
            .map(|value| read(value, message.zone));
        Ok(drafts.collect::<Vec<_>>().into())
    }
}

/// The JSON: the body itself, or the part of a form that is JSON.
fn body<'m>(message: &'m Message<'_>) -> Result<Cow<'m, Value>, Reject> {
    let bytes = message.payload.trim_ascii_start();
    if !bytes.starts_with(b"-") {
        return message.json().map(Cow::Borrowed);
    }
    let parts = multipart::parts(bytes, message.content_type).unwrap_or_default();
    let is_json = |content: &[u8]| content.starts_with(b"{") || content.starts_with(b"[");
    let part = parts
        .iter()
        .map(|part| part.content.trim_ascii())
        .find(|content| is_json(content))
        .ok_or_else(|| Reject::new("bad_multipart", "no part of the form is JSON"))?;
    text::json(part).map(Cow::Owned)
}

/// One reading, or several in a list.
fn readings(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

fn is_reading(value: &Value) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| value.get(*name).is_some());
    has(&["plateText", "plateUTF8", "plateASCII", "plateUnicode"])
        && has(&["carState", "carID", "camera_info", "carMoveDirection"])
}

/// A reading as the camera's own events bring it (`ALPV.AllPlates`), under slightly other names.
pub(super) fn of_items(items: &[(String, String)]) -> Option<Draft> {
    const NAMES: [(&str, &str); 4] = [
        ("text", "plateText"),
        ("country", "plateCountry"),
        ("listMode", "plateListMode"),
        ("roIID", "roiID"),
    ];
    let named = |name: &str| {
        let known = NAMES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        known.map_or(name, |(_, known)| known).to_owned()
    };
    let members = items
        .iter()
        .map(|(name, value)| (named(name), value.as_str().into()));
    let value = Value::Object(members.collect());
    is_reading(&value).then(|| read(&value, &TimeZone::UTC))
}

fn read(value: &Value, zone: &TimeZone) -> Draft {
    let word = |path: &str| text::at(value, path).and_then(text::word);
    let short = |path: &str| word(path).map(|word| text::clip(&word, 64));
    let plate = ["plateUnicode", "plateUTF8", "plateText", "plateASCII"]
        .iter()
        .find_map(|name| word(name))
        .unwrap_or_default();
    let device = ["SerialNumber", "MACAddress", "IPAddress"]
        .iter()
        .find_map(|name| word(&format!("camera_info.{name}")))
        // what one sender of several is called, and what its camera is
        .or_else(|| word("cameraId"))
        .or_else(|| word("sensorProviderID"))
        .unwrap_or_default();
    let at = text::at(value, "capture_timestamp")
        .and_then(text::number)
        .and_then(DeviceTime::epoch_any)
        .or_else(|| {
            let nanos = text::at(value, "capture_ts").and_then(text::integer)?;
            DeviceTime::epoch_ms(nanos / 1_000_000)
        })
        .or_else(|| clock(&word("datetime")?, zone));
    let confidence = text::at(value, "plateConfidence")
        .and_then(text::number)
        .map(|level| if level > 1.0 { level / 100.0 } else { level })
        .filter(|level| (0.0..=1.0).contains(level));
    let direction = match word("carMoveDirection").as_deref() {
        Some("in") => "in",
        Some("out") => "out",
        _ => "unknown",
    };
    let list = word("plateListMode").or_else(|| word("plateList"));
    let list = list.filter(|list| !list.eq_ignore_ascii_case("none"));
    let list = list.map(|list| {
        let list = list.to_ascii_lowercase();
        if list.contains("block") || list.contains("black") || list.contains("deny") {
            "block"
        } else if list.contains("allow") || list.contains("white") {
            "allow"
        } else {
            "other"
        }
    });
    let mut vehicle = Map::new();
    for (name, paths) in [
        ("type", ["vehicle_info.type", "vehicleType"]),
        ("color", ["vehicle_info.color", "vehicleColor"]),
        ("brand", ["vehicle_info.brand", "vehicle_info.make"]),
    ] {
        if let Some(told) = paths.iter().find_map(|path| short(path)) {
            vehicle.insert(name.to_owned(), told.into());
        }
    }
    let draft = Draft::new(
        device,
        DeviceClass::Camera,
        Kind::VehiclePlateRead,
        Phase::Instant,
    )
    .plate(&plate)
    .attr("confidence", confidence)
    .attr("direction", direction)
    .attr("lane", text::at(value, "roiID").and_then(text::integer))
    .attr("list", list)
    .attr("plate_country", short("plateCountry"))
    .attr("plate_region", short("plateRegion"))
    .attr("car_state", short("carState"))
    .attr("track_id", short("carID"));
    let draft = if vehicle.is_empty() {
        draft
    } else {
        draft.attr("vehicle", Value::Object(vehicle))
    };
    let draft = match (word("carID"), &at) {
        (Some(car), Some(at)) => {
            let hour = at.at.as_millisecond() / SAME_CAR_MS;
            let plate = super::plate::normalise(&plate);
            draft.id(format!("{car}:{plate}:{hour}"))
        }
        _ => draft,
    };
    draft.at(at)
}

/// `20210611 130538252`, a wall clock with milliseconds, or a time as others write it.
fn clock(told: &str, zone: &TimeZone) -> Option<DeviceTime> {
    let digits: String = told.chars().filter(char::is_ascii_digit).collect();
    if told.len() == 18 && digits.len() == 17 {
        let time = DeviceTime::text(digits.get(..14)?, zone)?;
        return Some(DeviceTime {
            raw: told.to_owned(),
            ..time
        });
    }
    DeviceTime::text(told, zone)
}
