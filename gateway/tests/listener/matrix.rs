//! Who may say and hear what: the whole matrix of roles, topics and verbs, and ten thousand random cases beside a reading of the
//! standard that knows nothing of our patterns' code.

use domain::place::Registry;
use gateway::accounts::{device_credential, integration_credential};
use gateway::listener::Pattern;
use proptest::prelude::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// MQTT 5.0 §4.7 read naively: whether a topic is matched by a filter.
fn matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", f @ ..], [_, t @ ..]) => matches(f, t),
        ([a, f @ ..], [b, t @ ..]) => a == b && matches(f, t),
        _ => false,
    }
}

fn is_granted(grants: &[String], topic: &str) -> bool {
    let levels: Vec<&str> = topic.split('/').collect();
    grants.iter().any(|grant| {
        let is_wild = grant.starts_with(['+', '#']);
        let parts: Vec<&str> = grant.split('/').collect();
        !(is_wild && topic.starts_with('$')) && matches(&parts, &levels)
    })
}

/// What each role is granted to say and to hear.
fn roles() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let files = gateway::embedded::COMPOUND.iter().copied();
    let registry = Registry::from_files(files).expect("the reference compound");
    let mut roles = Vec::new();
    let mut devices = registry.devices.values();
    for name in ["device", "another device"] {
        let device = devices.next().expect("there are devices");
        let credential = device_credential(device, SECRET).expect("an account");
        roles.push((name, credential.publish, credential.subscribe));
    }
    let integration = integration_credential("station", SECRET).expect("an account");
    roles.push(("integration", integration.publish, integration.subscribe));
    let bridge = vec!["zigbee2mqtt/#".to_owned()];
    roles.push(("bridge", bridge, vec!["zigbee2mqtt/+/set".to_owned()]));
    roles
}

/// Topics of every shape that DESIGN names, of the first device, of the second, and of nobody.
fn topics(roles: &[(&str, Vec<String>, Vec<String>)]) -> Vec<String> {
    let mut topics = Vec::new();
    for (_, publish, _) in &roles[..2] {
        let own = publish[0].trim_end_matches("/evt/+").to_owned();
        for tail in [
            "evt/fire-smoke",
            "evt/a/b",
            "evt",
            "state/door",
            "tele",
            "tele/x",
            "avail",
            "meta",
            "media/x",
            "rsp/1",
            "cfg/reported",
            "cfg/desired",
            "cmd/open",
            "cmd",
            "",
        ] {
            topics.push(format!("{own}/{tail}"));
        }
    }
    let others = [
        "ssg/v1/q1/_gw/evt/camera/x",
        "ssg/v1/q1/_gw/incident/fire",
        "ssg/v1/q1/_gw",
        "ssg/v1",
        "zigbee2mqtt/lamp",
        "zigbee2mqtt/lamp/set",
        "zigbee2mqtt",
        "zigbee2mqtt/a/b/set",
        "$SYS/broker",
        "$hub/presence/x",
        "烟感/01",
        "/",
        "//x",
        "#",
        "+/+",
        "$SYS/#",
        "$share/g/zigbee2mqtt/#",
    ];
    topics.extend(others.map(str::to_owned));
    topics
}

fn patterns(grants: &[String]) -> Vec<Pattern> {
    grants
        .iter()
        .map(|g| g.parse().expect("a filter"))
        .collect()
}

#[test]
fn the_matrix_of_roles_topics_and_verbs_is_what_the_grants_say() {
    let roles = roles();
    let topics = topics(&roles);
    let (mut granted, mut denied) = (0, 0);
    for (role, publish, subscribe) in &roles {
        for (verb, grants) in [("publish", publish), ("subscribe", subscribe)] {
            let compiled = patterns(grants);
            for topic in topics.iter().filter(|t| !t.contains(['+', '#'])) {
                let ours = compiled.iter().any(|p| p.matches(topic));
                assert_eq!(ours, is_granted(grants, topic), "{role} {verb} {topic}");
                if ours { granted += 1 } else { denied += 1 }
            }
        }
        // nobody is granted what would let him hear or say everything
        for filter in [
            "#",
            "+/+",
            "+/#",
            "$SYS/#",
            "ssg/#",
            "ssg/v1/+/+/evt/#",
            "ssg/v1/#",
        ] {
            assert!(
                !patterns(subscribe).iter().any(|p| p.covers(filter)),
                "{role} hears {filter}"
            );
        }
        for topic in ["$SYS/x", "$hub/presence/x", "ssg/v1/q1/_gw/evt/camera/x"] {
            assert!(
                !patterns(publish).iter().any(|p| p.matches(topic)),
                "{role} says {topic}"
            );
        }
    }
    // a device and its neighbour have nothing in common
    let (one, two) = (&roles[0], &roles[1]);
    for topic in &topics {
        assert!(
            !(is_granted(&one.1, topic) && is_granted(&two.1, topic)),
            "{topic}"
        );
    }
    println!("{granted} granted, {denied} denied");
    assert!(
        granted >= 18 && denied >= 250,
        "{granted} granted, {denied} denied"
    );
}

fn level() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("a"), 3 => Just("b"), 1 => Just(""), 1 => Just("烟感"), 1 => Just("$SYS"), 1 => Just("_gw"),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => level(), 1 => Just("+")];
    let levels = proptest::collection::vec(part, 1..5);
    (levels, prop::bool::weighted(0.3))
        .prop_map(|(mut levels, rest)| {
            if rest {
                levels.push("#");
            }
            levels.join("/")
        })
        .prop_filter("a filter is not empty", |filter| !filter.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn ten_thousand_topics_are_granted_as_the_standard_matches_them(
        grants in proptest::collection::vec(filter(), 0..4), topic in proptest::collection::vec(level(), 1..6),
    ) {
        let topic = topic.join("/");
        let ours = patterns(&grants).iter().any(|p| p.matches(&topic));
        prop_assert_eq!(ours, is_granted(&grants, &topic), "{:?} {}", grants, topic);
    }

    #[test]
    fn a_granted_filter_hears_nothing_that_is_not_granted(
        grant in filter(), wish in filter(), topics in proptest::collection::vec(proptest::collection::vec(level(), 1..6), 1..20),
    ) {
        let pattern: Pattern = grant.parse().expect("a filter");
        if pattern.covers(&wish) {
            for topic in topics {
                let topic = topic.join("/");
                if is_granted(std::slice::from_ref(&wish), &topic) {
                    prop_assert!(is_granted(std::slice::from_ref(&grant), &topic), "{} grants {} and hears {}", grant, wish, topic);
                }
            }
        }
        prop_assert!(pattern.covers(&grant), "{} does not cover itself", grant);
    }
}
