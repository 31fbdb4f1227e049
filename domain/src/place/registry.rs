//! Everything that the files say, looked up by id.

use std::collections::BTreeMap;

use super::{
    Building, Committee, Community, Department, Device, Grid, Person, Site, WatchEntry, Zone,
};
use crate::id::{BuildingId, CommitteeId, GridId, PersonId};
use crate::{DepartmentId, DeviceId, SiteId, ZoneId};

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

impl Registry {
    /// The zone that a device stands in.
    pub fn zone_of(&self, device: &DeviceId) -> Option<&Zone> {
        self.zones.get(&self.devices.get(device)?.zone)
    }
}
