//! A clock that stood years ahead is right again: what is to come moves, the record does not.

use domain::incident::{Command, Verb};
use domain::{IncidentId, Seq, Severity};
use jiff::SignedDuration;

use super::fixture::{Hub, at, batch, book, command, finding, smoke};
use crate::state::set_back::{MOVED, move_value};

const YEARS: i64 = 20 * 365 * 86_400;
/// Times that are the record's, and stay; and numbers that only look like times.
const KEPT: &[&str] = &[
    "account.created_at",
    "account.disabled_at",
    "account.logged_in_at",
    "api_token.created_at",
    "api_token.used_at",
    "audit.at",
    "certificate.issued_at",
    "certificate.not_after",
    "certificate.revoked_at",
    "credential.created_at",
    "delivery.answered_at",
    "delivery.ended_at",
    "device_command.asked_at",
    "duty_log.ends_at",
    "duty_log.starts_at",
    "duty_log.written_at",
    "fire_mode.ended_at",
    "incident.acknowledged_at",
    // computed anew from what moves
    "incident.due_at",
    "incident.occurred_at",
    "incident.opened_at",
    "incident_fact.acknowledge_due",
    "incident_fact.resolve_due",
    "legal_hold.ended_at",
    "legal_hold.placed_at",
    "maintenance.ended_at",
    "maintenance.planned_at",
    "notification.created_at",
    "notification.due",
    "quarantine.received_at",
    "report.created_at",
    "report.forgotten_at",
    "report.occurred_at",
    "second_factor.confirmed_at",
    "seen_in_full.at",
    "session.created_at",
    "session.used_at",
    "task.arrived_at",
    "task.claimed_at",
    "task.dispatched_at",
    "task.resolved_at",
    "task_fact.arrive_due",
    "task_fact.arrived_at",
    "task_fact.claim_due",
    "task_fact.claimed_at",
    "task_fact.dispatched_at",
    "task_fact.resolve_due",
    "task_fact.resolved_at",
    "unmasking.asked_at",
    "unmasking.ended_at",
];

#[tokio::test]
async fn a_second_step_that_was_used_in_the_future_can_be_used_again() {
    let hub = Hub::start().await;
    let write = &hub.state.shared.write;
    let ahead = at(YEARS).as_second() / 30;
    sqlx::query(
        "INSERT INTO account (login, name, role, password_hash, created_at) VALUES ('li', '李', 'operator', '', 0)",
    )
    .execute(write)
    .await
    .expect("made");
    sqlx::query("INSERT INTO second_factor (login, secret, last_step) VALUES ('li', '', $1)")
        .bind(ahead)
        .execute(write)
        .await
        .expect("made");
    let back = hub
        .state
        .set_back(at(0), SignedDuration::from_secs(YEARS))
        .await;
    back.expect("moves");
    let last: i64 = sqlx::query_scalar("SELECT last_step FROM second_factor")
        .fetch_one(&hub.state.shared.read)
        .await
        .expect("reads");
    assert_eq!(last, at(0).as_second() / 30);
}

#[tokio::test]
async fn every_time_of_the_state_moves_or_is_said_to_stay() {
    let hub = Hub::start().await;
    let all: Vec<String> = sqlx::query_scalar(
        "SELECT s.name || '.' || c.name FROM sqlite_schema s, pragma_table_info(s.name) c
         WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%' AND s.name <> '_sqlx_migrations' AND c.type = 'BIGINT'
           AND (c.name IN ('at', 'due', 'last_seen', 'epoch', 'not_after') OR c.name LIKE '%_at' OR c.name LIKE '%_due'
             OR c.name LIKE '%_until' OR c.name LIKE '%_since')
         ORDER BY 1",
    )
    .fetch_all(&hub.state.shared.read)
    .await
    .expect("reads");
    let moved = MOVED
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(move |c| format!("{table}.{c}")));
    let mut known: Vec<String> = moved.chain(KEPT.iter().map(|s| (*s).to_owned())).collect();
    known.sort_unstable();
    assert_eq!(all, known);
}

#[tokio::test]
async fn clocks_of_duty_run_again_and_the_record_stays() {
    let hub = Hub::start().await;
    // an ordinary one before; then the clock jumps, a fire is claimed and another is not seen by anybody
    let before = hub
        .find(vec![finding("B1", "plate:A", Severity::P3, 10)])
        .await
        .opened[0];
    let ahead = |second: i64| (YEARS + second).cast_unsigned();
    let fires = batch(
        ahead(100),
        vec![smoke("smoke-1", ahead(100)), smoke("smoke-2", ahead(100))],
    );
    let opened = hub.commit(fires).await.opened;
    assert_eq!(opened.len(), 2);
    let claim = Command {
        at: at(YEARS + 110),
        ..command(Verb::Claim, "li", Some("fire"))
    };
    hub.act(opened[0], claim).await.expect("claimed");
    let facts = hub.view(opened[1]).await;

    // the clock is right again, at 1000; the last word was at 120
    let (right, by) = (at(1000), SignedDuration::from_secs(YEARS + 120 - 1000));
    let late = hub.state.run_due(at(YEARS + 120), &book()).await;
    assert!(late.expect("runs").changed.contains(&before));
    let stuck = hub.state.next_due().await.expect("reads");
    assert!(
        stuck.is_some_and(|due| due > at(YEARS)),
        "for twenty years nobody is told"
    );
    let is_theirs = |id: &IncidentId| opened.contains(id);
    assert!(hub.state.set_back(right, by).await.expect("moves") > 0);
    let hub = hub.crash().await;
    // opened twenty seconds before the last word: due ten seconds from now
    let early = hub.state.run_due(at(1009), &book()).await.expect("runs");
    assert!(!early.changed.iter().any(is_theirs), "{early:?}");
    let climbed = hub.state.run_due(at(1011), &book()).await.expect("runs");
    assert!(climbed.changed.contains(&opened[1]), "{climbed:?}");
    let lapsed = hub.state.run_due(at(1010 + 3 * 60), &book()).await;
    assert!(
        lapsed.expect("runs").changed.contains(&opened[0]),
        "the lease is over"
    );
    let view = hub.view(opened[1]).await;
    assert_eq!(view.item.opened_at, facts.item.opened_at);
    assert_eq!(hub.view(before).await.item.opened_at.0, at(10));
    assert_eq!(hub.state.verify_audit().await.expect("reads").broken, None);
    // nothing that moves lies ahead; again it changes nothing
    let again = hub.state.set_back(at(100_000), by).await.expect("moves");
    assert_eq!(again, 0);
    assert_eq!(
        hub.state.cursor("detect").await.expect("a cursor"),
        Seq(ahead(100))
    );
}

#[tokio::test]
async fn what_was_begun_before_a_small_jump_is_not_due_for_ever() {
    let hub = Hub::start().await;
    // rungs at 50, 100 and 150 % of a quarter of an hour: the second has been told, the third lies ahead
    let found = finding("B1", "plate:A", Severity::P3, 10);
    let id = hub.find(vec![found]).await.opened[0];
    hub.state.run_due(at(911), &book()).await.expect("runs");
    let by = SignedDuration::from_mins(10);
    hub.state.set_back(at(1000), by).await.expect("moves");
    let due = hub.state.next_due().await.expect("reads");
    assert_eq!(due, Some(at(1360)));
    let told = hub.state.run_due(at(1360), &book()).await.expect("runs");
    assert_eq!(told.changed, [id]);
}

#[test]
fn times_in_texts_move_and_other_numbers_do_not() {
    let right = at(0);
    let by = SignedDuration::from_secs(100);
    let mut value = serde_json::json!({
        "due": at(300).to_string(), "was": at(-300).to_string(), "n": 7, "word": "2026",
        "times": [i64::try_from(at(300).as_nanosecond()).expect("fits"), at(300).as_microsecond(), -1, 0.5],
    });
    assert!(move_value(&mut value, right, by));
    assert_eq!(value["due"], at(200).to_string());
    assert_eq!(value["was"], at(-300).to_string());
    assert_eq!(
        value["times"][0],
        i64::try_from(at(200).as_nanosecond()).expect("fits")
    );
    assert_eq!(value["times"][1], at(300).as_microsecond());
    assert!(!move_value(
        &mut serde_json::json!({"n": 7, "at": null}),
        right,
        by
    ));
}
