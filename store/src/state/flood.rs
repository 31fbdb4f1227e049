//! Floods and the cards that they fold: when a flood begins and ends follows from when alarms rang, which stands in their rows, so that a
//! hub that was killed, or was away, comes to the same.

use domain::alarm::flood::{Seats, calm_at, folds, window_start};
use domain::alarm::{AlarmMetrics, Rang};
use domain::id::BuildingId;
use domain::incident::{Actor, Command, Incident, Refused, Verb};
use domain::place::Registry;
use domain::{IncidentId, Reach, RuleId, SiteId, StormId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::command::{CommandError, finish};
use super::commit::News;
use super::error::StateError;
use super::finding::{Annunciator, made};
use super::incidents::{self, json, opt_time, time, word};
use super::view::Moment;
use super::{State, outbox, reach};

/// Storm cards of one answer, the newest first.
pub const STORMS_MAX: i64 = 500;
/// The longest span of metrics; longer ones are asked of the key figures.
pub const METRICS_SPAN_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 31);
/// Incidents acknowledged in one transaction; an alarm that comes meanwhile waits for no more than these.
const ACKNOWLEDGED_AT_ONCE: i64 = 32;

/// How much rings now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Alarms that rang in the last ten minutes, at all seats.
    pub alarms: u64,
    /// Operators' seats.
    pub seats: u64,
    /// From so many on it is a flood.
    pub flood_from: u64,
    /// A flood has gone on since.
    pub flood_since: Option<Moment>,
}

impl Rate {
    pub(super) fn calm(seats: Seats) -> Self {
        Self {
            alarms: 0,
            seats: seats.count(),
            flood_from: seats.flood_from(),
            flood_since: None,
        }
    }
}

/// How busy the seats are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadReport {
    /// Now.
    pub rate: Rate,
    /// Since the time that was asked for.
    pub metrics: AlarmMetrics,
}

/// Incidents of one rule in one building that a flood has folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormItem {
    /// Its id; incidents name it as `storm`.
    pub id: StormId,
    /// The flood it belongs to, counted from 1.
    pub flood: u64,
    /// The rule.
    pub rule: RuleId,
    /// The quarter.
    pub site: SiteId,
    /// The building; none outside.
    pub building: Option<BuildingId>,
    /// Its name.
    pub building_name: Option<String>,
    /// When it began.
    pub opened_at: Moment,
    /// When the latest incident was folded into it.
    pub last_at: Moment,
    /// Incidents that were folded, those that are over by now among them.
    pub incidents: u64,
}

/// What acknowledging a card came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StormAcknowledged {
    /// Incidents that are acknowledged now and were not before.
    pub acknowledged: u64,
}

#[derive(FromRow)]
struct StormRow {
    id: String,
    flood: i64,
    rule: String,
    site: String,
    building: String,
    opened_at: i64,
    last_at: i64,
    incidents: i64,
}

impl StormRow {
    fn into_item(self, registry: &Registry) -> Result<StormItem, StateError> {
        let building: Option<BuildingId> = match self.building.as_str() {
            "" => None,
            id => Some(word(id)?),
        };
        let known = building.as_ref().and_then(|id| registry.buildings.get(id));
        Ok(StormItem {
            id: word(&self.id)?,
            flood: self.flood.cast_unsigned(),
            rule: word(&self.rule)?,
            site: word(&self.site)?,
            building_name: known.map(|building| building.name.clone()),
            building,
            opened_at: time(self.opened_at)?.into(),
            last_at: time(self.last_at)?.into(),
            incidents: self.incidents.cast_unsigned(),
        })
    }
}

/// A flood that goes on.
#[derive(Clone, Copy)]
pub(super) struct Flood {
    number: i64,
    started_at: Timestamp,
}

pub(super) async fn going_on(
    connection: &mut SqliteConnection,
) -> Result<Option<Flood>, StateError> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("SELECT number, started_at FROM flood WHERE ended_at IS NULL")
            .fetch_optional(connection)
            .await?;
    let flood = |(number, started_at)| {
        Ok(Flood {
            number,
            started_at: time(started_at)?,
        })
    };
    row.map(flood).transpose()
}

/// When the flood that goes on is over unless more rings.
async fn ends_at(
    connection: &mut SqliteConnection,
    flood: Flood,
    seats: Seats,
) -> Result<Timestamp, StateError> {
    let rank = i64::try_from(seats.calm_rank()).unwrap_or(i64::MAX);
    let rang: Option<i64> = sqlx::query_scalar(
        "SELECT annunciated_at FROM alarm WHERE annunciated_at IS NOT NULL ORDER BY annunciated_at DESC LIMIT 1 OFFSET $1",
    )
    .bind(rank - 1)
    .fetch_optional(connection)
    .await?;
    Ok(calm_at(opt_time(rang)?, flood.started_at).max(flood.started_at))
}

fn line(at: Timestamp, flood: i64, act: &str) -> Entry {
    Entry {
        at,
        actor: "hub".to_owned(),
        act: act.to_owned(),
        object: format!("flood:{flood}"),
        department: None,
        from: String::new(),
        to: String::new(),
        note: None,
    }
}

impl Annunciator<'_> {
    /// Ends a flood that is over at `at`. Called before an alarm rings: those that rang until then say when it was over.
    pub(super) async fn end_if_calm(&mut self, at: Timestamp) -> Result<(), StateError> {
        let Some(flood) = self.ledger.flood().await? else {
            return Ok(());
        };
        if self.ledger.is_flood_at(at) {
            return Ok(());
        }
        let connection = self.ledger.written().await?;
        let ends_at = ends_at(connection, flood, self.shared.seats).await?;
        if ends_at > at {
            self.ledger.flood_goes_on(ends_at);
            return Ok(());
        }
        let connection = self.ledger.settled().await?;
        sqlx::query("UPDATE flood SET ended_at = $1 WHERE number = $2")
            .bind(ends_at.as_microsecond())
            .bind(flood.number)
            .execute(&mut *connection)
            .await?;
        let line = line(ends_at, flood.number, "end_flood");
        audit::append(connection, vec![line]).await
    }

    /// An alarm of an incident rang: begins a flood if that was too many, and folds what is not urgent while one goes on.
    pub(super) async fn rang(
        &mut self,
        incident: &Incident,
        at: Timestamp,
    ) -> Result<(), StateError> {
        if let Some(flood) = self.ledger.flood().await? {
            if is_foldable(incident) {
                self.fold(flood, incident, at).await?;
            }
            return Ok(());
        }
        let seats = self.shared.seats;
        let limit = i64::try_from(seats.flood_from()).unwrap_or(i64::MAX);
        let since = window_start(at);
        let connection = self.ledger.written().await?;
        let rang: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 FROM alarm WHERE annunciated_at > $1 AND annunciated_at <= $2 LIMIT $3)",
        )
        .bind(since.as_microsecond())
        .bind(at.as_microsecond())
        .bind(limit)
        .fetch_one(&mut *connection)
        .await?;
        if rang < limit {
            return Ok(());
        }
        let connection = self.ledger.settled().await?;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO flood (number, started_at) SELECT COALESCE(MAX(number), 0) + 1, $1 FROM flood RETURNING number",
        )
        .bind(at.as_microsecond())
        .fetch_one(&mut *connection)
        .await?;
        audit::append(connection, vec![line(at, number, "begin_flood")]).await?;
        let flood = Flood {
            number,
            started_at: at,
        };
        // those that made it a flood
        for incident in incidents::open_since(connection, since).await? {
            if is_foldable(&incident) {
                self.fold(flood, &incident, incident.opened_at).await?;
            }
        }
        Ok(())
    }

    async fn fold(
        &mut self,
        flood: Flood,
        incident: &Incident,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let zone = incident.zone.as_ref();
        let zone = zone.and_then(|id| self.registry.zones.get(id));
        let building = zone.and_then(|zone| zone.building.as_ref());
        let building = building.map_or("", |id| id.as_str());
        let (rule, site) = (incident.rule.as_str(), incident.site.as_str());
        let connection = self.ledger.written().await?;
        let about = format!("storm|{}|{rule}|{site}|{building}", flood.number);
        let id: String = sqlx::query_scalar(
            "INSERT INTO storm (id, flood, rule, site, building, opened_at, last_at, incidents)
             VALUES ($1, $2, $3, $4, $5, $6, $6, 1)
             ON CONFLICT (flood, rule, site, building)
               DO UPDATE SET last_at = excluded.last_at, incidents = storm.incidents + 1
             RETURNING id",
        )
        .bind(StormId::new(made(at, &about)).to_string())
        .bind(flood.number)
        .bind(rule)
        .bind(site)
        .bind(building)
        .bind(at.as_microsecond())
        .fetch_one(&mut *connection)
        .await?;
        sqlx::query("UPDATE incident SET storm = $1 WHERE id = $2")
            .bind(&id)
            .bind(incident.id.to_string())
            .execute(connection)
            .await?;
        self.outcome.changed.insert(incident.id);
        self.outcome.storms.insert(word(&id)?);
        Ok(())
    }
}

/// Nobody has seen it, it is not urgent, no person waits for an answer, and it is in no card yet.
fn is_foldable(incident: &Incident) -> bool {
    folds(incident.severity)
        && incident.state.is_open()
        && incident.acknowledged.is_none()
        && incident.reporter.is_none()
        && incident.storm.is_none()
}

/// A card, for the feed.
pub(super) async fn news(
    connection: &mut SqliteConnection,
    registry: &Registry,
    id: StormId,
) -> Result<News, StateError> {
    let row: StormRow = sqlx::query_as("SELECT * FROM storm WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(connection)
        .await?;
    Ok(News::Made {
        kind: "storm",
        id: id.to_string(),
        json: json(&row.into_item(registry)?),
    })
}

/// Cards of which something is still on the board, or those that are named, with what of them lies in a scope.
pub(super) async fn cards(
    connection: &mut SqliteConnection,
    reach: &Reach,
    named: Option<&[&str]>,
    registry: &Registry,
) -> Result<Vec<StormItem>, StateError> {
    let mut query = QueryBuilder::<Sqlite>::new(if reach.is_whole() {
        "SELECT * FROM storm WHERE "
    } else {
        // counted anew: what a card says of others' incidents is not theirs to know
        "SELECT storm.id AS id, storm.flood, storm.rule, storm.site, storm.building, MIN(incident.opened_at) AS opened_at,
           MAX(incident.opened_at) AS last_at, COUNT(*) AS incidents
         FROM storm JOIN incident ON incident.storm = storm.id WHERE "
    });
    if let Some(ids) = named {
        reach::among(&mut query, "storm.id", ids);
    } else {
        query.push("storm.id IN (SELECT incident.storm FROM incident WHERE incident.storm IS NOT NULL AND incident.state NOT IN ('closed', 'merged', 'cancelled')");
        reach::incidents(&mut query, reach);
        query.push(")");
    }
    if !reach.is_whole() {
        reach::incidents(&mut query, reach);
        query.push(" GROUP BY storm.id, storm.flood, storm.rule, storm.site, storm.building");
    }
    query
        .push(" ORDER BY flood DESC, last_at DESC, id LIMIT ")
        .push_bind(STORMS_MAX);
    let rows: Vec<StormRow> = query.build_query_as().fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| row.into_item(registry))
        .collect()
}

impl State {
    /// How much rang when it was last measured.
    pub fn rate(&self) -> Rate {
        *self.shared.rate.borrow()
    }

    /// Measures how much rings; [`rate`](Self::rate) is that from now on.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn measure_rate(&self, now: Timestamp) -> Result<Rate, StateError> {
        let mut snapshot = self.snapshot().await?;
        let rate = measure(&mut snapshot, self.shared.seats, now).await?;
        self.shared.rate.send_replace(rate);
        Ok(rate)
    }

    /// How busy the seats are now, and have been since a time.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a time that is not in the last [`METRICS_SPAN_MAX`].
    pub async fn load(&self, since: Timestamp, now: Timestamp) -> Result<LoadReport, StateError> {
        type Columns = (i64, i64, Option<i64>, Option<i64>, i64);
        if since >= now || now.duration_since(since) > METRICS_SPAN_MAX {
            return Err(StateError::invalid(
                "`since` is not within the last 31 days (hint: for longer spans ask for key figures)",
            ));
        }
        let mut snapshot = self.snapshot().await?;
        let rate = measure(&mut snapshot, self.shared.seats, now).await?;
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT a.annunciated_at, a.active_at, a.cleared_at, COALESCE(i.acknowledged_at, i.closed_at, i.resolved_at), a.count
             FROM alarm a JOIN incident i ON i.id = a.incident
             WHERE a.annunciated_at >= $1 AND a.annunciated_at <= $2",
        )
        .bind(since.as_microsecond())
        .bind(now.as_microsecond())
        .fetch_all(&mut *snapshot)
        .await?;
        let rang = |(at, active_at, cleared_at, acknowledged_at, count): Columns| {
            Ok(Rang {
                at: time(at)?,
                active_at: time(active_at)?,
                cleared_at: opt_time(cleared_at)?,
                acknowledged_at: opt_time(acknowledged_at)?,
                again: count.cast_unsigned().saturating_sub(1),
            })
        };
        let rang: Result<Vec<Rang>, StateError> = rows.into_iter().map(rang).collect();
        Ok(LoadReport {
            rate,
            metrics: AlarmMetrics::of(rang?, since, now, self.shared.seats),
        })
    }

    /// Cards of which something is still on the board in a scope, the newest first, at most [`STORMS_MAX`].
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn storms(&self, reach: &Reach) -> Result<Vec<StormItem>, StateError> {
        let mut connection = self.shared.read.acquire().await?;
        cards(&mut connection, reach, None, &self.shared.registry()).await
    }

    /// Acknowledges what a card held when a person saw it: incidents that were opened by `seen_at`, a time
    /// in milliseconds as the API shows it. Those that came later wait; asking
    /// twice changes nothing more, so that it needs no idempotency key.
    ///
    /// # Errors
    /// [`CommandError::NotFound`]; what the machine refuses to this person ([`CommandError::Refused`]).
    pub async fn acknowledge_storm(
        &self,
        id: StormId,
        seen_at: Timestamp,
        actor: Actor,
        now: Timestamp,
        reach: Reach,
    ) -> Result<StormAcknowledged, CommandError> {
        let state = self.clone();
        finish(async move {
            let command = Command::new(Verb::Acknowledge, actor, now);
            let mut all = StormAcknowledged::default();
            let mut refused = None;
            let mut after = 0;
            while let Some(some) = state
                .acknowledge_some(id, (seen_at, after), &command, &reach)
                .await?
            {
                all.acknowledged += some.acknowledged;
                refused = some.refused.or(refused);
                after = some.last;
            }
            match refused {
                Some(refused) if all.acknowledged == 0 => Err(refused.into()),
                _ => Ok(all),
            }
        })
        .await
    }

    /// The next few of a card, in the order of their numbers; none when that was all.
    async fn acknowledge_some(
        &self,
        id: StormId,
        (seen_at, after): (Timestamp, i64),
        command: &Command,
        reach: &Reach,
    ) -> Result<Option<Few>, CommandError> {
        let registry = &self.shared.registry();
        let mut tx = self.begin().await?;
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM incident WHERE storm = ");
        query.push_bind(id.to_string());
        reach::incidents(&mut query, reach);
        let known: Option<String> = query
            .push(" LIMIT 1")
            .build_query_scalar()
            .fetch_optional(&mut *tx)
            .await?;
        if known.is_none() {
            return Err(CommandError::NotFound);
        }
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT id, number FROM incident WHERE storm = ");
        query.push_bind(id.to_string());
        // what is shown is cut to milliseconds
        query
            .push(" AND opened_at < ")
            .push_bind((seen_at.as_millisecond() + 1) * 1000);
        query.push(" AND number > ").push_bind(after);
        query.push(" AND acknowledged_at IS NULL AND state IN ('open', 'verifying', 'dispatched')");
        reach::incidents(&mut query, reach);
        query
            .push(" ORDER BY number LIMIT ")
            .push_bind(ACKNOWLEDGED_AT_ONCE);
        let waiting: Vec<(String, i64)> = query.build_query_as().fetch_all(&mut *tx).await?;
        let Some((_, last)) = waiting.last() else {
            return Ok(None);
        };
        let mut some = Few {
            last: *last,
            acknowledged: 0,
            refused: None,
        };
        let mut news = Vec::new();
        for (incident, _) in &waiting {
            let incident: IncidentId = word(incident)?;
            let Some((before, _)) = incidents::load(&mut tx, incident).await? else {
                return Err(CommandError::NotFound);
            };
            let (now, late) = before.on_time(command.at);
            let step = match now.apply(command) {
                Ok(step) => step,
                Err(refused) => {
                    some.refused = Some(refused);
                    continue;
                }
            };
            let now = incidents::keep(&mut tx, registry, &before, (now, late)).await?;
            incidents::keep(&mut tx, registry, &now, step).await?;
            if let Some(person) = registry.person_of(&command.actor.user) {
                outbox::answered(&mut tx, incident, &person.id, command.at).await?;
            }
            news.extend(self.alarm_news_of(&mut tx, incident).await?);
            news.push(News::Incident(incident));
            some.acknowledged += 1;
        }
        let revision = self.publish(&mut tx, news).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(Some(some))
    }
}

/// A few incidents of a card that were dealt with.
struct Few {
    last: i64,
    acknowledged: u64,
    refused: Option<Refused>,
}

async fn measure(
    connection: &mut SqliteConnection,
    seats: Seats,
    now: Timestamp,
) -> Result<Rate, StateError> {
    let alarms: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM alarm WHERE annunciated_at > $1 AND annunciated_at <= $2",
    )
    .bind(window_start(now).as_microsecond())
    .bind(now.as_microsecond())
    .fetch_one(&mut *connection)
    .await?;
    let flood = going_on(connection).await?;
    Ok(Rate {
        alarms: alarms.cast_unsigned(),
        flood_since: flood.map(|flood| Moment(flood.started_at)),
        ..Rate::calm(seats)
    })
}
