//! Mistakes that show only when everything has been read: names of what does not exist, places that contradict each other.

use std::collections::BTreeMap;

use super::household::is_language_tag;
use super::{Registry, RegistryError, ZoneKind};
use crate::{DeviceId, ZoneId};

impl Registry {
    pub(super) fn check_references(
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
        self.check_people(&mut missing);
        self.check_flats(&mut missing);
        for entry in self.watch.values() {
            if !self.people.contains_key(&entry.owner) {
                missing(format!(
                    "a watched plate names owner `{}`, who is not among the people",
                    entry.owner
                ));
            }
        }
    }

    /// A log-in is one person's.
    fn check_people(&self, missing: &mut impl FnMut(String)) {
        let mut logins = BTreeMap::new();
        for person in self.people.values() {
            let Some(login) = &person.login else { continue };
            if let Some(other) = logins.insert(login, &person.id) {
                missing(format!(
                    "person `{}` has login `{login}`, which is `{other}`'s (hint: a login is one person's)",
                    person.id
                ));
            }
        }
    }

    /// Households and declarations stand in flats, and say what can be.
    fn check_flats(&self, missing: &mut impl FnMut(String)) {
        let in_no_flat = |zone: &ZoneId| match self.zones.get(zone) {
            None => Some(format!("names zone `{zone}`, which does not exist")),
            Some(z) if z.kind != ZoneKind::Unit => Some(format!(
                "names zone `{zone}`, which is no flat (hint: a zone of kind `unit`)"
            )),
            Some(_) => None,
        };
        for household in self.households.values() {
            let mut fail = |what: &str| missing(format!("household `{}` {what}", household.id));
            if let Some(what) = in_no_flat(&household.zone) {
                fail(&what);
            }
            if household.residents == 0 {
                fail("has no residents (hint: an empty flat has no household)");
            }
            if household.elder_alone && household.residents > 1 {
                fail("has `elder_alone` and more than one resident (hint: one of them is wrong)");
            }
            if !is_language_tag(&household.language) {
                fail("has a `language` that is no language tag (hint: such as `zh` or `en`)");
            }
        }
        for rental in self.rentals.values().flatten() {
            let mut fail = |what: &str| {
                missing(format!(
                    "the declaration of {} for zone `{}` {what}",
                    rental.declared_on, rental.zone
                ));
            };
            if let Some(what) = in_no_flat(&rental.zone) {
                fail(&what);
            }
            if rental.until < rental.from {
                fail("ends before it begins (hint: `until` is its last day)");
            }
        }
    }
}
