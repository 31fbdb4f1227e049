//! What rules must keep among each other: ids are unique, what is named exists, nobody listens in a circle, and each type of
//! report has one plan.

use std::collections::BTreeMap;

use super::book::ReportType;
use super::error::{RuleError, nearest_hint};
use super::set::{CHAIN_MAX, Rule};
use crate::RuleId;

/// A rule as it was read, even if it had mistakes: its id counts as known.
#[derive(Debug, Clone)]
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
pub(super) fn check_chains(read: &[ReadRule], errors: &mut Vec<RuleError>) {
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
pub(super) fn check_names(read: &[ReadRule], errors: &mut Vec<RuleError>) {
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
