//! Where things are: quarters, buildings and zones, with their plans in site-local metres.

use serde::{Deserialize, Serialize};

use crate::id::{BuildingId, GridId};
use crate::{SiteId, ZoneId};

/// A rectangle in site-local metres: x to the east, y to the north.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rect {
    /// West edge.
    pub x_m: f64,
    /// South edge.
    pub y_m: f64,
    /// Extent to the east.
    pub width_m: f64,
    /// Extent to the north.
    pub height_m: f64,
}

/// A quarter (小区).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The second word of its devices' topics.
    pub id: SiteId,
    /// Its name.
    pub name: String,
    /// Its English name.
    pub name_en: String,
    /// Extent of the plan, in metres from the south-west corner.
    pub width_m: f64,
    /// See `width_m`.
    pub height_m: f64,
    /// Where the site stands on the community's overview plan: offset of its south-west corner.
    pub x_m: f64,
    /// See `x_m`.
    pub y_m: f64,
}

/// A building (楼栋).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Building {
    /// Its id, unique over all sites.
    pub id: BuildingId,
    /// Its site.
    pub site: SiteId,
    /// Its name, such as `E2幢`.
    pub name: String,
    /// Floors above ground.
    pub floors: u16,
    /// Its outline on the site plan.
    pub outline: Rect,
}

/// What a zone is to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneKind {
    /// A fire compartment; two independent detectors in one confirm a fire.
    FireCompartment,
    /// One lane of a gate.
    GateLane,
    /// A lift car.
    Lift,
    /// A staircase.
    Stair,
    /// A door with access control.
    Door,
    /// A fire lane that must stay free.
    FireLane,
    /// E-bike shed or charging point.
    BikeShed,
    /// Open ground.
    Outdoor,
    /// A household's flat (户).
    Unit,
    /// A shop (商铺) with a frontage on the street.
    Shop,
    /// A door of an escape route, which must open in a fire and must never be locked or blocked.
    FireDoor,
    /// What nobody should climb: an outer wall, a roof.
    Perimeter,
}

impl ZoneKind {
    /// The words of files and rules.
    pub const WORDS: &[(&str, Self)] = &[
        ("fire_compartment", Self::FireCompartment),
        ("gate_lane", Self::GateLane),
        ("lift", Self::Lift),
        ("stair", Self::Stair),
        ("door", Self::Door),
        ("fire_lane", Self::FireLane),
        ("bike_shed", Self::BikeShed),
        ("outdoor", Self::Outdoor),
        ("unit", Self::Unit),
        ("shop", Self::Shop),
        ("fire_door", Self::FireDoor),
        ("perimeter", Self::Perimeter),
    ];

    /// Whether everybody may know of such a place. Flats are their households' business; floors, escape doors and perimeters say where
    /// detectors and weak spots are.
    pub fn is_public(self) -> bool {
        match self {
            Self::GateLane
            | Self::Door
            | Self::Lift
            | Self::Stair
            | Self::FireLane
            | Self::BikeShed
            | Self::Outdoor
            | Self::Shop => true,
            Self::FireCompartment | Self::Unit | Self::FireDoor | Self::Perimeter => false,
        }
    }

    /// Whether a fire detector belongs there: floors, where e-bikes are charged, shops. Flats are their households' choice.
    pub fn wants_fire_sensor(self) -> bool {
        matches!(self, Self::FireCompartment | Self::BikeShed | Self::Shop)
    }

    /// The word as it stands in files.
    pub fn as_str(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        word.expect("every kind has its word: a test reads them").0
    }
}

/// Where a device stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its id, unique over all sites.
    pub id: ZoneId,
    /// Its site.
    pub site: SiteId,
    /// Its building, if it is in one.
    #[serde(default)]
    pub building: Option<BuildingId>,
    /// Its floor, if it is on one; the lowest when it goes over several.
    #[serde(default)]
    pub floor: Option<i16>,
    /// The highest, when it goes over several.
    #[serde(default)]
    pub floor_to: Option<i16>,
    /// What it is.
    pub kind: ZoneKind,
    /// Its name, such as `6层`.
    pub name: String,
    /// The micro-grid that it belongs to.
    pub grid: GridId,
}

impl Zone {
    /// The one floor that it is on; none when it goes over several, or over none that is known.
    pub fn only_floor(&self) -> Option<i16> {
        self.floor.filter(|_| self.floor_to.is_none())
    }
}
