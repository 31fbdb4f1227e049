//! Incidents and their tasks as rows.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use domain::incident::{
    Course, Due, Effect, Incident, IncidentState, Plan, Task, TaskDue, TaskState, in_working_time,
};
use domain::place::Registry;
use domain::{
    DeviceClass, EventId, IncidentId, Revision, RuleId, Seq, Severity, Timestamp, ZoneId,
};
use sqlx::query_builder::Separated;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::chunks::chunks;
use super::error::StateError;
use super::{alarms, audit, due, outbox, record};

#[derive(FromRow)]
pub(super) struct IncidentRow {
    id: String,
    pub(super) number: i64,
    version: i64,
    revision: i64,
    severity: i64,
    state: String,
    condition: String,
    rule: String,
    subject: String,
    class: String,
    site: String,
    zone: Option<String>,
    device: Option<String>,
    lead: String,
    co: String,
    clocks: String,
    opened_at: i64,
    occurred_at: i64,
    last_event_at: i64,
    count: i64,
    acknowledged_at: Option<i64>,
    acknowledged_by: Option<String>,
    resolved_at: Option<i64>,
    closed_at: Option<i64>,
    cause: Option<String>,
    parent: Option<String>,
    acknowledge_due: i64,
    resolve_due: i64,
    detail: String,
    verify: i64,
    reporter: Option<String>,
    course: String,
    storm: Option<String>,
}

#[derive(FromRow)]
struct TaskRow {
    id: String,
    incident: String,
    department: String,
    lead: i64,
    state: String,
    holder: Option<String>,
    dispatched_at: i64,
    claimed_at: Option<i64>,
    arrived_at: Option<i64>,
    resolved_at: Option<i64>,
    claim_due: i64,
    arrive_due: i64,
    resolve_due: i64,
    fence: i64,
    lease_until: Option<i64>,
    progress_due: Option<i64>,
    overdue: Option<String>,
}

/// A word of a row, as the type that it stands for.
pub(super) fn word<T: FromStr>(text: &str) -> Result<T, StateError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(StateError::damaged)
}

pub(super) fn opt_word<T: FromStr>(text: Option<&String>) -> Result<Option<T>, StateError>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| word(text)).transpose()
}

pub(super) fn time(us: i64) -> Result<Timestamp, StateError> {
    Timestamp::from_microsecond(us).map_err(StateError::damaged)
}

pub(super) fn opt_time(us: Option<i64>) -> Result<Option<Timestamp>, StateError> {
    us.map(time).transpose()
}

pub(super) fn severity(number: i64) -> Result<Severity, StateError> {
    Severity::from_number(number)
        .ok_or_else(|| StateError::damaged(format_args!("severity {number}")))
}

pub(super) fn list<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, StateError> {
    serde_json::from_str(json).map_err(StateError::damaged)
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("lists, maps and views of words serialise")
}

impl IncidentRow {
    pub(super) fn revision(&self) -> Revision {
        Revision(self.revision.cast_unsigned())
    }

    fn with_tasks(self, tasks: Vec<Task>) -> Result<Incident, StateError> {
        let acknowledged_by = opt_word(self.acknowledged_by.as_ref())?;
        Ok(Incident {
            id: word(&self.id)?,
            number: self.number.cast_unsigned(),
            version: self.version,
            severity: severity(self.severity)?,
            state: word(&self.state)?,
            condition: word(&self.condition)?,
            rule: word(&self.rule)?,
            subject: self.subject,
            class: word::<DeviceClass>(&self.class)?,
            site: word(&self.site)?,
            zone: opt_word(self.zone.as_ref())?,
            device: opt_word(self.device.as_ref())?,
            plan: Plan {
                lead: word(&self.lead)?,
                co: list(&self.co)?,
                clocks: list(&self.clocks)?,
                verify: self.verify != 0,
            },
            opened_at: time(self.opened_at)?,
            occurred_at: time(self.occurred_at)?,
            last_event_at: time(self.last_event_at)?,
            count: self.count.cast_unsigned(),
            acknowledged: opt_time(self.acknowledged_at)?.zip(acknowledged_by),
            resolved_at: opt_time(self.resolved_at)?,
            closed_at: opt_time(self.closed_at)?,
            cause: self.cause,
            parent: opt_word(self.parent.as_ref())?,
            due: Due {
                acknowledge: time(self.acknowledge_due)?,
                resolve: time(self.resolve_due)?,
            },
            detail: list(&self.detail)?,
            tasks,
            reporter: self.reporter.as_deref().map(list).transpose()?,
            course: if self.course.is_empty() {
                // written before there was a course
                Course::begin(time(self.opened_at)?)
            } else {
                list(&self.course)?
            },
            storm: opt_word(self.storm.as_ref())?,
        })
    }
}

impl TaskRow {
    fn into_task(self) -> Result<Task, StateError> {
        Ok(Task {
            id: word(&self.id)?,
            department: word(&self.department)?,
            lead: self.lead != 0,
            state: word::<TaskState>(&self.state)?,
            holder: opt_word(self.holder.as_ref())?,
            dispatched_at: time(self.dispatched_at)?,
            claimed_at: opt_time(self.claimed_at)?,
            arrived_at: opt_time(self.arrived_at)?,
            resolved_at: opt_time(self.resolved_at)?,
            due: TaskDue {
                claim: time(self.claim_due)?,
                arrive: time(self.arrive_due)?,
                resolve: time(self.resolve_due)?,
            },
            fence: self.fence,
            lease_until: opt_time(self.lease_until)?,
            progress_due: opt_time(self.progress_due)?,
            overdue: opt_word(self.overdue.as_ref())?,
        })
    }
}

/// Incidents of rows, with their tasks, in the order of the rows.
pub(super) async fn assemble(
    connection: &mut SqliteConnection,
    rows: Vec<IncidentRow>,
) -> Result<Vec<(Incident, Revision)>, StateError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT id, incident, department, lead, state, holder, dispatched_at, claimed_at, arrived_at, resolved_at,
                claim_due, arrive_due, resolve_due, fence, lease_until, progress_due, overdue
         FROM task WHERE incident IN (",
    );
    let mut ids = query.separated(", ");
    for row in &rows {
        ids.push_bind(&row.id);
    }
    query.push(") ORDER BY incident, ordinal");
    let mut tasks: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    for row in query
        .build_query_as::<TaskRow>()
        .fetch_all(connection)
        .await?
    {
        tasks
            .entry(row.incident.clone())
            .or_default()
            .push(row.into_task()?);
    }
    rows.into_iter()
        .map(|row| {
            let revision = row.revision();
            let tasks = tasks.remove(&row.id).unwrap_or_default();
            Ok((row.with_tasks(tasks)?, revision))
        })
        .collect()
}

async fn one(
    connection: &mut SqliteConnection,
    row: Option<IncidentRow>,
) -> Result<Option<Incident>, StateError> {
    let found = assemble(connection, row.into_iter().collect()).await?;
    Ok(found.into_iter().next().map(|(incident, _)| incident))
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    id: IncidentId,
) -> Result<Option<(Incident, Revision)>, StateError> {
    let row: Option<IncidentRow> = sqlx::query_as("SELECT * FROM incident WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    Ok(assemble(connection, row.into_iter().collect())
        .await?
        .into_iter()
        .next())
}

/// Incidents as they are, whose last change has these revisions; what is told twice has the later one.
pub(super) async fn numbered(
    connection: &mut SqliteConnection,
    changed: &[(IncidentId, Revision)],
) -> Result<BTreeMap<IncidentId, Incident>, StateError> {
    let changed: BTreeMap<IncidentId, Revision> = changed.iter().copied().collect();
    let changed: Vec<(IncidentId, Revision)> = changed.into_iter().collect();
    let mut found = BTreeMap::new();
    for chunk in chunks(&changed) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("WITH told (incident, revision) AS (");
        query.push_values(chunk, |mut values, (id, revision)| {
            values
                .push_bind(id.to_string())
                .push_bind(revision.0.cast_signed());
        });
        query.push(
            ") UPDATE incident SET revision = told.revision FROM told WHERE incident.id = told.incident",
        );
        query.build().execute(&mut *connection).await?;
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT * FROM incident WHERE id IN (");
        let mut ids = query.separated(", ");
        for (id, _) in chunk {
            ids.push_bind(id.to_string());
        }
        query.push(")");
        let rows: Vec<IncidentRow> = query.build_query_as().fetch_all(&mut *connection).await?;
        let incidents = assemble(connection, rows).await?;
        found.extend(
            incidents
                .into_iter()
                .map(|(incident, _)| (incident.id, incident)),
        );
    }
    Ok(found)
}

/// The open incident of a (rule, subject).
pub(super) async fn open_of(
    connection: &mut SqliteConnection,
    rule: &RuleId,
    subject: &str,
) -> Result<Option<Incident>, StateError> {
    let row: Option<IncidentRow> = sqlx::query_as(
        "SELECT * FROM incident WHERE rule = $1 AND subject = $2
           AND state IN ('open', 'acknowledged', 'verifying', 'dispatched')",
    )
    .bind(rule.as_str())
    .bind(subject)
    .fetch_optional(&mut *connection)
    .await?;
    one(connection, row).await
}

/// The incident of a (rule, subject) that was settled at `since` or later and was no drill: a repeat is its next round.
pub(super) async fn settled_of(
    connection: &mut SqliteConnection,
    rule: &RuleId,
    subject: &str,
    since: Timestamp,
) -> Result<Option<Incident>, StateError> {
    let row: Option<IncidentRow> = sqlx::query_as(
        "SELECT * FROM incident WHERE rule = $1 AND subject = $2 AND resolved_at >= $3
           AND state IN ('resolved', 'review', 'closed') ORDER BY resolved_at DESC, number DESC LIMIT 1",
    )
    .bind(rule.as_str())
    .bind(subject)
    .bind(since.as_microsecond())
    .fetch_optional(&mut *connection)
    .await?;
    one(connection, row).await
}

/// Open incidents of a zone under one of these rules, the oldest first.
pub(super) async fn open_in(
    connection: &mut SqliteConnection,
    zone: &ZoneId,
    rules: &BTreeSet<RuleId>,
) -> Result<Vec<Incident>, StateError> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT * FROM incident WHERE state IN ('open', 'acknowledged', 'verifying', 'dispatched') AND zone = ",
    );
    query.push_bind(zone.as_str());
    among(&mut query, rules);
    query.push(" ORDER BY number");
    let rows: Vec<IncidentRow> = query.build_query_as().fetch_all(&mut *connection).await?;
    let found = assemble(connection, rows).await?;
    Ok(found.into_iter().map(|(incident, _)| incident).collect())
}

fn among(query: &mut QueryBuilder<Sqlite>, rules: &BTreeSet<RuleId>) {
    // not by an index: a rule has a long history, and few incidents are open in a zone
    query.push(" AND rule || '' IN (");
    let mut ids = query.separated(", ");
    for rule in rules {
        ids.push_bind(rule.as_str());
    }
    query.push(")");
}

/// Those of these zones in which an incident under one of these rules is open.
pub(super) async fn zones_with(
    connection: &mut SqliteConnection,
    zones: &[&ZoneId],
    rules: &BTreeSet<RuleId>,
) -> Result<BTreeSet<String>, StateError> {
    let mut found = BTreeSet::new();
    for chunk in chunks(zones) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("WITH asked (zone) AS (");
        query.push_values(chunk, |mut values, zone| {
            values.push_bind(zone.as_str());
        });
        query.push(
            ") SELECT zone FROM asked WHERE EXISTS (SELECT 1 FROM incident WHERE incident.zone = asked.zone
               AND state IN ('open', 'acknowledged', 'verifying', 'dispatched')",
        );
        among(&mut query, rules);
        query.push(")");
        let zones: Vec<String> = query
            .build_query_scalar()
            .fetch_all(&mut *connection)
            .await?;
        found.extend(zones);
    }
    Ok(found)
}

/// Open incidents that were opened after `since`, the oldest first.
pub(super) async fn open_since(
    connection: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<Incident>, StateError> {
    let rows: Vec<IncidentRow> = sqlx::query_as(
        "SELECT * FROM incident WHERE opened_at > $1
           AND state IN ('open', 'acknowledged', 'verifying', 'dispatched') ORDER BY number",
    )
    .bind(since.as_microsecond())
    .fetch_all(&mut *connection)
    .await?;
    let found = assemble(connection, rows).await?;
    Ok(found.into_iter().map(|(incident, _)| incident).collect())
}

/// The short number that was given out last.
pub(super) async fn last_number(connection: &mut SqliteConnection) -> Result<u64, StateError> {
    let number: i64 =
        sqlx::query_scalar("SELECT value FROM counter WHERE name = 'incident_number'")
            .fetch_one(connection)
            .await?;
    Ok(number.cast_unsigned())
}

/// So many numbers more are given out.
pub(super) async fn give_out(
    connection: &mut SqliteConnection,
    numbers: usize,
) -> Result<(), StateError> {
    sqlx::query("UPDATE counter SET value = value + $1 WHERE name = 'incident_number'")
        .bind(numbers as i64)
        .execute(connection)
        .await?;
    Ok(())
}

/// The next short number.
pub(super) async fn next_number(connection: &mut SqliteConnection) -> Result<u64, StateError> {
    let number: i64 = sqlx::query_scalar(
        "UPDATE counter SET value = value + 1 WHERE name = 'incident_number' RETURNING value",
    )
    .fetch_one(connection)
    .await?;
    Ok(number.cast_unsigned())
}

/// Columns that a step may change. Of a revision [`super::commit`] knows.
const COLUMNS: &str = "number, version, severity, state, condition, rule, subject, class, site, zone, device, lead, co, clocks,
    opened_at, occurred_at, last_event_at, count, acknowledged_at, acknowledged_by, resolved_at, closed_at, cause, parent,
    acknowledge_due, resolve_due, detail, verify, reporter, course, due_at, storm";

fn push(values: &mut Separated<'_, Sqlite, &'static str>, incident: &Incident) {
    let us = |at: Timestamp| at.as_microsecond();
    let acknowledged = incident.acknowledged.as_ref();
    values
        .push_bind(incident.number.cast_signed())
        .push_bind(incident.version)
        .push_bind(incident.severity.number())
        .push_bind(incident.state.as_str())
        .push_bind(incident.condition.as_str())
        .push_bind(incident.rule.as_str())
        .push_bind(&incident.subject)
        .push_bind(incident.class.as_str())
        .push_bind(incident.site.as_str())
        .push_bind(incident.zone.as_ref().map(ToString::to_string))
        .push_bind(incident.device.as_ref().map(ToString::to_string))
        .push_bind(incident.plan.lead.as_str())
        .push_bind(json(&incident.plan.co))
        .push_bind(json(&incident.plan.clocks))
        .push_bind(us(incident.opened_at))
        .push_bind(us(incident.occurred_at))
        .push_bind(us(incident.last_event_at))
        .push_bind(incident.count.cast_signed())
        .push_bind(acknowledged.map(|(at, _)| us(*at)))
        .push_bind(acknowledged.map(|(_, by)| by.to_string()))
        .push_bind(incident.resolved_at.map(us))
        .push_bind(incident.closed_at.map(us))
        .push_bind(&incident.cause)
        .push_bind(incident.parent.map(|id| id.to_string()))
        .push_bind(us(incident.due.acknowledge))
        .push_bind(us(incident.due.resolve))
        .push_bind(json(&incident.detail))
        .push_bind(i64::from(incident.plan.verify))
        .push_bind(incident.reporter.as_ref().map(json))
        .push_bind(json(&incident.course))
        .push_bind(incident.next_due().map(us))
        .push_bind(incident.storm.map(|id| id.to_string()));
}

/// Writes incidents that are new, and their tasks.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    opened: &[&Incident],
) -> Result<(), StateError> {
    for chunk in chunks(opened) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new(format!("INSERT INTO incident ({COLUMNS}, id, revision) "));
        query.push_values(chunk, |mut values, incident| {
            push(&mut values, incident);
            values.push_bind(incident.id.to_string()).push_bind(0);
        });
        query.build().execute(&mut *connection).await?;
    }
    save_tasks(connection, opened).await
}

/// Writes an incident that is new (`before` is none) or that was at a version, and its tasks. Its revision is set by
/// [`super::commit`] once it is known.
pub(super) async fn save(
    connection: &mut SqliteConnection,
    incident: &Incident,
    before: Option<i64>,
) -> Result<(), StateError> {
    let Some(before) = before else {
        insert(connection, &[incident]).await?;
        return record::keep(connection, None, incident).await;
    };
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new(format!("UPDATE incident SET ({COLUMNS}) = ("));
    push(&mut query.separated(", "), incident);
    query
        .push(") WHERE id = ")
        .push_bind(incident.id.to_string());
    query.push(" AND version = ").push_bind(before);
    let done = query.build().execute(&mut *connection).await?;
    if done.rows_affected() != 1 {
        return Err(StateError::damaged(format_args!(
            "incident {} changed under a transaction that holds the only writer",
            incident.id
        )));
    }
    save_tasks(connection, &[incident]).await
}

async fn save_tasks(
    connection: &mut SqliteConnection,
    incidents: &[&Incident],
) -> Result<(), StateError> {
    let us = |at: Timestamp| at.as_microsecond();
    let tasks = incidents.iter().flat_map(|incident| {
        let tasks = incident.tasks.iter().enumerate();
        tasks.map(|(ordinal, task)| (incident.id, ordinal, task))
    });
    let tasks: Vec<(IncidentId, usize, &Task)> = tasks.collect();
    for chunk in chunks(&tasks) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO task (id, incident, ordinal, department, lead, state, holder, dispatched_at, claimed_at, arrived_at,
               resolved_at, claim_due, arrive_due, resolve_due, fence, lease_until, progress_due, overdue) ",
        );
        query.push_values(chunk, |mut values, (incident, ordinal, task)| {
            values
                .push_bind(task.id.to_string())
                .push_bind(incident.to_string())
                .push_bind(*ordinal as i64)
                .push_bind(task.department.as_str())
                .push_bind(i64::from(task.lead))
                .push_bind(task.state.as_str())
                .push_bind(task.holder.as_ref().map(ToString::to_string))
                .push_bind(us(task.dispatched_at))
                .push_bind(task.claimed_at.map(us))
                .push_bind(task.arrived_at.map(us))
                .push_bind(task.resolved_at.map(us))
                .push_bind(us(task.due.claim))
                .push_bind(us(task.due.arrive))
                .push_bind(us(task.due.resolve))
                .push_bind(task.fence)
                .push_bind(task.lease_until.map(us))
                .push_bind(task.progress_due.map(us))
                .push_bind(task.overdue.map(|stage| stage.to_string()));
        });
        query.push(
            " ON CONFLICT (id) DO UPDATE SET lead = excluded.lead, state = excluded.state, holder = excluded.holder,
               dispatched_at = excluded.dispatched_at, fence = excluded.fence, lease_until = excluded.lease_until,
               progress_due = excluded.progress_due, overdue = excluded.overdue, claimed_at = excluded.claimed_at, arrived_at = excluded.arrived_at, resolved_at = excluded.resolved_at,
               claim_due = excluded.claim_due, arrive_due = excluded.arrive_due, resolve_due = excluded.resolve_due",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Keeps the ids of events with their incidents.
pub(super) async fn note_events(
    connection: &mut SqliteConnection,
    events: &[(IncidentId, Seq, EventId)],
) -> Result<(), StateError> {
    for chunk in chunks(events) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO incident_event (incident, seq, event) ");
        query.push_values(chunk, |mut values, (incident, seq, event)| {
            values
                .push_bind(incident.to_string())
                .push_bind(seq.0.cast_signed())
                .push_bind(event.to_string());
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Does what a step of the machine asks for besides keeping the incident.
pub(super) async fn perform(
    connection: &mut SqliteConnection,
    registry: &Registry,
    incident: IncidentId,
    effects: Vec<Effect>,
) -> Result<(), StateError> {
    let mut lines = Vec::new();
    for effect in effects {
        match effect {
            Effect::Record(step) => lines.push(audit::Entry::of_step(incident.to_string(), step)),
            Effect::AcknowledgeAlarms => alarms::acknowledge_all(connection, incident).await?,
            Effect::Notify(notice) => {
                outbox::put(connection, registry, incident, &notice).await?;
            }
            Effect::Exhausted(stage) => {
                due::note(connection, incident, due::EXHAUSTED, Some(stage)).await?;
            }
            Effect::Recovered => due::note(connection, incident, due::RECOVERED, None).await?,
        }
    }
    audit::append(connection, lines).await
}

/// Keeps a step: the incident, if anything about it changed, and its effects.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    registry: &Registry,
    before: &Incident,
    step: (Incident, Vec<Effect>),
) -> Result<Incident, StateError> {
    let (after, effects) = in_working_time(Some(before), step, &registry.roster.calendar);
    if after != *before {
        // boxed: an incident is large, and so would be every future above it
        Box::pin(save(connection, &after, Some(before.version))).await?;
        Box::pin(record::keep(connection, Some(before), &after)).await?;
    }
    perform(connection, registry, after.id, effects).await?;
    Ok(after)
}

/// Brings an incident's condition in line with the alarms that it has now.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    registry: &Registry,
    incident: &Incident,
    at: Timestamp,
    rule: &RuleId,
) -> Result<(), StateError> {
    let standing = alarms::standing(connection, incident.id).await?;
    let step = incident.set_condition(standing, at, rule);
    keep(connection, registry, incident, step).await?;
    Ok(())
}

/// States of incidents to which a further finding of the same episode belongs.
pub(super) fn takes_more(incident: &Incident, severity: Severity) -> bool {
    match incident.state {
        IncidentState::Resolved | IncidentState::Review => severity >= incident.severity,
        state => state.is_open(),
    }
}
