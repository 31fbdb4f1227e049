//! The incidents of a span as the record has them up to a row of the audit trail: rows that never change, so that what is computed from
//! them can be hashed.

use std::collections::HashMap;

use domain::incident::Act;
use domain::kpi::{Fact, IncidentRecord, Line, Part, Query, Record};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::error::StateError;
use super::incidents::{opt_time, opt_word, severity, time, word};

/// Most incidents of one report.
const INCIDENTS_MAX: i64 = 1_000_000;

pub(super) async fn record(
    connection: &mut SqliteConnection,
    query: Query,
    as_of: Option<i64>,
) -> Result<Record, StateError> {
    let head: i64 = sqlx::query_scalar("SELECT id FROM audit_head WHERE one = 1")
        .fetch_one(&mut *connection)
        .await?;
    let as_of = match as_of {
        None => head,
        Some(asked) if (0..=head).contains(&asked) => asked,
        Some(asked) => {
            return Err(StateError::invalid(format!(
                "`as_of` is {asked} and the audit trail ends at {head}"
            )));
        }
    };
    let as_of_at: Option<i64> = sqlx::query_scalar("SELECT at FROM audit WHERE id = $1")
        .bind(as_of)
        .fetch_optional(&mut *connection)
        .await?;
    let (mut incidents, index) = opened(connection, query).await?;
    for row in rows::<FactRow>(connection, FACTS, query, as_of).await? {
        if let Some(position) = index.get(&row.number) {
            incidents[*position].facts.push(row.into_fact()?);
        }
    }
    for row in rows::<PartRow>(connection, PARTS, query, as_of).await? {
        if let Some(position) = index.get(&row.number) {
            incidents[*position].parts.push(row.into_part()?);
        }
    }
    for row in rows::<LineRow>(connection, LINES, query, as_of).await? {
        if let Some(position) = index.get(&row.number) {
            incidents[*position].steps.push(row.into_line()?);
        }
    }
    Ok(Record {
        as_of,
        as_of_at: opt_time(as_of_at)?.unwrap_or(query.from),
        incidents,
    })
}

async fn opened(
    connection: &mut SqliteConnection,
    query: Query,
) -> Result<(Vec<IncidentRecord>, HashMap<i64, usize>), StateError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT number, opened_at FROM incident WHERE opened_at >= $1 AND opened_at < $2 ORDER BY number LIMIT $3",
    )
    .bind(query.from.as_microsecond())
    .bind(query.to.as_microsecond())
    .bind(INCIDENTS_MAX + 1)
    .fetch_all(connection)
    .await?;
    if rows.len() as i64 > INCIDENTS_MAX {
        return Err(StateError::invalid(format!(
            "more than {INCIDENTS_MAX} incidents opened in that span (hint: ask for less at a time)"
        )));
    }
    let index = rows.iter().enumerate().map(|(n, row)| (row.0, n)).collect();
    let incident = |(number, opened_at): (i64, i64)| {
        Ok(IncidentRecord {
            number: number.cast_unsigned(),
            opened_at: time(opened_at)?,
            facts: Vec::new(),
            parts: Vec::new(),
            steps: Vec::new(),
        })
    };
    let incidents: Result<Vec<_>, StateError> = rows.into_iter().map(incident).collect();
    Ok((incidents?, index))
}

/// Rows about the incidents that opened in the span, up to a row of the audit trail. `sql` has `$1` and `$2` for the span and `$3` for
/// that row, and begins with the incident's number.
async fn rows<R>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    query: Query,
    as_of: i64,
) -> Result<Vec<R>, StateError>
where
    R: for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin,
{
    let rows = sqlx::query_as(sql)
        .bind(query.from.as_microsecond())
        .bind(query.to.as_microsecond())
        .bind(as_of)
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

#[derive(sqlx::FromRow)]
struct FactRow {
    number: i64,
    audit: i64,
    severity: i64,
    rule: String,
    class: String,
    site: String,
    zone: Option<String>,
    lead: String,
    acknowledge_due: i64,
    resolve_due: i64,
    cause: Option<String>,
    is_drill: i64,
    is_asked: i64,
}

const FACTS: &str = "SELECT i.number, f.audit, f.severity, f.rule, f.class, f.site, f.zone, f.lead, f.acknowledge_due, f.resolve_due, f.cause,
   f.is_drill, f.is_asked
 FROM incident i JOIN incident_fact f ON f.incident = i.id
 WHERE i.opened_at >= $1 AND i.opened_at < $2 AND f.audit <= $3";

impl FactRow {
    fn into_fact(self) -> Result<Fact, StateError> {
        Ok(Fact {
            audit: self.audit,
            severity: severity(self.severity)?,
            rule: word(&self.rule)?,
            class: word(&self.class)?,
            site: word(&self.site)?,
            zone: opt_word(self.zone.as_ref())?,
            lead: word(&self.lead)?,
            acknowledge_due: time(self.acknowledge_due)?,
            resolve_due: time(self.resolve_due)?,
            cause: self.cause,
            is_drill: self.is_drill != 0,
            is_asked: self.is_asked != 0,
        })
    }
}

#[derive(sqlx::FromRow)]
struct PartRow {
    number: i64,
    audit: i64,
    at: i64,
    department: String,
    state: String,
    dispatched_at: i64,
    claimed_at: Option<i64>,
    arrived_at: Option<i64>,
    resolved_at: Option<i64>,
    claim_due: i64,
    arrive_due: i64,
    resolve_due: i64,
}

const PARTS: &str = "SELECT i.number, t.audit, COALESCE(a.at, t.dispatched_at) AS at, t.department, t.state, t.dispatched_at, t.claimed_at,
   t.arrived_at, t.resolved_at, t.claim_due, t.arrive_due, t.resolve_due
 FROM incident i JOIN task_fact t ON t.incident = i.id LEFT JOIN audit a ON a.id = t.audit
 WHERE i.opened_at >= $1 AND i.opened_at < $2 AND t.audit <= $3";

impl PartRow {
    fn into_part(self) -> Result<Part, StateError> {
        Ok(Part {
            audit: self.audit,
            at: time(self.at)?,
            department: word(&self.department)?,
            state: word(&self.state)?,
            dispatched_at: time(self.dispatched_at)?,
            claimed_at: opt_time(self.claimed_at)?,
            arrived_at: opt_time(self.arrived_at)?,
            resolved_at: opt_time(self.resolved_at)?,
            claim_due: time(self.claim_due)?,
            arrive_due: time(self.arrive_due)?,
            resolve_due: time(self.resolve_due)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct LineRow {
    number: i64,
    audit: i64,
    at: i64,
    actor: String,
    act: String,
    department: Option<String>,
    to_word: String,
}

const LINES: &str = "SELECT i.number, a.id AS audit, a.at, a.actor, a.act, a.department, a.to_word
 FROM incident i JOIN audit a ON a.object = i.id
 WHERE i.opened_at >= $1 AND i.opened_at < $2 AND a.id <= $3
   AND a.act IN ('acknowledge', 'verify', 'dismiss', 'dispatch', 'assign', 'claim', 'force_close', 'resolve', 'raise',
     'reopen', 'cancel', 'merge', 'unmerge', 'hand_back', 'lapse', 'answer')";

impl LineRow {
    fn into_line(self) -> Result<Line, StateError> {
        Ok(Line {
            audit: self.audit,
            at: time(self.at)?,
            act: word::<Act>(&self.act)?,
            // rules and clocks sign with `rule:…` and `clock`
            by_person: self.actor != "clock" && !self.actor.contains(':'),
            department: opt_word(self.department.as_ref())?,
            to: self.to_word,
        })
    }
}
