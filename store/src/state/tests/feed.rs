//! The feed: gap-free, in commit order, with the object as lists carry it.

use domain::Revision;
use domain::incident::Verb;

use super::fixture::{Hub, command, smoke};
use crate::state::{FEED_ROWS_MAX, FeedRow};

async fn whole(hub: &Hub, mut after: Revision) -> Vec<FeedRow> {
    let mut rows = Vec::new();
    loop {
        let page = hub.state.feed_after(after, 7).await.expect("reads");
        let Some(last) = page.last() else { return rows };
        after = last.revision;
        rows.extend(page);
    }
}

#[tokio::test]
async fn revisions_have_no_gap_and_the_last_row_is_what_is_served() {
    let hub = Hub::start().await;
    let hint = hub.state.hint();
    for seq in 1..=10 {
        let device = format!("smoke-{}", 1 + seq % 3);
        hub.find(vec![smoke(&device, seq)]).await;
    }
    for item in hub.items().await {
        hub.act(item.id, command(Verb::Claim, "li", Some("fire")))
            .await
            .expect("claimed");
    }
    let rows = whole(&hub, Revision(0)).await;
    let numbers: Vec<u64> = rows.iter().map(|row| row.revision.0).collect();
    assert_eq!(numbers, (1..=rows.len() as u64).collect::<Vec<_>>());
    assert_eq!(
        rows.last().map(|row| row.revision),
        Some(hub.state.revision())
    );
    assert_eq!(*hint.borrow(), hub.state.revision());
    for item in hub.items().await {
        let last = rows
            .iter()
            .rfind(|row| row.id == item.id.to_string())
            .expect("was told");
        assert_eq!(last.json, serde_json::to_string(&item).expect("serialises"));
        assert_eq!(
            (last.kind.as_str(), last.revision),
            ("incident", item.revision)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_leave_no_gap() {
    let hub = Hub::start().await;
    let id = hub.open_incident().await;
    let start = hub.state.revision();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let state = hub.state.clone();
        writers.spawn(async move {
            let user = format!("user-{n}");
            let version = state
                .incident(id)
                .await
                .expect("reads")
                .expect("is there")
                .item
                .version;
            let _ = state
                .command(
                    id,
                    version,
                    "k",
                    command(Verb::Claim, &user, Some("police")),
                )
                .await;
            state
                .commit_batch(
                    crate::state::Batch {
                        consumer: "b",
                        findings: vec![domain::rule::Finding {
                            seq: None,
                            ..smoke("smoke-1", n)
                        }],
                        ..Default::default()
                    },
                    &super::fixture::book(),
                )
                .await
                .expect("commits");
        });
    }
    writers.join_all().await;
    let numbers: Vec<u64> = whole(&hub, start)
        .await
        .iter()
        .map(|row| row.revision.0)
        .collect();
    assert_eq!(
        numbers,
        (start.0 + 1..=hub.state.revision().0).collect::<Vec<_>>()
    );
    assert!(numbers.len() > 20, "all were told");
}

#[tokio::test]
async fn the_ring_forgets_and_says_from_where_it_is_whole() {
    let hub = Hub::start().await;
    assert_eq!(hub.state.feed_start().await.expect("reads"), Revision(0));
    hub.find(vec![smoke("smoke-1", 1)]).await;
    assert_eq!(hub.state.feed_start().await.expect("reads"), Revision(0));
    sqlx::query("UPDATE counter SET value = $1 WHERE name = 'revision'")
        .bind(FEED_ROWS_MAX.cast_signed() + 5)
        .execute(&hub.state.shared.write)
        .await
        .expect("long afterwards");
    hub.find(vec![smoke("smoke-1", 2)]).await;
    let start = hub.state.feed_start().await.expect("reads");
    assert_eq!(start, Revision(FEED_ROWS_MAX + 5));
}
