//! The registry in a real browser (headless Chromium): a property manager changes a row and a table and takes it back, a station lead
//! watches a plate; in both themes, with nothing that axe finds.

use std::process::Command;

use blackbox::{artefacts, repository};

use crate::registry::hub_over;

#[tokio::test]
async fn a_property_manager_changes_the_registry() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub_over(dir.path(), &[]).await;
    let (manager, lead) = (
        hub.demo.user("property_manager"),
        hub.demo.user("station_lead"),
    );
    let out = Command::new("node")
        .arg(repository().join("tests/browser/registry_pages.mjs"))
        .arg(&hub.demo.http)
        .arg(artefacts())
        .args([&manager.login, &manager.password])
        .args([&lead.login, &lead.password])
        .output()
        .expect("node runs");
    assert!(
        out.status.success(),
        "see artefacts/registry-failed.png: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}
