//! How far somebody's account reaches: over which quarters, micro-grids and departments.
//!
//! A dimension that names nothing does not limit. Quarters and micro-grids are places: something lies in the scope when it lies in one of
//! either. Departments limit incidents and what hangs on them to those in which one of them is lead or co-handler. Place *and* department
//! must fit. What the registry does not know any more is nowhere: a scope whose last place was taken away sees nothing, not everything.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::alarm;
use crate::id::{BuildingId, GridId};
use crate::place::{Registry, Zone};
use crate::{DepartmentId, DeviceId, SiteId, ZoneId};

/// What an account is limited to, as it was given to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Quarters; none for all.
    #[serde(default)]
    pub quarters: BTreeSet<SiteId>,
    /// Micro-grids; none for all.
    #[serde(default)]
    pub grids: BTreeSet<GridId>,
    /// Departments; none for all.
    #[serde(default)]
    pub departments: BTreeSet<DepartmentId>,
}

/// A scope names what there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{id}`")]
pub struct UnknownPlace {
    what: &'static str,
    id: String,
}

impl Scope {
    /// Whether it limits nothing: the whole compound.
    pub fn is_whole(&self) -> bool {
        self.quarters.is_empty() && self.grids.is_empty() && self.departments.is_empty()
    }

    /// Whether all that it names is there.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, registry: &Registry) -> Result<(), UnknownPlace> {
        let unknown = |what, id: &dyn fmt::Display| UnknownPlace {
            what,
            id: id.to_string(),
        };
        let no_quarter = |id: &&SiteId| !registry.sites.contains_key(*id);
        if let Some(id) = self.quarters.iter().find(no_quarter) {
            return Err(unknown("quarter", id));
        }
        let no_grid = |id: &&GridId| !registry.grids.contains_key(*id);
        if let Some(id) = self.grids.iter().find(no_grid) {
            return Err(unknown("micro-grid", id));
        }
        let no_department = |id: &&DepartmentId| !registry.departments.contains_key(*id);
        match self.departments.iter().find(no_department) {
            Some(id) => Err(unknown("department", id)),
            None => Ok(()),
        }
    }

    /// What it comes to in the compound as it is now.
    pub fn within(&self, registry: &Registry) -> Reach {
        let place = (!self.quarters.is_empty() || !self.grids.is_empty()).then(|| {
            let is_there = |id: &&SiteId| registry.sites.contains_key(*id);
            let zones = registry.zones.values().filter(|zone| {
                self.grids.contains(&zone.grid) && registry.grids.contains_key(&zone.grid)
            });
            Places {
                sites: self.quarters.iter().filter(is_there).cloned().collect(),
                zones: zones.map(|zone| zone.id.clone()).collect(),
            }
        });
        let departments = (!self.departments.is_empty()).then(|| {
            let is_there = |id: &&DepartmentId| registry.departments.contains_key(*id);
            self.departments.iter().filter(is_there).cloned().collect()
        });
        Reach { place, departments }
    }
}

/// `quarter:q1 grid:g3 department:fire`, and `whole` for what limits nothing: for the audit trail and the log.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() {
            return f.write_str("whole");
        }
        let quarters = self.quarters.iter().map(|id| format!("quarter:{id}"));
        let grids = self.grids.iter().map(|id| format!("grid:{id}"));
        let departments = self.departments.iter().map(|id| format!("department:{id}"));
        let words: Vec<String> = quarters.chain(grids).chain(departments).collect();
        f.write_str(&words.join(" "))
    }
}

/// A scope in the compound as it is now: what lists are asked with, and each object is looked at with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Where; none for everywhere.
    pub place: Option<Places>,
    /// Whose work; none for everybody's.
    pub departments: Option<BTreeSet<DepartmentId>>,
}

/// Where somebody sees: in these quarters, and in these zones of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Whole quarters.
    pub sites: BTreeSet<SiteId>,
    /// Zones of micro-grids.
    pub zones: BTreeSet<ZoneId>,
}

impl Places {
    /// Whether something that stands there lies in them. What stands nobody knows where lies in its quarter only.
    pub fn hold(&self, site: &SiteId, zone: Option<&ZoneId>) -> bool {
        self.sites.contains(site) || zone.is_some_and(|zone| self.zones.contains(zone))
    }

    /// Whether a maintenance window goes over nothing but what lies in them.
    pub fn hold_window(&self, window: &alarm::Scope, registry: &Registry) -> bool {
        let in_zones = |id: &ZoneId| self.zones.contains(id);
        let device = || registry.devices.get(window.device.as_ref()?);
        let is_whole_building = || {
            window.building.as_ref().is_some_and(|building| {
                let of_it = |zone: &&Zone| zone.building.as_ref() == Some(building);
                let mut zones = registry.zones.values().filter(of_it).peekable();
                zones.peek().is_some() && zones.all(|zone| in_zones(&zone.id))
            })
        };
        self.sites.contains(&window.site)
            || window.zone.as_ref().is_some_and(in_zones)
            || device().is_some_and(|device| in_zones(&device.zone))
            || is_whole_building()
    }

    /// Devices that stand in the zones.
    pub fn devices<'a>(&'a self, registry: &'a Registry) -> impl Iterator<Item = &'a DeviceId> {
        let devices = registry.devices.values();
        devices
            .filter(|device| self.zones.contains(&device.zone))
            .map(|device| &device.id)
    }

    /// Buildings in which one of the zones lies.
    pub fn buildings<'a>(&self, registry: &'a Registry) -> BTreeSet<&'a BuildingId> {
        let zones = self.zones.iter().filter_map(|id| registry.zones.get(id));
        zones.filter_map(|zone| zone.building.as_ref()).collect()
    }

    /// Quarters in which one of the zones lies.
    pub fn sites_of_zones<'a>(&self, registry: &'a Registry) -> BTreeSet<&'a SiteId> {
        let zones = self.zones.iter().filter_map(|id| registry.zones.get(id));
        zones.map(|zone| &zone.site).collect()
    }
}

impl Reach {
    /// Whether it limits nothing.
    pub fn is_whole(&self) -> bool {
        self.place.is_none() && self.departments.is_none()
    }

    /// Whether something that stands there is seen.
    pub fn sees(&self, site: &SiteId, zone: Option<&ZoneId>) -> bool {
        self.place
            .as_ref()
            .is_none_or(|places| places.hold(site, zone))
    }

    /// Whether somebody may plan and end a window: it holds back alarms wherever it goes.
    pub fn holds_window(&self, window: &alarm::Scope, registry: &Registry) -> bool {
        self.place
            .as_ref()
            .is_none_or(|places| places.hold_window(window, registry))
    }

    /// What of a window's places there is not, as far as somebody knows; none when all of it may be known to be there.
    ///
    /// # Errors
    /// [`alarm::BadWindow::Place`], word for word as for what there is not at all.
    pub fn check_window(
        &self,
        window: &alarm::Scope,
        registry: &Registry,
    ) -> Result<(), alarm::BadWindow> {
        let Some(places) = &self.place else {
            return Ok(());
        };
        let hidden = |what, id: &dyn fmt::Display| {
            Err(alarm::BadWindow::Place {
                what,
                id: id.to_string(),
                site: window.site.clone(),
            })
        };
        if places.sites.contains(&window.site) {
            return Ok(());
        }
        if !places.sites_of_zones(registry).contains(&window.site) {
            return hidden("site", &window.site);
        }
        let is_seen = |id: &BuildingId| places.buildings(registry).contains(id);
        if let Some(id) = window.building.as_ref().filter(|id| !is_seen(id)) {
            return hidden("building", id);
        }
        let is_seen = |id: &ZoneId| places.zones.contains(id);
        if let Some(id) = window.zone.as_ref().filter(|id| !is_seen(id)) {
            return hidden("zone", id);
        }
        let is_seen = |id: &DeviceId| self.sees_device(id, registry);
        match window.device.as_ref().filter(|id| !is_seen(id)) {
            Some(id) => hidden("device", id),
            None => Ok(()),
        }
    }

    /// Whether a registered device is seen. One that is not registered stands nowhere.
    pub fn sees_device(&self, device: &DeviceId, registry: &Registry) -> bool {
        match registry.devices.get(device) {
            Some(device) => self.sees(&device.site, Some(&device.zone)),
            None => self.place.is_none(),
        }
    }

    /// Whether work of these departments is seen.
    pub fn sees_work<'a>(&self, departments: impl IntoIterator<Item = &'a DepartmentId>) -> bool {
        let mut departments = departments.into_iter();
        self.departments
            .as_ref()
            .is_none_or(|own| departments.any(|department| own.contains(department)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: &str = r#"
        department = [
            { id = "fire", name = "消防", name_en = "Fire", chip = "消" },
            { id = "police", name = "公安", name_en = "Police", chip = "公" },
        ]
        committee = [{ id = "c1", name = "一委" }]
        person = [{ id = "p1", name = "周" }]
        grid = [
            { id = "g1", name = "一格", committee = "c1", captain = "p1" },
            { id = "g2", name = "二格", committee = "c1", captain = "p1" },
        ]
        site = [
            { id = "q1", name = "一区", name_en = "Q1", width_m = 9.0, height_m = 9.0, x_m = 0.0, y_m = 0.0 },
            { id = "q2", name = "二区", name_en = "Q2", width_m = 9.0, height_m = 9.0, x_m = 0.0, y_m = 0.0 },
        ]
        zone = [
            { id = "z1", site = "q1", kind = "gate_lane", name = "东门", grid = "g1" },
            { id = "z2", site = "q1", kind = "gate_lane", name = "西门", grid = "g2" },
            { id = "z3", site = "q2", kind = "gate_lane", name = "南门", grid = "g2" },
        ]
    "#;

    fn registry() -> Registry {
        let registry = Registry::from_files([("places.toml", PLACES)]);
        registry.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
    }

    fn scope(json: &str) -> Scope {
        serde_json::from_str(json).expect("a scope")
    }

    /// Which of (q1, z1), (q1, z2), (q2, z3), (q1, no zone) are seen.
    fn check(given: &str, expect: [bool; 4]) {
        let reach = scope(given).within(&registry());
        let seen = [
            ("q1", Some("z1")),
            ("q1", Some("z2")),
            ("q2", Some("z3")),
            ("q1", None),
        ]
        .map(|(site, zone)| {
            let zone: Option<ZoneId> = zone.map(|id| id.parse().expect("an id"));
            reach.sees(&site.parse().expect("an id"), zone.as_ref())
        });
        assert_eq!(seen, expect, "{given}");
    }

    #[test]
    fn places_are_those_of_quarters_and_of_micro_grids_together() {
        check("{}", [true; 4]);
        check(r#"{"departments": ["fire"]}"#, [true; 4]);
        check(r#"{"quarters": ["q1"]}"#, [true, true, false, true]);
        check(r#"{"grids": ["g2"]}"#, [false, true, true, false]);
        check(
            r#"{"quarters": ["q2"], "grids": ["g1"]}"#,
            [true, false, true, false],
        );
    }

    #[test]
    fn a_place_that_was_taken_away_is_nowhere_and_not_everywhere() {
        check(r#"{"quarters": ["q9"]}"#, [false; 4]);
        check(r#"{"grids": ["g9"]}"#, [false; 4]);
        let reach = scope(r#"{"departments": ["market"]}"#).within(&registry());
        let (fire, market): (DepartmentId, DepartmentId) = (
            "fire".parse().expect("an id"),
            "market".parse().expect("an id"),
        );
        assert!(!reach.sees_work([&fire, &market]));
    }

    #[test]
    fn work_is_seen_by_whoever_has_a_part_in_it() {
        let reach = scope(r#"{"departments": ["fire"]}"#).within(&registry());
        let (fire, police): (DepartmentId, DepartmentId) = (
            "fire".parse().expect("an id"),
            "police".parse().expect("an id"),
        );
        assert!(reach.sees_work([&police, &fire]));
        assert!(!reach.sees_work([&police]));
        assert!(!reach.sees_work([]));
        assert!(Reach::default().sees_work([]));
    }

    #[test]
    fn a_scope_that_names_what_there_is_not_says_what() {
        let registry = registry();
        for (given, what) in [
            (r#"{"quarters": ["q1", "q9"]}"#, "there is no quarter `q9`"),
            (r#"{"grids": ["g7"]}"#, "there is no micro-grid `g7`"),
            (r#"{"departments": ["x"]}"#, "there is no department `x`"),
        ] {
            let refused = scope(given).check(&registry).expect_err("refused");
            assert_eq!(refused.to_string(), what);
        }
        let whole = r#"{"quarters": ["q1"], "grids": ["g1"], "departments": ["fire"]}"#;
        assert_eq!(scope(whole).check(&registry), Ok(()));
        assert_eq!(
            scope(whole).to_string(),
            "quarter:q1 grid:g1 department:fire"
        );
        assert_eq!(Scope::default().to_string(), "whole");
        assert!(serde_json::from_str::<Scope>(r#"{"quarter": ["q1"]}"#).is_err());
    }
}
