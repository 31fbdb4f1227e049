//! GA/T 1400 (视图库, VIID): what cameras and view libraries post of cars, faces and people, `POST /VIID/MotorVehicles` and the like.
//!
//! By GA/T 1400.3 and .4 (object and field names) and bodies of its implementations. Lists stand in `XxxListObject.XxxObject`, in
//! `XxxObjectList` of a subscription's notice, or alone; codes are texts or numbers; keys appear twice. Registration and keep-alive are no
//! events.

mod table;

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value, json};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// Most objects of one message.
const OBJECTS_MAX: usize = 1000;
/// How deep lists stand in each other.
const DEPTH_MAX: usize = 8;

/// GA/T 1400.
pub struct Gat1400;

impl Format for Gat1400 {
    fn name(&self) -> &'static str {
        "gat1400"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let is_path = message.path().to_ascii_uppercase().contains("/VIID/");
        if is_path && message.object().is_some() {
            return Claim::Address;
        }
        let is_own = message.object().is_some_and(|object| {
            object.keys().any(|name| {
                table::LISTS
                    .iter()
                    .any(|list| name.strip_suffix("ListObject") == Some(list))
            })
        });
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let mut teller = Teller {
            message,
            drafts: Vec::new(),
        };
        let value = message.json()?;
        teller.walk(value, 0);
        let reading = Reading::from(teller.drafts);
        let heartbeat = text::at(value, "KeepaliveObject.DeviceID").and_then(text::word);
        Ok(match heartbeat {
            Some(device) => reading.spoken_by(text::clip(&device, 64)),
            None => reading,
        })
    }
}

struct Teller<'a, 'm> {
    message: &'a Message<'m>,
    drafts: Vec<Draft>,
}

impl Teller<'_, '_> {
    /// Finds the objects in their lists, whatever these stand in.
    fn walk(&mut self, value: &Value, depth: usize) {
        if depth > DEPTH_MAX || self.drafts.len() >= OBJECTS_MAX {
            return;
        }
        match value {
            Value::Array(list) => {
                for one in list.iter().take(OBJECTS_MAX) {
                    self.walk(one, depth + 1);
                }
            }
            Value::Object(members) => {
                for (name, inner) in members {
                    match name.as_str() {
                        "DispositionNotificationObject" => self.each(inner, Self::disposition),
                        "MotorVehicleObject" => self.each(inner, Self::vehicle),
                        "NonMotorVehicleObject" => self.each(inner, Self::bicycle),
                        "FaceObject" => self.each(inner, Self::face),
                        "PersonObject" => self.each(inner, Self::person),
                        "APEObject" | "APEStatusObject" | "APSObject" | "APSStatusObject" => {
                            self.each(inner, |_, object| device(object));
                        }
                        // pictures, and whose object it is
                        "SubImageList" | "RelatedObject" => {}
                        _ => self.walk(inner, depth + 1),
                    }
                }
            }
            _ => {}
        }
    }

    /// One object, or a list of them.
    fn each(&mut self, value: &Value, tell: impl Fn(&Self, &Value) -> Option<Draft>) {
        let list = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let room = OBJECTS_MAX.saturating_sub(self.drafts.len());
        let told: Vec<Draft> = list
            .iter()
            .take(room)
            .filter_map(|one| tell(self, one))
            .collect();
        self.drafts.extend(told);
    }

    fn draft(&self, object: &Value, class: DeviceClass, kind: Kind) -> Option<Draft> {
        object.as_object()?;
        let names = ["DeviceID", "BehaviorAnalysisObject.DeviceID", "TollgateID"];
        let device = text::first(object, &names)
            .and_then(text::word)
            .unwrap_or_default();
        Some(
            Draft::new(text::clip(&device, 64), class, kind, Phase::Instant)
                .at(self.time(
                    object,
                    &[
                        "PassTime",
                        "ShotTime",
                        "AppearTime",
                        "FaceAppearTime",
                        "PersonAppearTime",
                        "MarkTime",
                        "TriggerTime",
                    ],
                ))
                .attr("channel", word(object, "TollgateID")),
        )
    }

    fn time(&self, object: &Value, names: &[&str]) -> Option<DeviceTime> {
        let read = |time: &Value| DeviceTime::text(&text::word(time)?, self.message.zone);
        let picture = || {
            let list = text::at(object, "SubImageList.SubImageInfoObject")?;
            list.get(0)?.get("ShotTime").and_then(read)
        };
        let own = names
            .iter()
            .find_map(|name| object.get(*name).and_then(read));
        own.or_else(picture)
    }

    fn vehicle(&self, object: &Value) -> Option<Draft> {
        let draft = self.draft(object, DeviceClass::Barrier, Kind::VehiclePlateRead)?;
        let draft = with_plate(draft, object);
        let draft = draft
            .attr("lane", object.get("LaneNo").and_then(text::integer))
            .attr(
                "speed_kmh",
                object
                    .get("Speed")
                    .and_then(text::number)
                    .filter(|n| *n > 0.0),
            )
            .attr(
                "heading",
                table::heading(code(object, "Direction").as_deref()),
            )
            // what car parks add to the standard's members
            .attr(
                "direction",
                word(object, "InOut")
                    .map(|way| way.to_ascii_lowercase())
                    .filter(|way| way == "in" || way == "out"),
            );
        let mut vehicle = Map::new();
        for (name, value) in [
            ("type", word(object, "VehicleClass")),
            (
                "color",
                code(object, "VehicleColor")
                    .and_then(|c| table::color(&c))
                    .map(str::to_owned),
            ),
            ("brand", word(object, "VehicleBrand")),
        ] {
            if let Some(value) = value {
                vehicle.insert(name.to_owned(), value.into());
            }
        }
        let draft = if vehicle.is_empty() {
            draft
        } else {
            draft.attr("vehicle", Value::Object(vehicle))
        };
        Some(with_id(draft, object, &["MotorVehicleID"]))
    }

    fn bicycle(&self, object: &Value) -> Option<Draft> {
        let draft = self.draft(object, DeviceClass::Camera, Kind::CameraObject)?;
        let draft = match word(object, "PlateNo") {
            Some(_) => with_plate(draft, object),
            None => draft,
        };
        Some(with_id(
            draft.attr("label", "bicycle"),
            object,
            &["NonMotorVehicleID"],
        ))
    }

    fn face(&self, object: &Value) -> Option<Draft> {
        let draft = self.draft(object, DeviceClass::Camera, Kind::CameraFace)?;
        Some(with_id(with_person(draft, object), object, &["FaceID"]))
    }

    fn person(&self, object: &Value) -> Option<Draft> {
        let draft = self.draft(object, DeviceClass::Camera, Kind::CameraObject)?;
        let draft = with_person(draft.attr("label", "person"), object);
        Some(with_id(draft, object, &["PersonID"]))
    }

    /// Somebody or something that is looked for was seen.
    fn disposition(&self, notice: &Value) -> Option<Draft> {
        let (vehicle, face) = (notice.get("MotorVehicleObject"), notice.get("FaceObject"));
        let bicycle = notice.get("NonMotorVehicleObject");
        let first = |value: &Value| match value {
            Value::Array(list) => list.first().cloned(),
            one => Some(one.clone()),
        };
        let inner = vehicle
            .or(bicycle)
            .or(face)
            .or(notice.get("PersonObject"))
            .and_then(first);
        let draft = match (&inner, vehicle.or(bicycle)) {
            (Some(object), Some(_)) => {
                let mut draft = match vehicle {
                    Some(_) => self.vehicle(object)?,
                    None => self.bicycle(object)?,
                };
                draft.kind = Kind::VehicleWatchlistHit;
                draft.class = DeviceClass::Camera;
                draft
            }
            (Some(object), None) => self.face(object)?,
            (None, _) => self
                .draft(notice, DeviceClass::Camera, Kind::CameraObject)?
                .attr("label", "behavior"),
        };
        let at = self
            .time(notice, &["TriggerTime"])
            .or_else(|| draft.at.clone());
        let draft = draft
            .at(at)
            .attr("list", "block")
            .attr("watch", word(notice, "DispositionID"))
            .attr("description", word(notice, "Title"));
        Some(with_id(draft, notice, &["NotificationID"]))
    }
}

/// A device's own entry: whether it is reachable.
fn device(object: &Value) -> Option<Draft> {
    // of a camera, or of the system that cameras send to
    let names = ["ApeID", "APEID", "ApsID", "APSID", "DeviceID"];
    let device = names.iter().find_map(|name| word(object, name))?;
    let state = code(object, "IsOnline")?.to_ascii_lowercase();
    let (kind, phase, is_online) = match state.as_str() {
        "1" | "true" | "online" | "on" => (Kind::DeviceOnline, Phase::Updated, true),
        "2" | "0" | "false" | "offline" | "off" => (Kind::DeviceOffline, Phase::Raised, false),
        _ => return None,
    };
    let draft = Draft::new(device, DeviceClass::Camera, kind, phase);
    Some(
        draft
            .edge("online", is_online)
            .attr("name", word(object, "Name")),
    )
}

/// Plate, its colour, and how sure the reader was.
fn with_plate(draft: Draft, object: &Value) -> Draft {
    let has_none = code(object, "HasPlate").is_some_and(|has| has == "0" || has == "false");
    let plate = word(object, "PlateNo")
        .filter(|_| !has_none)
        .unwrap_or_default();
    // codes count to 100; 1 is "sure" in some and 1 % in none
    let confidence = object.get("PlateReliability").and_then(text::number);
    let confidence = confidence.filter(|n| (0.0..=100.0).contains(n));
    draft
        .plate(&plate)
        .attr(
            "plate_color",
            code(object, "PlateColor").map(|c| table::plate_color(&c)),
        )
        .attr(
            "confidence",
            confidence.map(|n| if n > 1.0 { n / 100.0 } else { n }),
        )
}

fn with_person(draft: Draft, object: &Value) -> Draft {
    let box_of = ["LeftTopX", "LeftTopY", "RightBtmX", "RightBtmY"]
        .map(|name| object.get(name).and_then(text::integer));
    let pixels = match box_of {
        [Some(a), Some(b), Some(c), Some(d)] => json!([a, b, c, d]),
        _ => Value::Null,
    };
    let number = word(object, "IDNumber");
    let name = word(object, "Name");
    let score = object.get("Similaritydegree").and_then(text::number);
    let score = score.filter(|n| (0.0..=100.0).contains(n));
    draft
        // the number of an identity card
        .credential(&number.unwrap_or_default())
        .attr("person_name", name)
        .attr(
            "confidence",
            score.map(|n| if n > 1.0 { n / 100.0 } else { n }),
        )
        .attr("bbox_px", pixels)
}

fn with_id(draft: Draft, object: &Value, names: &[&str]) -> Draft {
    match names.iter().find_map(|name| word(object, name)) {
        Some(id) => draft.id(id),
        None => draft,
    }
}

/// A text that says something.
fn word(object: &Value, name: &str) -> Option<String> {
    let word = object.get(name).and_then(text::word)?;
    text::somebody(&word).map(|word| text::clip(word, 128))
}

/// A code, a text or a number; 0 is one.
fn code(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(|value| match value {
        Value::Bool(is) => Some(is.to_string()),
        value => text::word(value),
    })
}
