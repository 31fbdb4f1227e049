use super::*;

fn device(id: &str, class: &str, heartbeat_s: u32) -> SimDevice {
    let json = serde_json::json!({"id": id, "site": "q1", "class": class, "username": id, "password": "p", "heartbeat_s": heartbeat_s});
    serde_json::from_value(json).expect("a device")
}

fn compound() -> Vec<SimDevice> {
    let mut devices = vec![device("smoke-1", "fire_sensor", 10)];
    for at in 0..6 {
        devices.push(device(&format!("gate-{at}"), "barrier", 60));
        devices.push(device(&format!("door-{at}"), "access", 60));
        devices.push(device(&format!("cam-{at}"), "camera", 60));
    }
    devices
}

fn scenario(steps: &str) -> Scenario {
    let text = format!(
        "title = \"t\"\ncast = {{ door = \"door-*\" }}\nbackground = {{ vehicles_per_minute = 30, doors_per_minute = 60, motion_per_minute = 6, telemetry = true }}\n{steps}"
    );
    Scenario::parse("t.toml", &text).unwrap_or_else(|e| panic!("{e}"))
}

const FORCED: &str = r#"
[[step]]
at = "10s"
device = "door"
kind = "access.forced_open"
phase = "raised"
times = 3
every = "2s"
expect = "A1"
[[step]]
at = "11s"
device = "door"
silent_for = "1s"
[[step]]
at = "12s"
device = "smoke-1"
silent_for = "30s"
expect = "S7"
"#;

#[test]
fn the_same_seed_gives_the_same_sequence_and_another_seed_another() {
    let take = |seed| {
        Script::new(&compound(), scenario(FORCED), seed)
            .take(2_000)
            .collect::<Vec<_>>()
    };
    assert_eq!(take(7), take(7));
    assert_ne!(take(7), take(8));
}

#[test]
fn lines_come_in_order_of_time() {
    let lines: Vec<_> = Script::new(&compound(), scenario(FORCED), 1)
        .take(5_000)
        .collect();
    assert!(lines.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn the_last_repetition_carries_the_expectation_and_all_have_one_device() {
    let lines: Vec<_> = Script::new(&compound(), scenario(FORCED), 3)
        .take_while(|line| line.at < Duration::from_secs(20))
        .filter(|line| matches!(&line.say, Some(Say::Event { kind, .. }) if *kind == domain::Kind::AccessForcedOpen))
        .collect();
    let expects: Vec<_> = lines.iter().map(|line| line.expect.is_some()).collect();
    assert_eq!(expects, [false, false, true]);
    assert!(lines.iter().all(|line| line.device == lines[0].device));
    assert_eq!(lines[2].at, Duration::from_secs(14));
}

#[test]
fn a_silent_device_says_nothing_and_comes_back() {
    let said: Vec<_> = Script::new(&compound(), scenario(FORCED), 3)
        .take_while(|line| line.at < Duration::from_mins(1))
        .filter(|line| line.device == 0 && line.say.is_some())
        .map(|line| line.at.as_secs())
        .collect();
    assert!(said.iter().any(|&s| s < 12));
    assert!(!said.iter().any(|s| (12..42).contains(s)), "{said:?}");
    assert!(said.iter().any(|&s| s >= 42));
}

#[test]
fn readings_come_twice_within_a_heartbeat() {
    let quiet = Scenario::named("quiet-day").expect("ships");
    let at: Vec<_> = Script::new(&compound(), quiet, 3)
        .take_while(|line| line.at < Duration::from_mins(5))
        .filter(|line| line.device == 0)
        .map(|line| line.at)
        .collect();
    let longest = at
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .max();
    assert!(longest.is_some_and(|pause| pause < Duration::from_secs(5)));
}

#[test]
fn ordinary_life_keeps_away_from_who_plays_a_part() {
    let steps = "[[step]]\nat = \"1s\"\ndevice = \"door-0\"\nkind = \"access.forced_open\"\n\
                 [[step]]\nat = \"1s\"\ndevice = \"door\"\nkind = \"access.rex\"\n";
    let mut scenario = scenario(steps);
    scenario.cast.insert("door".to_owned(), "door-1".to_owned());
    let devices = compound();
    let played: Vec<usize> = (0..devices.len())
        .filter(|&at| ["door-0", "door-1"].contains(&devices[at].id.as_str()))
        .collect();
    let said = Script::new(&devices, scenario, 3)
        .take(3_000)
        .filter(|line| played.contains(&line.device))
        .filter(|line| !matches!(line.say, Some(Say::Telemetry(_))))
        .count();
    assert_eq!(said, 2);
}

#[test]
fn nobody_shows_a_card_at_the_contact_of_a_flat_or_at_an_escape_door() {
    let devices = [
        device("door-1", "access", 60),
        device("door-2", "access", 86_400),
        device("exit-1", "access", 60),
    ];
    let text = "title = \"t\"\nbackground = { doors_per_minute = 60 }\n";
    let scenario = Scenario::parse("t.toml", text).expect("reads");
    let said: Vec<usize> = Script::new(&devices, scenario, 3)
        .take(500)
        .map(|line| line.device)
        .collect();
    assert!(said.iter().all(|device| *device == 0));
}

#[test]
fn later_rounds_are_calmer() {
    let scenario = scenario(
        "repeat = { every = \"5m\", spread = 4 }\n[[step]]\nat = \"20s\"\ndevice = \"door\"\nkind = \"access.rex\"\n",
    );
    let at: Vec<_> = Script::new(&compound(), scenario, 1)
        .filter(|line| matches!(&line.say, Some(Say::Event { kind, .. }) if *kind == domain::Kind::AccessRex))
        .map(|line| line.at.as_secs())
        .take(3)
        .collect();
    assert_eq!(at, [20, 300 + 80, 600 + 80]);
}

#[test]
fn a_small_fleet_keeps_the_devices_of_the_scenario() {
    let steps = "[[step]]\nat = \"1s\"\ndevice = \"cam-5\"\nkind = \"camera.tamper\"\n\
                 [[step]]\nat = \"1s\"\ndevice = \"door\"\nkind = \"access.rex\"\n";
    let scenario = scenario(steps);
    let chosen = choose(&compound(), &scenario, 4);
    assert_eq!(chosen.len(), 4);
    assert!(chosen.iter().any(|d| d.id.as_str() == "cam-5"));
    assert_eq!(choose(&compound(), &scenario, 500).len(), 19);
    assert!(missing(&chosen[..1], &scenario).contains(&"door-*".to_owned()));
}

#[test]
fn what_a_small_fleet_cannot_play_is_left_out_on_request() {
    let steps = "[[step]]\nat = \"1s\"\ndevice = \"cam-5\"\nkind = \"camera.tamper\"\n\
                 [[step]]\nat = \"1s\"\ndevice = \"door\"\nkind = \"access.rex\"\n";
    let devices = [device("door-1", "access", 60)];
    let scenario = playable(&devices, scenario(steps));
    assert_eq!(scenario.steps.len(), 1);
    assert!(missing(&devices, &scenario).is_empty());
}

#[test]
fn a_device_whose_connection_is_cut_says_nothing_meanwhile() {
    let steps = "[[step]]\nat = \"10s\"\ndevice = \"smoke-1\"\noffline_for = \"60s\"\n";
    let lines: Vec<_> = Script::new(&compound(), scenario_without_cast(steps), 3)
        .take_while(|line| line.at < Duration::from_secs(90))
        .filter(|line| line.device == 0)
        .collect();
    let cut: Vec<_> = lines.iter().filter_map(|line| line.offline).collect();
    assert_eq!(cut, [Duration::from_mins(1)]);
    let said = lines.iter().filter(|line| line.say.is_some());
    let at: Vec<_> = said.map(|line| line.at.as_secs()).collect();
    assert!(
        at.iter().any(|s| *s < 10) && at.iter().any(|s| *s >= 70),
        "{at:?}"
    );
    assert!(!at.iter().any(|s| (10..70).contains(s)), "{at:?}");
}

fn scenario_without_cast(steps: &str) -> Scenario {
    let text = format!("title = \"t\"\nbackground = {{ telemetry = true }}\n{steps}");
    Scenario::parse("t.toml", &text).unwrap_or_else(|e| panic!("{e}"))
}
