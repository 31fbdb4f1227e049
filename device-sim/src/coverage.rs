//! `device-sim scenarios`: what can be played, and which rules have a scenario. What a scenario names is proved by the gateway's
//! test `catalogue`; here it is only listed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use device_sim::Scenario;
use domain::rule::{Condition, Rule, RuleSet};

/// The rule of bridges: no native device of a scenario is one.
const BRIDGE_LOST: &str = "X4c";

/// Lists scenarios, or the rules of a directory with the scenarios that make each ring.
pub(crate) fn list(rules: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut by_rule: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in Scenario::names() {
        let scenario = Scenario::named(name)?;
        let fires: Vec<String> = scenario.fires.iter().map(ToString::to_string).collect();
        if rules.is_none() {
            println!("{name:<24} {:<36} {}", scenario.title, fires.join(" "));
        }
        for rule in fires {
            by_rule.entry(rule).or_default().push(name);
        }
    }
    let Some(folder) = rules else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut without = 0;
    for rule in read(folder)?.rules() {
        let id = rule.meta.id.as_str();
        let by = match by_rule.get(id) {
            Some(names) => names.join(", "),
            None if matches!(rule.condition, Condition::Report(_)) => "(people report it)".into(),
            None if matches!(rule.condition, Condition::Station) => {
                "(the station tells itself)".into()
            }
            None if is_of_the_hub(rule) => "(the hub says it of itself)".into(),
            None => {
                without += 1;
                "NONE".into()
            }
        };
        println!("{id:<12} {:<44} {by}", rule.meta.title_en);
    }
    Ok(if without == 0 {
        ExitCode::SUCCESS
    } else {
        eprintln!("{without} rules have no scenario");
        ExitCode::FAILURE
    })
}

/// Whether only the hub's own notes make it ring: of itself, or of a bridge whose connection it has lost.
fn is_of_the_hub(rule: &Rule) -> bool {
    let matchers = rule.condition.matchers();
    let mut kinds = matchers.iter().flat_map(|m| &m.kinds).peekable();
    let id = rule.meta.id.as_str();
    id == BRIDGE_LOST
        || kinds.peek().is_some() && kinds.all(|kind| kind.as_str().starts_with("gateway."))
}

fn read(folder: &Path) -> anyhow::Result<RuleSet> {
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "toml") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    match RuleSet::parse(&files) {
        Ok(rules) => Ok(rules),
        Err(errors) => bail!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}
