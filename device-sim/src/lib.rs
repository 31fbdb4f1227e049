//! The simulated compound: a fleet of devices that speak the native format over real MQTT, scenarios that make something
//! happen, and a load generator with an oracle of what was acknowledged.
//!
//! It stands in for hardware in tests and demonstrations and knows nothing of the hub's insides: it publishes, and it
//! remembers which publishes were acknowledged.

pub mod command;
pub mod credentials;
pub mod fleet;
pub mod latency;
pub mod load;
pub mod native;
pub mod scenario;
pub mod script;
pub mod verify;

pub use credentials::SimDevice;
pub use fleet::{Fleet, FleetConfig, FleetReport};
pub use scenario::Scenario;
