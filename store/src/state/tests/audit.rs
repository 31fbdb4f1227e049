//! The audit trail notices what was done to it.

use domain::incident::{Command, Verb};

use super::fixture::{Hub, command, smoke};
use crate::state::AuditFilter;

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

#[tokio::test]
async fn rows_are_found_by_time_actor_act_and_object_page_by_page() {
    let hub = told().await;
    let ids = async |filter: AuditFilter, limit| {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = hub.state.audit(&filter, cursor.as_deref(), limit).await;
            let page = page.expect("reads");
            assert!(page.items.len() <= limit as usize);
            found.extend(page.items.into_iter().map(|item| item.id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return found.join(" "),
            }
        }
    };
    let all = AuditFilter::default();
    assert_eq!(ids(all.clone(), 3).await, "4 3 2 1");
    assert_eq!(ids(all.clone(), 100).await, "4 3 2 1");
    let first = hub.state.audit(&all, None, 100).await.expect("reads");
    let (object, last) = (first.items[0].object.clone(), first.items[0].at.0);
    let word = |text: &str| Some(text.to_owned());
    for (filter, found) in [
        (
            AuditFilter {
                actor: word("li"),
                ..all.clone()
            },
            "4 3",
        ),
        (
            AuditFilter {
                act: word("claim"),
                ..all.clone()
            },
            "3",
        ),
        (
            AuditFilter {
                object: word(&object),
                ..all.clone()
            },
            "4 3 2 1",
        ),
        (
            AuditFilter {
                object: word("inc_*"),
                ..all.clone()
            },
            "4 3 2 1",
        ),
        (
            AuditFilter {
                object: word("inc_"),
                ..all.clone()
            },
            "",
        ),
        (
            AuditFilter {
                object: word("account:*"),
                ..all.clone()
            },
            "",
        ),
        (
            AuditFilter {
                actor: word("li"),
                act: word("open"),
                ..all.clone()
            },
            "",
        ),
        (
            AuditFilter {
                from: Some(last + jiff::SignedDuration::from_secs(1)),
                ..all.clone()
            },
            "",
        ),
    ] {
        assert_eq!(ids(filter.clone(), 2).await, found, "{filter:?}");
    }
    let before = AuditFilter {
        to: Some(last),
        ..all.clone()
    };
    assert!(!ids(before, 9).await.contains('4'));
    assert!(hub.state.audit(&all, Some("x"), 9).await.is_err());
    let long = AuditFilter {
        actor: Some("x".repeat(201)),
        ..all
    };
    assert!(hub.state.audit(&long, None, 9).await.is_err());
}
