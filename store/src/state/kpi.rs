//! Key figures: reads the record up to a row of the audit trail and has it computed (`domain::kpi`). What is hashed comes from rows that
//! never change; what stands now (shelves, coverage) is told beside it and not hashed.

use std::collections::{BTreeMap, HashMap};

use domain::duty_book::{Hours, ON_TIME_WITHIN};
use domain::incident::Act;
use domain::kpi::{
    By, Duty, DutyRecord, Fact, IncidentRecord, Line, Load, LogLine, NOT_ANSWERED, NotAnswered,
    Part, Query, Ranking, Record, Rung, Scoring, canonical, permille, rank,
};
use domain::{DeviceClass, Timestamp, ZoneId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::error::StateError;
use super::incidents::{list, opt_time, opt_word, severity, time, word};
use super::{DeviceState, Moment, State};

/// Most incidents of one report.
const INCIDENTS_MAX: i64 = 1_000_000;
/// Most lines of the duty log of one report.
const LINES_MAX: i64 = 1_000_000;
/// The rule whose alarm is the work order for a device that chatters.
const CHATTER_RULE: &str = "HUB5";

/// How figures are weighed, from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KpiSettings {
    /// How departments are scored.
    pub scoring: Scoring,
    /// Operators' seats that the alarms are spread over.
    pub seats: u64,
    /// What a line of the duty log covers.
    pub log_every: SignedDuration,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KpiQuery {
    /// Span and grouping.
    pub query: Query,
    /// The last row of the audit trail that counts; none for the last there is.
    pub as_of: Option<i64>,
    /// How it is weighed.
    pub settings: KpiSettings,
}

/// Key figures of a span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KpiReport {
    /// From the record.
    pub ranking: Ranking,
    /// Its canonical bytes.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// SHA-256 over them, in hexadecimal.
    pub sha256: String,
    /// How much rang.
    pub load: Load,
    /// The duty book.
    pub duty: Duty,
    /// What stands now.
    pub standing: Standing,
    /// What the record cannot answer.
    pub not_answered: &'static [NotAnswered],
}

/// What stands now, whatever span was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Alarms on a shelf.
    pub shelved: u64,
    /// Of those, past their hour.
    pub shelved_overdue: u64,
    /// Of those, without a reason.
    pub shelved_without_reason: u64,
    /// Open alarms that a cause holds back.
    pub suppressed: u64,
    /// Open alarms that a maintenance window holds back.
    pub out_of_service: u64,
    /// Open alarms whose device is away.
    pub unknown: u64,
    /// Open alarms that chatter.
    pub chattering: u64,
    /// Work orders for what chattered that began in the span.
    pub chatter_work_orders: u64,
    /// Devices by class and building.
    pub coverage: Vec<Coverage>,
}

/// How many devices of a class watch over a building.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The class.
    pub class: DeviceClass,
    /// The building; none for what stands outside.
    pub building: Option<String>,
    /// Registered.
    pub devices: u64,
    /// Connected and heard within two heartbeats.
    pub healthy: u64,
    /// Healthy of registered.
    pub healthy_permille: Option<u64>,
}

impl State {
    /// Computes key figures. The ranking is the same, byte for byte, for the same span and the same `as_of`.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a span that ends before it begins or holds too much, and a row that the audit trail does not have.
    pub async fn kpi(&self, asked: KpiQuery, now: Timestamp) -> Result<KpiReport, StateError> {
        let KpiQuery {
            query, settings, ..
        } = asked;
        if query.from >= query.to {
            return Err(StateError::invalid(
                "`to` is not after `from` (hint: `from` counts, `to` does not)",
            ));
        }
        let mut snapshot = self.snapshot().await?;
        let record = record(&mut snapshot, query, asked.as_of).await?;
        let rung = rung(&mut snapshot, query).await?;
        let duty = duty(&mut snapshot, query).await?;
        let mut standing = standing(&mut snapshot, query, now).await?;
        drop(snapshot);
        standing.coverage = self.coverage(now).await?;
        let registry = std::sync::Arc::clone(&self.shared.registry);
        let work = move || {
            let grid_of = |zone: &ZoneId| registry.grid_of(zone).map(|grid| grid.id.to_string());
            let mut ranking = rank(&record, query, settings.scoring, grid_of);
            if query.by == By::MicroGrid {
                // the zones' micro-grids are the registry's: which registry it was belongs to what is hashed
                let mut places = Sha256::new();
                for zone in registry.zones.values() {
                    places.update(format!("{}={}\n", zone.id, zone.grid));
                }
                ranking.places_sha256 = Some(hex::encode(places.finalize()));
            }
            let value = serde_json::to_value(&ranking).expect("tables of words and integers");
            let bytes = canonical(&value);
            KpiReport {
                sha256: hex::encode(Sha256::digest(&bytes)),
                load: Load::of(rung, query.from, query.to, settings.seats),
                duty: Duty::of(&duty, query, now, settings.log_every),
                ranking,
                bytes,
                standing,
                not_answered: NOT_ANSWERED,
            }
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(report) => Ok(report),
            Err(died) => match died.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StateError::Stopping),
            },
        }
    }

    async fn coverage(&self, now: Timestamp) -> Result<Vec<Coverage>, StateError> {
        let mut tallies: BTreeMap<(DeviceClass, Option<String>), (u64, u64)> = BTreeMap::new();
        for device in self.devices(now).await?.items {
            let building = device.building.map(|id| id.to_string());
            let (all, healthy) = tallies.entry((device.class, building)).or_default();
            let is_healthy = match device.state {
                DeviceState::Normal => true,
                // it rings: that it works it has just shown, unless it is away
                DeviceState::Alarm => device.online != Some(false),
                DeviceState::Offline | DeviceState::Silent | DeviceState::NeverSeen => false,
            };
            *all += 1;
            *healthy += u64::from(is_healthy);
        }
        let coverage = tallies
            .into_iter()
            .map(|((class, building), (devices, healthy))| Coverage {
                class,
                building,
                devices,
                healthy,
                healthy_permille: permille(healthy, devices),
            });
        Ok(coverage.collect())
    }
}

async fn record(
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

/// What the duty book holds of the span.
async fn duty(connection: &mut SqliteConnection, query: Query) -> Result<DutyRecord, StateError> {
    let (from, to) = (query.from.as_microsecond(), query.to.as_microsecond());
    let written_to: Option<i64> = sqlx::query_scalar(
        "SELECT COALESCE((SELECT ends_at FROM duty_log WHERE starts_at < $1 ORDER BY starts_at DESC LIMIT 1),
           (SELECT at FROM duty_log_begin))",
    )
    .bind(from)
    .fetch_one(&mut *connection)
    .await?;
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT starts_at, ends_at, is_late, line FROM duty_log WHERE starts_at >= $1 AND starts_at < $2 ORDER BY starts_at LIMIT $3",
    )
    .bind(from)
    .bind(to)
    .bind(LINES_MAX + 1)
    .fetch_all(&mut *connection)
    .await?;
    if rows.len() as i64 > LINES_MAX {
        return Err(StateError::invalid(format!(
            "more than {LINES_MAX} lines of the duty log in that span (hint: ask for less at a time)"
        )));
    }
    let mut lines = Vec::with_capacity(rows.len());
    for (starts_at, ends_at, is_late, line) in rows {
        let changes = list::<LineChanges>(&line)?.changes;
        lines.push(LogLine {
            hours: Hours {
                from: time(starts_at)?,
                to: time(ends_at)?,
            },
            is_late: is_late != 0,
            changes: changes.into_iter().map(|change| change.0).collect(),
        });
    }
    let around = i64::try_from(ON_TIME_WITHIN.as_micros()).unwrap_or(0);
    let handed_over: Vec<i64> = sqlx::query_scalar(
        "SELECT incoming_at FROM handover WHERE incoming_at IS NOT NULL AND incoming_at >= $1 AND incoming_at < $2",
    )
    .bind(from.saturating_sub(around))
    .bind(to.saturating_add(around))
    .fetch_all(connection)
    .await?;
    let handed_over: Result<Vec<_>, StateError> = handed_over.into_iter().map(time).collect();
    Ok(DutyRecord {
        written_to: opt_time(written_to)?,
        lines,
        handed_over: handed_over?,
    })
}

/// Of a line of the duty log.
#[derive(Deserialize)]
struct LineChanges {
    #[serde(default)]
    changes: Vec<Moment>,
}

async fn rung(connection: &mut SqliteConnection, query: Query) -> Result<Vec<Rung>, StateError> {
    type Columns = (i64, String, String, i64, i64, Option<i64>);
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT annunciated_at, rule, subject, severity, active_at, cleared_at FROM alarm
         WHERE annunciated_at IS NOT NULL AND annunciated_at >= $1 AND annunciated_at < $2 AND mode = 'annunciate'",
    )
    .bind(query.from.as_microsecond())
    .bind(query.to.as_microsecond())
    .fetch_all(connection)
    .await?;
    let rung = |(at, rule, subject, number, active_at, cleared_at): Columns| {
        Ok(Rung {
            at: time(at)?,
            rule: word(&rule)?,
            subject,
            severity: severity(number)?,
            active_at: time(active_at)?,
            cleared_at: opt_time(cleared_at)?,
        })
    };
    rows.into_iter().map(rung).collect()
}

async fn standing(
    connection: &mut SqliteConnection,
    query: Query,
    now: Timestamp,
) -> Result<Standing, StateError> {
    let (shelved, overdue, without_reason): (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN shelved_until < $1 THEN 1 ELSE 0 END), 0),
           COALESCE(SUM(CASE WHEN TRIM(COALESCE(shelved_reason, '')) = '' THEN 1 ELSE 0 END), 0)
         FROM alarm WHERE shelved_until IS NOT NULL",
    )
    .bind(now.as_microsecond())
    .fetch_one(&mut *connection)
    .await?;
    let (suppressed, out_of_service, unknown, chattering): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(suppressed_by), COUNT(out_of_service), COUNT(unknown_since), COUNT(chattering_since)
         FROM alarm WHERE state <> 'normal'",
    )
    .fetch_one(&mut *connection)
    .await?;
    let work_orders: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM alarm WHERE annunciated_at IS NOT NULL AND annunciated_at >= $1 AND annunciated_at < $2 AND rule = $3",
    )
    .bind(query.from.as_microsecond())
    .bind(query.to.as_microsecond())
    .bind(CHATTER_RULE)
    .fetch_one(connection)
    .await?;
    Ok(Standing {
        shelved: shelved.cast_unsigned(),
        shelved_overdue: overdue.cast_unsigned(),
        shelved_without_reason: without_reason.cast_unsigned(),
        suppressed: suppressed.cast_unsigned(),
        out_of_service: out_of_service.cast_unsigned(),
        unknown: unknown.cast_unsigned(),
        chattering: chattering.cast_unsigned(),
        chatter_work_orders: work_orders.cast_unsigned(),
        coverage: Vec::new(),
    })
}
