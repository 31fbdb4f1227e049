//! The registry: which places, departments, people and devices there are, and how they hang together.
//!
//! Read from a folder of files: any number of `*.toml` with tables `[community]`, `[[department]]`, `[[committee]]`, `[[grid]]`,
//! `[[person]]`, `[[site]]`, `[[building]]`, `[[zone]]`, `[[watch]]`, and `*.csv` with one device a line. The folder is read by
//! the caller; here its texts are parsed and checked as a whole, and *all* mistakes are listed, each with its file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::id::{BuildingId, CommitteeId, GridId, PersonId};
use crate::{DepartmentId, DeviceClass, DeviceId, SiteId, ZoneId};

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
    /// Its captain (网格长).
    pub captain: PersonId,
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
}

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
    /// Its floor, if it is on one.
    #[serde(default)]
    pub floor: Option<i16>,
    /// What it is.
    pub kind: ZoneKind,
    /// Its name, such as `6层`.
    pub name: String,
    /// The micro-grid that it belongs to.
    pub grid: GridId,
}

/// A registered device: one line of a device file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its id, MQTT client id and user name.
    pub id: DeviceId,
    /// Its site.
    pub site: SiteId,
    /// The zone it stands in.
    pub zone: ZoneId,
    /// What it is.
    pub class: DeviceClass,
    /// Its name, such as `烟感-215`.
    pub name: String,
    /// Maker and model, free text.
    pub model: String,
    /// How often it speaks at least, in seconds; two missed heartbeats make it silent.
    pub heartbeat_s: u32,
    /// Position on the site plan in site-local metres.
    pub x_m: f64,
    /// See `x_m`.
    pub y_m: f64,
}

/// A number plate somebody looks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchEntry {
    /// The plate, normalised (upper case, no dot).
    pub plate: String,
    /// Why it is listed.
    pub reason: String,
    /// Flagged violent: a hit is P1.
    #[serde(default)]
    pub violent: bool,
    /// Who answers for the entry.
    pub owner: PersonId,
    /// Last day on which it counts.
    pub expires_on: jiff::civil::Date,
}

/// Everything, looked up by id.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// The community, if its table was given.
    pub community: Option<Community>,
    /// Departments by id.
    pub departments: BTreeMap<DepartmentId, Department>,
    /// Committees by id.
    pub committees: BTreeMap<CommitteeId, Committee>,
    /// Micro-grids by id.
    pub grids: BTreeMap<GridId, Grid>,
    /// People by id.
    pub people: BTreeMap<PersonId, Person>,
    /// Sites by id.
    pub sites: BTreeMap<SiteId, Site>,
    /// Buildings by id.
    pub buildings: BTreeMap<BuildingId, Building>,
    /// Zones by id.
    pub zones: BTreeMap<ZoneId, Zone>,
    /// Devices by id.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Watched plates by normalised plate.
    pub watch: BTreeMap<String, WatchEntry>,
}

/// One mistake in a registry file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}")]
pub struct RegistryError {
    /// The file's name as the caller gave it.
    pub file: String,
    /// What is wrong, which one, and what to do.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    community: Option<Community>,
    #[serde(default)]
    department: Vec<Department>,
    #[serde(default)]
    committee: Vec<Committee>,
    #[serde(default)]
    grid: Vec<Grid>,
    #[serde(default)]
    person: Vec<Person>,
    #[serde(default)]
    site: Vec<Site>,
    #[serde(default)]
    building: Vec<Building>,
    #[serde(default)]
    zone: Vec<Zone>,
    #[serde(default)]
    watch: Vec<WatchEntry>,
}

impl Registry {
    /// Parses and checks the texts of a registry folder, given as (file name, text).
    ///
    /// # Errors
    /// Every mistake found: syntax, unknown fields, doubled ids, and references to what does not exist.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<RegistryError>> {
        let mut registry = Self::default();
        let mut errors = Vec::new();
        // where each device stands, for mistakes that show only when everything has been read
        let mut lines = BTreeMap::new();
        for (name, text) in files {
            let mut fail = |what: String| {
                errors.push(RegistryError {
                    file: name.to_owned(),
                    what,
                });
            };
            let is_csv = name
                .rsplit_once('.')
                .is_some_and(|(_, ext)| ext.eq_ignore_ascii_case("csv"));
            if is_csv {
                registry.add_devices(name, text, &mut lines, &mut fail);
            } else {
                match toml::from_str::<File>(text) {
                    Ok(file) => registry.add_file(file, &mut fail),
                    Err(e) => fail(e.to_string().trim_end().to_owned()),
                }
            }
        }
        if errors.is_empty() {
            // with a file that could not be read, most of what is missing is in that file
            registry.check_references(&lines, &mut errors);
        }
        if errors.is_empty() {
            Ok(registry)
        } else {
            Err(errors)
        }
    }

    fn add_file(&mut self, file: File, fail: &mut impl FnMut(String)) {
        fn put<K: Ord + std::fmt::Display, V>(
            map: &mut BTreeMap<K, V>,
            items: Vec<V>,
            what: &str,
            key: impl Fn(&V) -> K,
            fail: &mut impl FnMut(String),
        ) {
            for item in items {
                match map.entry(key(&item)) {
                    Entry::Vacant(free) => {
                        free.insert(item);
                    }
                    Entry::Occupied(taken) => fail(format!(
                        "{what} `{}` is there twice (hint: ids are unique over all files)",
                        taken.key()
                    )),
                }
            }
        }
        if let Some(community) = file.community
            && self.community.replace(community).is_some()
        {
            fail("a second [community] table (hint: there is one community)".to_owned());
        }
        put(
            &mut self.departments,
            file.department,
            "department",
            |v| v.id.clone(),
            fail,
        );
        put(
            &mut self.committees,
            file.committee,
            "committee",
            |v| v.id.clone(),
            fail,
        );
        put(&mut self.grids, file.grid, "grid", |v| v.id.clone(), fail);
        put(
            &mut self.people,
            file.person,
            "person",
            |v| v.id.clone(),
            fail,
        );
        put(&mut self.sites, file.site, "site", |v| v.id.clone(), fail);
        put(
            &mut self.buildings,
            file.building,
            "building",
            |v| v.id.clone(),
            fail,
        );
        put(&mut self.zones, file.zone, "zone", |v| v.id.clone(), fail);
        put(
            &mut self.watch,
            file.watch,
            "watched plate",
            |v| normal_plate(&v.plate),
            fail,
        );
    }

    fn add_devices(
        &mut self,
        name: &str,
        text: &str,
        lines: &mut BTreeMap<DeviceId, String>,
        fail: &mut impl FnMut(String),
    ) {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let headers = reader.headers().cloned();
        let headers = match headers {
            Ok(headers) => headers,
            Err(e) => return fail(e.to_string()),
        };
        for record in reader.records() {
            let line = record
                .as_ref()
                .ok()
                .and_then(|r| r.position())
                .map_or(0, csv::Position::line);
            match record.and_then(|r| r.deserialize::<Device>(Some(&headers))) {
                Ok(device) if self.devices.contains_key(&device.id) => {
                    fail(format!(
                        "device `{}` is there twice (hint: ids are unique over all files)",
                        device.id
                    ));
                }
                Ok(device) if device.heartbeat_s == 0 => {
                    fail(format!(
                        "device `{}` has heartbeat_s 0 (hint: the longest time between two words of it)",
                        device.id
                    ));
                }
                Ok(device) => {
                    lines.insert(device.id.clone(), format!("{name}:{line}"));
                    self.devices.insert(device.id.clone(), device);
                }
                Err(e) => fail(e.to_string()),
            }
        }
    }

    fn check_references(
        &self,
        lines: &BTreeMap<DeviceId, String>,
        errors: &mut Vec<RegistryError>,
    ) {
        for device in self.devices.values() {
            let what = match self.zones.get(&device.zone) {
                None => format!(
                    "device `{}` names zone `{}`, which does not exist",
                    device.id, device.zone
                ),
                Some(z) if z.site != device.site => format!(
                    "device `{}` is in site `{}` but its zone in `{}`",
                    device.id, device.site, z.site
                ),
                Some(_) => continue,
            };
            let file = lines.get(&device.id).cloned().unwrap_or_default();
            errors.push(RegistryError { file, what });
        }
        let mut missing = |what: String| {
            errors.push(RegistryError {
                file: "registry".to_owned(),
                what,
            });
        };
        for grid in self.grids.values() {
            if !self.committees.contains_key(&grid.committee) {
                missing(format!(
                    "grid `{}` names committee `{}`, which does not exist",
                    grid.id, grid.committee
                ));
            }
            if !self.people.contains_key(&grid.captain) {
                missing(format!(
                    "grid `{}` names captain `{}`, who is not among the people",
                    grid.id, grid.captain
                ));
            }
        }
        for person in self.people.values() {
            if let Some(department) = person
                .department
                .as_ref()
                .filter(|d| !self.departments.contains_key(*d))
            {
                missing(format!(
                    "person `{}` names department `{department}`, which does not exist",
                    person.id
                ));
            }
        }
        for building in self.buildings.values() {
            if !self.sites.contains_key(&building.site) {
                missing(format!(
                    "building `{}` names site `{}`, which does not exist",
                    building.id, building.site
                ));
            }
        }
        for zone in self.zones.values() {
            if !self.sites.contains_key(&zone.site) {
                missing(format!(
                    "zone `{}` names site `{}`, which does not exist",
                    zone.id, zone.site
                ));
            }
            if !self.grids.contains_key(&zone.grid) {
                missing(format!(
                    "zone `{}` names grid `{}`, which does not exist",
                    zone.id, zone.grid
                ));
            }
            if let Some(building) = zone.building.as_ref() {
                match self.buildings.get(building) {
                    None => missing(format!(
                        "zone `{}` names building `{building}`, which does not exist",
                        zone.id
                    )),
                    Some(b) if b.site != zone.site => {
                        missing(format!(
                            "zone `{}` is in site `{}` but its building in `{}`",
                            zone.id, zone.site, b.site
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        for entry in self.watch.values() {
            if !self.people.contains_key(&entry.owner) {
                missing(format!(
                    "a watched plate names owner `{}`, who is not among the people",
                    entry.owner
                ));
            }
        }
    }

    /// The zone that a device stands in.
    pub fn zone_of(&self, device: &DeviceId) -> Option<&Zone> {
        self.zones.get(&self.devices.get(device)?.zone)
    }
}

/// A plate as it is compared: NFKC-like folding of full-width letters and digits, upper case, without space, dot and dash.
pub fn normal_plate(plate: &str) -> String {
    plate
        .chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .filter(|c| !c.is_whitespace() && !matches!(c, '·' | '•' | '.' | '-'))
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        [[committee]]
        id = "c1"
        name = "一委"
        [[person]]
        id = "p1"
        name = "王磊"
        [[grid]]
        id = "g1"
        name = "一格"
        committee = "c1"
        captain = "p1"
        [[site]]
        id = "q1"
        name = "一区"
        name_en = "Quarter 1"
        width_m = 100.0
        height_m = 80.0
        x_m = 0.0
        y_m = 0.0
        [[zone]]
        id = "z1"
        site = "q1"
        kind = "stair"
        name = "一单元"
        grid = "g1"
    "#;
    const HEAD: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m\n";

    #[test]
    fn a_small_folder_loads() {
        let csv = format!("{HEAD}smoke-1,q1,z1,fire_sensor,烟感-1,sim,60,1.0,2.0\n");
        let registry = Registry::from_files([("a.toml", SMALL), ("d.csv", &csv)]).expect("loads");
        assert_eq!(
            registry
                .zone_of(&"smoke-1".parse().expect("id"))
                .map(|z| z.name.as_str()),
            Some("一单元")
        );
    }

    #[test]
    fn every_mistake_is_listed_with_its_file() {
        let csv = format!(
            "{HEAD}smoke-1,q1,nowhere,fire_sensor,n,m,60,1,2\nSMOKE,q1,z1,fire_sensor,n,m,60,1,2\nsmoke-3,q1,z1,toaster,n,m,60,1,2\n"
        );
        let errors = Registry::from_files([
            ("a.toml", SMALL),
            ("b.toml", "[[sitee]]\nid = \"x\""),
            ("d.csv", &csv),
        ])
        .expect_err("refused");
        let all = errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        for part in ["sitee", "d.csv", "SMOKE", "line: 4"] {
            assert!(all.contains(part), "{part} is not in:\n{all}");
        }
        assert!(
            !all.contains("nowhere"),
            "not before the files are read: {all}"
        );
    }

    #[test]
    fn a_device_in_no_zone_is_told_with_its_line() {
        let csv = format!(
            "# a remark\n{HEAD}s-1,q1,z1,fire_sensor,n,m,60,1,2\ns-2,q1,nowhere,fire_sensor,n,m,60,1,2\n"
        );
        let errors =
            Registry::from_files([("a.toml", SMALL), ("d.csv", &csv)]).expect_err("refused");
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["d.csv:4: device `s-2` names zone `nowhere`, which does not exist"]
        );
    }

    #[test]
    fn plates_compare_by_their_letters() {
        assert_eq!(normal_plate(" 浙ｇ·１２３４５ "), "浙G12345");
    }
}
