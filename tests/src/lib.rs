//! The harness of the black-box tests: starts a real hub on free ports with a directory of its own, talks to it over MQTT and
//! HTTP as a stranger would, and ends what it started. It links none of the hub's code.

mod browser;
mod hub;
mod mosquitto;
mod mqtt;
mod proxy;
mod tool;
mod wait;

pub use browser::Browser;
pub use hub::{Api, Credentials, Demo, Device, Hub, Login, artefacts, bin, repository};
pub use mosquitto::{Subscriber, publish};
pub use mqtt::{Hello, Message, Mqtt, Props, Welcome, packet};
pub use proxy::Proxy;
pub use tool::{Outcome, Tool, run};
pub use wait::{eventually, settles};
