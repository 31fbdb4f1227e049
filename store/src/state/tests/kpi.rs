//! Key figures from a record that real commands made: the same bytes as of the same row, whatever has come since, also of a copy.

use domain::incident::{Command, Verb};
use domain::kpi::{By, Percentile, Query, Scoring, Stage};
use domain::{IncidentId, Severity};

use jiff::SignedDuration;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::fixture::{Hub, at, book, cleared, command, finding, registry, registry_with, smoke};
use crate::state::{KpiQuery, KpiReport, KpiSettings, State, StateError};

const TWO_HOURS: SignedDuration = SignedDuration::from_hours(2);

fn asked(by: By, as_of: Option<i64>) -> KpiQuery {
    KpiQuery {
        query: Query {
            from: at(0),
            to: at(10_000),
            by,
        },
        as_of,
        settings: KpiSettings {
            scoring: Scoring::default(),
            seats: 1,
            log_every: TWO_HOURS,
        },
    }
}

async fn report(state: &State, by: By, as_of: Option<i64>) -> KpiReport {
    let report = state.kpi(asked(by, as_of), at(20_000)).await;
    report.expect("computes")
}

async fn act(hub: &Hub, id: IncidentId, second: i64, verb: Verb, user: &str, of: Option<&str>) {
    let command = Command {
        at: at(second),
        ..command(verb, user, of)
    };
    hub.act(id, command).await.expect("taken");
}

/// A P1 that goes all the way, a P1 that nobody sees, a P2 that is cancelled as a drill.
async fn history(hub: &Hub) -> [IncidentId; 3] {
    let seen = hub.find(vec![smoke("smoke-1", 100)]).await.opened[0];
    let unseen = finding("B1", "plate:A", Severity::P1, 200);
    let unseen = hub.find(vec![unseen]).await.opened[0];
    let drill = finding("B1", "plate:B", Severity::P2, 300);
    let drill = hub.find(vec![drill]).await.opened[0];
    act(hub, seen, 320, Verb::Acknowledge, "wang", None).await;
    act(hub, seen, 330, Verb::Claim, "li", Some("fire")).await;
    act(hub, seen, 400, Verb::Arrive, "li", Some("fire")).await;
    act(hub, drill, 410, Verb::Cancel, "zhou", None).await;
    hub.find(vec![cleared(smoke("smoke-1", 100), 500)]).await;
    act(hub, seen, 600, Verb::Resolve, "li", Some("fire")).await;
    [seen, unseen, drill]
}

#[tokio::test]
async fn the_same_row_gives_the_same_bytes_whatever_has_come_since_and_wherever() {
    let hub = Hub::start().await;
    let [seen, unseen, _] = history(&hub).await;
    let first = report(&hub.state, By::Department, None).await;
    let as_of = first.ranking.as_of;
    assert!(as_of > 0);

    // the same incidents go on, and others come
    hub.state.run_due(at(1300), &book()).await.expect("runs");
    act(&hub, seen, 1310, Verb::Answer, "wang", None).await;
    act(&hub, unseen, 1320, Verb::Claim, "zhao", Some("police")).await;
    let other = hub.find(vec![smoke("smoke-2", 2000)]).await.opened[0];
    act(&hub, other, 2010, Verb::Acknowledge, "wang", None).await;
    let later = report(&hub.state, By::Department, None).await;
    assert_ne!(later.bytes, first.bytes);
    assert!(later.ranking.as_of > as_of);

    let again = report(&hub.state, By::Department, Some(as_of)).await;
    assert_eq!(again.ranking, first.ranking);
    assert_eq!((&again.bytes, &again.sha256), (&first.bytes, &first.sha256));

    // a copy, as a backup makes it, opened by another hub
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().join("state.db");
    sqlx::query("VACUUM INTO $1")
        .bind(copy.display().to_string())
        .execute(&hub.state.shared.write)
        .await
        .expect("copied");
    let copied = State::open(&copy, registry()).await.expect("opens");
    let on_copy = report(&copied, By::Department, Some(as_of)).await;
    assert_eq!(on_copy.bytes, first.bytes);
    copied.close().await;

    let hub = hub.crash().await;
    for by in By::ALL {
        let whole = report(&hub.state, *by, None).await;
        let again = report(&hub.state, *by, Some(whole.ranking.as_of)).await;
        assert_eq!(whole.bytes, again.bytes, "{by}");
        // besides those three, the exhausted ladder of the one that nobody saw
        assert!(whole.ranking.total.incidents > 3, "{by}");
    }
    let after = report(&hub.state, By::Department, Some(as_of)).await;
    assert_eq!(after.sha256, first.sha256);
}

#[tokio::test]
async fn the_figures_are_those_of_the_timeline() {
    let hub = Hub::start().await;
    history(&hub).await;
    let report = report(&hub.state, By::Department, None).await;
    let ranking = &report.ranking;
    assert_eq!(
        (ranking.total.incidents, ranking.left_out.cancelled),
        (2, 1)
    );
    let missed: Vec<_> = ranking
        .missed_p1
        .iter()
        .map(|m| (m.number, m.waited))
        .collect();
    // seen after 220 s; the other not at all until the last row, 400 s after it opened
    assert_eq!(
        missed,
        [
            (1001, Percentile::Ms(220_000)),
            (1002, Percentile::MoreThanMs(400_000))
        ]
    );
    let fire = ranking.groups.iter().find(|g| g.name == "fire");
    let fire = fire.expect("fire led");
    let time = |stage| {
        let found = fire.times.iter().find(|m| m.stage == stage);
        found.expect("timed").p50
    };
    assert_eq!(time(Stage::Claim), Some(Percentile::Ms(230_000)));
    assert_eq!(time(Stage::Arrive), Some(Percentile::Ms(300_000)));
    assert_eq!(time(Stage::Finish), Some(Percentile::Ms(500_000)));
    assert_eq!(time(Stage::Resolve), Some(Percentile::Ms(500_000)));
    assert_eq!((fire.quality.genuine, fire.quality.false_alarms), (1, 0));
    // police helped with the first and was released; of the second it has had no word
    let police = ranking.groups.iter().find(|g| g.name == "police");
    assert_eq!(police.expect("police").turns, 2);
    assert_eq!(report.load.rung, 3);
    let smoke = report.standing.coverage.iter();
    let smoke: Vec<_> = smoke.map(|c| (c.devices, c.healthy)).collect();
    assert_eq!(smoke, [(3, 0), (1, 0)], "nothing has spoken");
}

/// Two take turns at the desk, at eight in the morning and in the evening of UTC.
const DESK: &str = r#"
    person = [{ id = "day", name = "甲" }, { id = "night", name = "乙" }]
    post = [
        { id = "desk", kind = "desk", name = "值班台", name_en = "Desk" },
        { id = "fire-duty", kind = "duty", department = "fire", name = "值班", name_en = "Duty", cover = "never" },
        { id = "police-duty", kind = "duty", department = "police", name = "值班", name_en = "Duty", cover = "never" },
        { id = "traffic-duty", kind = "duty", department = "traffic", name = "值班", name_en = "Duty", cover = "never" },
    ]
    shift = [
        { post = "desk", people = ["day"], from = "08:00", until = "20:00" },
        { post = "desk", people = ["night"], from = "20:00", until = "08:00" },
    ]
"#;

#[tokio::test]
async fn the_duty_book_is_counted_by_span() {
    let hub = Hub::start_with(registry_with(DESK)).await;
    // the fixture begins on 14 November 2023 at 22:13:20 UTC
    let clock = |hour: i64, minute: i64| at((hour - 22) * 3600 + (minute - 13) * 60 - 20);
    let write = async |now| {
        let written = hub.state.write_duty_log(now, TWO_HOURS).await;
        written.expect("writes");
    };
    let hand_over = async |from: &str, to: &str, when| {
        let user = |login: &str| login.parse().expect("a login");
        let prepared = hub.state.prepare_handover(user(from), when).await;
        let number = prepared.expect("prepared").number;
        for login in [from, to] {
            let signed = hub.state.sign_handover(number, user(login), when).await;
            signed.expect("signed");
        }
    };
    write(clock(22, 30)).await;
    write(clock(24, 0)).await;
    write(clock(26, 1)).await;
    // down until the shift has gone: three lines come late
    hand_over("wang", "li", clock(32, 15)).await;
    write(clock(32, 16)).await;
    write(clock(34, 0)).await;
    write(clock(36, 0)).await;
    hand_over("li", "wang", clock(44, 16)).await;

    let duty = async |from, to, now| {
        let mut asked = asked(By::Department, None);
        (asked.query.from, asked.query.to) = (from, to);
        hub.state.kpi(asked, now).await.expect("computes").duty
    };
    let until = clock(48, 0);
    let morning = duty(clock(22, 0), until, clock(36, 1)).await;
    assert_eq!((morning.lines, morning.lines_late), (7, 3));
    assert_eq!((morning.changes, morning.on_time), (1, 1));
    assert_eq!(morning.lines_missing, 0);
    // the lines of the afternoon are not written yet: what they would say is not known, that they are missing is
    let evening = duty(clock(22, 0), until, clock(45, 0)).await;
    assert_eq!((evening.lines_missing, evening.changes), (4, 1));
    write(clock(46, 0)).await;
    let day = duty(clock(22, 0), until, clock(46, 0)).await;
    assert_eq!((day.lines, day.lines_missing), (12, 0));
    assert_eq!((day.changes, day.on_time), (2, 1));
    assert_eq!(day.not_on_time, [clock(44, 0)]);
    assert_eq!(day.on_time_permille, Some(500));
    // by span
    let late = duty(clock(36, 0), until, clock(46, 0)).await;
    assert_eq!((late.lines, late.changes, late.on_time), (5, 1, 0));
    let before = duty(at(-9000), clock(22, 0), clock(46, 0)).await;
    assert_eq!((before.lines, before.changes), (0, 0));
}

#[tokio::test]
async fn a_span_that_is_none_and_a_row_that_is_none_are_refused() {
    let hub = Hub::start().await;
    history(&hub).await;
    let mut backwards = asked(By::Rule, None);
    backwards.query.to = backwards.query.from;
    for asked in [
        backwards,
        asked(By::Rule, Some(9999)),
        asked(By::Rule, Some(-1)),
    ] {
        let refused = hub.state.kpi(asked, at(1)).await;
        assert!(
            matches!(refused, Err(StateError::Invalid { .. })),
            "{asked:?}"
        );
    }
    // before the first row there is nothing, and that is an answer
    assert_eq!(
        report(&hub.state, By::Rule, Some(0))
            .await
            .ranking
            .total
            .incidents,
        0
    );
}

/// Facts as rows of text, without the row of the audit trail from which on they hold.
async fn facts(state: &State, sql: &'static str) -> Vec<String> {
    let rows = sqlx::query_scalar(sql).fetch_all(&state.shared.read).await;
    rows.expect("reads")
}

const INCIDENT_FACTS: &str = "SELECT json_array(incident, audit, severity, rule, class, site, zone, lead, acknowledge_due, resolve_due, cause,
   is_drill, is_asked) FROM incident_fact ORDER BY incident, audit";
const TASK_FACTS: &str = "SELECT json_array(incident, department, audit, state, dispatched_at, claimed_at, arrived_at, resolved_at, claim_due,
   arrive_due, resolve_due) FROM task_fact ORDER BY incident, department, audit";
/// What the code wrote last, from where on the upgrade can know it: incidents from their first row, tasks from their last.
const LAST_INCIDENT_FACTS: &str = "SELECT json_array(f.incident, (SELECT MIN(id) FROM audit WHERE object = f.incident), severity, rule, class, site,
   zone, lead, acknowledge_due, resolve_due, cause, is_drill, is_asked) FROM incident_fact f
 WHERE audit = (SELECT MAX(g.audit) FROM incident_fact g WHERE g.incident = f.incident) ORDER BY f.incident";
const LAST_TASK_FACTS: &str = "SELECT json_array(f.incident, department, (SELECT MAX(id) FROM audit WHERE object = f.incident), state, dispatched_at,
   claimed_at, arrived_at, resolved_at, claim_due, arrive_due, resolve_due) FROM task_fact f
 WHERE audit = (SELECT MAX(g.audit) FROM task_fact g WHERE g.incident = f.incident AND g.department = f.department)
 ORDER BY f.incident, department";

/// Everything of a state, in a file as a version had it that knew the migrations up to this number.
async fn as_before(of: &Hub, version: i64, file: &std::path::Path) {
    let all = sqlx::migrate!("migrations/sqlite");
    let known = all.iter().filter(|m| m.version <= version).cloned();
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(false);
    let mut old = SqliteConnection::connect_with(&options)
        .await
        .expect("opens");
    let migrator = Migrator::with_migrations(known.collect());
    migrator.run(&mut old).await.expect("migrates");
    sqlx::query("ATTACH DATABASE $1 AS late")
        .bind(of.file().display().to_string())
        .execute(&mut old)
        .await
        .expect("attached");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut old)
    .await
    .expect("reads");
    for table in tables {
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT '\"' || name || '\"' FROM pragma_table_info($1, 'main')")
                .bind(&table)
                .fetch_all(&mut old)
                .await
                .expect("reads");
        let columns = columns.join(", ");
        let copy = format!(
            "DELETE FROM main.{table}; INSERT INTO main.{table} ({columns}) SELECT {columns} FROM late.{table}"
        );
        let copied = sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut old).await;
        copied.unwrap_or_else(|e| panic!("{table}: {e}"));
    }
    old.close().await.expect("closes");
}

#[tokio::test]
async fn a_database_of_before_gets_the_facts_that_the_code_would_have_written() {
    let hub = Hub::start().await;
    let [seen, unseen, _] = history(&hub).await;
    // more that a fact holds: a drill that was declared, a lead that passed on, somebody who is asked, one without any task
    let mut declared = finding("B1", "plate:C", Severity::P2, 700);
    declared
        .detail
        .insert("drill".to_owned(), "mnt_1".to_owned());
    let mut other = finding("B1", "plate:D", Severity::P2, 701);
    other
        .detail
        .insert("plate".to_owned(), "\"drill\":".to_owned());
    hub.find(vec![declared, other]).await;
    act(&hub, unseen, 710, Verb::HandBack, "zhao", Some("police")).await;
    hub.state.run_due(at(1300), &book()).await.expect("runs");
    assert!(hub.view(seen).await.item.version > 1);

    let (incidents, tasks) = (
        facts(&hub.state, LAST_INCIDENT_FACTS).await,
        facts(&hub.state, LAST_TASK_FACTS).await,
    );
    let is_asked = |row: &&String| row.ends_with(",1]");
    assert!(incidents.len() >= 5, "{incidents:?}");
    assert!(incidents.iter().any(|row| is_asked(&row)), "{incidents:?}");
    assert!(
        incidents.iter().any(|row| row.ends_with(",1,0]")),
        "{incidents:?}"
    );
    assert!(tasks.iter().any(|row| row.contains("handed_back")));

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("state.db");
    as_before(&hub, 12, &file).await;
    let upgraded = State::open(&file, registry()).await.expect("migrates");
    assert_eq!(facts(&upgraded, INCIDENT_FACTS).await, incidents);
    assert_eq!(facts(&upgraded, TASK_FACTS).await, tasks);
    // so the reports agree wherever only what stands at the end is asked for
    let (before, after) = (
        report(&hub.state, By::Rule, None).await.ranking,
        report(&upgraded, By::Rule, None).await.ranking,
    );
    assert_eq!(before.left_out, after.left_out);
    assert_eq!(before.total.incidents, after.total.incidents);
    assert_eq!(before.total.quality, after.total.quality);
    upgraded.close().await;
}

#[tokio::test]
async fn facts_are_never_rewritten() {
    let hub = Hub::start().await;
    let [seen, ..] = history(&hub).await;
    let rows = async || -> Vec<(i64, i64, Option<String>)> {
        sqlx::query_as(
            "SELECT audit, is_asked, cause FROM incident_fact WHERE incident = $1 ORDER BY audit",
        )
        .bind(seen.to_string())
        .fetch_all(&hub.state.shared.read)
        .await
        .expect("reads")
    };
    let before = rows().await;
    assert!(before.len() >= 2, "{before:?}");
    let reopen = Command {
        at: at(700),
        ..command(Verb::Reopen, "zhou", None)
    };
    hub.act(seen, reopen).await.expect("opened again");
    let after = rows().await;
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.len(), before.len() + 1);
}
