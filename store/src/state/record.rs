//! What incidents and tasks were, each from a row of the audit trail on, so that key figures can be computed again as of any row.
//!
//! **Invariant:** rows are added and never changed once a row of the audit trail has followed; what was visible as of a row stays so.

use domain::incident::{Incident, Task};
use domain::{DepartmentId, Severity, Timestamp};
use sqlx::SqliteConnection;

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
    let head: i64 = sqlx::query_scalar("SELECT id FROM audit_head WHERE one = 1")
        .fetch_one(&mut *connection)
        .await?;
    if is_news {
        put(connection, head + 1, after).await?;
    }
    for task in tasks {
        put_task(connection, head + 1, after, task).await?;
    }
    Ok(())
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
    audit: i64,
    incident: &Incident,
) -> Result<(), StateError> {
    let facts = Facts::of(incident);
    sqlx::query(
        "INSERT INTO incident_fact (incident, audit, severity, rule, class, site, zone, lead, acknowledge_due, resolve_due, cause,
           is_drill, is_asked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (incident, audit) DO UPDATE SET severity = excluded.severity, rule = excluded.rule, class = excluded.class,
           zone = excluded.zone, lead = excluded.lead, acknowledge_due = excluded.acknowledge_due,
           resolve_due = excluded.resolve_due, cause = excluded.cause, is_drill = excluded.is_drill, is_asked = excluded.is_asked",
    )
    .bind(incident.id.to_string())
    .bind(audit)
    .bind(facts.severity.number())
    .bind(facts.rule)
    .bind(incident.class.as_str())
    .bind(incident.site.as_str())
    .bind(facts.zone)
    .bind(facts.lead.as_str())
    .bind(facts.acknowledge_due.as_microsecond())
    .bind(facts.resolve_due.as_microsecond())
    .bind(facts.cause)
    .bind(i64::from(facts.is_drill))
    .bind(i64::from(facts.is_asked))
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_task(
    connection: &mut SqliteConnection,
    audit: i64,
    incident: &Incident,
    task: &Task,
) -> Result<(), StateError> {
    let us = |at: Timestamp| at.as_microsecond();
    sqlx::query(
        "INSERT INTO task_fact (incident, department, audit, state, dispatched_at, claimed_at, arrived_at, resolved_at, claim_due,
           arrive_due, resolve_due)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (incident, department, audit) DO UPDATE SET state = excluded.state, dispatched_at = excluded.dispatched_at,
           claimed_at = excluded.claimed_at, arrived_at = excluded.arrived_at, resolved_at = excluded.resolved_at,
           claim_due = excluded.claim_due, arrive_due = excluded.arrive_due, resolve_due = excluded.resolve_due",
    )
    .bind(incident.id.to_string())
    .bind(task.department.as_str())
    .bind(audit)
    .bind(task.state.as_str())
    .bind(us(task.dispatched_at))
    .bind(task.claimed_at.map(us))
    .bind(task.arrived_at.map(us))
    .bind(task.resolved_at.map(us))
    .bind(us(task.due.claim))
    .bind(us(task.due.arrive))
    .bind(us(task.due.resolve))
    .execute(connection)
    .await?;
    Ok(())
}
