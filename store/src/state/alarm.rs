//! The alarms as people see them, and what people do about them: put aside, take back, acknowledge what no incident shows.

use std::str::FromStr;
use std::sync::Arc;

use domain::alarm::{Alarm, AlarmState, Flag, Refused, Shelf};
use domain::rule::RuleBook;
use domain::{AlarmId, IncidentId, Reach, SiteId, Timestamp, UserId};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::alarms::{self, AlarmRow};
use super::audit::{self, Entry};
use super::command::{answered, bad_key, finish, remember};
use super::commit::News;
use super::device::Touched;
use super::error::StateError;
use super::finding::Annunciator;
use super::incidents::{json, list};
use super::query::cut;
use super::view::AlarmItem;
use super::{PAGE_MAX, Page, State, feed, reach};

/// Which alarms by where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmStage {
    /// Their episode goes on.
    Open,
    /// Their condition holds.
    Active,
    /// In one state.
    In(AlarmState),
}

impl FromStr for AlarmStage {
    type Err = domain::event::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self::Open),
            "active" => Ok(Self::Active),
            other => other.parse().map(Self::In),
        }
    }
}

/// Which alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmFilter {
    /// Where they stand; none for all.
    pub stage: Option<AlarmStage>,
    /// A flag that is set.
    pub flag: Option<Flag>,
    /// A quarter.
    pub site: Option<SiteId>,
    /// The scope of whoever asks.
    pub reach: Reach,
}

/// When a shelf ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShelfEnd {
    /// At an hour.
    At(Timestamp),
    /// So many minutes after it was asked for.
    Minutes(u32),
}

impl ShelfEnd {
    fn after(self, at: Timestamp) -> Timestamp {
        match self {
            Self::At(until) => until,
            Self::Minutes(minutes) => at
                .checked_add(SignedDuration::from_mins(i64::from(minutes)))
                .unwrap_or(Timestamp::MAX),
        }
    }
}

/// What a person does about an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmAct {
    /// Wants to hear nothing of it for a while.
    Shelve {
        /// How long.
        end: ShelfEnd,
        /// Why.
        reason: String,
    },
    /// Wants to hear of it again.
    Unshelve,
    /// Has seen it; only of one that no incident shows.
    Acknowledge,
}

impl AlarmAct {
    fn word(&self) -> &'static str {
        match self {
            Self::Shelve { .. } => "shelve",
            Self::Unshelve => "unshelve",
            Self::Acknowledge => "acknowledge",
        }
    }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    /// There is no such alarm.
    #[error("there is no such alarm")]
    NotFound,
    /// It has changed since the person looked, or another episode of it has begun.
    #[error("the alarm has changed meanwhile (hint: look again)")]
    VersionConflict {
        /// As it is now.
        current: Box<AlarmItem>,
    },
    /// It cannot be done as things are.
    #[error("{why}")]
    Refused {
        /// Why.
        #[source]
        why: Refused,
        /// As it is now.
        current: Box<AlarmItem>,
    },
    /// The key was used for something else.
    #[error(
        "this idempotency key belongs to another command (hint: a new key for every new command)"
    )]
    KeyReused,
    /// The request itself is wrong.
    #[error("{what}")]
    Invalid {
        /// What, which field, and the next step.
        what: String,
    },
    /// The database failed; whether it was done shows when it is sent again with the same key.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for AlarmError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

impl State {
    /// Alarms, the newest first. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn alarms(
        &self,
        filter: &AlarmFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AlarmItem>, StateError> {
        let before = cursor.map(parse_cursor).transpose()?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let rows: Vec<AlarmRow> = select(filter, before, limit)
            .build_query_as()
            .fetch_all(&mut *snapshot)
            .await?;
        let mut alarms = alarms::many(rows)?;
        let next = cut(&mut alarms, limit, |alarm| alarm.id.to_string());
        let registry = &self.shared.registry();
        let items = alarms.iter().map(|alarm| AlarmItem::new(alarm, registry));
        Ok(Page {
            items: items.collect(),
            next,
            revision,
        })
    }

    /// One alarm.
    pub async fn alarm(&self, id: AlarmId) -> Result<Option<AlarmItem>, StateError> {
        let mut connection = self.shared.read.acquire().await?;
        let alarm = alarms::load(&mut connection, id).await?;
        Ok(alarm.map(|alarm| AlarmItem::new(&alarm, &self.shared.registry())))
    }

    /// Does what a person wants of an alarm that was at `expected_version` when they decided. Keys as with
    /// [`command`](Self::command).
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn act_on_alarm(
        &self,
        id: AlarmId,
        expected_version: i64,
        idempotency_key: &str,
        act: AlarmAct,
        (by, at): (UserId, Timestamp),
        book: Arc<RuleBook>,
    ) -> Result<AlarmItem, AlarmError> {
        if let Some(what) = bad_key(idempotency_key) {
            return Err(AlarmError::Invalid { what });
        }
        let (state, key) = (self.clone(), idempotency_key.to_owned());
        finish(async move {
            let asked = (&by, key.as_str(), at);
            state
                .carry_out_on_alarm(id, expected_version, asked, &act, &book)
                .await
        })
        .await
    }

    async fn carry_out_on_alarm(
        &self,
        id: AlarmId,
        expected_version: i64,
        asked: (&UserId, &str, Timestamp),
        act: &AlarmAct,
        book: &RuleBook,
    ) -> Result<AlarmItem, AlarmError> {
        let (by, key, at) = asked;
        let request = fingerprint(id, expected_version, act);
        let mut tx = self.begin().await?;
        if let Some((of, answer)) = answered(&mut tx, by, key).await? {
            return if of == request {
                Ok(list(&answer)?)
            } else {
                Err(AlarmError::KeyReused)
            };
        }
        let before = alarms::load(&mut tx, id).await?;
        let before = before.ok_or(AlarmError::NotFound)?;
        let item = |alarm: &Alarm| Box::new(AlarmItem::new(alarm, &self.shared.registry()));
        if matches!(act, AlarmAct::Shelve { .. })
            && let Some(newer) = other_episode(&mut tx, &before).await?
        {
            let current = item(&newer);
            return Err(match newer.flags.shelved {
                Some(Shelf { by, .. }) => AlarmError::Refused {
                    why: Refused::Shelved { by },
                    current,
                },
                None => AlarmError::VersionConflict { current },
            });
        }
        let after = carry_out(before.clone(), act, by, at);
        let after = after.map_err(|why| AlarmError::Refused {
            why,
            current: item(&before),
        })?;
        if before.version != expected_version {
            let current = item(&before);
            return Err(AlarmError::VersionConflict { current });
        }
        let mut annunciator = Annunciator::new(book, &self.shared, &mut tx);
        annunciator.let_go(&before, after, at).await?;
        let outcome = annunciator.finish().await?;
        audit::append(&mut tx, vec![entry(&before, act, by, at)]).await?;
        let news = self
            .news(&mut tx, &outcome, &Touched::default(), at)
            .await?;
        let revision = self.publish(&mut tx, news).await?;
        let now = alarms::load(&mut tx, id).await?;
        let now = item(&now.ok_or(AlarmError::NotFound)?);
        remember(&mut tx, asked, &request, &json(&*now)).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(*now)
    }

    /// What the feed tells of alarms.
    pub(super) fn alarm_news<'a>(&self, alarms: impl IntoIterator<Item = &'a Alarm>) -> Vec<News> {
        let news = |alarm: &Alarm| News::Made {
            kind: "alarm",
            id: alarm.id.to_string(),
            json: json(&AlarmItem::new(alarm, &self.shared.registry())),
        };
        alarms.into_iter().map(news).collect()
    }

    /// What the feed tells of an incident's alarms when a step may have acknowledged them.
    pub(super) async fn alarm_news_of(
        &self,
        connection: &mut SqliteConnection,
        incident: IncidentId,
    ) -> Result<Vec<News>, StateError> {
        let alarms = alarms::of_incident(connection, incident).await?;
        Ok(self.alarm_news(&alarms))
    }
}

/// The episode of the same (rule, subject) that goes on, or at which the shelf stands, where that is another than this one.
async fn other_episode(
    connection: &mut SqliteConnection,
    alarm: &Alarm,
) -> Result<Option<Alarm>, StateError> {
    let (rule, subject) = (&alarm.rule, &alarm.subject);
    let shelved = alarms::shelved(connection, rule, subject).await?;
    let other = match shelved {
        Some(shelved) => Some(shelved),
        None => alarms::open_of(connection, rule, subject).await?,
    };
    Ok(other.filter(|other| other.id != alarm.id))
}

fn carry_out(alarm: Alarm, act: &AlarmAct, by: &UserId, at: Timestamp) -> Result<Alarm, Refused> {
    match act {
        AlarmAct::Shelve { end, reason } => {
            let until = end.after(at);
            let shelf = Shelf::new(alarm.severity, at, until, reason, by.clone())?;
            alarm.shelve(shelf)
        }
        AlarmAct::Unshelve => alarm.unshelve(),
        AlarmAct::Acknowledge => alarm.acknowledge_alone(),
    }
}

fn entry(before: &Alarm, act: &AlarmAct, by: &UserId, at: Timestamp) -> Entry {
    let (from, to, note) = match act {
        AlarmAct::Shelve { end, reason } => (
            String::new(),
            format!("until {}", end.after(at)),
            Some(reason.clone()),
        ),
        AlarmAct::Unshelve => (shelved_until(before), String::new(), None),
        AlarmAct::Acknowledge => (
            before.state.to_string(),
            before.state.acknowledged().to_string(),
            None,
        ),
    };
    Entry {
        at,
        actor: by.to_string(),
        act: act.word().to_owned(),
        object: before.id.to_string(),
        department: None,
        from,
        to,
        note,
    }
}

fn shelved_until(alarm: &Alarm) -> String {
    let shelf = alarm.flags.shelved.as_ref();
    shelf.map_or_else(String::new, |shelf| format!("until {}", shelf.until))
}

/// Ends a shelf whose hour has come.
pub(super) async fn shelf_over(
    annunciator: &mut Annunciator<'_>,
    before: Alarm,
    at: Timestamp,
) -> Result<(), StateError> {
    let line = Entry {
        at,
        actor: "hub".to_owned(),
        act: "unshelve".to_owned(),
        object: before.id.to_string(),
        department: None,
        from: shelved_until(&before),
        to: String::new(),
        note: None,
    };
    let Ok(after) = before.clone().unshelve() else {
        return Ok(());
    };
    annunciator.let_go(&before, after, at).await?;
    audit::append(annunciator.ledger.settled().await?, vec![line]).await
}

/// What makes two requests the same: everything but the moment.
fn fingerprint(id: AlarmId, expected_version: i64, act: &AlarmAct) -> String {
    let (until, minutes, reason) = match act {
        AlarmAct::Shelve { end, reason } => match end {
            ShelfEnd::At(until) => (Some(until), None, Some(reason)),
            ShelfEnd::Minutes(minutes) => (None, Some(minutes), Some(reason)),
        },
        AlarmAct::Unshelve | AlarmAct::Acknowledge => (None, None, None),
    };
    let words = serde_json::json!([id, expected_version, act.word(), until, minutes, reason]);
    hex::encode(Sha256::digest(words.to_string()))
}

fn parse_cursor(text: &str) -> Result<AlarmId, StateError> {
    text.parse().map_err(|_| {
        StateError::invalid(format!(
            "`{}` is not a cursor (hint: take `next` of the page before)",
            text.chars().take(40).collect::<String>()
        ))
    })
}

/// One alarm more than the page holds. Ids are made of time: their order is the alarms'.
fn select(filter: &AlarmFilter, before: Option<AlarmId>, limit: u32) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM alarm WHERE id < ");
    query.push_bind(before.map_or_else(|| "alm_g".to_owned(), |id| id.to_string()));
    // word for word as in the index, which then holds few rows however many are over
    match filter.stage {
        None | Some(AlarmStage::In(AlarmState::Normal)) => {}
        Some(_) => {
            query.push(" AND state <> 'normal'");
        }
    }
    match filter.stage {
        None | Some(AlarmStage::Open) => {}
        Some(AlarmStage::Active) => {
            query.push(" AND state IN ('active_unacked', 'active_acked')");
        }
        Some(AlarmStage::In(state)) => {
            query.push(" AND state = ").push_bind(state.as_str());
        }
    }
    if let Some(flag) = filter.flag {
        query.push(match flag {
            Flag::Shelved => " AND shelved_until IS NOT NULL",
            Flag::SuppressedByDesign => " AND suppressed_by IS NOT NULL",
            Flag::OutOfService => " AND out_of_service IS NOT NULL",
            Flag::Chattering => " AND chattering_since IS NOT NULL",
            Flag::Unknown => " AND unknown_since IS NOT NULL",
        });
    }
    if let Some(site) = &filter.site {
        query.push(" AND site = ").push_bind(site.to_string());
    }
    reach::alarms(&mut query, &filter.reach);
    query
        .push(" ORDER BY id DESC LIMIT ")
        .push_bind(i64::from(limit) + 1);
    query
}
