//! From the texts of a registry folder to a registry, or to the list of all mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

use super::mistake::{Report, Spot, Spots, is_csv};
use super::table::{self, Record, TableKind, shared};
use super::{
    Building, Committee, Community, Department, Device, Grid, Household, Person, Profile, Registry,
    RegistryError, Rental, Site, WatchEntry, Zone,
};
use crate::roster::{Absence, Holiday, OfficeHours, Post, Resource, Shift, Swap};

/// A TOML file: its tables with where they begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    community: Option<Spanned<Community>>,
    #[serde(default)]
    department: Vec<Spanned<Department>>,
    #[serde(default)]
    committee: Vec<Spanned<Committee>>,
    #[serde(default)]
    grid: Vec<Spanned<Grid>>,
    #[serde(default)]
    person: Vec<Spanned<Person>>,
    #[serde(default)]
    site: Vec<Spanned<Site>>,
    #[serde(default)]
    building: Vec<Spanned<Building>>,
    #[serde(default)]
    zone: Vec<Spanned<Zone>>,
    #[serde(default)]
    household: Vec<Spanned<Household>>,
    #[serde(default)]
    rental: Vec<Spanned<Rental>>,
    #[serde(default)]
    watch: Vec<Spanned<WatchEntry>>,
    #[serde(default)]
    profile: Vec<Spanned<Profile>>,
    #[serde(default)]
    post: Vec<Spanned<Post>>,
    #[serde(default)]
    shift: Vec<Spanned<Shift>>,
    #[serde(default)]
    holiday: Vec<Spanned<Holiday>>,
    #[serde(default)]
    swap: Vec<Spanned<Swap>>,
    #[serde(default)]
    absence: Vec<Spanned<Absence>>,
    #[serde(default)]
    resource: Vec<Spanned<Resource>>,
    office_hours: Option<Spanned<OfficeHours>>,
}

/// Something that goes into the registry under a key.
trait Item: Sized {
    const NOUN: &'static str;
    /// What it is known by; its number where it is known by nothing.
    fn key(&self, registry: &Registry) -> String;
    fn put(self, registry: &mut Registry);
}

macro_rules! by_id {
    ($($kind:ty, $noun:literal, $($map:ident).+;)*) => {$(
        impl Item for $kind {
            const NOUN: &'static str = $noun;
            fn key(&self, _: &Registry) -> String {
                self.id.to_string()
            }
            fn put(self, registry: &mut Registry) {
                registry.$($map).+.insert(self.id.clone(), self);
            }
        }
    )*};
}
by_id! {
    Department, "department", departments;
    Committee, "committee", committees;
    Grid, "grid", grids;
    Person, "person", people;
    Site, "site", sites;
    Building, "building", buildings;
    Zone, "zone", zones;
    Household, "household", households;
    Profile, "profile", profiles;
    Post, "post", roster.posts;
    Resource, "resource", roster.resources;
}

macro_rules! by_number {
    ($($kind:ty, $noun:literal, $($list:ident).+;)*) => {$(
        impl Item for $kind {
            const NOUN: &'static str = $noun;
            fn key(&self, registry: &Registry) -> String {
                (registry.$($list).+.len() + 1).to_string()
            }
            fn put(self, registry: &mut Registry) {
                registry.$($list).+.push(self);
            }
        }
    )*};
}
by_number! {
    Shift, "shift", roster.shifts;
    Holiday, "holiday", roster.calendar.holidays;
    Swap, "swap", roster.swaps;
    Absence, "absence", roster.absences;
}

impl Item for Device {
    const NOUN: &'static str = "device";
    fn key(&self, _: &Registry) -> String {
        self.id.to_string()
    }
    fn put(self, registry: &mut Registry) {
        if let Some(address) = &self.address {
            registry.addresses.insert(address.clone(), self.id.clone());
        }
        registry.devices.insert(self.id.clone(), self);
    }
}

/// There is one table of them; its number says that it is the second.
impl Item for OfficeHours {
    const NOUN: &'static str = "office hours";
    fn key(&self, _: &Registry) -> String {
        "1".to_owned()
    }
    fn put(self, registry: &mut Registry) {
        registry.roster.calendar.office_hours = self;
    }
}

impl Item for WatchEntry {
    const NOUN: &'static str = <Self as Record>::NOUN;
    fn key(&self, _: &Registry) -> String {
        Record::key(self)
    }
    fn put(self, registry: &mut Registry) {
        registry.watch.insert(Record::key(&self), self);
    }
}

impl Item for Rental {
    const NOUN: &'static str = <Self as Record>::NOUN;
    fn key(&self, _: &Registry) -> String {
        Record::key(self)
    }
    fn put(self, registry: &mut Registry) {
        let declared = registry.rentals.entry(self.zone.clone()).or_default();
        let at =
            declared.partition_point(|r| (r.declared_on, r.from) < (self.declared_on, self.from));
        declared.insert(at, self);
    }
}

/// Reads file by file and keeps what is good, with where it stands, and what is wrong.
#[derive(Default)]
pub(super) struct Loader {
    pub(super) registry: Registry,
    pub(super) spots: Spots,
    pub(super) errors: Vec<RegistryError>,
}

impl Loader {
    /// One file of the folder.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        if is_csv(name) {
            self.add_table(TableKind::of_file(name), name, text, &BTreeSet::new());
        } else {
            self.add_toml(name, text);
        }
    }

    /// A table, without the lines that have one of the keys.
    pub(super) fn add_table(
        &mut self,
        kind: TableKind,
        name: &str,
        text: &str,
        without: &BTreeSet<String>,
    ) {
        match kind {
            TableKind::Devices => self.add_lines::<Device>(name, text, without),
            TableKind::Zones => self.add_lines::<Zone>(name, text, without),
            TableKind::Households => self.add_lines::<Household>(name, text, without),
            TableKind::People => self.add_lines::<Person>(name, text, without),
            TableKind::Grids => self.add_lines::<Grid>(name, text, without),
            TableKind::Rentals => self.add_lines::<Rental>(name, text, without),
            TableKind::Watch => self.add_lines::<WatchEntry>(name, text, without),
        }
    }

    fn add_lines<T: Record + Item>(&mut self, name: &str, text: &str, without: &BTreeSet<String>) {
        let mut read = table::read::<T>(name, text);
        self.errors.append(&mut read.errors);
        for (spot, item) in read.items {
            if !without.contains(&Record::key(&item)) {
                self.put(spot, item);
            }
        }
    }

    fn add_toml(&mut self, name: &str, text: &str) {
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(e) => {
                // without the line itself: it may hold a telephone number
                let spot = Spot {
                    file: shared(name),
                    line: e.span().map_or(1, |span| line_of(text, span.start)),
                };
                let what = e.message().trim_end().to_owned();
                return self.errors.push(spot.mistake(None, what, None));
            }
        };
        let mut from = Source {
            loader: self,
            file: shared(name),
            text,
        };
        if let Some(community) = file.community {
            let spot = from.spot(&community);
            if from.loader.registry.community.is_some() {
                let what = "a second [community] table".to_owned();
                let hint = "there is one community".to_owned();
                let mistake = spot.mistake(None, what, Some(hint));
                from.loader.errors.push(mistake);
            }
            from.loader.registry.community = Some(community.into_inner());
        }
        from.put_all(file.department);
        from.put_all(file.committee);
        from.put_all(file.grid);
        from.put_all(file.person);
        from.put_all(file.site);
        from.put_all(file.building);
        from.put_all(file.zone);
        from.put_all(file.household);
        from.put_all(file.rental);
        from.put_all(file.watch);
        from.put_all(file.profile);
        from.put_all(file.post);
        from.put_all(file.shift);
        from.put_all(file.holiday);
        from.put_all(file.swap);
        from.put_all(file.absence);
        from.put_all(file.resource);
        from.put_all(file.office_hours.into_iter().collect());
    }

    fn put<T: Item>(&mut self, spot: Spot, item: T) {
        let key = item.key(&self.registry);
        if let Some(first) = self.spots.get(T::NOUN, &key) {
            let named = super::mistake::named(T::NOUN, &key);
            let what = format!("{named} is there twice");
            let hint = format!(
                "ids are unique over all files; the first is in {}:{}",
                first.file, first.line
            );
            self.errors.push(spot.mistake(None, what, Some(hint)));
            return;
        }
        self.spots.put(T::NOUN, key, spot);
        item.put(&mut self.registry);
    }

    /// What is wrong between the things, once all of them have been read.
    pub(super) fn check(&mut self) {
        self.settle();
        let mut report = Report {
            spots: &self.spots,
            errors: &mut self.errors,
        };
        self.registry.check(&mut report);
    }
}

impl Loader {
    /// The roster learns what other parts of the registry say.
    fn settle(&mut self) {
        let registry = &mut self.registry;
        let name = registry.community.as_ref().map_or("UTC", |c| &c.time_zone);
        let zone = crate::rule::time_zone(name).unwrap_or(TimeZone::UTC);
        let mut members: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for person in registry.people.values() {
            if let Some(department) = &person.department {
                members
                    .entry(department.clone())
                    .or_default()
                    .push(person.id.clone());
            }
        }
        registry.roster.settle(zone, members);
    }
}

/// A TOML file while it is read.
struct Source<'a> {
    loader: &'a mut Loader,
    file: Arc<str>,
    text: &'a str,
}

impl Source<'_> {
    fn spot<T>(&self, item: &Spanned<T>) -> Spot {
        Spot {
            file: Arc::clone(&self.file),
            line: line_of(self.text, item.span().start),
        }
    }

    fn put_all<T: Item>(&mut self, items: Vec<Spanned<T>>) {
        for item in items {
            let spot = self.spot(&item);
            self.loader.put(spot, item.into_inner());
        }
    }
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().iter().take(byte);
    1 + before.filter(|b| **b == b'\n').count()
}

impl Registry {
    /// Parses and checks the texts of a registry folder, given as (file name, text).
    ///
    /// # Errors
    /// Every mistake found: syntax, unknown fields, doubled ids, and references to what does not exist.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<RegistryError>> {
        let mut loader = Loader::default();
        for (name, text) in files {
            loader.add(name, text);
        }
        if loader.errors.is_empty() {
            // with a file that could not be read, most of what is missing is in that file
            loader.check();
        }
        if loader.errors.is_empty() {
            Ok(loader.registry)
        } else {
            Err(loader.errors)
        }
    }
}
