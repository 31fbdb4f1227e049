//! What the fuzz targets do with their bytes. Each panics when something is not as it must be.

mod adapters;
mod codec;
mod files;
mod session;

pub use adapters::adapters;
pub use codec::{codec_v4, codec_v5, native};
pub use files::{config, journal, photo};
pub use session::session;

/// What a target of this name does; the names are those of the corpora.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    Some(match name {
        "codec_v4" => codec_v4,
        "codec_v5" => codec_v5,
        "session" => session,
        "native" => native,
        "adapters" => adapters,
        "journal" => journal,
        "config" => config,
        "photo" => photo,
        _ => return None,
    })
}
