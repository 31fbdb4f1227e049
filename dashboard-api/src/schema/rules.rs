//! Rules as those see them who look after them, and what a trial of one comes to.

use domain::rule;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;
use crate::rule_keeper::{Checked, Cut, Place, Side, Trial};

/// A rule at work.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleItem {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    /// `match`, `count`, `held`, …: the sort of its condition, as in the rule files.
    pub sort: String,
    #[schema(value_type = words::Severity)]
    pub severity: String,
    /// The most urgent that hour, place or number can make it.
    #[schema(value_type = words::Severity)]
    pub most_urgent: String,
    /// `shadow` tells nobody, `notice` opens no incident.
    #[schema(value_type = words::Mode)]
    pub mode: String,
    pub lead: String,
    pub co: Vec<String>,
    pub sop_zh: Vec<String>,
    pub sop_en: Vec<String>,
    /// Its file below the rules' directory; none when it is in no file any more.
    pub file: Option<String>,
    pub line: Option<u32>,
    /// Another word for every other content of its file.
    pub version: Option<String>,
    /// The file has a mistake in it: what rings is its last good version.
    pub is_kept: bool,
    /// Its own cases.
    pub cases: u32,
    /// Those that it does not fulfil.
    pub cases_failed: u32,
    /// Alarms of the last 7 days that were told to people.
    pub told_7d: u64,
    /// Alarms of the last 7 days that were not: notices, shadows, and what was held back.
    pub silent_7d: u64,
    /// Whether the caller may save it.
    pub may_change: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulePage {
    pub items: Vec<RuleItem>,
    pub next: Option<String>,
    /// They are the rules that are built in and cannot be changed.
    pub is_built_in: bool,
    /// What is wrong in the files now.
    pub mistakes: Vec<RuleMistake>,
}

/// A rule with its text.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDetail {
    pub id: String,
    /// As it is at work; none when it has a mistake and no earlier version.
    pub rule: Option<RuleItem>,
    pub is_built_in: bool,
    pub file: String,
    pub version: String,
    /// The rule with its cases, as TOML.
    pub text: String,
    /// The devices and plates that the cases of its file play with.
    pub stage: String,
    /// What is wrong with it now.
    pub mistakes: Vec<RuleMistake>,
}

/// A mistake in a rule file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleMistake {
    pub file: String,
    /// The line in the file, from 1.
    pub line: u32,
    /// The line in the text that was sent; none when it is elsewhere.
    pub text_line: Option<u32>,
    pub rule: Option<String>,
    /// The field, dotted from the rule down.
    pub field: String,
    pub what: String,
    pub hint: Option<String>,
}

impl RuleMistake {
    pub(crate) fn of(error: &rule::RuleError) -> Self {
        Self {
            file: error.file.clone(),
            line: count(error.line),
            text_line: None,
            rule: error.rule.clone(),
            field: error.field.clone(),
            what: error.what.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// A case that a rule does not fulfil.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFailure {
    pub rule: String,
    pub case: String,
    pub line: u32,
    pub text_line: Option<u32>,
    /// What was expected and what came.
    pub what: String,
}

/// An alarm that would have been.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialAlarm {
    pub subject: String,
    #[schema(value_type = words::Severity)]
    pub severity: String,
    pub at: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialHour {
    /// The hour's beginning.
    pub at: String,
    pub n: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialLead {
    pub department: String,
    pub n: u64,
}

/// What one version of the rule makes of the past.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialSide {
    pub raised: u64,
    /// How many of P1, P2, P3, P4.
    pub by_severity: Vec<u64>,
    /// Hours in which it rings at all.
    pub hours: Vec<TrialHour>,
    pub leads: Vec<TrialLead>,
    /// The first 50.
    pub first: Vec<TrialAlarm>,
}

/// The past, twice.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialRun {
    pub from: String,
    pub to: String,
    /// How far it came: `to`, unless it was cut.
    pub until: String,
    /// Why it ended before: `events`, `time` or `alarms`.
    pub cut: Option<String>,
    pub events: u64,
    /// What the rule at work makes of it.
    pub was: TrialSide,
    /// What the text makes of it.
    pub would: TrialSide,
}

/// What came of looking at a rule's text.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTrial {
    pub rule: String,
    pub is_new: bool,
    pub file: String,
    /// The version of the file as it is; empty for a new rule.
    pub version: String,
    pub mistakes: Vec<RuleMistake>,
    /// Its own cases.
    pub cases: u32,
    pub case_failures: Vec<CaseFailure>,
    /// Why the caller may not save it; none when they may.
    pub refused: Option<String>,
    /// None when there are mistakes or cases that fail.
    pub run: Option<TrialRun>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSaved {
    pub rule: String,
    /// The file's version now; the rule is at work within seconds.
    pub version: String,
}

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The line in a text that begins at a place of its file.
fn text_line(place: &Place, file: &str, line: usize) -> Option<u32> {
    let is_in = file == place.file && line >= place.line;
    is_in.then(|| count(line - place.line + 1))
}

/// Mistakes, and cases that fail.
pub(crate) fn outcome_of(checked: &Checked) -> (Vec<RuleMistake>, Vec<CaseFailure>) {
    let place = &checked.place;
    let mistakes = checked.mistakes.iter().map(|error| RuleMistake {
        text_line: text_line(place, &error.file, error.line),
        ..RuleMistake::of(error)
    });
    let failures = checked.failures.iter().map(|failure| CaseFailure {
        rule: failure.rule.to_string(),
        case: failure.case.clone(),
        line: count(failure.line),
        text_line: text_line(place, &failure.file, failure.line),
        what: failure.what.clone(),
    });
    (mistakes.collect(), failures.collect())
}

impl From<Side> for TrialSide {
    fn from(side: Side) -> Self {
        let hours = side.hours.into_iter().map(|(at, n)| TrialHour {
            at: at.to_string(),
            n,
        });
        let leads = side.leads.into_iter();
        let first = side.first.into_iter().map(|alarm| TrialAlarm {
            subject: alarm.subject,
            severity: alarm.severity.to_string(),
            at: alarm.at.to_string(),
        });
        Self {
            raised: side.raised,
            by_severity: side.severities.to_vec(),
            hours: hours.collect(),
            leads: leads
                .map(|(department, n)| TrialLead { department, n })
                .collect(),
            first: first.collect(),
        }
    }
}

impl TrialRun {
    pub(crate) fn of(trial: Trial, from: String, to: String) -> Self {
        let cut = trial.cut.map(|cut| match cut {
            Cut::Events => "events",
            Cut::Time => "time",
            Cut::Alarms => "alarms",
        });
        Self {
            from,
            to,
            until: trial.until.to_string(),
            cut: cut.map(str::to_owned),
            events: trial.events,
            was: trial.was.into(),
            would: trial.would.into(),
        }
    }
}
