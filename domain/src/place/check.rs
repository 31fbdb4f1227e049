//! Mistakes that show only when everything has been read: names of what does not exist, places that contradict each other.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::household::is_language_tag;
use super::mistake::Report;
use super::table::Record as _;
use super::{Registry, ZoneKind};
use crate::rule::nearest_hint;
use crate::{DeviceClass, ZoneId};

/// Notes a name that stands for nothing, with the nearest one that does.
pub(crate) fn must_be<K: Ord + Display, V>(
    report: &mut Report<'_>,
    of: (&'static str, &str),
    (column, name): (&str, &K),
    known: &BTreeMap<K, V>,
) -> bool {
    let is_known = known.contains_key(name);
    if !is_known {
        let names: Vec<String> = known.keys().map(ToString::to_string).collect();
        let hint = nearest_hint(&name.to_string(), names.iter().map(String::as_str));
        let what = format!("names {column} `{name}`, which does not exist");
        report.note(of, column, what, Some(hint));
    }
    is_known
}

impl Registry {
    /// Notes everything that does not fit together.
    pub(super) fn check(&self, report: &mut Report<'_>) {
        self.check_devices(report);
        self.check_organisation(report);
        self.check_plan(report);
        self.check_flats(report);
        self.roster.check(self, report);
        for (key, entry) in &self.watch {
            let of = ("watched item", key.as_str());
            must_be(report, of, ("owner", &entry.owner), &self.people);
        }
    }

    fn check_devices(&self, report: &mut Report<'_>) {
        for device in self.devices.values() {
            let of = ("device", device.id.as_str());
            let other = device.address.as_ref().and_then(|a| self.addresses.get(a));
            if let Some(other) = other.filter(|other| **other != device.id) {
                let what = format!("has the same address as `{other}`");
                let hint =
                    "the account of the bridge and a colon before the address tells them apart";
                report.note(of, "address", what, Some(hint.to_owned()));
            }
            if !must_be(report, of, ("zone", &device.zone), &self.zones) {
                continue;
            }
            if device.sensor.is_some() && device.class != DeviceClass::FireSensor {
                let hint = "only a `fire_sensor` has one".to_owned();
                report.note(of, "sensor", "has a `sensor`", Some(hint));
            }
            let zone = &self.zones[&device.zone];
            if zone.site != device.site {
                let what = format!(
                    "is in site `{}` but its zone in `{}`",
                    device.site, zone.site
                );
                report.note(of, "site", what, None);
            }
        }
    }

    fn check_organisation(&self, report: &mut Report<'_>) {
        for grid in self.grids.values() {
            let of = ("grid", grid.id.as_str());
            must_be(report, of, ("committee", &grid.committee), &self.committees);
            if let Some(captain) = &grid.captain {
                must_be(report, of, ("captain", captain), &self.people);
            }
        }
        let mut logins = BTreeMap::new();
        for person in self.people.values() {
            let of = ("person", person.id.as_str());
            if let Some(department) = &person.department {
                must_be(report, of, ("department", department), &self.departments);
            }
            let Some(login) = &person.login else { continue };
            if let Some(other) = logins.insert(login, &person.id) {
                let hint = "a login is one person's".to_owned();
                let what = format!("has login `{login}`, which is `{other}`'s");
                report.note(of, "login", what, Some(hint));
            }
        }
    }

    fn check_plan(&self, report: &mut Report<'_>) {
        for building in self.buildings.values() {
            let of = ("building", building.id.as_str());
            must_be(report, of, ("site", &building.site), &self.sites);
        }
        for zone in self.zones.values() {
            let of = ("zone", zone.id.as_str());
            must_be(report, of, ("site", &zone.site), &self.sites);
            must_be(report, of, ("grid", &zone.grid), &self.grids);
            if zone.floor_to.is_some() && zone.floor_to <= zone.floor {
                let hint = "`floor` is the lowest, `floor_to` the highest".to_owned();
                report.note(of, "floor_to", "goes over no floors", Some(hint));
            }
            if zone.floor_to.is_some() && zone.floor.is_none() {
                let hint = "`floor` is the lowest".to_owned();
                report.note(of, "floor_to", "has `floor_to` and no `floor`", Some(hint));
            }
            let Some(building) = &zone.building else {
                continue;
            };
            if must_be(report, of, ("building", building), &self.buildings) {
                let site = &self.buildings[building].site;
                if *site != zone.site {
                    let what = format!("is in site `{}` but its building in `{site}`", zone.site);
                    report.note(of, "building", what, None);
                }
            }
        }
    }

    /// Households and declarations stand in flats, and say what can be.
    fn check_flats(&self, report: &mut Report<'_>) {
        for household in self.households.values() {
            let of = ("household", household.id.as_str());
            self.must_be_flat(report, of, &household.zone);
            let mut note = |column, what, hint: &str| {
                report.note(of, column, what, Some(hint.to_owned()));
            };
            if household.residents == 0 {
                let hint = "an empty flat has no household";
                note("residents", "has no residents", hint);
            }
            if household.elder_alone && household.residents > 1 {
                let what = "has `elder_alone` and more than one resident";
                note("elder_alone", what, "one of the two is wrong");
            }
            if !is_language_tag(&household.language) {
                let what = "has a `language` that is no language tag";
                note("language", what, "such as zh or en");
            }
        }
        for rental in self.rentals.values().flatten() {
            let key = rental.key();
            let of = ("rental", key.as_str());
            self.must_be_flat(report, of, &rental.zone);
            if rental.until < rental.from {
                let hint = "`until` is its last day".to_owned();
                report.note(of, "until", "ends before it begins", Some(hint));
            }
        }
    }

    fn must_be_flat(&self, report: &mut Report<'_>, of: (&'static str, &str), zone: &ZoneId) {
        if must_be(report, of, ("zone", zone), &self.zones)
            && self.zones[zone].kind != ZoneKind::Unit
        {
            let what = format!("names zone `{zone}`, which is no flat");
            let hint = "a zone of kind `unit`".to_owned();
            report.note(of, "zone", what, Some(hint));
        }
    }
}
