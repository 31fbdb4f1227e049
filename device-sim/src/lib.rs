//! The simulated compound: a fleet of devices, scenarios, and a load generator with an oracle.
