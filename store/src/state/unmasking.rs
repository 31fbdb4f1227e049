//! Leave to see what is about people in full, and the record of who was shown what.
//!
//! Each asking, each first showing of an incident, each page of history that was shown in full, and each search for a plate, a card
//! or a person is a row of the audit trail. What was searched for stands in the row's note: it can be deleted, and the chain holds.

use domain::privacy::{Personal, Purpose, Surroundings, UNMASKED_MINUTES};
use domain::{IncidentId, Timestamp, UnmaskingId, UserId};
use jiff::SignedDuration;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::finding::made;
use super::incidents::{opt_time, time, word};
use super::query::cut;
use super::token::random;
use super::view::Moment;

/// Longest reason in characters.
pub const REASON_CHARS_MAX: usize = 200;
/// What one user may see in full at one time.
const ALIVE_MAX: i64 = 20;
/// Most of one page.
const PAGE_MAX: u32 = 500;

/// Leave that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewUnmasking {
    /// Who.
    pub login: UserId,
    /// For which incident.
    pub incident: IncidentId,
    /// What for.
    pub purpose: Purpose,
    /// In their words.
    pub reason: Option<String>,
    /// For how long, see [`UNMASKED_MINUTES`].
    pub minutes: u16,
}

/// Leave to see an incident, and its quarter's events around it, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmaskingItem {
    /// Names it.
    pub id: UnmaskingId,
    /// Whose.
    pub login: UserId,
    /// For which incident.
    pub incident: IncidentId,
    /// Its short number.
    pub number: u64,
    /// What for.
    pub purpose: Purpose,
    /// In their words.
    pub reason: Option<String>,
    /// When it was asked for.
    pub asked_at: Moment,
    /// Over by then.
    pub expires_at: Moment,
    /// Given back before that.
    pub ended_at: Option<Moment>,
    /// What it reaches.
    #[serde(skip)]
    pub around: Surroundings,
}

#[derive(FromRow)]
struct Row {
    id: String,
    login: String,
    incident: String,
    number: i64,
    purpose: String,
    reason: Option<String>,
    asked_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    site: String,
    opened_at: i64,
    closed_at: Option<i64>,
}

/// The rows of leave that fit a condition.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT u.id, u.login, u.incident, i.number, u.purpose, u.reason, u.asked_at, u.expires_at, u.ended_at,
               i.site, i.opened_at, i.closed_at
             FROM unmasking u JOIN incident i ON i.id = u.incident WHERE ",
            $condition
        )
    };
}

impl Row {
    fn item(self) -> Result<UnmaskingItem, StateError> {
        Ok(UnmaskingItem {
            id: word(&self.id)?,
            login: word(&self.login)?,
            incident: word(&self.incident)?,
            number: self.number.cast_unsigned(),
            purpose: word(&self.purpose)?,
            reason: self.reason,
            asked_at: Moment(time(self.asked_at)?),
            expires_at: Moment(time(self.expires_at)?),
            ended_at: opt_time(self.ended_at)?.map(Moment),
            around: Surroundings {
                site: word(&self.site)?,
                opened_at: time(self.opened_at)?,
                ended_at: opt_time(self.closed_at)?,
            },
        })
    }
}

/// What such a line is about. It is none of the incident's own timeline: who looked is the auditor's business.
fn object(incident: IncidentId) -> String {
    format!("sight:{incident}")
}

/// A line of the trail about what somebody was shown.
fn line(at: Timestamp, login: &UserId, act: &str, object: String, to: String) -> Entry {
    Entry {
        at,
        actor: login.to_string(),
        act: act.to_owned(),
        object,
        department: None,
        from: String::new(),
        to,
        note: None,
    }
}

async fn one(
    connection: &mut SqliteConnection,
    id: UnmaskingId,
) -> Result<UnmaskingItem, StateError> {
    let row: Row = sqlx::query_as(select!("u.id = $1"))
        .bind(id.to_string())
        .fetch_one(connection)
        .await?;
    row.item()
}

impl State {
    /// Gives leave to see an incident in full, and writes down that it was asked for.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for minutes out of [`UNMASKED_MINUTES`], a reason that is missing or too long, and too many at once.
    pub async fn unmask(
        &self,
        new: NewUnmasking,
        now: Timestamp,
    ) -> Result<UnmaskingItem, StateError> {
        let NewUnmasking {
            login,
            incident,
            purpose,
            reason,
            minutes,
        } = new;
        if !UNMASKED_MINUTES.contains(&minutes) {
            let (least, most) = (UNMASKED_MINUTES.start(), UNMASKED_MINUTES.end());
            return Err(StateError::invalid(format!(
                "`minutes` is {least} to {most}"
            )));
        }
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        if reason.is_none() && purpose.needs_reason() {
            let purpose = purpose.as_str();
            return Err(StateError::invalid(format!(
                "the purpose {purpose} needs a reason in words"
            )));
        }
        if reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX)
        {
            return Err(StateError::invalid(format!(
                "a reason has at most {REASON_CHARS_MAX} characters"
            )));
        }
        let expires_at = now.saturating_add(SignedDuration::from_mins(i64::from(minutes)));
        let expires_at = expires_at.unwrap_or(Timestamp::MAX);
        let id = UnmaskingId::new(made(now, &format!("{login}|{incident}|{}", random())));
        let mut tx = self.begin().await?;
        let (alive,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM unmasking WHERE login = $1 AND expires_at > $2 AND ended_at IS NULL",
        )
        .bind(login.as_str())
        .bind(now.as_microsecond())
        .fetch_one(&mut *tx)
        .await?;
        if alive >= ALIVE_MAX {
            return Err(StateError::invalid(format!(
                "{ALIVE_MAX} incidents are shown in full already (hint: end those that are done)"
            )));
        }
        sqlx::query(
            "INSERT INTO unmasking (id, login, incident, purpose, reason, asked_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.to_string())
        .bind(login.as_str())
        .bind(incident.to_string())
        .bind(purpose.as_str())
        .bind(&reason)
        .bind(now.as_microsecond())
        .bind(expires_at.as_microsecond())
        .execute(&mut *tx)
        .await?;
        let to = format!("{} until {expires_at}", purpose.as_str());
        let mut entry = line(now, &login, "unmask", object(incident), to);
        entry.note = reason;
        audit::append(&mut tx, vec![entry]).await?;
        let item = one(&mut tx, id).await?;
        tx.commit().await?;
        Ok(item)
    }

    /// What a user may see in full now.
    pub async fn unmaskings_of(
        &self,
        login: &UserId,
        now: Timestamp,
    ) -> Result<Vec<UnmaskingItem>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(select!(
            "u.login = $1 AND u.expires_at > $2 AND u.ended_at IS NULL ORDER BY u.asked_at DESC"
        ))
        .bind(login.as_str())
        .bind(now.as_microsecond())
        .fetch_all(&self.shared.read)
        .await?;
        rows.into_iter().map(Row::item).collect()
    }

    /// All leave that was ever given, the newest first, and where the next page begins.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn unmaskings(
        &self,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<UnmaskingItem>, Option<String>), StateError> {
        let before: Option<UnmaskingId> = match cursor {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|e| StateError::invalid(format!("`cursor`: {e}")))?,
            ),
        };
        let limit = limit.clamp(1, PAGE_MAX);
        // ids are made in the order of time
        let mut rows: Vec<Row> = sqlx::query_as(select!(
            "$1 IS NULL OR u.id < $1 ORDER BY u.id DESC LIMIT $2"
        ))
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.shared.read)
        .await?;
        let next = cut(&mut rows, limit, |row| row.id.clone());
        let items = rows.into_iter().map(Row::item).collect::<Result<_, _>>()?;
        Ok((items, next))
    }

    /// Gives back a user's own leave before it is over; says whether there was such a one.
    pub async fn end_unmasking(
        &self,
        login: &UserId,
        id: UnmaskingId,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let mut tx = self.begin().await?;
        let ended = sqlx::query(
            "UPDATE unmasking SET ended_at = $1 WHERE id = $2 AND login = $3 AND ended_at IS NULL AND expires_at > $1",
        )
        .bind(now.as_microsecond())
        .bind(id.to_string())
        .bind(login.as_str())
        .execute(&mut *tx)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(false);
        }
        let incident = one(&mut tx, id).await?.incident;
        let entry = line(now, login, "end_unmasking", object(incident), String::new());
        audit::append(&mut tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Writes down that somebody is shown an incident in full, once for each ground.
    ///
    /// # Errors
    /// It could not be written: then it must not be shown.
    pub async fn note_shown(
        &self,
        login: &UserId,
        incident: IncidentId,
        ground: &Ground,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let (known,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM seen_in_full WHERE login = $1 AND incident = $2 AND ground = $3",
        )
        .bind(login.as_str())
        .bind(incident.to_string())
        .bind(ground.text())
        .fetch_one(&self.shared.read)
        .await?;
        if known > 0 {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let new = sqlx::query(
            "INSERT INTO seen_in_full (login, incident, ground, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(login.as_str())
        .bind(incident.to_string())
        .bind(ground.text())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        if new.rows_affected() > 0 {
            let entry = line(now, login, "show", object(incident), ground.text());
            audit::append(&mut tx, vec![entry]).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Writes down that somebody is shown a snapshot of a car or a face, and why.
    ///
    /// # Errors
    /// It could not be written: then it must not be shown.
    pub async fn note_shown_snapshot(
        &self,
        login: &UserId,
        incident: IncidentId,
        (name, ground): (&str, &Ground),
        now: Timestamp,
    ) -> Result<(), StateError> {
        let to = format!("{} {}", name.get(..12).unwrap_or(name), ground.text());
        self.note(line(now, login, "show_snapshot", object(incident), to))
            .await
    }

    /// Writes down that somebody is shown events of history in full.
    ///
    /// # Errors
    /// It could not be written: then they must not be shown.
    pub async fn note_shown_events(
        &self,
        login: &UserId,
        incident: IncidentId,
        events: usize,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let to = format!("{events} events");
        self.note(line(now, login, "show_events", object(incident), to))
            .await
    }

    /// Writes down that somebody is shown evacuation notes in the list of households.
    ///
    /// # Errors
    /// It could not be written: then they must not be shown.
    pub async fn note_shown_households(
        &self,
        login: &UserId,
        notes: usize,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let object = "registry:households".to_owned();
        let to = format!("{notes} evacuation notes");
        self.note(line(now, login, "show_households", object, to))
            .await
    }

    /// Writes down that somebody searches history for a plate, a card or a person.
    ///
    /// # Errors
    /// It could not be written: then it must not be searched.
    pub async fn note_search(
        &self,
        login: &UserId,
        class: Personal,
        text: &str,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut entry = line(
            now,
            login,
            "search",
            format!("history:{class}"),
            String::new(),
        );
        entry.note = Some(text.to_owned());
        self.note(entry).await
    }

    async fn note(&self, entry: Entry) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        audit::append(&mut tx, vec![entry]).await?;
        Ok(tx.commit().await?)
    }
}

/// Why somebody is shown an incident in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// They asked for it.
    Leave(UnmaskingId),
    /// The department whose duty it is takes part.
    Duty,
    /// The building is to be emptied, and the list of households says who needs help.
    Evacuation,
    /// They handle it, and are shown its photos.
    Photos,
}

impl Ground {
    fn text(&self) -> String {
        match self {
            Self::Leave(id) => id.to_string(),
            Self::Duty => "duty".to_owned(),
            Self::Evacuation => "evacuation".to_owned(),
            Self::Photos => "photos".to_owned(),
        }
    }
}
