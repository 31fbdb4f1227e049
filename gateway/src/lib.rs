//! The hub: listener, adapters, pipeline and the composition root that ties them to store and dashboard.

pub mod adapters;
pub mod clock;
pub mod config;
pub mod fanout;
pub mod lifecycle;
pub mod listener;
pub mod logging;

/// What is built into the executable.
pub mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}
