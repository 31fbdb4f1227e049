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
        [[step]]
        at = "4s"
        device = "door-1"
        response = "open-door"
        fields = { status = "failed" }
        clock_off = "-6m"
        [[step]]
        at = "5s"
        device = "door-1"
        raw = "a/topic"
        payload = "{"
        [[step]]
        at = "6s"
        device = "door-1"
        offline_for = "2m"
        "#,
    )
    .expect("reads");
    assert_eq!(scenario.fires, ["S1".parse().expect("an id")]);
    assert_eq!(scenario.steps[2].clock_off, SignedDuration::from_mins(-6));
    assert!(
        matches!(&scenario.steps[2].action, Action::Response { command, .. } if command == "open-door")
    );
    assert!(matches!(&scenario.steps[3].action, Action::Raw { topic, .. } if topic == "a/topic"));
    assert_eq!(
        scenario.steps[4].action,
        Action::Offline(Duration::from_mins(2))
    );
    assert_eq!(scenario.steps[0].at, Duration::from_millis(1500));
    assert_eq!(
        scenario.steps[1].action,
        Action::Silence(Duration::from_secs(20))
    );
    assert!(scenario.required_devices().all(|id| id == "door-1"));
    assert_eq!(
        scenario.length(),
        Duration::from_mins(2) + Duration::from_secs(6)
    );
}

#[test]
fn all_mistakes_are_listed_with_their_step() {
    let all = mistakes(
        r#"
        title = "wrong"
        fires = ["S1", "S1", "rule 2"]
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
        [[step]]
        at = "3s"
        device = "door-1"
        raw = ""
        fields = {}
        clock_off = "late"
        expect = "S2"
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
        "x.toml: step 3: `raw` and `payload` have 1 to",
        "x.toml: step 3: `fields` belong to a `state` or a `response`",
        "x.toml: step 3: `clock_off` is `late`",
        "x.toml: fires: is not a list of different rules",
        "x.toml: fires: a step expects `S2`",
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
    for text in ["-1s", "1489h", "", "5"] {
        let all = mistakes(&format!(
            "title = \"x\"\n[[step]]\nat = \"{text}\"\ndevice = \"d\"\nkind = \"device.test\"\n"
        ));
        assert!(all.contains("`at` is"), "{text}: {all}");
    }
}

#[test]
fn a_scenario_may_play_others_within_it() {
    let scenario = Scenario::parse(
        "x.toml",
        "title = \"x\"\n[[include]]\nscenario = \"forced-door\"\nat = \"1m\"\n\
         [[include]]\nscenario = \"e-bike-in-lift\"\nat = \"2m\"\n",
    )
    .expect("reads");
    let rules: Vec<_> = scenario.fires.iter().map(RuleId::as_str).collect();
    assert_eq!(rules, ["A1", "C1"]);
    assert_eq!(scenario.steps[0].at, Duration::from_secs(65));
    assert_eq!(scenario.pattern(&scenario.steps[0]), "door-q3-0302");
    assert!(scenario.required_devices().any(|id| id == "cam-q1-0405"));

    let all = mistakes(
        "title = \"x\"\n[[include]]\nscenario = \"forced-dor\"\nat = \"1m\"\n\
         [[include]]\nscenario = \"demo\"\nat = \"1s\"\n",
    );
    for part in [
        "include 1: unknown scenario `forced-dor` (hint: did you mean `forced-door`?)",
        "include 2: `demo` repeats or includes others itself",
    ] {
        assert!(all.contains(part), "{part} is not in:\n{all}");
    }
}
