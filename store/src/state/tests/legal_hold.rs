//! Holds: who answers for what stays longer than its time, and what goes when nobody does.

use domain::incident::{Command, Verb};
use domain::privacy::{DELETED, Personal};
use domain::rule::Finding;
use domain::scope::Places;
use domain::{IncidentId, Reach, Severity, Timestamp, UserId};

use super::fixture::{Hub, at, command, finding};
use crate::state::{HoldError, HoldItem, IncidentItem, NewHold};

const DAY_S: i64 = 86_400;

fn lead() -> UserId {
    "zhou".parse().expect("a login")
}

/// A listed car at the gate: its plate is what the alarm is about, and in the detail.
fn car(plate: &str, seq: u64) -> Finding {
    let mut found = finding("B1", &format!("plate:{plate}@q1"), Severity::P3, seq);
    found.detail.insert("plate".to_owned(), plate.to_owned());
    found
}

/// Opens an incident about a car at a second and closes it at another.
async fn closed(hub: &Hub, plate: &str, opened: u64, closed: i64) -> IncidentId {
    hub.find(vec![car(plate, opened)]).await;
    let item = hub.items().await.into_iter().max_by_key(|item| item.number);
    let id = item.expect("it opened").id;
    let by = |verb| Command {
        at: at(closed),
        ..command(verb, "zhou", None)
    };
    hub.act(id, by(Verb::Cancel)).await.expect("cancelled");
    sqlx::query(
        "UPDATE alarm SET state = 'normal', cleared_at = last_event_at WHERE incident = $1",
    )
    .bind(id.to_string())
    .execute(&hub.state.shared.write)
    .await
    .expect("the car has gone");
    id
}

async fn hold(
    hub: &Hub,
    incident: IncidentId,
    until: i64,
    now: i64,
) -> Result<HoldItem, HoldError> {
    let new = NewHold {
        login: lead(),
        incident,
        reason: "诉讼".to_owned(),
        until: at(until),
    };
    hub.state.place_hold(new, at(now)).await
}

/// Takes away what was over before a second, at another.
async fn forget(hub: &Hub, before: i64, now: i64) {
    for class in Personal::ALL {
        let done = hub
            .state
            .forget_people(*class, at(before), at(now), 10)
            .await;
        done.expect("forgets");
    }
}

/// Subject, plate of the detail, and subjects of the alarms and of the feed.
async fn left(hub: &Hub, id: IncidentId) -> (String, String, String) {
    let item: IncidentItem = hub.view(id).await.item;
    let all: Vec<(String,)> = sqlx::query_as(
        "SELECT subject FROM alarm WHERE incident = $1 UNION ALL SELECT json FROM feed WHERE object = $1 OR object IN (SELECT id FROM alarm WHERE incident = $1)",
    )
    .bind(id.to_string())
    .fetch_all(&hub.state.shared.read)
    .await
    .expect("reads");
    let all: Vec<String> = all.into_iter().map(|row| row.0).collect();
    (item.subject, item.detail["plate"].clone(), all.join("\n"))
}

async fn trail(hub: &Hub) -> Vec<(String, String, Option<String>)> {
    sqlx::query_as("SELECT actor, act, note FROM audit WHERE act LIKE '%hold' OR act = 'forget_people' ORDER BY id")
        .fetch_all(&hub.state.shared.read)
        .await
        .expect("reads")
}

#[tokio::test]
async fn what_is_over_loses_what_is_about_people_and_what_is_held_keeps_it() {
    let hub = Hub::start().await;
    let hour: i64 = 3_600;
    // one that is held, one within two hours of it, one that is not
    let held = closed(&hub, "浙G11111", 10, 60).await;
    let beside = closed(&hub, "浙G22222", 60 + 2 * 3_600, 60 + 3 * hour).await;
    let apart = closed(&hub, "浙G33333", 61 + 2 * 3_600, 60 + 3 * hour).await;
    // and one that goes on
    hub.find(vec![car("浙G44444", 20_000)]).await;
    let open = hub.items().await.into_iter().max_by_key(|item| item.number);
    let open = open.expect("it opened").id;
    let placed = hold(&hub, held, 100 * DAY_S, 20_001).await.expect("placed");

    forget(&hub, 60, 90 * DAY_S).await;
    assert_eq!(left(&hub, apart).await.1, "浙G33333", "not yet");
    forget(&hub, 90 * DAY_S, 91 * DAY_S).await;
    for (id, plate) in [(held, "浙G11111"), (beside, "浙G22222"), (open, "浙G44444")] {
        let (subject, detail, _) = left(&hub, id).await;
        assert_eq!(
            (subject, detail.as_str()),
            (format!("plate:{plate}@q1"), plate)
        );
    }
    let (subject, detail, rest) = left(&hub, apart).await;
    assert!(
        subject.starts_with(&format!("plate:{DELETED}-")) && subject.ends_with("@q1"),
        "{subject}"
    );
    assert_eq!(detail, DELETED);
    assert!(!rest.contains("33333") && rest.contains(DELETED), "{rest}");
    // once
    let before = trail(&hub).await;
    forget(&hub, 90 * DAY_S, 92 * DAY_S).await;
    assert_eq!(trail(&hub).await, before);

    // it is over by itself
    forget(&hub, 90 * DAY_S, 100 * DAY_S - 1).await;
    assert_eq!(left(&hub, held).await.1, "浙G11111");
    forget(&hub, 90 * DAY_S, 100 * DAY_S).await;
    for id in [held, beside] {
        let (subject, detail, rest) = left(&hub, id).await;
        assert!(
            !format!("{subject} {rest}").contains("浙G"),
            "{subject} {rest}"
        );
        assert_eq!(detail, DELETED);
    }
    assert_eq!(left(&hub, open).await.1, "浙G44444");
    let rows = trail(&hub).await;
    let acts: Vec<&str> = rows.iter().map(|row| row.1.as_str()).collect();
    assert_eq!(
        acts,
        [
            "place_hold",
            "forget_people",
            "forget_people",
            "forget_people"
        ]
    );
    assert_eq!(
        (rows[0].0.as_str(), rows[0].2.as_deref()),
        ("zhou", Some("诉讼"))
    );
    assert_eq!(placed.expires_at.0, at(100 * DAY_S));
    assert_eq!(hub.state.verify_audit().await.expect("reads").broken, None);
}

#[tokio::test]
async fn a_hold_is_renewed_and_ended_by_name() {
    let hub = Hub::start().await;
    let incident = closed(&hub, "浙G11111", 10, 60).await;
    let now = 100;
    for (until, reason) in [
        (now, "诉讼"),
        (now + 366 * DAY_S + 1, "诉讼"),
        (now + DAY_S, "  "),
        (now + DAY_S, &"长".repeat(201)),
    ] {
        let new = NewHold {
            login: lead(),
            incident,
            reason: reason.to_owned(),
            until: at(until),
        };
        let refused = hub.state.place_hold(new, at(now)).await;
        assert!(
            matches!(refused, Err(HoldError::Invalid { .. })),
            "{refused:?}"
        );
    }
    let nobodys = IncidentId::new(uuid::Uuid::from_u128(1));
    let refused = hold(&hub, nobodys, now + DAY_S, now).await;
    assert!(matches!(refused, Err(HoldError::NotFound)), "{refused:?}");

    let first = hold(&hub, incident, now + 366 * DAY_S, now)
        .await
        .expect("placed");
    let renewed = hold(&hub, incident, now + 400 * DAY_S, now + 300 * DAY_S).await;
    let renewed = renewed.expect("renewed");
    assert_eq!(
        (renewed.id, renewed.expires_at.0),
        (first.id, at(now + 400 * DAY_S))
    );
    let held = async |at: Timestamp| hub.state.held(at).await.expect("reads").len();
    assert_eq!(held(at(now + 400 * DAY_S - 1)).await, 1);
    assert_eq!(held(at(now + 400 * DAY_S)).await, 0);

    let whole = Reach::default();
    let elsewhere = Reach {
        place: Some(Places::default()),
        departments: None,
    };
    let end = async |reach: &Reach, at: Timestamp| {
        let login = "sun".parse().expect("a login");
        hub.state.end_hold(first.id, &login, reach, at).await
    };
    let hidden = end(&elsewhere, at(200)).await;
    assert!(matches!(hidden, Err(HoldError::NotFound)), "{hidden:?}");
    forget(&hub, 299 * DAY_S, now + 300 * DAY_S).await;
    assert_eq!(left(&hub, incident).await.1, "浙G11111");
    end(&whole, at(now + 301 * DAY_S)).await.expect("ended");
    forget(&hub, 299 * DAY_S, now + 301 * DAY_S).await;
    assert_eq!(left(&hub, incident).await.1, DELETED);
    assert_eq!(held(at(now + 301 * DAY_S)).await, 0);
    let over = end(&whole, at(now + 302 * DAY_S)).await;
    assert!(matches!(over, Err(HoldError::Over)), "{over:?}");
    let again = hold(&hub, incident, now + 310 * DAY_S, now + 303 * DAY_S).await;
    let again = again.expect("another");
    assert_ne!(again.id, first.id);

    let list = async |cursor: Option<&str>, reach: &Reach| {
        let page = hub.state.holds(Some(incident), cursor, 1, reach).await;
        page.expect("reads")
    };
    let (page, next) = list(None, &whole).await;
    assert_eq!(page, [again]);
    let (page, none) = list(next.as_deref(), &whole).await;
    assert_eq!((page[0].id, none), (first.id, None));
    assert_eq!(page[0].ended_by.as_ref().map(UserId::as_str), Some("sun"));
    assert_eq!(list(None, &elsewhere).await, (Vec::new(), None));
    let acts: Vec<String> = trail(&hub).await.into_iter().map(|row| row.1).collect();
    assert_eq!(
        acts,
        [
            "place_hold",
            "renew_hold",
            "end_hold",
            "forget_people",
            "place_hold"
        ]
    );
}
