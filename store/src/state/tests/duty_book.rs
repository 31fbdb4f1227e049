//! The duty book: lines come once and late ones are said to be, and nobody hands over past a P1.

use domain::duty_book::{HandoverState, Refused};
use domain::incident::{Command, Verb};
use domain::kpi::canonical;
use domain::{Severity, Timestamp, UserId};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use sqlx::AssertSqlSafe;

use super::fixture::{Hub, at, command, finding, smoke};
use crate::state::duty_log::OPEN_AT;
use crate::state::{HandoverError, State};

const TWO_HOURS: SignedDuration = SignedDuration::from_hours(2);
/// The first even hour after the fixture's beginning, in its seconds.
const HOUR: i64 = 7200 - 1_700_000_000 % 7200;

async fn write(state: &State, second: i64) -> usize {
    let written = state.write_duty_log(at(second), TWO_HOURS).await;
    written.expect("writes")
}

fn user(login: &str) -> UserId {
    login.parse().expect("a login")
}

#[tokio::test]
async fn a_line_is_written_once_when_its_hours_are_over_and_missed_ones_are_made_up_for() {
    let hub = Hub::start().await;
    assert_eq!(write(&hub.state, 0).await, 0, "the book begins");
    hub.find(vec![smoke("smoke-1", 10)]).await;
    let fine = finding("B1", "plate:A", Severity::P3, 20);
    hub.find(vec![fine]).await;
    assert_eq!(write(&hub.state, HOUR - 1).await, 0);
    assert_eq!(write(&hub.state, HOUR).await, 1);
    assert_eq!(write(&hub.state, HOUR + 1).await, 0);

    // down for a day, killed
    let hub = hub.crash().await;
    assert_eq!(write(&hub.state, HOUR + 86_400).await, 12);
    assert_eq!(write(&hub.state, HOUR + 86_400).await, 0);
    let log = hub.state.duty_log(at(-9000), at(HOUR + 90_000)).await;
    let log = log.expect("reads");
    assert_eq!((log.lines.len(), log.gaps.len()), (13, 0));
    let first = log.lines.last().expect("a line");
    assert!(!first.is_late);
    assert_eq!(
        (first.line.opened, first.line.rung, first.line.shelved),
        (2, 2, Some(0))
    );
    assert_eq!(first.line.open[&Severity::P1], 1);
    // the last hours have just ended; what was before nobody looked at
    let late: Vec<bool> = log.lines.iter().map(|line| line.is_late).collect();
    assert_eq!(late.iter().filter(|late| **late).count(), 11);
    assert!(!late[0] && late[1]);
    assert_eq!(log.lines[1].line.shelved, None);
    // a line that is gone shows
    sqlx::query("DELETE FROM duty_log WHERE starts_at = $1")
        .bind(log.lines[3].from.0.as_microsecond())
        .execute(&hub.state.shared.write)
        .await
        .expect("deleted");
    let log = hub.state.duty_log(at(-9000), at(HOUR + 90_000)).await;
    assert_eq!(log.expect("reads").gaps.len(), 1);
    let report = hub.state.verify_audit().await.expect("reads");
    assert_eq!(report.broken, None);
}

#[tokio::test]
async fn nobody_hands_over_past_a_p1_and_what_was_signed_stays() {
    let hub = Hub::start().await;
    let id = hub.find(vec![smoke("smoke-1", 10)]).await.opened[0];
    let (wang, li) = (user("wang"), user("li"));
    let noted = hub
        .state
        .add_duty_note(wang.clone(), "东门杆修过".to_owned(), at(20));
    noted.await.expect("noted");
    let sign = async |state: &State, number: i64, by: &UserId, when: Timestamp| {
        state.sign_handover(number, by.clone(), when).await
    };
    let first = hub.state.prepare_handover(wang.clone(), at(30)).await;
    let first = first.expect("prepared");
    assert_eq!(first.text["open"][0]["number"], 1001);
    assert_eq!(first.text["notes"][0]["note"], "东门杆修过");
    let again = hub.state.prepare_handover(li.clone(), at(40)).await;
    let again = again.expect("prepared anew");
    assert_eq!((again.number, &again.prepared_by), (first.number, &li));

    let signed = sign(&hub.state, again.number, &wang, at(50)).await;
    let signed = signed.expect("signed");
    assert_eq!(signed.state, HandoverState::Signed);
    let same = sign(&hub.state, signed.number, &wang, at(60)).await;
    assert!(matches!(
        same,
        Err(HandoverError::Refused(Refused::SamePerson))
    ));
    // killed between the two signatures
    let hub = hub.crash().await;
    let waits = sign(&hub.state, signed.number, &li, at(70)).await;
    let Err(HandoverError::Refused(Refused::Unacknowledged(numbers))) = waits else {
        panic!("{waits:?}");
    };
    assert_eq!(numbers, [1001]);
    let seen = Command {
        at: at(80),
        ..command(Verb::Acknowledge, "li", None)
    };
    hub.act(id, seen).await.expect("seen");
    // what those who went have signed is not written anew
    let frozen = hub.state.prepare_handover(li.clone(), at(85)).await;
    assert_eq!(frozen.expect("stays"), signed);
    let complete = sign(&hub.state, signed.number, &li, at(90)).await;
    let complete = complete.expect("complete");
    assert_eq!(complete.state, HandoverState::Complete);
    assert_eq!(
        (&complete.text, &complete.sha256),
        (&signed.text, &signed.sha256)
    );
    let sum = hex::encode(Sha256::digest(canonical(&complete.text)));
    assert_eq!(sum, complete.sha256, "computed again");
    assert_eq!(
        complete.is_on_time,
        Some(false),
        "the fixture has no shifts"
    );

    let next = hub.state.prepare_handover(li, at(100)).await;
    let next = next.expect("the next one");
    assert_eq!(next.number, complete.number + 1);
    assert_eq!(
        next.text["notes"],
        serde_json::json!([]),
        "handed over already"
    );
    let trail: Vec<String> =
        sqlx::query_scalar("SELECT to_word FROM audit WHERE act = 'sign_handover' ORDER BY id")
            .fetch_all(&hub.state.shared.read)
            .await
            .expect("reads");
    let sha256 = &complete.sha256;
    assert_eq!(
        trail,
        [format!("signed {sha256}"), format!("complete {sha256}")]
    );
    assert!(matches!(
        sign(&hub.state, 99, &wang, at(1)).await,
        Err(HandoverError::NotFound)
    ));
}

#[tokio::test]
async fn what_was_open_is_counted_from_indexes_and_as_it_was() {
    const NAIVE: &str = "SELECT severity, COUNT(*) FROM incident
         WHERE opened_at < $1 AND state <> 'merged' AND COALESCE(resolved_at, $1) >= $1 AND COALESCE(closed_at, $1) >= $1
         GROUP BY severity";
    let hub = Hub::start().await;
    // each with when it was resolved and closed, if it was
    let ends = [None, Some(100), Some(200), Some(300)];
    let mut rows = Vec::new();
    for resolved in ends {
        for closed in ends {
            for state in ["open", "closed", "merged"] {
                rows.push((resolved, closed, state));
            }
        }
    }
    for (seq, (resolved, closed, state)) in (1_u64..).zip(&rows) {
        let severity = if seq % 2 == 0 {
            Severity::P2
        } else {
            Severity::P3
        };
        let found = finding("B1", &format!("plate:{seq}"), severity, seq * 3);
        let id = hub.find(vec![found]).await.opened[0];
        let us = |second: &Option<i64>| second.map(|second| at(second).as_microsecond());
        sqlx::query(
            "UPDATE incident SET state = $1, resolved_at = $2, closed_at = $3 WHERE id = $4",
        )
        .bind(state)
        .bind(us(resolved))
        .bind(us(closed))
        .bind(id.to_string())
        .execute(&hub.state.shared.write)
        .await
        .expect("updated");
    }
    let count = async |sql: &'static str, second: i64| -> Vec<(i64, i64)> {
        let rows = sqlx::query_as(sql)
            .bind(at(second).as_microsecond())
            .fetch_all(&hub.state.shared.read)
            .await;
        rows.expect("reads")
    };
    for second in [0, 50, 99, 100, 101, 150, 200, 201, 300, 301, 9000] {
        let (found, expected) = (count(OPEN_AT, second).await, count(NAIVE, second).await);
        assert_eq!(found, expected, "at {second}");
    }
    let plan = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {OPEN_AT}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan)
        .bind(0_i64)
        .fetch_all(&hub.state.shared.read)
        .await
        .expect("explains");
    let steps: Vec<&str> = steps.iter().map(|step| step.3.as_str()).collect();
    let looks: Vec<&&str> = steps.iter().filter(|s| s.contains(" incident ")).collect();
    assert_eq!(looks.len(), 3, "{steps:?}");
    assert!(
        looks
            .iter()
            .all(|s| s.starts_with("SEARCH incident USING INDEX incident_")),
        "{steps:?}"
    );
}
