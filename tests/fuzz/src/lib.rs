//! What the fuzz targets do with their bytes. Each panics when something is not as it must be.

mod adapters;
mod codec;
mod files;
mod session;

pub use adapters::adapters;
pub use codec::{codec_v4, codec_v5, native};
pub use files::{config, journal, photo};
pub use session::session;
