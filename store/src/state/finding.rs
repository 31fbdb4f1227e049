//! From findings to alarms to incidents, within the transaction of a batch.
//!
//! An open alarm is unique by (rule, subject), and so is an open incident. A finding refreshes the open alarm, or opens one; the
//! alarm belongs to the incident of its episode, else to the open incident of its (rule, subject), else to an open incident of the
//! same zone that its rule absorbs or that absorbs its rule, else to a new one. An incident that is resolved takes repeats of the
//! same episode in silence; a new episode, or one that has become more urgent, opens a new incident.

use std::collections::BTreeSet;

use domain::alarm::{Alarm, Latch};
use domain::incident::Incident;
use domain::rule::{Finding, FindingKind, RuleBook, RuleMeta};
use domain::{AlarmId, DeviceId, IncidentId, Timestamp};
use sqlx::SqliteConnection;

use super::error::StateError;
use super::view::EVENTS_MAX;
use super::{alarms, incidents};

/// What the findings of a batch came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) opened: Vec<IncidentId>,
    pub(super) changed: BTreeSet<IncidentId>,
    pub(super) alarms: u64,
    /// Devices whose alarms changed.
    pub(super) devices: BTreeSet<DeviceId>,
}

/// A `UUIDv7` of a moment.
fn made(at: Timestamp) -> uuid::Uuid {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &rand::random()).into_uuid()
}

pub(super) async fn apply(
    connection: &mut SqliteConnection,
    finding: &Finding,
    book: &RuleBook,
    outcome: &mut Outcome,
) -> Result<(), StateError> {
    outcome.devices.extend(finding.device.clone());
    match finding.what {
        FindingKind::Raised => {
            let meta = book
                .get(&finding.rule)
                .ok_or_else(|| StateError::UnknownRule {
                    rule: finding.rule.clone(),
                })?;
            raised(connection, finding, meta, book, outcome).await
        }
        FindingKind::Cleared => cleared(connection, finding, outcome).await,
    }
}

async fn raised(
    connection: &mut SqliteConnection,
    finding: &Finding,
    meta: &RuleMeta,
    book: &RuleBook,
    outcome: &mut Outcome,
) -> Result<(), StateError> {
    let (open, episode) = match alarms::open_of(connection, &finding.rule, &finding.subject).await?
    {
        Some((alarm, id)) => {
            let incident = owner(connection, id).await?;
            if incidents::takes_more(&incident, finding.severity) {
                (Some(alarm), Some(incident))
            } else {
                end_episode(connection, alarm, &incident, finding).await?;
                outcome.changed.insert(id);
                (None, None)
            }
        }
        None => (None, None),
    };
    let mut near = Near::of(connection, finding, meta, book).await?;
    let known = match episode {
        Some(incident) => Some(incident),
        None => incidents::open_of(connection, &finding.rule, &finding.subject).await?,
    };
    let incident = if let Some(incident) = known.or_else(|| near.absorbing.pop()) {
        let step = incident.refresh(finding, meta);
        incidents::keep(connection, &incident, step).await?
    } else if let Some(incident) = near.absorbed.pop() {
        let step = incident.take_over(finding, meta);
        incidents::keep(connection, &incident, step).await?
    } else {
        let number = incidents::next_number(connection).await?;
        let id = IncidentId::new(made(finding.at));
        let (incident, effects) = Incident::open(id, number, finding, meta);
        incidents::save(connection, &incident, None).await?;
        incidents::perform(connection, id, effects).await?;
        outcome.opened.push(id);
        incident
    };
    outcome.changed.insert(incident.id);

    let alarm = if let Some(alarm) = open {
        alarm.refresh(finding)
    } else {
        outcome.alarms += 1;
        let latch = if meta.latched {
            Latch::Latched
        } else {
            Latch::Free
        };
        Alarm::open(AlarmId::new(made(finding.at)), finding, latch)
    };
    // the station is at work on it already: nobody is asked to acknowledge twice
    let alarm = if incident.acknowledged.is_some() {
        alarm.acknowledge()
    } else {
        alarm
    };
    alarms::save(connection, &alarm, incident.id).await?;
    note_event(connection, incident.id, finding).await?;

    // what is resolved takes no work over
    if incident.state.is_open() {
        near.absorbed.retain(|other| other.id != incident.id);
        for other in near.absorbed {
            let step = other.merge_into(&incident, finding.at, &finding.rule);
            alarms::move_all(connection, other.id, incident.id).await?;
            share_events(connection, other.id, incident.id).await?;
            incidents::keep(connection, &other, step).await?;
            outcome.changed.insert(other.id);
        }
    }
    Ok(())
}

async fn cleared(
    connection: &mut SqliteConnection,
    finding: &Finding,
    outcome: &mut Outcome,
) -> Result<(), StateError> {
    let Some((alarm, id)) = alarms::open_of(connection, &finding.rule, &finding.subject).await?
    else {
        return Ok(());
    };
    outcome.devices.extend(alarm.device.clone());
    alarms::save(connection, &alarm.clear(finding.at), id).await?;
    note_event(connection, id, finding).await?;
    let incident = owner(connection, id).await?;
    settle(connection, &incident, finding).await?;
    outcome.changed.insert(id);
    Ok(())
}

/// The incident that an alarm belongs to.
async fn owner(connection: &mut SqliteConnection, id: IncidentId) -> Result<Incident, StateError> {
    let found = incidents::load(connection, id).await?;
    found.map(|(incident, _)| incident).ok_or_else(|| {
        StateError::damaged(format_args!("an alarm belongs to {id}, which is not there"))
    })
}

/// The incident was closed over an alarm that never returned: the alarm stays with it as it was, and ends.
async fn end_episode(
    connection: &mut SqliteConnection,
    alarm: Alarm,
    incident: &Incident,
    finding: &Finding,
) -> Result<(), StateError> {
    alarms::save(connection, &alarm.end(finding.at), incident.id).await?;
    settle(connection, incident, finding).await
}

/// Brings the incident's condition in line with its alarms.
async fn settle(
    connection: &mut SqliteConnection,
    incident: &Incident,
    finding: &Finding,
) -> Result<(), StateError> {
    let active = alarms::active_count(connection, incident.id).await?;
    let condition = incidents::condition_from(active);
    let step = incident.set_condition(condition, finding.at, &finding.rule);
    incidents::keep(connection, incident, step).await?;
    Ok(())
}

/// Open incidents of the same zone that belong together with a finding, the oldest last.
struct Near {
    /// Its rule takes them over.
    absorbed: Vec<Incident>,
    /// Their rule would have taken it over.
    absorbing: Vec<Incident>,
}

impl Near {
    async fn of(
        connection: &mut SqliteConnection,
        finding: &Finding,
        meta: &RuleMeta,
        book: &RuleBook,
    ) -> Result<Self, StateError> {
        let mut near = Self {
            absorbed: Vec::new(),
            absorbing: Vec::new(),
        };
        let is_part = book
            .values()
            .any(|other| other.absorbs.contains(&finding.rule));
        let Some(zone) = finding
            .zone
            .as_ref()
            .filter(|_| is_part || !meta.absorbs.is_empty())
        else {
            return Ok(near);
        };
        for incident in incidents::open_in(connection, zone)
            .await?
            .into_iter()
            .rev()
        {
            let takes_it = |other: &RuleMeta| other.absorbs.contains(&finding.rule);
            if meta.absorbs.contains(&incident.rule) {
                near.absorbed.push(incident);
            } else if book.get(&incident.rule).is_some_and(takes_it) {
                near.absorbing.push(incident);
            }
        }
        Ok(near)
    }
}

/// Keeps the ids of the latest events with the incident.
async fn note_event(
    connection: &mut SqliteConnection,
    incident: IncidentId,
    finding: &Finding,
) -> Result<(), StateError> {
    let (Some(event), Some(seq)) = (finding.event, finding.seq) else {
        return Ok(());
    };
    sqlx::query("INSERT INTO incident_event (incident, seq, event) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(incident.to_string())
        .bind(seq.0.cast_signed())
        .bind(event.to_string())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM incident_event WHERE incident = $1 AND seq <
           (SELECT MIN(seq) FROM (SELECT seq FROM incident_event WHERE incident = $1 ORDER BY seq DESC LIMIT $2) latest)",
    )
    .bind(incident.to_string())
    .bind(EVENTS_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

/// The events of one incident are from now on another's too.
async fn share_events(
    connection: &mut SqliteConnection,
    from: IncidentId,
    to: IncidentId,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO incident_event (incident, seq, event) SELECT $1, seq, event FROM incident_event WHERE incident = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(to.to_string())
    .bind(from.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
