//! The stories: each file tells one, from the outside, over a real hub.

mod bad_input;
mod browser;
mod kill9;
mod smoke_alarm;
