//! An administrator in a real browser (headless Chromium): makes a user who changes the first password, disables them and sees their log-in
//! end, makes and revokes a token, reads the audit log and has it verified; in both themes and languages, with nothing that axe finds.

use blackbox::{Browser, Hub};

#[tokio::test]
async fn an_administrator_goes_through_the_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let admin = hub.demo.user("administrator");
    Browser::start("admin", &[&hub.demo.http, &admin.login, &admin.password]).done();
}
