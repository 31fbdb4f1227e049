//! What incidents and tasks were, each from a row of the audit trail on, so that key figures can be computed again as of any row.
//!
//! **Invariant:** rows are added and never changed once a row of the audit trail has followed; what was visible as of a row stays so.

use domain::incident::{Incident, Task};
use domain::{DepartmentId, Severity, Timestamp};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::audit;
use super::chunks::chunks;
use super::error::StateError;

/// Of an incident, what reports look at and what changes.
#[derive(PartialEq)]
struct Facts<'a> {
    severity: Severity,
    rule: &'a str,
    zone: Option<&'a str>,
    lead: &'a DepartmentId,
    acknowledge_due: Timestamp,
    resolve_due: Timestamp,
    cause: Option<&'a str>,
    is_drill: bool,
    is_asked: bool,
}

impl<'a> Facts<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self {
            severity: incident.severity,
            rule: incident.rule.as_str(),
            zone: incident.zone.as_ref().map(domain::ZoneId::as_str),
            lead: incident.lead(),
            acknowledge_due: incident.due.acknowledge,
            resolve_due: incident.due.resolve,
            cause: incident.cause.as_deref(),
            is_drill: incident.detail.contains_key("drill"),
            is_asked: incident.course.review.is_some_and(|review| review.is_asked),
        }
    }
}

/// Keeps what an incident is from the next row of the audit trail on, where that is other than before (none: it is new). Called before
/// the lines of the step are written.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    before: Option<&Incident>,
    after: &Incident,
) -> Result<(), StateError> {
    let is_news = before.is_none_or(|before| Facts::of(before) != Facts::of(after));
    let known = |task: &&Task| {
        before
            .and_then(|before| before.task_of(&task.department))
            .is_some_and(|old| is_same(old, task))
    };
    let tasks: Vec<&Task> = after.tasks.iter().filter(|task| !known(task)).collect();
    if !is_news && tasks.is_empty() {
        return Ok(());
    }
    let audit = audit::last(connection).await? + 1;
    if is_news {
        put(connection, &[(audit, after)]).await?;
    }
    let tasks: Vec<_> = tasks.into_iter().map(|task| (audit, after, task)).collect();
    put_tasks(connection, &tasks).await
}

/// Keeps what new incidents are, each from its row of the audit trail on, which is not written yet.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    opened: &[(i64, &Incident)],
) -> Result<(), StateError> {
    put(connection, opened).await?;
    let tasks = opened.iter().flat_map(|(audit, incident)| {
        let tasks = incident.tasks.iter();
        tasks.map(|task| (*audit, *incident, task))
    });
    put_tasks(connection, &tasks.collect::<Vec<_>>()).await
}

fn is_same(old: &Task, new: &Task) -> bool {
    let of = |task: &Task| {
        (
            task.state,
            task.dispatched_at,
            task.claimed_at,
            task.arrived_at,
            task.resolved_at,
        )
    };
    of(old) == of(new) && old.due == new.due
}

async fn put(
    connection: &mut SqliteConnection,
    facts: &[(i64, &Incident)],
) -> Result<(), StateError> {
    for chunk in chunks(facts) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO incident_fact (incident, audit, severity, rule, class, site, zone, lead, acknowledge_due, resolve_due, cause,
               is_drill, is_asked) ",
        );
        query.push_values(chunk, |mut values, (audit, incident)| {
            let facts = Facts::of(incident);
            values
                .push_bind(incident.id.to_string())
                .push_bind(*audit)
                .push_bind(facts.severity.number())
                .push_bind(facts.rule)
                .push_bind(incident.class.as_str())
                .push_bind(incident.site.as_str())
                .push_bind(facts.zone)
                .push_bind(facts.lead.as_str())
                .push_bind(facts.acknowledge_due.as_microsecond())
                .push_bind(facts.resolve_due.as_microsecond())
                .push_bind(facts.cause)
                .push_bind(i64::from(facts.is_drill))
                .push_bind(i64::from(facts.is_asked));
        });
        query.push(
            " ON CONFLICT (incident, audit) DO UPDATE SET severity = excluded.severity, rule = excluded.rule, class = excluded.class,
               zone = excluded.zone, lead = excluded.lead, acknowledge_due = excluded.acknowledge_due,
               resolve_due = excluded.resolve_due, cause = excluded.cause, is_drill = excluded.is_drill, is_asked = excluded.is_asked",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn put_tasks(
    connection: &mut SqliteConnection,
    tasks: &[(i64, &Incident, &Task)],
) -> Result<(), StateError> {
    let us = |at: Timestamp| at.as_microsecond();
    for chunk in chunks(tasks) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO task_fact (incident, department, audit, state, dispatched_at, claimed_at, arrived_at, resolved_at, claim_due,
               arrive_due, resolve_due) ",
        );
        query.push_values(chunk, |mut values, (audit, incident, task)| {
            values
                .push_bind(incident.id.to_string())
                .push_bind(task.department.as_str())
                .push_bind(*audit)
                .push_bind(task.state.as_str())
                .push_bind(us(task.dispatched_at))
                .push_bind(task.claimed_at.map(us))
                .push_bind(task.arrived_at.map(us))
                .push_bind(task.resolved_at.map(us))
                .push_bind(us(task.due.claim))
                .push_bind(us(task.due.arrive))
                .push_bind(us(task.due.resolve));
        });
        query.push(
            " ON CONFLICT (incident, department, audit) DO UPDATE SET state = excluded.state, dispatched_at = excluded.dispatched_at,
               claimed_at = excluded.claimed_at, arrived_at = excluded.arrived_at, resolved_at = excluded.resolved_at,
               claim_due = excluded.claim_due, arrive_due = excluded.arrive_due, resolve_due = excluded.resolve_due",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
