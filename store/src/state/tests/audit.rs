//! The audit trail notices what was done to it.

use domain::incident::{Command, Verb};

use super::fixture::{Hub, command, smoke};

async fn told() -> Hub {
    let hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let claim = Command {
        note: Some("我来".to_owned()),
        ..command(Verb::Claim, "li", Some("fire"))
    };
    hub.act(id, claim).await.expect("claimed");
    hub.act(id, command(Verb::Arrive, "li", Some("fire")))
        .await
        .expect("arrived");
    hub
}

async fn check(sql: &'static str, expect: Option<(i64, &str)>) {
    let hub = told().await;
    sqlx::query(sql)
        .execute(&hub.state.shared.write)
        .await
        .expect("tampered");
    let report = hub.state.verify_audit().await.expect("reads");
    let got = report
        .broken
        .as_ref()
        .map(|broken| (broken.id, broken.what));
    assert_eq!(got, expect, "after {sql}");
}

#[tokio::test]
async fn an_untouched_chain_holds_and_is_the_timeline() {
    let hub = told().await;
    let report = hub.state.verify_audit().await.expect("reads");
    assert_eq!((report.rows, report.broken), (4, None));
    let timeline = &hub.view(hub.items().await[0].id).await.timeline;
    let words: Vec<&str> = timeline.iter().map(|line| line.verb.as_str()).collect();
    assert_eq!(words, ["open", "dispatch", "claim", "arrive"]);
    assert_eq!(timeline[0].actor, "rule:S1");
    assert_eq!(
        (timeline[2].actor.as_str(), timeline[2].note.as_deref()),
        ("li", Some("我来"))
    );
    assert_eq!(
        (timeline[3].from.as_str(), timeline[3].to.as_str()),
        ("claimed", "on_scene")
    );
}

#[tokio::test]
async fn every_kind_of_tampering_shows() {
    check(
        "UPDATE audit SET actor = 'zhou' WHERE id = 3",
        Some((3, "the row was changed")),
    )
    .await;
    check(
        "UPDATE audit SET at = at + 1 WHERE id = 1",
        Some((1, "the row was changed")),
    )
    .await;
    check(
        "UPDATE audit SET note = '不' WHERE id = 3",
        Some((3, "the note was changed")),
    )
    .await;
    check(
        "DELETE FROM audit WHERE id = 2",
        Some((3, "a row before it is missing")),
    )
    .await;
    check(
        "DELETE FROM audit WHERE id = 4",
        Some((4, "the end of the chain is missing")),
    )
    .await;
    check(
        "INSERT INTO audit SELECT 5, at, actor, act, object, department, from_word, to_word, note, note_salt, note_digest, hash, hash
         FROM audit WHERE id = 4",
        Some((5, "the row was changed")),
    )
    .await;
}

#[tokio::test]
async fn a_note_can_be_deleted_and_the_chain_still_holds() {
    check(
        "UPDATE audit SET note = NULL, note_salt = NULL WHERE id = 3",
        None,
    )
    .await;
}
