//! The dashboard, built by `build.rs` and embedded: no files beside the program.
//!
//! `JIMING_WEB_DIST` names a ready build to embed, `JIMING_WEB=off` leaves the dashboard out. Without it, or without npm,
//! there is one page that says so.

/// One file of the dashboard.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its path without a leading slash, such as `index.html` or `assets/app-3f2a.js`.
    pub path: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// The same, compressed with gzip; none when that saves nothing.
    pub gzip: Option<&'static [u8]>,
    /// Its media type, with the character set of texts.
    pub content_type: &'static str,
    /// Its name changes with its content: it may be kept for ever.
    pub immutable: bool,
    /// Quoted, and changes with the content.
    pub etag: &'static str,
}

// `ASSETS` sorted by path, `AVAILABLE` and `HASH`
include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// The file at a path without a leading slash.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS
        .binary_search_by(|asset| asset.path.cmp(path))
        .ok()
        .map(|at| &ASSETS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_there_and_never_kept_for_ever() {
        let page = asset("index.html").expect("there is always a page");
        assert!(page.content_type.starts_with("text/html"));
        assert!(!page.immutable);
        assert!(!page.bytes.is_empty());
    }

    #[test]
    fn every_file_is_found_by_its_path_and_has_its_own_tag() {
        for file in ASSETS {
            let found = asset(file.path).expect("listed");
            assert_eq!(found.etag, file.etag);
            assert!(file.etag.starts_with('"') && file.etag.ends_with('"'));
        }
        assert!(asset("no/such/file.js").is_none());
        assert!(asset("").is_none());
        assert!(!HASH.is_empty());
    }

    #[test]
    fn the_page_names_only_files_that_are_there() {
        let page = asset("index.html").expect("there is always a page");
        let text = std::str::from_utf8(page.bytes).expect("UTF-8");
        let named: Vec<_> = text
            .split('"')
            .filter_map(|part| part.strip_prefix('/'))
            .collect();
        for path in &named {
            assert!(asset(path).is_some(), "{path} is missing");
        }
        assert_eq!(AVAILABLE, !named.is_empty());
    }
}
