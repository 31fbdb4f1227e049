use std::sync::LazyLock;

use super::*;
use crate::adapters::test_places;

/// Whoever this account is, in the quarter `q1`.
fn sender<'a>(account: &'a str, registry: &'a Registry) -> Sender<'a> {
    static SITE: LazyLock<SiteId> = LazyLock::new(|| "q1".parse().expect("an id"));
    Sender {
        account,
        site: &SITE,
        format: "f",
        registry,
        card_key: b"k",
    }
}

/// The place of a message that came at the beginning of time.
fn stamp(seq: u64) -> Stamp {
    Stamp {
        seq: Seq(seq),
        received_at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn addresses_become_ids() {
    assert_eq!(slug("0x00158d0000000001"), "0x00158d0000000001");
    assert_eq!(slug("ACCC8ED3290D"), "accc8ed3290d");
    assert_eq!(slug("10.9.96.20"), "10-9-96-20");
    assert!(slug("烟感/01").starts_with("---01-"));
    assert_ne!(slug("烟感/01"), slug("门磁/01"));
    for address in ["", "é".repeat(300).as_str(), "a b\u{0}c"] {
        let slug = slug(address);
        assert!(slug.len() <= domain::id::SLUG_BYTES_MAX, "{slug}");
        assert!(
            address.is_empty() || slug.parse::<DeviceId>().is_ok(),
            "{slug}"
        );
    }
}

#[test]
fn who_speaks_without_news_is_alive_and_a_stranger_is_no_newcomer_for_it() {
    let devices = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m,address
gate-1,q1,z1,barrier,n,m,60,0,0,bridge:5eb1
reader-1,q1,z1,access,n,m,60,0,0,bridge:5eb1/reader
";
    let registry = test_places::registry(devices);
    let sender = Sender {
        format: "vzenith",
        ..sender("bridge", &registry)
    };
    let spoke = |address: &str| {
        let reading = Reading::default().spoken_by(address);
        let (alive, newcomers) = sender.spoke(Timestamp::UNIX_EPOCH, &reading);
        let alive: Vec<String> = alive.iter().map(ToString::to_string).collect();
        (alive.join(" "), newcomers.len())
    };
    assert_eq!(spoke("5eb1"), ("gate-1 reader-1".to_owned(), 0));
    assert_eq!(spoke("5eb1/reader"), ("reader-1".to_owned(), 0));
    assert_eq!(spoke("a neighbour's thermometer"), (String::new(), 0));
}

#[test]
fn why_a_value_was_told_decides_what_is_news() {
    let registry = Registry::default();
    let sender = sender("bridge", &registry);
    let mut memory = Memory::default();
    let mut seq = 0;
    let mut tell = |is_there: bool, told: Told| {
        seq += 1;
        let draft = Draft::condition(
            "a",
            domain::DeviceClass::Camera,
            domain::Kind::CameraMotion,
            "motion",
            is_there,
        );
        let stamp = stamp(seq);
        !sender
            .events(stamp, vec![draft.told(told)], &mut memory)
            .is_empty()
    };
    assert!(!tell(true, Told::Replay), "nothing was known");
    assert!(tell(false, Told::Replay), "another value was known");
    assert!(!tell(false, Told::Change), "told again");
    assert!(tell(true, Told::Change));
    let mut memory = Memory::default();
    let draft = |told| {
        let class = domain::DeviceClass::Camera;
        let kind = domain::Kind::CameraMotion;
        vec![Draft::condition("a", class, kind, "motion", false).told(told)]
    };
    let stamp = stamp(1);
    assert_eq!(
        sender.events(stamp, draft(Told::State), &mut memory).len(),
        0
    );
    let mut memory = Memory::default();
    assert_eq!(
        sender.events(stamp, draft(Told::Change), &mut memory).len(),
        1
    );
}

const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m,address\n\
    smoke-1,q1,z1,fire_sensor,烟感,m,60,0.0,0.0,\n\
    smoke-2,q1,z1,fire_sensor,烟感,m,60,0.0,0.0,0x2\n\
    smoke-3,q1,z1,fire_sensor,烟感,m,60,0.0,0.0,bridge:0x2\n\
    smoke-4,q1,z1,fire_sensor,烟感,m,60,0.0,0.0,0x2/1-3-17\n";

#[test]
fn a_bridge_reaches_devices_by_their_address_only() {
    let registry = test_places::registry(DEVICES);
    let of = |account: &str, address: &str| {
        let sender = sender(account, &registry);
        let class = domain::DeviceClass::FireSensor;
        let draft = Draft::new(address, class, domain::Kind::FireSmoke, Phase::Raised);
        let stamp = stamp(1);
        let events = sender.events(stamp, vec![draft], &mut Memory::default());
        events[0].device.to_string()
    };
    assert_eq!(of("other", "0x2"), "smoke-2");
    assert_eq!(of("bridge", "0x2"), "smoke-3", "its own goes first");
    // it calls itself like one that speaks for itself
    assert_eq!(of("bridge", "smoke-1"), "bridge-smoke-1");
    assert_eq!(of("bridge", "smoke-2"), "bridge-smoke-2");
    assert_eq!(of("bridge", "0x9"), "0x9");
    assert_eq!(of("bridge", ""), "bridge");
}

#[test]
fn a_part_may_be_a_device_of_its_own() {
    let registry = test_places::registry(DEVICES);
    let sender = sender("panel", &registry);
    let of = |component: Option<&str>| {
        let device = sender.device("0x2", component);
        device.map(|device| device.id.to_string())
    };
    assert_eq!(of(Some("1-3-17")).as_deref(), Some("smoke-4"));
    assert_eq!(of(Some("1-3-18")).as_deref(), Some("smoke-2"), "its panel");
    assert_eq!(of(None).as_deref(), Some("smoke-2"));

    // it is silent for weeks, and there as long as its panel is
    let heard = |format: &str, kind: Kind| {
        let sender = Sender { format, ..sender };
        let draft = Draft::new("0x2", DeviceClass::Panel, kind, Phase::Raised);
        let (alive, _) = sender.spoke(Timestamp::UNIX_EPOCH, &draft.into());
        let words: Vec<String> = alive.iter().map(ToString::to_string).collect();
        words.join(" ")
    };
    assert_eq!(heard("gbt26875", Kind::FireFault), "smoke-2 smoke-4");
    assert_eq!(heard("gbt26875", Kind::DeviceOffline), "");
    assert_eq!(
        heard("zigbee2mqtt", Kind::FireFault),
        "smoke-2",
        "a name with levels"
    );
}

#[test]
fn a_card_is_known_again_and_its_number_is_nowhere() {
    let registry = Registry::default();
    let event = |key: &[u8], number: &str| {
        let sender = Sender {
            card_key: key,
            ..sender("bridge", &registry)
        };
        let class = domain::DeviceClass::Access;
        let draft = Draft::new("door", class, domain::Kind::AccessGranted, Phase::Instant);
        let stamp = stamp(1);
        let drafts = vec![draft.credential(number)];
        sender
            .events(stamp, drafts, &mut Memory::default())
            .remove(0)
    };
    let hash =
        |key: &[u8], number: &str| event(key, number).attrs.to_value()["credential_ref"].clone();
    assert_eq!(hash(b"k", "8165533"), hash(b"k", "8165533"));
    assert_ne!(hash(b"k", "8165533"), hash(b"k", "8165534"));
    assert_ne!(hash(b"k", "8165533"), hash(b"other", "8165533"));
    assert!(!event(b"k", "8165533").attrs.as_json().contains("8165533"));
    assert!(hash(b"k", "0").is_null(), "nobody");
}

#[test]
fn a_clock_counts_only_where_it_can_be_right() {
    let received: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
    let told = |text: &str| DeviceTime {
        at: text.parse().expect("a time"),
        raw: text.to_owned(),
    };
    let of = |text: &str| occurred_at(received, Some(&told(text)));
    assert_eq!(of("2026-11-24T11:59:59Z").1, ClockSource::Device);
    assert_eq!(
        of("2026-11-24T12:00:31Z"),
        (received, ClockSource::Gateway, false)
    );
    assert_eq!(
        of("2021-01-01T00:00:00Z"),
        (received, ClockSource::Gateway, false)
    );
    assert!(of("2026-11-24T08:00:00Z").2, "late");
}

#[test]
fn rules_know_the_state_of_a_door_by_the_name_that_native_devices_give_it() {
    for (kind, attrs, want) in [
        (
            Kind::AccessDoorState,
            serde_json::json!({"state": "closed", "door": 3}),
            serde_json::json!({"state": "closed", "door": "closed", "door_no": 3}),
        ),
        (
            Kind::AccessLockState,
            serde_json::json!({"state": "locked"}),
            serde_json::json!({"state": "locked", "lock": "locked"}),
        ),
        (
            Kind::BarrierState,
            serde_json::json!({"state": "open"}),
            serde_json::json!({"state": "open", "barrier": "open"}),
        ),
        (
            Kind::AccessGranted,
            serde_json::json!({"state": "x", "door": 3}),
            serde_json::json!({"state": "x", "door": 3}),
        ),
    ] {
        let mut attrs = attrs.as_object().cloned().expect("an object");
        say_state(kind, &mut attrs);
        assert_eq!(Value::from(attrs), want, "{kind}");
    }
}
