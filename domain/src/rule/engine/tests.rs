//! The engine under restarts, limits and odd devices. What each sort of condition means is told by the cases in the shipped
//! rule files; here is what a rule file cannot say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::shipped_tests::shipped;
use super::super::{Condition, Finding, FindingKind, RuleSet, WindowChange, WindowRow};
use super::sorts_tests::sorts;
use super::{Engine, Limits};
use crate::place::Registry;
use crate::{
    Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Phase, Seq, Timestamp,
};

const PLACES: &str = r#"
    [community]
    name = "试"
    name_en = "Test"
    station = "站"
    station_en = "Station"
    time_zone = "Asia/Shanghai"
    [[committee]]
    id = "c1"
    name = "一委"
    [[person]]
    id = "p1"
    name = "王磊"
    [[grid]]
    id = "g1"
    name = "一格"
    committee = "c1"
    captain = "p1"
    [[site]]
    id = "q1"
    name = "一区"
    name_en = "Quarter 1"
    width_m = 100.0
    height_m = 80.0
    x_m = 0.0
    y_m = 0.0
    [[zone]]
    id = "floor-6"
    site = "q1"
    building = "e1"
    kind = "fire_compartment"
    name = "6层"
    grid = "g1"
    [[zone]]
    id = "lift-1"
    site = "q1"
    kind = "lift"
    name = "1号梯"
    grid = "g1"
    [[building]]
    id = "e1"
    site = "q1"
    name = "1幢"
    floors = 6
    outline = { x_m = 0.0, y_m = 0.0, width_m = 10.0, height_m = 10.0 }
    [[zone]]
    id = "flat-601"
    site = "q1"
    building = "e1"
    kind = "unit"
    name = "601"
    grid = "g1"
    [[watch]]
    plate = "浙A12345"
    reason = "test"
    owner = "p1"
    expires_on = "2099-12-31"
"#;
const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m
smoke-1,q1,floor-6,fire_sensor,n,m,60,0,0
smoke-2,q1,floor-6,fire_sensor,n,m,60,0,0
smoke-3,q1,lift-1,fire_sensor,n,m,90,0,0
panel-1,q1,floor-6,panel,n,m,60,0,0
gate-1,q1,floor-6,barrier,n,m,60,0,0
door-1,q1,floor-6,access,n,m,60,0,0
door-2,q1,floor-6,access,n,m,60,0,0
lift-cam,q1,lift-1,camera,n,m,60,0,0
flat-door,q1,flat-601,access,n,m,60,0,0
";

fn registry() -> Arc<Registry> {
    Arc::new(
        Registry::from_files([("places.toml", PLACES), ("devices.csv", DEVICES)])
            .unwrap_or_else(|e| panic!("{e:?}")),
    )
}

fn engine() -> Engine {
    Engine::new(Arc::new(shipped()), registry())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_416_800 + seconds).expect("in range")
}

fn id(device: &str) -> DeviceId {
    device.parse().expect("a slug")
}

fn event(seconds: i64, device: &str, kind: Kind, phase: Phase) -> Event {
    let class = registry()
        .devices
        .get(&id(device))
        .map_or(DeviceClass::FireSensor, |d| d.class);
    Event {
        id: EventId::of_uplink(at(seconds), Seq(1), 0),
        seq: Seq(1),
        site: "q1".parse().expect("a slug"),
        device: id(device),
        class,
        component: None,
        kind,
        phase,
        dedupe_key: "k".to_owned(),
        occurred_at: at(seconds),
        received_at: at(seconds),
        clock: ClockSource::Device,
        attrs: Attrs::empty(),
    }
}

fn smoke(seconds: i64, device: &str) -> Event {
    event(seconds, device, Kind::FireSmoke, Phase::Raised)
}

fn with_attrs(mut event: Event, attrs: &serde_json::Value) -> Event {
    event.attrs = Attrs::from_value(attrs);
    event
}

fn denied(seconds: i64, credential: &str) -> Event {
    let event = event(seconds, "door-1", Kind::AccessDenied, Phase::Instant);
    with_attrs(event, &serde_json::json!({ "credential_ref": credential }))
}

/// The rows as a state database would hold them.
#[derive(Default, Clone, PartialEq, Debug)]
struct Rows(BTreeMap<String, String>);

impl Rows {
    fn write(&mut self, engine: &mut Engine) -> usize {
        let changes = engine.take_dirty();
        let count = changes.len();
        for change in changes {
            match change {
                WindowChange::Put(row) => {
                    self.0.insert(row.key, row.value);
                }
                WindowChange::Delete(key) => {
                    self.0.remove(&key);
                }
            }
        }
        count
    }
    fn read(&self) -> Vec<WindowRow> {
        let rows = self.0.iter();
        rows.map(|(key, value)| WindowRow {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
    }
    fn without_silences(&self) -> BTreeMap<&str, &str> {
        let rows = self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        rows.filter(|(key, _)| !hears_silence(key)).collect()
    }
}

/// Rules about silence; with `listeners` also those that listen to them, however indirectly.
fn silences(listeners: bool) -> BTreeSet<String> {
    let (shipped, sorts) = (shipped(), sorts());
    let mut ids = BTreeSet::new();
    loop {
        let before = ids.len();
        for rule in shipped.rules().iter().chain(sorts.rules()) {
            let mut heard = rule.condition.matchers();
            heard.extend(&rule.clear);
            let hears = heard.iter().flat_map(|m| &m.rules);
            let hears = listeners && hears.into_iter().any(|id| ids.contains(id.as_str()));
            if hears
                || matches!(
                    rule.condition,
                    Condition::Absence { .. } | Condition::Quiet { .. }
                )
            {
                ids.insert(rule.meta.id.to_string());
            }
        }
        if ids.len() == before {
            return ids;
        }
    }
}

/// Whether a rule's id, or the row key that begins with one, is that of a rule about silence.
fn is_of_silence(key: &str) -> bool {
    static RULES: LazyLock<BTreeSet<String>> = LazyLock::new(|| silences(false));
    RULES.contains(key.split('|').next().unwrap_or_default())
}

/// The same with those that listen to it: after a restart they may come later.
fn hears_silence(key: &str) -> bool {
    static RULES: LazyLock<BTreeSet<String>> = LazyLock::new(|| silences(true));
    RULES.contains(key.split('|').next().unwrap_or_default())
}

fn rules_of(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|f| format!("{:?} {} {}", f.what, f.rule, f.subject))
        .collect()
}

#[test]
fn a_device_in_no_known_zone_still_rings() {
    let mut engine = engine();
    let findings = engine.on_event(&smoke(0, "smoke-new"));
    assert_eq!(rules_of(&findings), ["Raised S1 device:smoke-new"]);
    assert_eq!(findings[0].zone, None);
}

#[test]
fn two_detectors_behind_one_panel_are_two() {
    let mut engine = engine();
    let loop_point = |seconds, component: &str| {
        let mut event = event(seconds, "panel-1", Kind::FireSmoke, Phase::Raised);
        event.component = Some(component.to_owned());
        event
    };
    let first = engine.on_event(&loop_point(0, "l1-7"));
    assert_eq!(rules_of(&first), ["Raised S1 device:panel-1"]);
    let second = engine.on_event(&loop_point(1, "l1-8"));
    assert_eq!(
        rules_of(&second),
        ["Raised S1 device:panel-1", "Raised S2 zone:floor-6"]
    );
}

#[test]
fn a_clear_without_a_component_speaks_for_the_whole_device() {
    let mut engine = engine();
    let mut raised = event(0, "door-1", Kind::AccessForcedOpen, Phase::Raised);
    raised.component = Some("main".to_owned());
    engine.on_event(&raised);
    let mut cleared = event(5, "door-1", Kind::AccessForcedOpen, Phase::Cleared);
    assert!(
        engine.on_event(&cleared).is_empty(),
        "the subject is another door"
    );
    cleared.component = Some("main".to_owned());
    assert_eq!(
        rules_of(&engine.on_event(&cleared)),
        ["Cleared A1 door:door-1/main"]
    );
}

#[test]
fn a_storm_of_repeats_is_told_every_ten_seconds_and_is_one_row() {
    let mut engine = engine();
    let mut told = 0;
    for tenth in 0..1000 {
        let mut event = smoke(0, "smoke-1");
        event.received_at = at(0) + SignedDuration::from_millis(tenth * 100);
        told += engine.on_event(&event).len();
    }
    assert_eq!(told, 10);
    let mut rows = Rows::default();
    rows.write(&mut engine);
    for (rule, what) in [("S1|", "of the detector"), ("S2|", "of its zone")] {
        let keys = rows.0.keys().filter(|key| key.starts_with(rule));
        assert_eq!(keys.count(), 1, "{rule} {what}");
    }
    let listening = engine.rules().rules().len();
    assert!(rows.0.len() < listening, "one of each rule at most");
    assert_eq!(engine.take_dirty(), []);
}

#[test]
fn a_flood_of_foreign_keys_is_bounded_counted_and_leaves_no_rows() {
    let limits = Limits {
        subjects_per_rule: 100,
        ..Limits::default()
    };
    let mut engine = Engine::with_limits(Arc::new(shipped()), registry(), limits);
    let mut rows = Rows::default();
    for n in 0..1000 {
        engine.on_event(&denied(n / 100, &format!("card-{n}")));
        rows.write(&mut engine);
    }
    assert_eq!(engine.evicted(), 900);
    let of = |rule| rows.0.keys().filter(|key| key.starts_with(rule)).count();
    assert!(of("A4c|") <= 100 && of("A4|") == 1, "credentials, one door");
    assert_eq!(rows.0.len(), engine.subjects());
    engine.on_tick(at(3600));
    // those that listen to it over a month have forgotten by then, too
    engine.on_tick(at(40 * 24 * 3600));
    rows.write(&mut engine);
    assert_eq!((engine.subjects(), rows.0.len()), (0, 0));
}

#[test]
fn when_room_is_made_an_open_alarm_is_kept() {
    let limits = Limits {
        subjects_per_rule: 2,
        ..Limits::default()
    };
    let mut engine = Engine::with_limits(Arc::new(shipped()), registry(), limits);
    for (n, door) in ["a", "b", "c"].iter().enumerate() {
        let mut event = denied(n as i64, "mine");
        event.component = Some((*door).to_owned());
        engine.on_event(&event);
    }
    for n in 0..10 {
        engine.on_event(&denied(10 + n, &format!("card-{n}")));
    }
    let mut again = denied(30, "mine");
    again.component = Some("d".to_owned());
    let findings = engine.on_event(&again);
    assert_eq!(findings[0].subject, "credential:mine@q1");
    assert_eq!(findings[0].detail["count"], "4");
}

#[test]
fn rows_that_no_rule_can_read_are_deleted() {
    let mut engine = engine();
    let row = |key: &str, value: &str| WindowRow {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    engine.restore(vec![
        row("OLD9|device:smoke-1", "{}"),
        row("S1|device:smoke-1", "not json"),
        row("A4|door:door-1", r#"{"memory":{"sources":[]}}"#),
        row("S7|device:gone", r#"{"heard_at":"2026-03-02T02:00:00Z"}"#),
        row("nonsense", "{}"),
    ]);
    let gone: Vec<WindowChange> = engine.take_dirty();
    assert_eq!(gone.len(), 5);
    assert!(gone.iter().all(|c| matches!(c, WindowChange::Delete(_))));
    assert_eq!(engine.take_dirty(), []);
}

#[test]
fn the_hub_blames_nobody_for_its_own_absence() {
    let mut engine = engine();
    let mut rows = Rows::default();
    engine.on_tick(at(0));
    engine.seen(&id("smoke-1"), at(0));
    rows.write(&mut engine);
    // down for an hour; the device died meanwhile
    let mut engine = self::engine();
    engine.restore(rows.read());
    for second in 3600..3720 {
        assert_eq!(engine.on_tick(at(second)), [], "at {second} s");
    }
    let findings = engine.on_tick(at(3720));
    assert_eq!(rules_of(&findings), ["Raised S7 device:smoke-1"]);
    // suspended for another hour: another device that spoke just before is not blamed either
    engine.seen(&id("smoke-2"), at(3720));
    assert_eq!(engine.on_tick(at(7300)), []);
}

#[test]
fn a_silence_that_was_open_at_a_restart_ends_with_the_next_word() {
    let mut engine = engine();
    let mut rows = Rows::default();
    engine.seen(&id("smoke-1"), at(0));
    for second in 0..=120 {
        engine.on_tick(at(second));
    }
    rows.write(&mut engine);
    engine.seen(&id("smoke-1"), at(121));
    let mut spoke = rows.clone();
    spoke.write(&mut engine);
    for (rows, word) in [(rows, true), (spoke, false)] {
        let mut engine = self::engine();
        engine.restore(rows.read());
        if word {
            engine.seen(&id("smoke-1"), at(200));
        }
        let findings = engine.on_tick(at(200));
        assert_eq!(rules_of(&findings), ["Cleared S7 device:smoke-1"]);
        assert_eq!(engine.on_tick(at(201)), []);
    }
}

#[test]
fn words_of_a_healthy_device_cost_one_row_an_hour() {
    let mut engine = engine();
    let mut rows = Rows::default();
    let mut written = 0;
    for minute in 0..180 {
        engine.on_tick(at(minute * 60));
        engine.seen(&id("smoke-1"), at(minute * 60));
        written += rows.write(&mut engine);
    }
    assert_eq!(written, 3);
}

#[test]
fn only_kinds_that_a_rule_asks_for_are_interesting() {
    let engine = engine();
    assert!(engine.interested(Kind::FireSmoke));
    assert!(engine.interested(Kind::AccessDoorState), "it clears A1");
    assert!(!engine.interested(Kind::DeviceTelemetry));
}

#[test]
fn a_long_silence_is_found_by_a_hub_that_restarts_every_day() {
    const DAY: i64 = 86_400;
    let rules = Arc::new(sorts());
    let mut places = PLACES.to_owned();
    places.push_str(
        "[[household]]\nid = \"h1\"\nzone = \"flat-601\"\nresidents = 1\nelder_alone = true\nconsent_care = true\nlanguage = \"zh\"\n",
    );
    let devices = format!("{DEVICES}battery-1,q1,floor-6,fire_sensor,n,m,86400,0,0\n");
    let registry = Registry::from_files([("places.toml", &*places), ("devices.csv", &*devices)]);
    let registry = Arc::new(registry.unwrap_or_else(|e| panic!("{e:?}")));
    let fresh = || Engine::new(Arc::clone(&rules), Arc::clone(&registry));
    let (mut engine, mut rows) = (fresh(), Rows::default());
    engine.on_tick(at(0));
    engine.seen(&id("battery-1"), at(0));
    let open = event(0, "flat-door", Kind::AccessDoorState, Phase::Instant);
    engine.on_event(&with_attrs(open, &serde_json::json!({ "door": "open" })));
    let mut found = Vec::new();
    for minute in 1..4 * 24 * 60 {
        let now = minute * 60;
        // half an hour down every day, in waking hours
        if now % DAY == 3600 {
            rows.write(&mut engine);
            engine = fresh();
            engine.restore(rows.read());
        }
        if now % DAY < 3600 || now % DAY >= 5400 {
            found.extend(engine.on_tick(at(now)).into_iter().map(|f| (now, f)));
            rows.write(&mut engine);
        }
    }
    let raised = |rule: &str| -> Vec<i64> {
        let of_rule = found.iter().filter(|(_, f)| f.rule.as_str() == rule);
        of_rule.map(|(now, _)| *now).collect()
    };
    // at(0) is 10:00; down from 11:00 to 11:30 (noticed from the last row on, a minute before)
    let [quiet] = raised("N1")[..] else {
        panic!("{:?}", raised("N1"));
    };
    let until_22 = 12 * 3600 - 1860;
    let expected = DAY - 3 * 3600 + (12 * 3600 - until_22);
    assert!((expected..=expected + 120).contains(&quiet), "{quiet}");
    // 2 × 24 h, without two gaps; the row of its last word may have been an hour old
    let [silent] = raised("A1-silent")[..] else {
        panic!("{:?}", raised("A1-silent"));
    };
    assert!(
        (2 * DAY + 3600..=2 * DAY + 3 * 3600).contains(&silent),
        "{silent}"
    );
}

/// A rule that nothing here sets off.
const EXTRA: &str = r#"
[[rule]]
id = "EXTRA"
title_zh = "又"
title_en = "Another"
severity = "P4"
subject = "device"
dedupe_s = 60
lead = "fire"
sop_zh = ["看"]
sop_en = ["look"]
[rule.when]
is = "match"
kinds = ["device.joined"]
"#;

/// The shipped rules as one text; files of one folder have stages of their own, so the cases are left out.
fn all_shipped() -> String {
    let files = super::super::shipped_tests::files_of("rules");
    let mut text = String::new();
    for (_, file) in files {
        let mut in_stage = false;
        for line in file.lines() {
            if line.starts_with("[[") || line.starts_with("[rule") {
                in_stage = line.starts_with("[[test_") || line.starts_with("[[rule.case]]");
            }
            if !in_stage {
                text.extend([line, "\n"]);
            }
        }
    }
    text
}

#[test]
fn a_rule_that_is_gone_or_another_one_ends_its_alarm_and_drops_its_rows() {
    let rule = |id: &str, own: &str, when: &str| {
        EXTRA
            .replace("EXTRA", id)
            .replace("subject = \"device\"", own)
            .replace("is = \"match\"\nkinds = [\"device.joined\"]", when)
    };
    let set = |text: String| Arc::new(RuleSet::parse(&[("r.toml".into(), text)]).expect("good"));
    let smoke_when = "is = \"match\"\nkinds = [\"fire.smoke\"]";
    let device = "subject = \"device\"";
    let before = [
        rule("R1", device, smoke_when),
        rule("R2", device, smoke_when),
        rule("R3", device, smoke_when),
        rule("R4", device, smoke_when),
        rule(
            "R5",
            device,
            "is = \"absence\"\nclass = \"fire_sensor\"\nheartbeats = 1",
        ),
    ];
    let after = [
        // another number, another place in the file
        rule("R4", &format!("{device}\ndetail = [\"x\"]"), smoke_when),
        // another subject
        rule("R2", "subject = \"zone\"", smoke_when),
        // another sort
        rule(
            "R3",
            device,
            &format!("{smoke_when}\nat_least = 2\nwithin_s = 60").replace("match", "count"),
        ),
    ];
    let mut engine = Engine::new(set(before.concat()), registry());
    let mut rows = Rows::default();
    for second in 0..=60 {
        if second == 0 {
            engine.seen(&id("smoke-1"), at(0));
        }
        engine.on_tick(at(second));
    }
    engine.on_event(&smoke(60, "smoke-1"));
    rows.write(&mut engine);
    assert_eq!(rows.0.len(), 5);
    let told = engine.reload(set(after.concat()), at(61));
    let gone: Vec<&str> = told.gone.iter().map(crate::RuleId::as_str).collect();
    let over: Vec<&str> = told
        .started_over
        .iter()
        .map(crate::RuleId::as_str)
        .collect();
    assert_eq!((gone, over), (vec!["R1", "R5"], vec!["R2", "R3"]));
    assert_eq!(
        rules_of(&told.findings),
        [
            "Cleared R1 device:smoke-1",
            "Cleared R2 device:smoke-1",
            "Cleared R3 device:smoke-1",
            "Cleared R5 device:smoke-1"
        ]
    );
    rows.write(&mut engine);
    assert_eq!(rows.0.keys().collect::<Vec<_>>(), ["R4|device:smoke-1"]);
    let cleared = event(62, "smoke-1", Kind::FireSmoke, Phase::Cleared);
    assert_eq!(
        rules_of(&engine.on_event(&cleared)),
        ["Cleared R4 device:smoke-1"]
    );
}

#[test]
fn a_device_that_is_removed_ends_what_it_had_raised_and_one_that_is_new_is_listened_to() {
    let with = |devices: &str| {
        let read = Registry::from_files([("places.toml", PLACES), ("devices.csv", devices)]);
        Arc::new(read.unwrap_or_else(|e| panic!("{e:?}")))
    };
    let rule = |id: &str, own: &str, when: &str| {
        EXTRA
            .replace("EXTRA", id)
            .replace("subject = \"device\"", own)
            .replace("is = \"match\"\nkinds = [\"device.joined\"]", when)
    };
    let smoke_when = "is = \"match\"\nkinds = [\"fire.smoke\"]";
    let silence = "is = \"absence\"\nclass = \"fire_sensor\"\nheartbeats = 1";
    let text = [
        rule("R1", "subject = \"device\"", smoke_when),
        rule("R2", "subject = \"zone\"", smoke_when),
        rule("R3", "subject = \"device\"", silence),
    ];
    let set = RuleSet::parse(&[("r.toml".into(), text.concat())]).expect("good");
    let mut engine = Engine::new(Arc::new(set), registry());
    let mut rows = Rows::default();
    for second in 0..=60 {
        if second == 0 {
            engine.seen(&id("smoke-1"), at(0));
        }
        engine.on_tick(at(second));
    }
    for device in ["smoke-1", "smoke-2", "smoke-3"] {
        engine.on_event(&smoke(60, device));
    }
    rows.write(&mut engine);
    // smoke-1 goes, smoke-3 moves to where smoke-2 still burns, smoke-9 is new
    let devices = DEVICES
        .replace("smoke-1,", "smoke-9,")
        .replace("smoke-3,q1,lift-1", "smoke-3,q1,floor-6");
    let told = engine.reload_registry(with(&devices), at(61));
    assert_eq!(
        rules_of(&told.findings),
        [
            "Cleared R1 device:smoke-1",
            "Cleared R2 zone:lift-1",
            "Cleared R3 device:smoke-1"
        ]
    );
    let why = told
        .findings
        .iter()
        .map(|f| f.detail.get("registry_changed"));
    assert!(why.flatten().all(|said| said == "true"));
    assert!(told.gone.is_empty() && told.started_over.is_empty());
    rows.write(&mut engine);
    assert_eq!(
        rows.0.keys().collect::<Vec<_>>(),
        ["R1|device:smoke-2", "R1|device:smoke-3", "R2|zone:floor-6"]
    );
    engine.seen(&id("smoke-9"), at(62));
    let heard: Vec<_> = (62..=130).flat_map(|s| engine.on_tick(at(s))).collect();
    assert!(
        rules_of(&heard).contains(&"Raised R3 device:smoke-9".to_owned()),
        "{heard:?}"
    );
}

/// The rules of all sorts, or those that ship; read once.
fn rules(all_sorts: bool) -> Arc<RuleSet> {
    static READ: LazyLock<[Arc<RuleSet>; 2]> =
        LazyLock::new(|| [Arc::new(shipped()), Arc::new(sorts())]);
    Arc::clone(&READ[usize::from(all_sorts)])
}

/// The same with one rule before all others, so that every rule has another number.
fn one_more(all_sorts: bool) -> Arc<RuleSet> {
    static READ: LazyLock<[Arc<RuleSet>; 2]> = LazyLock::new(|| {
        [all_shipped(), super::sorts_tests::text()].map(|text| {
            let set = RuleSet::parse(&[("more.toml".to_owned(), format!("{EXTRA}{text}"))]);
            Arc::new(set.unwrap_or_else(|e| panic!("{}", e[0])))
        })
    });
    Arc::clone(&READ[usize::from(all_sorts)])
}

#[test]
fn what_stopped_long_ago_is_not_found_held_by_a_late_look() {
    let mut engine = Engine::new(rules(true), registry());
    let loiter = |seconds| event(seconds, "gate-1", Kind::VehicleLoiter, Phase::Instant);
    engine.on_event(&loiter(0));
    assert_eq!(engine.on_tick(at(110)), []);
    // but what lasted long enough is found, however late
    for seconds in [200, 230, 260, 290] {
        engine.on_event(&loiter(seconds));
    }
    assert_eq!(
        rules_of(&engine.on_tick(at(400))),
        ["Raised H2 device:gate-1", "Cleared H2 device:gate-1"]
    );
}

/// Something that may happen to an engine.
#[derive(Debug, Clone)]
enum Happening {
    Event(Box<Event>),
    Word(&'static str),
    Tick,
}

fn happening() -> impl Strategy<Value = (i64, Happening)> {
    const SPEAKERS: &[(&str, &[Kind])] = &[
        ("smoke-1", &[Kind::FireSmoke, Kind::FireHeat]),
        ("smoke-2", &[Kind::FireSmoke, Kind::FireManualCall]),
        (
            "smoke-3",
            &[Kind::FireSmoke, Kind::DeviceTelemetry, Kind::DeviceFault],
        ),
        ("panel-1", &[Kind::FireDetector]),
        (
            "gate-1",
            &[
                Kind::VehiclePlateRead,
                Kind::VehiclePassage,
                Kind::VehicleLoiter,
                Kind::VehiclePresence,
            ],
        ),
        (
            "door-1",
            &[
                Kind::AccessDenied,
                Kind::AccessForcedOpen,
                Kind::AccessDoorState,
            ],
        ),
        (
            "door-2",
            &[
                Kind::AccessDenied,
                Kind::GatewayRejected,
                Kind::AccessHeldOpen,
                Kind::AccessDuress,
            ],
        ),
        ("flat-door", &[Kind::AccessDoorState, Kind::DeviceTamper]),
        (
            "lift-cam",
            &[
                Kind::CameraObject,
                Kind::CameraVideoLoss,
                Kind::CameraVisualFire,
            ],
        ),
    ];
    let phases = prop::sample::select(vec![
        Phase::Instant,
        Phase::Raised,
        Phase::Updated,
        Phase::Cleared,
    ]);
    let attrs = prop::sample::select(vec![
        serde_json::json!({}),
        serde_json::json!({ "plate": "浙A·12345", "label": "e_bike", "door": "closed" }),
        serde_json::json!({ "credential_ref": "c1", "door": "open", "battery": { "percent": 10 }, "queue": 9 }),
        serde_json::json!({ "plate": "浙A1", "direction": "in", "battery": { "percent": 30 }, "queue": 2 }),
        serde_json::json!({ "plate": "浙A1", "direction": "out", "battery": { "percent": 22 } }),
        serde_json::json!({ "credential_ref": "c2", "lane": "telemetry" }),
    ]);
    let component = prop::sample::select(vec![None, Some("a"), Some("b"), Some("c")]);
    let speaker = prop::sample::select(SPEAKERS.to_vec());
    let said = (speaker, 0..4_usize, phases, attrs, component, 0..3_i64).prop_map(
        |((device, kinds), kind, phase, attrs, component, late)| {
            let event = event(0, device, kinds[kind % kinds.len()], phase);
            let mut event = with_attrs(event, &attrs);
            event.component = component.map(str::to_owned);
            // moved to its place in time later; here only how late it is
            event.occurred_at = at(-late * 400);
            Happening::Event(Box::new(event))
        },
    );
    let word = prop::sample::select(vec!["smoke-1", "smoke-2", "smoke-3"]);
    let pause =
        prop_oneof![40 => 0..5_i64, 20 => 5..59_i64, 9 => 59..400_i64, 1 => 80_000..100_000_i64];
    let what = prop_oneof![
        8 => said,
        2 => word.prop_map(Happening::Word),
        3 => Just(Happening::Tick),
    ];
    (pause, what)
}

/// Lets something happen; its events get their place in time and journal.
fn happen(engine: &mut Engine, now: i64, number: usize, what: &Happening) -> Vec<Finding> {
    match what {
        Happening::Tick => engine.on_tick(at(now)),
        Happening::Word(device) => {
            engine.seen(&id(device), at(now));
            Vec::new()
        }
        Happening::Event(event) => {
            let mut event = event.as_ref().clone();
            let late = event.received_at.duration_since(event.occurred_at);
            event.seq = Seq(number as u64);
            event.received_at = at(now);
            event.occurred_at = at(now) - late;
            event.id = EventId::of_uplink(event.received_at, event.seq, 0);
            engine.seen(&event.device, event.received_at);
            engine.on_event(&event)
        }
    }
}

/// Silences, by rule and device, that are open after these findings.
fn silent(findings: &[Finding]) -> BTreeSet<String> {
    let mut silent = BTreeSet::new();
    for finding in findings.iter().filter(|f| is_of_silence(f.rule.as_str())) {
        let which = format!("{} {}", finding.rule, finding.subject);
        match finding.what {
            FindingKind::Raised => silent.insert(which),
            FindingKind::Cleared => silent.remove(&which),
        };
    }
    silent
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// The promise of the module: a restart at any point changes nothing but that silences are found later.
    #[test]
    fn restored_rows_and_the_rest_are_as_good_as_never_having_stopped(
        story in prop::collection::vec(happening(), 1..120),
        cut in any::<prop::sample::Index>(),
        tight in any::<bool>(),
        all_sorts in any::<bool>(),
    ) {
        let limits = if tight {
            Limits { subjects_per_rule: 2, sources_per_subject: 2 }
        } else {
            Limits::default()
        };
        let rules = rules(all_sorts);
        let registry = registry();
        let fresh = || Engine::with_limits(Arc::clone(&rules), Arc::clone(&registry), limits);
        let cut = cut.index(story.len());
        let (mut steady, mut steady_rows) = (fresh(), Rows::default());
        let mut restarted: Option<(Engine, Rows)> = None;
        let (mut all, mut again) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (number, (pause, what)) in story.iter().enumerate() {
            now += pause;
            if number == cut {
                let mut engine = fresh();
                engine.restore(steady_rows.read());
                prop_assert_eq!(engine.take_dirty(), vec![]);
                again = all.clone();
                restarted = Some((engine, steady_rows.clone()));
            }
            all.extend(happen(&mut steady, now, number, what));
            steady_rows.write(&mut steady);
            if let Some((engine, rows)) = &mut restarted {
                again.extend(happen(engine, now, number, what));
                rows.write(engine);
            }
        }
        let (mut engine, mut rows) = restarted.expect("the cut is inside the story");
        // silences, and what listens to them
        let others = |list: &[Finding]| -> Vec<Finding> {
            list.iter().filter(|f| !hears_silence(f.rule.as_str())).cloned().collect()
        };
        prop_assert_eq!(others(&all), others(&again));
        prop_assert_eq!(steady_rows.without_silences(), rows.without_silences());
        prop_assert!(silent(&again).is_subset(&silent(&all)), "a silence was found too early");

        // quiet for half an hour: everybody finds the same silences, and all that time ends has ended
        for _ in 0..90 {
            now += 20;
            all.extend(steady.on_tick(at(now)));
            again.extend(engine.on_tick(at(now)));
        }
        prop_assert_eq!(silent(&all), silent(&again));
        prop_assert_eq!(others(&all), others(&again));
        steady_rows.write(&mut steady);
        rows.write(&mut engine);
        prop_assert_eq!(steady_rows.without_silences(), rows.without_silences());
    }

    /// Other rules with the same meaning, in the middle of whatever goes on, change nothing.
    #[test]
    fn a_reload_in_the_middle_of_a_window_is_as_good_as_none(
        story in prop::collection::vec(happening(), 1..120),
        cut in any::<prop::sample::Index>(),
        all_sorts in any::<bool>(),
    ) {
        let registry = registry();
        let (rules, more) = (rules(all_sorts), one_more(all_sorts));
        let cut = cut.index(story.len());
        let mut steady = Engine::new(Arc::clone(&rules), Arc::clone(&registry));
        let mut reloaded = Engine::new(rules, registry);
        let (mut steady_rows, mut rows) = (Rows::default(), Rows::default());
        let mut now = 0;
        for (number, (pause, what)) in story.iter().enumerate() {
            now += pause;
            if number == cut {
                let told = reloaded.reload(Arc::clone(&more), at(now));
                prop_assert_eq!(told.findings, vec![]);
                prop_assert!(told.started_over.is_empty() && told.gone.is_empty());
                prop_assert_eq!(told.new.len(), 1);
            }
            let all = happen(&mut steady, now, number, what);
            let again = happen(&mut reloaded, now, number, what);
            prop_assert_eq!(all, again);
            if number % 3 == 0 || number == cut {
                steady_rows.write(&mut steady);
                rows.write(&mut reloaded);
                prop_assert_eq!(&steady_rows, &rows);
            }
        }
        for _ in 0..90 {
            now += 20;
            prop_assert_eq!(steady.on_tick(at(now)), reloaded.on_tick(at(now)));
        }
        steady_rows.write(&mut steady);
        rows.write(&mut reloaded);
        prop_assert_eq!(steady_rows, rows);
    }
}
