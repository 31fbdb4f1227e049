//! The registry: which places, departments, people and devices there are, and how they hang together.
//!
//! Read from a folder of files: any number of `*.toml` with tables `[community]`, `[[department]]`, `[[committee]]`, `[[grid]]`,
//! `[[person]]`, `[[site]]`, `[[building]]`, `[[zone]]`, `[[household]]`, `[[rental]]`, `[[watch]]`, `[[profile]]`, those of [`crate::roster`], and `*.csv` tables, of which
//! `devices.csv` is one (see [`TableKind`]). The folder is read by the caller; here its texts are parsed and checked as a whole, and
//! *all* mistakes are listed, each with file and line.

mod check;
mod contact;
mod device;
mod evacuation;
mod household;
mod import;
mod load;
mod mistake;
mod organisation;
mod plan;
mod profile;
mod registry;
mod table;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use check::must_be;
pub use contact::Contact;
pub use device::{Device, Sensor};
pub use evacuation::EvacuationNote;
pub use household::{Household, Rental};
pub use import::{Changed, Import};
pub use mistake::RegistryError;
pub(crate) use mistake::Report;
pub use organisation::{Committee, Community, Department, Grid, Person};
pub use plan::{Building, Rect, Site, Zone, ZoneKind};
pub use profile::{Component, LowCharge, Power, Profile};
pub use registry::Registry;
pub use table::{Cells, TableKind};
pub use watch::{WatchEntry, masked_watch_key, normal_plate, watch_key};
