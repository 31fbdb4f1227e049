//! What the API's bodies look like, for the OpenAPI document and the clients made from it. The objects themselves are made by
//! `store::state`; a black-box test reads real answers and holds them against the document (`tests/stories/document.rs`).
#![expect(
    missing_docs,
    reason = "members are named as in the domain, where each is described"
)]

pub mod admin;
pub mod commands;
pub mod duty_book;
pub mod evacuation;
pub mod grids;
pub mod kpi;
pub mod load;
pub mod newcomers;
pub mod privacy;
pub mod registry;
pub mod report;
pub mod roster;
pub mod rules;
pub mod status;
pub mod users;
pub mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::state::Possible;
use utoipa::ToSchema;

pub use commands::{DeviceCommand, FireMode, FireModeList};
pub use privacy::{Hold, HoldPage, Sight, Unmasking, UnmaskingPage};
use report::{IncidentReport, Report};

/// An error (RFC 9457). `code` is stable.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    pub code: String,
    pub detail: String,
    /// With `version_conflict`: the incident as it is now.
    pub current: Option<Box<Incident>>,
    /// With `not_allowed`: the state that forbids it.
    pub state: Option<String>,
    /// With `not_allowed` of an incident: why, one of the words of `may`; of a log-in that failed, a sentence.
    pub reason: Option<String>,
    /// With `not_allowed`: who has the task, or has shelved the alarm.
    pub holder: Option<String>,
    /// With `version_conflict` and `not_allowed` of an alarm: the alarm as it is now.
    pub alarm: Option<Box<Alarm>>,
    /// With `not_allowed` of a handover: numbers of the P1 that nobody has acknowledged.
    pub incidents: Option<Vec<u64>>,
    /// With `busy`: the command that is under way.
    pub command: Option<Box<DeviceCommand>>,
    /// With `not_allowed` of a maintenance window: the window as it is now.
    pub window: Option<Box<Maintenance>>,
    /// With `version_conflict` of the registry: the version at work.
    pub version: Option<String>,
    /// With `registry_mistakes`: every one.
    pub mistakes: Option<Vec<registry::TableMistake>>,
    /// With `rule_mistakes`: every one.
    pub rule_mistakes: Option<Vec<rules::RuleMistake>>,
    /// With `rule_mistakes`: cases that fail.
    pub case_failures: Option<Vec<rules::CaseFailure>>,
    /// With `invalid_field`: which.
    pub field: Option<String>,
    /// With `invalid_field`: what would be possible, where that is a short list.
    pub possible: Option<Vec<String>>,
    /// Of a report or a command: photos that it names and that are not there.
    pub missing: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub login: String,
    pub name: String,
    #[schema(value_type = words::Role)]
    pub role: String,
    pub department: Option<String>,
    pub scope: Scope,
}

/// What an account is limited to. A list that is empty does not limit; something lies in the scope when its place is in one of the quarters
/// or micro-grids, and, of incidents, when one of the departments has a part in it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    pub quarters: Vec<String>,
    pub grids: Vec<String>,
    pub departments: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub user: User,
    /// Routes that this account may call, as in `POST /api/v1/alarms/{id}/shelve`.
    pub may_call: Vec<String>,
    /// What has to be done before anything else: `password` when somebody else has set it, `second_factor` when the role asks for one.
    pub owes: Option<String>,
}

/// Ways to log in besides a password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogInWays {
    /// At an identity provider: `GET /api/v1/session/oidc`. None when none is configured.
    pub oidc: Option<OidcWay>,
}

/// What the button says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcWay {
    pub label_zh: String,
    pub label_en: String,
}

/// How the second step of one's own log-in stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// Logging in asks for a code.
    pub is_on: bool,
    /// Recovery codes that were not used.
    pub recovery_codes: u64,
    /// The configuration asks it of this role.
    pub is_required: bool,
}

/// The secret of a second step. It cannot be read again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorBegun {
    /// Base 32, to be typed.
    pub secret: String,
    /// `otpauth://totp/…`
    pub uri: String,
    /// The address as a QR code: an SVG document.
    pub svg: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodes {
    /// Each is good once, instead of a code of the app. They cannot be read again.
    pub recovery_codes: Vec<String>,
}

/// Where the caller is logged in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionItem {
    pub id: String,
    pub created_at: String,
    /// To the minute.
    pub used_at: String,
    /// Over by then, however busy.
    pub ends_at: String,
    /// Where somebody logged in.
    pub address: String,
    /// What the browser said of itself.
    pub agent: String,
    /// The one that asks.
    pub is_own: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    pub items: Vec<SessionItem>,
}

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

/// A person has put an alarm aside.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    pub until: String,
    pub reason: String,
    pub by: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    pub id: String,
    /// Counts what people did to it.
    pub version: i64,
    /// None of notices, shadows and what is held back.
    pub incident: Option<String>,
    pub rule: String,
    pub subject: String,
    #[schema(value_type = words::Mode)]
    pub mode: String,
    #[schema(value_type = words::Severity)]
    pub severity: String,
    #[schema(value_type = words::AlarmState)]
    pub state: String,
    #[schema(value_type = Vec<words::AlarmFlag>)]
    pub flags: Vec<String>,
    /// The flag that keeps an open alarm from ringing; never of a P1.
    #[schema(value_type = Option<words::AlarmFlag>)]
    pub held_back: Option<String>,
    pub site: String,
    pub zone: Option<String>,
    pub zone_name: Option<String>,
    pub building: Option<String>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub device: Option<String>,
    pub device_name: Option<String>,
    pub raised_at: String,
    pub active_at: String,
    pub last_event_at: String,
    pub cleared_at: Option<String>,
    pub annunciated_at: Option<String>,
    pub count: u64,
    /// How often it held for less than 30 s.
    pub fleeting: u64,
    pub shelved: Option<Shelf>,
    /// The alarm that is its cause.
    pub suppressed_by: Option<String>,
    /// The maintenance window that goes over it.
    pub out_of_service: Option<String>,
    /// Its device is offline: nobody knows since then.
    pub unknown_since: Option<String>,
    pub chattering_since: Option<String>,
    /// It rings no sooner than this.
    pub quiet_until: Option<String>,
}

/// When and where somebody works, so that P3 and P4 do not ring.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    pub id: String,
    #[schema(value_type = words::WindowState)]
    pub state: String,
    pub site: String,
    pub building: Option<String>,
    pub zone: Option<String>,
    pub device: Option<String>,
    /// All rules when empty.
    pub rules: Vec<String>,
    pub starts_at: String,
    pub ends_at: String,
    pub reason: String,
    pub planned_by: String,
    pub planned_at: String,
    pub started_at: Option<String>,
    pub ended_at: Option<String>,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
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

/// The word that a value is written as.
pub(crate) fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// An event; `id` is the sender's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub event_id: String,
    pub id: String,
    pub seq: u64,
    pub site: String,
    pub device: String,
    pub class: String,
    pub component: Option<String>,
    pub kind: String,
    pub phase: String,
    pub occurred_at: String,
    pub received_at: String,
    pub clock: String,
    /// The kind's own fields. Number plates are shortened for those who may not see them.
    pub attrs: Map<String, Value>,
    pub count: u64,
    pub last_received_at: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub id: String,
    pub name: String,
    pub site: String,
    pub zone: String,
    pub zone_name: Option<String>,
    pub building: Option<String>,
    pub building_name: Option<String>,
    pub floor: Option<i16>,
    pub class: String,
    pub model: String,
    pub x_m: f64,
    pub y_m: f64,
    pub online: Option<bool>,
    pub last_seen: Option<String>,
    pub battery_percent: Option<f64>,
    #[schema(value_type = words::DeviceState)]
    pub state: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    pub id: String,
    pub seq: u64,
    pub received_at: String,
    pub topic: String,
    pub principal: String,
    /// Stable word, such as `bad_json`.
    pub reason: String,
    pub detail: String,
    pub raw_base64: String,
    pub bytes: u64,
    /// What came of reading it again.
    pub rerun: Option<Rerun>,
}

/// What came of reading an uplink in quarantine again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// A log-in name.
    pub by: String,
    pub at: String,
    /// `waiting`, `read` (rules have seen it), `history` (read, and too old for rules), `known` (it had come in another way), `rejected`.
    pub outcome: String,
    /// The events that it is.
    pub detail: String,
}

/// An event that an uplink in quarantine would be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunEvent {
    pub kind: String,
    pub phase: String,
    pub device: String,
    pub component: Option<String>,
    pub occurred_at: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunLine {
    pub id: String,
    /// `reads`, `rejected`, `done` (read before) or `no_message` (refused at the door).
    pub outcome: String,
    /// Whether rules see it; otherwise it is too old and goes to history only.
    pub rings: bool,
    pub events: Vec<RerunEvent>,
    /// Why it still cannot be read.
    pub reason: Option<String>,
    pub detail: Option<String>,
}

/// What uplinks in quarantine would be, and how many are on their way.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunOutcome {
    pub items: Vec<RerunLine>,
    /// There are more than 500.
    pub has_more: bool,
    /// Those that were put to the adapters again; 0 when it was only asked.
    pub started: u32,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    pub bucket_start: String,
    pub key: String,
    pub n: u64,
}

macro_rules! page {
    ($name:ident of $item:ident $(, $member:ident)?) => {
        #[derive(Debug, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            pub items: Vec<$item>,
            /// Goes into `cursor` of the next request; null after the last page.
            pub next: Option<String>,
            $(pub $member: u64,)?
        }
    };
}
page!(IncidentPage of IncidentItem, revision);
page!(ReportPage of Report, revision);
page!(AlarmPage of Alarm, revision);
page!(MaintenancePage of Maintenance, revision);
page!(DevicePage of Device, revision);
page!(DeviceCommandPage of DeviceCommand, revision);
page!(QuarantinePage of Quarantined, revision);
page!(EventPage of Event, upto_seq);
page!(CountPage of Count);

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Community {
    pub name: String,
    pub name_en: String,
    pub station: String,
    pub station_en: String,
    pub time_zone: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Department {
    pub id: String,
    pub name: String,
    pub name_en: String,
    pub chip: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub id: String,
    pub name: String,
    pub name_en: String,
    pub width_m: f64,
    pub height_m: f64,
    pub x_m: f64,
    pub y_m: f64,
}

/// In site-local metres: x to the east, y to the north.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Outline {
    pub x_m: f64,
    pub y_m: f64,
    pub width_m: f64,
    pub height_m: f64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Building {
    pub id: String,
    pub site: String,
    pub name: String,
    pub floors: u16,
    pub outline: Outline,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub id: String,
    pub site: String,
    pub building: Option<String>,
    /// Its floor, or the lowest of several.
    pub floor: Option<i16>,
    /// The highest, when it goes over several.
    pub floor_to: Option<i16>,
    pub kind: String,
    pub name: String,
    pub grid: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    pub lead: String,
    pub co: Vec<String>,
    pub sop_zh: Vec<String>,
    pub sop_en: Vec<String>,
    /// For a rule that compares a reading with a limit.
    pub threshold: Option<Threshold>,
}

/// The number that a rule compares a reading with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The name of the reading among the attributes of an event.
    pub reading: String,
    pub limit: f64,
    /// `below` or `above`: on which side of the limit it rings.
    pub rings: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub version: String,
    pub ui_hash: String,
    pub server_time: String,
    pub time_zone: String,
    pub community: Option<Community>,
    pub departments: Vec<Department>,
    pub sites: Vec<Site>,
    pub buildings: Vec<Building>,
    pub zones: Vec<Zone>,
    pub rules: Vec<Rule>,
    pub causes: Vec<Cause>,
    /// Whom the log-ins in incidents and tasks stand for.
    pub staff: Vec<Staff>,
}

/// Somebody of the registry who logs in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    pub login: String,
    pub name: String,
}

/// What the live feed says every two seconds, as event `hb`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The latest.
    pub revision: u64,
    pub server_time: String,
    pub version: String,
    /// Changes with the dashboard's files.
    pub ui_hash: String,
    /// How much rings in the whole compound; none for whoever sees a part of it.
    pub rate: Option<load::Rate>,
}

/// What an incident can have been.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    pub cause: String,
    /// `genuine`, `false` or `void`.
    pub verdict: String,
}

#[cfg(test)]
mod tests {
    use domain::alarm::{AlarmState, Flag};
    use domain::incident::{
        Act, CAUSES, EvidenceKind, IncidentState, Reason, Satisfaction, Stage, TaskState, Verb,
    };

    /// A word without a text would stand on the screen as it is in the tables.
    #[test]
    fn every_word_of_the_machine_has_its_text_in_both_languages() {
        fn words<T: ToString + Copy>(group: &str, all: &[T]) -> Vec<String> {
            let key = |word: &T| format!("{group}.{}", word.to_string());
            all.iter().map(key).collect()
        }
        let causes: Vec<&str> = CAUSES.iter().map(|(cause, _)| *cause).collect();
        let reasons: Vec<String> = Reason::ALL.iter().map(super::word).collect();
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        let keys = [
            words("state", IncidentState::ALL),
            words("task", TaskState::ALL),
            words("verb", Verb::ALL),
            words("act", Act::ALL),
            words("stage", Stage::ALL),
            words("satisfaction", Satisfaction::ALL),
            words("evidence", EvidenceKind::ALL),
            words("alarm", AlarmState::ALL),
            words("flag", Flag::ALL),
            words("cause", &causes),
            words("reason", &reasons),
        ]
        .concat();
        for table in [
            include_str!("../web/src/locales/zh.ts"),
            include_str!("../web/src/locales/en.ts"),
        ] {
            let is_missing = |key: &&String| !table.contains(&format!("  \"{key}\": \""));
            let missing: Vec<&String> = keys.iter().filter(is_missing).collect();
            assert!(missing.is_empty(), "no text for {missing:?}");
        }
    }

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let committed = include_str!("../../docs/openapi.json");
        let served = crate::openapi().to_pretty_json().expect("serialises");
        assert!(
            committed.trim() == served.trim(),
            "docs/openapi.json has drifted (hint: cargo run -p dashboard-api -- openapi > docs/openapi.json)"
        );
    }
}
