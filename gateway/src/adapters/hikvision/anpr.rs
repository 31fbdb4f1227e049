//! `ANPR`: a plate reader's notification.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::super::draft::Draft;
use super::super::text;
use super::Alert;

/// A car was read. `direction` is told against the camera (`forward` comes nearer), so whether that is in or out only the place knows.
pub(super) fn read(alert: &Alert<'_>, anpr: &Value) -> Draft {
    let word = |path: &str| text::at(anpr, path).and_then(text::word);
    let known = |path: &str| {
        word(path).filter(|word| !word.eq_ignore_ascii_case("unknown") && word.len() <= 64)
    };
    let plate = word("licensePlate")
        .or_else(|| word("originalLicensePlate"))
        .unwrap_or_default();
    let confidence = text::at(anpr, "confidenceLevel")
        .or_else(|| text::at(anpr, "confidence"))
        .and_then(text::number)
        .filter(|level| (0.0..=100.0).contains(level));
    let mut vehicle = Map::new();
    for (name, path) in [("type", "vehicleType"), ("color", "vehicleInfo.color")] {
        if let Some(value) = known(path) {
            vehicle.insert(name.to_owned(), value.into());
        }
    }
    let list = word("vehicleListName").map(|list| {
        let list = list.to_ascii_lowercase();
        if list.contains("allow") || list.contains("white") {
            "allow"
        } else if list.contains("block") || list.contains("black") {
            "block"
        } else {
            "other"
        }
    });
    let draft = alert
        .draft(DeviceClass::Barrier, Kind::VehiclePlateRead, Phase::Instant)
        .plate(&plate)
        .attr(
            "plate_color",
            color(&word("plateColor").unwrap_or_default()),
        )
        .attr("confidence", confidence.map(|level| level / 100.0))
        .attr("direction", "unknown")
        .attr("heading", known("direction"))
        .attr("lane", text::at(anpr, "line").and_then(text::integer))
        .attr("list", list)
        .attr("trigger", alert.word("ANPR.triggerType"))
        .attr("pictures", alert.find("picNum").and_then(text::integer));
    let draft = if vehicle.is_empty() {
        draft
    } else {
        draft.attr("vehicle", Value::Object(vehicle))
    };
    match alert.word("UUID").or_else(|| alert.word("ANPR.UUID")) {
        Some(id) => draft.id(id),
        None => draft,
    }
}

fn color(word: &str) -> &'static str {
    match word.to_ascii_lowercase().as_str() {
        "blue" => "blue",
        "yellow" => "yellow",
        "white" => "white",
        "black" => "black",
        "green" | "newenergygreen" | "civilaviationgreen" => "green",
        "yellowgreen" | "newenergyyellowgreen" => "yellow_green",
        _ => "unknown",
    }
}
