//! All rules of a hub: read from files as a whole or refused as a whole, with every mistake listed; or what of them is good.

use std::collections::BTreeSet;

use super::book::{RuleBook, RuleMeta};
use super::case::{CaseFailure, Cases};
use super::check::ReadRule;
use super::condition::{Condition, Matcher, Urgency};
use super::error::RuleError;
use super::key::Key;
use super::lenient::{Files, Lenient};
use crate::place::Registry;
use crate::{DepartmentId, RuleId};

/// Most rules in one set.
pub const RULES_MAX: usize = 500;
/// Longest rule file in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// How deep rules may listen to rules.
pub const CHAIN_MAX: usize = 8;

/// One rule as the engine sees it; what the station needs to know of it is its [`RuleMeta`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What the station sees.
    pub meta: RuleMeta,
    /// How urgent.
    pub urgency: Urgency,
    /// What the alarm is about; count and independent conditions gather their events by it.
    pub subject: Key,
    /// What it looks for.
    pub condition: Condition,
    /// Events that return the alarm to normal, besides a `cleared` of what raised it.
    pub clear: Option<Matcher>,
    /// How long it must be over before the alarm ends, in seconds.
    pub off_delay_s: u32,
    /// Attributes that go into a finding's detail.
    pub detail: Vec<Vec<String>>,
}

/// A checked set of rules.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    book: RuleBook,
    cases: Cases,
    /// Where each rule stands, and what it names, in the order of the rules.
    origins: Vec<ReadRule>,
}

impl RuleSet {
    /// A set of rules that fit together.
    pub(super) fn of(read: Vec<ReadRule>, cases: Cases) -> Self {
        let mut set = Self {
            cases,
            ..Self::default()
        };
        for mut origin in read {
            if let Some(rule) = origin.rule.take() {
                set.book.insert(rule.meta.id.clone(), rule.meta.clone());
                set.rules.push(rule);
                set.origins.push(origin);
            }
        }
        set
    }

    /// The rules as they were read.
    pub(super) fn origins(&self) -> impl Iterator<Item = ReadRule> {
        let both = self.origins.iter().zip(&self.rules);
        both.map(|(origin, rule)| ReadRule {
            rule: Some(rule.clone()),
            ..origin.clone()
        })
    }

    /// The cases of one rule.
    pub(super) fn cases_of(&self, id: &RuleId) -> Cases {
        self.cases.of(id)
    }

    /// Reads rule files, given as (file name, text); any slug is taken for a department.
    ///
    /// # Errors
    /// Every mistake of every file, in the order of files and lines.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Vec<RuleError>> {
        Self::read(files, None)
    }

    /// Reads rule files for a registry: a department that it does not have is a mistake.
    ///
    /// # Errors
    /// Every mistake of every file, in the order of files and lines.
    pub fn parse_for(
        files: &[(String, String)],
        registry: &Registry,
    ) -> Result<Self, Vec<RuleError>> {
        Self::read(files, Some(&registry.departments.keys().cloned().collect()))
    }

    fn read(
        files: &[(String, String)],
        departments: Option<&BTreeSet<DepartmentId>>,
    ) -> Result<Self, Vec<RuleError>> {
        let read = Files::read(files, departments);
        if read.errors.is_empty() {
            Ok(read.into_set())
        } else {
            Err(read.errors)
        }
    }

    /// Reads rule files as [`parse_for`](Self::parse_for) does, and goes on with what is good: one bad rule never stops the
    /// others. A rule that became bad, or stands in a part of a file that cannot be read, keeps its version in `before`; what is
    /// bad and has none is missing, and told.
    pub fn parse_lenient(
        files: &[(String, String)],
        registry: &Registry,
        before: Option<&Self>,
    ) -> Lenient {
        let departments = registry.departments.keys().cloned().collect();
        Files::read(files, Some(&departments)).lenient(before)
    }

    /// The rules in the order of the files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A rule.
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.meta.id == *id)
    }

    /// What the station needs to know of a rule.
    pub fn meta(&self, id: &RuleId) -> Option<&RuleMeta> {
        self.book.get(id)
    }

    /// What the station needs to know of all rules.
    pub fn book(&self) -> &RuleBook {
        &self.book
    }

    /// Where a rule stands: its file as the caller named it, and the line.
    pub fn place(&self, id: &RuleId) -> Option<(&str, usize)> {
        let origin = self.origins.iter().find(|origin| origin.id == *id)?;
        Some((&origin.file, origin.line))
    }

    /// These rules and those that they listen to, however deep, without their cases: what it takes to know when they ring.
    #[must_use]
    pub fn with_heard(&self, ids: &BTreeSet<RuleId>) -> Self {
        let mut wanted = ids.clone();
        for _ in 0..=CHAIN_MAX {
            let rules = self.origins.iter().filter(|o| wanted.contains(&o.id));
            let heard = rules.flat_map(|origin| origin.listens.iter().map(|(id, ..)| id.clone()));
            let heard: Vec<RuleId> = heard.collect();
            wanted.extend(heard);
        }
        let read = self.origins().filter(|origin| wanted.contains(&origin.id));
        Self::of(read.collect(), Cases::default())
    }

    /// The rules that listen to one, also through others.
    pub fn heard_by(&self, id: &RuleId) -> Vec<&Rule> {
        let mut heard: BTreeSet<&RuleId> = BTreeSet::from([id]);
        for _ in 0..=CHAIN_MAX {
            let hears =
                |origin: &&ReadRule| origin.listens.iter().any(|(id, ..)| heard.contains(id));
            let more: Vec<&RuleId> = self.origins.iter().filter(hears).map(|o| &o.id).collect();
            heard.extend(more);
        }
        let hears = |rule: &&Rule| rule.meta.id != *id && heard.contains(&rule.meta.id);
        self.rules.iter().filter(hears).collect()
    }

    /// Runs the test cases of one rule, among all rules of the set.
    pub fn test(&self, id: &RuleId) -> Vec<CaseFailure> {
        self.cases.of(id).run(self)
    }

    /// How many test cases the files bring along.
    pub fn case_count(&self) -> usize {
        self.cases.len()
    }

    /// How many test cases a rule brings along.
    pub fn cases_for(&self, id: &RuleId) -> usize {
        self.cases.of(id).len()
    }

    /// Runs the test cases that stand in the rule files; empty when every rule does what its file says.
    pub fn self_test(&self) -> Vec<CaseFailure> {
        self.cases.run(self)
    }
}
