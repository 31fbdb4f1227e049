//! What the station needs to know of a rule once it has matched: who leads, who helps, what to do, how long each step may take.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DepartmentId, RuleId, Severity};

/// Seconds until each step is overdue, from the moment that starts its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// Opened → acknowledged by a human.
    pub acknowledge_s: u32,
    /// Dispatched → claimed.
    pub claim_s: u32,
    /// Dispatched → on the scene.
    pub arrive_s: u32,
    /// Opened → resolved.
    pub resolve_s: u32,
}

impl Clocks {
    /// The defaults of the rule catalogue. Arrival within 3 min for P1 is the micro fire station's duty ("3 分钟到场"), 5 min for
    /// P2 the police's 1-3-5-minute circles; the rest is judgement and a rule may say otherwise.
    pub const fn default_for(severity: Severity) -> Self {
        let [acknowledge_s, claim_s, arrive_s, resolve_s] = match severity {
            Severity::P1 => [30, 60, 180, 30 * 60],
            Severity::P2 => [60, 180, 300, 2 * 3600],
            Severity::P3 => [15 * 60, 30 * 60, 2 * 3600, 24 * 3600],
            Severity::P4 => [12 * 3600, 24 * 3600, 7 * 24 * 3600, 7 * 24 * 3600],
        };
        Self {
            acknowledge_s,
            claim_s,
            arrive_s,
            resolve_s,
        }
    }
}

/// What a finding of a rule leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// An alarm and an incident: the station is told and deals with it.
    #[default]
    Annunciate,
    /// An alarm without an incident: whoever caused it is reminded, nobody is sent.
    Notice,
    /// Recorded and shown to whoever tries the rule; nobody is told.
    Shadow,
}

impl Mode {
    /// The words of rule files.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("annunciate", Self::Annunciate),
        ("notice", Self::Notice),
        ("shadow", Self::Shadow),
    ];
}

/// How far around its own place a rule's alarm holds others back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The same device.
    Device,
    /// The same zone.
    Zone,
    /// The same building.
    Building,
    /// The same quarter.
    Site,
    /// The devices that the bridge speaks for which this one is about.
    Bridge,
}

impl Reach {
    /// The words of rule files.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("device", Self::Device),
        ("zone", Self::Zone),
        ("building", Self::Building),
        ("site", Self::Site),
        ("bridge", Self::Bridge),
    ];
}

/// ISA-18.2's suppression by design: while an alarm of this rule is active, new alarms of those rules around it are recorded with
/// it as their cause and open no incident of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Whose alarms are held back.
    pub rules: Vec<RuleId>,
    /// How far.
    pub within: Reach,
}

/// What a person reports, as the forms of the grid workers and residents offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportType {
    /// Something that can burn, or an exit that is not free.
    FireHazard,
    /// Noise and smells that disturb others.
    Noise,
    /// A vehicle that stands in the way.
    Parking,
    /// Selling without a licence, or bad goods.
    IllegalTrade,
    /// Something shared is broken: a lamp, a lift, a pipe.
    Facility,
    /// A quarrel between people.
    Dispute,
    /// An old person or a child is missing, or was found alone.
    LostPerson,
    /// Anything else.
    Other,
}

impl ReportType {
    /// The words of rule files and of the API.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("fire_hazard", Self::FireHazard),
        ("noise", Self::Noise),
        ("parking", Self::Parking),
        ("illegal_trade", Self::IllegalTrade),
        ("facility", Self::Facility),
        ("dispute", Self::Dispute),
        ("lost_person", Self::LostPerson),
        ("other", Self::Other),
    ];

    /// The word as it stands in files and the API.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, about)| *about == self)
            .map_or("other", |(word, _)| word)
    }
}

/// What people's reports lead to under this rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportPlan {
    /// Of which types.
    pub types: Vec<ReportType>,
    /// How urgent they are until somebody has looked.
    pub severity: Severity,
}

/// The number that a rule compares readings with, for whoever draws them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The name of the reading among the attributes of an event.
    pub reading: String,
    /// Its limit.
    pub limit: f64,
    /// On which side of the limit it rings.
    pub rings: Side,
}

/// A side of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Too little.
    Below,
    /// Too much.
    Above,
}

/// One rule as the station sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of a rule file of its own"
)]
pub struct RuleMeta {
    /// Its number in the catalogue.
    pub id: RuleId,
    /// Name of the alarm in Chinese.
    pub title_zh: String,
    /// Name of the alarm in English.
    pub title_en: String,
    /// Department that leads.
    pub lead: DepartmentId,
    /// Departments that help.
    pub co: Vec<DepartmentId>,
    /// A further finding on the same subject within this time of the last one refreshes the incident, in seconds.
    pub dedupe_s: u32,
    /// The alarm stays until acknowledged even when its condition ends (ISA-18.2: latched).
    pub latched: bool,
    /// Open incidents of these rules in the same zone are taken over instead of opening a second one.
    pub absorbs: Vec<RuleId>,
    /// Steps of the response plan in Chinese.
    pub sop_zh: Vec<String>,
    /// Steps of the response plan in English.
    pub sop_en: Vec<String>,
    /// Clocks that differ from [`Clocks::default_for`] the severity.
    pub clocks: Option<Clocks>,
    /// What a finding leads to.
    pub mode: Mode,
    /// A person looks first: the incident is dispatched only once somebody has verified it. Never holds back P1.
    pub verify: bool,
    /// Nothing at the place itself may sound or show it (duress, a wanted plate at the gate).
    pub silent: bool,
    /// Raised, it starts fire mode of its zone's building: doors of escape ways and barriers are told to open.
    #[serde(default)]
    pub fire_mode: bool,
    /// Which alarms it holds back while it is active.
    pub suppresses: Option<Suppression>,
    /// For a rule about what people report; none for one about devices.
    pub reports: Option<ReportPlan>,
    /// For a rule that compares a reading with a limit.
    #[serde(default)]
    pub threshold: Option<Threshold>,
}

impl RuleMeta {
    /// The clocks that hold for an incident of this rule with this severity.
    pub fn clocks_for(&self, severity: Severity) -> Clocks {
        self.clocks.unwrap_or(Clocks::default_for(severity))
    }
}

/// All rules by id.
pub type RuleBook = BTreeMap<RuleId, RuleMeta>;

/// The rule with whose plan a report of this type opens; each type belongs to at most one rule.
pub fn rule_for_report(book: &RuleBook, about: ReportType) -> Option<&RuleMeta> {
    book.values().find(|meta| {
        let reports = meta.reports.as_ref();
        reports.is_some_and(|plan| plan.types.contains(&about))
    })
}
