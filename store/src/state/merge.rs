//! What a merge by hand, and its undoing, do to the alarms: they follow the incident that goes on, and come back.

use domain::IncidentId;
use domain::incident::{Incident, IncidentState};
use domain::place::Registry;
use sqlx::SqliteConnection;

use super::error::StateError;
use super::{alarms, incidents};

/// Moves the alarms if this step merged or unmerged the incident; says which other incident changed with it.
pub(super) async fn follow(
    connection: &mut SqliteConnection,
    registry: &Registry,
    before: &Incident,
    after: &Incident,
) -> Result<Option<IncidentId>, StateError> {
    let is_merged = |incident: &Incident| incident.state == IncidentState::Merged;
    let other = match (is_merged(before), is_merged(after)) {
        (false, true) => after.parent,
        (true, false) => before.parent,
        _ => None,
    };
    let Some(other) = other else { return Ok(None) };
    if is_merged(after) {
        sqlx::query("INSERT INTO merged_alarm (incident, alarm) SELECT $1, id FROM alarm WHERE incident = $1")
            .bind(after.id.to_string())
            .execute(&mut *connection)
            .await?;
        alarms::move_all(connection, after.id, other).await?;
    } else {
        sqlx::query(
            "UPDATE alarm SET incident = $1 WHERE id IN (SELECT alarm FROM merged_alarm WHERE incident = $1)",
        )
        .bind(after.id.to_string())
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM merged_alarm WHERE incident = $1")
            .bind(after.id.to_string())
            .execute(&mut *connection)
            .await?;
        settle(connection, registry, after.id).await?;
    }
    settle(connection, registry, other).await?;
    Ok(Some(other))
}

async fn settle(
    connection: &mut SqliteConnection,
    registry: &Registry,
    id: IncidentId,
) -> Result<(), StateError> {
    match incidents::load(connection, id).await? {
        Some((incident, _)) => {
            let (at, rule) = (incident.last_event_at, &incident.rule);
            incidents::settle(connection, registry, &incident, at, rule).await
        }
        None => Ok(()),
    }
}
