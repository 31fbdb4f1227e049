//! Commands to simulated devices: `ssg/v1/{site}/{device}/cmd/{command}` comes down, `…/rsp/{command}` goes up.
//!
//! Cast: the *message* is what came; the *key* says who may send it; the *executor* decides, one per device and without any
//! connection or clock of its own; its *manner* makes it refuse, delay, lie or keep silent; its *memory* outlives it, so that
//! nothing is done twice; *effects* are what a command does to a door, a barrier or a detector.

mod effects;
mod executor;
mod key;
mod manner;
mod memory;
mod message;

pub use executor::{CHALLENGE_TIME, Executor, Heard, Note, Now, Reaction, What};
pub use key::{Key, KeyError};
pub use manner::{Behaviour, Manner, Manners};
pub use memory::{Memory, MemoryError};
pub use message::{Answer, Command, Status, canonical};
