//! The hub: listener, adapters, pipeline and the composition root that ties them to store and dashboard.

pub mod adapters;
pub mod fanout;
pub mod listener;
