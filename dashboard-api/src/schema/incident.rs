//! Incidents: as lists carry them, and whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::state::Possible;
use utoipa::ToSchema;

use super::{Alarm, Event, Sight, report::IncidentReport, word, words};

/// Deadlines that still run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Due {
    pub acknowledge: Option<String>,
    pub claim: Option<String>,
    pub arrive: Option<String>,
    pub resolve: Option<String>,
    pub verify: Option<String>,
    pub review: Option<String>,
    /// An acknowledgement after which nothing follows ends then.
    pub expire: Option<String>,
    /// Without a second person it is closed by force then.
    pub force: Option<String>,
    /// Merging can be undone until then.
    pub unmerge: Option<String>,
}

/// An incident as lists and the live feed carry it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "an item of the API: each is a member of its own"
)]
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentItem {
    pub id: String,
    pub number: u64,
    pub version: i64,
    #[schema(value_type = words::Severity)]
    pub severity: String,
    #[schema(value_type = words::IncidentState)]
    pub state: String,
    #[schema(value_type = words::Condition)]
    pub condition: String,
    pub rule: String,
    pub class: String,
    pub subject: String,
    pub site: String,
    pub zone: Option<String>,
    pub zone_name: Option<String>,
    pub building: Option<String>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub device: Option<String>,
    pub device_name: Option<String>,
    pub lead: String,
    pub departments: Vec<String>,
    pub opened_at: String,
    pub occurred_at: String,
    pub last_event_at: String,
    pub count: u64,
    pub acknowledged_at: Option<String>,
    pub acknowledged_by: Option<String>,
    pub holder: Option<String>,
    pub resolved_at: Option<String>,
    pub closed_at: Option<String>,
    pub cause: Option<String>,
    pub parent: Option<String>,
    pub due: Due,
    pub detail: BTreeMap<String, String>,
    /// What started it goes on until a device says its end: until then it is only closed by force.
    pub is_lasting: bool,
    /// What is waited for: `acknowledge`, `verify`, `claim`, `arrive`, `resolve`, `decide`.
    #[schema(value_type = Option<words::Stage>)]
    pub stage: Option<String>,
    /// The rung of the ladder that was told last in this stage, 0 to 4.
    pub level: u8,
    pub is_exhausted: bool,
    pub verify: bool,
    pub verifying_by: Option<String>,
    pub round: u32,
    pub hand_backs: u8,
    pub force_by: Option<String>,
    pub is_false: bool,
    #[schema(value_type = words::Satisfaction)]
    pub satisfaction: String,
    pub reporter: Option<String>,
    /// The card into which a flood has folded it, see `/api/v1/storms`.
    pub storm: Option<String>,
    pub revision: u64,
}

/// Something that shows how it was.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    #[schema(value_type = words::EvidenceKind)]
    pub kind: String,
    /// Where it is kept, or who said it; of a photo its SHA-256, or its beginning for whoever is not shown it.
    pub reference: String,
}

/// A photo of an incident's evidence that is still kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentPhoto {
    /// Its name.
    pub sha256: String,
    pub sent_by: String,
    pub sent_at: String,
}

/// A picture that a device sent with an event of an incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentSnapshot {
    /// SHA-256 of what was sent; null for one that is masked.
    pub sha256: Option<String>,
    pub device: String,
    /// The event that it belongs to.
    pub event: String,
    #[schema(value_type = words::Shows)]
    pub shows: String,
    /// Empty for one that is not kept.
    pub media_type: String,
    pub bytes: u64,
    pub width: u64,
    pub height: u64,
    pub received_at: String,
    /// Why it is not kept: `no_picture`, `broken`, `too_many_pixels`, `animated`, `too_large`, `wrong_sha256`, `no_room`, `not_fetched`, `not_kept`.
    pub refused: Option<String>,
    /// It shows a car or a face, and the caller has no ground to see people in full here.
    pub is_masked: bool,
    /// Opens it in the caller's session; null for one that is masked or not kept.
    pub url: Option<String>,
    /// The link opens nothing from then on.
    pub expires_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub id: String,
    pub department: String,
    pub lead: bool,
    #[schema(value_type = words::TaskState)]
    pub state: String,
    pub holder: Option<String>,
    pub dispatched_at: String,
    pub claimed_at: Option<String>,
    pub arrived_at: Option<String>,
    pub resolved_at: Option<String>,
    pub due: Due,
    pub fence: i64,
    pub lease_until: Option<String>,
    pub progress_due: Option<String>,
    pub overdue: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    pub at: String,
    /// Log-in name, or `rule:S1`.
    pub actor: String,
    #[schema(value_type = words::Act)]
    pub verb: String,
    pub department: Option<String>,
    pub note: Option<String>,
    pub from: String,
    pub to: String,
}

/// A person of the registry.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRef {
    pub id: String,
    /// None once they are no longer in the registry.
    pub name: Option<String>,
}

/// One recipient over one channel.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// A person's id, or `department/level` where nobody is configured.
    pub recipient: String,
    pub person: Option<PersonRef>,
    /// `board`.
    pub channel: String,
    /// `waiting`, `leased`, `delivered`, `dead`.
    pub state: String,
    pub attempts: i64,
    /// When it was delivered, or given up.
    pub ended_at: Option<String>,
    /// When they first acted on the incident after that.
    pub answered_at: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A rung of a department's ladder, told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notified {
    pub id: i64,
    pub at: String,
    pub department: String,
    /// The rung that was to be told, 0 to 4.
    pub level: u8,
    /// The rung on which those stand who were told; null where nobody is configured.
    pub told_level: Option<u8>,
    /// Others were told than those that the ladder names for the rung.
    pub fell_through: bool,
    /// Nobody of the ladder was on duty.
    pub is_off_duty: bool,
    #[schema(value_type = words::Stage)]
    pub stage: String,
    pub due: String,
    pub told: Vec<Told>,
}

/// An incident with everything about it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    #[serde(flatten)]
    pub item: IncidentItem,
    pub tasks: Vec<Task>,
    pub timeline: Vec<TimelineEntry>,
    pub alarms: Vec<Alarm>,
    pub evidence: Vec<Evidence>,
    /// Steps of the procedure that are done in this round, from 1.
    pub ticked: Vec<u8>,
    /// Who was told, oldest first.
    pub notified: Vec<Notified>,
    pub events: Vec<Event>,
    /// What people reported of it: the latest, oldest first.
    pub reports: Vec<IncidentReport>,
    /// Photos of its evidence that the caller is shown, oldest first.
    pub photos: Vec<IncidentPhoto>,
    /// Pictures that devices sent with its events, oldest first; none for whoever is shown no photos of it.
    pub snapshots: Vec<IncidentSnapshot>,
    /// What the caller may ask for, as it would be answered now; a verb that is not here is not theirs.
    pub may: Vec<May>,
    /// What is about people in it.
    pub sight: Sight,
}

/// Something that the caller may ask of an incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct May {
    /// The verb of its route.
    #[schema(value_type = words::Verb)]
    pub verb: String,
    /// Whose task is named, for verbs of tasks; null for what is meant when nothing is named.
    pub department: Option<String>,
    /// Why it cannot be had now; null when it can.
    #[schema(value_type = Option<words::Reason>)]
    pub reason: Option<String>,
    /// Who was faster, or has it.
    pub holder: Option<String>,
}

impl From<Possible> for May {
    fn from(one: Possible) -> Self {
        let refused = one.refused;
        Self {
            verb: one.verb.to_string(),
            department: one.department.map(|d| d.to_string()),
            reason: refused.as_ref().map(|no| word(no.reason)),
            holder: refused.and_then(|no| no.holder).map(|who| who.to_string()),
        }
    }
}
