//! The dashboard, built and embedded.

/// One file of the dashboard.
#[derive(Debug)]
pub struct Asset {
    /// Its path below the root, as in `assets/app.js`.
    pub path: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// The same, compressed with gzip.
    pub gzip: Option<&'static [u8]>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its name changes with its content.
    pub immutable: bool,
    /// Changes with its content, in quotes.
    pub etag: &'static str,
}

/// Whether the dashboard was built in.
pub const AVAILABLE: bool = false;
/// Changes with any file.
pub const HASH: &str = "none";

/// The file at a path.
pub fn asset(_path: &str) -> Option<&'static Asset> {
    None
}
