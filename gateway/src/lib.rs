//! The hub: listener, adapters, pipeline and the composition root that ties them to store and dashboard.

pub mod accounts;
pub mod adapt;
pub mod adapter_files;
pub mod adapters;
pub mod authority;
pub mod bridges;
pub mod certificate;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod disk;
pub mod dispatch;
pub mod enrolment;
pub mod exchange;
pub mod feed;
pub mod fetch;
mod forget;
pub mod https;
pub mod hub;
pub mod kpi;
pub mod lifecycle;
pub mod listener;
pub mod logging;
pub mod marker;
pub mod ops;
pub mod panels;
pub mod pipeline;
pub mod probe;
pub mod push;
pub mod registry;
pub mod rerun;
pub mod rules;
mod screen;
pub mod set_back;

/// What is built into the executable.
pub mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}
