//! From the texts of a registry folder to a registry, or to the list of all mistakes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Deserialize;

use super::{
    Building, Committee, Community, Department, Device, Grid, Household, Person, Registry, Rental,
    Site, WatchEntry, Zone, normal_plate,
};
use crate::DeviceId;

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
    household: Vec<Household>,
    #[serde(default)]
    rental: Vec<Rental>,
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
            &mut self.households,
            file.household,
            "household",
            |v| v.id.clone(),
            fail,
        );
        for rental in file.rental {
            self.add_rental(rental, fail);
        }
        put(
            &mut self.watch,
            file.watch,
            "watched plate",
            |v| normal_plate(&v.plate),
            fail,
        );
    }

    fn add_rental(&mut self, rental: Rental, fail: &mut impl FnMut(String)) {
        let declared = self.rentals.entry(rental.zone.clone()).or_default();
        let key = |r: &Rental| (r.declared_on, r.from);
        match declared.binary_search_by_key(&key(&rental), key) {
            Err(at) => declared.insert(at, rental),
            Ok(_) => fail(format!(
                "zone `{}` has two declarations of {} from {} on (hint: keep the one that holds)",
                rental.zone, rental.declared_on, rental.from
            )),
        }
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
}
