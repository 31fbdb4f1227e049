//! Another registry takes the place of the one at work.

use std::sync::Arc;

use super::super::{RegistryChange, StateError};
use super::fixture::{Hub, at, registry};

fn change(version: &str, before: Option<&str>) -> RegistryChange {
    RegistryChange {
        version: version.to_owned(),
        by: "wu".to_owned(),
        act: "import_registry",
        kind: Some("devices".to_owned()),
        lines: [1, 2, 3],
        before: before.map(str::to_owned),
        note: None,
    }
}

#[tokio::test]
async fn it_is_there_at_once_and_written_with_who_did_it() -> Result<(), StateError> {
    let hub = Hub::start().await;
    let state = &hub.state;
    assert_eq!(state.registry_version().await?, None);
    state.begin_registry("v1", at(0)).await?;
    state.begin_registry("v9", at(0)).await?;
    assert_eq!(state.registry_version().await?.as_deref(), Some("v1"));
    let (revision, mut changes) = (state.revision(), state.registry_changes());
    let other = registry();
    state
        .replace_registry(Arc::clone(&other), change("v2", Some("id\n")), at(1))
        .await?;
    assert!(Arc::ptr_eq(&other, &state.registry()));
    assert!(changes.has_changed().expect("it is there"));
    assert!(Arc::ptr_eq(&other, &changes.borrow_and_update()));
    let told = state.feed_after(revision, 10).await?;
    assert_eq!((told.len(), told[0].kind.as_str()), (1, "registry"));
    let versions = state.registry_versions(10).await?;
    let said: Vec<_> = versions
        .iter()
        .map(|v| (v.version.as_str(), v.by.as_str(), v.can_undo))
        .collect();
    assert_eq!(said, [("v2", "wu", true), ("v1", "hub", false)]);
    assert_eq!(
        state.registry_before(2).await?,
        Some(("devices".to_owned(), "id\n".to_owned()))
    );
    let report = state.verify_audit().await?;
    assert_eq!((report.rows, report.broken), (1, None));
    Ok(())
}

/// What makes the database refuse: a line of the trail, or the whole at its end.
const REFUSALS: [&[&str]; 2] = [
    &["CREATE TRIGGER no_line BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"],
    &[
        "CREATE TABLE broken (incident TEXT REFERENCES incident (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER no_end AFTER INSERT ON feed BEGIN INSERT INTO broken VALUES ('nobody'); END",
    ],
];

#[tokio::test]
async fn what_cannot_be_written_whole_leaves_the_one_before_at_work() -> Result<(), StateError> {
    for refusal in REFUSALS {
        let hub = Hub::start().await;
        let state = &hub.state;
        state.begin_registry("v1", at(0)).await?;
        for sql in refusal {
            sqlx::query(*sql).execute(&state.shared.write).await?;
        }
        let (before, revision) = (state.registry(), state.revision());
        let refused = state
            .replace_registry(registry(), change("v2", Some("t")), at(1))
            .await;
        assert!(refused.is_err(), "{refusal:?}");
        assert!(Arc::ptr_eq(&before, &state.registry()), "{refusal:?}");
        assert_eq!(state.registry_version().await?.as_deref(), Some("v1"));
        assert_eq!(state.registry_versions(10).await?.len(), 1);
        assert_eq!(state.revision(), revision);
        assert_eq!(state.feed_after(revision, 10).await?, []);
        assert_eq!(state.verify_audit().await?.rows, 0);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_kept_of_it_has_a_bound() -> Result<(), StateError> {
    let hub = Hub::start().await;
    for number in 1..=210 {
        let version = format!("v{number}");
        hub.state
            .replace_registry(registry(), change(&version, Some("t")), at(number))
            .await?;
    }
    let versions = hub.state.registry_versions(500).await?;
    assert_eq!(versions.len(), 200);
    assert_eq!(versions.iter().filter(|v| v.can_undo).count(), 20);
    Ok(())
}
