//! What the API serves: rows joined with the names of the registry. The live feed carries the same objects.

use std::collections::BTreeMap;
use std::fmt;

use domain::alarm::{Alarm, AlarmState, Flag, Window, WindowState};
use domain::id::{BuildingId, MaintenanceId};
use domain::incident::{
    Act, Condition, Evidence, Incident, IncidentState, Reporter, Satisfaction, Stage, Task,
    TaskState, UNMERGE_S,
};
use domain::place::{Registry, Zone};
use domain::rule::Mode;
use domain::{
    AlarmId, DepartmentId, DeviceClass, DeviceId, EventId, IncidentId, Revision, RuleId, Seq,
    Severity, SiteId, StormId, TaskId, Timestamp, UserId, ZoneId,
};
use serde::{Deserialize, Serialize};

use super::notified::NotifiedItem;

/// A time as the API writes it: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}
impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// Deadlines that still run; a step that is done, or not begun, has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueItem {
    /// Acknowledged by then; of an incident only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledge: Option<Moment>,
    /// Claimed by then.
    pub claim: Option<Moment>,
    /// On the scene by then.
    pub arrive: Option<Moment>,
    /// Resolved by then.
    pub resolve: Option<Moment>,
    /// Found out by then whether it is real; of an incident only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verify: Option<Moment>,
    /// Those concerned may answer until then, and the incident be opened again; of an incident only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub review: Option<Moment>,
    /// An acknowledgement after which nothing follows ends then; of an incident only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expire: Option<Moment>,
    /// Without a second person it is closed by force then; of an incident only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub force: Option<Moment>,
    /// Merging can be undone until then; of an incident only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unmerge: Option<Moment>,
}

/// An incident as lists and the feed carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "an item of the API: each is a member of its own"
)]
#[expect(
    missing_docs,
    reason = "each field is the domain's, see `domain::incident::Incident`; `*_name` come from the registry"
)]
pub struct IncidentItem {
    pub id: IncidentId,
    pub number: u64,
    pub version: i64,
    pub severity: Severity,
    pub state: IncidentState,
    pub condition: Condition,
    pub rule: RuleId,
    pub class: DeviceClass,
    pub subject: String,
    pub site: SiteId,
    pub zone: Option<ZoneId>,
    pub zone_name: Option<String>,
    pub building: Option<BuildingId>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub device: Option<DeviceId>,
    pub device_name: Option<String>,
    pub lead: DepartmentId,
    pub departments: Vec<DepartmentId>,
    pub opened_at: Moment,
    pub occurred_at: Moment,
    pub last_event_at: Moment,
    pub count: u64,
    pub acknowledged_at: Option<Moment>,
    pub acknowledged_by: Option<UserId>,
    pub holder: Option<UserId>,
    pub resolved_at: Option<Moment>,
    pub closed_at: Option<Moment>,
    pub cause: Option<String>,
    pub parent: Option<IncidentId>,
    pub due: DueItem,
    pub detail: BTreeMap<String, String>,
    /// What started it goes on until a device says its end: until then it is only closed by force.
    pub is_lasting: bool,
    /// What is waited for now.
    pub stage: Option<Stage>,
    /// The rung of the ladder that was told last in this stage, 0 to 4.
    pub level: u8,
    /// Everybody on the ladder was told in vain.
    pub is_exhausted: bool,
    /// A person looks before anybody is sent.
    pub verify: bool,
    pub verifying_by: Option<UserId>,
    /// 1, and one more with every reopening.
    pub round: u32,
    /// "Not ours" twice: the station lead decides who leads.
    pub hand_backs: u8,
    /// The first of two people has closed it by force.
    pub force_by: Option<UserId>,
    pub is_false: bool,
    pub satisfaction: Satisfaction,
    /// The user who reported it.
    pub reporter: Option<UserId>,
    /// The card into which a flood has folded it.
    pub storm: Option<StormId>,
    pub revision: Revision,
}

impl IncidentItem {
    pub(super) fn new(incident: &Incident, revision: Revision, registry: &Registry) -> Self {
        let zone = incident.zone.as_ref().and_then(|id| registry.zones.get(id));
        let building = zone
            .and_then(|zone| zone.building.as_ref())
            .and_then(|id| registry.buildings.get(id));
        let device = incident
            .device
            .as_ref()
            .and_then(|id| registry.devices.get(id));
        let acknowledged = incident.acknowledged.as_ref();
        Self {
            id: incident.id,
            number: incident.number,
            version: incident.version,
            severity: incident.severity,
            state: incident.state,
            condition: incident.condition,
            rule: incident.rule.clone(),
            class: incident.class,
            subject: incident.subject.clone(),
            site: incident.site.clone(),
            zone: incident.zone.clone(),
            zone_name: zone.map(|zone| zone.name.clone()),
            building: building.map(|building| building.id.clone()),
            building_name: building.map(|building| building.name.clone()),
            floor: zone.and_then(Zone::only_floor),
            device: incident.device.clone(),
            device_name: device.map(|device| device.name.clone()),
            lead: incident.lead().clone(),
            departments: incident.departments().into_iter().cloned().collect(),
            opened_at: incident.opened_at.into(),
            occurred_at: incident.occurred_at.into(),
            last_event_at: incident.last_event_at.into(),
            count: incident.count,
            acknowledged_at: acknowledged.map(|(at, _)| (*at).into()),
            acknowledged_by: acknowledged.map(|(_, by)| by.clone()),
            holder: incident.holder().cloned(),
            resolved_at: incident.resolved_at.map(Moment),
            closed_at: incident.closed_at.map(Moment),
            cause: incident.cause.clone(),
            parent: incident.parent,
            due: due_of(incident),
            detail: incident.detail.clone(),
            is_lasting: incident.condition == Condition::Active && incident.course.lasting,
            stage: incident.course.escalation.stage,
            level: incident.course.escalation.level,
            is_exhausted: incident.course.escalation.is_exhausted,
            verify: incident.plan.verify,
            verifying_by: incident.course.verifying.as_ref().map(|v| v.by.clone()),
            round: incident.course.round,
            hand_backs: incident.course.hand_backs,
            force_by: incident.course.force.as_ref().map(|f| f.by.clone()),
            is_false: incident.course.is_false,
            satisfaction: incident.course.satisfaction,
            reporter: match &incident.reporter {
                Some(Reporter::User(user)) => Some(user.clone()),
                Some(Reporter::Report(_)) | None => None,
            },
            storm: incident.storm,
            revision,
        }
    }
}

fn due_of(incident: &Incident) -> DueItem {
    let is_open = incident.state.is_open();
    let task = incident.lead_task().map(|task| TaskItem::from(task).due);
    DueItem {
        acknowledge: (is_open && incident.acknowledged.is_none())
            .then_some(Moment(incident.due.acknowledge)),
        claim: task.and_then(|due| due.claim),
        arrive: task.and_then(|due| due.arrive),
        resolve: is_open.then_some(Moment(incident.due.resolve)),
        verify: incident.course.verifying.as_ref().map(|v| Moment(v.due)),
        review: incident.course.review.map(|r| Moment(r.ends_at)),
        expire: incident
            .course
            .acknowledge_expires_at
            .filter(|_| is_open)
            .map(Moment),
        force: incident.course.force.as_ref().map(|f| Moment(f.alone_at)),
        unmerge: incident.course.merged.as_ref().and_then(|merged| {
            let end = jiff::SignedDuration::from_secs(i64::from(UNMERGE_S));
            merged.at.checked_add(end).ok().map(Moment)
        }),
    }
}

/// One department's part, as the API serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is the domain's, see `domain::incident::Task`"
)]
pub struct TaskItem {
    pub id: TaskId,
    pub department: DepartmentId,
    pub lead: bool,
    pub state: TaskState,
    pub holder: Option<UserId>,
    pub dispatched_at: Moment,
    pub claimed_at: Option<Moment>,
    pub arrived_at: Option<Moment>,
    pub resolved_at: Option<Moment>,
    pub due: DueItem,
    /// The token that verbs of this task may name: of the claim that holds now.
    pub fence: i64,
    /// The claim lapses then, unless a word comes before.
    pub lease_until: Option<Moment>,
    /// A word from the scene is expected by then.
    pub progress_due: Option<Moment>,
    /// The furthest step of which the department was told that it is overdue.
    pub overdue: Option<Stage>,
}

impl From<&Task> for TaskItem {
    fn from(task: &Task) -> Self {
        let runs = |is_due: bool, at: Timestamp| is_due.then_some(Moment(at));
        let is_waiting = task.state == TaskState::Dispatched;
        let is_under_way = is_waiting || task.state == TaskState::Claimed;
        Self {
            id: task.id,
            department: task.department.clone(),
            lead: task.lead,
            state: task.state,
            holder: task.holder.clone(),
            dispatched_at: task.dispatched_at.into(),
            claimed_at: task.claimed_at.map(Moment),
            arrived_at: task.arrived_at.map(Moment),
            resolved_at: task.resolved_at.map(Moment),
            due: DueItem {
                acknowledge: None,
                claim: runs(is_waiting, task.due.claim),
                arrive: runs(is_under_way, task.due.arrive),
                resolve: runs(task.state.is_open(), task.due.resolve),
                verify: None,
                review: None,
                expire: None,
                force: None,
                unmerge: None,
            },
            fence: task.fence,
            lease_until: task.lease_until.map(Moment),
            progress_due: task.progress_due.map(Moment),
            overdue: task.overdue,
        }
    }
}

/// One line of an incident's timeline, read from the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineItem {
    /// When.
    pub at: Moment,
    /// Log-in name, or `rule:S1`.
    pub actor: String,
    /// What happened.
    pub verb: Act,
    /// Whose task, if it is about one.
    pub department: Option<DepartmentId>,
    /// In the actor's words.
    pub note: Option<String>,
    /// What was before: a state, severity, rule or number.
    pub from: String,
    /// What is now.
    pub to: String,
}

/// A shelf, as the API serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfItem {
    /// It ends then.
    pub until: Moment,
    /// Why.
    pub reason: String,
    /// Who put it there.
    pub by: UserId,
}

/// An alarm, as lists, incidents and the feed carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is the domain's, see `domain::alarm::Alarm`; `*_name` come from the registry"
)]
pub struct AlarmItem {
    pub id: AlarmId,
    pub version: i64,
    pub incident: Option<IncidentId>,
    pub rule: RuleId,
    pub subject: String,
    pub mode: Mode,
    pub severity: Severity,
    pub state: AlarmState,
    pub flags: Vec<Flag>,
    /// The flag that keeps it from ringing.
    pub held_back: Option<Flag>,
    pub site: SiteId,
    pub zone: Option<ZoneId>,
    pub zone_name: Option<String>,
    pub building: Option<BuildingId>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub device: Option<DeviceId>,
    pub device_name: Option<String>,
    pub raised_at: Moment,
    pub active_at: Moment,
    pub last_event_at: Moment,
    pub cleared_at: Option<Moment>,
    pub annunciated_at: Option<Moment>,
    pub count: u64,
    pub fleeting: u64,
    pub shelved: Option<ShelfItem>,
    pub suppressed_by: Option<AlarmId>,
    pub out_of_service: Option<MaintenanceId>,
    pub unknown_since: Option<Moment>,
    pub chattering_since: Option<Moment>,
    pub quiet_until: Option<Moment>,
}

impl AlarmItem {
    pub(super) fn new(alarm: &Alarm, registry: &Registry) -> Self {
        let zone = alarm.zone.as_ref().and_then(|id| registry.zones.get(id));
        let building = zone
            .and_then(|zone| zone.building.as_ref())
            .and_then(|id| registry.buildings.get(id));
        let device = alarm
            .device
            .as_ref()
            .and_then(|id| registry.devices.get(id));
        let flags = &alarm.flags;
        Self {
            id: alarm.id,
            version: alarm.version,
            incident: alarm.incident,
            rule: alarm.rule.clone(),
            subject: alarm.subject.clone(),
            mode: alarm.mode,
            severity: alarm.severity,
            state: alarm.state,
            flags: flags.set(),
            held_back: alarm.hold().filter(|_| alarm.state.is_open()),
            site: alarm.site.clone(),
            zone: alarm.zone.clone(),
            zone_name: zone.map(|zone| zone.name.clone()),
            building: building.map(|building| building.id.clone()),
            building_name: building.map(|building| building.name.clone()),
            floor: zone.and_then(Zone::only_floor),
            device: alarm.device.clone(),
            device_name: device.map(|device| device.name.clone()),
            raised_at: alarm.raised_at.into(),
            active_at: alarm.active_at.into(),
            last_event_at: alarm.last_event_at.into(),
            cleared_at: alarm.cleared_at.map(Moment),
            annunciated_at: alarm.annunciated_at.map(Moment),
            count: alarm.count,
            fleeting: alarm.fleeting,
            shelved: flags.shelved.as_ref().map(|shelf| ShelfItem {
                until: shelf.until.into(),
                reason: shelf.reason.clone(),
                by: shelf.by.clone(),
            }),
            suppressed_by: flags.suppressed_by,
            out_of_service: flags.out_of_service,
            unknown_since: flags.unknown_since.map(Moment),
            chattering_since: flags.chattering_since.map(Moment),
            quiet_until: flags.quiet_until.map(Moment),
        }
    }
}

/// A maintenance window, as the API serves it and the feed carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is the domain's, see `domain::alarm::Window`"
)]
pub struct MaintenanceItem {
    pub id: MaintenanceId,
    pub state: WindowState,
    pub site: SiteId,
    pub building: Option<BuildingId>,
    pub zone: Option<ZoneId>,
    pub device: Option<DeviceId>,
    pub rules: Vec<RuleId>,
    pub starts_at: Moment,
    pub ends_at: Moment,
    pub reason: String,
    pub planned_by: UserId,
    pub planned_at: Moment,
    pub started_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub ended_by: Option<UserId>,
}

impl From<&Window> for MaintenanceItem {
    fn from(window: &Window) -> Self {
        let scope = window.scope.clone();
        Self {
            id: window.id,
            state: window.state,
            site: scope.site,
            building: scope.building,
            zone: scope.zone,
            device: scope.device,
            rules: scope.rules,
            starts_at: window.starts_at.into(),
            ends_at: window.ends_at.into(),
            reason: window.reason.clone(),
            planned_by: window.by.clone(),
            planned_at: window.planned_at.into(),
            started_at: window.started_at.map(Moment),
            ended_at: window.ended_at.map(Moment),
            ended_by: window.ended_by.clone(),
        }
    }
}

/// An incident with everything about it. Its events are in the event store, by the ids given here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    /// What lists carry.
    #[serde(flatten)]
    pub item: IncidentItem,
    /// The departments' parts.
    pub tasks: Vec<TaskItem>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineItem>,
    /// Its alarms, oldest first.
    pub alarms: Vec<AlarmItem>,
    /// What shows how it was.
    pub evidence: Vec<Evidence>,
    /// Steps of the procedure that are done in this round, from 1.
    #[serde(default)]
    pub ticked: Vec<u8>,
    /// Who was told of it, oldest first; the latest [`NOTIFIED_MAX`](super::NOTIFIED_MAX) notices.
    #[serde(default)]
    pub notified: Vec<NotifiedItem>,
    /// Its latest events, newest first, at most [`EVENTS_MAX`].
    pub event_ids: Vec<EventId>,
}

/// Event ids kept for an incident.
pub const EVENTS_MAX: i64 = 20;

/// How a device is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It speaks, and nothing is wrong with it.
    Normal,
    /// It has an active alarm.
    Alarm,
    /// Its connection is closed.
    Offline,
    /// It missed two heartbeats.
    Silent,
    /// It has not spoken yet.
    NeverSeen,
}

impl DeviceState {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Normal,
        Self::Alarm,
        Self::Offline,
        Self::Silent,
        Self::NeverSeen,
    ];
}

/// A registered device and what it last said of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is the registry's, see `domain::place::Device`, or stands in `DeviceTouch`"
)]
pub struct DeviceItem {
    pub id: DeviceId,
    pub name: String,
    pub site: SiteId,
    pub zone: ZoneId,
    pub zone_name: Option<String>,
    pub building: Option<BuildingId>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub class: DeviceClass,
    pub model: String,
    pub x_m: f64,
    pub y_m: f64,
    pub online: Option<bool>,
    pub last_seen: Option<Moment>,
    pub battery_percent: Option<f64>,
    pub state: DeviceState,
}

/// An uplink in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineItem {
    /// Its journal position as text.
    pub id: String,
    /// Its journal position.
    pub seq: Seq,
    /// When it came.
    pub received_at: Moment,
    /// Its topic.
    pub topic: String,
    /// Who sent it.
    pub principal: String,
    /// Stable word.
    pub reason: String,
    /// One sentence for people.
    pub detail: String,
    /// The payload, or its first [`RAW_BYTES_SHOWN`].
    pub raw_base64: String,
    /// Bytes of the whole payload.
    pub bytes: u64,
    /// What came of reading it again; none when nobody has asked for that.
    pub rerun: Option<RerunItem>,
}

/// What came of reading an uplink in quarantine again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunItem {
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: Moment,
    /// `waiting`, `read` (rules have seen it), `history` (read, and too old for rules), `known` (it had come in another way) or
    /// `rejected`.
    pub outcome: String,
    /// The events that it is, or nothing.
    pub detail: String,
}

/// Bytes of a quarantined payload that lists and the feed carry; the whole is kept in the table.
pub const RAW_BYTES_SHOWN: usize = 4096;
