//! People's reports: each one an incident, or part of one; once, whole, and with an end to what is kept of the person.

use domain::incident::{IncidentState, Satisfaction, Verb};
use domain::rule::{ReportPlan, ReportType, RuleBook};
use domain::{Severity, Timestamp, UserId};

use super::fixture::{Hub, at, command, rule};
use crate::state::{
    CommandError, IncidentView, NewReport, ReportContact, ReportError, ReportItem, ReportPhoto,
    ReportState, Reported, ReportedBy, StateError,
};

const DAY_S: i64 = 24 * 3600;

fn plan(id: &str, about: ReportType, severity: Severity) -> domain::rule::RuleMeta {
    domain::rule::RuleMeta {
        reports: Some(ReportPlan {
            types: vec![about],
            severity,
        }),
        ..rule(id, "fire", &["police"], false, &[])
    }
}

/// Hazards are P1 here, so that a report is dispatched at once.
fn book() -> RuleBook {
    [
        plan("G1-hazard", ReportType::FireHazard, Severity::P1),
        plan("G1-noise", ReportType::Noise, Severity::P3),
        plan("G1-other", ReportType::Other, Severity::P4),
    ]
    .into_iter()
    .map(|meta| (meta.id.clone(), meta))
    .collect()
}

/// A resident's, of the zone z2, sent in that second.
fn new(key: &str, about: ReportType, second: i64) -> NewReport {
    NewReport {
        key: key.to_owned(),
        about,
        site: "q1".parse().expect("site"),
        zone: Some("z2".parse().expect("zone")),
        place: Some("东门外".to_owned()),
        text: "有人在烧纸".to_owned(),
        occurred_at: at(second),
        photos: vec![ReportPhoto {
            name: "aa".repeat(32),
            stored: "bb".repeat(32),
        }],
        contact: Some(ReportContact {
            name: "李四".to_owned(),
            phone: "13800000000".to_owned(),
        }),
        by: resident("5e".repeat(32).as_str()),
        at: at(second),
    }
}

fn resident(secret_hash: &str) -> ReportedBy {
    ReportedBy {
        user: None,
        secret_hash: Some(secret_hash.to_owned()),
    }
}

fn user(login: &str) -> ReportedBy {
    ReportedBy {
        user: Some(login.parse().expect("a login")),
        secret_hash: None,
    }
}

async fn report(hub: &Hub, new: NewReport) -> Reported {
    hub.state.report(new, &book()).await.expect("taken")
}

async fn item(hub: &Hub, reported: &Reported, now: Timestamp) -> ReportItem {
    let found = hub.state.find_report(reported.id, now).await;
    found.expect("reads").expect("is there").item
}

fn words(item: &ReportItem) -> Vec<&'static str> {
    item.progress
        .iter()
        .map(|step| step.state.as_str())
        .collect()
}

/// The lead department does its part, from claim to resolved.
async fn settle(hub: &Hub, view: &IncidentView, second: i64) {
    for verb in [Verb::Claim, Verb::Arrive, Verb::Resolve] {
        let asked = domain::incident::Command {
            at: at(second),
            ..command(verb, "chen", Some("fire"))
        };
        hub.act(view.item.id, asked).await.expect("done");
    }
}

async fn count(hub: &Hub, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(&hub.state.shared.read)
        .await
        .expect("counts")
}

#[tokio::test]
async fn a_report_opens_an_incident_by_the_plan_for_its_type_and_survives_a_crash() {
    let hub = Hub::start().await;
    let reported = report(&hub, new("k1", ReportType::FireHazard, 10)).await;
    assert!(reported.is_new);
    let hub = hub.crash().await;
    let view = hub.view(reported.incident).await;
    assert_eq!(view.item.rule.as_str(), "G1-hazard");
    assert_eq!(view.item.severity, Severity::P1);
    assert_eq!(view.item.state, IncidentState::Dispatched);
    assert_eq!(view.item.subject, "zone:z2");
    assert_eq!(view.timeline[0].actor, format!("report:{}", reported.id));
    assert_eq!(view.item.reporter, None);
    let feed = hub.state.feed_after(domain::Revision(0), 10).await;
    let feed = feed.expect("reads");
    assert_eq!(feed.len(), 1);
    assert!(
        !feed[0].json.contains("烧纸"),
        "the text is nobody's but the station's"
    );
    assert!(
        count(&hub, "notification").await >= 1,
        "the duty person is told"
    );
    let reports = hub
        .state
        .reports_of(reported.incident)
        .await
        .expect("reads");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].text, "有人在烧纸");
    assert_eq!(reports[0].photos, ["aa".repeat(32)]);
    let seen = item(&hub, &reported, at(11)).await;
    assert_eq!(words(&seen), ["received", "dispatched"]);
    assert_eq!((seen.number, seen.is_late, seen.asks), (1001, false, false));
    let audit = hub.state.verify_audit().await.expect("reads");
    assert_eq!(audit.broken, None);
}

#[tokio::test]
async fn the_same_key_is_the_same_report_and_nobody_elses() {
    let hub = Hub::start().await;
    let first = report(&hub, new("k1", ReportType::Noise, 10)).await;
    let before = (count(&hub, "audit").await, hub.state.revision());
    let later = NewReport {
        at: at(500),
        ..new("k1", ReportType::Noise, 10)
    };
    let again = report(&hub, later).await;
    assert_eq!(
        (again.id, again.incident, again.is_new),
        (first.id, first.incident, false)
    );
    assert_eq!((count(&hub, "audit").await, hub.state.revision()), before);
    assert_eq!(
        (count(&hub, "report").await, hub.items().await.len()),
        (1, 1)
    );

    let other_text = NewReport {
        text: "别的".to_owned(),
        ..new("k1", ReportType::Noise, 10)
    };
    let other_person = NewReport {
        by: resident("77"),
        ..new("k1", ReportType::Noise, 10)
    };
    for refused in [other_text, other_person] {
        let said = hub.state.report(refused, &book()).await;
        assert!(matches!(said, Err(ReportError::KeyReused)), "{said:?}");
    }
    // whoever reported with a session and a secret is known by either
    let both = ReportedBy {
        user: Some("liu".parse().expect("a login")),
        ..resident("99")
    };
    let logged_in = NewReport {
        by: both,
        ..new("k2", ReportType::Noise, 20)
    };
    let first = report(&hub, logged_in.clone()).await;
    for by in [user("liu"), resident("99")] {
        let again = NewReport {
            by,
            ..logged_in.clone()
        };
        assert_eq!(report(&hub, again).await.id, first.id);
    }
}

#[tokio::test]
async fn who_reports_the_same_comes_to_the_open_incident_and_has_a_course_of_their_own() {
    let hub = Hub::start().await;
    let first = report(&hub, new("k1", ReportType::FireHazard, 10)).await;
    let view = hub.view(first.incident).await;
    let claim = command(Verb::Claim, "chen", Some("fire"));
    hub.act(view.item.id, claim).await.expect("claimed");
    let second = NewReport {
        by: user("liu"),
        ..new("k2", ReportType::FireHazard, 40)
    };
    let second = report(&hub, second).await;
    assert_eq!(second.incident, first.incident);
    let view = hub.view(first.incident).await;
    assert_eq!(
        (view.item.count, view.item.condition.as_str()),
        (2, "normal")
    );
    let line = view.timeline.last().expect("a line");
    assert_eq!((line.verb.as_str(), line.actor.as_str()), ("report", "liu"));
    assert_eq!(
        hub.state
            .reports_of(first.incident)
            .await
            .expect("reads")
            .len(),
        2
    );
    let seen = item(&hub, &second, at(41)).await;
    assert_eq!(words(&seen), ["received", "dispatched"], "{seen:?}");
    assert!(seen.progress.iter().all(|step| step.at.0 >= at(40)));

    // another type, another zone, no zone: another matter
    let elsewhere = NewReport {
        zone: None,
        ..new("k3", ReportType::FireHazard, 50)
    };
    let noise = new("k4", ReportType::Noise, 50);
    let (other, another) = (
        new("k5", ReportType::Other, 50),
        new("k6", ReportType::Other, 51),
    );
    for new in [elsewhere, noise, other, another] {
        report(&hub, new).await;
    }
    assert_eq!(hub.items().await.len(), 5);

    let liu: UserId = "liu".parse().expect("a login");
    let mine = hub
        .state
        .reports_by(&liu, None, 10, at(60))
        .await
        .expect("reads");
    assert_eq!(
        (mine.items.len(), mine.items[0].id, mine.next),
        (1, second.id, None)
    );
}

#[tokio::test]
async fn what_had_to_wait_for_a_line_is_marked_and_what_has_not_happened_yet_happened_now() {
    let hub = Hub::start().await;
    let waited = |key: &str, seconds: i64| NewReport {
        occurred_at: at(10_000 - seconds),
        zone: None,
        ..new(key, ReportType::FireHazard, 10_000)
    };
    let just = report(&hub, waited("k1", 600)).await;
    let late = report(&hub, waited("k2", 601)).await;
    let ahead = report(&hub, waited("k3", -90)).await;
    let just = hub.view(just.incident).await.item;
    assert_eq!(just.detail.get("late"), None);
    let seen = hub.view(late.incident).await.item;
    assert_eq!(seen.detail.get("late").map(String::as_str), Some("true"));
    assert_eq!(
        (seen.occurred_at.0, seen.opened_at.0),
        (at(9399), at(10_000))
    );
    assert!(item(&hub, &late, at(10_000)).await.is_late);
    let ahead = hub.view(ahead.incident).await.item;
    assert_eq!(
        (ahead.occurred_at.0, ahead.detail.get("late")),
        (at(10_000), None)
    );
}

#[tokio::test]
async fn a_type_without_a_plan_opens_as_other_and_without_any_plan_nothing_is_promised() {
    let hub = Hub::start().await;
    let dispute = report(&hub, new("k1", ReportType::Dispute, 10)).await;
    let view = hub.view(dispute.incident).await.item;
    assert_eq!(view.rule.as_str(), "G1-other");
    assert_eq!(
        view.detail.get("report").map(String::as_str),
        Some("dispute")
    );
    let said = hub
        .state
        .report(new("k2", ReportType::Dispute, 10), &RuleBook::new())
        .await;
    assert!(matches!(said, Err(ReportError::NoRule)));
    assert_eq!(count(&hub, "report").await, 1);
}

#[tokio::test]
async fn what_cannot_be_written_whole_is_not_written_at_all() {
    let hub = Hub::start().await;
    sqlx::query("CREATE TRIGGER no_photo BEFORE INSERT ON report_photo BEGIN SELECT RAISE(ABORT, 'no'); END")
        .execute(&hub.state.shared.write)
        .await
        .expect("made");
    let said = hub
        .state
        .report(new("k1", ReportType::FireHazard, 10), &book())
        .await;
    assert!(
        matches!(said, Err(ReportError::State(StateError::Database(_)))),
        "{said:?}"
    );
    for table in [
        "report",
        "incident",
        "task",
        "audit",
        "feed",
        "notification",
        "delivery",
    ] {
        assert_eq!(count(&hub, table).await, 0, "{table}");
    }
    sqlx::query("DROP TRIGGER no_photo")
        .execute(&hub.state.shared.write)
        .await
        .expect("dropped");
    let taken = report(&hub, new("k1", ReportType::FireHazard, 10)).await;
    assert_eq!(
        hub.view(taken.incident).await.item.number,
        1001,
        "no number was lost"
    );
}

#[tokio::test]
async fn a_bad_field_is_named() {
    let hub = Hub::start().await;
    let good = || new("k1", ReportType::Noise, 10);
    let photo = good().photos[0].clone();
    for (bad, named) in [
        (
            NewReport {
                text: " \n".to_owned(),
                ..good()
            },
            "text",
        ),
        (
            NewReport {
                text: "字".repeat(1001),
                ..good()
            },
            "text",
        ),
        (
            NewReport {
                place: Some("字".repeat(201)),
                ..good()
            },
            "place",
        ),
        (
            NewReport {
                photos: vec![photo; 5],
                ..good()
            },
            "photos",
        ),
        (
            NewReport {
                key: String::new(),
                ..good()
            },
            "Idempotency-Key",
        ),
        (
            NewReport {
                by: ReportedBy {
                    user: None,
                    secret_hash: None,
                },
                ..good()
            },
            "secret",
        ),
    ] {
        let said = hub.state.report(bad, &book()).await;
        assert!(
            matches!(&said, Err(ReportError::Invalid { field, .. }) if *field == named),
            "{said:?}"
        );
    }
    let longest = NewReport {
        text: "字".repeat(1000),
        ..good()
    };
    report(&hub, longest).await;
}

#[tokio::test]
async fn the_reporter_is_asked_and_dissatisfaction_opens_it_again() {
    let hub = Hub::start().await;
    let reported = report(&hub, new("k1", ReportType::FireHazard, 10)).await;
    let answer = async |key: &str, said, second| {
        let note = Some("还在烧".to_owned());
        hub.state
            .answer_report(reported.id, key, said, note, at(second))
            .await
    };
    let early = answer("a0", Satisfaction::Satisfied, 12).await;
    assert!(
        matches!(early, Err(CommandError::Refused(refused)) if refused.state == IncidentState::Dispatched)
    );
    settle(&hub, &hub.view(reported.incident).await, 20).await;
    hub.state
        .run_due(at(20 + 600), &book())
        .await
        .expect("runs");
    let seen = item(&hub, &reported, at(700)).await;
    assert_eq!(
        words(&seen),
        ["received", "dispatched", "on_scene", "resolved", "review"]
    );
    assert_eq!((seen.asks, seen.satisfaction), (true, None));

    let again = answer("a1", Satisfaction::Dissatisfied, 700)
        .await
        .expect("answered");
    assert_eq!((again.state, again.asks), (ReportState::Reopened, false));
    assert_eq!(again.satisfaction, Some(Satisfaction::Dissatisfied));
    assert_eq!(again.number, seen.number, "the same incident");
    let view = hub.view(reported.incident).await;
    assert_eq!(
        (view.item.state, view.item.round),
        (IncidentState::Dispatched, 2)
    );
    let line = view
        .timeline
        .iter()
        .find(|l| l.verb.as_str() == "answer")
        .expect("a line");
    assert_eq!(line.actor, format!("report:{}", reported.id));
    assert_eq!(line.note.as_deref(), Some("还在烧"));
    let version = view.item.version;
    answer("a1", Satisfaction::Dissatisfied, 701)
        .await
        .expect("the same answer");
    let reused = answer("a1", Satisfaction::Satisfied, 702).await;
    assert!(matches!(reused, Err(CommandError::KeyReused)));
    assert_eq!(hub.view(reported.incident).await.item.version, version);

    // twice: the community secretary hears of it; then it is well
    settle(&hub, &view, 800).await;
    hub.state
        .run_due(at(800 + 600), &book())
        .await
        .expect("runs");
    let told =
        "notification WHERE level = 3 AND stage = 'acknowledge' AND created_at >= 1700001500000000";
    assert_eq!(count(&hub, told).await, 0);
    answer("a2", Satisfaction::Dissatisfied, 1500)
        .await
        .expect("answered");
    assert_eq!(count(&hub, told).await, 1);
    settle(&hub, &hub.view(reported.incident).await, 1600).await;
    hub.state
        .run_due(at(1600 + 600), &book())
        .await
        .expect("runs");
    let done = answer("a3", Satisfaction::Satisfied, 2300)
        .await
        .expect("answered");
    assert_eq!((done.state, done.asks), (ReportState::Closed, false));
    assert_eq!(done.satisfaction, Some(Satisfaction::Satisfied));
}

#[tokio::test]
async fn a_report_follows_its_incident_into_another_one() {
    let hub = Hub::start().await;
    let noise = report(&hub, new("k1", ReportType::Noise, 10)).await;
    let hazard = report(&hub, new("k2", ReportType::FireHazard, 11)).await;
    let number = hub.view(hazard.incident).await.item.number;
    let merge = domain::incident::Command {
        into: Some((hazard.incident, number)),
        ..command(Verb::Merge, "wang", None)
    };
    hub.act(noise.incident, merge).await.expect("merged");
    let seen = item(&hub, &noise, at(20)).await;
    assert_eq!((seen.number, seen.state), (number, ReportState::Dispatched));
    let beside = hub.state.reports_of(hazard.incident).await.expect("reads");
    assert_eq!(beside.len(), 2);
}

#[tokio::test]
async fn contact_and_photos_go_some_days_after_the_end_and_the_record_stays() {
    let hub = Hub::start().await;
    let first = report(&hub, new("k1", ReportType::FireHazard, 10)).await;
    let open = NewReport {
        photos: vec![ReportPhoto {
            name: "cc".repeat(32),
            stored: "dd".repeat(32),
        }],
        ..new("k2", ReportType::Noise, 10)
    };
    let open = report(&hub, open).await;
    settle(&hub, &hub.view(first.incident).await, 20).await;
    hub.state
        .run_due(at(20 + 4 * DAY_S), &book())
        .await
        .expect("runs");
    assert_eq!(
        hub.view(first.incident).await.item.state,
        IncidentState::Closed
    );
    let forget = async |days: i64| {
        let now = at(20 + days * DAY_S);
        hub.state
            .forget_reports(at(20 + (days - 30) * DAY_S), now, 10)
            .await
            .expect("runs")
    };
    assert!(
        forget(32).await.is_empty(),
        "closed 72 hours after it was resolved"
    );
    assert_eq!(forget(35).await, ["aa".repeat(32)]);
    assert!(forget(36).await.is_empty(), "once");
    let kept = &hub.state.reports_of(first.incident).await.expect("reads")[0];
    assert_eq!((kept.contact.clone(), kept.photos.len()), (None, 0));
    assert_eq!(kept.text, "有人在烧纸");
    let still = &hub.state.reports_of(open.incident).await.expect("reads")[0];
    assert!(still.contact.is_some() && still.photos.len() == 1);
    assert_eq!(
        hub.state.photo_names().await.expect("reads"),
        ["cc".repeat(32)]
    );
    assert_eq!(hub.state.verify_audit().await.expect("reads").broken, None);
    let again = report(&hub, new("k1", ReportType::FireHazard, 10)).await;
    assert_eq!(
        (again.id, again.is_new),
        (first.id, false),
        "still the same report"
    );
}
