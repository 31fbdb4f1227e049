//! Key figures: reads the record and has it computed (`domain::kpi`). What is hashed comes from rows that never change
//! ([`super::kpi_record`]); what the books say of the span ([`super::kpi_books`]) and what stands now is told beside it and not hashed.

use std::collections::BTreeMap;

use domain::kpi::{
    By, Duty, Held, Load, NOT_ANSWERED, NotAnswered, Query, Ranking, Rung, Scoring, canonical,
    permille, rank,
};
use domain::{DeviceClass, Severity, Timestamp, ZoneId};
use jiff::SignedDuration;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::error::StateError;
use super::incidents::{opt_time, severity, time, word};
use super::kpi_books::{duty, held};
use super::kpi_record::record;
use super::{DeviceState, Moment, State};

/// The rule whose alarm is the work order for a device that chatters.
const CHATTER_RULE: &str = "HUB5";

/// An alarm that goes on for so long is stale (ISA-18.2).
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Alarms that are listed because they do not ring as they should.
const LISTED_MAX: usize = 500;

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
    /// What was held back.
    pub held: Held,
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
    /// Open alarms that have been on for more than 24 hours and rang.
    pub stale: u64,
    /// Each of those that are put aside, chatter or are stale, the oldest first; an alarm for which two things hold stands here twice.
    pub listed: Vec<Listed>,
    /// There are more than are listed.
    pub is_cut: bool,
    /// Devices by class and building.
    pub coverage: Vec<Coverage>,
}

/// An alarm that does not ring as it should, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// `shelved`, `suppressed`, `out_of_service`, `chattering` or `stale`.
    pub why: &'static str,
    /// The alarm.
    pub alarm: String,
    /// Its rule.
    pub rule: String,
    /// What it is about.
    pub subject: String,
    /// Where.
    pub site: String,
    /// How urgent.
    pub severity: Severity,
    /// That holds since then.
    pub since: Moment,
    /// And until then, where an end is set.
    pub until: Option<Moment>,
    /// The reason that was given, or the rule of the cause.
    pub reason: Option<String>,
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
        let held = held(&mut snapshot, query).await?;
        let mut standing = standing(&mut snapshot, query, now).await?;
        drop(snapshot);
        standing.coverage = self.coverage(now).await?;
        let registry = self.shared.registry();
        // rates of a span that goes on are of the time that has passed
        let until = query.to.min(now).max(query.from);
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
                load: Load::of(rung, query.from, until, settings.seats),
                duty: Duty::of(&duty, query, now, settings.log_every),
                held: Held::of(&held, now),
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

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: String,
    rule: String,
    subject: String,
    site: String,
    severity: i64,
    active_at: i64,
    is_stale: i64,
    shelved_at: Option<i64>,
    shelved_until: Option<i64>,
    shelved_reason: Option<String>,
    suppressed_at: Option<i64>,
    suppressed_rule: Option<String>,
    window_from: Option<i64>,
    window_until: Option<i64>,
    window_reason: Option<String>,
    chattering_since: Option<i64>,
}

impl ListedRow {
    /// One line for each thing that holds.
    fn lines(self) -> Result<Vec<Listed>, StateError> {
        let line = |why, since: i64, until: Option<i64>, reason: Option<String>| {
            Ok::<_, StateError>(Listed {
                why,
                alarm: self.id.clone(),
                rule: self.rule.clone(),
                subject: self.subject.clone(),
                site: self.site.clone(),
                severity: severity(self.severity)?,
                since: Moment(time(since)?),
                until: opt_time(until)?.map(Moment),
                reason,
            })
        };
        let mut lines = Vec::new();
        if let Some(until) = self.shelved_until {
            let since = self.shelved_at.unwrap_or(self.active_at);
            lines.push(line(
                "shelved",
                since,
                Some(until),
                self.shelved_reason.clone(),
            )?);
        }
        // held back no longer than it has been on, and no longer than what holds it back
        let later = |at: i64| at.max(self.active_at);
        if let Some(at) = self.suppressed_at {
            lines.push(line(
                "suppressed",
                later(at),
                None,
                self.suppressed_rule.clone(),
            )?);
        }
        if let Some(at) = self.window_from {
            let (until, reason) = (self.window_until, self.window_reason.clone());
            lines.push(line("out_of_service", later(at), until, reason)?);
        }
        if let Some(since) = self.chattering_since {
            lines.push(line("chattering", since, None, None)?);
        }
        if self.is_stale != 0 {
            lines.push(line("stale", self.active_at, None, None)?);
        }
        Ok(lines)
    }
}

/// What is put aside, chatters or is stale; how many are stale, and whether there are more than are listed.
async fn listed(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(u64, Vec<Listed>, bool), StateError> {
    let before = now.checked_sub(STALE_AFTER).unwrap_or(Timestamp::MIN);
    let stale: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM alarm WHERE state <> 'normal' AND state IN ('active_unacked', 'active_acked')
           AND annunciated_at IS NOT NULL AND active_at < $1 AND mode = 'annunciate'",
    )
    .bind(before.as_microsecond())
    .fetch_one(&mut *connection)
    .await?;
    let rows: Vec<ListedRow> = sqlx::query_as(
        "SELECT * FROM (
           SELECT a.id, a.rule, a.subject, a.site, a.severity, a.active_at,
             a.state IN ('active_unacked', 'active_acked') AND a.annunciated_at IS NOT NULL AND a.active_at < $1 AND a.mode = 'annunciate' AS is_stale,
             CASE WHEN a.shelved_until IS NOT NULL THEN (SELECT MAX(d.at) FROM audit d WHERE d.object = a.id AND d.act = 'shelve') END AS shelved_at,
             a.shelved_until, a.shelved_reason, CASE WHEN a.suppressed_by IS NOT NULL THEN COALESCE(c.active_at, a.active_at) END AS suppressed_at,
             c.rule AS suppressed_rule, CASE WHEN a.out_of_service IS NOT NULL THEN COALESCE(w.started_at, a.active_at) END AS window_from,
             w.ends_at AS window_until, w.reason AS window_reason, a.chattering_since
           FROM alarm a LEFT JOIN alarm c ON c.id = a.suppressed_by LEFT JOIN maintenance w ON w.id = a.out_of_service
           WHERE a.state <> 'normal')
         WHERE is_stale OR shelved_until IS NOT NULL OR suppressed_at IS NOT NULL OR window_from IS NOT NULL OR chattering_since IS NOT NULL
         ORDER BY active_at, id LIMIT $2",
    )
    .bind(before.as_microsecond())
    .bind(LISTED_MAX as i64 + 1)
    .fetch_all(connection)
    .await?;
    let is_cut = rows.len() > LISTED_MAX;
    let lines: Result<Vec<Vec<Listed>>, StateError> = rows
        .into_iter()
        .take(LISTED_MAX)
        .map(ListedRow::lines)
        .collect();
    let mut lines = lines?.concat();
    lines.sort_by(|a, b| (a.since.0, &a.alarm).cmp(&(b.since.0, &b.alarm)));
    Ok((stale.cast_unsigned(), lines, is_cut))
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
    .fetch_one(&mut *connection)
    .await?;
    let (stale, listed, is_cut) = listed(connection, now).await?;
    Ok(Standing {
        shelved: shelved.cast_unsigned(),
        shelved_overdue: overdue.cast_unsigned(),
        shelved_without_reason: without_reason.cast_unsigned(),
        suppressed: suppressed.cast_unsigned(),
        out_of_service: out_of_service.cast_unsigned(),
        unknown: unknown.cast_unsigned(),
        chattering: chattering.cast_unsigned(),
        chatter_work_orders: work_orders.cast_unsigned(),
        stale,
        listed,
        is_cut,
        coverage: Vec::new(),
    })
}
