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

    /// Paths in double quotes.
    fn named_in(page: &Asset) -> Vec<&'static str> {
        let text = std::str::from_utf8(page.bytes).expect("UTF-8");
        text.split(['"', '`'])
            .filter_map(|part| part.strip_prefix('/'))
            .filter(|path| path.contains('.'))
            .collect()
    }

    #[test]
    fn the_pages_name_only_files_that_are_there() {
        let page = asset("index.html").expect("there is always a page");
        assert_eq!(AVAILABLE, !named_in(page).is_empty());
        assert_eq!(AVAILABLE, asset("report.html").is_some());
        assert_eq!(AVAILABLE, asset("work.html").is_some());
        let pages = ["index.html", "report.html", "work.html"];
        for page in pages.into_iter().filter_map(asset) {
            for path in named_in(page) {
                assert!(asset(path).is_some(), "{} names {path}", page.path);
            }
        }
    }

    #[test]
    fn a_phone_page_is_small_and_its_worker_keeps_all_of_it() {
        kept_by("report.html", "report-worker.js");
        kept_by("work.html", "work-worker.js");
    }

    fn kept_by(page: &str, worker: &str) {
        let found = (asset(page), asset(worker));
        assert_eq!(
            (found.0.is_some(), found.1.is_some()),
            (AVAILABLE, AVAILABLE)
        );
        let (Some(page), Some(worker)) = found else {
            return; // built without it
        };
        let kept = named_in(worker);
        let mut bytes = 0;
        for path in named_in(page) {
            assert!(
                kept.contains(&path),
                "the worker does not keep {path}: {kept:?}"
            );
            let file = asset(path).expect("named files are there");
            if file.immutable {
                bytes += file.gzip.unwrap_or(file.bytes).len();
            }
        }
        assert!(bytes > 10_000, "scripts and styles are named");
        assert!(
            bytes <= 60_000,
            "{bytes} bytes of scripts and styles over a poor line"
        );
        assert!(
            !worker.immutable,
            "browsers look at it to notice a new page"
        );
    }
}
