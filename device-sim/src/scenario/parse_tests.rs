use super::*;

fn mistakes(text: &str) -> String {
    Scenario::parse("x.toml", text)
        .expect_err("has a mistake")
        .to_string()
}

#[test]
fn a_small_scenario_reads() {
    let scenario = Scenario::parse(
        "x.toml",
        r#"
        title = "smoke"
        cast = { detector = "smoke-*" }
        background = { doors_per_minute = 3, telemetry = true }
        repeat = { every = "1m", spread = 4 }
        [[step]]
        at = "1500ms"
        device = "detector"
        kind = "fire.smoke"
        phase = "raised"
        attrs = { level = 3 }
        expect = "S1"
        [[step]]
        at = "3s"
        device = "door-1"
        silent_for = "20s"
        "#,
    )
    .expect("reads");
    assert_eq!(scenario.steps[0].at, Duration::from_millis(1500));
    assert_eq!(
        scenario.steps[1].action,
        Action::Silence(Duration::from_secs(20))
    );
    assert_eq!(scenario.required_devices().collect::<Vec<_>>(), ["door-1"]);
}

#[test]
fn all_mistakes_are_listed_with_their_step() {
    let all = mistakes(
        r#"
        title = "wrong"
        cast = { idle = "Smoke 1" }
        background = { doors_per_minute = -1 }
        repeat = { every = "1s", spread = 0 }
        [[step]]
        at = "soon"
        device = "door-1"
        kind = "access.forced_opn"
        phase = "rising"
        expect = "rule 1"
        [[step]]
        at = "2s"
        device = "Nobody"
        times = 5
        "#,
    );
    for part in [
        "x.toml: cast: `idle` is `Smoke 1`, which is no device id",
        "x.toml: cast: `idle` has no part in any step",
        "x.toml: background: `doors_per_minute` is -1",
        "x.toml: repeat: `spread` is 0",
        "x.toml: repeat: a round begins before",
        "x.toml: step 1: `at` is `soon`",
        "x.toml: step 1: unknown kind `access.forced_opn` (hint: did you mean `access.forced_open`?)",
        "x.toml: step 1: unknown phase `rising`",
        "x.toml: step 1: `rule 1` is not a rule's id",
        "x.toml: step 2: `Nobody` is neither in the cast nor a device id",
        "x.toml: step 2: `times` needs `every`",
        "x.toml: step 2: a step has exactly one of",
    ] {
        assert!(all.contains(part), "{part} is not in:\n{all}");
    }
}

#[test]
fn an_unknown_key_is_a_mistake_with_its_line() {
    let all = mistakes("title = \"x\"\n[[step]]\nat = \"1s\"\ndevise = \"door-1\"\n");
    assert!(all.contains("line 4") && all.contains("devise"), "{all}");
}

#[test]
fn times_that_are_too_long_or_negative_are_refused() {
    for text in ["-1s", "25h", "", "5"] {
        let all = mistakes(&format!(
            "title = \"x\"\n[[step]]\nat = \"{text}\"\ndevice = \"d\"\nkind = \"device.test\"\n"
        ));
        assert!(all.contains("`at` is"), "{text}: {all}");
    }
}
