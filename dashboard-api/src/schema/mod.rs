//! What the API's bodies look like, for the OpenAPI document and the clients made from it. The objects themselves are made by
//! `store::state`; a black-box test reads real answers and holds them against the document (`tests/stories/document.rs`).
#![expect(
    missing_docs,
    reason = "members are named as in the domain, where each is described"
)]

pub mod admin;
mod alarm;
pub mod commands;
pub mod duty_book;
pub mod evacuation;
mod event;
pub mod grids;
mod incident;
pub mod kpi;
pub mod load;
mod meta;
pub mod newcomers;
pub mod privacy;
pub mod registry;
pub mod report;
pub mod roster;
pub mod rules;
mod session;
pub mod status;
pub mod users;
pub mod words;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use alarm::{Alarm, Maintenance, Shelf};
pub use commands::{DeviceCommand, FireMode, FireModeList};
pub use event::{Count, Device, Event, Quarantined, Rerun, RerunEvent, RerunLine, RerunOutcome};
pub use incident::{
    Due, Evidence, Incident, IncidentItem, IncidentPhoto, IncidentSnapshot, May, Notified,
    PersonRef, Task, TimelineEntry, Told,
};
pub use meta::{
    Building, Cause, Community, Department, Heartbeat, Meta, Outline, Rule, Site, Staff, Threshold,
    Zone,
};
pub use privacy::{Hold, HoldPage, Sight, Unmasking, UnmaskingPage};
use report::Report;
pub use session::{
    LogInWays, OidcWay, RecoveryCodes, Scope, SecondFactor, SecondFactorBegun, Session,
    SessionItem, Sessions, User,
};

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

/// The word that a value is written as.
pub(crate) fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
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
            include_str!("../../web/src/locales/zh.ts"),
            include_str!("../../web/src/locales/en.ts"),
        ] {
            let is_missing = |key: &&String| !table.contains(&format!("  \"{key}\": \""));
            let missing: Vec<&String> = keys.iter().filter(is_missing).collect();
            assert!(missing.is_empty(), "no text for {missing:?}");
        }
    }

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let committed = include_str!("../../../docs/openapi.json");
        let served = crate::openapi().to_pretty_json().expect("serialises");
        assert!(
            committed.trim() == served.trim(),
            "docs/openapi.json has drifted (hint: cargo run -p dashboard-api -- openapi > docs/openapi.json)"
        );
    }
}
