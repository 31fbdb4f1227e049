//! The simulated compound: a fleet of devices that speak the native format over real MQTT, scenarios that make something
//! happen, devices in the formats of their makers, messages played again from files, and a load generator with an oracle of
//! what was acknowledged.
//!
//! It stands in for hardware in tests and demonstrations and knows nothing of the hub's insides: it publishes, and it
//! remembers which publishes were acknowledged.

pub mod command;
pub mod credentials;
pub mod fleet;
pub mod latency;
mod later;
pub mod load;
pub mod native;
mod outbox;
pub mod replay;
pub mod scenario;
pub mod script;
pub mod vendor;
pub mod verify;
pub mod wire;

pub use credentials::SimDevice;
pub use fleet::{Fleet, FleetConfig, FleetReport};
pub use scenario::Scenario;
