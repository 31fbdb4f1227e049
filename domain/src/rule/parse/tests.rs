//! What is said to somebody who made a mistake in a rule file.

use super::super::{FILE_BYTES_MAX, RuleSet};
use crate::Severity;
use crate::place::Registry;

const GOOD: &str = r#"[[rule]]
id = "T1"
title_zh = "测试"
title_en = "Test"
severity = "P2"
subject = "device"
dedupe_s = 60
lead = "fire"
co = ["police"]
sop_zh = ["看"]
sop_en = ["look"]
[rule.when]
is = "match"
kinds = ["fire.smoke"]
"#;

fn registry() -> Registry {
    Registry::from_files([(
        "departments.toml",
        r#"
        [[department]]
        id = "fire"
        name = "微型消防站"
        name_en = "Micro fire station"
        chip = "消"
        [[department]]
        id = "police"
        name = "公安"
        name_en = "Police"
        chip = "公"
        "#,
    )])
    .expect("a registry")
}

fn parse(files: &[(&str, &str)]) -> Result<RuleSet, String> {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    RuleSet::parse_for(&files, &registry()).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

/// The good rule with one line replaced (or, for an empty `from`, with a line added) has exactly this said about it.
fn check(from: &str, to: &str, expect: &str) {
    let text = if from.is_empty() {
        format!("{GOOD}{to}\n")
    } else {
        assert!(GOOD.contains(from), "{from} is not in the rule");
        GOOD.replacen(from, to, 1)
    };
    let said = parse(&[("t.toml", &text)]).expect_err(&format!("`{to}` is a mistake"));
    assert_eq!(said, expect, "for `{to}`");
}

#[test]
fn the_good_rule_is_good() {
    let set = parse(&[("t.toml", GOOD)]).expect("no mistake");
    let rule = &set.rules()[0];
    assert!(!rule.meta.latched, "P2 is not latched unless it says so");
    assert_eq!(set.meta(&rule.meta.id), Some(&rule.meta));
}

#[test]
fn each_mistake_names_file_line_rule_field_and_what_to_write() {
    check(
        "dedupe_s = 60",
        "dedupe_s = 60\ndedup = 5",
        "t.toml:8: rule T1: field `dedup`: unknown field (hint: did you mean `dedupe_s`?)",
    );
    check(
        "\"fire.smoke\"",
        "\"fire.smoek\"",
        "t.toml:14: rule T1: field `when.kinds`: unknown kind `fire.smoek` (hint: did you mean `fire.smoke`?)",
    );
    check(
        "lead = \"fire\"",
        "lead = \"fier\"",
        "t.toml:8: rule T1: field `lead`: unknown department `fier` (hint: did you mean `fire`?)",
    );
    check(
        "[\"police\"]",
        "[\"navy\"]",
        "t.toml:9: rule T1: field `co`: unknown department `navy` (hint: known are `fire`, `police`)",
    );
    check(
        "co = [\"police\"]",
        "co = [\"fire\"]",
        "t.toml:9: rule T1: field `co`: names the lead department again (hint: the lead has its task anyway)",
    );
    check(
        "dedupe_s = 60",
        "dedupe_s = -5",
        "t.toml:7: rule T1: field `dedupe_s`: is negative: -5 (hint: a whole number from 0 to 31622400)",
    );
    check(
        "dedupe_s = 60",
        "dedupe_s = \"5m\"",
        "t.toml:7: rule T1: field `dedupe_s`: `5m` is not a whole number from 0 to 31622400",
    );
    check(
        "title_en = \"Test\"\n",
        "",
        "t.toml:1: rule T1: field `title_en`: is missing (hint: as in `title_en = \"Smoke detector in alarm\"`)",
    );
    check(
        "\"测试\"",
        "\"  \"",
        "t.toml:3: rule T1: field `title_zh`: is blank (hint: people read this; give it words)",
    );
    check(
        "id = \"T1\"",
        "id = \"1T\"",
        "t.toml:2: rule 1T: field `id`: `1T` is not a rule id (hint: 1 to 16 letters, digits and -, starting with a letter, as in `S1`)",
    );
    check(
        "\"P2\"",
        "\"P5\"",
        "t.toml:5: rule T1: field `severity`: unknown severity `P5` (hint: known are `P1`, `P2`, `P3`, `P4`)",
    );
    check(
        "severity = \"P2\"",
        "severity = \"P2\"\nseverity_hours = { \"25:00-06:00\" = \"P1\" }",
        "t.toml:6: rule T1: field `severity_hours.25:00-06:00`: `25:00-06:00` is not a part of the day (hint: as in `\"23:00-06:00\"`, from the first minute up to the second)",
    );
    check(
        "severity = \"P2\"",
        "severity = \"P2\"\nseverity_violent = \"P1\"",
        "t.toml:6: rule T1: field `severity_violent`: nothing is looked up on the watch list (hint: it needs `watch_list = true` in `[rule.when]`)",
    );
    check(
        "subject = \"device\"",
        "subject = \"devise\"",
        "t.toml:6: rule T1: field `subject`: unknown subject `devise` (hint: did you mean `device`?)",
    );
    check(
        "sop_en = [\"look\"]",
        "sop_en = [\"look\", \"run\"]",
        "t.toml:11: rule T1: field `sop_en`: 2 steps, but sop_zh has 1 (hint: the steps are shown side by side; write one for one)",
    );
    check(
        "is = \"match\"",
        "is = \"mach\"",
        "t.toml:13: rule T1: field `when.is`: unknown sort of condition `mach` (hint: did you mean `match`?)",
    );
    check(
        "lead = \"fire\"",
        "lead = \"fire\"\nabsorbs = [\"T9\"]",
        "t.toml:9: rule T1: field `absorbs`: unknown rule `T9` (hint: there is none yet)",
    );
    check(
        "",
        "zone_kind = \"elevator\"",
        "t.toml:15: rule T1: field `when.zone_kind`: unknown kind of zone `elevator` (hint: known are `fire_compartment`, `gate_lane`, `lift`, `stair`, `door`, `fire_lane`, `bike_shed`, `outdoor`, `unit`, `shop`, `fire_door`, `perimeter`)",
    );
    check(
        "",
        "phases = [\"rised\"]",
        "t.toml:15: rule T1: field `when.phases`: unknown phase `rised` (hint: did you mean `raised`?)",
    );
    check(
        "",
        "where = { level = { above = 3 } }",
        "t.toml:15: rule T1: field `where.level`: unknown or wrong test `above` (hint: a text, number or yes/no, a list of them, or `{ at_least = 1, at_most = 2, not = \"x\" }`; a path is written in quotes, `\"panel.system\"`)",
    );
    check(
        "",
        "at_least = 3",
        "t.toml:15: rule T1: field `when.at_least`: unknown field (hint: known are `is`, `rules`, `kinds`, `phases`, `class`, `zone_kind`, `where`, `watch_list`, `expr`, `edge`)",
    );
    check(
        "is = \"match\"",
        "is = \"count\"\nat_least = 0\nwithin_s = 0",
        "t.toml:14: rule T1: field `when.at_least`: `0` is not a whole number from 1 to 200\n\
         t.toml:15: rule T1: field `when.within_s`: `0` is not a whole number from 1 to 31622400",
    );
    check(
        "is = \"match\"",
        "is = \"independent\"\nat_least = 2\nwithin_s = 60",
        "t.toml:6: rule T1: field `subject`: several devices have no device in common (hint: write `subject = \"zone\"` or `subject = \"site\"`)",
    );
    check(
        "",
        "[rule.clocks]\nacknowledge_s = 30\nclaim_s = 60\narrive_s = 180",
        "t.toml:15: rule T1: field `clocks.resolve_s`: is missing (hint: as in `resolve_s = 60`)",
    );
    check(
        "",
        "[[rule.case]]\nname = \"x\"\nevents = [{ at_s = 0, device = \"nobody\" }]\nexpect = []",
        "t.toml:17: rule T1: field `case.events.device`: unknown test device `nobody` (hint: there is none yet)",
    );
    check(
        "",
        "expr = \"attrs.level > 3 && zone.flor == 1\"",
        "t.toml:15: rule T1: field `when.expr`: `zone` has no field `flor` (hint: did you mean `floor`?)",
    );
    check(
        "",
        "expr = \"attrs.level >\"",
        "t.toml:15: rule T1: field `when.expr`: is not an expression, at its column 14: mismatched input '<EOF>' (hint: as in `attrs.confidence > 0.8 && zone.floor >= 3`)",
    );
    check(
        "dedupe_s = 60",
        "dedupe_s = 60\nmode = \"notify\"",
        "t.toml:8: rule T1: field `mode`: unknown mode `notify` (hint: did you mean `notice`?)",
    );
    check(
        "dedupe_s = 60",
        "dedupe_s = 60\nverify = \"yes\"\nsilent = 1",
        "t.toml:8: rule T1: field `verify`: `yes` is not true or false (hint: as in `verify = true`)\n\
         t.toml:9: rule T1: field `silent`: `1` is not true or false (hint: as in `silent = true`)",
    );
    check(
        "",
        "[rule.suppresses]\nrules = [\"T1\", \"T9\"]\nwithin = \"floor\"",
        "t.toml:16: rule T1: field `suppresses.rules`: a rule cannot suppress itself (hint: there is none yet)\n\
         t.toml:16: rule T1: field `suppresses.rules`: unknown rule `T9` (hint: there is none yet)\n\
         t.toml:17: rule T1: field `suppresses.within`: unknown reach `floor` (hint: known are `device`, `zone`, `building`, `site`, `bridge`)",
    );
    let when = "is = \"match\"\nkinds = [\"fire.smoke\"]";
    check(
        when,
        "is = \"match\"\nrules = [\"T9\", \"T1\"]",
        "t.toml:14: rule T1: field `when.rules`: unknown rule `T9` (hint: there is none yet)\n\
         t.toml:14: rule T1: field `when.rules`: a rule cannot listen to itself (hint: there is none yet)",
    );
    check(
        when,
        "is = \"match\"\nrules = [\"T2\"]\nkinds = [\"fire.smoke\"]",
        "t.toml:14: rule T1: field `when.rules`: unknown rule `T2` (hint: there is none yet)\n\
         t.toml:15: rule T1: field `when.kinds`: stands beside `rules` (hint: a rule listens to devices or to other rules; two steps of a `sequence` may differ)",
    );
    check(
        when,
        "is = \"threshold\"\nreading = \"level\"\nbelow = 20\nclear_above = 10",
        "t.toml:16: rule T1: field `when.clear_above`: lies below the limit itself (hint: it is well again above the limit, or there)",
    );
    check(
        when,
        "is = \"threshold\"\nreading = \"level\"\nabove = \"20\"",
        "t.toml:15: rule T1: field `when.above`: `20` is not a number (hint: as in `above = 20`)",
    );
    check(
        when,
        "is = \"threshold\"\nreading = \"level\"\nabove = 20\nbelow = 10",
        "t.toml:16: rule T1: field `when.below`: there must be one limit, `below` or `above` (hint: as in `below = 20`)",
    );
    check(
        when,
        "is = \"held\"\nkinds = [\"fire.smoke\"]",
        "t.toml:12: rule T1: field `when.for_s`: is missing (hint: as in `for_s = 300`)",
    );
    check(
        when,
        "is = \"sequence\"\nwithin_s = 60\n[[rule.when.step]]\nkinds = [\"fire.smoke\"]",
        "t.toml:15: rule T1: field `when.step`: 1 steps are not 2 to 8 (hint: each is a table `[[rule.when.step]]` with its kinds or rules)",
    );
    check(
        when,
        "is = \"sequence\"\nwithin_s = 60\n[[rule.when.step]]\nkinds = [\"fire.smoke\"]\n[[rule.when.step]]\nkinds = [\"fire.smok\"]\nactiv = true",
        "t.toml:18: rule T1: field `when.step.kinds`: unknown kind `fire.smok` (hint: did you mean `fire.smoke`?)\n\
         t.toml:19: rule T1: field `when.step.activ`: unknown field (hint: did you mean `active`?)",
    );
    check(
        when,
        "is = \"share\"\nkinds = [\"fire.smoke\"]\nwithin_s = 60\nshare = 30",
        "t.toml:16: rule T1: field `when.share`: is not from 0.01 to 1 (hint: 0.3 is 30 % of the devices)",
    );
    check(
        when,
        "is = \"share\"\nkinds = [\"fire.smoke\"]\nwithin_s = 60\nshare = 0.3",
        "t.toml:6: rule T1: field `subject`: a share is of the devices of a place (hint: write `subject = \"building\"`, `\"site\"`, `\"zone\"`, `\"grid\"` or `\"household\"`)",
    );
    check(
        when,
        "is = \"absence\"\nof = \"elders\"\nkinds = [\"fire.smoke\"]\nafter_s = 60\nwaking = \"7-22\"",
        "t.toml:14: rule T1: field `when.of`: unknown list of the registry `elders` (hint: known are `elder_care`)\n\
         t.toml:17: rule T1: field `when.waking`: `7-22` is not a part of the day (hint: as in `waking = \"07:00-22:00\"`)",
    );
    check(
        when,
        "is = \"days\"\nkinds = [\"fire.smoke\"]\nat_least = 3\ndays = 8\nof_days = 7",
        "t.toml:16: rule T1: field `when.days`: is more than `of_days` (hint: as in `days = 3`, `of_days = 7`)",
    );
    check(
        "severity = \"P2\"",
        "severity = \"P2\"\nseverity_zone = { fire_dor = \"P1\" }\nseverity_count = { \"0\" = \"P1\", \"2\" = \"P7\" }",
        "t.toml:6: rule T1: field `severity_zone.fire_dor`: unknown kind of zone `fire_dor` (hint: did you mean `fire_door`?)\n\
         t.toml:7: rule T1: field `severity_count.0`: `0` is not a number from 1 up (hint: as in `\"3\" = \"P3\"`: from the third on)\n\
         t.toml:7: rule T1: field `severity_count.2`: unknown severity `P7` (hint: known are `P1`, `P2`, `P3`, `P4`)",
    );
    check(
        "subject = \"device\"",
        "subject = [\"zone\", \"plate@site\"]",
        "t.toml:6: rule T1: field `subject`: has a plate that does not stand first (hint: as in `subject = [\"plate@site\", \"zone\"]`)",
    );
    check(
        "subject = \"device\"",
        "subject = \"rule@grid\"",
        "t.toml:6: rule T1: field `subject`: no rule is listened to (hint: `rule@grid` needs `rules` in `[rule.when]`)",
    );
    check(
        "subject = \"device\"",
        "subject = \"watched@site\"",
        "t.toml:6: rule T1: field `subject`: nothing is looked up on the watch list (hint: `watched@site` needs `watch_list = true` in `[rule.when]`)",
    );
    check(
        "",
        "[rule.suppresses]\nwithin = \"site\"",
        "t.toml:15: rule T1: field `suppresses.rules`: names no rule (hint: as in `rules = [\"S7\"]`)",
    );
    check(
        "",
        "[[rules]]\nid = \"T2\"",
        "t.toml:15: field `rules`: unknown field (hint: did you mean `rule`?)",
    );
}

#[test]
fn rules_that_listen_in_a_circle_or_too_deep_are_named() {
    let listening = |id: &str, to: &str| {
        let rules = format!("rules = [\"{to}\"]");
        GOOD.replace("T1", id)
            .replace("kinds = [\"fire.smoke\"]", &rules)
    };
    let text = [
        listening("T1", "T2"),
        listening("T2", "T3"),
        listening("T3", "T4"),
        listening("T4", "T2"),
    ];
    assert_eq!(
        parse(&[("t.toml", &text.concat())]).expect_err("a circle"),
        "t.toml:56: rule T4: field `when.rules`: rules listen in a circle: T2 → T3 → T4 → T2 (hint: one of them must listen to devices)",
    );
    let chain = |depth: usize| {
        let rules = (1..=depth).map(|n| listening(&format!("T{}", n + 1), &format!("T{n}")));
        GOOD.to_owned() + &rules.rev().collect::<String>()
    };
    parse(&[("t.toml", &chain(8))]).expect("eight are good");
    let said = parse(&[("t.toml", &chain(9))]).expect_err("nine are too many");
    assert!(
        said.ends_with("rule T10: field `when.rules`: listens more than 8 rules deep (hint: listen to the first ones directly)"),
        "{said}"
    );
}

#[test]
fn what_a_finding_leads_to_is_read() {
    use super::super::{Mode, Reach};
    let second = GOOD.replace("T1", "T2").replace(
        "lead",
        "mode = \"shadow\"\nverify = true\nsilent = true\nlead",
    );
    let text =
        format!("{GOOD}{second}[rule.suppresses]\nrules = [\"T1\"]\nwithin = \"building\"\n");
    let set = parse(&[("t.toml", &text)]).expect("no mistake");
    let [plain, told] = set.rules() else {
        panic!("two rules");
    };
    assert_eq!(plain.meta.mode, Mode::Annunciate);
    assert!(!plain.meta.verify && !plain.meta.silent && plain.meta.suppresses.is_none());
    assert_eq!(told.meta.mode, Mode::Shadow);
    assert!(told.meta.verify && told.meta.silent);
    let suppresses = told.meta.suppresses.as_ref().expect("it was read");
    assert_eq!(suppresses.within, Reach::Building);
    assert_eq!(suppresses.rules, std::slice::from_ref(&plain.meta.id));
}

#[test]
fn one_bad_rule_hides_no_mistake_of_another() {
    let second = GOOD.replace("T1", "T2").replace("\"P2\"", "\"P9\"");
    let third = GOOD
        .replace("T1", "T3")
        .replace("dedupe_s = 60", "dedupe_s = -1");
    let doubled = GOOD.replace("测试", "又一个");
    let said = parse(&[
        ("a.toml", &format!("{GOOD}{second}{third}")),
        ("b.toml", &doubled),
    ])
    .expect_err("three mistakes");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, part) in lines.iter().zip([
        "a.toml:19: rule T2: field `severity`",
        "a.toml:35: rule T3: field `dedupe_s`",
        "b.toml:1: rule T1: field `id`: rule `T1` is there twice (hint: the first is at a.toml:1)",
    ]) {
        assert!(line.starts_with(part), "{line} is not {part}");
    }
}

#[test]
fn a_syntax_error_is_named_by_line_and_what_follows_from_it_is_not() {
    let broken = GOOD.replace("T1", "T2").replace("\"P2\"", "\"P2");
    let third = GOOD
        .replace("T1", "T3")
        .replace("dedupe_s = 60", "dedupe_s = -1");
    let said = parse(&[("a.toml", &format!("{GOOD}{broken}{third}"))]).expect_err("two mistakes");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("a.toml:19: "), "{said}");
    assert!(lines[1].starts_with("a.toml:35: rule T3"), "{said}");
}

#[test]
fn a_bad_rule_stops_neither_the_others_nor_itself() {
    let named = |id: &str, title: &str| GOOD.replace("T1", id).replace("\"Test\"", title);
    let read = |text: &str, before: Option<&RuleSet>| {
        let files = [("a.toml".to_owned(), text.to_owned())];
        RuleSet::parse_lenient(&files, &registry(), before)
    };
    let titles = |set: &RuleSet| -> Vec<String> {
        let rules = set.rules().iter();
        rules
            .map(|r| format!("{} {}", r.meta.id, r.meta.title_en))
            .collect()
    };
    let ids =
        |ids: &[crate::RuleId]| -> Vec<String> { ids.iter().map(ToString::to_string).collect() };
    let good = [
        named("T1", "\"one\""),
        named("T2", "\"two\""),
        named("T3", "\"three\""),
    ];
    let first = read(&good.concat(), None);
    assert!(first.errors.is_empty() && first.kept.is_empty() && first.missing.is_empty());

    // T1 has a new title, T2 a mistake, T3 was taken out, T4 is new and bad, T5 new and good
    let second = [
        named("T1", "\"uno\""),
        named("T2", "\"due\"").replace("\"P2\"", "\"P9\""),
        named("T4", "\"quattro\"").replace("fire.smoke", "fire.smok"),
        named("T5", "\"cinque\""),
    ];
    let second = read(&second.concat(), Some(&first.rules));
    assert_eq!(titles(&second.rules), ["T1 uno", "T2 two", "T5 cinque"]);
    assert_eq!(
        (ids(&second.kept), ids(&second.missing)),
        (vec!["T2".to_owned()], vec!["T4".to_owned()])
    );
    assert_eq!(second.errors.len(), 2);

    // what stands where a file cannot be read goes on
    let torn = read("[[rule]\n", Some(&first.rules));
    assert_eq!(titles(&torn.rules), ["T1 one", "T2 two", "T3 three"]);
    assert!(!torn.errors.is_empty());

    // a case that is wrong says nothing against its rule
    let case =
        "[[rule.case]]\nname = \"x\"\nevents = [{ at_s = 0, device = \"nobody\" }]\nexpect = []";
    let with_case = read(
        &format!("{}{case}", named("T1", "\"uno\"")),
        Some(&first.rules),
    );
    assert_eq!(titles(&with_case.rules), ["T1 uno"]);
    assert_eq!(with_case.errors.len(), 1);

    // an earlier version may close a circle that the files do not have: it is told and left out
    let listens = |id: &str, to: &str| {
        let rules = format!("rules = [\"{to}\"]");
        named(id, "\"x\"").replace("kinds = [\"fire.smoke\"]", &rules)
    };
    let before = read(
        &format!("{}{}", named("T1", "\"one\""), listens("T2", "T1")),
        None,
    );
    let circle = format!(
        "{}{}",
        listens("T1", "T2"),
        named("T2", "\"two\"").replace("\"P2\"", "\"P9\"")
    );
    let after = read(&circle, Some(&before.rules));
    assert_eq!(after.rules.rules().len(), 1);
    assert_eq!((after.errors.len(), after.missing.len()), (2, 1));
}

#[test]
fn a_rule_that_does_not_do_what_its_cases_say_stays_as_it_was() {
    const STAGE: &str = "[[test_device]]\nid = \"d\"\nclass = \"fire_sensor\"\nzone = \"z\"\n";
    let rule = |id: &str, title: &str, seconds: u32| {
        let case = format!(
            "[[rule.case]]\nname = \"x\"\nevents = [{{ at_s = {seconds}, device = \"d\", kind = \"fire.smoke\" }}]\n\
             expect = [{{ at_s = 0, what = \"raised\", subject = \"device:d\" }}]\n"
        );
        let named = GOOD.replace("T1", id).replace("\"Test\"", title);
        format!("{named}{case}")
    };
    let read = |text: &str, before: Option<&RuleSet>| {
        let files = [("a.toml".to_owned(), format!("{text}{STAGE}"))];
        RuleSet::parse_lenient(&files, &registry(), before)
    };
    let titles = |set: &RuleSet| -> Vec<String> {
        let rules = set.rules().iter();
        rules
            .map(|r| format!("{} {}", r.meta.id, r.meta.title_en))
            .collect()
    };
    let first = read(
        &[rule("T1", "\"one\"", 0), rule("T2", "\"two\"", 0)].concat(),
        None,
    );
    assert_eq!(first.errors, []);

    // T1 changed and fails, T2 changed and does not, T3 is new and fails, T4 is new and does not
    let next = [
        rule("T1", "\"uno\"", 7),
        rule("T2", "\"due\"", 0),
        rule("T3", "\"tre\"", 7),
        rule("T4", "\"quattro\"", 0),
    ]
    .concat();
    let next = read(&next, Some(&first.rules)).proven(&first.rules);
    assert_eq!(titles(&next.rules), ["T1 one", "T2 due", "T4 quattro"]);
    let said: Vec<String> = next.errors.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("a.toml:") && said[0].contains(": rule T1: case `x`: expected [Raised"),
        "{said:?}"
    );
    assert!(said[1].contains(": rule T3: case `x`"), "{said:?}");
    assert_eq!((next.kept.len(), next.missing.len()), (1, 1));
    assert_eq!(next.rules.self_test(), [], "what runs is what was proven");

    // a rule that is as it was goes on whatever its cases say: they may be what is wrong
    let same = rule("T1", "\"one\"", 7);
    let same = read(&same, Some(&first.rules)).proven(&first.rules);
    assert_eq!(titles(&same.rules), ["T1 one"]);
    assert_eq!((same.errors.len(), same.kept.len()), (1, 0));
}

#[test]
fn a_file_without_a_rule_is_a_mistake_and_so_is_a_giant_one() {
    assert!(parse(&[("a.toml", "")]).is_err());
    let giant = "#".repeat(FILE_BYTES_MAX + 1);
    assert!(parse(&[("a.toml", &giant)]).is_err());
}

mod garbage {
    use proptest::prelude::*;

    use super::*;

    /// Lines that a rule file is made of, and some that it is not.
    fn line() -> impl Strategy<Value = String> {
        let words = || {
            prop_oneof![
                Just("rule".to_owned()),
                Just("when".to_owned()),
                Just("is".to_owned()),
                Just("kinds".to_owned()),
                Just("where".to_owned()),
                Just("case".to_owned()),
                Just("severity_hours".to_owned()),
                Just("at_least".to_owned()),
                Just("events".to_owned()),
                "[a-z._\"]{0,6}",
            ]
        };
        let values = prop_oneof![
            Just("\"match\"".to_owned()),
            Just("[\"fire.smoke\"]".to_owned()),
            Just("-1".to_owned()),
            Just("1e999".to_owned()),
            Just("{ a = { b = [1, \"x\"] } }".to_owned()),
            Just("2026-03-02".to_owned()),
            "\\PC{0,12}",
        ];
        prop_oneof![
            words().prop_map(|w| format!("[[{w}]]")),
            (words(), words()).prop_map(|(a, b)| format!("[{a}.{b}]")),
            (words(), words()).prop_map(|(a, b)| format!("[[{a}.{b}]]")),
            (words(), values).prop_map(|(w, v)| format!("{w} = {v}")),
        ]
    }

    proptest! {
        #[test]
        fn never_panics_and_never_passes_unread(lines in prop::collection::vec(line(), 0..30)) {
            prop_assert!(parse(&[("g.toml", &lines.join("\n"))]).is_err());
        }

        #[test]
        fn a_good_rule_with_a_wound_never_panics(at in 0..GOOD.len(), with in "\\PC{0,3}") {
            let mut at = at;
            while !GOOD.is_char_boundary(at) {
                at -= 1;
            }
            let _ = parse(&[("g.toml", &format!("{}{with}{}", &GOOD[..at], &GOOD[at..]))]);
            let _ = parse(&[("g.toml", &GOOD[..at])]);
        }
    }
}

#[test]
fn a_report_has_types_no_cases_and_one_rule_each() {
    let report = GOOD.replace(
        "is = \"match\"\nkinds = [\"fire.smoke\"]",
        "is = \"report\"\ntypes = [\"noise\"]",
    );
    let set = parse(&[("t.toml", &report)]).expect("no mistake");
    let plan = set.rules()[0].meta.reports.as_ref().expect("a plan");
    assert_eq!((plan.types.len(), plan.severity), (1, Severity::P2));

    let second = report.replace("T1", "T2");
    for (files, expect) in [
        (
            vec![("t.toml", report.replace("noise", "nois"))],
            "t.toml:14: rule T1: field `when.types`: unknown type of report `nois` (hint: did you mean `noise`?)",
        ),
        (
            vec![("t.toml", report.replace("types = [\"noise\"]", ""))],
            "t.toml:12: rule T1: field `when.types`: is missing (hint: as in `types = [\"fire_hazard\"]`)",
        ),
        (
            vec![("t.toml", report.clone()), ("u.toml", second)],
            "u.toml:1: rule T2: field `when.types`: `noise` belongs to two rules (hint: the other is T1 at t.toml:1)",
        ),
        (
            vec![(
                "t.toml",
                format!("{report}[[rule.case]]\nname = \"n\"\nexpect = []\n"),
            )],
            "t.toml:15: rule T1: field `case`: no event of a device brings it about (hint: leave the cases out; it is the incident machine that opens this one)",
        ),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        assert_eq!(parse(&files).expect_err("a mistake"), expect);
    }
}
