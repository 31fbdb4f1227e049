//! `TrafficJunction` and its siblings: a car was read.

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::super::draft::Draft;
use super::super::{plate, text};
use super::{Action, Event};

/// Reads an event that carries a car; none where it is no such event.
///
/// Where the plate stands differs from model to model: in the object, the car, beside them, or in the picture of an ITSAPI push.
pub(super) fn read(event: &Event, zone: &TimeZone) -> Option<Vec<Draft>> {
    let is_car = event.code.starts_with("Traffic")
        && ["TrafficCar", "Plate", "Picture", "PlateNumber"]
            .iter()
            .any(|name| event.data.contains_key(*name));
    let is_plate = event.code.starts_with("Traffic")
        && event.word("Object.ObjectType").as_deref() == Some("Plate");
    if !is_car && !is_plate {
        return None;
    }
    let word = |paths: &[&str]| {
        paths
            .iter()
            .find_map(|path| event.word(path).filter(|word| !word.is_empty()))
    };
    let object = event
        .word("Object.Text")
        .filter(|_| event.word("Object.ObjectType").as_deref() == Some("Plate"));
    let plate = object.or_else(|| {
        word(&[
            "TrafficCar.PlateNumber",
            "Plate.Text",
            "Plate.PlateNumber",
            "Plate.PlateNo",
            "Picture.Plate.PlateNumber",
            "PlateNumber",
            "PlateText",
            "PlateInfo.FrontPlateNumber",
        ])
    });
    // some firmware tells the plate with the stop only; a stop without one tells nothing
    if event.action == Action::Stop && plate.as_deref().is_none_or(plate::is_none) {
        return Some(Vec::new());
    }
    let is_listed = |path: &str| event.at(path).and_then(text::boolean) == Some(true);
    let is_user = |name: &str| event.snap(name).and_then(text::boolean) == Some(true);
    let list = if is_listed("TrafficCar.BlackList.Enable") || is_user("BlockUser") {
        Some("block")
    } else if is_listed("TrafficCar.WhiteList.Enable") || is_user("AllowUser") {
        Some("allow")
    } else {
        None
    };
    let confidence = [
        "Object.Confidence",
        "Plate.Confidence",
        "TrafficCar.Confidence",
        "Picture.Plate.Confidence",
    ]
    .iter()
    .find_map(|path| event.at(path).and_then(text::number))
    .filter(|level| *level > 0.0 && *level <= 255.0)
    .map(|level| level / if level > 100.0 { 255.0 } else { 100.0 });
    let color = word(&[
        "TrafficCar.PlateColor",
        "Plate.PlateColor",
        "Picture.Plate.PlateColor",
        "PlateColor",
    ]);
    let lane = ["TrafficCar.Lane", "Lane"]
        .iter()
        .find_map(|path| event.integer(path))
        .or_else(|| event.snap("LanNo").and_then(text::integer))
        .filter(|lane| *lane >= 0);
    // `Approach` and `Leave` say what the car did, `Obverse` and `Head` which end of it was seen; numbers say nothing
    let heading = [
        "TrafficCar.DrivingDirection",
        "Direction",
        "TrafficCar.Direction",
        "SnapInfo.Direction",
        "Picture.SnapInfo.Direction",
        "TrafficCar.JunctionDirection",
        "JunctionDirection",
        "TrafficCar.VehicleDirection",
        "VehicleDirection",
    ]
    .iter()
    .find_map(|path| {
        let told = event.at(path)?;
        let first = match told {
            Value::Array(list) => list.iter().take(4).find_map(heading_word),
            told => heading_word(told),
        };
        first.map(|word| text::clip(&word.to_ascii_lowercase(), 40))
    });
    let mut vehicle = Map::new();
    let sources: [(&str, &[&str]); 3] = [
        (
            "type",
            &[
                "TrafficCar.VehicleType",
                "Vehicle.Category",
                "Picture.Vehicle.VehicleType",
                "VehicleType",
            ],
        ),
        (
            "color",
            &[
                "TrafficCar.VehicleColor",
                "Vehicle.VehicleColor",
                "Vehicle.MainColor",
                "Picture.Vehicle.VehicleColor",
                "VehicleColor",
            ],
        ),
        (
            "brand",
            &[
                "TrafficCar.VehicleSign",
                "TrafficCar.Brand",
                "Vehicle.Brand",
                "Vehicle.Text",
            ],
        ),
    ];
    for (name, paths) in sources {
        if let Some(value) = word(paths).filter(|word| !word.eq_ignore_ascii_case("unknown")) {
            vehicle.insert(name.to_owned(), text::clip(&value, 40).into());
        }
    }
    let draft = event
        .draft(
            DeviceClass::Barrier,
            Kind::VehiclePlateRead,
            Phase::Instant,
            zone,
        )
        .plate(&plate.unwrap_or_default())
        .attr("plate_color", color.as_deref().map(plate_color))
        .attr("confidence", confidence)
        .attr("direction", "unknown")
        .attr("heading", heading)
        .attr("lane", lane)
        .attr("list", list)
        .attr("channel", event.index);
    let draft = if vehicle.is_empty() {
        draft
    } else {
        draft.attr("vehicle", Value::Object(vehicle))
    };
    // an event of a camera is counted; the counter begins anew with every start, hence the time beside it
    let id = event.integer("EventID").filter(|id| *id > 0);
    let group = event.integer("GroupID").unwrap_or_default();
    let draft = match (id, &draft.at) {
        (Some(id), Some(at)) => {
            let key = format!("{}:{id}:{group}:{}", event.code, at.raw);
            draft.id(key)
        }
        _ => draft,
    };
    Some(vec![draft])
}

fn heading_word(value: &Value) -> Option<&str> {
    value
        .as_str()
        .map(str::trim)
        .filter(|word| !word.is_empty() && word.parse::<f64>().is_err())
}

fn plate_color(word: &str) -> &'static str {
    match word.to_ascii_lowercase().replace([' ', '_'], "").as_str() {
        "blue" => "blue",
        "yellow" => "yellow",
        "white" => "white",
        "black" => "black",
        "green" | "shadowgreen" => "green",
        "yellowgreen" | "yellowbottomgreen" => "yellow_green",
        _ => "unknown",
    }
}
