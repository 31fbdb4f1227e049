//! Vocabulary and decisions of Jiming: what an event, a place, a rule, an alarm and an incident are, and what may happen to them.
//!
//! Pure and synchronous: no tokio, SQL, HTTP, clock or log. Time and randomness come in as arguments; what has to be done
//! goes out as values. The words are those of `docs/ARCHITECTURE.md`.

pub mod alarm;
pub mod device_command;
pub mod duty_book;
pub mod event;
pub mod id;
pub mod incident;
pub mod kpi;
pub mod place;
pub mod privacy;
pub mod roster;
pub mod rule;
pub mod scope;
pub mod snapshot;
pub mod uplink;

pub use event::{Attrs, ClockSource, DeviceClass, Event, Kind, Phase, Severity};
pub use id::{
    AlarmId, CommandId, DepartmentId, DeviceId, EventId, FireModeId, HoldId, IncidentId, ReportId,
    Revision, RuleId, Seq, SiteId, StormId, TaskId, UnmaskingId, UserId, ZoneId,
};
pub use jiff::Timestamp;
pub use scope::{Reach, Scope};
pub use snapshot::Shows;
pub use uplink::{Lane, Uplink, UplinkExtra, UplinkFlags};
