//! The registry in a real browser (headless Chromium): a property manager changes a row and a table and takes it back, a station lead
//! watches a plate; in both themes, with nothing that axe finds.

use blackbox::Browser;

use crate::registry::hub_over;

#[tokio::test]
async fn a_property_manager_changes_the_registry() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub_over(dir.path(), &[]).await;
    let (manager, lead) = (
        hub.demo.user("property_manager"),
        hub.demo.user("station_lead"),
    );
    Browser::start(
        "registry_pages",
        &[
            &hub.demo.http,
            &manager.login,
            &manager.password,
            &lead.login,
            &lead.password,
        ],
    )
    .done();
}
