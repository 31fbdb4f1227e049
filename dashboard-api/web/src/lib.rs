//! The dashboard, built and embedded.
