//! Stories over a real file: each test has a directory of its own.

mod batches;
#[allow(dead_code, reason = "the stories that use the rest follow")]
mod fixture;
