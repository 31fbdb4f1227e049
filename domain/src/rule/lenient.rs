//! Reading rule files: strictly, or leniently, so that one bad rule never stops the others and never silently stops itself.

use std::collections::BTreeSet;

use super::case::Cases;
use super::check::{ReadRule, check_chains, check_names};
use super::error::RuleError;
use super::parse;
use super::set::{RULES_MAX, RuleSet};
use crate::{DepartmentId, RuleId};

/// What came of reading leniently.
#[derive(Debug, Clone, Default)]
pub struct Lenient {
    /// What works: the good rules, and earlier versions of bad ones.
    pub rules: RuleSet,
    /// Every mistake, in the order of files and lines.
    pub errors: Vec<RuleError>,
    /// Bad rules that go on in their earlier version.
    pub kept: Vec<RuleId>,
    /// Bad rules that have no earlier version: nothing rings for them.
    pub missing: Vec<RuleId>,
}

/// Rule files as they were read, with all mistakes.
pub(super) struct Files {
    read: Vec<ReadRule>,
    cases: Cases,
    pub(super) errors: Vec<RuleError>,
}

impl Files {
    pub(super) fn read(
        files: &[(String, String)],
        departments: Option<&BTreeSet<DepartmentId>>,
    ) -> Self {
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
        let order = |e: &RuleError| files.iter().position(|(name, _)| *name == e.file);
        errors.sort_by_key(|e| (order(e), e.line));
        Self {
            read,
            cases,
            errors,
        }
    }

    /// The set, when there are no mistakes.
    pub(super) fn into_set(self) -> RuleSet {
        RuleSet::of(self.read, self.cases)
    }

    pub(super) fn lenient(self, before: Option<&RuleSet>) -> Lenient {
        let mut bad: BTreeSet<&str> = BTreeSet::new();
        let mut unread: BTreeSet<&str> = BTreeSet::new();
        for error in &self.errors {
            match &error.rule {
                // a case that is wrong says nothing against its rule
                Some(_) if error.field.starts_with("case") => {}
                Some(rule) => {
                    bad.insert(rule);
                }
                None => {
                    unread.insert(&error.file);
                }
            }
        }
        let earlier: Vec<ReadRule> = before.into_iter().flat_map(RuleSet::origins).collect();
        let earlier_of = |id: &RuleId| earlier.iter().find(|rule| rule.id == *id);
        let mut lenient = Lenient {
            errors: self.errors.clone(),
            ..Lenient::default()
        };
        let mut good: Vec<ReadRule> = Vec::new();
        let mut cases = Cases::default();
        let mut known: BTreeSet<RuleId> = BTreeSet::new();
        for rule in &self.read {
            // of two with one id the first counts
            if !known.insert(rule.id.clone()) {
                continue;
            }
            if rule.rule.is_some() && !bad.contains(rule.id.as_str()) {
                cases.add(self.cases.of(&rule.id));
                good.push(rule.clone());
            } else if let Some(kept) = earlier_of(&rule.id) {
                lenient.kept.push(rule.id.clone());
                good.push(kept.clone());
            } else {
                lenient.missing.push(rule.id.clone());
            }
        }
        // a rule that is not there was taken out, unless its file could not be read
        for rule in &earlier {
            let is_unread = unread
                .iter()
                .any(|file| name_of(file) == name_of(&rule.file));
            if !known.contains(&rule.id) && is_unread {
                lenient.kept.push(rule.id.clone());
                good.push(rule.clone());
            }
        }
        if let Some(before) = before {
            for id in &lenient.kept {
                cases.add(before.cases_of(id));
            }
        }
        lenient.settle(good, cases);
        lenient
    }
}

impl Lenient {
    /// Runs the cases of all rules before they are taken: a rule that is another than in `before` and does not do what its own cases
    /// say stays as it was there, and one that is new is left out. Cases that fail are among the errors, also those of rules that
    /// are as before.
    #[must_use]
    pub fn proven(mut self, before: &RuleSet) -> Self {
        let mut told = BTreeSet::new();
        // what stays as it was may be what another rule listens to
        for _ in 0..RULES_MAX {
            let mut failed = BTreeSet::new();
            for failure in self.rules.self_test() {
                let Some(rule) = self.rules.rule(&failure.rule) else {
                    continue; // left out already, and told
                };
                if before.rule(&failure.rule) != Some(rule) {
                    failed.insert(failure.rule.clone());
                }
                if told.insert((failure.file.clone(), failure.line)) {
                    self.errors.push(failure.into());
                }
            }
            if failed.is_empty() {
                break;
            }
            self.give_up(&failed, before);
        }
        self
    }

    /// These rules stay as they were.
    fn give_up(&mut self, failed: &BTreeSet<RuleId>, before: &RuleSet) {
        let mut cases = Cases::default();
        let mut good = Vec::new();
        for rule in self.rules.origins() {
            if !failed.contains(&rule.id) {
                cases.add(self.rules.cases_of(&rule.id));
                good.push(rule);
            } else if let Some(kept) = before.origins().find(|kept| kept.id == rule.id) {
                cases.add(before.cases_of(&rule.id));
                self.kept.push(rule.id);
                good.push(kept);
            } else {
                self.missing.push(rule.id);
            }
        }
        self.settle(good, cases);
    }

    /// Takes these rules, but for what an earlier version among them makes impossible: it may close a circle that the files do not
    /// have.
    fn settle(&mut self, mut good: Vec<ReadRule>, cases: Cases) {
        for _ in 0..RULES_MAX {
            let mut circle = Vec::new();
            check_chains(&good, &mut circle);
            let Some(first) = circle.into_iter().next() else {
                break;
            };
            good.retain(|rule| Some(rule.id.as_str()) != first.rule.as_deref());
            let gone = first
                .rule
                .as_deref()
                .and_then(|id| id.parse::<RuleId>().ok());
            self.kept.retain(|id| Some(id) != gone.as_ref());
            self.missing.extend(gone);
            self.errors.push(first);
        }
        good.truncate(RULES_MAX);
        self.rules = RuleSet::of(good, cases);
    }
}

/// A file's name without its folders: the earlier version may have stood elsewhere.
fn name_of(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
