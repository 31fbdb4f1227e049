//! The way of an uplink behind the journal.
//!
//! Three consumers read the journal, each with a cursor of its own that moves in one transaction with its effects: [`detect`]
//! (rules → alarms → incidents, in the state database), [`project`] (history, in the event store) and [`snapshots`] (pictures, behind the
//! detector). Neither of the first two waits for another; after a crash each goes on where its own cursor stands. There is no other start-up path.

pub mod detect;
pub mod project;
pub mod snapshots;
pub mod source;
pub mod stats;

pub use stats::Stats;
