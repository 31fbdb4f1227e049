//! The rules that ship with the hub, read from where they ship.

use std::collections::BTreeSet;

use super::{ReportType, RuleSet, Side, rule_for_report};
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

/// The rows of the catalogue, besides the hub's own rules. A row that is a ladder is several rules, `B3` → `B3b` → `B3c`.
const CATALOGUE: &str = "S1 S2 S3 S4 S5 S6 S7 S8 B1 B2 B3 B3b B3c B4 B5 B6 B7 B8 B9 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 \
    C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 X1 X2 X3 X4 X5 X6 X7 I1 I2 I3 I4 B1c S9 HUB1 HUB2 HUB3 HUB4";

#[test]
fn the_whole_catalogue_ships_with_cases() {
    let set = shipped();
    let ids: BTreeSet<&str> = set.rules().iter().map(|r| r.meta.id.as_str()).collect();
    let missing: Vec<&str> = CATALOGUE
        .split_whitespace()
        .filter(|id| !ids.contains(id))
        .collect();
    assert!(missing.is_empty(), "{missing:?} do not ship");
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

#[test]
fn a_comment_above_each_rule_says_where_its_numbers_come_from() {
    for (name, text) in files_of("rules") {
        // reports have no numbers but those that stand at the head of their file
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|_| name != "reports.toml") {
            let told = pair[1] != "[[rule]]" || pair[0].starts_with('#');
            assert!(told, "{name}: nothing above a rule, after `{}`", pair[0]);
        }
    }
}

/// The words after `attrs.{member} in` in the condition of a rule.
fn words_of(text: &str, id: &str, member: &str) -> BTreeSet<String> {
    let (_, rule) = text.split_once(&format!("id = \"{id}\"")).expect("ships");
    let (rule, _) = rule.split_once("[[rule.case]]").expect("has a case");
    let (_, list) = rule
        .split_once(&format!("attrs.{member} in ["))
        .expect("a list");
    let (list, _) = list.split_once(']').expect("its end");
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn an_input_that_has_a_rule_of_its_own_is_none_of_unknown_inputs() {
    let files = files_of("rules");
    let (_, text) = files
        .iter()
        .find(|(name, _)| name == "inputs.toml")
        .expect("ships");
    for member in ["label", "sensor"] {
        let known = words_of(text, "I4", member);
        for id in ["I1", "I2"] {
            let words = words_of(text, id, member);
            let missing: Vec<&String> = words.difference(&known).collect();
            assert!(missing.is_empty(), "{missing:?} of {id} ring as I4, too");
        }
    }
}

#[test]
fn a_rule_that_compares_a_reading_says_with_what() {
    let set = shipped();
    let threshold = |id: &str| {
        let rule = set.book().get(&id.parse().expect("rule")).expect("ships");
        rule.threshold.clone()
    };
    let queue = threshold("B6").expect("it has a limit");
    assert_eq!(queue.reading, "queue");
    assert_eq!((queue.limit, queue.rings), (8.0, Side::Above));
    assert_eq!(threshold("S1"), None);
}
