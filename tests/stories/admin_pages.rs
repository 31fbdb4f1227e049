//! An administrator in a real browser (headless Chromium): makes a user who changes the first password, disables them and sees their log-in
//! end, makes and revokes a token, reads the audit log and has it verified; in both themes and languages, with nothing that axe finds.

use std::process::Command;

use blackbox::{Hub, artefacts, repository};

#[tokio::test]
async fn an_administrator_goes_through_the_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let admin = hub.demo.user("administrator");
    let out = Command::new("node")
        .arg(repository().join("tests/browser/admin.mjs"))
        .args([&hub.demo.http, &admin.login, &admin.password])
        .arg(artefacts())
        .output()
        .expect("node runs");
    assert!(
        out.status.success(),
        "see artefacts/admin-failed.png: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}
