//! Reports as they are looked at: by whoever reported, without names and notes; by the station, beside the incident. And the reporter's answer.

use domain::incident::{Act, Incident, IncidentState, Reason, Refused, Reporter, Satisfaction};
use domain::rule::ReportType;
use domain::{IncidentId, ReportId, SiteId, Timestamp, UserId, ZoneId};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};

use super::command::{NOTE_CHARS_MAX, answered, bad_key, finish, remember};
use super::commit::News;
use super::error::StateError;
use super::incidents::{self, opt_word, time, word};
use super::query::{PAGE_MAX, Page, cut, parse_cursor, timeline};
use super::view::{Moment, TimelineItem};
use super::{CommandError, ReportContact, State, feed};

/// Reports that are served with an incident: the latest.
pub const REPORTS_SHOWN_MAX: i64 = 50;
/// How often a merged incident may have been merged further.
const MERGES_MAX: usize = 16;

/// Where a report stands, for whoever made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// The station has it.
    Received,
    /// Somebody has seen it.
    Acknowledged,
    /// A department has it.
    Dispatched,
    /// Somebody is there.
    OnScene,
    /// It is done.
    Resolved,
    /// Is it well?
    Review,
    /// It is over.
    Closed,
    /// It goes on after all.
    Reopened,
}

impl ReportState {
    /// The word as it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Acknowledged => "acknowledged",
            Self::Dispatched => "dispatched",
            Self::OnScene => "on_scene",
            Self::Resolved => "resolved",
            Self::Review => "review",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }

    /// What a line of the timeline means to whoever reported; none for what is the station's own business.
    fn of(line: &TimelineItem) -> Option<Self> {
        // a department that is done is one of several
        let is_whole = line.department.is_none();
        match line.verb {
            Act::Acknowledge | Act::Verify => Some(Self::Acknowledged),
            Act::Dispatch => Some(Self::Dispatched),
            Act::Arrive => Some(Self::OnScene),
            Act::Resolve | Act::Dismiss if is_whole => Some(Self::Resolved),
            Act::ForceClose if line.to == IncidentState::Resolved.as_str() => Some(Self::Resolved),
            Act::Review => Some(Self::Review),
            Act::Close | Act::Cancel => Some(Self::Closed),
            Act::Reopen => Some(Self::Reopened),
            _ => None,
        }
    }
}

/// A step that whoever reported is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressItem {
    /// When.
    pub at: Moment,
    /// What it came to.
    pub state: ReportState,
}

/// A report for whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportItem {
    /// Its id.
    pub id: ReportId,
    /// The number of its incident; of the one that it was merged into, if it was.
    pub number: u64,
    /// What about.
    pub r#type: ReportType,
    /// The quarter.
    pub site: SiteId,
    /// The zone.
    pub zone: Option<ZoneId>,
    /// Where, in their words.
    pub place: Option<String>,
    /// What, in their words.
    pub text: String,
    /// Names of its photos.
    pub photos: Vec<String>,
    /// When the hub had it.
    pub created_at: Moment,
    /// When they pressed send.
    pub occurred_at: Moment,
    /// It had to wait for a line.
    pub is_late: bool,
    /// What happened, oldest first; without persons and notes.
    pub progress: Vec<ProgressItem>,
    /// Where it stands: the last of them.
    pub state: ReportState,
    /// They are asked whether it is settled.
    pub asks: bool,
    /// What was said to that.
    pub satisfaction: Option<Satisfaction>,
}

/// A report with who may look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundReport {
    /// What they see.
    pub item: ReportItem,
    /// Its incident; the one that it was merged into, if it was.
    pub incident: IncidentId,
    /// The user who reported it.
    pub reporter: Option<UserId>,
    /// SHA-256 of the secret of whoever reported it, in hex.
    pub secret_hash: Option<String>,
}

/// A report beside its incident, for the station.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is as in `ReportItem`")]
pub struct IncidentReport {
    pub id: ReportId,
    pub about: ReportType,
    pub zone: Option<ZoneId>,
    pub place: Option<String>,
    pub text: String,
    pub photos: Vec<String>,
    pub created_at: Moment,
    pub occurred_at: Moment,
    pub is_late: bool,
    pub reporter: Option<UserId>,
    /// Whom to call back; not for everybody's eyes.
    pub contact: Option<ReportContact>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    ordinal: i64,
    incident: String,
    r#type: String,
    site: String,
    zone: Option<String>,
    place: Option<String>,
    text: String,
    occurred_at: i64,
    created_at: i64,
    late: i64,
    reporter: Option<String>,
    secret_hash: Option<String>,
    contact_name: Option<String>,
    contact_phone: Option<String>,
}

impl Row {
    fn about(&self) -> Result<ReportType, StateError> {
        let known = ReportType::WORDS.iter().find(|(w, _)| *w == self.r#type);
        known
            .map(|(_, about)| *about)
            .ok_or_else(|| StateError::damaged(format_args!("report type {}", self.r#type)))
    }
}

/// Of an incident and of those that were merged into it.
const REPORTS_OF: &str = "SELECT * FROM report WHERE incident = $1 OR incident IN (SELECT id FROM incident WHERE parent = $1)
   ORDER BY ordinal DESC LIMIT $2";

impl State {
    /// One report, with who may look at it; none if there is none with this id.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn find_report(
        &self,
        id: ReportId,
        now: Timestamp,
    ) -> Result<Option<FoundReport>, StateError> {
        let mut snapshot = self.snapshot().await?;
        find(&mut snapshot, id, now).await
    }

    /// What a user reported, the newest first. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn reports_by(
        &self,
        user: &UserId,
        cursor: Option<&str>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Page<ReportItem>, StateError> {
        let before = parse_cursor(cursor)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let mut rows: Vec<Row> = sqlx::query_as(
            "SELECT * FROM report WHERE reporter = $1 AND ordinal < $2 ORDER BY ordinal DESC LIMIT $3",
        )
        .bind(user.as_str())
        .bind(before)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut *snapshot)
        .await?;
        let next = cut(&mut rows, limit, |row| row.ordinal.to_string());
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(Box::pin(whole(&mut snapshot, row, now)).await?.item);
        }
        Ok(Page {
            items,
            next,
            revision,
        })
    }

    /// What was reported of an incident and of those merged into it: the latest, oldest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn reports_of(
        &self,
        incident: IncidentId,
    ) -> Result<Vec<IncidentReport>, StateError> {
        let mut snapshot = self.snapshot().await?;
        let rows: Vec<Row> = sqlx::query_as(REPORTS_OF)
            .bind(incident.to_string())
            .bind(REPORTS_SHOWN_MAX)
            .fetch_all(&mut *snapshot)
            .await?;
        let mut reports = Vec::with_capacity(rows.len());
        for row in rows.into_iter().rev() {
            reports.push(IncidentReport {
                id: word(&row.id)?,
                about: row.about()?,
                zone: opt_word(row.zone.as_ref())?,
                photos: photos(&mut snapshot, &row.id).await?,
                created_at: time(row.created_at)?.into(),
                occurred_at: time(row.occurred_at)?.into(),
                is_late: row.late != 0,
                reporter: opt_word(row.reporter.as_ref())?,
                place: row.place,
                text: row.text,
                contact: row
                    .contact_name
                    .zip(row.contact_phone)
                    .map(|(name, phone)| ReportContact { name, phone }),
            });
        }
        Ok(reports)
    }

    /// Where reports with this photo belong: incident, zone and who reported. Empty when no report names it.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn reports_with_photo(
        &self,
        name: &str,
    ) -> Result<Vec<(IncidentId, Option<ZoneId>, Option<UserId>)>, StateError> {
        let rows: Vec<(String, Option<String>, Option<String>)> = sqlx::query_as(
            "SELECT r.incident, r.zone, r.reporter FROM report r JOIN report_photo p ON p.report = r.id WHERE p.name = $1 LIMIT $2",
        )
        .bind(name)
        .bind(REPORTS_SHOWN_MAX)
        .fetch_all(&self.shared.read)
        .await?;
        let read = |(incident, zone, reporter): (String, Option<String>, Option<String>)| {
            Ok((
                word(&incident)?,
                opt_word(zone.as_ref())?,
                opt_word(reporter.as_ref())?,
            ))
        };
        rows.into_iter().map(read).collect()
    }

    /// Whoever reported says whether it is settled; see [`Incident::answer`]. Whether they are who they say is decided before. The same key
    /// brings the same answer, and nothing happens twice.
    ///
    /// # Errors
    /// [`CommandError::Refused`] with the state while nobody is asked.
    pub async fn answer_report(
        &self,
        id: ReportId,
        key: &str,
        said: Satisfaction,
        note: Option<String>,
        at: Timestamp,
    ) -> Result<ReportItem, CommandError> {
        let invalid = |what| Err(CommandError::Invalid { what });
        if let Some(what) = bad_key(key) {
            return invalid(what);
        }
        if note
            .as_ref()
            .is_some_and(|n| n.chars().count() > NOTE_CHARS_MAX)
        {
            return invalid(format!("a note has at most {NOTE_CHARS_MAX} characters"));
        }
        let (state, key) = (self.clone(), key.to_owned());
        finish(async move { Box::pin(state.take_answer(id, &key, said, note.as_ref(), at)).await })
            .await
    }

    async fn take_answer(
        &self,
        id: ReportId,
        key: &str,
        said: Satisfaction,
        note: Option<&String>,
        at: Timestamp,
    ) -> Result<ReportItem, CommandError> {
        // keys are each report's own: a name that no log-in has
        let owner: UserId = word(&format!("report-{}", id.uuid().simple()))?;
        let request = serde_json::json!([said, note]).to_string();
        let mut tx = self.begin().await?;
        let found = find(&mut tx, id, at).await?.ok_or(CommandError::NotFound)?;
        if let Some((of, _)) = answered(&mut tx, &owner, key).await? {
            return if of == request {
                Ok(found.item)
            } else {
                Err(CommandError::KeyReused)
            };
        }
        let loaded = incidents::load(&mut tx, found.incident).await?;
        let (incident, _) = loaded.ok_or(CommandError::NotFound)?;
        let (now, late) = incident.on_time(at);
        let reporter = found.reporter.map_or(Reporter::Report(id), Reporter::User);
        let step = now.answer(&reporter, said, note, at)?;
        if said == Satisfaction::Dissatisfied {
            let open = incidents::open_of(&mut tx, &now.rule, &now.subject).await?;
            if open.is_some_and(|open| open.id != now.id) {
                let refused = Refused {
                    reason: Reason::OpenElsewhere,
                    state: now.state,
                    holder: None,
                };
                return Err(refused.into());
            }
        }
        let registry = &self.shared.registry();
        let now = incidents::keep(&mut tx, registry, &incident, (now, late)).await?;
        let after = incidents::keep(&mut tx, registry, &now, step).await?;
        let revision = self
            .publish(&mut tx, vec![News::Incident(after.id)])
            .await?;
        remember(&mut tx, (&owner, key, at), &request, "").await?;
        let found = find(&mut tx, id, at).await?.ok_or(CommandError::NotFound)?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(found.item)
    }
}

async fn find(
    connection: &mut SqliteConnection,
    id: ReportId,
    now: Timestamp,
) -> Result<Option<FoundReport>, StateError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM report WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    match row {
        Some(row) => Box::pin(whole(connection, row, now)).await.map(Some),
        None => Ok(None),
    }
}

async fn photos(connection: &mut SqliteConnection, id: &str) -> Result<Vec<String>, StateError> {
    let names =
        sqlx::query_scalar("SELECT name FROM report_photo WHERE report = $1 ORDER BY ordinal");
    Ok(names.bind(id).fetch_all(connection).await?)
}

/// A report with what became of it, also under another number.
async fn whole(
    connection: &mut SqliteConnection,
    row: Row,
    now: Timestamp,
) -> Result<FoundReport, StateError> {
    let gone = || StateError::damaged(format_args!("report {} has no incident", row.id));
    let mut next: IncidentId = word(&row.incident)?;
    let mut lines: Vec<TimelineItem> = Vec::new();
    let mut incident: Incident;
    let mut merges = 0;
    loop {
        (incident, _) = incidents::load(connection, next).await?.ok_or_else(gone)?;
        let own = timeline(connection, next).await?;
        lines.extend(own);
        match incident.parent {
            Some(parent) if incident.state == IncidentState::Merged && merges < MERGES_MAX => {
                next = parent;
                merges += 1;
            }
            _ => break,
        }
    }
    lines.sort_by_key(|line| line.at);
    let created_at = Moment(time(row.created_at)?);
    let progress = progress(created_at, &lines);
    let state = progress
        .last()
        .map_or(ReportState::Received, |step| step.state);
    let satisfaction = incident.course.satisfaction;
    Ok(FoundReport {
        incident: incident.id,
        reporter: opt_word(row.reporter.as_ref())?,
        secret_hash: row.secret_hash.clone(),
        item: ReportItem {
            id: word(&row.id)?,
            number: incident.number,
            r#type: row.about()?,
            site: word(&row.site)?,
            zone: opt_word(row.zone.as_ref())?,
            photos: photos(connection, &row.id).await?,
            created_at,
            occurred_at: time(row.occurred_at)?.into(),
            is_late: row.late != 0,
            progress,
            state,
            asks: asks(&incident, now),
            satisfaction: matches!(
                satisfaction,
                Satisfaction::Satisfied | Satisfaction::Dissatisfied
            )
            .then_some(satisfaction),
            place: row.place,
            text: row.text,
        },
    })
}

/// In review, or closed from the desk before anybody was asked.
fn asks(incident: &Incident, now: Timestamp) -> bool {
    let is_unanswered = match incident.state {
        IncidentState::Review => true,
        IncidentState::Closed => incident.course.satisfaction != Satisfaction::Satisfied,
        _ => false,
    };
    let is_asked = incident
        .course
        .review
        .is_some_and(|r| r.is_asked && now <= r.ends_at);
    is_unanswered && is_asked
}

/// What happened before the report came is the state in which it found things.
fn progress(created_at: Moment, lines: &[TimelineItem]) -> Vec<ProgressItem> {
    let mut steps = vec![ProgressItem {
        at: created_at,
        state: ReportState::Received,
    }];
    for line in lines {
        let Some(state) = ReportState::of(line) else {
            continue;
        };
        let at = line.at.max(created_at);
        if steps.last().is_some_and(|last| last.state == state) {
            continue;
        }
        if at == created_at {
            steps.truncate(1);
        }
        steps.push(ProgressItem { at, state });
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::REPORTS_OF;
    use crate::state::State;

    #[tokio::test]
    async fn reading_one_incident_does_not_read_them_all() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db"), Arc::default())
            .await
            .expect("opens");
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {REPORTS_OF}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
            .bind("inc_0")
            .bind(10)
            .fetch_all(&state.shared.read)
            .await
            .expect("explains");
        let scans = plan.iter().filter(|row| row.3.starts_with("SCAN"));
        assert_eq!(scans.count(), 0, "{plan:?}");
    }
}
