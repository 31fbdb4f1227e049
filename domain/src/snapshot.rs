//! Snapshots: pictures that devices send, with an event or by themselves. (What a person takes is a photo.) Whom they may show decides who sees
//! them and how long they are kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::{DeviceClass, Kind, UnknownWord};

/// What a snapshot may show of people, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// A place, and whoever is in it.
    Scene,
    /// A car by its number plate.
    Plate,
    /// Somebody's face, at a door or by itself.
    Face,
}

impl Shows {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Scene, Self::Plate, Self::Face];

    /// The word as it stands in tables, settings and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scene => "scene",
            Self::Plate => "plate",
            Self::Face => "face",
        }
    }

    /// What pictures of an event of this kind show: all that belong to a car its plate, all that belong to somebody at a door a face.
    pub fn of_kind(kind: Kind) -> Self {
        let kind = kind.as_str();
        if kind.starts_with("vehicle.") || kind.starts_with("barrier.") {
            Self::Plate
        } else if kind.starts_with("access.") || kind == "camera.face" {
            Self::Face
        } else {
            Self::Scene
        }
    }

    /// What pictures of a device show when nobody has said it.
    pub fn of_class(class: DeviceClass) -> Self {
        match class {
            DeviceClass::Barrier => Self::Plate,
            DeviceClass::Access => Self::Face,
            DeviceClass::FireSensor
            | DeviceClass::Camera
            | DeviceClass::Panel
            | DeviceClass::Gateway => Self::Scene,
        }
    }

    /// Whether it is masked for whoever has no ground to see people in full.
    pub fn is_masked(self) -> bool {
        self != Self::Scene
    }
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Shows {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL
            .iter()
            .copied()
            .find(|shows| shows.as_str() == text);
        found.ok_or_else(|| UnknownWord::new("class of snapshot", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_cars_show_plates_and_those_at_doors_faces() {
        let check = |kind: Kind, expect: Shows| assert_eq!(Shows::of_kind(kind), expect, "{kind}");
        check(Kind::VehiclePlateRead, Shows::Plate);
        check(Kind::BarrierForced, Shows::Plate);
        check(Kind::AccessDenied, Shows::Face);
        check(Kind::CameraFace, Shows::Face);
        check(Kind::CameraObject, Shows::Scene);
        check(Kind::FireSmoke, Shows::Scene);
        for shows in Shows::ALL {
            assert_eq!(shows.as_str().parse(), Ok(*shows));
        }
        assert!(!Shows::Scene.is_masked() && Shows::Plate.is_masked() && Shows::Face.is_masked());
    }
}
