//! What the hub does for people who look after rules: it says what stands in the files, tries another text on what has happened, and
//! puts it in the place of the one that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::rule::{CaseFailure, Rule, RuleError, RuleSet};
use domain::{RuleId, Severity, Timestamp, UserId};

/// Longest text of a rule, in bytes.
pub const RULE_BYTES_MAX: usize = 48 << 10;
/// Most alarms that a trial lists.
pub const ALARMS_LISTED_MAX: usize = 50;

/// The rules at work, and how their files are.
#[derive(Debug)]
pub struct Known {
    /// What rings.
    pub rules: Arc<RuleSet>,
    /// What is wrong in the files now: what has a mistake rings in its last good version, or not at all.
    pub mistakes: Vec<RuleError>,
    /// Cases that the rules at work do not fulfil.
    pub failures: Vec<CaseFailure>,
    /// Where each rule stands in the files.
    pub places: BTreeMap<RuleId, Place>,
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its file, as it is called below the rules' directory.
    pub file: String,
    /// The first line of its part of the file, from 1.
    pub line: usize,
    /// Another word for every other content of the file.
    pub version: String,
}

/// The text of a rule.
#[derive(Debug, Clone)]
pub struct Text {
    /// Where it stands.
    pub place: Place,
    /// The rule with its cases and the comment above it.
    pub text: String,
    /// The devices and plates of the file's cases.
    pub stage: String,
}

/// What somebody wants a rule to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which; one that is in no file is new and gets a file of its own.
    pub rule: RuleId,
    /// Its whole text.
    pub text: String,
}

/// What came of looking at a text.
#[derive(Debug)]
pub struct Checked {
    /// What is at work.
    pub before: Arc<RuleSet>,
    /// What would be; with mistakes: what of it is good.
    pub after: Arc<RuleSet>,
    /// Whether there is no such rule in the files yet.
    pub is_new: bool,
    /// Where its part of the file begins: mistakes name lines of the file.
    pub place: Place,
    /// Every mistake.
    pub mistakes: Vec<RuleError>,
    /// Its own cases, how many.
    pub cases: usize,
    /// Its own cases that it does not fulfil, and those of others that it spoils.
    pub failures: Vec<CaseFailure>,
}

impl Checked {
    /// Whether it could be saved.
    pub fn is_whole(&self) -> bool {
        self.mistakes.is_empty() && self.failures.is_empty()
    }

    /// The rule as it is at work, and as it would be.
    pub fn both(&self, id: &RuleId) -> (Option<&Rule>, Option<&Rule>) {
        (self.before.rule(id), self.after.rule(id))
    }
}

/// Over which past.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Alarms from then on.
    pub from: Timestamp,
    /// And before this time.
    pub to: Timestamp,
}

/// Why a trial ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// There was more history than a trial reads.
    Events,
    /// It took longer than a trial may.
    Time,
    /// It rang more often than is counted.
    Alarms,
}

/// What came of a trial.
#[derive(Debug)]
pub struct Trial {
    /// How far it came: the end of the span, unless it was cut.
    pub until: Timestamp,
    /// Why it was cut, if it was.
    pub cut: Option<Cut>,
    /// Events that were read.
    pub events: u64,
    /// What the rule at work makes of it.
    pub was: Side,
    /// What the text makes of it.
    pub would: Side,
}

/// What a version of a rule makes of the past.
#[derive(Debug, Default)]
pub struct Side {
    /// Alarms.
    pub raised: u64,
    /// By severity, from P1.
    pub severities: [u64; 4],
    /// By hour, which is named by its beginning.
    pub hours: BTreeMap<Timestamp, u64>,
    /// By lead department.
    pub leads: BTreeMap<String, u64>,
    /// The first ones.
    pub first: Vec<Raised>,
}

/// One alarm that would have been.
#[derive(Debug, Clone)]
pub struct Raised {
    /// What it is about.
    pub subject: String,
    /// How urgent when it began.
    pub severity: Severity,
    /// When.
    pub at: Timestamp,
}

/// A rule's text that is to be kept.
#[derive(Debug, Clone)]
pub struct Save {
    /// What is wanted.
    pub wanted: Wanted,
    /// The version of its file that was on the screen; none for a new rule.
    pub expected: Option<String>,
    /// Who they are.
    pub by: UserId,
    /// Why, in their words.
    pub note: String,
}

/// Says why a change may not be made; none when it may.
pub type Judge<'a> = &'a (dyn Fn(&Checked) -> Option<&'static str> + Send + Sync);

/// Why it cannot be.
#[derive(Debug, thiserror::Error)]
pub enum RuleKeepError {
    /// The hub works with the rules that are built in.
    #[error(
        "the rules that are built in cannot be changed (hint: copy `deploy/config/rules` to a directory and set `rules.dir` to it)"
    )]
    BuiltIn,
    /// The directory is not the hub's to write.
    #[error(
        "the hub cannot write {0} (hint: let the hub's account write the directory of `rules.dir`)"
    )]
    ReadOnly(String),
    /// Somebody changed the file meanwhile.
    #[error(
        "the rule's file has changed since it was read (hint: read it again, and look at the change anew)"
    )]
    Stale {
        /// The version of the file now.
        version: String,
    },
    /// It has mistakes, or does not do what its cases say.
    #[error(
        "it has {} mistakes, and {} cases fail (hint: POST /api/v1/rules/trial says which)",
        .0.mistakes.len(),
        .0.failures.len()
    )]
    NotWhole(Box<Checked>),
    /// Whoever wants it may not.
    #[error("{0}")]
    Refused(&'static str),
    /// Files, history or the state database failed.
    #[error("{0}")]
    Internal(String),
}

/// Looks after the rules of the hub.
#[async_trait::async_trait]
pub trait RuleKeeper: Send + Sync {
    /// Whether rules can be changed at all.
    fn is_built_in(&self) -> bool;

    /// The rules at work and how their files are.
    ///
    /// # Errors
    /// Files that cannot be read.
    async fn known(&self) -> Result<Arc<Known>, RuleKeepError>;

    /// The text of a rule; none when it is in no file.
    ///
    /// # Errors
    /// Files that cannot be read.
    async fn text(&self, rule: &RuleId) -> Result<Option<Text>, RuleKeepError>;

    /// Looks at a text as `gateway rules check` and `gateway rules test` would.
    ///
    /// # Errors
    /// Files that cannot be read.
    async fn check(&self, wanted: Wanted) -> Result<Checked, RuleKeepError>;

    /// Puts the history of a span through rules at work and those that were checked, and says when they raise one of `rules`. Nothing is
    /// written. It ends when it is dropped.
    ///
    /// # Errors
    /// A history that cannot be read.
    async fn trial(
        &self,
        checked: &Checked,
        rules: &BTreeSet<RuleId>,
        span: Span,
    ) -> Result<Trial, RuleKeepError>;

    /// Checks a text and puts it in the place of the one that is there, if `may` has nothing against it. Gives back the file's version.
    ///
    /// # Errors
    /// See [`RuleKeepError`]: then nothing is written.
    async fn save(&self, save: Save, may: Judge<'_>) -> Result<String, RuleKeepError>;
}
