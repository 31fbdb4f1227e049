//! Alarms as rows.

use domain::alarm::{Alarm, Flags, Latch, Shelf};
use domain::id::MaintenanceId;
use domain::incident::{Condition, Standing};
use domain::rule::Mode;
use domain::{AlarmId, DeviceId, IncidentId, RuleId, SiteId, Timestamp};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::chunks::chunks;
use super::error::StateError;
use super::incidents::{json, list, opt_time, opt_word, severity, time, word};

#[derive(FromRow)]
pub(super) struct AlarmRow {
    id: String,
    version: i64,
    incident: Option<String>,
    rule: String,
    subject: String,
    mode: String,
    state: String,
    latched: i64,
    severity: i64,
    site: String,
    zone: Option<String>,
    device: Option<String>,
    raised_at: i64,
    active_at: i64,
    last_event_at: i64,
    cleared_at: Option<i64>,
    annunciated_at: Option<i64>,
    count: i64,
    fleeting: i64,
    shelved_until: Option<i64>,
    shelved_severity: Option<i64>,
    shelved_reason: Option<String>,
    shelved_by: Option<String>,
    suppressed_by: Option<String>,
    out_of_service: Option<String>,
    unknown_since: Option<i64>,
    chattering_since: Option<i64>,
    quiet_until: Option<i64>,
    pending: Option<String>,
    lasting: i64,
}

impl AlarmRow {
    pub(super) fn into_alarm(self) -> Result<Alarm, StateError> {
        let shelf = (
            self.shelved_until,
            self.shelved_severity,
            self.shelved_reason,
            self.shelved_by,
        );
        let shelved = match shelf {
            (Some(until), Some(number), Some(reason), Some(by)) => Some(Shelf {
                until: time(until)?,
                severity: severity(number)?,
                reason,
                by: word(&by)?,
            }),
            _ => None,
        };
        Ok(Alarm {
            id: word(&self.id)?,
            version: self.version,
            incident: opt_word(self.incident.as_ref())?,
            rule: word(&self.rule)?,
            subject: self.subject,
            mode: mode(&self.mode)?,
            lasting: self.lasting != 0,
            state: word(&self.state)?,
            latch: if self.latched == 0 {
                Latch::Free
            } else {
                Latch::Latched
            },
            flags: Flags {
                shelved,
                suppressed_by: opt_word(self.suppressed_by.as_ref())?,
                out_of_service: opt_word(self.out_of_service.as_ref())?,
                unknown_since: opt_time(self.unknown_since)?,
                chattering_since: opt_time(self.chattering_since)?,
                quiet_until: opt_time(self.quiet_until)?,
            },
            severity: severity(self.severity)?,
            site: word(&self.site)?,
            zone: opt_word(self.zone.as_ref())?,
            device: opt_word(self.device.as_ref())?,
            raised_at: time(self.raised_at)?,
            active_at: time(self.active_at)?,
            last_event_at: time(self.last_event_at)?,
            cleared_at: opt_time(self.cleared_at)?,
            annunciated_at: opt_time(self.annunciated_at)?,
            count: self.count.cast_unsigned(),
            fleeting: self.fleeting.cast_unsigned(),
            pending: self.pending.as_deref().map(list).transpose()?,
        })
    }
}

fn mode(text: &str) -> Result<Mode, StateError> {
    let known = Mode::WORDS.iter().find(|(word, _)| *word == text);
    known
        .map(|(_, mode)| *mode)
        .ok_or_else(|| StateError::damaged(format_args!("mode `{text}`")))
}

fn mode_word(mode: Mode) -> &'static str {
    let known = Mode::WORDS.iter().find(|(_, known)| *known == mode);
    known.map_or("annunciate", |(word, _)| word)
}

pub(super) fn many(rows: Vec<AlarmRow>) -> Result<Vec<Alarm>, StateError> {
    rows.into_iter().map(AlarmRow::into_alarm).collect()
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    id: AlarmId,
) -> Result<Option<Alarm>, StateError> {
    let row: Option<AlarmRow> = sqlx::query_as("SELECT * FROM alarm WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(AlarmRow::into_alarm).transpose()
}

/// The open alarm of a (rule, subject).
pub(super) async fn open_of(
    connection: &mut SqliteConnection,
    rule: &RuleId,
    subject: &str,
) -> Result<Option<Alarm>, StateError> {
    let row: Option<AlarmRow> = sqlx::query_as(
        "SELECT * FROM alarm WHERE rule = $1 AND subject = $2 AND state <> 'normal'",
    )
    .bind(rule.as_str())
    .bind(subject)
    .fetch_optional(connection)
    .await?;
    row.map(AlarmRow::into_alarm).transpose()
}

/// The alarms of an incident, the oldest first.
pub(super) async fn of_incident(
    connection: &mut SqliteConnection,
    incident: IncidentId,
) -> Result<Vec<Alarm>, StateError> {
    let rows: Vec<AlarmRow> =
        sqlx::query_as("SELECT * FROM alarm WHERE incident = $1 ORDER BY raised_at, id")
            .bind(incident.to_string())
            .fetch_all(connection)
            .await?;
    many(rows)
}

/// How an incident stands by what its alarms say.
pub(super) async fn standing(
    connection: &mut SqliteConnection,
    incident: IncidentId,
) -> Result<Standing, StateError> {
    let (active, lasting): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(SUM(lasting), 0) FROM alarm WHERE incident = $1 AND state IN ('active_unacked', 'active_acked')",
    )
    .bind(incident.to_string())
    .fetch_one(connection)
    .await?;
    Ok(Standing {
        condition: if active > 0 {
            Condition::Active
        } else {
            Condition::Normal
        },
        lasting: lasting > 0,
    })
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    alarms: &[Alarm],
) -> Result<(), StateError> {
    let us = |at: Timestamp| at.as_microsecond();
    for chunk in chunks(alarms) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO alarm (id, version, incident, rule, subject, mode, state, latched, severity, site, zone, device, raised_at,
               active_at, last_event_at, cleared_at, annunciated_at, count, fleeting, held_back, shelved_until, shelved_severity,
               shelved_reason, shelved_by, suppressed_by, out_of_service, unknown_since, chattering_since, quiet_until, pending, lasting) ",
        );
        query.push_values(chunk, |mut values, alarm| {
            let (flags, shelf) = (&alarm.flags, alarm.flags.shelved.as_ref());
            let held_back = alarm.hold().filter(|_| alarm.state.is_open());
            let pending = alarm.pending.as_ref().filter(|_| alarm.state.is_open());
            values
                .push_bind(alarm.id.to_string())
                .push_bind(alarm.version)
                .push_bind(alarm.incident.map(|id| id.to_string()))
                .push_bind(alarm.rule.as_str())
                .push_bind(&alarm.subject)
                .push_bind(mode_word(alarm.mode))
                .push_bind(alarm.state.as_str())
                .push_bind(i64::from(alarm.latch == Latch::Latched))
                .push_bind(alarm.severity.number())
                .push_bind(alarm.site.as_str())
                .push_bind(alarm.zone.as_ref().map(ToString::to_string))
                .push_bind(alarm.device.as_ref().map(ToString::to_string))
                .push_bind(us(alarm.raised_at))
                .push_bind(us(alarm.active_at))
                .push_bind(us(alarm.last_event_at))
                .push_bind(alarm.cleared_at.map(us))
                .push_bind(alarm.annunciated_at.map(us))
                .push_bind(alarm.count.cast_signed())
                .push_bind(alarm.fleeting.cast_signed())
                .push_bind(held_back.map(domain::alarm::Flag::as_str))
                .push_bind(shelf.map(|shelf| us(shelf.until)))
                .push_bind(shelf.map(|shelf| shelf.severity.number()))
                .push_bind(shelf.map(|shelf| shelf.reason.as_str()))
                .push_bind(shelf.map(|shelf| shelf.by.as_str()))
                .push_bind(flags.suppressed_by.map(|id| id.to_string()))
                .push_bind(flags.out_of_service.map(|id| id.to_string()))
                .push_bind(flags.unknown_since.map(us))
                .push_bind(flags.chattering_since.map(us))
                .push_bind(flags.quiet_until.map(us))
                .push_bind(pending.map(json))
                .push_bind(i64::from(alarm.lasting));
        });
        query.push(
            " ON CONFLICT (id) DO UPDATE SET version = excluded.version, incident = excluded.incident, mode = excluded.mode,
               state = excluded.state, latched = excluded.latched, severity = excluded.severity, zone = excluded.zone,
               device = excluded.device, active_at = excluded.active_at, last_event_at = excluded.last_event_at,
               cleared_at = excluded.cleared_at, annunciated_at = excluded.annunciated_at, count = excluded.count,
               fleeting = excluded.fleeting, held_back = excluded.held_back, shelved_until = excluded.shelved_until,
               shelved_severity = excluded.shelved_severity, shelved_reason = excluded.shelved_reason,
               shelved_by = excluded.shelved_by, suppressed_by = excluded.suppressed_by, out_of_service = excluded.out_of_service,
               unknown_since = excluded.unknown_since, chattering_since = excluded.chattering_since,
               quiet_until = excluded.quiet_until, pending = excluded.pending, lasting = excluded.lasting",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Acknowledges every open alarm of an incident.
pub(super) async fn acknowledge_all(
    connection: &mut SqliteConnection,
    incident: IncidentId,
) -> Result<(), StateError> {
    for alarm in of_incident(connection, incident).await? {
        if alarm.state.is_open() {
            save(connection, &[alarm.acknowledge()]).await?;
        }
    }
    Ok(())
}

/// Attaches all alarms of one incident to another.
pub(super) async fn move_all(
    connection: &mut SqliteConnection,
    from: IncidentId,
    to: IncidentId,
) -> Result<(), StateError> {
    sqlx::query("UPDATE alarm SET incident = $1 WHERE incident = $2")
        .bind(to.to_string())
        .bind(from.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// The alarm at which the shelf of a (rule, subject) stands.
pub(super) async fn shelved(
    connection: &mut SqliteConnection,
    rule: &RuleId,
    subject: &str,
) -> Result<Option<Alarm>, StateError> {
    let row: Option<AlarmRow> = sqlx::query_as(
        "SELECT * FROM alarm WHERE rule = $1 AND subject = $2 AND shelved_until IS NOT NULL",
    )
    .bind(rule.as_str())
    .bind(subject)
    .fetch_optional(connection)
    .await?;
    row.map(AlarmRow::into_alarm).transpose()
}

/// Open alarms whose condition holds, of these rules in a site, the oldest first.
pub(super) async fn active_of(
    connection: &mut SqliteConnection,
    site: &SiteId,
    rules: &[&RuleId],
) -> Result<Vec<Alarm>, StateError> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT * FROM alarm WHERE state <> 'normal' AND state IN ('active_unacked', 'active_acked') AND rule IN (",
    );
    let mut ids = query.separated(", ");
    for rule in rules {
        ids.push_bind(rule.as_str());
    }
    query.push(") AND site = ").push_bind(site.as_str());
    query.push(" ORDER BY id");
    many(query.build_query_as().fetch_all(connection).await?)
}

/// Open alarms that an alarm holds back, the oldest first.
pub(super) async fn suppressed_by(
    connection: &mut SqliteConnection,
    cause: AlarmId,
) -> Result<Vec<Alarm>, StateError> {
    let rows: Vec<AlarmRow> = sqlx::query_as(
        "SELECT * FROM alarm WHERE state <> 'normal' AND suppressed_by IS NOT NULL AND suppressed_by = $1 ORDER BY id",
    )
    .bind(cause.to_string())
    .fetch_all(connection)
    .await?;
    many(rows)
}

/// Open alarms of a device.
pub(super) async fn of_device(
    connection: &mut SqliteConnection,
    device: &DeviceId,
) -> Result<Vec<Alarm>, StateError> {
    let rows: Vec<AlarmRow> =
        sqlx::query_as("SELECT * FROM alarm WHERE device = $1 AND state <> 'normal' ORDER BY id")
            .bind(device.as_str())
            .fetch_all(connection)
            .await?;
    many(rows)
}

/// Open alarms that a maintenance window goes over, the oldest first.
pub(super) async fn out_of_service(
    connection: &mut SqliteConnection,
    window: MaintenanceId,
) -> Result<Vec<Alarm>, StateError> {
    let rows: Vec<AlarmRow> = sqlx::query_as(
        "SELECT * FROM alarm WHERE state <> 'normal' AND out_of_service IS NOT NULL AND out_of_service = $1 ORDER BY id",
    )
    .bind(window.to_string())
    .fetch_all(connection)
    .await?;
    many(rows)
}

/// Alarms whose shelf has ended by `now`, open or over, the first to end first.
pub(super) async fn shelf_due(
    connection: &mut SqliteConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Alarm>, StateError> {
    let rows: Vec<AlarmRow> = sqlx::query_as(
        "SELECT * FROM alarm WHERE shelved_until IS NOT NULL AND shelved_until <= $1 ORDER BY shelved_until, id LIMIT $2",
    )
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    many(rows)
}

/// Open alarms that have been quiet long enough by `now`.
pub(super) async fn quiet_due(
    connection: &mut SqliteConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Alarm>, StateError> {
    let rows: Vec<AlarmRow> = sqlx::query_as(
        "SELECT * FROM alarm WHERE state <> 'normal' AND quiet_until IS NOT NULL AND quiet_until <= $1 ORDER BY quiet_until, id
         LIMIT $2",
    )
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    many(rows)
}
