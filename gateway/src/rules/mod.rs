//! Rule files: how they are read, watched while the hub runs, tested and tried on the past (`gateway rules …`).

mod backtest;
mod check;
mod files;
mod follow;

pub use backtest::{Backtest, backtest};
pub use check::{check, test};
pub(crate) use files::{Stamp, stamps};
pub use follow::Follow;
