//! The rules that ship with the hub, read from where they ship.

use std::collections::BTreeSet;

use super::{ReportType, RuleSet, rule_for_report};
use crate::place::Registry;

/// Every file of a folder under `deploy/config`, in the order of names.
pub(super) fn files_of(folder: &str) -> Vec<(String, String)> {
    let folder = format!("{}/../deploy/config/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the folder ships")
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a file").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("readable");
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

pub(super) fn shipped() -> RuleSet {
    RuleSet::parse(&files_of("rules")).unwrap_or_else(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", list.join("\n"))
    })
}

#[test]
fn the_shipped_rules_load_and_do_what_their_cases_say() {
    let set = shipped();
    let failures: Vec<String> = set.self_test().iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_departments_of_the_shipped_rules_are_those_of_the_shipped_compound() {
    let files = files_of("compound");
    let registry = Registry::from_files(files.iter().map(|(name, text)| (&**name, &**text)))
        .unwrap_or_else(|errors| panic!("{}", errors[0]));
    let set = RuleSet::parse_for(&files_of("rules"), &registry);
    set.unwrap_or_else(|errors| panic!("{}", errors[0]));
}

#[test]
fn the_rules_of_the_first_release_all_ship_with_cases() {
    let set = shipped();
    let ids: Vec<&str> = set.rules().iter().map(|r| r.meta.id.as_str()).collect();
    for id in ["S1", "S2", "S7", "B1", "A1", "A4", "A4c", "C1", "HUB1"] {
        assert!(ids.contains(&id), "{id} does not ship");
    }
    let of_devices = set.rules().iter().filter(|r| r.meta.reports.is_none());
    assert!(set.case_count() >= 2 * of_devices.count());
}

#[test]
fn every_type_of_report_opens_with_a_plan_of_its_own() {
    let set = shipped();
    let plans: BTreeSet<&str> = ReportType::WORDS
        .iter()
        .map(|(word, about)| {
            let meta = rule_for_report(set.book(), *about);
            meta.unwrap_or_else(|| panic!("no rule for `{word}`"))
                .id
                .as_str()
        })
        .collect();
    assert_eq!(plans.len(), ReportType::WORDS.len());
}

#[test]
fn the_example_in_the_documentation_works() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/adding-a-rule.md");
    let page = std::fs::read_to_string(page).expect("readable");
    let (_, rest) = page.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let mut files = files_of("rules");
    files.push(("example.toml".to_owned(), example.to_owned()));
    let set = RuleSet::parse(&files).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let failures: Vec<String> = set.self_test().iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
