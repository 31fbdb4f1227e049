//! Rule files: how they are read, watched while the hub runs, tested and tried on the past (`gateway rules …`), and changed in the browser.

mod backtest;
mod check;
mod files;
mod follow;
mod keep;
mod replay;
mod text;

pub use backtest::{Backtest, backtest};
pub use check::{check, test};
pub(crate) use files::{Stamp, paths, stamps};
pub use follow::Follow;
pub use keep::Keeper;
