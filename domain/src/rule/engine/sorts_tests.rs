//! Each sort of condition by cases, as a rule file would have them: what raises it, what ends it, and the nearest thing that
//! does not raise it.

use super::super::RuleSet;

/// Rules: id, its own fields, its condition and its cases.
const RULES: &[(&str, &str, &str)] = &[
    // what others listen to
    (
        "M1",
        r#"subject = "device""#,
        r#"
        is = "match"
        kinds = ["fire.smoke"]
    "#,
    ),
    (
        "M2",
        "subject = \"door\"\ndedupe_s = 120",
        r#"
        is = "match"
        kinds = ["access.denied"]
    "#,
    ),
    // rules listen to rules
    (
        "L1",
        r#"subject = "zone""#,
        r#"
        is = "independent"
        rules = ["M1", "M2"]
        at_least = 2
        within_s = 300
        [[rule.case]]
        name = "two alarms of other rules in one zone, over when both have ended: by a device and by time"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 5, device = "door-1", component = "a", kind = "access.denied" },
          { at_s = 60, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
        ]
        expect = [
          { at_s = 5, what = "raised", subject = "zone:floor-6", detail = { count = "2", rule = "M2", devices = "door-1 smoke-1" } },
          { at_s = 125, what = "cleared", subject = "zone:floor-6" },
        ]
        until_s = 300
        [[rule.case]]
        name = "one device that says it twice is one, and another zone is another"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 1, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 2, device = "lift-cam", kind = "fire.smoke", phase = "raised" },
        ]
        expect = []
    "#,
    ),
    (
        "L2",
        r#"subject = "door""#,
        r#"
        is = "count"
        rules = ["M2"]
        at_least = 2
        within_s = 1000
        [[rule.case]]
        name = "a repeat within one alarm is no second one; the next alarm is"
        events = [
          { at_s = 0, device = "door-1", component = "a", kind = "access.denied" },
          { at_s = 50, device = "door-1", component = "a", kind = "access.denied" },
          { at_s = 400, device = "door-1", component = "a", kind = "access.denied" },
        ]
        expect = [{ at_s = 400, what = "raised", subject = "door:door-1/a", detail = { count = "2", component = "a" } }]
    "#,
    ),
    (
        "L3",
        "subject = \"rule@grid\"\nseverity_count = { \"3\" = \"P2\" }",
        r#"
        is = "count"
        rules = ["M1", "M2"]
        at_least = 2
        within_s = 2592000
        [[rule.case]]
        name = "the same sort of alarm again and again in one micro-grid, more urgent from the third on"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 10, device = "door-1", kind = "access.denied" },
          { at_s = 90000, device = "smoke-2", kind = "fire.smoke", phase = "raised" },
          { at_s = 90100, device = "lift-cam", kind = "fire.smoke", phase = "raised" },
        ]
        expect = [
          { at_s = 90000, what = "raised", subject = "rule:M1@g1", severity = "P3", detail = { count = "2" } },
          { at_s = 90100, what = "raised", subject = "rule:M1@g1", severity = "P2", detail = { count = "3" } },
        ]
    "#,
    ),
    (
        "L4",
        r#"subject = "zone""#,
        r#"
        is = "match"
        kinds = ["camera.visual_fire"]
        [rule.clear]
        rules = ["M1"]
        [[rule.case]]
        name = "over when the other rule's alarm is over"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 1, device = "smoke-1", kind = "camera.visual_fire", phase = "raised" },
          { at_s = 9, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
        ]
        expect = [
          { at_s = 1, what = "raised", subject = "zone:floor-6" },
          { at_s = 9, what = "cleared", subject = "zone:floor-6" },
        ]
    "#,
    ),
    (
        "L5",
        r#"subject = ["plate@site", "zone"]"#,
        r#"
        is = "match"
        rules = ["H3"]
        expr = "attrs.held_s >= 300 && event.phase == 'raised'"
        [[rule.case]]
        name = "what time raised is heard too, with the plate that it is about"
        events = [{ at_s = 0, device = "gate-1", kind = "vehicle.passage", attrs = { plate = "浙A12345", direction = "in" } }]
        expect = [{ at_s = 300, what = "raised", subject = "plate:浙A12345@q1,zone:lane-1", detail = { rule = "H3" } }]
        until_s = 400
    "#,
    ),
    // held
    (
        "H1",
        "subject = \"door\"\nseverity_zone = { fire_door = \"P2\" }\ndetail = [\"by\"]",
        r#"
        is = "held"
        kinds = ["access.held_open"]
        for_s = 60
        [[rule.case]]
        name = "still open after a minute, over when it closes; in a fire door more urgent"
        events = [
          { at_s = 0, device = "door-1", component = "a", kind = "access.held_open", phase = "raised", attrs = { by = "cart" } },
          { at_s = 40, device = "door-1", component = "a", kind = "access.held_open", phase = "updated", attrs = { by = "cat" } },
          { at_s = 10, device = "escape-1", kind = "access.held_open", phase = "raised" },
          { at_s = 300, device = "door-1", component = "a", kind = "access.held_open", phase = "cleared" },
        ]
        expect = [
          { at_s = 60, what = "raised", subject = "door:door-1/a", severity = "P3", detail = { held_s = "60", by = "cat", kind = "access.held_open" } },
          { at_s = 70, what = "raised", subject = "door:escape-1", severity = "P2" },
          { at_s = 300, what = "cleared", subject = "door:door-1/a" },
        ]
        [[rule.case]]
        name = "closed in time, and open anew"
        events = [
          { at_s = 0, device = "door-1", kind = "access.held_open", phase = "raised" },
          { at_s = 59, device = "door-1", kind = "access.held_open", phase = "cleared" },
          { at_s = 61, device = "door-1", kind = "access.held_open", phase = "raised" },
        ]
        expect = [{ at_s = 121, what = "raised", subject = "door:door-1" }]
        until_s = 200
    "#,
    ),
    (
        "H2",
        r#"subject = "device""#,
        r#"
        is = "held"
        kinds = ["vehicle.loiter"]
        for_s = 100
        repeat_within_s = 40
        [[rule.case]]
        name = "a device that only repeats itself: it goes on while the repeats come"
        events = [
          { at_s = 0, device = "gate-1", kind = "vehicle.loiter", times = 4, every_s = 30 },
          { at_s = 0, device = "gate-2", kind = "vehicle.loiter" },
          { at_s = 50, device = "gate-2", kind = "vehicle.loiter" },
          { at_s = 80, device = "gate-2", kind = "vehicle.loiter" },
        ]
        expect = [
          { at_s = 100, what = "raised", subject = "device:gate-1" },
          { at_s = 130, what = "cleared", subject = "device:gate-1" },
        ]
        until_s = 300
    "#,
    ),
    (
        "H3",
        r#"subject = "plate@site""#,
        r#"
        is = "held"
        kinds = ["vehicle.passage"]
        where = { direction = "in" }
        for_s = 300
        [rule.clear]
        kinds = ["vehicle.passage"]
        where = { direction = "out" }
        [[rule.case]]
        name = "a visit that does not end, until the plate leaves by another gate"
        events = [
          { at_s = 0, device = "gate-1", kind = "vehicle.passage", attrs = { plate = "浙A1", direction = "in" } },
          { at_s = 0, device = "gate-1", kind = "vehicle.passage", attrs = { plate = "浙A2", direction = "in" } },
          { at_s = 299, device = "gate-2", kind = "vehicle.passage", attrs = { plate = "浙A2", direction = "out" } },
          { at_s = 900, device = "gate-2", kind = "vehicle.passage", attrs = { plate = "浙A1", direction = "out" } },
        ]
        expect = [
          { at_s = 300, what = "raised", subject = "plate:浙A1@q1" },
          { at_s = 900, what = "cleared", subject = "plate:浙A1@q1" },
        ]
    "#,
    ),
    (
        "H4",
        r#"subject = "device""#,
        r#"
        is = "held"
        rules = ["H1"]
        for_s = 240
        [[rule.case]]
        name = "an alarm that goes on: a step of its own"
        events = [{ at_s = 0, device = "door-2", kind = "access.held_open", phase = "raised" }]
        expect = [{ at_s = 300, what = "raised", subject = "device:door-2", detail = { rule = "H1" } }]
        until_s = 400
    "#,
    ),
    // an end that waits
    (
        "O1",
        "subject = \"device\"\noff_delay_s = 30",
        r#"
        is = "match"
        kinds = ["device.fault"]
        [[rule.case]]
        name = "it ends only when it has been over for half a minute"
        events = [
          { at_s = 0, device = "smoke-1", kind = "device.fault", phase = "raised" },
          { at_s = 10, device = "smoke-1", kind = "device.fault", phase = "cleared" },
          { at_s = 15, device = "smoke-1", kind = "device.fault", phase = "raised" },
          { at_s = 18, device = "smoke-1", kind = "device.fault", phase = "cleared" },
        ]
        expect = [
          { at_s = 0, what = "raised", subject = "device:smoke-1" },
          { at_s = 15, what = "raised", subject = "device:smoke-1" },
          { at_s = 48, what = "cleared", subject = "device:smoke-1" },
        ]
        until_s = 100
    "#,
    ),
    // sequences
    (
        "Q1",
        r#"subject = "zone""#,
        r#"
        is = "sequence"
        within_s = 120
        [[rule.when.step]]
        kinds = ["access.forced_open"]
        [[rule.when.step]]
        kinds = ["camera.video_loss", "camera.tamper"]
        class = "camera"
        [[rule.case]]
        name = "two things in one zone, whichever comes first; over when both are"
        events = [
          { at_s = 0, device = "cam-1", kind = "camera.video_loss", phase = "raised" },
          { at_s = 100, device = "door-1", kind = "access.forced_open", phase = "raised" },
          { at_s = 130, device = "door-1", kind = "access.forced_open", phase = "cleared" },
          { at_s = 500, device = "cam-1", kind = "camera.video_loss", phase = "cleared" },
        ]
        expect = [
          { at_s = 100, what = "raised", subject = "zone:floor-6", detail = { devices = "cam-1 door-1" } },
          { at_s = 500, what = "cleared", subject = "zone:floor-6" },
        ]
        [[rule.case]]
        name = "too far apart, in another zone, or one alone"
        events = [
          { at_s = 0, device = "cam-1", kind = "camera.video_loss", phase = "raised" },
          { at_s = 121, device = "door-1", kind = "access.forced_open", phase = "raised" },
          { at_s = 122, device = "lift-cam", kind = "camera.tamper", phase = "raised" },
        ]
        expect = []
    "#,
    ),
    (
        "Q2",
        r#"subject = "site""#,
        r#"
        is = "sequence"
        within_s = 7200
        ordered = true
        [[rule.when.step]]
        kinds = ["vehicle.plate_read"]
        watch_list = true
        [[rule.when.step]]
        rules = ["M2"]
        [[rule.when.step]]
        kinds = ["access.duress"]
        [[rule.case]]
        name = "in the order in which they are written"
        events = [
          { at_s = 0, device = "gate-1", kind = "vehicle.plate_read", attrs = { plate = "浙A12345" } },
          { at_s = 1000, device = "door-1", kind = "access.denied" },
          { at_s = 7200, device = "door-1", kind = "access.duress" },
          { at_s = 7250, device = "door-1", kind = "access.duress" },
        ]
        expect = [
          { at_s = 7200, what = "raised", subject = "site:q1" },
          { at_s = 7250, what = "raised", subject = "site:q1" },
          { at_s = 14450, what = "cleared", subject = "site:q1" },
        ]
        until_s = 15000
        [[rule.case]]
        name = "in another order, or from too early on, it is nothing; a later beginning counts"
        events = [
          { at_s = 0, device = "door-1", kind = "access.denied" },
          { at_s = 1, device = "gate-1", kind = "vehicle.plate_read", attrs = { plate = "浙A12345" } },
          { at_s = 2, device = "door-1", kind = "access.duress" },
          { at_s = 200, device = "door-1", kind = "access.denied" },
          { at_s = 7202, device = "door-1", kind = "access.duress" },
          { at_s = 8000, device = "gate-1", kind = "vehicle.plate_read", attrs = { plate = "浙A12345" } },
          { at_s = 8300, device = "door-1", kind = "access.denied" },
          { at_s = 8301, device = "door-1", kind = "access.duress" },
        ]
        expect = [{ at_s = 8301, what = "raised", subject = "site:q1" }]
    "#,
    ),
    (
        "Q3",
        r#"subject = "site""#,
        r#"
        is = "sequence"
        within_s = 60
        [[rule.when.step]]
        rules = ["M1"]
        active = true
        [[rule.when.step]]
        kinds = ["vehicle.presence"]
        [[rule.case]]
        name = "while the fire goes on, however long it has"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 5000, device = "gate-1", kind = "vehicle.presence" },
          { at_s = 5100, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
          { at_s = 5101, device = "gate-1", kind = "vehicle.presence" },
        ]
        expect = [
          { at_s = 5000, what = "raised", subject = "site:q1" },
          { at_s = 5100, what = "cleared", subject = "site:q1" },
        ]
        until_s = 6000
        [[rule.case]]
        name = "not after it; but when it begins just after"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 10, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
          { at_s = 11, device = "gate-1", kind = "vehicle.presence" },
          { at_s = 30, device = "smoke-2", kind = "fire.smoke", phase = "raised" },
        ]
        expect = [{ at_s = 30, what = "raised", subject = "site:q1" }]
    "#,
    ),
    // numbers
    (
        "T1",
        r#"subject = "device""#,
        r#"
        is = "threshold"
        reading = "battery.percent"
        below = 20
        clear_above = 25
        for_s = 60
        [[rule.case]]
        name = "too low for a minute, well again only above the dead band"
        events = [
          { at_s = 0, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = 19 } } },
          { at_s = 30, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = 22 } } },
          { at_s = 40, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = "low" } } },
          { at_s = 90, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = 24.9 } } },
          { at_s = 100, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = 25 } } },
        ]
        expect = [
          { at_s = 60, what = "raised", subject = "device:smoke-1", detail = { percent = "19", held_s = "60" } },
          { at_s = 100, what = "cleared", subject = "device:smoke-1" },
        ]
        [[rule.case]]
        name = "a dip that ends in time, and what is just enough"
        events = [
          { at_s = 0, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = 5 } } },
          { at_s = 59, device = "smoke-1", kind = "device.telemetry", attrs = { battery = { percent = 80 } } },
          { at_s = 70, device = "smoke-2", kind = "device.telemetry", attrs = { battery = { percent = 20 } } },
        ]
        expect = []
        until_s = 300
    "#,
    ),
    (
        "T2",
        r#"subject = "zone""#,
        r#"
        is = "threshold"
        kinds = ["vehicle.presence"]
        reading = "queue"
        above = 8
        [[rule.case]]
        name = "too many at once"
        events = [
          { at_s = 0, device = "gate-1", kind = "vehicle.presence", attrs = { queue = 8 } },
          { at_s = 1, device = "gate-1", kind = "vehicle.presence", attrs = { queue = 9 } },
          { at_s = 2, device = "gate-1", kind = "vehicle.presence", attrs = { queue = 8 } },
        ]
        expect = [
          { at_s = 1, what = "raised", subject = "zone:lane-1", detail = { queue = "9" } },
          { at_s = 2, what = "cleared", subject = "zone:lane-1" },
        ]
    "#,
    ),
    // only what changes
    (
        "E1",
        r#"subject = "zone""#,
        r#"
        is = "count"
        kinds = ["access.door_state"]
        where = { door = "open" }
        edge = "attrs.door"
        at_least = 2
        within_s = 100
        [[rule.case]]
        name = "a door that says again that it is open has not opened again"
        events = [
          { at_s = 0, device = "door-1", kind = "access.door_state", attrs = { door = "open" }, times = 5, every_s = 1 },
          { at_s = 10, device = "door-1", kind = "access.door_state", attrs = { door = "closed" } },
          { at_s = 20, device = "door-1", kind = "access.door_state", attrs = { door = "open" } },
        ]
        expect = [{ at_s = 20, what = "raised", subject = "zone:floor-6", detail = { count = "2" } }]
        [[rule.case]]
        name = "however long ago it said so"
        events = [
          { at_s = 0, device = "door-1", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 5000, device = "door-1", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 5001, device = "door-2", kind = "access.door_state", attrs = { door = "open" } },
        ]
        expect = []
    "#,
    ),
    // a moment
    (
        "F1",
        "subject = \"device\"\ndedupe_s = 600",
        r#"
        is = "fleeting"
        kinds = ["fire.smoke", "fire.heat"]
        within_s = 30
        [[rule.case]]
        name = "raised and over within 30 s, and nobody else in the zone"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 30, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
        ]
        expect = [
          { at_s = 30, what = "raised", subject = "device:smoke-1" },
          { at_s = 630, what = "cleared", subject = "device:smoke-1" },
        ]
        until_s = 700
        [[rule.case]]
        name = "longer, or with a second device meanwhile, it is not; one in another zone does not matter"
        events = [
          { at_s = 0, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 31, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
          { at_s = 100, device = "smoke-1", kind = "fire.smoke", phase = "raised" },
          { at_s = 101, device = "smoke-2", kind = "fire.smoke", phase = "raised" },
          { at_s = 102, device = "smoke-2", kind = "fire.smoke", phase = "cleared" },
          { at_s = 103, device = "smoke-1", kind = "fire.smoke", phase = "cleared" },
          { at_s = 200, device = "lift-cam", kind = "fire.smoke", phase = "raised" },
          { at_s = 201, device = "smoke-1", kind = "fire.heat", phase = "raised" },
          { at_s = 202, device = "smoke-1", kind = "fire.heat", phase = "cleared" },
        ]
        expect = [{ at_s = 202, what = "raised", subject = "device:smoke-1" }]
    "#,
    ),
    // a part of many
    (
        "P1",
        r#"subject = "building""#,
        r#"
        is = "share"
        rules = ["A1-silent"]
        class = "fire_sensor"
        share = 0.4
        within_s = 600
        [[rule.case]]
        name = "two of five detectors of a building silent within ten minutes; over when one is back"
        events = [
          { at_s = 0, device = "smoke-1" },
          { at_s = 100, device = "smoke-2" },
          { at_s = 900, device = "smoke-2" },
        ]
        expect = [
          { at_s = 220, what = "raised", subject = "building:e1", detail = { count = "2", of = "5", rule = "A1-silent" } },
          { at_s = 900, what = "cleared", subject = "building:e1" },
        ]
        until_s = 920
        [[rule.case]]
        name = "one, or one now and one an hour ago, is not"
        events = [
          { at_s = 0, device = "smoke-1" },
          { at_s = 3600, device = "smoke-2" },
        ]
        expect = []
        until_s = 5000
    "#,
    ),
    (
        "A1-silent",
        r#"subject = "device""#,
        r#"
        is = "absence"
        class = "fire_sensor"
        heartbeats = 2
    "#,
    ),
    // days
    (
        "D1",
        r#"subject = "household""#,
        r#"
        is = "days"
        kinds = ["access.door_state"]
        where = { door = "open" }
        edge = "attrs.door"
        at_least = 3
        registered_over = 6
        days = 2
        of_days = 3
        [[rule.case]]
        name = "many openings on two of three days; told once a day; over when the days are past"
        start = "2026-03-02T22:00:00"
        events = [
          { at_s = 0, device = "flat-door", kind = "access.door_state", attrs = { door = "open" }, times = 3, every_s = 100 },
          { at_s = 50, device = "flat-door", kind = "access.door_state", attrs = { door = "closed" }, times = 3, every_s = 100 },
          { at_s = 7200, device = "flat-door", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 90000, device = "flat-door", kind = "access.door_state", attrs = { door = "closed" } },
          { at_s = 93600, device = "flat-door", kind = "access.door_state", attrs = { door = "open" }, times = 4, every_s = 100 },
          { at_s = 93650, device = "flat-door", kind = "access.door_state", attrs = { door = "closed" }, times = 4, every_s = 100 },
        ]
        expect = [
          { at_s = 93800, what = "raised", subject = "household:flat-601", detail = { count = "2" } },
          { at_s = 180000, what = "cleared", subject = "household:flat-601" },
        ]
        until_s = 300000
        [[rule.case]]
        name = "more registered tenants than allowed make a day count; a door that is no flat's does not"
        events = [
          { at_s = 0, device = "crowded-door", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 100, device = "crowded-door", kind = "access.door_state", attrs = { door = "closed" } },
          { at_s = 86400, device = "crowded-door", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 86401, device = "door-1", kind = "access.door_state", attrs = { door = "open" } },
        ]
        expect = [{ at_s = 86400, what = "raised", subject = "household:flat-602" }]
    "#,
    ),
    (
        "N1",
        r#"subject = "household""#,
        r#"
        is = "absence"
        of = "elder_care"
        kinds = ["access.door_state"]
        where = { door = "open" }
        after_s = 43200
        waking = "07:00-22:00"
        [[rule.case]]
        name = "twelve waking hours without a door, over with the next one; a flat without consent is not watched"
        start = "2026-03-02T20:00:00"
        events = [
          { at_s = 0, device = "flat-door", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 0, device = "crowded-door", kind = "access.door_state", attrs = { door = "open" } },
          { at_s = 60, device = "flat-door", kind = "access.door_state", attrs = { door = "closed" } },
          { at_s = 90000, device = "flat-door", kind = "access.door_state", attrs = { door = "open" } },
        ]
        expect = [
          { at_s = 75600, what = "raised", subject = "household:flat-601" },
          { at_s = 90000, what = "cleared", subject = "household:flat-601" },
        ]
        until_s = 90060
    "#,
    ),
    (
        "C1",
        r#"subject = "device""#,
        r#"
        is = "count"
        kinds = ["device.tamper"]
        at_least = 30
        within_s = 86400
        [[rule.case]]
        name = "thirty in a day, kept as counters; those of yesterday are forgotten"
        events = [
          { at_s = 0, device = "smoke-1", kind = "device.tamper", times = 20, every_s = 10 },
          { at_s = 80000, device = "smoke-1", kind = "device.tamper", times = 10, every_s = 1 },
          { at_s = 10000, device = "smoke-2", kind = "device.tamper", times = 20, every_s = 10 },
          { at_s = 100000, device = "smoke-2", kind = "device.tamper", times = 10, every_s = 1 },
        ]
        expect = [{ at_s = 80009, what = "raised", subject = "device:smoke-1", detail = { count = "30" } }]
        until_s = 100010
    "#,
    ),
];

const STAGE: &str = r#"
    [[test_watch]]
    plate = "浙A12345"
    expires_on = "2099-12-31"
    [[test_household]]
    zone = "flat-601"
    [[test_household]]
    zone = "flat-602"
    consent_care = false
    [[test_rental]]
    zone = "flat-602"
    registered = 7
    [[test_rental]]
    zone = "flat-601"
    registered = 6
"#;

/// Devices: id, class, zone, kind of zone.
const DEVICES: &[(&str, &str, &str, &str)] = &[
    ("smoke-1", "fire_sensor", "floor-6", "fire_compartment"),
    ("smoke-2", "fire_sensor", "floor-6", "fire_compartment"),
    ("smoke-3", "fire_sensor", "floor-6", "fire_compartment"),
    ("smoke-4", "fire_sensor", "floor-6", "fire_compartment"),
    ("smoke-5", "fire_sensor", "floor-6", "fire_compartment"),
    ("cam-1", "camera", "floor-6", "fire_compartment"),
    ("door-1", "access", "floor-6", "fire_compartment"),
    ("door-2", "access", "floor-6", "fire_compartment"),
    ("lift-cam", "camera", "lift-1", "lift"),
    ("gate-1", "barrier", "lane-1", "gate_lane"),
    ("gate-2", "barrier", "lane-2", "gate_lane"),
    ("escape-1", "access", "escape-1", "fire_door"),
    ("flat-door", "access", "flat-601", "unit"),
    ("crowded-door", "access", "flat-602", "unit"),
];

/// One rule of each sort, and some that listen to others, with their cases.
pub(super) fn text() -> String {
    let mut text = String::new();
    for (id, own, when) in RULES {
        let dedupe = if own.contains("dedupe_s") {
            ""
        } else {
            "dedupe_s = 300"
        };
        text.extend([format!(
            "[[rule]]\nid = \"{id}\"\ntitle_zh = \"测\"\ntitle_en = \"t\"\nseverity = \"P3\"\nlead = \"fire\"\nsop_zh = [\"看\"]\n\
             sop_en = [\"look\"]\n{dedupe}\n{own}\n[rule.when]\n{when}\n"
        )]);
    }
    for (id, class, zone, kind) in DEVICES {
        text.extend([format!(
            "[[test_device]]\nid = \"{id}\"\nclass = \"{class}\"\nzone = \"{zone}\"\nzone_kind = \"{kind}\"\nbuilding = \"e1\"\n"
        )]);
    }
    text + STAGE
}

pub(super) fn sorts() -> RuleSet {
    RuleSet::parse(&[("sorts.toml".to_owned(), text())]).unwrap_or_else(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", list.join("\n"))
    })
}

#[test]
fn every_sort_of_condition_does_what_its_cases_say() {
    let failures: Vec<String> = sorts()
        .self_test()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
