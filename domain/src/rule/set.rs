//! All rules of a hub: read from files as a whole or refused as a whole, with every mistake listed.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{ReportType, RuleBook, RuleMeta};
use super::case::{CaseFailure, Cases};
use super::condition::{Condition, Matcher, Urgency};
use super::error::{RuleError, nearest_hint};
use super::key::Key;
use super::parse;
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
}

impl RuleSet {
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
        let mut errors = Vec::new();
        let mut read = Vec::new();
        let mut cases = Cases::default();
        for (name, text) in files {
            let (rules, file_cases) = parse::file(name, text, departments, &mut errors);
            read.extend(rules);
            cases.extend(file_cases);
        }
        check_names(&read, &mut errors);
        check_chains(&read, &mut errors);
        if read.len() > RULES_MAX {
            errors.push(RuleError {
                file: files.last().map(|f| f.0.clone()).unwrap_or_default(),
                line: 1,
                rule: None,
                field: String::new(),
                what: format!("{} rules are more than {RULES_MAX}", read.len()),
                hint: None,
            });
        }
        if !errors.is_empty() {
            let order = |e: &RuleError| files.iter().position(|(name, _)| *name == e.file);
            errors.sort_by_key(|e| (order(e), e.line));
            return Err(errors);
        }
        let rules: Vec<Rule> = read.into_iter().filter_map(|r| r.rule).collect();
        let book = rules
            .iter()
            .map(|r| (r.meta.id.clone(), r.meta.clone()))
            .collect();
        Ok(Self { rules, book, cases })
    }

    /// The rules in the order of the files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the station needs to know of a rule.
    pub fn meta(&self, id: &RuleId) -> Option<&RuleMeta> {
        self.book.get(id)
    }

    /// What the station needs to know of all rules.
    pub fn book(&self) -> &RuleBook {
        &self.book
    }

    /// How many test cases the files bring along.
    pub fn case_count(&self) -> usize {
        self.cases.len()
    }

    /// Runs the test cases that stand in the rule files; empty when every rule does what its file says.
    pub fn self_test(&self) -> Vec<CaseFailure> {
        self.cases.run(self)
    }
}

/// A rule as it was read, even if it had mistakes: its id counts as known.
pub(super) struct ReadRule {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) id: RuleId,
    /// Rules that it absorbs, each with its line.
    pub(super) absorbs: Vec<(RuleId, usize)>,
    /// Rules that it suppresses, each with its line.
    pub(super) suppressed: Vec<(RuleId, usize)>,
    /// Rules that it listens to, each with its line and field.
    pub(super) listens: Vec<(RuleId, usize, String)>,
    pub(super) rule: Option<Rule>,
}

/// Rules listen in no circle, and not too deep.
fn check_chains(read: &[ReadRule], errors: &mut Vec<RuleError>) {
    let by_id: BTreeMap<&RuleId, &ReadRule> = read.iter().map(|rule| (&rule.id, rule)).collect();
    // how deep the rules listen that are known to be in no circle
    let mut depths: BTreeMap<&RuleId, usize> = BTreeMap::new();
    for start in read {
        let mut way: Vec<(&ReadRule, usize)> = vec![(start, 0)];
        while let Some((rule, next)) = way.last_mut() {
            let rule = *rule;
            let Some((heard, line, field)) = rule.listens.get(*next) else {
                let heard = rule.listens.iter().filter_map(|(id, ..)| depths.get(id));
                let depth = heard.max().map_or(0, |deepest| deepest + 1);
                if depths.insert(&rule.id, depth).is_none() && depth > CHAIN_MAX {
                    errors.push(RuleError {
                        file: rule.file.clone(),
                        line: rule.line,
                        rule: Some(rule.id.to_string()),
                        field: "when.rules".to_owned(),
                        what: format!("listens more than {CHAIN_MAX} rules deep"),
                        hint: Some("listen to the first ones directly".to_owned()),
                    });
                }
                way.pop();
                continue;
            };
            *next += 1;
            if let Some(from) = way.iter().position(|(on_way, _)| on_way.id == *heard) {
                // a rule that listens to itself has been told so
                if way.len() - from > 1 {
                    let circle = way[from..].iter().map(|(rule, _)| rule.id.as_str());
                    let circle: Vec<&str> = circle.chain([heard.as_str()]).collect();
                    errors.push(RuleError {
                        file: rule.file.clone(),
                        line: *line,
                        rule: Some(rule.id.to_string()),
                        field: field.clone(),
                        what: format!("rules listen in a circle: {}", circle.join(" → ")),
                        hint: Some("one of them must listen to devices".to_owned()),
                    });
                    // said once, not once for each rule in it
                    return;
                }
            } else if !depths.contains_key(heard)
                && let Some(heard) = by_id.get(heard)
            {
                way.push((heard, 0));
            }
        }
    }
}

/// Ids are unique over all files, and what is absorbed or suppressed exists.
fn check_names(read: &[ReadRule], errors: &mut Vec<RuleError>) {
    let mut first: BTreeMap<&RuleId, &ReadRule> = BTreeMap::new();
    for rule in read {
        if let Some(other) = first.get(&rule.id) {
            errors.push(RuleError {
                file: rule.file.clone(),
                line: rule.line,
                rule: Some(rule.id.to_string()),
                field: "id".to_owned(),
                what: format!("rule `{}` is there twice", rule.id),
                hint: Some(format!("the first is at {}:{}", other.file, other.line)),
            });
        } else {
            first.insert(&rule.id, rule);
        }
    }
    check_reports(read, errors);
    for rule in read {
        let absorbs = rule.absorbs.iter();
        let absorbs = absorbs.map(|(named, line)| ("absorbs", "absorb", named, line));
        let suppresses = rule.suppressed.iter();
        let suppresses =
            suppresses.map(|(named, line)| ("suppresses.rules", "suppress", named, line));
        let listens = rule.listens.iter();
        let listens = listens.map(|(named, line, field)| (&**field, "listen to", named, line));
        for (field, verb, named, line) in absorbs.chain(suppresses).chain(listens) {
            let what = if *named == rule.id {
                format!("a rule cannot {verb} itself")
            } else if first.contains_key(named) {
                continue;
            } else {
                format!("unknown rule `{named}`")
            };
            errors.push(RuleError {
                file: rule.file.clone(),
                line: *line,
                rule: Some(rule.id.to_string()),
                field: field.to_owned(),
                what,
                hint: Some(nearest_hint(
                    named.as_str(),
                    first
                        .keys()
                        .filter(|id| ***id != rule.id)
                        .map(|id| id.as_str()),
                )),
            });
        }
    }
}

/// Each type of report belongs to one rule, so that it is clear whose plan it opens with.
fn check_reports(read: &[ReadRule], errors: &mut Vec<RuleError>) {
    let mut taken: BTreeMap<ReportType, &ReadRule> = BTreeMap::new();
    for rule in read {
        let plan = rule.rule.as_ref().and_then(|r| r.meta.reports.as_ref());
        for about in plan.iter().flat_map(|plan| &plan.types) {
            let Some(other) = taken.insert(*about, rule) else {
                continue;
            };
            errors.push(RuleError {
                file: rule.file.clone(),
                line: rule.line,
                rule: Some(rule.id.to_string()),
                field: "when.types".to_owned(),
                what: format!("`{}` belongs to two rules", about.as_str()),
                hint: Some(format!(
                    "the other is {} at {}:{}",
                    other.id, other.file, other.line
                )),
            });
        }
    }
}
