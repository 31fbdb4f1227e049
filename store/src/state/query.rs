//! What the API asks for: lists page by page, one incident with everything about it, counts.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::incident::IncidentState;
use domain::{
    DepartmentId, EventId, IncidentId, Reach, Revision, RuleId, Severity, SiteId, Timestamp, ZoneId,
};
use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::batch::QuarantineRow;
use super::error::StateError;
use super::incidents::{self, IncidentRow, opt_word, severity, time, word};
use super::view::{
    AlarmItem, EVENTS_MAX, IncidentItem, IncidentView, Moment, QuarantineItem, RAW_BYTES_SHOWN,
    TaskItem, TimelineItem,
};
use super::{State, alarms, feed, notified, reach};

/// Most items of a page.
pub const PAGE_MAX: u32 = 500;
/// Most lines of a timeline that are served; the oldest are left out.
const TIMELINE_MAX: i64 = 500;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
    /// The state that the list shows: whoever follows the feed goes on from here.
    pub revision: Revision,
}

/// Takes off the row that was asked for beyond the page, and says where the next page begins: `at` gives a row's cursor.
pub(super) fn cut<R>(rows: &mut Vec<R>, limit: u32, at: impl Fn(&R) -> String) -> Option<String> {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    rows.last().filter(|_| has_more).map(at)
}

/// Which incidents by how far they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the board: everything but closed, merged and cancelled.
    Active,
    /// In one state.
    In(IncidentState),
}

impl FromStr for Stage {
    type Err = domain::event::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "active" => Ok(Self::Active),
            other => other.parse().map(Self::In),
        }
    }
}

/// Which incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// How far they are; none for all.
    pub stage: Option<Stage>,
    /// A department that takes part, or will by plan.
    pub department: Option<DepartmentId>,
    /// The number that people say aloud.
    pub number: Option<u64>,
    /// How urgent.
    pub severity: Option<Severity>,
    /// In this quarter.
    pub site: Option<SiteId>,
    /// Of this rule.
    pub rule: Option<RuleId>,
    /// Opened at or after this time.
    pub from: Option<Timestamp>,
    /// Opened before this time.
    pub to: Option<Timestamp>,
    /// The scope of whoever asks.
    pub reach: Reach,
}

impl State {
    /// How many open incidents stand in a zone, by severity, of those that lie in a scope.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn open_by_zone(
        &self,
        reach: &Reach,
    ) -> Result<Vec<(ZoneId, Severity, u32)>, StateError> {
        let mut query = QueryBuilder::new(
            "SELECT zone, severity, count(*) FROM incident WHERE state NOT IN ('closed', 'merged', 'cancelled')
             AND resolved_at IS NULL AND zone IS NOT NULL",
        );
        reach::incidents(&mut query, reach);
        query.push(" GROUP BY zone, severity");
        let rows: Vec<(String, i64, u32)> =
            query.build_query_as().fetch_all(&self.shared.read).await?;
        rows.into_iter()
            .map(|(zone, number, count)| Ok((word(&zone)?, severity(number)?, count)))
            .collect()
    }

    /// Incidents, the newest first. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<IncidentItem>, StateError> {
        let before = parse_cursor(cursor)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let mut rows: Vec<IncidentRow> = select(filter, before, limit)
            .build_query_as()
            .fetch_all(&mut *snapshot)
            .await?;
        let next = cut(&mut rows, limit, |row| row.number.to_string());
        let registry = &self.shared.registry();
        let items = incidents::assemble(&mut snapshot, rows)
            .await?
            .iter()
            .map(|(incident, revision)| IncidentItem::new(incident, *revision, registry))
            .collect();
        Ok(Page {
            items,
            next,
            revision,
        })
    }

    /// One incident with everything about it; none if there is none with this id.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<IncidentView>, StateError> {
        let mut snapshot = self.snapshot().await?;
        self.view(&mut snapshot, id).await
    }

    pub(super) async fn view(
        &self,
        connection: &mut SqliteConnection,
        id: IncidentId,
    ) -> Result<Option<IncidentView>, StateError> {
        let Some((incident, revision)) = incidents::load(connection, id).await? else {
            return Ok(None);
        };
        let alarms = alarms::of_incident(connection, id).await?;
        Ok(Some(IncidentView {
            item: IncidentItem::new(&incident, revision, &self.shared.registry()),
            tasks: incident.tasks.iter().map(TaskItem::from).collect(),
            timeline: timeline(connection, id).await?,
            alarms: alarms
                .iter()
                .map(|alarm| AlarmItem::new(alarm, &self.shared.registry()))
                .collect(),
            evidence: incident.course.evidence,
            ticked: incident.course.ticked.into_iter().collect(),
            notified: notified::of(connection, &self.shared.registry(), id).await?,
            event_ids: event_ids(connection, id).await?,
        }))
    }
}

/// One incident more than the page holds, so that it shows whether there is another page.
fn select(filter: &IncidentFilter, before: i64, limit: u32) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM incident WHERE number < ");
    query.push_bind(before);
    let is_on_board = match filter.stage {
        None => false,
        Some(Stage::Active) => true,
        Some(Stage::In(state)) => {
            query.push(" AND state = ").push_bind(state.as_str());
            state.is_on_board()
        }
    };
    if is_on_board {
        // word for word as in the index, which then holds few rows however many are closed
        query.push(" AND state NOT IN ('closed', 'merged', 'cancelled')");
    }
    if let Some(department) = &filter.department {
        let department = department.as_str();
        query.push(" AND (EXISTS (SELECT 1 FROM task WHERE task.incident = incident.id AND task.department = ");
        query.push_bind(department.to_owned());
        query.push(") OR (state IN ('open', 'acknowledged', 'verifying') AND (lead = ");
        query.push_bind(department.to_owned());
        query
            .push(" OR co LIKE ")
            .push_bind(format!("%\"{department}\"%"))
            .push(")))");
    }
    if let Some(number) = filter.number {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        query.push(" AND number = ").push_bind(number);
    }
    if let Some(severity) = filter.severity {
        query.push(" AND severity = ").push_bind(severity.number());
    }
    if let Some(site) = &filter.site {
        query.push(" AND site = ").push_bind(site.to_string());
    }
    if let Some(rule) = &filter.rule {
        query.push(" AND rule = ").push_bind(rule.to_string());
    }
    if let Some(from) = filter.from {
        query
            .push(" AND opened_at >= ")
            .push_bind(from.as_microsecond());
    }
    if let Some(to) = filter.to {
        query
            .push(" AND opened_at < ")
            .push_bind(to.as_microsecond());
    }
    reach::incidents(&mut query, &filter.reach);
    query
        .push(" ORDER BY number DESC LIMIT ")
        .push_bind(i64::from(limit) + 1);
    query
}

pub(super) fn quarantine_item(row: &QuarantineRow) -> QuarantineItem {
    let shown = &row.raw[..row.raw.len().min(RAW_BYTES_SHOWN)];
    QuarantineItem {
        id: row.seq.to_string(),
        seq: row.seq,
        received_at: row.received_at.into(),
        topic: row.topic.clone(),
        principal: row.principal.clone(),
        reason: row.reason.clone(),
        detail: row.detail.clone(),
        raw_base64: BASE64.encode(shown),
        bytes: row.raw.len() as u64,
        rerun: None,
    }
}

pub(super) fn parse_cursor(cursor: Option<&str>) -> Result<i64, StateError> {
    cursor.map_or(Ok(i64::MAX), |text| {
        text.parse().map_err(|_| {
            StateError::invalid(format!(
                "`{}` is not a cursor (hint: take `next` of the page before)",
                text.chars().take(40).collect::<String>()
            ))
        })
    })
}

pub(super) async fn timeline(
    connection: &mut SqliteConnection,
    id: IncidentId,
) -> Result<Vec<TimelineItem>, StateError> {
    #[derive(sqlx::FromRow)]
    struct Line {
        at: i64,
        actor: String,
        act: String,
        department: Option<String>,
        from_word: String,
        to_word: String,
        note: Option<String>,
    }
    let lines: Vec<Line> = sqlx::query_as(
        "SELECT at, actor, act, department, from_word, to_word, note FROM audit WHERE object = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(id.to_string())
    .bind(TIMELINE_MAX)
    .fetch_all(connection)
    .await?;
    let item = |line: Line| {
        Ok(TimelineItem {
            at: Moment(time(line.at)?),
            actor: line.actor,
            verb: word(&line.act)?,
            department: opt_word(line.department.as_ref())?,
            note: line.note,
            from: line.from_word,
            to: line.to_word,
        })
    };
    lines.into_iter().rev().map(item).collect()
}

async fn event_ids(
    connection: &mut SqliteConnection,
    id: IncidentId,
) -> Result<Vec<EventId>, StateError> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT event FROM incident_event WHERE incident = $1 ORDER BY seq DESC, event LIMIT $2",
    )
    .bind(id.to_string())
    .bind(EVENTS_MAX)
    .fetch_all(connection)
    .await?;
    ids.iter().map(|id| word(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::{IncidentFilter, Stage, select};
    use crate::state::State;
    use std::sync::Arc;

    #[tokio::test]
    async fn the_board_is_read_by_its_index() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db"), Arc::default())
            .await
            .expect("opens");
        let filter = IncidentFilter {
            stage: Some(Stage::Active),
            ..IncidentFilter::default()
        };
        let sql = format!(
            "EXPLAIN QUERY PLAN {}",
            select(&filter, i64::MAX, 10).sql().as_str()
        );
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(i64::MAX)
            .bind(10)
            .fetch_all(&state.shared.read)
            .await
            .expect("explains");
        assert!(
            plan.iter().any(|row| row.3.contains("incident_on_board")),
            "{plan:?}"
        );
    }
}
