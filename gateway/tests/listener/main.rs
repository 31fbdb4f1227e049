//! The listener over real TCP, byte by byte, with a real journal behind it.

mod bench;
mod protocol;
mod rules;
