//! The embedded dashboard as the API serves it.

use dashboard_api::{Asset, Ui};

/// The files that were built into this executable.
pub(crate) struct Screen;

impl Ui for Screen {
    fn asset(&self, path: &str) -> Option<Asset> {
        dashboard_web::asset(path).map(|asset| Asset {
            bytes: asset.bytes,
            gzip: asset.gzip,
            content_type: asset.content_type,
            immutable: asset.immutable,
            etag: asset.etag,
        })
    }

    fn hash(&self) -> &str {
        dashboard_web::HASH
    }

    fn is_available(&self) -> bool {
        dashboard_web::AVAILABLE
    }
}
