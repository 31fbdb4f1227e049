//! What outlives a restart: the journal (what came in), the event store (history), the state (registry, alarms, incidents, users),
//! the sessions (what MQTT clients are still owed), the photos that reports name.

pub mod events;
pub mod journal;
pub mod photos;
pub mod sessions;
pub mod signature;
pub mod state;
