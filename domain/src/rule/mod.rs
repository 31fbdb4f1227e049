//! Rules: what of the stream of events deserves a human's attention.

mod book;
mod finding;

pub use book::{Clocks, RuleBook, RuleMeta};
pub use finding::{Finding, FindingKind, WindowChange, WindowRow};
