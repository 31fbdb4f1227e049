//! Native messages as devices send them, good and bad.

use bytes::Bytes;
use domain::{ClockSource, Kind, Phase, Seq, Uplink, UplinkFlags};

use crate::adapters::{Bridges, Context, Memory, Parsed, parse, test_places};

const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m
smoke-1,q1,z1,fire_sensor,烟感-1,sim,60,1,2
door-1,q1,z1,access,门禁-1,sim,60,1,2
";

fn run(principal: &str, topic: &str, payload: impl AsRef<[u8]>) -> Parsed {
    let registry = test_places::registry(DEVICES);
    let uplink = Uplink {
        received_at: "2026-11-23T12:00:00Z".parse().expect("a time"),
        principal: principal.to_owned(),
        epoch: 7,
        flags: UplinkFlags::new(1),
        topic: topic.to_owned(),
        payload: Bytes::copy_from_slice(payload.as_ref()),
        extra: None,
    };
    parse(
        Seq(42),
        &uplink,
        &Context {
            registry: &registry,
            bridges: &Bridges::default(),
        },
        &mut Memory::default(),
    )
}

fn smoke(payload: &str) -> Parsed {
    run("smoke-1", "ssg/v1/q1/smoke-1/evt/fire-smoke", payload)
}

#[test]
fn a_smoke_event_becomes_canonical() {
    let parsed = smoke(
        r#"{"id":"a1","kind":"fire.smoke","phase":"raised","occurred_at":"2026-11-23T19:59:58.5+08:00","attrs":{"level":7}}"#,
    );
    assert_eq!(parsed.reject, None);
    let [event] = parsed.events.as_slice() else {
        panic!("one event, got {:?}", parsed.events)
    };
    assert_eq!(
        (event.kind, event.dedupe_key.as_str(), event.clock),
        (Kind::FireSmoke, "a1", ClockSource::Device)
    );
    assert_eq!(event.attrs.as_json(), r#"{"level":7}"#);
    assert_eq!(event.occurred_at.to_string(), "2026-11-23T11:59:58.5Z");
}

#[test]
fn a_clock_that_is_ahead_or_was_never_set_is_not_believed_and_a_late_upload_is() {
    for (time, clock) in [
        ("2026-11-23T12:00:29Z", ClockSource::Device),
        ("2026-11-23T12:00:31Z", ClockSource::Gateway),
        ("2026-11-21T03:00:00Z", ClockSource::Device),
        ("1970-01-01T00:00:05Z", ClockSource::Gateway),
    ] {
        let parsed = smoke(&format!(
            r#"{{"id":"a","kind":"fire.smoke","phase":"raised","occurred_at":"{time}"}}"#
        ));
        assert_eq!(
            parsed.events.first().map(|e| e.clock),
            Some(clock),
            "{time}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_rejected_with_a_reason_and_an_alarm_still_rings() {
    let deep = format!(
        r#"{{"id":"a","kind":"fire.smoke","phase":"raised","attrs":{}1{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    for (payload, code) in [
        ("", "bad_json"),
        ("smoke!", "bad_json"),
        (
            r#"{"id":"a","kind":"fire.smoke","phase":"raised""#,
            "bad_json",
        ),
        (r#"{"id":"a","kind":"fire.smoke"}"#, "bad_field"),
        (
            r#"{"id":7,"kind":"fire.smoke","phase":"raised"}"#,
            "bad_field",
        ),
        (
            r#"{"id":"","kind":"fire.smoke","phase":"raised"}"#,
            "bad_field",
        ),
        (
            r#"{"id":"a","kind":"fire.smoke","phase":"burning"}"#,
            "bad_field",
        ),
        (
            r#"{"id":"a","kind":"fire.smoke","phase":"raised","attrs":[]}"#,
            "bad_field",
        ),
        (
            r#"{"id":"a","kind":"fire.smoke","phase":"raised","occurred_at":"yesterday"}"#,
            "bad_field",
        ),
        (
            r#"{"id":"a","kind":"fire.smokes","phase":"raised"}"#,
            "unknown_kind",
        ),
        (
            r#"{"id":"a","kind":"fire.heat","phase":"raised"}"#,
            "kind_mismatch",
        ),
        (
            r#"{"id":"a\u0000","kind":"fire.smoke","phase":"raised"}"#,
            "nul",
        ),
        ("{\"id\":\"a\0\"}", "nul"),
        (deep.as_str(), "too_deep"),
    ] {
        let parsed = smoke(payload);
        assert_eq!(
            parsed.reject.as_ref().map(|r| r.code),
            Some(code),
            "{payload}"
        );
        let kinds: Vec<_> = parsed.events.iter().map(|e| e.kind).collect();
        assert_eq!(kinds, [Kind::GatewayRejected], "{payload}");
    }
}

#[test]
fn bytes_that_are_no_text_are_rejected() {
    let parsed = run(
        "smoke-1",
        "ssg/v1/q1/smoke-1/evt/fire-smoke",
        b"{\"id\":\"\xff\xfe\",\"kind\":\"fire.smoke\",\"phase\":\"raised\"}",
    );
    assert_eq!(parsed.reject.map(|r| r.code), Some("bad_json"));
}

#[test]
fn a_device_speaks_for_itself_and_its_own_site_only() {
    let good = r#"{"id":"a","kind":"fire.smoke","phase":"raised"}"#;
    for (principal, topic, code) in [
        (
            "door-1",
            "ssg/v1/q1/smoke-1/evt/fire-smoke",
            "foreign_device",
        ),
        (
            "smoke-1",
            "ssg/v1/q2/smoke-1/evt/fire-smoke",
            "foreign_site",
        ),
        (
            "smoke-9",
            "ssg/v1/q1/smoke-9/evt/fire-smoke",
            "unknown_device",
        ),
        ("smoke-1", "烟感/01/evt", "unknown_bridge"),
        ("smoke-1", "ssg/v2/q1/smoke-1/evt", "foreign_topic"),
        ("smoke-1", "ssg/v1/q1/smoke-1/evt", "unknown_channel"),
        ("smoke-1", "ssg/v1/q1/smoke-1/jump", "unknown_channel"),
    ] {
        assert_eq!(
            run(principal, topic, good).reject.map(|r| r.code),
            Some(code),
            "{topic}"
        );
    }
}

#[test]
fn readings_states_and_availability_are_kept_as_events() {
    for (principal, topic, payload, kind, key) in [
        (
            "smoke-1",
            "ssg/v1/q1/smoke-1/tele",
            r#"{"ts":"2026-11-23T12:00:00Z","battery_percent":93}"#,
            Kind::DeviceTelemetry,
            "tele:2026-11-23T12:00:00Z",
        ),
        (
            "smoke-1",
            "ssg/v1/q1/smoke-1/tele",
            r#"{"battery_percent":93}"#,
            Kind::DeviceTelemetry,
            "tele#42",
        ),
        (
            "door-1",
            "ssg/v1/q1/door-1/state/door-1",
            r#"{"door":"closed"}"#,
            Kind::AccessDoorState,
            "door-1#42",
        ),
        (
            "door-1",
            "ssg/v1/q1/door-1/avail",
            r#"{"state":"offline"}"#,
            Kind::DeviceOffline,
            "avail:7:offline",
        ),
        (
            "door-1",
            "ssg/v1/q1/door-1/meta",
            r#"{"fw":"1.2"}"#,
            Kind::DeviceConfigChanged,
            "meta#42",
        ),
        (
            "hub",
            "$hub/presence/door-1",
            r#"{"state":"online","epoch":7}"#,
            Kind::DeviceOnline,
            "online:7",
        ),
    ] {
        let parsed = run(principal, topic, payload);
        let got: Vec<_> = parsed
            .events
            .iter()
            .map(|e| (e.kind, e.dedupe_key.as_str()))
            .collect();
        assert_eq!(got, [(kind, key)], "{topic} {:?}", parsed.reject);
    }
}

#[test]
fn a_bad_reading_goes_to_quarantine_without_ringing() {
    let parsed = run("smoke-1", "ssg/v1/q1/smoke-1/tele", "not_an_int");
    assert_eq!(parsed.reject.map(|r| r.code), Some("bad_json"));
    assert!(parsed.events.is_empty());
}

#[test]
fn what_the_listener_refused_is_told() {
    let parsed = run(
        "hub",
        "$hub/security/smoke-1",
        r#"{"what":"acl_publish","detail":"`smoke-1` may not publish `烟感/01`","principal":"smoke-1","topic":"烟感/01"}"#,
    );
    let reject = parsed.reject.expect("goes to quarantine");
    assert_eq!(reject.code, crate::adapters::hub::REFUSED);
    assert!(reject.detail.contains("acl_publish"));
    let told: Vec<_> = parsed
        .events
        .iter()
        .map(|e| (e.kind, e.device.as_str()))
        .collect();
    assert_eq!(told, [(Kind::GatewayRefused, "smoke-1")]);
    let stranger = run(
        "hub",
        "$hub/security/192.0.2.7",
        r#"{"what":"auth","detail":"wrong secret","principal":"192.0.2.7","topic":""}"#,
    );
    let told: Vec<_> = stranger.events.iter().map(|e| e.device.as_str()).collect();
    assert_eq!(told, ["hub"], "nobody knows who it was");
}

#[test]
fn what_the_hub_says_of_itself_is_an_event_about_the_hub() {
    let full = run(
        "hub",
        "$hub/storage",
        r#"{"level":"full","used_percent":97}"#,
    );
    let [event] = &full.events[..] else {
        panic!("one event: {full:?}");
    };
    assert_eq!(
        (event.kind, event.phase),
        (Kind::GatewayStorage, Phase::Raised)
    );
    let over = run("hub", "$hub/storage", r#"{"level":"ok"}"#);
    assert_eq!(over.events[0].phase, Phase::Cleared);
    let back = run("hub", "$hub/restarted", r#"{"reason":"killed"}"#);
    assert_eq!(back.events[0].kind, Kind::GatewayRestarted);
    let probe = run("hub", "$hub/probe", "");
    assert!(probe.events.is_empty() && probe.reject.is_none());
    let device = run("smoke-1", "$hub/storage", r#"{"level":"ok"}"#);
    assert!(
        device
            .events
            .iter()
            .all(|e| e.kind == Kind::GatewayRejected),
        "only the hub speaks for the hub"
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), topic in "\\PC{0,40}") {
        smoke(&String::from_utf8_lossy(&payload));
        run("smoke-1", &topic, &payload);
        run("hub", &format!("$hub/{topic}"), &payload);
    }
}

#[test]
fn a_reading_from_a_wrong_clock_tells_so_besides_and_a_late_event_does_not() {
    let tele = |ts: &str| {
        let topic = "ssg/v1/q1/door-1/tele";
        run(
            "door-1",
            topic,
            format!(r#"{{"rssi_dbm":-60,"ts":"{ts}"}}"#),
        )
    };
    for (ts, skew) in [
        ("2026-11-23T11:59:30Z", None),
        ("2026-11-23T12:00:30Z", None),
        ("2026-11-23T11:59:29Z", Some(-31)),
        ("2026-11-23T20:00:00Z", Some(28_800)),
        ("1970-01-01T00:00:00Z", Some(-1_795_435_200)),
    ] {
        let events = tele(ts).events;
        assert_eq!(events[0].kind, Kind::DeviceTelemetry, "{ts}");
        let told = events.get(1).map(|event| {
            assert_eq!(event.kind, Kind::GatewayClockSkew);
            assert_ne!(event.id, events[0].id);
            event.attrs.to_value()["skew_s"].as_i64().expect("seconds")
        });
        assert_eq!(told, skew, "{ts}");
    }
    let late = smoke(
        r#"{"id":"a1","kind":"fire.smoke","phase":"raised","occurred_at":"2026-11-23T11:00:00Z"}"#,
    );
    assert_eq!(late.events.len(), 1);
}
