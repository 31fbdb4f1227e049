//! What people report: a report opens an incident, or comes to the open one about the same; all of it is one transaction.
//!
//! About the same is what has the same rule and the same zone. Without a zone nobody knows that two reports are about the same, and of
//! "something else" and of lost persons neither with one: there each report is an incident of its own.
//!
//! **Invariant:** a report is never without an incident. One of a type that no rule plans for opens under the plan for `other`.

use std::collections::BTreeMap;

use domain::incident::{By, Incident, Reporter, in_working_time};
use domain::place::Registry;
use domain::rule::{Finding, FindingKind, LATE_S, ReportType, RuleBook, RuleMeta, rule_for_report};
use domain::{DeviceClass, IncidentId, ReportId, SiteId, Timestamp, UserId, ZoneId};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::command::{bad_key, finish};
use super::commit::News;
use super::error::StateError;
use super::finding::made;
use super::legal_hold::unheld;
use super::{State, incidents};

/// Longest text of a report.
pub const REPORT_CHARS_MAX: usize = 1000;
/// Longest description of a place.
pub const PLACE_CHARS_MAX: usize = 200;
/// Longest name and telephone number of a contact.
pub const CONTACT_CHARS_MAX: usize = 60;
/// Most photos of a report.
pub const PHOTOS_MAX: usize = 4;

/// Whom to call back. Kept for the work only: see [`State::forget_reports`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportContact {
    /// Who.
    pub name: String,
    /// Their number.
    pub phone: String,
}

/// Who reports: a user, somebody with a secret of their own, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedBy {
    /// The user who is logged in.
    pub user: Option<UserId>,
    /// SHA-256 of the secret, in hex.
    pub secret_hash: Option<String>,
}

/// A photo that is kept already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPhoto {
    /// SHA-256 of what the phone sent, in hex: its name.
    pub name: String,
    /// SHA-256 of what is kept of it, in hex.
    pub stored: String,
}

/// A report as it comes in; places are known to be those of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// Made on the phone when the person pressed send.
    pub key: String,
    /// What about.
    pub about: ReportType,
    /// The quarter.
    pub site: SiteId,
    /// The zone, where one was chosen.
    pub zone: Option<ZoneId>,
    /// Where, in their words.
    pub place: Option<String>,
    /// What, in their words.
    pub text: String,
    /// When they pressed send, by their phone.
    pub occurred_at: Timestamp,
    /// What shows it.
    pub photos: Vec<ReportPhoto>,
    /// Whom to call back.
    pub contact: Option<ReportContact>,
    /// Who.
    pub by: ReportedBy,
    /// Hub time.
    pub at: Timestamp,
}

/// What a report came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The report.
    pub id: ReportId,
    /// Its incident.
    pub incident: IncidentId,
    /// It was taken in now, and not before under the same key.
    pub is_new: bool,
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No rule plans for reports.
    #[error(
        "no rule is loaded for reports of this type, nor for `other`: the report was not taken (hint: call the station; `gateway rules check` says what is wrong with the rules)"
    )]
    NoRule,
    /// The key was used for something else.
    #[error(
        "this idempotency key belongs to another report (hint: a new key for every new report)"
    )]
    KeyReused,
    /// A field is not as it must be.
    #[error("`{field}`: {what}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What, and the next step.
        what: String,
    },
    /// The database failed; whether the report was taken shows when it is sent again with the same key.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for ReportError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

impl State {
    /// Takes a report in. The same key brings the same answer, and makes no second report.
    ///
    /// # Errors
    /// [`ReportError`]: nothing of it has happened.
    pub async fn report(
        &self,
        mut new: NewReport,
        book: &RuleBook,
    ) -> Result<Reported, ReportError> {
        check(&new)?;
        // what has not happened yet by our clock happened now
        new.occurred_at = new.occurred_at.min(new.at);
        let planned = rule_for_report(book, new.about);
        let meta = planned.or_else(|| rule_for_report(book, ReportType::Other));
        let meta = meta.ok_or(ReportError::NoRule)?.clone();
        let is_planned = planned.is_some();
        let state = self.clone();
        finish(async move { Box::pin(state.take_in(&new, &meta, is_planned)).await }).await
    }

    async fn take_in(
        &self,
        new: &NewReport,
        meta: &RuleMeta,
        is_planned: bool,
    ) -> Result<Reported, ReportError> {
        let request = fingerprint(new);
        let mut tx = self.begin().await?;
        if let Some(known) = known(&mut tx, new, &request).await? {
            return Ok(known);
        }
        let id = ReportId::new(made(new.at, &new.key));
        let told = told(new, id, meta, is_planned);
        let reporter = match &new.by.user {
            Some(user) => Reporter::User(user.clone()),
            None => Reporter::Report(id),
        };
        let incident =
            open_or_join(&mut tx, &self.shared.registry(), &told, meta, reporter).await?;
        insert(&mut tx, id, incident, new, &request).await?;
        let revision = self
            .publish(&mut tx, vec![News::Incident(incident)])
            .await?;
        tx.commit().await.map_err(StateError::from)?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(Reported {
            id,
            incident,
            is_new: true,
        })
    }

    /// Takes contact and photos of reports away whose incident was closed before `closed_before`, at most `limit` reports at a time. Gives
    /// the names of photos that nothing names any more: their files are nobody's.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of it has happened.
    pub async fn forget_reports(
        &self,
        closed_before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StateError> {
        // what was merged counts as closed with what it was merged into
        let is_unheld = unheld("i.id", "i.site", "i.opened_at", "i.closed_at", "$3");
        let due = format!(
            "WITH RECURSIVE up (report, ordinal, incident) AS (
               SELECT id, ordinal, incident FROM report WHERE forgotten_at IS NULL
               UNION SELECT up.report, up.ordinal, i.parent FROM up JOIN incident i ON i.id = up.incident WHERE i.state = 'merged')
             SELECT up.report FROM up JOIN incident i ON i.id = up.incident
             WHERE i.state IN ('closed', 'cancelled') AND i.closed_at < $1 AND {is_unheld} ORDER BY up.ordinal LIMIT $2"
        );
        let before = closed_before.as_microsecond();
        let find = |pool| {
            sqlx::query_scalar::<_, String>(AssertSqlSafe(due.clone()))
                .bind(before)
                .bind(i64::from(limit))
                .bind(now.as_microsecond())
                .fetch_all(pool)
        };
        // mostly there is nothing to do, and nobody has to wait for that
        if find(&self.shared.read).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(due))
            .bind(before)
            .bind(i64::from(limit))
            .bind(now.as_microsecond())
            .fetch_all(&mut *tx)
            .await?;
        let mut names = Vec::new();
        for id in &ids {
            let photos: Vec<String> =
                sqlx::query_scalar("DELETE FROM report_photo WHERE report = $1 RETURNING name")
                    .bind(id)
                    .fetch_all(&mut *tx)
                    .await?;
            names.extend(photos);
            sqlx::query(
                "UPDATE report SET contact_name = NULL, contact_phone = NULL, forgotten_at = $1 WHERE id = $2",
            )
            .bind(now.as_microsecond())
            .bind(id)
            .execute(&mut *tx)
            .await?;
            let entry =
                super::audit::Entry::admin(now, "forget", format!("report:{id}"), String::new());
            super::audit::append(&mut tx, vec![entry]).await?;
        }
        let nobodys = super::evidence::unnamed(&mut tx, names).await?;
        tx.commit().await?;
        Ok(nobodys)
    }
}

fn check(new: &NewReport) -> Result<(), ReportError> {
    let invalid = |field, what: String| Err(ReportError::Invalid { field, what });
    let is_long = |text: &str, most: usize| text.chars().count() > most;
    if let Some(what) = bad_key(&new.key) {
        return invalid("Idempotency-Key", what);
    }
    if new.text.trim().is_empty() || is_long(&new.text, REPORT_CHARS_MAX) {
        let what = format!("a report has 1 to {REPORT_CHARS_MAX} characters");
        return invalid("text", what);
    }
    if new
        .place
        .as_ref()
        .is_some_and(|p| is_long(p, PLACE_CHARS_MAX))
    {
        return invalid("place", format!("at most {PLACE_CHARS_MAX} characters"));
    }
    if new.photos.len() > PHOTOS_MAX {
        return invalid("photos", format!("at most {PHOTOS_MAX}"));
    }
    let contact = new.contact.as_ref();
    if contact.is_some_and(|c| {
        is_long(&c.name, CONTACT_CHARS_MAX) || is_long(&c.phone, CONTACT_CHARS_MAX)
    }) {
        let what = format!("name and phone have at most {CONTACT_CHARS_MAX} characters each");
        return invalid("contact", what);
    }
    if new.by.user.is_none() && new.by.secret_hash.is_none() {
        return invalid("secret", "missing (hint: log in, or send one)".to_owned());
    }
    Ok(())
}

/// What makes two reports the same. The contact is not part of it: what is kept here outlives the contact.
fn fingerprint(new: &NewReport) -> String {
    let names: Vec<&str> = new.photos.iter().map(|photo| photo.name.as_str()).collect();
    let words = serde_json::json!([
        new.about.as_str(),
        new.site,
        new.zone,
        new.place,
        new.text,
        names,
    ]);
    hex::encode(Sha256::digest(words.to_string()))
}

/// The report that was made under this key before, for whoever made it.
async fn known(
    connection: &mut SqliteConnection,
    new: &NewReport,
    request: &str,
) -> Result<Option<Reported>, ReportError> {
    type Columns = (String, String, String, Option<String>, Option<String>);
    let row: Option<Columns> = sqlx::query_as(
        "SELECT id, incident, request, reporter, secret_hash FROM report WHERE key = $1",
    )
    .bind(&new.key)
    .fetch_optional(connection)
    .await?;
    let Some((id, incident, of, reporter, secret_hash)) = row else {
        return Ok(None);
    };
    // a session may have ended while the report was waiting for a line: then the secret says whose it is
    let is_users = new
        .by
        .user
        .as_ref()
        .is_some_and(|user| reporter.as_deref() == Some(user.as_str()));
    let is_theirs = is_users || (secret_hash.is_some() && secret_hash == new.by.secret_hash);
    if !is_theirs || of != request {
        return Err(ReportError::KeyReused);
    }
    Ok(Some(Reported {
        id: incidents::word(&id)?,
        incident: incidents::word(&incident)?,
        is_new: false,
    }))
}

/// A report in the words of the incident machine.
fn told(new: &NewReport, id: ReportId, meta: &RuleMeta, is_planned: bool) -> Finding {
    let stands_alone = matches!(new.about, ReportType::Other | ReportType::LostPerson);
    let subject = match &new.zone {
        Some(zone) if is_planned && !stands_alone => format!("zone:{zone}"),
        _ => format!("report:{id}"),
    };
    let mut detail = BTreeMap::from([("report".to_owned(), new.about.as_str().to_owned())]);
    if new.is_late() {
        detail.insert("late".to_owned(), "true".to_owned());
    }
    let plan = meta.reports.as_ref();
    Finding {
        rule: meta.id.clone(),
        subject,
        what: FindingKind::Raised,
        severity: plan.map_or(domain::Severity::P3, |plan| plan.severity),
        site: new.site.clone(),
        class: DeviceClass::Gateway,
        zone: new.zone.clone(),
        device: None,
        at: new.at,
        occurred_at: new.occurred_at,
        event: None,
        seq: None,
        lasting: false,
        detail,
    }
}

impl NewReport {
    /// It had to wait for a line: it is opened all the same, marked.
    fn is_late(&self) -> bool {
        self.at.duration_since(self.occurred_at) > jiff::SignedDuration::from_secs(LATE_S)
    }
}

async fn open_or_join(
    connection: &mut SqliteConnection,
    registry: &Registry,
    told: &Finding,
    meta: &RuleMeta,
    reporter: Reporter,
) -> Result<IncidentId, StateError> {
    let by: By = reporter.by();
    if let Some(open) = incidents::open_of(connection, &told.rule, &told.subject).await? {
        let step = open.report_again(told, by);
        return Ok(incidents::keep(connection, registry, &open, step).await?.id);
    }
    let number = incidents::next_number(connection).await?;
    let id = IncidentId::new(made(told.at, &format!("#{number}")));
    let step = Incident::report(id, number, told, meta, by, Some(reporter));
    let (incident, effects) = in_working_time(None, step, &registry.roster.calendar);
    // boxed: an incident is large, and so would be every future above it
    Box::pin(incidents::save(connection, &incident, None)).await?;
    incidents::perform(connection, registry, id, effects).await?;
    Ok(id)
}

async fn insert(
    connection: &mut SqliteConnection,
    id: ReportId,
    incident: IncidentId,
    new: &NewReport,
    request: &str,
) -> Result<(), StateError> {
    let ordinal: i64 = sqlx::query_scalar(
        "UPDATE counter SET value = value + 1 WHERE name = 'report' RETURNING value",
    )
    .fetch_one(&mut *connection)
    .await?;
    let contact = new.contact.as_ref();
    sqlx::query(
        "INSERT INTO report (id, ordinal, key, request, incident, type, site, zone, place, text, occurred_at, created_at, late,
           reporter, secret_hash, contact_name, contact_phone)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(id.to_string())
    .bind(ordinal)
    .bind(&new.key)
    .bind(request)
    .bind(incident.to_string())
    .bind(new.about.as_str())
    .bind(new.site.as_str())
    .bind(new.zone.as_ref().map(ToString::to_string))
    .bind(&new.place)
    .bind(&new.text)
    .bind(new.occurred_at.as_microsecond())
    .bind(new.at.as_microsecond())
    .bind(i64::from(new.is_late()))
    .bind(new.by.user.as_ref().map(ToString::to_string))
    .bind(&new.by.secret_hash)
    .bind(contact.map(|c| &c.name))
    .bind(contact.map(|c| &c.phone))
    .execute(&mut *connection)
    .await?;
    for (ordinal, photo) in new.photos.iter().enumerate() {
        sqlx::query(
            "INSERT INTO report_photo (report, ordinal, name, stored) VALUES ($1, $2, $3, $4)",
        )
        .bind(id.to_string())
        .bind(ordinal as i64)
        .bind(&photo.name)
        .bind(&photo.stored)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
