//! Leave to see in full: with a purpose and an end, each written down, and given back.

use domain::privacy::{Personal, Purpose};
use domain::{IncidentId, UserId};
use jiff::SignedDuration;

use super::fixture::{Hub, at};
use crate::state::{Ground, NewUnmasking, StateError};

fn wang() -> UserId {
    "wang".parse().expect("a login")
}

fn asked(incident: IncidentId, purpose: Purpose, reason: Option<&str>) -> NewUnmasking {
    NewUnmasking {
        login: wang(),
        incident,
        purpose,
        reason: reason.map(str::to_owned),
        minutes: 30,
    }
}

async fn trail(hub: &Hub) -> Vec<(String, String, String, Option<String>)> {
    sqlx::query_as("SELECT actor, act, to_word, note FROM audit WHERE act IN ('unmask', 'end_unmasking', 'show', 'show_events', 'search') ORDER BY id")
        .fetch_all(&hub.state.shared.read)
        .await
        .expect("reads")
}

#[tokio::test]
async fn leave_has_a_purpose_and_an_end_and_is_written_down() {
    let hub = Hub::start().await;
    let incident = hub.open_incident().await;
    let state = &hub.state;
    let long = "长".repeat(201);
    let ask = |purpose, reason, minutes| NewUnmasking {
        minutes,
        ..asked(incident, purpose, reason)
    };
    for refused in [
        ask(Purpose::Tracing, None, 30),
        ask(Purpose::Review, Some("  "), 30),
        ask(Purpose::Handling, None, 4),
        ask(Purpose::Handling, None, 481),
        ask(Purpose::Handling, Some(&long), 30),
    ] {
        let answer = state.unmask(refused, at(0)).await;
        assert!(
            matches!(answer, Err(StateError::Invalid { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(trail(&hub).await, []);

    let new = asked(incident, Purpose::Tracing, Some("找车"));
    let leave = state.unmask(new, at(100)).await.expect("given");
    let ends = at(100) + SignedDuration::from_mins(30);
    assert_eq!((leave.asked_at.0, leave.expires_at.0), (at(100), ends));
    let alive = async |now| {
        state
            .unmaskings_of(&wang(), now)
            .await
            .expect("reads")
            .len()
    };
    assert_eq!(alive(ends - SignedDuration::from_secs(1)).await, 1);
    assert_eq!(alive(ends).await, 0);
    let other: UserId = "li".parse().expect("a login");
    assert_eq!(
        state.unmaskings_of(&other, at(101)).await.expect("reads"),
        []
    );

    // nobody else ends it, and it ends once
    let end = async |login: &UserId| state.end_unmasking(login, leave.id, at(200)).await;
    assert!(!end(&other).await.expect("answers"));
    assert!(end(&wang()).await.expect("answers"));
    assert!(!end(&wang()).await.expect("answers"));
    assert_eq!(alive(at(200)).await, 0);
    let words: Vec<_> = trail(&hub).await.into_iter().map(|row| row.1).collect();
    assert_eq!(words, ["unmask", "end_unmasking"]);

    // the list keeps what is over, page by page
    let new = asked(incident, Purpose::Handling, None);
    let second = state.unmask(new, at(300)).await.expect("given");
    let (first, next) = state.unmaskings(None, 1).await.expect("reads");
    assert_eq!(first, [second]);
    let (rest, none) = state.unmaskings(next.as_deref(), 1).await.expect("reads");
    assert_eq!(
        (rest[0].id, rest[0].reason.as_deref()),
        (leave.id, Some("找车"))
    );
    assert_eq!(none, None);
    assert_eq!(state.verify_audit().await.expect("reads").broken, None);
}

#[tokio::test]
async fn whoever_keeps_many_incidents_open_to_their_eyes_is_told_to_end_some() {
    let hub = Hub::start().await;
    let incident = hub.open_incident().await;
    for n in 0..20 {
        let new = asked(incident, Purpose::Handling, None);
        hub.state.unmask(new, at(n)).await.expect("given");
    }
    let new = asked(incident, Purpose::Handling, None);
    let refused = hub.state.unmask(new, at(21)).await;
    assert!(matches!(refused, Err(StateError::Invalid { .. })));
    let later = at(0) + SignedDuration::from_mins(31);
    let new = asked(incident, Purpose::Handling, None);
    assert!(hub.state.unmask(new, later).await.is_ok());
}

#[tokio::test]
async fn a_showing_is_written_once_for_each_ground_and_a_search_each_time() {
    let hub = Hub::start().await;
    let incident = hub.open_incident().await;
    let state = &hub.state;
    let new = asked(incident, Purpose::Handling, None);
    let leave = state.unmask(new, at(0)).await.expect("given");
    for ground in [
        Ground::Leave(leave.id),
        Ground::Leave(leave.id),
        Ground::Duty,
    ] {
        let noted = state.note_shown(&wang(), incident, &ground, at(1)).await;
        noted.expect("written");
    }
    for _ in 0..2 {
        let noted = state
            .note_search(&wang(), Personal::Plate, "浙G12345", at(2))
            .await;
        noted.expect("written");
    }
    let noted = state.note_shown_events(&wang(), incident, 3, at(3)).await;
    noted.expect("written");
    let shown: Vec<_> = trail(&hub).await.into_iter().skip(1).collect();
    let row = |act: &str, to: &str, note: Option<&str>| {
        let note = note.map(str::to_owned);
        ("wang".to_owned(), act.to_owned(), to.to_owned(), note)
    };
    assert_eq!(
        shown,
        [
            row("show", &leave.id.to_string(), None),
            row("show", "duty", None),
            row("search", "", Some("浙G12345")),
            row("search", "", Some("浙G12345")),
            row("show_events", "3 events", None),
        ]
    );
    // what was searched for can be deleted
    sqlx::query("UPDATE audit SET note = NULL, note_salt = NULL WHERE act = 'search'")
        .execute(&state.shared.write)
        .await
        .expect("deleted");
    assert_eq!(state.verify_audit().await.expect("reads").broken, None);
}
