//! Scopes: a list in a scope is the whole list without what lies outside, its pages are full, and the feed agrees with it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::alarm::Scope as Over;
use domain::incident::Verb;
use domain::place::Registry;
use domain::rule::Finding;
use domain::{DepartmentId, Reach, Revision, Scope, Severity};

use super::fixture::{Hub, actor, at, batch, book, finding};
use crate::state::{AlarmFilter, FeedRow, HIDDEN, IncidentFilter, IncidentItem, NewWindow, State};

const PLACES: &str = r#"
    department = [
        { id = "fire", name = "消防", name_en = "Fire", chip = "消" },
        { id = "police", name = "公安", name_en = "Police", chip = "公" },
        { id = "traffic", name = "交通", name_en = "Traffic", chip = "交" },
        { id = "property", name = "物业", name_en = "Property", chip = "物" },
    ]
    committee = [{ id = "c1", name = "一委" }]
    person = [{ id = "p1", name = "周" }]
    grid = [
        { id = "g1", name = "一格", committee = "c1", captain = "p1" },
        { id = "g2", name = "二格", committee = "c1", captain = "p1" },
    ]
    site = [
        { id = "q1", name = "一区", name_en = "Q1", width_m = 9.0, height_m = 9.0, x_m = 0.0, y_m = 0.0 },
        { id = "q2", name = "二区", name_en = "Q2", width_m = 9.0, height_m = 9.0, x_m = 0.0, y_m = 0.0 },
    ]
    building = [{ id = "b1", site = "q1", name = "1幢", floors = 6, outline = { x_m = 0.0, y_m = 0.0, width_m = 1.0, height_m = 1.0 } }]
    zone = [
        { id = "z1", site = "q1", building = "b1", floor = 1, kind = "fire_compartment", name = "1层", grid = "g1" },
        { id = "z2", site = "q1", kind = "gate_lane", name = "西门", grid = "g2" },
        { id = "z3", site = "q2", kind = "gate_lane", name = "南门", grid = "g2" },
    ]
"#;
const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m
d-1,q1,z1,fire_sensor,甲,sim,60,1.0,2.0
d-2,q1,z2,fire_sensor,乙,sim,60,1.0,2.0
d-3,q2,z3,fire_sensor,丙,sim,60,1.0,2.0
";
/// Where things happen.
const SPOTS: [(&str, Option<&str>); 5] = [
    ("q1", Some("z1")),
    ("q1", Some("z2")),
    ("q2", Some("z3")),
    ("q1", None),
    ("q2", None),
];

fn registry() -> Arc<Registry> {
    let files = [("places.toml", PLACES), ("devices.csv", DEVICES)];
    let registry = Registry::from_files(files);
    Arc::new(registry.unwrap_or_else(|mistakes| panic!("{}", mistakes[0])))
}

/// A finding of every rule and severity at every spot.
fn findings() -> Vec<Finding> {
    let mut all = Vec::new();
    for (site, zone) in SPOTS {
        for (rule, severity) in [
            ("S1", Severity::P1),
            ("B1", Severity::P3),
            ("E1", Severity::P2),
        ] {
            let seq = all.len() as u64 + 1;
            let subject = format!("spot:{site}-{}", zone.unwrap_or("none"));
            all.push(Finding {
                site: site.parse().expect("an id"),
                zone: zone.map(|id| id.parse().expect("an id")),
                ..finding(rule, &subject, severity, seq)
            });
        }
    }
    all
}

fn scopes() -> Vec<Scope> {
    let quarters: [&[&str]; 5] = [&[], &["q1"], &["q2"], &["q1", "q2"], &["q9"]];
    let grids: [&[&str]; 4] = [&[], &["g1"], &["g2"], &["g9"]];
    // who leads what nobody has been sent to yet is one of them
    let departments: [&[&str]; 6] = [
        &[],
        &["fire"],
        &["police"],
        &["traffic"],
        &["fire", "traffic"],
        &["x"],
    ];
    let mut all = Vec::new();
    for quarters in quarters {
        for grids in grids {
            for departments in departments {
                let scope = serde_json::json!({"quarters": quarters, "grids": grids, "departments": departments});
                all.push(serde_json::from_value(scope).expect("a scope"));
            }
        }
    }
    all
}

async fn incidents(state: &State, reach: &Reach, limit: u32) -> Vec<IncidentItem> {
    let filter = IncidentFilter {
        reach: reach.clone(),
        ..IncidentFilter::default()
    };
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = state.incidents(&filter, cursor.as_deref(), limit).await;
        let page = page.expect("reads");
        let is_full = page.items.len() == limit as usize;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
        assert!(is_full, "a page that has a next one is full");
    }
}

#[tokio::test]
async fn a_list_in_a_scope_is_the_whole_list_without_what_lies_outside() {
    let hub = Hub::start_with(registry()).await;
    let state = &hub.state;
    let found = findings();
    hub.commit(batch(found.len() as u64, found)).await;
    for (n, (site, narrow)) in [
        ("q1", ""),
        ("q2", ""),
        ("q1", "b1"),
        ("q1", "z2"),
        ("q2", "d-3"),
    ]
    .into_iter()
    .enumerate()
    {
        let named = |start: &str| narrow.starts_with(start).then_some(narrow);
        let new = NewWindow {
            scope: Over {
                site: site.parse().expect("an id"),
                building: named("b").map(|id| id.parse().expect("an id")),
                zone: named("z").map(|id| id.parse().expect("an id")),
                device: named("d").map(|id| id.parse().expect("an id")),
                rules: Vec::new(),
            },
            starts_at: None,
            ends_at: at(9000),
            reason: "test".to_owned(),
        };
        let who = ("zhou".parse().expect("a login"), at(100));
        let planned = state.plan_maintenance(new, &format!("w{n}"), who).await;
        planned.expect("planned");
    }
    let whole = Reach::default();
    let everything = incidents(state, &whole, 500).await;
    assert_eq!(everything.len(), 15);
    // one is given to a department that its rule does not name
    let other = everything.iter().find(|i| i.rule.as_str() == "B1");
    let other = other.expect("an incident");
    let mut command = domain::incident::Command::new(Verb::Dispatch, actor("wang", None), at(101));
    command.departments = vec!["fire".parse().expect("an id")];
    let done = state.command(other.id, other.version, "k", command).await;
    done.expect("dispatched");
    let everything = incidents(state, &whole, 500).await;
    let rows = state.feed_after(Revision(0), 500).await.expect("reads");
    let plans = book();
    for scope in scopes() {
        let reach = scope.within(&registry());
        let sees = |item: &IncidentItem| {
            let plan = &plans[&item.rule];
            let parts: BTreeSet<&DepartmentId> = std::iter::once(&plan.lead)
                .chain(&plan.co)
                .chain(&item.departments)
                .collect();
            reach.sees(&item.site, item.zone.as_ref()) && reach.sees_work(parts)
        };
        let expected: Vec<_> = everything.iter().filter(|item| sees(item)).collect();
        for limit in [1, 4, 500] {
            let got = incidents(state, &reach, limit).await;
            assert_eq!(got.iter().collect::<Vec<_>>(), expected, "{scope}");
        }
        let seen: BTreeSet<String> = expected.iter().map(|item| item.id.to_string()).collect();
        for item in &everything {
            let is_seen = state.sees_incident(item.id, &reach).await.expect("reads");
            assert_eq!(is_seen, seen.contains(&item.id.to_string()), "{scope}");
        }
        let all = state.alarms(&AlarmFilter::default(), None, 500).await;
        let filter = AlarmFilter {
            reach: reach.clone(),
            ..AlarmFilter::default()
        };
        let got = state.alarms(&filter, None, 500).await.expect("reads").items;
        let expected = all.expect("reads").items.into_iter().filter(|alarm| {
            let incident = alarm.incident.map(|id| id.to_string());
            let is_theirs = || incident.is_some_and(|id| seen.contains(&id));
            reach.sees(&alarm.site, alarm.zone.as_ref())
                && (reach.departments.is_none() || is_theirs())
        });
        assert_eq!(got, expected.collect::<Vec<_>>(), "{scope}");
        let alarms: BTreeSet<String> = got.iter().map(|alarm| alarm.id.to_string()).collect();
        let page = state.maintenance(None, None, 500, &reach).await;
        let windows = page.expect("reads").items;
        let windows: BTreeSet<String> = windows.iter().map(|w| w.id.to_string()).collect();

        let told = state.told(rows.clone(), &reach).await.expect("reads");
        let revisions = |rows: &[crate::state::FeedRow]| {
            rows.iter().map(|row| row.revision).collect::<Vec<_>>()
        };
        assert_eq!(revisions(&told), revisions(&rows), "{scope}");
        for (row, given) in told.iter().zip(&rows) {
            let is_hidden = row.kind == HIDDEN;
            assert!(!is_hidden || (row.json == "{}" && row.id.is_empty()));
            // a card counts what of it lies in the scope
            let is_card = row.kind == "storm";
            assert!(is_hidden || is_card || row == given, "{scope}");
            let value: serde_json::Value = serde_json::from_str(&given.json).expect("json");
            let expected = match given.kind.as_str() {
                "incident" => Some(seen.contains(&given.id)),
                "alarm" => Some(alarms.contains(&given.id)),
                "maintenance" => Some(windows.contains(&given.id)),
                "notification" => Some(seen.contains(value["incident"].as_str().expect("an id"))),
                _ => None,
            };
            if let Some(is_seen) = expected {
                assert_eq!(!is_hidden, is_seen, "{scope}: {given:?}");
            }
            if is_card && !is_hidden {
                let card: serde_json::Value = serde_json::from_str(&row.json).expect("json");
                let of_card = |item: &&IncidentItem| {
                    let is_of = item.storm.is_some_and(|id| id.to_string() == given.id);
                    is_of && seen.contains(&item.id.to_string())
                };
                let count = everything.iter().filter(of_card).count();
                assert_eq!(card["incidents"], count, "{scope}: others' are not counted");
            }
        }
    }
}

#[tokio::test]
async fn the_feed_tells_of_devices_and_quarantine_in_the_places_and_of_nothing_undecided() {
    let hub = Hub::start_with(registry()).await;
    let rows: Vec<FeedRow> = [
        ("device", "d-1", "{}"),
        ("device", "d-2", "{}"),
        ("device", "d-3", "{}"),
        ("device", "nobody", "{}"),
        ("quarantine", "1", r#"{"principal": "d-2"}"#),
        ("quarantine", "2", r#"{"principal": "nobody"}"#),
        ("registry", "v", "{}"),
        ("secret", "d-1", "{}"),
    ]
    .into_iter()
    .zip(1..)
    .map(|((kind, id, json), revision)| FeedRow {
        revision: Revision(revision),
        kind: kind.to_owned(),
        id: id.to_owned(),
        json: json.to_owned(),
    })
    .collect();
    for (scope, seen) in [
        ("{}", [true; 8]),
        (
            r#"{"departments": ["fire"]}"#,
            [true, true, true, true, true, true, true, false],
        ),
        (
            r#"{"quarters": ["q1"]}"#,
            [true, true, false, false, true, false, true, false],
        ),
        (
            r#"{"grids": ["g2"]}"#,
            [false, true, true, false, true, false, true, false],
        ),
        (
            r#"{"quarters": ["q9"]}"#,
            [false, false, false, false, false, false, true, false],
        ),
    ] {
        let given: Scope = serde_json::from_str(scope).expect("a scope");
        let reach = given.within(&registry());
        let told = hub.state.told(rows.clone(), &reach).await.expect("reads");
        let told: Vec<bool> = told.iter().map(|row| row.kind != HIDDEN).collect();
        assert_eq!(told, seen, "{scope}");
    }
}

#[tokio::test]
async fn windows_are_seen_by_whoever_they_go_over() {
    let hub = Hub::start_with(registry()).await;
    let state = &hub.state;
    let mut ids = HashMap::new();
    for (name, site, building, zone, device) in [
        ("q1", "q1", None, None, None),
        ("q2", "q2", None, None, None),
        ("b1", "q1", Some("b1"), None, None),
        ("z2", "q1", None, Some("z2"), None),
        ("d-3", "q2", None, None, Some("d-3")),
    ] {
        let new = NewWindow {
            scope: Over {
                site: site.parse().expect("an id"),
                building: building.map(|id: &str| id.parse().expect("an id")),
                zone: zone.map(|id: &str| id.parse().expect("an id")),
                device: device.map(|id: &str| id.parse().expect("an id")),
                rules: Vec::new(),
            },
            starts_at: None,
            ends_at: at(9000),
            reason: "test".to_owned(),
        };
        let who = ("zhou".parse().expect("a login"), at(100));
        let planned = state.plan_maintenance(new.clone(), name, who).await;
        ids.insert(planned.expect("planned").id, (name, new.scope));
    }
    let check = async |scope: &str, seen: &[&str], theirs: &[&str]| {
        let scope: Scope = serde_json::from_str(scope).expect("a scope");
        let reach = scope.within(&registry());
        let page = state.maintenance(None, None, 500, &reach).await;
        let listed: BTreeSet<&str> = page
            .expect("reads")
            .items
            .iter()
            .map(|item| ids[&item.id].0)
            .collect();
        assert_eq!(listed, seen.iter().copied().collect(), "{scope}");
        for (id, (name, over)) in &ids {
            let is_seen = state.sees_window(*id, &reach).await.expect("reads");
            assert_eq!(is_seen, seen.contains(name), "{scope}: {name}");
            let is_theirs = reach.holds_window(over, &registry());
            assert_eq!(is_theirs, theirs.contains(name), "{scope}: {name}");
            let is_known = reach.check_window(over, &registry()).is_ok();
            assert_eq!(is_known, seen.contains(name), "{scope}: {name}");
        }
    };
    let all = ["q1", "q2", "b1", "z2", "d-3"];
    check("{}", &all, &all).await;
    check(r#"{"departments": ["fire"]}"#, &all, &all).await;
    check(
        r#"{"quarters": ["q1"]}"#,
        &["q1", "b1", "z2"],
        &["q1", "b1", "z2"],
    )
    .await;
    check(r#"{"grids": ["g1"]}"#, &["q1", "b1"], &["b1"]).await;
    check(
        r#"{"grids": ["g2"]}"#,
        &["q1", "q2", "z2", "d-3"],
        &["z2", "d-3"],
    )
    .await;
    check(r#"{"quarters": ["q9"], "grids": ["g9"]}"#, &[], &[]).await;
}
