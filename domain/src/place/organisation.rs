//! Who there is: the community, its departments, committees and micro-grids, and people.

use serde::{Deserialize, Serialize};

use super::Contact;
use crate::id::{CommitteeId, GridId, PersonId};
use crate::{DepartmentId, UserId};

/// The whole the station looks after.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Community {
    /// Name shown to people.
    pub name: String,
    /// English name.
    pub name_en: String,
    /// Name of the joint-duty station.
    pub station: String,
    /// English name of the station.
    pub station_en: String,
    /// IANA time zone of the clocks on screen and of hours in rules, such as `Asia/Shanghai`.
    pub time_zone: String,
}

/// A department with people on duty in the station.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// `police`, `market`, `enforcement`, `traffic`, `fire`, `property`.
    pub id: DepartmentId,
    /// Full name.
    pub name: String,
    /// English name.
    pub name_en: String,
    /// One character for the chip on the board (公 市 综 交 消 物).
    pub chip: String,
}

/// A self-governance committee (自治委员会).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committee {
    /// Its id.
    pub id: CommitteeId,
    /// Its name.
    pub name: String,
}

/// A micro-grid (微网格): a handful of stairs with one captain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Its id.
    pub id: GridId,
    /// Its name.
    pub name: String,
    /// The committee it belongs to.
    pub committee: CommitteeId,
    /// Its captain (网格长); none while nobody has been found.
    #[serde(default)]
    pub captain: Option<PersonId>,
}

/// Somebody who has a part in the work.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// Their name.
    pub name: String,
    /// The department they serve in, if any.
    #[serde(default)]
    pub department: Option<DepartmentId>,
    /// The name with which they log in to the dashboard, if they do.
    #[serde(default)]
    pub login: Option<UserId>,
    /// How to reach them; shown only to those who need it.
    #[serde(default)]
    pub contact: Option<Contact>,
}
