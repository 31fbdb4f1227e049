//! `ANPR`: a plate reader's notification.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::super::draft::Draft;
use super::super::text;
use super::Alert;

/// What is told of the car, and where: in the reading itself, or beside it.
const VEHICLE: &[(&str, &[&str])] = &[
    ("type", &["vehicleType", "vehicleInfo.vehicleType"]),
    ("color", &["vehicleInfo.color", "vehicleColor"]),
    ("brand", &["vehicleInfo.brand", "vehicleLogo"]),
];

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
    // a share where it has a fraction below one, else per cent
    let confidence = confidence.map(|level| match level {
        share if share < 1.0 => share,
        level => level / 100.0,
    });
    let mut vehicle = Map::new();
    for (name, paths) in VEHICLE {
        let about = |path: &&str| {
            let beside = || alert.word(path).filter(|_| path.contains('.'));
            known(path).or_else(beside)
        };
        if let Some(value) = paths.iter().find_map(about) {
            vehicle.insert((*name).to_owned(), text::clip(&value, 64).into());
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
        .attr("confidence", confidence)
        .attr("direction", "unknown")
        .attr("heading", known("direction"))
        .attr(
            "lane",
            ["line", "laneNo"]
                .iter()
                .find_map(|name| text::integer(text::at(anpr, name)?)),
        )
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
