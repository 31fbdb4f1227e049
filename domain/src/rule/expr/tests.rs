use super::*;
use crate::{
    Attrs, ClockSource, DeviceClass, EventId, Kind, Phase, Seq, Timestamp, place::ZoneKind,
};

fn event(attrs: &Value) -> Event {
    let at = Timestamp::UNIX_EPOCH;
    Event {
        id: EventId::of_uplink(at, Seq(1), 0),
        seq: Seq(1),
        site: "q1".parse().expect("a slug"),
        device: "cam-1".parse().expect("a slug"),
        class: DeviceClass::Camera,
        component: None,
        kind: Kind::CameraObject,
        phase: Phase::Raised,
        dedupe_key: "k".to_owned(),
        occurred_at: at,
        received_at: at,
        clock: ClockSource::Device,
        attrs: Attrs::from_value(attrs),
    }
}

/// What the expression says about one camera event on floor 6, on a Sunday at 13:05.
fn ask(text: &str, attrs: &Value, zone: bool) -> Option<bool> {
    let expr = Expr::compile(text).unwrap_or_else(|e| panic!("{text}: {} ({})", e.what, e.hint));
    let event = event(attrs);
    let stand = Zone {
        id: "floor-6".parse().expect("a slug"),
        site: "q1".parse().expect("a slug"),
        building: Some("e2".parse().expect("a slug")),
        floor: Some(6),
        floor_to: None,
        kind: ZoneKind::Stair,
        name: "6层".to_owned(),
        grid: "g1".parse().expect("a slug"),
    };
    let made = Made::default();
    expr.holds(&Facts {
        event: &event,
        zone: zone.then_some(&stand),
        attrs,
        local: civil::date(2026, 3, 1).at(13, 5, 0, 0),
        plate: None,
        watched: false,
        made: &made,
    })
}

#[test]
fn expressions_ask_event_attributes_zone_and_time() {
    let attrs = serde_json::json!({
        "confidence": 0.93, "count": 9, "big": u64::MAX, "label": "e_bike", "box": { "w": 3 }, "tags": ["a", "b"], "none": null,
    });
    for (text, answer) in [
        ("attrs.confidence > 0.8 && attrs.count > 8", true),
        ("attrs.confidence < 1", true),
        ("attrs.count >= 8.5", true),
        ("attrs.count == 9.0", true),
        ("attrs.big > 5.0", true),
        ("attrs.label in ['e_bike', 'battery']", true),
        ("attrs.label == 'battery' ? false : attrs.box.w == 3", true),
        ("attrs.tags.exists(t, t == 'b')", true),
        ("attrs.tags.all(t, t == 'b')", false),
        (
            "size(attrs.tags) == 2 && attrs.label.startsWith('e_')",
            true,
        ),
        ("!has(attrs.door)", true),
        ("has(attrs.door) && attrs.door == 'open'", false),
        ("attrs.none == null", true),
        (
            "event.kind == 'camera.object' && event.phase == 'raised'",
            true,
        ),
        ("event.class == 'camera' && event.device == 'cam-1'", true),
        ("event.site == 'q1' && !has(event.component)", true),
        ("zone.floor > 5 && zone.kind == 'stair'", true),
        (
            "zone.building == 'e2' && zone.grid == 'g1' && zone.id == 'floor-6'",
            true,
        ),
        ("hour >= 13 && hour < 14 && weekday == 7", true),
        ("plate == null && !watched", true),
        ("true", true),
    ] {
        assert_eq!(ask(text, &attrs, true), Some(answer), "{text}");
    }
    assert_eq!(ask("!has(zone.floor)", &attrs, false), Some(true));
}

#[test]
fn what_an_event_lacks_is_no_answer_and_no_panic() {
    let attrs = serde_json::json!({ "label": "x", "many": vec![0; VALUES_MAX], "zero": 0, "max": i64::MAX });
    for text in [
        "attrs.label == 'x'", // together with a giant list
        "attrs.zero == 0",
    ] {
        assert_eq!(ask(text, &attrs, true), None, "{text}");
    }
    let attrs = serde_json::json!({ "label": "x", "zero": 0, "max": i64::MAX });
    for text in [
        "attrs.confidence > 0.8",
        "attrs.label > 3",
        "attrs.label.door == 'x'",
        "1 / attrs.zero == 1",
        "1 % attrs.zero == 1",
        "attrs.max + 1 > 0",
        "-attrs.max - 2 < 0",
        "attrs.max * attrs.max > 0",
        "int(attrs.label) == 1",
        "attrs.label[0] == 'x'",
        "[1][attrs.max] == 1",
        "zone.floor > 5",
        "attrs.label",
        "int(1e300) > 0",
    ] {
        assert_eq!(ask(text, &attrs, false), None, "{text}");
    }
}

#[test]
fn mistakes_are_named_with_what_was_meant() {
    let long = format!("attrs.label == '{}'", "x".repeat(EXPR_BYTES_MAX));
    let deep = format!("{}true{}", "(".repeat(100), ")".repeat(100));
    let nots = format!("{}true", "!".repeat(400));
    let minus = format!("{}1 == 1", "-".repeat(400));
    let lists = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (text, what, hint) in [
        (
            "atrs.count > 8",
            "unknown name `atrs`",
            "did you mean `attrs`?",
        ),
        (
            "zone.flor > 8",
            "`zone` has no field `flor`",
            "did you mean `floor`?",
        ),
        (
            "event.typ == 'x'",
            "`event` has no field `typ`",
            "known are",
        ),
        (
            "attrs.label.startswith('x')",
            "unknown function `startswith`",
            "did you mean `startsWith`?",
        ),
        (
            "attrs.count > ",
            "is not an expression, at its column",
            "as in",
        ),
        (
            "attrs.a && (attrs.b",
            "is not an expression, at its column",
            "as in",
        ),
        ("", "is not an expression", "as in"),
        ("1 + 1", "does not say yes or no", "compare it"),
        ("'yes'", "does not say yes or no", "compare it"),
        ("attrs", "does not say yes or no", "compare it"),
        (
            "attrs.a.exists(x, x.exists(y, y == 1))",
            "walks through a list inside a list",
            "one `exists`",
        ),
        (
            "attrs.a.map(x, x) == [1]",
            "makes a list",
            "`map` and `filter` are not allowed",
        ),
        (
            "attrs.a.filter(x, x > 1) == [1]",
            "makes a list",
            "`map` and `filter` are not allowed",
        ),
        (
            "attrs.a.matches('(a+)+$')",
            "`matches` is not allowed",
            "use `exists`",
        ),
        ("x.y{a: 1} == 1", "unknown type", "single fields"),
        (&long, "is longer than", "say part of it"),
        (&deep, "is not an expression", "as in"),
        (&lists, "", ""),
    ] {
        let said = Expr::compile(text).expect_err(text);
        assert!(said.what.starts_with(what), "{text}: {said:?}");
        assert!(
            said.hint.starts_with(hint) || said.hint.contains(hint),
            "{text}: {said:?}"
        );
    }
    for text in [nots, minus] {
        let _ = Expr::compile(&text);
    }
}

mod garbage {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is written, it is a mistake or an expression that can be asked.
        #[test]
        fn never_panics(words in prop::collection::vec(prop::sample::select(vec![
            "attrs", ".", "x", "(", ")", "[", "]", "{", "}", "&&", "||", "!", "-", "+", "*", "/", "%", "==", "<", "in", "?", ":",
            "'a'", "\"", "'", "b'\\x", "r'", "'''", "1", "1u", "0x", "1e400", "9223372036854775807", ",", "has(", "exists(", "all(x,",
            "size(", "int(", "null", "true", "zone", "hour", " ", "\n", "\\", "`", "浙", "optional", "?.", "[?", "duration('1s')",
        ]), 0..24)) {
            let text = words.concat();
            if Expr::compile(&text).is_ok() {
                ask(&text, &serde_json::json!({ "x": [1, "a", { "x": -5 }], "a": i64::MIN }), true);
            }
        }

        #[test]
        fn never_panics_on_any_text(text in "\\PC{0,40}") {
            let _ = Expr::compile(&text);
        }
    }
}
