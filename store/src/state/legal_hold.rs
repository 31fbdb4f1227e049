//! Legal holds: somebody answers for it, by name and with a reason, that what is about people around an incident stays until a day.
//!
//! A hold keeps the incident, the other incidents of its quarter around it, what was reported of them, the events there, and the whole files
//! of those days. Each placing, renewing and ending is a row of the audit trail. What it kept goes when it is over: it stood in rows that are due.

use domain::privacy::{REACH, Surroundings};
use domain::{HoldId, IncidentId, Reach, Timestamp, UserId};
use jiff::SignedDuration;
use serde::Serialize;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::error::StateError;
use super::finding::made;
use super::incidents::{opt_time, time, word};
use super::token::random;
use super::unmasking::REASON_CHARS_MAX;
use super::view::Moment;
use super::{State, reach};

/// Longest hold; whoever needs it longer says so again.
pub const HOLD_DAYS_MAX: i64 = 366;
/// Holds at one time: each event that goes is compared with all of them.
const ALIVE_MAX: i64 = 100;
/// Most of one page.
const PAGE_MAX: u32 = 500;

/// A hold as it is asked for.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// Who answers for it.
    pub login: UserId,
    /// Around which incident.
    pub incident: IncidentId,
    /// What for.
    pub reason: String,
    /// Until when, at most [`HOLD_DAYS_MAX`] days from now.
    pub until: Timestamp,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldItem {
    /// Names it.
    pub id: HoldId,
    /// Around which incident.
    pub incident: IncidentId,
    /// Its short number.
    pub number: u64,
    /// Its quarter.
    pub site: domain::SiteId,
    /// What for.
    pub reason: String,
    /// Who answers for it: whoever placed or renewed it last.
    pub placed_by: UserId,
    /// When.
    pub placed_at: Moment,
    /// Over by then.
    pub expires_at: Moment,
    /// Who ended it before that.
    pub ended_by: Option<UserId>,
    /// When.
    pub ended_at: Option<Moment>,
}

/// Why a hold was not placed, or not ended.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There is none, or none that the caller may know of.
    #[error("there is no such hold")]
    NotFound,
    /// It is over.
    #[error("the hold is over already")]
    Over,
    /// What was asked for cannot be.
    #[error("`{field}`: {what}")]
    Invalid {
        /// Of which field.
        field: &'static str,
        /// Why.
        what: String,
    },
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for HoldError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

#[derive(FromRow)]
struct Row {
    id: String,
    incident: String,
    number: i64,
    site: String,
    reason: String,
    placed_by: String,
    placed_at: i64,
    expires_at: i64,
    ended_by: Option<String>,
    ended_at: Option<i64>,
}

const SELECT: &str = "SELECT h.id, h.incident, incident.number, incident.site, h.reason, h.placed_by, h.placed_at, h.expires_at, h.ended_by, h.ended_at
     FROM legal_hold h JOIN incident ON incident.id = h.incident WHERE ";

impl Row {
    fn item(self) -> Result<HoldItem, StateError> {
        Ok(HoldItem {
            id: word(&self.id)?,
            incident: word(&self.incident)?,
            number: self.number.cast_unsigned(),
            site: word(&self.site)?,
            reason: self.reason,
            placed_by: word(&self.placed_by)?,
            placed_at: Moment(time(self.placed_at)?),
            expires_at: Moment(time(self.expires_at)?),
            ended_by: self.ended_by.as_deref().map(word).transpose()?,
            ended_at: opt_time(self.ended_at)?.map(Moment),
        })
    }
}

/// ` NOT EXISTS (…)`: no hold alive at `now` keeps what is named: `id` an incident's id or `NULL`, at `site`, from `from` to `until`.
pub(super) fn unheld(id: &str, site: &str, from: &str, until: &str, now: &str) -> String {
    let around = REACH.as_micros();
    format!(
        "NOT EXISTS (SELECT 1 FROM legal_hold h JOIN incident k ON k.id = h.incident
           WHERE h.ended_at IS NULL AND h.expires_at > {now} AND (k.id = {id} OR (k.site = {site}
             AND {until} >= k.opened_at - {around} AND (k.closed_at IS NULL OR {from} <= k.closed_at + {around}))))"
    )
}

fn line(at: Timestamp, login: &UserId, act: &str, incident: IncidentId, to: String) -> Entry {
    Entry {
        at,
        actor: login.to_string(),
        act: act.to_owned(),
        object: format!("hold:{incident}"),
        department: None,
        from: String::new(),
        to,
        note: None,
    }
}

async fn one(connection: &mut SqliteConnection, id: &str) -> Result<HoldItem, StateError> {
    let row: Row = QueryBuilder::<Sqlite>::new(SELECT)
        .push("h.id = ")
        .push_bind(id.to_owned())
        .build_query_as()
        .fetch_one(connection)
        .await?;
    row.item()
}

impl State {
    /// Places a hold, or gives the one that there is another end and reason.
    ///
    /// # Errors
    /// [`HoldError::Invalid`]; [`HoldError::NotFound`] for an incident that is not there.
    pub async fn place_hold(&self, new: NewHold, now: Timestamp) -> Result<HoldItem, HoldError> {
        let invalid = |field, what: String| Err(HoldError::Invalid { field, what });
        let reason = new.reason.trim().to_owned();
        if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
            let what = format!("a reason has 1 to {REASON_CHARS_MAX} characters");
            return invalid("reason", what);
        }
        let longest = now.saturating_add(SignedDuration::from_hours(24 * HOLD_DAYS_MAX));
        if new.until <= now || longest.is_ok_and(|longest| new.until > longest) {
            let what = format!("within the next {HOLD_DAYS_MAX} days (hint: renew it then)");
            return invalid("until", what);
        }
        let (incident, until) = (new.incident.to_string(), new.until.as_microsecond());
        let mut tx = self.begin().await?;
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM incident WHERE id = $1")
            .bind(&incident)
            .fetch_optional(&mut *tx)
            .await?;
        match state.as_deref() {
            None => return Err(HoldError::NotFound),
            // its time is that of the other
            Some("merged") => {
                let what = "it was merged into another (hint: hold that one)";
                return invalid("incident", what.to_owned());
            }
            Some(_) => {}
        }
        let renewed: Option<String> = sqlx::query_scalar(
            "UPDATE legal_hold SET expires_at = $1, reason = $2, placed_by = $3, placed_at = $4
             WHERE incident = $5 AND ended_at IS NULL AND expires_at > $4 RETURNING id",
        )
        .bind(until)
        .bind(&reason)
        .bind(new.login.as_str())
        .bind(now.as_microsecond())
        .bind(&incident)
        .fetch_optional(&mut *tx)
        .await?;
        let act = if renewed.is_some() {
            "renew_hold"
        } else {
            "place_hold"
        };
        let id = if let Some(id) = renewed {
            id
        } else {
            let alive: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM legal_hold WHERE ended_at IS NULL AND expires_at > $1",
            )
            .bind(now.as_microsecond())
            .fetch_one(&mut *tx)
            .await?;
            if alive >= ALIVE_MAX {
                let what = format!("{ALIVE_MAX} incidents are held already (hint: end some)");
                return invalid("incident", what);
            }
            let id = HoldId::new(made(now, &format!("{incident}|{}", random()))).to_string();
            sqlx::query(
                    "INSERT INTO legal_hold (id, incident, reason, placed_by, placed_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(&id)
                .bind(&incident)
                .bind(&reason)
                .bind(new.login.as_str())
                .bind(now.as_microsecond())
                .bind(until)
                .execute(&mut *tx)
                .await?;
            id
        };
        let to = format!("until {}", new.until);
        let mut entry = line(now, &new.login, act, new.incident, to);
        entry.note = Some(reason);
        audit::append(&mut tx, vec![entry]).await?;
        let item = one(&mut tx, &id).await?;
        tx.commit().await?;
        Ok(item)
    }

    /// Ends a hold that lies in a scope before its day.
    ///
    /// # Errors
    /// [`HoldError::NotFound`], [`HoldError::Over`].
    pub async fn end_hold(
        &self,
        id: HoldId,
        login: &UserId,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<(), HoldError> {
        let id = id.to_string();
        let mut tx = self.begin().await?;
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push("h.id = ").push_bind(id.clone());
        reach::incidents(&mut query, reach);
        let row: Option<Row> = query.build_query_as().fetch_optional(&mut *tx).await?;
        let Some(row) = row else {
            return Err(HoldError::NotFound);
        };
        let item = row.item()?;
        if item.ended_at.is_some() || item.expires_at.0 <= now {
            return Err(HoldError::Over);
        }
        sqlx::query("UPDATE legal_hold SET ended_by = $1, ended_at = $2 WHERE id = $3")
            .bind(login.as_str())
            .bind(now.as_microsecond())
            .bind(&id)
            .execute(&mut *tx)
            .await?;
        let entry = line(now, login, "end_hold", item.incident, String::new());
        audit::append(&mut tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Holds of incidents in a scope, of one incident or of all, the newest first, also those that are over; and where the next page begins.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn holds(
        &self,
        incident: Option<IncidentId>,
        cursor: Option<&str>,
        limit: u32,
        reach: &Reach,
    ) -> Result<(Vec<HoldItem>, Option<String>), StateError> {
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push("1 = 1");
        if let Some(cursor) = cursor {
            let before: HoldId = cursor
                .parse()
                .map_err(|e| StateError::invalid(format!("`cursor`: {e}")))?;
            // ids are made in the order of time
            query.push(" AND h.id < ").push_bind(before.to_string());
        }
        if let Some(incident) = incident {
            query
                .push(" AND h.incident = ")
                .push_bind(incident.to_string());
        }
        reach::incidents(&mut query, reach);
        let limit = limit.clamp(1, PAGE_MAX);
        query
            .push(" ORDER BY h.id DESC LIMIT ")
            .push_bind(i64::from(limit) + 1);
        let rows: Vec<Row> = query.build_query_as().fetch_all(&self.shared.read).await?;
        let has_more = rows.len() > limit as usize;
        let rows = rows.into_iter().take(limit as usize).map(Row::item);
        let items = rows.collect::<Result<Vec<_>, _>>()?;
        let next = items
            .last()
            .filter(|_| has_more)
            .map(|item| item.id.to_string());
        Ok((items, next))
    }

    /// What is held now.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn held(&self, now: Timestamp) -> Result<Vec<Surroundings>, StateError> {
        let rows: Vec<(String, i64, Option<i64>)> = sqlx::query_as(
            "SELECT i.site, i.opened_at, i.closed_at FROM legal_hold h JOIN incident i ON i.id = h.incident
             WHERE h.ended_at IS NULL AND h.expires_at > $1",
        )
        .bind(now.as_microsecond())
        .fetch_all(&self.shared.read)
        .await?;
        let around = |(site, opened_at, closed_at): (String, i64, Option<i64>)| {
            Ok(Surroundings {
                site: word(&site)?,
                opened_at: time(opened_at)?,
                ended_at: opt_time(closed_at)?,
            })
        };
        rows.into_iter().map(around).collect()
    }

    /// Tells somebody what is held now, one after the other: whoever is told last is told what is true last.
    ///
    /// # Errors
    /// A database that cannot be read: nothing was told.
    pub async fn tell_held(
        &self,
        now: Timestamp,
        tell: impl FnOnce(Vec<Surroundings>),
    ) -> Result<(), StateError> {
        let _one = self.shared.holding.lock().await;
        tell(self.held(now).await?);
        Ok(())
    }
}
