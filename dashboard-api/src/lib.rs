//! The API: incidents, events, devices and the live feed over HTTP.
