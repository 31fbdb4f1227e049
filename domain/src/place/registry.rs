//! Everything that the files say, looked up by id.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{
    Building, Committee, Community, Department, Device, Grid, Household, Person, Profile, Rental,
    Site, WatchEntry, Zone,
};
use crate::id::{BuildingId, CommitteeId, GridId, HouseholdId, PersonId};
use crate::roster::Roster;
use crate::{DepartmentId, DeviceId, SiteId, UserId, ZoneId};

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
    /// Devices by their foreign address.
    pub addresses: BTreeMap<String, DeviceId>,
    /// Households by id.
    pub households: BTreeMap<HouseholdId, Household>,
    /// Declarations by flat, oldest declaration first.
    pub rentals: BTreeMap<ZoneId, Vec<Rental>>,
    /// What is watched, by [`watch_key`](super::watch_key).
    pub watch: BTreeMap<String, WatchEntry>,
    /// What is known of models of devices.
    pub profiles: BTreeMap<String, Profile>,
    /// Who is on duty when.
    pub roster: Roster,
}

impl Registry {
    /// The zone that a device stands in.
    pub fn zone_of(&self, device: &DeviceId) -> Option<&Zone> {
        self.zones.get(&self.devices.get(device)?.zone)
    }

    /// The device that an account calls so: `account:address` in the registry goes before `address`.
    pub fn device_at(&self, account: &str, address: &str) -> Option<&Device> {
        if self.addresses.is_empty() {
            return None;
        }
        let own = self.addresses.get(&format!("{account}:{address}"));
        self.devices
            .get(own.or_else(|| self.addresses.get(address))?)
    }

    /// The devices that are parts of what an account calls so: `address/component` in the registry.
    pub fn parts_at(&self, account: &str, address: &str) -> impl Iterator<Item = &Device> {
        let starts = (!self.addresses.is_empty())
            .then(|| [format!("{account}:{address}/"), format!("{address}/")]);
        starts.into_iter().flatten().flat_map(|start| {
            let from = self.addresses.range(start.clone()..);
            let parts = from.take_while(move |(address, _)| address.starts_with(&start));
            parts.filter_map(|(_, device)| self.devices.get(device))
        })
    }

    /// The micro-grid that a zone belongs to.
    pub fn grid_of(&self, zone: &ZoneId) -> Option<&Grid> {
        self.grids.get(&self.zones.get(zone)?.grid)
    }

    /// The captain of the micro-grid that a zone belongs to.
    pub fn captain_of(&self, zone: &ZoneId) -> Option<&Person> {
        self.people.get(self.grid_of(zone)?.captain.as_ref()?)
    }

    /// The self-governance committee that a zone belongs to.
    pub fn committee_of(&self, zone: &ZoneId) -> Option<&Committee> {
        self.committees.get(&self.grid_of(zone)?.committee)
    }

    /// The households of a flat, by id.
    pub fn households_in(&self, zone: &ZoneId) -> impl Iterator<Item = &Household> {
        self.households.values().filter(move |h| h.zone == *zone)
    }

    /// How many tenants are registered in a flat on a day; nothing where no declaration counts.
    pub fn registered_on(&self, zone: &ZoneId, day: Date) -> Option<u16> {
        let declared = self.rentals.get(zone)?;
        // the last of those that count is the one that was declared last
        let rental = declared.iter().rev().find(|r| r.counts_on(day))?;
        Some(rental.registered)
    }

    /// The person behind a log-in of the dashboard.
    pub fn person_of(&self, login: &UserId) -> Option<&Person> {
        self.people
            .values()
            .find(|p| p.login.as_ref() == Some(login))
    }
}
