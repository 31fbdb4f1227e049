//! What outlives a restart: the journal (what came in), the event store (history), the state (registry, alarms, incidents, users).

pub mod events;
pub mod journal;
pub mod state;
