//! Batches: findings become alarms and incidents, once.

use domain::Severity;
use domain::alarm::AlarmState;
use domain::incident::{Condition, IncidentState, Verb};

use super::fixture::{Hub, batch, cleared, command, finding, smoke};
use crate::state::{IncidentFilter, Stage};

#[tokio::test]
async fn a_smoke_alarm_opens_an_incident_that_is_dispatched_at_once() {
    let hub = Hub::start().await;
    let done = hub.find(vec![smoke("smoke-1", 7)]).await;
    assert_eq!((done.opened.len(), done.alarms), (1, 1));
    let view = hub.view(done.opened[0]).await;
    let item = &view.item;
    assert_eq!(
        (item.number, item.version, item.severity),
        (1001, 1, Severity::P1)
    );
    assert_eq!(
        (item.state, item.condition),
        (IncidentState::Dispatched, Condition::Active)
    );
    assert_eq!(item.zone_name.as_deref(), Some("6层"));
    assert_eq!(item.building_name.as_deref(), Some("1幢"));
    assert_eq!(
        (item.floor, item.device_name.as_deref()),
        (Some(6), Some("烟感-1"))
    );
    let departments: Vec<&str> = view.tasks.iter().map(|t| t.department.as_str()).collect();
    assert_eq!(departments, ["fire", "police"]);
    assert!(view.tasks[0].lead && !view.tasks[1].lead);
    assert_eq!(view.alarms[0].state, AlarmState::ActiveUnacked);
    assert_eq!(view.event_ids.len(), 1);
    let verbs: Vec<&str> = view
        .timeline
        .iter()
        .map(|line| line.verb.as_str())
        .collect();
    assert_eq!(verbs, ["open", "dispatch"]);
}
