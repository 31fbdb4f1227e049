//! Alarms as rows.

use domain::alarm::{Alarm, Latch};
use domain::{IncidentId, RuleId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::error::StateError;
use super::incidents::{opt_time, opt_word, severity, time, word};

#[derive(FromRow)]
struct AlarmRow {
    id: String,
    incident: String,
    rule: String,
    subject: String,
    state: String,
    latched: i64,
    severity: i64,
    site: String,
    zone: Option<String>,
    device: Option<String>,
    raised_at: i64,
    last_event_at: i64,
    cleared_at: Option<i64>,
    count: i64,
}

impl AlarmRow {
    fn into_alarm(self) -> Result<(Alarm, IncidentId), StateError> {
        let alarm = Alarm {
            id: word(&self.id)?,
            rule: word(&self.rule)?,
            subject: self.subject,
            state: word(&self.state)?,
            latch: if self.latched == 0 {
                Latch::Free
            } else {
                Latch::Latched
            },
            severity: severity(self.severity)?,
            site: word(&self.site)?,
            zone: opt_word(self.zone.as_ref())?,
            device: opt_word(self.device.as_ref())?,
            raised_at: time(self.raised_at)?,
            last_event_at: time(self.last_event_at)?,
            cleared_at: opt_time(self.cleared_at)?,
            count: self.count.cast_unsigned(),
        };
        Ok((alarm, word(&self.incident)?))
    }
}

/// The open alarm of a (rule, subject), and the incident that it is attached to.
pub(super) async fn open_of(
    connection: &mut SqliteConnection,
    rule: &RuleId,
    subject: &str,
) -> Result<Option<(Alarm, IncidentId)>, StateError> {
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
    rows.into_iter()
        .map(|row| row.into_alarm().map(|(alarm, _)| alarm))
        .collect()
}

/// How many alarms of an incident are active.
pub(super) async fn active_count(
    connection: &mut SqliteConnection,
    incident: IncidentId,
) -> Result<i64, StateError> {
    Ok(sqlx::query_scalar(
        "SELECT COUNT(*) FROM alarm WHERE incident = $1 AND state IN ('active_unacked', 'active_acked')",
    )
    .bind(incident.to_string())
    .fetch_one(connection)
    .await?)
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    alarm: &Alarm,
    incident: IncidentId,
) -> Result<(), StateError> {
    let us = |at: Timestamp| at.as_microsecond();
    sqlx::query(
        "INSERT INTO alarm (id, incident, rule, subject, state, latched, severity, site, zone, device, raised_at, last_event_at,
           cleared_at, count)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (id) DO UPDATE SET incident = excluded.incident, state = excluded.state, severity = excluded.severity,
           zone = excluded.zone, device = excluded.device, last_event_at = excluded.last_event_at,
           cleared_at = excluded.cleared_at, count = excluded.count",
    )
    .bind(alarm.id.to_string())
    .bind(incident.to_string())
    .bind(alarm.rule.as_str())
    .bind(&alarm.subject)
    .bind(alarm.state.as_str())
    .bind(i64::from(alarm.latch == Latch::Latched))
    .bind(alarm.severity.number())
    .bind(alarm.site.as_str())
    .bind(alarm.zone.as_ref().map(ToString::to_string))
    .bind(alarm.device.as_ref().map(ToString::to_string))
    .bind(us(alarm.raised_at))
    .bind(us(alarm.last_event_at))
    .bind(alarm.cleared_at.map(us))
    .bind(alarm.count.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

/// Acknowledges every open alarm of an incident.
pub(super) async fn acknowledge_all(
    connection: &mut SqliteConnection,
    incident: IncidentId,
) -> Result<(), StateError> {
    for alarm in of_incident(connection, incident).await? {
        if alarm.state.is_open() {
            save(connection, &alarm.acknowledge(), incident).await?;
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
