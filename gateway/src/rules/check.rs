//! `gateway rules check` and `gateway rules test`: what is wrong with rule files, and whether rules do what their cases say.

use std::collections::BTreeMap;

use domain::rule::RuleSet;

use crate::config::Config;
use crate::embedded;
use crate::hub::{Catalogue, Misconfigured, folder};

/// Says what is wrong with the rule files, every mistake on a line of its own.
///
/// # Errors
/// [`Misconfigured`] with all mistakes, also those of the registry that the rules are checked against.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let rules = Catalogue::load(config)?.rules;
    println!(
        "{} rules with {} cases are good",
        rules.rules().len(),
        rules.case_count()
    );
    Ok(())
}

/// Runs the cases of every rule file by itself (each brings its own stage, all rules are at work) and prints a line per rule.
///
/// # Errors
/// [`Misconfigured`] when the files have mistakes; a failed case.
pub fn test(config: &Config) -> anyhow::Result<()> {
    let rules = Catalogue::load(config)?.rules;
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for failure in rules.self_test() {
        let of_rule = failures.entry(failure.rule.to_string()).or_default();
        of_rule.push(failure.to_string());
    }
    for rule in rules.rules() {
        let id = rule.meta.id.as_str();
        let failed = failures.get(id);
        let cases = rules.cases_for(&rule.meta.id);
        let verdict = match (cases, failed) {
            (0, _) => "no cases",
            (_, None) => "ok",
            (_, Some(_)) => "FAILED",
        };
        println!(
            "{id:<12} {cases:>3} cases  {verdict:<8}  {}",
            rule.meta.title_en
        );
        for failure in failed.into_iter().flatten() {
            println!("             {failure}");
        }
    }
    let failed: usize = failures.values().map(Vec::len).sum();
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} cases failed (hint: the lines above say what was expected and what came)",
        rules.case_count()
    );
    Ok(())
}

/// The rules of another directory, against the registry of this configuration.
pub(super) fn rules_of(
    config: &Config,
    dir: Option<&std::path::Path>,
) -> anyhow::Result<(Catalogue, std::sync::Arc<RuleSet>)> {
    let catalogue = Catalogue::load(config)?;
    let Some(dir) = dir else {
        let rules = std::sync::Arc::clone(&catalogue.rules);
        return Ok((catalogue, rules));
    };
    let files = folder(dir, embedded::RULES)?;
    let rules = RuleSet::parse_for(&files, &catalogue.registry).map_err(|errors| {
        let list: Vec<String> = errors.iter().map(|e| format!("  {e}")).collect();
        Misconfigured::text(format!("the rules cannot be used:\n{}", list.join("\n")))
    })?;
    Ok((catalogue, std::sync::Arc::new(rules)))
}
